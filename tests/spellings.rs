//! The rules against spellings that nobody wrote down: `tests/python/spellings.py` draws them, rewrites them with this build, and runs them before and after
//! under MLX. Each run draws others and says how to draw its own again; `MLXFIX_SEED` does so, `MLXFIX_SPELLINGS` draws fewer or more.

use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use super::mlx;

/// How many spellings of each rule are drawn, and half as many near misses.
const SPELLINGS: u32 = 200;

#[test]
fn drawn_spellings_answer_the_same_after_the_rewrite() {
    let fresh = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |passed| passed.as_millis() % 1_000_000).to_string();
    let seed = std::env::var("MLXFIX_SEED").unwrap_or_else(|_| fresh());
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
