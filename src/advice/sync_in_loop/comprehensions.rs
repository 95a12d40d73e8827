//! Comprehensions that compute a number for each element and wait for it: `[mx.sum(m).item() for m in masks]`. The arrays can be made first and read together.

use crate::finding::{MEASURED, Notes};
use crate::graph::Analysis;
use crate::graph::facts::Kind;
use crate::place::{Place, expressions};
use crate::syntax::Ranged;
use crate::syntax::ast::visitor::source_order::{self, SourceOrderVisitor};
use crate::syntax::ast::{Comprehension, Expr, Stmt};

use super::super::Told;
use super::super::reads::{Read, gives_array, number};
use super::super::rounds::counts_rounds;
use super::operand;

/// What was measured of one such comprehension.
const TOGETHER: &str = "of sums over 64 rows of one array: 17 times faster in one operation, 1.2 times with `mx.stack` (CPU, mlx 0.32.4).";

/// What is told of each comprehension of the file.
pub(super) fn told(analysis: &Analysis<'_>, notes: &Notes) -> Vec<Told> {
    let mut found = Vec::new();
    for body in &analysis.bodies {
        let place = Place::new(analysis, body, notes);
        let mut scope = Scope { place: &place, is_rare: false, found: &mut found };
        scope.visit_body(place.own_statements());
    }
    found
}

struct Scope<'p, 'x> {
    place: &'p Place<'x>,
    /// In a branch that is taken every so many rounds.
    is_rare: bool,
    found: &'p mut Vec<Told>,
}

impl<'x> SourceOrderVisitor<'x> for Scope<'_, '_> {
    fn visit_stmt(&mut self, statement: &'x Stmt) {
        if matches!(statement, Stmt::FunctionDef(_) | Stmt::ClassDef(_)) {
            return;
        }
        expressions::of_statement(statement, &mut |expr| {
            let told = of_comprehension(self.place, statement, expr);
            self.found.extend(told.and_then(|told| match self.is_rare {
                true => self.place.notes.left(told.range, told.range, 100, || "few rounds come to it".to_owned()),
                false => Some(told),
            }));
        });
        let was_rare = self.is_rare;
        self.is_rare |= statement.as_if_stmt().is_some_and(|s| counts_rounds(&s.test));
        source_order::walk_stmt(self, statement);
        self.is_rare = was_rare;
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
    let generator = generators.first()?;
    if is_over_a_batch(place, &generator.iter) {
        let reason = || "it goes through a batch that the function is given, which may have one sequence".to_owned();
        return place.notes.left(expr.range(), read.expr.range(), 100, reason);
    }
    let source = place.source();
    let text = source.quote(read.expr.range());
    let target = source.quote(generator.target.range());
    let together = match rows(place, statement, generator, read.array) {
        Some(array) => format!("Compute it for all of `{array}` in one operation, over the other axes, and read the numbers together, with one `.tolist()`."),
        None => {
            "Compute all of them in one operation, over an axis, if they are parts of one array; else make a list of the arrays first, and read it together, with `mx.stack(arrays).tolist()`.".to_owned()
        }
    };
    Some(Told {
        range: expr.range(),
        message: format!("`{text}` waits for the device for each `{target}` of a comprehension"),
        rationale: vec![
            "1 wait an element: the next array is not even queued before the number of this one is there.".to_owned(),
            together,
            format!("{MEASURED} {TOGETHER}"),
        ],
    })
}

/// Whether `iterable` counts the sequences of a batch that the function is given: `range(x.shape[0])`.
fn is_over_a_batch(place: &Place<'_>, iterable: &Expr) -> bool {
    let Expr::Call(call) = iterable else { return false };
    let bound = || match place.analysis.graph.operands(place.value(iterable)?) {
        &[_, bound] => place.parameter_counted_by(bound),
        _ => None,
    };
    place.calls_builtin(call, "range") && bound().is_some()
}

/// The array of which `generator` takes one row after the other, of which `computed` is made: `a` in `mx.sum(x) for x in a`, and in `mx.sum(a[i]) for i in ..`.
fn rows(place: &Place<'_>, statement: &Stmt, generator: &Comprehension, computed: &Expr) -> Option<String> {
    let target = generator.target.as_name_expr()?.id.as_str();
    let is_target = |e: &Expr| e.as_name_expr().is_some_and(|n| n.id.as_str() == target);
    let array = match operand(place, computed) {
        part if is_target(part) => &generator.iter,
        Expr::Subscript(e) if is_target(&e.slice) => &e.value,
        _ => return None,
    };
    let is_array = place.facts(statement.range(), array)?.kind(place.value(array)?) == Kind::Array;
    is_array.then(|| place.source().quote(array.range()))
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
