"""Runs the program that comes on standard input, with nothing of the current directory in sight, within limits.

The input is a JSON object: `modules`, pairs of a name and a text, later ones importing earlier ones; `job`, which the function `main` of
the last one gets; `seconds` and `bytes`, the limits. Standard output gets what `main` gives, as JSON, and nothing else: of a generator
each item on a line of its own, as soon as it is there.
"""

import sys

sys.path[:] = [folder for folder in sys.path if folder not in ("", ".")]

import json  # noqa: E402
import os  # noqa: E402
import types  # noqa: E402


def limit(seconds, memory):
    """Ends the process when it takes too much. Not everywhere is there a way to say so; who started it has a clock as well."""
    try:
        import mlx.core as mx
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds * os.cpu_count(), seconds * os.cpu_count()))
    if sys.platform == "linux" and mx.default_device() == mx.cpu:  # A GPU maps more than there is.
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))


def run(sent):
    for name, text in sent["modules"]:
        module = sys.modules[name] = types.ModuleType(name)
        exec(compile(text, f"<{name}>", "exec"), module.__dict__)
    return module.main(sent["job"])


answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
program = json.load(sys.stdin)
limit(program["seconds"], program["bytes"])
answer = run(program)
for item in answer if isinstance(answer, types.GeneratorType) else [answer]:
    answers.write(json.dumps(item) + "\n")
    answers.flush()
answers.close()
