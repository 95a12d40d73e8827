//! Whether two values have the same dtype whatever the dtypes of their inputs: both are worked out for every combination of float16, bfloat16 and float32
//! of the arrays they are made from, and for both outcomes of every condition. Rules of promotion: `dtypes/promotion.rs`.

mod arguments;
pub mod fate;
pub mod flow;
pub mod half;
mod promotion;
mod search;
pub mod shown;
pub mod spoken;
pub mod table;

use super::facts::Facts;
use super::value::{Graph, Op, ValueId};
pub use promotion::Dtype;
use search::{Search, Type};

/// What comparing two values' dtypes gave.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Agreement {
    /// Equal for every combination for which the first does not raise.
    Same,
    /// They differ for some combinations, or only the second raises; with the dtypes in one such case.
    Differs(String),
    /// They differ for every combination; with the dtypes in one of them.
    Never(String),
    /// Could not be worked out.
    Unknown,
}

/// More combinations than this are not tried.
const MAX_COMBINATIONS: usize = 4096;
/// So many operations are looked at behind an array.
const MAX_STEPS: usize = 6;
/// So many values are looked at for what two values share.
const MAX_NEAR: usize = 64;

/// Compare the dtypes of `before` and `after` over all combinations of inputs: first of the arrays that both are made of, whatever those are made of, for
/// where they agree then, they agree.
pub fn compare(graph: &Graph, facts: &Facts<'_>, before: ValueId, after: ValueId) -> Agreement {
    let shared = shared(graph, facts, before, after);
    if !shared.is_empty() && compare_given(graph, facts, before, after, shared) == Agreement::Same {
        return Agreement::Same;
    }
    compare_given(graph, facts, before, after, Vec::new())
}

fn compare_given(graph: &Graph, facts: &Facts<'_>, before: ValueId, after: ValueId, given: Vec<ValueId>) -> Agreement {
    over_all_given(graph, facts, given, |search| compared(search, before, after))
}

/// Whether the dtypes agree for one combination.
fn compared(search: &mut Search<'_>, before: ValueId, after: ValueId) -> Case {
    match (search.type_of(before, 0), search.type_of(after, 0)) {
        (Type::Raises, _) => Case::Skip,
        (Type::Unknown, _) | (_, Type::Unknown) => Case::Unknown,
        (a, b) if a == b => Case::Holds,
        (a, b) => Case::Fails(describe(a, b)),
    }
}

/// Whether `after` is in half precision where `before` is float32, and of the same dtype otherwise (`Ok(false)`: wherever it can be). An error is a case in
/// which they differ in another way, or nothing where that could not be worked out.
pub fn narrows(graph: &Graph, facts: &Facts<'_>, before: ValueId, after: ValueId) -> Result<bool, Option<String>> {
    narrows_given(graph, facts, before, after, Vec::new()).or_else(|known| {
        // What both are made of may have too many dtypes to try them: where it narrows whatever they are, it narrows.
        let shared = if known.is_none() { shared(graph, facts, before, after) } else { Vec::new() };
        let given = (!shared.is_empty()).then(|| narrows_given(graph, facts, before, after, shared));
        given.and_then(Result::ok).ok_or(known)
    })
}

fn narrows_given(graph: &Graph, facts: &Facts<'_>, before: ValueId, after: ValueId, given: Vec<ValueId>) -> Result<bool, Option<String>> {
    let mut narrower = false;
    let agreement = over_all_given(graph, facts, given, |search| match (search.type_of(before, 0), search.type_of(after, 0)) {
        (Type::Raises, _) => Case::Skip,
        (Type::Unknown, _) | (_, Type::Unknown) => Case::Unknown,
        (a, b) if a == b => Case::Holds,
        (a, b) if is_narrowed(a, b) => {
            narrower = true;
            Case::Holds
        }
        (a, b) => Case::Fails(describe(a, b)),
    });
    match agreement {
        Agreement::Same => Ok(narrower),
        Agreement::Differs(example) | Agreement::Never(example) => Err(Some(example)),
        Agreement::Unknown => Err(None),
    }
}

/// Whether `next` is float32 wherever the second of `narrowed` is in half precision and the first, which it replaces, was float32: digits would be lost
/// and nothing gained.
pub fn widens_again(graph: &Graph, facts: &Facts<'_>, narrowed: (ValueId, ValueId), next: ValueId) -> bool {
    let agreement = over_all(graph, facts, |search| {
        let (before, after) = (search.type_of(narrowed.0, 0), search.type_of(narrowed.1, 0));
        match search.type_of(next, 0).dtype() {
            _ if !is_narrowed(before, after) => Case::Skip,
            Some(Dtype::Float32) => Case::Fails(String::new()),
            _ => Case::Unknown,
        }
    });
    matches!(agreement, Agreement::Never(_))
}

/// Whether the dtype of `narrow` (an array, or a dtype itself) is that of the array `wide`, or promotes to it; a bool never does.
pub fn promotes_into(graph: &Graph, facts: &Facts<'_>, narrow: ValueId, wide: ValueId) -> Agreement {
    let mut wide = wide;
    for _ in 0..MAX_STEPS {
        let agreement = promotes_as_a_whole(graph, facts, narrow, wide);
        // What is computed with an array is no narrower, whatever else takes part.
        let (Agreement::Unknown, Op::Add | Op::Sub | Op::Mul | Op::Div | Op::MatMul) = (&agreement, graph.op(wide)) else { return agreement };
        let is_wide = |v: &ValueId| promotes_as_a_whole(graph, facts, narrow, *v) == Agreement::Same;
        if graph.operands(wide).iter().any(is_wide) {
            return Agreement::Same;
        }
        wide = graph.operands(wide)[0];
    }
    Agreement::Unknown
}

fn promotes_as_a_whole(graph: &Graph, facts: &Facts<'_>, narrow: ValueId, wide: ValueId) -> Agreement {
    over_all(graph, facts, |search| match (search.type_of(narrow, 0), search.type_of(wide, 0)) {
        (Type::Raises | Type::None, _) | (_, Type::Raises) => Case::Skip,
        (a, b) => match (a.dtype(), b.dtype()) {
            // Casting a fraction to a whole number rounds it, which is no matter of promotion.
            (Some(narrow), Some(wide)) if matches!(a, Type::Dtype(_)) && !narrow.is_floating() => Case::Fails(both(narrow, wide)),
            (Some(narrow), Some(wide)) if narrow != Dtype::Bool && Dtype::promote(narrow, wide) == wide => Case::Holds,
            (Some(narrow), Some(wide)) => Case::Fails(both(narrow, wide)),
            _ => Case::Unknown,
        },
    })
}

fn both(narrow: Dtype, wide: Dtype) -> String {
    format!("{} with {}", narrow.name(), wide.name())
}

/// Whether an array is in half precision that was in single precision.
fn is_narrowed(before: Type, after: Type) -> bool {
    before.dtype() == Some(Dtype::Float32) && matches!(after.dtype(), Some(Dtype::Float16 | Dtype::Bfloat16))
}

/// Whether the array `value` is known to hold integers or booleans.
pub fn is_integer(graph: &Graph, facts: &Facts<'_>, value: ValueId) -> bool {
    is_always(graph, facts, value, |dtype| !dtype.is_floating() || dtype == Dtype::Complex64)
}

/// Whether the array `value` is known to hold whole numbers.
pub fn is_whole(graph: &Graph, facts: &Facts<'_>, value: ValueId) -> bool {
    is_always(graph, facts, value, |dtype| !dtype.is_floating() && !matches!(dtype, Dtype::Bool | Dtype::Complex64))
}

/// Whether the array `value` began as one of whole numbers or truth values, and may be one still: it was changed in place since, or a loop goes on with it.
pub fn began_whole(graph: &Graph, facts: &Facts<'_>, value: ValueId) -> bool {
    let before = |&at: &ValueId| match graph.get(at) {
        (Op::Changed(_) | Op::Phi(..) | Op::Stored | Op::Permute | Op::Index(_) | Op::Neg, operands) => operands.first().copied(),
        // A number of Python's leaves it what it is; of two arrays the first is asked.
        (Op::Add | Op::Sub | Op::Mul, operands) => operands.iter().copied().find(|&v| !facts.kind(v).is_number()),
        _ => None,
    };
    let way: Vec<ValueId> = std::iter::successors(Some(value), before).take(MAX_NEAR).collect();
    let may_differ = way.iter().any(|&at| matches!(graph.op(at), Op::Changed(_) | Op::Phi(..)));
    may_differ && way.last().is_some_and(|&first| matches!(graph.op(first), Op::Mlx(_)) && is_integer(graph, facts, first))
}

/// Whether the array `value` is known to hold float64, which only the CPU has.
pub fn is_double(graph: &Graph, facts: &Facts<'_>, value: ValueId) -> bool {
    is_always(graph, facts, value, |dtype| dtype == Dtype::Float64)
}

/// Whether the array `value` is known to hold float32.
pub fn is_float32(graph: &Graph, facts: &Facts<'_>, value: ValueId) -> bool {
    is_always(graph, facts, value, |dtype| dtype == Dtype::Float32)
}

/// The type of the Python numbers that the array `value` is known to give, where that is `int` or `bool`.
pub fn python_type(graph: &Graph, facts: &Facts<'_>, value: ValueId) -> Option<&'static str> {
    // What nothing is known of is taken for floating point elsewhere, which proves nothing here.
    if is_whole(graph, facts, value) {
        return Some("int");
    }
    is_always(graph, facts, value, |dtype| dtype == Dtype::Bool).then_some("bool")
}

fn is_always(graph: &Graph, facts: &Facts<'_>, value: ValueId, is: impl Fn(Dtype) -> bool) -> bool {
    let never = over_all(graph, facts, |search| match search.type_of(value, 0) {
        Type::Array(dtype) if dtype.known().is_some_and(&is) => Case::Fails(String::new()),
        // One other case is enough.
        _ => Case::Unknown,
    });
    matches!(never, Agreement::Never(_))
}

/// The dtypes that `values` can have together, one of each combination; nothing where there are too many, or some cannot be worked out.
pub fn combinations(graph: &Graph, facts: &Facts<'_>, values: &[ValueId]) -> Vec<Vec<Dtype>> {
    let mut seen: Vec<Vec<Dtype>> = Vec::new();
    let agreement = over_all(graph, facts, |search| {
        let types = values.iter().map(|&v| match search.type_of(v, 0) {
            Type::Array(dtype) => dtype.known(),
            _ => None,
        });
        match types.collect::<Option<Vec<Dtype>>>() {
            Some(types) if !seen.contains(&types) => seen.push(types),
            _ => {}
        }
        Case::Holds
    });
    if agreement == Agreement::Same { seen } else { Vec::new() }
}

/// What one combination of inputs says.
enum Case {
    Holds,
    Fails(String),
    /// The combination cannot occur.
    Skip,
    Unknown,
}

/// The arrays of floating point numbers near `before` and `after` that both are made of.
fn shared(graph: &Graph, facts: &Facts<'_>, before: ValueId, after: ValueId) -> Vec<ValueId> {
    let (near, others) = (near(graph, before), near(graph, after));
    let mut search = Search::open(graph, facts);
    near.into_iter().filter(|v| others.contains(v) && ![before, after].contains(v) && is_open(&mut search, *v, 0)).collect()
}

/// `value` and what it is made of, the closest first, as far as a pattern reaches.
fn near(graph: &Graph, value: ValueId) -> Vec<ValueId> {
    let (mut found, mut next) = (vec![value], 0);
    while let Some(&value) = found.get(next).filter(|_| found.len() < MAX_NEAR) {
        next += 1;
        for &operand in graph.operands(value) {
            if !found.contains(&operand) {
                found.push(operand);
            }
        }
    }
    found
}

/// Whether `value` is an array whose dtype may be each floating one up to float32, and no other.
fn is_open(search: &mut Search<'_>, value: ValueId, depth: u32) -> bool {
    match (search.graph.get(value), search.type_of(value, 0)) {
        ((Op::Gate, &[_, then, otherwise]), _) => depth < 8 && is_open(search, then, depth + 1) && is_open(search, otherwise, depth + 1),
        (_, Type::Array(dtype)) => dtype.known().is_none_or(|d| matches!(d, Dtype::Float16 | Dtype::Bfloat16 | Dtype::Float32)),
        _ => false,
    }
}

fn over_all(graph: &Graph, facts: &Facts<'_>, test: impl FnMut(&mut Search<'_>) -> Case) -> Agreement {
    over_all_given(graph, facts, Vec::new(), test)
}

fn over_all_given(graph: &Graph, facts: &Facts<'_>, given: Vec<ValueId>, mut test: impl FnMut(&mut Search<'_>) -> Case) -> Agreement {
    let mut search = Search::by_forms(graph, facts, given.clone());
    over_combinations(&mut search, &mut test).unwrap_or_else(|| {
        let mut search = Search::chosen(graph, facts, given);
        over_combinations(&mut search, &mut test).unwrap_or(Agreement::Unknown)
    })
}

/// What all combinations say together; nothing where the search turns out not to be able to tell.
fn over_combinations(search: &mut Search<'_>, test: &mut impl FnMut(&mut Search<'_>) -> Case) -> Option<Agreement> {
    let (mut holds, mut example) = (false, None);
    for _ in 0..MAX_COMBINATIONS {
        search.begin();
        let case = test(search);
        if search.has_failed() {
            return None;
        }
        match case {
            Case::Skip => {}
            Case::Unknown => return Some(Agreement::Unknown),
            Case::Holds => holds = true,
            Case::Fails(case) => {
                example.get_or_insert(case);
            }
        }
        if search.least_combinations() > MAX_COMBINATIONS {
            return Some(Agreement::Unknown);
        }
        if !search.next() {
            return Some(match example {
                None => Agreement::Same,
                Some(example) if holds => Agreement::Differs(example),
                Some(example) => Agreement::Never(example),
            });
        }
    }
    Some(Agreement::Unknown)
}

fn describe(before: Type, after: Type) -> String {
    let word = |t: Type| match t {
        Type::Array(dtype) => dtype.known().map_or("an array", Dtype::name).to_owned(),
        Type::Raises => "an exception".to_owned(),
        Type::Number(_) => "a number".to_owned(),
        _ => "something else".to_owned(),
    };
    format!("{} becomes {}", word(before), word(after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Analysis;
    use crate::graph::body::Effect;
    use crate::syntax::Source;

    /// How the dtypes of the two values agree that `pair` computes from `s`, a sum of so many arrays that their dtypes have too many combinations.
    fn agreement(pair: &str) -> Agreement {
        let text = format!(
            "import mlx.core as mx\n\ndef f(a: mx.array, b: mx.array, c: mx.array, d: mx.array, e: mx.array, g: mx.array, h: mx.array, i: mx.array, loaded):\n    s = a + b + c + d + e + g + h + i\n    return {pair}\n"
        );
        let source = Source::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let analysis = Analysis::new(&source, Graph::default());
        let mut effects = analysis.bodies.iter().flat_map(|b| &b.effects);
        let returned = effects.find_map(|e| if let Effect::Return(value) = *e { Some(value) } else { None }).expect("the text returns a value");
        let &[before, after] = analysis.graph.operands(returned) else { panic!("{pair} is no pair") };
        compare(&analysis.graph, &Facts::anywhere(&analysis), before, after)
    }

    #[test]
    fn combinations_tried_on_what_is_left_open_say_what_each_says_by_itself() {
        let graphs =
            ["a + b, b + c", "a.astype(b.dtype), a + b", "mx.mean(a * 0.5) + 2, a", "mx.arange(3) + a, a", "mx.sqrt(a @ b), b / a", "a > b, a"];
        let conditions = ["a if b is None else b, a", "mx.fast.scaled_dot_product_attention(a, b, c, scale=1.0, mask=d), a"];
        for pair in graphs.into_iter().chain(conditions) {
            let text = format!("import mlx.core as mx\n\ndef f(a: mx.array, b: mx.array, c: mx.array, d: mx.array):\n    return {pair}\n");
            let source = Source::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
            let analysis = Analysis::new(&source, Graph::default());
            let graph = &analysis.graph;
            let (facts, returned) = (Facts::anywhere(&analysis), analysis.bodies.iter().flat_map(|b| &b.effects));
            let pairs = returned.filter_map(|e| if let Effect::Return(value) = *e { Some(graph.operands(value)) } else { None });
            let &[before, after] = pairs.last().expect("the text returns a value") else { panic!("{pair} is no pair") };
            let told = |mut search: Search<'_>| over_combinations(&mut search, &mut |search| compared(search, before, after));
            let (open, each) = (told(Search::by_forms(graph, &facts, Vec::new())), told(Search::chosen(graph, &facts, Vec::new())));
            assert_eq!(open, each.filter(|_| !conditions.contains(&pair)), "{pair}");
        }
    }

    #[test]
    fn what_a_generator_makes_of_several_arrays_has_their_dtypes() {
        let unpacked = |made: &str| {
            let text =
                format!("import mlx.core as mx\n\ndef f(a: mx.array, b: mx.array):\n    p, q = ({made} for x in (a, b))\n    return a @ b, p @ q\n");
            let source = Source::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
            let analysis = Analysis::new(&source, Graph::default());
            let mut effects = analysis.bodies.iter().flat_map(|b| &b.effects).rev();
            let returned = effects.find_map(|e| if let Effect::Return(value) = *e { Some(value) } else { None }).expect("the text returns a value");
            let &[before, after] = analysis.graph.operands(returned) else { panic!("{made}: no pair") };
            compare(&analysis.graph, &Facts::anywhere(&analysis), before, after)
        };
        for same in ["x.T", "mx.pad(x, 1).reshape(4, 4)", "-x.reshape(2, -1)"] {
            assert_eq!(unpacked(same), Agreement::Same, "{same}");
        }
        for other in ["x.astype(mx.float32)", "x + a", "other(x)"] {
            assert_ne!(unpacked(other), Agreement::Same, "{other}");
        }
    }

    #[test]
    fn what_two_values_share_may_be_made_of_anything() {
        assert_eq!(agreement("mx.softmax(s.astype(mx.float32)).astype(s.dtype), mx.softmax(s, precise=True)"), Agreement::Same);
        assert_eq!(agreement("mx.where(s > 0, s, mx.array(0.5)), s * mx.array(0.5)"), Agreement::Same);
        assert_ne!(agreement("mx.where(s > 0, s, mx.array(0.5)), s * 0.5"), Agreement::Same);
        assert_ne!(agreement("mx.softmax(s.astype(mx.float32)).astype(a.dtype), mx.softmax(s)"), Agreement::Same);
        assert_ne!(agreement("(s > 0) * mx.array(0.5), (s > 0) * 2"), Agreement::Same);
        assert_eq!(agreement("mx.einsum('ij,jk->ki', s, a), s @ a"), Agreement::Same);
        assert_ne!(agreement("mx.einsum('ij,jk->ki', s, a), s"), Agreement::Same);
        assert_ne!(agreement("mx.einsum('ij->i', s > 0), s > 0"), Agreement::Same);
    }

    #[test]
    fn an_array_of_whole_numbers_may_be_one_after_a_loop_and_a_change() {
        for (body, is_whole) in [
            ("for i in range(n):\n        x[i] = i\n", true),
            ("for i in range(n):\n        x = x + 1\n", true),
            ("f(x)\n", true),
            ("x = x.astype(mx.float32)\n    for i in range(n):\n        x[i] = i\n", false),
            ("x = a\n    f(x)\n", false),
        ] {
            let text = format!(
                "import mlx.core as mx\n\ndef g(a: mx.array, f, n: int):\n    x = mx.zeros((4,), dtype=mx.int32)\n    {body}    return (x, mx.abs(a))\n"
            );
            let source = Source::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
            let analysis = Analysis::new(&source, Graph::default());
            let mut effects = analysis.bodies.iter().flat_map(|b| &b.effects).rev();
            let returned = effects.find_map(|e| if let Effect::Return(value) = *e { Some(value) } else { None }).expect("the text returns a value");
            let &[x, other] = analysis.graph.operands(returned) else { panic!("{text}: no pair") };
            let facts = Facts::anywhere(&analysis);
            assert_eq!(began_whole(&analysis.graph, &facts, x), is_whole, "{text}");
            // Nor is it taken for one of some floating dtype.
            assert!(!is_whole || compare(&analysis.graph, &facts, x, other) == Agreement::Unknown, "{text}");
        }
    }

    #[test]
    fn parts_of_an_array_have_its_dtype_and_entries_of_a_container_each_their_own() {
        for parts in ["a[0], a[1]", "a[b > 0], a", "loaded[:1], loaded[1:]", "loaded[..., 0], loaded[None]", "loaded[0], loaded[0]"] {
            assert_eq!(agreement(parts), Agreement::Same, "{parts}");
        }
        for entries in ["loaded[0], loaded[1]", "loaded['w'], loaded['b']", "loaded['w'], loaded", "loaded[0, 1], loaded[0, 2]"] {
            assert_ne!(agreement(entries), Agreement::Same, "{entries}");
        }
    }
}
