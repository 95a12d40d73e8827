//! Which files have changes that version control does not hold: to write those would mix our edits with the user's work, and no command brings that back.
//! git itself is asked, by its program: it alone knows the user's settings, worktrees, submodules and sparse checkouts, and whoever has a repository has it.
//! No hook and no monitor of the repository is run for it. A file outside of any repository, or that git is told to ignore, is nobody's to hold.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::place::repository_of;

/// So many names are passed to git at most; for more it is asked of all files at once.
const MOST_NAMES: usize = 200;
/// So many files are named in a message.
const MOST_TOLD: usize = 10;

/// Which files may be written although version control does not hold what is in them.
#[derive(Clone, Copy, Default, Debug)]
pub struct Allowed {
    /// All of them.
    pub dirty: bool,
    /// Those of which all changes are staged.
    pub staged: bool,
    /// Those of which git cannot tell.
    pub no_vcs: bool,
}

/// How a file differs from what version control holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// All changes are in the index.
    Staged,
    /// Some are in the file alone.
    Changed,
    /// The file was never added.
    Untracked,
}

/// Those of `files`, each with its full name, that may not be written, in their order, and how they differ. An error is a repository that cannot be asked.
pub(super) fn uncommitted(files: &[&PathBuf], allowed: Allowed) -> Result<Vec<(PathBuf, &'static str)>, String> {
    if allowed.dirty {
        return Ok(Vec::new());
    }
    let mut repositories: BTreeMap<&Path, Vec<&PathBuf>> = BTreeMap::new();
    for file in files {
        if let Some(root) = repository_of(file) {
            repositories.entry(root).or_default().push(file);
        }
    }
    let mut found = Vec::new();
    for (root, files) in repositories {
        let states = match states(root, &files) {
            Ok(states) => states,
            Err(_) if allowed.no_vcs => continue,
            Err(why) => {
                let what = format!("git cannot say whether files in {} have uncommitted changes: {why}", root.display());
                return Err(format!("{what}; nothing was written. --allow-no-vcs writes them without asking"));
            }
        };
        let refused = files.into_iter().filter_map(|file| match states.get(file)? {
            State::Staged if allowed.staged => None,
            State::Staged => Some((file.clone(), "staged")),
            State::Changed => Some((file.clone(), "changed")),
            State::Untracked => Some((file.clone(), "untracked")),
        });
        found.extend(refused);
    }
    found.sort();
    Ok(found)
}

/// What to say where `files`, as the user reads their names, would be written and may not be.
pub(super) fn refusal(files: &[(PathBuf, &'static str)]) -> String {
    let mut told: Vec<String> = files.iter().take(MOST_TOLD).map(|(file, state)| format!("  {} ({state})", file.display())).collect();
    if files.len() > MOST_TOLD {
        told.push(format!("  and {} more", files.len() - MOST_TOLD));
    }
    let staged = if files.iter().all(|f| f.1 == "staged") { "--allow-staged" } else { "--allow-dirty" };
    let those = if files.len() == 1 { "this file" } else { "these files" };
    let told = told.join("\n");
    format!("git does not hold all that is in {those}, so nothing was written:\n{told}\nCommit first, or write all the same with {staged}")
}

/// The files below `root` that differ from what its repository holds: `files`, or more.
fn states(root: &Path, files: &[&PathBuf]) -> Result<BTreeMap<PathBuf, State>, String> {
    // No monitor of the repository is run; a content filter that its own settings name is, as by any `git status`. A hook that runs us has variables that mean
    // its own repository.
    let mut git = Command::new("git");
    git.args(["--no-optional-locks", "--literal-pathspecs", "-c", "core.fsmonitor=false", "-C"]).arg(root);
    git.args(["status", "--porcelain=v1", "-z", "--no-renames", "--untracked-files=all", "--ignore-submodules=all", "--"]);
    if files.len() <= MOST_NAMES {
        git.args(files);
    }
    let variables = ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR", "GIT_NAMESPACE"];
    variables.iter().for_each(|name| _ = git.env_remove(name));
    git.env("LC_ALL", "C");
    if let Some(above) = root.parent() {
        git.env("GIT_CEILING_DIRECTORIES", above);
    }
    let output =
        git.output().map_err(|e| if e.kind() == io::ErrorKind::NotFound { "there is no program `git`".to_owned() } else { e.to_string() })?;
    if output.status.success() { Ok(entries(root, &output.stdout)) } else { complaint(&output) }
}

/// What git complains of. That there is no repository, whatever a `.git` looks like, is an answer.
fn complaint(output: &Output) -> Result<BTreeMap<PathBuf, State>, String> {
    let said = String::from_utf8_lossy(&output.stderr);
    if said.contains("not a git repository") || said.contains("must be run in a work tree") {
        return Ok(BTreeMap::new());
    }
    let first = said.lines().find(|line| !line.trim().is_empty()).unwrap_or("it failed");
    Err(first.chars().filter(|c| !c.is_control()).take(300).collect())
}

/// What `git status --porcelain=v1 -z --no-renames` says: two letters, for the index and the file, a space, and a name that counts from the root.
fn entries(root: &Path, status: &[u8]) -> BTreeMap<PathBuf, State> {
    let entry = |entry: &[u8]| {
        let (&[index, file, _], name) = entry.split_first_chunk()?;
        let state = match (index, file) {
            (b'?', _) => State::Untracked,
            (_, b' ') => State::Staged,
            _ => State::Changed,
        };
        Some((root.join(path(name)), state))
    };
    status.split(|&byte| byte == 0).filter_map(entry).collect()
}

#[cfg(unix)]
fn path(name: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    std::ffi::OsStr::from_bytes(name).into()
}

#[cfg(not(unix))]
fn path(name: &[u8]) -> PathBuf {
    String::from_utf8_lossy(name).into_owned().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_entry_of_a_status_is_read_whatever_its_name_looks_like() {
        let read = entries(Path::new("/r"), b"M  a.py\0 M b c.py\0MM d\n.py\0?? e -> f.py\0UU g.py\0D  h.py\0");
        let told: Vec<_> = read.iter().map(|(path, state)| (path.to_str().expect("text"), *state)).collect();
        let expected = [
            ("/r/a.py", State::Staged),
            ("/r/b c.py", State::Changed),
            ("/r/d\n.py", State::Changed),
            ("/r/e -> f.py", State::Untracked),
            ("/r/g.py", State::Changed),
            ("/r/h.py", State::Staged),
        ];
        assert_eq!(told, expected);
    }
}
