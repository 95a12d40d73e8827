"""Stores that look like `mx.put_along_axis`, where others hold the array, or where it is another store."""

import mlx.core as mx
import numpy as np


def in_the_callers_array(y: mx.array, i: mx.array):
    """Whoever passed the array sees the change."""
    n, _ = y.shape
    y[mx.arange(n), i.reshape(n).astype(mx.int32)] = 0


def seen_by_another_name(x: mx.array):
    """Two names hold one array, and both are read."""
    y = mx.softmax(x, axis=-1)
    before = y
    n, _ = y.shape
    y[mx.arange(n), mx.argmax(x, axis=-1)] = 0
    return before, y


def seen_on_one_path(x: mx.array, keep: bool):
    """On one path another name holds the array, too."""
    y = mx.softmax(x, axis=-1)
    shown = x
    if keep:
        shown = y
    n, _ = y.shape
    y[mx.arange(n), mx.argmax(x, axis=-1)] = 0
    return shown, y


def seen_by_or(x: mx.array, shown=None):
    """The other name holds what was passed, or else the array."""
    y = mx.softmax(x, axis=-1)
    shown = shown or y
    n, _ = y.shape
    y[mx.arange(n), mx.argmax(x, axis=-1)] = 0
    return shown, y


def kept_in_a_list(x: mx.array, history: list):
    """A list holds the array, too."""
    y = mx.softmax(x, axis=-1)
    history.append(y)
    n, _ = y.shape
    y[mx.arange(n), mx.argmax(x, axis=-1)] = 0
    return y


def read_by_a_function(x: mx.array):
    """An inner function reads the name whenever it is called."""
    y = mx.softmax(x, axis=-1)
    n, _ = y.shape

    def total():
        return y.sum()

    y[mx.arange(n), mx.argmax(x, axis=-1)] = 0
    return total


def round_after_round(x: mx.array, rounds: int):
    """The array of the round before is changed."""
    y = mx.softmax(x, axis=-1)
    n, _ = y.shape
    for _ in range(rounds):
        y[mx.arange(n), mx.argmax(y, axis=-1)] = 0
    return y


def added(x: mx.array, i: mx.array):
    """Something is added to the elements."""
    y = mx.softmax(x, axis=-1)
    n, _ = y.shape
    y[mx.arange(n), i.reshape(n).astype(mx.int32)] += 1
    return y


def some_rows(x: mx.array, i: mx.array, n: int):
    """The number of rows need not be that of the array."""
    y = mx.softmax(x, axis=-1)
    y[mx.arange(n), i] = 0
    return y


def whole_rows(x: mx.array):
    """The array has one axis more: rows are stored into."""
    batch, _, _ = x.shape
    y = mx.exp(x)
    y[mx.arange(batch), mx.zeros((batch,), dtype=mx.int32)] = 0
    return y


def all_rows(x: mx.array, i: mx.array):
    """The same columns of every row."""
    y = mx.softmax(x, axis=-1)
    y[:, i.astype(mx.int32)] = 0
    return y


def in_numpy(x, i):
    """The same store in NumPy."""
    y = np.exp(np.asarray(x))
    y[np.arange(y.shape[0]), np.asarray(i)] = 0
    return y
