//! The rules against spellings that nobody wrote down: `tests/python/spellings.py` draws them, rewrites them with this build, and runs them before and after
//! under MLX. Every run draws the same ones, so that a change is judged by what it changed; `MLXFIX_SEED` draws others, `MLXFIX_SPELLINGS` fewer or more.

use std::io::Write;
use std::path::Path;
use std::process::Command;

use super::mlx;

/// How many spellings of each rule are drawn, and half as many near misses.
const SPELLINGS: u32 = 200;
/// What they are drawn from, unless another seed is given.
const SEED: &str = "1";

#[test]
fn drawn_spellings_answer_the_same_after_the_rewrite() {
    let seed = std::env::var("MLXFIX_SEED").unwrap_or_else(|_| SEED.to_owned());
    let given = std::env::var("MLXFIX_SPELLINGS").ok().and_then(|number| number.parse::<u32>().ok());
    let spellings = given.unwrap_or(SPELLINGS);
    let mut command = Command::new(mlx::python());
    command.arg("-B").arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/spellings.py"));
    command.args(["--mlxfix", env!("CARGO_BIN_EXE_mlxfix"), "--seed", &seed, "--fast"]);
    command.args(["--spellings", &spellings.to_string(), "--near-misses", &(spellings / 2).to_string()]);
    let output = command.output().expect("the Python interpreter starts");
    let text = String::from_utf8_lossy(&output.stdout);
    // Written past the test's own capture, so that it can be read when all went well, too.
    let summary: String = text.lines().filter(|line| !line.starts_with(['F', ' '])).map(|line| format!("    {line}\n")).collect();
    let again = format!("MLXFIX_SEED={seed} MLXFIX_SPELLINGS={spellings} cargo test -- spellings::");
    let _ = write!(std::io::stderr(), "spellings, to be drawn again by {again}\n{summary}");
    assert!(output.status.success(), "{again}\n{text}\n{}", String::from_utf8_lossy(&output.stderr));
}
