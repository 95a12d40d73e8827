"""Loops whose shapes are few, or that keep little memory."""

import mlx.core as mx
import numpy as np


def _padded(texts, size):
    """Pad each batch to its longest text."""
    for start in range(0, len(texts), size):
        batch = texts[start : start + size]
        array = np.zeros((size, max(len(t) for t in batch)), np.int32)
        yield mx.array(array)


def _rounded(texts, size):
    """Pad to a multiple of 32."""
    for start in range(0, len(texts), size):
        batch = texts[start : start + size]
        longest = max(len(t) for t in batch)
        longest = 32 * ((longest + 31) // 32)
        yield mx.zeros((size, longest), mx.int32)


def _fixed(texts, size, length):
    """Every batch has the same length."""
    for start in range(0, len(texts), size):
        yield mx.zeros((size, length), mx.int32)


def _collected(texts):
    """One array for all texts, and no generator."""
    return [np.zeros((1, max(len(t) for t in texts)))]


def evaluate(model, texts):
    """Nothing is evaluated before the loop is done."""
    scores = []
    for tokens in _padded(texts, 4):
        scores.append(mx.mean(model(tokens)))
    return scores


def train_on_multiples(model, optimizer, loss_and_grad, texts):
    """A few lengths come up again and again."""
    for tokens in _rounded(texts, 4):
        _, gradients = loss_and_grad(model, tokens)
        optimizer.update(model, gradients)
        mx.eval(model.parameters(), optimizer.state)


def train_on_one_length(model, optimizer, loss_and_grad, texts):
    """One length comes up."""
    for tokens in _fixed(texts, 4, 512):
        _, gradients = loss_and_grad(model, tokens)
        optimizer.update(model, gradients)
        mx.eval(model.parameters(), optimizer.state)


def train_on_a_list(model, optimizer, loss_and_grad, texts):
    """All arrays were made together."""
    for tokens in _collected(texts):
        _, gradients = loss_and_grad(model, mx.array(tokens))
        optimizer.update(model, gradients)
        mx.eval(model.parameters(), optimizer.state)


def look(texts):
    """Batches are looked at alone."""
    for tokens in _padded(texts, 2):
        print(mx.max(tokens))
