//! What a file asks about the MLX that is installed: by a test for a name or a version, or by a name of the module that holds the answer.

use rustc_hash::FxHashSet;

use super::Analysis;
use super::statements::blocks;
use crate::syntax::ast::visitor::source_order::{self, SourceOrderVisitor};
use crate::syntax::ast::{Expr, Stmt};
use crate::syntax::{Ranged, Source};

/// Words of such a question.
const QUESTIONS: [&str; 3] = ["hasattr", "getattr", "__version__"];

impl Analysis<'_> {
    /// Whether `test` asks what MLX can do.
    pub fn asks_for_features(&self, test: &Expr) -> bool {
        asks(self.source, self.answers.get_or_init(|| answers(self.source)), test)
    }
}

/// The names of the module that hold what was asked, or what a `try` has found out.
fn answers(source: &Source<'_>) -> FxHashSet<String> {
    let mut found = FxHashSet::default();
    for statement in &source.module().body {
        match statement {
            Stmt::Assign(s) if asks(source, &found, &s.value) => found.extend(s.targets.iter().filter_map(name)),
            Stmt::AnnAssign(s) if s.value.as_deref().is_some_and(|v| asks(source, &found, v)) => found.extend(name(&s.target)),
            Stmt::Try(_) => {
                let inside = blocks(statement).into_iter().flatten().filter_map(Stmt::as_assign_stmt);
                found.extend(inside.flat_map(|s| &s.targets).filter_map(name));
            }
            _ => {}
        }
    }
    found
}

fn name(target: &Expr) -> Option<String> {
    target.as_name_expr().map(|name| name.id.to_string())
}

fn asks(source: &Source<'_>, answers: &FxHashSet<String>, expr: &Expr) -> bool {
    struct Mentions<'n>(&'n FxHashSet<String>, bool);
    impl<'x> SourceOrderVisitor<'x> for Mentions<'_> {
        fn visit_expr(&mut self, expr: &'x Expr) {
            self.1 |= expr.as_name_expr().is_some_and(|n| self.0.contains(n.id.as_str()));
            source_order::walk_expr(self, expr);
        }
    }
    let text = source.slice(expr.range());
    let mut mentions = Mentions(answers, QUESTIONS.iter().any(|word| text.contains(word)));
    if !answers.is_empty() {
        mentions.visit_expr(expr);
    }
    mentions.1
}

#[cfg(test)]
mod tests {
    use crate::graph::Analysis;
    use crate::graph::value::Graph;
    use crate::syntax::Source;

    #[test]
    fn a_name_holds_the_answer_to_a_question_that_was_asked_before() {
        let head = "import mlx.core as mx\nHAS = hasattr(mx, 'fast')\nVERSION: tuple = tuple(mx.__version__.split('.'))\nOLD = VERSION < ('0', '9')\n\
                    try:\n    import other\n    READY = True\nexcept ImportError:\n    READY = False\nSIZE = 4\n";
        let asks = |test: &str| {
            let text = format!("{head}{test}\n");
            let source = Source::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
            let last = source.module().body.last().and_then(|s| s.as_expr_stmt()).expect("an expression");
            Analysis::new(&source, Graph::default()).asks_for_features(&last.value)
        };
        for question in ["HAS", "not HAS", "VERSION >= ('0', '9')", "OLD", "READY and SIZE", "hasattr(mx, 'fast')", "mx.__version__ < '1'"] {
            assert!(asks(question), "{question}");
        }
        for other in ["SIZE", "HASH", "mx.fast", "other.VERSION"] {
            assert!(!asks(other), "{other}");
        }
    }
}
