//! What the engine promises of one text, as checks that do not believe the engine. The tests, the fuzzer and the walk over whole corpora hold texts against
//! the same ones. They know the library alone.

#![allow(unreachable_pub)] // The fuzz targets are another crate.

use std::collections::{BTreeMap, BTreeSet};

use mlxfix::catalog::CATALOG;
use mlxfix::finding::{Applicability, TransformId};
use mlxfix::syntax::ast::visitor::{self, Visitor};
use mlxfix::syntax::ast::{self, Expr, ExprContext, Pattern, Stmt};
use mlxfix::syntax::{Source, TextSize};
use mlxfix::{Fixed, Options};

/// Fix `text`, with everything admitted, and hold the result against every promise; the first that is broken panics. `None` where the text is not Python.
pub fn hold(name: &str, text: &str) -> Option<Fixed> {
    let result = everything(text, None)?;
    assert_eq!(result.broken, None, "{name}");
    assert_local(name, text, &result);
    if result.text != text {
        let (before, after) = (parsed(name, text), parsed(name, &result.text));
        assert_eq!(comments(&after), comments(&before), "{name}: comments");
        assert_same_names(name, &before, &after);
        let again = everything(&result.text, None).unwrap_or_else(|| panic!("{name}: the result is no Python"));
        assert_eq!((&again.text, again.edits.is_empty(), again.broken), (&result.text, true, None), "{name}: a second run");
        assert_eq!(one_by_one(text), result.text, "{name}: transforms one by one");
    }
    Some(result)
}

/// `text` with everything applied that one transform finds, or all of them.
fn everything(text: &str, id: Option<&'static str>) -> Option<Fixed> {
    let select = id.map(|id| vec![TransformId::from(id)]);
    mlxfix::fix(text, &Options { select, admit: Applicability::Unsafe, ..Options::default() }).ok()
}

/// `text` after each transform has run by itself, in the order of the catalog, until none of them finds anything. Together they do so, too: an edit that rests on
/// an assumption may make something known by which an earlier transform applies.
fn one_by_one(text: &str) -> String {
    let round = |text: &str| CATALOG.iter().fold(text.to_owned(), |text, entry| everything(&text, Some(entry.id)).map_or(text, |fixed| fixed.text));
    let (mut before, mut after) = (text.to_owned(), round(text));
    while after != before {
        let next = round(&after);
        before = std::mem::replace(&mut after, next);
    }
    after
}

fn parsed<'t>(name: &str, text: &'t str) -> Source<'t> {
    Source::parse(text).unwrap_or_else(|error| panic!("{name}: {error}\n{text}"))
}

/// The edits, applied to the original, are all that happened: they are sorted and apart, and belong to findings that were applied.
fn assert_local(name: &str, text: &str, result: &Fixed) {
    let (mut told, mut copied, mut end) = (String::new(), 0, None);
    for (edit, owners) in result.edits.iter() {
        assert!(end.is_none_or(|end: TextSize| end < edit.range.start()), "{name}: edits meet at {:?}", edit.range);
        end = Some(edit.range.end());
        assert!(!owners.is_empty() && owners.iter().all(|&owner| result.findings[owner].applied), "{name}: {edit:?} belongs to {owners:?}");
        assert_ne!(&text[edit.range], edit.content, "{name}: an edit changes nothing");
        told.push_str(&text[copied..edit.range.start().to_usize()]);
        told.push_str(&edit.content);
        copied = edit.range.end().to_usize();
    }
    told.push_str(&text[copied..]);
    assert_eq!(told, result.text, "{name}: bytes outside of the edits");
    for reported in &result.findings {
        assert!(text.get(std::ops::Range::<usize>::from(reported.finding.range)).is_some(), "{name}: a finding outside of the text");
        let made = |edit| result.edits.iter().any(|(e, _)| e == edit);
        let complete = !reported.finding.edits.is_empty() && reported.finding.edits.iter().all(made);
        assert!(complete || !reported.applied, "{name}: {} is said to be applied, and is not", reported.finding.message);
    }
}

/// The comments of a text, sorted.
pub fn comments<'t>(source: &Source<'t>) -> Vec<&'t str> {
    let mut comments: Vec<&str> = source.comments().iter().map(|&range| source.slice(range)).collect();
    comments.sort_unstable();
    comments
}

/// Each scope of the result binds what it bound and reads: a name that is gone is read nowhere, and one that is new is a module of MLX, a local or a
/// private name of the module, and was not read there before.
fn assert_same_names(name: &str, before: &Source<'_>, after: &Source<'_>) {
    let (before, after) = (Names::of(before), Names::of(after));
    for (path, new) in &after.scopes {
        let old = before.scopes.get(path).unwrap_or_else(|| panic!("{name}: the scope `{path}` was not there"));
        for unbound in old.bound.difference(&new.bound) {
            assert!(!new.read.contains(unbound), "{name}: `{path}` reads `{unbound}` and binds it no more");
            let seen_elsewhere = new.is_public && (!unbound.starts_with('_') || after.mentioned.contains(unbound));
            assert!(!seen_elsewhere, "{name}: `{path}` binds `{unbound}` no more");
        }
        for added in new.bound.difference(&old.bound) {
            let is_private = path.is_empty() && added.starts_with('_') && !before.mentioned.contains(added);
            let may_be_new = !new.is_public || new.modules.contains(added) || is_private;
            assert!(may_be_new && !old.read.contains(added), "{name}: `{path}` binds `{added}` anew");
        }
    }
    for gone in before.scopes.keys().filter(|path| !after.scopes.contains_key(*path)) {
        let called = gone.rsplit('.').next().and_then(|last| last.split('\'').next()).unwrap_or_default();
        assert!(!after.mentioned.contains(called), "{name}: `{gone}` is gone, and something of its name is used");
    }
}

/// What one scope binds and reads.
#[derive(Default)]
struct Scope {
    bound: BTreeSet<String>,
    /// Scopes inside it that do not bind a name read it here.
    read: BTreeSet<String>,
    /// The names of modules of MLX among those bound.
    modules: BTreeSet<String>,
    /// Whether others see what it binds: a module or a class.
    is_public: bool,
    /// What a walrus in a comprehension binds belongs to the scope around it.
    is_comprehension: bool,
}

/// The names of every scope of a text, by path.
#[derive(Default)]
struct Names {
    scopes: BTreeMap<String, Scope>,
    /// Every name and attribute that is read anywhere.
    mentioned: BTreeSet<String>,
    open: Vec<(String, Scope)>,
    /// How many scopes of each path there are so far.
    defined: BTreeMap<String, usize>,
}

impl Names {
    fn of(source: &Source<'_>) -> Self {
        let mut names = Self::default();
        names.open.push((String::new(), Scope { is_public: true, ..Scope::default() }));
        names.visit_body(&source.module().body);
        if let Some((path, module)) = names.open.pop() {
            names.scopes.insert(path, module);
        }
        names
    }

    fn bind(&mut self, name: &str) {
        if let Some((_, scope)) = self.open.last_mut() {
            scope.bound.insert(name.to_owned());
        }
    }

    /// Visit what `inside` visits as a scope of its own; one without a name is kept for what it reads alone. One that has the name of another is apart from it.
    fn within(&mut self, name: Option<&str>, scope: Scope, inside: impl FnOnce(&mut Self)) {
        let mut path = self.open.iter().map(|(path, _)| path.as_str()).chain(name).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(".");
        let mut own = name.unwrap_or_default().to_owned();
        if name.is_some() {
            let others = self.defined.entry(path.clone()).or_default();
            if *others > 0 {
                [&mut path, &mut own].into_iter().for_each(|name| name.push_str(&format!("'{others}")));
            }
            *others += 1;
        }
        self.open.push((own, scope));
        inside(self);
        let Some((_, scope)) = self.open.pop() else { return };
        if let Some((_, outer)) = self.open.last_mut() {
            outer.read.extend(scope.read.difference(&scope.bound).cloned());
        }
        if name.is_some() {
            self.scopes.insert(path, scope);
        }
    }

    fn bind_parameters(&mut self, parameters: &ast::Parameters) {
        for parameter in parameters {
            self.bind(parameter.name());
        }
    }

    fn import(&mut self, alias: &ast::Alias, module: Option<&str>) {
        let first = alias.name.split('.').next().unwrap_or_default();
        let name = alias.asname.as_ref().map_or(first, |name| name.as_str());
        self.bind(name);
        let full = module.map_or_else(|| alias.name.to_string(), |module| format!("{module}.{}", alias.name));
        if let Some((_, scope)) = self.open.last_mut()
            && (full == "mlx" || full.starts_with("mlx."))
        {
            scope.modules.insert(name.to_owned());
        }
    }

    fn visit_function(&mut self, function: &ast::StmtFunctionDef) {
        self.bind(&function.name);
        function.decorator_list.iter().for_each(|d| self.visit_decorator(d));
        self.visit_parameters(&function.parameters);
        function.returns.iter().for_each(|r| self.visit_annotation(r));
        self.within(Some(&function.name), Scope::default(), |names| {
            names.bind_parameters(&function.parameters);
            names.visit_body(&function.body);
        });
    }
}

impl<'a> Visitor<'a> for Names {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::FunctionDef(function) => self.visit_function(function),
            Stmt::ClassDef(class) => {
                self.bind(&class.name);
                class.decorator_list.iter().for_each(|d| self.visit_decorator(d));
                class.arguments.iter().for_each(|a| self.visit_arguments(a));
                let scope = Scope { is_public: true, ..Scope::default() };
                self.within(Some(&class.name), scope, |names| names.visit_body(&class.body));
            }
            Stmt::Import(import) => import.names.iter().for_each(|alias| self.import(alias, None)),
            Stmt::ImportFrom(import) => {
                let module = import.module.as_ref().map(|m| m.as_str()).filter(|_| import.level == 0);
                import.names.iter().for_each(|alias| self.import(alias, Some(module.unwrap_or_default())));
            }
            _ => visitor::walk_stmt(self, statement),
        }
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Name(name) if name.ctx == ExprContext::Load => {
                self.mentioned.insert(name.id.to_string());
                if let Some((_, scope)) = self.open.last_mut() {
                    scope.read.insert(name.id.to_string());
                }
            }
            Expr::Name(name) => self.bind(&name.id),
            Expr::Attribute(attribute) => {
                self.mentioned.insert(attribute.attr.to_string());
                visitor::walk_expr(self, expr);
            }
            Expr::Lambda(lambda) => {
                lambda.parameters.iter().for_each(|p| self.visit_parameters(p));
                self.within(None, Scope::default(), |names| {
                    lambda.parameters.iter().for_each(|p| names.bind_parameters(p));
                    names.visit_expr(&lambda.body);
                });
            }
            Expr::ListComp(_) | Expr::SetComp(_) | Expr::DictComp(_) | Expr::Generator(_) => {
                let scope = Scope { is_comprehension: true, ..Scope::default() };
                self.within(None, scope, |names| visitor::walk_expr(names, expr));
            }
            Expr::Named(named) => {
                if let (Expr::Name(name), Some((_, scope))) = (&*named.target, self.open.iter_mut().rev().find(|(_, scope)| !scope.is_comprehension))
                {
                    scope.bound.insert(name.id.to_string());
                }
                self.visit_expr(&named.value);
            }
            _ => visitor::walk_expr(self, expr),
        }
    }

    fn visit_except_handler(&mut self, handler: &'a ast::ExceptHandler) {
        let ast::ExceptHandler::ExceptHandler(caught) = handler;
        caught.name.iter().for_each(|name| self.bind(name));
        visitor::walk_except_handler(self, handler);
    }

    fn visit_pattern(&mut self, pattern: &'a Pattern) {
        let name = match pattern {
            Pattern::MatchAs(p) => p.name.as_ref(),
            Pattern::MatchStar(p) => p.name.as_ref(),
            Pattern::MatchMapping(p) => p.rest.as_ref(),
            _ => None,
        };
        name.into_iter().for_each(|name| self.bind(name));
        visitor::walk_pattern(self, pattern);
    }
}
