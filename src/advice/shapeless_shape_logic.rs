//! Functions compiled for all shapes that compute with one: under `shapeless=True` Python sees the shape of the first call, and what it makes of it stays.
//!
//! The length of the last axis is left out, for it is that of the features, which no call changes.

use rustc_hash::FxHashSet;

use crate::finding::{Finding, Notes, TransformId};
use crate::graph::Analysis;
use crate::graph::body::Effect;
use crate::graph::value::{Op, ValueId};

use super::Told;
use super::compiled::{self, Site};

/// Find the functions for all shapes that keep one.
pub fn find(analysis: &Analysis<'_>, id: &TransformId, notes: &Notes) -> Vec<Finding> {
    let told = compiled::each(analysis, notes, |site| of_function(analysis, site).into_iter().collect());
    told.into_iter().map(|t: Told| t.finding(id)).collect()
}

fn of_function(analysis: &Analysis<'_>, site: &Site<'_>) -> Option<Told> {
    let left = |reason: &str| site.outer.notes.left::<Told>(site.range(), site.range(), 60, || reason.to_owned());
    if !site.compiled.is_shapeless {
        return left("it is compiled for each shape by itself");
    }
    let used = used(analysis, site);
    let graph = &analysis.graph;
    let is_used = |v: ValueId| used.contains(&v) || graph.op(v) == Op::Shape;
    let shapes = site.inner.body.occurrences.iter().filter(|o| o.own && is_used(o.value));
    let fixed = shapes.filter(|o| match graph.op(o.value) {
        Op::Dim(axis) => axis != -1,
        // All of the shape, or lengths that it is unpacked into.
        Op::Shape => used.iter().any(|&v| match graph.get(v) {
            (Op::Mlx(_) | Op::Tuple | Op::Apply, operands) => operands.contains(&o.value),
            (Op::Dim(axis), operands) => axis != -1 && operands == graph.operands(o.value),
            _ => false,
        }),
        _ => false,
    });
    let Some(first) = fixed.min_by_key(|o| (o.range.start(), std::cmp::Reverse(o.range.end()))) else {
        return left("nothing in it computes with the length of an axis but the last");
    };
    let text = analysis.source.quote(first.range);
    Some(Told {
        range: first.range,
        message: format!("`{text}` stays as the first call had it in `{}`, which is compiled with `shapeless=True`", site.function.name),
        rationale: vec![
            "1 value of it for all calls: with another shape the results are silently wrong, or an operation raises.".to_owned(),
            "Compute from the arrays (`mx.mean` for a sum over a length, `x.flatten` for a product of lengths, `-1` in a reshape), pass the length as an array, or compile without `shapeless`.".to_owned(),
        ],
    })
}

/// What the results and effects of the function are made of.
fn used(analysis: &Analysis<'_>, site: &Site<'_>) -> FxHashSet<ValueId> {
    let effects = site.inner.body.effects.iter().filter(|e| !matches!(e, Effect::Raise(_) | Effect::Assert(_)));
    let mut stack: Vec<ValueId> = effects.flat_map(|e| e.values().into_iter().flatten()).collect();
    let mut seen: FxHashSet<ValueId> = FxHashSet::default();
    while let Some(value) = stack.pop() {
        if seen.insert(value) {
            stack.extend(analysis.graph.operands(value));
        }
    }
    seen
}
