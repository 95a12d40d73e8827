//! Operands that were transposed for the replaced product alone: `keys = keys.transpose(0, 2, 3, 1)` becomes `.transpose(0, 2, 1, 3)`, so that the
//! replacement may say `keys` where it would have to swap the axes back.

use super::elaborate::{Plan, words};
use super::removal::Removal;
use super::spell::SWAPPED;
use crate::graph::body::StatementKind;
use crate::graph::value::Symbol;
use crate::syntax::{Edit, Ranged, TextRange, TokenKind};

/// The names whose last two axes `text` swaps back and whose own statement can do without, with the edit of that statement.
pub(super) fn folds(plan: &Plan<'_>, text: &str, removal: &Removal) -> Vec<(Symbol, Edit)> {
    let ends = text.match_indices(SWAPPED).map(|(at, _)| &text[..at]);
    let names = ends.map(|before| &before[before.rfind(|c: char| !c.is_alphanumeric() && c != '_').map_or(0, |at| at + 1)..]);
    names.filter(|name| words(text).filter(|word| word == name).count() == 1).filter_map(|name| fold(plan, name, removal)).collect()
}

fn fold(plan: &Plan<'_>, name: &str, removal: &Removal) -> Option<(Symbol, Edit)> {
    let body = plan.body;
    let name = plan.analysis.graph.known_symbol(name)?;
    let held = body.value_of(name, plan.place())?;
    let gives = |s| body.value_of(name, body.statements[s as usize].range.end()) == Some(held);
    let definition = body.definitions.iter().rfind(|d| d.name == name && d.statement.is_some_and(gives))?;
    let statement = body.statements[definition.statement? as usize];
    let elsewhere = |used: TextRange| !plan.root.range.contains_range(used) && !removal.covers(body, used);
    if definition.escapes || definition.uses.iter().any(|&used| elsewhere(used)) || statement.kind != StatementKind::Assignment {
        return None;
    }
    let range = last_axes(plan, statement.range)?;
    let (one, other) = plan.analysis.source.slice(range).split_once(',')?;
    Some((name, Edit::replace(range, format!("{}, {}", other.trim(), one.trim()))))
}

/// Where the last two axes of the one `transpose` in `statement` stand.
fn last_axes(plan: &Plan<'_>, statement: TextRange) -> Option<TextRange> {
    let source = plan.analysis.source;
    let tokens = source.tokens().in_range(statement);
    let mut calls = (0..tokens.len()).filter(|&n| tokens[n].kind() == TokenKind::Name && source.slice(tokens[n].range()) == "transpose");
    let (Some(call), None) = (calls.next(), calls.next()) else { return None };
    let arguments = &tokens[call + 1..];
    let axes = |w: &[crate::syntax::Token]| w[0].kind() == TokenKind::Int && w[1].kind() == TokenKind::Comma && w[2].kind() == TokenKind::Int;
    let close = arguments.iter().position(|t| t.kind() == TokenKind::Rpar)?;
    let last = arguments[..close].windows(3).rfind(|w| axes(w))?;
    (last[2].end() <= arguments[close].start() && close >= 3 && arguments[close - 1].start() == last[2].start())
        .then(|| TextRange::new(last[0].start(), last[2].end()))
}
