"""Functions whose lengths are not kept, or may be."""

from functools import partial

import mlx.core as mx


@partial(mx.compile, shapeless=True)
def swish(x, gate):
    """Elements alone."""
    return x * mx.sigmoid(gate)


@partial(mx.compile, shapeless=True)
def normalized(x, eps):
    """The mean takes the length from the array."""
    return x * mx.rsqrt(mx.mean(mx.square(x), axis=-1, keepdims=True) + eps)


@partial(mx.compile, shapeless=True)
def scaled(x):
    """The features are as many in each call."""
    return x * x.shape[-1] ** -0.5


@mx.compile
def average(x):
    """Each shape is compiled by itself."""
    return mx.sum(x, axis=0) / x.shape[0]


@partial(mx.compile, shapeless=True)
def cast(x, y):
    """A dtype is no shape."""
    return x.astype(y.dtype) + y


@partial(mx.compile, shapeless=True)
def joined(x):
    """The other lengths follow from the array."""
    return mx.flatten(x, 0, 1) * 2
