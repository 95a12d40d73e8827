//! New axes and counted numbers: `x[:, None]` is `mx.expand_dims`, and `mx.arange` is one node for every way to count from nought and to give the numbers
//! further axes.

use crate::graph::value::{Graph, Op, Operands, ValueId};

/// `x[None]`, `x[:, None]` and `x[..., None]` are `mx.expand_dims`, counted from the front before `...` and from the back after it.
pub(super) fn new_axes(graph: &mut Graph, _: Op, operands: &[ValueId]) -> Option<ValueId> {
    let [x, index] = *operands else { return None };
    if !graph.is_arrayish(x) {
        return None;
    }
    let single = [index];
    let parts = match graph.get(index) {
        (Op::Tuple, parts) => parts,
        _ => &single[..],
    };
    let whole = |&p: &ValueId| match graph.get(p) {
        (Op::None | Op::Ellipsis, _) => true,
        (Op::Slice, bounds) => bounds.iter().all(|&b| graph.op(b) == Op::None),
        _ => false,
    };
    let dots: Vec<usize> = parts.iter().enumerate().filter(|&(_, &p)| graph.op(p) == Op::Ellipsis).map(|(at, _)| at).collect();
    if !parts.iter().all(whole) || dots.len() > 1 {
        return None;
    }
    let new = parts.iter().enumerate().filter(|&(_, &p)| graph.op(p) == Op::None);
    let axes: Vec<i64> = new.map(|(at, _)| if dots.first().is_some_and(|&d| d < at) { at as i64 - parts.len() as i64 } else { at as i64 }).collect();
    if axes.is_empty() {
        return None;
    }
    Some(expanded(graph, x, &axes))
}

/// `mx.expand_dims(x, axes)`.
fn expanded(graph: &mut Graph, x: ValueId, axes: &[i64]) -> ValueId {
    let axes: Operands = axes.iter().map(|&a| graph.int(a)).collect();
    let axes = if let [only] = axes[..] { only } else { graph.value(Op::Tuple, &axes) };
    graph.value(Op::Mlx("expand_dims"), &[x, axes])
}

/// `mx.arange(0, n, 1) = mx.arange(0, n) = mx.arange(n)`.
pub(super) fn counted_from_nought(graph: &mut Graph, op: Op, operands: &[ValueId]) -> Option<ValueId> {
    let [start, stop, step, dtype] = *operands else { return None };
    let plain = graph.op(step) == Op::None || graph.as_int(step) == Some(1);
    if !plain || graph.op(stop) == Op::None || graph.as_int(start) != Some(0) {
        return None;
    }
    let none = graph.leaf(Op::None);
    Some(graph.value(op, &[stop, none, none, dtype]))
}

/// `mx.arange(n).astype(t) = mx.arange(n, dtype=t)`, for integers.
pub(super) fn cast_of_range(graph: &mut Graph, _: Op, operands: &[ValueId]) -> Option<ValueId> {
    let [range, dtype] = *operands else { return None };
    let (Op::Mlx("arange"), &[start, stop, step, own]) = graph.get(range) else { return None };
    let whole = matches!(graph.path(dtype), Some("mlx.core.int32" | "mlx.core.uint32" | "mlx.core.int64"));
    (whole && graph.op(own) == Op::None).then(|| graph.value(Op::Mlx("arange"), &[start, stop, step, dtype]))
}

/// A range with new axes: the range, where its own axis is counted from the back, and how many axes there are.
fn range_with_axes(graph: &Graph, value: ValueId) -> Option<(ValueId, i64, i64)> {
    match graph.get(value) {
        (Op::Mlx("arange"), _) => Some((value, -1, 1)),
        (Op::Mlx("expand_dims"), &[of, axes]) => {
            let (Op::Mlx("arange"), _) = graph.get(of) else { return None };
            let axes = integers(graph, axes)?;
            let own = (-(axes.len() as i64) - 1..0).find(|place| !axes.contains(place))?;
            Some((of, own, axes.len() as i64 + 1))
        }
        _ => None,
    }
}

/// The axes of a range are counted from the back: `mx.expand_dims(mx.arange(n), (1, 2))` has them at -2 and -1, and so has the reshaped range.
pub(super) fn axes_of_range(graph: &mut Graph, op: Op, operands: &[ValueId]) -> Option<ValueId> {
    let [of, shape] = *operands else { return None };
    let (range, own, rank) = range_with_axes(graph, of)?;
    let (own, rank) = match op {
        Op::Mlx("expand_dims") => {
            let axes = integers(graph, shape)?;
            let rank = rank + axes.len() as i64;
            let new: Vec<i64> = axes.iter().map(|&a| if a < 0 { a } else { a - rank }).collect();
            if new.iter().any(|&a| a < -rank || a >= 0) || of == range && new.iter().zip(&new[1..]).all(|(a, b)| a < b) && new == axes {
                return None;
            }
            // The place of the range among the axes that are not new.
            let old: Vec<i64> = (-rank..0).filter(|a| !new.contains(a)).collect();
            (*old.get(usize::try_from(old.len() as i64 + own).ok()?)?, rank)
        }
        _ => {
            let (Op::Tuple | Op::List, items) = graph.get(shape) else { return None };
            let (_, counted) = (range, graph.operands(range)[0]);
            let long: Vec<usize> = (0..items.len()).filter(|&at| graph.as_int(items[at]) != Some(1)).collect();
            let [at] = long[..] else { return None };
            if graph.as_int(items[at]) != Some(-1) && items[at] != counted {
                return None;
            }
            (at as i64 - items.len() as i64, items.len() as i64)
        }
    };
    let axes: Vec<i64> = (-rank..0).filter(|&a| a != own).collect();
    Some(if axes.is_empty() { range } else { expanded(graph, range, &axes) })
}

/// One axis or several, where they are constants.
fn integers(graph: &Graph, axes: ValueId) -> Option<Vec<i64>> {
    match graph.get(axes) {
        (Op::Int(n), _) => Some(vec![n]),
        (Op::Tuple | Op::List, items) => items.iter().map(|&a| graph.as_int(a)).collect(),
        _ => None,
    }
}

/// What a comprehension may look through to see that its element is the same each time.
const MAX_NODES: usize = 300;

/// `[a for _ in range(n)] = [a] * n`, where `a` has no part in the round and is drawn by no call.
pub(super) fn repeated_element(graph: &mut Graph, _: Op, operands: &[ValueId]) -> Option<ValueId> {
    let [rounds, element] = *operands else { return None };
    let (Op::Apply, &[range, n]) = graph.get(rounds) else { return None };
    let counts = matches!(graph.op(range), Op::Builtin(name) if graph.name(name) == "range");
    let (mut seen, mut next) = (vec![element], 0);
    while let Some(&value) = seen.get(next) {
        let (op, parts) = graph.get(value);
        if matches!(op, Op::Element(..) | Op::Call(..) | Op::Opaque(..) | Op::List | Op::Comprehension(_)) || seen.len() > MAX_NODES {
            return None;
        }
        let new: Vec<ValueId> = parts.iter().copied().filter(|p| !seen.contains(p)).collect();
        seen.extend(new);
        next += 1;
    }
    counts.then(|| {
        let list = graph.value(Op::List, &[element]);
        graph.value(Op::Mul, &[list, n])
    })
}
