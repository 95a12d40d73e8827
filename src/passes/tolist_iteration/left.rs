//! Loops that read numbers of something else than their elements, for people who ask why such a loop stays. Nothing here takes part in a run.

use crate::finding::Proposal;
use crate::graph::statements::comprehension;
use crate::place::Place;
use crate::syntax::ast::visitor::source_order::{self, SourceOrderVisitor};
use crate::syntax::ast::{Expr, Stmt};
use crate::syntax::{Ranged, TextRange};

use super::reads::{Way, number_read};
use super::shorten;

/// Note every loop of `place` that waits for numbers, and of which nothing is said yet.
pub(super) fn note(place: &Place<'_>, found: &[Proposal]) {
    if place.notes.are_kept() {
        let mut loops = Waits { place, found, around: None };
        loops.visit_body(place.own_statements());
    }
}

struct Waits<'p, 'x> {
    place: &'p Place<'x>,
    found: &'p [Proposal],
    /// The loop around.
    around: Option<TextRange>,
}

impl<'x> Waits<'_, 'x> {
    fn inside(&mut self, range: TextRange, walk: impl FnOnce(&mut Self)) {
        let outer = self.around.replace(range);
        walk(self);
        self.around = outer;
        let is_told = self.place.notes.speak_of(range) || self.is_found(range);
        if outer.is_none() && !is_told {
            self.place.notes.left::<()>(range, range, 30, || "no element is read as a number in this loop".to_owned());
        }
    }

    fn is_found(&self, range: TextRange) -> bool {
        self.found.iter().any(|p| p.finding.range.contains_range(range) || range.contains_range(p.finding.range))
    }

    fn read(&self, element: &Expr, call: TextRange) {
        let Some(around) = self.around.filter(|&a| !self.place.notes.speak_of(a) && !self.is_found(a)) else { return };
        let text = shorten(self.place.source().slice(element.range()));
        let reason = || match element {
            Expr::Name(_) => format!("`{text}` is another array in each round: there is none that holds all the numbers"),
            Expr::Subscript(_) => format!("`{text}` is not an element that the loop goes through, but a part of one or of something else"),
            _ => format!("`{text}` is computed anew in each round: there is no array that holds all the numbers"),
        };
        self.place.notes.left::<()>(around, call, 45, reason);
    }
}

impl<'x> SourceOrderVisitor<'x> for Waits<'_, 'x> {
    fn visit_stmt(&mut self, statement: &'x Stmt) {
        match statement {
            // Scopes of their own.
            Stmt::FunctionDef(_) | Stmt::ClassDef(_) => {}
            Stmt::For(_) | Stmt::While(_) => self.inside(statement.range(), |w| source_order::walk_stmt(w, statement)),
            _ => source_order::walk_stmt(self, statement),
        }
    }

    fn visit_expr(&mut self, expr: &'x Expr) {
        match expr {
            _ if comprehension(expr).is_some() => self.inside(expr.range(), |w| source_order::walk_expr(w, expr)),
            Expr::Call(call) => {
                if let Some((element, read)) = number_read(self.place, call)
                    && read.way == Way::Item
                {
                    self.read(element, read.call);
                }
                source_order::walk_expr(self, expr);
            }
            _ => source_order::walk_expr(self, expr),
        }
    }
}
