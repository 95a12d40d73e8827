//! What one file of a package says of half precision: whether it makes arrays in it, or has them of weights, which are in what they were stored in; and which files
//! it imports, since the arrays of those that import a file come to it. It reads the tree alone, and proves nothing.

use crate::graph::definitions::Definitions;
use crate::graph::value::Graph;
use crate::syntax::Source;
use crate::syntax::ast::visitor::source_order::{SourceOrderVisitor, walk_expr, walk_stmt};
use crate::syntax::ast::{Expr, ExprCall, Stmt};

/// What a file says.
#[derive(Default)]
pub struct Said {
    /// The dotted paths of modules that it imports, or of what it takes from them.
    pub imports: Vec<String>,
    /// Whether it makes something in half precision, or in the dtype of weights.
    pub speaks: bool,
    /// Whether it embeds tokens.
    pub embeds: bool,
    /// Names, perhaps of dtypes, that it casts to or passes by keyword.
    pub passes: Vec<String>,
    /// Names that it binds to a dtype of half precision in a module or a class.
    pub binds: Vec<String>,
}

/// What `text` says, the module with the dotted path `module`; `None` if it is no Python.
pub fn said(text: &str, module: &str, is_package: bool) -> Option<Said> {
    let source = Source::parse(text).ok()?;
    let mut graph = Graph::default();
    let definitions = Definitions::collect(source.module(), &mut graph);
    let package = if is_package { module } else { module.rsplit_once('.').map_or("", |(package, _)| package) };
    let mut reader = Reader { definitions: &definitions, graph: &graph, package, said: Said::default() };
    source.module().body.iter().for_each(|statement| reader.visit_stmt(statement));
    reader.bindings(&source.module().body);
    Some(reader.said)
}

struct Reader<'s> {
    definitions: &'s Definitions<'s>,
    graph: &'s Graph,
    /// The package that relative imports start from.
    package: &'s str,
    said: Said,
}

impl Reader<'_> {
    fn is(&self, expr: &Expr, dtypes: &[&str]) -> bool {
        let path = self.definitions.import_path(expr, self.graph);
        path.is_some_and(|path| path.strip_prefix("mlx.core.").is_some_and(|name| dtypes.contains(&name)))
    }

    fn is_half(&self, expr: &Expr) -> bool {
        self.is(expr, &["float16", "bfloat16"])
    }

    /// The array that `expr` casts, and to what.
    fn cast<'e>(&self, expr: &'e Expr) -> Option<(&'e Expr, &'e Expr)> {
        let call = expr.as_call_expr()?;
        let method = call.func.as_attribute_expr().filter(|method| method.attr.as_str() == "astype")?;
        Some((&method.value, call.arguments.find_argument_value("dtype", 0)?))
    }

    fn is_single(&self, expr: &Expr) -> bool {
        self.cast(expr).is_some_and(|(_, dtype)| self.is(dtype, &["float32"]))
    }

    /// Take a cast of `array` to `dtype`, unless it only undoes one to float32, or is undone by one.
    fn visit_cast(&mut self, array: &Expr, dtype: &Expr) {
        let undoes = array.as_call_expr().is_some_and(|call| call.arguments.args.iter().any(|argument| self.is_single(argument)));
        match self.cast(array) {
            Some((inner, _)) if self.is(dtype, &["float32"]) => self.visit_expr(inner),
            _ => {
                self.visit_expr(array);
                if !undoes {
                    self.passed(dtype);
                    self.visit_expr(dtype);
                }
            }
        }
    }

    fn visit_call(&mut self, call: &ExprCall) {
        let path = self.definitions.import_path(&call.func, self.graph);
        self.said.embeds |= path.is_some_and(|path| path.starts_with("mlx.nn.") && path.ends_with(".Embedding"));
        call.arguments.keywords.iter().for_each(|keyword| self.passed(&keyword.value));
    }

    fn passed(&mut self, expr: &Expr) {
        match expr {
            _ if self.definitions.import_path(expr, self.graph).is_some_and(|path| path.starts_with("mlx.core.")) => {}
            Expr::Name(name) => self.said.passes.push(name.id.to_string()),
            Expr::Attribute(attribute) => self.said.passes.push(attribute.attr.to_string()),
            _ => {}
        }
    }

    /// Find what `body`, that of a module or a class, binds.
    fn bindings(&mut self, body: &[Stmt]) {
        for statement in body {
            let (target, value) = match statement {
                Stmt::Assign(assign) => (assign.targets.first(), Some(&assign.value)),
                Stmt::AnnAssign(assign) => (Some(&*assign.target), assign.value.as_ref()),
                Stmt::ClassDef(class) => {
                    self.bindings(&class.body);
                    continue;
                }
                _ => continue,
            };
            if let (Some(Expr::Name(name)), true) = (target, value.is_some_and(|value| self.is_half(value))) {
                self.said.binds.push(name.id.to_string());
            }
        }
    }

    /// Take an import from `module`, `level` packages up, of `names`.
    fn import_from<'n>(&mut self, level: u32, module: &str, names: impl Iterator<Item = &'n str>) {
        let up = (1..level).try_fold(self.package, |package, _| package.rsplit_once('.').map(|(outer, _)| outer));
        let base = match (level, up) {
            (0, _) => module.to_owned(),
            (_, Some(package)) if module.is_empty() => package.to_owned(),
            (_, Some(package)) => format!("{package}.{module}"),
            // It is of no package that is read here.
            (_, None) => return,
        };
        self.said.imports.extend(names.map(|name| format!("{base}.{name}")));
        self.said.imports.push(base);
    }
}

impl<'e> SourceOrderVisitor<'e> for Reader<'_> {
    fn visit_stmt(&mut self, statement: &'e Stmt) {
        match statement {
            Stmt::Import(import) => self.said.imports.extend(import.names.iter().map(|alias| alias.name.to_string())),
            Stmt::ImportFrom(import) => {
                let module = import.module.as_deref().unwrap_or_default();
                self.import_from(import.level, module, import.names.iter().map(|alias| alias.name.as_str()));
            }
            // What an object keeps is the dtype that weights have while it is made, before they are cast.
            Stmt::Assign(assign) if assign.targets.iter().all(Expr::is_attribute_expr) && is_dtype_of_weights(&assign.value) => {}
            _ => walk_stmt(self, statement),
        }
    }

    fn visit_expr(&mut self, expr: &'e Expr) {
        match expr {
            // What is asked, and tables from names to dtypes, make nothing.
            Expr::Compare(_) => {}
            Expr::Dict(dict) => {
                for value in dict.items.iter().map(|item| &item.value) {
                    if !self.is_half(value) {
                        self.visit_expr(value);
                    }
                }
            }
            Expr::Subscript(subscript) if self.is_half(&subscript.slice) => self.visit_expr(&subscript.value),
            Expr::Call(call) => match self.cast(expr) {
                Some((array, dtype)) => self.visit_cast(array, dtype),
                None => {
                    self.visit_call(call);
                    walk_expr(self, expr);
                }
            },
            _ if is_dtype_of_weights(expr) => self.said.speaks = true,
            _ if self.is_half(expr) => self.said.speaks = true,
            _ => walk_expr(self, expr),
        }
    }
}

/// Whether `expr` is the dtype of the weight of a layer, or of the scales of one that is quantized.
fn is_dtype_of_weights(expr: &Expr) -> bool {
    let dtype = expr.as_attribute_expr().filter(|dtype| dtype.attr.as_str() == "dtype");
    let array = dtype.and_then(|dtype| dtype.value.as_attribute_expr());
    array.is_some_and(|array| matches!(array.attr.as_str(), "weight" | "scales"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Said {
        let text = format!("import numpy as np\nimport mlx.core as mx\nimport mlx.nn as nn\n{text}\n");
        said(&text, "package.inner.module", false).expect("it is Python")
    }

    #[test]
    fn what_is_made_in_half_precision_speaks_of_it() {
        for text in [
            "x = y.astype(mx.bfloat16)",
            "x = mx.zeros((2,), dtype=mx.float16)",
            "dtype = mx.float16 if fast else mx.float32",
            "def load(path, dtype=mx.bfloat16): ...",
            "class Config:\n    precision: mx.Dtype = mx.bfloat16",
            "x = y.astype(self.proj.weight.dtype)",
            "x = {'x': y.astype(mx.float16)}",
        ] {
            assert!(of(text).speaks, "{text}");
        }
    }

    #[test]
    fn what_asks_for_it_or_takes_it_back_does_not_speak_of_it() {
        for text in [
            "x = y.astype(mx.float32)",
            "x = y if y.dtype in (mx.float16, mx.bfloat16) else y.astype(mx.float32)",
            "dtypes = {'half': mx.float16}",
            "size = sizes[mx.float16]",
            "x = y.astype(mx.float16).astype(mx.float32)",
            "x = norm(y.astype(mx.float32)).astype(mx.bfloat16)",
            "x = y.astype(np.float16)",
            "x = y.astype(y.dtype)",
            "self.dtype = self.proj.weight.dtype",
        ] {
            assert!(!of(text).speaks, "{text}");
        }
        let embeds = of("embed = nn.Embedding(8, 4)");
        assert!(embeds.embeds && !embeds.speaks);
    }

    #[test]
    fn names_of_dtypes_are_those_that_are_cast_to_or_passed() {
        let said = of(
            "HALF = mx.float16\nclass Config:\n    precision: mx.Dtype = mx.bfloat16\ndef f(x):\n    local = mx.float16\n    return g(x.astype(Config.kind), to=TO)",
        );
        assert_eq!((said.binds, said.passes), (vec!["HALF".to_owned(), "precision".to_owned()], vec!["TO".to_owned(), "kind".to_owned()]));
        assert!(of("x = norm(y.astype(mx.float32)).astype(Config.precision)").passes.is_empty());
    }

    #[test]
    fn imports_are_told_by_their_whole_paths() {
        let imports = |text: &str, module: &str, is_package: bool| said(text, module, is_package).map(|said| said.imports);
        let own = |paths: &[&str]| Some(paths.iter().map(|&path| path.to_owned()).collect::<Vec<String>>());
        assert_eq!(imports("import a.b as c, d", "p.q.m", false), own(&["a.b", "d"]));
        assert_eq!(imports("from . import x", "p.q.m", false), own(&["p.q.x", "p.q"]));
        assert_eq!(imports("from . import x", "p.q", true), own(&["p.q.x", "p.q"]));
        assert_eq!(imports("def f():\n    from ..r.s import x, y", "p.q.m", false), own(&["p.r.s.x", "p.r.s.y", "p.r.s"]));
        assert_eq!(imports("from ....r import x", "p.q.m", false), own(&[]));
        assert_eq!(imports("from r import *", "p.q.m", false), own(&["r.*", "r"]));
        assert_eq!(imports("from import", "p.q.m", false), None);
    }
}
