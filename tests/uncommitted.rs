//! Files whose content version control does not hold are not written, in real repositories of every kind that git has.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::cli::{NORM, Ran, folder, mlxfix, put};

/// Run git in `dir`, with no settings but its own.
fn git(dir: &Path, args: &[&str]) {
    let settings = ["user.name=A", "user.email=a@example.org", "protocol.file.allow=always", "init.defaultBranch=main", "core.autocrlf=false"];
    let mut git = Command::new("git");
    settings.iter().for_each(|setting| _ = git.args(["-c", setting]));
    let none = if cfg!(windows) { "NUL" } else { "/dev/null" };
    git.args(args).current_dir(dir).env("GIT_CONFIG_GLOBAL", none).env("GIT_CONFIG_SYSTEM", none).env_remove("GIT_DIR").env_remove("GIT_INDEX_FILE");
    let output = git.output().expect("git runs");
    assert!(output.status.success(), "git {args:?}: {output:?}");
}

/// A repository in which `a.py` and `sub/b.py` are committed.
fn repository() -> TempDir {
    let dir = folder(&[("a.py", NORM.as_bytes()), ("sub/b.py", NORM.as_bytes()), ("notes.txt", b"n\n"), (".gitignore", b"made.py\n")]);
    git(dir.path(), &["init", "-q"]);
    commit(dir.path());
    dir
}

fn commit(dir: &Path) {
    git(dir, &["add", "-A"]);
    git(dir, &["commit", "-q", "-m", "all"]);
}

/// The text of `name`, with a line of the user's.
fn touch(dir: &Path, name: &str) {
    let text = fs::read_to_string(dir.join(name)).unwrap_or_else(|_| NORM.to_owned());
    put(dir, name, format!("{text}# mine\n").as_bytes());
}

fn is_written(dir: &Path, name: &str) -> bool {
    fs::read_to_string(dir.join(name)).expect("read").contains("mx.fast.rms_norm(")
}

/// `ran` was refused for `told`, and none of `names` was written.
fn assert_refused(dir: &Path, ran: &Ran, told: &[&str], names: &[&str]) {
    assert_eq!((ran.code, &*ran.out), (2, ""), "{}", ran.err);
    assert!(ran.err.contains("nothing was written"), "{}", ran.err);
    told.iter().for_each(|told| assert!(ran.err.contains(told), "no {told:?} in {}", ran.err));
    names.iter().for_each(|name| assert!(!is_written(dir, name), "{name} was written"));
}

fn assert_written(dir: &Path, ran: &Ran, names: &[&str]) {
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    names.iter().for_each(|name| assert!(is_written(dir, name), "{name} was not written: {}", ran.err));
}

#[test]
fn what_is_committed_is_written() {
    let dir = repository();
    assert_written(dir.path(), &mlxfix(dir.path(), &["--write"]), &["a.py", "sub/b.py"]);
    let again = mlxfix(dir.path(), &["--write"]);
    assert_eq!(again.code, 0, "where nothing is left to write, nothing is asked: {}", again.err);
}

#[test]
fn a_file_with_changes_is_not_written_nor_is_any_other() {
    let dir = repository();
    touch(dir.path(), "a.py");
    let told = ["  a.py (changed)", "Commit first", "--allow-dirty"];
    assert_refused(dir.path(), &mlxfix(dir.path(), &["--write"]), &told, &["a.py", "sub/b.py"]);
    assert_refused(dir.path(), &mlxfix(dir.path(), &["--write", "--exit-zero", "a.py"]), &told, &["a.py"]);
    let from_below = mlxfix(&dir.path().join("sub"), &["--write", ".."]);
    assert!(from_below.code == 2 && from_below.err.contains("a.py (changed)"), "{}", from_below.err);
    assert_eq!(mlxfix(dir.path(), &[]).code, 1, "a dry run shows what it would do");
    assert_written(dir.path(), &mlxfix(dir.path(), &["--write", "--allow-dirty"]), &["a.py", "sub/b.py"]);
    assert!(fs::read_to_string(dir.path().join("a.py")).expect("read").ends_with("# mine\n"));
}

#[test]
fn only_files_that_would_be_written_matter() {
    let dir = repository();
    put(dir.path(), "plain.py", b"import mlx.core as mx\n");
    put(dir.path(), "notes.txt", b"other\n");
    touch(dir.path(), "a.py");
    assert_written(dir.path(), &mlxfix(dir.path(), &["--write", "sub", "plain.py"]), &["sub/b.py"]);
}

#[test]
fn staged_changes_are_changes_unless_they_are_allowed() {
    let dir = repository();
    touch(dir.path(), "a.py");
    git(dir.path(), &["add", "a.py"]);
    assert_refused(dir.path(), &mlxfix(dir.path(), &["--write"]), &["  a.py (staged)", "--allow-staged"], &["a.py", "sub/b.py"]);
    touch(dir.path(), "a.py");
    let both = mlxfix(dir.path(), &["--write", "--allow-staged"]);
    assert_refused(dir.path(), &both, &["  a.py (changed)", "--allow-dirty"], &["a.py", "sub/b.py"]);
    git(dir.path(), &["add", "a.py"]);
    assert_written(dir.path(), &mlxfix(dir.path(), &["--write", "--allow-staged"]), &["a.py", "sub/b.py"]);
}

#[test]
fn a_file_that_was_never_added_is_not_written_unless_git_is_told_to_ignore_it() {
    let dir = repository();
    put(dir.path(), "new/d\u{e9} \"1\".py", NORM.as_bytes());
    let ran = mlxfix(dir.path(), &["--write"]);
    assert_refused(dir.path(), &ran, &["d\u{e9} \"1\".py (untracked)"], &["a.py", "new/d\u{e9} \"1\".py"]);
    put(dir.path(), "made.py", NORM.as_bytes());
    assert_written(dir.path(), &mlxfix(dir.path(), &["--write", "made.py"]), &["made.py"]);
}

#[test]
fn many_files_are_asked_about_at_once_and_few_are_named() {
    let dir = repository();
    for n in 0..250 {
        put(dir.path(), &format!("many/m{n:03}.py"), NORM.as_bytes());
    }
    assert_refused(dir.path(), &mlxfix(dir.path(), &["--write"]), &["m000.py (untracked)", "m009.py (untracked)", "  and 240 more"], &["a.py"]);
    commit(dir.path());
    assert_written(dir.path(), &mlxfix(dir.path(), &["--write"]), &["a.py", "many/m249.py"]);
}

#[test]
fn each_file_is_asked_about_in_its_own_repository() {
    let (dir, other) = (repository(), repository());
    git(dir.path(), &["submodule", "--quiet", "add", other.path().to_str().expect("text"), "module"]);
    commit(dir.path());
    git(dir.path(), &["worktree", "add", "-q", "-b", "side", "tree"]);
    put(dir.path(), ".git/info/exclude", b"tree\n");
    assert!(dir.path().join("module/.git").is_file() && dir.path().join("tree/.git").is_file());
    for place in ["module", "tree"] {
        touch(&dir.path().join(place), "a.py");
        let at = format!("{place}/a.py");
        assert_refused(dir.path(), &mlxfix(dir.path(), &["--write", "a.py", place]), &[&format!("  {at} (changed)")], &["a.py", &at]);
        git(&dir.path().join(place), &["checkout", "-q", "a.py"]);
    }
    touch(dir.path(), "a.py");
    let ran = mlxfix(dir.path(), &["--write", "module", "tree"]);
    assert_written(dir.path(), &ran, &["module/a.py", "module/sub/b.py", "tree/a.py"]);
}

#[test]
fn outside_of_a_repository_there_is_nobody_to_ask() {
    let dir = folder(&[("a.py", NORM.as_bytes()), ("b/c.py", NORM.as_bytes()), ("b/.git/note", b"no repository\n")]);
    assert_written(dir.path(), &mlxfix(dir.path(), &["--write"]), &["a.py", "b/c.py"]);
}

#[test]
fn a_hook_that_runs_it_does_not_lead_it_into_another_repository() {
    let (dir, other) = (repository(), repository());
    touch(dir.path(), "a.py");
    let mut command = Command::new(env!("CARGO_BIN_EXE_mlxfix"));
    command.args(["--write"]).current_dir(dir.path()).env("GIT_DIR", other.path().join(".git")).env("GIT_WORK_TREE", other.path());
    let output = command.env("GIT_INDEX_FILE", other.path().join(".git/index")).output().expect("starts");
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && err.contains("  a.py (changed)"), "{err}");
}

#[cfg(unix)]
#[test]
fn without_git_the_files_of_a_repository_are_written_only_if_that_is_allowed() {
    let (dir, nowhere) = (repository(), folder(&[("a.py", NORM.as_bytes())]));
    let run = |dir: &Path, args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_mlxfix")).args(args).current_dir(dir).env("PATH", "/nonexistent").output().expect("starts");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        Ran { code: output.status.code().expect("an exit code"), out: text(output.stdout), err: text(output.stderr) }
    };
    assert_refused(dir.path(), &run(dir.path(), &["--write"]), &["there is no program `git`", "--allow-no-vcs"], &["a.py", "sub/b.py"]);
    assert_written(dir.path(), &run(dir.path(), &["--write", "--allow-no-vcs"]), &["a.py", "sub/b.py"]);
    assert_written(nowhere.path(), &run(nowhere.path(), &["--write"]), &["a.py"]);
}

#[cfg(unix)]
#[test]
fn no_monitor_of_the_repository_is_run() {
    use std::os::unix::fs::PermissionsExt;
    let dir = repository();
    put(dir.path(), ".git/trap", b"#!/bin/sh\ntouch \"$(dirname \"$0\")/../executed\"\n");
    fs::set_permissions(dir.path().join(".git/trap"), PermissionsExt::from_mode(0o755)).expect("a program");
    git(dir.path(), &["config", "core.fsmonitor", dir.path().join(".git/trap").to_str().expect("text")]);
    touch(dir.path(), "a.py");
    assert_refused(dir.path(), &mlxfix(dir.path(), &["--write"]), &["  a.py (changed)"], &["a.py"]);
    assert!(!dir.path().join("executed").exists());
}
