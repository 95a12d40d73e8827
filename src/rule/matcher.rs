//! Finds a pattern in a program's value graph, modulo commutativity, alternatives, and equations that need a wildcard: `x / n = x * (1 / n)`, a key that was
//! transposed before, what is there under a condition, a choice the other way round. Gives every way to match, since facts decide which is meant.

mod near;
mod numbers;
mod rotations;

use smallvec::SmallVec;

use crate::graph::Analysis;
use crate::graph::facts::{Facts, Kind};
use crate::graph::heads;
use crate::graph::normalize;
use crate::graph::value::{Comparison, Graph, Op, ValueId};

use super::load::{Rule, Variant, Wildcard};
use super::terms;

pub(super) use near::{Difference, Near, defaulted, nearest};
pub(super) use near::{parameters, weight};
pub(super) use rotations::called;

/// What a wildcard stands for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Bound {
    /// A value of the program.
    Value(ValueId),
    /// One divided by a value of the program.
    Reciprocal(ValueId),
    /// A value of the program with its last two axes swapped.
    Swapped(ValueId),
    /// The opposite of a value of the program that holds truth values.
    Opposite(ValueId),
    /// The square root of a number of the program, or one divided by it.
    Root {
        /// The number.
        of: ValueId,
        /// Whether one is divided by the root.
        inverse: bool,
    },
    /// What a sum of the program adds to a product of it.
    Term {
        /// The sum.
        sum: ValueId,
        /// The product.
        product: ValueId,
    },
}

/// A wildcard that stands for its value under a condition only, and for `None` otherwise.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Optional {
    /// The wildcard, by its place in the variant.
    pub wildcard: usize,
    /// The condition.
    pub condition: ValueId,
    /// Whether the value is there where the condition holds, or where it does not.
    pub when: bool,
    /// The pattern uses the wildcard as it is, so that it may be a choice itself.
    direct: bool,
}

/// One way in which a pattern matches.
#[derive(Clone, Debug)]
pub struct Match {
    /// What each wildcard stands for; `None` where the alternative taken does not mention it.
    pub bindings: SmallVec<[Option<Bound>; 6]>,
    /// Wildcards that are `None` on one path, by another condition than that they are.
    pub optional: Vec<Optional>,
    /// The values that the pattern itself accounts for, the root first.
    pub inner: Vec<ValueId>,
    /// Arrays that must have so many axes for the match to hold.
    pub ranks: Vec<(ValueId, u8)>,
    /// A division was read as a multiplication by the reciprocal.
    pub reciprocal: bool,
}

/// Steps after which a root is given up; patterns have some twenty nodes.
const MAX_STEPS: u32 = 20_000;
/// So many ways to match one root are considered.
const MAX_MATCHES: usize = 24;

/// What is looked for: a node of a rule's graph, and the nodes that stand for any value.
#[derive(Clone, Copy)]
pub struct Wanted<'x> {
    /// The values of the rule.
    pub graph: &'x Graph,
    /// The pattern.
    pub pattern: ValueId,
    /// The wildcards in it.
    pub wildcards: &'x [Wildcard],
}

impl<'x> Wanted<'x> {
    /// What `variant` of `rule` looks for.
    pub fn of(rule: &'x Rule, variant: &'x Variant) -> Self {
        Self { graph: &rule.graph, pattern: variant.pattern, wildcards: &variant.wildcards }
    }

    /// The place of the wildcard that `pattern` is.
    fn wildcard(&self, pattern: ValueId) -> Option<usize> {
        self.wildcards.iter().position(|w| w.value == pattern)
    }
}

/// All ways in which what is `wanted` matches at `root`.
pub fn matches(wanted: Wanted<'_>, analysis: &Analysis<'_>, facts: &Facts<'_>, root: ValueId) -> Vec<Match> {
    let mut matcher = Matcher { wanted, pattern: wanted.graph, graph: &analysis.graph, facts, steps: 0, found: Vec::new(), search: None };
    matcher.solve(State::new(wanted, root));
    matcher.found
}

#[derive(Clone)]
struct State {
    goals: Vec<(ValueId, ValueId)>,
    bindings: SmallVec<[Option<Bound>; 6]>,
    /// Pattern nodes already matched: a pattern that mentions a node twice means one value.
    seen: Vec<(ValueId, ValueId)>,
    optional: Vec<Optional>,
    inner: Vec<ValueId>,
    ranks: Vec<(ValueId, u8)>,
    reciprocal: bool,
    /// In what the value differs from the pattern; nothing, unless near misses are looked for.
    differences: Vec<Difference>,
    lost: u32,
    matched: u32,
}

impl State {
    fn new(wanted: Wanted<'_>, root: ValueId) -> Self {
        Self {
            goals: vec![(wanted.pattern, root)],
            bindings: smallvec::smallvec![None; wanted.wildcards.len()],
            seen: Vec::new(),
            optional: Vec::new(),
            inner: Vec::new(),
            ranks: Vec::new(),
            reciprocal: false,
            differences: Vec::new(),
            lost: 0,
            matched: 0,
        }
    }
}

struct Matcher<'x> {
    wanted: Wanted<'x>,
    pattern: &'x Graph,
    graph: &'x Graph,
    facts: &'x Facts<'x>,
    steps: u32,
    found: Vec<Match>,
    /// Where near misses are looked for: the best so far.
    search: Option<near::Search<'x>>,
}

impl Matcher<'_> {
    /// Work off the goals of `state`; every complete solution is kept.
    fn solve(&mut self, mut state: State) {
        while let Some((pattern, value)) = state.goals.pop() {
            self.steps += 1;
            if self.steps > MAX_STEPS || self.found.len() >= MAX_MATCHES || self.search.as_ref().is_some_and(|s| s.is_hopeless(&state)) {
                return;
            }
            let op = self.pattern.op(pattern);
            if op == Op::AnyOf {
                return self.alternatives(&state, pattern, value);
            }
            if let Some(index) = self.wanted.wildcard(pattern) {
                if !self.bind(&mut state, index, Bound::Value(value))
                    && !self.lets_pass(&mut state, |s| Difference::Wildcard { index, before: s.bindings[index], value })
                {
                    return;
                }
                continue;
            }
            if let Some(&(_, before)) = state.seen.iter().find(|(p, _)| *p == pattern) {
                if before != value
                    && !near::is_told(&state, before, value)
                    && !self.lets_pass(&mut state, |_| Difference::Apart { first: before, second: value })
                {
                    return;
                }
                continue;
            }
            let operands = self.pattern.operands(pattern);
            if op == Op::DtypeOf
                && let Some(index) = self.wanted.wildcard(operands[0])
            {
                let bound = state.bindings[index];
                match bound {
                    Some(Bound::Value(array)) if dtype_is(self.graph, array, value) => continue,
                    Some(_) if self.lets_pass(&mut state, |_| Difference::Dtype { index, value }) => continue,
                    Some(_) => return,
                    // Wait until the array is known, if anything is left that may say.
                    None if state.goals.iter().any(|&(p, _)| self.pattern.op(p) != Op::DtypeOf) => {
                        state.goals.insert(0, (pattern, value));
                        continue;
                    }
                    None => {}
                }
            }
            if !operands.is_empty() {
                state.seen.push((pattern, value));
            }
            if self.search.is_none() {
                return self.fit(state, pattern, value);
            }
            let departing = state.clone();
            self.fit(state, pattern, value);
            return self.depart(&departing, pattern, value);
        }
        self.complete(state);
    }

    fn complete(&mut self, state: State) {
        match &mut self.search {
            Some(search) => search.consider(state),
            None => {
                if let Some(optional) = self.conditions(&state) {
                    let State { bindings, inner, ranks, reciprocal, .. } = state;
                    self.found.push(Match { bindings, optional, inner, ranks, reciprocal });
                }
            }
        }
    }

    /// Match an operation of the pattern with one of the program, and go on with their operands.
    fn fit(&mut self, mut state: State, pattern: ValueId, value: ValueId) {
        let (op, operands) = self.pattern.get(pattern);
        if op == Op::Add {
            self.sum_of_terms(&state, pattern, value);
        }
        let (value_op, value_operands) = self.graph.get(value);
        let other_permutation = op == Op::Permute && value_op == Op::Permute && !self.same_axes(pattern, value);
        if !same_op(self.pattern, op, self.graph, value_op) || operands.len() != value_operands.len() || other_permutation {
            return self.equal_forms(state, pattern, value);
        }
        if !operands.is_empty() {
            state.inner.push(value);
        }
        if self.search.is_some() {
            state.matched += near::weight(op);
        }
        match op {
            Op::Gate if self.tested(operands[0]).is_some() => return self.under_condition(&state, pattern, value),
            Op::Mlx("where") => self.turned_choice(&state, pattern, value),
            Op::Add | Op::Mul => {
                let mut swapped = state.clone();
                swapped.goals.extend([(operands[1], value_operands[0]), (operands[0], value_operands[1])]);
                state.goals.extend([(operands[1], value_operands[1]), (operands[0], value_operands[0])]);
                self.solve(state);
                return self.solve(swapped);
            }
            _ => {}
        }
        let goals = self.axis_from_the_front(&mut state, pattern, value);
        let goals = goals.unwrap_or_else(|| operands.iter().copied().zip(value_operands.iter().copied()).rev().collect());
        state.goals.extend(goals);
        self.solve(state);
    }

    /// `mx.where(w, a, b)` of the pattern, where the program asks for the opposite: `mx.where(~w, b, a)`.
    fn turned_choice(&mut self, state: &State, pattern: ValueId, value: ValueId) {
        let (p, v) = (self.pattern.operands(pattern), self.graph.operands(value));
        let Some(index) = self.wanted.wildcard(p[0]) else { return };
        let mut state = state.clone();
        if self.bind(&mut state, index, Bound::Opposite(v[0])) {
            state.goals.extend([(p[2], v[1]), (p[1], v[2])]);
            self.solve(state);
        }
    }

    /// `s + w` of the pattern, where the program adds several things, or some under a condition: `w` is all of them.
    fn sum_of_terms(&mut self, state: &State, pattern: ValueId, value: ValueId) {
        let p = self.pattern.operands(pattern);
        let Some(index) = self.wanted.wildcard(p[1]).filter(|&w| self.wanted.wildcards[w].kind == Kind::Unknown) else { return };
        let Some((product, inner)) = terms::product(self.graph, value) else { return };
        let mut state = state.clone();
        if self.bind(&mut state, index, Bound::Term { sum: value, product }) {
            state.inner.extend(inner);
            state.goals.push((p[0], product));
            self.solve(state);
        }
    }

    /// The wildcard `w` where `condition` of the pattern is `w is None`.
    fn tested(&self, condition: ValueId) -> Option<usize> {
        match self.pattern.get(condition) {
            (Op::Compare(Comparison::Is), &[tested, none]) if self.pattern.op(none) == Op::None => self.wanted.wildcard(tested),
            _ => None,
        }
    }

    /// `s if w is None else s + w` of the pattern, where the program decides by any condition whether there is a `w`.
    fn under_condition(&mut self, state: &State, pattern: ValueId, value: ValueId) {
        let (p, v) = (self.pattern.operands(pattern), self.graph.operands(value));
        let Some(wildcard) = self.tested(p[0]) else { return };
        let direct = self.pattern.operands(p[2]).contains(&self.wanted.wildcards[wildcard].value);
        for (without, with, when) in [(v[1], v[2], false), (v[2], v[1], true)] {
            let mut state = state.clone();
            state.optional.push(Optional { wildcard, condition: v[0], when, direct });
            state.goals.extend([(p[2], with), (p[1], without)]);
            self.solve(state);
        }
    }

    /// The conditions of `state` that are not simply that the wildcard is `None`; `None` where one of them has no meaning.
    fn conditions(&self, state: &State) -> Option<Vec<Optional>> {
        let mut kept = Vec::new();
        for &optional in &state.optional {
            let bound = state.bindings[optional.wildcard]?;
            let is_none = self.graph.find_leaf(Op::None).and_then(|none| match bound {
                Bound::Value(value) => self.graph.find(Op::Compare(Comparison::Is), &[value, none]),
                _ => None,
            });
            match (is_none == Some(optional.condition), optional.when) {
                (true, true) => return None,
                (true, false) => {}
                (false, _) if !optional.direct => return None,
                (false, _) => kept.push(optional),
            }
        }
        Some(kept)
    }

    /// The operands to compare where the pattern means the last axis and the program counts it from the front: the same for one number of axes. The first
    /// axes are seldom the last, so there the number must be known.
    fn axis_from_the_front(&self, state: &mut State, pattern: ValueId, value: ValueId) -> Option<Vec<(ValueId, ValueId)>> {
        let (Op::Mlx("softmax" | "mean"), p) = self.pattern.get(pattern) else { return None };
        let v = self.graph.operands(value);
        let axis = self.graph.as_int(v[1]).filter(|&n| n >= 0 && self.pattern.as_int(p[1]) == Some(-1))?;
        let rank = u8::try_from(axis + 1).ok()?;
        let array = normalize::shaped_like(self.graph, v[0]);
        let array = terms::rows(self.graph, array).unwrap_or(array);
        let known = self.facts.rank(array);
        if known != Some(rank) && (known.is_some() || axis < 2) {
            return None;
        }
        state.ranks.push((array, rank));
        Some(p.iter().copied().zip(v.iter().copied()).enumerate().filter(|&(n, _)| n != 1).map(|(_, goal)| goal).rev().collect())
    }

    fn alternatives(&mut self, state: &State, pattern: ValueId, value: ValueId) {
        if let Some(&(_, before)) = state.seen.iter().find(|(p, _)| *p == pattern) {
            if before == value {
                self.solve(state.clone());
            }
            return;
        }
        for &alternative in self.pattern.operands(pattern) {
            let mut state = state.clone();
            state.seen.push((pattern, value));
            state.goals.push((alternative, value));
            self.solve(state);
        }
    }

    fn same_axes(&self, pattern: ValueId, value: ValueId) -> bool {
        let axes = |graph: &Graph, v: ValueId| normalize::permutation(graph, v).map(|(_, axes)| axes);
        axes(self.pattern, pattern) == axes(self.graph, value)
    }

    /// Forms that equal the pattern only for a suitable wildcard.
    fn equal_forms(&mut self, mut state: State, pattern: ValueId, value: ValueId) {
        let wildcard = |p: ValueId| self.wanted.wildcard(p);
        let operands = self.pattern.operands(pattern);
        match (self.pattern.op(pattern), self.graph.get(value)) {
            // x * s, where the program says x / n.
            (Op::Mul, (Op::Div, &[numerator, denominator])) => {
                let Some(scale) = wildcard(operands[1]).filter(|&w| self.wanted.wildcards[w].kind.is_number()) else { return };
                if matches!(self.facts.kind(denominator), Kind::Array | Kind::OptionalArray)
                    || !self.bind(&mut state, scale, Bound::Reciprocal(denominator))
                {
                    return;
                }
                state.reciprocal = true;
                state.inner.push(value);
                state.goals.push((operands[0], numerator));
                self.solve(state);
            }
            // The pattern swaps the last two axes of k, and the program has them permuted in another way already.
            (Op::Permute, (Op::Permute, _)) => {
                let Some(array) = wildcard(operands[0]).filter(|_| self.swaps(pattern)) else { return };
                if self.bind(&mut state, array, Bound::Swapped(value)) {
                    self.solve(state);
                }
            }
            // The axes are counted from the front: the same for one number of axes.
            (Op::Permute, (Op::Mlx("swapaxes" | "moveaxis"), &[array, from, to])) => {
                let (Some(from), Some(to)) = (self.graph.as_int(from), self.graph.as_int(to)) else { return };
                let (low, high) = (from.min(to), from.max(to));
                let rank = u8::try_from(high + 1).ok().filter(|_| self.swaps(pattern) && low >= 0 && high == low + 1);
                let Some(rank) = rank else { return };
                if self.facts.rank(array).is_some_and(|r| r != rank) {
                    return;
                }
                state.ranks.push((array, rank));
                state.inner.push(value);
                state.goals.push((operands[0], array));
                self.solve(state);
            }
            // Heads repeated in another way, or under a condition.
            (Op::Mlx("repeat"), _) => {
                let Some((array, times)) = heads::repeated(self.graph, self.facts, value) else { return };
                state.inner.push(value);
                state.goals.extend([(operands[1], times), (operands[0], array)]);
                self.solve(state);
            }
            // An array of one number, made of another number.
            (Op::Mlx("array"), _) => self.array_of_root(state, pattern, value),
            // Tables and angles of a rotary embedding.
            (Op::Apply, _) => self.rotation(state, pattern, value),
            // Keys that were stored transposed: whatever they are, the pattern's k is them with the last two axes swapped.
            (Op::Permute, _) if self.facts.rank(value).is_some_and(|r| r >= 3) => {
                let Some(array) = wildcard(operands[0]).filter(|_| self.swaps(pattern)) else { return };
                if self.bind(&mut state, array, Bound::Swapped(value)) {
                    self.solve(state);
                }
            }
            _ => {}
        }
    }

    /// Whether `pattern` swaps the last two axes.
    fn swaps(&self, pattern: ValueId) -> bool {
        normalize::permutation(self.pattern, pattern).is_some_and(|(_, axes)| axes == [-1, -2])
    }

    /// Let a wildcard stand for `bound`, if its annotation may hold and it does not stand for something else.
    fn bind(&self, state: &mut State, index: usize, bound: Bound) -> bool {
        if let Some(before) = state.bindings[index] {
            return before == bound;
        }
        let wanted = self.wanted.wildcards[index].kind;
        let modules = &self.wanted.wildcards[index].modules;
        let possible = match bound {
            Bound::Value(value) if !modules.is_empty() => self.facts.is_module_of(value, modules),
            Bound::Value(value) => {
                let kind = self.facts.kind(value);
                match wanted {
                    Kind::Array | Kind::OptionalArray => matches!(kind, Kind::Array | Kind::OptionalArray | Kind::Unknown),
                    wanted if wanted.is_number() => kind.is_number() || matches!(kind, Kind::Unknown | Kind::PerhapsNumber),
                    _ => true,
                }
            }
            Bound::Reciprocal(_) | Bound::Root { .. } => wanted.is_number(),
            Bound::Swapped(_) => wanted == Kind::Array,
            Bound::Opposite(_) => true,
            Bound::Term { .. } => wanted == Kind::Unknown,
        };
        if possible {
            state.bindings[index] = Some(bound);
        }
        possible
    }
}

/// Whether `dtype` is the dtype of `array`: read from it, from what its elements were moved from, or what it was last cast to.
fn dtype_is(graph: &Graph, array: ValueId, dtype: ValueId) -> bool {
    let mut array = array;
    loop {
        if graph.find(Op::DtypeOf, &[array]) == Some(dtype) {
            return true;
        }
        array = match graph.get(array) {
            (Op::Mlx("astype"), operands) => return operands[1] == dtype,
            (Op::Permute | Op::Index(_), operands) => operands[0],
            (
                Op::Mlx(
                    "reshape" | "expand_dims" | "squeeze" | "flatten" | "broadcast_to" | "contiguous" | "stop_gradient" | "softmax"
                    | "take_along_axis" | "take" | "repeat" | "tile" | "swapaxes" | "moveaxis" | "transpose" | "fast.rope",
                ),
                operands,
            ) => operands[0],
            (Op::Item(_), &[list]) if graph.op(list) == Op::Mlx("split") => graph.operands(list)[0],
            _ => return false,
        };
    }
}

/// Whether two operations of two graphs are one; names and numbers are compared by what they are.
fn same_op(pattern: &Graph, p: Op, graph: &Graph, v: Op) -> bool {
    match (p, v) {
        (Op::Global(a), Op::Global(b))
        | (Op::Str(a), Op::Str(b))
        | (Op::Literal(a), Op::Literal(b))
        | (Op::Builtin(a), Op::Builtin(b))
        | (Op::Keyword(a), Op::Keyword(b)) => pattern.name(a) == graph.name(b),
        (Op::Attr(a, _), Op::Attr(b, _)) => pattern.name(a) == graph.name(b),
        (Op::Index(_), Op::Index(_)) => true,
        (Op::Int(a), Op::Float(b)) => a as f64 == f64::from_bits(b),
        (Op::Float(a), Op::Int(b)) => f64::from_bits(a) == b as f64,
        _ => p == v,
    }
}
