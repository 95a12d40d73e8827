//! Rotary embeddings: the angles by which pairs of features are turned, and the tables of their cosines and sines. Knows the spellings of both, most of which
//! are no equations: they round in other places. What is refused is said in words, for those who ask.

use super::facts::{Facts, Kind};
use super::value::{Graph, Op, ValueId};

/// Angles of consecutive positions: position times frequency.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Angles {
    /// The function that made the frequencies: `mx.exp`, or `mx.power`.
    pub made_by: &'static str,
    /// How many positions there are.
    pub length: ValueId,
    /// How many features are turned.
    pub width: Option<ValueId>,
    /// Half of that, where it is counted to the half.
    pub half: Option<ValueId>,
    /// The base of the frequencies.
    pub base: ValueId,
    /// The first position, unless it is 0.
    pub offset: Option<ValueId>,
    /// The factor of the positions, if there is one.
    pub scale: Option<ValueId>,
}

/// A table of cosines or sines.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wave {
    /// `cos` or `sin`.
    pub function: &'static str,
    /// Of which angles.
    pub angles: ValueId,
    /// How often they stand side by side.
    pub times: i64,
    /// The new axes in front.
    pub lead: Option<ValueId>,
    /// What it was cast to.
    pub dtype: Option<ValueId>,
}

/// The table that `value` is, with what was done to the angles before and to the cosines after: they are the same.
pub fn wave(graph: &Graph, value: ValueId) -> Option<Wave> {
    let (mut times, mut lead, mut dtype, mut function) = (1, None, None, None);
    let mut value = value;
    loop {
        value = match graph.get(value) {
            (Op::Mlx("expand_dims"), &[of, axes]) if lead.is_none() && is_in_front(graph, axes) => {
                lead = Some(axes);
                of
            }
            (Op::Mlx("concatenate"), &[parts, axis]) if times == 1 && graph.as_int(axis) == Some(-1) => {
                let (Op::List | Op::Tuple, &[first, second]) = graph.get(parts) else { break };
                if first != second {
                    break;
                }
                times = 2;
                first
            }
            (Op::Mlx("astype"), &[of, to]) if dtype.is_none() && function.is_none() => {
                dtype = Some(to);
                of
            }
            (Op::Mlx(name @ ("cos" | "sin")), &[of]) if function.is_none() => {
                function = Some(name);
                of
            }
            _ => break,
        }
    }
    Some(Wave { function: function?, angles: value, times, lead, dtype })
}

/// Whether new axes at `axes` all stand before those that were there.
fn is_in_front(graph: &Graph, axes: ValueId) -> bool {
    match graph.get(axes) {
        (Op::Int(n), _) => n == 0,
        (Op::Tuple | Op::List, items) => items.iter().enumerate().all(|(at, &a)| graph.as_int(a) == Some(at as i64)),
        _ => false,
    }
}

/// The angles that `value` holds, or why it holds none.
pub fn angles(graph: &Graph, facts: &Facts<'_>, value: ValueId) -> Result<Angles, String> {
    let none = || "angles that are no product of positions and frequencies".to_owned();
    let (positions, frequencies, divided) = factors(graph, value).ok_or_else(none)?;
    let (length, offset, scale) = counted(graph, facts, positions)?;
    let mut found = Angles { made_by: "power", length, width: None, half: None, base: length, offset, scale };
    decaying(graph, facts, frequencies, divided, &mut found)?;
    Ok(found)
}

/// The positions and the frequencies that are multiplied, each with each, and whether it is the frequencies that are divided by.
fn factors(graph: &Graph, value: ValueId) -> Option<(ValueId, ValueId, bool)> {
    let pair = |a: ValueId, b: ValueId| Some((column(graph, a)?, row(graph, b)));
    match graph.get(value) {
        (Op::Mul, &[a, b]) => pair(a, b).or_else(|| pair(b, a)).map(|(p, f)| (p, f, false)),
        (Op::Div, &[a, b]) => pair(a, b).map(|(p, f)| (p, f, true)),
        (Op::MatMul, &[a, b]) if row(graph, b) != b => pair(a, b).map(|(p, f)| (p, f, false)),
        (Op::Mlx("outer"), &[a, b]) => Some((a, b, false)),
        (Op::Mlx("einsum"), &[subscripts, arrays]) => match (graph.op(subscripts), graph.get(arrays)) {
            (Op::Str(text), (Op::Tuple, &[a, b])) if graph.name(text).replace(' ', "") == "i,j->ij" => Some((a, b, false)),
            _ => None,
        },
        _ => None,
    }
}

/// What `value` holds as a column.
fn column(graph: &Graph, value: ValueId) -> Option<ValueId> {
    match graph.get(value) {
        (Op::Mlx("expand_dims"), &[of, axis]) if matches!(graph.as_int(axis), Some(1 | -1)) => Some(of),
        (Op::Mlx("reshape"), &[of, shape]) if is_shape(graph, shape, [-1, 1]) => Some(of),
        // Of something that is not known to be an array.
        (Op::Index(_), &[of, index]) => match graph.get(index) {
            (Op::Tuple, &[whole, new]) if matches!(graph.op(whole), Op::Slice | Op::Ellipsis) && graph.op(new) == Op::None => Some(of),
            _ => None,
        },
        _ => None,
    }
}

/// What `value` holds as a row, which may be all of it.
fn row(graph: &Graph, value: ValueId) -> ValueId {
    match graph.get(value) {
        (Op::Mlx("expand_dims"), &[of, axis]) if matches!(graph.as_int(axis), Some(0 | -2)) => of,
        (Op::Mlx("reshape"), &[of, shape]) if is_shape(graph, shape, [1, -1]) => of,
        _ => value,
    }
}

fn is_shape(graph: &Graph, shape: ValueId, wanted: [i64; 2]) -> bool {
    matches!(graph.get(shape), (Op::Tuple | Op::List, &[a, b]) if [graph.as_int(a), graph.as_int(b)] == wanted.map(Some))
}

/// Whether a range of numbers, or what is cast to it, counts in float32 or exactly.
fn counts_exactly(graph: &Graph, dtype: ValueId) -> bool {
    graph.op(dtype) == Op::None || matches!(graph.path(dtype), Some("mlx.core.float32" | "mlx.core.int32"))
}

/// `mx.arange(start, stop, step)`, whatever casts it to float32.
fn range(graph: &Graph, value: ValueId) -> Option<[ValueId; 3]> {
    match graph.get(value) {
        (Op::Mlx("arange"), &[start, stop, step, dtype]) if counts_exactly(graph, dtype) => Some([start, stop, step]),
        (Op::Mlx("astype"), &[of, dtype]) if counts_exactly(graph, dtype) => range(graph, of),
        _ => None,
    }
}

type Counted = (ValueId, Option<ValueId>, Option<ValueId>);

/// How many positions `value` counts, from which on, and by which factor.
fn counted(graph: &Graph, facts: &Facts<'_>, value: ValueId) -> Result<Counted, String> {
    let unknown = || "positions that are not counted where they are used".to_owned();
    match graph.get(value) {
        (Op::Mlx("astype"), &[of, dtype]) if counts_exactly(graph, dtype) => counted(graph, facts, of),
        (Op::Mlx("arange"), _) => {
            let [start, stop, step] = range(graph, value).ok_or_else(|| "positions that are rounded to another dtype".to_owned())?;
            if graph.op(step) != Op::None && graph.as_int(step) != Some(1) {
                return Err("positions that are counted in steps".to_owned());
            }
            match (graph.op(stop), graph.get(stop)) {
                (Op::None, _) => Ok((start, None, None)),
                (_, _) if graph.number(start) == Some(0.0) => Ok((stop, None, None)),
                (_, (Op::Add, &[a, b])) if a == start => Ok((b, Some(start), None)),
                (_, (Op::Add, &[a, b])) if b == start => Ok((a, Some(start), None)),
                _ => Err("positions of which the number does not show".to_owned()),
            }
        }
        (Op::Add, &[a, b]) => {
            let (inner, offset) = if graph.is_arrayish(b) { (b, a) } else { (a, b) };
            match counted(graph, facts, inner)? {
                (length, None, None) if facts.kind(offset) != Kind::Array => Ok((length, Some(offset), None)),
                _ => Err(unknown()),
            }
        }
        (Op::Mul, &[a, b]) => {
            let (inner, scale) = if graph.is_arrayish(b) { (b, a) } else { (a, b) };
            match counted(graph, facts, inner)? {
                (length, offset, None) if facts.kind(scale) != Kind::Array => Ok((length, offset, Some(scale))),
                _ => Err(unknown()),
            }
        }
        (Op::Div, _) => Err("positions that are divided, which the function multiplies".to_owned()),
        _ => Err(unknown()),
    }
}

/// A product of numbers and one range, as its factors.
#[derive(Default)]
struct Product {
    negative: bool,
    numerator: Vec<ValueId>,
    denominator: Vec<ValueId>,
}

impl Product {
    fn of(graph: &Graph, value: ValueId) -> Self {
        let mut product = Self::default();
        product.multiply(graph, value, false, 0);
        product
    }

    fn multiply(&mut self, graph: &Graph, value: ValueId, below: bool, depth: u32) {
        match graph.get(value) {
            (Op::Neg, &[of]) if depth < 8 => {
                self.negative = !self.negative;
                self.multiply(graph, of, below, depth + 1);
            }
            (Op::Mul, &[a, b]) if depth < 8 => {
                self.multiply(graph, a, below, depth + 1);
                self.multiply(graph, b, below, depth + 1);
            }
            (Op::Div, &[a, b]) if depth < 8 => {
                self.multiply(graph, a, below, depth + 1);
                self.multiply(graph, b, !below, depth + 1);
            }
            _ if graph.number(value) == Some(1.0) => {}
            _ if graph.number(value) == Some(-1.0) => self.negative = !self.negative,
            _ if below => self.denominator.push(value),
            _ => self.numerator.push(value),
        }
    }
}

/// Frequencies that decay from 1 on by one factor after the other: `base ** (-2i / width)`. `inverted` if they are divided by.
fn decaying(graph: &Graph, facts: &Facts<'_>, value: ValueId, inverted: bool, found: &mut Angles) -> Result<(), String> {
    match graph.get(value) {
        (Op::Mlx("astype"), &[of, dtype]) if graph.path(dtype) == Some("mlx.core.float32") => decaying(graph, facts, of, inverted, found),
        (Op::Div, &[one, of]) if graph.number(one) == Some(1.0) => decaying(graph, facts, of, !inverted, found),
        (Op::Mlx("exp"), &[exponent]) => {
            let mut product = Product::of(graph, exponent);
            let logarithm = |v: &ValueId| matches!(graph.get(*v), (Op::Apply, &[callee, _]) if graph.path(callee) == Some("math.log"));
            let at = product.numerator.iter().position(logarithm).ok_or_else(|| "frequencies whose base does not show".to_owned())?;
            found.base = graph.operands(product.numerator.swap_remove(at))[1];
            found.made_by = "exp";
            steps(graph, &product, inverted, found)
        }
        (Op::Pow, &[base, exponent]) => {
            if facts.kind(base) == Kind::Array {
                return Err("frequencies whose base is an `mx.array`".to_owned());
            }
            found.base = base;
            steps(graph, &Product::of(graph, exponent), inverted, found)
        }
        (Op::Mul | Op::Div, _) => Err("frequencies that are scaled".to_owned()),
        _ => Err("frequencies that are not made where they are used".to_owned()),
    }
}

/// The exponents of the frequencies: `-i / half`, or `-2i / width`.
fn steps(graph: &Graph, product: &Product, inverted: bool, found: &mut Angles) -> Result<(), String> {
    if product.negative == inverted {
        return Err("frequencies that grow".to_owned());
    }
    let two = |v: &ValueId| graph.number(*v) == Some(2.0);
    let whole: Vec<ValueId> = product.numerator.iter().copied().filter(|v| !two(v)).collect();
    let doubled = product.numerator.len() - whole.len();
    let (&[steps], &[count]) = (&whole[..], &product.denominator[..]) else { return Err("frequencies that are scaled".to_owned()) };
    let [start, stop, step] =
        range(graph, first_half(graph, steps, count)).ok_or_else(|| "frequencies that are not counted where they are used".to_owned())?;
    let from_nought = graph.op(stop) == Op::None || graph.number(start) == Some(0.0);
    let stop = if graph.op(stop) == Op::None { start } else { stop };
    let by = if graph.op(step) == Op::None { Some(1) } else { graph.as_int(step) };
    match (from_nought, by, doubled) {
        (true, Some(2), 0) if stop == count => found.width = Some(count),
        (true, Some(1), 0) if stop == count => found.half = Some(count),
        (true, Some(1), 1) => (found.half, found.width) = (Some(stop), Some(count)),
        _ => return Err("frequencies of which the number does not show".to_owned()),
    }
    Ok(())
}

/// The range that `value` is the first half of, by `range[: width // 2]`: all of it, for an even width.
fn first_half(graph: &Graph, value: ValueId, width: ValueId) -> ValueId {
    match graph.get(value) {
        (Op::Mlx("astype"), &[of, dtype]) if counts_exactly(graph, dtype) => first_half(graph, of, width),
        (Op::Index(_), &[of, slice]) if ends_at_half(graph, slice, width) => of,
        _ => value,
    }
}

fn ends_at_half(graph: &Graph, slice: ValueId, width: ValueId) -> bool {
    let (Op::Slice, &[from, to, step]) = graph.get(slice) else { return false };
    let is_half = matches!(graph.get(to), (Op::FloorDiv, &[n, two]) if n == width && graph.as_int(two) == Some(2));
    is_half && graph.op(from) == Op::None && graph.op(step) == Op::None
}

/// The values that `value` is computed by, down to those of `given`.
pub fn parts(graph: &Graph, value: ValueId, given: &[ValueId]) -> Vec<ValueId> {
    let mut parts = vec![value];
    let mut next = 0;
    while let Some(&part) = parts.get(next) {
        next += 1;
        for &operand in graph.operands(part) {
            if !given.contains(&operand) && !parts.contains(&operand) && !graph.operands(operand).is_empty() {
                parts.push(operand);
            }
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Analysis;
    use crate::graph::body::Effect;
    use crate::syntax::Source;

    /// What the angles that `text` computes are made of, or why they are none.
    fn read(text: &str) -> Result<(&'static str, bool, bool), String> {
        let text = format!("import math\nimport mlx.core as mx\n\ndef f(n, d: int, base: float, offset: int, ids: mx.array):\n    return {text}\n");
        let source = Source::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let analysis = Analysis::new(&source, Graph::default());
        let mut effects = analysis.bodies.iter().flat_map(|b| &b.effects);
        let returned = effects.find_map(|e| if let Effect::Return(value) = *e { Some(value) } else { None }).expect("the text returns a value");
        angles(&analysis.graph, &Facts::anywhere(&analysis), returned).map(|found| (found.made_by, found.offset.is_some(), found.width.is_some()))
    }

    #[test]
    fn angles_are_known_however_positions_and_frequencies_are_counted() {
        assert_eq!(read("mx.arange(n)[:, None] * base ** (-mx.arange(0, d, 2) / d)"), Ok(("power", false, true)));
        assert_eq!(read("mx.outer(mx.arange(offset, offset + n), 1 / base ** (mx.arange(d // 2) / (d // 2)))"), Ok(("power", true, false)));
        assert_eq!(read("(mx.arange(n) + offset)[..., None] * mx.exp(-math.log(base) * mx.arange(d // 2) / (d // 2))"), Ok(("exp", true, false)));
        assert_eq!(read("mx.arange(n)[:, None] / base ** (mx.arange(0, d, 2)[: d // 2] / d)"), Ok(("power", false, true)));
        assert_eq!(read("mx.exp(2 * mx.arange(d // 2) * -math.log(base) / d)[None] * mx.arange(n).reshape(-1, 1)"), Ok(("exp", false, true)));
    }

    #[test]
    fn what_is_in_the_way_is_said() {
        let why = |text: &str| read(text).err().unwrap_or_default();
        assert_eq!(why("ids[:, None] * base ** (-mx.arange(0, d, 2) / d)"), "positions that are not counted where they are used");
        assert_eq!(why("mx.arange(n)[:, None] * base ** (mx.arange(0, d, 2) / d)"), "frequencies that grow");
        assert_eq!(why("mx.arange(n)[:, None] * base ** (-mx.arange(0, d, 2) / (d + 2))"), "frequencies of which the number does not show");
        assert_eq!(why("mx.arange(n)[:, None] * ids"), "frequencies that are not made where they are used");
        assert_eq!(why("mx.arange(n, dtype=mx.float16)[:, None] * base ** (-mx.arange(0, d, 2) / d)"), "positions that are rounded to another dtype");
    }
}
