//! Conditions of guards about dtypes and digits: what promotes into what, what half precision holds, what is accumulated in float32.

use super::guard::{Site, Truth, shown};
use crate::graph::constants::{Half, constant, in_half};
use crate::graph::dtypes::{self, Agreement};
use crate::graph::facts::Kind;
use crate::graph::modules::is_super;
use crate::graph::value::{Op, ValueId};

/// The word for the errors of a norm that is not computed in float32, of which the size is told.
pub(super) const ROUNDINGS: &str = "roundings";

/// Whether a norm takes its statistics in float32. The weight and the bias are applied to what was rounded before, and each rounds again.
pub(super) fn accumulates_in_float32(site: &Site<'_>, name: &str) -> Truth {
    let why_not = "is not known to take its statistics in float32 whatever it is given";
    let shown = shown(site, name, |facts, v| facts.accumulates_in_float32(v), why_not);
    let Some(module) = (site.value)(name).filter(|&v| shown == Truth::True && !site.facts.has_no_parameters(v)) else { return shown };
    let inherited = matches!(site.graph.get(module), (Op::Attr(..), &[object]) if is_super(site.graph, object));
    // Of a parameter that may be one of several the error is that of the worst.
    let is_one_of = |classes: &[&str]| site.facts.is_module_of(module, &classes.iter().map(|&c| c.to_owned()).collect::<Vec<_>>());
    let of_parameter = || if is_one_of(&["RMSNorm"]) { "RMSNorm" } else { "LayerNorm" };
    let class = site.facts.module_of(module).unwrap_or_else(of_parameter);
    let norm = if inherited { format!("nn.{class}") } else { (site.spelling)(name) };
    let sum = " and of the sum with the bias";
    let (sum, measured) = match Some(class) {
        Some("GroupNorm" | "InstanceNorm") => (sum, "1.7 times the mean error, and 3 times the largest, at most"),
        Some("LayerNorm") if !site.facts.has_no_bias(module) => (sum, "1.7 times the mean error, and 4.1 times the largest, at most"),
        Some("LayerNorm" | "RMSNorm") => ("", "1.4 times the mean error, and 3.3 times the largest, at most"),
        _ => return shown,
    };
    let product = if sum.is_empty() { " and of its product with the weight" } else { ", of its product with the weight" };
    Truth::Unknown(vec![format!("the {ROUNDINGS} of `{norm}`{product}{sum} may be in half precision (measured: {measured})")])
}

/// Proved for constants that are the same number in float16 and bfloat16, refuted for those that float16 does not hold at all. The least number of the dtype of
/// the array beside it is one of that dtype, but a sum may leave no number.
pub(super) fn fits_half(site: &Site<'_>, name: &str, beside: &str) -> Truth {
    let Some(value) = (site.value)(name) else { return Truth::True };
    let spelling = (site.spelling)(name);
    match constant(site.graph, value).map(in_half) {
        None if ends_dtype(site, value, beside) => {
            Truth::Unknown(vec![format!("nothing that is added to `{spelling}` takes it out of the range of float16")])
        }
        None => Truth::Unknown(vec![format!("`{spelling}` is a number that half precision holds")]),
        Some(Half::Same) => Truth::True,
        Some(Half::Rounded) => Truth::Unknown(vec![format!("`{spelling}` may be rounded to half precision")]),
        Some(Half::OutOfRange) => Truth::False(format!("`{spelling}` is out of the range of float16")),
    }
}

/// Whether `value` is the least or greatest number of the dtype of the array `beside`.
fn ends_dtype(site: &Site<'_>, value: ValueId, beside: &str) -> bool {
    let (graph, Some(array)) = (site.graph, (site.value)(beside)) else { return false };
    let (Op::Attr(end, _), &[info]) = graph.get(value) else { return false };
    let (Op::Apply | Op::Call(..), &[callee, dtype]) = graph.get(info) else { return false };
    let (Op::DtypeOf, &[of]) = graph.get(dtype) else { return false };
    let is_end = matches!(graph.name(end), "min" | "max") && graph.path(callee) == Some("mlx.core.finfo");
    is_end && dtypes::compare(graph, site.facts, of, array) == Agreement::Same
}

pub(super) fn same_dtype(site: &Site<'_>, a: &str, b: &str) -> Truth {
    let (Some(first), Some(second)) = ((site.value)(a), (site.value)(b)) else { return Truth::True };
    match dtypes::compare(site.graph, site.facts, first, second) {
        Agreement::Same => Truth::True,
        Agreement::Never(example) => Truth::False(format!("`{}` and `{}` differ in dtype: {example}", (site.spelling)(a), (site.spelling)(b))),
        Agreement::Differs(_) | Agreement::Unknown => {
            Truth::Unknown(vec![format!("`{}` and `{}` have the same dtype", (site.spelling)(a), (site.spelling)(b))])
        }
    }
}

pub(super) fn promotes_into(site: &Site<'_>, narrow: &str, wide: &str) -> Truth {
    let (Some(first), Some(second)) = ((site.value)(narrow), (site.value)(wide)) else { return Truth::True };
    let (narrow, wide) = ((site.spelling)(narrow), (site.spelling)(wide));
    // What is compared is a dtype itself, or that of an array.
    let is_dtype = site.facts.kind(first) == Kind::Dtype || narrow.ends_with(".dtype");
    let subject = if is_dtype { format!("`{narrow}`") } else { format!("the dtype of `{narrow}`") };
    match dtypes::promotes_into(site.graph, site.facts, first, second) {
        Agreement::Same => Truth::True,
        Agreement::Never(example) => Truth::False(format!("{subject} does not promote to the dtype of `{wide}` ({example})")),
        // A dtype that is written out was meant: where it is wider than the array's, the result is to stay wider.
        Agreement::Differs(example) if matches!(site.graph.op(first), Op::Global(path) if site.graph.name(path).starts_with("mlx.core.")) => {
            Truth::False(format!("`{narrow}` may be wider than the dtype of `{wide}` ({example})"))
        }
        Agreement::Differs(_) | Agreement::Unknown if is_dtype => Truth::Unknown(vec![format!("`{wide}` is no narrower than {subject}")]),
        // Only one dtype of the other will do.
        Agreement::Differs(_) | Agreement::Unknown if dtypes::is_float32(site.graph, site.facts, first) => {
            Truth::Unknown(vec![format!("the dtype of `{wide}` is float32, as that of `{narrow}` is")])
        }
        Agreement::Differs(_) | Agreement::Unknown => Truth::Unknown(vec![format!("{subject} promotes to the dtype of `{wide}`")]),
    }
}

pub(super) fn floating(site: &Site<'_>, name: &str) -> Truth {
    match (site.value)(name) {
        Some(value) if dtypes::is_integer(site.graph, site.facts, value) => {
            Truth::False(format!("`{}` does not hold floating point numbers", (site.spelling)(name)))
        }
        Some(value) if dtypes::began_whole(site.graph, site.facts, value) => {
            Truth::False(format!("`{}` may hold whole numbers still", (site.spelling)(name)))
        }
        Some(value) if dtypes::is_double(site.graph, site.facts, value) => {
            Truth::False(format!("`{}` holds float64, of which the fast form keeps less", (site.spelling)(name)))
        }
        _ => Truth::True,
    }
}
