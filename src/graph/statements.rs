//! What is inside a statement or an expression: the blocks of one, all statements of a scope, the rounds of a comprehension. Functions and classes are scopes of
//! their own.

use smallvec::{SmallVec, smallvec};

use crate::syntax::ast::{self, Expr, Stmt};

/// The branches of an `if` with their tests, which an `else` has none of.
pub fn branches(s: &ast::StmtIf) -> impl Iterator<Item = (Option<&Expr>, &[Stmt])> {
    std::iter::once((Some(&*s.test), &*s.body)).chain(s.elif_else_clauses.iter().map(|c| (c.test.as_ref(), &*c.body)))
}

/// The blocks directly inside `statement`, function and class bodies left out.
pub fn blocks(statement: &Stmt) -> Vec<&[Stmt]> {
    match statement {
        Stmt::If(s) => branches(s).map(|(_, block)| block).collect(),
        Stmt::For(s) => vec![&s.body, &s.orelse],
        Stmt::While(s) => vec![&s.body, &s.orelse],
        Stmt::With(s) => vec![&s.body],
        Stmt::Match(s) => s.cases.iter().map(|c| &*c.body).collect(),
        Stmt::Try(s) => {
            let handlers = s.handlers.iter().map(|ast::ExceptHandler::ExceptHandler(h)| &*h.body);
            std::iter::once(&*s.body).chain(handlers).chain([&*s.orelse, &*s.finalbody]).collect()
        }
        _ => Vec::new(),
    }
}

/// Show `see` every statement of `body`, and those inside it, in the order of the text.
pub fn each<'x>(body: &'x [Stmt], see: &mut dyn FnMut(&'x Stmt)) {
    for statement in body {
        see(statement);
        blocks(statement).into_iter().for_each(|block| each(block, see));
    }
}

/// What a comprehension or generator makes in each round, and its `for`s, of which only the first goes through something that is evaluated outside, once.
pub fn comprehension(expr: &Expr) -> Option<(SmallVec<[&Expr; 2]>, &[ast::Comprehension])> {
    match expr {
        Expr::ListComp(e) => Some((smallvec![&*e.elt], &e.generators)),
        Expr::SetComp(e) => Some((smallvec![&*e.elt], &e.generators)),
        Expr::Generator(e) => Some((smallvec![&*e.elt], &e.generators)),
        Expr::DictComp(e) => Some((e.key.as_deref().into_iter().chain([&*e.value]).collect(), &e.generators)),
        _ => None,
    }
}

/// Whether `statement` is an assertion of a test.
pub fn asserts(statement: &Stmt) -> bool {
    let Stmt::Expr(s) = statement else { return statement.is_assert_stmt() };
    let Expr::Call(call) = &*s.value else { return false };
    matches!(&*call.func, Expr::Attribute(method) if method.attr.as_str().starts_with("assert"))
}
