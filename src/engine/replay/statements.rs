//! What is to be run of an edit that changes statements: both texts, where they differ, and what is known of what the code around gets from outside. Which
//! code that is, and whether it can be run, the proof finds out.

use rustc_hash::FxHashMap;

use crate::engine::validate::touched;
use crate::finding::{Applicability, Finding, Kept};
use crate::graph::Analysis;
use crate::graph::body::Body;
use crate::graph::dtypes;
use crate::graph::facts::{Facts, Kind};
use crate::graph::value::{Graph, Op, ValueId};
use crate::replay::{Leaf, Replay, Statements, Version};
use crate::syntax::{EditSet, Source, TextSize};

use super::{MAX_LEAVES, is_opaque, marks, moved, path, span, word};

/// What is to be run of `finding`, which is valid in the text of `old` and keeps as much as `kept` says.
pub(super) fn replay(old: &mut Analysis<'_>, finding: &Finding, kept: Kept) -> Result<Replay, String> {
    if let Kept::Nothing(reason) = kept {
        return Err(reason.to_owned());
    }
    let mut edits = EditSet::new();
    edits.try_add(&finding.edits, 0);
    let text = edits.apply(old.source.text());
    let source = Source::parse(&text).map_err(|e| format!("the result is no Python: {e}"))?;
    let (numbers, leaves) = known(old, &edits, kept);
    let before = Version {
        text: old.source.text().to_owned(),
        places: finding.edits.iter().map(|e| span(e.range)).collect(),
        marks: marks(old, &numbers),
        axes: Vec::new(),
    };
    let new = Analysis::new(&source, std::mem::take(&mut old.graph));
    let place = |edit: &crate::syntax::Edit| {
        // What an edit writes ends where the text behind it begins.
        let end = moved(&edits, edit.range.end()) + if edit.range.is_empty() { edit.content.len() } else { 0 };
        (end - edit.content.len(), end)
    };
    let after = Version { text: text.clone(), places: finding.edits.iter().map(place).collect(), marks: marks(&new, &numbers), axes: Vec::new() };
    old.graph = new.graph;
    let assumes = finding.applicability == Applicability::Unsafe;
    Ok(Replay::Statements(Box::new(Statements { narrows: kept == Kept::Narrowed, assumes, before, after, leaves })))
}

/// What is known of the values that the scopes of `edits` get from outside, each with its number.
fn known(analysis: &Analysis<'_>, edits: &EditSet, kept: Kept) -> (FxHashMap<ValueId, usize>, Vec<Leaf>) {
    let (mut numbers, mut leaves) = (FxHashMap::default(), Vec::new());
    for body in touched(analysis, edits).into_iter().map(|index| &analysis.bodies[index]) {
        let first = edits.iter().map(|(e, _)| e.range.start()).find(|&start| body.range.contains(start));
        let facts = Facts::at(analysis, body, block(body, first.unwrap_or_default()), body.range.end());
        for value in given(analysis, body) {
            let kind = facts.kind(value);
            if kind == Kind::Unknown || kind == Kind::Other || leaves.len() == MAX_LEAVES || numbers.contains_key(&value) {
                continue;
            }
            numbers.insert(value, leaves.len());
            let rank = facts.rank(value);
            let length = |axis| facts.length(value, axis).and_then(|n| analysis.graph.as_int(n));
            let lengths = (0..rank.unwrap_or(0)).map(length).collect();
            let is_array = matches!(kind, Kind::Array | Kind::OptionalArray);
            let dtypes = if is_array { dtypes::combinations(&analysis.graph, &facts, &[value]).concat() } else { Vec::new() };
            // Of an array of which nothing is known it is said that it has some floating dtype, which matters where dtypes change.
            let says = kept == Kept::Narrowed || !dtypes.contains(&dtypes::Dtype::Float32);
            let dtypes = dtypes.into_iter().filter(|_| says).map(dtypes::Dtype::name).collect();
            leaves.push(Leaf { opaque: true, name: path(&analysis.graph, value), kind: word(kind), rank, lengths, dtypes, ..Leaf::default() });
        }
    }
    (numbers, leaves)
}

/// The values in `body` of which nothing is known of how they are computed, in the order of the text.
fn given<'x>(analysis: &'x Analysis<'_>, body: &'x Body) -> impl Iterator<Item = ValueId> + 'x {
    let graph = &analysis.graph;
    let names = body.definitions.iter().flat_map(|d| d.uses.iter().filter_map(|range| body.value_of(d.name, range.start())));
    let is_given = |graph: &Graph, value: ValueId| is_opaque(graph, value) && !matches!(graph.op(value), Op::Phi(..) | Op::Changed(_));
    body.occurrences.iter().map(|o| o.value).chain(names).filter(move |&value| is_given(graph, value))
}

/// The block of the innermost statement of `body` around `offset`.
fn block(body: &Body, offset: TextSize) -> u32 {
    let around = body.statements.iter().filter(|s| s.range.start() <= offset && offset <= s.range.end());
    around.min_by_key(|s| s.range.len()).or(body.statements.first()).map_or(0, |s| s.block)
}
