"""Constants without a dtype beside arrays that may be in half precision. Each is given the dtype of the array."""

import mlx.core as mx
import mlx.nn as nn


class CausalConv(nn.Module):
    """Padding in front of what a convolution reads: the whole convolution would be in float32."""

    def __init__(self, dims: int, kernel: int):
        super().__init__()
        self.kernel = kernel
        self.proj = nn.Linear(dims, dims)
        self.conv = nn.Conv1d(dims, dims, kernel)

    def __call__(self, x: mx.array):
        h = self.proj(x)
        B, _, D = h.shape
        padding = mx.zeros((B, self.kernel - 1, D))
        return self.conv(mx.concatenate([padding, h], axis=1))


def causal(q: mx.array, k: mx.array):
    """An additive mask of zeros and infinities, through the functions that cut it out."""
    scores = q @ k.swapaxes(-1, -2)
    length = scores.shape[-1]
    mask = mx.triu(mx.full((length, length), -mx.inf), k=1)
    return mx.softmax(scores + mask[None], axis=-1)


def framed(x: mx.array, w: mx.array):
    """Two constants at once: one alone would leave the result in float32."""
    h = mx.tanh(x @ w)
    left = mx.zeros((h.shape[0], 1, h.shape[2]))
    right = mx.ones((h.shape[0], 2, h.shape[2]))
    return mx.concatenate([left, h, right], axis=1) @ w


def clipped(x: mx.array, w: mx.array, keep: mx.array):
    """A choice between the array and a constant of its shape."""
    h = x @ w
    return mx.where(keep, h, mx.zeros(h.shape)) @ w


def gathered(x: mx.array, w: mx.array, width: int):
    """A buffer that takes in a part of it: the same numbers at half the memory."""
    h = x @ w
    padded = mx.zeros((h.shape[0], width, h.shape[2]))
    padded[:, : h.shape[1]] = h
    return padded @ w


def whitened(x: mx.array, w: mx.array):
    """Ones on the diagonal, beside a product of matrices."""
    gram = x @ w
    return (gram + 2 * mx.eye(gram.shape[-1])) @ w


def plain(x: mx.array, w: mx.array):
    """That `x` holds no whole numbers is for the caller to know."""
    return mx.concatenate([x, mx.zeros((x.shape[0], 1, x.shape[2]))], axis=1) @ w


def continued(x: mx.array, w: mx.array, state=None):
    """Where no state is given it begins with zeros; its name says that it may be kept."""
    h = x @ w
    if state is None:
        state = mx.zeros((h.shape[0], 3, h.shape[2]))
    return mx.concatenate([state, h], axis=1) @ w


def mirrored(x: mx.array, w: mx.array):
    """A list of numbers that half precision holds."""
    h = mx.tanh(x)
    return (h * mx.array([1.0, -1.0, 0.5, 0.0])) @ w


def centred(x: mx.array, w: mx.array):
    """Half precision rounds these."""
    h = mx.tanh(x)
    mean = mx.array([0.485, 0.456, 0.406, 0.5])
    return (h - mean) @ w


class Stack(nn.Module):
    """What a stack of layers takes in is kept in none of them: each is called once."""

    def __init__(self, dims: int):
        super().__init__()
        self.proj = nn.Linear(dims, dims)
        self.layers = [nn.Linear(dims, dims), nn.Linear(dims, dims)]

    def __call__(self, x: mx.array):
        h = self.proj(x)
        padding = mx.zeros((h.shape[0], 2, h.shape[2]))
        h = mx.concatenate([h, padding], axis=1)
        for layer in self.layers:
            h = layer(h)
        return h


def written(x: mx.array, w: mx.array):
    """A buffer that a loop only writes to adds nothing up."""
    h = mx.tanh(x @ w)
    repeated = mx.zeros((2 * h.shape[0], h.shape[1], h.shape[2]))
    for i in range(h.shape[0]):
        for j in range(2):
            repeated[2 * i + j] = h[i]
    return repeated @ w


def decayed(x: mx.array, w: mx.array):
    """One that is made of what was written to it before does."""
    h = mx.tanh(x @ w)
    states = mx.zeros(h.shape)
    for i in range(1, h.shape[0]):
        states[i] = states[i - 1] * 0.5 + h[i]
    return states @ w


def preceded(projected_states: mx.array, weight: mx.array, number_of_rows: int):
    """A line that would be longer than all others is laid out anew."""
    projected = projected_states @ weight
    return mx.concatenate([mx.zeros((projected.shape[0], number_of_rows, projected.shape[2])), projected], axis=1) @ weight
