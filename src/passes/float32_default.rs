//! Constants that are float32 because nobody gave them a dtype, and make float32 of arrays in half precision: `mx.zeros(shape)` becomes
//! `mx.zeros(shape, dtype=x.dtype)` where it is padding of `x`, a mask or an offset for it, or a buffer for parts of it.
//!
//! Every use of the constant is followed ([`meetings`]); where it meets arrays of one dtype alone, and something with that dtype has a name where the
//! constant is made, it is given that dtype. A float32 model computes the same bits then. Accumulators, states and what is summed need their digits: they
//! are left alone, or are an assumption.

mod meetings;

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;

use crate::finding::{Applicability, Contract, Finding, Hinges, Kept, Notes, Numerics, Proposal, TransformId};
use crate::graph::Analysis;
use crate::graph::body::StatementId;
use crate::graph::constants::{Half, constant, in_half};
use crate::graph::digits::{self, PRECISE, Softmax};
use crate::graph::dtypes::flow::{DtypeFlow, Known};
use crate::graph::dtypes::half::Sign;
use crate::graph::dtypes::table::{spelt, spread, written};
use crate::graph::facts::{Facts, Kind};
use crate::graph::statements::comprehension;
use crate::graph::users::Users;
use crate::graph::value::{Op, ValueId};
use crate::place::Place;
use crate::syntax::ast::visitor::source_order::{self, SourceOrderVisitor};
use crate::syntax::ast::{Expr, ExprCall, Stmt};
use crate::syntax::{Edit, LINE_WIDTH, Ranged, TextRange, TextSize, lay_out_statement};

use meetings::{InTheWay, Meeting, Meetings, meetings};

/// What makes constants, and how many arguments stand before its dtype.
const MAKERS: [(&str, usize); 7] = [
    ("mlx.core.zeros", 1),
    ("mlx.core.ones", 1),
    ("mlx.core.full", 2),
    ("mlx.core.eye", 3),
    ("mlx.core.identity", 1),
    ("mlx.core.tri", 3),
    ("mlx.core.array", 1),
];

/// What makes float32 for a reason, or makes none, and why it stays.
const OTHERS: [(&str, &str); 6] = [
    ("mlx.core.zeros_like", "it has the dtype of the array that it is like"),
    ("mlx.core.ones_like", "it has the dtype of the array that it is like"),
    ("mlx.core.linspace", "positions need their digits"),
    ("mlx.core.arange", "positions need their digits"),
    ("mlx.core.random.normal", "in another dtype other numbers would be drawn"),
    ("mlx.core.random.uniform", "in another dtype other numbers would be drawn"),
];

/// Find every constant without a dtype that makes float32 of arrays that may be in half precision.
pub fn find(analysis: &Analysis<'_>, id: &TransformId, notes: &Notes) -> Vec<Proposal> {
    let text = analysis.source.text().as_bytes();
    if !MAKERS.iter().any(|(path, _)| memchr::memmem::find(text, path.rsplit('.').next().unwrap_or(path).as_bytes()).is_some()) {
        return Vec::new();
    }
    let (mut found, file) = (Vec::new(), File { analysis, longest_line: OnceCell::new() });
    for body in &analysis.bodies {
        let Some(function) = body.function else { continue };
        let place = Place::new(analysis, body, notes);
        let mut calls = Calls { place: &place, found: Vec::new() };
        calls.visit_body(place.own_statements());
        if analysis.definitions.functions[function].ast.name.as_str() == "__init__" {
            for constant in &calls.found {
                let range = constant.call.range();
                notes.left::<()>(range, range, 60, || {
                    "what `__init__` makes is a parameter, which is cast with the model, or is made once".to_owned()
                });
            }
        } else if !calls.found.is_empty() {
            Scope::new(&place, id, &calls.found, &file).propose(&mut found);
        }
    }
    found.sort_by_key(|p: &Proposal| (p.finding.range.start(), p.finding.range.end()));
    found
}

/// A constant in the text.
struct Constant<'x> {
    value: ValueId,
    call: &'x ExprCall,
    /// Somebody said which dtype it is to have.
    is_given: bool,
}

/// Looks for constants in one scope.
struct Calls<'p, 'x> {
    place: &'p Place<'x>,
    found: Vec<Constant<'x>>,
}

impl<'x> SourceOrderVisitor<'x> for Calls<'_, 'x> {
    fn visit_stmt(&mut self, statement: &'x Stmt) {
        if !matches!(statement, Stmt::FunctionDef(_) | Stmt::ClassDef(_)) {
            source_order::walk_stmt(self, statement);
        }
    }

    fn visit_expr(&mut self, expr: &'x Expr) {
        // Names mean something else in there.
        if expr.is_lambda_expr() || comprehension(expr).is_some() {
            return;
        }
        if let Expr::Call(call) = expr
            && let Some(path) = self.place.path(&call.func)
            && let Some((maker, before)) = MAKERS.iter().find(|(maker, _)| *maker == path)
            // An array of one number may become the number, which another transform does.
            && (*maker != "mlx.core.array" || call.arguments.args.first().is_some_and(|a| a.is_list_expr() || a.is_tuple_expr()))
            && let Some(value) = self.place.own_value(expr)
        {
            let arguments = &call.arguments;
            let is_plain = !arguments.args.iter().any(Expr::is_starred_expr) && arguments.keywords.iter().all(|k| k.arg.is_some());
            let named = arguments.keywords.iter().any(|k| k.arg.as_ref().is_some_and(|name| name == "dtype"));
            self.found.push(Constant { value, call, is_given: named || arguments.args.len() > *before || !is_plain || arguments.is_empty() });
        }
        self.note(expr);
        source_order::walk_expr(self, expr);
    }
}

impl Calls<'_, '_> {
    /// Note what is left alone by what it is.
    fn note(&self, expr: &Expr) {
        let Expr::Call(call) = expr else { return };
        if let Some(path) = self.place.path(&call.func).filter(|_| self.place.notes.are_kept())
            && let Some((_, reason)) = OTHERS.iter().find(|(other, _)| *other == path)
        {
            self.place.notes.left::<()>(expr.range(), expr.range(), 40, || (*reason).to_owned());
        }
    }
}

struct Scope<'p, 'x> {
    place: &'p Place<'x>,
    id: &'p TransformId,
    constants: &'p [Constant<'x>],
    users: Rc<Users>,
    facts: Facts<'x>,
    file: &'p File<'p, 'x>,
}

/// What is worked out once for all scopes, where somebody asks.
struct File<'p, 'a> {
    analysis: &'p Analysis<'a>,
    longest_line: OnceCell<usize>,
}

impl File<'_, '_> {
    /// How many characters the longest line has, and no less than lines may have in any case.
    fn width(&self) -> usize {
        *self.longest_line.get_or_init(|| self.analysis.source.text().lines().map(length).fold(LINE_WIDTH, usize::max))
    }
}

/// How many characters a line has.
fn length(line: &str) -> usize {
    line.trim_end().chars().count()
}

/// A name whose dtype the constants are given.
struct Given {
    name: String,
    assumptions: Vec<String>,
}

impl<'p, 'x> Scope<'p, 'x> {
    fn new(place: &'p Place<'x>, id: &'p TransformId, constants: &'p [Constant<'x>], file: &'p File<'p, 'x>) -> Self {
        let facts = Facts::at(place.analysis, place.body, 0, place.body.range.end());
        Self { place, id, constants, users: Users::throughout(place.analysis, place.body), facts, file }
    }

    fn propose(&self, found: &mut Vec<Proposal>) {
        let mut flow = DtypeFlow::in_file(self.place.analysis, &self.facts);
        let values: FxHashSet<ValueId> = self.constants.iter().filter(|c| !c.is_given).map(|c| c.value).collect();
        let mut done: FxHashSet<ValueId> = FxHashSet::default();
        // What stands in the way of one call stands in the way of all that make the same.
        let mut in_the_way: FxHashMap<ValueId, InTheWay> = FxHashMap::default();
        for constant in self.constants {
            let left = |reason: &str| self.place.notes.left::<()>(constant.call.range(), constant.call.range(), 40, || reason.to_owned());
            if constant.is_given || !flow.is_single(constant.value) {
                left(if constant.is_given { "its dtype is given" } else { "it makes no float32" });
                continue;
            }
            if done.contains(&constant.value) {
                continue;
            }
            let known = in_the_way.get(&constant.value).copied();
            match known.map_or_else(|| meetings(self.place, &self.users, &mut flow, &values, constant.value), Err) {
                Ok(meetings) => {
                    done.extend(&meetings.members);
                    found.extend(self.proposal(constant, &meetings, &mut flow));
                }
                Err(way) => {
                    in_the_way.insert(constant.value, way);
                    let at = self.place.body.occurrences_of(way.0).next().map_or(constant.call.range(), |o| o.range);
                    self.place.notes.left::<()>(constant.call.range(), at, 60, || way.1.to_owned());
                }
            }
        }
    }

    fn proposal(&self, constant: &Constant<'x>, meetings: &Meetings, flow: &mut DtypeFlow<'_>) -> Option<Proposal> {
        let range = constant.call.range();
        let left = |reason: &str| self.place.notes.left(range, range, 60, || reason.to_owned());
        if meetings.met.is_empty() {
            return left("it meets no array that may be in half precision");
        }
        let members: Vec<&Constant<'x>> = self.constants.iter().filter(|c| meetings.members.contains(&c.value)).collect();
        if members.iter().any(|c| c.is_given) {
            return left("the same constant is given its dtype elsewhere");
        }
        let mut assumptions = meetings.assumptions.clone();
        for member in &members {
            assumptions.extend(self.filled_with(member)?);
        }
        let Some(given) = self.given(&members, meetings, flow) else { return left("nothing that has the dtype of what it meets has a name there") };
        assumptions.extend(given.assumptions);
        let mut softmaxes: BTreeMap<ValueId, Softmax> = BTreeMap::new();
        let Some(sign) = self.sign(meetings) else { return left("nothing says that what it meets is ever in half precision") };
        for meeting in &meetings.met {
            let near: Vec<ValueId> = meeting.others.iter().chain(&meetings.own).copied().collect();
            if let Some(reason) = digits::stays(self.place.analysis, self.place.body, &self.users, meeting.at, &near) {
                return left(&reason);
            }
            match digits::half_sums(self.place.analysis, self.place.body, &self.users, meeting.at) {
                Ok(half) => softmaxes.extend(half.into_iter().map(|s| (s.value, s))),
                Err(reason) => return left(&reason),
            }
            assumptions.extend(digits::doubts(self.place.analysis, self.place.body, &self.users, meeting.at, &near));
        }
        let mut seen = FxHashSet::default();
        assumptions.retain(|a| seen.insert(a.clone()));
        let softmaxes: Vec<Softmax> = softmaxes.into_values().collect();
        let edits = self.edits(&members, &given.name, &softmaxes);
        let mut rationale = self.rationale(meetings, sign, flow);
        rationale.splice(rationale.len().min(1)..rationale.len().min(1), digits::told_to_be_precise(&softmaxes));
        let applicability = if assumptions.is_empty() { Applicability::Narrowing } else { Applicability::Unsafe };
        let text = self.place.source().quote(range);
        let message = format!("`{text}` is float32 whatever the model is; with `dtype={}.dtype` it leaves half precision as it is", given.name);
        let finding = Finding {
            transform: self.id.clone(),
            range,
            applicability,
            numerics: Some(Numerics::Rounding),
            message,
            rationale,
            assumptions,
            guide: String::new(),
            edits,
            hinges: Hinges::HalfPrecision,
        };
        Some(Proposal { finding, contract: Contract::Statements(Kept::Narrowed) })
    }

    /// The edits that give `members` the dtype of `name`, and tell `softmaxes` to be precise.
    fn edits(&self, members: &[&Constant<'x>], name: &str, softmaxes: &[Softmax]) -> Vec<Edit> {
        let body = self.place.body;
        let values: FxHashSet<ValueId> = members.iter().map(|m| m.value).collect();
        let places: FxHashMap<TextRange, StatementId> = values.iter().flat_map(|&v| body.occurrences_of(v)).map(|o| (o.range, o.statement)).collect();
        let argument = format!(", dtype={name}.dtype");
        let given = members.iter().map(|m| (Edit::insert(last_argument(m.call), argument.clone()), places.get(&m.call.range()).copied()));
        let told = softmaxes.iter().flat_map(|s| s.arguments.iter().map(|&(at, statement)| (Edit::insert(at, PRECISE), Some(statement))));
        let mut insertions: Vec<(Edit, Option<StatementId>)> = given.chain(told).collect();
        insertions.sort_by_key(|(edit, _)| edit.range.start());
        let mut counts: FxHashMap<StatementId, u32> = FxHashMap::default();
        insertions.iter().filter_map(|(_, at)| *at).for_each(|at| *counts.entry(at).or_default() += 1);
        let edit = |(insertion, at): (Edit, Option<StatementId>)| {
            let at = at.filter(|at| counts.get(at) == Some(&1));
            at.and_then(|at| self.laid_out(body.statements[at as usize].range, &insertion)).unwrap_or(insertion)
        };
        insertions.into_iter().map(edit).collect()
    }

    /// The statement `whole` laid out anew, where `insertion` makes a line of it longer than lines are here.
    fn laid_out(&self, whole: TextRange, insertion: &Edit) -> Option<Edit> {
        let source = self.place.source();
        let at = insertion.range.start();
        let part = |from: TextSize, to: TextSize| source.slice(TextRange::new(from, to));
        let (lead, rest) = (part(source.line_start(whole.start()), whole.start()), part(whole.end(), source.full_line_end(whole.end())).trim_end());
        let stands_alone = lead.trim().is_empty() && (rest.is_empty() || rest.trim_start().starts_with('#'));
        let line = length(part(source.line_start(at), source.full_line_end(at))) + length(&insertion.content);
        if !stands_alone || line <= LINE_WIDTH {
            return None;
        }
        let width = self.file.width();
        let text = [part(whole.start(), at), &insertion.content, part(at, whole.end())].concat();
        let laid_out = || lay_out_statement(&text, lead, source.newline(), length(rest), width);
        (line > width).then(laid_out)?.map(|text| Edit::replace(whole, text))
    }

    /// What is assumed of the number that `constant` is filled with; nothing where half precision does not hold it.
    fn filled_with(&self, member: &Constant<'_>) -> Option<Option<String>> {
        let graph = &self.place.analysis.graph;
        let range = member.call.range();
        let mut waiting = match graph.get(member.value) {
            (Op::Mlx("full"), operands) => vec![operands[1]],
            (Op::Mlx("array"), operands) => vec![operands[0]],
            _ => return Some(None),
        };
        let mut assumed = None;
        while let Some(value) = waiting.pop() {
            if let (Op::List | Op::Tuple, parts) = graph.get(value) {
                waiting.extend(parts);
                continue;
            }
            match constant(graph, value).map(in_half) {
                Some(Half::Same) => {}
                Some(Half::Rounded) => assumed = Some("the number that it is filled with may be rounded to half precision".to_owned()),
                None => assumed = Some("half precision holds the number that it is filled with".to_owned()),
                Some(Half::OutOfRange) => {
                    return self.place.notes.left(range, range, 60, || "half precision does not hold the number that it is filled with".to_owned());
                }
            }
        }
        Some(assumed)
    }

    /// The name to take the dtype from: wherever a member is made, it holds an array that promotes none of the arrays that are met.
    fn given(&self, members: &[&Constant<'x>], meetings: &Meetings, flow: &mut DtypeFlow<'_>) -> Option<Given> {
        let (graph, body) = (&self.place.analysis.graph, self.place.body);
        let met: Vec<Met> = meetings.met.iter().map(|m| self.met(m, flow)).collect();
        let first = members.first()?.call.start();
        let mut choices: Vec<(usize, bool, Given)> = Vec::new();
        for (name, value) in body.held(first) {
            let held = |at: TextSize| body.value_of(name, at) == Some(value);
            let Known::Promotion(sources, None) = flow.of(value) else { continue };
            if !members.iter().all(|m| held(m.call.start())) {
                continue;
            }
            let name = graph.name(name).to_owned();
            let Some(mut assumptions) = self.array(&name, value, flow) else { continue };
            let is_likely = assumptions.is_empty() || self.goes_through_a_layer(value);
            let fits: Option<Vec<Option<String>>> = met.iter().map(|m| m.fits(&sources, &name, is_likely)).collect();
            let Some(fits) = fits else { continue };
            assumptions.extend(fits.into_iter().flatten());
            let is_met = meetings.met.iter().any(|m| m.others.contains(&value));
            choices.push((assumptions.len(), !is_met, Given { name, assumptions }));
        }
        choices.sort_by(|a, b| (a.0, a.1, &a.2.name).cmp(&(b.0, b.1, &b.2.name)));
        choices.into_iter().next().map(|(.., given)| given)
    }

    /// What is to be assumed for `name`, which holds `value`, to hold an array of floating point numbers.
    fn array(&self, name: &str, value: ValueId, flow: &mut DtypeFlow<'_>) -> Option<Vec<String>> {
        let mut assumptions = Vec::new();
        match self.facts.kind(value) {
            Kind::Array => {}
            Kind::OptionalArray | Kind::Unknown => assumptions.push(format!("`{name}` is an `mx.array`")),
            _ => return None,
        }
        if !flow.is_floating(value) {
            assumptions.push(format!("`{name}` holds no whole numbers"));
        }
        Some(assumptions)
    }

    /// Whether a layer or a product takes `value`, which speaks against whole numbers.
    fn goes_through_a_layer(&self, value: ValueId) -> bool {
        self.users.users(value).iter().any(|&u| match self.place.analysis.graph.get(u) {
            (Op::MatMul, _) => true,
            (Op::Apply | Op::Call(..), operands) => self.facts.module_of(operands[0]).is_some_and(|m| !m.ends_with("Embedding")),
            (Op::Mlx(name), _) => name.starts_with("fast."),
            _ => false,
        })
    }

    /// Of what the arrays that are met have their dtype, and of what, if layers keep it.
    fn met(&self, meeting: &Meeting, flow: &mut DtypeFlow<'_>) -> Met {
        let graph = &self.place.analysis.graph;
        let text = |v: ValueId| spelt(self.place.analysis, self.place.body, v);
        let mut met = Met { sources: SmallVec::new(), through: Vec::new(), stored: None };
        for &other in &meeting.others {
            met.stored = meeting.stores.then(|| text(other));
            let Known::Promotion(sources, _) = flow.of(other) else { continue };
            for source in sources {
                if let (Op::Call(..) | Op::Apply, operands) = graph.get(source)
                    && let Some(&argument) = operands.get(1)
                    && let Known::Promotion(through, _) = flow.of(argument)
                {
                    met.through.extend(through.into_iter().map(|of| (of, text(source))));
                }
                met.sources.push(source);
            }
        }
        met
    }

    /// What says that arrays that are met are in half precision where the model is.
    fn sign(&self, meetings: &Meetings) -> Option<Sign> {
        let met: Vec<ValueId> = meetings.met.iter().flat_map(|m| m.others.iter().copied()).collect();
        let number = self.place.analysis.bodies.iter().position(|body| body.name == self.place.body.name)?;
        self.place.analysis.origins().sign(self.place.analysis, number, &met)
    }

    fn rationale(&self, meetings: &Meetings, sign: Sign, flow: &mut DtypeFlow<'_>) -> Vec<String> {
        let analysis = self.place.analysis;
        let spoilt = flow.spoilt(meetings.met.iter().map(|m| m.at), &self.users);
        let mut lines: Vec<String> = spread(analysis, self.place.body, meetings.met.iter().map(|m| m.at), &spoilt).into_iter().collect();
        let scope = &analysis.bodies[sign.body];
        let elsewhere = if scope.name == self.place.body.name { String::new() } else { format!(" in `{}`", analysis.graph.name(scope.name)) };
        lines.push(format!("Half precision is likely here, judging by `{}`{elsewhere}.", written(analysis, scope, sign.value)));
        lines.push("Where the model is in float32 nothing changes.".to_owned());
        lines
    }
}

/// Of what arrays that are met have their dtype.
struct Met {
    /// The values of whose dtypes theirs is the promotion.
    sources: SmallVec<[ValueId; 4]>,
    /// What those are made of by layers, with the call of the layer.
    through: Vec<(ValueId, String)>,
    /// The array, where it is stored: then the dtype must be its own, not less.
    stored: Option<String>,
}

impl Met {
    /// Whether the dtype that is the promotion of those of `sources`, which `name` has, may be that of the constant: what must be assumed for that.
    fn fits(&self, sources: &[ValueId], name: &str, through_layers: bool) -> Option<Option<String>> {
        let is_whole = self.sources.iter().all(|s| sources.contains(s));
        if sources.iter().all(|s| self.sources.contains(s)) {
            let stored = self.stored.as_ref().filter(|_| !is_whole);
            return Some(stored.map(|text| format!("`{text}` has the dtype of `{name}`")));
        }
        let (_, call) = self.through.iter().find(|(of, _)| sources.contains(of)).filter(|_| through_layers)?;
        let all = sources.iter().all(|s| self.sources.contains(s) || self.through.iter().any(|(of, _)| of == s));
        all.then(|| Some(format!("`{call}` has the dtype of `{name}`")))
    }
}

/// Where the last argument of `call` ends.
fn last_argument(call: &ExprCall) -> TextSize {
    let ends = call.arguments.args.iter().map(Ranged::end).chain(call.arguments.keywords.iter().map(Ranged::end));
    ends.max().unwrap_or_else(|| call.arguments.range.end())
}
