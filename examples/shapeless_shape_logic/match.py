"""Functions compiled for all shapes that keep one."""

from functools import partial

import mlx.core as mx


@partial(mx.compile, shapeless=True)
def average(x):
    """A sum over a length."""
    return mx.sum(x, axis=1) / x.shape[1]


@partial(mx.compile, shapeless=True)
def flattened(x):
    """A product of lengths."""
    b, t, d = x.shape
    return x.reshape(b * t, d)


@partial(mx.compile, shapeless=True)
def split_heads(x, scale):
    """Lengths in a reshape."""
    return (x * scale).reshape(x.shape[0], x.shape[1], 8, -1)


@partial(mx.compile, shapeless=True)
def padded(x):
    """A condition on a length."""
    if x.shape[0] > 16:
        return x * 2
    return x


def by_call(inputs):
    """The call of `mx.compile` says so."""

    def weighted(x, w):
        return x * w * x.shape[0]

    fast = mx.compile(weighted, shapeless=True)
    return [fast(x, x) for x in inputs]


@partial(mx.compile, shapeless=True)
def positions(x):
    """As many positions as the first call had."""
    return x + mx.arange(x.shape[1])[:, None]
