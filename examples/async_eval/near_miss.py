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


def interleaved(model, y, limit, switch, end):
    """The number decides which head the next step uses."""
    speaks = False
    out = []
    for _ in range(limit):
        logits = model.audio(y) if speaks else model.text(y)
        y = mx.argmax(logits, axis=-1)
        token = y.item()
        if token == switch:
            speaks = not speaks
        if token == end:
            break
        out.append(token)
    return out


def told_by_the_array(model, y, limit, empty):
    """The test of an array decides what goes into the next step."""
    for _ in range(limit):
        text = mx.argmax(model(y), axis=-1)
        needs_speech = text[0] == empty
        if needs_speech:
            speech = model.speech(text)
        else:
            speech = model.silence
        y = mx.concatenate([text, speech], axis=-1)
        mx.eval(y)
    return y


def penalized(model, sampler, y, limit, end):
    """What has been generated goes into the next sample as Python numbers."""
    seen = []
    for _ in range(limit):
        y = sampler(model(y), seen)
        token = y.item()
        if token == end:
            break
        seen.append(token)
    return seen


class Steps:
    """What computes the next step waits for a part of it, so that nothing can be queued behind it."""

    def __init__(self, layers, head):
        self.layers, self.head = layers, head

    def __call__(self, x):
        for n, layer in enumerate(self.layers):
            x = layer(x)
            if n % 4 == 0:
                mx.eval(x)
        return self.head(x)

    def generate(self, y, end, limit):
        """Each token is read."""
        for _ in range(limit):
            y = mx.argmax(self(y), axis=-1)
            if y.item() == end:
                break
        return y


class Penalized:
    """The sampler makes a NumPy array of all tokens so far."""

    def __init__(self, model):
        self.model = model

    def _draw(self, logits, tokens: mx.array):
        return mx.argmax(logits + self._penalty(tokens), axis=-1)

    def _penalty(self, tokens):
        return mx.array(np.bincount(np.array(tokens), minlength=8) * -0.5)

    def generate(self, y, end, limit):
        """Each token is read."""
        found = []
        for _ in range(limit):
            y = self._draw(self.model(y), mx.stack(found))
            found.append(y)
            if y.item() == end:
                break
        return found


def stop_flag(model, decoder, stop, hidden, limit):
    """The number that is read does not come of what is sampled."""
    frames = []
    for _ in range(limit):
        frame = decoder.sample(hidden)
        frames.append(frame)
        if mx.argmax(stop(hidden), axis=-1).item() == 1:
            break
        hidden = model(frame)
    return frames


def evaluated_afterwards(model, y, steps):
    """What follows the loop evaluates the last sample, and all before it."""
    for _ in range(steps):
        y = mx.argmax(model(y), axis=-1)
        mx.eval(y)
    mx.eval(y)
    return y


def forced(model, tokens: list, prompt: int):
    """The first rounds do not sample: what they go on with is there before."""
    for n in range(len(tokens) - 1):
        logits = model(mx.array([[tokens[n]]]))
        if n >= prompt:
            tokens[n + 1] = int(mx.argmax(logits[:, -1]))
    return tokens
