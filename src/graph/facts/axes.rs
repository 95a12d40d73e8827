//! How many axes a value has: from constructors, reshapes, what `__init__` stores, and operations that demand a number of axes.

use super::{ACTIVATIONS, Facts, Kind, MAX_DEPTH, keeps_shape};
use crate::graph::Analysis;
use crate::graph::value::{Comparison, Graph, Op, ValueId};

/// Modules of `mlx.nn` whose result has as many axes as their argument.
const RANK_KEEPING_MODULES: [&str; 17] = [
    "Linear",
    "QuantizedLinear",
    "Identity",
    "LayerNorm",
    "RMSNorm",
    "GroupNorm",
    "InstanceNorm",
    "RoPE",
    "GELU",
    "SiLU",
    "ReLU",
    "Tanh",
    "Sigmoid",
    "Softmax",
    "Dropout",
    "Conv1d",
    "Conv2d",
];

impl Facts<'_> {
    /// How many axes `value` has at least, if it is an array: what shows even where [`Facts::rank`] does not know.
    pub fn least_rank(&self, value: ValueId) -> u8 {
        self.least_rank_at(value, 0)
    }

    fn least_rank_at(&self, value: ValueId, depth: u32) -> u8 {
        if let Some(&rank) = self.least_ranks.borrow().get(&value) {
            return rank;
        }
        if depth > MAX_DEPTH {
            return 0;
        }
        let proved = || self.view.map_or(0, |view| view.proved.least_rank(value, view));
        let rank = self.rank_at(value, depth).unwrap_or_else(|| proved().max(self.least_rank_of_node(value, depth + 1)));
        self.least_ranks.borrow_mut().insert(value, rank);
        rank
    }

    /// Whether `of[index]` is a part of an array, and no entry of a list or dictionary, each of which has a dtype and a shape of its own.
    pub fn is_part_of_array(&self, of: ValueId, index: ValueId) -> bool {
        let graph = &self.analysis.graph;
        // What a list gives for a slice is a list, and nothing but an array takes these in a tuple.
        let counts_axes = |v: ValueId| matches!(graph.op(v), Op::Slice | Op::Ellipsis | Op::None);
        let has_axes = match graph.get(index) {
            (Op::Tuple, parts) => parts.iter().any(|&p| counts_axes(p)),
            _ => counts_axes(index),
        };
        has_axes || matches!(self.kind(of), Kind::Array | Kind::OptionalArray) || self.kind(index) == Kind::Array
    }

    fn least_rank_of_node(&self, value: ValueId, depth: u32) -> u8 {
        let graph = &self.analysis.graph;
        let (op, operands) = graph.get(value);
        match op {
            Op::Add | Op::Sub | Op::Mul | Op::Div | Op::Pow => operands.iter().map(|&v| self.least_rank_at(v, depth)).max().unwrap_or(0),
            Op::Neg | Op::Permute | Op::Stored => self.least_rank_at(operands[0], depth),
            Op::Item(_) => match graph.get(operands[0]) {
                (Op::Mlx("split"), of) => self.least_rank_at(of[0], depth),
                _ => 0,
            },
            Op::Index(_) => match graph.get(operands[1]) {
                // Each slice keeps an axis, each `None` makes one.
                (Op::Tuple, parts) => parts.iter().filter(|&&p| matches!(graph.op(p), Op::Slice | Op::None)).count() as u8,
                _ => 0,
            },
            Op::Mlx(name) if keeps_shape(name) => self.least_rank_at(operands[0], depth),
            Op::Mlx("expand_dims") => self.least_rank_at(operands[0], depth) + 1,
            Op::Gate => self.least_rank_at(operands[1], depth).min(self.least_rank_at(operands[2], depth)),
            _ => 0,
        }
    }

    pub(super) fn rank_at(&self, value: ValueId, depth: u32) -> Option<u8> {
        // What is computed from shared parts would be asked for exponentially often otherwise.
        if let Some(&rank) = self.ranks.borrow().get(&value) {
            return rank;
        }
        if depth > MAX_DEPTH {
            return None;
        }
        let proved = self.view.and_then(|view| view.proved.rank(value, view));
        let rank = proved.or_else(|| self.rank_of_node(value, depth + 1));
        self.ranks.borrow_mut().insert(value, rank);
        rank
    }

    fn rank_of_node(&self, value: ValueId, depth: u32) -> Option<u8> {
        let graph = &self.analysis.graph;
        let (op, operands) = graph.get(value);
        match op {
            Op::Int(_) | Op::Float(_) | Op::Dim(_) => Some(0),
            Op::Mlx(name) => self.rank_of_mlx(name, operands, depth),
            Op::Permute | Op::Stored | Op::Neg | Op::Invert => self.rank_at(operands[0], depth),
            Op::Pow | Op::Add | Op::Sub | Op::Mul | Op::Div | Op::FloorDiv | Op::Mod | Op::Bits(_) => self.rank_of_broadcast(operands, depth),
            Op::Compare(comparison) if !matches!(comparison, Comparison::Is | Comparison::In) => self.rank_of_broadcast(operands, depth),
            Op::MatMul => match (self.rank_at(operands[0], depth)?, self.rank_at(operands[1], depth)?) {
                (0, _) | (_, 0) => None,
                (1, 1) => Some(0),
                (1, n) | (n, 1) => Some(n - 1),
                (m, n) => Some(m.max(n)),
            },
            Op::Gate => {
                let then = self.rank_at(operands[1], depth)?;
                (self.rank_at(operands[2], depth)? == then).then_some(then)
            }
            Op::Item(_) => match graph.get(operands[0]) {
                (Op::Mlx("split"), of) => self.rank_at(of[0], depth),
                (Op::Comprehension(b'(' | b'['), [.., made]) => self.rank_at(*made, depth),
                // `q, k, v = qkv` takes the first axis apart.
                _ if self.kind_at(operands[0], depth) == Kind::Array => self.rank_at(operands[0], depth)?.checked_sub(1),
                _ => None,
            },
            Op::Element(..) => match graph.get(operands[0]) {
                (Op::Tuple | Op::List, items) => {
                    let first = self.rank_at(*items.first()?, depth)?;
                    items[1..].iter().all(|&v| self.rank_at(v, depth) == Some(first)).then_some(first)
                }
                _ if self.kind_at(operands[0], depth) == Kind::Array => self.rank_at(operands[0], depth)?.checked_sub(1),
                _ => None,
            },
            Op::Index(_) => self.rank_of_subscript(operands[0], operands[1], depth),
            Op::Attr(name, _) => {
                let Some(class) = self.class_of(operands[0], depth) else { return self.rank_of_parameter(operands[0], name) };
                let mut ranks = self.analysis.classes.attribute(class, name).iter().map(|&v| self.rank_at(v, depth));
                let first = ranks.next()??;
                ranks.all(|r| r == Some(first)).then_some(first)
            }
            Op::Apply | Op::Call(..) => self.rank_of_call(operands, depth),
            _ => None,
        }
    }

    fn rank_of_broadcast(&self, operands: &[ValueId], depth: u32) -> Option<u8> {
        let mut rank = 0;
        for &operand in operands {
            let is_number = self.kind_at(operand, depth).is_number();
            rank = rank.max(if is_number { 0 } else { self.rank_at(operand, depth)? });
        }
        Some(rank)
    }

    /// How many axes a shape argument stands for: a tuple of so many numbers, or one number.
    fn rank_of_shape(&self, shape: ValueId, depth: u32) -> Option<u8> {
        let graph = &self.analysis.graph;
        match graph.get(shape) {
            (Op::Tuple | Op::List, items) if !items.iter().any(|&v| graph.op(v) == Op::Star) => u8::try_from(items.len()).ok(),
            (Op::Shape, &[of]) => self.rank_at(of, depth),
            _ if self.kind_at(shape, depth) == Kind::Int => Some(1),
            _ => None,
        }
    }

    fn rank_of_mlx(&self, name: &str, operands: &[ValueId], depth: u32) -> Option<u8> {
        let graph = &self.analysis.graph;
        let of = |n: usize| self.rank_at(*operands.get(n)?, depth);
        match name {
            "zeros" | "ones" | "full" => self.rank_of_shape(operands[0], depth),
            "reshape" | "broadcast_to" | "unflatten" if name != "unflatten" => self.rank_of_shape(operands[1], depth),
            "arange" | "linspace" => Some(1),
            "flatten" if graph.as_int(operands[1]) == Some(0) && graph.as_int(operands[2]) == Some(-1) => Some(1),
            "eye" | "tri" | "identity" => Some(2),
            "array" => match graph.get(operands[0]) {
                (Op::Int(_) | Op::Float(_) | Op::Bool(_), _) => Some(0),
                (Op::List, items) if items.iter().all(|&v| graph.number(v).is_some()) => Some(1),
                _ if self.kind_at(operands[0], depth).is_number() => Some(0),
                _ => None,
            },
            "expand_dims" => graph.as_int(operands[1]).and_then(|_| of(0)).map(|r| r + 1),
            "mean" | "sum" | "max" | "min" | "prod" | "var" | "std" | "logsumexp" | "argmax" | "argmin" => {
                match (graph.op(operands[1]), graph.op(operands[2])) {
                    (_, Op::Bool(true)) => of(0),
                    (Op::None, Op::Bool(false)) => Some(0),
                    (Op::Int(_), Op::Bool(false)) => of(0)?.checked_sub(1),
                    _ => None,
                }
            }
            "concatenate" => match graph.get(operands[0]) {
                // All parts have the same number of axes, or the call raises.
                (Op::List | Op::Tuple, parts) => parts.iter().find_map(|&v| self.rank_at(v, depth)),
                _ => None,
            },
            "where" | "maximum" | "minimum" => self.rank_of_broadcast(operands, depth),
            "transpose" if graph.op(operands[1]) != Op::None => self.rank_of_shape(operands[1], depth),
            "swapaxes" | "moveaxis" | "transpose" | "tril" | "triu" | "roll" | "pad" => of(0),
            "repeat" if graph.op(operands[2]) != Op::None => of(0),
            "take_along_axis" | "put_along_axis" | "argsort" | "argpartition" | "partition" | "topk" | "clip" => of(0),
            "squeeze" if graph.as_int(operands[1]).is_some() => of(0)?.checked_sub(1),
            "fast.rms_norm" | "fast.layer_norm" | "fast.rope" => of(0),
            "fast.scaled_dot_product_attention" => Some(4),
            _ if keeps_shape(name) => of(0),
            _ => None,
        }
    }

    fn rank_of_subscript(&self, array: ValueId, index: ValueId, depth: u32) -> Option<u8> {
        let graph = &self.analysis.graph;
        let rank = i32::from(self.rank_at(array, depth)?);
        let single = [index];
        let parts = match graph.get(index) {
            (Op::Tuple, parts) => parts,
            _ => &single[..],
        };
        let mut change = 0;
        for &part in parts {
            change += match graph.op(part) {
                Op::Slice | Op::Ellipsis => 0,
                Op::None => 1,
                _ if matches!(self.kind_at(part, depth), Kind::Int) => -1,
                _ => return None,
            };
        }
        u8::try_from(rank + change).ok()
    }

    fn rank_of_call(&self, operands: &[ValueId], depth: u32) -> Option<u8> {
        let graph = &self.analysis.graph;
        let argument = *operands.get(1)?;
        if let Some(module) = self.module_of(operands[0]) {
            return match module {
                "Embedding" | "QuantizedEmbedding" => self.rank_at(argument, depth).map(|r| r + 1),
                _ if RANK_KEEPING_MODULES.contains(&module) => self.rank_at(argument, depth),
                _ => None,
            };
        }
        let path = graph.path(operands[0])?;
        match path {
            "mlx.nn.MultiHeadAttention.create_additive_causal_mask" => Some(2),
            "mlx.core.random.normal" => self.rank_of_shape(keyword(self.analysis, operands, "shape").unwrap_or(argument), depth),
            "mlx.core.random.uniform" => self.rank_of_shape(keyword(self.analysis, operands, "shape").or(operands.get(3).copied())?, depth),
            _ => {
                let name = path.strip_prefix("mlx.nn.")?;
                ACTIVATIONS.contains(&name).then(|| self.rank_at(argument, depth))?
            }
        }
    }

    /// The value that says how long axis `axis` (counted from the first) of `value` is: equal values, equal lengths.
    pub fn length(&self, value: ValueId, axis: u8) -> Option<ValueId> {
        self.length_at(value, axis, 0)
    }

    /// How long axis `axis` of `value` is, where that is a number.
    pub fn known_length(&self, value: ValueId, axis: u8) -> Option<i64> {
        let graph = &self.analysis.graph;
        if let Some(length) = self.length(value, axis).and_then(|length| graph.as_int(length)) {
            return Some(length);
        }
        let (Op::Mlx("array"), operands) = graph.get(value) else { return None };
        let parts = |list: ValueId| match graph.get(list) {
            (Op::List | Op::Tuple, parts) if !parts.iter().any(|&v| graph.op(v) == Op::Star) => Some(parts),
            _ => None,
        };
        let list = (0..axis).try_fold(operands[0], |list, _| parts(list)?.first().copied())?;
        parts(list).map(|parts| parts.len() as i64)
    }

    /// The value that says how long the last axis of `value` is.
    pub fn last_length(&self, value: ValueId) -> Option<ValueId> {
        let graph = &self.analysis.graph;
        if let (Op::Mlx("mean" | "sum" | "max" | "min" | "prod"), operands) = graph.get(value)
            && graph.as_int(operands[1]) == Some(-1)
            && graph.op(operands[2]) == Op::Bool(true)
        {
            return graph.find_leaf(Op::Int(1));
        }
        self.length(value, self.rank(value)?.checked_sub(1)?)
    }

    fn length_at(&self, value: ValueId, axis: u8, depth: u32) -> Option<ValueId> {
        if let Some(&length) = self.lengths.borrow().get(&(value, axis)) {
            return length;
        }
        if depth > MAX_DEPTH {
            return None;
        }
        let length = self.length_of_node(value, axis, depth + 1);
        self.lengths.borrow_mut().insert((value, axis), length);
        length
    }

    fn length_of_node(&self, value: ValueId, axis: u8, depth: u32) -> Option<ValueId> {
        let graph = &self.analysis.graph;
        let (op, operands) = graph.get(value);
        let same = |of: ValueId| self.length_at(of, axis, depth);
        match op {
            Op::Permute => {
                let rank = i64::from(self.rank(value)?);
                let (of, axes) = crate::graph::normalize::permutation(graph, value)?;
                let place = i64::from(axis) - rank;
                let from = axes.get(usize::try_from(place + axes.len() as i64).unwrap_or(usize::MAX)).copied().unwrap_or(place);
                self.length_at(of, u8::try_from(from + rank).ok()?, depth)
            }
            Op::Mlx("transpose") if graph.op(operands[1]) == Op::None => {
                self.length_at(operands[0], self.rank(operands[0])?.checked_sub(axis + 1)?, depth)
            }
            Op::Attr(name, _) => {
                let class = self.class_of(operands[0], depth)?;
                let mut lengths = self.analysis.classes.attribute(class, name).iter().map(|&v| self.length_at(v, axis, depth));
                let first = lengths.next()??;
                // Another instance of the same class may be made with other numbers.
                let is_own = self.analysis.classes.receiver(operands[0]).is_some() || graph.as_int(first).is_some();
                (is_own && lengths.all(|l| l == Some(first))).then_some(first)
            }
            Op::Mlx("zeros" | "ones" | "full") => match graph.get(operands[0]) {
                (Op::Tuple | Op::List, items) => plain(graph, items, axis),
                (Op::Int(_), _) if axis == 0 => Some(operands[0]),
                _ => None,
            },
            Op::Mlx("reshape") => match graph.get(operands[1]) {
                (Op::Tuple | Op::List, items) => plain(graph, items, axis).filter(|&d| graph.as_int(d) != Some(-1)),
                _ => None,
            },
            Op::Gate => {
                let then = same(operands[1])?;
                (same(operands[2]) == Some(then)).then_some(then)
            }
            Op::Mul | Op::Div | Op::Add | Op::Sub | Op::Pow if operands[1..].iter().all(|&v| self.kind(v).is_number()) => same(operands[0]),
            Op::Stored => same(operands[0]),
            Op::Mlx(name) if keeps_shape(name) => same(operands[0]),
            Op::Mlx("fast.rms_norm" | "fast.layer_norm" | "fast.rope") => same(operands[0]),
            // All parts agree but along the axis of the concatenation, or the call raises.
            Op::Mlx("concatenate") if graph.as_int(operands[1]).is_some_and(|a| a >= 0 && a != i64::from(axis)) => match graph.get(operands[0]) {
                (Op::List | Op::Tuple, parts) => parts.iter().rev().find_map(|&v| same(v)),
                _ => None,
            },
            Op::Item(_) => match graph.get(operands[0]) {
                (Op::Mlx("split"), of) if graph.as_int(of[2]).is_some_and(|a| a == -1 && self.rank(of[0]).is_some_and(|r| r > axis + 1)) => {
                    same(of[0])
                }
                _ if self.kind(operands[0]) == Kind::Array => self.length(operands[0], axis + 1),
                _ => None,
            },
            Op::Apply => match self.module_of(operands[0]) {
                Some("RoPE" | "LayerNorm" | "RMSNorm") => same(*operands.get(1)?),
                _ => None,
            },
            _ => graph.find(Op::Dim(i32::from(axis)), &[value]),
        }
    }
}

/// The item of a shape for `axis`: beyond `*rest` it is not known which axis an item is.
fn plain(graph: &Graph, items: &[ValueId], axis: u8) -> Option<ValueId> {
    let counted = items.get(..=usize::from(axis))?;
    counted.last().copied().filter(|_| !counted.iter().any(|&v| graph.op(v) == Op::Star))
}

fn keyword(analysis: &Analysis<'_>, operands: &[ValueId], name: &str) -> Option<ValueId> {
    operands.iter().find_map(|&v| match analysis.graph.get(v) {
        (Op::Keyword(k), &[value]) if analysis.graph.name(k) == name => Some(value),
        _ => None,
    })
}
