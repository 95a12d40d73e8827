//! Code that is written out on purpose: the fallback for when the fast operation fails or is missing, and the reference that it is compared with. Rewriting
//! it would leave a program without its fallback, and a test that tests nothing.

use crate::graph::Analysis;
use crate::graph::body::{Body, Occurrence};
use crate::graph::statements::blocks;
use crate::graph::value::{Op, ValueId};
use crate::syntax::ast::{ExceptHandler, Stmt};
use crate::syntax::{Ranged, TextRange};

/// Why the match at `root`, which would become `after`, was written out on purpose, if it shows.
pub(super) fn on_purpose(analysis: &Analysis<'_>, body: &Body, root: Occurrence, after: ValueId) -> Option<String> {
    let module = &analysis.source.module().body;
    // A helper may be the fallback that its callers do not look like.
    let helpers =
        body.inlined.iter().filter(|(_, value)| !root.own && *value == root.value).map(|&(f, _)| analysis.definitions.functions[f].ast.range);
    let places = std::iter::once(root.range).chain(helpers);
    places.into_iter().find_map(|range| guarded(analysis, module, range)).or_else(|| reference(analysis, body, root, after))
}

/// Whether `range` stands in an `except` handler, or in a branch that asks what MLX can do.
fn guarded(analysis: &Analysis<'_>, statements: &[Stmt], range: TextRange) -> Option<String> {
    let source = analysis.source;
    let at = statements.partition_point(|s| s.end() <= range.start());
    let statement = statements.get(at).filter(|s| s.range().contains_range(range))?;
    match statement {
        Stmt::Try(s) => {
            let handled = s.handlers.iter().any(|ExceptHandler::ExceptHandler(h)| h.range.contains_range(range));
            if handled {
                return Some("it stands in an `except` handler, as the fallback of something".to_owned());
            }
        }
        Stmt::If(s) => {
            let tests = std::iter::once(&*s.test).chain(s.elif_else_clauses.iter().filter_map(|c| c.test.as_ref()));
            for test in tests {
                if analysis.asks_for_features(test) {
                    return Some(format!("it stands under `if {}`, as a fallback", source.quote(test.range())));
                }
            }
        }
        Stmt::FunctionDef(s) => return guarded(analysis, &s.body, range),
        Stmt::ClassDef(s) => return guarded(analysis, &s.body, range),
        _ => {}
    }
    blocks(statement).into_iter().find_map(|inner| guarded(analysis, inner, range))
}

/// Whether the same scope already computes the fast operation of the same array.
fn reference(analysis: &Analysis<'_>, body: &Body, root: Occurrence, after: ValueId) -> Option<String> {
    let graph = &analysis.graph;
    let (Op::Mlx(name), &[subject, ..]) = graph.get(after) else { return None };
    let mut fast = body.fast_operations_on(graph, subject);
    let other = fast.find(|o| graph.op(o.value) == Op::Mlx(name) && o.value != root.value && !root.range.contains_range(o.range))?;
    let line = analysis.source.location(other.range.start()).row;
    Some(format!("it is the reference or the fallback of `mx.{name}` in line {line}"))
}
