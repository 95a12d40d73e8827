//! State that a compiled function changes or reads without saying so. What is not listed in `outputs` is changed while the function is traced, once, and holds
//! values without data from then on; what is not listed in `inputs` is read while it is traced, and never again.

use crate::finding::{Finding, Notes, TransformId};
use crate::graph::Analysis;
use crate::graph::body::Statement;
use crate::syntax::ast::{Expr, Stmt};
use crate::syntax::{Ranged, TextRange};

use super::Told;
use super::compiled::{self, Site, dotted};

/// The section of the performance guide that this comes from.
const GUIDE: &str = "Compilation: pure functions and captured state";

/// Find the compiled functions with state that is not listed.
pub fn find(analysis: &Analysis<'_>, id: &TransformId, notes: &Notes) -> Vec<Finding> {
    let told = compiled::each(analysis, notes, |site| {
        let mut told = changed(site);
        told.extend(rebound(site));
        if told.is_empty() {
            site.outer
                .notes
                .left::<()>(site.range(), site.range(), 60, || "it is not seen to change anything, and what it reads keeps its value".to_owned());
        }
        told
    });
    told.into_iter().map(|t: Told| t.finding(id, GUIDE)).collect()
}

/// Objects from outside that the function changes, and that are not listed both ways.
fn changed(site: &Site<'_>) -> Vec<Told> {
    let mut places: Vec<(String, TextRange)> = Vec::new();
    site.expressions(&mut |expr| {
        // `optimizer.update(model, gradients)`.
        if let Expr::Call(call) = expr
            && let Expr::Attribute(method) = &*call.func
            && matches!(method.attr.as_str(), "update" | "apply_gradients")
            && call.arguments.args.len() == 2
            && let Some(object) = dotted(&method.value)
        {
            places.push((object, call.range()));
        }
    });
    stores(&site.function.body, &mut places);
    let (inputs, outputs) = (site.listed("inputs", 1), site.listed("outputs", 2));
    let mut told: Vec<Told> = Vec::new();
    let mut seen: Vec<String> = Vec::new();
    for (object, range) in places {
        let root = object.split('.').next().unwrap_or_default();
        if !site.is_captured(root) || seen.contains(&object) {
            continue;
        }
        seen.push(object.clone());
        let left = |reason: &str| site.outer.notes.left::<()>(range, range, 100, || reason.to_owned());
        if inputs.is_unclear || outputs.is_unclear {
            left("what is listed is not seen as a whole");
            continue;
        }
        let (is_input, is_output) = (inputs.has(&object), outputs.has(&object));
        if is_input && is_output {
            left("its state is listed in `inputs` and `outputs`");
            continue;
        }
        let missing = match (is_input, is_output) {
            (false, false) => "neither in `inputs` nor in `outputs`",
            (true, false) => "in `inputs` and not in `outputs`",
            _ => "in `outputs` and not in `inputs`",
        };
        told.push(Told {
            range,
            message: format!("the compiled `{}` changes `{object}`, which is listed {missing}", site.function.name),
            rationale: vec![
                "It is changed 1 time, while the function is traced, and not in each call: what it holds then is of that call, and what depends on its arguments has no data.".to_owned(),
                format!("List its state both ways: `state = [..., {object}.state]` and `@partial(mx.compile, inputs=state, outputs=state)`; the same list belongs in the `mx.eval` of the step."),
            ],
        });
    }
    told
}

/// Objects whose attributes or items the statements of `body` assign.
fn stores(body: &[Stmt], places: &mut Vec<(String, TextRange)>) {
    for statement in body {
        let targets: Vec<&Expr> = match statement {
            Stmt::Assign(s) => s.targets.iter().collect(),
            Stmt::AugAssign(s) => vec![&s.target],
            _ => Vec::new(),
        };
        for target in targets {
            let object = match target {
                Expr::Attribute(e) => dotted(target).filter(|_| !e.value.is_call_expr()),
                Expr::Subscript(e) => dotted(&e.value),
                _ => None,
            };
            places.extend(object.map(|o| (o, target.range())));
        }
        if !matches!(statement, Stmt::FunctionDef(_) | Stmt::ClassDef(_)) {
            crate::graph::definitions::blocks(statement).into_iter().for_each(|b| stores(b, places));
        }
    }
}

/// A name of the scope around that the function reads, and that gets another value after it was compiled.
fn rebound(site: &Site<'_>) -> Option<Told> {
    let graph = &site.outer.analysis.graph;
    let inputs = site.listed("inputs", 1);
    let made = site.function.range().end().max(site.compiled.range.end());
    let mut found: Option<(String, TextRange, TextRange)> = None;
    site.expressions(&mut |expr| {
        let Expr::Name(name) = expr else { return };
        if found.is_some() || !name.ctx.is_load() || !site.is_captured(&name.id) || inputs.is_unclear || inputs.has(&name.id) {
            return;
        }
        let Some(symbol) = graph.known_symbol(&name.id) else { return };
        let body = site.outer.body;
        let assigned = site.outer.definitions_of(symbol).filter_map(|(_, d)| Some(&body.statements[d.statement? as usize]));
        let assigned: Vec<_> = assigned.collect();
        // A name that is given its one value before the first call is read with that value.
        let again = |s: &Statement| body.blocks[s.block as usize].loop_depth > 0 || assigned.iter().any(|a| a.range.start() < made);
        if let Some(later) = assigned.iter().find(|s| s.range.start() > made && again(s)).map(|s| s.range) {
            found = Some((name.id.to_string(), name.range, later));
        }
    });
    let (name, range, later) = found?;
    let row = site.outer.source().location(later.start()).row;
    Some(Told {
        range,
        message: format!("the compiled `{}` reads `{name}` when it is traced, and does not see what line {row} assigns", site.function.name),
        rationale: vec![
            format!("`{name}` is read 1 time, in the first call: what is assigned later is used by no call."),
            format!("Pass `{name}` as an argument, an array if it is a number; or keep it in a list or dictionary that `inputs` names."),
        ],
    })
}
