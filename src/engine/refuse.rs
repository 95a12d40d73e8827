//! Where transforms nearly apply, for people who ask why one does not. Nothing here takes part in a run.

use super::advise::advise;
use super::propose::{IS_SINGLE, worthwhile};
use super::validate::{self, Rejected};
use super::{Options, Transform, transforms, units};
use crate::finding::{Contract, Notes, Proposal, Refusal, TransformId};
use crate::graph::Analysis;
use crate::graph::value::{Graph, Op, ValueId};
use crate::platform::Platform;
use crate::rule::{self, Outcome};
use crate::syntax::{EditSet, Source, SyntaxError, TextRange};

/// So much, in percent, of what a transform looks for makes a place worth telling without being asked about it.
const NEAR: u32 = 60;
/// So much makes one worth telling of a place that somebody asks about.
const LIKELY: u32 = 30;

/// Where the selected transforms nearly apply to `text`, and what stands in their way. Of a `place` that somebody asks about, the nearest is told however
/// far away it is.
pub fn refusals(text: &str, options: &Options, place: Option<TextRange>) -> Result<Vec<(TransformId, Refusal)>, SyntaxError> {
    let source = Source::parse(text)?;
    let mut analysis = Analysis::new(&source, Graph::default());
    let (mut all, mut found): (Vec<(TransformId, Refusal)>, Vec<TextRange>) = Default::default();
    for transform in transforms(options) {
        let notes = Notes::kept();
        let advised = advise(transform, &analysis, &notes).into_iter().map(|f| f.range);
        let id = transform.id();
        if let Some(reason) = transform.unfit(&options.platform) {
            let proposed = refused(transform, &mut analysis, &options.platform, notes).0.into_iter().map(|p| p.finding.range);
            all.extend(advised.chain(proposed).map(|range| (id.clone(), Refusal::whole(range, reason.clone()))));
            continue;
        }
        found.extend(advised);
        let (proposals, refusals) = refused(transform, &mut analysis, &options.platform, notes);
        all.extend(refusals.into_iter().map(|r| (id.clone(), r)));
        for unit in units(proposals) {
            let mut edits = EditSet::new();
            unit.iter().for_each(|p| _ = edits.try_add(&p.finding.edits, 0));
            let contracts: Vec<&Contract> = unit.iter().map(|p| &p.contract).collect();
            let ranges = unit.iter().map(|p| p.finding.range);
            if let Err(Rejected(reason)) = validate::validate(&mut analysis, &edits.apply(text), &edits, &contracts, options.platform.mlx.as_ref()) {
                all.extend(ranges.map(|range| (id.clone(), Refusal::whole(range, format!("the edit was withdrawn: {reason}")))));
            } else {
                found.extend(ranges);
            }
        }
    }
    // A place that something applies to is not told as a place that something else nearly applies to.
    all.retain(|(_, r)| r.likeness == 100 || !found.iter().any(|f| f.contains_range(r.range)));
    one_for_each_place(&mut all);
    if let Some(place) = place {
        all.retain(|(_, r)| [r.at, line(&analysis, r.range)].iter().any(|part| part.intersect(place).is_some()));
    }
    if place.is_some() && options.select.is_none() {
        // Who asks about no transform in particular wants likely ones.
        all.retain(|(_, r)| r.likeness >= LIKELY);
    }
    let nearest = all.iter().map(|(_, r)| r.likeness).max().unwrap_or(0);
    let least = if place.is_some() { nearest.min(NEAR) } else { NEAR };
    all.retain(|(_, r)| r.likeness >= least);
    all.sort_by(|(a, r), (b, s)| (r.at.start(), r.at.end(), a).cmp(&(s.at.start(), s.at.end(), b)));
    Ok(all)
}

/// Of several transforms that nearly apply to one place, the one that comes nearest; of equals, the one that would run first.
fn one_for_each_place(all: &mut Vec<(TransformId, Refusal)>) {
    all.sort_by_key(|(_, r)| std::cmp::Reverse(r.likeness));
    let mut kept: Vec<(TransformId, TextRange, u32)> = Vec::new();
    all.retain(|(id, r)| {
        let meets = |range: TextRange| range.contains_range(r.range) || r.range.contains_range(range);
        let is_first = !kept.iter().any(|(other, range, likeness)| meets(*range) && (other != id || *likeness > r.likeness));
        kept.extend(is_first.then(|| (id.clone(), r.range, r.likeness)));
        is_first
    });
}

/// Whether anything in `place` is known to be computed by MLX.
pub fn uses_mlx(text: &str, place: TextRange) -> bool {
    let Ok(source) = Source::parse(text) else { return false };
    let analysis = Analysis::new(&source, Graph::default());
    let graph = &analysis.graph;
    let inside = analysis.bodies.iter().flat_map(|b| &b.occurrences).filter(|o| place.contains_range(o.range));
    inside.into_iter().any(|o| matches!(graph.op(o.value), Op::Mlx(_) | Op::MatMul) && !is_foreign(graph, o.value))
}

/// Whether something of another library takes part in `value` directly.
fn is_foreign(graph: &Graph, value: ValueId) -> bool {
    let path = |v: ValueId| graph.path(v).or_else(|| graph.operands(v).first().and_then(|&c| graph.path(c)));
    graph.operands(value).iter().filter_map(|&v| path(v)).any(|p| !p.starts_with("mlx."))
}

/// What one transform proposes, and what it refuses.
fn refused(transform: Transform<'_>, analysis: &mut Analysis<'_>, platform: &Platform, notes: Notes) -> (Vec<Proposal>, Vec<Refusal>) {
    let (proposals, refusals) = match transform {
        Transform::Rule(rule) => {
            let Outcome { proposals, mut refusals } = rule::find(rule, analysis, platform);
            refusals.extend(rule::near_misses(rule, analysis));
            (proposals, refusals)
        }
        Transform::Pass(id, pass) => (pass(analysis, &TransformId::from(id), &notes), notes.refusals()),
        Transform::Advice(..) => (Vec::new(), notes.refusals()),
    };
    let (proposals, vain) = worthwhile(proposals, platform);
    // What stands in the way of all of it says more than what does of one of its patterns.
    let vain = vain.into_iter().map(|p| Refusal::whole(p.finding.range, IS_SINGLE.to_owned()));
    (proposals, vain.chain(refusals).collect())
}

/// The lines by which people speak of `range`: the statement around it, or the first line of one that has statements inside.
fn line(analysis: &Analysis<'_>, range: TextRange) -> TextRange {
    let all = || analysis.bodies.iter().flat_map(|b| &b.statements).map(|s| s.range);
    let around = all().filter(|s| s.contains_range(range)).min_by_key(|s| s.len()).unwrap_or(range);
    let is_simple = !all().any(|s| s != around && around.contains_range(s));
    if is_simple { around } else { TextRange::empty(range.start()) }
}
