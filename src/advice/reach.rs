//! Whether what calls a function is compiled: by its name, through what is made of it (`nn.value_and_grad(model, loss)`), or as the default of a parameter.

use crate::graph::Analysis;
use crate::graph::definitions::FunctionIndex;
use crate::syntax::ast::visitor::source_order::{self, SourceOrderVisitor};
use crate::syntax::ast::{Expr, Stmt};
use crate::syntax::{Ranged, TextRange};

/// So many names are looked for at most; each is a walk over the file.
const MOST: usize = 40;

/// Whether everything in the file that calls or mentions function number `index` is itself reached from a compiled function.
pub(super) fn is_compiled_with_its_users(analysis: &Analysis<'_>, index: FunctionIndex) -> bool {
    let mut reach = Reach { analysis, seen: vec![(name_of(analysis, index), false)] };
    let mentions = reach.mentions(name_of(analysis, index));
    !mentions.is_empty() && mentions.iter().all(|m| reach.is_compiled(m))
}

/// A name, and the text in which it means what is asked for.
type Named<'x> = (&'x str, TextRange);

/// The function as its users call it; a method is asked for by its name alone.
fn name_of<'x>(analysis: &'x Analysis<'_>, index: FunctionIndex) -> Named<'x> {
    let info = &analysis.definitions.functions[index];
    let parent = info.parent.filter(|_| info.class.is_none());
    let scope = parent.map_or(analysis.source.module().range(), |p| analysis.definitions.functions[p].ast.range());
    (info.ast.name.as_str(), scope)
}

/// Goes from a function to those that use it.
struct Reach<'x, 'a> {
    analysis: &'x Analysis<'a>,
    /// What was asked for already, and what is known of it.
    seen: Vec<(Named<'x>, bool)>,
}

/// A place where a name is read.
struct Mention<'x> {
    range: TextRange,
    /// The function that reads it; `None` for the module.
    by: Option<FunctionIndex>,
    /// The name of what is made of it, where it is not called itself.
    becomes: Option<&'x str>,
}

impl<'x> Reach<'x, '_> {
    fn mentions(&self, (name, scope): Named<'x>) -> Vec<Mention<'x>> {
        let mut mentions = Mentions { analysis: self.analysis, name, scope, by: None, becomes: None, is_in_lambda: false, found: Vec::new() };
        mentions.visit_body(&self.analysis.source.module().body);
        mentions.found
    }

    /// Whether what is mentioned there runs in a compiled function.
    fn is_compiled(&mut self, mention: &Mention<'x>) -> bool {
        let analysis = self.analysis;
        if analysis.compiled().iter().any(|c| c.range.contains_range(mention.range) || mention.by.is_some_and(|f| c.functions.contains(&f))) {
            return true;
        }
        let module = analysis.source.module().range();
        let scope = || mention.by.map_or(module, |f| analysis.definitions.functions[f].ast.range());
        let alias = mention.becomes.map(|name| (name, scope()));
        let users = mention.by.map(|f| name_of(analysis, f));
        [alias, users].into_iter().flatten().any(|named| self.is_used_by_compiled(named))
    }

    fn is_used_by_compiled(&mut self, named: Named<'x>) -> bool {
        if let Some(&(_, known)) = self.seen.iter().find(|(seen, _)| *seen == named) {
            return known;
        }
        if self.seen.len() > MOST {
            return false;
        }
        let at = self.seen.len();
        self.seen.push((named, false));
        let is_compiled = self.mentions(named).iter().any(|m| self.is_compiled(m));
        self.seen[at].1 = is_compiled;
        is_compiled
    }
}

/// Finds where a name is read, or the attribute of some object called so.
struct Mentions<'x, 'a> {
    analysis: &'x Analysis<'a>,
    name: &'x str,
    scope: TextRange,
    by: Option<FunctionIndex>,
    becomes: Option<&'x str>,
    /// A call in a lambda happens where the lambda is called.
    is_in_lambda: bool,
    found: Vec<Mention<'x>>,
}

impl<'x> Mentions<'x, '_> {
    fn becoming(&mut self, name: Option<&'x str>, visit: impl FnOnce(&mut Self)) {
        let before = std::mem::replace(&mut self.becomes, name);
        visit(self);
        self.becomes = before;
    }
}

impl<'x> SourceOrderVisitor<'x> for Mentions<'x, '_> {
    fn visit_stmt(&mut self, statement: &'x Stmt) {
        match statement {
            Stmt::FunctionDef(s) => {
                s.decorator_list.iter().for_each(|d| self.visit_expr(&d.expression));
                let by = std::mem::replace(&mut self.by, self.analysis.definitions.function_of(s));
                for parameter in s.parameters.iter_non_variadic_params() {
                    let default = parameter.default.as_deref();
                    default.into_iter().for_each(|d| self.becoming(Some(parameter.name().as_str()), |m| m.visit_expr(d)));
                }
                self.becoming(None, |m| m.visit_body(&s.body));
                self.by = by;
            }
            Stmt::Assign(s) => {
                let name = match &s.targets[..] {
                    [Expr::Name(name)] => Some(name.id.as_str()),
                    _ => None,
                };
                self.becoming(name, |m| m.visit_expr(&s.value));
            }
            _ => source_order::walk_stmt(self, statement),
        }
    }

    fn visit_expr(&mut self, expr: &'x Expr) {
        let is_it = |expr: &Expr| match expr {
            Expr::Name(name) => name.ctx.is_load() && name.id.as_str() == self.name,
            Expr::Attribute(attribute) => attribute.attr.as_str() == self.name,
            _ => false,
        };
        let (called, is_called) = match expr {
            Expr::Call(call) if is_it(&call.func) => (&*call.func, true),
            _ => (expr, false),
        };
        if is_it(called) && self.scope.contains_range(called.range()) {
            self.found.push(Mention { range: called.range(), by: self.by, becomes: self.becomes.filter(|_| !is_called || self.is_in_lambda) });
        }
        let was_in_lambda = self.is_in_lambda;
        self.is_in_lambda |= expr.is_lambda_expr();
        match expr {
            Expr::Call(call) if is_called => call.arguments.iter_source_order().for_each(|a| self.visit_expr(a.value())),
            _ => source_order::walk_expr(self, expr),
        }
        self.is_in_lambda = was_in_lambda;
    }
}
