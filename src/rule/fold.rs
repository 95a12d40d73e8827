//! Operands that were transposed for the replaced product alone: `keys = keys.transpose(0, 2, 3, 1)` becomes `.transpose(0, 2, 1, 3)`, so that the
//! replacement may say `keys` where it would have to swap the axes back.

use super::elaborate::{Plan, words};
use super::removal::Removal;
use super::spell::SWAPPED;
use crate::graph::body::StatementKind;
use crate::graph::value::Symbol;
use crate::syntax::{Edit, Ranged, TextRange, Token, TokenKind};

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
    let definition = body.definitions_of(name).iter().map(|&d| &body.definitions[d as usize]).rfind(|d| d.statement.is_some_and(gives))?;
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
    let tokens: Vec<_> = source.tokens().in_range(statement).iter().filter(|t| t.kind() != TokenKind::NonLogicalNewline).collect();
    let mut calls = (0..tokens.len()).filter(|&n| tokens[n].kind() == TokenKind::Name && source.slice(tokens[n].range()) == "transpose");
    let (Some(call), None) = (calls.next(), calls.next()) else { return None };
    let arguments = arguments(&tokens[call + 1..])?;
    // Axes may stand in a tuple, and a comma after the last.
    let end = arguments.iter().rposition(|t| !matches!(t.kind(), TokenKind::Rpar | TokenKind::Rsqb | TokenKind::Comma))?;
    let number_to = |end: usize| {
        let sign = end.checked_sub(1).filter(|&n| arguments[n].kind() == TokenKind::Minus);
        (arguments[end].kind() == TokenKind::Int).then_some(sign.unwrap_or(end))
    };
    let comma = number_to(end)?.checked_sub(1).filter(|&n| arguments[n].kind() == TokenKind::Comma)?;
    let first = number_to(comma.checked_sub(1)?)?;
    Some(TextRange::new(arguments[first].start(), arguments[end].end()))
}

/// The tokens between the parentheses with which `tokens` begin.
fn arguments<'t>(tokens: &'t [&'t Token]) -> Option<&'t [&'t Token]> {
    let mut depth = 0u32;
    for (at, token) in tokens.iter().enumerate() {
        match token.kind() {
            TokenKind::Lpar | TokenKind::Lsqb | TokenKind::Lbrace => depth += 1,
            TokenKind::Rpar | TokenKind::Rsqb | TokenKind::Rbrace => depth = depth.checked_sub(1)?,
            _ => {}
        }
        if depth == 0 {
            return tokens.get(1..at);
        }
    }
    None
}
