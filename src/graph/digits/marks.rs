//! What speaks against half precision in one scope, wherever it is looked at from: sums and what else is delicate, rankings, and what is kept.

use rustc_hash::FxHashMap;

use super::rounds::Rounds;
use crate::graph::Analysis;
use crate::graph::body::{Body, Effect, Occurrence};
use crate::graph::constants::constant;
use crate::graph::dtypes::Dtype;
use crate::graph::value::{Graph, Op, Symbol, ValueId};

/// Functions that add up so many elements that half precision loses some.
const SUMS: [&str; 10] = ["sum", "mean", "var", "std", "cumsum", "cumprod", "prod", "logsumexp", "logcumsumexp", "linalg.norm"];
/// Half of the smallest number of float16: what is nearer to 0 is 0.
const SMALLEST: f64 = 2.98e-8;
/// What speaks against half precision in one scope, by value.
pub struct Marks {
    /// Where each value that is a sum is computed first.
    pub(super) sums: FxHashMap<ValueId, u32>,
    /// Where each value is computed first that small differences of what it is made of change much.
    pub(super) delicate: FxHashMap<ValueId, u32>,
    /// Where each softmax is computed first that adds up in the dtype of what it is given.
    pub(super) softmaxes: FxHashMap<ValueId, u32>,
    /// Where the elements of each value are ranked first.
    pub(super) rankings: FxHashMap<ValueId, u32>,
    /// Whether something is summed up step by step.
    pub(super) is_running: bool,
    /// What goes on to another round or call, and the name that keeps it.
    pub(super) kept: FxHashMap<ValueId, Option<Symbol>>,
    /// How its values go from one round of a loop to the next.
    pub(super) rounds: Rounds,
}

impl Marks {
    pub(super) fn of(analysis: &Analysis<'_>, body: &Body) -> Self {
        let (mut sums, mut delicate): (FxHashMap<_, _>, FxHashMap<_, _>) = Default::default();
        let (mut softmaxes, mut rankings): (FxHashMap<_, _>, FxHashMap<_, _>) = Default::default();
        for (&Occurrence { value, .. }, n) in body.occurrences.iter().zip(0..) {
            if is_sum(&analysis.graph, value) {
                sums.entry(value).or_insert(n);
            }
            if is_delicate(&analysis.graph, value) {
                delicate.entry(value).or_insert(n);
            }
            if is_softmax(&analysis.graph, value) {
                softmaxes.entry(value).or_insert(n);
            }
            if let Some(of) = ranked(&analysis.graph, value) {
                rankings.entry(of).or_insert(n);
            }
        }
        let read = body.read(&analysis.graph);
        let rounds = Rounds::of(analysis, body, &read);
        let kept = body.effects.iter().filter_map(|e| match *e {
            Effect::Carry(join, v) if read.contains(&join) => Some((v, rounds.running(&analysis.graph, join)?)),
            Effect::StoreAttribute(_, name, v) | Effect::StoreName(name, v) => Some((v, Some(name))),
            Effect::StoreItem(object, _, v) if rounds.after(v).contains(&object) => Some((v, rounds.running(&analysis.graph, object)?)),
            Effect::StoreItem(object, _, v) | Effect::Mutate(object, v) => Some((v, body.holders_of(object).next())),
            _ => None,
        });
        let (is_running, kept) = (sums.keys().any(|&sum| is_running(&analysis.graph, sum)), kept.collect());
        Self { sums, delicate, softmaxes, rankings, is_running, kept, rounds }
    }

    /// Where in the scope the first softmax stands of what it may be given.
    pub(super) fn first_softmax(&self) -> Option<u32> {
        self.softmaxes.values().min().copied()
    }

    /// Where in the scope something stands that half precision may be too little for.
    pub(super) fn first(&self) -> Option<u32> {
        self.sums.values().chain(self.delicate.values()).min().copied()
    }
}

pub(super) fn is_sum(graph: &Graph, value: ValueId) -> bool {
    matches!(graph.op(value), Op::Mlx(name) if SUMS.contains(&name))
}

pub(super) fn is_running(graph: &Graph, value: ValueId) -> bool {
    matches!(graph.op(value), Op::Mlx("cumsum" | "cumprod" | "logcumsumexp"))
}

/// Whether small differences of what `value` is made of change it much: a logarithm, the root of a difference, and what takes a number for nothing that half
/// precision does not tell from 0.
fn is_delicate(graph: &Graph, value: ValueId) -> bool {
    let is_difference = |v: ValueId| graph.op(v) == Op::Sub;
    let is_nothing = |&v: &ValueId| constant(graph, v).is_some_and(|n| n != 0.0 && n.abs() < SMALLEST);
    match graph.get(value) {
        (Op::Mlx("log" | "log2" | "log10"), operands) => !is_upcast(graph, operands[0]),
        (Op::Mlx("sqrt" | "rsqrt"), operands) => is_difference(operands[0]),
        (Op::Pow, &[base, power]) => is_difference(base) && graph.number(power).is_some_and(|n| n.abs() == 0.5),
        (Op::Add | Op::Mlx("maximum"), operands) => operands.iter().any(is_nothing) && !operands.iter().any(|&v| is_upcast(graph, v)),
        _ => false,
    }
}

/// Whether `value` is a softmax that adds up in the dtype of what it is given, which is not cast to float32 for it; also in a call with arguments of which not
/// all are understood.
fn is_softmax(graph: &Graph, value: ValueId) -> bool {
    let is_precise = |&v: &ValueId| matches!(graph.op(v), Op::Keyword(name) if graph.name(name) == "precise");
    match graph.get(value) {
        (Op::Mlx("softmax"), operands) => !operands.iter().any(|&v| graph.op(v) == Op::Bool(true)) && !is_upcast(graph, operands[0]),
        (Op::Apply | Op::Call(..), operands) => {
            let is_it = matches!(graph.path(operands[0]), Some("mlx.core.softmax" | "mlx.nn.softmax"));
            is_it && !operands.iter().any(is_precise) && !operands.get(1).is_some_and(|&v| is_upcast(graph, v))
        }
        _ => false,
    }
}

/// Whether `value` is cast to float32.
fn is_upcast(graph: &Graph, value: ValueId) -> bool {
    let (Op::Mlx("astype"), operands) = graph.get(value) else { return false };
    let dtype = graph.path(operands[1]).and_then(|path| path.strip_prefix("mlx.core.")).and_then(Dtype::named);
    dtype == Some(Dtype::Float32)
}

/// What is ranked where `value` is a choice among elements: a sampler that keeps the most likely ones keeps others where many are one number in half precision.
fn ranked(graph: &Graph, value: ValueId) -> Option<ValueId> {
    let (Op::Mlx("sort" | "argsort" | "partition" | "argpartition" | "topk"), operands) = graph.get(value) else { return None };
    Some(if graph.op(operands[0]) == Op::Neg { graph.operands(operands[0])[0] } else { operands[0] })
}
