//! Functions that are compiled once for all shapes: under `mx.compile(f, shapeless=True)` some operations keep the shape that they were first given.

use crate::graph::Analysis;
use crate::graph::body::{Body, Occurrence};
use crate::graph::value::{Graph, Op, ValueId};
use crate::syntax::Ranged;

/// Operations that raise, or answer wrongly, where another shape comes. What they replace goes on.
const FIXED: [&str; 4] = ["repeat", "tile", "broadcast_to", "addmm"];

/// Why `after` cannot replace the match at `root`, where its scope is compiled without regard to shapes.
pub(super) fn fixes_shapes(analysis: &Analysis<'_>, body: &Body, root: Occurrence, after: ValueId) -> Option<String> {
    let Op::Mlx(name) = analysis.graph.op(after) else { return None };
    let fixed = FIXED.contains(&name) && (is_decorated(analysis, body) || is_compiled(analysis, body, root));
    fixed.then(|| format!("it is compiled with `shapeless=True`, under which `mx.{name}` keeps the shape it was first given"))
}

/// Whether a decorator of the function says so.
fn is_decorated(analysis: &Analysis<'_>, body: &Body) -> bool {
    let function = body.function.map(|f| analysis.definitions.functions[f].ast);
    function.is_some_and(|f| {
        let compiles = |text: &str| text.contains("compile") && text.split_whitespace().collect::<String>().contains("shapeless=True");
        f.decorator_list.iter().any(|d| compiles(analysis.source.slice(d.expression.range())))
    })
}

/// Whether a call of `mx.compile` in the file is given the function, or a lambda that holds the root.
fn is_compiled(analysis: &Analysis<'_>, body: &Body, root: Occurrence) -> bool {
    let graph = &analysis.graph;
    analysis.compilations().iter().any(|o| {
        let operands = graph.operands(o.value);
        if !is_shapeless(graph, operands) {
            return false;
        }
        let given = operands.get(1).is_some_and(|&f| match graph.get(f) {
            (Op::Function(name), _) => name == body.name,
            (Op::Attr(name, _), _) => graph.name(body.name).rsplit('.').next() == Some(graph.name(name)),
            _ => false,
        });
        given || o.range.contains_range(root.range)
    })
}

fn is_shapeless(graph: &Graph, operands: &[ValueId]) -> bool {
    let says =
        |&v: &ValueId| matches!(graph.get(v), (Op::Keyword(name), &[value]) if graph.name(name) == "shapeless" && graph.op(value) == Op::Bool(true));
    operands.iter().any(says)
}
