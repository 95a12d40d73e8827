//! Passes: transforms over statements, in Rust. Each proves its own edits from what the graph says of a place; none knows of rules, advice, its order or
//! other passes. A pass rejects most files by a search for bytes, before it looks at the tree.

pub mod astype_before_eval;
mod blocks;
pub mod deprecated_api;
pub mod load_file_handle;
mod place;
pub mod redundant_eval;
pub mod release_temporaries;
pub mod tolist_iteration;

use std::cell::RefCell;

use crate::finding::{Proposal, Refusal, TransformId};
use crate::graph::Analysis;
use crate::syntax::TextRange;

/// A pass: what it proposes for one file, under the id it is listed by. What it looked at and left goes to the notes.
pub type Pass = fn(&Analysis<'_>, &TransformId, &Notes) -> Vec<Proposal>;

/// What a pass looked at and left alone, and why: kept only where somebody asks.
#[derive(Default)]
pub struct Notes(Option<RefCell<Vec<Refusal>>>);

impl Notes {
    /// Notes that are kept.
    pub fn kept() -> Self {
        Self(Some(RefCell::default()))
    }

    /// What was noted.
    pub fn refusals(self) -> Vec<Refusal> {
        self.0.map(RefCell::into_inner).unwrap_or_default()
    }

    /// Whether anybody asks.
    fn are_kept(&self) -> bool {
        self.0.is_some()
    }

    /// Note that `range` is left alone because of what stands `at` a place in it. `likeness` is as in [`Refusal`]. Always `None`, for `return`.
    fn left<T>(&self, range: TextRange, at: TextRange, likeness: u32, reason: impl FnOnce() -> String) -> Option<T> {
        if let Some(notes) = &self.0 {
            notes.borrow_mut().push(Refusal { range, at, reason: reason(), likeness });
        }
        None
    }

    /// Whether something inside `range` is noted.
    fn speak_of(&self, range: TextRange) -> bool {
        self.0.as_ref().is_some_and(|notes| notes.borrow().iter().any(|r| range.contains_range(r.range)))
    }
}

#[cfg(test)]
mod testing {
    //! Text to text: what the proposals of one pass make of a file.

    use super::{Notes, Pass};
    use crate::finding::{Applicability, Finding, TransformId};
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
