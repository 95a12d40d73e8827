//! The expressions of a scope, those of one statement, and what some of them are made of.

use crate::graph::statements::comprehension;
use crate::syntax::ast::visitor::source_order::{self, SourceOrderVisitor};
use crate::syntax::ast::{self, Expr, Stmt};

/// Show `see` every expression in `body`; functions and classes in it are scopes of their own.
pub fn of_scope<'x>(body: &'x [Stmt], see: &mut dyn FnMut(&'x Expr)) {
    let mut scope = Scope { see };
    scope.visit_body(body);
}

/// Show `see` every expression that `statement` evaluates itself, once: not those of the statements inside it, nor those of lambdas and comprehensions.
pub fn of_statement<'x>(statement: &'x Stmt, see: &mut dyn FnMut(&'x Expr)) {
    let mut header = Header { see };
    header.visit_stmt(statement);
}

/// Show `see` all expressions in `expr`, and `expr` itself.
pub fn each<'x>(expr: &'x Expr, see: &mut dyn FnMut(&'x Expr)) {
    let mut scope = Scope { see };
    scope.visit_expr(expr);
}

/// The gradients with which `call` updates a model: `optimizer.update(model, gradients)` and `optimizer.apply_gradients(gradients, parameters)`.
pub fn applied_gradients(call: &ast::ExprCall) -> Option<&Expr> {
    let at = match call.func.as_attribute_expr()?.attr.as_str() {
        "update" if call.arguments.len() == 2 => 1,
        "apply_gradients" if call.arguments.len() == 2 => 0,
        _ => return None,
    };
    call.arguments.find_argument_value("gradients", at)
}

fn is_scope(statement: &Stmt) -> bool {
    matches!(statement, Stmt::FunctionDef(_) | Stmt::ClassDef(_))
}

struct Scope<'s, 'x> {
    see: &'s mut dyn FnMut(&'x Expr),
}

impl<'x> SourceOrderVisitor<'x> for Scope<'_, 'x> {
    fn visit_stmt(&mut self, statement: &'x Stmt) {
        if !is_scope(statement) {
            source_order::walk_stmt(self, statement);
        }
    }

    fn visit_expr(&mut self, expr: &'x Expr) {
        (self.see)(expr);
        source_order::walk_expr(self, expr);
    }
}

struct Header<'s, 'x> {
    see: &'s mut dyn FnMut(&'x Expr),
}

impl<'x> SourceOrderVisitor<'x> for Header<'_, 'x> {
    fn visit_stmt(&mut self, statement: &'x Stmt) {
        if !is_scope(statement) {
            source_order::walk_stmt(self, statement);
        }
    }

    fn visit_body(&mut self, _: &'x [Stmt]) {}

    fn visit_expr(&mut self, expr: &'x Expr) {
        (self.see)(expr);
        match comprehension(expr) {
            Some((_, generators)) => generators.first().into_iter().for_each(|g| self.visit_expr(&g.iter)),
            None if expr.is_lambda_expr() => {}
            None => source_order::walk_expr(self, expr),
        }
    }
}
