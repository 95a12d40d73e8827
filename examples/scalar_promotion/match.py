"""Arrays of one number beside arrays in half precision. Each becomes the number."""

import math

import mlx.core as mx
import mlx.nn as nn
from mlx import core


def doubled(x: mx.array):
    """The textbook form: a bfloat16 `x` stays bfloat16."""
    return x * mx.array(2.0)


def squared_relu(x: mx.array):
    """As a function, and the number is the first argument."""
    return mx.maximum(mx.array(0.0), x) ** mx.array(2.0)


def named(x: mx.array, gate: mx.array):
    """A name for the number, with two uses."""
    half = mx.array(0.5)
    gated = gate - half
    return x * gated + half


def masked(scores: mx.array, mask: mx.array):
    """Infinity is the same in every precision."""
    return mx.where(mask, scores, core.array(-math.inf))


def hard_swish(x):
    """That `x` is an array shows by the square root of it."""
    h = mx.sqrt(mx.abs(x).square())
    return h * mx.minimum(mx.maximum(x.square().sqrt() + mx.array(3.0), 0.0), 6.0) / mx.array(4.0)


class Attention(nn.Module):
    """A scale before a product: with the array the whole product is computed in float32."""

    def __init__(self, dims: int):
        super().__init__()
        self.q_proj = nn.Linear(dims, dims, bias=False)
        self.k_proj = nn.Linear(dims, dims, bias=False)

    def __call__(self, x: mx.array):
        scale = mx.array(1 / 8)
        queries, keys = self.q_proj(x), self.k_proj(x)
        return (queries * scale) @ keys.T


def gelu(x: mx.array):
    """The last of these numbers is rounded in half precision, so that it is assumed to do no harm."""
    inner = x * (mx.array(1.0) + mx.array(0.044715) * x * x)
    return mx.array(0.5) * x * (mx.array(1.0) + mx.tanh(inner * mx.array(0.79788456)))


def by_parameter(x: mx.array, scale: float):
    """Whether half precision holds the number is for the caller to know."""
    return x / mx.array(scale)


def root_of_a_number(x: mx.array, w: mx.array):
    """`mx.sqrt` of a number is an array, too; half precision holds the root of 4."""
    return mx.tanh((x / mx.sqrt(4)) @ w)


def scores(q: mx.array, k: mx.array):
    """A length may have any root, and that of nothing has no inverse."""
    return mx.softmax(q @ k.swapaxes(-1, -2) * mx.rsqrt(q.shape[-1]), axis=-1)


def fused(q: mx.array, k: mx.array, v: mx.array):
    """Nothing is promoted, but the array is read back from the device."""
    scale = 1 / mx.sqrt(q.shape[-1])
    return mx.fast.scaled_dot_product_attention(q, k, v, scale=scale)


def fused_in_eight(q: mx.array, k: mx.array, v: mx.array):
    """The same of a number that is plainly positive."""
    return mx.fast.scaled_dot_product_attention(q, k, v, scale=mx.rsqrt(64), mask=None)


class Attention2d(nn.Module):
    """The length is that of what a layer has taken, and no layer takes nothing."""

    def __init__(self, dims: int):
        super().__init__()
        self.to_q, self.to_k, self.to_v = nn.Linear(dims, dims), nn.Linear(dims, dims), nn.Linear(dims, dims)

    def __call__(self, x: mx.array):
        batch, height, width, channels = x.shape
        q = self.to_q(x).reshape(batch, 1, height * width, channels)
        k = self.to_k(x).reshape(batch, 1, height * width, channels)
        v = self.to_v(x).reshape(batch, 1, height * width, channels)
        return mx.fast.scaled_dot_product_attention(q, k, v, scale=1 / mx.sqrt(channels))


def least_of_its_dtype(scores: mx.array, mask: mx.array):
    """The least number of a dtype is one of that dtype, and what is added to it may not be."""
    return mx.where(mask, scores, mx.array(mx.finfo(scores.dtype).min))


def weighted(q: mx.array, k: mx.array, v: mx.array):
    """In half precision the softmax would add up in that: it is told not to."""
    scores = q @ k.swapaxes(-2, -1) / mx.sqrt(q.shape[-1])
    weights = mx.softmax(scores, axis=-1).astype(q.dtype)
    return weights @ v


def weighted_precisely(q: mx.array, k: mx.array, v: mx.array):
    """The same where it is told already."""
    scores = q @ k.swapaxes(-2, -1) / mx.sqrt(16)
    return mx.softmax(scores * mx.array(0.5), axis=-1, precise=True) @ v


def masked_twice(scores: mx.array, mask: mx.array, other: mx.array):
    """One softmax for two numbers."""
    scores = mx.where(mask, scores, mx.array(-math.inf))
    scores = mx.where(other, scores * mx.array(0.5), -math.inf)
    return mx.softmax(scores, axis=-1)


def counted(scores: mx.array, mask: mx.array):
    """Of the numbers only comparisons are left, and a cast says in what they are added up."""
    scores = mx.where(mask, scores, mx.array(-math.inf))
    number = mx.sum((scores > 0).astype(mx.float32), axis=-1, keepdims=True)
    return mx.where(number > 2, scores, -scores)


def fused_after_another(q: mx.array, k: mx.array, v: mx.array):
    """That the keys are there already does not help."""
    mx.eval(k)
    return mx.fast.scaled_dot_product_attention(q, k, v, scale=mx.rsqrt(16))
