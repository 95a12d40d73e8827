//! Rewrite rules: patterns written in Python, found in the value graph of a program, judged by facts, and written back as edits.

pub mod about;
mod axes;
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
mod proposal;
mod reach;
mod removal;
mod rotations;
mod shapeless;
mod site;
mod softmaxes;
mod spell;
mod sums;
mod surroundings;
mod template;
mod terms;
mod together;
mod uses;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::{FxHashMap, FxHashSet};

use crate::finding::{Contract, Proposal, Refusal};
use crate::graph::Analysis;
use crate::graph::body::{BlockId, Effect, Occurrence};
use crate::graph::definitions::FunctionIndex;
use crate::graph::facts::Facts;
use crate::graph::normalize;
use crate::graph::value::{Comparison, Graph, Op, ValueId};
use crate::platform::Platform;
use crate::syntax::{TextRange, TextSize};
use about::{Matches, Slower};
use elaborate::Plan;
use judge::{Judgement, is_proved};
use load::Rule;
use matcher::{Bound, Match, Optional, Wanted};
pub use near_miss::near_misses;
use proposal::{after_values, proposal};
use softmaxes::Told;
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
    candidates.iter_mut().for_each(|candidate| complete(rule, candidate, &mut analysis.graph));
    let verdicts = judge_all(rule, analysis, &mut candidates);
    let mut judged = admitted(rule, analysis, platform, candidates.into_iter().zip(verdicts).collect(), &mut outcome.refusals);
    // The most trusted edit of a place wins; among equals the one that assumes least, then the one that takes most away.
    judged.sort_by_key(|(c, j)| (j.applicability, j.assumptions.len(), std::cmp::Reverse(c.found.inner.len()), c.root.range.start(), j.numerics));
    let shared = shared_parts(&judged);
    let told = Told::of(&mut analysis.graph, judged.iter().map(|(_, judgement)| judgement));
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
        match write(&plan, &candidate, &told, &judgement) {
            Ok(mut written) => {
                taken.add(candidate.root.range);
                left_over.push(written.leave_to_others(&shared));
                let also = told.replaced(&judgement.softmaxes);
                outcome.proposals.push(proposal(rule, analysis, &candidate, (judgement, also), unit, written));
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

/// The candidates that their verdicts admit and that pay on `platform`; why others do not goes to `refusals`.
fn admitted(
    rule: &Rule,
    analysis: &Analysis<'_>,
    platform: &Platform,
    candidates: Vec<(Candidate, Result<Judgement, String>)>,
    refusals: &mut Vec<Refusal>,
) -> Vec<(Candidate, Judgement)> {
    let is_listed = |c: &Candidate| matches!(c.uses.as_deref(), Some(Ok(_)));
    let listed: FxHashSet<TextRange> = candidates.iter().filter(|(c, _)| is_listed(c)).map(|(c, _)| c.root.range).collect();
    let mut judged = Vec::new();
    for (candidate, verdict) in candidates {
        let range = candidate.root.range;
        match verdict {
            Ok(_) if let Some(reason) = unfit(rule, analysis, &candidate, platform) => refusals.push(Refusal::whole(range, reason)),
            Ok(judgement) => judged.push((candidate, judgement)),
            // That one pattern does not list the uses says nothing where another one does.
            Err(_) if matches!(candidate.uses.as_deref(), Some(Err(_))) && listed.contains(&range) => {}
            Err(reason) => refusals.push(Refusal::whole(range, reason)),
        }
    }
    judged
}

/// The edits of `candidate`, those of what is changed along with it among them.
fn write(plan: &Plan<'_>, candidate: &Candidate, told: &Told, judgement: &Judgement) -> Result<elaborate::Elaboration, elaborate::Obstacle> {
    let written = plan.elaborate()?;
    match sums::too_long(plan, &written.edits, candidate.after) {
        Some(reason) => Err(reason),
        None => told.write(plan, written, &judgement.softmaxes),
    }
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

/// The places where a pattern matches, facts about kinds taken into account, guards not: where its root is written, or where a helper of the file is called that
/// is no match by itself, but is one with what this call gives it.
fn candidates(rule: &Rule, analysis: &Analysis<'_>) -> Vec<Candidate> {
    let mut candidates = matches(rule, analysis);
    if candidates.iter().all(|c| c.root.own) {
        return candidates;
    }
    let roots: FxHashSet<(usize, ValueId)> = candidates.iter().map(|c| (c.body, c.root.value)).collect();
    let places: FxHashSet<TextRange> = candidates.iter().map(|c| c.root.range).collect();
    let returns = |body: usize| analysis.bodies[body].effects.iter().any(|e| matches!(*e, Effect::Return(value) if roots.contains(&(body, value))));
    let with_roots: FxHashSet<usize> = roots.iter().map(|&(body, _)| body).filter(|&body| returns(body)).collect();
    let is_match = |function: FunctionIndex| analysis.body_of(function).is_some_and(|body| with_roots.contains(&body));
    // What gives a value that is computed elsewhere and matches there.
    let mut elsewhere: FxHashSet<(usize, ValueId)> = FxHashSet::default();
    for index in candidates.iter().filter(|c| !c.root.own).map(|c| c.body).collect::<BTreeSet<_>>() {
        let body = &analysis.bodies[index];
        let functions = body.inlined.iter().filter(|&&(function, _)| is_match(function)).map(|&(_, value)| value);
        let lambdas = body.inlined_lambdas.iter().filter(|(computed, _)| places.contains(computed)).map(|&(_, value)| value);
        elsewhere.extend(functions.chain(lambdas).map(|value| (index, value)));
    }
    candidates.retain(|c| c.root.own || !elsewhere.contains(&(c.body, c.root.value)));
    candidates
}

/// All places where a pattern matches the value of an expression.
fn matches(rule: &Rule, analysis: &Analysis<'_>) -> Vec<Candidate> {
    let mut candidates = Vec::new();
    for (index, body) in analysis.bodies.iter().enumerate() {
        let mut facts: Option<(BlockId, usize, Facts<'_>)> = None;
        for root in &body.occurrences {
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
