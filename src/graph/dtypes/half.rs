//! Signs that an array is in half precision where the model is. In many models nothing is: their inputs are float32, and no one casts them. What a file says
//! of it stands on the way of the array, through layers and across the functions of the file: a cast to the dtype of weights or back from float32, or tokens that
//! are embedded; and what on that way is float32 whatever the model is in. A cache is no sign: it is in the dtype of what is put into it. That serves to see
//! whether anything is gained, and proves nothing.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::ControlFlow::{Break, Continue};

use rustc_hash::{FxHashMap, FxHashSet};

use super::arguments::{Passed, calls};
use super::flow::{DtypeFlow, Known};
use super::promotion::Dtype;
use super::shown::carried;
use crate::graph::Analysis;
use crate::graph::body::Effect;
use crate::graph::definitions::FunctionIndex;
use crate::graph::facts::Facts;
use crate::graph::value::{Graph, Op, ValueId};

/// What says that an array may be in half precision, or is float32 all the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sign {
    /// The number of the scope that it stands in.
    pub body: usize,
    /// The value.
    pub value: ValueId,
}

/// Where arrays come from, in one file.
#[derive(Default)]
pub struct Origins {
    /// What calls give each parameter, and the scope of the call.
    passed: FxHashMap<ValueId, Vec<(usize, ValueId)>>,
    /// The functions of the file that are called.
    called: FxHashMap<ValueId, FunctionIndex>,
    /// What each call gives the parameters of which function.
    given: FxHashMap<ValueId, Vec<(FunctionIndex, ValueId, ValueId)>>,
    /// The calls of each function that are not lowered in place, and their scopes.
    calls: FxHashMap<FunctionIndex, Vec<(usize, ValueId)>>,
    /// The signs of half precision that were found of values before.
    known: RefCell<FxHashMap<ValueId, Option<Sign>>>,
    /// Values that nothing makes float32, as was found before.
    not_single: RefCell<FxHashSet<ValueId>>,
    /// For each scope that was looked at the arrays beside which a sign stands.
    beside: RefCell<FxHashMap<usize, FxHashMap<ValueId, ValueId>>>,
}

/// What is followed back from arrays: values by the number of their scope.
#[derive(Default)]
struct Trail {
    waiting: BTreeMap<usize, Vec<ValueId>>,
    seen: FxHashSet<ValueId>,
}

/// What a value on the way says.
enum Step {
    Found(Sign),
    /// There is nothing behind it.
    Leave,
    GoOn,
}

impl Trail {
    fn of(body: usize, values: &[ValueId]) -> Self {
        let mut trail = Self::default();
        values.iter().for_each(|&v| trail.go(body, v));
        trail
    }

    fn go(&mut self, body: usize, value: ValueId) {
        if self.seen.insert(value) {
            self.waiting.entry(body).or_default().push(value);
        }
    }
}

impl Origins {
    /// The origins of arrays in the file of `analysis`.
    pub fn of(analysis: &Analysis<'_>) -> Self {
        let mut origins = Self::default();
        for call in calls(analysis).0 {
            origins.called.insert(call.value, call.function);
            origins.calls.entry(call.function).or_default().push((call.body, call.value));
            for (parameter, given) in call.given.into_iter().flatten() {
                if let Passed::Value(value) = given {
                    origins.passed.entry(parameter).or_default().push((call.body, value));
                    origins.given.entry(call.value).or_default().push((call.function, parameter, value));
                }
            }
        }
        origins
    }

    /// The parameters of a function of the file to which `call` gives `value`; nothing where it calls none, or gives it to none of them.
    pub(super) fn parameters(&self, call: ValueId, value: ValueId) -> Option<Vec<(FunctionIndex, ValueId)>> {
        let given = self.given.get(&call)?.iter().filter(|(.., v)| *v == value).map(|&(function, parameter, _)| (function, parameter));
        Some(given.collect()).filter(|all: &Vec<_>| !all.is_empty())
    }

    /// The calls of `function` that are not lowered in place, and the numbers of their scopes.
    pub(super) fn calls(&self, function: FunctionIndex) -> &[(usize, ValueId)] {
        self.calls.get(&function).map_or(&[], Vec::as_slice)
    }

    /// A sign that `arrays`, values of the scope with the number `body` in the file of these origins, are in half precision where the model is.
    pub fn sign(&self, analysis: &Analysis<'_>, body: usize, arrays: &[ValueId]) -> Option<Sign> {
        let mut trail = Trail::of(body, arrays);
        let sign = self.followed(analysis, &mut trail, &|scope, value| {
            if let Some(known) = self.known.borrow().get(&value) {
                return known.map_or(Step::Leave, Step::Found);
            }
            let mut beside = self.beside.borrow_mut();
            let beside = beside.entry(scope.number).or_insert_with(|| scope.beside()).get(&value).copied();
            let sign = if scope.is_sign(value) { Some(value) } else { beside };
            sign.map_or(Step::GoOn, |value| Step::Found(Sign { body: scope.number, value }))
        });
        // Where nothing is found, nothing is found from all that was looked at; what is found speaks for what was asked for.
        let told = if sign.is_some() { arrays.iter().copied().collect() } else { trail.seen };
        self.known.borrow_mut().extend(told.into_iter().map(|v| (v, sign)));
        sign
    }

    /// What makes `arrays`, values of the scope with the number `body`, float32 on some path whatever the model is in; but for arrays of one number, each of
    /// which may become the number.
    pub fn single(&self, analysis: &Analysis<'_>, body: usize, arrays: &[ValueId]) -> Option<Sign> {
        let mut trail = Trail::of(body, arrays);
        let single = self.followed(analysis, &mut trail, &|scope, value| {
            if self.not_single.borrow().contains(&value) {
                return Step::Leave;
            }
            // What is given or returned is float32 for what is elsewhere, which may be one of those numbers.
            let is_from_elsewhere =
                matches!(analysis.graph.op(value), Op::Param(..) | Op::Phi(..) | Op::Item(_) | Op::Changed(_) | Op::Apply | Op::Call(..));
            if is_from_elsewhere || !scope.flow.is_single(value) {
                return Step::GoOn;
            }
            let cause = scope.flow.cause(value);
            match cause != value || is_of_one_number(scope.facts, &analysis.graph, cause) {
                true => Step::GoOn,
                false => Step::Found(Sign { body: scope.number, value }),
            }
        });
        if single.is_none() {
            self.not_single.borrow_mut().extend(trail.seen);
        }
        single
    }

    /// The first thing that `step` finds on the way back.
    fn followed(&self, analysis: &Analysis<'_>, trail: &mut Trail, step: &dyn Fn(&mut Scope<'_>, ValueId) -> Step) -> Option<Sign> {
        while let Some((number, mut waiting)) = trail.waiting.pop_first() {
            let body = &analysis.bodies[number];
            let facts = Facts::at(analysis, body, 0, body.range.end());
            let flow = DtypeFlow::in_file(analysis, &facts);
            let mut scope = Scope { analysis, number, facts: &facts, flow, carried: carried(body), origins: self };
            while let Some(value) = waiting.pop() {
                match step(&mut scope, value) {
                    Step::Found(sign) => return Some(sign),
                    Step::Leave => continue,
                    Step::GoOn => scope.step(value, trail),
                }
                waiting.extend(trail.waiting.remove(&number).into_iter().flatten());
            }
        }
        None
    }

    /// Go on to what `function` returns: the whole of it, or one item.
    fn results(&self, analysis: &Analysis<'_>, function: FunctionIndex, item: Option<u32>, trail: &mut Trail) {
        let Some(number) = analysis.body_of(function) else { return };
        let returned = analysis.bodies[number].effects.iter().filter_map(|e| if let Effect::Return(v) = *e { Some(v) } else { None });
        for value in returned {
            let part = match (analysis.graph.get(value), item) {
                ((Op::Tuple, items), Some(item)) => items.get(item as usize).copied(),
                ((Op::Tuple, _), None) => None,
                _ => Some(value),
            };
            part.into_iter().for_each(|v| trail.go(number, v));
        }
    }
}

/// One scope on the way.
struct Scope<'s> {
    analysis: &'s Analysis<'s>,
    number: usize,
    facts: &'s Facts<'s>,
    flow: DtypeFlow<'s>,
    /// What is carried to each join.
    carried: FxHashMap<ValueId, Vec<ValueId>>,
    origins: &'s Origins,
}

impl Scope<'_> {
    /// Whether `value` says by itself that it is in half precision where the model is.
    fn is_sign(&mut self, value: ValueId) -> bool {
        let graph = &self.analysis.graph;
        match graph.get(value) {
            (Op::Mlx("astype"), operands) => self.is_cast_of_a_model(operands[0], operands[1]),
            (Op::Apply | Op::Call(..), operands) => self.facts.module_of(operands[0]) == Some("Embedding"),
            _ => false,
        }
    }

    /// Whether `array` is cast to `dtype` for the sake of half precision: float32 is cast back to what an array has, or an input to what weights have or
    /// somebody says.
    fn is_cast_of_a_model(&mut self, array: ValueId, dtype: ValueId) -> bool {
        let graph = &self.analysis.graph;
        if let Known::Dtype(Some(known)) = self.flow.of(dtype) {
            return matches!(known, Dtype::Float16 | Dtype::Bfloat16);
        }
        // One that is chosen elsewhere is a choice between float32 and less.
        if graph.op(dtype) != Op::DtypeOf {
            return !self.is_whole(array);
        }
        let is_of_weights = matches!(graph.op(graph.operands(dtype)[0]), Op::Attr(..));
        self.is_floating(array) || is_of_weights && !self.is_whole(array)
    }

    fn is_floating(&mut self, array: ValueId) -> bool {
        self.flow.is_floating(array) || matches!(self.flow.of(array), Known::Array(dtype) if dtype.is_floating())
    }

    fn is_whole(&mut self, array: ValueId) -> bool {
        matches!(self.flow.of(array), Known::Array(dtype) if !dtype.is_floating())
    }

    /// The arrays beside which something says so, and what: they give something else their dtype.
    fn beside(&mut self) -> FxHashMap<ValueId, ValueId> {
        let graph = &self.analysis.graph;
        let body = &self.analysis.bodies[self.number];
        let mut found = FxHashMap::default();
        for value in body.occurrences.iter().filter(|o| o.own).map(|o| o.value) {
            let (Op::Mlx(name), operands) = graph.get(value) else { continue };
            if name == "astype" && !self.is_floating(operands[0]) {
                continue;
            }
            for &v in operands.iter().filter(|&&v| graph.op(v) == Op::DtypeOf) {
                found.entry(graph.operands(v)[0]).or_insert(value);
            }
        }
        found
    }

    /// Go on to what `value` has its dtype from.
    fn step(&mut self, value: ValueId, trail: &mut Trail) {
        let (origins, number) = (self.origins, self.number);
        let (op, operands) = self.analysis.graph.get(value);
        if let (Op::Item(item), Some(&function)) = (op, operands.first().and_then(|call| origins.called.get(call))) {
            origins.results(self.analysis, function, Some(item), trail);
        }
        match op {
            Op::Param(..) => origins.passed.get(&value).into_iter().flatten().for_each(|&(body, v)| trail.go(body, v)),
            Op::Phi(..) => operands.iter().chain(self.carried.get(&value).into_iter().flatten()).for_each(|&v| trail.go(number, v)),
            Op::Item(_) | Op::Changed(_) => trail.go(number, operands[0]),
            Op::Apply | Op::Call(..) => {
                if let Some(&function) = origins.called.get(&value) {
                    origins.results(self.analysis, function, None, trail);
                }
                operands.get(1).into_iter().for_each(|&v| trail.go(number, v));
            }
            _ => self.flow.joined(value).into_iter().for_each(|v| trail.go(number, v)),
        }
    }
}

/// Whether `value` is an array that is made of one Python number.
fn is_of_one_number(facts: &Facts<'_>, graph: &Graph, value: ValueId) -> bool {
    !graph.finds(value, |v| match graph.get(v) {
        (Op::Mlx("array" | "sqrt" | "rsqrt"), operands) if facts.kind(operands[0]).is_number() => Continue(&[]),
        (Op::Div, operands) => Continue(operands),
        _ if v != value && facts.kind(v).is_number() => Continue(&[]),
        _ => Break(()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::Source;

    /// The text that says of what `Block.__call__` with this body returns that it is in half precision where the model is.
    fn sign(body: &str) -> Option<String> {
        let text = format!(
            "import mlx.core as mx
import mlx.nn as nn

class Block(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.proj = nn.Linear(d, d)

    def __call__(self, x, cache=None, dtype=mx.float32):
        for _ in range(2):
            x = self.proj(x)
        {body}

class Model(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.embed = nn.Embedding(8, d)
        self.block = Block(d)
        self.other = Block(d)

    def __call__(self, tokens, features):
        h = features
        TAKES
        return self.block(h, tokens)
"
        );
        let (text, takes) = (text.replace("# embedded", "pass"), body.contains("# embedded"));
        let text = text.replace("TAKES", if takes { "h = self.embed(tokens)" } else { "pass" });
        let source = Source::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let analysis = Analysis::new(&source, Graph::default());
        let is_call = |body: &crate::graph::body::Body| analysis.graph.name(body.name) == "Block.__call__";
        let number = analysis.bodies.iter().position(is_call).expect("the text has the method");
        let returned = analysis.bodies[number].effects.iter().find_map(|e| if let Effect::Return(v) = *e { Some(v) } else { None });
        let sign = Origins::of(&analysis).sign(&analysis, number, &[returned.expect("it returns a value")])?;
        let place = analysis.bodies[sign.body].occurrences_of(sign.value).next();
        Some(place.map_or(String::new(), |place| analysis.source.slice(place.range).to_owned()))
    }

    #[test]
    fn a_sign_of_half_precision_stands_on_the_way_of_an_array_or_beside_it() {
        for (body, text) in [
            ("# embedded\n        return x", "self.embed(tokens)"),
            ("x = mx.softmax(x.astype(mx.float32)).astype(x.dtype)\n        return x * 2", "mx.softmax(x.astype(mx.float32)).astype(x.dtype)"),
            ("h = mx.tanh(x.astype(self.proj.weight.dtype))\n        return h", "x.astype(self.proj.weight.dtype)"),
            ("return x.astype(mx.bfloat16) @ x", "x.astype(mx.bfloat16)"),
            ("return mx.abs(x.astype(dtype))", "x.astype(dtype)"),
            ("mask = mx.zeros((4,), dtype=x.dtype)\n        return x", "mx.zeros((4,), dtype=x.dtype)"),
        ] {
            assert_eq!(sign(body).as_deref(), Some(text), "{body}");
        }
    }

    #[test]
    fn what_is_called_with_features_shows_none() {
        let mask = "return x * cache.astype(x.dtype)".replace("cache", "(dtype > 0)");
        let cached = ["k, v = cache.update_and_fetch(x, x)\n        return x @ k", "y = mx.concatenate([cache[0], x])\n        return x"];
        for body in ["return x", "return x.astype(mx.float32)", "return self.proj(x) + mx.zeros((4,))", &mask].into_iter().chain(cached) {
            assert_eq!(sign(body), None, "{body}");
        }
    }
}
