//! `mx.compile` in code that runs again and again: each time a function is compiled anew, and what it had compiled before is lost.
//!
//! A decorator inside a function that a loop calls is as much in that loop as a call in its body. What is stored for later, compiled once for each of several
//! functions, or compiled in a function that runs once, is as it should be.

use crate::finding::{Finding, Notes, TransformId};
use crate::graph::Analysis;
use crate::graph::calls;
use crate::graph::definitions::FunctionIndex;
use crate::place::Place;
use crate::syntax::ast::visitor::source_order::{self, SourceOrderVisitor};
use crate::syntax::ast::{Expr, ExprCall, Stmt};
use crate::syntax::{Ranged, TextRange};

use super::Told;
use super::compiled::{self, Site};
use super::draws::{is_without_draws, may_draw};

/// What a trace costs where the calls after it are many.
const TRACE: &str = "Measured of a training step of ResNet-20: 15 to 25 ms for a trace whose kernels are built already (2 cores of an x86-64, MLX 0.32.4); that is what is gained.";

/// Find the compilations that are thrown away.
pub fn find(analysis: &Analysis<'_>, id: &TransformId, notes: &Notes) -> Vec<Finding> {
    let mut told = compiled::each(analysis, notes, |site| of_function(analysis, site).into_iter().collect());
    told.extend(called_at_once(analysis, notes));
    let mut told: Vec<Told> = told;
    told.sort_by_key(|t| (t.range.start(), t.range.end()));
    told.dedup_by_key(|t| t.range);
    told.into_iter().map(|t| t.finding(id)).collect()
}

/// The function of the file that is compiled at `site`, if that happens again and again.
fn of_function(analysis: &Analysis<'_>, site: &Site<'_>) -> Option<Told> {
    let outer = &site.outer;
    let left = |reason: String| outer.notes.left(site.range(), site.range(), 100, || reason);
    let Some(index) = outer.body.function else {
        return left("it is compiled where the module is made, once".to_owned());
    };
    // What is called at once is told by itself, and what is handed on may be kept.
    let name = site.name()?;
    let depth = block_depth(outer, site.function.range(), site.compiled.range);
    if depth > 0 {
        return Some(told(analysis, site, name, "in each round of the loop around it", None));
    }
    if is_kept(outer.own_statements(), name, site.compiled.range) {
        return left(format!("`{name}` is kept for later calls"));
    }
    match again(analysis, index, 0) {
        Some(by) => Some(told(analysis, site, name, &by, Some(index))),
        None => left(format!("`{}` is not seen to be called more than once", analysis.definitions.functions[index].ast.name)),
    }
}

/// What is told of the function called `name` that is compiled at `site` again and again, in the function number `owner` or in a loop.
fn told(analysis: &Analysis<'_>, site: &Site<'_>, name: &str, when: &str, owner: Option<FunctionIndex>) -> Told {
    let owner = owner.map(|index| (index, analysis.definitions.functions[index].ast.name.as_str()));
    let out = owner.map_or("out of the loop".to_owned(), |(_, owner)| format!("out of `{owner}`"));
    // A loop of the function around calls what was compiled before it.
    let rounds = owner.filter(|&(index, _)| site.calls().iter().any(|c| c.by == Some(index) && c.in_loop));
    let cost = match rounds {
        Some((_, owner)) => {
            format!(
                "1 trace for each call of `{owner}`, however many rounds its own loop has: what `mx.compile` has compiled belongs to the function it returned."
            )
        }
        None => "1 trace and compilation each time, where 1 in all would do: what `mx.compile` has compiled belongs to the function it returned."
            .to_owned(),
    };
    let mut rationale = Vec::new();
    // Wrong numbers come before lost time.
    if !site.lists_random_state() && may_draw(analysis, site.function, 0) {
        let now = rounds.map_or(String::new(), |(_, owner)| format!("serves a whole call of `{owner}` now, and "));
        rationale.push(format!(
            "List `mx.random.state` in its `inputs` and `outputs` first: what `{name}` calls may draw random numbers, as dropout does, and without it they are drawn once in each trace. The mask of a dropout {now}would serve for ever where `{name}` is compiled once."
        ));
    }
    rationale.push(cost);
    rationale.push(format!(
        "Move the function {out}, to where it is made once; what differs from call to call it takes as arrays, and state that it changes stands in `inputs` and `outputs`."
    ));
    rationale.extend(rounds.map(|_| TRACE.to_owned()));
    Told { range: site.range(), message: format!("`{name}` is compiled anew {when}"), rationale }
}

/// How the calls of function number `index` repeat, in words; `None` where they are not seen to.
fn again(analysis: &Analysis<'_>, index: FunctionIndex, depth: u32) -> Option<String> {
    let info = &analysis.definitions.functions[index];
    let name = info.ast.name.as_str();
    let is_cached = info.ast.decorator_list.iter().any(|d| analysis.source.slice(d.expression.range()).contains("cache"));
    if is_cached {
        return None;
    }
    if let Some(class) = info.class
        && name == "__call__"
        && analysis.classes.base(class) == Some("Module")
    {
        return Some("in each call of the module".to_owned());
    }
    let calls = calls::of_function(analysis, index);
    if let Some(looped) = calls.iter().find(|c| c.in_loop) {
        let by = looped.by.map_or("the module".to_owned(), |f| format!("`{}`", analysis.definitions.functions[f].ast.name));
        return Some(format!("in each call of `{name}`, which {by} calls in a loop"));
    }
    // A helper of something that is called in a loop.
    let callers = calls.iter().filter_map(|c| c.by).filter(|&by| by != index && depth < 2);
    callers.into_iter().find_map(|by| again(analysis, by, depth + 1))
}

/// `mx.compile(f)(x)` in a function: compiled for one call, and then lost.
fn called_at_once(analysis: &Analysis<'_>, notes: &Notes) -> Vec<Told> {
    let mut found = Vec::new();
    for compiled in analysis.compiled().iter().filter(|c| !c.is_decorator) {
        let body = &analysis.bodies[compiled.scope];
        let place = Place::new(analysis, body, notes);
        let mut at_once = AtOnce { range: compiled.range, call: None };
        at_once.visit_body(place.own_statements());
        let Some(at_once) = at_once.call else {
            notes.left::<()>(compiled.range, compiled.range, 60, || "what is compiled is kept".to_owned());
            continue;
        };
        let call = at_once.range();
        let text = analysis.source.quote(compiled.range);
        let depth = block_depth(&place, call, call);
        let again = body.function.and_then(|index| again(analysis, index, 0));
        if depth == 0 && again.is_none() && body.function.is_none() {
            notes.left::<()>(call, call, 100, || "the module calls it once".to_owned());
            continue;
        }
        let mut keep = "Keep what `mx.compile` returns in a name of the module, or in an attribute that `__init__` sets, and call that".to_owned();
        let listed = text.contains("random.state");
        if !listed && at_once.func.as_call_expr().is_none_or(|compile| compiles_draws(analysis, compile)) {
            keep +=
                "; list `mx.random.state` in `inputs` and `outputs` then if it draws random numbers, as dropout does, for they would be drawn once";
        }
        found.push(Told {
            range: call,
            message: format!("`{text}` compiles for one call, and what is compiled is lost after it"),
            rationale: vec!["1 trace and compilation a call, which costs more than the call itself saves.".to_owned(), keep + "."],
        });
    }
    found
}

/// Whether what the call `compile` of `mx.compile` compiles may draw random numbers.
fn compiles_draws(analysis: &Analysis<'_>, compile: &ExprCall) -> bool {
    let (definitions, graph) = (&analysis.definitions, &analysis.graph);
    let Some(given) = compile.arguments.args.first() else { return true };
    if let Some(path) = definitions.import_path(given, graph) {
        return !is_without_draws(&path);
    }
    let index = given.as_name_expr().and_then(|name| definitions.function_named(graph.known_symbol(&name.id)?));
    index.is_none_or(|index| may_draw(analysis, definitions.functions[index].ast, 0))
}

/// The call of what the call with the text `range` returns.
struct AtOnce<'x> {
    range: TextRange,
    call: Option<&'x ExprCall>,
}

impl<'x> SourceOrderVisitor<'x> for AtOnce<'x> {
    fn visit_expr(&mut self, expr: &'x Expr) {
        if let Expr::Call(call) = expr
            && call.func.range() == self.range
        {
            self.call = Some(call);
        }
        source_order::walk_expr(self, expr);
    }
}

/// In how many loops of the scope the statement or expression `range`, or failing that `other`, stands.
fn block_depth(place: &Place<'_>, range: TextRange, other: TextRange) -> u32 {
    let statements = place.body.statements.iter().filter(|s| s.range == range || s.range.contains_range(other));
    let innermost = statements.min_by_key(|s| s.range.len());
    innermost.map_or(0, |s| place.body.blocks[s.block as usize].loop_depth)
}

/// Whether `body` returns the function called `name`, stores it in something, or declares that the name belongs to a scope around.
fn is_kept(body: &[Stmt], name: &str, compiled: TextRange) -> bool {
    let mut kept = Kept { name, compiled, found: false };
    kept.visit_body(body);
    kept.found
}

struct Kept<'n> {
    name: &'n str,
    compiled: TextRange,
    found: bool,
}

impl Kept<'_> {
    fn mentions(&self, expr: &Expr) -> bool {
        let mut mentions = Mentions { name: self.name, compiled: self.compiled, found: false };
        mentions.visit_expr(expr);
        mentions.found
    }
}

impl<'x> SourceOrderVisitor<'x> for Kept<'_> {
    fn visit_stmt(&mut self, statement: &'x Stmt) {
        self.found |= match statement {
            Stmt::Return(s) => s.value.as_deref().is_some_and(|v| self.mentions(v)),
            Stmt::Assign(s) => s.targets.iter().any(|t| !t.is_name_expr()) && self.mentions(&s.value),
            Stmt::Global(s) => s.names.iter().any(|n| n.as_str() == self.name),
            Stmt::Nonlocal(s) => s.names.iter().any(|n| n.as_str() == self.name),
            _ => false,
        };
        source_order::walk_stmt(self, statement);
    }
}

/// Whether an expression hands a function on, other than by calling it.
struct Mentions<'n> {
    name: &'n str,
    compiled: TextRange,
    found: bool,
}

impl<'x> SourceOrderVisitor<'x> for Mentions<'_> {
    fn visit_expr(&mut self, expr: &'x Expr) {
        match expr {
            Expr::Call(call) if call.func.as_name_expr().is_some_and(|n| n.id.as_str() == self.name) => {
                call.arguments.iter_source_order().for_each(|a| self.visit_expr(a.value()));
            }
            Expr::Name(name) => self.found |= name.id.as_str() == self.name,
            _ => {
                self.found |= expr.range() == self.compiled;
                source_order::walk_expr(self, expr);
            }
        }
    }
}
