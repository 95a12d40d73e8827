//! What names and attributes are: from annotations, from what `__init__` stores, and from constants of the module.

use rustc_hash::FxHashMap;

use super::{Facts, Kind, MAX_DEPTH, of_arithmetic};
use crate::graph::body::Effect;
use crate::graph::definitions::{ClassIndex, ModuleBinding};
use crate::graph::modules::module_class;
use crate::graph::value::{Op, Symbol, ValueId};
use crate::syntax::ast::{self, Expr};
use crate::syntax::quoted_annotation;

/// What is stored in an attribute more often than this is not looked at: most of it would be made of the rest.
const MAX_STORED: usize = 16;

impl<'x> Facts<'x> {
    pub(super) fn annotated_parameter(&self, scope: Symbol, name: Symbol) -> Kind {
        let parameter = self.analysis.definitions.parameter(scope, name, &self.analysis.graph);
        match parameter.and_then(|p| p.annotation()) {
            // Whatever the annotation says: who leaves the argument out gives `None`.
            Some(annotation) if parameter.and_then(|p| p.default()).is_some_and(Expr::is_none_literal_expr) => {
                optional(self.annotation(annotation), Kind::None)
            }
            Some(annotation) => self.annotation(annotation),
            // `*args` is a tuple and `**kwargs` a dictionary, whatever is annotated.
            None if self.is_variadic(scope, name) => Kind::Other,
            None => Kind::Unknown,
        }
    }

    /// Whether `name` takes the arguments of the function `scope` that no other parameter does.
    fn is_variadic(&self, scope: Symbol, name: Symbol) -> bool {
        let (definitions, name) = (&self.analysis.definitions, self.analysis.graph.name(name));
        let Some(function) = definitions.function_named(scope) else { return false };
        let parameters = &definitions.functions[function].ast.parameters;
        [&parameters.vararg, &parameters.kwarg].into_iter().flatten().any(|p| p.name.as_str() == name)
    }

    fn parameter_annotation(&self, scope: Symbol, name: Symbol) -> Option<&'x Expr> {
        self.analysis.definitions.annotation(scope, name, &self.analysis.graph)
    }

    /// What an annotation says of the value it annotates.
    pub fn annotation(&self, annotation: &Expr) -> Kind {
        match annotation {
            Expr::Name(name) => match name.id.as_str() {
                "int" => Kind::Int,
                "float" => Kind::Float,
                "bool" => Kind::Bool,
                "str" => Kind::Other,
                _ if self.is_container(annotation) => Kind::Other,
                _ if self.denotes(annotation, "mlx.core.array") => Kind::Array,
                _ => Kind::Unknown,
            },
            Expr::Attribute(_) if self.denotes(annotation, "mlx.core.array") => Kind::Array,
            Expr::Attribute(_) if self.denotes(annotation, "mlx.core.Dtype") => Kind::Dtype,
            Expr::Attribute(_) if self.is_container(annotation) => Kind::Other,
            Expr::Subscript(e) if self.is_container(&e.value) => Kind::Other,
            Expr::NoneLiteral(_) => Kind::None,
            Expr::StringLiteral(e) => quoted_annotation(e.value.to_str()).map_or(Kind::Unknown, |a| self.annotation(&a)),
            Expr::BinOp(e) if e.op == ast::Operator::BitOr => optional(self.annotation(&e.left), self.annotation(&e.right)),
            Expr::Subscript(e) if self.denotes(&e.value, "typing.Optional") => optional(self.annotation(&e.slice), Kind::None),
            Expr::Subscript(e) if self.denotes(&e.value, "typing.Union") => match &*e.slice {
                Expr::Tuple(tuple) => tuple.elts.iter().map(|a| self.annotation(a)).reduce(optional).unwrap_or(Kind::Unknown),
                only => self.annotation(only),
            },
            _ => Kind::Unknown,
        }
    }

    /// Whether an annotation names a class of containers, no instance of which is an `mx.array`: one of Python, or NumPy's.
    fn is_container(&self, annotation: &Expr) -> bool {
        const BUILTIN: [&str; 7] = ["dict", "list", "set", "tuple", "slice", "range", "bytes"];
        const IMPORTED: [&str; 8] = [
            "numpy.ndarray",
            "numpy.typing.NDArray",
            "typing.Dict",
            "typing.List",
            "typing.Set",
            "typing.Tuple",
            "typing.Sequence",
            "collections.abc.Sequence",
        ];
        annotation.as_name_expr().is_some_and(|n| BUILTIN.contains(&n.id.as_str())) || IMPORTED.iter().any(|path| self.denotes(annotation, path))
    }

    /// Whether a plain chain of names stands for `path` through the imports of the module.
    fn denotes(&self, expr: &Expr, path: &str) -> bool {
        self.analysis.definitions.import_path(expr, &self.analysis.graph).is_some_and(|p| p == path)
    }

    /// The number that a module-level name is, if it is assigned once. Only numbers: what calls and arrays a module holds may be exchanged from outside.
    pub fn constant(&self, name: Symbol) -> Option<ValueId> {
        self.assigned_once(name).filter(|&value| self.analysis.graph.number(value).is_some())
    }

    /// What sort of number a module-level name is, if it is assigned once and is one: written out, or computed from such.
    pub(super) fn constant_kind(&self, name: Symbol, depth: u32) -> Kind {
        let kind = self.assigned_once(name).map_or(Kind::Unknown, |value| self.kind_at(value, depth));
        if kind.is_number() { kind } else { Kind::Unknown }
    }

    /// What a module-level name holds, if this file assigns it once. Other files may assign it, too: for what people are told, and not for edits.
    pub fn assigned_once(&self, name: Symbol) -> Option<ValueId> {
        if self.analysis.definitions.shared.contains(&name) {
            return None;
        }
        let module = self.analysis.bodies.first()?;
        let mut stored = module.effects.iter().filter_map(|e| match *e {
            Effect::StoreName(n, value) if n == name => Some(value),
            _ => None,
        });
        let only = stored.next()?;
        stored.next().is_none().then_some(only)
    }

    /// The class of the file whose instance `value` is.
    pub fn class_of(&self, value: ValueId, depth: u32) -> Option<ClassIndex> {
        let graph = &self.analysis.graph;
        if depth > MAX_DEPTH {
            return None;
        }
        if let Some(class) = self.analysis.classes.receiver(value) {
            return Some(class);
        }
        match graph.get(value) {
            (Op::Param(scope, name), _) => {
                let class = match self.parameter_annotation(scope, name)? {
                    Expr::Name(class) => class.id.as_str(),
                    // Of a class that may be defined further down.
                    Expr::StringLiteral(class) => class.value.to_str(),
                    _ => return None,
                };
                match self.analysis.definitions.module.get(&graph.known_symbol(class)?) {
                    Some(&ModuleBinding::Class(index)) => Some(index),
                    _ => None,
                }
            }
            (Op::Attr(name, _), &[object]) => {
                let class = self.class_of(object, depth + 1)?;
                let mut classes = self.analysis.classes.attribute(class, name).iter().map(|&v| self.class_of(v, depth + 1));
                let first = classes.next()??;
                classes.all(|c| c == Some(first)).then_some(first)
            }
            (Op::Changed(_), &[object]) => self.class_of(object, depth + 1),
            (Op::Call(..), operands) => match graph.op(operands[0]) {
                Op::Class(name) => self.analysis.definitions.class_named(name),
                _ => None,
            },
            _ => None,
        }
    }

    /// The calls that may have made `value`, an instance of a class of the file, as far as `__init__` says: what it keeps, by itself or as elements of a list.
    pub fn instances(&self, value: ValueId) -> Vec<ValueId> {
        let held = match self.analysis.graph.get(value) {
            (Op::Call(..), _) => vec![value],
            (Op::Attr(..), _) => self.makers(value).to_vec(),
            _ => self.listed(value),
        };
        if held.iter().all(|&v| self.class_of(v, 0).is_some()) { held } else { Vec::new() }
    }

    /// The class of `mlx.nn` of which the elements of a list are, one of which `value` is.
    pub fn listed_module(&self, value: ValueId) -> Option<&'x str> {
        let listed = self.listed(value);
        let mut modules = listed.iter().map(|&v| module_class(&self.analysis.graph, v));
        let first = modules.next()??;
        modules.all(|m| m == Some(first)).then_some(first)
    }

    /// The elements that `__init__` puts into the list of which `value` is one.
    fn listed(&self, value: ValueId) -> Vec<ValueId> {
        match self.analysis.graph.get(value) {
            (Op::Index(_), &[list, _]) | (Op::Element(..), &[list]) => self.elements(list),
            (Op::Item(at), &[element]) => self.elements_beside(element, at),
            _ => Vec::new(),
        }
    }

    /// The elements of a list that `__init__` keeps.
    fn elements(&self, list: ValueId) -> Vec<ValueId> {
        let graph = &self.analysis.graph;
        let written = |&v: &ValueId| match graph.get(v) {
            (Op::List | Op::Tuple, parts) => parts.to_vec(),
            (Op::Comprehension(_), parts) => parts.iter().copied().filter(|&v| matches!(graph.op(v), Op::Call(..))).collect(),
            _ => vec![v],
        };
        self.makers(list).iter().flat_map(written).collect()
    }

    /// The elements with number `at` of what `enumerate` and `zip` put together.
    fn elements_beside(&self, element: ValueId, at: u32) -> Vec<ValueId> {
        let graph = &self.analysis.graph;
        let (Op::Element(..), &[iterable]) = graph.get(element) else { return Vec::new() };
        let (Op::Apply | Op::Call(..), operands) = graph.get(iterable) else { return Vec::new() };
        let list = match graph.op(operands[0]) {
            Op::Builtin(name) if graph.name(name) == "enumerate" && at == 1 => operands.get(1),
            Op::Builtin(name) if graph.name(name) == "zip" => operands.get(at as usize + 1),
            _ => None,
        };
        list.map_or_else(Vec::new, |&list| self.elements(list))
    }

    pub(super) fn attribute_kind(&self, object: ValueId, name: Symbol, depth: u32) -> Kind {
        if self.is_float_info(object) && matches!(self.analysis.graph.name(name), "min" | "max" | "eps" | "smallest_normal") {
            return Kind::Float;
        }
        let Some(class) = self.class_of(object, depth) else {
            return if self.rank_of_parameter(object, name).is_some() { Kind::Array } else { Kind::Unknown };
        };
        let stored = self.analysis.classes.attribute(class, name);
        if stored.is_empty() {
            let info = &self.analysis.definitions.classes[class];
            return info.fields.get(&name).map_or(Kind::Unknown, |a| self.annotation(a));
        }
        if stored.len() > MAX_STORED {
            return Kind::Unknown;
        }
        let mut told = FxHashMap::default();
        let mut kinds = stored.iter().map(|&v| self.kind_of_stored(v, (object, class), depth, &mut told));
        let first = kinds.next().unwrap_or(Kind::Unknown);
        kinds.fold(first, |a, b| {
            if a == b {
                a
            } else if a.is_number() && b.is_number() {
                Kind::Number
            } else {
                optional(a, b)
            }
        })
    }

    /// What sort of thing `value` is, which the `__init__` of `class` stores in `object`, or works out what it stores from: what is kept under some name alone is
    /// what that attribute is. What was `told` of a value holds for all that share it.
    fn kind_of_stored(&self, value: ValueId, kept: (ValueId, ClassIndex), depth: u32, told: &mut FxHashMap<ValueId, Kind>) -> Kind {
        let known = self.kind_at(value, depth);
        if known != Kind::Unknown || depth > MAX_DEPTH {
            return known;
        }
        if let Some(&kind) = told.get(&value) {
            return kind;
        }
        let kind = self.kind_worked_out(value, kept, &mut |v| self.kind_of_stored(v, kept, depth + 1, told), depth);
        told.insert(value, kind);
        kind
    }

    /// The same of a value of which nothing else is known, by what `kind_of` says of what it is worked out from.
    fn kind_worked_out(&self, value: ValueId, (object, class): (ValueId, ClassIndex), kind_of: &mut dyn FnMut(ValueId) -> Kind, depth: u32) -> Kind {
        if self.analysis.classes.kept_alone(class, value).iter().any(|&name| self.is_count((object, class), name, depth)) {
            return Kind::Int;
        }
        match self.analysis.graph.get(value) {
            // What `__init__` has stored before and reads again.
            (Op::Attr(name, _), &[of]) if self.analysis.classes.receiver(of) == Some(class) => match self.analysis.classes.attribute(class, name) {
                [_] if self.is_count((object, class), name, depth) => Kind::Int,
                &[only] => kind_of(only),
                _ => Kind::Unknown,
            },
            (op @ (Op::Neg | Op::Pow | Op::Add | Op::Sub | Op::Mul | Op::Div | Op::FloorDiv), operands) => {
                let kinds: Vec<Kind> = operands.iter().map(|&v| kind_of(v)).collect();
                of_arithmetic(op, &kinds)
            }
            _ => Kind::Unknown,
        }
    }

    /// Whether an array has been given what `object`, an instance of `class`, keeps under `name` for the length of an axis, or a module for its size.
    fn is_count(&self, (object, class): (ValueId, ClassIndex), name: Symbol, depth: u32) -> bool {
        if self.analysis.classes.keeps_size(class, name) {
            return true;
        }
        let array = self.view.and_then(|view| view.proved.counted_attribute(object, name, view));
        array.is_some_and(|v| self.kind_at(v, depth + 1) == Kind::Array)
    }

    /// Whether `value` is `mx.finfo(..)`.
    pub fn is_float_info(&self, value: ValueId) -> bool {
        let graph = &self.analysis.graph;
        matches!(graph.get(value), (Op::Apply, operands) if matches!(graph.path(operands[0]), Some("mlx.core.finfo" | "numpy.finfo")))
    }
}

/// The kind of what is one or the other.
fn optional(a: Kind, b: Kind) -> Kind {
    match (a, b) {
        _ if a == b => a,
        (Kind::Array | Kind::OptionalArray, Kind::None) | (Kind::None, Kind::Array | Kind::OptionalArray) => Kind::OptionalArray,
        (Kind::Int, Kind::Float) | (Kind::Float, Kind::Int) => Kind::Number,
        _ => Kind::Unknown,
    }
}
