//! What becomes of an array that would be in half precision: whether anything but moving and adding up elements is done with it before something else makes it
//! float32 again, or it is only compared. It is followed through the functions of the file, to which it is given and which give it back. That serves to see
//! whether anything is gained, and proves nothing.

use rustc_hash::FxHashSet;

use super::flow::DtypeFlow;
use crate::graph::Analysis;
use crate::graph::body::{Body, Effect};
use crate::graph::facts::Facts;
use crate::graph::users::Users;
use crate::graph::value::{Graph, Op, ValueId};

/// So many values are followed.
const MOST: usize = 100;
/// Functions that move elements or leave some out.
pub const MOVES: [&str; 18] = [
    "broadcast_to",
    "contiguous",
    "expand_dims",
    "flatten",
    "moveaxis",
    "pad",
    "repeat",
    "reshape",
    "roll",
    "squeeze",
    "stop_gradient",
    "swapaxes",
    "take",
    "take_along_axis",
    "tile",
    "transpose",
    "tril",
    "triu",
];
/// Functions that choose among elements, or make each of what stands in its place.
const CHOOSES: [&str; 7] = ["abs", "clip", "maximum", "minimum", "sort", "where", "zeros_like"];
/// What `x.at[index]` leads to.
const UPDATES: [&str; 7] = ["at", "add", "subtract", "multiply", "divide", "maximum", "minimum"];

/// Where an array goes on to.
enum Next {
    /// Something is done with it for which half precision is a gain, or nobody knows.
    Kept,
    /// It ends: as truth values, places or lengths, or in another dtype all the same.
    Ends,
    /// It goes on as this value.
    On(ValueId),
}

/// Whether nothing is done with `value` of scope number `body` in the dtype that it would have: something else in the file makes it float32 again, or it is
/// only compared and ranked.
pub fn is_lost(analysis: &Analysis<'_>, body: usize, value: ValueId) -> bool {
    let mut trail = Trail { analysis, seen: FxHashSet::default(), waiting: vec![(body, value)] };
    while let Some((number, value)) = trail.waiting.pop() {
        if trail.seen.len() > MOST || trail.seen.insert((number, value)) && trail.keeps(number, value) {
            return false;
        }
    }
    true
}

struct Trail<'x> {
    analysis: &'x Analysis<'x>,
    seen: FxHashSet<(usize, ValueId)>,
    waiting: Vec<(usize, ValueId)>,
}

impl Trail<'_> {
    /// Whether half precision is a gain for what is made of `value` in scope number `number`; what it goes on to waits.
    fn keeps(&mut self, number: usize, value: ValueId) -> bool {
        let (analysis, body) = (self.analysis, &self.analysis.bodies[number]);
        let users = Users::throughout(analysis, body);
        let facts = Facts::at(analysis, body, 0, body.range.end());
        let mut flow = DtypeFlow::in_file(analysis, &facts);
        // Inside of a lambda, say.
        if users.users(value).is_empty() && !users.is_seen(value) {
            return true;
        }
        for effect in body.effects.iter().filter(|e| e.values().contains(&Some(value))) {
            match *effect {
                Effect::Return(_) if !matches!(analysis.graph.op(value), Op::Tuple | Op::List) => match self.callers(body) {
                    Some(calls) => self.waiting.extend(calls),
                    None => return true,
                },
                // It is what a call gives, or decides.
                Effect::Call(_) | Effect::Enter(_) => {}
                // Only where the name is read before it is assigned again.
                Effect::Carry(join, _) if join != value && users.users(join).is_empty() && !is_read(body, join) => {}
                Effect::Carry(join, _) if join != value => self.waiting.push((number, join)),
                Effect::Carry(..) => {}
                _ => return true,
            }
        }
        for &user in users.users(value) {
            if let Some(given) = analysis.origins().parameters(user, value) {
                let known: Option<Vec<_>> = given.iter().map(|&(function, parameter)| Some((analysis.body_of(function)?, parameter))).collect();
                match known {
                    Some(known) => self.waiting.extend(known),
                    None => return true,
                }
                continue;
            }
            match next(&analysis.graph, &mut flow, user, value) {
                Next::Kept => return true,
                Next::Ends => {}
                Next::On(value) => self.waiting.push((number, value)),
            }
        }
        false
    }

    /// What the calls of a private function give that is the scope `body`; nothing where others may call it.
    fn callers(&self, body: &Body) -> Option<Vec<(usize, ValueId)>> {
        let function = body.function?;
        let name = self.analysis.definitions.functions[function].ast.name.as_str();
        let bodies = self.analysis.bodies.iter().enumerate();
        let inlined = bodies.flat_map(|(n, b)| b.inlined.iter().filter(|(f, _)| *f == function).map(move |&(_, v)| (n, v)));
        let calls: Vec<_> = inlined.chain(self.analysis.origins().calls(function).iter().copied()).collect();
        (name.starts_with('_') && !name.ends_with("__") && !calls.is_empty()).then_some(calls)
    }
}

/// Whether an effect reads `join` as it is.
fn is_read(body: &Body, join: ValueId) -> bool {
    body.effects.iter().any(|e| !matches!(e, Effect::Carry(..)) && e.values().contains(&Some(join)))
}

/// What `user` is to `value`, which it is made of.
fn next(graph: &Graph, flow: &mut DtypeFlow<'_>, user: ValueId, value: ValueId) -> Next {
    let (op, operands) = graph.get(user);
    let goes_on = match op {
        Op::Shape | Op::Dim(_) | Op::Ndim | Op::Compare(_) => return Next::Ends,
        Op::Mlx("argmax" | "argmin" | "argsort" | "argpartition") => return Next::Ends,
        // A cast back is a kernel less.
        Op::Mlx("astype") if operands[0] == value && flow.is_single(user) => return Next::Ends,
        Op::Neg | Op::Permute | Op::Changed(_) => true,
        Op::Gate => operands[0] != value,
        Op::Index(_) => operands[0] == value,
        Op::List | Op::Tuple => true,
        Op::Mlx("concatenate" | "stack") | Op::Add | Op::Sub | Op::Mul | Op::Div => true,
        Op::Mlx(name) => MOVES.contains(&name) || CHOOSES.contains(&name),
        Op::Attr(name, _) => UPDATES.contains(&graph.name(name)),
        Op::Apply | Op::Call(..) => {
            matches!(graph.get(operands[0]), (Op::Attr(name, _), _) if operands[0] == value && UPDATES.contains(&graph.name(name)))
        }
        _ => false,
    };
    match goes_on {
        false => Next::Kept,
        true if parts(graph, user).iter().any(|&part| part != value && is_wide(graph, flow, part, 0)) => Next::Ends,
        true => Next::On(user),
    }
}

/// The arrays that are promoted to one dtype in `value`.
fn parts(graph: &Graph, value: ValueId) -> &[ValueId] {
    match graph.get(value) {
        (Op::Add | Op::Sub | Op::Mul | Op::Div | Op::Mlx("maximum" | "minimum"), operands) => operands,
        (Op::Mlx("where"), operands) => &operands[1..],
        (Op::Mlx("concatenate" | "stack"), operands) => match graph.get(operands[0]) {
            (Op::List | Op::Tuple, parts) => parts,
            _ => &[],
        },
        _ => &[],
    }
}

/// Whether `value` is no narrower than float32, whatever else it is made of, and not for an array of one number, which may become the number.
fn is_wide(graph: &Graph, flow: &mut DtypeFlow<'_>, value: ValueId, depth: u32) -> bool {
    if depth > 8 {
        return false;
    }
    if flow.is_single(value) {
        let cause = flow.cause(value);
        return !matches!(graph.op(cause), Op::Mlx("array" | "sqrt" | "rsqrt") | Op::Div);
    }
    parts(graph, value).iter().any(|&part| is_wide(graph, flow, part, depth + 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::Source;

    /// Whether half precision is lost on what a private method returns, where its caller goes on with it as `h` in `rest`.
    fn is_lost_in(rest: &str) -> bool {
        let text = format!(
            "import mlx.core as mx

class A:
    @staticmethod
    def _masked(x: mx.array, m: mx.array):
        return mx.where(m, x, mx.array(0.0))

    @staticmethod
    def _looped(x: mx.array, n: int):
        parts = []
        for i in range(n):
            parts.append(x[i] + mx.zeros((3,)))
        return mx.stack(parts)

    @staticmethod
    def _summed(x: mx.array, n: int):
        for i in range(n):
            print(i)
        return x @ x

    def f(self, x: mx.array, y: mx.array, m: mx.array, n: int):
        h = A._masked(x, m)
        {}
",
            rest.replace('\n', "\n        ")
        );
        let source = Source::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let analysis = Analysis::new(&source, Graph::default());
        let number = analysis.bodies.iter().position(|b| analysis.graph.name(b.name) == "A._masked").expect("the class has it");
        let root = analysis.bodies[number].occurrences.iter().find(|o| analysis.graph.op(o.value) == Op::Mlx("where")).expect("it chooses");
        is_lost(&analysis, number, root.value)
    }

    #[test]
    fn nothing_is_gained_where_all_that_is_made_of_it_is_float32_again_or_compared() {
        for lost in [
            "return h + mx.zeros((3,))",
            "return h.astype(mx.float32) @ y",
            "return h > 0, mx.argsort(-h)",
            "return mx.concatenate([h, mx.full((2,), n * 1.0)])",
            "return A._looped(h, n)",
            "return mx.where(h > 0, y, -y)",
            "h = h * 2 if n else h\nreturn h[:3] * mx.ones((3,))",
            "for i in range(n):\n    z = -h\n    z = z.at[0].add(1.0)\n    y = y + z * mx.ones((3,))\nreturn y",
        ] {
            assert!(is_lost_in(lost), "{lost}");
        }
        for kept in [
            "return h",
            "return h @ y",
            "return h + y",
            "return h + mx.array(2.0)",
            "return mx.softmax(h, axis=-1)",
            "return A._summed(h, n)",
            "self.h = h\nreturn h + mx.zeros((3,))",
            "return h + mx.zeros((3,)), h",
            "return other(h)",
            "for i in range(n):\n    h = h * 2\nreturn h @ y",
            "return h.astype(y.dtype)",
            "return (lambda: h @ y)()",
        ] {
            assert!(!is_lost_in(kept), "{kept}");
        }
    }
}
