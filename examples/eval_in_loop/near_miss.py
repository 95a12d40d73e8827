"""Loops whose evaluations are right."""

import time

import mlx.core as mx
import mlx.nn as nn


def training(model, optimizer, step, batches):
    """One evaluation a training step."""
    for x, y in batches:
        loss = step(x, y)
        mx.eval(model.parameters(), optimizer.state)
    return loss


def denoising(model, x, steps):
    """A step is as large as the model."""
    for t in range(steps):
        x = x - model(x, t) * 0.1
        mx.eval(x)
    return x


def prefill(model, tokens, cache, size):
    """The evaluation bounds the memory of a long prompt."""
    while tokens.size > size:
        model(tokens[:size][None], cache=cache)
        mx.eval([c.state for c in cache])
        tokens = tokens[size:]
        mx.clear_cache()
    return tokens


def benchmark(x, rounds):
    """The clock is read afterwards."""
    start = time.perf_counter()
    for _ in range(rounds):
        x = mx.tanh(x)
        mx.eval(x)
    return time.perf_counter() - start


def apart(images):
    """No round needs what another computed, and all of them together would not fit."""
    small = []
    for image in images:
        y = mx.mean(image, axis=0)
        mx.eval(y)
        small.append(y)
    return small


def until_small(x, limit):
    """The number is needed, and read from what was evaluated."""
    while True:
        x = x * 0.5
        norm = mx.max(x)
        mx.eval(norm)
        if norm.item() < limit:
            return x


def layer_by_layer(layers, x):
    """The weights of each layer are freed."""
    for layer in layers:
        x = x * layer.pop("weight")
        mx.eval(x)
        mx.clear_cache()
    return x


class Encoder(nn.Module):
    """Each layer works on the whole input, and the evaluations bound the memory."""

    def __init__(self, layers):
        super().__init__()
        self.layers = layers

    def __call__(self, x, mask=None):
        for layer in self.layers:
            x = layer(x, mask)
            mx.eval(x)
        return x


def read_by_the_host(model, sampler, codes, steps):
    """The round waits in any case, for the number that it keeps."""
    found = []
    for _ in range(steps):
        code = sampler(model(codes))
        found.append(code.item())
        codes = mx.concatenate([codes, code], axis=1)
        mx.eval(codes)
    return found


def asked_now_and_then(model, y, end, limit):
    """Few rounds read the samples, which `mx.async_eval` has started by then."""
    finished = y == end
    for n in range(limit):
        if n % 16 == 15 and mx.all(finished).item():
            break
        y = mx.argmax(model(mx.where(finished, end, y)), axis=-1)
        finished = finished | (y == end)
        mx.eval(y, finished)
    return y


def until_all_are_done(x, limit):
    """The condition of the loop reads what was evaluated."""
    while mx.all(x > limit).item():
        x = x * 0.5
        mx.eval(x)
    return x
