//! Rules that users bring along: what they find, where they show, and that a file which is no rule is told at its line.

use std::fs;
use std::sync::Arc;

use mlxfix::Options;
use mlxfix::catalog::UserRule;
use mlxfix::finding::Applicability;
use tempfile::TempDir;

use super::cli::{Ran, mlxfix, put};

/// A rule of a user's own, whose file is called `log_add_exp.py`.
pub(super) const RULE: &str = r#""""Use `mx.logaddexp` for the logarithm of a sum of exponentials that is written out.

One kernel instead of four, and no overflow.
"""

import mlx.core as mx
from prelude import any_of, is_floating

numerics = {"before": "more precise"}


def before(a: mx.array, b: mx.array):
    return any_of(mx.log(mx.exp(a) + mx.exp(b)), mx.logsumexp(mx.stack([a, b]), axis=0))


def after(a, b):
    return mx.logaddexp(a, b)


def guard(a, b):
    return is_floating(a.dtype) and is_floating(b.dtype)


def inputs(dtype):
    for n in range(2):
        yield {"a": mx.ones((n,), dtype), "b": mx.zeros((n,), dtype)}
"#;

const PROGRAM: &str = r#"import mlx.core as mx


def direct(x: mx.array, y: mx.array):
    return mx.log(mx.exp(x) + mx.exp(y))


def by_steps(x: mx.array, y):
    e = mx.exp(x)
    return mx.log(mx.exp(y) + e)


def of_numbers(n: int):
    x = mx.arange(n)
    return mx.log(mx.exp(x) + mx.exp(x))
"#;

/// A folder with the program and the rule.
fn folder(rule: &str) -> TempDir {
    let dir = TempDir::new().expect("a directory");
    put(dir.path(), "program.py", PROGRAM.as_bytes());
    put(dir.path(), "log_add_exp.py", rule.as_bytes());
    dir
}

fn run(dir: &TempDir, args: &[&str]) -> Ran {
    mlxfix(dir.path(), &[args, &["--rule", "log_add_exp.py"]].concat())
}

#[test]
fn a_rule_of_ones_own_works_like_those_of_the_catalog() {
    let dir = folder(RULE);
    let shown = run(&dir, &["program.py"]);
    assert_eq!(shown.code, 1, "{}", shown.err);
    assert!(shown.out.contains("# program.py:5: log-add-exp [safe]: Use `mx.logaddexp`"), "{}", shown.out);
    assert!(shown.out.contains("# program.py:9: log-add-exp [unsafe]") && shown.out.contains("assumes that `y` is an `mx.array`"), "{}", shown.out);
    assert!(shown.out.contains("@@ mlxfix: log-add-exp [safe]\n") && shown.err.contains("log-add-exp  1 safe, 1 unsafe"), "{}", shown.out);

    let records = run(&dir, &["--output-format", "json-lines", "--select", "log-add-exp", "program.py"]).out;
    assert_eq!(records.matches(r#""rule":"log-add-exp""#).count(), 2, "{records}");
    assert_eq!(run(&dir, &["--ignore", "log-add-exp,compile-elementwise", "program.py"]).out, "");
    assert_eq!(run(&dir, &["--select", "addmm", "program.py"]).out, "");
    assert_eq!(mlxfix(dir.path(), &["--select", "log-add-exp", "program.py"]).code, 2, "without --rule there is no such transform");

    let why = run(&dir, &["why", "program.py"]).out;
    assert!(why.contains("log-add-exp: would apply, but `x` does not hold floating point numbers"), "{why}");
    let listed = run(&dir, &["list"]).out;
    let last = listed.lines().last().unwrap_or_default();
    assert!(last.starts_with("log-add-exp  ") && last.ends_with("that is written out."), "{listed}");
    assert!(run(&dir, &["explain", "log-add-exp"]).out.contains("One kernel instead of four"));
    assert!(run(&dir, &["explain", "log-add-ex"]).err.contains(r#"did you mean "log-add-exp"?"#));

    let written = run(&dir, &["--write", "--unsafe", "program.py"]);
    assert_eq!((written.code, &*written.out), (0, ""), "{}", written.err);
    let text = fs::read_to_string(dir.path().join("program.py")).expect("read");
    assert!(text.contains("    return mx.logaddexp(x, y)\n") && text.contains("    return mx.logaddexp(y, x)\n"), "{text}");
}

/// A rule that makes `after` of `before`, with nothing else to say.
fn turning(before: &str, after: &str) -> String {
    let function = |name: &str, result: &str| format!("def {name}(x: mx.array):\n    return {result}\n\n\n");
    let inputs = "def inputs(dtype):\n    yield {\"x\": mx.ones((2,), dtype)}\n";
    let head = "\"\"\"Turn one thing into another.\n\nFor no gain.\n\"\"\"\n\nimport mlx.core as mx\n\nnumerics = {\"before\": \"rounding\"}\n\n\n";
    format!("{head}{}{}{inputs}", function("before", before), function("after", after).replace("x: mx.array", "x"))
}

#[test]
fn a_file_for_which_a_promise_breaks_is_left_alone_and_told() {
    let dir = TempDir::new().expect("a directory");
    let turns = "# coding: ascii\nimport mlx.core as mx\n\n\ndef f(x: mx.array):\n    return mx.sin(x)\n";
    let fine = turns.replace("mx.sin", "mx.exp");
    put(dir.path(), "turns.py", turns.as_bytes());
    put(dir.path(), "fine.py", fine.as_bytes());
    put(dir.path(), "there.py", turning("mx.sin(x)", "mx.cos(x)").as_bytes());
    put(dir.path(), "back.py", turning("mx.cos(x)", "mx.sin(x)").as_bytes());
    put(dir.path(), "accent.py", turning("mx.sin(x)", "mx.einsum(\"é->é\", x)").as_bytes());
    put(dir.path(), "plain.py", turning("mx.exp(x)", "mx.square(x)").as_bytes());
    let rule = |file: &str, text: String| Arc::new(UserRule::read(file.into(), text).expect("a rule"));
    let rules = vec![rule("grows.py", turning("mx.sin(x)", "mx.sin(mx.cos(x))"))];
    let fixed = mlxfix::fix(turns, &Options { rules, admit: Applicability::Unsafe, ..Options::default() }).expect("Python");
    assert!(fixed.broken.is_some() && fixed.text == turns && fixed.edits.is_empty(), "{fixed:?}");
    for (rules, reason) in [(&["there.py", "back.py"][..], "the text did not settle after"), (&["accent.py"], "the file is ASCII, which cannot hold")]
    {
        put(dir.path(), "fine.py", fine.as_bytes());
        let rules: Vec<&str> = rules.iter().chain(&["plain.py"]).flat_map(|rule| ["--rule", rule]).collect();
        let ran = mlxfix(dir.path(), &[&["--write", "--unsafe", "turns.py", "fine.py"], &rules[..]].concat());
        assert_eq!(ran.code, 2, "{}", ran.err);
        assert!(ran.err.contains("turns.py") && ran.err.contains("self-check-failed") && ran.err.contains(reason), "{}", ran.err);
        assert_eq!(fs::read_to_string(dir.path().join("turns.py")).expect("read"), turns);
        assert!(fs::read_to_string(dir.path().join("fine.py")).expect("read").contains("mx.square"), "the other file is written: {}", ran.err);
    }
}

#[test]
fn what_a_rule_makes_is_work_for_those_that_ran_before() {
    let text = "import mlx.core as mx\n\n\ndef f(x: mx.array):\n    return mx.sin(x)\n";
    let rule = turning("mx.sin(x)", "mx.softmax(x.astype(mx.float32), axis=-1).astype(x.dtype)");
    let rules = vec![Arc::new(UserRule::read("softer.py".into(), rule).expect("a rule"))];
    let options = Options { rules, admit: Applicability::Unsafe, ..Options::default() };
    let fixed = mlxfix::fix(text, &options).expect("Python");
    assert!(fixed.text.contains("mx.softmax(x, axis=-1, precise=True)"), "{}", fixed.text);
    assert!(mlxfix::fix(&fixed.text, &options).expect("Python").edits.is_empty(), "a second run finds nothing");
}

#[test]
fn a_rule_is_read_and_never_executed() {
    let marked = format!("{RULE}    open('executed', 'w').close()\n")
        .replace("def inputs", "def before_none(a: mx.array):\n    return mx.exp(mx.log(a))\n\n\ndef inputs");
    let marked = marked
        .replace(r#"{"before""#, r#"{"before_none": "rounding", "before""#)
        .replace("def after(", "def after_none(a):\n    return a\n\n\ndef after(");
    let marked = marked.replace("def guard(", "def guard_none(a):\n    return open('executed', 'w') is None\n\n\ndef guard(");
    let dir = folder(&marked);
    let checked = run(&dir, &["--unsafe", "program.py"]);
    assert!(checked.err.contains("`open` is not known here"), "{}", checked.err);
    assert!(!dir.path().join("executed").exists());
    // What no pattern reads may be any Python, and stays text.
    let dir = folder(&format!("{RULE}    open('executed', 'w').close()\n"));
    for args in [&["program.py"][..], &["--write", "program.py"], &["list"], &["explain", "log-add-exp"], &["why", "program.py:5"]] {
        let ran = run(&dir, args);
        assert!(ran.code < 2 && !dir.path().join("executed").exists(), "{args:?}: {}{}", ran.out, ran.err);
    }
}

#[test]
fn what_a_rule_writes_twice_is_not_computed_twice() {
    let dir = folder(
        &RULE
            .replace("mx.logaddexp(a, b)", "mx.log(mx.exp(a) + mx.exp(b)) + 0 * (a - a)")
            .replace("mx.exp(a) + mx.exp(b)), mx", "mx.exp(a)) * b, mx"),
    );
    put(dir.path(), "program.py", b"import mlx.core as mx\n\n\ndef f(x: mx.array, y: mx.array):\n    return mx.log(mx.exp(x @ y)) * y\n");
    let ran = run(&dir, &["program.py"]);
    assert!(ran.code == 0 && ran.out.is_empty(), "{}{}", ran.out, ran.err);
    let why = run(&dir, &["why", "program.py"]).out;
    assert!(why.contains("`x @ y` would be computed more than once"), "{why}");
}

/// What is changed in the rule above, what into, and what is said of it after the file's name.
const MISTAKES: &[(&str, &str, &str)] = &[
    ("+ mx.exp(b)), ", "+ )", "13:38: Expected an expression"),
    ("\"\"\"Use", "x = \"\"\"Use", "1:1: a rule file begins with a docstring"),
    ("def before(", "def before_sum(", "9:13: `numerics` speaks of `before`, which is no pattern of this file"),
    ("def before(", "def beyond(", "9:13: `numerics` speaks of `before`, which is no pattern of this file"),
    ("def after(", "def aftermath(", "12:1: a rule needs a function `after`"),
    ("def after(", "def after_sum(", "16:5: `after_sum` belongs to no pattern: there is no `before_sum`"),
    ("def guard(", "def guard_sum(", "20:5: `guard_sum` belongs to no pattern: there is no `before_sum`"),
    ("def inputs(", "def after(", "24:5: `after` is defined twice"),
    ("def after(a, b)", "def after(a, b, c)", "16:17: `c` is bound by no parameter of `before`"),
    ("def after(a, b)", "def after(a, b=[])", "16:14: the default of `b` must be a number, a truth value or None"),
    ("mx.stack([a, b])", "mx.stack([a, a])", "16:14: `b` is not bound by every alternative of `before`, so it needs a default here"),
    ("mx.logaddexp(a, b)", "mx.logaddexp(a, c)", "17:28: `c` is not known where `after` is written: it may use `mx` and its parameters"),
    ("mx.logaddexp(a, b)", "any_of(a, b)", "17:12: `any_of` is not known where `after` is written"),
    ("    return mx.logaddexp(a, b)", "    c = a\n    return mx.logaddexp(c, b)", "16:1: `after` must be one `return` of an expression"),
    ("is_floating(b.dtype)", "is_floating(c.dtype)", "21:49: `c` is not known here: it is no parameter, no import and no function of this file"),
    ("is_floating(b.dtype)", "is_small(b)", "21:37: `is_small` is not known here"),
    ("is_floating(b.dtype)", "is_floating(b.dtype, a)", "21:37: `is_floating` takes 1 argument"),
    ("is_floating(a.dtype) and", "a.dtype if b else", "21:12: a guard is made of `and`, `or`, comparisons and the functions of the prelude"),
    ("is_floating(a.dtype) and", "guard(b, a) and", "21:18: `guard` takes `a` here, under that name, or None"),
    ("is_floating(a.dtype) and", "guard(a) and", "21:12: `guard` also asks about `b`"),
    ("is_floating(a.dtype) and", "guard(a, b, b) and", "21:24: `guard` has no parameter for this"),
    ("def guard(a, b)", "def guard(a, b, x)", "20:17: `x` is bound by no parameter of `before`"),
    ("any_of, is_floating", "any_of, is_float", "7:29: the prelude has no `is_float`"),
    ("import mlx.core as mx", "import mlx.core as mlx", "6:8: a rule imports `mlx.core` as `mx`"),
    ("\"more precise\"", "\"better\"", "9:23: a numerics class is one of: exact, rounding, more precise, less precise"),
    ("numerics = {\"before\"", "numerics = {\"after\"", "9:13: `numerics` speaks of `after`"),
    ("numerics = {\"before\": \"more precise\"}", "numerics = {}", "12:5: `numerics` does not say what `before` does to the numbers"),
    (
        "numerics = ",
        "numeric = ",
        "9:1: a rule file assigns `group`, `guide`, `gain`, `gain_of`, `slower`, `needs`, `applicability`, `narrows`, `pays_in`, `cautions`, `numerics`, and nothing else",
    ),
    ("numerics = ", "gain = 2\nnumerics = ", "9:8: `gain` must be a string"),
    ("numerics = ", "cautions = {\"a\": 2}\nnumerics = ", "9:12: `cautions` must be a dict of strings"),
    ("numerics = ", "gain_of = \"much\"\nnumerics = ", "9:11: `gain_of` must be a dict of strings"),
    ("numerics = ", "pays_in = \"bfloat16\"\nnumerics = ", "9:11: `pays_in` must be \"half precision\""),
    ("def before(", "class Helper:\n    pass\n\n\ndef before(", "12:1: a rule file holds imports, functions and"),
    ("def before(", "@staticmethod\ndef before(", "12:1: `before` must be a plain function"),
    ("def before(a: mx.array, b: mx.array)", "def before(*a)", "12:12: `before` must name its parameters"),
    ("    return any_of", "    mx.eval(a)\n    return any_of", "13:5: a pattern is made of assignments, `if` and `return`"),
    ("    return any_of", "    for x in a:\n        b = x\n    return any_of", "13:5: a pattern is made of assignments, `if` and `return`"),
    ("    return any_of", "    c = mx.eval(a)\n    return any_of", "12:1: `before` must compute a value and do nothing else"),
    ("any_of(mx.log(", "any_of(a, mx.log(", "12:1: `before` would match every value"),
    ("any_of(mx.log(", "any_of(1, mx.log(", "12:1: `before` would match a constant"),
    ("any_of(mx.log(", "any_of(mx.logaddexp(a, b), mx.log(", "12:1: what this finds is what it makes of it: the rule would never end"),
    ("[a, b]), axis=0", "[a, c]), axis=0", "13:76: `c` is not known here"),
];

#[test]
fn a_mistake_is_told_at_its_place() {
    let mut complaints = Vec::new();
    for (right, wrong, told) in MISTAKES {
        assert!(RULE.contains(right), "{right}");
        let dir = folder(&RULE.replacen(right, wrong, 1));
        let run = run(&dir, &["program.py"]);
        if run.code != 2 || !run.out.is_empty() || !run.err.starts_with(&format!("error: log_add_exp.py:{told}")) {
            complaints.push(format!("{wrong:?}: {} instead of {told}", run.err.trim()));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn the_name_of_a_rule_is_its_own() {
    let dir = folder(RULE);
    for (name, told) in [
        ("addmm.py", "\"addmm\" is taken"),
        ("all.py", "\"all\" is taken"),
        ("Log.py", "no lower-case word"),
        ("sub/log_add_exp.py", "is called \"log-add-exp\" already"),
    ] {
        put(dir.path(), name, RULE.as_bytes());
        let ran = mlxfix(dir.path(), &["list", "--rule", "log_add_exp.py", "--rule", name]);
        assert!(ran.code == 2 && ran.err.starts_with(&format!("error: {name}:1:1: ")) && ran.err.contains(told), "{}", ran.err);
    }
    let ran = mlxfix(dir.path(), &["list", "--rule", "missing.py"]);
    assert!(ran.code == 2 && ran.err.starts_with("error: missing.py: cannot read this rule"), "{}", ran.err);
}
