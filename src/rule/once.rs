//! Code that runs once: a kernel less of it is nothing that anybody measures. Only what the file shows counts, and the one method whose name says it.

use crate::graph::Analysis;
use crate::graph::body::{Body, Effect};
use crate::graph::modules::module_class;
use crate::graph::value::{Op, ValueId};

use super::surroundings::reaches;

/// What packages for MLX call the method that turns the weights of a file into those of the model, once for each load.
const AT_LOAD: &str = "sanitize";

/// Why what `root` computes in `body` is computed once, if it shows.
pub(super) fn runs_once(analysis: &Analysis<'_>, body: &Body, root: ValueId) -> Option<String> {
    let functions = &analysis.definitions.functions;
    let own = functions.get(body.function?)?;
    if own.class.is_some() && own.ast.name.as_str() == "__init__" {
        return Some("`__init__` runs once for each object, where a kernel less is nothing to notice".to_owned());
    }
    let mut around = std::iter::successors(body.function, |&f| functions.get(f)?.parent);
    if around.any(|f| functions[f].ast.name.as_str() == AT_LOAD) {
        return Some(format!("`{AT_LOAD}` runs once for each load, where a kernel less is nothing to notice"));
    }
    becomes_a_parameter(analysis, body, root)
        .then(|| "it becomes a parameter of a module that is made here, once, where a kernel less is nothing to notice".to_owned())
}

/// Whether `root` is stored in a module that the scope itself makes.
fn becomes_a_parameter(analysis: &Analysis<'_>, body: &Body, root: ValueId) -> bool {
    let graph = &analysis.graph;
    let made = |mut object: ValueId| {
        while let (Op::Changed(_), operands) = graph.get(object) {
            object = operands[0];
        }
        module_class(graph, object).is_some()
    };
    body.effects.iter().any(|e| matches!(*e, Effect::StoreAttribute(object, _, stored) if made(object) && reaches(graph, stored, root, 0)))
}
