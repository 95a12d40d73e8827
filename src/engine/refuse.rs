//! Where transforms nearly apply, for people who ask why one does not. Nothing here takes part in a run.

use super::validate::{self, Rejected};
use super::{Options, Transform, transforms};
use crate::finding::{Proposal, Refusal, TransformId};
use crate::graph::Analysis;
use crate::graph::value::Graph;
use crate::rule::{self, Outcome};
use crate::syntax::{EditSet, Source, SyntaxError, TextRange};

/// So much, in percent, of what a transform looks for makes a place worth telling without being asked about it.
const NEAR: u32 = 60;

/// Where the selected transforms nearly apply to `text`, and what stands in their way. Of a `place` that somebody asks about, the nearest is told however
/// far away it is.
pub fn refusals(text: &str, options: &Options, place: Option<TextRange>) -> Result<Vec<(TransformId, Refusal)>, SyntaxError> {
    let source = Source::parse(text)?;
    let mut analysis = Analysis::new(&source, Graph::default());
    let mut all = Vec::new();
    for transform in transforms(options) {
        let (proposals, refusals) = refused(transform, &mut analysis);
        let id = transform.id();
        all.extend(refusals.into_iter().map(|r| (id.clone(), r)));
        for Proposal { finding, contract } in proposals {
            let mut edits = EditSet::new();
            edits.try_add(&finding.edits, 0);
            if let Err(Rejected(reason)) = validate::validate(&mut analysis, &edits.apply(text), &edits, &[&contract]) {
                all.push((id.clone(), Refusal::whole(finding.range, format!("the edit was withdrawn: {reason}"))));
            }
        }
    }
    if let Some(place) = place {
        all.retain(|(_, r)| statement(&analysis, r.range).cover(r.at).intersect(place).is_some());
    }
    let nearest = all.iter().map(|(_, r)| r.likeness).max().unwrap_or(0);
    let least = if place.is_some() { nearest.min(NEAR) } else { NEAR };
    all.retain(|(_, r)| r.likeness >= least);
    all.sort_by(|(a, r), (b, s)| (r.at.start(), r.at.end(), a).cmp(&(s.at.start(), s.at.end(), b)));
    Ok(all)
}

/// What one transform proposes, and what it refuses.
fn refused(transform: Transform<'_>, analysis: &mut Analysis<'_>) -> (Vec<Proposal>, Vec<Refusal>) {
    match transform {
        Transform::Rule(rule) => {
            let Outcome { proposals, mut refusals } = rule::find(rule, analysis);
            refusals.extend(rule::near_misses(rule, analysis));
            (proposals, refusals)
        }
        Transform::Pass(..) => Default::default(),
    }
}

/// The innermost statement around `range`.
fn statement(analysis: &Analysis<'_>, range: TextRange) -> TextRange {
    let all = analysis.bodies.iter().flat_map(|b| &b.statements).map(|s| s.range);
    all.filter(|s| s.contains_range(range)).min_by_key(|s| s.len()).unwrap_or(range)
}
