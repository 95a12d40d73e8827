//! What is added to a product: `s + m + n`, also where some of it is added under a condition, is the product and one term.

use crate::graph::value::{Graph, Op, ValueId};

/// Longer sums are not taken apart.
const MAX_DEPTH: u32 = 8;

/// The product to which `sum` adds something, and every sum and choice on the way to it, if they are more than one.
pub(super) fn product(graph: &Graph, sum: ValueId) -> Option<(ValueId, Vec<ValueId>)> {
    let mut inner = Vec::new();
    let product = product_at(graph, sum, &mut inner, 0)?;
    (inner.len() > 1).then_some((product, inner))
}

/// The array whose axes are those of the scores that `value` is: the left side of the product that it adds to.
pub(super) fn rows(graph: &Graph, value: ValueId) -> Option<ValueId> {
    let product = product_at(graph, value, &mut Vec::new(), 0)?;
    let [a, b] = *graph.operands(product) else { return None };
    let sides = [product, a, b].into_iter().find(|&v| graph.op(v) == Op::MatMul)?;
    graph.operands(sides).first().copied()
}

fn product_at(graph: &Graph, value: ValueId, inner: &mut Vec<ValueId>, depth: u32) -> Option<ValueId> {
    if depth > MAX_DEPTH {
        return None;
    }
    if is_product(graph, value) {
        return Some(value);
    }
    let found = match graph.get(value) {
        (Op::Add, &[a, b]) => product_at(graph, a, inner, depth + 1).or_else(|| product_at(graph, b, inner, depth + 1))?,
        (Op::Gate, &[_, then, otherwise]) => {
            let product = product_at(graph, then, inner, depth + 1)?;
            (product_at(graph, otherwise, inner, depth + 1)? == product).then_some(product)?
        }
        _ => return None,
    };
    inner.push(value);
    Some(found)
}

/// Whether `value` is a matrix product, perhaps times something.
fn is_product(graph: &Graph, value: ValueId) -> bool {
    match graph.get(value) {
        (Op::MatMul, _) => true,
        (Op::Mul, &[a, b]) => graph.op(a) == Op::MatMul || graph.op(b) == Op::MatMul,
        (Op::Div, &[a, _]) => graph.op(a) == Op::MatMul,
        _ => false,
    }
}

/// What `sum` adds to `product`, as a value: `None` on paths where that is nothing.
pub(super) fn term(graph: &mut Graph, sum: ValueId, product: ValueId) -> ValueId {
    let term = Term::of(graph, sum, product);
    term.value(graph)
}

/// What is added to a product. Kept apart from values while it is put together: a value that may be `None` must not be added to.
enum Term {
    Nothing,
    Value(ValueId),
    Choice(ValueId, Box<Term>, Box<Term>),
}

impl Term {
    fn of(graph: &mut Graph, sum: ValueId, product: ValueId) -> Self {
        if sum == product {
            return Self::Nothing;
        }
        match *graph.operands(sum) {
            [a, b] => {
                let in_first = product_at(graph, a, &mut Vec::new(), 0) == Some(product);
                let (holds, other) = if in_first { (a, b) } else { (b, a) };
                Self::of(graph, holds, product).plus(graph, other)
            }
            [condition, then, otherwise] => {
                let (then, otherwise) = (Self::of(graph, then, product), Self::of(graph, otherwise, product));
                Self::Choice(condition, Box::new(then), Box::new(otherwise))
            }
            _ => Self::Nothing,
        }
    }

    fn plus(self, graph: &mut Graph, other: ValueId) -> Self {
        match self {
            Self::Nothing => Self::Value(other),
            Self::Value(value) => Self::Value(graph.value(Op::Add, &[value, other])),
            Self::Choice(condition, then, otherwise) => {
                Self::Choice(condition, Box::new(then.plus(graph, other)), Box::new(otherwise.plus(graph, other)))
            }
        }
    }

    fn value(&self, graph: &mut Graph) -> ValueId {
        match self {
            Self::Nothing => graph.leaf(Op::None),
            Self::Value(value) => *value,
            Self::Choice(condition, then, otherwise) => {
                let (then, otherwise) = (then.value(graph), otherwise.value(graph));
                graph.value(Op::Gate, &[*condition, then, otherwise])
            }
        }
    }
}
