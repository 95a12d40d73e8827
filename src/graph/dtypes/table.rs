//! The named values of a scope with what is known of their dtypes, and why: for people, in words, and for machines.

use super::flow::{DtypeFlow, Known, Promotion, Spoilt};
use super::promotion::Dtype;
use crate::graph::Analysis;
use crate::graph::body::{Body, Definition, Effect, Statement};
use crate::graph::facts::{Facts, Kind};
use crate::graph::users::Users;
use crate::graph::value::{Op, Symbol, ValueId};
use crate::syntax::{TextRange, TextSize};

/// So many operations are listed.
const MAX_LISTED: usize = 4;
/// So many values are looked at for names of what one goes into.
const MAX_REACHED: usize = 100;
/// Longer texts are cut.
const MAX_TEXT: usize = 48;

/// What is known of one scope.
#[derive(Clone, Debug)]
pub struct Table {
    /// The qualified name of the scope.
    pub scope: String,
    /// Its text.
    pub range: TextRange,
    /// Its named values, in the order of the text.
    pub rows: Vec<Row>,
    /// What makes float32 of arrays that may be in half precision.
    pub promotions: Vec<Told>,
}

/// One named value.
#[derive(Clone, Debug)]
pub struct Row {
    /// The statement that gives the name its value; for a parameter, its function.
    pub range: TextRange,
    /// The name; `return` for what is returned.
    pub name: String,
    /// What it is.
    pub dtype: Known,
    /// The values of whose dtypes it is the promotion.
    pub of: Vec<DtypeSource>,
    /// How many axes it has.
    pub rank: Option<u8>,
    /// Why, as a phrase.
    pub why: String,
}

/// A value of whose dtype others are.
#[derive(Clone, Debug)]
pub struct DtypeSource {
    /// How it is written.
    pub text: String,
    /// What it is.
    pub is: Origin,
}

/// What sort of thing a source is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// A parameter of the function.
    Parameter,
    /// An attribute.
    Attribute,
    /// A module: what counts are its parameters.
    Module,
    /// Anything else.
    Value,
}

/// A promotion in words.
#[derive(Clone, Debug)]
pub struct Told {
    /// Where its source stands, if it stands in this scope.
    pub range: Option<TextRange>,
    /// The source as it is written.
    pub source: String,
    /// What becomes float32 first, as it is written.
    pub at: Vec<(String, TextRange)>,
    /// What it costs.
    pub spoilt: String,
}

/// What is known of the named values of `body`.
pub fn table(analysis: &Analysis<'_>, body: &Body) -> Table {
    let graph = &analysis.graph;
    let mut rows: Vec<Row> = parameters(analysis, body).collect();
    let mut named: Vec<(&Definition, Statement)> =
        body.definitions.iter().filter_map(|d| Some((d, body.statements[d.statement? as usize]))).collect();
    named.sort_by_key(|(d, s)| (s.range.start(), d.name));
    named.dedup_by_key(|(d, s)| (s.range, d.name));
    for (definition, statement) in named {
        let Some(value) = body.given(definition.name, statement.range) else { continue };
        rows.extend(row(analysis, body, statement, graph.name(definition.name), value));
    }
    rows.extend(returned(analysis, body));
    rows.sort_by_key(|row| row.range.start());
    let facts = Facts::at(analysis, body, 0, body.range.end());
    let mut flow = DtypeFlow::new(analysis, &facts);
    let users = Users::throughout(analysis, body);
    let promotions = flow.promotions(body, &users).iter().map(|p| told(analysis, body, p)).collect();
    Table { scope: graph.name(body.name).to_owned(), range: body.range, rows, promotions }
}

fn parameters<'x>(analysis: &'x Analysis<'_>, body: &'x Body) -> impl Iterator<Item = Row> + 'x {
    let parameters = body.function.into_iter().flat_map(|f| analysis.definitions.functions[f].ast.parameters.iter());
    parameters.filter_map(move |parameter| {
        let name = parameter.name();
        let value = graph_parameter(analysis, body, name.as_str())?;
        let place = Statement { range: name.range, kind: crate::graph::body::StatementKind::Other, block: 0 };
        let first = body.class.is_some() && analysis.classes.receiver(value).is_some();
        if first { None } else { row(analysis, body, place, name.as_str(), value) }
    })
}

fn graph_parameter(analysis: &Analysis<'_>, body: &Body, name: &str) -> Option<ValueId> {
    let graph = &analysis.graph;
    graph.find_leaf(Op::Param(body.name, graph.known_symbol(name)?))
}

/// The values that `return` statements give back; where they are not the ones in the text, none.
fn returned(analysis: &Analysis<'_>, body: &Body) -> Vec<Row> {
    let values: Vec<ValueId> = body.effects.iter().filter_map(|e| if let Effect::Return(v) = *e { Some(v) } else { None }).collect();
    let is_return = |s: &&Statement| {
        let text = analysis.source.slice(s.range);
        text.strip_prefix("return").is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
    };
    let statements: Vec<&Statement> = body.statements.iter().filter(is_return).collect();
    if statements.len() != values.len() || body.function.is_none() {
        return Vec::new();
    }
    let pairs = statements.into_iter().zip(values);
    pairs.filter_map(|(&statement, value)| row(analysis, body, statement, "return", value)).collect()
}

/// The row of `name`, which holds `value` after `statement`; none for what is known to be no array, number or dtype.
fn row(analysis: &Analysis<'_>, body: &Body, statement: Statement, name: &str, value: ValueId) -> Option<Row> {
    let facts = Facts::at(analysis, body, statement.block, statement.range.end());
    let kind = facts.kind(value);
    let mut flow = DtypeFlow::new(analysis, &facts);
    let dtype = match flow.of(value) {
        Known::Nothing | Known::None if !matches!(kind, Kind::Array | Kind::OptionalArray) => return None,
        // What an unknown thing holds, in a loop over it.
        Known::Promotion(of, None) if of[..] == [value] && kind == Kind::Unknown && is_element(analysis, value) => return None,
        known => known,
    };
    let of = match &dtype {
        Known::Promotion(of, _) => of.iter().map(|&v| source(analysis, body, &facts, v)).collect(),
        _ => Vec::new(),
    };
    let rank = matches!(dtype, Known::Array(_) | Known::Promotion(..) | Known::Nothing).then(|| facts.rank(value)).flatten();
    let why = why(analysis, body, &mut flow, value, &dtype, &of);
    Some(Row { range: statement.range, name: name.to_owned(), dtype, of, rank, why })
}

fn is_element(analysis: &Analysis<'_>, value: ValueId) -> bool {
    match analysis.graph.get(value) {
        (Op::Element(..), _) => true,
        (Op::Item(_), operands) => matches!(analysis.graph.op(operands[0]), Op::Element(..)),
        _ => false,
    }
}

fn source(analysis: &Analysis<'_>, body: &Body, facts: &Facts<'_>, value: ValueId) -> DtypeSource {
    let is = match analysis.graph.op(value) {
        _ if facts.module_of(value).is_some() => Origin::Module,
        Op::Param(scope, _) if scope == body.name => Origin::Parameter,
        Op::Attr(..) => Origin::Attribute,
        _ => Origin::Value,
    };
    DtypeSource { text: spelt(analysis, body, value), is }
}

fn why(analysis: &Analysis<'_>, body: &Body, flow: &mut DtypeFlow<'_>, value: ValueId, dtype: &Known, of: &[DtypeSource]) -> String {
    let graph = &analysis.graph;
    match dtype {
        _ if matches!(graph.op(value), Op::Param(..)) => "parameter".to_owned(),
        Known::Array(Dtype::Float32) => {
            let cause = flow.cause(value);
            if matches!(graph.op(value), Op::ModuleName(_)) {
                format!("what the module holds as {}", with_line(analysis, body, value))
            } else if cause == value {
                by_itself(analysis, value)
            } else {
                format!("made of {}", with_line(analysis, body, cause))
            }
        }
        Known::Array(_) => by_itself(analysis, value),
        Known::Promotion(values, half) => {
            let names: Vec<String> = of.iter().map(DtypeSource::phrase).collect();
            match (values.as_slice(), half) {
                (&[only], None) if only == value => undecided(analysis, flow, value),
                (_, None) if names.len() == 1 => format!("has the dtype of {}", names[0]),
                (_, None) => format!("promotion of {}", enumeration(&names)),
                (_, Some(half)) => format!("promotion of {} with {}", enumeration(&names), half.name()),
            }
        }
        Known::Number(_) => "a Python number: has no dtype".to_owned(),
        Known::Dtype(_) => "a dtype".to_owned(),
        Known::None => "None".to_owned(),
        Known::Nothing => "could not be worked out".to_owned(),
    }
}

impl DtypeSource {
    /// The source in a sentence.
    pub fn phrase(&self) -> String {
        match self.is {
            Origin::Module => format!("the parameters of `{}`", self.text),
            _ => format!("`{}`", self.text),
        }
    }
}

/// Why nothing is known of `value` but its own dtype.
fn undecided(analysis: &Analysis<'_>, flow: &mut DtypeFlow<'_>, value: ValueId) -> String {
    let (Op::Gate, &[_, then, otherwise]) = analysis.graph.get(value) else { return "nothing here says what it is".to_owned() };
    if [then, otherwise].into_iter().any(|v| flow.is_single(v)) {
        return "float32 on one path and not on the other".to_owned();
    }
    "one dtype on one path and perhaps another on the other".to_owned()
}

/// Why `value` has its dtype, where no array that it is made of has it.
fn by_itself(analysis: &Analysis<'_>, value: ValueId) -> String {
    let graph = &analysis.graph;
    match graph.get(value) {
        (Op::Mlx("astype"), _) => "cast".to_owned(),
        (Op::Mlx(name @ ("zeros" | "ones" | "eye" | "identity" | "tri" | "linspace")), operands) => {
            let given = operands.iter().any(|&v| graph.path(v).and_then(|p| p.strip_prefix("mlx.core.")).and_then(Dtype::named).is_some());
            if given { "the dtype is given".to_owned() } else { format!("`mx.{name}` makes float32 unless it is given a dtype") }
        }
        (Op::Mlx("array"), _) => "an array of Python numbers".to_owned(),
        (Op::Mlx(name), _) => format!("`mx.{name}` gives it"),
        (Op::Compare(_), _) => "a comparison".to_owned(),
        (Op::Call(..), operands) => match graph.path(operands[0]).and_then(|p| p.strip_prefix("mlx.core.")) {
            Some(name) => format!("`mx.{name}` gives it"),
            None => "a call gives it".to_owned(),
        },
        (Op::Div, _) => "a quotient of whole numbers".to_owned(),
        _ => "by what it is made of".to_owned(),
    }
}

fn told(analysis: &Analysis<'_>, body: &Body, promotion: &Promotion) -> Told {
    let places = promotion.at.iter().filter_map(|&(_, v)| body.occurrences_of(v).next());
    Told {
        range: place_of(analysis, body, promotion.source),
        source: spelt(analysis, body, promotion.source),
        at: places.map(|o| (cut(analysis, o.range), o.range)).collect(),
        spoilt: promotion.spoilt.to_string(),
    }
}

/// What the first of the values `at` and all that follows is in a half-precision model, in a sentence. It names no line: edits may have moved it.
pub fn spread(analysis: &Analysis<'_>, body: &Body, at: impl Iterator<Item = ValueId>, spoilt: &Spoilt) -> Option<String> {
    let places = at.filter_map(|v| body.occurrences_of(v).next());
    let first = places.min_by_key(|o| o.range.start())?;
    let text = cut(analysis, first.range);
    let made = || match &made_of(analysis, body, first.value)[..] {
        [] => String::new(),
        names => format!(", and from there it goes into {}", enumeration(names)),
    };
    Some(match spoilt.values {
        0 => format!("In a half-precision model `{text}` is float32 wherever the constant takes part{}.", made()),
        1 => format!("In a half-precision model `{text}` is float32{}.", made()),
        _ => format!("In a half-precision model `{text}` is float32, and so is what follows: {}.", listed(analysis, body, spoilt)),
    })
}

/// The first few names of what is made of `value` and is in its dtype for all that is known.
fn made_of(analysis: &Analysis<'_>, body: &Body, value: ValueId) -> Vec<String> {
    let graph = &analysis.graph;
    let users = Users::throughout(analysis, body);
    let own = body.first_name(value);
    let (mut seen, mut waiting, mut named) = (vec![value], vec![value], Vec::new());
    while let Some(value) = waiting.pop() {
        for &user in users.users(value) {
            // What is cast, or asks for no element, or may be anything, goes no further.
            let keeps = match graph.op(user) {
                Op::Mlx("astype") | Op::DtypeOf | Op::Shape | Op::Dim(_) | Op::Ndim | Op::Compare(_) | Op::Call(..) => false,
                _ => !seen.contains(&user) && seen.len() < MAX_REACHED,
            };
            if keeps {
                seen.push(user);
                waiting.push(user);
                let place = body.occurrences_of(user).next().map(|o| o.range.start());
                named.extend(body.first_name(user).filter(|&name| Some(name) != own).and_then(|name| Some((place?, name))));
            }
        }
    }
    named.sort_unstable();
    named.dedup_by_key(|&mut (_, name)| name);
    named.into_iter().take(MAX_LISTED).map(|(_, name)| format!("`{}`", graph.name(name))).collect()
}

/// How much is spoilt, with the text of the first few products, attentions, norms and softmaxes.
pub fn listed(analysis: &Analysis<'_>, body: &Body, spoilt: &Spoilt) -> String {
    let place = |&v: &ValueId| body.occurrences_of(v).next().map(|o| o.range);
    let mut places: Vec<TextRange> = spoilt.heavy.iter().filter_map(place).collect();
    places.sort_by_key(|range| (range.start(), range.end()));
    places.dedup();
    let mut texts: Vec<String> = places.iter().take(MAX_LISTED).map(|&range| format!("`{}`", cut(analysis, range))).collect();
    // What begins alike may be cut alike.
    texts.dedup();
    if places.len() > MAX_LISTED {
        texts.push("...".to_owned());
    }
    if texts.is_empty() { spoilt.to_string() } else { format!("{spoilt} ({})", texts.join(", ")) }
}

impl std::fmt::Display for Spoilt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let plural = |n: usize, one: &str, more: &str| format!("{n} {}", if n == 1 { one } else { more });
        let sorts = [
            (self.products, "matrix product", "matrix products"),
            (self.attentions, "fused attention", "fused attentions"),
            (self.norms, "norm", "norms"),
            (self.softmaxes, "softmax", "softmaxes"),
        ];
        let named: Vec<String> = sorts.into_iter().filter(|s| s.0 > 0).map(|(n, one, more)| plural(n, one, more)).collect();
        write!(f, "{}", plural(self.values, "value", "values"))?;
        if named.is_empty() { Ok(()) } else { write!(f, ", among them {}", enumeration(&named)) }
    }
}

/// How `value` is written in `body`: by a name or a chain of attributes, else by the first expression that computes it.
pub fn spelt(analysis: &Analysis<'_>, body: &Body, value: ValueId) -> String {
    let graph = &analysis.graph;
    match graph.get(value) {
        (Op::Param(_, name) | Op::Captured(_, name) | Op::Phi(_, _, name) | Op::ModuleName(name), _) => graph.name(name).to_owned(),
        (Op::Attr(name, _), &[object]) => format!("{}.{}", spelt(analysis, body, object), graph.name(name)),
        _ => match (body.first_name(value), body.occurrences_of(value).next()) {
            (Some(name), _) => graph.name(name).to_owned(),
            (None, Some(place)) => cut(analysis, place.range),
            (None, None) => "?".to_owned(),
        },
    }
}

/// `value` as it is computed, or its name where it is not.
pub fn written(analysis: &Analysis<'_>, body: &Body, value: ValueId) -> String {
    body.occurrences_of(value).next().map_or_else(|| spelt(analysis, body, value), |place| cut(analysis, place.range))
}

fn with_line(analysis: &Analysis<'_>, body: &Body, value: ValueId) -> String {
    let text = spelt(analysis, body, value);
    match place_of(analysis, body, value) {
        Some(range) => format!("`{text}` in line {}", analysis.source.location(range.start()).row),
        None => format!("`{text}`"),
    }
}

/// Where `value` is made: a name of the module where the module assigns it, anything else where `body` computes it.
fn place_of(analysis: &Analysis<'_>, body: &Body, value: ValueId) -> Option<TextRange> {
    if let Op::ModuleName(name) = analysis.graph.op(value) {
        let module = analysis.bodies.first()?;
        let definition = module.definitions.iter().find(|d| d.name == name)?;
        return Some(module.statements[definition.statement? as usize].range);
    }
    body.occurrences_of(value).next().map(|o| o.range)
}

/// The text of `range` on one line, cut where it is long.
fn cut(analysis: &Analysis<'_>, range: TextRange) -> String {
    let text = analysis.source.quote(range);
    match text.char_indices().nth(MAX_TEXT) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

fn enumeration(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

impl Body {
    /// The name that held `value` first.
    fn first_name(&self, value: ValueId) -> Option<Symbol> {
        let moments = self.timeline.iter().flat_map(|(&name, moments)| moments.iter().map(move |&(from, held)| (from, name, held)));
        moments.filter(|&(.., held)| held == value).map(|(from, name, _)| (from, name)).min().map(|(_, name)| name)
    }

    /// What `name` holds once the statement with the text `statement` has given it a value.
    fn given(&self, name: Symbol, statement: TextRange) -> Option<ValueId> {
        let within = |from: &TextSize| statement.start() < *from && *from <= statement.end();
        self.timeline.get(&name)?.iter().find(|(from, _)| within(from)).map(|&(_, value)| value)
    }
}
