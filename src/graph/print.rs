//! The value graph of a scope as text, for people and snapshots: a line for each value that an effect needs, then the effects. Decides nothing; equal
//! behaviour gives equal lines.

use std::fmt::Write as _;

use rustc_hash::FxHashMap;

use super::Analysis;
use super::body::{Body, Effect};
use super::value::{Comparison, Graph, Op, Symbol, ValueId};

/// The values and effects of `body`. Constants and names stand where they are used, and so do tuples and what is passed by name.
pub fn print(analysis: &Analysis<'_>, body: &Body) -> String {
    let graph = &analysis.graph;
    let effects = body.behaviour(&analysis.graph);
    let mut printer = Printer { graph, scope: body.name, numbers: FxHashMap::default(), out: format!("{}\n", graph.name(body.name)) };
    for value in effects.iter().flat_map(|e| e.values().into_iter().flatten()) {
        printer.define(value);
    }
    printer.effects(&effects);
    printer.out
}

struct Printer<'g> {
    graph: &'g Graph,
    scope: Symbol,
    numbers: FxHashMap<ValueId, usize>,
    out: String,
}

impl Printer<'_> {
    /// A line for `value`, after those for what it is made of. An explicit stack, for graphs of generated code can be deep.
    fn define(&mut self, value: ValueId) {
        let mut stack = vec![(value, false)];
        while let Some((top, ready)) = stack.pop() {
            if self.numbers.contains_key(&top) {
                continue;
            }
            if !ready {
                stack.push((top, true));
                stack.extend(self.graph.operands(top).iter().rev().map(|&operand| (operand, false)));
            } else if !self.stands_inline(top) {
                let line = format!("{}{}", self.operation(self.graph.op(top)), self.list(self.graph.operands(top), " "));
                let number = self.numbers.len() + 1;
                self.numbers.insert(top, number);
                self.line(1, &format!("%{number} = {line}"));
            }
        }
    }

    fn effects(&mut self, effects: &[Effect]) {
        let mut depth = 1;
        for effect in effects {
            let text = self.effect(effect);
            match effect {
                Effect::Enter(_) | Effect::Lambda(_) => {
                    self.line(depth, &text);
                    depth += 1;
                }
                Effect::Else => self.line(depth - 1, &text),
                Effect::Leave => depth = (depth - 1).max(1),
                _ => self.line(depth, &text),
            }
        }
    }

    fn effect(&self, effect: &Effect) -> String {
        let show = |value| self.operand(value);
        match *effect {
            Effect::Return(v) => format!("return {}", show(v)),
            Effect::Yield(v) => format!("yield {}", show(v)),
            Effect::Raise(v) => format!("raise {}", show(v)),
            Effect::Assert(v) => format!("assert {}", show(v)),
            Effect::Call(v) => format!("call {}", show(v)),
            Effect::Evaluate(v) => format!("evaluate {}", show(v)),
            Effect::StoreAttribute(object, name, v) => format!("store {}.{} = {}", show(object), self.graph.name(name), show(v)),
            Effect::StoreItem(object, index, v) => format!("store {}[{}] = {}", show(object), show(index), show(v)),
            Effect::StoreName(name, v) => format!("store {} = {}", self.graph.name(name), show(v)),
            Effect::Mutate(before, after) => format!("mutate {} into {}", show(before), show(after)),
            Effect::Carry(join, v) => format!("carry {} to {}", show(v), show(join)),
            Effect::ReadUnbound(v) => format!("read {} unbound", show(v)),
            Effect::Delete(v) => format!("delete {}", show(v)),
            Effect::Enter(v) => format!("enter {}", show(v)),
            Effect::Lambda(v) => format!("lambda {}", show(v)),
            Effect::Else => "else".to_owned(),
            Effect::Leave => "leave".to_owned(),
            Effect::Jump(breaks) => if breaks { "break" } else { "continue" }.to_owned(),
        }
    }

    /// Whether `value` is short enough to stand where it is used.
    fn stands_inline(&self, value: ValueId) -> bool {
        let (op, operands) = self.graph.get(value);
        operands.is_empty() && !matches!(op, Op::Call(..) | Op::List | Op::Apply) || matches!(op, Op::Tuple | Op::Keyword(_) | Op::Star)
    }

    /// A value where it is used.
    fn operand(&self, value: ValueId) -> String {
        if let Some(number) = self.numbers.get(&value) {
            return format!("%{number}");
        }
        let (op, operands) = self.graph.get(value);
        match op {
            // Tuples of tuples are written by people, so they are not deep.
            Op::Tuple => format!("({})", self.list(operands, "")),
            Op::Keyword(name) => format!("{}={}", self.graph.name(name), self.list(operands, "")),
            Op::Star => format!("*{}", self.list(operands, "")),
            op => self.operation(op),
        }
    }

    fn list(&self, operands: &[ValueId], lead: &str) -> String {
        let operands: Vec<String> = operands.iter().map(|&v| self.operand(v)).collect();
        if operands.is_empty() { String::new() } else { format!("{lead}{}", operands.join(", ")) }
    }

    /// The word for an operation; for a leaf, what it is.
    fn operation(&self, op: Op) -> String {
        let name = |symbol| self.graph.name(symbol);
        let local = |scope: Symbol, n: Symbol| if scope == self.scope { name(n).to_owned() } else { format!("{}:{}", name(scope), name(n)) };
        match op {
            Op::Int(n) => n.to_string(),
            Op::Float(bits) => format!("{:?}", f64::from_bits(bits)),
            Op::Bool(value) => if value { "True" } else { "False" }.to_owned(),
            Op::Str(text) => format!("{:?}", name(text)),
            Op::Literal(text) => name(text).to_owned(),
            Op::Param(scope, n) | Op::Captured(scope, n) => local(scope, n),
            Op::Global(n) | Op::ModuleName(n) | Op::Builtin(n) | Op::Function(n) | Op::Class(n) => name(n).to_owned(),
            Op::Unbound(n) => format!("unbound {}", name(n)),
            Op::Phi(scope, at, n) => format!("{}#{at}", local(scope, n)),
            Op::Opaque(_, n) => format!("unknown#{n}"),
            Op::Element(_, n) => format!("element#{n}"),
            Op::Call(_, n) => format!("call#{n}"),
            Op::Attr(n, version) => format!("attribute{} {} of", after_writes(version), name(n)),
            Op::Index(version) => format!("index{} of", after_writes(version)),
            Op::Item(n) => format!("item {n} of"),
            Op::Dim(n) => format!("dim {n} of"),
            Op::Bits(operator) => format!("bits {}", char::from(operator)),
            Op::Comprehension(bracket) => format!("comprehension {}", char::from(bracket)),
            Op::Keyword(n) => name(n).to_owned(),
            Op::Mlx(n) => format!("mx.{n}"),
            op => word(op).to_owned(),
        }
    }

    fn line(&mut self, depth: usize, text: &str) {
        // Writing to a String cannot fail. Texts of constants may hold line ends of their own.
        let _ = writeln!(self.out, "{}{}", "  ".repeat(depth), text.replace(['\n', '\r'], " "));
    }
}

/// The word for an operation that carries nothing else.
fn word(op: Op) -> &'static str {
    match op {
        Op::None => "None",
        Op::Ellipsis => "...",
        Op::Tuple => "tuple",
        Op::List => "list",
        Op::Slice => "slice",
        Op::Add => "add",
        Op::Sub => "subtract",
        Op::Mul => "multiply",
        Op::Div => "divide",
        Op::FloorDiv => "floor-divide",
        Op::Mod => "remainder",
        Op::Pow => "power",
        Op::MatMul => "matmul",
        Op::Neg => "negative",
        Op::Stored => "stored",
        Op::Not => "not",
        Op::Invert => "invert",
        Op::And => "and",
        Op::Or => "or",
        Op::Gate => "gate",
        Op::Apply => "apply",
        Op::Star => "star",
        Op::Shape => "shape of",
        Op::Ndim => "ndim of",
        Op::DtypeOf => "dtype of",
        Op::Permute => "permute",
        Op::AnyOf => "any of",
        Op::Compare(comparison) => match comparison {
            Comparison::Eq => "equal",
            Comparison::NotEq => "not equal",
            Comparison::Lt => "less",
            Comparison::LtE => "at most",
            Comparison::Gt => "greater",
            Comparison::GtE => "at least",
            Comparison::Is => "is",
            Comparison::In => "in",
        },
        Op::Changed(_) => "changed",
        _ => "?",
    }
}

/// A mark for reads after something may have changed what is read.
fn after_writes(version: u32) -> String {
    if version == 0 { String::new() } else { format!("@{version}") }
}
