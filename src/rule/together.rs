//! Judges the candidates of a rule that narrows together: whether one number in an array keeps an operation in float32 depends on whether the one in the
//! next operation does.

use std::rc::Rc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::judge::{Judgement, Seen, judge, judge_uses, once};
use super::load::Rule;
use super::uses::{Shared, Use};
use super::{Candidate, uses};
use crate::finding::{Applicability, Proposal};
use crate::graph::Analysis;
use crate::graph::users::Users;
use crate::graph::value::{Op, ValueId};

/// What is assumed where others must be replaced, too, which assume something.
const BESIDE: &str = "the numbers in arrays beside it become numbers, too";

/// What becomes of each value.
type Replaced = FxHashMap<ValueId, ValueId>;

/// The judgement of each candidate.
pub(super) fn judge_all(rule: &Rule, analysis: &mut Analysis<'_>, candidates: &mut [Candidate]) -> Vec<Result<Judgement, String>> {
    find_uses(rule, analysis, candidates);
    if rule.about.narrows.is_empty() {
        return judge_apart(rule, analysis, candidates);
    }
    let refused = |c: &Candidate| match c.uses.as_deref() {
        Some(Err(reason)) => Err(reason.clone()),
        _ => Err("its uses are not listed".to_owned()),
    };
    let mut verdicts: Vec<Result<Judgement, String>> = candidates.iter().map(refused).collect();
    let mut members: Vec<bool> = candidates.iter().map(|c| matches!(c.uses.as_deref(), Some(Ok(_)))).collect();
    settle(rule, analysis, candidates, &mut members, |n, verdict| {
        let stays = verdict.is_ok();
        verdicts[n] = verdict;
        stays
    });
    let is_narrowing = |v: &Result<Judgement, String>| matches!(v, Ok(j) if j.applicability == Applicability::Narrowing);
    // With `--narrow` those that assume something stay as they are, and what is beside them must do without.
    let mut narrowing: Vec<bool> = verdicts.iter().map(is_narrowing).collect();
    settle(rule, analysis, candidates, &mut narrowing, |_, verdict| is_narrowing(&verdict));
    let downgraded = |(mut verdict, narrowing): (Result<Judgement, String>, bool)| {
        if let Ok(judgement) = &mut verdict
            && judgement.applicability == Applicability::Narrowing
            && !narrowing
        {
            judgement.applicability = Applicability::Unsafe;
            judgement.assumptions.push(BESIDE.to_owned());
        }
        verdict
    };
    verdicts.into_iter().zip(narrowing).map(downgraded).collect()
}

/// Find the uses of each of `candidates`, where the rule lists them, once for all that share them.
fn find_uses(rule: &Rule, analysis: &Analysis<'_>, candidates: &mut [Candidate]) {
    let mut known: FxHashMap<_, Shared> = FxHashMap::default();
    for candidate in candidates {
        let Some(listed) = &rule.variants[candidate.variant].uses else { continue };
        let part = Rc::as_ptr(&Users::around(analysis, &analysis.bodies[candidate.body], candidate.root));
        let arguments: Vec<ValueId> = candidate.arguments.iter().map(|&(_, v)| v).collect();
        let key = (part, candidate.root.value, candidate.variant, candidate.found.bindings.clone(), arguments);
        let find = || Rc::new(uses::find(rule, listed, analysis, candidate.body, candidate.root));
        candidate.uses = Some(Rc::clone(known.entry(key).or_insert_with(find)));
    }
}

/// The judgement of each candidate as if it were the only one.
fn judge_apart(rule: &Rule, analysis: &mut Analysis<'_>, candidates: &[Candidate]) -> Vec<Result<Judgement, String>> {
    let mut said = Said::default();
    let mut verdicts = Vec::with_capacity(candidates.len());
    for candidate in candidates {
        let root = candidate.root.value;
        let mut replaced = Replaced::from_iter([(root, candidate.after)]);
        replace(analysis, candidate, root, &mut replaced);
        verdicts.push(said.judge(rule, analysis, candidate, &replaced));
    }
    verdicts
}

/// What was said of uses, by where they are kept.
#[derive(Default)]
struct Said(FxHashMap<*const Result<Vec<Use>, String>, Seen>);

impl Said {
    fn judge(&mut self, rule: &Rule, analysis: &Analysis<'_>, candidate: &Candidate, replaced: &Replaced) -> Result<Judgement, String> {
        let seen = candidate.uses.as_ref().map(|uses| {
            let judged = || match &**uses {
                Ok(uses) => judge_uses(rule, analysis, candidate, uses, replaced),
                Err(reason) => Err(reason.clone()),
            };
            &*self.0.entry(Rc::as_ptr(uses)).or_insert_with(judged)
        });
        judge(rule, analysis, candidate, seen)
    }
}

/// The unit of each of `candidates`, where the rule narrows: those that meet in anything that is made of them. With one of two left as it is, an intermediate
/// would be rounded to half precision and the result be in float32 all the same.
pub(super) fn units<'c>(rule: &Rule, analysis: &Analysis<'_>, candidates: impl Iterator<Item = &'c Candidate>) -> Vec<Option<usize>> {
    if rule.about.narrows.is_empty() {
        return candidates.map(|_| None).collect();
    }
    let mut units: Vec<usize> = Vec::new();
    let mut first: FxHashMap<(usize, ValueId), usize> = FxHashMap::default();
    // Who was here last. What was followed once leads where it led before, and those who meet there are one unit already.
    let mut last: FxHashMap<(*const Users, ValueId), usize> = FxHashMap::default();
    let mut followed = FxHashSet::default();
    for (n, candidate) in candidates.enumerate() {
        units.push(n);
        let Some(shared) = &candidate.uses else { continue };
        let Ok(uses) = &**shared else { continue };
        let users = Users::around(analysis, &analysis.bodies[candidate.body], candidate.root);
        let mut join = |value: ValueId| {
            let other = *first.entry((candidate.body, value)).or_insert(n);
            let (one, other) = (unit_of(&mut units, n), unit_of(&mut units, other));
            units[one] = other;
        };
        join(candidate.root.value);
        if !followed.insert(Rc::as_ptr(shared)) {
            continue;
        }
        let mut stack: Vec<ValueId> = uses.iter().map(|u| u.place.value).collect();
        while let Some(value) = stack.pop() {
            // A tuple mixes nothing.
            let mixes = !matches!(analysis.graph.op(value), Op::Tuple | Op::List);
            if mixes {
                join(value);
            }
            let before = last.insert((Rc::as_ptr(&users), value), n);
            if before.is_none() || !mixes && before != Some(n) {
                stack.extend(users.users(value));
            }
        }
    }
    (0..units.len()).map(|n| Some(unit_of(&mut units, n))).collect()
}

/// Have each proposal that assumes something assume what those do that are applied with it.
pub(super) fn share_assumptions(proposals: &mut [Proposal]) {
    let mut assumed: FxHashMap<usize, Vec<String>> = FxHashMap::default();
    for (unit, finding) in proposals.iter().filter_map(|p| Some((p.contract.unit()?, &p.finding))) {
        assumed.entry(unit).or_default().extend_from_slice(&finding.assumptions);
    }
    for all in assumed.values_mut() {
        once(all);
        // The others are applied with it, and what they assume is said.
        if all.iter().any(|a| a != BESIDE) {
            all.retain(|a| a != BESIDE);
        }
    }
    for proposal in proposals.iter_mut().filter(|p| p.finding.applicability == Applicability::Unsafe) {
        if let Some(shared) = proposal.contract.unit().and_then(|unit| assumed.get(&unit)) {
            proposal.finding.assumptions.clone_from(shared);
        }
    }
}

/// The number that stands for the unit of member `n`.
fn unit_of(units: &mut [usize], mut n: usize) -> usize {
    while units[n] != n {
        units[n] = units[units[n]];
        n = units[n];
    }
    n
}

/// Take members away until each of those that are left `stays` where all of them are replaced.
fn settle(
    rule: &Rule,
    analysis: &mut Analysis<'_>,
    candidates: &[Candidate],
    members: &mut [bool],
    mut stays: impl FnMut(usize, Result<Judgement, String>) -> bool,
) {
    loop {
        let mut replaced: FxHashMap<usize, Replaced> = FxHashMap::default();
        let mut oldest: FxHashMap<usize, ValueId> = FxHashMap::default();
        for (candidate, _) in candidates.iter().zip(&*members).filter(|(_, member)| **member) {
            let root = candidate.root.value;
            replaced.entry(candidate.body).or_default().insert(root, candidate.after);
            oldest.entry(candidate.body).and_modify(|o| *o = root.min(*o)).or_insert(root);
        }
        let mut known = FxHashSet::default();
        for candidate in candidates.iter().filter(|c| c.uses.as_ref().is_some_and(|uses| known.insert(Rc::as_ptr(uses)))) {
            let oldest = oldest.get(&candidate.body).copied().unwrap_or(candidate.root.value);
            replace(analysis, candidate, oldest, replaced.entry(candidate.body).or_default());
        }
        let mut said = Said::default();
        let mut left = vec![false; members.len()];
        for (n, candidate) in candidates.iter().enumerate().filter(|&(n, _)| members[n]) {
            let verdict = said.judge(rule, analysis, candidate, &replaced[&candidate.body]);
            left[n] = stays(n, verdict);
        }
        if left == members {
            return;
        }
        members.copy_from_slice(&left);
    }
}

/// Work out what becomes of the uses of `candidate` where every value of `replaced` is, none of which is older than `oldest`.
fn replace(analysis: &mut Analysis<'_>, candidate: &Candidate, oldest: ValueId, replaced: &mut Replaced) {
    let Some(Ok(uses)) = candidate.uses.as_deref() else { return };
    for used in uses {
        for &value in std::iter::once(&used.place.value).chain(&used.next) {
            analysis.graph.substitute_since(oldest, value, replaced);
        }
    }
}
