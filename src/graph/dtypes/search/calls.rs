//! The dtypes of what calls give that the table does not tell: modules of `mlx.nn`, what is drawn at random, what stands for a number, fast norms and attention.

use std::ops::ControlFlow::{Break, Continue};

use super::{Search, Type};
use crate::graph::api::{self, Accepts, DtypeRule};
use crate::graph::dtypes::Dtype;
use crate::graph::facts::ACTIVATIONS;
use crate::graph::modules::passed;
use crate::graph::value::{Graph, Op, ValueId};

/// Modules of `mlx.nn` whose parameters promote what they are given.
const PROMOTING_MODULES: [&str; 12] = [
    "Linear",
    "QuantizedLinear",
    "LayerNorm",
    "RMSNorm",
    "GroupNorm",
    "InstanceNorm",
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
];
/// Modules of `mlx.nn` that keep the dtype.
const KEEPING_MODULES: [&str; 13] =
    ["RoPE", "Identity", "GELU", "SiLU", "ReLU", "Tanh", "Sigmoid", "Dropout", "Dropout2d", "Dropout3d", "MaxPool1d", "MaxPool2d", "Softmax"];

impl Search<'_> {
    /// Whether `list` is a written-out list of numbers, perhaps nested, with a float among them.
    pub(super) fn holds_a_float(&mut self, list: ValueId, depth: u32) -> bool {
        let graph = self.graph;
        let mut float = false;
        let holds_others = graph.finds(list, |v| match graph.get(v) {
            (Op::List | Op::Tuple, parts) => Continue(parts),
            _ => match self.type_of(v, depth) {
                Type::Number(is_float) if v != list => {
                    float |= is_float;
                    Continue(&[])
                }
                _ => Break(()),
            },
        });
        float && !holds_others
    }

    /// Made in float32 unless a dtype is given.
    fn causal_mask(&mut self, operands: &[ValueId], depth: u32) -> Type {
        match operands.get(2) {
            None => Dtype::Float32.into(),
            Some(&given) => {
                let dtype = if let (Op::Keyword(_), &[dtype]) = self.graph.get(given) { dtype } else { given };
                match self.type_of(dtype, depth) {
                    Type::Dtype(dtype) => Type::Array(dtype),
                    _ => Type::Unknown,
                }
            }
        }
    }

    /// What a function of `mlx.core.random` draws.
    pub(super) fn random(&mut self, operands: &[ValueId], depth: u32) -> Option<Type> {
        let path = self.graph.path(*operands.first()?)?.strip_prefix("mlx.core.")?;
        let function = api::function(path).filter(|_| path.starts_with("random."))?.get();
        match function.dtype {
            DtypeRule::Bool => Some(Dtype::Bool.into()),
            DtypeRule::Uint32 => Some(Dtype::Uint32.into()),
            DtypeRule::Argument => {
                let at = function.params.iter().position(|p| p.accepts == Accepts::Dtype)?;
                match passed(self.graph, &operands[1..], at, "dtype") {
                    Some(given) => match self.type_of(given, depth) {
                        Type::Dtype(dtype) => Some(Type::Array(dtype)),
                        _ => None,
                    },
                    None if operands.iter().any(|&v| self.graph.op(v) == Op::Star) => None,
                    None => Dtype::named(function.params[at].default?).map(Type::from),
                }
            }
            _ => None,
        }
    }

    pub(super) fn apply(&mut self, value: ValueId, operands: &[ValueId], depth: u32) -> Type {
        match self.graph.path(operands[0]) {
            Some("numpy.sqrt" | "numpy.log") => return Type::Number(true),
            Some("mlx.nn.MultiHeadAttention.create_additive_causal_mask") => return self.causal_mask(operands, depth),
            _ => {}
        }
        let Some(&argument) = operands.get(1) else { return self.free(value) };
        if let Some(name) = self.graph.path(operands[0]).and_then(|p| p.strip_prefix("mlx.nn.")) {
            return if ACTIVATIONS.contains(&name) { self.type_of(argument, depth) } else { self.free(value) };
        }
        self.module(value, operands, depth)
    }

    /// What a module gives for its first argument.
    pub(super) fn module(&mut self, value: ValueId, operands: &[ValueId], depth: u32) -> Type {
        let Some(&argument) = operands.get(1) else { return self.free(value) };
        let listed = || self.shown.and_then(|_| self.facts.listed_module(operands[0]));
        let module = self.facts.module_of(operands[0]).or_else(listed);
        if module.is_some_and(|m| KEEPING_MODULES.contains(&m)) || self.facts.has_no_parameters(operands[0]) {
            return self.type_of(argument, depth);
        }
        let promotes = module.is_some_and(|m| PROMOTING_MODULES.contains(&m));
        match (self.type_of(argument, depth), promotes) {
            (Type::Array(given), true) => self.unknown(operands[0]).map_or(Type::Unknown, |weights| Type::Array(given.with(weights))),
            _ => self.free(value),
        }
    }

    /// `(x, weight, eps)` or `(x, weight, bias, eps)`: a bias promotes only beside a weight.
    pub(super) fn norm(&mut self, operands: &[ValueId], depth: u32) -> Type {
        let arrays = &operands[..operands.len() - 1];
        let weight = self.type_of(arrays[1], depth);
        let mut result = self.type_of(arrays[0], depth);
        if weight == Type::None {
            return result;
        }
        for &array in &arrays[1..] {
            result = match (result, self.type_of(array, depth)) {
                (result, Type::None) => result,
                (Type::Array(a), Type::Array(b)) => Type::Array(a.with(b)),
                (Type::Unknown, _) | (_, Type::Unknown) => Type::Unknown,
                _ => Type::Raises,
            };
        }
        match result {
            Type::Array(dtype) if !dtype.is_floating() || dtype == Dtype::Complex64.into() => Type::Raises,
            other => other,
        }
    }

    /// `(q, k, v, scale, mask, ..)`: an additive mask must promote to the dtype of the output.
    pub(super) fn attention(&mut self, operands: &[ValueId], depth: u32) -> Type {
        let result = self.promoted(&operands[..3], false, depth);
        let mask = operands.get(4).map_or(Type::None, |&m| self.type_of(m, depth));
        self.is_exact &= mask == Type::None;
        match (result, mask) {
            // Of what is open nothing is known.
            (Type::Array(out), Type::Array(mask)) if mask != Dtype::Bool.into() && out.with(mask).known().is_some_and(|d| out != d.into()) => {
                Type::Raises
            }
            _ => result,
        }
    }
}

/// A value with the dtype of item `n` that a generator over written-out values makes: one that is cast, or the value that it is another shape of. In a list the
/// element may be that of a loop around it, over the same values.
pub(super) fn unpacked(graph: &Graph, comprehension: ValueId, n: usize) -> Option<ValueId> {
    let (Op::Comprehension(b'('), &[iterable, made]) = graph.get(comprehension) else { return None };
    let (Op::Tuple | Op::List, items) = graph.get(iterable) else { return None };
    let mut value = made;
    loop {
        value = match graph.get(value) {
            (Op::Mlx("astype"), of) => return matches!(graph.op(of[1]), Op::Global(_)).then_some(value),
            (
                Op::Mlx("reshape" | "pad" | "expand_dims" | "squeeze" | "flatten" | "transpose" | "swapaxes" | "moveaxis") | Op::Permute | Op::Neg,
                of,
            ) => of[0],
            (Op::Element(..), &[of]) if of == iterable && !items.iter().any(|&v| graph.op(v) == Op::Star) => return items.get(n).copied(),
            _ => return None,
        };
    }
}
