//! What each transform does to its examples, and why it leaves its near misses alone. The snapshots in `snapshots/diff` and `snapshots/why` are what a user
//! would read; whether the numbers stay is found out by running MLX, in `mlx`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use mlxfix::catalog::CATALOG;
use mlxfix::engine;
use mlxfix::finding::Applicability;
use mlxfix::report::{FileReport, diff};
use mlxfix::syntax::Source;
use mlxfix::{Fixed, Options};

use super::advice;
use super::walk::{definitions, everything, example, files, fixed, ids, read, root};

#[test]
fn every_transform_has_examples() {
    let of_the_catalog: BTreeSet<String> = CATALOG.iter().map(|e| e.id.replace('-', "_")).collect();
    assert_eq!(ids().into_iter().collect::<BTreeSet<_>>(), of_the_catalog);
}

#[test]
fn each_function_of_a_match_is_changed_by_its_own_transform() {
    let mut complaints = String::new();
    for id in editing() {
        let text = example(&id, "match.py");
        let after = fixed(&text, &[&id]).text;
        for (name, old, new) in pairs(&text, &after) {
            if new.as_deref() == Some(&old) {
                let _ = writeln!(complaints, "{id}: {name} did not change");
            }
        }
    }
    assert!(complaints.is_empty(), "{complaints}");
}

#[test]
fn no_function_of_a_near_miss_is_changed_by_its_own_transform() {
    let mut complaints = String::new();
    for id in ids() {
        let text = example(&id, "near_miss.py");
        let after = fixed(&text, &[&id]).text;
        for (name, old, new) in pairs(&text, &after) {
            if new.as_deref() != Some(&old) {
                let _ = writeln!(complaints, "{id}: {name} became {}", new.unwrap_or_default());
            }
        }
    }
    assert!(complaints.is_empty(), "{complaints}");
}

#[test]
fn the_diffs_of_the_examples_are_as_reviewed() {
    for id in editing() {
        let text = example(&id, "match.py");
        snapshot("diff", &id, &shown(&format!("examples/{id}/match.py"), &text, &fixed(&text, &[&id])));
    }
    for path in files(&root().join("examples/models"), "py") {
        let name = path.strip_prefix(root()).expect("invariant: the walk stays below the repository").to_string_lossy().into_owned();
        let text = read(&path);
        snapshot("diff/models", &stem(&path), &shown(&name, &text, &fixed(&text, &[])));
    }
}

#[test]
fn the_reasons_of_the_near_misses_are_as_reviewed() {
    let mut missing = String::new();
    for id in ids() {
        let reasons = reasons(&id);
        let bare = reasons.lines().filter(|l| l.ends_with(NO_REASON));
        bare.for_each(|line| missing.push_str(&format!("{id}: {line}\n")));
        snapshot("why", &id, &reasons);
    }
    assert!(missing.is_empty(), "{missing}");
}

#[test]
fn a_decoder_written_by_hand_becomes_its_fast_form_up_to_names() {
    let narrowing = Options { admit: Applicability::Narrowing, ..Options::default() };
    let by_hand = read(&root().join("examples/models/decoder_by_hand.py"));
    let fixed = mlxfix::fix(&by_hand, &narrowing).unwrap_or_else(|error| panic!("{error}"));
    let graphs = |text: &str| engine::graphs(text, None).unwrap_or_else(|error| panic!("{error}")).join("\n");
    let fast = graphs(&read(&root().join("tests/python/decoder_fast.py")));
    assert_ne!(graphs(&by_hand), fast, "nothing is left to do by hand");
    assert_eq!(graphs(&fixed.text), fast, "{}", fixed.text);
}

#[test]
fn a_decoder_as_it_is_usually_written_becomes_its_fast_form_under_assumptions() {
    let linear = |name: &str, heads: &str| format!("self.{name} = nn.Linear(dims, {heads} * self.head_dim, bias=False)");
    let separate = [linear("query", "heads"), linear("key", "kv_heads"), linear("value", "kv_heads")].join("\n        ");
    let projections = |text: String, names: &str, projected: &str| {
        let at = text.find("self.project = ").expect("one projection");
        let line = &text[at..at + text[at..].find('\n').expect("a line")];
        let text = text.replace(line, &separate);
        let at = text.find(projected).expect("its use");
        let end = at + text[at..].find("axis=-1)\n").expect("the split") + "axis=-1)".len();
        format!("{}{names} = self.query(x), self.key(x), self.value(x){}", &text[..at], &text[end..])
    };
    let slices = "half = x.shape[-1] // 2\n    first, second = x[..., :half], x[..., half:]";
    let powers = "1.0 / (base ** (mx.arange(0, width, 2).astype(mx.float32) / width))";
    let by_hand = read(&root().join("examples/models/decoder_by_hand.py"));
    let by_hand = projections(by_hand, "q, k, v", "q, k, v = mx.split(");
    let usual = [("first, second = mx.split(x, 2, axis=-1)", slices), ("mx.exp(mx.arange(0, width, 2) * (-math.log(base) / width))", powers)];
    let by_hand = usual.iter().fold(by_hand, |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    });
    let fast = projections(read(&root().join("tests/python/decoder_fast.py")), "queries, keys, values", "projected = self.project(x)");
    let graphs = |text: &str| engine::graphs(text, None).unwrap_or_else(|error| panic!("{error}")).join("\n");
    let fixed = fixed(&by_hand, &[]);
    assert_eq!(graphs(&fixed.text), graphs(&fast), "{}", fixed.text);
    // What no file proves: that a width is even, that other rounding of the frequencies is acceptable, and that three matrices have one dtype.
    let told: BTreeSet<&str> = fixed.findings.iter().flat_map(|f| f.finding.assumptions.iter().map(String::as_str)).collect();
    let even = |name: &str| format!("the last axis of `{name}` has an even length");
    let (tables, keys) = ("`k` is no narrower than `q.dtype`", "`q` and `k` have the same dtype");
    assert_eq!(told, BTreeSet::from(["a larger rounding error is acceptable", &even("q"), &even("k"), tables, keys]));
}

#[test]
fn a_decoder_in_public_helpers_becomes_its_fast_form_under_assumptions() {
    let by_hand = read(&root().join("examples/models/decoder_in_helpers.py"));
    let fixed = fixed(&by_hand, &[]);
    let graphs = |text: &str| engine::graphs(text, Some("forward")).unwrap_or_else(|error| panic!("{error}")).join("\n");
    let fast = graphs(&read(&root().join("tests/python/decoder_in_helpers_fast.py")));
    assert_ne!(graphs(&by_hand), fast, "nothing is left to do by hand");
    assert_eq!(graphs(&fixed.text), fast, "{}", fixed.text);
    // Neither a parameter without an annotation nor an attribute of a plain object says what it is, so that all but the softmax rests on something.
    let narrowing = Options { admit: Applicability::Narrowing, ..Options::default() };
    let proved = mlxfix::fix(&by_hand, &narrowing).unwrap_or_else(|error| panic!("{error}"));
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let (before, after) = (lines(&by_hand), lines(&proved.text));
    let changed: Vec<&str> = before.iter().zip(&after).filter(|(a, b)| a != b).map(|(_, b)| b.trim()).collect();
    assert_eq!(changed, ["scores = mx.softmax(scores, axis=-1, precise=True).astype(q.dtype)"]);
}

#[test]
fn a_second_run_proposes_nothing() {
    for path in files(&root().join("examples"), "py") {
        let once = fixed(&read(&path), &[]).text;
        let twice = fixed(&once, &[]);
        assert!(twice.edits.is_empty(), "{}: {}", path.display(), shown("again", &once, &twice));
    }
}

#[test]
fn transforms_one_by_one_end_where_all_together_end() {
    for path in files(&root().join("examples"), "py") {
        let text = read(&path);
        let together = fixed(&text, &[]).text;
        let one_by_one = CATALOG.iter().fold(text, |text, entry| fixed(&text, &[entry.id]).text);
        assert_eq!(one_by_one, together, "{}", path.display());
    }
}

/// The transforms that make edits, by file name.
fn editing() -> Vec<String> {
    let advice = advice::ids();
    ids().into_iter().filter(|id| !advice.contains(id)).collect()
}

/// Each definition of `before` with its text there and in `after`, where it is still there.
fn pairs(before: &str, after: &str) -> Vec<(String, String, Option<String>)> {
    let parse = |text| Source::parse(text).unwrap_or_else(|error| panic!("{error}"));
    let (before, after) = (parse(before), parse(after));
    let new = definitions(&after);
    let of = |name: &str| new.iter().find(|(n, ..)| n == name).map(|&(.., text)| text.to_owned());
    definitions(&before).into_iter().map(|(name, _, old)| (name.clone(), old.to_owned(), of(&name))).collect()
}

/// What the user reads of a file: the reasons and the diff.
pub(super) fn shown(path: &str, text: &str, fixed: &Fixed) -> String {
    let path = Path::new(path);
    let (old, new) = (text.as_bytes(), fixed.text.as_bytes());
    let shown = diff(&FileReport { path, full_path: path, links: &[], text, old, new, fixed, written: false });
    String::from_utf8(shown).expect("invariant: made of text")
}

/// What is said of a function of a near miss that is near to nothing: it is no near miss.
const NO_REASON: &str = "nothing near";

/// For each function of a near miss: why the transform leaves it alone, where it came near.
fn reasons(id: &str) -> String {
    let text = example(id, "near_miss.py");
    let source = Source::parse(&text).unwrap_or_else(|error| panic!("{error}"));
    let mut out = String::new();
    for (name, range, _) in definitions(&source) {
        let refusals = engine::refusals(&text, &everything(&[id]), Some(range)).unwrap_or_else(|error| panic!("{error}"));
        let own: Vec<&str> = refusals.iter().map(|(_, r)| r.reason.as_str()).collect();
        let said = match (&own[..], engine::uses_mlx(&text, range)) {
            ([], true) => NO_REASON.to_owned(),
            ([], false) => "nothing is known to be computed by MLX".to_owned(),
            (reasons, _) => reasons.join("\n    "),
        };
        let _ = writeln!(out, "{name}: {said}");
    }
    out
}

pub(super) fn snapshot(folder: &str, name: &str, text: &str) {
    insta::with_settings!({ snapshot_path => root().join("snapshots").join(folder), prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(name, text);
    });
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}
