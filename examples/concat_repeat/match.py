"""Arrays concatenated with themselves along an axis of length one, or stacked. Each is `mx.repeat`, which copies nothing."""

import mlx.core as mx
import mlx.nn as nn


class Attention(nn.Module):
    """Llama repeats its key and value heads, in a function of its own that is mapped over both."""

    def __init__(self, n_heads: int, n_kv_heads: int):
        super().__init__()
        self.n_heads = n_heads
        self.repeats = n_heads // n_kv_heads

    def __call__(self, keys, values):
        def repeat(a):
            a = mx.concatenate([mx.expand_dims(a, 2)] * self.repeats, axis=2)
            return a.reshape([a.shape[0], self.n_heads, a.shape[3], -1])

        return list(map(repeat, (keys, values)))


def shared_heads(a: mx.array, shared: int, heads: int):
    """PLaMo repeats the whole group of heads, over three lines."""
    a = mx.concatenate(
        [mx.expand_dims(a, 1)] * shared, axis=1
    )
    return a.reshape([a.shape[0], heads, a.shape[3], -1])


def grouped_queries(keys: mx.array, n_heads: int, n_kv_heads: int):
    """The number of copies is computed on the spot."""
    return mx.concatenate([mx.expand_dims(keys, 2)] * (n_heads // n_kv_heads), axis=2)


def batch_of_one_prompt(prompt: mx.array, images: mx.array):
    """Without an axis the concatenation is along the first."""
    return mx.concatenate([mx.expand_dims(prompt, 0)] * images.shape[0])


def two_new_axes(bias: mx.array, heads: int):
    """One of two axes that are made at once."""
    return mx.concatenate([mx.expand_dims(bias, (0, 1))] * heads, axis=1)


def number_first(latents: mx.array, samples: int):
    """The number stands before the list, and the axis has no name."""
    batch = mx.concatenate(samples * [mx.expand_dims(latents, axis=0)], 0)
    return batch * 0.5


def gray_to_colors(image: mx.array):
    """The last axis, by the short name of the function."""
    return mx.concat([mx.expand_dims(image, -1)] * 3, axis=-1)


def any_axis(a: mx.array, n: int, axis: int):
    """Nobody knows the axis, but it is the same one."""
    return mx.concatenate([mx.expand_dims(a, axis)] * n, axis=axis)


def shared_positions(x: mx.array, heads: int, dims: int):
    """DeepSeek keeps one head for the positions, which all heads share: the reshape shows that there is one."""
    batch, length, _ = x.shape
    k_pe = x.reshape(batch, length, 1, dims).transpose(0, 2, 1, 3)
    return mx.concatenate([k_pe] * heads, axis=1)


def padded_with_the_last(frames: mx.array, missing: int):
    """A slice keeps its axis."""
    return mx.concatenate([frames, mx.concatenate([frames[:, -1:]] * missing, axis=1)], axis=1)


def means_of_rows(x: mx.array):
    """The mean keeps the axis that it is taken over, and stands there once for each column."""
    mean = mx.mean(x, axis=-1, keepdims=True)
    return x - mx.concatenate([mean for _ in range(x.shape[-1])], axis=-1)


def rgb(image: mx.array):
    """The three parts are written out."""
    gray = image[:, :, None]
    return mx.concatenate([gray, gray, gray], axis=2)


def both_eyes(image: mx.array):
    """Two parts, along an axis that the reshape shows to be one long."""
    view = image.reshape(1, -1)
    return mx.concatenate([view, view])


def three_channels(gray: mx.array):
    """Stacking makes the axis."""
    return mx.stack([gray, gray, gray], axis=-1)


def one_for_each_sample(latents: mx.array, samples: int):
    """The list is repeated, and stacking makes the axis in front."""
    return mx.stack([latents] * samples)
