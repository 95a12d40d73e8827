//! Lists that several loops read: made before the first of them, as long as neither the array nor the list changes.

use crate::finding::Applicability;
use crate::graph::value::ValueId;
use crate::place::{Place, expressions};
use crate::syntax::TextRange;
use crate::syntax::ast::Expr;

use super::Loops;
use super::subscripts::Element;

/// The name that holds `list`, made of the array `value` before `statement`, where the loop `inner` reads each of `elements`.
pub(super) fn made(
    place: &Place<'_>,
    elements: &[&Element<'_>],
    statement: TextRange,
    inner: TextRange,
    value: ValueId,
    list: &str,
) -> Option<String> {
    let (source, graph) = (place.source(), &place.analysis.graph);
    let array = elements.first()?.taken.array.id.as_str();
    let is_made = |range: TextRange| source.slice(range) == list && place.value_of(array, range.start()) == Some(value);
    let made = place.body.occurrences.iter().find(|o| o.range.end() < statement.start() && is_made(o.range))?.value;
    let mut names: Vec<&str> = place.body.held(statement.start()).filter(|&(_, held)| held == made).map(|(name, _)| graph.name(name)).collect();
    names.sort_unstable();
    let offsets: Vec<_> = elements.iter().map(|e| e.taken.array.range.start()).chain([inner.end()]).collect();
    let holds = |name: &str| offsets.iter().all(|&at| place.value_of(name, at) == Some(made));
    names.into_iter().find(|name| holds(name) && is_only_indexed(place, name)).map(str::to_owned)
}

/// Whether the scope binds `name` once and does nothing with what it holds but to take elements out of it: nobody else can change it.
fn is_only_indexed(place: &Place<'_>, name: &str) -> bool {
    let Some(symbol) = place.analysis.graph.known_symbol(name) else { return false };
    let is_it = |expr: &Expr| expr.as_name_expr().is_some_and(|n| n.id.as_str() == name && n.ctx.is_load());
    let (mut reads, mut indexed) = (0, 0);
    expressions::of_scope(place.own_statements(), &mut |expr| {
        reads += usize::from(is_it(expr));
        indexed += usize::from(expr.as_subscript_expr().is_some_and(|e| e.ctx.is_load() && is_it(&e.value)));
    });
    reads == indexed && place.definitions_of(symbol).count() == 1 && !place.body.captured.contains(&symbol)
}

/// Whether a loop before `statement` in its block is proposed to get `list` of the array `value`, and no less readily than `applicability` says: the next
/// pass over the text finds it there.
pub(super) fn is_about_to_be_made(
    loops: &Loops<'_, '_>,
    statement: TextRange,
    value: ValueId,
    array: &str,
    list: &str,
    applicability: Applicability,
) -> bool {
    let place = loops.place;
    let block_of = |range: TextRange| place.statement(range).map(|id| place.body.statements[id as usize].block);
    let newline = place.source().newline();
    loops.found.iter().map(|p| &p.finding).any(|finding| {
        let makes = |content: &str| content.split_once(" = ").is_some_and(|(_, made)| made.split(newline).next() == Some(list));
        let edit = finding.edits.iter().find(|e| e.range.is_empty() && makes(&e.content));
        edit.is_some_and(|edit| {
            let at = edit.range.start();
            let same_block = place.body.statements.iter().any(|s| s.range.start() == at && Some(s.block) == block_of(statement));
            finding.applicability <= applicability && same_block && place.value_of(array, at) == Some(value)
        })
    })
}
