"""Arrays of one number that must stay what they are."""

import mlx.core as mx
import mlx.nn as nn
import numpy as np


def whole_number(x: mx.array):
    """A whole number promotes no floating point array, so that nothing is gained."""
    return x * mx.array(2)


def explicit_dtype(x: mx.array):
    """The dtype was meant."""
    return x * mx.array(2.0, dtype=mx.float32)


def own_dtype(x: mx.array):
    """This is right already, and a number would be slower at one token."""
    return x * mx.array(2.0, x.dtype)


def cast(x: mx.array):
    """So is this."""
    return x * mx.array(2.0).astype(x.dtype)


def one_element(x: mx.array):
    """A list makes an axis."""
    return x * mx.array([2.0])


def float32_anyway(x: mx.array):
    """The array beside it is float32, which a number would not change."""
    return x.astype(mx.float32) * mx.array(2.0)


def no_array(x: float):
    """With two numbers no array would come out."""
    return mx.array(2.0) * x


def numpy_array(n: int):
    """NumPy's arrays have other rules."""
    return np.arange(n) * mx.array(2.0)


def returned(x: mx.array):
    """The number itself is returned as an array."""
    scale = mx.array(2.0)
    return x * scale, scale


def stored(x: mx.array, cache: dict):
    """Whoever finds it there may want an array."""
    scale = mx.array(2.0)
    cache["scale"] = scale
    return x * scale


def compared(x: mx.array):
    """A comparison has no dtype to keep, and its boundary would move."""
    return x > mx.array(0.5)


def too_small(x: mx.array):
    """In float16 this is zero."""
    return x + mx.array(1e-8)


def too_large(scores: mx.array, mask: mx.array):
    """In float16 this is an infinity."""
    return mx.where(mask, scores, mx.array(-1e9))


def put(x: mx.array, indices: mx.array):
    """`mx.put_along_axis` takes no number."""
    return mx.put_along_axis(x, indices, mx.array(0.0), axis=-1)


class Learned(nn.Module):
    """An array in an attribute of a module is a parameter: it may be trained, or loaded."""

    def __init__(self):
        super().__init__()
        self.scale = mx.array(1.0)

    def __call__(self, x: mx.array):
        return x * self.scale


@mx.compile
def scaled(x: mx.array, scale: mx.array):
    """The helper of the next function."""
    return x * scale


def varying(x: mx.array):
    """Each new number would compile the function again."""
    return scaled(x, mx.array(0.5))


def item(x: mx.array):
    """Methods of arrays are none of numbers."""
    scale = mx.array(0.5)
    return x * scale.item()


def powers(x: mx.array):
    """Broadcasting needs an array."""
    return x + mx.broadcast_to(mx.array(1.0), (4, 1))


def in_place(x: mx.array):
    """Other names of the caller's array would keep the other dtype."""
    x *= mx.array(2.0)
    return x


def float32_all_the_same(x: mx.array):
    """The list makes it float32 anyway: narrowing the sum would lose digits for nothing."""
    shifted = x + mx.array(0.5)
    return shifted * mx.array([2.0])


def half_of_a_chain(x):
    """Without a proof that `x` is an array the last number must stay, so the first two do."""
    y = mx.array(0.5) - x - mx.array(2.0)
    y *= mx.array(3.0)
    return y, x


def root_of_an_array(x: mx.array):
    """What is divided by is an array of its own dtype."""
    return x / mx.sqrt(mx.array(4.0, dtype=x.dtype))


def root_of_something(x: mx.array, n):
    """A caller may pass an array."""
    return x / mx.sqrt(n) + mx.array([1.0])


def root_that_is_returned(x: mx.array):
    """The caller sees an array."""
    scale = mx.sqrt(2)
    return x / scale, scale


def root_that_is_cast(x: mx.array):
    """It has the dtype of `x` already."""
    return x / mx.sqrt(2).astype(x.dtype)


def most_likely(logits: mx.array, k: int):
    """What is ranked before is a handful of numbers that goes to a sampler."""
    least = mx.sort(logits, axis=-1)[..., -k:][..., :1]
    return mx.where(logits < least, mx.array(float("-inf")), logits)


def nucleus(logits: mx.array, p: float):
    """What is summed up step by step needs its digits."""
    probabilities = mx.softmax(logits * mx.array(0.5), axis=-1)
    return mx.where(mx.cumsum(probabilities, axis=-1) > p, 0.0, probabilities)


def twice_under_one_condition(scores: mx.array, mask=None):
    """What half precision does not hold has made the scores float32 wherever there is a mask."""
    if mask is not None:
        scores = mx.where(mask, scores, mx.array(-1e9))
    weights = mx.softmax(scores, axis=-1)
    if mask is not None:
        weights = mx.where(mask, weights, mx.array(0.0))
    return weights


def gelu(x: mx.array):
    """All of it is an activation of `mlx.nn`, which keeps half precision."""
    return 0.5 * x * (1 + mx.tanh(mx.sqrt(2 / mx.pi) * (x + 0.044715 * x**3)))


class RelativeAttention(nn.Module):
    """The shift joins zeros of float32 to the scores as well, so that they are float32 in any case."""

    def shifted(self, x: mx.array):
        if x.shape[-1] == 1:
            return x
        return mx.concatenate([mx.zeros((*x.shape[:-1], 1)), x], axis=-1)[..., 1:]

    def __call__(self, q: mx.array, k: mx.array, p: mx.array, mask: mx.array):
        scores = q @ k.swapaxes(-1, -2) + self.shifted(q @ p)
        return mx.where(mask, scores, mx.array(float("-inf")))


class TimedBlock(nn.Module):
    """What it is given is float32 by the positions of the time, which nobody casts back."""

    def __init__(self, dims: int):
        super().__init__()
        self.proj = nn.Linear(dims, dims)

    def __call__(self, x: mx.array, mask: mx.array):
        return mx.where(mask, self.proj(x), mx.array(0.0))


class Timed(nn.Module):
    """Here is where the time comes in; the number is a whole one."""

    def __init__(self, dims: int):
        super().__init__()
        self.embed, self.block = nn.Linear(dims, dims), TimedBlock(dims)

    def __call__(self, x: mx.array, time: mx.array, mask: mx.array, is_timed: bool):
        if is_timed:
            x = x + self.embed(mx.sin(time[:, None] * mx.arange(x.shape[-1]).astype(mx.float32)))
        return self.block(x, mask) * mx.array(2)


class Masked(nn.Module):
    """Every call in the file leaves the mask out."""

    def __call__(self, scores: mx.array, mask=None):
        if mask is not None:
            scores = mx.where(mask, scores, mx.array(float("-inf")))
        return mx.softmax(scores, axis=-1)


class NeverMasked(nn.Module):
    """Here is the call; the number is a whole one."""

    def __init__(self):
        super().__init__()
        self.masked = Masked()

    def __call__(self, scores: mx.array):
        return self.masked(scores) * mx.array(2)


def added_up_by_a_layer_function(scores: mx.array, mask: mx.array):
    """The softmax of `mlx.nn` cannot be told to add up in float32."""
    return nn.softmax(mx.where(mask, scores, mx.array(float("-inf"))), axis=-1)


def softmax_of(scores: mx.array):
    """A helper, which others call, too; the number is a whole one."""
    return mx.softmax(scores * mx.array(2), axis=-1)


def added_up_elsewhere(scores: mx.array, mask: mx.array):
    """The softmax is told nothing here, for it is written elsewhere."""
    return softmax_of(mx.where(mask, scores, mx.array(float("-inf"))))


def added_up_behind_a_comment(scores: mx.array, mask: mx.array):
    """Where the comment ends the call cannot be told more."""
    scores = mx.where(mask, scores, mx.array(float("-inf")))
    return mx.softmax(
        scores,
        axis=-1,  # over the keys
    )


def evaluated_in_rounds(x: mx.array, k: mx.array, v: mx.array):
    """All that the attention takes is there already, and the number alone is nothing to wait for."""
    mx.eval(x, k, v)
    scale = 1 / mx.sqrt(64)
    parts = []
    for i in range(0, x.shape[2], 8):
        parts.append(mx.fast.scaled_dot_product_attention(x[:, :, i : i + 8], k, v, scale=scale))
    return mx.concatenate(parts, axis=2)


def on_a_stream(scores: mx.array, mask: mx.array, stream):
    """The call takes more than the softmax is known by."""
    return mx.softmax(mx.where(mask, scores, mx.array(float("-inf"))), axis=-1, stream=stream)
