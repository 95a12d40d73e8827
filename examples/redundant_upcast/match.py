"""Casts to float32 around norms that accumulate in float32 anyway. Each can go."""

import mlx.core as mx
import mlx.nn as nn
from mlx import core


class Cohere(nn.Module):
    """The norm itself has no parameters; the weight comes after the cast back."""

    def __init__(self, dims: int, eps: float = 1e-5):
        super().__init__()
        self.weight = mx.ones((dims,))
        self.eps = eps

    def __call__(self, x):
        return self.weight * mx.fast.layer_norm(x.astype(mx.float32), None, None, self.eps).astype(x.dtype)


def queries_and_keys(queries: mx.array, keys: mx.array, eps: float):
    """Norms of the heads without a weight, through a lambda."""
    norm = lambda t: mx.fast.rms_norm(t.astype(mx.float32), None, eps).astype(t.dtype)
    return norm(queries), norm(keys)


def step_by_step(x: mx.array):
    """Each cast is a statement of its own."""
    dtype = x.dtype
    hidden = x.astype(mx.float32)
    hidden = mx.fast.layer_norm(hidden, None, None, 1e-5)
    return hidden.astype(dtype)


def by_keyword(x: mx.array, residual: mx.array):
    """What is cast is a sum, and the absent weight has its name."""
    h = x + residual
    return mx.fast.rms_norm(h.astype(mx.float32), weight=None, eps=1e-6).astype(h.dtype), h


def one_dtype(x: mx.array):
    """Both dtypes are spelled out, through another name of the module."""
    h = x.astype(core.bfloat16)
    return core.fast.layer_norm(h.astype(core.float32), None, None, 1e-6).astype(core.bfloat16)


class LayerNorm(nn.LayerNorm):
    """A subclass for another order of axes; its weight and bias may be float32, so that the cast back stays."""

    def __call__(self, x: mx.array) -> mx.array:
        y = super().__call__(x.swapaxes(0, 1).astype(mx.float32)).astype(x.dtype)
        return y.swapaxes(0, 1)


class ResnetBlock(nn.Module):
    """The norms of a diffusion U-Net, cast back to the dtype of what came in."""

    def __init__(self, dims: int):
        super().__init__()
        self.norm1 = nn.GroupNorm(8, dims, pytorch_compatible=True)
        self.norm2 = nn.RMSNorm(dims)
        self.proj = nn.Linear(dims, dims)

    def __call__(self, x):
        dtype = x.dtype
        y = self.norm1(x.astype(mx.float32)).astype(dtype)
        y = self.proj(nn.silu(y))
        y = self.norm2(y.astype(mx.float32)).astype(dtype)
        return x + y


class Modulated(nn.Module):
    """A norm without parameters, as adaptive ones have it: nothing is left of the casts."""

    def __init__(self, dims: int):
        super().__init__()
        self.norm = nn.LayerNorm(dims, affine=False)
        self.over_pixels = nn.InstanceNorm(dims)

    def __call__(self, x: mx.array, scale: mx.array, shift: mx.array):
        pixels = self.over_pixels(x.astype(mx.float32)).astype(x.dtype)
        return self.norm(x.astype(mx.float32)).astype(x.dtype) * (1 + scale) + shift, pixels


def any_norm(norm: nn.LayerNorm | nn.RMSNorm, x: mx.array):
    """The module is an argument, and its annotation says what it is."""
    return norm(x.astype(mx.float32)).astype(x.dtype)


class Encoder(nn.Module):
    """The dtype is chosen elsewhere, and what is normed comes of an array that was cast to it."""

    def __init__(self, dims: int, precision=mx.bfloat16):
        super().__init__()
        self.norm = nn.RMSNorm(dims)
        self.proj = nn.Linear(dims, dims)
        self.precision = precision

    def __call__(self, x: mx.array) -> mx.array:
        y = self.proj(x.astype(self.precision))
        return self.norm(y.astype(mx.float32)).astype(self.precision)


class ChannelNorm(nn.GroupNorm):
    """The class has a use besides the cast: it takes the channels as the second axis."""

    def __init__(self, groups: int, dims: int):
        super().__init__(groups, dims, pytorch_compatible=True)

    def __call__(self, x: mx.array) -> mx.array:
        x = mx.transpose(x, (0, 2, 3, 1))
        y = super().__call__(x.astype(mx.float32)).astype(x.dtype)
        return mx.transpose(y, (0, 3, 1, 2))


class PlainLayerNorm(nn.LayerNorm):
    """The class is there for the casts alone, and nothing is left of it but what it extends."""

    def __call__(self, x: mx.array) -> mx.array:
        return super().__call__(x.astype(mx.float32)).astype(x.dtype)
