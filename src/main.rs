//! The command line program: parse the arguments, run, turn the outcome into an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    mlxfix::cli::main()
}
