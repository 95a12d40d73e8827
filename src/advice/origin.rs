//! Where a value comes from, for advice: an edit needs proof that something is an array, and advice is right where nothing but an array is likely. What
//! comes out of a call of something that the file does not define is an array if it is used as one, unless another library takes part.

use crate::graph::body::Effect;
use crate::graph::facts::{Facts, Kind};
use crate::graph::value::{Op, ValueId};
use crate::place::Place;

/// Longer chains are not followed.
const MAX_DEPTH: u32 = 16;

/// What made a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Origin {
    /// It is an array of MLX.
    Mlx,
    /// A call of something that is no part of a library: a model, a parameter, a function of the file.
    Call,
    /// Another library, or Python alone.
    Foreign,
    /// Not known.
    Unknown,
}

/// What made `value`, by `facts` that hold where it is used.
pub(super) fn origin(place: &Place<'_>, facts: &Facts<'_>, value: ValueId) -> Origin {
    origin_at(place, facts, value, 0)
}

fn origin_at(place: &Place<'_>, facts: &Facts<'_>, value: ValueId, depth: u32) -> Origin {
    let graph = &place.analysis.graph;
    if facts.kind(value) == Kind::Array {
        return Origin::Mlx;
    }
    if depth > MAX_DEPTH {
        return Origin::Unknown;
    }
    let of = |v: ValueId| origin_at(place, facts, v, depth + 1);
    match graph.get(value) {
        // What has entries with names is what tokenizers and processors make.
        (Op::Index(_), operands) if matches!(graph.op(operands[1]), Op::Str(_)) => Origin::Unknown,
        (Op::Mlx("tolist" | "item"), _) => Origin::Foreign,
        (Op::Index(_) | Op::Item(_) | Op::Changed(_) | Op::Neg | Op::Mlx(_) | Op::Stored, operands) => of(operands[0]),
        (Op::Add | Op::Sub | Op::Mul | Op::Div | Op::Pow | Op::MatMul | Op::Compare(_), operands) => joined(operands.iter().map(|&v| of(v))),
        (Op::Gate, operands) => joined(operands[1..].iter().map(|&v| of(v))),
        (Op::Call(..) | Op::Apply, operands) => called(place, facts, operands[0], depth),
        (Op::Int(_) | Op::Float(_) | Op::Bool(_) | Op::Str(_), _) => Origin::Unknown,
        (Op::Global(path), _) if !graph.name(path).starts_with("mlx.") => Origin::Foreign,
        _ => Origin::Unknown,
    }
}

/// What comes of parts: another library's arrays win, then those of MLX.
fn joined(parts: impl Iterator<Item = Origin>) -> Origin {
    let parts: Vec<Origin> = parts.collect();
    let order = [Origin::Foreign, Origin::Mlx, Origin::Call];
    order.into_iter().find(|o| parts.contains(o)).unwrap_or(Origin::Unknown)
}

/// What a call of `callee` gives.
fn called(place: &Place<'_>, facts: &Facts<'_>, callee: ValueId, depth: u32) -> Origin {
    let analysis = place.analysis;
    let graph = &analysis.graph;
    match graph.get(callee) {
        (Op::Global(path), _) => match graph.name(path) {
            path if path.starts_with("mlx.core.") || path.starts_with("mlx.nn.") => Origin::Mlx,
            path if is_numeric_library(path) => Origin::Foreign,
            _ => Origin::Unknown,
        },
        (Op::Function(name), _) => {
            let Some(body) = analysis.bodies.iter().find(|b| b.name == name) else { return Origin::Call };
            let returned = body.effects.iter().filter_map(|e| match *e {
                Effect::Return(v) => Some(v),
                _ => None,
            });
            let facts = Facts::anywhere(analysis);
            let parts = returned.flat_map(|v| match graph.get(v) {
                (Op::Tuple, parts) => parts.to_vec(),
                _ => vec![v],
            });
            let parts: Vec<Origin> =
                parts.map(|v| if depth > MAX_DEPTH / 2 { Origin::Unknown } else { origin_at(place, &facts, v, depth + 4) }).collect();
            if parts.contains(&Origin::Foreign) { Origin::Foreign } else { Origin::Call }
        }
        // A method of what another library made is that library's.
        (Op::Attr(..), operands) => match origin_at(place, facts, operands[0], depth + 1) {
            Origin::Foreign => Origin::Foreign,
            _ => Origin::Call,
        },
        (Op::Param(..) | Op::Captured(..) | Op::ModuleName(_) | Op::Call(..) | Op::Apply | Op::Phi(..), _) => Origin::Call,
        _ => Origin::Unknown,
    }
}

/// Whether `path` belongs to a library with arrays of its own.
fn is_numeric_library(path: &str) -> bool {
    let root = path.split('.').next().unwrap_or_default();
    matches!(
        root,
        "numpy" | "torch" | "jax" | "tensorflow" | "scipy" | "cupy" | "pandas" | "cv2" | "PIL" | "librosa" | "soundfile" | "math" | "random" | "time"
    )
}

/// Whether the file imports a library whose arrays are read like those of MLX, so that what a call gives may well be one of them.
pub(super) fn has_other_tensors(place: &Place<'_>) -> bool {
    let analysis = place.analysis;
    let paths = analysis.definitions.imports.iter().map(|&(_, path)| analysis.graph.name(path));
    paths.into_iter().any(|p| matches!(p.split('.').next(), Some("torch" | "jax" | "tensorflow" | "paddle")))
}
