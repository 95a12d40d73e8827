//! The calls that a file makes of its own functions and modules, and what each gives the parameters.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::graph::Analysis;
use crate::graph::definitions::{ClassIndex, FunctionIndex};
use crate::graph::facts::Facts;
use crate::graph::modules::passed;
use crate::graph::value::{Op, Symbol, ValueId};

/// A call of a function of the file.
pub(super) struct Call {
    pub(super) value: ValueId,
    pub(super) function: FunctionIndex,
    /// The parameters, and what they are given; nothing where that is not known.
    pub(super) given: Option<Vec<(ValueId, Passed)>>,
    /// The scope that it stands in.
    pub(super) body: usize,
}

#[derive(Clone, Copy)]
pub(super) enum Passed {
    Value(ValueId),
    /// The default, which is `None`.
    None,
    /// Another default.
    Default,
}

/// The calls of functions of the file, and the functions of which others may be made.
pub(super) fn calls(analysis: &Analysis<'_>) -> (Vec<Call>, FxHashSet<FunctionIndex>) {
    let graph = &analysis.graph;
    let (mut calls, mut made, mut reached) = (Vec::new(), FxHashMap::default(), FxHashSet::default());
    for (number, body) in analysis.bodies.iter().enumerate() {
        let facts = Facts::at(analysis, body, 0, body.range.end());
        let mut seen = FxHashSet::default();
        for value in body.occurrences.iter().map(|o| o.value).filter(|&v| seen.insert(v)) {
            let (Op::Apply | Op::Call(..), operands) = graph.get(value) else { continue };
            if let Op::Class(_) = graph.op(operands[0])
                && let Some(class) = facts.class_of(value, 0)
                && let Some(function) = method(analysis, class, graph.known_symbol("__call__"))
            {
                made.insert(value, function);
            }
            if let Some(function) = called(analysis, &facts, operands[0], &mut reached) {
                calls.push(Call { value, function, given: given(analysis, function, &operands[1..]), body: number });
            }
        }
    }
    // An instance that is kept elsewhere may be called with anything.
    let elsewhere = made.into_iter().filter(|(value, _)| !reached.contains(value)).map(|(_, function)| function);
    (calls, elsewhere.collect())
}

/// The function of the file that `callee` is, or that calling it runs; the instances that it may be are noted as `reached`.
fn called(analysis: &Analysis<'_>, facts: &Facts<'_>, callee: ValueId, reached: &mut FxHashSet<ValueId>) -> Option<FunctionIndex> {
    let graph = &analysis.graph;
    if let Op::Function(name) = graph.op(callee) {
        return analysis.definitions.function_named(name).filter(|&f| analysis.definitions.functions[f].class.is_none());
    }
    if let Some(function) = analysis.definitions.static_named(graph, callee) {
        return Some(function);
    }
    if let (Op::Attr(name, _), &[object]) = graph.get(callee)
        && let Some(class) = analysis.classes.receiver(object)
        && let Some(method) = method(analysis, class, Some(name))
    {
        return Some(method);
    }
    let instances = facts.instances(callee);
    let call = graph.known_symbol("__call__");
    let mut methods = instances.iter().map(|&v| method(analysis, facts.class_of(v, 0)?, call));
    let first = methods.next()??;
    methods.all(|m| m == Some(first)).then_some(())?;
    reached.extend(instances);
    Some(first)
}

/// What calling the method `name` of an instance of `class` runs, as far as the file says: its own, or that of a class in the file that it extends.
fn method(analysis: &Analysis<'_>, class: ClassIndex, name: Option<Symbol>) -> Option<FunctionIndex> {
    let (name, definitions) = (name?, &analysis.definitions);
    let mut classes = std::iter::once(class).chain(definitions.ancestors(class));
    let own = classes.find_map(|c| definitions.classes[c].methods.get(&name)).copied().flatten();
    let own = own.filter(|_| !definitions.classes[class].overridden.contains(&name) && !definitions.classes[class].dynamic);
    own.or_else(|| definitions.static_of(class, name))
}

/// What a call gives each parameter of `function`.
fn given(analysis: &Analysis<'_>, function: FunctionIndex, arguments: &[ValueId]) -> Option<Vec<(ValueId, Passed)>> {
    let (graph, info) = (&analysis.graph, &analysis.definitions.functions[function]);
    let parameters = &info.ast.parameters;
    if arguments.iter().any(|&v| graph.op(v) == Op::Star) || parameters.vararg.is_some() || parameters.kwarg.is_some() {
        return None;
    }
    // Of a method that is called on an instance the first is the instance.
    let first = parameters.iter_non_variadic_params().next().and_then(|p| graph.known_symbol(p.parameter.name.as_str()));
    let receiver = first.and_then(|name| graph.find_leaf(Op::Param(info.name, name))).and_then(|v| analysis.classes.receiver(v));
    if receiver != info.class && !analysis.definitions.is_static(function, graph) {
        return None;
    }
    let bound = parameters.iter_non_variadic_params().skip(usize::from(receiver.is_some())).enumerate();
    let pairs = bound.filter_map(|(at, parameter)| {
        let name = parameter.parameter.name.as_str();
        let leaf = graph.find_leaf(Op::Param(info.name, graph.known_symbol(name)?))?;
        let passed = passed(graph, arguments, at, name).map(Passed::Value);
        let default = || if parameter.default().is_some_and(|d| d.is_none_literal_expr()) { Passed::None } else { Passed::Default };
        Some((leaf, passed.unwrap_or_else(default)))
    });
    Some(pairs.collect())
}
