//! What each advice says of its examples. The snapshots in `snapshots/advice` are what a user would read; why it says nothing of its near misses is in
//! `snapshots/why`, like that of rules and passes.

use mlxfix::catalog::{CATALOG, Kind};
use mlxfix::finding::Applicability;
use mlxfix::syntax::Source;

use super::examples::{shown, snapshot};
use super::walk::{definitions, example, fixed};

/// The ids of the advice, as file names.
pub(super) fn ids() -> Vec<String> {
    CATALOG.iter().filter(|e| matches!(e.kind, Kind::Advice(_))).map(|e| e.id.replace('-', "_")).collect()
}

#[test]
fn the_messages_are_as_reviewed() {
    for id in ids() {
        let text = example(&id, "match.py");
        snapshot("advice", &id, &shown(&format!("examples/{id}/match.py"), &text, &fixed(&text, &[&id])));
    }
}

#[test]
fn each_definition_of_a_match_is_advised_on_and_none_of_a_near_miss() {
    let mut complaints = Vec::new();
    for id in ids() {
        for (file, wanted) in [("match.py", true), ("near_miss.py", false)] {
            let text = example(&id, file);
            let source = Source::parse(&text).unwrap_or_else(|error| panic!("{error}"));
            let found = fixed(&text, &[&id]).findings;
            for (name, range, _) in definitions(&source) {
                let here = found.iter().any(|f| range.contains_range(f.finding.range));
                if here != wanted {
                    complaints.push(format!("{id}/{file}: {name} is{} advised on", if here { "" } else { " not" }));
                }
            }
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn the_worked_example_is_advised_on_before_and_not_after() {
    for entry in CATALOG.iter().filter(|e| matches!(e.kind, Kind::Advice(_))) {
        let source = Source::parse(entry.text).unwrap_or_else(|error| panic!("{}: {error}", entry.id));
        let found = fixed(entry.text, &[entry.id]).findings;
        for (name, range, _) in definitions(&source) {
            let here = found.iter().any(|f| range.contains_range(f.finding.range));
            let wanted = name.to_lowercase().starts_with("before");
            assert!(here == wanted, "{}: {name}", entry.id);
        }
    }
}

#[test]
fn advice_has_no_edit_and_leaves_the_text_alone() {
    for id in ids() {
        let text = example(&id, "match.py");
        let fixed = fixed(&text, &[&id]);
        assert_eq!(fixed.text, text);
        let is_advice = |f: &mlxfix::engine::Reported| f.finding.applicability == Applicability::Advice && f.finding.edits.is_empty() && !f.applied;
        assert!(fixed.findings.iter().all(is_advice), "{id}");
        assert!(fixed.findings.iter().all(|f| f.finding.rationale.len() > 1), "{id}: what it costs and what to write");
    }
}

#[test]
fn async_eval_names_what_waits_within_a_step() {
    let loop_ = "def tokens(model, y, cache):\n    while True:\n        logits, cache = model(y[:, None], cache)\n        y = mx.argmax(logits[:, -1], axis=-1)\n        yield y.item()\n";
    let routed = |count: &str| {
        format!(
            "import mlx.core as mx\nimport mlx.nn as nn\n\n\nclass Routed(nn.Module):\n    def __call__(self, x):\n        \
             best = mx.argmax(x, axis=-1)\n        return [self.experts[i] for i in {count}]\n\n\n{loop_}"
        )
    };
    let told = |text: &str| {
        let found = fixed(text, &["async-eval"]).findings;
        assert_eq!(found.len(), 1, "{text}");
        found[0].finding.rationale.iter().any(|line| line.starts_with("`best.tolist()` in `Routed` waits within a step"))
    };
    assert!(told(&routed("best.tolist()")));
    assert!(!told(&routed("range(best.shape[-1])")));
    // Where the file shows that the model is made of it, that is what is told; and a loop in a method of the module itself does not call it.
    let model = "class Decoder(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.layers = [Routed()]\n\n\n";
    let shown = routed("best.tolist()").replace("def tokens(model,", &format!("{model}def tokens(model: Decoder,"));
    let found = fixed(&shown, &["async-eval"]).findings;
    assert!(found[0].finding.message.starts_with("`best.tolist()` in `Routed` waits within each step"), "{}", found[0].finding.message);
    let indented: String = loop_.replace("(model, y", "(self, model, y").lines().map(|l| format!("    {l}\n")).collect();
    assert!(!told(&routed("best.tolist()").replace(&format!("\n\n{loop_}"), &indented)));
}

#[test]
fn advice_stands_beside_an_edit_that_does_not_answer_it() {
    let text = "import mlx.core as mx\n\n\ndef generate(model, y, cache):\n    while True:\n        logits = model(y[None], cache=cache)\n        \
                y = mx.argmax(logits[:, -1, :], axis=-1)\n        mx.eval(y)\n        yield y.item()\n";
    let both = ["redundant-eval", "async-eval"];
    let first = fixed(text, &both);
    assert_eq!(first.text, text.replace("        mx.eval(y)\n", ""));
    let place = |found: &mlxfix::Fixed, id: &str| {
        let advice = found.findings.iter().find(|f| f.finding.transform.as_str() == id).map(|f| f.finding.range);
        advice.unwrap_or_else(|| panic!("{id} is not among {:#?}", found.findings))
    };
    // All positions are those of the original text, of which the advice speaks.
    assert_eq!(place(&first, "async-eval"), place(&fixed(text, &["async-eval"]), "async-eval"));
    place(&fixed(&first.text, &both), "async-eval");
}

#[test]
fn an_edit_that_answers_advice_takes_its_place() {
    let text = "import mlx.core as mx\n\n\ndef f(x: mx.array):\n    x, rows = x.reshape(-1), []\n    for i in range(x.shape[0]):\n        \
                rows.append(x[i].item())\n    return rows\n";
    let ids = |select: &[&str]| fixed(text, select).findings.iter().map(|f| f.finding.transform.as_str().to_owned()).collect::<Vec<_>>();
    assert_eq!(ids(&["sync-in-loop"]), ["sync-in-loop"]);
    assert_eq!(ids(&["sync-in-loop", "tolist-iteration"]), ["tolist-iteration"]);
}
