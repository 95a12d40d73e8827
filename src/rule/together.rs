//! Judges the candidates of a rule that narrows together: whether one number in an array keeps an operation in float32 depends on whether the one in the
//! next operation does.

use rustc_hash::FxHashMap;

use super::judge::{Judgement, judge};
use super::load::Rule;
use super::uses::Use;
use super::{Candidate, uses};
use crate::finding::Applicability;
use crate::graph::Analysis;
use crate::graph::users::Users;
use crate::graph::value::{Op, ValueId};

/// The judgement of each candidate.
pub(super) fn judge_all(rule: &Rule, analysis: &mut Analysis<'_>, candidates: &mut [Candidate]) -> Vec<Result<Judgement, String>> {
    for candidate in candidates.iter_mut() {
        let Some(listed) = &rule.variants[candidate.variant].uses else { continue };
        candidate.uses = Some(uses::find(rule, listed, analysis, candidate.body, candidate.root));
    }
    if rule.about.narrows.is_empty() {
        for candidate in candidates.iter_mut() {
            let mut memo = FxHashMap::from_iter([(candidate.root.value, candidate.after)]);
            let oldest = candidate.root.value;
            replace(analysis, candidate, oldest, &mut memo);
        }
        return candidates.iter().map(|c| judge(rule, analysis, c)).collect();
    }
    let refused = |c: &Candidate| match &c.uses {
        Some(Err(reason)) => Err(reason.clone()),
        _ => Err("its uses are not listed".to_owned()),
    };
    let mut verdicts: Vec<Result<Judgement, String>> = candidates.iter().map(refused).collect();
    let mut members: Vec<bool> = candidates.iter().map(|c| matches!(c.uses, Some(Ok(_)))).collect();
    settle(analysis, candidates, &mut members, |analysis, n, candidate| {
        let verdict = judge(rule, analysis, candidate);
        let stays = verdict.is_ok();
        verdicts[n] = verdict;
        stays
    });
    let is_narrowing = |v: &Result<Judgement, String>| matches!(v, Ok(j) if j.applicability == Applicability::Narrowing);
    // With `--narrow` those that assume something stay as they are, and what is beside them must do without.
    let mut narrowing: Vec<bool> = verdicts.iter().map(is_narrowing).collect();
    settle(
        analysis,
        candidates,
        &mut narrowing,
        |analysis, _, candidate| matches!(judge(rule, analysis, candidate), Ok(j) if j.applicability == Applicability::Narrowing),
    );
    let downgraded = |(mut verdict, narrowing): (Result<Judgement, String>, bool)| {
        if let Ok(judgement) = &mut verdict
            && judgement.applicability == Applicability::Narrowing
            && !narrowing
        {
            judgement.applicability = Applicability::Unsafe;
            judgement.assumptions.push("the numbers in arrays beside it become numbers, too".to_owned());
        }
        verdict
    };
    verdicts.into_iter().zip(narrowing).map(downgraded).collect()
}

/// The unit of each of `candidates`, where the rule narrows: those that meet in anything that is made of them. With one of two left as it is, an intermediate
/// would be rounded to half precision and the result be in float32 all the same.
pub(super) fn units<'c>(rule: &Rule, analysis: &Analysis<'_>, candidates: impl Iterator<Item = &'c Candidate>) -> Vec<Option<usize>> {
    if rule.about.narrows.is_empty() {
        return candidates.map(|_| None).collect();
    }
    let mut units: Vec<usize> = Vec::new();
    let mut first: FxHashMap<(usize, ValueId), usize> = FxHashMap::default();
    for (n, candidate) in candidates.enumerate() {
        units.push(n);
        let Some(Ok(uses)) = &candidate.uses else { continue };
        let users = Users::around(analysis, &analysis.bodies[candidate.body], candidate.root);
        let made = uses.iter().flat_map(|u| users.downstream(u.place.value)).chain([candidate.root.value]);
        // A tuple mixes nothing.
        for value in made.filter(|&v| !matches!(analysis.graph.op(v), Op::Tuple | Op::List)) {
            let other = *first.entry((candidate.body, value)).or_insert(n);
            let (one, other) = (unit_of(&units, n), unit_of(&units, other));
            units[one] = other;
        }
    }
    (0..units.len()).map(|n| Some(unit_of(&units, n))).collect()
}

/// The number that stands for the unit of member `n`.
fn unit_of(units: &[usize], mut n: usize) -> usize {
    while units[n] != n {
        n = units[n];
    }
    n
}

/// Take members away until each of those that are left `stays` where all of them are replaced.
fn settle(
    analysis: &mut Analysis<'_>,
    candidates: &mut [Candidate],
    members: &mut [bool],
    mut stays: impl FnMut(&Analysis<'_>, usize, &Candidate) -> bool,
) {
    loop {
        let mut memos: FxHashMap<usize, FxHashMap<ValueId, ValueId>> = FxHashMap::default();
        let mut oldest: FxHashMap<usize, ValueId> = FxHashMap::default();
        for (candidate, _) in candidates.iter().zip(&*members).filter(|(_, member)| **member) {
            let root = candidate.root.value;
            memos.entry(candidate.body).or_default().insert(root, candidate.after);
            oldest.entry(candidate.body).and_modify(|o| *o = root.min(*o)).or_insert(root);
        }
        for candidate in candidates.iter_mut() {
            let memo = memos.entry(candidate.body).or_default();
            let oldest = oldest.get(&candidate.body).copied().unwrap_or(candidate.root.value);
            replace(analysis, candidate, oldest, memo);
        }
        let left: Vec<bool> = candidates.iter().zip(&*members).enumerate().map(|(n, (c, &member))| member && stays(analysis, n, c)).collect();
        if left == members {
            return;
        }
        members.copy_from_slice(&left);
    }
}

/// Work out what becomes of the uses of `candidate` where every value of `memo` is replaced, none of which is older than `oldest`.
fn replace(analysis: &mut Analysis<'_>, candidate: &mut Candidate, oldest: ValueId, memo: &mut FxHashMap<ValueId, ValueId>) {
    let uses: &mut [Use] = match &mut candidate.uses {
        Some(Ok(uses)) => uses,
        _ => return,
    };
    for used in uses {
        used.after = analysis.graph.substitute_since(oldest, used.place.value, memo);
        for (before, after) in &mut used.next {
            *after = analysis.graph.substitute_since(oldest, *before, memo);
        }
    }
}
