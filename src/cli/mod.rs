//! The command line: arguments to a plan, outcomes to streams and an exit code. The only module that prints. Nothing is analysed here.

mod args;
mod bench;
mod check;
mod dtypes;
mod explain;
mod graph;
mod profile;
mod prove;
mod select;
mod settings;
mod stdin;
mod verify;
mod why;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;

use args::{CheckArgs, Cli, Command};
use check::Purpose;

use crate::batch;

/// Nothing is left to report.
const CLEAN: u8 = 0;
/// Findings remain, a diff was shown, or a file could not be read or parsed.
const FINDINGS: u8 = 1;
/// Bad usage, an internal error, a failed check of our own, or a file that could not be written.
const FAILURE: u8 = 2;

/// Parse the arguments and run.
pub fn main() -> ExitCode {
    batch::catch_panics();
    let cli = Cli::parse();
    let result = match cli.command {
        None => check::run(&cli.check, Purpose::Change),
        Some(Command::Check(check)) => check::run(&check, Purpose::Change),
        Some(Command::Verify(check)) => check::run(&CheckArgs { verify: true, ..check }, Purpose::Verify),
        Some(Command::Explain { id, all: _, output_format, settings }) => explain::explain(id.as_deref(), output_format, &settings),
        Some(Command::List { output_format, settings }) => explain::list(output_format, &settings),
        Some(Command::Prove(args)) => prove::prove(&args),
        Some(Command::Dtypes { place, output_format }) => dtypes::dtypes(&place, output_format),
        Some(Command::Bench(args)) => bench::bench(&args),
        Some(Command::Graph { place }) => graph::graph(&place),
        Some(Command::Why { place, select, settings, platform, output_format }) => why::why(&place, &select, &settings, &platform, output_format),
    };
    let code = result.unwrap_or_else(|error| {
        complain(&format!("error: {error:#}\n"));
        FAILURE
    });
    ExitCode::from(code)
}

/// Write all of `bytes` to standard output. A reader that has gone away, as `head` does, has seen enough.
fn print(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// Write `text` to standard error. Where that fails there is no place left to say so.
fn complain(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}
