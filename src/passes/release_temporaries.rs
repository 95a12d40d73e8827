//! Gradients that a name keeps alive while `mx.eval` computes: `del grads` goes before the evaluation.
//!
//! Deleting a name that nothing reads any more changes nothing but when memory is free. The gradients are what is passed to an optimizer, and what that was made
//! of by clipping or averaging; if anything else holds one of these trees nothing would be free, and nothing is proposed. [`life`] says whether a name is dead.

mod life;

use crate::finding::{Applicability, Contract, Finding, Hinges, Kept, MEASURED, Notes, Numerics, Proposal, TransformId};
use crate::graph::Analysis;
use crate::graph::memo::Memo;
use crate::graph::value::{Op, ValueId};
use crate::syntax::ast::{self, Expr, Stmt};
use crate::syntax::{Edit, Ranged, TextRange};

use crate::place::Place;
use crate::place::blocks;
use crate::place::expressions::applied_gradients;
use life::{Block, names_in};

/// So many statements may stand between the update and the evaluation.
const MAX_BETWEEN: usize = 4;

/// What was measured where most of the model is frozen.
const ADAPTERS: &str =
    "of adapters of rank 8 on a frozen model: the same peak memory with and without (CPU); where all of that model is trained, 0.83 of it.";

/// What makes of a function one that gives gradients.
const MAKERS: [&str; 3] = ["mlx.nn.value_and_grad", "mlx.core.value_and_grad", "mlx.core.grad"];

/// Longer chains from a tree back to the function that gave it are not followed.
const MAX_DEPTH: u32 = 100;

/// What makes one tree of gradients out of another and keeps neither.
const OF_GRADIENTS: [&str; 5] = [
    "mlx.optimizers.clip_grad_norm",
    "mlx.optimizers.optimizers.clip_grad_norm",
    "mlx.nn.average_gradients",
    "mlx.nn.utils.average_gradients",
    "mlx.utils.tree_map",
];

/// Find every evaluation during which a name holds gradients.
pub fn find(analysis: &Analysis<'_>, id: &TransformId, notes: &Notes) -> Vec<Proposal> {
    let text = analysis.source.text().as_bytes();
    let has = |word: &str| memchr::memmem::find(text, word.as_bytes()).is_some();
    if !has("eval") || !(has("update") || has("apply_gradients")) {
        return Vec::new();
    }
    blocks::each(
        analysis,
        notes,
        |place, block| if place.is_function() || place.is_module() { Blocks { place, id }.in_block(block) } else { Vec::new() },
    )
}

/// Looks at the blocks of one scope.
struct Blocks<'p, 'x> {
    place: &'p Place<'x>,
    id: &'p TransformId,
}

impl<'x> Blocks<'_, 'x> {
    fn in_block(&self, body: &'x [Stmt]) -> Vec<Proposal> {
        let mut found = Vec::new();
        for (at, statement) in body.iter().enumerate() {
            if let Some(call) = self.evaluation(statement) {
                let proposal = self.propose(body, at, call);
                found.extend(proposal);
            }
        }
        found
    }
}

impl<'x> Blocks<'_, 'x> {
    fn evaluation(&self, statement: &'x Stmt) -> Option<&'x ast::ExprCall> {
        let Stmt::Expr(expr) = statement else { return None };
        let call = expr.value.as_call_expr()?;
        (self.place.path(&call.func)? == "mlx.core.eval").then_some(call)
    }

    fn propose(&self, body: &'x [Stmt], at: usize, evaluation: &'x ast::ExprCall) -> Option<Proposal> {
        let left = |likeness, reason: String| self.place.notes.left(evaluation.range(), evaluation.range(), likeness, || reason);
        let found = (at.saturating_sub(MAX_BETWEEN)..at).rev().find_map(|n| Some((n, gradients_of(&body[n])?)));
        let Some((update, gradients)) = found else { return left(40, "no update with gradients stands shortly before this evaluation".to_owned()) };
        let block = Block { place: self.place, statements: body, evaluation: at };
        let mut trees = vec![gradients.id.as_str()];
        self.add_sources(gradients, &block, &mut trees)?;
        let is_evaluated = |name: &&str| evaluation.arguments.iter_source_order().any(|a| names_in(a.value()).contains(name));
        if trees.iter().any(is_evaluated) {
            return left(75, format!("`{}` is evaluated too", gradients.id));
        }
        if !trees.iter().all(|name| self.is_held_by(name, &trees, &block)) {
            return left(75, format!("not only `{}` holds the gradients, so that `del` would free nothing", gradients.id));
        }
        let late = block.late_delete(&trees);
        if let Some((name, why)) = trees.iter().find_map(|name| Some((name, block.alive(name, update, late)?))) {
            return left(75, format!("`{name}` {why}"));
        }
        if !block.is_only_used(&trees, |call| self.keeps_nothing(call)) {
            return left(75, format!("`{}` is given to something that may keep it", gradients.id));
        }
        let mut assumptions = Vec::new();
        if !self.is_gradient(self.place.value(&Expr::Name(gradients.clone()))?, &mut Memo::new(MAX_DEPTH, false)) {
            assumptions.push(format!("`{}` holds arrays of the size of the model, as gradients do", gradients.id));
        }
        if self.place.is_module() {
            assumptions.push(format!("no other module reads `{}` of this one", trees.join("` and `")));
        }
        let edits = block.edits(&trees, late)?;
        trees.reverse();
        Some(self.proposal(&body[update], &body[at], &trees, assumptions, late.is_some(), edits))
    }

    /// The names of what `gradients` was made of, where they hold trees of gradients too.
    fn add_sources(&self, gradients: &ast::ExprName, block: &Block<'_, 'x>, trees: &mut Vec<&'x str>) -> Option<()> {
        let place = self.place;
        let mut value = place.value_of(&gradients.id, gradients.range.start())?;
        loop {
            let graph = &place.analysis.graph;
            while let (Op::Item(_), operands) = graph.get(value) {
                value = operands[0];
            }
            let (Op::Call(..) | Op::Apply, operands) = graph.get(value) else { return Some(()) };
            if !graph.path(operands[0]).is_some_and(|p| OF_GRADIENTS.contains(&p)) {
                return Some(());
            }
            let sources = operands[1..].iter().filter(|&&v| matches!(graph.op(v), Op::Item(_) | Op::Call(..)));
            let [source] = *sources.copied().collect::<Vec<ValueId>>() else { return Some(()) };
            let names = place.body.names_of(source, block.statements[block.evaluation].start());
            trees.extend(names.into_iter().map(|n| graph.name(n)));
            value = source;
        }
    }

    /// Whether nothing but `trees` holds what `name` does.
    fn is_held_by(&self, name: &str, trees: &[&str], block: &Block<'_, '_>) -> bool {
        let (place, graph) = (self.place, &self.place.analysis.graph);
        let offset = block.statements[block.evaluation].start();
        let Some(value) = place.value_of(name, offset) else { return false };
        let is_tree = |v: ValueId| place.body.names_of(v, offset).iter().all(|&n| trees.contains(&graph.name(n)));
        let mut whole = value;
        while let (Op::Item(_) | Op::Index(_), operands) = graph.get(whole) {
            whole = operands[0];
            if !place.body.names_of(whole, offset).is_empty() {
                return false;
            }
        }
        is_tree(value) && !matches!(graph.op(whole), Op::Param(..) | Op::Captured(..) | Op::ModuleName(_) | Op::Attr(..) | Op::Element(..))
    }

    /// Whether `value` is what a function made by `value_and_grad` gives, or was made of that.
    fn is_gradient(&self, value: ValueId, known: &mut Memo<bool>) -> bool {
        known.of(value, |known| {
            let graph = &self.place.analysis.graph;
            let (op, operands) = graph.get(value);
            match op {
                Op::Item(_) => self.is_gradient(operands[0], known),
                Op::Gate => operands[1..].iter().all(|&v| self.is_gradient(v, known)),
                Op::Call(..) | Op::Apply => {
                    let maker = graph.operands(operands[0]).first().and_then(|&c| graph.path(c));
                    let is_made = maker.is_some_and(|p| MAKERS.contains(&p));
                    let passes_on = graph.path(operands[0]).is_some_and(|p| OF_GRADIENTS.contains(&p));
                    let may_be = |v: ValueId| matches!(graph.op(v), Op::Item(_) | Op::Call(..) | Op::Gate);
                    is_made || passes_on && operands[1..].iter().any(|&v| may_be(v) && self.is_gradient(v, known))
                }
                _ => false,
            }
        })
    }

    /// Whether `call` keeps none of its arguments: an update of a model, or what makes gradients of gradients.
    fn keeps_nothing(&self, call: &ast::ExprCall) -> bool {
        applied_gradients(call).is_some() || self.place.path(&call.func).is_some_and(|p| OF_GRADIENTS.contains(&&*p))
    }

    fn proposal(&self, from: &Stmt, to: &Stmt, trees: &[&str], assumptions: Vec<String>, is_late: bool, edits: Vec<Edit>) -> Proposal {
        let (names, all) = (trees.join(", "), trees.join("` and `"));
        let message = if is_late {
            format!("`{all}` would be free during `mx.eval` if `del {names}` came before it")
        } else {
            let keeps = if trees.len() == 1 { "keeps" } else { "keep" };
            format!("`{all}` {keeps} the gradients alive while `mx.eval` computes: `del {names}` before it")
        };
        let mut rationale = vec![
            "All gradients at once are in memory when the evaluation ends, since a name holds them; without it each is freed as soon as its update is done.".to_owned(),
        ];
        // The adapters of a frozen model are a small part of it.
        if memchr::memmem::find(self.place.source().text().as_bytes(), b".freeze(").is_some() {
            rationale.push(
                "The file freezes a model, or parts of one: the gradients are those of the rest, and where that is adapters little is freed."
                    .to_owned(),
            );
            rationale.push(format!("{MEASURED} {ADAPTERS}"));
        }
        Proposal {
            finding: Finding {
                transform: self.id.clone(),
                range: TextRange::new(from.start(), to.end()),
                applicability: if assumptions.is_empty() { Applicability::Safe } else { Applicability::Unsafe },
                numerics: Some(Numerics::Exact),
                message,
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

/// The gradients that `statement` passes to an optimizer, by the name that holds them.
fn gradients_of(statement: &Stmt) -> Option<&ast::ExprName> {
    let value = match statement {
        Stmt::Expr(s) => &*s.value,
        Stmt::Assign(s) => &*s.value,
        _ => return None,
    };
    let call = value.as_call_expr()?;
    let inner = call.arguments.args.iter().find_map(|a| applied_gradients(a.as_call_expr()?));
    applied_gradients(call).or(inner)?.as_name_expr()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::passes::testing::{applied, findings};

    const HEADER: &str = "import mlx.core as mx\nimport mlx.nn as nn\ndef f(model, opt, fn, xs, out):\n    g = nn.value_and_grad(model, fn)\n";
    const EVAL: &str = "mx.eval(model.state, opt.state)\n";

    /// What becomes of `body` in a function that has a model, an optimizer and `g`, under the admission `admit`.
    fn fixed(body: &str, admit: Applicability) -> String {
        let indented: String = body.lines().map(|l| format!("    {l}\n")).collect();
        let fixed = applied(find, &format!("{HEADER}{indented}"), admit);
        fixed[HEADER.len()..].lines().map(|l| format!("{}\n", l.strip_prefix("    ").unwrap_or(l))).collect()
    }

    fn stays(body: &str) {
        assert_eq!(fixed(body, Applicability::Unsafe), body);
    }

    #[test]
    fn the_name_is_deleted_where_it_was_used_last() {
        for update in [
            "opt.update(model, d)",
            "opt.update(model=model, gradients=d)",
            "model.update(opt.apply_gradients(d, model))",
            "p = opt.apply_gradients(d, p)",
        ] {
            let (head, tail) = (format!("l, d = g(model, xs)\n{update}  # step\n"), format!("\n# Now.\n{EVAL}"));
            assert_eq!(fixed(&format!("{head}{tail}"), Applicability::Safe), format!("{head}del d\n{tail}"), "{update}");
        }
    }

    #[test]
    fn a_name_that_is_needed_or_not_sure_to_be_there_stays() {
        let update = "opt.update(model, d)\n";
        for body in [
            format!("l, d = g(model, xs)\n{update}{EVAL}out(d)\n"),
            format!("l, d = g(model, xs)\n{update}{EVAL}try:\n    out()\nfinally:\n    out(d)\n"),
            format!("if xs:\n    l, d = g(model, xs)\n{update}{EVAL}"),
            format!("l, d = g(model, xs)\n{update}{EVAL}out(locals())\n"),
            format!("l, d = g(model, xs)\n{update}d = None\n{EVAL}"),
            format!("global d\nl, d = g(model, xs)\n{update}{EVAL}"),
            format!("l, d = g(model, xs)\n{update}out.d = d\n{EVAL}"),
            format!("l, d = g(model, xs)\n{update}{EVAL}del d, l\n"),
            format!("l, d = g(model, xs); opt.update(model, d); {EVAL}"),
            format!("l, d = g(model, xs)\nif xs:\n    {update}{EVAL}"),
            format!("l, d = g(model, xs)\nc = d\n{update}{EVAL}"),
            format!("l, d = g(model, xs)\n{update}mx.eval([model, d])\n"),
            format!("d = out['d']\n{update}{EVAL}"),
        ] {
            stays(&body);
        }
    }

    #[test]
    fn what_was_deleted_too_late_is_deleted_before() {
        let body = format!("for x in xs:\n    l, d = g(model, x)\n    opt.update(model, d)\n    {EVAL}    out(l)\n    del d\n");
        let after = format!("for x in xs:\n    l, d = g(model, x)\n    opt.update(model, d)\n    del d\n    {EVAL}    out(l)\n");
        assert_eq!(fixed(&body, Applicability::Safe), after);
        stays(&body.replace("del d", "del d  # why here"));
        let (again, twice) = ("    d = out(x)\n    del d", body.replace("    del d", "    d = out(x)\n    del d"));
        assert_eq!(fixed(&twice, Applicability::Safe), format!("{after}{again}\n"));
    }

    #[test]
    fn where_the_file_freezes_a_model_little_is_said_to_be_freed() {
        let body = format!("l, d = g(model, xs)\nopt.update(model, d)\n{EVAL}");
        let text = format!("{HEADER}    model.freeze()\n{}", body.lines().map(|l| format!("    {l}\n")).collect::<String>());
        let found = findings(find, &text);
        assert!(found[0].has_figure_of_its_own(), "{:?}", found[0].rationale);
    }

    #[test]
    fn a_tree_that_is_made_of_trees_again_and_again_is_looked_at_once() {
        let text = |first: &str| {
            let sums = "    d = tree_map(fn, d, d)\n".repeat(60);
            format!("from mlx.utils import tree_map\n{HEADER}    {first}\n{sums}    opt.update(model, d)\n    mx.eval(model.state)\n")
        };
        assert_eq!(findings(find, &text("l, d = g(model, xs)"))[0].assumptions.len(), 0);
        assert_eq!(findings(find, &text("l, d = fn(model, xs)"))[0].assumptions.len(), 1);
    }

    #[test]
    fn an_unknown_function_and_a_module_are_assumptions() {
        let text = "import mlx.core as mx\nimport mlx.nn as nn\ng = nn.value_and_grad(m, fn)\nl, d = g(m, x)\nopt.update(m, d)\nmx.eval(m.state)\n";
        assert_eq!(findings(find, text)[0].assumptions, ["no other module reads `d` of this one"]);
        let read = format!("{text}def f():\n    return d\n");
        assert!(findings(find, &read).is_empty());
        let text = format!("{HEADER}    l, d = fn(model, xs)\n    opt.update(model, d)\n    mx.eval(model.state)\n");
        assert_eq!(findings(find, &text)[0].assumptions.len(), 1);
    }
}
