//! What the other files of a package show of findings that hinge on them: whether anybody asks for the code that advice speaks of, and whether arrays in half
//! precision come to a file. A package is the folders with an `__init__.py` around a file; it is read where a finding asks for it, which few do, and once.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use ignore::WalkBuilder;
use memchr::memmem;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::engine::{Options, Said, said};
use crate::finding::{Finding, Hinges, Way};
use crate::platform::Platform;
use crate::report::Problem;
use crate::syntax;

use super::check::{Checked, check};
use super::discover::{is_python, usually_excluded};
use super::read::small_file;

/// The packages met so far, by their outermost folders; `None` for one of which not all could be read.
#[derive(Default)]
pub struct Packages {
    known: Mutex<HashMap<PathBuf, Option<Arc<Package>>>>,
}

/// A package.
struct Package {
    files: Vec<File>,
    /// How they hang together, worked out when it is first asked for.
    ways: OnceLock<Ways>,
}

/// How arrays come from file to file.
#[derive(Default)]
struct Ways {
    /// The numbers of the files that import a module, by its dotted path.
    importers: FxHashMap<String, Vec<usize>>,
    /// The numbers of the files that are no Python.
    unreadable: Vec<usize>,
    /// The names that modules and classes bind to a dtype of half precision.
    halves: FxHashSet<String>,
}

/// A file of a package.
struct File {
    path: PathBuf,
    bytes: Vec<u8>,
    /// The dotted path that it is imported by.
    module: String,
    /// What it says; `None` if it is no Python.
    said: OnceLock<Option<Said>>,
}

impl Packages {
    /// Look for everything that `options` select in the file `path` that holds `bytes`, and leave out what the rest of its package shows to be needless.
    pub fn check<'b>(&self, path: &Path, bytes: &'b [u8], options: &Options) -> Result<Checked<'b>, Problem> {
        let mut checked = check(bytes, options)?;
        let hinges = |checked: &Checked<'_>| checked.fixed.findings.iter().any(|f| f.finding.hinges == Hinges::HalfPrecision);
        if hinges(&checked) && self.lacks_half(path, &checked.text) {
            let platform = Platform { is_single: true, ..options.platform.clone() };
            checked = check(bytes, &Options { platform, ..options.clone() })?;
        }
        checked.fixed.leave_out(|finding| self.unasked(path, finding).is_some());
        Ok(checked)
    }

    /// Why nobody comes to what `finding` says of the file `path`: of each way there, other files of the package speak of the function, and no other file of a
    /// parameter that would have to be passed.
    pub fn unasked(&self, path: &Path, finding: &Finding) -> Option<String> {
        let Hinges::Ways(ways) = &finding.hinges else { return None };
        let first = ways.first()?;
        let path = path.canonicalize().ok()?;
        let package = self.package(outermost(&path)?)?;
        let others = || package.files.iter().filter(|file| file.path != path).map(|file| &file.bytes[..]);
        let speaks = |name: &str| others().any(|text| has_word(text, name));
        let is_unasked = |way: &Way| speaks(&way.function) && !way.parameters.iter().any(|name| speaks(name));
        let names: Vec<String> = first.parameters.iter().map(|name| format!("`{name}`")).collect();
        ways.iter()
            .all(is_unasked)
            .then(|| format!("no other file of the package speaks of {}, without which `{}` does not come there", names.join(" or "), first.function))
    }

    /// Whether nothing says that arrays in half precision come to the file `path`, which holds `text`: neither the file nor one that imports it, directly or through
    /// others. Where nothing but an `__init__.py` imports it, its users are not known.
    pub fn lacks_half(&self, path: &Path, text: &str) -> bool {
        let Ok(path) = path.canonicalize() else { return false };
        let Some(package) = outermost(&path).and_then(|root| self.package(root)) else { return false };
        let Some(number) = package.files.iter().position(|file| file.path == path) else { return false };
        let file = &package.files[number];
        let Some(own) = said(text, &file.module, file.is_package()) else { return false };
        let importers = package.importers(number);
        // What cannot be read may say anything. What embeds tokens goes on with them in the dtype of weights, and need not give that to others.
        let lacks = |said: &Said| !said.speaks && !said.passes.iter().any(|name| package.ways().halves.contains(name));
        let has_users = importers.iter().any(|&n| !package.files[n].is_package());
        has_users && lacks(&own) && !own.embeds && importers.iter().all(|&n| package.files[n].said().is_some_and(lacks))
    }

    fn package(&self, root: &Path) -> Option<Arc<Package>> {
        // Whoever else asks for the same package waits rather than reading it as well.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.entry(root.to_path_buf()).or_insert_with(|| Package::read(root).map(Arc::new)).clone()
    }
}

impl Package {
    /// The package in the folder `root`, if all of its Python files can be read.
    fn read(root: &Path) -> Option<Self> {
        let mut walk = WalkBuilder::new(root);
        walk.standard_filters(false).filter_entry(|entry| entry.depth() == 0 || !usually_excluded(entry));
        let files = walk.build().filter(|entry| entry.as_ref().map_or(true, |entry| is_python(entry.path())));
        let file = |path: &Path| {
            let module = module(path.strip_prefix(root.parent()?).ok()?);
            Some(File { path: path.to_path_buf(), bytes: small_file(path).ok()?, module, said: OnceLock::new() })
        };
        let files: Option<Vec<File>> = files.map(|entry| file(entry.ok()?.path())).collect();
        Some(Self { files: files?, ways: OnceLock::new() })
    }

    /// The numbers of the files that import the file with the number `number`, directly or through others. Tests are none: what they give to others, nobody else
    /// need give.
    fn importers(&self, number: usize) -> Vec<usize> {
        let (ways, mut waiting, mut seen) = (self.ways(), vec![number], FxHashSet::from_iter([number]));
        let mut found = Vec::new();
        while let Some(imported) = waiting.pop() {
            let module = &self.files[imported].module;
            let name = module.rsplit('.').next().unwrap_or_default();
            let perhaps = ways.unreadable.iter().filter(|&&n| has_word(&self.files[n].bytes, name));
            for &n in ways.importers.get(module).into_iter().flatten().chain(perhaps) {
                if !self.files[n].is_test() && seen.insert(n) {
                    waiting.push(n);
                    found.push(n);
                }
            }
        }
        found
    }

    fn ways(&self) -> &Ways {
        self.ways.get_or_init(|| {
            let mut ways = Ways::default();
            for (n, file) in self.files.iter().enumerate() {
                let Some(said) = file.said() else {
                    ways.unreadable.push(n);
                    continue;
                };
                said.imports.iter().for_each(|module| ways.importers.entry(module.clone()).or_default().push(n));
                ways.halves.extend(said.binds.iter().cloned());
            }
            ways
        })
    }
}

impl File {
    fn is_package(&self) -> bool {
        self.path.ends_with("__init__.py")
    }

    fn is_test(&self) -> bool {
        let mut parts = self.module.split('.');
        parts.any(|part| matches!(part, "test" | "tests" | "conftest") || part.starts_with("test_") || part.ends_with("_test"))
    }

    fn said(&self) -> Option<&Said> {
        let said = || said(&syntax::decode(&self.bytes).ok()?.0, &self.module, self.is_package());
        self.said.get_or_init(said).as_ref()
    }
}

/// The dotted path of the module in the file `path`, relative to the folder that is imported from.
fn module(path: &Path) -> String {
    let path = if path.ends_with("__init__.py") { path.parent().map_or_else(PathBuf::new, Path::to_path_buf) } else { path.with_extension("") };
    path.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join(".")
}

/// The outermost of the folders around `path` that are one package.
fn outermost(path: &Path) -> Option<&Path> {
    path.ancestors().skip(1).take_while(|folder| folder.join("__init__.py").is_file()).last()
}

/// Whether `text` has `name` as a whole word.
fn has_word(text: &[u8], name: &str) -> bool {
    let is_part = |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_' || !b.is_ascii());
    memmem::find_iter(text, name).any(|at| !is_part(at.checked_sub(1).and_then(|before| text.get(before))) && !is_part(text.get(at + name.len())))
}
