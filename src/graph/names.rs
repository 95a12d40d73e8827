//! The names that statements, functions and expressions bind. Purely syntactic.

use super::definitions::imported;
use super::statements;
use crate::syntax::ast::visitor::source_order::{self, SourceOrderVisitor};
use crate::syntax::ast::{self, Expr, Stmt};

/// The names that `statement` itself binds, without those of blocks inside it; walrus targets of its expressions included.
pub(super) fn bound_names<'a>(statement: &'a Stmt, names: &mut Vec<&'a str>) {
    match statement {
        Stmt::Assign(s) => s.targets.iter().for_each(|t| target_names(t, names)),
        Stmt::AnnAssign(s) => target_names(&s.target, names),
        Stmt::AugAssign(s) => target_names(&s.target, names),
        Stmt::For(s) => target_names(&s.target, names),
        Stmt::With(s) => s.items.iter().filter_map(|i| i.optional_vars.as_deref()).for_each(|t| target_names(t, names)),
        Stmt::Delete(s) => s.targets.iter().for_each(|t| target_names(t, names)),
        Stmt::FunctionDef(s) => names.push(&s.name),
        Stmt::ClassDef(s) => names.push(&s.name),
        Stmt::TypeAlias(s) => target_names(&s.name, names),
        Stmt::Import(s) => names.extend(s.names.iter().map(|a| imported(a).0)),
        Stmt::ImportFrom(s) => names.extend(s.names.iter().map(|a| a.asname.as_ref().unwrap_or(&a.name).as_str())),
        Stmt::Try(s) => {
            names.extend(s.handlers.iter().filter_map(|ast::ExceptHandler::ExceptHandler(h)| h.name.as_ref()).map(|n| n.as_str()));
        }
        Stmt::Match(s) => s.cases.iter().for_each(|c| pattern_names(&c.pattern, names)),
        _ => {}
    }
    let mut walrus = Walrus { names };
    source_order::walk_stmt(&mut walrus, statement);
}

/// The names that `expr` binds in its own scope, by walrus.
pub(super) fn named_in<'a>(expr: &'a Expr, names: &mut Vec<&'a str>) {
    SourceOrderVisitor::visit_expr(&mut Walrus { names }, expr);
}

struct Walrus<'n, 'a> {
    names: &'n mut Vec<&'a str>,
}

impl<'a> SourceOrderVisitor<'a> for Walrus<'_, 'a> {
    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Named(named) => target_names(&named.target, self.names),
            Expr::Lambda(_) => return,
            _ => {}
        }
        source_order::walk_expr(self, expr);
    }

    fn visit_stmt(&mut self, _: &'a Stmt) {}
}

/// The names that an assignment to `target` binds.
pub(super) fn target_names<'a>(target: &'a Expr, names: &mut Vec<&'a str>) {
    match target {
        Expr::Name(name) => names.push(&name.id),
        Expr::Tuple(tuple) => tuple.elts.iter().for_each(|t| target_names(t, names)),
        Expr::List(list) => list.elts.iter().for_each(|t| target_names(t, names)),
        Expr::Starred(starred) => target_names(&starred.value, names),
        _ => {}
    }
}

/// The names that a `match` pattern binds.
pub(super) fn pattern_names<'a>(pattern: &'a ast::Pattern, names: &mut Vec<&'a str>) {
    use ast::Pattern;
    match pattern {
        Pattern::MatchAs(p) => {
            names.extend(p.name.as_ref().map(|n| n.as_str()));
            if let Some(inner) = &p.pattern {
                pattern_names(inner, names);
            }
        }
        Pattern::MatchStar(p) => names.extend(p.name.as_ref().map(|n| n.as_str())),
        Pattern::MatchMapping(p) => {
            names.extend(p.rest.as_ref().map(|n| n.as_str()));
            p.patterns.iter().for_each(|q| pattern_names(q, names));
        }
        Pattern::MatchSequence(p) => p.patterns.iter().for_each(|q| pattern_names(q, names)),
        Pattern::MatchOr(p) => p.patterns.iter().for_each(|q| pattern_names(q, names)),
        Pattern::MatchClass(p) => {
            p.arguments.patterns.iter().for_each(|q| pattern_names(q, names));
            p.arguments.keywords.iter().for_each(|q| pattern_names(&q.pattern, names));
        }
        Pattern::MatchValue(_) | Pattern::MatchSingleton(_) => {}
    }
}

/// Names that a function declares `global` or `nonlocal`: not locals.
pub(super) fn outer_names(body: &[Stmt]) -> Vec<&str> {
    let mut names = Vec::new();
    statements::each(body, &mut |statement| match statement {
        Stmt::Global(s) => names.extend(s.names.iter().map(|n| n.as_str())),
        Stmt::Nonlocal(s) => names.extend(s.names.iter().map(|n| n.as_str())),
        _ => {}
    });
    names
}

/// The parameters and other locals of a function; also what it declares to be of the scopes around it.
pub(super) fn names_of(function: &ast::StmtFunctionDef) -> Vec<&str> {
    let mut names: Vec<&str> = function.parameters.iter().map(|p| p.name().as_str()).collect();
    locals_of(&function.body, &mut names);
    names
}

/// All names bound anywhere in a function body, inner functions and classes not entered.
pub fn locals_of<'a>(body: &'a [Stmt], names: &mut Vec<&'a str>) {
    statements::each(body, &mut |statement| bound_names(statement, names));
}
