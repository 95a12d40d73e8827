//! Where an evaluation stands: in something that a program runs many times, a loop or a function that the file calls in one; and on which stream.

use crate::place::{Place, calls};
use crate::syntax::ast::visitor::source_order::{self, SourceOrderVisitor};
use crate::syntax::ast::{Expr, Stmt};
use crate::syntax::{Ranged, TextRange};

/// Whether `statement` of the scope `place` stands in a loop, or in a function that the file calls in one.
pub(super) fn is_repeated(place: &Place<'_>, statement: &Stmt) -> bool {
    place.loops_around(statement) > 0 || is_called_in_loop(place)
}

/// Whether what the name `array` holds at `evaluation` is computed in a block of another stream, which is over by then: whoever reads it waits for that stream.
pub(super) fn is_of_another_stream(place: &Place<'_>, array: &Expr, evaluation: &Stmt) -> bool {
    let name = array.as_name_expr().and_then(|n| place.analysis.graph.known_symbol(&n.id));
    let (Some(name), true) = (name, memchr::memmem::find(place.source().text().as_bytes(), b"stream").is_some()) else { return false };
    let statements = &place.body.statements;
    let assigned: Vec<_> = place.definitions_of(name).filter_map(|(_, d)| Some(statements[d.statement? as usize].range)).collect();
    let mut streams = Streams { place, ranges: Vec::new() };
    streams.visit_body(place.own_statements());
    let mut over = streams.ranges.iter().filter(|s| s.end() <= evaluation.start());
    over.any(|stream| assigned.iter().any(|at| stream.contains_range(*at)))
}

/// Collects the blocks of streams in one scope.
struct Streams<'p, 'x> {
    place: &'p Place<'x>,
    ranges: Vec<TextRange>,
}

impl<'x> SourceOrderVisitor<'x> for Streams<'_, 'x> {
    fn visit_stmt(&mut self, statement: &'x Stmt) {
        if let Stmt::With(s) = statement {
            let calls = s.items.iter().filter_map(|item| item.context_expr.as_call_expr());
            let mut paths = calls.filter_map(|call| self.place.path(&call.func));
            self.ranges.extend(paths.any(|p| p == "mlx.core.stream").then_some(s.range));
        }
        if !matches!(statement, Stmt::FunctionDef(_) | Stmt::ClassDef(_)) {
            source_order::walk_stmt(self, statement);
        }
    }

    fn visit_expr(&mut self, _: &'x Expr) {}
}

/// Whether something of the name of the function `place` is called in a loop of the file.
fn is_called_in_loop(place: &Place<'_>) -> bool {
    let function = place.body.function.map(|f| place.analysis.definitions.functions[f].ast);
    function.is_some_and(|f| calls::alike(place.analysis, &f.name).iter().any(|c| c.in_loop))
}
