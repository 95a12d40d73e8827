//! The value graph as people read it, for two functions of the examples: a norm whose helper is inlined, and an attention whose branch is a gate.

use mlxfix::graph::value::Graph;
use mlxfix::graph::{Analysis, print};
use mlxfix::syntax::Source;

use super::walk::{read, root};

#[test]
fn the_graphs_of_two_examples_are_as_reviewed() {
    let text = read(&root().join("examples/models/llama_block.py"));
    let source = Source::parse(&text).unwrap_or_else(|error| panic!("{error}"));
    let analysis = Analysis::new(&source, Graph::default());
    for (snapshot, scope) in [("rms_norm", "RMSNorm.__call__"), ("attention", "Attention.__call__")] {
        let body = analysis.bodies.iter().find(|body| analysis.graph.name(body.name) == scope).unwrap_or_else(|| panic!("{scope} is gone"));
        insta::with_settings!({ snapshot_path => root().join("snapshots/graph"), prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(snapshot, print::print(&analysis, body));
        });
    }
}
