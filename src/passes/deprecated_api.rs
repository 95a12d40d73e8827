//! Names that MLX has moved: `mx.metal.clear_cache()` becomes `mx.clear_cache()`.
//!
//! [`TABLE`] holds the names whose replacement does exactly the same; where arguments or results differ, nothing is proposed. Code that asks which names
//! there are (`hasattr`, a version, an `except` handler) or that replaces them for a test speaks of the old name on purpose, and keeps it.

use crate::finding::{Applicability, Contract, Finding, Hinges, Kept, Notes, Proposal, TransformId};
use crate::graph::Analysis;
use crate::graph::api;
use crate::graph::body::Effect;
use crate::syntax::ast::visitor::source_order::{self, SourceOrderVisitor};
use crate::syntax::ast::{self, ExceptHandler, Expr, Stmt};
use crate::syntax::{Edit, Ranged, TextRange, TokenKind};

use crate::place::Place;

/// A name that has moved.
struct Moved {
    /// The path it had.
    old: &'static str,
    /// The path it has.
    new: &'static str,
    /// What a call without arguments passes now, below `mlx.core`.
    argument: Option<&'static str>,
    /// The pull request of MLX that moved it.
    pull: u32,
    /// Whether the old name still works.
    works: bool,
}

const fn moved(old: &'static str, new: &'static str, pull: u32) -> Moved {
    Moved { old, new, argument: None, pull, works: true }
}

/// What moved where. Since which version the new name is there is told by the table of MLX's functions.
const TABLE: [Moved; 10] = [
    moved("mlx.core.metal.clear_cache", "mlx.core.clear_cache", 1982),
    moved("mlx.core.metal.get_active_memory", "mlx.core.get_active_memory", 1982),
    moved("mlx.core.metal.get_cache_memory", "mlx.core.get_cache_memory", 1982),
    moved("mlx.core.metal.get_peak_memory", "mlx.core.get_peak_memory", 1982),
    moved("mlx.core.metal.reset_peak_memory", "mlx.core.reset_peak_memory", 1982),
    moved("mlx.core.metal.set_cache_limit", "mlx.core.set_cache_limit", 1982),
    moved("mlx.core.metal.set_memory_limit", "mlx.core.set_memory_limit", 1982),
    moved("mlx.core.metal.set_wired_limit", "mlx.core.set_wired_limit", 1982),
    // The old function tells of the GPU, the new one of the default device.
    Moved { argument: Some("gpu"), ..moved("mlx.core.metal.device_info", "mlx.core.device_info", 3055) },
    // The name was misspelt.
    Moved { works: false, ..moved("mlx.core.random.permuation", "mlx.core.random.permutation", 2021) },
];

/// Words of what may ask it in other ways: of a version that was found out elsewhere, or of all names.
const MAY_ASK: [&str; 2] = ["version", "dir("];

/// Find every use of a name that has moved.
pub fn find(analysis: &Analysis<'_>, id: &TransformId, notes: &Notes) -> Vec<Proposal> {
    let text = analysis.source.text().as_bytes();
    if !["metal", "permuation"].iter().any(|word| memchr::memmem::find(text, word.as_bytes()).is_some()) {
        return Vec::new();
    }
    let handled: Vec<&Moved> = TABLE.iter().filter(|m| !is_handled_by_name(analysis, m)).collect();
    let mut found = Vec::new();
    for body in &analysis.bodies {
        let place = Place::new(analysis, body, notes);
        let mut uses = Uses { place: &place, id, table: &handled, guards: 0, call: None, found: Vec::new() };
        uses.visit_body(place.own_statements());
        found.append(&mut uses.found);
    }
    found.sort_by_key(|p| (p.finding.range.start(), p.finding.range.end()));
    found
}

/// Whether the file replaces what `moved` names, or speaks of it in a string: in `hasattr`, `getattr` or a patch for a test.
fn is_handled_by_name(analysis: &Analysis<'_>, moved: &Moved) -> bool {
    let source = analysis.source;
    let name = last(moved.old);
    let graph = &analysis.graph;
    let is_replaced = |effect: &Effect| match *effect {
        Effect::StoreAttribute(object, attribute, _) => graph.path(object).is_some_and(|p| {
            let path = format!("{p}.{}", graph.name(attribute));
            moved.old.strip_prefix(&*path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')) || path == moved.new
        }),
        Effect::Delete(value) => graph.path(value).is_some_and(|p| p == moved.old),
        _ => false,
    };
    let is_named = |text: &str| {
        let content = text.trim_start_matches(char::is_alphabetic).trim_matches(['"', '\'']);
        content.strip_suffix(name).is_some_and(|head| head.is_empty() || head.ends_with('.') && !head.contains(char::is_whitespace))
    };
    analysis.bodies.iter().any(|b| b.effects.iter().any(is_replaced))
        || source.tokens().iter().any(|t| t.kind() == TokenKind::String && is_named(source.slice(t.range())))
}

/// Looks through one scope.
struct Uses<'p, 'x> {
    place: &'p Place<'x>,
    id: &'p TransformId,
    table: &'p [&'static Moved],
    /// Tests for features and handlers around.
    guards: u32,
    /// The call whose callee is looked at.
    call: Option<&'x ast::ExprCall>,
    found: Vec<Proposal>,
}

impl<'x> Uses<'_, 'x> {
    /// Whether `expr` may ask what the installed MLX can do.
    fn asks_for_features(&self, expr: &Expr) -> bool {
        let text = self.place.source().slice(expr.range()).to_ascii_lowercase();
        MAY_ASK.iter().any(|word| text.contains(word)) || self.place.analysis.asks_for_features(expr)
    }

    fn is_guard(&self, statement: &Stmt) -> bool {
        match statement {
            Stmt::If(s) => {
                let tests = std::iter::once(&*s.test).chain(s.elif_else_clauses.iter().filter_map(|c| c.test.as_ref()));
                tests.into_iter().any(|test| self.asks_for_features(test))
            }
            Stmt::While(s) => self.asks_for_features(&s.test),
            Stmt::Try(s) => s.handlers.iter().any(|ExceptHandler::ExceptHandler(h)| {
                let is_attribute_error = |kind: &Expr| self.place.source().slice(kind.range()).contains("AttributeError");
                h.type_.as_deref().is_some_and(is_attribute_error)
            }),
            _ => false,
        }
    }

    fn guarded(&mut self, is_guard: bool, visit: impl FnOnce(&mut Self)) {
        self.guards += u32::from(is_guard);
        visit(self);
        self.guards -= u32::from(is_guard);
    }

    /// What `expr` names, if that has moved and nothing near says that the old name is meant.
    fn moved(&self, expr: &Expr) -> Option<&'static Moved> {
        let Some(path) = self.place.path(expr) else { return self.stranger(expr) };
        let left = |likeness, reason: &str| self.place.notes.left(expr.range(), expr.range(), likeness, || reason.to_owned());
        let Some(moved) = self.table.iter().find(|m| m.old == path) else {
            if TABLE.iter().any(|m| m.old == path) {
                return left(80, "the file replaces this name or asks for it, so that it is meant");
            }
            return if path.starts_with("mlx.core.metal.") { left(40, "no newer name is known for it") } else { self.stranger(expr) };
        };
        let graph = &self.place.analysis.graph;
        // Where both are used, one of them is the fallback or the test of the other.
        let both = self.place.body.occurrences.iter().any(|o| graph.path(o.value) == Some(moved.new));
        match (self.guards, both) {
            (0, false) => Some(moved),
            (0, true) => left(80, "the new name is used beside it: one of them is the fallback or the test of the other"),
            _ => left(80, "it stands where the code asks which names there are, or handles that one is missing"),
        }
    }

    /// Note that `expr` is called like a name that has moved, and is another.
    fn stranger<T>(&self, expr: &Expr) -> Option<T> {
        let Expr::Attribute(attribute) = expr else { return None };
        let called = |m: &&Moved| last(m.old) == attribute.attr.as_str();
        let moved = TABLE.iter().find(called).filter(|_| self.place.notes.are_kept())?;
        let text = self.place.source().slice(expr.range());
        self.place.notes.left(expr.range(), expr.range(), 40, || format!("`{text}` is not known to be the `{}` of MLX", last(moved.old)))
    }

    fn attribute(&mut self, expr: &'x Expr) {
        let call = self.call.take().filter(|c| c.func.range() == expr.range());
        let Some(moved) = self.moved(expr) else { return };
        let Some((prefix, mut edit)) = self.renamed(expr, moved) else { return };
        let Some(argument) = moved.argument else {
            self.propose(expr.range(), moved, &format!("{prefix}{}", rest(moved.new)), Vec::new(), vec![edit]);
            return;
        };
        // Only a call can be given the argument.
        let Some(call) = call.filter(|c| c.arguments.is_empty()) else {
            let reason = || "the new function takes an argument, which only a call can give".to_owned();
            return self.place.notes.left(expr.range(), expr.range(), 80, reason).unwrap_or_default();
        };
        let callee = TextRange::new(edit.range.start(), call.end());
        if !self.place.source().comments_in(callee).is_empty() {
            return;
        }
        edit = Edit::replace(callee, format!("{}({prefix}.{argument})", edit.content));
        self.propose(call.range(), moved, &format!("{prefix}{}({prefix}.{argument})", rest(moved.new)), Vec::new(), vec![edit]);
    }

    /// How the file names `mlx.core` at `expr`, and the edit that makes `expr` the new name.
    fn renamed(&self, expr: &Expr, moved: &Moved) -> Option<(String, Edit)> {
        let source = self.place.source();
        let mut at = expr;
        while let Expr::Attribute(attribute) = at {
            at = &attribute.value;
            if self.place.path(at)? == "mlx.core" {
                let tail = TextRange::new(at.end(), expr.end());
                let is_plain = source.slice(tail).starts_with('.') && source.comments_in(tail).is_empty();
                return is_plain.then(|| (source.slice(at.range()).to_owned(), Edit::replace(tail, rest(moved.new))));
            }
        }
        let name = self.place.analysis.import_spellings(self.place.body, "mlx.core", expr.start()).into_iter().min_by_key(String::len)?;
        let edit = Edit::replace(expr.range(), format!("{name}{}", rest(moved.new)));
        Some((name, edit))
    }

    /// `from mlx.core.metal import clear_cache`, where all the names that it brings in have moved together.
    fn import(&mut self, import: &'x ast::StmtImportFrom) {
        let Some(module) = import.module.as_ref().filter(|_| import.level == 0 && self.guards == 0) else { return };
        let find = |alias: &ast::Alias| {
            let path = format!("{}.{}", module.as_str(), alias.name);
            self.table.iter().copied().find(|m| m.old == path && last(m.new) == last(m.old))
        };
        let Some(all) = import.names.iter().map(find).collect::<Option<Vec<_>>>() else { return };
        let Some(&first) = all.first() else { return };
        let tells_of_device = all.iter().any(|m| m.argument.is_some());
        let assumptions = tells_of_device.then(|| "the default device is the GPU".to_owned()).into_iter().collect();
        let (new, _) = first.new.rsplit_once('.').unwrap_or_default();
        let edit = Edit::replace(module.range(), new);
        self.propose(import.range, first, &format!("from {new} import {}", last(first.new)), assumptions, vec![edit]);
    }

    fn propose(&mut self, range: TextRange, moved: &Moved, now: &str, assumptions: Vec<String>, edits: Vec<Edit>) {
        let old = moved.old.replacen("mlx.core", "mx", 1);
        let since = moved.new.strip_prefix("mlx.core.").and_then(api::function).and_then(|f| f.get().since).unwrap_or_default();
        let first = if moved.works {
            format!("`{old}` prints a notice to standard error when it is first called, and a future version of MLX will be without it.")
        } else {
            format!("MLX has no `{old}` any more.")
        };
        let mut rationale = vec![first, format!("The new name needs MLX {since} or newer (ml-explore/mlx#{}).", moved.pull)];
        if moved.argument.is_some() {
            rationale.push(
                "The old function told of the GPU, whatever the default device; the new one tells of the default device unless it is told which."
                    .to_owned(),
            );
        }
        let finding = Finding {
            transform: self.id.clone(),
            range,
            applicability: if assumptions.is_empty() { Applicability::Safe } else { Applicability::Unsafe },
            numerics: None,
            message: format!("`{old}` has moved: it is `{now}` now"),
            rationale,
            assumptions,
            guide: String::new(),
            edits,
            hinges: Hinges::default(),
        };
        self.found.push(Proposal { finding, contract: Contract::Statements(Kept::Values) });
    }
}

impl<'x> SourceOrderVisitor<'x> for Uses<'_, 'x> {
    fn visit_stmt(&mut self, statement: &'x Stmt) {
        match statement {
            // Scopes of their own.
            Stmt::FunctionDef(_) | Stmt::ClassDef(_) => {}
            Stmt::ImportFrom(import) => self.import(import),
            _ => {
                let is_guard = self.is_guard(statement);
                self.guarded(is_guard, |uses| source_order::walk_stmt(uses, statement));
            }
        }
    }

    fn visit_except_handler(&mut self, handler: &'x ExceptHandler) {
        self.guarded(true, |uses| source_order::walk_except_handler(uses, handler));
    }

    fn visit_expr(&mut self, expr: &'x Expr) {
        match expr {
            Expr::Attribute(attribute) => {
                let loaded = attribute.ctx.is_load();
                if loaded {
                    self.attribute(expr);
                }
                source_order::walk_expr(self, expr);
            }
            Expr::Call(call) => {
                self.call = Some(call);
                source_order::walk_expr(self, expr);
            }
            Expr::If(e) => {
                let is_guard = self.asks_for_features(&e.test);
                self.guarded(is_guard, |uses| source_order::walk_expr(uses, expr));
            }
            Expr::BoolOp(e) => {
                let is_guard = e.values.iter().any(|v| self.asks_for_features(v));
                self.guarded(is_guard, |uses| source_order::walk_expr(uses, expr));
            }
            _ => source_order::walk_expr(self, expr),
        }
    }
}

/// The last name of a dotted path.
fn last(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

/// What follows `mlx.core` in a path below it.
fn rest(path: &str) -> &str {
    path.strip_prefix("mlx.core").unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::passes::testing::{applied, findings};

    fn safe(text: &str) -> String {
        applied(find, text, Applicability::Safe)
    }

    fn stays(text: &str) {
        assert_eq!(applied(find, text, Applicability::Unsafe), text);
    }

    #[test]
    fn every_new_name_takes_what_the_old_one_took() {
        let function = |path: &str| path.strip_prefix("mlx.core.").and_then(api::function);
        for moved in &TABLE {
            let new = function(moved.new).expect("MLX has the new name").get();
            assert!(new.since.is_some(), "{}", moved.new);
            assert_eq!(function(moved.old).is_some(), moved.works, "{}", moved.old);
            let names = |f: &api::Function| f.params.iter().map(|p| p.name).collect::<Vec<_>>();
            let old = function(moved.old).map_or(names(new), |f| names(f.get()));
            assert_eq!(old.len() + usize::from(moved.argument.is_some()), names(new).len(), "{}", moved.old);
            assert!(names(new).starts_with(&old), "{}", moved.old);
        }
    }

    #[test]
    fn the_name_of_the_file_for_mlx_is_kept() {
        for (before, after) in [
            ("import mlx.core as core\ncore.metal.clear_cache()\n", "import mlx.core as core\ncore.clear_cache()\n"),
            ("import mlx.core\nf(mlx.core.metal.device_info())\n", "import mlx.core\nf(mlx.core.device_info(mlx.core.gpu))\n"),
            ("import mlx.core as mx\nm = mx.metal\nm.clear_cache()\n", "import mlx.core as mx\nm = mx.metal\nmx.clear_cache()\n"),
            (
                "import mlx.core as mx\nimport mlx.core.metal as metal\nx = metal.device_info( )\n",
                "import mlx.core as mx\nimport mlx.core.metal as metal\nx = mx.device_info(mx.gpu)\n",
            ),
            ("from mlx import core\np = core.random.permuation(8)\n", "from mlx import core\np = core.random.permutation(8)\n"),
            ("from mlx.core.metal import clear_cache, get_peak_memory as peak\n", "from mlx.core import clear_cache, get_peak_memory as peak\n"),
        ] {
            assert_eq!(safe(before), after);
        }
    }

    #[test]
    fn what_cannot_be_spelt_or_is_something_else_stays() {
        for text in [
            "from mlx.core import metal\nmetal.clear_cache()\n",
            "from mlx.core.metal import clear_cache, is_available\n",
            "from .metal import clear_cache\nclear_cache()\n",
            "import mlx.core as mx\ndef f(mx):\n    def g():\n        mx.metal.clear_cache()\n    return g\n",
            "import mlx.core as mx\nf(lambda mx: mx.metal.clear_cache())\n",
            "import mlx.core as mx\n[mx.metal.clear_cache() for mx in xs]\n",
            "import mlx.core as mx\n(mx\n .metal  # once\n .clear_cache())\n",
            "import mlx.core as mx\nmx.metal.device_info(0)\n",
            "import mlx.core as mx\nmx.metal = fake\nmx.metal.clear_cache()\n",
        ] {
            stays(text);
        }
    }

    #[test]
    fn an_imported_device_info_describes_another_device_perhaps() {
        let text = "from mlx.core.metal import device_info\nsize = device_info()['memory_size']\n";
        assert_eq!(safe(text), text);
        let found = findings(find, text);
        assert_eq!(found[0].assumptions, ["the default device is the GPU"]);
    }

    #[test]
    fn a_feature_that_is_asked_for_anywhere_keeps_its_name() {
        for text in [
            "import mlx.core as mx\nRECENT = mx.__version__ >= '0.24'\ndef f():\n    if not RECENT:\n        mx.metal.clear_cache()\n",
            "import mlx.core as mx\nOLD = not hasattr(mx, 'clear_cache')\ndef f():\n    if OLD:\n        mx.metal.clear_cache()\n",
            "import mlx.core as mx\ndef f(m):\n    m.setattr(mx.metal, \"clear_cache\", f)\n    mx.metal.clear_cache()\n",
            "import mlx.core as mx\nx = mx.metal.get_peak_memory() if MLX_VERSION < (0, 24) else 0\n",
            "import mlx.core as mx\nhasattr(mx, 'metal') and mx.metal.clear_cache()\n",
            "import mlx.core as mx\nhasattr (mx, 'metal') and mx.metal.clear_cache()\n",
            "try:\n    from mlx.core import clear_cache\nexcept ImportError:\n    from mlx.core.metal import clear_cache\n",
            "import mlx.core as mx\ntry:\n    mx.metal.clear_cache()\nexcept (AttributeError, RuntimeError):\n    pass\n",
        ] {
            stays(text);
        }
        let other = "import mlx.core as mx\nhasattr(mx, 'get_peak_memory')\nmx.metal.clear_cache()\n";
        assert_eq!(safe(other), other.replace("metal.", ""));
    }
}
