//! Who may hold a value: names of this scope alone, or also a container, a caller or an object, which see every change that is made in place.

use std::ops::ControlFlow::{Break, Continue};

use rustc_hash::FxHashSet;

use super::Lowerer;
use super::frame::{Binding, Frame};
use crate::graph::helpers::Borrowing;
use crate::graph::lending::{BoundIn, Callee, Handing};
use crate::graph::names::named_in;
use crate::graph::value::{Op, Symbol, ValueId};
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

    /// What a round of a loop hands on or gives a second name, the next round finds in others' hands, from its first statement on. The loop assigns `names`.
    pub(super) fn escape_in_rounds(&mut self, names: &[Symbol], body: &[Stmt], test: Option<&Expr>) {
        let names: FxHashSet<Symbol> = names.iter().copied().collect();
        let (scope, held) = (|name: &str| self.scope_in_rounds(name, &names), |call: &ast::ExprCall| self.held_in_rounds(call, &names));
        let mut handing = Handing::new(self.definitions, self.graph, &scope, &held).knowing_borrowers();
        test.into_iter().for_each(|test| handing.expr(test, false));
        handing.block(body);
        let handed_on = handing.names;
        for name in handed_on {
            let name = self.graph.symbol(name);
            if let Some(value) = self.frame().get(name).map(|b| b.value) {
                self.escape_parts(value);
            }
        }
    }

    /// What a comprehension hands on or binds in one round is another thing in the next, from the first part of its elements on.
    pub(super) fn escape_in_comprehension(&mut self, elements: &[&Expr], generators: &[ast::Comprehension]) {
        let mut bound = Vec::new();
        elements.iter().copied().chain(generators.iter().flat_map(|g| &g.ifs)).for_each(|e| named_in(e, &mut bound));
        let bound: FxHashSet<Symbol> = bound.into_iter().map(|name| self.graph.symbol(name)).collect();
        let (scope, held) = (|name: &str| self.scope_in_rounds(name, &bound), |call: &ast::ExprCall| self.held_in_rounds(call, &bound));
        let mut handing = Handing::new(self.definitions, self.graph, &scope, &held).knowing_borrowers();
        handing.comprehension(elements, generators, false);
        let Handing { names: handed_on, calls_unknown, .. } = handing;
        for &name in &handed_on {
            let Some(symbol) = self.graph.known_symbol(name) else { continue };
            let value = self.frames.iter().rev().find_map(|f| f.get(symbol)).map(|b| b.value);
            value.into_iter().for_each(|value| self.escape_parts(value));
        }
        let mut bound: Vec<Symbol> = bound.into_iter().collect();
        bound.sort_unstable();
        for name in bound {
            let unknown = self.opaque();
            if let Some(frame) = self.frames.iter_mut().rev().find(|f| f.locals.contains(&name)) {
                frame.set(name, Binding { value: unknown, definitions: smallvec::SmallVec::new() });
            }
        }
        if calls_unknown || !handed_on.is_empty() {
            self.bump();
        }
    }

    /// From here on an inner function, or lambda, that `walk` visits may be called: whoever gets an object from it may change that at any time.
    pub(super) fn note_handed_on<'t>(&mut self, walk: impl FnOnce(&mut Handing<'_, 't>)) {
        if self.body.function.is_none() {
            return;
        }
        let none = FxHashSet::default();
        let (scope, held) = (|name: &str| self.scope_in_rounds(name, &none), |call: &ast::ExprCall| self.held_in_rounds(call, &none));
        let mut handing = Handing::new(self.definitions, self.graph, &scope, &held).knowing_borrowers();
        walk(&mut handing);
        let handed_on = handing.names;
        self.volatile.extend(handed_on.into_iter().filter_map(|name| self.graph.known_symbol(name)));
    }

    /// What `name` holds in each round of a loop that assigns `names`.
    fn value_in_rounds(&self, name: &str, names: &FxHashSet<Symbol>) -> Option<ValueId> {
        let symbol = self.graph.known_symbol(name).filter(|symbol| !names.contains(symbol))?;
        Some(self.frames.last()?.get(symbol)?.value)
    }

    fn scope_in_rounds(&self, name: &str, names: &FxHashSet<Symbol>) -> BoundIn {
        let Some(symbol) = self.graph.known_symbol(name) else { return BoundIn::Module };
        let is_import = || self.value_in_rounds(name, names).is_some_and(|v| self.graph.path(v).is_some());
        match () {
            () if self.frames.last().is_some_and(|f| f.locals.contains(&symbol)) && !is_import() => BoundIn::Here,
            () if self.frames.iter().any(|f| f.locals.contains(&symbol)) => BoundIn::Around,
            () if self.enclosing.iter().any(|e| e.locals.contains_key(&symbol)) => BoundIn::Around,
            () => BoundIn::Module,
        }
    }

    /// What `call` calls in a loop that assigns `names`, where that is a method of a receiver, or a function that a name holds.
    fn held_in_rounds(&self, call: &ast::ExprCall, names: &FxHashSet<Symbol>) -> Option<Callee> {
        let object = if let Expr::Attribute(method) = &*call.func { &method.value } else { &call.func };
        let name = object.as_name_expr()?.id.as_str();
        match (&*call.func, self.value_in_rounds(name, names)) {
            (Expr::Attribute(method), Some(value)) => {
                let class = self.class_of_receiver(value)?;
                Some(self.definitions.callee_of_receiver(self.classes, self.graph, class, &method.attr))
            }
            // In a method it may be another name of the receiver.
            (Expr::Attribute(_), None) => {
                let is_method = self.frames.last().is_some_and(|f| f.class.is_some());
                (is_method && self.scope_in_rounds(name, names) == BoundIn::Here).then_some(Callee::Unknown)
            }
            (_, Some(value)) => {
                let Op::Function(function) = self.graph.op(value) else { return None };
                let Some((lambda, _)) = self.lambdas.get(&function) else { return self.definitions.function_named(function).map(Callee::Helper) };
                let scope = |name: &str| self.scope_in_rounds(name, names);
                let borrows = Borrowing::is_lambda(self.definitions, self.classes, self.graph, &scope, lambda);
                Some(if borrows { Callee::Borrower } else { Callee::Unknown })
            }
            _ => None,
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
