//! What is told of a match that is written as edits: how much is saved, on what that hangs, and what is assumed.

use super::form::HALF_PRECISION;
use super::judge::Judgement;
use super::kernels::{compiled, counts, fewer, kernels, plural, unfused};
use super::load::Rule;
use super::matcher::Bound;
use super::spell::Speller;
use super::{Candidate, elaborate, site, sums, surroundings};
use crate::finding::{Contract, Finding, Hinges, MEASURED, Proposal};
use crate::graph::Analysis;
use crate::graph::digits::told_to_be_precise;
use crate::graph::dtypes::flow::DtypeFlow;
use crate::graph::dtypes::table::{spelt, spread, written};
use crate::graph::facts::Facts;
use crate::graph::users::Users;
use crate::graph::value::{Graph, Op, ValueId};

/// What is done where a number is wanted and an array stands.
const READ_BACK: &str = "Use a Python number where an array that holds one number is read back from the device.";
/// What the gain is told for where no product is computed in float32 for the array.
const NO_PRODUCT: &str = "no product";

/// The finding of `candidate`, `edited`, with what is changed along with it.
pub(super) fn proposal(
    rule: &Rule,
    analysis: &Analysis<'_>,
    candidate: &Candidate,
    (judgement, also): (Judgement, Vec<(ValueId, ValueId)>),
    unit: Option<usize>,
    edited: elaborate::Elaboration,
) -> Proposal {
    // Where the array is only read back no number changes, and no promotion.
    let reads = !judgement.narrows && !rule.about.narrows.is_empty();
    let pays_in_half = judgement.narrows || rule.about.pays_in == HALF_PRECISION;
    let hinges = if pays_in_half { Hinges::HalfPrecision } else { Hinges::Nothing };
    let rationale = rationale(rule, analysis, candidate, (&judgement, reads), &edited.kept);
    Proposal {
        finding: Finding {
            transform: rule.id.clone(),
            range: edited.range,
            applicability: judgement.applicability,
            numerics: Some(judgement.numerics),
            message: format!("{} Here: `{}`", if reads { READ_BACK } else { &rule.about.title }, edited.text),
            rationale,
            assumptions: judgement.assumptions,
            guide: rule.about.guide.clone(),
            edits: edited.edits,
            hinges,
        },
        contract: Contract::Values {
            replaced: (candidate.root.value, candidate.after),
            also,
            parts: candidate.found.inner.clone(),
            import: edited.import,
            unit,
            waits: false,
            site: Box::new(site::site(rule, analysis, candidate)),
        },
    }
}

/// Why `candidate` pays: how much is computed less, `kept` left out, and what that hangs on; or what is read back, if that is all.
fn rationale(rule: &Rule, analysis: &Analysis<'_>, candidate: &Candidate, (judgement, reads): (&Judgement, bool), kept: &[ValueId]) -> Vec<String> {
    let graph = &analysis.graph;
    let body = &analysis.bodies[candidate.body];
    let facts = Facts::at(analysis, body, candidate.root.block, candidate.root.range.end());
    let kernels = |values: &[ValueId]| kernels(graph, &facts, values);
    let before = kernels(&candidate.found.inner);
    // Of a choice, one side is computed.
    let sides = if let (Op::Gate, operands) = graph.get(candidate.after) { &operands[1..] } else { &[candidate.after][..] };
    let new = sides.iter().map(|&side| after_values(graph, candidate, side));
    let after = new.map(|values| kernels(&[values, kept.to_vec()].concat())).max().unwrap_or(0);
    let apart = left_apart(analysis, &facts, candidate).filter(|&n| n < before);
    // What is copied by whatever reads it is no kernel less, and as fast as that.
    let copied = surroundings::copied_later(analysis, body, candidate.root, candidate.after);
    let calls_module = candidate.found.inner.iter().any(|&v| graph.calls_module(v));
    let said = || said_of_kernels(calls_module, reads, (before, after, kernels(kept)), apart);
    let counted = copied.clone().or_else(said);
    let mut rationale: Vec<String> = match only_casts(analysis, candidate, before.saturating_sub(after)) {
        // What a module gives is in the dtype of its parameters, if that is the wider one: then the casts that stay are kernels, and so is one inside.
        Some((array, kept)) if calls_module && kept > 0 => {
            let all = plural(before.saturating_sub(after) + kept, "kernel");
            vec![format!(
                "{all} and a float32 copy fewer where both `{array}` and the parameters are in half precision, none where either is float32."
            )]
        }
        Some((array, kept)) => {
            let gone = || counts(before, after.saturating_sub(kept), false);
            let where_gone = || format!("{} where `{array}` is in the dtype that the result is cast to.", gone().trim_end_matches('.'));
            let counted = if kept > 0 { Some(where_gone()) } else { counted };
            counted.into_iter().chain([format!("Where `{array}` is float32 already the casts are no kernels, and nothing is gained.")]).collect()
        }
        None => counted.into_iter().collect(),
    };
    let mut followed = None;
    if judgement.narrows {
        rationale.push(rule.about.narrows.clone());
        if let Some((line, has_product)) = spreads(analysis, candidate) {
            rationale.extend(line);
            followed = Some(NO_PRODUCT).filter(|_| !has_product);
        }
        rationale.extend(told_to_be_precise(&judgement.softmaxes));
    } else if reads {
        rationale.push(read_back(analysis, candidate));
    }
    rationale.extend(surroundings::leaves_a_class(analysis, &facts, candidate));
    if !reads {
        rationale.extend(first_sentence(&rule.about.mechanism));
        rationale.extend(sums::in_compiled_caller(analysis, body, candidate));
        rationale.extend(measured(rule, &facts, candidate, followed).filter(|_| apart.is_none() && copied.is_none()));
    }
    rationale
}

/// What it costs that an array is given where a number is wanted, and where that is.
fn read_back(analysis: &Analysis<'_>, candidate: &Candidate) -> String {
    let body = &analysis.bodies[candidate.body];
    let array = written(analysis, body, candidate.root.value);
    let used = candidate.uses.as_ref().and_then(|uses| uses.as_ref().as_ref().ok()?.first());
    let text = used.map_or("mx.fast.scaled_dot_product_attention", |used| analysis.source.slice(used.place.range));
    let callee = text.split('(').next().unwrap_or(text);
    format!(
        "The scale of `{callee}` is a number, and `{array}` is computed and read back from the device for it, with a wait, at each call (under `mx.compile` once, at tracing)."
    )
}

/// How many kernels of a match `mx.compile` does not fuse with others, where it compiles the function around it.
fn left_apart(analysis: &Analysis<'_>, facts: &Facts<'_>, candidate: &Candidate) -> Option<usize> {
    let (body, range) = (&analysis.bodies[candidate.body], candidate.root.range);
    analysis.compiled().iter().any(|c| c.encloses(body, range)).then(|| unfused(&analysis.graph, facts, &candidate.found.inner))
}

/// What is said of kernels: how many there are `before`, `after`, and of the matched ones still for something else.
fn said_of_kernels(calls_module: bool, reads: bool, (before, after, kept): (usize, usize, usize), apart: Option<usize>) -> Option<String> {
    match calls_module {
        true => fewer(before, after),
        false if reads || before == 0 => None,
        false if let Some(apart) = apart => Some(compiled(before, apart)),
        false => Some(counts(before, after, kept > 0)),
    }
}

/// What was measured: with the class of `mlx.nn` of a module that is matched, or with what is `followed` by it, where that has figures of its own.
fn measured(rule: &Rule, facts: &Facts<'_>, candidate: &Candidate, followed: Option<&str>) -> Option<String> {
    let class = candidate.found.bindings.iter().flatten().find_map(|bound| if let Bound::Value(v) = *bound { facts.module_of(v) } else { None });
    rule.about.measured_with(followed.or(class)).map(|gain| format!("{MEASURED}: {gain}."))
}

/// Where the kernels that are left out, `less` of them, are casts to float32 and back alone: the text of the array that is cast up, and how many casts stay.
fn only_casts(analysis: &Analysis<'_>, candidate: &Candidate, less: usize) -> Option<(String, usize)> {
    let graph = &analysis.graph;
    let casts = || candidate.found.inner.iter().filter(|&&v| graph.op(v) == Op::Mlx("astype"));
    let kept = after_values(graph, candidate, candidate.after).into_iter().filter(|&v| graph.op(v) == Op::Mlx("astype")).count();
    let up = casts().map(|&v| graph.operands(v)).find(|of| graph.path(of[1]) == Some("mlx.core.float32"))?;
    let (body, at) = (&analysis.bodies[candidate.body], candidate.root);
    // By the name that it has there, not by the first that it had.
    let speller = Speller::new(analysis, body, at.range, body.statements[at.statement as usize].range.start());
    let text = speller.argument(up[0]).unwrap_or_else(|| spelt(analysis, body, up[0]));
    (less > 0 && casts().count().checked_sub(kept) == Some(less)).then_some((text, kept))
}

/// What is float32 because of what the match makes, where it is used, and whether products are.
fn spreads(analysis: &Analysis<'_>, candidate: &Candidate) -> Option<(Option<String>, bool)> {
    let Ok(uses) = &**candidate.uses.as_ref()? else { return None };
    let body = &analysis.bodies[candidate.body];
    let facts = Facts::at(analysis, body, 0, body.range.end());
    let at = || uses.iter().map(|used| used.place.value);
    let spoilt = DtypeFlow::new(analysis, &facts).spoilt(at(), &Users::around(analysis, body, candidate.root));
    Some((spread(analysis, body, at(), &spoilt), spoilt.products + spoilt.attentions > 0))
}

/// The values that a side of the replacement computes beyond what it is given.
pub(super) fn after_values(graph: &Graph, candidate: &Candidate, side: ValueId) -> Vec<ValueId> {
    let given: Vec<ValueId> = candidate.arguments.iter().map(|&(_, v)| v).collect();
    let mut values = Vec::new();
    let mut stack = vec![side];
    while let Some(value) = stack.pop() {
        if !given.contains(&value) && !values.contains(&value) {
            values.push(value);
            // What is asked of an array but its elements is known before it is computed.
            if !matches!(graph.op(value), Op::DtypeOf | Op::Shape | Op::Dim(_) | Op::Ndim) {
                stack.extend(graph.operands(value));
            }
        }
    }
    values
}

/// The first sentence of a paragraph: the whole of it is shown by `explain`.
fn first_sentence(paragraph: &str) -> Option<String> {
    let end = paragraph.find(". ").map_or(paragraph.len(), |at| at + 1);
    (!paragraph.is_empty()).then(|| paragraph[..end].to_owned())
}
