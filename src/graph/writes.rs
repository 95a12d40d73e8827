//! What functions do to the names of the scopes around them. Reads the tree; what it means for a value is lowered elsewhere.

use crate::syntax::ast::{self, Expr, Stmt};

/// What inner functions do to names of the scopes around them.
#[derive(Default)]
pub(super) struct Writes<'a> {
    /// Names that they declare `nonlocal` or `global`: any call may give them another value.
    pub(super) rebound: Vec<&'a str>,
    /// Names whose object they change in place.
    pub(super) changed: Vec<&'a str>,
}

/// What the functions inside `body`, which is itself inside `depth` others, do to names around them.
pub(super) fn inner_writes<'a>(body: &'a [Stmt], depth: u32, writes: &mut Writes<'a>) {
    for statement in body {
        let target = match statement {
            Stmt::AugAssign(s) if depth > 0 => Some(&*s.target),
            Stmt::Assign(s) if depth > 0 => s.targets.iter().find(|t| t.is_subscript_expr()),
            Stmt::Nonlocal(ast::StmtNonlocal { names: outer, .. }) | Stmt::Global(ast::StmtGlobal { names: outer, .. }) if depth > 0 => {
                writes.rebound.extend(outer.iter().map(|n| n.as_str()));
                None
            }
            Stmt::FunctionDef(s) => {
                inner_writes(&s.body, depth + 1, writes);
                None
            }
            Stmt::ClassDef(s) => {
                inner_writes(&s.body, depth + 1, writes);
                None
            }
            _ => None,
        };
        let base = target.map(|t| t.as_subscript_expr().map_or(t, |s| &s.value));
        writes.changed.extend(base.and_then(Expr::as_name_expr).map(|n| n.id.as_str()));
        super::statements::blocks(statement).into_iter().for_each(|b| inner_writes(b, depth, writes));
    }
}
