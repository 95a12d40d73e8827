//! Whether Python has to see a sample before it can build the next step: an `if` that asks for one, and does not end the loop, sets what the round computes
//! with.

use rustc_hash::FxHashSet;

use crate::graph::statements::branches;
use crate::place::{Place, expressions};
use crate::syntax::Ranged;
use crate::syntax::ast::{self, Expr, Stmt};

use super::rounds::{Line, Round};
use super::tokens::{Generation, mentions, root, targets};

/// Whether a sample of `generation` decides what `round` computes.
pub(super) fn steers(place: &Place<'_>, round: &Round<'_>, generation: &Generation<'_>) -> bool {
    let known = known_to_python(place, round, generation);
    if feeds(place, round, generation, &known) {
        return true;
    }
    round.lines.iter().any(|line| {
        let Stmt::If(s) = line.statement else { return false };
        let (mut asks, mut set) = (false, FxHashSet::default());
        for (test, body) in branches(s) {
            asks |= test.is_some_and(|test| mentions(place, test, &known) || asks_for(test, generation));
            if asks && !matches!(body.last(), Some(Stmt::Break(_) | Stmt::Return(_) | Stmt::Raise(_))) {
                let is_inside = |l: &&Line<'_>| body.iter().any(|b| b.range().contains_range(l.statement.range()));
                set.extend(round.lines.iter().filter(is_inside).flat_map(|l| targets(l.statement)));
            }
        }
        let is_outside = |l: &&Line<'_>| !s.range().contains_range(l.statement.range());
        round.lines.iter().filter(is_outside).any(|l| computes_with(l.statement, &set))
    })
}

/// The names that hold a number read from a sample, or something made of one.
fn known_to_python(place: &Place<'_>, round: &Round<'_>, generation: &Generation<'_>) -> FxHashSet<String> {
    let mut known = FxHashSet::default();
    for line in &round.lines {
        let (Stmt::Assign(ast::StmtAssign { value, .. }) | Stmt::AugAssign(ast::StmtAugAssign { value, .. })) = line.statement else { continue };
        let is_read = generation.reads.iter().any(|read| value.range().contains_range(*read));
        if is_read || mentions(place, value, &known) {
            known.extend(targets(line.statement));
        }
    }
    known
}

/// Whether a list of numbers read from samples goes into what makes the next sample, as for a penalty on repetitions.
fn feeds(place: &Place<'_>, round: &Round<'_>, generation: &Generation<'_>, known: &FxHashSet<String>) -> bool {
    let mut lists = FxHashSet::default();
    for line in &round.lines {
        let Stmt::Expr(s) = line.statement else { continue };
        let Expr::Call(call) = &*s.value else { continue };
        if let Expr::Attribute(method) = &*call.func
            && matches!(method.attr.as_str(), "append" | "extend" | "add")
            && let [number] = &*call.arguments.args
            && (mentions(place, number, known) || generation.reads.iter().any(|read| number.range().contains_range(*read)))
        {
            lists.extend(root(&method.value).map(str::to_owned));
        }
    }
    let makes_sample = |statement: &Stmt| targets(statement).iter().any(|name| generation.names.contains(name));
    round.lines.iter().any(|l| match l.statement {
        Stmt::Assign(s) => makes_sample(l.statement) && mentions(place, &s.value, &lists),
        _ => false,
    })
}

/// Whether `test` waits for a sample itself.
fn asks_for(test: &Expr, generation: &Generation<'_>) -> bool {
    if generation.reads.iter().chain(&generation.tests).any(|wait| test.range().contains_range(*wait)) {
        return true;
    }
    match test {
        Expr::Name(name) => generation.names.contains(name.id.as_str()),
        Expr::UnaryOp(e) if e.op == ast::UnaryOp::Not => asks_for(&e.operand, generation),
        Expr::BoolOp(e) => e.values.iter().any(|v| asks_for(v, generation)),
        _ => false,
    }
}

/// Whether `statement` reads one of `names` for more than to show or to keep it.
fn computes_with(statement: &Stmt, names: &FxHashSet<String>) -> bool {
    let shows = match statement {
        Stmt::Expr(s) => match &*s.value {
            Expr::Yield(_) => true,
            Expr::Call(call) => match &*call.func {
                Expr::Name(name) => name.id.as_str() == "print",
                Expr::Attribute(method) => matches!(method.attr.as_str(), "append" | "extend" | "write" | "update" | "add"),
                _ => false,
            },
            _ => false,
        },
        _ => false,
    };
    let mut found = false;
    expressions::of_statement(statement, &mut |expr| {
        found |= expr.as_name_expr().is_some_and(|n| n.ctx.is_load() && names.contains(n.id.as_str()));
    });
    found && !shows
}
