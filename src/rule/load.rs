//! A rule file becomes a [`Rule`]: its patterns are lowered by the same code as the programs they are matched against. A file that is no rule gives an
//! error at its line.

use rustc_hash::FxHashMap;

use super::about::{About, Matches, Need, Slower, about, strings};
use super::guard::Condition;
use super::template::Template;
use super::{form, import, reach};
use crate::finding::{Numerics, TransformId};
use crate::graph::Analysis;
use crate::graph::body::Effect;
use crate::graph::facts::{Facts, Kind};
use crate::graph::modules::annotated;
use crate::graph::value::{Graph, Op, Symbol, ValueId};
use crate::syntax::ast::{self, Expr, Stmt};
use crate::syntax::{Location, Ranged, Source, TextSize};

/// A rewrite rule.
pub struct Rule {
    /// Its name.
    pub id: TransformId,
    /// What it says of itself.
    pub about: About,
    /// The patterns, and what each becomes.
    pub variants: Vec<Variant>,
    /// The operations that a match of any pattern may have at its root.
    pub heads: Vec<Op>,
    /// The values of all patterns and replacements.
    pub graph: Graph,
}

/// One pattern of a rule.
pub struct Variant {
    /// The name of its function: `before`, `before_upcast`.
    pub name: String,
    /// What is looked for.
    pub pattern: ValueId,
    /// The operations that a match may have at its root: the test that nearly every value of a program fails.
    pub heads: Vec<Op>,
    /// The wildcards: what stands for each in the pattern, its name and what it must be.
    pub wildcards: Vec<Wildcard>,
    /// What the pattern calls its parts, for sentences about them.
    pub names: FxHashMap<ValueId, String>,
    /// What it becomes, as a value.
    pub after: ValueId,
    /// For each parameter of the replacement: the node that stands for it, and its default.
    pub parameters: Vec<(String, ValueId, Option<ValueId>)>,
    /// What it becomes, as text.
    pub template: Template,
    /// The function of `mlx.core` that the replacement calls first, by its name below `mlx.core`.
    pub callee: Option<String>,
    /// When it may be applied.
    pub guard: Option<Condition>,
    /// What it does to the numbers.
    pub numerics: Numerics,
    /// Where what it matches may be used; anywhere if there is no list.
    pub uses: Option<Uses>,
}

/// The uses of a value in which its replacement does as well, although it is another sort of thing.
pub struct Uses {
    /// The node that stands for the value.
    pub subject: ValueId,
    /// All wildcards, the value among them.
    pub wildcards: Vec<Wildcard>,
    /// The uses.
    pub patterns: Vec<ValueId>,
}

impl Variant {
    /// The place of the wildcard that `pattern` is.
    pub(super) fn wildcard(&self, pattern: ValueId) -> Option<usize> {
        self.wildcards.iter().position(|w| w.value == pattern)
    }
}

/// A parameter of a pattern.
#[derive(Clone, Debug)]
pub struct Wildcard {
    /// Its name.
    pub name: String,
    /// The node that stands for it.
    pub value: ValueId,
    /// What its annotation demands.
    pub kind: Kind,
    /// The modules of `mlx.nn` of which its annotation demands one; empty if it demands none.
    pub modules: Vec<String>,
}

/// Why a file is not a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleError {
    /// Where.
    pub location: Location,
    /// What is wrong.
    pub message: String,
}

impl std::fmt::Display for RuleError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}: {}", self.location.row, self.location.column, self.message)
    }
}

impl std::error::Error for RuleError {}

/// Read the rule in `text`.
pub fn load(id: &TransformId, text: &str) -> Result<Rule, RuleError> {
    let source = Source::parse(text).map_err(|e| RuleError { location: e.location, message: e.message })?;
    form::check(&source).map_err(|(at, message)| RuleError { location: source.location(at), message })?;
    let analysis = Analysis::new(&source, Graph::default());
    let loader = Loader { source: &source, analysis: &analysis };
    let about = about(&source);
    let numerics = loader.numerics()?;
    loader.check_places("slower", |place, what| Slower::read(place, what).map(|slower| slower.at))?;
    loader.check_places("needs", |place, what| Need::read(place, what).map(|need| need.at))?;
    let mut variants = Vec::new();
    let befores: Vec<_> = loader.befores().collect();
    for &function in &befores {
        variants.push(loader.variant(function, &numerics)?);
    }
    if variants.is_empty() {
        return Err(loader.error(TextSize::new(0), "a rule needs a function `before`".to_owned()));
    }
    let mut heads: Vec<Op> = Vec::new();
    for &head in variants.iter().flat_map(|v| &v.heads) {
        if !heads.contains(&head) {
            heads.push(head);
        }
    }
    let looped = variants.iter().zip(befores).find(|(v, _)| rewrites_to_itself(v, &analysis.graph)).map(|(_, f)| f.start());
    if let Some(at) = looped {
        let message = "what this finds is what it makes of it: the rule would never end".to_owned();
        return Err(RuleError { location: source.location(at), message });
    }
    Ok(Rule { id: id.clone(), about, variants, heads, graph: analysis.graph })
}

struct Loader<'a> {
    source: &'a Source<'a>,
    analysis: &'a Analysis<'a>,
}

impl<'a> Loader<'a> {
    fn error(&self, at: TextSize, message: String) -> RuleError {
        RuleError { location: self.source.location(at), message }
    }

    fn functions(&self) -> impl Iterator<Item = &'a ast::StmtFunctionDef> {
        self.source.module().body.iter().filter_map(Stmt::as_function_def_stmt)
    }

    fn befores(&self) -> impl Iterator<Item = &'a ast::StmtFunctionDef> {
        self.functions().filter(|f| f.name.as_str() == "before" || f.name.starts_with("before_"))
    }

    fn function(&self, name: &str) -> Option<&'a ast::StmtFunctionDef> {
        self.functions().find(|f| f.name.as_str() == name)
    }

    /// The function for a variant: `after_cast_mask`, or else `after_cast`, or else `after`.
    fn nearest(&self, kind: &str, suffix: &str) -> Option<&'a ast::StmtFunctionDef> {
        let mut suffix = suffix;
        loop {
            match self.function(&format!("{kind}{suffix}")) {
                None if !suffix.is_empty() => suffix = suffix.rsplit_once('_').map_or("", |(shorter, _)| shorter),
                found => return found,
            }
        }
    }

    /// The class of each pattern, from the module's `numerics = {..}`.
    fn numerics(&self) -> Result<FxHashMap<&'a str, Numerics>, RuleError> {
        let mut classes = FxHashMap::default();
        let assigned = self.source.module().body.iter().filter_map(Stmt::as_assign_stmt);
        for assign in assigned.filter(|a| matches!(&a.targets[..], [Expr::Name(n)] if n.id.as_str() == "numerics")) {
            let Expr::Dict(dict) = &*assign.value else { return Err(self.error(assign.start(), "`numerics` must be a dict of strings".to_owned())) };
            for item in &dict.items {
                let (Some(Expr::StringLiteral(key)), Expr::StringLiteral(value)) = (&item.key, &item.value) else {
                    return Err(self.error(item.value.start(), "`numerics` must be a dict of strings".to_owned()));
                };
                let key_text = key.value.to_str();
                if !self.befores().any(|f| f.name.as_str() == key_text) {
                    return Err(self.error(key.start(), format!("`numerics` speaks of `{key_text}`, which is no pattern of this file")));
                }
                let text = value.value.to_str();
                let Some(class) = Numerics::parse(text) else {
                    let message = "a numerics class is one of: exact, rounding, more precise, less precise".to_owned();
                    return Err(self.error(item.value.start(), message));
                };
                classes.insert(key_text, class);
            }
        }
        Ok(classes)
    }

    /// Each key of the dict `setting` can be read, and each wildcard in it is one of a pattern.
    fn check_places(&self, setting: &str, read: impl Fn(&str, &str) -> Result<Matches, String>) -> Result<(), RuleError> {
        let assigned = self.source.module().body.iter().filter_map(Stmt::as_assign_stmt);
        for assign in assigned.filter(|a| matches!(&a.targets[..], [Expr::Name(n)] if n.id.as_str() == setting)) {
            let dict = assign.value.as_dict_expr().filter(|dict| strings(dict).count() == dict.items.len());
            let dict = dict.ok_or_else(|| self.error(assign.start(), format!("`{setting}` must be a dict of strings")))?;
            for (item, (place, what)) in dict.items.iter().zip(strings(dict)) {
                let at = read(place, what).map_err(|message| self.error(item.value.start(), message))?;
                let is_wildcard = |name: &str| self.befores().any(|f| f.parameters.includes(name));
                if let Some(name) = at.names().into_iter().find(|name| !is_wildcard(name)) {
                    return Err(self.error(item.value.start(), format!("`{setting}` speaks of `{name}`, which is no parameter of a pattern")));
                }
            }
        }
        Ok(())
    }

    fn returned_expression(&self, function: &'a ast::StmtFunctionDef) -> Result<&'a Expr, RuleError> {
        let mut body = function.body.iter().filter(|s| !matches!(s, Stmt::Expr(e) if e.value.is_string_literal_expr()));
        match (body.next(), body.next()) {
            (Some(Stmt::Return(ast::StmtReturn { value: Some(value), .. })), None) => Ok(value),
            _ => Err(self.error(function.start(), format!("`{}` must be one `return` of an expression", function.name))),
        }
    }

    /// The value that a function returns.
    fn returned_value(&self, function: &ast::StmtFunctionDef) -> Result<ValueId, RuleError> {
        let body = self.analysis.bodies.iter().find(|b| b.range == function.range);
        let mut returned = body.into_iter().flat_map(|b| &b.effects).filter_map(|e| match *e {
            Effect::Return(value) => Some(value),
            _ => None,
        });
        match (returned.next(), returned.next()) {
            (Some(value), None) => Ok(value),
            _ => Err(self.error(function.start(), format!("`{}` must return once", function.name))),
        }
    }

    /// The local names of a pattern, by what they hold: `mean_square` is called "mean square".
    fn names(&self, before: &ast::StmtFunctionDef, wildcards: &[Wildcard]) -> FxHashMap<ValueId, String> {
        let body = self.analysis.bodies.iter().find(|b| b.range == before.range);
        let held = body.into_iter().flat_map(|b| b.held(before.end()));
        let words = held.map(|(name, value)| (value, self.analysis.graph.name(name).replace('_', " ")));
        // A letter is no word.
        words.filter(|(value, name)| name.len() > 2 && !wildcards.iter().any(|w| w.value == *value)).collect()
    }

    /// The node for each parameter of a function.
    fn parameters(&self, function: &'a ast::StmtFunctionDef) -> Vec<(&'a ast::ParameterWithDefault, Option<ValueId>)> {
        let graph = &self.analysis.graph;
        let scope = graph.known_symbol(&function.name);
        let node = |name: &str| -> Option<ValueId> {
            let leaf: (Symbol, Symbol) = (scope?, graph.known_symbol(name)?);
            graph.find_leaf(Op::Param(leaf.0, leaf.1))
        };
        function.parameters.iter_non_variadic_params().map(|p| (p, node(&p.parameter.name))).collect()
    }

    fn variant(&self, before: &'a ast::StmtFunctionDef, numerics: &FxHashMap<&str, Numerics>) -> Result<Variant, RuleError> {
        let suffix = before.name.strip_prefix("before").unwrap_or_default();
        let class = numerics.get(before.name.as_str()).copied();
        let class =
            class.ok_or_else(|| self.error(before.name.start(), format!("`numerics` does not say what `{}` does to the numbers", before.name)))?;
        let after = self.nearest("after", suffix);
        let after = after.ok_or_else(|| self.error(before.start(), "a rule needs a function `after`".to_owned()))?;
        let pattern = self.pattern(before)?;
        let wildcards = self.wildcards(before);
        let parameters = self.after_parameters(before, after, pattern, &wildcards)?;
        let names: Vec<&str> = parameters.iter().map(|(n, ..)| n.as_str()).collect();
        let template = Template::read(self.returned_expression(after)?, &names, self.source);
        let after_value = self.returned_value(after)?;
        let uses = self.uses(suffix)?;
        let asked: Vec<Wildcard> = wildcards.iter().chain(uses.iter().flat_map(|u| &u.wildcards)).cloned().collect();
        let guard = self.guard(suffix, &asked)?;
        Ok(Variant {
            name: before.name.to_string(),
            heads: heads(&self.analysis.graph, pattern),
            pattern,
            names: self.names(before, &wildcards),
            wildcards,
            after: after_value,
            parameters,
            template,
            callee: callee(&self.analysis.graph, after_value),
            guard,
            numerics: class,
            uses,
        })
    }

    /// The uses that a variant allows of what it matches: what `uses` returns a list of, for its first parameter.
    fn uses(&self, suffix: &str) -> Result<Option<Uses>, RuleError> {
        let Some(function) = self.function(&format!("uses{suffix}")) else { return Ok(None) };
        let graph = &self.analysis.graph;
        let subject = self.parameters(function).first().and_then(|&(_, node)| node);
        match (subject, graph.get(self.returned_value(function)?)) {
            (Some(subject), (Op::List, patterns)) => Ok(Some(Uses { subject, wildcards: self.wildcards(function), patterns: patterns.to_vec() })),
            _ => Err(self.error(function.start(), format!("`{}` must return a list of uses of its first parameter", function.name))),
        }
    }

    /// What `before` looks for. It must be a value, and say something.
    fn pattern(&self, before: &'a ast::StmtFunctionDef) -> Result<ValueId, RuleError> {
        let pattern = self.returned_value(before)?;
        let body = self.analysis.bodies.iter().find(|b| b.range == before.range);
        if body.is_some_and(|b| b.effects.iter().any(|e| !matches!(e, Effect::Return(_)))) {
            let message =
                format!("`{}` must compute a value and do nothing else: no `mx.eval`, no unknown calls, no assignment to parts", before.name);
            return Err(self.error(before.start(), message));
        }
        match reach::too_general(&self.analysis.graph, pattern) {
            Some(why) => Err(self.error(before.start(), format!("`{}` {why}", before.name))),
            None => Ok(pattern),
        }
    }

    fn wildcards(&self, before: &'a ast::StmtFunctionDef) -> Vec<Wildcard> {
        let facts = Facts::anywhere(self.analysis);
        let wildcard = |(p, value): (&ast::ParameterWithDefault, Option<ValueId>)| {
            let kind = p.parameter.annotation.as_deref().map_or(Kind::Unknown, |a| facts.annotation(a));
            let modules = p.parameter.annotation.as_deref().map(|a| annotated(a, &self.analysis.definitions, &self.analysis.graph));
            Some(Wildcard { name: p.parameter.name.to_string(), value: value?, kind, modules: modules.unwrap_or_default() })
        };
        self.parameters(before).into_iter().filter_map(wildcard).collect()
    }

    /// The parameters of `after`, each of which every reading of the pattern binds, unless it has a default.
    fn after_parameters(
        &self,
        before: &'a ast::StmtFunctionDef,
        after: &'a ast::StmtFunctionDef,
        pattern: ValueId,
        wildcards: &[Wildcard],
    ) -> Result<Vec<(String, ValueId, Option<ValueId>)>, RuleError> {
        let always = reach::always_bound(&self.analysis.graph, pattern);
        let mut parameters = Vec::new();
        for (parameter, value) in self.parameters(after) {
            let name = parameter.parameter.name.to_string();
            let default = parameter.default.as_deref().and_then(|d| self.constant(d));
            if parameter.default.is_some() && default.is_none() {
                return Err(self.error(parameter.start(), format!("the default of `{name}` must be a number, a truth value or None")));
            }
            let wildcard = wildcards.iter().find(|w| w.name == name);
            if default.is_none() && wildcard.is_none() {
                return Err(self.error(parameter.start(), format!("`{name}` is bound by no parameter of `{}`", before.name)));
            }
            if default.is_none() && wildcard.is_some_and(|w| !always.contains(&w.value)) {
                let message = format!("`{name}` is not bound by every alternative of `{}`, so it needs a default here", before.name);
                return Err(self.error(parameter.start(), message));
            }
            if let Some(value) = value {
                parameters.push((name, value, default));
            }
        }
        Ok(parameters)
    }

    /// The guard of a variant: its own, or the nearest; a guard may call another. What it asks about must be bound, for nothing is known of what is not there.
    fn guard(&self, suffix: &str, wildcards: &[Wildcard]) -> Result<Option<Condition>, RuleError> {
        let Some(function) = self.nearest("guard", suffix) else { return Ok(None) };
        let unbound = |p: &&ast::ParameterWithDefault| p.default.is_none() && !wildcards.iter().any(|w| w.name == p.parameter.name.as_str());
        if let Some(parameter) = function.parameters.iter_non_variadic_params().find(unbound) {
            let message = format!("`{}` is bound by no parameter of `before{suffix}`", parameter.parameter.name);
            return Err(self.error(parameter.start(), message));
        }
        let named = |name: &str| self.function(name).and_then(|f| Some((f, self.returned_expression(f).ok()?)));
        let condition = Condition::read(self.returned_expression(function)?, self.source, &named);
        condition.map(Some).map_err(|(at, message)| self.error(at, message))
    }

    /// The node for a constant default; every constant of a default was lowered with the module.
    fn constant(&self, default: &Expr) -> Option<ValueId> {
        let graph = &self.analysis.graph;
        match default {
            Expr::NoneLiteral(_) => graph.find_leaf(Op::None),
            Expr::NumberLiteral(n) => match &n.value {
                ast::Number::Int(i) => graph.find_leaf(Op::Int(i.as_i64()?)),
                ast::Number::Float(x) => graph.find_leaf(Op::Float(x.to_bits())),
                ast::Number::Complex { .. } => None,
            },
            Expr::BooleanLiteral(b) => graph.find_leaf(Op::Bool(b.value)),
            _ => None,
        }
    }
}

/// Whether the replacement of `variant`, of what its pattern stands for, is found by the pattern as it is.
fn rewrites_to_itself(variant: &Variant, rule: &Graph) -> bool {
    let mut graph = Graph::default();
    let scope = graph.symbol(&variant.name);
    let (mut of_before, mut of_after) = (FxHashMap::default(), FxHashMap::default());
    for wildcard in &variant.wildcards {
        let name = graph.symbol(&wildcard.name);
        let leaf = graph.leaf(Op::Param(scope, name));
        of_before.insert(wildcard.value, leaf);
        of_after.extend(variant.parameters.iter().filter(|(n, ..)| *n == wildcard.name).map(|&(_, node, _)| (node, leaf)));
    }
    let before = import(rule, variant.pattern, &mut graph, &mut of_before);
    let after = import(rule, variant.after, &mut graph, &mut of_after);
    reach::reads_as(&graph, before, after)
}

/// The function of `mlx.core` at the root of `value`, casts of its result left out.
fn callee(graph: &Graph, value: ValueId) -> Option<String> {
    match graph.get(value) {
        (Op::Mlx("astype"), operands) => callee(graph, operands[0]),
        // Something may be added to what it gives.
        (Op::Add, operands) => operands.iter().find_map(|&v| callee(graph, v)),
        (Op::Mlx(name), _) => Some(name.to_owned()),
        _ => None,
    }
}

/// The operations that may stand at the root of what `pattern` matches.
fn heads(graph: &Graph, pattern: ValueId) -> Vec<Op> {
    match graph.op(pattern) {
        Op::AnyOf => graph.operands(pattern).iter().flat_map(|&p| heads(graph, p)).collect(),
        // x * s also matches x / n.
        Op::Mul => vec![Op::Mul, Op::Div],
        // mx.array(c) also matches mx.sqrt(n) and 1 / mx.sqrt(n) of numbers.
        Op::Mlx("array") => vec![Op::Mlx("array"), Op::Mlx("sqrt"), Op::Mlx("rsqrt"), Op::Div],
        Op::Index(_) => vec![Op::Index(0)],
        op => vec![op],
    }
}
