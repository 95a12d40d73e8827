"""Concatenations of an array with itself that are no `mx.repeat`, or whose parts are not one array."""

from functools import partial

import mlx.core as mx
import numpy as np


def guidance(x_t: mx.array):
    """Stable Diffusion doubles its batch, in the order of `mx.tile`: `mx.repeat` would interleave."""
    return mx.concatenate([x_t] * 2, axis=0)


def rotary_table(freqs: mx.array):
    """The halves of a rotation are side by side, too."""
    return mx.concatenate([mx.cos(freqs)] * 2, axis=-1)


def angles(length: int, inv_freq: mx.array):
    """A new axis in front leaves the last one as long as it was."""
    freqs = mx.arange(length)[:, None] * inv_freq[None]
    return mx.concatenate([freqs, freqs], axis=-1)


def two_arrays(keys: mx.array, values: mx.array, n: int):
    """The list that is repeated holds two arrays."""
    return mx.concatenate([mx.expand_dims(keys, 1), mx.expand_dims(values, 1)] * n, axis=1)


def along_another_axis(a: mx.array, n: int):
    """The new axis is the first, and the copies are put along the next."""
    return mx.concatenate([mx.expand_dims(a, 0)] * n, axis=1)


def along_the_first(a: mx.array, n: int):
    """Without an axis the copies are put along the first, which is not the new one."""
    return mx.concatenate([mx.expand_dims(a, 1)] * n)


def last_two(frames: mx.array, n: int):
    """The axis keeps two elements."""
    return mx.concatenate([frames[:, -2:]] * n, axis=1)


@partial(mx.compile, shapeless=True)
def compiled_for_all_shapes(a: mx.array):
    """For the second shape `mx.repeat` would raise."""
    return mx.concatenate([mx.expand_dims(a, 1)] * 3, axis=1)


def flattened(a: mx.array, n: int):
    """With `axis=None` the copies are flattened."""
    return mx.concatenate([mx.expand_dims(a, 0)] * n, axis=None)


def another_sign(a: mx.array, n: int):
    """Nothing shows that 1 and -1 are the same axis."""
    return mx.concatenate([mx.expand_dims(a, 1)] * n, axis=-1)


def not_repeated(a: mx.array, b: mx.array):
    """The list is written out, and its parts differ."""
    return mx.concatenate([mx.expand_dims(a, 1), mx.expand_dims(b, 1)], axis=1)


def each_its_own(a: mx.array, n: int):
    """A comprehension makes another array each time."""
    return mx.concatenate([mx.expand_dims(a * i, 1) for i in range(n)], axis=1)


def one_more(a: mx.array, cls: mx.array, n: int):
    """Another array is put before the copies."""
    return mx.concatenate([mx.expand_dims(cls, 1)] + [mx.expand_dims(a, 1)] * n, axis=1)


def drawn_once(shape: tuple, n: int):
    """The list is repeated, and then one of its parts is replaced."""
    parts = [mx.expand_dims(mx.zeros(shape), 0)] * n
    parts[0] = mx.ones((1, *shape))
    return mx.concatenate(parts, axis=0)


def positions_of_text(length: int, offset: int):
    """Qwen stacks the positions for time, height, width and text: a few whole numbers for each prompt."""
    steps = mx.arange(offset, offset + length)
    return mx.stack([steps] * 4, axis=0)


def positions_by_name(position_ids: mx.array):
    """Only the name says what they are, and that is warning enough where so little can be gained."""
    return mx.stack([position_ids, position_ids, position_ids], axis=-1)


def in_numpy(a, n):
    """The same in NumPy."""
    return np.concatenate([np.expand_dims(a, 1)] * n, axis=1)
