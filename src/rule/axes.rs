//! What a guard asks of how many axes arrays have where facts do not tell: whoever runs the edit must give arrays that have so many.

use super::guard::{Condition, Order, Site, Truth};
use super::rotations::table_axes;
use crate::graph::value::ValueId;
use crate::replay::Axes;

/// What is assumed of axes where `condition` is neither proved nor refuted at `site`.
pub(super) fn assumed(condition: &Condition, site: &Site<'_>) -> Vec<Axes> {
    let is_unknown = |condition: &Condition| matches!(condition.evaluate(site), Truth::Unknown(_));
    if !is_unknown(condition) {
        return Vec::new();
    }
    let axes = |name: &str, least: u8, most: Option<u8>| (site.value)(name).map(|of| Axes { of, least, most }).into_iter().collect();
    match condition {
        Condition::All(parts) => parts.iter().flat_map(|part| assumed(part, site)).collect(),
        // The one that is told.
        Condition::Any(parts) => parts.iter().rfind(|part| is_unknown(part)).map_or_else(Vec::new, |part| assumed(part, site)),
        Condition::Within(passed, guard) => {
            let value = |name: &str| passed.iter().any(|p| p == name).then(|| (site.value)(name)).flatten();
            assumed(guard, &Site { value: &value, ..*site })
        }
        Condition::Rank(name, Order::Equal, n) | Condition::HasAxes(name, _, n) => axes(name, *n, Some(*n)),
        Condition::Rank(name, Order::AtLeast, n) => axes(name, *n, None),
        Condition::Rank(name, Order::AtMost, n) => axes(name, 0, Some(*n)),
        Condition::InFront(lead, name) => (site.value)(lead).map_or_else(Vec::new, |lead| axes(name, table_axes(site, lead), None)),
        _ => Vec::new(),
    }
}

/// All that is assumed of each value, of which `named` says how the program knows it.
pub(super) fn merged(assumed: Vec<Axes>, named: impl Fn(ValueId) -> ValueId) -> Vec<Axes> {
    let mut all: Vec<Axes> = Vec::new();
    for axes in assumed.into_iter().map(|axes| Axes { of: named(axes.of), ..axes }) {
        match all.iter_mut().find(|other| other.of == axes.of) {
            Some(other) => {
                other.least = other.least.max(axes.least);
                other.most = other.most.into_iter().chain(axes.most).min();
            }
            None => all.push(axes),
        }
    }
    all
}
