//! Whether two values have the same dtype whatever the dtypes of their inputs: both are worked out for every combination of float16, bfloat16 and float32
//! of the arrays they are made from, and for both outcomes of every condition. Rules of promotion: `mlx_semantics`, section 1.

mod promotion;

use rustc_hash::FxHashMap;

use super::api::{self, Accepts, DtypeRule};
use super::facts::{ACTIVATIONS, Facts, is_constant};
use super::value::{Comparison, Graph, Op, ValueId};
pub use promotion::Dtype;
use promotion::weak;

/// What a value is, under one choice of inputs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Type {
    /// An array of this dtype.
    Array(Dtype),
    /// A Python number: weak. The flag says that it is a float.
    Number(bool),
    /// `None`.
    None,
    /// A dtype object.
    Dtype(Dtype),
    /// The operation raises.
    Raises,
    /// Not worked out.
    Unknown,
}

/// What comparing two values' dtypes gave.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Agreement {
    /// Equal for every combination for which the first does not raise.
    Same,
    /// They differ for some combinations, or only the second raises; with the dtypes in one such case.
    Differs(String),
    /// They differ for every combination; with the dtypes in one of them.
    Never(String),
    /// Could not be worked out.
    Unknown,
}

/// More combinations than this are not tried.
const MAX_COMBINATIONS: usize = 4096;
const MAX_DEPTH: u32 = 60;
const INPUTS: [Dtype; 3] = [Dtype::Float16, Dtype::Bfloat16, Dtype::Float32];

/// Compare the dtypes of `before` and `after` over all combinations of inputs.
pub fn compare(graph: &Graph, facts: &Facts<'_>, before: ValueId, after: ValueId) -> Agreement {
    over_all(graph, facts, |search| match (search.type_of(before, 0), search.type_of(after, 0)) {
        (Type::Raises, _) => Case::Skip,
        (Type::Unknown, _) | (_, Type::Unknown) => Case::Unknown,
        (a, b) if a == b => Case::Holds,
        (a, b) => Case::Fails(describe(a, b)),
    })
}

/// Whether `after` is in half precision where `before` is float32, and of the same dtype otherwise (`Ok(false)`: wherever it can be). An error is a case in
/// which they differ in another way, or nothing where that could not be worked out.
pub fn narrows(graph: &Graph, facts: &Facts<'_>, before: ValueId, after: ValueId) -> Result<bool, Option<String>> {
    let mut narrower = false;
    let agreement = over_all(graph, facts, |search| match (search.type_of(before, 0), search.type_of(after, 0)) {
        (Type::Raises, _) => Case::Skip,
        (Type::Unknown, _) | (_, Type::Unknown) => Case::Unknown,
        (a, b) if a == b => Case::Holds,
        (Type::Array(Dtype::Float32), Type::Array(Dtype::Float16 | Dtype::Bfloat16)) => {
            narrower = true;
            Case::Holds
        }
        (a, b) => Case::Fails(describe(a, b)),
    });
    match agreement {
        Agreement::Same => Ok(narrower),
        Agreement::Differs(example) | Agreement::Never(example) => Err(Some(example)),
        Agreement::Unknown => Err(None),
    }
}

/// Whether `next` is float32 wherever the second of `narrowed` is in half precision and the first, which it replaces, was float32: digits would be lost
/// and nothing gained.
pub fn widens_again(graph: &Graph, facts: &Facts<'_>, narrowed: (ValueId, ValueId), next: ValueId) -> bool {
    let agreement = over_all(graph, facts, |search| {
        let types = (search.type_of(narrowed.0, 0), search.type_of(narrowed.1, 0), search.type_of(next, 0));
        match types {
            (Type::Array(Dtype::Float32), Type::Array(Dtype::Float16 | Dtype::Bfloat16), Type::Array(Dtype::Float32)) => Case::Fails(String::new()),
            (Type::Array(Dtype::Float32), Type::Array(Dtype::Float16 | Dtype::Bfloat16), _) => Case::Holds,
            _ => Case::Skip,
        }
    });
    matches!(agreement, Agreement::Never(_))
}

/// Whether the dtype of `narrow` (an array, or a dtype itself) is that of the array `wide`, or promotes to it; a bool never does.
pub fn promotes_into(graph: &Graph, facts: &Facts<'_>, narrow: ValueId, wide: ValueId) -> Agreement {
    over_all(graph, facts, |search| match (search.type_of(narrow, 0), search.type_of(wide, 0)) {
        (Type::Raises | Type::None, _) | (_, Type::Raises) => Case::Skip,
        // Casting a fraction to a whole number rounds it, which is no matter of promotion.
        (Type::Dtype(a), Type::Array(b)) if !a.is_floating() => Case::Fails(format!("{} with {}", a.name(), b.name())),
        (Type::Array(a) | Type::Dtype(a), Type::Array(b)) if a != Dtype::Bool && Dtype::promote(a, b) == b => Case::Holds,
        (Type::Array(a) | Type::Dtype(a), Type::Array(b)) => Case::Fails(format!("{} with {}", a.name(), b.name())),
        _ => Case::Unknown,
    })
}

/// Whether the array `value` is known to hold integers or booleans.
pub fn is_integer(graph: &Graph, facts: &Facts<'_>, value: ValueId) -> bool {
    is_always(graph, facts, value, |dtype| !dtype.is_floating() || dtype == Dtype::Complex64)
}

/// Whether the array `value` is known to hold float64, which only the CPU has.
pub fn is_double(graph: &Graph, facts: &Facts<'_>, value: ValueId) -> bool {
    is_always(graph, facts, value, |dtype| dtype == Dtype::Float64)
}

fn is_always(graph: &Graph, facts: &Facts<'_>, value: ValueId, is: impl Fn(Dtype) -> bool) -> bool {
    let never = over_all(graph, facts, |search| match search.type_of(value, 0) {
        Type::Array(dtype) if is(dtype) => Case::Fails(String::new()),
        _ => Case::Holds,
    });
    matches!(never, Agreement::Never(_))
}

/// What one combination of inputs says.
enum Case {
    Holds,
    Fails(String),
    /// The combination cannot occur.
    Skip,
    Unknown,
}

fn over_all(graph: &Graph, facts: &Facts<'_>, mut test: impl FnMut(&mut Search<'_>) -> Case) -> Agreement {
    let mut search = Search { graph, facts, choices: Vec::new(), at: 0, chosen: FxHashMap::default(), memo: FxHashMap::default() };
    let (mut holds, mut example) = (false, None);
    for _ in 0..MAX_COMBINATIONS {
        search.at = 0;
        search.chosen.clear();
        search.memo.clear();
        match test(&mut search) {
            Case::Skip => {}
            Case::Unknown => return Agreement::Unknown,
            Case::Holds => holds = true,
            Case::Fails(case) => {
                example.get_or_insert(case);
            }
        }
        if !search.next() {
            return match example {
                None => Agreement::Same,
                Some(example) if holds => Agreement::Differs(example),
                Some(example) => Agreement::Never(example),
            };
        }
    }
    Agreement::Unknown
}

fn describe(before: Type, after: Type) -> String {
    let word = |t: Type| match t {
        Type::Array(dtype) => dtype.name().to_owned(),
        Type::Raises => "an exception".to_owned(),
        Type::Number(_) => "a number".to_owned(),
        _ => "something else".to_owned(),
    };
    format!("{} becomes {}", word(before), word(after))
}

struct Search<'x> {
    graph: &'x Graph,
    facts: &'x Facts<'x>,
    /// For each free value in the order met: the present choice and how many there are.
    choices: Vec<(usize, usize)>,
    at: usize,
    chosen: FxHashMap<ValueId, usize>,
    memo: FxHashMap<ValueId, Type>,
}

impl Search<'_> {
    /// Go on to the next combination.
    fn next(&mut self) -> bool {
        self.choices.truncate(self.at);
        while let Some((choice, count)) = self.choices.pop() {
            if choice + 1 < count {
                self.choices.push((choice + 1, count));
                return true;
            }
        }
        false
    }

    fn choose(&mut self, value: ValueId, count: usize) -> usize {
        if let Some(&choice) = self.chosen.get(&value) {
            return choice;
        }
        if self.at == self.choices.len() {
            self.choices.push((0, count));
        }
        let choice = self.choices[self.at].0;
        self.at += 1;
        self.chosen.insert(value, choice);
        choice
    }

    fn type_of(&mut self, value: ValueId, depth: u32) -> Type {
        if let Some(&known) = self.memo.get(&value) {
            return known;
        }
        if depth > MAX_DEPTH {
            return Type::Unknown;
        }
        let result = self.type_of_node(value, depth + 1);
        self.memo.insert(value, result);
        result
    }

    fn type_of_node(&mut self, value: ValueId, depth: u32) -> Type {
        let graph = self.graph;
        let (op, operands) = graph.get(value);
        match op {
            Op::Int(_) | Op::Dim(_) | Op::Ndim => Type::Number(false),
            Op::Float(_) => Type::Number(true),
            Op::None => Type::None,
            Op::Global(path) if is_constant(graph.name(path)) => Type::Number(true),
            Op::Global(path) => {
                let dtype = graph.name(path).strip_prefix("mlx.core.").and_then(Dtype::named);
                match dtype {
                    Some(dtype) => Type::Dtype(dtype),
                    None if self.facts.kind(value) == super::facts::Kind::Dtype => self.free(value),
                    None => Type::Unknown,
                }
            }
            Op::DtypeOf => match self.type_of(operands[0], depth) {
                Type::Array(dtype) => Type::Dtype(dtype),
                Type::Raises => Type::Raises,
                _ => Type::Unknown,
            },
            Op::Add | Op::Sub | Op::Mul | Op::MatMul => self.promoted(operands, false, depth),
            // A negative power of a whole number is none.
            Op::Pow if self.graph.number(operands[1]).is_some_and(|n| n < 0.0) && self.type_of(operands[0], depth) == Type::Number(false) => {
                Type::Number(true)
            }
            Op::Div | Op::Pow => self.promoted(operands, op == Op::Div, depth),
            Op::Neg | Op::Permute | Op::Index(_) | Op::Stored => self.type_of(operands[0], depth),
            // Of arrays; where it is a Python bool nothing here asks for its dtype.
            Op::Compare(_) => Type::Array(Dtype::Bool),
            Op::Item(_) if matches!(graph.op(operands[0]), Op::Mlx("split")) => self.type_of(graph.operands(operands[0])[0], depth),
            Op::Gate => self.gate(operands, depth),
            Op::Mlx(name) => self.mlx(value, name, operands, depth),
            Op::Apply => self.apply(value, operands, depth),
            _ => self.free(value),
        }
    }

    /// A value that is made elsewhere: an array of any floating dtype, unless it is known to be something else.
    fn free(&mut self, value: ValueId) -> Type {
        use super::facts::Kind;
        match self.facts.kind(value) {
            Kind::Int => Type::Number(false),
            Kind::Float | Kind::Number => Type::Number(true),
            Kind::None => Type::None,
            Kind::Other | Kind::Bool => Type::Unknown,
            Kind::Dtype => Type::Dtype(INPUTS[self.choose(value, INPUTS.len())]),
            Kind::Array | Kind::OptionalArray | Kind::Unknown | Kind::PerhapsNumber => Type::Array(INPUTS[self.choose(value, INPUTS.len())]),
        }
    }

    fn gate(&mut self, operands: &[ValueId], depth: u32) -> Type {
        let (condition, then, otherwise) = (operands[0], operands[1], operands[2]);
        let holds = self.choose(condition, 2) == 1;
        // A value that is compared with None is None exactly where the comparison holds.
        if let (Op::Compare(Comparison::Is), &[tested, none]) = self.graph.get(condition)
            && self.graph.op(none) == Op::None
            && holds
        {
            self.memo.insert(tested, Type::None);
        }
        self.type_of(if holds { then } else { otherwise }, depth)
    }

    fn promoted(&mut self, operands: &[ValueId], divides: bool, depth: u32) -> Type {
        let mut result: Option<Type> = None;
        for &operand in operands {
            let next = self.type_of(operand, depth);
            result = Some(match (result, next) {
                (Some(Type::Raises), _) | (_, Type::Raises) | (_, Type::None | Type::Dtype(_)) => Type::Raises,
                (Some(Type::Unknown), _) | (_, Type::Unknown) => Type::Unknown,
                (None, t) => t,
                (Some(Type::Array(a)), Type::Array(b)) => Type::Array(Dtype::promote(a, b)),
                (Some(Type::Array(a)), Type::Number(float)) | (Some(Type::Number(float)), Type::Array(a)) => Type::Array(weak(a, float)),
                (Some(Type::Number(a)), Type::Number(b)) => Type::Number(a || b),
                _ => Type::Raises,
            });
        }
        match result {
            Some(Type::Array(dtype)) if divides && !dtype.is_floating() => Type::Array(Dtype::Float32),
            Some(Type::Number(_)) if divides => Type::Number(true),
            Some(result) => result,
            None => Type::Unknown,
        }
    }

    fn mlx(&mut self, value: ValueId, name: &'static str, operands: &[ValueId], depth: u32) -> Type {
        match name {
            "astype" => match (self.type_of(operands[0], depth), self.type_of(operands[1], depth)) {
                (Type::Array(_), Type::Dtype(dtype)) => Type::Array(dtype),
                (Type::Unknown, Type::Dtype(dtype)) => Type::Array(dtype),
                (_, Type::Unknown) => Type::Unknown,
                _ => Type::Raises,
            },
            "fast.rms_norm" | "fast.layer_norm" => self.norm(operands, depth),
            "fast.scaled_dot_product_attention" => self.attention(operands, depth),
            "addmm" => self.promoted(&operands[..3], false, depth),
            "fast.rope" | "softmax" => self.floating(operands[0], depth),
            "item" => Type::Number(true),
            "array" => match (self.type_of(operands[1], depth), self.type_of(operands[0], depth)) {
                (Type::Dtype(dtype), _) => Type::Array(dtype),
                (Type::None, Type::Number(float)) => Type::Array(if float { Dtype::Float32 } else { Dtype::Int32 }),
                (Type::None, _) if self.holds_a_float(operands[0], depth) => Type::Array(Dtype::Float32),
                _ => self.free(value),
            },
            "where" => self.promoted(&operands[1..], false, depth),
            "zeros" | "ones" => match self.type_of(operands[1], depth) {
                Type::Dtype(dtype) => Type::Array(dtype),
                Type::None => Type::Array(Dtype::Float32),
                _ => self.free(value),
            },
            "concatenate" | "stack" => match self.graph.get(operands[0]) {
                (Op::List | Op::Tuple, parts) => self.promoted(parts, false, depth),
                // [a] * n
                (Op::Mul, &[list, _]) if self.graph.op(list) == Op::List => self.promoted(self.graph.operands(list), false, depth),
                (Op::Mul, &[_, list]) if self.graph.op(list) == Op::List => self.promoted(self.graph.operands(list), false, depth),
                _ => self.free(value),
            },
            "reshape" | "expand_dims" | "squeeze" | "flatten" | "broadcast_to" | "repeat" | "tile" | "transpose" | "swapaxes" | "moveaxis"
            | "take" | "take_along_axis" => self.type_of(operands[0], depth),
            "mean" => self.floating(operands[0], depth),
            _ if name.starts_with("fft.") && !name.starts_with("fft.irfft") => Type::Array(Dtype::Complex64),
            _ => self.by_rule(value, name, operands, depth),
        }
    }

    /// Whether `list` is a written-out list of numbers, perhaps nested, with a float among them.
    fn holds_a_float(&mut self, list: ValueId, depth: u32) -> bool {
        let (Op::List | Op::Tuple, parts) = self.graph.get(list) else { return false };
        let nested = |op: Op| matches!(op, Op::List | Op::Tuple);
        let mut float = false;
        for &part in parts {
            float |= match self.type_of(part, depth) {
                Type::Number(float) => float,
                _ if nested(self.graph.op(part)) => self.holds_a_float(part, depth),
                _ => return false,
            };
        }
        float
    }

    /// By what was measured of the function, from the arguments that take part.
    fn by_rule(&mut self, value: ValueId, name: &'static str, operands: &[ValueId], depth: u32) -> Type {
        let Some(function) = api::function(name).or_else(|| api::method(name)).map(api::FunctionId::get) else { return self.free(value) };
        let parameters = function.params.iter().filter(|p| p.accepts != Accepts::Stream);
        let joined: Vec<ValueId> = operands.iter().zip(parameters).filter(|(_, p)| p.joins).map(|(&v, _)| v).collect();
        if let Some(made) = self.made(name, operands, depth) {
            return made;
        }
        match function.dtype {
            DtypeRule::Bool => Type::Array(Dtype::Bool),
            DtypeRule::Uint32 => Type::Array(Dtype::Uint32),
            DtypeRule::Float32 => Type::Array(Dtype::Float32),
            _ if joined.is_empty() => self.free(value),
            DtypeRule::Keep => self.type_of(joined[0], depth),
            DtypeRule::Float => self.floating(joined[0], depth),
            DtypeRule::Promote => self.promoted(&joined, false, depth),
            DtypeRule::PromoteFloat => self.promoted(&joined, true, depth),
            // Floating dtypes are kept; integers are not needed here.
            DtypeRule::Sum | DtypeRule::Real => match self.type_of(joined[0], depth) {
                Type::Array(dtype) if !dtype.is_floating() => Type::Unknown,
                other => other,
            },
            DtypeRule::Unknown | DtypeRule::Argument => self.free(value),
        }
    }

    /// The dtype that a call names, or that its integers give it.
    fn made(&mut self, name: &str, operands: &[ValueId], depth: u32) -> Option<Type> {
        let function = api::function(name)?.get();
        let at = function.params.iter().filter(|p| p.accepts != Accepts::Stream).position(|p| p.accepts == Accepts::Dtype)?;
        match self.type_of(*operands.get(at)?, depth) {
            Type::Dtype(dtype) => Some(Type::Array(dtype)),
            Type::None if name == "arange" => {
                let counted: Vec<Type> = operands[..at].iter().map(|&v| self.type_of(v, depth)).collect();
                let whole = counted.iter().all(|t| matches!(t, Type::Number(false) | Type::None));
                let broken = counted.contains(&Type::Number(true)).then_some(Type::Array(Dtype::Float32));
                if whole { Some(Type::Array(Dtype::Int32)) } else { broken }
            }
            _ => None,
        }
    }

    fn floating(&mut self, value: ValueId, depth: u32) -> Type {
        match self.type_of(value, depth) {
            Type::Array(dtype) if !dtype.is_floating() => Type::Array(Dtype::Float32),
            other => other,
        }
    }

    /// `(x, weight, eps)` or `(x, weight, bias, eps)`: a bias promotes only beside a weight.
    fn norm(&mut self, operands: &[ValueId], depth: u32) -> Type {
        let arrays = &operands[..operands.len() - 1];
        let weight = self.type_of(arrays[1], depth);
        let mut result = self.type_of(arrays[0], depth);
        if weight == Type::None {
            return result;
        }
        for &array in &arrays[1..] {
            result = match (result, self.type_of(array, depth)) {
                (result, Type::None) => result,
                (Type::Array(a), Type::Array(b)) => Type::Array(Dtype::promote(a, b)),
                (Type::Unknown, _) | (_, Type::Unknown) => Type::Unknown,
                _ => Type::Raises,
            };
        }
        match result {
            Type::Array(dtype) if !dtype.is_floating() || dtype == Dtype::Complex64 => Type::Raises,
            other => other,
        }
    }

    /// `(q, k, v, scale, mask, ..)`: an additive mask must promote to the dtype of the output.
    fn attention(&mut self, operands: &[ValueId], depth: u32) -> Type {
        let result = self.promoted(&operands[..3], false, depth);
        let mask = operands.get(4).map_or(Type::None, |&m| self.type_of(m, depth));
        match (result, mask) {
            (Type::Array(out), Type::Array(mask)) if mask != Dtype::Bool && Dtype::promote(out, mask) != out => Type::Raises,
            _ => result,
        }
    }

    /// Made in float32 unless a dtype is given.
    fn causal_mask(&mut self, operands: &[ValueId], depth: u32) -> Type {
        match operands.get(2) {
            None => Type::Array(Dtype::Float32),
            Some(&given) => {
                let dtype = if let (Op::Keyword(_), &[dtype]) = self.graph.get(given) { dtype } else { given };
                match self.type_of(dtype, depth) {
                    Type::Dtype(dtype) => Type::Array(dtype),
                    _ => Type::Unknown,
                }
            }
        }
    }

    fn apply(&mut self, value: ValueId, operands: &[ValueId], depth: u32) -> Type {
        match self.graph.path(operands[0]) {
            Some("numpy.sqrt" | "numpy.log") => return Type::Number(true),
            Some("mlx.nn.MultiHeadAttention.create_additive_causal_mask") => return self.causal_mask(operands, depth),
            _ => {}
        }
        let keeps = match self.graph.path(operands[0]).and_then(|p| p.strip_prefix("mlx.nn.")) {
            Some(name) => ACTIVATIONS.contains(&name),
            None => {
                matches!(self.facts.module_of(operands[0]), Some("RoPE" | "Identity" | "GELU" | "SiLU" | "ReLU" | "Tanh" | "Sigmoid"))
                    || self.facts.has_no_parameters(operands[0])
            }
        };
        match operands.get(1) {
            Some(&argument) if keeps => self.type_of(argument, depth),
            _ => self.free(value),
        }
    }
}
