"""List the state that a compiled function reads and changes.

A compiled function runs its Python once, while it is traced. What it changes without listing it in `outputs` is changed then, and left
with what that one call made of it; what it reads without listing it in `inputs` is read then, and never again: later assignments, new
weights and the steps of an optimizer are not seen.

List both as they are: `state = [model.state, optimizer.state]` for a training step, `mx.random.state` where something is drawn. Weights
that no longer change need not be listed, nor need constants.
"""

from functools import partial

import mlx.core as mx

group = "compile"
guide = "Compilation: pure functions and captured state"
gain = "no time: what is not listed is computed with stale values, or cannot be evaluated (every backend)"


def before(model, optimizer, loss_and_grad, batches):
    @partial(mx.compile, inputs=model.state, outputs=model.state)
    def step(x, y):
        loss, gradients = loss_and_grad(model, x, y)
        optimizer.update(model, gradients)
        return loss

    for x, y in batches:
        step(x, y)
        mx.eval(model.state)


def after(model, optimizer, loss_and_grad, batches):
    state = [model.state, optimizer.state]

    @partial(mx.compile, inputs=state, outputs=state)
    def step(x, y):
        loss, gradients = loss_and_grad(model, x, y)
        optimizer.update(model, gradients)
        return loss

    for x, y in batches:
        step(x, y)
        mx.eval(state)
