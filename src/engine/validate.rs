//! Translation validation: the edited text is parsed and lowered again, and must behave as the old one with each match replaced by what its rule says.
//! Nothing that elaboration did is believed.

use std::collections::BTreeSet;
use std::str::FromStr;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::finding::{Contract, Import};
use crate::graph::api;
use crate::graph::body::{Body, Effect};
use crate::graph::definitions::Definitions;
use crate::graph::names::locals_of;
use crate::graph::value::{Graph, Symbol, ValueId};
use crate::graph::{Analysis, Lambdas};
use crate::platform::Version;
use crate::syntax::ast::Expr;
use crate::syntax::ast::visitor::{self, Visitor};
use crate::syntax::{EditSet, Source, TextRange};

/// The one module for which an edit may add a name.
const MODULE: &str = "mlx.core";

/// Why an edit was withdrawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rejected(pub String);

/// Check that `edits`, which turn the text of `old` into `text`, keep `contracts`, and bring in nothing that is newer than `mlx`. The graph of `old` grows; its
/// values keep their numbers.
pub(super) fn validate(old: &mut Analysis<'_>, text: &str, edits: &EditSet, contracts: &[&Contract], mlx: Option<&Version>) -> Result<(), Rejected> {
    let source = Source::parse(text).map_err(|e| Rejected(format!("the result is no Python: {e}")))?;
    keeps_comments(old.source, &source)?;
    let Analysis { mut graph, bodies, definitions, .. } = Analysis::new(&source, std::mem::take(&mut old.graph));
    let scopes = touched(old, edits);
    if let Some(lost) = lost_local(old, &definitions, &scopes) {
        old.graph = graph;
        return Err(Rejected(format!("`{lost}` would be a name of the scope around it")));
    }
    if let Some(mlx) = mlx
        && let Some(newer) = newer(&old.bodies, &bodies, &graph, mlx)
    {
        old.graph = graph;
        return Err(newer);
    }
    let mut result = behaves(old, &mut graph, &bodies, edits, contracts, &scopes);
    if result.is_err() {
        let mut before = Analysis::with(old.source, graph, Lambdas::Apart);
        let Analysis { graph: grown, bodies, .. } = Analysis::with(&source, std::mem::take(&mut before.graph), Lambdas::Apart);
        graph = grown;
        let scopes = touched(&before, edits);
        result = behaves(&before, &mut graph, &bodies, edits, contracts, &scopes);
    }
    old.graph = graph;
    result
}

/// A name that one of the functions among `scopes` reads and binds no more: what was read too early there would be read from the scope around it.
fn lost_local<'a>(old: &Analysis<'a>, new: &Definitions<'_>, scopes: &BTreeSet<usize>) -> Option<&'a str> {
    scopes.iter().find_map(|&index| {
        let body = &old.bodies[index];
        let before = old.definitions.functions[body.function?].ast;
        let after = new.functions[new.function_named(body.name)?].ast;
        let (mut bound, mut left) = (Vec::new(), Vec::new());
        locals_of(&before.body, &mut bound);
        locals_of(&after.body, &mut left);
        let left: FxHashSet<&str> = left.into_iter().chain(after.parameters.iter().map(|p| p.name().as_str())).collect();
        bound.retain(|name| !left.contains(name));
        let mut reads = Reads::default();
        if !bound.is_empty() {
            reads.visit_body(&after.body);
        }
        bound.into_iter().find(|name| reads.0.contains(name))
    })
}

/// The names that code reads, in the scopes inside it, too.
#[derive(Default)]
struct Reads<'a>(FxHashSet<&'a str>);

impl<'a> Visitor<'a> for Reads<'a> {
    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Name(name) if name.ctx.is_load() => drop(self.0.insert(&name.id)),
            _ => visitor::walk_expr(self, expr),
        }
    }
}

/// A function that only `new` names and that came after `mlx`.
fn newer(old: &[Body], new: &[Body], graph: &Graph, mlx: &Version) -> Option<Rejected> {
    let named = |bodies: &[Body]| -> FxHashSet<api::FunctionId> {
        let paths = bodies.iter().flat_map(|b| &b.occurrences).filter_map(|o| graph.path(o.value)?.strip_prefix("mlx.core."));
        paths.filter_map(api::function).collect()
    };
    let mut brought: Vec<_> = named(new).difference(&named(old)).map(|id| id.get()).collect();
    brought.sort_unstable_by_key(|f| f.name);
    brought.into_iter().find_map(|function| {
        let since = function.since?;
        (Version::from_str(since).ok()? > *mlx)
            .then(|| Rejected(format!("`mx.{}` is there since MLX {since}, and the code must run on {mlx}", function.name)))
    })
}

/// Every comment of the old text is in the new one, as often as before.
fn keeps_comments(old: &Source<'_>, new: &Source<'_>) -> Result<(), Rejected> {
    let texts = |source: &Source<'_>| {
        let mut texts: Vec<String> = source.comments().iter().map(|&c| source.slice(c).to_owned()).collect();
        texts.sort_unstable();
        texts
    };
    if texts(old) == texts(new) { Ok(()) } else { Err(Rejected("a comment would be lost".to_owned())) }
}

/// Whether the scopes that edits touch, `touched`, behave in `new` as in `old` with each match replaced by what its rule says.
fn behaves(
    old: &Analysis<'_>,
    graph: &mut Graph,
    new: &[Body],
    edits: &EditSet,
    contracts: &[&Contract],
    touched: &BTreeSet<usize>,
) -> Result<(), Rejected> {
    let (mut memo, passes) = replacements(graph, contracts);
    let imports = imports(old, contracts)?;
    let by_name: FxHashMap<Symbol, &Body> = new.iter().map(|b| (b.name, b)).collect();
    let removed: FxHashSet<Symbol> = old.bodies.iter().filter(|b| !by_name.contains_key(&b.name)).map(|b| b.name).collect();
    if let Some(gone) = old.bodies.iter().find(|b| removed.contains(&b.name) && !covered(edits, b.range)) {
        return Err(Rejected(format!("`{}` would be gone", graph.name(gone.name))));
    }
    if passes {
        return Ok(());
    }
    // Scopes without an edit of their own have the same text; what they call is checked where it is defined.
    for &index in touched {
        let body = &old.bodies[index];
        let Some(after) = by_name.get(&body.name) else { continue };
        // A local is no longer seen from outside once the inner functions that read it are gone.
        let unseen = |name: Symbol| body.captured.contains(&name) && !after.captured.contains(&name) || is_removed(graph, body.name, name, &removed);
        let kept = body.behaviour(graph).into_iter().filter(|e| !matches!(*e, Effect::StoreName(name, _) if unseen(name)));
        let kept: Vec<Effect> = kept.collect();
        let expected: Vec<Effect> = kept.into_iter().map(|e| replace(graph, e, &mut memo)).collect();
        let mut behaviour = after.behaviour(graph);
        behaviour.retain(|e| !matches!(*e, Effect::StoreName(name, v) if imports.contains(graph.name(name)) && graph.path(v) == Some(MODULE)));
        if expected != behaviour {
            return Err(Rejected(format!("`{}` would compute something else", graph.name(body.name))));
        }
    }
    Ok(())
}

/// The names that edits give to `mlx.core`, each of which must have been free.
fn imports<'c>(old: &Analysis<'_>, contracts: &[&'c Contract]) -> Result<FxHashSet<&'c str>, Rejected> {
    let mut names = FxHashSet::default();
    for contract in contracts {
        let Contract::Values { import: Some(Import { name, scope }), .. } = contract else { continue };
        if names.insert(name.as_str()) && !old.may_bind_module(name, MODULE, *scope) {
            return Err(Rejected(format!("`{name}` already means something else")));
        }
    }
    Ok(names)
}

/// Whether one edit takes all of `range` away.
fn covered(edits: &EditSet, range: TextRange) -> bool {
    edits.iter().any(|(e, _)| e.range.contains_range(range))
}

/// What every value becomes, and whether a pass answers for its own edits.
pub(super) fn replacements(graph: &mut Graph, contracts: &[&Contract]) -> (FxHashMap<ValueId, ValueId>, bool) {
    let mut pairs: Vec<(ValueId, ValueId)> = Vec::new();
    let mut passes = false;
    for contract in contracts {
        match contract {
            Contract::Values { replaced, also, .. } => pairs.extend(std::iter::once(replaced).chain(also)),
            Contract::Statements(_) => passes = true,
        }
    }
    // Operands are older than what is made of them: in this order the replacement of an inner match is known where an outer one mentions it.
    pairs.sort_unstable();
    pairs.dedup();
    let mut memo = FxHashMap::default();
    for (root, after) in pairs {
        let after = graph.substitute(after, &mut memo);
        memo.insert(root, after);
    }
    (memo, passes)
}

/// The scopes in whose own text, not that of a scope inside them, an edit lies: the innermost around each. What is put in front of a scope is not in it; what
/// is put at its end may be in it or behind it, by its indentation.
pub(super) fn touched(analysis: &Analysis<'_>, edits: &EditSet) -> BTreeSet<usize> {
    // Bodies come in the order of the text, outer before inner.
    let bodies = &analysis.bodies;
    let mut parents: Vec<Option<usize>> = Vec::with_capacity(bodies.len());
    let mut open: Vec<usize> = Vec::new();
    for (index, body) in bodies.iter().enumerate() {
        while open.last().is_some_and(|&o| !bodies[o].range.contains_range(body.range)) {
            open.pop();
        }
        parents.push(open.last().copied());
        open.push(index);
    }
    let mut touched = BTreeSet::new();
    for (edit, _) in edits.iter() {
        let range = edit.range;
        let mut at = bodies.partition_point(|b| b.range.start() <= range.start()).checked_sub(1);
        while let Some(index) = at {
            let body = bodies[index].range;
            let in_front = range.is_empty() && range.start() == body.start();
            let at_end = range.is_empty() && range.end() == body.end();
            if body.contains_range(range) && !in_front {
                touched.insert(index);
                if !at_end {
                    break;
                }
            }
            at = parents[index];
        }
        // An edit outside of all, before the first statement, is the module's.
        if at.is_none() {
            touched.insert(0);
        }
    }
    touched
}

/// Whether `name` in `scope` named a function that is gone.
fn is_removed(graph: &Graph, scope: Symbol, name: Symbol, removed: &FxHashSet<Symbol>) -> bool {
    if removed.is_empty() {
        return false;
    }
    let (scope, name) = (graph.name(scope), graph.name(name));
    [format!("{scope}.{name}"), format!("{scope}.<locals>.{name}"), name.to_owned()]
        .iter()
        .any(|full| graph.known_symbol(full).is_some_and(|s| removed.contains(&s)))
}

fn replace(graph: &mut Graph, effect: Effect, memo: &mut FxHashMap<ValueId, ValueId>) -> Effect {
    let mut new = |value: ValueId| graph.substitute(value, memo);
    match effect {
        Effect::Return(v) => Effect::Return(new(v)),
        Effect::Yield(v) => Effect::Yield(new(v)),
        Effect::Raise(v) => Effect::Raise(new(v)),
        Effect::Assert(v) => Effect::Assert(new(v)),
        Effect::Call(v) => Effect::Call(new(v)),
        Effect::Evaluate(v) => Effect::Evaluate(new(v)),
        Effect::StoreAttribute(object, name, v) => Effect::StoreAttribute(new(object), name, new(v)),
        Effect::StoreItem(object, index, v) => Effect::StoreItem(new(object), new(index), new(v)),
        Effect::StoreName(name, v) => Effect::StoreName(name, new(v)),
        Effect::Mutate(before, after) => Effect::Mutate(new(before), new(after)),
        Effect::Delete(v) => Effect::Delete(new(v)),
        Effect::Carry(join, v) => Effect::Carry(new(join), new(v)),
        Effect::ReadUnbound(v) => Effect::ReadUnbound(v),
        Effect::Enter(v) => Effect::Enter(new(v)),
        Effect::Lambda(v) => Effect::Lambda(new(v)),
        Effect::Else | Effect::Leave | Effect::Jump(_) => effect,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Kept;
    use crate::syntax::{Edit, TextSize};

    const TEXT: &str = "import mlx.core as mx\n\n\ndef f(x: mx.array):\n    return x * 2  # why\n\n\ndef g(x):\n    return f(x)\n";

    /// What validation says where `new` takes the place of `old` in the text, under these contracts.
    fn verdict(old: &str, new: &str, contracts: &[Contract]) -> Result<(), String> {
        let source = Source::parse(TEXT).expect("the text is Python");
        let mut analysis = Analysis::new(&source, Graph::default());
        let at = TextSize::new(TEXT.find(old).expect("it is in the text") as u32);
        let mut edits = EditSet::new();
        edits.try_add(&[Edit::replace(TextRange::at(at, TextSize::of(old)), new)], 0);
        let contracts: Vec<&Contract> = contracts.iter().collect();
        validate(&mut analysis, &edits.apply(TEXT), &edits, &contracts, None).map_err(|Rejected(reason)| reason)
    }

    /// What validation says where `new` is put in front of `old`, or behind it.
    fn put(new: &str, old: &str, behind: bool) -> Result<(), String> {
        let text = if behind { format!("{old}{new}") } else { format!("{new}{old}") };
        let source = Source::parse(TEXT).expect("the text is Python");
        let mut analysis = Analysis::new(&source, Graph::default());
        let at = TEXT.find(old).expect("it is in the text") + if behind { old.len() } else { 0 };
        let mut edits = EditSet::new();
        edits.try_add(&[Edit::replace(TextRange::empty(TextSize::new(at as u32)), new)], 0);
        assert_eq!(edits.apply(TEXT), TEXT.replacen(old, &text, 1), "an insertion");
        validate(&mut analysis, &edits.apply(TEXT), &edits, &[], None).map_err(|Rejected(reason)| reason)
    }

    #[test]
    fn what_is_put_beside_a_function_is_not_taken_for_a_part_of_it() {
        let (module, g) = (Err("`<module>` would compute something else".to_owned()), Err("`g` would compute something else".to_owned()));
        assert_eq!(put("h = f(1)\n\n\n", "def g(x)", false), module);
        assert_eq!(put("\n\n\nh = f(1)", "return f(x)", true), module);
        assert_eq!(put("\n    return h(1)", "    return f(x)", true), g, "by its indentation it is in the function");
        assert_eq!(put("\n    ", "return f(x)", false), Ok(()));
        assert_eq!(put("x += 1\n    ", "return f(x)", false), g);
        assert_eq!(put("if x:\n    h = f(1)\n", "def f(x: mx.array)", false), module);
    }

    #[test]
    fn what_computes_the_same_passes() {
        assert_eq!(verdict("x * 2", "(x * 2)", &[]), Ok(()));
        assert_eq!(verdict("x * 2", "x * 3", &[]), Err("`f` would compute something else".to_owned()));
        assert_eq!(verdict("x * 2", "x * 3", &[Contract::Statements(Kept::Values)]), Ok(()), "a pass answers for what it computes");
    }

    #[test]
    fn whoever_answers_for_an_edit_the_result_is_python_with_every_comment_and_definition() {
        for contracts in [&[][..], &[Contract::Statements(Kept::Values)]] {
            assert_eq!(verdict("  # why", "", contracts), Err("a comment would be lost".to_owned()));
            assert_eq!(verdict("# why", "# when", contracts), Err("a comment would be lost".to_owned()));
            assert_eq!(verdict("def g", "def h", contracts), Err("`g` would be gone".to_owned()));
            let broken = verdict("x * 2", "(x * 2", contracts).expect_err("no Python");
            assert!(broken.starts_with("the result is no Python: "), "{broken}");
        }
    }
}
