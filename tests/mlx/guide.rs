//! Statements of MLX's performance guide, or readings of it, that MLX contradicts. Each test runs under MLX what the guide says, and shows that mlxfix does not follow it.

use std::fs;
use std::process::Command;

use mlxfix::finding::{Applicability, Finding};
use mlxfix::platform::{Platform, Target};
use mlxfix::{Fixed, Options};

use super::super::walk::{everything, fixed};
use super::{python, read, root, text};

/// Run `program` under MLX; its assertions must hold.
pub(super) fn holds(program: &str) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let file = folder.path().join("program.py");
    // MLX may abort at the end of a process that has loaded lazily.
    fs::write(&file, format!("{program}\n\nimport os\n\nos._exit(0)\n")).expect("a temporary folder can be written");
    let output = Command::new(python()).arg("-B").arg(&file).current_dir(&folder).output().expect("the Python interpreter starts");
    assert!(output.status.success(), "{}\n{program}", text(&output));
}

/// Rewrite `program` with everything that `id` finds, which must say so much, and run the result with `assertions`.
fn rewritten(id: &str, program: &str, count: usize, assertions: &str) -> Fixed {
    let fixed = fixed(program, &[id]);
    assert_eq!(fixed.findings.iter().filter(|f| f.applied).count(), count, "{}", fixed.text);
    holds(&format!("{}\n\n{assertions}", fixed.text));
    fixed
}

/// What `id` finds in `program` for `target`.
pub(super) fn found(id: &str, program: &str, target: Target) -> Vec<Finding> {
    let options = Options { platform: Platform { target, ..Platform::default() }, ..everything(&[id]) };
    let fixed = mlxfix::fix(program, &options).unwrap_or_else(|error| panic!("{error}"));
    fixed.findings.into_iter().map(|f| f.finding).collect()
}

/// The file of a transform.
fn transform(id: &str) -> String {
    read(&root().join(format!("transforms/{id}.py")))
}

#[test]
fn concatenated_copies_are_no_repetition_of_elements() {
    let program = "import mlx.core as mx\n\n\ndef rows(a: mx.array):\n    a = a.reshape(2, 3)\n    return mx.concatenate([a] * 2, axis=0)\n\n\n\
                   def row(a: mx.array):\n    a = a.reshape(1, 6)\n    return mx.concatenate([a] * 2, axis=0)\n";
    let assertions = "a = mx.arange(6).reshape(2, 3)\nassert mx.array_equal(rows(a), mx.tile(a, (2, 1)))\n\
                      assert not mx.array_equal(rows(a), mx.repeat(a, 2, axis=0))\nassert mx.array_equal(row(a), mx.tile(a.reshape(1, 6), (2, 1)))\n";
    holds(&format!("{program}\n\n{assertions}"));
    let fixed = rewritten("concat-repeat", program, 1, assertions);
    assert!(fixed.text.contains("mx.concatenate([a] * 2, axis=0)") && fixed.text.contains("mx.repeat(a, 2, axis=0)"), "{}", fixed.text);
}

#[test]
fn the_fast_rms_norm_takes_no_bias() {
    let program = "import mlx.core as mx\n\n\ndef norm(x: mx.array, w: mx.array, b: mx.array):\n    \
                   w = w.reshape(8)\n    return x * mx.rsqrt(mx.mean(x * x, axis=-1, keepdims=True) + 1e-5) * w + b\n";
    let assertions = "x, w, b = mx.random.normal((3, 8)), mx.random.normal((8,)), mx.random.normal((8,))\n\
                      wanted = x * mx.rsqrt(mx.mean(x * x, axis=-1, keepdims=True) + 1e-5) * w + b\nassert mx.allclose(norm(x, w, b), wanted, atol=1e-6)\n\
                      try:\n    mx.fast.rms_norm(x, w, b, 1e-5)\nexcept TypeError:\n    pass\nelse:\n    raise AssertionError('a bias is taken')\n";
    let fixed = rewritten("rms-norm", program, 1, assertions);
    assert!(fixed.text.contains("return mx.fast.rms_norm(x, w, 1e-5) + b"), "{}", fixed.text);
}

#[test]
fn asynchronous_evaluation_returns_nothing() {
    holds(&format!(
        "{}\n\nassert mx.async_eval(mx.ones(2)) is None\nmodel = lambda y: (y[..., None] * 7 + 3) * mx.array([1, 5, 2, 8, 4]) % 9\nfirst = mx.array([2])\n\
         for end in (None, 4):\n    wanted = list(before(model, first, end, 6))\n    \
         assert wanted == list(after(model, first, end, 6)) and None not in wanted and wanted\n",
        transform("async_eval")
    ));
    let example = read(&root().join("examples/async_eval/match.py"));
    let advice = found("async-eval", &example, Target::Metal);
    assert!(!advice.is_empty());
    let lines = advice.iter().flat_map(|f| &f.rationale).flat_map(|line| line.lines());
    let queued: Vec<&str> = lines.filter(|line| line.contains("mx.async_eval(")).collect();
    assert!(!queued.is_empty() && queued.iter().all(|line| !line.contains("= mx.async_eval")), "{queued:#?}");
}

#[test]
fn a_stream_around_a_yield_is_the_readers_as_well() {
    let generator = "import mlx.core as mx\n\n\ndef tokens(model, y, stream):\n    with mx.stream(stream):\n        while True:\n            \
                     y = mx.argmax(model(y), axis=-1)\n            mx.async_eval(y)\n            yield y\n";
    let assertions = "usual = mx.default_stream(mx.default_device())\nreader = tokens(lambda y: y, mx.ones((2, 2)), mx.new_stream(mx.default_device()))\n\
                      next(reader)\nassert mx.default_stream(mx.default_device()) != usual\nreader.close()\n";
    holds(&format!("{generator}\n\n{assertions}"));
    assert_eq!(found("separate-stream", generator, Target::Metal).len(), 1);
    // A loop without a stream is not told to open one.
    let examples = ["async_eval", "sync_in_loop", "eval_in_loop"].map(|id| read(&root().join(format!("examples/{id}/match.py"))));
    for example in examples {
        let all = fixed(&example, &[]).findings;
        assert!(!all.is_empty() && all.iter().flat_map(|f| &f.finding.rationale).all(|line| !line.contains("stream")));
    }
}

#[test]
fn a_path_object_is_as_lazy_as_a_string() {
    let program = "from pathlib import Path\n\nimport mlx.core as mx\n\n\ndef lazy(folder: Path):\n    return mx.load(folder / 'w.safetensors')\n\n\n\
                   def eager(folder: Path):\n    path = folder / 'w.safetensors'\n    with open(path, 'rb') as f:\n        return mx.load(f)\n";
    let setup = "mx.save_safetensors('w.safetensors', {'w': mx.ones((512, 512))})\n\n\ndef taken(load):\n    before = mx.get_active_memory()\n    \
                 weights = load(Path('.'))\n    return mx.get_active_memory() - before\n\n\nassert taken(lazy) == 0\n";
    holds(&format!("{program}\n\n{setup}assert taken(eager) >= 512 * 512 * 4\n"));
    let fixed = rewritten("load-file-handle", program, 1, &format!("{setup}assert taken(eager) == 0\n"));
    assert!(fixed.text.contains("return mx.load(folder / 'w.safetensors')") && !fixed.text.contains("str("), "{}", fixed.text);
}

#[test]
fn casts_before_the_evaluation_save_nothing_with_few_tensors() {
    let example = read(&root().join("examples/astype_before_eval/match.py"));
    let all = found("astype-before-eval", &example, Target::Metal);
    assert!(!all.is_empty());
    for finding in all {
        assert!(finding.rationale.iter().any(|line| line.contains("no difference up to 24 tensors")), "{:#?}", finding.rationale);
    }
}

#[test]
fn the_cast_around_a_norm_with_a_weight_is_not_free() {
    let program = "import mlx.core as mx\n\n\ndef norm(x: mx.array, w: mx.array):\n    \
                   return mx.fast.rms_norm(x.astype(mx.float32), w.astype(mx.float32), 1e-5).astype(x.dtype)\n";
    holds(&format!(
        "{program}\n\nx, w = (mx.random.normal(s, key=mx.random.key(n)).astype(mx.float16) for n, s in enumerate([(64, 256), (256,)]))\n\
         kept, dropped = norm(x, w), mx.fast.rms_norm(x, w, 1e-5)\nexact = mx.fast.rms_norm(x.astype(mx.float32), w.astype(mx.float32), 1e-5)\n\
         error = lambda y: mx.abs(y.astype(mx.float32) - exact).mean().item()\nassert not mx.array_equal(kept, dropped) and error(dropped) > 1.3 * error(kept)\n"
    ));
    let module = program.replace("w: mx.array", "layer: nn.RMSNorm").replace("mlx.core as mx\n", "mlx.core as mx\nimport mlx.nn as nn\n");
    let module = module.replace("mx.fast.rms_norm(x.astype(mx.float32), w.astype(mx.float32), 1e-5)", "layer(x.astype(mx.float32))");
    for text in [program, &module] {
        let safe = found("redundant-upcast", text, Target::Metal).into_iter().filter(|f| f.applicability == Applicability::Safe).count();
        assert_eq!(safe, 0, "{text}");
    }
    assert_eq!(found("redundant-upcast", &module, Target::Metal).len(), 1, "{module}");
}

#[test]
fn an_array_made_of_a_number_promotes_halves() {
    holds(
        "import mlx.core as mx\nx = mx.ones(2, mx.float16)\nassert (x * mx.array(2.0)).dtype == mx.float32\n\
         assert (x * 2.0).dtype == (x * mx.array(2.0, x.dtype)).dtype == (x * mx.array(2)).dtype == mx.float16\n\
         assert (0.9 ** mx.array(5)).dtype == mx.float32 and (0.999 ** mx.array(5, mx.bfloat16)).item() == 1\n",
    );
}

#[test]
fn a_sum_with_another_dtype_is_no_fast_addmm() {
    let program = "import mlx.core as mx\n\n\ndef f(x: mx.array, w: mx.array, c: mx.array):\n    x, w = x.astype(mx.float16), w.astype(mx.float16)\n    \
                   return x.reshape(2, 3) @ w.reshape(3, 4) + c.reshape(4).astype(mx.float32)\n";
    holds(&format!("{program}\n\nassert f(mx.ones(6), mx.ones(12), mx.ones(4)).dtype == mx.float32\n"));
    assert!(found("addmm", program, Target::Metal).is_empty());
    let same = program.replace("c.reshape(4).astype(mx.float32)", "c.reshape(4).astype(mx.float16)");
    assert_eq!(found("addmm", &same, Target::Metal).len(), 1);
    // With several rows it pays on CUDA, too; with one it does not, and where nothing shows how many there are it is left.
    assert_eq!(found("addmm", &same, Target::Cuda).len(), 1);
    for rows in ["x.reshape(1, 3)", "x.reshape(-1, 3)", "x.reshape(3)", "x"] {
        let other = same.replace("x.reshape(2, 3)", rows);
        assert_eq!((found("addmm", &other, Target::Metal).len(), found("addmm", &other, Target::Cuda).len()), (1, 0), "{rows}");
    }
    let column = same.replace("w.reshape(3, 4)", "w.reshape(3, 1)").replace("c.reshape(4)", "c.reshape(1)");
    assert!(found("addmm", &column, Target::Cuda).is_empty(), "a single column is a matrix-vector product as well");
}

#[test]
fn a_sum_is_taken_into_a_product_where_lengths_show_that_it_fits() {
    use Applicability::{Safe, Unsafe};
    for (sum, sizes, expected) in [
        ("a.reshape(16, 64) @ b.reshape(64, 32) + c.reshape(32)", "1024, 2048, 32", Some(Safe)),
        ("a.reshape(16, 64) @ b.reshape(64, 32) + c.reshape(16, 1)", "1024, 2048, 16", Some(Safe)),
        ("a.reshape(2, 8, 64) @ b.reshape(64, 32) + c.reshape(8, 32)", "1024, 2048, 256", Some(Safe)),
        ("a.reshape(1, 8, 64) @ b.reshape(3, 64, 2) + c.reshape(3, 1, 2)", "512, 384, 6", Some(Safe)),
        ("a.reshape(64) @ b.reshape(64, 32) + c.reshape(32)", "64, 2048, 32", Some(Safe)),
        ("a.reshape(16, 64) @ b.reshape(64, 0) + c.reshape(1)", "1024, 0, 1", Some(Safe)),
        ("a.reshape(16, 64) @ b.reshape(64, 0) + c.reshape(0)", "1024, 0, 0", Some(Safe)),
        ("a.reshape(16, 64) @ b.reshape(64, n) + mx.zeros((n,), mx.float16)", "1024, 64, 1", Some(Safe)),
        // To each of the two arrays -1 is another number.
        ("a.reshape(16, 64) @ b.reshape(64, n) + c.reshape(n)", "", Some(Unsafe)),
        ("a.reshape(16, 64) @ b.reshape(64, -1) + c.reshape(-1)", "", Some(Unsafe)),
        ("a.reshape(16, 64) @ b.reshape(64, 32) + c", "", Some(Unsafe)),
        ("a.reshape(16, 64) @ b + c.reshape(32)", "", Some(Unsafe)),
        ("a.reshape(16, 64) @ b.reshape(64, 32) + c.reshape(4, 16, 32)", "", None),
        ("a.reshape(16, 64) @ b.reshape(64, 1) + c.reshape(32)", "", None),
        ("a.reshape(1, 64) @ b.reshape(64, 32) + c.reshape(5, 32)", "", None),
        ("a.reshape(16, 64) @ b.reshape(64, 1) + c.reshape(0)", "", None),
        ("a.reshape(2, 8, 64) @ b.reshape(64) + c.reshape(8)", "", None),
    ] {
        let program = format!(
            "import mlx.core as mx\n\n\ndef f(a: mx.array, b: mx.array, c: mx.array, n: int):\n    \
             a, b, c = a.astype(mx.float16), b.astype(mx.float16), c.astype(mx.float16)\n    return {sum}\n"
        );
        let how: Vec<Applicability> = found("addmm", &program, Target::Metal).into_iter().map(|f| f.applicability).collect();
        assert_eq!(how.first().copied(), expected, "{sum}");
        if expected == Some(Safe) {
            let assertions = format!(
                "a, b, c = (mx.random.normal((n,)) for n in ({sizes}))\nn = 1\nwanted = {sum}\nresult = f(a, b, c, n)\n\
                 assert result.shape == wanted.shape and result.dtype == mx.float16\nassert wanted.size == 0 or mx.allclose(result, wanted, atol=0.2)\n"
            );
            rewritten("addmm", &program, 1, &assertions);
        }
    }
}

#[test]
fn a_product_with_a_transposed_matrix_is_another_product() {
    let program = "import mlx.core as mx\n\n\ndef f(x: mx.array, w: mx.array):\n    return x.reshape(16, 2048) @ w.reshape(2048, 2048)\n\n\n\
                   def g(x: mx.array, w: mx.array):\n    return x.reshape(16, 2048) @ w.reshape(2048, 2048).T\n";
    let assertions = "x, w = mx.random.normal((16, 2048)), mx.random.normal((2048, 2048))\nassert not mx.allclose(f(x, w), g(x, w), atol=1.0)\n";
    // With several rows nothing is gained either way; with one, what to store otherwise is said and nothing is edited.
    assert_eq!(rewritten("transposed-matmul", program, 0, assertions).findings.len(), 0);
    let single = transform("transposed_matmul");
    let advice = found("transposed-matmul", &single, Target::Metal);
    assert!(advice.len() == 1 && advice[0].edits.is_empty() && advice[0].applicability == Applicability::Advice, "{advice:#?}");
}

#[test]
fn what_is_slower_on_the_cpu_is_not_proposed_there() {
    let softmax = "import mlx.core as mx\n\n\ndef f(x: mx.array):\n    x = x.astype(mx.float16)\n    return mx.softmax(x.astype(mx.float32), axis=-1).astype(mx.float16)\n";
    // Angles that are ready are cheaper on the CPU than `mx.fast.rope`; on no backend is it known what they hold.
    let rope = "import mlx.core as mx\n\n\ndef f(x: mx.array, cos: mx.array, sin: mx.array):\n    \
                a, b = mx.split(x, 2, axis=-1)\n    return mx.concatenate([a * cos - b * sin, b * cos + a * sin], axis=-1)\n";
    assert!(!found("rope", &read(&root().join("examples/rope/match.py")), Target::Metal).is_empty(), "angles that are made in sight are known");
    let gelu = transform("compile_elementwise");
    for (id, program, elsewhere) in [("precise-softmax", softmax, 1), ("rope", rope, 0), ("compile-elementwise", &gelu, 1)] {
        assert_eq!(found(id, program, Target::Metal).len(), elsewhere, "{id}");
        assert_eq!(found(id, program, Target::Cuda).len(), elsewhere, "{id}");
        assert!(found(id, program, Target::Cpu).is_empty(), "{id}");
    }
}
