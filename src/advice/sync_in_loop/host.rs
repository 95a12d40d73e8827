//! What Python does between the rounds of a loop, while the device would have to wait.

use crate::graph::value::Op;
use crate::place::{Place, expressions};
use crate::syntax::ast::{Expr, ExprCall, Stmt};
use crate::syntax::{Ranged, TextRange};

use super::super::reads::Read;
use super::super::rounds::Round;

/// Builtins that go through what others make.
const THROUGH: [&str; 8] = ["enumerate", "zip", "iter", "list", "tuple", "sorted", "reversed", "map"];

/// The call that makes what the next round takes, one after the other, as a generator or a loader does.
pub(super) fn maker_of_the_next(place: &Place<'_>, round: &Round<'_>) -> Option<String> {
    let Stmt::For(s) = round.statement else { return None };
    maker(place, &s.iter)
}

fn maker(place: &Place<'_>, iterable: &Expr) -> Option<String> {
    let Expr::Call(call) = iterable else { return None };
    // `tqdm` draws a bar beside it.
    let is_through = THROUGH.iter().any(|name| place.calls_builtin(call, name)) || place.source().slice(call.func.range()).ends_with("tqdm");
    match &*call.func {
        _ if is_through => call.arguments.args.iter().find_map(|a| maker(place, a)),
        _ if ["range", "len"].iter().any(|name| place.calls_builtin(call, name)) => None,
        // Of a dictionary, a list, an array.
        Expr::Attribute(_) => None,
        _ => Some(place.source().quote(call.range())),
    }
}

/// The call of a model that the function is given, where a round does little else than that, on a slice of what there is before the loop, and waits once.
pub(super) fn model_of_a_light_round(place: &Place<'_>, round: &Round<'_>, late: &[Read<'_>]) -> Option<TextRange> {
    let (Stmt::For(s), [_]) = (round.statement, late) else { return None };
    let in_steps = |call: &ExprCall| place.calls_builtin(call, "range") && call.arguments.args.len() == 3;
    if !s.iter.as_call_expr().is_some_and(in_steps) {
        return None;
    }
    let mut model = None;
    for line in &round.lines {
        expressions::of_statement(line.statement, &mut |expr| {
            if let Expr::Call(call) = expr
                && call.func.is_name_expr()
                && place.value(&call.func).is_some_and(|v| matches!(place.analysis.graph.op(v), Op::Param(..)))
            {
                model.get_or_insert(call.range());
            }
        });
    }
    model
}
