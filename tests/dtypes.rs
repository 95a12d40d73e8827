//! What is told of the dtypes of named values: as users read it, and held against the dtypes that the same values have under MLX.

use std::path::Path;
use std::process::Command;

use super::cli::{mlxfix, put};
use super::mlx::python;
use super::walk::{files, root};

#[test]
fn the_dtypes_of_the_whole_programs_are_as_reviewed() {
    for path in files(&root().join("examples/models"), "py") {
        let place = path.strip_prefix(root()).expect("invariant: the walk stays below the repository").to_string_lossy().into_owned();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let run = mlxfix(root(), &["dtypes", &place]);
        insta::with_settings!({ snapshot_path => root().join("snapshots/dtypes"), prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(name, run.out);
        });
    }
}

#[test]
fn what_is_told_of_dtypes_is_what_mlx_gives() {
    let script = root().join("tests/python/dtype_oracle.py");
    let run = |examples: &Path| {
        let mut command = Command::new(python());
        command.arg("-B").arg(&script).arg(env!("CARGO_BIN_EXE_mlxfix")).arg(examples);
        command.output().expect("the Python interpreter starts")
    };
    let output = run(&root().join("examples"));
    assert!(output.status.success(), "{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
}

#[test]
fn an_array_of_the_module_is_a_source_where_it_is_assigned() {
    let dir = tempfile::tempdir().expect("a temporary folder can be made");
    let program = "import mlx.core as mx\n\nHALF = mx.array(0.5)\n\n\ndef f(x: mx.array, w: mx.array):\n    return (x * HALF) @ w\n";
    let told = |text: &str| {
        put(dir.path(), "x.py", text.as_bytes());
        mlxfix(dir.path(), &["dtypes", "x.py:f"]).out
    };
    let out = told(program);
    assert!(out.contains("`HALF` in line 3 makes float32 from `x * HALF` in line 7 on: 2 values, among them 1 matrix product"), "{out}");
    let assigned = told(&format!("{program}\n\ndef g(half):\n    global HALF\n    HALF = half\n"));
    assert!(!assigned.contains("makes float32"), "{assigned}");
}
