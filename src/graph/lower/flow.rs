//! Branches, loops, `with`, `try` and `match`: where control flows together again, and what each name holds there.

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::Lowerer;
use super::assigned::named_targets;
use super::frame::Binding;
use super::stmt::Flow;
use crate::graph::body::{BlockId, Definition, Effect, Occurrence};
use crate::graph::names::{named_in, pattern_names, target_names};
use crate::graph::value::{Graph, Op, Symbol, ValueId};
use crate::syntax::ast::{self, Expr, Stmt};
use crate::syntax::{Ranged, TextSize};

/// Longer chains of `elif` are not followed branch by branch.
const MAX_CHAIN: usize = 300;

/// More assignments than these reach a name through one join of their own.
const MAX_REACHING: usize = 8;

/// What one branch left behind: the names it changed, whether control leaves it at its end, and its block.
struct Branch {
    changed: Vec<(Symbol, Option<Binding>)>,
    flow: Flow,
    block: BlockId,
}

impl<'g> Lowerer<'_, 'g> {
    pub(super) fn if_statement(&mut self, s: &'g ast::StmtIf) -> Flow {
        if s.elif_else_clauses.len() > MAX_CHAIN {
            self.long_chain(s);
            return Flow::Falls;
        }
        let statement = self.statement;
        let name = self.chosen_name(s);
        let flow = self.if_chain(&s.test, &s.body, &s.elif_else_clauses, s.range.end());
        if let Some(target) = name
            && let Some(value) = self.frame().get(target).map(|b| b.value)
        {
            self.body.occurrences.push(Occurrence { value, range: s.range, statement, block: self.block, target: Some(target), own: true });
        }
        flow
    }

    /// The one name that an `if` gives one value or another, and does nothing else: `y = a if c else b` over several lines.
    fn chosen_name(&mut self, s: &'g ast::StmtIf) -> Option<Symbol> {
        let assigned = |body: &'g [Stmt]| match body {
            [Stmt::Assign(assign)] => match &assign.targets[..] {
                [Expr::Name(name)] => Some((name.id.as_str(), false)),
                _ => None,
            },
            [Stmt::AugAssign(assign)] => Some((assign.target.as_name_expr()?.id.as_str(), true)),
            _ => None,
        };
        let (name, in_place) = assigned(&s.body)?;
        let otherwise = match &s.elif_else_clauses[..] {
            [] => (name, false),
            [clause] if clause.test.is_none() => assigned(&clause.body)?,
            _ => return None,
        };
        let name = (otherwise.0 == name && self.inlining == 0).then(|| self.graph.symbol(name))?;
        let before = self.frame().get(name).map(|b| b.value);
        // In place, an array that others hold would change for them, too.
        (!in_place && !otherwise.1 || before.is_some_and(|v| self.is_fresh(v))).then_some(name)
    }

    /// A chain of so many `elif` that following it would exhaust the stack: each branch starts from unknown names, and leaves them unknown.
    fn long_chain(&mut self, s: &'g ast::StmtIf) {
        let condition = self.expr(&s.test);
        self.effect(Effect::Enter(condition));
        let bodies: Vec<&'g [Stmt]> = std::iter::once(&*s.body).chain(s.elif_else_clauses.iter().map(|c| &*c.body)).collect();
        let names = self.assigned_in(&bodies, Vec::new());
        self.alternatives(&names, s.range.end(), |l, region| {
            l.apart(|l| l.statements(&s.body));
            for clause in &s.elif_else_clauses {
                l.forget_region(&names, region, clause.range.start());
                l.effect(Effect::Else);
                l.apart(|l| {
                    if let Some(test) = &clause.test {
                        l.expr(test);
                    }
                    l.statements(&clause.body)
                });
            }
        });
    }

    fn if_chain(&mut self, test: &'g Expr, body: &'g [Stmt], rest: &'g [ast::ElifElseClause], end: TextSize) -> Flow {
        let condition = self.expr(test);
        self.effect(Effect::Enter(condition));
        let then = self.branch((condition, true), |l| l.statements(body));
        self.effect(Effect::Else);
        let otherwise = match rest.split_first() {
            Some((clause, rest)) => {
                self.restore_moments(&then, clause.range.start());
                self.branch((condition, false), |l| match &clause.test {
                    Some(test) => l.if_chain(test, &clause.body, rest, end),
                    None => l.statements(&clause.body),
                })
            }
            None => self.branch((condition, false), |_| Flow::Falls),
        };
        self.effect(Effect::Leave);
        // Whoever comes here did not take the branch that never falls through.
        let from = self.behind(end);
        match (then.flow, otherwise.flow) {
            (Flow::Stops, Flow::Falls) => self.prove_by(condition, false, from),
            (Flow::Falls, Flow::Stops) => self.prove_by(condition, true, from),
            _ => {}
        }
        self.join(condition, then, otherwise, end)
    }

    /// Lower one branch, in which a condition holds or does not, and take the names back to where they were.
    fn branch(&mut self, decided: (ValueId, bool), lower: impl FnOnce(&mut Self) -> Flow) -> Branch {
        let mark = self.frame().mark();
        let (flow, block) = self.where_decided(decided, |l| (lower(l), l.block));
        Branch { changed: self.frame().rewind(mark), flow, block }
    }

    /// At the start of an `else`, the names hold again what they held before the branch above it.
    fn restore_moments(&mut self, branch: &Branch, from: TextSize) {
        if self.inlining > 0 {
            return;
        }
        for &(name, _) in &branch.changed {
            let value = match self.frame().get(name) {
                Some(binding) => binding.value,
                None => self.graph.leaf(Op::Unbound(name)),
            };
            self.moment(name, value, from);
        }
    }

    /// The place from which on something holds after what ends at `end`: code inlined from elsewhere has the place of its call.
    fn behind(&self, end: TextSize) -> TextSize {
        if self.inlining == 0 { end } else { self.offset }
    }

    /// The names after an `if`: gates where both branches reach this place, else what the one branch left.
    fn join(&mut self, condition: ValueId, then: Branch, otherwise: Branch, end: TextSize) -> Flow {
        let (blocks, from) = ([then.block, otherwise.block], self.behind(end));
        let (then, then_flow) = (then.changed, then.flow);
        let (otherwise, otherwise_flow) = (otherwise.changed, otherwise.flow);
        let names: Vec<Symbol> = {
            let mut seen = rustc_hash::FxHashSet::default();
            then.iter().chain(&otherwise).map(|&(n, _)| n).filter(|&n| seen.insert(n)).collect()
        };
        let find = |branch: &[(Symbol, Option<Binding>)], name: Symbol| branch.iter().find(|b| b.0 == name).map(|b| b.1.clone());
        for name in names {
            let before = self.frame().get(name).cloned();
            let a = find(&then, name).unwrap_or_else(|| before.clone());
            let b = find(&otherwise, name).unwrap_or_else(|| before.clone());
            let joined = match (then_flow, otherwise_flow) {
                (Flow::Stops, Flow::Falls) => b,
                (Flow::Falls, Flow::Stops) => a,
                _ => self.merge(condition, name, [a, b], blocks, from),
            };
            match joined {
                Some(binding) => {
                    if self.inlining == 0 {
                        self.moment(name, binding.value, end);
                    }
                    self.frame().set(name, binding);
                }
                None => self.frame().remove(name),
            }
        }
        if then_flow == Flow::Stops && otherwise_flow == Flow::Stops { Flow::Stops } else { Flow::Falls }
    }

    fn merge(&mut self, condition: ValueId, name: Symbol, bindings: [Option<Binding>; 2], blocks: [BlockId; 2], from: TextSize) -> Option<Binding> {
        let [a, b] = bindings;
        let unbound = |l: &mut Self| Binding { value: l.graph.leaf(Op::Unbound(name)), definitions: SmallVec::new() };
        if a.is_none() && b.is_none() {
            return None;
        }
        let a = a.unwrap_or_else(|| unbound(self));
        let b = b.unwrap_or_else(|| unbound(self));
        let value = self.choice(condition, [a.value, b.value], blocks, from);
        let mut definitions = a.definitions;
        for d in b.definitions {
            if !definitions.contains(&d) {
                definitions.push(d);
            }
        }
        if definitions.len() > MAX_REACHING {
            // One join stands for them all, so that long chains of branches stay cheap.
            let id = self.body.definitions.len() as u32;
            let (escapes, only_to_lambdas) = self.escapes(name);
            self.body.definitions.push(Definition { name, statement: None, feeds: definitions, uses: Vec::new(), escapes, only_to_lambdas });
            definitions = SmallVec::from_slice(&[id]);
        }
        Some(Binding { value, definitions })
    }

    // Joins that are not followed.

    /// Give every name in `names` an unknown value, fed by all its assignments so far and by those that `later` will make.
    fn forget(&mut self, names: &[Symbol], from: TextSize) -> Vec<(Symbol, u32)> {
        self.joins += 1;
        let join = self.joins;
        let mut made = Vec::new();
        for &name in names {
            let old = self.frame().get(name).map_or_else(SmallVec::new, |b| b.definitions.clone());
            let before = self.frame().get(name).map(|b| b.value);
            let value = self.phi(join, name, before);
            let mut definitions: SmallVec<[u32; 2]> = SmallVec::new();
            if self.inlining == 0 {
                let id = self.body.definitions.len() as u32;
                let (escapes, only_to_lambdas) = self.escapes(name);
                self.body.definitions.push(Definition { name, statement: None, feeds: old, uses: Vec::new(), escapes, only_to_lambdas });
                definitions.push(id);
                made.push((name, id));
                self.moment(name, value, from);
            }
            self.frame().set(name, Binding { value, definitions });
        }
        made
    }

    /// Every assignment made to `names` since definition `first` may reach the joins `into`.
    fn feed(&mut self, into: &[(Symbol, u32)], first: usize) {
        let joins: FxHashMap<Symbol, u32> = into.iter().copied().collect();
        for id in first..self.body.definitions.len() {
            match joins.get(&self.body.definitions[id].name) {
                Some(&join) if id as u32 != join => self.body.definitions[join as usize].feeds.push(id as u32),
                _ => {}
            }
        }
    }

    /// From here on, what is assigned to `names` is carried to join `join`, at which each name has a node.
    fn enter_region(&mut self, names: &[Symbol], join: u32) {
        for &name in names {
            let before = self.frame().get(name).map(|b| b.value);
            let node = match before {
                Some(value) if matches!(self.graph.op(value), Op::Phi(_, j, _) if j == join) => value,
                _ => self.phi(join, name, before),
            };
            self.joined.insert((join, name), node);
        }
        let mut names = names.to_vec();
        names.sort_unstable();
        self.regions.push((names, join));
    }

    /// Like `forget`, for names whose assignments were carried to join `region`.
    fn forget_region(&mut self, names: &[Symbol], region: u32, from: TextSize) -> Vec<(Symbol, u32)> {
        for &name in names {
            if let Some(&node) = self.joined.get(&(region, name)) {
                let definitions = self.frame().get(name).map_or_else(SmallVec::new, |b| b.definitions.clone());
                self.frame().set(name, Binding { value: node, definitions });
            }
        }
        self.forget(names, from)
    }

    /// Lower an expression of which some parts may not be evaluated: what they bind is unknown after it.
    pub(super) fn perhaps<T>(&mut self, parts: &[&'g Expr], lower: impl FnOnce(&mut Self) -> T) -> T {
        let mut names = Vec::new();
        parts.iter().for_each(|part| named_in(part, &mut names));
        let mut names: Vec<Symbol> = names.into_iter().map(|n| self.graph.symbol(n)).collect();
        let frame = self.frame();
        names.retain(|n| frame.locals.contains(n) && !frame.deferred);
        if self.inlining > 0 {
            // Nothing is carried inside a helper.
            let result = lower(self);
            for name in names {
                let value = self.opaque();
                self.frame().set(name, Binding { value, definitions: SmallVec::new() });
            }
            return result;
        }
        let Some(end) = parts.last().map(Ranged::end).filter(|_| !names.is_empty()) else { return lower(self) };
        let first = self.body.definitions.len();
        self.joins += 1;
        let region = self.joins;
        self.enter_region(&names, region);
        let result = lower(self);
        self.regions.pop();
        let joined = self.forget_region(&names, region, end);
        self.feed(&joined, first);
        result
    }

    pub(super) fn for_loop(&mut self, s: &'g ast::StmtFor) {
        let iterable = self.expr(&s.iter);
        self.effect(Effect::Enter(iterable));
        let mut extra = Vec::new();
        target_names(&s.target, &mut extra);
        let names = self.assigned_in(&[&s.body, &s.orelse], extra);
        self.escape_in_rounds(&names, &s.body, None);
        self.looped(&names, s.body.first().map_or(s.range.end(), Ranged::start), s.range.end(), |l| {
            l.joins += 1;
            let join = l.joins;
            let element = l.graph.value(Op::Element(l.body.name, join), &[iterable]);
            l.store(&s.target, element, s.iter.range().end());
            l.statements(&s.body);
        });
        self.after_all_rounds(&s.orelse);
        self.effect(Effect::Leave);
    }

    pub(super) fn while_loop(&mut self, s: &'g ast::StmtWhile) {
        let mut extra = Vec::new();
        named_targets(&s.test, &mut extra);
        let names = self.assigned_in(&[&s.body, &s.orelse], extra);
        self.escape_in_rounds(&names, &s.body, Some(&s.test));
        self.looped(&names, s.range.start(), s.range.end(), |l| {
            let test = l.expr(&s.test);
            l.effect(Effect::Enter(test));
            l.prove_by(test, true, l.offset);
            l.statements(&s.body);
        });
        self.after_all_rounds(&s.orelse);
        self.effect(Effect::Leave);
    }

    /// The `else` of a loop, which a `break` passes over.
    fn after_all_rounds(&mut self, orelse: &'g [Stmt]) {
        self.apart(|l| l.statements(orelse));
    }

    /// Lower a loop body once, with everything it assigns unknown before and after.
    fn looped(&mut self, names: &[Symbol], start: TextSize, end: TextSize, lower: impl FnOnce(&mut Self)) {
        let first = self.body.definitions.len();
        let entry = self.forget(names, start);
        self.bump();
        let outer = self.enter_block(true);
        self.enter_region(names, self.joins);
        lower(self);
        self.regions.pop();
        self.block = outer;
        self.bump();
        self.feed(&entry, first);
        let exit = self.forget(names, end);
        self.feed(&exit, first);
    }

    /// A context manager may swallow what its body raises, so control may come out even where the body never falls through, and after any part of it.
    pub(super) fn with(&mut self, s: &'g ast::StmtWith) {
        let mut swallows = false;
        for item in &s.items {
            let context = self.expr(&item.context_expr);
            swallows |= !lets_pass(self.graph, context);
            self.effect(Effect::Enter(context));
            if let Some(target) = &item.optional_vars {
                let value = self.opaque();
                self.store(target, value, item.range.end());
            }
        }
        let flow = self.apart(|l| l.statements(&s.body));
        s.items.iter().for_each(|_| self.effect(Effect::Leave));
        self.bump();
        if swallows || flow == Flow::Stops {
            let names = self.assigned_in(&[&s.body], Vec::new());
            self.forget(&names, s.range.end());
            // How far the body came is not known, nor what it left.
            for name in names {
                let unknown = self.opaque();
                if let Some(join) = self.frame().get(name).map(|b| b.value) {
                    self.effect(Effect::Carry(join, unknown));
                }
            }
        }
    }

    pub(super) fn try_statement(&mut self, s: &'g ast::StmtTry) {
        let marker = self.graph.leaf(Op::None);
        self.effect(Effect::Enter(marker));
        let first = self.body.definitions.len();
        let handlers: Vec<&'g [Stmt]> = s.handlers.iter().map(|ast::ExceptHandler::ExceptHandler(h)| &*h.body).collect();
        let extra = s.handlers.iter().filter_map(|ast::ExceptHandler::ExceptHandler(h)| h.name.as_ref()).map(|n| n.as_str()).collect();
        let all = self.assigned_in(&[&[&*s.body, &*s.orelse], &handlers[..]].concat(), extra);
        self.joins += 1;
        let region = self.joins;
        self.enter_region(&all, region);
        let outer: BlockId = self.enter_block(false);
        self.statements(&s.body);
        let tried = std::mem::replace(&mut self.block, outer);
        let names = self.assigned_in(&[&s.body], Vec::new());
        for ast::ExceptHandler::ExceptHandler(handler) in &s.handlers {
            let joined = self.forget_region(&names, region, handler.range.start());
            self.feed(&joined, first);
            self.bump();
            self.effect(Effect::Else);
            self.apart(|l| {
                if let Some(kind) = &handler.type_ {
                    l.expr(kind);
                }
                if let Some(name) = &handler.name {
                    let name = l.graph.symbol(name);
                    let value = l.opaque();
                    l.bind(name, value, None, handler.range.start());
                }
                l.statements(&handler.body)
            });
        }
        self.effect(Effect::Else);
        let joined = self.forget_region(&names, region, s.range.end());
        self.feed(&joined, first);
        // Only where the whole body ran.
        self.block = tried;
        self.statements(&s.orelse);
        self.block = outer;
        self.regions.pop();
        self.effect(Effect::Else);
        self.bump();
        let joined = self.forget_region(&all, region, s.finalbody.first().map_or(s.range.end(), Ranged::start));
        self.feed(&joined, first);
        self.statements(&s.finalbody);
        self.effect(Effect::Leave);
    }

    pub(super) fn match_statement(&mut self, s: &'g ast::StmtMatch) {
        let subject = self.expr(&s.subject);
        self.escape_parts(subject);
        self.effect(Effect::Enter(subject));
        let mut extra = Vec::new();
        let bodies: Vec<&'g [Stmt]> = s.cases.iter().map(|c| &*c.body).collect();
        s.cases.iter().for_each(|case| pattern_names(&case.pattern, &mut extra));
        let names = self.assigned_in(&bodies, extra);
        self.alternatives(&names, s.range.end(), |l, region| {
            for case in &s.cases {
                l.forget_region(&names, region, case.range.start());
                l.effect(Effect::Else);
                let mut captures = Vec::new();
                pattern_names(&case.pattern, &mut captures);
                l.apart(|l| {
                    for name in captures {
                        let (name, value) = (l.graph.symbol(name), l.opaque());
                        l.bind(name, value, None, case.pattern.end());
                    }
                    if let Some(guard) = &case.guard {
                        l.expr(guard);
                    }
                    l.statements(&case.body)
                });
            }
        });
    }

    /// Lower branches of which one is taken, and which are not followed: what any of them assigns to `names` is unknown after `end`.
    fn alternatives(&mut self, names: &[Symbol], end: TextSize, lower: impl FnOnce(&mut Self, u32)) {
        let first = self.body.definitions.len();
        self.joins += 1;
        let region = self.joins;
        self.enter_region(names, region);
        lower(self, region);
        self.regions.pop();
        let joined = self.forget_region(names, region, end);
        self.feed(&joined, first);
        self.bump();
        self.effect(Effect::Leave);
    }
}

/// Whether the context manager `context` is known to let every exception of its block pass.
pub fn lets_pass(graph: &Graph, context: ValueId) -> bool {
    let (Op::Apply | Op::Call(..), operands) = graph.get(context) else { return false };
    match graph.op(operands[0]) {
        Op::Builtin(name) => graph.name(name) == "open",
        _ => graph.path(operands[0]).is_some_and(|path| path.starts_with("mlx.core.")),
    }
}
