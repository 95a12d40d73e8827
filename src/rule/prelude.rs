//! `prelude.py`: the names that rule files may use besides MLX, read from the file itself so that nothing is listed twice.

use std::sync::LazyLock;

use crate::syntax::Source;
use crate::syntax::ast::Stmt;

/// The file. Rules that are executed import it.
pub const TEXT: &str = include_str!("../../transforms/prelude.py");

/// How many parameters the function `name` takes, if the prelude has it; `None` inside for any number.
pub(super) fn parameters(name: &str) -> Option<Option<usize>> {
    functions().iter().find(|(n, _)| n == name).map(|&(_, count)| count)
}

/// The names of the functions, for messages.
pub(super) fn names() -> String {
    functions().iter().map(|(name, _)| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn functions() -> &'static [(String, Option<usize>)] {
    static FUNCTIONS: LazyLock<Vec<(String, Option<usize>)>> = LazyLock::new(|| {
        let Ok(source) = Source::parse(TEXT) else { return Vec::new() };
        let functions = source.module().body.iter().filter_map(Stmt::as_function_def_stmt);
        functions.map(|f| (f.name.to_string(), f.parameters.vararg.is_none().then(|| f.parameters.len()))).collect()
    });
    &FUNCTIONS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_functions_of_the_prelude_are_known_by_their_parameters() {
        assert_eq!(parameters("any_of"), Some(None));
        assert_eq!(parameters("broadcasts_into"), Some(Some(3)));
        assert_eq!(parameters("mx"), None);
    }
}
