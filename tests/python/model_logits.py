"""Builds the models of two copies of mlx_lm and compares their logits.

usage: model_logits.py BEFORE AFTER

BEFORE and AFTER are folders that hold the package `mlx_lm` (written for 0.0.6). Every model class gets a tiny configuration and the
same seeded weights on both sides, reads a prompt, and decodes two tokens with its cache. In float32 the logits must agree within
1e-4; float16 and bfloat16 are reported, and must agree in dtype and shape. Every module of BEFORE that can be imported must still
import in AFTER. Each tree is imported in a process of its own. Exits with 1 when logits differ, when a model cannot be built, when
a module no longer imports, or if nothing ran.
"""

import pathlib
import subprocess
import sys
import tempfile
import types

TOLERANCE = 1e-4
DTYPES = ("float32", "float16", "bfloat16")
PROMPT = [[3, 17, 5, 40, 8, 2, 29]]
STEPS = [[[11]], [[23]]]

SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 64, "intermediate_size": 64}
MODELS = {
    "llama": SMALL | {"num_key_value_heads": 2, "rms_norm_eps": 1e-5},
    "llama, no grouped heads": SMALL | {"rms_norm_eps": 1e-5, "rope_traditional": True},
    "mixtral": SMALL | {"num_key_value_heads": 2, "num_local_experts": 4, "num_experts_per_tok": 2},
    "phi2": SMALL | {"num_key_value_heads": 4, "partial_rotary_factor": 0.5},
    "phi2, grouped heads": SMALL | {"num_key_value_heads": 2, "partial_rotary_factor": 0.5},
    "plamo": SMALL | {"n_shared_head": 2},
    "qwen": SMALL | {"kv_channels": 8, "layer_norm_epsilon": 1e-6},
    "stablelm_epoch": SMALL | {"num_key_value_heads": 2, "rope_pct": 0.5, "norm_eps": 1e-5, "rope_theta": 1e4, "use_qkv_bias": True, "max_position_embeddings": 64},
}


class _Anything(types.ModuleType):
    """Stands for a package that the models import and never use: every name in it is an empty class."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {"__init__": lambda self, **kw: self.__dict__.update(kw)})


def stub_packages():
    """Makes the imports of packages that are not MLX succeed."""
    for name in ("transformers", "huggingface_hub", "datasets", "sentencepiece"):
        sys.modules[name] = _Anything(name)


def weigh(model, dtype):
    """Gives a model seeded weights whose size keeps activations near one."""
    import mlx.core as mx
    from mlx.utils import tree_flatten, tree_unflatten

    weights = []
    for n, (name, value) in enumerate(sorted(tree_flatten(model.parameters()))):
        draw = mx.random.normal(value.shape, key=mx.random.key(n))
        if value.ndim == 1:
            draw = 0.1 * draw + (1.0 if name.endswith("weight") else 0.0)
        else:
            draw = draw * value.shape[-1] ** -0.5
        weights.append((name, draw.astype(dtype)))
    model.update(tree_unflatten(weights))
    model.eval()


def logits_of(module, configuration, dtype):
    """The logits of the prompt and of each token after it."""
    import mlx.core as mx

    if hasattr(module.ModelArgs, "from_dict"):
        arguments = module.ModelArgs.from_dict(configuration)
    else:
        arguments = module.ModelArgs(**configuration)
    model = module.Model(arguments)
    weigh(model, dtype)
    logits, cache = model(mx.array(PROMPT))
    seen = [logits]
    for token in STEPS:
        logits, cache = model(mx.array(token), cache=cache)
        seen.append(logits)
    return seen


def run_tree(tree, target):
    """Builds and runs every model of one tree; writes the logits to a file."""
    stub_packages()
    sys.path.insert(0, tree)
    import importlib

    import mlx.core as mx

    mx.set_default_device(mx.cpu)
    out = {}
    for label, configuration in MODELS.items():
        module = importlib.import_module("mlx_lm.models." + label.split(",")[0])
        if not pathlib.Path(module.__file__).resolve().is_relative_to(pathlib.Path(tree).resolve()):
            raise ImportError(f"{module.__file__} is not in {tree}")
        for dtype in DTYPES:
            for step, logits in enumerate(logits_of(module, configuration, getattr(mx, dtype))):
                out[f"{label}|{dtype}|{step}"] = logits
    mx.eval(out)
    mx.save_safetensors(target, out, metadata={"imported": ",".join(imported(tree))})


def imported(tree):
    """The modules of the package that import, with other packages replaced by stubs."""
    import importlib

    names = []
    for path in sorted(pathlib.Path(tree, "mlx_lm").rglob("*.py")):
        parts = path.relative_to(tree).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        try:
            importlib.import_module(name)
        except Exception as error:  # A module may fail for any reason; it has to be the same one on both sides.
            print(f"{name} does not import: {type(error).__name__}: {error}")
            continue
        names.append(name)
    return names


def compare(before, after):
    """Prints one line per model and dtype; returns how many were compared and how many differ."""
    import mlx.core as mx

    ran = failed = 0
    for label in MODELS:
        for dtype in DTYPES:
            worst, problem = 0.0, None
            for step in range(1 + len(STEPS)):
                a, b = (tree[f"{label}|{dtype}|{step}"] for tree in (before, after))
                if a.dtype != b.dtype or a.shape != b.shape:
                    problem = f"{a.dtype} {a.shape} became {b.dtype} {b.shape}"
                    break
                difference = mx.abs(a.astype(mx.float32) - b.astype(mx.float32)).max().item()
                if not difference <= worst:  # A NaN is worse than any number.
                    worst = difference
            if problem is None and dtype == "float32" and not worst <= TOLERANCE:
                problem = f"logits differ by {worst:.3g}, {TOLERANCE:g} allowed"
            if problem is None and worst != worst:
                problem = "logits are not numbers"
            ran, failed = ran + 1, failed + (problem is not None)
            size = mx.abs(before[f"{label}|{dtype}|0"].astype(mx.float32)).max().item()
            outcome = problem or f"largest difference {worst:.3g} of logits up to {size:.3g}"
            print(f"{'FAILED' if problem else 'ok'} {label}, {dtype}: {outcome}")
    return ran, failed


def main(arguments):
    if arguments[0] == "--run":
        run_tree(*arguments[1:])
        return 0
    results, modules = [], []
    with tempfile.TemporaryDirectory() as folder:
        for name, tree in zip(("before", "after"), arguments):
            target = str(pathlib.Path(folder) / f"{name}.safetensors")
            done = subprocess.run([sys.executable, __file__, "--run", tree, target], check=False)
            if done.returncode != 0:
                print(f"FAILED: the models of {tree} do not run")
                return 1
            import mlx.core as mx

            loaded, about = mx.load(target, return_metadata=True)
            mx.eval(loaded)
            results.append(loaded)
            modules.append(set(about["imported"].split(",")))
    import mlx.core as mx

    mx.set_default_device(mx.cpu)
    ran, failed = compare(*results)
    for name in sorted(modules[0] - modules[1]):
        print(f"FAILED {name}: no longer imports")
        failed += 1
    print(f"{len(modules[1])} modules import")
    print(f"{ran} comparisons, {failed} failed, MLX {mx.__version__}")
    return 1 if failed or ran == 0 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
