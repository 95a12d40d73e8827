"""Clear the buffer cache now and then where every batch has another length.

MLX keeps the buffers that it frees, to use them again for arrays of about that size. Where each step brings arrays of a new length the
old buffers do not fit, and memory grows with the number of lengths that have come up, up to the limit of the cache.

Inference is no different. `mx.clear_cache()` every few hundred steps frees what nothing holds; it costs the allocations of the next step. `mx.set_cache_limit`
bounds the cache for good. Batches that are padded to a multiple of 32 or 64 need neither, and are compiled less often, too.
"""

import mlx.core as mx

group = "memory"
guide = "Memory use: the buffer cache"
gain = "memory alone: what the cache holds at most, against what one step needs; no time (every backend, not measured)"


def _batches(texts, size):
    for start in range(0, len(texts), size):
        batch = texts[start : start + size]
        tokens = mx.zeros((size, max(len(t) for t in batch)), mx.int32)
        for n, text in enumerate(batch):
            tokens[n, : len(text)] = mx.array(text)
        yield tokens


def before(model, optimizer, loss_and_grad, texts):
    for tokens in _batches(texts, 4):
        loss, gradients = loss_and_grad(model, tokens)
        optimizer.update(model, gradients)
        mx.eval(model.parameters(), optimizer.state, loss)


def after(model, optimizer, loss_and_grad, texts):
    for step, tokens in enumerate(_batches(texts, 4)):
        loss, gradients = loss_and_grad(model, tokens)
        optimizer.update(model, gradients)
        mx.eval(model.parameters(), optimizer.state, loss)
        if step % 200 == 0:
            mx.clear_cache()
