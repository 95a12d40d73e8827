//! Files as they come: odd bytes, odd names, odd folders, and a process killed while it writes. Diffs are checked with the tools that users apply them with.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use mlxfix::Fixed;
use mlxfix::engine::Reported;
use mlxfix::finding::{Applicability, Finding, Hinges, Numerics, TransformId};
use mlxfix::report::{FileReport, diff, records};
use mlxfix::syntax::{Edit, EditSet, Encoding, TextRange};
use tempfile::TempDir;

use super::cli::{NORM, mlxfix, put};

/// `text` with `edits` (from, to, content) made, one finding for each.
fn fixed(text: &str, edits: &[(usize, usize, &str)]) -> Fixed {
    let mut set = EditSet::new();
    let mut findings = Vec::new();
    for (index, &(from, to, content)) in edits.iter().enumerate() {
        let range = TextRange::new((from as u32).into(), (to as u32).into());
        let edit = Edit::replace(range, content);
        assert!(set.try_add(std::slice::from_ref(&edit), index), "edits must not touch");
        findings.push(Reported { finding: finding(range, vec![edit]), applied: true, held_back: false, verdict: None, alone: None });
    }
    Fixed { text: set.apply(text), edits: set, findings, broken: None, unknown: Vec::new() }
}

fn finding(range: TextRange, edits: Vec<Edit>) -> Finding {
    Finding {
        transform: TransformId::from("rms-norm"),
        range,
        applicability: Applicability::Safe,
        numerics: Some(Numerics::Rounding),
        message: "says\n--- a/evil.py\r\n+++ b/evil.py".to_owned(),
        rationale: vec!["@@ -1 +1 @@".to_owned(), "\u{2028}diff --git a/x b/x".to_owned()],
        assumptions: vec!["`x` is an array".to_owned()],
        guide: "Fast ops".to_owned(),
        edits,
        hinges: Hinges::default(),
    }
}

fn report(path: &str, text: &str, fixed: &Fixed, encoding: Encoding) -> Vec<u8> {
    let (old, new) = (encoding.encode(text).expect("storable"), encoding.encode(&fixed.text).expect("storable"));
    diff(&FileReport { path: path.as_ref(), full_path: path.as_ref(), links: &[], text, old: &old, new: &new, fixed, written: false })
}

fn apply(dir: &Path, program: &str, args: &[&str], patch: &Path) -> Output {
    let mut command = Command::new(program);
    // The user's own settings must not decide what a diff means.
    command.current_dir(dir).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CEILING_DIRECTORIES", dir);
    command.args(args).stdin(fs::File::open(patch).expect("the patch is there"));
    command.output().unwrap_or_else(|e| panic!("{program} must be installed: {e}"))
}

/// Both `git apply` and `patch` take `patch`, and make of each file (name, old) the bytes it should have.
fn assert_applies(patch: &[u8], files: &[(&str, Vec<u8>, Vec<u8>)]) {
    let told = String::from_utf8_lossy(patch);
    for (program, check, change) in [("git", &["apply", "--check"][..], &["apply"][..]), ("patch", &["-p1", "--dry-run"], &["-p1"])] {
        let dir = TempDir::new().expect("a directory");
        let file = TempDir::new().expect("a directory");
        let file = file.path().join("x.patch");
        fs::write(&file, patch).expect("written");
        for (name, old, _) in files {
            put(dir.path(), name, old);
        }
        for args in [check, change] {
            let output = apply(dir.path(), program, args, &file);
            assert!(output.status.success(), "{program} {args:?}: {output:?}\n{told}");
            assert!(!String::from_utf8_lossy(&output.stdout).contains("fuzz"), "{program} had to guess: {output:?}\n{told}");
        }
        for (name, _, new) in files {
            assert_eq!(fs::read(dir.path().join(name)).expect("still there"), *new, "{program} on {name}\n{told}");
        }
    }
}

fn assert_round_trip(name: &str, text: &str, edits: &[(usize, usize, &str)], encoding: Encoding) {
    let fixed = fixed(text, edits);
    let patch = report(name, text, &fixed, encoding);
    let bytes = |text: &str| encoding.encode(text).expect("storable").into_owned();
    assert_applies(&patch, &[(name, bytes(text), bytes(&fixed.text))]);
}

#[test]
fn a_diff_gives_the_new_text_whatever_the_line_endings() {
    type Edits = &'static [(usize, usize, &'static str)];
    let cases: &[(&str, Edits)] = &[
        ("a\nb\nc\n", &[(2, 3, "B")]),
        ("a\nb\nc\n", &[(0, 0, "first\n")]),
        ("a\nb\nc\n", &[(0, 2, "")]),
        ("a\nb\nc", &[(4, 5, "C")]),
        ("a\nb\nc", &[(5, 5, "\n")]),
        ("a\nb\nc\n", &[(5, 6, "")]),
        ("a\r\nb\r\nc\r\n", &[(3, 4, "B\r\nBB")]),
        ("a\r\nb\r\nc", &[(6, 7, "")]),
        ("a\rb\rc\r", &[(2, 3, "B")]),
        ("\n\n\n\nx\n\n\n\n", &[(4, 5, "y")]),
        ("\x0c\n\tx\n", &[(3, 4, "y")]),
        ("-- a\n++ b\n", &[(0, 4, "-- c\n--- d")]),
        ("", &[(0, 0, "x = 1\n")]),
        ("x", &[(0, 1, "")]),
    ];
    for (text, edits) in cases {
        assert_round_trip("x.py", text, edits, Encoding::Utf8);
    }
}

#[test]
fn a_diff_is_in_the_bytes_of_the_file() {
    let text = "# coding: latin-1\nx = 'é'\ny = 1\n";
    let at = text.len() - 2;
    assert_round_trip("x.py", text, &[(at, at + 1, "'ü'")], Encoding::Latin1);
    assert_round_trip("x.py", "x = 'é'\n", &[(0, 1, "y")], Encoding::Utf8Mark);
}

#[test]
fn a_diff_finds_files_with_odd_names() {
    for name in ["a b.py", "é.py", "q\"uote.py", "ta\tb.py", "back\\slash.py", "deep/er/ü x.py", "-.py", "bell\u{7}.py"] {
        assert_round_trip(name, "a\nb\n", &[(0, 1, "x")], Encoding::Utf8);
    }
}

#[test]
fn many_hunks_and_files_apply_together() {
    let text: String = (0..400).map(|n| format!("line {n}\n")).collect();
    let starts: Vec<usize> = text.match_indices("line").map(|(at, _)| at).collect();
    let edits: Vec<_> = starts.iter().step_by(7).map(|&at| (at, at + 4, "LINE\nmore")).collect();
    let one = fixed(&text, &edits);
    let two = fixed(&text, &edits[..1]);
    let patch = [report("a.py", &text, &one, Encoding::Utf8), report("b/c.py", &text, &two, Encoding::Utf8)].concat();
    let old = text.clone().into_bytes();
    assert_applies(&patch, &[("a.py", old.clone(), one.text.clone().into_bytes()), ("b/c.py", old, two.text.clone().into_bytes())]);
    let patch = String::from_utf8(patch).expect("text");
    assert!(patch.lines().filter(|line| line.starts_with("@@ ")).all(|line| line.ends_with("@@ mlxfix: rms-norm [safe]")), "{patch}");
}

#[test]
fn random_edits_apply() {
    let mut state = 1u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as usize % below.max(1)
    };
    for _ in 0..40 {
        let pieces = ["x\n", "x\n", "y\n", "\n", "long line\n", "cr\r\n", "-\n", "+\n", " \n"];
        let text: String = (0..random(60) + 1).map(|_| pieces[random(pieces.len())]).collect();
        let text = &text[..text.len() - random(2)];
        let (mut at, mut edits) = (0, Vec::new());
        while at < text.len() {
            let (from, to) = (at + random(20), at + 20 + random(10));
            if to > text.len() {
                break;
            }
            edits.push((from, to, pieces[random(pieces.len())]));
            at = to + 1;
        }
        if fixed(text, &edits).text != text {
            assert_round_trip("x.py", text, &edits, Encoding::Utf8);
        }
    }
}

#[test]
fn remarks_come_before_the_diff_and_are_all_comments() {
    let text = "a\nb\n";
    let mut fixed = fixed(text, &[(0, 1, "x")]);
    let at = TextRange::new(2.into(), 3.into());
    let mut unapplied = finding(at, vec![Edit::replace(at, "y")]);
    unapplied.applicability = Applicability::Unsafe;
    fixed.findings.push(Reported { finding: unapplied, applied: false, held_back: false, verdict: None, alone: None });
    let patch = String::from_utf8(report("x.py", text, &fixed, Encoding::Utf8)).expect("text");
    let (remarks, rest) = patch.split_once("diff --git a/x.py b/x.py\n").expect("a header");
    assert!(remarks.lines().all(|line| line.starts_with("# ")), "{patch}");
    assert!(remarks.contains("# x.py:1: rms-norm [safe]: says --- a/evil.py"), "{patch}");
    assert!(remarks.contains("# x.py:2: rms-norm [unsafe]: ") && remarks.contains("apply with --unsafe"), "{patch}");
    assert_eq!(rest, "--- a/x.py\n+++ b/x.py\n@@ -1,2 +1,2 @@ mlxfix: rms-norm [safe]\n-a\n+x\n b\n");
}

#[test]
fn after_writing_only_the_rest_is_told_at_its_new_place() {
    let text = "a\nb\n";
    let mut fixed = fixed(text, &[(0, 1, "x\nx")]);
    let at = TextRange::new(2.into(), 3.into());
    fixed.findings.push(Reported { finding: finding(at, Vec::new()), applied: false, held_back: false, verdict: None, alone: None });
    let (old, new) = (text.as_bytes(), fixed.text.as_bytes());
    let file = FileReport { path: "x.py".as_ref(), full_path: "/x.py".as_ref(), links: &[], text, old, new, fixed: &fixed, written: true };
    let told = String::from_utf8(diff(&file)).expect("text");
    assert!(told.starts_with("# x.py:3: ") && !told.contains("\ndiff --git"), "{told}");
    let record: serde_json::Value = serde_json::from_slice(&records(&file)).expect("one object");
    assert_eq!((&record["line"], &record["location"]["column"]), (&3.into(), &1.into()));
}

#[test]
fn json_has_the_shape_of_ruffs() {
    let text = "é = 1\nb = 2\n";
    let fixed = fixed(text, &[(7, 13, "c = 3\n")]);
    let file = FileReport {
        path: "x.py".as_ref(),
        full_path: "/full/x.py".as_ref(),
        links: &[],
        text,
        old: text.as_bytes(),
        new: fixed.text.as_bytes(),
        fixed: &fixed,
        written: false,
    };
    let record: serde_json::Value = serde_json::from_slice(&records(&file)).expect("one object");
    let expected = serde_json::json!({
        "cell": null, "code": "rms-norm", "name": "rms-norm", "message": fixed.findings[0].finding.message, "url": null, "filename": "/full/x.py",
        "location": {"row": 2, "column": 1}, "end_location": {"row": 3, "column": 1}, "noqa_row": 2, "severity": "warning",
        "fix": {"applicability": "safe", "message": fixed.findings[0].finding.message, "edits": [
            {"content": "c = 3\n", "location": {"row": 2, "column": 1}, "end_location": {"row": 3, "column": 1}}]},
        "file": "x.py", "line": 2, "end_line": 2, "rule": "rms-norm", "applicability": "safe", "applied": true, "numerics": "rounding",
        "rationale": fixed.findings[0].finding.rationale, "assumptions": ["`x` is an array"], "guide": "Fast ops",
    });
    assert_eq!(record, expected);
}

#[cfg(unix)]
#[test]
fn a_hostile_folder_is_reported_file_by_file_and_nothing_is_lost() {
    use std::os::unix::fs::symlink;
    let dir = TempDir::new().expect("a directory");
    let at = dir.path();
    put(at, "unparsable.py", b"import mlx.core as mx\nx = (\n");
    put(at, "latin.py", &[&b"# coding: latin-1\n# caf\xe9\n"[..], NORM.as_bytes()].concat());
    put(at, "crlf.py", NORM.replace('\n', "\r\n").as_bytes());
    put(at, "undeclared.py", b"import mlx\n# caf\xe9\n");
    put(at, "empty.py", b"");
    put(at, "large.py", &[&b"import mlx\n"[..], &b"x = 1\n".repeat(3_500_000)].concat());
    put(at, "folder.py/inner.py", NORM.as_bytes());
    symlink("nowhere.py", at.join("dangling.py")).expect("linked");
    symlink("loop.py", at.join("loop.py")).expect("linked");
    symlink(".", at.join("folder.py/itself")).expect("linked");
    let before: Vec<_> = ["unparsable.py", "undeclared.py", "empty.py", "large.py"].map(|name| (name, fs::read(at.join(name)).expect("read"))).into();

    let dry = mlxfix(at, &["."]);
    assert_eq!(dry.code, 1, "{}", dry.err);
    let run = mlxfix(at, &["--write"]);
    assert_eq!(run.code, 1, "{}", run.err);
    for line in [
        "unparsable.py:3:1: syntax-error: ",
        "undeclared.py:2:6: undecodable-file: ",
        "large.py: file-too-large: ",
        "dangling.py: unreadable-file: ",
        "loop.py: unreadable-file: ",
    ] {
        assert!(run.err.lines().any(|told| told.starts_with(line)), "no line {line:?} in\n{}", run.err);
    }
    for name in ["latin.py", "crlf.py", "empty.py", "inner.py", "itself"] {
        assert!(!run.err.contains(&format!("{name}:")), "{}", run.err);
    }
    for (name, bytes) in before {
        assert_eq!(fs::read(at.join(name)).expect("still there"), bytes, "{name} is as it was");
    }
    let latin = fs::read(at.join("latin.py")).expect("still there");
    assert!(latin.starts_with(b"# coding: latin-1\n# caf\xe9\nimport mlx"));
    assert!(latin.windows(12).any(|part| part == b"fast.rms_nor"), "the latin-1 file is rewritten");
    let crlf = String::from_utf8(fs::read(at.join("crlf.py")).expect("still there")).expect("text");
    assert!(crlf.contains("fast.rms_norm"), "the CRLF file is rewritten");
    assert_eq!(crlf.matches('\n').count(), crlf.matches("\r\n").count(), "with CRLF throughout");
    assert!(leftovers(at).is_empty());
}

#[cfg(unix)]
#[test]
fn a_file_named_twice_or_through_a_link_is_told_once() {
    let dir = TempDir::new().expect("a directory");
    put(dir.path(), "sub/x.py", b"import mlx\n(\n");
    std::os::unix::fs::symlink("sub/x.py", dir.path().join("link.py")).expect("linked");
    for args in [&["sub/x.py", "sub/x.py"][..], &[".", "sub"], &["link.py", "sub/x.py", "."], &["link.py"]] {
        let run = mlxfix(dir.path(), args);
        assert_eq!(run.err.matches("sub/x.py:3:1: syntax-error").count(), 1, "{args:?}: {}", run.err);
    }
}

#[cfg(unix)]
#[test]
fn what_is_found_in_a_file_is_told_of_its_links_and_written_once() {
    let dir = TempDir::new().expect("a directory");
    let source = b"import mlx.core as mx\n\n\ndef f(x: mx.array):\n    return mx.softmax(x.astype(mx.float32), axis=-1).astype(x.dtype)\n";
    put(dir.path(), "t5/x.py", source);
    put(dir.path(), "music/other.py", b"import mlx\n");
    std::os::unix::fs::symlink("../t5/x.py", dir.path().join("music/x.py")).expect("linked");
    let told = |args: &[&str]| {
        let run = mlxfix(dir.path(), &[&["--output-format", "json-lines"], args].concat());
        let file = |line: &str| serde_json::from_str::<serde_json::Value>(line).expect("JSON")["file"].as_str().expect("text").to_owned();
        run.out.lines().map(file).collect::<Vec<_>>()
    };
    assert_eq!(told(&["."]), ["t5/x.py", "music/x.py"]);
    assert_eq!(told(&["t5"]), ["t5/x.py"]);
    assert_eq!(told(&["music"]), [""; 0], "what a link leads to is outside the folder");
    let diff = mlxfix(dir.path(), &["."]).out;
    assert_eq!(diff.matches("diff --git").count(), 1, "{diff}");
    assert!(diff.starts_with("# t5/x.py: also linked to as music/x.py\n"), "{diff}");
    assert!(mlxfix(dir.path(), &["--write", "."]).err.contains("1 file"));
    assert!(fs::symlink_metadata(dir.path().join("music/x.py")).expect("there").is_symlink(), "the link is still one");
    assert!(fs::read_to_string(dir.path().join("music/x.py")).expect("read").contains("precise=True"));
}

#[test]
fn folders_that_are_no_sources_are_left_out() {
    let dir = TempDir::new().expect("a directory");
    let bad = b"import mlx\n(\n";
    for name in [".venv/x.py", "a/node_modules/x.py", "build/lib/x.py", "ignored.py", "gen/x.py", "notes.txt", "other.py", ".hidden/y.py"] {
        put(dir.path(), name, bad);
    }
    put(dir.path(), "other.py", b"(");
    // A package called so is no folder of copies.
    put(dir.path(), "a/build/__init__.py", b"");
    put(dir.path(), "a/build/x.py", bad);
    put(dir.path(), ".ignore", b"ignored.py\n");
    let files = |args: &[&str]| {
        let run = mlxfix(dir.path(), &[&["--output-format", "json-lines"], args].concat());
        let file = |line: &str| serde_json::from_str::<serde_json::Value>(line).expect("JSON")["file"].as_str().expect("text").to_owned();
        run.out.lines().map(file).collect::<Vec<_>>()
    };
    assert_eq!(files(&[]), [".hidden/y.py", "a/build/x.py", "gen/x.py"]);
    assert_eq!(files(&["--exclude", "gen", "--exclude", ".hidden,nothing"]), ["a/build/x.py"]);
    assert_eq!(files(&["--no-respect-gitignore"]), [".hidden/y.py", "a/build/x.py", "gen/x.py", "ignored.py"]);
    assert_eq!(files(&["ignored.py", "notes.txt", ".venv", "--exclude", "ignored.py"]), [".venv/x.py", "ignored.py", "notes.txt"]);
}

/// Every `.mlxfix-*.tmp` left below `dir`.
fn leftovers(dir: &Path) -> Vec<String> {
    let names = fs::read_dir(dir).expect("listed").map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
    names.filter(|name| name.ends_with(".tmp")).collect()
}

#[test]
fn a_process_killed_while_it_writes_leaves_each_file_old_or_new() {
    const FILES: usize = 200;
    let dir = TempDir::new().expect("a directory");
    let name = |n: usize| dir.path().join(format!("m{n}.py"));
    let reset = || (0..FILES).for_each(|n| fs::write(name(n), NORM).expect("written"));
    let start = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mlxfix"));
        command.args(["--write", "-j", "2"]).current_dir(dir.path()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().expect("starts")
    };
    reset();
    let began = Instant::now();
    assert!(start().wait().expect("ends").success(), "every finding is applied");
    let takes = began.elapsed();
    let new = fs::read_to_string(name(0)).expect("read");
    assert!(new.contains("mx.fast.rms_norm"), "the sample is rewritten:\n{new}");
    assert!((0..FILES).all(|n| fs::read_to_string(name(n)).expect("read") == new), "every file is rewritten the same way");

    let mut partly = 0;
    for round in 0..20 {
        reset();
        let mut child = start();
        std::thread::sleep(takes.mul_f64(chance()).min(Duration::from_secs(5)));
        child.kill().expect("killed");
        child.wait().expect("ends");
        let texts: Vec<_> = (0..FILES).map(|n| fs::read_to_string(name(n)).expect("every file is there")).collect();
        assert!(texts.iter().all(|text| *text == new || text == NORM), "round {round}: a file is neither old nor new");
        let done = texts.iter().filter(|text| **text == new).count();
        partly += usize::from(done > 0 && done < FILES);
    }
    assert!(partly > 0, "no round was interrupted half-way, so nothing was tested");
}

/// A number from 0 to 1, another one at each call.
fn chance() -> f64 {
    use std::hash::{BuildHasher, Hasher};
    std::hash::RandomState::new().build_hasher().finish() as f64 / u64::MAX as f64
}
