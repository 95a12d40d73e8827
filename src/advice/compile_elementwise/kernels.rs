//! How many kernels a function of elements is, as it stands and compiled. MLX fuses no more than so many operations in a row, and for all shapes at once it
//! counts a broadcast of its operands with each operation that has more than one.

use std::ops::ControlFlow::{Break, Continue};

use rustc_hash::{FxHashMap, FxHashSet};

use crate::graph::body::Occurrence;
use crate::graph::facts::UNARY;
use crate::graph::value::{Graph, Op, ValueId};
use crate::syntax::TextRange;

/// So many operations in a row MLX fuses into one kernel (measured, and `max_compile_depth` in its source).
const DEEPEST: usize = 11;

/// Operations on elements, and what they are made of.
pub(super) struct Kernels<'g> {
    graph: &'g Graph,
    /// The operations.
    pub(super) operations: FxHashSet<ValueId>,
    /// The parameters.
    pub(super) leaves: FxHashSet<ValueId>,
}

impl<'g> Kernels<'g> {
    /// None yet.
    pub(super) fn new(graph: &'g Graph) -> Self {
        Self { graph, operations: FxHashSet::default(), leaves: FxHashSet::default() }
    }

    /// Whether `value` is made of leaves by operations on elements alone.
    pub(super) fn see(&mut self, value: ValueId) -> bool {
        if self.operations.contains(&value) || self.leaves.contains(&value) || is_constant(self.graph, value) {
            return true;
        }
        match self.graph.op(value) {
            Op::Bool(_) | Op::None => return true,
            Op::Param(..) => {
                self.leaves.insert(value);
                return true;
            }
            _ => {}
        }
        let Some(parts) = parts(self.graph, value) else { return false };
        self.operations.insert(value);
        self.operations.len() < 500 && parts.into_iter().all(|v| self.see(v))
    }

    /// The operations that compute with some of the leaves `data`, operands before what is made of them.
    pub(super) fn depending(&self, data: &FxHashSet<ValueId>) -> Vec<ValueId> {
        let mut made = data.clone();
        let mut operations: Vec<ValueId> = self.operations.iter().copied().collect();
        operations.sort_unstable();
        // Operands have smaller numbers than what is made of them.
        operations.retain(|&v| self.graph.operands(v).iter().any(|of| made.contains(of)) && made.insert(v));
        operations
    }

    /// How many kernels those operations are one by one. What the text writes twice is computed twice, though it is one value, and so is a step to a power
    /// that is one operation here; a clip at two sides is two.
    pub(super) fn apart<'o>(&self, data: &FxHashSet<ValueId>, written: impl Iterator<Item = &'o Occurrence>) -> usize {
        let operations = self.depending(data);
        let mut times: FxHashMap<ValueId, usize> = operations.iter().map(|&v| (v, 0)).collect();
        let mut written: Vec<(TextRange, ValueId)> = written.filter(|o| o.own).map(|o| (o.range, o.value)).collect();
        written.sort_unstable_by_key(|&(range, value)| (range.start(), range.end(), value));
        written.dedup_by_key(|&mut (range, _)| range);
        let whole: Vec<TextRange> = written.iter().filter(|(_, v)| times.contains_key(v)).map(|&(range, _)| range).collect();
        let made: FxHashSet<ValueId> = data.iter().chain(&operations).copied().collect();
        for (range, value) in written {
            let computes = parts(self.graph, value).is_some_and(|of| of.iter().any(|v| made.contains(v)));
            // What is not part of anything that is returned is not computed.
            if computes && (made.contains(&value) || whole.iter().any(|w| w.contains_range(range))) {
                *times.entry(value).or_default() += 1;
            }
        }
        times.iter().map(|(&v, &n)| links(self.graph, v) * n.max(1)).sum()
    }

    /// Whether an operation casts.
    pub(super) fn has_casts(&self) -> bool {
        self.operations.iter().any(|&v| self.graph.op(v) == Op::Mlx("astype"))
    }

    /// Whether a number is made an array: what it meets in half precision becomes float32.
    pub(super) fn has_array_constants(&self) -> bool {
        let is_it = |v: ValueId| matches!(self.graph.op(v), Op::Mlx(_)) && is_constant(self.graph, v);
        self.operations.iter().any(|&v| self.graph.operands(v).iter().any(|&v| is_it(v)))
    }

    /// How many kernels are left of `root` where it is compiled, for all shapes or for one.
    pub(super) fn fused(&self, root: ValueId, is_shapeless: bool) -> usize {
        let (mut roots, mut done) = (vec![root], 0);
        while let Some(&root) = roots.get(done) {
            let mut seen = FxHashSet::default();
            self.fuse(root, 1, is_shapeless, &mut seen, &mut roots);
            done += 1;
        }
        done
    }

    /// Take `value`, which is operation number `depth` of its kernel, into it, or begin a kernel with it.
    fn fuse(&self, value: ValueId, depth: usize, is_shapeless: bool, seen: &mut FxHashSet<ValueId>, roots: &mut Vec<ValueId>) {
        if !self.operations.contains(&value) || is_constant(self.graph, value) || roots[1..].contains(&value) && depth > 1 {
            return;
        }
        if depth > DEEPEST {
            roots.push(value);
        } else if seen.insert(value) {
            let parts = parts(self.graph, value).unwrap_or_default();
            let broadcasts = usize::from(is_shapeless && parts.len() > 1);
            let below = depth + links(self.graph, value) * (1 + broadcasts);
            parts.into_iter().for_each(|v| self.fuse(v, below, is_shapeless, seen, roots));
        }
    }
}

/// What `value`, an operation on elements that MLX fuses, computes with; the dtype is no array.
fn parts(graph: &Graph, value: ValueId) -> Option<Vec<ValueId>> {
    let (op, operands) = graph.get(value);
    let parts = match op {
        Op::Add | Op::Sub | Op::Mul | Op::Div | Op::Pow | Op::Neg | Op::Compare(_) => operands,
        Op::Mlx("astype") => &operands[..1],
        Op::Mlx(name) if is_fusible(name) => operands,
        _ => return None,
    };
    Some(parts.iter().copied().filter(|&v| !matches!(graph.op(v), Op::DtypeOf | Op::None)).collect())
}

/// How many operations of MLX one is.
fn links(graph: &Graph, value: ValueId) -> usize {
    if graph.op(value) == Op::Mlx("clip") { graph.operands(value)[1..].iter().filter(|&&v| graph.op(v) != Op::None).count() } else { 1 }
}

/// Whether `compile` fuses this function of `mlx.core` with what it meets.
fn is_fusible(name: &str) -> bool {
    UNARY.contains(&name) || matches!(name, "maximum" | "minimum" | "where" | "clip" | "logaddexp" | "remainder" | "arctan2")
}

/// Whether `value` is a number that is worked out of constants, by Python or by MLX.
fn is_constant(graph: &Graph, value: ValueId) -> bool {
    !graph.finds(value, |v| match graph.get(v) {
        (Op::Int(_) | Op::Float(_) | Op::Global(_), _) => Continue(&[]),
        (Op::Add | Op::Sub | Op::Mul | Op::Div | Op::Pow | Op::Neg, operands) => Continue(operands),
        (Op::Apply, operands) if graph.path(operands[0]).is_some_and(|p| p.starts_with("math.")) => Continue(&operands[1..]),
        (Op::Mlx(name), operands @ [_]) if UNARY.contains(&name) => Continue(operands),
        _ => Break(()),
    })
}

#[cfg(test)]
mod tests {
    use super::Kernels;
    use crate::graph::Analysis;
    use crate::graph::body::Effect;
    use crate::graph::value::Graph;
    use crate::syntax::Source;

    /// How many kernels a function of `x` that returns `code` is one by one.
    fn apart(code: &str) -> usize {
        let text = format!(
            "import mlx.core as mx\n\ndef half(x):\n    return x * 0.5\n\ndef f(x: mx.array):\n    y = mx.clip(x, 1e-7, 1)\n    return {code}\n"
        );
        let source = Source::parse(&text).expect("invariant: it parses");
        let analysis = Analysis::new(&source, Graph::default());
        let body = analysis.bodies.last().expect("invariant: a function");
        let Some(&Effect::Return(value)) = body.effects.last() else { panic!("it returns") };
        let mut kernels = Kernels::new(&analysis.graph);
        assert!(kernels.see(value), "{code} computes with elements alone");
        kernels.apart(&kernels.leaves, body.occurrences.iter())
    }

    /// The figures are those of the graph that MLX 0.32.4 makes.
    #[test]
    fn kernels_are_counted_as_the_text_has_them() {
        for (code, kernels) in [
            ("mx.tanh(x)", 1),
            ("(1 - x) * mx.log2(1 - x)", 4),
            ("-(y * mx.log2(y) + (1.0 - y) * mx.log2(1.0 - y))", 10),
            ("x * x * x", 2),
            ("x**3", 1),
            ("1 / mx.sqrt(x)", 2),
            ("x / mx.sqrt(2)", 1),
            ("half(x) + 1", 2),
            ("mx.clip(x, None, 7.0) + 1", 2),
        ] {
            assert_eq!(apart(code), kernels, "{code}");
        }
    }
}
