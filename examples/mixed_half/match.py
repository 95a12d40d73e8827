"""bfloat16 beside float16, as far as a file shows it."""

import mlx.core as mx
import mlx.nn as nn


def projected(x: mx.array, w: mx.array):
    """A product of matrices: both are copied to float32 first."""
    h = x.astype(mx.bfloat16)
    weight = w.astype(mx.float16)
    return nn.silu(h @ weight.T)


def padded(x: mx.array):
    """Padding in the other one."""
    h = x.astype(mx.float16)
    padding = mx.zeros((h.shape[0], 2), dtype=mx.bfloat16)
    return mx.concatenate([padding, h], axis=1)


def attended(q: mx.array, k: mx.array, v: mx.array):
    """A cache in float16 beside queries in bfloat16."""
    keys, values = k.astype(mx.float16), v.astype(mx.float16)
    return mx.fast.scaled_dot_product_attention(q.astype(mx.bfloat16), keys, values, scale=0.125)


def normed(x: mx.array, weight: mx.array):
    """The weight of a norm."""
    return mx.fast.rms_norm(x.astype(mx.float16), weight.astype(mx.bfloat16), 1e-5)


def chosen(x: mx.array, y: mx.array, keep: mx.array):
    """A choice between both."""
    return mx.where(keep, x.astype(mx.float16), y.astype(mx.bfloat16))


def masked(scores: mx.array, length: int):
    """A mask that was made for another model."""
    mask = mx.triu(mx.full((length, length), -mx.inf, mx.float16), k=1)
    return mx.softmax(scores.astype(mx.bfloat16) + mask, axis=-1)
