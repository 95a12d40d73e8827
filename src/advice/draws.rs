//! Whether a function draws random numbers.

use crate::graph::definitions::{Definitions, FunctionIndex};
use crate::graph::{Analysis, is_pure_builtin};
use crate::place::expressions;
use crate::syntax::ast::{Expr, ExprCall, StmtFunctionDef};

/// Whether `function` may draw random numbers: it calls what is not seen, or what is known to draw.
pub(super) fn may_draw(analysis: &Analysis<'_>, function: &StmtFunctionDef, depth: u32) -> bool {
    let (definitions, graph) = (&analysis.definitions, &analysis.graph);
    let parameters: Vec<&str> = function.parameters.iter().map(|p| p.name().as_str()).collect();
    let mut found = false;
    expressions::of_scope(&function.body, &mut |expr| {
        let Expr::Call(call) = expr else { return };
        found |= match (definitions.import_path(&call.func, graph), &*call.func) {
            (Some(path), _) => !is_without_draws(&path),
            (None, Expr::Name(name)) => match helper(analysis, call) {
                Some(index) => depth >= 2 || may_draw(analysis, definitions.functions[index].ast, depth + 1),
                None => !is_pure_builtin(&name.id) && !is_exception(definitions, analysis, name.id.as_str()),
            },
            // A method of an array that it takes; of another object it may be anything.
            (None, Expr::Attribute(method)) => !is_made_of(&method.value, &parameters),
            _ => true,
        };
    });
    found
}

/// The function of the module that `call` calls by its name.
pub(super) fn helper(analysis: &Analysis<'_>, call: &ExprCall) -> Option<FunctionIndex> {
    analysis.definitions.function_named(analysis.graph.known_symbol(&call.func.as_name_expr()?.id)?)
}

/// Whether what an import calls `path` draws no random numbers.
pub(super) fn is_without_draws(path: &str) -> bool {
    let is_drawing = path.starts_with("mlx.core.random.") || path.contains("dropout") || path.contains("Dropout") || path.contains("grad");
    ["mlx.", "math.", "numpy."].iter().any(|p| path.starts_with(p)) && !is_drawing
}

/// Whether `name` is that of an exception of Python's own.
fn is_exception(definitions: &Definitions<'_>, analysis: &Analysis<'_>, name: &str) -> bool {
    let is_bound = analysis.graph.known_symbol(name).is_some_and(|n| definitions.module.contains_key(&n));
    name.ends_with("Error") && !is_bound
}

/// Whether `expr` is a parameter, or what methods and operators make of parameters.
fn is_made_of(expr: &Expr, parameters: &[&str]) -> bool {
    match expr {
        Expr::Name(name) => parameters.contains(&name.id.as_str()),
        Expr::Call(call) => call.func.as_attribute_expr().is_some_and(|method| is_made_of(&method.value, parameters)),
        Expr::BinOp(_) | Expr::UnaryOp(_) | Expr::Subscript(_) | Expr::Compare(_) => true,
        _ => false,
    }
}
