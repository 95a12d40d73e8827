//! What the engine promises of any text: bytes outside its edits stay, comments stay, a second run finds nothing, and neither line endings, nor the order
//! of definitions, nor the number of threads decide anything. Held against the examples, disfigured examples, and a published package.

use std::path::{Path, PathBuf};

use mlxfix::catalog::CATALOG;
use mlxfix::finding::TransformId;
use mlxfix::syntax::{Ranged, Source, TokenKind};
use mlxfix::{Fixed, Options};

use super::cli;
use super::mlx::mlx_lm;
use super::promises;
use super::walk::{all_definitions, files, fixed, read, root};

#[test]
fn nothing_selected_gives_the_same_bytes() {
    let nothing = Options { select: Some(Vec::new()), ..Options::default() };
    for (name, text) in texts().into_iter().flat_map(|(name, text)| disfigured(&text).map(|(how, text)| (format!("{name} {how}"), text))) {
        let fixed = mlxfix::fix(&text, &nothing).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!((fixed.text, fixed.edits.is_empty(), fixed.findings.len()), (text, true, 0), "{name}");
    }
}

#[test]
fn a_helper_that_the_new_text_calls_stays() {
    // Nothing calls the lambda, so that the values of the function do not show what it needs.
    let text = "import mlx.core as mx\nimport mlx.nn as nn\n\n\nclass M(nn.Module):\n    def _shifted(self, x):\n        return x + 1\n\n    \
         def __call__(self, x: mx.array, b: mx.array, k: mx.array, v):\n        \
         w = mx.where(lambda s: mx.softmax(self._shifted(b) @ mx.sqrt(k).transpose(0, 1, 3, 2) * s + k, axis=-1) @ v, x, 1)\n        x = x\n";
    let after = fixed(text, &["attention"]).text;
    assert!(after.contains("scaled_dot_product_attention(self._shifted(b)") && after.contains("def _shifted("), "{after}");
    assert_keeps_promises("a helper", text);
}

#[test]
fn the_examples_keep_every_promise() {
    for (name, text) in texts() {
        assert_keeps_promises(&name, &text);
    }
}

#[test]
fn a_published_package_keeps_every_promise() {
    let mut changed = 0;
    for path in files(&mlx_lm("0.0.6").join("mlx_lm"), "py") {
        let text = read(&path);
        changed += usize::from(assert_keeps_promises(&path.display().to_string(), &text).text != text);
    }
    assert!(changed >= 7, "{changed} files changed");
}

#[test]
fn a_comment_on_every_line_survives() {
    for (name, text) in texts() {
        let commented = commented(&text);
        assert_ne!(commented, text, "{name}");
        assert_keeps_promises(&name, &commented);
    }
}

#[test]
fn line_endings_and_form_feeds_do_not_change_what_is_found() {
    for (name, text) in texts() {
        let plain = fixed(&text, &[]).text;
        for (how, change) in [("with CRLF", crlf as fn(&str) -> String), ("with form feeds", form_feeds)] {
            assert_eq!(fixed(&change(&text), &[]).text, change(&plain), "{name} {how}");
        }
    }
}

#[test]
fn tabs_and_missing_ends_do_not_change_what_is_found() {
    for (name, text) in texts() {
        let plain = fixed(&text, &[]);
        for (how, text) in [("with tabs", tabs(&text)), ("without a final line feed", text.trim_end().to_owned())] {
            let fixed = assert_keeps_promises(&format!("{name} {how}"), &text);
            let ids = |fixed: &Fixed| fixed.findings.iter().map(|f| f.finding.transform.to_string()).collect::<Vec<_>>();
            assert_eq!(ids(&fixed), ids(&plain), "{name} {how}");
        }
    }
}

#[test]
fn the_order_of_definitions_decides_nothing() {
    for (name, text) in texts().into_iter().filter(|(name, _)| name.ends_with("match.py")) {
        let expected = sorted_definitions(&fixed(&text, &[]).text);
        for step in 1..4 {
            assert_eq!(sorted_definitions(&fixed(&rotated(&text, step), &[]).text), expected, "{name} rotated by {step}");
        }
    }
}

#[test]
fn neither_threads_nor_the_order_of_files_decide_anything() {
    let run = |args: &[&str]| {
        let ran = cli::mlxfix(root(), args);
        assert_eq!(ran.code, 1, "{}", ran.err);
        ran.out
    };
    let expected = run(&["--unsafe", "-j", "1", "examples/models", "examples/rms_norm"]);
    for threads in ["2", "3", "8"] {
        assert_eq!(run(&["--unsafe", "-j", threads, "examples/rms_norm", "examples/models"]), expected, "{threads} threads");
    }
}

#[test]
fn one_bad_edit_does_not_hold_up_the_others() {
    // The last function is proposed and then withdrawn, for NumPy's arrays have no place in MLX.
    let good: String = (0..150).map(|n| format!("def f{n}(a: mx.array, b: mx.array, c: mx.array):\n    return a @ b + c\n\n\n")).collect();
    let bad = "def g(a, b):\n    return np.asarray(a) @ np.asarray(b) + np.ones(4)\n";
    let fixed = fixed(&format!("import mlx.core as mx\nimport numpy as np\n\n\n{good}{bad}"), &[]);
    assert_eq!((fixed.findings.len(), fixed.text.matches("mx.addmm").count()), (150, 150));
    assert!(fixed.text.ends_with(bad));
}

#[test]
fn a_name_that_is_read_before_it_is_bound_stays_a_local() {
    let text = "import mlx.core as mx\n\n\ndef f(x: mx.array, q):\n    match q:\n        case [q, *_]:\n            \
                s = mx.sqrt(mx.expand_dims((t := q @ t + x), 0) + 1) and x or x\n        case _:\n            pass\n    return x\n";
    assert_eq!(fixed(text, &[]).text, text);
    let bound = text.replace("q @ t + x", "q @ x + x");
    assert_eq!(fixed(&bound, &[]).text, bound.replace("(t := q @ x + x)", "mx.addmm(x, q, x)"));
}

#[test]
fn findings_share_the_import_that_they_need() {
    let head = "\"\"\"Norms.\"\"\"\nfrom __future__ import annotations\n\nimport math\n\n";
    let named = "from mlx.core import array, mean, rsqrt\n\n\n";
    let norm = |name: &str, root: &str| format!("def {name}(x: array):\n    return {root}\n\n\n");
    let before = norm("f", "x * rsqrt(mean(x * x, axis=-1, keepdims=True) + 1e-5)") + &norm("g", "x * rsqrt(mean(x * x, axis=-1, keepdims=True))");
    let after = norm("f", "mx.fast.rms_norm(x, None, 1e-5)") + &norm("g", "mx.fast.rms_norm(x, None, 0)");
    let before = before.replace("True))", "True) + 0)");
    let fixed = assert_keeps_promises("bare names", &format!("{head}{named}{before}"));
    assert_eq!(fixed.text, format!("{head}import mlx.core as mx\n{named}{after}"));
    assert!(fixed.findings.iter().all(|f| f.finding.edits[0].content == "import mlx.core as mx\n"));
}

#[test]
fn an_import_that_only_type_checkers_see_is_none() {
    let norm = "x * rsqrt(mean(square(x), axis=-1, keepdims=True) + 1e-5)";
    let head =
        "from typing import TYPE_CHECKING\n\nfrom mlx.core import array, mean, rsqrt, square\n\nif TYPE_CHECKING:\n    import mlx.core as mx\n";
    let fixed = fixed(&format!("{head}\n\ndef f(x: array):\n    return {norm}\n"), &[]);
    assert!(!fixed.text.contains("return mx.fast"), "{}", fixed.text);
}

#[test]
fn an_import_takes_no_name_that_means_something_else() {
    let norm = "    return x * rsqrt(mean(x * x, axis=-1, keepdims=True) + 1e-5)\n";
    for (head, import) in [
        ("from mlx.core import mean, rsqrt\n\n\ndef f(x, mx=1):\n", Some("import mlx.core as mlx_core\n")),
        ("def f(x):\n    from mlx.core import mean, rsqrt\n\n", Some("import mlx.core as mx\n")),
        ("try:\n    from mlx.core import mean, rsqrt\nexcept ImportError:\n    raise\n\n\ndef f(x):\n", None),
        ("from mlx.core import mean, rsqrt\nfrom elsewhere import *\n\n\ndef f(x):\n", None),
        ("import os; from mlx.core import mean, rsqrt\n\n\ndef f(x):\n", None),
    ] {
        let text = format!("{head}{norm}");
        let result = fixed(&text, &[]).text;
        match import {
            Some(import) => assert!(result.contains(import) && result.contains(".fast.rms_norm(x, None, 1e-5)"), "{result}"),
            None => assert_eq!(result, text),
        }
    }
}

/// Fix `text` and hold the result against everything that is promised of it.
fn assert_keeps_promises(name: &str, text: &str) -> Fixed {
    promises::hold(name, text).unwrap_or_else(|| panic!("{name} is no Python:\n{text}"))
}

/// The examples, rules and specifications by name.
fn texts() -> Vec<(String, String)> {
    let paths: Vec<PathBuf> = ["examples", "transforms"].iter().flat_map(|folder| files(&root().join(folder), "py")).collect();
    let name = |path: &Path| path.strip_prefix(root()).expect("invariant: the walk stays below the repository").display().to_string();
    paths.iter().map(|path| (name(path), read(path))).collect()
}

/// A text in the forms in which files come.
fn disfigured(text: &str) -> [(&'static str, String); 6] {
    [
        ("as it is", text.to_owned()),
        ("with CRLF", crlf(text)),
        ("with CR", text.replace('\n', "\r")),
        ("with tabs", tabs(text)),
        ("with form feeds", form_feeds(text)),
        ("without a final line feed", text.trim_end().to_owned()),
    ]
}

fn crlf(text: &str) -> String {
    text.replace('\n', "\r\n")
}

/// Each definition at the top of the file begins a page.
fn form_feeds(text: &str) -> String {
    text.replace("\n\n\ndef ", "\n\n\x0c\ndef ").replace("\n\n\nclass ", "\n\n\x0c\nclass ")
}

/// Indentation by tabs.
fn tabs(text: &str) -> String {
    let line = |line: &str| {
        let code = line.trim_start_matches(' ');
        let width = line.len() - code.len();
        format!("{}{}{code}", "\t".repeat(width / 4), " ".repeat(width % 4))
    };
    text.split_inclusive('\n').map(line).collect()
}

/// A comment of its own at the end of every line of code that has none.
fn commented(text: &str) -> String {
    let source = Source::parse(text).unwrap_or_else(|error| panic!("{error}"));
    let (mut out, mut copied, mut last) = (String::new(), 0, None);
    for token in source.tokens().iter() {
        let ends_line = matches!(token.kind(), TokenKind::Newline | TokenKind::NonLogicalNewline);
        if ends_line && last.is_some_and(|kind| kind != TokenKind::Comment && kind != TokenKind::NonLogicalNewline && kind != TokenKind::Newline) {
            let at = token.start().to_usize();
            out.push_str(&text[copied..at]);
            out.push_str(&format!("  # comment {at}"));
            copied = at;
        }
        last = Some(token.kind());
    }
    out.push_str(&text[copied..]);
    out
}

/// The text with its definitions in another order: the first `step` of them at the end.
fn rotated(text: &str, step: usize) -> String {
    let source = Source::parse(text).unwrap_or_else(|error| panic!("{error}"));
    let all = all_definitions(&source);
    let head = all.first().map_or(text, |(_, range, _)| &text[..range.start().to_usize()]);
    let mut parts: Vec<&str> = all.iter().map(|&(.., text)| text).collect();
    let step = step % parts.len().max(1);
    parts.rotate_left(step);
    format!("{head}{}\n", parts.join("\n\n\n"))
}

fn sorted_definitions(text: &str) -> Vec<String> {
    let source = Source::parse(text).unwrap_or_else(|error| panic!("{error}"));
    let mut all: Vec<String> = all_definitions(&source).into_iter().map(|(.., text)| text.to_owned()).collect();
    all.sort();
    all
}

#[test]
fn expressions_that_share_parts_take_no_exponential_time() {
    // Each line doubles the number of ways to walk the expression: without sharing this would never end.
    let doubling = "    if c: x = x + x\n    x = x * x + x\n".repeat(60);
    let text = format!("import mlx.core as mx\n\n\ndef f(x, c):\n{doubling}    return x\n");
    let fixed = mlxfix::fix(&text, &mlxfix::Options::default()).expect("the text is Python");
    assert_eq!(fixed.text, text);
}

#[test]
fn what_is_told_of_a_place_is_what_can_be_done_there() {
    for entry in CATALOG {
        let text = read(&root().join(format!("examples/{}/match.py", entry.id.replace('-', "_"))));
        let select = Some(vec![TransformId::from(entry.id)]);
        let trusted = mlxfix::fix(&text, &Options { select, ..Options::default() }).unwrap_or_else(|error| panic!("{error}"));
        let applied = |fixed: &Fixed| fixed.findings.iter().filter(|f| f.applied).count();
        let waiting = trusted.findings.iter().filter(|f| !f.applied && !f.finding.edits.is_empty()).count();
        assert_eq!(applied(&trusted) + waiting, applied(&fixed(&text, &[entry.id])), "{}", entry.id);
    }
}

#[test]
fn a_name_that_a_function_may_assign_is_no_constant() {
    let norm = "import mlx.core as mx\n\nEPS = 1e-5\n\n\ndef norm(x: mx.array):\n    \
                return x * mx.rsqrt(mx.mean(x * x, axis=-1, keepdims=True) + EPS)\n";
    let assigned = format!("{norm}\n\ndef choose(eps):\n    global EPS\n    EPS = eps\n");
    let trusted = |text: &str| {
        let options = Options { select: Some(vec![TransformId::from("rms-norm")]), ..Options::default() };
        let fixed = mlxfix::fix(text, &options).unwrap_or_else(|error| panic!("{error}"));
        fixed.findings.iter().map(|f| (f.applied, f.finding.assumptions.first().cloned())).collect::<Vec<_>>()
    };
    assert_eq!(trusted(norm), [(true, None)]);
    assert_eq!(trusted(&assigned), [(false, Some("`EPS` is a Python number".to_owned()))]);
}

#[test]
fn functions_of_one_name_keep_every_promise_each_by_itself() {
    let norm = "def f(x: mx.array):\n    v = mx.mean(x * x, axis=-1, keepdims=True)\n    return x * mx.rsqrt(v + 1e-5)\n";
    // The other one reads a global of the name that the first needs no more.
    let fixed = assert_keeps_promises("two functions", &format!("import mlx.core as mx\n\n\n{norm}\n\ndef f(x: mx.array):\n    return x + v\n"));
    assert!(fixed.text.contains("mx.fast.rms_norm"), "{}", fixed.text);
}

#[test]
fn a_walrus_in_a_comprehension_binds_a_local_as_before() {
    let text = "import mlx.core as mx\n\n\ndef f(x: mx.array, seen):\n    v = mx.mean(x * x, axis=-1, keepdims=True)\n    \
                y = x * mx.rsqrt(v + 1e-5)\n    rows = [(v := row) for row in seen]\n    return y, rows, v\n";
    let fixed = assert_keeps_promises("a walrus in a comprehension", text);
    assert!(fixed.text.contains("y = mx.fast.rms_norm(x, None, 1e-5)\n    rows = [(v := row)"), "{}", fixed.text);
}

#[test]
fn what_a_call_may_bind_anew_or_change_is_not_what_it_was() {
    let norm = |name: &str, between: &str| {
        format!("    v = mx.mean({name} * {name}, axis=-1, keepdims=True)\n{between}    return {name} * mx.rsqrt(v + 1e-5)\n")
    };
    let header = "import mlx.core as mx\n\nX = mx.ones((3, 4))\nZ = mx.ones((3, 4))\n\n\ndef renew():\n    global X\n    X = X * 3 + mx.arange(4)\n\n\n\
                  def change():\n    Z[0] = 3\n\n\n";
    let inner = |body: &str| {
        let set = "    def renew():\n        nonlocal x\n        x = x * 2\n\n";
        let get: String = body.lines().map(|line| format!("    {line}\n")).collect();
        format!("def f(x: mx.array):\n{set}    def get():\n{get}\n    return get()\n")
    };
    for (wrong, right) in [
        (format!("def f():\n{}", norm("X", "    renew()\n")), format!("def f():\n{}", norm("X", ""))),
        (format!("def f():\n{}", norm("Z", "    change()\n")), format!("def f():\n{}", norm("Z", ""))),
        (format!("def f():\n    global X\n{}", norm("X", "    X = X * 2\n")), format!("def f():\n    global Z\n{}", norm("X", ""))),
        (inner(&norm("x", "    renew()\n")), inner(&norm("x", ""))),
    ] {
        let [wrong, right] = [wrong, right].map(|text| assert_keeps_promises("written by a call", &format!("{header}{text}")));
        assert!(wrong.edits.is_empty(), "{}", wrong.text);
        assert!(right.text.contains("mx.fast.rms_norm"), "{}", right.text);
    }
}
