//! Python numbers that a compiled function takes, and that differ from call to call: each new value is traced and compiled again, where an array is not.
//!
//! A number that MLX needs as one (a size, an axis, a bound of a slice) must stay, and one that no call changes costs nothing. What is to be passed in its
//! place gives the same values in the same dtype: [`meetings`] says of what the array must be made, and in which dtype.

mod checks;
mod chosen;
mod meetings;

use rustc_hash::FxHashSet;

use crate::finding::{Finding, Notes, TransformId};
use crate::graph::Analysis;
use crate::graph::api::{self, Accepts};
use crate::graph::body::Effect;
use crate::graph::facts::Facts;
use crate::graph::value::{Op, ValueId};
use crate::syntax::Ranged;
use crate::syntax::ast::Expr;

use super::compiled::{self, Site};
use super::defaults::{self, Guard};
use super::{Told, listed};
use chosen::{Change, is_number_type};

/// Find the compiled functions that a number compiles anew.
pub fn find(analysis: &Analysis<'_>, id: &TransformId, notes: &Notes) -> Vec<Finding> {
    let told = compiled::each(analysis, notes, |site| of_function(analysis, site).into_iter().collect());
    told.into_iter().map(|(told, guards): (Told, Vec<Guard>)| told.hinging_on(guards.iter().map(Guard::way).collect(), id)).collect()
}

/// A parameter that should be an array.
struct Scalar<'x> {
    name: &'x str,
    /// What a call gives it, and another call may give otherwise.
    given: &'x Expr,
    /// It is annotated as a whole number.
    is_whole: bool,
    /// The file shows that it changes, and not only that callers may choose it.
    is_seen_to_change: bool,
}

fn of_function(analysis: &Analysis<'_>, site: &Site<'_>) -> Option<(Told, Vec<Guard>)> {
    let calls = site.calls();
    let mut scalars: Vec<Scalar<'_>> = Vec::new();
    // Numbers that change as well, and that no array can replace as they are used.
    let mut others: Vec<String> = Vec::new();
    let mut lists: Vec<String> = Vec::new();
    for (at, parameter) in site.function.parameters.iter_non_variadic_params().enumerate() {
        let name = parameter.parameter.name.as_str();
        let is_annotated = parameter.parameter.annotation.as_deref().is_some_and(is_number_type);
        let is_given = || calls.iter().any(|c| c.given(site.function, at).is_some_and(|given| !given.is_literal_expr()));
        if parameter.parameter.annotation.as_deref().is_some_and(is_list_of_numbers) && is_given() {
            lists.push(name.to_owned());
        }
        let given = calls.iter().filter_map(|c| Some((c, c.given(site.function, at)?)));
        let Some((given, change)) = given.filter_map(|(call, given)| Some((given, chosen::change(analysis, call, given, is_annotated)?))).next()
        else {
            if is_annotated {
                site.outer.notes.left::<()>(parameter.range(), parameter.range(), 100, || format!("no call in the file is seen to change `{name}`"));
            }
            continue;
        };
        let use_ = use_of(analysis, site, &[name]);
        if use_.as_number {
            others.push(name.to_owned());
            site.outer
                .notes
                .left::<()>(parameter.range(), parameter.range(), 100, || format!("`{name}` is needed as a number: a size, an axis or a bound"));
        } else if !use_.meetings.is_empty() {
            let annotation = parameter.parameter.annotation.as_deref().and_then(Expr::as_name_expr);
            let is_whole = annotation.is_some_and(|a| a.id.as_str() == "int");
            scalars.push(Scalar { name, given, is_whole, is_seen_to_change: change == Change::Seen });
        } else if is_annotated {
            others.push(name.to_owned());
        }
    }
    let Some(first) = scalars.first() else {
        return site.outer.notes.left(site.range(), site.range(), 60, || "no number that it takes is seen to change".to_owned());
    };
    let guards = defaults::guards(analysis, &calls);
    if guards.iter().any(|g| g.is_never_passed) {
        return site
            .outer
            .notes
            .left(site.range(), site.range(), 100, || "by default it is not called, and the file shows that nobody asks for it".to_owned());
    }
    Some((told(analysis, site, &scalars, first, [&others, &lists], &guards), guards))
}

/// What is told of the numbers `scalars`, of which one is `first`, and of those beside them that stay numbers, and lists of them.
fn told(
    analysis: &Analysis<'_>,
    site: &Site<'_>,
    scalars: &[Scalar<'_>],
    first: &Scalar<'_>,
    [others, lists]: [&[String]; 2],
    guards: &[Guard],
) -> Told {
    let function = site.function.name.as_str();
    let names: Vec<String> = scalars.iter().map(|s| s.name.to_owned()).collect();
    let (is, number) = if names.len() == 1 { ("is", "a Python number") } else { ("are", "Python numbers") };
    let value = analysis.source.quote(first.given.range());
    let such = if value == first.name { String::new() } else { format!(", as with `{value}`") };
    let mut cost = format!("1 compilation for each value of {} that a call brings{such}; with arrays 1 for all values.", listed(&names));
    if !scalars.iter().any(|s| s.is_seen_to_change) {
        cost += " That counts where callers bring many, as the requests of a server do: a value that stays is compiled once.";
        cost += &guards.iter().map(|g| g.told()).collect::<String>();
    }
    let (mut passed, changes_body) = meetings::advice(analysis, site, scalars);
    let tests = checks::advice(analysis, site, scalars);
    if !changes_body && tests.is_none() {
        passed += " The function itself stays as it is.";
    }
    let mut rationale = vec![cost, passed];
    if (changes_body || tests.is_some()) && site.is_public() {
        rationale.push(format!(
            "Others may call `{function}` with numbers: keep it without its decorator, let it check and convert them, and call a compiled function from it."
        ));
    }
    rationale.extend(tests);
    if !others.is_empty() {
        let (stays, number) = if others.len() == 1 { ("stays", "a number") } else { ("stay", "numbers") };
        rationale.push(format!("{} {stays} {number} of Python, and each new value compiles it again as well.", listed(others)));
    }
    if !lists.is_empty() {
        let (holds, it, stays) =
            if lists.len() == 1 { ("holds", "it", "a list that stays the same costs") } else { ("hold", "them", "lists that stay the same cost") };
        rationale.push(format!("{} {holds} numbers of Python: other numbers in {it} compile it again as well, and {stays} nothing.", listed(lists)));
    }
    Told {
        range: site.range(),
        message: format!("{} of the compiled `{function}` {is} {number}: each new value traces and compiles it again", listed(&names)),
        rationale,
    }
}

/// Whether `annotation` is that of a list or tuple of numbers.
fn is_list_of_numbers(annotation: &Expr) -> bool {
    let Expr::Subscript(e) = annotation else { return false };
    let name = e.value.as_name_expr().map(|n| n.id.as_str()).or(e.value.as_attribute_expr().map(|a| a.attr.as_str()));
    let is_list = matches!(name, Some("list" | "List" | "tuple" | "Tuple" | "Sequence"));
    let of_numbers = |of: &Expr| of.as_tuple_expr().map_or(is_number_type(of), |t| t.elts.first().is_some_and(is_number_type));
    is_list && of_numbers(&e.slice)
}

/// What the compiled function computes, operands before what is made of them; what it raises and asserts is checked in Python and left out.
fn computed(analysis: &Analysis<'_>, site: &Site<'_>) -> Vec<ValueId> {
    let effects = &site.inner.body.effects;
    let is_raised = |value: ValueId| effects.contains(&Effect::Raise(value));
    // What an f-string formats is stored in something unknown.
    let counts = |e: &&Effect| match **e {
        Effect::Raise(_) | Effect::Assert(_) => false,
        Effect::Call(v) => !is_raised(v),
        Effect::StoreItem(object, ..) => !matches!(analysis.graph.op(object), Op::Opaque(..)),
        _ => true,
    };
    let mut stack: Vec<ValueId> = effects.iter().filter(counts).flat_map(|e| e.values().into_iter().flatten()).collect();
    let mut seen: FxHashSet<ValueId> = FxHashSet::default();
    while let Some(value) = stack.pop() {
        if seen.insert(value) {
            stack.extend(analysis.graph.operands(value));
        }
    }
    let mut nodes: Vec<ValueId> = seen.into_iter().collect();
    nodes.sort_unstable();
    nodes
}

/// A number meets an array.
struct Meeting {
    /// The parameter, or what is computed of it and of numbers.
    number: ValueId,
    /// The array, if that is seen.
    array: Option<ValueId>,
    /// They are compared: what comes of it has no dtype of theirs.
    is_compared: bool,
}

/// How parameters are used.
#[derive(Default)]
struct Use {
    /// Where an array would do as well.
    meetings: Vec<Meeting>,
    /// Where only a Python number will do.
    as_number: bool,
}

/// How the compiled function uses its parameters `names`, which are numbers.
fn use_of(analysis: &Analysis<'_>, site: &Site<'_>, names: &[&str]) -> Use {
    let graph = &analysis.graph;
    let facts = Facts::anywhere(analysis);
    let mut use_ = Use::default();
    let parameter = |name: &&str| graph.find_leaf(Op::Param(site.inner.body.name, graph.known_symbol(name)?));
    let mut derived: FxHashSet<ValueId> = names.iter().filter_map(parameter).collect();
    for node in computed(analysis, site) {
        let (op, operands) = graph.get(node);
        for (n, &of) in operands.iter().enumerate().filter(|(_, v)| derived.contains(v)).collect::<Vec<_>>() {
            let is_other = |v: &ValueId| !derived.contains(v) && graph.number(*v).is_none() && !facts.kind(*v).is_number();
            let other = operands.iter().copied().rfind(is_other);
            match op {
                Op::Add | Op::Sub | Op::Mul | Op::Div | Op::Pow | Op::Compare(_) if other.is_some() => {
                    let is_compared = matches!(op, Op::Compare(_));
                    use_.meetings.push(Meeting { number: of, array: other, is_compared });
                }
                Op::Apply if graph.path(operands[0]).is_some_and(|p| p.starts_with("math.") || p.starts_with("numpy.")) => _ = derived.insert(node),
                Op::Apply if matches!(graph.op(operands[0]), Op::Builtin(b) if graph.name(b) == "range") => use_.as_number = true,
                Op::Add | Op::Sub | Op::Mul | Op::Div | Op::Pow | Op::Neg | Op::FloorDiv | Op::Mod | Op::Changed(_) => _ = derived.insert(node),
                Op::Mlx(function) => {
                    let accepts = api::function(function).and_then(|f| f.get().params.get(n)).map(|p| p.accepts);
                    match accepts {
                        Some(Accepts::Array | Accepts::Scalar | Accepts::OptionalArray) => {
                            use_.meetings.push(Meeting { number: of, array: other, is_compared: false });
                        }
                        _ if function == "array" && n == 0 => {
                            use_.meetings.push(Meeting { number: of, array: None, is_compared: false });
                        }
                        _ => use_.as_number = true,
                    }
                }
                Op::Slice | Op::Index(_) | Op::Tuple | Op::List => use_.as_number = true,
                _ => {}
            }
        }
    }
    use_
}
