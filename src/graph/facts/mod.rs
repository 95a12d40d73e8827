//! What is proved of a value at a place: whether it is an array, a number or something else, and how many axes it has. Facts come forward from constructors,
//! annotations, `__init__` and the API table, and backward from operations that only an `mx.array` survives. What is not proved is unknown, never a guess.

mod axes;
mod lengths;
mod modules;
mod names;
mod numpy;
mod positive;
mod proved;
mod signs;

use std::cell::RefCell;

use rustc_hash::FxHashMap;

use super::Analysis;
use super::api::{self, ResultKind};
use super::body::{BlockId, Body};
use super::value::{Comparison, Op, ValueId};
use crate::syntax::TextSize;
pub use proved::ProvedFacts;

/// What sort of thing a value is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// An `mx.array`.
    Array,
    /// An `mx.array` or `None`.
    OptionalArray,
    /// A Python `int`.
    Int,
    /// A Python `float`.
    Float,
    /// A Python `bool`.
    Bool,
    /// A Python `int` or `float`.
    Number,
    /// A number on one path, and unknown on another, or the `item()` of an unknown object: no array, and not surely a number.
    PerhapsNumber,
    /// `None`.
    None,
    /// An `mx.Dtype`.
    Dtype,
    /// Known to be none of these.
    Other,
    /// Not known.
    Unknown,
}

impl Kind {
    /// Whether it is certainly a Python number, which never changes the dtype of a floating point array.
    pub fn is_number(self) -> bool {
        matches!(self, Self::Int | Self::Float | Self::Number)
    }
}

/// Deeper chains of values are unknown, so that no input exhausts the stack.
const MAX_DEPTH: u32 = 60;

/// Functions of `mlx.core` that compute each element of the result from the one in its place.
pub const UNARY: [&str; 25] = [
    "abs",
    "exp",
    "expm1",
    "log",
    "log1p",
    "log2",
    "log10",
    "sin",
    "cos",
    "tan",
    "tanh",
    "sinh",
    "cosh",
    "sigmoid",
    "erf",
    "erfinv",
    "sqrt",
    "rsqrt",
    "square",
    "negative",
    "floor",
    "ceil",
    "round",
    "sign",
    "reciprocal",
];

/// Whether the result of this function of `mlx.core` has the shape of the first argument.
fn keeps_shape(name: &str) -> bool {
    UNARY.contains(&name)
        || matches!(name, "softmax" | "astype" | "stop_gradient" | "contiguous" | "cumsum" | "cumprod" | "sort" | "zeros_like" | "ones_like")
}

/// The facts that hold at one place of one scope.
pub struct Facts<'x> {
    analysis: &'x Analysis<'x>,
    view: Option<View<'x>>,
    kinds: RefCell<FxHashMap<ValueId, Kind>>,
    ranks: RefCell<FxHashMap<ValueId, Option<u8>>>,
    least_ranks: RefCell<FxHashMap<ValueId, u8>>,
    lengths: RefCell<FxHashMap<(ValueId, u8), Option<ValueId>>>,
    origins: RefCell<FxHashMap<(ValueId, i64), lengths::Length>>,
}

/// A place, and what operations prove in its scope.
#[derive(Clone, Copy)]
struct View<'x> {
    body: &'x Body,
    proved: &'x ProvedFacts,
    block: BlockId,
    offset: TextSize,
}

impl<'x> Facts<'x> {
    /// The facts in `body` that hold in `block` just before `offset`.
    pub fn at(analysis: &'x Analysis<'x>, body: &'x Body, block: BlockId, offset: TextSize) -> Self {
        let proved = body.proved.get_or_init(|| ProvedFacts::of(analysis, body));
        Self::new(analysis, Some(View { body, proved, block, offset }))
    }

    /// The facts that hold anywhere: those that need no proof by an operation.
    pub fn anywhere(analysis: &'x Analysis<'x>) -> Self {
        Self::new(analysis, None)
    }

    fn new(analysis: &'x Analysis<'x>, view: Option<View<'x>>) -> Self {
        let (kinds, ranks, least_ranks, lengths, origins) = Default::default();
        Self { analysis, view, kinds, ranks, least_ranks, lengths, origins }
    }

    /// Whether an operation has run that proves `value` to be an array.
    fn is_proved_array(&self, value: ValueId) -> bool {
        self.view.is_some_and(|view| view.proved.is_array(value, view))
    }

    /// Whether a condition, or an operation that has run, shows that `value` is not `None`.
    pub fn is_present(&self, value: ValueId) -> bool {
        self.view.is_some_and(|view| view.proved.is_present(&self.analysis.graph, value, view))
    }

    /// Whether `condition` holds, where an `if` around the place has decided that.
    pub fn decided(&self, condition: ValueId) -> Option<bool> {
        let view = self.view?;
        let mut around = Some(view.block);
        while let Some(block) = around.map(|b| &view.body.blocks[b as usize]) {
            if let Some((_, holds)) = block.decided.filter(|&(c, _)| c == condition) {
                return Some(holds);
            }
            around = block.parent;
        }
        None
    }

    /// What sort of thing `value` is.
    pub fn kind(&self, value: ValueId) -> Kind {
        self.kind_at(value, 0)
    }

    /// How many axes `value` has, if it is an array.
    pub fn rank(&self, value: ValueId) -> Option<u8> {
        self.rank_at(value, 0)
    }

    /// The same facts, if `numbers` were Python numbers, which nothing has been asked of yet.
    pub fn assuming(self, numbers: &[ValueId]) -> Self {
        self.kinds.borrow_mut().extend(numbers.iter().map(|&value| (value, Kind::Number)));
        self
    }

    fn kind_at(&self, value: ValueId, depth: u32) -> Kind {
        if let Some(&kind) = self.kinds.borrow().get(&value) {
            return kind;
        }
        let kind = match self.proved_kind(value, depth) {
            Some(kind) => kind,
            None if depth > MAX_DEPTH => return Kind::Unknown,
            None => match self.kind_of_node(value, depth + 1) {
                Kind::Unknown if self.is_of_numpy(value) => Kind::Other,
                Kind::OptionalArray if self.is_present(value) => Kind::Array,
                kind => kind,
            },
        };
        self.kinds.borrow_mut().insert(value, kind);
        kind
    }

    /// What the operations that have run prove `value` to be.
    fn proved_kind(&self, value: ValueId, depth: u32) -> Option<Kind> {
        let view = self.view?;
        if view.proved.is_array(value, view) {
            return Some(Kind::Array);
        }
        if view.proved.is_int(value, view) {
            return Some(Kind::Int);
        }
        if view.proved.is_list(value, view) {
            return Some(Kind::Other);
        }
        let is_array = |array: Option<ValueId>| array.is_some_and(|v| depth <= MAX_DEPTH && self.kind_at(v, depth + 1) == Kind::Array);
        match () {
            () if is_array(view.proved.counted(value, view)) => Some(Kind::Int),
            () if is_array(view.proved.cast(value, view)) => Some(Kind::Dtype),
            () => None,
        }
    }

    fn kind_of_node(&self, value: ValueId, depth: u32) -> Kind {
        let graph = &self.analysis.graph;
        let (op, operands) = graph.get(value);
        match op {
            Op::Int(_) | Op::Dim(_) | Op::Ndim => Kind::Int,
            Op::Float(_) => Kind::Float,
            Op::Bool(_) | Op::Not | Op::Compare(Comparison::Is | Comparison::In) => Kind::Bool,
            Op::Compare(_) => self.kind_of_comparison(operands, depth),
            Op::None => Kind::None,
            Op::DtypeOf => Kind::Dtype,
            Op::Str(_) | Op::Tuple | Op::List | Op::Shape | Op::Function(_) | Op::Class(_) | Op::Comprehension(_) | Op::Slice => Kind::Other,
            Op::Global(path) if is_constant(graph.name(path)) => Kind::Float,
            Op::Param(..) | Op::Attr(..) | Op::FloorDiv if self.analysis.classes.is_size(graph, value) => Kind::Int,
            Op::Param(scope, name) => self.annotated_parameter(scope, name),
            Op::ModuleName(name) => self.constant_kind(name, depth),
            // `x.at[i]` is no part of an array.
            Op::Attr(name, _) if graph.name(name) == "at" => Kind::Other,
            Op::Attr(name, _) => self.attribute_kind(operands[0], name, depth),
            Op::Mlx("astype") => match graph.get(operands[1]) {
                (Op::Global(path), _) if graph.name(path).starts_with("mlx.core.") => Kind::Array,
                _ => self.kind_at(operands[0], depth),
            },
            // Whatever has such a method makes a list, or a number where it has no axes.
            Op::Mlx("tolist") => Kind::Other,
            Op::Mlx(name) if api::method(name).is_some() => match self.kind_at(operands[0], depth) {
                Kind::Array => self.kind_of_mlx(name),
                // Whatever array this is the item of, of MLX, NumPy or torch, it is a number.
                _ if name == "item" => Kind::PerhapsNumber,
                _ => Kind::Unknown, // The text may have called the method of something that is no array.
            },
            Op::Mlx(name) => self.kind_of_mlx(name),
            Op::Permute | Op::Stored => self.kind_at(operands[0], depth),
            Op::Item(_) | Op::Element(..) => self.kind_of_part(op, operands[0], depth),
            Op::Index(_) if self.kind_at(operands[0], depth) == Kind::Array => Kind::Array,
            // A sum that starts at 0 is a number in the first round.
            Op::Phi(..) => match operands.first().map(|&v| self.kind_at(v, depth)) {
                Some(kind) if kind.is_number() || kind == Kind::None => Kind::Other,
                Some(Kind::Array) if self.view.is_some_and(|view| view.proved.is_carried(&self.analysis.graph, value)) => Kind::Array,
                _ => Kind::Unknown,
            },
            Op::Changed(_) => self.kind_at(operands[0], depth),
            Op::Neg | Op::Pow | Op::Add | Op::Sub | Op::Mul | Op::Div | Op::FloorDiv | Op::Mod | Op::MatMul => {
                self.kind_of_arithmetic(op, operands, depth)
            }
            Op::Gate => self.kind_of_gate(operands, depth),
            Op::Apply | Op::Call(..) => self.kind_of_call(operands, depth),
            _ => Kind::Unknown,
        }
    }

    /// What sort of thing one of the items of `whole` is: the one of a place, or any one that a loop comes to.
    fn kind_of_part(&self, op: Op, whole: ValueId, depth: u32) -> Kind {
        let is_array = match (op, self.analysis.graph.get(whole)) {
            (Op::Item(_), (Op::Mlx("split" | "meshgrid" | "broadcast_arrays"), _)) => true,
            (Op::Item(_), (Op::Element(..), _)) => false,
            (Op::Element(..), (Op::Apply, callee)) if self.is_builtin(callee[0], "range") => return Kind::Int,
            (Op::Element(..), (Op::Tuple | Op::List, items)) => self.are_arrays(items, depth),
            (_, (Op::Comprehension(b'(' | b'['), [.., made])) => self.are_arrays(&[*made], depth),
            _ => self.are_arrays(&[whole], depth),
        };
        if is_array { Kind::Array } else { Kind::Unknown }
    }

    fn are_arrays(&self, values: &[ValueId], depth: u32) -> bool {
        !values.is_empty() && values.iter().all(|&v| self.kind_at(v, depth) == Kind::Array)
    }

    /// With anything but arrays and numbers, the comparison of an array is a `bool`, or an exception.
    fn kind_of_comparison(&self, operands: &[ValueId], depth: u32) -> Kind {
        let kinds: Vec<Kind> = operands.iter().map(|&v| self.kind_at(v, depth)).collect();
        let is_number = |k: &Kind| k.is_number() || *k == Kind::Bool;
        match kinds.contains(&Kind::Array) {
            true if kinds.iter().all(|k| is_number(k) || *k == Kind::Array) => Kind::Array,
            false if kinds.iter().all(is_number) => Kind::Bool,
            _ => Kind::Unknown,
        }
    }

    fn kind_of_mlx(&self, name: &str) -> Kind {
        match name {
            "array" => Kind::Array,
            "item" => Kind::Number,
            _ => match api::function(name).or_else(|| api::method(name)).map(|f| f.get().result) {
                Some(ResultKind::Array) => Kind::Array,
                Some(ResultKind::Int) => Kind::Int,
                Some(ResultKind::None) => Kind::None,
                _ => Kind::Unknown,
            },
        }
    }

    fn kind_of_arithmetic(&self, op: Op, operands: &[ValueId], depth: u32) -> Kind {
        let kinds: Vec<Kind> = operands.iter().map(|&v| self.kind_at(v, depth)).collect();
        of_arithmetic(op, &kinds)
    }

    fn kind_of_gate(&self, operands: &[ValueId], depth: u32) -> Kind {
        let (then, otherwise) = (self.kind_at(operands[1], depth), self.kind_at(operands[2], depth));
        match (then, otherwise) {
            (a, b) if a == b => a,
            (Kind::Array | Kind::OptionalArray | Kind::None, Kind::Array | Kind::OptionalArray | Kind::None) => Kind::OptionalArray,
            (a, b) if a.is_number() && b.is_number() => Kind::Number,
            (a, Kind::Unknown) | (Kind::Unknown, a) if a.is_number() => Kind::PerhapsNumber,
            // Now one, now the other: neither can be relied on.
            (Kind::Array, b) if b.is_number() => Kind::Other,
            (a, Kind::Array) if a.is_number() => Kind::Other,
            _ => Kind::Unknown,
        }
    }

    fn kind_of_call(&self, operands: &[ValueId], depth: u32) -> Kind {
        let graph = &self.analysis.graph;
        let callee = operands[0];
        match graph.op(callee) {
            Op::Builtin(name) => match graph.name(name) {
                "int" | "len" => Kind::Int,
                "float" => Kind::Float,
                "bool" | "isinstance" | "hasattr" | "issubclass" => Kind::Bool,
                "abs" if operands.get(1).is_some_and(|&v| self.kind_at(v, depth) == Kind::Array) => Kind::Array,
                "round" | "abs" | "max" | "min" | "sum" if operands[1..].iter().all(|&v| self.kind_at(v, depth).is_number()) => Kind::Number,
                "list" | "tuple" | "dict" | "set" | "str" | "range" | "slice" | "enumerate" | "zip" | "sorted" | "type" => Kind::Other,
                _ => Kind::Unknown,
            },
            Op::Global(path) => {
                let path = graph.name(path);
                match path.strip_prefix("math.") {
                    Some("floor" | "ceil" | "gcd" | "lcm" | "comb" | "factorial" | "isqrt" | "trunc" | "perm") => Kind::Int,
                    Some("prod" | "copysign") => Kind::Number,
                    Some("isnan" | "isinf" | "isclose" | "isfinite") => Kind::Bool,
                    Some("frexp" | "modf") => Kind::Other,
                    Some(_) => Kind::Float,
                    None => self.kind_of_import(path),
                }
            }
            // An instance of a class of the file, whatever its operators do.
            Op::Class(_) => Kind::Other,
            _ if self.module_of(callee).is_some() => Kind::Array,
            _ => Kind::Unknown,
        }
    }

    fn kind_of_import(&self, path: &str) -> Kind {
        if let Some(name) = path.strip_prefix("mlx.core.") {
            return self.kind_of_mlx(name);
        }
        // A Python float by its class, but on the left of an array it makes NumPy's.
        if matches!(path, "numpy.sqrt" | "numpy.log") {
            return Kind::PerhapsNumber;
        }
        if ["numpy.", "torch.", "jax.", "tensorflow."].iter().any(|other| path.starts_with(other)) {
            return Kind::Other;
        }
        match path.strip_prefix("mlx.nn.") {
            Some("MultiHeadAttention.create_additive_causal_mask") => Kind::Array,
            Some(name) if ACTIVATIONS.contains(&name) => Kind::Array,
            _ => Kind::Unknown,
        }
    }

    fn is_builtin(&self, value: ValueId, name: &str) -> bool {
        matches!(self.analysis.graph.op(value), Op::Builtin(symbol) if self.analysis.graph.name(symbol) == name)
    }
}

/// What sort of thing an operator makes of things of such sorts.
pub(super) fn of_arithmetic(op: Op, kinds: &[Kind]) -> Kind {
    let left = kinds[0];
    let Some(&right) = kinds.get(1) else { return left };
    let scalar = |k: Kind| k.is_number() || k == Kind::Bool;
    match (left, right) {
        (Kind::Array, _) => Kind::Array,
        (l, Kind::Array) if scalar(l) => Kind::Array,
        (l, r) if scalar(l) && scalar(r) => match op {
            Op::Div => Kind::Float,
            Op::Pow if r == Kind::Float && l == Kind::Float => Kind::Float,
            Op::Pow => Kind::Number,
            _ if l == Kind::Int && r == Kind::Int => Kind::Int,
            _ if l == Kind::Float || r == Kind::Float => Kind::Float,
            _ => Kind::Number,
        },
        _ => Kind::Unknown,
    }
}

/// Whether an import is a Python float.
pub(super) fn is_constant(path: &str) -> bool {
    let last = path.strip_prefix("mlx.core.").or_else(|| path.strip_prefix("math.")).or_else(|| path.strip_prefix("numpy."));
    matches!(last, Some("inf" | "nan" | "pi" | "e"))
}

/// Functions of `mlx.nn` that work element by element, or keep the shape.
pub(super) const ACTIVATIONS: [&str; 16] = [
    "relu",
    "relu6",
    "gelu",
    "gelu_approx",
    "gelu_fast_approx",
    "silu",
    "sigmoid",
    "tanh",
    "softplus",
    "softsign",
    "elu",
    "selu",
    "mish",
    "softmax",
    "log_softmax",
    "hardswish",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::body::Effect;
    use crate::graph::value::Graph;
    use crate::syntax::Source;

    /// What sort of thing `expr` is, of an array `x`, a number `n` and something unknown.
    fn kind_of(expr: &str) -> Kind {
        kind_in("x: mx.array, n: int, other", expr)
    }

    /// What sort of thing `expr` is, of `parameters`.
    fn kind_in(parameters: &str, expr: &str) -> Kind {
        let text =
            format!("from typing import List, Optional\nimport mlx.core as mx\nimport numpy as np\n\ndef f({parameters}):\n    return {expr}\n");
        kind_returned(&text, |analysis, _| Facts::anywhere(analysis))
    }

    /// What sort of thing the function `f` of `text` returns last, by the facts that are chosen for its scope.
    fn kind_returned(text: &str, facts: impl for<'x> FnOnce(&'x Analysis<'_>, &'x Body) -> Facts<'x>) -> Kind {
        let source = Source::parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let analysis = Analysis::new(&source, Graph::default());
        let body = analysis.bodies.iter().find(|b| analysis.graph.name(b.name).rsplit('.').next() == Some("f")).expect("the text defines it");
        let returned = body.effects.iter().rev().find_map(|e| if let Effect::Return(value) = *e { Some(value) } else { None });
        facts(&analysis, body).kind(returned.expect("the text returns a value"))
    }

    #[test]
    fn a_comparison_with_an_array_is_an_array_and_its_negation_is_none() {
        for array in ["x == n", "x != n", "x > x", "0.5 < x", "mx.any(x == 2)"] {
            assert_eq!(kind_of(array), Kind::Array, "{array}");
        }
        for unknown in ["x == other", "other != n", "x == 'a'"] {
            assert_eq!(kind_of(unknown), Kind::Unknown, "{unknown}");
        }
        for truth in ["n == 3", "n != 3", "x is None", "n in other", "not x", "not other", "not x == n"] {
            assert_eq!(kind_of(truth), Kind::Bool, "{truth}");
        }
    }

    #[test]
    fn what_numpy_makes_is_no_array() {
        let of_numpy = [
            "np.random.default_rng(0).standard_normal((2, 3))",
            "np.random.RandomState(0).rand(2).astype(np.float32)",
            "other.astype(np.float32)",
            "other.astype('float32')",
            "other.astype(float).T[0]",
            "np.ones(3).reshape(3, 1)",
            "np.ones(3) @ np.ones(3)",
            "np.ones(3).mean(axis=-1)",
        ];
        for text in of_numpy {
            assert_eq!(kind_of(text), Kind::Other, "{text}");
        }
        // The first gives what was stored, and MLX makes an array of the next three.
        let unknown = ["np.load(other).item()", "mx.square(np.ones(3))", "mx.add(np.ones(3), np.ones(3))", "mx.exp(np.ones(3))"];
        for unknown in unknown.into_iter().chain(["other.astype(n)", "other.rand(3)"]) {
            assert_ne!(kind_of(unknown), Kind::Other, "{unknown}");
        }
    }

    /// What sort of thing the `s` is that the body of a function reads last, of an array `x`, a list `xs`, and something unknown.
    fn kind_after(body: &str) -> Kind {
        let text = format!("import mlx.core as mx\n\ndef f(x: mx.array, xs: list, other):\n    s = mx.zeros(4)\n    {body}\n    return s\n");
        kind_returned(&text, |analysis, body| Facts::at(analysis, body, 0, body.range.end()))
    }

    #[test]
    fn what_a_loop_makes_of_arrays_is_an_array_where_all_that_it_assigns_is_one() {
        let arrays = [
            "for i in xs: s = s * 2 + x",
            "t = s\n    for i in xs:\n        s = t\n        t = x @ s",
            "while other(s):\n        s = s @ x",
            "for i in xs:\n        for j in xs: s = s + x\n        s = s.T",
            "try: s = mx.exp(s)\n    except ValueError: s = x",
            "s, t = (y.T for y in (s, x))",
            "with mx.stream(mx.cpu):\n        s = other\n        s = mx.exp(x)",
            "with open('f') as file:\n        s = other(file)\n        s = mx.exp(x)",
        ];
        for body in arrays {
            assert_eq!(kind_after(body), Kind::Array, "{body}");
        }
        let others = [
            "for i in xs: s = other(s)",
            "t = s\n    for i in xs:\n        s = t\n        t = other",
            "for s in xs: pass",
            "for i in xs: [s := y for y in xs]",
            "def g():\n        nonlocal s\n        s = other\n    for i in xs:\n        s = x\n        g()",
            "with other():\n        s = None\n        s = mx.ones(4)\n        raise ValueError",
            "try: s = x\n    except ValueError as s: pass",
            "for i in xs:\n        if other: s = None\n        s = s",
            "s, t = (y for y in (s, other))",
            "other if xs else (s := other)",
            "for i in xs:\n        import os as s",
            "for i in xs:\n        from os import path as s",
            "for i in xs:\n        def s(): pass",
            "for i in xs:\n        class s: pass",
            "for i in xs:\n        with other() as s: pass",
            "for i in xs:\n        with other() as (s, t): pass",
            "for i in xs:\n        match i:\n            case s: pass",
            "for i in xs:\n        match i:\n            case [s, *_]: pass",
            "for i in xs:\n        match i:\n            case [*s]: pass",
            "for i in xs:\n        match i:\n            case {'a': 1, **s}: pass",
            "for i in xs:\n        match i:\n            case int() as s: pass",
            "for i in xs: s, t = other",
            "for i in xs: [t, *s] = other",
            "for i in xs: t = s = other",
            "for i, s in xs: pass",
            "for i in xs:\n        for s in i: break",
            "for i in xs:\n        for s.a, s in i: break",
            "for i in xs: s += other",
            "for i in xs:\n        try: other()\n        except ValueError as s: pass",
            "for i in xs:\n        try: other()\n        except* ValueError as s: pass",
            "for i in xs:\n        if other:\n            s = None\n            break",
            "for i in xs:\n        if other:\n            s = None\n            continue\n        s = x",
            "while other:\n        s = x\n    else: s = None",
            "try:\n        s = None\n        other()\n        s = x\n    except ValueError: pass",
            "try:\n        s = None\n        other()\n        s = x\n    except ValueError: pass\n    finally: other()",
            "try: s = x\n    finally: s = None",
            "try: s = x\n    except ValueError: pass\n    else: s = None",
            "with other():\n        s = None\n        other()\n        s = x",
            "with other():\n        for s in other(): pass\n        s = x",
            "for i in xs:\n        with other():\n            s = None\n            s = x",
            "for i in xs: type s = int",
            "for i in xs: s: other = other",
            "while (s := other()): pass",
            "for i in xs: [(s := y) for y in xs if (s := y)]",
            "for i in (s := xs): pass",
            "for i in xs: x[(s := other)]",
            "for i in xs: f'{(s := other)}'",
            "for i in xs: assert (s := other)",
            "for i in xs: lambda y=(s := other): y",
            "for i in xs:\n        def g(y=(s := other)): pass",
            "for i in xs:\n        @(s := other)\n        def g(): pass",
            "for i in xs:\n        class A((s := other)): pass",
            "for i in xs: x[0] = (s := other)",
            "for i in xs: del other[(s := other)]",
            "for i in xs:\n        if xs and (s := other): pass",
            "for i in xs: other(*(s := other))",
            "for i in xs: other(k=(s := other))",
            "for i in xs: other.a = (s := other)",
            "for i in xs: {**(s := other)}",
            "for i in xs: 1 < (s := other) < 2",
            "for i in xs: yield (s := other)",
            "for i in xs:\n        del s\n        s = other",
            "match xs:\n        case s: pass",
            "if xs: s = None\n    else: s = x",
            "t = (s for _ in xs)\n    for i in xs: s = other",
            "ys = [x, x]\n    ys.append(other)\n    s, t = (y for y in ys)",
            "ys = [x, x]\n    zs = (ys, 1)\n    zs[0][1] = other\n    s, t = (y for y in ys)",
            "ys = [x, x]\n    g = lambda: ys.append(other)\n    g()\n    s, t = (y for y in ys)",
            "ys = [x, x]\n    for i in xs:\n        s, t = (y for y in ys)\n        ys[0] = other",
            "s, t = (y for y in (x, *xs))",
            "s, t = (x if x else other for y in xs)",
            "def g():\n        nonlocal s\n        s = other\n    g()",
            "def g():\n        def h():\n            nonlocal s\n            s = other\n        h()\n    g()",
        ];
        for body in others {
            assert_ne!(kind_after(body), Kind::Array, "{body}");
        }
    }

    /// What sort of thing `self.s` is at the end of a method of a class, behind `statements`.
    fn kind_kept(stored: &str, statements: &str, rest: &str) -> Kind {
        let text = format!(
            "import math\nimport mlx.core as mx\nimport mlx.nn as nn\n\nclass A(nn.Module):\n    def __init__(self, w, h, c, n: int, other):\n        self.w, self.h, self.d, self.e = w, h, w // h, c.e\n        self.s = {stored}\n        self.p, self.q = nn.Linear(c.width, n), nn.Linear(self.e, n)\n\n    def f(self, x: mx.array, other):\n        {statements}\n        return self.s\n{rest}"
        );
        kind_returned(&text, |analysis, body| Facts::at(analysis, body, 0, body.range.end()))
    }

    #[test]
    fn what_init_works_out_of_a_length_is_a_number() {
        let split = "q = self.p(x).reshape(2, -1, self.h, self.d)";
        for stored in ["self.d ** -0.5", "1 / (self.h * 2)", "math.sqrt(other)", "c.width ** -0.5", "c.width // self.h", "self.e / self.h"] {
            assert!(kind_kept(stored, split, "").is_number(), "{stored}");
        }
        for stored in ["self.w ** -0.5", "c.height ** -0.5", "self.d ** self.w", "c ** -0.5", "self.other.e ** -0.5"] {
            assert_eq!(kind_kept(stored, split, ""), Kind::Unknown, "{stored}");
        }
        let unproved = [
            "pass",
            "q = x.reshape((2, -1, self.h, self.d))",
            "q = other.reshape(2, -1, self.h, self.d)",
            "q = x.reshape(2, -1, other.h, other.d)",
            "if other:\n            q = x.reshape(2, -1, self.h, self.d)",
            "q = lambda: x.reshape(2, -1, self.h, self.d)",
        ];
        for statements in unproved {
            assert_eq!(kind_kept("self.d ** -0.5", statements, ""), Kind::Unknown, "{statements}");
        }
        let reassigned = "\n    def g(self, d):\n        self.d = d\n";
        assert_eq!(kind_kept("self.d ** -0.5", split, reassigned), Kind::Unknown, "the attribute is no longer what the number was worked out of");
    }

    #[test]
    fn what_is_annotated_as_a_container_or_gathers_arguments_is_no_array() {
        for parameter in ["*p: mx.array", "**p: mx.array", "p: list[int]", "p: List[mx.array]", "p: np.ndarray", "p: slice", "p: tuple"] {
            assert_eq!(kind_in(parameter, "p"), Kind::Other, "{parameter}");
        }
        for parameter in ["p", "p: 'lists'", "p: 'list of numbers'", "p: List[int] | mx.array", "p: Optional[List[int]]"] {
            assert_eq!(kind_in(parameter, "p"), Kind::Unknown, "{parameter}");
        }
        for (quoted, kind) in [
            ("'mx.array'", Kind::Array),
            ("'mx.array | None'", Kind::OptionalArray),
            ("Optional['mx.array']", Kind::OptionalArray),
            ("'list'", Kind::Other),
        ] {
            assert_eq!(kind_in(&format!("p: {quoted}"), "p"), kind, "{quoted}");
        }
        for other in ["other.tolist()", "slice(n)", "sorted(other)"] {
            assert_eq!(kind_of(other), Kind::Other, "{other}");
        }
        // None of these calls has what it needs.
        for odd in ["abs()", "other.T()", "x.size(0)"] {
            assert_ne!(kind_of(odd), Kind::Array, "{odd}");
        }
    }
}
