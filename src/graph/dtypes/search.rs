//! The dtype of one value, worked out from what it is made of. What nobody knows the dtype of (parameters, weights, results of calls) is either given each
//! dtype of a half or single precision model in turn, or left open: then the result says of which values it is the promotion.

mod calls;

use rustc_hash::{FxHashMap, FxHashSet};

use super::promotion::{Dtype, Promoted};
use super::shown::{Given, Shown};
use crate::graph::api::{self, Accepts, DtypeRule};
use crate::graph::facts::{Facts, Kind, is_constant};
use crate::graph::value::{Comparison, Graph, Op, Symbol, ValueId};

const MAX_DEPTH: u32 = 60;
const INPUTS: [Dtype; 3] = [Dtype::Float16, Dtype::Bfloat16, Dtype::Float32];
/// What a value is, under one choice of inputs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Type {
    /// An array of this dtype.
    Array(Promoted),
    /// A Python number: weak. The flag says that it is a float.
    Number(bool),
    /// `None`.
    None,
    /// A dtype object.
    Dtype(Promoted),
    /// The operation raises.
    Raises,
    /// Not worked out.
    Unknown,
}

impl From<Dtype> for Type {
    fn from(dtype: Dtype) -> Self {
        Self::Array(dtype.into())
    }
}

impl Type {
    /// The dtype of an array, or the dtype that it is, where that is known.
    pub(super) fn dtype(self) -> Option<Dtype> {
        match self {
            Self::Array(dtype) | Self::Dtype(dtype) => dtype.known(),
            _ => None,
        }
    }

    /// What a function of MLX makes of it that gives an array whatever it is given.
    fn array(self) -> Self {
        match self {
            Self::Number(float) => Self::of_number(float),
            other => other,
        }
    }

    /// The array that MLX makes of a Python number.
    fn of_number(float: bool) -> Self {
        if float { Dtype::Float32 } else { Dtype::Int32 }.into()
    }
}

/// What stands for the dtypes that nobody knows.
enum Inputs {
    /// One combination after the other.
    Chosen {
        /// For each free value in the order met: the present choice and how many there are.
        choices: Vec<(usize, usize)>,
        at: usize,
        chosen: FxHashMap<ValueId, usize>,
    },
    /// The values of which nobody knows the dtype, in the order met.
    Open(Vec<ValueId>),
}

pub(super) struct Search<'x> {
    pub(super) graph: &'x Graph,
    pub(super) facts: &'x Facts<'x>,
    inputs: Inputs,
    memo: FxHashMap<ValueId, Type>,
    /// Which values began as arrays of whole numbers and may be such still.
    whole: FxHashMap<ValueId, bool>,
    /// Values that are looked at as if nobody knew their dtype.
    given: FxHashSet<ValueId>,
    /// Where combinations are tried without looking at the values anew for each: what they are with all dtypes left open.
    forms: Option<Box<Search<'x>>>,
    /// Whether an array of the module is what this file assigns to its name.
    follows_names: bool,
    /// What other functions of the file show.
    shown: Option<&'x Shown>,
    /// Whether what is left open says for each combination what would be worked out for it: no condition takes part.
    is_exact: bool,
}

impl<'x> Search<'x> {
    /// A search that tries combinations of dtypes, those of the arrays `given` among them.
    pub(super) fn chosen(graph: &'x Graph, facts: &'x Facts<'x>, given: Vec<ValueId>) -> Self {
        let inputs = Inputs::Chosen { choices: Vec::new(), at: 0, chosen: FxHashMap::default() };
        Self { inputs, given: given.into_iter().collect(), ..Self::open(graph, facts) }
    }

    /// The same at a fraction of the cost, for values in which no condition takes part; fails where one does.
    pub(super) fn by_forms(graph: &'x Graph, facts: &'x Facts<'x>, given: Vec<ValueId>) -> Self {
        let open = Self { given: given.into_iter().collect(), ..Self::open(graph, facts) };
        Self { forms: Some(Box::new(open)), ..Self::chosen(graph, facts, Vec::new()) }
    }

    /// Whether it could not tell what some value is.
    pub(super) fn has_failed(&self) -> bool {
        self.forms.as_ref().is_some_and(|forms| !forms.is_exact)
    }

    /// A search that leaves open what nobody knows.
    pub(super) fn open(graph: &'x Graph, facts: &'x Facts<'x>) -> Self {
        let (memo, whole, given) = Default::default();
        Self { graph, facts, inputs: Inputs::Open(Vec::new()), memo, whole, given, forms: None, follows_names: false, shown: None, is_exact: true }
    }

    /// The same for what people are told, and for what a file's own text says: that nothing from outside assigns the names of the module is taken for granted.
    pub(super) fn told(graph: &'x Graph, facts: &'x Facts<'x>) -> Self {
        Self { follows_names: true, ..Self::open(graph, facts) }
    }

    /// The same with what other functions of the file show.
    pub(super) fn shown(graph: &'x Graph, facts: &'x Facts<'x>, shown: &'x Shown) -> Self {
        Self { shown: Some(shown), ..Self::told(graph, facts) }
    }

    /// The values of which nobody knows the dtype; the numbers in [`Promoted`] are their places.
    pub(super) fn sources(&self) -> &[ValueId] {
        match &self.inputs {
            Inputs::Open(sources) => sources,
            Inputs::Chosen { .. } => &[],
        }
    }

    /// Begin with a combination.
    pub(super) fn begin(&mut self) {
        self.memo.clear();
        if let Inputs::Chosen { at, chosen, .. } = &mut self.inputs {
            *at = 0;
            chosen.clear();
        }
    }

    /// How many combinations there are at least: what dtypes are chosen has no part in what else is to be chosen, as conditions have.
    pub(super) fn least_combinations(&self) -> usize {
        let Inputs::Chosen { choices, .. } = &self.inputs else { return 1 };
        let dtypes = choices.iter().filter(|(_, count)| *count == INPUTS.len()).count();
        u32::try_from(dtypes).ok().and_then(|n| INPUTS.len().checked_pow(n)).unwrap_or(usize::MAX)
    }

    /// Go on to the next combination.
    pub(super) fn next(&mut self) -> bool {
        let Inputs::Chosen { choices, at, .. } = &mut self.inputs else { return false };
        choices.truncate(*at);
        while let Some((choice, count)) = choices.pop() {
            if choice + 1 < count {
                choices.push((choice + 1, count));
                return true;
            }
        }
        false
    }

    /// The dtype of `value`, which nobody knows.
    fn unknown(&mut self, value: ValueId) -> Option<Promoted> {
        match &mut self.inputs {
            Inputs::Chosen { .. } => Some(INPUTS[self.choose(value, INPUTS.len())].into()),
            Inputs::Open(sources) => {
                let at = sources.iter().position(|&s| s == value).unwrap_or(sources.len());
                if at == sources.len() {
                    sources.push(value);
                }
                let open = Promoted::open(at);
                self.is_exact &= open.is_some();
                open
            }
        }
    }

    fn choose(&mut self, value: ValueId, count: usize) -> usize {
        let Inputs::Chosen { choices, at, chosen } = &mut self.inputs else { return 0 };
        if let Some(&choice) = chosen.get(&value) {
            return choice;
        }
        if *at == choices.len() {
            choices.push((0, count));
        }
        let choice = choices[*at].0;
        *at += 1;
        chosen.insert(value, choice);
        choice
    }

    /// What `value` is in the present combination, by what it is with all dtypes left open.
    fn instance(&mut self, value: ValueId) -> Option<Type> {
        let forms = self.forms.as_mut()?;
        let form = forms.type_of(value, 0);
        let (Inputs::Chosen { choices, at, .. }, true) = (&mut self.inputs, forms.is_exact) else { return Some(Type::Unknown) };
        // Sources come in the order in which they are met, as choices do.
        *at = forms.sources().len();
        choices.resize((*at).max(choices.len()), (0, INPUTS.len()));
        let resolved = |form: Promoted| {
            form.sources().fold(form.least(), |dtype, n| {
                let chosen = INPUTS[choices[n].0];
                Some(dtype.map_or(chosen, |dtype| Dtype::promote(dtype, chosen)))
            })
        };
        Some(match form {
            Type::Array(form) => resolved(form).map_or(Type::Unknown, Type::from),
            Type::Dtype(form) => resolved(form).map_or(Type::Unknown, |dtype| Type::Dtype(dtype.into())),
            other => other,
        })
    }

    /// What `value` is, `depth` operations below what was asked for.
    pub(super) fn type_of(&mut self, value: ValueId, depth: u32) -> Type {
        if let Some(type_) = self.instance(value) {
            return type_;
        }
        if let Some(&known) = self.memo.get(&value) {
            return known;
        }
        if depth > MAX_DEPTH {
            return Type::Unknown;
        }
        let result =
            if self.given.contains(&value) { self.unknown(value).map_or(Type::Unknown, Type::Array) } else { self.type_of_node(value, depth + 1) };
        self.memo.insert(value, result);
        result
    }

    fn type_of_node(&mut self, value: ValueId, depth: u32) -> Type {
        let graph = self.graph;
        let (op, operands) = graph.get(value);
        match self.shown.and_then(|shown| shown.get(&value)) {
            Some(Given::Single) => return Dtype::Float32.into(),
            Some(Given::None) => return Type::None,
            None => {}
        }
        match op {
            Op::Int(_) | Op::Dim(_) | Op::Ndim => Type::Number(false),
            Op::Float(_) => Type::Number(true),
            Op::None => Type::None,
            // What the table of MLX's functions says that a dtype is where none is given.
            Op::Literal(text) => Dtype::named(graph.name(text)).map_or(Type::Unknown, |dtype| Type::Dtype(dtype.into())),
            Op::Global(path) if is_constant(graph.name(path)) => Type::Number(true),
            Op::Global(path) => {
                let dtype = graph.name(path).strip_prefix("mlx.core.").and_then(Dtype::named);
                match dtype {
                    Some(dtype) => Type::Dtype(dtype.into()),
                    None if self.facts.kind(value) == Kind::Dtype => self.free(value),
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
            Op::Index(_) if !self.facts.is_part_of_array(operands[0], operands[1]) => self.free(value),
            Op::Neg | Op::Permute | Op::Index(_) | Op::Stored => self.type_of(operands[0], depth),
            // Of arrays; where it is a Python bool nothing here asks for its dtype.
            Op::Compare(_) => Dtype::Bool.into(),
            Op::Item(_) if matches!(graph.op(operands[0]), Op::Mlx("split")) => self.type_of(graph.operands(operands[0])[0], depth),
            Op::Item(n) => match calls::unpacked(graph, operands[0], n as usize) {
                Some(same) => self.type_of(same, depth),
                None => self.free(value),
            },
            Op::Gate => self.gate(value, operands, depth),
            // Of what is free, no whole numbers are thought.
            Op::Changed(_) | Op::Phi(..) if self.began_whole(value) => Type::Unknown,
            // What changes an array in place makes no float32 narrower.
            Op::Changed(_) if self.shown.is_some() => match self.type_of(operands[0], depth) {
                single if single == Dtype::Float32.into() => single,
                _ => self.free(value),
            },
            Op::Attr(name, _) => self.of_attribute(value, name, depth),
            Op::ModuleName(name) if self.follows_names => self.of_module(value, name, depth),
            Op::Mlx(name) => self.mlx(value, name, operands, depth),
            Op::Apply => self.apply(value, operands, depth),
            Op::Call(..) => self.random(operands, depth).unwrap_or_else(|| self.module(value, operands, depth)),
            _ => self.free(value),
        }
    }

    fn began_whole(&mut self, value: ValueId) -> bool {
        let (graph, facts) = (self.graph, self.facts);
        *self.whole.entry(value).or_insert_with(|| super::began_whole(graph, facts, value))
    }

    /// A value that is made elsewhere: an array of any floating dtype, unless it is known to be something else.
    fn free(&mut self, value: ValueId) -> Type {
        match self.facts.kind(value) {
            Kind::Int => Type::Number(false),
            Kind::Float | Kind::Number => Type::Number(true),
            Kind::None => Type::None,
            Kind::Other | Kind::Bool => Type::Unknown,
            Kind::Dtype => self.unknown(value).map_or(Type::Unknown, Type::Dtype),
            Kind::Array | Kind::OptionalArray | Kind::Unknown | Kind::PerhapsNumber => self.unknown(value).map_or(Type::Unknown, Type::Array),
        }
    }

    /// An array that the module assigns, where its dtype hangs on nothing else.
    fn of_module(&mut self, value: ValueId, name: Symbol, depth: u32) -> Type {
        let made = self.facts.assigned_once(name).filter(|&made| matches!(self.graph.op(made), Op::Mlx(_)));
        match made.map(|made| self.type_of(made, depth)) {
            Some(Type::Array(dtype)) if dtype.known().is_some() => Type::Array(dtype),
            _ => self.free(value),
        }
    }

    /// An attribute of `self`. One with a private name is no parameter, so that casting a module leaves it what `__init__` made.
    fn of_attribute(&mut self, value: ValueId, name: Symbol, depth: u32) -> Type {
        let is_made = |&made: &ValueId| matches!(self.graph.op(made), Op::Mlx(_));
        let makers = if self.graph.name(name).starts_with('_') { self.facts.makers(value) } else { &[] };
        if makers.is_empty() || !makers.iter().all(is_made) {
            return self.free(value);
        }
        let types: Vec<Type> = makers.iter().map(|&made| self.type_of(made, depth)).collect();
        match types[0] {
            Type::Array(dtype) if dtype.known().is_some() && types.iter().all(|t| *t == types[0]) => types[0],
            _ => self.free(value),
        }
    }

    fn gate(&mut self, value: ValueId, operands: &[ValueId], depth: u32) -> Type {
        let (condition, then, otherwise) = (operands[0], operands[1], operands[2]);
        if let Some(holds) = self.facts.decided(condition) {
            return self.type_of(if holds { then } else { otherwise }, depth);
        }
        if matches!(self.inputs, Inputs::Open(_)) {
            self.is_exact = false;
            return match (self.type_of(then, depth), self.type_of(otherwise, depth)) {
                (a, b) if a == b => a,
                // Where an array is needed, it is there.
                (a, Type::None | Type::Raises) | (Type::None | Type::Raises, a) => a,
                (Type::Number(a), Type::Number(b)) => Type::Number(a || b),
                (Type::Array(_), Type::Array(_)) => self.unknown(value).map_or(Type::Unknown, Type::Array),
                _ => Type::Unknown,
            };
        }
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
                (Some(Type::Array(a)), Type::Array(b)) => Type::Array(a.with(b)),
                (Some(Type::Array(a)), Type::Number(float)) | (Some(Type::Number(float)), Type::Array(a)) => Type::Array(a.weak(float)),
                (Some(Type::Number(a)), Type::Number(b)) => Type::Number(a || b),
                _ => Type::Raises,
            });
        }
        match result {
            Some(Type::Array(dtype)) if divides && !dtype.is_floating() => Dtype::Float32.into(),
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
                (Type::None, Type::Number(float)) => Type::of_number(float),
                (Type::None, _) if self.holds_a_float(operands[0], depth) => Dtype::Float32.into(),
                _ => self.free(value),
            },
            // Of two numbers it makes an array, as any function does.
            "where" => self.promoted(&operands[1..], false, depth).array(),
            "zeros" | "ones" => match self.type_of(operands[1], depth) {
                Type::Dtype(dtype) => Type::Array(dtype),
                Type::None => Dtype::Float32.into(),
                _ => self.free(value),
            },
            // An array is filled in as it is, whatever dtype is asked for.
            "full" => match (self.type_of(operands[1], depth), self.type_of(operands[2], depth)) {
                (Type::Number(_), Type::Dtype(dtype)) => Type::Array(dtype),
                (Type::Number(float), Type::None) => Type::of_number(float),
                (Type::Array(dtype), _) => Type::Array(dtype),
                _ => self.free(value),
            },
            "concatenate" | "stack" => match self.graph.get(operands[0]) {
                (Op::List | Op::Tuple, parts) => self.promoted(parts, false, depth),
                // [a] * n
                (Op::Mul, &[list, _]) if self.graph.op(list) == Op::List => self.promoted(self.graph.operands(list), false, depth),
                (Op::Mul, &[_, list]) if self.graph.op(list) == Op::List => self.promoted(self.graph.operands(list), false, depth),
                _ => self.free(value),
            },
            // Integers are added up in another dtype, or refused.
            "einsum" => match self.graph.get(operands[1]) {
                (Op::Tuple, arrays) => match self.promoted(arrays, false, depth) {
                    Type::Array(dtype) if !dtype.is_floating() => Type::Unknown,
                    other => other.array(),
                },
                _ => self.free(value),
            },
            "reshape" | "expand_dims" | "squeeze" | "flatten" | "broadcast_to" | "repeat" | "tile" | "transpose" | "swapaxes" | "moveaxis"
            | "take" | "take_along_axis" => self.type_of(operands[0], depth),
            "mean" => self.floating(operands[0], depth),
            _ if name.starts_with("fft.") && !name.starts_with("fft.irfft") => Dtype::Complex64.into(),
            _ => self.by_rule(value, name, operands, depth),
        }
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
            DtypeRule::Bool => Dtype::Bool.into(),
            DtypeRule::Uint32 => Dtype::Uint32.into(),
            DtypeRule::Float32 => Dtype::Float32.into(),
            _ if joined.is_empty() => self.free(value),
            DtypeRule::Keep => self.type_of(joined[0], depth).array(),
            DtypeRule::Float => self.floating(joined[0], depth),
            DtypeRule::Promote => self.promoted(&joined, false, depth).array(),
            DtypeRule::PromoteFloat => self.promoted(&joined, true, depth).array(),
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
                let broken = counted.contains(&Type::Number(true)).then(|| Dtype::Float32.into());
                if whole { Some(Dtype::Int32.into()) } else { broken }
            }
            _ => None,
        }
    }

    fn floating(&mut self, value: ValueId, depth: u32) -> Type {
        match self.type_of(value, depth) {
            Type::Array(dtype) if !dtype.is_floating() => Dtype::Float32.into(),
            // `mx.sqrt(2)` is an array.
            Type::Number(_) => Dtype::Float32.into(),
            other => other,
        }
    }
}
