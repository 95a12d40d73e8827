"""Streams that are entered and left within one step."""

import time
from contextlib import contextmanager
from types import SimpleNamespace

import mlx.core as mx


def tokens(model, y, stream):
    """The block ends before the `yield`."""
    while True:
        with mx.stream(stream):
            y = mx.argmax(model(y), axis=-1)
            mx.async_eval(y)
        yield y


def sum_over_processes(x):
    """Collectives run on the CPU."""
    with mx.stream(mx.cpu):
        return mx.distributed.all_sum(x)


def factors(x):
    """Linear algebra runs on the CPU."""
    with mx.stream(mx.cpu):
        q, r = mx.linalg.qr(x)
        mx.eval(q, r)
    return q, r


def prefilled(model, tokens, cache, stream):
    """Only the prompt is computed inside."""
    with mx.stream(stream):
        model(tokens, cache=cache)
        mx.eval([c.state for c in cache])
    yield from cache


def inner_generator(model, stream):
    """The function inside yields when the block is over."""
    with mx.stream(stream):

        def steps(y):
            while True:
                y = model(y)
                yield y

        return steps


@contextmanager
def on_the_cpu():
    """The block is lent to the caller on purpose."""
    with mx.stream(mx.cpu):
        yield


def texts(model, y, tokenizer, stream, limit: int):
    """Nobody computes on a device with texts and numbers."""

    def result(text: str):
        return SimpleNamespace(text=text, tokens=count, rate=count / max(time.perf_counter() - start, 1e-9))

    start = time.perf_counter()
    count = 0
    with mx.stream(stream):
        for n in range(limit):
            y = mx.argmax(model(y), axis=-1)
            count += 1
            token = y.item()
            yield token, tokenizer.decode([token])
            yield result(f"{n} of {limit}")
