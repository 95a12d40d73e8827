//! Loops that generate tokens and wait for each before they ask for the next: the device has nothing to do while Python handles the token. The next one needs
//! only the array, so it can be asked for first.

use crate::finding::{Finding, Notes, TransformId};
use crate::graph::Analysis;
use crate::place::{Place, expressions};
use crate::syntax::ast::Expr;
use crate::syntax::{Ranged, TextRange};

use super::Told;
use super::one_line;
use super::rounds::{self, Round};
use super::tokens::generation;

/// Find the loops that wait for each sample.
pub fn find(analysis: &Analysis<'_>, id: &TransformId, notes: &Notes) -> Vec<Finding> {
    let told = rounds::each(analysis, notes, of_loop);
    told.into_iter().map(|t| t.finding(id)).collect()
}

fn of_loop(place: &Place<'_>, round: &Round<'_>) -> Option<Told> {
    let generation = generation(place, round)?;
    let range = round.statement.range();
    let left = |reason: &str| place.notes.left::<Told>(range, generation.sampling.range(), 100, || reason.to_owned());
    if speaks_of(place, "async_eval") {
        return left("the next sample is asked for before this one is read: `mx.async_eval` is there already");
    }
    if generation.fills_in {
        return left("a sample fills in a part of what is there, so that its step is no token");
    }
    let waits: Vec<TextRange> = [&generation.evaluations[..], &generation.reads, &generation.tests].concat();
    let source = place.source();
    let sampling = generation.sampling;
    let (at, message) = match (waits.iter().min_by_key(|r| r.start()), generation.yields.first()) {
        (Some(&at), _) => (at, format!("`{}` waits for each sample before the next is asked for", one_line(source, at))),
        (None, Some(&at)) => (at, format!("`{}` hands out a sample that is not started: whoever reads it waits for all of it", one_line(source, at))),
        (None, None) => return left("no round waits for its sample"),
    };
    if has_host_input(place, round, &generation.reads) {
        return left("the next round is computed from the number, by other means than MLX");
    }
    if super::steering::steers(place, round, &generation) {
        return left("a number that a round reads decides what is computed next");
    }
    let name = match sampling {
        crate::syntax::ast::Stmt::Assign(s) => s.targets.first().map(|t| one_line(source, t.range())),
        _ => None,
    };
    let name = name.unwrap_or_else(|| "y".to_owned());
    Some(Told {
        range: at,
        message,
        rationale: vec![
            "1 wait for each sample with nothing queued behind it; in a pipeline the device computes the next one while Python handles this one."
                .to_owned(),
            format!(
                "Start the first sample before the loop with `mx.async_eval({name})`. In a round compute `next_{name}` from the array `{name}`, call `mx.async_eval(next_{name})` on a line of its own, for it returns None, then read `{name}`, and set `{name} = next_{name}` last."
            ),
            "Where the loop ends on a sample, 1 step is computed that nobody reads.".to_owned(),
        ],
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
