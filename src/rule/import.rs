//! The import that a replacement needs where a file names functions of MLX, or `mlx.nn`, but not `mlx.core`. The module is imported, not a function of it:
//! one line serves every finding of the file, and each writes it the same.

use crate::finding::Import;
use crate::graph::Analysis;
use crate::graph::body::Body;
use crate::graph::definitions::imported_from;
use crate::graph::statements::blocks;
use crate::syntax::ast::Stmt;
use crate::syntax::{Edit, Ranged, TextRange};

/// What the module is called where the name is free; the first is what everybody calls it.
const NAMES: [&str; 2] = ["mx", "mlx_core"];

/// An import that is to be added, and the edit that adds it.
pub(super) struct NewImport {
    pub(super) import: Import,
    pub(super) edit: Edit,
}

impl NewImport {
    /// The import for the match at `root` in `body`: before the first import of MLX at the top of the module, else of the function. Where that import is
    /// conditional there is no place for it.
    pub(super) fn find(analysis: &Analysis<'_>, body: &Body, root: TextRange) -> Option<Self> {
        let module = analysis.source.module();
        let function = body.function.map(|f| analysis.definitions.functions[f].ast);
        let places = [Some((&module.body[..], module.range)), function.map(|f| (&f.body[..], f.range))];
        places.into_iter().flatten().find_map(|(statements, scope)| Self::before_first(analysis, statements, scope, root))
    }

    fn before_first(analysis: &Analysis<'_>, statements: &[Stmt], scope: TextRange, root: TextRange) -> Option<Self> {
        let source = analysis.source;
        let at = statements.iter().position(imports_mlx)?;
        let first = statements[at].range();
        let own_line = source.slice(TextRange::new(source.line_start(first.start()), first.start())).trim().is_empty();
        // `from elsewhere import *` may bind the name as well.
        if !own_line || first.end() > root.start() || statements[at..].iter().any(imports_everything) {
            return None;
        }
        let name = NAMES.into_iter().find(|name| analysis.may_bind_module(name, "mlx.core", scope))?;
        let line = format!("import mlx.core as {name}{}{}", source.newline(), source.indentation(first.start()));
        Some(Self { import: Import { name: name.to_owned(), scope }, edit: Edit::insert(first.start(), line) })
    }
}

fn imports_mlx(statement: &Stmt) -> bool {
    let inside = |path: &str| path == "mlx" || path.starts_with("mlx.");
    match statement {
        Stmt::Import(s) => s.names.iter().any(|alias| inside(&alias.name)),
        Stmt::ImportFrom(s) => s.names.iter().any(|alias| inside(&imported_from(s, alias))),
        _ => false,
    }
}

fn imports_everything(statement: &Stmt) -> bool {
    match statement {
        Stmt::ImportFrom(s) => s.names.iter().any(|alias| alias.name.as_str() == "*"),
        _ => blocks(statement).into_iter().flatten().any(imports_everything),
    }
}
