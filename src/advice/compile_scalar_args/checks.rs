//! What a compiled function asks of its numbers in Python: an array in their place has no value while the function is traced, so that such a test belongs
//! before the call.

use crate::graph::Analysis;
use crate::graph::statements;
use crate::place::expressions;
use crate::syntax::Ranged;
use crate::syntax::ast::{CmpOp, Expr, Stmt};

use super::Scalar;
use crate::advice::compiled::Site;
use crate::advice::listed;

/// What to do with the tests of `scalars`, if there are any.
pub(super) fn advice(analysis: &Analysis<'_>, site: &Site<'_>, scalars: &[Scalar<'_>]) -> Option<String> {
    let mut tests = Vec::new();
    each_test(&site.function.body, &mut |test| tests.push(test));
    site.expressions(&mut |expr| tests.extend(expr.as_if_expr().map(|e| &*e.test)));
    let mut texts: Vec<String> = Vec::new();
    for test in tests.into_iter().filter(|test| scalars.iter().any(|s| asks_for(test, s.name))) {
        let text = analysis.source.quote(test.range());
        texts.extend(Some(text).filter(|t| !texts.contains(t)));
    }
    if texts.is_empty() {
        return None;
    }
    let random = if site.lists_random_state() {
        ", and what the failed trace leaves in `mx.random.state` makes every later draw raise, until `mx.random.seed` is called"
    } else {
        ""
    };
    Some(format!("Test {} before the call: of an array it raises while the function is traced{random}.", listed(&texts)))
}

/// The tests of statements of `body`, not those of functions inside.
fn each_test<'x>(body: &'x [Stmt], see: &mut dyn FnMut(&'x Expr)) {
    statements::each(body, &mut |statement| match statement {
        Stmt::If(s) => std::iter::once(&*s.test).chain(s.elif_else_clauses.iter().filter_map(|c| c.test.as_ref())).for_each(&mut *see),
        Stmt::While(s) => see(&s.test),
        Stmt::Assert(s) => see(&s.test),
        _ => {}
    });
}

/// Whether `test` asks for the value of what is called `name`, and not only whether there is one, or of what type.
fn asks_for(test: &Expr, name: &str) -> bool {
    match test {
        Expr::BoolOp(e) => e.values.iter().any(|v| asks_for(v, name)),
        Expr::UnaryOp(e) => asks_for(&e.operand, name),
        Expr::Compare(e) if e.ops.iter().all(|op| matches!(op, CmpOp::Is | CmpOp::IsNot)) => false,
        Expr::Call(e) if e.func.as_name_expr().is_some_and(|f| matches!(f.id.as_str(), "isinstance" | "hasattr" | "callable")) => false,
        _ => {
            let mut found = false;
            expressions::each(test, &mut |expr| found |= expr.as_name_expr().is_some_and(|n| n.id.as_str() == name));
            found
        }
    }
}
