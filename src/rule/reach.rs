//! What a pattern of a rule says before it is held against any program: which parameters each of its readings binds, and whether it says anything at all.

use rustc_hash::FxHashSet;

use crate::graph::value::{Graph, Op, ValueId};

/// The parameters that every reading of `pattern` mentions, whichever alternatives are taken.
pub(super) fn always_bound(graph: &Graph, pattern: ValueId) -> FxHashSet<ValueId> {
    let (op, operands) = graph.get(pattern);
    match op {
        Op::Param(..) => FxHashSet::from_iter([pattern]),
        Op::AnyOf => {
            let mut readings = operands.iter().map(|&p| always_bound(graph, p));
            let first = readings.next().unwrap_or_default();
            readings.fold(first, |common, reading| common.intersection(&reading).copied().collect())
        }
        _ => operands.iter().flat_map(|&p| always_bound(graph, p)).collect(),
    }
}

/// Why `pattern` would match what it must not, if one of its readings says next to nothing.
pub(super) fn too_general(graph: &Graph, pattern: ValueId) -> Option<&'static str> {
    let (op, operands) = graph.get(pattern);
    match op {
        Op::Param(..) => Some("would match every value: what it returns is one of its parameters as it is"),
        Op::AnyOf => operands.iter().find_map(|&p| too_general(graph, p)),
        _ if operands.is_empty() => Some("would match a constant: it computes nothing from its parameters"),
        _ => None,
    }
}

/// Whether one reading of `pattern` is `value`.
pub(super) fn reads_as(graph: &Graph, pattern: ValueId, value: ValueId) -> bool {
    pattern == value || graph.op(pattern) == Op::AnyOf && graph.operands(pattern).iter().any(|&p| reads_as(graph, p, value))
}
