//! What surrounds a match and takes its gain away: code that runs once, positions and vectors of parameters, which are few, casts of what is float32
//! already or is never seen to be anything else, attention between channels, and parts of an activation that is written out. Of sums with products see
//! `sums.rs`.

use super::kernels::kernels;
use super::once::runs_once;
use super::{Candidate, after_values, sums};
use crate::graph::Analysis;
use crate::graph::body::{Body, Effect, Occurrence};
use crate::graph::dtypes::flow::DtypeFlow;
use crate::graph::dtypes::shown::Given;
use crate::graph::dtypes::table::written;
use crate::graph::facts::Facts;
use crate::graph::modules::is_super;
use crate::graph::users::Users;
use crate::graph::value::{Comparison, Op, ValueId};
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

/// Why a module is to have what was cast up for it: nobody says that there is anything to cast. What is cast back to its own dtype has one that is narrower in
/// some model, or it would not be cast; a dtype of somebody else's says nothing of it.
pub(super) fn casts_for_a_module(analysis: &Analysis<'_>, candidate: &Candidate, after: ValueId) -> Option<String> {
    let graph = &analysis.graph;
    let (Op::Mlx("astype"), &[call, dtype]) = graph.get(after) else { return None };
    let (Op::Apply | Op::Call(..), &[_, array]) = graph.get(call) else { return None };
    (graph.op(dtype) != Op::DtypeOf && analysis.origins().sign(analysis, candidate.body, &[array]).is_none())
        .then(|| "it is cast back to a dtype that is not its own, and nothing in the file says that it is ever narrower than float32".to_owned())
}

/// What becomes of a class that hands its argument on to the method that it extends, and does nothing besides but the casts.
pub(super) fn leaves_a_class(analysis: &Analysis<'_>, facts: &Facts<'_>, candidate: &Candidate) -> Option<String> {
    let graph = &analysis.graph;
    let call = if let (Op::Mlx("astype"), operands) = graph.get(candidate.after) { operands[0] } else { candidate.after };
    let (Op::Apply | Op::Call(..), &[callee, array]) = graph.get(call) else { return None };
    let (Op::Attr(..), &[object]) = graph.get(callee) else { return None };
    let hands_on = is_super(graph, object) && matches!(graph.op(array), Op::Param(..));
    let returns_it = |e: &Effect| !matches!(*e, Effect::Return(v) if v != candidate.root.value);
    let class = facts.module_of(callee).filter(|_| hands_on && analysis.bodies[candidate.body].effects.iter().all(returns_it))?;
    Some(format!("The method does nothing else: `nn.{class}` itself will do, where its parameters are in the dtype of what it is given."))
}

/// Why what is used at `place` of the scope with the number `body`, and is `narrowed` then, is nothing to keep in half precision: the file makes float32 of it
/// in another way, too, where that which is replaced `launches` no kernel that goes in any case; or never calls for it.
pub(super) fn stays_single(
    analysis: &Analysis<'_>,
    facts: &Facts<'_>,
    (body, place): (usize, Occurrence),
    narrowed: ValueId,
    launches: bool,
) -> Option<String> {
    if DtypeFlow::in_file(analysis, facts).is_single(narrowed) {
        return Some("the file makes the array beside it float32, so that nothing is gained".to_owned());
    }
    if let Some(parameter) = never_given(analysis, &analysis.bodies[body], place) {
        return Some(format!("it runs where `{parameter}` is not None, and every call in the file passes None"));
    }
    if launches {
        return None;
    }
    let single = analysis.origins().single(analysis, body, &[narrowed])?;
    // What a helper that is inlined computes is written elsewhere.
    let text = match (written(analysis, &analysis.bodies[single.body], single.value), analysis.graph.op(single.value)) {
        (text, Op::Mlx(name)) if text == "?" => format!("mx.{name}(...)"),
        (text, _) => text,
    };
    Some(format!("`{text}` makes float32 of the array beside it as well, so that nothing is gained"))
}

/// Why a number that the attention `used` reads back at `root` is nothing to wait for: its arrays were evaluated before, one by one or through a view.
pub(super) fn nothing_to_wait_for(analysis: &Analysis<'_>, body: &Body, root: Occurrence, used: ValueId) -> Option<String> {
    let graph = &analysis.graph;
    let around: Vec<_> = std::iter::successors(Some(root.block), |&b| body.blocks[b as usize].parent).collect();
    let is_eval = |v: ValueId| graph.path(v) == Some("mlx.core.eval");
    let ran_before = |o: &Occurrence| is_eval(o.value) && around.contains(&o.block) && o.range.end() < root.range.start();
    let evaluated: Vec<ValueId> = body.effects.iter().filter_map(|e| if let Effect::Evaluate(v) = *e { Some(v) } else { None }).collect();
    let part = |&v: &ValueId| match graph.get(v) {
        (Op::Index(_) | Op::Permute | Op::Changed(_) | Op::Mlx("reshape" | "expand_dims" | "transpose"), operands) => Some(operands[0]),
        _ => None,
    };
    let is_evaluated = |v: ValueId| {
        let given = |&call: &ValueId| graph.operands(call).split_first().filter(|(callee, _)| is_eval(**callee)).map_or(&[][..], |(_, given)| given);
        std::iter::successors(Some(v), part).any(|v| evaluated.iter().any(|call| given(call).contains(&v)))
    };
    let all = body.occurrences.iter().any(ran_before) && graph.operands(used)[..3].iter().all(|&v| is_evaluated(v));
    all.then(|| "what the attention takes was evaluated before, so that there is nothing to wait for when the number is read back".to_owned())
}

/// The parameter that must not be None where `place` is, and to which every call of the file gives None.
fn never_given<'x>(analysis: &'x Analysis<'_>, body: &Body, place: Occurrence) -> Option<&'x str> {
    let graph = &analysis.graph;
    let mut around = std::iter::successors(Some(place.block), |&b| body.blocks[b as usize].parent);
    around.find_map(|block| {
        let (condition, holds) = body.blocks[block as usize].decided?;
        let (Op::Compare(Comparison::Is), &[tested, none]) = graph.get(condition) else { return None };
        let is_never = !holds && graph.op(none) == Op::None && analysis.shown().get(&tested) == Some(&Given::None);
        match graph.op(tested) {
            Op::Param(_, name) if is_never => Some(graph.name(name)),
            _ => None,
        }
    })
}
