"""Softmax computed in float32 and cast back. Each is one call with `precise=True`."""

import mlx.core as mx
import mlx.nn as nn
from mlx import core


def attention_weights(scores: mx.array):
    """The textbook form, on one line."""
    return mx.softmax(scores.astype(mx.float32), axis=-1).astype(scores.dtype)


def expert_scores(gates: mx.array, inds: mx.array):
    """A router casts back to the dtype of the array that it gathered from."""
    scores = mx.softmax(
        mx.take_along_axis(gates, inds, axis=-1).astype(mx.float32),
        axis=-1,
    ).astype(gates.dtype)
    return scores


def step_by_step(logits: mx.array):
    """Each cast is a statement of its own."""
    dtype = logits.dtype
    upcast = logits.astype(mx.float32)
    probs = mx.softmax(upcast, -1)
    probs = probs.astype(dtype)
    return probs


def twice(logits: mx.array, values: mx.array):
    """The same weights are computed anew: both places change together."""
    weights = mx.softmax(logits.astype(mx.float32), axis=-1).astype(logits.dtype)
    first = weights @ values
    weights = mx.softmax(logits.astype(mx.float32), axis=-1).astype(logits.dtype)
    return first, (1 - weights) @ values


def all_axes(x: mx.array):
    """Without an axis the softmax is over the whole array."""
    return mx.softmax(x.astype(mx.float32)).astype(x.dtype)


def over_classes_and_heads(logits: mx.array):
    """Two axes at once, through another name of the module."""
    return core.softmax(logits.astype(core.float32), axis=(0, -1)).astype(logits.dtype)


def with_temperature(logits: mx.array, temperature: float):
    """The division happens before the cast and stays where it is."""
    scaled = logits / temperature
    return mx.softmax(scaled.astype(mx.float32), axis=-1).astype(scaled.dtype)


def neural_network_softmax(scores: mx.array):
    """`nn.softmax` is over the last axis unless it is told otherwise."""
    return nn.softmax(scores.astype(mx.float32)).astype(scores.dtype)


def picked_before_the_cast(gates: mx.array, inds: mx.array):
    """The cast back comes after elements were picked: the same ones, and the largest one is the same before and after rounding."""
    probabilities = mx.softmax(gates.astype(mx.float32), axis=-1)
    largest = mx.max(probabilities, axis=-1, keepdims=True).astype(gates.dtype)
    return mx.take_along_axis(probabilities, inds, axis=-1).astype(gates.dtype), largest


class Router(nn.Module):
    """The experts are ranked by their probabilities before these are cast back, so that ties may be broken another way."""

    def __init__(self, dims: int, experts: int):
        super().__init__()
        self.gate = nn.Linear(dims, experts, bias=False)
        self.top_k = 2

    def __call__(self, x: mx.array):
        gates = mx.softmax(self.gate(x).astype(mx.float32), axis=-1)
        inds = mx.stop_gradient(mx.argpartition(-gates, kth=self.top_k - 1, axis=-1)[:, : self.top_k])
        return mx.take_along_axis(gates, inds, axis=-1).astype(x.dtype), inds


def positioned(q: mx.array, k: mx.array, relative: mx.array):
    """What is computed with `q` is no narrower than it, whatever is added."""
    scores = (q @ k.swapaxes(-1, -2)) * 0.5 + mx.einsum("hqd,qrd->hqr", q, relative)
    return mx.softmax(scores.astype(mx.float32), axis=-1).astype(q.dtype)
