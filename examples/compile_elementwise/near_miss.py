"""Functions that are compiled, or would gain nothing."""

from functools import partial

import mlx.core as mx
import mlx.nn as nn


@partial(mx.compile, shapeless=True)
def gelu(x: mx.array):
    """It is compiled."""
    return 0.5 * x * (1.0 + mx.tanh(0.7978845608 * (x + 0.044715 * x * x * x)))


def _halved(x: mx.array):
    """A part of a compiled function."""
    return mx.tanh(x * 0.5) * 2 + mx.exp(-x)


@mx.compile
def outer(x: mx.array):
    """The helper is compiled with it."""
    return _halved(x) + _halved(x + 1)


def trained(model, optimizer, batches):
    """A loss of a step that is compiled, through a default, a lambda and what makes gradients of it."""

    def smoothed(error: mx.array):
        return mx.where(mx.abs(error) < 1.0, 0.5 * error * error, mx.abs(error) - 0.5)

    def loss(x, y, of=smoothed):
        return of(model(x) - y).mean()

    loss_and_grad = nn.value_and_grad(model, lambda x, y: loss(x, y))
    state = [model.state, optimizer.state, mx.random.state]

    def update(x, y):
        value, gradients = loss_and_grad(x, y)
        optimizer.update(model, gradients)
        return value

    step = mx.compile(update, inputs=state, outputs=state)
    return [step(x, y) for x, y in batches]


def preference(chosen: mx.array, rejected: mx.array):
    """What is left of a sum is one number for each sequence."""

    def log_odds(logps: mx.array):
        return logps - mx.log1p(-mx.exp(mx.minimum(logps, -1e-6)))

    return log_odds(chosen.sum(-1)) - log_odds(rejected.sum(-1))


def scaled(x: mx.array):
    """Two operations."""
    return x * 2 + 1


def projected(x: mx.array, w: mx.array):
    """A product is no operation on elements."""
    return mx.tanh(x @ w) * 0.5 + mx.sigmoid(x @ w) * 2


def schedule(step, warmup):
    """Numbers of Python."""
    return mx.minimum(step / warmup, 1.0) * (1 - step / 100) + 0.1 * mx.maximum(step, 1)


def warmed(x: mx.array, temperature: float):
    """A number that may change would be compiled again and again."""
    return mx.tanh(x / temperature) * temperature + mx.exp(x * 0.1)


def normalized(x: mx.array):
    """A mean reads the whole row."""
    return (x - mx.mean(x, axis=-1, keepdims=True)) * 2 + mx.tanh(x) * mx.exp(x)


def denoised(sample: mx.array, velocity: mx.array, sigma: float | mx.array):
    """A number in place of the array would be compiled anew for each value."""
    return (sample.astype(mx.float32) - velocity.astype(mx.float32) * sigma).astype(sample.dtype)


class Filters:
    """The bins of a filter are a table, which is made once."""

    def _mel(self, freq: mx.array):
        return 1127.0 * mx.log(1.0 + freq / 700.0)

    def banks(self, bins: int, width: float):
        return self._mel(width * mx.arange(bins)).reshape(1, -1)


class Stepper:
    """A schedule has one number a step."""

    def __init__(self, sigmas: mx.array):
        self.sigmas = sigmas

    def _scaled(self, sigma: mx.array):
        return sigma * (mx.exp(sigma**0.3) + 10.0) / 2.0

    def step(self, i: int, x: mx.array):
        return x * self._scaled(self.sigmas[i + 1])


def entropy(rate: mx.array):
    """A number for each channel, and one number."""
    p = mx.clip(rate, 1e-7, 1 - 1e-7)
    return -(p * mx.log2(p) + (1 - p) * mx.log2(1 - p))


class _Rates(nn.Module):
    """Running means of activity."""

    def __init__(self, channels):
        super().__init__()
        self.out_rate = mx.full((channels,), 0.1)
        self.in_rate = mx.array(0.1)

    def __call__(self, x):
        self.in_rate = mx.stop_gradient(0.9 * self.in_rate + 0.1 * mx.mean(x))
        self.out_rate = mx.stop_gradient(0.9 * self.out_rate + 0.1 * mx.mean(x, axis=(0, 1)))
        return x

    def capacity(self):
        return mx.sum(entropy(mx.clip(self.out_rate, 0.01, 0.99))) - entropy(self.in_rate)
