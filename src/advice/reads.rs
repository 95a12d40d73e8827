//! Expressions that wait for the device to hand a number over: `.item()`, `.tolist()`, `float(x)`, `int(x)`, `np.array(x)` and their like; texts, files and
//! functions of other libraries, which do so unseen; and tests of arrays. This is the one list of them.

use crate::graph::api::{self, ResultKind};
use crate::graph::facts::Kind;
use crate::graph::value::Op;
use crate::place::{Place, expressions};
use crate::syntax::Ranged;
use crate::syntax::ast::{self, CmpOp, Expr, Operator, Stmt};

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
    let tests = tests(statement).into_iter().filter(|test| is_test_of_array(place, statement, test)).map(|test| Read { expr: test, array: test });
    let others: Vec<Read<'x>> = tests.filter(|test| !found.iter().any(|r| r.expr.range() == test.expr.range())).collect();
    found.extend(others);
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

/// The array whose elements `expr` hands to Python, or to somebody outside of MLX, without making a number of them: `print(x)`, `f"{x}"`, `max(x, y)`,
/// `math.log(x)`, `np.stack([x, y])`, `names[x]`.
fn shown<'x>(place: &Place<'_>, statement: &Stmt, expr: &'x Expr) -> Option<&'x Expr> {
    let array_in = |e: &'x Expr| parts(e).into_iter().find(|e| is_array(place, statement, e));
    match expr {
        Expr::Call(call) if makes_numpy(place, call) => call.arguments.args.iter().filter(|a| is_display(a)).find_map(array_in),
        Expr::Call(call) if asks_for_data(place, call) => call.arguments.iter_source_order().find_map(|a| array_in(a.value())),
        Expr::FString(text) => text.value.elements().filter_map(|e| e.as_interpolation()).find_map(|part| array_in(&part.expression)),
        Expr::BinOp(e) if e.op == Operator::Mod && (e.left.is_string_literal_expr() || e.left.is_f_string_expr()) => array_in(&e.right),
        Expr::Subscript(e) if is_sequence(place, &e.value) => Some(&*e.slice).filter(|index| is_array(place, statement, index)),
        Expr::Compare(e) => {
            let sides: Vec<&Expr> = std::iter::once(&*e.left).chain(&e.comparators).collect();
            // Of a chain, the truth of each comparison but the last is asked for.
            e.ops.iter().enumerate().find_map(|(n, op)| match op {
                CmpOp::In | CmpOp::NotIn if is_display(sides[n + 1]) => Some(sides[n]).filter(|e| is_array(place, statement, e)),
                CmpOp::In | CmpOp::NotIn => Some(sides[n + 1]).filter(|e| is_array(place, statement, e)),
                CmpOp::Is | CmpOp::IsNot => None,
                _ if n + 1 < e.ops.len() => sides[n..n + 2].iter().copied().find(|e| is_array(place, statement, e)),
                _ => None,
            })
        }
        _ => None,
    }
}

/// Whether `call` needs the elements of the arrays that it is given.
fn asks_for_data(place: &Place<'_>, call: &ast::ExprCall) -> bool {
    const BUILTINS: [&str; 13] = ["print", "str", "repr", "format", "max", "min", "sorted", "any", "all", "range", "complex", "bytes", "memoryview"];
    const SAVE: [&str; 5] = ["save", "savez", "savez_compressed", "save_safetensors", "save_gguf"];
    if let Expr::Attribute(method) = &*call.func
        && method.attr.as_str() == "format"
        && method.value.is_string_literal_expr()
    {
        return true;
    }
    let saves = |path: &str| path.strip_prefix("mlx.core.").is_some_and(|name| SAVE.contains(&name));
    let is_foreign = |path: String| ["numpy.", "math.", "pickle."].iter().any(|root| path.starts_with(root)) || saves(&path);
    BUILTINS.iter().any(|name| place.calls_builtin(call, name)) || place.path(&call.func).is_some_and(is_foreign)
}

/// `expr`, or what it lists.
fn parts(expr: &Expr) -> Vec<&Expr> {
    match expr {
        Expr::List(e) => e.elts.iter().collect(),
        Expr::Tuple(e) => e.elts.iter().collect(),
        Expr::Dict(e) => e.iter_values().collect(),
        _ => vec![expr],
    }
}

/// Whether `expr` lists its elements, whose equality is asked for one after the other.
fn is_display(expr: &Expr) -> bool {
    matches!(expr, Expr::List(_) | Expr::Tuple(_))
}

/// Whether `expr` is a list, a tuple or a string, which needs a number for an index.
fn is_sequence(place: &Place<'_>, expr: &Expr) -> bool {
    let graph = &place.analysis.graph;
    let is_one = |value| matches!(graph.op(value), Op::List | Op::Tuple | Op::Str(_));
    is_display(expr) || expr.is_string_literal_expr() || place.value(expr).is_some_and(is_one)
}

/// What `statement` asks for the truth of, in the parts that `and`, `or` and `not` join.
pub(super) fn tests(statement: &Stmt) -> Vec<&Expr> {
    let mut whole: Vec<&Expr> = match statement {
        Stmt::If(s) => std::iter::once(&*s.test).chain(s.elif_else_clauses.iter().filter_map(|c| c.test.as_ref())).collect(),
        Stmt::While(s) => vec![&s.test],
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
            let compares = |op: &CmpOp| !matches!(op, CmpOp::Is | CmpOp::IsNot | CmpOp::In | CmpOp::NotIn);
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

/// Whether `call` makes an array of NumPy of another array: a read.
pub(super) fn makes_numpy(place: &Place<'_>, call: &ast::ExprCall) -> bool {
    place.path(&call.func).is_some_and(|p| matches!(p.as_str(), "numpy.array" | "numpy.asarray"))
}

/// What `call` reads if that is an array, and whether only arrays are read like this.
fn read_by<'x>(place: &Place<'_>, call: &'x ast::ExprCall) -> Option<(&'x Expr, bool)> {
    match &*call.func {
        Expr::Attribute(method) if call.arguments.is_empty() && matches!(method.attr.as_str(), "item" | "tolist") => Some((&method.value, true)),
        Expr::Name(_) if call.arguments.len() == 1 && ["float", "int", "bool"].iter().any(|name| place.calls_builtin(call, name)) => {
            Some((call.arguments.args.first()?, false))
        }
        Expr::Attribute(_) | Expr::Name(_) if makes_numpy(place, call) => Some((call.arguments.args.first()?, false)),
        _ => None,
    }
}
