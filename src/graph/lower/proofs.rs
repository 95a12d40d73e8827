//! What operations and conditions prove of the values that they take: noted with the place where it holds, and weighed by the facts.

use rustc_hash::FxHashSet;
use smallvec::{SmallVec, smallvec};

use super::Lowerer;
use crate::graph::api::{Accepts, Function, Param};
use crate::graph::body::{Proof, Proved};
use crate::graph::value::{Comparison, Op, ValueId};
use crate::syntax::TextSize;

/// How many axes there are where `axis` is one of them.
fn axes_up_to(axis: i64) -> Option<u8> {
    u8::try_from(axis.unsigned_abs() + u64::from(axis >= 0)).ok()
}

impl Lowerer<'_, '_> {
    /// Note what the operation that is being lowered proves of `value`.
    pub(super) fn prove(&mut self, value: ValueId, proved: Proved) {
        self.prove_at(value, proved, self.offset);
    }

    /// Note what is proved of `value` in this block from `offset` on.
    pub(super) fn prove_at(&mut self, value: ValueId, proved: Proved, offset: TextSize) {
        self.body.proofs.push(Proof { value, proved, block: self.block, offset });
    }

    /// `None` has no parts and no attributes but those of every object.
    pub(super) fn prove_present(&mut self, value: ValueId) {
        if self.may_be_none(value) {
            self.prove(value, Proved::Present);
        }
    }

    /// Whether `value` may be `None` now and then, as far as its form shows: only of these is it worth knowing that they are not.
    fn may_be_none(&self, value: ValueId) -> bool {
        matches!(self.graph.op(value), Op::Param(..) | Op::Attr(..) | Op::Gate | Op::Changed(_))
    }

    fn is_builtin(&self, value: ValueId, name: &str) -> bool {
        matches!(self.graph.op(value), Op::Builtin(symbol) if self.graph.name(symbol) == name)
    }

    /// Two operands of arithmetic.
    pub(super) fn prove_beside(&mut self, left: ValueId, right: ValueId) {
        for (value, other) in [(left, right), (right, left)] {
            if self.may_be_none(value) {
                self.prove(value, Proved::Beside(other));
            }
        }
    }

    /// A parameter that takes nothing but an array proves that its argument is one.
    pub(super) fn prove_argument(&mut self, param: &Param, value: ValueId) {
        match param.accepts {
            Accepts::Array => self.prove(value, Proved::Array),
            Accepts::Arrays if matches!(self.graph.op(value), Op::List | Op::Tuple) => {
                for part in self.graph.operands(value).to_vec() {
                    self.prove(part, Proved::Array);
                }
            }
            _ => {}
        }
    }

    /// An order of axes names them all.
    pub(super) fn prove_rank(&mut self, name: &str, operands: &[ValueId]) {
        if name == "transpose"
            && let (Op::Tuple | Op::List, axes) = self.graph.get(operands[1])
            && !axes.iter().any(|&a| self.graph.op(a) == Op::Star)
        {
            let rank = axes.len() as u8;
            self.prove(operands[0], Proved::Rank(rank));
        }
    }

    /// What takes an axis by its number has that axis. `operands` begin with `own` that are no parameters of `function`.
    pub(super) fn prove_axes(&mut self, function: &Function, operands: &[ValueId], own: usize) {
        let parameters = function.params.iter().zip(&operands[own..]).filter(|(p, _)| matches!(p.accepts, Accepts::Axis | Accepts::Axes));
        let numbered = |&axis: &ValueId| self.graph.as_int(axis).and_then(axes_up_to);
        let least = parameters.filter_map(|(_, given)| match self.graph.get(*given) {
            (Op::Tuple | Op::List, axes) => axes.iter().filter_map(numbered).max(),
            _ => numbered(given),
        });
        let (Some(least), Some(&array)) = (least.max(), operands.first()) else { return };
        let arrays: SmallVec<[ValueId; 4]> = match self.graph.get(array) {
            (Op::List | Op::Tuple, parts) => parts.into(),
            _ => smallvec![array],
        };
        arrays.into_iter().for_each(|array| self.prove(array, Proved::AtLeast(least)));
    }

    /// What `object[index]`, which is `value`, shows: an array has an axis for each number and slice, and a shape an item for each axis.
    pub(super) fn prove_subscript(&mut self, object: ValueId, index: ValueId, value: ValueId) {
        if let (Op::Dim(axis), &[array]) = self.graph.get(value) {
            axes_up_to(i64::from(axis)).into_iter().for_each(|least| self.prove(array, Proved::AtLeast(least)));
        } else if let (Op::Tuple, parts) = self.graph.get(index) {
            let takes_one = |&&part: &&ValueId| matches!(self.graph.op(part), Op::Slice | Op::Int(_) | Op::Dim(_));
            let least = parts.iter().filter(takes_one).count();
            u8::try_from(least).into_iter().for_each(|least| self.prove(object, Proved::AtLeast(least)));
        }
    }

    /// The subscripts of an `einsum` name every axis of its operands, which must be arrays.
    pub(super) fn prove_subscripts(&mut self, name: &str, operands: &[ValueId]) {
        if name != "einsum" {
            return;
        }
        let (Op::Str(text), (Op::Tuple, arrays)) = (self.graph.op(operands[0]), self.graph.get(operands[1])) else { return };
        let arrays = arrays.to_vec();
        let text = self.graph.name(text).to_owned();
        let subscripts = text.split("->").next().unwrap_or_default().split(',');
        for (subscript, array) in subscripts.zip(arrays) {
            self.prove(array, Proved::Array);
            let axes = subscript.chars().filter(|c| !c.is_whitespace()).count();
            if let Ok(rank) = u8::try_from(axes)
                && !subscript.contains('.')
            {
                self.prove(array, Proved::Rank(rank));
            }
        }
    }

    /// Note what follows of values from a condition that holds, or does not, from `offset` on.
    pub(super) fn prove_by(&mut self, condition: ValueId, holds: bool, offset: TextSize) {
        let (mut decided, mut seen) = (vec![(condition, holds)], FxHashSet::default());
        while let Some((condition, holds)) = decided.pop() {
            if !seen.insert((condition, holds)) {
                continue;
            }
            match (self.graph.get(condition), holds) {
                ((Op::Not, &[inner]), _) => decided.push((inner, !holds)),
                ((Op::And, parts), true) | ((Op::Or, parts), false) => decided.extend(parts.iter().map(|&part| (part, holds))),
                ((Op::Compare(Comparison::Is), &[left, right]), false) => {
                    let present = [(left, right), (right, left)].into_iter().find(|&(_, none)| self.graph.op(none) == Op::None);
                    if let Some((value, _)) = present.filter(|&(v, _)| self.may_be_none(v)) {
                        self.prove_at(value, Proved::Present, offset);
                    }
                }
                ((Op::Apply, &[callee, value, class]), true) if self.is_builtin(callee, "isinstance") => match self.graph.path(class) {
                    Some("mlx.core.array") => self.prove_at(value, Proved::Made, offset),
                    // Neither `type(None)` nor what a name may hold.
                    Some(path) if path != "types.NoneType" && self.may_be_none(value) => self.prove_at(value, Proved::Present, offset),
                    _ => {}
                },
                ((Op::Compare(Comparison::Eq), &[left, right]), true) | ((Op::Compare(Comparison::NotEq), &[left, right]), false) => {
                    for (asked, said) in [(left, right), (right, left)] {
                        let rank = self.graph.as_int(said).and_then(|n| u8::try_from(n).ok());
                        if let (Some(array), Some(rank)) = (self.whose_axes(asked), rank) {
                            self.prove_at(array, Proved::Rank(rank), offset);
                        }
                    }
                }
                (_, true) if self.may_be_none(condition) => self.prove_at(condition, Proved::Present, offset),
                _ => {}
            }
        }
    }
    /// The array whose number of axes `value` is: `x.ndim` or `len(x.shape)`.
    fn whose_axes(&self, value: ValueId) -> Option<ValueId> {
        match self.graph.get(value) {
            (Op::Ndim, &[array]) => Some(array),
            (Op::Apply, &[callee, shape]) if self.is_builtin(callee, "len") => match self.graph.get(shape) {
                (Op::Shape, &[array]) => Some(array),
                _ => None,
            },
            _ => None,
        }
    }
}
