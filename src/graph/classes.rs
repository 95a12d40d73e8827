//! What the `__init__` of a class says of the attributes of its instances.

use rustc_hash::{FxHashMap, FxHashSet};

use super::body::{Body, Effect};
use super::definitions::{ClassIndex, Definitions};
use super::modules::{is_pure, is_super, module_class, name_of, sizes};
use super::value::{Graph, Op, Symbol, ValueId};

/// Longer chains of attributes are not followed.
const MAX_DEPTH: u32 = 8;

/// Facts about the attributes of `self`, by class.
#[derive(Default)]
pub struct ClassFacts {
    receivers: FxHashMap<ValueId, ClassIndex>,
    attributes: FxHashMap<(ClassIndex, Symbol), Vec<ValueId>>,
    pure_modules: FxHashMap<(ClassIndex, Symbol), bool>,
    bases: FxHashMap<ClassIndex, String>,
    /// What an `__init__` surely makes a module of some size with: its parameters, what they keep, and quotients.
    sizes: FxHashSet<ValueId>,
    /// The same by what keeps them: a parameter of an `__init__`, of which the file assigns no such attribute, or the class itself.
    kept_sizes: FxHashSet<(ValueId, Symbol)>,
    own_sizes: FxHashSet<(ClassIndex, Symbol)>,
    /// For each class and each value that its instances keep, and nothing else under the same name, these names.
    kept: FxHashMap<(ClassIndex, ValueId), Vec<Symbol>>,
    /// The calls of `super().__init__` in the `__init__` of each class.
    made: FxHashMap<ClassIndex, Vec<ValueId>>,
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
        self.note_sizes(class, body, definitions, graph);
        if info.dynamic {
            return;
        }
        for &effect in &body.effects {
            if let Effect::Call(call) = effect
                && is_super_init(graph, call)
            {
                self.made.entry(class).or_default().push(call);
            }
            let Effect::StoreAttribute(object, name, value) = effect else { continue };
            if self.receivers.get(&object) != Some(&class) || !definitions.is_kept(class, name) {
                continue;
            }
            self.attributes.entry((class, name)).or_default().push(value);
            let pure = module_class(graph, value).is_some_and(is_pure);
            self.pure_modules.entry((class, name)).and_modify(|p| *p &= pure).or_insert(pure);
        }
    }

    /// Take in what is the size of modules made in any case.
    fn note_sizes(&mut self, class: ClassIndex, body: &Body, definitions: &Definitions<'_>, graph: &Graph) {
        let mut depth = 0u32;
        for effect in &body.effects {
            match *effect {
                Effect::Enter(_) => depth += 1,
                Effect::Leave => depth = depth.saturating_sub(1),
                // What comes after may not run.
                Effect::Jump(_) | Effect::Return(_) | Effect::Raise(_) => return,
                Effect::Call(made) if depth == 0 => {
                    for size in sizes(graph, made).filter(|&v| is_given(graph, v, 0)) {
                        self.sizes.insert(size);
                        let (Op::Attr(name, _), &[object]) = graph.get(size) else { continue };
                        if self.receiver(object) == Some(class) {
                            self.own_sizes.insert((class, name));
                        } else if definitions.is_left_alone(name) {
                            self.kept_sizes.insert((object, name));
                        }
                    }
                }
                _ => {}
            }
        }
    }

    /// The methods of a class also run on instances of its subclasses: their attributes are what one `__init__` or the other stores.
    pub(super) fn note_subclasses(&mut self, definitions: &Definitions<'_>) {
        // An instance of a subclass is made by other arguments.
        for parent in (0..definitions.classes.len()).flat_map(|class| definitions.ancestors(class)) {
            self.made.remove(&parent);
        }
        let mut stored: Vec<((ClassIndex, Symbol), Vec<ValueId>)> = self.attributes.iter().map(|(k, v)| (*k, v.clone())).collect();
        stored.sort_unstable();
        for ((class, name), values) in stored {
            let pure = self.is_pure_module(class, name);
            for parent in definitions.ancestors(class) {
                if let Some(own) = self.attributes.get_mut(&(parent, name)) {
                    own.extend(&values);
                    self.pure_modules.entry((parent, name)).and_modify(|p| *p &= pure);
                }
            }
        }
        let mut alone: Vec<_> = self.attributes.iter().filter_map(|(&(class, name), values)| Some((class, *single(values)?, name))).collect();
        alone.sort_unstable();
        alone.into_iter().for_each(|(class, value, name)| self.kept.entry((class, value)).or_default().push(name));
    }

    /// Whether `value` belongs to an `__init__`, which is given or works out an int there, or raises.
    pub fn is_size(&self, graph: &Graph, value: ValueId) -> bool {
        self.sizes.contains(&value) || matches!(graph.get(value), (Op::Attr(name, _), &[object]) if self.kept_sizes.contains(&(object, name)))
    }

    /// Whether instances of `class` keep under `name` what their `__init__` makes a module of some size with.
    pub fn keeps_size(&self, class: ClassIndex, name: Symbol) -> bool {
        self.own_sizes.contains(&(class, name)) && single(self.attribute(class, name)).is_some()
    }

    /// The class of which `value` is the receiver in some method.
    pub fn receiver(&self, value: ValueId) -> Option<ClassIndex> {
        self.receivers.get(&value).copied()
    }

    /// The class of `mlx.nn` that is the one base of `class`.
    pub fn base(&self, class: ClassIndex) -> Option<&str> {
        self.bases.get(&class).map(String::as_str)
    }

    /// The calls of `super().__init__` that may have made an instance of `class`; empty where its `__init__` has none, or it has none itself.
    pub fn made(&self, class: ClassIndex) -> &[ValueId] {
        self.made.get(&class).map_or(&[], Vec::as_slice)
    }

    /// Every value that `__init__` may have stored in the attribute; empty where that is not all there is to know.
    pub fn attribute(&self, class: ClassIndex, name: Symbol) -> &[ValueId] {
        self.attributes.get(&(class, name)).map_or(&[], |v| v)
    }

    /// The names under which instances of `class` keep `value`, whatever happens, where it is worked out from what `__init__` is given.
    pub fn kept_alone(&self, class: ClassIndex, value: ValueId) -> &[Symbol] {
        self.kept.get(&(class, value)).map_or(&[], |v| v)
    }

    /// Whether the attribute is a module of `mlx.nn` whose call has no effects.
    pub fn is_pure_module(&self, class: ClassIndex, name: Symbol) -> bool {
        self.pure_modules.get(&(class, name)).copied().unwrap_or(false)
    }
}

/// Whether `value` is a parameter, what one keeps, or a quotient of such and numbers: no other scope has it.
fn is_given(graph: &Graph, value: ValueId, depth: u32) -> bool {
    let given = |v: ValueId| depth < MAX_DEPTH && is_given(graph, v, depth + 1);
    match graph.get(value) {
        (Op::Param(..), _) => true,
        (Op::Attr(..), &[object]) => given(object),
        (Op::FloorDiv, &[a, b]) => given(a) && (given(b) || graph.as_int(b).is_some()),
        _ => false,
    }
}

/// The only one of `values`.
fn single(values: &[ValueId]) -> Option<&ValueId> {
    if let [only] = values { Some(only) } else { None }
}

/// Whether `call` is `super().__init__(..)`.
fn is_super_init(graph: &Graph, call: ValueId) -> bool {
    let callee = graph.operands(call).first().map(|&c| graph.get(c));
    matches!(callee, Some((Op::Attr(name, _), &[object])) if graph.name(name) == "__init__" && is_super(graph, object))
}

#[cfg(test)]
mod tests {
    use crate::graph::Analysis;
    use crate::graph::value::Graph;
    use crate::syntax::Source;

    const BASE: &str = "import mlx.core as mx\n\nclass Norm:\n    def __init__(self, d):\n        self.weight = mx.ones((d,))\n";

    /// How many values `Norm.weight` may have, none if that is not known.
    fn known(rest: &str) -> usize {
        let text = format!("{BASE}{rest}");
        let source = Source::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let mut analysis = Analysis::new(&source, Graph::default());
        let [class, weight] = ["Norm", "weight"].map(|name| analysis.graph.symbol(name));
        let class = analysis.definitions.class_named(class).expect("the text defines the class");
        analysis.classes.attribute(class, weight).len()
    }

    #[test]
    fn an_attribute_is_what_any_init_of_the_class_and_its_subclasses_stores() {
        assert_eq!(known(""), 1);
        let middle = "class Middle(Norm):\n    pass\n";
        let last = "class Last(Middle):\n    def __init__(self, d):\n        self.weight = mx.ones((2, d))\n";
        assert_eq!(known(&format!("{middle}{last}")), 2);
    }

    #[test]
    fn an_attribute_that_others_assign_is_not_known() {
        assert_eq!(known("class Constant(Norm):\n    weight = 2.0\n"), 0);
        assert_eq!(known("class Tied(Norm):\n    def tie(self, other):\n        self.weight = other.weight\n"), 0);
        assert_eq!(known("    def named(self, value):\n        setattr(self, 'weight', value)\n"), 0);
        assert_eq!(known("    def named(self, name, value):\n        setattr(self, name, value)\n"), 0);
        assert_eq!(known("    def of_another(self, other):\n        setattr(other, 'weight', 2)\n"), 1);
        assert_eq!(known("\ndef widen(norm):\n    norm.weight = norm.weight[None]\n"), 0);
        assert_eq!(known("\ndef widen(model):\n    model.layers[0].norm.weight = 2\n"), 0);
        assert_eq!(known("    @classmethod\n    def made(cls):\n        norm = cls(8)\n        norm.weight = 2\n        return norm\n"), 0);
    }
}
