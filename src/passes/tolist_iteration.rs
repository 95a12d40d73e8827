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

use crate::finding::{Applicability, Contract, Finding, Kept, Notes, Numerics, Proposal, TransformId};
use crate::graph::Analysis;
use crate::graph::facts::Facts;
use crate::graph::value::ValueId;
use crate::syntax::ast::visitor::source_order::{self, SourceOrderVisitor};
use crate::syntax::ast::{self, Expr, Stmt};
use crate::syntax::{Edit, Ranged, TextRange};

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
    /// The lines that do nothing but give the loop variable its own number.
    rebinding: Option<TextRange>,
    /// The lines that do nothing but evaluate an element.
    evaluations: Vec<TextRange>,
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
        let mut assumptions = Vec::new();
        match origin(analysis, facts, value) {
            Origin::Array => {
                let flattens = !are_rows && wanted == 1 && rank != Some(0) && rank != Some(1) && use_.each_round && self.tries == 0;
                if flattens {
                    // Rows of one element are read as their element; any other raises in the first round.
                    return Ok(Verdict { applicability: Applicability::Safe, suffix: ".flatten().tolist()", assumptions });
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
        Ok(Verdict { applicability, suffix: ".tolist()", assumptions })
    }

    /// The edit that leaves only the element of a `.item()` call.
    fn without_call(&self, read: &Read) -> Edit {
        let range = TextRange::new(read.element.end(), read.call.end());
        let text = self.place.source().text();
        // `x.item()if y` is Python, `xif y` is not.
        let glued = text[range.end().to_usize()..].starts_with(|c: char| c.is_alphanumeric() || c == '_');
        Edit::replace(range, if glued { " " } else { "" })
    }

    fn proposal(&self, range: TextRange, verdict: &Verdict, message: String, reads: &[Read], mut edits: Vec<Edit>) -> Proposal {
        edits.sort_by_key(|e| (e.range.start(), e.range.end()));
        let waits = reads.len();
        let fewer = if waits == 1 { "1 wait for the device".to_owned() } else { format!("{waits} waits for the device") };
        let rationale = vec![
            format!("{fewer} less in each iteration; `.tolist()` waits once, before the first."),
            "Each wait copies one number and ends what MLX could have queued; `.tolist()` copies all numbers together.".to_owned(),
        ];
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
        let is_try = u32::from(statement.is_try_stmt());
        self.tries += is_try;
        if let Stmt::For(s) = statement {
            self.for_loop(statement, s);
        }
        source_order::walk_stmt(self, statement);
        self.tries -= is_try;
        self.statement = outer;
    }

    fn visit_expr(&mut self, expr: &'x Expr) {
        match expr {
            // Nothing is recorded of what runs later.
            Expr::Lambda(_) => {}
            Expr::ListComp(e) => self.in_comprehension(expr, &[&e.elt], &e.generators),
            Expr::SetComp(e) => self.in_comprehension(expr, &[&e.elt], &e.generators),
            Expr::Generator(e) => self.in_comprehension(expr, &[&e.elt], &e.generators),
            Expr::DictComp(e) => {
                let elements: Vec<&Expr> = e.key.as_deref().into_iter().chain([&*e.value]).collect();
                self.in_comprehension(expr, &elements, &e.generators);
            }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::passes::testing::{applied, findings};

    const HEADER: &str = "import mlx.core as mx\nimport numpy as np\ndef f(a: mx.array, b: mx.array, xs, n: int, model, out):\n";

    /// What becomes of the function body `body`, under the admission `admit`.
    fn fixed(body: &str, admit: Applicability) -> String {
        let indented: String = body.lines().map(|l| if l.is_empty() { "\n".to_owned() } else { format!("    {l}\n") }).collect();
        let fixed = applied(find, &format!("{HEADER}{indented}"), admit);
        fixed[HEADER.len()..].lines().map(|l| format!("{}\n", l.strip_prefix("    ").unwrap_or(l))).collect()
    }

    fn safe(body: &str) -> String {
        fixed(body, Applicability::Safe)
    }

    fn stays(body: &str) {
        assert_eq!(fixed(body, Applicability::Unsafe), body);
    }

    fn only_unsafe(body: &str, after: &str) {
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
    fn the_forms_of_a_loop_over_elements() {
        for (body, after) in [
            ("for x in a.flatten():\n    out(x.item(), x.item() + 1)\n", "for x in a.flatten().tolist():\n    out(x, x + 1)\n"),
            (
                "for i, x in enumerate(a.reshape(-1), 1):\n    out(i, x.item())\n",
                "for i, x in enumerate(a.reshape(-1).tolist(), 1):\n    out(i, x)\n",
            ),
            ("for x, y in zip(a.flatten(), xs):\n    out(x.item(), y)\n", "for x, y in zip(a.flatten().tolist(), xs):\n    out(x, y)\n"),
            (
                "for i, (x, y) in enumerate(zip(a.flatten(), b.flatten())):\n    out(i, x.item(), int(y))\n",
                "for i, (x, y) in enumerate(zip(a.flatten().tolist(), b.flatten().tolist())):\n    out(i, x, int(y))\n",
            ),
            ("out({x.item() for x in a.flatten() if x.item() > 2})\n", "out({x for x in a.flatten().tolist() if x > 2})\n"),
            ("out(any(x.item() > 2 for x in a.flatten()))\n", "out(any(x > 2 for x in a.flatten().tolist()))\n"),
            ("out([f'{x.item():.2f}' for x in a.flatten()])\n", "out([f'{x:.2f}' for x in a.flatten().tolist()])\n"),
            ("out([x.item()if x.item()else 1 for x in a.reshape(-1) + 1])\n", "out([x if x else 1 for x in (a.reshape(-1) + 1).tolist()])\n"),
            ("for s, e in a.reshape(n, 2):\n    out(s.item(), e.item())\n", "for s, e in a.reshape(n, 2).tolist():\n    out(s, e)\n"),
            (
                "a = a.reshape(3, 4)\nfor row in a:\n    for x in row:\n        out(x.item())\n",
                "a = a.reshape(3, 4)\nfor row in a:\n    for x in row.tolist():\n        out(x)\n",
            ),
            ("return [x.item() for x in a.flatten()]\n", "return a.flatten().tolist()\n"),
            ("return [\n    x.item()  # why\n    for x in a.flatten()\n]\n", "return [\n    x  # why\n    for x in a.flatten().tolist()\n]\n"),
        ] {
            assert_eq!(safe(body), after);
        }
    }

    #[test]
    fn rows_of_one_element_are_flattened_if_every_round_reads() {
        assert_eq!(safe("for x in a:\n    out(x.item())\n"), "for x in a.flatten().tolist():\n    out(x)\n");
        only_unsafe(
            "for x in a:\n    if n:\n        continue\n    out(x.item())\n",
            "for x in a.tolist():\n    if n:\n        continue\n    out(x)\n",
        );
        only_unsafe(
            "try:\n    for x in a:\n        out(x.item())\nexcept ValueError:\n    pass\n",
            "try:\n    for x in a.tolist():\n        out(x)\nexcept ValueError:\n    pass\n",
        );
        only_unsafe("for x in a:\n    n and out(x.item())\n", "for x in a.tolist():\n    n and out(x)\n");
        stays("for x in a.reshape(2, 3):\n    if n:\n        out(x.item())\n");
    }

    #[test]
    fn an_origin_that_nothing_shows_is_an_assumption() {
        only_unsafe("for x in xs:\n    out(x.item())\n", "for x in xs.tolist():\n    out(x)\n");
        only_unsafe("for x in model.tokens:\n    out(x.item())\n", "for x in model.tokens.tolist():\n    out(x)\n");
        only_unsafe("for x in model(xs).flatten():\n    out(x.item())\n", "for x in model(xs).flatten().tolist():\n    out(x)\n");
        only_unsafe("out([k[x.item()][y.item()] for x, y in model.heads])\n", "out([k[x][y] for x, y in model.heads.tolist()])\n");
        // `float` takes anything.
        stays("for x in xs:\n    out(float(x))\n");
    }

    #[test]
    fn what_is_evidently_something_else_stays() {
        for iterable in [
            "[a, b]",
            "model(a)",
            "model.steps(a)",
            "list(a)",
            "sorted(a)",
            "xs.items()",
            "xs.split(',')",
            "np.asarray(xs)",
            "np.array(xs).flatten()",
            "mx.split(a, 3)",
            "a.tolist()",
            "(y for y in a)",
            "[mx.sum(y) for y in xs]",
            "xs + [a]",
            "xs.astype(np.int32)",
            "xs.astype(int)",
            "out if n else []",
            "reversed(xs)",
        ] {
            stays(&format!("for x in {iterable}:\n    out(x.item())\n"));
        }
        stays("tokens = []\nfor y in model(a):\n    tokens.append(y)\nout([t.item() for t in tokens])\n");
        stays("for row in xs:\n    for x in row:\n        out(x.item())\n");
        stays("out([x.item() for row in xs for x in row])\n");
    }

    #[test]
    fn an_element_that_is_more_than_a_number_stays() {
        for body in [
            "for x in a.flatten():\n    out(x.item(), x)\n",
            "for x in a.flatten():\n    out(x.item() + x.sum())\n",
            "for x in a.flatten():\n    out(x.item())\nreturn x\n",
            "for x in a.flatten():\n    out(x.item())\nelse:\n    out(x)\n",
            "for x in a.flatten():\n    x = x * 2\n    out(x.item())\n",
            "for x in a.flatten():\n    out(lambda: x.item())\n",
            "for x in a.flatten():\n    out(x.item(), lambda x=x: x)\n",
            "for x in a.flatten():\n    def later():\n        return x.item()\n    out(later)\n",
            "for x in a.flatten():\n    out(x.item())\n    out(y + x.item() for y in model)\n",
            "for x in a.flatten():\n    out(x.item())\ndef later():\n    return x\nout(later)\n",
            "for x in a.flatten():\n    out(f'{x.item()=}')\n",
            "for x in a.flatten():\n    out((x).item(  # why\n    ))\n",
            "for x in a.flatten():\n    import x\n    out(x.item())\n",
            "for n in model:\n    for x in a.flatten():\n        out(x.item())\n    out(x)\n",
            "def int(v):\n    return v\nfor x in a.flatten():\n    out(int(x))\n",
        ] {
            stays(body);
        }
        let shadowed = "for x in a.flatten():\n    out(x.item(), key=lambda x: x, also=[x for x in xs])\n";
        assert_eq!(safe(shadowed), shadowed.replace("x.item()", "x").replace("flatten()", "flatten().tolist()"));
        let bound_again = "for x in a.flatten():\n    out(x.item())\nfor x in xs:\n    out(x)\n";
        assert_eq!(safe(bound_again), bound_again.replace("x.item()", "x").replace("flatten()", "flatten().tolist()"));
    }

    #[test]
    fn loops_over_indices_read_a_list_made_before() {
        for (body, after) in [
            (
                "a = a.flatten()\nfor i in range(len(a)):\n    out(i, a[i].item(), float(a[i]))\n",
                "a = a.flatten()\na_list = a.tolist()\nfor i in range(len(a)):\n    out(i, a_list[i], float(a_list[i]))\n",
            ),
            (
                "n = a.shape[0]\nfor i in range(1, n):\n    out(a[i].item(), int(a[i - 1]), a[i + 1].item())\n",
                "n = a.shape[0]\na_list = a.flatten().tolist()\nfor i in range(1, n):\n    out(a_list[i], int(a_list[i - 1]), a[i + 1].item())\n",
            ),
            (
                "for i in range(len(a) - 1):\n    out(a[i + 1].item() - a[i].item(), a[i - 2].item())\n",
                "a_list = a.flatten().tolist()\nfor i in range(len(a) - 1):\n    out(a_list[i + 1] - a_list[i], a[i - 2].item())\n",
            ),
            ("xs = [a[i].item() for i in range(a.shape[0])]\n", "a_list = a.flatten().tolist()\nxs = [a_list[i] for i in range(a.shape[0])]\n"),
            (
                "return sum(a[i].item() * i for i in range(len(a)))\n",
                "a_list = a.flatten().tolist()\nreturn sum(a_list[i] * i for i in range(len(a)))\n",
            ),
            (
                "a_list = 1\nif n:\n    for i in range(len(a)):\n        out[i] = a[i].item()\n",
                "a_list = 1\nif n:\n    a_list2 = a.flatten().tolist()\n    for i in range(len(a)):\n        out[i] = a_list2[i]\n",
            ),
        ] {
            assert_eq!(safe(body), after);
        }
        only_unsafe("for i in range(n):\n    out(a[i].item())\n", "a_list = a.flatten().tolist()\nfor i in range(n):\n    out(a_list[i])\n");
        // The file shows how many there are.
        assert_eq!(
            safe("c = mx.array([4, n, 6])\nfor i in range(2):\n    out(c[i + 1].item())\n"),
            "c = mx.array([4, n, 6])\nc_list = c.flatten().tolist()\nfor i in range(2):\n    out(c_list[i + 1])\n"
        );
        only_unsafe(
            "c = mx.array([4, *xs, 6])\nfor i in range(2):\n    out(c[i].item())\n",
            "c = mx.array([4, *xs, 6])\nc_list = c.flatten().tolist()\nfor i in range(2):\n    out(c_list[i])\n",
        );
        assert_eq!(
            safe("model(a)\nn = len(a)\nfor i in range(n):\n    out(a[i].item())\n"),
            "model(a)\nn = len(a)\na_list = a.flatten().tolist()\nfor i in range(n):\n    out(a_list[i])\n"
        );
    }

    #[test]
    fn a_list_is_made_only_where_the_array_is_there() {
        let with = |parameter: &str, body: &str| {
            let text = format!("import mlx.core as mx\n\ndef f(n, out, {parameter}):\n{body}");
            applied(find, &text, Applicability::Unsafe) != text
        };
        let unasked = "    for i in range(n):\n        out(c[i].item())\n";
        for parameter in ["c=None", "c: mx.array = None", "c: mx.array | None = None"] {
            assert!(!with(parameter, unasked), "{parameter}");
            for asked in ["if c is None:\n        return\n", "assert c is not None\n", "if not c or n < 3:\n        raise n\n"] {
                assert!(with(parameter, &format!("    {asked}{unasked}")), "{parameter} {asked}");
            }
            let inside = "        for i in range(n):\n            out(c[i].item())\n";
            assert!(with(parameter, &format!("    if n and c is not None:\n{inside}")), "{parameter}");
            assert!(with(parameter, &format!("    if c is None:\n        n = 3\n    else:\n{inside}")), "{parameter}");
            assert!(!with(parameter, &format!("    if n or c is not None:\n{inside}")), "{parameter}");
            assert!(with(parameter, &unasked.replace("range(n)", "range(len(c))")), "{parameter}");
        }
        for asked in ["if c is not None", "if n and isinstance(c, mx.array)", "if i < len(c)", "if c.ndim == 1", "k = c is None\n        if n"] {
            assert!(!with("c", &format!("    for i in range(n):\n        {asked}:\n            out(c[i].item())\n")), "{asked}");
        }
        assert!(!with("c", "    return [c[i].item() for i in range(n) if i < c.size]\n"));
        assert!(with("c", "    for i in range(n):\n        if c[i].item() > n:\n            out(i)\n"));
    }

    #[test]
    fn a_list_of_a_module_has_a_private_name_and_a_class_gets_none() {
        let module = "import mlx.core as mx\n\na = mx.arange(9)\nfor i in range(len(a)):\n    print(a[i].item())\n";
        let listed = "import mlx.core as mx\n\na = mx.arange(9)\n_a_list = a.tolist()\nfor i in range(len(a)):\n    print(_a_list[i])\n";
        assert_eq!(applied(find, module, Applicability::Safe), listed);
        let class = "import mlx.core as mx\n\nclass A:\n    a = mx.arange(9)\n    for i in range(len(a)):\n        print(a[i].item())\n";
        assert_eq!(applied(find, class, Applicability::Unsafe), class);
    }

    #[test]
    fn loops_over_the_same_array_share_a_list() {
        let first = "for i in range(len(a)):\n    out(a[i].item())\n";
        let list = "a_list = a.flatten().tolist()\nfor i in range(len(a)):\n    out(a_list[i])\n";
        assert_eq!(safe(&format!("{first}n += 1\n{first}")), format!("{list}n += 1\nfor i in range(len(a)):\n    out(a_list[i])\n"));
        assert_eq!(safe(&format!("{list}{first}")), format!("{list}for i in range(len(a)):\n    out(a_list[i])\n"));
        // What holds other numbers by then, or may not be there, is not read.
        for between in
            ["a_list.append(3)", "a_list[0] = 3", "a_list[0] += 3", "model(a_list)", "n = a_list", "model(lambda: a_list.sort())", "a = a * 2"]
        {
            assert!(safe(&format!("{list}{between}\n{first}")).contains("a_list2 = "), "{between}");
        }
        assert!(!safe(&format!("{list}a[0] = 3\n{first}")).ends_with("out(a_list[i])\n"));
        let nested: String = first.lines().map(|l| format!("    {l}\n")).collect();
        assert_eq!(safe(&format!("if n:\n{nested}{first}")).matches("tolist()").count(), 2);
    }

    #[test]
    fn a_loop_goes_through_the_list_that_it_reads_by_index() {
        let body = "a = a.flatten()\nfor i, x in enumerate(a):\n    if i > 0 and int(x) == int(a[i - 1]):\n        out(x.item())\n";
        assert_eq!(
            safe(body),
            "a = a.flatten()\na_list = a.tolist()\nfor i, x in enumerate(a_list):\n    if i > 0 and int(x) == int(a_list[i - 1]):\n        out(x)\n"
        );
        // Another list where that may have changed, and one of its own for who keeps it.
        let list = "a = a.flatten()\na_list = a.tolist()\nout(a_list[0])\n";
        assert!(safe(&format!("{list}for x in a:\n    out(x.item())\n")).ends_with("for x in a_list:\n    out(x)\n"));
        assert!(safe(&format!("{list}a_list.append(3)\nfor x in a:\n    out(x.item())\n")).contains("for x in a.tolist():"));
        assert!(safe(&format!("{list}xs = [x.item() for x in a]\n")).ends_with("xs = a.tolist()\n"));
        assert!(safe(&format!("{list}for x in a:\n    a_list[0] = x.item()\n")).contains("for x in a.tolist():"));
    }

    #[test]
    fn columns_are_read_out_of_lists_of_rows() {
        let table = "t = mx.zeros((n, 2))\n";
        only_unsafe(
            &format!("{table}for i in range(n):\n    out(t[i, 0].item(), t[i, -1].item())\n"),
            &format!("{table}t_list = t.tolist()\nfor i in range(n):\n    out(t_list[i][0], t_list[i][-1])\n"),
        );
        assert_eq!(
            safe(&format!("{table}xs = [int(t[i][1]) for i in range(len(t))]\n")),
            format!("{table}t_list = t[:, 1].tolist()\nxs = [int(t_list[i]) for i in range(len(t))]\n")
        );
        // One column is a list of numbers.
        only_unsafe(
            "for i in range(len(a)):\n    out(a[i, 0].item(), int(a[i][0]))\n",
            "a_list = a[:, 0].tolist()\nfor i in range(len(a)):\n    out(a_list[i], int(a_list[i]))\n",
        );
        only_unsafe(
            "for i in range(len(a)):\n    out(a[i, -1].item())\n",
            "a_list = a[:, -1].tolist()\nfor i in range(len(a)):\n    out(a_list[i])\n",
        );
        // Rows of unknown length may be those of logits.
        only_unsafe(
            "for i in range(len(a)):\n    out(a[i, 0].item(), a[i, 2].item())\n",
            "a_list = a[:, :3].tolist()\nfor i in range(len(a)):\n    out(a_list[i][0], a_list[i][2])\n",
        );
        for body in [
            "for i in range(len(a)):\n    out(a[i, 0].item(), a[i, -1].item())\n",
            "t = mx.zeros((n, 2))\nfor i in range(n):\n    out(t[i, 2].item())\n",
            "for i in range(len(a)):\n    out(a[i, 0].item(), a[i].item())\n",
            "for i in range(len(a)):\n    out(a[i, n].item())\n",
            "for i in range(len(a)):\n    out(a[0, i].item())\n",
            "t = mx.zeros((n, 2, 2))\nfor i in range(n):\n    out(t[i, 0].item())\n",
        ] {
            stays(body);
        }
    }

    #[test]
    fn leading_columns_that_names_are_given_are_unpacked() {
        let head = "for i in range(len(a)):\n    ";
        let list = |n: u32| format!("a_list = a[:, :{n}].tolist()\n{head}");
        for (body, columns, after) in [
            ("h, w = a[i, 0].item(), a[i][1].item()\n    out(h, w)\n", 2, "h, w = a_list[i]\n    out(h, w)\n"),
            ("h, w = int(a[i, 0]), int(a[i, 1])\n    out(h, w)\n", 2, "h, w = map(int, a_list[i])\n    out(h, w)\n"),
            (
                "h = int(a[i, 0].item())\n    w = int(a[i, 1].item())\n    n = 3\n    out(h, w)\n",
                2,
                "h, w = map(int, a_list[i])\n    n = 3\n    out(h, w)\n",
            ),
            // A column more, another conversion or order, a comment, arithmetic.
            (
                "h, w = int(a[i, 0]), int(a[i, 1])\n    out(h, a[i, 2].item())\n",
                3,
                "h, w = int(a_list[i][0]), int(a_list[i][1])\n    out(h, a_list[i][2])\n",
            ),
            ("h, w = int(a[i, 0]), float(a[i, 1])\n    out(h)\n", 2, "h, w = int(a_list[i][0]), float(a_list[i][1])\n    out(h)\n"),
            (
                "h, w = float(int(a[i, 0])), float(int(a[i, 1]))\n    out(h)\n",
                2,
                "h, w = float(int(a_list[i][0])), float(int(a_list[i][1]))\n    out(h)\n",
            ),
            ("h, w = a[i, 1].item(), a[i, 0].item()\n    out(h)\n", 2, "h, w = a_list[i][1], a_list[i][0]\n    out(h)\n"),
            ("h = a[i, 0].item()  # rows\n    w = a[i, 1].item()\n    out(h)\n", 2, "h = a_list[i][0]  # rows\n    w = a_list[i][1]\n    out(h)\n"),
            ("h, w = a[i, 0].item() + 1, a[i, 1].item()\n    out(h)\n", 2, "h, w = a_list[i][0] + 1, a_list[i][1]\n    out(h)\n"),
        ] {
            only_unsafe(&format!("{head}{body}"), &format!("{}{after}", list(columns)));
        }
        let table = "t = mx.zeros((n, 2))\n";
        assert_eq!(
            safe(&format!("{table}for i in range(len(t)):\n    h, w = t[i, 0].item(), t[i, 1].item()\n    out(h, w)\n")),
            format!("{table}t_list = t.tolist()\nfor i in range(len(t)):\n    h, w = t_list[i]\n    out(h, w)\n")
        );
        let shadowed = format!("map = xs\n{head}h, w = int(a[i, 0]), int(a[i, 1])\n    out(h, w)\n");
        assert!(fixed(&shadowed, Applicability::Unsafe).contains("int(a_list[i][0]), int(a_list[i][1])"));
    }

    #[test]
    fn where_it_is_assumed_how_many_there_are_an_element_more_is_assumed_too() {
        only_unsafe(
            "for i in range(n):\n    out(a[i].item(), a[i + 1].item())\n",
            "a_list = a.flatten().tolist()\nfor i in range(n):\n    out(a_list[i], a_list[i + 1])\n",
        );
        let text = format!("{HEADER}    for i in range(n):\n        out(a[i + 2].item(), a[i + 1].item())\n");
        assert_eq!(findings(find, &text)[0].assumptions, ["`a` has at least `n + 2` elements"]);
    }

    #[test]
    fn a_batch_is_no_reason_where_the_rounds_wait_in_any_case() {
        let head = "for i in range(b.shape[0]):\n    x = ";
        for other in ["xs[0][i].item()", "model(i).item()", "int(b[i].sum())", "xs.tolist()"] {
            stays(&format!("{head}a[i].item()\n    if x > 2:\n        out({other})\n"));
            let images = format!("for i in range(a.shape[0]):\n    x = a[i].item()\n    if x > 2:\n        out({other})\n");
            assert_ne!(fixed(&images, Applicability::Unsafe), images);
        }
        assert!(fixed(&format!("{head}a[i].item() + b[i, 0].item()\n    out(x)\n"), Applicability::Unsafe).contains("a_list[i] + b_list[i]"));
        assert!(fixed(&format!("{head}a[i].item()\n    out(x, int(xs))\n"), Applicability::Unsafe).contains("a_list[i]"));
    }

    #[test]
    fn what_a_row_is_unpacked_into_may_be_read_later() {
        assert_eq!(
            safe("g = a.reshape(-1, 2)\nfor i in range(len(g)):\n    h, w = g[i]\n    out(int(h) * w.item())\n"),
            "g = a.reshape(-1, 2)\ng_list = g.tolist()\nfor i in range(len(g)):\n    h, w = g_list[i]\n    out(int(h) * w)\n"
        );
        assert_eq!(
            safe("a = a.flatten()\nfor i in range(a.size):\n    x = a[i]\n    mx.eval(x)\n    if n:\n        out(x.item())\n"),
            "a = a.flatten()\na_list = a.tolist()\nfor i in range(a.size):\n    x = a_list[i]\n    if n:\n        out(x)\n"
        );
        only_unsafe(
            "for i in range(len(a)):\n    h, w = a[i]\n    out(int(h))\n",
            "a_list = a.tolist()\nfor i in range(len(a)):\n    h, w = a_list[i]\n    out(int(h))\n",
        );
        for body in [
            "for i in range(len(a)):\n    h, w = a[i]\n    out(int(h), w)\n",
            "for i in range(len(a)):\n    h, w = a[i]\n    out(int(h))\nout(w)\n",
            "for i in range(len(a)):\n    if i:\n        out(int(h))\n    h, w = a[i]\n    out(int(w))\n",
            "for i in range(len(a)):\n    h, h = a[i]\n    out(int(h))\n",
            "for i in range(len(a)):\n    h, w = a[i]\n    out(lambda: int(h))\n",
            "for i in range(len(a)):\n    h, w = a[i]\n    h = h + 1\n    out(int(h))\n",
            "for i in range(len(a)):\n    h, w = a[i]\n    out(int(h))\n    a[i] = 0\n",
            "for i in range(len(a)):\n    h, w = c = a[i]\n    out(int(h), c)\n",
        ] {
            stays(body);
        }
    }

    #[test]
    fn an_evaluation_of_an_element_goes_with_the_reads() {
        assert_eq!(safe("for x in a.flatten():\n    mx.eval(x)\n    out(x.item())\n"), "for x in a.flatten().tolist():\n    out(x)\n");
        for body in [
            "for x in a.flatten():\n    mx.eval(x, b)\n    out(x.item())\n",
            "for x in a.flatten():\n    mx.eval(x)  # now\n    out(x.item())\n",
            "for x in a.flatten():\n    if n:\n        mx.eval(x)\n    out(x.item())\n",
            "for x in a.flatten():\n    mx.async_eval(x)\n    out(x.item())\n",
        ] {
            stays(body);
        }
    }

    #[test]
    fn rows_that_are_read_as_lists_are_read_together() {
        for (body, after) in [
            ("for row in a:\n    out(row.tolist())\n", "for row in a.tolist():\n    out(row)\n"),
            ("for row in a:\n    h, w = row.tolist()\n    out(h)\n", "for row in a.tolist():\n    h, w = row\n    out(h)\n"),
            ("return [row.tolist() for row in a]\n", "return a.tolist()\n"),
            (
                "for i in range(len(a)):\n    h, w = a[i].tolist()\n    out(h)\n",
                "a_list = a.tolist()\nfor i in range(len(a)):\n    h, w = a_list[i]\n    out(h)\n",
            ),
            ("for row in a:\n    row = row.tolist()\n    out(row)\n", "for row in a.tolist():\n    out(row)\n"),
        ] {
            assert_eq!(safe(body), after);
        }
        for body in [
            // Each call makes a list of its own.
            "for row in a:\n    out(row.tolist(), row.tolist())\n",
            "for row in a:\n    for x in xs:\n        out(x, row.tolist())\n",
            "for row in a:\n    out([row.tolist() for x in xs])\n",
            "out([row.tolist() for row in a for x in xs])\n",
            "for i in range(len(a)):\n    out(a[i].tolist(), a[i].tolist())\n",
            "for i in range(len(a)):\n    for x in xs:\n        out(x, a[i].tolist())\n",
            // Many things have rows that have `tolist`.
            "for row in xs:\n    out(row.tolist())\n",
            "for row in np.asarray(xs):\n    out(row.tolist())\n",
        ] {
            stays(body);
        }
    }

    #[test]
    fn one_row_may_be_read_by_columns() {
        let table = "t = mx.zeros((2, n))\n";
        assert_eq!(
            safe(&format!("{table}for i in range(t.shape[1]):\n    out(t[0, i].item())\n")),
            format!("{table}t_row = t[0].tolist()\nfor i in range(t.shape[1]):\n    out(t_row[i])\n")
        );
        // The second pass over the text takes the rows together.
        assert_eq!(
            safe(&format!("{table}for b in range(2):\n    for i in range(t.shape[1]):\n        out(int(t[b, i]), float(t[b][i]))\n")),
            format!(
                "{table}t_list = t.tolist()\nfor b in range(2):\n    t_row = t_list[b]\n    for i in range(t.shape[1]):\n        out(int(t_row[i]), float(t_row[i]))\n"
            )
        );
        // Two rows have two names, also where one loop is inside the other.
        assert_eq!(
            safe(&format!("{table}for i in range(t.shape[1]):\n    out(t[0, i].item(), t[1, i].item())\n")),
            format!("{table}t_row = t[0].tolist()\nt_row2 = t[1].tolist()\nfor i in range(t.shape[1]):\n    out(t_row[i], t_row2[i])\n")
        );
        for body in [
            // The row may be one of logits, of which three are read.
            "t = mx.zeros((2, n))\nfor i in range(3):\n    out(t[0, i].item())\n",
            "t = mx.zeros((2, n))\nfor i in range(t.shape[1]):\n    xs += 1\n    out(t[xs, i].item())\n",
            "t = mx.zeros((2, n))\nfor i in range(t.shape[1]):\n    out(t[xs, i].item())\n",
            "t = mx.zeros((2, n))\nfor i in range(t.shape[1]):\n    out(t[0, i].item())\n    t[0, 1] = 3\n",
            "t = mx.zeros((2, n, 2))\nfor i in range(t.shape[1]):\n    out(t[0, i].item())\n",
            "t = mx.zeros((2, n))\nfor i in range(t.shape[0]):\n    out(t[0, i].item())\n",
        ] {
            stays(body);
        }
    }

    #[test]
    fn an_index_may_count_through_something_else() {
        only_unsafe(
            "for i, x in enumerate(xs):\n    out(x, a[i].item())\n",
            "a_list = a.flatten().tolist()\nfor i, x in enumerate(xs):\n    out(x, a_list[i])\n",
        );
        assert_eq!(
            safe("for i, x in enumerate(a):\n    out(model(x), a[i].item())\n"),
            "a_list = a.flatten().tolist()\nfor i, x in enumerate(a):\n    out(model(x), a_list[i])\n"
        );
        stays("for i, x in enumerate(xs, 1):\n    out(x, a[i].item())\n");
    }

    #[test]
    fn a_name_that_becomes_its_own_number_has_it_from_the_start() {
        assert_eq!(
            safe("a = a.flatten()\nfor x in a:\n    mx.eval(x)\n    x = x.item()\n    out(x, x + 1)\n"),
            "a = a.flatten()\nfor x in a.tolist():\n    out(x, x + 1)\n"
        );
        assert_eq!(
            safe("a = a.flatten()\nfor x in a:\n    x = x.item()\n    out(x, x + 1)\n"),
            "a = a.flatten()\nfor x in a.tolist():\n    out(x, x + 1)\n"
        );
        for body in [
            "for x in a:\n    model(x)\n    x = x.item()\n    out(x)\n",
            "for x in a:\n    if n:\n        x = x.item()\n    out(x)\n",
            "for x in a:\n    x = x.item()  # once\n",
        ] {
            stays(body);
        }
    }

    #[test]
    fn an_indexed_array_that_may_change_stays() {
        for body in [
            "for i in range(len(a)):\n    out(a[i].item())\n    a[i] = 0\n",
            "for i in range(len(a)):\n    out(a[i].item())\n    a += 1\n",
            "c = a\nfor i in range(len(a)):\n    out(a[i].item())\n    c[i] = 1\n",
            "for i in range(len(a)):\n    out(a[i].item())\n    a = a * 2\n",
            "for i in range(len(a)):\n    out(a[i].item())\n    model(a)\n",
            "for i in range(len(a)):\n    i = n\n    out(a[i].item())\n",
            "for i in range(-1, len(a)):\n    out(a[i].item())\n",
            "for i in range(n, len(a)):\n    out(a[i].item())\n",
            "for i in range(*xs):\n    out(a[i].item())\n",
            "for i in range(len(a)):\n    out(lambda: a[i].item())\n",
            "out(n and [a[i].item() for i in range(len(a))])\n",
            "g = (a[i].item() for i in range(len(a)))\n",
            "c = a.tolist()\nfor i in range(len(c)):\n    out(int(c[i]))\n",
            "c = np.asarray(a)\nfor i in range(len(c)):\n    out(c[i].item())\n",
        ] {
            stays(body);
        }
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
