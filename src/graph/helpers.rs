//! Helpers: functions of a file whose calls can be followed, and those of them that only borrow what they are given. Reads the tree alone.

use rustc_hash::{FxHashMap, FxHashSet};

use super::classes::ClassFacts;
use super::compile::is_compile;
use super::definitions::{ClassIndex, Definitions, FunctionIndex};
use super::lending::{BoundIn, Handing};
use super::names::{names_of, target_names};
use super::statements::blocks;
use super::value::Graph;
use crate::syntax::ast::{self, Expr, Stmt};

/// Longer helpers are not followed.
const MAX_STATEMENTS: usize = 40;

impl Definitions<'_> {
    /// Note the helpers that only borrow: when one is done, no object, container or caller holds anything that it was given, nor has it changed any of that.
    pub(super) fn note_borrowers(&mut self, classes: &ClassFacts, graph: &Graph) {
        let mut around = Around::default();
        let mut called: Vec<Option<Vec<FunctionIndex>>> = Vec::with_capacity(self.functions.len());
        for index in 0..self.functions.len() {
            around.enter(self, self.functions[index].parent);
            called.push(Borrowing::of_function(self, classes, graph, index, &around.names));
        }
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
}

/// The names of the functions around one, kept for the next one inside the same.
#[derive(Default)]
struct Around<'a> {
    parent: Option<FunctionIndex>,
    names: FxHashSet<&'a str>,
}

impl<'a> Around<'a> {
    fn enter(&mut self, definitions: &Definitions<'a>, parent: Option<FunctionIndex>) {
        if self.parent != parent {
            let function = |index: FunctionIndex| &definitions.functions[index];
            let around = std::iter::successors(parent, |&index| function(index).parent);
            *self = Self { parent, names: around.flat_map(|index| names_of(function(index).ast)).collect() };
        }
    }
}

/// Looks for what a helper does with the objects that it is given.
pub(super) struct Borrowing<'q, 'a> {
    definitions: &'q Definitions<'q>,
    classes: &'q ClassFacts,
    graph: &'q Graph,
    scope: &'q dyn Fn(&str) -> BoundIn,
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
    fn of_function(
        definitions: &'q Definitions<'a>,
        classes: &'q ClassFacts,
        graph: &'q Graph,
        index: FunctionIndex,
        around: &FxHashSet<&str>,
    ) -> Option<Vec<FunctionIndex>> {
        let info = &definitions.functions[index];
        let is_static = definitions.is_static(index, graph);
        let is_plain = is_static || info.ast.decorator_list.iter().all(|d| is_compile(&d.expression, definitions, graph));
        if info.ast.is_async || !is_plain || !is_simple(&info.ast.body) {
            return None;
        }
        let own: FxHashSet<&str> = names_of(info.ast).into_iter().collect();
        let parameters: Vec<&str> = info.ast.parameters.iter().map(|p| p.name().as_str()).collect();
        let receiver = info.class.filter(|_| !is_static).zip(parameters.first().copied());
        let given = parameters.into_iter().collect();
        let scope = |name: &str| match name {
            _ if own.contains(name) => BoundIn::Here,
            _ if around.contains(name) => BoundIn::Around,
            _ => BoundIn::Module,
        };
        let mut borrowing = Borrowing { definitions, classes, graph, scope: &scope, receiver, given, helpers: Vec::new(), keeps: false };
        borrowing.block(&info.ast.body, true);
        (!borrowing.keeps).then_some(borrowing.helpers)
    }

    /// Whether `lambda` only borrows, which stands where names mean what `scope` says.
    pub(super) fn is_lambda(
        definitions: &'q Definitions<'q>,
        classes: &'q ClassFacts,
        graph: &'q Graph,
        scope: &'q dyn Fn(&str) -> BoundIn,
        lambda: &'a ast::ExprLambda,
    ) -> bool {
        let given: FxHashSet<&str> = lambda.parameters.iter().flat_map(|p| p.iter()).map(|p| p.name().as_str()).collect();
        let inside = |name: &str| if given.contains(name) { BoundIn::Here } else { scope(name) };
        let mut borrowing =
            Borrowing { definitions, classes, graph, scope: &inside, receiver: None, given: FxHashSet::default(), helpers: Vec::new(), keeps: false };
        // What it reads of the scope around it is no more its own than what it is given.
        let hands_on = !borrowing.handed_on(&lambda.body, true).is_empty();
        !hands_on && !borrowing.keeps && !has_scope_or_yield(&lambda.body) && borrowing.helpers.iter().all(|f| definitions.borrowers.contains(f))
    }

    /// The names whose objects `expr` hands on; where it is `held`, also those that its value is or holds.
    fn handed_on(&mut self, expr: &'a Expr, held: bool) -> Vec<&'a str> {
        let (definitions, classes, graph, receiver) = (self.definitions, self.classes, self.graph, self.receiver);
        let of_receiver = |call: &ast::ExprCall| {
            let ((class, receiver), Expr::Attribute(method)) = (receiver?, &*call.func) else { return None };
            let is_receiver = method.value.as_name_expr().is_some_and(|name| name.id.as_str() == receiver);
            is_receiver.then(|| definitions.callee_of_receiver(classes, graph, class, &method.attr))
        };
        let mut handing = Handing::new(definitions, graph, self.scope, &of_receiver);
        handing.expr(expr, held);
        let Handing { names, helpers, calls_unknown, .. } = handing;
        self.helpers.extend(helpers);
        self.keeps |= calls_unknown;
        names
    }

    /// Whether others hold the object of one of `names`: it was given, or is that of a function around it.
    fn is_given(&self, names: &[&'a str]) -> bool {
        names.iter().any(|name| self.given.contains(name) || (self.scope)(name) == BoundIn::Around)
    }

    /// Compute `expr` for nothing that outlives the helper.
    fn lend(&mut self, expr: &'a Expr) {
        let names = self.handed_on(expr, false);
        self.keeps |= self.is_given(&names);
    }

    /// The statements of a simple helper; `always` where they run whatever happens.
    fn block(&mut self, body: &'a [Stmt], always: bool) {
        for statement in body {
            match statement {
                Stmt::Assign(s) => self.assign(&s.targets.iter().collect::<Vec<_>>(), &s.value, always),
                Stmt::AnnAssign(s) => s.value.iter().for_each(|value| self.assign(&[&*s.target], value, always)),
                Stmt::AugAssign(s) => {
                    self.lend(&s.value);
                    let mut names = Vec::new();
                    target_names(&s.target, &mut names);
                    self.keeps |= self.is_given(&names);
                }
                Stmt::Return(s) => {
                    let names = s.value.as_deref().map(|value| self.handed_on(value, true));
                    self.keeps |= names.is_some_and(|names| self.is_given(&names));
                }
                Stmt::If(s) => {
                    self.lend(&s.test);
                    s.elif_else_clauses.iter().filter_map(|c| c.test.as_ref()).for_each(|test| self.lend(test));
                    blocks(statement).into_iter().for_each(|block| self.block(block, false));
                }
                _ => {}
            }
        }
    }

    /// Give `targets` the `value`, which they are another name of, or hold.
    fn assign(&mut self, targets: &[&'a Expr], value: &'a Expr, always: bool) {
        self.lend(value);
        let held = self.handed_on(value, true);
        let mut names = Vec::new();
        targets.iter().for_each(|target| target_names(target, &mut names));
        if self.is_given(&held) {
            self.given.extend(names);
            // What is called of another name of the receiver is not found.
            self.keeps |= self.receiver.is_some_and(|(_, receiver)| held.contains(&receiver));
        } else if always {
            self.given.retain(|name| !names.contains(name));
        }
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
