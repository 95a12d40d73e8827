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


def some_rows_of_more(x: mx.array):
    """Four rows are counted, and the array has eight."""
    y, values = mx.zeros((8, 5)), x.reshape(4, 5)
    y[mx.arange(4)[:, None], mx.argsort(values, axis=-1)] = values
    return y


def some_groups_of_more(x: mx.array):
    """Two batches are counted, and the array has four."""
    y, best = mx.zeros((4, 3, 8, 6)), mx.argmax(x.reshape(2, 3, 8), axis=-1, keepdims=True)
    y[mx.arange(2)[:, None, None], mx.arange(3)[:, None], best] = 1.0
    return y


def groups_in_one_batch():
    """The indices of four batches store into the same one."""
    y, best = mx.zeros((1, 3, 8, 6)), mx.zeros((4, 3, 2), dtype=mx.int32)
    y[mx.arange(1)[:, None, None], mx.arange(3)[:, None], best] = 1.0
    return y


def batches_in_one_group():
    """The indices of four groups store into the same one."""
    y, best = mx.zeros((2, 1, 8, 6)), mx.zeros((2, 4, 2), dtype=mx.int32)
    y[mx.arange(2)[:, None, None], mx.arange(1)[:, None], best] = 1.0
    return y


def groups_alike(x: mx.array):
    """The indices of one batch are those of all."""
    y, best = mx.zeros((4, 3, 8, 6)), mx.argmax(x.reshape(3, 8), axis=-1, keepdims=True)
    y[mx.arange(4)[:, None, None], mx.arange(3)[:, None], best] = 1.0
    return y


def groups_get_arrays(x: mx.array, values: mx.array):
    """What is stored is an array, which another axis would have to be given."""
    y, best = mx.zeros((4, 3, 8, 6)), mx.argmax(x.reshape(4, 3, 8), axis=-1, keepdims=True)
    y[mx.arange(4)[:, None, None], mx.arange(3)[:, None], best] = mx.exp(values)
    return y
