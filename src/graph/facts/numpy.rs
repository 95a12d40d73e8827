//! What is NumPy's: its arrays and generators, and what their methods and operators make. No `mx.array` is among them, and functions that take nothing else
//! raise for them.

use super::Facts;
use crate::graph::api::{self, Accepts};
use crate::graph::value::{Op, ValueId};

/// Values that are made in more steps are unknown.
const MAX_STEPS: u32 = 8;

impl Facts<'_> {
    /// Whether `value` is certainly NumPy's.
    pub(super) fn is_of_numpy(&self, value: ValueId) -> bool {
        self.is_made_by_numpy(value, 0)
    }

    fn is_made_by_numpy(&self, value: ValueId, steps: u32) -> bool {
        if steps > MAX_STEPS {
            return false;
        }
        let graph = &self.analysis.graph;
        let again = |v: ValueId| self.is_made_by_numpy(v, steps + 1);
        match graph.get(value) {
            (Op::Apply | Op::Call(..), operands) => match graph.get(operands[0]) {
                (Op::Global(path), _) => graph.name(path).starts_with("numpy."),
                // Of what such objects hold anything may be got.
                (Op::Attr(method, _), &[object]) => !matches!(graph.name(method), "item" | "get" | "pop") && again(object),
                _ => false,
            },
            (Op::Mlx("astype"), &[array, dtype]) => self.is_no_dtype_of_mlx(dtype) || again(array),
            // A function of MLX by this name would raise, so that it is a method of NumPy's.
            (Op::Mlx(name), operands) => takes_arrays_alone(name) && operands.first().is_some_and(|&v| again(v)),
            (Op::Attr(name, _), &[object]) => {
                let stored = self.class_of(object, steps).map_or(&[][..], |class| self.analysis.classes.attribute(class, name));
                !stored.is_empty() && stored.iter().all(|&v| again(v))
            }
            (Op::Changed(_) | Op::Permute | Op::Index(_) | Op::Stored, operands) => again(operands[0]),
            // Of other operators and two NumPy arrays `mx.add` and its like make an `mx.array`, and are the same node.
            (Op::MatMul, operands) => operands.iter().all(|&v| again(v)),
            _ => false,
        }
    }

    /// Whether `dtype` is one of NumPy's or of Python's, for which an `mx.array` raises.
    fn is_no_dtype_of_mlx(&self, dtype: ValueId) -> bool {
        let graph = &self.analysis.graph;
        match graph.op(dtype) {
            Op::Str(_) => true,
            Op::Global(path) => graph.name(path).starts_with("numpy."),
            Op::Builtin(name) => matches!(graph.name(name), "bool" | "int" | "float"),
            _ => false,
        }
    }
}

/// Whether this is a method of arrays, and the function of `mlx.core` by its name, if there is one, takes nothing but an `mx.array`.
fn takes_arrays_alone(name: &str) -> bool {
    let takes = api::function(name).is_none_or(|f| f.get().params.first().is_some_and(|p| p.accepts == Accepts::Array));
    takes && api::method(name).is_some() && !matches!(name, "item" | "tolist")
}
