//! Translation validation: the edited text is parsed and lowered again, and must behave as the old one with each match replaced by what its rule says.
//! Nothing that elaboration did is believed.

use rustc_hash::FxHashMap;

use crate::finding::Contract;
use crate::graph::{Analysis, Lambdas};
use crate::graph::body::{Body, Effect};
use crate::graph::value::{Graph, Symbol, ValueId};
use crate::syntax::{EditSet, Source, TextRange};

/// Why an edit was withdrawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rejected(pub String);

/// Check that `edits`, which turn the text of `old` into `text`, keep `contracts`. The graph of `old` grows; its values keep their numbers.
pub(super) fn validate(old: &mut Analysis<'_>, text: &str, edits: &EditSet, contracts: &[&Contract]) -> Result<(), Rejected> {
    let source = Source::parse(text).map_err(|e| Rejected(format!("the result is no Python: {e}")))?;
    keeps_comments(old.source, &source)?;
    let Analysis { mut graph, bodies, .. } = Analysis::new(&source, std::mem::take(&mut old.graph));
    let mut result = behaves(old, &mut graph, &bodies, edits, contracts);
    if result.is_err() {
        let mut before = Analysis::with(old.source, graph, Lambdas::Apart);
        let Analysis { graph: grown, bodies, .. } = Analysis::with(&source, std::mem::take(&mut before.graph), Lambdas::Apart);
        graph = grown;
        result = result.or(behaves(&before, &mut graph, &bodies, edits, contracts));
    }
    old.graph = graph;
    result
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

fn behaves(old: &Analysis<'_>, graph: &mut Graph, new: &[Body], edits: &EditSet, contracts: &[&Contract]) -> Result<(), Rejected> {
    let (mut memo, passes) = replacements(graph, contracts);
    let by_name: FxHashMap<Symbol, &Body> = new.iter().map(|b| (b.name, b)).collect();
    let removed: Vec<Symbol> = old.bodies.iter().filter(|b| !by_name.contains_key(&b.name)).map(|b| b.name).collect();
    for body in &old.bodies {
        let Some(after) = by_name.get(&body.name) else {
            if edits.iter().any(|(e, _)| e.range.contains_range(body.range)) {
                continue;
            }
            return Err(Rejected(format!("`{}` would be gone", graph.name(body.name))));
        };
        // Scopes without an edit have the same text; what they call is checked where it is defined.
        if passes || !is_touched(old, body, edits) {
            continue;
        }
        let expected: Vec<Effect> = body.behaviour().into_iter().map(|e| replace(graph, e, &mut memo)).collect();
        let gone = |graph: &Graph, e: &Effect| matches!(e, Effect::StoreName(name, _) if is_removed(graph, body.name, *name, &removed));
        let expected: Vec<Effect> = expected.into_iter().filter(|e| !gone(graph, e)).collect();
        if expected != after.behaviour() {
            return Err(Rejected(format!("`{}` would compute something else", graph.name(body.name))));
        }
    }
    Ok(())
}

/// What every value becomes, and whether a pass answers for its own edits.
fn replacements(graph: &mut Graph, contracts: &[&Contract]) -> (FxHashMap<ValueId, ValueId>, bool) {
    let mut pairs: Vec<(ValueId, ValueId)> = Vec::new();
    let mut passes = false;
    for contract in contracts {
        match contract {
            Contract::Values(values) => pairs.extend(values),
            Contract::Statements => passes = true,
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

/// Whether an edit lies in the body's own text, not in that of a scope inside it.
fn is_touched(analysis: &Analysis<'_>, body: &Body, edits: &EditSet) -> bool {
    let strictly_inside = |inner: TextRange| body.range.contains_range(inner) && inner != body.range;
    edits.iter().any(|(edit, _)| {
        body.range.intersect(edit.range).is_some()
            && !analysis.bodies.iter().any(|b| b.name != body.name && strictly_inside(b.range) && b.range.contains_range(edit.range))
    })
}

/// Whether `name` in `scope` named a function that is gone.
fn is_removed(graph: &Graph, scope: Symbol, name: Symbol, removed: &[Symbol]) -> bool {
    let (scope, name) = (graph.name(scope), graph.name(name));
    removed.iter().any(|&r| {
        let removed = graph.name(r);
        removed == name || removed.strip_suffix(name).is_some_and(|outer| outer.strip_suffix('.') == Some(scope))
    })
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
        Effect::Enter(v) => Effect::Enter(new(v)),
        Effect::Else | Effect::Leave | Effect::Jump(_) => effect,
    }
}
