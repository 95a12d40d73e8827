"""Use `mx.fast.layer_norm` for a layer norm that is written out.

The written-out norm is seven or more kernels, each of which reads and writes the whole array; the fast operation is one that
reads `x` once and accumulates in float32. It is more precise than a norm in half precision, and as precise as one in float32 that
is cast back before its weight and bias. Only a norm over the last axis with the population variance and eps inside the root
is the same function; weight and bias must have one axis each. A later cast is kept: a float32 weight makes the result float32.
"""

import mlx.core as mx
from prelude import any_of, is_floating, spans

group = "fast ops"
guide = "Fast operations: mx.fast.layer_norm"
gain = "6 to 7.5 times faster at decode and 3.2 to 5.1 times at prefill, with 0.14 to 0.50 of the memory (NVIDIA H200); 1.0 to 1.7 times on a CPU"
numerics = {"before": "more precise", "before_weight": "more precise", "before_core": "more precise",
            "before_upcast": "rounding", "before_upcast_weight": "rounding", "before_upcast_core": "rounding"}  # fmt: skip


def before(x: mx.array, w: mx.array, b: mx.array, eps: float):
    c, r = x - mx.mean(x, axis=-1, keepdims=True), mx.rsqrt(mx.var(x, axis=-1, keepdims=True) + eps)
    return any_of(c * r * w, c * (r * w), c * w * r) + b


def before_weight(x: mx.array, w: mx.array, eps: float):
    c, r = x - mx.mean(x, axis=-1, keepdims=True), mx.rsqrt(mx.var(x, axis=-1, keepdims=True) + eps)
    return any_of(c * r * w, c * (r * w), c * w * r)


def before_core(x: mx.array, eps: float):
    return (x - mx.mean(x, axis=-1, keepdims=True)) * mx.rsqrt(mx.var(x, axis=-1, keepdims=True) + eps)


def before_upcast(x: mx.array, w: mx.array, b: mx.array, eps: float):
    y = x.astype(mx.float32)
    n = (y - mx.mean(y, axis=-1, keepdims=True)) * mx.rsqrt(mx.var(y, axis=-1, keepdims=True) + eps)
    return n.astype(x.dtype) * w + b


def before_upcast_weight(x: mx.array, w: mx.array, eps: float):
    y = x.astype(mx.float32)
    n = (y - mx.mean(y, axis=-1, keepdims=True)) * mx.rsqrt(mx.var(y, axis=-1, keepdims=True) + eps)
    return n.astype(x.dtype) * w


def before_upcast_core(x: mx.array, eps: float):
    y = x.astype(mx.float32)
    n = (y - mx.mean(y, axis=-1, keepdims=True)) * mx.rsqrt(mx.var(y, axis=-1, keepdims=True) + eps)
    return n.astype(x.dtype)


def after(x, eps, w=None, b=None):
    return mx.fast.layer_norm(x, w, b, eps)


def guard(x, w=None, b=None):
    return (is_floating(x.dtype) and (w is None or (w.ndim == 1 and spans(w, x) and is_floating(w.dtype)))
            and (b is None or (b.ndim == 1 and spans(b, x) and is_floating(b.dtype))))  # fmt: skip


def inputs(dtype):
    for shape in [(64,), (5, 64), (2, 3, 128), (0, 8), (4, 1)]:
        x, w, b = (mx.random.normal(s, key=mx.random.key(sum(s))).astype(dtype) for s in (shape, shape[-1:], shape[-1:]))
        yield {"x": x + 0.5, "w": w, "b": b, "eps": 1e-5}
        yield {"x": x + 0.5, "w": w.astype(mx.float32), "b": b.astype(mx.float32), "eps": 1e-6}
