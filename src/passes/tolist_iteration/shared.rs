//! Lists that several loops read: made before the first of them, as long as neither the array nor the list changes.

use std::cell::{OnceCell, RefCell};

use rustc_hash::FxHashMap;

use crate::finding::Applicability;
use crate::graph::body::BlockId;
use crate::graph::statements;
use crate::graph::value::ValueId;
use crate::place::{Place, expressions};
use crate::syntax::ast::{Expr, Stmt};
use crate::syntax::{Ranged, TextRange, TextSize};

/// The lists of one scope.
#[derive(Default)]
pub(super) struct Lists<'x> {
    names: OnceCell<Names<'x>>,
    /// For each block and each text of a list the last place where one is proposed to be made, and how readily.
    proposed: RefCell<FxHashMap<(BlockId, String), (TextSize, Applicability)>>,
}

/// What the scope does with names.
#[derive(Default)]
struct Names<'x> {
    /// The names that are given what a text computes, and that text in its place.
    given: FxHashMap<&'x str, Vec<(&'x str, &'x Expr)>>,
    /// How often each is read.
    reads: FxHashMap<&'x str, u32>,
    /// How often an element is taken out of what each holds.
    indexed: FxHashMap<&'x str, u32>,
}

/// A list that a loop needs.
pub(super) struct Wanted<'w> {
    /// The statement before which it is to be made.
    pub(super) statement: TextRange,
    /// What the array is called, and its value.
    pub(super) array: (&'w str, ValueId),
    /// The text that makes it.
    pub(super) list: &'w str,
}

impl Wanted<'_> {
    fn block(&self, place: &Place<'_>) -> Option<BlockId> {
        place.statement(self.statement).map(|id| place.body.statements[id as usize].block)
    }

    /// Whether the array is the same at `offset`.
    fn is_of_array(&self, place: &Place<'_>, offset: TextSize) -> bool {
        place.value_of(self.array.0, offset) == Some(self.array.1)
    }
}

impl<'x> Lists<'x> {
    /// Whether the list is proposed, as [`Lists::is_proposed`] says. If not, it is from now on, for the loop that wants it.
    pub(super) fn are_about_to_be_made(&self, place: &Place<'x>, wanted: &Wanted<'_>, applicability: Applicability) -> bool {
        let Some(block) = wanted.block(place) else { return false };
        let known = self.is_proposed(place, wanted, applicability);
        if !known {
            self.proposed.borrow_mut().insert((block, wanted.list.to_owned()), (wanted.statement.start(), applicability));
        }
        known
    }

    /// Whether a loop before in its block, or that one, is proposed to get the list, and no less readily than `applicability` says: the next pass over the text
    /// finds it there.
    pub(super) fn is_proposed(&self, place: &Place<'x>, wanted: &Wanted<'_>, applicability: Applicability) -> bool {
        let Some(block) = wanted.block(place) else { return false };
        let is_there = |&(at, before): &(TextSize, Applicability)| before <= applicability && wanted.is_of_array(place, at);
        self.proposed.borrow().get(&(block, wanted.list.to_owned())).is_some_and(is_there)
    }

    /// The name that holds the list already, where the loop `inner` reads it at each of `reads`.
    pub(super) fn made(&self, place: &Place<'x>, wanted: &Wanted<'_>, reads: &[TextSize], inner: TextRange) -> Option<String> {
        let names = self.names.get_or_init(|| Names::of(place));
        let is_held = |&&(name, made): &&(&str, &Expr)| {
            let is_made = made.end() < wanted.statement.start() && wanted.is_of_array(place, made.start());
            let held = place.value(made).filter(|_| is_made);
            let mut offsets = reads.iter().copied().chain([inner.end()]);
            held.is_some() && offsets.all(|at| place.value_of(name, at) == held) && names.is_only_indexed(place, name)
        };
        names.given.get(wanted.list)?.iter().find(is_held).map(|(name, _)| (*name).to_owned())
    }
}

impl<'x> Names<'x> {
    fn of(place: &Place<'x>) -> Self {
        let mut names = Self::default();
        statements::each(place.own_statements(), &mut |statement| {
            if let Stmt::Assign(assign) = statement
                && let [Expr::Name(name)] = &*assign.targets
            {
                names.given.entry(place.source().slice(assign.value.range())).or_default().push((&name.id, &assign.value));
            }
        });
        let read = |expr: &'x Expr| expr.as_name_expr().filter(|n| n.ctx.is_load()).map(|n| n.id.as_str());
        expressions::of_scope(place.own_statements(), &mut |expr| {
            if let Some(name) = read(expr) {
                *names.reads.entry(name).or_default() += 1;
            }
            if let Some(name) = expr.as_subscript_expr().filter(|e| e.ctx.is_load()).and_then(|e| read(&e.value)) {
                *names.indexed.entry(name).or_default() += 1;
            }
        });
        names
    }

    /// Whether the scope binds `name` once and does nothing with what it holds but to take elements out of it: nobody else can change it.
    fn is_only_indexed(&self, place: &Place<'_>, name: &str) -> bool {
        let Some(symbol) = place.analysis.graph.known_symbol(name) else { return false };
        let is_indexed = self.reads.get(name) == self.indexed.get(name);
        is_indexed && place.definitions_of(symbol).count() == 1 && !place.body.captured.contains(&symbol)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::safe;

    #[test]
    fn loops_over_the_same_array_share_a_list() {
        let first = "for i in range(len(a)):\n    out(a[i].item())\n";
        let list = "a_list = a.flatten().tolist()\nfor i in range(len(a)):\n    out(a_list[i])\n";
        assert_eq!(safe(&format!("{first}n += 1\n{first}")), format!("{list}n += 1\nfor i in range(len(a)):\n    out(a_list[i])\n"));
        assert_eq!(safe(&format!("{list}{first}")), format!("{list}for i in range(len(a)):\n    out(a_list[i])\n"));
        // What holds other numbers by then, or may not be there, is not read.
        for between in
            ["a_list.append(3)", "a_list[0] = 3", "a_list[0] += 3", "model(a_list)", "n = a_list", "model(lambda: a_list.sort())", "a = a * 2"]
        {
            assert!(safe(&format!("{list}{between}\n{first}")).contains("a_list2 = "), "{between}");
        }
        assert!(!safe(&format!("{list}a[0] = 3\n{first}")).ends_with("out(a_list[i])\n"));
        let nested: String = first.lines().map(|l| format!("    {l}\n")).collect();
        assert_eq!(safe(&format!("if n:\n{nested}{first}")).matches("tolist()").count(), 2);
    }

    #[test]
    fn a_loop_goes_through_the_list_that_it_reads_by_index() {
        let body = "a = a.flatten()\nfor i, x in enumerate(a):\n    if i > 0 and int(x) == int(a[i - 1]):\n        out(x.item())\n";
        assert_eq!(
            safe(body),
            "a = a.flatten()\na_list = a.tolist()\nfor i, x in enumerate(a_list):\n    if i > 0 and int(x) == int(a_list[i - 1]):\n        out(x)\n"
        );
        // Another list where that may have changed, and one of its own for who keeps it.
        let list = "a = a.flatten()\na_list = a.tolist()\nout(a_list[0])\n";
        assert!(safe(&format!("{list}for x in a:\n    out(x.item())\n")).ends_with("for x in a_list:\n    out(x)\n"));
        assert!(safe(&format!("{list}a_list.append(3)\nfor x in a:\n    out(x.item())\n")).contains("for x in a.tolist():"));
        assert!(safe(&format!("{list}xs = [x.item() for x in a]\n")).ends_with("xs = a.tolist()\n"));
        assert!(safe(&format!("{list}for x in a:\n    a_list[0] = x.item()\n")).contains("for x in a.tolist():"));
    }
}
