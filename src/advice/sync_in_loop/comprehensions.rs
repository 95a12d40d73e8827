//! Comprehensions that compute a number for each element and wait for it: `[mx.sum(m).item() for m in masks]`. The arrays can be made first and read together.

use crate::finding::Notes;
use crate::graph::Analysis;
use crate::place::{Place, expressions};
use crate::syntax::Ranged;
use crate::syntax::ast::visitor::source_order::{self, SourceOrderVisitor};
use crate::syntax::ast::{Expr, Stmt};

use super::super::reads::{Read, gives_array, number};
use super::super::{Told, one_line};

/// What is told of each comprehension of the file.
pub(super) fn told(analysis: &Analysis<'_>, notes: &Notes) -> Vec<Told> {
    let mut found = Vec::new();
    for body in &analysis.bodies {
        let place = Place::new(analysis, body, notes);
        let mut scope = Scope { place: &place, found: &mut found };
        scope.visit_body(place.own_statements());
    }
    found
}

struct Scope<'p, 'x> {
    place: &'p Place<'x>,
    found: &'p mut Vec<Told>,
}

impl<'x> SourceOrderVisitor<'x> for Scope<'_, '_> {
    fn visit_stmt(&mut self, statement: &'x Stmt) {
        if matches!(statement, Stmt::FunctionDef(_) | Stmt::ClassDef(_)) {
            return;
        }
        expressions::of_statement(statement, &mut |expr| self.found.extend(of_comprehension(self.place, statement, expr)));
        source_order::walk_stmt(self, statement);
    }

    fn visit_expr(&mut self, _: &'x Expr) {}
}

fn of_comprehension(place: &Place<'_>, statement: &Stmt, expr: &Expr) -> Option<Told> {
    let (element, generators) = match expr {
        Expr::ListComp(e) => (&*e.elt, &e.generators),
        Expr::SetComp(e) => (&*e.elt, &e.generators),
        Expr::DictComp(e) => (&*e.value, &e.generators),
        _ => return None,
    };
    let read = waits(place, statement, element)?;
    let source = place.source();
    let text = one_line(source, read.expr.range());
    let target = one_line(source, generators.first()?.target.range());
    Some(Told {
        range: expr.range(),
        message: format!("`{text}` waits for the device for each `{target}` of a comprehension"),
        rationale: vec![
            "1 wait an element: the next array is not even queued before the number of this one is there.".to_owned(),
            "Make a list of the arrays first, and read it together: `mx.stack(arrays).tolist()`; or compute all of them in one operation, over an axis.".to_owned(),
        ],
    })
}

/// The read in `element` of what MLX computes for it.
fn waits<'x>(place: &Place<'_>, statement: &Stmt, element: &'x Expr) -> Option<Read<'x>> {
    let mut found = None;
    expressions::each(element, &mut |expr| {
        let Expr::Call(_) = expr else { return };
        if found.is_none()
            && let Some(read) = number(place, statement, expr)
            && gives_array(place, read.array)
        {
            found = Some(read);
        }
    });
    found
}
