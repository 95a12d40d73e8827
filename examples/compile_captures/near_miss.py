"""Compiled functions that list their state, or have none."""

from functools import partial

import mlx.core as mx
import mlx.nn as nn


def listed(model, optimizer, loss_and_grad, batches):
    """Both are listed both ways."""
    state = [model.state, optimizer.state, mx.random.state]

    @partial(mx.compile, inputs=state, outputs=state)
    def step(x, y):
        loss, gradients = loss_and_grad(model, x, y)
        optimizer.update(model, gradients)
        return loss

    for x, y in batches:
        step(x, y)
        mx.eval(state)


def listed_in_place(model, optimizer, loss_and_grad):
    """The lists are written where they are used."""

    @partial(mx.compile, inputs=[model.state, optimizer.state], outputs=[model.state, optimizer.state])
    def step(x, y):
        loss, gradients = loss_and_grad(model, x, y)
        optimizer.update(model, gradients)
        return loss

    return step


def made_by_a_function(model, optimizer, loss_and_grad, state_of):
    """What is listed is not seen."""
    state = state_of(model, optimizer)

    @partial(mx.compile, inputs=state_of(model, optimizer), outputs=state)
    def step(x, y):
        loss, gradients = loss_and_grad(model, x, y)
        optimizer.update(model, gradients)
        return loss

    return step


def constant(x, steps):
    """The name keeps its value."""
    decay = mx.array(0.99)

    @mx.compile
    def decayed(x):
        return x * decay

    for _ in range(steps):
        x = decayed(x)
    return x


def own_dictionary(x):
    """The dictionary is made in the call."""

    @mx.compile
    def parts(x):
        found = {}
        found["sum"] = mx.sum(x)
        return found

    return parts(x)


def inference(model, inputs):
    """Weights that do not change need not be listed."""

    @mx.compile
    def forward(x):
        return mx.softmax(model(x), axis=-1)

    return [forward(x) for x in inputs]


def handed_back(x, gradients):
    """State that is passed and returned is no captured state."""

    @mx.compile
    def update(weights, moments):
        moments = [0.9 * m + 0.1 * g for m, g in zip(moments, gradients)]
        return [w - m for w, m in zip(weights, moments)], moments

    return update(x, x)


_model = None


def _load(model):
    """What has no value before is set once, before the first call."""
    global _model
    _model = model


@mx.compile
def set_once(x):
    """A module's name that gets its one value from a function."""
    return mx.softmax(_model(x), axis=-1)


_offsets = mx.zeros(4)


@mx.compile
def of_its_own(x):
    """The name is one of its own, as that of the function which writes."""
    _offsets = mx.mean(x)
    return x - _offsets


def _write():
    """Another array of that name."""
    _offsets = mx.ones(4)
    _offsets[0] = 2
    return _offsets


class Listed(nn.Module):
    """The attributes of a module are its state."""

    def __init__(self):
        super().__init__()
        self.mean = mx.array(0.0)

    def run(self, batches):
        """All of it is listed."""

        @partial(mx.compile, inputs=[self.state], outputs=[self.state])
        def step(x):
            self.mean = 0.9 * self.mean + 0.1 * mx.mean(x)
            return x - self.mean

        return [step(x) for x in batches]
