//! Where a rule nearly applies: the places of a file that have most of what a pattern looks for, and what is in the way there. For people who ask; nothing
//! here takes part in a rewrite.

use rustc_hash::{FxHashMap, FxHashSet};

use super::load::Rule;
use super::matcher::{self, Near, Wanted};
use super::words::Words;
use crate::finding::Refusal;
use crate::graph::Analysis;
use crate::graph::body::{Body, Effect};
use crate::graph::facts::Facts;
use crate::graph::value::{Graph, Op, ValueId};
use crate::syntax::TextRange;

/// Less in common, in percent, is no likeness.
const MIN_LIKENESS: u32 = 8;
/// So many values below a root are looked at before it is searched.
const MAX_REACH: usize = 80;

/// A near miss, and what it is to be compared by.
struct Miss {
    near: Near,
    refusal: Refusal,
    body: usize,
}

/// The places where `rule` nearly applies, the nearest pattern for each, without those where one applies.
pub fn near_misses(rule: &Rule, analysis: &mut Analysis<'_>) -> Vec<Refusal> {
    let defaulted = matcher::defaulted(&mut analysis.graph);
    let changed = read_again(analysis);
    let analysis = &*analysis;
    let mut misses = Vec::new();
    let mut reach = Reach { graph: &analysis.graph, known: FxHashMap::default() };
    let marks: Vec<Vec<Op>> = rule.variants.iter().map(|v| characteristic(&rule.graph, v.pattern)).collect();
    for (index, body) in analysis.bodies.iter().enumerate() {
        for root in body.occurrences.iter().filter(|o| !analysis.graph.operands(o.value).is_empty()) {
            let mut facts: Option<Facts<'_>> = None;
            let head = super::head(&analysis.graph, root.value);
            for (variant, marks) in rule.variants.iter().zip(&marks) {
                if !variant.heads.contains(&head) && !reach.has_half_of(marks, root.value) {
                    continue;
                }
                let facts = facts.get_or_insert_with(|| Facts::at(analysis, body, root.block, root.range.end()));
                let Some(near) = matcher::nearest(rule, variant, analysis, facts, root.value, &defaulted) else { continue };
                // More than two differences are told to those only who ask about the place; so is a call, for the helper speaks for itself.
                let most = if near.differences.len() > 2 || !root.own { 59 } else { 99 };
                let likeness = (near.matched * 100 / (near.matched + near.lost)).min(most);
                if likeness >= MIN_LIKENESS {
                    let (at, reason) = Words { rule, variant, near: &near, analysis, body, facts, root: root.range }.say();
                    misses.push(Miss { near, refusal: Refusal { range: root.range, at, reason, likeness }, body: index });
                }
            }
        }
        for (value, range, reason) in changes(body, &changed, &analysis.graph) {
            for variant in &rule.variants {
                let facts = Facts::anywhere(analysis);
                let is_match = || !matcher::matches(Wanted::of(rule, variant), analysis, &facts, value).is_empty();
                if variant.heads.contains(&super::head(&analysis.graph, value)) && is_match() {
                    let refusal = Refusal { range, at: range, reason: reason.to_owned(), likeness: 75 };
                    misses.push(Miss { near: Near::default(), refusal, body: index });
                }
            }
        }
    }
    best_of_each_place(rule, analysis, misses)
}

/// For each store into a part of something: what reading that part would be.
fn read_again(analysis: &mut Analysis<'_>) -> FxHashMap<(ValueId, ValueId), ValueId> {
    let effects = analysis.bodies.iter().flat_map(|b| &b.effects);
    let stored: Vec<_> = effects.filter_map(|e| if let Effect::StoreItem(object, index, _) = *e { Some((object, index)) } else { None }).collect();
    stored.into_iter().map(|(object, index)| ((object, index), analysis.graph.value(Op::Index(0), &[object, index]))).collect()
}

/// What a scope changes instead of computing it: as a value, with a place in the statement and what is to be said of it.
fn changes<'x>(
    body: &'x Body,
    read: &'x FxHashMap<(ValueId, ValueId), ValueId>,
    graph: &'x Graph,
) -> impl Iterator<Item = (ValueId, TextRange, &'static str)> + 'x {
    let place = |value: ValueId| body.occurrences_of(value).next().map(|o| o.range);
    body.effects.iter().filter_map(move |effect| match *effect {
        Effect::StoreItem(object, index, _) => Some((*read.get(&(object, index))?, place(index)?, "the elements are written, not read")),
        Effect::Mutate(_, new) => {
            let part = graph.operands(new).iter().find_map(|&v| place(v))?;
            Some((new, part, "the array is changed in place, which others that hold it may see"))
        }
        _ => None,
    })
}

/// One miss for each place: the likeliest, and none beside a match. What shares a value that matters is one place.
fn best_of_each_place(rule: &Rule, analysis: &Analysis<'_>, mut misses: Vec<Miss>) -> Vec<Refusal> {
    let matters = |v: &ValueId| matcher::weight(analysis.graph.op(*v)) >= 4;
    let mut told: FxHashSet<(usize, ValueId)> = FxHashSet::default();
    for candidate in super::candidates(rule, analysis) {
        told.extend(candidate.found.inner.iter().map(|&v| (candidate.body, v)));
    }
    misses.sort_by_key(|m| (std::cmp::Reverse(m.refusal.likeness), std::cmp::Reverse(m.near.matched)));
    let mut refusals: Vec<Refusal> = Vec::new();
    for miss in misses {
        let inside = |r: &Refusal| r.range.contains_range(miss.refusal.range) || miss.refusal.range.contains_range(r.range);
        if miss.near.inner.iter().filter(|v| matters(v)).any(|&v| told.contains(&(miss.body, v))) || refusals.iter().any(inside) {
            continue;
        }
        told.extend(miss.near.inner.iter().map(|&v| (miss.body, v)));
        refusals.push(miss.refusal);
    }
    refusals
}

/// The operations of a pattern by which it is known, whichever alternatives are taken.
fn characteristic(graph: &Graph, pattern: ValueId) -> Vec<Op> {
    let (op, operands) = graph.get(pattern);
    if op == Op::AnyOf {
        let mut all = operands.iter().map(|&p| characteristic(graph, p));
        let first = all.next().unwrap_or_default();
        return all.fold(first, |common, other| common.into_iter().filter(|op| other.contains(op)).collect());
    }
    // In a program the parts of it are what is there, in one spelling or another.
    if matcher::called(graph, pattern).is_some() {
        return Vec::new();
    }
    let mut found: Vec<Op> = (matcher::weight(op) >= 4).then_some(op).into_iter().collect();
    for &operand in operands {
        found.extend(characteristic(graph, operand));
    }
    found
}

/// Which operations a value is made by.
struct Reach<'x> {
    graph: &'x Graph,
    known: FxHashMap<ValueId, Vec<Op>>,
}

impl Reach<'_> {
    /// Whether at least half of `marks` are among the operations below `root`: the test that nearly all values fail.
    fn has_half_of(&mut self, marks: &[Op], root: ValueId) -> bool {
        let graph = self.graph;
        let ops = self.known.entry(root).or_insert_with(|| below(graph, root));
        let here = marks.iter().filter(|op| ops.contains(op)).count();
        here > 0 && here * 2 >= marks.len()
    }
}

/// The operations that matter among the values near below `root`.
fn below(graph: &Graph, root: ValueId) -> Vec<Op> {
    let mut seen = vec![root];
    let mut at = 0;
    while let Some(&value) = seen.get(at) {
        at += 1;
        for &operand in graph.operands(value) {
            if seen.len() < MAX_REACH && !seen.contains(&operand) {
                seen.push(operand);
            }
        }
    }
    let mut ops: Vec<Op> = seen.into_iter().map(|v| graph.op(v)).filter(|&op| matcher::weight(op) >= 4).collect();
    ops.dedup();
    ops
}
