//! The names that statements assign, and those whose arrays they change in place.

use super::Lowerer;
use crate::graph::names::{locals_of, target_names};
use crate::graph::statements;
use crate::graph::value::Symbol;
use crate::syntax::ast::{self, Expr, Stmt};

impl<'g> Lowerer<'_, 'g> {
    /// The names that `bodies` assign or whose arrays they change, and `extra`, as far as they are of this scope.
    pub(super) fn assigned_in(&mut self, bodies: &[&'g [Stmt]], extra: Vec<&'g str>) -> Vec<Symbol> {
        let mut names = extra;
        bodies.iter().for_each(|b| locals_of(b, &mut names));
        let mut symbols: Vec<Symbol> = names.into_iter().map(|n| self.graph.symbol(n)).collect();
        symbols.extend(self.changed_in(bodies));
        symbols.sort_unstable();
        symbols.dedup();
        let locals = &self.frames.last().expect("invariant: a scope is open").locals;
        symbols.retain(|s| locals.contains(s));
        symbols
    }

    /// Every name of an array that `bodies` change in place: it holds another value the second time round.
    fn changed_in(&mut self, bodies: &[&'g [Stmt]]) -> Vec<Symbol> {
        let mut names = Vec::new();
        bodies.iter().for_each(|b| changed_names(b, &mut names));
        let mut symbols = Vec::new();
        for name in names {
            let name = self.graph.symbol(name);
            symbols.push(name);
            if let Some(value) = self.frame().get(name).map(|b| b.value).filter(|&v| !self.is_immutable(v)) {
                symbols.extend(self.frame().holders(value));
            }
        }
        symbols
    }
}

/// The names whose object `body` changes in place: `name[..] = ..` and `name += ..`.
fn changed_names<'a>(body: &'a [Stmt], names: &mut Vec<&'a str>) {
    statements::each(body, &mut |statement| {
        let targets = match statement {
            Stmt::Assign(s) => &s.targets[..],
            Stmt::AugAssign(s) => std::slice::from_ref(&*s.target),
            Stmt::Delete(s) => &s.targets[..],
            _ => &[],
        };
        targets.iter().for_each(|t| changed_name(t, matches!(statement, Stmt::AugAssign(_)), names));
    });
}

fn changed_name<'a>(target: &'a Expr, changes: bool, names: &mut Vec<&'a str>) {
    match target {
        Expr::Name(name) if changes => names.push(&name.id),
        Expr::Subscript(subscript) => changed_name(&subscript.value, true, names),
        Expr::Tuple(ast::ExprTuple { elts, .. }) | Expr::List(ast::ExprList { elts, .. }) => {
            elts.iter().for_each(|t| changed_name(t, changes, names));
        }
        Expr::Starred(starred) => changed_name(&starred.value, changes, names),
        _ => {}
    }
}

/// Walrus targets inside an expression.
pub(super) fn named_targets<'a>(expr: &'a Expr, names: &mut Vec<&'a str>) {
    struct Finder<'n, 'a>(&'n mut Vec<&'a str>);
    impl<'a> ast::visitor::source_order::SourceOrderVisitor<'a> for Finder<'_, 'a> {
        fn visit_expr(&mut self, expr: &'a Expr) {
            if let Expr::Named(named) = expr {
                target_names(&named.target, self.0);
            }
            ast::visitor::source_order::walk_expr(self, expr);
        }
    }
    ast::visitor::source_order::SourceOrderVisitor::visit_expr(&mut Finder(names), expr);
}
