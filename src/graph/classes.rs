//! What the `__init__` of a class says of the attributes of its instances.

use rustc_hash::FxHashMap;

use super::body::{Body, Effect};
use super::definitions::{ClassIndex, Definitions};
use super::value::{Graph, Op, Symbol, ValueId};

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

/// Facts about the attributes of `self`, by class.
#[derive(Default)]
pub struct ClassFacts {
    receivers: FxHashMap<ValueId, ClassIndex>,
    attributes: FxHashMap<(ClassIndex, Symbol), Vec<ValueId>>,
    pure_modules: FxHashMap<(ClassIndex, Symbol), bool>,
}

impl ClassFacts {
    /// Note the first parameter of every method.
    pub(super) fn note_receivers(&mut self, definitions: &Definitions<'_>, graph: &mut Graph) {
        for info in &definitions.functions {
            let Some(class) = info.class else { continue };
            let is_static = info
                .ast
                .decorator_list
                .iter()
                .any(|d| d.expression.as_name_expr().is_some_and(|n| matches!(n.id.as_str(), "staticmethod" | "classmethod")));
            if is_static {
                continue;
            }
            if let Some(first) = info.ast.parameters.iter_non_variadic_params().next() {
                let name = graph.symbol(&first.parameter.name);
                let value = graph.leaf(Op::Param(info.name, name));
                self.receivers.insert(value, class);
            }
        }
    }

    /// Take in what a lowered `__init__` stores in `self`.
    pub(super) fn note_init(&mut self, class: ClassIndex, body: &Body, definitions: &Definitions<'_>, graph: &Graph) {
        let info = &definitions.classes[class];
        if info.dynamic {
            return;
        }
        for &effect in &body.effects {
            let Effect::StoreAttribute(object, name, value) = effect else { continue };
            if self.receivers.get(&object) != Some(&class) || info.reassigned.contains(&name) {
                continue;
            }
            self.attributes.entry((class, name)).or_default().push(value);
            let pure = module_class(graph, value).is_some_and(|module| PURE_MODULES.contains(&module));
            self.pure_modules.entry((class, name)).and_modify(|p| *p &= pure).or_insert(pure);
        }
    }

    /// The class of which `value` is the receiver in some method.
    pub fn receiver(&self, value: ValueId) -> Option<ClassIndex> {
        self.receivers.get(&value).copied()
    }

    /// Every value that `__init__` may have stored in the attribute; empty where that is not all there is to know.
    pub fn attribute(&self, class: ClassIndex, name: Symbol) -> &[ValueId] {
        self.attributes.get(&(class, name)).map_or(&[], |v| v)
    }

    /// Whether the attribute is a module of `mlx.nn` whose call has no effects.
    pub fn is_pure_module(&self, class: ClassIndex, name: Symbol) -> bool {
        self.pure_modules.get(&(class, name)).copied().unwrap_or(false)
    }
}

/// The name of the `mlx.nn` class that `value` is made by calling.
pub fn module_class(graph: &Graph, value: ValueId) -> Option<&str> {
    let (Op::Call(..), operands) = graph.get(value) else { return None };
    let class = graph.path(*operands.first()?)?.strip_prefix("mlx.nn.")?;
    // `nn.Linear`, and `mlx.nn.layers.linear.Linear` where someone imports it from there.
    class.rsplit('.').next()
}
