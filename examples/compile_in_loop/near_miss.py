"""Functions that are compiled once, or kept."""

from functools import lru_cache, partial

import mlx.core as mx
import mlx.nn as nn


@mx.compile
def activate(x):
    """Compiled with the module."""
    return x * mx.sigmoid(x)


def make_step(model, optimizer, loss_and_grad):
    """The compiled step is returned."""
    state = [model.state, optimizer.state]

    @partial(mx.compile, inputs=state, outputs=state)
    def step(x, y):
        loss, gradients = loss_and_grad(model, x, y)
        optimizer.update(model, gradients)
        return loss

    return step


def main(model, optimizer, loss_and_grad, batches, epochs):
    """Compiled once, before the loop."""
    state = [model.state, optimizer.state]

    @partial(mx.compile, inputs=state, outputs=state)
    def step(x, y):
        loss, gradients = loss_and_grad(model, x, y)
        optimizer.update(model, gradients)
        return loss

    for _ in range(epochs):
        for x, y in batches:
            step(x, y)
            mx.eval(state)


@lru_cache
def activation(limit):
    """Kept for each limit."""

    @mx.compile
    def clipped(x):
        return mx.clip(x, -limit, limit)

    return clipped(mx.zeros(1))


def use(values):
    """The function around is remembered."""
    return [activation(v) for v in values]


class Layer(nn.Module):
    """The attribute keeps what is compiled."""

    def __init__(self):
        super().__init__()
        self.activate = mx.compile(nn.gelu)

    def __call__(self, x):
        return self.activate(x)


def compile_all(layers):
    """Each function is compiled once."""
    for layer in layers:
        layer.activate = mx.compile(layer.activate)
