//! Conditions, and what is evaluated only where one holds: the sides of a choice, the later operands of `and`, `or` and chained comparisons.

use super::Lowerer;
use crate::graph::body::{BlockId, Proved};
use crate::graph::value::{Comparison, Op, Operands, ValueId};
use crate::syntax::TextSize;
use crate::syntax::ast::{self, CmpOp, Expr};

/// So many operands of `and` and `or` at most know what those before them have decided, so that long chains stay cheap.
const MAX_NESTED: usize = 16;

impl<'g> Lowerer<'_, 'g> {
    /// Lower what is evaluated only where a condition holds, or does not.
    pub(super) fn where_decided<T>(&mut self, decided: (ValueId, bool), lower: impl FnOnce(&mut Self) -> T) -> T {
        self.apart(|l| {
            l.decide(decided);
            lower(l)
        })
    }

    /// In this block, a condition holds or does not.
    fn decide(&mut self, (mut condition, mut holds): (ValueId, bool)) {
        while let (Op::Not, &[inner]) = self.graph.get(condition) {
            (condition, holds) = (inner, !holds);
        }
        self.body.blocks[self.block as usize].decided = Some((condition, holds));
        self.prove_by(condition, holds, self.offset);
    }

    /// Lower what may not be evaluated: what it proves holds in it alone.
    pub(super) fn apart<T>(&mut self, lower: impl FnOnce(&mut Self) -> T) -> T {
        let outer: BlockId = self.enter_block(false);
        let result = lower(self);
        self.block = outer;
        result
    }

    /// `then if test else otherwise`.
    pub(super) fn conditional(&mut self, e: &'g ast::ExprIf) -> ValueId {
        let condition = self.expr(&e.test);
        let [(then, in_then), (otherwise, in_else)] = self.perhaps(&[&e.body, &e.orelse], |l| {
            [(&e.body, true), (&e.orelse, false)].map(|(side, holds)| l.where_decided((condition, holds), |l| (l.expr(side), l.block)))
        });
        self.choice(condition, [then, otherwise], [in_then, in_else], self.offset)
    }

    /// One value or another, as a condition says, each computed in its block. It can be read after `from`.
    pub(super) fn choice(&mut self, condition: ValueId, values: [ValueId; 2], blocks: [BlockId; 2], from: TextSize) -> ValueId {
        let [then, otherwise] = values;
        let value = self.graph.value(Op::Gate, &[condition, then, otherwise]);
        if self.graph.op(value) == Op::Gate {
            self.prove_at(value, Proved::Chosen([(then, blocks[0]), (otherwise, blocks[1])]), from);
        }
        value
    }

    pub(super) fn boolean(&mut self, e: &'g ast::ExprBoolOp) -> ValueId {
        let later: Vec<&Expr> = e.values.iter().skip(1).collect();
        let goes_on = e.op == ast::BoolOp::And;
        let operands: Operands = self.perhaps(&later, |l| {
            let outer = l.block;
            let mut operands = Operands::new();
            for value in &e.values {
                if operands.len().is_multiple_of(MAX_NESTED) {
                    l.block = outer;
                }
                if let Some(&before) = operands.last() {
                    l.enter_block(false);
                    l.decide((before, goes_on));
                }
                operands.push(l.expr(value));
            }
            l.block = outer;
            operands
        });
        self.graph.value(if e.op == ast::BoolOp::And { Op::And } else { Op::Or }, &operands)
    }

    pub(super) fn compare(&mut self, e: &'g ast::ExprCompare) -> ValueId {
        // A chain ends with the first comparison that is false.
        let later: Vec<&Expr> = e.comparators.iter().skip(1).collect();
        self.perhaps(&later, |l| l.links(e))
    }

    fn links(&mut self, e: &'g ast::ExprCompare) -> ValueId {
        let mut left = self.expr(&e.left);
        let mut links = Operands::new();
        for (n, (op, right)) in e.ops.iter().zip(&e.comparators).enumerate() {
            let right = if n == 0 { self.expr(right) } else { self.apart(|l| l.expr(right)) };
            let (op, negated) = match op {
                CmpOp::Eq => (Comparison::Eq, false),
                CmpOp::NotEq => (Comparison::NotEq, false),
                CmpOp::Lt => (Comparison::Lt, false),
                CmpOp::LtE => (Comparison::LtE, false),
                CmpOp::Gt => (Comparison::Gt, false),
                CmpOp::GtE => (Comparison::GtE, false),
                CmpOp::Is => (Comparison::Is, false),
                CmpOp::IsNot => (Comparison::Is, true),
                CmpOp::In => (Comparison::In, false),
                CmpOp::NotIn => (Comparison::In, true),
            };
            let link = self.graph.value(Op::Compare(op), &[left, right]);
            links.push(if negated { self.graph.value(Op::Not, &[link]) } else { link });
            left = right;
        }
        match links[..] {
            [only] => only,
            _ => self.graph.value(Op::And, &links),
        }
    }
}
