//! Functions that compute element by element and are not compiled: each operation is a kernel of its own that reads and writes the whole array, where a
//! compiled function is one.
//!
//! Told are whole functions alone, for those can be compiled as they stand: what they return is made of their parameters by operations on elements. What is
//! called in `__init__` or by the module runs once.

use rustc_hash::FxHashSet;

use crate::finding::{Finding, Notes, TransformId};
use crate::graph::Analysis;
use crate::graph::body::{Body, Effect};
use crate::graph::definitions::FunctionIndex;
use crate::graph::facts::{Facts, Kind, UNARY};
use crate::graph::value::{Graph, Op, ValueId};
use crate::place::Place;
use crate::syntax::Ranged;

use super::Told;
use super::compiled::{body_of, calls_of};

/// Fewer operations are not worth the trouble.
const LEAST: usize = 4;

/// Whether `compile` fuses this function of `mlx.core` with what it meets.
fn is_fusible(name: &str) -> bool {
    UNARY.contains(&name) || matches!(name, "maximum" | "minimum" | "where" | "clip" | "astype" | "logaddexp" | "remainder" | "arctan2")
}

/// Find the functions that compilation would make one kernel of.
pub fn find(analysis: &Analysis<'_>, id: &TransformId, notes: &Notes) -> Vec<Finding> {
    let told = analysis.bodies.iter().filter_map(|body| of_function(analysis, body, notes));
    told.map(|t: Told| t.finding(id)).collect()
}

fn of_function(analysis: &Analysis<'_>, body: &Body, notes: &Notes) -> Option<Told> {
    let index = body.function?;
    let function = analysis.definitions.functions[index].ast;
    let graph = &analysis.graph;
    let returned = returned(body)?;
    let mut count = Count { graph, operations: FxHashSet::default(), leaves: FxHashSet::default() };
    let is_whole = count.see(returned);
    let range = function.range();
    let left = |likeness: u32, reason: &str| notes.left::<Told>(range, range, likeness, || reason.to_owned());
    let n = count.operations.len();
    if n < 2 {
        return None;
    }
    if !is_whole {
        return left(60, "it does more than compute with elements");
    }
    if n < LEAST {
        return left(60, "so few operations gain little");
    }
    if analysis.compiled().iter().any(|c| c.compiles(body)) {
        return left(100, "it is compiled already");
    }
    // Of numbers it would be no kernel at all.
    let facts = Facts::at(analysis, body, 0, body.range.end());
    if !count.leaves.iter().any(|&leaf| facts.kind(leaf) == Kind::Array) {
        return left(80, "nothing that it computes with is known to be an array");
    }
    // Each number would be compiled by itself.
    if !count.leaves.iter().all(|&leaf| facts.kind(leaf) == Kind::Array) {
        return left(80, "it may also be given numbers, each of which would be compiled by itself");
    }
    if is_given_little(analysis, index) {
        return left(100, "it is called for numbers and for tables, which are made once");
    }
    if function.parameters.len() != count.leaves.len() || runs_once(analysis, index) || is_under_compilation(analysis, index) {
        return left(100, "it runs once, or in a function that is compiled, or takes more than arrays");
    }
    let name = &function.name;
    Some(Told {
        range,
        message: format!("`{name}` computes with elements alone, {n} operations of them, and is not compiled"),
        rationale: vec![
            format!("{n} kernels and {} temporary arrays of the size of the data, where a compiled function is 1 kernel without any.", n - 1),
            format!(
                "Write `@partial(mx.compile, shapeless=True)` above `{name}`, with `from functools import partial`; each dtype is compiled once."
            ),
        ],
    })
}

/// What the function returns, where it does nothing else.
fn returned(body: &Body) -> Option<ValueId> {
    let mut returns = body.effects.iter().filter(|e| !matches!(e, Effect::Leave | Effect::Else));
    match (returns.next(), returns.next()) {
        (Some(&Effect::Return(value)), None) => Some(value),
        _ => None,
    }
}

/// Counts operations on elements.
struct Count<'g> {
    graph: &'g Graph,
    operations: FxHashSet<ValueId>,
    leaves: FxHashSet<ValueId>,
}

impl Count<'_> {
    /// Whether `value` is made of leaves by operations on elements alone.
    fn see(&mut self, value: ValueId) -> bool {
        if self.operations.contains(&value) || self.leaves.contains(&value) || is_constant(self.graph, value) {
            return true;
        }
        let (op, operands) = self.graph.get(value);
        let parts = match op {
            Op::Add | Op::Sub | Op::Mul | Op::Div | Op::Pow | Op::Neg | Op::Compare(_) => operands,
            // The dtype is no array.
            Op::Mlx("astype") => &operands[..1],
            Op::Mlx(name) if is_fusible(name) => operands,
            Op::Int(_) | Op::Float(_) | Op::Bool(_) | Op::None | Op::Global(_) => return true,
            Op::Apply if self.graph.path(operands[0]).is_some_and(|p| p.starts_with("math.")) => {
                return operands[1..].iter().all(|&v| is_constant(self.graph, v));
            }
            Op::Param(..) => {
                self.leaves.insert(value);
                return true;
            }
            _ => return false,
        };
        let parts: Vec<ValueId> = parts.iter().copied().filter(|&v| self.graph.op(v) != Op::DtypeOf).collect();
        if parts.iter().all(|&v| !matches!(self.graph.op(v), Op::Int(_) | Op::Float(_))) || parts.len() > 1 {
            self.operations.insert(value);
        }
        self.operations.len() < 500 && parts.into_iter().all(|v| self.see(v))
    }
}

/// Whether `value` is a number that Python works out of constants.
fn is_constant(graph: &Graph, value: ValueId) -> bool {
    match graph.get(value) {
        (Op::Int(_) | Op::Float(_) | Op::Global(_), _) => true,
        (Op::Add | Op::Sub | Op::Mul | Op::Div | Op::Pow | Op::Neg | Op::Apply, operands) => operands.iter().all(|&v| is_constant(graph, v)),
        _ => false,
    }
}

/// Whether some call gives it one element of a table, or all give it tables that are made of numbers.
fn is_given_little(analysis: &Analysis<'_>, index: FunctionIndex) -> bool {
    let calls = calls_of(analysis, index);
    let mut tables = 0;
    for called in &calls {
        let (Some(body), Some(argument)) = (body_of(analysis, called.by), called.call.arguments.args.first()) else { return false };
        let notes = Notes::default();
        let Some(value) = Place::new(analysis, body, &notes).value(argument) else { return false };
        let facts = Facts::at(analysis, body, 0, body.range.end());
        if is_element(&facts, &analysis.graph, value) {
            return true;
        }
        tables += usize::from(is_table(&facts, &analysis.graph, value, 0));
    }
    tables > 0 && tables == calls.len()
}

/// Whether `value` is what a number picks that is computed: the first part of something has a plain one.
fn is_element(facts: &Facts<'_>, graph: &Graph, value: ValueId) -> bool {
    matches!(graph.get(value), (Op::Index(_), of) if !matches!(graph.op(of[1]), Op::Int(_)) && facts.kind(of[1]).is_number())
}

/// Whether `value` is made of `mx.arange` and numbers.
fn is_table(facts: &Facts<'_>, graph: &Graph, value: ValueId, depth: u32) -> bool {
    let of = |operands: &[ValueId]| depth < 12 && operands.iter().all(|&v| is_table(facts, graph, v, depth + 1));
    match graph.get(value) {
        (Op::Mlx("arange" | "linspace" | "array"), _) => true,
        (Op::Add | Op::Sub | Op::Mul | Op::Div | Op::Pow | Op::Neg, operands) => of(operands),
        (Op::Index(_) | Op::Mlx("reshape" | "expand_dims"), operands) => of(&operands[..1]),
        _ => facts.kind(value).is_number(),
    }
}

/// Whether all calls in the file are made once: by the module, or by an `__init__`, outside of loops.
fn runs_once(analysis: &Analysis<'_>, index: FunctionIndex) -> bool {
    let calls = calls_of(analysis, index);
    let by_init = |f: FunctionIndex| analysis.definitions.functions[f].ast.name.as_str() == "__init__";
    !calls.is_empty() && calls.iter().all(|c| c.by.is_none_or(by_init))
}

/// Whether every call in the file is made by a function that is compiled.
fn is_under_compilation(analysis: &Analysis<'_>, index: FunctionIndex) -> bool {
    let calls = calls_of(analysis, index);
    let is_compiled = |by: Option<FunctionIndex>| by.is_some_and(|f| analysis.compiled().iter().any(|c| c.functions.contains(&f)));
    !calls.is_empty() && calls.iter().all(|c| is_compiled(c.by))
}
