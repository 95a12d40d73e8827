//! The names of a file: the full one it is opened by, and the one users read. A diff is applied at the root of a repository, so names count from there.

use std::path::{Path, PathBuf};

/// One file by all its names.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Place {
    /// The full name, without symbolic links: what is opened and replaced.
    pub path: PathBuf,
    /// From the root of the git repository that holds the file, else from the current directory, else the full name without its leading `/`.
    pub shown: PathBuf,
    /// From the current directory if below it, else the full name: for messages in a terminal.
    pub near: PathBuf,
    /// Symbolic links to it among the files that are looked at, each as users read it and in full.
    pub links: Vec<(PathBuf, PathBuf)>,
}

/// Names files as seen from the current directory.
#[derive(Clone, Debug)]
pub struct Places {
    here: PathBuf,
}

impl Places {
    /// Seen from the current directory. Where that is gone, names stay whole.
    pub fn new() -> Self {
        Self { here: std::env::current_dir().and_then(|dir| dir.canonicalize()).unwrap_or_default() }
    }

    /// The current directory, without symbolic links.
    pub fn here(&self) -> &Path {
        &self.here
    }

    /// The names of the file with the full name `path`.
    pub fn name(&self, path: &Path) -> Place {
        let below = |root: &Path| path.strip_prefix(root).ok().filter(|rest| !rest.as_os_str().is_empty());
        let here = Some(&*self.here).filter(|here| !here.as_os_str().is_empty()).and_then(below);
        let near = here.unwrap_or(path).to_path_buf();
        let rootless = || path.components().filter(|part| matches!(part, std::path::Component::Normal(_))).collect();
        let shown = repository_of(path).and_then(below).or(here).map_or_else(rootless, Path::to_path_buf);
        Place { path: path.to_path_buf(), shown, near, links: Vec::new() }
    }
}

impl Default for Places {
    fn default() -> Self {
        Self::new()
    }
}

/// The nearest directory above `path` that holds `.git`: a directory, or a file in worktrees and submodules.
pub(super) fn repository_of(path: &Path) -> Option<&Path> {
    path.ancestors().skip(1).find(|dir| dir.join(".git").exists())
}
