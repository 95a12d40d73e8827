//! Conditions on a matrix product: how many rows it has, and whether what is added to it broadcasts into it and leaves its shape as it is.

use super::guard::{Site, Truth};
use crate::graph::value::{Op, ValueId};

/// How long an axis is: the value that says it, and the array that it was asked of.
#[derive(Clone, Copy)]
struct Length {
    says: ValueId,
    of: ValueId,
}

/// Proved where `c` has no more axes than the product, and each of them is one long or as long as the product's.
pub(super) fn broadcasts_into(site: &Site<'_>, c: &str, a: &str, b: &str) -> Truth {
    let (Some(added), Some(left), Some(right)) = ((site.value)(c), (site.value)(a), (site.value)(b)) else { return Truth::True };
    let (rank, product) = (site.facts.rank(added), product(site, left, right));
    if rank == Some(0) {
        return Truth::True;
    }
    let refused = |why: &str| Truth::False(format!("`{}` {why}", (site.spelling)(c)));
    // The fast operation lays the rows of a batch one below the other, and then sees no axis that fits.
    if let (Some(1), Some(3..), Some(1)) = (rank, site.facts.rank(left), site.facts.rank(right)) {
        return refused("does not broadcast into the product");
    }
    let mut proved = false;
    if let (Some(rank), Some(product)) = (rank, &product) {
        let Some(more) = product.len().checked_sub(usize::from(rank)) else { return refused("has more axes than the product") };
        let axes: Vec<Truth> = (0..rank).zip(&product[more..]).map(|(axis, &at)| fits(site, length(site, added, axis), at)).collect();
        if axes.iter().any(|axis| matches!(axis, Truth::False(_))) {
            return refused("does not broadcast into the product");
        }
        proved = axes.iter().all(|axis| *axis == Truth::True);
    }
    if proved || fits_from_behind(site, added, left, right) {
        return Truth::True;
    }
    let operand = |name: &str| grouped((site.spelling)(name));
    Truth::Unknown(vec![format!("`{}` does not broadcast `{} @ {}` to a larger shape", (site.spelling)(c), operand(a), operand(b))])
}

/// Whether each axis of `added` is one long or as long as the axis of `left @ right` that it meets, counted from the back. Of a row that is enough to know the
/// columns of `right`: as many axes as that the product has whatever stands on the left.
fn fits_from_behind(site: &Site<'_>, added: ValueId, left: ValueId, right: ValueId) -> bool {
    let facts = site.facts;
    let least = |v: ValueId| facts.rank(v).unwrap_or_else(|| facts.least_rank(v));
    let (Some(rank @ 1..), Some(columns @ 2..), rows) = (facts.rank(added), facts.rank(right), least(left)) else { return false };
    let is_in_front = |axis: i64| {
        let of_batch = |v: ValueId, axes: u8| axis >= -i64::from(axes) && facts.fits_axis((added, axis), (v, axis));
        facts.is_one_long(added, axis) || of_batch(left, rows) || of_batch(right, columns)
    };
    are_columns(site, added, right)
        && (rank == 1
            || rows >= 2 && rank <= rows.max(columns) && facts.fits_axis((added, -2), (left, -2)) && (3..=i64::from(rank)).all(|n| is_in_front(-n)))
}

/// Whether the last axis of `added` is one long or as long as that of `right`.
fn are_columns(site: &Site<'_>, added: ValueId, right: ValueId) -> bool {
    let last = |v: ValueId| site.facts.rank(v).and_then(|rank| length(site, v, rank.checked_sub(1)?));
    site.facts.fits_axis((added, -1), (right, -1)) || fits(site, last(added), last(right)) == Truth::True
}

/// Proved where `a` holds matrices of at least two rows, or `b` lies in memory row by row, and `b` holds matrices that are not known to be a single column.
pub(super) fn are_matrices(site: &Site<'_>, a: &str, b: &str) -> Truth {
    let known = |name: &str, from_end: u8| {
        let value = (site.value)(name)?;
        let axis = site.facts.rank(value).filter(|&rank| rank >= 2)? - from_end;
        Some(length(site, value, axis).and_then(|l| site.graph.as_int(l.says)))
    };
    match (known(a, 2), known(b, 1)) {
        (_, Some(Some(..2))) => Truth::False(format!("`{}` has a single column", (site.spelling)(b))),
        (Some(Some(2..)), Some(_)) => Truth::True,
        (_, Some(_)) if (site.value)(b).is_some_and(|v| lies_by_rows(site, v)) => Truth::True,
        (Some(Some(..2)), _) => Truth::False(format!("`{}` has a single row", (site.spelling)(a))),
        _ => Truth::Unknown(vec![format!("`{}` has several rows", (site.spelling)(a))]),
    }
}

/// Whether the rows of `value` stand one behind the other in memory: what `__init__` makes, and what is put together of parts.
fn lies_by_rows(site: &Site<'_>, value: ValueId) -> bool {
    match site.graph.op(value) {
        Op::Attr(..) => !site.facts.makers(value).is_empty(),
        Op::Mlx(name) => matches!(name, "concatenate" | "stack" | "zeros" | "ones" | "eye" | "tri" | "contiguous"),
        _ => false,
    }
}

/// Proved where `r` is one row of numbers for the columns of `a @ b`, and `c` is not known to be one: nothing else is worth another order.
pub(super) fn goes_first(site: &Site<'_>, r: &str, c: &str, b: &str) -> Truth {
    let (Some(first), Some(other), Some(right)) = ((site.value)(r), (site.value)(c), (site.value)(b)) else { return Truth::True };
    let is_row = |v: ValueId| {
        let rank = site.facts.rank(v).map_or(0, i64::from);
        rank > 0 && !site.facts.is_one_long(v, -1) && (2..=rank).all(|n| site.facts.is_one_long(v, -n))
    };
    match matches!(site.facts.rank(right), Some(2..)) && are_columns(site, first, right) && is_row(first) && !is_row(other) {
        true => Truth::True,
        false => Truth::False(format!("`{}` is not known to be a row that is to be added before `{}`", (site.spelling)(r), (site.spelling)(c))),
    }
}

/// Proved where neither `r` nor `c` is negative anywhere: then no sum of one of them and something overflows where that of all does not.
pub(super) fn are_nonnegative(site: &Site<'_>, r: &str, c: &str) -> Truth {
    let is_proved = |name: &str| (site.value)(name).is_none_or(|v| site.facts.is_nonnegative(v));
    if is_proved(r) && is_proved(c) {
        return Truth::True;
    }
    Truth::Unknown(vec![format!("no sum overflows where `{}` is added before `{}`", (site.spelling)(r), (site.spelling)(c))])
}

/// The lengths of the axes of `a @ b`, each `None` if nothing says it; `None` if the number of axes is not known.
fn product(site: &Site<'_>, a: ValueId, b: ValueId) -> Option<Vec<Option<Length>>> {
    let (m, n) = (site.facts.rank(a)?, site.facts.rank(b)?);
    let (in_front_of_a, in_front_of_b) = (m.saturating_sub(2), n.saturating_sub(2));
    let batch = in_front_of_a.max(in_front_of_b);
    let in_front = |value: ValueId, own: u8, axis: u8| axis.checked_sub(batch - own).map(|axis| length(site, value, axis));
    let axes = (0..batch).map(|axis| match (in_front(a, in_front_of_a, axis), in_front(b, in_front_of_b, axis)) {
        (Some(only), None) | (None, Some(only)) => only,
        (Some(Some(one)), Some(Some(other))) if is(site, one, 1) || one.says == other.says => Some(other),
        (Some(Some(one)), Some(Some(other))) if is(site, other, 1) => Some(one),
        _ => None,
    });
    let mut axes: Vec<Option<Length>> = axes.collect();
    if m >= 2 {
        axes.push(length(site, a, m - 2));
    }
    if n >= 2 {
        axes.push(length(site, b, n - 1));
    }
    Some(axes)
}

/// Whether an axis of what is added fits an axis of the product.
fn fits(site: &Site<'_>, added: Option<Length>, product: Option<Length>) -> Truth {
    let Some(added) = added else { return Truth::Unknown(Vec::new()) };
    if is(site, added, 1) {
        return Truth::True;
    }
    let Some(product) = product else { return Truth::Unknown(Vec::new()) };
    match (site.graph.as_int(added.says), site.graph.as_int(product.says)) {
        (Some(one), Some(other)) if one != other => Truth::False(String::new()),
        _ if added.says == product.says && is_count(site, added, product) => Truth::True,
        _ => Truth::Unknown(Vec::new()),
    }
}

/// Whether the number that both name is a length: to `reshape` -1 is none, and stands for another one in each array.
fn is_count(site: &Site<'_>, one: Length, other: Length) -> bool {
    let says_so = matches!(site.graph.op(one.says), Op::Int(0..) | Op::Dim(_));
    says_so || is_made(site, one.of) || is_made(site, other.of)
}

/// Whether the axes of `value` are as long as the numbers say that it was made with.
fn is_made(site: &Site<'_>, value: ValueId) -> bool {
    match site.graph.get(value) {
        (Op::Mlx("zeros" | "ones" | "full"), _) => true,
        (Op::Permute | Op::Mlx("transpose" | "astype"), operands) => is_made(site, operands[0]),
        (Op::Attr(..), _) => !site.facts.makers(value).is_empty() && site.facts.makers(value).iter().all(|&v| is_made(site, v)),
        _ => false,
    }
}

fn is(site: &Site<'_>, length: Length, number: i64) -> bool {
    site.graph.as_int(length.says) == Some(number)
}

fn length(site: &Site<'_>, of: ValueId, axis: u8) -> Option<Length> {
    site.facts.length(of, axis).map(|says| Length { says, of })
}

/// `text` as an operand: in parentheses where it is made of several words.
fn grouped(text: String) -> String {
    if text.contains(' ') && !text.ends_with(')') { format!("({text})") } else { text }
}
