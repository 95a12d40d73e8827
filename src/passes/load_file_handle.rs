//! Files that are opened for `mx.load`: `mx.load(open(path, "rb"))` becomes `mx.load(path)`, and a `with open(...)` around it goes.
//!
//! MLX reads all of an open file at once, and of a path only what is needed, when it is needed. That can be noticed: a missing file raises something else, a
//! file that is written again is read again, and what is not read yet can only be read in the thread that loaded it. This module finds the forms and looks
//! for what might notice; [`path`] says what can be a path for `mx.load`, and [`there`] which files are known to be there.

mod path;
mod there;

use std::cell::OnceCell;

use rustc_hash::FxHashSet;

use crate::finding::{Applicability, Contract, Finding, Hinges, Kept, Notes, Numerics, Proposal, TransformId};
use crate::graph::Analysis;
use crate::graph::statements::branches;
use crate::graph::value::ValueId;
use crate::syntax::ast::visitor::source_order::{self, SourceOrderVisitor};
use crate::syntax::ast::{self, Expr, Stmt};
use crate::syntax::{Edit, Ranged, Source, TextRange, TextSize, Token, TokenKind};

use crate::graph::statements::comprehension;
use crate::place::Place;
use crate::place::expressions;
use path::is_path;

/// Words of code that runs in several threads.
const THREADS: [&str; 4] = ["threading", "ThreadPool", "to_thread", "run_in_executor"];

/// Find every file that is opened for `mx.load` alone.
pub fn find(analysis: &Analysis<'_>, id: &TransformId, notes: &Notes) -> Vec<Proposal> {
    let text = analysis.source.text().as_bytes();
    if !["load", "open"].iter().all(|word| memchr::memmem::find(text, word.as_bytes()).is_some()) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for body in &analysis.bodies {
        let place = Place::new(analysis, body, notes);
        let mut loads = Loads {
            place: &place,
            id,
            statement: None,
            tries: 0,
            there: Vec::new(),
            surroundings: OnceCell::new(),
            read_early: OnceCell::new(),
            found: Vec::new(),
        };
        loads.visit_body(place.own_statements());
        found.append(&mut loads.found);
    }
    found.sort_by_key(|p| (p.finding.range.start(), p.finding.range.end()));
    found
}

/// Looks through one scope.
struct Loads<'p, 'x> {
    place: &'p Place<'x>,
    id: &'p TransformId,
    statement: Option<&'x Stmt>,
    /// Handlers around: they would see another exception.
    tries: u32,
    /// The paths that tests have found to be there.
    there: Vec<ValueId>,
    /// What is assumed of every load here, once that is asked.
    surroundings: OnceCell<Vec<String>>,
    /// The names that the scope reads where nothing in it has bound them, once asked for.
    read_early: OnceCell<FxHashSet<&'x str>>,
    found: Vec<Proposal>,
}

impl<'x> Loads<'_, 'x> {
    /// The path, where `expr` opens a file for reading bytes and does nothing else.
    fn opened(&self, expr: &'x Expr) -> Option<Opened<'x>> {
        let Expr::Call(call) = expr else { return None };
        let is_binary = |mode: &Expr| mode.as_string_literal_expr().is_some_and(|s| matches!(s.value.to_str(), "rb" | "br"));
        let mode = |at: usize| match (&call.arguments.args[at..], &*call.arguments.keywords) {
            ([mode], []) => is_binary(mode),
            ([], [keyword]) => keyword.arg.as_ref().is_some_and(|a| a.as_str() == "mode") && is_binary(&keyword.value),
            _ => false,
        };
        match &*call.func {
            Expr::Name(_) if self.place.calls_builtin(call, "open") && !call.arguments.args.is_empty() && mode(1) => {
                let path = &call.arguments.args[0];
                (!path.is_starred_expr()).then_some(Opened { path, must_be_path: false })
            }
            Expr::Attribute(method) if method.attr.as_str() == "open" && mode(0) => Some(Opened { path: &method.value, must_be_path: true }),
            _ => None,
        }
    }

    /// Note why the call `load` keeps what it is given.
    fn left<T>(&self, load: TextRange, likeness: u32, reason: &str) -> Option<T> {
        self.place.notes.left(load, load, likeness, || reason.to_owned())
    }

    /// Note a load of something that is not opened beside it.
    fn other(&self, call: &'x ast::ExprCall) {
        let Some(argument) = call.arguments.args.first().filter(|a| self.place.notes.are_kept() && !a.is_literal_expr()) else { return };
        let is_load = self.place.path(&call.func).is_some_and(|p| p == "mlx.core.load");
        let (file, opens) = (self.place.source().slice(argument.range()), self.opened(argument).is_some());
        let callee = self.place.source().slice(call.func.range());
        if opens && !is_load && callee.ends_with("load") {
            let _: Option<()> = self.left(call.range(), 40, &format!("`{callee}` is not known to be `mx.load`"));
        } else if is_load && !opens && !self.place.notes.speak_of(call.range()) {
            let _: Option<()> = self.left(call.range(), 40, &format!("`{file}` is not a file that is opened here, for this alone, by its path"));
        }
    }

    /// The argument of `mx.load`, if `expr` is a call of it.
    fn loaded(&self, call: &'x ast::ExprCall) -> Option<&'x Expr> {
        let first = call.arguments.args.first()?;
        (self.place.path(&call.func)? == "mlx.core.load").then_some(first)
    }

    fn propose(&mut self, opened: &Opened<'x>, range: TextRange, spared: &str, edits: Vec<Edit>) -> Option<()> {
        let source = self.place.source();
        let path = source.slice(opened.path.range());
        let known = self.place.facts(self.statement?.range(), opened.path).and_then(|facts| is_path(self.place, &facts, opened));
        let Some(mut assumptions) = known else { return self.left(range, 75, &format!("`{path}` is not known to be the path of a file")) };
        if !self.is_there(opened.path) {
            let exceptions = "a missing file raises `RuntimeError` or `ValueError` after, and no `FileNotFoundError`";
            assumptions.push(format!("the file `{path}` is there, or nobody tells by the exception that it is not: {exceptions}"));
        }
        assumptions.extend_from_slice(self.surroundings.get_or_init(|| self.assumed_of_surroundings()));
        let finding = Finding {
            transform: self.id.clone(),
            range,
            applicability: if assumptions.is_empty() { Applicability::Safe } else { Applicability::Unsafe },
            numerics: Some(Numerics::Exact),
            message: format!("`mx.load` reads all of an open file at once: give it the path, `mx.load({path})`"),
            rationale: vec![
                "The whole file is read and copied before; after, each array is read when it is evaluated, and those that nothing uses are never read.".to_owned(),
                spared.to_owned(),
            ],
            assumptions,
            guide: String::new(),
            edits,
            hinges: Hinges::default(),
        };
        self.found.push(Proposal { finding, contract: Contract::Statements(Kept::Values) });
        Some(())
    }

    /// Whether the file `path` is known to be there.
    fn is_there(&self, path: &Expr) -> bool {
        let value = self.place.value(path);
        value.is_some_and(|v| self.there.contains(&there::plain(self.place, v)) || there::is_listed(self.place, v))
    }

    /// What must be assumed for what the file, or the scope, does besides.
    fn assumed_of_surroundings(&self) -> Vec<String> {
        let source = self.place.source();
        let assumptions = [
            (mentions(source, &THREADS), "the arrays are evaluated in the thread that loads them"),
            (self.writes(), "the file is not written again before the arrays are evaluated"),
        ];
        assumptions.into_iter().filter(|(holds, _)| *holds).map(|(_, assumption)| assumption.to_owned()).collect()
    }

    /// Whether the scope writes files as well.
    fn writes(&self) -> bool {
        struct Writes(bool);
        impl<'x> SourceOrderVisitor<'x> for Writes {
            fn visit_expr(&mut self, expr: &'x Expr) {
                if let Expr::Call(call) = expr {
                    let name = match &*call.func {
                        Expr::Attribute(attribute) => attribute.attr.as_str(),
                        Expr::Name(name) => name.id.as_str(),
                        _ => "",
                    };
                    let is_mode = |e: &Expr| e.as_string_literal_expr().is_some_and(|s| s.value.to_str().contains(['w', 'a', 'x', '+']));
                    self.0 |= ["save", "write", "dump", "rename", "copy", "move"].iter().any(|word| name.starts_with(word))
                        || name == "open" && call.arguments.iter_source_order().skip(1).any(|a| is_mode(a.value()));
                }
                source_order::walk_expr(self, expr);
            }
        }
        let mut writes = Writes(false);
        writes.visit_body(self.place.own_statements());
        writes.0
    }

    /// `mx.load(open(path, "rb"))`.
    fn direct(&mut self, call: &'x ast::ExprCall) -> Option<()> {
        let argument = self.loaded(call)?;
        let opened = self.opened(argument)?;
        let source = self.place.source();
        let text = source.slice(opened.path.range());
        let plain = !text.contains(['\n', '\r']) && source.comments_in(argument.range()).is_empty();
        plain
            .then(|| {
                self.propose(
                    &opened,
                    call.range(),
                    "1 open file is left to the garbage collector before, none after.",
                    vec![Edit::replace(argument.range(), text)],
                )
            })
            .flatten()
    }

    /// `with open(path, "rb") as f:` around one `mx.load(f)`.
    fn block(&mut self, with: &'x ast::StmtWith) -> Option<()> {
        let [item] = &*with.items else { return None };
        let handle = item.optional_vars.as_deref()?.as_name_expr()?;
        let opened = self.opened(&item.context_expr)?;
        let place = self.place;
        let source = place.source();
        let first = with.body.first()?;
        let mut uses = Handle { loads: self, name: &handle.id, reads: 0, load: None };
        with.body.iter().for_each(|s| uses.visit_stmt(s));
        let (reads, load) = (uses.reads, uses.load?);
        let path = source.slice(opened.path.range());
        let head = TextRange::new(with.start(), first.start());
        let is_plain = !with.is_async && reads == 1 && !path.contains(['\n', '\r']) && source.comments_in(head).is_empty();
        if place.is_module() {
            return self.left(load.1, 75, &format!("`{}` is a name of the module, which others may import", handle.id));
        }
        if !is_plain || !self.is_read_only_at(handle, load.0, with.range) {
            return self.left(load.1, 75, &format!("`{}` is also read by something else than this load", handle.id));
        }
        if !is_first(first, load.1) {
            return self.left(load.1, 75, "the block does something before it loads the file, or need not load it");
        }
        let mut edits = dedented(place, with, first)?;
        edits.push(Edit::replace(load.0, path));
        edits.sort_by_key(|e| e.range.start());
        self.propose(&opened, with.range, "The block that closes the file goes away.", edits)
    }

    /// Whether nothing but the load reads what `with` gives to `handle`.
    fn is_read_only_at(&self, handle: &ast::ExprName, read: TextRange, with: TextRange) -> bool {
        let place = self.place;
        let (Some(symbol), Some(statement)) = (place.analysis.graph.known_symbol(&handle.id), place.statement(with)) else { return false };
        let own: Vec<_> = place.definitions_by(symbol, statement).collect();
        let escapes = own.iter().any(|&d| place.body.definitions[d as usize].escapes);
        if escapes || own.is_empty() || place.reads_reached(&own).iter().any(|&r| r != read) {
            return false;
        }
        // Once nothing binds it here, a name that is read too early is that of the scope around it.
        !self.read_early.get_or_init(|| names_read_early(place)).contains(handle.id.as_str())
    }
}

/// The names that a scope reads where nothing in it has bound them.
fn names_read_early<'x>(place: &Place<'x>) -> FxHashSet<&'x str> {
    let bound: FxHashSet<TextRange> = place.body.definitions.iter().flat_map(|d| d.uses.iter().copied()).collect();
    let mut early = FxHashSet::default();
    expressions::of_scope(place.own_statements(), &mut |expr| {
        if let Expr::Name(name) = expr
            && name.ctx.is_load()
            && !bound.contains(&name.range)
        {
            early.insert(name.id.as_str());
        }
    });
    early
}

/// A file that is opened.
struct Opened<'x> {
    path: &'x Expr,
    /// It is opened by its own method, which others than `pathlib.Path` have too.
    must_be_path: bool,
}

/// Whether a name of the file's code contains one of `words`.
fn mentions(source: &Source<'_>, words: &[&str]) -> bool {
    source.tokens().iter().any(|t| t.kind() == TokenKind::Name && words.iter().any(|w| source.slice(t.range()).contains(w)))
}

/// Finds the uses of an open file.
struct Handle<'l, 'p, 'x> {
    loads: &'l Loads<'p, 'x>,
    name: &'x str,
    reads: u32,
    /// The name as the argument of a load, and the load.
    load: Option<(TextRange, TextRange)>,
}

impl<'x> SourceOrderVisitor<'x> for Handle<'_, '_, 'x> {
    fn visit_expr(&mut self, expr: &'x Expr) {
        match expr {
            Expr::Name(name) if name.id.as_str() == self.name => self.reads += 1,
            Expr::Call(call) => {
                if let Some(Expr::Name(name)) = self.loads.loaded(call)
                    && name.id.as_str() == self.name
                {
                    self.load = Some((name.range, call.range()));
                }
                source_order::walk_expr(self, expr);
            }
            _ => source_order::walk_expr(self, expr),
        }
    }
}

/// Whether the call `load` is the first that `statement` completes, and completes it always and once.
fn is_first(statement: &Stmt, load: TextRange) -> bool {
    struct Calls {
        load: TextRange,
        first: bool,
    }
    impl<'x> SourceOrderVisitor<'x> for Calls {
        fn visit_expr(&mut self, expr: &'x Expr) {
            let range = expr.range();
            let (around, before) = (range.contains_range(self.load), range.end() <= self.load.start());
            self.first &= match expr {
                Expr::Call(_) | Expr::Await(_) | Expr::Yield(_) | Expr::Named(_) => !before,
                Expr::BoolOp(_) | Expr::If(_) | Expr::Lambda(_) => !around,
                _ if around => comprehension(expr).is_none_or(|(_, g)| g.first().is_some_and(|g| g.iter.range().contains_range(self.load))),
                _ => true,
            };
            source_order::walk_expr(self, expr);
        }
    }
    let simple = matches!(statement, Stmt::Assign(_) | Stmt::AnnAssign(_) | Stmt::Expr(_) | Stmt::Return(_) | Stmt::For(_));
    // Of a loop only what it runs over comes first, and once.
    let part = statement.as_for_stmt().map_or(statement.range(), |s| s.iter.range());
    let mut calls = Calls { load, first: simple && part.contains_range(load) };
    calls.visit_stmt(statement);
    calls.first
}

/// The edits that take away the head of `with` and move its body to the left.
fn dedented(place: &Place<'_>, with: &ast::StmtWith, first: &Stmt) -> Option<Vec<Edit>> {
    let source = place.source();
    let (outer, inner) = (source.indentation(with.start()), source.indentation(first.start()));
    let extra = inner.strip_prefix(outer).filter(|e| !e.is_empty()).map(TextSize::of)?;
    let (start, first_line) = (source.line_start(with.start()), source.line_start(first.start()));
    // A string over several lines would change.
    let is_break = |kind| matches!(kind, TokenKind::Newline | TokenKind::NonLogicalNewline);
    let is_long = |t: &Token| !is_break(t.kind()) && source.slice(t.range()).contains(['\n', '\r']);
    let body = TextRange::new(first.start(), with.end());
    let is_plain = place.has_own_lines(with.range) && place.has_own_lines(first.range()) && first_line != start;
    if !is_plain || source.tokens().in_range(body).iter().any(is_long) {
        return None;
    }
    let mut edits = vec![Edit::delete(TextRange::new(start, first_line + extra))];
    let mut line = source.full_line_end(first.start());
    while line < body.end() {
        let next = source.full_line_end(line);
        let text = source.slice(TextRange::new(line, next));
        if text.starts_with(inner) {
            edits.push(Edit::delete(TextRange::at(line, extra)));
        } else if !text.trim().is_empty() {
            return None;
        }
        line = next;
    }
    Some(edits)
}

impl<'x> Loads<'_, 'x> {
    /// Look through an `if`, whose tests may tell which files are there: in its branches, and after it where a branch leaves.
    fn branches(&mut self, s: &'x ast::StmtIf) {
        let known = self.there.len();
        for (test, body) in branches(s) {
            if let Some(test) = test {
                self.visit_expr(test);
                let before = self.there.len();
                self.there.extend(there::tested(self.place, test, true));
                self.visit_body(body);
                self.there.truncate(before);
                self.there.extend(there::tested(self.place, test, false));
            } else {
                self.visit_body(body);
            }
        }
        let leaves = matches!(s.body.last(), Some(Stmt::Return(_) | Stmt::Raise(_) | Stmt::Continue(_) | Stmt::Break(_)));
        let keeps = leaves && s.elif_else_clauses.is_empty();
        self.there.truncate(if keeps { self.there.len() } else { known });
    }
}

impl<'x> SourceOrderVisitor<'x> for Loads<'_, 'x> {
    fn visit_body(&mut self, body: &'x [Stmt]) {
        let known = self.there.len();
        source_order::walk_body(self, body);
        self.there.truncate(known);
    }

    fn visit_stmt(&mut self, statement: &'x Stmt) {
        if matches!(statement, Stmt::FunctionDef(_) | Stmt::ClassDef(_)) {
            // Scopes of their own.
            return;
        }
        let outer = self.statement.replace(statement);
        let is_try = u32::from(statement.as_try_stmt().is_some_and(|s| !s.handlers.is_empty()));
        if let Stmt::With(with) = statement
            && self.tries == 0
        {
            let _ = self.block(with);
        }
        self.tries += is_try;
        match statement {
            Stmt::If(s) => self.branches(s),
            _ => source_order::walk_stmt(self, statement),
        }
        self.tries -= is_try;
        if let Stmt::Assert(s) = statement {
            self.there.extend(there::tested(self.place, &s.test, true));
        }
        self.statement = outer;
    }

    fn visit_expr(&mut self, expr: &'x Expr) {
        if let Expr::Call(call) = expr {
            if self.tries == 0 {
                let _ = self.direct(call);
            } else if self.loaded(call).is_some_and(|argument| self.opened(argument).is_some()) {
                let _: Option<()> = self.left(call.range(), 75, "a handler around it answers for what opening the file raises");
            }
            self.other(call);
        }
        source_order::walk_expr(self, expr);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::passes::testing::{applied, findings};

    const HEADER: &str = "import glob, os\nfrom pathlib import Path\nfrom typing import Optional, Union\nimport mlx.core as mx\n";

    fn fixed(text: &str) -> String {
        applied(find, &format!("{HEADER}{text}"), Applicability::Unsafe)[HEADER.len()..].to_owned()
    }

    fn stays(text: &str) {
        let text = format!("{HEADER}{text}");
        assert_eq!(applied(find, &text, Applicability::Unsafe), text);
    }

    /// What is assumed besides that the file is there.
    fn assumptions(text: &str) -> usize {
        let found = findings(find, &format!("{HEADER}{text}"));
        assert_eq!(found.len(), 1, "{text}");
        found[0].assumptions.iter().filter(|a| !a.contains("is there")).count()
    }

    #[test]
    fn a_file_that_may_be_missing_is_an_assumption() {
        let load = "mx.load(open(p, 'rb'))";
        let safe = |text: &str| findings(find, &format!("{HEADER}{text}")).iter().all(|f| f.applicability == Applicability::Safe);
        for text in [
            "for p in sorted(glob.glob('*.npz')):\n    w = LOAD\n",
            "for p in Path('a').iterdir():\n    w = LOAD\n",
            "p = glob.glob('*.npz')[0]\nw = LOAD\n",
            "d = 'a'\nfor n in os.listdir(d):\n    p = os.path.join(d, n)\n    w = LOAD\n",
            "def f(p: Path):\n    if p.exists():\n        return LOAD\n",
            "def f(p: str):\n    if x and os.path.isfile(p):\n        return [LOAD]\n",
            "def f(p: str):\n    if not os.path.exists(p):\n        raise ValueError(p)\n    return LOAD\n",
            "def f(p: str):\n    if not os.path.exists(p) or x:\n        return None\n    else:\n        return LOAD\n",
            "def f(p: Path):\n    assert p.is_file(), p\n    with open(p, 'rb') as file:\n        return mx.load(file)\n",
        ] {
            assert!(safe(&text.replace("LOAD", load)), "{text}");
        }
        for text in [
            "def f(p: Path):\n    return LOAD\n",
            "p = 'a.npz'\nw = LOAD\n",
            "def f(p: Path):\n    if p.exists():\n        print(p)\n    return LOAD\n",
            "def f(p: Path):\n    if not p.exists():\n        print(p)\n    return LOAD\n",
            "def f(p: Path, q: Path):\n    if q.exists():\n        return LOAD\n",
            "def f(p: Path):\n    if p.exists() or x:\n        return LOAD\n",
            "def f(p: Path):\n    for _ in x:\n        assert p.exists()\n    return LOAD\n",
            "def f(p: Path):\n    if p.exists():\n        p = p / 'w.npz'\n        return LOAD\n",
            "def f(d: str, e: str):\n    for n in os.listdir(d):\n        p = os.path.join(e, n)\n        w = LOAD\n",
        ] {
            assert!(!safe(&text.replace("LOAD", load)), "{text}");
        }
    }

    #[test]
    fn a_string_or_a_path_is_known_by_its_origin() {
        for path in [
            "'a.npz'",
            "str(x)",
            "Path(x)",
            "Path(x).expanduser() / x",
            "x / Path(x).parent",
            "os.path.join(x, 'a.npz')",
            "os.path.expanduser('~/a.npz')",
            "f'{x}.npz'",
            "'%s.npz' % x",
            "'a' + '.npz'",
            "Path(x) if x else 'a.npz'",
        ] {
            assert_eq!(fixed(&format!("p = {path}\nw = mx.load(open(p, 'rb'))\n")), format!("p = {path}\nw = mx.load(p)\n"), "{path}");
        }
        let annotations =
            [("str", 0), ("Path", 0), ("'str'", 0), ("str | Path", 0), ("Union[str, Path]", 0), ("Optional[str]", 1), ("os.PathLike", 1)];
        for (annotation, unproved) in annotations {
            assert_eq!(assumptions(&format!("def f(p: {annotation}):\n    return mx.load(open(p, 'rb'))\n")), unproved, "{annotation}");
        }
        for iterable in ["glob.glob('*.npz')", "sorted(Path(x).glob('*.npz'))", "list(Path(x).iterdir())"] {
            assert_eq!(assumptions(&format!("for p in {iterable}:\n    w = mx.load(open(p, 'rb'))\n")), 0, "{iterable}");
        }
        for path in ["x", "x / 'a.npz'", "os.path.join(x, y)", "hf_hub_download(x)", "glob.glob(x)[0]", "x + '.npz'"] {
            assert_eq!(assumptions(&format!("w = mx.load(open({path}, 'rb'))\n")), 1, "{path}");
        }
        for path in ["3", "b'a.npz'", "x.fileno()", "'a.npz'.encode()", "[1]"] {
            stays(&format!("w = mx.load(open({path}, 'rb'))\n"));
        }
    }

    #[test]
    fn only_a_plain_open_for_reading_bytes_counts() {
        let opens =
            ["open('a')", "open('a', 'r')", "open('a', mode)", "open('a', 'rb', 0)", "open('a', 'r+b')", "io.open('a', 'rb')", "x.open('rb')"];
        for open in opens {
            stays(&format!("w = mx.load({open})\n"));
        }
        stays("def open(p, mode):\n    return p\nw = mx.load(open('a', 'rb'))\n");
        stays("w = load(open('a', 'rb'))\n");
        stays("w = mx.load(open('a', 'rb'  # bytes\n    ))\n");
        assert_eq!(fixed("w = mx.load(open('a', mode='rb'), 'npz')\n"), "w = mx.load('a', 'npz')\n");
        assert_eq!(fixed("w = mx.load(Path('a').open('rb'))\n"), "w = mx.load(Path('a'))\n");
    }

    #[test]
    fn a_block_goes_with_its_indentation() {
        let text = "def f(p: str):\r\n\twith open(p, 'rb') as f:\r\n\t\tw = mx.load(f)\r\n\r\n\t\t# Only these.\r\n\t\treturn [w[k] for k in w\r\n\t\t        if k]\r\n\treturn 1\r\n";
        let after = "def f(p: str):\r\n\tw = mx.load(p)\r\n\r\n\t# Only these.\r\n\treturn [w[k] for k in w\r\n\t        if k]\r\n\treturn 1\r\n";
        assert_eq!(fixed(text), after);
        for body in [
            "with open('a', 'rb') as f:\n    w = mx.load(f)\n    t = '''\n    x'''\n",
            "with open('a', 'rb') as f:  # weights\n    w = mx.load(f)\n",
            "with open('a', 'rb') as f: w = mx.load(f)\n",
            "with open('a', 'rb') as f, lock:\n    w = mx.load(f)\n",
            "with open('a', 'rb') as f:\n    w = mx.load(f)\nprint(f.name)\n",
            "with open('a', 'rb') as f:\n    w = mx.load(f)\ndef g():\n    return f\n",
            "with open('a', 'rb') as f:\n    w = mx.load(f), f.tell()\n",
            "with open('a', 'rb') as f:\n    w = [mx.load(f) for _ in x]\n",
            "with open('a', 'rb') as f:\n    w = x() + mx.load(f)\n",
            "with open('a', 'rb') as f:\n    if x:\n        w = mx.load(f)\n",
            "with open('a', 'rb') as f:\n    w = mx.load(g, f)\n",
        ] {
            stays(body);
        }
    }

    #[test]
    fn a_name_of_the_module_stays_bound() {
        let text = "import mlx.core as mx\nwith open('w.npz', 'rb') as f:\n    w = mx.load(f)\n";
        assert_eq!(applied(find, text, Applicability::Unsafe), text);
    }

    #[test]
    fn a_name_that_is_read_too_early_stays_bound() {
        let text = "import mlx.core as mx\ndef g(path: str):\n    for p in f(path):\n        with open(p, 'rb') as f:\n            w = mx.load(f)\n    return w\n";
        assert_eq!(applied(find, text, Applicability::Unsafe), text);
    }

    #[test]
    fn a_name_that_is_read_too_early_stays_bound_however_often_it_is_bound() {
        let twice = "    with open(path, 'rb') as f:\n        w = mx.load(f)\n    with open(path, 'rb') as f:\n        v = mx.load(f)\n";
        let early = format!("import mlx.core as mx\ndef g(path: str):\n    print(f(path))\n{twice}");
        assert_eq!(applied(find, &early, Applicability::Unsafe), early);
        let text = format!("import mlx.core as mx\ndef g(path: str):\n{twice}");
        let after = "import mlx.core as mx\ndef g(path: str):\n    w = mx.load(path)\n    v = mx.load(path)\n";
        assert_eq!(applied(find, &text, Applicability::Unsafe), after);
    }

    #[test]
    fn whatever_might_notice_is_an_assumption() {
        let load = "w = mx.load(open('a', 'rb'))\n";
        assert_eq!(assumptions(load), 0);
        assert_eq!(assumptions(&format!("{load}mx.save_safetensors('a', w)\n")), 1);
        assert_eq!(assumptions(&format!("import threading\n{load}")), 1);
        stays("try:\n    w = mx.load(open('a', 'rb'))\nexcept Exception:\n    w = 1\n");
        assert_eq!(assumptions("try:\n    w = mx.load(open('a', 'rb'))\nfinally:\n    x()\n"), 0);
    }
}
