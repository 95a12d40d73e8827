//! `mlxfix [PATHS]`: run the plan that the arguments make, put the results on their streams and find the exit code.

use std::io::Write;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::batch::{self, Configuration, Done, Place, Plan, Scope};
use crate::engine::Options;
use crate::profile::Profile;
use crate::replay::Verdicts;
use crate::report::{self, FileReport, Problem, Summary};

use super::args::{CheckArgs, OutputFormat};
use super::{CLEAN, FAILURE, FINDINGS, complain, print, profile, settings, stdin, verify};

/// What the findings are for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To change files, or show how.
    Change,
    /// To say of each whether it was seen to hold.
    Verify,
}

/// What is kept of an analysed file.
pub(super) struct Digest {
    /// Its part of the output.
    pub(super) out: Vec<u8>,
    /// Its part of the summary.
    pub(super) summary: Summary,
}

impl Digest {
    /// Tell the findings of `file` in `format`.
    pub(super) fn of(file: &FileReport<'_>, format: OutputFormat, purpose: Purpose) -> Self {
        let mut summary = Summary::default();
        summary.add(file.fixed, file.old != file.new);
        let out = match format {
            OutputFormat::Diff if purpose == Purpose::Verify => report::verdicts(file),
            OutputFormat::Diff => report::diff(file),
            OutputFormat::Json | OutputFormat::JsonLines => report::records(file),
        };
        Self { out, summary }
    }
}

/// What a run has to say so far.
pub(super) struct Run<'a> {
    args: &'a CheckArgs,
    purpose: Purpose,
    format: OutputFormat,
    out: Vec<u8>,
    complaints: String,
    summary: Summary,
    /// Whether the output is a file's text and not a report.
    plain: bool,
    failed: bool,
    unfit: bool,
}

/// Run the check that `args` ask for; the result is the exit code.
pub(super) fn run(args: &CheckArgs, purpose: Purpose) -> Result<u8> {
    let configurations = args.settings.configurations();
    let figures = profile::of_user(&args.settings);
    let here = settings::governing(&configurations, None)?;
    let from_stdin = args.paths.iter().any(|path| path.as_os_str() == "-");
    let mut run = Run::new(args, purpose, args.format(here.as_deref())?, from_stdin && args.write);
    if from_stdin {
        if args.paths.len() > 1 {
            bail!("standard input (`-`) cannot be mixed with files");
        }
        let name = args.stdin_filename.as_deref();
        let options =
            args.options(settings::governing(&configurations, name)?.as_deref(), settings::project_mlx(&configurations, name), figures.as_ref())?;
        let alone = run.format() != OutputFormat::Diff;
        stdin::run(&mut run, name, &Options { alone, ..options })?;
    } else {
        // What is wrong with the arguments is told even where there is no file to apply them to.
        args.options(here.as_deref(), None, figures.as_ref())?;
        let scope = Scope { exclude: args.exclude.clone(), respect_gitignore: args.respects_gitignore(here.as_deref()), configurations };
        let start = Instant::now();
        let verdicts = args.verify.then(|| {
            verify::verdicts(args, |known| {
                let done = files(args, &scope, figures.as_ref(), Some(known), (false, false), |file| file.fixed.unknown.clone())?;
                Ok(done.outcomes.into_iter().filter_map(|outcome| outcome.digest).flatten().collect())
            })
        });
        let format = run.format();
        let done = files(args, &scope, figures.as_ref(), verdicts.transpose()?, (args.write, format != OutputFormat::Diff), |file| {
            Digest::of(file, format, purpose)
        })?;
        if args.verbose {
            complain(&format!("Files that speak of MLX: {}. Time: {:.3} s.\n", done.analysed, start.elapsed().as_secs_f64()));
        }
        for outcome in done.outcomes {
            run.add(&outcome.place, outcome.digest, outcome.problem);
        }
    }
    run.finish()
}

/// Analyse the files that `args` name, in `scope`, where so much is known of edits: whether to write them, and whether each finding tells its own edits.
fn files<T: Send>(
    args: &CheckArgs,
    scope: &Scope,
    figures: Option<&Profile>,
    verdicts: Option<Arc<Verdicts>>,
    (write, alone): (bool, bool),
    digest: impl Fn(&FileReport<'_>) -> T + Sync,
) -> Result<Done<T>> {
    let options =
        |configuration: Option<&Configuration>, mlx| Ok(Options { alone, verdicts: verdicts.clone(), ..args.options(configuration, mlx, figures)? });
    let plan = Plan { paths: args.paths.clone(), scope: scope.clone(), options: &options, write, allowed: args.allowed(), jobs: args.jobs };
    batch::run(&plan, digest)
}

impl<'a> Run<'a> {
    fn new(args: &'a CheckArgs, purpose: Purpose, format: OutputFormat, plain: bool) -> Self {
        Self { args, purpose, format, out: Vec::new(), complaints: String::new(), summary: Summary::default(), plain, failed: false, unfit: false }
    }

    /// What was asked for.
    pub(super) fn args(&self) -> &'a CheckArgs {
        self.args
    }

    /// What of an analysed file is told.
    pub(super) fn digest(&self, file: &FileReport<'_>) -> Digest {
        Digest::of(file, self.format, self.purpose)
    }

    /// How findings are told.
    pub(super) fn format(&self) -> OutputFormat {
        self.format
    }

    /// Take up what came of one file. Files must come in order.
    pub(super) fn add(&mut self, place: &Place, digest: Option<Digest>, problem: Option<Problem>) {
        if let Some(digest) = digest {
            self.out.extend(digest.out);
            self.summary.merge(&digest.summary);
        }
        let Some(problem) = problem else { return };
        self.summary.add_problem(&problem);
        self.unfit = true;
        self.failed |= problem.kind.is_failure_of_the_tool();
        self.complaints.push_str(&report::problem_line(&place.near, &problem));
        self.complaints.push('\n');
        if self.format() != OutputFormat::Diff && !self.plain {
            self.out.extend(report::problem_record(&place.shown, &place.path, &problem));
        }
    }

    /// Put everything on its stream; the result is the exit code.
    fn finish(self) -> Result<u8> {
        let code = self.code();
        let args = self.args;
        let out = if self.format == OutputFormat::Json && !self.plain { report::array(&self.out) } else { self.out };
        match &args.output_file {
            Some(path) => {
                let written = batch::output_file(path).and_then(|mut file| file.write_all(&out));
                written.with_context(|| format!("cannot write {}", path.display()))?;
            }
            None if args.silent && !self.plain => {}
            None => print(&out).context("cannot write to standard output")?,
        }
        if !args.silent {
            complain(&self.complaints);
        }
        if !args.silent && !args.quiet {
            complain(&self.summary.render(args.write));
        }
        Ok(code)
    }

    fn code(&self) -> u8 {
        let shown = !self.args.write && self.summary.changes_something();
        match () {
            () if self.failed || self.summary.contradicted() => FAILURE,
            () if self.args.exit_zero => CLEAN,
            () if self.purpose == Purpose::Verify && !self.unfit && self.summary.is_verified() => CLEAN,
            () if self.unfit || shown || self.summary.findings_remain() => FINDINGS,
            () => CLEAN,
        }
    }
}
