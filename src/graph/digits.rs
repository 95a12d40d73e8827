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
const WARNINGS: [&str; 38] = [
    "accumulator",
    "acc",
    "alphas",
    "angles",
    "audio",
    "betas",
    "boxes",
    "codes",
    "coord",
    "coords",
    "ema",
    "euler",
    "frame",
    "frames",
    "freqs",
    "grad",
    "grads",
    "ids",
    "loss",
    "losses",
    "mel",
    "momentum",
    "noise",
    "pixel",
    "pixels",
    "points",
    "pose",
    "position",
    "positions",
    "rays",
    "sigma",
    "sigmas",
    "time",
    "timestep",
    "timesteps",
    "tokens",
    "wav",
    "window",
];
/// Words in names of what goes on from one call to the next.
const KEPT: [&str; 2] = ["cache", "state"];

/// What would have to be assumed for `used`, whose other operands are `partners`, to be computed in half precision.
pub fn doubts(analysis: &Analysis<'_>, body: &Body, users: &Users, used: ValueId, partners: &[ValueId]) -> Vec<String> {
    let mut doubts = Vec::new();
    let made = users.downstream(used);
    doubts.extend(summed(analysis, body, &made));
    doubts.extend(kept(analysis, body, &made));
    let sources = upstream(analysis, partners);
    doubts.extend(sources.iter().find_map(|&v| origin(analysis, v)));
    let named = names(analysis, body, &sources, &made);
    doubts.extend(warning(&named, &WARNINGS).or_else(|| warning(&named, &KEPT)).map(|name| format!("half precision is enough for `{name}`")));
    doubts
}

/// What is decided by the digits of what is made of `used`, whose other operands are `partners`: where elements are ranked or summed up step by step nothing is
/// gained, for that is not where time goes, and another choice may be made.
pub fn decides(analysis: &Analysis<'_>, body: &Body, users: &Users, used: ValueId, partners: &[ValueId]) -> Option<String> {
    let made = users.downstream(used);
    if let Some(text) = ranking(analysis, body, &upstream(analysis, partners), &made) {
        return Some(format!("the choice by `{text}` may fall the other way"));
    }
    let is_running = |&v: &ValueId| matches!(analysis.graph.op(v), Op::Mlx("cumsum" | "cumprod" | "logcumsumexp"));
    made.iter().any(is_running).then(|| "it is summed up step by step".to_owned())
}

/// What is surely no matter of half precision in sight of `used`, whose other operands are `partners`: a name or an origin that says so.
pub fn stays(analysis: &Analysis<'_>, body: &Body, users: &Users, used: ValueId, partners: &[ValueId]) -> Option<String> {
    let sources = upstream(analysis, partners);
    let drawn = sources.iter().find(|&&v| !matches!(analysis.graph.op(v), Op::Phi(..)) && origin(analysis, v).is_some());
    if drawn.is_some() {
        return Some("positions and random numbers need their digits".to_owned());
    }
    if let Some(reason) = decides(analysis, body, users, used, partners) {
        return Some(reason);
    }
    let made = users.downstream(used);
    let named = names(analysis, body, &sources, &made);
    warning(&named, &WARNINGS).map(|name| format!("what is called `{name}` needs its digits"))
}

/// The values that `partners` are made of element by element.
fn upstream(analysis: &Analysis<'_>, partners: &[ValueId]) -> FxHashSet<ValueId> {
    let mut sources = FxHashSet::default();
    let mut stack = partners.to_vec();
    while let Some(value) = stack.pop() {
        let (op, operands) = analysis.graph.get(value);
        let layer = matches!(op, Op::MatMul) || analysis.graph.calls_module(value);
        if sources.insert(value) && !layer {
            // Where elements are taken from has no part in what they are.
            let is_choice = matches!(op, Op::Index(_) | Op::Mlx("take" | "take_along_axis"));
            stack.extend(if is_choice { &operands[..1] } else { operands });
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

/// The text of a choice among the elements: a sampler that keeps the most likely ones keeps others where many are one number in half precision.
fn ranking(analysis: &Analysis<'_>, body: &Body, sources: &FxHashSet<ValueId>, made: &FxHashSet<ValueId>) -> Option<String> {
    let graph = &analysis.graph;
    let ranks = |v: ValueId| match graph.get(v) {
        (Op::Mlx("sort" | "argsort" | "partition" | "argpartition" | "topk"), operands) => {
            let of = if graph.op(operands[0]) == Op::Neg { graph.operands(operands[0])[0] } else { operands[0] };
            sources.contains(&of) || made.contains(&of)
        }
        _ => false,
    };
    let place = body.occurrences.iter().find(|o| ranks(o.value))?;
    Some(analysis.source.slice(place.range).split_whitespace().collect::<Vec<_>>().join(" "))
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

/// The names of `sources`, of what is `made`, and of the function itself, in alphabetical order.
fn names<'a>(analysis: &'a Analysis<'_>, body: &'a Body, sources: &FxHashSet<ValueId>, made: &FxHashSet<ValueId>) -> Vec<&'a str> {
    let graph = &analysis.graph;
    let function = graph.name(body.name);
    let held = body.named(|v| sources.contains(&v) || made.contains(&v)).map(|n| graph.name(n));
    let read = sources.iter().filter_map(|&v| match graph.op(v) {
        Op::Param(_, name) | Op::Attr(name, _) | Op::Captured(_, name) => Some(graph.name(name)),
        _ => None,
    });
    let mut names: Vec<&str> = read.chain(held).collect();
    names.sort_unstable();
    names.insert(0, function.rsplit('.').next().unwrap_or(function));
    names
}

/// The first of `names` with one of `words` in it.
fn warning<'a>(names: &[&'a str], words: &[&str]) -> Option<&'a str> {
    let warns = |name: &str| name.to_ascii_lowercase().split(|c: char| !c.is_alphabetic()).any(|word| words.contains(&word));
    names.iter().copied().find(|name| warns(name))
}
