//! The activations of `mlx.nn` that a function may write out: each is compiled there already. Both are computed at a few numbers, whatever the spelling;
//! what MLX rounds in another order is the same activation.

use rustc_hash::FxHashMap;

use crate::graph::body::{Body, Occurrence};
use crate::graph::value::{Graph, Op, ValueId};
use crate::syntax::TextRange;

/// An activation as a function of one number.
type Activation = fn(f64) -> f64;

/// The activations of `mlx.nn` that take four operations or more to write out.
const ACTIVATIONS: [(&str, Activation); 5] = [
    ("gelu", |x| x * (1.0 + erf(x / std::f64::consts::SQRT_2)) / 2.0),
    ("gelu_approx", |x| 0.5 * x * (1.0 + (std::f64::consts::FRAC_2_PI.sqrt() * (x + 0.044715 * x.powi(3))).tanh())),
    ("gelu_fast_approx", |x| x * sigmoid(1.702 * x)),
    ("silu", |x| x * sigmoid(x)),
    ("mish", |x| x * x.exp().ln_1p().tanh()),
];

/// An activation is made of no more values.
const MAX_VALUES: usize = 40;
/// Where both are computed.
const AT: [f64; 6] = [-3.1, -1.2, -0.3, 0.4, 1.3, 2.7];

/// The activation of `mlx.nn` that `value` is of `x`, if it is one.
pub fn activation(graph: &Graph, value: ValueId, x: ValueId) -> Option<&'static str> {
    let computed = |&at: &f64| Evaluation { graph, known: FxHashMap::from_iter([(x, at)]) }.value(value, 0);
    let computed: Vec<f64> = AT.iter().map(computed).collect::<Option<_>>()?;
    let is_near = |a: f64, b: f64| (a - b).abs() <= 1e-7 * (1.0 + b.abs());
    let same = |of: &Activation| computed.iter().zip(AT).all(|(&a, at)| is_near(a, of(at)));
    ACTIVATIONS.iter().find(|(_, of)| same(of)).map(|&(name, _)| name)
}

/// An activation of `mlx.nn` that the text writes out.
pub struct WrittenOut {
    /// The text.
    pub range: TextRange,
    /// What it is the activation of.
    pub of: ValueId,
    /// The activation.
    pub name: &'static str,
}

/// The activation that is written out around `part`, or is it.
pub fn around(graph: &Graph, body: &Body, part: Occurrence) -> Option<WrittenOut> {
    let statement = body.statements[part.statement as usize].range;
    let wider = body.occurrences_in(statement).filter(|o| o.own && o.range.contains_range(part.range));
    let found = wider.filter_map(|o| {
        let within = within(graph, o.value, None)?;
        let mut candidates = within.into_iter().filter(|&x| x != o.value && graph.number(x).is_none());
        let (of, name) = candidates.find_map(|x| Some((x, activation(graph, o.value, x)?)))?;
        let is_part = self::within(graph, o.value, Some(of))?.contains(&part.value);
        (is_part && part.value != of).then_some(WrittenOut { range: o.range, of, name })
    });
    found.max_by_key(|whole| whole.range.len())
}

/// What `value` is made of, itself included, up to `end`; nothing where that is too much for an activation.
fn within(graph: &Graph, value: ValueId, end: Option<ValueId>) -> Option<Vec<ValueId>> {
    let (mut found, mut next) = (vec![value], 0);
    while let Some(&value) = found.get(next) {
        next += 1;
        for &operand in graph.operands(value) {
            if Some(value) != end && !found.contains(&operand) {
                found.push(operand);
            }
        }
        if found.len() > MAX_VALUES {
            return None;
        }
    }
    Some(found)
}

/// What stands for the error function, on both sides alike: something as odd as it that no other operation makes.
fn erf(x: f64) -> f64 {
    x.atan() * 0.7 + x * 0.01
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// Values as numbers.
struct Evaluation<'g> {
    graph: &'g Graph,
    known: FxHashMap<ValueId, f64>,
}

impl Evaluation<'_> {
    fn value(&mut self, value: ValueId, depth: u32) -> Option<f64> {
        if let Some(&known) = self.known.get(&value) {
            return Some(known);
        }
        if depth > 40 {
            return None;
        }
        let graph = self.graph;
        let (op, operands) = graph.get(value);
        let callee = usize::from(matches!(op, Op::Apply | Op::Call(..)));
        let mut numbers = || operands[callee..].iter().map(|&v| self.value(v, depth + 1)).collect::<Option<Vec<f64>>>();
        let number = match op {
            Op::Int(_) | Op::Float(_) => graph.number(value)?,
            Op::Global(_) if matches!(graph.path(value)?, "math.pi" | "mlx.core.pi" | "numpy.pi") => std::f64::consts::PI,
            Op::Apply | Op::Call(..) if matches!(graph.path(operands[0]), Some("math.sqrt" | "numpy.sqrt")) => numbers()?.first()?.sqrt(),
            Op::Add | Op::Sub | Op::Mul | Op::Div | Op::Pow | Op::Neg | Op::Mlx(_) => computed(op, &numbers()?)?,
            _ => return None,
        };
        self.known.insert(value, number);
        Some(number)
    }
}

/// What the operation `op` makes of numbers.
fn computed(op: Op, numbers: &[f64]) -> Option<f64> {
    Some(match (op, numbers) {
        (Op::Add, [a, b]) => a + b,
        (Op::Sub, [a, b]) => a - b,
        (Op::Mul, [a, b]) => a * b,
        (Op::Div, [a, b]) => a / b,
        (Op::Pow, [a, b]) => a.powf(*b),
        (Op::Neg | Op::Mlx("negative"), [x]) => -x,
        (Op::Mlx("tanh"), [x]) => x.tanh(),
        (Op::Mlx("erf"), [x]) => erf(*x),
        (Op::Mlx("exp"), [x]) => x.exp(),
        (Op::Mlx("log"), [x]) => x.ln(),
        (Op::Mlx("log1p"), [x]) => x.ln_1p(),
        (Op::Mlx("sigmoid"), [x]) => sigmoid(*x),
        (Op::Mlx("sqrt"), [x]) => x.sqrt(),
        (Op::Mlx("square"), [x]) => x * x,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Analysis;
    use crate::graph::body::Effect;
    use crate::syntax::Source;

    /// The activation that the expression `code` is of `x`.
    fn found(code: &str) -> Option<&'static str> {
        let text = format!("import math\nimport mlx.core as mx\ndef f(x: mx.array):\n    return {code}\n");
        let source = Source::parse(&text).expect("the text is Python");
        let analysis = Analysis::new(&source, Graph::default());
        let body = analysis.bodies.iter().find(|b| b.function.is_some()).expect("there is a function");
        let value = body.effects.iter().find_map(|e| if let Effect::Return(v) = e { Some(*v) } else { None }).expect("it returns");
        let x = analysis.graph.find_leaf(Op::Param(body.name, analysis.graph.known_symbol("x")?))?;
        activation(&analysis.graph, value, x)
    }

    #[test]
    fn an_activation_is_known_in_any_spelling() {
        for (code, name) in [
            ("x * (1 + mx.erf(x / math.sqrt(2))) / 2", "gelu"),
            ("0.5 * x * (1.0 + mx.erf(x * 0.7071067811865475))", "gelu"),
            ("0.5 * x * (1 + mx.tanh(0.7978845608 * (x + 0.044715 * x * x * x)))", "gelu_approx"),
            ("x * 0.5 * (1 + mx.tanh(mx.sqrt(2 / mx.pi) * x * (1 + 0.044715 * mx.square(x))))", "gelu_approx"),
            ("x / (1 + mx.exp(-x))", "silu"),
            ("x / (1 + mx.exp(-1.702 * x))", "gelu_fast_approx"),
            ("x * mx.tanh(mx.log(1 + mx.exp(x)))", "mish"),
        ] {
            assert_eq!(found(code), Some(name), "{code}");
        }
    }

    #[test]
    fn another_constant_or_function_is_another_activation() {
        for code in [
            "0.5 * x * (1 + mx.tanh(0.79 * (x + 0.044715 * x * x * x)))",
            "x * (1 + mx.tanh(x / math.sqrt(2))) / 2",
            "x * mx.sigmoid(1.7 * x)",
            "x.astype(mx.float32) * mx.sigmoid(x)",
        ] {
            assert_eq!(found(code), None, "{code}");
        }
    }
}
