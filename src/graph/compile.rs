//! What `mx.compile` compiles in a file, and how: the one place that knows it. Decorators and calls count alike.

use super::body::Body;
use super::definitions::{Definitions, FunctionIndex};
use super::value::{Graph, Op, Symbol, ValueId};
use crate::syntax::ast::Expr;
use crate::syntax::{Ranged, Source, TextRange};

/// One use of `mx.compile`.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// The functions that may be meant; none for a lambda, or for what the file does not define.
    pub functions: Vec<FunctionIndex>,
    /// The decorator, or the call; a lambda that is compiled lies inside.
    pub range: TextRange,
    /// Index of the scope that compiles: where the call, or the decorated function, stands.
    pub scope: usize,
    /// Whether it is a decorator.
    pub is_decorator: bool,
    /// Whether one compilation is for all shapes.
    pub is_shapeless: bool,
}

impl Compiled {
    /// Whether it may compile the function with this body.
    pub fn compiles(&self, body: &Body) -> bool {
        body.function.is_some_and(|f| self.functions.contains(&f))
    }

    /// Whether it compiles what stands at `range` in `body`: a lambda that is compiled stands in the call.
    pub fn encloses(&self, body: &Body, range: TextRange) -> bool {
        self.compiles(body) || self.range.contains_range(range)
    }
}

/// Every use of `mx.compile` in `bodies`, which are all scopes of the file.
pub(super) fn collect(source: &Source<'_>, definitions: &Definitions<'_>, graph: &Graph, bodies: &[Body]) -> Vec<Compiled> {
    let mut found = Vec::new();
    for (index, info) in definitions.functions.iter().enumerate() {
        for decorator in &info.ast.decorator_list {
            let text = source.slice(decorator.expression.range());
            if text.contains("compile") {
                found.extend(decorated(&decorator.expression, text, index, definitions, graph, bodies));
            }
        }
    }
    let Some(callee) = graph.known_symbol("mlx.core.compile").and_then(|path| graph.find_leaf(Op::Global(path))) else { return found };
    for (scope, body) in bodies.iter().enumerate() {
        for occurrence in &body.occurrences {
            let (Op::Apply, operands) = graph.get(occurrence.value) else { continue };
            let is_seen = found.iter().any(|c: &Compiled| c.range.contains_range(occurrence.range));
            if operands[0] == callee && operands.len() > 1 && !is_seen && !matches!(graph.op(operands[1]), Op::Keyword(_)) {
                let functions = meant(graph, definitions, operands[1]);
                let is_shapeless = operands.iter().any(|&v| is_true(graph, v, "shapeless"));
                found.push(Compiled { functions, range: occurrence.range, scope, is_decorator: false, is_shapeless });
            }
        }
    }
    found
}

/// The compilation that the decorator `expr`, whose text is `text`, makes of function number `index`.
fn decorated(expr: &Expr, text: &str, index: FunctionIndex, definitions: &Definitions<'_>, graph: &Graph, bodies: &[Body]) -> Option<Compiled> {
    let is_shapeless = text.split_whitespace().collect::<String>().contains("shapeless=True");
    // What says that it is for all shapes is taken at its word, whatever its name comes from.
    if !is_shapeless && !is_compile(expr, definitions, graph) {
        return None;
    }
    let around = |b: &(usize, &Body)| b.1.function != Some(index) && b.1.range.contains_range(definitions.functions[index].ast.range());
    let scope = bodies.iter().enumerate().filter(around).min_by_key(|(_, b)| b.range.len())?.0;
    Some(Compiled { functions: vec![index], range: expr.range(), scope, is_decorator: true, is_shapeless })
}

/// The functions that `value` may be.
fn meant(graph: &Graph, definitions: &Definitions<'_>, value: ValueId) -> Vec<FunctionIndex> {
    let named = |name: Symbol| {
        let wanted = graph.name(name);
        definitions.functions.iter().enumerate().filter(move |(_, f)| f.ast.name.as_str() == wanted).map(|(index, _)| index)
    };
    match graph.op(value) {
        Op::Function(name) => definitions.function_named(name).into_iter().collect(),
        // A method, of whatever object.
        Op::Attr(name, _) => named(name).collect(),
        _ => Vec::new(),
    }
}

/// Whether `value` is `name=True`.
fn is_true(graph: &Graph, value: ValueId, name: &str) -> bool {
    matches!(graph.get(value), (Op::Keyword(keyword), &[value]) if graph.name(keyword) == name && graph.op(value) == Op::Bool(true))
}

/// Whether a decorator is `mx.compile` in one of its forms, which changes nothing that a call computes.
pub fn is_compile(decorator: &Expr, definitions: &Definitions<'_>, graph: &Graph) -> bool {
    let is = |expr: &Expr, path: &str| definitions.import_path(expr, graph).as_deref() == Some(path);
    match decorator {
        Expr::Call(call) if is(&call.func, "functools.partial") => call.arguments.args.first().is_some_and(|f| is(f, "mlx.core.compile")),
        Expr::Call(call) => is(&call.func, "mlx.core.compile"),
        _ => is(decorator, "mlx.core.compile"),
    }
}
