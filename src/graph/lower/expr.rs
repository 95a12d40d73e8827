//! Expressions: what they compute.

use rustc_hash::FxHashSet;

use super::frame::Frame;
use super::{Lowerer, MAX_DEPTH};
use crate::graph::body::{Effect, Proved};
use crate::graph::definitions::ModuleBinding;
use crate::graph::names::{named_in, target_names};
use crate::graph::value::{Op, Operands, Symbol, ValueId};
use crate::syntax::ast::{self, Expr, Number, Operator, UnaryOp};
use crate::syntax::{Ranged, TextRange};

impl<'g> Lowerer<'_, 'g> {
    /// The value of `expr`.
    pub(super) fn expr(&mut self, expr: &'g Expr) -> ValueId {
        if self.depth >= MAX_DEPTH {
            return self.opaque();
        }
        self.depth += 1;
        let outer = self.offset;
        if self.inlining == 0 {
            self.offset = expr.start();
        }
        let (value, own) = self.expr_inner(expr);
        self.offset = outer;
        self.depth -= 1;
        // Names are found through the timeline, constants through the graph.
        if !matches!(expr, Expr::Name(_) | Expr::NumberLiteral(_) | Expr::StringLiteral(_) | Expr::BooleanLiteral(_) | Expr::NoneLiteral(_)) {
            self.occurrence(value, expr.range(), own);
        }
        value
    }

    /// The value, and whether the operation at its root is written in `expr` itself.
    fn expr_inner(&mut self, expr: &'g Expr) -> (ValueId, bool) {
        let value = match expr {
            Expr::Call(call) => return self.call(call),
            Expr::Name(name) => {
                let symbol = self.graph.symbol(&name.id);
                self.name(symbol, name.range)
            }
            Expr::Attribute(attribute) => {
                let object = self.expr(&attribute.value);
                self.attribute(object, &attribute.attr)
            }
            Expr::BinOp(e) => {
                let left = self.expr(&e.left);
                let right = self.expr(&e.right);
                let left = self.by_now(&e.left, left);
                self.binary(e.op, left, right)
            }
            Expr::UnaryOp(e) => self.unary(e),
            Expr::Subscript(e) => {
                let object = self.expr(&e.value);
                let index = self.expr(&e.slice);
                self.prove_present(object);
                let value = self.graph.value(Op::Index(self.epoch), &[object, index]);
                self.prove_subscript(object, index, value);
                value
            }
            Expr::If(e) => self.conditional(e),
            Expr::BoolOp(e) => self.boolean(e),
            Expr::Compare(e) => self.compare(e),
            Expr::Named(e) => self.walrus(e),
            Expr::Tuple(e) => self.display(Op::Tuple, &e.elts),
            Expr::List(e) => self.display(Op::List, &e.elts),
            Expr::Slice(e) => {
                let parts = [&e.lower, &e.upper, &e.step].map(|p| match p {
                    Some(part) => self.expr(part),
                    None => self.graph.leaf(Op::None),
                });
                self.graph.value(Op::Slice, &parts)
            }
            Expr::Starred(e) => {
                let value = self.expr(&e.value);
                self.graph.value(Op::Star, &[value])
            }
            Expr::Lambda(e) => self.lambda(e),
            Expr::ListComp(e) => self.comprehension(b'[', &[&e.elt], &e.generators),
            Expr::SetComp(e) => self.comprehension(b'{', &[&e.elt], &e.generators),
            Expr::Generator(e) => self.comprehension(b'(', &[&e.elt], &e.generators),
            Expr::DictComp(e) => {
                let parts: Vec<&Expr> = e.key.as_deref().into_iter().chain([&*e.value]).collect();
                self.comprehension(b':', &parts, &e.generators)
            }
            _ => self.literal_or_other(expr),
        };
        (value, true)
    }

    fn literal_or_other(&mut self, expr: &'g Expr) -> ValueId {
        match expr {
            Expr::NumberLiteral(e) => self.number(&e.value, e.range),
            Expr::StringLiteral(e) => {
                let symbol = self.graph.symbol(e.value.to_str());
                self.graph.leaf(Op::Str(symbol))
            }
            Expr::BooleanLiteral(e) => self.graph.leaf(Op::Bool(e.value)),
            Expr::NoneLiteral(_) => self.graph.leaf(Op::None),
            Expr::EllipsisLiteral(_) => self.graph.leaf(Op::Ellipsis),
            Expr::BytesLiteral(e) => self.text_of(e.range),
            _ => self.other(expr),
        }
    }

    /// A constant of which only its text is known.
    fn text_of(&mut self, range: TextRange) -> ValueId {
        let symbol = self.graph.symbol(self.source.slice(range));
        self.graph.leaf(Op::Literal(symbol))
    }

    fn number(&mut self, number: &Number, range: TextRange) -> ValueId {
        match number {
            Number::Int(n) => match n.as_i64() {
                Some(n) => self.graph.int(n),
                None => self.text_of(range),
            },
            Number::Float(x) => self.graph.float(*x),
            Number::Complex { .. } => self.text_of(range),
        }
    }

    /// Expressions of which only the parts matter: dictionaries, sets, f-strings, `await`, `yield`.
    fn other(&mut self, expr: &'g Expr) -> ValueId {
        let parts = children(expr);
        let values: Vec<ValueId> = parts.into_iter().map(|p| self.expr(p)).collect();
        for &value in &values {
            self.escape_parts(value);
        }
        let result = self.opaque();
        if matches!(expr, Expr::Await(_) | Expr::Yield(_) | Expr::YieldFrom(_)) {
            let value = self.graph.value(Op::Tuple, &values);
            self.effect(Effect::Yield(value));
            // Whoever goes on meanwhile may hold what came in as an argument.
            let arguments: Vec<ValueId> =
                self.body.timeline.values().flatten().map(|&(_, v)| v).filter(|&v| matches!(self.graph.op(v), Op::Param(..))).collect();
            self.escaped.extend(arguments);
            self.bump();
        } else if !values.is_empty() {
            // What a display holds must stay visible to validation although the display itself is opaque.
            let value = self.graph.value(Op::Tuple, &values);
            self.effect(Effect::StoreItem(result, result, value));
        }
        result
    }

    /// What `name` holds here.
    fn name(&mut self, name: Symbol, range: TextRange) -> ValueId {
        let mut at = self.frames.len().checked_sub(1);
        let mut later = false;
        while let Some(index) = at {
            let frame = &self.frames[index];
            if let Some(binding) = frame.get(name) {
                let (value, definitions) = (binding.value, binding.definitions.clone());
                if self.inlining == 0 {
                    definitions.iter().for_each(|&d| self.body.definitions[d as usize].uses.push(range));
                }
                // Imports, functions and classes of a module that nothing else binds stay what they are.
                let settled = self.body.function.is_none() && !matches!(self.definitions.module.get(&name), None | Some(ModuleBinding::Other));
                if later && !settled && self.assigned.contains(&name) {
                    return self.graph.leaf(Op::Captured(self.body.name, name));
                }
                return self.present(name, value);
            }
            later |= frame.deferred;
            if frame.locals.contains(&name) {
                let value = self.graph.leaf(Op::Unbound(name));
                self.effect(Effect::ReadUnbound(value));
                return value;
            }
            at = frame.parent;
        }
        let value = self.captured_name(name).unwrap_or_else(|| self.free_name(name));
        let is_written =
            self.definitions.written.contains(&name) && matches!(self.graph.op(value), Op::ModuleName(_) | Op::Captured(..) | Op::Param(..));
        if is_written && self.epoch > 0 {
            let epoch = self.epoch;
            return self.graph.value(Op::Changed(epoch), &[value]);
        }
        value
    }

    /// What `value`, held by `name`, is by now: an array that others may hold can have been changed in place by every call since.
    fn present(&mut self, name: Symbol, value: ValueId) -> ValueId {
        let exposed = self.escaped.contains(&value) || self.volatile.contains(&name);
        let fixed = self.is_immutable(value)
            || self.class_of_receiver(value).is_some()
            || matches!(
                self.graph.op(value),
                Op::Global(_) | Op::Function(_) | Op::Class(_) | Op::Unbound(_) | Op::Attr(..) | Op::Apply | Op::Call(..)
            );
        if !exposed || self.epoch == 0 || fixed && !self.volatile.contains(&name) {
            return value;
        }
        // Nothing that was known of the value need hold of another one.
        let is_rebound = self.rebound.contains(&name) && self.frame_of(name) == Some(0);
        let held = if is_rebound { self.graph.leaf(Op::Captured(self.body.name, name)) } else { value };
        let epoch = self.epoch;
        self.graph.value(Op::Changed(epoch), &[held])
    }

    /// The frame in which `name` is bound; the first is that of the scope.
    fn frame_of(&self, name: Symbol) -> Option<usize> {
        let parent = |&at: &usize| self.frames[at].parent;
        std::iter::successors(self.frames.len().checked_sub(1), parent).find(|&at| self.frames[at].get(name).is_some())
    }

    /// What an operand is when all of its expression have been evaluated: `x * f(x)` multiplies what `f` left of `x`.
    pub(super) fn by_now(&mut self, operand: &Expr, value: ValueId) -> ValueId {
        match operand {
            Expr::Name(name) if self.graph.op(value) != Op::Changed(self.epoch) => {
                let symbol = self.graph.symbol(&name.id);
                self.present(symbol, value)
            }
            _ => value,
        }
    }

    /// The value of a name that an enclosing function binds.
    fn captured_name(&mut self, name: Symbol) -> Option<ValueId> {
        if self.frames.last().is_some_and(|f| f.scope != self.body.name) {
            return None;
        }
        for outer in &self.enclosing {
            if let Some(&parameter_only) = outer.locals.get(&name) {
                let scope = outer.scope;
                if parameter_only {
                    return Some(self.graph.leaf(Op::Param(scope, name)));
                }
                let inner = format!("{}.<locals>.{}", self.graph.name(scope), self.graph.name(name));
                let inner = self.graph.known_symbol(&inner).filter(|&n| self.definitions.function_named(n).is_some());
                return Some(self.graph.leaf(inner.map_or(Op::Captured(scope, name), Op::Function)));
            }
        }
        None
    }

    /// `object.attribute`.
    pub(super) fn attribute(&mut self, object: ValueId, attribute: &str) -> ValueId {
        if let Some(path) = self.graph.path(object) {
            let path = format!("{path}.{attribute}");
            if matches!(path.as_str(), "mlx.core.newaxis" | "numpy.newaxis") {
                return self.graph.leaf(Op::None);
            }
            let path = self.graph.symbol(&path);
            return self.graph.leaf(Op::Global(path));
        }
        let class = self.class_of_receiver(object);
        if class.is_none() && !attribute.starts_with("__") {
            self.prove_present(object);
        }
        if class.is_none() && !matches!(self.graph.op(object), Op::Class(_) | Op::Function(_) | Op::ModuleName(_)) {
            match attribute {
                "shape" => return self.graph.value(Op::Shape, &[object]),
                "ndim" => return self.graph.value(Op::Ndim, &[object]),
                "dtype" => return self.graph.value(Op::DtypeOf, &[object]),
                "T" => {
                    let none = self.graph.leaf(Op::None);
                    return self.graph.value(Op::Mlx("transpose"), &[object, none]);
                }
                "mT" => return crate::graph::normalize::swap_last_two(self.graph, object),
                _ => {}
            }
        }
        let name = self.graph.symbol(attribute);
        let fixed = class.is_some_and(|c| {
            let initialising = self.body.function.is_some_and(|f| self.definitions.functions[f].ast.name.as_str() == "__init__");
            !initialising && self.definitions.is_kept(c, name)
        });
        let version = if fixed { 0 } else { self.epoch };
        self.graph.value(Op::Attr(name, version), &[object])
    }

    fn unary(&mut self, e: &'g ast::ExprUnaryOp) -> ValueId {
        let operand = self.expr(&e.operand);
        match e.op {
            UnaryOp::USub => self.graph.value(Op::Neg, &[operand]),
            UnaryOp::Not => self.graph.value(Op::Not, &[operand]),
            UnaryOp::Invert => self.graph.value(Op::Invert, &[operand]),
            UnaryOp::UAdd => operand,
        }
    }

    /// `left op right`.
    pub(super) fn binary(&mut self, op: Operator, left: ValueId, right: ValueId) -> ValueId {
        if op == Operator::Mult {
            // A list is repeated by a whole number or not at all.
            match (self.graph.op(left), self.graph.op(right)) {
                (Op::List, _) => self.prove(right, Proved::Int),
                (_, Op::List) => self.prove(left, Proved::Int),
                _ => {}
            }
        }
        self.prove_beside(left, right);
        let op = match op {
            Operator::Add => Op::Add,
            Operator::Sub => Op::Sub,
            Operator::Mult => Op::Mul,
            Operator::Div => Op::Div,
            Operator::FloorDiv => Op::FloorDiv,
            Operator::Mod => Op::Mod,
            Operator::Pow => Op::Pow,
            Operator::MatMult => Op::MatMul,
            Operator::BitAnd => Op::Bits(b'&'),
            Operator::BitOr => Op::Bits(b'|'),
            Operator::BitXor => Op::Bits(b'^'),
            Operator::LShift => Op::Bits(b'<'),
            Operator::RShift => Op::Bits(b'>'),
        };
        self.graph.value(op, &[left, right])
    }

    fn walrus(&mut self, e: &'g ast::ExprNamed) -> ValueId {
        let value = self.expr(&e.value);
        let Expr::Name(name) = &*e.target else { return value };
        let symbol = self.graph.symbol(&name.id);
        if let Some(frame) = self.frames.last_mut().filter(|f| f.locals.contains(&symbol)) {
            if frame.deferred {
                // A name of a lambda is none of the scope.
                frame.set(symbol, super::frame::Binding { value, definitions: smallvec::SmallVec::new() });
            } else {
                self.store(&e.target, value, e.range.end());
            }
            return value;
        }
        // Inside a comprehension the name belongs to the scope around it, and holds what the last round left.
        let unknown = self.opaque();
        self.effect(Effect::StoreName(symbol, value));
        self.carry(symbol, unknown);
        if let Some(frame) = self.frames.iter_mut().rev().find(|f| f.locals.contains(&symbol)) {
            frame.set(symbol, super::frame::Binding { value: unknown, definitions: smallvec::SmallVec::new() });
        }
        value
    }

    /// A tuple or list. Its parts can be seen elsewhere once something keeps it: a name, a container, a call that is not followed.
    fn display(&mut self, op: Op, elts: &'g [Expr]) -> ValueId {
        let values: Operands = elts.iter().map(|e| self.expr(e)).collect();
        self.graph.value(op, &values)
    }

    /// A lambda is lowered where it stands, as if it were called with unknown arguments, so that what it computes can be matched and is compared by
    /// validation.
    fn lambda(&mut self, e: &'g ast::ExprLambda) -> ValueId {
        // Named by its parameters, so that the others keep their names where one is removed.
        let parameters = e.parameters.as_ref().map_or("", |p| self.source.slice(p.range));
        let count = self.lambda_counts.entry(parameters).or_insert(0);
        *count += 1;
        let name = format!("{}.<lambda>({parameters}){count}", self.graph.name(self.body.name));
        let name = self.graph.symbol(&name);
        for default in e.parameters.iter().flat_map(|p| p.iter_non_variadic_params()).filter_map(|p| p.default.as_deref()) {
            self.expr(default);
        }
        let function = self.graph.leaf_function(name);
        self.note_handed_on(|handing| handing.lambda(e));
        let parent = self.frames.len() - 1;
        self.lambdas.insert(name, (e, parent));
        let class = self.frames[parent].class;
        let mut frame = Frame::new(self.body.name, FxHashSet::default(), Some(parent), class);
        frame.deferred = true;
        for parameter in e.parameters.iter().flat_map(|p| p.iter()) {
            let parameter = self.graph.symbol(parameter.name());
            let value = self.graph.leaf(Op::Param(name, parameter));
            frame.locals.insert(parameter);
            frame.set(parameter, super::frame::Binding { value, definitions: smallvec::SmallVec::new() });
        }
        let mut named = Vec::new();
        named_in(&e.body, &mut named);
        frame.locals.extend(named.into_iter().map(|n| self.graph.symbol(n)));
        self.frames.push(frame);
        let outer = self.enter_block(false);
        self.effect(Effect::Lambda(function));
        let result = self.expr(&e.body);
        self.effect(Effect::Return(result));
        self.effect(Effect::Leave);
        self.block = outer;
        self.frames.pop();
        function
    }

    fn comprehension(&mut self, kind: u8, elements: &[&'g Expr], generators: &'g [ast::Comprehension]) -> ValueId {
        let mut operands = Operands::new();
        let mut names = Vec::new();
        generators.iter().for_each(|g| target_names(&g.target, &mut names));
        let locals: FxHashSet<Symbol> = names.into_iter().map(|n| self.graph.symbol(n)).collect();
        // The first iterable is evaluated outside, the others inside.
        let first = generators.first().map(|g| self.expr(&g.iter));
        self.escape_in_comprehension(elements, generators);
        let outer = self.enter_block(true);
        let parent = self.frames.len() - 1;
        let (scope, class) = (self.frames[parent].scope, self.frames[parent].class);
        let mut frame = Frame::new(scope, locals, Some(parent), class);
        frame.deferred = kind == b'(';
        self.frames.push(frame);
        for (n, generator) in generators.iter().enumerate() {
            let iterable = match first {
                Some(iterable) if n == 0 => iterable,
                _ => self.expr(&generator.iter),
            };
            self.effect(Effect::Enter(iterable));
            self.joins += 1;
            let element = self.graph.value(Op::Element(self.body.name, self.joins), &[iterable]);
            self.bind_element(&generator.target, element);
            operands.push(iterable);
            for condition in &generator.ifs {
                let condition = self.expr(condition);
                self.prove_by(condition, true, self.offset);
                operands.push(condition);
            }
        }
        // It stands before what is evaluated first.
        self.apart(|l| {
            for element in elements {
                let value = l.expr(element);
                l.escape_parts(value);
                operands.push(value);
            }
        });
        generators.iter().for_each(|_| self.effect(Effect::Leave));
        self.frames.pop();
        self.block = outer;
        self.graph.value(Op::Comprehension(kind), &operands)
    }

    /// Bind the targets of a comprehension, which are names of its own frame and of no timeline.
    fn bind_element(&mut self, target: &'g Expr, value: ValueId) {
        match target {
            Expr::Name(name) => {
                let name = self.graph.symbol(&name.id);
                self.frame().set(name, super::frame::Binding { value, definitions: smallvec::SmallVec::new() });
            }
            Expr::Tuple(ast::ExprTuple { elts, .. }) | Expr::List(ast::ExprList { elts, .. }) => {
                for (n, target) in elts.iter().enumerate() {
                    let part = self.graph.value(Op::Item(n as u32), &[value]);
                    self.bind_element(target, part);
                }
            }
            Expr::Starred(starred) => {
                let rest = self.opaque();
                self.bind_element(&starred.value, rest);
            }
            _ => {}
        }
    }
}

/// The expressions directly inside `expr`.
fn children(expr: &Expr) -> Vec<&Expr> {
    struct Parts<'a>(Vec<&'a Expr>);
    impl<'a> ast::visitor::source_order::SourceOrderVisitor<'a> for Parts<'a> {
        fn visit_expr(&mut self, expr: &'a Expr) {
            self.0.push(expr);
        }
    }
    let mut parts = Parts(Vec::new());
    ast::visitor::source_order::walk_expr(&mut parts, expr);
    parts.0
}
