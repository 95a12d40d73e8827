//! Functions that are compiled once for all shapes: under `mx.compile(f, shapeless=True)` some operations keep the shape that they were first given.

use crate::graph::Analysis;
use crate::graph::body::{Body, Occurrence};
use crate::graph::value::{Op, ValueId};

/// Operations that raise, or answer wrongly, where another shape comes. What they replace goes on.
const FIXED: [&str; 4] = ["repeat", "tile", "broadcast_to", "addmm"];

/// Why `after` cannot replace the match at `root`, where its scope is compiled without regard to shapes.
pub(super) fn fixes_shapes(analysis: &Analysis<'_>, body: &Body, root: Occurrence, after: ValueId) -> Option<String> {
    let Op::Mlx(name) = analysis.graph.op(after) else { return None };
    let mut shapeless = analysis.compiled().iter().filter(|c| c.is_shapeless);
    let fixed = FIXED.contains(&name) && shapeless.any(|c| c.encloses(body, root.range));
    fixed.then(|| format!("it is compiled with `shapeless=True`, under which `mx.{name}` keeps the shape it was first given"))
}
