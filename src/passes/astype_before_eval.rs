//! Weights that are evaluated and then cast: `mx.eval(w)` moves behind the cast that follows it.
//!
//! Neither statement depends on the other, so values, dtypes and keys stay the same; only what is in memory at once changes. The move is proposed where it
//! can free something: nothing between the evaluation and the cast speaks of the arrays, and nothing of this scope holds the uncast ones afterwards.

mod between;
mod cast;

use crate::finding::{Applicability, Contract, Finding, Hinges, Kept, Notes, Numerics, Proposal, TransformId};
use crate::graph::Analysis;
use crate::graph::modules::module_class;
use crate::graph::value::{Op, ValueId};
use crate::syntax::ast::{self, Expr, Stmt};
use crate::syntax::{Edit, Ranged, TextRange, TextSize};

use crate::place::Place;
use crate::place::blocks;
use cast::{Form, cast};

/// So many assignments of other things may stand between the evaluation and the cast.
const MAX_BETWEEN: usize = 3;

/// Find every evaluation that is followed by a cast of what it evaluates.
pub fn find(analysis: &Analysis<'_>, id: &TransformId, notes: &Notes) -> Vec<Proposal> {
    let text = analysis.source.text().as_bytes();
    let has = |word: &str| memchr::memmem::find(text, word.as_bytes()).is_some();
    if !notes.are_kept() && (!has("eval") || !(has("astype") || has("set_dtype"))) {
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
        for (n, statement) in body.iter().enumerate() {
            if let Some(cast) = cast(self.place, statement)
                && !body[..n].iter().any(|s| self.evaluation(s).is_some())
            {
                let reason = || format!("nothing is evaluated before the cast of `{}`", cast.from);
                self.place.notes.left::<()>(statement.range(), statement.range(), 30, reason);
            }
            if let Some(call) = self.evaluation(statement) {
                let proposal = self.propose(statement, call, &body[n + 1..]);
                found.extend(proposal);
            }
        }
        found
    }
}

/// How an argument of `mx.eval` names what it evaluates.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Argument {
    /// `w`
    Whole,
    /// `*w`
    Spread,
    /// `w.values()`, in some wrapping.
    Values,
    /// `w.parameters()`
    Parameters,
}

/// What is evaluated, and how it is called after its casts.
struct Evaluated<'x> {
    name: &'x ast::ExprName,
    argument: Argument,
    casts: usize,
    /// What it is where its arrays can be evaluated one by one: a dictionary or a list.
    collection: Option<Form>,
}

/// What keeps an evaluation where it is.
#[derive(Clone, Copy)]
enum Obstacle {
    /// A statement before the cast.
    Between,
    /// The cast is of something else.
    Form,
    /// Others hold the arrays.
    Held,
}

impl<'x> Blocks<'_, 'x> {
    fn evaluation(&self, statement: &'x Stmt) -> Option<&'x ast::ExprCall> {
        let Stmt::Expr(expr) = statement else { return None };
        let Expr::Call(call) = &*expr.value else { return None };
        let is_eval = call.arguments.keywords.is_empty() && self.place.path(&call.func)? == "mlx.core.eval";
        is_eval.then_some(call)
    }

    fn propose(&self, evaluation: &'x Stmt, call: &'x ast::ExprCall, after: &'x [Stmt]) -> Option<Proposal> {
        let mut evaluated: Vec<Evaluated<'x>> = call.arguments.args.iter().filter_map(argument).collect();
        let mut last = None;
        let mut assumptions = Vec::new();
        let mut calls = Vec::new();
        let mut obstacle = None;
        for (n, statement) in after.iter().enumerate() {
            let own = cast(self.place, statement).and_then(|c| evaluated.iter_mut().find(|e| e.name.id == *c.from).map(|e| (c, e)));
            let Some((cast, one)) = own else {
                match between::lets_pass(self.place, statement, call) {
                    Some(calls_something) if last.is_none() && calls.len() < MAX_BETWEEN => calls.push(calls_something),
                    _ => {
                        obstacle = Some((statement, Obstacle::Between));
                        break;
                    }
                }
                continue;
            };
            if !self.place.has_own_lines(statement.range()) || !fits(one.argument, cast.form) {
                obstacle = Some((statement, Obstacle::Form));
                break;
            }
            match cast.form {
                Form::Module => assumptions.extend(self.module_assumption(one.name)),
                // Another name leaves the uncast arrays to the first.
                _ if cast.to != cast.from || (one.casts == 0 && !self.is_only_here(one.name, evaluation)) => {
                    obstacle = Some((statement, Obstacle::Held));
                    break;
                }
                _ => {}
            }
            one.casts += 1;
            one.collection = matches!(cast.form, Form::Dict | Form::List).then_some(cast.form);
            last = Some((n, statement));
        }
        let Some((n, last)) = last else { return self.left(evaluation, &evaluated, after, obstacle) };
        if calls.contains(&true) {
            assumptions.push("no call between the two needs the arrays evaluated".to_owned());
        }
        if !self.place.has_own_lines(evaluation.range()) {
            return None;
        }
        evaluated.retain(|e| e.casts > 0);
        let next = after.get(n + 1);
        let edits = self.edits(evaluation, last, next);
        Some(self.proposal(TextRange::new(evaluation.start(), last.end()), &evaluated, assumptions, edits))
    }

    /// Note why `evaluation` stays where it is.
    fn left<T>(&self, evaluation: &Stmt, evaluated: &[Evaluated<'x>], after: &[Stmt], obstacle: Option<(&Stmt, Obstacle)>) -> Option<T> {
        let name = evaluated.first()?.name.id.as_str();
        let is_cast_later = || after.iter().filter_map(|s| cast(self.place, s)).any(|c| evaluated.iter().any(|e| e.name.id == *c.from));
        let text = |s: &Stmt| self.place.source().slice(s.range()).lines().next().unwrap_or_default().to_owned();
        let (likeness, reason) = match obstacle {
            Some((_, Obstacle::Held)) => {
                (75, format!("the uncast arrays are held by more than the cast of `{name}`, so that casting first would free nothing"))
            }
            Some((_, Obstacle::Form)) => (75, "what is evaluated is not the whole of what is cast".to_owned()),
            Some((between, Obstacle::Between)) if self.place.notes.are_kept() && is_cast_later() => {
                (75, format!("`{}` stands between the evaluation and the cast, and may need the arrays or tell the time", text(between)))
            }
            _ => (40, format!("no cast of `{name}` whose result gets a name follows")),
        };
        let at = obstacle.map_or(evaluation.range(), |(s, _)| if likeness > 40 { s.range() } else { evaluation.range() });
        self.place.notes.left(evaluation.range(), at, likeness, || reason)
    }

    /// Whether the uncast arrays are held by `name` alone.
    fn is_only_here(&self, name: &ast::ExprName, evaluation: &Stmt) -> bool {
        let place = self.place;
        let graph = &place.analysis.graph;
        let (Some(symbol), Some(value)) = (graph.known_symbol(&name.id), place.value_of(&name.id, name.range.start())) else { return false };
        if place.body.names_of(value, evaluation.start()) != [symbol] {
            return false;
        }
        // The caller of a function holds what it passes in, and who has the whole has its parts.
        let mut whole = value;
        while let (Op::Index(_) | Op::Attr(..) | Op::Item(_) | Op::Element(..), operands) = graph.get(whole) {
            whole = operands[0];
        }
        let is_held = |v: ValueId| !place.body.names_of(v, evaluation.start()).is_empty();
        !(matches!(graph.op(whole), Op::Param(..) | Op::Captured(..) | Op::ModuleName(_)) || (whole != value && is_held(whole)))
    }

    /// What must be assumed of a name that is used like a module.
    fn module_assumption(&self, name: &ast::ExprName) -> Option<String> {
        let value = self.place.value_of(&name.id, name.range.start());
        let proved = value.is_some_and(|v| self.is_module(v));
        (!proved).then(|| format!("`{}` is a module of `mlx.nn`", name.id))
    }

    fn is_module(&self, value: ValueId) -> bool {
        let analysis = self.place.analysis;
        let class = match analysis.graph.get(value) {
            (Op::Call(..), operands) => match analysis.graph.op(operands[0]) {
                Op::Class(name) => analysis.definitions.class_named(name),
                _ => return module_class(&analysis.graph, value).is_some_and(|c| c.starts_with(char::is_uppercase)),
            },
            _ => analysis.classes.receiver(value),
        };
        let Some(class) = class.map(|c| &analysis.definitions.classes[c]) else { return false };
        class.ast.bases().iter().any(|base| self.place.path(base).is_some_and(|p| p == "mlx.nn.Module"))
    }

    /// Take the evaluation, with the comments that belong to it, out of its place and put it behind `last`.
    fn edits(&self, evaluation: &Stmt, last: &Stmt, next: Option<&Stmt>) -> Vec<Edit> {
        let source = self.place.source();
        let from = TextRange::new(self.first_comment_above(evaluation.range()), source.full_line_end(evaluation.end()));
        let moved = source.slice(from).to_owned();
        let is_there = next.is_some_and(|s| source.slice(s.range()) == moved.trim()) && source.comments_in(from).is_empty();
        if is_there {
            return vec![Edit::delete(from)];
        }
        let to = source.full_line_end(last.end());
        let ends_in_newline = source.slice(TextRange::new(last.end(), to)).ends_with(['\n', '\r']);
        let content = if ends_in_newline { moved } else { format!("{}{}", source.newline(), moved.trim_end_matches(['\n', '\r'])) };
        vec![Edit::delete(from), Edit::insert(to, content)]
    }

    /// Where the comment lines directly above `statement` begin, or its own line.
    fn first_comment_above(&self, statement: TextRange) -> TextSize {
        let source = self.place.source();
        let indentation = source.indentation(statement.start());
        let mut start = source.line_start(statement.start());
        while start > TextRange::default().start() {
            let above = source.line_start(start - TextSize::new(1));
            let line = TextRange::new(above, start);
            let is_comment = source.comments_in(line).first().is_some_and(|c| source.slice(TextRange::new(above, c.start())) == indentation);
            if !is_comment {
                break;
            }
            start = above;
        }
        start
    }

    fn proposal(&self, range: TextRange, evaluated: &[Evaluated<'_>], assumptions: Vec<String>, edits: Vec<Edit>) -> Proposal {
        let names = evaluated.iter().map(|e| format!("`{}`", e.name.id)).collect::<Vec<_>>().join(" and ");
        let (are, each) = if evaluated.len() == 1 { ("is", "it") } else { ("are", "them") };
        let mut rationale = vec![
            "2 copies of every array at once before, in the old dtype and in the new one; evaluated after the cast, each old array can be freed as soon as its cast is done.".to_owned(),
            "The saving grows with the number of arrays; with a few large ones the loads run ahead of the casts.".to_owned(),
        ];
        if let Some((one, form)) = evaluated.iter().find_map(|e| Some((e, e.collection?))) {
            let values = if form == Form::Dict { ".values()" } else { "" };
            let arrays = format!("{}{values}", one.name.id);
            rationale.push(format!(
                "Evaluated one by one, `for array in {arrays}: mx.eval(array)`, they need 0.50 to 0.58 of the file from 12 arrays up (on a CPU)."
            ));
        }
        Proposal {
            finding: Finding {
                transform: self.id.clone(),
                range,
                applicability: if assumptions.is_empty() { Applicability::Safe } else { Applicability::Unsafe },
                numerics: Some(Numerics::Exact),
                message: format!("{names} {are} evaluated and then cast: cast {each} first, then evaluate"),
                rationale,
                assumptions,
                guide: String::new(),
                edits,
                hinges: Hinges::default(),
            },
            contract: Contract::Statements(Kept::Values),
        }
    }
}

/// What an argument of `mx.eval` evaluates, if it is the whole of something that has a name.
fn argument(expr: &Expr) -> Option<Evaluated<'_>> {
    let (name, argument) = match expr {
        Expr::Name(name) => (name, Argument::Whole),
        Expr::Starred(starred) => match &*starred.value {
            Expr::Name(name) => (name, Argument::Spread),
            inner => (values_of(inner)?, Argument::Values),
        },
        Expr::Call(call) => match method_of(call) {
            Some((name, "parameters" | "trainable_parameters")) => (name, Argument::Parameters),
            _ => (values_of(expr)?, Argument::Values),
        },
        _ => return None,
    };
    Some(Evaluated { name, argument, casts: 0, collection: None })
}

/// `w` in `w.values()` and `list(w.values())`.
fn values_of(expr: &Expr) -> Option<&ast::ExprName> {
    let Expr::Call(call) = expr else { return None };
    if let Some((name, "values")) = method_of(call) {
        return Some(name);
    }
    match (&*call.func, &*call.arguments.args) {
        (Expr::Name(wrapper), [inner]) if matches!(wrapper.id.as_str(), "list" | "tuple") => values_of(inner),
        _ => None,
    }
}

/// The name and the method in `name.method()`.
fn method_of(call: &ast::ExprCall) -> Option<(&ast::ExprName, &str)> {
    let Expr::Attribute(attribute) = &*call.func else { return None };
    let Expr::Name(name) = &*attribute.value else { return None };
    call.arguments.is_empty().then_some((name, attribute.attr.as_str()))
}

/// Whether an argument of this form still names the same arrays after such a cast.
fn fits(argument: Argument, form: Form) -> bool {
    match argument {
        Argument::Whole => true,
        Argument::Spread => matches!(form, Form::List | Form::Tree),
        Argument::Values => matches!(form, Form::Dict | Form::Tree),
        Argument::Parameters => form == Form::Module,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::passes::testing::{applied, findings};

    /// What becomes of the function body `body`, under the admission `admit`.
    fn fixed(body: &str, admit: Applicability) -> String {
        let header = "import mlx.core as mx\nimport mlx.nn as nn\nfrom mlx.utils import tree_map\ndef f(path, dt, given):\n";
        let indented: String = body.lines().map(|l| if l.is_empty() { "\n".to_owned() } else { format!("    {l}\n") }).collect();
        let fixed = applied(find, &format!("{header}{indented}"), admit);
        fixed[header.len()..].lines().map(|l| format!("{}\n", l.strip_prefix("    ").unwrap_or(l))).collect()
    }

    fn safe(body: &str) -> String {
        fixed(body, Applicability::Safe)
    }

    const CAST: &str = "w = {k: v.astype(dt) for k, v in w.items()}\n";

    #[test]
    fn the_specification_is_met_word_for_word() {
        let text = std::fs::read_to_string("transforms/astype_before_eval.py").expect("there");
        let of = |name: &str| text.split_once(&format!("def {name}(")).expect("defined").1.split("\n\n").next().expect("a body").trim_end();
        let before = format!("import mlx.core as mx\n\n\ndef f({}\n", of("before"));
        let after = format!("import mlx.core as mx\n\n\ndef f({}\n", of("after"));
        assert_eq!(applied(find, &before, Applicability::Safe), after);
    }

    #[test]
    fn every_example_changes_and_no_near_miss_does() {
        let matches = std::fs::read_to_string("examples/astype_before_eval/match.py").expect("there");
        assert_eq!(findings(find, &matches).len(), matches.matches("\ndef ").count());
        let misses = std::fs::read_to_string("examples/astype_before_eval/near_miss.py").expect("there");
        assert_eq!(applied(find, &misses, Applicability::Unsafe), misses);
    }

    #[test]
    fn every_form_of_evaluation_and_cast_is_known() {
        for (eval, cast) in [
            ("mx.eval(w)", "w = {k: v.astype(dt) for k, v in w.items()}"),
            ("mx.eval(*w.values())", "w = {k: v.astype(dt) for k, v in w.items() if 'rotary' not in k}"),
            ("mx.eval(list(w.values()))", "w = tree_map(lambda p: p.astype(dt), w)"),
            ("mx.eval(w, given)", "w = {k: v if v.dtype == mx.uint32 else v.astype(dt) for k, v in w.items()}"),
            ("mx.eval(w)", "w: dict = tree_map(lambda p: p.astype(dt), w)"),
            ("mx.eval(w)", "w = [(k, v.astype(dt)) for k, v in w]"),
            ("mx.eval(*w)", "w = [v.astype(dt) for v in w]"),
            ("mx.eval(w)", "w = w.astype(given.dtype)"),
            ("mx.eval(w)", "for k in w:\n    w[k] = w[k].astype(dt)"),
            ("mx.eval(w)", "for k, v in w.items():\n    w[k] = v.astype(dt)"),
        ] {
            assert_eq!(safe(&format!("w = mx.load(path)\n{eval}\n{cast}\n")), format!("w = mx.load(path)\n{cast}\n{eval}\n"));
        }
        for cast in ["m.set_dtype(dt)", "m.apply(lambda p: p.astype(dt))", "m.update(tree_map(lambda p: p.astype(dt), m.parameters()))"] {
            assert_eq!(
                safe(&format!("m = nn.Linear(2, 2)\nmx.eval(m.parameters())\n{cast}\n")),
                format!("m = nn.Linear(2, 2)\n{cast}\nmx.eval(m.parameters())\n")
            );
        }
    }

    #[test]
    fn a_module_from_elsewhere_is_an_assumption() {
        let body = "mx.eval(given.parameters())\ngiven.set_dtype(dt)\n";
        assert_eq!(safe(body), body);
        assert_eq!(fixed(body, Applicability::Unsafe), "given.set_dtype(dt)\nmx.eval(given.parameters())\n");
    }

    #[test]
    fn other_assignments_may_stand_between() {
        let body = "w = mx.load(path)\nmx.eval(w)\nn = given\nw = w.astype(dt)\n";
        assert_eq!(safe(body), "w = mx.load(path)\nn = given\nw = w.astype(dt)\nmx.eval(w)\n");
        let called = body.replace("n = given", "n = given(path)");
        assert_eq!(safe(&called), called);
        assert_eq!(fixed(&called, Applicability::Unsafe), "w = mx.load(path)\nn = given(path)\nw = w.astype(dt)\nmx.eval(w)\n");
        for between in
            ["n = len(w)", "n = mx.get_peak_memory()", "print(n)", "n = (w := given)", "del n", "if n:\n    n = 1", "given.n = 1", "path.unlink()"]
        {
            let body = body.replace("n = given", between);
            assert_eq!(fixed(&body, Applicability::Unsafe), body);
        }
    }

    #[test]
    fn comments_and_layout_move_along() {
        let body =
            "w = mx.load(path)\n\n# Into memory.\nmx.eval(  # now\n    w\n)  # all\n# To half precision.\nw = w.astype(dt)  # half\nreturn w\n";
        let after =
            "w = mx.load(path)\n\n# To half precision.\nw = w.astype(dt)  # half\n# Into memory.\nmx.eval(  # now\n    w\n)  # all\nreturn w\n";
        assert_eq!(safe(body), after);
    }

    #[test]
    fn line_endings_stay_and_the_last_line_may_have_none() {
        let text = "import mlx.core as mx\r\nw = mx.load('x')\r\nmx.eval(w)\r\nw = {k: v.astype(mx.float16) for k, v in w.items()}";
        let after = "import mlx.core as mx\r\nw = mx.load('x')\r\nw = {k: v.astype(mx.float16) for k, v in w.items()}\r\nmx.eval(w)";
        assert_eq!(applied(find, text, Applicability::Safe), after);
    }

    #[test]
    fn several_casts_are_one_move() {
        let body = "a = mx.load(path)['a']\nb = mx.load(path)['b']\nmx.eval(a, b)\na = a.astype(dt)\nb = b.astype(dt)\nreturn a, b\n";
        let after = "a = mx.load(path)['a']\nb = mx.load(path)['b']\na = a.astype(dt)\nb = b.astype(dt)\nmx.eval(a, b)\nreturn a, b\n";
        assert_eq!(safe(body), after);
    }

    #[test]
    fn an_evaluation_that_is_there_already_is_not_repeated() {
        assert_eq!(safe(&format!("w = mx.load(path)\nmx.eval(w)\n{CAST}mx.eval(w)\n")), format!("w = mx.load(path)\n{CAST}mx.eval(w)\n"));
    }

    #[test]
    fn what_is_still_held_saves_nothing() {
        for body in [
            "w = given['w']\nmx.eval(w)\nw = w.astype(dt)\n",
            "all = mx.load(path)\nw = all['w']\nmx.eval(w)\nw = w.astype(dt)\nreturn w, all\n",
            "w = mx.load(path)\nmx.eval(w)\nh = w.astype(dt)\nreturn h\n",
        ] {
            assert_eq!(fixed(body, Applicability::Unsafe), body);
        }
    }

    #[test]
    fn what_does_more_than_cast_stays() {
        for cast in [
            "w = {k: v.astype(dt) * 2 for k, v in w.items()}",
            "w = {k: v.astype(dt) if v.max().item() > 1 else v for k, v in w.items()}",
            "w = {v: v.astype(dt) for k, v in w.items()}",
            "w = {k: v.astype(dt) for k, v in given.items()}",
            "w = w.astype(dt); print(w)",
            "w = tree_map(lambda p: p.T, w)",
            "for k in w:\n    w[k] = given[k].astype(dt)",
        ] {
            let body = format!("w = mx.load(path)\nmx.eval(w)\n{cast}\n");
            assert_eq!(fixed(&body, Applicability::Unsafe), body);
        }
        let list_of_values = "w = mx.load(path)\nmx.eval(*w.values())\nw = [v.astype(dt) for v in w]\n";
        assert_eq!(fixed(list_of_values, Applicability::Unsafe), list_of_values);
    }

    #[test]
    fn a_helper_that_only_casts_is_that_cast() {
        let text = |helper: &str, cast: &str| {
            format!("import mlx.core as mx\n{helper}\ndef f(p, given):\n    w = mx.load(p)\n    mx.eval(w)\n    w = {cast}\n    return w\n")
        };
        let half = "def half(w):\n    'To half precision.'\n    return {k: v.astype(mx.float16) for k, v in w.items()}\n";
        let moved = text(half, "half(w)").replace("    mx.eval(w)\n    w = half(w)\n", "    w = half(w)\n    mx.eval(w)\n");
        assert_eq!(applied(find, &text(half, "half(w)"), Applicability::Safe), moved);
        for (helper, cast) in [
            (half.replace("'To half precision.'", "print(w)"), "half(w)"),
            (half.replace("in w.items()", "in other.items()"), "half(w)"),
            (half.replace("def half(w)", "@cached\ndef half(w)"), "half(w)"),
            (half.replace("def half(w)", "def half(w, v=1)"), "half(w)"),
            (half.to_owned(), "half(given)"),
            (half.to_owned(), "given.half(w)"),
            ("def half(w):\n    return half(w)\n".to_owned(), "half(w)"),
        ] {
            let text = text(&helper, cast);
            assert_eq!(applied(find, &text, Applicability::Unsafe), text);
        }
    }

    #[test]
    fn only_the_eval_of_mlx_counts() {
        let body = "w = mx.load(path)\neval(w)\nw = w.astype(dt)\n";
        assert_eq!(fixed(body, Applicability::Unsafe), body);
        let text = "from mlx.core import eval as force, load\ndef f(p, d):\n    w = load(p)\n    force(w)\n    w = w.astype(d)\n    return w\n";
        assert!(applied(find, text, Applicability::Safe).contains("    w = w.astype(d)\n    force(w)\n"));
    }
}
