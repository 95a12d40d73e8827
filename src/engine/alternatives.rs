//! Two ways to change the same code: a norm with its weight, and the norm alone. One of them can be applied, and so one is told.

use rustc_hash::FxHashMap;

use crate::finding::{Contract, Proposal};
use crate::graph::value::ValueId;
use crate::syntax::TextRange;

/// Where edits stand that have to do with a value.
#[derive(Default)]
struct Places(FxHashMap<ValueId, Vec<TextRange>>);

impl Places {
    fn add(&mut self, value: ValueId, proposal: &Proposal) {
        self.0.entry(value).or_default().extend(proposal.finding.edits.iter().map(|edit| edit.range));
    }

    fn meet(&self, value: ValueId, proposal: &Proposal) -> bool {
        let overlaps =
            |range: &TextRange| proposal.finding.edits.iter().any(|edit| edit.range.intersect(*range).is_some_and(|both| !both.is_empty()));
        self.0.get(&value).is_some_and(|ranges| ranges.iter().any(overlaps))
    }
}

/// `proposals` of one transform, of which none is applied, without those that change lines which an earlier one changes, where one of the two computes on its
/// way what the other replaces.
pub(super) fn one_way_each(proposals: Vec<Proposal>) -> Vec<Proposal> {
    let (mut replaced, mut computed) = (Places::default(), Places::default());
    let mut kept = Vec::with_capacity(proposals.len());
    for proposal in proposals {
        if let Contract::Values { replaced: (root, _), parts, .. } = &proposal.contract {
            if computed.meet(*root, &proposal) || parts.iter().any(|&part| part != *root && replaced.meet(part, &proposal)) {
                continue;
            }
            replaced.add(*root, &proposal);
            parts.iter().filter(|&part| part != root).for_each(|&part| computed.add(part, &proposal));
        }
        kept.push(proposal);
    }
    kept
}
