//! What surrounds a match and takes its gain away: a sum that `mx.compile` fuses with its neighbours already, and scores to which a mask is added.

use crate::graph::Analysis;
use crate::graph::body::{Body, Effect};
use crate::graph::value::{Graph, Op, ValueId};

/// Values further up are not asked for.
const MAX_DEPTH: u32 = 8;

/// Why `after` is no gain in the place of the sum `root`, if it is one of a product and something.
pub(super) fn no_gain(analysis: &Analysis<'_>, body: &Body, root: ValueId, after: ValueId) -> Option<String> {
    let graph = &analysis.graph;
    if graph.op(after) != Op::Mlx("addmm") {
        return None;
    }
    let into_softmax = |v: ValueId| matches!(graph.get(v), (Op::Mlx("softmax"), operands) if reaches(graph, operands[0], root, 0));
    if body.occurrences.iter().any(|o| into_softmax(o.value)) {
        return Some("the sum goes into a softmax: a mask may be far larger than the product, which then loses digits".to_owned());
    }
    let returned = body.effects.contains(&Effect::Return(root));
    (analysis.compiled().iter().any(|c| c.compiles(body)) && !returned)
        .then(|| "`mx.compile` fuses the sum with what surrounds it already".to_owned())
}

/// Whether `value` is made of `part` element by element.
fn reaches(graph: &Graph, value: ValueId, part: ValueId, depth: u32) -> bool {
    if value == part || depth > MAX_DEPTH {
        return value == part;
    }
    let (op, operands) = graph.get(value);
    matches!(op, Op::Add | Op::Sub | Op::Mul | Op::Div | Op::Gate | Op::Mlx("astype" | "where"))
        && operands.iter().any(|&v| reaches(graph, v, part, depth + 1))
}
