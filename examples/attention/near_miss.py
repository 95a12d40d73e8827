"""What looks like scaled dot-product attention, and is something else."""

import mlx.core as mx
import mlx.nn as nn


def soft_cap(q: mx.array, k: mx.array, v: mx.array):
    """The scores are capped by a tanh before the softmax, as in Gemma 2."""
    scores = (q * 0.125) @ k.transpose(0, 1, 3, 2)
    scores = mx.tanh(scores / 50.0) * 50.0
    return mx.softmax(scores, axis=-1) @ v


def scores_returned(q: mx.array, k: mx.array, v: mx.array):
    """The scores are needed outside, for word timestamps in Whisper."""
    qk = (q * 0.125) @ k.transpose(0, 1, 3, 2)
    weights = mx.softmax(qk, axis=-1)
    return weights @ v, qk


class Dropout(nn.Module):
    """Dropout acts on the weights between the softmax and the values."""

    def __init__(self):
        super().__init__()
        self.dropout = nn.Dropout(0.1)

    def __call__(self, q: mx.array, k: mx.array, v: mx.array):
        weights = mx.softmax((q * 0.125) @ k.transpose(0, 1, 3, 2), axis=-1)
        return self.dropout(weights) @ v


def one_head(x: mx.array):
    """Rank 3 by construction: the fast operation takes rank 4 only."""
    B, H, W, C = x.shape
    q = x.reshape(B, H * W, C)
    scores = (q * 0.125) @ q.transpose(0, 2, 1)
    return mx.softmax(scores, axis=-1) @ q


def grouped_heads(q: mx.array, k: mx.array, v: mx.array):
    """Heads in groups, rank 5 by construction."""
    B, H, L, D = q.shape
    q = q.reshape(B, 2, H // 2, L, D)
    scores = (q * 0.125) @ mx.expand_dims(k, 2).swapaxes(-1, -2)
    return mx.softmax(scores, axis=-1) @ mx.expand_dims(v, 2)


def over_the_queries(q: mx.array, k: mx.array, v: mx.array):
    """The softmax is over the queries, as in slot attention."""
    return mx.softmax((q * 0.125) @ k.transpose(0, 1, 3, 2), axis=-2) @ v


def result_in_float32(q: mx.array, k: mx.array, v: mx.array):
    """The probabilities stay in float32, and so does the result."""
    scores = (q * 0.125) @ k.transpose(0, 1, 3, 2)
    return mx.softmax(scores.astype(mx.float32), axis=-1) @ v


def sigmoid_attention(q: mx.array, k: mx.array, v: mx.array):
    """There is no softmax."""
    return mx.sigmoid((q * 0.125) @ k.transpose(0, 1, 3, 2)) @ v


def renormalised(q: mx.array, k: mx.array, v: mx.array):
    """The weights are divided once more before they meet the values."""
    weights = mx.softmax((q * 0.125) @ k.transpose(0, 1, 3, 2), axis=-1)
    weights = weights / (1.0 + mx.sum(weights, axis=-2, keepdims=True))
    return weights @ v


def multiplied_mask(q: mx.array, k: mx.array, v: mx.array, mask: mx.array):
    """The mask is a factor, not a term."""
    return mx.softmax((q * 0.125) @ k.transpose(0, 1, 3, 2) * mask, axis=-1) @ v


def sink(q: mx.array, k: mx.array, v: mx.array, sinks: mx.array):
    """One column more takes part in the softmax and is dropped afterwards."""
    scores = (q * 0.125) @ k.transpose(0, 1, 3, 2)
    scores = mx.concatenate([scores, sinks], axis=-1)
    return mx.softmax(scores, axis=-1)[..., :-1] @ v


def router(x: mx.array, gate: mx.array):
    """A product and a softmax, but no values."""
    return mx.softmax((x * 0.125) @ gate.transpose(0, 1, 3, 2), axis=-1)


def keys_with_temperature(q: mx.array, k: mx.array, v: mx.array, temperature: mx.array):
    """The scale is an array with a value per head."""
    return mx.softmax((q @ k.transpose(0, 1, 3, 2)) * temperature, axis=-1) @ v


def wide_mask(q: mx.array, k: mx.array, v: mx.array, mask: mx.array):
    """A float32 mask makes the scores float32; the fast operation raises for it when the rest is half precision."""
    q, k, v = q.astype(mx.float16), k.astype(mx.float16), v.astype(mx.float16)
    scores = (q * 0.125) @ k.transpose(0, 1, 3, 2)
    return mx.softmax(mx.add(scores, mask.astype(mx.float32)), axis=-1) @ v


def in_torch(q, k, v):
    """The same formula in PyTorch."""
    import torch

    return torch.softmax((q * 0.125) @ k.transpose(-1, -2), dim=-1) @ v


def carried_by_a_loop(x: mx.array):
    """The scores are those of the first `x`, the values those of each round."""
    scores = (x[None, None] * 0.25) @ x[None, None].transpose(0, 1, 3, 2)
    for _ in range(2):
        x = (mx.softmax(scores, axis=-1) @ x[None, None])[0, 0] + 1
    return x


def number_for_a_mask(q: mx.array, k: mx.array, v: mx.array):
    """A number is no mask."""
    scores = (q * 0.25) @ k.transpose(0, 1, 3, 2)
    return mx.softmax(scores + 1, axis=-1) @ v


def number_without_a_mask(q: mx.array, k: mx.array, v: mx.array, mask=None):
    """Where no mask is given a number is added, which the fast operation does not take."""
    scores = (q * 0.125) @ k.transpose(0, 1, 3, 2) + 1
    if mask is not None:
        scores = scores + mask
    return mx.softmax(scores, axis=-1) @ v


def truth_values_for_a_mask(q: mx.array, k: mx.array, v: mx.array):
    """Adding truth values adds ones; a mask of truth values hides."""
    mask = mx.tri(7, 7, dtype=mx.bool_)
    return mx.softmax((q * 0.25) @ k.transpose(0, 1, 3, 2) + mask, axis=-1) @ v


def truth_values_in_full(q: mx.array, k: mx.array, v: mx.array):
    """An array that is filled with a truth value holds truth values."""
    mask = mx.triu(mx.full((7, 7), True), k=1)
    return mx.softmax((q * 0.25) @ k.transpose(0, 1, 3, 2) + mask, axis=-1) @ v


def number_that_hides_nothing(q: mx.array, k: mx.array, v: mx.array, mask: mx.array):
    """Scores of zero still count."""
    scores = mx.where(mask > 0, (q * 0.25) @ k.transpose(0, 1, 3, 2), 0.0)
    return mx.softmax(scores, axis=-1) @ v


def numbers_for_truth_values(q: mx.array, k: mx.array, v: mx.array):
    """Where numbers choose, all but 0 keep; the fast operation would add them."""
    scores = mx.where(mx.ones((7, 7)), (q * 0.25) @ k.transpose(0, 1, 3, 2), -1e9)
    return mx.softmax(scores, axis=-1) @ v


def first_axis_for_the_last(x: mx.array):
    """The axis is counted from the front and is not the last."""
    q = x.reshape(2, 4, 8, 8)
    return mx.softmax((q * 0.25) @ q.transpose(0, 1, 3, 2), axis=2) @ q


def channels_with_channels(x: mx.array):
    """Channels are compared, so that the head dimension would be the number of tokens."""
    batch, length, width = x.shape
    q, k, v = x.reshape(batch, length, 3, 4, width // 12).transpose(2, 0, 3, 1, 4)
    weights = mx.softmax((q * length**-0.5).transpose(0, 1, 3, 2) @ k, axis=-1)
    return (weights @ v.transpose(0, 1, 3, 2)).transpose(0, 3, 1, 2).reshape(batch, length, -1)


def attended(q: mx.array, k: mx.array, v: mx.array, single):
    """The flag is that of the caller."""
    scores = (q * 0.25) @ k.swapaxes(-1, -2)
    if single:
        scores = mx.softmax(scores.astype(mx.float32), axis=-1).astype(q.dtype)
    else:
        scores = mx.softmax(scores, axis=0)
    return scores @ v


def flag_of_the_caller(q: mx.array, k: mx.array, v: mx.array, single: bool):
    """The helper is called with a flag that does not show."""
    return attended(q, k, v, single)


def flag_for_another_axis(q: mx.array, k: mx.array, v: mx.array):
    """Without the flag the softmax goes over the batch."""
    return attended(q, k, v, False)


if not hasattr(mx.fast, "scaled_dot_product_attention"):

    def written_for_old_versions(q: mx.array, k: mx.array, v: mx.array, axis: int):
        """What is used where MLX has no fast operation."""
        return mx.softmax((q * 0.25) @ k.swapaxes(-1, -2), axis=axis) @ v


def on_old_versions(q: mx.array, k: mx.array, v: mx.array):
    """The helper is the fallback, though its caller does not show it."""
    return written_for_old_versions(q, k, v, -1)
