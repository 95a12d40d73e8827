//! Code that runs once: a kernel less of it is nothing that anybody measures. Only what the file shows counts, and the one method whose name says it.

use crate::graph::Analysis;
use crate::graph::body::Body;

/// What packages for MLX call the method that turns the weights of a file into those of the model, once for each load.
const AT_LOAD: &str = "sanitize";

/// Why what `body` computes is computed once, if it shows.
pub(super) fn runs_once(analysis: &Analysis<'_>, body: &Body) -> Option<String> {
    let functions = &analysis.definitions.functions;
    let own = functions.get(body.function?)?;
    if own.class.is_some() && own.ast.name.as_str() == "__init__" {
        return Some("`__init__` runs once for each object, where a kernel less is nothing to notice".to_owned());
    }
    let mut around = std::iter::successors(body.function, |&f| functions.get(f)?.parent);
    around
        .any(|f| functions[f].ast.name.as_str() == AT_LOAD)
        .then(|| format!("`{AT_LOAD}` runs once for each load, where a kernel less is nothing to notice"))
}
