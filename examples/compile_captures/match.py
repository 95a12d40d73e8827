"""Compiled functions with state that they do not list."""

from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


def model_alone(model, batches, loss_fn):
    """The optimizer has a state, too."""
    optimizer = optim.SGD(learning_rate=0.1)
    loss_and_grad = nn.value_and_grad(model, loss_fn)

    @partial(mx.compile, inputs=model.state, outputs=model.state)
    def step(x, y):
        loss, gradients = loss_and_grad(model, x, y)
        optimizer.update(model, gradients)
        return loss

    for x, y in batches:
        step(x, y)
        mx.eval(model.state)


def nothing(model, optimizer, loss_and_grad, batches):
    """Nothing is listed."""

    @mx.compile
    def step(x, y):
        loss, gradients = loss_and_grad(model, x, y)
        optimizer.update(model, gradients)
        return loss

    for x, y in batches:
        step(x, y)


def inputs_alone(model, optimizer, loss_and_grad, batches):
    """What is changed must come out as well."""
    state = [model.state, optimizer.state]

    @partial(mx.compile, inputs=state)
    def step(x, y):
        loss, gradients = loss_and_grad(model, x, y)
        optimizer.update(model, gradients)
        return loss

    for x, y in batches:
        mx.eval(step(x, y))


def assigned_later(x, steps):
    """The name gets another value in each round."""
    decay = mx.array(1.0)

    @mx.compile
    def decayed(x):
        return x * decay

    for _ in range(steps):
        decay = decay * 0.99
        x = decayed(x)
    return x


def counted(x, steps):
    """A dictionary is filled while the function is traced."""
    totals = {"sum": mx.array(0.0)}

    @mx.compile
    def add(x):
        totals["sum"] = totals["sum"] + mx.sum(x)
        return x * 2

    for _ in range(steps):
        x = add(x)
    return x, totals["sum"]


class Trainer:
    """The objects are attributes."""

    def __init__(self, model, optimizer, loss_and_grad):
        self.model = model
        self.optimizer = optimizer
        self.loss_and_grad = loss_and_grad

    def run(self, batches):
        """Weights are listed, and the optimizer is not."""

        @partial(mx.compile, inputs=self.model.state, outputs=self.model.state)
        def step(x, y):
            loss, gradients = self.loss_and_grad(self.model, x, y)
            self.optimizer.update(self.model, gradients)
            return loss

        for x, y in batches:
            step(x, y)


class Averaged:
    """What is changed is an attribute of an object that is no module."""

    def __init__(self):
        self.mean = mx.array(0.0)

    def run(self, batches):
        """A mean that is carried along."""

        @mx.compile
        def step(x):
            self.mean = 0.9 * self.mean + 0.1 * mx.mean(x)
            return x - self.mean

        return [step(x) for x in batches]


def buffered(x, steps):
    """An array is written into."""
    seen = mx.zeros(4)

    @mx.compile
    def note(x):
        seen[0] = seen[0] + mx.sum(x)
        return x * 2

    for _ in range(steps):
        x = note(x)
    return x, seen


def rebound_inside(x, steps):
    """The function gives a name of the scope around another array."""
    total = mx.array(0.0)

    @mx.compile
    def summed(x):
        nonlocal total
        total = total + mx.sum(x)
        return x * 2

    for _ in range(steps):
        x = summed(x)
    return x, total


bias = mx.zeros(1)
scales = mx.ones(4)


@mx.compile
def shifted(x):
    """Another function gives the module's array another value."""
    return x + bias


def _raise_bias():
    """What the compiled function does not see."""
    global bias
    bias = bias + 1


@mx.compile
def scaled(x):
    """Another function writes into the module's array."""
    return x * scales


def _double_first():
    """What the compiled function does not see."""
    scales[0] = scales[0] * 2


def _pieces(x, y, size):
    """Pieces of the data, of which the last may be shorter."""
    for start in range(0, len(x), size):
        yield x[start : start + size], y[start : start + size]


def short_batch(model, loss_and_grad, x, y):
    """A batch of another size is traced again, and finds a state without data."""
    optimizer = optim.Adam(learning_rate=0.1)

    @partial(mx.compile, inputs=model.state, outputs=model.state)
    def step(x, y):
        loss, gradients = loss_and_grad(model, x, y)
        optimizer.update(model, gradients)
        return loss

    for piece in _pieces(x, y, 32):
        mx.eval(step(*piece), model.state)


def by_keywords(model, loss_and_grad):
    """An update may name what it is given."""
    optimizer = optim.Adam(learning_rate=0.1)

    @partial(mx.compile, inputs=model.state, outputs=model.state)
    def step(x, y):
        loss, gradients = loss_and_grad(model, x, y)
        optimizer.update(model=model, gradients=gradients)
        return loss

    return step
