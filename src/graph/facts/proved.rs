//! What the operations of one scope prove, by value: worked out once for the scope, so that asking at a place costs what the value has to say and not what the
//! scope has.

use std::hash::Hash;

use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;

use super::{Facts, Kind, View, keeps_shape};
use crate::graph::Analysis;
use crate::graph::api;
use crate::graph::body::{BlockId, Body, Effect, Proved};
use crate::graph::value::{Graph, Op, Symbol, ValueId};
use crate::syntax::TextSize;

/// For each block in which something is proved of a value, in the order of their numbers: from where on, and what.
type Places<T> = SmallVec<[(BlockId, TextSize, T); 1]>;

/// What is proved in one scope, and where.
#[derive(Default)]
pub struct ProvedFacts {
    arrays: FxHashMap<ValueId, Places<()>>,
    present: FxHashMap<ValueId, Places<()>>,
    ints: FxHashMap<ValueId, Places<()>>,
    /// The array that has a value for a length, which proves that it is an int, and the same by the object and the name for attributes of which it is one.
    counts: FxHashMap<ValueId, Places<ValueId>>,
    counting_attributes: FxHashMap<(ValueId, Symbol), Places<ValueId>>,
    lists: FxHashMap<ValueId, Places<()>>,
    ranks: FxHashMap<ValueId, Places<u8>>,
    /// How many axes there are at least; several in one block, each with more.
    least_ranks: FxHashMap<ValueId, Places<u8>>,
    /// The array whose cast proves that a value is a dtype.
    casts: FxHashMap<ValueId, Places<ValueId>>,
    /// Names after joins that are arrays before them, and of which all that is assigned inside is one, too.
    carried: FxHashSet<ValueId>,
    /// Names of which something is assigned inside a join that is not known to be an array.
    others: FxHashSet<Symbol>,
}

/// So often at most is what loops carry looked at anew; a chain of loops that are longer is left unknown.
const MAX_ROUNDS: usize = 8;

impl ProvedFacts {
    /// What `body` proves. A proof holds from its place on, and so does what follows from it and from those before.
    pub(super) fn of(analysis: &Analysis<'_>, body: &Body) -> Self {
        let mut proved = Self::of_joins(analysis, body);
        let mut chosen: FxHashMap<ValueId, [(ValueId, BlockId); 2]> = FxHashMap::default();
        for proof in &body.proofs {
            let (value, block, offset) = (proof.value, proof.block, proof.offset);
            match proof.proved {
                Proved::Array => {
                    for value in proved.arrays_behind(analysis, body, block, value) {
                        note(&mut proved.arrays, value, (block, offset, ()));
                    }
                }
                Proved::Made => note(&mut proved.arrays, value, (block, offset, ())),
                Proved::Present => note(&mut proved.present, unchanged(&analysis.graph, value), (block, offset, ())),
                Proved::Beside(other) => {
                    let kind = proved.kind_in(analysis, body, other, block);
                    if kind.is_number() || kind == Kind::Array {
                        note(&mut proved.present, unchanged(&analysis.graph, value), (block, offset, ()));
                    }
                }
                Proved::Chosen(branches) => {
                    if branches.iter().all(|&(value, block)| proved.kind_in(analysis, body, value, block) == Kind::Array) {
                        note(&mut proved.arrays, value, (block, offset, ()));
                    }
                    chosen.insert(value, branches);
                }
                Proved::Int => note(&mut proved.ints, value, (block, offset, ())),
                Proved::Counts(array) => {
                    note(&mut proved.counts, value, (block, offset, array));
                    if let (Op::Attr(name, _), &[object]) = analysis.graph.get(value) {
                        note(&mut proved.counting_attributes, (object, name), (block, offset, array));
                    }
                }
                Proved::List => note(&mut proved.lists, value, (block, offset, ())),
                Proved::Rank(rank) => {
                    note(&mut proved.ranks, value, (block, offset, rank));
                    // One side was chosen, and has it too, or the other has run, where the same may have been shown of it.
                    for ((side, _), (_, other)) in chosen.get(&value).into_iter().flat_map(|&[a, b]| [(a, b), (b, a)]) {
                        if proved.rank(side, View { body, proved: &proved, block: other, offset: body.range.end() }) == Some(rank) {
                            note(&mut proved.ranks, side, (block, offset, rank));
                        }
                    }
                }
                Proved::AtLeast(rank) => proved.note_axes(analysis, body, value, (block, offset, rank)),
                Proved::DtypeOfCast(array) => note(&mut proved.casts, value, (block, offset, array)),
            }
        }
        proved
    }

    /// Note that `value` has so many axes or more, and what it was computed from element by element.
    fn note_axes(&mut self, analysis: &Analysis<'_>, body: &Body, mut value: ValueId, new: (BlockId, TextSize, u8)) {
        let graph = &analysis.graph;
        loop {
            let places = self.least_ranks.entry(value).or_default();
            if places.iter().any(|&(block, offset, rank)| block == new.0 && offset <= new.1 && rank >= new.2) {
                return;
            }
            places.push(new);
            value = match graph.get(value) {
                (Op::Mlx(name), operands) if keeps_shape(name) => operands[0],
                (Op::Neg, operands) => operands[0],
                (Op::Add | Op::Sub | Op::Mul | Op::Div | Op::Pow, &[left, right]) => {
                    let is_number = |v: ValueId| self.kind_in(analysis, body, v, new.0).is_number();
                    match (is_number(left), is_number(right)) {
                        (false, true) => left,
                        (true, false) => right,
                        _ => return,
                    }
                }
                _ => return,
            };
        }
    }

    /// What sort of thing `value` is at the end of `block`, by what is proved so far: proofs come in the order of evaluation.
    fn kind_in(&self, analysis: &Analysis<'_>, body: &Body, value: ValueId, block: BlockId) -> Kind {
        Facts::new(analysis, Some(View { body, proved: self, block, offset: body.range.end() })).kind(value)
    }

    pub(super) fn is_array(&self, value: ValueId, view: View<'_>) -> bool {
        find(&self.arrays, value, view).is_some()
    }

    /// Whether an operation or a condition shows that `value` is not `None`.
    pub(super) fn is_present(&self, graph: &Graph, value: ValueId, view: View<'_>) -> bool {
        find(&self.present, unchanged(graph, value), view).is_some() || self.is_array(value, view)
    }

    /// The names that hold an array after joins, whatever path was taken: each is taken for one until what it starts with or what a path assigns is not known to
    /// be, given the others.
    fn of_joins(analysis: &Analysis<'_>, body: &Body) -> Self {
        let graph = &analysis.graph;
        let carries = body.effects.iter().filter_map(|e| if let Effect::Carry(join, value) = *e { Some((join, value)) } else { None });
        let carries: Vec<(ValueId, ValueId)> = carries.collect();
        let starts = carries.iter().map(|&(join, _)| (join, graph.operands(join).first().copied()));
        let paths: Vec<(ValueId, Option<ValueId>)> = starts.chain(carries.iter().map(|&(join, value)| (join, Some(value)))).collect();
        let mut proved = Self { carried: carries.iter().map(|c| c.0).collect(), ..Self::default() };
        // What an inner function assigns is not carried anywhere.
        let is_own = |join: ValueId| matches!(graph.op(join), Op::Phi(_, _, name) if !analysis.definitions.written.contains(&name));
        let mut lost: Vec<ValueId> = carries.iter().map(|c| c.0).filter(|&join| !is_own(join)).collect();
        for _ in 0..MAX_ROUNDS {
            for join in lost.drain(..) {
                proved.carried.remove(&join);
                proved.others.extend(joined(graph, join));
            }
            let facts = Facts::new(analysis, Some(View { body, proved: &proved, block: 0, offset: body.range.start() }));
            let is_array = |value: Option<ValueId>| value.is_some_and(|v| facts.kind(v) == Kind::Array);
            lost.extend(paths.iter().filter(|&&(join, value)| proved.carried.contains(&join) && !is_array(value)).map(|&(join, _)| join));
            if lost.is_empty() {
                return proved;
            }
        }
        Self { others: carries.iter().filter_map(|c| joined(graph, c.0)).collect(), ..Self::default() }
    }

    /// Whether a name after a join is an array where what reaches the join in the text is one: nothing else is assigned to it.
    pub(super) fn is_carried(&self, graph: &Graph, join: ValueId) -> bool {
        self.carried.contains(&join) || joined(graph, join).is_some_and(|name| !self.others.contains(&name))
    }

    pub(super) fn is_int(&self, value: ValueId, view: View<'_>) -> bool {
        find(&self.ints, value, view).is_some()
    }

    /// The array that shows `value` to be an int, if it is one.
    pub(super) fn counted(&self, value: ValueId, view: View<'_>) -> Option<ValueId> {
        find(&self.counts, value, view)
    }

    /// The array that shows what `object` keeps under `name` to be an int, if it is one.
    pub(super) fn counted_attribute(&self, object: ValueId, name: Symbol, view: View<'_>) -> Option<ValueId> {
        find(&self.counting_attributes, (object, name), view)
    }

    pub(super) fn is_list(&self, value: ValueId, view: View<'_>) -> bool {
        find(&self.lists, value, view).is_some()
    }

    pub(super) fn rank(&self, value: ValueId, view: View<'_>) -> Option<u8> {
        find(&self.ranks, value, view)
    }

    /// How many axes `value` has at least.
    pub(super) fn least_rank(&self, value: ValueId, view: View<'_>) -> u8 {
        let Some(places) = self.least_ranks.get(&value) else { return 0 };
        let blocks = &view.body.blocks;
        let is_around = |block: BlockId| std::iter::successors(Some(view.block), |&b| blocks[b as usize].parent).any(|b| b == block);
        places.iter().filter(|&&(block, offset, _)| offset < view.offset && is_around(block)).map(|p| p.2).max().unwrap_or(0)
    }

    /// The array that shows `value` to be a dtype, if it is one.
    pub(super) fn cast(&self, value: ValueId, view: View<'_>) -> Option<ValueId> {
        find(&self.casts, value, view)
    }

    /// `value`, which is proved to be an array in `block`, and what it was computed from where nothing else could have given an array.
    fn arrays_behind(&self, analysis: &Analysis<'_>, body: &Body, block: BlockId, value: ValueId) -> FxHashSet<ValueId> {
        // Proofs come in the order of evaluation: those so far hold, wherever in the text they stand.
        let facts = Facts::new(analysis, Some(View { body, proved: self, block, offset: body.range.end() }));
        let mut arrays = FxHashSet::default();
        let mut stack = vec![value];
        while let Some(value) = stack.pop() {
            if facts.is_proved_array(value) || !arrays.insert(value) {
                continue;
            }
            match analysis.graph.get(value) {
                // NumPy on the left gives a NumPy array, NumPy on the right raises.
                (Op::MatMul, operands) => stack.extend(operands),
                (Op::Neg | Op::Permute, operands) => stack.push(operands[0]),
                (Op::Index(_), &[of, index]) if facts.is_part_of_array(of, index) => stack.push(of),
                // With NumPy on the left the sum would be NumPy's. A number to the power of an array is an array.
                (Op::Add | Op::Sub | Op::Mul | Op::Div | Op::Pow, &[left, right]) => {
                    if facts.kind(right).is_number() || follows(&facts, right, left, 0) {
                        stack.push(left);
                    } else if facts.kind(left).is_number() {
                        stack.push(right);
                    }
                }
                // Elementwise functions also take NumPy arrays; these do not, and their methods on a NumPy array would not have given an `mx.array`.
                (Op::Mlx("softmax" | "astype" | "reshape" | "expand_dims" | "mean" | "sum" | "transpose"), operands) => stack.push(operands[0]),
                _ => {}
            }
        }
        arrays
    }
}

/// `value` as it was before anything changed it in place, which makes no `None` of an object and no object of `None`.
fn unchanged(graph: &Graph, mut value: ValueId) -> ValueId {
    while let (Op::Changed(_), &[before, ..]) = graph.get(value) {
        value = before;
    }
    value
}

/// The name that a join is of.
fn joined(graph: &Graph, join: ValueId) -> Option<Symbol> {
    if let Op::Phi(_, _, name) = graph.op(join) { Some(name) } else { None }
}

/// Whether `value` is made of `of` and numbers by methods and operators alone: NumPy's if `of` is NumPy's, an `mx.array` if `of` is one.
fn follows(facts: &Facts<'_>, value: ValueId, of: ValueId, depth: u32) -> bool {
    let (op, operands) = facts.analysis.graph.get(value);
    if value == of || depth > 8 {
        return value == of;
    }
    match op {
        Op::Mlx(name) if api::method(name).is_some() => follows(facts, operands[0], of, depth + 1),
        Op::Pow | Op::Neg | Op::Index(_) => follows(facts, operands[0], of, depth + 1),
        Op::Add | Op::Sub | Op::Mul | Op::Div => operands.iter().all(|&v| facts.kind(v).is_number() || follows(facts, v, of, depth + 1)),
        _ => false,
    }
}

/// Note what is proved of something at one place. The first proof of a block stands for those after it.
fn note<K: Eq + Hash, T>(places: &mut FxHashMap<K, Places<T>>, of: K, new: (BlockId, TextSize, T)) {
    let places = places.entry(of).or_default();
    match places.binary_search_by_key(&new.0, |p| p.0) {
        Ok(at) if places[at].1 > new.1 => places[at] = new,
        Ok(_) => {}
        Err(at) => places.insert(at, new),
    }
}

/// What is proved of something in the innermost block around the place of `view` that proves something before it.
fn find<K: Eq + Hash, T: Copy>(places: &FxHashMap<K, Places<T>>, of: K, view: View<'_>) -> Option<T> {
    let places = places.get(&of)?;
    let mut block = Some(view.block);
    while let Some(around) = block {
        if let Ok(at) = places.binary_search_by_key(&around, |p| p.0)
            && places[at].1 < view.offset
        {
            return Some(places[at].2);
        }
        block = view.body.blocks[around as usize].parent;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::Source;

    /// What `ask` says of a function `f` of `x` and `other`, arguments of which nothing is said, and of `o`, which is an array or `None`.
    fn of_function<T>(statements: &str, ask: impl for<'x> FnOnce(&'x Analysis<'_>, &'x Body) -> T) -> T {
        let text = format!("import mlx.core as mx\n\ndef f(x, other, o: 'mx.array | None'):\n    {}\n", statements.replace('\n', "\n    "));
        let source = Source::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let analysis = Analysis::new(&source, Graph::default());
        let body = analysis.bodies.iter().find(|b| analysis.graph.name(b.name) == "f").expect("the text defines it");
        ask(&analysis, body)
    }

    /// The operand of the only `-` of the function, and the facts there.
    fn negated<'x>(analysis: &'x Analysis<'_>, body: &'x Body) -> (Facts<'x>, ValueId) {
        let read = body.occurrences.iter().find(|o| analysis.graph.op(o.value) == Op::Neg).expect("the text negates something");
        (Facts::at(analysis, body, read.block, read.range.end()), analysis.graph.operands(read.value)[0])
    }

    fn kind_of_negated(statements: &str) -> Kind {
        of_function(statements, |analysis, body| {
            let (facts, value) = negated(analysis, body);
            facts.kind(value)
        })
    }

    #[test]
    fn what_may_not_run_proves_nothing_of_what_follows() {
        let proof = "x.astype(mx.float32)";
        let always = [
            "y = PROOF",
            "y = [0, PROOF]",
            "assert PROOF",
            "y = PROOF < other < 3",
            "y = f'{PROOF}'",
            "y = PROOF and other",
            "y = lambda a=PROOF: a",
            "def g(a):\n    return a.astype(mx.float32)\ny = g(x)",
        ];
        for statements in always {
            let text = format!("{}\nreturn -x", statements.replace("PROOF", proof));
            assert_eq!(kind_of_negated(&text), Kind::Array, "{statements}");
        }
        let perhaps = [
            "y = PROOF if other else 0",
            "y = 0 if other else PROOF",
            "y = other and PROOF",
            "y = other or 0 or PROOF",
            "y = 0 < other < PROOF",
            "y = (lambda a: a.astype(mx.float32) if other else 0)(x)",
            "y = lambda: PROOF",
            "y = [PROOF for _ in other]",
            "assert other, PROOF",
            "if other:\n    y = PROOF",
            "for y in other:\n    if y:\n        break\nelse:\n    y = PROOF",
            "while other:\n    break\nelse:\n    y = PROOF",
            "with other:\n    y = PROOF",
            "try:\n    y = PROOF\nexcept ValueError:\n    y = 0",
            "match other:\n    case 1:\n        y = PROOF",
            "match other:\n    case 1 if PROOF:\n        y = 0",
            "def g(a, c):\n    if c:\n        return a.astype(mx.float32)\n    return a\ny = g(x, other)",
            "def g(a, c):\n    if c:\n        return 1\n    return a.astype(mx.float32)\ny = g(x, other)",
            "def g(a, c):\n    if c:\n        return 1\n    else:\n        return a.astype(mx.float32)\ny = g(x, other)",
        ];
        for statements in perhaps {
            let text = format!("{}\nreturn -x", statements.replace("PROOF", proof));
            assert_eq!(kind_of_negated(&text), Kind::Unknown, "{statements}");
        }
    }

    #[test]
    fn what_both_sides_of_a_choice_show_of_one_of_them_holds() {
        let helper = "def g(a):\n    if other:\n        return a\n    b, c, d, e = a.shape\n    return a.reshape(b * c, 1, d, e)\n";
        let rank = |statements: &str| {
            of_function(&format!("{helper}{statements}\nreturn -x"), |analysis, body| {
                let (facts, value) = negated(analysis, body);
                facts.rank(value)
            })
        };
        assert_eq!(rank("y = g(x)\nb, c, d, e = y.shape"), Some(4));
        assert_eq!(rank("y = g(x)"), None);
        assert_eq!(rank("y = g(x)\nb, c, d = y.shape"), None);
        assert_eq!(rank("y = g(o)\nb, c, d, e = y.shape"), None);
    }

    #[test]
    fn one_branch_proves_nothing_in_another() {
        let handler = "try:\n    y = other()\n    z = x.astype(mx.float32)\nexcept ValueError:\n    return -x";
        let case = "match other:\n    case 1:\n        z = x.astype(mx.float32)\n    case _:\n        return -x";
        let condition = "return [x.astype(mx.float32) for _ in other if -x]";
        for text in [handler, case, condition] {
            assert_eq!(kind_of_negated(text), Kind::Unknown, "{text}");
        }
    }

    #[test]
    fn an_optional_array_is_one_where_it_is_not_none() {
        let present = [
            "if o is not None:\n    return -o",
            "if o:\n    return -o",
            "if o is None:\n    return 0\nreturn -o",
            "if not o or other:\n    raise ValueError\nreturn -o",
            "if o is None:\n    y = 0\nelse:\n    return -o",
            "if o is None:\n    y = 0\nelif other:\n    return -o",
            "assert o is not None\nreturn -o",
            "assert isinstance(o, mx.array)\nreturn -o",
            "return -o if other and o is not None else 0",
            "return o is not None and -o",
            "return o is None or -o",
            "return o is not None and other and -o",
            "while o is not None:\n    y = -o",
            "y = [-o for _ in other if o is not None]",
            "for _ in other:\n    if o is None:\n        continue\n    y = -o",
            "y = o.shape\nreturn -o",
            "y = o[0]\nreturn -o",
            "y = o + 1\nreturn -o",
            "y = mx.ones(3) * o\nreturn -o",
        ];
        for statements in present {
            assert_eq!(kind_of_negated(statements), Kind::Array, "{statements}");
        }
        let perhaps = [
            "return -o",
            "if other:\n    return -o",
            "if o is None:\n    return -o",
            "if o is not None or other:\n    return -o",
            "if o is not None:\n    y = o.shape\nreturn -o",
            "if o is not None and other:\n    return 0\nreturn -o",
            "if o is None and other:\n    return 0\nreturn -o",
            "return -o if o is None else 0",
            "y = other + o\nreturn -o",
            "y = o.__class__\nreturn -o",
            "y = [o is not None for _ in other]\nreturn -o",
        ];
        for statements in perhaps {
            assert_eq!(kind_of_negated(statements), Kind::OptionalArray, "{statements}");
        }
    }

    #[test]
    fn a_choice_is_an_array_where_both_branches_make_one() {
        let arrays = [
            "y = mx.softmax(x) if other else mx.argmax(x)\nreturn -y",
            "if other:\n    y = mx.exp(x)\nelse:\n    y = x.astype(mx.float32)\nreturn -y",
            "if o is None:\n    o = mx.zeros(3)\nreturn -o",
            "o = mx.zeros(3) if o is None else o\nreturn -o",
            "if o is None:\n    o = mx.zeros(3)\nelif other:\n    o = mx.exp(o)\nreturn -o",
            "other(o)\nif o is not None:\n    return -o",
        ];
        for statements in arrays {
            assert_eq!(kind_of_negated(statements), Kind::Array, "{statements}");
        }
        let perhaps = [
            "y = mx.softmax(x) if other else x\nreturn -y",
            "if other:\n    y = mx.exp(x)\nelse:\n    y = x\nreturn -y",
            "if other:\n    o = mx.zeros(3)\nreturn -o",
            "if o is None and other:\n    o = mx.zeros(3)\nreturn -o",
            "try:\n    o = mx.zeros(3)\nexcept ValueError:\n    y = 0\nreturn -o",
        ];
        for statements in perhaps {
            assert_ne!(kind_of_negated(statements), Kind::Array, "{statements}");
        }
    }

    #[test]
    fn what_takes_an_axis_by_its_number_shows_that_it_is_there() {
        let of = |statements: &str| {
            of_function(statements, |analysis, body| {
                let (facts, value) = negated(analysis, body);
                facts.least_rank(value)
            })
        };
        let shown = [
            ("x.sum(axis=1)", 2),
            ("mx.sum(x, axis=(0, 2))", 3),
            ("mx.square(x * 2).mean(-3, keepdims=True)", 3),
            ("mx.softmax(-x, axis=-1)", 1),
            ("mx.concatenate([x, other], axis=1)", 2),
            ("x.swapaxes(1, 2)", 3),
            ("x.shape[2]", 3),
            ("x.shape[-2]", 2),
            ("x[:, 0, ..., 1]", 3),
        ];
        for (expr, axes) in shown {
            assert_eq!(of(&format!("y = {expr}\nreturn -x")), axes, "{expr}");
        }
        assert_eq!(of("a, b = x.shape[:2]\nreturn -x"), 2);
        let not_shown = [
            "mx.sum(x)",
            "mx.sum(x, axis=other)",
            "mx.expand_dims(x, 2)",
            "mx.stack([x, x], axis=2)",
            "x[None, None]",
            "x[other, other]",
            "(x + other).sum(axis=1)",
        ];
        for expr in not_shown {
            assert_eq!(of(&format!("y = {expr}\nreturn -x")), 0, "{expr}");
        }
        assert_eq!(of("if other:\n    y = x.sum(axis=1)\nreturn -x"), 0);
        assert_eq!(of("z = -x\ny = x.sum(axis=1)\nreturn z"), 0);
    }

    #[test]
    fn the_number_of_axes_follows_from_conditions_and_from_shapes_that_are_written_out() {
        let of = |statements: &str| {
            of_function(statements, |analysis, body| {
                let (facts, value) = negated(analysis, body);
                facts.rank(value)
            })
        };
        let asked = ["if x.ndim == 3:\n    return -x", "assert len(x.shape) == 3\nreturn -x", "if x.ndim != 3 or other:\n    return 0\nreturn -x"];
        for asked in asked.into_iter().chain(["return -x if 3 == x.ndim else 0"]) {
            assert_eq!(of(asked), Some(3), "{asked}");
        }
        let not_asked = ["if x.ndim == 3:\n    x.sum()\nreturn -x", "assert x.ndim == 3 or other\nreturn -x", "assert x.ndim >= 3\nreturn -x"];
        for not_asked in not_asked.into_iter().chain(["if x.ndim == 3:\n    return 0\nreturn -x"]) {
            assert_eq!(of(not_asked), None, "{not_asked}");
        }
        let rank = |shape: &str| of(&format!("n = x.astype(mx.float32).shape[0]\nreturn -(x.{shape})"));
        let known =
            [("reshape(-1)", 1), ("reshape(n)", 1), ("reshape(n * 2)", 1), ("reshape(2, n)", 2), ("reshape([2, n, 1])", 3), ("transpose(1, 0)", 2)];
        for (shape, axes) in known {
            assert_eq!(rank(shape), Some(axes), "{shape}");
        }
        for shape in
            ["reshape(other)", "reshape(*other)", "reshape(x.shape[:-1])", "reshape(list(x.shape) + [4])", "reshape(x.shape)", "transpose(other)"]
        {
            assert_eq!(rank(shape), None, "{shape}");
        }
    }
}
