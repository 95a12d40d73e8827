//! Elements of an array that a loop reads one by one: each read makes an operation of its own, and waits for it and for everything before it. One list made
//! before the loop holds them all.

use rustc_hash::FxHashSet;

use crate::finding::MEASURED;
use crate::graph::facts::Kind;
use crate::graph::value::Op;
use crate::place::Place;
use crate::syntax::ast::{self, Expr, ExprSubscript, Operator, Stmt};
use crate::syntax::{Ranged, TextRange};

use super::super::reads::{Read, number, reads};
use super::super::rounds::{Line, Round};
use super::super::tokens::{mentions, targets};
use super::super::{Told, listed};
use super::{ELEMENTS, cost};
use crate::place::expressions;

/// A loop of so many rounds may read one by one.
const FEW: i64 = 8;

/// The elements that each round reads of one array that the loop leaves as it is.
pub(super) fn told(place: &Place<'_>, round: &Round<'_>) -> Option<Told> {
    let changing: FxHashSet<String> = round.lines.iter().flat_map(|l| targets(l.statement)).collect();
    let counters = counters(place, round);
    if has_few_rounds(place, round) {
        return None;
    }
    let mut found: Vec<(Read<'_>, &ExprSubscript)> = Vec::new();
    for line in round.lines.iter().filter(|l| !l.rare && !l.statement.is_assert_stmt() && is_own(round, l)) {
        expressions::of_statement(line.statement, &mut |expr| {
            let Some(subscript) = element(expr) else { return };
            if is_counted(&subscript.slice, &counters)
                && !mentions(place, &subscript.value, &changing)
                && let Some(read) = number(place, line.statement, expr)
                && is_kept(place, round, line.statement, &subscript.value)
            {
                found.push((read, subscript));
            }
        });
    }
    let source = place.source();
    let text = |e: &Expr| source.quote(e.range());
    let array = text(&found.first()?.1.value);
    found.retain(|(_, subscript)| text(&subscript.value) == array);
    let (first, last) = (found.first()?.0, found.last()?.0);
    let one = text(first.expr);
    let is_always = found.iter().any(|(read, _)| round.lines.iter().any(|l| l.once && l.statement.range().contains_range(read.expr.range())));
    let where_ = if is_always { "" } else { " that comes there" };
    let others = others(place, round, &array, &found);
    if let Some(name) = place.uncalled() {
        return place.notes.left(first.expr.range(), first.expr.range(), 100, || format!("nothing in this file calls `{name}`, which is private"));
    }
    if let Some(wait) = wait_beside(place, round, &found) {
        let reason = || "the loop is over a batch, which a step may have one sequence of, and its rounds wait here in any case".to_owned();
        return place.notes.left(first.expr.range(), wait, 100, reason);
    }
    Some(Told {
        range: TextRange::new(first.expr.start(), last.expr.end()),
        message: format!("`{one}` takes a number out of `{array}` and waits for it, {}", round.named(place)),
        rationale: vec![
            format!(
                "{}{where_}, for each of which MLX makes an operation and finishes all that is queued before it.",
                cost(place, round, found.len())
            ),
            format!("Read the numbers together before the loop, with `{array}.tolist()`, and take them out of the list{others}."),
            format!("{MEASURED} {ELEMENTS}"),
        ],
    })
}

/// What else the loop reads of `array` besides `found`: the list serves for that as well.
fn others(place: &Place<'_>, round: &Round<'_>, array: &str, found: &[(Read<'_>, &ExprSubscript)]) -> String {
    let source = place.source();
    let is_found = |at: TextRange| found.iter().any(|(read, _)| read.expr.range() == at);
    let takes = |expr: &Expr| expr.as_subscript_expr().is_some_and(|e| source.quote(e.value.range()) == array);
    let mut others = Vec::new();
    for line in &round.lines {
        for read in reads(place, line.statement).iter().filter(|read| !is_found(read.expr.range())) {
            let mut is_of_array = false;
            expressions::each(read.array, &mut |expr| is_of_array |= takes(expr));
            let text = source.quote(read.expr.range());
            if is_of_array && !others.contains(&text) {
                others.push(text);
            }
        }
    }
    if others.is_empty() { String::new() } else { format!(", or do the same with parts of it: {} as well", listed(&others)) }
}

/// Where else the rounds wait, which go through the sequences of a batch that the function is given, beside the reads `found` of something else.
fn wait_beside(place: &Place<'_>, round: &Round<'_>, found: &[(Read<'_>, &ExprSubscript)]) -> Option<TextRange> {
    let Stmt::For(s) = round.statement else { return None };
    let &[_, bound] = place.analysis.graph.operands(place.value(&s.iter)?) else { return None };
    let batch = place.parameter_counted_by(bound)?;
    let is_other = |at: TextRange| found.iter().all(|(read, subscript)| read.expr.range() != at && place.value(&subscript.value) != Some(batch));
    let mut other = None;
    for line in &round.lines {
        expressions::of_statement(line.statement, &mut |expr| {
            let is_read = |method: &ast::ExprAttribute| matches!(method.attr.as_str(), "item" | "tolist");
            if let Expr::Call(call) = expr
                && call.func.as_attribute_expr().is_some_and(is_read)
                && is_other(call.range())
            {
                other.get_or_insert(call.range());
            }
        });
    }
    other
}

/// The subscript that `expr` makes a number of: `a[i].item()`, `float(a[i])`.
fn element(expr: &Expr) -> Option<&ExprSubscript> {
    let call = expr.as_call_expr()?;
    let array = match (&*call.func, &*call.arguments.args) {
        (Expr::Attribute(method), []) if method.attr.as_str() == "item" => &method.value,
        (Expr::Name(_), [only]) => only,
        _ => return None,
    };
    array.as_subscript_expr()
}

/// The names that go through the places of something: what `range` or `enumerate` gives, and what each round adds 1 to.
fn counters<'x>(place: &Place<'_>, round: &Round<'x>) -> Vec<&'x str> {
    let mut names = Vec::new();
    if let Stmt::For(s) = round.statement
        && let Expr::Call(call) = &*s.iter
    {
        let counted = match &*s.target {
            Expr::Tuple(t) if place.calls_builtin(call, "enumerate") => t.elts.first(),
            target if place.calls_builtin(call, "range") => Some(target),
            _ => None,
        };
        names.extend(counted.and_then(Expr::as_name_expr).map(|n| n.id.as_str()));
    }
    for line in &round.lines {
        if let Stmt::AugAssign(s) = line.statement
            && s.op == Operator::Add
            && s.value.is_number_literal_expr()
        {
            names.extend(s.target.as_name_expr().map(|n| n.id.as_str()));
        }
    }
    names
}

/// Whether `index` is one of `counters`, perhaps with a number added, or has one among its parts.
fn is_counted(index: &Expr, counters: &[&str]) -> bool {
    match index {
        Expr::Name(name) => counters.contains(&name.id.as_str()),
        Expr::BinOp(e) => matches!(e.op, Operator::Add | Operator::Sub) && e.right.is_number_literal_expr() && is_counted(&e.left, counters),
        Expr::Tuple(e) => e.elts.iter().any(|part| is_counted(part, counters)),
        _ => false,
    }
}

/// Whether `round` counts to a small number.
fn has_few_rounds(place: &Place<'_>, round: &Round<'_>) -> bool {
    let Stmt::For(s) = round.statement else { return false };
    let Expr::Call(call) = &*s.iter else { return false };
    let count = call.arguments.args.first().and_then(|a| place.source().slice(a.range()).parse::<i64>().ok());
    place.calls_builtin(call, "range") && call.arguments.len() == 1 && count.is_some_and(|n| n <= FEW)
}

/// Whether `line` is in no loop inside of `round`.
fn is_own(round: &Round<'_>, line: &Line<'_>) -> bool {
    let is_loop = |l: &&Line<'_>| matches!(l.statement, Stmt::For(_) | Stmt::While(_));
    !round.lines.iter().filter(is_loop).any(|l| l.statement.range().contains_range(line.statement.range()))
}

/// Whether `array` is one from before the loop that no round changes.
fn is_kept(place: &Place<'_>, round: &Round<'_>, statement: &Stmt, array: &Expr) -> bool {
    let Some(value) = place.value(array) else { return false };
    let graph = &place.analysis.graph;
    let is_made_here = place.body.occurrences.iter().any(|o| o.value == value && round.range().contains_range(o.range) && !array.is_attribute_expr());
    let is_array = place.facts(statement.range(), array).is_some_and(|facts| facts.kind(value) == Kind::Array);
    is_array && !is_made_here && !matches!(graph.op(value), Op::Phi(..) | Op::Changed(_))
}
