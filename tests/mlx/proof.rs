//! `mlxfix prove`: the rules that ship hold, rules made wrong on purpose are refused with a counterexample, and the process that runs them is fenced in.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::python;
use crate::cli::{Ran, put};
use crate::user_rules::RULE;
use crate::walk::{read, root};

/// Run `prove` in `dir`.
fn prove(dir: &Path, args: &[&str]) -> Ran {
    run(command(dir, args))
}

fn command(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mlxfix"));
    command.arg("prove").args(args).env("MLXFIX_PYTHON", python()).current_dir(dir);
    command
}

fn run(mut command: Command) -> Ran {
    let output = command.output().expect("starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    Ran { code: output.status.code().expect("an exit code"), out: text(output.stdout), err: text(output.stderr) }
}

#[test]
fn every_rule_holds_under_mlx() {
    let ran = prove(root(), &["--isolated"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    let path = root().join("snapshots/proof/table.txt");
    if std::env::var_os("INSTA_UPDATE").is_some_and(|how| how == "always") {
        fs::write(&path, &ran.out).expect("snapshots can be written");
        return;
    }
    // The errors in the last place are those of the machine; the table shows one.
    let (now, kept) = (without_errors(&ran.out), without_errors(&read(&path)));
    assert!(now == kept, "INSTA_UPDATE=always cargo test proof:: writes {} anew; now it is\n{}", path.display(), ran.out);
}

/// The lines of a table without the columns of errors, of equal bits, and of refused inputs that give something else: what is read beyond an array varies.
fn without_errors(table: &str) -> Vec<String> {
    let head = table.lines().next().unwrap_or_default();
    let cut = |name: &str| head.find(name).unwrap_or(usize::MAX);
    let [bits, refused, differ, contexts, errors] = ["same bits", "refused", "differ", "compile", "mean ulp"].map(cut);
    let kept = |line: &str| {
        if line.starts_with("note: ") {
            return line.to_owned();
        }
        let part = |from: usize, to: usize| line.get(from.min(line.len())..to.min(line.len())).unwrap_or_default().trim_end().to_owned();
        format!("{}  {}  {}", part(0, bits), part(refused, differ), part(contexts, errors))
    };
    table.lines().map(kept).collect()
}

/// What is wrong in a rule that ships with one of its words changed.
#[test]
fn a_rule_that_ships_made_wrong_is_refused() {
    let wrong = [
        ("rms_norm.py", "mx.fast.rms_norm(x, w, eps)", "mx.fast.rms_norm(x, w, 1e-3)"),
        ("precise_softmax.py", "axis=axis, precise=True)", "axis=axis)"),
        ("addmm.py", "mx.addmm(c, a, b)", "mx.addmm(c, a, b, alpha=0.5)"),
        ("take_along_axis.py", "counts(n, x, i, 0) and has_axes(x, i, 2) and i.ndim == 1", "counts(n, x, i, 0) and has_axes(x, i, 2)"),
    ];
    let dir = TempDir::new().expect("a directory");
    for (file, right, replacement) in wrong {
        let text = read(&root().join("transforms").join(file));
        assert!(text.contains(right), "{file} does not hold {right:?}");
        put(dir.path(), "changed.py", text.replace(right, replacement).as_bytes());
        let ran = prove(dir.path(), &["--rule", "changed.py", "changed"]);
        assert!(ran.code == 1 && ran.out.contains("\nWRONG changed before"), "{file} with {replacement:?}: {}\n{}", ran.err, ran.out);
    }
}

/// Rules that look right: the pattern, what it becomes, and what the counterexample shows.
const WRONG: &[(&str, &str, &str, &str)] = &[
    ("repeat_for_tile", "a: mx.array", "mx.tile(a, 2)", "values differ|not the same bits"),
    ("eps_outside", "a: mx.array, eps: float", "a / (mx.sqrt(mx.mean(mx.square(a), axis=-1, keepdims=True)) + eps)", "error"),
    ("addmm_broadcast", "a: mx.array, b: mx.array, c: mx.array", "a @ b + c", "raises ValueError"),
    ("softmax_axis", "a: mx.array", "mx.softmax(a, axis=0)", "not the same bits"),
    ("dropped_cast", "a: mx.array", "mx.softmax(a.astype(mx.float32), axis=-1).astype(a.dtype)", "dtype float16 became float32"),
];
const AFTER: &[&str] = &[
    "mx.repeat(a, 2, axis=-1)",
    "mx.fast.rms_norm(a, None, eps)",
    "mx.addmm(c, a, b)",
    "mx.softmax(a, axis=-1)",
    "mx.softmax(a.astype(mx.float32), axis=-1)",
];

#[test]
fn a_rule_that_looks_right_is_refused_with_a_counterexample() {
    let dir = TempDir::new().expect("a directory");
    let mut args: Vec<String> = Vec::new();
    for ((name, parameters, before, _), after) in WRONG.iter().zip(AFTER) {
        let class = if matches!(*name, "eps_outside" | "addmm_broadcast") { "rounding" } else { "exact" };
        let names: Vec<&str> = parameters.split(", ").filter_map(|p| p.split(':').next()).collect();
        let text = format!(
            "\"\"\"Looks right.\"\"\"\n\nimport mlx.core as mx\n\nnumerics = {{\"before\": \"{class}\"}}\n\n\n\
             def before({parameters}):\n    return {before}\n\n\ndef after({}):\n    return {after}\n",
            names.join(", ")
        );
        put(dir.path(), &format!("{name}.py"), text.as_bytes());
        args.extend(["--rule".to_owned(), format!("{name}.py"), name.replace('_', "-")]);
    }
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let ran = prove(dir.path(), &args);
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    for (name, _, before, told) in WRONG {
        let mark = format!("\nWRONG {} before, inputs ", name.replace('_', "-"));
        let shown: Vec<&str> = ran.out.split(&mark).skip(1).collect();
        assert!(!shown.is_empty(), "{name} was taken for right\n{}", ran.out);
        let is_told = |text: &&str| told.split('|').any(|t| text.lines().next().is_some_and(|line| line.contains(t)));
        let whole =
            |text: &&str| text.contains(&format!("    return {before}\n")) && text.contains("\n    a = float") && text.contains("\n    after gives ");
        assert!(shown.iter().any(is_told), "{name}: nothing says {told}\n{}", ran.out);
        assert!(shown.iter().any(whole), "{name}: no counterexample\n{}", ran.out);
    }
    let json = prove(dir.path(), &[&args[..], &["--output-format", "json"]].concat());
    let proofs: serde_json::Value = serde_json::from_str(&json.out).expect("JSON");
    assert_eq!((json.code, proofs.as_array().map(Vec::len)), (1, Some(WRONG.len())));
    assert!(proofs[0]["variants"][0]["failures"][0]["arguments"]["a"].as_str().is_some_and(|a| a.starts_with("float")), "{}", json.out);
}

#[test]
fn a_guard_that_refuses_without_need_is_told() {
    let dir = TempDir::new().expect("a directory");
    let text = "\"\"\"Do it.\"\"\"\n\nimport mlx.core as mx\n\nnumerics = {\"before\": \"exact\"}\n\n\ndef before(a: mx.array):\n    return mx.concatenate([a, a], axis=0)\n\n\n\
                def after(a):\n    return mx.tile(a, [2] + [1] * (a.ndim - 1))\n\n\ndef guard(a):\n    return a.ndim <= 3\n";
    put(dir.path(), "strict.py", text.as_bytes());
    let ran = prove(dir.path(), &["--rule", "strict.py", "strict"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("note: strict before: `a.ndim <= 3` alone refused "), "{}", ran.out);
    assert!(ran.out.contains("on none of which the result differs: it refuses too much"), "{}", ran.out);

    let explained = text.replace("numerics =", "cautions = {\"a.ndim<=3\": \"it was never tried\"}\nnumerics =");
    put(dir.path(), "strict.py", explained.as_bytes());
    let ran = prove(dir.path(), &["--rule", "strict.py", "strict"]);
    assert!(ran.out.contains("on none of which the result differs: it was never tried\n"), "{}", ran.out);
    put(dir.path(), "strict.py", explained.replace("a.ndim<=3", "a.ndim<=2").as_bytes());
    let ran = prove(dir.path(), &["--rule", "strict.py", "strict"]);
    assert!(ran.code == 2 && ran.err.contains("`cautions` speaks of `a.ndim <= 2`, which is no condition of a guard"), "{}", ran.err);
}

#[test]
fn what_cannot_be_proved_exits_with_2() {
    let dir = TempDir::new().expect("a directory");
    let rule = |inputs: &str| format!("{}{inputs}", RULE.split("def inputs").next().unwrap_or_default());
    // So much is never touched, and taken for granted where nothing limits it.
    let greedy = "def inputs(dtype):\n    yield {\"a\": bytearray(40 << 30)}\n";
    put(dir.path(), "greedy.py", rule(greedy).as_bytes());
    if cfg!(target_os = "linux") {
        let ran = prove(dir.path(), &["--rule", "greedy.py", "greedy"]);
        assert!(ran.code == 2 && ran.err.contains("greedy was not proved: MemoryError"), "{}{}", ran.out, ran.err);
    }
    put(dir.path(), "endless.py", rule("def inputs(dtype):\n    while True:\n        pass\n").as_bytes());
    put(dir.path(), "broken.py", rule("def inputs(dtype):\n    raise KeyError('no')\n").as_bytes());
    put(dir.path(), "lacking.py", rule("def inputs(dtype):\n    yield {'a': mx.ones((2,), dtype)}\n").as_bytes());
    put(dir.path(), "empty.py", rule("def inputs(dtype):\n    return []\n").as_bytes());
    for (name, told) in [
        ("endless", "endless was not proved: took more than 5 s"),
        ("broken", "broken was not proved: KeyError: 'no'"),
        ("lacking", "`inputs` gives no `b`"),
    ] {
        let ran = prove(dir.path(), &["--timeout", "5", "--rule", &format!("{name}.py"), name]);
        assert!(ran.code == 2 && ran.err.contains(told), "{name}: {}{}", ran.out, ran.err);
    }
    let empty = prove(dir.path(), &["--rule", "empty.py", "empty"]);
    assert!(empty.code == 1 && empty.out.contains("nothing ran"), "what nothing was run of does not hold: {}{}", empty.out, empty.err);
    assert!(prove(dir.path(), &["--python", "no-such-python", "addmm"]).err.contains("cannot start no-such-python"));
    assert_eq!(prove(dir.path(), &["no-such-rule"]).code, 2);
}

#[test]
fn nothing_of_the_current_directory_is_imported() {
    let dir = TempDir::new().expect("a directory");
    let mark = dir.path().join("imported");
    for name in ["json.py", "oracle.py", "prelude.py", "mlx/__init__.py", "numpy.py"] {
        put(dir.path(), name, format!("open({:?}, 'w').close()\nraise SystemExit('imported')\n", mark.display().to_string()).as_bytes());
    }
    // An empty entry of the path means the current directory.
    for path in [None, Some(":"), Some(".")] {
        let mut command = command(dir.path(), &["concat-repeat"]);
        path.map(|path| command.env("PYTHONPATH", path));
        let ran = run(command);
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
        assert!(!mark.exists(), "{path:?}");
    }
}

#[test]
fn the_oracle_is_exact_to_float64() {
    let output = Command::new(python()).arg("-B").arg(root().join("tests/python/double_exact.py")).output().expect("the Python interpreter starts");
    assert!(output.status.success(), "{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_rule_that_the_readme_shows_holds() {
    let (dir, readme) = (TempDir::new().expect("a directory"), read(&root().join("README.md")));
    let rule = readme.split("```python\n").nth(1).and_then(|rest| rest.split("```").next()).expect("README.md shows a rule");
    put(dir.path(), "log_add_exp.py", rule.as_bytes());
    let ran = prove(dir.path(), &["log-add-exp", "--rule", "log_add_exp.py"]);
    assert!(ran.code == 0 && ran.err.starts_with("1 rule, which holds: "), "{}{}", ran.out, ran.err);
    // More precise is no licence: what is finite and wrong is refused on the numbers that do not overflow.
    put(dir.path(), "log_add_exp.py", rule.replace("mx.logaddexp(a, b)", "mx.maximum(a, b)").as_bytes());
    let ran = prove(dir.path(), &["log-add-exp", "--rule", "log_add_exp.py"]);
    assert!(ran.code == 1 && ran.out.contains("WRONG log-add-exp before, inputs all without "), "{}{}", ran.out, ran.err);
}

#[test]
fn what_is_no_rule_is_not_proved() {
    for id in ["sync-in-loop", "load-file-handle", "deprecated-api"] {
        let ran = prove(root(), &["--isolated", id]);
        assert!(
            ran.code == 2 && ran.out.is_empty() && ran.err.starts_with(&format!("error: {id} is specified by an example")),
            "{}{}",
            ran.out,
            ran.err
        );
    }
}
