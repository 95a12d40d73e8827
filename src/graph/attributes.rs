//! Which attributes a piece of text assigns, found in the text alone: nothing is known here of what is assigned.

use super::definitions::blocks;
use crate::syntax::ast::{self, Expr, Stmt};

/// Every `name.attribute` that `body` assigns, at any depth.
pub(super) fn attribute_targets<'a>(body: &'a [Stmt], targets: &mut Vec<(&'a str, &'a str)>) {
    for statement in body {
        let assigned: Vec<&Expr> = match statement {
            Stmt::Assign(s) => s.targets.iter().collect(),
            Stmt::AnnAssign(s) => vec![&s.target],
            Stmt::AugAssign(s) => vec![&s.target],
            Stmt::For(s) => vec![&s.target],
            Stmt::With(s) => s.items.iter().filter_map(|i| i.optional_vars.as_deref()).collect(),
            Stmt::Delete(s) => s.targets.iter().collect(),
            Stmt::FunctionDef(s) => {
                attribute_targets(&s.body, targets);
                continue;
            }
            Stmt::ClassDef(s) => {
                attribute_targets(&s.body, targets);
                continue;
            }
            _ => Vec::new(),
        };
        assigned.into_iter().for_each(|t| attribute_target(t, targets));
        for inner in blocks(statement) {
            attribute_targets(inner, targets);
        }
    }
}

fn attribute_target<'a>(target: &'a Expr, targets: &mut Vec<(&'a str, &'a str)>) {
    match target {
        Expr::Attribute(attribute) => {
            if let Expr::Name(object) = &*attribute.value {
                targets.push((&object.id, &attribute.attr));
            }
        }
        Expr::Tuple(tuple) => tuple.elts.iter().for_each(|t| attribute_target(t, targets)),
        Expr::List(list) => list.elts.iter().for_each(|t| attribute_target(t, targets)),
        Expr::Starred(starred) => attribute_target(&starred.value, targets),
        _ => {}
    }
}

/// The attributes of `object` that calls of `setattr` in `body` assign; `None` where the name is computed.
pub(super) fn assigned_by_name<'a>(body: &'a [Stmt], object: &'a str) -> Vec<Option<&'a str>> {
    let mut calls = Calls { object, names: Vec::new() };
    body.iter().for_each(|s| ast::visitor::source_order::SourceOrderVisitor::visit_stmt(&mut calls, s));
    calls.names
}

struct Calls<'a> {
    object: &'a str,
    names: Vec<Option<&'a str>>,
}

impl<'a> ast::visitor::source_order::SourceOrderVisitor<'a> for Calls<'a> {
    fn visit_expr(&mut self, expr: &'a Expr) {
        let is = |expr: &Expr, name: &str| expr.as_name_expr().is_some_and(|n| n.id.as_str() == name);
        if let Expr::Call(call) = expr
            && let [object, name, ..] = &*call.arguments.args
            && is(&call.func, "setattr")
            && is(object, self.object)
        {
            self.names.push(name.as_string_literal_expr().map(|name| name.value.to_str()));
        }
        ast::visitor::source_order::walk_expr(self, expr);
    }
}
