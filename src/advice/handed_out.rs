//! Whether what a generator hands out holds an array, with which its reader may compute; numbers, texts and objects of them do not.

use crate::graph::api::{self, ResultKind};
use crate::graph::statements::blocks;
use crate::place::Place;
use crate::syntax::Ranged;
use crate::syntax::ast::visitor::source_order::{self, SourceOrderVisitor};
use crate::syntax::ast::{self, Expr, ExprCall, Stmt, StmtFunctionDef};

/// Builtins that give numbers, texts and lists of them, whatever they are given.
const PLAIN: [&str; 8] = ["int", "float", "bool", "str", "len", "repr", "range", "ord"];
/// Builtins that give what they are given.
const OF_PARTS: [&str; 5] = ["max", "min", "round", "abs", "sum"];
/// Methods that give numbers and texts.
const METHODS: [&str; 6] = ["item", "tolist", "decode", "format", "join", "strip"];
/// Attributes that are numbers and texts.
const ATTRIBUTES: [&str; 4] = ["size", "shape", "ndim", "nbytes"];

/// Whether `yielded`, a `yield` of the scope `place`, may hand out an array: unless everything in it is plain, as far as the function shows.
pub(super) fn may_hold_an_array(place: &Place<'_>, yielded: &Expr) -> bool {
    let value = match yielded {
        Expr::Yield(e) => e.value.as_deref(),
        _ => return true,
    };
    let function = place.body.function.map(|f| place.analysis.definitions.functions[f].ast);
    let mut look = Plain { place, functions: function.into_iter().collect(), asked: Vec::new() };
    !value.is_none_or(|value| look.is_plain(value))
}

/// Looks for what is plain, in a function and in those inside it.
struct Plain<'p, 'x> {
    place: &'p Place<'x>,
    /// The function around, and the ones inside it that were entered.
    functions: Vec<&'x StmtFunctionDef>,
    /// What is being asked about: it is plain if all else is that it is made of.
    asked: Vec<(usize, String)>,
}

impl<'x> Plain<'_, 'x> {
    fn is_plain(&mut self, expr: &Expr) -> bool {
        match expr {
            Expr::NumberLiteral(_) | Expr::StringLiteral(_) | Expr::BooleanLiteral(_) | Expr::NoneLiteral(_) | Expr::FString(_) => true,
            Expr::Tuple(e) => e.elts.iter().all(|part| self.is_plain(part)),
            Expr::List(e) => e.elts.iter().all(|part| self.is_plain(part)),
            Expr::Dict(e) => e.iter_values().all(|part| self.is_plain(part)),
            Expr::BinOp(e) => self.is_plain(&e.left) && self.is_plain(&e.right),
            Expr::BoolOp(e) => e.values.iter().all(|part| self.is_plain(part)),
            Expr::UnaryOp(e) => self.is_plain(&e.operand),
            Expr::If(e) => self.is_plain(&e.body) && self.is_plain(&e.orelse),
            Expr::Subscript(e) => self.is_plain(&e.value),
            Expr::Attribute(e) => ATTRIBUTES.contains(&e.attr.as_str()),
            Expr::Call(call) => self.is_plain_call(call),
            Expr::Name(name) => self.is_plain_name(&name.id),
            _ => false,
        }
    }

    fn is_plain_call(&mut self, call: &ExprCall) -> bool {
        let builtin = |names: &[&str]| matches!(&*call.func, Expr::Name(n) if names.contains(&n.id.as_str()));
        if builtin(&PLAIN) {
            return true;
        }
        let is_of_parts = builtin(&OF_PARTS);
        if let Expr::Attribute(method) = &*call.func
            && METHODS.contains(&method.attr.as_str())
        {
            return true;
        }
        if let Some(path) = self.place.path(&call.func) {
            let gives_number =
                |name: &str| api::function(name).is_some_and(|f| matches!(f.get().result, ResultKind::Int | ResultKind::Bool | ResultKind::Str));
            if path.starts_with("time.") || path.strip_prefix("mlx.core.").is_some_and(gives_number) {
                return true;
            }
        }
        let inner = call.func.as_name_expr().and_then(|n| self.inner(&n.id));
        if let Some(inner) = inner {
            self.functions.push(inner);
            let is_plain = returned(inner).into_iter().all(|value| self.is_plain(value));
            self.functions.pop();
            return is_plain;
        }
        // An object of what is plain: classes have names like this.
        let is_class = call.func.as_name_expr().is_some_and(|n| n.id.starts_with(char::is_uppercase));
        (is_of_parts || is_class) && call.arguments.iter_source_order().all(|a| self.is_plain(a.value()))
    }

    /// Whether every value that a function around gives to `name` is plain.
    fn is_plain_name(&mut self, name: &str) -> bool {
        for depth in (0..self.functions.len()).rev() {
            let function = self.functions[depth];
            let parameter = function.parameters.iter_non_variadic_params().find(|p| p.parameter.name.as_str() == name);
            if let Some(parameter) = parameter {
                let annotation = parameter.parameter.annotation.as_deref();
                return annotation.is_some_and(|a| is_plain_type(self.place.source().slice(a.range())));
            }
            let mut given = Given { name, values: Vec::new(), explained: 0, stores: 0 };
            given.visit_body(&function.body);
            if given.stores == 0 {
                continue;
            }
            let asked = (depth, name.to_owned());
            if self.asked.contains(&asked) {
                return true;
            }
            self.asked.push(asked);
            return given.explained == given.stores && given.values.into_iter().all(|value| self.is_plain(value));
        }
        false
    }

    /// The function inside that is called `name`.
    fn inner(&self, name: &str) -> Option<&'x StmtFunctionDef> {
        let bodies = self.functions.iter().rev().flat_map(|f| &f.body);
        let inner = bodies.filter_map(Stmt::as_function_def_stmt).find(|f| f.name.as_str() == name)?;
        let is_entered = self.functions.iter().any(|f| f.range == inner.range);
        (!is_entered && inner.decorator_list.is_empty() && !inner.is_async).then_some(inner)
    }
}

/// Whether an annotation speaks of numbers and texts.
fn is_plain_type(text: &str) -> bool {
    let text = text.strip_prefix("Optional[").and_then(|t| t.strip_suffix(']')).unwrap_or(text);
    text.split('|').all(|part| matches!(part.trim(), "int" | "float" | "bool" | "str" | "None"))
}

/// What `function` returns.
fn returned(function: &StmtFunctionDef) -> Vec<&Expr> {
    let (mut found, mut waiting): (Vec<&Expr>, Vec<&[Stmt]>) = (Vec::new(), vec![&function.body]);
    while let Some(body) = waiting.pop() {
        for statement in body {
            match statement {
                Stmt::Return(s) => found.extend(s.value.as_deref()),
                Stmt::FunctionDef(_) | Stmt::ClassDef(_) => {}
                _ => waiting.extend(blocks(statement)),
            }
        }
    }
    found
}

/// What a function, and those inside it, give to one name.
struct Given<'n, 'x> {
    name: &'n str,
    values: Vec<&'x Expr>,
    /// How often the name is given one of `values`, and how often it is given anything.
    explained: usize,
    stores: usize,
}

impl<'x> Given<'_, 'x> {
    fn give(&mut self, target: &Expr, value: &'x Expr) {
        match (target, value) {
            (Expr::Name(name), _) if name.id.as_str() == self.name => {
                self.values.push(value);
                self.explained += 1;
            }
            (Expr::Tuple(targets), Expr::Tuple(values)) if targets.elts.len() == values.elts.len() => {
                targets.elts.iter().zip(&values.elts).for_each(|(target, value)| self.give(target, value));
            }
            (Expr::Tuple(targets), _) => targets.elts.iter().for_each(|target| self.give(target, value)),
            _ => {}
        }
    }
}

impl<'x> SourceOrderVisitor<'x> for Given<'_, 'x> {
    fn visit_stmt(&mut self, statement: &'x Stmt) {
        match statement {
            Stmt::Assign(s) => s.targets.iter().for_each(|target| self.give(target, &s.value)),
            Stmt::AugAssign(s) => self.give(&s.target, &s.value),
            Stmt::AnnAssign(ast::StmtAnnAssign { target, value: Some(value), .. }) => self.give(target, value),
            Stmt::For(s) => self.give(&s.target, &s.iter),
            _ => {}
        }
        source_order::walk_stmt(self, statement);
    }

    fn visit_expr(&mut self, expr: &'x Expr) {
        self.stores += usize::from(matches!(expr, Expr::Name(n) if !n.ctx.is_load() && n.id.as_str() == self.name));
        source_order::walk_expr(self, expr);
    }
}
