//! What packages that are installed or unpacked say of the MLX that they depend on, in the `.dist-info` beside their folders. It looks into a folder once, and for
//! files that speak of MLX only.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::platform::Version;
use crate::requirements;

use super::configuration::text_about_mlx;
use super::read::small_file;

/// For each folder met so far the packages in it, by their names, with the oldest MLX that they admit. Many distributions share one such folder.
#[derive(Default)]
pub(super) struct Installed {
    beside: HashMap<PathBuf, HashMap<String, Version>>,
}

impl Installed {
    /// The oldest MLX that the package with the full name `folder` admits, by what lies beside it.
    pub(super) fn oldest_mlx_of(&mut self, folder: &Path) -> Option<Version> {
        let (parent, name) = (folder.parent()?, folder.file_name()?.to_str()?);
        if !self.beside.contains_key(parent) {
            self.beside.insert(parent.to_path_buf(), packages_in(parent));
        }
        self.beside.get(parent)?.get(name).cloned()
    }
}

/// The packages of the distributions in `folder` that say which MLX they need; of a package of several of them, the oldest that one admits.
fn packages_in(folder: &Path) -> HashMap<String, Version> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut packages: HashMap<String, Version> = HashMap::new();
    for info in entries.filter(|path| path.extension().is_some_and(|extension| extension == "dist-info")) {
        let oldest = text_about_mlx(&info.join("METADATA")).and_then(|text| requirements::oldest_mlx_in("METADATA", &text));
        let Some(oldest) = oldest else { continue };
        for name in folders_of(&info) {
            packages.entry(name).and_modify(|known| *known = oldest.clone().min(known.clone())).or_insert_with(|| oldest.clone());
        }
    }
    packages
}

/// The folders beside `info` that belong to its distribution: those of the files that it lists, else those that it names.
fn folders_of(info: &Path) -> Vec<String> {
    let text = |name: &str| String::from_utf8(small_file(&info.join(name)).ok()?).ok();
    let recorded = text("RECORD").map(|record| requirements::folders_in(&record).map(str::to_owned).collect::<Vec<_>>());
    let mut folders = recorded.or_else(|| Some(text("top_level.txt")?.lines().map(|line| line.trim().to_owned()).collect())).unwrap_or_default();
    folders.sort_unstable();
    folders.dedup();
    folders
}
