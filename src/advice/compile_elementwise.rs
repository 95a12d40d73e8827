//! Functions that compute element by element and are not compiled: each operation is a kernel of its own that reads and writes the whole array, where a
//! compiled function is one.
//!
//! Told are whole functions alone, for those can be compiled as they stand: what they return is made of their parameters by operations on elements. What is
//! called in `__init__` or by the module runs once.

mod kernels;
mod little;

use rustc_hash::FxHashSet;

use crate::finding::{Finding, Notes, TransformId};
use crate::graph::body::{Body, Effect};
use crate::graph::calls;
use crate::graph::definitions::FunctionIndex;
use crate::graph::facts::{Facts, Kind};
use crate::graph::value::{Op, ValueId};
use crate::graph::{Analysis, activations};
use crate::syntax::ast::Expr;
use crate::syntax::{Ranged, TextRange};

use super::compiled::with_partial;
use super::reach::is_compiled_with_its_users;
use super::{Told, counted};
use kernels::Kernels;

/// Fewer operations are not worth the trouble.
const LEAST: usize = 4;

/// Find the functions that compilation would make one kernel of.
pub fn find(analysis: &Analysis<'_>, id: &TransformId, notes: &Notes) -> Vec<Finding> {
    let told = analysis.bodies.iter().filter_map(|body| of_function(analysis, body, notes));
    let lambdas = analysis.bodies.iter().flat_map(|body| of_lambdas(analysis, body));
    told.chain(lambdas).map(|t: Told| t.finding(id)).collect()
}

/// What is told of the lambdas in `body` that are activations of `mlx.nn`, written out.
fn of_lambdas(analysis: &Analysis<'_>, body: &Body) -> Vec<Told> {
    let graph = &analysis.graph;
    let lambdas = body.occurrences.iter().filter(|o| o.own && matches!(graph.op(o.value), Op::Function(_)));
    let told = lambdas.filter_map(|lambda| {
        let inside = body.occurrences_in(lambda.range).filter(|o| o.own && o.range != lambda.range);
        let whole = inside.max_by_key(|o| o.range.len())?;
        let mut kernels = Kernels::new(graph);
        let &[x] = kernels.see(whole.value).then(|| kernels.leaves.iter().copied().collect::<Vec<_>>())?.as_slice() else { return None };
        activations::activation(graph, whole.value, x)?;
        let n = kernels.apart(&kernels.leaves, body.occurrences_in(lambda.range));
        let head = analysis.source.slice(TextRange::new(lambda.range.start(), whole.range.start()));
        let name = head.split(':').next()?.trim();
        let function = Function { range: lambda.range, name, lines: Lines::Lambda };
        (kernels.depending(&kernels.leaves).len() >= LEAST).then(|| told(analysis, &function, &kernels, whole.value, n))
    });
    told.collect()
}

fn of_function(analysis: &Analysis<'_>, body: &Body, notes: &Notes) -> Option<Told> {
    let index = body.function?;
    let function = analysis.definitions.functions[index].ast;
    let graph = &analysis.graph;
    let returned = returned(body)?;
    let mut kernels = Kernels::new(graph);
    let is_whole = kernels.see(returned);
    let range = function.range();
    let left = |likeness: u32, reason: &str| notes.left::<Told>(range, range, likeness, || reason.to_owned());
    if kernels.operations.len() < 2 {
        return None;
    }
    if !is_whole {
        return left(60, "it does more than compute with elements");
    }
    let data = data(analysis, index, &kernels);
    if kernels.depending(&data).len() < LEAST {
        return left(60, "so few operations gain little");
    }
    if analysis.compiled().iter().any(|c| c.compiles(body)) {
        return left(100, "it is compiled already");
    }
    // Of numbers it would be no kernel at all.
    let facts = Facts::at(analysis, body, 0, body.range.end());
    if !kernels.leaves.iter().any(|&leaf| facts.kind(leaf) == Kind::Array) {
        return left(80, "nothing that it computes with is known to be an array");
    }
    // Each number would be compiled by itself.
    if !kernels.leaves.iter().all(|&leaf| facts.kind(leaf) == Kind::Array) {
        return left(80, "it may also be given numbers, each of which would be compiled by itself");
    }
    if little::is_given(analysis, index) {
        return left(
            100,
            "it is called for numbers, for tables, which are made once, for what a sum or a mean leaves, or for a number for each channel",
        );
    }
    if function.parameters.len() != kernels.leaves.len() || runs_once(analysis, index) || is_compiled_with_its_users(analysis, index) {
        return left(100, "it runs once, or in a function that is compiled, or takes more than arrays");
    }
    let is_static = function.decorator_list.iter().any(|d| d.expression.as_name_expr().is_some_and(|n| n.id.as_str() == "staticmethod"));
    let lines = if is_static { Lines::Static } else { Lines::Plain };
    let n = kernels.apart(&data, body.occurrences.iter());
    Some(told(analysis, &Function { range, name: &function.name, lines }, &kernels, returned, n))
}

/// How a function is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lines {
    /// `def`, and other decorators at most.
    Plain,
    /// `def` below `@staticmethod`.
    Static,
    /// `lambda`.
    Lambda,
}

/// What is told of.
struct Function<'n> {
    range: TextRange,
    name: &'n str,
    lines: Lines,
}

/// What is told of `function`, which returns `returned`: it is `n` kernels one by one.
fn told(analysis: &Analysis<'_>, function: &Function<'_>, kernels: &Kernels<'_>, returned: ValueId, n: usize) -> Told {
    let graph = &analysis.graph;
    let &Function { range, name, lines } = function;
    let most = if kernels.has_casts() { "up to " } else { "" };
    let message = format!("`{name}` computes with elements alone, in {most}{n} kernels, and is not compiled");
    let cost = format!("{most}{n} kernels and {} temporary arrays of the size of the data", n - 1);
    let cost = cost.replacen('u', "U", usize::from(!most.is_empty()));
    let only: Vec<ValueId> = kernels.leaves.iter().copied().collect();
    let known = if let [x] = only[..] { activations::activation(graph, returned, x) } else { None };
    let (fused, one_shape) = (kernels.fused(returned, true), kernels.fused(returned, false));
    let compiled = match fused {
        1 => "1 kernel without any".to_owned(),
        _ => format!("{fused} kernels with {}", counted(fused - 1, "array")),
    };
    let mut rationale = Vec::new();
    if let Some(activation) = known {
        rationale.push(format!("{cost}, where `nn.{activation}` of `mlx.nn` computes the same and is compiled already: {compiled}."));
        let half = if kernels.has_array_constants() {
            format!(" It leaves half precision as it is, where `{name}` makes float32 of it.")
        } else {
            String::new()
        };
        rationale.push(match lines {
            Lines::Lambda => format!("Write `nn.{activation}` in place of the lambda.{half}"),
            _ => format!("Call `nn.{activation}` in its place.{half}"),
        });
    } else {
        let deep = if fused > one_shape {
            ", for MLX fuses 11 operations in a row and counts broadcasts (`@mx.compile`, for one shape at a time, is 1 kernel)"
        } else {
            ""
        };
        rationale.push(format!("{cost}, where a compiled function is {compiled}{deep}."));
        let place = if lines == Lines::Static { "below `@staticmethod`".to_owned() } else { format!("above `{name}`") };
        rationale.push(format!(
            "Write `@partial(mx.compile, shapeless=True)` {place}{}; it is compiled once for each dtype and number of axes.",
            with_partial(analysis)
        ));
    }
    Told { range, message, rationale }
}

/// The leaves that are of the size of the data: not those for which every call in the file gives a parameter of its module.
fn data(analysis: &Analysis<'_>, index: FunctionIndex, kernels: &Kernels<'_>) -> FxHashSet<ValueId> {
    let function = analysis.definitions.functions[index].ast;
    let calls = calls::of_function(analysis, index);
    let is_weight = |given: Option<&Expr>| {
        given.is_some_and(|e| e.as_attribute_expr().is_some_and(|a| a.value.as_name_expr().is_some_and(|n| n.id.as_str() == "self")))
    };
    let parameters = function.parameters.iter_non_variadic_params().enumerate();
    let small = parameters.filter(|&(at, _)| !calls.is_empty() && calls.iter().all(|c| is_weight(c.given(function, at))));
    let small: Vec<&str> = small.map(|(_, p)| p.name().as_str()).collect();
    let graph = &analysis.graph;
    let is_small = |v: ValueId| matches!(graph.op(v), Op::Param(_, name) if small.contains(&graph.name(name)));
    kernels.leaves.iter().copied().filter(|&v| !is_small(v)).collect()
}

/// What the function returns, where it does nothing else.
fn returned(body: &Body) -> Option<ValueId> {
    let mut returns = body.effects.iter().filter(|e| !matches!(e, Effect::Leave | Effect::Else));
    match (returns.next(), returns.next()) {
        (Some(&Effect::Return(value)), None) => Some(value),
        _ => None,
    }
}

/// Whether all calls in the file are made once: by the module, or by an `__init__`, outside of loops.
fn runs_once(analysis: &Analysis<'_>, index: FunctionIndex) -> bool {
    let calls = calls::of_function(analysis, index);
    let by_init = |f: FunctionIndex| analysis.definitions.functions[f].ast.name.as_str() == "__init__";
    !calls.is_empty() && calls.iter().all(|c| !c.in_loop && c.by.is_none_or(by_init))
}
