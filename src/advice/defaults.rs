//! Calls that nobody makes who does not ask for them: they stand below a test of parameters whose defaults decide it otherwise.

use std::ops::ControlFlow::Continue;

use crate::finding::{Notes, Way};
use crate::graph::Analysis;
use crate::graph::calls::{self, Called};
use crate::graph::definitions::FunctionIndex;
use crate::graph::memo::Memo;
use crate::graph::statements::{blocks, branches};
use crate::graph::value::{Comparison, Op, Symbol, ValueId};
use crate::place::Place;
use crate::syntax::ast::{self, Expr, Stmt};
use crate::syntax::{Ranged, TextRange};

use super::compiled::body_of;

/// Tests are taken apart so far.
const MAX_DEPTH: u32 = 8;

/// A test in a function by which its defaults do not come to a call.
#[derive(PartialEq, Eq)]
pub(super) struct Guard {
    function: String,
    test: String,
    /// What the test is by default.
    is: bool,
    /// The parameters that the test asks for.
    names: Vec<String>,
    /// The file holds all calls of the function, and none passes a parameter that the test asks for.
    pub(super) is_never_passed: bool,
}

impl Guard {
    /// What other files may know of it.
    pub(super) fn way(&self) -> Way {
        Way { function: self.function.clone(), parameters: self.names.clone() }
    }

    /// What is told of it.
    pub(super) fn told(&self) -> String {
        format!(" By default `{}` does not call it: `{}` {} there.", self.function, self.test, if self.is { "holds" } else { "fails" })
    }
}

/// The tests that keep `calls` from being made by default; none where one of them is made all the same.
pub(super) fn guards(analysis: &Analysis<'_>, calls: &[Called<'_>]) -> Vec<Guard> {
    let mut guards: Vec<Guard> = Vec::new();
    for call in calls {
        let Some(guard) = guard(analysis, call) else { return Vec::new() };
        guards.extend(Some(guard).filter(|g| !guards.contains(g)));
    }
    guards
}

fn guard(analysis: &Analysis<'_>, call: &Called<'_>) -> Option<Guard> {
    let by = call.by?;
    let function = analysis.definitions.functions[by].ast;
    let body = body_of(analysis, Some(by))?;
    let notes = Notes::default();
    let place = Place::new(analysis, body, &notes);
    let mut tests = Vec::new();
    tests_around(&function.body, call.call.range(), &mut tests);
    let by_default = |test: &Expr| place.value(test).and_then(|v| truth(analysis, v, &mut Memo::new(MAX_DEPTH, None)));
    // The last one says most of what is asked for.
    let (test, wanted) = tests.into_iter().rfind(|&(test, wanted)| by_default(test) == Some(!wanted))?;
    let names = asked(analysis, body.name, place.value(test)?);
    Some(Guard {
        function: function.name.to_string(),
        test: analysis.source.quote(test.range()),
        is: !wanted,
        is_never_passed: is_never_passed(analysis, by, &names),
        names: names.into_iter().map(|name| analysis.graph.name(name).to_owned()).collect(),
    })
}

/// The tests that `body` makes on its way to `range`, each with what it has to be for that.
fn tests_around<'x>(body: &'x [Stmt], range: TextRange, tests: &mut Vec<(&'x Expr, bool)>) {
    let Some(at) = body.iter().position(|s| s.range().contains_range(range)) else { return };
    let leaves = |block: &[Stmt]| matches!(block.last(), Some(Stmt::Return(_) | Stmt::Raise(_)));
    for s in body[..at].iter().filter_map(Stmt::as_if_stmt) {
        let left = branches(s).take_while(|(_, block)| leaves(block));
        tests.extend(left.filter_map(|(test, _)| Some((test?, false))));
    }
    let is_inside = |block: &[Stmt]| block.iter().any(|s| s.range().contains_range(range));
    if let Stmt::If(s) = &body[at] {
        for (test, block) in branches(s) {
            tests.extend(test.map(|test| (test, is_inside(block))));
            if is_inside(block) {
                break;
            }
        }
    }
    if let Some(block) = blocks(&body[at]).into_iter().find(|block| is_inside(block)) {
        tests_around(block, range, tests);
    }
}

/// Whether other files cannot call function number `index`, and no call in this one passes a parameter called as one of `names`.
fn is_never_passed(analysis: &Analysis<'_>, index: FunctionIndex, names: &[Symbol]) -> bool {
    let info = &analysis.definitions.functions[index];
    let calls = calls::of_function(analysis, index);
    let is_private = info.parent.is_some() || info.ast.name.starts_with('_') && !info.ast.name.ends_with("__");
    let is_asked = |name: &str| names.iter().any(|&n| analysis.graph.name(n) == name);
    let parameters = || info.ast.parameters.iter_non_variadic_params().enumerate().filter(|(_, p)| is_asked(&p.parameter.name));
    // Who is handed the function may pass anything.
    let text = analysis.source.text().as_bytes();
    let is_called_alone = || memchr::memmem::find_iter(text, info.ast.name.as_bytes()).count() == calls.len() + 1;
    is_private
        && !names.is_empty()
        && !calls.is_empty()
        && is_called_alone()
        && calls.iter().all(|c| c.is_plain() && parameters().all(|(at, _)| c.given(info.ast, at).is_none()))
}

/// The parameters of `scope` that `value` is made of.
fn asked(analysis: &Analysis<'_>, scope: Symbol, value: ValueId) -> Vec<Symbol> {
    let mut names = Vec::new();
    analysis.graph.finds(value, |v| {
        let (op, operands) = analysis.graph.get(v);
        names.extend(if let Op::Param(of, name) = op { Some(name).filter(|_| of == scope) } else { None });
        Continue(operands)
    });
    names
}

/// Whether `value` is true where parameters have their defaults.
fn truth(analysis: &Analysis<'_>, value: ValueId, known: &mut Memo<Option<bool>>) -> Option<bool> {
    known.of(value, |known| {
        let (op, operands) = analysis.graph.get(value);
        let mut of = |v: ValueId| truth(analysis, v, known);
        match op {
            Op::Not => of(operands[0]).map(|t| !t),
            Op::And | Op::Or => {
                let ends = op == Op::Or;
                let parts: Vec<Option<bool>> = operands.iter().map(|&v| of(v)).collect();
                if parts.contains(&Some(ends)) { Some(ends) } else { (!parts.contains(&None)).then_some(!ends) }
            }
            Op::Compare(comparison) => {
                let (a, b) = (number(analysis, operands[0])?, number(analysis, operands[1])?);
                match comparison {
                    Comparison::Eq => Some(a == b),
                    Comparison::NotEq => Some(a != b),
                    Comparison::Lt => Some(a < b),
                    Comparison::LtE => Some(a <= b),
                    Comparison::Gt => Some(a > b),
                    Comparison::GtE => Some(a >= b),
                    Comparison::Is | Comparison::In => None,
                }
            }
            _ => number(analysis, value).map(|n| n != 0.0),
        }
    })
}

/// The number that `value` is where parameters have their defaults.
fn number(analysis: &Analysis<'_>, value: ValueId) -> Option<f64> {
    let graph = &analysis.graph;
    match graph.op(value) {
        Op::Bool(is) => Some(f64::from(u8::from(is))),
        Op::Param(scope, name) => match analysis.definitions.parameter(scope, name, graph)?.default.as_deref()? {
            Expr::BooleanLiteral(e) => Some(f64::from(u8::from(e.value))),
            Expr::NumberLiteral(e) => match &e.value {
                ast::Number::Int(n) => n.as_i64().map(|n| n as f64),
                ast::Number::Float(n) => Some(*n),
                ast::Number::Complex { .. } => None,
            },
            _ => None,
        },
        _ => graph.number(value),
    }
}
