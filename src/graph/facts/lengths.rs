//! Which axes are as long as which: where the length of an axis comes from, followed back through operations that keep it.

use std::ops::ControlFlow::{Break, Continue};

use super::{ACTIVATIONS, Facts, Kind, MAX_DEPTH, keeps_shape};
use crate::graph::normalize;
use crate::graph::value::{Op, ValueId};

/// Where the length of an axis comes from. Equal origins are equal lengths.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Length {
    /// A number.
    Is(ValueId),
    /// Axis of a value of which no more is known, counted from the front, or from the back if negative.
    Of(ValueId, i64),
    /// One.
    One,
}

impl Facts<'_> {
    /// Whether the number `n` is the length of axis `axis` of `array`, counted from the back if negative.
    pub fn counts(&self, n: ValueId, array: ValueId, axis: i64) -> bool {
        self.length_of_number(n, 0) == self.origin(array, axis, 0)
    }

    /// Whether two axes are as long as each other.
    pub fn same_length(&self, a: (ValueId, i64), b: (ValueId, i64)) -> bool {
        self.origin(a.0, a.1, 0) == self.origin(b.0, b.1, 0)
    }

    /// Whether axis `added` of an array has one element, or as many as axis `whole` of another, each counted from the back if negative. What is the same number
    /// by name only is not enough: -1 stands for another length in each `reshape`.
    pub fn fits_axis(&self, added: (ValueId, i64), whole: (ValueId, i64)) -> bool {
        match self.origin(added.0, added.1, 0) {
            Length::One => true,
            length @ Length::Of(..) => length == self.origin(whole.0, whole.1, 0),
            length @ Length::Is(n) => matches!(self.analysis.graph.op(n), Op::Int(0..)) && length == self.origin(whole.0, whole.1, 0),
        }
    }

    /// Whether axis `axis` of `array` has one element at most, where it also may be the one that was made for it: `axis` may be any value.
    pub fn is_single(&self, array: ValueId, axis: ValueId) -> bool {
        let graph = &self.analysis.graph;
        match (graph.get(array), graph.as_int(axis)) {
            ((Op::Mlx("expand_dims"), operands), _) if operands[1] == axis => true,
            ((Op::Mlx("expand_dims"), operands), _) if graph.op(operands[1]) == Op::Tuple && graph.operands(operands[1]).contains(&axis) => true,
            (_, Some(axis)) => self.is_one_long(array, axis),
            _ => false,
        }
    }

    /// Whether axis `axis` of `array`, counted from the back if negative, has one element.
    pub fn is_one_long(&self, array: ValueId, axis: i64) -> bool {
        self.origin(array, axis, 0) == Length::One
    }

    /// Whether the matrices in the last two axes of `array` hold channels in rows: each as many numbers long as another array is on an axis before its last, a
    /// length of the input, and so many rows as a number says that is no such length.
    pub fn has_channels_in_rows(&self, array: ValueId) -> bool {
        let is_length_of_input = match self.origin(array, -1, 0) {
            Length::Of(_, axis) if axis < 0 => axis < -1,
            Length::Of(of, axis) => self.rank(of).is_some_and(|rank| axis + 1 < i64::from(rank)),
            _ => false,
        };
        let is_count = |n: ValueId| matches!(self.analysis.graph.op(n), Op::FloorDiv | Op::Attr(..) | Op::Param(..) | Op::Int(_));
        is_length_of_input && matches!(self.origin(array, -2, 0), Length::Is(n) if is_count(n))
    }

    /// Whether `n` is how often the length of one axis goes into that of another.
    pub fn is_quotient(&self, n: ValueId, whole: (ValueId, i64), part: (ValueId, i64)) -> bool {
        match self.analysis.graph.get(self.settled(n)) {
            (Op::FloorDiv, &[a, b]) => self.counts(a, whole.0, whole.1) && self.counts(b, part.0, part.1),
            _ => false,
        }
    }

    /// What `__init__` stored in an attribute of `self`, if that is the same whatever happens: a number made of its own parameters.
    fn settled(&self, n: ValueId) -> ValueId {
        let (Op::Attr(name, _), &[object]) = self.analysis.graph.get(n) else { return n };
        match self.class_of(object, 0).map(|class| self.analysis.classes.attribute(class, name)) {
            Some(&[only]) if self.is_made_of_parameters(only) => only,
            _ => n,
        }
    }

    fn is_made_of_parameters(&self, value: ValueId) -> bool {
        let graph = &self.analysis.graph;
        !graph.finds(value, |v| match graph.get(v) {
            (Op::Int(_) | Op::Param(..), _) => Continue(&[]),
            (Op::Attr(..) | Op::FloorDiv | Op::Mul | Op::Add | Op::Sub, operands) => Continue(operands),
            _ => Break(()),
        })
    }

    pub(super) fn length_of_number(&self, n: ValueId, depth: u32) -> Length {
        let graph = &self.analysis.graph;
        let n = self.settled(n);
        match graph.get(n) {
            (Op::Dim(axis), &[of]) => self.origin(of, i64::from(axis), depth + 1),
            (Op::Apply, &[callee, of]) if self.is_builtin(callee, "len") => self.origin(of, 0, depth + 1),
            (Op::Int(1), _) => Length::One,
            _ => Length::Is(n),
        }
    }

    /// Where the length of an axis comes from.
    pub(super) fn origin(&self, array: ValueId, axis: i64, depth: u32) -> Length {
        // From the front, where the number of axes is known: one way to say it.
        let axis = match self.rank(array) {
            Some(rank) if axis < 0 => axis + i64::from(rank),
            _ => axis,
        };
        if let Some(&origin) = self.origins.borrow().get(&(array, axis)) {
            return origin;
        }
        if depth > MAX_DEPTH {
            return Length::Of(array, axis);
        }
        let origin = self.step(array, axis, depth + 1).unwrap_or(Length::Of(array, axis));
        self.origins.borrow_mut().insert((array, axis), origin);
        origin
    }

    fn step(&self, array: ValueId, axis: i64, depth: u32) -> Option<Length> {
        let graph = &self.analysis.graph;
        let (op, operands) = graph.get(array);
        match op {
            Op::Neg | Op::Stored => Some(self.origin(operands[0], axis, depth)),
            // A module has one bias for each of the first axis of its weight.
            Op::Attr(name, version) if graph.name(name) == "bias" && self.rank_of_parameter(operands[0], name).is_some() => {
                Some(Length::Of(graph.find(Op::Attr(graph.known_symbol("weight")?, version), operands)?, 0))
            }
            Op::Add | Op::Sub | Op::Mul | Op::Div | Op::Pow | Op::Mod | Op::FloorDiv | Op::Compare(_) | Op::Bits(_) => {
                self.broadcast(array, operands, axis, depth)
            }
            Op::Permute => {
                let rank = i64::from(self.rank(array)?);
                let (of, axes) = normalize::permutation(graph, array)?;
                let place = if axis < 0 { axis } else { axis - rank };
                let from = axes.get(usize::try_from(place + axes.len() as i64).unwrap_or(usize::MAX)).copied().unwrap_or(place);
                Some(self.origin(of, from, depth))
            }
            Op::Gate => {
                let then = self.origin(operands[1], axis, depth);
                (self.origin(operands[2], axis, depth) == then).then_some(then)
            }
            Op::Item(_) => match graph.get(operands[0]) {
                (Op::Mlx("split"), of) if self.are_different(of[0], graph.as_int(of[2])?, axis) => Some(self.origin(of[0], axis, depth)),
                _ if self.kind(operands[0]) == Kind::Array => Some(self.origin(operands[0], if axis < 0 { axis } else { axis + 1 }, depth)),
                _ => None,
            },
            Op::Index(_) if self.is_part_of_array(operands[0], operands[1]) => self.through_subscript(operands[0], operands[1], axis, depth),
            Op::Mlx(name) => self.through_function(array, name, operands, axis, depth),
            Op::MatMul => self.of_product(operands[0], operands[1], axis, depth),
            Op::Apply | Op::Call(..) => self.through_call(operands[0], *operands.get(1)?, axis, depth),
            _ => None,
        }
    }

    /// Rows are the left operand's, columns the right one's; the others broadcast.
    fn of_product(&self, left: ValueId, right: ValueId, axis: i64, depth: u32) -> Option<Length> {
        let (m, n) = (i64::from(self.rank(left)?), i64::from(self.rank(right)?));
        let at = if axis < 0 { axis } else { axis - m.max(n) };
        match at {
            _ if m < 2 || n < 2 => None,
            -1 => Some(self.origin(right, -1, depth)),
            -2 => Some(self.origin(left, -2, depth)),
            _ if m == n => Some(self.origin(left, at, depth)).filter(|&length| length == self.origin(right, at, depth)),
            _ => None,
        }
    }

    /// What a module or function of `mlx.nn` makes of its first argument.
    fn through_call(&self, callee: ValueId, argument: ValueId, axis: i64, depth: u32) -> Option<Length> {
        let same = || Some(self.origin(argument, axis, depth));
        match (self.module_of(callee), self.analysis.graph.path(callee)) {
            (Some("Linear" | "QuantizedLinear"), _) if self.are_different(argument, -1, axis) => same(),
            (Some("RoPE" | "LayerNorm" | "RMSNorm" | "GroupNorm" | "InstanceNorm" | "Identity" | "Dropout" | "GELU" | "SiLU" | "ReLU"), _) => same(),
            (_, Some("mlx.nn.MultiHeadAttention.create_additive_causal_mask")) => Some(self.length_of_number(argument, depth)),
            (_, Some(path)) if path.strip_prefix("mlx.nn.").is_some_and(|name| ACTIVATIONS.contains(&name)) => same(),
            _ => None,
        }
    }

    fn through_function(&self, array: ValueId, name: &str, operands: &[ValueId], axis: i64, depth: u32) -> Option<Length> {
        let graph = &self.analysis.graph;
        let same = || Some(self.origin(operands[0], axis, depth));
        match name {
            "zeros" | "ones" | "full" => self.of_shape(operands[0], axis, depth),
            "reshape" | "broadcast_to" => self.of_shape(operands[1], axis, depth),
            "arange" if graph.op(operands[1]) == Op::None => Some(self.length_of_number(operands[0], depth)),
            // Of a list, whose first axis is as long as the list.
            "array" if axis == 0 => Some(Length::Of(operands[0], 0)),
            "array" => None,
            "where" | "maximum" | "minimum" => self.broadcast(array, operands, axis, depth),
            "expand_dims" => {
                let new = graph.as_int(operands[1])?;
                match self.comparable(array, new, axis)? {
                    (new, axis) if new == axis => Some(Length::One),
                    (new, axis) if axis >= 0 => Some(self.origin(operands[0], axis - i64::from(new < axis), depth)),
                    (new, axis) => Some(self.origin(operands[0], axis + i64::from(new > axis), depth)),
                }
            }
            "squeeze" => {
                let gone = graph.as_int(operands[1])?;
                Some(self.origin(operands[0], self.before_removal(operands[0], gone, axis)?, depth))
            }
            "mean" | "sum" | "max" | "min" | "prod" | "logsumexp" | "argmax" | "argmin" | "any" | "all" => {
                let (reduced, keeps) = (graph.as_int(operands[1]), graph.op(operands[2]) == Op::Bool(true));
                match (reduced, keeps) {
                    (None, true) if graph.op(operands[1]) == Op::None => Some(Length::One),
                    (Some(reduced), true) => match self.comparable(operands[0], reduced, axis)? {
                        (reduced, axis) if reduced == axis => Some(Length::One),
                        _ => same(),
                    },
                    (Some(reduced), false) => Some(self.origin(operands[0], self.before_removal(operands[0], reduced, axis)?, depth)),
                    _ => None,
                }
            }
            "topk" if self.are_different(operands[0], graph.as_int(operands[2])?, axis) => same(),
            "swapaxes" => self.of_swapped(operands, axis, depth),
            "transpose" if graph.op(operands[1]) == Op::None => Some(self.origin(operands[0], -1 - axis, depth)),
            "concatenate" if self.is_another(array, graph.as_int(operands[1])?, axis) => self.of_parts(operands[0], axis, depth),
            "repeat" if self.is_another(array, graph.as_int(operands[2])?, axis) => same(),
            "argsort" | "argpartition" | "tril" | "triu" | "full_like" | "fast.rms_norm" | "fast.layer_norm" | "fast.rope" => same(),
            _ if keeps_shape(name) => same(),
            _ => None,
        }
    }

    fn of_swapped(&self, operands: &[ValueId], axis: i64, depth: u32) -> Option<Length> {
        let graph = &self.analysis.graph;
        let (a, b) = (graph.as_int(operands[1])?, graph.as_int(operands[2])?);
        let (one, at) = self.comparable(operands[0], a, axis)?;
        let (other, at_too) = self.comparable(operands[0], b, axis)?;
        let from = match () {
            () if at == one => b,
            () if at_too == other => a,
            () => axis,
        };
        Some(self.origin(operands[0], from, depth))
    }

    /// All parts of `list` agree, or joining them raises: the one of which most is known says it of the others, of equal ones the last: what is new
    /// stands behind a cache.
    fn of_parts(&self, list: ValueId, axis: i64, depth: u32) -> Option<Length> {
        let (Op::List | Op::Tuple, parts) = self.analysis.graph.get(list) else { return None };
        let said = |&part: &ValueId| match self.origin(part, axis, depth) {
            length @ (Length::Is(_) | Length::One) => (0, length),
            length @ Length::Of(of, _) => (if of == part { 2 } else { 1 }, length),
        };
        parts.iter().rev().map(said).min_by_key(|&(rank, _)| rank).map(|(_, length)| length)
    }

    /// `axis` and `other` counted from the same end, if the number of axes is not needed for that or known.
    fn comparable(&self, array: ValueId, other: i64, axis: i64) -> Option<(i64, i64)> {
        if (other < 0) == (axis < 0) {
            return Some((other, axis));
        }
        let rank = i64::from(self.rank(array)?);
        let front = |a: i64| if a < 0 { a + rank } else { a };
        Some((front(other), front(axis)))
    }

    fn are_different(&self, array: ValueId, other: i64, axis: i64) -> bool {
        self.comparable(array, other, axis).is_some_and(|(a, b)| a != b)
    }

    fn is_another(&self, array: ValueId, other: i64, axis: i64) -> bool {
        self.are_different(array, other, axis)
    }

    /// Which axis of `array` becomes `axis` when `gone` is taken away.
    fn before_removal(&self, array: ValueId, gone: i64, axis: i64) -> Option<i64> {
        match (gone < 0, axis < 0) {
            (false, false) => Some(axis + i64::from(gone <= axis)),
            (true, true) => Some(axis - i64::from(gone >= axis)),
            // Whatever stands before the last axis is counted as before.
            (true, false) if gone == -1 => Some(axis),
            (true, false) => {
                let gone = gone + i64::from(self.rank(array)?);
                Some(axis + i64::from(gone <= axis))
            }
            (false, true) if gone == 0 => Some(axis),
            (false, true) => {
                let gone = gone - i64::from(self.rank(array)?);
                Some(axis - i64::from(gone >= axis))
            }
        }
    }

    fn of_shape(&self, shape: ValueId, axis: i64, depth: u32) -> Option<Length> {
        let graph = &self.analysis.graph;
        match graph.get(shape) {
            (Op::Tuple | Op::List, items) => {
                let at = usize::try_from(if axis < 0 { axis + items.len() as i64 } else { axis }).ok()?;
                // Beyond `*rest` it is not known which axis an item is.
                let counted = if axis < 0 { items.get(at..) } else { items.get(..=at) };
                let item = counted.filter(|c| !c.iter().any(|&v| graph.op(v) == Op::Star)).map(|_| items[at])?;
                (graph.as_int(item) != Some(-1)).then(|| self.length_of_number(item, depth))
            }
            (Op::Shape, &[of]) => Some(self.origin(of, axis, depth)),
            _ => None,
        }
    }

    /// The axis of what several operands broadcast to: that of the operand which is not known to be one long there, if the others are or agree with it.
    fn broadcast(&self, array: ValueId, operands: &[ValueId], axis: i64, depth: u32) -> Option<Length> {
        let rank = self.rank(array).map(i64::from);
        let mut result = Length::One;
        for &operand in operands.iter().filter(|&&v| !self.kind(v).is_number() && self.rank(v) != Some(0)) {
            // From the back, where operands of fewer axes line up.
            let own = self.rank(operand).map(i64::from);
            let at = match (axis < 0, rank, own) {
                (true, ..) => axis,
                (false, Some(rank), _) => axis - rank,
                (false, None, _) if operands.iter().all(|&v| v == operand || self.kind(v).is_number()) => axis,
                _ => return None,
            };
            if at < 0 && own.is_some_and(|own| at < -own) {
                continue;
            }
            match self.origin(operand, at, depth) {
                Length::One => {}
                length if result == Length::One || result == length => result = length,
                _ => return None,
            }
        }
        Some(result)
    }

    /// Slices and numbers in order, `None` for a new axis; `...` stands for the axes in the middle.
    fn through_subscript(&self, of: ValueId, index: ValueId, axis: i64, depth: u32) -> Option<Length> {
        let graph = &self.analysis.graph;
        let single = [index];
        let parts = match graph.get(index) {
            (Op::Tuple, parts) => parts,
            _ => &single[..],
        };
        let taken = parts.iter().filter(|&&p| !matches!(graph.op(p), Op::None | Op::Ellipsis)).count();
        let middle = self.rank(of).and_then(|rank| usize::from(rank).checked_sub(taken));
        // Walk from the end at which the axis is counted: there the parts are in sight up to `...`, which stands at the end if nowhere, and beyond it if it is
        // known how many axes it stands for.
        let mut walked: Vec<Option<ValueId>> = parts.iter().map(|&p| (graph.op(p) != Op::Ellipsis).then_some(p)).collect();
        if !walked.contains(&None) {
            walked.push(None);
        }
        if axis < 0 {
            walked.reverse();
        }
        let wanted = if axis < 0 { -axis - 1 } else { axis };
        let (mut out, mut inner) = (0, 0);
        let from_here = |n: i64| if axis < 0 { -n - 1 } else { n };
        for (at, &part) in walked.iter().enumerate() {
            let Some(part) = part else {
                let whole = |p: &Option<ValueId>| p.is_some_and(|p| graph.op(p) == Op::Slice && self.is_whole(p));
                let span = middle.map(|n| n as i64);
                if span.is_some_and(|span| wanted < out + span) || walked[at + 1..].iter().all(whole) {
                    return Some(self.origin(of, from_here(inner + wanted - out), depth));
                }
                (out, inner) = (out + span?, inner + span?);
                continue;
            };
            match graph.op(part) {
                Op::None if out == wanted => return Some(Length::One),
                Op::None => out += 1,
                Op::Slice if out == wanted => return self.of_slice(of, part, from_here(inner), depth),
                Op::Slice => (out, inner) = (out + 1, inner + 1),
                // A number takes its axis away; an array does more.
                _ if self.kind(part) == super::Kind::Int => inner += 1,
                _ => return None,
            }
        }
        None
    }

    fn is_whole(&self, slice: ValueId) -> bool {
        let graph = &self.analysis.graph;
        graph.operands(slice).iter().all(|&b| graph.op(b) == Op::None)
    }

    /// A whole axis, or one that `-1:`, `:1` and `i:i + 1` cut down to one element at most.
    fn of_slice(&self, of: ValueId, slice: ValueId, axis: i64, depth: u32) -> Option<Length> {
        let graph = &self.analysis.graph;
        if self.is_whole(slice) {
            return Some(self.origin(of, axis, depth));
        }
        let &[from, to, step] = graph.operands(slice) else { return None };
        let one = |v: ValueId| graph.as_int(v) == Some(1);
        let is_one = match (graph.op(from), graph.get(to)) {
            (Op::None, _) => one(to),
            (Op::Int(-1), (Op::None, _)) => true,
            (Op::Int(from), (Op::Int(to), _)) => (from < 0) == (to < 0) && to == from + 1,
            (_, (Op::Add, &[a, b])) => a == from && one(b) || b == from && one(a),
            _ => false,
        };
        (is_one && graph.op(step) == Op::None).then_some(Length::One)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Analysis;
    use crate::graph::body::Effect;
    use crate::graph::value::Graph;
    use crate::syntax::Source;

    /// What `test` says of the two values that `call` returns, in a method of a module that knows its numbers of heads.
    fn says(call: &str, test: impl Fn(&Facts<'_>, ValueId, ValueId) -> bool) -> bool {
        let text = format!(
            "import mlx.core as mx\nimport mlx.nn as nn\n\nclass A(nn.Module):\n    def __init__(self, d, h, g):\n        self.h, self.g, self.times = h, g, h // g\n        self.w = mx.zeros((d, h))\n        self.b = mx.zeros((d,))\n        self.p, self.rope = nn.Linear(d, d), nn.RoPE(8)\n\n    def __call__(self, x: mx.array, y: mx.array, other: A, cache=None):\n        B, L, D = x.shape\n        q, k = self.p(x).reshape(B, L, self.h, -1).swapaxes(1, 2), self.p(x).reshape(B, L, self.g, -1).transpose(0, 2, 1, 3)\n        return {call}\n"
        );
        let source = Source::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let analysis = Analysis::new(&source, Graph::default());
        let mut effects = analysis.bodies.iter().flat_map(|body| body.effects.iter().map(move |effect| (body, effect)));
        let returned = effects.find_map(|(body, e)| if let Effect::Return(value) = *e { Some((body, value)) } else { None });
        let (body, returned) = returned.expect("the text returns a value");
        let &[a, b] = analysis.graph.operands(returned) else { panic!("{call} is no pair") };
        test(&Facts::at(&analysis, body, 0, body.range.end()), a, b)
    }

    #[test]
    fn an_axis_is_as_long_as_what_it_was_made_of() {
        let agree = |call: &str, axis: i64| says(call, |facts, a, b| facts.same_length((a, axis), (b, axis)));
        for kept in
            ["q, k", "mx.triu(q), k", "self.rope(q, offset=3), k * 2", "mx.concatenate([cache, q], axis=2), k", "q @ k.swapaxes(-1, -2), k", "x, k"]
        {
            assert!(agree(kept, 0), "{kept}");
        }
        assert!(agree("q @ q.swapaxes(-1, -2), q", -2), "the rows of a product are the left operand's");
        assert!(agree("self.p(q), q", 1), "a linear layer changes the last axis alone");
        for changed in ["q, k", "q[:, 1:], q", "mx.repeat(k, 2, axis=1), k", "mx.concatenate([q, k], axis=1), q"] {
            assert!(!agree(changed, 1), "{changed}");
        }
        assert!(!agree("self.p(q), q", -1), "a linear layer changes the last axis");
    }

    #[test]
    fn channels_in_rows_are_as_long_as_the_input() {
        let in_rows = |array: &str| says(&format!("{array}, x"), |facts, array, _| facts.has_channels_in_rows(array));
        let of_input = "x.reshape(B, L, self.h, D // self.h).transpose(0, 2, 1, 3)";
        assert!(in_rows(&format!("({of_input} * 2).swapaxes(-1, -2)")) && in_rows("self.p(x).reshape(B, self.h, 64, L)"));
        for heads in [of_input, "q.swapaxes(-1, -2)", "x.reshape(B, 1, L, D)", "x", "y", "y.swapaxes(-1, -2)", "y.reshape(y.shape[0], 4, 8)"] {
            assert!(!in_rows(heads), "{heads}");
        }
    }

    #[test]
    fn what_is_reduced_broadcast_or_turned_meets_the_axis_that_it_comes_from() {
        let fits = |call: &str, added: i64, whole: i64| says(call, |facts, a, b| facts.fits_axis((a, added), (b, whole)));
        let rows = "mx.sum(self.w * self.w, axis=-1), self.w.T";
        assert!(fits(rows, -1, -1) && !fits(rows, -1, -2));
        assert!(fits("mx.maximum(self.w, 0).sum(axis=0, keepdims=True), self.w", -1, -1), "one axis is one long, the other stays");
        assert!(fits("self.p.bias, self.p.weight.T", -1, -1) && !fits("self.p.bias, self.p.weight", -1, -1));
        assert!(!fits("x.reshape(self.h, 2), x.reshape(self.h, 3)", 0, 0), "it may be -1");
    }

    #[test]
    fn lengths_of_two_instances_and_behind_a_rest_are_not_known() {
        let same = |call: &str, axes: (u8, u8)| {
            says(call, |facts, a, b| facts.length(a, axes.0).is_some_and(|length| facts.length(b, axes.1) == Some(length)))
        };
        assert!(same("self.w, self.b", (0, 0)));
        assert!(!same("other.w, self.b", (0, 0)), "another instance may be made with another number");
        assert!(!same("mx.zeros((*cache, 5)), mx.zeros((5, 5))", (1, 1)) && !same("mx.zeros((*cache, 5)), mx.zeros((5, 5))", (0, 0)));
    }

    #[test]
    fn how_often_heads_repeat_is_known_by_any_name() {
        let repeats = |times: &str, of: &str| {
            says(&format!("(q, {times}), {of}"), |facts, pair, k| {
                let &[queries, times] = facts.analysis.graph.operands(pair) else { return false };
                facts.is_quotient(times, (queries, 1), (k, 1))
            })
        };
        assert!(repeats("self.h // self.g", "k") && repeats("self.times", "k") && repeats("q.shape[1] // k.shape[1]", "k"));
        assert!(!repeats("self.g // self.h", "k") && !repeats("self.h // 2", "k") && !repeats("self.times", "q") && !repeats("self.h", "k"));
    }
}
