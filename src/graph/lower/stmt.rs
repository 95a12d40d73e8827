//! Statements: what they bind, which effects they have, and where control flows together again.

use smallvec::SmallVec;

use super::frame::Binding;
use super::Lowerer;
use crate::graph::body::{BlockId, Definition, Effect, Proved, Statement, StatementId, StatementKind};
use crate::graph::definitions::{imported, imported_from, locals_of, pattern_names, target_names};
use crate::graph::value::{Op, Symbol, ValueId};
use crate::syntax::ast::{self, Expr, Stmt};
use crate::syntax::{Ranged, TextSize};

/// Whether control reaches the statement after.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    Falls,
    Stops,
}

/// What one branch left behind: the names it changed, and whether control leaves it at its end.
type Branch = (Vec<(Symbol, Option<Binding>)>, Flow);

impl<'g> Lowerer<'_, 'g> {
    /// Lower a block. Statements after one that never falls through are lowered too: they are text like any other.
    pub(super) fn statements(&mut self, statements: &'g [Stmt]) -> Flow {
        let mut flow = Flow::Falls;
        for statement in statements {
            if self.statement(statement) == Flow::Stops {
                flow = Flow::Stops;
            }
        }
        flow
    }

    pub(super) fn statement(&mut self, statement: &'g Stmt) -> Flow {
        let outer = self.statement;
        if self.inlining == 0 {
            self.statement = self.body.statements.len() as StatementId;
            self.body.statements.push(Statement { range: statement.range(), kind: kind_of(statement), block: self.block });
            self.offset = statement.start();
        }
        let flow = self.statement_inner(statement);
        self.statement = outer;
        flow
    }

    fn statement_inner(&mut self, statement: &'g Stmt) -> Flow {
        match statement {
            Stmt::Return(s) => {
                let value = match &s.value {
                    Some(value) => self.expr(value),
                    None => self.graph.leaf(Op::None),
                };
                self.effect(Effect::Return(value));
                return Flow::Stops;
            }
            Stmt::Raise(s) => {
                let value = s.exc.as_deref().map(|e| self.expr(e));
                s.cause.as_deref().map(|e| self.expr(e));
                let value = value.unwrap_or_else(|| self.graph.leaf(Op::None));
                self.effect(Effect::Raise(value));
                return Flow::Stops;
            }
            Stmt::Break(_) | Stmt::Continue(_) => {
                self.effect(Effect::Jump(matches!(statement, Stmt::Break(_))));
                return Flow::Stops;
            }
            Stmt::Expr(s) => {
                self.expr(&s.value);
            }
            Stmt::Assign(s) => self.assign(s),
            Stmt::AnnAssign(s) => {
                if let Some(value) = &s.value {
                    let value = self.expr(value);
                    self.store(&s.target, value, s.range.end());
                }
            }
            Stmt::AugAssign(s) => self.augmented(s),
            Stmt::Assert(s) => {
                let test = self.expr(&s.test);
                s.msg.as_deref().map(|m| self.expr(m));
                self.effect(Effect::Assert(test));
            }
            Stmt::Delete(s) => s.targets.iter().for_each(|t| self.delete(t)),
            Stmt::If(s) => return self.if_statement(s),
            Stmt::For(s) => self.for_loop(s),
            Stmt::While(s) => self.while_loop(s),
            Stmt::With(s) => self.with(s),
            Stmt::Try(s) => self.try_statement(s),
            Stmt::Match(s) => self.match_statement(s),
            Stmt::FunctionDef(s) => self.function_definition(s),
            Stmt::ClassDef(s) => self.class_definition(s),
            Stmt::Import(s) => {
                for alias in &s.names {
                    let (name, path) = imported(alias);
                    self.import(name, path, s.range.end());
                }
            }
            Stmt::ImportFrom(s) => {
                for alias in &s.names {
                    let path = imported_from(s, alias);
                    self.import(alias.asname.as_ref().unwrap_or(&alias.name), &path, s.range.end());
                }
            }
            Stmt::TypeAlias(_) | Stmt::Global(_) | Stmt::Nonlocal(_) | Stmt::Pass(_) | Stmt::IpyEscapeCommand(_) => {}
        }
        Flow::Falls
    }

    fn import(&mut self, name: &str, path: &str, from: TextSize) {
        let (name, path) = (self.graph.symbol(name), self.graph.symbol(path));
        let value = self.graph.leaf(Op::Global(path));
        self.bind(name, value, Some(self.statement), from);
    }

    fn function_definition(&mut self, s: &'g ast::StmtFunctionDef) {
        for decorator in &s.decorator_list {
            self.expr(&decorator.expression);
        }
        for default in s.parameters.iter_non_variadic_params().filter_map(|p| p.default.as_deref()) {
            self.expr(default);
        }
        let name = self.graph.symbol(&s.name);
        let value = match self.definitions.function_of(s) {
            Some(index) => self.graph.leaf(Op::Function(self.definitions.functions[index].name)),
            None => self.opaque(),
        };
        self.bind(name, value, Some(self.statement), s.range.end());
    }

    fn class_definition(&mut self, s: &'g ast::StmtClassDef) {
        for decorator in &s.decorator_list {
            self.expr(&decorator.expression);
        }
        for argument in s.arguments.iter().flat_map(|a| a.args.iter()) {
            self.expr(argument);
        }
        let name = self.graph.symbol(&s.name);
        let value = match self.definitions.class_of(s) {
            Some(index) => self.graph.leaf(Op::Class(self.definitions.classes[index].name)),
            None => self.opaque(),
        };
        self.bind(name, value, Some(self.statement), s.range.end());
    }

    // Assignment.

    fn assign(&mut self, s: &'g ast::StmtAssign) {
        // `a, b = x, y` makes no tuple that anyone could hold.
        if let [Expr::Tuple(target)] = &s.targets[..]
            && let Expr::Tuple(value) = &*s.value
            && target.elts.len() == value.elts.len()
            && !target.elts.iter().chain(&value.elts).any(Expr::is_starred_expr)
        {
            let values: Vec<ValueId> = value.elts.iter().map(|v| self.expr(v)).collect();
            for (target, value) in target.elts.iter().zip(values) {
                self.store(target, value, s.range.end());
            }
            return;
        }
        let value = self.expr(&s.value);
        if s.targets.len() > 1 || !s.targets.iter().all(Expr::is_name_expr) {
            self.escape_parts(value);
        }
        for target in &s.targets {
            self.store(target, value, s.range.end());
        }
    }

    /// Store `value` in `target`; names hold it from `from` on.
    pub(super) fn store(&mut self, target: &'g Expr, value: ValueId, from: TextSize) {
        match target {
            Expr::Name(name) => {
                let name = self.graph.symbol(&name.id);
                let value = if self.is_mutable_display(value) { self.opaque() } else { value };
                if self.frames.last().is_some_and(|f| f.locals.contains(&name)) {
                    self.bind(name, value, Some(self.statement), from);
                } else {
                    self.effect(Effect::StoreName(name, value));
                    self.escaped.insert(value);
                    self.bump();
                }
            }
            Expr::Tuple(ast::ExprTuple { elts, .. }) | Expr::List(ast::ExprList { elts, .. }) => self.unpack(elts, value, from),
            Expr::Starred(starred) => {
                let rest = self.opaque();
                self.store(&starred.value, rest, from);
            }
            Expr::Attribute(attribute) => {
                let object = self.expr(&attribute.value);
                let name = self.graph.symbol(&attribute.attr);
                self.effect(Effect::StoreAttribute(object, name, value));
                self.escaped.insert(value);
                self.bump();
            }
            Expr::Subscript(subscript) => {
                let object = self.expr(&subscript.value);
                let index = self.expr(&subscript.slice);
                self.effect(Effect::StoreItem(object, index, value));
                self.escaped.insert(value);
                self.bump();
                self.changed_in_place(object, from);
            }
            _ => {}
        }
    }

    fn unpack(&mut self, targets: &'g [Expr], value: ValueId, from: TextSize) {
        let starred = targets.iter().any(Expr::is_starred_expr);
        if let (Op::Shape, &[array], false) = (self.graph.op(value), self.graph.operands(value), starred) {
            self.prove(array, Proved::Rank(targets.len() as u8));
        }
        for (n, target) in targets.iter().enumerate() {
            let part = if starred { self.opaque() } else { self.graph.value(Op::Item(n as u32), &[value]) };
            self.store(target, part, from);
        }
    }

    /// The object that `value` stands for is not what it was: every name that may hold it is unknown from here on.
    fn changed_in_place(&mut self, value: ValueId, from: TextSize) {
        for name in self.frame().holders(value) {
            let changed = self.opaque();
            self.rebind_silently(name, changed, from);
        }
    }

    /// `name` holds another value from `from` on although no assignment to it was written.
    fn rebind_silently(&mut self, name: Symbol, value: ValueId, from: TextSize) {
        let definitions = self.frame().get(name).map_or_else(SmallVec::new, |b| b.definitions.clone());
        if self.inlining == 0 {
            self.moment(name, value, from);
        }
        self.frame().set(name, Binding { value, definitions });
    }

    fn augmented(&mut self, s: &'g ast::StmtAugAssign) {
        let old = match &*s.target {
            Expr::Name(_) => self.expr(&s.target),
            Expr::Attribute(attribute) => {
                self.expr(&attribute.value);
                self.expr(&s.target)
            }
            Expr::Subscript(_) => self.expr(&s.target),
            _ => self.opaque(),
        };
        let operand = self.expr(&s.value);
        let new = self.binary(s.op, old, operand);
        if !s.target.is_name_expr() {
            // The object in the attribute or element may be changed in place as well as replaced.
            self.effect(Effect::Mutate(old, new));
            self.bump();
            self.changed_in_place(old, s.range.end());
            self.store(&s.target, new, s.range.end());
            return;
        }
        if !self.is_immutable(old) {
            if !self.is_fresh(old) {
                self.effect(Effect::Mutate(old, new));
                self.bump();
            }
            self.changed_in_place(old, s.range.end());
        }
        self.store(&s.target, new, s.range.end());
    }

    /// Lists: once a name holds one, its contents may change under the name.
    fn is_mutable_display(&self, value: ValueId) -> bool {
        match self.graph.get(value) {
            (Op::List | Op::Comprehension(_), _) => true,
            (Op::Mul | Op::Add, operands) => operands.iter().any(|&v| self.is_mutable_display(v)),
            _ => false,
        }
    }

    /// Numbers, strings and tuples: `+=` makes a new object.
    fn is_immutable(&self, value: ValueId) -> bool {
        matches!(
            self.graph.op(value),
            Op::Int(_) | Op::Float(_) | Op::Bool(_) | Op::Str(_) | Op::None | Op::Tuple | Op::Shape | Op::Dim(_) | Op::Ndim | Op::DtypeOf | Op::Compare(_)
        )
    }

    /// Whether `value` was made by an operation of this scope and nothing but names of it holds it.
    fn is_fresh(&self, value: ValueId) -> bool {
        if self.escaped.contains(&value) {
            return false;
        }
        match self.graph.get(value) {
            (Op::Gate, parts) => parts[1..].iter().all(|&v| self.is_fresh(v)),
            (Op::Item(_), &[of]) => matches!(self.graph.op(of), Op::Mlx("split" | "meshgrid" | "broadcast_arrays")),
            (Op::Index(_), &[of, _]) => self.graph.is_arrayish(of),
            _ => self.graph.is_arrayish(value),
        }
    }

    /// What a container, a call or another object may hold from now on.
    pub(super) fn escape_parts(&mut self, value: ValueId) {
        self.escaped.insert(value);
        if matches!(self.graph.op(value), Op::Tuple | Op::List | Op::Keyword(_) | Op::Star | Op::Gate) {
            for part in self.graph.operands(value).to_vec() {
                self.escape_parts(part);
            }
        }
    }

    fn delete(&mut self, target: &'g Expr) {
        match target {
            Expr::Name(name) => {
                let value = self.expr(target);
                self.effect(Effect::Delete(value));
                let name = self.graph.symbol(&name.id);
                self.frame().remove(name);
            }
            Expr::Tuple(ast::ExprTuple { elts, .. }) | Expr::List(ast::ExprList { elts, .. }) => elts.iter().for_each(|t| self.delete(t)),
            _ => {
                let value = self.expr(target);
                self.effect(Effect::Delete(value));
                self.bump();
            }
        }
    }

    // Branches.

    fn if_statement(&mut self, s: &'g ast::StmtIf) -> Flow {
        self.if_chain(&s.test, &s.body, &s.elif_else_clauses, s.range.end())
    }

    fn if_chain(&mut self, test: &'g Expr, body: &'g [Stmt], rest: &'g [ast::ElifElseClause], end: TextSize) -> Flow {
        let condition = self.expr(test);
        self.effect(Effect::Enter(condition));
        let then = self.branch(|l| l.statements(body));
        self.effect(Effect::Else);
        let otherwise = match rest.split_first() {
            Some((clause, rest)) => {
                self.restore_moments(&then, clause.range.start());
                self.branch(|l| match &clause.test {
                    Some(test) => l.if_chain(test, &clause.body, rest, end),
                    None => l.statements(&clause.body),
                })
            }
            None => (Vec::new(), Flow::Falls),
        };
        self.effect(Effect::Leave);
        self.join(condition, then, otherwise, end)
    }

    /// Lower one branch and take the names back to where they were.
    fn branch(&mut self, lower: impl FnOnce(&mut Self) -> Flow) -> Branch {
        let outer: BlockId = self.enter_block(false);
        let mark = self.frame().mark();
        let flow = lower(self);
        self.block = outer;
        let changed = self.frame().rewind(mark);
        (changed, flow)
    }

    /// At the start of an `else`, the names hold again what they held before the branch above it.
    fn restore_moments(&mut self, branch: &Branch, from: TextSize) {
        if self.inlining > 0 {
            return;
        }
        for &(name, _) in &branch.0 {
            let value = match self.frame().get(name) {
                Some(binding) => binding.value,
                None => self.graph.leaf(Op::Unbound(name)),
            };
            self.moment(name, value, from);
        }
    }

    /// The names after an `if`: gates where both branches reach this place, else what the one branch left.
    fn join(&mut self, condition: ValueId, then: Branch, otherwise: Branch, end: TextSize) -> Flow {
        let (then, then_flow) = then;
        let (otherwise, otherwise_flow) = otherwise;
        let names: Vec<Symbol> = {
            let mut seen = rustc_hash::FxHashSet::default();
            then.iter().chain(&otherwise).map(|&(n, _)| n).filter(|&n| seen.insert(n)).collect()
        };
        let find = |branch: &[(Symbol, Option<Binding>)], name: Symbol| branch.iter().find(|b| b.0 == name).map(|b| b.1.clone());
        for name in names {
            let before = self.frame().get(name).cloned();
            let a = find(&then, name).unwrap_or_else(|| before.clone());
            let b = find(&otherwise, name).unwrap_or_else(|| before.clone());
            let joined = match (then_flow, otherwise_flow) {
                (Flow::Stops, Flow::Falls) => b,
                (Flow::Falls, Flow::Stops) => a,
                _ => self.merge(condition, name, a, b),
            };
            match joined {
                Some(binding) => {
                    if self.inlining == 0 {
                        self.moment(name, binding.value, end);
                    }
                    self.frame().set(name, binding);
                }
                None => self.frame().remove(name),
            }
        }
        if then_flow == Flow::Stops && otherwise_flow == Flow::Stops { Flow::Stops } else { Flow::Falls }
    }

    fn merge(&mut self, condition: ValueId, name: Symbol, a: Option<Binding>, b: Option<Binding>) -> Option<Binding> {
        let unbound = |l: &mut Self| Binding { value: l.graph.leaf(Op::Unbound(name)), definitions: SmallVec::new() };
        if a.is_none() && b.is_none() {
            return None;
        }
        let a = a.unwrap_or_else(|| unbound(self));
        let b = b.unwrap_or_else(|| unbound(self));
        let value = self.graph.value(Op::Gate, &[condition, a.value, b.value]);
        let mut definitions = a.definitions;
        for d in b.definitions {
            if !definitions.contains(&d) {
                definitions.push(d);
            }
        }
        Some(Binding { value, definitions })
    }

    // Joins that are not followed.

    /// Give every name in `names` an unknown value, fed by all its assignments so far and by those that `later` will make.
    fn forget(&mut self, names: &[Symbol], from: TextSize) -> Vec<(Symbol, u32)> {
        self.joins += 1;
        let join = self.joins;
        let mut made = Vec::new();
        for &name in names {
            let old = self.frame().get(name).map_or_else(SmallVec::new, |b| b.definitions.clone());
            let value = self.phi(join, name);
            let mut definitions: SmallVec<[u32; 2]> = SmallVec::new();
            if self.inlining == 0 {
                let id = self.body.definitions.len() as u32;
                let escapes = self.captured.contains(&name);
                self.body.definitions.push(Definition { name, statement: None, feeds: old, uses: Vec::new(), escapes });
                definitions.push(id);
                made.push((name, id));
                self.moment(name, value, from);
            }
            self.frame().set(name, Binding { value, definitions });
        }
        made
    }

    /// Every assignment made to `names` since definition `first` may reach the joins `into`.
    fn feed(&mut self, into: &[(Symbol, u32)], first: usize) {
        for &(name, join) in into {
            for id in first..self.body.definitions.len() {
                if self.body.definitions[id].name == name && id as u32 != join {
                    self.body.definitions[join as usize].feeds.push(id as u32);
                }
            }
        }
    }

    fn assigned_in(&mut self, bodies: &[&'g [Stmt]], extra: Vec<&'g str>) -> Vec<Symbol> {
        let mut names = extra;
        bodies.iter().for_each(|b| locals_of(b, &mut names));
        let mut symbols: Vec<Symbol> = names.into_iter().map(|n| self.graph.symbol(n)).collect();
        symbols.sort_unstable();
        symbols.dedup();
        let locals = &self.frames.last().expect("invariant: a scope is open").locals;
        symbols.retain(|s| locals.contains(s));
        symbols
    }

    fn for_loop(&mut self, s: &'g ast::StmtFor) {
        let iterable = self.expr(&s.iter);
        self.effect(Effect::Enter(iterable));
        let mut extra = Vec::new();
        target_names(&s.target, &mut extra);
        let names = self.assigned_in(&[&s.body, &s.orelse], extra);
        self.looped(&names, s.body.first().map_or(s.range.end(), Ranged::start), s.range.end(), |l| {
            l.joins += 1;
            let join = l.joins;
            let element = l.graph.value(Op::Element(l.body.name, join), &[iterable]);
            l.store(&s.target, element, s.iter.range().end());
            l.statements(&s.body);
        });
        self.statements(&s.orelse);
        self.effect(Effect::Leave);
    }

    fn while_loop(&mut self, s: &'g ast::StmtWhile) {
        let mut extra = Vec::new();
        named_targets(&s.test, &mut extra);
        let names = self.assigned_in(&[&s.body, &s.orelse], extra);
        self.looped(&names, s.range.start(), s.range.end(), |l| {
            let test = l.expr(&s.test);
            l.effect(Effect::Enter(test));
            l.statements(&s.body);
        });
        self.statements(&s.orelse);
        self.effect(Effect::Leave);
    }

    /// Lower a loop body once, with everything it assigns unknown before and after.
    fn looped(&mut self, names: &[Symbol], start: TextSize, end: TextSize, lower: impl FnOnce(&mut Self)) {
        let first = self.body.definitions.len();
        let entry = self.forget(names, start);
        self.bump();
        let outer = self.enter_block(true);
        lower(self);
        self.block = outer;
        self.bump();
        self.feed(&entry, first);
        let exit = self.forget(names, end);
        self.feed(&exit, first);
    }

    /// A context manager may swallow what its body raises, so control may come out even where the body never falls through.
    fn with(&mut self, s: &'g ast::StmtWith) {
        for item in &s.items {
            let context = self.expr(&item.context_expr);
            self.effect(Effect::Enter(context));
            if let Some(target) = &item.optional_vars {
                let value = self.opaque();
                self.store(target, value, item.range.end());
            }
        }
        let outer = self.enter_block(false);
        let flow = self.statements(&s.body);
        self.block = outer;
        s.items.iter().for_each(|_| self.effect(Effect::Leave));
        self.bump();
        if flow == Flow::Stops {
            let names = self.assigned_in(&[&s.body], Vec::new());
            self.forget(&names, s.range.end());
        }
    }

    fn try_statement(&mut self, s: &'g ast::StmtTry) {
        let marker = self.graph.leaf(Op::None);
        self.effect(Effect::Enter(marker));
        let first = self.body.definitions.len();
        let outer = self.enter_block(false);
        self.statements(&s.body);
        let names = self.assigned_in(&[&s.body], Vec::new());
        for ast::ExceptHandler::ExceptHandler(handler) in &s.handlers {
            let joined = self.forget(&names, handler.range.start());
            self.feed(&joined, first);
            self.bump();
            self.effect(Effect::Else);
            if let Some(kind) = &handler.type_ {
                self.expr(kind);
            }
            if let Some(name) = &handler.name {
                let name = self.graph.symbol(name);
                let value = self.opaque();
                self.bind(name, value, None, handler.range.start());
            }
            self.statements(&handler.body);
        }
        self.effect(Effect::Else);
        let joined = self.forget(&names, s.range.end());
        self.feed(&joined, first);
        self.statements(&s.orelse);
        self.block = outer;
        self.effect(Effect::Else);
        self.bump();
        let handlers: Vec<&'g [Stmt]> = s.handlers.iter().map(|ast::ExceptHandler::ExceptHandler(h)| &*h.body).collect();
        let mut bodies = vec![&*s.body, &*s.orelse];
        bodies.extend(handlers);
        let extra = s.handlers.iter().filter_map(|ast::ExceptHandler::ExceptHandler(h)| h.name.as_ref()).map(|n| n.as_str()).collect();
        let names = self.assigned_in(&bodies, extra);
        let joined = self.forget(&names, s.finalbody.first().map_or(s.range.end(), Ranged::start));
        self.feed(&joined, first);
        self.statements(&s.finalbody);
        self.effect(Effect::Leave);
    }

    fn match_statement(&mut self, s: &'g ast::StmtMatch) {
        let subject = self.expr(&s.subject);
        self.escape_parts(subject);
        self.effect(Effect::Enter(subject));
        let first = self.body.definitions.len();
        let mut extra = Vec::new();
        let bodies: Vec<&'g [Stmt]> = s.cases.iter().map(|c| &*c.body).collect();
        pattern_targets(s, &mut extra);
        let names = self.assigned_in(&bodies, extra);
        let outer = self.enter_block(false);
        for case in &s.cases {
            let joined = self.forget(&names, case.range.start());
            self.feed(&joined, first);
            self.effect(Effect::Else);
            if let Some(guard) = &case.guard {
                self.expr(guard);
            }
            self.statements(&case.body);
        }
        self.block = outer;
        let joined = self.forget(&names, s.range.end());
        self.feed(&joined, first);
        self.bump();
        self.effect(Effect::Leave);
    }
}

/// How a statement takes part in control flow.
fn kind_of(statement: &Stmt) -> StatementKind {
    let plain = |target: &Expr| target.is_name_expr() || target.as_tuple_expr().is_some_and(|t| t.elts.iter().all(Expr::is_name_expr));
    match statement {
        Stmt::Assign(s) if s.targets.iter().all(plain) => StatementKind::Assignment,
        Stmt::AnnAssign(s) if s.value.is_some() && s.target.is_name_expr() => StatementKind::Assignment,
        Stmt::AugAssign(s) if s.target.is_name_expr() => StatementKind::Assignment,
        Stmt::If(_) => StatementKind::If,
        Stmt::FunctionDef(_) => StatementKind::Function,
        _ => StatementKind::Other,
    }
}

/// Walrus targets inside an expression.
fn named_targets<'a>(expr: &'a Expr, names: &mut Vec<&'a str>) {
    struct Finder<'n, 'a>(&'n mut Vec<&'a str>);
    impl<'a> ast::visitor::source_order::SourceOrderVisitor<'a> for Finder<'_, 'a> {
        fn visit_expr(&mut self, expr: &'a Expr) {
            if let Expr::Named(named) = expr {
                target_names(&named.target, self.0);
            }
            ast::visitor::source_order::walk_expr(self, expr);
        }
    }
    ast::visitor::source_order::SourceOrderVisitor::visit_expr(&mut Finder(names), expr);
}

fn pattern_targets<'a>(s: &'a ast::StmtMatch, names: &mut Vec<&'a str>) {
    for case in &s.cases {
        pattern_names(&case.pattern, names);
    }
}
