//! The normal form: one node for all spellings of a computation. A list of small equations, looked up by the operation at the root, each applied where
//! a node is made. They hold for floating point arrays under MLX; what they do to the last bits is stated by the rules that rely on them.
//! This module decides nothing about whether a rewrite is legal.

mod axes;
mod ranges;

use super::value::{Comparison, Graph, Op, Operands, ValueId};
use axes::{axes_as_permutation, einsum_as_product, permutation_that_keeps, permuted_twice};
pub use axes::{permutation, swap_last_two};

/// One equation: the equal, simpler node for `op` of `operands`, if the equation applies.
type Equation = fn(&mut Graph, Op, &[ValueId]) -> Option<ValueId>;

/// The node for `op` of `operands` in normal form.
pub(super) fn normalize(graph: &mut Graph, op: Op, operands: &[ValueId]) -> ValueId {
    for equation in equations(op) {
        if let Some(value) = equation(graph, op, operands) {
            return value;
        }
    }
    graph.intern(op, operands)
}

/// The equations for a node with `op` at its root, tried in this order.
fn equations(op: Op) -> &'static [Equation] {
    match op {
        Op::Mul => &[product_with_itself_is_square],
        Op::Div => &[one_over_root, over_root, sum_over_count_is_mean],
        Op::Pow => &[exponent_of_integral_value],
        Op::Neg => &[negated_constant],
        Op::Not => &[double_negation],
        Op::Compare(Comparison::Is) => &[identity_of_constants],
        Op::Gate => &[gate_on_constant, gate_on_negation, gate_without_choice],
        Op::Index(_) => &[element_of_display, axis_of_shape, axis_of_some, ranges::new_axes],
        Op::Item(_) => &[item_of_display, item_of_shape, item_of_some],
        Op::DtypeOf => &[dtype_of_cast, dtype_of_moved_elements],
        Op::Slice => &[slice_from_nought],
        Op::Comprehension(b'[') => &[ranges::repeated_element],
        Op::Permute => &[permuted_twice, permutation_that_keeps],
        Op::Mlx(name) => array_equations(name),
        _ => &[],
    }
}

fn array_equations(name: &'static str) -> &'static [Equation] {
    match name {
        "add" | "subtract" | "multiply" | "divide" | "power" | "floor_divide" | "remainder" | "negative" | "matmul" => &[function_of_operator],
        "square" | "sqrt" | "rsqrt" => &[root_as_power],
        "reciprocal" => &[reciprocal_as_quotient],
        "mean" | "sum" | "max" | "min" | "softmax" | "logsumexp" | "prod" => &[single_axis],
        "var" => &[single_axis, variance_as_mean_square],
        "std" => &[single_axis, deviation_as_root],
        "expand_dims" => &[single_axis, ranges::axes_of_range, expanded_reduction],
        "einsum" => &[einsum_as_product],
        "reshape" => &[ranges::axes_of_range],
        "arange" => &[ranges::counted_from_nought],
        "swapaxes" | "moveaxis" | "transpose" => &[axes_as_permutation],
        "astype" => &[cast_to_own_dtype, ranges::cast_of_range],
        _ => &[],
    }
}

/// `x * x = x ** 2`.
fn product_with_itself_is_square(graph: &mut Graph, _: Op, operands: &[ValueId]) -> Option<ValueId> {
    let [a, b] = *operands else { return None };
    let two = graph.int(2);
    (a == b && graph.number(a).is_none()).then(|| graph.value(Op::Pow, &[a, two]))
}

/// `x ** 2.0 = x ** 2`, for floating point `x`.
fn exponent_of_integral_value(graph: &mut Graph, _: Op, operands: &[ValueId]) -> Option<ValueId> {
    let [x, exponent] = *operands else { return None };
    let Op::Float(bits) = graph.op(exponent) else { return None };
    if f64::from_bits(bits) != 2.0 || graph.number(x).is_some() {
        return None;
    }
    let two = graph.int(2);
    Some(graph.value(Op::Pow, &[x, two]))
}

/// `mx.square(x) = x ** 2`, `mx.sqrt(x) = x ** 0.5`, `mx.rsqrt(x) = x ** -0.5`; not for constants, where the function makes an array and `**` does not.
fn root_as_power(graph: &mut Graph, op: Op, operands: &[ValueId]) -> Option<ValueId> {
    let [x] = *operands else { return None };
    if !graph.is_arrayish(x) && !matches!(op, Op::Mlx("square")) || graph.number(x).is_some() {
        return None;
    }
    let exponent = match op {
        Op::Mlx("square") => graph.int(2),
        Op::Mlx("sqrt") => graph.float(0.5),
        _ => graph.float(-0.5),
    };
    Some(graph.value(Op::Pow, &[x, exponent]))
}

/// `mx.reciprocal(x) = 1 / x`.
fn reciprocal_as_quotient(graph: &mut Graph, _: Op, operands: &[ValueId]) -> Option<ValueId> {
    let one = graph.int(1);
    graph.is_arrayish(operands[0]).then(|| graph.value(Op::Div, &[one, operands[0]]))
}

/// The radicand, where `value` is the square root of an array.
fn radicand(graph: &Graph, value: ValueId) -> Option<ValueId> {
    let (Op::Pow, &[x, exponent]) = graph.get(value) else { return None };
    (graph.number(exponent) == Some(0.5) && graph.is_arrayish(x)).then_some(x)
}

/// `1 / x ** 0.5 = x ** -0.5`.
fn one_over_root(graph: &mut Graph, _: Op, operands: &[ValueId]) -> Option<ValueId> {
    let x = radicand(graph, operands[1])?;
    (graph.number(operands[0]) == Some(1.0)).then(|| {
        let exponent = graph.float(-0.5);
        graph.value(Op::Pow, &[x, exponent])
    })
}

/// `y / x ** 0.5 = y * x ** -0.5`.
fn over_root(graph: &mut Graph, _: Op, operands: &[ValueId]) -> Option<ValueId> {
    let x = radicand(graph, operands[1])?;
    let exponent = graph.float(-0.5);
    let factor = graph.value(Op::Pow, &[x, exponent]);
    Some(graph.value(Op::Mul, &[operands[0], factor]))
}

/// `x.sum(-1) / x.shape[-1] = x.mean(-1)`, also with `keepdims`.
fn sum_over_count_is_mean(graph: &mut Graph, _: Op, operands: &[ValueId]) -> Option<ValueId> {
    let (Op::Mlx("sum"), &[x, axis, keepdims]) = graph.get(operands[0]) else { return None };
    let (Op::Dim(-1), &[of]) = graph.get(operands[1]) else { return None };
    let same_shape = shaped_like(graph, of) == shaped_like(graph, x);
    (same_shape && graph.as_int(axis) == Some(-1)).then(|| graph.value(Op::Mlx("mean"), &[x, axis, keepdims]))
}

/// `-(c)` is a constant.
fn negated_constant(graph: &mut Graph, _: Op, operands: &[ValueId]) -> Option<ValueId> {
    match graph.op(operands[0]) {
        Op::Int(n) => Some(graph.int(n.checked_neg()?)),
        Op::Float(bits) => Some(graph.float(-f64::from_bits(bits))),
        _ => None,
    }
}

/// `not not a = a`, where that is a truth value and no array of them.
fn double_negation(graph: &mut Graph, _: Op, operands: &[ValueId]) -> Option<ValueId> {
    match graph.get(operands[0]) {
        (Op::Not, &[inner]) if matches!(graph.op(inner), Op::Compare(Comparison::Is | Comparison::In) | Op::Not) => Some(inner),
        _ => None,
    }
}

/// `None is None = True`, and a number, a text or a new tuple or list is not `None`: what the parameters of a helper are where it is called.
fn identity_of_constants(graph: &mut Graph, _: Op, operands: &[ValueId]) -> Option<ValueId> {
    let is_none = |v: ValueId| match graph.op(v) {
        Op::None => Some(true),
        Op::Int(_) | Op::Float(_) | Op::Bool(_) | Op::Str(_) | Op::Tuple | Op::List => Some(false),
        _ => None,
    };
    let same = match [is_none(operands[0])?, is_none(operands[1])?] {
        [false, false] => return None,
        [a, b] => a == b,
    };
    Some(graph.leaf(Op::Bool(same)))
}

/// `a if True else b = a`.
fn gate_on_constant(graph: &mut Graph, _: Op, operands: &[ValueId]) -> Option<ValueId> {
    let [condition, then, otherwise] = *operands else { return None };
    let truth = match graph.op(condition) {
        Op::Bool(truth) => truth,
        Op::None => false,
        Op::Int(n) => n != 0,
        _ => return None,
    };
    Some(if truth { then } else { otherwise })
}

/// `a if not c else b = b if c else a`, and likewise for `d != e`, of which a condition is the truth even where it is an array.
fn gate_on_negation(graph: &mut Graph, _: Op, operands: &[ValueId]) -> Option<ValueId> {
    let [condition, then, otherwise] = *operands else { return None };
    let positive = match graph.get(condition) {
        (Op::Not, &[inner]) => inner,
        (Op::Compare(Comparison::NotEq), &[a, b]) => graph.value(Op::Compare(Comparison::Eq), &[a, b]),
        _ => return None,
    };
    Some(graph.value(Op::Gate, &[positive, otherwise, then]))
}

/// `a if c else a = a`, and `None if a is None else a = a`.
fn gate_without_choice(graph: &mut Graph, _: Op, operands: &[ValueId]) -> Option<ValueId> {
    let [condition, then, otherwise] = *operands else { return None };
    let same = matches!(graph.get(condition), (Op::Compare(Comparison::Is), &[a, b]) if a == otherwise && b == then);
    (then == otherwise || same).then_some(otherwise)
}

/// `(a, b)[1] = b`.
fn element_of_display(graph: &mut Graph, _: Op, operands: &[ValueId]) -> Option<ValueId> {
    let n = graph.as_int(operands[1])?;
    let (Op::Tuple, items) = graph.get(operands[0]) else { return None };
    if items.iter().any(|&v| graph.op(v) == Op::Star) {
        return None;
    }
    let at = if n < 0 { n + items.len() as i64 } else { n };
    items.get(usize::try_from(at).ok()?).copied()
}

/// `x[0:n:2] = x[:n:2]`; with a negative step the start is at the other end.
fn slice_from_nought(graph: &mut Graph, op: Op, operands: &[ValueId]) -> Option<ValueId> {
    let [from, to, step] = *operands else { return None };
    let forward = graph.op(step) == Op::None || graph.as_int(step).is_some_and(|n| n > 0);
    (forward && graph.as_int(from) == Some(0)).then(|| {
        let none = graph.leaf(Op::None);
        graph.value(op, &[none, to, step])
    })
}

/// `x.shape[-1]` is one node for every way to write it.
fn axis_of_shape(graph: &mut Graph, _: Op, operands: &[ValueId]) -> Option<ValueId> {
    let n = i32::try_from(graph.as_int(operands[1])?).ok()?;
    let (Op::Shape, &[x]) = graph.get(operands[0]) else { return None };
    Some(graph.value(Op::Dim(n), &[x]))
}

/// `x.shape[:2][1] = x.shape[1]`.
fn axis_of_some(graph: &mut Graph, _: Op, operands: &[ValueId]) -> Option<ValueId> {
    let n = u32::try_from(graph.as_int(operands[1])?).ok()?;
    // `x.shape[-2:][0]` is the first axis where there is only one.
    let part = item_of_some(graph, Op::Item(n), operands)?;
    matches!(graph.op(part), Op::Dim(0..)).then_some(part)
}

/// `b, l = x.shape[:2]` is `b = x.shape[0]; l = x.shape[1]`.
fn item_of_some(graph: &mut Graph, op: Op, operands: &[ValueId]) -> Option<ValueId> {
    let Op::Item(n) = op else { return None };
    let (Op::Index(_), &[shape, slice]) = graph.get(operands[0]) else { return None };
    let ((Op::Shape, &[x]), (Op::Slice, &[from, to, step])) = (graph.get(shape), graph.get(slice)) else { return None };
    let bound = |v: ValueId| if graph.op(v) == Op::None { Some(None) } else { graph.as_int(v).map(Some) };
    let (from, to) = (bound(from)?.unwrap_or(0), bound(to)?);
    let at = from + i64::from(n);
    // Counted from the front up to a place counted from the front, or from the back to the end: else the number of axes matters.
    let inside = match to {
        None => from >= 0 || at < 0,
        Some(to) if to < 0 => from >= 0 || at < to,
        Some(to) => from >= 0 && at < to,
    };
    (inside && graph.op(step) == Op::None).then(|| graph.value(Op::Dim(at as i32), &[x]))
}

/// `a, b = (x, y)` is `a = x; b = y`.
fn item_of_display(graph: &mut Graph, op: Op, operands: &[ValueId]) -> Option<ValueId> {
    let Op::Item(n) = op else { return None };
    let (Op::Tuple | Op::List, items) = graph.get(operands[0]) else { return None };
    if items.iter().any(|&v| graph.op(v) == Op::Star) {
        return None;
    }
    items.get(n as usize).copied()
}

/// `b, l = x.shape` is `b = x.shape[0]; l = x.shape[1]`.
fn item_of_shape(graph: &mut Graph, op: Op, operands: &[ValueId]) -> Option<ValueId> {
    let Op::Item(n) = op else { return None };
    let (Op::Shape, &[x]) = graph.get(operands[0]) else { return None };
    Some(graph.value(Op::Dim(i32::try_from(n).ok()?), &[x]))
}

/// `x.astype(t).dtype = t`.
fn dtype_of_cast(graph: &mut Graph, _: Op, operands: &[ValueId]) -> Option<ValueId> {
    let (Op::Mlx("astype"), &[_, dtype]) = graph.get(operands[0]) else { return None };
    Some(dtype)
}

/// Operations that move elements about keep the dtype, and so do a rotation and a norm without weights.
fn dtype_of_moved_elements(graph: &mut Graph, _: Op, operands: &[ValueId]) -> Option<ValueId> {
    let (op, inner) = graph.get(operands[0]);
    let kept = match (op, inner) {
        (Op::Permute | Op::Mlx("reshape" | "expand_dims" | "squeeze" | "flatten" | "broadcast_to" | "contiguous" | "stop_gradient"), _) => true,
        (Op::Mlx("swapaxes" | "moveaxis" | "transpose" | "repeat" | "tile" | "fast.rope"), _) => true,
        (Op::Mlx("fast.rms_norm"), &[_, weight, _]) => graph.op(weight) == Op::None,
        (Op::Mlx("fast.layer_norm"), &[_, weight, bias, _]) => graph.op(weight) == Op::None && graph.op(bias) == Op::None,
        (Op::Item(_), &[parts]) => graph.op(parts) == Op::Mlx("split"),
        _ => false,
    };
    let mut x = *inner.first().filter(|_| kept)?;
    if graph.op(x) == Op::Mlx("split") {
        x = graph.operands(x)[0];
    }
    Some(graph.value(Op::DtypeOf, &[x]))
}

/// `x.astype(x.dtype) = x`.
fn cast_to_own_dtype(graph: &mut Graph, _: Op, operands: &[ValueId]) -> Option<ValueId> {
    let [x, dtype] = *operands else { return None };
    let own = graph.value(Op::DtypeOf, &[x]);
    (own == dtype && graph.is_arrayish(x)).then_some(x)
}

/// `mx.add(a, b) = a + b` where one of them is an array; with two numbers the function makes an array and the operator does not.
fn function_of_operator(graph: &mut Graph, op: Op, operands: &[ValueId]) -> Option<ValueId> {
    let Op::Mlx(name) = op else { return None };
    if operands.iter().all(|&v| graph.number(v).is_some()) {
        return None;
    }
    let operator = match name {
        "add" => Op::Add,
        "subtract" => Op::Sub,
        "multiply" => Op::Mul,
        "divide" => Op::Div,
        "power" => Op::Pow,
        "floor_divide" => Op::FloorDiv,
        "remainder" => Op::Mod,
        "negative" => Op::Neg,
        "matmul" => Op::MatMul,
        _ => return None,
    };
    Some(graph.value(operator, operands))
}

/// `(n,) = [n] = n` for the axis of a reduction, and `x.ndim - 1 = -1`.
fn single_axis(graph: &mut Graph, op: Op, operands: &[ValueId]) -> Option<ValueId> {
    let [x, axis, ..] = *operands else { return None };
    let single = match graph.get(axis) {
        (Op::Tuple | Op::List, &[only]) if graph.as_int(only).is_some() => only,
        (Op::Sub, &[rank, one])
            if graph.as_int(one) == Some(1) && matches!(graph.get(rank), (Op::Ndim, &[of]) if shaped_like(graph, of) == shaped_like(graph, x)) =>
        {
            graph.int(-1)
        }
        _ => return None,
    };
    let mut operands: Operands = operands.into();
    operands[1] = single;
    Some(graph.value(op, &operands))
}

/// What `value` has its shape from: casts, powers and arithmetic with numbers keep it, and so does taking away a mean that keeps its axis.
pub fn shaped_like(graph: &Graph, value: ValueId) -> ValueId {
    let mut value = value;
    loop {
        value = match graph.get(value) {
            (Op::Neg, operands) | (Op::Mlx("astype"), operands) => operands[0],
            (Op::Pow | Op::Mul | Op::Add | Op::Sub | Op::Div, &[x, n]) if graph.number(n).is_some() => x,
            (Op::Sub, &[x, mean]) if matches!(graph.get(mean), (Op::Mlx("mean"), &[of, _, keep]) if of == x && graph.op(keep) == Op::Bool(true)) => x,
            _ => return value,
        };
    }
}

/// `mx.expand_dims(x.mean(-1), -1) = x.mean(-1, keepdims=True)`, and the same for the other reductions.
fn expanded_reduction(graph: &mut Graph, _: Op, operands: &[ValueId]) -> Option<ValueId> {
    let [reduced, axis] = *operands else { return None };
    let (op @ Op::Mlx("mean" | "sum" | "max" | "min"), &[x, of, keepdims]) = graph.get(reduced) else { return None };
    if graph.as_int(axis) != Some(-1) || graph.as_int(of) != Some(-1) || graph.op(keepdims) != Op::Bool(false) {
        return None;
    }
    let keep = graph.leaf(Op::Bool(true));
    Some(graph.value(op, &[x, of, keep]))
}

/// `mx.var(x, a, keepdims)` is the mean of the squared distance to the mean. With `ddof` or `correction` it is something else.
fn variance_as_mean_square(graph: &mut Graph, _: Op, operands: &[ValueId]) -> Option<ValueId> {
    let [x, axis, keepdims, ddof, ref correction @ ..] = *operands else { return None };
    if graph.as_int(ddof) != Some(0) || correction.iter().any(|&c| graph.op(c) != Op::None) {
        return None;
    }
    let keep = graph.leaf(Op::Bool(true));
    let mean = graph.value(Op::Mlx("mean"), &[x, axis, keep]);
    let centred = graph.value(Op::Sub, &[x, mean]);
    let two = graph.int(2);
    let square = graph.value(Op::Pow, &[centred, two]);
    Some(graph.value(Op::Mlx("mean"), &[square, axis, keepdims]))
}

/// `mx.std = mx.sqrt(mx.var)`.
fn deviation_as_root(graph: &mut Graph, _: Op, operands: &[ValueId]) -> Option<ValueId> {
    let variance = graph.value(Op::Mlx("var"), operands);
    let half = graph.float(0.5);
    Some(graph.value(Op::Pow, &[variance, half]))
}

#[cfg(test)]
mod tests {
    //! Each equation by itself: what it makes one node of, and what looks like it and must stay two.

    use super::*;
    use crate::graph::Analysis;
    use crate::graph::body::Effect;
    use crate::syntax::Source;

    /// Expressions over the arrays `x` and `y`, the number `n`, and `u`, of which nothing is known, that are one value.
    const EQUAL: &[(&str, &str)] = &[
        // Powers and roots.
        ("x * x", "x ** 2"),
        ("mx.square(x)", "x ** 2"),
        ("x ** 2.0", "x ** 2"),
        ("mx.sqrt(x)", "x ** 0.5"),
        ("mx.rsqrt(x)", "x ** -0.5"),
        ("1 / mx.sqrt(x)", "mx.rsqrt(x)"),
        ("y / mx.sqrt(x)", "y * mx.rsqrt(x)"),
        ("mx.reciprocal(x)", "1 / x"),
        // Reductions and their axes.
        ("x.sum(-1) / x.shape[-1]", "x.mean(-1)"),
        ("x.mean((-1,))", "x.mean(-1)"),
        ("x.mean([-1])", "x.mean(-1)"),
        ("x.mean(x.ndim - 1)", "x.mean(-1)"),
        ("x.astype(mx.float32).mean(x.ndim - 1)", "x.astype(mx.float32).mean(-1)"),
        ("(-x).mean(x.ndim - 1)", "(-x).mean(-1)"),
        ("(x * 2).mean(x.ndim - 1)", "(x * 2).mean(-1)"),
        ("(x - x.mean(-1, keepdims=True)).mean(x.ndim - 1)", "(x - x.mean(-1, keepdims=True)).mean(-1)"),
        ("mx.expand_dims(x.mean(-1), -1)", "x.mean(-1, keepdims=True)"),
        ("mx.var(x, axis=-1)", "((x - x.mean(-1, keepdims=True)) ** 2).mean(-1)"),
        ("mx.std(x, axis=-1)", "mx.sqrt(mx.var(x, axis=-1))"),
        // Functions and operators.
        ("mx.add(x, y)", "x + y"),
        ("mx.multiply(x, 2)", "x * 2"),
        ("mx.matmul(x, y)", "x @ y"),
        // Conditions.
        ("not not (u is None)", "u is None"),
        ("x if not n == 1 else y", "y if n == 1 else x"),
        ("x if n != 1 else y", "y if n == 1 else x"),
        ("x if not u != 1 else y", "x if u == 1 else y"),
        ("x if n == 1 else x", "x"),
        ("x if True else y", "x"),
        ("x if 0 else y", "y"),
        ("x if None else y", "y"),
        ("x if not False else y", "x"),
        ("x if None is not None else y", "y"),
        ("x if (1, 2) is None else y", "y"),
        ("None if u is None else u", "u"),
        // Displays and shapes.
        ("(x, y)[1]", "y"),
        ("(x, y)[-1]", "y"),
        ("x.shape[:2][1]", "x.shape[1]"),
        ("x.shape[1:3][1]", "x.shape[2]"),
        ("x.shape[1:][0]", "x.shape[1]"),
        ("x.shape[:-1][1]", "x.shape[1]"),
        // Dtypes.
        ("x.astype(mx.float16).dtype", "mx.float16"),
        ("x.reshape(1, -1).dtype", "x.dtype"),
        ("mx.fast.rms_norm(x, None, 1e-5).dtype", "x.dtype"),
        ("mx.fast.layer_norm(x, None, None, 1e-5).dtype", "x.dtype"),
        ("x.astype(x.dtype)", "x"),
        // Slices and moved axes.
        ("x[0:n]", "x[:n]"),
        ("x[0:n:2]", "x[:n:2]"),
        ("x.swapaxes(-1, -2)", "x.transpose(0, 1, 3, 2)"),
        ("x.swapaxes(-1, -3)", "x.transpose(0, 3, 2, 1)"),
        ("mx.moveaxis(x, -1, -3)", "x.transpose(0, 3, 1, 2)"),
        ("x.transpose(0, 2, 1, 3).transpose(0, 2, 1, 3)", "x"),
        ("x.transpose(0, 2, 3, 1)", "x.transpose(0, 2, 1, 3).swapaxes(-1, -2)"),
        ("mx.einsum('bhqd,bhkd->bhqk', x, y)", "x @ y.swapaxes(-1, -2)"),
        ("mx.einsum('bhqk,bhkd->bhqd', x, y)", "x @ y"),
        // New axes and counted numbers.
        ("x[:, None]", "mx.expand_dims(x, 1)"),
        ("x[..., None]", "mx.expand_dims(x, -1)"),
        ("x[None, ..., None]", "mx.expand_dims(x, (0, -1))"),
        ("mx.arange(0, n, 1)", "mx.arange(n)"),
        ("mx.arange(n).astype(mx.int32)", "mx.arange(n, dtype=mx.int32)"),
        ("mx.arange(n).reshape(-1, 1)", "mx.arange(n)[:, None]"),
        ("mx.arange(n).reshape(n, 1)", "mx.arange(n)[:, None]"),
        ("mx.expand_dims(mx.arange(n), (1, 2))", "mx.arange(n)[:, None, None]"),
        ("mx.arange(n)[None][..., None]", "mx.expand_dims(mx.arange(n), (0, 2))"),
        ("mx.expand_dims(mx.arange(n), (-1, -3))", "mx.expand_dims(mx.arange(n), (-3, -1))"),
        ("[x for _ in range(n)]", "[x] * n"),
    ];

    /// Expressions that are two values, though a careless equation would make them one.
    const DIFFERENT: &[(&str, &str)] = &[
        ("x if n else y", "x"),
        ("x if u is None else y", "y"),
        ("x if 1 is 2 else y", "x"),
        ("x if 1 is 2 else y", "y"),
        ("2 * 2", "2 ** 2"),
        ("3 ** 2.0", "3 ** 2"),
        ("x ** 3.0", "x ** 2"),
        ("mx.square(3)", "3 ** 2"),
        ("mx.sqrt(n)", "n ** 0.5"),
        ("1 / x ** 3", "x ** -0.5"),
        ("2 / mx.sqrt(x)", "mx.rsqrt(x)"),
        ("1 / n ** 0.5", "n ** -0.5"),
        ("mx.reciprocal(n)", "1 / n"),
        ("x.sum(-1) / y.shape[-1]", "x.mean(-1)"),
        ("x.sum(-2) / x.shape[-1]", "x.mean(-2)"),
        ("x.mean((-1, -2))", "x.mean(-1)"),
        ("x.mean([u])", "x.mean(u)"),
        ("x.mean(x.ndim - 2)", "x.mean(-1)"),
        ("x.mean(y.ndim - 1)", "x.mean(-1)"),
        ("x.mean(n - 1)", "x.mean(-1)"),
        ("(x + y).mean(x.ndim - 1)", "(x + y).mean(-1)"),
        ("(x - y.mean(-1, keepdims=True)).mean(x.ndim - 1)", "(x - y.mean(-1, keepdims=True)).mean(-1)"),
        ("(x - x.mean(-1)).mean(x.ndim - 1)", "(x - x.mean(-1)).mean(-1)"),
        ("mx.expand_dims(x.mean(-1), 0)", "x.mean(-1, keepdims=True)"),
        ("mx.expand_dims(x.mean(-2), -1)", "x.mean(-2, keepdims=True)"),
        ("mx.expand_dims(x.mean(-1, keepdims=True), -1)", "x.mean(-1, keepdims=True)"),
        ("mx.var(x, axis=-1, ddof=1)", "mx.var(x, axis=-1)"),
        ("x.var(-1, correction=1)", "x.var(-1)"),
        ("mx.add(1, 2)", "1 + 2"),
        ("not not u", "u"),
        ("u != n", "not (u == n)"),
        ("not (u != n)", "u == n"),
        ("not not (u == n)", "u == n"),
        ("None if u is 3 else u", "u"),
        ("None if y is None else u", "u"),
        ("(*u, y)[1]", "y"),
        ("x.shape[-2:][0]", "x.shape[-2]"),
        ("x.shape[:2][2]", "x.shape[2]"),
        ("x.shape[1:3][2]", "x.shape[3]"),
        ("x.shape[::2][1]", "x.shape[1]"),
        ("x.shape[:n][1]", "x.shape[1]"),
        ("u.astype(u.dtype)", "u"),
        ("mx.fast.rms_norm(x, y, 1e-5).dtype", "x.dtype"),
        ("mx.fast.layer_norm(x, y, None, 1e-5).dtype", "x.dtype"),
        ("mx.fast.layer_norm(x, None, y, 1e-5).dtype", "x.dtype"),
        ("x[0:n:-1]", "x[:n:-1]"),
        ("x[1:n]", "x[:n]"),
        ("x.swapaxes(1, 2)", "x.swapaxes(-3, -2)"),
        ("x.swapaxes(1, -1)", "x.swapaxes(-1, -3)"),
        ("x.swapaxes(-1, 1)", "x.swapaxes(-1, -3)"),
        ("mx.transpose(x, ())", "x"),
        ("mx.moveaxis(x, -1, -3)", "x.swapaxes(-1, -3)"),
        ("mx.einsum('bhqd,bhkd->bhkq', x, y)", "x @ y.swapaxes(-1, -2)"),
        ("mx.einsum('bqd,kd->bqk', x, y)", "x @ y.swapaxes(-1, -2)"),
        ("mx.einsum('bhqd,bhkd->bhq', x, y)", "x @ y.swapaxes(-1, -2)"),
        ("u[..., None]", "mx.expand_dims(x, -1)"),
        ("u[None]", "mx.expand_dims(u, 0)"),
        ("x[0, None]", "mx.expand_dims(x, 1)"),
        ("x[1:, None]", "mx.expand_dims(x, 1)"),
        ("x[..., None, ...]", "mx.expand_dims(x, -2)"),
        ("mx.arange(0, n, 2)", "mx.arange(n)"),
        ("mx.arange(0)", "mx.arange(None)"),
        ("mx.expand_dims(mx.arange(n), 5)", "mx.arange(n)[None]"),
        ("mx.expand_dims(mx.arange(n), (-1, -5))", "mx.arange(n)[None, :, None]"),
        ("x[:]", "x"),
        ("x[...]", "x"),
        ("mx.arange(1, n)", "mx.arange(n)"),
        ("mx.arange(n).astype(mx.float32)", "mx.arange(n, dtype=mx.float32)"),
        ("mx.arange(n, dtype=mx.uint8).astype(mx.int32)", "mx.arange(n, dtype=mx.int32)"),
        ("mx.arange(n).reshape(2, -1)", "mx.arange(n)[None]"),
        ("mx.arange(n).reshape(u, 1)", "mx.arange(n)[:, None]"),
        ("[x for x in u]", "[x] * u"),
        ("[k for k in range(n)]", "[0] * n"),
        ("[mx.random.uniform() for _ in range(n)]", "[mx.random.uniform()] * n"),
        ("[x for _ in u(n)]", "[x] * n"),
        ("[x for _ in enumerate(n)]", "[x] * n"),
        ("[u() for _ in range(n)]", "[u()] * n"),
        ("[[] for _ in range(n)]", "[[]] * n"),
    ];

    /// Statements after which two names hold one value, or two.
    const UNPACKED: &[(&str, &str, &str, bool)] = &[
        ("a, b = x, y", "b", "y", true),
        ("a, b = x.shape", "b", "x.shape[1]", true),
        ("a, b = x.shape[:2]", "b", "x.shape[1]", true),
        ("a, b = x.shape[-2:]", "a", "x.shape[-2]", true),
        ("a, b = x.shape[-3:-1]", "b", "x.shape[-2]", true),
        ("a, b = x.shape[-2:n]", "a", "x.shape[-2]", false),
        ("a, b = x.shape[-2:2]", "a", "x.shape[-2]", false),
        ("a, b = x.shape[:1]", "b", "x.shape[1]", false),
        ("a, b = x.shape[::2]", "b", "x.shape[1]", false),
        ("a, b = (*u, y)", "b", "y", true),
        ("a, b = (*u, x, y)", "b", "x", false),
    ];

    /// What `read` makes of the two expressions, which stand after `statements`.
    fn of_both<T>(statements: &str, left: &str, right: &str, read: impl Fn(&Graph, ValueId, ValueId) -> T) -> T {
        let text = format!(
            "import mlx.core as mx\n\ndef f(p, q, n: int, u):\n    x, y = mx.exp(p), mx.exp(q)\n    {statements}\n    return ({left}), ({right})\n"
        );
        let source = Source::parse(&text).expect("the test is Python");
        let analysis = Analysis::new(&source, Graph::default());
        let returned = analysis.bodies.iter().flat_map(|b| &b.effects).find_map(|effect| match effect {
            Effect::Return(value) => Some(analysis.graph.get(*value)),
            _ => None,
        });
        let Some((Op::Tuple, &[left, right])) = returned else { panic!("{text} returns no pair") };
        read(&analysis.graph, left, right)
    }

    fn are_one(statements: &str, left: &str, right: &str) -> bool {
        of_both(statements, left, right, |_, left, right| left == right)
    }

    #[test]
    fn spellings_of_one_computation_are_one_node() {
        let two: Vec<_> = EQUAL.iter().filter(|(left, right)| !are_one("pass", left, right)).collect();
        assert!(two.is_empty(), "{two:#?}");
    }

    #[test]
    fn computations_that_differ_are_two_nodes() {
        let one: Vec<_> = DIFFERENT.iter().filter(|(left, right)| are_one("pass", left, right)).collect();
        assert!(one.is_empty(), "{one:#?}");
    }

    #[test]
    fn what_is_unpacked_is_the_part_itself() {
        let wrong: Vec<_> = UNPACKED.iter().filter(|(statements, left, right, same)| are_one(statements, left, right) != *same).collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    #[test]
    fn only_permutations_of_few_axes_are_permutations() {
        let is_permutation = |text: &str| of_both("pass", text, "x", |graph, value, _| permutation(graph, value).is_some());
        assert!(is_permutation("x.transpose(0, 2, 1)") && is_permutation("x.swapaxes(-16, -1)"));
        for text in ["x.transpose(0, 0)", "x.transpose(0, 1, 4)", "x.swapaxes(-99999999999, -1)", "x.swapaxes(-1, -99999999999)"] {
            assert!(!is_permutation(text), "{text}");
        }
    }

    #[test]
    fn an_odd_einsum_is_nothing_that_is_known() {
        for subscripts in [
            "é,é->é",
            "ii,ij->ij",
            "bqd,bkd->bbk",
            "...qd,...kd->...qk",
            "b q d, b k d -> b q",
            "bqd,bkd",
            "bqdd,bkdd->bqkk",
            "bqd,bkd->bqz",
            "bq,bk->bk",
            "bbqd,bbkd->bbqk",
        ] {
            let text = format!("mx.einsum('{subscripts}', x, y)");
            let op = of_both("pass", &text, "x", |graph, value, _| graph.op(value));
            assert_eq!(op, Op::Mlx("einsum"), "{subscripts}");
        }
    }
}
