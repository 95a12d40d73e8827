//! Expressions that wait for the device to hand a number over: `.item()`, `.tolist()`, `float(x)`, `int(x)`, `np.array(x)` and their like; texts and functions
//! of other libraries, which do so unseen; and tests of arrays.

use crate::graph::api::{self, ResultKind};
use crate::graph::facts::Kind;
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
        found.extend(number(place, statement, expr));
        found.extend(shown(place, statement, expr).map(|array| Read { expr, array }));
    });
    found.extend(tests(statement).into_iter().filter(|test| is_test_of_array(place, statement, test)).map(|test| Read { expr: test, array: test }));
    found
}

/// The array that `expr` makes a number or a list of.
pub(super) fn number<'x>(place: &Place<'_>, statement: &Stmt, expr: &'x Expr) -> Option<Read<'x>> {
    let (array, telling) = read_by(place, expr.as_call_expr()?)?;
    let value = place.value(array)?;
    let facts = place.facts(statement.range(), array)?;
    let is_array = match origin(place, &facts, value) {
        _ if gives_array(place, array) => true,
        Origin::Mlx => true,
        Origin::Call => telling && !has_other_tensors(place),
        Origin::Foreign | Origin::Unknown => false,
    };
    if !is_array {
        return place.notes.left(expr.range(), array.range(), 60, || "what is read is not known to be an array of MLX".to_owned());
    }
    Some(Read { expr, array })
}

/// The array whose elements `expr` prints, compares or computes with outside of MLX: `print(x)`, `f"{x}"`, `max(x, y)`, `math.log(x)`, `np.mean(x)`.
fn shown<'x>(place: &Place<'_>, statement: &Stmt, expr: &'x Expr) -> Option<&'x Expr> {
    let is_array = |e: &&Expr| is_array(place, statement, e);
    match expr {
        Expr::Call(call) => {
            let is_builtin = || ["print", "str", "repr", "max", "min", "sorted", "any", "all"].iter().any(|name| place.calls_builtin(call, name));
            let path = || place.path(&call.func).filter(|p| !TAKEN_BY_READ.contains(&p.as_str()));
            let is_foreign = || path().is_some_and(|p| p.starts_with("numpy.") || p.starts_with("math."));
            let found = call.arguments.args.iter().find(is_array)?;
            (is_builtin() || is_foreign()).then_some(found)
        }
        Expr::FString(text) => {
            let parts = text.value.elements().filter_map(|e| e.as_interpolation());
            parts.map(|part| &*part.expression).find(is_array)
        }
        _ => None,
    }
}

/// What `statement` asks for the truth of, in the parts that `and`, `or` and `not` join.
pub(super) fn tests(statement: &Stmt) -> Vec<&Expr> {
    let mut whole: Vec<&Expr> = match statement {
        Stmt::If(s) => std::iter::once(&*s.test).chain(s.elif_else_clauses.iter().filter_map(|c| c.test.as_ref())).collect(),
        Stmt::Assert(s) => vec![&s.test],
        _ => Vec::new(),
    };
    expressions::of_statement(statement, &mut |expr| match expr {
        Expr::If(e) => whole.push(&e.test),
        Expr::BoolOp(_) => whole.push(expr),
        Expr::UnaryOp(e) if e.op == ast::UnaryOp::Not => whole.push(expr),
        _ => {}
    });
    let mut parts = Vec::new();
    while let Some(test) = whole.pop() {
        match test {
            Expr::BoolOp(e) => whole.extend(&e.values),
            Expr::UnaryOp(e) if e.op == ast::UnaryOp::Not => whole.push(&e.operand),
            _ => parts.push(test),
        }
    }
    parts.sort_by_key(|e| (e.start(), e.end()));
    parts.dedup_by_key(|e| e.range());
    parts
}

/// Whether the truth of `test` is that of an array.
pub(super) fn is_test_of_array(place: &Place<'_>, statement: &Stmt, test: &Expr) -> bool {
    match test {
        Expr::Compare(e) => {
            let compares = |op: &ast::CmpOp| !matches!(op, ast::CmpOp::Is | ast::CmpOp::IsNot | ast::CmpOp::In | ast::CmpOp::NotIn);
            let mut sides = std::iter::once(&*e.left).chain(&e.comparators);
            e.ops.iter().all(compares) && sides.any(|side| is_array(place, statement, side))
        }
        _ => is_array(place, statement, test),
    }
}

/// Whether `expr` calls a function of MLX that gives an array, whatever it is given.
pub(super) fn gives_array(place: &Place<'_>, expr: &Expr) -> bool {
    let path = expr.as_call_expr().and_then(|call| place.path(&call.func));
    let function = path.and_then(|p| api::function(p.strip_prefix("mlx.core.")?));
    function.is_some_and(|f| f.get().result == ResultKind::Array)
}

/// Whether `expr` is an array of MLX by proof.
fn is_array(place: &Place<'_>, statement: &Stmt, expr: &Expr) -> bool {
    if gives_array(place, expr) {
        return true;
    }
    let kind = || Some(place.facts(statement.range(), expr)?.kind(place.value(expr)?));
    !expr.is_literal_expr() && kind() == Some(Kind::Array)
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

/// Functions of NumPy that are known as reads.
const TAKEN_BY_READ: [&str; 2] = ["numpy.array", "numpy.asarray"];

/// What `call` reads if that is an array, and whether only arrays are read like this.
fn read_by<'x>(place: &Place<'_>, call: &'x ast::ExprCall) -> Option<(&'x Expr, bool)> {
    match &*call.func {
        Expr::Attribute(method) if call.arguments.is_empty() && matches!(method.attr.as_str(), "item" | "tolist") => Some((&method.value, true)),
        Expr::Name(_) if call.arguments.len() == 1 && ["float", "int", "bool"].iter().any(|name| place.calls_builtin(call, name)) => {
            Some((call.arguments.args.first()?, false))
        }
        Expr::Attribute(_) | Expr::Name(_)
            if place.path(&call.func).is_some_and(|p| TAKEN_BY_READ.contains(&p.as_str()) || p == "builtins.memoryview") =>
        {
            Some((call.arguments.args.first()?, false))
        }
        _ => None,
    }
}
