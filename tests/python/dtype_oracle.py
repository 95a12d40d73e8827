"""Compares what `mlxfix dtypes` says of named values with the dtypes that they have when the examples run under MLX.

usage: dtype_oracle.py MLXFIX EXAMPLES

Each function and class of each `match.py` and `near_miss.py` that has arguments, and each whole program, runs in float16, bfloat16 and
float32. After every statement that names a value, and at every return, the dtype found is held against the one that was told: a dtype,
or the promotion of those of parameters, attributes and modules; and so is the number of axes. Exits with 1 where one differs, or if nothing was compared.
"""

import json
import pathlib
import subprocess
import sys

import mlx.core as mx
import mlx.nn as nn
from mlx.utils import tree_flatten

import run_examples
from run_examples import oracle


def told(mlxfix, path):
    """What is said of each named value of a file, by scope and lines."""
    run = subprocess.run([mlxfix, "dtypes", "--output-format", "json", str(path)], capture_output=True, text=True, check=True)
    rows = {}
    for row in json.loads(run.stdout):
        scope = rows.setdefault(row["scope"], {"return": [], "assigned": [], "parameters": []})
        if row["kind"] == "array":
            is_parameter = row["why"] == "parameter"
            group = "return" if row["name"] == "return" else "parameters" if is_parameter else "assigned"
            scope[group].append((range(row["location"]["row"], row["end_location"]["row"] + 1), row))
    return rows


def dtypes_of(value, kind):
    """The dtypes that count of a source: of an array, or of the parameters of a module."""
    if isinstance(value, mx.array):
        return [value.dtype]
    if isinstance(value, nn.Module) and kind == "module":
        return [leaf.dtype for _, leaf in tree_flatten(value.parameters())]
    return None


def expected(row, given):
    """The dtype that a row stands for where parameters were `given`; None where it hangs on something that is not seen."""
    found = [getattr(mx, row["dtype"])] if row["dtype"] else []
    for source in row["promotes"]:
        if source["kind"] == "value":
            return None
        try:
            value = eval(source["source"], {}, given)  # noqa: S307
        except Exception:
            return None
        dtypes = dtypes_of(value, source["kind"])
        if dtypes is None:
            return None
        found += dtypes
    if not found:
        return None
    total = mx.zeros((1,), found[0])
    for dtype in found[1:]:
        total = total + mx.zeros((1,), dtype)
    return total.dtype


class Watch:
    """Follows the frames of one file and compares after each statement."""

    def __init__(self, path, rows):
        self.path, self.rows, self.compared, self.wrong = str(path), rows, 0, set()

    def __call__(self, frame, event, _):
        scope = self.rows.get(frame.f_code.co_qualname)
        if frame.f_code.co_filename != self.path or scope is None:
            return None
        given, last = dict(frame.f_locals), None

        def local(frame, event, value):
            nonlocal last
            if event == "exception":
                last = None
                return local
            for lines, row in scope["assigned"]:
                if last in lines and (event == "return" or frame.f_lineno not in lines):
                    self.compare(row, frame.f_locals.get(row["name"]), given)
            if event == "return":
                for lines, row in scope["return"]:
                    if frame.f_lineno in lines:
                        self.compare(row, value, given)
            last = frame.f_lineno
            return local

        return local

    def compare(self, row, value, given):
        dtype = expected(row, given)
        if dtype is None or value is None:
            return
        self.compared += 1
        place = f"{self.path}:{row['location']['row']} {row['scope']}: {row['name']}"
        if not isinstance(value, mx.array) or value.dtype != dtype:
            what = value.dtype if isinstance(value, mx.array) else type(value).__name__
            self.wrong.add(f"FAILED {place} is {what}, told was {dtype} ({row['why']})")
        elif row["axes"] not in (None, value.ndim):
            self.wrong.add(f"FAILED {place} has {value.ndim} axes, told were {row['axes']}")


def watched(watch, run):
    """Runs something under a watch. What it raises is not our matter: other tests see to it."""
    sys.settrace(watch)
    try:
        run()
    except Exception:
        pass
    finally:
        sys.settrace(None)


def run_folder(mlxfix, folder):
    given = run_examples.load(folder / "arguments.py")
    for file in ("match.py", "near_miss.py"):
        module = run_examples.load(folder / file)
        watch = Watch(folder / file, told(mlxfix, folder / file))
        for name in run_examples.public(module):
            make = given.ARGUMENTS.get(name)
            for dtype in oracle.DTYPES.values() if make else ():
                for parameters in {dtype, mx.float32}:
                    watched(watch, lambda: run_examples.answer(getattr(module, name), make(mx, dtype), parameters))
        yield watch


def main(arguments):
    mlxfix, examples = arguments[0], pathlib.Path(arguments[1]).resolve()
    mx.set_default_device(mx.cpu)
    watches = []
    for folder in sorted(examples.iterdir()):
        if (folder / "arguments.py").exists():
            watches += run_folder(mlxfix, folder)
    for path in sorted((examples / "models").glob("*.py")):
        watch = Watch(path, told(mlxfix, path))
        watched(watch, run_examples.load(path).main)
        watches.append(watch)
    for line in sorted(set().union(*(watch.wrong for watch in watches))):
        print(line)
    compared = sum(watch.compared for watch in watches)
    print(f"{compared} dtypes compared, {sum(len(w.wrong) for w in watches)} places differ, MLX {mx.__version__}")
    return 1 if any(watch.wrong for watch in watches) or not compared else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
