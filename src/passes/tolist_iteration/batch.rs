//! Loops over the sequences of a batch. A function that computes one step gets few of them, often one: a list spares it a wait only where a round then waits for
//! nothing else.

use crate::finding::Proposal;
use crate::graph::facts::{Facts, Kind};
use crate::place::Place;
use crate::syntax::TextRange;
use crate::syntax::ast::visitor::source_order::{self, SourceOrderVisitor};
use crate::syntax::ast::{Expr, Stmt};

use super::Loops;
use super::reads::{Way, number_read};

/// What of `found` is worth its lines, in a loop over `body`, which goes through a batch: nothing, where the rounds wait for other numbers as well.
pub(super) fn worthwhile(loops: &Loops<'_, '_>, body: &[Stmt], found: Vec<Proposal>) -> Vec<Proposal> {
    let edited: Vec<TextRange> = found.iter().flat_map(|p| p.finding.edits.iter().map(|e| e.range)).collect();
    let mut waits = Waits { place: loops.place, edited: &edited, left: None };
    waits.visit_body(body);
    let Some(wait) = waits.left else { return found };
    for proposal in &found {
        let reason = || "the loop is over a batch, which a step may have one sequence of, and its rounds wait here in any case".to_owned();
        loops.place.notes.left::<()>(proposal.finding.range, wait, 100, reason);
    }
    Vec::new()
}

/// Looks for a wait that nothing edits.
struct Waits<'p, 'x> {
    place: &'p Place<'x>,
    edited: &'p [TextRange],
    left: Option<TextRange>,
}

impl<'x> SourceOrderVisitor<'x> for Waits<'_, 'x> {
    fn visit_expr(&mut self, expr: &'x Expr) {
        if let Expr::Call(call) = expr
            && let Some((element, read)) = number_read(self.place, call)
            && !self.edited.iter().any(|e| read.call.contains_range(*e) || e.contains_range(read.call))
            && (read.way != Way::Convert || self.is_array(element))
        {
            self.left.get_or_insert(read.call);
        }
        source_order::walk_expr(self, expr);
    }
}

impl Waits<'_, '_> {
    /// Whether `expr` is an array, as far as anybody can say without its place.
    fn is_array(&self, expr: &Expr) -> bool {
        self.place.value(expr).is_some_and(|v| Facts::anywhere(self.place.analysis).kind(v) == Kind::Array)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{fixed, stays};
    use crate::finding::Applicability;

    #[test]
    fn a_batch_is_no_reason_where_the_rounds_wait_in_any_case() {
        let head = "for i in range(b.shape[0]):\n    x = ";
        for other in ["xs[0][i].item()", "model(i).item()", "int(b[i].sum())", "xs.tolist()"] {
            stays(&format!("{head}a[i].item()\n    if x > 2:\n        out({other})\n"));
            let images = format!("for i in range(a.shape[0]):\n    x = a[i].item()\n    if x > 2:\n        out({other})\n");
            assert_ne!(fixed(&images, Applicability::Unsafe), images);
        }
        let rows = "for i, y in enumerate(xs):\n    x = a[i].tolist()\n    out(x)\n";
        assert!(fixed(rows, Applicability::Unsafe).contains("a_list[i]"));
        stays(&format!("{rows}    if x:\n        out(b[0].item())\n"));
        assert!(fixed(&format!("{head}a[i].item() + b[i, 0].item()\n    out(x)\n"), Applicability::Unsafe).contains("a_list[i] + b_0[i]"));
        assert!(fixed(&format!("{head}a[i].item()\n    out(x, int(xs))\n"), Applicability::Unsafe).contains("a_list[i]"));
    }
}
