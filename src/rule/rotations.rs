//! Conditions on rotary embeddings: whether what is counted is as long as the axis that it is counted for, and whether pairs come out as they went in.

use super::guard::{Site, Truth};
use crate::graph::facts::Kind;
use crate::graph::value::{Op, ValueId};

/// Whether the number `n` is the length of that axis of `x`, counted from the back.
pub(super) fn is_length(site: &Site<'_>, n: &str, x: &str, axis: i64) -> Truth {
    let (Some(count), Some(array)) = ((site.value)(n), (site.value)(x)) else { return Truth::True };
    if site.facts.counts(count, array, axis) {
        return Truth::True;
    }
    let which = if axis == -1 { "last" } else { "second to last" };
    let what = format!("`{}` is the length of the {which} axis of `{}`", (site.spelling)(n), (site.spelling)(x));
    match (site.graph.as_int(count), literal_length(site, array, axis)) {
        (Some(a), Some(b)) if a != b => Truth::False(format!("`{}` has {b} elements along its {which} axis, not {a}", (site.spelling)(x))),
        _ => Truth::Unknown(vec![what]),
    }
}

/// The length of an axis, counted from the back, where it is plain to see.
fn literal_length(site: &Site<'_>, array: ValueId, axis: i64) -> Option<i64> {
    let place = i64::from(site.facts.rank(array)?) + axis;
    site.graph.as_int(site.facts.length(array, u8::try_from(place).ok()?)?)
}

/// Whether the number `h` is half the length of the last axis of `x`, rounded down.
pub(super) fn is_half(site: &Site<'_>, h: &str, x: &str) -> Truth {
    let (Some(half), Some(array)) = ((site.value)(h), (site.value)(x)) else { return Truth::True };
    let holds = match site.graph.get(half) {
        (Op::FloorDiv, &[whole, two]) => site.graph.as_int(two) == Some(2) && site.facts.counts(whole, array, -1),
        (Op::Int(n), _) => literal_length(site, array, -1).is_some_and(|length| length / 2 == n),
        _ => false,
    };
    match holds {
        true => Truth::True,
        false => Truth::Unknown(vec![format!("`{}` is half the length of the last axis of `{}`", (site.spelling)(h), (site.spelling)(x))]),
    }
}

/// Whether the last axis of `x` has an even length: so it has where `x` is split in two, and where a literal says so.
pub(super) fn is_even(site: &Site<'_>, x: &str) -> Truth {
    let Some(array) = (site.value)(x) else { return Truth::True };
    match literal_length(site, array, -1) {
        Some(length) if length % 2 == 0 => Truth::True,
        Some(_) => Truth::False(format!("the last axis of `{}` has an odd length", (site.spelling)(x))),
        None => Truth::Unknown(vec![format!("the last axis of `{}` has an even length", (site.spelling)(x))]),
    }
}

/// Whether `shape`, of which one length may be left open, is the shape of `x`. Without one, pairs are put side by side, and need an even axis.
pub(super) fn keeps_shape(site: &Site<'_>, shape: &str, x: &str) -> Truth {
    let (Some(given), Some(array)) = ((site.value)(shape), (site.value)(x)) else { return is_even(site, x) };
    let holds = match site.graph.get(given) {
        (Op::Shape, &[of]) => of == array,
        (Op::Tuple | Op::List, items) => {
            let open = items.iter().filter(|&&n| site.graph.as_int(n) == Some(-1)).count();
            let mut kept = items.iter().enumerate();
            site.facts.rank(array) == u8::try_from(items.len()).ok()
                && open <= 1
                && kept.all(|(axis, &n)| site.graph.as_int(n) == Some(-1) || site.facts.counts(n, array, axis as i64))
        }
        _ => false,
    };
    match holds {
        true => Truth::True,
        false => Truth::Unknown(vec![format!("`{}` is the shape of `{}`", (site.spelling)(shape), (site.spelling)(x))]),
    }
}

/// Whether so many new axes in front of a table leave the number of axes of its product with `x` as it is.
pub(super) fn in_front(site: &Site<'_>, lead: &str, x: &str) -> Truth {
    let (Some(axes), Some(array)) = ((site.value)(lead), (site.value)(x)) else { return Truth::True };
    let needed = table_axes(site, axes);
    let spelling = (site.spelling)(x);
    match site.facts.rank(array) {
        _ if site.facts.least_rank(array) >= needed => Truth::True,
        Some(rank) => Truth::False(format!("the tables have {needed} axes and `{spelling}` {rank}")),
        None => Truth::Unknown(vec![format!("`{spelling}` has at least {needed} axes")]),
    }
}

/// How many axes a table has with new ones, `lead`, in front.
pub(super) fn table_axes(site: &Site<'_>, lead: ValueId) -> u8 {
    2 + if let (Op::Tuple | Op::List, items) = site.graph.get(lead) { items.len() as u8 } else { 1 }
}

/// Whether `n` is an integer of Python.
pub(super) fn is_integer(site: &Site<'_>, n: &str) -> Truth {
    let Some(value) = (site.value)(n) else { return Truth::True };
    let spelling = (site.spelling)(n);
    match site.facts.kind(value) {
        Kind::Int => Truth::True,
        Kind::Float | Kind::Bool | Kind::None | Kind::Array | Kind::OptionalArray => Truth::False(format!("`{spelling}` is no Python int")),
        _ => Truth::Unknown(vec![format!("`{spelling}` is a Python int")]),
    }
}

/// Whether the number `n` is positive: a literal, or one whose logarithm is taken.
pub(super) fn is_positive(site: &Site<'_>, n: &str) -> Truth {
    let Some(value) = (site.value)(n) else { return Truth::True };
    let spelling = (site.spelling)(n);
    match site.graph.number(value) {
        Some(number) if number > 0.0 => Truth::True,
        Some(_) => Truth::False(format!("`{spelling}` is not positive")),
        None if has_logarithm(site, value) => Truth::True,
        None => Truth::Unknown(vec![format!("`{spelling}` is positive")]),
    }
}

fn has_logarithm(site: &Site<'_>, value: ValueId) -> bool {
    let log = site.graph.known_symbol("math.log").and_then(|path| site.graph.find_leaf(Op::Global(path)));
    log.is_some_and(|log| site.graph.find(Op::Apply, &[log, value]).is_some())
}
