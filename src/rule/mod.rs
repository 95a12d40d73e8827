//! Rewrite rules: patterns written in Python, found in the value graph of a program, judged by facts, and written back as edits.

pub mod about;
pub mod elaborate;
mod fallback;
mod fold;
mod form;
mod gathers;
pub mod guard;
mod import;
mod judge;
mod kernels;
mod layout;
pub mod load;
mod masks;
pub mod matcher;
mod moves;
mod near_miss;
mod once;
mod precision;
pub mod prelude;
mod products;
mod reach;
mod removal;
mod rotations;
mod shapeless;
mod site;
mod spell;
mod sums;
mod surroundings;
mod template;
mod terms;
mod together;
mod uses;
mod words;

use std::collections::BTreeMap;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::finding::{Contract, Finding, Import, MEASURED, Proposal, Refusal};
use crate::graph::Analysis;
use crate::graph::body::{BlockId, Occurrence};
use crate::graph::dtypes::flow::DtypeFlow;
use crate::graph::dtypes::table::{spelt, spread};
use crate::graph::facts::Facts;
use crate::graph::normalize;
use crate::graph::users::Users;
use crate::graph::value::{Comparison, Graph, Op, ValueId};
use crate::platform::Platform;
use crate::syntax::{TextRange, TextSize};
use about::{Matches, Slower};
use elaborate::Plan;
use judge::{Judgement, is_proved};
use kernels::{compiled, counts, fewer, kernels, unfused};
use load::Rule;
use matcher::{Bound, Match, Optional, Wanted};
pub use near_miss::near_misses;
use spell::Speller;
use together::judge_all;

/// What a rule has to say of a file.
#[derive(Default)]
pub struct Outcome {
    /// The edits it proposes, at most one for each place, the ones to be preferred first.
    pub proposals: Vec<Proposal>,
    /// Where a pattern matches but the rule does not apply.
    pub refusals: Vec<Refusal>,
}

/// A match at a place, with the values that its replacement is made of.
struct Candidate {
    body: usize,
    root: Occurrence,
    variant: usize,
    found: Match,
    arguments: Vec<(String, ValueId)>,
    after: ValueId,
    /// What is made of the root, where the rule lists what may be.
    uses: Option<uses::Shared>,
}

/// Everything that `rule` finds in `analysis` and that pays on `platform`.
pub fn find(rule: &Rule, analysis: &mut Analysis<'_>, platform: &Platform) -> Outcome {
    let mut candidates = candidates(rule, analysis);
    let mut outcome = Outcome::default();
    if candidates.is_empty() {
        return outcome;
    }
    for candidate in &mut candidates {
        complete(rule, candidate, &mut analysis.graph);
    }
    let verdicts = judge_all(rule, analysis, &mut candidates);
    let mut judged: Vec<(Candidate, Judgement)> = Vec::new();
    for (candidate, verdict) in candidates.into_iter().zip(verdicts) {
        match verdict {
            Ok(_) if let Some(reason) = unfit(rule, analysis, &candidate, platform) => {
                outcome.refusals.push(Refusal::whole(candidate.root.range, reason))
            }
            Ok(judgement) => judged.push((candidate, judgement)),
            Err(reason) => outcome.refusals.push(Refusal::whole(candidate.root.range, reason)),
        }
    }
    // The most trusted edit of a place wins; among equals the one that assumes least, then the one that takes most away.
    judged.sort_by_key(|(c, j)| (j.applicability, j.assumptions.len(), std::cmp::Reverse(c.found.inner.len()), c.root.range.start(), j.numerics));
    let shared = shared_parts(&judged);
    let units = together::units(rule, analysis, judged.iter().map(|(candidate, _)| candidate));
    let mut unwritten = FxHashSet::default();
    let (mut taken, mut left_over) = (Taken::default(), Vec::new());
    for ((candidate, judgement), unit) in judged.into_iter().zip(units) {
        let plan = Plan {
            analysis,
            body: &analysis.bodies[candidate.body],
            root: candidate.root,
            variant: &rule.variants[candidate.variant],
            arguments: &candidate.arguments,
            inner: &candidate.found.inner,
        };
        if taken.meets(candidate.root.range) {
            continue;
        }
        match plan.elaborate().and_then(|written| sums::too_long(&plan, &written.edits, candidate.after).map_or(Ok(written), Err)) {
            Ok(mut written) => {
                taken.add(candidate.root.range);
                left_over.push(written.leave_to_others(&shared));
                outcome.proposals.push(proposal(rule, analysis, &candidate, judgement, unit, written));
            }
            Err(reason) => {
                unwritten.extend(unit);
                outcome.refusals.push(Refusal::whole(candidate.root.range, reason));
            }
        }
    }
    let_last_ones_wait(&mut outcome.proposals, &left_over);
    outcome.proposals.retain(|p| !p.contract.unit().is_some_and(|unit| unwritten.contains(&unit)));
    together::share_assumptions(&mut outcome.proposals);
    outcome.refusals.retain(|r| !taken.meets(r.range));
    // One reason for each place: candidates come from the most specific pattern to the least.
    let mut told = FxHashSet::default();
    outcome.refusals.retain(|r| told.insert(r.range));
    outcome.refusals = outermost(outcome.refusals);
    outcome
}

/// Why `candidate` is nothing for `platform`: it was measured not to pay there, or that MLX lacks what it takes.
fn unfit(rule: &Rule, analysis: &Analysis<'_>, candidate: &Candidate, platform: &Platform) -> Option<String> {
    let variant = &rule.variants[candidate.variant];
    let is_bound = |name: &str| variant.wildcards.iter().zip(&candidate.found.bindings).any(|(w, bound)| w.name == name && bound.is_some());
    let is_here = |at: &Matches| match at {
        Matches::All => true,
        Matches::With(name) => is_bound(name),
        Matches::Without(name) => !is_bound(name),
        Matches::Unless(condition, _) => !is_proved(condition, rule, analysis, candidate),
    };
    let slower = rule.about.slower.iter().find(|s| s.target == platform.target && is_here(&s.at)).map(Slower::reason);
    slower.or_else(|| {
        let mlx = platform.mlx.as_ref()?;
        rule.about.needs.iter().find(|need| need.since > *mlx && is_here(&need.at)).map(|need| need.reason(mlx))
    })
}

/// Values that are part of the matches at two places: each keeps them for the other, and together they go.
fn shared_parts(judged: &[(Candidate, Judgement)]) -> FxHashSet<ValueId> {
    let mut first: FxHashMap<ValueId, TextRange> = FxHashMap::default();
    let parts = judged.iter().flat_map(|(c, _)| c.found.inner.iter().map(|&v| (v, c.root.range)));
    parts.filter(|&(v, root)| *first.entry(v).or_insert(root) != root).map(|(v, _)| v).collect()
}

/// What several matches leave to each other goes with the last of them, which must know that the others are gone. Where the last computes what another does, too,
/// both are replaced together or not at all.
fn let_last_ones_wait(proposals: &mut [Proposal], left_over: &[Vec<ValueId>]) {
    let root = |p: &Proposal| if let Contract::Values { replaced, .. } = &p.contract { Some(replaced.0) } else { None };
    let mut times: FxHashMap<ValueId, usize> = FxHashMap::default();
    proposals.iter().filter_map(root).for_each(|v| *times.entry(v).or_default() += 1);
    let mut last: FxHashMap<ValueId, (usize, bool)> = FxHashMap::default();
    let mut order: Vec<usize> = (0..proposals.len()).collect();
    order.sort_by_key(|&n| proposals[n].finding.range.end());
    for n in order {
        for &value in &left_over[n] {
            last.entry(value).and_modify(|(at, meets)| (*at, *meets) = (n, *meets || *at != n)).or_insert((n, false));
        }
    }
    for (n, _) in last.into_values().filter(|&(_, meets)| meets) {
        if let Contract::Values { waits, replaced, .. } = &mut proposals[n].contract {
            *waits = times[&replaced.0] == 1;
        }
    }
}

/// One reason is told once, for the whole of what it holds for.
fn outermost(mut refusals: Vec<Refusal>) -> Vec<Refusal> {
    refusals.sort_by_key(|r| (r.range.start(), std::cmp::Reverse(r.range.end())));
    let mut last: FxHashMap<String, TextRange> = FxHashMap::default();
    refusals.retain(|r| {
        let inside = last.get(&r.reason).is_some_and(|outer| outer.contains_range(r.range));
        if !inside {
            last.insert(r.reason.clone(), r.range);
        }
        !inside
    });
    refusals
}

/// Ranges that do not overlap, by where they start.
#[derive(Default)]
struct Taken(BTreeMap<TextSize, TextSize>);

impl Taken {
    fn add(&mut self, range: TextRange) {
        self.0.insert(range.start(), range.end());
    }

    /// Whether `range` overlaps one of them.
    fn meets(&self, range: TextRange) -> bool {
        self.0.range(..range.end()).next_back().is_some_and(|(_, &end)| end > range.start())
    }
}

/// The places where a pattern matches, facts about kinds taken into account, guards not.
fn candidates(rule: &Rule, analysis: &Analysis<'_>) -> Vec<Candidate> {
    let mut candidates = Vec::new();
    for (index, body) in analysis.bodies.iter().enumerate() {
        let mut facts: Option<(BlockId, usize, Facts<'_>)> = None;
        for root in body.occurrences.iter().filter(|o| o.own) {
            let head = head(&analysis.graph, root.value);
            if !rule.heads.contains(&head) {
                continue;
            }
            for (variant_index, variant) in rule.variants.iter().enumerate() {
                if !variant.heads.contains(&head) || !looks_like(&rule.graph, variant.pattern, &analysis.graph, root.value, 3) {
                    continue;
                }
                let block = root.block;
                let place = root.range.end().to_usize();
                if !matches!(&facts, Some((b, p, _)) if *b == block && *p == place) {
                    facts = Some((block, place, Facts::at(analysis, body, block, root.range.end())));
                }
                let Some((.., facts)) = &facts else { continue };
                let wanted = Wanted::of(rule, variant);
                for found in matcher::matches(wanted, analysis, facts, root.value) {
                    let (arguments, after) = (Vec::new(), root.value);
                    candidates.push(Candidate { body: index, root: *root, variant: variant_index, found, arguments, after, uses: None });
                }
            }
        }
    }
    candidates
}

/// The operation of `value`, for the comparison with those that may be a pattern's root.
fn head(graph: &Graph, value: ValueId) -> Op {
    match graph.op(value) {
        Op::Index(_) => Op::Index(0),
        op => op,
    }
}

/// Whether the top of `pattern` fits the top of `value`: the test that nearly all values fail, without facts or memory.
fn looks_like(rule: &Graph, pattern: ValueId, graph: &Graph, value: ValueId, depth: u32) -> bool {
    let (op, operands) = rule.get(pattern);
    if op == Op::AnyOf {
        return operands.iter().any(|&p| looks_like(rule, p, graph, value, depth));
    }
    if matches!(op, Op::Param(..)) || depth == 0 {
        return true;
    }
    let (value_op, values) = graph.get(value);
    let same = match (op, value_op) {
        (Op::Apply, _) if matcher::called(rule, pattern).is_some() => return true,
        (Op::Mlx("array"), Op::Mlx("sqrt" | "rsqrt") | Op::Div) => return true,
        (Op::Mul, Op::Div) | (Op::Permute | Op::DtypeOf | Op::Mlx("repeat"), _) => return true,
        (Op::Global(_) | Op::Attr(..) | Op::Index(_) | Op::Int(_) | Op::Float(_) | Op::Str(_) | Op::Literal(_), _) => return true,
        (a, b) => a == b,
    };
    if !same || operands.len() != values.len() {
        return false;
    }
    let fit = |p: ValueId, v: ValueId| looks_like(rule, p, graph, v, depth - 1);
    match (op, operands, values) {
        (Op::Add | Op::Mul, &[p, q], &[v, w]) => fit(p, v) && fit(q, w) || fit(p, w) && fit(q, v),
        _ => operands.iter().zip(values).all(|(&p, &v)| fit(p, v)),
    }
}

/// Make the values of the replacement: what wildcards stand for, defaults, and the replacement itself.
fn complete(rule: &Rule, candidate: &mut Candidate, graph: &mut Graph) {
    let variant = &rule.variants[candidate.variant];
    let mut memo: FxHashMap<ValueId, ValueId> = FxHashMap::default();
    for (name, node, default) in &variant.parameters {
        let wildcard = variant.wildcards.iter().position(|w| w.name == *name);
        let bound = wildcard.and_then(|w| candidate.found.bindings[w]);
        let value = match (bound, default) {
            (Some(bound), _) => under_conditions(derived(bound, graph), wildcard, &candidate.found.optional, graph),
            (None, Some(default)) => import(&rule.graph, *default, graph, &mut FxHashMap::default()),
            (None, None) => continue,
        };
        memo.insert(*node, value);
        candidate.arguments.push((name.clone(), value));
    }
    candidate.after = import(&rule.graph, variant.after, graph, &mut memo);
}

fn derived(bound: Bound, graph: &mut Graph) -> ValueId {
    match bound {
        Bound::Value(value) => value,
        Bound::Reciprocal(value) => {
            let one = graph.int(1);
            graph.value(Op::Div, &[one, value])
        }
        Bound::Swapped(value) => normalize::swap_last_two(graph, value),
        Bound::Opposite(value) => opposite(value, graph),
        Bound::Root { of, inverse } => {
            let exponent = graph.float(if inverse { -0.5 } else { 0.5 });
            graph.value(Op::Pow, &[of, exponent])
        }
        Bound::Term { sum, product } => terms::term(graph, sum, product),
    }
}

/// `value` where the conditions of its wildcard say that it is there, else `None`.
fn under_conditions(value: ValueId, wildcard: Option<usize>, conditions: &[Optional], graph: &mut Graph) -> ValueId {
    let mut value = value;
    let none = graph.leaf(Op::None);
    for optional in conditions.iter().filter(|o| Some(o.wildcard) == wildcard) {
        let (then, otherwise) = if optional.when { (value, none) } else { (none, value) };
        value = graph.value(Op::Gate, &[optional.condition, then, otherwise]);
    }
    value
}

/// The opposite of truth values: that of a comparison is another comparison.
fn opposite(value: ValueId, graph: &mut Graph) -> ValueId {
    match graph.get(value) {
        (Op::Invert | Op::Mlx("logical_not"), &[inner]) => inner,
        (Op::Compare(Comparison::NotEq), &[a, b]) => graph.value(Op::Compare(Comparison::Eq), &[a, b]),
        (Op::Compare(Comparison::Eq), &[a, b]) => graph.value(Op::Compare(Comparison::NotEq), &[a, b]),
        _ => graph.value(Op::Invert, &[value]),
    }
}

/// The node of `graph` for a node of a rule, parameters exchanged as `memo` says. Rules are small, so recursion is.
fn import(rule: &Graph, value: ValueId, graph: &mut Graph, memo: &mut FxHashMap<ValueId, ValueId>) -> ValueId {
    if let Some(&known) = memo.get(&value) {
        return known;
    }
    let (op, operands) = rule.get(value);
    let operands: Vec<ValueId> = operands.iter().map(|&v| import(rule, v, graph, memo)).collect();
    let op = match op {
        Op::Global(path) => Op::Global(graph.symbol(rule.name(path))),
        Op::Str(text) => Op::Str(graph.symbol(rule.name(text))),
        Op::Literal(text) => Op::Literal(graph.symbol(rule.name(text))),
        Op::Attr(name, version) => Op::Attr(graph.symbol(rule.name(name)), version),
        Op::Keyword(name) => Op::Keyword(graph.symbol(rule.name(name))),
        op => op,
    };
    let made = graph.value(op, &operands);
    memo.insert(value, made);
    made
}

/// What is done where a number is wanted and an array stands.
const READ_BACK: &str = "Use a Python number where an array that holds one number is read back from the device.";
/// What such a place costs.
const WAITS: &str =
    "Where a number is wanted, the array is read back from the device at each call (under `mx.compile` once, at tracing), which waits for it.";

fn proposal(
    rule: &Rule,
    analysis: &Analysis<'_>,
    candidate: &Candidate,
    judgement: Judgement,
    unit: Option<usize>,
    written: elaborate::Elaboration,
) -> Proposal {
    let graph = &analysis.graph;
    let body = &analysis.bodies[candidate.body];
    let facts = Facts::at(analysis, body, candidate.root.block, candidate.root.range.end());
    let kernels = |values: &[ValueId]| kernels(graph, &facts, values);
    let before = kernels(&candidate.found.inner);
    // Of a choice, one side is computed.
    let sides = if let (Op::Gate, operands) = graph.get(candidate.after) { &operands[1..] } else { &[candidate.after][..] };
    let new = sides.iter().map(|&side| after_values(graph, candidate, side));
    let after = new.map(|values| kernels(&[values, written.kept.clone()].concat())).max().unwrap_or(0);
    // Where the array is only read back no number changes, and no promotion.
    let reads = !judgement.narrows && !rule.about.narrows.is_empty();
    let apart = left_apart(analysis, &facts, candidate).filter(|&n| n < before);
    // What is copied by whatever reads it is no kernel less, and as fast as that.
    let copied = surroundings::copied_later(analysis, body, candidate.root, candidate.after);
    let calls_module = candidate.found.inner.iter().any(|&v| graph.calls_module(v));
    let said = || said_of_kernels(calls_module, reads, (before, after, kernels(&written.kept)), apart);
    let counted = copied.clone().or_else(said);
    let mut rationale: Vec<String> = counted.into_iter().chain(only_casts(analysis, candidate, before.saturating_sub(after))).collect();
    if judgement.narrows {
        rationale.push(rule.about.narrows.clone());
        rationale.extend(spreads(analysis, candidate));
    } else if reads {
        rationale.push(WAITS.to_owned());
    }
    rationale.extend(surroundings::leaves_a_class(analysis, &facts, candidate));
    if !reads {
        rationale.extend(first_sentence(&rule.about.mechanism));
        rationale.extend(sums::in_compiled_caller(analysis, body, candidate));
        rationale.extend(measured(rule, &facts, candidate).filter(|_| apart.is_none() && copied.is_none()));
    }
    Proposal {
        finding: Finding {
            transform: rule.id.clone(),
            range: written.range,
            applicability: judgement.applicability,
            numerics: Some(judgement.numerics),
            message: format!("{} Here: `{}`", if reads { READ_BACK } else { &rule.about.title }, written.text),
            rationale,
            assumptions: judgement.assumptions,
            guide: rule.about.guide.clone(),
            edits: written.edits,
            hinges: Vec::new(),
        },
        contract: contract(rule, analysis, candidate, unit, written.import),
    }
}

fn contract(rule: &Rule, analysis: &Analysis<'_>, candidate: &Candidate, unit: Option<usize>, import: Option<Import>) -> Contract {
    Contract::Values {
        replaced: (candidate.root.value, candidate.after),
        parts: candidate.found.inner.clone(),
        import,
        unit,
        waits: false,
        site: Box::new(site::site(rule, analysis, candidate)),
    }
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

/// What was measured: with the class of `mlx.nn` of a module that is matched, where that has figures of its own.
fn measured(rule: &Rule, facts: &Facts<'_>, candidate: &Candidate) -> Option<String> {
    let class = candidate.found.bindings.iter().flatten().find_map(|bound| if let Bound::Value(v) = *bound { facts.module_of(v) } else { None });
    rule.about.measured_with(class).map(|gain| format!("{MEASURED}: {gain}."))
}

/// On what the gain hangs where the kernels that are left out, `less` of them, are casts to float32 and back alone.
fn only_casts(analysis: &Analysis<'_>, candidate: &Candidate, less: usize) -> Option<String> {
    let graph = &analysis.graph;
    let casts = || candidate.found.inner.iter().filter(|&&v| graph.op(v) == Op::Mlx("astype"));
    let kept = after_values(graph, candidate, candidate.after).into_iter().filter(|&v| graph.op(v) == Op::Mlx("astype")).count();
    let up = casts().map(|&v| graph.operands(v)).find(|of| graph.path(of[1]) == Some("mlx.core.float32"))?;
    let (body, at) = (&analysis.bodies[candidate.body], candidate.root);
    // By the name that it has there, not by the first that it had.
    let speller = Speller::new(analysis, body, at.range, body.statements[at.statement as usize].range.start());
    let text = speller.argument(up[0]).unwrap_or_else(|| spelt(analysis, body, up[0]));
    (less > 0 && casts().count().checked_sub(kept) == Some(less))
        .then(|| format!("Where `{text}` is float32 already the casts are no kernels, and nothing is gained."))
}

/// What is float32 because of what the match makes, where it is used.
fn spreads(analysis: &Analysis<'_>, candidate: &Candidate) -> Option<String> {
    let Ok(uses) = &**candidate.uses.as_ref()? else { return None };
    let body = &analysis.bodies[candidate.body];
    let facts = Facts::at(analysis, body, 0, body.range.end());
    let at = || uses.iter().map(|used| used.place.value);
    let spoilt = DtypeFlow::new(analysis, &facts).spoilt(at(), &Users::around(analysis, body, candidate.root));
    spread(analysis, body, at(), &spoilt)
}

/// The values that a side of the replacement computes beyond what it is given.
fn after_values(graph: &Graph, candidate: &Candidate, side: ValueId) -> Vec<ValueId> {
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
