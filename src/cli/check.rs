//! `mlxfix [PATHS]`: run the plan that the arguments make, put the results on their streams and find the exit code.

use std::io::Write;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::batch::{self, Configuration, Place, Plan, Scope};
use crate::report::{self, FileReport, Problem, Summary};

use super::args::{CheckArgs, OutputFormat};
use super::{CLEAN, FAILURE, FINDINGS, complain, print, settings, stdin};

/// What is kept of an analysed file.
pub(super) struct Digest {
    /// Its part of the output.
    pub(super) out: Vec<u8>,
    /// Its part of the summary.
    pub(super) summary: Summary,
}

impl Digest {
    /// Tell the findings of `file` in `format`.
    pub(super) fn of(file: &FileReport<'_>, format: OutputFormat) -> Self {
        let mut summary = Summary::default();
        summary.add(file.fixed, file.old != file.new);
        let out = match format {
            OutputFormat::Diff => report::diff(file),
            OutputFormat::Json | OutputFormat::JsonLines => report::records(file),
        };
        Self { out, summary }
    }
}

/// What a run has to say so far.
pub(super) struct Run<'a> {
    args: &'a CheckArgs,
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
pub(super) fn run(args: &CheckArgs) -> Result<u8> {
    let configurations = args.settings.configurations();
    let here = settings::governing(&configurations, None)?;
    let from_stdin = args.paths.iter().any(|path| path.as_os_str() == "-");
    let mut run = Run::new(args, args.format(here.as_deref())?, from_stdin && args.write);
    if from_stdin {
        if args.paths.len() > 1 {
            bail!("standard input (`-`) cannot be mixed with files");
        }
        let name = args.stdin_filename.as_deref();
        let options = args.options(settings::governing(&configurations, name)?.as_deref(), settings::project_mlx(&configurations, name))?;
        stdin::run(&mut run, name, &options, args.write)?;
    } else {
        // What is wrong with the arguments is told even where there is no file to apply them to.
        args.options(here.as_deref(), None)?;
        let scope = Scope { exclude: args.exclude.clone(), respect_gitignore: args.respects_gitignore(here.as_deref()), configurations };
        let options = |configuration: Option<&Configuration>, mlx| args.options(configuration, mlx);
        let plan = Plan { paths: args.paths.clone(), scope, options: &options, write: args.write, jobs: args.jobs };
        let format = run.format();
        let start = Instant::now();
        let done = batch::run(&plan, |file| Digest::of(file, format))?;
        if args.verbose {
            complain(&format!("Files that speak of MLX: {}. Time: {:.3} s.\n", done.analysed, start.elapsed().as_secs_f64()));
        }
        for outcome in done.outcomes {
            run.add(&outcome.place, outcome.digest, outcome.problem);
        }
    }
    run.finish()
}

impl<'a> Run<'a> {
    fn new(args: &'a CheckArgs, format: OutputFormat, plain: bool) -> Self {
        Self { args, format, out: Vec::new(), complaints: String::new(), summary: Summary::default(), plain, failed: false, unfit: false }
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
            () if self.failed => FAILURE,
            () if self.args.exit_zero => CLEAN,
            () if self.unfit || shown || self.summary.findings_remain() => FINDINGS,
            () => CLEAN,
        }
    }
}
