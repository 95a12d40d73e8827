//! What the arrays that a round reads are made of: an earlier read may have computed one already, and another may be put together of what the function was given.

use rustc_hash::FxHashSet;

use crate::graph::value::{Graph, Op, ValueId};
use crate::place::Place;

use super::super::reads::Read;

/// More values than these are not looked at for one array.
const MOST: usize = 64;

/// How many of `reads`, which are in the order of the text, wait: what an earlier one was computed from is there.
pub(super) fn waits(place: &Place<'_>, reads: &[Read<'_>]) -> usize {
    let values: Vec<ValueId> = reads.iter().filter_map(|read| place.value(read.array)).collect();
    let is_there = |n: usize| values[..n].iter().any(|&earlier| is_computed_with(&place.analysis.graph, earlier, values[n]));
    (0..values.len()).filter(|&n| !is_there(n)).count()
}

/// Whether who has computed `whole` has computed `part`.
fn is_computed_with(graph: &Graph, whole: ValueId, part: ValueId) -> bool {
    let (mut seen, mut waiting) = (FxHashSet::default(), vec![whole]);
    while let Some(value) = waiting.pop() {
        if value == part {
            return true;
        }
        if seen.len() == MOST || !seen.insert(value) {
            continue;
        }
        let (op, operands) = graph.get(value);
        match op {
            // Only the shape of the argument counts.
            Op::Mlx("zeros_like" | "ones_like" | "full_like") => {}
            Op::Mlx(_) | Op::Add | Op::Sub | Op::Mul | Op::Div | Op::Pow | Op::MatMul | Op::Neg | Op::Compare(_) => waiting.extend(operands),
            Op::Index(_) | Op::Permute => waiting.extend(operands.first()),
            _ => {}
        }
    }
    false
}

/// The parameters of the function of which `value` is put together, if nothing is computed with their elements.
pub(super) fn moved_parameters(graph: &Graph, value: ValueId) -> Option<Vec<String>> {
    let (mut names, mut waiting) = (Vec::new(), vec![value]);
    for _ in 0..MOST {
        let Some(value) = waiting.pop() else { return Some(names) };
        let (op, operands) = graph.get(value);
        match op {
            Op::Param(_, name) if names.iter().any(|n| n == graph.name(name)) => {}
            Op::Param(_, name) => names.push(graph.name(name).to_owned()),
            Op::List | Op::Tuple => waiting.extend(operands.iter().rev()),
            Op::Mlx("concatenate" | "stack" | "reshape" | "flatten" | "squeeze" | "expand_dims") | Op::Index(_) | Op::Permute => {
                waiting.extend(operands.first());
            }
            _ => return None,
        }
    }
    None
}
