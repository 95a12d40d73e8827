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
    if proved {
        return Truth::True;
    }
    let operand = |name: &str| grouped((site.spelling)(name));
    Truth::Unknown(vec![format!("`{}` does not broadcast `{} @ {}` to a larger shape", (site.spelling)(c), operand(a), operand(b))])
}

/// Proved where `a` holds matrices of at least two rows, and `b` matrices that are not known to be a single column.
pub(super) fn has_rows(site: &Site<'_>, a: &str, b: &str) -> Truth {
    let known = |name: &str, from_end: u8| {
        let value = (site.value)(name)?;
        let axis = site.facts.rank(value).filter(|&rank| rank >= 2)? - from_end;
        Some(length(site, value, axis).and_then(|l| site.graph.as_int(l.says)))
    };
    match (known(a, 2), known(b, 1)) {
        (_, Some(Some(..2))) | (Some(Some(..2)), _) => Truth::False(format!("`{}` has a single row or column", (site.spelling)(a))),
        (Some(Some(2..)), Some(_)) => Truth::True,
        _ => Truth::Unknown(vec![format!("`{}` has several rows", (site.spelling)(a))]),
    }
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
    let is_made = |length: Length| matches!(site.graph.op(length.of), Op::Mlx("zeros" | "ones" | "full"));
    says_so || is_made(one) || is_made(other)
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
