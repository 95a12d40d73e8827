//! What surrounds a match and takes its gain away: a sum that `mx.compile` fuses with its neighbours already, scores to which a mask is added, a float32
//! accumulator of products, an addend that is cast to float32, matrices of a few numbers, code that runs once, positions and vectors of parameters, which are
//! few, and casts of what is float32 already.

use super::kernels::kernels;
use super::once::runs_once;
use super::{Candidate, after_values};
use crate::graph::Analysis;
use crate::graph::body::{Body, Effect, Occurrence};
use crate::graph::dtypes::Agreement;
use crate::graph::dtypes::flow::DtypeFlow;
use crate::graph::facts::Facts;
use crate::graph::value::{Graph, Op, ValueId};
use crate::graph::{digits, dtypes};

/// Values further up are not asked for.
const MAX_DEPTH: u32 = 8;
/// A matrix of a module with no more numbers is so small that the kernel which is saved takes no time to speak of.
const FEW_NUMBERS: i64 = 64 * 64;
/// The product of a narrower matrix may have many times as many rows.
const NARROW: i64 = 16;

/// Why `after` is no gain in the place of `root`.
pub(super) fn no_gain(analysis: &Analysis<'_>, body: &Body, root: Occurrence, after: ValueId) -> Option<String> {
    match analysis.graph.get(after) {
        (Op::Mlx("addmm"), _) => {
            runs_once(analysis, body).or_else(|| no_gain_in_sum(analysis, body, root.value, after)).or_else(|| few(analysis, body, root, after))
        }
        (Op::Mlx("repeat"), operands) => runs_once(analysis, body).or_else(|| {
            let facts = Facts::at(analysis, body, 0, body.range.end());
            let is_little = [root.value, operands[0]].iter().any(|&v| digits::numbers_things(analysis, body, &facts, v));
            is_little.then(|| "positions and indices are so few that a view of them gains nothing".to_owned())
        }),
        (Op::Mlx("softmax"), operands) => {
            let facts = Facts::at(analysis, body, 0, body.range.end());
            let is_vector = !facts.makers(operands[0]).is_empty() && facts.rank(operands[0]) == Some(1);
            is_vector.then(|| "it is one vector of parameters: a kernel more or less is next to nothing".to_owned())
        }
        (Op::Mlx("astype"), operands) if analysis.graph.op(operands[0]) == Op::Mlx("softmax") => no_gain(analysis, body, root, operands[0]),
        _ => None,
    }
}

/// Why `addmm` is no gain in the place of the sum `root` of a product and something.
fn no_gain_in_sum(analysis: &Analysis<'_>, body: &Body, root: ValueId, addmm: ValueId) -> Option<String> {
    let graph = &analysis.graph;
    let into_softmax = |v: ValueId| matches!(graph.get(v), (Op::Mlx("softmax"), operands) if reaches(graph, operands[0], root, 0));
    if body.occurrences.iter().any(|o| into_softmax(o.value)) {
        return Some("the sum goes into a softmax: a mask may be far larger than the product, which then loses digits".to_owned());
    }
    if accumulates_in_float32(analysis, body, root, addmm) {
        return Some("the products are summed up in float32, to which matrices in half precision would be copied".to_owned());
    }
    if is_cast_up(analysis, body, addmm) {
        return Some("what is added is cast to float32, to which matrices in half precision would be copied".to_owned());
    }
    let returned = body.effects.contains(&Effect::Return(root));
    (analysis.compiled().iter().any(|c| c.compiles(body)) && !returned)
        .then(|| "`mx.compile` fuses the sum with what surrounds it already".to_owned())
}

/// Whether the sum `root` goes back to where the array that is added comes from, which was made as float32, while nothing shows that a matrix of `addmm` is.
fn accumulates_in_float32(analysis: &Analysis<'_>, body: &Body, root: ValueId, addmm: ValueId) -> bool {
    let graph = &analysis.graph;
    let [c, a, b, ..] = *graph.operands(addmm) else { return false };
    let facts = Facts::at(analysis, body, 0, body.range.end());
    let is_float32 = |v: ValueId| dtypes::is_float32(graph, &facts, v);
    let starts_in_float32 = match graph.get(c) {
        (Op::Attr(name, _), &[object]) if body.effects.contains(&Effect::StoreAttribute(object, name, root)) => {
            let class = analysis.classes.receiver(object);
            let is_start = |effect: &Effect| matches!(*effect, Effect::StoreAttribute(of, n, made) if n == name && analysis.classes.receiver(of) == class && is_float32(made));
            class.is_some() && analysis.bodies.iter().flat_map(|b| &b.effects).any(is_start)
        }
        (Op::Phi(..), &[start, ..]) => body.effects.contains(&Effect::Carry(c, root)) && is_float32(start),
        _ => false,
    };
    starts_in_float32 && !is_float32(a) && !is_float32(b)
}

/// Whether the array that is added is float32 because something is cast to it, while nothing shows that a matrix of `addmm` is: the cast says that what it
/// casts may be narrower, and then so are they.
fn is_cast_up(analysis: &Analysis<'_>, body: &Body, addmm: ValueId) -> bool {
    let graph = &analysis.graph;
    let [c, a, b, ..] = *graph.operands(addmm) else { return false };
    let facts = Facts::at(analysis, body, 0, body.range.end());
    let is_float32 = |v: ValueId| dtypes::is_float32(graph, &facts, v);
    // Of matrices that are known to be in half precision the guard says it.
    let is_refused = matches!(dtypes::promotes_into(graph, &facts, c, a), Agreement::Never(_));
    is_float32(c) && !is_float32(a) && !is_float32(b) && !is_refused && is_of_cast(graph, &facts, c, 0)
}

/// Whether `value` is float32 because of a cast of what may be in half precision.
fn is_of_cast(graph: &Graph, facts: &Facts<'_>, value: ValueId, depth: u32) -> bool {
    if depth > MAX_DEPTH || !dtypes::is_float32(graph, facts, value) {
        return false;
    }
    let (op, operands) = graph.get(value);
    let may_be_half = |v: ValueId| !dtypes::is_float32(graph, facts, v) && !dtypes::is_integer(graph, facts, v);
    op == Op::Mlx("astype") && may_be_half(operands[0]) || operands.iter().any(|&v| is_of_cast(graph, facts, v, depth + 1))
}

/// Why the sum is nothing to notice where `__init__` shows that the matrix has a few numbers; in a loop a kernel less counts all the same.
fn few(analysis: &Analysis<'_>, body: &Body, root: Occurrence, addmm: ValueId) -> Option<String> {
    let graph = &analysis.graph;
    let [_, _, b, ..] = *graph.operands(addmm) else { return None };
    let facts = Facts::at(analysis, body, root.block, root.range.end());
    let matrix = if graph.op(b) == Op::Permute { graph.operands(b)[0] } else { b };
    if !matches!(graph.op(matrix), Op::Attr(..)) || facts.rank(matrix) != Some(2) || body.blocks[root.block as usize].loop_depth > 0 {
        return None;
    }
    let (rows, columns) = (facts.known_length(matrix, 0)?, facts.known_length(matrix, 1)?);
    (rows.min(columns) >= NARROW && rows.saturating_mul(columns) <= FEW_NUMBERS)
        .then(|| format!("the matrix has {rows} x {columns} numbers, so few that the sum is nothing to notice"))
}

/// Why `candidate` is no gain where what it casts to float32 is float32 already: such a cast is no kernel, so that there is nothing to leave out.
pub(super) fn casts_nothing(analysis: &Analysis<'_>, facts: &Facts<'_>, candidate: &Candidate) -> Option<String> {
    let graph = &analysis.graph;
    let is_cast = |v: ValueId| graph.op(v) == Op::Mlx("astype");
    let inner = &candidate.found.inner;
    let is_single = |v: ValueId| dtypes::is_float32(graph, facts, v) || DtypeFlow::in_file(analysis, facts).is_single(v);
    let no_kernels: Vec<ValueId> = inner.iter().copied().filter(|&v| is_cast(v) && is_single(v) && is_single(graph.operands(v)[0])).collect();
    let launched: Vec<ValueId> = inner.iter().copied().filter(|v| !no_kernels.contains(v)).collect();
    (!no_kernels.is_empty() && kernels(graph, facts, &launched) <= kernels(graph, facts, &after_values(graph, candidate, candidate.after)))
        .then(|| "it is in float32 already, so that the casts are no kernels and nothing is gained".to_owned())
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
