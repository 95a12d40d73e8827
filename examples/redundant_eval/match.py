"""Evaluations directly before the next statement makes them anyway. Each goes."""

import mlx.core as mx
import numpy as np


def next_tokens(step, token: mx.array, count: int):
    """A loop that reads each token as soon as it is there."""
    tokens = []
    for _ in range(count):
        token = mx.argmax(step(token), axis=-1)
        mx.eval(token)
        tokens.append(int(token.item()))
    return tokens


def first_of_many(step, token: mx.array, end: int):
    """One element is read: that is an operation, an evaluation and a wait of its own."""
    while True:
        token = mx.argmax(step(token), axis=-1)
        mx.eval(token)
        if int(token[0, 0]) == end:
            return token


def best(scales, loss: mx.array, best_error: float):
    """The search compares each loss with the best so far."""
    for scale in scales:
        error = mx.mean(mx.square(scale * loss))
        mx.eval(error)
        if error.item() < best_error:
            best_error = error.item()
    return best_error


def finite(model, batches):
    """A check of what a model answers."""
    for x in batches:
        y = model(x)
        # No row may be lost.
        mx.eval(y)
        is_finite = bool(mx.all(mx.isfinite(y)))
        if not is_finite:
            return x
    return None


def pictures(images: mx.array):
    """NumPy asks for the values."""
    found = []
    for image in images:
        image = (mx.clip(image, 0, 1) * 255).astype(mx.uint8)
        mx.eval(image)
        found.append(np.array(image[0]).tobytes())
    return found


def rows(batches):
    """The inner loop runs over a list."""
    chosen = []
    for batch in batches:
        scores = mx.softmax(batch, axis=-1)
        mx.eval(scores)
        for row, score in enumerate(scores.tolist()):
            chosen.append((row, score))
    return chosen


class Batch:
    """The array is an attribute."""

    def __init__(self, tokens: mx.array):
        self.tokens = tokens
        self.sent = 0

    def __call__(self):
        sent = []
        while self.sent < 3:
            self.sent += 1
            mx.eval(self.tokens)
            sent.append((self.tokens.tolist(), self.sent))
        return sent


def from_a_codec(decode, frames):
    """Nothing shows that the codec answers one array."""
    found = []
    for codes in frames:
        pcm = decode(codes)
        mx.eval(pcm)
        found.append(np.asarray(pcm).tobytes())
    return found


def _first(token: mx.array):
    """The function is called in a loop."""
    mx.eval(token)
    return int(token[0, 0])


def until_the_end(step, token: mx.array, end: int, stream):
    """The array is made on a stream of its own."""
    tokens = []
    while _first(token) != end:
        with mx.stream(stream):
            token = mx.argmax(step(token), axis=-1, keepdims=True)
        mx.eval(token)
        tokens.append(token[0, 0].item())
    return tokens
