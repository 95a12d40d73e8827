//! The house rules, each as a test over the text of the repository. `ARCHITECTURE.md` gives their reasons.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use mlxfix::catalog::{CATALOG, Kind};
use mlxfix::finding::TransformId;
use mlxfix::rule::about::about;
use mlxfix::rule::load;
use mlxfix::syntax::Source;

use super::walk::{definitions, example, files, read, root};

/// What each part of `src` may use, itself included. A part that is missing here may use nothing.
const LAYERS: &[(&str, &[&str])] = &[
    ("syntax", &["syntax"]),
    ("graph", &["graph", "syntax"]),
    ("platform", &[]),
    ("replay", &["graph", "syntax"]),
    ("finding", &["replay", "graph", "syntax"]),
    ("rule", &["rule", "finding", "replay", "platform", "graph", "syntax"]),
    ("place", &["place", "finding", "graph", "syntax"]),
    ("passes", &["passes", "place", "finding", "graph", "syntax"]),
    ("advice", &["advice", "place", "finding", "graph", "syntax"]),
    ("catalog", &["rule", "passes", "advice", "finding", "platform", "syntax"]),
    ("engine", &["engine", "catalog", "rule", "passes", "advice", "finding", "replay", "platform", "graph", "syntax"]),
    ("report", &["report", "engine", "finding", "replay", "syntax"]),
    ("config", &["platform", "syntax"]),
    ("requirements", &["platform", "syntax"]),
    ("batch", &["batch", "config", "requirements", "report", "engine", "finding", "platform", "syntax"]),
    ("profile", &[]),
    ("proof", &["proof", "profile", "rule", "replay", "graph"]),
    ("cli", &["cli", "batch", "proof", "profile", "config", "report", "engine", "catalog", "finding", "replay", "platform", "syntax"]),
    ("main", &[]),
    ("lib", &["engine", "syntax"]),
];

const FILE_LINES: usize = 500;
const FUNCTION_LINES: usize = 60;
const TRANSFORM_LINES: usize = 70;
/// How many functions or classes `match.py` and `near_miss.py` have at least.
const EXAMPLES: usize = 5;

#[test]
fn modules_use_only_what_is_below_them() {
    complain(|file| {
        let part = file.part();
        let allowed = LAYERS.iter().find(|(name, _)| *name == part).map_or(&[][..], |(_, allowed)| allowed);
        file.lines_where(|line| {
            let used = line.split("crate::").skip(1).map(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default());
            used.filter(|name| LAYERS.iter().any(|(layer, _)| layer == name)).any(|name| !allowed.contains(&name))
        })
    });
}

#[test]
fn no_list_of_modules_hides_a_layer() {
    // `use crate::{a, b}` would escape the test above.
    complain(|file| file.lines_where(|line| line.contains("crate::{") || line.contains("use crate as")));
}

#[test]
fn only_syntax_names_a_ruff_crate() {
    let crates = ["ruff_python", "ruff_text", "ruff_source"];
    complain(|file| if file.part() == "syntax" { Vec::new() } else { file.lines_where(|line| crates.iter().any(|c| line.contains(c))) });
}

#[test]
fn only_batch_touches_files() {
    let words = ["std::fs", "fs::", "File::", "OpenOptions", "tempfile", "std::env::current_dir"];
    complain(|file| if file.part() == "batch" { Vec::new() } else { file.lines_where(|line| words.iter().any(|w| line.contains(w))) });
}

#[test]
fn only_the_rim_uses_anyhow() {
    let rim = ["main", "cli", "batch"];
    complain(|file| if rim.contains(&&*file.part()) { Vec::new() } else { file.lines_where(|line| line.contains("anyhow")) });
}

#[test]
fn only_the_command_line_prints() {
    let macros = ["print!(", "println!(", "eprint!(", "eprintln!(", "dbg!(", "stdout()", "stderr()"];
    complain(|file| if file.part() == "cli" { Vec::new() } else { file.lines_where(|line| macros.iter().any(|m| line.contains(m))) });
}

#[test]
fn nothing_is_unwrapped_without_a_reason() {
    let panics = ["todo", "unimplemented", "panic", "unreachable"].map(|name| format!("{name}!("));
    complain(|file| {
        file.lines_where(|line| {
            let expected = line.split(".expect(").skip(1).any(|reason| !reason.starts_with("\"invariant: "));
            line.contains(".unwrap()") || expected || panics.iter().any(|p| line.contains(p))
        })
    });
}

#[test]
fn transforms_are_named_only_by_the_catalog_and_by_themselves() {
    let table = read(&root().join("src/graph/mlx_api.tsv"));
    let of_mlx: BTreeSet<&str> = table.lines().filter_map(|line| line.split('\t').next()).collect();
    complain(|file| {
        let stem = file.path.components().filter_map(|c| c.as_os_str().to_str());
        let own: Vec<&str> = stem.map(|part| part.trim_end_matches(".rs")).collect();
        if own == ["catalog"] {
            return Vec::new();
        }
        let foreign = CATALOG.iter().map(|e| e.id).filter(|id| !own.contains(&id.replace('-', "_").as_str()));
        let quoted: Vec<String> = foreign.flat_map(|id| [format!("\"{id}\""), format!("\"{}\"", id.replace('-', "_"))]).collect();
        // The functions of MLX that some ids are named after are MLX's names, not ours.
        file.lines_where(|line| quoted.iter().any(|id| line.contains(id) && !of_mlx.contains(id.trim_matches('"'))))
    });
}

#[test]
fn every_file_opens_with_what_it_is_for() {
    complain(|file| if file.text.starts_with("//! ") { Vec::new() } else { vec!["does not begin with `//!`".to_owned()] });
}

#[test]
fn files_and_functions_stay_small() {
    complain(|file| {
        let mut complaints = Vec::new();
        let lines: Vec<&str> = file.code().lines().collect();
        if lines.len() > FILE_LINES {
            complaints.push(format!("{} lines before its tests, {FILE_LINES} allowed", lines.len()));
        }
        for (at, line) in lines.iter().enumerate().filter(|(_, line)| is_function(line)) {
            // Formatted code: a function ends with the first brace at its own indentation.
            let indent = line.len() - line.trim_start().len();
            let end = lines[at..].iter().position(|l| l.trim_end().ends_with(';') && *l == *line || l.len() == indent + 1 && l.ends_with('}'));
            let length = if line.trim_end().ends_with('}') { 1 } else { end.map_or(1, |n| n + 1) };
            if length > FUNCTION_LINES {
                complaints.push(format!("{}: {length} lines, {FUNCTION_LINES} allowed: {}", at + 1, line.trim()));
            }
        }
        complaints
    });
}

#[test]
fn every_transform_says_what_it_does_and_why() {
    let mut complaints = String::new();
    for entry in CATALOG {
        let mut say = |what: &str| writeln!(complaints, "{}: {what}", entry.id).expect("a string takes all");
        let source = Source::parse(entry.text).unwrap_or_else(|error| panic!("{}: {error}", entry.id));
        let about = about(&source);
        let texts = [&about.title, &about.mechanism, &about.group, &about.guide, &about.gain];
        for (what, text) in ["title", "rationale", "group", "guide", "gain"].into_iter().zip(texts) {
            if text.is_empty() {
                say(&format!("no {what}"));
            }
        }
        if !about.title.ends_with('.') {
            say("the title is no sentence");
        }
        if !about.gain.contains('(') {
            say("the gain does not name the device it was measured on");
        }
        if entry.text.lines().filter(|line| !line.trim().is_empty()).count() > TRANSFORM_LINES {
            say(&format!("more than {TRANSFORM_LINES} lines that are not blank"));
        }
        if !matches!(entry.kind, Kind::Rule) {
            continue;
        }
        // A pattern without a class of its own would not load.
        match load::load(&TransformId::from(entry.id), entry.text) {
            Ok(rule) if rule.variants.iter().any(|v| !entry.text.contains(&format!("\"{}\": ", v.name))) => say("a pattern without numerics"),
            Ok(_) => {}
            Err(error) => say(&error.to_string()),
        }
    }
    assert!(complaints.is_empty(), "{complaints}");
}

#[test]
fn every_transform_has_enough_examples_each_with_a_sentence() {
    let mut complaints = String::new();
    for entry in CATALOG {
        let id = entry.id.replace('-', "_");
        for file in ["match.py", "near_miss.py"] {
            let text = example(&id, file);
            let source = Source::parse(&text).unwrap_or_else(|error| panic!("{id}/{file}: {error}"));
            let definitions = definitions(&source);
            if definitions.len() < EXAMPLES {
                let _ = writeln!(complaints, "{id}/{file}: {} functions, at least {EXAMPLES} wanted", definitions.len());
            }
            for (name, _, text) in definitions {
                if !text.contains("    \"\"\"") {
                    let _ = writeln!(complaints, "{id}/{file}: {name} has no docstring");
                }
            }
        }
    }
    assert!(complaints.is_empty(), "{complaints}");
}

#[test]
fn each_file_of_transforms_is_in_the_catalog() {
    let mut stems: Vec<String> = files(&root().join("transforms"), "py").iter().filter_map(|p| Some(p.file_stem()?.to_str()?.to_owned())).collect();
    stems.retain(|stem| stem != "prelude");
    let mut ids: Vec<String> = CATALOG.iter().map(|entry| entry.id.replace('-', "_")).collect();
    ids.sort();
    assert_eq!(stems, ids);
}

#[test]
fn dependencies_have_a_reason_and_the_parser_is_pinned() {
    let manifest = read(&root().join("Cargo.toml"));
    let mut section = "";
    let mut above = "";
    for line in manifest.lines() {
        if line.starts_with('[') {
            section = line;
        } else if section.ends_with("dependencies]") && line.contains(" = ") {
            let ruff = line.starts_with("ruff_");
            assert!(!ruff || line.contains("\"=0."), "not pinned: {line}");
            assert!(line.contains(" # ") || above.starts_with('#'), "no reason: {line}");
        }
        above = line;
    }
}

#[test]
fn every_snapshot_belongs_to_a_transform() {
    let ids: Vec<String> = CATALOG.iter().map(|entry| entry.id.replace('-', "_")).collect();
    for folder in ["diff", "why", "advice"] {
        for entry in std::fs::read_dir(root().join("snapshots").join(folder)).expect("snapshots is a folder") {
            let path = entry.expect("snapshots can be listed").path();
            let stem = path.file_stem().and_then(|s| s.to_str()).unwrap_or_default();
            let waits = path.extension().is_some_and(|e| e == "new");
            assert!(path.is_dir() || waits || ids.iter().any(|id| id == stem), "{} belongs to no transform", path.display());
        }
    }
}

/// A file of `src`.
struct RustFile {
    /// Its path below `src`.
    path: PathBuf,
    text: String,
}

impl RustFile {
    /// The layer that it belongs to: `graph` for `graph/lower/expr.rs`.
    fn part(&self) -> String {
        let first = self.path.components().next().map(|c| c.as_os_str().to_string_lossy().into_owned()).unwrap_or_default();
        first.trim_end_matches(".rs").to_owned()
    }

    /// The text before its tests.
    fn code(&self) -> &str {
        self.text.split("#[cfg(test)]").next().unwrap_or_default()
    }

    /// The lines of code, comments left out, for which `bad` holds.
    fn lines_where(&self, bad: impl Fn(&str) -> bool) -> Vec<String> {
        let lines = self.code().lines().enumerate();
        let code =
            lines.map(|(at, line)| (at, line.split("// ").next().unwrap_or_default())).filter(|(_, line)| !line.trim_start().starts_with("//"));
        code.filter(|(_, line)| bad(line)).map(|(at, line)| format!("{}: {}", at + 1, line.trim())).collect()
    }
}

/// Fail with everything that `check` has to say of the files of `src`.
fn complain(check: impl Fn(&RustFile) -> Vec<String>) {
    let mut complaints = String::new();
    let src: PathBuf = root().join("src");
    for path in files(&src, "rs") {
        let text = read(&path);
        let path: &Path = path.strip_prefix(&src).expect("invariant: the walk stays below its folder");
        let file = RustFile { path: path.to_owned(), text };
        for complaint in check(&file) {
            let _ = writeln!(complaints, "src/{}:{complaint}", file.path.display());
        }
    }
    assert!(complaints.is_empty(), "{complaints}");
}

fn is_function(line: &str) -> bool {
    let line = line.trim_start();
    let line =
        ["pub(crate) ", "pub(super) ", "pub ", "const ", "unsafe "].iter().fold(line, |line, prefix| line.strip_prefix(prefix).unwrap_or(line));
    line.starts_with("fn ")
}
