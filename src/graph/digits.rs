//! What speaks against half precision in sight of a value: sums over it, those of a softmax too, logarithms and roots of differences of it, a state that it is
//! part of, positions, time steps and noise that it is made of; and which arrays are positions themselves, so that no transform gains anything there. Names
//! prove nothing, but they may warn.

mod marks;
mod rounds;
mod softmaxes;

use std::cell::RefCell;

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::Analysis;
use super::body::Body;
use super::dtypes;
use super::facts::Facts;
use super::users::Users;
use super::value::{Graph, Op, Symbol, ValueId};
pub use marks::Marks;
use marks::{is_running, is_sum};
use rounds::followed;
use softmaxes::Few;
pub use softmaxes::{PRECISE, Softmax, half_sums, told_to_be_precise};

/// Words in names of what is small, or has many digits, or is looked at for a long time.
const WARNINGS: [&str; 43] = [
    "accumulator",
    "acc",
    "alphas",
    "angles",
    "audio",
    "betas",
    "boxes",
    "codes",
    "coord",
    "coords",
    "ema",
    "euler",
    "frame",
    "frames",
    "freqs",
    "grad",
    "grads",
    "ids",
    "joints",
    "keypoints",
    "landmarks",
    "loss",
    "losses",
    "mel",
    "momentum",
    "noise",
    "pixel",
    "pixels",
    "points",
    "pose",
    "position",
    "positions",
    "rays",
    "sigma",
    "sigmas",
    "time",
    "timestep",
    "timesteps",
    "tokens",
    "vertices",
    "verts",
    "wav",
    "window",
];
/// Words in names of what goes on from one call to the next.
const KEPT: [&str; 2] = ["cache", "state"];

/// Words that end names of what says where or which something is.
const PLACES: [&str; 7] = ["ids", "idx", "index", "indices", "pos", "position", "positions"];

/// What is in sight of the values of one part of a scope. It is worked out once for each, from what is in sight of the values beside it, so that values which
/// share what is made of them are not followed one by one.
#[derive(Default)]
pub struct Digits {
    behind: RefCell<FxHashMap<ValueId, Sight>>,
    ahead: RefCell<FxHashMap<ValueId, Sight>>,
}

/// What is found among values; places are numbers of occurrences, and of several the first counts.
#[derive(Clone, Copy, Default)]
struct Sight {
    is_summed: bool,
    sum: Option<u32>,
    is_running: bool,
    delicate: Option<u32>,
    /// Softmaxes that add up in the dtype of what they are given.
    softmaxes: Few,
    /// The first in a function of the file.
    inner_softmax: Option<(usize, u32)>,
    /// A function of the file that does something of the kind, as the number of its scope, and where in it.
    inside: Option<(usize, u32)>,
    ranking: Option<u32>,
    is_kept: bool,
    /// A join that adds up over the rounds of a loop.
    is_joined: bool,
    /// The first name under which it is kept or joined.
    kept: Option<Symbol>,
    drawn: Option<Drawn>,
    /// The first name with a warning in it, in alphabetical order.
    warning: Option<Symbol>,
    /// The first name of what goes on.
    going_on: Option<Symbol>,
}

/// Values that have more digits than half precision.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Drawn {
    Positions,
    RandomNumbers,
}

/// What would have to be assumed for `used`, whose other operands are `partners`, to be computed in half precision.
pub fn doubts(analysis: &Analysis<'_>, body: &Body, users: &Users, used: ValueId, partners: &[ValueId]) -> Vec<String> {
    let Seen { behind, ahead, all } = Seen::from(analysis, body, users, used, partners);
    let mut doubts = Vec::new();
    if ahead.is_summed {
        doubts.push(match ahead.sum {
            Some(place) => format!("half precision is enough for `{}`", text(analysis, body, place)),
            None => "half precision is enough for what is summed up".to_owned(),
        });
    }
    if let Some(place) = ahead.delicate {
        doubts.push(format!("half precision is enough for `{}`", text(analysis, body, place)));
    }
    if let Some((scope, place)) = ahead.inside {
        let inner = &analysis.bodies[scope];
        let name = analysis.graph.name(inner.name);
        doubts.push(format!("half precision is enough for `{}` in `{name}`", text(analysis, inner, place)));
    }
    let kept = |name: Option<Symbol>| match name {
        Some(name) => format!("half precision is enough for `{}`, which is kept from one round or call to the next", analysis.graph.name(name)),
        None => "half precision is enough for what is kept from one round or call to the next".to_owned(),
    };
    if ahead.is_kept || ahead.is_joined {
        doubts.push(kept(ahead.kept));
    }
    doubts.extend(match behind.drawn {
        _ if behind.is_joined => Some(kept(behind.kept)).filter(|_| !ahead.is_kept && !ahead.is_joined),
        Some(Drawn::Positions) => Some("half precision is enough for the positions".to_owned()),
        Some(Drawn::RandomNumbers) => Some("half precision is enough for the random numbers".to_owned()),
        None => None,
    });
    let is_new = |name: &&str| all.kept.is_none_or(|kept| analysis.graph.name(kept) != *name);
    let warning = warning(analysis, body, all.warning, &WARNINGS).or_else(|| warning(analysis, body, all.going_on, &KEPT)).filter(is_new);
    doubts.extend(warning.map(|name| format!("half precision is enough for `{name}`")));
    doubts
}

/// What is decided by the digits of what is made of `used`, whose other operands are `partners`: where elements are ranked or summed up step by step nothing is
/// gained, for that is not where time goes, and another choice may be made.
pub fn decides(analysis: &Analysis<'_>, body: &Body, users: &Users, used: ValueId, partners: &[ValueId]) -> Option<String> {
    Seen::from(analysis, body, users, used, partners).decides(analysis, body)
}

/// What is surely no matter of half precision in sight of `used`, whose other operands are `partners`: a name or an origin that says so.
pub fn stays(analysis: &Analysis<'_>, body: &Body, users: &Users, used: ValueId, partners: &[ValueId]) -> Option<String> {
    let seen = Seen::from(analysis, body, users, used, partners);
    if seen.behind.drawn.is_some() {
        return Some("positions and random numbers need their digits".to_owned());
    }
    let named = || warning(analysis, body, seen.all.warning, &WARNINGS).map(|name| format!("what is called `{name}` needs its digits"));
    seen.decides(analysis, body).or_else(named)
}

/// Whether the array `value` plainly says where or which things are, which is little beside the things: it holds whole numbers, or it or what it is a view of
/// is called so.
pub fn numbers_things(analysis: &Analysis<'_>, body: &Body, facts: &Facts<'_>, value: ValueId) -> bool {
    let graph = &analysis.graph;
    let is_called_so = |v: ValueId| {
        let read = match graph.op(v) {
            Op::Param(_, name) | Op::Attr(name, _) | Op::Captured(_, name) => Some(name),
            _ => None,
        };
        body.holders_of(v).chain(read).any(|name| names_places(graph.name(name)))
    };
    let viewed = |&v: &ValueId| match graph.get(v) {
        (Op::Permute | Op::Index(_) | Op::Changed(_), operands) => Some(operands[0]),
        (Op::Mlx("array" | "astype" | "broadcast_to" | "expand_dims" | "repeat" | "reshape" | "squeeze"), operands) => Some(operands[0]),
        _ => None,
    };
    std::iter::successors(Some(value), viewed).any(|v| is_called_so(v) || dtypes::is_whole(graph, facts, v))
}

/// Whether the last word of `name` says so; `pos_3d` ends with `pos`, and `position_embeddings` are no positions.
fn names_places(name: &str) -> bool {
    let mut words = name.split(|c: char| !c.is_alphabetic()).filter(|word| word.len() > 1);
    words.next_back().is_some_and(|last| PLACES.contains(&last.to_ascii_lowercase().as_str()))
}

/// What is in sight of a use.
struct Seen {
    /// What its other operands are made of element by element.
    behind: Sight,
    /// What is made of it.
    ahead: Sight,
    all: Sight,
}

impl Seen {
    fn from(analysis: &Analysis<'_>, body: &Body, users: &Users, used: ValueId, partners: &[ValueId]) -> Self {
        let digits = users.digits.get_or_init(Digits::default);
        let behind = partners.iter().fold(Sight::default(), |sight, &v| sight.with(digits.behind(analysis, body, v), &analysis.graph));
        let ahead = digits.ahead(analysis, body, users, used);
        Self { behind, ahead, all: behind.with(ahead, &analysis.graph) }
    }

    fn decides(&self, analysis: &Analysis<'_>, body: &Body) -> Option<String> {
        match self.all.ranking {
            Some(place) => Some(format!("the choice by `{}` may fall the other way", text(analysis, body, place))),
            None => self.ahead.is_running.then(|| "it is summed up step by step".to_owned()),
        }
    }
}

impl Digits {
    /// What is found among the values that `value` is made of element by element, itself included.
    fn behind(&self, analysis: &Analysis<'_>, body: &Body, value: ValueId) -> Sight {
        let (graph, marks) = (&analysis.graph, body.marks.get_or_init(|| Marks::of(analysis, body)));
        let own = |v: ValueId| {
            let (join, drawn) = (marks.rounds.running(graph, v), drawn(graph, v));
            let (is_joined, kept) = (join.is_some(), join.flatten());
            let read = match graph.op(v) {
                Op::Param(_, name) | Op::Attr(name, _) | Op::Captured(_, name) => Some(name),
                _ => None,
            };
            let names = body.holders_of(v).chain(read);
            Sight { is_joined, kept, drawn, ranking: marks.rankings.get(&v).copied(), ..Sight::named(names, graph) }
        };
        let next = |v: ValueId| sources(graph, v).iter().chain(marks.rounds.origins(v)).copied().collect();
        seen(&mut self.behind.borrow_mut(), graph, value, &next, &own, &|_, _, sight| sight)
    }

    /// What is found among the values that are made of `value`, itself included.
    fn ahead(&self, analysis: &Analysis<'_>, body: &Body, users: &Users, value: ValueId) -> Sight {
        let (graph, marks) = (&analysis.graph, body.marks.get_or_init(|| Marks::of(analysis, body)));
        let own = |v: ValueId| {
            let (join, kept, called) = (marks.rounds.running(graph, v), marks.kept.get(&v), called(analysis, v));
            let inner = called.map(|scope| (scope, analysis.bodies[scope].marks.get_or_init(|| Marks::of(analysis, &analysis.bodies[scope]))));
            Sight {
                is_summed: is_sum(graph, v),
                sum: marks.sums.get(&v).copied(),
                is_running: is_running(graph, v) || inner.is_some_and(|(_, marks)| marks.is_running),
                delicate: marks.delicate.get(&v).copied(),
                softmaxes: Few::of(marks.softmaxes.get(&v).copied()),
                inner_softmax: inner.and_then(|(scope, marks)| Some((scope, marks.first_softmax()?))),
                inside: inner.and_then(|(scope, marks)| Some((scope, marks.first()?))),
                ranking: marks.rankings.get(&v).copied(),
                is_kept: kept.is_some(),
                is_joined: join.is_some(),
                kept: kept.copied().flatten().or(join.flatten()),
                ..Sight::named(body.holders_of(v), graph)
            }
        };
        let next = |v: ValueId| users.users(v).iter().chain(marks.rounds.after(v)).copied().collect();
        seen(&mut self.ahead.borrow_mut(), graph, value, &next, &own, &|of, made, sight| passes(graph, of, made, sight))
    }
}

/// What matters to `of` of what is in `sight` from `made` on, which is made of it: digits end at comparisons and lengths, and what is cast to another dtype than
/// its own is added up in that.
fn passes(graph: &Graph, of: ValueId, made: ValueId, sight: Sight) -> Sight {
    match graph.get(made) {
        (Op::Compare(_) | Op::Shape | Op::Dim(_) | Op::Ndim, _) => Sight::default(),
        (Op::Mlx("astype"), &[array, dtype]) if array == of && dtype != of => {
            Sight { is_summed: false, sum: None, delicate: None, softmaxes: Few::default(), inner_softmax: None, inside: None, ..sight }
        }
        _ => sight,
    }
}

impl Sight {
    /// What `names` say.
    fn named(names: impl Iterator<Item = Symbol>, graph: &Graph) -> Self {
        names.fold(Self::default(), |sight, name| {
            let holding = |words: &[&str]| Some(name).filter(|&n| warns(graph.name(n), words));
            sight.with(Self { warning: holding(&WARNINGS), going_on: holding(&KEPT), ..Self::default() }, graph)
        })
    }

    /// What is found among the values of both.
    fn with(self, other: Self, graph: &Graph) -> Self {
        let name = |a: Option<Symbol>, b: Option<Symbol>| a.into_iter().chain(b).min_by_key(|&n| graph.name(n));
        Self {
            is_summed: self.is_summed || other.is_summed,
            sum: self.sum.into_iter().chain(other.sum).min(),
            is_running: self.is_running || other.is_running,
            delicate: self.delicate.into_iter().chain(other.delicate).min(),
            softmaxes: self.softmaxes.with(other.softmaxes),
            inner_softmax: self.inner_softmax.into_iter().chain(other.inner_softmax).min(),
            inside: self.inside.into_iter().chain(other.inside).min(),
            ranking: self.ranking.into_iter().chain(other.ranking).min(),
            is_kept: self.is_kept || other.is_kept,
            is_joined: self.is_joined || other.is_joined,
            kept: name(self.kept, other.kept),
            drawn: self.drawn.into_iter().chain(other.drawn).min(),
            warning: name(self.warning, other.warning),
            going_on: name(self.going_on, other.going_on),
        }
    }
}

/// What is found among `value` and all that `next` leads to from it, as far as it `passes` from each to the one before; `known` keeps what is found from each
/// value on.
fn seen(
    known: &mut FxHashMap<ValueId, Sight>,
    graph: &Graph,
    value: ValueId,
    next: &dyn Fn(ValueId) -> SmallVec<[ValueId; 4]>,
    own: &dyn Fn(ValueId) -> Sight,
    passes: &dyn Fn(ValueId, ValueId, Sight) -> Sight,
) -> Sight {
    followed(known, value, next, &|part, known| {
        let told = |v: ValueId| next(v).into_iter().filter_map(move |n| Some(passes(v, n, *known.get(&n)?)));
        let beside = |v: ValueId| told(v).fold(own(v), |sight, other| sight.with(other, graph));
        part.iter().fold(Sight::default(), |sight, &v| sight.with(beside(v), graph))
    });
    known[&value]
}

/// What `value` is made of element by element.
fn sources(graph: &Graph, value: ValueId) -> &[ValueId] {
    match graph.get(value) {
        // A layer makes something else of it.
        (Op::MatMul, _) => &[],
        _ if graph.calls_module(value) => &[],
        // Where elements are taken from has no part in what they are.
        (Op::Index(_) | Op::Mlx("take" | "take_along_axis"), operands) => &operands[..1],
        (_, operands) => operands,
    }
}

/// The number of the scope of the function of the file that `value` calls.
fn called(analysis: &Analysis<'_>, value: ValueId) -> Option<usize> {
    let (Op::Call(..) | Op::Apply, operands) = analysis.graph.get(value) else { return None };
    let Op::Function(name) = analysis.graph.op(*operands.first()?) else { return None };
    analysis.body_of(analysis.definitions.function_named(name)?)
}

/// What `value` is, where that has more digits than half precision.
fn drawn(graph: &Graph, value: ValueId) -> Option<Drawn> {
    match graph.get(value) {
        (Op::Mlx("arange" | "linspace"), _) => Some(Drawn::Positions),
        (Op::Call(..), operands) => graph.path(operands[0]).is_some_and(|p| p.starts_with("mlx.core.random.")).then_some(Drawn::RandomNumbers),
        _ => None,
    }
}

/// The text of an occurrence on one line.
fn text(analysis: &Analysis<'_>, body: &Body, occurrence: u32) -> String {
    analysis.source.quote(body.occurrences[occurrence as usize].range)
}

/// The name of the function, if one of `words` is in it, else the name that was `found`.
fn warning<'a>(analysis: &'a Analysis<'_>, body: &Body, found: Option<Symbol>, words: &[&str]) -> Option<&'a str> {
    let function = analysis.graph.name(body.name);
    let function = function.rsplit('.').next().unwrap_or(function);
    if warns(function, words) { Some(function) } else { found.map(|name| analysis.graph.name(name)) }
}

/// Whether one of `words` is in `name`.
fn warns(name: &str, words: &[&str]) -> bool {
    // What is kept has its kind before the word: `kvcache`.
    let is_one = |word: &str| words.contains(&word) || KEPT.iter().any(|kept| words.contains(kept) && word.ends_with(kept));
    name.to_ascii_lowercase().split(|c: char| !c.is_alphabetic()).any(is_one)
}
