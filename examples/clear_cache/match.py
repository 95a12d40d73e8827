"""Loops that run a model on batches of ever other lengths."""

import mlx.core as mx
import numpy as np


def _padded(texts, size):
    """Pad each batch to its longest text."""
    for start in range(0, len(texts), size):
        batch = texts[start : start + size]
        lengths = [len(t) for t in batch]
        array = np.zeros((size, max(lengths)), np.int32)
        for n, text in enumerate(batch):
            array[n, : lengths[n]] = text
        yield mx.array(array)


def _cut(texts, size, limit):
    """Pad to the longest, up to a limit."""
    for start in range(0, len(texts), size):
        batch = texts[start : start + size]
        longest = min(max(len(t) for t in batch), limit)
        array = mx.zeros((size, longest), mx.int32)
        for n, text in enumerate(batch):
            array[n, : len(text)] = mx.array(text[:longest])
        yield array[:, :-1], array[:, 1:]


def train(model, optimizer, loss_and_grad, texts):
    """A batch a step."""
    for tokens in _padded(texts, 4):
        loss, gradients = loss_and_grad(model, tokens)
        optimizer.update(model, gradients)
        mx.eval(model.parameters(), optimizer.state, loss)


def train_counted(model, optimizer, loss_and_grad, texts, steps):
    """Steps are counted beside the batches."""
    for step, (inputs, targets) in zip(range(steps), _cut(texts, 4, 2048)):
        loss, gradients = loss_and_grad(model, inputs, targets)
        optimizer.update(model, gradients)
        mx.eval(model.state, optimizer.state)
        if step % 100 == 0:
            print(loss.item())


def train_epochs(model, optimizer, loss_and_grad, texts, epochs):
    """The loop is inside another."""
    for _ in range(epochs):
        for tokens in _padded(texts, 8):
            loss, gradients = loss_and_grad(model, tokens)
            optimizer.update(model, gradients)
            mx.eval(model.parameters(), optimizer.state)
    return loss


class Trainer:
    """The optimizer is an attribute."""

    def __init__(self, model, optimizer, loss_and_grad):
        self.model = model
        self.optimizer = optimizer
        self.loss_and_grad = loss_and_grad

    def run(self, texts):
        """Batches are numbered."""
        for _, tokens in enumerate(_padded(texts, 4)):
            _, gradients = self.loss_and_grad(self.model, tokens)
            self.optimizer.update(self.model, gradients)
            mx.eval(self.model.parameters(), self.optimizer.state)


def train_in_parts(model, optimizer, loss_and_grad, texts, parts):
    """Gradients are kept for some steps."""
    kept = None
    for step, (inputs, targets) in enumerate(_cut(texts, 2, 4096)):
        _, gradients = loss_and_grad(model, inputs, targets)
        kept = gradients if kept is None else kept
        if step % parts == 0:
            optimizer.update(model, kept)
            mx.eval(model.parameters(), optimizer.state)
            kept = None


def scored(model, texts):
    """Nothing is trained, and the freed buffers are kept all the same."""
    scores = []
    for tokens in _padded(texts, 4):
        score = mx.mean(model(tokens), axis=-1)
        mx.eval(score)
        scores.append(score)
    return scores
