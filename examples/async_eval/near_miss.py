"""Loops that do not wait, or have nothing to queue."""

import mlx.core as mx
import numpy as np


def pipelined(model, y, end):
    """The next token is asked for before this one is read."""
    y = mx.argmax(model(y), axis=-1)
    mx.async_eval(y)
    while True:
        next_y = mx.argmax(model(y), axis=-1)
        mx.async_eval(next_y)
        token = y.item()
        if token == end:
            break
        yield token
        y = next_y


def classified(model, batches):
    """No round needs what another computed."""
    labels = []
    for x in batches:
        label = mx.argmax(model(x), axis=-1)
        labels.append(label.tolist())
    return labels


def drawn_by_numpy(model, y, limit):
    """The host draws, so that each round needs the probabilities."""
    tokens = []
    for _ in range(limit):
        y = mx.argmax(model(y), axis=-1)
        y = mx.array(np.random.choice(np.array(y)))
        tokens.append(y)
    return tokens


def lazy(model, y, limit):
    """Nothing waits inside of the loop."""
    tokens = []
    for _ in range(limit):
        y = mx.argmax(model(y), axis=-1)
        tokens.append(y)
    return mx.concatenate(tokens)


def denoised(model, x, steps):
    """A step of diffusion samples nothing and is work enough."""
    for t in range(steps):
        x = x - model(x, mx.array(t)) * 0.1
        mx.eval(x)
    return x


def speculative(draft, model, y, limit):
    """The host compares what both models say before anything else is known."""
    for _ in range(limit):
        guess = draft(y)
        fits = mx.sum(guess == y).item()
        y = mx.argmax(model(guess[:fits]), axis=-1)
        mx.eval(y)
    return y
