//! What speaks against half precision in sight of a value: sums over it, a state that it is part of, positions, time steps and noise that it is made of. Names
//! prove nothing, but they may warn.

use rustc_hash::FxHashSet;

use super::Analysis;
use super::body::{Body, Effect};
use super::users::Users;
use super::value::{Op, ValueId};

/// Functions that add up so many elements that half precision loses some.
const SUMS: [&str; 10] = ["sum", "mean", "var", "std", "cumsum", "cumprod", "prod", "logsumexp", "logcumsumexp", "linalg.norm"];
/// Words in names of what is small, or has many digits, or is looked at for a long time.
const WARNINGS: [&str; 24] = [
    "accumulator",
    "acc",
    "angles",
    "audio",
    "cache",
    "coord",
    "coords",
    "ema",
    "freqs",
    "grad",
    "grads",
    "loss",
    "losses",
    "momentum",
    "noise",
    "position",
    "positions",
    "sigma",
    "sigmas",
    "state",
    "time",
    "timestep",
    "timesteps",
    "window",
];

/// What would have to be assumed for `used`, whose other operands are `partners`, to be computed in half precision.
pub fn doubts(analysis: &Analysis<'_>, body: &Body, users: &Users, used: ValueId, partners: &[ValueId]) -> Vec<String> {
    let mut doubts = Vec::new();
    let made = users.downstream(used);
    doubts.extend(summed(analysis, body, &made));
    doubts.extend(kept(analysis, body, &made));
    let sources = upstream(analysis, partners);
    doubts.extend(ranked(analysis, body, &sources, &made));
    doubts.extend(sources.iter().find_map(|&v| origin(analysis, v)));
    doubts.extend(warning(analysis, body, &sources, &made));
    doubts
}

/// The values that `partners` are made of element by element.
fn upstream(analysis: &Analysis<'_>, partners: &[ValueId]) -> FxHashSet<ValueId> {
    let mut sources = FxHashSet::default();
    let mut stack = partners.to_vec();
    while let Some(value) = stack.pop() {
        let (op, operands) = analysis.graph.get(value);
        let layer = matches!(op, Op::MatMul) || analysis.graph.calls_module(value);
        if sources.insert(value) && !layer {
            stack.extend(operands);
        }
    }
    sources
}

fn summed(analysis: &Analysis<'_>, body: &Body, made: &FxHashSet<ValueId>) -> Option<String> {
    let is_sum = |v: ValueId| matches!(analysis.graph.op(v), Op::Mlx(name) if SUMS.contains(&name));
    let place = body.occurrences.iter().find(|o| made.contains(&o.value) && is_sum(o.value));
    match place {
        Some(place) => {
            let text = analysis.source.slice(place.range).split_whitespace().collect::<Vec<_>>().join(" ");
            Some(format!("half precision is enough for `{text}`"))
        }
        None => made.iter().any(|&v| is_sum(v)).then(|| "half precision is enough for what is summed up".to_owned()),
    }
}

/// A choice among the elements: a sampler that keeps the most likely ones keeps others where many are one number in half precision.
fn ranked(analysis: &Analysis<'_>, body: &Body, sources: &FxHashSet<ValueId>, made: &FxHashSet<ValueId>) -> Option<String> {
    let graph = &analysis.graph;
    let ranks = |v: ValueId| match graph.get(v) {
        (Op::Mlx("sort" | "argsort" | "partition" | "argpartition" | "topk"), operands) => {
            let of = if graph.op(operands[0]) == Op::Neg { graph.operands(operands[0])[0] } else { operands[0] };
            sources.contains(&of) || made.contains(&of)
        }
        _ => false,
    };
    let place = body.occurrences.iter().find(|o| ranks(o.value))?;
    let text = analysis.source.slice(place.range).split_whitespace().collect::<Vec<_>>().join(" ");
    Some(format!("half precision is enough for the choice by `{text}`"))
}

fn kept(analysis: &Analysis<'_>, body: &Body, made: &FxHashSet<ValueId>) -> Option<String> {
    let keeps = |e: &Effect| match *e {
        Effect::Carry(_, v) | Effect::StoreAttribute(_, _, v) | Effect::StoreItem(_, _, v) | Effect::Mutate(_, v) | Effect::StoreName(_, v) => {
            made.contains(&v)
        }
        _ => false,
    };
    // What reaches a join goes on in ways that are not followed.
    let joins = made.iter().any(|&v| matches!(analysis.graph.op(v), Op::Phi(..)));
    (joins || body.effects.iter().any(keeps)).then(|| "half precision is enough for what is kept from one round or call to the next".to_owned())
}

/// What `value` is, where that has more digits than half precision.
fn origin(analysis: &Analysis<'_>, value: ValueId) -> Option<String> {
    match analysis.graph.get(value) {
        (Op::Phi(..), _) => Some("half precision is enough for what is kept from one round to the next".to_owned()),
        (Op::Mlx("arange" | "linspace"), _) => Some("half precision is enough for the positions".to_owned()),
        (Op::Call(..), operands) => analysis
            .graph
            .path(operands[0])
            .is_some_and(|p| p.starts_with("mlx.core.random."))
            .then(|| "half precision is enough for the random numbers".to_owned()),
        _ => None,
    }
}

/// A name that says that the value needs its digits.
fn warning(analysis: &Analysis<'_>, body: &Body, sources: &FxHashSet<ValueId>, made: &FxHashSet<ValueId>) -> Option<String> {
    let graph = &analysis.graph;
    let warns = |name: &str| name.to_ascii_lowercase().split(|c: char| !c.is_alphabetic()).any(|word| WARNINGS.contains(&word));
    let function = graph.name(body.name);
    if warns(function.rsplit('.').next().unwrap_or(function)) {
        return Some(format!("half precision is enough in `{function}`"));
    }
    let mut names: Vec<&str> = sources
        .iter()
        .filter_map(|&v| match graph.op(v) {
            Op::Param(_, name) | Op::Attr(name, _) | Op::Captured(_, name) => Some(graph.name(name)),
            _ => None,
        })
        .chain(body.named(|v| sources.contains(&v) || made.contains(&v)).map(|n| graph.name(n)))
        .filter(|name| warns(name))
        .collect();
    names.sort_unstable();
    names.first().map(|name| format!("half precision is enough for `{name}`"))
}
