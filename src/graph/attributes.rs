//! Which attributes a text assigns, found in the text alone, and what can no longer be relied on for it: nothing is known here of what is assigned.

use rustc_hash::FxHashSet;

use super::definitions::{ClassIndex, Definitions, ModuleBinding};
use super::statements::blocks;
use super::value::{Graph, Symbol};
use crate::syntax::ast::{self, Expr, Stmt};

impl Definitions<'_> {
    /// Note which of `targets` are attributes of what no method calls its first parameter.
    pub(super) fn note_outside(&mut self, targets: &[(&str, &str)], graph: &mut Graph) {
        let methods = self.functions.iter().filter(|f| f.class.is_some());
        let receivers: FxHashSet<&str> = methods.filter_map(|f| f.ast.parameters.iter().next()).map(|p| p.name().as_str()).collect();
        let outside = targets.iter().filter(|(object, _)| !receivers.contains(object));
        self.assigned_outside = outside.map(|(_, attribute)| graph.symbol(attribute)).collect();
    }

    /// An import of MLX is no such thing any more where the file puts something of its own into the module.
    pub(super) fn distrust(&mut self, targets: &[(&str, &str)], graph: &Graph) {
        for (object, _) in targets {
            let Some(name) = graph.known_symbol(object) else { continue };
            if let Some(&ModuleBinding::Import(path)) = self.module.get(&name)
                && graph.name(path).starts_with("mlx.")
            {
                self.module.insert(name, ModuleBinding::Other);
                self.imports.retain(|&(import, _)| import != name);
            }
        }
    }

    /// Whether the file assigns no attribute `name` but to what methods call their first parameter.
    pub fn is_left_alone(&self, name: Symbol) -> bool {
        !self.assigned_outside.contains(&name)
    }

    /// Whether the attribute `name` of an instance of `class` stays what `__init__` made it, for all that the file shows.
    pub fn is_kept(&self, class: ClassIndex, name: Symbol) -> bool {
        let info = &self.classes[class];
        !info.dynamic && !info.reassigned.contains(&name) && !self.assigned_outside.contains(&name)
    }
}

/// Every `name.attribute` that `body` assigns, at any depth; where the attribute is that of no name, the name is empty.
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
            let object = attribute.value.as_name_expr().map_or("", |object| object.id.as_str());
            targets.push((object, &attribute.attr));
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
