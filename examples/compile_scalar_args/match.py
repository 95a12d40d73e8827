"""Compiled functions that take numbers which change."""

import math
from functools import partial

import mlx.core as mx


@partial(mx.compile, inputs=mx.random.state, outputs=mx.random.state)
def keep_likely(logprobs: mx.array, min_p: float) -> mx.array:
    """Each request brings a threshold of its own."""
    top = mx.max(logprobs, axis=-1, keepdims=True)
    return mx.where(logprobs < top + math.log(min_p), -float("inf"), logprobs)


def _sampler(min_p: float):
    """A sampler for one request."""
    return lambda logprobs: keep_likely(logprobs, min_p)


@mx.compile
def warm(logits, temperature: float):
    """A temperature that is lowered step by step."""
    return mx.softmax(logits / temperature, axis=-1)


def _cooled(logits, steps):
    """Calls with another number in each round."""
    temperature = 1.0
    for _ in range(steps):
        logits = warm(logits, temperature)
        temperature = temperature * 0.9
    return logits


@mx.compile
def corrected(m, v, step: int):
    """The number of the step."""
    return m / (1 - 0.9**step) / (mx.sqrt(v / (1 - 0.999**step)) + 1e-8)


def _steps(m, v, count):
    """A loop over steps."""
    for step in range(1, count):
        m = corrected(m, v, step)
    return m


@mx.compile
def moved(x, noise, sigma: float, next_sigma: float):
    """Two numbers of a schedule."""
    return x + noise * (next_sigma - sigma)


def _denoised(model, x, sigmas):
    """A step for each pair."""
    for sigma, next_sigma in zip(sigmas, sigmas[1:]):
        x = moved(x, model(x), sigma, next_sigma)
    return x


def compiled_by_name(x, scales):
    """The call of `mx.compile` gives it another name."""

    def scaled(x, scale: float):
        return mx.tanh(x) * scale

    fast = mx.compile(scaled)
    for scale in scales:
        x = fast(x, scale)
    return x


def read_from_an_array(x, scale):
    """The number is read from an array, which could be passed itself."""

    @mx.compile
    def normalized(x, largest):
        return x / largest + scale

    for _ in range(4):
        x = normalized(x, mx.max(x).item())
    return x


@mx.compile
def nucleus(probs, top_p: float):
    """What it meets is float32 whatever the data is."""
    if not 0 < top_p <= 1:
        raise ValueError(f"no probability: {top_p}")
    total = mx.sum(probs.astype(mx.float32), axis=-1, keepdims=True)
    return mx.where(probs < top_p * total, 0, probs)


def _requested(probs, top_p: float):
    """Each request brings its own."""
    return nucleus(probs, top_p)


@mx.compile
def drawn(probs, temperature: float, top_p: float, top_k: int):
    """What is compared alone, and what steers Python: that stays a number."""
    kept = mx.argsort(-probs, axis=-1)[..., :top_k]
    if temperature <= 0:
        return kept[..., :1]
    return mx.take_along_axis(mx.where(probs > top_p, probs, 0), kept, axis=-1)


def _served(probs, temperature: float, top_p: float, top_k: int):
    """Each request brings its own."""
    return drawn(probs, temperature, top_p, top_k)


@partial(mx.compile, inputs=mx.random.state, outputs=mx.random.state)
def excluded(logits: mx.array, probability: float, threshold: float, special: list[int]):
    """What is checked of the numbers, and a list of numbers."""
    if not 0 <= threshold <= 0.5:
        raise ValueError(f"no threshold: {threshold}")
    assert probability <= 1
    mask = mx.softmax(logits, -1) > threshold
    if special:
        mask[..., special] = False
    return mx.where(mx.random.uniform() > probability, logits, mx.where(mask, -mx.inf, logits))


def _exclude(logits, probability: float, threshold: float, special: list[int]):
    """Each request brings its own."""
    return excluded(logits, probability, threshold, special)


def _bounded(temperature: float):
    """Keeps it away from zero."""
    if 0 < temperature < 0.01:
        return 0.01
    return temperature


@mx.compile
def tempered(logits: mx.array, temperature):
    """A function inside of another one passes what that was given, within bounds."""
    return mx.random.categorical(logits / temperature, key=mx.random.key(0))


def _chain(temperature: float = 0.0):
    """A chain of functions for one request."""
    temperature = _bounded(temperature)

    def sample(logits):
        return tempered(logits, temperature)

    return sample


@mx.compile
def blended(a: mx.array, b: mx.array, share: float):
    """A call makes the number of what callers choose, and only those who choose it come here."""
    return a + share * (b - a)


def _blend(a, b, share: float = 0.0, curve=None):
    """A share for each request."""
    if share > 0 and curve is not None:
        return blended(a, b, curve(share))
    return a
