//! Products of one row with a matrix that is stored the slow way round: `x @ w`, and `w.T @ v`. How it is stored is decided where it is made or loaded, so
//! no expression here would be right in place of this one.
//!
//! Told is what has one row by proof: with four both layouts are as fast. The matrix must be one that is kept, and no other place may want its present
//! layout.

use std::cell::OnceCell;

use rustc_hash::FxHashSet;

use crate::finding::{Finding, Notes, TransformId};
use crate::graph::Analysis;
use crate::graph::body::{Body, Occurrence};
use crate::graph::definitions::ClassIndex;
use crate::graph::dtypes::table::spelt;
use crate::graph::facts::Facts;
use crate::graph::value::{Graph, Op, Symbol, ValueId};

use super::Told;

/// Smaller matrices are read in less time than it takes to launch the kernel.
const LEAST: i64 = 1 << 20;

/// Find the products with one row that go across a matrix.
pub fn find(analysis: &Analysis<'_>, id: &TransformId, notes: &Notes) -> Vec<Finding> {
    let mut found = Vec::new();
    let wanted = OnceCell::new();
    for body in &analysis.bodies {
        for product in body.occurrences.iter().filter(|o| o.own && analysis.graph.op(o.value) == Op::MatMul) {
            found.extend(of_product(analysis, body, product, &wanted, notes).map(|told| told.finding(id)));
        }
    }
    found
}

/// How a product uses a matrix that is kept somewhere.
struct Use {
    matrix: ValueId,
    /// The operand it is multiplied with.
    vector: ValueId,
    /// It stands on the left, transposed: the vector is a column.
    is_column: bool,
}

fn of_product(analysis: &Analysis<'_>, body: &Body, product: &Occurrence, wanted: &OnceCell<Wanted>, notes: &Notes) -> Option<Told> {
    let graph = &analysis.graph;
    let left = |likeness: u32, reason: &str| notes.left::<Told>(product.range, product.range, likeness, || reason.to_owned());
    let Some(use_) = across(graph, product.value) else {
        return left(40, "no matrix that is kept is read across its rows");
    };
    let facts = Facts::at(analysis, body, product.block, product.range.end());
    let is_one = facts.rank(use_.vector) == Some(1) || (!use_.is_column && facts.is_one_long(use_.vector, -2) && is_flat(&facts, use_.vector));
    if !is_one {
        return left(60, "nothing shows that there is one row alone, and with 4 both layouts are as fast");
    }
    // A transpose speaks of a matrix where nothing else does.
    if facts.rank(use_.matrix).map_or(!use_.is_column, |rank| rank != 2) {
        return left(80, "what it is multiplied with is not known to be a matrix");
    }
    let length = |axis| facts.length(use_.matrix, axis).and_then(|n| graph.as_int(n));
    if let (Some(rows), Some(columns)) = (length(0), length(1))
        && rows.saturating_mul(columns) < LEAST
    {
        return left(100, "the matrix is so small that the launch takes the time");
    }
    if wanted.get_or_init(|| Wanted::of(analysis)).has(analysis, use_.matrix) {
        return left(100, "another place wants the matrix in its present layout");
    }
    let [matrix, vector] = [use_.matrix, use_.vector].map(|v| spelt(analysis, body, v));
    Some(told(analysis, product, &matrix, &vector, use_.is_column))
}

fn told(analysis: &Analysis<'_>, product: &Occurrence, matrix: &str, vector: &str, is_column: bool) -> Told {
    let text = analysis.source.quote(product.range);
    let (instead, cost) = if is_column {
        (format!("{matrix} @ {vector}"), "1.5 to 1.8 times the time of a matrix that is stored the other way (NVIDIA H200), 3.2 times on a CPU.")
    } else {
        (
            format!("{vector} @ {matrix}.T"),
            "1.6 times the time in half precision and 1.3 in float32 of a matrix that is stored the other way (NVIDIA H200); on a CPU 3.4 times in bfloat16, but 0.7 in float32.",
        )
    };
    Told {
        range: product.range,
        message: format!("`{text}` multiplies one row, for which `{matrix}` is stored the slow way round"),
        rationale: vec![
            cost.to_owned(),
            format!(
                "Make `{matrix}` output by input, or lay it out anew once where it is loaded, with `mx.contiguous({matrix}.T)`, for a transpose alone moves nothing; then write `{instead}`."
            ),
        ],
    }
}

/// The matrix that `product` reads across its rows: on the right as it is, on the left transposed.
fn across(graph: &Graph, product: ValueId) -> Option<Use> {
    let &[left, right] = graph.operands(product) else { return None };
    if let Some(matrix) = transposed(graph, left)
        && is_kept(graph, matrix)
    {
        return Some(Use { matrix, vector: right, is_column: true });
    }
    is_kept(graph, right).then_some(Use { matrix: right, vector: left, is_column: false })
}

/// What `value` is the transpose of.
fn transposed(graph: &Graph, value: ValueId) -> Option<ValueId> {
    match graph.get(value) {
        (Op::Mlx("transpose"), &[of, axes]) if graph.op(axes) == Op::None => Some(of),
        (Op::Permute, &[of, axes]) => {
            let axes: Vec<Option<i64>> = graph.operands(axes).iter().map(|&axis| graph.as_int(axis)).collect();
            (axes == [Some(-1), Some(-2)]).then_some(of)
        }
        // Of something that is not known to be an array, but is multiplied with one.
        (Op::Attr(name, _), &[of]) if graph.name(name) == "T" => Some(of),
        _ => None,
    }
}

/// Whether `value` is held somewhere from call to call, so that its layout is a choice: an attribute, a parameter, a variable of the module.
fn is_kept(graph: &Graph, value: ValueId) -> bool {
    matches!(graph.op(value), Op::Attr(..) | Op::Param(..) | Op::Captured(..) | Op::ModuleName(_))
}

/// Whether no axis of `value` before the last two has more than one element.
fn is_flat(facts: &Facts<'_>, value: ValueId) -> bool {
    facts.rank(value).is_some_and(|rank| (3..=i64::from(rank)).all(|axis| facts.is_one_long(value, -axis)))
}

/// What some place of the file reads along its rows, or looks rows of up: it is stored as it should be.
#[derive(Default)]
struct Wanted {
    values: FxHashSet<ValueId>,
    attributes: FxHashSet<(ClassIndex, Symbol)>,
}

impl Wanted {
    fn of(analysis: &Analysis<'_>) -> Self {
        let graph = &analysis.graph;
        let mut wanted = Self::default();
        for occurrence in analysis.bodies.iter().flat_map(|body| &body.occurrences) {
            match graph.get(occurrence.value) {
                (Op::MatMul, &[left, right]) => {
                    wanted.add(analysis, left);
                    transposed(graph, right).into_iter().for_each(|of| wanted.add(analysis, of));
                }
                (Op::Index(_) | Op::Mlx("take"), operands) => wanted.add(analysis, operands[0]),
                _ => {}
            }
        }
        wanted
    }

    fn add(&mut self, analysis: &Analysis<'_>, value: ValueId) {
        self.values.insert(value);
        self.attributes.extend(attribute(analysis, value));
    }

    fn has(&self, analysis: &Analysis<'_>, value: ValueId) -> bool {
        self.values.contains(&value) || attribute(analysis, value).is_some_and(|a| self.attributes.contains(&a))
    }
}

/// The class and the name of an attribute, which each method holds in an object of its own.
fn attribute(analysis: &Analysis<'_>, value: ValueId) -> Option<(ClassIndex, Symbol)> {
    match analysis.graph.get(value) {
        (Op::Attr(name, _), operands) => Some((analysis.classes.receiver(operands[0])?, name)),
        _ => None,
    }
}
