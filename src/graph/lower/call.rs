//! Calls: functions of MLX and their method twins, modules of `mlx.nn`, helpers of the file, and everything else.

use super::Lowerer;
use super::arguments::Arguments;
use crate::graph::api::{self, Effect as ApiEffect, FunctionId, ResultKind};
use crate::graph::body::{Effect, Proved};
use crate::graph::definitions::ClassIndex;
use crate::graph::modules::{is_pure, is_super, of_parameter};
use crate::graph::value::{Op, Operands, Symbol, ValueId};
use crate::syntax::ast::{self, Expr};

/// Builtins that change nothing and whose result depends on their arguments alone.
const PURE_BUILTINS: [&str; 29] = [
    "abs",
    "bool",
    "complex",
    "dict",
    "divmod",
    "enumerate",
    "float",
    "frozenset",
    "getattr",
    "hasattr",
    "int",
    "isinstance",
    "issubclass",
    "len",
    "list",
    "max",
    "min",
    "pow",
    "range",
    "repr",
    "reversed",
    "round",
    "set",
    "slice",
    "sorted",
    "str",
    "sum",
    "tuple",
    "type",
];

/// Whether `name` is such a builtin.
pub fn is_pure_builtin(name: &str) -> bool {
    PURE_BUILTINS.contains(&name)
}

/// Methods of `mx.array` that NumPy's arrays do not have, and that leave something a function of MLX must take.
const OWN_METHODS: [&str; 18] = [
    "square",
    "sqrt",
    "rsqrt",
    "reciprocal",
    "abs",
    "exp",
    "log",
    "log2",
    "log10",
    "log1p",
    "sin",
    "cos",
    "logsumexp",
    "moveaxis",
    "split",
    "cummax",
    "cummin",
    "maximum",
];

impl<'g> Lowerer<'_, 'g> {
    /// The value of a call, and whether its root operation is written here (`false`: it comes from an inlined helper).
    pub(super) fn call(&mut self, call: &'g ast::ExprCall) -> (ValueId, bool) {
        let Expr::Attribute(attribute) = &*call.func else {
            let callee = self.expr(&call.func);
            let arguments = self.arguments(call);
            return self.call_value(callee, &arguments);
        };
        let object = self.expr(&attribute.value);
        if self.graph.path(object).is_some() {
            let callee = self.attribute(object, &attribute.attr);
            self.occurrence_of_callee(callee, &call.func);
            let arguments = self.arguments(call);
            return self.call_value(callee, &arguments);
        }
        let name = attribute.attr.as_str();
        if let Some(class) = self.class_of_receiver(object) {
            return self.call_on_self(class, object, name, call);
        }
        if name == "__call__" && self.is_super_of_module(object) {
            let callee = self.attribute(object, name);
            self.occurrence_of_callee(callee, &call.func);
            let arguments = self.arguments(call);
            return (self.apply(callee, &arguments), true);
        }
        let arguments = self.arguments(call);
        let object = self.by_now(&attribute.value, object);
        if let Op::Class(class) = self.graph.op(object)
            && let Some(value) = self.call_static(class, name, &arguments)
        {
            return (value, false);
        }
        if !name.starts_with("__") {
            self.prove_present(object);
        }
        if let Some(method) = api::method(name).filter(|_| !api::is_property(name) && self.may_be_array(object))
            && let Some(value) = self.call_array_method(method, object, &arguments)
        {
            return (value, true);
        }
        let epoch = self.epoch;
        let attr = self.graph.symbol(name);
        let callee = self.graph.value(Op::Attr(attr, epoch), &[object]);
        // The methods of arrays that are in no table are those of operators, and `x.__iadd__(1)` changes x.
        if name.starts_with("__") {
            self.escape_parts(object);
        }
        (self.unknown_call(callee, &arguments), true)
    }

    fn occurrence_of_callee(&mut self, callee: ValueId, func: &Expr) {
        self.occurrence(callee, crate::syntax::Ranged::range(func), true);
    }

    /// Whether `object` may be an `mx.array`, as far as its form shows.
    fn may_be_array(&self, object: ValueId) -> bool {
        !matches!(
            self.graph.op(object),
            Op::Str(_)
                | Op::Int(_)
                | Op::Float(_)
                | Op::Bool(_)
                | Op::None
                | Op::Tuple
                | Op::List
                | Op::Comprehension(_)
                | Op::Function(_)
                | Op::Class(_)
                | Op::Literal(_)
                | Op::Shape
                | Op::Dim(_)
                | Op::DtypeOf
                | Op::Builtin(_)
        )
    }

    /// The class whose instance `object` is, where it is the receiver of the method being lowered.
    pub(super) fn class_of_receiver(&self, object: ValueId) -> Option<ClassIndex> {
        match self.graph.op(object) {
            Op::Param(..) => self.classes.receiver(object),
            _ => None,
        }
    }

    /// Whether `object` is `super()` in a class whose one base is a module of `mlx.nn` that has no effects.
    fn is_super_of_module(&self, object: ValueId) -> bool {
        if !is_super(self.graph, object) {
            return false;
        }
        let receiver = self.graph.operands(object)[1];
        self.classes.receiver(receiver).and_then(|c| self.classes.base(c)).is_some_and(is_pure)
    }

    fn call_on_self(&mut self, class: ClassIndex, object: ValueId, name: &str, call: &'g ast::ExprCall) -> (ValueId, bool) {
        let symbol = self.graph.symbol(name);
        let info = &self.definitions.classes[class];
        let method = info.methods.get(&symbol).copied();
        let callee = self.attribute(object, name);
        self.occurrence_of_callee(callee, &call.func);
        let arguments = self.arguments(call);
        if let Some(Some(index)) = method
            && !info.overridden.contains(&symbol)
            && let Some(value) = self.inline(index, Some(object), &arguments)
        {
            return (value, false);
        }
        if let Some(value) = self.definitions.static_of(class, symbol).and_then(|index| self.inline(index, None, &arguments)) {
            return (value, false);
        }
        if method.is_none() && self.classes.is_pure_module(class, symbol) {
            return (self.apply(callee, &arguments), true);
        }
        (self.unknown_call(callee, &arguments), true)
    }

    /// A call of the static method `name` of `class`, by the name of the class.
    fn call_static(&mut self, class: Symbol, name: &str, arguments: &Arguments) -> Option<ValueId> {
        let (class, name) = (self.definitions.class_named(class)?, self.graph.symbol(name));
        let index = self.definitions.static_of(class, name)?;
        self.inline(index, None, arguments)
    }

    /// A call of something that is no method of an unknown object.
    fn call_value(&mut self, callee: ValueId, arguments: &Arguments) -> (ValueId, bool) {
        match self.graph.op(callee) {
            Op::Function(name) => {
                if let Some(index) = self.definitions.function_named(name)
                    && let Some(value) = self.inline(index, None, arguments)
                {
                    return (value, false);
                }
                if let Some(value) = self.inline_lambda(name, arguments) {
                    return (value, false);
                }
            }
            Op::Param(scope, name) => {
                let modules = of_parameter(scope, name, self.definitions, self.graph);
                if !modules.is_empty() && modules.iter().all(|m| is_pure(m)) {
                    return (self.apply(callee, arguments), true);
                }
            }
            Op::Builtin(name) => {
                let name = self.graph.name(name).to_owned();
                if let Some(value) = self.call_builtin(callee, &name, arguments) {
                    return (value, true);
                }
            }
            Op::Global(path) => {
                let path = self.graph.name(path).to_owned();
                if let Some(value) = self.call_import(callee, &path, arguments) {
                    return (value, true);
                }
            }
            _ => {}
        }
        (self.unknown_call(callee, arguments), true)
    }

    fn call_builtin(&mut self, callee: ValueId, name: &str, arguments: &Arguments) -> Option<ValueId> {
        if name == "map" && !arguments.spread {
            return self.call_map(arguments);
        }
        if name == "super" {
            return self.call_super(callee, arguments);
        }
        if !is_pure_builtin(name) {
            return None;
        }
        if matches!(name, "int" | "float" | "bool" | "max" | "min" | "sorted" | "str" | "repr" | "round" | "range") {
            for &value in &arguments.positional {
                if self.graph.is_arrayish(value) {
                    self.effect(Effect::Evaluate(value));
                }
            }
        }
        // A container made by a builtin holds what it was made of.
        if matches!(name, "list" | "tuple" | "dict" | "set" | "enumerate" | "reversed" | "sorted") {
            arguments.positional.iter().for_each(|&v| self.escape_parts(v));
            arguments.keywords.iter().for_each(|&(_, v)| self.escape_parts(v));
        }
        Some(self.apply(callee, arguments))
    }

    /// `super()` in a method: the superclass' view of the receiver.
    fn call_super(&mut self, callee: ValueId, arguments: &Arguments) -> Option<ValueId> {
        let frame = self.frames.last()?;
        let class = frame.class?;
        let receiver = self.definitions.functions[self.definitions.function_named(frame.scope)?].ast.parameters.iter_non_variadic_params().next()?;
        let name = self.graph.known_symbol(&receiver.parameter.name)?;
        let receiver = frame.get(name)?.value;
        let plain = arguments.positional.is_empty() && arguments.keywords.is_empty() && self.classes.receiver(receiver) == Some(class);
        plain.then(|| self.graph.value(Op::Apply, &[callee, receiver]))
    }

    /// `map(f, (a, b))` is `(f(a), f(b))` where `f` is a helper of the file.
    fn call_map(&mut self, arguments: &Arguments) -> Option<ValueId> {
        let [function, items] = arguments.positional[..] else { return None };
        if !matches!(self.graph.op(items), Op::Tuple | Op::List) || !arguments.keywords.is_empty() {
            return None;
        }
        let mut results = Operands::new();
        for item in self.graph.operands(items).to_vec() {
            let one = Arguments { positional: vec![item], keywords: Vec::new(), spread: false };
            results.push(self.call_value(function, &one).0);
        }
        Some(self.graph.value(Op::Tuple, &results))
    }

    fn call_import(&mut self, callee: ValueId, path: &str, arguments: &Arguments) -> Option<ValueId> {
        if let Some(name) = path.strip_prefix("mlx.core.") {
            if name == "array" {
                return self.array_constructor(arguments);
            }
            if matches!(name, "finfo" | "iinfo") {
                return Some(self.apply(callee, arguments));
            }
            return self.call_mlx(callee, api::function(name)?, arguments);
        }
        if let Some(name) = path.strip_prefix("mlx.nn.") {
            if name == "softmax" {
                return self.softmax_of_nn(arguments);
            }
            // Lower-case names are functions of arrays, `create_additive_causal_mask` a static method; classes make modules.
            let last = name.rsplit('.').next().unwrap_or(name);
            let is_function = last.starts_with(|c: char| c.is_ascii_lowercase()) && !name.starts_with("init.") && last != "value_and_grad";
            return is_function.then(|| self.apply(callee, arguments));
        }
        match path {
            "prelude.stored" => Some(self.graph.value(Op::Stored, &arguments.positional)),
            "prelude.any_of" => Some(self.graph.value(Op::AnyOf, &arguments.positional)),
            "functools.partial" => {
                arguments.positional.iter().for_each(|&v| self.escape_parts(v));
                arguments.keywords.iter().for_each(|&(_, v)| self.escape_parts(v));
                Some(self.apply(callee, arguments))
            }
            _ if path.starts_with("prelude.") || path.starts_with("math.") => Some(self.apply(callee, arguments)),
            // Of numbers, these are numbers; of arrays they would wait for the device.
            "numpy.sqrt" | "numpy.log" if matches!(arguments.positional[..], [x] if self.is_plain_number(x, 0)) => {
                Some(self.apply(callee, arguments))
            }
            "numpy.finfo" => Some(self.apply(callee, arguments)),
            _ => None,
        }
    }

    /// `nn.softmax(x, axis=-1)` is `mx.softmax` over the last axis, not over all.
    fn softmax_of_nn(&mut self, arguments: &Arguments) -> Option<ValueId> {
        let keyword = |name: &str| arguments.keywords.iter().find(|&&(k, _)| self.graph.name(k) == name).map(|&(_, v)| v);
        let (x, axis) = match arguments.positional[..] {
            [x] => (x, keyword("axis")),
            [x, axis] if keyword("axis").is_none() => (x, Some(axis)),
            [] => (keyword("x")?, keyword("axis")),
            _ => return None,
        };
        if arguments.spread || arguments.positional.len() + arguments.keywords.len() != 1 + usize::from(axis.is_some()) {
            return None;
        }
        let axis = axis.unwrap_or_else(|| self.graph.int(-1));
        let precise = self.graph.leaf(Op::Bool(false));
        self.prove(x, Proved::Array);
        Some(self.graph.value(Op::Mlx("softmax"), &[x, axis, precise]))
    }

    /// Whether `value` can only be a Python number: lengths, and what `__init__` made of numbers.
    pub(super) fn is_plain_number(&self, value: ValueId, depth: u32) -> bool {
        let (op, operands) = self.graph.get(value);
        match op {
            Op::Int(_) | Op::Float(_) | Op::Dim(_) | Op::Ndim => true,
            Op::Add | Op::Sub | Op::Mul | Op::Div | Op::FloorDiv | Op::Pow => {
                depth < 8 && operands.iter().all(|&v| self.is_plain_number(v, depth + 1))
            }
            _ => false,
        }
    }

    fn array_constructor(&mut self, arguments: &Arguments) -> Option<ValueId> {
        if arguments.spread {
            return None;
        }
        let none = self.graph.leaf(Op::None);
        let dtype = match (&arguments.positional[..], &arguments.keywords[..]) {
            ([_], []) => none,
            ([_, dtype], []) => *dtype,
            ([_], [(name, dtype)]) if self.graph.name(*name) == "dtype" => *dtype,
            _ => return None,
        };
        Some(self.graph.value(Op::Mlx("array"), &[arguments.positional[0], dtype]))
    }

    fn call_mlx(&mut self, callee: ValueId, function: FunctionId, arguments: &Arguments) -> Option<ValueId> {
        let entry = function.get();
        match entry.effect {
            ApiEffect::Pure => {
                let operands = self.bind_arguments(entry, arguments)?;
                self.prove_rank(entry.name, &operands);
                self.prove_axes(entry, &operands, 0);
                self.prove_subscripts(entry.name, &operands);
                let value = self.graph.value(Op::Mlx(entry.name), &operands);
                if entry.result == ResultKind::Array {
                    // The function form gives an `mx.array` whatever it is given; a method might be that of something else.
                    self.prove(value, Proved::Made);
                }
                Some(value)
            }
            ApiEffect::Eval => {
                let operands = arguments.operands(self.graph);
                let value = self.graph.value(Op::Apply, &[&[callee], &operands[..]].concat());
                self.effect(Effect::Evaluate(value));
                Some(self.graph.leaf(Op::None))
            }
            ApiEffect::Transform => Some(self.apply(callee, arguments)),
            // The order of these among each other matters, but they change nothing that Python code holds.
            ApiEffect::Random | ApiEffect::Async | ApiEffect::Io | ApiEffect::State => Some(self.ordered_call(callee, arguments)),
        }
    }

    fn call_array_method(&mut self, method: FunctionId, object: ValueId, arguments: &Arguments) -> Option<ValueId> {
        let entry = method.get();
        let mut operands = self.bind_arguments(entry, arguments)?;
        operands.insert(0, object);
        let name = api::twin(method).map_or_else(|| entry.name.trim_start_matches("array."), FunctionId::name);
        if name == "astype" && self.is_dtype(operands[1]) {
            // Neither NumPy nor torch take an `mx.Dtype`.
            self.prove(object, Proved::Array);
        }
        if name == "astype" {
            self.prove(operands[1], Proved::DtypeOfCast(object));
        }
        if OWN_METHODS.contains(&name) {
            // NumPy arrays have no method of this name.
            self.prove(object, Proved::Array);
        }
        // In a tuple it takes whatever can be an index; apart they must be numbers.
        if name == "reshape" && arguments.positional.len() > 1 {
            arguments.positional.iter().for_each(|&n| self.prove(n, Proved::Counts(object)));
        }
        self.prove_rank(name, &operands);
        self.prove_axes(entry, &operands, 1);
        let value = self.graph.value(Op::Mlx(name), &operands);
        if entry.effect == ApiEffect::Eval {
            self.effect(Effect::Evaluate(value));
        }
        Some(value)
    }

    /// Whether `value` can only be an `mx.Dtype`.
    fn is_dtype(&self, value: ValueId) -> bool {
        match self.graph.get(value) {
            (Op::Global(path), _) => self.graph.name(path).starts_with("mlx.core."),
            (Op::DtypeOf, &[of]) => self.graph.is_arrayish(of),
            _ => false,
        }
    }

    /// A call without effects.
    fn apply(&mut self, callee: ValueId, arguments: &Arguments) -> ValueId {
        let operands = arguments.operands(self.graph);
        self.graph.value(Op::Apply, &[&[callee], &operands[..]].concat())
    }

    fn ordered_call(&mut self, callee: ValueId, arguments: &Arguments) -> ValueId {
        let operands = arguments.operands(self.graph);
        self.calls += 1;
        let value = self.graph.value(Op::Call(self.body.name, self.calls), &[&[callee], &operands[..]].concat());
        self.effect(Effect::Call(value));
        value
    }

    /// A call of which nothing is known: it may keep its arguments and change everything that is not a local.
    fn unknown_call(&mut self, callee: ValueId, arguments: &Arguments) -> ValueId {
        let value = self.ordered_call(callee, arguments);
        arguments.positional.iter().for_each(|&v| self.escape_parts(v));
        arguments.keywords.iter().for_each(|&(_, v)| self.escape_parts(v));
        self.bump();
        value
    }
}
