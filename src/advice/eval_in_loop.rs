//! Evaluations in every round of a loop that no round needs: the next round computes with the array, and nothing looks at it. Each ends the work that could be
//! queued.
//!
//! One evaluation a training or a denoising step is right: a step is large, and its graph would only grow. So is one that frees memory, or bounds it, as
//! between the layers of an encoder. Told are loops over layers in a forward pass that also runs for single tokens, loops of a few operations of MLX, and
//! loops that generate tokens nobody reads before the end.

use rustc_hash::FxHashSet;

use crate::finding::{Finding, Notes, TransformId};
use crate::graph::Analysis;
use crate::graph::value::Op;
use crate::place::{Place, expressions};
use crate::syntax::ast::{Expr, ExprCall, Stmt};
use crate::syntax::{Ranged, TextRange};

use super::behind::evaluation_behind;
use super::reads::reads;
use super::rounds::{self, Round};
use super::tokens::generation;
use super::{Told, counted};

/// More operations than these a round are worth an evaluation.
const LIGHT: usize = 60;

/// Find the evaluations that a loop makes too often.
pub fn find(analysis: &Analysis<'_>, id: &TransformId, notes: &Notes) -> Vec<Finding> {
    let told = rounds::each(analysis, notes, of_loop);
    told.into_iter().map(|t| t.finding(id)).collect()
}

fn of_loop(place: &Place<'_>, round: &Round<'_>) -> Option<Told> {
    let (call, range) = evaluation(place, round)?;
    let left = |reason: &str| place.notes.left::<Told>(range, range, 100, || reason.to_owned());
    let text = place.source().quote(range);
    if !call.arguments.args.iter().all(|a| a.is_name_expr()) {
        return left("a whole state is evaluated, which a step of training or of a cache is");
    }
    if releases(place, round) {
        return left("the loop frees memory, for which the evaluation is needed");
    }
    if is_timed(place) {
        return left("the function reads a clock: what it measures must be evaluated");
    }
    let asks = round.statement.is_while_stmt() && !reads(place, round.statement).is_empty();
    if asks || round.lines.iter().any(|l| !l.is_seldom_asked() && !reads(place, l.statement).is_empty()) {
        return left("the round reads numbers");
    }
    let operations = operations(place, round);
    let name = round.named(place);
    let evaluated: FxHashSet<String> = call.arguments.args.iter().filter_map(|a| Some(a.as_name_expr()?.id.to_string())).collect();
    let behind = evaluation_behind(place, round, &evaluated).map(|at| place.source().quote(at));
    let instead = match behind {
        Some(behind) => format!("Leave it out: `{behind}` behind the loop evaluates it as well."),
        None => "Evaluate every so many rounds (`if n % 16 == 0: mx.eval(...)`), or once after the loop.".to_owned(),
    };
    let told = |message, each| told(range, message, each, &instead);
    if let Some(g) = generation(place, round).filter(|g| g.is_unread()) {
        // What some rounds read has to be there by then.
        if g.is_seldom_read && g.would_do_started(place, round) {
            return left("few rounds read what it computed, for which `mx.async_eval` in its place would do");
        }
        return Some(told(format!("`{text}` waits {name}, and no round looks at what it computed"), "a sample"));
    }
    if !is_carried(place, round, call) {
        return left("each round evaluates something of its own, which is not needed for the next");
    }
    if round.lines.iter().any(|l| writes_items(l.statement)) {
        return left("the round writes into arrays, copies of which the evaluation frees");
    }
    if is_forward(place) {
        if !has_cache(place) {
            return left("a layer of a forward pass over a whole input is work enough for an evaluation, which bounds the memory");
        }
        return Some(told(format!("`{text}` waits {name}, in the middle of a forward pass that also runs for single tokens"), "a layer"));
    }
    match operations {
        Some(n) if n <= LIGHT => Some(told(format!("`{text}` waits after {} {name}", counted(n, "operation")), "a round")),
        _ => left("a round calls a model, which is work enough for an evaluation"),
    }
}

fn told(range: TextRange, message: String, each: &str, instead: &str) -> Told {
    Told {
        range,
        message,
        rationale: vec![
            format!("1 wait {each}: the device has nothing queued until Python has built the next graph."),
            format!(
                "{instead} The trade is memory: what is not evaluated keeps the arrays of all its rounds, 4.6 times the peak for 32 layers of a prefill of 2048 tokens (NVIDIA H200); `mx.async_eval` in place of `mx.eval` waits for nothing and keeps no graph."
            ),
        ],
    }
}

/// The one evaluation that each round makes.
fn evaluation<'x>(place: &Place<'_>, round: &Round<'x>) -> Option<(&'x ExprCall, TextRange)> {
    let mut found = None;
    for line in round.lines.iter().filter(|l| l.once) {
        expressions::of_statement(line.statement, &mut |expr| {
            if let Expr::Call(call) = expr
                && place.path(&call.func).as_deref() == Some("mlx.core.eval")
            {
                found = Some((call, expr.range()));
            }
        });
    }
    found
}

/// Whether the round frees memory.
fn releases(place: &Place<'_>, round: &Round<'_>) -> bool {
    let mut found = round.lines.iter().any(|l| l.statement.is_delete_stmt());
    for line in &round.lines {
        expressions::of_statement(line.statement, &mut |expr| {
            if let Expr::Call(call) = expr {
                let path = place.path(&call.func);
                found |= path.is_some_and(|p| p.ends_with(".clear_cache") || p.ends_with("get_peak_memory") || p == "gc.collect");
            }
        });
    }
    found
}

/// Whether `statement` writes into an array or a list.
fn writes_items(statement: &Stmt) -> bool {
    match statement {
        Stmt::Assign(s) => s.targets.iter().any(Expr::is_subscript_expr),
        Stmt::AugAssign(s) => s.target.is_subscript_expr(),
        _ => false,
    }
}

/// Whether the scope measures time.
fn is_timed(place: &Place<'_>) -> bool {
    let text = place.source().slice(place.body.range);
    ["perf_counter", "time.time(", "timeit", "monotonic(", "toc("].iter().any(|word| text.contains(word))
}

/// Whether the scope is the forward pass of a module.
fn is_forward(place: &Place<'_>) -> bool {
    let Some(function) = place.body.function.map(|f| &place.analysis.definitions.functions[f]) else { return false };
    function.ast.name.as_str() == "__call__" && function.class.is_some()
}

/// Whether the scope is given what earlier calls left, as a model is that generates.
fn has_cache(place: &Place<'_>) -> bool {
    let Some(function) = place.body.function.map(|f| &place.analysis.definitions.functions[f]) else { return false };
    let keeps = |name: &str| matches!(name, "state" | "past_key_values" | "past_kv") || name.ends_with("cache") || name.ends_with("caches");
    function.ast.parameters.iter().any(|p| keeps(p.name().as_str()))
}

/// Whether what `call` evaluates goes into the next round: a name that the round reads before it assigns it.
fn is_carried(place: &Place<'_>, round: &Round<'_>, call: &ExprCall) -> bool {
    let graph = &place.analysis.graph;
    call.arguments.args.iter().filter_map(Expr::as_name_expr).any(|name| {
        let Some(symbol) = graph.known_symbol(&name.id) else { return false };
        let is_phi = |v| matches!(graph.op(v), Op::Phi(_, _, of) if of == symbol);
        let range = round.range();
        place.body.occurrences_in(range).any(|o| graph.operands(o.value).iter().any(|&v| is_phi(v)))
    })
}

/// How many operations of MLX a round queues; `None` where it calls something of which nothing is known.
fn operations(place: &Place<'_>, round: &Round<'_>) -> Option<usize> {
    let graph = &place.analysis.graph;
    let range = round.range();
    let mut count = 0;
    for occurrence in place.body.occurrences.iter().filter(|o| range.contains_range(o.range)) {
        match graph.get(occurrence.value) {
            (Op::Call(..), operands) => match graph.path(operands[0]) {
                Some(path) if path.starts_with("mlx.core.") => count += 1,
                _ => return None,
            },
            (Op::Apply, _) if graph.calls_module(occurrence.value) => return None,
            (Op::Add | Op::Sub | Op::Mul | Op::Div | Op::Pow | Op::MatMul | Op::Neg | Op::Permute | Op::Mlx(_), _) => count += 1,
            _ => {}
        }
    }
    Some(count)
}
