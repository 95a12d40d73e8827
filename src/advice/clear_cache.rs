//! Loops that run a model on batches of ever other lengths. MLX keeps the buffers it has freed, by their size; with a new size in each step the old ones are of no
//! use, and are kept all the same until memory is short.

use crate::finding::{Finding, Notes, TransformId};
use crate::graph::Analysis;
use crate::place::{Place, expressions};
use crate::syntax::ast::visitor::source_order::{self, SourceOrderVisitor};
use crate::syntax::ast::{self, Expr, Stmt};
use crate::syntax::{Ranged, TextRange};

use super::Told;
use super::compiled::dotted;
use super::reads::reads;
use super::rounds::{self, Round};

/// Find the loops whose batches differ in length, in files that never limit the cache.
pub fn find(analysis: &Analysis<'_>, id: &TransformId, notes: &Notes) -> Vec<Finding> {
    let told = rounds::each(analysis, notes, of_loop);
    told.into_iter().map(|t| t.finding(id)).collect()
}

fn of_loop(place: &Place<'_>, round: &Round<'_>) -> Option<Told> {
    let Stmt::For(s) = round.statement else { return None };
    let analysis = place.analysis;
    let generator = called_in(&s.iter).into_iter().find_map(|name| {
        let symbol = analysis.graph.known_symbol(name)?;
        let index = analysis.definitions.function_named(symbol)?;
        Some(analysis.definitions.functions[index].ast)
    })?;
    let range = TextRange::new(s.target.start(), s.iter.end());
    let left = |reason: &str| place.notes.left::<Told>(range, range, 100, || reason.to_owned());
    let Some(shape) = padded(analysis, generator) else { return left("its batches are not seen to differ in length") };
    if !updates(round) {
        if !evaluates(place, round) {
            return left("no round evaluates what it computes, so that nothing is freed before the loop is done");
        }
        if !calls_something(place, round, &s.target) {
            return left("no model is called with the batches, so that they are all that takes memory");
        }
    }
    let named = |range: TextRange, name: &str| analysis.source.tokens().in_range(range).iter().any(|t| analysis.source.slice(t.range()) == name);
    if named(place.body.range, "clear_cache") || named(generator.range(), "clear_cache") || named(analysis.source.module().range(), "set_cache_limit")
    {
        return left("the cache is cleared or limited already");
    }
    let made = analysis.source.quote(shape);
    Some(Told {
        range,
        message: format!("each batch of `{}` has a length of its own, and the loop never clears the buffer cache", generator.name),
        rationale: vec![
            format!("`{made}` makes 1 new shape for each longest text: buffers of all the lengths so far stay in the cache."),
            "Call `mx.clear_cache()` every so many steps (it returns None and frees only what nothing holds), limit it with `mx.set_cache_limit`, or pad to a multiple of 32 or 64, so that few shapes come up.".to_owned(),
        ],
    })
}

/// Whether `round` updates a model.
fn updates(round: &Round<'_>) -> bool {
    any_call(round, &mut |call| expressions::applied_gradients(call).is_some())
}

/// Whether each round, or some, waits for what it computes.
fn evaluates(place: &Place<'_>, round: &Round<'_>) -> bool {
    let is_evaluation = |call: &ast::ExprCall| place.path(&call.func).is_some_and(|p| matches!(p.as_str(), "mlx.core.eval" | "mlx.core.async_eval"));
    any_call(round, &mut |call| is_evaluation(call)) || round.lines.iter().any(|line| !reads(place, line.statement).is_empty())
}

/// Whether `round` passes what `target` names to something that is no function of a library, nor of Python.
fn calls_something(place: &Place<'_>, round: &Round<'_>, target: &Expr) -> bool {
    let mut names: Vec<&str> = Vec::new();
    expressions::each(target, &mut |e| names.extend(e.as_name_expr().map(|n| n.id.as_str())));
    any_call(round, &mut |call| {
        let is_batch = |e: &Expr| e.as_name_expr().is_some_and(|n| names.contains(&n.id.as_str()));
        let is_model = match &*call.func {
            Expr::Name(name) => place.path(&call.func).is_none() && !place.calls_builtin(call, &name.id),
            Expr::Attribute(method) => place.path(&call.func).is_none() && dotted(&method.value).is_some_and(|object| !names.contains(&&*object)),
            _ => false,
        };
        is_model && call.arguments.args.iter().any(is_batch)
    })
}

/// Whether `is_it` holds for a call that `round` makes.
fn any_call(round: &Round<'_>, is_it: &mut dyn FnMut(&ast::ExprCall) -> bool) -> bool {
    let mut found = false;
    for line in &round.lines {
        expressions::of_statement(line.statement, &mut |expr| found = found || expr.as_call_expr().is_some_and(&mut *is_it));
    }
    found
}

/// The names of what `expr` calls.
fn called_in(expr: &Expr) -> Vec<&str> {
    let mut names = Vec::new();
    expressions::each(expr, &mut |e| names.extend(e.as_call_expr().and_then(|call| call.func.as_name_expr()).map(|n| n.id.as_str())));
    names
}

/// Where `generator` makes an array as long as the longest of something; `None` if it rounds that up, so that few lengths come up.
fn padded(analysis: &Analysis<'_>, generator: &ast::StmtFunctionDef) -> Option<TextRange> {
    let mut look = Padded { analysis, lengths: Vec::new(), yields: false, rounds: false, found: None };
    look.visit_body(&generator.body);
    look.found.filter(|_| look.yields && !look.rounds)
}

struct Padded<'x, 'a> {
    analysis: &'x Analysis<'a>,
    /// Names that hold the largest of something.
    lengths: Vec<String>,
    yields: bool,
    /// A length is rounded up to a multiple.
    rounds: bool,
    found: Option<TextRange>,
}

impl Padded<'_, '_> {
    /// Whether `expr` is a largest length, or made of one.
    fn is_length(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Name(name) => self.lengths.iter().any(|l| l == name.id.as_str()),
            Expr::Call(call) => {
                let is_max = call.func.as_name_expr().is_some_and(|n| n.id.as_str() == "max");
                let is_min = call.func.as_name_expr().is_some_and(|n| n.id.as_str() == "min");
                is_max && !call.arguments.args.iter().all(|a| a.is_number_literal_expr())
                    || is_min && call.arguments.args.iter().any(|a| self.is_length(a))
            }
            Expr::BinOp(e) => self.is_length(&e.left) || self.is_length(&e.right),
            Expr::Tuple(e) => e.elts.iter().any(|e| self.is_length(e)),
            _ => false,
        }
    }
}

impl<'x> SourceOrderVisitor<'x> for Padded<'_, '_> {
    fn visit_stmt(&mut self, statement: &'x Stmt) {
        if let Stmt::Assign(s) = statement
            && self.is_length(&s.value)
        {
            self.lengths.extend(s.targets.iter().filter_map(|t| Some(t.as_name_expr()?.id.to_string())));
        }
        source_order::walk_stmt(self, statement);
    }

    fn visit_expr(&mut self, expr: &'x Expr) {
        match expr {
            Expr::Yield(_) => self.yields = true,
            Expr::BinOp(e) if e.op == ast::Operator::FloorDiv && self.is_length(&e.left) => self.rounds = true,
            Expr::Call(call) => {
                let definitions = &self.analysis.definitions;
                let path = definitions.import_path(&call.func, &self.analysis.graph);
                let makes = path.is_some_and(|p| {
                    matches!(p.as_str(), "numpy.zeros" | "numpy.full" | "numpy.ones" | "mlx.core.zeros" | "mlx.core.full" | "mlx.core.ones")
                });
                if makes && call.arguments.args.first().is_some_and(|shape| self.is_length(shape)) {
                    self.found = self.found.or(Some(expr.range()));
                }
            }
            _ => {}
        }
        source_order::walk_expr(self, expr);
    }
}
