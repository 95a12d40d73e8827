//! How far an edit may be trusted: a match is held against annotations, the guard, and the law that dtypes stay. What is not proved is an assumption; what is
//! refuted is a refusal with its reason.

use rustc_hash::{FxHashMap, FxHashSet};

use super::guard::{Condition, Site, Truth};
use super::kernels::is_kernel;
use super::load::{Rule, Uses, Variant, Wildcard};
use super::matcher::Bound;
use super::precision::ROUNDINGS;
use super::spell::{Names, Speller};
use super::uses::Use;
use super::{Candidate, axes, fallback, shapeless, surroundings};
use crate::finding::{Applicability, Numerics};
use crate::graph::Analysis;
use crate::graph::body::{Body, Occurrence};
use crate::graph::constants::constant;
use crate::graph::digits::{self, Softmax};
use crate::graph::dtypes::fate::is_lost;
use crate::graph::dtypes::{self, Agreement};
use crate::graph::facts::{Facts, Kind};
use crate::graph::users::Users;
use crate::graph::value::{Graph, Op, ValueId};
use crate::replay::Axes;

/// How far an edit may be trusted, and what it relies on.
pub(super) struct Judgement {
    pub(super) applicability: Applicability,
    pub(super) numerics: Numerics,
    pub(super) assumptions: Vec<String>,
    /// Whether a float32 result becomes one in half precision.
    pub(super) narrows: bool,
    /// What must be told to add up in float32 then.
    pub(super) softmaxes: Vec<Softmax>,
}

/// What is assumed where a replacement is seen by the uses of the value alone, whether it makes any of them narrower, and which softmaxes must be told to be
/// precise then; or why it cannot be.
pub(super) type Seen = Result<(Vec<String>, bool, Vec<Softmax>), String>;

/// Hold a candidate against its annotations, its guard, and the law that dtypes stay; `seen` is what its uses say, where they are listed. `Err` says why it
/// must not be applied.
pub(super) fn judge(rule: &Rule, analysis: &Analysis<'_>, candidate: &Candidate, seen: Option<&Seen>) -> Result<Judgement, String> {
    let variant = &rule.variants[candidate.variant];
    let body = &analysis.bodies[candidate.body];
    let (root, after) = (candidate.root, candidate.after);
    let chosen = chosen_operation(&analysis.graph, after, &candidate.arguments);
    if analysis.graph.op(after) == Op::Gate && !candidate.found.optional.is_empty() {
        return Err("another condition than that it is None decides whether it is added".to_owned());
    }
    let kept = fallback::on_purpose(analysis, body, root, chosen).or_else(|| surroundings::no_gain(analysis, body, root, chosen));
    let kept = kept.or_else(|| shapeless::fixes_shapes(analysis, body, root, chosen));
    let place = Place::new(analysis, body, root);
    let kept = kept.or_else(|| surroundings::casts_nothing(analysis, &place.facts, candidate));
    let kept = kept.or_else(|| surroundings::casts_for_a_module(analysis, candidate, chosen));
    if let Some(reason) = kept.or_else(|| held_elsewhere(analysis, &place.speller, root)) {
        return Err(reason);
    }
    let wildcard = |name: &str| pattern_wildcard(variant, candidate, name);
    if let Some(text) = computed_again(candidate, variant, &analysis.graph, &|name| place.spelling(name, &wildcard)) {
        return Err(format!("`{text}` would be computed more than once; give it a name first"));
    }
    let (mut assumptions, narrows, softmaxes) = match seen {
        None => {
            let mut assumptions = demands(variant, &variant.wildcards, &place, &wildcard)?;
            assumptions.extend(assumed_ranks(candidate, &place));
            let facts = Facts::at(analysis, body, root.block, root.range.end()).assuming(&assumed_numbers(&variant.wildcards, &place, &wildcard));
            keeps_dtype(&facts, &analysis.graph, (root.value, after), &mut assumptions)?;
            (assumptions, !rule.about.narrows.is_empty(), Vec::new())
        }
        Some(seen) => seen.clone()?,
    };
    assumptions.extend(assumed_roots(candidate, &place));
    let mut numerics = variant.numerics;
    if candidate.found.reciprocal && numerics == Numerics::Exact {
        numerics = Numerics::Rounding;
    }
    // Not where its size is told.
    if numerics == Numerics::LessPrecise && !assumptions.iter().any(|a| a.contains(ROUNDINGS)) {
        assumptions.push("a larger rounding error is acceptable".to_owned());
    }
    once(&mut assumptions);
    let applicability = match (assumptions.is_empty(), narrows) {
        (true, false) => Applicability::Safe,
        (true, true) => Applicability::Narrowing,
        (false, _) => Applicability::Unsafe,
    };
    Ok(Judgement { applicability, numerics, assumptions, narrows, softmaxes })
}

/// The call of MLX's function in `after`, where it is on one side of a choice, or one of the `arguments` is added to it.
pub(super) fn chosen_operation(graph: &Graph, after: ValueId, arguments: &[(String, ValueId)]) -> ValueId {
    let parts = match graph.get(after) {
        (Op::Gate, operands) => &operands[1..],
        (Op::Add, operands) => operands,
        _ => return after,
    };
    let is_given = |v: ValueId| arguments.iter().any(|&(_, argument)| argument == v);
    parts.iter().copied().find(|&v| matches!(graph.op(v), Op::Mlx(_)) && !is_given(v)).unwrap_or(after)
}

/// A place of a scope: what is known and how values are written there.
struct Place<'x> {
    graph: &'x Graph,
    facts: Facts<'x>,
    speller: Speller<'x>,
    /// Also by names that held a value before: for words, not for text that is to run.
    earlier: Speller<'x>,
}

impl<'x> Place<'x> {
    fn new(analysis: &'x Analysis<'x>, body: &'x Body, at: Occurrence) -> Self {
        let statement = body.statements[at.statement as usize];
        let facts = Facts::at(analysis, body, at.block, at.range.end());
        let speller = || Speller::new(analysis, body, at.range, statement.range.start());
        Self { graph: &analysis.graph, facts, speller: speller(), earlier: speller().with(Names::Earlier) }
    }

    fn spelling(&self, name: &str, wildcard: &dyn Fn(&str) -> Option<ValueId>) -> String {
        wildcard(name).and_then(|v| self.speller.argument(v)).unwrap_or_else(|| name.to_owned())
    }

    /// The same for words.
    fn words(&self, name: &str, wildcard: &dyn Fn(&str) -> Option<ValueId>) -> String {
        wildcard(name).and_then(|v| self.earlier.argument(v)).unwrap_or_else(|| name.to_owned())
    }
}

/// The value of a wildcard of the pattern, unless the matched alternative leaves it out.
fn pattern_wildcard(variant: &Variant, candidate: &Candidate, name: &str) -> Option<ValueId> {
    let index = variant.wildcards.iter().position(|w| w.name == name)?;
    candidate.found.bindings[index]?;
    candidate.arguments.iter().find(|(n, _)| n == name).map(|&(_, v)| v).or(match candidate.found.bindings[index]? {
        Bound::Value(v) => Some(v),
        _ => None,
    })
}

/// The value of a wildcard that only what is `listed` of a use has.
fn use_wildcard(listed: &Uses, used: &Use, name: &str) -> Option<ValueId> {
    match used.bindings[listed.wildcards.iter().position(|w| w.name == name)?]? {
        Bound::Value(v) => Some(v),
        _ => None,
    }
}

/// What annotations and the guard demand at a place and facts do not prove.
fn demands(variant: &Variant, wildcards: &[Wildcard], place: &Place<'_>, value: &dyn Fn(&str) -> Option<ValueId>) -> Result<Vec<String>, String> {
    let spelling = |name: &str| place.words(name, value);
    let mut assumptions = assumed_kinds(wildcards, place, value, &spelling);
    if let Some(guard) = &variant.guard {
        match guard.evaluate(&Site { facts: &place.facts, graph: place.graph, value, spelling: &spelling }) {
            Truth::True => {}
            Truth::Unknown(what) => assumptions.extend(what),
            Truth::False(why) => return Err(why),
        }
    }
    Ok(assumptions)
}

/// Whether `condition` is proved where `candidate` is.
pub(super) fn is_proved(condition: &Condition, rule: &Rule, analysis: &Analysis<'_>, candidate: &Candidate) -> bool {
    let place = Place::new(analysis, &analysis.bodies[candidate.body], candidate.root);
    let value = |name: &str| pattern_wildcard(&rule.variants[candidate.variant], candidate, name);
    let spelling = |name: &str| place.spelling(name, &value);
    condition.evaluate(&Site { facts: &place.facts, graph: place.graph, value: &value, spelling: &spelling }) == Truth::True
}

/// What is assumed of how many axes values have where `candidate` is.
pub(super) fn assumed_axes(rule: &Rule, analysis: &Analysis<'_>, candidate: &Candidate) -> Vec<Axes> {
    let (variant, body) = (&rule.variants[candidate.variant], &analysis.bodies[candidate.body]);
    let of_guard = |at: Occurrence, value: &dyn Fn(&str) -> Option<ValueId>| {
        let place = Place::new(analysis, body, at);
        let site = Site { facts: &place.facts, graph: place.graph, value, spelling: &str::to_owned };
        variant.guard.as_ref().map_or_else(Vec::new, |guard| axes::assumed(guard, &site))
    };
    let given = |name: &str| pattern_wildcard(variant, candidate, name);
    let assumed = match (candidate.uses.as_deref(), &variant.uses) {
        (Some(Ok(uses)), Some(listed)) => {
            uses.iter().flat_map(|used| of_guard(used.place, &|name| given(name).or_else(|| use_wildcard(listed, used, name)))).collect()
        }
        _ => {
            let facts = Place::new(analysis, body, candidate.root).facts;
            let unknown = candidate.found.ranks.iter().filter(|(array, _)| facts.rank(*array).is_none());
            unknown.map(|&(of, n)| Axes { of, least: n, most: Some(n) }).chain(of_guard(candidate.root, &given)).collect()
        }
    };
    axes::merged(assumed, |value| in_the_text(variant, candidate, value))
}

/// What the program has for what a wildcard stands for: an array whose axes are swapped for the pattern has as many as before.
fn in_the_text(variant: &Variant, candidate: &Candidate, value: ValueId) -> ValueId {
    let wildcards = variant.wildcards.iter().zip(&candidate.found.bindings);
    let bound = wildcards.filter(|(w, _)| candidate.arguments.iter().any(|(name, v)| *name == w.name && *v == value)).find_map(|(_, bound)| *bound);
    match bound {
        Some(Bound::Value(of) | Bound::Swapped(of) | Bound::Reciprocal(of) | Bound::Opposite(of)) => of,
        _ => value,
    }
}

fn assumed_ranks(candidate: &Candidate, place: &Place<'_>) -> Vec<String> {
    let unknown = candidate.found.ranks.iter().filter(|(array, _)| place.facts.rank(*array).is_none());
    unknown.map(|&(array, rank)| format!("`{}` has {rank} axes", place.earlier.argument(array).unwrap_or_else(|| "the array".to_owned()))).collect()
}

/// The law that dtypes stay.
fn keeps_dtype(facts: &Facts<'_>, graph: &Graph, (before, after): (ValueId, ValueId), assumptions: &mut Vec<String>) -> Result<(), String> {
    match dtypes::compare(graph, facts, before, after) {
        Agreement::Same => {}
        Agreement::Never(example) => return Err(format!("the dtype of the result would change: {example}")),
        // What is assumed already of dtypes is what it hangs on.
        Agreement::Differs(_) if assumptions.iter().any(|a| a.contains("dtype")) => {}
        Agreement::Differs(example) if example.ends_with("an exception") && assumptions.iter().any(|a| a.contains("truth values")) => {}
        Agreement::Differs(example) => assumptions.push(format!("the dtype of the result stays: with some dtypes of what it is made of, {example}")),
        Agreement::Unknown => assumptions.push("the dtype of the result stays".to_owned()),
    }
    Ok(())
}

/// Of roots of Python numbers: those of negative ones are complex, and 0 has no inverse.
fn assumed_roots(candidate: &Candidate, place: &Place<'_>) -> Vec<String> {
    let spelt = |v: ValueId| place.earlier.argument(v).unwrap_or_else(|| "the number".to_owned());
    let assumed = candidate.found.bindings.iter().flatten().filter_map(|bound| match *bound {
        Bound::Root { of, .. } if constant(place.graph, of).is_some_and(|n| n > 0.0) => None,
        Bound::Root { of, inverse: false } if matches!(place.graph.op(of), Op::Dim(_) | Op::Ndim) => None,
        Bound::Root { of, .. } if place.facts.is_positive_length(of) => None,
        Bound::Root { of, .. } if matches!(place.graph.op(of), Op::Dim(_)) => {
            Some(format!("`{}` is not 0, of which Python has no inverse", spelt(of)))
        }
        Bound::Root { of, .. } => Some(format!("`{}` is positive", spelt(of))),
        _ => None,
    });
    assumed.collect()
}

/// Whether the value is a number for this use, which reads an array back from the device.
fn is_read(graph: &Graph, used: ValueId, value: ValueId) -> bool {
    matches!(graph.get(used), (Op::Mlx("fast.scaled_dot_product_attention"), operands) if operands[3] == value)
}

/// Hold the `uses` of a candidate against the list of them; `replaced` says what becomes of each value.
pub(super) fn judge_uses(rule: &Rule, analysis: &Analysis<'_>, candidate: &Candidate, uses: &[Use], replaced: &FxHashMap<ValueId, ValueId>) -> Seen {
    let (variant, body) = (&rule.variants[candidate.variant], &analysis.bodies[candidate.body]);
    let narrows = !rule.about.narrows.is_empty();
    let Some(listed) = &variant.uses else { return Ok((Vec::new(), narrows, Vec::new())) };
    let after = |v: ValueId| replaced.get(&v).copied().unwrap_or(v);
    let wildcards: Vec<Wildcard> = variant.wildcards.iter().chain(&listed.wildcards).cloned().collect();
    let users = Users::around(analysis, body, candidate.root);
    let (mut assumptions, mut softmaxes, mut gains, mut reads) = (Vec::new(), Vec::new(), false, false);
    for used in uses {
        if narrows && is_read(&analysis.graph, used.place.value, candidate.root.value) {
            if let Some(reason) = surroundings::nothing_to_wait_for(analysis, body, candidate.root, used.place.value) {
                return Err(reason);
            }
            reads = true;
            continue;
        }
        let place = Place::new(analysis, body, used.place);
        let value = |name: &str| pattern_wildcard(variant, candidate, name).or_else(|| use_wildcard(listed, used, name));
        assumptions.extend(demands(variant, &wildcards, &place, &value)?);
        if !narrows {
            keeps_dtype(&place.facts, place.graph, (used.place.value, after(used.place.value)), &mut assumptions)?;
            continue;
        }
        let narrowing = Narrowing { analysis, candidate, listed, used, users: &users, place };
        gains |= narrowing.judge(&after, &mut assumptions, &mut softmaxes)?;
    }
    if narrows && !gains && !reads {
        return Err("the dtype of the result is the same with either, so nothing is gained".to_owned());
    }
    once(&mut assumptions);
    Ok((assumptions, gains, softmaxes))
}

/// A use in which an array of one number becomes the number.
struct Narrowing<'x> {
    analysis: &'x Analysis<'x>,
    candidate: &'x Candidate,
    listed: &'x Uses,
    used: &'x Use,
    users: &'x Users,
    place: Place<'x>,
}

impl Narrowing<'_> {
    /// Whether half precision is kept, with what that assumes; or why it should not be, or is not.
    fn judge(&self, after: &dyn Fn(ValueId) -> ValueId, assumptions: &mut Vec<String>, softmaxes: &mut Vec<Softmax>) -> Result<bool, String> {
        let (analysis, used, facts) = (self.analysis, self.used, &self.place.facts);
        let body = &analysis.bodies[self.candidate.body];
        let narrowed = (used.place.value, after(used.place.value));
        match dtypes::narrows(&analysis.graph, facts, narrowed.0, narrowed.1) {
            Ok(false) => return Ok(false),
            Ok(true) => {}
            Err(Some(example)) => return Err(format!("the dtype of the result would change: {example}")),
            Err(None) => assumptions.push("the result has the dtype of the array beside the number".to_owned()),
        }
        let (at, launches) = ((self.candidate.body, used.place), is_kernel(&analysis.graph, self.candidate.root.value));
        if let Some(reason) = surroundings::stays_single(analysis, facts, at, narrowed.1, launches) {
            return Err(reason);
        }
        let goes_on = used.next.iter().find(|&&next| dtypes::widens_again(&analysis.graph, facts, narrowed, after(next)));
        if let Some(next) = goes_on {
            let place = body.occurrences_of(*next).next();
            let text = place.map(|o| format!("`{}` is", analysis.source.quote(o.range)));
            let text = text.as_deref().unwrap_or("what follows is");
            return Err(format!("{text} computed in float32 all the same, so that digits would be lost for nothing"));
        }
        if is_lost(analysis, self.candidate.body, used.place.value) {
            return Err("all that is made of it is float32 again for something else, or only compared, so that nothing is gained".to_owned());
        }
        let arrays = self.listed.wildcards.iter().enumerate().filter(|(_, w)| w.kind == Kind::Array);
        let partners: Vec<ValueId> =
            arrays.filter_map(|(at, _)| if let Some(Bound::Value(v)) = used.bindings[at] { Some(v) } else { None }).collect();
        if let Some(reason) = digits::decides(analysis, body, self.users, used.place.value, &partners) {
            return Err(reason);
        }
        for softmax in digits::half_sums(analysis, body, self.users, used.place.value)? {
            if !softmaxes.contains(&softmax) {
                softmaxes.push(softmax);
            }
        }
        assumptions.extend(digits::doubts(analysis, body, self.users, used.place.value, &partners));
        Ok(true)
    }
}

/// Say nothing twice, and of numbers of axes that an array is to have at least, the largest.
pub(super) fn once(assumptions: &mut Vec<String>) {
    let mut seen = FxHashSet::default();
    assumptions.retain(|a| seen.insert(a.clone()));
    let least = |text: &str| {
        let (array, axes) = text.split_once(" has at least ")?;
        Some((array.to_owned(), axes.strip_suffix(" axes")?.parse::<u8>().ok()?))
    };
    let all: Vec<_> = assumptions.iter().filter_map(|a| least(a)).collect();
    assumptions.retain(|a| least(a).is_none_or(|(array, n)| !all.iter().any(|(other, more)| *other == array && *more > n)));
}

/// An argument that the replacement writes more than once and that has no name, if computing it launches a kernel.
fn computed_again(candidate: &Candidate, variant: &Variant, graph: &Graph, spelling: &dyn Fn(&str) -> String) -> Option<String> {
    let is_name = |text: &str| text.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.'));
    let repeated = candidate.arguments.iter().filter(|(name, value)| variant.template.repeats(name) && is_kernel(graph, *value));
    repeated.map(|(name, _)| spelling(name)).find(|text| !is_name(text))
}

/// Why a store must stay one: something but the name that is assigned may hold the array, and would not see another one.
fn held_elsewhere(analysis: &Analysis<'_>, speller: &Speller<'_>, root: Occurrence) -> Option<String> {
    let (Op::Stored, operands) = analysis.graph.get(root.value) else { return None };
    let array = speller.argument(operands[0]).unwrap_or_else(|| "the array".to_owned());
    root.target.is_none().then(|| format!("something else may hold `{array}` and see what is stored into it"))
}

/// The values that are assumed to be Python numbers.
fn assumed_numbers(wildcards: &[Wildcard], place: &Place<'_>, wildcard: &dyn Fn(&str) -> Option<ValueId>) -> Vec<ValueId> {
    let numbers = wildcards.iter().filter(|w| w.kind.is_number()).filter_map(|w| wildcard(&w.name));
    numbers.filter(|&value| !place.facts.kind(value).is_number()).collect()
}

/// What the annotations of wildcards demand and facts do not prove.
fn assumed_kinds(
    wildcards: &[Wildcard],
    place: &Place<'_>,
    wildcard: &dyn Fn(&str) -> Option<ValueId>,
    spelling: &dyn Fn(&str) -> String,
) -> Vec<String> {
    let mut assumptions = Vec::new();
    // A view is an array where what it is a view of is one, which is shorter to say and to annotate.
    let array = |name: &str, value: ValueId| {
        Some(whole(place.graph, value)).filter(|&of| of != value).and_then(|of| place.speller.argument(of)).unwrap_or_else(|| spelling(name))
    };
    for w in wildcards {
        let Some(value) = wildcard(&w.name) else { continue };
        match (w.kind, place.facts.kind(value)) {
            (Kind::Array, Kind::Array) => {}
            (Kind::Array, Kind::OptionalArray) | (Kind::Array | Kind::OptionalArray, Kind::Unknown) => {
                assumptions.push(format!("`{}` is an `mx.array`", array(&w.name, value)))
            }
            (wanted, kind) if wanted.is_number() && !kind.is_number() => {
                assumptions.push(format!("`{}` is a Python number", spelling(&w.name)));
            }
            _ => {}
        }
    }
    assumptions
}

/// What `value` is a view of: with its axes in another order, or a part that slices take. What one number takes may be an item of a list.
fn whole(graph: &Graph, value: ValueId) -> ValueId {
    match graph.get(value) {
        (Op::Permute | Op::Mlx("transpose" | "swapaxes"), operands) => whole(graph, operands[0]),
        (Op::Index(_), &[of, index]) => match graph.get(index) {
            (Op::Tuple, parts) if parts.iter().any(|&p| matches!(graph.op(p), Op::Slice | Op::None | Op::Ellipsis)) => whole(graph, of),
            _ => value,
        },
        _ => value,
    }
}
