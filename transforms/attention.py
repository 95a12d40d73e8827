"""Use `mx.fast.scaled_dot_product_attention` for attention that is written out.

The written-out form stores the scores of every query with every key, and reads and writes them for the scale, the mask and the
softmax. The fast operation stores none where a fused kernel exists: memory grows with the length instead of its square.

All arrays must be (batch, heads, length, head dimension). A float32 mask with half queries raises, and under a mask of truth
values a query without any key gets a mean instead of NaN. In float32 prefill CUDA has no fused kernel, and nothing is gained.
"""

import mlx.core as mx
from prelude import adds_to_scores, any_of, is_floating, masks_scores, promotes_into, same_batch_and_heads

group = "fast ops"
guide = "Fast operations: mx.fast.scaled_dot_product_attention"
gain = "3.4 to 6.3 times faster at half-precision prefill and 1.3 to 2.2 times at decode, with 0.015 to 0.29 of the memory (NVIDIA H200); 0.61 to 1.57 times on a CPU; next to nothing where there is no fused kernel: in float32 on CUDA, on Metal but for head dimensions 64, 72, 80, 96, 128, 192 and 256"
slower = {"cuda with fill": "1.65 times the memory where the mask holds truth values (NVIDIA H200, MLX 0.32.4)"}
needs = {"0.22.0 with fill": "a mask of truth values"}
numerics = {"before": "rounding", "before_repeated": "rounding", "before_cast": "more precise", "before_cast_repeated": "more precise",
            "before_mask_cast": "rounding", "before_values_dtype": "more precise", "before_scaled_mask": "rounding"}  # fmt: skip


def masked(q, k, scale, mask, fill):
    kt = k.transpose(0, 1, 3, 2)
    s = any_of((q * scale) @ kt, (q @ kt) * scale, q @ (k * scale).transpose(0, 1, 3, 2), q @ kt)
    return any_of(s, s + mask, s if mask is None else s + mask, mx.where(mask, s, fill), s if mask is None else mx.where(mask, s, fill))


def weights(s):
    return any_of(mx.softmax(s, axis=-1), mx.softmax(s, axis=-1, precise=True), mx.softmax(s.astype(mx.float32), axis=-1).astype(s.dtype))


def weights32(s):
    return any_of(mx.softmax(s, axis=-1), mx.softmax(s, axis=-1, precise=True), mx.softmax(s.astype(mx.float32), axis=-1))


def before(q: mx.array, k: mx.array, v: mx.array, scale: float, mask, fill):
    return weights(masked(q, k, scale, mask, fill)) @ v


def before_repeated(q: mx.array, k: mx.array, v: mx.array, scale: float, mask, fill, n):
    return weights(masked(q, mx.repeat(k, n, axis=1), scale, mask, fill)) @ mx.repeat(v, n, axis=1)


def after(q, k, v, scale=1.0, mask=None):
    return mx.fast.scaled_dot_product_attention(q, k, v, scale=scale, mask=mask)


def guard(q, k, v, mask=None, fill=None, n=None):
    return (q.ndim == 4 and k.ndim == 4 and v.ndim == 4 and same_batch_and_heads(q, k, v, n) and is_floating(q.dtype) and is_floating(k.dtype)
            and (mask is None or masks_scores(mask, q, k, fill)))  # fmt: skip


def before_cast(q: mx.array, k: mx.array, v: mx.array, scale: float, mask, fill):
    return weights32(masked(q, k, scale, mask, fill)).astype(q.dtype) @ v


def before_cast_repeated(q: mx.array, k: mx.array, v: mx.array, scale: float, mask, fill, n):
    return weights32(masked(q, mx.repeat(k, n, axis=1), scale, mask, fill)).astype(q.dtype) @ mx.repeat(v, n, axis=1)


def guard_cast(q, k, v, mask=None, fill=None, n=None):
    return q.dtype == k.dtype and guard(q, k, v, mask, fill, n)


def before_values_dtype(q: mx.array, k: mx.array, v: mx.array, scale: float, mask, fill, t: mx.Dtype):
    return weights32(masked(q, k, scale, mask, fill)).astype(t) @ v


def after_values_dtype(q, k, v, scale=1.0, mask=None):
    return mx.fast.scaled_dot_product_attention(q, k, v, scale=scale, mask=mask).astype(v.dtype)


def guard_values_dtype(q, k, v, t, mask=None, fill=None): return promotes_into(t, v.dtype) and guard(q, k, v, mask, fill)  # fmt: skip


def before_mask_cast(q: mx.array, k: mx.array, v: mx.array, scale: float, mask):
    s = any_of((q * scale) @ k.transpose(0, 1, 3, 2), (q @ k.transpose(0, 1, 3, 2)) * scale, q @ k.transpose(0, 1, 3, 2))
    return weights(s if mask is None else s + mask.astype(s.dtype)) @ v


def after_mask_cast(q, k, v, scale=1.0, mask=None):
    return mx.fast.scaled_dot_product_attention(q, k, v, scale=scale, mask=None if mask is None else mask.astype(q.dtype))


def guard_mask_cast(q, k, v, mask=None):
    return q.dtype == k.dtype and guard(q, k, v) and (mask is None or adds_to_scores(mask, q, k))


def before_scaled_mask(q: mx.array, k: mx.array, v: mx.array, scale: float, mask):
    return weights((q @ k.transpose(0, 1, 3, 2) + mask) * scale) @ v


def after_scaled_mask(q, k, v, scale, mask): return mx.fast.scaled_dot_product_attention(q, k, v, scale=scale, mask=mask * scale)  # fmt: skip


def guard_scaled_mask(q, k, v, mask): return is_floating(mask.dtype) and guard(q, k, v, mask)  # fmt: skip


def inputs(dtype):
    for queries, keys, n in [((2, 4, 7, 16), (2, 4, 7, 16), 1), ((1, 4, 5, 64), (1, 2, 5, 64), 2), ((1, 2, 1, 64), (1, 2, 9, 64), 1)]:
        q, k, v = (mx.random.normal(s, key=mx.random.key(i)).astype(dtype) for i, s in enumerate([queries, keys, keys]))
        given, keep = {"q": q, "k": k, "v": v, "scale": 0.25, "fill": -1e9, "n": n, "t": dtype}, mx.tri(queries[2], keys[2]) > 0
        wide = given | {"q": q.astype(mx.float32), "k": k.astype(mx.float32), "scale": 0.2, "mask": None}
        yield from (wide, *(given | {"mask": m} for m in (None, keep, mx.where(keep, mx.arange(keys[2]) * 0.3, -1e4).astype(dtype))))
