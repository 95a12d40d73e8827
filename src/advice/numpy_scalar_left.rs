//! A NumPy scalar to the left of an operator: NumPy then computes the result, so the array is evaluated, copied to the host and is an `mx.array` no more.
//! On the right of the operator it is a Python number for MLX.

use crate::finding::{Finding, Notes, TransformId};
use crate::graph::body::Effect;
use crate::graph::dtypes::flow::DtypeFlow;
use crate::graph::dtypes::table::{listed, spelt};
use crate::graph::facts::{Facts, Kind};
use crate::graph::statements::comprehension;
use crate::graph::users::Users;
use crate::graph::value::{Op, ValueId};
use crate::graph::{Analysis, activations};
use crate::place::Place;
use crate::syntax::ast::visitor::source_order::{self, SourceOrderVisitor};
use crate::syntax::ast::{Expr, ExprBinOp, Operator, Stmt};
use crate::syntax::{Ranged, TextRange};

use super::Told;

const MAX_DEPTH: u32 = 8;
/// What NumPy gives no scalar of its own for.
const NOT_SCALARS: [&str; 8] = ["array", "asarray", "arange", "zeros", "ones", "full", "linspace", "load"];

/// Find every operator with a NumPy scalar on its left and an array on its right.
pub fn find(analysis: &Analysis<'_>, id: &TransformId, notes: &Notes) -> Vec<Finding> {
    if memchr::memmem::find(analysis.source.text().as_bytes(), b"numpy").is_none() {
        return Vec::new();
    }
    let mut told = Vec::new();
    for body in &analysis.bodies {
        let place = Place::new(analysis, body, notes);
        let facts = Facts::at(analysis, body, 0, body.range.end());
        let mut operators = Operators { place: &place, facts, told: Vec::new() };
        operators.visit_body(place.own_statements());
        told.append(&mut operators.told);
    }
    told.into_iter().map(|t: Told| t.finding(id)).collect()
}

/// Looks through one scope.
struct Operators<'p, 'x> {
    place: &'p Place<'x>,
    facts: Facts<'x>,
    told: Vec<Told>,
}

impl<'x> SourceOrderVisitor<'x> for Operators<'_, 'x> {
    fn visit_stmt(&mut self, statement: &'x Stmt) {
        if !matches!(statement, Stmt::FunctionDef(_) | Stmt::ClassDef(_)) {
            source_order::walk_stmt(self, statement);
        }
    }

    fn visit_expr(&mut self, expr: &'x Expr) {
        match expr {
            // Names mean something else in there.
            _ if expr.is_lambda_expr() || comprehension(expr).is_some() => return,
            Expr::BinOp(operation) => self.operation(operation),
            _ => {}
        }
        source_order::walk_expr(self, expr);
    }
}

impl Operators<'_, '_> {
    fn operation(&mut self, operation: &ExprBinOp) {
        let source = self.place.source();
        let left = |range: TextRange, reason: &str| self.place.notes.left::<()>(operation.range, range, 60, || reason.to_owned());
        let (Some(scalar), Some(array)) = (self.value(&operation.left), self.value(&operation.right)) else { return };
        if !self.is_scalar(scalar, 0) {
            if self.is_scalar(array, 0) && self.facts.kind(scalar) == Kind::Array {
                left(operation.right.range(), "on the right of an array it is a Python number for MLX");
            }
            return;
        }
        if self.facts.kind(array) != Kind::Array {
            left(operation.right.range(), "what stands on its right is not known to be an array of MLX");
            return;
        }
        if self.is_counted(array, 0) {
            left(operation.right.range(), "what stands on its right is made of numbers alone: next to nothing is copied");
            return;
        }
        let (number, right) = (source.quote(operation.left.range()), source.quote(operation.right.range()));
        let told = Told {
            range: operation.range,
            message: format!("`{number}` is a NumPy scalar: to the left of `{}` it makes a NumPy array of `{right}`", operation.op.as_str()),
            rationale: [
                Some(format!(
                    "In bfloat16 it raises, and so it does under `mx.compile`. In other dtypes NumPy computes it on the host: it waits until `{right}` is there, copies it, and what follows begins with another copy; in float64 where the scalar is."
                )),
                self.spread(operation.range),
                Some(self.activation(operation.range).unwrap_or_else(|| self.remedy(operation, &number, &right))),
            ]
            .into_iter()
            .flatten()
            .collect(),
        };
        self.told.push(told);
    }

    /// What is made of the operation.
    fn spread(&self, operation: TextRange) -> Option<String> {
        let Place { analysis, body, .. } = *self.place;
        let made = body.occurrences.iter().find(|o| o.range == operation)?.value;
        let of = DtypeFlow::new(analysis, &self.facts).made_of(made, &Users::throughout(analysis, body));
        Some(format!("What is made of it is computed on the host as well, or copied back from there: {}.", listed(analysis, body, &of)))
    }

    /// What to write instead of the activation of `mlx.nn` that the operation is a part of.
    fn activation(&self, operation: TextRange) -> Option<String> {
        let Place { analysis, body, .. } = *self.place;
        let part = body.occurrences.iter().find(|o| o.own && o.range == operation)?;
        let whole = activations::around(&analysis.graph, body, *part)?;
        let text = self.place.source().quote(whole.range);
        Some(format!("All of `{text}` is `nn.{}({})`, which is compiled.", whole.name, spelt(analysis, body, whole.of)))
    }

    /// What to write instead.
    fn remedy(&self, operation: &ExprBinOp, number: &str, right: &str) -> String {
        let (operator, is_short) = (operation.op.as_str(), !matches!(*operation.right, Expr::BinOp(_) | Expr::UnaryOp(_)));
        if is_short && matches!(operation.op, Operator::Mult | Operator::Add) {
            return format!("Write `{right} {operator} {number}`, where MLX takes it for a Python number, or `float({number})` in its place.");
        }
        format!("Write `float({number})` in its place: a Python number takes the dtype of the array beside it.")
    }

    /// The value of an expression; that of a name of the module is what it is given once.
    fn value(&self, expr: &Expr) -> Option<ValueId> {
        let value = match expr {
            Expr::Name(name) => self.place.value_of(&name.id, expr.start()).or_else(|| {
                let symbol = self.place.analysis.graph.known_symbol(&name.id)?;
                self.place.analysis.graph.find_leaf(Op::ModuleName(symbol))
            })?,
            _ => self.place.value(expr)?,
        };
        match self.place.analysis.graph.op(value) {
            Op::ModuleName(name) => {
                let module = self.place.analysis.bodies.first()?;
                let mut given = module.effects.iter().filter_map(|e| match *e {
                    Effect::StoreName(n, value) if n == name => Some(value),
                    _ => None,
                });
                let (given, None) = (given.next()?, given.next()) else { return Some(value) };
                Some(given)
            }
            _ => Some(value),
        }
    }

    /// Whether `value` is a row of numbers that count on, or is made of such.
    fn is_counted(&self, value: ValueId, depth: u32) -> bool {
        let graph = &self.place.analysis.graph;
        match graph.get(value) {
            _ if depth > MAX_DEPTH => false,
            (Op::Mlx("arange" | "linspace"), _) => true,
            (Op::Mlx("expand_dims" | "reshape" | "astype") | Op::Index(_) | Op::Neg, operands) => self.is_counted(operands[0], depth + 1),
            (Op::Add | Op::Sub | Op::Mul | Op::Div, &[a, b]) => {
                let counted = |v: ValueId| self.is_counted(v, depth + 1);
                counted(a) && (self.facts.kind(b).is_number() || counted(b)) || self.facts.kind(a).is_number() && counted(b)
            }
            _ => false,
        }
    }

    /// Whether NumPy made a number of `value`: of Python numbers alone.
    fn is_scalar(&self, value: ValueId, depth: u32) -> bool {
        let graph = &self.place.analysis.graph;
        let is_number = |v: ValueId| self.facts.kind(v).is_number() || graph.number(v).is_some();
        if depth > MAX_DEPTH {
            return false;
        }
        match graph.get(value) {
            (Op::Apply | Op::Call(..), operands) => {
                let name = graph.path(operands[0]).and_then(|p| p.strip_prefix("numpy."));
                let makes = name.is_some_and(|n| !n.contains('.') && !NOT_SCALARS.contains(&n));
                makes && operands.len() > 1 && operands[1..].iter().all(|&v| is_number(v) || self.is_scalar(v, depth + 1))
            }
            (Op::Neg, &[of]) => self.is_scalar(of, depth + 1),
            (Op::Add | Op::Sub | Op::Mul | Op::Div | Op::Pow, &[a, b]) => {
                let made = |v: ValueId| self.is_scalar(v, depth + 1);
                made(a) && (made(b) || is_number(b)) || is_number(a) && made(b)
            }
            _ => false,
        }
    }
}
