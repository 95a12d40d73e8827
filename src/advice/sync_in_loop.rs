//! Numbers that are read from the device in every round of a loop, although no round needs them: they are added up, or kept for after the loop. Each read
//! waits until all work so far is done, and the device waits for the next round.
//!
//! A number that decides what the round does, is printed, yielded or passed on is needed, and no finding; nor is one whose array the same round has
//! evaluated already, or one that is read now and then, under an `if`. Where a round needs some number, or measures time, it waits in any case. [`parts`]
//! tells of elements that are read one by one, [`choices`] of tests that an operation could replace, [`comprehensions`] of those that wait;
//! [`computed`] knows what the arrays are made of, [`host`] what Python does meanwhile.

mod choices;
mod comprehensions;
mod computed;
mod host;
mod parts;

use rustc_hash::FxHashSet;

use crate::finding::{Finding, MEASURED, Notes, TransformId};
use crate::graph::Analysis;
use crate::graph::value::{Op, ValueId};
use crate::place::{Place, expressions};
use crate::syntax::ast::{self, Expr, Operator, Stmt};
use crate::syntax::{Ranged, TextRange, TextSize};

use super::reads::{Read, reads};
use super::rounds::{self, Line, Round};
use super::tokens::{mentions, targets};
use super::waits::{Waits, evaluates};
use super::{Told, counted, listed};

/// What was measured of elements that are read one by one.
const ELEMENTS: &str = "of 1024 elements: 131 times faster out of one list than with `a[i].item()` (NVIDIA H200; 69 times on a CPU).";

/// Find the loops that read numbers which only the code after them needs.
pub fn find(analysis: &Analysis<'_>, id: &TransformId, notes: &Notes) -> Vec<Finding> {
    let mut told = Vec::new();
    let waits = Waits::of(analysis);
    told.extend(rounds::each(analysis, notes, |place, round| Loop { place, round, waits: &waits }.told()));
    for tell in [parts::told, choices::told] {
        told.extend(rounds::each(analysis, notes, tell));
    }
    told.extend(comprehensions::told(analysis, notes));
    told.sort_by_key(|t| (t.range.start(), t.range.end()));
    told.into_iter().map(|t| t.finding(id)).collect()
}

/// What `expr` is made of by methods and functions of MLX that take one array.
fn operand<'x>(place: &Place<'_>, expr: &'x Expr) -> &'x Expr {
    let Expr::Call(call) = expr else { return expr };
    match (&*call.func, &*call.arguments.args) {
        (func, [first, ..]) if place.path(func).is_some_and(|p| p.starts_with("mlx.core.")) => operand(place, first),
        (Expr::Attribute(method), _) if place.path(&call.func).is_none() => operand(place, &method.value),
        _ => expr,
    }
}

/// The names in `target`.
fn named(target: &Expr) -> FxHashSet<String> {
    let mut names = FxHashSet::default();
    expressions::each(target, &mut |expr| names.extend(expr.as_name_expr().map(|n| n.id.to_string())));
    names
}

/// What a wait costs in a round of a loop, and how many there are.
fn cost(place: &Place<'_>, round: &Round<'_>, waits: usize) -> String {
    let inner = if round.depth(place) > 1 { " of an inner loop" } else { "" };
    format!("{} {}{inner}", counted(waits, "wait"), round.unit(place))
}

struct Loop<'p, 'x> {
    place: &'p Place<'x>,
    round: &'p Round<'x>,
    waits: &'p Waits<'x>,
}

impl<'x> Loop<'_, 'x> {
    fn told(&self) -> Option<Told> {
        let made = self.made_here();
        let (mut late, mut needed): (Vec<Read<'x>>, Vec<Read<'x>>) = Default::default();
        for (at, line) in self.round.lines.iter().enumerate() {
            for read in reads(self.place, line.statement) {
                match self.can_wait(at, line, &read, &made) {
                    Some(true) => late.push(read),
                    Some(false) => needed.push(read),
                    None => {}
                }
            }
        }
        let (first, last) = (late.first()?, late.last()?);
        let range = TextRange::new(first.expr.start(), last.expr.end());
        let left = |at: TextRange, reason: &str| self.place.notes.left::<Told>(range, at, 100, || reason.to_owned());
        if let Some(other) = needed.first() {
            return left(other.expr.range(), "the round waits in any case, for a number that it needs");
        }
        if self.is_timed() {
            return left(range, "the round reads a clock: what it measures must be done");
        }
        if let Some(wait) = self.other_wait(&late) {
            return left(wait, "the round waits here as well, whatever becomes of the number");
        }
        if let Some(model) = host::model_of_a_light_round(self.place, self.round, &late) {
            return left(model, "a round runs a whole model, on parts of what is there already: next to that the wait is short");
        }
        let source = self.place.source();
        let mut texts: Vec<String> = late.iter().map(|r| source.quote(r.expr.range())).collect();
        texts.dedup();
        let (waits, numbers) = if texts.len() == 1 { ("waits", "number") } else { ("wait", "numbers") };
        let (texts, named) = (listed(&texts), self.round.named(self.place));
        let is_of_list = self.is_of_list(first);
        let made = host::maker_of_the_next(self.place, self.round);
        let (meanwhile, caveat) = match &made {
            Some(maker) => (format!("the device idles while `{maker}` makes what the next round takes, and Python queues it"), ""),
            None => (
                "the device idles while Python prepares the next round".to_owned(),
                " Where a round runs a large model, the device idles for a small part of it only.",
            ),
        };
        Some(Told {
            range,
            message: format!("{texts} {waits} for the device {named}, and only the code after the loop needs the {numbers}"),
            rationale: [
                format!(
                    "{}, where 1 {} the loop would do: {meanwhile}.",
                    cost(self.place, self.round, computed::waits(self.place, &late)),
                    if is_of_list { "before" } else { "after" }
                ),
                self.what_to_do(first, caveat),
            ]
            .into_iter()
            .chain(is_of_list.then(|| format!("{MEASURED} {ELEMENTS}")))
            .collect(),
        })
    }

    /// Whether what `read` waits for is there before the loop, so that a list holds it, or what it is computed from.
    fn is_of_list(&self, read: &Read<'x>) -> bool {
        let given = self.place.value(read.array).and_then(|v| computed::moved_parameters(&self.place.analysis.graph, v));
        given.is_some() || self.rows_of(read).is_some()
    }

    /// How to do without the read `first` and those after it, with `caveat` where that is to keep the arrays.
    fn what_to_do(&self, first: &Read<'x>, caveat: &str) -> String {
        let source = self.place.source();
        let evaluations: Vec<String> = self.evaluations().into_iter().map(|at| source.quote(at)).collect();
        let besides = match &evaluations[..] {
            [] => String::new(),
            some => format!(" {} in the round would have to become `mx.async_eval` as well.", listed(some)),
        };
        let given = self.place.value(first.array).and_then(|v| computed::moved_parameters(&self.place.analysis.graph, v));
        let text = match (given, self.rows_of(first)) {
            (Some(given), _) => format!(
                "The round computes nothing, it only moves elements: read {} before the loop, with `.tolist()`, and do the same with the lists.",
                listed(&given)
            ),
            (None, Some((array, false))) => format!(
                "Compute it for all of `{array}` before the loop, in one operation over an axis, and read the numbers together, with one `.tolist()`."
            ),
            (None, Some((array, true))) => format!(
                "Read all of `{array}` before the loop, with one `.tolist()`, and let Python do the same with parts of the list: as they differ in length, no operation over one axis does it."
            ),
            (None, None) => format!(
                "Add up or keep the arrays, give them to `mx.async_eval` in each round, which waits for nothing and lets no graph grow, and read them once after the loop.{caveat}"
            ),
        };
        text + &besides
    }

    /// The evaluations that each round makes itself.
    fn evaluations(&self) -> Vec<TextRange> {
        let mut found = Vec::new();
        for line in self.round.lines.iter().filter(|l| l.once) {
            expressions::of_statement(line.statement, &mut |expr| {
                found.extend(expr.as_call_expr().filter(|call| evaluates(self.place, call)).map(|call| call.range()));
            });
        }
        found
    }

    /// Where the round waits besides, out of reach: it reads in a loop of its own, or calls something of this file that waits.
    fn other_wait(&self, late: &[Read<'x>]) -> Option<TextRange> {
        let is_told = |range: TextRange| late.iter().any(|read| read.expr.range().contains_range(range));
        let is_loop = |l: &&Line<'_>| matches!(l.statement, Stmt::For(_) | Stmt::While(_));
        let loops: Vec<TextRange> = self.round.lines.iter().filter(is_loop).map(|l| l.statement.range()).collect();
        self.round.lines.iter().filter(|l| !l.rare).find_map(|line| {
            let is_inside = loops.iter().any(|l| l.contains_range(line.statement.range()) && *l != line.statement.range());
            if !line.once && !is_inside {
                return None;
            }
            let read = reads(self.place, line.statement).into_iter().map(|r| r.expr.range()).find(|r| is_inside && !is_told(*r));
            let mut found = read;
            expressions::of_statement(line.statement, &mut |expr| {
                if let (Expr::Call(call), None) = (expr, found) {
                    let waits = is_inside && evaluates(self.place, call) || self.waits.behind(self.place, call).is_some();
                    found = waits.then(|| call.range());
                }
            });
            found
        })
    }

    /// The array from before the loop, one row of which after the other is read, or numbers of one operation on it are; and whether it is parts of several rows.
    fn rows_of(&self, read: &Read<'x>) -> Option<(String, bool)> {
        let Stmt::For(s) = self.round.statement else { return None };
        let part = operand(self.place, read.array);
        let changing: FxHashSet<String> = self.round.lines.iter().flat_map(|l| targets(l.statement)).collect();
        let text = |e: &Expr| self.place.source().quote(e.range());
        match part {
            Expr::Name(name) if matches!(&*s.target, Expr::Name(t) if t.id == name.id) && !s.iter.is_call_expr() => Some((text(&s.iter), false)),
            Expr::Subscript(e) if mentions(self.place, &e.slice, &named(&s.target)) && !mentions(self.place, &e.value, &changing) => {
                Some((text(&e.value), e.slice.is_slice_expr()))
            }
            _ => None,
        }
    }

    /// Whether the round reads a clock.
    fn is_timed(&self) -> bool {
        let mut found = false;
        for line in self.round.lines.iter().filter(|l| l.once) {
            expressions::of_statement(line.statement, &mut |expr| {
                if let Expr::Call(call) = expr {
                    let path = self.place.path(&call.func);
                    found |=
                        path.is_some_and(|p| matches!(p.as_str(), "time.time" | "time.perf_counter" | "time.perf_counter_ns" | "time.monotonic"));
                }
            });
        }
        found
    }

    /// What the round computes itself, fetching and reading left out.
    fn made_here(&self) -> FxHashSet<ValueId> {
        let range = self.round.range();
        let graph = &self.place.analysis.graph;
        let computes =
            |v: ValueId| !matches!(graph.op(v), Op::Mlx("item" | "tolist") | Op::Index(_) | Op::Attr(..) | Op::Item(_) | Op::Shape | Op::Dim(_));
        self.place.body.occurrences_in(range).filter(|o| computes(o.value)).map(|o| o.value).collect()
    }

    /// Whether `read` in line number `at` is one that each round makes, of something new, and that no round needs; `None` where it may not wait at all.
    fn can_wait(&self, at: usize, line: &Line<'x>, read: &Read<'x>, made: &FxHashSet<ValueId>) -> Option<bool> {
        let left = |at: TextRange, reason: &str| self.place.notes.left::<bool>(read.expr.range(), at, 100, || reason.to_owned());
        let value = self.place.value(read.array)?;
        if !line.once {
            return left(read.expr.range(), "not every round reads it");
        }
        if !self.depends(value, made, 0) {
            return left(read.expr.range(), "the round reads a part of what was computed before the loop, so that at most its first round waits");
        }
        if let Some(evaluation) = self.evaluated_before(at, read.array, value) {
            return left(evaluation, "the round has evaluated it already, with everything else");
        }
        if !self.defers(line.statement, read.expr.range(), 0) {
            left(read.expr.range(), "the round itself needs the number");
            return Some(false);
        }
        Some(true)
    }

    /// Whether `value` is computed in the round, as far as its own operations show.
    fn depends(&self, value: ValueId, made: &FxHashSet<ValueId>, depth: u32) -> bool {
        if made.contains(&value) {
            return true;
        }
        let graph = &self.place.analysis.graph;
        match graph.get(value) {
            (Op::Index(_) | Op::Item(_) | Op::Changed(_) | Op::Permute, operands) => depth < 8 && self.depends(operands[0], made, depth + 1),
            // What a branch or an inner loop of the round leaves is of the round.
            (Op::Phi(..) | Op::Gate, _) => true,
            _ => false,
        }
    }

    /// The evaluation, earlier in the round, after which there is nothing left to wait for: of the array itself, or of anything, once the array was computed.
    fn evaluated_before(&self, at: usize, array: &Expr, value: ValueId) -> Option<TextRange> {
        let computed = self.computed(value).unwrap_or(array.start());
        self.round.lines[..at].iter().filter(|l| l.once && l.statement.start() >= computed).find_map(|line| {
            let mut found = None;
            expressions::of_statement(line.statement, &mut |expr| {
                if let Expr::Call(call) = expr
                    && evaluates(self.place, call)
                {
                    found = Some(expr.range());
                }
            });
            found
        })
    }

    /// Where the round has computed `value`.
    fn computed(&self, value: ValueId) -> Option<TextSize> {
        let (graph, range) = (&self.place.analysis.graph, self.round.range());
        let occurrence = self.place.body.occurrences_of(value).find(|o| range.contains_range(o.range));
        match (occurrence, graph.get(value)) {
            (Some(occurrence), _) => Some(occurrence.range.end()),
            (None, (Op::Item(_) | Op::Index(_) | Op::Changed(_), operands)) => self.computed(operands[0]),
            _ => None,
        }
    }

    /// Whether the number that `statement` reads at `read` goes nowhere but into sums and lists that the round does not look at.
    fn defers(&self, statement: &'x Stmt, read: TextRange, depth: u32) -> bool {
        match statement {
            Stmt::AugAssign(s) if matches!(s.op, Operator::Add | Operator::Sub | Operator::Mult | Operator::BitAnd | Operator::BitOr) => {
                self.passes(&s.value, read) && self.is_unseen(&s.target)
            }
            Stmt::Expr(s) => {
                let Expr::Call(call) = &*s.value else { return false };
                let Expr::Attribute(method) = &*call.func else { return false };
                let ([argument], true) = (&*call.arguments.args, call.arguments.keywords.is_empty()) else { return false };
                matches!(method.attr.as_str(), "append" | "extend" | "add") && self.passes(argument, read) && self.is_unseen(&method.value)
            }
            Stmt::Assign(s) => {
                let [target] = &s.targets[..] else { return false };
                match target {
                    Expr::Subscript(e) => self.passes(&s.value, read) && self.is_unseen(&e.value),
                    Expr::Attribute(_) => self.passes(&s.value, read) && self.is_unseen(target),
                    Expr::Name(name) => self.passes(&s.value, read) && depth < 4 && self.defers_name(statement, &name.id, depth),
                    _ => false,
                }
            }
            _ => false,
        }
    }

    /// Whether everything in the loop that reads what `statement` assigns to `name` passes it on to sums and lists.
    fn defers_name(&self, statement: &'x Stmt, name: &str, depth: u32) -> bool {
        let (place, graph) = (self.place, &self.place.analysis.graph);
        let (Some(id), Some(symbol)) = (place.statement(statement.range()), graph.known_symbol(name)) else { return false };
        let definitions: Vec<_> = place.definitions_by(symbol, id).collect();
        let range = self.round.range();
        let reads = place.reads_reached(&definitions);
        // A value that nothing reads is looked at by a person, who wants it now.
        if reads.is_empty() {
            return false;
        }
        reads.into_iter().filter(|r| self.round.statement.range().contains_range(*r)).all(|read| {
            let line = self.round.lines.iter().filter(|l| l.statement.range().contains_range(read)).min_by_key(|l| l.statement.range().len());
            range.contains_range(read)
                && line.is_some_and(|l| l.rare || self.is_sum_of(l.statement, name) || self.defers(l.statement, read, depth + 1))
        })
    }

    /// Whether `statement` is `name = name + ...`, or the larger of two: the sum is what was asked about.
    fn is_sum_of(&self, statement: &Stmt, name: &str) -> bool {
        let Stmt::Assign(s) = statement else { return false };
        let joins = match &*s.value {
            Expr::BinOp(_) => true,
            Expr::Call(call) => ["max", "min"].iter().any(|name| self.place.calls_builtin(call, name)),
            _ => false,
        };
        joins && matches!(&s.targets[..], [Expr::Name(target)] if target.id.as_str() == name)
    }

    /// Whether `expr` is the number at `read`, or made of it by arithmetic alone.
    fn passes(&self, expr: &Expr, read: TextRange) -> bool {
        if expr.range() == read {
            return true;
        }
        if !expr.range().contains_range(read) {
            return false;
        }
        match expr {
            Expr::BinOp(e) => self.passes(&e.left, read) || self.passes(&e.right, read),
            Expr::UnaryOp(e) => self.passes(&e.operand, read),
            Expr::Tuple(e) => e.elts.iter().any(|e| self.passes(e, read)),
            Expr::List(e) => e.elts.iter().any(|e| self.passes(e, read)),
            Expr::Dict(e) => e.iter_values().any(|e| self.passes(e, read)),
            Expr::Call(call) => {
                let is_number = ["float", "int", "round", "abs", "max", "min"].iter().any(|name| self.place.calls_builtin(call, name));
                is_number && call.arguments.args.iter().any(|e| self.passes(e, read))
            }
            _ => false,
        }
    }

    /// Whether the round looks at `sum`, into which the number goes, only now and then.
    fn is_unseen(&self, sum: &Expr) -> bool {
        let source = self.place.source();
        let text = source.slice(sum.range());
        let root = text.split(['[', '(']).next().unwrap_or(text).trim();
        let mut seen = matches!(self.round.statement, Stmt::While(ast::StmtWhile { test, .. }) if source.slice(test.range()).contains(root));
        for line in self.round.lines.iter().filter(|l| !l.rare) {
            let mut mentions = 0;
            expressions::of_statement(line.statement, &mut |expr| mentions += usize::from(source.slice(expr.range()) == root));
            // The sum itself is written once where it is added to, and twice in `a = a + b`.
            let own = match line.statement {
                Stmt::AugAssign(s) => usize::from(source.slice(s.target.range()).starts_with(root)),
                Stmt::Expr(s) => usize::from(source.slice(s.range()).starts_with(root) && s.value.is_call_expr()),
                Stmt::Assign(s) => s.targets.iter().filter(|t| source.slice(t.range()).starts_with(root)).count() * 2,
                _ => 0,
            };
            seen |= mentions > own;
        }
        !seen
    }
}
