//! Statements: what they bind and which effects they have. Branches and loops are in `flow`.

use smallvec::SmallVec;

use super::Lowerer;
use super::frame::Binding;
use crate::graph::body::{Effect, Occurrence, Proved, Statement, StatementId, StatementKind};
use crate::graph::definitions::{imported, imported_from};
use crate::graph::value::{Op, Symbol, ValueId};
use crate::syntax::ast::{self, Expr, Stmt};
use crate::syntax::{Ranged, TextSize};

/// Whether control reaches the statement after.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    Falls,
    Stops,
}

impl<'g> Lowerer<'_, 'g> {
    /// Lower a block. Statements after one that never falls through are lowered too: they are text like any other.
    pub(super) fn statements(&mut self, statements: &'g [Stmt]) -> Flow {
        let mut flow = Flow::Falls;
        for statement in statements {
            if self.statement(statement) == Flow::Stops {
                flow = Flow::Stops;
            }
        }
        flow
    }

    pub(super) fn statement(&mut self, statement: &'g Stmt) -> Flow {
        let outer = self.statement;
        if self.inlining == 0 {
            self.statement = self.body.statements.len() as StatementId;
            self.body.statements.push(Statement { range: statement.range(), kind: kind_of(statement), block: self.block });
            self.offset = statement.start();
        }
        let flow = self.statement_inner(statement);
        self.statement = outer;
        flow
    }

    fn statement_inner(&mut self, statement: &'g Stmt) -> Flow {
        match statement {
            Stmt::Return(s) => {
                let value = self.optional(s.value.as_deref());
                self.effect(Effect::Return(value));
                return Flow::Stops;
            }
            Stmt::Raise(s) => {
                let value = self.optional(s.exc.as_deref());
                self.optional(s.cause.as_deref());
                self.effect(Effect::Raise(value));
                return Flow::Stops;
            }
            Stmt::Break(_) | Stmt::Continue(_) => {
                self.effect(Effect::Jump(matches!(statement, Stmt::Break(_))));
                return Flow::Stops;
            }
            Stmt::If(s) => return self.if_statement(s),
            Stmt::For(s) => self.for_loop(s),
            Stmt::While(s) => self.while_loop(s),
            Stmt::With(s) => self.with(s),
            Stmt::Try(s) => self.try_statement(s),
            Stmt::Match(s) => self.match_statement(s),
            _ => self.simple_statement(statement),
        }
        Flow::Falls
    }

    /// Statements after which control always goes on.
    fn simple_statement(&mut self, statement: &'g Stmt) {
        match statement {
            Stmt::Expr(s) => {
                self.expr(&s.value);
            }
            Stmt::Assign(s) => self.assign(s),
            Stmt::AnnAssign(s) => {
                if let Some(value) = &s.value {
                    let value = self.expr(value);
                    self.store(&s.target, value, s.range.end());
                }
            }
            Stmt::AugAssign(s) => self.augmented(s),
            Stmt::Assert(s) => {
                let test = self.expr(&s.test);
                self.apart(|l| l.optional(s.msg.as_deref()));
                self.prove_by(test, true, self.offset);
                self.effect(Effect::Assert(test));
            }
            Stmt::Delete(s) => s.targets.iter().for_each(|t| self.delete(t)),
            Stmt::FunctionDef(s) => self.function_definition(s),
            Stmt::ClassDef(s) => self.class_definition(s),
            Stmt::TypeAlias(s) => {
                let value = self.opaque();
                self.store(&s.name, value, s.range.end());
            }
            Stmt::Import(s) => {
                for alias in &s.names {
                    let (name, path) = imported(alias);
                    self.import(name, path, s.range.end());
                }
            }
            Stmt::ImportFrom(s) => {
                for alias in &s.names {
                    let path = imported_from(s, alias);
                    self.import(alias.asname.as_ref().unwrap_or(&alias.name), &path, s.range.end());
                }
            }
            _ => {}
        }
    }

    /// The value of an expression that may be left out, and is then `None`.
    fn optional(&mut self, expr: Option<&'g Expr>) -> ValueId {
        match expr {
            Some(expr) => self.expr(expr),
            None => self.graph.leaf(Op::None),
        }
    }

    fn import(&mut self, name: &str, path: &str, from: TextSize) {
        let (name, path) = (self.graph.symbol(name), self.graph.symbol(path));
        let value = self.graph.leaf(Op::Global(path));
        self.bind(name, value, Some(self.statement), from);
    }

    fn function_definition(&mut self, s: &'g ast::StmtFunctionDef) {
        for decorator in &s.decorator_list {
            self.expr(&decorator.expression);
        }
        for default in s.parameters.iter_non_variadic_params().filter_map(|p| p.default.as_deref()) {
            let value = self.expr(default);
            self.escape_parts(value);
        }
        let name = self.graph.symbol(&s.name);
        let value = match self.definitions.function_of(s) {
            Some(index) => self.graph.leaf(Op::Function(self.definitions.functions[index].name)),
            None => self.opaque(),
        };
        self.note_handed_on(|handing| handing.function(s));
        self.bind(name, value, Some(self.statement), s.range.end());
    }

    fn class_definition(&mut self, s: &'g ast::StmtClassDef) {
        for decorator in &s.decorator_list {
            self.expr(&decorator.expression);
        }
        for argument in s.arguments.iter().flat_map(|a| a.args.iter()) {
            self.expr(argument);
        }
        // What its body reads may be held by the class from now on.
        let mut reads = Vec::new();
        super::names_read(&s.body, &mut reads);
        for read in reads {
            let name = self.graph.symbol(read);
            if let Some(value) = self.frame().get(name).map(|b| b.value) {
                self.escape_parts(value);
            }
        }
        let name = self.graph.symbol(&s.name);
        let value = match self.definitions.class_of(s) {
            Some(index) => self.graph.leaf(Op::Class(self.definitions.classes[index].name)),
            None => self.opaque(),
        };
        self.bind(name, value, Some(self.statement), s.range.end());
    }

    // Assignment.

    fn assign(&mut self, s: &'g ast::StmtAssign) {
        // `a, b = x, y` makes no tuple that anyone could hold.
        if let [Expr::Tuple(target)] = &s.targets[..]
            && let Expr::Tuple(value) = &*s.value
            && target.elts.len() == value.elts.len()
            && !target.elts.iter().chain(&value.elts).any(Expr::is_starred_expr)
        {
            let values: Vec<ValueId> = value.elts.iter().map(|v| self.expr(v)).collect();
            for (target, value) in target.elts.iter().zip(values) {
                self.store(target, value, s.range.end());
            }
            return;
        }
        let value = self.expr(&s.value);
        // An array copies the elements it is given; what else may be stored into is told apart where it is. The tuple that a helper gives is gone when it is
        // unpacked, and where a name holds one its parts are known to be held.
        let is_unpacked = |t: &Expr| t.as_tuple_expr().is_some_and(|t| t.elts.iter().all(Expr::is_name_expr)) && self.graph.op(value) == Op::Tuple;
        if s.targets.len() > 1 || !s.targets.iter().all(|t| t.is_name_expr() || t.is_subscript_expr() || is_unpacked(t)) {
            self.escape_parts(value);
        }
        if let [Expr::Subscript(target)] = &s.targets[..] {
            let (value, target) = self.store_element(target, value, s.range.end());
            if self.inlining == 0 {
                self.body.occurrences.push(Occurrence { value, range: s.range, statement: self.statement, block: self.block, target, own: true });
            }
            return;
        }
        for target in &s.targets {
            self.store(target, value, s.range.end());
        }
    }

    /// `object[index] = value`: what the object is then, and the name that holds it where nothing else does.
    fn store_element(&mut self, target: &'g ast::ExprSubscript, value: ValueId, from: TextSize) -> (ValueId, Option<Symbol>) {
        let object = self.expr(&target.value);
        let index = self.expr(&target.slice);
        let stored = self.graph.value(Op::Stored, &[object, index, value]);
        let holder = self.sole_holder(&target.value, object);
        if let Some(name) = holder {
            if !self.graph.is_arrayish(object) {
                self.escape_parts(value);
            }
            self.rebind_silently(name, stored, from);
            self.carry(name, stored);
        } else {
            self.effect(Effect::StoreItem(object, index, value));
            self.escape_parts(value);
            // The object may be one of several that are joined in it.
            self.escape_parts(object);
            self.bump();
            self.changed_in_place(object, from);
        }
        (stored, holder)
    }

    /// Store `value` in `target`; names hold it from `from` on.
    pub(super) fn store(&mut self, target: &'g Expr, value: ValueId, from: TextSize) {
        match target {
            Expr::Name(name) => {
                let name = self.graph.symbol(&name.id);
                if matches!(self.graph.op(value), Op::Tuple | Op::List | Op::Gate | Op::Mul | Op::Add) {
                    self.escape_display(value);
                }
                let value = if self.is_mutable_display(value) { self.list() } else { value };
                if self.frames.last().is_some_and(|f| f.locals.contains(&name)) {
                    self.bind(name, value, Some(self.statement), from);
                } else {
                    self.effect(Effect::StoreName(name, value));
                    self.escape_parts(value);
                    self.bump();
                }
            }
            Expr::Tuple(ast::ExprTuple { elts, .. }) | Expr::List(ast::ExprList { elts, .. }) => self.unpack(elts, value, from),
            Expr::Starred(starred) => {
                let rest = self.opaque();
                self.store(&starred.value, rest, from);
            }
            Expr::Attribute(attribute) => {
                let object = self.expr(&attribute.value);
                let name = self.graph.symbol(&attribute.attr);
                self.effect(Effect::StoreAttribute(object, name, value));
                self.escape_parts(value);
                self.bump();
            }
            Expr::Subscript(subscript) => {
                self.store_element(subscript, value, from);
            }
            _ => {}
        }
    }

    fn unpack(&mut self, targets: &'g [Expr], value: ValueId, from: TextSize) {
        let starred = targets.iter().any(Expr::is_starred_expr);
        if let (Op::Shape, &[array], false) = (self.graph.op(value), self.graph.operands(value), starred) {
            self.prove(array, Proved::Rank(targets.len() as u8));
        }
        if let (Some((array, rank)), false) = (self.all_but_some(value, targets.len()), starred) {
            self.prove(array, Proved::Rank(rank));
        }
        if let (Some(array), false) = (self.whose_lengths(value), starred) {
            self.prove(array, Proved::AtLeast(targets.len() as u8));
        }
        for (n, target) in targets.iter().enumerate() {
            let part = if starred { self.opaque() } else { self.part(value, n, targets.len()) };
            self.store(target, part, from);
        }
    }

    /// Item `n` of `value`, which has `count` of them: that of `*x.shape, heads` may be one of the shape.
    fn part(&mut self, value: ValueId, n: usize, count: usize) -> ValueId {
        let items = self.graph.operands(value);
        let is_list = matches!(self.graph.op(value), Op::Tuple | Op::List);
        let star = items.iter().position(|&v| self.graph.op(v) == Op::Star).filter(|_| is_list);
        let Some((star, inside)) = star.and_then(|at| Some((at, (count + 1).checked_sub(items.len())?))) else {
            return self.graph.value(Op::Item(n as u32), &[value]);
        };
        let one_star = items.iter().filter(|&&v| self.graph.op(v) == Op::Star).count() == 1;
        match n.checked_sub(star) {
            None if one_star => items[n],
            Some(at) if one_star && at < inside => {
                let of = self.graph.operands(items[star])[0];
                self.graph.value(Op::Item(at as u32), &[of])
            }
            Some(_) if one_star => items[n + 1 - inside],
            _ => self.graph.value(Op::Item(n as u32), &[value]),
        }
    }

    /// The array some of whose lengths `value` is, if it is a slice of a shape.
    fn whose_lengths(&self, value: ValueId) -> Option<ValueId> {
        let (Op::Index(_), &[shape, slice]) = self.graph.get(value) else { return None };
        match (self.graph.get(shape), self.graph.op(slice)) {
            ((Op::Shape, &[array]), Op::Slice) => Some(array),
            _ => None,
        }
    }

    /// `value` is `x.shape[:-k]` or `x.shape[k:]` and has `count` parts: the array, and how many axes it has then.
    fn all_but_some(&self, value: ValueId, count: usize) -> Option<(ValueId, u8)> {
        let (Op::Index(_), &[shape, slice]) = self.graph.get(value) else { return None };
        let ((Op::Shape, &[array]), (Op::Slice, bounds)) = (self.graph.get(shape), self.graph.get(slice)) else { return None };
        let left_out = match [bounds[0], bounds[1]].map(|b| (self.graph.op(b), self.graph.as_int(b))) {
            [(Op::None, _), (_, Some(to))] if to < 0 => -to,
            [(_, Some(from)), (Op::None, _)] if from > 0 => from,
            _ => return None,
        };
        Some((array, u8::try_from(count as i64 + left_out).ok()?)).filter(|_| count > 0 && self.graph.op(bounds[2]) == Op::None)
    }

    /// The object that `value` stands for is not what it was: every name that may hold it holds what became of it from here on.
    fn changed_in_place(&mut self, value: ValueId, from: TextSize) {
        let frame = self.frames.last().expect("invariant: a scope is open while statements are lowered");
        let held: Vec<(Symbol, ValueId)> = self.may_hold(frame, value).into_iter().filter_map(|name| Some((name, frame.get(name)?.value))).collect();
        for (name, held) in held {
            // It is the same object: an array stays one, though it may get other elements, axes and another dtype.
            let changed = self.graph.value(Op::Changed(self.epoch), &[held]);
            self.rebind_silently(name, changed, from);
        }
    }

    /// `name` holds another value from `from` on although no assignment to it was written.
    fn rebind_silently(&mut self, name: Symbol, value: ValueId, from: TextSize) {
        let definitions = self.frame().get(name).map_or_else(SmallVec::new, |b| b.definitions.clone());
        if self.inlining == 0 {
            self.moment(name, value, from);
        }
        self.frame().set(name, Binding { value, definitions });
    }

    fn augmented(&mut self, s: &'g ast::StmtAugAssign) {
        let old = match &*s.target {
            Expr::Name(_) => self.expr(&s.target),
            Expr::Attribute(attribute) => {
                self.expr(&attribute.value);
                self.expr(&s.target)
            }
            Expr::Subscript(_) => self.expr(&s.target),
            _ => self.opaque(),
        };
        let operand = self.expr(&s.value);
        let new = self.binary(s.op, old, operand);
        if !s.target.is_name_expr() {
            // The object in the attribute or element may be changed in place as well as replaced.
            self.effect(Effect::Mutate(old, new));
            self.bump();
            self.changed_in_place(old, s.range.end());
            self.store(&s.target, new, s.range.end());
            return;
        }
        if !self.is_immutable(old) {
            if !self.is_fresh(old) {
                self.effect(Effect::Mutate(old, new));
                self.escape_parts(old);
                self.bump();
            }
            self.changed_in_place(old, s.range.end());
        }
        if let (Expr::Name(name), 0) = (&*s.target, self.inlining)
            && self.is_fresh(old)
        {
            let target = Some(self.graph.symbol(&name.id));
            self.body.occurrences.push(Occurrence { value: new, range: s.range, statement: self.statement, block: self.block, target, own: true });
        }
        self.store(&s.target, new, s.range.end());
    }

    fn delete(&mut self, target: &'g Expr) {
        match target {
            Expr::Name(name) => {
                let value = self.expr(target);
                self.effect(Effect::Delete(value));
                let name = self.graph.symbol(&name.id);
                self.frame().remove(name);
            }
            Expr::Tuple(ast::ExprTuple { elts, .. }) | Expr::List(ast::ExprList { elts, .. }) => elts.iter().for_each(|t| self.delete(t)),
            _ => {
                let value = self.expr(target);
                self.effect(Effect::Delete(value));
                self.bump();
            }
        }
    }
}

/// How a statement takes part in control flow.
fn kind_of(statement: &Stmt) -> StatementKind {
    let plain = |target: &Expr| target.is_name_expr() || target.as_tuple_expr().is_some_and(|t| t.elts.iter().all(Expr::is_name_expr));
    match statement {
        Stmt::Assign(s) if s.targets.iter().all(plain) => StatementKind::Assignment,
        Stmt::AnnAssign(s) if s.value.is_some() && s.target.is_name_expr() => StatementKind::Assignment,
        Stmt::AugAssign(s) if s.target.is_name_expr() => StatementKind::Assignment,
        Stmt::If(_) => StatementKind::If,
        Stmt::Pass(_) => StatementKind::Pass,
        Stmt::FunctionDef(_) => StatementKind::Function,
        _ => StatementKind::Other,
    }
}
