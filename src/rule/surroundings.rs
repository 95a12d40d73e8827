//! What surrounds a match and takes its gain away: code that runs once, positions and vectors of parameters, which are few, casts of what is float32
//! already, attention between channels, and parts of an activation that is written out. Of sums with products see `sums.rs`.

use super::kernels::kernels;
use super::once::runs_once;
use super::{Candidate, after_values, sums};
use crate::graph::Analysis;
use crate::graph::body::{Body, Occurrence};
use crate::graph::dtypes::flow::DtypeFlow;
use crate::graph::facts::Facts;
use crate::graph::users::Users;
use crate::graph::value::{Op, ValueId};
use crate::graph::{activations, digits, dtypes};

/// Why `after` is no gain in the place of `root`.
pub(super) fn no_gain(analysis: &Analysis<'_>, body: &Body, root: Occurrence, after: ValueId) -> Option<String> {
    match analysis.graph.get(after) {
        (Op::Mlx("addmm"), _) => runs_once(analysis, body).or_else(|| sums::no_gain(analysis, body, root, after)),
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
        (Op::Mlx("fast.scaled_dot_product_attention"), operands) => {
            let facts = Facts::at(analysis, body, root.block, root.range.end());
            facts.has_channels_in_rows(operands[0]).then(|| {
                "channels are compared with channels: a head dimension that is a length of the input has no fused kernel, and nothing is gained"
                    .to_owned()
            })
        }
        (Op::Mlx("astype"), operands) if analysis.graph.op(operands[0]) == Op::Mlx("softmax") => no_gain(analysis, body, root, operands[0]),
        (Op::Mlx(_) | Op::Apply | Op::Call(..), _) => None,
        _ => {
            let whole = activations::around(&analysis.graph, body, root).filter(|whole| whole.range != root.range)?;
            Some(format!("it is a part of `nn.{}`, written out, which is compiled and keeps half precision", whole.name))
        }
    }
}

/// What is to be said where all that is made of a view that repeats elements is another shape of it, which has no strides.
pub(super) fn copied_later(analysis: &Analysis<'_>, body: &Body, root: Occurrence, after: ValueId) -> Option<String> {
    let users = Users::around(analysis, body, root);
    let made = users.users(root.value);
    let is_shape = |&v: &ValueId| matches!(analysis.graph.op(v), Op::Mlx("reshape" | "flatten"));
    let is_copied = analysis.graph.op(after) == Op::Mlx("repeat") && !users.is_seen(root.value) && !made.is_empty() && made.iter().all(is_shape);
    is_copied.then(|| {
        "1 kernel before and after: the reshape that follows copies what the concatenation copied, at once instead of part by part.".to_owned()
    })
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
