"""A matrix product plus something. Each is one call of `mx.addmm`."""

import mlx.core as mx
import mlx.nn as nn


class Linear(nn.Module):
    """A layer written out: the bias has one axis, so that it always fits into the product."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.weight = mx.zeros((outputs, inputs))
        self.bias = mx.zeros((outputs,))

    def __call__(self, x: mx.array):
        return x @ self.weight.T + self.bias


def merged_adapter(weight: mx.array, lora_a: mx.array, lora_b: mx.array):
    """Merges a low-rank adapter into the weight that it belongs to."""
    return weight + lora_b @ lora_a


def functions_instead_of_operators(a: mx.array, b: mx.array, c: mx.array):
    """The same sum in function calls."""
    return mx.add(mx.matmul(a, b), c)


def residual(h: mx.array, x: mx.array, weight: mx.array):
    """The residual stream plus the output projection."""
    out = x @ weight.transpose()
    return h + out


def bias_by_statement(x: mx.array, w: mx.array, b: mx.array):
    """The product has a name of its own, used once."""
    y = mx.matmul(x, w)
    y = y + b
    return mx.maximum(y, 0)


def squared_distances(x: mx.array, embed: mx.array):
    """The codebook of an audio codec: the product is taken away twice."""
    norms = x.square().sum(axis=1, keepdims=True)
    return norms - 2 * x @ embed


def adapters_in_float32(y: mx.array, h: mx.array, b: mx.array):
    """What is added may be narrower than the product, as a model in half precision is than its adapters: the sum is float32 either way."""
    return y + h.astype(mx.float32) @ b.astype(mx.float32)


def scaled_update(weight: mx.array, a: mx.array, b: mx.array, scale: float):
    """A factor of the product becomes `alpha`."""
    return weight + scale * (a @ b)


def scaled_factor(weight: mx.array, a: mx.array, b: mx.array, scale: float):
    """The factor stands on one of the matrices."""
    return a @ (scale * b) + weight


def scaled_other_factor(weight: mx.array, a: mx.array, b: mx.array, scale: float):
    """The factor stands on the other."""
    return (scale * a) @ b + weight


def residual_of_a_fit(y: mx.array, x: mx.array, w: mx.array):
    """What a linear model leaves."""
    return y - x @ w


def minus_target(y: mx.array, x: mx.array, w: mx.array):
    """The same with the other sign."""
    return x @ w - y


def bias_in_place(x: mx.array, w: mx.array, b: mx.array):
    """The sum is taken in place, on an array that nobody else holds."""
    y = x @ w
    y += b
    return y


class Projection(nn.Module):
    """A bias that a layer may be built without."""

    def __init__(self, inputs: int, outputs: int, bias: bool = True):
        super().__init__()
        self.weight = mx.zeros((inputs, outputs))
        self.bias = mx.zeros((outputs,)) if bias else None

    def __call__(self, x: mx.array):
        y = x @ self.weight
        # Some checkpoints have none.
        if self.bias is not None:
            y = y + self.bias
        return y


def sum_of_three(a: mx.array, b: mx.array, c: mx.array, d: mx.array):
    """The first of two sums is taken into the product."""
    return a @ b + c + d


def step_of_an_iteration(x: mx.array):
    """The lengths are written out and all is of one dtype, so that nothing is assumed."""
    x = x.reshape(64, 64)
    return x @ x + x


def distances_to_codes(residual: mx.array, codes: mx.array):
    """The codes are cast to float32, and so is the product, whatever the other matrix is."""
    codes = codes.astype(mx.float32)
    return mx.sum(codes * codes, axis=-1) - 2 * residual @ codes.T


class NearestCode(nn.Module):
    """The row of squared codes is added with the product, the column of squared latents after it, and all shapes show: nothing is assumed."""

    def __init__(self, codes: int, dims: int):
        super().__init__()
        self.codebook = nn.Embedding(codes, dims)

    def __call__(self, z: mx.array):
        codes = self.codebook.weight
        return mx.sum(z**2, axis=-1, keepdims=True) + mx.sum(codes**2, axis=-1) - 2 * (z @ codes.T)


class Codebook(nn.Module):
    """The same where the column stands in front of the product and the row behind it."""

    def __init__(self, codes: int, dims: int):
        super().__init__()
        self.embed = mx.zeros((codes, dims))

    def __call__(self, x: mx.array):
        embed = self.embed.T
        norms = x.square().sum(axis=1, keepdims=True)
        return norms - 2 * x @ embed + embed.square().sum(axis=0, keepdims=True)


class PricedCodes(nn.Module):
    """The row may be negative, so that a sum of it and the product may overflow where the column would have brought it back."""

    def __init__(self, codes: int, dims: int):
        super().__init__()
        self.embed = mx.zeros((codes, dims))
        self.prices = mx.zeros((codes,))

    def __call__(self, x: mx.array):
        return x.square().sum(axis=-1, keepdims=True) - x @ self.embed.T + self.prices


def squared_sums(x: mx.array, codes: mx.array):
    """A row goes before a column in a sum, too."""
    codes = codes.reshape(-1, 64)
    column = mx.sum(x * x, axis=-1, keepdims=True)
    row = mx.sum(codes * codes, axis=-1)
    return x @ codes.T + column + row


def column_in_float32(residual: mx.array, codes: mx.array):
    """The column is as wide as one of the matrices, and so is the product."""
    codes = codes.reshape(-1, 64).astype(mx.float32)
    column = mx.sum(residual.astype(mx.float32) ** 2, axis=-1, keepdims=True)
    row = mx.sum(codes * codes, axis=-1)
    return column - 2 * residual @ codes.T + row


class Patches(nn.Module):
    """A layer that is made with a bias has one, whatever is asked: there is no choice to write."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.embedding = nn.Linear(inputs, outputs, bias=True)

    def __call__(self, x: mx.array):
        y = x @ self.embedding.weight.T
        if self.embedding.bias is not None:
            y = y + self.embedding.bias
        return y
