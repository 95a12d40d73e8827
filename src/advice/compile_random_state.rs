//! Compiled functions that draw random numbers without the random state among their inputs and outputs: the state is read once, while the function is traced,
//! and every call draws the same numbers. Also those that list it, and raise while it is not the program's own.

mod failures;

use crate::finding::{Finding, Notes, TransformId};
use crate::graph::Analysis;
use crate::place::expressions;
use crate::syntax::ast::{Expr, ExprCall, StmtFunctionDef};
use crate::syntax::{Ranged, TextRange};

use super::Told;
use super::compiled::{self, RANDOM_STATE, Site, with_partial};
use super::draws::helper;

/// Find the compiled functions that draw the same numbers in each call.
pub fn find(analysis: &Analysis<'_>, id: &TransformId, notes: &Notes) -> Vec<Finding> {
    compiled::each(analysis, notes, |site| {
        let drawn = of_function(analysis, site).map(|told| told.finding(id));
        let failing = failures::of_function(analysis, site).map(|(told, ways)| told.hinging_on(ways, id));
        drawn.into_iter().chain(failing).collect()
    })
}

fn of_function(analysis: &Analysis<'_>, site: &Site<'_>) -> Option<Told> {
    let mut drawn: Option<(TextRange, String)> = None;
    site.expressions(&mut |expr| {
        let Expr::Call(call) = expr else { return };
        if draws(site, call) {
            drawn.get_or_insert_with(|| (call.range(), analysis.source.quote(call.func.range())));
        } else if let Some(helper) = helper(analysis, call)
            && helper_draws(analysis, site, analysis.definitions.functions[helper].ast)
        {
            drawn.get_or_insert_with(|| (call.range(), analysis.source.quote(call.func.range())));
        }
    });
    let left = |reason: &str| site.outer.notes.left::<Told>(site.range(), site.range(), 60, || reason.to_owned());
    let Some((range, what)) = drawn else { return left("it is not seen to draw numbers without a key") };
    let (inputs, outputs) = (site.listed("inputs", 1), site.listed("outputs", 2));
    if inputs.is_unclear || outputs.is_unclear {
        return left("what is listed is not seen as a whole");
    }
    let missing = match (inputs.has(RANDOM_STATE), outputs.has(RANDOM_STATE)) {
        (true, true) => return left("`mx.random.state` is listed in `inputs` and `outputs`"),
        (false, false) => "neither in `inputs` nor in `outputs`",
        (true, false) => "in `inputs` and not in `outputs`",
        (false, true) => "in `outputs` and not in `inputs`",
    };
    Some(Told {
        range,
        message: format!("`{what}` draws in the compiled `{}`, and the random state is listed {missing}", site.function.name),
        rationale: vec![
            "1 draw each time the function is traced, and none in a call: calls with the same shapes, dtypes and Python numbers give the same numbers, and `mx.random.seed` has no effect on them."
                .to_owned(),
            format!(
                "List it both ways, `@partial(mx.compile, inputs=mx.random.state, outputs=mx.random.state)`{}{}; or pass a `key` as an argument.",
                with_partial(analysis),
                if inputs.is_empty() && outputs.is_empty() { "" } else { ", beside what is listed already" }
            ),
        ],
    })
}

/// Whether `call` draws from the random state, which it does unless it is given a key.
fn draws(site: &Site<'_>, call: &ExprCall) -> bool {
    let Some(path) = site.inner.path(&call.func) else { return false };
    let Some(name) = path.strip_prefix("mlx.core.random.") else { return false };
    let draws = !matches!(name, "key" | "split" | "seed" | "state");
    draws && call.arguments.find_keyword("key").is_none()
}

/// Whether the function `helper` draws itself, by the names of the module.
fn helper_draws(analysis: &Analysis<'_>, site: &Site<'_>, helper: &StmtFunctionDef) -> bool {
    let mut found = false;
    expressions::of_scope(&helper.body, &mut |expr| {
        if let Expr::Call(call) = expr {
            let path = analysis.definitions.import_path(&call.func, &analysis.graph);
            found |= path.is_some_and(|p| p.starts_with("mlx.core.random.")) && draws(site, call);
        }
    });
    found
}
