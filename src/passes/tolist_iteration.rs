//! Loops that ask an array for one element after the other: `for x in a: .. x.item() ..` becomes `for x in a.tolist(): .. x ..`.
//!
//! Legal where `a` is an `mx.array` with one axis and the loop variable is read only as a number. Where `a` is an array but its axes are not known, its
//! rows must have one element each for `.item()` to work at all, and `a.flatten().tolist()` gives the same. A row that is read by `.tolist()` may be of any
//! shape. [`batch`] leaves out what gains nothing; [`elements`] decides about loops over the elements; [`by_index`] about loops over indices, and [`subscripts`]
//! what they take; [`conditions`] whether the loop asks about an array before it reads it; [`origin`] what is an array; [`reads`] what counts as
//! reading a number; [`rows`] names that are given the columns of a row; [`shared`] which lists are there already.

mod batch;
mod by_index;
mod conditions;
mod depth;
mod elements;
mod left;
mod origin;
mod reads;
mod rows;
mod shared;
mod subscripts;

use std::cell::RefCell;

use rustc_hash::FxHashSet;

use crate::finding::{Applicability, Contract, Finding, Hinges, Kept, Notes, Numerics, Proposal, TransformId};
use crate::graph::dtypes::python_type;
use crate::graph::facts::Facts;
use crate::graph::value::ValueId;
use crate::graph::{Analysis, lets_pass};
use crate::syntax::ast::visitor::source_order::{self, SourceOrderVisitor};
use crate::syntax::ast::{self, Expr, Stmt};
use crate::syntax::{Edit, Ranged, TextRange};

use crate::graph::statements::comprehension;
use crate::place::Place;
use origin::{Origin, no_array, origin};
use reads::{Read, Way};
use shared::Lists;

/// Builtins that exhaust a generator before they return.
const CONSUMERS: [&str; 9] = ["sum", "min", "max", "list", "tuple", "set", "dict", "sorted", "any"];

/// Find every loop and comprehension that reads an array element by element.
pub fn find(analysis: &Analysis<'_>, id: &TransformId, notes: &Notes) -> Vec<Proposal> {
    if !may_read_elements(analysis.source.text()) && !notes.are_kept() {
        return Vec::new();
    }
    let mut found = Vec::new();
    for body in &analysis.bodies {
        if !may_read_elements(analysis.source.slice(body.range)) && !notes.are_kept() {
            continue;
        }
        let place = Place::new(analysis, body, notes);
        let mut loops = Loops {
            place: &place,
            id,
            statement: None,
            inner_names: Vec::new(),
            conditional: 0,
            consumed: None,
            tries: 0,
            found: Vec::new(),
            given: RefCell::default(),
            lists: Lists::default(),
        };
        loops.visit_body(place.own_statements());
        found.append(&mut if_called(&place, loops.found));
        left::note(&place, &found);
    }
    found.sort_by_key(|p| (p.finding.range.start(), p.finding.range.end()));
    found
}

/// What `found` is worth in `place`: nothing where nobody comes.
fn if_called(place: &Place<'_>, found: Vec<Proposal>) -> Vec<Proposal> {
    let Some(name) = place.uncalled().filter(|_| !found.is_empty()) else { return found };
    for range in found.iter().map(|p| p.finding.range) {
        place.notes.left::<()>(range, range, 100, || format!("nothing in this file calls `{name}`, which is private"));
    }
    Vec::new()
}

/// Whether `text` can read an element as a number at all.
fn may_read_elements(text: &str) -> bool {
    ["item", "int", "float", "bool", "tolist"].iter().any(|word| memchr::memmem::find(text.as_bytes(), word.as_bytes()).is_some())
}

/// The judgement on one iterable.
struct Verdict {
    applicability: Applicability,
    /// What is appended to the array.
    suffix: &'static str,
    /// The builtin that makes of each number what it is already.
    plain: Option<&'static str>,
    assumptions: Vec<String>,
}

impl Verdict {
    /// It holds only if `assumption` does.
    fn assume(&mut self, assumption: String) {
        self.assumptions.push(assumption);
        self.applicability = Applicability::Unsafe;
    }
}

/// What a loop tells about the reads of its elements.
struct Use {
    reads: Vec<Read>,
    /// Every round reads an element, so that rows of more than one element raise at once.
    each_round: bool,
    /// The elements are those of one row of the array.
    is_of_row: bool,
    /// The statement that gives the loop variables their own numbers.
    rebinding: Option<Rebinding>,
    /// The lines that do nothing but evaluate an element.
    evaluations: Vec<TextRange>,
}

/// `x = x.item()`, or `x = int(x)`, or the same of several names at once.
#[derive(Clone)]
struct Rebinding {
    /// Its lines, which go where nothing is left to do; none where it also binds names of another iterable.
    lines: Option<TextRange>,
    /// What it gives the names.
    values: Vec<TextRange>,
}

impl Use {
    /// The word for what is read.
    fn of_what(&self) -> &'static str {
        if self.reads_rows() { "row" } else { "element" }
    }

    /// Whether everything that is read becomes a list, or a number where the array has one axis.
    fn reads_rows(&self) -> bool {
        self.reads.iter().all(|r| r.way == Way::List)
    }
}

/// Looks through the statements of one scope.
struct Loops<'p, 'x> {
    place: &'p Place<'x>,
    id: &'p TransformId,
    /// The innermost statement around.
    statement: Option<&'x Stmt>,
    /// Targets of the comprehensions around: names of no timeline.
    inner_names: Vec<&'x str>,
    /// Parts of expressions around that may not be evaluated, or more than once.
    conditional: u32,
    /// The generator that the call around it exhausts before anything else happens.
    consumed: Option<TextRange>,
    tries: u32,
    found: Vec<Proposal>,
    /// The names of lists that are proposed.
    given: RefCell<Vec<String>>,
    lists: Lists<'x>,
}

impl<'x> Loops<'_, 'x> {
    /// Note that the loop `range` stays. What is read by `int` and `float` only is, in most programs, no array.
    fn left<T>(&self, range: TextRange, at: TextRange, reads: &[Read], reason: impl FnOnce() -> String) -> Option<T> {
        let likeness = if reads.iter().any(|r| r.way == Way::Item) { 75 } else { 40 };
        self.place.notes.left(range, at, likeness, reason)
    }

    /// Whether reading all elements of `value` at once is the same, how to write it, and what that assumes. It must have `wanted` axes, unless whole rows are
    /// read.
    fn judge(&self, value: ValueId, facts: &Facts<'_>, wanted: u8, text: &str, use_: &Use) -> Result<Verdict, String> {
        let analysis = self.place.analysis;
        let rank = facts.rank(value);
        let are_rows = use_.reads_rows();
        let plain = python_type(&analysis.graph, facts, value);
        let mut assumptions = Vec::new();
        match origin(analysis, facts, value) {
            Origin::Array => {
                let is_open = match rank {
                    None => wanted == 1 || use_.is_of_row,
                    Some(rank) => wanted == 1 && rank > 1,
                };
                let flattens = !are_rows && is_open && use_.each_round && self.tries == 0;
                if flattens {
                    // Rows of one element are read as their element; any other raises in the first round.
                    return Ok(Verdict { applicability: Applicability::Safe, suffix: ".flatten().tolist()", plain, assumptions });
                }
            }
            // `int(x)` and `float(x)` take anything: only `.item()` speaks for an array.
            Origin::Perhaps if use_.reads.iter().any(|r| r.way == Way::Item) => assumptions.push(format!("`{}` is an `mx.array`", shorten(text))),
            Origin::Perhaps | Origin::Other => return Err(format!("`{}` {}", shorten(text), no_array(analysis, value))),
        }
        match rank {
            _ if are_rows => {}
            Some(rank) if rank != wanted => return Err(format!("`{}` has {rank} axes, not {wanted}", shorten(text))),
            Some(_) => {}
            None => assumptions.push(format!("`{}` has {}", shorten(text), if wanted == 1 { "one axis" } else { "two axes" })),
        }
        let applicability = if assumptions.is_empty() { Applicability::Safe } else { Applicability::Unsafe };
        Ok(Verdict { applicability, suffix: ".tolist()", plain, assumptions })
    }

    /// The edits that leave only the element of a `.item()` call, and of a builtin that would make of the number what it is already.
    fn without_call(&self, read: &Read, plain: Option<&str>) -> Vec<Edit> {
        let Some(gone) = read.gone(plain) else { return Vec::new() };
        let (head, tail) = (TextRange::new(gone.start(), read.element.start()), TextRange::new(read.element.end(), gone.end()));
        let text = self.place.source().text();
        // `x.item()if y` is Python, `xif y` is not.
        let glued = text[tail.end().to_usize()..].starts_with(|c: char| c.is_alphanumeric() || c == '_');
        let tail = Edit::replace(tail, if glued { " " } else { "" });
        if head.is_empty() { vec![tail] } else { vec![Edit::delete(head), tail] }
    }

    /// Whether `statement` may go on after an exception inside it, as `try` does, and a context manager that nobody knows.
    fn may_swallow(&self, statement: &Stmt) -> bool {
        let Stmt::With(s) = statement else { return statement.is_try_stmt() };
        let passes_on = |context: &Expr| self.place.value(context).is_some_and(|value| lets_pass(&self.place.analysis.graph, value));
        s.items.iter().any(|item| !passes_on(&item.context_expr))
    }

    /// The proposals `found`, each with the number of its reads, for the arrays that one loop reads: one, where all may be trusted alike.
    fn as_one(&self, found: Vec<(Proposal, usize)>) -> Vec<Proposal> {
        let waits = found.iter().map(|(_, reads)| reads).sum();
        let mut found: Vec<Proposal> = found.into_iter().map(|(proposal, _)| proposal).collect();
        let is_alike = found.iter().all(|p| p.finding.applicability == found[0].finding.applicability);
        let mut edits: Vec<Edit> = found.iter().flat_map(|p| &p.finding.edits).cloned().collect();
        edits.sort_by_key(|e| (e.range.start(), e.range.end()));
        if found.len() < 2 || !is_alike || edits.windows(2).any(|pair| pair[0].range.end() > pair[1].range.start()) {
            return found;
        }
        // What is written in one place is one edit.
        edits.dedup_by(|later, first| {
            if first.range == later.range {
                first.content.push_str(&later.content);
            }
            first.range == later.range
        });
        let others = found.split_off(1);
        let one = &mut found[0].finding;
        one.edits = edits;
        one.rationale[0] = self.fewer(waits);
        one.rationale.push(match others.len() {
            1 => "So it is with another array that the loop reads.".to_owned(),
            n => format!("So it is with {n} other arrays that the loop reads."),
        });
        for other in others.into_iter().map(|p| p.finding) {
            one.rationale.extend(other.rationale.into_iter().skip(1));
            one.assumptions.extend(other.assumptions);
        }
        // What holds of each of them is told once.
        for lines in [&mut one.rationale, &mut one.assumptions] {
            let mut told = FxHashSet::default();
            lines.retain(|line| told.insert(line.clone()));
        }
        found
    }

    /// What is saved where `waits` numbers are read in a round.
    fn fewer(&self, waits: usize) -> String {
        let fewer = if waits == 1 { "1 wait for the device".to_owned() } else { format!("{waits} waits for the device") };
        let is_inside = self.statement.is_some_and(|s| self.place.loops_around(s) > 0);
        let inside = if is_inside { ", in each round of the loop around" } else { "" };
        format!("{fewer} less in each iteration; `.tolist()` waits once, before the first{inside}.")
    }

    fn proposal(&self, range: TextRange, verdict: &Verdict, message: String, reads: &[Read], mut edits: Vec<Edit>) -> Proposal {
        edits.sort_by_key(|e| (e.range.start(), e.range.end()));
        let mut rationale = vec![
            self.fewer(reads.len()),
            "Each wait copies one number and ends what MLX could have queued; `.tolist()` copies all numbers together.".to_owned(),
        ];
        if verdict.suffix.contains("flatten") {
            rationale.push(
                "`flatten()` changes nothing where there is one axis, which the file does not show: what is read has one element each.".to_owned(),
            );
        }
        Proposal {
            finding: Finding {
                transform: self.id.clone(),
                range,
                applicability: verdict.applicability,
                numerics: Some(Numerics::Exact),
                message,
                rationale,
                assumptions: verdict.assumptions.clone(),
                guide: String::new(),
                edits,
                hinges: Hinges::default(),
            },
            contract: Contract::Statements(Kept::Values),
        }
    }

    fn in_comprehension(&mut self, whole: &'x Expr, elements: &[&'x Expr], generators: &'x [ast::Comprehension]) {
        self.comprehension(whole, elements, generators);
        let outer = self.inner_names.len();
        generators.iter().for_each(|g| names_of(&g.target, &mut self.inner_names));
        self.conditional += 1;
        source_order::walk_expr(self, whole);
        self.conditional -= 1;
        self.inner_names.truncate(outer);
    }
}

impl<'x> SourceOrderVisitor<'x> for Loops<'_, 'x> {
    fn visit_stmt(&mut self, statement: &'x Stmt) {
        if matches!(statement, Stmt::FunctionDef(_) | Stmt::ClassDef(_)) {
            // Scopes of their own.
            return;
        }
        let outer = self.statement.replace(statement);
        let is_try = u32::from(self.may_swallow(statement));
        self.tries += is_try;
        if let Stmt::For(s) = statement {
            self.for_loop(statement, s);
        }
        source_order::walk_stmt(self, statement);
        self.tries -= is_try;
        self.statement = outer;
    }

    fn visit_expr(&mut self, expr: &'x Expr) {
        if let Some((elements, generators)) = comprehension(expr) {
            return self.in_comprehension(expr, &elements, generators);
        }
        match expr {
            // Nothing is recorded of what runs later.
            Expr::Lambda(_) => {}
            Expr::Call(call) => {
                if let [only] = &*call.arguments.args
                    && CONSUMERS.iter().any(|name| self.place.calls_builtin(call, name))
                {
                    self.consumed = Some(only.range());
                }
                source_order::walk_expr(self, expr);
            }
            Expr::If(_) | Expr::BoolOp(_) | Expr::Compare(_) => {
                self.conditional += 1;
                source_order::walk_expr(self, expr);
                self.conditional -= 1;
            }
            _ => source_order::walk_expr(self, expr),
        }
    }
}

fn names_of<'x>(target: &'x Expr, names: &mut Vec<&'x str>) {
    match target {
        Expr::Name(name) => names.push(&name.id),
        Expr::Tuple(ast::ExprTuple { elts, .. }) | Expr::List(ast::ExprList { elts, .. }) => elts.iter().for_each(|t| names_of(t, names)),
        Expr::Starred(starred) => names_of(&starred.value, names),
        _ => {}
    }
}

/// A piece of code for a sentence: on one line and not too long.
fn shorten(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= 60 { line } else { format!("{}...", line.chars().take(57).collect::<String>()) }
}

/// What the tests here and in the files of this pass share: each file tests what it decides.
#[cfg(test)]
mod tests {
    use super::*;
    use crate::passes::testing::{applied, findings};

    pub(super) const HEADER: &str = "import mlx.core as mx\nimport numpy as np\ndef f(a: mx.array, b: mx.array, xs, n: int, model, out):\n";

    /// What becomes of the function body `body`, under the admission `admit`.
    pub(super) fn fixed(body: &str, admit: Applicability) -> String {
        let indented: String = body.lines().map(|l| if l.is_empty() { "\n".to_owned() } else { format!("    {l}\n") }).collect();
        let fixed = applied(find, &format!("{HEADER}{indented}"), admit);
        fixed[HEADER.len()..].lines().map(|l| format!("{}\n", l.strip_prefix("    ").unwrap_or(l))).collect()
    }

    pub(super) fn safe(body: &str) -> String {
        fixed(body, Applicability::Safe)
    }

    pub(super) fn stays(body: &str) {
        assert_eq!(fixed(body, Applicability::Unsafe), body);
    }

    pub(super) fn only_unsafe(body: &str, after: &str) {
        assert_eq!(safe(body), body);
        assert_eq!(fixed(body, Applicability::Unsafe), after);
    }

    #[test]
    fn the_specification_is_met_word_for_word() {
        let text = std::fs::read_to_string("transforms/tolist_iteration.py").expect("there");
        let of = |name: &str| text.split_once(&format!("def {name}(")).expect("defined").1.split("\n\n").next().expect("a body").trim_end();
        let before = format!("import mlx.core as mx\n\n\ndef f({}\n", of("before"));
        let after = format!("import mlx.core as mx\n\n\ndef f({}\n", of("after"));
        assert_eq!(applied(find, &before, Applicability::Safe), after);
    }

    #[test]
    fn every_example_changes_and_no_near_miss_does() {
        let matches = std::fs::read_to_string("examples/tolist_iteration/match.py").expect("there");
        assert_eq!(findings(find, &matches).len(), matches.matches("\ndef ").count());
        let misses = std::fs::read_to_string("examples/tolist_iteration/near_miss.py").expect("there");
        assert_eq!(applied(find, &misses, Applicability::Unsafe), misses);
    }

    #[test]
    fn line_endings_and_tabs_are_the_authors() {
        let text = "import mlx.core as mx\r\ndef f(a: mx.array):\r\n\tfor i in range(len(a)):\r\n\t\tprint(a[i].item())\r\n";
        let after = "import mlx.core as mx\r\ndef f(a: mx.array):\r\n\ta_list = a.flatten().tolist()\r\n\tfor i in range(len(a)):\r\n\t\tprint(a_list[i])\r\n";
        assert_eq!(applied(find, text, Applicability::Safe), after);
    }

    #[test]
    fn a_module_variable_that_a_function_reads_stays() {
        let text = "import mlx.core as mx\na = mx.arange(3)\nfor x in a:\n    print(x.item())\n";
        assert!(applied(find, text, Applicability::Safe).contains("for x in a.tolist():\n    print(x)\n"));
        let read = format!("{text}def f():\n    return x\n");
        assert_eq!(applied(find, &read, Applicability::Unsafe), read);
    }
}
