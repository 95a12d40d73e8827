"""Draws spellings of the computations that the rules recognise, rewrites them, and runs them before and after under MLX.

usage: spellings.py --mlxfix PATH [--seed N] [--spellings N] [--near-misses M] [--recall R] [--rule ID]... [--keep FOLDER] [--fast]

For each rule N equivalent spellings and M near misses are drawn; the same seed draws the same ones. Each is a file of its own, and is
rewritten twice: with unsafe edits, and with safe ones only. What became of it is compared with what it was, in float32, float16 and
bfloat16, on random values and on zeros, large values, infinities and NaN; safe edits also on arguments that break what an unsafe one may
assume. Exits with 1 if a rewrite answers otherwise, if it raises where nothing was raised, if a second run would change more, or if fewer
than 0.97 of a rule's spellings are found.
"""

import argparse
import ast
import collections
import contextlib
import dataclasses
import io
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time
import tokenize
import types
import warnings

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import oracle
import run_examples
import spell_near_misses
import spell_rules
from mlx.utils import tree_flatten, tree_map, tree_unflatten

OTHER = {"float32": mx.float16, "float16": mx.float32, "bfloat16": mx.float32}


class Data:
    """Makes arguments, the same ones for the same seed."""

    def __init__(self, dtype, special, seed, other=None):
        self.dtype, self.special, self.seed = dtype, special, seed
        self.count = 0
        self.other = other or Data(OTHER[oracle.name_of(dtype)], special, seed + 1, self)

    def key(self):
        self.count += 1
        return mx.random.key(self.seed * 1000 + self.count)

    def rows(self, *shape, size=1.0):
        """Activations. Special ones have a row of zeros, one of large values, one with an infinity and one with a NaN."""
        x = size * mx.random.normal(shape, key=self.key())
        if self.special and shape and x.size > 1:
            rows = np.array(x).reshape(-1, shape[-1])
            start = self.seed % 4
            for i in range(len(rows)):
                kind = (start + i) % 6
                if kind == 0:
                    rows[i] = 0
                elif kind == 1:
                    rows[i] *= self.special
                elif kind == 2 and self.special > 50:
                    rows[i, 0] = np.inf
                elif kind == 3:
                    rows[i, -1] = np.nan
            x = mx.array(rows.reshape(shape))
        return x.astype(self.dtype)

    def vector(self, *shape):
        return (1 + 0.25 * mx.random.normal(shape, key=self.key())).astype(self.dtype)

    def mask(self, shape, absent=False, dead=False):
        if absent:
            return None
        if len(shape) < 2:
            return mx.random.normal(shape, key=self.key()).astype(self.dtype)
        mask = mx.where(mx.tri(shape[-2], shape[-1]) > 0, 0.0, -1e4)
        if dead or self.special and self.seed % 2:
            mask[0] = -np.inf
        return mx.broadcast_to(mask, shape).astype(self.dtype)

    def truth(self, shape):
        return mx.random.normal(shape, key=self.key()) > 0

    def integers(self, shape):
        return mx.random.randint(0, 3, shape, key=self.key())

    def numpy(self, *shape):
        return np.array(mx.random.normal(shape, key=self.key()))

    def scalar(self, value):
        return mx.array(value)


def module(text, name="spelling"):
    """The file as a module."""
    found = types.ModuleType(name)
    exec(compile(text, name, "exec"), vars(found))
    return found


def subject(text):
    names = vars(module(text))
    return names.get("subject") or names["Subject"]


def comparable(value):
    """The result with NumPy arrays made arrays that can be measured."""
    if isinstance(value, (np.ndarray, np.generic)):
        return ["ndarray", mx.array(np.asarray(value, np.float64 if value.dtype == np.float64 else None).astype(np.float32))]
    if isinstance(value, (list, tuple)):
        return [comparable(v) for v in value]
    return value


def parameters_for(model, dtype, seed):
    """Gives a module parameters of a dtype, of a size that keeps its outputs moderate."""
    leaves = sorted(tree_flatten(model.parameters()))
    drawn = []
    for n, (name, leaf) in enumerate(leaves):
        noise = mx.random.normal(leaf.shape, key=mx.random.key(seed + n))
        drawn.append((name, (noise * leaf.shape[-1] ** -0.5 if leaf.ndim == 2 and leaf.shape[0] > 1 else 1 + 0.25 * noise).astype(dtype)))
    model.update(tree_unflatten(drawn))
    return model


def answer(text, arguments, parameters, seed, wide=False):
    """The result, and the arguments as they are after the call."""
    callable_ = subject(text)
    arguments = oracle.map_arrays(oracle.upcast, arguments) if wide else oracle.copied(arguments)
    mx.random.seed(7)
    if isinstance(callable_, type):
        instance = callable_(*arguments[0])
        if isinstance(instance, nn.Module):
            parameters_for(instance, parameters, seed)
            if wide:
                instance.update(tree_map(oracle.upcast, instance.parameters()))
        callable_, arguments = instance, arguments[1]
    value = comparable([callable_(*arguments), list(arguments)])
    mx.eval([leaf for _, leaf in oracle.flatten(value) if isinstance(leaf, mx.array)])
    return value


class Raised(str):
    """What was raised."""


def attempt(*given, **options):
    try:
        return answer(*given, **options)
    except Exception as error:
        return Raised(f"{type(error).__name__}: {str(error)[:200]}")


def difference(before, after, make, exact, data, parameters, seed, rounding):
    """What is wrong with the answer of `after`, or None. Also whether `before` ran at all."""
    given = make(data())
    old = attempt(before, given, parameters, seed)
    if isinstance(old, Raised):
        return None, old
    new = attempt(after, make(data()), parameters, seed)
    if isinstance(new, Raised):
        return f"raises {new}", None
    with widest():
        truth = attempt(before, make(data()), parameters, seed, wide=True)
    if isinstance(truth, Raised):
        return f"the oracle raises {truth}", None
    problem, measures = run_examples.compare(old, new, truth, exact)
    if problem and "mean error" in problem and rounding * measures[-1].mean[0] + oracle.MEAN_SLACK[measures[-1].dtype] >= measures[-1].mean[1]:
        problem = None
    return problem, None


@contextlib.contextmanager
def widest():
    """Within it, a cast to half precision is one to float64 as well: what a text says of its precision is no truth about its value."""
    halves = mx.float16, mx.bfloat16
    with oracle.float64():
        mx.float16 = mx.bfloat16 = mx.float64
        try:
            yield
        finally:
            mx.float16, mx.bfloat16 = halves


# How much larger the mean error may be where a rewrite rounds elsewhere, not less: the scores are scaled before they are rounded, or after.
ROUNDING = {"attention": 1.5}
SPECIAL = {"rms-norm": 300.0, "layer-norm": 300.0, "attention": 4.0, "precise-softmax": 300.0, "addmm": 20.0}


def judged(spelling, after, safe):
    """Everything that is wrong with one rewritten text, each with the circumstances."""
    before = spelling.text
    wrong = []
    rounding = ROUNDING.get(spelling.rule, 1.0)
    makes = [("", spelling.arguments)] if spelling.arguments else []
    if safe:
        makes += [(f"hostile arguments {n}", make) for n, make in enumerate(spelling.hostile)]
    for note, make in makes:
        for name, dtype in oracle.DTYPES.items():
            for special in (0, SPECIAL[spelling.rule]):
                wider = "class" in spelling.tags and spelling.rule != "addmm" and spelling.rule != "attention" or safe
                for parameters in {name: dtype, "float32": mx.float32}.values() if wider else [dtype]:
                    exact = spelling.exact and parameters == dtype and not note
                    # A chance difference in accuracy does not come three times.
                    for attempt_ in range(3):
                        seed = spelling.number * 10 + attempt_
                        problem, _ = difference(before, after, make, exact, lambda: Data(dtype, special, seed), parameters, seed, rounding)
                        if not problem or "error" not in problem:
                            break
                    if problem:
                        place = [name, "special values" if special else "", note, "float32 parameters" if parameters != dtype else ""]
                        wrong.append(f"{', '.join(p for p in place if p)}: {problem}")
    return wrong


def comments(text):
    return collections.Counter(t.string for t in tokenize.generate_tokens(io.StringIO(text).readline) if t.type == tokenize.COMMENT)


def found(spelling, after):
    """Whether the fast operation is there and the slow one is gone from what the subject runs."""
    text = ast.unparse(without_unused(ast.parse(after)))
    return all(part in text for part in spelling.done) and not any(part in text for part in spelling.gone)


def without_unused(tree):
    """The tree without imports and without helpers at the top that nothing calls any more; other files might."""
    tree.body = [s for s in tree.body if not isinstance(s, (ast.Import, ast.ImportFrom))]
    used = {n.id for s in tree.body for n in ast.walk(s) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}

    def defined(statement):
        if isinstance(statement, ast.Assign):
            return statement.targets[0].id
        return getattr(statement, "name", None)

    tree.body = [s for s in tree.body if defined(s) in used | {"subject", "Subject"}]
    return tree


def drawn(rule, seed, spellings, near_misses):
    """The spellings and near misses of one rule."""
    out = []
    for n in range(spellings + near_misses):
        rng = random.Random(f"{seed} {rule} {n}")
        for _ in range(100):
            spelling = spell_rules.spell(rule, rng) if n < spellings else spell_near_misses.near_miss(rule, rng)
            if runs(spelling):
                break
        else:
            raise SystemExit(f"nothing that runs was drawn for {rule}: {spelling.text}")
        spelling.number = n
        out.append(spelling)
    return out


def runs(spelling):
    """Whether a drawn text runs. Near misses that raise have nothing to preserve."""
    make = spelling.arguments or spelling.hostile[0]
    result = attempt(spelling.text, make(Data(mx.float32, 0, 1)), mx.float32, 1)
    if isinstance(result, Raised) and (spelling.twist is None or "SyntaxError" in result):
        raise SystemExit(f"the generator wrote what does not run: {result}\n{spelling.text}")
    return not isinstance(result, Raised)


def rewritten(mlxfix, folder, flags):
    """Runs the program on the files of a folder; gives what it wrote to stderr if it failed."""
    result = subprocess.run([mlxfix, *flags, folder], capture_output=True, text=True)
    if result.returncode not in (0, 1):
        raise SystemExit(f"mlxfix {flags} ended with {result.returncode}\n{result.stderr[-4000:]}")


def report(label, spelling, problems, after, why=""):
    print(f"FAILED {label} {spelling.rule} {spelling.number} {spelling.twist or ''} {sorted(spelling.tags)}")
    for problem in problems[:4]:
        print(f"  {problem}")
    if why:
        print("  " + why.strip().replace("\n", "\n  "))
    print("  ---- before\n  " + spelling.text.replace("\n", "\n  "))
    if after is not None and after != spelling.text:
        print("  ---- after\n  " + after.replace("\n", "\n  "))


def shrunk(spelling, still_fails):
    """The spelling without the lines that its failure does not need. It answers what it answered, in half precision so that casts count."""
    if spelling.arguments is None:
        return spelling
    make = lambda: spelling.arguments(Data(mx.float16, 0, 3))
    wanted = answer(spelling.text, make(), mx.float16, 3)
    text, line = spelling.text, 0
    while line < len(text.splitlines()):
        lines = text.splitlines(keepends=True)
        shorter = "".join(lines[:line] + lines[line + 1 :])
        needed = not lines[line].strip() or "super()" in lines[line]
        found = wanted if needed else attempt(shorter, make(), mx.float16, 3)
        if not needed and not isinstance(found, Raised) and run_examples.compare(wanted, found, wanted, False)[0] is None and still_fails(shorter):
            text = shorter
        else:
            line += 1
    return dataclasses.replace(spelling, text=text)


def run_alone(mlxfix, text, flags, folder):
    """The text after the program has run on it."""
    path = folder / "alone.py"
    path.write_text(text)
    rewritten(mlxfix, path, flags)
    return path.read_text()


def run_rule(rule, options, folder):
    """Draws, rewrites and runs one rule; gives the number of failures."""
    started = time.time()
    spellings = drawn(rule, options.seed, options.spellings, options.near_misses)
    failures = collections.Counter()
    texts = {}
    for mode, flags in {"unsafe": ["--write", "--unsafe"], "safe": ["--write"]}.items():
        place = folder / rule / mode
        place.mkdir(parents=True)
        for s in spellings:
            (place / f"s{s.number:04}.py").write_text(s.text)
        flags += ["--ignore", "redundant-upcast"] if options.all else ["--select", rule]  # which is less precise, and says so
        rewritten(options.mlxfix, place, flags)
        texts[mode] = [(place / f"s{s.number:04}.py").read_text() for s in spellings]
        rewritten(options.mlxfix, place, flags)
        for s, text in zip(spellings, texts[mode]):
            if (place / f"s{s.number:04}.py").read_text() != text:
                failures["unsettled"] += 1
                report(f"not settled by one run ({mode})", s, [], text)
    recalled = safe_edits = 0
    missed = []
    for i, s in enumerate(spellings):
        for mode in ("safe", "unsafe"):
            after = texts[mode][i]
            if after == s.text:
                continue
            problems = []
            try:
                if comments(s.text) - comments(after):
                    problems.append(f"comments lost: {dict(comments(s.text) - comments(after))}")
                compile(after, "after", "exec")
            except (SyntaxError, tokenize.TokenError) as error:
                problems.append(f"does not parse: {error}")
            if mode == "unsafe" and after == texts["safe"][i]:
                continue
            problems += judged(s, after, mode == "safe")
            if problems:
                failures[mode] += 1
                report(f"wrong {mode} edit", s, problems, after)
        if s.number < options.spellings:
            safe_edits += texts["safe"][i] != s.text
            if found(s, texts["unsafe"][i]):
                recalled += 1
            else:
                missed.append((s, texts["unsafe"][i]))
    for s, after in missed:
        flags = ["--write", "--unsafe", *([] if options.all else ["--select", rule])]
        if not options.fast:
            s = shrunk(s, lambda text: not found(s, run_alone(options.mlxfix, text, flags, folder)))
        report("missed", s, [], run_alone(options.mlxfix, s.text, flags, folder), reason(options.mlxfix, s, folder))
    near = [s for s in spellings if s.number >= options.spellings]
    changed = sum(texts["unsafe"][s.number] != s.text for s in near)
    recall = recalled / max(1, options.spellings)
    print(
        f"{rule}: recall {recall:.3f} ({recalled} of {options.spellings}, {safe_edits} with a safe edit); {len(near)} near misses, {changed} changed; "
        f"wrong: {failures['safe']} safe, {failures['unsafe']} unsafe; not settled: {failures['unsettled']}; {time.time() - started:.0f} s",
        flush=True,
    )
    tags(spellings[: options.spellings], {s.number for s, _ in missed})
    return failures.total() + (recall < options.recall)


def tags(spellings, missed):
    """Which unusual choices the missed spellings have in common."""
    seen, lost = collections.Counter(), collections.Counter()
    for s in spellings:
        seen.update(s.tags)
        lost.update(s.tags if s.number in missed else ())
    worst = sorted(((lost[t] / seen[t], t) for t in lost), reverse=True)[:12]
    if worst:
        print("  missed most with: " + ", ".join(f"{t} {lost[t]}/{seen[t]}" for _, t in worst))


def reason(mlxfix, spelling, folder):
    path = folder / "why.py"
    path.write_text(spelling.text)
    result = subprocess.run([mlxfix, "why", path, "--select", spelling.rule], capture_output=True, text=True)
    return (result.stdout + result.stderr).replace(str(path), "why.py")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mlxfix", required=True)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    parser.add_argument("--spellings", type=int, default=200)
    parser.add_argument("--near-misses", type=int, default=100)
    parser.add_argument("--recall", type=float, default=0.97)
    parser.add_argument("--rule", action="append")
    parser.add_argument("--keep")
    parser.add_argument("--all", action="store_true", help="run all transforms on each spelling, not only its own")
    parser.add_argument("--fast", action="store_true", help="show failures as they were drawn")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    mx.set_default_device(mx.cpu)
    warnings.simplefilter("ignore")
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(options.keep or folder)
        shutil.rmtree(folder, ignore_errors=True) if options.keep else None
        for rule in options.rule or spell_rules.RULES:
            failures += run_rule(rule, options, folder)
    print(f"{failures} failures, seed {options.seed}, MLX {mx.__version__}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
