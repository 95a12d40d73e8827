//! Statements that cast the whole of something that has a name, and do nothing else.

use crate::graph::definitions::ModuleBinding;
use crate::place::Place;
use crate::syntax::ast::visitor::source_order::{self, SourceOrderVisitor};
use crate::syntax::ast::{self, Expr, Stmt};

/// What sort of thing is cast.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Form {
    /// One array.
    Array,
    /// A dictionary of arrays.
    Dict,
    /// A list of arrays, or of pairs with an array.
    List,
    /// Anything that `tree_map` takes.
    Tree,
    /// The parameters of a module, in place.
    Module,
}

/// A cast of all of `from`.
pub(super) struct Cast<'x> {
    pub(super) from: &'x str,
    /// The name that holds the result; `from` again where it is changed in place.
    pub(super) to: &'x str,
    pub(super) form: Form,
}

/// The cast that `statement` is.
pub(super) fn cast<'x>(place: &Place<'_>, statement: &'x Stmt) -> Option<Cast<'x>> {
    match statement {
        Stmt::Assign(s) => match &s.targets[..] {
            [Expr::Name(to)] => assigned(place, &s.value).map(|(from, form)| Cast { from, to: &to.id, form }),
            _ => None,
        },
        Stmt::AnnAssign(s) => {
            let (Expr::Name(to), Some(value)) = (&*s.target, &s.value) else { return None };
            assigned(place, value).map(|(from, form)| Cast { from, to: &to.id, form })
        }
        Stmt::For(s) => in_place(s).map(|from| Cast { from, to: from, form: Form::Dict }),
        Stmt::Expr(s) => module(place, &s.value).map(|from| Cast { from, to: from, form: Form::Module }),
        _ => None,
    }
}

/// What `call` is a cast of, if it calls a function of the file that does nothing but to cast its one parameter.
fn helper<'x>(place: &Place<'_>, call: &'x ast::ExprCall) -> Option<(&'x str, Form)> {
    let analysis = place.analysis;
    let (Expr::Name(callee), [Expr::Name(from)], []) = (&*call.func, &*call.arguments.args, &*call.arguments.keywords) else { return None };
    let symbol = analysis.graph.known_symbol(&callee.id)?;
    let is_local = !place.is_module() && (place.definitions_of(symbol).next().is_some() || analysis.is_outer_local(place.body, symbol));
    let Some(&ModuleBinding::Function(index)) = analysis.definitions.module.get(&symbol).filter(|_| !is_local) else { return None };
    let function = analysis.definitions.functions[index].ast;
    let is_plain = function.decorator_list.is_empty() && !function.is_async && function.parameters.len() == 1;
    let [parameter] = &*function.parameters.args else { return None };
    let body = analysis.body_of(index).map(|n| &analysis.bodies[n]).filter(|_| is_plain)?;
    // A docstring may stand before it.
    let (Stmt::Return(s), 1 | 2) = (function.body.last()?, function.body.len()) else { return None };
    let is_text = |s: &Stmt| matches!(s, Stmt::Expr(s) if s.value.is_string_literal_expr());
    let value = s.value.as_deref().filter(|_| function.body.len() == 1 || is_text(&function.body[0]))?;
    let inner = Place::new(analysis, body, place.notes);
    let is_helper = |value: &Expr| value.as_call_expr().is_some_and(|call| call.func.is_name_expr() && tree_map(&inner, call).is_none());
    let (of, form) = if is_helper(value) { None } else { assigned(&inner, value) }?;
    (of == parameter.parameter.name.as_str()).then_some((&*from.id, form))
}

/// What `value` is a cast of.
fn assigned<'x>(place: &Place<'_>, value: &'x Expr) -> Option<(&'x str, Form)> {
    match value {
        Expr::Call(call) => match astype(value) {
            Some(from) => Some((from, Form::Array)),
            None => match tree_map(place, call) {
                Some(tree) => Some((&*tree.as_name_expr()?.id, Form::Tree)),
                None => helper(place, call),
            },
        },
        Expr::DictComp(comp) => {
            let ([generator], Some(Expr::Name(key))) = (&comp.generators[..], comp.key.as_deref()) else { return None };
            let (from, k, v) = items(&generator.iter, &generator.target)?;
            let same_key = key.id.as_str() == k;
            (same_key && casts_element(&comp.value, v) && are_harmless(generator, v)).then_some((from, Form::Dict))
        }
        Expr::ListComp(comp) => {
            let [generator] = &comp.generators[..] else { return None };
            let Expr::Name(from) = &generator.iter else { return None };
            let v = match (&generator.target, &*comp.elt) {
                (Expr::Name(v), elt) => casts_element(elt, &v.id).then_some(&*v.id)?,
                (Expr::Tuple(target), Expr::Tuple(pair)) => match (&target.elts[..], &pair.elts[..]) {
                    ([Expr::Name(k), Expr::Name(v)], [Expr::Name(key), elt]) if k.id == key.id && casts_element(elt, &v.id) => &*v.id,
                    _ => return None,
                },
                _ => return None,
            };
            are_harmless(generator, v).then_some((&*from.id, Form::List))
        }
        _ => None,
    }
}

/// `w` in `w.astype(dtype)`.
fn astype(value: &Expr) -> Option<&str> {
    let Expr::Call(call) = value else { return None };
    let Expr::Attribute(attribute) = &*call.func else { return None };
    let Expr::Name(from) = &*attribute.value else { return None };
    let [dtype] = &call.arguments.args[..] else { return None };
    let plain = attribute.attr.as_str() == "astype" && call.arguments.keywords.is_empty() && is_harmless(dtype, &from.id);
    plain.then_some(&*from.id)
}

/// Whether `expr` is `v.astype(dtype)`, or that under a condition and else `v`.
fn casts_element(expr: &Expr, v: &str) -> bool {
    let is_v = |e: &Expr| e.as_name_expr().is_some_and(|n| n.id.as_str() == v);
    match expr {
        Expr::If(choice) => {
            let (then, otherwise) = (&*choice.body, &*choice.orelse);
            let part = |e| is_v(e) || casts_element(e, v);
            is_harmless(&choice.test, v) && part(then) && part(otherwise) && !(is_v(then) && is_v(otherwise))
        }
        _ => astype(expr) == Some(v),
    }
}

/// `w`, `k` and `v` in `for k, v in w.items()`.
fn items<'x>(iterable: &'x Expr, target: &'x Expr) -> Option<(&'x str, &'x str, &'x str)> {
    let (Expr::Call(call), Expr::Tuple(pair)) = (iterable, target) else { return None };
    let [Expr::Name(k), Expr::Name(v)] = &pair.elts[..] else { return None };
    let (from, "items") = super::method_of(call)? else { return None };
    Some((&from.id, &k.id, &v.id))
}

fn are_harmless(generator: &ast::Comprehension, v: &str) -> bool {
    !generator.is_async && generator.ifs.iter().all(|e| is_harmless(e, v))
}

/// `tree` in `tree_map(lambda p: p.astype(dtype), tree)`.
fn tree_map<'x>(place: &Place<'_>, call: &'x ast::ExprCall) -> Option<&'x Expr> {
    let [function, tree] = &call.arguments.args[..] else { return None };
    let is_map = call.arguments.keywords.is_empty() && place.path(&call.func)? == "mlx.utils.tree_map";
    (is_map && is_cast_function(function)).then_some(tree)
}

/// Whether `function` is `lambda p: p.astype(dtype)`.
fn is_cast_function(function: &Expr) -> bool {
    let Expr::Lambda(lambda) = function else { return false };
    let Some(parameters) = &lambda.parameters else { return false };
    let mut all = parameters.iter();
    let (Some(only), None) = (all.next(), all.next()) else { return false };
    !only.is_variadic() && casts_element(&lambda.body, only.name())
}

/// `model` in `model.set_dtype(dtype)`, `model.apply(cast)` and `model.update(tree_map(cast, model.parameters()))`.
fn module<'x>(place: &Place<'_>, value: &'x Expr) -> Option<&'x str> {
    let Expr::Call(call) = value else { return None };
    let Expr::Attribute(attribute) = &*call.func else { return None };
    let Expr::Name(model) = &*attribute.value else { return None };
    let name = model.id.as_str();
    let argument = call.arguments.args.first()?;
    let single = call.arguments.args.len() == 1 && call.arguments.keywords.is_empty();
    let casts = match attribute.attr.as_str() {
        "set_dtype" => is_harmless(argument, name),
        "apply" => single && is_cast_function(argument),
        "update" => {
            let Expr::Call(map) = argument else { return None };
            let Expr::Call(parameters) = tree_map(place, map)? else { return None };
            single && super::method_of(parameters).is_some_and(|(of, method)| of.id.as_str() == name && method == "parameters")
        }
        _ => false,
    };
    casts.then_some(name)
}

/// `w` in `for k, v in w.items(): w[k] = v.astype(dtype)` and `for k in w: w[k] = w[k].astype(dtype)`.
fn in_place(s: &ast::StmtFor) -> Option<&str> {
    let [Stmt::Assign(assign)] = &s.body[..] else { return None };
    let [Expr::Subscript(stored)] = &assign.targets[..] else { return None };
    let (Expr::Name(into), Expr::Name(key)) = (&*stored.value, &*stored.slice) else { return None };
    if s.is_async || !s.orelse.is_empty() {
        return None;
    }
    if let Some((from, k, v)) = items(&s.iter, &s.target) {
        return (from == into.id.as_str() && k == key.id.as_str() && casts_element(&assign.value, v)).then_some(from);
    }
    let (Expr::Name(from), Expr::Name(k)) = (&*s.iter, &*s.target) else { return None };
    let Expr::Call(call) = &*assign.value else { return None };
    let Expr::Attribute(attribute) = &*call.func else { return None };
    let Expr::Subscript(read) = &*attribute.value else { return None };
    let (Expr::Name(of), Expr::Name(at), [dtype]) = (&*read.value, &*read.slice, &call.arguments.args[..]) else { return None };
    let same = from.id == into.id && of.id == into.id && key.id == k.id && at.id == k.id;
    (same && attribute.attr.as_str() == "astype" && is_harmless(dtype, &of.id)).then_some(&*from.id)
}

/// Whether evaluating `expr` asks of `v` what is known without its values, and waits for nothing.
fn is_harmless(expr: &Expr, v: &str) -> bool {
    struct Harm<'n> {
        v: &'n str,
        found: bool,
    }
    impl<'x> SourceOrderVisitor<'x> for Harm<'_> {
        fn visit_expr(&mut self, expr: &'x Expr) {
            match expr {
                Expr::Name(name) => self.found |= name.id.as_str() == self.v,
                Expr::Attribute(e) if matches!(e.attr.as_str(), "dtype" | "ndim" | "shape" | "size" | "nbytes") => {
                    if !e.value.is_name_expr() {
                        self.visit_expr(&e.value);
                    }
                }
                Expr::Call(call) if matches!(&*call.func, Expr::Name(f) if f.id.as_str() == "isinstance") => {}
                Expr::Attribute(e) if matches!(e.attr.as_str(), "item" | "tolist" | "eval") => self.found = true,
                Expr::Named(_) | Expr::Await(_) | Expr::Yield(_) | Expr::YieldFrom(_) | Expr::Lambda(_) => self.found = true,
                _ => source_order::walk_expr(self, expr),
            }
        }
    }
    let mut harm = Harm { v, found: false };
    harm.visit_expr(expr);
    !harm.found
}
