"""Constants without a dtype beside arrays in half precision, as the file shows. Each is given the dtype of the array."""

import mlx.core as mx
import mlx.nn as nn


def _normed(x: mx.array):
    """The cast back says that arrays may be in half precision."""
    return mx.fast.rms_norm(x.astype(mx.float32), None, 1e-5).astype(x.dtype)


class CausalConv(nn.Module):
    """Padding in front of what a convolution reads: the whole convolution would be in float32."""

    def __init__(self, dims: int, kernel: int):
        super().__init__()
        self.kernel = kernel
        self.proj = nn.Linear(dims, dims)
        self.conv = nn.Conv1d(dims, dims, kernel)

    def __call__(self, x: mx.array):
        h = self.proj(x.astype(self.proj.weight.dtype))
        B, _, D = h.shape
        padding = mx.zeros((B, self.kernel - 1, D))
        return self.conv(mx.concatenate([padding, h], axis=1))


def causal(q: mx.array, k: mx.array):
    """An additive mask of zeros and infinities, through the functions that cut it out."""
    scores = _normed(q) @ k.swapaxes(-1, -2)
    length = scores.shape[-1]
    mask = mx.triu(mx.full((length, length), -mx.inf), k=1)
    return mx.softmax(scores + mask[None], axis=-1)


def framed(x: mx.array, w: mx.array):
    """Two constants at once: one alone would leave the result in float32."""
    h = mx.tanh(_normed(x) @ w)
    left = mx.zeros((h.shape[0], 1, h.shape[2]))
    right = mx.ones((h.shape[0], 2, h.shape[2]))
    return mx.concatenate([left, h, right], axis=1) @ w


def clipped(x: mx.array, w: mx.array, keep: mx.array):
    """A choice between the array and a constant of its shape."""
    h = _normed(x) @ w
    return mx.where(keep, h, mx.zeros(h.shape)) @ w


def gathered(x: mx.array, w: mx.array, width: int):
    """A buffer that takes in a part of it: the same numbers at half the memory."""
    h = _normed(x) @ w
    padded = mx.zeros((h.shape[0], width, h.shape[2]))
    padded[:, : h.shape[1]] = h
    return padded @ w


def whitened(x: mx.array, w: mx.array):
    """Ones on the diagonal, beside a product of matrices."""
    gram = _normed(x) @ w
    return (gram + 2 * mx.eye(gram.shape[-1])) @ w


def plain(x: mx.array, w: mx.array):
    """That `x` holds no whole numbers is for the caller to know. What is cast to its dtype shows why."""
    w = mx.tanh(w.astype(mx.float32)).astype(x.dtype)
    return mx.concatenate([x, mx.zeros((x.shape[0], 1, x.shape[2]))], axis=1) @ w


def continued(x: mx.array, w: mx.array, cache=None):
    """Where nothing is kept yet it begins with zeros; its name says that it is kept, and in what dtype."""
    h = _normed(x) @ w
    if cache is None:
        cache = mx.zeros((h.shape[0], 3, h.shape[2]))
    return mx.concatenate([cache, h], axis=1) @ w


def mirrored(x: mx.array, w: mx.array):
    """A list of numbers that half precision holds."""
    h = mx.tanh(_normed(x))
    return (h * mx.array([1.0, -1.0, 0.5, 0.0])) @ w


def centred(x: mx.array, w: mx.array):
    """Half precision rounds these."""
    h = mx.tanh(_normed(x))
    mean = mx.array([0.485, 0.456, 0.406, 0.5])
    return (h - mean) @ w


class Stack(nn.Module):
    """Embedded tokens have the dtype of the model. A stack of layers keeps nothing: each is called once."""

    def __init__(self, dims: int):
        super().__init__()
        self.embedding = nn.Embedding(16, dims)
        self.layers = [nn.Linear(dims, dims), nn.Linear(dims, dims)]

    def __call__(self, tokens: mx.array):
        h = self.embedding(tokens)
        padding = mx.zeros((h.shape[0], 2, h.shape[2]))
        h = mx.concatenate([h, padding], axis=1)
        for layer in self.layers:
            h = layer(h)
        return h


class Experts(nn.Module):
    """A buffer for what is scattered into it; the weights of the sum are cast back from float32."""

    def __init__(self, dims: int):
        super().__init__()
        self.gate = nn.Linear(dims, 2)
        self.experts = [nn.Linear(dims, dims), nn.Linear(dims, dims)]

    def __call__(self, x: mx.array, rows: mx.array):
        scores = mx.softmax(self.gate(x).astype(mx.float32), axis=-1).astype(x.dtype)
        y = mx.zeros((2, x.shape[0], x.shape[1]))
        for i, expert in enumerate(self.experts):
            y[i, rows] = expert(x[rows])
        return y * scores.T[..., None]


def preceded(projected_states: mx.array, weight: mx.array, number_of_rows: int):
    """A line that would be longer than all others is laid out anew."""
    projected = _normed(projected_states) @ weight
    return mx.concatenate([mx.zeros((projected.shape[0], number_of_rows, projected.shape[2])), projected], axis=1) @ weight
