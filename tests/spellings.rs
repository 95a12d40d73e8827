//! The rules against spellings that nobody wrote down: `tests/python/spellings.py` draws them anew in each run, rewrites them with this build, and runs them
//! before and after under MLX. The seed is the clock's and is printed; `MLXFIX_SEED` gives it back, and `MLXFIX_SPELLINGS` a number other than the few
//! that an ordinary run has time for.

use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use super::mlx;

/// How many spellings of each rule are drawn, and half as many near misses.
const FEW: u32 = 40;
/// The recall that is asked of so few: of 200 it is the script's own 0.97, of 40 that would be one miss.
const RECALL_OF_FEW: &str = "0.9";

#[test]
fn fresh_spellings_are_found_and_answer_the_same() {
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis() % 1_000_000);
    let seed = std::env::var("MLXFIX_SEED").unwrap_or_else(|_| clock.to_string());
    let given = std::env::var("MLXFIX_SPELLINGS").ok().and_then(|number| number.parse::<u32>().ok());
    let spellings = given.unwrap_or(FEW);
    let mut command = Command::new(mlx::python());
    command.arg("-B").arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/spellings.py"));
    command.args(["--mlxfix", env!("CARGO_BIN_EXE_mlxfix"), "--seed", &seed]);
    command.args(["--spellings", &spellings.to_string(), "--near-misses", &(spellings / 2).to_string()]);
    if given.is_none() {
        command.args(["--recall", RECALL_OF_FEW]);
    }
    println!("seed {seed}, {spellings} spellings of each rule");
    let output = command.output().expect("the Python interpreter starts");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "seed {seed}\n{text}\n{}", String::from_utf8_lossy(&output.stderr));
    println!("{text}");
}
