"""What looks like a layer norm, and is something else."""

import mlx.core as mx
import numpy as np


def unbiased(x: mx.array):
    """The variance divides by n - 1."""
    return (x - x.mean(-1, keepdims=True)) * mx.rsqrt(x.var(-1, keepdims=True, ddof=1) + 1e-5)


def eps_beside_the_deviation(x: mx.array):
    """Adds eps to the standard deviation instead of the variance."""
    return (x - x.mean(-1, keepdims=True)) / (x.std(-1, keepdims=True) + 1e-5)


def instance_norm(x: mx.array):
    """Normalises each channel over the image."""
    mean = x.mean((1, 2), keepdims=True)
    return (x - mean) * mx.rsqrt(x.var((1, 2), keepdims=True) + 1e-5)


def batch_norm(x: mx.array, weight: mx.array, bias: mx.array):
    """Normalises over the first axis."""
    mean = x.mean(0, keepdims=True)
    return (x - mean) * mx.rsqrt(x.var(0, keepdims=True) + 1e-5) * weight + bias


def difference_of_moments(x: mx.array):
    """The variance as a difference of two means, which cancels badly and may be negative."""
    mean = x.mean(-1, keepdims=True)
    return (x - mean) * mx.rsqrt(x.square().mean(-1, keepdims=True) - mean * mean + 1e-5)


def running_statistics(x: mx.array, mean: mx.array, var: mx.array):
    """Mean and variance come from elsewhere."""
    return (x - mean) * mx.rsqrt(var + 1e-5)


def not_centred(x: mx.array):
    """Subtracts the mean in the variance only."""
    return x * mx.rsqrt(x.var(-1, keepdims=True) + 1e-5)


def variance_is_returned(x: mx.array):
    """The statistics are needed outside."""
    mean, var = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return (x - mean) * mx.rsqrt(var + 1e-5), mean, var


def statistics_in_float32(x: mx.array):
    """Only the statistics are float32, and turn a half-precision result into float32."""
    y = x.astype(mx.float32)
    return (x - y.mean(-1, keepdims=True)) * mx.rsqrt(y.var(-1, keepdims=True) + 1e-5)


def in_numpy(x):
    """The same formula in NumPy."""
    return (x - np.mean(x, axis=-1, keepdims=True)) / np.sqrt(np.var(x, axis=-1, keepdims=True) + 1e-5)


def changed_inside_a_helper(x: mx.array):
    """The helper changes what its argument may be, and its caller holds that too."""
    x32 = x.astype(mx.float32)

    def norm(t):
        mean = t.mean(axis=-1, keepdims=True)
        same = t if t.ndim > 0 else t + 1
        same += 1
        return (t - mean) * mx.rsqrt(mx.mean((t - mean) ** 2, axis=-1, keepdims=True) + 1e-5)

    return norm(x32).astype(x.dtype)


def standardized(x: mx.array, axis: int):
    """The axis is that of the caller."""
    return (x - mx.mean(x, axis=axis, keepdims=True)) * mx.rsqrt(mx.var(x, axis=axis, keepdims=True) + 1e-5)


def over_the_rows(x: mx.array):
    """The helper is called for another axis than the last."""
    return standardized(x, 0)
