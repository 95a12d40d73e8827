//! Near misses: what a pattern and a value have in common, and in what they differ. The same search as for matches, but that a few differences are let
//! pass, each at a price. Nobody pays for it who does not ask: an ordinary search carries no [`Search`].

use super::{Bound, Matcher, State, Wanted, called, same_op};
use crate::graph::Analysis;
use crate::graph::api;
use crate::graph::facts::Facts;
use crate::graph::value::{Graph, Op, ValueId};
use crate::rule::load::{Rule, Variant};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

/// In what a value differs from a pattern, at one place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub(in crate::rule) enum Difference {
    /// The wildcard must not stand for this value: for its kind, or because it stands for another one already.
    Wildcard { index: usize, before: Option<Bound>, value: ValueId },
    /// A part of the pattern that is one value is two values here.
    Apart { first: ValueId, second: ValueId },
    /// This is to be the dtype of what the wildcard stands for.
    Dtype { index: usize, value: ValueId },
    /// Another constant.
    Constant { pattern: ValueId, value: ValueId },
    /// Another operation.
    Instead { pattern: ValueId, value: ValueId },
    /// An operation between two parts of the pattern; what the pattern has is inside of it, as `inner`.
    Extra { pattern: ValueId, value: ValueId, inner: ValueId },
    /// An operation of the pattern is not there; `value` stands where its operand should.
    Missing { pattern: ValueId, value: ValueId },
    /// Without this argument of a function, by its place, the value would be in another form, which agrees.
    Argument { value: ValueId, at: usize },
}

/// What values would be, had an argument its default: `mx.var(x, ddof=1)` is no mean of squares, `mx.var(x)` is. With the place of that argument.
pub(in crate::rule) type Defaulted = FxHashMap<ValueId, (usize, ValueId)>;

/// Every value of `graph` that an argument keeps out of the normal form of its function.
pub(in crate::rule) fn defaulted(graph: &mut Graph) -> Defaulted {
    let mut found = Defaulted::default();
    for value in graph.ids() {
        let Op::Mlx(name) = graph.op(value) else { continue };
        let Some(function) = api::function(name) else { continue };
        let defaults = function.get().params.iter().filter(|p| p.name != "stream").map(|p| p.default);
        for (at, default) in defaults.enumerate() {
            let (Some(zero @ "0"), Some(&there)) = (default, graph.operands(value).get(at)) else { continue };
            if graph.as_int(there).is_none_or(|n| n.to_string() == zero) {
                continue;
            }
            let mut operands: SmallVec<[ValueId; 4]> = graph.operands(value).into();
            operands[at] = graph.int(0);
            let made = graph.value(Op::Mlx(name), &operands);
            if graph.op(made) != Op::Mlx(name) {
                found.insert(value, (at, made));
            }
        }
    }
    found
}

/// How near a value comes to a pattern.
#[derive(Clone, Default, Debug)]
pub(in crate::rule) struct Near {
    /// In what it differs; never nothing.
    pub differences: Vec<Difference>,
    /// What each wildcard stands for.
    pub bindings: SmallVec<[Option<Bound>; 6]>,
    /// Values that the pattern accounts for.
    pub inner: Vec<ValueId>,
    /// Which part of the pattern met which value.
    pub met: Vec<(ValueId, ValueId)>,
    /// The weight of what agrees.
    pub matched: u32,
    /// The weight of what differs.
    pub lost: u32,
}

/// More differences make something else, not a near miss.
const MAX_DIFFERENCES: usize = 3;
/// What outweighs the largest pattern is no near miss.
const MAX_LOST: u32 = 40;

/// The state of a search for near misses.
pub(super) struct Search<'x> {
    best: Option<State>,
    defaulted: &'x Defaulted,
}

impl Search<'_> {
    /// Whether nothing that follows from `state` can be better than what is found already.
    pub(super) fn is_hopeless(&self, state: &State) -> bool {
        state.lost > MAX_LOST || self.best.as_ref().is_some_and(|b| state.lost >= b.lost)
    }

    pub(super) fn consider(&mut self, state: State) {
        // Of which most is missing is not the thing.
        let is_fragment = state.differences.len() > 1 && state.differences.iter().all(|d| matches!(d, Difference::Missing { .. }));
        if !self.is_hopeless(&state) && !is_fragment {
            self.best = Some(state);
        }
    }
}

/// How near `root` comes to `variant`; `None` where it matches, and where it is too far away.
pub(in crate::rule) fn nearest(
    rule: &Rule,
    variant: &Variant,
    analysis: &Analysis<'_>,
    facts: &Facts<'_>,
    root: ValueId,
    defaulted: &Defaulted,
) -> Option<Near> {
    let search = Some(Search { best: None, defaulted });
    let wanted = Wanted::of(rule, variant);
    let mut matcher = Matcher { wanted, pattern: &rule.graph, graph: &analysis.graph, facts, steps: 0, found: Vec::new(), search };
    matcher.solve(State::new(wanted, root));
    let State { differences, bindings, inner, seen, matched, lost, .. } = matcher.search?.best?;
    (!differences.is_empty()).then_some(Near { differences, bindings, inner, met: seen, matched, lost })
}

/// How much an operation tells of what is computed: a softmax more than a sum.
pub(in crate::rule) fn weight(op: Op) -> u32 {
    match op {
        Op::Mlx("astype" | "reshape" | "expand_dims" | "squeeze" | "flatten" | "broadcast_to" | "stop_gradient" | "contiguous") => 2,
        Op::Mlx(_) => 6,
        Op::MatMul | Op::Pow | Op::Apply => 4,
        Op::Add | Op::Sub | Op::Mul | Op::Div | Op::Neg | Op::Index(_) | Op::Dim(_) => 2,
        _ => 1,
    }
}

/// How far an operation between two parts of a pattern takes them apart.
fn distance(op: Op) -> u32 {
    match op {
        Op::Phi(..) | Op::Changed(_) | Op::Permute | Op::Index(_) => 2,
        Op::Gate => 4,
        Op::Add | Op::Sub | Op::Mul | Op::Div | Op::Neg => 3,
        Op::Call(..) | Op::Apply => 5,
        op => weight(op).min(5),
    }
}

impl Wanted<'_> {
    /// Whether `part` is the pattern, or one of its alternatives.
    fn is_root(&self, part: ValueId) -> bool {
        part == self.pattern || self.graph.op(self.pattern) == Op::AnyOf && self.graph.operands(self.pattern).contains(&part)
    }
}

impl Matcher<'_> {
    /// Note a difference that costs little, if such are let pass.
    pub(super) fn lets_pass(&self, state: &mut State, difference: impl FnOnce(&State) -> Difference) -> bool {
        if self.search.is_none() || state.differences.len() >= MAX_DIFFERENCES {
            return false;
        }
        let difference = difference(state);
        if let Difference::Wildcard { index, value, .. } = difference {
            state.bindings[index].get_or_insert(Bound::Value(value));
        }
        state.differences.push(difference);
        state.lost += 2;
        true
    }

    /// Go on from `state`, in which `pattern` is about to meet `value`, as if they did not differ here.
    pub(super) fn depart(&mut self, state: &State, pattern: ValueId, value: ValueId) {
        if state.differences.len() >= MAX_DIFFERENCES {
            return;
        }
        let (op, operands) = self.pattern.get(pattern);
        if operands.is_empty() {
            if !same_op(self.pattern, op, self.graph, self.graph.op(value)) {
                self.go_on(state, Difference::Constant { pattern, value }, 2, &[]);
            }
            return;
        }
        if !self.wanted.is_root(pattern) {
            for inner in self.parts(value) {
                let mut outside = state.clone();
                outside.seen.pop();
                let price = distance(self.graph.op(value));
                self.go_on(&outside, Difference::Extra { pattern, value, inner }, price, &[(pattern, inner)]);
            }
            if let Some(&(at, made)) = self.search.as_ref().and_then(|s| s.defaulted.get(&value)) {
                let mut outside = state.clone();
                outside.seen.pop();
                self.go_on(&outside, Difference::Argument { value, at }, 2, &[(pattern, made)]);
            }
        }
        self.without_operation(state, pattern, value);
        if !same_op(self.pattern, op, self.graph, self.graph.op(value)) || operands.len() != self.graph.operands(value).len() {
            let difference = Difference::Instead { pattern, value };
            let is_root = self.wanted.is_root(pattern);
            if is_root && !matches!(self.graph.op(value), Op::Mlx(_) | Op::Apply | Op::Call(..) | Op::Index(_)) && weight(op) <= 2 {
                // Any sum, product or pair may hold a part of the pattern.
                return;
            }
            for pairs in self.pairs(pattern, value) {
                let price = if self.calls_namesake(op, value) { 2 } else { weight(op) + 2 };
                self.go_on(state, difference, price, &pairs);
            }
            // Between two operands that do not fit, the one that computes something is meant.
            let plain = u32::from(self.graph.operands(value).is_empty());
            self.go_on(state, difference, self.whole_weight(pattern, state) + 4 + plain, &[]);
        }
    }

    fn go_on(&mut self, state: &State, difference: Difference, price: u32, goals: &[(ValueId, ValueId)]) {
        let mut state = state.clone();
        state.lost += if state.differences.is_empty() { price } else { price + 3 };
        state.differences.push(difference);
        state.goals.extend(goals.iter().rev());
        self.solve(state);
    }

    /// The operation `pattern` may be missing: one of its operands meets `value`.
    fn without_operation(&mut self, state: &State, pattern: ValueId, value: ValueId) {
        let (op, operands) = self.pattern.get(pattern);
        let all = self.whole_weight(pattern, state);
        for &operand in operands {
            let is_wildcard = |v: ValueId| self.wanted.wildcard(v).is_some();
            let is_leaf = self.pattern.operands(operand).is_empty();
            // A wildcard meets anything: that alone would be no likeness.
            if matches!(op, Op::Tuple | Op::List | Op::Dim(_) | Op::DtypeOf) || is_leaf && !(is_wildcard(operand) && all <= 3) {
                continue;
            }
            let dropped = operands.iter().filter(|&&v| v != operand && is_wildcard(v)).count() as u32;
            let is_root = self.wanted.is_root(pattern);
            let inner = self.whole_weight(operand, state);
            // Nor is there any in what is lighter than the operation that is missing.
            if matches!(op, Op::Apply | Op::Call(..)) || is_root && matches!(op, Op::Index(_)) || weight(op) > 2 && inner <= weight(op) + 2 {
                continue;
            }
            // What is not even there at the root is likely to be meant as something else.
            let root = if is_root && op != Op::Mlx("astype") { 4 } else { 0 };
            let price = all.saturating_sub(inner) + 2 * dropped + root;
            self.go_on(state, Difference::Missing { pattern, value }, price, &[(operand, value)]);
        }
        // x / d where the pattern has x * d ** -1.
        if let (Op::Mul, &[a, b], (Op::Div, &[numerator, denominator])) = (op, operands, self.graph.get(value)) {
            for (factor, power) in [(a, b), (b, a)] {
                if let (Op::Pow, &[radicand, _]) = self.pattern.get(power) {
                    let goals = [(factor, numerator), (radicand, denominator)];
                    self.go_on(state, Difference::Missing { pattern: power, value: denominator }, weight(Op::Pow) + 1, &goals);
                }
            }
        }
    }

    /// What `value` is made of, for a pattern that is looked for inside of it.
    fn parts(&self, value: ValueId) -> SmallVec<[ValueId; 4]> {
        let (op, operands) = self.graph.get(value);
        let candidates: SmallVec<[ValueId; 4]> = match op {
            Op::Gate => operands[1..].into(),
            Op::Tuple | Op::Slice => SmallVec::new(),
            Op::Apply | Op::Call(..) => self.arguments(value).into_iter().map(|(_, v)| v).collect(),
            Op::Index(_) | Op::Pow | Op::Phi(..) | Op::Changed(_) | Op::Item(_) | Op::Attr(..) | Op::Permute => {
                operands[..1.min(operands.len())].into()
            }
            _ => operands.into(),
        };
        candidates.into_iter().filter(|&v| !self.graph.operands(v).is_empty()).collect()
    }

    /// The arguments of a call, the object of a method first, with the names of those passed by name.
    fn arguments(&self, call: ValueId) -> Vec<(Option<&str>, ValueId)> {
        let operands = self.graph.operands(call);
        let Some((&callee, rest)) = operands.split_first() else { return Vec::new() };
        let object = match self.graph.get(callee) {
            (Op::Attr(..), &[object]) => Some((None, object)),
            _ => None,
        };
        let passed = rest.iter().map(|&v| match self.graph.get(v) {
            (Op::Keyword(name), &[inner]) => (Some(self.graph.name(name)), inner),
            _ => (None, v),
        });
        object.into_iter().chain(passed).collect()
    }

    /// Which operands of two operations that differ may be compared all the same.
    fn pairs(&self, pattern: ValueId, value: ValueId) -> Vec<Vec<(ValueId, ValueId)>> {
        let ((op, operands), (value_op, values)) = (self.pattern.get(pattern), self.graph.get(value));
        match (op, value_op) {
            (Op::Mlx(name), Op::Mlx(other)) => {
                let Some((wanted, there)) = parameters(name).zip(parameters(other)) else { return vec![zipped(operands, values)] };
                let pair = |(&v, name): (&ValueId, &&str)| Some((operands[wanted.iter().position(|w| w == name)?], v));
                vec![values.iter().zip(&there).filter_map(pair).collect()]
            }
            (Op::Mlx(name), Op::Apply | Op::Call(..)) => {
                let names = parameters(name).unwrap_or_default();
                let pair = |(at, (keyword, v)): (usize, (Option<&str>, ValueId))| {
                    let at = keyword.map_or(Some(at), |k| names.iter().position(|&n| n == k))?;
                    Some((*operands.get(at)?, v))
                };
                vec![self.arguments(value).into_iter().enumerate().filter_map(pair).collect()]
            }
            // A power whose base is not known to be an array.
            (Op::Pow, Op::Mlx("sqrt" | "rsqrt" | "square")) => vec![vec![(operands[0], values[0])]],
            (Op::Apply, Op::Apply | Op::Call(..)) => vec![zipped(operands, values)],
            (_, Op::Apply | Op::Call(..)) => Vec::new(),
            (Op::Add | Op::Mul, _) if values.len() == 2 => {
                vec![zipped(operands, values), vec![(operands[0], values[1]), (operands[1], values[0])]]
            }
            (Op::Add | Op::Mul | Op::Sub | Op::Div | Op::Pow | Op::MatMul | Op::Mlx(_), _) if values.len() == operands.len() => {
                vec![zipped(operands, values)]
            }
            _ => Vec::new(),
        }
    }

    /// Whether `value` calls something that is called like the operation `op`, of another module or by an unknown name.
    fn calls_namesake(&self, op: Op, value: ValueId) -> bool {
        let (Op::Mlx(name), (Op::Apply | Op::Call(..), &[callee, ..])) = (op, self.graph.get(value)) else { return false };
        let called = match self.graph.op(callee) {
            Op::Global(path) => self.graph.name(path),
            Op::Attr(attribute, _) => self.graph.name(attribute),
            _ => return false,
        };
        called.rsplit('.').next() == name.rsplit('.').next()
    }

    /// The weight of a whole part of the pattern, without what has met a value already.
    fn whole_weight(&self, pattern: ValueId, state: &State) -> u32 {
        let (op, operands) = self.pattern.get(pattern);
        let is_met = || state.seen[..state.seen.len() - 1].iter().any(|&(p, _)| p == pattern);
        match op {
            _ if self.wanted.wildcard(pattern).is_some() || is_met() => 0,
            // What the prelude has a name for is one thing.
            _ if called(self.pattern, pattern).is_some() => weight(op),
            Op::AnyOf => operands.iter().map(|&p| self.whole_weight(p, state)).min().unwrap_or(0),
            op => weight(op) + operands.iter().map(|&p| self.whole_weight(p, state)).sum::<u32>(),
        }
    }
}

/// Whether it is told already that `value` is `before` after one more operation.
pub(super) fn is_told(state: &State, before: ValueId, value: ValueId) -> bool {
    state.differences.iter().any(|d| matches!(*d, Difference::Extra { value: v, inner, .. } if v == value && inner == before))
}

fn zipped(operands: &[ValueId], values: &[ValueId]) -> Vec<(ValueId, ValueId)> {
    operands.iter().copied().zip(values.iter().copied()).collect()
}

/// The parameters that the operands of `mx.name` stand for, in order.
pub(in crate::rule) fn parameters(name: &str) -> Option<Vec<&'static str>> {
    let function = api::function(name)?.get();
    Some(function.params.iter().map(|p| p.name).filter(|&p| p != "stream").collect())
}
