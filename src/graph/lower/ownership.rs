//! Who may hold a value: names of this scope alone, or also a container, a caller or an object, which see every change that is made in place.

use std::ops::ControlFlow::{Break, Continue};

use rustc_hash::FxHashSet;

use super::Lowerer;
use super::frame::Frame;
use crate::graph::definitions::FunctionIndex;
use crate::graph::helpers::{Borrowing, Callee, Scope, held, held_in_displays};
use crate::graph::value::{Op, Symbol, ValueId};
use crate::syntax::ast::visitor::source_order::{self, SourceOrderVisitor};
use crate::syntax::ast::{self, Expr, Stmt};

/// More paths by which a value comes to a name than these are not followed: it may be anything.
const MAX_PATHS: usize = 100;

impl Lowerer<'_, '_> {
    /// Lists: once a name holds one, its contents may change under the name.
    pub(super) fn is_mutable_display(&mut self, value: ValueId) -> bool {
        let (mut seen, mut stack) = (FxHashSet::default(), vec![value]);
        while let Some(value) = stack.pop() {
            match self.graph.op(value) {
                Op::List | Op::Comprehension(_) => return true,
                Op::Mul | Op::Add if !self.graph.is_arrayish(value) && !self.undisplayed.contains(&value) && seen.insert(value) => {
                    stack.extend(self.graph.operands(value));
                }
                _ => {}
            }
        }
        self.undisplayed.extend(seen);
        false
    }

    /// Numbers, strings and tuples: `+=` makes a new object.
    pub(super) fn is_immutable(&self, value: ValueId) -> bool {
        matches!(
            self.graph.op(value),
            Op::Int(_)
                | Op::Float(_)
                | Op::Bool(_)
                | Op::Str(_)
                | Op::None
                | Op::Tuple
                | Op::Shape
                | Op::Dim(_)
                | Op::Ndim
                | Op::DtypeOf
                | Op::Compare(_)
        )
    }

    /// Whether `value` was made by an operation of this scope and nothing but names of it holds it.
    pub(super) fn is_fresh(&self, value: ValueId) -> bool {
        // A helper that is inlined changes what its caller holds.
        let callers = self.frames.len().saturating_sub(1);
        let is_held = |v: ValueId| self.escaped.contains(&v) || self.frames[..callers].iter().any(|f| !self.may_hold(f, v).is_empty());
        let is_named = |v: ValueId| self.frames.iter().any(|f| !f.holders(v).is_empty());
        !self.graph.finds(value, |v| {
            let is_made = match self.graph.get(v) {
                _ if is_held(v) => false,
                // A join is one of its parts, which other names may hold.
                (Op::Gate, parts) if !parts[1..].iter().any(|&part| is_named(part)) => return Continue(&parts[1..]),
                (Op::Gate, _) => false,
                (Op::Item(_), &[of]) => matches!(self.graph.op(of), Op::Mlx("split" | "meshgrid" | "broadcast_arrays")),
                (Op::Index(_), &[of, _]) => self.graph.is_arrayish(of),
                _ => self.graph.is_arrayish(v),
            };
            if is_made { Continue(&[]) } else { Break(()) }
        })
    }

    /// The name that `expr` is, where it is a local and nothing else holds its array, `object`: then a change in place is another value of that name.
    pub(super) fn sole_holder(&mut self, expr: &Expr, object: ValueId) -> Option<Symbol> {
        let name = self.graph.symbol(&expr.as_name_expr()?.id);
        let local = self.frames.last()?.locals.contains(&name) && !self.captured.contains(&name) && !self.volatile.contains(&name);
        let holders: Vec<Symbol> = self.frames.iter().flat_map(|f| self.may_hold(f, object)).collect();
        // Arithmetic makes another object; where that is no array it keeps what is stored into it.
        let computed = matches!(self.graph.op(object), Op::Add | Op::Sub | Op::Mul | Op::Div | Op::Pow | Op::Neg | Op::Compare(_));
        (local && holders == [name] && (self.is_fresh(object) || computed && !self.escaped.contains(&object))).then_some(name)
    }

    /// Every name of `frame` that may stand for `object`, also on one path only.
    pub(super) fn may_hold(&self, frame: &Frame, object: ValueId) -> Vec<Symbol> {
        frame.names_where(|value| self.may_be(value, object))
    }

    /// Whether `value` is `object` on some path: one side of a branch, or what reached a join that is not followed.
    fn may_be(&self, value: ValueId, object: ValueId) -> bool {
        let (mut seen, mut next) = (vec![value], 0);
        // However often it was changed, it is the same object.
        let mut object = object;
        while let (Op::Changed(_), &[before]) = self.graph.get(object) {
            object = before;
        }
        while let Some(&value) = seen.get(next) {
            if value == object || next > MAX_PATHS {
                return true;
            }
            next += 1;
            let parts = self.graph.operands(value);
            let parts: &[ValueId] = match self.graph.op(value) {
                Op::Gate => &parts[1..],
                Op::And | Op::Or | Op::Phi(..) | Op::Changed(_) => parts,
                _ => continue,
            };
            let carried = self.carried.get(&value).into_iter().flatten();
            let new: Vec<ValueId> = parts.iter().chain(carried).copied().filter(|v| !seen.contains(v)).collect();
            seen.extend(new);
        }
        false
    }

    /// What a container, a call or another object may hold from now on.
    pub(super) fn escape_parts(&mut self, value: ValueId) {
        if !self.escaped.insert(value) {
            return;
        }
        if let Op::Phi(..) = self.graph.op(value) {
            let carried = self.carried.get(&value).cloned().unwrap_or_default();
            carried.into_iter().for_each(|part| self.escape_parts(part));
        }
        let may_be_parts = matches!(
            self.graph.op(value),
            Op::Tuple
                | Op::List
                | Op::Keyword(_)
                | Op::Star
                | Op::Gate
                | Op::Phi(..)
                | Op::And
                | Op::Or
                | Op::Element(..)
                | Op::Changed(_)
                | Op::Comprehension(_)
        );
        if may_be_parts || matches!(self.graph.op(value), Op::Index(_) | Op::Item(_)) && !self.graph.is_arrayish(value) {
            for part in self.graph.operands(value).to_vec() {
                self.escape_parts(part);
            }
        }
    }

    /// What a round of a loop passes on or gives a second name, the next round finds in others' hands, from its first statement on. The loop assigns `names`.
    pub(super) fn escape_in_rounds(&mut self, names: &[Symbol], body: &[Stmt], test: Option<&Expr>) {
        let mut passed = PassedOn { callee: &|call| self.callee(call, names), borrowers: &self.definitions.borrowers, names: Vec::new() };
        test.into_iter().for_each(|test| passed.visit_expr(test));
        passed.visit_body(body);
        let names = passed.names;
        for name in names {
            let name = self.graph.symbol(name);
            if let Some(value) = self.frame().get(name).map(|b| b.value) {
                self.escape_parts(value);
            }
        }
    }

    /// What `call` calls, in a loop that assigns `names`.
    fn callee(&self, call: &ast::ExprCall, names: &[Symbol]) -> Callee {
        let frame = &self.frames[self.frames.len() - 1];
        // What a name holds in each round.
        let value = |name: &str| {
            let symbol = self.graph.known_symbol(name).filter(|symbol| !names.contains(symbol))?;
            Some(frame.get(symbol)?.value)
        };
        let scope = |name: &str| match self.graph.known_symbol(name) {
            Some(symbol) if frame.locals.contains(&symbol) && value(name).is_none_or(|v| self.graph.path(v).is_none()) => Scope::Own,
            Some(symbol) if self.frames.iter().any(|f| f.locals.contains(&symbol)) => Scope::Outer,
            Some(symbol) if self.enclosing.iter().any(|e| e.locals.contains_key(&symbol)) => Scope::Outer,
            _ => Scope::Module,
        };
        let of = if let Expr::Attribute(method) = &*call.func { Some((&method.value, &method.attr)) } else { None };
        let name = of.map_or(&*call.func, |(object, _)| object).as_name_expr().map(|name| name.id.as_str());
        let held = name.and_then(value);
        match (of, held) {
            (None, Some(value)) if let Op::Function(function) = self.graph.op(value) => match self.lambdas.get(&function) {
                Some((lambda, _)) if Borrowing::is_lambda(self.definitions, self.classes, self.graph, &scope, lambda) => Callee::Borrower,
                Some(_) => Callee::Unknown,
                None => self.definitions.function_named(function).map_or(Callee::Unknown, Callee::Helper),
            },
            (Some((_, method)), Some(value)) if let Some(class) = self.class_of_receiver(value) => {
                self.definitions.callee_of_receiver(self.classes, self.graph, class, method)
            }
            // In a method it may be another name of the receiver.
            (Some(_), None) if frame.class.is_some() && name.is_some_and(|name| scope(name) == Scope::Own) => Callee::Unknown,
            _ => self.definitions.callee(self.graph, call, &scope),
        }
    }

    /// A name keeps a display: its parts can be seen through the name.
    pub(super) fn escape_display(&mut self, value: ValueId) {
        let mut stack = vec![value];
        while let Some(value) = stack.pop() {
            if !self.displayed.insert(value) || self.graph.is_arrayish(value) {
                continue;
            }
            let parts = self.graph.operands(value).to_vec();
            match self.graph.op(value) {
                Op::Tuple | Op::List => parts.into_iter().for_each(|p| self.escape_parts(p)),
                Op::Gate | Op::Mul | Op::Add => stack.extend(parts),
                _ => {}
            }
        }
    }
}

/// Finds the names whose objects a text passes to calls that may keep them, or gives another name.
struct PassedOn<'q, 'a> {
    callee: &'q dyn Fn(&ast::ExprCall) -> Callee,
    borrowers: &'q FxHashSet<FunctionIndex>,
    names: Vec<&'a str>,
}

impl<'a> PassedOn<'_, 'a> {
    fn parts(&mut self, expr: &'a Expr) {
        held(expr, &mut self.names);
    }
}

impl<'a> SourceOrderVisitor<'a> for PassedOn<'_, 'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::Assign(s) => self.parts(&s.value),
            Stmt::AnnAssign(s) => s.value.iter().for_each(|v| self.parts(v)),
            Stmt::AugAssign(s) if !s.value.is_name_expr() => self.parts(&s.value),
            Stmt::For(s) if !s.iter.is_name_expr() => self.parts(&s.iter),
            Stmt::With(s) => s.items.iter().for_each(|i| self.parts(&i.context_expr)),
            Stmt::Match(s) => self.parts(&s.subject),
            _ => {}
        }
        source_order::walk_stmt(self, statement);
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Call(call) => match (self.callee)(call) {
                Callee::Borrower => {}
                Callee::Helper(index) if self.borrowers.contains(&index) => held_in_displays(call, &mut self.names),
                Callee::Helper(_) | Callee::Unknown => {
                    call.arguments.args.iter().for_each(|a| self.parts(a));
                    call.arguments.keywords.iter().for_each(|k| self.parts(&k.value));
                }
            },
            Expr::Named(named) => self.parts(&named.value),
            Expr::Yield(e) => e.value.iter().for_each(|v| self.parts(v)),
            _ => {}
        }
        source_order::walk_expr(self, expr);
    }
}
