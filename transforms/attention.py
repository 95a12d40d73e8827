"""Use `mx.fast.scaled_dot_product_attention` for attention that is written out.

The written-out form stores the scores of every query with every key, and reads and writes them once more for the scale, the mask
and the softmax. The fast operation keeps the softmax in float32 and, where a fused kernel exists, never stores the scores at all:
memory grows with the length instead of its square. Grouped key and value heads are native to it.

All three arrays must be (batch, heads, length, head dimension); another layout of rank 4 is silently another result. An additive
mask must promote to the dtype of the output: the fast operation raises for a float32 mask with half queries, where the sum
quietly made everything float32. In float32 prefill a CUDA device has no fused kernel, and nothing is gained.
"""

import mlx.core as mx
from prelude import adds_to_scores, any_of, is_floating, promotes_into, same_batch_and_heads

group = "fast ops"
guide = "Fast operations: mx.fast.scaled_dot_product_attention"
gain = "3.4 to 6.3 times faster at half-precision prefill and 1.3 to 2.2 times at decode, with 0.015 to 0.29 of the memory (NVIDIA H200)"
numerics = {"before": "rounding", "before_cast_mask": "rounding", "before_values_dtype": "more precise"}


def scores(q, k, scale):
    kt = k.transpose(0, 1, 3, 2)
    return any_of((q * scale) @ kt, (q @ kt) * scale, q @ (k * scale).transpose(0, 1, 3, 2), q @ kt)


def weights(s):
    upcast = mx.softmax(s.astype(mx.float32), axis=-1).astype(s.dtype)
    return any_of(mx.softmax(s, axis=-1), mx.softmax(s, axis=-1, precise=True), upcast)


def before(q: mx.array, k: mx.array, v: mx.array, scale: float, mask):
    s = scores(q, k, scale)
    return weights(any_of(s, s + mask, s if mask is None else s + mask)) @ v


def after(q, k, v, scale=1.0, mask=None):
    return mx.fast.scaled_dot_product_attention(q, k, v, scale=scale, mask=mask)


def before_cast_mask(q: mx.array, k: mx.array, v: mx.array, scale: float, mask):
    s = scores(q, k, scale)
    return weights(s if mask is None else s + mask.astype(s.dtype)) @ v


def after_cast_mask(q, k, v, scale=1.0, mask=None):
    return mx.fast.scaled_dot_product_attention(q, k, v, scale=scale, mask=None if mask is None else mask.astype(q.dtype))


def guard_cast_mask(q, k, v, mask=None):
    return (
        (q.ndim == 4 and k.ndim == 4 and v.ndim == 4 and same_batch_and_heads(q, k, v) and is_floating(q.dtype))
        and q.dtype == k.dtype
        and (mask is None or adds_to_scores(mask, q, k))
    )


def before_values_dtype(q: mx.array, k: mx.array, v: mx.array, scale: float, mask):
    s = scores(q, k, scale)
    return weights32(any_of(s, s + mask, s if mask is None else s + mask)).astype(v.dtype) @ v


def weights32(s):
    return any_of(mx.softmax(s, axis=-1), mx.softmax(s, axis=-1, precise=True), mx.softmax(s.astype(mx.float32), axis=-1))


def after_values_dtype(q, k, v, scale=1.0, mask=None):
    return mx.fast.scaled_dot_product_attention(q, k, v, scale=scale, mask=mask).astype(v.dtype)


def guard(q, k, v, mask=None):
    return (q.ndim == 4 and k.ndim == 4 and v.ndim == 4 and same_batch_and_heads(q, k, v) and is_floating(q.dtype)) and (
        mask is None or (promotes_into(mask.dtype, q.dtype) and adds_to_scores(mask, q, k))
    )


def inputs(dtype):
    for heads, kv, masked in [((2, 4, 7, 16), (2, 4, 7, 16), True), ((1, 2, 1, 64), (1, 2, 9, 64), False)]:
        q, k, v = (mx.random.normal(s, key=mx.random.key(n)).astype(dtype) for n, s in enumerate([heads, kv, kv]))
        mask = mx.where(mx.tri(7, 7) > 0, 0.0, -1e4).astype(dtype) if masked else None
        yield {"q": q, "k": k, "v": v, "scale": 0.25, "mask": mask}
        yield {"q": q.astype(mx.float32), "k": k.astype(mx.float32), "v": v, "scale": 0.2, "mask": None}
