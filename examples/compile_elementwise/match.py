"""Functions that compute element by element and are not compiled."""

import math

import mlx.core as mx
import mlx.nn as nn


def gelu(x: mx.array):
    """The tanh form of gelu."""
    return 0.5 * x * (1.0 + mx.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * mx.power(x, 3))))


def quick_gelu(x: mx.array, gate: mx.array):
    """A gate, a sigmoid and a clip."""
    gate = mx.clip(gate, -7.0, 7.0)
    return (x + 1) * gate * mx.sigmoid(1.702 * gate)


def snake(x: mx.array, alpha: mx.array, beta: mx.array):
    """An activation of audio codecs."""
    alpha, beta = mx.exp(alpha), mx.exp(beta)
    return x + mx.square(mx.sin(x * alpha)) / (beta + 1e-9)


def soft_cap(x: mx.array):
    """A cap, computed in float32."""
    y = x.astype(mx.float32)
    return (mx.tanh(y / 30.0) * 30.0).astype(x.dtype)


class Mish(nn.Module):
    """A static method of a module."""

    @staticmethod
    def activate(x: mx.array):
        return x * mx.tanh(mx.log1p(mx.exp(x)))

    def __call__(self, x):
        return self.activate(x)


def modulated(x: mx.array, shift: mx.array, scale: mx.array, gate: mx.array, residual: mx.array):
    """What surrounds a block of a diffusion transformer."""
    return residual + gate * (x * (1 + scale) + shift)


def deep(x: mx.array):
    """More than 11 operations in a row where broadcasts count: two kernels for all shapes, one for each."""
    return mx.tanh(mx.sin(x * 2.0 + 1.0) * 3.0 + 0.5) * 0.7 + 0.1


class Snake(nn.Module):
    """A weight is small beside what it meets: what is computed of it alone is not counted."""

    def __init__(self, channels):
        super().__init__()
        self.alpha = mx.ones((1, 1, channels))

    @staticmethod
    def activate(x: mx.array, alpha: mx.array):
        return x + mx.reciprocal(mx.exp(alpha) + 1e-9) * mx.square(mx.sin(x * alpha))

    def __call__(self, x):
        return self.activate(x, self.alpha)


class Activated(nn.Module):
    """An activation that a lambda writes out."""

    def __init__(self, dims: int):
        super().__init__()
        self.proj = nn.Linear(dims, dims)
        self.act = lambda x: 0.5 * x * (1 + mx.tanh(mx.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))

    def __call__(self, x):
        return self.act(self.proj(x))


def binary_entropy(p: mx.array):
    """What is written twice is computed twice."""
    return -(p * mx.log2(p) + (1.0 - p) * mx.log2(1.0 - p))


def softened(x: mx.array):
    """The module calls it in a loop."""
    return x * mx.sigmoid(x) + mx.tanh(x) * mx.exp(-x)


for rows in (mx.ones(4), mx.ones(8)):
    softened(rows)
