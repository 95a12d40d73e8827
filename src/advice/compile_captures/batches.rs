//! Whether the last batch that a loop gives a compiled function may be shorter than the others: data is cut into pieces, and nothing says that a whole number
//! of them is all of it.

use crate::graph::Analysis;
use crate::graph::calls::Called;
use crate::graph::definitions::ModuleBinding;
use crate::graph::statements::blocks;
use crate::place::expressions;
use crate::syntax::ast::{Expr, Operator, Stmt, StmtFor};
use crate::syntax::{Ranged, TextRange};

use crate::advice::compiled::Site;

/// What makes the batches of the compiled function, if the last one may be shorter: a function of the file, or the loop itself.
pub(super) fn short(site: &Site<'_>) -> Option<String> {
    let analysis = site.outer.analysis;
    site.calls().iter().filter(|c| c.in_loop).find_map(|called| {
        let looped = loop_around(statements_of(analysis, called), called.call.range())?;
        if cuts(analysis, looped) {
            return Some("the loop".to_owned());
        }
        let mut found = None;
        expressions::each(&looped.iter, &mut |expr| {
            let name = expr.as_call_expr().and_then(|call| call.func.as_name_expr());
            let function = name.and_then(|name| match analysis.definitions.module.get(&analysis.graph.known_symbol(&name.id)?)? {
                &ModuleBinding::Function(index) => Some(analysis.definitions.functions[index].ast),
                _ => None,
            });
            if let Some(function) = function
                && yielding(&function.body).is_some_and(|cut| cuts(analysis, cut))
            {
                found = Some(format!("`{}`", function.name));
            }
        });
        found
    })
}

/// The statements of the function that makes the call, or of the module.
fn statements_of<'x>(analysis: &'x Analysis<'_>, called: &Called<'_>) -> &'x [Stmt] {
    match called.by {
        Some(function) => &analysis.definitions.functions[function].ast.body,
        None => &analysis.source.module().body,
    }
}

/// The innermost `for` of `body` in which `range` stands.
fn loop_around(body: &[Stmt], range: TextRange) -> Option<&StmtFor> {
    let statement = body.iter().find(|s| s.range().contains_range(range))?;
    let inner = blocks(statement).into_iter().find_map(|b| loop_around(b, range));
    inner.or_else(|| statement.as_for_stmt())
}

/// The innermost loop of a generator that yields.
fn yielding(body: &[Stmt]) -> Option<&StmtFor> {
    body.iter().find_map(|statement| {
        let inner = blocks(statement).into_iter().find_map(yielding);
        inner.or_else(|| statement.as_for_stmt().filter(|s| s.body.iter().any(|s| s.as_expr_stmt().is_some_and(|s| s.value.is_yield_expr()))))
    })
}

/// Whether the loop takes `x[s : s + n]` for each `s` of `range(0, length, n)`, and nothing makes a multiple of `n` of the length or leaves a piece out.
fn cuts(analysis: &Analysis<'_>, looped: &StmtFor) -> bool {
    let text = |expr: &Expr| analysis.source.quote(expr.range());
    let (Expr::Name(start), Expr::Call(range)) = (&*looped.target, &*looped.iter) else { return false };
    let [first, stop, step] = &*range.arguments.args else { return false };
    if text(&range.func) != "range" || text(first) != "0" {
        return false;
    }
    let mut whole = false;
    expressions::each(stop, &mut |expr| {
        whole |= expr.as_bin_op_expr().is_some_and(|e| matches!(e.op, Operator::Sub | Operator::FloorDiv | Operator::Mult))
    });
    let (name, size) = (start.id.as_str(), text(step));
    let is_piece = |expr: &Expr| {
        let upper = expr.as_slice_expr().filter(|s| s.lower.as_deref().is_some_and(|l| text(l) == name)).and_then(|s| s.upper.as_deref());
        upper.is_some_and(|upper| {
            text(upper).split_whitespace().collect::<String>() == format!("{name}+{size}").split_whitespace().collect::<String>()
        })
    };
    let mut is_cut = false;
    expressions::of_scope(&looped.body, &mut |expr| is_cut |= is_piece(expr));
    is_cut && !whole && !looped.body.iter().any(leaves_out)
}

/// Whether the statement may leave the round.
fn leaves_out(statement: &Stmt) -> bool {
    matches!(statement, Stmt::Continue(_) | Stmt::Break(_)) || blocks(statement).into_iter().flatten().any(leaves_out)
}
