//! How dtypes flow through one scope: of each value the dtype, known or as the promotion of those of other values; what makes float32 of arrays that may be in
//! half precision; and what is computed in float32 because of it.

use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::{SmallVec, smallvec};

use super::promotion::Dtype;
use super::search::{Search, Type};
use super::shown::Shown;
use crate::graph::Analysis;
use crate::graph::api::{self, DtypeRule};
use crate::graph::body::Body;
use crate::graph::facts::Facts;
use crate::graph::users::Users;
use crate::graph::value::{Op, ValueId};

/// What is known of the dtype of a value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Known {
    /// An array of this dtype, whatever it is made of.
    Array(Dtype),
    /// An array with the promotion of the dtypes of these values, and with this half precision. A module stands for its parameters.
    Promotion(SmallVec<[ValueId; 2]>, Option<Dtype>),
    /// A Python number; the flag says that it may be a float.
    Number(bool),
    /// A dtype: this one.
    Dtype(Option<Dtype>),
    /// `None`.
    None,
    /// Nothing.
    Nothing,
}

/// Something that makes float32 of arrays that may be in half precision.
#[derive(Clone, Debug)]
pub struct Promotion {
    /// What is float32 although nothing it is made of is.
    pub source: ValueId,
    /// What it is combined with first, and what comes of that; in the order of the scope's values.
    pub at: Vec<(ValueId, ValueId)>,
    /// What is computed in float32 from there on.
    pub spoilt: Spoilt,
}

/// How much is computed in float32, by sort.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Spoilt {
    /// Matrix products, those of linear layers and convolutions included.
    pub products: usize,
    /// Fused attentions.
    pub attentions: usize,
    /// Norms, as operations and as modules.
    pub norms: usize,
    /// Softmaxes.
    pub softmaxes: usize,
    /// All values, those above included.
    pub values: usize,
    /// Those of the sorts above.
    pub heavy: Vec<ValueId>,
}

/// The dtypes of the values of one scope.
pub struct DtypeFlow<'x> {
    analysis: &'x Analysis<'x>,
    search: Search<'x>,
    /// What makes values float32 of which that was asked before.
    causes: FxHashMap<ValueId, ValueId>,
}

impl<'x> DtypeFlow<'x> {
    /// The flow under `facts`.
    pub fn new(analysis: &'x Analysis<'x>, facts: &'x Facts<'x>) -> Self {
        Self { analysis, search: Search::told(&analysis.graph, facts), causes: FxHashMap::default() }
    }

    /// The flow with what the file shows across its functions.
    pub fn in_file(analysis: &'x Analysis<'x>, facts: &'x Facts<'x>) -> Self {
        Self::shown(analysis, facts, analysis.shown())
    }

    /// The flow with what is `shown` across functions.
    pub(super) fn shown(analysis: &'x Analysis<'x>, facts: &'x Facts<'x>, shown: &'x Shown) -> Self {
        Self { analysis, search: Search::shown(&analysis.graph, facts, shown), causes: FxHashMap::default() }
    }

    /// The dtype of `value`.
    pub fn of(&mut self, value: ValueId) -> Known {
        match self.search.type_of(value, 0) {
            Type::Array(dtype) => match dtype.known() {
                Some(known) => Known::Array(known),
                None => Known::Promotion(dtype.sources().map(|n| self.search.sources()[n]).collect(), dtype.least()),
            },
            Type::Number(float) => Known::Number(float),
            Type::Dtype(dtype) => Known::Dtype(dtype.known()),
            Type::None => Known::None,
            Type::Raises | Type::Unknown => Known::Nothing,
        }
    }

    /// Whether `value` is a float32 array whatever it is made of.
    pub fn is_single(&mut self, value: ValueId) -> bool {
        self.of(value) == Known::Array(Dtype::Float32)
    }

    /// Whether `value` is an array that is in half precision where the model is.
    pub fn may_be_half(&mut self, value: ValueId) -> bool {
        matches!(self.of(value), Known::Promotion(..) | Known::Array(Dtype::Float16 | Dtype::Bfloat16))
    }

    /// The half precision that the array `value` is in, or is promoted with.
    pub fn half(&mut self, value: ValueId) -> Option<Dtype> {
        match self.of(value) {
            Known::Array(dtype @ (Dtype::Float16 | Dtype::Bfloat16)) => Some(dtype),
            Known::Promotion(_, half) => half,
            _ => None,
        }
    }

    /// What `value` is made of in float16 and in bfloat16, where it is float32 for that.
    pub fn mixed(&mut self, value: ValueId) -> Option<(ValueId, ValueId)> {
        let joined = self.joined(value);
        if !self.is_single(value) || joined.iter().any(|&v| self.is_single(v)) {
            return None;
        }
        let narrow = joined.iter().copied().find(|&v| self.half(v) == Some(Dtype::Float16))?;
        let brain = joined.iter().copied().find(|&v| self.half(v) == Some(Dtype::Bfloat16))?;
        Some((narrow, brain))
    }

    /// Whether the array `value` holds floating point numbers, whatever it is made of.
    pub fn is_floating(&mut self, value: ValueId) -> bool {
        self.is_floating_at(value, 0)
    }

    fn is_floating_at(&mut self, value: ValueId, depth: u32) -> bool {
        if depth > 20 {
            return false;
        }
        let graph = &self.analysis.graph;
        let (op, operands) = graph.get(value);
        let all = |flow: &mut Self, of: &[ValueId]| !of.is_empty() && of.iter().all(|&v| flow.is_floating_at(v, depth + 1));
        match op {
            Op::MatMul | Op::Div => true,
            Op::Add | Op::Sub | Op::Mul => operands.iter().any(|&v| self.is_floating_at(v, depth + 1)),
            Op::Gate => all(self, &operands[1..]),
            // A product with weights. A norm or a convolution takes nothing else.
            Op::Apply | Op::Call(..) => self.search.facts.module_of(operands[0]).is_some_and(is_floating_module),
            Op::Mlx("softmax") => false,
            Op::Mlx(name) if name.starts_with("fast.") => true,
            Op::Mlx(name) => match api::function(name).or_else(|| api::method(name)).map(|f| f.get().dtype) {
                Some(DtypeRule::Float | DtypeRule::PromoteFloat | DtypeRule::Float32) => true,
                Some(DtypeRule::Keep) => all(self, &self.joined(value)),
                Some(DtypeRule::Promote) => self.joined(value).iter().any(|&v| self.is_floating_at(v, depth + 1)),
                _ => matches!(self.of(value), Known::Array(d) if d >= Dtype::Float16),
            },
            Op::Neg | Op::Permute | Op::Index(_) | Op::Stored | Op::Item(_) => all(self, &self.joined(value)),
            _ => matches!(self.of(value), Known::Array(d) if d >= Dtype::Float16),
        }
    }

    /// What makes the float32 array `value` float32: the first in the chain that is so by itself.
    pub fn cause(&mut self, value: ValueId) -> ValueId {
        let (mut cause, mut way) = (value, Vec::new());
        while !self.causes.contains_key(&cause)
            && let Some(next) = self.joined(cause).into_iter().find(|&v| self.is_single(v))
        {
            way.push(cause);
            cause = next;
        }
        let cause = self.causes.get(&cause).copied().unwrap_or(cause);
        self.causes.extend(way.into_iter().map(|v| (v, cause)));
        cause
    }

    /// The operands whose dtypes make that of `value`.
    pub fn joined(&self, value: ValueId) -> SmallVec<[ValueId; 4]> {
        let graph = &self.analysis.graph;
        let (op, operands) = graph.get(value);
        match op {
            Op::Add | Op::Sub | Op::Mul | Op::Div | Op::Pow | Op::MatMul => operands.into(),
            Op::Neg | Op::Permute | Op::Index(_) | Op::Stored => smallvec![operands[0]],
            Op::Item(_) if matches!(graph.op(operands[0]), Op::Mlx("split")) => smallvec![graph.operands(operands[0])[0]],
            Op::Gate => operands[1..].into(),
            Op::Mlx("concatenate" | "stack") => match graph.get(operands[0]) {
                (Op::List | Op::Tuple, parts) => parts.into(),
                _ => SmallVec::new(),
            },
            Op::Mlx("einsum") => match graph.get(operands[1]) {
                (Op::Tuple, arrays) => arrays.into(),
                _ => SmallVec::new(),
            },
            Op::Mlx("where") => operands[1..].into(),
            Op::Mlx("addmm") => operands[..3].into(),
            Op::Mlx("full") => smallvec![operands[1]],
            // A cast is by itself what it is cast to.
            Op::Mlx("astype") => SmallVec::new(),
            Op::Mlx(name) => match api::function(name).or_else(|| api::method(name)) {
                Some(function) => {
                    let parameters = function.get().params.iter().filter(|p| p.accepts != api::Accepts::Stream);
                    operands.iter().zip(parameters).filter(|(_, p)| p.joins).map(|(&v, _)| v).collect()
                }
                None => SmallVec::new(),
            },
            Op::Apply | Op::Call(..) => operands.iter().skip(1).take(1).copied().collect(),
            _ => SmallVec::new(),
        }
    }

    /// Everything that makes float32 of arrays of `body` that may be in half precision, in the order in which it does.
    pub fn promotions(&mut self, body: &Body, users: &Users) -> Vec<Promotion> {
        let mut found: Vec<Promotion> = Vec::new();
        let mut seen = FxHashSet::default();
        for occurrence in body.occurrences.iter().filter(|o| o.own) {
            let value = occurrence.value;
            // Nobody needs it, or it was met before.
            if !seen.insert(value) || users.users(value).is_empty() && !users.is_seen(value) || !self.is_single(value) {
                continue;
            }
            let joined = self.joined(value);
            let Some(&single) = joined.iter().find(|&&v| self.is_single(v)) else { continue };
            let Some(&half) = joined.iter().find(|&&v| self.may_be_half(v)) else { continue };
            let source = self.cause(single);
            match found.iter_mut().find(|p| p.source == source) {
                Some(promotion) => promotion.at.push((half, value)),
                None => found.push(Promotion { source, at: vec![(half, value)], spoilt: Spoilt::default() }),
            }
        }
        for promotion in &mut found {
            promotion.spoilt = self.spoilt(promotion.at.iter().map(|&(_, value)| value), users);
        }
        found
    }

    /// What is float32 from the values `from` on.
    pub fn spoilt(&mut self, from: impl Iterator<Item = ValueId>, users: &Users) -> Spoilt {
        self.counted(from, users, |flow, value| flow.is_single(value))
    }

    /// What is made of the value `from`, itself included.
    pub fn made_of(&mut self, from: ValueId, users: &Users) -> Spoilt {
        self.counted(std::iter::once(from), users, |_, _| true)
    }

    fn counted(&mut self, from: impl Iterator<Item = ValueId>, users: &Users, mut counts: impl FnMut(&mut Self, ValueId) -> bool) -> Spoilt {
        let graph = &self.analysis.graph;
        let mut spoilt = Spoilt::default();
        let mut seen = FxHashSet::default();
        let mut stack: Vec<ValueId> = from.collect();
        while let Some(value) = stack.pop() {
            if !counts(self, value) || !seen.insert(value) {
                continue;
            }
            spoilt.values += 1;
            if self.sort(value, &mut spoilt).map(|count| *count += 1).is_some() {
                spoilt.heavy.push(value);
            }
            // A list of arrays has no dtype; what is made of it has.
            let lists = users.users(value).iter().filter(|&&u| matches!(graph.op(u), Op::List | Op::Tuple));
            let through: Vec<ValueId> = lists.flat_map(|&list| users.users(list).iter().copied()).collect();
            stack.extend(users.users(value).iter().copied().chain(through));
        }
        spoilt
    }

    /// The count of `spoilt` to which `value` belongs.
    fn sort<'s>(&self, value: ValueId, spoilt: &'s mut Spoilt) -> Option<&'s mut usize> {
        match self.analysis.graph.get(value) {
            (Op::MatMul | Op::Mlx("addmm" | "conv1d" | "conv2d" | "conv_general" | "einsum" | "inner" | "tensordot"), _) => {
                Some(&mut spoilt.products)
            }
            (Op::Mlx("fast.scaled_dot_product_attention"), _) => Some(&mut spoilt.attentions),
            (Op::Mlx("fast.rms_norm" | "fast.layer_norm"), _) => Some(&mut spoilt.norms),
            (Op::Mlx("softmax"), _) => Some(&mut spoilt.softmaxes),
            (Op::Apply | Op::Call(..), operands) => match self.search.facts.module_of(operands[0]) {
                Some("LayerNorm" | "RMSNorm" | "GroupNorm" | "InstanceNorm") => Some(&mut spoilt.norms),
                Some("Linear" | "QuantizedLinear" | "Conv1d" | "Conv2d" | "Conv3d") => Some(&mut spoilt.products),
                _ => None,
            },
            _ => None,
        }
    }
}

fn is_floating_module(module: &str) -> bool {
    matches!(module, "Linear" | "QuantizedLinear" | "LayerNorm" | "RMSNorm" | "GroupNorm" | "Conv1d" | "Conv2d" | "Conv3d" | "Embedding")
}
