//! What attention demands of its arrays: a mask that is added to the scores, or truth values by which the scores are kept or replaced, and as many heads as
//! fit. Decides what is proved and what must be assumed.

use std::ops::ControlFlow::{Break, Continue};

use super::guard::{Site, Truth};
use super::precision::promotes_into;
use crate::graph::api::{self, DtypeRule};
use crate::graph::facts::Facts;
use crate::graph::memo::Memo;
use crate::graph::value::{Graph, Op, ValueId};

/// Scores that are replaced by numbers above this one still count.
const HIDDEN: f64 = -1e4;
/// Masks are followed so far back.
const MAX_DEPTH: u32 = 40;

/// Whether the fast operation takes `mask` for what the text does with it. `fill` is bound where scores are replaced by it; else the mask is added.
pub(super) fn masks_scores(site: &Site<'_>, mask: &str, q: &str, k: &str, fill: &str) -> Truth {
    let Some(value) = (site.value)(mask) else { return Truth::True };
    if let Some(fill) = (site.value)(fill) {
        return keeps_scores(site, mask, present(site.graph, value), fill);
    }
    match (promotes_into(site, mask, q), adds_to_scores(site, mask, q, k)) {
        (refused @ Truth::False(_), _) | (_, refused @ Truth::False(_)) => refused,
        (Truth::True, other) | (other, Truth::True) => other,
        (Truth::Unknown(mut what), Truth::Unknown(more)) => {
            what.extend(more);
            Truth::Unknown(what)
        }
    }
}

/// Proved only for a mask that is made in sight: what a caller passes may be boolean.
pub(super) fn adds_to_scores(site: &Site<'_>, mask: &str, q: &str, k: &str) -> Truth {
    let Some(value) = (site.value)(mask) else { return Truth::True };
    let value = present(site.graph, value);
    let spelling = spelt(site, mask);
    if site.facts.rank(value).is_some_and(|r| r > 4) {
        return Truth::False(format!("`{spelling}` has more than 4 axes"));
    }
    let branches = branches(site.graph, value);
    if branches.iter().any(|&v| site.facts.kind(v).is_number()) {
        let place = if branches.len() > 1 { " on one path" } else { "" };
        return Truth::False(format!("`{spelling}` is a number{place}, and no mask"));
    }
    if truth_values(site.graph, value) == Some(true) {
        return Truth::False(format!("`{spelling}` holds truth values, which the sum adds as ones"));
    }
    match (broadcasts_to_scores(site, value, q, k), is_additive(site, value)) {
        (true, true) => Truth::True,
        (false, true) => Truth::Unknown(vec![format!("`{spelling}` broadcasts to the shape of the scores")]),
        _ => Truth::Unknown(vec![format!("`{spelling}` is added as it is (not boolean) and broadcasts to the shape of the scores")]),
    }
}

/// Whether each axis of `mask`, counted from the back, has one element or the length that the scores of queries and keys have there.
fn broadcasts_to_scores(site: &Site<'_>, mask: ValueId, q: &str, k: &str) -> bool {
    let (Some(q), Some(k)) = ((site.value)(q), (site.value)(k)) else { return false };
    let Some(rank) = site.facts.rank(mask) else { return false };
    let scores = [(k, -2), (q, -2), (q, -3), (q, -4)];
    let mut axes = scores.iter().zip(1i64..).take(usize::from(rank));
    axes.all(|(&like, at)| site.facts.is_one_long(mask, -at) || site.facts.same_length((mask, -at), like))
}

/// Whether `value` holds numbers: it is made in sight, of numbers.
fn is_additive(site: &Site<'_>, value: ValueId) -> bool {
    let graph = site.graph;
    let makes_numbers = |dtype: ValueId| makes_truth_values(graph, dtype) == Some(false);
    !graph.finds(value, |v| match graph.get(v) {
        _ if site.facts.kind(v).is_number() || truth_values(graph, v) == Some(false) => Continue(&[]),
        (Op::Mlx("where"), operands) => Continue(&operands[1..]),
        (Op::Mlx("array" | "astype"), operands) if makes_numbers(operands[1]) => Continue(&operands[..1]),
        (Op::Mlx("full"), operands) if makes_numbers(operands[2]) => Continue(&operands[1..2]),
        (Op::Apply, operands) if graph.path(operands[0]) == Some("mlx.nn.MultiHeadAttention.create_additive_causal_mask") => Continue(&[]),
        (Op::Mlx("expand_dims") | Op::Index(_), operands) if viewed(graph, v).is_some() => Continue(&operands[..1]),
        _ => Break(()),
    })
}

/// Truth values are never proved to leave something to every query: where nothing is left, the written-out form has NaN or a mean over all keys.
fn keeps_scores(site: &Site<'_>, mask: &str, value: ValueId, fill: ValueId) -> Truth {
    let spelling = spelt(site, mask);
    if site.facts.rank(value).is_some_and(|r| r > 4) {
        return Truth::False(format!("`{spelling}` has more than 4 axes"));
    }
    match extent(site.graph, site.facts, fill) {
        Some(x) if x <= HIDDEN => {}
        Some(_) => return Truth::False("the number in place of masked scores does not hide them".to_owned()),
        None => return Truth::False("what replaces masked scores is not known to hide them".to_owned()),
    }
    let mut assumed = vec![format!("`{spelling}` leaves every query a key, and broadcasts to the shape of the scores")];
    match truth_values(site.graph, value) {
        Some(true) => {}
        Some(false) => return Truth::False(format!("`{spelling}` does not hold truth values")),
        None => assumed.insert(0, format!("`{spelling}` holds truth values")),
    }
    Truth::Unknown(assumed)
}

/// How a mask is written where it is not `None`.
fn spelt(site: &Site<'_>, mask: &str) -> String {
    let text = (site.spelling)(mask);
    text.strip_prefix("None if ").and_then(|rest| rest.split_once(" else ")).map_or(text.clone(), |(_, there)| there.to_owned())
}

/// What `value` is where it is not `None`.
fn present(graph: &Graph, value: ValueId) -> ValueId {
    match graph.get(value) {
        (Op::Gate, &[_, then, otherwise]) if graph.op(then) == Op::None => present(graph, otherwise),
        (Op::Gate, &[_, then, otherwise]) if graph.op(otherwise) == Op::None => present(graph, then),
        _ => value,
    }
}

/// What `value` may be: each branch of the gates that it is made of.
fn branches(graph: &Graph, value: ValueId) -> Vec<ValueId> {
    let (mut found, mut next) = (vec![value], 0);
    while let Some(&value) = found.get(next) {
        next += 1;
        let (Op::Gate, &[_, then, otherwise]) = graph.get(value) else { continue };
        for branch in [then, otherwise] {
            if !found.contains(&branch) {
                found.push(branch);
            }
        }
    }
    found
}

/// The array of which `value` is a view with other axes, or a cast.
fn viewed(graph: &Graph, value: ValueId) -> Option<ValueId> {
    match graph.get(value) {
        (Op::Mlx("astype" | "expand_dims"), operands) => Some(operands[0]),
        (Op::Index(_), &[array, index]) => {
            let single = [index];
            let parts = if let (Op::Tuple, parts) = graph.get(index) { parts } else { &single[..] };
            let whole = |p: ValueId| match graph.get(p) {
                (Op::None | Op::Ellipsis, _) => true,
                (Op::Slice, bounds) => bounds.iter().all(|&b| graph.op(b) == Op::None),
                _ => false,
            };
            parts.iter().all(|&p| whole(p)).then_some(array)
        }
        _ => None,
    }
}

/// Whether `value` holds truth values, as far as its form shows.
fn truth_values(graph: &Graph, value: ValueId) -> Option<bool> {
    holds_truth(graph, value, &mut Memo::new(MAX_DEPTH, None))
}

fn holds_truth(graph: &Graph, value: ValueId, known: &mut Memo<Option<bool>>) -> Option<bool> {
    known.of(value, |known| holds_truth_by(graph, value, &mut |v| holds_truth(graph, v, known)))
}

/// The same of one operation, of whose operands `again` says it.
fn holds_truth_by(graph: &Graph, value: ValueId, again: &mut dyn FnMut(ValueId) -> Option<bool>) -> Option<bool> {
    if let (Op::Mlx("astype"), operands) = graph.get(value) {
        return makes_truth_values(graph, operands[1]);
    }
    if let Some(array) = viewed(graph, value) {
        return again(array);
    }
    let (op, operands) = graph.get(value);
    match op {
        Op::Compare(_) => Some(true),
        Op::Not | Op::Invert | Op::Permute | Op::Index(_) => again(operands[0]),
        Op::Bits(_) => (again(operands[0])? && again(operands[1])?).then_some(true),
        Op::Gate => (again(operands[1])? && again(operands[2])?).then_some(true),
        Op::Add | Op::Sub | Op::Mul | Op::Div | Op::Neg => Some(false),
        Op::Mlx("tril" | "triu" | "broadcast_to" | "reshape" | "repeat" | "squeeze" | "tile") => again(operands[0]),
        Op::Mlx("ones" | "zeros" | "tri") => makes_truth_values(graph, *operands.last()?),
        Op::Mlx("full") if graph.op(operands[2]) == Op::None => match graph.op(operands[1]) {
            Op::Bool(_) => Some(true),
            _ => graph.number(operands[1]).map(|_| false).or_else(|| again(operands[1])),
        },
        Op::Mlx("full") => makes_truth_values(graph, operands[2]),
        Op::Mlx(name) => match api::function(name)?.get().dtype {
            DtypeRule::Bool => Some(true),
            DtypeRule::Float | DtypeRule::Float32 => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// Whether truth values are made where this dtype is asked for. That of another array is taken for one of numbers; a parameter may be any.
fn makes_truth_values(graph: &Graph, dtype: ValueId) -> Option<bool> {
    match graph.op(dtype) {
        Op::None | Op::DtypeOf => Some(false),
        // The default of a function.
        Op::Literal(name) => Some(graph.name(name) == "bool_"),
        _ => graph.path(dtype).map(|path| path == "mlx.core.bool_"),
    }
}

/// The number that a filling is, the least one of a dtype taken for an infinite one.
fn extent(graph: &Graph, facts: &Facts<'_>, fill: ValueId) -> Option<f64> {
    number_of(graph, facts, fill, &mut Memo::new(MAX_DEPTH, None))
}

fn number_of(graph: &Graph, facts: &Facts<'_>, fill: ValueId, known: &mut Memo<Option<f64>>) -> Option<f64> {
    known.of(fill, |known| number_by(graph, facts, fill, &mut |v| number_of(graph, facts, v, known)))
}

/// The same of one operation, of whose operands `again` says it.
fn number_by(graph: &Graph, facts: &Facts<'_>, fill: ValueId, again: &mut dyn FnMut(ValueId) -> Option<f64>) -> Option<f64> {
    let (op, operands) = graph.get(fill);
    match op {
        Op::Int(_) | Op::Float(_) => graph.number(fill),
        Op::Neg => again(operands[0]).map(|x| -x),
        Op::Mul => Some(again(operands[0])? * again(operands[1])?),
        Op::Div => Some(again(operands[0])? / again(operands[1])?),
        Op::ModuleName(name) => again(facts.constant(name)?),
        Op::Global(path) => matches!(graph.name(path), "mlx.core.inf" | "math.inf" | "numpy.inf").then_some(f64::INFINITY),
        Op::Attr(name, _) if graph.name(name) == "min" && facts.is_float_info(operands[0]) => Some(f64::NEG_INFINITY),
        Op::Mlx("array" | "astype") => again(operands[0]),
        Op::Mlx("full" | "full_like") => again(operands[1]),
        Op::Apply if matches!(graph.op(operands[0]), Op::Builtin(name) if graph.name(name) == "float") => match graph.op(*operands.get(1)?) {
            Op::Str(text) => graph.name(text).parse().ok(),
            _ => graph.number(operands[1]),
        },
        _ => None,
    }
}

/// Proved where all three have one batch size, and as many heads, or where the keys and values are repeated as often as their heads go into those of the
/// queries: the sum of products would broadcast, the fast operation raises.
pub(super) fn same_batch(site: &Site<'_>, names: [&String; 3], times: &str) -> Truth {
    let [Some(q), Some(k), Some(v)] = names.map(|n| (site.value)(n)) else { return Truth::True };
    let agree = |axis: i64, other: ValueId| site.facts.same_length((q, axis), (other, axis));
    let one_batch = agree(0, k) && agree(0, v);
    let repeated = (site.value)(times).is_some_and(|n| site.facts.is_quotient(n, (q, 1), (k, 1)) && site.facts.same_length((k, 1), (v, 1)));
    if one_batch && (repeated || agree(1, k) && agree(1, v)) {
        return Truth::True;
    }
    let [q, k, v] = names.map(|n| (site.spelling)(n));
    let others = if k == v { format!("`{k}`") } else { format!("`{k}` and `{v}`") };
    let heads = format!("`{q}` has as many heads as {others}, or a multiple");
    Truth::Unknown(vec![if one_batch { heads } else { format!("{heads}, and the same batch size") }])
}
