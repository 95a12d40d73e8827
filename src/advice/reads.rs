//! Expressions that wait for the device to hand a number over: `.item()`, `.tolist()`, `float(x)`, `int(x)`, `np.array(x)` and their like.

use crate::place::{Place, expressions};
use crate::syntax::Ranged;
use crate::syntax::ast::{self, Expr, Stmt};

use super::origin::{Origin, has_other_tensors, origin};

/// An expression that waits for an array.
#[derive(Clone, Copy)]
pub(super) struct Read<'x> {
    /// All of it.
    pub(super) expr: &'x Expr,
    /// The array.
    pub(super) array: &'x Expr,
}

/// The reads of arrays that `statement` makes itself.
pub(super) fn reads<'x>(place: &Place<'_>, statement: &'x Stmt) -> Vec<Read<'x>> {
    let mut found = Vec::new();
    expressions::of_statement(statement, &mut |expr| {
        let Expr::Call(call) = expr else { return };
        let Some((array, telling)) = read_by(place, call) else { return };
        let Some(value) = place.value(array) else { return };
        let Some(facts) = place.facts(statement.range(), array) else { return };
        let is_array = match origin(place, &facts, value) {
            Origin::Mlx => true,
            Origin::Call => telling && !has_other_tensors(place),
            Origin::Foreign | Origin::Unknown => false,
        };
        if is_array {
            found.push(Read { expr, array });
        } else {
            place.notes.left::<()>(expr.range(), array.range(), 60, || "what is read is not known to be an array of MLX".to_owned());
        }
    });
    found
}

/// The reads that `statement` makes in a function that is traced, where every array is without data: `.item()` and `.tolist()` of whatever it is, and the
/// other reads of what is an array.
pub(super) fn reads_in_trace<'x>(place: &Place<'_>, statement: &'x Stmt) -> Vec<Read<'x>> {
    let mut found = reads(place, statement);
    expressions::of_statement(statement, &mut |expr| {
        if let Expr::Call(call) = expr
            && let Some((array, true)) = read_by(place, call)
            && !found.iter().any(|r| r.expr.range() == expr.range())
            && let Some(value) = place.value(array)
            && let Some(facts) = place.facts(statement.range(), array)
            && origin(place, &facts, value) != Origin::Foreign
        {
            found.push(Read { expr, array });
        }
    });
    found
}

/// What `call` reads if that is an array, and whether only arrays are read like this.
fn read_by<'x>(place: &Place<'_>, call: &'x ast::ExprCall) -> Option<(&'x Expr, bool)> {
    match &*call.func {
        Expr::Attribute(method) if call.arguments.is_empty() && matches!(method.attr.as_str(), "item" | "tolist") => Some((&method.value, true)),
        Expr::Name(_) if call.arguments.len() == 1 && ["float", "int", "bool"].iter().any(|name| place.calls_builtin(call, name)) => {
            Some((call.arguments.args.first()?, false))
        }
        Expr::Attribute(_) | Expr::Name(_)
            if matches!(place.path(&call.func).as_deref(), Some("numpy.array" | "numpy.asarray" | "builtins.memoryview")) =>
        {
            Some((call.arguments.args.first()?, false))
        }
        _ => None,
    }
}
