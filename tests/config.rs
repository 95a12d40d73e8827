//! Configuration files: which one governs a file, what they may say, and that what is wrong in one is told at its place.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::cli::{NORM, Ran, mlxfix, put};
use super::user_rules::RULE;

/// Something for `addmm` to find, which assumes that what is added broadcasts.
const SUM: &str = "import mlx.core as mx\n\n\ndef f(a: mx.array, b: mx.array, c: mx.array):\n    return a @ b + c\n";

fn folder(files: &[(&str, &str)]) -> TempDir {
    let dir = TempDir::new().expect("a directory");
    files.iter().for_each(|(name, text)| put(dir.path(), name, text.as_bytes()));
    dir
}

/// The findings of a run in `dir`, each as its file and its transform.
fn found(dir: &Path, args: &[&str]) -> Vec<String> {
    let ran = mlxfix(dir, &[args, &["--output-format", "json-lines"]].concat());
    assert!(ran.code < 2, "{}", ran.err);
    let record = |line: &str| {
        let record: serde_json::Value = serde_json::from_str(line).expect("an object");
        let applied = if record["applied"] == true { "" } else { " (not applied)" };
        format!("{}: {}{applied}", record["file"].as_str().unwrap_or_default(), record["rule"].as_str().unwrap_or_default())
    };
    ran.out.lines().map(record).collect()
}

/// A run that fails before anything is analysed.
fn refused(dir: &Path, args: &[&str]) -> Ran {
    let ran = mlxfix(dir, args);
    assert_eq!((ran.code, &*ran.out), (2, ""), "{args:?}: {}", ran.err);
    ran
}

#[test]
fn the_closest_configuration_governs_a_file() {
    let dir = folder(&[
        ("pyproject.toml", "[project]\nname = 'x'\n\n[tool.mlxfix]\nselect = ['rms-norm']\n"),
        ("x.py", SUM),
        ("n.py", NORM),
        ("sub/mlxfix.toml", "select = ['addmm']\nunsafe = true\n"),
        ("sub/x.py", SUM),
        ("sub/n.py", NORM),
        ("sub/deep/pyproject.toml", "[project]\nname = 'y'\n"),
        ("sub/deep/x.py", SUM),
        ("both/mlxfix.toml", "ignore = ['all']\n"),
        ("both/.mlxfix.toml", "select = ['all']\n"),
        ("both/x.py", SUM),
    ]);
    let expected = ["both/x.py: addmm (not applied)", "n.py: rms-norm", "sub/deep/x.py: addmm", "sub/x.py: addmm"];
    assert_eq!(found(dir.path(), &[]), expected);
    assert_eq!(found(&dir.path().join("sub"), &["x.py"]), ["x.py: addmm"], "named files are governed too");
    let without = found(dir.path(), &["--isolated", "sub"]);
    assert_eq!(without, ["sub/deep/x.py: addmm (not applied)", "sub/n.py: rms-norm", "sub/x.py: addmm (not applied)"]);
    assert_eq!(found(dir.path(), &["--config", "pyproject.toml", "sub"]), ["sub/n.py: rms-norm"]);
}

#[test]
fn arguments_have_the_last_word() {
    let dir = folder(&[("mlxfix.toml", "select = ['rms-norm']\nignore = ['addmm']\nunsafe = true\n"), ("x.py", SUM), ("n.py", NORM)]);
    assert_eq!(found(dir.path(), &[]), ["n.py: rms-norm"]);
    assert_eq!(found(dir.path(), &["--select", "addmm"]), ["x.py: addmm"]);
    assert_eq!(found(dir.path(), &["--select", "addmm", "--no-unsafe"]), ["x.py: addmm (not applied)"]);
    assert_eq!(found(dir.path(), &["--extend-select", "addmm"]), ["n.py: rms-norm"], "what is ignored is not selected");
    assert_eq!(found(dir.path(), &["--ignore", "rms-norm"]), [""; 0]);
}

#[test]
fn a_configuration_extends_another() {
    let dir = folder(&[
        ("base.toml", "select = ['rms-norm']\nunsafe = true\nextend-exclude = ['old*']\n"),
        ("sub/mlxfix.toml", "extend = '../base.toml'\nextend-select = ['addmm']\nextend-exclude = ['/skip']\n"),
        ("sub/x.py", SUM),
        ("sub/old_x.py", SUM),
        ("sub/skip/x.py", SUM),
        ("sub/deep/skip/x.py", SUM),
    ]);
    assert_eq!(found(dir.path(), &[]), ["sub/deep/skip/x.py: addmm", "sub/x.py: addmm"]);
    put(dir.path(), "base.toml", b"extend = 'sub/mlxfix.toml'\n");
    assert!(refused(dir.path(), &[]).err.contains("base.toml:1:10: sub/mlxfix.toml extends itself"));
    // Nothing outside the project, which is the repository, or what this is run in.
    let outside = refused(&dir.path().join("sub"), &[]).err;
    assert!(outside.contains("mlxfix.toml:1:10: ../base.toml: what a configuration extends must lie inside its project"), "{outside}");
}

#[test]
fn what_a_project_leaves_out_counts_from_its_file() {
    let dir = folder(&[
        ("sub/mlxfix.toml", "unsafe = true\nexclude = ['gen/', 'x_*.py']\n"),
        ("sub/gen/x.py", SUM),
        ("sub/a/gen/x.py", SUM),
        ("sub/x_1.py", SUM),
        ("sub/dist/x.py", SUM),
        ("gen/x.py", SUM),
        ("dist/x.py", SUM),
    ]);
    assert_eq!(found(dir.path(), &[]), ["gen/x.py: addmm (not applied)", "sub/dist/x.py: addmm"], "`exclude` replaces the usual folders");
    assert_eq!(found(dir.path(), &["sub/gen/x.py"]), ["sub/gen/x.py: addmm"], "a named file is always taken");
}

#[test]
fn the_current_directory_governs_the_run_as_a_whole() {
    let dir = folder(&[
        ("mlxfix.toml", "output-format = 'json'\nrespect-gitignore = false\n"),
        (".gitignore", "made.py\n"),
        (".git/HEAD", "ref: refs/heads/main\n"),
        ("made.py", NORM),
    ]);
    let ran = mlxfix(dir.path(), &[]);
    assert!(ran.out.starts_with("[\n  {") && ran.out.contains("\"file\":\"made.py\""), "{}", ran.out);
    assert_eq!(mlxfix(dir.path(), &["--output-format", "diff", "--no-respect-gitignore"]).out, mlxfix(dir.path(), &["--isolated", "made.py"]).out);
    assert_eq!(mlxfix(dir.path(), &["--isolated"]).out, "");
}

#[test]
fn rules_of_a_project_are_read_where_it_says() {
    let dir = folder(&[
        (".git/HEAD", "ref: refs/heads/main\n"),
        ("conf/mlxfix.toml", "rules = ['../rules/log_add_exp.py']\nselect = ['log-add-exp']\n"),
        ("rules/log_add_exp.py", RULE),
        ("conf/x.py", "import mlx.core as mx\n\n\ndef f(a: mx.array, b: mx.array):\n    return mx.log(mx.exp(a) + mx.exp(b))\n"),
    ]);
    assert_eq!(found(dir.path(), &["conf"]), ["conf/x.py: log-add-exp"]);
    let here = dir.path().join("conf");
    assert!(mlxfix(&here, &["list"]).out.contains("\nlog-add-exp  "));
    assert!(mlxfix(&here, &["why", "x.py", "--select", "log-add-exp"]).code == 0);
    assert_eq!(found(&here, &["--rule", "../rules/log_add_exp.py"]), ["conf/x.py: log-add-exp"], "one rule may be named twice");
    put(&here, "mlxfix.toml", b"rules = ['../rules/log_add_exp.py']\n");
    assert_eq!(found(dir.path(), &["--rule", "rules/log_add_exp.py"]), ["conf/x.py: log-add-exp"], "a rule does not rewrite itself");

    fs::remove_dir_all(dir.path().join(".git")).expect("removed");
    let outside = refused(dir.path(), &["conf"]);
    assert!(
        outside.err.contains("conf/mlxfix.toml:1:10: ../rules/log_add_exp.py: a rule that a configuration names must lie inside its project"),
        "{}",
        outside.err
    );
    put(dir.path(), "rules/log_add_exp.py", RULE.replace("def after(", "def behind(").as_bytes());
    assert!(
        refused(dir.path(), &["conf", "--isolated", "--rule", "rules/log_add_exp.py"])
            .err
            .contains("rules/log_add_exp.py:12:1: a rule needs a function `after`")
    );
}

#[test]
fn what_is_wrong_is_told_at_its_place() {
    for (text, told) in [
        ("selct = []\n", "mlxfix.toml:1:1: unknown field `selct`, expected one of `extend`, `select`"),
        ("select = [1]\n", "mlxfix.toml:1:11: invalid type: integer `1`, expected a string"),
        ("select = ['addmm',\n  'rms-nrm']\n", "mlxfix.toml:2:3: there is no transform \"rms-nrm\"; did you mean \"rms-norm\"?"),
        ("ignore = ['x-y-z']\n", "mlxfix.toml:1:11: there is no transform \"x-y-z\"; `mlxfix list` names them all"),
        ("extend-select = ['é', 'no']\n", "mlxfix.toml:1:18: there is no transform \"é\""),
        ("[select\n", "mlxfix.toml:1:8: "),
        ("output-format = 'xml'\n", "mlxfix.toml:1:17: there is no output format \"xml\"; there are diff, json, json-lines"),
        ("required-version = '>=99'\n", "mlxfix.toml:1:20: this project wants mlxfix >=99, and this is "),
        ("required-version = 'new'\n", "mlxfix.toml:1:20: a version is written as"),
        ("exclude = ['a{']\n", "mlxfix.toml:1:12: this pattern is not valid: "),
        ("exclude = ['!a']\n", "mlxfix.toml:1:12: this pattern names nothing to leave out"),
        ("rules = ['no.py']\n", "mlxfix.toml:1:10: cannot read no.py: "),
        ("extend = 'no.toml'\n", "mlxfix.toml:1:10: cannot read no.toml: "),
        ("unsafe = 1\n", "mlxfix.toml:1:10: invalid type: integer `1`, expected a boolean"),
    ] {
        let dir = folder(&[("mlxfix.toml", text), ("x.py", SUM)]);
        let ran = refused(dir.path(), &[]);
        assert!(ran.err.starts_with(&format!("error: {told}")), "{text}: {}", ran.err);
        let ran = refused(dir.path(), &["x.py"]);
        assert!(ran.err.starts_with(&format!("error: {told}")), "{text}: {}", ran.err);
    }
    let dir = folder(&[("pyproject.toml", "[tool.mlxfix]\nselect = []\nunknown = 1\n"), ("x.py", SUM)]);
    assert!(refused(dir.path(), &[]).err.starts_with("error: pyproject.toml:3:1: unknown field `unknown`"));
    for (args, told) in [
        (&["--config", "no.toml"][..], "no.toml: cannot read this configuration"),
        (&["--config", "x.py"], "x.py:1:"),
        (&["--isolated", "--config", "x"], "cannot be used with"),
    ] {
        assert!(refused(dir.path(), args).err.contains(told), "{args:?}");
    }
}

/// What is slower on a CPU, what came with MLX 0.24.1, and what is the same everywhere.
const PLATFORM: &str = "import mlx.core as mx\n\n\ndef f(x: mx.array):\n    return mx.softmax(x.astype(mx.float32), axis=-1).astype(x.dtype)\n\n\n\
                        def g():\n    mx.metal.clear_cache()\n";

#[test]
fn nothing_is_proposed_that_is_slower_on_the_target() {
    let dir = folder(&[("x.py", PLATFORM), ("cpu/x.py", PLATFORM), ("cpu/mlxfix.toml", "target = 'cpu'\n")]);
    let everywhere = ["cpu/x.py: deprecated-api", "x.py: precise-softmax", "x.py: deprecated-api"];
    assert_eq!(found(dir.path(), &[]), everywhere);
    assert_eq!(found(dir.path(), &["--target", "cpu", "x.py"]), ["x.py: deprecated-api"]);
    assert_eq!(found(dir.path(), &["--target", "cuda", "cpu"]), ["cpu/x.py: precise-softmax", "cpu/x.py: deprecated-api"]);
    let why = mlxfix(dir.path(), &["why", "--target", "cpu", "x.py"]).out;
    assert!(why.contains("precise-softmax: would apply, but it does not pay on cpu: 0.51 to 0.59 of the speed"), "{why}");
    let wrong = folder(&[("mlxfix.toml", "\ntarget = 'tpu'\n"), ("x.py", PLATFORM)]);
    assert!(refused(wrong.path(), &[]).err.contains("mlxfix.toml:2:10: there is no target \"tpu\"; there are metal, cuda, cpu"));
}

#[test]
fn nothing_is_brought_in_that_the_projects_mlx_lacks() {
    let project = |requirement: &str| format!("[project]\nname = 'x'\ndependencies = ['numpy', \"{requirement}\"]\n");
    let dir = folder(&[
        ("old/pyproject.toml", &project("mlx>=0.22")),
        ("old/deep/x.py", PLATFORM),
        ("new/pyproject.toml", &project("mlx[cuda] >=0.25.1, <1; sys_platform == 'linux'")),
        ("new/x.py", PLATFORM),
        ("said/pyproject.toml", &format!("{}[tool.mlxfix]\nmlx-version = '0.24.1'\n", project("mlx>=0.22"))),
        ("said/x.py", PLATFORM),
    ]);
    let all = ["new/x.py: precise-softmax", "new/x.py: deprecated-api", "old/deep/x.py: precise-softmax", "said/x.py: precise-softmax"];
    assert_eq!(found(dir.path(), &[]), [&all[..], &["said/x.py: deprecated-api"]].concat());
    assert_eq!(found(dir.path(), &["--mlx-version", "0.24", "new"]), ["new/x.py: precise-softmax"], "the argument has the last word");
    assert_eq!(found(dir.path(), &["--isolated", "old"]).len(), 2, "nothing is read of the project");
    let why = mlxfix(dir.path(), &["why", "old/deep/x.py"]).out;
    assert!(why.contains("`mx.clear_cache` is there since MLX 0.24.1, and the code must run on 0.22"), "{why}");
}

#[test]
fn the_version_is_read_from_each_file_that_a_project_may_name_it_in() {
    let setup = "from setuptools import setup\n\nOLDEST = '0.24.1'\nsetup(name='x', install_requires=['numpy', f'mlx>={OLDEST}; sys_platform == \"darwin\"'])\n";
    let dir = folder(&[
        ("pyproject.toml", "[project]\nname = 'x'\ndependencies = ['mlx>=0.30']\n"),
        ("a/requirements.txt", "numpy\nmlx==0.22.1  # for masks\n"),
        ("a/x.py", PLATFORM),
        ("b/setup.py", setup),
        ("b/deep/x.py", PLATFORM),
        ("c/requirements.txt", "mlx==0.30.1\n"),
        ("c/setup.cfg", "[options]\ninstall_requires =\n    mlx>=0.22\n"),
        ("c/x.py", PLATFORM),
        ("d/requirements.txt", "mlx>=0.11\n"),
        ("d/x.py", PLATFORM),
    ]);
    let found = found(dir.path(), &["--select", "deprecated-api"]);
    assert_eq!(
        found,
        ["b/deep/x.py: deprecated-api", "d/x.py: deprecated-api"],
        "the oldest of a folder counts, and a folder that says nothing is passed"
    );
}

#[test]
fn the_version_is_read_from_what_was_built_of_a_project() {
    let metadata = |needs: &str| format!("Metadata-Version: 2.1\nName: x\nRequires-Dist: numpy\nRequires-Dist: {needs}\n\nA package for mlx.\n");
    let dir = folder(&[
        ("site/old-1.0.dist-info/METADATA", &metadata("mlx==0.17.3")),
        ("site/old-1.0.dist-info/RECORD", "old/x.py,sha256=0,1\nold-1.0.dist-info/METADATA,,\none.py,,\n../bin/old,,\n"),
        ("site/old/x.py", PLATFORM),
        ("site/old/deep/x.py", PLATFORM),
        ("site/new-2.dist-info/METADATA", &metadata("mlx>=0.30; sys_platform == 'darwin'")),
        ("site/new-2.dist-info/RECORD", "new/x.py,,\nshared/new/x.py,,\n"),
        ("site/new-2.dist-info/top_level.txt", "old\n"),
        ("site/new/x.py", PLATFORM),
        ("site/named-1.dist-info/METADATA", &metadata("mlx>=0.22")),
        ("site/named-1.dist-info/top_level.txt", "named\nshared\n"),
        ("site/named/x.py", PLATFORM),
        ("site/shared/new/x.py", PLATFORM),
        ("site/extra-1.dist-info/METADATA", &metadata("mlx>=0.22; extra == 'all'")),
        ("site/extra-1.dist-info/top_level.txt", "extra\n"),
        ("site/extra/x.py", PLATFORM),
        ("unknown/x.py", PLATFORM),
        ("source-1.0/PKG-INFO", &metadata("mlx>=0.20")),
        ("source-1.0/source/x.py", PLATFORM),
    ]);
    let left: Vec<String> = found(dir.path(), &["--select", "deprecated-api"]);
    assert_eq!(left, ["site/extra/x.py: deprecated-api", "site/new/x.py: deprecated-api", "unknown/x.py: deprecated-api"]);
}

/// What an older MLX has, but not with what is passed to it here.
const PASSED: &str = "import mlx.core as mx\n\n\ndef attend(q: mx.array, k: mx.array, v: mx.array, keep: mx.array):\n    \
                      scores = mx.where(keep, (q * 0.125) @ k.transpose(0, 1, 3, 2), -mx.inf)\n    return mx.softmax(scores, axis=-1) @ v\n\n\n\
                      def norm(x: mx.array):\n    return x * mx.rsqrt(mx.mean(x * x, axis=-1, keepdims=True) + 1e-5)\n";

#[test]
fn a_function_is_not_given_what_an_older_one_refuses() {
    let dir = folder(&[("x.py", PASSED)]);
    let (attention, norm) = ("x.py: attention (not applied)", "x.py: rms-norm");
    for (version, expected) in [("0.20", &[][..]), ("0.22", &[attention]), ("0.23.2", &[attention, norm])] {
        assert_eq!(found(dir.path(), &["--select", "attention,rms-norm", "--mlx-version", version]), expected, "{version}");
    }
    let why = mlxfix(dir.path(), &["why", "--mlx-version", "0.20", "x.py"]).out;
    assert!(why.contains("a mask of truth values is there since MLX 0.22.0, and the code must run on 0.20"), "{why}");
    assert!(why.contains("an `mx.fast.rms_norm` without a weight is there since MLX 0.23.2"), "{why}");
}

#[test]
fn nothing_is_advised_that_the_projects_mlx_lacks() {
    let loop_over_lengths = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/transforms/clear_cache.py")).expect("a file of this repository");
    let dir = folder(&[("x.py", &loop_over_lengths)]);
    let advised = |version: &str| found(dir.path(), &["--select", "clear-cache", "--mlx-version", version]);
    assert_eq!(advised("0.24.1"), ["x.py: clear-cache (not applied)"]);
    assert_eq!(advised("0.24.0"), [""; 0]);
    let why = mlxfix(dir.path(), &["why", "--mlx-version", "0.24", "--select", "clear-cache", "x.py"]).out;
    assert!(why.contains("`mx.clear_cache` is there since MLX 0.24.1, and the code must run on 0.24"), "{why}");
}
