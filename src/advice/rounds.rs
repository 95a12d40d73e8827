//! Loops, and what one round of each runs.

use crate::finding::Notes;
use crate::graph::{Analysis, statements};
use crate::place::{Place, expressions};
use crate::syntax::ast::{self, Expr, Stmt};
use crate::syntax::{Ranged, TextRange};

use super::Told;
use super::tokens::generates;

/// A loop.
pub(super) struct Round<'x> {
    /// `for` or `while`.
    pub(super) statement: &'x Stmt,
    /// What a round runs, in the order of the text; what is in loops and branches inside it, too.
    pub(super) lines: Vec<Line<'x>>,
}

/// A statement without the statements inside it.
#[derive(Clone, Copy)]
pub(super) struct Line<'x> {
    /// The statement.
    pub(super) statement: &'x Stmt,
    /// Each round runs it once: no branch and no loop inside the round holds it.
    pub(super) once: bool,
    /// It is in a branch that is taken every so many rounds, or when something went wrong.
    pub(super) rare: bool,
}

impl Line<'_> {
    /// Whether few rounds run it, or ask for all of its condition.
    pub(super) fn is_seldom_asked(&self) -> bool {
        self.rare || self.statement.as_if_stmt().is_some_and(|s| counts_rounds(&s.test))
    }
}

impl<'x> Round<'x> {
    /// The body of the loop.
    pub(super) fn body(&self) -> &'x [Stmt] {
        match self.statement {
            Stmt::For(s) => &s.body,
            Stmt::While(s) => &s.body,
            _ => &[],
        }
    }

    /// The text of the body.
    pub(super) fn range(&self) -> TextRange {
        let body = self.body();
        let all = self.statement.range();
        match (body.first(), body.last()) {
            (Some(first), Some(last)) => TextRange::new(first.start(), last.end()),
            _ => all,
        }
    }

    /// What a round is one of, in the words of the text.
    pub(super) fn named(&self, place: &Place<'_>) -> String {
        match self.statement {
            Stmt::For(s) => format!("for each `{}`", place.source().quote(s.target.range())),
            _ => "in each round".to_owned(),
        }
    }

    /// What a round is: how often one comes.
    pub(super) fn unit(&self, place: &Place<'_>) -> &'static str {
        let source = place.source();
        let head = match self.statement {
            Stmt::For(s) => source.slice(TextRange::new(s.target.start(), s.iter.end())),
            _ => "",
        };
        let mut is_step = false;
        for line in &self.lines {
            expressions::of_statement(line.statement, &mut |expr| {
                is_step |= expr.as_call_expr().is_some_and(|call| expressions::applied_gradients(call).is_some())
            });
        }
        match head {
            _ if is_step => "a training step",
            _ if head.contains("batch") || head.contains("loader") => "a batch",
            _ if head.contains("layers") || head.contains("blocks") => "a layer",
            _ if generates(place, self) => "a token",
            _ => "a round",
        }
    }

    /// How many loops of the function are around what a round runs.
    pub(super) fn depth(&self, place: &Place<'_>) -> u32 {
        place.loops_around(self.statement) + 1
    }
}

/// What `look` says of each loop of each function and of the module, in the order of the text. What two loops say that stand in each other is told once.
pub(super) fn each(analysis: &Analysis<'_>, notes: &Notes, look: impl Fn(&Place<'_>, &Round<'_>) -> Option<Told>) -> Vec<Told> {
    let mut found = Vec::new();
    for body in &analysis.bodies {
        if body.blocks.iter().all(|b| b.loop_depth == 0) {
            continue;
        }
        let place = Place::new(analysis, body, notes);
        statements::each(place.own_statements(), &mut |statement| {
            if matches!(statement, Stmt::For(_) | Stmt::While(_)) {
                let mut round = Round { statement, lines: Vec::new() };
                lines(round.body(), Line { statement, once: true, rare: false }, &mut round.lines);
                found.extend(look(&place, &round));
            }
        });
    }
    found.sort_by_key(|t| (t.range.start(), t.range.end()));
    found.dedup_by_key(|t| t.range);
    found
}

/// Append the lines of `body`, each as often and as surely run as `like` says.
fn lines<'x>(body: &'x [Stmt], like: Line<'x>, into: &mut Vec<Line<'x>>) {
    for statement in body {
        into.push(Line { statement, ..like });
        let branch = Line { once: false, ..like };
        match statement {
            Stmt::If(s) => {
                let rare = like.rare || counts_rounds(&s.test);
                lines(&s.body, Line { rare, ..branch }, into);
                s.elif_else_clauses.iter().for_each(|c| lines(&c.body, branch, into));
            }
            Stmt::Match(s) => s.cases.iter().for_each(|c| lines(&c.body, branch, into)),
            Stmt::For(ast::StmtFor { body, orelse, .. }) | Stmt::While(ast::StmtWhile { body, orelse, .. }) => {
                lines(body, branch, into);
                lines(orelse, branch, into);
            }
            Stmt::With(s) => lines(&s.body, like, into),
            Stmt::Try(s) => {
                lines(&s.body, like, into);
                s.handlers.iter().for_each(|ast::ExceptHandler::ExceptHandler(h)| lines(&h.body, Line { rare: true, ..branch }, into));
                lines(&s.orelse, branch, into);
                lines(&s.finalbody, like, into);
            }
            _ => {}
        }
    }
}

/// Whether `test` holds every so many rounds: it asks for a remainder.
pub(super) fn counts_rounds(test: &Expr) -> bool {
    match test {
        Expr::BinOp(e) => e.op == ast::Operator::Mod,
        Expr::Compare(e) => counts_rounds(&e.left) || e.comparators.iter().any(counts_rounds),
        Expr::BoolOp(e) => e.values.iter().any(counts_rounds),
        Expr::UnaryOp(e) => counts_rounds(&e.operand),
        _ => false,
    }
}
