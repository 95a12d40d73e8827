"""Root-mean-square norms as people write them. Each is one call of `mx.fast.rms_norm`."""

import mlx.core as mx
import mlx.nn as nn


class LlamaRMSNorm(nn.Module):
    """The norm of most ported language models: computed in float32 by a helper method, cast back, then scaled."""

    def __init__(self, dims: int, eps: float = 1e-5):
        super().__init__()
        self.weight = mx.ones((dims,))
        self.eps = eps

    def _norm(self, x):
        return x * mx.rsqrt(x.square().mean(-1, keepdims=True) + self.eps)

    def __call__(self, x):
        output = self._norm(x.astype(mx.float32)).astype(x.dtype)
        return self.weight * output


class T5LayerNorm(nn.Module):
    """Never leaves half precision, and ends in a cast that has to stay because the weight may be float32."""

    def __init__(self, dims: int, eps: float = 1e-6):
        super().__init__()
        self.weight = mx.ones((dims,))
        self.variance_epsilon = eps

    def __call__(self, x):
        t = x.dtype
        variance = mx.mean(mx.square(x), axis=-1, keepdims=True)
        x = x * mx.rsqrt(variance + self.variance_epsilon)
        return (self.weight * x).astype(t)


class GemmaRMSNorm(nn.Module):
    """The weight is stored as an offset from one."""

    def __init__(self, dims: int):
        super().__init__()
        self.weight = mx.zeros((dims,))

    def __call__(self, x):
        normed = x * mx.rsqrt(mx.mean(x * x, axis=-1, keepdims=True) + 1e-6)
        return normed * (1.0 + self.weight)


class Float32ThenCast(nn.Module):
    """Weight and all in float32, rounded once at the end: both casts stay."""

    def __init__(self, dims: int):
        super().__init__()
        self.scale = mx.ones((dims,))

    def __call__(self, x):
        h = x.astype(mx.float32)
        h = h / mx.sqrt(mx.mean(h**2, -1, True) + 1e-6)
        return (h * self.scale.astype(mx.float32)).astype(x.dtype)


def by_division(x: mx.array, weight: mx.array, eps: float):
    """Divides by the root, and squares with the power operator; nothing shows that the weight has one axis."""
    return weight * (x / mx.sqrt(mx.mean(x**2, axis=-1, keepdims=True) + eps))


def mean_as_a_sum(x: mx.array):
    """The mean is a sum divided by the length of the axis."""
    squares = mx.power(x, 2)
    scale = mx.rsqrt(squares.sum(axis=-1, keepdims=True) / x.shape[-1] + 1e-5)
    return x * scale


def queries_and_keys(queries: mx.array, keys: mx.array):
    """Two norms without a weight in one function, through a lambda."""
    norm = lambda x: x * mx.rsqrt(mx.mean(mx.square(x), axis=-1, keepdims=True) + 1e-6)
    return norm(queries), norm(keys)


def new_axis_instead_of_keepdims(x: mx.array):
    """The axis that the mean took away is put back by indexing."""
    variance = x.square().mean(axis=-1)
    return x * mx.rsqrt(variance[..., None] + 1e-5)


def weight_per_row(x: mx.array, weight: mx.array):
    """A weight per row is no weight of the fast operation, so that only the core becomes one."""
    y = x.astype(mx.float32)
    y = y * mx.rsqrt(y.square().mean(-1, keepdims=True) + 1e-5)
    return y.astype(x.dtype) * weight.reshape(-1, 1)


class StatisticsInFloat32(nn.Module):
    """T5 computes the mean square in float32, which makes the product with `x` float32 as well: the cast is written out."""

    def __init__(self, dims: int):
        super().__init__()
        self.weight = mx.ones((dims,))

    def __call__(self, x: mx.array):
        variance = mx.mean(x.astype(mx.float32) ** 2, axis=-1, keepdims=True)
        x = x * mx.rsqrt(variance + 1e-6)
        return self.weight * x


def statistics_in_float32(x: mx.array):
    """The same without a weight."""
    return x * mx.rsqrt(mx.mean(mx.square(x.astype(mx.float32)), axis=-1, keepdims=True) + 1e-6)


def weight_first(x: mx.array, weight: mx.array):
    """The weight meets the root before `x` does."""
    return weight * mx.rsqrt(mx.mean(x * x, axis=-1, keepdims=True) + 1e-5) * x


@mx.compile
def compiled(x: mx.array, scale: mx.array):
    """What works element by element is fused with what surrounds it already."""
    wide = x.astype(mx.float32)
    wide = wide * mx.rsqrt(mx.mean(mx.square(wide), axis=-1, keepdims=True) + 1e-6)
    return (wide * (1.0 + scale.astype(mx.float32))).astype(x.dtype)
