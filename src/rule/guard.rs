//! The precondition of a rule: a condition over facts with three outcomes. What is unknown is not true: it becomes an assumption that the finding states.

use std::ops::ControlFlow::{Break, Continue};

use super::gathers;
use super::masks;
use super::precision::{accumulates_in_float32, fits_half, floating, promotes_into, same_dtype};
use super::products;
use super::rotations;
use crate::graph::facts::{Facts, Kind};
use crate::graph::value::{Graph, Op, ValueId};
use crate::syntax::ast::{self, CmpOp, Expr, Number};
use crate::syntax::{Ranged, Source, TextSize};

use super::prelude;

/// A condition over the wildcards of a rule.
#[derive(Clone, Debug)]
pub enum Condition {
    /// All of them.
    All(Vec<Condition>),
    /// Any of them.
    Any(Vec<Condition>),
    /// `w is None`.
    IsNone(String),
    /// `w.ndim == 1` and the like.
    Rank(String, Order, u8),
    /// `a.dtype == b.dtype`.
    SameDtype(String, String),
    /// `is_number(scale)`: must be proved, where an annotation may be assumed.
    Number(String),
    /// `promotes_into(m.dtype, q.dtype)` or `promotes_into(t, q.dtype)`.
    PromotesInto(String, String),
    /// `is_floating(x.dtype)`: refuted where the dtype is known to be otherwise.
    Floating(String),
    /// `accumulates_in_float32(norm)`.
    AccumulatesInFloat32(String),
    /// `has_no_parameters(norm)`.
    NoParameters(String),
    /// `fits_half(c, x)`.
    FitsHalf(String, String),
    /// `breaks_no_tie(p)`.
    BreaksNoTie,
    /// `are_matrices(a, b)`.
    AreMatrices(String, String),
    /// `goes_first(r, c, b)`.
    GoesFirst([String; 3]),
    /// `are_nonnegative(r, c)`.
    NonNegative(String, String),
    /// `is_there(c)`.
    There(String),
    /// `has_axes(x, i, 2)`.
    HasAxes(String, String, u8),
    /// `counts(n, x, i, 0)`.
    Counts([String; 3], i64),
    /// `is_part(i)`.
    Part(String),
    /// `is_order(i)`.
    Order(String),
    /// `is_distinct(i)`.
    Distinct(String),
    /// `as_long(i, y, 0)`.
    AsLong(String, String, i64),
    /// `is_single(a, axis)`.
    Single(String, String),
    /// `is_scalar(v)`.
    Scalar(String),
    /// `is_length(n, x)` and `is_width(n, x)`, with the axis, counted from the back.
    Length(String, String, i64),
    /// `is_half(h, x)`.
    Half(String, String),
    /// `is_even(x)`.
    Even(String),
    /// `keeps_shape(shape, x)`.
    KeepsShape(String, String),
    /// `in_front(lead, x)`.
    InFront(String, String),
    /// `is_integer(n)`.
    Integer(String),
    /// `is_positive(n)`.
    Positive(String),
    /// `spans(w, x)`.
    Spans(String, String),
    /// `broadcasts_into(c, a, b)`.
    BroadcastsInto(String, String, String),
    /// `same_batch_and_heads(q, k, v, n)`.
    SameBatch([String; 4]),
    /// `masks_scores(mask, q, k, fill)`.
    Masks([String; 4]),
    /// `adds_to_scores(mask, q, k)`.
    AddsToScores([String; 3]),
    /// Another guard, for the wildcards that are passed to it.
    Within(Vec<String>, Box<Condition>),
    /// Anything else: never proved, stated as it is written.
    Stated(String),
}

/// How a number of axes is compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    /// `==`
    Equal,
    /// `>=`
    AtLeast,
    /// `<=`
    AtMost,
}

/// What is known of a condition at a site.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Truth {
    /// It holds.
    True,
    /// Nothing proves or refutes it; what would have to be assumed.
    Unknown(Vec<String>),
    /// It does not hold; why not.
    False(String),
}

/// What a condition is asked about at a site.
pub struct Site<'x> {
    /// The facts there.
    pub facts: &'x Facts<'x>,
    /// The values.
    pub graph: &'x Graph,
    /// The value of a wildcard, unless the matched alternative leaves it out.
    pub value: &'x dyn Fn(&str) -> Option<ValueId>,
    /// How the file writes a wildcard's value.
    pub spelling: &'x dyn Fn(&str) -> String,
}

/// A guard as the rule defines it, and the expression that it returns.
pub(super) type Guard<'e> = (&'e ast::StmtFunctionDef, &'e Expr);

/// The wildcards that a guard hands on to another, each under its own name: what that one asks about by another name would be asked of nothing.
fn passed(call: &ast::ExprCall, guard: &ast::StmtFunctionDef) -> Result<Vec<String>, (TextSize, String)> {
    let wrong = |at: TextSize, message: String| Err((at, message));
    if let Some(keyword) = call.arguments.keywords.first() {
        return wrong(keyword.start(), format!("`{}` is called by position", guard.name));
    }
    let mut parameters = guard.parameters.iter_non_variadic_params();
    let mut passed = Vec::new();
    for argument in &call.arguments.args {
        let Some(parameter) = parameters.next() else {
            return wrong(argument.start(), format!("`{}` has no parameter for this", guard.name));
        };
        match argument {
            Expr::Name(name) if name.id == parameter.parameter.name.id => passed.push(name.id.to_string()),
            Expr::NoneLiteral(_) => {}
            _ => return wrong(argument.start(), format!("`{}` takes `{}` here, under that name, or None", guard.name, parameter.parameter.name)),
        }
    }
    match parameters.find(|p| p.default.is_none()) {
        Some(parameter) => wrong(call.start(), format!("`{}` also asks about `{}`", guard.name, parameter.parameter.name)),
        None => Ok(passed),
    }
}

/// What is assumed where probabilities become half precision before one is chosen.
const TIES: &str = "a choice between probabilities that are one number in half precision may fall the other way";

impl Condition {
    /// Read a guard's expression; an error names the place.
    /// `named` gives another guard of the rule, and its expression.
    pub(super) fn read<'e>(expr: &'e Expr, source: &Source<'_>, named: &dyn Fn(&str) -> Option<Guard<'e>>) -> Result<Self, (TextSize, String)> {
        match expr {
            Expr::BoolOp(e) => {
                let parts = e.values.iter().map(|v| Self::read(v, source, named)).collect::<Result<Vec<_>, _>>()?;
                Ok(if e.op == ast::BoolOp::And { Self::All(parts) } else { Self::Any(parts) })
            }
            Expr::Compare(e) if e.ops.len() == 1 => Ok(Self::read_comparison(e, source)),
            Expr::Call(e) => {
                // One guard inside another, not itself again.
                if let Some((guard, asked)) = e.func.as_name_expr().filter(|n| n.id.starts_with("guard")).and_then(|n| named(&n.id)) {
                    return Ok(Self::Within(passed(e, guard)?, Box::new(Self::read(asked, source, &|_| None)?)));
                }
                let function = e.func.as_name_expr().and_then(|n| prelude::parameters(&n.id).map(|count| (n, count)));
                match function {
                    Some((name, Some(count))) if count != e.arguments.len() => {
                        Err((e.start(), format!("`{}` takes {count} argument{}", name.id, if count == 1 { "" } else { "s" })))
                    }
                    _ => Ok(Self::read_call(e, source)),
                }
            }
            Expr::BooleanLiteral(b) if b.value => Ok(Self::All(Vec::new())),
            _ => Err((expr.start(), "a guard is made of `and`, `or`, comparisons and the functions of the prelude".to_owned())),
        }
    }

    fn read_comparison(e: &ast::ExprCompare, source: &Source<'_>) -> Self {
        let stated = || Self::Stated(source.slice(e.range).to_owned());
        let right = &e.comparators[0];
        let attribute = |expr: &Expr, attr: &str| -> Option<String> {
            let attribute = expr.as_attribute_expr().filter(|a| a.attr.as_str() == attr)?;
            Some(attribute.value.as_name_expr()?.id.to_string())
        };
        if let (Expr::Name(name), CmpOp::Is, Expr::NoneLiteral(_)) = (&*e.left, e.ops[0], right) {
            return Self::IsNone(name.id.to_string());
        }
        if let (Some(a), Some(b), CmpOp::Eq) = (attribute(&e.left, "dtype"), attribute(right, "dtype"), e.ops[0]) {
            return Self::SameDtype(a, b);
        }
        let order = match e.ops[0] {
            CmpOp::Eq => Order::Equal,
            CmpOp::GtE => Order::AtLeast,
            CmpOp::LtE => Order::AtMost,
            _ => return stated(),
        };
        match (attribute(&e.left, "ndim"), right) {
            (Some(name), Expr::NumberLiteral(ast::ExprNumberLiteral { value: Number::Int(n), .. })) => match n.as_u8() {
                Some(n) => Self::Rank(name, order, n),
                None => stated(),
            },
            _ => stated(),
        }
    }

    fn read_call(e: &ast::ExprCall, source: &Source<'_>) -> Self {
        let name = |expr: &'_ Expr| -> Option<String> {
            let expr = expr.as_attribute_expr().filter(|a| a.attr.as_str() == "dtype").map_or(expr, |a| &a.value);
            Some(expr.as_name_expr()?.id.to_string())
        };
        let names: Vec<String> = e.arguments.args.iter().filter_map(name).collect();
        if let Some(numbered) = Self::read_numbered(e, &names) {
            return numbered;
        }
        match (e.func.as_name_expr().map(|n| n.id.as_str()), &names[..]) {
            (Some("is_number"), [name]) => Self::Number(name.clone()),
            (Some("is_floating"), [name]) => Self::Floating(name.clone()),
            (Some("accumulates_in_float32"), [norm]) => Self::AccumulatesInFloat32(norm.clone()),
            (Some("has_no_parameters"), [norm]) => Self::NoParameters(norm.clone()),
            (Some("fits_half"), [c, x]) => Self::FitsHalf(c.clone(), x.clone()),
            (Some("breaks_no_tie"), [_]) => Self::BreaksNoTie,
            (Some("is_part"), [name]) => Self::Part(name.clone()),
            (Some("is_order"), [name]) => Self::Order(name.clone()),
            (Some("is_distinct"), [name]) => Self::Distinct(name.clone()),
            (Some("is_scalar"), [name]) => Self::Scalar(name.clone()),
            (Some("is_single"), [a, axis]) => Self::Single(a.clone(), axis.clone()),
            (Some("is_length"), [n, x]) => Self::Length(n.clone(), x.clone(), -2),
            (Some("is_width"), [n, x]) => Self::Length(n.clone(), x.clone(), -1),
            (Some("is_half"), [h, x]) => Self::Half(h.clone(), x.clone()),
            (Some("is_even"), [x]) => Self::Even(x.clone()),
            (Some("keeps_shape"), [shape, x]) => Self::KeepsShape(shape.clone(), x.clone()),
            (Some("in_front"), [lead, x]) => Self::InFront(lead.clone(), x.clone()),
            (Some("is_integer"), [n]) => Self::Integer(n.clone()),
            (Some("is_positive"), [n]) => Self::Positive(n.clone()),
            (Some("spans"), [w, x]) => Self::Spans(w.clone(), x.clone()),
            (Some("are_matrices"), [a, b]) => Self::AreMatrices(a.clone(), b.clone()),
            (Some("goes_first"), [r, c, b]) => Self::GoesFirst([r, c, b].map(Clone::clone)),
            (Some("are_nonnegative"), [r, c]) => Self::NonNegative(r.clone(), c.clone()),
            (Some("is_there"), [c]) => Self::There(c.clone()),
            (Some("promotes_into"), [narrow, wide]) => Self::PromotesInto(narrow.clone(), wide.clone()),
            (Some("broadcasts_into"), [c, a, b]) => Self::BroadcastsInto(c.clone(), a.clone(), b.clone()),
            (Some("same_batch_and_heads"), [q, k, v, n]) => Self::SameBatch([q, k, v, n].map(Clone::clone)),
            (Some("adds_to_scores"), [mask, q, k]) => Self::AddsToScores([mask, q, k].map(Clone::clone)),
            (Some("masks_scores"), [mask, q, k, fill]) => Self::Masks([mask, q, k, fill].map(Clone::clone)),
            _ => Self::Stated(source.slice(e.range()).to_owned()),
        }
    }

    /// Those that end with a number: an axis, or how many there are.
    fn read_numbered(e: &ast::ExprCall, names: &[String]) -> Option<Self> {
        let Expr::NumberLiteral(ast::ExprNumberLiteral { value: Number::Int(last), .. }) = e.arguments.args.last()? else { return None };
        match (e.func.as_name_expr()?.id.as_str(), names) {
            ("has_axes", [x, i]) => Some(Self::HasAxes(x.clone(), i.clone(), last.as_u8()?)),
            ("counts", [n, x, i]) => Some(Self::Counts([n, x, i].map(Clone::clone), last.as_i64()?)),
            ("as_long", [i, y]) => Some(Self::AsLong(i.clone(), y.clone(), last.as_i64()?)),
            _ => None,
        }
    }

    /// What is known of the condition at `site`.
    pub fn evaluate(&self, site: &Site<'_>) -> Truth {
        match self {
            Self::All(parts) => {
                let mut unknown = Vec::new();
                for part in parts {
                    match part.evaluate(site) {
                        Truth::True => {}
                        Truth::Unknown(what) => unknown.extend(what),
                        Truth::False(why) => return Truth::False(why),
                    }
                }
                if unknown.is_empty() { Truth::True } else { Truth::Unknown(unknown) }
            }
            Self::Any(parts) => any(site, parts),
            Self::IsNone(name) => is_none(site, name),
            Self::Rank(name, order, wanted) => rank(site, name, *order, *wanted),
            Self::SameDtype(a, b) => same_dtype(site, a, b),
            Self::Number(name) => number(site, name),
            Self::PromotesInto(narrow, wide) => promotes_into(site, narrow, wide),
            Self::Floating(name) => floating(site, name),
            Self::AccumulatesInFloat32(name) => accumulates_in_float32(site, name),
            Self::NoParameters(name) => shown(
                site,
                name,
                |facts, v| facts.has_no_parameters(v),
                "may have a weight or bias, which would be multiplied after one more rounding",
            ),
            Self::FitsHalf(c, x) => fits_half(site, c, x),
            Self::BreaksNoTie => Truth::Unknown(vec![TIES.to_owned()]),
            Self::AreMatrices(a, b) => products::are_matrices(site, a, b),
            Self::GoesFirst([r, c, b]) => products::goes_first(site, r, c, b),
            Self::NonNegative(r, c) => products::are_nonnegative(site, r, c),
            Self::There(c) => shown(site, c, |facts, v| facts.is_there(v), "may be None"),
            Self::BroadcastsInto(c, a, b) => products::broadcasts_into(site, c, a, b),
            Self::HasAxes(x, i, axes) => gathers::has_axes(site, x, i, *axes),
            Self::Counts([n, x, i], axis) => gathers::counts(site, n, x, i, *axis),
            Self::Part(i) => gathers::is_part(site, i),
            Self::Order(i) => gathers::is_order(site, i),
            Self::Distinct(i) => gathers::is_distinct(site, i),
            Self::AsLong(i, y, axis) => gathers::as_long(site, i, y, *axis),
            Self::Single(a, axis) => gathers::is_single(site, a, axis),
            Self::Scalar(v) => gathers::is_scalar(site, v),
            Self::Length(n, x, axis) => rotations::is_length(site, n, x, *axis),
            Self::Half(h, x) => rotations::is_half(site, h, x),
            Self::Even(x) => rotations::is_even(site, x),
            Self::KeepsShape(shape, x) => rotations::keeps_shape(site, shape, x),
            Self::InFront(lead, x) => rotations::in_front(site, lead, x),
            Self::Integer(n) => rotations::is_integer(site, n),
            Self::Positive(n) => rotations::is_positive(site, n),
            Self::Spans(w, x) => spans(site, w, x),
            Self::SameBatch([q, k, v, n]) => masks::same_batch(site, [q, k, v], n),
            Self::AddsToScores([mask, q, k]) => masks::adds_to_scores(site, mask, q, k),
            Self::Masks([mask, q, k, fill]) => masks::masks_scores(site, mask, q, k, fill),
            Self::Within(passed, guard) => {
                let value = |name: &str| passed.iter().any(|p| p == name).then(|| (site.value)(name)).flatten();
                guard.evaluate(&Site { value: &value, ..*site })
            }
            Self::Stated(text) => Truth::Unknown(vec![format!("`{text}`")]),
        }
    }
}

/// Any of `parts`.
fn any(site: &Site<'_>, parts: &[Condition]) -> Truth {
    let (mut unknown, mut refuted) = (Vec::new(), None);
    for part in parts {
        match part.evaluate(site) {
            Truth::True => return Truth::True,
            // The last alternative is the one a reader would call the condition.
            Truth::Unknown(what) => unknown = what,
            Truth::False(why) => refuted = Some(why),
        }
    }
    match (unknown.is_empty(), refuted) {
        (true, Some(why)) => Truth::False(why),
        _ => Truth::Unknown(unknown),
    }
}

/// What must show: where it does not, the rule does not apply.
pub(super) fn shown(site: &Site<'_>, name: &str, shows: impl Fn(&Facts<'_>, ValueId) -> bool, otherwise: &str) -> Truth {
    match (site.value)(name) {
        Some(value) if !shows(site.facts, value) => Truth::False(format!("`{}` {otherwise}", (site.spelling)(name))),
        _ => Truth::True,
    }
}

fn is_none(site: &Site<'_>, name: &str) -> Truth {
    let Some(value) = (site.value)(name) else { return Truth::True };
    match site.facts.kind(value) {
        Kind::None => Truth::True,
        Kind::OptionalArray | Kind::Unknown => Truth::Unknown(Vec::new()),
        _ => Truth::False(format!("`{}` is not None", (site.spelling)(name))),
    }
}

fn rank(site: &Site<'_>, name: &str, order: Order, wanted: u8) -> Truth {
    let Some(value) = (site.value)(name) else { return Truth::True };
    let spelling = (site.spelling)(name);
    let axes = |n: u8| if n == 1 { "1 axis".to_owned() } else { format!("{n} axes") };
    let Some(rank) = site.facts.rank(value) else {
        let least = site.facts.least_rank(value);
        match order {
            Order::Equal | Order::AtMost if least > wanted => {
                return Truth::False(format!("`{spelling}` has at least {}, not {wanted}", axes(least)));
            }
            Order::AtLeast if least >= wanted => return Truth::True,
            _ => {}
        }
        let words = match order {
            Order::Equal => axes(wanted),
            Order::AtLeast => format!("at least {}", axes(wanted)),
            Order::AtMost => format!("at most {}", axes(wanted)),
        };
        return Truth::Unknown(vec![format!("`{spelling}` has {words}")]);
    };
    let holds = match order {
        Order::Equal => rank == wanted,
        Order::AtLeast => rank >= wanted,
        Order::AtMost => rank <= wanted,
    };
    if holds { Truth::True } else { Truth::False(format!("`{spelling}` has {}, not {wanted}", axes(rank))) }
}

fn number(site: &Site<'_>, name: &str) -> Truth {
    let Some(value) = (site.value)(name) else { return Truth::True };
    match site.facts.kind(value) {
        kind if kind.is_number() => Truth::True,
        _ => Truth::False(format!("`{}` is not known to be a Python number", (site.spelling)(name))),
    }
}

/// Whether `w` is as long as the last axis of `x`: taken for granted of a weight that was made with one axis, unless lengths that are plain to see say
/// otherwise. What was only reshaped to one axis may have a single element, which is broadcast.
fn spans(site: &Site<'_>, w: &str, x: &str) -> Truth {
    let (Some(weight), Some(array)) = ((site.value)(w), (site.value)(x)) else { return Truth::True };
    let literal = |d: Option<ValueId>| d.and_then(|d| site.graph.as_int(d));
    let length = site.facts.length(weight, 0);
    let (wide, last) = (literal(length), literal(site.facts.last_length(array)));
    let text = |rest: &str| format!("`{}` is {rest} as the last axis of `{}`", (site.spelling)(w), (site.spelling)(x));
    match (wide, last) {
        (Some(1), _) | (_, Some(1)) => Truth::False(text("not as long")),
        (Some(a), Some(b)) if a != b => Truth::False(text("not as long")),
        _ if length.is_none() && is_flattened(site.graph, weight) => Truth::Unknown(vec![text("as long")]),
        _ => Truth::True,
    }
}

/// Whether `value` has one axis because it was given that shape.
fn is_flattened(graph: &Graph, value: ValueId) -> bool {
    graph.finds(value, |v| match graph.get(v) {
        (Op::Mlx("reshape" | "flatten" | "squeeze"), _) => Break(()),
        (Op::Mlx("astype") | Op::Add | Op::Sub | Op::Mul | Op::Div, operands) => Continue(operands),
        _ => Continue(&[]),
    })
}
