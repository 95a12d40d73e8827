//! Which module of `mlx.nn` a value that is called is, and what the arguments that made it say of it.

use super::{Facts, Kind};
use crate::graph::definitions::ClassIndex;
use crate::graph::modules::{argument, is_super, module_class, of_parameter};
use crate::graph::value::{Op, Symbol, ValueId};

impl<'x> Facts<'x> {
    /// The `mlx.nn` class of which `value` is an instance: an attribute of `self`, an annotated parameter, or `super().__call__` of a class that extends one.
    pub fn module_of(&self, value: ValueId) -> Option<&'x str> {
        let graph = &self.analysis.graph;
        match graph.get(value) {
            (Op::Attr(name, _), &[object]) => {
                if is_super(graph, object) {
                    return self.analysis.classes.base(self.class_of_super(object)?).filter(|_| graph.name(name) == "__call__");
                }
                let mut modules = self.makers(value).iter().map(|&v| module_class(graph, v));
                let first = modules.next()??;
                modules.all(|m| m == Some(first)).then_some(first)
            }
            _ => None,
        }
    }

    /// Whether `value` is a module of one of `classes`.
    pub fn is_module_of(&self, value: ValueId, classes: &[String]) -> bool {
        let graph = &self.analysis.graph;
        match (self.module_of(value), graph.op(value)) {
            (Some(class), _) => classes.iter().any(|c| c == class),
            (None, Op::Param(scope, name)) => {
                let allowed = of_parameter(scope, name, &self.analysis.definitions, graph);
                !allowed.is_empty() && allowed.iter().all(|c| classes.contains(c))
            }
            _ => false,
        }
    }

    /// The class in whose method `object` is `super()`.
    fn class_of_super(&self, object: ValueId) -> Option<ClassIndex> {
        self.analysis.graph.operands(object).get(1).and_then(|&receiver| self.analysis.classes.receiver(receiver))
    }

    /// What `__init__` gives an attribute of `self`, of a module the call that makes it; of `super()` the calls that may have made the instance itself.
    pub fn makers(&self, value: ValueId) -> &'x [ValueId] {
        let graph = &self.analysis.graph;
        match graph.get(value) {
            (Op::Attr(..), &[object]) if is_super(graph, object) => {
                self.class_of_super(object).map_or(&[], |class| self.analysis.classes.made(class))
            }
            (Op::Attr(name, _), &[object]) => self.class_of(object, 0).map_or(&[], |class| self.analysis.classes.attribute(class, name)),
            _ => &[],
        }
    }

    /// Whether every call that may have made the module gives this truth value for an argument.
    fn made_with(&self, value: ValueId, position: usize, name: &str, wanted: bool) -> bool {
        let graph = &self.analysis.graph;
        let makers = self.makers(value);
        !makers.is_empty() && makers.iter().all(|&m| argument(graph, m, position, name).is_some_and(|v| graph.op(v) == Op::Bool(wanted)))
    }

    /// How many axes the parameter `name` of `module` has, a module of `mlx.nn`: it is an array with so many, or reading it raises.
    pub(super) fn rank_of_parameter(&self, module: ValueId, name: Symbol) -> Option<u8> {
        let parameter = self.analysis.graph.name(name);
        if !matches!(parameter, "weight" | "bias") || self.analysis.definitions.assigned_outside.contains(&name) {
            return None;
        }
        let rank = match self.module_of(module)? {
            "Linear" | "QuantizedLinear" => 2,
            "Embedding" | "QuantizedEmbedding" if parameter == "weight" => return Some(2),
            "LayerNorm" | "RMSNorm" | "GroupNorm" | "InstanceNorm" => 1,
            "Conv1d" | "ConvTranspose1d" => 3,
            "Conv2d" | "ConvTranspose2d" => 4,
            "Conv3d" | "ConvTranspose3d" => 5,
            _ => return None,
        };
        Some(if parameter == "bias" { 1 } else { rank })
    }

    /// Whether `value` is an array wherever it is read, whatever a test for `None` suggests: what the file makes, and the parameters of a module of `mlx.nn`.
    /// Of what a caller gives, an annotation says what is meant, and the test that there may be nothing all the same.
    pub fn is_there(&self, value: ValueId) -> bool {
        !matches!(self.analysis.graph.op(value), Op::Param(..)) && self.kind(value) == Kind::Array
    }

    /// Whether the module is a norm that takes mean and variance in float32 whatever it is given. A group norm does so only in PyTorch's order.
    pub fn accumulates_in_float32(&self, value: ValueId) -> bool {
        match self.module_of(value) {
            Some("LayerNorm" | "RMSNorm" | "InstanceNorm") => true,
            Some("GroupNorm") => self.made_with(value, 4, "pytorch_compatible", true),
            Some(_) => false,
            None => self.is_module_of(value, &["LayerNorm", "RMSNorm", "InstanceNorm"].map(str::to_owned)),
        }
    }

    /// Whether the module is a layer norm without bias.
    pub fn has_no_bias(&self, value: ValueId) -> bool {
        self.module_of(value) == Some("LayerNorm") && self.made_with(value, 3, "bias", false)
    }

    /// Whether the module is a norm without weight and bias.
    pub fn has_no_parameters(&self, value: ValueId) -> bool {
        let graph = &self.analysis.graph;
        match self.module_of(value) {
            Some("LayerNorm") => self.made_with(value, 2, "affine", false),
            Some("GroupNorm") => self.made_with(value, 3, "affine", false),
            Some("InstanceNorm") => {
                let unset = |&m: &ValueId| argument(graph, m, 2, "affine").is_none_or(|v| graph.op(v) == Op::Bool(false));
                let plain = |&m: &ValueId| !graph.operands(m).iter().any(|&v| graph.op(v) == Op::Star);
                !self.makers(value).is_empty() && self.makers(value).iter().all(|m| unset(m) && plain(m))
            }
            _ => false,
        }
    }
}
