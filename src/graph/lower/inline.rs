//! Inlining: a helper with one definition and a body of plain assignments, branches and returns is lowered in place of its call.

use rustc_hash::FxHashSet;

use super::arguments::Arguments;
use super::frame::{Binding, Frame};
use super::{Lowerer, MAX_INLINED_NODES, MAX_INLINING};
use crate::graph::Lambdas;
use crate::graph::body::Effect;
use crate::graph::compile::is_compile;
use crate::graph::definitions::FunctionIndex;
use crate::graph::helpers::{is_simple, returns};
use crate::graph::names::{locals_of, named_in};
use crate::graph::value::{Op, Symbol, ValueId};
use crate::syntax::Ranged;
use crate::syntax::ast::{self, Expr, Stmt};

impl<'g> Lowerer<'_, 'g> {
    /// The value of calling function `index`, if it is simple enough to follow.
    pub(super) fn inline(&mut self, index: FunctionIndex, receiver: Option<ValueId>, arguments: &Arguments) -> Option<ValueId> {
        let info = &self.definitions.functions[index];
        let is_static = self.definitions.is_static(index, self.graph);
        if !self.may_inline()
            || info.ast.is_async
            || !is_simple(&info.ast.body)
            || !is_static && !info.ast.decorator_list.iter().all(|d| is_compile(&d.expression, self.definitions, self.graph))
        {
            return None;
        }
        if receiver.is_none() && info.class.is_some() && !is_static || self.frames.iter().any(|f| f.scope == info.name) {
            return None;
        }
        // An inner function sees the names of the function around it, which must be one of those being lowered.
        let parent = match info.parent {
            Some(outer) => {
                let scope = self.definitions.functions[outer].name;
                Some(self.frames.iter().position(|f| f.scope == scope)?)
            }
            None => None,
        };
        let bindings = self.parameters(&info.ast.parameters, receiver, arguments)?;
        let mut names = Vec::new();
        locals_of(&info.ast.body, &mut names);
        let mut locals: FxHashSet<Symbol> = names.into_iter().map(|n| self.graph.symbol(n)).collect();
        locals.extend(bindings.iter().map(|&(name, _)| name));
        let mut frame = Frame::new(info.name, locals, parent, info.class);
        for (name, value) in bindings {
            frame.set(name, Binding { value, definitions: smallvec::SmallVec::new() });
        }
        let value = self.inside(frame, |l| l.returned(&info.ast.body));
        if self.inlining == 0 {
            self.body.inlined.extend(value.map(|v| (index, v)));
        }
        value
    }

    /// The value of calling a lambda of the scope that is being lowered.
    pub(super) fn inline_lambda(&mut self, name: Symbol, arguments: &Arguments) -> Option<ValueId> {
        let &(lambda, parent) = self.lambdas.get(&name)?;
        if !self.may_inline() || parent >= self.frames.len() || self.inlined == Lambdas::Apart {
            return None;
        }
        let bindings = match &lambda.parameters {
            Some(parameters) => self.parameters(parameters, None, arguments)?,
            None => Vec::new(),
        };
        let mut named = Vec::new();
        named_in(&lambda.body, &mut named);
        let locals = bindings.iter().map(|b| b.0).chain(named.into_iter().map(|n| self.graph.symbol(n))).collect();
        let mut frame = Frame::new(name, locals, Some(parent), None);
        for (name, value) in bindings {
            frame.set(name, Binding { value, definitions: smallvec::SmallVec::new() });
        }
        let value = self.inside(frame, |l| Some(l.expr(&lambda.body)));
        if self.inlining == 0 {
            self.body.inlined_lambdas.extend(value.map(|v| (lambda.body.range(), v)));
        }
        value
    }

    fn may_inline(&self) -> bool {
        self.inlining < MAX_INLINING && self.inlined_nodes < MAX_INLINED_NODES
    }

    /// Run `lower` with `frame` on top, recording no places.
    fn inside(&mut self, frame: Frame, lower: impl FnOnce(&mut Self) -> Option<ValueId>) -> Option<ValueId> {
        let nodes = self.graph.len();
        self.frames.push(frame);
        self.inlining += 1;
        let value = lower(self);
        self.inlining -= 1;
        self.frames.pop();
        self.inlined_nodes += self.graph.len() - nodes;
        // A simple body always returns; if not, what was lowered has no value, and an unknown one is always right.
        Some(value.unwrap_or_else(|| self.opaque()))
    }

    /// Which parameter gets which argument; `None` where they do not fit or the helper takes `*args` or `**kwargs`.
    fn parameters(&mut self, parameters: &'g ast::Parameters, receiver: Option<ValueId>, arguments: &Arguments) -> Option<Vec<(Symbol, ValueId)>> {
        if arguments.spread || parameters.vararg.is_some() || parameters.kwarg.is_some() {
            return None;
        }
        let mut positional = receiver.into_iter().chain(arguments.positional.iter().copied());
        let mut used = 0;
        let mut bindings = Vec::new();
        let by_position = parameters.posonlyargs.len() + parameters.args.len();
        for (n, parameter) in parameters.iter_non_variadic_params().enumerate() {
            let name = self.graph.symbol(&parameter.parameter.name);
            let keyword = arguments.keywords.iter().find(|&&(k, _)| k == name).map(|&(_, v)| v);
            used += usize::from(keyword.is_some());
            let value = match (if n < by_position { positional.next() } else { None }, keyword) {
                (Some(_), Some(_)) => return None,
                (Some(value), None) | (None, Some(value)) => value,
                (None, None) => match parameter.default.as_deref() {
                    Some(default @ (Expr::NumberLiteral(_) | Expr::StringLiteral(_) | Expr::BooleanLiteral(_) | Expr::NoneLiteral(_))) => {
                        self.expr(default)
                    }
                    _ => return None,
                },
            };
            bindings.push((name, value));
        }
        (positional.next().is_none() && used == arguments.keywords.len()).then_some(bindings)
    }

    /// What a simple body returns.
    fn returned(&mut self, body: &'g [Stmt]) -> Option<ValueId> {
        let (first, rest) = body.split_first()?;
        match first {
            Stmt::Return(s) => Some(match &s.value {
                Some(value) => self.expr(value),
                None => self.graph.leaf(Op::None),
            }),
            Stmt::If(s) if returns(&s.body) => {
                let condition = self.expr(&s.test);
                self.effect(Effect::Enter(condition));
                let mark = self.frame().mark();
                let (then, in_then) = self.where_decided((condition, true), |l| (l.returned(&s.body), l.block));
                self.frame().rewind(mark);
                self.effect(Effect::Else);
                let rest = s.elif_else_clauses.first().map_or(rest, |clause| &clause.body);
                let (otherwise, in_else) = self.where_decided((condition, false), |l| (l.returned(rest), l.block));
                self.effect(Effect::Leave);
                Some(self.choice(condition, [then?, otherwise?], [in_then, in_else], self.offset))
            }
            _ => {
                self.statement(first);
                self.returned(rest)
            }
        }
    }
}
