"""Casts to float32 that look needless, and are not, or not for this reason."""

import mlx.core as mx
import mlx.nn as nn
import numpy as np


def stays_in_float32(x: mx.array):
    """The float32 result is wanted: there is no cast back."""
    return mx.fast.rms_norm(x.astype(mx.float32), None, 1e-6)


def another_half(x: mx.array):
    """The cast back is to a dtype that the operand would be rounded for first."""
    h = x.astype(mx.bfloat16)
    return mx.fast.rms_norm(h.astype(mx.float32), None, 1e-6).astype(mx.float16)


def down_not_up(x: mx.array):
    """The first cast is to half precision."""
    return mx.fast.rms_norm(x.astype(mx.float16), None, 1e-6).astype(x.dtype)


def scaled_in_float32(q: mx.array, scale: float):
    """Between the norm and the cast back there is a product that would be rounded."""
    return (mx.fast.rms_norm(q.astype(mx.float32), None, 1e-6) * scale).astype(q.dtype)


def shifted_in_float32(x: mx.array):
    """Between the cast and the norm there is a difference that would be rounded."""
    h = x.astype(mx.float32) - 0.1
    return mx.fast.layer_norm(h, None, None, 1e-5).astype(x.dtype)


def dtype_of_another_array(x: mx.array, residual: mx.array):
    """The dtype cast back to is that of an array which has nothing to do with the operand."""
    return mx.fast.rms_norm(x.astype(mx.float32), None, 1e-6).astype(residual.dtype)


def rope(x: mx.array, offset: int):
    """The rotation computes in the dtype that it is given on some backends."""
    return mx.fast.rope(x.astype(mx.float32), 64, traditional=False, base=1e4, scale=1.0, offset=offset).astype(x.dtype)


def attention(q: mx.array, k: mx.array, v: mx.array):
    """So do the products of attention."""
    q32, k32, v32 = q.astype(mx.float32), k.astype(mx.float32), v.astype(mx.float32)
    return mx.fast.scaled_dot_product_attention(q32, k32, v32, scale=0.125).astype(q.dtype)


def softmax(scores: mx.array):
    """A softmax accumulates in float32 only where `precise=True` says so."""
    return mx.softmax(scores.astype(mx.float32), axis=-1).astype(scores.dtype)


class GroupNorm(nn.Module):
    """Unless it follows PyTorch's order, a group norm takes its mean in half precision, which overflows."""

    def __init__(self, dims: int):
        super().__init__()
        self.norm = nn.GroupNorm(32, dims)

    def __call__(self, x: mx.array):
        return x + self.norm(x.astype(mx.float32)).astype(x.dtype)


class RoPE(nn.RoPE):
    """The method of the superclass rotates in the dtype that it is given."""

    def __call__(self, x: mx.array, offset: int = 0) -> mx.array:
        return super().__call__(x.astype(mx.float32), offset).astype(x.dtype)


class KeepsFloat32(nn.Module):
    """The result of the layer is wanted in float32."""

    def __init__(self, dims: int):
        super().__init__()
        self.norm = nn.LayerNorm(dims)

    def __call__(self, x: mx.array):
        return self.norm(x.astype(mx.float32))


class CastsItself(nn.Module):
    """A layer of the file may be anything, whatever it is called."""

    def __init__(self, dims: int):
        super().__init__()
        self.norm = StableNorm(dims)

    def __call__(self, x: mx.array):
        return self.norm(x.astype(mx.float32)).astype(x.dtype)


class NormedTwice(nn.Module):
    """The norm in float32 is used as well, so that it would be computed twice."""

    def __init__(self, dims: int):
        super().__init__()
        self.norm = nn.LayerNorm(dims, affine=False)

    def __call__(self, x: mx.array):
        y = self.norm(x.astype(mx.float32))
        return y.astype(x.dtype), y


def rms_norm(x: mx.array, norm):
    """A function of the caller may compute in the dtype that it is given."""
    return norm(x.astype(mx.float32), None, 1e-6).astype(x.dtype)


def in_numpy(x):
    """Another library's arrays have `astype` too."""
    h = x.astype(np.float32)
    return (h / np.sqrt(np.mean(h * h, axis=-1, keepdims=True) + 1e-6)).astype(x.dtype)


class StableNorm(nn.RMSNorm):
    """With a weight the result would be rounded once more, and be less precise."""

    def __call__(self, x: mx.array):
        return mx.fast.rms_norm(x.astype(mx.float32), self.weight, self.eps).astype(x.dtype)


def offset_weight(x: mx.array, weight: mx.array):
    """Gemma stores its weight as an offset from one; a weight is a weight."""
    return mx.fast.rms_norm(x.astype(mx.float32), 1.0 + weight, 1e-6).astype(x.dtype)


class WhisperLayerNorm(nn.Module):
    """Weight and bias; the cast back stays, because both may be float32."""

    def __init__(self, dims: int):
        super().__init__()
        self.weight = mx.ones((dims,))
        self.bias = mx.zeros((dims,))

    def __call__(self, x: mx.array):
        y = mx.fast.layer_norm(x.astype(mx.float32), self.weight, self.bias, 1e-5)
        return y.astype(x.dtype)


def token_ids(tokens: mx.array):
    """The fast operation refuses integers, so that the cast is needed."""
    hits = tokens.astype(mx.int32)
    return mx.fast.rms_norm(hits.astype(mx.float32), None, 1e-6).astype(hits.dtype)


def kept_in_float32(norm: nn.LayerNorm, x: mx.array):
    """The result is wanted in float32, with all its digits."""
    x = x.astype(mx.float16)
    return norm(x.astype(mx.float32)).astype(mx.float32)


def both_are_used(x: mx.array):
    """The norm in float32 is returned as well, so that it would be computed twice."""
    normed = mx.fast.rms_norm(x.astype(mx.float32), None, 1e-6)
    return normed.astype(x.dtype), normed


class Decoder(nn.Module):
    """A dtype that somebody chose elsewhere says nothing of what comes in, and an image comes in float32."""

    def __init__(self, dims: int, precision):
        super().__init__()
        self.norm = nn.GroupNorm(8, dims, pytorch_compatible=True)
        self.conv = nn.Conv2d(dims, dims, 3)
        self.precision = precision

    def __call__(self, pixels: mx.array) -> mx.array:
        y = self.conv(pixels)
        return nn.silu(self.norm(y.astype(mx.float32)).astype(self.precision))


def changed_from_element_to_element(x: mx.array):
    """Each element of the list changes the array for the next one, but not its float32 copy."""
    y = x + 0
    h = y.astype(mx.float32)
    return [(mx.fast.rms_norm(h, None, 1e-5).astype(y.dtype) * y, y.__iadd__(1))[0] for _ in range(2)]
