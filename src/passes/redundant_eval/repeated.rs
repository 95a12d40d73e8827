//! Where an evaluation stands: in something that a program runs many times, a loop or a function that the file calls in one; and on which stream.

use crate::graph::calls;
use crate::graph::statements;
use crate::place::Place;
use crate::syntax::Ranged;
use crate::syntax::ast::{Expr, Stmt};

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
    let mut found = false;
    statements::each(place.own_statements(), &mut |statement| {
        if let Stmt::With(s) = statement
            && s.end() <= evaluation.start()
            && s.items.iter().any(|item| place.is_stream(&item.context_expr))
        {
            found |= assigned.iter().any(|at| s.range.contains_range(*at));
        }
    });
    found
}

/// Whether something of the name of the function `place` is called in a loop of the file.
fn is_called_in_loop(place: &Place<'_>) -> bool {
    let function = place.body.function.map(|f| place.analysis.definitions.functions[f].ast);
    function.is_some_and(|f| calls::alike(place.analysis, &f.name).iter().any(|c| c.in_loop))
}
