//! What stands between an array and the reads of its elements: a list that is made before a loop is made whatever the loop would have asked. Where the array may
//! be `None`, or the loop asks what it is, the reads say nothing of what holds before the loop.

use crate::graph::facts::{Facts, Kind};
use crate::graph::value::{Comparison, Op, ValueId};
use crate::place::Place;
use crate::syntax::ast::visitor::source_order::{self, SourceOrderVisitor};
use crate::syntax::ast::{self, CmpOp, Expr, Stmt};

/// Builtins that ask what something is.
const QUESTIONS: [&str; 4] = ["isinstance", "hasattr", "len", "type"];

/// The names about which the code that it visits asks: whether they are there, what they are, how long they are.
#[derive(Default)]
pub(super) struct Asked<'x> {
    pub(super) names: Vec<&'x str>,
    /// Conditions around.
    conditions: u32,
}

impl<'x> Asked<'x> {
    /// Visit a condition.
    pub(super) fn condition(&mut self, expr: &'x Expr) {
        self.conditions += 1;
        self.visit_expr(expr);
        self.conditions -= 1;
    }
}

impl<'x> SourceOrderVisitor<'x> for Asked<'x> {
    fn visit_stmt(&mut self, statement: &'x Stmt) {
        match statement {
            Stmt::If(s) => self.condition(&s.test),
            Stmt::While(s) => self.condition(&s.test),
            Stmt::Assert(s) => self.condition(&s.test),
            Stmt::Match(s) => self.condition(&s.subject),
            _ => {}
        }
        source_order::walk_stmt(self, statement);
    }

    fn visit_elif_else_clause(&mut self, clause: &'x ast::ElifElseClause) {
        clause.test.iter().for_each(|test| self.condition(test));
        source_order::walk_elif_else_clause(self, clause);
    }

    fn visit_comprehension(&mut self, comprehension: &'x ast::Comprehension) {
        comprehension.ifs.iter().for_each(|test| self.condition(test));
        source_order::walk_comprehension(self, comprehension);
    }

    fn visit_expr(&mut self, expr: &'x Expr) {
        match expr {
            Expr::Name(name) if self.conditions > 0 => self.names.push(&name.id),
            // An element that is read says nothing of the array.
            Expr::Subscript(e) if e.value.is_name_expr() => self.visit_expr(&e.slice),
            Expr::If(e) => {
                self.condition(&e.test);
                self.visit_expr(&e.body);
                self.visit_expr(&e.orelse);
            }
            Expr::BoolOp(e) => e.values.iter().for_each(|value| self.condition(value)),
            Expr::Compare(e) if e.ops.iter().any(|op| matches!(op, CmpOp::Is | CmpOp::IsNot)) => {
                std::iter::once(&*e.left).chain(&e.comparators).for_each(|side| self.condition(side));
            }
            Expr::Call(call) => {
                let asks = call.func.as_name_expr().is_some_and(|n| QUESTIONS.contains(&n.id.as_str()));
                let outer = std::mem::replace(&mut self.conditions, u32::from(asks));
                source_order::walk_expr(self, expr);
                self.conditions = outer;
            }
            _ => source_order::walk_expr(self, expr),
        }
    }
}

/// Whether `value` may be `None` at the place of `facts`.
pub(super) fn may_be_none(place: &Place<'_>, facts: &Facts<'_>, value: ValueId) -> bool {
    is_optional(place, facts, value, 0) && !facts.is_present(value)
}

/// Whether `value` is, as far as the file shows, now and then `None`.
fn is_optional(place: &Place<'_>, facts: &Facts<'_>, value: ValueId, depth: u32) -> bool {
    let analysis = place.analysis;
    let graph = &analysis.graph;
    match graph.get(value) {
        (Op::None, _) => true,
        (Op::Param(scope, name), _) => {
            let default = analysis.definitions.parameter(scope, name, graph).and_then(|p| p.default());
            facts.kind(value) == Kind::OptionalArray || default.is_some_and(Expr::is_none_literal_expr)
        }
        // `if a is None: a = ..` leaves none.
        (Op::Gate, operands) => {
            let asks_for_none = matches!(graph.op(operands[0]), Op::Compare(Comparison::Is) | Op::Not);
            depth < 8 && !asks_for_none && operands[1..].iter().any(|&v| is_optional(place, facts, v, depth + 1))
        }
        _ => facts.kind(value) == Kind::OptionalArray,
    }
}

#[cfg(test)]
mod tests {
    use super::super::find;
    use crate::finding::Applicability;
    use crate::passes::testing::applied;

    #[test]
    fn a_list_is_made_only_where_the_array_is_there() {
        let with = |parameter: &str, body: &str| {
            let text = format!("import mlx.core as mx\n\ndef f(n, out, {parameter}):\n{body}");
            applied(find, &text, Applicability::Unsafe) != text
        };
        let unasked = "    for i in range(n):\n        out(c[i].item())\n";
        for parameter in ["c=None", "c: mx.array = None", "c: mx.array | None = None"] {
            assert!(!with(parameter, unasked), "{parameter}");
            for asked in ["if c is None:\n        return\n", "assert c is not None\n", "if not c or n < 3:\n        raise n\n"] {
                assert!(with(parameter, &format!("    {asked}{unasked}")), "{parameter} {asked}");
            }
            let inside = "        for i in range(n):\n            out(c[i].item())\n";
            assert!(with(parameter, &format!("    if n and c is not None:\n{inside}")), "{parameter}");
            assert!(with(parameter, &format!("    if c is None:\n        n = 3\n    else:\n{inside}")), "{parameter}");
            assert!(!with(parameter, &format!("    if n or c is not None:\n{inside}")), "{parameter}");
            assert!(with(parameter, &unasked.replace("range(n)", "range(len(c))")), "{parameter}");
        }
        for asked in ["if c is not None", "if n and isinstance(c, mx.array)", "if i < len(c)", "if c.ndim == 1", "k = c is None\n        if n"] {
            assert!(!with("c", &format!("    for i in range(n):\n        {asked}:\n            out(c[i].item())\n")), "{asked}");
        }
        assert!(!with("c", "    return [c[i].item() for i in range(n) if i < c.size]\n"));
        assert!(with("c", "    for i in range(n):\n        if c[i].item() > n:\n            out(i)\n"));
    }
}
