//! `mlxfix verify` and `--write --verify`: sites that hold are verified, edits that differ are withdrawn and never written, and nothing of a file is run
//! but computations.

use std::fs;
use std::num::NonZero;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use mlxfix::catalog::{CATALOG, Kind};
use mlxfix::finding::TransformId;
use mlxfix::proof::{Interpreter, verify};
use mlxfix::replay::{Replay, Verdict, Verdicts};
use mlxfix::{Options, fix};
use serde_json::Value;
use tempfile::TempDir;

use super::python;
use crate::cli::{NORM, Ran, put};
use crate::walk::root;

/// Run mlxfix in `dir` with the Python that has MLX.
fn mlxfix(dir: &Path, args: &[&str]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mlxfix"));
    let output = command.args(args).env("MLXFIX_PYTHON", python()).current_dir(dir).output().expect("starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    Ran { code: output.status.code().expect("an exit code"), out: text(output.stdout), err: text(output.stderr) }
}

fn records(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// The outcomes of the edits, those of rules first.
fn outcomes(records: &[Value]) -> [Vec<(String, String)>; 2] {
    let is_rule = |r: &&Value| CATALOG.iter().any(|e| Some(e.id) == r["rule"].as_str() && matches!(e.kind, Kind::Rule));
    let is_edit = |r: &&Value| r["verification"].is_object();
    let place = |r: &Value| format!("{} {}:{}", r["rule"], r["file"].as_str().unwrap_or_default(), r["line"]);
    let told = |r: &Value| (r["verification"]["outcome"].as_str().unwrap_or("none").to_owned(), format!("{} {}", place(r), r["verification"]));
    [records.iter().filter(is_rule).map(told).collect(), records.iter().filter(|r| is_edit(r) && !is_rule(r)).map(told).collect()]
}

#[test]
fn nearly_all_edits_of_the_examples_are_verified_and_none_differs() {
    let ran = mlxfix(root(), &["verify", "--isolated", "--unsafe", "--output-format", "json-lines", "examples"]);
    for (outcomes, (at_least, share)) in outcomes(&records(&ran.out)).iter().zip([(140, 95), (80, 90)]) {
        let verified = outcomes.iter().filter(|o| o.0 == "verified").count();
        let others: Vec<&String> = outcomes.iter().filter(|o| o.0 != "verified").map(|o| &o.1).collect();
        assert!(outcomes.len() > at_least && verified * 100 >= outcomes.len() * share, "{verified} of {}: {others:#?}", outcomes.len());
        assert!(!outcomes.iter().any(|o| o.0 == "differs" || o.0 == "none"), "{others:#?}");
    }
    assert_eq!(ran.code, 1, "what could not be run is told: {}", ran.err);
}

#[test]
fn a_finding_says_what_was_run() {
    let dir = TempDir::new().expect("a directory");
    put(dir.path(), "norm.py", NORM.as_bytes());
    let ran = mlxfix(dir.path(), &["verify", "norm.py"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    let line = ran.out.lines().find(|line| line.contains(": rms-norm [safe]: verified on ")).expect("a line for the norm");
    assert!(line.contains(" -> ") && line.contains("bfloat16, float16, float32; shapes [") && line.contains("(MLX "), "{line}");
    let record = &records(&mlxfix(dir.path(), &["verify", "--output-format", "json-lines", "norm.py"]).out)[0];
    let seen = &record["verification"];
    assert!(seen["runs"].as_u64() > Some(10) && seen["largest_ulp"][1].is_number() && seen["mlx"].is_string(), "{record}");
    let shown = mlxfix(dir.path(), &["--verify", "norm.py"]);
    assert!(shown.out.contains("#   verified on ") && shown.out.contains("\n+"), "{}", shown.out);
    let text = fs::read(dir.path().join("norm.py")).expect("read");
    assert_eq!(text, NORM.as_bytes(), "nothing is written without --write");
    let written = mlxfix(dir.path(), &["--write", "--verify", "norm.py"]);
    assert_eq!(written.code, 0, "{}{}", written.out, written.err);
    assert!(fs::read_to_string(dir.path().join("norm.py")).expect("read").contains("mx.fast.rms_norm("));
}

/// A rule that is wrong: the mean is no sum.
const WRONG: &str = "\"\"\"Looks right.\"\"\"\n\nimport mlx.core as mx\n\nnumerics = {\"before\": \"rounding\"}\n\n\n\
    def before(a: mx.array):\n    return mx.exp(mx.sum(a, axis=-1))\n\n\ndef after(a):\n    return mx.exp(mx.mean(a, axis=-1))\n";
const BOTH: &str = "import mlx.core as mx\n\n\ndef wrong(x: mx.array):\n    total = mx.sum(x, axis=-1)\n    return mx.exp(total)\n\n\n\
    def right(x: mx.array):\n    return x * mx.rsqrt(mx.mean(x * x, axis=-1, keepdims=True) + 1e-5)\n";

#[test]
fn an_edit_that_differs_is_withdrawn_and_never_written() {
    let dir = TempDir::new().expect("a directory");
    put(dir.path(), "looks_right.py", WRONG.as_bytes());
    put(dir.path(), "both.py", BOTH.as_bytes());
    let rule = ["--rule", "looks_right.py", "--unsafe", "both.py"];
    let seen = mlxfix(dir.path(), &[&["verify"], &rule[..]].concat());
    assert_eq!(seen.code, 2, "{}{}", seen.out, seen.err);
    assert!(seen.out.contains("looks-right [safe]: withdrawn, for it was run and differs: largest error "), "{}", seen.out);
    assert!(seen.out.contains("\n    x = float") && seen.out.contains("\n    after gives float"), "a counterexample: {}", seen.out);
    assert!(seen.out.contains("rms-norm [safe]: verified on "), "{}", seen.out);
    let written = mlxfix(dir.path(), &[&["--write", "--verify"], &rule[..]].concat());
    assert_eq!(written.code, 2, "{}{}", written.out, written.err);
    let text = fs::read_to_string(dir.path().join("both.py")).expect("read");
    assert!(text.contains("mx.fast.rms_norm(x, None, 1e-5)") && text.contains("    return mx.exp(total)\n"), "{text}");
    assert!(written.out.contains("# ") && written.out.contains("not applied: only what was verified is"), "{}", written.out);
    // Without --verify the wrong rule is believed, as it says of itself.
    mlxfix(dir.path(), &[&["--write"], &rule[..]].concat());
    assert!(!fs::read_to_string(dir.path().join("both.py")).expect("read").contains("mx.exp(total)"));
}

/// Functions that passes change, one of each pass that keeps all values.
const PASSES: &str = "from pathlib import Path\n\nimport mlx.core as mx\nimport mlx.nn as nn\nimport mlx.optimizers as optim\n\n\n\
    def listed(scores: mx.array):\n    return [score.item() for score in scores.flatten()]\n\n\n\
    def loaded(folder: Path):\n    for shard in folder.glob(\"*.safetensors\"):\n        with open(shard, \"rb\") as f:\n            return mx.load(f)[\"ids\"]\n\n\n\
    def cast(path: str):\n    weights = mx.load(path)\n    mx.eval(weights)\n    weights = {k: v.astype(mx.float16) for k, v in weights.items()}\n    return weights\n\n\n\
    def shown(step, rows: mx.array):\n    for row in rows:\n        y = mx.sum(step(row))\n        mx.eval(y)\n        print(y.item())\n\n\n\
    def peak(step):\n    step()\n    print(f\"{mx.metal.get_peak_memory() / 1e9:.3f} GB\")\n\n\n\
    def train(model, loss_fn, batches):\n    optimizer = optim.SGD(learning_rate=0.1)\n    loss_and_grad = nn.value_and_grad(model, loss_fn)\n    for x in batches:\n        \
    loss, grads = loss_and_grad(model, x)\n        optimizer.update(model, grads)\n        mx.eval(model.parameters(), optimizer.state)\n    return loss\n";

#[test]
fn what_passes_change_is_run_as_whole_functions_and_written() {
    let dir = TempDir::new().expect("a directory");
    put(dir.path(), "passes.py", PASSES.as_bytes());
    let ran = mlxfix(dir.path(), &["verify", "passes.py"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert_eq!(ran.out.matches(" [safe]: verified on ").count(), 6, "{}", ran.out);
    assert!(ran.err.contains("6 verified, 0 withdrawn, 0 not verified"), "{}", ran.err);
    let written = mlxfix(dir.path(), &["--write", "--verify", "passes.py"]);
    assert_eq!(written.code, 0, "{}{}", written.out, written.err);
    let text = fs::read_to_string(dir.path().join("passes.py")).expect("read");
    for new in ["scores.flatten().tolist()", "mx.load(shard)", "        del grads\n", "mx.get_peak_memory()"] {
        assert!(text.contains(new), "{new}: {text}");
    }
}

#[test]
fn changed_statements_that_do_something_else_are_withdrawn() {
    let python = Interpreter { path: python(), time: Duration::from_secs(60) };
    // What each new text is made to do instead.
    let sabotage = [
        ("tolist-iteration", "flatten().tolist()", "flatten().tolist()[::-1]"),
        ("tolist-iteration", "return scores.flatten().tolist()", "return [float(score) for score in scores.flatten().tolist()]"),
        ("load-file-handle", "mx.load(shard)", "mx.load(folder)"),
        ("astype-before-eval", "v.astype(mx.float16)", "v.astype(mx.bfloat16)"),
        ("redundant-eval", "sum(step(row))\n        print", "sum(step(row + 1))\n        print"),
        ("deprecated-api", "mx.get_peak_memory() /", "mx.get_active_memory() /"),
        ("release-temporaries", "        del grads\n", "        del grads, model\n"),
        ("release-temporaries", "update(model, grads)\n        del grads\n", "update(model, model)\n        del grads\n"),
    ];
    for (id, right, wrong) in sabotage {
        let select = Some(vec![TransformId::from(id)]);
        let run =
            |verdicts| fix(PASSES, &Options { verdicts: Some(Arc::new(verdicts)), select: select.clone(), ..Options::default() }).expect("Python");
        let edits = run(Verdicts::default()).unknown;
        let [(key, Ok(Replay::Statements(edit)))] = &edits[..] else { panic!("{id}: {edits:?}") };
        let mut sabotaged = edit.clone();
        sabotaged.after.text = edit.after.text.replacen(right, wrong, 1);
        assert_ne!(sabotaged.after.text, edit.after.text, "{id}");
        let verdicts = verify(&[(*key, &Replay::Statements(sabotaged))], &python, NonZero::<usize>::MIN).expect("Python runs");
        let [(_, verdict @ Verdict::Differs(_))] = &verdicts[..] else { panic!("{wrong} was taken for right: {verdicts:?}") };
        let mut known = Verdicts::default();
        known.note(*key, verdict.clone());
        let left = run(known);
        assert_eq!(left.text, PASSES, "nothing that differs is applied");
        assert!(left.findings.iter().any(|f| f.verdict.as_ref() == Some(verdict)), "and it is told");
    }
}

#[test]
fn an_edit_is_judged_on_as_many_axes_as_it_assumes() {
    let dir = TempDir::new().expect("a directory");
    // New axes in front of a table enlarge what has fewer axes, of which the edit says that it does not.
    let text = |axes: usize| {
        format!(
            "import mlx.core as mx\n\n\ndef turned(x: mx.array, base: float, offset: int):\n    n, d = x.shape[{axes}], x.shape[-1]\n    \
             freqs = mx.outer(mx.arange(offset, offset + n), 1.0 / base ** (mx.arange(0, d, 2) / d))\n    \
             table = mx.concatenate([freqs, freqs], axis=-1)\n    \
             cos, sin = mx.cos(table).astype(x.dtype)[{new}], mx.sin(table).astype(x.dtype)[{new}]\n    \
             first, second = x[..., : d // 2], x[..., d // 2 :]\n    return x * cos + mx.concatenate([-second, first], axis=-1) * sin\n",
            new = vec!["None"; axes].join(", ")
        )
    };
    put(dir.path(), "two.py", text(2).as_bytes());
    put(dir.path(), "six.py", text(6).as_bytes());
    let two = mlxfix(dir.path(), &["verify", "--unsafe", "two.py"]);
    assert!(two.code == 0 && two.out.contains("rope [unsafe]: verified on "), "{}{}", two.out, two.err);
    let six = mlxfix(dir.path(), &["verify", "--unsafe", "six.py"]);
    assert!(
        six.code == 1 && six.out.contains("not verified: no input meets what the edit assumes of how many axes there are"),
        "{}{}",
        six.out,
        six.err
    );
}

#[test]
fn what_is_assumed_of_axes_is_told_with_the_text_that_it_holds_for() {
    let text = "import mlx.core as mx\n\n\ndef attend(q: mx.array, k: mx.array, v: mx.array):\n    \
        return mx.softmax(q @ k.swapaxes(-1, -2) * 0.125, axis=-1) @ v\n";
    let edits = fix(text, &Options { verdicts: Some(Arc::new(Verdicts::default())), ..Options::default() }).expect("Python").unknown;
    let [(_, Ok(Replay::Values(edit)))] = &edits[..] else { panic!("{edits:?}") };
    assert_eq!(edit.axes, [(4, Some(4)); 3], "of queries, keys and values");
    for version in [&edit.before, &edit.after] {
        let mut told: Vec<&str> = version.axes.iter().map(|&(start, end, _)| &version.text[start..end]).collect();
        told.sort_unstable();
        assert_eq!(told, ["k", "q", "v"]);
    }
}

#[test]
fn static_methods_of_another_class_of_the_file_are_run() {
    let dir = TempDir::new().expect("a directory");
    let text = "import mlx.core as mx\nimport mlx.nn as nn\n\n\nclass Plain(nn.Module):\n    @staticmethod\n    def scaled(x: mx.array, eps: float):\n        \
        return x * mx.rsqrt(Plain.mean(x) + eps)\n\n    @staticmethod\n    def mean(x: mx.array):\n        \
        return mx.mean(mx.square(x), axis=-1, keepdims=True)\n\n\n\
        class Cast(nn.Module):\n    def __call__(self, x: mx.array):\n        return Plain.scaled(x.astype(mx.float32), 1e-5).astype(x.dtype)\n\n\n\
        def cast(x: mx.array):\n    y = Plain.scaled(x.astype(mx.float32), 1e-6)\n    return y.astype(x.dtype)\n";
    put(dir.path(), "plain.py", text.as_bytes());
    let ran = mlxfix(dir.path(), &["verify", "--unsafe", "plain.py"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert!(ran.out.matches("]: verified on ").count() >= 3 && ran.err.contains("0 withdrawn, 0 not verified"), "{}{}", ran.out, ran.err);
}

#[test]
fn what_cannot_be_run_is_not_written_and_says_why() {
    let dir = TempDir::new().expect("a directory");
    let text = "import mlx.core as mx\n\n\nasync def fetched(get):\n    return mx.load(open(await get(), \"rb\"))\n\n\n\
        def shifted(x: mx.array, w: mx.array, groups: int):\n    return mx.conv_transpose1d(x, w, 1, 0, 1, groups)\n";
    put(dir.path(), "load.py", text.as_bytes());
    let ran = mlxfix(dir.path(), &["--write", "--unsafe", "--verify", "load.py"]);
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    assert!(ran.err.contains("0 verified, 0 withdrawn, 2 not verified"), "{}{}", ran.out, ran.err);
    let reasons = mlxfix(dir.path(), &["verify", "--unsafe", "load.py"]).out;
    assert!(reasons.contains("not verified: `async def fetched") && reasons.contains("waits for others"), "{reasons}");
    assert!(reasons.contains("not verified: the call is to mean something else to this MLX"), "{reasons}");
    assert_eq!(fs::read_to_string(dir.path().join("load.py")).expect("read"), text);
}

#[test]
fn nothing_of_a_file_is_run_but_computations() {
    let dir = TempDir::new().expect("a directory");
    let norm = |eps: &str| format!("x * mx.rsqrt(mx.mean(x * x, axis=-1, keepdims=True) + {eps})");
    let mut text =
        String::from("import os\nimport mlx.core as mx\nfrom builtins import open as mark\n\nos.system('touch executed')\nmark('executed', 'w')\n");
    let traps = [
        "float(os.system('touch executed'))",
        "float(__import__('os').system('touch executed'))",
        "len(f\"{mark('executed', 'w')}\")",
        "len(__builtins__.open('executed', 'w').name)",
        "float(().__class__.__base__.__subclasses__()[0].mro is mark('executed', 'w'))",
        "float(getattr(os, 'system')('touch executed'))",
        "(lambda: mark('executed', 'w') and 1e-5)()",
        "[mark('executed', 'w'), 1e-5][1]",
        "helper()",
        "mx.save('executed', x) or 1e-5",
        "float('{0.__class__}'.format(mark('executed', 'w')))",
        "(mark('executed', 'w'), 1e-5)[1]",
    ];
    text.push_str("\n\ndef helper(n=mark('executed', 'w')):\n    os.system('touch executed')\n    return 1e-5\n");
    for (n, trap) in traps.iter().enumerate() {
        let decorated = if n % 3 == 0 { "@os.system('touch executed')\n" } else { "" };
        text.push_str(&format!(
            "\n\n{decorated}def f{n}(x: mx.array, d=mark('executed', 'w')):\n    mark('executed', 'w')\n    y = {}\n    return y\n",
            norm(trap)
        ));
        text.push_str(&format!(
            "\n\ndef g{n}(x: mx.array):\n    x = x + {trap}\n    eps = {trap}\n    os.system('touch executed')\n    return {}\n",
            norm("eps")
        ));
    }
    let mark = dir.path().join("executed");
    // By its whole path: what runs does so elsewhere.
    let put = |name: &str, text: &str| put(dir.path(), name, text.replace("executed", &mark.display().to_string()).as_bytes());
    put("trap.py", &text);
    let ran = mlxfix(dir.path(), &["verify", "--unsafe", "trap.py"]);
    assert!(!mark.exists(), "{}", ran.out);
    assert!(ran.out.contains(": rms-norm ["), "something was found: {}{}", ran.out, ran.err);
    // Nor is anything in the functions that passes change.
    put("passes.py", &trapped_passes(&traps));
    let ran = mlxfix(dir.path(), &["verify", "--unsafe", "passes.py"]);
    assert!(!mark.exists(), "{}", ran.out);
    assert!(ran.out.matches(": tolist-iteration [").count() > 20 && ran.out.contains("verified on "), "something was run: {}{}", ran.out, ran.err);
    // A rule of one's own is trusted no more, whatever Python has for reading an attribute.
    put("both.py", BOTH);
    let rule = WRONG.replace("import mlx.core as mx\n", "import mlx.core as mx\nimport mlx.nn as nn\n");
    for trap in ["open('executed', 'w')", "match nn.Linear(2, 2):\n        case nn.Linear(save_weights=s):\n            s('executed.npz')"] {
        put("looks_right.py", &format!("{rule}\n\ndef inputs(dtype):\n    {trap}\n    yield {{\"a\": mx.ones((3,), dtype)}}\n"));
        let ran = mlxfix(dir.path(), &["verify", "--rule", "looks_right.py", "both.py"]);
        assert!(!mark.exists() && !mark.with_extension("npz").exists(), "{trap}: {}{}", ran.out, ran.err);
        // It is `prove` that runs rules, where they are named.
        let _ = mlxfix(dir.path(), &["prove", "--rule", "looks_right.py", "looks-right"]);
        fs::remove_file(&mark).or_else(|_| fs::remove_file(mark.with_extension("npz"))).unwrap_or_else(|error| panic!("{trap}: {error}"));
    }
}

/// Loops that a pass changes, with a trap in each.
fn trapped_passes(traps: &[&str]) -> String {
    let more = [
        "open('executed', 'w')",
        "open('executed', 'rb')",
        "mx.savez('executed', a=tokens)",
        "np.save('executed', 1)",
        "np.array([1.0]).tofile('executed')",
        "pathlib.Path('executed').write_text('')",
        "exec(\"open('executed', 'w')\")",
        "print('', file=open('executed', 'w'))",
        "tokens.__class__.__init__.__globals__",
        "getattr(tokens, '__' + 'class__').mro()",
        "[c for c in ().__class__.__base__.__subclasses__() if c.__name__ == 'Popen'][0]('touch executed', shell=True)",
        "list(map(os.system, ['touch executed']))",
        "sorted(['touch executed'], key=os.system)",
        "(lambda _run, v_x: os.system('touch executed'))(1, 2)",
        "nn.Linear(2, 2).save_weights('executed')",
        "f'{os.system}{tokens.__reduce__()}'",
    ];
    let mut text = String::from(
        "import os\nimport pathlib\nimport mlx.core as mx\nimport mlx.nn as nn\nimport numpy as np\nfrom builtins import open as mark\n",
    );
    for (n, trap) in traps.iter().chain(&more).enumerate() {
        let trap = trap.replace("save('executed', x)", "save('executed', tokens)");
        text.push_str(&format!(
            "\n\ndef f{n}(tokens: mx.array, d=mark('executed', 'w')):\n    out = []\n    for t in tokens.flatten():\n        out.append(t.item())\n        {trap}\n    return out\n",
        ));
        text.push_str(&format!(
            "\n\ndef g{n}(tokens: mx.array):\n    out = [{trap}]\n    for t in tokens.flatten():\n        out.append(t.item())\n    return out\n"
        ));
    }
    text
}

#[test]
fn a_site_that_takes_too_long_costs_itself_alone() {
    let dir = TempDir::new().expect("a directory");
    let text = BOTH.replace("def wrong(x: mx.array):\n    total = mx.sum(x, axis=-1)\n    return mx.exp(total)\n", {
        "def slow(x: mx.array):\n    return x * mx.rsqrt(mx.mean(x * x, axis=-1, keepdims=True) + 1 / 9**9**9)\n"
    });
    put(dir.path(), "slow.py", text.as_bytes());
    let ran = mlxfix(dir.path(), &["verify", "--unsafe", "--timeout", "10", "slow.py"]);
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("not verified: took more than 10 s") && ran.out.contains("rms-norm [safe]: verified on "), "{}{}", ran.out, ran.err);
}

#[cfg(unix)]
#[test]
fn without_mlx_nothing_is_written_and_it_is_said_what_is_missing() {
    use std::os::unix::fs::PermissionsExt;
    let dir = TempDir::new().expect("a directory");
    put(dir.path(), "norm.py", NORM.as_bytes());
    let bare = dir.path().join("bare");
    put(dir.path(), "bare", format!("#!/bin/sh\nexec {} -S \"$@\"\n", python().display()).as_bytes());
    fs::set_permissions(&bare, PermissionsExt::from_mode(0o755)).expect("a program");
    for (name, told) in
        [(bare.to_str().expect("text"), "No module named 'mlx'; --python or MLXFIX_PYTHON names"), ("no-such-python", "cannot start no-such-python")]
    {
        let ran = mlxfix(dir.path(), &["--write", "--verify", "--python", name, "norm.py"]);
        assert!(ran.code == 2 && ran.err.contains("nothing was verified: ") && ran.err.contains(told), "{}{}", ran.out, ran.err);
        assert_eq!(fs::read(dir.path().join("norm.py")).expect("read"), NORM.as_bytes());
    }
}

#[test]
fn standard_input_is_verified_too() {
    let dir = TempDir::new().expect("a directory");
    put(dir.path(), "norm.py", NORM.as_bytes());
    let input = fs::File::open(dir.path().join("norm.py")).expect("opened");
    let mut command = Command::new(env!("CARGO_BIN_EXE_mlxfix"));
    let output = command.args(["verify", "-"]).env("MLXFIX_PYTHON", python()).stdin(input).current_dir(dir.path()).output().expect("starts");
    assert!(String::from_utf8_lossy(&output.stdout).contains("-:"), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains(": verified on "), "{output:?}");
}
