"""Compiled functions whose numbers must be numbers, or do not change."""

from functools import partial

import mlx.core as mx


@mx.compile
def top(logits, k: int):
    """A size and the bound of a slice."""
    indices = mx.argpartition(-logits, kth=k - 1, axis=-1)[..., :k]
    return mx.take_along_axis(logits, indices, axis=-1)


def _requests(logits, k: int):
    """Each request brings its own."""
    return lambda: top(logits, k)


@partial(mx.compile, shapeless=True)
def clipped(x, gate, limit: float = 7.0):
    """A constant of the model."""
    return mx.clip(x, -limit, limit) * mx.sigmoid(gate)


def _experts(x, gate):
    """No call gives another."""
    return clipped(x, gate)


@mx.compile
def capped(x, cap: float):
    """The number belongs to the configuration."""
    return mx.tanh(x / cap) * cap


class _Head:
    """A configuration does not change."""

    def __init__(self, cap):
        self.cap = cap

    def __call__(self, x):
        return capped(x, self.cap)


@mx.compile
def scaled(x, scale: mx.array):
    """An array is no part of the program."""
    return x * scale


def _scales(x, values):
    """A new array a round."""
    for value in values:
        x = scaled(x, mx.array(value, x.dtype))
    return x


@mx.compile
def normalized(x, axis: int):
    """An axis is no array."""
    return x / mx.max(x, axis=axis, keepdims=True)


def _axes(x):
    """Three axes, three programs."""
    for axis in range(3):
        x = normalized(x, axis)
    return x


@mx.compile
def shifted(x, steps: int):
    """The number of rounds is part of the program."""
    for _ in range(steps):
        x = x + 1
    return x


def _shifts(x, counts):
    """Each count is a program of its own."""
    for count in counts:
        x = shifted(x, count)
    return x


@mx.compile
def sampled(logits, temperature: float):
    """What the function that loops was given is the same in each round, and compiled once."""
    return mx.exp(logits / temperature)


def _next(logits, temperature: float):
    """The loop gives it what it was given."""
    return sampled(logits, temperature)


def _generated(logits, steps: int, temperature: float = 1.0):
    """One temperature for all steps, directly and by a helper."""
    for _ in range(steps):
        logits = sampled(_next(logits, temperature), temperature)
    return logits


@mx.compile
def clipped_loss(ratio: mx.array, low: float, high: float):
    """The bounds come from a loss that is handed on, and called by what it is handed to."""
    return mx.clip(ratio, low, high).mean()


def _loss(ratio, low: float = 0.1, high: float = 0.2):
    """Bounds of a training run."""
    return clipped_loss(ratio, low, high)


def _train(batches, args, loss=_loss):
    """The same numbers in all rounds."""
    return [loss(batch, low=args.low, high=args.high) for batch in batches]


@mx.compile
def sharpened(x, amount: float):
    """Nobody asks for it."""
    return x * amount


def _resized(x, amount: float, sharpen: bool = False):
    """By default it is left out."""
    if sharpen:
        x = sharpened(x, amount)
    return x


def _thumbnails(images):
    """All calls leave the default as it is."""
    return [_resized(image, amount) for image, amount in images]


@mx.compile
def softened(x, amount: float):
    """Nobody comes so far."""
    return x / amount


def _blurred(x, amount: float, radius: int = 0):
    """By default it returns before."""
    if radius == 0:
        return x
    elif radius < 0:
        raise ValueError("radius")
    return softened(x, amount)


def _unsharpened(x, amount: float, radius: int = 0):
    """The other branch is taken by default."""
    if radius == 0:
        y = x
    else:
        y = softened(x, amount)
    return y


def _pictures(images):
    """All calls leave the default as it is."""
    return [_blurred(image, amount) + _unsharpened(image, amount) for image, amount in images]
