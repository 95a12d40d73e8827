//! Who applies one finding and no other, as editors do, gets what its transform does there by itself.

use mlxfix::Options;
use mlxfix::engine::Reported;
use mlxfix::finding::TransformId;
use mlxfix::syntax::{EditSet, Source};

use crate::walk::{everything, example, fixed, ids};

/// The attention below takes the lines of the number in an array with it: what the two make of them together leaves the scores without a mask if one of them
/// is applied.
const OVERLAP: &str = "import mlx.core as mx
import mlx.nn as nn

class Attention(nn.Module):
    def __init__(self, dims: int, heads: int):
        super().__init__()
        self.heads = heads
        self.to_q = nn.Linear(dims, dims)
        self.to_k = nn.Linear(dims, dims)
        self.to_v = nn.Linear(dims, dims)

    def __call__(self, x: mx.array, mask: mx.array = None):
        B = x.shape[0]
        q = self.to_q(x).reshape(B, -1, self.heads, 64).transpose(0, 2, 1, 3)
        k = self.to_k(x).reshape(B, -1, self.heads, 64).transpose(0, 2, 1, 3)
        v = self.to_v(x).reshape(B, -1, self.heads, 64).transpose(0, 2, 1, 3)
        scores = (q @ k.transpose(0, 1, 3, 2)) / 8
        if mask is not None:
            scores = mx.where(mask[:, None, None, :], scores, mx.array(float(\"-inf\")))
        weights = mx.softmax(scores.astype(mx.float32), axis=-1).astype(scores.dtype)
        return weights @ v
";

/// All findings in `text` where everything is applied that `ids` find, each with its own edits.
fn alone(text: &str, ids: &[&str]) -> Vec<Reported> {
    let found = mlxfix::fix(text, &Options { alone: true, ..everything(ids) }).unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!(found.broken, None, "{text:.300}");
    found.findings.into_iter().filter(|f| !f.finding.edits.is_empty()).collect()
}

/// `text` with the edits of `found` alone; `None` where it goes with others.
fn applied(text: &str, found: &Reported) -> Option<String> {
    let own = found.alone.as_ref().expect("it was asked for");
    assert_eq!(own.original.is_empty(), !own.with.is_empty(), "{own:?}");
    let mut edits = EditSet::new();
    assert!(edits.try_add(&own.original, 0), "{own:?}");
    (!edits.is_empty()).then(|| edits.apply(text))
}

#[test]
fn a_finding_inside_of_another_has_edits_of_its_own() {
    let found = alone(OVERLAP, &[]);
    let ids: Vec<&TransformId> = found.iter().map(|f| &f.finding.transform).collect();
    assert!(found.len() == 2 && ids[0] != ids[1], "{ids:?}");
    let shared = |a: &Reported, b: &Reported| a.finding.edits.iter().any(|edit| b.finding.edits.contains(edit));
    assert!(shared(&found[0], &found[1]), "the edits of both met");
    for one in &found {
        let by_itself = fixed(OVERLAP, &[one.finding.transform.as_str()]).text;
        assert_eq!(applied(OVERLAP, one), Some(by_itself), "{}", one.finding.transform);
    }
}

#[test]
fn what_is_found_in_what_another_finding_wrote_goes_with_that() {
    // The list of a row is made in each round of the outer loop by an edit that assumes two axes; that it is made once is right in any case, after that.
    let text = "import mlx.core as mx\n\n\ndef decode(logits: mx.array):\n    best = mx.argmax(logits, axis=-1)\n    rows = []\n    \
                try:\n        for b in range(best.shape[0]):\n            row = []\n            for t in range(best.shape[1]):\n                \
                row.append(int(best[b, t]))\n            rows.append(row)\n    finally:\n        print(rows)\n    return rows\n";
    let found = alone(text, &["tolist-iteration"]);
    let unsafe_ones: Vec<&Reported> = found.iter().filter(|f| !f.finding.assumptions.is_empty()).collect();
    assert!(found.len() == 2 && unsafe_ones.len() == 1, "{found:#?}");
    let by_itself = applied(text, unsafe_ones[0]).expect("it is made of the original text");
    for other in found.iter().filter(|f| f.finding.assumptions.is_empty()) {
        assert_ne!(applied(text, other).as_ref(), Some(&by_itself), "{}", other.finding.message);
        assert_eq!(other.alone.as_ref().map(|own| own.with.len()), Some(1), "{}", other.finding.message);
    }
}

#[test]
fn each_finding_of_the_examples_changes_by_itself_what_its_transform_changes() {
    let mut tried = 0;
    for text in ids().iter().map(|id| example(id, "match.py")) {
        for one in alone(&text, &[]) {
            let id = one.finding.transform.as_str();
            let Some(changed) = applied(&text, &one) else { continue };
            Source::parse(&changed).unwrap_or_else(|error| panic!("{id}: {error}\n{changed}"));
            let others = alone(&text, &[id]);
            let known = others.iter().any(|other| applied(&text, other).as_ref() == Some(&changed));
            assert!(known, "{id}: {}\n{changed}", one.finding.message);
            tried += 1;
        }
    }
    assert!(tried > 150, "{tried} findings");
}
