"""Runs what was drawn, before and after its rewrite, and says what is wrong."""

import contextlib
import functools
import types

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import oracle
import run_examples
from mlx.utils import tree_flatten, tree_map, tree_unflatten

ONCE = 0.25  # the mean error, in the last place, of a true value that is rounded once
FEW = 100  # so few elements have no mean error to speak of: the last digit of each is chance, and a weight repeats that of one
NARROW = 16.0  # how many units in the last place an answer that was narrowed may be from the truth


class Data:
    """Makes arguments, the same ones for the same seed; `others` make them in the other dtypes."""

    def __init__(self, dtype, large, seed, alone=False):
        self.dtype, self.large, self.seed = dtype, large, seed
        self.count = 0
        if not alone:
            self.others = [Data(other, large, seed + n, alone=True) for n, other in enumerate(oracle.DTYPES.values(), 1) if other != dtype]

    def key(self):
        self.count += 1
        return mx.random.key(self.seed * 1000 + self.count)

    def rows(self, *shape, size=1.0):
        """Activations. Special ones have rows of zeros, rows of large values, and rows with an infinity or a NaN."""
        x = size * mx.random.normal(shape, key=self.key())
        if self.large and shape and x.size > 1:
            rows = np.array(x).reshape(-1, shape[-1])
            for i in range(len(rows)):
                kind = (self.seed + i) % 6
                if kind == 0:
                    rows[i] = 0
                elif kind == 1:
                    rows[i] *= self.large
                elif kind == 2 and self.large > 50:
                    rows[i, 0] = np.inf
                elif kind == 3:
                    rows[i, -1] = np.nan
            x = mx.array(rows.reshape(shape))
        return x.astype(self.dtype)

    def vector(self, *shape):
        """Weights."""
        return (1 + 0.25 * mx.random.normal(shape, key=self.key())).astype(self.dtype)

    def mask(self, shape, absent=False, dead=False):
        """A causal mask to be added; a dead one hides everything from the first query."""
        if absent:
            return None
        if len(shape) < 2:
            return mx.random.normal(shape, key=self.key()).astype(self.dtype)
        mask = mx.where(mx.tri(shape[-2], shape[-1]) > 0, 0.0, -1e4)
        if dead or self.large and self.seed % 2:
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


class Raised(str):
    """What was raised."""


def attempt(*given, **options):
    """An answer, or what was raised on the way to it."""
    try:
        return answer(*given, **options)
    except Exception as error:
        return Raised(f"{type(error).__name__}: {str(error)[:200]}")


@functools.lru_cache(maxsize=8)
def compiled(text):
    return compile(text, "spelling", "exec")


def answer(text, arguments, parameters, seed, wide=False):
    """The result of the function or class in a text, and the arguments as they are after the call."""
    names = types.ModuleType("spelling")
    exec(compiled(text), vars(names))
    callable_ = vars(names).get("subject") or names.Subject
    arguments = oracle.map_arrays(oracle.upcast, arguments) if wide else oracle.copied(arguments)
    mx.random.seed(7)
    if isinstance(callable_, type):
        instance = callable_(*arguments[0])
        if isinstance(instance, nn.Module):
            fill(instance, parameters, seed)
            if wide:
                instance.update(tree_map(oracle.upcast, instance.parameters()))
        callable_, arguments = instance, arguments[1]
    value = comparable([callable_(*arguments), list(arguments)])
    mx.eval([leaf for _, leaf in oracle.flatten(value) if isinstance(leaf, mx.array)])
    return value


def fill(model, dtype, seed):
    """Gives a module parameters of a dtype, of a size that keeps its outputs moderate."""
    drawn = []
    for n, (name, leaf) in enumerate(sorted(tree_flatten(model.parameters()))):
        noise = mx.random.normal(leaf.shape, key=mx.random.key(seed + n))
        matrix = leaf.ndim == 2 and leaf.shape[0] > 1
        drawn.append((name, (noise * leaf.shape[-1] ** -0.5 if matrix else 1 + 0.25 * noise).astype(dtype)))
    model.update(tree_unflatten(drawn))


def comparable(value):
    """The result with NumPy arrays made arrays that can be measured."""
    if isinstance(value, (np.ndarray, np.generic)):
        return ["ndarray", mx.array(np.asarray(value, np.float32))]
    if isinstance(value, (list, tuple)):
        return [comparable(v) for v in value]
    return value


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


def measured(before, after, arguments, parameters, seed, exact, rule):
    """What is wrong with the answer of `after`, or None. What raised before may do anything."""
    old = attempt(before, arguments, parameters, seed)
    if isinstance(old, Raised):
        return None
    new = attempt(after, arguments, parameters, seed)
    if isinstance(new, Raised):
        return f"raises {new}"
    if exact or run_examples.compare(old, new, old, True)[0] is None:
        return run_examples.compare(old, new, old, True)[0]
    with widest():
        truth = attempt(before, arguments, parameters, seed, wide=True)
    if isinstance(truth, Raised):
        return f"the oracle raises {truth}"
    if rule.narrowing:
        return narrowed(old, new, truth, max(oracle.SPACING.get(name, 0.0) for name in dtypes_in([arguments, parameters])))
    problem, measures = run_examples.compare(old, new, truth, False)
    if problem and "largest error" in problem and measures[-1].dtype == "float32":
        # Where halves of two kinds meet, float32 holds what was computed with the precision of the coarser one: its largest error is chance.
        last, coarsest = measures[-1], max(oracle.SPACING.get(name, 0.0) for name in dtypes_in([arguments, parameters]))
        if last.largest[1] - last.largest[0] <= oracle.LARGEST_SLACK["float16"] * coarsest / oracle.SPACING["float32"]:
            problem = f"mean error {last.mean[0]:.3f} became {last.mean[1]:.3f} ulp" if last.mean[1] > oracle.MEAN_FACTOR * last.mean[0] else None
    if problem and "mean error" in problem:
        last = measures[-1]
        # Where weights of 0 and 1 made the old result exact by chance, rounding elsewhere is held against rounding the truth itself.
        least = ONCE if rule.rounding > 1 else 0.0
        if last.count < FEW or last.mean[1] <= rule.rounding * max(last.mean[0], least) + oracle.MEAN_SLACK[last.dtype]:
            return None
    return problem


def dtypes_in(value):
    """The names of the dtypes in arguments."""
    for _, leaf in oracle.flatten(value):
        if isinstance(leaf, (mx.array, mx.Dtype)):
            yield oracle.name_of(leaf.dtype if isinstance(leaf, mx.array) else leaf)


def narrowed(old, new, truth, coarsest):
    """What is wrong with an answer that may be in half precision where it was float32, or None: there it must be as precise as that allows. Where unknown code,
    or a number that stays an array, makes float32 of it again, it has the digits of the coarsest dtype all the same.
    """
    halves = mx.float16, mx.bfloat16
    before, after, exact = (list(oracle.flatten(value)) for value in (old, new, truth))
    for (place, a), (_, b), (_, t) in zip(before, after, exact):
        if isinstance(a, mx.array) and isinstance(b, mx.array) and a.dtype == mx.float32 and b.dtype in halves:
            measure = oracle.Measure(a.astype(b.dtype), b, t)
            if measure.reason or measure.largest[1] > NARROW:
                return f"{place}: {measure.reason or f'error {measure.largest[1]:.2f} ulp after narrowing'}"
            continue
        problem, measures = run_examples.compare(a, b, t, False)
        is_narrowed = problem and "error" in problem and measures[-1].dtype == "float32"
        if problem and not (is_narrowed and measures[-1].largest[1] * oracle.SPACING["float32"] <= NARROW * coarsest):
            return f"{place}: {problem}"
    return None if len(before) == len(after) else "the results have another structure"


def judged(spelling, after, safe, rule):
    """Everything that is wrong with a rewritten text, each with the circumstances."""
    wrong = []
    makes = [("", spelling.arguments)] if spelling.arguments else []
    if safe:
        makes += [(f"hostile arguments {n}", make) for n, make in enumerate(spelling.hostile)]
    # A weight may be float32 where the activations are not; a product of the two is what an unsafe edit assumes that it is not.
    mixed = "class Subject" in spelling.text and (safe or rule.mixed)
    for note, make in makes:
        for name in rule.dtypes:
            dtype = oracle.DTYPES[name]
            for large in (0, rule.large):
                for parameters in {name: dtype, **(oracle.DTYPES if safe else {"float32": mx.float32})}.values() if mixed else [dtype]:
                    exact = spelling.exact and parameters == dtype and not note
                    problem = persistent_difference(spelling, after, make, dtype, large, parameters, exact, rule)
                    if problem:
                        place = [
                            name,
                            "special values" if large else "",
                            note,
                            f"{oracle.name_of(parameters)} parameters" if parameters != dtype else "",
                        ]
                        wrong.append(f"{', '.join(p for p in place if p)}: {problem}")
    return wrong


def persistent_difference(spelling, after, make, dtype, large, parameters, exact, rule):
    """The difference; one in accuracy only if three draws in a row have it, as one that is due to chance has not."""
    for repeat in range(3):
        seed = spelling.number * 10 + repeat
        problem = measured(spelling.text, after, make(Data(dtype, large, seed)), parameters, seed, exact, rule)
        if not problem or "error" not in problem:
            break
    return problem
