//! Statements between an evaluation and a cast: which of them neither see what is evaluated nor tell when.

use crate::place::Place;
use crate::syntax::Ranged;
use crate::syntax::ast::visitor::source_order::{self, SourceOrderVisitor};
use crate::syntax::ast::{self, Expr, Stmt};

/// Whether `evaluation` may move behind `statement`: an assignment to names that speaks of nothing that is evaluated, reads no clock and asks nothing of MLX.
/// `Some(true)` where it calls something of which the rest must be assumed.
pub(super) fn lets_pass(place: &Place<'_>, statement: &Stmt, evaluation: &ast::ExprCall) -> Option<bool> {
    let is_plain = match statement {
        Stmt::Assign(s) => s.targets.iter().all(Expr::is_name_expr),
        Stmt::AnnAssign(s) => s.target.is_name_expr(),
        _ => false,
    };
    if !is_plain || !place.has_own_lines(statement.range()) {
        return None;
    }
    let mut evaluated = Names::default();
    evaluation.arguments.args.iter().for_each(|e| evaluated.visit_expr(e));
    let mut here = Names::default();
    here.visit_stmt(statement);
    let tells_time = |callee: &&Expr| place.path(callee).is_some_and(|p| p.starts_with("time.") || p.starts_with("mlx."));
    let stays_apart = !here.acts && !here.names.iter().any(|n| evaluated.names.contains(n)) && !here.callees.iter().any(tells_time);
    stays_apart.then_some(!here.callees.is_empty())
}

#[derive(Default)]
struct Names<'x> {
    names: Vec<&'x str>,
    callees: Vec<&'x Expr>,
    /// It binds names inside of expressions, waits or yields.
    acts: bool,
}

impl<'x> SourceOrderVisitor<'x> for Names<'x> {
    fn visit_expr(&mut self, expr: &'x Expr) {
        match expr {
            Expr::Name(name) => self.names.push(&name.id),
            Expr::Call(call) => self.callees.push(&call.func),
            Expr::Named(_) | Expr::Await(_) | Expr::Yield(_) | Expr::YieldFrom(_) => self.acts = true,
            _ => {}
        }
        source_order::walk_expr(self, expr);
    }
}
