//! An evaluation directly before a statement that evaluates the same array anyway: `mx.eval(x)` before `x.item()` goes.
//!
//! The read must be what the next statement does first, or nothing before it may be able to tell the time or see whether the array is there. An evaluation
//! of several arrays stays: one wait for all of them is better than one for each. This module decides about the pair; [`reads`] finds the read, [`repeated`]
//! says whether a program comes there often.

mod reads;
mod repeated;

use crate::finding::{Applicability, Contract, Finding, Hinges, Kept, MEASURED, Notes, Numerics, Proposal, TransformId};
use crate::graph::Analysis;
use crate::graph::facts::Kind;
use crate::graph::statements::asserts;
use crate::syntax::ast::{Expr, Stmt};
use crate::syntax::{Edit, Ranged, Source, TextRange};

use crate::place::Place;
use crate::place::blocks;
use reads::{Needs, Read, Unread, first_read};
use repeated::{is_of_another_stream, is_repeated};

/// What an array is worth that a block of another stream makes, and that is read outside of it.
const OF_ANOTHER_STREAM: &str = "of an element of 8 that another stream makes: 1.1 to 1.2 times faster (CPU, mlx 0.32.4).";

/// Find every evaluation that the next statement makes needless.
pub fn find(analysis: &Analysis<'_>, id: &TransformId, notes: &Notes) -> Vec<Proposal> {
    if memchr::memmem::find(analysis.source.text().as_bytes(), b"eval").is_none() {
        return Vec::new();
    }
    blocks::each(analysis, notes, |place, block| Blocks { place, id }.in_block(block))
}

/// Looks at the blocks of one scope.
struct Blocks<'p, 'x> {
    place: &'p Place<'x>,
    id: &'p TransformId,
}

impl<'x> Blocks<'_, 'x> {
    fn in_block(&self, body: &'x [Stmt]) -> Vec<Proposal> {
        let mut found = Vec::new();
        for pair in body.windows(2) {
            let proposal = self.propose(&pair[0], &pair[1]);
            found.extend(proposal);
        }
        if let Some(last) = body.last().filter(|s| self.evaluates(s)) {
            self.place.notes.left::<()>(last.range(), last.range(), 40, || "no statement follows in this block that would read the array".to_owned());
        }
        found
    }
}

impl<'x> Blocks<'_, 'x> {
    /// Whether `statement` evaluates anything.
    fn evaluates(&self, statement: &Stmt) -> bool {
        let Stmt::Expr(expr) = statement else { return false };
        let Expr::Call(call) = &*expr.value else { return false };
        self.place.path(&call.func).is_some_and(|p| p == "mlx.core.eval")
    }

    /// What `statement` evaluates, if it evaluates one thing and does nothing else.
    fn evaluated(&self, statement: &'x Stmt) -> Option<&'x Expr> {
        let Stmt::Expr(expr) = statement else { return None };
        let Expr::Call(call) = &*expr.value else { return None };
        let [argument] = &*call.arguments.args else { return None };
        let is_eval = call.arguments.keywords.is_empty() && !argument.is_starred_expr() && self.place.path(&call.func)? == "mlx.core.eval";
        is_eval.then_some(argument)
    }

    fn propose(&self, evaluation: &'x Stmt, next: &'x Stmt) -> Option<Proposal> {
        let place = self.place;
        let left = |at: TextRange, likeness, reason: &str| place.notes.left(evaluation.range(), at, likeness, || reason.to_owned());
        let Some(argument) = self.evaluated(evaluation) else {
            let several = place.notes.are_kept() && self.evaluates(evaluation);
            return if several {
                left(evaluation.range(), 40, "several arrays are evaluated at once: one wait is better than one for each")
            } else {
                None
            };
        };
        let Some(value) = place.value(argument) else { return left(argument.range(), 40, "what is evaluated is no single array with a name") };
        let read = match first_read(place, next, argument, value) {
            Ok(read) => read,
            Err(unread) => return left(next.range(), 40, &self.why(unread, place.source().slice(argument.range()))),
        };
        if asserts(next) {
            return left(next.range(), 80, "a test reads it, where the time does not matter");
        }
        let source = place.source();
        let line = TextRange::new(source.line_start(evaluation.start()), source.full_line_end(evaluation.end()));
        // A comment beside it says why it is there.
        if !place.has_own_lines(evaluation.range()) || !source.comments_in(line).is_empty() {
            return left(evaluation.range(), 80, "something stands on the same line: a comment there says why it is needed");
        }
        if !read.is_derived && place.loops_around(evaluation) == 0 {
            return left(
                evaluation.range(),
                80,
                "it stands in no loop, and the array itself is read: to leave it out would save nothing that can be measured",
            );
        }
        if !is_repeated(place, evaluation) {
            return left(
                evaluation.range(),
                80,
                "it stands in no loop, nor is its function called in one of this file: it would save one short wait",
            );
        }
        let mut assumptions = Vec::new();
        if read.needs == Needs::Array {
            match place.facts(evaluation.range(), argument)?.kind(value) {
                Kind::Array => {}
                Kind::Unknown | Kind::OptionalArray => assumptions.push(format!("`{}` is an `mx.array`", source.slice(argument.range()))),
                _ => return left(argument.range(), 75, "what is evaluated is not an array, but may hold several"),
            }
        }
        let mut proposal = self.proposal(evaluation.range(), argument, &read, assumptions, Edit::delete(line));
        if read.is_derived && is_of_another_stream(place, argument, evaluation) {
            proposal.finding.rationale.push(format!("{MEASURED} {OF_ANOTHER_STREAM}"));
        }
        if speaks_of_it(source, evaluation) {
            proposal.finding.rationale.push("The comment above speaks of the evaluation, and stays: it wants other words.".to_owned());
        }
        Some(proposal)
    }

    /// Why the statement after the evaluation of `array` does not begin with a read of it.
    fn why(&self, unread: Unread, array: &str) -> String {
        match unread {
            Unread::Elsewhere => format!("the next statement does not read `{array}`"),
            Unread::NotNeeded => format!("what the next statement reads can be computed without evaluating `{array}`"),
            Unread::After(first) => {
                let first = self.place.source().quote(first);
                format!("`{first}` comes first: it is not known to read all of `{array}`, and may notice whether that is evaluated")
            }
            Unread::Inside => format!("the next statement does more than to read `{array}`"),
            Unread::Perhaps => format!("whether the next statement reads `{array}` depends on a condition, or on how often a loop runs"),
        }
    }

    fn proposal(&self, range: TextRange, argument: &Expr, read: &Read, assumptions: Vec<String>, edit: Edit) -> Proposal {
        let source = self.place.source();
        let (array, reading) = (source.slice(argument.range()), source.quote(read.range));
        let why = if read.is_derived {
            "2 evaluations and 2 waits a round before, 1 after: what is read is computed together with what it is computed from."
        } else {
            "1 call less in each round; the wait stays, in the read."
        };
        Proposal {
            finding: Finding {
                transform: self.id.clone(),
                range,
                applicability: if assumptions.is_empty() { Applicability::Safe } else { Applicability::Unsafe },
                numerics: Some(Numerics::Exact),
                message: format!("`{reading}` evaluates `{array}`, so it need not be evaluated before"),
                rationale: vec![why.to_owned()],
                assumptions,
                guide: String::new(),
                edits: vec![edit],
                hinges: Hinges::default(),
            },
            contract: Contract::Statements(Kept::Values),
        }
    }
}

/// Whether a comment directly above `evaluation` says something of evaluating.
fn speaks_of_it(source: &Source<'_>, evaluation: &Stmt) -> bool {
    let above = &source.text()[..source.line_start(evaluation.start()).to_usize()];
    let mut comments = above.lines().rev().map(str::trim).take_while(|line| line.starts_with('#'));
    comments.any(|line| ["eval", "materiali", "force", "sync"].iter().any(|word| line.to_lowercase().contains(word)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::passes::testing::{applied, findings};

    const HEADER: &str = "import mlx.core as mx\nimport numpy as np\nimport time\ndef helper(v):\n    print(v)\n    return v\ndef f(a: mx.array, b: mx.array, xs, n: int, out):\n    for k in xs:\n";

    /// What becomes of `mx.eval(x)` before `next`, under the admission `admit`.
    fn fixed(eval: &str, next: &str, admit: Applicability) -> String {
        let indented: String = format!("{eval}\n{next}").lines().map(|l| format!("        {l}\n")).collect();
        let fixed = applied(find, &format!("{HEADER}{indented}"), admit);
        fixed[HEADER.len()..].lines().map(|l| format!("{}\n", l.strip_prefix("        ").unwrap_or(l))).collect()
    }

    fn goes(eval: &str, next: &str) {
        assert_eq!(fixed(eval, next, Applicability::Safe), format!("{next}\n"), "{eval}");
    }

    fn stays(eval: &str, next: &str) {
        assert_eq!(fixed(eval, next, Applicability::Unsafe), format!("{eval}\n{next}\n"));
    }

    #[test]
    fn whatever_reads_first_and_always_makes_it_needless() {
        for next in [
            "return a.item()",
            "v = 3 + n * a.item()",
            "v: float = float(a)",
            "out[n] += a.tolist()[0]",
            "while a.item() > n:\n    n += 1",
            "v = f'{n}: {a.item():.3f}'",
            "v = [g for g in a.tolist() if g]",
            "v = a.item() if a.item() > 2 else time.time()",
            "v = a.item() > 2 and time.time()",
            "v = 0 < a.item() < n",
            "yield a.item(), n",
            "v = (m := a.tolist())",
            "v = mx.max(mx.abs(a - b)).item()",
            "v = a.reshape(-1).tolist()",
            "v = np.array(a[:, 0].astype(mx.float32))",
            "v = -a[0][1].item()",
            "v = len(xs) + int(a)",
            "v = str(b.tolist()) + str(a.tolist())",
            "v = bool(a)",
        ] {
            goes("mx.eval(a)", next);
        }
        goes("mx.eval(xs)", "out.append(xs.item())");
        goes("mx.eval(xs)", "v = float(xs)");
        goes("mx.eval(xs)", "v = mx.all(mx.isfinite(xs)).item()");
        goes("mx.eval(xs[n])", "v = xs[n].item()");
        // No list takes such an index.
        for next in ["v = int(xs[0, 0])", "v = xs[n, :].tolist()", "v = xs[..., 0].max().item()"] {
            goes("mx.eval(xs)", next);
        }
    }

    #[test]
    fn what_may_notice_or_need_not_happen_keeps_it() {
        for next in [
            "v = helper(n), a.item()",
            "v = out(n)[a.item()]",
            "v = time.time() - a.item()",
            "v = n and a.item()",
            "v = a.item() if n else 0",
            "v = lambda: a.item()",
            "v = [a.item() for _ in xs]",
            "v = n < 3 < a.item()",
            "assert a.item()",
            "v = a.shape[0]",
            "v = mx.ones_like(a).sum().item()",
            "v = (a if n else b).item()",
            "v = helper(a).item()",
            "with a.item():\n    n = 1",
            "if n:\n    n = a.item()",
            "a = b\nv = a.item()",
            "v = list(xs), a.item()",
        ] {
            stays("mx.eval(a)", next);
        }
        // Equal, and two arrays all the same.
        stays("c = a * 2\nd = a * 2\nmx.eval(c)", "v = d.item()");
        stays("mx.eval(a, b)", "v = a.item(), b.item()");
        stays("mx.eval(*xs)", "v = xs.item()");
        stays("mx.eval([a])", "v = a.item()");
        stays("mx.eval(xs)", "v = xs['a'].item()");
        stays("mx.eval(a); n = 1", "v = a.item()");
        stays("eval(a)", "v = a.item()");
    }

    #[test]
    fn an_array_that_may_be_a_list_is_an_assumption() {
        for next in ["v = np.array(xs)", "v = int(xs[0])", "v = mx.sum(mx.stack(xs)).item()", "v = (xs == n).item()"] {
            let body = format!("mx.eval(xs)\n{next}\n");
            assert_eq!(fixed("mx.eval(xs)", next, Applicability::Safe), body);
        }
        assert_eq!(fixed("mx.eval(xs)", "v = np.array(xs)", Applicability::Unsafe), "v = np.array(xs)\n");
    }

    #[test]
    fn line_endings_and_comments_of_other_lines_stay() {
        let text = "import mlx.core as mx\r\na = mx.ones(3)\r\nwhile 1:\r\n    # Why.\r\n    mx.eval(a)\r\n    print(a.tolist())  # what\r\n";
        assert_eq!(applied(find, text, Applicability::Safe), text.replace("    mx.eval(a)\r\n", ""));
    }

    #[test]
    fn what_happens_once_is_not_worth_an_edit() {
        let text = "import mlx.core as mx\ndef f(a: mx.array):\n    mx.eval(a)\n    return a.item()\n";
        let part = text.replace("a.item()", "a[0].item()");
        let without = part.replace("    mx.eval(a)\n", "");
        for calls in [
            "",
            "print(f(mx.ones(2)))\n",
            "print([x for x in f(mx.ones(2))])\n",
            "for x in f(mx.ones(2)):\n    print(x)\n",
            "for x in [1]:\n    print(x)\nelse:\n    f(mx.ones(2))\n",
        ] {
            let once = format!("{part}{calls}");
            assert_eq!(applied(find, &once, Applicability::Unsafe), once);
        }
        assert_eq!(applied(find, text, Applicability::Unsafe), text);
        for calls in ["while f(mx.ones(2)):\n    pass\n", "class A:\n    def g(self, x):\n        return [self.f(y) for y in x]\n"] {
            assert_eq!(applied(find, &format!("{part}{calls}"), Applicability::Safe), format!("{without}{calls}"));
        }
    }

    #[test]
    fn what_another_stream_makes_has_a_figure_of_its_own() {
        let text = "import mlx.core as mx\ndef f(g, xs, s):\n    for x in xs:\n        with mx.stream(s):\n            y = g(x)\n        \
                    mx.eval(y)\n        print(y.reshape(-1).tolist())\n";
        assert!(findings(find, text)[0].has_figure_of_its_own());
        for same in [text.replace("y.reshape(-1)", "y"), text.replace("        mx.eval(y)\n        p", "            mx.eval(y)\n            p")] {
            assert!(!findings(find, &same)[0].has_figure_of_its_own(), "{same}");
        }
    }
}
