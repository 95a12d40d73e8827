//! What is to be done by hand, beside edits. Advice is computed on the original text, which its reader has before them; where an edit touches the same code it
//! stands if it is given on the text with the edits, too: what made an evaluation needless may have left what it waits for.

use rustc_hash::FxHashSet;

use super::{Fixed, Transform, tell_file};
use crate::finding::{Finding, Notes, TransformId};
use crate::graph::Analysis;
use crate::syntax::{EditSet, TextRange, TextSize};

/// The advice on one text.
#[derive(Default)]
pub(super) struct Advice {
    findings: Vec<Finding>,
    /// What is advised on the text with all edits, of transforms whose advice an edit touches.
    again: Vec<Again>,
}

/// Advice on the text with all edits. Its places are those of the original text.
struct Again {
    transform: TransformId,
    range: TextRange,
    /// Where the advice was not given before at this place: the scope, in which it may have been given at another.
    scope: Option<TextRange>,
}

impl Advice {
    /// What `transforms` advise on the original text.
    pub(super) fn on(analysis: &Analysis<'_>, transforms: &[Transform<'_>]) -> Self {
        Self { findings: transforms.iter().flat_map(|t| advise(*t, analysis, &Notes::default())).collect(), again: Vec::new() }
    }

    /// Look at what became of the text by `edits`.
    pub(super) fn ask_again(&mut self, analysis: &Analysis<'_>, transforms: &[Transform<'_>], edits: &EditSet) {
        let edited = Edited::new(edits.iter().map(|(e, _)| e.range).collect());
        let touched: FxHashSet<&TransformId> = self.findings.iter().filter(|a| edited.touches(a.range)).map(|a| &a.transform).collect();
        let advice = transforms.iter().filter(|t| touched.contains(&t.id())).flat_map(|t| advise(*t, analysis, &Notes::default()));
        let again = advice.map(|a| {
            let range = edits.original_range(a.range);
            let is_at_its_place = self.findings.iter().any(|f| f.transform == a.transform && f.range.intersect(range).is_some());
            let scopes = analysis.bodies.iter().map(|b| b.range).filter(|r| !is_at_its_place && r.contains_range(a.range));
            let scope = scopes.min_by_key(|r| r.len()).map(|r| edits.original_range(r));
            Again { transform: a.transform, range, scope }
        });
        self.again = again.collect();
    }

    /// The advice that stands beside edits at the places `applied`, which are part of the text that was asked again, and `proposed`, which are not.
    pub(super) fn beside(self, applied: Vec<TextRange>, proposed: Vec<TextRange>) -> Vec<Finding> {
        let Self { findings, again } = self;
        let (applied, proposed) = (Edited::new(applied), Edited::new(proposed));
        let meets = |again: &Again, range: TextRange| again.range.intersect(range).is_some() || again.scope.is_some_and(|s| s.contains_range(range));
        let is_given_again = |a: &Finding| again.iter().any(|again| again.transform == a.transform && meets(again, a.range));
        findings.into_iter().filter(|a| !proposed.touches(a.range) && (!applied.touches(a.range) || is_given_again(a))).collect()
    }
}

/// What one transform advises to do by hand.
pub(super) fn advise(transform: Transform<'_>, analysis: &Analysis<'_>, notes: &Notes) -> Vec<Finding> {
    match transform {
        Transform::Advice(id, advice) => {
            let mut findings = advice(analysis, &TransformId::from(id), notes);
            findings.iter_mut().for_each(|f| tell_file(id, f));
            findings
        }
        Transform::Rule(_) | Transform::Pass(..) => Vec::new(),
    }
}

impl Fixed {
    /// Take away the findings without edits of which `is_needless` says so.
    pub fn leave_out(&mut self, is_needless: impl Fn(&Finding) -> bool) {
        let is_left: Vec<bool> = self.findings.iter().map(|f| f.finding.edits.is_empty() && is_needless(&f.finding)).collect();
        if !is_left.contains(&true) {
            return;
        }
        let kept = |count: &mut usize, &is_left: &bool| Some(std::mem::replace(count, *count + usize::from(!is_left)));
        let places: Vec<usize> = is_left.iter().scan(0, kept).collect();
        self.edits = std::mem::take(&mut self.edits).renumbered(|n| places[n]);
        let mut left = is_left.into_iter();
        self.findings.retain(|_| left.next() == Some(false));
        self.findings.iter_mut().filter_map(|f| f.alone.as_mut()).flat_map(|a| &mut a.with).for_each(|n| *n = places[*n]);
    }
}

/// The places of edits, in order.
struct Edited {
    places: Vec<TextRange>,
    /// The furthest end of each edit and all before it.
    ends: Vec<TextSize>,
}

impl Edited {
    fn new(mut places: Vec<TextRange>) -> Self {
        places.sort_unstable_by_key(|r| r.start());
        let ends = places.iter().scan(TextSize::new(0), |end, r| {
            *end = (*end).max(r.end());
            Some(*end)
        });
        let ends = ends.collect();
        Self { places, ends }
    }

    fn touches(&self, range: TextRange) -> bool {
        let before = self.places.partition_point(|r| r.start() < range.end());
        before.checked_sub(1).is_some_and(|last| self.ends[last] > range.start())
    }
}
