//! What is to be run to see that one edit keeps what its code computes: the text before and after it, which expressions of both are which value, and what
//! is known of those. Nothing is run here.

mod statements;

use std::collections::BTreeMap;

use rustc_hash::{FxHashMap, FxHashSet};

use super::validate::replacements;
use crate::finding::{Applicability, Contract, Numerics, Proposal};
use crate::graph::Analysis;
use crate::graph::body::Occurrence;
use crate::graph::dtypes;
use crate::graph::facts::{Facts, Kind};
use crate::graph::value::{Graph, Op, ValueId};
use crate::replay::{Constant, Form, Leaf, Replay, Site, Values, Version};
use crate::syntax::{EditSet, Source, TextRange, TextSize};

/// So many values are told of at most; a site needs a dozen.
const MAX_LEAVES: usize = 400;
/// The dtypes of more arrays than these are not worked out together.
const MAX_ARRAYS: usize = 5;

/// What is to be run of `proposal`, which is valid in the text of `old`, or why nothing can be. `together` are
/// the proposals that are applied with it, itself among them. The rule is told by its file, and whether it ships. The graph of `old` grows; its values keep their numbers.
pub(super) fn replay(old: &mut Analysis<'_>, proposal: &Proposal, together: &[&Proposal], (rule, ships): (&str, bool)) -> Result<Replay, String> {
    let Proposal { finding, contract } = proposal;
    let site = match contract {
        Contract::Values { site, .. } => site,
        Contract::Statements(kept) => return statements::replay(old, finding, *kept),
    };
    let replaced = together.iter().filter_map(|p| match &p.contract {
        Contract::Values { replaced, also, .. } => Some(std::iter::once(*replaced).chain(also.iter().copied())),
        Contract::Statements(_) => None,
    });
    let leaves = Leaves::of(old, &replaced.flatten().collect(), site);
    let contracts: Vec<&Contract> = together.iter().map(|p| &p.contract).collect();
    let (mut memo, _) = replacements(&mut old.graph, &contracts);
    let mut edits = EditSet::new();
    together.iter().for_each(|p| _ = edits.try_add(&p.finding.edits, 0));
    let text = edits.apply(old.source.text());
    let source = Source::parse(&text).map_err(|e| format!("the result is no Python: {e}"))?;
    let before = version(old, site, &leaves.numbers, |place| Some(span(place.range)))?;
    let wanted: Vec<ValueId> = site.places.iter().map(|place| old.graph.substitute(place.value, &mut memo)).collect();
    let (leaves, numbers, arrays, dtypes) = (leaves.told, leaves.numbers, leaves.arrays, leaves.dtypes);
    let constants = constants(&old.graph, site);
    let new = Analysis::new(&source, std::mem::take(&mut old.graph));
    let moved = |offset: TextSize| moved(&edits, offset);
    let after = version(&new, site, &numbers, |place| {
        let nth = site.places.iter().position(|p| p.range == place.range)?;
        let (start, end) = (moved(place.range.start()), moved(place.range.end()));
        let body = new.bodies.iter().find(|b| b.name == site.scope)?;
        let same = body.occurrences.iter().filter(|o| o.value == wanted[nth]);
        let nearest = same.min_by_key(|o| o.range.start().to_usize().abs_diff(start));
        Some(nearest.map_or((start, end), |o| span(o.range)))
    });
    old.graph = new.graph;
    Ok(Replay::Values(Box::new(Values {
        id: finding.transform.to_string(),
        rule: rule.to_owned(),
        ships,
        variant: site.variant.clone(),
        numerics: finding.numerics.map_or("", Numerics::as_str),
        parameters: site.bindings.iter().map(|b| b.0.clone()).collect(),
        narrows: site.narrows,
        assumes: finding.applicability == Applicability::Unsafe,
        axes: site.axes.iter().map(|axes| (axes.least, axes.most)).collect(),
        before,
        after: after?,
        leaves,
        constants,
        arrays,
        dtypes,
    })))
}

/// Where `offset` of the old text is in the new one; the end of an edit is behind what it writes.
fn moved(edits: &EditSet, offset: TextSize) -> usize {
    let mut at = offset.to_usize();
    for (edit, _) in edits.iter().filter(|(e, _)| e.range.start() < offset) {
        if edit.range.end() > offset {
            return at + edit.range.start().to_usize() - offset.to_usize();
        }
        at = at + edit.content.len() - edit.range.len().to_usize();
    }
    at
}

fn span(range: TextRange) -> (usize, usize) {
    (range.start().to_usize(), range.end().to_usize())
}

/// The text of `analysis`, with the places that are compared and the expressions that are one of the leaves.
fn version(
    analysis: &Analysis<'_>,
    site: &Site,
    numbers: &FxHashMap<ValueId, usize>,
    place: impl Fn(&Occurrence) -> Option<(usize, usize)>,
) -> Result<Version, String> {
    let places = site.places.iter().map(place).collect::<Option<Vec<_>>>().ok_or("what is computed is not found again")?;
    let axes = marks(analysis, &site.axes.iter().enumerate().map(|(n, axes)| (axes.of, n)).collect());
    Ok(Version { text: analysis.source.text().to_owned(), places, marks: marks(analysis, numbers), axes })
}

/// The expressions of `analysis` that are one of the values in `numbers`.
fn marks(analysis: &Analysis<'_>, numbers: &FxHashMap<ValueId, usize>) -> Vec<(usize, usize, usize)> {
    let mut marks = Vec::new();
    let mut mark = |range: TextRange, value: ValueId| {
        if let Some(&leaf) = numbers.get(&value) {
            marks.push((range.start().to_usize(), range.end().to_usize(), leaf));
        }
    };
    for body in &analysis.bodies {
        body.occurrences.iter().filter(|o| o.target.is_none()).for_each(|o| mark(o.range, o.value));
        for (name, range) in body.definitions.iter().flat_map(|d| d.uses.iter().map(|&range| (d.name, range))) {
            body.value_of(name, range.start()).into_iter().for_each(|value| mark(range, value));
        }
    }
    marks
}

/// The parameters of the pattern that are constant at this place, or follow from others.
fn constants(graph: &Graph, site: &Site) -> BTreeMap<String, Constant> {
    let same = |value: ValueId| site.bindings.iter().find(|b| b.2 == value && b.1 == Form::Same).map(|b| b.0.clone());
    let constant = |value: ValueId| match graph.get(value) {
        (Op::Bool(truth), _) => Some(Constant::Bool(truth)),
        (Op::None, _) => Some(Constant::None),
        (Op::Global(path), _) => match graph.name(path).strip_prefix("mlx.core.")? {
            "inf" => Some(Constant::Number("inf".to_owned())),
            name => dtypes::Dtype::named(name).map(|dtype| Constant::Dtype(dtype.name().to_owned())),
        },
        (Op::DtypeOf, &[array]) => same(array).map(Constant::DtypeOf),
        _ => graph.number(value).map(|number| Constant::Number(number.to_string())),
    };
    let direct = site.bindings.iter().filter(|(_, form, _)| *form == Form::Same);
    direct.filter_map(|(name, _, value)| Some((name.clone(), constant(*value)?))).collect()
}

/// The values of which both programs can be given what they are.
struct Leaves {
    numbers: FxHashMap<ValueId, usize>,
    told: Vec<Leaf>,
    arrays: Vec<usize>,
    dtypes: Vec<Vec<&'static str>>,
}

impl Leaves {
    fn of(analysis: &Analysis<'_>, replaced: &FxHashMap<ValueId, ValueId>, site: &Site) -> Self {
        let graph = &analysis.graph;
        let bound: FxHashSet<ValueId> = site.bindings.iter().filter(|b| b.1 != Form::Part).map(|b| b.2).collect();
        let roots = replaced.iter().flat_map(|(&before, &after)| [before, after]).chain(site.places.iter().map(|p| p.value));
        let roots = roots.chain(site.bindings.iter().map(|b| b.2));
        let all = reached(graph, roots.collect());
        let replaced: FxHashSet<ValueId> = replaced.keys().copied().chain(site.places.iter().map(|p| p.value)).collect();
        // What a module makes of its argument is computed where the module is given.
        let is_called = |v: ValueId| graph.op(v) == Op::Apply && bound.contains(&graph.operands(v)[0]);
        // What is made of what is replaced is not the same value before and after.
        let depends = |v: ValueId| reached(graph, vec![v]).iter().any(|v| replaced.contains(v));
        // A part of what is given is taken from it.
        let is_part = |v: ValueId| matches!(graph.op(v), Op::Index(_) | Op::Item(_)) && bound.contains(&graph.operands(v)[0]);
        let given = |v: ValueId| bound.contains(&v) || is_opaque(graph, v) && !is_part(v);
        let wanted = |&v: &ValueId| given(v) && !is_called(v) && !is_constant(graph, v) && !depends(v);
        let values: Vec<ValueId> = all.into_iter().filter(wanted).take(MAX_LEAVES).collect();
        let numbers: FxHashMap<ValueId, usize> = values.iter().enumerate().map(|(n, &v)| (v, n)).collect();
        let Some(body) = analysis.bodies.iter().find(|b| b.name == site.scope) else {
            return Self { numbers, told: Vec::new(), arrays: Vec::new(), dtypes: Vec::new() };
        };
        let facts = Facts::at(analysis, body, site.root.block, site.root.range.end());
        let mut told: Vec<Leaf> = values.iter().map(|&v| leaf(analysis, &facts, site, v)).collect();
        let arrays: Vec<usize> = (0..told.len()).filter(|&n| !told[n].bound.is_empty() && matches!(told[n].kind, "array" | "unknown")).collect();
        for (leaf, &value) in told.iter_mut().zip(&values) {
            leaf.counts = counted(&facts, value, &arrays, &values);
        }
        let listed: Vec<ValueId> = arrays.iter().map(|&n| values[n]).collect();
        let dtypes = if listed.len() <= MAX_ARRAYS { dtypes::combinations(graph, &facts, &listed) } else { Vec::new() };
        let dtypes = dtypes.into_iter().map(|d| d.into_iter().map(dtypes::Dtype::name).collect()).collect();
        Self { numbers, told, arrays, dtypes }
    }
}

/// Everything that `values` are made of, as far as it is known.
fn reached(graph: &Graph, mut stack: Vec<ValueId>) -> Vec<ValueId> {
    let (mut seen, mut order) = (FxHashSet::default(), Vec::new());
    while let Some(value) = stack.pop() {
        if seen.insert(value) {
            order.push(value);
            if !is_opaque(graph, value) {
                stack.extend(graph.operands(value).iter().rev());
            }
        }
    }
    order
}

/// Whether nothing is known of how `value` is computed.
fn is_opaque(graph: &Graph, value: ValueId) -> bool {
    match graph.op(value) {
        Op::Param(..) | Op::Captured(..) | Op::ModuleName(_) | Op::Unbound(_) | Op::Phi(..) | Op::Changed(_) | Op::Opaque(..) => true,
        Op::Element(..) | Op::Attr(..) | Op::Call(..) => true,
        Op::Apply => !matches!(graph.op(graph.operands(value)[0]), Op::Builtin(_) | Op::Global(_)),
        Op::Item(_) | Op::Index(_) => is_opaque(graph, graph.operands(value)[0]) && !graph.is_arrayish(value),
        _ => false,
    }
}

/// Whether `value` is made of constants alone, so that its text says all.
fn is_constant(graph: &Graph, value: ValueId) -> bool {
    let is_constant = |op: Op| matches!(op, Op::Int(_) | Op::Float(_) | Op::Bool(_) | Op::Str(_) | Op::None | Op::Ellipsis | Op::Literal(_));
    let is_name = |op: Op| matches!(op, Op::Global(_) | Op::Builtin(_) | Op::Function(_) | Op::Class(_) | Op::Keyword(_));
    let is_one = |op: Op| is_constant(op) || is_name(op);
    reached(graph, vec![value]).into_iter().all(|v| is_one(graph.op(v)) || !is_opaque(graph, v) && !graph.operands(v).is_empty())
}

fn leaf(analysis: &Analysis<'_>, facts: &Facts<'_>, site: &Site, value: ValueId) -> Leaf {
    let graph = &analysis.graph;
    let bound = site.bindings.iter().filter(|b| b.2 == value && b.1 != Form::Part);
    let is_part = |of: ValueId| of == value || reached(graph, vec![of]).contains(&value);
    let rank = facts.rank(value);
    let length = |axis| facts.length(value, axis).and_then(|n| graph.as_int(n));
    Leaf {
        bound: bound.map(|(name, form, _)| (name.clone(), *form)).collect(),
        feeds: site.bindings.iter().filter(|b| is_part(b.2)).map(|b| b.0.clone()).collect(),
        opaque: is_opaque(graph, value),
        name: path(graph, value),
        kind: word(facts.kind(value)),
        module: facts.module_of(value).map(str::to_owned),
        rank,
        lengths: (0..rank.unwrap_or(0)).map(length).collect(),
        dtypes: Vec::new(),
        counts: Vec::new(),
    }
}

/// The parameter that `value` is, or the attribute of one.
fn path(graph: &Graph, value: ValueId) -> Option<String> {
    match graph.get(value) {
        (Op::Param(_, name), _) => Some(graph.name(name).to_owned()),
        (Op::Attr(name, _), &[object]) => Some(format!("{}.{}", path(graph, object)?, graph.name(name))),
        _ => None,
    }
}

fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Array => "array",
        Kind::OptionalArray => "array or None",
        Kind::Int => "int",
        Kind::Float | Kind::Number | Kind::PerhapsNumber => "number",
        Kind::Bool => "bool",
        Kind::None => "None",
        Kind::Dtype => "dtype",
        Kind::Other => "other",
        Kind::Unknown => "unknown",
    }
}

/// The axes of `arrays` that are as long as the number `value`.
fn counted(facts: &Facts<'_>, value: ValueId, arrays: &[usize], values: &[ValueId]) -> Vec<(usize, i64)> {
    let mut axes = Vec::new();
    for &array in arrays.iter().filter(|&&n| values[n] != value) {
        let rank = facts.rank(values[array]);
        let all = rank.map_or(-2..0, |rank| 0..i64::from(rank));
        let says = |axis: i64| rank.is_some() && u8::try_from(axis).is_ok_and(|axis| facts.length(values[array], axis) == Some(value));
        axes.extend(all.filter(|&axis| facts.counts(value, values[array], axis) || says(axis)).map(|axis| (array, axis)));
    }
    axes
}
