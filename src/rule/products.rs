//! Conditions on what is added to a matrix product: whether it broadcasts into the product and leaves its shape as it is.

use super::guard::{Site, Truth};
use crate::graph::value::{Op, ValueId};

/// Proved for a scalar `c`, and for a one-dimensional `c` that is added to a product with as many columns as `c` has elements.
pub(super) fn broadcasts_into(site: &Site<'_>, c: &str, a: &str, b: &str) -> Truth {
    let (Some(added), Some(left), Some(right)) = ((site.value)(c), (site.value)(a), (site.value)(b)) else { return Truth::True };
    let product = match (site.facts.rank(left), site.facts.rank(right)) {
        (Some(m), Some(n)) if m >= 2 && n >= 2 => Some(m.max(n)),
        (Some(1), Some(n)) | (Some(n), Some(1)) if n >= 1 => Some(n - 1),
        _ => None,
    };
    if enlarges(site, added, left, right) {
        return Truth::False(format!("`{}` does not broadcast into the product", (site.spelling)(c)));
    }
    match (site.facts.rank(added), product) {
        (Some(0), _) => Truth::True,
        (Some(added), Some(product)) if added > product => Truth::False(format!("`{}` has more axes than the product", (site.spelling)(c))),
        _ if same_columns(site, added, right) => Truth::True,
        _ => Truth::Unknown(vec![format!(
            "`{}` does not broadcast `{} @ {}` to a larger shape",
            (site.spelling)(c),
            grouped((site.spelling)(a)),
            grouped((site.spelling)(b))
        )]),
    }
}

/// Whether lengths that are plain to see show that `c` would enlarge `a @ b`, or that the fast operation refuses these numbers of axes.
fn enlarges(site: &Site<'_>, c: ValueId, a: ValueId, b: ValueId) -> bool {
    match (site.facts.rank(c), site.facts.rank(a), site.facts.rank(b)) {
        (Some(1), Some(3..), Some(1)) => true,
        (Some(2), Some(2), Some(2)) => {
            let known = |v: ValueId, axis: u8| site.facts.length(v, axis).and_then(|d| site.graph.as_int(d));
            let longer = |c: Option<i64>, product: Option<i64>| matches!((c, product), (Some(c), Some(p)) if c != p && c != 1);
            longer(known(c, 0), known(a, 0)) || longer(known(c, 1), known(b, 1))
        }
        _ => false,
    }
}

/// `c` was made with one axis as long as the last axis of `b` was made.
fn same_columns(site: &Site<'_>, c: ValueId, b: ValueId) -> bool {
    let shape = |value: ValueId| match site.graph.get(value) {
        (Op::Mlx("zeros" | "ones" | "full"), operands) => Some(operands[0]),
        _ => None,
    };
    let (Some(c), Some(b)) = (shape(c), shape(b)) else { return false };
    match (site.graph.get(c), site.graph.get(b)) {
        ((Op::Tuple, &[only]), (Op::Tuple, &[.., last])) => only == last,
        _ => false,
    }
}

/// `text` as an operand: in parentheses where it is made of several words.
fn grouped(text: String) -> String {
    if text.contains(' ') && !text.ends_with(')') { format!("({text})") } else { text }
}
