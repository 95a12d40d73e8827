//! Python to value graph, one scope at a time. Straight-line code and `if` are followed; loops, `try`, unknown calls and in-place changes of what others
//! may hold become opaque, never a guess. Knows Python and MLX semantics, builds no text.

mod arguments;
mod assigned;
mod call;
mod conditions;
mod expr;
mod flow;
mod frame;
mod inline;
mod ownership;
mod proofs;
mod stmt;

pub use call::is_pure_builtin;
pub use flow::lets_pass;

use std::cell::OnceCell;
use std::rc::Rc;

use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;

use super::Lambdas;
use super::body::{Block, BlockId, Body, Definition, DefinitionId, Effect, Occurrence, Proved, StatementId};
use super::classes::ClassFacts;
use super::definitions::{ClassIndex, Definitions, FunctionIndex, ModuleBinding};
use super::names::{locals_of, outer_names};
use super::value::{Graph, Op, Symbol, ValueId};
use super::writes::{Writes, inner_writes};
use crate::syntax::ast::{self, Expr, Stmt};
use crate::syntax::{Ranged, Source, TextRange, TextSize};
use frame::Frame;

/// Expressions nested deeper than this are opaque, so that no input exhausts the stack.
const MAX_DEPTH: u32 = 150;
/// Helpers are inlined into helpers so many times at most.
const MAX_INLINING: u32 = 4;
/// Nodes that inlining may add to one scope; past it calls stay opaque, which keeps lowering linear.
const MAX_INLINED_NODES: usize = 20_000;

/// Which scope of a file is to be lowered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Scope {
    Module,
    Class(ClassIndex),
    Function(FunctionIndex),
}

/// A function around the one being lowered.
struct Enclosing {
    scope: Symbol,
    /// Its names; `true` for a parameter that nothing reassigns.
    locals: Rc<FxHashMap<Symbol, bool>>,
}

/// Everything that lowering one scope needs and makes.
pub(super) struct Lowerer<'a, 'g> {
    source: &'g Source<'a>,
    definitions: &'g Definitions<'g>,
    classes: &'g ClassFacts,
    graph: &'g mut Graph,
    body: Body,
    frames: Vec<Frame>,
    /// How often the heap may have changed: attributes and elements read under one epoch are the same.
    epoch: u32,
    calls: u32,
    opaques: u32,
    joins: u32,
    lambdas: FxHashMap<Symbol, (&'g ast::ExprLambda, usize)>,
    /// How many lambdas with the same parameters there were.
    lambda_counts: FxHashMap<&'g str, u32>,
    inlined: Lambdas,
    /// Names that inner functions read.
    captured: FxHashSet<Symbol>,
    /// Those of them that lambdas alone read.
    read_by_lambdas: FxHashSet<Symbol>,
    /// Names that statements of this scope assign: their values change, unlike those of parameters that are not among them.
    assigned: FxHashSet<Symbol>,
    /// The functions around this one, innermost first.
    enclosing: Vec<Enclosing>,
    /// Values that a container, a call or an attribute may hold: in-place changes of them are seen elsewhere.
    escaped: FxHashSet<ValueId>,
    /// Values of which [`Lowerer::escape_display`] has seen all parts.
    displayed: FxHashSet<ValueId>,
    /// Sums and products that are known to be no display.
    undisplayed: FxHashSet<ValueId>,
    /// Names that inner functions may rebind or change in place at any call.
    volatile: FxHashSet<Symbol>,
    /// Those that they may rebind.
    rebound: FxHashSet<Symbol>,
    /// The joins that are not followed around the present statement: the names that are assigned inside, and the ordinal of each.
    regions: Vec<(Vec<Symbol>, u32)>,
    /// The node of each name at the joins of `regions`.
    joined: FxHashMap<(u32, Symbol), ValueId>,
    /// What was carried to each of those nodes.
    carried: FxHashMap<ValueId, Vec<ValueId>>,
    statement: StatementId,
    block: BlockId,
    inlining: u32,
    inlined_nodes: usize,
    /// Start of the expression of this scope's own text that is being lowered.
    offset: TextSize,
    depth: u32,
}

/// Lower one scope of `source`.
pub(super) fn lower_scope<'a>(
    source: &Source<'a>,
    definitions: &Definitions<'_>,
    classes: &ClassFacts,
    graph: &mut Graph,
    scope: Scope,
    inlined: Lambdas,
) -> Body {
    let (name, range) = match scope {
        Scope::Module => (graph.symbol("<module>"), source.module().range()),
        Scope::Class(index) => (definitions.classes[index].name, definitions.classes[index].ast.range()),
        Scope::Function(index) => (definitions.functions[index].name, definitions.functions[index].ast.range()),
    };
    let (function, class) = match scope {
        Scope::Function(index) => (Some(index), definitions.functions[index].class),
        Scope::Class(index) => (None, Some(index)),
        Scope::Module => (None, None),
    };
    let body = Body {
        name,
        function,
        class,
        range,
        occurrences: Vec::new(),
        statements: Vec::new(),
        blocks: vec![Block { parent: None, owner: None, loop_depth: 0, decided: None }],
        definitions: Vec::new(),
        effects: Vec::new(),
        proofs: Vec::new(),
        proved: OnceCell::new(),
        users: OnceCell::new(),
        marks: OnceCell::new(),
        places: OnceCell::new(),
        fast: OnceCell::new(),
        inlined: Vec::new(),
        inlined_lambdas: Vec::new(),
        captured: FxHashSet::default(),
        timeline: FxHashMap::default(),
    };
    let mut lowerer = Lowerer::new(source, definitions, classes, graph, body, inlined);
    match scope {
        Scope::Module => lowerer.open_scope(&source.module().body, None),
        Scope::Class(index) => lowerer.open_scope(&definitions.classes[index].ast.body, None),
        Scope::Function(index) => lowerer.function(index),
    }
    if function.is_some() {
        let locals = std::mem::take(&mut lowerer.frame().locals);
        lowerer.captured.retain(|name| locals.contains(name));
        lowerer.body.captured = lowerer.captured;
    }
    lowerer.body
}

impl<'a, 'g> Lowerer<'a, 'g> {
    /// A lowerer at the start of the scope that `body` describes.
    fn new(
        source: &'g Source<'a>,
        definitions: &'g Definitions<'g>,
        classes: &'g ClassFacts,
        graph: &'g mut Graph,
        body: Body,
        inlined: Lambdas,
    ) -> Self {
        let offset = body.range.start();
        Self {
            source,
            definitions,
            classes,
            graph,
            body,
            frames: Vec::new(),
            epoch: 0,
            calls: 0,
            opaques: 0,
            joins: 0,
            lambdas: FxHashMap::default(),
            lambda_counts: FxHashMap::default(),
            inlined,
            captured: FxHashSet::default(),
            read_by_lambdas: FxHashSet::default(),
            assigned: FxHashSet::default(),
            enclosing: Vec::new(),
            escaped: FxHashSet::default(),
            displayed: FxHashSet::default(),
            undisplayed: FxHashSet::default(),
            volatile: FxHashSet::default(),
            rebound: FxHashSet::default(),
            regions: Vec::new(),
            joined: FxHashMap::default(),
            carried: FxHashMap::default(),
            statement: 0,
            block: 0,
            inlining: 0,
            inlined_nodes: 0,
            offset,
            depth: 0,
        }
    }

    /// Lower the statements of a module or class, where every name can be seen from outside.
    fn open_scope(&mut self, body: &'g [Stmt], class: Option<ClassIndex>) {
        let mut names = Vec::new();
        locals_of(body, &mut names);
        let locals: FxHashSet<Symbol> = names.into_iter().map(|n| self.graph.symbol(n)).collect();
        self.captured = locals.clone();
        self.assigned = locals.clone();
        self.frames.push(Frame::new(self.body.name, locals, None, class));
        self.statements(body);
    }

    fn function(&mut self, index: FunctionIndex) {
        let info = &self.definitions.functions[index];
        let ast = info.ast;
        let mut names = Vec::new();
        locals_of(&ast.body, &mut names);
        let mut locals: FxHashSet<Symbol> = names.into_iter().map(|n| self.graph.symbol(n)).collect();
        self.assigned = locals.clone();
        self.capture(&ast.body);
        self.enclose(info.parent);
        let scope = self.body.name;
        let mut frame = Frame::new(scope, FxHashSet::default(), None, info.class);
        for parameter in ast.parameters.iter() {
            locals.insert(self.graph.symbol(parameter.name()));
        }
        for name in outer_names(&ast.body) {
            locals.remove(&self.graph.symbol(name));
        }
        frame.locals = locals;
        self.frames.push(frame);
        let start = ast.body.first().map_or(ast.range.start(), Ranged::start);
        for parameter in ast.parameters.iter() {
            let name = self.graph.symbol(parameter.name());
            let value = self.graph.leaf(Op::Param(scope, name));
            self.bind(name, value, None, start);
        }
        self.statements(&ast.body);
    }

    /// Note the names of the functions around this one.
    fn enclose(&mut self, parent: Option<FunctionIndex>) {
        let mut at = parent;
        while let Some(index) = at {
            let info = &self.definitions.functions[index];
            let locals = info.locals.get_or_init(|| {
                let mut names = Vec::new();
                locals_of(&info.ast.body, &mut names);
                let parameters = info.ast.parameters.iter().map(|p| (p.name().as_str(), true));
                Rc::new(parameters.chain(names.into_iter().map(|name| (name, false))).map(|(name, is)| (self.graph.symbol(name), is)).collect())
            });
            self.enclosing.push(Enclosing { scope: info.name, locals: Rc::clone(locals) });
            at = info.parent;
        }
    }

    /// Find the locals that inner functions and lambdas read; assignments to them can be seen later, whenever those run.
    fn capture(&mut self, body: &'g [Stmt]) {
        let mut reader = InnerReads::default();
        body.iter().for_each(|statement| reader.statement(statement));
        let InnerReads { mut names, by_lambdas, by_text, .. } = reader;
        if by_text {
            locals_of(body, &mut names);
        }
        let by_others: FxHashSet<Symbol> = names.into_iter().map(|n| self.graph.symbol(n)).collect();
        self.captured = by_lambdas.into_iter().map(|n| self.graph.symbol(n)).collect();
        self.read_by_lambdas = self.captured.difference(&by_others).copied().collect();
        self.captured.extend(by_others);
        let mut writes = Writes::default();
        inner_writes(body, 0, &mut writes);
        self.rebound = writes.rebound.into_iter().map(|n| self.graph.symbol(n)).collect();
        self.volatile = writes.changed.into_iter().map(|n| self.graph.symbol(n)).chain(self.rebound.iter().copied()).collect();
    }

    // Names.

    /// Whether an inner function reads `name`, and whether lambdas alone do.
    fn escapes(&self, name: Symbol) -> (bool, bool) {
        (self.captured.contains(&name), self.read_by_lambdas.contains(&name))
    }

    /// Give `name` a value from `from` on.
    fn bind(&mut self, name: Symbol, value: ValueId, statement: Option<StatementId>, from: TextSize) {
        let mut definitions: SmallVec<[DefinitionId; 2]> = SmallVec::new();
        if self.inlining == 0 {
            let id = self.body.definitions.len() as DefinitionId;
            let (escapes, only_to_lambdas) = self.escapes(name);
            self.body.definitions.push(Definition { name, statement, feeds: SmallVec::new(), uses: Vec::new(), escapes, only_to_lambdas });
            definitions.push(id);
            self.moment(name, value, from);
            if escapes && statement.is_some() {
                self.effect(Effect::StoreName(name, value));
            }
            self.carry(name, value);
        }
        self.frame().set(name, frame::Binding { value, definitions });
    }

    /// `name` gets `value` inside joins that are not followed: it reaches those that `name` takes part in.
    fn carry(&mut self, name: Symbol, value: ValueId) {
        if self.inlining > 0 {
            return;
        }
        for region in 0..self.regions.len() {
            if self.regions[region].0.binary_search(&name).is_ok() {
                let join = self.regions[region].1;
                let target = self.joined[&(join, name)];
                self.effect(Effect::Carry(target, value));
                self.carried.entry(target).or_default().push(value);
            }
        }
    }

    /// Record that `name` holds `value` from `from` on.
    fn moment(&mut self, name: Symbol, value: ValueId, from: TextSize) {
        let moments = self.body.timeline.entry(name).or_default();
        match moments.last_mut() {
            // Moments come in the order of the text; a join at the same place overrides what its last branch left.
            Some(last) if last.0 >= from => last.1 = value,
            _ => moments.push((from, value)),
        }
    }

    fn frame(&mut self) -> &mut Frame {
        self.frames.last_mut().expect("invariant: a scope is open while statements are lowered")
    }

    // Fresh values.

    fn opaque(&mut self) -> ValueId {
        self.opaques += 1;
        self.graph.leaf(Op::Opaque(self.body.name, self.opaques))
    }

    /// A list of which only that is known.
    fn list(&mut self) -> ValueId {
        let list = self.opaque();
        self.prove(list, Proved::List);
        list
    }

    /// What `name` holds after join `join`, before which it held `before`.
    fn phi(&mut self, join: u32, name: Symbol, before: Option<ValueId>) -> ValueId {
        let before: Vec<ValueId> = before.into_iter().collect();
        self.graph.value(Op::Phi(self.body.name, join, name), &before)
    }

    fn effect(&mut self, effect: Effect) {
        self.body.effects.push(effect);
    }

    /// Anything may have changed that is not a local.
    fn bump(&mut self) {
        self.epoch += 1;
    }

    fn occurrence(&mut self, value: ValueId, range: TextRange, own: bool) {
        if self.inlining == 0 {
            self.body.occurrences.push(Occurrence { value, range, statement: self.statement, block: self.block, target: None, own });
        }
    }

    /// Open a block inside the present one.
    fn enter_block(&mut self, is_loop: bool) -> BlockId {
        let outer = self.block;
        let depth = self.body.blocks[outer as usize].loop_depth + u32::from(is_loop);
        self.body.blocks.push(Block { parent: Some(outer), owner: Some(self.statement), loop_depth: depth, decided: None });
        self.block = self.body.blocks.len() as BlockId - 1;
        outer
    }

    /// What a name that is no local stands for.
    fn free_name(&mut self, name: Symbol) -> ValueId {
        match self.definitions.module.get(&name) {
            Some(&ModuleBinding::Import(path)) if matches!(self.graph.name(path), "mlx.core.newaxis" | "numpy.newaxis") => self.graph.leaf(Op::None),
            Some(&ModuleBinding::Import(path)) => self.graph.leaf(Op::Global(path)),
            Some(&ModuleBinding::Function(index)) => self.graph.leaf(Op::Function(self.definitions.functions[index].name)),
            Some(&ModuleBinding::Class(index)) => self.graph.leaf(Op::Class(self.definitions.classes[index].name)),
            Some(ModuleBinding::Other) => self.graph.leaf(Op::ModuleName(name)),
            None => self.graph.leaf(Op::Builtin(name)),
        }
    }
}

/// Whether a call may read any name of its function.
pub fn sees_names(call: &ast::ExprCall) -> bool {
    let name = call.func.as_name_expr().map_or("", |n| n.id.as_str());
    matches!(name, "eval" | "exec" | "locals") || matches!(name, "dir" | "vars") && call.arguments.is_empty()
}

/// Every name that `body` reads, at any depth.
fn names_read<'a>(body: &'a [Stmt], names: &mut Vec<&'a str>) {
    for statement in body {
        let mut reader = InnerReads { depth: 1, ..InnerReads::default() };
        reader.statement(statement);
        names.extend(reader.names.into_iter().chain(reader.by_lambdas));
    }
}

/// Collects the names read inside inner functions, lambdas and classes.
#[derive(Default)]
struct InnerReads<'g> {
    /// Functions, generators and classes around the present place.
    depth: u32,
    /// Lambdas around it that no function parts from the scope.
    lambdas: u32,
    names: Vec<&'g str>,
    by_lambdas: Vec<&'g str>,
    /// Whether the function itself asks for its names, or evaluates text in which they may be.
    by_text: bool,
}

impl<'g> InnerReads<'g> {
    fn statement(&mut self, statement: &'g Stmt) {
        ast::visitor::source_order::SourceOrderVisitor::visit_stmt(self, statement);
    }
}

impl<'g> ast::visitor::source_order::SourceOrderVisitor<'g> for InnerReads<'g> {
    fn visit_stmt(&mut self, statement: &'g Stmt) {
        let inner = matches!(statement, Stmt::FunctionDef(_) | Stmt::ClassDef(_));
        self.depth += u32::from(inner);
        ast::visitor::source_order::walk_stmt(self, statement);
        self.depth -= u32::from(inner);
    }

    fn visit_expr(&mut self, expr: &'g Expr) {
        // A generator runs later, in pieces: what it reads may have changed by then.
        let inner = expr.is_generator_expr();
        let lambda = expr.is_lambda_expr() && self.depth == 0;
        self.depth += u32::from(inner);
        self.lambdas += u32::from(lambda);
        if let Expr::Name(name) = expr {
            match (self.depth, self.lambdas) {
                (0, 0) => {}
                (0, _) => self.by_lambdas.push(&name.id),
                _ => self.names.push(&name.id),
            }
        }
        self.by_text |= (self.depth, self.lambdas) == (0, 0) && expr.as_call_expr().is_some_and(sees_names);
        ast::visitor::source_order::walk_expr(self, expr);
        self.depth -= u32::from(inner);
        self.lambdas -= u32::from(lambda);
    }
}
