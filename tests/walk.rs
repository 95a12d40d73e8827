//! The folders that tests walk, and the Python files in them as pieces of text.

use std::fs;
use std::path::{Path, PathBuf};

use mlxfix::finding::{Applicability, TransformId};
use mlxfix::syntax::ast::Stmt;
use mlxfix::syntax::{Ranged, Source, TextRange};
use mlxfix::{Fixed, Options};

/// The repository.
pub(super) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The text of a file of the repository.
pub(super) fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The files below `folder` whose name ends in `.{extension}`, sorted.
pub(super) fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let walk = ignore::WalkBuilder::new(folder).standard_filters(false).build();
    let mut files: Vec<PathBuf> = walk
        .map(|entry| entry.expect("the folder can be read").into_path())
        .filter(|path| path.extension().is_some_and(|e| e == extension) && !path.components().any(|c| c.as_os_str() == "__pycache__"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no .{extension} below {}", folder.display());
    files
}

/// The transforms that have a folder of examples, by file name, sorted.
pub(super) fn ids() -> Vec<String> {
    let folders = fs::read_dir(root().join("examples")).expect("examples is a folder").map(|e| e.expect("examples can be listed").path());
    let mut ids: Vec<String> = folders.filter(|p| p.join("match.py").exists()).filter_map(|p| Some(p.file_name()?.to_str()?.to_owned())).collect();
    ids.sort();
    assert!(!ids.is_empty(), "no examples");
    ids
}

/// One file of the examples of a transform.
pub(super) fn example(id: &str, file: &str) -> String {
    read(&root().join("examples").join(id).join(file))
}

/// The options that apply everything `ids` find; all transforms where there is none.
pub(super) fn everything(ids: &[&str]) -> Options {
    let select = (!ids.is_empty()).then(|| ids.iter().map(|id| TransformId::from(id.replace('_', "-").as_str())).collect());
    Options { select, admit: Applicability::Unsafe, ..Options::default() }
}

/// `text` with everything applied that `ids` find. The file must be Python, and no promise may be broken.
pub(super) fn fixed(text: &str, ids: &[&str]) -> Fixed {
    let fixed = mlxfix::fix(text, &everything(ids)).unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!(fixed.broken, None, "{:.300}", text);
    fixed
}

/// The functions and classes at the top of a file, with their text.
pub(super) fn all_definitions<'t>(source: &Source<'t>) -> Vec<(String, TextRange, &'t str)> {
    let named = source.module().body.iter().filter_map(|statement| match statement {
        Stmt::FunctionDef(f) => Some((f.name.to_string(), f.range())),
        Stmt::ClassDef(c) => Some((c.name.to_string(), c.range())),
        _ => None,
    });
    named.map(|(name, range)| (name, range, source.slice(range))).collect()
}

/// Those of them that are for others.
pub(super) fn definitions<'t>(source: &Source<'t>) -> Vec<(String, TextRange, &'t str)> {
    all_definitions(source).into_iter().filter(|(name, ..)| !name.starts_with('_')).collect()
}
