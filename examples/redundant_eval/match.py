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


def first_of_many(logits: mx.array, end: int):
    """One element is read: that is an operation, an evaluation and a wait of its own."""
    token = mx.argmax(logits, axis=-1)
    mx.eval(token)
    if int(token[0, 0]) == end:
        return None
    return token


def best(scale, loss: mx.array, best_error: float):
    """The search compares a loss with the best so far."""
    loss = mx.mean(mx.square(scale * loss))
    mx.eval(loss)
    if loss.item() < best_error:
        best_error = loss.item()
    return best_error


def finite(model, x):
    """A check of what a model answers."""
    y = model(x)
    # No row may be lost.
    mx.eval(y)
    assert_finite = bool(mx.all(mx.isfinite(y)))
    return assert_finite


def picture(image: mx.array):
    """NumPy asks for the values."""
    image = (mx.clip(image, 0, 1) * 255).astype(mx.uint8)
    mx.eval(image)
    return np.array(image[0]).tobytes()


def rows(scores: mx.array):
    """The loop runs over a list."""
    chosen = []
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
        self.sent += 1
        mx.eval(self.tokens)
        return self.tokens.tolist(), self.sent


def from_a_codec(decode, codes):
    """Nothing shows that the codec answers one array."""
    pcm = decode(codes)
    mx.eval(pcm)
    return np.asarray(pcm).tobytes()
