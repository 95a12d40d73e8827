//! Tests of arrays that only spare a few operations: `if mx.any(mask): x = x + mask * y`. The test makes each round wait for all that was queued before it,
//! where the operations, or `mx.where`, would wait for nothing.

use crate::finding::MEASURED;
use crate::graph::value::{Op, ValueId};
use crate::place::{Place, expressions};
use crate::syntax::Ranged;
use crate::syntax::ast::{Expr, Stmt, StmtIf};

use super::super::reads::{gives_array, is_test_of_array, tests};
use super::super::rounds::Round;
use super::super::{Told, counted};
use super::cost;

/// What was measured of a loop of such tests.
const CHOSEN: &str =
    "of 70 tests on a CPU, where a wait is short: without them the loop took 0.9 to 17 times as long, so that it pays on a GPU at most (mlx 0.32.4).";

/// More operations than these are worth a wait.
const FEW: usize = 16;

/// The first such test of a round.
pub(super) fn told(place: &Place<'_>, round: &Round<'_>) -> Option<Told> {
    round.lines.iter().filter(|l| !l.rare).find_map(|line| {
        let Stmt::If(s) = line.statement else { return None };
        let is_array = |test: &&Expr| is_test_of_array(place, line.statement, test) || is_read(place, test);
        let test = tests(line.statement).into_iter().find(is_array)?;
        let operations = spared(place, s)?;
        let text = place.source().quote(test.range());
        Some(Told {
            range: test.range(),
            message: format!("the test of `{text}` waits for the device {}, to spare {}", round.named(place), counted(operations, "operation")),
            rationale: vec![
                format!("{}: Python has to know the answer before it can queue anything that follows.", cost(place, round, 1)),
                "Compute it in any case, which waits for nothing: where the test fails it must change nothing, as adding `mask * y` does with a mask of zeros, or be left out by `mx.where`.".to_owned(),
                format!("{MEASURED} {CHOSEN}"),
            ],
        })
    })
}

/// Whether `test` is `.item()` or `bool()` of a computation.
fn is_read(place: &Place<'_>, test: &Expr) -> bool {
    let Some(call) = test.as_call_expr() else { return false };
    match &*call.func {
        Expr::Attribute(method) => method.attr.as_str() == "item" && gives_array(place, &method.value),
        Expr::Name(_) => place.calls_builtin(call, "bool") && call.arguments.args.iter().any(|a| gives_array(place, a) || is_read(place, a)),
        _ => false,
    }
}

/// How many operations of MLX the one branch of `s` consists of, if it only computes, and little.
fn spared(place: &Place<'_>, s: &StmtIf) -> Option<usize> {
    if !s.elif_else_clauses.is_empty() {
        return None;
    }
    let graph = &place.analysis.graph;
    let mut count = 0;
    for statement in &s.body {
        let (Stmt::Assign(_) | Stmt::AugAssign(_)) = statement else { return None };
        let mut calls_other = false;
        expressions::of_statement(statement, &mut |expr| {
            calls_other |= match expr {
                Expr::Call(call) => match &*call.func {
                    Expr::Attribute(method) if matches!(method.attr.as_str(), "astype" | "reshape" | "expand_dims" | "sum" | "squeeze") => false,
                    func => !place.path(func).is_some_and(|p| p.starts_with("mlx.core.") && p != "mlx.core.eval"),
                },
                Expr::Lambda(_) | Expr::ListComp(_) | Expr::Await(_) | Expr::Named(_) => true,
                _ => false,
            };
            let value = place.value(expr).filter(|_| !expr.is_name_expr() && !expr.is_literal_expr());
            // `-np.inf` is a number.
            let is_number = |&v: &ValueId| matches!(graph.op(v), Op::Global(_) | Op::Int(_) | Op::Float(_));
            let is_arithmetic = |v| matches!(graph.op(v), Op::Add | Op::Sub | Op::Mul | Op::Div | Op::Pow | Op::Neg);
            let computes = |v| matches!(graph.op(v), Op::Mlx(_)) || (is_arithmetic(v) && !graph.operands(v).iter().all(is_number));
            count += usize::from(value.is_some_and(computes));
        });
        if calls_other {
            return None;
        }
    }
    (1..=FEW).contains(&count).then_some(count)
}
