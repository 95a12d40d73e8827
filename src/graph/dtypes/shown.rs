//! What a file shows of dtypes across its functions: results and arguments that are float32 however half the model is, because a state begins as zeros without a
//! dtype, or positions take part, somewhere that a call leads to or comes from. Calls that the file makes are all that is known of a parameter here: that
//! serves to see that nothing is gained, and proves nothing.

use std::cell::RefCell;
use std::rc::Rc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::arguments::{Call, Passed, calls};
use super::flow::{DtypeFlow, Known};
use super::promotion::Dtype;
use crate::graph::Analysis;
use crate::graph::body::{Body, Effect};
use crate::graph::definitions::FunctionIndex;
use crate::graph::facts::Facts;
use crate::graph::value::{Op, Symbol, ValueId};

/// What is shown of values of which one scope alone knows nothing.
pub type Shown = FxHashMap<ValueId, Given>;

/// What a value is, whatever the model is in.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Given {
    /// A float32 array.
    Single,
    /// `None`.
    None,
}

/// So often calls are gone through, and joins held against what is assumed of them.
const MAX_ROUNDS: usize = 8;
/// So many calls are followed one into another; fewer where that are too many results to work out, in all of the file, so that the order decides nothing.
const DEPTHS: [u32; 3] = [4, 1, 0];
/// So many results are worked out.
const MAX_RESULTS: usize = 500;

impl Passed {
    fn given(self, flow: &mut DtypeFlow<'_>) -> Option<Given> {
        match self {
            Self::None => Some(Given::None),
            Self::Value(v) => match flow.of(v) {
                Known::Array(Dtype::Float32) => Some(Given::Single),
                Known::None => Some(Given::None),
                _ => None,
            },
            Self::Default => None,
        }
    }
}

/// A function, what its parameters are, and how many calls deep: deeper ones are followed less far, and must not answer for others.
type Arguments = (FunctionIndex, Vec<(ValueId, Given)>, u32);

/// What a function returns.
#[derive(Default)]
struct Returned {
    is_single: bool,
    /// Whether the items of the tuple are.
    items: Vec<bool>,
}

/// What is looked at of a file.
struct Reader<'x, 'a> {
    analysis: &'x Analysis<'a>,
    calls: Vec<Call>,
    /// The functions that are called in ways that are not followed.
    elsewhere: FxHashSet<FunctionIndex>,
    /// For each call the values that it unpacks to, by number.
    parts: FxHashMap<ValueId, Vec<(usize, ValueId)>>,
    /// For each list of which only that is known, what is joined of its elements.
    lists: FxHashMap<ValueId, Vec<ValueId>>,
    /// What functions return, by what their parameters are.
    results: RefCell<FxHashMap<Arguments, Rc<Returned>>>,
    /// So many calls are followed.
    depth: u32,
}

/// What the file shows.
pub(in crate::graph) fn shown(analysis: &Analysis<'_>) -> Shown {
    let (calls, elsewhere) = calls(analysis);
    if calls.is_empty() {
        return Shown::default();
    }
    let mut reader = Reader::new(analysis, calls, elsewhere);
    DEPTHS.into_iter().find_map(|depth| reader.shown(depth)).unwrap_or_default()
}

impl<'x, 'a> Reader<'x, 'a> {
    fn new(analysis: &'x Analysis<'a>, calls: Vec<Call>, elsewhere: FxHashSet<FunctionIndex>) -> Self {
        let graph = &analysis.graph;
        let values: FxHashSet<ValueId> = calls.iter().map(|c| c.value).collect();
        let (parts, lists, results) = Default::default();
        let mut reader = Self { analysis, calls, elsewhere, parts, lists, results, depth: 0 };
        let part = |of: ValueId, number: Option<usize>| number.filter(|_| values.contains(&of)).map(|number| (of, number));
        for id in graph.ids() {
            let part = match graph.get(id) {
                (Op::Item(number), operands) => part(operands[0], usize::try_from(number).ok()),
                (Op::Index(_), &[of, at]) => part(of, if let Op::Int(n) = graph.op(at) { usize::try_from(n).ok() } else { None }),
                (Op::Mlx("concatenate" | "stack"), operands) if matches!(graph.op(operands[0]), Op::Opaque(..)) => {
                    reader.lists.entry(operands[0]).or_default().push(id);
                    None
                }
                _ => None,
            };
            if let Some((of, number)) = part {
                reader.parts.entry(of).or_default().push((number, id));
            }
        }
        reader
    }

    /// What is shown where `depth` calls are followed; nothing where those give too many results.
    fn shown(&mut self, depth: u32) -> Option<Shown> {
        (self.depth, self.results) = (depth, RefCell::default());
        let mut shown = Shown::default();
        for _ in 0..MAX_ROUNDS {
            let before = shown.len();
            for number in 0..self.analysis.bodies.len() {
                self.settle(number, &mut shown, 0);
            }
            self.parameters(&mut shown);
            if self.is_full() {
                return None;
            }
            if shown.len() == before {
                break;
            }
        }
        Some(shown)
    }

    fn is_full(&self) -> bool {
        self.results.borrow().len() > MAX_RESULTS
    }

    /// Parameters to which every call of the file gives the same.
    fn parameters(&self, shown: &mut Shown) {
        let mut agreed: FxHashMap<ValueId, Option<Given>> = FxHashMap::default();
        let mut unknown = self.elsewhere.clone();
        for (number, body) in self.analysis.bodies.iter().enumerate() {
            let facts = Facts::at(self.analysis, body, 0, body.range.end());
            let mut flow = DtypeFlow::shown(self.analysis, &facts, shown);
            for call in self.calls_in(number) {
                let Some(given) = &call.given else {
                    unknown.insert(call.function);
                    continue;
                };
                for &(parameter, passed) in given {
                    let given = passed.given(&mut flow);
                    agreed.entry(parameter).and_modify(|known| *known = known.filter(|_| *known == given)).or_insert(given);
                }
            }
        }
        let names: FxHashSet<Symbol> = unknown.into_iter().map(|f| self.analysis.definitions.functions[f].name).collect();
        let is_known = |v: ValueId| !matches!(self.analysis.graph.op(v), Op::Param(scope, _) if names.contains(&scope));
        shown.extend(agreed.into_iter().filter_map(|(v, given)| Some((v, given.filter(|_| is_known(v))?))));
    }

    /// Add to `shown` what follows from it in a scope, `depth` calls below where it was asked: what calls give, and the joins that are float32 in every round
    /// because they begin so.
    fn settle(&self, number: usize, shown: &mut Shown, depth: u32) {
        let body = &self.analysis.bodies[number];
        self.follow(number, shown, depth);
        let is_open = |v: &ValueId| self.analysis.graph.operands(*v).len() == 1 && !shown.contains_key(v);
        let mut assumed: Vec<ValueId> = self.analysis.joins(body.name).iter().copied().filter(is_open).collect();
        let facts = Facts::at(self.analysis, body, 0, body.range.end());
        let carried = carried(body);
        for _ in 0..MAX_ROUNDS {
            if assumed.is_empty() {
                return;
            }
            let mut tried = shown.clone();
            tried.extend(assumed.iter().map(|&v| (v, Given::Single)));
            self.follow(number, &mut tried, depth);
            let mut flow = DtypeFlow::shown(self.analysis, &facts, &tried);
            let graph = &self.analysis.graph;
            let mut holds = |v: ValueId| graph.operands(v).iter().chain(carried.get(&v).into_iter().flatten()).all(|&v| flow.is_single(v));
            let kept: Vec<ValueId> = assumed.iter().copied().filter(|&v| holds(v)).collect();
            if kept.len() == assumed.len() {
                *shown = tried;
                return;
            }
            assumed = kept;
        }
    }

    /// Add to `shown` what calls give, and what is joined of lists.
    fn follow(&self, number: usize, shown: &mut Shown, depth: u32) {
        let body = &self.analysis.bodies[number];
        for _ in 0..MAX_ROUNDS {
            let before = shown.len();
            let joined = self.appended(body, shown);
            shown.extend(joined.into_iter().map(|v| (v, Given::Single)));
            for call in self.calls_in(number).iter().filter(|_| depth < self.depth) {
                self.call(body, call, shown, depth);
            }
            if shown.len() == before {
                return;
            }
        }
    }

    /// The calls in a scope; all are in the order of their scopes.
    fn calls_in(&self, number: usize) -> &[Call] {
        let calls = &self.calls[self.calls.partition_point(|c| c.body < number)..];
        &calls[..calls.partition_point(|c| c.body == number)]
    }

    /// What `call` gives with the arguments that it passes.
    fn call(&self, body: &Body, call: &Call, shown: &mut Shown, depth: u32) {
        let parts = self.parts.get(&call.value).map_or(&[][..], Vec::as_slice);
        let is_known = |v: ValueId| shown.contains_key(&v);
        let (Some(given), false) = (&call.given, is_known(call.value) || !parts.is_empty() && parts.iter().all(|p| is_known(p.1))) else { return };
        let facts = Facts::at(self.analysis, body, 0, body.range.end());
        let mut flow = DtypeFlow::shown(self.analysis, &facts, shown);
        let passed = given.iter().filter_map(|&(parameter, passed)| Some((parameter, passed.given(&mut flow)?)));
        let passed: Vec<(ValueId, Given)> = passed.collect();
        let result = self.result(call.function, passed, depth + 1);
        let of_parts = parts.iter().filter(|(number, _)| result.items.get(*number) == Some(&true)).map(|p| p.1);
        shown.extend(result.is_single.then_some(call.value).into_iter().chain(of_parts).map(|v| (v, Given::Single)));
    }

    /// What `function` returns where its parameters are what is `passed`.
    fn result(&self, function: FunctionIndex, passed: Vec<(ValueId, Given)>, depth: u32) -> Rc<Returned> {
        let key = (function, passed, depth);
        if let Some(known) = self.results.borrow().get(&key) {
            return Rc::clone(known);
        }
        let mut result = Returned::default();
        if let Some(number) = self.analysis.body_of(function).filter(|_| !self.is_full()) {
            let mut shown: Shown = key.1.iter().copied().collect();
            self.settle(number, &mut shown, depth);
            result = self.returned(&self.analysis.bodies[number], &shown);
        }
        let result = Rc::new(result);
        self.results.borrow_mut().insert(key, Rc::clone(&result));
        result
    }

    fn returned(&self, body: &Body, shown: &Shown) -> Returned {
        let graph = &self.analysis.graph;
        if body.effects.iter().any(|e| matches!(e, Effect::Yield(_))) {
            return Returned::default();
        }
        let all: Vec<ValueId> = body.effects.iter().filter_map(|e| if let Effect::Return(v) = *e { Some(v) } else { None }).collect();
        let facts = Facts::at(self.analysis, body, 0, body.range.end());
        let mut flow = DtypeFlow::shown(self.analysis, &facts, shown);
        let items = |v: ValueId| match graph.get(v) {
            (Op::Tuple | Op::List, items) => items,
            _ => &[],
        };
        let count = all.iter().map(|&v| items(v).len()).min().unwrap_or(0);
        Returned {
            is_single: !all.is_empty() && all.iter().all(|&v| flow.is_single(v)),
            items: (0..count).map(|at| all.iter().all(|&v| flow.is_single(items(v)[at]))).collect(),
        }
    }

    /// What is joined of lists to which `body` appends float32.
    fn appended(&self, body: &Body, shown: &Shown) -> Vec<ValueId> {
        let graph = &self.analysis.graph;
        let facts = Facts::at(self.analysis, body, 0, body.range.end());
        let mut flow = DtypeFlow::shown(self.analysis, &facts, shown);
        let mut found = Vec::new();
        for effect in &body.effects {
            if let Effect::Call(call) = *effect
                && let &[callee, .., value] = graph.operands(call)
                && let (Op::Attr(name, _), &[list]) = graph.get(callee)
                && matches!(graph.name(name), "append" | "insert")
                && let Some(joined) = self.lists.get(&list)
                && flow.is_single(value)
            {
                found.extend(joined);
            }
        }
        found
    }
}

/// What is carried to each join of a scope.
pub(super) fn carried(body: &Body) -> FxHashMap<ValueId, Vec<ValueId>> {
    let mut carried: FxHashMap<ValueId, Vec<ValueId>> = FxHashMap::default();
    for effect in &body.effects {
        if let Effect::Carry(join, value) = *effect {
            carried.entry(join).or_default().push(value);
        }
    }
    carried
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::value::Graph;
    use crate::syntax::Source;

    const MODULES: &str = "import mlx.core as mx
import mlx.nn as nn

class Cell(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.w = mx.zeros((d, d))

    def run(self, x, h=None):
        if h is None:
            h = mx.zeros((4, 4), STATE)
        all = []
        for t in range(3):
            h = mx.tanh(x[t] + h @ self.w)
            all.append(h)
        return mx.stack(all), h

    def __call__(self, x, h=None):
        y, last = self.run(x, h)
        return y, None

class Turned(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.layers = [nn.Linear(d, d), nn.Linear(d, d)]

    def __call__(self, x, angle):
        return self.layers[1](nn.silu(self.layers[0](x))) * mx.cos(angle)

class Model(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.cell = Cell(d)
        self.blocks = [Turned(d) for _ in range(3)]
";

    /// Whether what `Model.__call__` with this body returns is float32 however half the model is, by what the whole file shows.
    fn is_single(body: &str, state: &str) -> bool {
        let text = format!("{MODULES}\n    def __call__(self, x: mx.array, half: mx.array):\n        {}\n", body.replace('\n', "\n        "))
            .replace("STATE", state);
        let source = Source::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let analysis = Analysis::new(&source, Graph::default());
        let body = analysis.bodies.iter().find(|b| analysis.graph.name(b.name) == "Model.__call__").expect("the text defines the method");
        let returned = body.effects.iter().find_map(|e| if let Effect::Return(v) = *e { Some(v) } else { None }).expect("it returns a value");
        DtypeFlow::in_file(&analysis, &Facts::at(&analysis, body, 0, body.range.end())).is_single(returned)
    }

    #[test]
    fn a_state_that_begins_as_float32_makes_the_result_float32() {
        assert!(is_single("y, _ = self.cell(x)\nreturn y", "mx.float32"));
        assert!(is_single("return self.cell(x)[0] + half", "mx.float32"));
        assert!(!is_single("y, _ = self.cell(x)\nreturn y", "mx.float16"));
        assert!(!is_single("y, _ = self.cell(x)\nreturn y", "x.dtype"));
        // What is passed is what it begins as.
        assert!(!is_single("y, _ = self.cell(x, half)\nreturn y", "mx.float32"));
        assert!(!is_single("_, last = self.cell(x)\nreturn last", "mx.float32"));
    }

    #[test]
    fn positions_make_what_they_turn_float32_in_every_round() {
        let turned = |angle: &str| format!("for block in self.blocks:\n    x = block(x, {angle})\nreturn x");
        assert!(is_single(&turned("mx.linspace(0, 1, 8)"), "x.dtype"));
        assert!(!is_single(&turned("mx.linspace(0, 1, 8).astype(x.dtype)"), "x.dtype"));
        assert!(!is_single(&turned("half"), "x.dtype"));
        assert!(is_single("for i, block in enumerate(self.blocks):\n    half = block(half, mx.arange(8.0))\nreturn half", "x.dtype"));
    }

    #[test]
    fn a_parameter_is_what_every_call_of_the_file_gives_it() {
        let calls = |second: &str| {
            format!(
                "class Other(nn.Module):\n    def __init__(self):\n        self.model = Model(4)\n\n    def __call__(self, x):\n        angle = mx.linspace(0, 1, 4)\n        {second}\n        return self.model(x, angle)\n"
            )
        };
        let is_single = |second: &str| {
            let text = format!("{MODULES}\n    def __call__(self, x: mx.array, half: mx.array):\n        return x * half\n\n{}", calls(second))
                .replace("STATE", "x.dtype");
            let source = Source::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
            let analysis = Analysis::new(&source, Graph::default());
            let [scope, name] = ["Model.__call__", "half"].map(|n| analysis.graph.known_symbol(n).expect("the text has the name"));
            let half = analysis.graph.find_leaf(Op::Param(scope, name)).expect("it is a parameter");
            analysis.shown().get(&half) == Some(&Given::Single)
        };
        assert!(is_single("pass"));
        assert!(!is_single("self.model(x, x)"));
        assert!(!is_single("self.kept = Model(8)"));
    }

    /// The functions of the file with the texts `functions` that return float32, sorted.
    fn single(functions: impl Iterator<Item = String>) -> Vec<String> {
        let text = format!("import mlx.core as mx\n{}", functions.collect::<String>());
        let source = Source::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let analysis = Analysis::new(&source, Graph::default());
        let is_single = |body: &&Body| {
            let facts = Facts::at(&analysis, body, 0, body.range.end());
            let mut flow = DtypeFlow::in_file(&analysis, &facts);
            body.effects.iter().any(|e| matches!(*e, Effect::Return(v) if flow.is_single(v)))
        };
        let mut names: Vec<String> = analysis.bodies.iter().filter(is_single).map(|b| analysis.graph.name(b.name).to_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn the_order_of_functions_decides_nothing_however_long_the_chain_of_calls() {
        let function = |n: usize| match n {
            7 => "def f7(x):\n    h = mx.zeros((4,))\n    for _ in range(2):\n        h = h + x\n    return h\n".to_owned(),
            _ => format!("def f{n}(x):\n    for _ in range(2):\n        x = x + 1\n    return f{}(x)\n", n + 1),
        };
        let (down, up) = (single((0..8).map(function)), single((0..8).rev().map(function)));
        assert_eq!(down, up);
        assert!(up.len() > 3, "{up:?}");
    }

    #[test]
    fn the_order_of_functions_decides_nothing_however_many_calls_there_are() {
        let pair = |n: usize| {
            let state = "h = mx.zeros((4,))\n    for _ in range(2):\n        h = h + x\n    return h";
            format!("def f{n}(x):\n    {state}\n\ndef g{n}(x):\n    for _ in range(2):\n        x = x + 1\n    return f{n}(x)\n")
        };
        for (count, returns) in [(20, 40), (MAX_RESULTS + 1, MAX_RESULTS + 1)] {
            let (down, up) = (single((0..count).map(pair)), single((0..count).rev().map(pair)));
            assert_eq!(down, up);
            assert_eq!(up.len(), returns, "where calls are too many none is followed");
        }
    }
}
