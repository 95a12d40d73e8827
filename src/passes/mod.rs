//! Passes: transforms over statements, in Rust. Each proves its own edits from what the graph says of a place; none knows of rules, advice, its order or
//! other passes. A pass rejects most files by a search for bytes, before it looks at the tree.

pub mod astype_before_eval;
pub mod deprecated_api;
pub mod float32_default;
pub mod load_file_handle;
pub mod positional_shift;
pub mod redundant_eval;
pub mod release_temporaries;
pub mod tolist_iteration;

use crate::finding::{Notes, Proposal, TransformId};
use crate::graph::Analysis;

/// A pass: what it proposes for one file, under the id it is listed by. What it looked at and left goes to the notes.
pub type Pass = fn(&Analysis<'_>, &TransformId, &Notes) -> Vec<Proposal>;

#[cfg(test)]
mod testing {
    //! Text to text: what the proposals of one pass make of a file.

    use super::Pass;
    use crate::finding::{Applicability, Finding, Notes, TransformId};
    use crate::graph::Analysis;
    use crate::graph::value::Graph;
    use crate::syntax::{EditSet, Source};

    /// What `pass` finds in `text`.
    pub(super) fn findings(pass: Pass, text: &str) -> Vec<Finding> {
        let source = Source::parse(text).expect("the test is Python");
        let analysis = Analysis::new(&source, Graph::default());
        pass(&analysis, &TransformId::from("x"), &Notes::default()).into_iter().map(|p| p.finding).collect()
    }

    /// `text` with every edit of at most `admit` applied, round after round.
    pub(super) fn applied(pass: Pass, text: &str, admit: Applicability) -> String {
        let mut text = text.to_owned();
        for _ in 0..4 {
            let mut edits = EditSet::new();
            for (n, finding) in findings(pass, &text).iter().enumerate().filter(|(_, f)| f.applicability <= admit) {
                assert!(finding.edits.is_sorted_by_key(|e| e.range.start()), "{finding:?}");
                assert_eq!(finding.assumptions.is_empty(), finding.applicability == Applicability::Safe, "{finding:?}");
                edits.try_add(&finding.edits, n);
            }
            if edits.is_empty() {
                return text;
            }
            text = edits.apply(&text);
        }
        panic!("the pass does not come to rest:\n{text}");
    }
}
