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

/// The text of `scope`'s graph.
fn printed(text: &str, scope: &str) -> String {
    let source = Source::parse(text).unwrap_or_else(|error| panic!("{error}"));
    let analysis = Analysis::new(&source, Graph::default());
    let body = analysis.bodies.iter().find(|body| analysis.graph.name(body.name) == scope).unwrap_or_else(|| panic!("{scope} is gone"));
    print::print(&analysis, body)
}

#[test]
fn an_array_that_a_loop_changes_is_another_one_the_second_time_round() {
    for change in ["y[i] = 1.0", "y += 1", "other[i] = 1.0", "y[i], k = 1.0, 2"] {
        let text = format!(
            "import mlx.core as mx\n\ndef f(n):\n    y = mx.zeros((4, 4))\n    other = y\n    a = y * 2\n    for i in range(n):\n        g(a, y * 2)\n        {change}\n"
        );
        let graph = printed(&text, "f");
        assert_eq!(graph.matches("= multiply").count(), 2, "{change} leaves `y * 2` what it was:\n{graph}");
    }
}

#[test]
fn storing_into_an_array_that_only_one_name_holds_makes_another_value_of_that_name() {
    let start = "import mlx.core as mx\n\ndef f(x, n):\n    y = mx.zeros((4, 4))\n";
    let stored = |body: &str| printed(&format!("{start}{body}"), "f").contains("stored %");
    assert!(stored("    y[0] = x\n    return y\n"));
    assert!(stored("    if n:\n        y[0] = x\n    return y\n"));
    for held in [
        "    z = y\n    y[0] = x\n    return z, y\n",
        "    x.append(y)\n    y[0] = x\n",
        "    def g():\n        return y\n    y[0] = x\n    return g\n",
    ] {
        assert!(!stored(held), "{held}");
    }
    assert!(!stored("    x[0] = y\n    return x\n"), "whoever passes x holds it");
}

#[test]
fn what_may_be_an_array_that_is_changed_is_changed_with_it() {
    for alias in ["z = y if n else x", "z = n or y", "z = x\n    if n:\n        z = y", "z = x\n    for k in n:\n        z = y"] {
        let graph =
            printed(&format!("import mlx.core as mx\n\ndef f(x, n):\n    y = mx.zeros((4, 4))\n    {alias}\n    y += 1\n    return z\n"), "f");
        let returned = graph.lines().last().unwrap_or_default().trim().trim_start_matches("return ");
        assert!(graph.contains(&format!("{returned} = changed ")), "{alias}: {graph}");
    }
}
