"""Use `mx.fast.rms_norm` for a root-mean-square norm that is written out.

The written-out norm is five or more kernels, each of which reads and writes the whole array. The fast operation is one kernel,
reads `x` once and accumulates in float32. In float16 the written-out square overflows from an absolute value of 256 on, and the
norm then answers 0; the fast operation does not. A norm that is computed in float32 and cast back before the weight is as precise
as the fast one, which on a GPU adds up in another order; every other norm of a half-precision array gets more precise.

Only a norm over the last axis with eps inside the root is the same function, and the weight must have exactly one axis. A cast
that follows the multiplication with the weight is kept, because a float32 weight makes the result float32. On the CPU backend
the fast operation is a composition of the same kernels: nothing is gained there, and nothing lost.
"""

import mlx.core as mx
from prelude import any_of, is_floating, spans

group = "fast ops"
guide = "Fast operations: mx.fast.rms_norm"
gain = "4.1 to 6.8 times faster at decode and 1.9 to 4.7 times at prefill, with 0.14 to 0.50 of the memory (NVIDIA H200); no difference on a CPU: 0.66 to 1.56 times, most within 10 percent"
needs = {"0.23.2 without w": "an `mx.fast.rms_norm` without a weight"}
numerics = {
    "before": "more precise",
    "before_core": "more precise",
    "before_statistics": "more precise",
    "before_statistics_core": "more precise",
    "before_upcast": "rounding",
    "before_upcast_core": "rounding",
}


def before(x: mx.array, w: mx.array, eps: float):
    r = mx.rsqrt(mx.mean(mx.square(x), axis=-1, keepdims=True) + eps)
    return any_of(x * r * w, x * (r * w))


def before_core(x: mx.array, eps: float):
    return x * mx.rsqrt(mx.mean(mx.square(x), axis=-1, keepdims=True) + eps)


def before_upcast(x: mx.array, w: mx.array, eps: float):
    y = x.astype(mx.float32)
    return (y * mx.rsqrt(mx.mean(mx.square(y), axis=-1, keepdims=True) + eps)).astype(x.dtype) * w


def before_upcast_core(x: mx.array, eps: float):
    y = x.astype(mx.float32)
    return (y * mx.rsqrt(mx.mean(mx.square(y), axis=-1, keepdims=True) + eps)).astype(x.dtype)


def before_statistics(x: mx.array, w: mx.array, eps: float):
    return x * mx.rsqrt(mx.mean(mx.square(x.astype(mx.float32)), axis=-1, keepdims=True) + eps) * w


def before_statistics_core(x: mx.array, eps: float):
    return x * mx.rsqrt(mx.mean(mx.square(x.astype(mx.float32)), axis=-1, keepdims=True) + eps)


def after_statistics(x, eps, w=None):
    return mx.fast.rms_norm(x.astype(mx.float32), w, eps)


def after(x, eps, w=None):
    return mx.fast.rms_norm(x, w, eps)


def guard(x, w=None):
    return is_floating(x.dtype) and (w is None or (w.ndim == 1 and spans(w, x) and is_floating(w.dtype)))


def inputs(dtype):
    for shape in [(64,), (5, 64), (2, 3, 128), (0, 8), (4, 1)]:
        x = mx.random.normal(shape, key=mx.random.key(1)).astype(dtype)
        w = mx.random.uniform(0.5, 1.5, shape[-1:], key=mx.random.key(2)).astype(dtype)
        yield {"x": x, "w": w, "eps": 1e-5}
        yield {"x": x, "w": w.astype(mx.float32), "eps": 1e-6}
