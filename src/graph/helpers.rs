//! Helpers: functions of a file whose calls can be followed, and those of them that only borrow what they are given. Reads the tree alone.

use rustc_hash::{FxHashMap, FxHashSet};

use super::api::{self, Accepts, ParamKind};
use super::classes::ClassFacts;
use super::compile::is_compile;
use super::definitions::{ClassIndex, Definitions, FunctionIndex, FunctionInfo, ModuleBinding, locals_of, target_names};
use super::is_pure_builtin;
use super::statements::blocks;
use super::value::Graph;
use crate::syntax::ast::visitor::source_order::{self, SourceOrderVisitor};
use crate::syntax::ast::{self, Expr, Stmt};

/// Longer helpers are not followed.
const MAX_STATEMENTS: usize = 40;

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
pub(super) enum Scope {
    /// In the scope itself.
    Own,
    /// In a function around it, or by an import in the scope.
    Outer,
    /// In the module, or nowhere.
    Module,
}

impl<'a> Definitions<'a> {
    /// Note the helpers that only borrow: when one is done, no object, container or caller holds anything that it was given, nor has it changed any of that.
    pub(super) fn note_borrowers(&mut self, classes: &ClassFacts, graph: &Graph) {
        let called: Vec<Option<Vec<FunctionIndex>>> =
            (0..self.functions.len()).map(|index| Borrowing::of_function(self, classes, graph, index)).collect();
        let mut lenders: FxHashMap<FunctionIndex, Vec<FunctionIndex>> = FxHashMap::default();
        for (index, helpers) in called.iter().enumerate() {
            helpers.iter().flatten().for_each(|&helper| lenders.entry(helper).or_default().push(index));
        }
        // Who lends to one that keeps does not only borrow; those that lend to each other alone do.
        let mut keep: Vec<FunctionIndex> = (0..called.len()).filter(|&f| called[f].is_none()).collect();
        self.borrowers = (0..called.len()).filter(|&f| called[f].is_some()).collect();
        while let Some(lender) = keep.pop() {
            let new = lenders.remove(&lender).into_iter().flatten();
            keep.extend(new.filter(|f| self.borrowers.remove(f)));
        }
    }

    /// What `call` calls that is no method of a receiver, where the name it starts with means what `scope` says.
    pub(super) fn callee(&self, graph: &Graph, call: &ast::ExprCall, scope: &dyn Fn(&str) -> Scope) -> Callee {
        let mut root = &*call.func;
        while let Expr::Attribute(attribute) = root {
            root = &attribute.value;
        }
        let known = root.as_name_expr().map(|name| (&*name.id, scope(&name.id)));
        match (known, &*call.func) {
            (Some((_, Scope::Outer)), _) => Callee::Unknown,
            (Some((name, Scope::Module)), callee) => {
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
        let is_defined = |symbol| self.classes.iter().any(|class| class.methods.contains_key(&symbol));
        let method = api::method(name).filter(|_| !api::is_property(name));
        method.is_some_and(|method| takes(method.get(), call)) && !graph.known_symbol(name).is_some_and(is_defined)
    }
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

/// The names that `expr` may be another name of, or whose objects it holds.
pub(super) fn held<'a>(expr: &'a Expr, names: &mut Vec<&'a str>) {
    match expr {
        Expr::Name(name) => names.push(&name.id),
        Expr::Named(named) => held(&named.value, names),
        Expr::Starred(starred) => held(&starred.value, names),
        Expr::Tuple(tuple) => tuple.elts.iter().for_each(|e| held(e, names)),
        Expr::List(list) => list.elts.iter().for_each(|e| held(e, names)),
        Expr::Set(set) => set.elts.iter().for_each(|e| held(e, names)),
        Expr::Dict(dict) => dict.items.iter().for_each(|i| held(&i.value, names)),
        Expr::If(either) => [&either.body, &either.orelse].into_iter().for_each(|e| held(e, names)),
        Expr::BoolOp(either) => either.values.iter().for_each(|e| held(e, names)),
        Expr::ListComp(each) => held_by_each(&each.elt, &each.generators, names),
        Expr::SetComp(each) => held_by_each(&each.elt, &each.generators, names),
        Expr::Generator(each) => held_by_each(&each.elt, &each.generators, names),
        Expr::DictComp(each) => held_by_each(&each.value, &each.generators, names),
        // What a name or an attribute holds, others hold already.
        Expr::Subscript(part) if !part.value.is_name_expr() && !part.value.is_attribute_expr() => held(&part.value, names),
        Expr::Call(call) if matches!(&*call.func, Expr::Name(name) if matches!(name.id.as_str(), "max" | "min")) => {
            call.arguments.args.iter().for_each(|e| held(e, names));
        }
        _ => {}
    }
}

/// What the displays among the arguments of `call` hold, of which a function may give back a part.
pub(super) fn held_in_displays<'a>(call: &'a ast::ExprCall, names: &mut Vec<&'a str>) {
    let mut waiting: Vec<&Expr> = call.arguments.args.iter().chain(call.arguments.keywords.iter().map(|k| &k.value)).collect();
    while let Some(argument) = waiting.pop() {
        match argument {
            Expr::Name(_) => {}
            Expr::Named(named) => waiting.push(&named.value),
            Expr::If(either) => waiting.extend([&*either.body, &*either.orelse]),
            Expr::BoolOp(either) => waiting.extend(&either.values),
            _ => held(argument, names),
        }
    }
}

/// What the elements of a comprehension hold: what they name, which may be an element of what is gone through.
fn held_by_each<'a>(element: &'a Expr, generators: &'a [ast::Comprehension], names: &mut Vec<&'a str>) {
    let before = names.len();
    held(element, names);
    if names.len() > before {
        generators.iter().for_each(|g| held(&g.iter, names));
    }
}

/// Looks for what a helper does with the objects that it is given.
pub(super) struct Borrowing<'q, 'a> {
    definitions: &'q Definitions<'a>,
    classes: &'q ClassFacts,
    graph: &'q Graph,
    scope: &'q dyn Fn(&str) -> Scope,
    /// The class whose method it is, with the name of the receiver.
    receiver: Option<(ClassIndex, &'a str)>,
    /// Names that may stand for what was given, or for something that holds it.
    given: FxHashSet<&'a str>,
    /// Functions of the file that it lends to.
    helpers: Vec<FunctionIndex>,
    keeps: bool,
}

impl<'q, 'a> Borrowing<'q, 'a> {
    /// The functions to which function `index` lends what it is given; `None` where it does more than that.
    fn of_function(definitions: &'q Definitions<'a>, classes: &'q ClassFacts, graph: &'q Graph, index: FunctionIndex) -> Option<Vec<FunctionIndex>> {
        let info = &definitions.functions[index];
        let is_static = definitions.is_static(index, graph);
        let is_plain = is_static || info.ast.decorator_list.iter().all(|d| is_compile(&d.expression, definitions, graph));
        if info.ast.is_async || !is_plain || !is_simple(&info.ast.body) {
            return None;
        }
        let names_of = |function: &FunctionInfo<'a>| {
            let mut names: Vec<&str> = function.ast.parameters.iter().map(|p| p.name().as_str()).collect();
            locals_of(&function.ast.body, &mut names);
            names
        };
        let own: FxHashSet<&str> = names_of(info).into_iter().collect();
        let around = std::iter::successors(info.parent.map(|f| &definitions.functions[f]), |f| f.parent.map(|f| &definitions.functions[f]));
        let outer: FxHashSet<&str> = around.flat_map(names_of).collect();
        let parameters: Vec<&str> = info.ast.parameters.iter().map(|p| p.name().as_str()).collect();
        let receiver = info.class.filter(|_| !is_static).zip(parameters.first().copied());
        let given = parameters.into_iter().collect();
        let scope = |name: &str| match name {
            _ if own.contains(name) => Scope::Own,
            _ if outer.contains(name) => Scope::Outer,
            _ => Scope::Module,
        };
        let mut borrowing = Borrowing { definitions, classes, graph, scope: &scope, receiver, given, helpers: Vec::new(), keeps: false };
        borrowing.block(&info.ast.body, true);
        (!borrowing.keeps).then_some(borrowing.helpers)
    }

    /// Whether `lambda` only borrows, which stands where names mean what `scope` says.
    pub(super) fn is_lambda(
        definitions: &'q Definitions<'a>,
        classes: &'q ClassFacts,
        graph: &'q Graph,
        scope: &'q dyn Fn(&str) -> Scope,
        lambda: &'a ast::ExprLambda,
    ) -> bool {
        let given: FxHashSet<&str> = lambda.parameters.iter().flat_map(|p| p.iter()).map(|p| p.name().as_str()).collect();
        let inside = |name: &str| if given.contains(name) { Scope::Own } else { scope(name) };
        let is_plain = !has_scope_or_yield(&lambda.body);
        let mut borrowing =
            Borrowing { definitions, classes, graph, scope: &inside, receiver: None, given: given.clone(), helpers: Vec::new(), keeps: false };
        borrowing.visit_expr(&lambda.body);
        borrowing.keeps |= borrowing.holds_given(&lambda.body);
        is_plain && !borrowing.keeps && borrowing.helpers.iter().all(|f| definitions.borrowers.contains(f))
    }

    /// Whether `expr` is, or holds, something that was given.
    fn holds_given(&self, expr: &'a Expr) -> bool {
        let mut names = Vec::new();
        held(expr, &mut names);
        names.iter().any(|name| self.given.contains(name))
    }

    /// The statements of a simple helper; `always` where they run whatever happens.
    fn block(&mut self, body: &'a [Stmt], always: bool) {
        for statement in body {
            match statement {
                Stmt::Assign(s) => {
                    self.visit_expr(&s.value);
                    s.targets.iter().for_each(|target| self.assign(target, &s.value, always));
                }
                Stmt::AnnAssign(s) => {
                    if let Some(value) = &s.value {
                        self.visit_expr(value);
                        self.assign(&s.target, value, always);
                    }
                }
                Stmt::AugAssign(s) => {
                    self.visit_expr(&s.value);
                    self.keeps |= self.holds_given(&s.target);
                }
                Stmt::Return(s) => {
                    s.value.iter().for_each(|value| self.visit_expr(value));
                    self.keeps |= s.value.as_deref().is_some_and(|value| self.holds_given(value));
                }
                Stmt::If(s) => {
                    self.visit_expr(&s.test);
                    s.elif_else_clauses.iter().filter_map(|c| c.test.as_ref()).for_each(|test| self.visit_expr(test));
                    blocks(statement).into_iter().for_each(|block| self.block(block, false));
                }
                _ => {}
            }
        }
    }

    /// `target = value`.
    fn assign(&mut self, target: &'a Expr, value: &'a Expr, always: bool) {
        let mut names = Vec::new();
        target_names(target, &mut names);
        if self.holds_given(value) {
            self.given.extend(names);
            let mut of = Vec::new();
            held(value, &mut of);
            // What is called of another name of the receiver is not found.
            self.keeps |= self.receiver.is_some_and(|(_, receiver)| of.contains(&receiver));
        } else if always {
            self.given.retain(|name| !names.contains(name));
        }
    }

    fn callee(&self, call: &ast::ExprCall) -> Callee {
        if let (Expr::Attribute(method), Some((class, receiver))) = (&*call.func, self.receiver)
            && method.value.as_name_expr().is_some_and(|name| name.id.as_str() == receiver)
        {
            return self.definitions.callee_of_receiver(self.classes, self.graph, class, &method.attr);
        }
        self.definitions.callee(self.graph, call, self.scope)
    }
}

impl<'a> SourceOrderVisitor<'a> for Borrowing<'_, 'a> {
    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Call(call) => match self.callee(call) {
                Callee::Borrower => {}
                Callee::Helper(index) => {
                    self.helpers.push(index);
                    let mut names = Vec::new();
                    held_in_displays(call, &mut names);
                    self.keeps |= names.iter().any(|name| self.given.contains(name));
                }
                Callee::Unknown => self.keeps = true,
            },
            Expr::Named(named) => self.assign(&named.target, &named.value, false),
            _ => {}
        }
        source_order::walk_expr(self, expr);
    }
}

/// Whether `body` is a helper that can be followed: assignments to names, branches, and a return at the end of every path.
pub(super) fn is_simple(body: &[Stmt]) -> bool {
    let mut budget = MAX_STATEMENTS;
    returns(body) && body.iter().all(|s| is_simple_statement(s, &mut budget))
}

fn is_simple_statement(statement: &Stmt, budget: &mut usize) -> bool {
    let Some(left) = budget.checked_sub(1) else { return false };
    *budget = left;
    let names_only = |target: &Expr| match target {
        Expr::Name(_) => true,
        Expr::Tuple(tuple) => tuple.elts.iter().all(|e| e.as_starred_expr().map_or(e, |s| &s.value).is_name_expr()),
        _ => false,
    };
    match statement {
        Stmt::Assign(s) => s.targets.iter().all(names_only) && !has_scope_or_yield(&s.value),
        Stmt::AnnAssign(s) => s.target.is_name_expr() && s.value.as_deref().is_none_or(|v| !has_scope_or_yield(v)),
        Stmt::AugAssign(s) => s.target.is_name_expr() && !has_scope_or_yield(&s.value),
        Stmt::Return(s) => s.value.as_deref().is_none_or(|v| !has_scope_or_yield(v)),
        Stmt::Expr(s) => s.value.is_string_literal_expr(),
        Stmt::Pass(_) => true,
        Stmt::If(s) => {
            let branches_return = s.elif_else_clauses.iter().any(|c| contains_return(&c.body)) || contains_return(&s.body);
            let followed = !branches_return || returns(&s.body) && matches!(&s.elif_else_clauses[..], [] | [ast::ElifElseClause { test: None, .. }]);
            let complete = s.elif_else_clauses.iter().all(|c| !branches_return || returns(&c.body));
            followed
                && complete
                && s.body.iter().all(|b| is_simple_statement(b, budget))
                && s.elif_else_clauses.iter().all(|c| c.body.iter().all(|b| is_simple_statement(b, budget)))
        }
        _ => false,
    }
}

/// Whether every path through `body` ends in a return.
pub(super) fn returns(body: &[Stmt]) -> bool {
    match body.last() {
        Some(Stmt::Return(_)) => true,
        Some(Stmt::If(s)) => {
            returns(&s.body) && s.elif_else_clauses.last().is_some_and(|c| c.test.is_none()) && s.elif_else_clauses.iter().all(|c| returns(&c.body))
        }
        _ => false,
    }
}

fn contains_return(body: &[Stmt]) -> bool {
    body.iter().any(|s| match s {
        Stmt::Return(_) => true,
        Stmt::If(s) => contains_return(&s.body) || s.elif_else_clauses.iter().any(|c| contains_return(&c.body)),
        _ => false,
    })
}

/// Lambdas, generators and `yield` have names or times of their own: such helpers are not followed.
fn has_scope_or_yield(expr: &Expr) -> bool {
    struct Finder(bool);
    impl<'a> ast::visitor::source_order::SourceOrderVisitor<'a> for Finder {
        fn visit_expr(&mut self, expr: &'a Expr) {
            self.0 |= matches!(expr, Expr::Lambda(_) | Expr::Generator(_) | Expr::Yield(_) | Expr::YieldFrom(_) | Expr::Await(_));
            if !self.0 {
                ast::visitor::source_order::walk_expr(self, expr);
            }
        }
    }
    let mut finder = Finder(false);
    ast::visitor::source_order::SourceOrderVisitor::visit_expr(&mut finder, expr);
    finder.0
}

#[cfg(test)]
mod tests {
    use crate::graph::Analysis;
    use crate::graph::value::Graph;
    use crate::syntax::Source;

    const REST: &str = "
import math
import mlx.core as mx
import mlx.nn as nn
from mlx_lm.models.base import scaled_dot_product_attention
from elsewhere import register

def doubled(x):
    return x * 2

def same(x):
    return x

class Block(nn.Module):
    def __init__(self, dims):
        super().__init__()
        self.norm = nn.RMSNorm(dims)
        self.given = dims

    def _normed(self, x):
        return self.norm(x) + 1

    def _passed(self, x):
        return self.given(x)

    def _twice(self, x):
        return self._normed(self._normed(x))

    def log(self, x):
        self.last = x
        return x
";

    /// Whether the function `name` of a text is taken for one that only borrows, with `functions` in front.
    fn borrows(functions: &str, name: &str) -> bool {
        let text = format!("{REST}\n{functions}");
        let source = Source::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let analysis = Analysis::new(&source, Graph::default());
        let index = analysis.definitions.functions.iter().position(|f| f.ast.name.as_str() == name).expect("the text defines the function");
        analysis.definitions.borrowers.contains(&index)
    }

    #[test]
    fn what_computes_with_its_arguments_and_gives_back_something_new_only_borrows() {
        for body in [
            "return x * y",
            "return mx.concatenate([x, y])",
            "return x.astype(mx.float32).reshape(-1, y)",
            "x = x + 1\n    return x",
            "h = x * 2\n    h += y\n    return h",
            "if y is not None:\n        x = x + y\n    return mx.softmax(x)",
            "return doubled(x), math.sqrt(2), doubled(y)",
            "return f(x * 2, y)",
            "return [t * 2 for t in (x, y)]",
            "return int(y)",
        ] {
            assert!(borrows(&format!("def f(x, y):\n    {body}\n"), "f"), "{body}");
        }
        assert!(borrows("", "_normed") && borrows("", "_twice"), "methods of modules");
    }

    #[test]
    fn what_keeps_changes_or_gives_back_what_it_is_given_does_not() {
        for body in [
            "return x",
            "return x if y else 1",
            "return y and x",
            "return (x, 1)",
            "return [x][0]",
            "return {'x': x}",
            "return [t for t in (x, y)]",
            "return max(x, y)",
            "z = x\n    return z",
            "z, _ = x, y\n    return z",
            "if y:\n        x = x * 2\n    return x",
            "return (z := x)",
            "x += 1\n    return x * 2",
            "z = x\n    z += 1\n    return x * 2",
            "return register(x) + 1",
            "return same(x) * 2",
            "return doubled([x, y])",
            "return scaled_dot_product_attention(x, y) * 1",
            "return x.log(y) * 2",
            "return x.append(y)",
            "return x.mean(y, 1, 2, 3, 4)",
            "return list(x)",
            "return f(x, register(y))",
        ] {
            assert!(!borrows(&format!("def f(x, y):\n    {body}\n"), "f"), "{body}");
        }
        assert!(!borrows("", "_passed"), "an attribute that may be anything");
        assert!(!borrows("def f(x):\n    return g(x) * 2\n\ndef g(x):\n    return h(x) * 2\n\ndef h(x):\n    return register(x)\n", "f"));
        assert!(!borrows("def around(doubled):\n    def f(x):\n        return doubled(x) * 2\n    return f\n", "f"), "a name of the function around");
        assert!(
            !borrows("class C(Block):\n    def f(self, x):\n        me = self\n        return me.square(x)\n", "f"),
            "another name of the receiver"
        );
    }
}
