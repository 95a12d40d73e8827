"""Compiled functions that know all they need, and evaluations outside."""

import mlx.core as mx
import numpy as np


@mx.compile
def scaled(x):
    """A shape is known."""
    return x * float(x.shape[-1]) ** -0.5


@mx.compile
def chosen(x, limit):
    """The device chooses."""
    largest = mx.max(mx.abs(x))
    return mx.where(largest < limit, x, x / largest)


def outside(x):
    """The caller evaluates."""

    @mx.compile
    def doubled(x):
        return x * 2

    y = doubled(x)
    mx.eval(y)
    return y.item()


@mx.compile
def with_a_table(x):
    """NumPy computes with NumPy alone."""
    table = np.arange(4).tolist()
    return x * mx.array(table)


@mx.compile
def by_length(x):
    """A shape may be asked for."""
    if x.shape[0] > 4 and x.ndim == 2:
        return x * 2
    return x


@mx.compile
def iterated(x):
    """Iterating needs no data."""
    total = mx.zeros_like(x[0])
    for row in x:
        total = total + row
    return total
