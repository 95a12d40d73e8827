//! Arrays of one number that functions of MLX make of Python numbers: `mx.sqrt(2)` is one as much as `mx.array(2 ** 0.5)` is.

use super::{Bound, Matcher, State};
use crate::graph::value::{Op, ValueId};

impl Matcher<'_> {
    /// Go on where `pattern` is `mx.array(w)` and `value` a root of a number: `w` is that root.
    pub(super) fn array_of_root(&mut self, mut state: State, pattern: ValueId, value: ValueId) {
        let &[number, dtype] = self.pattern.operands(pattern) else { return };
        let Some((of, inverse)) = self.root_of_number(value).filter(|_| self.pattern.op(dtype) == Op::None) else { return };
        if let Some(index) = self.wanted.wildcard(number)
            && self.bind(&mut state, index, Bound::Root { of, inverse })
        {
            state.inner.push(value);
            self.solve(state);
        }
    }

    /// The number of which `value` is the root, or one divided by the root.
    fn root_of_number(&self, value: ValueId) -> Option<(ValueId, bool)> {
        let (of, inverse) = match self.graph.get(value) {
            (Op::Mlx("sqrt"), &[of]) => (of, false),
            (Op::Mlx("rsqrt"), &[of]) => (of, true),
            (Op::Div, &[one, root]) if self.graph.number(one) == Some(1.0) => match self.graph.get(root) {
                (Op::Mlx("sqrt"), &[of]) => (of, true),
                _ => return None,
            },
            _ => return None,
        };
        self.facts.kind(of).is_number().then_some((of, inverse))
    }
}
