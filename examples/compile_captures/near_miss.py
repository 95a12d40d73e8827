"""Compiled functions that list their state, or have none."""

from functools import partial

import mlx.core as mx


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
