//! Names that a module gives to what an import holds, as in `f32 = mx.float32`, found in the text alone. They stand for it as an import of it does.

use rustc_hash::FxHashMap;

use super::definitions::{Definitions, ModuleBinding};
use super::names::bound_names;
use super::statements;
use super::value::Graph;
use crate::syntax::ast::{self, Expr, Stmt};

/// Modules of which the names stay what they are.
const CONSTANT: [&str; 3] = ["mlx.", "numpy.", "math."];

impl Definitions<'_> {
    /// Note the names that the module binds once, to something of MLX, NumPy or `math`, and that no function assigns.
    pub(super) fn note_aliases(&mut self, module: &[Stmt], graph: &mut Graph) {
        let seen = Seen::of(module);
        for (name, value) in seen.aliases {
            let Some(name) = graph.known_symbol(name).filter(|_| seen.bound[name] == 1) else { continue };
            let Some(path) = self.import_path(value, graph) else { continue };
            if !self.shared.contains(&name) && CONSTANT.iter().any(|module| path.starts_with(module)) {
                let path = graph.symbol(&path);
                self.module.insert(name, ModuleBinding::Import(path));
            }
        }
    }
}

/// What a module binds.
#[derive(Default)]
struct Seen<'a> {
    /// How often each name is bound.
    bound: FxHashMap<&'a str, u32>,
    /// The names that are assigned an attribute of something, which it is.
    aliases: Vec<(&'a str, &'a Expr)>,
}

impl<'a> Seen<'a> {
    fn of(module: &'a [Stmt]) -> Self {
        let mut seen = Self::default();
        statements::each(module, &mut |statement| {
            let mut names = Vec::new();
            bound_names(statement, &mut names);
            names.into_iter().for_each(|name| *seen.bound.entry(name).or_default() += 1);
            seen.aliases.extend(alias(statement));
        });
        seen
    }
}

/// The name and the value of `f32 = mx.float32`.
fn alias(statement: &Stmt) -> Option<(&str, &Expr)> {
    let (target, value) = match statement {
        Stmt::Assign(ast::StmtAssign { targets, value, .. }) => (targets.first().filter(|_| targets.len() == 1)?, value),
        Stmt::AnnAssign(ast::StmtAnnAssign { target, value: Some(value), .. }) => (&**target, value),
        _ => return None,
    };
    value.is_attribute_expr().then_some((target.as_name_expr()?.id.as_str(), value))
}

#[cfg(test)]
mod tests {
    use crate::graph::Analysis;
    use crate::graph::value::Graph;
    use crate::syntax::Source;

    /// Whether `f32` of `module` stands for a dtype of MLX.
    fn is_known(module: &str) -> bool {
        let text = format!("import mlx.core as mx\n{module}\ndef f(x: mx.array):\n    return x.astype(f32)\n");
        let source = Source::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let analysis = Analysis::new(&source, Graph::default());
        let printed: String = analysis.bodies.iter().map(|body| crate::graph::print::print(&analysis, body)).collect();
        printed.contains("astype x, mlx.core.float32")
    }

    #[test]
    fn a_name_that_is_bound_once_stands_for_what_an_import_holds() {
        assert!(is_known("f32 = mx.float32"));
        assert!(is_known("f32: mx.Dtype = mx.float32"));
        assert!(is_known("if mx:\n    f32 = mx.float32"));
    }

    #[test]
    fn a_name_that_may_be_something_else_stands_for_nothing() {
        for module in [
            "f32 = mx.float32\nf32 = mx.float16",
            "f32 = mx.float32\nfor f32 in ():\n    pass",
            "f32 = mx.float32\ndef f32(): ...",
            "f32 = mx.float32\ndef g():\n    global f32\n    f32 = mx.float16",
            "import settings\nf32 = settings.dtype",
            "mx = wrapped(mx)\nf32 = mx.float32",
            "mx.float32 = mx.float16\nf32 = mx.float32",
        ] {
            assert!(!is_known(module), "{module}");
        }
    }
}
