//! Which functions `mx.compile` compiles, as far as a decorator shows it.

use super::definitions::Definitions;
use super::value::Graph;
use crate::syntax::ast::Expr;

/// Whether a decorator is `mx.compile` in one of its forms, which changes nothing that a call computes.
pub fn is_compile(decorator: &Expr, definitions: &Definitions<'_>, graph: &Graph) -> bool {
    let is = |expr: &Expr, path: &str| definitions.import_path(expr, graph).as_deref() == Some(path);
    match decorator {
        Expr::Call(call) if is(&call.func, "functools.partial") => call.arguments.args.first().is_some_and(|f| is(f, "mlx.core.compile")),
        Expr::Call(call) => is(&call.func, "mlx.core.compile"),
        _ => is(decorator, "mlx.core.compile"),
    }
}
