//! What the other files of a package show of advice that hinges on callers: whether anybody asks for the code that it speaks of. A package is the folders with an
//! `__init__.py` around a file; it is read where a finding asks for it, which few do, and once.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ignore::WalkBuilder;
use memchr::memmem;

use crate::finding::{Finding, Hinge};

use super::read::small_file;

/// A file of a package, with what it holds.
type Text = (PathBuf, Vec<u8>);

/// The packages met so far, by their outermost folders; `None` for one of which not all could be read.
#[derive(Default)]
pub struct Packages {
    known: Mutex<HashMap<PathBuf, Option<Arc<[Text]>>>>,
}

impl Packages {
    /// Why nobody comes to what `finding` says of the file `path`: of each way there, other files of the package speak of the function, and no other file of a
    /// parameter that would have to be passed.
    pub fn unasked(&self, path: &Path, finding: &Finding) -> Option<String> {
        let first = finding.hinges.first()?;
        let path = path.canonicalize().ok()?;
        let texts = self.texts(outermost(&path)?)?;
        let others = || texts.iter().filter(|(other, _)| *other != path).map(|(_, text)| &text[..]);
        let speaks = |name: &str| others().any(|text| has_word(text, name));
        let is_unasked = |hinge: &Hinge| speaks(&hinge.function) && !hinge.parameters.iter().any(|name| speaks(name));
        let names: Vec<String> = first.parameters.iter().map(|name| format!("`{name}`")).collect();
        finding
            .hinges
            .iter()
            .all(is_unasked)
            .then(|| format!("no other file of the package speaks of {}, without which `{}` does not come there", names.join(" or "), first.function))
    }

    fn texts(&self, root: &Path) -> Option<Arc<[Text]>> {
        // Whoever else asks for the same package waits rather than reading it as well.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.entry(root.to_path_buf()).or_insert_with(|| read(root)).clone()
    }
}

/// The outermost of the folders around `path` that are one package.
fn outermost(path: &Path) -> Option<&Path> {
    path.ancestors().skip(1).take_while(|folder| folder.join("__init__.py").is_file()).last()
}

/// The Python files below `root`, if all of them can be read.
fn read(root: &Path) -> Option<Arc<[Text]>> {
    let files = WalkBuilder::new(root).standard_filters(false).build().filter(|entry| {
        let is_python = |path: &Path| path.extension().is_some_and(|extension| extension == "py");
        entry.as_ref().map_or(true, |entry| is_python(entry.path()))
    });
    files.map(|entry| entry.ok().and_then(|entry| Some((entry.path().to_path_buf(), small_file(entry.path()).ok()?)))).collect()
}

/// Whether `text` has `name` as a whole word.
fn has_word(text: &[u8], name: &str) -> bool {
    let is_part = |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_' || !b.is_ascii());
    memmem::find_iter(text, name).any(|at| !is_part(at.checked_sub(1).and_then(|before| text.get(before))) && !is_part(text.get(at + name.len())))
}
