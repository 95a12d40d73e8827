//! Whether a name of a block is dead at an evaluation, where `del` is written, and what was deleted too late.

use crate::place::Place;
use crate::syntax::ast::visitor::source_order::{self, SourceOrderVisitor};
use crate::syntax::ast::{self, Expr, Stmt};
use crate::syntax::{Edit, Ranged, TextRange, TokenKind};

/// A run of statements with an evaluation among them.
pub(super) struct Block<'b, 'x> {
    pub(super) place: &'b Place<'x>,
    pub(super) statements: &'x [Stmt],
    /// Which of them evaluates.
    pub(super) evaluation: usize,
}

impl<'x> Block<'_, 'x> {
    /// What keeps `name` alive or unbound, if not: it is bound whenever the evaluation is reached, and nothing reads it from there on but `late`, a statement
    /// that deletes it.
    pub(super) fn alive(&self, name: &str, update: usize, late: Option<&Stmt>) -> Option<&'static str> {
        const UNKNOWN: &str = "may be bound elsewhere";
        let place = self.place;
        let Some(symbol) = place.analysis.graph.known_symbol(name) else { return Some(UNKNOWN) };
        let Some(bound) = self.statements[..update].iter().rposition(|s| binds(s, name)) else {
            return Some("is not always bound in this block, before the update");
        };
        let (from, to) = (self.statements[bound].range(), self.statements[self.evaluation].start());
        let made = |d: &crate::graph::body::Definition| {
            let statement = d.statement.map(|s| place.body.statements[s as usize].range);
            statement.is_some_and(|s| s.start() >= from.start() && s.end() <= to)
        };
        let own: Vec<_> = place.definitions_of(symbol).filter(|(_, d)| made(d)).collect();
        let ids: Vec<_> = own.iter().map(|&(id, _)| id).collect();
        // Every name of a module escapes: no function of the file may read it.
        let escapes = own.iter().any(|(_, d)| d.escapes);
        let is_local = !escapes || place.is_module() && !place.is_read_by_functions(symbol);
        let is_early = |r: &TextRange| r.start() >= from.end() && r.end() <= to || late.is_some_and(|l| l.range().contains_range(*r));
        // What is deleted or assigned anew before the evaluation is free by then.
        let is_free = self.statements[update + 1..self.evaluation].iter().any(|s| frees(s, name));
        match () {
            () if own.is_empty() => Some(UNKNOWN),
            () if is_free => Some("is deleted or bound anew before the evaluation"),
            () if !is_local => Some("is read by a function inside, which may be called later"),
            () if !place.reads_reached(&ids).iter().all(is_early) => Some("is read again"),
            () if self.looks_at_all_names() => Some("is among the names that the scope asks for without writing them"),
            () => None,
        }
    }

    /// Whether the scope asks for its names in another way than by writing them.
    fn looks_at_all_names(&self) -> bool {
        let source = self.place.source();
        let is_one = |text: &str| matches!(text, "locals" | "vars" | "globals" | "exec" | "dir");
        source.tokens().in_range(self.place.body.range).iter().any(|t| t.kind() == TokenKind::Name && is_one(source.slice(t.range())))
    }

    /// Whether `trees`, from where they are bound to the evaluation, are only passed to calls that `keeps_nothing` knows, and bound.
    pub(super) fn is_only_used(&self, trees: &[&str], keeps_nothing: impl Fn(&ast::ExprCall) -> bool) -> bool {
        let first = self.statements[..self.evaluation].iter().rposition(|s| trees.iter().any(|name| binds(s, name) && !reads(s, trees)));
        let mut uses = Uses { trees, keeps_nothing: &keeps_nothing, kept: false };
        self.statements[first.unwrap_or_default()..self.evaluation].iter().for_each(|s| uses.visit_stmt(s));
        !uses.kept
    }

    /// The statement after the evaluation that deletes all of `trees` and nothing else.
    pub(super) fn late_delete(&self, trees: &[&str]) -> Option<&'x Stmt> {
        let speaks = |s: &&Stmt| {
            let mut names = Names(Vec::new());
            names.visit_stmt(s);
            trees.iter().any(|tree| names.0.contains(tree))
        };
        let next = self.statements[self.evaluation + 1..].iter().find(speaks)?;
        let names: Option<Vec<&str>> = next.as_delete_stmt()?.targets.iter().map(|t| t.as_name_expr().map(|n| n.id.as_str())).collect();
        names.is_some_and(|names| names.len() == trees.len() && trees.iter().all(|t| names.contains(t))).then_some(next)
    }

    /// Delete `trees` after their last use, and no more where `late` does.
    pub(super) fn edits(&self, trees: &[&str], late: Option<&Stmt>) -> Option<Vec<Edit>> {
        let place = self.place;
        let source = place.source();
        let last = self.statements[..self.evaluation].iter().rfind(|s| reads(s, trees))?;
        if !place.has_own_lines(last.range()) || !place.has_own_lines(self.statements[self.evaluation].range()) {
            return None;
        }
        let names: Vec<&str> = trees.iter().rev().copied().collect();
        let line = format!("{}del {}{}", source.indentation(last.start()), names.join(", "), source.newline());
        let mut edits = vec![Edit::insert(source.full_line_end(last.end()), line)];
        if let Some(late) = late {
            let line = TextRange::new(source.line_start(late.start()), source.full_line_end(late.end()));
            let is_plain = place.has_own_lines(late.range()) && source.comments_in(line).is_empty();
            // What remains of the block must be something, which the evaluation is.
            edits.push(is_plain.then(|| Edit::delete(line))?);
        }
        Some(edits)
    }
}

/// Whether `statement` is an assignment to `name`, alone or among others.
fn binds(statement: &Stmt, name: &str) -> bool {
    let is_target = |target: &Expr| names_in(target).contains(&name) && !holds_place(target);
    match statement {
        Stmt::Assign(s) => s.targets.iter().any(is_target),
        Stmt::AnnAssign(s) => s.value.is_some() && is_target(&s.target),
        _ => false,
    }
}

/// Whether an assignment to `target` stores into an object and not only in names.
fn holds_place(target: &Expr) -> bool {
    match target {
        Expr::Tuple(ast::ExprTuple { elts, .. }) | Expr::List(ast::ExprList { elts, .. }) => elts.iter().any(holds_place),
        Expr::Name(_) => false,
        Expr::Starred(starred) => holds_place(&starred.value),
        _ => true,
    }
}

/// Whether `statement` reads one of `trees`.
fn reads(statement: &Stmt, trees: &[&str]) -> bool {
    let mut uses = Uses { trees, keeps_nothing: &|_: &ast::ExprCall| false, kept: false };
    uses.visit_stmt(statement);
    uses.kept
}

/// Whether `statement`, or one inside it, deletes `name` or assigns to it.
fn frees(statement: &Stmt, name: &str) -> bool {
    struct Frees<'n>(&'n str, bool);
    impl<'x> SourceOrderVisitor<'x> for Frees<'_> {
        fn visit_expr(&mut self, expr: &'x Expr) {
            self.1 |= expr.as_name_expr().is_some_and(|n| !n.ctx.is_load() && n.id.as_str() == self.0);
            source_order::walk_expr(self, expr);
        }
    }
    let mut frees = Frees(name, false);
    frees.visit_stmt(statement);
    frees.1
}

/// The names in `expr`.
pub(super) fn names_in(expr: &Expr) -> Vec<&str> {
    let mut names = Names(Vec::new());
    names.visit_expr(expr);
    names.0
}

/// Collects names.
struct Names<'x>(Vec<&'x str>);

impl<'x> SourceOrderVisitor<'x> for Names<'x> {
    fn visit_expr(&mut self, expr: &'x Expr) {
        self.0.extend(expr.as_name_expr().map(|n| n.id.as_str()));
        source_order::walk_expr(self, expr);
    }
}

/// Finds uses by which something may keep a tree.
struct Uses<'t, F> {
    trees: &'t [&'t str],
    keeps_nothing: &'t F,
    kept: bool,
}

impl<'x, F: Fn(&ast::ExprCall) -> bool> SourceOrderVisitor<'x> for Uses<'_, F> {
    fn visit_expr(&mut self, expr: &'x Expr) {
        match expr {
            Expr::Name(name) => self.kept |= name.ctx.is_load() && self.trees.contains(&name.id.as_str()),
            Expr::Call(call) if (self.keeps_nothing)(call) => {
                let inner = call.arguments.iter_source_order().map(|a| a.value()).filter(|a| !a.is_name_expr());
                inner.for_each(|a| self.visit_expr(a));
            }
            _ => source_order::walk_expr(self, expr),
        }
    }
}
