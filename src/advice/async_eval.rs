//! Loops that generate tokens and wait for each before they ask for the next: the device has nothing to do while Python handles the token. The next one needs
//! only the array, so it can be asked for first.

use rustc_hash::FxHashSet;

use crate::finding::{Finding, Notes, TransformId};
use crate::graph::Analysis;
use crate::graph::value::{Op, ValueId};
use crate::place::{Place, expressions};
use crate::syntax::ast::{Expr, Stmt};
use crate::syntax::{Ranged, TextRange};

use super::behind::{appended, is_read_behind, lengthened};
use super::rounds::{self, Line, Round};
use super::tokens::{Generation, generation, mentions, targets};
use super::waits::{Waits, evaluates};
use super::{Told, listed};

/// What a step too many changes besides, where it draws.
const DRAWN: &str = "; it draws once more, so that what is drawn after the loop differs for the same seed";

/// Find the loops that wait for each sample.
pub fn find(analysis: &Analysis<'_>, id: &TransformId, notes: &Notes) -> Vec<Finding> {
    let waits = Waits::of(analysis);
    let told = rounds::each(analysis, notes, |place, round| of_loop(place, round, &waits));
    told.into_iter().map(|t| t.finding(id)).collect()
}

fn of_loop(place: &Place<'_>, round: &Round<'_>, waits: &Waits<'_>) -> Option<Told> {
    let generation = generation(place, round)?;
    let range = round.statement.range();
    let left = |at: TextRange, reason: &str| place.notes.left::<Told>(range, at, 100, || reason.to_owned());
    let sampling = generation.sampling.range();
    if speaks_of(place, "async_eval") {
        return left(sampling, "the next sample is asked for before this one is read: `mx.async_eval` is there already");
    }
    if generation.fills_in {
        return left(sampling, "a sample fills in a part of what is there, so that its step is no token");
    }
    if has_host_input(place, round, &generation.reads) {
        return left(sampling, "the next round is computed from the number, by other means than MLX");
    }
    if super::steering::steers(place, round, &generation) {
        return left(sampling, "a number that a round reads decides what is computed next");
    }
    if !is_drawn_in_every_round(round, &generation) {
        return left(sampling, "not every round samples: what the others go on with is there before");
    }
    let source = place.source();
    let asked: Vec<TextRange> = [&generation.reads[..], &generation.tests].concat();
    let first = asked.iter().chain(&generation.evaluations).min_by_key(|r| r.start());
    let (at, message) = match (first, generation.yields.first()) {
        (Some(&at), None) if asked.is_empty() => return unread(place, round, &generation, at),
        (Some(&at), _) => (at, format!("`{}` waits for each sample before the next is asked for", source.quote(at))),
        (None, Some(&at)) => (at, format!("`{}` hands out a sample that is not started: whoever reads it waits for all of it", source.quote(at))),
        (None, None) => return left(sampling, "no round waits for its sample"),
    };
    if let Some(wait) = other_wait(place, round, &generation, waits) {
        return left(wait, "the round waits for something else as well, so that the next step cannot be queued behind this one");
    }
    let Some(recipe) = recipe(place, round, &generation, &asked) else {
        return left(sampling, "what the round reads is not what the next one computes with");
    };
    let within = wait_within(place, round, waits);
    if let Some((module, wait, true)) = within {
        return Some(blocked(place, at, module, wait));
    }
    const COST: &str =
        "1 wait for each sample with nothing queued behind it; in a pipeline the device computes the next one while Python handles this one.";
    let mut rationale = vec![COST.to_owned(), recipe];
    let evaluations: Vec<String> = generation.evaluations.iter().map(|&e| source.quote(e)).collect();
    if !evaluations.is_empty() {
        rationale.push(format!("Leave out {}, which waits: `mx.async_eval` computes all that the sample needs.", listed(&evaluations)));
    }
    let order = if asked.is_empty() && evaluations.is_empty() {
        "Whoever gets the sample must read it with `.item()` before anything else: an operation on it, a comparison too, is queued behind the next step and waits for that."
    } else {
        "Whatever else a round reads belongs into the same `mx.async_eval` or an earlier one: what is computed after it waits for the next step as well."
    };
    rationale.push(order.to_owned());
    if let Some((module, wait, _)) = within {
        let wait = source.quote(wait);
        rationale.push(format!("`{wait}` in `{module}` waits within a step: a model that runs it must do without that first, for no step is queued behind one that waits."));
    }
    rationale.push(extra_step(place, round, &generation));
    Some(Told { range: at, message, rationale })
}

/// What is told of the step that is asked for before Python knows that there is none.
fn extra_step(place: &Place<'_>, round: &Round<'_>, generation: &Generation<'_>) -> String {
    let ends = |l: &&Line<'_>| matches!(l.statement, Stmt::Break(_) | Stmt::Return(_) | Stmt::Raise(_));
    if round.statement.is_for_stmt() && !round.lines.iter().any(|l| ends(&l)) && generation.yields.is_empty() {
        return "The last round asks for no further sample: its step would be one more than before.".to_owned();
    }
    let made: FxHashSet<String> =
        round.lines.iter().filter(|l| l.statement.start() < generation.sampling.start()).flat_map(|l| targets(l.statement)).collect();
    let is_of_step = |value: &Expr| mentions(place, value, &made) && !mentions(place, value, &generation.names);
    let kept = round.lines.iter().find_map(|l| {
        let (list, value) = appended(l.statement)?;
        (is_of_step(value) && is_read_behind(place, round, list)).then(|| (list, place.source().quote(l.statement.range())))
    });
    let joined = round.lines.iter().find_map(|l| {
        let array = lengthened(place, l.statement).filter(|_| l.once && l.statement.start() > generation.sampling.start())?;
        let is_input = generation.names.contains(array) && is_read_behind(place, round, array);
        is_input.then(|| (array, place.source().quote(l.statement.range())))
    });
    let drawn = if draws(place, round) { DRAWN } else { "" };
    match (kept, joined) {
        (Some((list, text)), _) => format!(
            "1 step more is computed than before, and `{text}` keeps something of it that is read behind the loop: drop the last entry of `{list}` there{drawn}."
        ),
        (None, Some((array, text))) => format!(
            "1 step more is computed than before, on which `{text}` comes before the sample is read: leave the last of `{array}` out behind the loop where that ended on a sample{drawn}."
        ),
        (None, None) => format!("Where the loop ends on a sample, 1 step is computed that nobody reads{drawn}."),
    }
}

/// Whether a round itself draws random numbers, from the state that all share.
fn draws(place: &Place<'_>, round: &Round<'_>) -> bool {
    let mut found = false;
    for line in &round.lines {
        expressions::of_statement(line.statement, &mut |expr| {
            if let Expr::Call(call) = expr {
                let is_random = place.path(&call.func).is_some_and(|p| p.starts_with("mlx.core.random."));
                found |= is_random && call.arguments.find_keyword("key").is_none();
            }
        });
    }
    found
}

/// What is told of the evaluation `at` of samples that no round reads.
fn unread(place: &Place<'_>, round: &Round<'_>, generation: &Generation<'_>, at: TextRange) -> Option<Told> {
    let left = |reason: &str| place.notes.left::<Told>(round.statement.range(), generation.sampling.range(), 100, || reason.to_owned());
    if !generation.would_do_started(place, round) {
        return left("no round looks at its sample, and what follows the loop evaluates it: it need not be evaluated at all");
    }
    let readers = if generation.is_seldom_read { "few rounds read it" } else { "no round reads it" };
    let text = place.source().quote(at);
    let started = text.replacen("eval", "async_eval", 1);
    Some(Told {
        range: at,
        message: format!("`{text}` waits for each sample, and {readers}"),
        rationale: vec![
            "1 wait for each sample with nothing queued behind it, until Python has built the next step.".to_owned(),
            format!("Write `{started}`: it starts the sample, keeps the graph as short, and waits for nothing; what reads it later waits for all."),
        ],
    })
}

/// What to write: with the name of what is sampled, and of what is read.
fn recipe(place: &Place<'_>, round: &Round<'_>, generation: &Generation<'_>, asked: &[TextRange]) -> Option<String> {
    let source = place.source();
    let names_in = |range: TextRange| source.tokens().in_range(range).iter().map(|t| source.slice(t.range()));
    let Stmt::Assign(s) = generation.sampling else { return None };
    let mut assigned = match s.targets.first()? {
        Expr::Tuple(t) => t.elts.iter().collect(),
        target => vec![target],
    };
    assigned.sort_by_key(|t| !asked.iter().any(|read| names_in(*read).any(|name| name == source.slice(t.range()))));
    let target = source.quote(assigned.first()?.range());
    let is_number = asked.iter().any(|read| read.contains_range(s.value.range()));
    let kept = if is_number { format!("`{target}` is a number: keep the array that it is read from, here `y`. ") } else { String::new() };
    let name = if is_number { "y" } else { target.strip_prefix("next_").unwrap_or(&target) };
    let is_read = |read: &TextRange| names_in(*read).any(|n| n == target) || s.range().contains_range(*read);
    // Of this sample, and not of the one before.
    let is_made_between = |name: &str, read: &TextRange| {
        let between = TextRange::new(s.start(), read.start().max(s.start()));
        round.lines.iter().any(|l| between.contains_range(l.statement.range()) && targets(l.statement).iter().any(|t| t == name))
    };
    let made = |read: &TextRange| names_in(*read).find(|n| generation.names.contains(*n) && is_made_between(n, read));
    let other = if asked.is_empty() || asked.iter().any(is_read) { None } else { Some(asked.iter().find_map(made)?) };
    let (read, first, next) = match other {
        // Something that is made of the sample.
        Some(other) => (other, format!("{name}, {other}"), format!("next_{name}, next_{other}")),
        None => (name, name.to_owned(), format!("next_{name}")),
    };
    let use_ = match (asked.is_empty() && generation.evaluations.is_empty(), generation.tests.is_empty()) {
        (true, _) => format!("hand out `{read}`"),
        (false, true) => format!("read `{read}`"),
        // The comparison of an array is one more operation.
        (false, false) => format!("read `{read}.item()` and compare that number, since the comparison of an array is queued behind the next step"),
    };
    Some(format!(
        "{kept}Compute the first sample before the loop and start it with `mx.async_eval({first})`. In a round compute `next_{name}` from the array `{name}`, call `mx.async_eval({next})` on a line of its own, for it returns None, then {use_}, and set `{name} = next_{name}` last."
    ))
}

/// Where the round waits, besides for its samples, in its own statements or in what it calls of this file: before the sample is drawn in any case, after it
/// in every round.
fn other_wait(place: &Place<'_>, round: &Round<'_>, generation: &Generation<'_>, waits: &Waits<'_>) -> Option<TextRange> {
    let own = [&generation.evaluations[..], &generation.reads, &generation.tests].concat();
    let is_own = |range: TextRange| own.iter().any(|own| own.contains_range(range) || range.contains_range(*own));
    let mut found = None;
    for line in round.lines.iter().filter(|l| !l.rare && !ends_within(round, l)) {
        let is_before = line.statement.start() <= generation.sampling.start();
        expressions::of_statement(line.statement, &mut |expr| {
            let Expr::Call(call) = expr else { return };
            if found.is_some() || is_own(call.range()) {
                return;
            }
            found = match evaluates(place, call) {
                true => Some(call.range()).filter(|_| is_before || line.once),
                // What is given a sample reads that, as far as one can see.
                false if !is_before && call.arguments.iter_source_order().any(|a| mentions(place, a.value(), &generation.names)) => None,
                false => waits.behind(place, call).map(|_| call.range()),
            };
        });
    }
    found
}

/// The module of the file that waits when it is called, and where, if a round calls a model that comes from outside and may be made of it; and whether the file
/// shows that it is.
fn wait_within<'x>(place: &Place<'x>, round: &Round<'_>, waits: &Waits<'x>) -> Option<(&'x str, TextRange, bool)> {
    let mut called: Vec<ValueId> = Vec::new();
    for line in &round.lines {
        expressions::of_statement(line.statement, &mut |expr| {
            let callee = expr.as_call_expr().and_then(|call| place.value(&call.func));
            called.extend(callee.filter(|&v| matches!(place.analysis.graph.op(v), Op::Param(..) | Op::Captured(..) | Op::Attr(..))));
        });
    }
    let known = called.iter().filter_map(|&v| waits.class_of(v)).find_map(|class| {
        let parts = waits.parts_of(class);
        waits.of_modules(|module| parts.contains(&module))
    });
    if let Some((module, wait)) = known {
        return Some((module, wait, true));
    }
    // The loop does not call the module that it is a method of.
    let (module, wait) = waits.of_modules(|module| Some(module) != place.body.class).filter(|_| !called.is_empty())?;
    Some((module, wait, false))
}

/// What is told of a loop whose steps wait within: that has to go before anything else.
fn blocked(place: &Place<'_>, at: TextRange, module: &str, wait: TextRange) -> Told {
    let (wait, at_text) = (place.source().quote(wait), place.source().quote(at));
    Told {
        range: at,
        message: format!("`{wait}` in `{module}` waits within each step, so that no step can be queued behind another"),
        rationale: vec![
            format!(
                "1 wait in each call of `{module}`, and nearly all of a step is computed by then: at `{at_text}` there is little left to wait for."
            ),
            format!(
                "Do without `{wait}` first, with operations that choose on the device (`mx.take`, `mx.where`, `mx.gather_mm`). Then the next sample can be asked for, with `mx.async_eval`, before this one is read."
            ),
        ],
    }
}

/// Whether each round draws a sample: no branch does that another would do without.
fn is_drawn_in_every_round(round: &Round<'_>, generation: &Generation<'_>) -> bool {
    let sampling = generation.sampling.range();
    let holding = |l: &&Line<'_>| l.statement.range().contains_range(sampling) && l.statement.range() != sampling;
    round.lines.iter().filter(holding).filter_map(|l| l.statement.as_if_stmt()).all(|s| s.elif_else_clauses.iter().any(|c| c.test.is_none()))
}

/// Whether `line` stands in a branch that ends the loop.
fn ends_within(round: &Round<'_>, line: &Line<'_>) -> bool {
    let ends = |body: &[Stmt]| matches!(body.last(), Some(Stmt::Break(_) | Stmt::Return(_) | Stmt::Raise(_)));
    let holds = |body: &[Stmt]| ends(body) && body.iter().any(|s| s.range().contains_range(line.statement.range()));
    round.lines.iter().any(|l| match l.statement {
        Stmt::If(s) => holds(&s.body) || s.elif_else_clauses.iter().any(|c| holds(&c.body)),
        _ => false,
    })
}

/// Whether the function around, or the module, names `word`.
fn speaks_of(place: &Place<'_>, word: &str) -> bool {
    memchr::memmem::find(place.source().slice(place.body.range).as_bytes(), word.as_bytes()).is_some()
}

/// Whether the numbers that are `read` decide, in an `if` that neither ends the loop nor prints, what the round computes.
fn has_host_input(place: &Place<'_>, round: &Round<'_>, read: &[TextRange]) -> bool {
    let mut found = false;
    for line in &round.lines {
        expressions::of_statement(line.statement, &mut |expr| {
            if let Expr::Call(call) = expr
                && place.path(&call.func).as_deref() == Some("numpy.random.choice")
            {
                found |= read.iter().any(|r| call.range().contains_range(*r));
            }
        });
    }
    found
}
