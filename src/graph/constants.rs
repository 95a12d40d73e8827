//! Numbers that are written as expressions, and what half precision makes of them.

use super::value::{Graph, Op, ValueId};

const MAX_DEPTH: u32 = 8;

/// What becomes of a number in half precision.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Half {
    /// float16 and bfloat16 hold it.
    Same,
    /// One of them rounds it.
    Rounded,
    /// float16 makes an infinity, zero or a subnormal number of it.
    OutOfRange,
}

/// What becomes of `number` in half precision.
pub fn in_half(number: f64) -> Half {
    let size = number.abs();
    // Eight significant bits are those of bfloat16, the range is that of the normal numbers of float16.
    let in_range = size == 0.0 || !size.is_finite() || (6.104e-5..=65504.0).contains(&size);
    let exact = !size.is_finite() || number.to_bits().trailing_zeros() >= 52 - 7;
    match (in_range, exact) {
        (true, true) => Half::Same,
        (true, false) => Half::Rounded,
        (false, _) => Half::OutOfRange,
    }
}

/// The number that a constant expression is.
pub fn constant(graph: &Graph, value: ValueId) -> Option<f64> {
    constant_at(graph, value, 0)
}

fn constant_at(graph: &Graph, value: ValueId, depth: u32) -> Option<f64> {
    if depth > MAX_DEPTH {
        return None;
    }
    let of = |v: ValueId| constant_at(graph, v, depth + 1);
    match graph.get(value) {
        (Op::Int(_) | Op::Float(_), _) => graph.number(value),
        (Op::Neg, &[x]) => Some(-of(x)?),
        (Op::Add, &[a, b]) => Some(of(a)? + of(b)?),
        (Op::Sub, &[a, b]) => Some(of(a)? - of(b)?),
        (Op::Mul, &[a, b]) => Some(of(a)? * of(b)?),
        (Op::Div, &[a, b]) => Some(of(a)? / of(b)?),
        (Op::Pow, &[a, b]) => Some(of(a)?.powf(of(b)?)),
        (Op::Global(path), _) => match graph.name(path).rsplit('.').next()? {
            "inf" => Some(f64::INFINITY),
            "pi" => Some(std::f64::consts::PI),
            "e" => Some(std::f64::consts::E),
            _ => None,
        },
        (Op::Apply, &[callee, x]) => match (graph.op(callee), graph.path(callee), graph.op(x)) {
            (Op::Builtin(name), _, Op::Str(text)) if graph.name(name) == "float" => graph.name(text).trim().parse().ok(),
            (Op::Builtin(name), ..) if graph.name(name) == "float" => of(x),
            (_, Some("math.sqrt"), _) => Some(of(x)?.sqrt()),
            _ => None,
        },
        _ => None,
    }
}
