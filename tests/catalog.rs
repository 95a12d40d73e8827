//! What is written twice agrees: the catalog with the README, passes with their specifications, the API table with MLX, examples with the patterns that
//! they should reach. `MLXFIX_BLESS=1` writes both into the README anew.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use mlxfix::catalog::{CATALOG, Entry, Kind};
use mlxfix::finding::TransformId;
use mlxfix::graph::Analysis;
use mlxfix::graph::value::Graph;
use mlxfix::platform::Platform;
use mlxfix::rule::about::about;
use mlxfix::rule::{self, load};
use mlxfix::syntax::Source;

use super::cli::mlxfix;
use super::mlx::python;
use super::walk::{definitions, example, files, fixed, read, root};

#[test]
fn the_readme_shows_what_the_program_prints_and_what_the_catalog_holds() {
    let run = mlxfix(root(), &["--unsafe", "--select", "rms-norm,attention", "examples/models/llama_block.py"]);
    let path = root().join("README.md");
    let readme = read(&path);
    let written = with_block(&with_block(&readme, "diff", &format!("```diff\n{}```\n", run.out)), "transforms", &table());
    if std::env::var_os("MLXFIX_BLESS").is_some() {
        fs::write(&path, written).expect("README.md can be written");
        return;
    }
    assert_eq!(readme, written, "MLXFIX_BLESS=1 cargo test the_readme_shows writes it anew");
}

/// `readme` with `content` between the marks called `name`.
fn with_block(readme: &str, name: &str, content: &str) -> String {
    let (begin, end) = (format!("<!-- begin {name} -->\n"), format!("<!-- end {name} -->\n"));
    let (head, rest) = readme.split_once(&begin).unwrap_or_else(|| panic!("README.md has no {begin}"));
    let (_, tail) = rest.split_once(&end).unwrap_or_else(|| panic!("README.md has no {end}"));
    [head, &begin, content, &end, tail].concat()
}

fn table() -> String {
    let mut out = "| transform | kind | what it does | measured |\n|---|---|---|---|\n".to_owned();
    for entry in CATALOG {
        let source = Source::parse(entry.text).unwrap_or_else(|error| panic!("{}: {error}", entry.id));
        let about = about(&source);
        let cells = [about.title, about.gain].map(|cell| cell.replace('|', "\\|"));
        let _ = writeln!(out, "| [`{}`](transforms/{}.py) | {} | {} | {} |", entry.id, file_stem(entry), entry.kind.as_str(), cells[0], cells[1]);
    }
    out
}

#[test]
fn edits_are_as_trusted_as_the_transform_says() {
    for entry in CATALOG {
        let own = ["match.py", "near_miss.py"].map(|name| fixed(&example(&file_stem(entry), name), &[entry.id]));
        let seen: BTreeSet<&str> = own.iter().flat_map(|fixed| &fixed.findings).map(|f| f.finding.applicability.as_str()).collect();
        let source = Source::parse(entry.text).unwrap_or_else(|error| panic!("{}: {error}", entry.id));
        let applicability = about(&source).applicability;
        let said: BTreeSet<&str> = applicability.split(", ").collect();
        match entry.kind {
            Kind::Advice(_) => assert_eq!(seen, BTreeSet::from(["advice"]), "{}", entry.id),
            Kind::Pass(_) => assert_eq!(seen, said, "{}", entry.id),
            // What is not known of an array is assumed, in examples or elsewhere.
            Kind::Rule => assert!(seen.is_subset(&said) && said.difference(&seen).all(|word| *word == "unsafe"), "{}: {seen:?}, {said:?}", entry.id),
        }
    }
}

#[test]
fn a_pass_turns_the_before_of_its_specification_into_the_after() {
    for entry in CATALOG.iter().filter(|entry| matches!(entry.kind, Kind::Pass(_))) {
        let source = Source::parse(entry.text).unwrap_or_else(|error| panic!("{}: {error}", entry.id));
        let named = |name: &str| definitions(&source).into_iter().find(|(n, ..)| n == name).map(|(.., text)| format!("{IMPORT}{text}\n"));
        let (Some(before), Some(after)) = (named("before"), named("after")) else { panic!("{}: before and after are needed", entry.id) };
        assert_eq!(fixed(&before, &[entry.id]).text, after.replace("def after(", "def before("), "{}", entry.id);
    }
}

const IMPORT: &str = "import mlx.core as mx\n\n\n";

#[test]
fn the_api_table_is_what_the_script_measures_now() {
    let script = root().join("scripts/api_table.py");
    let output = Command::new(python()).arg("-B").arg(&script).output().expect("the Python interpreter starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let (now, kept) = (String::from_utf8(output.stdout).expect("the table is text"), read(&root().join("src/graph/mlx_api.tsv")));
    let differing = now.lines().zip(kept.lines()).find(|(a, b)| a != b);
    assert!(now == kept, "{}: first difference: {differing:?}", script.display());
}

#[test]
fn the_tables_of_changes_name_what_there_is_to_change() {
    for (table, arguments) in [("guards.txt", &["guards"][..]), ("normalize.txt", &["sources", "src/graph/normalize.rs", "src/graph/normalize"])] {
        let output =
            Command::new(python()).arg("-B").arg(root().join("scripts/mutation.py")).args(arguments).arg("--list").current_dir(root()).output();
        let output = output.expect("the Python interpreter starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let mut now: Vec<String> = String::from_utf8(output.stdout).expect("text").lines().map(str::to_owned).collect();
        // Beside each change stands who noticed it; the last line sums up.
        let kept = read(&root().join("snapshots/mutation").join(table));
        let mut kept: Vec<String> = kept.lines().filter_map(|line| Some(line.rsplit_once("  ")?.0.trim_end().to_owned())).collect();
        now.sort();
        kept.sort();
        assert_eq!(now, kept, "CONTRIBUTING.md says how {table} is made anew");
    }
}

#[test]
fn examples_reach_every_pattern() {
    let programs = programs();
    let mut reached: BTreeMap<String, bool> = BTreeMap::new();
    for entry in CATALOG.iter().filter(|entry| matches!(entry.kind, Kind::Rule)) {
        let own: Vec<&String> = programs.iter().filter(|(of, _)| *of == entry.id || of.is_empty()).map(|(_, program)| program).collect();
        for form in narrowed(entry) {
            // An alternative need not be reached in every pattern that offers it.
            let reached = reached.entry(format!("{}: {}", entry.id, form.shows)).or_default();
            *reached |= own.iter().any(|program| finds(entry, &form, program));
        }
    }
    let missed: Vec<String> = reached.into_iter().filter(|(_, reached)| !reached).map(|(form, _)| form).collect();
    assert!(missed.is_empty(), "no example reaches\n{}", missed.join("\n"));
}

/// A rule that matches less than it should.
struct Narrow {
    /// Which of its patterns is left.
    pattern: String,
    /// What reaching it shows to be reached.
    shows: String,
    /// The text of the rule.
    text: String,
}

/// The rule of `entry` with one of its patterns alone, and with one alternative of an `any_of` alone.
fn narrowed(entry: &Entry) -> Vec<Narrow> {
    let source = Source::parse(entry.text).unwrap_or_else(|error| panic!("{}: {error}", entry.id));
    let patterns = definitions(&source).into_iter().filter(|(name, ..)| name == "before" || name.starts_with("before_"));
    let mut forms = Vec::new();
    for (pattern, _, text) in patterns {
        forms.push(Narrow { pattern: pattern.clone(), shows: pattern.clone(), text: entry.text.to_owned() });
        for (at, whole, alternatives) in choices(text) {
            for alternative in alternatives {
                let narrow = text.replace(whole, &format!("any_of({alternative})"));
                let shows = format!("choice {at}, {alternative}");
                forms.push(Narrow { pattern: pattern.clone(), shows, text: entry.text.replace(text, &narrow) });
            }
        }
    }
    forms
}

/// The calls of `any_of` in the text of a function: ordinal, text, and the text of each alternative.
fn choices(text: &str) -> Vec<(usize, &str, Vec<&str>)> {
    let starts = text.match_indices("any_of(").map(|(at, _)| at);
    let mut choices = Vec::new();
    for (ordinal, start) in starts.enumerate() {
        let (mut depth, mut from, mut alternatives) = (0, start + "any_of(".len(), Vec::new());
        for (at, c) in text[start..].char_indices().map(|(at, c)| (start + at, c)) {
            match c {
                '(' | '[' => depth += 1,
                ')' | ']' => depth -= 1,
                _ => {}
            }
            if depth == 0 && c == ')' || depth == 1 && c == ',' {
                let alternative = text[from..at].trim();
                alternatives.extend((!alternative.is_empty()).then_some(alternative));
                from = at + 1;
            }
            if depth == 0 && c == ')' {
                choices.push((ordinal + 1, &text[start..=at], alternatives));
                break;
            }
        }
    }
    choices
}

/// Whether what is left of a rule has something to propose for `program`.
fn finds(entry: &Entry, form: &Narrow, program: &str) -> bool {
    let mut rule = load::load(&TransformId::from(entry.id), &form.text).unwrap_or_else(|error| panic!("{}: {error}\n{}", entry.id, form.text));
    rule.variants.retain(|v| v.name == form.pattern);
    let source = Source::parse(program).unwrap_or_else(|error| panic!("{error}"));
    !rule::find(&rule, &mut Analysis::new(&source, Graph::default()), &Platform::default()).proposals.is_empty()
}

/// The matches of each transform, and the whole programs, which belong to none.
fn programs() -> Vec<(&'static str, String)> {
    let mut programs: Vec<(&str, String)> = CATALOG.iter().map(|entry| (entry.id, example(&file_stem(entry), "match.py"))).collect();
    programs.extend(files(&root().join("examples/models"), "py").iter().map(|path| ("", read(path))));
    programs
}

fn file_stem(entry: &Entry) -> String {
    entry.id.replace('-', "_")
}
