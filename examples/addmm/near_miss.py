"""What looks like a product plus an array, and must stay a sum."""

import mlx.core as mx
import mlx.nn as nn
import numpy as np

LOG_GUARD = 2**-24


def plus_a_number(a: mx.array, b: mx.array):
    """The fast operation takes no Python number."""
    return a @ b + 1e-5


def plus_a_constant_of_the_module(power: mx.array, filters: mx.array):
    """A constant that is computed from numbers is one, too."""
    return mx.log(power @ filters.T + LOG_GUARD)


def plus_the_base_of_a_power(a: mx.array, b: mx.array, c: float):
    """A number to the power of an array is an array, and the number is still none."""
    return a @ b + c, mx.softmax(c**a, axis=-1)


def scaled_by_what_may_be_an_array(a: mx.array, b: mx.array, c: mx.array, scale):
    """Nothing shows that the factor is a number, and the function takes no array for one."""
    return scale * (a @ b) + c


def less_what_may_be_scaled_by_an_array(a: mx.array, b: mx.array, c: mx.array, scale):
    """The same where the product is taken away."""
    return c - scale * (a @ b)


def enlarges_the_product(x: mx.array, w: mx.array, heads: int):
    """The bias has one axis more than the product, and the sum one more than either."""
    bias = mx.zeros((heads, 1, 8))
    return x.reshape(-1, 4) @ w.reshape(4, 8) + bias


def product_is_returned(a: mx.array, b: mx.array, c: mx.array):
    """The product is needed outside, and would be computed twice."""
    product = a @ b
    return product + c, product


def bias_in_float32(x: mx.array, w: mx.array, bias: mx.array):
    """A float32 bias would have both matrices copied to float32."""
    return x.astype(mx.float16) @ w.astype(mx.float16) + bias.astype(mx.float32)


def quantized(x: mx.array, w: mx.array, scales: mx.array, biases: mx.array, c: mx.array):
    """The product is of a quantized matrix."""
    return mx.quantized_matmul(x, w, scales, biases, transpose=True) + c


def through_a_layer(x: mx.array, h: mx.array):
    """The product is inside a layer that may hold a bias of its own."""
    return h + nn.Linear(16, 16)(x)


def elementwise(a: mx.array, b: mx.array, c: mx.array):
    """An elementwise product is no matrix product."""
    return a * b + c


def scaled_and_cast(a: mx.array, b: mx.array, c: mx.array):
    """Between the product and the sum stands a cast."""
    return c + (a @ b).astype(mx.float32)


def in_place(accumulator: mx.array, a: mx.array, b: mx.array):
    """The caller's array changes; an assignment would not change it."""
    accumulator += a @ b
    return None


def in_numpy(a, b):
    """NumPy arrays have the same operators."""
    return np.asarray(a) @ np.asarray(b) + np.ones(4)


def drawn_by_numpy():
    """The reference of a test: what a generator of NumPy draws is NumPy's, and so is what is cast to a dtype of NumPy."""
    rng = np.random.default_rng(0)
    x, w, b = (rng.standard_normal(shape).astype(np.float32) for shape in ((4, 8), (16, 8), (16,)))
    y = rng.standard_normal((4, 8)) @ rng.standard_normal((8, 16)) + rng.standard_normal(16)
    return y, x.astype(np.float32) @ w.T + b


class Hessian(nn.Module):
    """The sum of products is float32, to which activations in half precision would be copied."""

    def __init__(self, module):
        super().__init__()
        self.module = module
        self.sum = mx.array(0.0)

    def __call__(self, x):
        rows = x.flatten(0, -2)
        self.sum = self.sum + rows.T @ rows
        return self.module(x)


def sum_over_batches(batches: list):
    """The same in a loop."""
    total = mx.zeros((8, 8))
    for x in batches:
        total = total + x.T @ x
    return total


def while_suspended(x: mx.array):
    """Whoever takes the first value may change `x` before the second is asked for."""
    product = x @ x.T
    yield x
    yield product + x


def sum_that_starts_as_a_number(a: mx.array, b: mx.array):
    """In the first round the sum is the number 0."""
    total = 0
    for _ in range(3):
        total = total + a @ b
    return total


def refused_numbers_of_axes(a: mx.array, b: mx.array, c: mx.array):
    """The fast operation refuses a vector beside three axes and a vector."""
    return a.reshape(2, 5, 8) @ b.reshape(8) + c.reshape(5)


def mask_of_scores(q: mx.array, k: mx.array, mask: mx.array):
    """A mask is far larger than the product, which would lose its digits in the sum."""
    return mx.softmax(q @ k.T + mask, axis=-1)


@mx.compile
def fused_with_its_neighbours(a: mx.array, b: mx.array, c: mx.array):
    """The compiled function is one kernel for the product and one for all the rest."""
    return mx.tanh(a @ b + c)


def optional_mask_of_scores(q: mx.array, k: mx.array, mask=None):
    """The same mask, where there may be none."""
    scores = q @ k.T
    if mask is not None:
        scores = scores + mask
    return mx.softmax(scores, axis=-1)


def bias_under_a_flag(x: mx.array, w: mx.array, b: mx.array, biased: bool):
    """Another condition decides: the choice would hold the condition twice."""
    y = x @ w
    if biased:
        y = y + b
    return y


def makes_a_matrix_of_a_column(x: mx.array, w: mx.array, c: mx.array):
    """The product is one column, which the sum would turn into many."""
    return x.reshape(16, 64) @ w.reshape(64, 1) + c.reshape(32)


def distances(x: mx.array, codes: mx.array):
    """The squares are cast to float32, so that `x` may be narrower, and the sum would copy both matrices to float32."""
    return mx.argmin(mx.sum(x.astype(mx.float32) ** 2, axis=1, keepdims=True) - 2 * x @ codes.T, axis=-1)


class Merged(nn.Module):
    """The sums are computed once: as the module is made, and as its weights are loaded."""

    def __init__(self, up: mx.array, down: mx.array, base: mx.array):
        super().__init__()
        self.up, self.down, self.weight = up, down, base + up @ down

    def sanitize(self, weights: dict):
        return {k: mx.array(v) + self.up @ self.down for k, v in weights.items()}


class FewComponents(nn.Module):
    """The matrix is so small that a kernel less is nothing to notice."""

    def __init__(self):
        super().__init__()
        self.mean = mx.zeros((54,))
        self.components = mx.zeros((28, 54))

    def __call__(self, coefficients: mx.array):
        return self.mean[None, :] + coefficients @ self.components


def explained_steps(q: mx.array, k: mx.array, c: mx.array):
    """Comments behind statements far above would be left without what they speak of."""
    scores = q @ k.T  # [L, S]
    scaled = 0.5 * scores  # the content of each position
    positions = mx.tanh(c)
    return scaled + positions


class Codes(nn.Module):
    """What is added first is one number of each row, which is copied to the shape of the product: not worth a longer text."""

    def __call__(self, latents: mx.array, codebook: mx.array):
        distances = (
            mx.sum(mx.square(latents), axis=1, keepdims=True)
            - 2 * latents @ codebook.T
            + mx.sum(mx.square(codebook), axis=1, keepdims=True).T
        )
        return mx.argmin(distances, axis=1)


def sum_of_heads(weights: mx.array, kv: mx.array, pooled: mx.array):
    """What is added has its axes in another order than the product, in which one matrix serves all heads of a batch."""
    return weights @ kv + pooled.transpose(0, 2, 1, 3)


def squared_error(x: mx.array, w: mx.array, target: mx.array):
    """The error of a fit as everybody writes it."""
    return mx.mean(mx.square(x @ w - target))


def many_lines_for_one_kernel(latent: mx.array, state: dict):
    """The call needs three lines in place of one, in a function that may run once."""
    decoded_from_components = (latent / state["latent_scale"]) @ state["pca_components"] + state["pca_mean"]
    return decoded_from_components


def wide_column(x: mx.array, codes: mx.array):
    """The column is float32 beside matrices in half precision: with the row the sum would be rounded before it is added."""
    x, codes = x.astype(mx.float16), codes.astype(mx.float16)
    codes = codes.reshape(48, 64)
    return mx.sum(x.astype(mx.float32) ** 2, axis=-1, keepdims=True) - 2 * x @ codes.T + mx.sum(codes**2, axis=-1)


def scaled_by_what_may_be_an_array_before_a_row(x: mx.array, codes: mx.array, scale):
    """The same where a column stands before the product and a row behind it."""
    codes = codes.reshape(48, 64)
    return mx.sum(x**2, axis=-1, keepdims=True) - scale * (x @ codes.T) + mx.sum(codes**2, axis=-1)
