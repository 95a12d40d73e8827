//! What becomes of the objects that names stand for: an expression lends them, to compute with, or hands them on, so that something else may hold them
//! afterwards and change them in place. Reads the tree alone; what is not known to lend hands on.

use rustc_hash::FxHashSet;

use super::api::{self, Accepts, ParamKind};
use super::classes::ClassFacts;
use super::definitions::{ClassIndex, Definitions, FunctionIndex, ModuleBinding};
use super::is_pure_builtin;
use super::names::{names_of, outer_names, target_names};
use super::statements::blocks;
use super::value::Graph;
use crate::syntax::ast::{self, Expr, Stmt};

/// Builtins whose results hold their arguments.
const HOLDERS: [&str; 9] = ["dict", "enumerate", "frozenset", "getattr", "list", "reversed", "set", "sorted", "tuple"];

/// What a call calls, as far as the tree shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Callee {
    /// Something outside the file that only borrows its arguments: a function of MLX, a method of its arrays, or a builtin that only looks.
    Borrower,
    /// A function of the file.
    Helper(FunctionIndex),
    /// Anything else.
    Unknown,
}

/// Where the name is bound that a place reads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum BoundIn {
    /// In the scope itself.
    Here,
    /// In a function around it, or by an import in the scope.
    Around,
    /// In the module, or nowhere.
    Module,
}

impl Definitions<'_> {
    /// What `call` calls that is no method of a receiver, where the name it starts with means what `scope` says.
    pub(super) fn callee(&self, graph: &Graph, call: &ast::ExprCall, scope: &dyn Fn(&str) -> BoundIn) -> Callee {
        let root = root_of(&call.func);
        let known = root.as_name_expr().map(|name| (&*name.id, scope(&name.id)));
        match (known, &*call.func) {
            (Some((_, BoundIn::Around)), _) => Callee::Unknown,
            (Some((name, BoundIn::Module)), callee) => {
                let binding = graph.known_symbol(name).and_then(|symbol| self.module.get(&symbol));
                match (binding, callee) {
                    (Some(&ModuleBinding::Import(path)), _) if keeps_nothing(graph.name(path)) => Callee::Borrower,
                    (Some(&ModuleBinding::Function(index)), Expr::Name(_)) => Callee::Helper(index),
                    (None, Expr::Name(_)) if is_pure_builtin(name) && !HOLDERS.contains(&name) => Callee::Borrower,
                    _ => Callee::Unknown,
                }
            }
            (_, Expr::Attribute(method)) if self.is_array_method(graph, &method.attr, call) => Callee::Borrower,
            _ => Callee::Unknown,
        }
    }

    /// What `name` is of a receiver of the methods of `class`.
    pub(super) fn callee_of_receiver(&self, classes: &ClassFacts, graph: &Graph, class: ClassIndex, name: &str) -> Callee {
        let (info, Some(symbol)) = (&self.classes[class], graph.known_symbol(name)) else { return Callee::Unknown };
        match info.methods.get(&symbol) {
            Some(&Some(index)) if !info.overridden.contains(&symbol) => Callee::Helper(index),
            None if classes.is_pure_module(class, symbol) => Callee::Borrower,
            _ => self.static_of(class, symbol).map_or(Callee::Unknown, Callee::Helper),
        }
    }

    /// Whether `call` of `name` of anything that is no receiver is that of a method of arrays, and of nothing that the file defines.
    fn is_array_method(&self, graph: &Graph, name: &str, call: &ast::ExprCall) -> bool {
        let is_defined = |symbol| self.method_names.contains(&symbol);
        let method = api::method(name).filter(|_| !api::is_property(name));
        method.is_some_and(|method| takes(method.get(), call)) && !graph.known_symbol(name).is_some_and(is_defined)
    }
}

/// What a chain of attributes starts with.
fn root_of(expr: &Expr) -> &Expr {
    let mut root = expr;
    while let Expr::Attribute(attribute) = root {
        root = &attribute.value;
    }
    root
}

/// Whether what an import brought in from `path` is of MLX or of `math`, where nothing keeps its arguments.
fn keeps_nothing(path: &str) -> bool {
    matches!(path.split('.').next(), Some("mlx" | "math"))
}

/// Whether `call` gives each parameter of `function` that needs one an argument, all of them arguments that it takes, and no stream.
fn takes(function: &api::Function, call: &ast::ExprCall) -> bool {
    let (arguments, keywords) = (&call.arguments.args, &call.arguments.keywords);
    let is_spread = arguments.iter().any(Expr::is_starred_expr) || keywords.iter().any(|k| k.arg.is_none());
    let (mut positional, mut named) = (arguments.len(), 0);
    let fits = function.params.iter().all(|param| {
        let is_named = keywords.iter().any(|k| k.arg.as_ref().is_some_and(|name| name.as_str() == param.name));
        let by_position = match param.kind {
            ParamKind::Star => return std::mem::take(&mut positional) > 0 || param.default.is_some(),
            ParamKind::KeywordOnly => false,
            ParamKind::Any | ParamKind::PositionalOnly => positional > 0,
        };
        positional -= usize::from(by_position);
        named += usize::from(is_named);
        let is_given = is_named || by_position;
        let may_name = matches!(param.kind, ParamKind::Any | ParamKind::KeywordOnly);
        let once = !(is_named && (by_position || !may_name));
        once && if param.accepts == Accepts::Stream { !is_given } else { is_given || param.default.is_some() }
    });
    fits && !is_spread && positional == 0 && named == keywords.len()
}

/// Collects the names whose objects a text hands on, or gives a second name.
pub(super) struct Handing<'q, 'a> {
    definitions: &'q Definitions<'q>,
    graph: &'q Graph,
    scope: &'q dyn Fn(&str) -> BoundIn,
    /// What a call calls of a receiver, or by a name that holds a function.
    held: &'q dyn Fn(&ast::ExprCall) -> Option<Callee>,
    /// Names that comprehensions and inner functions around the present place bind, and whether one of them was handed on.
    shadows: Vec<(FxHashSet<&'a str>, bool)>,
    /// Inner functions around the present place.
    depth: u32,
    /// The names found.
    pub(super) names: Vec<&'a str>,
    /// Something is called, or waited for, that may change more than it is given.
    pub(super) calls_unknown: bool,
    /// The functions of the file that are called. They are taken for borrowers, unless they are asked for as they come.
    pub(super) helpers: Vec<FunctionIndex>,
    borrowers: Option<&'q FxHashSet<FunctionIndex>>,
}

impl<'q, 'a> Handing<'q, 'a> {
    /// Nothing found yet, where names mean what `scope` says, and `held` knows some callees.
    pub(super) fn new(
        definitions: &'q Definitions<'q>,
        graph: &'q Graph,
        scope: &'q dyn Fn(&str) -> BoundIn,
        held: &'q dyn Fn(&ast::ExprCall) -> Option<Callee>,
    ) -> Self {
        let (shadows, names, helpers) = Default::default();
        Self { definitions, graph, scope, held, shadows, depth: 0, names, calls_unknown: false, helpers, borrowers: None }
    }

    /// The same where it is known which functions of the file borrow.
    pub(super) fn knowing_borrowers(self) -> Self {
        Self { borrowers: Some(&self.definitions.borrowers), ..self }
    }

    fn hand_on(&mut self, name: &'a str) {
        match self.shadows.iter_mut().rev().find(|(names, _)| names.contains(name)) {
            Some((_, handed_on)) => *handed_on = true,
            None => self.names.push(name),
        }
    }

    fn callee(&self, call: &ast::ExprCall) -> Callee {
        let is_shadowed = |name: &str| self.shadows.iter().any(|(names, _)| names.contains(name));
        let root = root_of(&call.func);
        let known = if root.as_name_expr().is_some_and(|name| is_shadowed(&name.id)) { None } else { (self.held)(call) };
        let scope = |name: &str| if is_shadowed(name) { BoundIn::Here } else { (self.scope)(name) };
        known.unwrap_or_else(|| self.definitions.callee(self.graph, call, &scope))
    }

    /// An expression; `held` where its value is given a name, or to something that may keep it.
    pub(super) fn expr(&mut self, expr: &'a Expr, held: bool) {
        match expr {
            Expr::Name(name) => {
                if held {
                    self.hand_on(&name.id);
                }
            }
            Expr::BoolOp(e) => e.values.iter().for_each(|v| self.expr(v, held)),
            Expr::If(e) => {
                self.expr(&e.test, false);
                self.expr(&e.body, held);
                self.expr(&e.orelse, held);
            }
            Expr::Tuple(e) => e.elts.iter().for_each(|v| self.expr(v, held)),
            Expr::List(e) => e.elts.iter().for_each(|v| self.expr(v, held)),
            Expr::Set(e) => e.elts.iter().for_each(|v| self.expr(v, held)),
            Expr::Dict(e) => {
                e.items.iter().filter_map(|i| i.key.as_ref()).for_each(|k| self.expr(k, false));
                e.items.iter().for_each(|i| self.expr(&i.value, held));
            }
            Expr::Starred(e) => self.expr(&e.value, held),
            Expr::BinOp(e) => {
                self.expr(&e.left, false);
                self.expr(&e.right, false);
            }
            Expr::UnaryOp(e) => self.expr(&e.operand, false),
            Expr::Compare(e) => {
                self.expr(&e.left, false);
                e.comparators.iter().for_each(|v| self.expr(v, false));
            }
            Expr::Subscript(e) => {
                // What a name or an attribute holds, others hold already.
                self.expr(&e.value, held && !matches!(*e.value, Expr::Name(_) | Expr::Attribute(_)));
                self.expr(&e.slice, false);
            }
            Expr::Slice(e) => [&e.lower, &e.upper, &e.step].into_iter().flatten().for_each(|v| self.expr(v, false)),
            // Methods of operators change their object.
            Expr::Attribute(e) => self.expr(&e.value, e.attr.starts_with("__")),
            Expr::Call(e) => self.call(e, held),
            Expr::ListComp(e) => self.comprehension(&[&e.elt], &e.generators, held),
            Expr::SetComp(e) => self.comprehension(&[&e.elt], &e.generators, held),
            Expr::Generator(e) => self.comprehension(&[&e.elt], &e.generators, held),
            Expr::DictComp(e) => {
                let elements: Vec<&Expr> = e.key.as_deref().into_iter().chain([&*e.value]).collect();
                self.comprehension(&elements, &e.generators, held);
            }
            Expr::Lambda(e) => self.lambda(e),
            Expr::FString(_) | Expr::TString(_) => ast::visitor::source_order::walk_expr(&mut Lent(self), expr),
            Expr::Named(e) => self.expr(&e.value, true),
            Expr::Await(e) => self.waiting(Some(&e.value)),
            Expr::YieldFrom(e) => self.waiting(Some(&e.value)),
            Expr::Yield(e) => self.waiting(e.value.as_deref()),
            Expr::StringLiteral(_) | Expr::BytesLiteral(_) | Expr::NumberLiteral(_) | Expr::BooleanLiteral(_) | Expr::NoneLiteral(_) => {}
            Expr::EllipsisLiteral(_) | Expr::IpyEscapeCommand(_) => {}
        }
    }

    /// Others go on meanwhile, with what they are given.
    fn waiting(&mut self, given: Option<&'a Expr>) {
        self.calls_unknown = true;
        given.into_iter().for_each(|v| self.expr(v, true));
    }

    fn call(&mut self, call: &'a ast::ExprCall, held: bool) {
        let callee = self.callee(call);
        self.expr(&call.func, false);
        let arguments = call.arguments.args.iter().chain(call.arguments.keywords.iter().map(|k| &k.value));
        match callee {
            Callee::Borrower => {
                let gives_one_back = call.func.as_name_expr().is_some_and(|name| matches!(name.id.as_str(), "max" | "min"));
                arguments.for_each(|v| self.expr(v, held && gives_one_back));
            }
            Callee::Helper(index) if self.borrowers.is_none_or(|b| b.contains(&index)) => {
                self.helpers.push(index);
                arguments.for_each(|v| self.lent(v));
            }
            Callee::Helper(_) | Callee::Unknown => {
                self.calls_unknown = true;
                arguments.for_each(|v| self.expr(v, true));
            }
        }
    }

    /// Lend `expr` to something that does not keep it, but may give back a part of it: what a display holds it alone holds.
    fn lent(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Name(_) => {}
            Expr::If(e) => {
                self.expr(&e.test, false);
                self.lent(&e.body);
                self.lent(&e.orelse);
            }
            Expr::BoolOp(e) => e.values.iter().for_each(|v| self.lent(v)),
            _ => self.expr(expr, true),
        }
    }

    /// A comprehension of `elements`; `held` where they are.
    pub(super) fn comprehension(&mut self, elements: &[&'a Expr], generators: &'a [ast::Comprehension], held: bool) {
        let mut targets = Vec::new();
        generators.iter().for_each(|g| target_names(&g.target, &mut targets));
        self.shadows.push((targets.into_iter().collect(), false));
        elements.iter().for_each(|element| self.expr(element, held));
        generators.iter().flat_map(|g| &g.ifs).for_each(|condition| self.expr(condition, false));
        let handed_on = self.shadows.pop().is_some_and(|(_, handed_on)| handed_on);
        generators.iter().for_each(|g| self.expr(&g.iter, handed_on));
    }

    /// What an inner function does that binds `names`.
    fn inside(&mut self, names: FxHashSet<&'a str>, body: impl FnOnce(&mut Self)) {
        self.shadows.push((names, false));
        self.depth += 1;
        body(self);
        self.depth -= 1;
        self.shadows.pop();
    }

    /// Statements, those of inner functions too.
    pub(super) fn block(&mut self, body: &'a [Stmt]) {
        body.iter().for_each(|statement| self.statement(statement));
    }

    fn statement(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::FunctionDef(s) => self.function(s),
            Stmt::ClassDef(s) => {
                s.decorator_list.iter().for_each(|d| self.expr(&d.expression, true));
                s.arguments.iter().flat_map(|a| a.args.iter().chain(a.keywords.iter().map(|k| &k.value))).for_each(|v| self.expr(v, true));
                self.inside(FxHashSet::default(), |h| h.block(&s.body));
            }
            // Whoever calls an inner function gets what it returns; of the scope itself nothing comes after.
            Stmt::Return(s) => s.value.iter().for_each(|v| self.expr(v, self.depth > 0)),
            Stmt::Assign(s) => {
                self.expr(&s.value, true);
                s.targets.iter().for_each(|t| self.target(t));
            }
            Stmt::AnnAssign(s) => {
                s.value.iter().for_each(|v| self.expr(v, true));
                self.target(&s.target);
            }
            Stmt::AugAssign(s) => {
                self.lent(&s.value);
                self.target(&s.target);
            }
            Stmt::For(s) => {
                self.expr(&s.iter, !s.iter.is_name_expr());
                self.target(&s.target);
            }
            Stmt::While(s) => self.expr(&s.test, false),
            Stmt::If(s) => {
                self.expr(&s.test, false);
                s.elif_else_clauses.iter().filter_map(|c| c.test.as_ref()).for_each(|test| self.expr(test, false));
            }
            Stmt::With(s) => s.items.iter().for_each(|i| self.expr(&i.context_expr, true)),
            Stmt::Match(s) => {
                self.expr(&s.subject, true);
                s.cases.iter().filter_map(|c| c.guard.as_deref()).for_each(|guard| self.expr(guard, false));
            }
            Stmt::Raise(s) => s.exc.iter().chain(&s.cause).for_each(|v| self.expr(v, true)),
            Stmt::Assert(s) => {
                self.expr(&s.test, false);
                s.msg.iter().for_each(|v| self.expr(v, true));
            }
            Stmt::Expr(s) => self.expr(&s.value, false),
            Stmt::Try(_) | Stmt::Delete(_) | Stmt::TypeAlias(_) | Stmt::Import(_) | Stmt::ImportFrom(_) | Stmt::Global(_) | Stmt::Nonlocal(_) => {}
            Stmt::Pass(_) | Stmt::Break(_) | Stmt::Continue(_) | Stmt::IpyEscapeCommand(_) => {}
        }
        blocks(statement).into_iter().for_each(|block| self.block(block));
    }

    /// A lambda, and what it does when it is called.
    pub(super) fn lambda(&mut self, e: &'a ast::ExprLambda) {
        let parameters = || e.parameters.iter().flat_map(|p| p.iter());
        parameters().filter_map(|p| p.default()).for_each(|v| self.expr(v, true));
        self.inside(parameters().map(|p| p.name().as_str()).collect(), |h| h.expr(&e.body, true));
    }

    /// The definition of an inner function, and what it does when it is called.
    pub(super) fn function(&mut self, s: &'a ast::StmtFunctionDef) {
        s.decorator_list.iter().for_each(|d| self.expr(&d.expression, true));
        s.parameters.iter().filter_map(|p| p.default()).for_each(|v| self.expr(v, true));
        let outer = outer_names(&s.body);
        self.inside(names_of(s).into_iter().filter(|name| !outer.contains(name)).collect(), |h| h.block(&s.body));
    }

    /// What stands in the target of an assignment is read.
    fn target(&mut self, target: &'a Expr) {
        match target {
            Expr::Name(_) => {}
            Expr::Tuple(e) => e.elts.iter().for_each(|t| self.target(t)),
            Expr::List(e) => e.elts.iter().for_each(|t| self.target(t)),
            Expr::Starred(e) => self.target(&e.value),
            _ => self.expr(target, false),
        }
    }
}

/// Lends all expressions inside one.
struct Lent<'h, 'q, 'a>(&'h mut Handing<'q, 'a>);

impl<'a> ast::visitor::source_order::SourceOrderVisitor<'a> for Lent<'_, '_, 'a> {
    fn visit_expr(&mut self, expr: &'a Expr) {
        self.0.expr(expr, false);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{BoundIn, Handing};
    use crate::graph::Analysis;
    use crate::graph::value::Graph;
    use crate::syntax::Source;

    /// Which of `x`, `y` and `z` the statements of `body` hand on.
    fn handed_on(body: &str) -> BTreeSet<String> {
        let text = format!(
            "import mlx.core as mx\nfrom elsewhere import register\n\ndef same(a):\n    return a\n\ndef doubled(a):\n    return a * 2\n\n{body}\n"
        );
        let source = Source::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let analysis = Analysis::new(&source, Graph::default());
        let scope = |name: &str| if ["x", "y", "z", "f"].contains(&name) { BoundIn::Here } else { BoundIn::Module };
        let mut handing = Handing::new(&analysis.definitions, &analysis.graph, &scope, &|_| None).knowing_borrowers();
        handing.block(&source.module().body);
        handing.names.iter().filter(|name| ["x", "y", "z"].contains(name)).map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn to_compute_with_an_object_is_not_to_hand_it_on() {
        for body in [
            "z = x * y + x[0] - x.T",
            "z = mx.concatenate([x, y], axis=-1).astype(x.dtype)",
            "z = doubled(x) if x.ndim > y else doubled(y)",
            "x += y",
            "if x is None or y in z:\n    pass",
            "for t in x:\n    z = t * 2",
            "z = [t * 2 for t in (x, y) if t.ndim > 1]",
            "f = lambda t: t * x + y",
            "def f(t):\n    x = t + 1\n    return x, mx.exp(y)",
            "print(f'{x.shape} {y}')",
            "z = x.mean(axis=y)",
            "assert x.ndim == y",
        ] {
            assert_eq!(handed_on(body), BTreeSet::new(), "{body}");
        }
    }

    #[test]
    fn what_may_be_changed_by_another_name_is_handed_on() {
        for body in [
            "z = x",
            "z = x if y else 1",
            "z = y and (1, x)[1]",
            "z = (w := x) is None",
            "z = [x][0]",
            "z = {'a': x}['a']",
            "z = max(x, 2)",
            "z = same(x)",
            "z = doubled([x])",
            "register(x)",
            "register(a=[x])",
            "z.append(x)",
            "x.__iadd__(1)",
            "x.__setitem__(0, 1)",
            "f = x.__imul__",
            "z = [t.__imul__(2) for t in [x]]",
            "z = (t for t in (x, 1))",
            "z = [[t] for t in [x]]",
            "for t in (x, 1):\n    pass",
            "f = lambda: x",
            "f = lambda a=x: a * 2",
            "f = lambda: register(x)",
            "def f(a=x):\n    pass",
            "def f():\n    return x",
            "def f():\n    register(x)",
            "def f():\n    w = x\n    return w",
            "class C:\n    held = x",
            "with register(x):\n    pass",
            "with x as w:\n    pass",
            "match x:\n    case w:\n        pass",
            "z[0] = x",
            "z.held = x",
            "raise ValueError(x)",
            "x[0], w = 1, x",
            "f(*[x])",
            "f(**{'a': x})",
        ] {
            assert!(handed_on(body).contains("x"), "{body}");
        }
    }
}
