//! The command line.

use std::process::ExitCode;

/// Parse the arguments and run.
pub fn main() -> ExitCode {
    ExitCode::from(2)
}
