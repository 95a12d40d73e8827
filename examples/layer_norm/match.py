"""Layer norms as people write them. Each is one call of `mx.fast.layer_norm`."""

import mlx.core as mx
import mlx.nn as nn


class LayerNorm(nn.Module):
    """Mean and variance by name, with weight and bias."""

    def __init__(self, dims: int, eps: float = 1e-5):
        super().__init__()
        self.weight = mx.ones((dims,))
        self.bias = mx.zeros((dims,))
        self.eps = eps

    def __call__(self, x):
        mean = mx.mean(x, axis=-1, keepdims=True)
        var = mx.var(x, axis=-1, keepdims=True)
        return self.weight * ((x - mean) * mx.rsqrt(var + self.eps)) + self.bias


class UpcastLayerNorm(nn.Module):
    """Computed in float32 and cast back before the weight and the bias, as in the first Cohere models."""

    def __init__(self, dims: int):
        super().__init__()
        self.weight = mx.ones((dims,))
        self.bias = mx.zeros((dims,))

    def __call__(self, x):
        h = x.astype(mx.float32)
        h = (h - h.mean(-1, keepdims=True)) * mx.rsqrt(h.var(-1, keepdims=True) + 1e-5)
        return h.astype(x.dtype) * self.weight + self.bias


class NoBias(nn.Module):
    """A weight and no bias; the deviation is computed once and named."""

    def __init__(self, dims: int):
        super().__init__()
        self.gamma = mx.ones((dims,))

    def __call__(self, x):
        d = x - x.mean(axis=-1, keepdims=True)
        variance = mx.mean(d * d, axis=-1, keepdims=True)
        return d / mx.sqrt(variance + 1e-6) * self.gamma


def without_affine(x: mx.array):
    """The norm before adaptive modulation in diffusion transformers has no parameters."""
    mu = x.mean(-1, keepdims=True)
    return (x - mu) / mx.sqrt(x.var(-1, keepdims=True) + 1e-6)


def variance_by_hand(x: mx.array, weight: mx.array, bias: mx.array, eps: float):
    """The variance is a mean of squared deviations; nothing shows that weight and bias have one axis."""
    mean = mx.mean(x, axis=-1, keepdims=True)
    variance = mx.mean(mx.square(x - mean), axis=-1, keepdims=True)
    return (x - mean) * mx.rsqrt(variance + eps) * weight + bias


def modulated(x: mx.array, shift: mx.array, scale: mx.array):
    """Scale and shift have a row per example, so that the core alone is the fast operation."""
    mean, var = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    normed = (x - mean) * mx.rsqrt(var + 1e-6)
    return normed * (1 + scale[:, None]) + shift[:, None]


class WeightFirst(nn.Module):
    """The weight meets the centred array before the root does."""

    def __init__(self, dims: int):
        super().__init__()
        self.weight = mx.ones((dims,))
        self.bias = mx.zeros((dims,))

    def __call__(self, x: mx.array):
        mean = mx.mean(x, axis=-1, keepdims=True)
        return self.weight * (x - mean) / mx.sqrt(mx.var(x, axis=-1, keepdims=True) + 1e-5) + self.bias


class WeightByTheRoot(nn.Module):
    """The weight meets the root first."""

    def __init__(self, dims: int):
        super().__init__()
        self.weight = mx.ones((dims,))
        self.bias = mx.zeros((dims,))

    def __call__(self, x: mx.array):
        centred = x - x.mean(-1, keepdims=True)
        return centred * (self.weight * mx.rsqrt(centred.square().mean(-1, keepdims=True) + 1e-5)) + self.bias


def weight_first_alone(x: mx.array, weight: mx.array):
    """Without a bias."""
    mean = mx.mean(x, axis=-1, keepdims=True)
    return weight * (x - mean) / mx.sqrt(mx.var(x, axis=-1, keepdims=True) + 1e-5)


def weight_by_the_root_alone(x: mx.array, weight: mx.array):
    """Without a bias, and the weight meets the root first."""
    centred = x - x.mean(-1, keepdims=True)
    return centred * (weight * mx.rsqrt(centred.square().mean(-1, keepdims=True) + 1e-5))


def _standardized(x, axis, eps):
    """For callers who say over which axis."""
    centred = x - mx.mean(x, axis=axis, keepdims=True)
    return centred * mx.rsqrt(mx.var(x, axis=axis, keepdims=True) + eps)


def axis_for_a_helper(x: mx.array):
    """What the helper computes shows where it is called."""
    return _standardized(x, -1, 1e-5)
