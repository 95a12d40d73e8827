//! Repeated heads: in grouped attention each head of the keys and values serves several queries, and is repeated for them along axis 1. Knows the spellings
//! of that, none of which is an equation without facts about shapes.

use super::facts::Facts;
use super::value::{Graph, Op, ValueId};

/// Conditions inside conditions are followed so deep.
const MAX_DEPTH: u32 = 4;

/// What `value` repeats along its second axis, and how often. Under a condition it may also be the array itself, which is as good as repeated once.
pub fn repeated(graph: &Graph, facts: &Facts<'_>, value: ValueId) -> Option<(ValueId, ValueId)> {
    repeated_at(graph, facts, value, 0)
}

fn repeated_at(graph: &Graph, facts: &Facts<'_>, value: ValueId, depth: u32) -> Option<(ValueId, ValueId)> {
    if depth > MAX_DEPTH {
        return None;
    }
    match graph.get(value) {
        (Op::Mlx("repeat"), &[array, times, axis]) if graph.as_int(axis) == Some(1) => Some((array, times)),
        (Op::Gate, &[_, then, otherwise]) => [(then, otherwise), (otherwise, then)]
            .into_iter()
            .find_map(|(repeated, plain)| repeated_at(graph, facts, repeated, depth + 1).filter(|&(array, _)| array == plain)),
        (Op::Mlx("reshape"), &[grouped, shape]) => {
            let (array, times) = grouped_axis(graph, grouped)?;
            merges_groups(graph, facts, array, shape).then_some((array, times))
        }
        _ => None,
    }
}

/// The array that `grouped` holds so many times along a new axis after its second.
fn grouped_axis(graph: &Graph, grouped: ValueId) -> Option<(ValueId, ValueId)> {
    let third = |axis: ValueId| graph.as_int(axis) == Some(2);
    let (expanded, times) = match graph.get(grouped) {
        (Op::Mlx("broadcast_to"), &[expanded, shape]) => match graph.get(shape) {
            (Op::Tuple | Op::List, &[_, _, times, _, _]) => (expanded, times),
            _ => return None,
        },
        (Op::Mlx("repeat"), &[expanded, times, axis]) if third(axis) => (expanded, times),
        (Op::Mlx("concatenate"), &[copies, axis]) if third(axis) => match graph.get(copies) {
            (Op::Mul, &[list, times]) | (Op::Mul, &[times, list]) if matches!(graph.get(list), (Op::List, [_])) => (graph.operands(list)[0], times),
            _ => return None,
        },
        (Op::Mlx("tile"), &[expanded, counts]) => match graph.get(counts) {
            (Op::Tuple | Op::List, &[a, b, times, c, d]) if [a, b, c, d].into_iter().all(|n| graph.as_int(n) == Some(1)) => (expanded, times),
            _ => return None,
        },
        (Op::Mlx("stack"), &[copies, axis]) if third(axis) => match graph.get(copies) {
            (Op::Mul, &[list, times]) if matches!(graph.get(list), (Op::List, [_])) => return Some((graph.operands(list)[0], times)),
            _ => return None,
        },
        _ => return None,
    };
    let array = match graph.get(expanded) {
        (Op::Mlx("expand_dims"), &[array, axis]) if third(axis) => array,
        (Op::Index(_), &[array, index]) => match graph.get(index) {
            (Op::Tuple, &[a, b, new, ref rest @ ..]) if graph.op(new) == Op::None => {
                let whole = |&part: &ValueId| is_whole(graph, part);
                (whole(&a) && whole(&b) && rest.len() <= 2 && rest.iter().all(whole)).then_some(array)?
            }
            _ => return None,
        },
        _ => return None,
    };
    Some((array, times))
}

/// Whether `part` of a subscript is `:`.
fn is_whole(graph: &Graph, part: ValueId) -> bool {
    matches!(graph.get(part), (Op::Slice, parts) if parts.iter().all(|&p| graph.op(p) == Op::None))
}

/// Whether a reshape of the grouped array to `shape` leaves every axis of `array` as it is but the second; what is left over is its length.
fn merges_groups(graph: &Graph, facts: &Facts<'_>, array: ValueId, shape: ValueId) -> bool {
    let (Op::Tuple | Op::List, &[batch, heads, length, dim]) = graph.get(shape) else { return false };
    let keeps = |item: ValueId, axis: u8| facts.length(array, axis) == Some(item) || graph.find(Op::Dim(i32::from(axis)), &[array]) == Some(item);
    let rest = |item: ValueId| graph.as_int(item) == Some(-1);
    // With all the others kept, an axis that is left open has the length that is left.
    let open = [batch, heads, length, dim].into_iter().filter(|&item| rest(item)).count();
    open <= 1 && [(batch, 0), (length, 2), (dim, 3)].into_iter().all(|(item, axis)| rest(item) || keeps(item, axis))
}
