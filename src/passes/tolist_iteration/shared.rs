//! Lists that several loops read: made before the first of them, as long as neither the array nor the list changes.

use std::cell::{OnceCell, RefCell};

use rustc_hash::FxHashMap;

use crate::finding::Applicability;
use crate::graph::body::BlockId;
use crate::graph::definitions::blocks;
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

impl<'x> Lists<'x> {
    /// Whether a loop before `statement` in its block is proposed to get `list` of the array `value`, and no less readily than `applicability` says: the next
    /// pass over the text finds it there. If not, this loop is from now on.
    pub(super) fn are_about_to_be_made(
        &self,
        place: &Place<'x>,
        statement: TextRange,
        (array, value): (&str, ValueId),
        list: &str,
        applicability: Applicability,
    ) -> bool {
        let Some(block) = place.statement(statement).map(|id| place.body.statements[id as usize].block) else { return false };
        let known = self.is_proposed(place, statement, (array, value), list, applicability);
        if !known {
            self.proposed.borrow_mut().insert((block, list.to_owned()), (statement.start(), applicability));
        }
        known
    }

    /// Whether a loop before `statement` in its block, or that one, is proposed to get `list` of the array `value`, and no less readily than `applicability` says.
    pub(super) fn is_proposed(
        &self,
        place: &Place<'x>,
        statement: TextRange,
        (array, value): (&str, ValueId),
        list: &str,
        applicability: Applicability,
    ) -> bool {
        let Some(block) = place.statement(statement).map(|id| place.body.statements[id as usize].block) else { return false };
        let is_there = |&(at, before): &(TextSize, Applicability)| before <= applicability && place.value_of(array, at) == Some(value);
        self.proposed.borrow().get(&(block, list.to_owned())).is_some_and(is_there)
    }

    /// The name that holds `list`, made of the array `value`, which is called `array`, before `statement`, where the loop `inner` reads it at each of `reads`.
    pub(super) fn made(
        &self,
        place: &Place<'x>,
        (array, value): (&str, ValueId),
        reads: &[TextSize],
        statement: TextRange,
        inner: TextRange,
        list: &str,
    ) -> Option<String> {
        let names = self.names.get_or_init(|| Names::of(place));
        let is_held = |&&(name, made): &&(&str, &Expr)| {
            let is_made = made.end() < statement.start() && place.value_of(array, made.start()) == Some(value);
            let held = place.value(made).filter(|_| is_made);
            let mut offsets = reads.iter().copied().chain([inner.end()]);
            held.is_some() && offsets.all(|at| place.value_of(name, at) == held) && names.is_only_indexed(place, name)
        };
        names.given.get(list)?.iter().find(is_held).map(|(name, _)| (*name).to_owned())
    }
}

impl<'x> Names<'x> {
    fn of(place: &Place<'x>) -> Self {
        let mut names = Self::default();
        let mut waiting: Vec<&'x [Stmt]> = vec![place.own_statements()];
        while let Some(body) = waiting.pop() {
            for statement in body {
                if let Stmt::Assign(assign) = statement
                    && let [Expr::Name(name)] = &*assign.targets
                {
                    names.given.entry(place.source().slice(assign.value.range())).or_default().push((&name.id, &assign.value));
                }
                if !matches!(statement, Stmt::FunctionDef(_) | Stmt::ClassDef(_)) {
                    waiting.extend(blocks(statement));
                }
            }
        }
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
