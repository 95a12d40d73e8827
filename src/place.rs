//! One scope as a pass, or advice, looks at it: its statements, and the values, definitions and facts that the analysis recorded for pieces of its text. Indices are
//! made on the first question, so that scopes in which nothing is found cost nothing.

pub mod blocks;
pub mod expressions;

use std::cell::OnceCell;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::finding::Notes;
use crate::graph::Analysis;
use crate::graph::body::{Body, Definition, DefinitionId, StatementId};
use crate::graph::definitions::ModuleBinding;
use crate::graph::facts::Facts;
use crate::graph::value::{Op, Symbol, ValueId};
use crate::syntax::ast::{Expr, ExprCall, Stmt};
use crate::syntax::{Ranged, Source, TextRange, TextSize, TokenKind};

/// One scope of a file.
pub struct Place<'x> {
    /// The file.
    pub analysis: &'x Analysis<'x>,
    /// The scope.
    pub body: &'x Body,
    /// Where what is left alone is noted.
    pub notes: &'x Notes,
    /// The value of each expression, and whether the operation at its root is written there.
    values: OnceCell<FxHashMap<TextRange, (ValueId, bool)>>,
    statements: OnceCell<FxHashMap<TextRange, StatementId>>,
}

impl<'x> Place<'x> {
    /// Look at `body`.
    pub fn new(analysis: &'x Analysis<'x>, body: &'x Body, notes: &'x Notes) -> Self {
        Self { analysis, body, notes, values: OnceCell::new(), statements: OnceCell::new() }
    }

    /// The file's text and tree.
    pub fn source(&self) -> &'x Source<'x> {
        self.analysis.source
    }

    /// The statements directly in the scope.
    pub fn own_statements(&self) -> &'x [Stmt] {
        let definitions = &self.analysis.definitions;
        match (self.body.function, self.body.class) {
            (Some(function), _) => &definitions.functions[function].ast.body,
            (None, Some(class)) => &definitions.classes[class].ast.body,
            (None, None) => &self.analysis.source.module().body,
        }
    }

    /// Whether the names of the scope can be seen by nobody but its inner functions.
    pub fn is_function(&self) -> bool {
        self.body.function.is_some()
    }

    /// Whether the scope is the module.
    pub fn is_module(&self) -> bool {
        self.body.function.is_none() && self.body.class.is_none()
    }

    /// The name of the scope, if it is a private function that the file does not mention again.
    pub fn uncalled(&self) -> Option<&'x str> {
        let function = self.analysis.definitions.functions[self.body.function?].ast;
        let name = function.name.as_str();
        let is_private = name.starts_with('_') && !name.ends_with("__") && function.decorator_list.is_empty();
        let is_mentioned = || memchr::memmem::find_iter(self.source().text().as_bytes(), name.as_bytes()).nth(1).is_some();
        (is_private && !is_mentioned()).then_some(name)
    }

    /// Whether a function of the file reads what the module calls `name`.
    pub fn is_read_by_functions(&self, name: Symbol) -> bool {
        self.analysis.graph.find_leaf(Op::ModuleName(name)).is_some()
    }

    /// The value of an expression of this scope. A name must be one that the scope itself binds, not the target of a comprehension.
    pub fn value(&self, expr: &Expr) -> Option<ValueId> {
        match expr {
            Expr::Name(name) => self.value_of(&name.id, name.range.start()),
            _ => self.value_at(expr.range()),
        }
    }

    /// The value of the expression, no name and no constant, whose text is `range`.
    fn value_at(&self, range: TextRange) -> Option<ValueId> {
        self.occurrence_at(range).map(|(value, _)| value)
    }

    /// What `expr`, no name and no constant, computes, if its operation is written there and not in a helper of the file that it calls.
    pub fn own_value(&self, expr: &Expr) -> Option<ValueId> {
        self.occurrence_at(expr.range()).filter(|&(_, own)| own).map(|(value, _)| value)
    }

    fn occurrence_at(&self, range: TextRange) -> Option<(ValueId, bool)> {
        let values = self.values.get_or_init(|| {
            let mut values = FxHashMap::default();
            for occurrence in &self.body.occurrences {
                values.entry(occurrence.range).or_insert((occurrence.value, occurrence.own));
            }
            values
        });
        values.get(&range).copied()
    }

    /// What `name`, bound by this scope, holds just before `offset`.
    pub fn value_of(&self, name: &str, offset: TextSize) -> Option<ValueId> {
        self.body.value_of(self.analysis.graph.known_symbol(name)?, offset)
    }

    /// The statement with this text.
    pub fn statement(&self, range: TextRange) -> Option<StatementId> {
        let statements = self.statements.get_or_init(|| self.body.statements.iter().zip(0..).map(|(s, id)| (s.range, id)).collect());
        statements.get(&range).copied()
    }

    /// How many loops of the scope are around `statement`, itself left out.
    pub fn loops_around(&self, statement: &Stmt) -> u32 {
        let id = self.statement(statement.range());
        id.map_or(0, |id| self.body.blocks[self.body.statements[id as usize].block as usize].loop_depth)
    }

    /// The definitions of `name` that `statement` makes.
    pub fn definitions_by(&self, name: Symbol, statement: StatementId) -> impl Iterator<Item = DefinitionId> + '_ {
        let made = self.body.definitions_by(statement).iter().copied();
        made.filter(move |&id| self.body.definitions[id as usize].name == name)
    }

    /// The definitions of `name`, in the order of the text.
    pub fn definitions_of(&self, name: Symbol) -> impl Iterator<Item = (DefinitionId, &'x Definition)> + '_ {
        self.body.definitions_of(name).iter().map(|&id| (id, &self.body.definitions[id as usize]))
    }

    /// Every place that may read what the definitions `from` assign, through joins too.
    pub fn reads_reached(&self, from: &[DefinitionId]) -> Vec<TextRange> {
        let mut seen: FxHashSet<DefinitionId> = from.iter().copied().collect();
        let mut waiting = from.to_vec();
        let mut reads = Vec::new();
        while let Some(at) = waiting.pop() {
            reads.extend_from_slice(&self.body.definitions[at as usize].uses);
            waiting.extend(self.body.fed_by(at).iter().copied().filter(|&id| seen.insert(id)));
        }
        reads
    }

    /// The facts that hold when `expr`, a part of `statement`, has been evaluated.
    pub fn facts(&self, statement: TextRange, expr: &Expr) -> Option<Facts<'x>> {
        let id = self.statement(statement)?;
        let before = TextRange::new(statement.start(), expr.end().max(statement.start()));
        // What one branch of an expression proves need not hold in the other.
        let branches = |kind| matches!(kind, TokenKind::If | TokenKind::And | TokenKind::Or | TokenKind::Lambda);
        let straight = !self.source().tokens().in_range(before).iter().any(|t| branches(t.kind()));
        let offset = if straight { expr.end() } else { statement.start() };
        Some(Facts::at(self.analysis, self.body, self.body.statements[id as usize].block, offset))
    }

    /// The dotted path for which a plain chain of names stands: `mlx.core.eval` for `mx.eval`.
    pub fn path(&self, expr: &Expr) -> Option<String> {
        let graph = &self.analysis.graph;
        match expr {
            Expr::Name(name) => {
                let symbol = graph.known_symbol(&name.id)?;
                if let Some(value) = self.body.value_of(symbol, name.range.start()) {
                    return graph.path(value).map(str::to_owned);
                }
                match self.analysis.definitions.module.get(&symbol)? {
                    &ModuleBinding::Import(path) if !self.analysis.is_outer_local(self.body, symbol) => Some(graph.name(path).to_owned()),
                    _ => None,
                }
            }
            Expr::Attribute(attribute) => match self.value_at(attribute.range) {
                // A lambda or comprehension around it may bind the name anew.
                Some(value) => graph.path(value).map(str::to_owned),
                None => Some(format!("{}.{}", self.path(&attribute.value)?, attribute.attr)),
            },
            _ => None,
        }
    }

    /// The parameter of which `n` is the length of the first axis.
    pub fn parameter_counted_by(&self, n: ValueId) -> Option<ValueId> {
        let graph = &self.analysis.graph;
        let (Op::Dim(0), &[mut of]) = graph.get(n) else { return None };
        while let (Op::Changed(_), &[before]) = graph.get(of) {
            of = before;
        }
        matches!(graph.op(of), Op::Param(..)).then_some(of)
    }

    /// Whether `call` calls the builtin `name`.
    pub fn calls_builtin(&self, call: &ExprCall, name: &str) -> bool {
        if !matches!(&*call.func, Expr::Name(callee) if callee.id.as_str() == name) {
            return false;
        }
        let graph = &self.analysis.graph;
        self.value_at(call.range()).is_some_and(|v| match graph.get(v) {
            (Op::Apply | Op::Call(..), operands) => is_builtin(self.analysis, operands[0], name),
            _ => false,
        })
    }

    /// Whether the context manager `context` is a stream of MLX that is entered.
    pub fn is_stream(&self, context: &Expr) -> bool {
        context.as_call_expr().is_some_and(|call| self.path(&call.func).as_deref() == Some("mlx.core.stream"))
    }

    /// Whether only white space stands before `range` on its first line, and nothing but a comment behind it on its last.
    pub fn has_own_lines(&self, range: TextRange) -> bool {
        let source = self.source();
        let before = source.slice(TextRange::new(source.line_start(range.start()), range.start()));
        let after = source.slice(TextRange::new(range.end(), source.full_line_end(range.end()))).trim_start();
        before.trim_matches([' ', '\t', '\x0c', '\u{feff}']).is_empty() && (after.is_empty() || after.starts_with('#'))
    }
}

/// Whether `value` is the builtin `name`.
pub fn is_builtin(analysis: &Analysis<'_>, value: ValueId, name: &str) -> bool {
    matches!(analysis.graph.op(value), Op::Builtin(symbol) if analysis.graph.name(symbol) == name)
}
