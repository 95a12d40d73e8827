//! Which values are nowhere negative, by what they are made of: sums of squares above all.

use super::{Facts, MAX_DEPTH};
use crate::graph::memo::Memo;
use crate::graph::value::{Op, ValueId};

impl Facts<'_> {
    /// Whether no element of `value` is negative. Of complex numbers nothing is meant by it.
    pub fn is_nonnegative(&self, value: ValueId) -> bool {
        self.has_no_negative(value, &mut Memo::new(MAX_DEPTH, false))
    }

    fn has_no_negative(&self, value: ValueId, known: &mut Memo<bool>) -> bool {
        known.of(value, |known| self.makes_no_negative(value, &mut |v| self.has_no_negative(v, known)))
    }

    /// The same of one operation, of whose operands `holds` says it.
    fn makes_no_negative(&self, value: ValueId, holds: &mut dyn FnMut(ValueId) -> bool) -> bool {
        let graph = &self.analysis.graph;
        let (op, operands) = graph.get(value);
        match op {
            Op::Int(_) | Op::Float(_) => graph.number(value).is_some_and(|n| n >= 0.0),
            Op::Dim(_) | Op::Ndim => true,
            Op::Pow => graph.number(operands[1]).is_some_and(|n| n % 2.0 == 0.0) || holds(operands[0]),
            Op::Mul | Op::Div if operands[0] == operands[1] => true,
            Op::Add | Op::Mul | Op::Div => operands.iter().all(|&v| holds(v)),
            Op::Permute | Op::Index(_) => holds(operands[0]),
            Op::Gate => holds(operands[1]) && holds(operands[2]),
            Op::Mlx("square" | "exp" | "abs" | "sqrt" | "rsqrt" | "sigmoid" | "softmax" | "linalg.norm") => true,
            Op::Mlx("sum" | "mean" | "max" | "min" | "astype" | "reshape" | "expand_dims" | "squeeze" | "flatten" | "transpose") => {
                holds(operands[0])
            }
            Op::Mlx("maximum") => holds(operands[0]) || holds(operands[1]),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Analysis;
    use crate::graph::body::Effect;
    use crate::graph::value::Graph;
    use crate::syntax::Source;

    fn is_nonnegative(expr: &str) -> bool {
        let text = format!("import mlx.core as mx\n\ndef f(x: mx.array, n: int):\n    return {expr}\n");
        let source = Source::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let analysis = Analysis::new(&source, Graph::default());
        let mut effects = analysis.bodies.iter().flat_map(|b| &b.effects);
        let returned = effects.find_map(|e| if let Effect::Return(value) = *e { Some(value) } else { None });
        Facts::anywhere(&analysis).is_nonnegative(returned.expect("the text returns a value"))
    }

    #[test]
    fn squares_and_what_is_summed_up_of_them_are_nowhere_negative() {
        for text in ["x * x", "mx.sum(x**2, axis=-1, keepdims=True)", "x.square().mean(-1) / 2", "(x * x).sum(-1)[None].T", "mx.maximum(x, 0) + 3"] {
            assert!(is_nonnegative(text), "{text}");
        }
        for text in [
            "x",
            "x + x",
            "x.sum(-1)",
            "x**3",
            "x * mx.square(x)",
            "x - x.square()",
            "-x.square()",
            "x.square() * n",
            "x.square() - 1",
            "x.square() * -1",
        ] {
            assert!(!is_nonnegative(text), "{text}");
        }
    }
}
