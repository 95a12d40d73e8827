"""What looks like a root-mean-square norm over the last axis, and is something else."""

import mlx.core as mx
import numpy as np


def eps_outside_the_root(x: mx.array, weight: mx.array):
    """Adds eps to the root instead of the mean square: another function for small rows."""
    return x / (mx.sqrt(mx.mean(mx.square(x), axis=-1, keepdims=True)) + 1e-5) * weight


def over_all_axes(x: mx.array):
    """One scale for the whole array."""
    return x * mx.rsqrt(mx.mean(mx.square(x), keepdims=True) + 1e-5)


def over_channels_first(x: mx.array):
    """The channels are axis 1 of an image of rank 4."""
    return x * mx.rsqrt(mx.mean(mx.square(x), axis=1, keepdims=True) + 1e-5)


def clamped(x: mx.array):
    """The mean square is clamped from below, not shifted."""
    return x * mx.rsqrt(mx.maximum(mx.mean(mx.square(x), axis=-1, keepdims=True), 1e-5))


def unit_length(x: mx.array):
    """The sum of the squares, not their mean: the L2 norm of an embedding."""
    return x * mx.rsqrt(mx.sum(mx.square(x), axis=-1, keepdims=True) + 1e-12)


def one_degree_less(x: mx.array):
    """Divides the sum by n - 1."""
    return x * mx.rsqrt(mx.sum(mx.square(x), axis=-1, keepdims=True) / (x.shape[-1] - 1) + 1e-5)


def stays_in_float32(x: mx.array):
    """Only the mean is float32, and it turns the half-precision `x` that it scales into float32."""
    variance = mx.mean(mx.square(x.astype(mx.float32)), axis=-1, keepdims=True)
    return x * mx.rsqrt(variance + 1e-6)


def scale_of_another_array(x: mx.array, y: mx.array):
    """Scales `y` by the size of `x`."""
    return y * mx.rsqrt(mx.mean(mx.square(x), axis=-1, keepdims=True) + 1e-5)


def scale_is_returned(x: mx.array):
    """The scale is needed outside, so that the mean would be computed twice."""
    scale = mx.rsqrt(mx.mean(mx.square(x), axis=-1, keepdims=True) + 1e-5)
    return x * scale, scale


def eps_is_an_array(x: mx.array, eps: mx.array):
    """The fast operation takes a number; an array would be read back from the device."""
    return x * mx.rsqrt(mx.mean(mx.square(x), axis=-1, keepdims=True) + eps)


def variance_about_the_mean(x: mx.array):
    """The variance subtracts the mean, the numerator does not."""
    return x * mx.rsqrt(mx.var(x, axis=-1, keepdims=True) + 1e-5)


def in_numpy(x, weight):
    """The same formula in NumPy."""
    return x / np.sqrt(np.mean(np.square(x), axis=-1, keepdims=True) + 1e-5) * weight


def another_mx(x, mx):
    """`mx` is a parameter here, and may be any library."""
    return x * mx.rsqrt(mx.mean(mx.square(x), axis=-1, keepdims=True) + 1e-5)
