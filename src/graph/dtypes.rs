//! Whether two values have the same dtype whatever the dtypes of their inputs: both are worked out for every combination of float16, bfloat16 and float32
//! of the arrays they are made from, and for both outcomes of every condition. Rules of promotion: `mlx_semantics`, section 1.

pub mod flow;
mod promotion;
mod search;
pub mod table;

use super::facts::Facts;
use super::value::{Graph, ValueId};
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

/// Compare the dtypes of `before` and `after` over all combinations of inputs.
pub fn compare(graph: &Graph, facts: &Facts<'_>, before: ValueId, after: ValueId) -> Agreement {
    over_all(graph, facts, |search| match (search.type_of(before, 0), search.type_of(after, 0)) {
        (Type::Raises, _) => Case::Skip,
        (Type::Unknown, _) | (_, Type::Unknown) => Case::Unknown,
        (a, b) if a == b => Case::Holds,
        (a, b) => Case::Fails(describe(a, b)),
    })
}

/// Whether `after` is in half precision where `before` is float32, and of the same dtype otherwise (`Ok(false)`: wherever it can be). An error is a case in
/// which they differ in another way, or nothing where that could not be worked out.
pub fn narrows(graph: &Graph, facts: &Facts<'_>, before: ValueId, after: ValueId) -> Result<bool, Option<String>> {
    let mut narrower = false;
    let agreement = over_all(graph, facts, |search| match (search.type_of(before, 0), search.type_of(after, 0)) {
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
            _ => Case::Holds,
        }
    });
    matches!(agreement, Agreement::Never(_))
}

/// Whether the dtype of `narrow` (an array, or a dtype itself) is that of the array `wide`, or promotes to it; a bool never does.
pub fn promotes_into(graph: &Graph, facts: &Facts<'_>, narrow: ValueId, wide: ValueId) -> Agreement {
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

/// Whether the array `value` is known to hold float64, which only the CPU has.
pub fn is_double(graph: &Graph, facts: &Facts<'_>, value: ValueId) -> bool {
    is_always(graph, facts, value, |dtype| dtype == Dtype::Float64)
}

fn is_always(graph: &Graph, facts: &Facts<'_>, value: ValueId, is: impl Fn(Dtype) -> bool) -> bool {
    let never = over_all(graph, facts, |search| match search.type_of(value, 0) {
        Type::Array(dtype) if dtype.known().is_some_and(&is) => Case::Fails(String::new()),
        _ => Case::Holds,
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

fn over_all(graph: &Graph, facts: &Facts<'_>, mut test: impl FnMut(&mut Search<'_>) -> Case) -> Agreement {
    let mut search = Search::chosen(graph, facts);
    let (mut holds, mut example) = (false, None);
    for _ in 0..MAX_COMBINATIONS {
        search.begin();
        match test(&mut search) {
            Case::Skip => {}
            Case::Unknown => return Agreement::Unknown,
            Case::Holds => holds = true,
            Case::Fails(case) => {
                example.get_or_insert(case);
            }
        }
        if !search.next() {
            return match example {
                None => Agreement::Same,
                Some(example) if holds => Agreement::Differs(example),
                Some(example) => Agreement::Never(example),
            };
        }
    }
    Agreement::Unknown
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
