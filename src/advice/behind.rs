//! What follows a loop: whether an evaluation there covers what the rounds have made, and whether anything there reads what they have kept.

use rustc_hash::FxHashSet;

use crate::graph::statements::blocks;
use crate::place::{Place, expressions};
use crate::syntax::ast::{Expr, Stmt};
use crate::syntax::{Ranged, TextRange};

use super::rounds::Round;
use super::tokens::{mentions, root, targets};

/// The evaluation behind the loop, in its block, of what the rounds have made of one of `names`.
pub(super) fn evaluation_behind(place: &Place<'_>, round: &Round<'_>, names: &FxHashSet<String>) -> Option<TextRange> {
    let mut names = names.clone();
    round.lines.iter().for_each(|l| follow(place, l.statement, &mut names));
    let behind = around(place.own_statements(), round.statement.range()).unwrap_or(&[]);
    behind.iter().find_map(|statement| {
        let mut found = None;
        expressions::of_statement(statement, &mut |expr| {
            if let Expr::Call(call) = expr
                && place.path(&call.func).as_deref() == Some("mlx.core.eval")
                && call.arguments.args.iter().any(|a| mentions(place, a, &names))
            {
                found = Some(call.range());
            }
        });
        follow(place, statement, &mut names);
        found
    })
}

/// The list that `statement` makes longer by a value.
pub(super) fn appended(statement: &Stmt) -> Option<(&str, &Expr)> {
    let Stmt::Expr(s) = statement else { return None };
    let call = s.value.as_call_expr()?;
    let Expr::Attribute(method) = &*call.func else { return None };
    match &*call.arguments.args {
        [value] if matches!(method.attr.as_str(), "append" | "extend") => Some((root(&method.value)?, value)),
        _ => None,
    }
}

/// The array that `statement` makes longer: `x = mx.concatenate([x, y], axis=1)`.
pub(super) fn lengthened<'x>(place: &Place<'_>, statement: &'x Stmt) -> Option<&'x str> {
    let Stmt::Assign(s) = statement else { return None };
    let ([Expr::Name(target)], Expr::Call(call)) = (&s.targets[..], &*s.value) else { return None };
    let joins = place.path(&call.func).is_some_and(|p| matches!(p.as_str(), "mlx.core.concatenate" | "mlx.core.concat"));
    let Expr::List(parts) = call.arguments.args.first()? else { return None };
    let is_first = parts.elts.first().and_then(Expr::as_name_expr).is_some_and(|n| n.id == target.id);
    (joins && is_first).then_some(target.id.as_str())
}

/// Whether anything behind the loop reads `name`.
pub(super) fn is_read_behind(place: &Place<'_>, round: &Round<'_>, name: &str) -> bool {
    let behind = TextRange::new(round.statement.end(), place.body.range.end().max(round.statement.end()));
    let source = place.source();
    source.tokens().in_range(behind).iter().any(|t| source.slice(t.range()) == name)
}

/// What follows the statement `at` in its block, somewhere in `body`.
fn around(body: &[Stmt], at: TextRange) -> Option<&[Stmt]> {
    let found = body.iter().position(|s| s.range().contains_range(at))?;
    if body[found].range() == at {
        return Some(&body[found + 1..]);
    }
    blocks(&body[found]).into_iter().find_map(|b| around(b, at))
}

/// Add to `names` what `statement` makes of them, or puts them into.
fn follow(place: &Place<'_>, statement: &Stmt, names: &mut FxHashSet<String>) {
    let value = match statement {
        Stmt::Assign(s) => Some(&*s.value),
        Stmt::AugAssign(s) => Some(&*s.value),
        Stmt::AnnAssign(s) => s.value.as_deref(),
        _ => None,
    };
    if value.is_some_and(|v| mentions(place, v, names)) {
        names.extend(targets(statement));
    }
    if let Some((list, value)) = appended(statement)
        && mentions(place, value, names)
    {
        names.insert(list.to_owned());
    }
}
