//! Compiled functions with the random state among their inputs that refuse arguments: while such a function is traced the state is not the program's own, and a
//! trace that fails does not put it back.

use crate::finding::Way;
use crate::graph::Analysis;
use crate::graph::statements::{blocks, branches};
use crate::place::expressions;
use crate::syntax::ast::{Expr, Stmt};
use crate::syntax::{Ranged, TextRange};

use crate::advice::Told;
use crate::advice::compiled::{RANDOM_STATE, Site};
use crate::advice::defaults::{self, Guard};
use crate::advice::draws::may_draw;
use crate::graph::calls::Called;

/// What is told of a function that other files may call, if it raises on what it is given.
pub(super) fn of_function(analysis: &Analysis<'_>, site: &Site<'_>) -> Option<(Told, Vec<Way>)> {
    let inputs = site.listed("inputs", 1);
    if !site.is_public() || inputs.is_unclear || !inputs.has(RANDOM_STATE) {
        return None;
    }
    let draws = may_draw(analysis, site.function, 0);
    let parameters: Vec<&str> = site.function.parameters.iter().map(|p| p.name().as_str()).collect();
    let range = refusal(&site.function.body, &parameters, false)?;
    // To take a function apart is worth it where a program goes on with other arguments than those that it refused.
    if draws && refusal(&site.function.body, &changing(site, parameters), false).is_none() {
        return site.outer.notes.left(site.range(), range, 100, || "what it refuses is kept by an object, and refused in its first call".to_owned());
    }
    let name = site.function.name.as_str();
    let way_out = if draws {
        format!("Check before the call: `{name}` can do that without its decorator, and call a compiled function.")
    } else {
        format!("`{name}` draws nothing: take `mx.random.state` out of its `inputs` and `outputs`, and a trace that fails leaves nothing behind.")
    };
    let guards = defaults::guards(analysis, &site.calls());
    let mut cost = "1 such call, and every later draw of its thread raises \"Attempting to eval an array without a primitive\", in other functions too, until `mx.random.seed` is called.".to_owned();
    cost += &guards.iter().map(Guard::told).collect::<String>();
    let message = format!("where the compiled `{name}` raises, it leaves the random state, which it lists, without data");
    Some((Told { range, message, rationale: vec![cost, way_out] }, guards.iter().map(Guard::way).collect()))
}

/// Those of `parameters` that calls of the file may give another value from call to call: all but constants and what the object around keeps.
fn changing<'x>(site: &Site<'x>, mut parameters: Vec<&'x str>) -> Vec<&'x str> {
    let calls = site.calls();
    let is_same =
        |given: &Expr| given.is_literal_expr() || given.as_attribute_expr().is_some_and(|a| a.value.as_name_expr().is_some_and(|n| n.id == "self"));
    if !calls.is_empty() && calls.iter().all(Called::is_plain) {
        for (at, parameter) in site.function.parameters.iter_non_variadic_params().enumerate() {
            if calls.iter().filter_map(|call| call.given(site.function, at)).all(is_same) {
                parameters.retain(|name| *name != parameter.name().as_str());
            }
        }
    }
    parameters
}

/// The first statement of `body` that raises because of one of `parameters`; `is_asked` where a test around it asks for one. What may be caught does not count.
fn refusal(body: &[Stmt], parameters: &[&str], is_asked: bool) -> Option<TextRange> {
    body.iter().find_map(|statement| match statement {
        Stmt::Raise(_) if is_asked => Some(statement.range()),
        Stmt::Assert(s) if asks(&s.test, parameters) => Some(statement.range()),
        Stmt::If(s) => {
            let mut asked = is_asked;
            branches(s).find_map(|(test, body)| {
                asked |= test.is_some_and(|test| asks(test, parameters));
                refusal(body, parameters, asked)
            })
        }
        Stmt::Try(_) | Stmt::FunctionDef(_) | Stmt::ClassDef(_) => None,
        _ => blocks(statement).into_iter().find_map(|b| refusal(b, parameters, is_asked)),
    })
}

/// Whether `test` mentions one of `parameters`.
fn asks(test: &Expr, parameters: &[&str]) -> bool {
    let mut found = false;
    expressions::each(test, &mut |expr| found |= expr.as_name_expr().is_some_and(|n| parameters.contains(&n.id.as_str())));
    found
}
