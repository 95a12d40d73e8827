//! Which files are known to be there, so that no exception tells that they are not: those that a folder was found to hold, and those that a test found.

use crate::graph::value::{Op, ValueId};
use crate::place::{Place, is_builtin};
use crate::syntax::ast::{BoolOp, Expr, UnaryOp};

/// Chains of values longer than this are not followed.
const MAX_DEPTH: u32 = 8;

/// Whether the path `value` comes from a listing of the files that there are.
pub(super) fn is_listed(place: &Place<'_>, value: ValueId) -> bool {
    let graph = &place.analysis.graph;
    match graph.get(plain(place, value)) {
        (Op::Element(..) | Op::Index(_) | Op::Item(_), operands) => is_listing(place, operands[0], &["glob.glob", "glob.iglob"], 0),
        // `os.path.join(folder, name)` for each name in `os.listdir(folder)`.
        (Op::Call(..), &[callee, folder, name]) if graph.path(callee) == Some("os.path.join") => match graph.get(plain(place, name)) {
            (Op::Element(..), operands) => lists(place, operands[0]).is_some_and(|l| plain(place, l) == plain(place, folder)),
            _ => false,
        },
        _ => false,
    }
}

/// What `os.listdir` lists to give `value`, sorted or not.
fn lists(place: &Place<'_>, value: ValueId) -> Option<ValueId> {
    let graph = &place.analysis.graph;
    match graph.get(plain(place, value)) {
        (Op::Apply, &[callee, inner, ..]) if is_builtin(place.analysis, callee, "sorted") => match graph.get(inner) {
            (Op::Call(..), &[callee, folder]) if graph.path(callee) == Some("os.listdir") => Some(folder),
            _ => None,
        },
        (Op::Call(..), &[callee, folder]) if graph.path(callee) == Some("os.listdir") => Some(folder),
        _ => None,
    }
}

/// Whether `value` is what one of `functions`, or a method of a folder, lists, in whatever order.
fn is_listing(place: &Place<'_>, value: ValueId, functions: &[&str], depth: u32) -> bool {
    let graph = &place.analysis.graph;
    match graph.get(plain(place, value)) {
        (Op::Apply, &[callee, inner, ..]) if ["sorted", "list", "reversed", "tuple"].iter().any(|name| is_builtin(place.analysis, callee, name)) => {
            depth < MAX_DEPTH && is_listing(place, inner, functions, depth + 1)
        }
        (Op::Call(..), operands) => match (graph.path(operands[0]), graph.op(operands[0])) {
            (Some(path), _) => functions.contains(&path),
            (None, Op::Attr(name, _)) => matches!(graph.name(name), "glob" | "rglob" | "iterdir"),
            _ => false,
        },
        _ => false,
    }
}

/// The paths of which `test` tells that a file is there, if its truth is `truth`.
pub(super) fn tested(place: &Place<'_>, test: &Expr, truth: bool) -> Vec<ValueId> {
    match test {
        Expr::UnaryOp(e) if e.op == UnaryOp::Not => tested(place, &e.operand, !truth),
        Expr::BoolOp(e) if (e.op == BoolOp::And) == truth => e.values.iter().flat_map(|v| tested(place, v, truth)).collect(),
        Expr::Call(call) if truth => {
            let is_function = place.path(&call.func).is_some_and(|p| matches!(p.as_str(), "os.path.exists" | "os.path.isfile"));
            let path = match (&*call.func, &*call.arguments.args) {
                (_, [path]) if is_function => Some(path),
                (Expr::Attribute(method), []) if matches!(method.attr.as_str(), "exists" | "is_file") => Some(&*method.value),
                _ => None,
            };
            path.and_then(|path| place.value(path)).map(|v| plain(place, v)).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

/// `value` without what a call might have made of it in place: a path stays as it is.
pub(super) fn plain(place: &Place<'_>, value: ValueId) -> ValueId {
    match place.analysis.graph.get(value) {
        (Op::Changed(_), operands) => operands[0],
        _ => value,
    }
}
