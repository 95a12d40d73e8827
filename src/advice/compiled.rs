//! The functions of a file that `mx.compile` compiles: their text, the scope that compiles them, and what it lists as inputs and outputs.

use crate::finding::Notes;
use crate::graph::body::Body;
use crate::graph::calls::{self, Called};
use crate::graph::compile::Compiled;
use crate::graph::definitions::FunctionIndex;
use crate::graph::names::locals_of;
use crate::graph::{Analysis, statements};
use crate::place::{Place, expressions};
use crate::syntax::ast::visitor::source_order::{self, SourceOrderVisitor};
use crate::syntax::ast::{self, Expr, Stmt};
use crate::syntax::{Ranged, TextRange};

/// The path of the random state.
pub(super) const RANDOM_STATE: &str = "mlx.core.random.state";

/// Assignments are followed so far.
const MAX_DEPTH: u32 = 3;

/// A function of the file that is compiled.
pub(super) struct Site<'x> {
    /// The scope that compiles.
    pub(super) outer: Place<'x>,
    /// The scope of the function.
    pub(super) inner: Place<'x>,
    /// The function.
    pub(super) function: &'x ast::StmtFunctionDef,
    /// How it is compiled.
    pub(super) compiled: &'x Compiled,
}

/// What a call of `mx.compile` lists as inputs or as outputs.
#[derive(Default)]
pub(super) struct Listed {
    /// Names and chains of attributes.
    names: Vec<String>,
    /// Something is listed that is not understood.
    pub(super) is_unclear: bool,
}

impl Listed {
    /// Whether nothing is listed.
    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty() && !self.is_unclear
    }

    /// Whether the object called `name` is among it, wholly or in part.
    pub(super) fn has(&self, name: &str) -> bool {
        let is_part = |a: &str, b: &str| a.strip_prefix(b).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        self.names.iter().any(|n| is_part(n, name) || is_part(name, n))
    }
}

/// What to say of the import of `partial` where the file lacks it: the end of a sentence that names it.
pub(super) fn with_partial(analysis: &Analysis<'_>) -> &'static str {
    let is_imported = analysis.definitions.imports.iter().any(|&(_, path)| analysis.graph.name(path) == "functools.partial");
    if is_imported { "" } else { ", with `from functools import partial`" }
}

/// What `look` says of each function that is compiled.
pub(super) fn each<T>(analysis: &Analysis<'_>, notes: &Notes, mut look: impl FnMut(&Site<'_>) -> Vec<T>) -> Vec<T> {
    let mut found = Vec::new();
    for compiled in analysis.compiled() {
        let &[index] = &compiled.functions[..] else { continue };
        let Some(body) = body_of(analysis, Some(index)) else { continue };
        let outer = Place::new(analysis, &analysis.bodies[compiled.scope], notes);
        let site = Site { outer, inner: Place::new(analysis, body, notes), function: analysis.definitions.functions[index].ast, compiled };
        found.extend(look(&site));
    }
    found
}

impl<'x> Site<'x> {
    /// From the compilation to the name of the function, or the compilation alone where it is a call.
    pub(super) fn range(&self) -> TextRange {
        if self.compiled.is_decorator { TextRange::new(self.compiled.range.start(), self.function.name.end()) } else { self.compiled.range }
    }

    /// The name by which what is compiled is called: the function's own, or the one that the call is assigned to.
    pub(super) fn name(&self) -> Option<&'x str> {
        if self.compiled.is_decorator {
            return Some(self.function.name.as_str());
        }
        let mut found = None;
        each_assignment(self.outer.own_statements(), &mut |s| {
            if s.value.range() == self.compiled.range
                && let [Expr::Name(target)] = &s.targets[..]
            {
                found = Some(target.id.as_str());
            }
        });
        found
    }

    /// The calls of what is compiled.
    pub(super) fn calls(&self) -> Vec<Called<'x>> {
        let analysis = self.outer.analysis;
        match self.compiled.functions[..] {
            [index] if self.compiled.is_decorator => calls::of_function(analysis, index),
            _ => self.name().map(|name| calls::by_name(analysis, name, self.outer.body.range)).unwrap_or_default(),
        }
    }

    /// What is listed as `inputs` (position 1) or `outputs` (position 2).
    pub(super) fn listed(&self, keyword: &str, position: usize) -> Listed {
        let mut listed = Listed::default();
        if let Some(expr) = self.argument(keyword, position) {
            self.collect(expr, &mut listed, 0);
        }
        listed
    }

    /// Whether the random state is listed both ways.
    pub(super) fn lists_random_state(&self) -> bool {
        self.listed("inputs", 1).has(RANDOM_STATE) && self.listed("outputs", 2).has(RANDOM_STATE)
    }

    /// Whether the compiled function is one that other files may call.
    pub(super) fn is_public(&self) -> bool {
        self.compiled.is_decorator && self.outer.is_module() && !self.function.name.starts_with('_')
    }

    fn argument(&self, keyword: &str, position: usize) -> Option<&'x Expr> {
        let call = match self.function.decorator_list.iter().find(|d| d.expression.range() == self.compiled.range) {
            Some(decorator) => decorator.expression.as_call_expr()?,
            None => call_at(self.outer.own_statements(), self.compiled.range)?,
        };
        call.arguments.find_argument_value(keyword, position)
    }

    /// Note what `expr` names, also through names that the scope around assigns.
    fn collect(&self, expr: &'x Expr, listed: &mut Listed, depth: u32) {
        match expr {
            Expr::List(e) => e.elts.iter().for_each(|e| self.collect(e, listed, depth)),
            Expr::Tuple(e) => e.elts.iter().for_each(|e| self.collect(e, listed, depth)),
            Expr::Dict(e) => e.iter_values().for_each(|e| self.collect(e, listed, depth)),
            Expr::BinOp(e) => [&e.left, &e.right].into_iter().for_each(|e| self.collect(e, listed, depth)),
            Expr::Name(name) => {
                listed.names.push(name.id.to_string());
                let values = assigned(self.outer.own_statements(), &name.id);
                if depth < MAX_DEPTH {
                    values.into_iter().filter(|v| !v.is_call_expr()).for_each(|v| self.collect(v, listed, depth + 1));
                }
            }
            Expr::Attribute(_) => match dotted(expr) {
                Some(name) => listed.names.push(self.outer.path(expr).unwrap_or(name)),
                None => listed.is_unclear = true,
            },
            Expr::NoneLiteral(_) => {}
            _ => listed.is_unclear = true,
        }
    }

    /// Whether `name` is one of a scope around the function.
    pub(super) fn is_captured(&self, name: &str) -> bool {
        let mut locals: Vec<&str> = self.function.parameters.iter().map(|p| p.name().as_str()).collect();
        locals_of(&self.function.body, &mut locals);
        !locals.contains(&name) && !self.is_bound_inside(name)
    }

    /// Whether a lambda or a comprehension of the function has a name of its own called `name`.
    fn is_bound_inside(&self, name: &str) -> bool {
        let mut found = false;
        self.expressions(&mut |expr| {
            found |= match expr {
                Expr::Lambda(e) => e.parameters.iter().any(|p| p.iter().any(|p| p.name().as_str() == name)),
                Expr::Name(e) => e.ctx.is_store() && e.id.as_str() == name,
                _ => false,
            };
        });
        found
    }

    /// Every expression in the body of the function, those of functions inside it left out.
    pub(super) fn expressions(&self, see: &mut dyn FnMut(&'x Expr)) {
        expressions::of_scope(&self.function.body, see);
    }
}

/// `self.model.state` as text.
pub(super) fn dotted(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Name(name) => Some(name.id.to_string()),
        Expr::Attribute(attribute) => Some(format!("{}.{}", dotted(&attribute.value)?, attribute.attr)),
        _ => None,
    }
}

/// The call with the text `range`.
fn call_at(body: &[Stmt], range: TextRange) -> Option<&ast::ExprCall> {
    let mut found = None;
    let mut at = At { range, found: &mut found };
    at.visit_body(body);
    found
}

struct At<'f, 'x> {
    range: TextRange,
    found: &'f mut Option<&'x ast::ExprCall>,
}

impl<'x> SourceOrderVisitor<'x> for At<'_, 'x> {
    fn visit_expr(&mut self, expr: &'x Expr) {
        match expr {
            Expr::Call(call) if call.range() == self.range => *self.found = Some(call),
            _ if expr.range().contains_range(self.range) => source_order::walk_expr(self, expr),
            _ => {}
        }
    }
}

/// What the statements of `body`, not those of functions inside, assign to `name`.
fn assigned<'x>(body: &'x [Stmt], name: &str) -> Vec<&'x Expr> {
    let mut found = Vec::new();
    each_assignment(body, &mut |s| {
        if s.targets.iter().any(|t| t.as_name_expr().is_some_and(|n| n.id.as_str() == name)) {
            found.push(&*s.value);
        }
    });
    found
}

/// Every assignment of `body`, not those of functions inside.
fn each_assignment<'x>(body: &'x [Stmt], see: &mut dyn FnMut(&'x ast::StmtAssign)) {
    statements::each(body, &mut |statement| statement.as_assign_stmt().into_iter().for_each(&mut *see));
}

/// The scope of the function number `by`, or of the module.
pub(super) fn body_of<'x>(analysis: &'x Analysis<'_>, by: Option<FunctionIndex>) -> Option<&'x Body> {
    match by {
        Some(function) => Some(&analysis.bodies[analysis.body_of(function)?]),
        None => analysis.bodies.iter().find(|b| b.function.is_none() && b.class.is_none()),
    }
}
