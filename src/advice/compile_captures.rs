//! State that a compiled function changes or reads without saying so. What is not listed in `outputs` is changed while the function is traced, once, and holds
//! values without data from then on; what is not listed in `inputs` is read while it is traced, and never again.

mod batches;

use crate::finding::{Finding, Notes, TransformId};
use crate::graph::Analysis;
use crate::graph::body::Statement;
use crate::graph::facts::{Facts, Kind};
use crate::graph::value::{Op, ValueId};
use crate::place::expressions::applied_gradients;
use crate::syntax::ast::Expr;
use crate::syntax::{Ranged, TextRange};

use super::Told;
use super::compiled::{self, Listed, Site, body_of, dotted};
use super::writes::{Scopes, Write, each_target};

/// Find the compiled functions with state that is not listed.
pub fn find(analysis: &Analysis<'_>, id: &TransformId, notes: &Notes) -> Vec<Finding> {
    if analysis.compiled().is_empty() {
        return Vec::new();
    }
    let scopes = Scopes::of(analysis);
    let told = compiled::each(analysis, notes, |site| {
        let captures = Captures { site, scopes: &scopes };
        let mut told = captures.changed();
        told.extend(captures.rebound());
        if told.is_empty() {
            let reason = || "it is not seen to change anything, and nothing that it reads is seen to be changed elsewhere in the file".to_owned();
            site.outer.notes.left::<()>(site.range(), site.range(), 60, reason);
        }
        told
    });
    told.into_iter().map(|t: Told| t.finding(id)).collect()
}

/// What one compiled function has from outside.
struct Captures<'c, 'x> {
    site: &'c Site<'x>,
    scopes: &'c Scopes<'x>,
}

/// How an object is changed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    /// `optimizer.update(model, gradients)`
    Update,
    /// `object.attribute = value`
    Attribute,
    /// `object[index] = value`
    Item,
    /// `global name; name = value`
    Name,
}

/// What an optimizer keeps from step to step, beside the number of the step.
enum Optimizer {
    /// Nothing that a step depends on.
    WithoutState,
    /// Momentum or moments, or a rate that depends on the step.
    WithState,
}

/// A change of something from outside.
struct Change<'x> {
    object: String,
    how: How,
    /// What is assigned to, or the call.
    expr: &'x Expr,
}

impl<'x> Captures<'_, 'x> {
    /// Objects from outside that the function changes, and that are not listed both ways.
    fn changed(&self) -> Vec<Told> {
        let site = self.site;
        let (inputs, outputs) = (site.listed("inputs", 1), site.listed("outputs", 2));
        let mut told: Vec<Told> = Vec::new();
        let mut seen: Vec<String> = Vec::new();
        for change in self.changes() {
            let Change { object, expr, .. } = &change;
            let range = expr.range();
            let root = object.split('.').next().unwrap_or_default();
            if !(change.how == How::Name || site.is_captured(root)) || seen.contains(object) {
                continue;
            }
            seen.push(object.clone());
            let left = |reason: &str| site.outer.notes.left::<()>(range, range, 100, || reason.to_owned());
            if inputs.is_unclear || outputs.is_unclear {
                left("what is listed is not seen as a whole");
                continue;
            }
            let (is_input, is_output) = (holds(&inputs, object), holds(&outputs, object));
            if is_input && is_output {
                left("its state is listed in `inputs` and `outputs`");
                continue;
            }
            let missing = match (is_input, is_output) {
                (false, false) => "neither in `inputs` nor in `outputs`",
                (true, false) => "in `inputs` and not in `outputs`",
                _ => "in `outputs` and not in `inputs`",
            };
            told.push(Told {
                range,
                message: format!("the compiled `{}` changes `{object}`, which is listed {missing}", site.function.name),
                rationale: vec![self.what_is_lost(&change), self.what_to_list(&change)],
            });
        }
        told
    }

    /// Everything that the function updates or assigns to and that is no name of its own.
    fn changes(&self) -> Vec<Change<'x>> {
        let mut changes: Vec<Change<'x>> = Vec::new();
        self.site.expressions(&mut |expr| {
            if let Expr::Call(call) = expr
                && let Expr::Attribute(method) = &*call.func
                && applied_gradients(call).is_some()
                && let Some(object) = dotted(&method.value)
            {
                changes.push(Change { object, how: How::Update, expr });
            }
        });
        let body = &self.site.function.body;
        each_target(body, &mut |target| {
            let (object, how) = match target {
                Expr::Attribute(e) => (dotted(target).filter(|_| !e.value.is_call_expr()), How::Attribute),
                Expr::Subscript(e) => (dotted(&e.value), How::Item),
                Expr::Name(name) => {
                    let is_from_outside = self.scopes.writes(&name.id).iter().any(|w| w.range == target.range());
                    (is_from_outside.then(|| name.id.to_string()), How::Name)
                }
                _ => (None, How::Name),
            };
            changes.extend(object.map(|object| Change { object, how, expr: target }));
        });
        changes
    }

    /// What becomes of an object that is changed while the function is traced, and not again.
    fn what_is_lost(&self, change: &Change<'x>) -> String {
        if change.how != How::Update {
            return "It is changed 1 time, while the function is traced, and not in each call: what it holds then is of that call, and what depends on its arguments has no data.".to_owned();
        }
        let other = batches::short(self.site).map_or(String::new(), |maker| format!(", as the last one of {maker} may be"));
        let once = "Its state is changed 1 time, while the function is traced";
        match self.optimizer(&change.object) {
            Some(Optimizer::WithoutState) => format!(
                "{once}: SGD without momentum, at one rate, loses only its step counter by that. With momentum, Adam or a schedule in its place the model would train otherwise, and nothing would say so before a batch of another size{other}: that is traced again, and raises for momentum and Adam."
            ),
            Some(Optimizer::WithState) => format!(
                "{once}: momentum, moments and the step that a schedule counts are those of the first call in all later ones, so that the model trains otherwise. Nothing says so before a batch of another size{other}: that is traced again, and raises for momentum and moments."
            ),
            None => format!(
                "{once}: with momentum, Adam or a schedule all later calls go on from there, so that the model trains otherwise; plain SGD loses only its step counter. Nothing says so before a batch of another size{other}: that is traced again, and raises for momentum and Adam."
            ),
        }
    }

    /// What the optimizer called `object` keeps, as far as the scope that compiles shows.
    fn optimizer(&self, object: &str) -> Option<Optimizer> {
        let outer = &self.site.outer;
        let graph = &outer.analysis.graph;
        let value = outer.value_of(object, self.site.function.range().end())?;
        let (Op::Apply | Op::Call(..), operands) = graph.get(value) else { return None };
        let name = graph.path(operands[0])?.strip_prefix("mlx.optimizers.")?;
        let is_constant = |&v: &ValueId| match graph.get(v) {
            (Op::Keyword(keyword), &[value]) => graph.name(keyword) == "learning_rate" && graph.number(value).is_some(),
            _ => graph.number(v).is_some(),
        };
        let is_plain = name.ends_with("SGD") && operands.len() == 2 && operands[1..].iter().all(is_constant);
        Some(if is_plain { Optimizer::WithoutState } else { Optimizer::WithState })
    }

    /// What to list, and how, so that `change` is seen in each call.
    fn what_to_list(&self, change: &Change<'x>) -> String {
        let Change { object, how, .. } = change;
        let owner = object.rsplit_once('.').map(|(owner, _)| owner);
        let is_array = *how == How::Item && self.is_array(change);
        let listed = match (how, owner) {
            (How::Update, _) => format!("`state = [..., {object}.state]`"),
            (How::Attribute, Some(owner)) => attributes(owner),
            (How::Item, Some(owner)) if is_array => attributes(owner),
            (How::Item, _) if !is_array => format!("`state = [..., {object}]`"),
            // Of a list that holds an array, another array is made in its place.
            _ => {
                return format!(
                    "Keep it in a list, and read and change it there: `state = [{object}]` and `@partial(mx.compile, inputs=state, outputs=state)`, with `state[0]` in place of `{object}`."
                );
            }
        };
        format!(
            "List its state both ways: {listed} and `@partial(mx.compile, inputs=state, outputs=state)`; the same list belongs in the `mx.eval` of the step."
        )
    }

    /// Whether the object of `change`, whose item is assigned, is an array.
    fn is_array(&self, change: &Change<'x>) -> bool {
        let site = self.site;
        let Expr::Subscript(item) = change.expr else { return false };
        let facts = Facts::anywhere(site.inner.analysis);
        match &*item.value {
            Expr::Name(name) => self.kind(&name.id) == Kind::Array,
            object => site.inner.value(object).is_some_and(|v| facts.kind(v) == Kind::Array),
        }
    }

    /// What the name `name` of a scope around holds in the end, as far as that scope shows.
    fn kind(&self, name: &str) -> Kind {
        let analysis = self.site.outer.analysis;
        let holder = self.scopes.holder(self.site.outer.body.function, name);
        let value = || {
            let body = body_of(analysis, holder)?;
            body.value_of(analysis.graph.known_symbol(name)?, body.range.end())
        };
        value().map_or(Kind::Unknown, |v| Facts::anywhere(analysis).kind(v))
    }

    /// A name of a scope around that the function reads, and that gets another value after it was compiled.
    fn rebound(&self) -> Option<Told> {
        let site = self.site;
        let inputs = site.listed("inputs", 1);
        let mut found: Option<(String, TextRange, TextRange)> = None;
        site.expressions(&mut |expr| {
            let Expr::Name(name) = expr else { return };
            if found.is_some() || !name.ctx.is_load() || !site.is_captured(&name.id) || inputs.is_unclear || inputs.has(&name.id) {
                return;
            }
            let later = self.assigned_later(&name.id).or_else(|| self.changed_elsewhere(&name.id));
            found = later.map(|later| (name.id.to_string(), name.range, later));
        });
        let (name, range, later) = found?;
        let row = site.outer.source().location(later.start()).row;
        Some(Told {
            range,
            message: format!("the compiled `{}` reads `{name}` when it is traced, and does not see what line {row} assigns", site.function.name),
            rationale: vec![
                format!("`{name}` is read 1 time, in the first call: what is assigned later is used by no call."),
                format!(
                    "Pass `{name}` as an argument, an array if it is a number; or keep it in a list or dictionary that `inputs` names, and change it there."
                ),
            ],
        })
    }

    /// Where the scope that compiles assigns to its name `name` once more.
    fn assigned_later(&self, name: &str) -> Option<TextRange> {
        let site = self.site;
        let body = site.outer.body;
        let made = site.function.range().end().max(site.compiled.range.end());
        let symbol = site.outer.analysis.graph.known_symbol(name)?;
        let assigned: Vec<&Statement> =
            site.outer.definitions_of(symbol).filter_map(|(_, d)| Some(&body.statements[d.statement? as usize])).collect();
        // A name that is given its one value before the first call is read with that value.
        let again = |s: &Statement| body.blocks[s.block as usize].loop_depth > 0 || assigned.iter().any(|a| a.range.start() < made);
        assigned.iter().find(|s| s.range.start() > made && again(s)).map(|s| s.range)
    }

    /// Where another function gives the name `name` of a scope around another value, or writes into the array that it holds. What has no value before that,
    /// or is no array and no number, may well be set once before the first call.
    fn changed_elsewhere(&self, name: &str) -> Option<TextRange> {
        let holder = self.scopes.holder(self.site.outer.body.function, name);
        let is_it = |w: &&Write| w.holder == holder && !self.site.function.range().contains_range(w.range);
        let kind = self.kind(name);
        let counts = |w: &&Write| kind == Kind::Array || kind.is_number() && !w.is_into;
        self.scopes.writes(name).iter().filter(is_it).find(counts).map(|w| w.range)
    }
}

/// The attributes of `owner` as state.
fn attributes(owner: &str) -> String {
    format!("`state = [..., {owner}.state]` where `{owner}` is a module, `state = [..., vars({owner})]` where it is not,")
}

/// Whether the list names `object`, or all that something around it holds.
fn holds(list: &Listed, object: &str) -> bool {
    let mut owners = object.match_indices('.').map(|(at, _)| &object[..at]);
    list.has(object) || owners.any(|owner| list.has(&format!("{owner}.state")))
}
