"""Compares two results with a third that was computed in float64: not "are they equal" but "which one is nearer to the truth".

The truth is the code before its change, run on inputs cast up to float64, with every cast to float32 inside it turned into a
cast to float64. It runs on the CPU, the one MLX device that has float64.
"""

import contextlib
import copy

import double
import mlx.core as mx
import mlx.nn as nn
import numpy as np
from mlx.utils import tree_map

DTYPES = {"float32": mx.float32, "float16": mx.float16, "bfloat16": mx.bfloat16}
SMALLEST = {"float32": 2.0**-126, "float16": 2.0**-14, "bfloat16": 2.0**-126, "complex64": 2.0**-126, "float64": 2.0**-1022}  # with all bits
SPACING = {"float32": 2.0**-23, "float16": 2.0**-10, "bfloat16": 2.0**-7, "complex64": 2.0**-23, "float64": 2.0**-52}

# How far `after` may be from the truth, given how far `before` is; both in units of the last place of the result's dtype. What is added is for sums that
# are taken in another order: in float32, of the rules that ship, attention goes from 1.9 to 8.0 at most, and from 0.5 to 1.3 in the mean; in half
# precision, where they add up in float32, a norm goes from 0.5 to 1.7 (2 cores of an x86-64, MLX 0.32.4).
LARGEST_SLACK = {"float32": 16.0, "float16": 2.0, "bfloat16": 2.0, "complex64": 16.0, "float64": 16.0}  # added to the largest error
FEWEST = 16  # elements that have a mean error
MEAN_FACTOR = 1.05  # times the mean error ...
MEAN_SLACK = {"float32": 1.0, "float16": 0.02, "bfloat16": 0.02, "complex64": 1.0, "float64": 1.0}  # ... plus this much


def name_of(dtype):
    """`float16` for `mx.float16`."""
    return str(dtype).rsplit(".", 1)[-1]


def flatten(value, place="result"):
    """The leaves of a nested result with their places, in order."""
    if isinstance(value, (list, tuple)):
        yield place + ".len", len(value)
        for i, item in enumerate(value):
            yield from flatten(item, f"{place}[{i}]")
    elif isinstance(value, dict):
        yield place + ".keys", sorted(map(str, value))
        for key in sorted(value, key=str):
            yield from flatten(value[key], f"{place}[{key!r}]")
    else:
        yield place, value


def map_arrays(function, value, kinds=mx.array):
    """`value` with `function` applied to each array in it."""
    if isinstance(value, kinds):
        return function(value)
    if isinstance(value, (list, tuple)):
        return type(value)(map_arrays(function, item, kinds) for item in value)
    if isinstance(value, nn.Module):
        module = copy.copy(value)
        module.update(tree_map(lambda leaf: map_arrays(function, leaf, kinds), value.parameters()))
        return module
    if isinstance(value, dict):
        return {key: map_arrays(function, item, kinds) for key, item in value.items()}
    return value


def upcast(array):
    """Floating arrays in float64, all others as they are."""
    return array.astype(mx.float64) if mx.issubdtype(array.dtype, mx.floating) else array


def copied(value):
    """The same arguments with arrays of their own, so that an in-place change is not seen by the next run."""
    return map_arrays(lambda a: a.copy() if isinstance(a, np.ndarray) else mx.array(a), value, (mx.array, np.ndarray))


def _nn_softmax(x, axis=-1):
    return mx.softmax(x, axis=axis)


# MLX compiles its own for the first shape that it is given, whatever comes later; after an empty array of some rank it changes nothing of that rank.
nn.softmax = _nn_softmax


@contextlib.contextmanager
def float64():
    """Within it, `mx.float32` is float64, and MLX's functions are as exact as float64 allows (some of its own stop at float32)."""
    single, device = mx.float32, mx.default_device()
    mx.float32 = mx.float64
    mx.set_default_device(mx.cpu)
    try:
        with double.functions():
            yield
    finally:
        mx.float32 = single
        mx.set_default_device(device)


def numbers(array):
    """The array as float64 numbers."""
    if array.dtype == mx.bfloat16:
        array = array.astype(mx.float32)
    if array.dtype == mx.complex64:
        return np.array(array)[..., None].view(np.float32).astype(np.float64)
    return np.array(array).astype(np.float64)


def bits(values):
    """The bytes of numbers, with one pattern for every NaN."""
    values = values.copy()
    values[np.isnan(values)] = np.nan
    return values.tobytes()


def rounded(values, dtype):
    """Float64 numbers as far as the range of a dtype goes; bfloat16 reaches as far as float32."""
    with np.errstate(over="ignore"):
        return values.astype({"float16": np.float16, "float64": np.float64}.get(dtype, np.float32))


class Measure:
    """How two arrays compare with the truth. With `reaches_further`, `after` may be finite where `before` is not, in float64 neither."""

    def __init__(self, before, after, truth, reaches_further=False):
        self.dtype = name_of(before.dtype)
        self.dtype_changed = before.dtype != after.dtype
        self.mean = self.largest = (0.0, 0.0)
        self.count = 0  # the elements that are compared: those that are finite everywhere
        b, a, t = (numbers(array) for array in (before, after, truth))
        self.reason, self.equal = self._shape_and_dtype(before, after), bits(b) == bits(a)
        if self.reason or before.size == 0 or self.dtype not in SPACING:
            if not self.reason and not self.equal:
                self.reason = f"{self.dtype} values differ"
            return
        if t.shape != b.shape:
            self.reason = f"the oracle has shape {t.shape}, the result {b.shape}"
            return
        reachable = rounded(t, self.dtype)
        # Where `before` itself leaves the range of the dtype, `after` may do so elsewhere on its way.
        lost = np.isfinite(reachable) & ~np.isfinite(b)
        if reaches_further:
            lost |= np.isfinite(a) & ~np.isfinite(b) & ~np.isfinite(t)
        for test in (np.isnan, np.isposinf, np.isneginf):
            if not ((test(a) == test(b)) | (test(a) == test(reachable)) | lost).all():
                self.reason = f"{test.__name__[2:]} appears in other places"
                return
        finite = np.isfinite(t) & np.isfinite(a) & np.isfinite(b)
        if not finite.any():
            return
        size = np.abs(t[finite])
        self.count = size.size
        unit = SPACING[self.dtype] * np.maximum(np.maximum(size, size.mean()), SMALLEST[self.dtype])
        errors = [np.abs(v[finite] - t[finite]) / unit for v in (b, a)]
        # Of a few elements the mean is as good as the largest.
        self.mean = tuple(float(e.mean()) for e in errors) if size.size >= FEWEST else (0.0, 0.0)
        self.largest = tuple(float(e.max()) for e in errors)

    @staticmethod
    def _shape_and_dtype(before, after):
        if before.dtype != after.dtype:
            return f"dtype {name_of(before.dtype)} became {name_of(after.dtype)}"
        if before.shape != after.shape:
            return f"shape {before.shape} became {after.shape}"
        return None

    def less_accurate(self, mean=True):
        """Why `after` is further from the truth than `before`, or None; without `mean`, the largest error alone counts."""
        if self.reason or self.equal:
            return self.reason
        if self.largest[1] > self.largest[0] + LARGEST_SLACK[self.dtype]:
            return f"largest error {self.largest[0]:.2f} became {self.largest[1]:.2f} ulp"
        if mean and self.mean[1] > self.mean[0] * MEAN_FACTOR + MEAN_SLACK[self.dtype]:
            return f"mean error {self.mean[0]:.3f} became {self.mean[1]:.3f} ulp"
        return None

    def not_the_same_bits(self):
        """Why the results are not the same bits, or None."""
        return self.reason or (None if self.equal else f"not the same bits (largest error {self.largest[1]:.2f} ulp)")
