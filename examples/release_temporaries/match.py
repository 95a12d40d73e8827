"""Training loops in which a name keeps the gradients alive during the evaluation. Each deletes it before."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_map

_loss = lambda model, x: mx.mean(mx.square(model(x) - 1))  # noqa: E731


def loop(x: mx.array, steps: int):
    """The loop of the guide."""
    model = nn.Linear(4, 4)
    optimizer = optim.SGD(learning_rate=0.1)
    loss_and_grad = nn.value_and_grad(model, _loss)
    losses = []
    for _ in range(steps):
        loss, grads = loss_and_grad(model, x)
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state)
        losses.append(loss)
    return losses


def counted(x: mx.array, steps: int):
    """The loss comes with a count, and a comment explains the evaluation."""
    model = nn.Linear(4, 4)
    optimizer = optim.AdamW(learning_rate=0.1)
    step = nn.value_and_grad(model, lambda model, x: (_loss(model, x), x.size))
    total = 0
    for _ in range(steps):
        (loss, count), grad = step(model, x)

        # Model update
        optimizer.update(model, grad)

        # All of it is computed here.
        mx.eval(model.parameters(), optimizer.state, loss)
        total += count
    return loss, total


def clipped(x: mx.array, steps: int):
    """The clipped gradients have a name of their own, and two trees are alive."""
    model = nn.Linear(4, 4)
    optimizer = optim.SGD(learning_rate=0.1)
    loss_and_grad = nn.value_and_grad(model, _loss)
    for _ in range(steps):
        loss, grads = loss_and_grad(model, x)
        small, norm = optim.clip_grad_norm(grads, max_norm=0.1)
        optimizer.update(model, small)
        mx.eval(model.state, optimizer.state, norm)
    return loss, norm


def scaled(x: mx.array, steps: int):
    """The name is assigned again, if there is something to scale."""
    model = nn.Linear(4, 4)
    optimizer = optim.SGD(learning_rate=0.1)
    loss_and_grad = nn.value_and_grad(model, _loss)
    while steps > 0:
        steps -= 1
        loss, grads = loss_and_grad(model, x)
        if steps > 1:
            grads = tree_map(lambda g: g / 2, grads)
        model.update(optimizer.apply_gradients(grads, model))
        mx.eval(model.parameters())
    return loss


def deleted_too_late(x: mx.array, steps: int):
    """Somebody has thought of it, after the evaluation."""
    model = nn.Linear(4, 4)
    optimizer = optim.SGD(learning_rate=0.1)
    loss_and_grad = nn.value_and_grad(model, _loss)
    for _ in range(steps):
        loss, grads = loss_and_grad(model, x)
        optimizer.update(model, grads)
        mx.eval(model.parameters(), loss)
        del grads
    return loss


class Trainer:
    """The function is an attribute: nothing shows what it gives."""

    def __init__(self):
        self.model = nn.Linear(4, 4)
        self.optimizer = optim.SGD(learning_rate=0.1)
        self.loss_and_grad = nn.value_and_grad(self.model, _loss)
        self.state = [self.model.state, self.optimizer.state]

    def __call__(self, x: mx.array):
        for _ in range(3):
            loss, grads = self.loss_and_grad(self.model, x)
            self.optimizer.update(self.model, grads)
            mx.eval(self.state)
        return loss
