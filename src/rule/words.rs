//! Near misses in words. Parts of a pattern are called by their names in the rule file, parts of a program by the author's own text, and operations by
//! their names in MLX, so that no rule needs sentences of its own.

use rustc_hash::FxHashSet;

use super::load::{Rule, Variant};
use super::matcher::{self, Bound, Difference, Near};
use crate::graph::Analysis;
use crate::graph::body::Body;
use crate::graph::facts::{Facts, Kind};
use crate::graph::rotary;
use crate::graph::value::{Graph, Op, ValueId};
use crate::syntax::TextRange;

/// Libraries with arrays of their own.
const OTHER_LIBRARIES: [&str; 5] = ["numpy", "torch", "jax", "cupy", "tensorflow"];

/// Longer pieces of code are cut.
const MAX_CODE: usize = 60;

/// A near miss and all that is needed to speak of it.
pub(super) struct Words<'x> {
    pub(super) rule: &'x Rule,
    pub(super) variant: &'x Variant,
    pub(super) near: &'x Near,
    pub(super) analysis: &'x Analysis<'x>,
    pub(super) body: &'x Body,
    pub(super) facts: &'x Facts<'x>,
    /// The expression that would have been replaced.
    pub(super) root: TextRange,
}

impl Words<'_> {
    /// What is in the way, and where it stands.
    pub(super) fn say(&self) -> (TextRange, String) {
        let differences = &self.near.differences;
        let reason = match self.foreign().or_else(|| self.moved()) {
            Some(sentence) => sentence,
            None => {
                // Of what is not one value because its parts are not, the parts are told.
                let in_parts = differences.iter().any(|d| matches!(d, Difference::Wildcard { before: Some(_), .. }));
                let told = differences.iter().filter(|d| !(in_parts && matches!(d, Difference::Apart { .. })));
                let mut sentences: Vec<String> = told.map(|d| self.difference(d)).collect();
                let mut said = FxHashSet::default();
                sentences.retain(|sentence| said.insert(sentence.clone()));
                let last = sentences.pop().unwrap_or_default();
                if sentences.is_empty() { last } else { format!("{}, and {last}", sentences.join(", ")) }
            }
        };
        let place = differences.iter().find_map(|d| self.place(self.culprit(d)));
        (place.unwrap_or(self.root), reason)
    }

    fn graph(&self) -> &Graph {
        &self.analysis.graph
    }

    /// What comes from another library, where that is the whole difference.
    fn foreign(&self) -> Option<String> {
        let graph = self.graph();
        let is_foreign =
            |&v: &ValueId| graph.path(v).is_some_and(|p| OTHER_LIBRARIES.iter().any(|l| p.strip_prefix(l).is_some_and(|r| r.starts_with('.'))));
        let found = self.near.differences.iter().find_map(|d| {
            let value = match *d {
                Difference::Constant { value, .. } => value,
                _ => self.culprit(d),
            };
            let called = matches!(graph.op(value), Op::Apply | Op::Call(..)).then(|| graph.operands(value)[0]);
            std::iter::once(value).chain(called).find(is_foreign)
        });
        found.map(|v| format!("{} is not of MLX", self.value(v)))
    }

    /// One operation that is missing at its place and stands at another: two differences that are one.
    fn moved(&self) -> Option<String> {
        let (pattern, value, inner) = match self.near.differences[..] {
            [Difference::Missing { pattern, .. }, Difference::Extra { value, inner, .. }]
            | [Difference::Extra { value, inner, .. }, Difference::Missing { pattern, .. }] => (pattern, value, inner),
            _ => return None,
        };
        let (op, operands) = self.rule.graph.get(pattern);
        if op != self.graph().op(value) || matches!(op, Op::List | Op::Add | Op::Sub | Op::Mul | Op::Div) {
            return None;
        }
        let noun = operation(&self.rule.graph, pattern);
        if self.code(inner).is_none() {
            return Some(format!("{} is a {noun} already, where the {noun} of {} is needed", self.value(value), self.pattern(operands[0])));
        }
        Some(format!("the {noun} is taken of {}, not of {}", self.value(inner), self.pattern(operands[0])))
    }

    fn difference(&self, difference: &Difference) -> String {
        match *difference {
            Difference::Wildcard { index, before: Some(before), value } => self.two_values(Some(index), bound(before), value),
            Difference::Wildcard { index, before: None, value } => self.wrong_kind(index, value),
            Difference::Apart { first, second } => self.two_values(None, first, second),
            Difference::Dtype { index, value } => {
                format!("the cast is to {}, not to the dtype of {}", self.value(value), self.wildcard(index))
            }
            Difference::Constant { pattern, value } => self.constant(pattern, value),
            Difference::Instead { pattern, value } => self.instead(pattern, value),
            Difference::Extra { pattern, value, inner } => self.extra(pattern, value, inner),
            Difference::Missing { pattern, value } => self.missing(pattern, value),
            Difference::Argument { value, at } => self.argument(value, at),
        }
    }

    /// The value that a difference is about.
    fn culprit(&self, difference: &Difference) -> ValueId {
        match *difference {
            Difference::Wildcard { value, .. }
            | Difference::Apart { second: value, .. }
            | Difference::Dtype { value, .. }
            | Difference::Instead { value, .. }
            | Difference::Extra { value, .. }
            | Difference::Argument { value, .. }
            | Difference::Missing { value, .. } => value,
            Difference::Constant { pattern, value } => self.parent(pattern, Some(value)).map_or(value, |(_, v)| v),
        }
    }

    fn two_values(&self, index: Option<usize>, first: ValueId, second: ValueId) -> String {
        let (a, b) = (self.value(first), self.value(second));
        let original = |v: ValueId| if matches!(self.graph().op(v), Op::Changed(_)) { self.graph().operands(v)[0] } else { v };
        if original(first) == original(second) {
            return format!("{a} may be changed in place in between");
        }
        if a == b {
            return format!("{a} is not the same value in both places");
        }
        let wildcard = index.map(|i| self.variant.wildcards[i].value);
        if let Some((parent, _)) = wildcard.and_then(|w| self.parent(w, Some(second))) {
            let (op, operands) = self.rule.graph.get(parent);
            let at = operands.iter().position(|&p| Some(p) == wildcard).unwrap_or(0);
            match op {
                Op::Mlx(name) if at > 0 => {
                    if let Some(parameter) = matcher::parameters(name).and_then(|p| p.get(at).copied()) {
                        return format!("`{parameter}` of `mx.{name}` is {b}, not {a}");
                    }
                }
                Op::Mlx(_) | Op::Pow | Op::Dim(_) => return format!("{} is taken of {b}, not of {a}", self.pattern_or_noun(parent)),
                _ => {}
            }
        }
        format!("{a} and {b} should be one value")
    }

    fn pattern_or_noun(&self, pattern: ValueId) -> String {
        match self.variant.names.get(&pattern) {
            Some(name) => format!("the {name}"),
            None => format!("the {}", operation(&self.rule.graph, pattern)),
        }
    }

    fn argument(&self, value: ValueId, at: usize) -> String {
        let (op, operands) = self.graph().get(value);
        let Op::Mlx(name) = op else { return String::new() };
        let parameter = matcher::parameters(name).and_then(|p| p.get(at).copied()).unwrap_or("an argument");
        format!("`{parameter}` of `mx.{name}` is {}, not `0`", self.value(operands[at]))
    }

    fn wrong_kind(&self, index: usize, value: ValueId) -> String {
        let is = match self.facts.kind(value) {
            kind if kind.is_number() => "a Python number",
            Kind::PerhapsNumber => "a number on one path",
            Kind::Array | Kind::OptionalArray => "an `mx.array`",
            Kind::Bool => "a truth value",
            Kind::None => "None",
            Kind::Dtype => "a dtype",
            _ => "",
        };
        let wildcard = &self.variant.wildcards[index];
        if !wildcard.modules.is_empty() {
            let names: Vec<String> = wildcard.modules.iter().map(|m| format!("`nn.{m}`")).collect();
            return format!("{} is not known to be one of {}", self.value(value), names.join(", "));
        }
        let wanted = if wildcard.kind == Kind::Array { "an `mx.array`" } else { "a Python number" };
        match (is, self.graph().op(value)) {
            ("", Op::Phi(..) | Op::Gate) => format!("{} is not always {wanted}", self.value(value)),
            ("", _) => format!("{} is not {wanted}", self.value(value)),
            _ => format!("{} is {is}, not {wanted}", self.value(value)),
        }
    }

    fn constant(&self, pattern: ValueId, value: ValueId) -> String {
        let (wanted, there) = (self.literal(&self.rule.graph, pattern), self.value(value));
        let Some((parent, met)) = self.parent(pattern, Some(value)) else { return format!("{there} stands where the rule has {wanted}") };
        let (op, operands) = self.rule.graph.get(parent);
        let mut pairs = operands.iter().zip(self.graph().operands(met));
        let at = pairs.position(|(&p, &v)| p == pattern && v == value).unwrap_or(0);
        match op {
            Op::Mlx("astype") => format!("{} is cast to {there}, not to {wanted}", self.pattern(operands[0])),
            Op::Mlx(name) => match matcher::parameters(name).and_then(|p| p.get(at).copied()) {
                Some("axis") => format!("{} is taken over {}, not over {}", self.pattern(parent), self.axes(value, &there), self.axes_of(pattern)),
                Some(parameter) => format!("`{parameter}` of `mx.{name}` is {there}, not {wanted}"),
                None => format!("an argument of `mx.{name}` is {there}, not {wanted}"),
            },
            Op::Pow => format!("the exponent is {there}, not {wanted}"),
            Op::Slice => format!("the {} of a slice is {there}, not {wanted}", ["start", "end", "step"][at.min(2)]),
            _ => format!("{there} stands where the rule has {wanted}"),
        }
    }

    fn axes_of(&self, pattern: ValueId) -> String {
        match self.rule.graph.as_int(pattern) {
            Some(-1) => "the last axis".to_owned(),
            _ => format!("axis {}", self.literal(&self.rule.graph, pattern)),
        }
    }

    fn axes(&self, value: ValueId, there: &str) -> String {
        match self.graph().get(value) {
            (Op::None, _) => "all axes".to_owned(),
            (Op::Int(-1), _) => "the last axis".to_owned(),
            (Op::Tuple | Op::List, _) => format!("the axes {there}"),
            _ => format!("axis {there}"),
        }
    }

    fn instead(&self, pattern: ValueId, value: ValueId) -> String {
        if let Some(sentence) = self.rotation(pattern, value) {
            return sentence;
        }
        let wanted = operation(&self.rule.graph, pattern);
        let callee = |v: ValueId| self.graph().operands(v).first().map_or_else(String::new, |&c| self.value(c));
        match (self.rule.graph.op(pattern), self.graph().op(value)) {
            (Op::Mlx(name), Op::Apply | Op::Call(..)) if callee(value).trim_matches('`').rsplit('.').next() == name.rsplit('.').next() => {
                format!("{} is not `mx.{name}`", callee(value))
            }
            (Op::Mlx(name), Op::Mlx(other)) => format!("`mx.{other}` is taken, not `mx.{name}`"),
            (Op::Pow, Op::Mlx("sqrt" | "rsqrt" | "square")) => {
                format!("{} is not known to be an `mx.array`", self.value(self.graph().operands(value)[0]))
            }
            (_, Op::Mlx("astype")) => format!("{} is no {wanted}", self.value(value)),
            (_, Op::Mlx(other)) => format!("`mx.{other}` stands where a {wanted} is needed"),
            (Op::Apply, Op::Apply) => format!("{} takes other arguments", callee(value)),
            (Op::Apply, op) if !matches!(op, Op::Call(..)) => format!("{} is not the result of a call", self.value(value)),
            (Op::Apply, Op::Call(..)) => format!("{} may do more than compute its result", callee(value)),
            (Op::Dim(_), _) => format!("{} is not known to be {}", self.value(value), self.pattern(pattern)),
            (_, Op::Param(..) | Op::Captured(..) | Op::Phi(..) | Op::Opaque(..) | Op::Attr(..)) => {
                format!("{} is not known to be a {wanted}", self.value(value))
            }
            _ => format!("{} is no {wanted}", self.value(value)),
        }
    }

    /// Why a table or the angles of a rotary embedding are not what the function computes.
    fn rotation(&self, pattern: ValueId, value: ValueId) -> Option<String> {
        let (name, arguments) = matcher::called(&self.rule.graph, pattern)?;
        let there = self.value(value);
        if name == "angles" {
            return rotary::angles(self.graph(), self.facts, value).err().map(|why| format!("{there} holds {why}"));
        }
        let wanted = operation(&self.rule.graph, pattern);
        Some(match rotary::wave(self.graph(), value) {
            None => format!("{there} is no {wanted} of angles that are computed here"),
            Some(wave) if self.rule.graph.path(arguments[0]).and_then(|p| p.rsplit('.').next()) != Some(wave.function) => {
                format!("{there} stands where the {wanted} is needed")
            }
            Some(_) => format!("{there} is another table than the rotation needs"),
        })
    }

    fn extra(&self, pattern: ValueId, value: ValueId, inner: ValueId) -> String {
        let graph = self.graph();
        let (op, operands) = graph.get(value);
        let subject = match self.variant.names.get(&pattern) {
            Some(name) => format!("the {name}"),
            None => self.code(inner).map_or_else(|| self.pattern(pattern), |c| format!("`{c}`")),
        };
        if op == Op::Gate {
            let on_the_other = operands[1..].iter().find(|&&v| v != inner).map_or_else(String::new, |&v| self.value(v));
            return format!("on one path {on_the_other} stands in place of {subject}");
        }
        let other = || operands.iter().find(|&&v| v != inner).map_or_else(String::new, |&v| self.value(v));
        let does = match op {
            Op::Mlx("astype") => format!("is cast to {}", self.value(operands[1])),
            Op::Mlx(name) => format!("passes through `mx.{name}`"),
            Op::Add => format!("has {} added", other()),
            Op::Sub if operands[0] == inner => format!("has {} subtracted", other()),
            Op::Sub => format!("is subtracted from {}", other()),
            Op::Mul => format!("is multiplied by {}", other()),
            Op::Div if operands[0] == inner => format!("is divided by {}", other()),
            Op::Div => "becomes a divisor".to_owned(),
            Op::Pow => format!("is raised to {}", other()),
            Op::Index(_) => "is subscripted".to_owned(),
            Op::Phi(..) => "passes through a loop or `try`".to_owned(),
            Op::Changed(_) => "may be changed in place".to_owned(),
            Op::Permute => "is transposed".to_owned(),
            Op::List => "is put into a list".to_owned(),
            Op::Call(..) | Op::Apply => format!("passes through {}", self.value(operands[0])),
            _ => format!("takes part in {}", self.value(value)),
        };
        let before = self.parent(pattern, None).map_or_else(String::new, |(p, _)| format!(" before {}", self.pattern(p)));
        format!("{subject} {does}{before}")
    }

    fn missing(&self, pattern: ValueId, value: ValueId) -> String {
        let (op, operands) = self.rule.graph.get(pattern);
        let wild = operands.iter().find_map(|&p| self.variant.wildcard(p));
        match op {
            Op::Mlx("astype") if pattern == self.variant.pattern => format!("the result is not cast back to {}", self.pattern(operands[1])),
            Op::Mlx("astype") => format!("{} is not cast to {}", self.value(value), self.pattern(operands[1])),
            Op::Add if wild.is_some() => format!("nothing is added to {}", self.value(value)),
            Op::Mul if wild.is_some() => format!("nothing is multiplied with {}", self.value(value)),
            Op::Pow => format!("no {} is taken of {}", operation(&self.rule.graph, pattern), self.value(value)),
            _ => format!("there is no {} at {}", operation(&self.rule.graph, pattern), self.value(value)),
        }
    }

    /// The part of the pattern that has `pattern` for an operand, with the value that it met; one that has `value` for an operand, if that is given.
    fn parent(&self, pattern: ValueId, value: Option<ValueId>) -> Option<(ValueId, ValueId)> {
        let fits = |&&(p, v): &&(ValueId, ValueId)| {
            self.rule.graph.operands(p).contains(&pattern) && value.is_none_or(|value| self.graph().operands(v).contains(&value))
        };
        let &(p, v) = self.near.met.iter().find(fits)?;
        if self.rule.graph.op(p) == Op::AnyOf { self.parent(p, None) } else { Some((p, v)) }
    }

    /// A part of the pattern as a reader knows it.
    fn pattern(&self, pattern: ValueId) -> String {
        let graph = &self.rule.graph;
        if let Some(index) = self.variant.wildcard(pattern) {
            return self.wildcard(index);
        }
        if let Some(name) = self.variant.names.get(&pattern) {
            return format!("the {name}");
        }
        match graph.get(pattern) {
            (Op::AnyOf, operands) => self.pattern(operands[0]),
            (Op::DtypeOf, operands) => format!("the dtype of {}", self.pattern(operands[0])),
            (Op::Dim(n), operands) => format!("`{}.shape[{n}]`", self.pattern(operands[0]).trim_matches('`')),
            (Op::Add, operands) => format!("the sum of {} and {}", self.pattern(operands[0]), self.pattern(operands[1])),
            (_, []) => self.literal(graph, pattern),
            _ => format!("the {}", operation(graph, pattern)),
        }
    }

    fn wildcard(&self, index: usize) -> String {
        let bound = self.near.bindings[index].map(bound).and_then(|v| self.code(v));
        format!("`{}`", bound.unwrap_or_else(|| self.variant.wildcards[index].name.clone()))
    }

    /// A value of the program as its author writes it, or what it is.
    fn value(&self, value: ValueId) -> String {
        if let Some(code) = self.code(value) {
            return format!("`{code}`");
        }
        let (op, operands) = self.graph().get(value);
        match op {
            Op::DtypeOf => format!("the dtype of {}", self.value(operands[0])),
            _ if operands.is_empty() => self.literal(self.graph(), value),
            _ => match operation(self.graph(), value).as_str() {
                "value" => "what stands here".to_owned(),
                name => format!("a {name}"),
            },
        }
    }

    /// How the file writes `value`: by a name that holds it, else by an expression.
    fn code(&self, value: ValueId) -> Option<String> {
        let graph = self.graph();
        if let Some(&name) = self.body.names_of(value, self.root.start()).first() {
            return Some(graph.name(name).to_owned());
        }
        if let Some(range) = self.place(value) {
            let text = self.analysis.source.quote(range);
            return Some(if text.chars().count() <= MAX_CODE { text } else { format!("{}...", text.chars().take(MAX_CODE - 3).collect::<String>()) });
        }
        match graph.get(value) {
            (Op::Param(_, name) | Op::Captured(_, name) | Op::ModuleName(name) | Op::Builtin(name), _) => Some(graph.name(name).to_owned()),
            (Op::Global(path), _) => Some(short_path(graph.name(path))),
            (Op::Attr(name, _), &[object]) => Some(format!("{}.{}", self.code(object)?, graph.name(name))),
            (Op::Changed(_), operands) => self.code(operands[0]),
            _ => None,
        }
    }

    /// Where `value` is computed: inside the root, else before it.
    fn place(&self, value: ValueId) -> Option<TextRange> {
        let inside = self.body.occurrences_of(value).filter(|o| o.range.start() < self.root.end());
        let inside = inside.max_by_key(|o| (self.root.contains_range(o.range), o.range.start()));
        inside.map(|o| o.range)
    }

    fn literal(&self, graph: &Graph, value: ValueId) -> String {
        match graph.op(value) {
            Op::Int(n) => format!("`{n}`"),
            Op::Float(bits) => format!("`{:?}`", f64::from_bits(bits)),
            Op::Bool(b) => if b { "`True`" } else { "`False`" }.to_owned(),
            Op::None => "`None`".to_owned(),
            Op::Global(path) => format!("`{}`", short_path(graph.name(path))),
            Op::Str(text) => format!("`{:?}`", graph.name(text)),
            _ => "another value".to_owned(),
        }
    }
}

fn bound(bound: Bound) -> ValueId {
    match bound {
        Bound::Value(value) | Bound::Reciprocal(value) | Bound::Swapped(value) | Bound::Opposite(value) => value,
        Bound::Root { of: value, .. } | Bound::Term { sum: value, .. } => value,
    }
}

/// `mx.float32` for `mlx.core.float32`.
fn short_path(path: &str) -> String {
    let short = path.strip_prefix("mlx.core.").map(|rest| format!("mx.{rest}"));
    short.or_else(|| path.strip_prefix("mlx.nn.").map(|rest| format!("nn.{rest}"))).unwrap_or_else(|| path.to_owned())
}

/// What an operation is called, without an article.
fn operation(graph: &Graph, value: ValueId) -> String {
    let (op, operands) = graph.get(value);
    let exponent = operands.get(1).and_then(|&e| graph.number(e));
    if let Some((name, arguments)) = matcher::called(graph, value) {
        let of = arguments.first().and_then(|&f| graph.path(f)).unwrap_or_default();
        return match (name, of) {
            ("wave", "mlx.core.cos") => "cosine",
            ("wave", _) => "sine",
            _ => name,
        }
        .to_owned();
    }
    match op {
        Op::Mlx(name @ ("mean" | "sum" | "softmax")) => name,
        Op::Mlx("astype") => "cast",
        Op::Mlx(name) => return format!("`mx.{name}`"),
        Op::MatMul => "matrix product",
        Op::Add => "sum",
        Op::Sub => "difference",
        Op::Mul => "product",
        Op::Div => "quotient",
        Op::Pow if exponent.is_some_and(|e| e.abs() == 0.5) => "root",
        Op::Pow if exponent == Some(2.0) => "square",
        Op::Pow => "power",
        Op::Permute => "transposition",
        Op::Index(_) => "subscript",
        Op::Call(..) | Op::Apply => "call",
        Op::Gate => "choice",
        Op::Dim(_) => "length",
        Op::Tuple => "tuple",
        Op::Slice => "slice",
        Op::Item(_) => return format!("item of {}", operation(graph, operands[0])),
        Op::List => return format!("list of {}", operands.len()),
        Op::AnyOf => return operands.first().map_or_else(String::new, |&v| operation(graph, v)),
        _ => "value",
    }
    .to_owned()
}
