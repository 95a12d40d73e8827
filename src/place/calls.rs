//! Who calls a function of the file, and whether a loop does.

use super::expressions::comprehension;
use crate::graph::Analysis;
use crate::graph::definitions::FunctionIndex;
use crate::syntax::ast::visitor::source_order::{self, SourceOrderVisitor};
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
        (Some(class), _) => found(analysis, definitions.classes[class].ast.range(), |callee| match callee {
            Expr::Attribute(method) => method.attr.as_str() == name && method.value.as_name_expr().is_some_and(|n| n.id.as_str() == "self"),
            _ => false,
        }),
        (None, Some(parent)) => by_name(analysis, name, definitions.functions[parent].ast.range()),
        (None, None) => by_name(analysis, name, analysis.source.module().range()),
    }
}

/// Every call in `scope` of what is called `name`.
pub fn by_name<'x>(analysis: &'x Analysis<'_>, name: &str, scope: TextRange) -> Vec<Called<'x>> {
    found(analysis, scope, |callee| callee.as_name_expr().is_some_and(|n| n.id.as_str() == name))
}

/// Every call in the file of a function, or a method of whatever object, that is called `name`.
pub fn alike<'x>(analysis: &'x Analysis<'_>, name: &str) -> Vec<Called<'x>> {
    found(analysis, analysis.source.module().range(), |callee| match callee {
        Expr::Name(callee) => callee.id.as_str() == name,
        Expr::Attribute(method) => method.attr.as_str() == name,
        _ => false,
    })
}

/// The calls in `scope` whose callee `is_it`.
fn found<'x>(analysis: &'x Analysis<'_>, scope: TextRange, is_it: impl Fn(&Expr) -> bool) -> Vec<Called<'x>> {
    let mut calls = Calls { analysis, scope, is_it, by: None, loops: 0, found: Vec::new() };
    calls.visit_body(&analysis.source.module().body);
    calls.found
}

struct Calls<'x, 'a, F> {
    analysis: &'x Analysis<'a>,
    scope: TextRange,
    is_it: F,
    by: Option<FunctionIndex>,
    loops: u32,
    found: Vec<Called<'x>>,
}

impl<F> Calls<'_, '_, F> {
    fn looped(&mut self, visit: impl FnOnce(&mut Self)) {
        self.loops += 1;
        visit(self);
        self.loops -= 1;
    }
}

impl<'x, F: Fn(&Expr) -> bool> SourceOrderVisitor<'x> for Calls<'x, '_, F> {
    fn visit_stmt(&mut self, statement: &'x Stmt) {
        match statement {
            Stmt::FunctionDef(s) => {
                // Decorators and defaults are evaluated where the function is made.
                s.decorator_list.iter().for_each(|d| self.visit_decorator(d));
                self.visit_parameters(&s.parameters);
                let (by, loops) = (self.by, self.loops);
                (self.by, self.loops) = (self.analysis.definitions.function_of(s), 0);
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
        if let Expr::Call(call) = expr
            && self.scope.contains_range(call.range())
            && (self.is_it)(&call.func)
        {
            self.found.push(Called { call, by: self.by, in_loop: self.loops > 0 });
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
