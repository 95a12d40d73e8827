"""NumPy beside arrays of MLX without harm, and Python numbers."""

import math

import mlx.core as mx
import numpy as np


def on_the_right(x: mx.array):
    """MLX decides, and takes it for a number."""
    return x * np.sqrt(2.0)


def quotient(x: mx.array, dims: int):
    """So it does here."""
    return mx.exp(x) / np.sqrt(dims)


def host_only(audio):
    """What is on the right may be NumPy's as well."""
    return np.sqrt(2.0) * audio


def numpy_array(x: mx.array):
    """It was taken out of MLX on purpose."""
    samples = np.array(x)
    return np.float32(0.5) * samples


def python_number(x: mx.array):
    """`float` makes a Python number of it."""
    return x * float(np.sqrt(2.0)) + np.log(2.0) * 3


def inside(x: mx.array):
    """An array stands on the left of it all."""
    return x * np.sqrt(2.0 / math.pi) * x


def later(x: mx.array, dims: int):
    """The product of numbers comes after the array."""
    return mx.tanh(x) * (2 * np.sqrt(dims))


def frequencies(channels: int, longest: float):
    """What is copied are a few numbers that count on."""
    step = np.log(longest) / (channels // 2 - 1)
    return mx.exp(-step * mx.arange(channels // 2))
