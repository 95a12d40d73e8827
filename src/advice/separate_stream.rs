//! Streams that reach further than they should: a `with mx.stream(...)` around a `yield` stays in force in the code that reads the generator, and a stream that
//! a module makes belongs to the thread that imported it.
//!
//! A stream of its own gains nothing by itself; it separates work only where it is entered and left within one step.

use crate::finding::{Finding, Notes, TransformId};
use crate::graph::Analysis;
use crate::graph::statements::{self, blocks};
use crate::syntax::ast::visitor::source_order::{self, SourceOrderVisitor};
use crate::syntax::ast::{Expr, ExprCall, Stmt, StmtFunctionDef, WithItem};
use crate::syntax::{Ranged, TextRange};

use super::reads::reads;
use super::{Told, handed_out, listed};
use crate::place::{Place, expressions};

/// Methods and functions that evaluate, as a function inside may call them.
const EVALUATES: [&str; 5] = ["eval", "async_eval", "synchronize", "item", "tolist"];
/// So many evaluations are named.
const NAMED: usize = 3;

/// Find the streams that leak out of generators and of threads.
pub fn find(analysis: &Analysis<'_>, id: &TransformId, notes: &Notes) -> Vec<Finding> {
    let mut told: Vec<Told> = Vec::new();
    for body in &analysis.bodies {
        let place = Place::new(analysis, body, notes);
        statements::each(place.own_statements(), &mut |s| told.extend(leaking(&place, s)));
        if place.is_module() {
            statements::each(place.own_statements(), &mut |s| told.extend(made_by_the_module(&place, s)));
        }
    }
    told.into_iter().map(|t| t.finding(id)).collect()
}

/// What is told of `statement` if it is a block in a stream, and yields.
fn leaking(place: &Place<'_>, statement: &Stmt) -> Option<Told> {
    let Stmt::With(s) = statement else { return None };
    let range = s.items.iter().map(|item| &item.context_expr).find(|context| place.is_stream(context))?.range();
    if lends_itself(place) {
        return place.notes.left(range, range, 80, || "the function lends the block to its caller on purpose".to_owned());
    }
    of_block(place, range, &s.body)
}

/// What is told of the block `body` in the stream that `range` opens.
fn of_block(place: &Place<'_>, range: TextRange, body: &[Stmt]) -> Option<Told> {
    let yields = yielded(body);
    let (likeness, reason) = match yields.iter().any(|y| handed_out::may_hold_an_array(place, y)) {
        true => return Some(leak(place, range, body)),
        false if yields.is_empty() => (60, "it is entered and left within one step"),
        false => (100, "what it yields are numbers and texts, with which nobody computes on a device"),
    };
    place.notes.left(range, range, likeness, || reason.to_owned())
}

/// Whether the scope is a context manager or a fixture of a test, made of a generator.
fn lends_itself(place: &Place<'_>) -> bool {
    let Some(function) = place.body.function.map(|f| &place.analysis.definitions.functions[f]) else { return false };
    function.ast.decorator_list.iter().any(|d| {
        let text = place.source().slice(d.expression.range());
        ["contextmanager", "fixture"].iter().any(|word| text.contains(word))
    })
}

fn leak(place: &Place<'_>, range: TextRange, body: &[Stmt]) -> Told {
    let text = place.source().quote(range);
    let what_to_do = what_to_do(place, body);
    Told {
        range,
        message: format!("`with {text}` around a `yield` is in force in the code that reads the generator, too"),
        rationale: vec![
            "1 default stream for both while the generator waits at its `yield`: a reader that leaves early computes on this one until the generator is closed, and two generators that are not closed in the order of their nesting leave it in force for good.".to_owned(),
            format!("{what_to_do} A stream by itself is not faster; asking for the next step with `mx.async_eval` first is."),
        ],
    }
}

/// How to end the block before each `yield` of `body`. An evaluation uses the stream in force, so that none may come to stand outside.
fn what_to_do(place: &Place<'_>, body: &[Stmt]) -> String {
    let rounds: Vec<&Stmt> = body.iter().filter(|s| !yielded(std::slice::from_ref(s)).is_empty()).collect();
    let mut evaluations = Vec::new();
    rounds.iter().for_each(|round| evaluated(place, round, &mut evaluations));
    let called = called(place, &rounds);
    let evaluates_inside = called.iter().any(|f| !enters(&f.body) && may_evaluate(&f.body));
    if let Some(step) = called.iter().find(|f| enters(&f.body)).filter(|_| evaluations.is_empty() && !evaluates_inside) {
        return format!("`{}` opens a block of its own, so that this one can end where the loop begins.", step.name);
    }
    evaluations.truncate(NAMED);
    match evaluations.is_empty() {
        true => "Open the block around the computation of one step alone, and yield after it.".to_owned(),
        false => format!(
            "Open the block in each round, around the computation of one step and what evaluates it, {}, and leave the `yield` alone outside: an evaluation out there would use the stream of the reader.",
            listed(&evaluations)
        ),
    }
}

/// What evaluates in `statement` and in the statements inside it goes to `found`.
fn evaluated(place: &Place<'_>, statement: &Stmt, found: &mut Vec<String>) {
    let mut ranges: Vec<TextRange> = reads(place, statement).iter().map(|read| read.expr.range()).collect();
    expressions::of_statement(statement, &mut |expr| {
        ranges.extend(expr.as_call_expr().filter(|call| evaluates(place, call)).map(|call| call.range()))
    });
    ranges.sort_by_key(|range| range.start());
    ranges.dedup();
    let texts = ranges.into_iter().map(|range| place.source().quote(range));
    texts.for_each(|text| {
        if !found.contains(&text) {
            found.push(text)
        }
    });
    blocks(statement).into_iter().flatten().for_each(|s| evaluated(place, s, found));
}

/// Whether `call` evaluates an array, or asks whatever it has for its numbers.
fn evaluates(place: &Place<'_>, call: &ExprCall) -> bool {
    let asks = call.func.as_attribute_expr().is_some_and(|method| matches!(method.attr.as_str(), "item" | "tolist"));
    asks || place.path(&call.func).is_some_and(|p| matches!(p.as_str(), "mlx.core.eval" | "mlx.core.async_eval" | "mlx.core.synchronize"))
}

/// The functions of the scope that `rounds` call.
fn called<'x>(place: &Place<'x>, rounds: &[&Stmt]) -> Vec<&'x StmtFunctionDef> {
    let mut names = Vec::new();
    for round in rounds {
        expressions::of_scope(std::slice::from_ref(round), &mut |expr| {
            names.extend(expr.as_call_expr().and_then(|c| c.func.as_name_expr()).map(|n| n.id.as_str()));
        });
    }
    let functions = place.own_statements().iter().filter_map(Stmt::as_function_def_stmt);
    functions.filter(|f| names.contains(&f.name.as_str())).collect()
}

/// Whether one of `body` looks as if it evaluates.
fn may_evaluate(body: &[Stmt]) -> bool {
    let mut found = false;
    expressions::of_scope(body, &mut |expr| {
        found |= expr.as_attribute_expr().is_some_and(|a| EVALUATES.contains(&a.attr.as_str()));
    });
    found
}

/// Whether one of `body` enters a stream.
fn enters(body: &[Stmt]) -> bool {
    let is_stream = |item: &WithItem| {
        let method = item.context_expr.as_call_expr().and_then(|c| c.func.as_attribute_expr());
        method.is_some_and(|m| m.attr.as_str() == "stream")
    };
    body.iter().any(|statement| match statement {
        Stmt::With(s) if s.items.iter().any(is_stream) => true,
        _ => blocks(statement).into_iter().any(enters),
    })
}

/// What is told of `statement` of the module if it makes a stream, while the module is imported.
fn made_by_the_module(place: &Place<'_>, statement: &Stmt) -> Option<Told> {
    let Stmt::Assign(s) = statement else { return None };
    let call = s.value.as_call_expr().filter(|call| place.path(&call.func).as_deref() == Some("mlx.core.new_stream"))?;
    let names = s.targets.iter().map(|t| place.source().quote(t.range())).collect::<Vec<_>>();
    let device = call.arguments.args.first().map_or("mx.default_device()".to_owned(), |d| place.source().quote(d.range()));
    Some(Told {
        range: s.range(),
        message: format!("the stream `{}` belongs to the thread that imports the module, and no other can compute on it", names.join("`, `")),
        rationale: vec![
            "1 exception (`There is no Stream`) in each other thread that computes on it, from MLX 0.31.2 on; on the CPU from 0.32.0.".to_owned(),
            format!(
                "Make it with `mx.new_thread_local_stream({device})`, which gives each thread its own, or make a stream in the function that uses it."
            ),
        ],
    })
}

/// The expressions that `body` yields, functions inside left out.
fn yielded(body: &[Stmt]) -> Vec<&Expr> {
    struct Yields<'x>(Vec<&'x Expr>);
    impl<'x> SourceOrderVisitor<'x> for Yields<'x> {
        fn visit_stmt(&mut self, statement: &'x Stmt) {
            if !matches!(statement, Stmt::FunctionDef(_) | Stmt::ClassDef(_)) {
                source_order::walk_stmt(self, statement);
            }
        }

        fn visit_expr(&mut self, expr: &'x Expr) {
            if matches!(expr, Expr::Yield(_) | Expr::YieldFrom(_)) {
                self.0.push(expr);
            }
            if !expr.is_lambda_expr() {
                source_order::walk_expr(self, expr);
            }
        }
    }
    let mut look = Yields(Vec::new());
    look.visit_body(body);
    look.0
}
