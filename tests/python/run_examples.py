"""Runs every example before and after its rewrite under MLX and compares what they answer.

usage: run_examples.py BEFORE AFTER

BEFORE and AFTER are two trees of the same shape: `<id>/match.py`, `<id>/near_miss.py` and `<id>/arguments.py`, and whole programs in
`models/`. `arguments.py` holds `ARGUMENTS`, from the name of a function or class to a function of `mx` and a dtype that makes its
arguments (for a class: those of the constructor and those of the call), and `EXACT`, the names whose rewrite promises the same
bits; `LESS_PRECISE`, those whose rewrite may double the mean error, and says so; `NARROWED`, those
whose float32 results may become ones in the half precision of the arguments. Where it defines `written_for`, BEFORE runs within that
context, which gives its module the MLX that it was written for. Each case runs in float32, float16 and bfloat16; a class
also with its parameters left in float32. Shape and dtype must be equal and the values no further from a float64 computation of BEFORE.
Exits with 1 on any other outcome, or if nothing ran.
"""

import contextlib
import importlib.util
import inspect
import pathlib
import sys
import types

import mlx.core as mx
import mlx.nn as nn
from mlx.utils import tree_flatten, tree_map, tree_unflatten

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "src" / "proof"))
import oracle  # noqa: E402

NARROWED_MEAN = 1.0  # mean error in the last place of half precision after a few operations in it
# Largest difference between whole programs, as a share of the largest value: two to four times what is seen after some layers in each dtype.
MODEL_TOLERANCE = {"float32": 1e-6, "float16": 2e-3, "bfloat16": 1e-2}


def load(path):
    """Imports a file under a name of its own."""
    spec = importlib.util.spec_from_file_location("example_" + "_".join(path.parts[-3:]).replace(".", "_"), path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def public(module):
    """The functions and classes that a file defines for others, in order."""
    return [
        name for name, value in vars(module).items()
        if not name.startswith("_") and isinstance(value, (types.FunctionType, type)) and value.__module__ == module.__name__
    ]  # fmt: skip


def drawn(model, dtype):
    """Gives a module random parameters of a dtype, the same ones for the same structure."""
    leaves = sorted(tree_flatten(model.parameters()))
    values = [(k, 1 + 0.25 * mx.random.normal(v.shape, key=mx.random.key(n))) for n, (k, v) in enumerate(leaves)]
    model.update(tree_unflatten([(k, v.astype(dtype)) for k, v in values]))
    return model


def answer(callable_, arguments, parameters, wide=False):
    """What a function answers, or an instance of a class with parameters of the dtype given."""
    arguments = oracle.map_arrays(oracle.upcast, arguments) if wide else oracle.copied(arguments)
    if isinstance(callable_, type):
        instance = callable_(*arguments[0])
        if isinstance(instance, nn.Module):
            instance = drawn(instance, parameters)
            if wide:
                instance.update(tree_map(oracle.upcast, instance.parameters()))
        callable_, arguments = instance, arguments[1]
    value = callable_(*arguments)
    return list(value) if inspect.isgenerator(value) else value


def compare(old, new, truth, exact, narrowed=None):
    """What is wrong with the new answer, or None, and the measures that were taken. A float32 result may be `narrowed` to another dtype."""
    leaves = [list(oracle.flatten(value)) for value in (old, new, truth)]
    if len(leaves[0]) != len(leaves[1]):
        return "the results have another structure", []
    measures = []
    for (place, before), (_, after), (_, exactly) in zip(*leaves):
        if type(before) is not type(after):
            return f"{place}: {type(before).__name__} became {type(after).__name__}", measures
        if not isinstance(before, mx.array):
            if not (before == after or (before != before and after != after)):
                return f"{place}: {before!r} became {after!r}", measures
            continue
        if narrowed and before.dtype == mx.float32 and after.dtype == narrowed:
            before = before.astype(narrowed)
        measure = oracle.Measure(before, after, exactly)
        measures.append(measure)
        if narrowed and not measure.reason and measure.mean[1] <= NARROWED_MEAN:
            continue
        problem = measure.not_the_same_bits() if exact else measure.less_accurate()
        if problem:
            return f"{place}: {problem}", measures
    return None, measures


def run_case(name, before, after, make, promised, dtype, parameters):
    """Runs one case and says what is wrong, or None, with a note on how near the answers are. `promised` is the module of the arguments."""
    exact, less_precise, narrowed = (name in getattr(promised, group, ()) for group in ("EXACT", "LESS_PRECISE", "NARROWED"))

    def arguments():
        mx.random.seed(7)
        return make(mx, dtype)

    new = answer(getattr(after, name), arguments(), parameters)
    given = arguments()
    with getattr(promised, "written_for", contextlib.nullcontext)(before):
        old = answer(getattr(before, name), arguments(), parameters)
        if compare(old, new, old, True)[0] is None:
            return None, "same bits"  # Nothing to ask an oracle about, which MLX may not have: convolutions know no float64.
        with oracle.float64():
            truth = answer(getattr(before, name), given, parameters, wide=True)
            mx.eval([leaf for _, leaf in oracle.flatten(truth) if isinstance(leaf, mx.array)])
    problem, measures = compare(old, new, truth, exact and parameters == dtype, dtype if narrowed else None)
    if less_precise and problem and "mean error" in problem and measures[-1].mean[1] <= 2 * measures[-1].mean[0]:
        problem = None
    note = "same bits" if all(m.equal for m in measures) else "mean ulp " + ", ".join(f"{m.mean[0]:.2f} -> {m.mean[1]:.2f}" for m in measures)
    return problem, note


def run_folder(before, after):
    """Runs the cases of one transform; returns how many ran and how many failed."""
    given = load(before / "arguments.py")
    ran = failed = 0
    for file in ("match.py", "near_miss.py"):
        if not (before / file).exists():
            continue
        if file == "near_miss.py" and (before / file).read_bytes() == (after / file).read_bytes():
            continue  # The same text gives the same answers.
        old, new = load(before / file), load(after / file)
        for name in public(old):
            if name not in given.ARGUMENTS:
                if file == "match.py":
                    print(f"FAILED {before.name} {name}: arguments.py has no arguments for it")
                    failed += 1
                continue
            for dtype_name, dtype in oracle.DTYPES.items():
                is_class = isinstance(getattr(old, name), type)
                for parameters in {dtype_name: dtype, "float32": mx.float32}.values() if is_class else [dtype]:
                    label = f"{before.name} {name} {dtype_name}" + (" parameters float32" if parameters != dtype else "")
                    try:
                        problem, note = run_case(name, old, new, given.ARGUMENTS[name], given, dtype, parameters)
                    except Exception as error:  # Whatever a case raises is its failure; the others still run.
                        problem, note = f"{type(error).__name__}: {error}", ""
                    ran += 1
                    failed += problem is not None
                    print(f"FAILED {label}: {problem}" if problem else f"ok {label}: {note}")
    return ran, failed


def run_model(before, after):
    """Runs one whole program before and after; returns what is wrong, or None, and a note."""
    results = []
    for path in (before, after):
        mx.random.seed(11)
        results.append(list(oracle.flatten(load(path).main())))
    old, new = results
    if len(old) != len(new) or not any(isinstance(leaf, mx.array) for _, leaf in old):
        return f"main() answered {len(old)} values before and {len(new)} after", ""
    worst = 0.0
    for (place, a), (_, b) in zip(old, new):
        if not isinstance(a, mx.array):
            if a != b:
                return f"{place}: {a!r} became {b!r}", ""
            continue
        if a.dtype != b.dtype or a.shape != b.shape:
            return f"{place}: {a.dtype} {a.shape} became {b.dtype} {b.shape}", ""
        x, y = oracle.numbers(a), oracle.numbers(b)
        share = float(abs(x - y).max() / max(abs(x).max(), 1e-30)) if x.size else 0.0
        tolerance = MODEL_TOLERANCE.get(oracle.name_of(a.dtype), 0.0)
        if not share <= tolerance:
            return f"{place}: differs by {share:.2g} of the largest value, {tolerance:g} allowed", ""
        worst = max(worst, share)
    return None, f"largest difference {worst:.2g} of the largest value"


def main(arguments):
    before, after = map(pathlib.Path, arguments)
    mx.set_default_device(mx.cpu)
    ran = failed = 0
    for folder in sorted(before.iterdir()):
        if (folder / "arguments.py").exists():
            counts = run_folder(folder, after / folder.name)
            ran, failed = ran + counts[0], failed + counts[1]
    for path in sorted((before / "models").glob("*.py")):
        try:
            problem, note = run_model(path, after / "models" / path.name)
        except Exception as error:
            problem, note = f"{type(error).__name__}: {error}", ""
        ran, failed = ran + 1, failed + (problem is not None)
        print(f"FAILED models {path.stem}: {problem}" if problem else f"ok models {path.stem}: {note}")
    print(f"{ran} cases, {failed} failed, MLX {mx.__version__}")
    return 1 if failed or ran == 0 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
