//! Who may hold a value: names of this scope alone, or also a container, a caller or an object, which see every change that is made in place.

use super::Lowerer;
use super::frame::Frame;
use crate::graph::value::{Op, Symbol, ValueId};
use crate::syntax::ast::Expr;

/// More paths by which a value comes to a name than these are not followed: it may be anything.
const MAX_PATHS: usize = 100;

impl Lowerer<'_, '_> {
    /// Lists: once a name holds one, its contents may change under the name.
    pub(super) fn is_mutable_display(&self, value: ValueId) -> bool {
        let mut seen = rustc_hash::FxHashSet::default();
        let mut stack = vec![value];
        while let Some(value) = stack.pop() {
            match self.graph.op(value) {
                Op::List | Op::Comprehension(_) => return true,
                Op::Mul | Op::Add if seen.insert(value) && !self.graph.is_arrayish(value) => stack.extend(self.graph.operands(value)),
                _ => {}
            }
        }
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
        if self.escaped.contains(&value) || self.frames[..callers].iter().any(|f| !self.may_hold(f, value).is_empty()) {
            return false;
        }
        match self.graph.get(value) {
            // A join is one of its parts, which other names may hold.
            (Op::Gate, parts) => parts[1..].iter().all(|&v| self.is_fresh(v) && self.frames.iter().all(|f| f.holders(v).is_empty())),
            (Op::Item(_), &[of]) => matches!(self.graph.op(of), Op::Mlx("split" | "meshgrid" | "broadcast_arrays")),
            (Op::Index(_), &[of, _]) => self.graph.is_arrayish(of),
            _ => self.graph.is_arrayish(value),
        }
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

    /// A name keeps a display: its parts can be seen through the name.
    pub(super) fn escape_display(&mut self, value: ValueId) {
        let mut seen = rustc_hash::FxHashSet::default();
        let mut stack = vec![value];
        while let Some(value) = stack.pop() {
            if !seen.insert(value) || self.graph.is_arrayish(value) {
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
