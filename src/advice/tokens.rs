//! Loops that generate one thing after the other: a round samples from what a model makes of the last sample.

use rustc_hash::FxHashSet;

use crate::graph::body::Effect;
use crate::graph::value::{Graph, Op, ValueId};
use crate::place::{Place, expressions};
use crate::syntax::ast::{Expr, Stmt};
use crate::syntax::{Ranged, TextRange};

use super::behind::evaluation_behind;
use super::origin::has_other_tensors;
use super::reads::reads;
use super::rounds::{Line, Round};

/// A loop that generates.
pub(super) struct Generation<'x> {
    /// The names that hold a sample, or something made of one.
    pub(super) names: FxHashSet<String>,
    /// Where a round waits for a sample: calls of `mx.eval`, and reads.
    pub(super) evaluations: Vec<TextRange>,
    /// Reads of a sample as a number.
    pub(super) reads: Vec<TextRange>,
    /// A round reads one every so many rounds.
    pub(super) is_seldom_read: bool,
    /// Conditions on a sample, for which Python waits as well.
    pub(super) tests: Vec<TextRange>,
    /// A sample goes where a mask says into what an earlier round left, as steps of diffusion do.
    pub(super) fills_in: bool,
    /// Samples that are yielded as arrays, which the consumer waits for.
    pub(super) yields: Vec<TextRange>,
    /// The statement that samples.
    pub(super) sampling: &'x Stmt,
}

/// How `round` generates, if it does.
pub(super) fn generation<'x>(place: &Place<'_>, round: &Round<'x>) -> Option<Generation<'x>> {
    let own: Vec<&Line<'x>> = round.lines.iter().collect();
    let Some(sampling) = own.iter().find(|line| !targets(line.statement).is_empty() && samples(place, line.statement)) else {
        return place.notes.left(round.statement.range(), round.statement.range(), 60, || "no round samples anything".to_owned());
    };
    let sampling = sampling.statement;
    let names = followed(place, &own, sampling);
    // What the host reads before it samples decides what is sampled.
    let before = own.iter().take_while(|line| line.statement.end() <= sampling.start());
    if before.into_iter().any(|line| !line.is_seldom_asked() && reads_other(line.statement, &names)) {
        return place.notes.left(round.statement.range(), sampling.range(), 100, || "the round reads other numbers before it samples".to_owned());
    }
    if !is_carried(place, &own, &names) {
        return place.notes.left(round.statement.range(), sampling.range(), 60, || "no round needs what another sampled".to_owned());
    }
    if !calls_a_model(place, &own) {
        return place.notes.left(round.statement.range(), sampling.range(), 60, || "no round calls a model".to_owned());
    }
    let assigned: FxHashSet<String> = own.iter().flat_map(|line| targets(line.statement)).collect();
    let (evaluations, reads, tests, yields) = Default::default();
    let mut generation = Generation { names, evaluations, reads, is_seldom_read: false, tests, fills_in: false, yields, sampling };
    let head = Line { statement: round.statement, once: true, rare: false };
    // The condition of `while` is asked in each round, what `for` goes through once.
    for line in own.into_iter().chain(round.statement.is_while_stmt().then_some(&head)) {
        generation.look(place, line, &assigned);
    }
    Some(generation)
}

/// Whether a round samples from what a model makes of an earlier sample.
pub(super) fn generates(place: &Place<'_>, round: &Round<'_>) -> bool {
    let own: Vec<&Line<'_>> = round.lines.iter().collect();
    let sampling = own.iter().find(|line| !targets(line.statement).is_empty() && samples(place, line.statement));
    sampling.is_some_and(|line| is_carried(place, &own, &followed(place, &own, line.statement)) && calls_a_model(place, &own))
}

impl Generation<'_> {
    /// Whether no round looks at its sample, but for a few, and none fills a part in.
    pub(super) fn is_unread(&self) -> bool {
        !self.fills_in && self.tests.is_empty() && self.reads.is_empty() && self.yields.is_empty()
    }

    /// Whether it would do to start each sample, where a round waits for it: nobody reads it there, and nothing behind the loop evaluates it.
    pub(super) fn would_do_started(&self, place: &Place<'_>, round: &Round<'_>) -> bool {
        self.is_unread() && self.evaluations.len() == 1 && evaluation_behind(place, round, &self.names).is_none()
    }

    /// Whether `expr` is a sample, an element of one, or draws one itself.
    fn is_sample(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Name(name) => self.names.contains(name.id.as_str()),
            Expr::Subscript(e) => self.is_sample(&e.value),
            Expr::Call(call) => match &*call.func {
                Expr::Attribute(method) if matches!(method.attr.as_str(), "argmax" | "categorical") => true,
                Expr::Attribute(method) => {
                    matches!(method.attr.as_str(), "astype" | "reshape" | "squeeze" | "flatten" | "item") && self.is_sample(&method.value)
                }
                _ => false,
            },
            _ => false,
        }
    }

    /// Whether `expr` makes a number of a sample.
    fn reads_sample(&self, place: &Place<'_>, expr: &Expr) -> bool {
        let Expr::Call(call) = expr else { return false };
        match (&*call.func, &*call.arguments.args) {
            (Expr::Attribute(method), []) => matches!(method.attr.as_str(), "item" | "tolist") && self.is_sample(&method.value),
            (Expr::Name(_), [only]) => self.is_sample(only) && ["int", "float", "bool"].iter().any(|name| place.calls_builtin(call, name)),
            _ => false,
        }
    }

    fn look(&mut self, place: &Place<'_>, line: &Line<'_>, assigned: &FxHashSet<String>) {
        let (graph, statement) = (&place.analysis.graph, line.statement);
        if let Stmt::If(s) = statement
            && let Expr::Compare(test) = &*s.test
            && test.left.as_name_expr().is_some_and(|n| self.names.contains(n.id.as_str()))
            && place.value(&test.left).is_some_and(|v| graph.is_arrayish(v) || is_sample(graph, v, 0))
        {
            self.tests.push(s.test.range());
        }
        let is_of = |names: &FxHashSet<String>, expr: &Expr| mentions(place, expr, names);
        // A number made of many samples decides, where it does not end the loop, what the round does: it cannot be read later.
        let ends = statement.is_while_stmt() || matches!(statement, Stmt::If(s) if matches!(s.body.last(), Some(Stmt::Break(_) | Stmt::Return(_))));
        let of_samples = reads(place, statement).into_iter().filter(|r| is_of(&self.names, r.array));
        let of_samples: Vec<TextRange> = of_samples.filter(|r| ends || self.is_sample(r.array)).map(|r| r.expr.range()).collect();
        match line.is_seldom_asked() {
            true => self.is_seldom_read |= !of_samples.is_empty(),
            false => self.reads.extend(of_samples),
        }
        if !line.is_seldom_asked() && !has_other_tensors(place) {
            // What an imported sampler gives is known by its name alone, and that it is read says that it is an array.
            expressions::of_statement(statement, &mut |expr| {
                if self.reads_sample(place, expr) && !self.reads.contains(&expr.range()) {
                    self.reads.push(expr.range());
                }
            });
        }
        expressions::of_statement(statement, &mut |expr| match expr {
            Expr::Call(call)
                if place.path(&call.func).as_deref() == Some("mlx.core.eval")
                    && line.once
                    && call.arguments.args.iter().any(|a| is_of(&self.names, a)) =>
            {
                self.evaluations.push(expr.range());
            }
            Expr::Call(call) if place.path(&call.func).as_deref() == Some("mlx.core.where") => {
                if let [_, then, otherwise] = &*call.arguments.args {
                    // What the round before left is kept where the mask says so.
                    let merges = |a: &Expr, b: &Expr| {
                        let is_other = place.source().slice(a.range()) != place.source().slice(b.range());
                        is_other && mentions(place, a, &self.names) && mentions(place, b, assigned)
                    };
                    self.fills_in |= merges(then, otherwise) || merges(otherwise, then);
                }
            }
            Expr::Yield(e) => {
                let whole = e.value.as_deref().is_some_and(|v| match v {
                    Expr::Tuple(t) => t.elts.iter().any(|e| e.as_name_expr().is_some_and(|n| self.names.contains(n.id.as_str()))),
                    _ => v.as_name_expr().is_some_and(|n| self.names.contains(n.id.as_str())),
                });
                if whole {
                    self.yields.push(expr.range());
                }
            }
            _ => {}
        });
    }
}

/// The names that `statement` assigns, and those of containers that it fills.
pub(super) fn targets(statement: &Stmt) -> Vec<String> {
    let of = |expr: &Expr| root(expr).map(str::to_owned);
    match statement {
        Stmt::Assign(s) => s
            .targets
            .iter()
            .flat_map(|t| match t {
                Expr::Tuple(t) => t.elts.iter().filter_map(of).collect(),
                _ => of(t).into_iter().collect::<Vec<_>>(),
            })
            .collect(),
        Stmt::AnnAssign(s) => of(&s.target).into_iter().collect(),
        Stmt::AugAssign(s) => of(&s.target).into_iter().collect(),
        _ => Vec::new(),
    }
}

/// The name at the beginning of `a.b[c]`.
pub(super) fn root(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Name(name) => Some(name.id.as_str()),
        Expr::Subscript(e) => root(&e.value),
        _ => None,
    }
}

/// Whether `statement` draws from a distribution, or takes its most likely element.
fn samples(place: &Place<'_>, statement: &Stmt) -> bool {
    let graph = &place.analysis.graph;
    let mut found = false;
    expressions::of_statement(statement, &mut |expr| {
        let Expr::Call(call) = expr else { return };
        found |= place.value(expr).is_some_and(|v| is_sample(graph, v, 0));
        let callee = match &*call.func {
            Expr::Name(name) => Some(name.id.as_str()),
            Expr::Attribute(attribute) => Some(attribute.attr.as_str()),
            _ => None,
        };
        // What is imported can only be known by its name.
        let Some(callee) = callee else { return };
        let functions = &place.analysis.definitions.functions;
        let own = place.analysis.bodies.iter().find(|b| b.function.is_some_and(|f| functions[f].ast.name.as_str() == callee));
        found |= match own {
            // What draws by other means than MLX has read the array.
            Some(body) if ["np.", "numpy", ".item(", ".tolist("].iter().any(|w| place.source().slice(body.range).contains(w)) => false,
            Some(body) => body.effects.iter().any(|e| matches!(*e, Effect::Return(v) | Effect::Call(v) if is_sample(graph, v, 0))),
            None => matches!(callee, "sample" | "sampler" | "sample_token" | "_sample"),
        };
    });
    found
}

/// Whether a round calls something that is neither of a library nor a method of arrays and lists: a model, as far as that can be seen.
fn calls_a_model(place: &Place<'_>, lines: &[&Line<'_>]) -> bool {
    let graph = &place.analysis.graph;
    let mut found = false;
    for line in lines {
        expressions::of_statement(line.statement, &mut |expr| {
            let Expr::Call(call) = expr else { return };
            if call.arguments.is_empty() || place.path(&call.func).is_some() {
                return;
            }
            found |= match &*call.func {
                Expr::Attribute(method) => !matches!(
                    method.attr.as_str(),
                    "append" | "extend" | "astype" | "reshape" | "decode" | "add" | "update" | "get" | "insert" | "put"
                ),
                Expr::Name(name) => graph.known_symbol(&name.id).is_none_or(|s| graph.find_leaf(Op::Builtin(s)).is_none()),
                Expr::Subscript(_) => true,
                _ => false,
            };
        });
    }
    found
}

/// Whether `value` is a sample, or one brought into another form.
fn is_sample(graph: &Graph, value: ValueId, depth: u32) -> bool {
    match graph.get(value) {
        (Op::Mlx("argmax"), _) => true,
        (Op::Call(..), operands) => graph.path(operands[0]) == Some("mlx.core.random.categorical"),
        (Op::Mlx("reshape" | "squeeze" | "expand_dims" | "astype" | "take_along_axis") | Op::Index(_) | Op::Gate, operands) => {
            depth < 6 && operands.iter().any(|&v| is_sample(graph, v, depth + 1))
        }
        _ => false,
    }
}

/// The names that hold what `sampling` assigns, or something made of it, wherever in the round.
fn followed(place: &Place<'_>, lines: &[&Line<'_>], sampling: &Stmt) -> FxHashSet<String> {
    let mut names: FxHashSet<String> = targets(sampling).into_iter().collect();
    for line in lines {
        let value = match line.statement {
            Stmt::Assign(s) => Some(&*s.value),
            Stmt::AugAssign(s) => Some(&*s.value),
            _ => None,
        };
        if value.is_some_and(|v| !reads_whole(v) && mentions(place, v, &names)) {
            names.extend(targets(line.statement));
        }
    }
    names
}

/// Whether `statement` reads numbers from something but one of `names`.
fn reads_other(statement: &Stmt, names: &FxHashSet<String>) -> bool {
    let mut found = false;
    expressions::of_statement(statement, &mut |expr| {
        if let Expr::Call(call) = expr
            && let Expr::Attribute(method) = &*call.func
            && matches!(method.attr.as_str(), "item" | "tolist")
        {
            found |= !method.value.as_name_expr().is_some_and(|n| names.contains(n.id.as_str()));
        }
    });
    found
}

/// Whether `expr` is a number read from an array, which is no array any more.
fn reads_whole(expr: &Expr) -> bool {
    let Expr::Call(call) = expr else { return false };
    match &*call.func {
        Expr::Attribute(method) => matches!(method.attr.as_str(), "item" | "tolist"),
        Expr::Name(name) => matches!(name.id.as_str(), "int" | "float"),
        _ => false,
    }
}

/// Whether `expr` names one of `names`.
pub(super) fn mentions(place: &Place<'_>, expr: &Expr, names: &FxHashSet<String>) -> bool {
    let tokens = place.source().tokens();
    tokens.in_range(expr.range()).iter().any(|t| names.contains(place.source().slice(t.range())))
}

/// Whether a round reads one of `names` before it assigns it: what the round before left.
fn is_carried(place: &Place<'_>, lines: &[&Line<'_>], names: &FxHashSet<String>) -> bool {
    let mut assigned: FxHashSet<String> = FxHashSet::default();
    for line in lines {
        let value = match line.statement {
            Stmt::Assign(s) => Some(s.value.range()),
            Stmt::AnnAssign(s) => s.value.as_ref().map(|v| v.range()),
            Stmt::Expr(s) => Some(s.value.range()),
            Stmt::AugAssign(s) => Some(s.range()),
            _ => None,
        };
        let fresh: FxHashSet<String> = names.difference(&assigned).cloned().collect();
        let reads =
            value.is_some_and(|range| place.source().tokens().in_range(range).iter().any(|t| fresh.contains(place.source().slice(t.range()))));
        if reads {
            return true;
        }
        assigned.extend(targets(line.statement));
    }
    false
}
