//! Evaluations inside of compiled functions: while a function is traced its arrays have no data, and whatever asks for it raises.

use crate::finding::{Finding, Notes, TransformId};
use crate::graph::{Analysis, statements};
use crate::place::expressions;
use crate::syntax::ast::Expr;
use crate::syntax::{Ranged, TextRange};

use super::Told;
use super::compiled::{self, Site};
use super::reads::reads_in_trace;

/// Find the evaluations in compiled functions.
pub fn find(analysis: &Analysis<'_>, id: &TransformId, notes: &Notes) -> Vec<Finding> {
    let told = compiled::each(analysis, notes, |site| of_function(analysis, site));
    told.into_iter().map(|t: Told| t.finding(id)).collect()
}

fn of_function(analysis: &Analysis<'_>, site: &Site<'_>) -> Vec<Told> {
    let mut ranges: Vec<TextRange> = Vec::new();
    statements::each(&site.function.body, &mut |statement| {
        expressions::of_statement(statement, &mut |expr| {
            if let Expr::Call(call) = expr
                && matches!(site.inner.path(&call.func).as_deref(), Some("mlx.core.eval" | "mlx.core.async_eval"))
            {
                ranges.push(expr.range());
            }
        });
        ranges.extend(reads_in_trace(&site.inner, statement).into_iter().map(|r| r.expr.range()));
    });
    if ranges.is_empty() {
        site.outer.notes.left::<()>(site.range(), site.range(), 60, || "nothing in it is seen to ask an array for its data".to_owned());
    }
    let told = ranges.into_iter().map(|range| Told {
        range,
        message: format!("`{}` asks for data in the compiled `{}`, which raises while it is traced", analysis.source.quote(range), site.function.name),
        rationale: vec![
            "1 exception in the first call: a function is compiled from arrays that have shapes and dtypes, and no values.".to_owned(),
            "Return the array and evaluate it where the function is called; choose between values with `mx.where`, and what a condition decides, outside.".to_owned(),
        ],
    });
    told.collect()
}
