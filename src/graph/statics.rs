//! Static methods: functions that stand in a class, and are called by its name or that of a receiver with nothing in front of their arguments.

use rustc_hash::FxHashMap;

use super::definitions::{ClassIndex, Definitions, FunctionIndex};
use super::names::locals_of;
use super::value::{Graph, Op, Symbol, ValueId};
use crate::syntax::ast;

impl Definitions<'_> {
    /// Note the static methods of plain classes, where nothing else has their name.
    pub(super) fn note_statics(&mut self, graph: &mut Graph) {
        let is_rebound = graph.known_symbol("staticmethod").is_some_and(|name| self.module.contains_key(&name));
        let mut found: FxHashMap<(ClassIndex, Symbol), FunctionIndex> = FxHashMap::default();
        for (index, info) in self.functions.iter().enumerate().filter(|_| !is_rebound) {
            let Some(class) = info.class.filter(|_| has_decorator(info.ast)) else { continue };
            let of = self.classes[class].ast;
            let is_plain = of.decorator_list.is_empty() && of.keywords().is_empty();
            let mut bound = Vec::new();
            locals_of(&of.body, &mut bound);
            if is_plain && bound.iter().filter(|name| **name == info.ast.name.as_str()).count() == 1 {
                found.insert((class, graph.symbol(&info.ast.name)), index);
            }
        }
        self.statics = found;
    }

    /// The static method `name` that instances of `class` have, and the class itself.
    pub fn static_of(&self, class: ClassIndex, name: Symbol) -> Option<FunctionIndex> {
        let info = &self.classes[class];
        let is_kept = !info.dynamic && !info.overridden.contains(&name) && !info.reassigned.contains(&name);
        self.statics.get(&(class, name)).copied().filter(|_| is_kept)
    }

    /// Whether function `index` is such a method.
    pub(super) fn is_static(&self, index: FunctionIndex, graph: &Graph) -> bool {
        let info = &self.functions[index];
        info.class.zip(graph.known_symbol(&info.ast.name)).is_some_and(|key| self.statics.get(&key) == Some(&index))
    }

    /// The static method that `callee` is, an attribute of a class.
    pub fn static_named(&self, graph: &Graph, callee: ValueId) -> Option<FunctionIndex> {
        let (Op::Attr(name, _), &[object]) = graph.get(callee) else { return None };
        let Op::Class(class) = graph.op(object) else { return None };
        self.static_of(self.class_named(class)?, name)
    }
}

/// Whether `function` is decorated as a static method, and by nothing else.
fn has_decorator(function: &ast::StmtFunctionDef) -> bool {
    matches!(&function.decorator_list[..], [only] if only.expression.as_name_expr().is_some_and(|name| name.id.as_str() == "staticmethod"))
}

#[cfg(test)]
mod tests {
    use crate::graph::Analysis;
    use crate::graph::value::{Graph, Op};
    use crate::syntax::Source;

    /// Whether the function `f` of a text returns a product, with what `C` holds, and what comes after it.
    fn is_followed(class: &str, call: &str, after: &str) -> bool {
        let text = format!("import mlx.core as mx\n\n{class}\n\n    def f(self, x: mx.array):\n        return {call}\n{after}\n");
        let source = Source::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let analysis = Analysis::new(&source, Graph::default());
        let body = analysis.bodies.iter().find(|b| analysis.graph.name(b.name) == "C.f").expect("the class has it");
        let last = body.occurrences.last().expect("it computes something");
        analysis.graph.op(last.value) == Op::Mul
    }

    #[test]
    fn a_static_method_is_followed_by_the_name_of_its_class_and_by_a_receiver() {
        let class = "class C:\n    @staticmethod\n    def twice(x, n=2):\n        return x * n";
        for call in ["C.twice(x)", "self.twice(x)", "C.twice(x, n=3)", "C.twice(n=3, x=x)"] {
            assert!(is_followed(class, call, ""), "{call}");
        }
        for call in ["C.twice(x, 1, 2)", "C.other(x)", "self.other(x)", "C().twice(x)", "x.twice(x)"] {
            assert!(!is_followed(class, call, ""), "{call}");
        }
    }

    #[test]
    fn what_may_be_another_function_by_then_is_not_followed() {
        let body = "def twice(x):\n        return x * 2";
        for class in [
            format!("class C:\n    @classmethod\n    {body}"),
            format!("class C:\n    @staticmethod\n    async {body}"),
            format!("class C:\n    @staticmethod\n    @traced\n    {body}"),
            format!("@traced\nclass C:\n    @staticmethod\n    {body}"),
            format!("class C(metaclass=M):\n    @staticmethod\n    {body}"),
            format!("class C:\n    @staticmethod\n    {body}\n\n    twice = traced(twice)"),
            format!("def staticmethod(f):\n    return f\n\nclass C:\n    @staticmethod\n    {body}"),
            format!("class C:\n    {body}"),
        ] {
            assert!(!is_followed(&class, "C.twice(x)", ""), "{class}");
        }
        let class = format!("class C:\n    @staticmethod\n    {body}");
        for after in ["C.twice = print", "class D(C):\n    def twice(x):\n        return x", "C = None", "def g():\n    global C\n    C = None"] {
            assert!(!is_followed(&class, "C.twice(x)", after), "{after}");
        }
    }
}
