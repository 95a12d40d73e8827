//! Walks the blocks of a file for passes that look at neighbouring statements.

use super::Place;
use crate::finding::{Notes, Proposal};
use crate::graph::Analysis;
use crate::syntax::ast::visitor::source_order::{self, SourceOrderVisitor};
use crate::syntax::ast::{Expr, Stmt};

/// What `look` proposes for each block of each scope, in the order of the text.
pub fn each(analysis: &Analysis<'_>, notes: &Notes, look: impl Fn(&Place<'_>, &[Stmt]) -> Vec<Proposal>) -> Vec<Proposal> {
    let mut found = Vec::new();
    for body in &analysis.bodies {
        let place = Place::new(analysis, body, notes);
        let mut blocks = Blocks { look: |block: &[Stmt]| found.extend(look(&place, block)) };
        blocks.visit_body(place.own_statements());
    }
    found.sort_by_key(|p| (p.finding.range.start(), p.finding.range.end()));
    found
}

/// Visits the blocks of one scope; functions and classes in it are scopes of their own.
struct Blocks<F> {
    look: F,
}

impl<'x, F: FnMut(&'x [Stmt])> SourceOrderVisitor<'x> for Blocks<F> {
    fn visit_body(&mut self, body: &'x [Stmt]) {
        (self.look)(body);
        source_order::walk_body(self, body);
    }

    fn visit_stmt(&mut self, statement: &'x Stmt) {
        if !matches!(statement, Stmt::FunctionDef(_) | Stmt::ClassDef(_)) {
            source_order::walk_stmt(self, statement);
        }
    }

    fn visit_expr(&mut self, _: &'x Expr) {}
}
