//! What is made of what: for each value of a scope the values that are computed from it, as far as effects read them.

use std::cell::OnceCell;
use std::rc::Rc;

use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;

use super::Analysis;
use super::body::{Body, Occurrence};
use super::digits::Digits;
use super::value::{Op, ValueId};
use crate::syntax::TextRange;

/// What is made of what in one scope, or in one lambda of it.
pub struct Users {
    users: FxHashMap<ValueId, Vec<ValueId>>,
    /// Values that effects read as they are.
    seen: FxHashSet<ValueId>,
    /// What speaks against half precision in sight of each value.
    pub(super) digits: OnceCell<Digits>,
}

/// The users of one scope, and of each lambda in it, once somebody asks for them.
pub(super) struct Parts {
    all: Rc<Users>,
    lambdas: Vec<(Occurrence, OnceCell<Rc<Users>>)>,
}

impl Users {
    /// The users in `body`.
    pub fn of(analysis: &Analysis<'_>, body: &Body) -> Self {
        let seen = body.effects.iter().flat_map(|e| e.values()).flatten().collect();
        Self::new(users(analysis, body.read(&analysis.graph).into_iter().collect()), seen)
    }

    fn new(users: FxHashMap<ValueId, Vec<ValueId>>, seen: FxHashSet<ValueId>) -> Self {
        Self { users, seen, digits: OnceCell::new() }
    }

    /// The users in the part of `body` in which `root` stands: a lambda is a part of its own. They are the same object for every place of a part.
    pub fn around(analysis: &Analysis<'_>, body: &Body, root: Occurrence) -> Rc<Self> {
        let parts = Self::parts(analysis, body);
        let is_around = |lambda: &Occurrence| lambda.range != root.range && lambda.range.contains_range(root.range);
        let innermost = parts.lambdas.iter().filter(|(lambda, _)| is_around(lambda)).min_by_key(|(lambda, _)| lambda.range.len());
        let Some((lambda, users)) = innermost else { return Rc::clone(&parts.all) };
        Rc::clone(users.get_or_init(|| Rc::new(Self::inside(analysis, body, lambda.range))))
    }

    /// The users in all of `body`, which are the same object each time.
    pub fn throughout(analysis: &Analysis<'_>, body: &Body) -> Rc<Self> {
        Rc::clone(&Self::parts(analysis, body).all)
    }

    fn parts<'b>(analysis: &Analysis<'_>, body: &'b Body) -> &'b Parts {
        body.users.get_or_init(|| {
            let lambdas = body.occurrences.iter().filter(|o| matches!(analysis.graph.op(o.value), Op::Function(_)));
            Parts { all: Rc::new(Self::of(analysis, body)), lambdas: lambdas.map(|&o| (o, OnceCell::new())).collect() }
        })
    }

    /// The users in the lambda with the text `lambda`.
    fn inside(analysis: &Analysis<'_>, body: &Body, lambda: TextRange) -> Self {
        let inside: Vec<&Occurrence> = body.occurrences_in(lambda).filter(|o| o.own && o.range != lambda).collect();
        // The widest is what the lambda returns.
        let seen = inside.iter().max_by_key(|o| o.range.len()).map(|o| o.value).into_iter().collect();
        Self::new(users(analysis, inside.into_iter().map(|o| o.value).collect()), seen)
    }

    /// What is made of `value`.
    pub fn users(&self, value: ValueId) -> &[ValueId] {
        self.users.get(&value).map_or(&[], Vec::as_slice)
    }

    /// Whether an effect reads `value` as it is: it is returned, stored, passed on.
    pub fn is_seen(&self, value: ValueId) -> bool {
        self.seen.contains(&value)
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
