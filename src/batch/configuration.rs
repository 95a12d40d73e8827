//! Finds the configuration of each file: the closest one above it, without merging it with others, unless it names one that it extends.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ignore::gitignore::{Gitignore, GitignoreBuilder};

use crate::config::{self, Config, Word};
use crate::platform::Version;
use crate::requirements;

use super::guard::on_deep_stack;
use super::installed::Installed;
use super::place::{Places, repository_of};
use super::read::small_file;

/// The files of a folder that may be a configuration, the one that counts most first.
const NAMES: [&str; 3] = [".mlxfix.toml", "mlxfix.toml", "pyproject.toml"];

/// Where configuration comes from.
#[derive(Clone, Debug)]
pub enum Lookup {
    /// For each file, from the closest folder above it that has one.
    Closest,
    /// From this file, for all.
    Only(PathBuf),
    /// From nowhere.
    Isolated,
}

/// A configuration file that was read.
#[derive(Debug)]
pub struct Configuration {
    /// Its full name.
    pub path: PathBuf,
    /// What it says.
    pub config: Config,
    /// The files of the rules that it names.
    pub rules: Vec<PathBuf>,
    excluded: Vec<Gitignore>,
}

impl Configuration {
    /// Whether the usual folders are left out besides what this configuration leaves out.
    pub(super) fn keeps_usual(&self) -> bool {
        self.config.exclude.is_none()
    }

    /// Whether the file or folder at `path` is left out.
    pub(super) fn excludes(&self, path: &Path, is_folder: bool) -> bool {
        self.excluded.iter().any(|patterns| path.starts_with(patterns.path()) && patterns.matched(path, is_folder).is_ignore())
    }
}

/// What governs a folder, or why that cannot be told; the message begins with its place.
type Found = Result<Option<Arc<Configuration>>, String>;

/// The configurations met so far.
pub struct Configurations {
    lookup: Lookup,
    places: Places,
    known: Mutex<HashMap<PathBuf, Found>>,
    projects: Mutex<Projects>,
}

/// The oldest MLX that the projects met so far admit.
#[derive(Default)]
struct Projects {
    known: HashMap<PathBuf, Option<Version>>,
    installed: Installed,
}

impl Configurations {
    /// None met so far.
    pub fn new(lookup: Lookup) -> Self {
        Self { lookup, places: Places::new(), known: Mutex::default(), projects: Mutex::default() }
    }

    /// What governs the current directory, and with it the run as a whole.
    pub fn of_here(&self) -> Found {
        self.of(self.places.here())
    }

    /// What governs the files of the folder with the full name `folder`.
    pub fn of(&self, folder: &Path) -> Found {
        let folder = match &self.lookup {
            Lookup::Isolated => return Ok(None),
            Lookup::Only(path) => path,
            Lookup::Closest => folder,
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known.get(folder) {
            return found.clone();
        }
        if matches!(self.lookup, Lookup::Only(_)) {
            let found = self.only(folder);
            known.insert(folder.to_path_buf(), found.clone());
            return found;
        }
        let mut passed = Vec::new();
        let mut found = Ok(None);
        for above in folder.ancestors() {
            if let Some(before) = known.get(above) {
                found = before.clone();
                break;
            }
            passed.push(above);
            found = self.inside(above);
            if !matches!(found, Ok(None)) {
                break;
            }
        }
        known.extend(passed.into_iter().map(|folder| (folder.to_path_buf(), found.clone())));
        found
    }

    /// The oldest MLX that the project of `folder` admits, by the closest folder with a file that says so.
    pub fn oldest_mlx_of(&self, folder: &Path) -> Option<Version> {
        if matches!(self.lookup, Lookup::Isolated) {
            return None;
        }
        let mut projects = self.projects.lock().unwrap_or_else(PoisonError::into_inner);
        let mut passed = Vec::new();
        let mut oldest = None;
        for above in folder.ancestors() {
            if let Some(known) = projects.known.get(above) {
                oldest = known.clone();
                break;
            }
            passed.push(above);
            oldest = oldest_mlx_inside(above).or_else(|| projects.installed.oldest_mlx_of(above));
            if oldest.is_some() || above.join(".git").exists() {
                break;
            }
        }
        projects.known.extend(passed.into_iter().map(|folder| (folder.to_path_buf(), oldest.clone())));
        oldest
    }

    /// The configuration that the user names.
    fn only(&self, path: &Path) -> Found {
        let full = path.canonicalize().map_err(|e| format!("{}: cannot read this configuration: {e}", path.display()))?;
        match self.read(&full, &mut Vec::new())? {
            Some(config) => self.finish(full, config).map(Some),
            None => Err(format!("{}: has no table [tool.mlxfix]", path.display())),
        }
    }

    /// The configuration in a folder itself.
    fn inside(&self, folder: &Path) -> Found {
        for name in NAMES {
            let path = folder.join(name);
            if let Some(config) = self.read(&path, &mut Vec::new())? {
                return self.finish(path, config).map(Some);
            }
        }
        Ok(None)
    }

    /// What the file `path` says, with what it extends; `None` if it is not there or has nothing for us.
    fn read(&self, path: &Path, extending: &mut Vec<PathBuf>) -> Result<Option<Config>, String> {
        let shown = self.places.name(path).near.display().to_string();
        let bytes = match small_file(path) {
            Ok(bytes) => bytes,
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(None),
            Err(e) => return Err(format!("{shown}: cannot read this configuration: {e}")),
        };
        let text = String::from_utf8(bytes).map_err(|e| format!("{shown}: not UTF-8: {e}"))?;
        let Some(mut config) = config::read(&text, path, &shown)? else { return Ok(None) };
        let Some(word) = config.extend.take() else { return Ok(Some(config)) };
        extending.push(path.to_path_buf());
        // Without a repository, what the user runs this in is the project.
        let top = Some(self.places.here()).filter(|here| path.starts_with(here));
        let base = inside(repository_of(path).or(top).or(path.parent()), &word, "what a configuration extends")?;
        if extending.contains(&base) {
            return Err(format!("{}: {} extends itself", word.place, word.text));
        }
        match self.read(&base, extending)? {
            Some(base) => Ok(Some(config.over(base))),
            None => Err(format!("{}: {} has no table [tool.mlxfix]", word.place, word.text)),
        }
    }

    fn finish(&self, path: PathBuf, config: Config) -> Result<Arc<Configuration>, String> {
        let rules = config
            .rules
            .iter()
            .map(|word| inside(repository_of(&path).or(path.parent()), word, "a rule that a configuration names"))
            .collect::<Result<_, _>>()?;
        let patterns = config.exclude.iter().flatten().chain(&config.extend_exclude);
        let excluded = patterns.map(pattern).collect::<Result<_, _>>()?;
        Ok(Arc::new(Configuration { path, config, rules, excluded }))
    }
}

/// The oldest MLX that the files of `folder` admit; where several say so, the oldest of them, for the code may meet it.
fn oldest_mlx_inside(folder: &Path) -> Option<Version> {
    let read = |name: &'static str| Some((name, text_about_mlx(&folder.join(name))?));
    let texts: Vec<(&str, String)> = requirements::FILES.into_iter().filter_map(read).collect();
    if texts.is_empty() {
        return None;
    }
    on_deep_stack(|| texts.iter().filter_map(|(name, text)| requirements::oldest_mlx_in(name, text)).min()).ok().flatten()
}

/// The text of the file at `path`, if it is there and speaks of MLX.
pub(super) fn text_about_mlx(path: &Path) -> Option<String> {
    String::from_utf8(small_file(path).ok()?).ok().filter(|text| text.contains("mlx"))
}

/// The file that `word` names. It must belong to the project, which is the folder `root`: what comes with a project names nothing outside it.
fn inside(root: Option<&Path>, word: &Word, what: &str) -> Result<PathBuf, String> {
    let unread = |e: std::io::Error| format!("{}: cannot read {}: {e}", word.place, word.text);
    let file = word.folder.join(&word.text).canonicalize().map_err(unread)?;
    let root = root.unwrap_or(&word.folder).canonicalize().map_err(unread)?;
    if !file.starts_with(root) {
        return Err(format!("{}: {}: {what} must lie inside its project", word.place, word.text));
    }
    Ok(file)
}

fn pattern(word: &Word) -> Result<Gitignore, String> {
    let mut builder = GitignoreBuilder::new(&word.folder);
    if word.text.trim().is_empty() || word.text.starts_with(['!', '#']) {
        return Err(format!("{}: this pattern names nothing to leave out", word.place));
    }
    let built = builder.add_line(None, &word.text).and_then(|builder| builder.build());
    built.map_err(|e| format!("{}: this pattern is not valid: {e}", word.place))
}
