//! The program as users run it: streams, exit codes and flags.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use mlxfix::catalog::CATALOG;
use tempfile::TempDir;

/// A written-out RMS norm as model files have it, which `rms-norm` rewrites safely.
pub(super) const NORM: &str = r#"import mlx.core as mx
import mlx.nn as nn


class RMSNorm(nn.Module):
    def __init__(self, dims: int, eps: float = 1e-5):
        super().__init__()
        self.weight = mx.ones((dims,))
        self.eps = eps

    def _norm(self, x):
        return x * mx.rsqrt(x.square().mean(-1, keepdims=True) + self.eps)

    def __call__(self, x):
        output = self._norm(x.astype(mx.float32)).astype(x.dtype)
        return self.weight * output
"#;

/// Speaks of MLX and is no Python.
const BAD: &[u8] = b"import mlx\nx = )\n";

/// What a run of the program came to.
pub(super) struct Ran {
    pub(super) code: i32,
    pub(super) out: String,
    pub(super) err: String,
}

/// Run the program in `dir`.
pub(super) fn mlxfix(dir: &Path, args: &[&str]) -> Ran {
    with_input(dir, args, b"")
}

fn with_input(dir: &Path, args: &[&str], input: &[u8]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mlxfix"));
    // Whoever runs the tests may have figures of a machine of theirs.
    command.env("MLXFIX_PROFILE", "");
    command.args(args).current_dir(dir).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("starts");
    // A program that reads no input may be gone already.
    let _ = child.stdin.take().expect("piped").write_all(input);
    let output = child.wait_with_output().expect("ends");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    Ran { code: output.status.code().expect("an exit code"), out: text(output.stdout), err: text(output.stderr) }
}

/// Write a file below `dir`, its folders too.
pub(super) fn put(dir: &Path, name: &str, bytes: &[u8]) {
    let path = dir.join(name);
    fs::create_dir_all(path.parent().expect("in a folder")).expect("folders made");
    fs::write(path, bytes).expect("written");
}

pub(super) fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let dir = TempDir::new().expect("a directory");
    files.iter().for_each(|(name, bytes)| put(dir.path(), name, bytes));
    dir
}

#[test]
fn a_clean_folder_exits_with_0_and_prints_no_diff() {
    let dir = folder(&[("x.py", b"import mlx.core as mx\n")]);
    for args in [&[][..], &["check"], &["check", "."], &["x.py"], &["--write"]] {
        let run = mlxfix(dir.path(), args);
        assert_eq!(
            (run.code, &*run.out, &*run.err),
            (0, "", "Nothing found; `mlxfix explain profiling` says how to find what is slow.\n"),
            "{args:?}"
        );
    }
}

#[test]
fn a_file_that_cannot_be_read_or_parsed_exits_with_1_in_every_mode() {
    let dir = folder(&[("x.py", BAD)]);
    for args in [&[][..], &["check"], &["--write"], &["x.py"], &["--output-format", "json"], &["-q"], &["-s"]] {
        let run = mlxfix(dir.path(), args);
        assert_eq!(run.code, 1, "{args:?}");
        assert_eq!(run.err.contains("x.py:2:5: syntax-error: "), args != ["-s"], "{args:?}: {}", run.err);
        assert_eq!(run.err.contains("could not be parsed"), args != ["-s"] && args != ["-q"], "{args:?}: {}", run.err);
    }
    assert_eq!(mlxfix(dir.path(), &["--exit-zero"]).code, 0);
    let run = mlxfix(dir.path(), &["missing.py"]);
    assert_eq!((run.code, run.err.starts_with("missing.py: unreadable-file: ")), (1, true), "{}", run.err);
    assert_eq!(fs::read(dir.path().join("x.py")).expect("still there"), BAD);
}

#[test]
fn bad_usage_exits_with_2_and_says_what_was_meant() {
    let dir = folder(&[("x.py", b"")]);
    for args in [&["--unknown"][..], &["--select", "no-such-transform"], &["--ignore", "x,y"], &["-", "x.py"], &["-j", "0"]] {
        let run = mlxfix(dir.path(), &[&["--exit-zero"][..], args].concat());
        assert_eq!(run.code, 2, "{args:?}");
        assert!(run.out.is_empty() && run.err.contains("error: "), "{args:?}: {}", run.err);
    }
    assert_eq!(mlxfix(dir.path(), &["explain", "nothing"]).code, 2);
    assert_eq!(mlxfix(dir.path(), &["--exclude", "!x.py", "."]).code, 2);
    for entry in CATALOG {
        let run = mlxfix(dir.path(), &["--select", &entry.id.replace('-', "_")[..entry.id.len() - 1]]);
        assert!(run.err.contains(&format!("did you mean {:?}?", entry.id)), "{}", run.err);
    }
}

#[test]
fn commands_name_themselves_and_paths_can_too() {
    let dir = folder(&[("list", BAD)]);
    let listed = mlxfix(dir.path(), &["list"]);
    assert_eq!((listed.code, listed.out.lines().count()), (0, CATALOG.len()));
    assert!(mlxfix(dir.path(), &["./list"]).err.starts_with("list:2:5: syntax-error: "));
    assert!(mlxfix(dir.path(), &["check", "list"]).err.starts_with("list:2:5: syntax-error: "));
    for entry in CATALOG {
        let told = mlxfix(dir.path(), &["explain", entry.id]);
        let line = listed.out.lines().find(|line| line.split_whitespace().next() == Some(entry.id)).expect("listed");
        let title = told.out.lines().next().and_then(|line| line.split_once(": ")).filter(|(id, _)| *id == entry.id).map(|(_, title)| title);
        assert!(title.is_some_and(|title| !title.is_empty() && line.ends_with(title)), "{line}\n{}", told.out);
        let kind = format!("\nkind          {}\n", entry.kind.as_str());
        assert!(line.contains(entry.kind.as_str()) && told.out.contains(&kind), "{line}\n{}", told.out);
        assert!(told.out.contains("def before") || told.out.contains("class Before"), "{}", told.out);
        assert_eq!(told.out, mlxfix(dir.path(), &["rule", entry.id]).out);
    }
}

#[test]
fn all_that_is_known_of_a_transform_is_shown_and_listed() {
    let dir = folder(&[]);
    let records = mlxfix(dir.path(), &["list", "--output-format", "json"]).out;
    let cards: Vec<serde_json::Value> = serde_json::from_str(&records).expect("JSON");
    let all = mlxfix(dir.path(), &["explain", "--all"]).out;
    assert_eq!(cards.len(), CATALOG.len());
    for (entry, card) in CATALOG.iter().zip(&cards) {
        for key in ["id", "title", "group", "kind", "gain", "guide", "rationale", "example"] {
            let text = card[key].as_str().filter(|text| !text.is_empty()).unwrap_or_else(|| panic!("{} has no {key}", entry.id));
            assert!(all.contains(text), "{}: {key}", entry.id);
        }
        for key in ["applicability", "since"] {
            assert!(card[key].as_array().is_some_and(|words| !words.is_empty()), "{} has no {key}", entry.id);
        }
    }
    assert_eq!(mlxfix(dir.path(), &["explain", "--all", "--output-format", "json"]).out, records);
    assert_eq!(mlxfix(dir.path(), &["explain"]).code, 2);
    for (id, shown) in [
        ("attention", "\nslower        on cuda with `fill`, where it is not proposed: 1.65 times the memory"),
        ("attention", "\nsince         MLX 0.20 or earlier; 0.22.0 for a mask of truth values\n"),
        ("attention", "\ndef masked(q, k, scale, mask, fill):\n"),
        ("addmm", "\nslower        on cuda unless `are_matrices(a, b)`, where it is not proposed: 0.63"),
        ("rope", "\ndef halves(x, k, a, lead, t):\n"),
        ("rope", "\ndef angles("),
        ("clear-cache", "\napplicability advice\n"),
        ("clear-cache", "\nsince         MLX 0.24.1, the first with mx.clear_cache\n"),
        ("scalar-promotion", "\napplicability safe, narrowing, unsafe\n"),
    ] {
        let told = mlxfix(dir.path(), &["explain", id]).out;
        assert!(told.contains(shown), "{shown}\n{told}");
    }
    for command in ["prove", "bench"] {
        let help = mlxfix(dir.path(), &[command, "--help"]).out;
        assert!(help.contains("which is executed") && !help.contains("not executed"), "{help}");
    }
}

#[test]
fn paths_count_from_the_repository_and_messages_from_here() {
    let dir = folder(&[("sub/deep/x.py", BAD), (".git/HEAD", b"ref: refs/heads/main\n")]);
    let run = mlxfix(&dir.path().join("sub"), &["--output-format", "json-lines"]);
    let record: serde_json::Value = serde_json::from_str(&run.out).expect("one object");
    assert_eq!(record["file"], "sub/deep/x.py");
    assert!(record["filename"].as_str().is_some_and(|name| Path::new(name).is_absolute()));
    assert_eq!((&record["rule"], &record["line"]), (&"syntax-error".into(), &2.into()));
    assert!(run.err.starts_with("deep/x.py:2:5: "), "{}", run.err);
}

#[test]
fn output_is_the_same_at_any_number_of_threads() {
    let dir = TempDir::new().expect("a directory");
    for n in 0..60 {
        let bytes = if n % 3 == 0 { NORM.as_bytes() } else { BAD };
        put(dir.path(), &format!("p{}/q{}/x{n}.py", n % 5, n % 7), bytes);
    }
    for format in ["diff", "json", "json-lines"] {
        let run = |jobs| mlxfix(dir.path(), &["--output-format", format, "-j", jobs]);
        let one = run("1");
        assert_eq!(one.code, 1);
        for jobs in ["2", "8"] {
            let many = run(jobs);
            assert!(many.out == one.out && many.err == one.err, "-j {jobs} differs from -j 1");
        }
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let dir = TempDir::new().expect("a directory");
    // More than a pipe holds, so that writing must fail.
    for n in 0..400 {
        put(dir.path(), &format!("x{n}.py"), BAD);
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_mlxfix"));
    command.args(["--output-format", "json-lines", "-q"]).current_dir(dir.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("ends");
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{err}");
    assert!(!err.contains("panicked") && !err.contains("Broken pipe"), "{err}");
}

#[test]
fn output_can_go_to_a_file() {
    let dir = folder(&[("x.py", BAD)]);
    let plain = mlxfix(dir.path(), &["--output-format", "json"]);
    let filed = mlxfix(dir.path(), &["--output-format", "json", "-o", "report.json"]);
    assert_eq!((filed.code, &*filed.out), (1, ""));
    assert_eq!(fs::read_to_string(dir.path().join("report.json")).expect("written"), plain.out);
    assert_eq!(mlxfix(dir.path(), &["-o", "no/such/folder"]).code, 2);
}

#[test]
fn standard_input_comes_back_byte_for_byte() {
    let dir = folder(&[]);
    for text in ["import mlx\r\nx = 1", "", "no python at all (", "import mlx\n(\n", "\u{feff}import mlx\n"] {
        assert_eq!(with_input(dir.path(), &["-", "--write"], text.as_bytes()).out, text, "{text:?}");
    }
    assert_eq!(with_input(dir.path(), &["-"], b"no python (").code, 0, "what does not speak of MLX is not parsed");
    let run = with_input(dir.path(), &["-", "--stdin-filename", "a/b.py", "--output-format", "json-lines"], BAD);
    assert_eq!(run.code, 1);
    assert!(run.out.contains(r#""file":"a/b.py""#) && run.err.starts_with("a/b.py:2:5: syntax-error"), "{}{}", run.out, run.err);
}

#[test]
fn a_dry_run_shows_what_write_writes() {
    let dir = folder(&[("x.py", NORM.as_bytes()), ("sub/y.py", NORM.as_bytes())]);
    let dry = mlxfix(dir.path(), &[]);
    assert_eq!(dry.code, 1, "{}", dry.err);
    assert!(dry.err.contains("Would change 2 files"), "{}", dry.err);
    assert_eq!(fs::read_to_string(dir.path().join("x.py")).expect("read"), NORM, "a dry run changes nothing");

    let other = folder(&[("x.py", NORM.as_bytes()), ("sub/y.py", NORM.as_bytes()), ("x.patch", dry.out.as_bytes())]);
    let applied = Command::new("git").args(["apply", "x.patch"]).current_dir(other.path()).output().expect("git runs");
    assert!(applied.status.success(), "{applied:?}\n{}", dry.out);

    let write = mlxfix(dir.path(), &["--write"]);
    assert_eq!((write.code, &*write.out), (0, ""), "{}", write.err);
    assert!(write.err.contains("Changed 2 files"), "{}", write.err);
    for name in ["x.py", "sub/y.py"] {
        let read = |dir: &TempDir| fs::read_to_string(dir.path().join(name)).expect("read");
        assert_eq!(read(&dir), read(&other));
        assert_ne!(read(&dir), NORM);
    }
    let again = mlxfix(dir.path(), &["--unsafe"]);
    assert_eq!((again.code, &*again.out), (0, ""), "a second run finds nothing");
}

#[test]
fn a_file_that_cannot_be_written_exits_with_2_and_is_left_alone() {
    let dir = folder(&[("x.py", NORM.as_bytes())]);
    let path = dir.path().join("x.py");
    let mut permissions = fs::metadata(&path).expect("exists").permissions();
    permissions.set_readonly(true);
    fs::set_permissions(&path, permissions).expect("mode set");
    let run = mlxfix(dir.path(), &["--write", "--exit-zero"]);
    assert_eq!(run.code, 2);
    assert!(run.err.contains("x.py: file-not-written: is read-only"), "{}", run.err);
    assert_eq!(fs::read_to_string(&path).expect("read"), NORM);
}

#[test]
fn a_byte_order_mark_stays() {
    let marked = format!("\u{feff}{NORM}");
    let dir = folder(&[("x.py", marked.as_bytes())]);
    assert_eq!(mlxfix(dir.path(), &["--write"]).code, 0);
    let text = fs::read_to_string(dir.path().join("x.py")).expect("read");
    assert!(text.starts_with("\u{feff}import mlx.core as mx\n") && text.contains("mx.fast.rms_norm"), "{text}");
}

#[test]
fn standard_input_is_fixed_for_editors() {
    let dir = folder(&[]);
    let shown = with_input(dir.path(), &["-", "--stdin-filename", "n.py"], NORM.as_bytes());
    assert!(shown.code == 1 && shown.out.contains("\n--- a/n.py\n+++ b/n.py\n"), "{}", shown.out);
    let fixed = with_input(dir.path(), &["-", "--write"], NORM.as_bytes());
    assert!(fixed.code == 0 && fixed.out.contains("mx.fast.rms_norm") && !fixed.out.contains("rsqrt"), "{}", fixed.out);
}

/// Three sites: one that keeps every bit, one that is more precise, one that keeps half precision.
const THREE_KINDS: &str = r#"import mlx.core as mx


def softmax(scores: mx.array):
    return mx.softmax(scores.astype(mx.float32), axis=-1).astype(scores.dtype)


def norm(x: mx.array):
    return x * mx.rsqrt(mx.mean(x * x, axis=-1, keepdims=True) + 1e-5)


def scaled(x: mx.array):
    return x * mx.array(2.0)
"#;

#[test]
fn exact_admits_what_keeps_every_bit_and_says_what_it_holds_back() {
    let dir = TempDir::new().expect("a folder");
    put(dir.path(), "three.py", THREE_KINDS.as_bytes());
    let shown = mlxfix(dir.path(), &["--unsafe", "--exact"]);
    assert!(shown.out.contains("as --exact demands"), "{}", shown.out);
    let ran = mlxfix(dir.path(), &["--write", "--unsafe", "--exact"]);
    let text = fs::read_to_string(dir.path().join("three.py")).expect("read");
    assert!(text.contains("precise=True") && text.contains("rsqrt") && text.contains("mx.array(2.0)"), "{text}");
    assert!(ran.err.contains("2 more without --exact"), "{}", ran.err);
    assert_eq!(ran.code, 1);
}

#[test]
fn narrow_admits_what_keeps_half_precision() {
    let dir = TempDir::new().expect("a folder");
    put(dir.path(), "three.py", THREE_KINDS.as_bytes());
    let shown = mlxfix(dir.path(), &[]);
    assert!(shown.out.contains("scalar-promotion [narrowing]"), "{}", shown.out);
    let ran = mlxfix(dir.path(), &["--write"]);
    let text = fs::read_to_string(dir.path().join("three.py")).expect("read");
    assert!(text.contains("rms_norm") && text.contains("mx.array(2.0)"), "{text}");
    assert!(ran.err.contains("1 more with --narrow"), "{}", ran.err);
    let ran = mlxfix(dir.path(), &["--write", "--narrow"]);
    let text = fs::read_to_string(dir.path().join("three.py")).expect("read");
    assert!(text.contains("x * 2.0"), "{text}");
    assert_eq!(ran.code, 0, "{}", ran.err);
}

#[test]
fn what_to_do_where_nothing_is_left_is_explained() {
    let dir = folder(&[]);
    let run = mlxfix(dir.path(), &["explain", "profiling"]);
    assert_eq!(run.code, 0);
    assert!(
        ["mx.synchronize()", "mx.async_eval", "mx.get_peak_memory()", "MTL_CAPTURE_ENABLED"].iter().all(|word| run.out.contains(word)),
        "{}",
        run.out
    );
}

/// Whether a run over the folder `package` in `dir` tells of the transform `id`; one that tells nothing ends with 0.
fn tells_of(dir: &TempDir, id: &str) -> bool {
    let ran = mlxfix(dir.path(), &["check", "package"]);
    let tells = ran.out.contains(id);
    assert!(tells || ran.code == 0, "{}{}", ran.out, ran.err);
    tells
}

#[test]
fn what_pays_in_half_precision_alone_is_left_out_of_a_package_without_it() {
    let norm = "import mlx.core as mx\nimport mlx.nn as nn\n\n\nclass Norm(nn.LayerNorm):\n    def __call__(self, x: mx.array):\n        \
                return super().__call__(x.astype(mx.float32)).astype(x.dtype)\n";
    let dir = TempDir::new().expect("a folder");
    let told = || tells_of(&dir, "redundant-upcast");
    put(dir.path(), "package/inner/norms.py", norm.as_bytes());
    assert!(told(), "nobody knows what comes to it");
    for module in ["package/__init__.py", "package/inner/__init__.py"] {
        put(dir.path(), module, b"from .inner import norms\n");
    }
    assert!(told(), "those who import the package may be anybody");
    put(dir.path(), "package/inner/model.py", b"def run():\n    from . import norms\n    return norms.Norm(8)\n");
    assert!(!told(), "single precision comes to it");
    let why = mlxfix(dir.path(), &["why", "package/inner/norms.py:7"]).out;
    assert!(why.contains("it pays in half precision alone, of which neither this file nor those of its package that import it speak"), "{why}");
    put(dir.path(), "package/other.py", b"import mlx.core as mx\n\n\ndef load(w):\n    return w.astype(mx.bfloat16)\n");
    assert!(!told(), "it does not import it");
    put(dir.path(), "package/main.py", b"import mlx.core as mx\nfrom .inner.model import run\n\nrun()(mx.zeros((2, 8)).astype(mx.bfloat16))\n");
    assert!(told(), "half precision comes to it through another file");
    put(dir.path(), "package/types.py", b"import mlx.core as mx\n\nclass Config:\n    precision: mx.Dtype = mx.float16\n");
    put(dir.path(), "package/main.py", b"from package.inner.model import run\nfrom .types import Config\n\nrun()(x.astype(Config.precision))\n");
    assert!(told(), "by a name for it");
    put(dir.path(), "package/main.py", b"import mlx.core as mx\n\nhalf = mx.bfloat16\n");
    put(
        dir.path(),
        "package/inner/test_norms.py",
        b"import mlx.core as mx\nfrom .norms import Norm\n\nNorm(8)(mx.zeros((2, 8), dtype=mx.float16))\n",
    );
    assert!(!told(), "a test gives it what nobody else need give");
    put(dir.path(), "package/.venv/lib/main.py", b"import mlx.core as mx\nfrom package.inner.norms import Norm\n\nhalf = mx.float16\n");
    assert!(!told(), "what is installed is no part of the package");
    put(dir.path(), "package/inner/norms.py", format!("{norm}\n\nembedding = nn.Embedding(8, 8)\n").as_bytes());
    assert!(told(), "tokens are embedded in the dtype of weights");
    put(dir.path(), "package/inner/norms.py", norm.as_bytes());
    put(dir.path(), "package/main.py", b"import broken syntax\n");
    assert!(!told(), "what is no Python does not speak of the module");
    put(dir.path(), "package/main.py", b"import norms and broken syntax\n");
    assert!(told(), "what is no Python may say anything");
}

#[test]
fn advice_on_what_no_file_of_a_package_asks_for_is_left_out() {
    let sampler = "import mlx.core as mx\n\n\n@mx.compile\ndef scaled(logits, p: float):\n    return logits * p\n\n\n\
                   def make(p: float = 0.0):\n    if p > 0:\n        return lambda x: scaled(x, p)\n    return lambda x: x\n";
    let dir = TempDir::new().expect("a folder");
    let told = || tells_of(&dir, "compile-scalar-args");
    put(dir.path(), "package/inner/sampler.py", sampler.as_bytes());
    assert!(told(), "nobody knows who calls it");
    for module in ["package/__init__.py", "package/inner/__init__.py"] {
        put(dir.path(), module, b"");
    }
    assert!(told(), "the package does not speak of it");
    put(dir.path(), "package/main.py", b"from .inner.sampler import make\n\nsampler = make()\nstep = 2\n");
    assert!(!told(), "the package calls it, and never with a number");
    let why = mlxfix(dir.path(), &["why", "package/inner/sampler.py:5"]).out;
    assert!(why.contains("no other file of the package speaks of `p`, without which `make` does not come there"), "{why}");
    let input = with_input(dir.path(), &["check", "--stdin-filename", "package/inner/sampler.py", "-"], sampler.as_bytes());
    assert_eq!((input.code, input.out.contains("compile-scalar-args")), (0, false), "as an editor asks");
    put(dir.path(), "package/server.py", b"settings = dict(p=0.5)\n");
    assert!(told(), "somebody may pass it");
}
