//! Finds the Python files that speak of MLX: the files named, and those below the folders named, walked in parallel as ripgrep does it. It keeps the names of
//! those alone, so memory does not grow with the tree. What cannot be read on the way is told, never passed over.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

use anyhow::{Context, Result, bail};
use ignore::overrides::{Override, OverrideBuilder};
use ignore::{DirEntry, WalkBuilder, WalkState};

use crate::report::{Problem, ProblemKind};

use super::configuration::Configurations;
use super::place::Places;
use super::read::{Content, Reader};

/// Folders that hold no code of the project, by ruff's list. A folder that is itself named on the command line is walked all the same. Sorted.
const EXCLUDED: &[&str] = &[
    ".bzr",
    ".direnv",
    ".eggs",
    ".git",
    ".git-rewrite",
    ".hg",
    ".ipynb_checkpoints",
    ".mypy_cache",
    ".nox",
    ".pants.d",
    ".pyenv",
    ".pytest_cache",
    ".pytype",
    ".ruff_cache",
    ".svn",
    ".tox",
    ".venv",
    ".vscode",
    "__pypackages__",
    "_build",
    "buck-out",
    "dist",
    "node_modules",
    "site-packages",
    "venv",
];

/// A folder of copies, if it is no package of that name.
const BUILD: &str = "build";

/// Which files below a folder belong to it.
#[derive(Clone)]
pub struct Scope {
    /// Patterns of `.gitignore` form for what is left out, counted from the current directory.
    pub exclude: Vec<String>,
    /// Whether `.gitignore`, `.ignore` and git's own excludes count.
    pub respect_gitignore: bool,
    /// What projects themselves leave out.
    pub configurations: Arc<Configurations>,
}

/// The files to analyse and the trouble met on the way.
#[derive(Default)]
pub(super) struct Found {
    /// Full names without symbolic links, sorted, each once.
    pub(super) files: Vec<PathBuf>,
    /// Symbolic links met on the way, each as what it leads to and its own full name, sorted, each once.
    pub(super) links: Vec<(PathBuf, PathBuf)>,
    /// What could not be looked at.
    pub(super) problems: Vec<(PathBuf, Problem)>,
}

/// The files that `paths` stand for. A named file is always taken; below a folder, `*.py` files that speak of MLX and that `scope` does not leave out.
pub(super) fn discover(paths: &[PathBuf], scope: &Scope, jobs: impl Fn() -> usize, places: &Places) -> Result<Found> {
    let mut found = Found::default();
    let mut folders = Vec::new();
    for path in paths {
        match named(path) {
            Ok((full, true)) => folders.push(full),
            Ok((full, false)) => found.files.push(full),
            Err(e) => found.problems.push((std::path::absolute(path).unwrap_or_else(|_| path.clone()), unreadable(&e))),
        }
    }
    if !folders.is_empty() {
        walk(&folders, scope, jobs(), places, &mut found)?;
    }
    found.files.sort_unstable();
    found.files.dedup();
    found.links.sort_unstable();
    found.links.dedup();
    found.problems.sort_by(|a, b| a.0.cmp(&b.0));
    found.problems.dedup_by(|a, b| a.0 == b.0);
    Ok(found)
}

/// The full name of a path from the command line, symbolic links followed, and whether it is a folder.
fn named(path: &Path) -> io::Result<(PathBuf, bool)> {
    let full = path.canonicalize()?;
    let kind = fs::metadata(&full)?;
    if !kind.is_dir() && !kind.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    Ok((full, kind.is_dir()))
}

/// What a walking thread has to say about one entry.
enum Said {
    File(PathBuf),
    Link { target: PathBuf, name: PathBuf },
    Trouble(PathBuf, Problem),
}

fn walk(folders: &[PathBuf], scope: &Scope, jobs: usize, places: &Places, found: &mut Found) -> Result<()> {
    let mut builder = WalkBuilder::from_iter(folders);
    builder.standard_filters(scope.respect_gitignore).hidden(false).threads(jobs).overrides(overrides(scope, places)?);
    let configurations = Arc::clone(&scope.configurations);
    builder.filter_entry(move |entry| entry.depth() == 0 || !excluded(entry, &configurations));
    let (said, heard) = channel();
    builder.build_parallel().run(|| {
        let said = said.clone();
        let mut reader = Reader::new();
        let root = folders[0].clone();
        Box::new(move |entry| {
            match entry {
                Ok(entry) => visit(entry, &mut reader, &said),
                Err(e) => tell(&said, Said::Trouble(path_of(&e).map_or_else(|| root.clone(), Path::to_path_buf), walk_problem(&e))),
            }
            WalkState::Continue
        })
    });
    drop(said);
    for word in heard {
        match word {
            Said::File(path) => found.files.push(path),
            Said::Link { target, name } => found.links.push((target, name)),
            Said::Trouble(path, problem) => found.problems.push((path, problem)),
        }
    }
    Ok(())
}

fn overrides(scope: &Scope, places: &Places) -> Result<Override> {
    let mut builder = OverrideBuilder::new(places.here());
    for pattern in &scope.exclude {
        if pattern.is_empty() || pattern.starts_with('!') {
            bail!("the pattern {pattern:?} of --exclude names nothing to leave out");
        }
        // An override tells what to take; `!` turns it into what to leave.
        builder.add(&format!("!{pattern}")).with_context(|| format!("the pattern {pattern:?} of --exclude is not valid"))?;
    }
    Ok(builder.build()?)
}

/// Whether the usual list or the configuration that governs the folder of `entry` leaves it out. What is wrong with a configuration is told of the files
/// that it governs.
fn excluded(entry: &DirEntry, configurations: &Configurations) -> bool {
    let is_folder = entry.file_type().is_some_and(|kind| kind.is_dir());
    if !is_folder && !is_python(entry.path()) {
        return false;
    }
    let configuration = entry.path().parent().and_then(|folder| configurations.of(folder).ok().flatten());
    match configuration {
        Some(configuration) => configuration.keeps_usual() && usually_excluded(entry) || configuration.excludes(entry.path(), is_folder),
        None => usually_excluded(entry),
    }
}

/// Whether the usual list leaves `entry` out.
pub(super) fn usually_excluded(entry: &DirEntry) -> bool {
    let is_usual = |name: &str| EXCLUDED.binary_search(&name).is_ok() || name == BUILD && !entry.path().join("__init__.py").exists();
    entry.file_type().is_some_and(|kind| kind.is_dir()) && entry.file_name().to_str().is_some_and(is_usual)
}

pub(super) fn is_python(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "py")
}

/// Look at one entry of the walk. Symbolic links are not followed there, so no loop can hold the walk and no file outside the folders is touched; one that leads
/// nowhere is trouble all the same.
fn visit(entry: DirEntry, reader: &mut Reader, said: &Sender<Said>) {
    let Some(kind) = entry.file_type() else { return };
    if kind.is_dir() || !is_python(entry.path()) {
        return;
    }
    let word = if kind.is_file() {
        reader.read(entry.path()).map(|content| (content != Content::Other).then(|| Said::File(entry.path().to_path_buf())))
    } else if kind.is_symlink() {
        entry.path().canonicalize().map(|target| Some(Said::Link { target, name: entry.path().to_path_buf() }))
    } else {
        Err(io::Error::other("not a regular file"))
    };
    match word {
        Ok(None) => {}
        Ok(Some(word)) => tell(said, word),
        Err(e) => tell(said, Said::Trouble(entry.into_path(), unreadable(&e))),
    }
}

/// The receiver outlives the walk, so a failure to send cannot happen.
fn tell(said: &Sender<Said>, word: Said) {
    let _ = said.send(word);
}

/// The trouble of a file that cannot be read.
pub(super) fn unreadable(error: &io::Error) -> Problem {
    Problem { kind: ProblemKind::Unreadable, location: None, message: error.to_string() }
}

fn walk_problem(error: &ignore::Error) -> Problem {
    let message = error.io_error().map_or_else(|| error.to_string(), io::Error::to_string);
    Problem { kind: ProblemKind::Unreadable, location: None, message }
}

fn path_of(error: &ignore::Error) -> Option<&Path> {
    match error {
        ignore::Error::WithPath { path, .. } => Some(path),
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => path_of(err),
        ignore::Error::Loop { child, .. } => Some(child),
        ignore::Error::Partial(errors) => errors.iter().find_map(path_of),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_excluded_folders_are_sorted() {
        assert!(super::EXCLUDED.is_sorted());
    }
}
