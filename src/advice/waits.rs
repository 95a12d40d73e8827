//! Waits that a call comes to in the file's own code: evaluations and reads in the functions, methods and modules that the file defines, and in what those call.
//! Who calls one of them waits there, however it is called.

use std::cell::RefCell;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::finding::Notes;
use crate::graph::Analysis;
use crate::graph::definitions::{ClassIndex, FunctionIndex, ModuleBinding};
use crate::graph::facts::{Facts, Kind};
use crate::graph::statements::blocks;
use crate::graph::value::{Op, ValueId};
use crate::place::{Place, expressions};
use crate::syntax::ast::{Expr, ExprCall, Stmt};
use crate::syntax::{Ranged, TextRange};

use super::compiled::body_of;
use super::reads::{makes_numpy, reads_in_trace};

/// Longer chains of calls are not followed.
const MAX_DEPTH: u32 = 12;

/// What is known of the functions of one file.
pub(super) struct Waits<'x> {
    analysis: &'x Analysis<'x>,
    facts: Facts<'x>,
    /// Nobody asks why something in a function that is called is no wait.
    notes: Notes,
    /// The first wait of each function that was looked at.
    known: RefCell<FxHashMap<FunctionIndex, Option<TextRange>>>,
}

impl<'x> Waits<'x> {
    /// Nothing is looked at yet.
    pub(super) fn of(analysis: &'x Analysis<'x>) -> Self {
        Self { analysis, facts: Facts::anywhere(analysis), notes: Notes::default(), known: RefCell::default() }
    }

    /// The wait that `call`, in the scope `place`, comes to.
    pub(super) fn behind(&self, place: &Place<'_>, call: &ExprCall) -> Option<TextRange> {
        self.followed(place, call, 0)
    }

    /// The first module of the file, among those that are asked about, that waits when it is called: its name, and the wait. A model that is made of it comes to
    /// that, whoever calls the model.
    pub(super) fn of_modules(&self, is_asked: impl Fn(ClassIndex) -> bool) -> Option<(&'x str, TextRange)> {
        let classes = &self.analysis.definitions.classes;
        (0..classes.len()).filter(|&class| self.analysis.classes.base(class) == Some("Module") && is_asked(class)).find_map(|class| {
            let wait = self.in_function(self.method(class, "__call__")?, 0)?;
            Some((classes[class].ast.name.as_str(), wait))
        })
    }

    /// The class of the file of which `object` is an instance.
    pub(super) fn class_of(&self, object: ValueId) -> Option<ClassIndex> {
        self.facts.class_of(object, 0)
    }

    /// The classes that the text of `class` names, those that their texts name, and so on: what an instance may be made of.
    pub(super) fn parts_of(&self, class: ClassIndex) -> FxHashSet<ClassIndex> {
        let classes = &self.analysis.definitions.classes;
        let by_name: FxHashMap<&str, ClassIndex> = classes.iter().zip(0..).map(|(c, index)| (c.ast.name.as_str(), index)).collect();
        let source = self.analysis.source;
        let (mut parts, mut waiting) = (FxHashSet::default(), vec![class]);
        while let Some(class) = waiting.pop() {
            if parts.insert(class) {
                let tokens = source.tokens().in_range(classes[class].ast.range);
                waiting.extend(tokens.iter().filter_map(|t| by_name.get(source.slice(t.range()))));
            }
        }
        parts
    }

    fn followed(&self, place: &Place<'_>, call: &ExprCall, depth: u32) -> Option<TextRange> {
        self.in_function(self.callee(place, call)?, depth)
    }

    fn in_function(&self, function: FunctionIndex, depth: u32) -> Option<TextRange> {
        if let Some(&known) = self.known.borrow().get(&function) {
            return known;
        }
        // What is too deep is not followed from here, and not known.
        let body = body_of(self.analysis, Some(function)).filter(|_| depth < MAX_DEPTH)?;
        // Whoever calls itself waits where it waits at all.
        self.known.borrow_mut().insert(function, None);
        let inner = Place::new(self.analysis, body, &self.notes);
        let found = self.in_block(&inner, inner.own_statements(), depth + 1);
        self.known.borrow_mut().insert(function, found);
        found
    }

    /// The first wait in `body`.
    fn in_block(&self, place: &Place<'_>, body: &[Stmt], depth: u32) -> Option<TextRange> {
        body.iter().find_map(|statement| match statement {
            Stmt::FunctionDef(_) | Stmt::ClassDef(_) | Stmt::Raise(_) | Stmt::Assert(_) => None,
            _ => self.in_statement(place, statement, depth).or_else(|| blocks(statement).into_iter().find_map(|b| self.in_block(place, b, depth))),
        })
    }

    fn in_statement(&self, place: &Place<'_>, statement: &Stmt, depth: u32) -> Option<TextRange> {
        let mut found = reads_in_trace(place, statement).first().map(|read| read.expr.range());
        expressions::of_statement(statement, &mut |expr| {
            if let (Expr::Call(call), None) = (expr, found) {
                found = match evaluates(place, call) || self.copies_parameter(place, call) {
                    true => Some(call.range()),
                    false => self.followed(place, call, depth),
                };
            }
        });
        found
    }

    /// Whether `call` makes an array of NumPy of a parameter, which may be one of MLX.
    fn copies_parameter(&self, place: &Place<'_>, call: &ExprCall) -> bool {
        let value = call.arguments.args.first().filter(|_| makes_numpy(place, call)).and_then(|array| place.value(array));
        let may_be_array = |v| matches!(self.facts.kind(v), Kind::Array | Kind::OptionalArray | Kind::Unknown);
        value.is_some_and(|v| matches!(self.analysis.graph.op(v), Op::Param(..)) && may_be_array(v))
    }

    /// The function of the file that `call` runs.
    fn callee(&self, place: &Place<'_>, call: &ExprCall) -> Option<FunctionIndex> {
        let graph = &self.analysis.graph;
        match &*call.func {
            Expr::Name(name) => {
                if let Some(value) = place.value(&call.func) {
                    return match graph.op(value) {
                        Op::Function(name) => self.analysis.definitions.function_named(name),
                        _ => self.method(self.facts.class_of(value, 0)?, "__call__"),
                    };
                }
                match self.analysis.definitions.module.get(&graph.known_symbol(&name.id)?) {
                    Some(&ModuleBinding::Function(function)) => Some(function),
                    _ => None,
                }
            }
            Expr::Attribute(attribute) => {
                let class = place.value(&attribute.value).and_then(|object| self.facts.class_of(object, 0));
                let method = class.and_then(|class| self.method(class, &attribute.attr));
                method.or_else(|| self.method(self.facts.class_of(place.value(&call.func)?, 0)?, "__call__"))
            }
            _ => None,
        }
    }

    /// What `class` defines as `name`.
    fn method(&self, class: ClassIndex, name: &str) -> Option<FunctionIndex> {
        let name = self.analysis.graph.known_symbol(name)?;
        self.analysis.definitions.classes[class].methods.get(&name).copied().flatten()
    }
}

/// Whether `call` evaluates, or waits for what is queued.
pub(super) fn evaluates(place: &Place<'_>, call: &ExprCall) -> bool {
    place.path(&call.func).is_some_and(|p| matches!(p.as_str(), "mlx.core.eval" | "mlx.core.synchronize"))
}
