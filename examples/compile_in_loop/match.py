"""Functions that are compiled again and again."""

from functools import partial

import mlx.core as mx
import mlx.nn as nn


def each_input(f, inputs):
    """A call in the loop."""
    return [mx.compile(f)(x) for x in inputs]


def each_round(model, inputs):
    """A function that is defined in the loop."""
    outputs = []
    for x in inputs:

        @mx.compile
        def forward(x):
            return nn.gelu(model(x))

        outputs.append(forward(x))
    return outputs


def train_epoch(model, optimizer, loss_and_grad, batches):
    """`train` calls this once an epoch."""
    state = [model.state, optimizer.state]

    @partial(mx.compile, inputs=state, outputs=state)
    def step(x, y):
        loss, gradients = loss_and_grad(model, x, y)
        optimizer.update(model, gradients)
        return loss

    for x, y in batches:
        step(x, y)
        mx.eval(state)


def _train(model, optimizer, loss_and_grad, batches, epochs):
    """The loop over epochs."""
    for _ in range(epochs):
        train_epoch(model, optimizer, loss_and_grad, batches)
        accuracy(model, batches)


def accuracy(model, batches):
    """`_train` calls this once an epoch, too."""
    correct = mx.compile(_correct)
    total = 0
    for x, y in batches:
        total = total + correct(model(x), y)
    return total.item()


def _correct(logits, y):
    """The number of right answers."""
    return mx.sum(mx.argmax(logits, axis=-1) == y)


class Activation(nn.Module):
    """Compiled in each forward pass."""

    def __call__(self, x):
        return mx.compile(nn.gelu)(x)


class Block(nn.Module):
    """A local function is compiled in each forward pass."""

    def __init__(self, dims):
        super().__init__()
        self.linear = nn.Linear(dims, dims)

    def __call__(self, x):
        @mx.compile
        def activate(x):
            return x * mx.sigmoid(x) * 2

        return self.linear(activate(x))
