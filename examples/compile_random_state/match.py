"""Compiled functions that draw the same numbers in each call."""

from functools import partial

import mlx.core as mx


@mx.compile
def sample(logits, temperature):
    """A sampler."""
    return mx.random.categorical(logits / temperature)


@partial(mx.compile, shapeless=True)
def noisy(x):
    """Noise of the shape of the data."""
    return x + 0.1 * mx.random.normal(x.shape)


@partial(mx.compile, inputs=mx.random.state)
def dropped(x):
    """The state comes in and not out."""
    return mx.where(mx.random.bernoulli(0.9, x.shape), x, 0)


def _gumbel(logits):
    """Draws for another function."""
    return logits + mx.random.gumbel(logits.shape)


@mx.compile
def perturbed(logits):
    """A helper draws."""
    return mx.argmax(_gumbel(logits), axis=-1)


def training(model, optimizer, loss_and_grad):
    """The state of model and optimizer is listed alone."""
    state = [model.state, optimizer.state]

    @partial(mx.compile, inputs=state, outputs=state)
    def step(x):
        noise = mx.random.normal(x.shape)
        loss, gradients = loss_and_grad(model, x + noise, noise)
        optimizer.update(model, gradients)
        return loss

    return step


def by_name(x):
    """The call of `mx.compile` compiles a function with a name."""

    def jitter(x):
        return x * mx.random.uniform(0.9, 1.1, x.shape)

    fast = mx.compile(jitter)
    return fast(x), fast(x)


@partial(mx.compile, inputs=mx.random.state, outputs=mx.random.state)
def likely(logprobs: mx.array, top_k: int):
    """A trace that fails, of a function that draws nothing."""
    if not 0 < top_k < logprobs.shape[-1]:
        raise ValueError(f"not so many tokens: {top_k}")
    rest = mx.argpartition(-logprobs, kth=top_k - 1, axis=-1)[..., top_k:]
    return mx.put_along_axis(logprobs, rest, mx.array(-float("inf"), logprobs.dtype), axis=-1)


@partial(mx.compile, inputs=mx.random.state, outputs=mx.random.state)
def sampled(logits: mx.array, temperature: float):
    """A trace that fails, of a function that draws."""
    assert temperature > 0
    return mx.random.categorical(logits / temperature)
