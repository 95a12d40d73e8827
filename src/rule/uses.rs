//! Every use of a value that a rule replaces, where the replacement is another sort of thing: a number for an array, a result of another dtype. Such a rule
//! lists the uses in which nobody can tell the difference; this module finds the uses in a program and holds them against the list.

use std::rc::Rc;

use smallvec::SmallVec;

use super::load::{Rule, Uses};
use super::matcher::{self, Bound, Wanted};
use crate::graph::Analysis;
use crate::graph::body::{Body, Effect, Occurrence};
use crate::graph::facts::Facts;
use crate::graph::users::Users;
use crate::graph::value::ValueId;

/// A use may have so many operations around the value.
const MAX_DEPTH: usize = 5;

/// The uses of what is replaced, or which of them is not listed. Matches of one value that bind the same in one part of a scope share them.
pub(super) type Shared = Rc<Result<Vec<Use>, String>>;

/// One use that the rule lists.
pub(super) struct Use {
    /// Where it is computed.
    pub(super) place: Occurrence,
    /// What the rule's wildcards stand for in it.
    pub(super) bindings: SmallVec<[Option<Bound>; 6]>,
    /// What is made of it.
    pub(super) next: Vec<ValueId>,
}

/// The uses of what is computed at `root` in scope number `body`, each of them listed; `Err` says which is not.
pub(super) fn find(rule: &Rule, uses: &Uses, analysis: &Analysis<'_>, body: usize, root: Occurrence) -> Result<Vec<Use>, String> {
    let (body, value) = (&analysis.bodies[body], root.value);
    let users = Users::around(analysis, body, root);
    let mut search = Search { rule, uses, analysis, body, users: &users, value, found: Vec::new() };
    search.follow(&mut vec![value])?;
    if search.found.is_empty() {
        return Err("nothing uses it here".to_owned());
    }
    Ok(search.found)
}

struct Search<'x> {
    rule: &'x Rule,
    uses: &'x Uses,
    analysis: &'x Analysis<'x>,
    body: &'x Body,
    users: &'x Users,
    value: ValueId,
    found: Vec<Use>,
}

impl Search<'_> {
    /// Follow what is made of the last value of `path`, which began at the value that is replaced.
    fn follow(&mut self, path: &mut Vec<ValueId>) -> Result<(), String> {
        let last = path[path.len() - 1];
        if self.users.is_seen(last) || path.len() > MAX_DEPTH {
            return Err(self.refused(path));
        }
        let users = self.users;
        for &user in users.users(last) {
            if self.found.iter().any(|u| u.place.value == user) {
                continue;
            }
            path.push(user);
            if self.body.effects.iter().any(|e| matches!(*e, Effect::Mutate(_, new) if new == user)) {
                return Err("it changes an array in place that others may hold, and would change its dtype".to_owned());
            }
            match self.listed(user, path) {
                Some(found) => self.found.push(found),
                None => self.follow(path)?,
            }
            path.pop();
        }
        Ok(())
    }

    /// `user` as one of the uses that the rule lists, if `path` leads through nothing else.
    fn listed(&self, user: ValueId, path: &[ValueId]) -> Option<Use> {
        // What a helper does with it is not written here.
        let place = *self.body.occurrences_of(user).find(|o| o.own)?;
        let facts = Facts::at(self.analysis, self.body, place.block, place.range.end());
        for &pattern in &self.uses.patterns {
            let wanted = Wanted { graph: &self.rule.graph, pattern, wildcards: &self.uses.wildcards };
            for found in matcher::matches(wanted, self.analysis, &facts, user) {
                let subject = self.uses.wildcards.iter().position(|w| w.value == self.uses.subject)?;
                let through = path[1..].iter().all(|v| found.inner.contains(v));
                if found.bindings[subject] == Some(Bound::Value(self.value)) && through {
                    return Some(Use { place, bindings: found.bindings, next: self.users.users(user).to_vec() });
                }
            }
        }
        None
    }

    /// Why the use at the end of `path` stands in the way.
    fn refused(&self, path: &[ValueId]) -> String {
        let text = path[1..].iter().find_map(|v| self.body.occurrences_of(*v).next());
        match text {
            Some(place) => {
                let text = self.analysis.source.quote(place.range);
                format!("the value is used in `{text}`, which would see the change")
            }
            None if self.body.effects.iter().any(|e| matches!(*e, Effect::Return(v) if v == self.value)) => {
                "the value is returned as it is, and its caller would see the change".to_owned()
            }
            None => "the value is stored or passed on as it is, and others would see the change".to_owned(),
        }
    }
}
