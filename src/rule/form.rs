//! The form of a rule file, checked before it is lowered: what it may consist of, and that each name in its patterns and guards is known. A mistake is told at
//! its place. What a pattern computes is the loader's matter.

use rustc_hash::{FxHashMap, FxHashSet};

use super::prelude;
use crate::graph::is_pure_builtin;
use crate::syntax::ast::visitor::source_order::{SourceOrderVisitor, walk_expr, walk_parameter};
use crate::syntax::ast::{self, Expr, ExprContext, ExprName, Stmt, StmtFunctionDef};
use crate::syntax::{Ranged, Source, TextSize};

/// What is wrong, and where.
type Mistake = (TextSize, String);

/// What a rule file may assign at its top.
const SETTINGS: [&str; 11] = ["group", "guide", "gain", "gain_of", "slower", "needs", "applicability", "narrows", "pays_in", "cautions", "numerics"];
/// The arrays in which a rule may pay, if not in all.
pub(super) const HALF_PRECISION: &str = "half precision";

/// Check the form of the rule file `source`.
pub(super) fn check(source: &Source<'_>) -> Result<(), Mistake> {
    let body = &source.module().body;
    if !matches!(body.first(), Some(Stmt::Expr(e)) if e.value.is_string_literal_expr()) {
        return Err((TextSize::new(0), "a rule file begins with a docstring, the first line of which says what the rule does".to_owned()));
    }
    let mut form = Form::default();
    for statement in &body[1..] {
        form.take(statement)?;
    }
    form.check_families()?;
    for function in form.reached() {
        form.check_function(function)?;
    }
    Ok(())
}

/// What a file defines.
#[derive(Default)]
struct Form<'a> {
    functions: FxHashMap<&'a str, &'a StmtFunctionDef>,
    /// The functions in the order of the text.
    order: Vec<&'a StmtFunctionDef>,
    imported: FxHashSet<&'a str>,
}

impl<'a> Form<'a> {
    /// Take up a statement of the module.
    fn take(&mut self, statement: &'a Stmt) -> Result<(), Mistake> {
        match statement {
            Stmt::Import(import) => import.names.iter().try_for_each(|alias| self.import(alias.name.as_str(), alias)),
            Stmt::ImportFrom(import) => {
                let module = import.module.as_deref().unwrap_or_default();
                import.names.iter().try_for_each(|alias| self.import_from(module, alias))
            }
            Stmt::FunctionDef(function) => self.define(function),
            Stmt::Assign(assign) => setting(assign),
            other => Err((other.start(), format!("a rule file holds imports, functions and {}, and nothing else", quoted(&SETTINGS)))),
        }
    }

    fn import(&mut self, path: &str, alias: &'a ast::Alias) -> Result<(), Mistake> {
        let name = alias.asname.as_ref().unwrap_or(&alias.name).as_str();
        if path == "mlx.core" && name != "mx" {
            return Err((alias.start(), "a rule imports `mlx.core` as `mx`".to_owned()));
        }
        self.imported.insert(name.split('.').next().unwrap_or(name));
        Ok(())
    }

    fn import_from(&mut self, module: &str, alias: &'a ast::Alias) -> Result<(), Mistake> {
        if module == "prelude" && (prelude::parameters(&alias.name).is_none() || alias.asname.is_some()) {
            let message = format!("the prelude has no `{}`; it has {}, by these names", alias.name, prelude::names());
            return Err((alias.start(), message));
        }
        let path = format!("{module}.{}", alias.name);
        self.import(&path, alias)
    }

    fn define(&mut self, function: &'a StmtFunctionDef) -> Result<(), Mistake> {
        if function.is_async || !function.decorator_list.is_empty() {
            return Err((function.start(), format!("`{}` must be a plain function, without `async` and decorators", function.name)));
        }
        if self.functions.insert(function.name.as_str(), function).is_some() {
            return Err((function.name.start(), format!("`{}` is defined twice", function.name)));
        }
        self.order.push(function);
        Ok(())
    }

    /// Each `after_x` and `guard_x` belongs to a `before_x`.
    fn check_families(&self) -> Result<(), Mistake> {
        for function in &self.order {
            let Some(suffix) = ["after", "guard", "uses"].iter().find_map(|f| suffix(function, f)).filter(|s| !s.is_empty()) else { continue };
            if !self.functions.contains_key(&*format!("before{suffix}")) {
                return Err((function.name.start(), format!("`{}` belongs to no pattern: there is no `before{suffix}`", function.name)));
            }
        }
        Ok(())
    }

    /// The functions that are part of the rule, each with the helpers it calls; `inputs` and what serves it alone are only ever executed.
    fn reached(&self) -> Vec<&'a StmtFunctionDef> {
        let is_part = |f: &&&StmtFunctionDef| ["before", "after", "guard", "uses"].iter().any(|family| suffix(f, family).is_some());
        let mut reached: Vec<&StmtFunctionDef> = self.order.iter().filter(is_part).copied().collect();
        let mut next = 0;
        while let Some(&function) = reached.get(next) {
            next += 1;
            // A guard is stated where it is not understood, so its helpers may be anything.
            if suffix(function, "guard").is_some() {
                continue;
            }
            for name in names_of(function).read {
                if let Some(&helper) = self.functions.get(name.id.as_str())
                    && !reached.iter().any(|f| f.name == helper.name)
                {
                    reached.push(helper);
                }
            }
        }
        reached
    }

    fn check_function(&self, function: &'a StmtFunctionDef) -> Result<(), Mistake> {
        let parameters = &function.parameters;
        if let Some(variadic) = parameters.vararg.as_ref().or(parameters.kwarg.as_ref()) {
            return Err((variadic.start(), format!("`{}` must name its parameters", function.name)));
        }
        function.body.iter().try_for_each(check_statement)?;
        let names = names_of(function);
        let after = suffix(function, "after").is_some();
        for name in &names.read {
            let id = name.id.as_str();
            let own = names.bound.contains(id);
            if after && !own && id != "mx" {
                let message = format!("`{id}` is not known where `{}` is written: it may use `mx` and its parameters", function.name);
                return Err((name.start(), message));
            }
            if !own && !self.imported.contains(id) && !self.functions.contains_key(id) && !is_pure_builtin(id) {
                return Err((name.start(), format!("`{id}` is not known here: it is no parameter, no import and no function of this file")));
            }
        }
        Ok(())
    }
}

/// What follows `family` in the name of a function of that family: `_upcast` of `before_upcast`.
fn suffix<'a>(function: &'a StmtFunctionDef, family: &str) -> Option<&'a str> {
    function.name.strip_prefix(family).filter(|rest| rest.is_empty() || rest.starts_with('_'))
}

fn setting(assign: &ast::StmtAssign) -> Result<(), Mistake> {
    let name = match &assign.targets[..] {
        [Expr::Name(name)] if SETTINGS.contains(&name.id.as_str()) => name,
        _ => return Err((assign.start(), format!("a rule file assigns {}, and nothing else", quoted(&SETTINGS)))),
    };
    match name.id.as_str() {
        // The loader reads these dicts.
        "numerics" | "slower" | "needs" => Ok(()),
        "cautions" | "gain_of" if is_dict_of_strings(&assign.value) => Ok(()),
        "gain_of" => Err((
            assign.value.start(),
            "`gain_of` must be a dict of strings: classes of `mlx.nn` or `no product`, and what was measured with each".to_owned(),
        )),
        "cautions" => Err((
            assign.value.start(),
            "`cautions` must be a dict of strings: conditions of guards, and why each is asked, or `mx.grad`, and why it is less accurate there"
                .to_owned(),
        )),
        "pays_in" if assign.value.as_string_literal_expr().is_none_or(|text| text.value.to_str() != HALF_PRECISION) => {
            Err((assign.value.start(), format!("`pays_in` must be {HALF_PRECISION:?}, without which a rule pays in all arrays")))
        }
        name if !assign.value.is_string_literal_expr() => Err((assign.value.start(), format!("`{name}` must be a string"))),
        _ => Ok(()),
    }
}

fn is_dict_of_strings(value: &Expr) -> bool {
    let is_string = |e: &Expr| e.is_string_literal_expr();
    value.as_dict_expr().is_some_and(|d| d.items.iter().all(|i| i.key.as_ref().is_some_and(is_string) && is_string(&i.value)))
}

/// A pattern is a value, however many names its parts are given.
fn check_statement(statement: &Stmt) -> Result<(), Mistake> {
    match statement {
        Stmt::Expr(e) if e.value.is_string_literal_expr() => Ok(()),
        Stmt::Assign(_) | Stmt::Return(_) => Ok(()),
        Stmt::If(branch) => {
            let clauses = branch.elif_else_clauses.iter().flat_map(|clause| &clause.body);
            branch.body.iter().chain(clauses).try_for_each(check_statement)
        }
        other => Err((other.start(), "a pattern is made of assignments, `if` and `return`".to_owned())),
    }
}

/// The names in a function.
#[derive(Default)]
struct Names<'a> {
    read: Vec<&'a ExprName>,
    bound: FxHashSet<&'a str>,
}

fn names_of(function: &StmtFunctionDef) -> Names<'_> {
    let mut names = Names::default();
    // Annotations are read as words.
    function.parameters.iter().for_each(|p| {
        names.bound.insert(p.name().as_str());
        if let Some(default) = p.default() {
            names.visit_expr(default);
        }
    });
    names.visit_body(&function.body);
    names
}

impl<'a> SourceOrderVisitor<'a> for Names<'a> {
    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Name(name) if name.ctx == ExprContext::Load => self.read.push(name),
            Expr::Name(name) => drop(self.bound.insert(name.id.as_str())),
            _ => walk_expr(self, expr),
        }
    }

    fn visit_parameter(&mut self, parameter: &'a ast::Parameter) {
        self.bound.insert(parameter.name.as_str());
        walk_parameter(self, parameter);
    }
}

fn quoted(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}
