"""Use a Python number where an array that holds one number turns half precision into float32.

An array of one number is float32: every operation between it and a half-precision array is computed in float32, and so is all that
follows, at twice the memory and with casts between. A Python number takes the dtype of the array beside it. `mx.array(2.0)`, `mx.sqrt(2)`,
`mx.rsqrt(d)` and `1 / mx.sqrt(d)` are such arrays; as the scale of a fused attention one is read back from the device at each call.

The dtype of the result changes on purpose, for half-precision models alone; that is what `--narrow` admits. It is offered for numbers
that half precision holds exactly, and not where a sum, a state, a position or the like needs the digits; a softmax that would then add
up in half precision is given `precise=True` by the same edit. An array that was given a dtype, is returned, stored or compared, or holds
a whole number (which promotes nothing) stays.
"""

import mlx.core as mx
from prelude import fits_half, same_batch_and_heads

group = "precision"
guide = "Type promotion and precision: Python scalars are weakly typed"
gain = "1.3 to 1.7 times faster, with half the memory; one such number in each layer of a bfloat16 decoder costs it a factor 2 to 3 (NVIDIA H200). On a CPU 3.2 to 3.9 times before a bfloat16 product, but 0.35 to 0.56 of the speed where float16 meets elementwise operations alone"
gain_of = {
    "no product": "1.3 to 1.7 times faster, with half the memory (NVIDIA H200); on a CPU 0.35 to 0.56 of the speed where float16 meets elementwise operations alone",
}
narrows = "Where the array beside it is in half precision the result stays in it, instead of becoming float32."
numerics = {"before": "rounding", "before_scale": "rounding"}


def before(c: float):
    return mx.array(c)


def uses(s, x: mx.array, condition):
    return [
        x * s, x + s, x - s, s - x, x / s, s / x, x**s,
        mx.maximum(x, s), mx.maximum(s, x), mx.minimum(x, s), mx.minimum(s, x),
        mx.where(condition, x, s), mx.where(condition, s, x),
    ]  # fmt: skip


def before_scale(c: float):
    return mx.array(c)


def uses_scale(s, q: mx.array, k: mx.array, v: mx.array, mask):
    return [mx.fast.scaled_dot_product_attention(q, k, v, scale=s, mask=mask)]


def after(c):
    return c


def guard(c, x):
    return fits_half(c, x)


def guard_scale(q, k, v, n=None):
    return same_batch_and_heads(q, k, v, n)


def inputs(dtype):
    for c in [2.0, 0.5, 1.0, 0.0, -3.0, float("inf")]:
        x, q = (mx.random.normal(shape, key=mx.random.key(1)).astype(dtype) for shape in [(5, 64), (1, 2, 5, 64)])
        yield {"c": c, "x": mx.abs(x), "condition": x > 0, "q": q, "k": q, "v": q, "mask": None}
