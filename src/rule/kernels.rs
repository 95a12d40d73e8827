//! How many kernels computing values launches, and the words for how many there are less.

use crate::graph::dtypes::{self, Agreement};
use crate::graph::facts::{Facts, UNARY};
use crate::graph::value::{Graph, Op, ValueId};

/// How many kernels computing `values` launches: what moves or describes elements is no kernel.
pub(super) fn kernels(graph: &Graph, facts: &Facts<'_>, values: &[ValueId]) -> usize {
    let mut distinct: Vec<ValueId> = values.iter().copied().filter(|&v| is_kernel(graph, v) && !is_view(graph, facts, v)).collect();
    distinct.sort_unstable();
    distinct.dedup();
    distinct.len()
}

/// Whether nothing is computed: elements are repeated along an axis that has one, or cast to the dtype that they have.
fn is_view(graph: &Graph, facts: &Facts<'_>, value: ValueId) -> bool {
    match graph.get(value) {
        (Op::Mlx("repeat"), &[of, _, axis]) => facts.is_single(of, axis),
        (Op::Mlx("astype"), &[of, _]) => dtypes::compare(graph, facts, value, of) == Agreement::Same,
        _ => false,
    }
}

pub(super) fn is_kernel(graph: &Graph, value: ValueId) -> bool {
    match graph.get(value) {
        (
            Op::Mlx(
                "array" | "reshape" | "expand_dims" | "squeeze" | "flatten" | "broadcast_to" | "stop_gradient" | "transpose" | "swapaxes"
                | "moveaxis",
            ),
            _,
        ) => false,
        (Op::Mlx(_) | Op::MatMul | Op::Stored, _) => true,
        // Slices are views; index arrays gather.
        (Op::Index(_), operands) => match graph.get(operands[1]) {
            (Op::Tuple, parts) => parts.iter().any(|&p| graph.is_arrayish(p)),
            _ => graph.is_arrayish(operands[1]),
        },
        (Op::Apply, _) => graph.calls_module(value),
        // A list times a number is a longer list.
        (Op::Add | Op::Mul, operands) if operands.iter().any(|&v| matches!(graph.op(v), Op::List | Op::Tuple | Op::Str(_))) => false,
        (Op::Add | Op::Sub | Op::Mul | Op::Div | Op::Pow | Op::Neg, operands) => operands.iter().any(|&v| graph.number(v).is_none()),
        _ => false,
    }
}

/// How many of something.
pub(super) fn plural(n: usize, word: &str) -> String {
    format!("{n} {word}{}", if n == 1 { "" } else { "s" })
}

/// The same where modules are called, of which nobody counts here how many kernels they are.
pub(super) fn fewer(before: usize, after: usize) -> Option<String> {
    let less = before.checked_sub(after).filter(|&n| n > 0)?;
    Some(format!("{} and {} fewer.", plural(less, "kernel"), plural(less, "temporary array")))
}

/// How many of the kernels of `values` `mx.compile` leaves to themselves: it fuses those that work element by element, casts among them.
pub(super) fn unfused(graph: &Graph, facts: &Facts<'_>, values: &[ValueId]) -> usize {
    let is_fused = |&v: &ValueId| match graph.op(v) {
        Op::Mlx(name) => UNARY.contains(&name) || matches!(name, "astype" | "maximum" | "minimum" | "where"),
        op => matches!(op, Op::Add | Op::Sub | Op::Mul | Op::Div | Op::Pow | Op::Neg),
    };
    kernels(graph, facts, &values.iter().copied().filter(|v| !is_fused(v)).collect::<Vec<_>>())
}

/// The words for what is saved in a function that is compiled, where `apart` of the kernels `before` are not fused as it is.
pub(super) fn compiled(before: usize, apart: usize) -> String {
    let fused = before.saturating_sub(apart);
    let work = if fused == 1 { "works" } else { "work" };
    format!(
        "Of the {}, {fused} {work} element by element, which `mx.compile` fuses here already: less is gained than without it.",
        plural(before, "kernel")
    )
}

/// How many kernels there are before and after; `is_read` says whether something else reads one of those that are matched.
pub(super) fn counts(before: usize, after: usize, is_read: bool) -> String {
    if before <= after {
        let why = if is_read { ", for something else reads a part of what is matched" } else { "" };
        return format!("{} before and after{why}.", plural(before, "kernel"));
    }
    if after == 0 {
        return format!("{} become{} none.", plural(before, "kernel"), if before == 1 { "s" } else { "" });
    }
    let (old, new) = (before.saturating_sub(1), after.saturating_sub(1));
    format!(
        "{} and {} become {} and {}.",
        plural(before, "kernel"),
        plural(old, "temporary array"),
        plural(after, "kernel"),
        plural(new, "temporary array")
    )
}
