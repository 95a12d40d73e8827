//! The value graph of a file: what it computes, what is known of it, and what has effects. Knows the semantics of Python and MLX; builds no text.

pub mod activations;
mod aliases;
pub mod api;
mod attributes;
pub mod body;
pub mod calls;
pub mod classes;
pub mod compile;
pub mod constants;
pub mod definitions;
pub mod digits;
pub mod dtypes;
pub mod facts;
mod features;
pub mod heads;
mod helpers;
mod lending;
mod lower;
pub mod memo;
pub mod modules;
pub mod names;
pub mod normalize;
pub mod print;
pub mod rotary;
pub mod statements;
mod statics;
pub mod users;
pub mod value;
mod writes;

use std::cell::OnceCell;

use rustc_hash::{FxHashMap, FxHashSet};

use body::Body;
use calls::Calls;
use classes::ClassFacts;
use compile::Compiled;
use definitions::{Definitions, FunctionIndex};
use dtypes::half::Origins;
use dtypes::shown::Shown;
use lower::{Scope, lower_scope};
pub use lower::{is_pure_builtin, lets_pass, sees_names};
use value::{Graph, Op, Symbol, ValueId};

use crate::syntax::{Ranged, Source, TextRange, TextSize, TokenKind};

/// Whether calls of lambdas are followed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lambdas {
    /// A call is what the lambda computes.
    Inlined,
    /// A call is opaque.
    Apart,
}

/// Everything that is known of one file: the one argument that rules, passes and advice receive.
pub struct Analysis<'a> {
    /// The text and tree.
    pub source: &'a Source<'a>,
    /// The values.
    pub graph: Graph,
    /// What the file defines.
    pub definitions: Definitions<'a>,
    /// What `__init__` says of attributes.
    pub classes: ClassFacts,
    /// Every scope, in the order of the text.
    pub bodies: Vec<Body>,
    compiled: OnceCell<Vec<Compiled>>,
    shown: OnceCell<Shown>,
    origins: OnceCell<Origins>,
    joins: OnceCell<FxHashMap<Symbol, Vec<ValueId>>>,
    answers: OnceCell<FxHashSet<String>>,
    calls: OnceCell<Calls>,
}

impl<'a> Analysis<'a> {
    /// Analyse `source`. `graph` is empty, or that of an earlier version of the file, whose values then keep their numbers.
    pub fn new(source: &'a Source<'a>, graph: Graph) -> Self {
        Self::with(source, graph, Lambdas::Inlined)
    }

    /// Analyse `source` with or without following calls of lambdas. Where a lambda's own text was edited, what its callers compute differs from before
    /// although the lambda is as good as it was; kept apart, both can be compared.
    pub fn with(source: &'a Source<'a>, mut graph: Graph, lambdas: Lambdas) -> Self {
        let mut definitions = Definitions::collect(source.module(), &mut graph);
        let mut classes = ClassFacts::default();
        classes.note_receivers(&definitions, &mut graph);
        let mut bodies = Vec::with_capacity(definitions.functions.len() + definitions.classes.len() + 1);
        // What `__init__` says must be known before the other methods are lowered.
        for (index, info) in definitions.functions.iter().enumerate() {
            let (Some(class), "__init__") = (info.class, info.ast.name.as_str()) else { continue };
            let body = lower_scope(source, &definitions, &classes, &mut graph, Scope::Function(index), lambdas);
            classes.note_init(class, &body, &definitions, &graph);
            bodies.push(body);
        }
        classes.note_subclasses(&definitions);
        definitions.note_borrowers(&classes, &graph);
        let done: Vec<_> = bodies.iter().filter_map(|b| b.function).collect();
        bodies.push(lower_scope(source, &definitions, &classes, &mut graph, Scope::Module, lambdas));
        for index in 0..definitions.classes.len() {
            bodies.push(lower_scope(source, &definitions, &classes, &mut graph, Scope::Class(index), lambdas));
        }
        for index in 0..definitions.functions.len() {
            if done.binary_search(&index).is_err() {
                bodies.push(lower_scope(source, &definitions, &classes, &mut graph, Scope::Function(index), lambdas));
            }
        }
        bodies.sort_by_key(|b| (b.range.start(), std::cmp::Reverse(b.range.end())));
        let (compiled, shown, origins, joins, answers, calls) = Default::default();
        Self { source, graph, definitions, classes, bodies, compiled, shown, origins, joins, answers, calls }
    }

    /// The calls of the file, found when they are first asked for.
    fn calls(&self) -> &Calls {
        self.calls.get_or_init(|| Calls::of(&self.source.module().body, &self.definitions))
    }

    /// What `mx.compile` compiles, found when it is first asked for.
    pub fn compiled(&self) -> &[Compiled] {
        self.compiled.get_or_init(|| compile::collect(self.source, &self.definitions, &self.graph, &self.bodies))
    }

    /// What the file shows of dtypes across its functions, found when it is first asked for.
    pub fn shown(&self) -> &Shown {
        self.shown.get_or_init(|| dtypes::shown::shown(self))
    }

    /// Where arrays come from, and what says of them that they are in half precision; found when it is first asked for.
    pub fn origins(&self) -> &Origins {
        self.origins.get_or_init(|| Origins::of(self))
    }

    /// The names of `scope` where control flows together.
    pub fn joins(&self, scope: Symbol) -> &[ValueId] {
        let joins = self.joins.get_or_init(|| {
            let mut joins: FxHashMap<Symbol, Vec<ValueId>> = FxHashMap::default();
            for id in self.graph.ids() {
                if let Op::Phi(scope, ..) = self.graph.op(id) {
                    joins.entry(scope).or_default().push(id);
                }
            }
            joins
        });
        joins.get(&scope).map_or(&[], Vec::as_slice)
    }

    /// The number of the scope of `function`.
    pub fn body_of(&self, function: FunctionIndex) -> Option<usize> {
        let range = self.definitions.functions[function].ast.range;
        // Scopes are in the order of the text.
        let first = self.bodies.partition_point(|body| body.range.start() < range.start());
        let inside = self.bodies[first..].iter().take_while(|body| body.range.start() < range.end());
        inside.into_iter().position(|body| body.function == Some(function)).map(|n| first + n)
    }

    /// The ways to write what an import brought in, by its dotted path, at `at` in `body`: `mx.fast`, or `fast` where that is imported itself.
    pub fn import_spellings(&self, body: &Body, path: &str, at: TextSize) -> Vec<String> {
        let spelt = |name: Symbol, target: &str| {
            let rest = path.strip_prefix(target).filter(|r| r.is_empty() || r.starts_with('.'))?;
            Some(format!("{}{rest}", self.graph.name(name)))
        };
        // A local of the same name hides the import.
        let seen = self.definitions.imports.iter().filter(|&&(name, _)| body.value_of(name, at).is_none() && !self.is_outer_local(body, name));
        let global = seen.filter_map(|&(name, target)| spelt(name, self.graph.name(target)));
        // What holds the thing itself, or a module that has it.
        let around = path.match_indices('.').map(|(dot, _)| &path[..dot]).chain([path]);
        let held = around.flat_map(|target| {
            let value = self.graph.known_symbol(target).and_then(|target| self.graph.find_leaf(Op::Global(target)));
            value.into_iter().flat_map(|value| body.names_of(value, at)).filter_map(move |name| spelt(name, target))
        });
        global.chain(held).collect()
    }

    /// Whether `name`, read in `body`, is a local of a function around it.
    pub fn is_outer_local(&self, body: &Body, name: Symbol) -> bool {
        let mut at = body.function.and_then(|f| self.definitions.functions[f].parent);
        while let Some(function) = at {
            let outer = &self.definitions.functions[function];
            if outer.locals.get().is_none_or(|locals| locals.contains_key(&name)) {
                return true;
            }
            at = outer.parent;
        }
        false
    }

    /// Whether `name` may come to stand for the module `path` in the scope with the text `scope`: nothing there mentions it, but functions that give it
    /// that meaning themselves.
    pub fn may_bind_module(&self, name: &str, path: &str, scope: TextRange) -> bool {
        let symbol = self.graph.known_symbol(name);
        let gives_meaning = |body: &&Body| {
            let held = symbol.and_then(|name| body.timeline.get(&name));
            body.function.is_some() && held.is_some_and(|moments| moments.iter().all(|&(_, v)| self.graph.path(v) == Some(path)))
        };
        let same: Vec<TextRange> = self.bodies.iter().filter(gives_meaning).map(|b| b.range).filter(|&r| r != scope).collect();
        let mut mentions =
            self.source.tokens().in_range(scope).iter().filter(|t| t.kind() == TokenKind::Name && self.source.slice(t.range()) == name);
        mentions.all(|t| same.iter().any(|r| r.contains_range(t.range())))
    }
}
