//! What is known of the modules of `mlx.nn`: which of them compute from their arguments and parameters alone, and which arguments made one.

use super::definitions::Definitions;
use super::value::{Graph, Op, Symbol, ValueId};
use crate::syntax::ast::{self, Expr};
use crate::syntax::quoted_annotation;

/// Modules of `mlx.nn` whose call depends on its arguments and parameters alone. Dropout draws random numbers and batch norm updates its statistics.
const PURE_MODULES: [&str; 31] = [
    "Linear",
    "Bilinear",
    "Identity",
    "Embedding",
    "QuantizedLinear",
    "QuantizedEmbedding",
    "LayerNorm",
    "RMSNorm",
    "GroupNorm",
    "InstanceNorm",
    "RoPE",
    "ALiBi",
    "SinusoidalPositionalEncoding",
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
    "GELU",
    "SiLU",
    "ReLU",
    "Tanh",
    "Sigmoid",
    "Softmax",
    "AvgPool1d",
    "AvgPool2d",
    "MaxPool1d",
    "MaxPool2d",
    "GLU",
    "Upsample",
];

/// Whether calling a module of this class has no effects.
pub fn is_pure(class: &str) -> bool {
    PURE_MODULES.contains(&class)
}

/// The class of `mlx.nn` at `path`: `mlx.nn.Linear`, and `mlx.nn.layers.linear.Linear` where someone imports it from there.
pub fn name_of(path: &str) -> Option<&str> {
    path.strip_prefix("mlx.nn.")?.rsplit('.').next()
}

/// The name of the `mlx.nn` class that `value` is made by calling.
pub fn module_class(graph: &Graph, value: ValueId) -> Option<&str> {
    let (Op::Call(..), operands) = graph.get(value) else { return None };
    name_of(graph.path(*operands.first()?)?)
}

/// Whether `value` is `super()` in a method.
pub fn is_super(graph: &Graph, value: ValueId) -> bool {
    let (Op::Apply, &[callee, _]) = graph.get(value) else { return false };
    matches!(graph.op(callee), Op::Builtin(name) if graph.name(name) == "super")
}

/// The argument that a constructor was given by position or by name.
pub fn argument(graph: &Graph, made: ValueId, position: usize, name: &str) -> Option<ValueId> {
    passed(graph, &graph.operands(made)[1..], position, name)
}

/// The one of `arguments` for the parameter with this position and name.
pub fn passed(graph: &Graph, arguments: &[ValueId], position: usize, name: &str) -> Option<ValueId> {
    let keyword = arguments.iter().find_map(|&v| match graph.get(v) {
        (Op::Keyword(k), &[value]) if graph.name(k) == name => Some(value),
        _ => None,
    });
    keyword.or_else(|| arguments.get(position).copied().filter(|&v| !matches!(graph.op(v), Op::Keyword(_) | Op::Star)))
}

/// The modules of `mlx.nn` whose first arguments are lengths of axes, and their names: MLX raises for anything but ints.
const SIZES: [(&str, &[&str]); 7] = [
    ("Linear", &["input_dims", "output_dims"]),
    ("Embedding", &["num_embeddings", "dims"]),
    ("Conv1d", &["in_channels", "out_channels"]),
    ("Conv2d", &["in_channels", "out_channels"]),
    ("Conv3d", &["in_channels", "out_channels"]),
    ("LayerNorm", &["dims"]),
    ("RMSNorm", &["dims"]),
];

/// The lengths of axes that a module is made with.
pub(super) fn sizes(graph: &Graph, made: ValueId) -> impl Iterator<Item = ValueId> {
    let known = module_class(graph, made).and_then(|class| SIZES.iter().find(|(name, _)| *name == class));
    known.into_iter().flat_map(|(_, names)| names.iter().enumerate()).filter_map(move |(n, name)| argument(graph, made, n, name))
}

/// The classes of `mlx.nn` that an annotation allows: one, or several joined by `|`. None where it allows anything else.
pub fn annotated(annotation: &Expr, definitions: &Definitions<'_>, graph: &Graph) -> Vec<String> {
    match annotation {
        Expr::BinOp(e) if e.op == ast::Operator::BitOr => {
            let (mut left, right) = (annotated(&e.left, definitions, graph), annotated(&e.right, definitions, graph));
            if left.is_empty() || right.is_empty() {
                return Vec::new();
            }
            left.extend(right);
            left
        }
        Expr::StringLiteral(e) => quoted_annotation(e.value.to_str()).map(|a| annotated(&a, definitions, graph)).unwrap_or_default(),
        _ => match definitions.import_path(annotation, graph) {
            Some(path) => name_of(&path).map(str::to_owned).into_iter().collect(),
            None => Vec::new(),
        },
    }
}

/// The classes of `mlx.nn` that the annotation of a parameter allows.
pub fn of_parameter(scope: Symbol, name: Symbol, definitions: &Definitions<'_>, graph: &Graph) -> Vec<String> {
    definitions.annotation(scope, name, graph).map(|a| annotated(a, definitions, graph)).unwrap_or_default()
}
