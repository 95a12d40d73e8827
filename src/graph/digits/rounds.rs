//! What goes from one round of a loop to the next: where the values of a scope lead to through joins and buffers, and which names add up over the rounds. A
//! stack of layers, each called once, adds nothing up, and neither does a buffer that is only written to.

use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;

use crate::graph::Analysis;
use crate::graph::body::{Body, Effect};
use crate::graph::value::{Graph, Op, Symbol, ValueId};

/// Values beside one.
type Beside = SmallVec<[ValueId; 4]>;

/// What is made of values that lead to one another, given what was made of others.
pub(super) type Make<'m, T> = &'m dyn Fn(&[ValueId], &FxHashMap<ValueId, T>) -> T;

/// What operands do not tell of the values of one scope.
#[derive(Default)]
pub(super) struct Rounds {
    /// What each value goes on to.
    ahead: FxHashMap<ValueId, Vec<ValueId>>,
    /// What each value comes from.
    behind: FxHashMap<ValueId, Vec<ValueId>>,
    /// The joins whose values are computed from those of the round before.
    running: FxHashSet<ValueId>,
}

impl Rounds {
    pub(super) fn of(analysis: &Analysis<'_>, body: &Body, read: &FxHashSet<ValueId>) -> Self {
        let graph = &analysis.graph;
        let mut rounds = Self::default();
        for effect in &body.effects {
            match *effect {
                Effect::Carry(join, value) if read.contains(&join) => rounds.lead(value, join),
                Effect::StoreItem(object, _, value) => buffers(graph, object).into_iter().for_each(|buffer| rounds.lead(value, buffer)),
                _ => {}
            }
        }
        let joins: Vec<ValueId> = read.iter().copied().filter(|&v| matches!(graph.op(v), Op::Phi(..))).collect();
        rounds.leave_loops(graph, &joins);
        let mut known = FxHashMap::default();
        for &join in joins.iter().filter(|join| rounds.behind.contains_key(join)) {
            let next = |v: ValueId| rounds.before(graph, v);
            followed(&mut known, join, &next, &|part, _| part.len() > 1 && !part.iter().all(|&v| keeps(graph, v, part)));
        }
        rounds.running = joins.into_iter().filter(|join| known.get(join) == Some(&true)).collect();
        rounds
    }

    /// What `value` goes on to, besides what is made of it.
    pub(super) fn after(&self, value: ValueId) -> &[ValueId] {
        self.ahead.get(&value).map_or(&[], Vec::as_slice)
    }

    /// What `value` comes from, besides what it is made of.
    pub(super) fn origins(&self, value: ValueId) -> &[ValueId] {
        self.behind.get(&value).map_or(&[], Vec::as_slice)
    }

    /// The name that is computed from its value in the round before, where `value` is that join; a list is none, for what is put into it is not changed there.
    pub(super) fn running(&self, graph: &Graph, value: ValueId) -> Option<Option<Symbol>> {
        let (Op::Phi(_, _, name), operands) = graph.get(value) else { return None };
        let is_list = operands.first().is_some_and(|&v| graph.op(v) == Op::List);
        (!is_list && self.running.contains(&value)).then_some(Some(name))
    }

    fn lead(&mut self, from: ValueId, to: ValueId) {
        self.ahead.entry(from).or_default().push(to);
        self.behind.entry(to).or_default().push(from);
    }

    /// After a loop nothing is known of a buffer that it wrote to, but its name.
    fn leave_loops(&mut self, graph: &Graph, joins: &[ValueId]) {
        let is_lost = |&&join: &&ValueId| graph.operands(join).first().is_some_and(|&v| matches!(graph.op(v), Op::Opaque(..)));
        for &lost in joins.iter().filter(is_lost) {
            for &written in joins.iter().filter(|&&join| join != lost && named_alike(graph, join, lost)) {
                if self.behind.contains_key(&written) {
                    self.lead(written, lost);
                }
            }
        }
    }

    /// All that `value` comes from, but what is only measured.
    fn before(&self, graph: &Graph, value: ValueId) -> Beside {
        let operands = match graph.get(value) {
            (Op::Shape | Op::Dim(_) | Op::Ndim | Op::DtypeOf, _) => &[],
            (_, operands) => operands,
        };
        operands.iter().chain(self.origins(value)).copied().collect()
    }
}

/// The values that the local array `object` is on its way into the loops that write to it; none where it may be anybody's.
fn buffers(graph: &Graph, object: ValueId) -> Vec<ValueId> {
    let outside = |&v: &ValueId| matches!(graph.op(v), Op::Phi(..)).then(|| graph.operands(v).first().copied()).flatten();
    let chain: Vec<ValueId> = std::iter::successors(Some(object), outside).collect();
    let is_made = chain.last().is_some_and(|&v| matches!(graph.op(v), Op::Mlx(_)));
    if is_made { chain } else { Vec::new() }
}

fn named_alike(graph: &Graph, join: ValueId, other: ValueId) -> bool {
    matches!((graph.op(join), graph.op(other)), (Op::Phi(scope, _, name), Op::Phi(s, _, n)) if (scope, name) == (s, n))
}

/// Whether `value`, one of those that lead to one another in `part`, has the numbers of what it is made of, or is what a layer gives that is another one in
/// each round.
fn keeps(graph: &Graph, value: ValueId, part: &[ValueId]) -> bool {
    match graph.get(value) {
        (Op::Phi(..) | Op::Index(_) | Op::Item(_) | Op::Permute | Op::Stored | Op::Gate | Op::List | Op::Tuple | Op::Changed(_), _) => true,
        (
            Op::Mlx(
                "broadcast_to" | "concatenate" | "expand_dims" | "flatten" | "moveaxis" | "pad" | "repeat" | "reshape" | "split" | "squeeze"
                | "stack" | "swapaxes" | "take" | "tile" | "transpose" | "where",
            ),
            _,
        ) => true,
        (Op::Apply | Op::Call(..), operands) => {
            let (is_chosen, loops) = chosen_by(graph, operands[0]);
            let is_inside = |&v: &ValueId| match graph.op(v) {
                // The element of a loop is numbered after the joins at its head; other joins only follow.
                Op::Phi(scope, join, _) => loops.contains(&(scope, join + 1)),
                _ => true,
            };
            is_chosen && part.iter().all(is_inside)
        }
        _ => false,
    }
}

/// Whether `callee` is a part of what comes from outside, or of an element of a loop; with the loops in each round of which it is another one.
fn chosen_by(graph: &Graph, callee: ValueId) -> (bool, Vec<(Symbol, u32)>) {
    let mut chain = Chain { graph, loops: Vec::new(), known: FxHashMap::default() };
    (chain.is_chosen(callee), chain.loops)
}

/// Where a callee comes from, as far as that was followed.
struct Chain<'g> {
    graph: &'g Graph,
    loops: Vec<(Symbol, u32)>,
    known: FxHashMap<ValueId, bool>,
}

impl Chain<'_> {
    fn is_chosen(&mut self, value: ValueId) -> bool {
        if let Some(&is_chosen) = self.known.get(&value) {
            return is_chosen;
        }
        let is_chosen = self.follow(value);
        self.known.insert(value, is_chosen);
        is_chosen
    }

    fn follow(&mut self, value: ValueId) -> bool {
        let graph = self.graph;
        match graph.get(value) {
            (Op::Param(..) | Op::Captured(..) | Op::ModuleName(_), _) => true,
            (Op::Element(scope, number), operands) => {
                self.loops.push((scope, number));
                // A range counts; what else is iterated over may itself be another one in each round.
                self.is_chosen(operands[0]);
                true
            }
            (Op::Attr(..) | Op::Item(_), operands) => self.is_chosen(operands[0]),
            (Op::Index(_), operands) => {
                if matches!(graph.op(operands[1]), Op::Element(..) | Op::Item(_)) {
                    self.is_chosen(operands[1]);
                }
                self.is_chosen(operands[0])
            }
            (Op::Apply | Op::Call(..), operands) => match graph.get(operands[0]) {
                (Op::Builtin(name), _) if matches!(graph.name(name), "enumerate" | "list" | "reversed" | "zip") => {
                    operands[1..].iter().for_each(|&v| _ = self.is_chosen(v));
                    true
                }
                (Op::Attr(name, _), object) if matches!(graph.name(name), "items" | "values") => self.is_chosen(object[0]),
                _ => false,
            },
            _ => false,
        }
    }
}

/// What `make` makes of `value` and of all that `next` leads to from it: values that lead to one another are made one, after what they lead to. `known`
/// keeps what was made of each value.
pub(super) fn followed<T: Copy>(known: &mut FxHashMap<ValueId, T>, value: ValueId, next: &dyn Fn(ValueId) -> Beside, make: Make<'_, T>) {
    // An explicit stack: graphs of generated code can be deep.
    let mut waiting = vec![(value, false)];
    let mut places: FxHashMap<ValueId, usize> = FxHashMap::default();
    let (mut open, mut bounds): (Vec<ValueId>, Vec<usize>) = Default::default();
    while let Some((top, is_left)) = waiting.pop() {
        if is_left {
            let at = places[&top];
            if bounds.last() == Some(&at) {
                bounds.pop();
                let made = make(&open[at..], known);
                known.extend(open.drain(at..).map(|v| (v, made)));
            }
        } else if let Some(&at) = places.get(&top).filter(|_| !known.contains_key(&top)) {
            // It leads back: all that was opened since is one with it.
            while bounds.last().is_some_and(|&bound| bound > at) {
                bounds.pop();
            }
        } else if !known.contains_key(&top) {
            places.insert(top, open.len());
            bounds.push(open.len());
            open.push(top);
            waiting.push((top, true));
            waiting.extend(next(top).into_iter().filter(|v| !known.contains_key(v)).map(|v| (v, false)));
        }
    }
}
