//! What is made of what: for each value of a scope the values that are computed from it, as far as effects read them.

use std::rc::Rc;

use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;

use super::Analysis;
use super::body::{Body, Occurrence};
use super::value::{Op, ValueId};

/// What is made of what in one scope, or in one lambda of it.
pub struct Users {
    users: FxHashMap<ValueId, Vec<ValueId>>,
    /// Values that effects read as they are.
    seen: FxHashSet<ValueId>,
}

impl Users {
    /// The users in `body`.
    pub fn of(analysis: &Analysis<'_>, body: &Body) -> Self {
        let seen = body.effects.iter().flat_map(|e| e.values()).flatten().collect();
        Self { users: users(analysis, body.read(&analysis.graph).into_iter().collect()), seen }
    }

    /// The users in the part of `body` in which `root` stands: a lambda is a part of its own.
    pub fn around(analysis: &Analysis<'_>, body: &Body, root: Occurrence) -> Rc<Self> {
        let is_around = |o: &&Occurrence| o.range != root.range && o.range.contains_range(root.range);
        let (users_of_all, lambdas) = body.users.get_or_init(|| {
            let is_lambda = |o: &&Occurrence| matches!(analysis.graph.op(o.value), Op::Function(_));
            (Rc::new(Self::of(analysis, body)), body.occurrences.iter().filter(is_lambda).copied().collect())
        });
        let Some(lambda) = lambdas.iter().filter(is_around).min_by_key(|o| o.range.len()) else {
            return Rc::clone(users_of_all);
        };
        let inside: Vec<&Occurrence> = body.occurrences_in(lambda.range).filter(|o| o.own && o.range != lambda.range).collect();
        // The widest is what the lambda returns.
        let seen = inside.iter().max_by_key(|o| o.range.len()).map(|o| o.value).into_iter().collect();
        Rc::new(Self { users: users(analysis, inside.into_iter().map(|o| o.value).collect()), seen })
    }

    /// What is made of `value`.
    pub fn users(&self, value: ValueId) -> &[ValueId] {
        self.users.get(&value).map_or(&[], Vec::as_slice)
    }

    /// Whether an effect reads `value` as it is: it is returned, stored, passed on.
    pub fn is_seen(&self, value: ValueId) -> bool {
        self.seen.contains(&value)
    }

    /// `value` and all that is made of it.
    pub fn downstream(&self, value: ValueId) -> FxHashSet<ValueId> {
        let mut made = FxHashSet::default();
        let mut stack = vec![value];
        while let Some(value) = stack.pop() {
            if made.insert(value) {
                stack.extend(self.users(value));
            }
        }
        made
    }
}

/// For each value of which some of `read` are made: which.
fn users(analysis: &Analysis<'_>, mut read: Vec<ValueId>) -> FxHashMap<ValueId, Vec<ValueId>> {
    let mut users: FxHashMap<ValueId, Vec<ValueId>> = FxHashMap::default();
    read.sort_unstable();
    read.dedup();
    for value in read {
        let mut operands: SmallVec<[ValueId; 4]> = analysis.graph.operands(value).into();
        operands.sort_unstable();
        operands.dedup();
        operands.into_iter().for_each(|o| users.entry(o).or_default().push(value));
    }
    users
}
