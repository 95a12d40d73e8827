"""Compiled functions that list the state, or need none."""

from functools import partial

import mlx.core as mx


@partial(mx.compile, inputs=mx.random.state, outputs=mx.random.state)
def sample(logits):
    """It is listed both ways."""
    return mx.random.categorical(logits)


@mx.compile
def with_a_key(logits, key):
    """The key is an argument."""
    return mx.random.categorical(logits, key=key)


@mx.compile
def plain(x):
    """Nothing is drawn."""
    return mx.tanh(x) * 2


def in_a_list(model, optimizer, loss_and_grad):
    """It is one of several."""
    state = [model.state, optimizer.state, mx.random.state]

    @partial(mx.compile, inputs=state, outputs=state)
    def step(x):
        loss, gradients = loss_and_grad(model, x + mx.random.normal(x.shape))
        optimizer.update(model, gradients)
        return loss

    return step


def listed_by_others(states, x):
    """What is listed is not seen."""

    @partial(mx.compile, inputs=states(), outputs=states())
    def noisy(x):
        return x + mx.random.normal(x.shape)

    return noisy(x)


@mx.compile
def split(key):
    """Keys are computed from keys."""
    return mx.random.split(key)


def checked(logits: mx.array, temperature: float):
    """What is refused is refused before the call."""
    if temperature <= 0:
        raise ValueError("too cold")
    return _checked(logits, temperature)


@partial(mx.compile, inputs=mx.random.state, outputs=mx.random.state)
def _checked(logits, temperature):
    """The file calls it with what it has checked."""
    assert temperature > 0
    return mx.random.categorical(logits / temperature)


@mx.compile
def refused(x: mx.array, axis: int):
    """A trace that fails changes nothing that is not listed."""
    if axis > x.ndim:
        raise ValueError("no such axis")
    return x / x.max(axis, keepdims=True)


class Sampler:
    """What an object keeps is refused in its first call, if ever."""

    def __init__(self, temperature: float):
        self.temperature = temperature

    def __call__(self, logits: mx.array):
        return warm(logits, self.temperature)


@partial(mx.compile, inputs=mx.random.state, outputs=mx.random.state)
def warm(logits: mx.array, temperature: float):
    """It draws, so that its test would have to move out of it."""
    assert temperature > 0
    return mx.random.categorical(logits / temperature)
