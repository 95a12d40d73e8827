//! The normal form of what moves axes: one permutation node for every spelling, and products written as sums over indices.

use smallvec::smallvec;

use super::{Graph, Op, Operands, ValueId};

/// The axes that a permutation node moves, as negative numbers: `[-1, -2]` swaps the last two.
pub fn permutation(graph: &Graph, value: ValueId) -> Option<(ValueId, Vec<i64>)> {
    let (Op::Permute, &[x, axes]) = graph.get(value) else { return None };
    let (Op::Tuple, axes) = graph.get(axes) else { return None };
    Some((x, axes.iter().filter_map(|&a| graph.as_int(a)).collect()))
}

/// The node for `x` with its last axes in the order `axes` (negative numbers, one for each of the last `axes.len()` places).
fn permute(graph: &mut Graph, x: ValueId, axes: &[i64]) -> ValueId {
    let len = axes.len() as i64;
    let fixed = axes.iter().enumerate().take_while(|&(i, &a)| a == i as i64 - len).count();
    let axes: Operands = axes[fixed..].iter().map(|&a| graph.int(a)).collect();
    let axes = graph.value(Op::Tuple, &axes);
    graph.value(Op::Permute, &[x, axes])
}

/// `swapaxes`, `moveaxis` and `transpose` as permutations counted from the last axis. Positive axes need the rank, which only a full `transpose` shows.
pub(super) fn axes_as_permutation(graph: &mut Graph, op: Op, operands: &[ValueId]) -> Option<ValueId> {
    let x = operands[0];
    let axes: Vec<i64> = match (op, operands) {
        (Op::Mlx("transpose"), &[_, axes]) => {
            let (Op::Tuple | Op::List, items) = graph.get(axes) else { return None };
            let rank = items.len() as i64;
            items.iter().map(|&a| graph.as_int(a).map(|a| if a < 0 { a } else { a - rank })).collect::<Option<_>>()?
        }
        (Op::Mlx("swapaxes" | "moveaxis"), &[_, from, to]) => {
            let (from, to) = (graph.as_int(from)?, graph.as_int(to)?);
            if from >= 0 || to >= 0 || from < -16 || to < -16 {
                return None;
            }
            let len = -from.min(to);
            let mut axes: Vec<i64> = (-len..0).collect();
            let (i, j) = ((from + len) as usize, (to + len) as usize);
            if op == Op::Mlx("swapaxes") {
                axes.swap(i, j);
            } else {
                let moved = axes.remove(i);
                axes.insert(j, moved);
            }
            axes
        }
        _ => return None,
    };
    let mut seen = axes.clone();
    seen.sort_unstable();
    let len = axes.len() as i64;
    (len > 0 && seen.iter().copied().eq(-len..0)).then(|| permute(graph, x, &axes))
}

/// A permutation of a permutation is one permutation.
pub(super) fn permuted_twice(graph: &mut Graph, _: Op, operands: &[ValueId]) -> Option<ValueId> {
    let (x, inner) = permutation(graph, operands[0])?;
    let (Op::Tuple, outer) = graph.get(operands[1]) else { return None };
    let outer: Vec<i64> = outer.iter().filter_map(|&a| graph.as_int(a)).collect();
    let len = inner.len().max(outer.len());
    let at = |axes: &[i64], axis: i64| if -axis > axes.len() as i64 { axis } else { axes[(axis + axes.len() as i64) as usize] };
    let both: Vec<i64> = (-(len as i64)..0).map(|place| at(&inner, at(&outer, place))).collect();
    Some(permute(graph, x, &both))
}

/// A permutation that moves nothing is the array itself.
pub(super) fn permutation_that_keeps(graph: &mut Graph, _: Op, operands: &[ValueId]) -> Option<ValueId> {
    matches!(graph.get(operands[1]), (Op::Tuple, [])).then_some(operands[0])
}

/// The inverse of swapping the last two axes, as a new node: what `value` must be the swap of.
pub fn swap_last_two(graph: &mut Graph, value: ValueId) -> ValueId {
    let axes: Operands = smallvec![graph.int(-1), graph.int(-2)];
    let axes = graph.value(Op::Tuple, &axes);
    graph.value(Op::Permute, &[value, axes])
}

/// `mx.einsum("bhqd,bhkd->bhqk", q, k) = q @ k.swapaxes(-1, -2)`: one index is summed over, each operand has one of its own, the others they share.
pub(super) fn einsum_as_product(graph: &mut Graph, _: Op, operands: &[ValueId]) -> Option<ValueId> {
    let [subscripts, arrays] = *operands else { return None };
    let (Op::Str(text), (Op::Tuple, &[left, right])) = (graph.op(subscripts), graph.get(arrays)) else { return None };
    let text: String = graph.name(text).chars().filter(|c| !c.is_whitespace()).collect();
    let (inputs, output) = text.split_once("->")?;
    let (a, b) = inputs.split_once(',')?;
    let distinct = |s: &str| s.bytes().all(|c| c.is_ascii_alphabetic()) && s.bytes().enumerate().all(|(i, c)| !s[..i].bytes().any(|d| d == c));
    if ![a, b, output].into_iter().all(distinct) {
        return None;
    }
    let shared: String = output.chars().filter(|&c| a.contains(c) && b.contains(c)).collect();
    let single = |indices: &str, test: &dyn Fn(char) -> bool| {
        let mut found = indices.chars().filter(|&c| test(c));
        found.next().filter(|_| found.next().is_none())
    };
    let summed = single(a, &|c| !output.contains(c))?;
    let row = single(a, &|c| !b.contains(c))?;
    let column = single(b, &|c| !a.contains(c))?;
    let len = shared.len() + 2;
    // By these lengths the sum is over an index of both operands, and the result has the other one of the left.
    if !output.contains(column) || [a.len(), b.len(), output.len()] != [len; 3] {
        return None;
    }
    let left = arranged(graph, left, a, &format!("{shared}{row}{summed}"));
    let right = arranged(graph, right, b, &format!("{shared}{summed}{column}"));
    let product = graph.value(Op::MatMul, &[left, right]);
    Some(arranged(graph, product, &format!("{shared}{row}{column}"), output))
}

/// `x`, whose axes are called `from`, with its axes in the order `to`.
fn arranged(graph: &mut Graph, x: ValueId, from: &str, to: &str) -> ValueId {
    let len = from.len() as i64;
    let axes: Vec<i64> = to.chars().filter_map(|c| from.find(c)).map(|i| i as i64 - len).collect();
    let axes: Operands = axes.iter().map(|&a| graph.int(a)).collect();
    let axes = graph.value(Op::Tuple, &axes);
    graph.value(Op::Mlx("transpose"), &[x, axes])
}
