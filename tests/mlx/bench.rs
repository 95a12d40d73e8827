//! `mlxfix bench`: figures of this machine are kept, quoted by findings and shown by `explain`, and not taken for those of something else.

use std::fs;
use std::path::Path;
use std::process::Command;

use mlxfix::catalog::{CATALOG, Kind};
use tempfile::TempDir;

use super::python;
use crate::cli::{Ran, put};
use crate::user_rules::RULE;
use crate::walk::{read, root};

const PROGRAM: &[u8] = b"import mlx.core as mx\n\n\ndef f(x: mx.array, y: mx.array):\n    for token in x.flatten():\n        print(token.item())\n    return mx.log(mx.exp(x) + mx.exp(y))\n";
const RULES: [&str; 2] = ["--rule", "log_add_exp.py"];

/// Run the program in `dir`, whose figures are in `figures.json` there.
fn mlxfix(dir: &Path, args: &[&str]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mlxfix"));
    command.args(args).env("MLXFIX_PYTHON", python()).env("MLXFIX_PROFILE", dir.join("figures.json")).current_dir(dir);
    let output = command.output().expect("starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    Ran { code: output.status.code().expect("an exit code"), out: text(output.stdout), err: text(output.stderr) }
}

fn folder() -> TempDir {
    let dir = TempDir::new().expect("a directory");
    put(dir.path(), "program.py", PROGRAM);
    put(dir.path(), "log_add_exp.py", RULE.as_bytes());
    dir
}

#[test]
fn every_transform_that_saves_something_names_its_sizes() {
    let sizes = read(&root().join("src/proof/workloads.py"));
    let saves = CATALOG.iter().filter(|e| !matches!(e.kind, Kind::Advice(_)) && !e.text.contains("gain = \"no time"));
    let lacking: Vec<&str> = saves.map(|e| e.id).filter(|id| !sizes.contains(&format!("\ndef {}(dtype):", id.replace('-', "_")))).collect();
    assert!(lacking.is_empty(), "{lacking:?}");
}

#[test]
fn figures_of_this_machine_are_kept_and_quoted() {
    let dir = folder();
    let run = |args: &[&str]| mlxfix(dir.path(), &[args, &RULES].concat());
    assert!(!run(&["program.py"]).out.contains("Measured here"));
    let ran = run(&["bench", "--seconds", "0", "tolist-iteration", "log-add-exp", "deprecated-api"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("tolist-iteration: Measured on ") && ran.out.contains("  1024 elements  "), "{}", ran.out);
    assert!(ran.out.contains("  before, input 2  bfloat16  "), "a rule without sizes is measured on its inputs: {}", ran.out);
    assert!(ran.err.contains("deprecated-api is not measured: it names no sizes") && ran.err.contains("figures.json"), "{}", ran.err);

    let shown = run(&["program.py"]);
    assert_eq!((shown.code, shown.out.matches("#   Measured here: ").count()), (1, 2), "{}", shown.out);
    assert!(shown.out.contains("Measured here: 1024 elements: ") && shown.out.contains(" times the speed (") && !shown.out.contains("Measured: "));
    assert!(!run(&["--isolated", "program.py"]).out.contains("Measured here"));
    assert!(run(&["explain", "tolist-iteration"]).out.contains("\nMeasured on "));

    let sized = format!("{RULE}\n\ndef workloads(dtype):\n    yield 'tiny', 'before', {{'a': mx.ones((3,), dtype), 'b': mx.ones((3,), dtype)}}\n");
    put(dir.path(), "log_add_exp.py", sized.as_bytes());
    let ran = run(&["bench", "--seconds", "0", "--output", "sized.json", "log-add-exp"]);
    assert!(ran.code == 0 && ran.out.contains("  tiny  float32 ") && !ran.out.contains("input"), "{}{}", ran.out, ran.err);
    put(dir.path(), "log_add_exp.py", RULE.as_bytes());

    // What is measured again takes the place of what was there; the rest stays.
    assert_eq!(run(&["bench", "--seconds", "0", "tolist-iteration"]).code, 0);
    assert_eq!(run(&["program.py"]).out.matches("Measured here").count(), 2);
    put(dir.path(), "log_add_exp.py", RULE.replace("One kernel", "A kernel").as_bytes());
    assert_eq!(run(&["program.py"]).out.matches("Measured here").count(), 1, "another rule was measured");
    assert!(run(&["explain", "log-add-exp"]).out.contains("`mlxfix bench log-add-exp` measures it again"));
}

#[test]
fn figures_go_where_they_are_sent_and_over_nothing_else() {
    let dir = folder();
    let ran = mlxfix(dir.path(), &["bench", "--seconds", "0", "--output", "deep/down.json", "--output-format", "json", "tolist-iteration"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    let figures: serde_json::Value = serde_json::from_str(&ran.out).expect("JSON");
    let cases = &figures["transforms"]["tolist-iteration"]["cases"];
    assert!(cases[0]["before"].as_f64() > cases[0]["after"].as_f64() && cases[0]["rounds"].as_u64() >= Some(5), "{}", ran.out);
    assert_eq!(fs::read_to_string(dir.path().join("deep/down.json")).expect("written"), ran.out);
    assert!(!dir.path().join("figures.json").exists());

    let refused = mlxfix(dir.path(), &["bench", "--seconds", "0", "--output", "program.py", "tolist-iteration"]);
    assert!(refused.code == 2 && refused.err.contains("program.py is no profile of mlxfix"), "{}", refused.err);
    assert_eq!(fs::read(dir.path().join("program.py")).expect("read"), PROGRAM);
}

#[test]
fn figures_that_cannot_be_read_are_told_and_stop_nothing() {
    let dir = folder();
    for (text, told) in
        [("[1]", "figures.json is no profile of mlxfix: "), ("{\"format\": 9, \"transforms\": {}}", "has format 9, and this mlxfix reads 1")]
    {
        put(dir.path(), "figures.json", text.as_bytes());
        let ran = mlxfix(dir.path(), &["program.py"]);
        assert!(ran.code == 1 && ran.err.matches("warning: ").count() == 1 && ran.err.contains(told), "{}", ran.err);
        assert!(ran.out.contains("tolist-iteration [safe]"), "{}", ran.out);
        assert_eq!(mlxfix(dir.path(), &["bench", "tolist-iteration"]).code, 2);
    }
}

#[test]
fn what_cannot_be_measured_exits_with_2() {
    let dir = folder();
    let ran = mlxfix(dir.path(), &["bench", "--python", "no-such-python", "tolist-iteration"]);
    assert!(ran.code == 2 && ran.err.contains("tolist-iteration was not measured: cannot start no-such-python"), "{}", ran.err);
    assert!(!dir.path().join("figures.json").exists());
    put(
        dir.path(),
        "log_add_exp.py",
        RULE.replace("yield {\"a\"", "yield {\"b\": None, \"a\"").replace("\"b\": mx.zeros", "\"c\": mx.zeros").as_bytes(),
    );
    let ran = mlxfix(dir.path(), &[&["bench", "log-add-exp"], &RULES[..]].concat());
    assert!(ran.code == 2 && ran.err.contains("log-add-exp was not measured: RuntimeError: before, input 2 in float32: "), "{}", ran.err);
}
