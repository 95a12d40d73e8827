"""Training loops whose gradients are needed, held elsewhere, or gone already."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_flatten, tree_map


def step_function(model, optimizer, loss_fn, batches):
    """The names of the step are gone when it returns."""
    loss_and_grad = nn.value_and_grad(model, loss_fn)

    def step(x):
        loss, grads = loss_and_grad(model, x)
        optimizer.update(model, grads)
        return loss

    for x in batches:
        loss = step(x)
        mx.eval(model.parameters(), optimizer.state)
    return loss


def accumulated(model, optimizer, step, batches):
    """The next step adds to the gradients of this one."""
    grads = None
    for x in batches:
        loss, grads = step(model, x, grads)
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state)
    return loss


def evaluated(model, optimizer, loss_fn, batches):
    """The gradients are evaluated too."""
    loss_and_grad = nn.value_and_grad(model, loss_fn)
    for x in batches:
        loss, grads = loss_and_grad(model, x)
        optimizer.update(model, grads)
        mx.eval(model.parameters(), grads)
    return loss


def logged(model, optimizer, loss_fn, batches, log):
    """Their norms are written down after the evaluation."""
    loss_and_grad = nn.value_and_grad(model, loss_fn)
    for x in batches:
        loss, grads = loss_and_grad(model, x)
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state)
        log({k: mx.linalg.norm(g) for k, g in tree_flatten(grads)})
    return loss


def kept(model, optimizer, loss_fn, batches):
    """A list holds every tree."""
    loss_and_grad = nn.value_and_grad(model, loss_fn)
    history = []
    for x in batches:
        loss, grads = loss_and_grad(model, x)
        history.append(grads)
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state)
    return loss, history


def deleted(model, optimizer, loss_fn, batches):
    """The name is gone already."""
    loss_and_grad = nn.value_and_grad(model, loss_fn)
    for x in batches:
        loss, grads = loss_and_grad(model, x)
        optimizer.update(model, grads)
        del grads
        mx.eval(model.parameters(), optimizer.state)
    return loss


def sometimes(model, optimizer, loss_fn, batches):
    """Every second step uses the gradients of the one before."""
    loss_and_grad = nn.value_and_grad(model, loss_fn)
    for n, x in enumerate(batches):
        if n % 2 == 0:
            loss, grads = loss_and_grad(model, x)
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state)
    return loss


def second_name(model, optimizer, loss_fn, batches):
    """The pair holds the tree as well."""
    loss_and_grad = nn.value_and_grad(model, loss_fn)
    for x in batches:
        pair = loss_and_grad(model, x)
        loss, grads = pair
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state)
    return pair


def after_the_loop(model, optimizer, loss_fn, batches):
    """The last gradients are the result."""
    loss_and_grad = nn.value_and_grad(model, loss_fn)
    for x in batches:
        loss, grads = loss_and_grad(model, x)
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state)
    return grads


def read_by_a_closure(model, optimizer, loss_fn, batches, on_error):
    """A function that is called later reads the name."""
    loss_and_grad = nn.value_and_grad(model, loss_fn)
    on_error(lambda: tree_map(mx.max, grads))
    for x in batches:
        loss, grads = loss_and_grad(model, x)
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state)
    return loss


def handled(model, optimizer, loss_fn, x, report):
    """The handler looks at them."""
    loss_and_grad = nn.value_and_grad(model, loss_fn)
    try:
        loss, grads = loss_and_grad(model, x)
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state)
    except RuntimeError:
        report(grads)
        raise
    return loss


def handed_in(model, optimizer, grads):
    """The caller holds what it passes in."""
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state)


def no_gradients(cache, index: dict, keys):
    """Another kind of update."""
    values = cache.fetch(keys)
    index.update(zip(keys, values))
    mx.eval(values)
    return optim.Optimizer
