//! The parts of a rotary embedding, for which the prelude has a function each: they are found in any spelling that is known.

use super::{Matcher, State};
use crate::graph::rotary;
use crate::graph::value::{Graph, Op, ValueId};

/// The function of the prelude that `pattern` calls, and its arguments.
pub(in crate::rule) fn called(graph: &Graph, pattern: ValueId) -> Option<(&str, &[ValueId])> {
    let (Op::Apply, [callee, arguments @ ..]) = graph.get(pattern) else { return None };
    Some((graph.path(*callee)?.strip_prefix("prelude.")?, arguments))
}

impl Matcher<'_> {
    /// Go on where `pattern` is `wave(..)` or `angles(..)`, and `value` is what it computes.
    pub(super) fn rotation(&mut self, mut state: State, pattern: ValueId, value: ValueId) {
        let goals = match called(self.pattern, pattern) {
            Some(("wave", &[function, angles, times, lead, dtype])) => self.wave(value, [function, angles, times, lead, dtype]),
            Some(("angles", arguments)) => self.angles(value, arguments),
            _ => return,
        };
        let Some(goals) = goals else { return };
        let given: Vec<ValueId> = goals.iter().map(|&(_, v)| v).collect();
        state.inner.extend(rotary::parts(self.graph, value, &given));
        state.goals.extend(goals);
        self.solve(state);
    }

    fn wave(&self, value: ValueId, [function, angles, times, lead, dtype]: [ValueId; 5]) -> Option<Vec<(ValueId, ValueId)>> {
        let wave = rotary::wave(self.graph, value)?;
        let name = self.pattern.path(function)?.rsplit('.').next()?;
        if name != wave.function || self.pattern.as_int(times) != Some(wave.times) {
            return None;
        }
        let mut goals = Vec::new();
        match wave.dtype {
            Some(there) => goals.push((dtype, there)),
            None if self.pattern.path(dtype) == Some("mlx.core.float32") => {}
            None => return None,
        }
        goals.extend(wave.lead.map(|axes| (lead, axes)));
        goals.push((angles, wave.angles));
        Some(goals)
    }

    fn angles(&self, value: ValueId, arguments: &[ValueId]) -> Option<Vec<(ValueId, ValueId)>> {
        let &[function, length, width, half, base, offset, scale] = arguments else { return None };
        let found = rotary::angles(self.graph, self.facts, value).ok()?;
        if self.pattern.path(function)?.rsplit('.').next()? != found.made_by {
            return None;
        }
        let optional = [(width, found.width), (half, found.half), (offset, found.offset), (scale, found.scale)];
        let given = optional.into_iter().filter_map(|(pattern, value)| Some((pattern, value?)));
        Some([(length, found.length), (base, found.base)].into_iter().chain(given).collect())
    }
}
