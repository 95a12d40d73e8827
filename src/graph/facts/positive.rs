//! Which lengths of axes are surely not 0: what MLX refuses an empty axis for, and has done here. A layer of no inputs cannot be made, and an axis of unknown
//! length (`-1`) is not worked out where another one is empty.

use std::ops::ControlFlow::{Break, Continue};

use rustc_hash::FxHashSet;

use super::Facts;
use super::lengths::Length;
use crate::graph::body::Effect;
use crate::graph::value::{Op, ValueId};

/// Layers that are not made for inputs of no channels, which are their last axis, and take none that they are not made for; or cannot share out no elements.
const LAYERS: [&str; 9] =
    ["Linear", "QuantizedLinear", "Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d", "InstanceNorm"];
/// So many values are looked at behind an array.
const MAX_VALUES: usize = 200;

impl Facts<'_> {
    /// Whether `n` is the length of an axis, and one that is not empty.
    pub fn is_positive_length(&self, n: ValueId) -> bool {
        let graph = &self.analysis.graph;
        let (Op::Dim(_), &[array]) = graph.get(n) else { return false };
        let length = self.length_of_number(n, 0);
        let is_number = matches!(length, Length::Is(v) if graph.as_int(v).is_some_and(|n| n > 0));
        is_number || length == Length::One || self.behind(array).into_iter().chain(self.computed()).any(|v| self.shows(v, length))
    }

    /// Whether `value` would not have been computed if `length` were 0.
    fn shows(&self, value: ValueId, length: Length) -> bool {
        let graph = &self.analysis.graph;
        match graph.get(value) {
            (Op::Mlx("reshape"), operands) => {
                let (Op::Tuple | Op::List, items) = graph.get(operands[1]) else { return false };
                items.iter().any(|&v| graph.as_int(v) == Some(-1)) && items.iter().any(|&v| self.has_factor(v, length))
            }
            (Op::Apply | Op::Call(..), &[layer, array]) => {
                // In PyTorch's order the channels are shared out among groups.
                let is_shared_out = || self.module_of(layer) == Some("GroupNorm") && self.accumulates_in_float32(layer);
                (self.is_module_of(layer, &LAYERS.map(str::to_owned)) || is_shared_out()) && self.origin(array, -1, 0) == length
            }
            _ => false,
        }
    }

    /// Whether the number `n` is `length`, or a product with it.
    fn has_factor(&self, n: ValueId, length: Length) -> bool {
        let graph = &self.analysis.graph;
        graph.finds(n, |v| match graph.get(v) {
            (Op::Mul, operands) => Continue(operands),
            _ if self.length_of_number(v, 0) == length => Break(()),
            _ => Continue(&[]),
        })
    }

    /// What was computed for `array`, itself included, whatever path was taken.
    fn behind(&self, array: ValueId) -> Vec<ValueId> {
        let graph = &self.analysis.graph;
        let (mut found, mut next) = (vec![array], 0);
        while let Some(&value) = found.get(next).filter(|_| found.len() < MAX_VALUES) {
            next += 1;
            // Of what else has operands not all need to have been computed.
            if matches!(graph.op(value), Op::Permute | Op::Index(_) | Op::Item(_) | Op::Mlx(_) | Op::Add | Op::Mul | Op::Apply | Op::Call(..)) {
                let new: Vec<ValueId> = graph.operands(value).iter().copied().filter(|v| !found.contains(v)).collect();
                found.extend(new);
            }
        }
        found
    }

    /// What the scope has computed at this place; and what it has yet to compute, where that is certain: what raises there would have raised in any case.
    fn computed(&self) -> Vec<ValueId> {
        let Some(view) = self.view else { return Vec::new() };
        let around: FxHashSet<_> = std::iter::successors(Some(view.block), |&b| view.body.blocks[b as usize].parent).collect();
        let goes_to_the_end = view.block == 0 && self.ends_once();
        let own = view.body.occurrences.iter().filter(|o| o.own && around.contains(&o.block));
        own.filter(|o| goes_to_the_end || o.range.end() < view.offset).map(|o| o.value).collect()
    }

    /// Whether the function returns at its end alone, and gives nothing before.
    fn ends_once(&self) -> bool {
        let Some(view) = self.view else { return false };
        let mut depth = 0_u32;
        view.body.effects.iter().all(|effect| {
            match effect {
                Effect::Enter(_) | Effect::Lambda(_) => depth += 1,
                Effect::Leave => depth = depth.saturating_sub(1),
                Effect::Return(_) => return depth == 0,
                Effect::Yield(_) => return false,
                _ => {}
            }
            true
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Analysis;
    use crate::graph::value::Graph;
    use crate::syntax::Source;

    /// Whether the length is known not to be 0 of which a method with these statements takes the root.
    fn is_positive(statements: &str) -> bool {
        let text = format!(
            "import mlx.core as mx\nimport mlx.nn as nn\n\nclass A(nn.Module):\n    h = 8\n\n    def __init__(self, d, n, w):\n        self.n, self.w = n, w\n        self.p, self.f = nn.Linear(d, d), w\n        self.c, self.g, self.o = nn.Conv1d(d, d, 3), nn.GroupNorm(2, d, pytorch_compatible=True), nn.GroupNorm(2, d)\n        self.i, self.l = nn.InstanceNorm(d), nn.LayerNorm(d)\n\n    def __call__(self, x: mx.array, y: mx.array, other):\n        {}\n",
            statements.replace('\n', "\n        ")
        );
        let source = Source::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let analysis = Analysis::new(&source, Graph::default());
        let mut all = analysis.bodies.iter().flat_map(|b| b.occurrences.iter().map(move |o| (b, o)));
        let (body, root) = all.find(|(_, o)| analysis.graph.op(o.value) == Op::Mlx("sqrt")).expect("the text takes a root");
        Facts::at(&analysis, body, root.block, root.range.end()).is_positive_length(analysis.graph.operands(root.value)[0])
    }

    #[test]
    fn an_axis_is_not_empty_where_something_would_have_refused_it() {
        for shown in [
            "return mx.sqrt(x.reshape(2, 64).shape[-1])",
            "return mx.sqrt(x.reshape(2, -1, self.h).shape[-1])",
            "return mx.sqrt(x.reshape(2, -1, self.n, self.w).transpose(0, 2, 1, 3).shape[-1])",
            "return mx.sqrt(x[..., None].shape[-1])",
            "y = self.p(x)\nreturn mx.sqrt(x.shape[-1])",
            "y = self.c(x)\nreturn mx.sqrt(x.shape[-1])",
            "y = self.g(x)\nreturn mx.sqrt(x.shape[-1])",
            "y = self.i(x)\nreturn mx.sqrt(x.shape[-1])",
            "y = self.p(x)\nif other:\n    y = mx.sqrt(x.shape[-1])\nreturn y",
            "y = self.p(x.transpose(0, 2, 3, 1))\nreturn mx.sqrt(x.shape[1])",
            "q = x.reshape(2, 3, self.w)\ns = mx.sqrt(q.shape[-1])\nreturn (q * s).reshape(2, -1, self.n * self.w)",
        ] {
            assert!(is_positive(shown), "{shown}");
        }
        for unknown in [
            "return mx.sqrt(x.shape[-1])",
            "return mx.sqrt(self.w)",
            "return mx.sqrt(x.reshape(2, self.n, -1).shape[-1])",
            "return mx.sqrt(x.reshape(2, self.n, self.w).shape[-1])",
            "y = self.p(x)\nreturn mx.sqrt(y.shape[-1])",
            "y = self.o(x)\nreturn mx.sqrt(x.shape[-1])",
            "y = self.l(x)\nreturn mx.sqrt(x.shape[-1])",
            "y = self.f(x)\nreturn mx.sqrt(x.shape[-1])",
            "if other:\n    y = self.p(x)\nreturn mx.sqrt(x.shape[-1])",
            "y = self.p(x) if other else x\nreturn mx.sqrt(x.shape[-1])",
            "y = other and self.p(x)\nreturn mx.sqrt(x.shape[-1])",
            "y = lambda: self.p(x)\nreturn mx.sqrt(x.shape[-1]), y",
            "z = self.p(x).reshape(3, 4) if other else y\nreturn mx.sqrt(x.shape[-1]) * z",
            "q = x.reshape(2, 3, self.w)\ns = mx.sqrt(q.shape[-1])\nif other:\n    return s\nreturn (q * s).reshape(2, -1, self.n * self.w)",
            "q = x.reshape(2, 3, self.w)\ns = mx.sqrt(q.shape[-1])\nyield s\nreturn (q * s).reshape(2, -1, self.n * self.w)",
            "q = x.reshape(2, 3, self.w)\ntry:\n    s = mx.sqrt(q.shape[-1])\nexcept ValueError:\n    s = 1\nreturn (q * s).reshape(2, -1, self.n * self.w)",
        ] {
            assert!(!is_positive(unknown), "{unknown}");
        }
    }
}
