"""Use a Python number where an array that holds one number turns half precision into float32.

`mx.array(2.0)` is a float32 array: every operation between it and a half-precision array is computed in float32, and so is all that
follows, at twice the memory and with casts between. A Python number takes the dtype of the array beside it.

The dtype of the result changes on purpose, for half-precision models alone; that is what `--narrow` admits. It is offered for numbers
that half precision holds exactly, and not where a sum, a state, a position or the like needs the digits. An array that was given a
dtype, is returned, stored or compared, or holds a whole number (which promotes nothing) stays.
"""

import mlx.core as mx
from prelude import fits_half

group = "precision"
guide = "Type promotion and precision: Python scalars are weakly typed"
gain = "1.3 to 1.7 times faster, with half the memory; one such number in each layer of a bfloat16 decoder costs it a factor 2 to 3 (NVIDIA H200)"
narrows = "Where the array beside it is in half precision the result stays in it, instead of becoming float32."
numerics = {"before": "rounding"}


def before(c: float):
    return mx.array(c)


def uses(s, x: mx.array, condition):
    return [
        x * s, x + s, x - s, s - x, x / s, s / x, x**s,
        mx.maximum(x, s), mx.maximum(s, x), mx.minimum(x, s), mx.minimum(s, x),
        mx.where(condition, x, s), mx.where(condition, s, x),
    ]  # fmt: skip


def after(c):
    return c


def guard(c):
    return fits_half(c)


def inputs(dtype):
    for c in [2.0, 0.5, 1.0, 0.0, -3.0, float("inf")]:
        x = mx.random.normal((5, 64), key=mx.random.key(1)).astype(dtype)
        yield {"c": c, "x": mx.abs(x), "condition": x > 0}
