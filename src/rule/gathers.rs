//! Conditions on index arrays and on axes of one element: how many axes are picked from, what a range counts, and which elements are picked.

use std::ops::ControlFlow::{Break, Continue};

use super::guard::{Site, Truth};
use crate::graph::facts::Kind;
use crate::graph::value::{Graph, Op, ValueId};

/// Whether `x` has `axes` axes, from the last of which `i` picks. Many arrays that are indexed this way have one more, and rows are picked, so it must show: by
/// facts, or because the index says where elements of each row are that it was made from.
pub(super) fn has_axes(site: &Site<'_>, x: &str, i: &str, axes: u8) -> Truth {
    let (Some(array), Some(index)) = ((site.value)(x), (site.value)(i)) else { return Truth::True };
    let spelling = (site.spelling)(x);
    match site.facts.rank(array) {
        Some(rank) if rank == axes => Truth::True,
        Some(rank) => Truth::False(format!("`{spelling}` has {rank} axes, not {axes}")),
        None if site.facts.least_rank(array) > axes => Truth::False(format!("`{spelling}` has more than {axes} axes")),
        None if places_in_rows(site, index, array) => Truth::Unknown(vec![format!("`{spelling}` has {axes} axes")]),
        None => Truth::False(format!("`{spelling}` is not known to have {axes} axes")),
    }
}

/// Whether `index` says where elements of a row are in rows as long as those of `array`, on one path at least: by `argmax`, `argsort` and the like over the last
/// axis. Where the rows are others, as with the place of a token that ends a text, it is vectors that are picked.
fn places_in_rows(site: &Site<'_>, index: ValueId, array: ValueId) -> bool {
    let graph = site.graph;
    let is_as_long = |of: &[ValueId]| site.facts.same_length((of[0], -1), (array, -1));
    graph.finds(index, |v| match graph.get(v) {
        (Op::Mlx("argmax" | "argmin"), of) if graph.as_int(of[1]) == Some(-1) && is_as_long(of) => Break(()),
        (Op::Mlx("argsort" | "argpartition"), of) if sorts_last_axis(graph, v) && is_as_long(of) => Break(()),
        (Op::Gate, operands) => Continue(&operands[1..]),
        (Op::Mlx("astype" | "stop_gradient" | "squeeze") | Op::Index(_), operands) => Continue(&operands[..1]),
        _ => Continue(&[]),
    })
}

fn sorts_last_axis(graph: &Graph, value: ValueId) -> bool {
    matches!(graph.get(value), (Op::Mlx("argsort" | "argpartition"), of) if of.last().is_some_and(|&a| graph.as_int(a) == Some(-1)))
}

/// Whether the number `n`, to which rows are counted, is the length of that axis of `x`. Where it is the length of the index `i`, whoever wrote it had one index
/// for each row in mind.
pub(super) fn counts(site: &Site<'_>, n: &str, x: &str, i: &str, axis: i64) -> Truth {
    let (Some(count), Some(array)) = ((site.value)(n), (site.value)(x)) else { return Truth::True };
    if site.facts.counts(count, array, axis) {
        return Truth::True;
    }
    let what = format!("`{}` is the length of axis {axis} of `{}`", (site.spelling)(n), (site.spelling)(x));
    match (site.value)(i) {
        Some(index) if site.facts.counts(count, index, axis) && site.graph.number(count).is_none() => Truth::Unknown(vec![what]),
        _ => Truth::False(format!("nothing shows that {what}")),
    }
}

/// Whether `i` picks some elements of each row. All of them in another order are no slower to gather with two index arrays.
pub(super) fn is_part(site: &Site<'_>, i: &str) -> Truth {
    let Some(mut index) = (site.value)(i) else { return Truth::True };
    while let (Op::Mlx("astype"), operands) = site.graph.get(index) {
        index = operands[0];
    }
    match site.graph.op(index) {
        Op::Mlx("argsort" | "argpartition") => {
            Truth::False(format!("`{}` picks all elements of each row, which the function gathers no faster", (site.spelling)(i)))
        }
        _ => Truth::True,
    }
}

/// Whether `i` is the order of a sorted row whose other axis was taken away: `mx.argsort(x, axis=-1).squeeze(0)`.
pub(super) fn is_order(site: &Site<'_>, i: &str) -> Truth {
    let Some(index) = (site.value)(i) else { return Truth::True };
    match site.graph.get(index) {
        (Op::Mlx("squeeze"), &[of, axis]) if site.graph.as_int(axis) == Some(0) && sorts_last_axis(site.graph, of) => Truth::True,
        _ => Truth::False(format!("nothing shows that `{}` is the order of one sorted row", (site.spelling)(i))),
    }
}

/// Whether no row of `i` holds an index twice: which of two values is stored then is not documented.
pub(super) fn is_distinct(site: &Site<'_>, i: &str) -> Truth {
    let Some(mut index) = (site.value)(i) else { return Truth::True };
    loop {
        index = match site.graph.get(index) {
            _ if sorts_last_axis(site.graph, index) => return Truth::True,
            (Op::Mlx("astype"), operands) => operands[0],
            // Some of the places that a sort gives, each once.
            (Op::Index(_), &[of, parts]) if only_slices(site.graph, parts) => of,
            _ => return Truth::Unknown(vec![format!("no row of `{}` holds an index twice", (site.spelling)(i))]),
        };
    }
}

fn only_slices(graph: &Graph, index: ValueId) -> bool {
    match graph.get(index) {
        (Op::Tuple, parts) => parts.iter().all(|&p| matches!(graph.op(p), Op::Slice | Op::Ellipsis)),
        (op, _) => op == Op::Slice,
    }
}

/// Whether `i` is as long as `y` along an axis: a longer one would enlarge the result, and one of length one is broadcast either way.
pub(super) fn as_long(site: &Site<'_>, i: &str, y: &str, axis: i64) -> Truth {
    let (Some(index), Some(array)) = ((site.value)(i), (site.value)(y)) else { return Truth::True };
    let one = site.graph.find_leaf(Op::Int(1));
    if site.facts.same_length((index, axis), (array, axis)) || one.is_some_and(|one| site.facts.counts(one, index, axis)) {
        return Truth::True;
    }
    let length = |value| site.facts.length(value, u8::try_from(axis).ok()?).and_then(|d| site.graph.as_int(d));
    match (length(index), length(array)) {
        (Some(m), Some(n)) if m != n => {
            Truth::False(format!("`{}` has {m} elements along axis {axis}, and `{}` has {n}", (site.spelling)(i), (site.spelling)(y)))
        }
        _ => Truth::Unknown(vec![format!("`{}` is as long as `{}` along axis {axis}", (site.spelling)(i), (site.spelling)(y))]),
    }
}

/// Whether that axis of `a` has one element, or none.
pub(super) fn is_single(site: &Site<'_>, a: &str, axis: &str) -> Truth {
    let (Some(array), Some(along)) = ((site.value)(a), (site.value)(axis)) else { return Truth::True };
    if site.facts.is_single(array, along) {
        return Truth::True;
    }
    Truth::False(format!("nothing shows that `{}` has one element along axis {}", (site.spelling)(a), (site.spelling)(axis)))
}

/// Whether `v` is a number or a truth value of Python, which the function does not take as it is.
pub(super) fn is_scalar(site: &Site<'_>, v: &str) -> Truth {
    let Some(value) = (site.value)(v) else { return Truth::True };
    match site.facts.kind(value) {
        Kind::Bool => Truth::True,
        kind if kind.is_number() => Truth::True,
        _ => Truth::False(format!("`{}` is not known to be a Python number", (site.spelling)(v))),
    }
}
