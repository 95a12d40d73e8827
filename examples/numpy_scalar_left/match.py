"""NumPy scalars to the left of arrays."""

import mlx.core as mx
import mlx.nn as nn
import numpy as np

SCALE = np.sqrt(0.5)


def gelu(x: mx.array):
    """The constant of a hand-written activation."""
    return 0.5 * x * (1 + mx.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x * x * x)))


def scaled(x: mx.array):
    """A constant of the module."""
    return SCALE * mx.softmax(x, axis=-1)


class Embedding(nn.Module):
    """A factor that is worked out in each call."""

    def __init__(self, vocabulary: int, dims: int):
        super().__init__()
        self.dims = dims
        self.embedding = nn.Embedding(vocabulary, dims)

    def __call__(self, tokens: mx.array):
        return np.sqrt(self.dims) * self.embedding(tokens)


def decibels(power: mx.array):
    """A subtraction, and a quotient of two scalars."""
    return np.log10(20.0) - mx.log(power) / np.log(10.0)


def shifted(x: mx.array, shift: float):
    """A type of NumPy, called."""
    return np.float32(shift) + x


def negated(x: mx.array):
    """Arithmetic with the scalar is NumPy's, too."""
    factor = -np.sqrt(2.0) / 2
    return factor * mx.exp(x)


def activated(x: mx.array):
    """The whole is an activation of `mlx.nn`."""
    return 0.5 * x * (1.0 + mx.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
