//! What the `__init__` of a class says of the attributes of its instances.

use rustc_hash::FxHashMap;

use super::body::{Body, Effect};
use super::definitions::{ClassIndex, Definitions};
use super::modules::{is_pure, module_class, name_of};
use super::value::{Graph, Op, Symbol, ValueId};

/// Facts about the attributes of `self`, by class.
#[derive(Default)]
pub struct ClassFacts {
    receivers: FxHashMap<ValueId, ClassIndex>,
    attributes: FxHashMap<(ClassIndex, Symbol), Vec<ValueId>>,
    pure_modules: FxHashMap<(ClassIndex, Symbol), bool>,
    bases: FxHashMap<ClassIndex, String>,
}

impl ClassFacts {
    /// Note the first parameter of every method, and which classes extend one of `mlx.nn`.
    pub(super) fn note_receivers(&mut self, definitions: &Definitions<'_>, graph: &mut Graph) {
        for (index, info) in definitions.classes.iter().enumerate() {
            if let [base] = info.ast.bases()
                && let Some(path) = definitions.import_path(base, graph)
                && let Some(name) = name_of(&path)
            {
                self.bases.insert(index, name.to_owned());
            }
        }
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
            let pure = module_class(graph, value).is_some_and(is_pure);
            self.pure_modules.entry((class, name)).and_modify(|p| *p &= pure).or_insert(pure);
        }
    }

    /// The class of which `value` is the receiver in some method.
    pub fn receiver(&self, value: ValueId) -> Option<ClassIndex> {
        self.receivers.get(&value).copied()
    }

    /// The class of `mlx.nn` that is the one base of `class`.
    pub fn base(&self, class: ClassIndex) -> Option<&str> {
        self.bases.get(&class).map(String::as_str)
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
