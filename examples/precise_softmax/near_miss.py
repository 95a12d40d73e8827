"""What looks like a softmax with two needless casts, and is something else."""

import mlx.core as mx
import mlx.nn as nn
import numpy as np


def stays_in_float32(logits: mx.array):
    """The float32 probabilities are wanted: there is no cast back."""
    return mx.softmax(logits.astype(mx.float32), axis=-1)


def divided_in_float32(logits: mx.array, temperature: float):
    """The temperature is applied in float32, between the cast and the softmax."""
    return mx.softmax(logits.astype(mx.float32) / temperature, axis=-1).astype(logits.dtype)


def log_softmax(x: mx.array):
    """`nn.log_softmax` has no parameter `precise`."""
    return nn.log_softmax(x.astype(mx.float32), axis=-1).astype(x.dtype)


def log_sum(x: mx.array):
    """Nor has `mx.logsumexp`."""
    return mx.logsumexp(x.astype(mx.float32), axis=-1).astype(x.dtype)


def down_not_up(x: mx.array):
    """The first cast is to half precision."""
    return mx.softmax(x.astype(mx.float16), axis=-1).astype(x.dtype)


def counts(tokens: mx.array):
    """The operand is made of integers, for which `precise=True` is another function."""
    hits = tokens.astype(mx.int32)
    return mx.softmax(hits.astype(mx.float32), axis=-1).astype(hits.dtype)


def summed_before_the_cast(gates: mx.array):
    """The cast back comes after a sum of the float32 probabilities."""
    probabilities = mx.softmax(gates.astype(mx.float32), axis=-1)
    return mx.sum(probabilities[..., :4], axis=-1).astype(gates.dtype)


def normalised_before_the_cast(gates: mx.array, inds: mx.array):
    """The probabilities that were picked are divided in float32 before they are cast back."""
    probabilities = mx.softmax(gates.astype(mx.float32), axis=-1)
    scores = mx.take_along_axis(probabilities, inds, axis=-1)
    return (scores / scores.sum(axis=-1, keepdims=True)).astype(gates.dtype)


def looked_at_by_others(gates: mx.array, stats):
    """Whoever is told the float32 probabilities may want them so."""
    probabilities = mx.softmax(gates.astype(mx.float32), axis=-1)
    stats(probabilities)
    return mx.max(probabilities, axis=-1).astype(gates.dtype)


def asked_for_its_dtype(gates: mx.array):
    """The dtype is float32, and says so."""
    probabilities = mx.softmax(gates.astype(mx.float32), axis=-1)
    return mx.max(probabilities, axis=-1).astype(gates.dtype), mx.zeros((3,), probabilities.dtype)


def both_are_used(logits: mx.array):
    """The float32 probabilities are returned as well."""
    probabilities = mx.softmax(logits.astype(mx.float32), axis=-1)
    return probabilities.astype(logits.dtype), probabilities


def another_half(x: mx.array):
    """The cast back is to a dtype that the operand would be rounded for first."""
    h = x.astype(mx.bfloat16)
    return mx.softmax(h.astype(mx.float32), axis=-1).astype(mx.float16)


def cast_that_changes_nothing(x: mx.array):
    """The second cast is to float32 again, so that the result stays in float32."""
    return mx.softmax(x.astype(mx.float32), axis=-1).astype(mx.float32)


def in_numpy(x):
    """Another library's arrays have `astype` too."""
    e = np.exp(x.astype(np.float32))
    return (e / e.sum(-1, keepdims=True)).astype(x.dtype)


def of_a_comparison(x: mx.array):
    """Truth values cast up and back are truth values."""
    positive = x > 0
    return mx.softmax(positive.astype(mx.float32), axis=-1).astype(positive.dtype)


def of_positions(x: mx.array):
    """Positions are whole numbers."""
    best = mx.argmax(x, axis=-1)
    return mx.softmax(best.astype(mx.float32), axis=-1).astype(best.dtype)


def cast_to_whole_numbers(x: mx.array):
    """A softmax in half precision rounds up to 1 where one in single precision does not."""
    return mx.softmax(x.astype(mx.float32), axis=-1).astype(mx.int32)


class SoftCapped(nn.Module):
    """What has a private name is no parameter and stays float32, and so are the scores: the casts are no kernels."""

    def __init__(self, cap: float):
        super().__init__()
        self._cap = mx.array(cap, dtype=mx.float32)

    def __call__(self, scores: mx.array):
        scores = mx.tanh(scores / self._cap) * self._cap
        return mx.softmax(scores.astype(mx.float32), axis=-1).astype(scores.dtype)


class Mixture(nn.Module):
    """One number for each layer: a kernel more or less is next to nothing."""

    def __init__(self, layers: int):
        super().__init__()
        self.logits = mx.zeros((layers,))

    def __call__(self, x: mx.array):
        weights = mx.softmax(self.logits.astype(mx.float32), axis=0).astype(x.dtype)
        return (x * weights[:, None]).sum(axis=0)
