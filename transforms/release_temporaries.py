"""Delete the gradients before the evaluation that no longer needs their name.

`mx.eval` computes gradients and new parameters together, and frees each array as soon as nothing needs it. A name that still holds the
tree of gradients keeps all of them in memory until the evaluation is over, and in a loop until the next gradients are there.

The values are the same; only memory is saved, and most where the optimizer keeps little state of its own. A step function whose names
are gone when it returns does the same, if the evaluation comes after it. Gradients that are evaluated, logged, accumulated or kept
elsewhere stay.
"""

import mlx.core as mx
import mlx.nn as nn

group = "memory"
guide = "Memory use: release temporaries"
gain = "peak memory 0.70 with SGD and 0.87 to 0.98 with AdamW, in the same time (NVIDIA H200; 0.64 and 0.80 on a CPU)"
applicability = "safe, unsafe"
numerics = {"before": "exact"}


def before(model, optimizer, loss_fn, batches):
    loss_and_grad = nn.value_and_grad(model, loss_fn)
    for x, y in batches:
        loss, grads = loss_and_grad(model, x, y)
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state, loss)
    return loss


def after(model, optimizer, loss_fn, batches):
    loss_and_grad = nn.value_and_grad(model, loss_fn)
    for x, y in batches:
        loss, grads = loss_and_grad(model, x, y)
        optimizer.update(model, grads)
        del grads
        mx.eval(model.parameters(), optimizer.state, loss)
    return loss
