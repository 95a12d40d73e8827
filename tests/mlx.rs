//! What the rewrites do to numbers, found out by running real MLX. Prepares the Python side itself: a virtual environment with pinned packages beside the
//! build, made once. `MLXFIX_PYTHON` names another interpreter that has them. The comparisons are made by the scripts in `tests/python`; here is only what
//! they are given, and that they notice a wrong rewrite.

mod advised;
mod bench;
mod guide;
mod proof;
mod verify;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::advice;

/// The Python interpreter that has MLX; makes the virtual environment when it is missing or its requirements have changed.
pub(super) fn python() -> PathBuf {
    if let Some(given) = std::env::var_os("MLXFIX_PYTHON") {
        return given.into();
    }
    let requirements = root().join("tests/python/requirements.txt");
    let venv = build_folder().join("mlx-venv");
    let interpreter = if cfg!(windows) { venv.join("Scripts/python.exe") } else { venv.join("bin/python") };
    made_once(&venv, &read(&requirements), || {
        run("making the virtual environment (python3 with venv is needed)", Command::new("python3").args(["-m", "venv"]).arg(&venv));
        let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"];
        run("installing MLX with pip", Command::new(&interpreter).args(install).arg(&requirements));
    });
    interpreter
}

#[test]
fn the_examples_agree_before_and_after_under_mlx() {
    let examples = root().join("examples");
    let (selected, all) = (temporary_folder(), temporary_folder());
    copy_tree(&examples, selected.path());
    copy_tree(&examples, all.path());
    let mut complaints = Vec::new();
    for id in ids(&examples).into_iter().filter(|id| !advice::ids().contains(id)) {
        let folder = selected.path().join(&id);
        mlxfix(&["--write", "--unsafe", "--select", &id.replace('_', "-")], &folder);
        complaints.extend(not_as_announced(&examples.join(&id), &folder));
    }
    mlxfix(&["--write", "--unsafe"], all.path());
    for after in [selected.path(), all.path()] {
        let output = script("run_examples.py", &[&examples, after]);
        if !output.status.success() {
            complaints.push(failures(&output));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn a_decoder_written_by_hand_and_its_fast_form_give_the_same_logits() {
    for (written, fast_form, right, wrong) in [
        ("decoder_by_hand.py", "decoder_fast.py", "here >= there", "here > there"),
        ("decoder_in_helpers.py", "decoder_in_helpers_fast.py", "offset=start", "offset=start + 1"),
    ] {
        let (by_hand, fast) = (temporary_folder(), temporary_folder());
        for (folder, program) in [(&by_hand, format!("examples/models/{written}")), (&fast, format!("tests/python/{fast_form}"))] {
            let models = folder.path().join("models");
            fs::create_dir(&models).expect("a temporary folder can be written");
            fs::write(models.join("decoder.py"), read(&root().join(program))).expect("a temporary folder can be written");
        }
        let compared = || script("run_examples.py", &[by_hand.path(), fast.path()]);
        let output = compared();
        assert!(output.status.success(), "{}", failures(&output));
        replace(&fast.path().join("models/decoder.py"), right, wrong);
        assert!(!compared().status.success(), "{fast_form} with {wrong} was taken for right");
    }
}

#[test]
fn a_wrong_rewrite_is_noticed_under_mlx() {
    let wrong = [
        ("rms_norm/match.py", "return self.weight * output", "return self.weight * output * 1.01"),
        ("layer_norm/match.py", "keepdims=True) + 1e-6)\n", "keepdims=True) + 1e-3)\n"),
        ("attention/match.py", "if mask is not None:\n            scores += mask", "if mask is not None:\n            pass"),
        ("precise_softmax/match.py", "    probs = probs.astype(dtype)\n", ""),
        ("tolist_iteration/match.py", "vocabulary[token.item()]", "vocabulary[0]"),
        ("astype_before_eval/match.py", "table.astype(dtype)", "table"),
        ("models/llama_block.py", "self.n_heads, -1).transpose(0, 2, 1, 3)", "self.n_heads, -1).transpose(0, 2, 1, 3)[:, ::-1]"),
    ];
    for (file, right, replacement) in wrong {
        let folder = temporary_folder();
        copy_tree(&root().join("examples"), folder.path());
        replace(&folder.path().join(file), right, replacement);
        let output = script("run_examples.py", &[&root().join("examples"), folder.path()]);
        assert_eq!(output.status.code(), Some(1), "{file} with {replacement:?} in place of {right:?} was taken for right");
    }
}

#[test]
pub(super) fn mlx_lm_0_0_6_gives_the_same_logits() {
    let before = mlx_lm("0.0.6");
    let after = temporary_folder();
    copy_tree(&before.join("mlx_lm"), &after.path().join("mlx_lm"));
    mlxfix(&["--write", "--unsafe"], after.path());
    let changed = tree(&before.join("mlx_lm")) != tree(&after.path().join("mlx_lm"));
    assert!(changed, "nothing in mlx_lm 0.0.6 was rewritten");
    let output = script("model_logits.py", &[&before, after.path()]);
    assert!(output.status.success(), "{}", failures(&output));
}

/// What is wrong with the rewritten examples of one transform: a function of `match.py` that did not change, or one of `near_miss.py` that did.
fn not_as_announced(before: &Path, after: &Path) -> Vec<String> {
    let mut complaints = Vec::new();
    for (file, should_change) in [("match.py", true), ("near_miss.py", false)] {
        let (old, new) = (definitions(&read(&before.join(file))), definitions(&read(&after.join(file))));
        assert!(!old.is_empty(), "no functions in {}", before.join(file).display());
        // A helper announces nothing.
        for (name, body) in old.iter().filter(|(name, _)| !name.starts_with('_')) {
            if (new.get(name) != Some(body)) != should_change {
                let what = if should_change { "did not change" } else { "changed" };
                complaints.push(format!("{}/{file}: {name} {what}", before.file_name().unwrap_or_default().to_string_lossy()));
            }
        }
    }
    complaints
}

/// The functions and classes of a file with their text: from a line that begins one, or its first decorator, to the next.
fn definitions(source: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut name = None;
    for line in source.lines() {
        if let Some(rest) = line.strip_prefix("def ").or_else(|| line.strip_prefix("class ")) {
            name = rest.split(['(', ':']).next().map(str::to_owned);
        } else if !line.is_empty() && !line.starts_with([' ', ')', '#', ']']) {
            name = None;
        }
        if let Some(name) = &name {
            let body: &mut String = found.entry(name.clone()).or_default();
            body.push_str(line.trim_end());
            body.push('\n');
        }
    }
    found.values_mut().for_each(|body| *body = body.trim_end().to_owned());
    found
}

/// The folders of `examples` that belong to a transform.
fn ids(examples: &Path) -> Vec<String> {
    let mut ids: Vec<String> = fs::read_dir(examples)
        .expect("examples is a folder")
        .map(|entry| entry.expect("examples can be listed").path())
        .filter(|path| path.join("match.py").exists())
        .filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
        .collect();
    ids.sort();
    assert!(!ids.is_empty(), "no examples");
    ids
}

/// The unpacked wheel of one version of mlx-lm, fetched once.
pub(super) fn mlx_lm(version: &str) -> PathBuf {
    let folder = build_folder().join(format!("mlx-lm-{version}"));
    made_once(&folder, version, || {
        let package = format!("mlx-lm=={version}");
        let download = ["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", &package, "-d"];
        run("downloading mlx-lm with pip", Command::new(python()).args(download).arg(&folder));
        let wheel = folder.join(format!("mlx_lm-{version}-py3-none-any.whl"));
        run("unpacking mlx-lm", Command::new(python()).args(["-m", "zipfile", "-e"]).arg(wheel).arg(&folder));
    });
    folder
}

/// Makes a folder with what `make` puts into it, unless it was made before from the same `stamp`. Safe when several processes ask at once.
fn made_once(folder: &Path, stamp: &str, make: impl FnOnce()) {
    let lock = File::create(folder.with_extension("lock")).expect("the build folder can be written");
    lock.lock().expect("the file system has locks");
    let stamp_file = folder.join("made-from");
    if fs::read_to_string(&stamp_file).is_ok_and(|found| found == stamp) {
        return;
    }
    if folder.exists() {
        fs::remove_dir_all(folder).expect("the old folder can be removed");
    }
    make();
    fs::write(stamp_file, stamp).expect("the folder was made");
}

/// Runs the program on a path. Findings may remain, so 1 is no failure.
fn mlxfix(flags: &[&str], path: &Path) {
    let output = Command::new(env!("CARGO_BIN_EXE_mlxfix")).args(flags).arg(path).output().expect("mlxfix starts");
    assert!(matches!(output.status.code(), Some(0 | 1)), "mlxfix {flags:?} {}: {}\n{}", path.display(), output.status, text(&output));
}

/// Runs one of the scripts in `tests/python`.
fn script(name: &str, arguments: &[&Path]) -> Output {
    let script = root().join("tests/python").join(name);
    Command::new(python()).arg("-B").arg(script).args(arguments).output().expect("the Python interpreter starts")
}

/// Runs a command that must succeed.
fn run(what: &str, command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{what}: {error}"));
    assert!(output.status.success(), "{what}: {}\n{}", output.status, text(&output));
}

/// What a process wrote.
fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// What a script complained about: its lines on failures, its last line, and what it wrote to stderr.
fn failures(output: &Output) -> String {
    let stdout = String::from_utf8_lossy(&output.stdout);
    let last = stdout.lines().last().unwrap_or_default();
    let lines: Vec<&str> = stdout.lines().filter(|line| line.starts_with("FAILED")).chain([last]).collect();
    format!("{}\n{}", lines.join("\n"), String::from_utf8_lossy(&output.stderr))
}

/// Replaces text that must be there.
fn replace(path: &Path, old: &str, new: &str) {
    let source = read(path);
    assert!(source.contains(old), "{} does not hold {old:?}", path.display());
    fs::write(path, source.replace(old, new)).expect("a copy can be written");
}

fn temporary_folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder can be made")
}

fn copy_tree(from: &Path, to: &Path) {
    for (name, bytes) in tree(from) {
        let target = to.join(name);
        fs::create_dir_all(target.parent().expect("invariant: a file has a folder")).expect("a temporary folder can be written");
        fs::write(target, bytes).expect("a temporary folder can be written");
    }
}

/// The Python files below a folder with what is in them.
fn tree(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let walk = ignore::WalkBuilder::new(folder).standard_filters(false).build();
    let paths = walk.map(|entry| entry.expect("the folder can be read").into_path());
    paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "py"))
        .map(|path| {
            let name = path.strip_prefix(folder).expect("invariant: the walk stays below its folder").to_owned();
            (name, fs::read(&path).expect("the file can be read"))
        })
        .collect()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Cargo's target folder, where what is made once outlives a test run.
fn build_folder() -> PathBuf {
    let temporary = Path::new(env!("CARGO_TARGET_TMPDIR"));
    temporary.parent().unwrap_or(temporary).to_owned()
}
