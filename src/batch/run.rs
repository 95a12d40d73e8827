//! Runs the analysis over many files side by side. Results come back in the order of the files' names, whatever the number of threads, and only for files
//! with something to say. Files are first found and then analysed, so that nothing is written into a folder that is still being walked.

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Error, Result};
use rayon::prelude::*;

use crate::engine::Options;
use crate::platform::Version;
use crate::report::{FileReport, Problem, ProblemKind};

use super::check::{Checked, check};
use super::configuration::{Configuration, Configurations};
use super::discover::{Scope, discover, unreadable};
use super::guard::{STACK, guarded, on_deep_stack};
use super::package::Packages;
use super::place::{Place, Places};
use super::read::{Content, Reader, SIZE_LIMIT};
use super::uncommitted::{Allowed, refusal, uncommitted};
use super::write::replace;

/// What to look for in files that a configuration governs, or none, and whose project asks for an MLX of some version at least.
pub type Choose<'p> = dyn Fn(Option<&Configuration>, Option<Version>) -> Result<Options> + 'p;

/// What to run on, and how.
pub struct Plan<'p> {
    /// Files and folders.
    pub paths: Vec<PathBuf>,
    /// Which files below the folders belong to them.
    pub scope: Scope,
    /// What to look for.
    pub options: &'p Choose<'p>,
    /// Whether changed files are written.
    pub write: bool,
    /// Which of them although version control does not hold what is in them.
    pub allowed: Allowed,
    /// How many threads work; `None` for as many as the machine has.
    pub jobs: Option<NonZero<usize>>,
}

impl Plan<'_> {
    /// How many threads to start. Only asked where there is more than one file, for the answer takes longer than a small file.
    fn threads(&self) -> usize {
        self.jobs.or_else(|| std::thread::available_parallelism().ok()).map_or(1, NonZero::get)
    }
}

/// What came of one file.
#[derive(Clone, Debug)]
pub struct Outcome<T> {
    /// The file.
    pub place: Place,
    /// What the caller made of its findings, if it was analysed.
    pub digest: Option<T>,
    /// What went wrong with it.
    pub problem: Option<Problem>,
}

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Done<T> {
    /// How many files there were to analyse.
    pub analysed: usize,
    /// The files with something to say, in the order of their names.
    pub outcomes: Vec<Outcome<T>>,
}

/// Run `plan`. `digest` is called on the analysing threads, while a file's texts are at hand, and its results are all that is kept of them.
pub fn run<T: Send>(plan: &Plan<'_>, digest: impl Fn(&FileReport<'_>) -> T + Sync) -> Result<Done<T>> {
    let places = Places::new();
    let found = discover(&plan.paths, &plan.scope, || plan.threads(), &places)?;
    let governed = govern(&found.files, &plan.scope.configurations, plan.options)?;
    let (write, packages) = (plan.write, Packages::default());
    if write {
        refuse_uncommitted(&governed, plan.allowed, &places)?;
    }
    let place = |path: &Path| {
        let links = &found.links[found.links.partition_point(|(target, _)| **target < *path)..];
        let names = links.iter().take_while(|(target, _)| target == path).map(|(_, link)| (places.name(link).shown, link.clone()));
        Place { links: names.collect(), ..places.name(path) }
    };
    let work = |reader: &mut Reader, governed: &(&PathBuf, Arc<Options>)| file((governed.0, &packages), reader, &governed.1, write, place, &digest);
    let mut outcomes: Vec<Outcome<T>> = match &governed[..] {
        [] => Vec::new(),
        // Starting a pool takes longer than analysing a file.
        [one] => on_deep_stack(|| work(&mut Reader::new(), one)).context("cannot start a thread")?.into_iter().collect(),
        files => {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(plan.threads().min(files.len())).stack_size(STACK).build();
            pool.context("cannot start threads")?.install(|| files.par_iter().map_init(Reader::new, work).flatten_iter().collect())
        }
    };
    outcomes.extend(found.problems.into_iter().map(|(path, problem)| Outcome { place: places.name(&path), digest: None, problem: Some(problem) }));
    outcomes.sort_by(|a, b| a.place.cmp(&b.place));
    Ok(Done { analysed: governed.len(), outcomes })
}

/// An error where a file that would change has changes of the user's that version control does not hold.
fn refuse_uncommitted(governed: &[(&PathBuf, Arc<Options>)], allowed: Allowed, places: &Places) -> Result<()> {
    let files: Vec<&PathBuf> = governed.iter().map(|(file, _)| *file).collect();
    let changes = |file: &Path| {
        let at = governed.partition_point(|(known, _)| known.as_path() < file);
        let options = governed.get(at).filter(|(known, _)| known.as_path() == file).map(|(_, options)| options)?;
        let mut reader = Reader::new();
        let Ok(Content::Mlx(bytes)) = reader.read(file) else { return None };
        check(bytes, options).ok().filter(|checked| checked.bytes != bytes).map(|_| ())
    };
    let mut found = uncommitted(&files, allowed).map_err(Error::msg)?;
    if found.is_empty() {
        return Ok(());
    }
    // Few files, if any, are looked at twice.
    on_deep_stack(|| found.retain(|(file, _)| changes(file).is_some())).context("cannot start a thread")?;
    found.iter_mut().for_each(|(file, _)| *file = places.name(file).near);
    if found.is_empty() { Ok(()) } else { Err(Error::msg(refusal(&found))) }
}

/// Each of `files` with what to look for in it. The files of the rules themselves are left out: a rule says what is slow, and is not to be made fast.
fn govern<'f>(files: &'f [PathBuf], configurations: &Configurations, choose: &Choose<'_>) -> Result<Vec<(&'f PathBuf, Arc<Options>)>> {
    let mut chosen: Vec<(Option<PathBuf>, Option<Version>, Arc<Options>)> = Vec::new();
    let mut governed = Vec::with_capacity(files.len());
    for file in files {
        let configuration = file.parent().map_or(Ok(None), |folder| configurations.of(folder)).map_err(Error::msg)?;
        let path = configuration.as_ref().map(|c| &c.path);
        let mlx = file.parent().and_then(|folder| configurations.oldest_mlx_of(folder));
        let options = match chosen.iter().find(|(known, version, _)| known.as_ref() == path && *version == mlx) {
            Some((.., options)) => Arc::clone(options),
            None => {
                let options = Arc::new(choose(configuration.as_deref(), mlx.clone())?);
                chosen.push((path.cloned(), mlx, Arc::clone(&options)));
                options
            }
        };
        if !options.rules.iter().any(|rule| rule.file == *file) {
            governed.push((file, options));
        }
    }
    Ok(governed)
}

/// Read, analyse and, where asked, write one file. `None` where there is nothing to say.
fn file<T>(
    (path, packages): (&Path, &Packages),
    reader: &mut Reader,
    options: &Options,
    write: bool,
    place: impl Fn(&Path) -> Place,
    digest: impl Fn(&FileReport<'_>) -> T,
) -> Option<Outcome<T>> {
    let trouble = |problem| Some(Outcome { place: place(path), digest: None, problem: Some(problem) });
    let bytes = match reader.read(path) {
        Ok(Content::Mlx(bytes)) => bytes,
        Ok(Content::Other) => return None,
        Ok(Content::TooLarge) => return trouble(too_large()),
        Err(e) => return trouble(unreadable(&e)),
    };
    let mut checked = match packages.check(path, bytes, options) {
        Ok(checked) => checked,
        Err(problem) => return trouble(problem),
    };
    if write
        && checked.bytes != bytes
        && let Err(message) = replace(path, bytes, &checked.bytes)
    {
        checked.withdraw(bytes, Problem { kind: ProblemKind::NotWritten, location: None, message });
    }
    if checked.fixed.findings.is_empty() && checked.bytes == bytes && checked.problem.is_none() {
        return None;
    }
    Some(told(place(path), bytes, checked, write, digest))
}

/// The outcome of an analysed file.
fn told<T>(place: Place, old: &[u8], checked: Checked<'_>, write: bool, digest: impl Fn(&FileReport<'_>) -> T) -> Outcome<T> {
    let written = write && checked.bytes != old;
    let Checked { text, bytes, fixed, problem } = checked;
    let report =
        FileReport { path: &place.shown, full_path: &place.path, links: &place.links, text: &text, old, new: &bytes, fixed: &fixed, written };
    match guarded(|| digest(&report)) {
        Ok(digest) => Outcome { place, digest: Some(digest), problem },
        Err(panic) => Outcome { place, digest: None, problem: Some(Problem { kind: ProblemKind::Internal, location: None, message: panic }) },
    }
}

fn too_large() -> Problem {
    let message = format!("larger than {} MB, not analysed; leave it out with --exclude", SIZE_LIMIT >> 20);
    Problem { kind: ProblemKind::TooLarge, location: None, message }
}
