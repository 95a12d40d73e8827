//! Who calls a function of the file, and whether a loop does.

use rustc_hash::FxHashMap;

use super::Analysis;
use super::definitions::{Definitions, FunctionIndex};
use super::statements::comprehension;
use crate::syntax::ast::visitor::source_order::{self, SourceOrderVisitor, TraversalSignal};
use crate::syntax::ast::{self, Expr, Stmt};
use crate::syntax::{Ranged, TextRange};

/// A call somewhere in the file.
#[derive(Clone, Copy)]
pub struct Called<'x> {
    /// The call.
    pub call: &'x ast::ExprCall,
    /// The function that makes it; `None` for the module.
    pub by: Option<FunctionIndex>,
    /// A loop of that function makes it.
    pub in_loop: bool,
}

impl<'x> Called<'x> {
    /// Whether it shows all that it gives: nothing is unpacked.
    pub fn is_plain(&self) -> bool {
        let arguments = &self.call.arguments;
        !arguments.args.iter().any(Expr::is_starred_expr) && arguments.keywords.iter().all(|k| k.arg.is_some())
    }

    /// What the call gives parameter number `at` of `function`, which is what it calls. A method's first parameter is its object.
    pub fn given(&self, function: &ast::StmtFunctionDef, at: usize) -> Option<&'x Expr> {
        let parameter = function.parameters.iter_non_variadic_params().nth(at)?;
        let is_self = |p: ast::AnyParameterRef<'_>| p.name().as_str() == "self";
        let bound = usize::from(self.call.func.is_attribute_expr() && function.parameters.iter().next().is_some_and(is_self));
        self.call.arguments.find_argument_value(parameter.name().as_str(), at.checked_sub(bound)?)
    }
}

/// Every call of the function number `index` by its name, in scopes where the name is that function's.
pub fn of_function<'x>(analysis: &'x Analysis<'_>, index: FunctionIndex) -> Vec<Called<'x>> {
    let definitions = &analysis.definitions;
    let info = &definitions.functions[index];
    let name = info.ast.name.as_str();
    match (info.class, info.parent) {
        (Some(class), _) => {
            let of_self = |callee: &Expr| callee.as_attribute_expr().is_some_and(|m| m.value.as_name_expr().is_some_and(|n| n.id.as_str() == "self"));
            inside(analysis, name, definitions.classes[class].ast.range(), of_self)
        }
        (None, Some(parent)) => by_name(analysis, name, definitions.functions[parent].ast.range()),
        (None, None) => by_name(analysis, name, analysis.source.module().range()),
    }
}

/// Every call in `scope` of what is called `name`.
pub fn by_name<'x>(analysis: &'x Analysis<'_>, name: &str, scope: TextRange) -> Vec<Called<'x>> {
    inside(analysis, name, scope, Expr::is_name_expr)
}

/// Every call in the file of a function, or a method of whatever object, that is called `name`.
pub fn alike<'x>(analysis: &'x Analysis<'_>, name: &str) -> Vec<Called<'x>> {
    inside(analysis, name, analysis.source.module().range(), |_| true)
}

/// The calls in `scope` of what is called `name` and whose callee `is_it`.
fn inside<'x>(analysis: &'x Analysis<'_>, name: &str, scope: TextRange, is_it: impl Fn(&Expr) -> bool) -> Vec<Called<'x>> {
    let sites = analysis.calls().by_name.get(name).map_or(&[][..], |sites| sites);
    let called = |site: &Site| {
        let call = at(&analysis.source.module().body, site.range)?;
        is_it(&call.func).then_some(Called { call, by: site.by, in_loop: site.in_loop })
    };
    sites.iter().filter(|site| scope.contains_range(site.range)).filter_map(called).collect()
}

/// The call in `module` with the text `range`.
fn at(module: &[Stmt], range: TextRange) -> Option<&ast::ExprCall> {
    let mut search = Search { range, found: None };
    search.visit_body(module);
    search.found
}

struct Search<'x> {
    range: TextRange,
    found: Option<&'x ast::ExprCall>,
}

impl<'x> SourceOrderVisitor<'x> for Search<'x> {
    fn enter_node(&mut self, node: ast::AnyNodeRef<'x>) -> TraversalSignal {
        if self.found.is_none() && node.range().contains_range(self.range) { TraversalSignal::Traverse } else { TraversalSignal::Skip }
    }

    fn visit_body(&mut self, body: &'x [Stmt]) {
        let around = body.partition_point(|s| s.end() <= self.range.start());
        body.get(around).into_iter().for_each(|s| self.visit_stmt(s));
    }

    fn visit_expr(&mut self, expr: &'x Expr) {
        match expr {
            Expr::Call(call) if call.range() == self.range => self.found = Some(call),
            _ => source_order::walk_expr(self, expr),
        }
    }
}

/// The calls of a file, in the order of evaluation, by the names of the functions and methods that they call. It borrows nothing, so that an analysis can hold it.
#[derive(Default)]
pub(super) struct Calls {
    by_name: FxHashMap<Box<str>, Vec<Site>>,
}

/// Where a call is, and what is told of it.
struct Site {
    range: TextRange,
    by: Option<FunctionIndex>,
    in_loop: bool,
}

impl Calls {
    pub(super) fn of(module: &[Stmt], definitions: &Definitions<'_>) -> Self {
        let mut finder = Finder { definitions, by: None, loops: 0, found: Self::default() };
        finder.visit_body(module);
        finder.found
    }

    fn note(&mut self, name: &str, site: Site) {
        match self.by_name.get_mut(name) {
            Some(sites) => sites.push(site),
            None => drop(self.by_name.insert(name.into(), vec![site])),
        }
    }
}

struct Finder<'d> {
    definitions: &'d Definitions<'d>,
    by: Option<FunctionIndex>,
    loops: u32,
    found: Calls,
}

impl Finder<'_> {
    fn looped(&mut self, visit: impl FnOnce(&mut Self)) {
        self.loops += 1;
        visit(self);
        self.loops -= 1;
    }
}

impl<'x> SourceOrderVisitor<'x> for Finder<'_> {
    fn visit_stmt(&mut self, statement: &'x Stmt) {
        match statement {
            Stmt::FunctionDef(s) => {
                // Decorators and defaults are evaluated where the function is made.
                s.decorator_list.iter().for_each(|d| self.visit_decorator(d));
                self.visit_parameters(&s.parameters);
                let (by, loops) = (self.by, self.loops);
                (self.by, self.loops) = (self.definitions.function_of(s), 0);
                self.visit_body(&s.body);
                (self.by, self.loops) = (by, loops);
            }
            // What a loop goes through is evaluated once, and its `else` comes when it is over.
            Stmt::For(s) => {
                self.visit_expr(&s.iter);
                self.looped(|c| c.visit_body(&s.body));
                self.visit_body(&s.orelse);
            }
            Stmt::While(s) => {
                self.looped(|c| {
                    c.visit_expr(&s.test);
                    c.visit_body(&s.body);
                });
                self.visit_body(&s.orelse);
            }
            _ => source_order::walk_stmt(self, statement),
        }
    }

    fn visit_expr(&mut self, expr: &'x Expr) {
        if let Expr::Call(call) = expr {
            let name = match &*call.func {
                Expr::Name(name) => Some(name.id.as_str()),
                Expr::Attribute(method) => Some(method.attr.as_str()),
                _ => None,
            };
            let site = Site { range: call.range(), by: self.by, in_loop: self.loops > 0 };
            if let Some(name) = name {
                self.found.note(name, site);
            }
        }
        let Some((elements, generators)) = comprehension(expr) else { return source_order::walk_expr(self, expr) };
        generators.first().into_iter().for_each(|g| self.visit_expr(&g.iter));
        self.looped(|c| {
            elements.into_iter().for_each(|e| c.visit_expr(e));
            generators.iter().skip(1).for_each(|g| c.visit_expr(&g.iter));
            generators.iter().flat_map(|g| &g.ifs).for_each(|test| c.visit_expr(test));
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::value::Graph;
    use crate::syntax::Source;

    /// Who calls `f` in `text`: the name of the function, and whether a loop of it does.
    fn callers(text: &str) -> Vec<(String, bool)> {
        let source = Source::parse(text).expect("Python");
        let analysis = Analysis::new(&source, Graph::default());
        let index = analysis.definitions.functions.iter().position(|f| f.ast.name.as_str() == "f").expect("the text defines it");
        let name = |by: Option<FunctionIndex>| by.map_or(String::new(), |by| analysis.definitions.functions[by].ast.name.to_string());
        of_function(&analysis, index).iter().map(|c| (name(c.by), c.in_loop)).collect()
    }

    #[test]
    fn a_loop_makes_the_calls_of_its_rounds() {
        for (text, in_loop) in [
            ("f(1)", false),
            ("for x in f(1):\n    pass", false),
            ("for x in xs:\n    f(x)", true),
            ("for x in xs:\n    pass\nelse:\n    f(1)", false),
            ("while f(1):\n    pass", true),
            ("while x:\n    pass\nelse:\n    f(1)", false),
            ("y = [f(x) for x in xs]", true),
            ("y = {x: f(x) for x in xs}", true),
            ("y = [x for x in f(1)]", false),
            ("y = [x for x in xs if f(x)]", true),
            ("y = {y: x for x in xs for y in f(x)}", true),
            ("def g():\n    for x in xs:\n        @f(x)\n        def h(y=1):\n            return y", true),
        ] {
            let by = if text.contains("def g") { "g" } else { "" };
            assert_eq!(callers(&format!("def f(x):\n    return x\n{text}\n")), [(by.to_owned(), in_loop)], "{text}");
        }
    }
}
