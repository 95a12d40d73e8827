"""Drop a cast to float32 around an operation that accumulates in float32 anyway.

`mx.fast.rms_norm` and `mx.fast.layer_norm` without parameters compute in float32 inside whatever they are given: casting up before
and back down after adds two kernels and a float32 copy of the array, and gives the same bits.

With a weight or bias the result is multiplied once more before it is rounded, so that dropping the casts would add a rounding: 1 to 2
ulp, about twice the error. Such a norm keeps its casts. On the CPU backend the fast operations are compositions, and in float16 the
casts are cheaper than what they save.
"""

import mlx.core as mx
from prelude import is_floating

group = "precision"
guide = "Type promotion and precision: avoid upcasting around fast operations"
gain = "1.8 to 2.6 times faster, with 0.20 to 0.33 of the memory (NVIDIA H200); slower in float16 on the CPU backend (0.45 to 0.55 times the speed)"
numerics = {"before_rms": "exact", "before_layer": "exact"}


def before_rms(x: mx.array, eps: float):
    return mx.fast.rms_norm(x.astype(mx.float32), None, eps).astype(x.dtype)


def after_rms(x, eps):
    return mx.fast.rms_norm(x, None, eps)


def before_layer(x: mx.array, eps: float):
    return mx.fast.layer_norm(x.astype(mx.float32), None, None, eps).astype(x.dtype)


def after_layer(x, eps):
    return mx.fast.layer_norm(x, None, None, eps)


def guard(x):
    return is_floating(x.dtype)


def inputs(dtype):
    for shape in [(64,), (5, 64), (2, 3, 128)]:
        x = mx.random.normal(shape, key=mx.random.key(1)).astype(dtype)
        yield {"x": x + 0.5, "eps": 1e-5}
