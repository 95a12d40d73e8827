//! What to pass in place of a number: an array of what meets an array, in the dtype of that array, as a Python number would be taken. What is made of numbers
//! alone is computed before the call, for of an array it would be computed in float32, or rounded to half precision at each step.

use std::ops::ControlFlow::{Break, Continue};

use crate::graph::Analysis;
use crate::graph::body::Body;
use crate::graph::dtypes::{self, Agreement, Dtype};
use crate::graph::facts::Facts;
use crate::graph::value::{Graph, Op, ValueId};
use crate::syntax::ast::Expr;
use crate::syntax::{Ranged, Source};

use super::{Meeting, Scalar, use_of};
use crate::advice::compiled::Site;
use crate::advice::listed;

/// What is to be passed in place of `scalars`, and why that; and whether the function has to change for it.
pub(super) fn advice(analysis: &Analysis<'_>, site: &Site<'_>, scalars: &[Scalar<'_>]) -> (String, bool) {
    let names: Vec<&str> = scalars.iter().map(|s| s.name).collect();
    let (mut passed, mut cast, mut replaced): (Vec<String>, Vec<String>, Vec<String>) = Default::default();
    let (mut fraction, mut compared, mut is_by_math) = (None, None, false);
    for Meeting { number: value, array: other, is_compared } in use_of(analysis, site, &names).meetings {
        // What was shown before is the same number.
        let value = if let (Op::Changed(_), operands) = analysis.graph.get(value) { operands[0] } else { value };
        let scalar = scalars.iter().find(|s| name_of(&analysis.graph, value) == Some(s.name));
        let dtype = dtype_of(analysis, site, &names, other);
        let computed = || text_of(analysis, site.inner.body, value).unwrap_or_else(|| "...".to_owned());
        let of = scalar.map_or_else(computed, |s| s.name.to_owned());
        is_by_math |= scalar.is_none() && takes_numbers_alone(&analysis.graph, value);
        let replaces = scalar.is_none().then(|| of.clone()).filter(|of| of != "...");
        let code = match (scalar.and_then(|s| read_from(analysis.source, s)), &dtype) {
            (Some(array), Some(dtype)) => format!("{array}.astype({dtype})"),
            (Some(array), None) => array,
            (None, Some(dtype)) => {
                let name = scalar.filter(|s| !s.is_whole).map(|s| s.name);
                let told = if is_compared { &mut compared } else { &mut fraction };
                *told = told.or(name);
                format!("mx.array({of}, {dtype})")
            }
            (None, None) => format!("mx.array({of})"),
        };
        let is_right = dtype.is_some() || scalar.is_some_and(|s| s.is_whole) || other.is_some_and(|o| is_float32(analysis, site, o));
        let met = other.filter(|_| !is_right).and_then(|o| text_of(analysis, site.inner.body, o));
        for (texts, text) in [(&mut passed, Some(code)), (&mut cast, met), (&mut replaced, replaces)] {
            texts.extend(text.filter(|t| !texts.contains(t)));
        }
    }
    let mut advice = format!("Pass {}.", listed(&passed));
    if !cast.is_empty() {
        advice += &format!(" Cast it in the function to the dtype of {}, where it meets that.", listed(&cast));
    }
    if !replaced.is_empty() {
        let that = if passed.len() == 1 { "that" } else { "those" };
        let otherwise = match is_by_math {
            true => "functions of `math` take no array that is being traced",
            false => "of an array it would be float32, or rounded to half precision at each step",
        };
        let replaced = listed(&replaced);
        advice += &format!(
            " The function takes {that} in place of {replaced}: what is made of numbers alone is computed before the call, for {otherwise}."
        );
    } else if let Some(name) = fraction {
        advice += &format!(
            " `mx.array({name})` would be float32 and make half-precision results float32; leave the dtype out only where the array is one of integers, which holds no fraction."
        );
    } else if let Some(name) = compared {
        advice += &format!(" `mx.array({name})` would be compared in float32, where a number is in the dtype of the data.");
    }
    (advice, !cast.is_empty() || !replaced.is_empty())
}

/// Whether a function of `math` takes part in `value`.
fn takes_numbers_alone(graph: &Graph, value: ValueId) -> bool {
    graph.finds(value, |v| match graph.get(v) {
        (Op::Apply, operands) if graph.path(operands[0]).is_some_and(|path| path.starts_with("math.")) => Break(()),
        (_, operands) => Continue(operands),
    })
}

/// The array whose `.item()` is passed, as text.
fn read_from(source: &Source<'_>, scalar: &Scalar<'_>) -> Option<String> {
    let Expr::Attribute(method) = &*scalar.given.as_call_expr()?.func else { return None };
    (method.attr.as_str() == "item").then(|| source.quote(method.value.range()))
}

/// The dtype of `other`, as that of a parameter that is no number.
fn dtype_of(analysis: &Analysis<'_>, site: &Site<'_>, numbers: &[&str], other: Option<ValueId>) -> Option<String> {
    let (graph, body, other) = (&analysis.graph, site.inner.body, other?);
    let facts = Facts::at(analysis, body, 0, body.range.end());
    let parameters = site.function.parameters.iter_non_variadic_params().map(|p| p.parameter.name.as_str()).filter(|p| !numbers.contains(p));
    let leaf = |name: &str| graph.find_leaf(Op::Param(body.name, graph.known_symbol(name)?));
    let parameters: Vec<(&str, ValueId)> = parameters.filter_map(|name| Some((name, leaf(name)?))).collect();
    let itself = parameters.iter().find(|(_, p)| *p == other);
    let same = || parameters.iter().find(|(_, p)| dtypes::compare(graph, &facts, other, *p) == Agreement::Same);
    itself.or_else(same).map(|(name, _)| format!("{name}.dtype"))
}

/// Whether `other` is float32 whatever the function is given, as an array that is made of a fraction is.
fn is_float32(analysis: &Analysis<'_>, site: &Site<'_>, other: ValueId) -> bool {
    let facts = Facts::at(analysis, site.inner.body, 0, site.inner.body.range.end());
    dtypes::combinations(&analysis.graph, &facts, &[other]) == [[Dtype::Float32]]
}

/// `value` as the function writes it.
fn text_of(analysis: &Analysis<'_>, body: &Body, value: ValueId) -> Option<String> {
    let written = || Some(analysis.source.quote(body.occurrences_of(value).next()?.range));
    name_of(&analysis.graph, value).map(str::to_owned).or_else(written)
}

/// The name that `value` has from the start.
fn name_of(graph: &Graph, value: ValueId) -> Option<&str> {
    match graph.op(value) {
        Op::Param(_, name) | Op::Captured(_, name) | Op::ModuleName(name) => Some(graph.name(name)),
        _ => None,
    }
}
