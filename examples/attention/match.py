"""Attention as people write it. Each is one call of `mx.fast.scaled_dot_product_attention`."""

import math

import mlx.core as mx
import mlx.nn as nn


class Attention(nn.Module):
    """The block of most ported language models: scaled queries, a mask that may be None, softmax in float32."""

    def __init__(self, dim: int, n_heads: int):
        super().__init__()
        self.n_heads = n_heads
        self.scale = (dim // n_heads) ** -0.5
        self.qkv = nn.Linear(dim, 3 * dim, bias=False)

    def __call__(self, x: mx.array, mask=None):
        B, L, _ = x.shape
        queries, keys, values = mx.split(self.qkv(x), 3, axis=-1)
        queries = queries.reshape(B, L, self.n_heads, -1).transpose(0, 2, 1, 3)
        keys = keys.reshape(B, L, self.n_heads, -1).transpose(0, 2, 1, 3)
        values = values.reshape(B, L, self.n_heads, -1).transpose(0, 2, 1, 3)
        scores = (queries * self.scale) @ keys.transpose(0, 1, 3, 2)
        if mask is not None:
            scores += mask
        scores = mx.softmax(scores.astype(mx.float32), axis=-1).astype(scores.dtype)
        return (scores @ values).transpose(0, 2, 1, 3).reshape(B, L, -1)


def scores_divided(q: mx.array, k: mx.array, v: mx.array, heads: int, dim: int):
    """The scores are divided by a root, and the ranks are plain to see."""
    B, L = q.shape[0], q.shape[1]
    q = q.reshape(B, L, heads, dim).transpose(0, 2, 1, 3)
    k = k.reshape(B, L, heads, dim).transpose(0, 2, 1, 3)
    v = v.reshape(B, L, heads, dim).transpose(0, 2, 1, 3)
    weights = mx.softmax(q @ k.swapaxes(-1, -2) / math.sqrt(64), axis=-1)
    return weights @ v


def mask_always_there(q: mx.array, k: mx.array, v: mx.array, mask: mx.array):
    """A mask that is simply added, and function calls where others write operators."""
    scores = mx.matmul(q * 0.125, mx.transpose(k, (0, 1, 3, 2))) + mask
    probabilities = mx.softmax(scores, axis=-1, precise=True)
    return mx.matmul(probabilities, v)


def no_scale(queries: mx.array, keys: mx.array, values: mx.array):
    """T5 scales nothing: the scale of the fast operation is 1."""
    scores = queries @ keys.moveaxis(-1, -2)
    weights = mx.softmax(scores.astype(mx.float32), axis=-1).astype(scores.dtype)
    return weights @ values


def scores_in_float32(queries: mx.array, keys: mx.array, values: mx.array, mask=None):
    """Phi computes the scores in float32 and casts the probabilities to the values."""
    queries, keys = queries.astype(mx.float32), keys.astype(mx.float32)
    scale = math.sqrt(1 / queries.shape[-1])
    scores = (queries * scale) @ keys.transpose(0, 1, 3, 2)
    if mask is not None:
        scores = scores + mask
    scores = mx.softmax(scores, axis=-1).astype(values.dtype)
    return scores @ values


def repeated_heads(q: mx.array, k: mx.array, v: mx.array, repeats: int):
    """Key and value heads are repeated first; the fast operation takes them either way."""
    k = mx.repeat(k, repeats, axis=1)
    v = mx.repeat(v, repeats, axis=1)
    s = (q @ mx.swapaxes(k, 2, 3)) * 0.25
    return mx.softmax(s, -1) @ v


def keys_stored_transposed(x: mx.array, heads: int, mask=None):
    """CLIP transposes its keys where it splits the heads, and casts the mask to the scores."""
    B, L, D = x.shape
    queries = x.reshape(B, L, heads, D // heads).transpose(0, 2, 1, 3)
    keys = (x * 0.5).reshape(B, L, heads, D // heads).transpose(0, 2, 3, 1)
    values = queries * 2
    scores = (queries * 0.25) @ keys
    if mask is not None:
        scores = scores + mask.astype(scores.dtype)
    return mx.softmax(scores, axis=-1) @ values


def cast_to_the_queries(q: mx.array, k: mx.array, v: mx.array, repeats: int, mask=None):
    """Ported models cast the probabilities to the queries, and repeat heads in a helper."""

    def repeat_heads(x):
        if repeats == 1:
            return x
        B, heads, L, D = x.shape
        return mx.broadcast_to(x[:, :, None], (B, heads, repeats, L, D)).reshape(B, heads * repeats, L, D)

    k = repeat_heads(k)
    v = repeat_heads(v)
    weights = mx.matmul(q, k.transpose(0, 1, 3, 2)) / math.sqrt(16)
    if mask is not None:
        weights = weights + mask
    weights = mx.softmax(weights.astype(mx.float32), axis=-1).astype(q.dtype)
    return mx.matmul(weights, v)


def hidden_by_where(q: mx.array, k: mx.array, v: mx.array, padding=None):
    """Scores of padding are replaced by the least number of their dtype: a mask of truth values."""
    scores = mx.einsum("bhqd,bhkd->bhqk", q, k) * 0.25
    if padding is not None:
        scores = mx.where(padding[:, None, None, :], mx.finfo(scores.dtype).min, scores)
    weights = mx.softmax(scores.astype(mx.float32), axis=-1).astype(q.dtype)
    return mx.einsum("bhqk,bhkd->bhqd", weights, v)


def causal_mask(x: mx.array, heads: int):
    """A mask that is made in sight is proved to be one."""
    B, L, D = x.shape
    x = x.reshape(B, L, heads, D // heads).transpose(0, 2, 1, 3)
    mask = nn.MultiHeadAttention.create_additive_causal_mask(L, dtype=x.dtype)
    return mx.softmax((x @ x.swapaxes(-1, -2)) * 0.25 + mask, axis=-1) @ x


def position_bias(q: mx.array, k: mx.array, v: mx.array, bias: mx.array, mask=None):
    """A bias for relative positions, and a mask on top of it."""
    scores = q @ k.swapaxes(2, 3) + bias
    if mask is not None:
        scores += mask
    return mx.softmax(scores, axis=3) @ v


def bias_before_scale(q: mx.array, k: mx.array, v: mx.array, bias: mx.array):
    """The bias is scaled with the scores."""
    return mx.softmax((q @ k.swapaxes(2, 3) + bias) * 0.25, axis=-1) @ v


def mask_cast_to_the_scores(q: mx.array, k: mx.array, v: mx.array, mask=None):
    """The mask is cast to the dtype of the scores before it is added."""
    scores = (q @ k.transpose(0, 1, 3, 2)) * 0.25
    if mask is not None:
        scores = scores + mask.astype(scores.dtype)
    return mx.softmax(scores, axis=-1) @ v


def mask_cut_to_the_keys(q: mx.array, k: mx.array, v: mx.array, mask=None):
    """The mask may be longer than the keys, and there may be none."""
    weights = (q @ k.swapaxes(-1, -2)) * 0.25
    if mask is not None:
        weights = weights + mask[:, :, :, : k.shape[-2]]
    return mx.softmax(weights.astype(mx.float32), axis=-1).astype(q.dtype) @ v


def mask_cast_without_scale(q: mx.array, k: mx.array, v: mx.array, mask=None):
    """T5 with a mask."""
    scores = q @ k.transpose(0, 1, 3, 2)
    if mask is not None:
        scores = scores + mask.astype(scores.dtype)
    return mx.softmax(scores.astype(mx.float32), axis=-1).astype(scores.dtype) @ v


class PackedHeads(nn.Module):
    """Queries, keys and values come out of one projection, and every shape from the text."""

    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.scale = dim**-0.5
        self.qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.out = nn.Linear(dim, dim)

    def __call__(self, x):
        b, n, _, h = *x.shape, self.heads
        q, k, v = self.qkv(x).reshape(b, n, 3, h, -1).transpose(2, 0, 3, 1, 4)
        weights = mx.softmax((q @ k.transpose(0, 1, 3, 2)) * self.scale, axis=-1)
        return self.out((weights @ v).transpose(0, 2, 1, 3).reshape(b, n, -1))


def causal(q: mx.array, k: mx.array, v: mx.array):
    """The mask is made in sight, in the dtype and of the length of the queries."""
    batch, heads, length, dims = q.shape
    k, v = k.reshape(batch, heads, length, dims), v.reshape(batch, heads, length, dims)
    mask = mx.triu(mx.full((length, length), -1e4, q.dtype), k=1)
    return mx.softmax((q * 0.25) @ k.transpose(0, 1, 3, 2) + mask, axis=-1) @ v


def _attended(q, k, v, scale, mask, single):
    """For callers who say where the softmax is computed."""
    scores = (q * scale) @ k.swapaxes(-1, -2)
    if mask is not None:
        scores = scores + mask
    if single:
        scores = mx.softmax(scores.astype(mx.float32), axis=-1).astype(q.dtype)
    else:
        scores = mx.softmax(scores, axis=-1)
    return scores @ v


def flag_for_a_helper(q: mx.array, k: mx.array, v: mx.array, mask=None):
    """What the helper computes shows where it is called."""
    return _attended(q, k, v, 0.25, mask, True)
