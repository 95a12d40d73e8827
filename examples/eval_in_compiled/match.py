"""Compiled functions that ask for data."""

from functools import partial

import mlx.core as mx
import mlx.nn as nn
import numpy as np


@mx.compile
def clipped(x):
    """A number is read."""
    largest = mx.max(mx.abs(x)).item()
    return x / largest


@mx.compile
def forced(x, w):
    """What is computed so far is evaluated."""
    y = x @ w
    mx.eval(y)
    return nn.gelu(y)


@partial(mx.compile, shapeless=True)
def counted(mask):
    """`int` reads as well."""
    count = int(mx.sum(mask))
    return mask / count


@mx.compile
def with_numpy(x):
    """NumPy needs the data."""
    table = np.array(mx.softmax(x, axis=-1))
    return mx.array(np.cumsum(table, axis=-1))


def training(model, optimizer, loss_and_grad):
    """The step evaluates itself."""
    state = [model.state, optimizer.state]

    @partial(mx.compile, inputs=state, outputs=state)
    def step(x, y):
        loss, gradients = loss_and_grad(model, x, y)
        optimizer.update(model, gradients)
        mx.eval(state)
        return loss

    return step


@mx.compile
def listed(x):
    """A list of numbers is made."""
    widths = x.tolist()
    return mx.array(widths) * 2
