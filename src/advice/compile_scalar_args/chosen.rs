//! Whether the number that a call passes is another in the next call: the file shows that it changes, or callers choose it.
//!
//! A name is followed to the function around that binds it, to what an assignment or a branch made of it, and to what callers gave that function.

use std::ops::ControlFlow::{Break, Continue};

use crate::finding::Notes;
use crate::graph::Analysis;
use crate::graph::body::Body;
use crate::graph::calls::{self, Called};
use crate::graph::facts::{Facts, Kind};
use crate::graph::value::{Graph, Op, Symbol, ValueId};
use crate::place::Place;
use crate::syntax::Ranged;
use crate::syntax::ast::{self, Expr};

use crate::advice::compiled::body_of;

/// Names are followed so far.
const MAX_DEPTH: u32 = 4;

/// Why a number is another in the next call.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Change {
    /// Callers may choose it.
    Chosen,
    /// The file shows that it changes.
    Seen,
}

/// Why what `call` passes may be another number in the next call; one that is not annotated must be seen to be a number.
pub(super) fn change(analysis: &Analysis<'_>, call: &Called<'_>, given: &Expr, is_annotated: bool) -> Option<Change> {
    // A comprehension's own name.
    let Some((_, value)) = held(analysis, call, given) else {
        return (is_annotated && call.in_loop && given.is_name_expr()).then_some(Change::Seen);
    };
    Chooser { analysis, call, is_annotated }.change(value, 0)
}

/// What `given` holds where `call` is made, and the scope that says so: that of the call, or one around it that binds the name.
fn held<'x>(analysis: &'x Analysis<'_>, call: &Called<'_>, given: &Expr) -> Option<(&'x Body, ValueId)> {
    let body = body_of(analysis, call.by)?;
    let notes = Notes::default();
    if let Some(value) = Place::new(analysis, body, &notes).value(given) {
        return Some((body, value));
    }
    let name = analysis.graph.known_symbol(&given.as_name_expr()?.id)?;
    let functions = &analysis.definitions.functions;
    let mut inner = call.by?;
    for _ in 0..MAX_DEPTH {
        let outer = functions[inner].parent?;
        let body = body_of(analysis, Some(outer))?;
        if let Some(value) = body.value_of(name, functions[inner].ast.range().end()) {
            return Some((body, value));
        }
        inner = outer;
    }
    None
}

/// Looks at what one call passes.
struct Chooser<'c, 'a> {
    analysis: &'c Analysis<'a>,
    call: &'c Called<'c>,
    /// The parameter that it is passed for is annotated as a number.
    is_annotated: bool,
}

impl Chooser<'_, '_> {
    fn change(&self, value: ValueId, depth: u32) -> Option<Change> {
        let Self { analysis, call, is_annotated } = *self;
        let graph = &analysis.graph;
        let (op, operands) = graph.get(value);
        let any = |values: &[ValueId]| values.iter().filter_map(|&v| self.change(v, depth + 1)).max();
        let by = body_of(analysis, call.by).map(|b| b.name);
        match op {
            _ if depth > MAX_DEPTH => None,
            Op::Mlx("item") => Some(Change::Seen),
            // What the function that loops was given is the same in each round.
            Op::Param(scope, _) if call.in_loop && by == Some(scope) => None,
            Op::Param(scope, name) => is_chosen(analysis, (scope, name), is_annotated, 0).then_some(Change::Chosen),
            // What the function around left in the name.
            Op::Captured(scope, name) => {
                let body = body_of(analysis, analysis.definitions.function_named(scope))?;
                self.change(body.value_of(name, body.range.end()).filter(|&v| v != value)?, depth + 1)
            }
            Op::Gate => any(&operands[1..]),
            // What is made of a number that callers choose, as by a function that keeps it within bounds.
            Op::Call(..) if is_annotated => any(&operands[1..]),
            Op::Keyword(_) => any(operands),
            Op::Item(_) | Op::Index(_) => is_annotated.then_some(Change::Seen),
            Op::Phi(..) | Op::Element(..) | Op::Add | Op::Sub | Op::Mul | Op::Div | Op::Pow | Op::Apply if !graph.is_arrayish(value) => {
                let kind = Facts::anywhere(analysis).kind(value);
                let is_counted = || matches!(kind, Kind::Int | Kind::Float | Kind::Number) && !has_constant_operands(graph, value);
                (is_annotated || call.in_loop && is_counted()).then(|| if is_of_parameters(graph, value) { Change::Chosen } else { Change::Seen })
            }
            _ => None,
        }
    }
}

/// Whether `annotation` allows numbers alone.
pub(super) fn is_number_type(annotation: &Expr) -> bool {
    match annotation {
        Expr::Name(name) => matches!(name.id.as_str(), "float" | "int"),
        Expr::BinOp(e) => e.op == ast::Operator::BitOr && is_number_type(&e.left) && is_number_type(&e.right),
        _ => false,
    }
}

/// Whether callers choose the parameter `name` of the function `scope`: it says that it is a number, by its annotation or, where `by_default`, by its default
/// alone, and the calls in the file, if there are any, are not all given attributes, constants, and what stays the same in the loop that calls.
fn is_chosen(analysis: &Analysis<'_>, (scope, name): (Symbol, Symbol), by_default: bool, depth: u32) -> bool {
    let (graph, definitions) = (&analysis.graph, &analysis.definitions);
    let Some(index) = definitions.function_named(scope) else { return false };
    let function = definitions.functions[index].ast;
    let name = graph.name(name);
    let Some((at, declared)) = function.parameters.iter_non_variadic_params().enumerate().find(|(_, p)| p.parameter.name.as_str() == name) else {
        return false;
    };
    let is_number = declared.parameter.annotation.as_deref().is_some_and(is_number_type)
        || by_default && declared.default.as_deref().is_some_and(Expr::is_number_literal_expr);
    let calls = calls::of_function(analysis, index);
    let chooses = |call: &Called<'_>| {
        let Some(given) = call.given(function, at) else { return false };
        match held(analysis, call, given).map(|(_, value)| graph.op(value)) {
            Some(Op::Param(..) | Op::Captured(..)) if call.in_loop => false,
            Some(Op::Param(scope, name) | Op::Captured(scope, name)) => depth < 3 && is_chosen(analysis, (scope, name), by_default, depth + 1),
            _ => !given.is_attribute_expr() && !given.is_literal_expr(),
        }
    };
    is_number && (calls.iter().any(chooses) || calls.is_empty() && !is_handed_on(analysis, function.name.as_str()))
}

/// Whether the file mentions the function called `name` again: what it hands it to calls it.
fn is_handed_on(analysis: &Analysis<'_>, name: &str) -> bool {
    let source = analysis.source;
    source.tokens().iter().filter(|t| source.slice(t.range()) == name).nth(1).is_some()
}

/// Whether `value` is made of parameters, and of what stays the same.
fn is_of_parameters(graph: &Graph, value: ValueId) -> bool {
    !graph.finds(value, |v| match graph.get(v) {
        (Op::Param(..), _) => Continue(&[]),
        (Op::Phi(..) | Op::Element(..) | Op::Opaque(..) | Op::Call(..), _) => Break(()),
        (_, operands) => Continue(operands),
    })
}

/// Whether `value` is made of constants and attributes alone.
fn has_constant_operands(graph: &Graph, value: ValueId) -> bool {
    !graph.finds(value, |v| match graph.get(v) {
        (Op::Int(_) | Op::Float(_) | Op::Attr(..) | Op::Dim(_) | Op::ModuleName(_) | Op::Global(_) | Op::Builtin(_), _) => Continue(&[]),
        (Op::Phi(..) | Op::Element(..) | Op::Param(..), _) | (_, []) => Break(()),
        (_, operands) => Continue(operands),
    })
}
