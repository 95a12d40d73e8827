"""Streams that reach further than they should."""

import mlx.core as mx

_stream = mx.new_stream(mx.default_device())


def tokens(model, y, stream):
    """The block is open while the token is read."""
    with mx.stream(stream):
        while True:
            y = mx.argmax(model(y), axis=-1)
            mx.async_eval(y)
            yield y


def chunks(decode, codes, size):
    """A new stream around the whole generator."""
    with mx.stream(mx.new_stream(mx.default_device())):
        for start in range(0, codes.shape[1], size):
            yield decode(codes[:, start : start + size])


def on_the_cpu(rows):
    """A device instead of a stream."""
    with mx.stream(mx.cpu):
        for row in rows:
            yield mx.linalg.norm(row)


def handed_on(model, batches, stream):
    """`yield from` is a `yield`."""
    with mx.stream(stream):
        yield from (mx.mean(model(x)) for x in batches)


class Server:
    """A stream for all instances."""

    stream = None

    def run(self, requests):
        """One request after the other."""
        with mx.stream(self.stream):
            for request in requests:
                answer = request.model(request.prompt)
                yield mx.argmax(answer, axis=-1)


def prefilled(model, prompt, y, stream):
    """The step opens a block itself, so that the outer one is needed for the prompt alone."""

    def step(y):
        with mx.stream(stream):
            y = mx.argmax(model(y), axis=-1)
            mx.async_eval(y)
            return y

    with mx.stream(stream):
        model(prompt)
        while True:
            y = step(y)
            yield y


def with_scores(model, y, stream):
    """The number is plain, the array beside it is not."""
    with mx.stream(stream):
        while True:
            logits = model(y)
            y = mx.argmax(logits, axis=-1)
            yield y.item(), logits


def asked_ahead(model, y, stream, limit):
    """The step opens a block itself, and what evaluates it stands outside of that on purpose."""

    def step(y):
        with mx.stream(stream):
            return mx.argmax(model(y), axis=-1)

    with mx.stream(stream):
        y = step(y)
        mx.async_eval(y)
        for _ in range(limit):
            next_y = step(y)
            mx.async_eval(next_y)
            yield y.item(), next_y
            y = next_y


def drafted(model, y, stream, limit):
    """What evaluates stands in another function, which opens no block."""

    def step(y):
        with mx.stream(stream):
            return mx.argmax(model(y), axis=-1)

    def draft(y):
        y = step(y)
        mx.async_eval(y)
        return y

    with mx.stream(stream):
        for _ in range(limit):
            y = step(draft(y))
            yield y
