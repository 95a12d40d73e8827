"""Loops with an evaluation in each round that no round needs."""

import mlx.core as mx
import mlx.nn as nn


class Decoder(nn.Module):
    """A forward pass that waits after each layer, for each token."""

    def __init__(self, layers):
        super().__init__()
        self.layers = layers

    def __call__(self, x, mask=None, cache=None):
        for layer, kept in zip(self.layers, cache or [None] * len(self.layers)):
            x = layer(x, mask, kept)
            mx.eval(x)
        return x


def recurrence(x, decay):
    """A few small operations a round."""
    h = mx.zeros_like(x[0])
    for n in range(x.shape[0]):
        h = h * decay + x[n]
        mx.eval(h)
    return h


def power_iteration(a, v, steps):
    """A product and a norm a round."""
    for _ in range(steps):
        v = a @ v
        v = v / mx.linalg.norm(v)
        mx.eval(v)
    return v


def noise_walk(x, key, steps):
    """Random numbers are queued like everything else."""
    for _ in range(steps):
        key, now = mx.random.split(key)
        x = x + 0.01 * mx.random.normal(x.shape, key=now)
        mx.eval(x)
    return x


def codebooks(model, text, codes, steps):
    """Tokens that nobody reads before the end, where they are evaluated."""
    for n in range(steps):
        logits = model(codes[:, n : n + 1], text)
        drawn = mx.random.categorical(logits)
        codes[:, n + 1 : n + 2] = drawn
        mx.eval(codes)
    codes = codes[:, 1:]
    mx.eval(codes)
    return codes
