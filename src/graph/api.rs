//! What MLX offers: one [`Function`] per function of `mlx.core` and per method or property of `mx.array`.
//!
//! The table is `mlx_api.tsv`, generated from the stub that MLX ships and from measurements by `scripts/api_table.py`; a test runs the script again and
//! compares. To regenerate: `python scripts/api_table.py > src/graph/mlx_api.tsv` with exactly `mlx[cpu]==0.32.4`. The stub says `array` for many parameters
//! that take numbers and NumPy arrays too (`mx.exp(1.0)`), so what proves an array is measured. This file only parses and looks up: what a call means as a value
//! is lowering's business. Look-ups allocate nothing; the table is parsed once, on first use.

use std::sync::LazyLock;

use rustc_hash::FxHashMap;

/// One function, method or property of MLX 0.32.4. Methods and properties of `mx.array` are named `array.<name>`.
#[derive(Debug)]
pub struct Function {
    /// Dotted name below `mlx.core`: `softmax`, `fast.rms_norm`, `array.item`.
    pub name: &'static str,
    /// Parameters in order, without `self`. Two overloads (`arange`) are one list; its lone positional argument is then the first parameter here.
    pub params: Vec<Param>,
    /// What a call gives back.
    pub result: ResultKind,
    /// How the dtype of the result follows from the arguments.
    pub dtype: DtypeRule,
    /// What a call does besides giving its result.
    pub effect: Effect,
    /// The first MLX release known to have this name; `None` says that it is older than our records, or unknown.
    pub since: Option<&'static str>,
}

/// One parameter of a [`Function`].
#[derive(Debug)]
pub struct Param {
    /// The name, also that of a positional-only parameter (which no caller may use).
    pub name: &'static str,
    /// How an argument may be passed.
    pub kind: ParamKind,
    /// What the argument may be.
    pub accepts: Accepts,
    /// The default as Python text without spaces; `None` if the argument is required.
    pub default: Option<&'static str>,
    /// Whether the argument's dtype takes part in the function's [`DtypeRule`]: indices, masks and keys do not.
    pub joins: bool,
}

/// How an argument reaches a parameter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ParamKind {
    /// By position only.
    PositionalOnly,
    /// By position or by name.
    Any,
    /// By name only.
    KeywordOnly,
    /// All remaining positional arguments, as `*shape`.
    Star,
}

/// What a parameter takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Accepts {
    /// Only an `mx.array`: `None`, Python numbers, lists and NumPy arrays raise, so a call proves that its argument is one.
    Array,
    /// A Python number, an `mx.array`, mostly also a NumPy array, for a few `None`: proves nothing.
    Scalar,
    /// An `mx.array` or `None`; all else raises.
    OptionalArray,
    /// A Python int (or `None` where that is the default).
    Int,
    /// A Python number (or `None` where that is the default).
    Float,
    /// A Python bool.
    Bool,
    /// An `mx.Dtype` (or `None` where that is the default).
    Dtype,
    /// An int or a sequence of ints: a shape, axes, strides.
    Ints,
    /// A list of arrays.
    Arrays,
    /// A stream or a device.
    Stream,
    /// Anything else.
    Other,
}

/// What a call gives back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ResultKind {
    /// One `mx.array`.
    Array,
    /// A list or tuple of arrays.
    Arrays,
    /// `None`.
    None,
    /// An `mx.Dtype`.
    Dtype,
    /// A Python int.
    Int,
    /// A Python bool.
    Bool,
    /// A Python str.
    Str,
    /// Anything else, or one of several kinds depending on the arguments.
    Other,
}

/// How the dtype of the result follows from the promotion of the arguments that take part ([`Param::joins`], and the array of a method).
///
/// Arrays promote among themselves; then Python numbers, which are weak: they only raise the kind, and count as bool, int32 or float32 where no array takes
/// part. An argument for a [`Accepts::Dtype`] parameter that is not `None` wins over the rule. Measured over ten dtypes and all axes and flags. Three functions
/// break their rule in a corner: `softmax` keeps integers unless it runs over the last axis alone; the bias of `fast.layer_norm` takes no part if the weight is
/// `None`; and `clip` of integers between a half array and a Python float gives float32.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DtypeRule {
    /// The dtype of the one argument that takes part.
    Keep,
    /// The same, but float32 for integers and bool.
    Float,
    /// The promotion of the arguments that take part. Some of these functions raise for integers.
    Promote,
    /// As `Promote`, but float32 where that is integer or bool.
    PromoteFloat,
    /// Always bool.
    Bool,
    /// Always uint32.
    Uint32,
    /// As `Keep`, but int32 for bool. Integers below 32 bits widen in `sum` and stay in `cumsum`: unknown.
    Sum,
    /// Always float32.
    Float32,
    /// That of the `dtype` argument, or its default.
    Argument,
    /// Floats are kept and complex64 gives float32. Integers stay in `abs` and become float32 in `var`: unknown.
    Real,
    /// Not measured, or none of the above.
    Unknown,
}

/// What a call does besides giving its result.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effect {
    /// Nothing.
    Pure,
    /// Consumes the random state, unless a `key` is passed.
    Random,
    /// Forces evaluation, or waits for it.
    Eval,
    /// Starts evaluation without waiting.
    Async,
    /// Reads or writes files, or talks to other processes.
    Io,
    /// Reads or changes the state of the process: seeds, streams, memory limits.
    State,
    /// Takes a function and calls, traces or wraps it.
    Transform,
}

/// A function of the table: a stable index into it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct FunctionId(u16);

impl FunctionId {
    /// The entry.
    pub fn get(self) -> &'static Function {
        &TABLE.functions[usize::from(self.0)]
    }

    /// The canonical name, so `transpose` where the text said `permute_dims`.
    pub fn name(self) -> &'static str {
        self.get().name
    }
}

/// The function with this dotted name below `mlx.core` (`softmax`, `fast.rms_norm`); aliases give the function they stand for.
pub fn function(name: &str) -> Option<FunctionId> {
    TABLE.by_name.get(name).copied()
}

/// The method or property of `mx.array` with this name (`mean`, `shape`).
pub fn method(name: &str) -> Option<FunctionId> {
    TABLE.methods.get(name).copied()
}

/// The function that does what the method does, with the array as its first argument (`array.mean` gives `mean`).
///
/// `None` for functions, and for methods without such a function (`item`, `tolist`, `astype`). Parameters can differ: `array.reshape` takes its shape as
/// `*shape`, so bind arguments to the method's own parameters first.
pub fn twin(method: FunctionId) -> Option<FunctionId> {
    TABLE.twins.get(usize::from(method.0)).copied().flatten()
}

/// Whether `name` is a property of `mx.array`: read without a call.
pub fn is_property(name: &str) -> bool {
    const PROPERTIES: [&str; 11] = ["shape", "dtype", "ndim", "size", "T", "mT", "real", "imag", "at", "nbytes", "itemsize"];
    PROPERTIES.contains(&name)
}

static TABLE: LazyLock<Table> = LazyLock::new(|| Table::parse(include_str!("mlx_api.tsv")));

/// The parsed table; `twins` runs beside `functions`.
struct Table {
    functions: Vec<Function>,
    twins: Vec<Option<FunctionId>>,
    by_name: FxHashMap<&'static str, FunctionId>,
    methods: FxHashMap<&'static str, FunctionId>,
}

impl Table {
    fn parse(text: &'static str) -> Table {
        // A line that does not parse is left out; a test demands that there is none.
        let lines: Vec<(Function, &str)> = text.lines().filter_map(parse_line).collect();
        let mut table = Table { functions: Vec::new(), twins: Vec::new(), by_name: FxHashMap::default(), methods: FxHashMap::default() };
        let mut links = Vec::new();
        for (entry, same) in lines {
            let method = entry.name.strip_prefix("array.");
            if method.is_none() && same != "-" {
                links.push((entry.name, same));
                continue;
            }
            let Ok(index) = u16::try_from(table.functions.len()) else { break };
            let id = FunctionId(index);
            match method {
                Some(name) => table.methods.insert(name, id),
                None => table.by_name.insert(entry.name, id),
            };
            links.push((entry.name, same));
            table.functions.push(entry);
        }
        table.twins = vec![None; table.functions.len()];
        for (name, same) in links {
            table.link(name, same);
        }
        table
    }

    /// Makes `name` an alias of the function `same`, or, for a method, gives it that twin.
    fn link(&mut self, name: &'static str, same: &str) {
        let Some(&target) = self.by_name.get(same) else { return };
        let Some(method) = name.strip_prefix("array.") else {
            self.by_name.insert(name, target);
            return;
        };
        if let Some(id) = self.methods.get(method) {
            self.twins[usize::from(id.0)] = Some(target);
        }
    }
}

/// One line as its entry and the function that an alias or a method stands for, or `-`.
fn parse_line(line: &'static str) -> Option<(Function, &'static str)> {
    let columns: Vec<&str> = line.split('\t').collect();
    let [name, params, result, dtype, effect, since, same, joins] = columns[..] else { return None };
    let params = if params == "-" { Some(Vec::new()) } else { params.split(' ').map(|param| parse_param(param, joins)).collect() };
    let function = Function {
        name,
        params: params?,
        result: word(&RESULTS, result)?,
        dtype: word(&DTYPES, dtype)?,
        effect: word(&EFFECTS, effect)?,
        since: given(since),
    };
    Some((function, same))
}

fn parse_param(text: &'static str, joins: &str) -> Option<Param> {
    let parts: Vec<&str> = text.splitn(4, '|').collect();
    let [name, kind, accepts, default] = parts[..] else { return None };
    let joins = joins.split(' ').any(|joining| joining == name);
    Some(Param { name, kind: word(&KINDS, kind)?, accepts: word(&ACCEPTS, accepts)?, default: given(default), joins })
}

/// `-` is how the table writes "none".
fn given(text: &'static str) -> Option<&'static str> {
    (text != "-").then_some(text)
}

/// The value that the table writes as `text`.
fn word<T: Copy>(words: &[(&str, T)], text: &str) -> Option<T> {
    words.iter().find(|(name, _)| *name == text).map(|&(_, value)| value)
}

const KINDS: [(&str, ParamKind); 4] =
    [("pos", ParamKind::PositionalOnly), ("any", ParamKind::Any), ("kw", ParamKind::KeywordOnly), ("star", ParamKind::Star)];

const ACCEPTS: [(&str, Accepts); 11] = [
    ("array", Accepts::Array),
    ("scalar", Accepts::Scalar),
    ("array?", Accepts::OptionalArray),
    ("int", Accepts::Int),
    ("float", Accepts::Float),
    ("bool", Accepts::Bool),
    ("dtype", Accepts::Dtype),
    ("ints", Accepts::Ints),
    ("arrays", Accepts::Arrays),
    ("stream", Accepts::Stream),
    ("other", Accepts::Other),
];

const RESULTS: [(&str, ResultKind); 8] = [
    ("array", ResultKind::Array),
    ("arrays", ResultKind::Arrays),
    ("none", ResultKind::None),
    ("dtype", ResultKind::Dtype),
    ("int", ResultKind::Int),
    ("bool", ResultKind::Bool),
    ("str", ResultKind::Str),
    ("other", ResultKind::Other),
];

const DTYPES: [(&str, DtypeRule); 11] = [
    ("keep", DtypeRule::Keep),
    ("float", DtypeRule::Float),
    ("promote", DtypeRule::Promote),
    ("promote-float", DtypeRule::PromoteFloat),
    ("bool", DtypeRule::Bool),
    ("uint32", DtypeRule::Uint32),
    ("sum", DtypeRule::Sum),
    ("float32", DtypeRule::Float32),
    ("arg", DtypeRule::Argument),
    ("real", DtypeRule::Real),
    ("?", DtypeRule::Unknown),
];

const EFFECTS: [(&str, Effect); 7] = [
    ("pure", Effect::Pure),
    ("random", Effect::Random),
    ("eval", Effect::Eval),
    ("async", Effect::Async),
    ("io", Effect::Io),
    ("state", Effect::State),
    ("transform", Effect::Transform),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> FunctionId {
        function(name).unwrap_or_else(|| panic!("{name} is not in the table"))
    }

    fn method_named(name: &str) -> FunctionId {
        method(name).unwrap_or_else(|| panic!("array.{name} is not in the table"))
    }

    #[test]
    fn every_line_parses() {
        for line in include_str!("mlx_api.tsv").lines() {
            assert!(parse_line(line).is_some(), "{line}");
        }
    }

    #[test]
    fn every_line_can_be_looked_up() {
        for line in include_str!("mlx_api.tsv").lines() {
            let (entry, same) = parse_line(line).expect("every line parses");
            let found = match entry.name.strip_prefix("array.") {
                Some(name) => method_named(name),
                None => named(entry.name),
            };
            let expected = if same == "-" || entry.name.starts_with("array.") { entry.name } else { same };
            assert_eq!(found.name(), expected);
        }
    }

    #[test]
    fn softmax_has_the_parameters_of_the_stub() {
        let softmax = named("softmax").get();
        let params: Vec<_> = softmax.params.iter().map(|p| (p.name, p.kind, p.accepts, p.default)).collect();
        assert_eq!(
            params,
            [
                ("a", ParamKind::PositionalOnly, Accepts::Array, None),
                ("axis", ParamKind::Any, Accepts::Ints, Some("None")),
                ("precise", ParamKind::KeywordOnly, Accepts::Bool, Some("False")),
                ("stream", ParamKind::KeywordOnly, Accepts::Stream, Some("None")),
            ]
        );
        assert_eq!((softmax.result, softmax.effect, softmax.since), (ResultKind::Array, Effect::Pure, None));
    }

    #[test]
    fn only_what_was_measured_proves_an_array() {
        let accepts = |name: &str| named(name).get().params[0].accepts;
        for name in ["softmax", "matmul", "mean", "fast.rms_norm", "reshape", "concatenate"] {
            assert!([Accepts::Array, Accepts::Arrays].contains(&accepts(name)), "{name}");
        }
        for name in ["exp", "rsqrt", "abs", "add", "maximum"] {
            assert_eq!(accepts(name), Accepts::Scalar, "{name}");
        }
    }

    #[test]
    fn dtype_rules_are_those_of_the_semantics() {
        for (name, rule, joins) in [
            ("square", DtypeRule::Keep, "a"),
            ("rsqrt", DtypeRule::Float, "a"),
            ("mean", DtypeRule::Float, "a"),
            ("var", DtypeRule::Real, "a"),
            ("sum", DtypeRule::Sum, "a"),
            ("argmax", DtypeRule::Uint32, ""),
            ("greater", DtypeRule::Bool, ""),
            ("divide", DtypeRule::PromoteFloat, "a b"),
            ("where", DtypeRule::Promote, "x y"),
            ("take", DtypeRule::Keep, "a"),
            ("zeros", DtypeRule::Argument, ""),
            ("fast.rms_norm", DtypeRule::Promote, "x weight"),
            ("fast.scaled_dot_product_attention", DtypeRule::Promote, "q k v"),
            ("fast.rope", DtypeRule::Keep, "a"),
            ("full", DtypeRule::Unknown, ""), // it ignores its dtype if the value is an array
        ] {
            let found = named(name).get();
            let joining: Vec<_> = found.params.iter().filter(|param| param.joins).map(|param| param.name).collect();
            assert_eq!((found.dtype, joining.join(" ").as_str()), (rule, joins), "{name}");
        }
    }

    #[test]
    fn a_method_has_the_function_of_its_name_as_twin() {
        for name in ["mean", "sum", "exp", "reshape", "transpose", "squeeze", "astype", "item", "tolist", "real"] {
            let expected = (!["astype", "item", "tolist"].contains(&name)).then(|| named(name));
            assert_eq!(twin(method_named(name)), expected, "{name}");
        }
        assert_eq!(twin(method_named("T")), function("transpose"));
        assert_eq!(twin(named("mean")), None);
    }

    #[test]
    fn an_alias_is_the_function_it_stands_for() {
        for (alias, canonical) in [("permute_dims", "transpose"), ("acos", "arccos"), ("concat", "concatenate"), ("pow", "power"), ("matrix_norm", "linalg.norm")] {
            assert_eq!(named(alias), named(canonical));
            assert_eq!(named(alias).name(), canonical);
        }
    }

    #[test]
    fn every_property_is_a_method_without_parameters() {
        for name in ["shape", "dtype", "ndim", "size", "T", "mT", "real", "imag", "at", "nbytes", "itemsize"] {
            assert!(is_property(name));
            assert!(method_named(name).get().params.is_empty(), "{name}");
        }
        assert!(!is_property("mean"));
        assert!(!is_property("array.shape"));
    }

    #[test]
    fn unknown_names_are_not_in_the_table() {
        assert_eq!(function("no_such_name"), None);
        assert_eq!(function("array.mean"), None);
        assert_eq!(method("softmax"), None);
    }

    #[test]
    fn effects_are_those_that_matter_to_reordering() {
        assert_eq!(named("eval").get().effect, Effect::Eval);
        assert_eq!(named("async_eval").get().effect, Effect::Async);
        assert_eq!(named("random.normal").get().effect, Effect::Random);
        assert_eq!(named("random.split").get().effect, Effect::Pure);
        assert_eq!(named("compile").get().effect, Effect::Transform);
        assert_eq!(method_named("item").get().effect, Effect::Eval);
    }
}
