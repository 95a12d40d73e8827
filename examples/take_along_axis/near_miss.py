"""Subscripts with counted rows, and others that look like them, which are another gather."""

import mlx.core as mx
import numpy as np


def some_rows(x: mx.array, i: mx.array, n: int):
    """Counts to a number that need not be the length of the axis."""
    return x[mx.arange(n), i]


def all_but_the_first(x: mx.array):
    """The first row is left out."""
    rows, _ = x.shape
    return x[mx.arange(1, rows), mx.argmax(x[1:], axis=-1)]


def every_other_row(x: mx.array, i: mx.array):
    """Rows are skipped."""
    rows, _ = x.shape
    return x[mx.arange(0, rows, 2), i]


def rows_of_another_array(x: mx.array, y: mx.array, i: mx.array):
    """Counts the rows of `y`."""
    return x[mx.arange(y.shape[0]), i]


def first_row(x: mx.array, i: mx.array):
    """A count of one is broadcast: every index reads row zero."""
    return x[mx.arange(1), i]


def columns_for_rows(x: mx.array, i: mx.array):
    """Counts the columns where the rows are."""
    return x[mx.arange(x.shape[1]), i]


def pooled_by_clip(tokens: mx.array, hidden: mx.array):
    """Picks a vector for each sequence, from an array with three axes."""
    B, L, D = hidden.shape
    end = mx.argmax(tokens, axis=-1)
    return hidden[mx.arange(hidden.shape[0]), end]


def pooled_where_the_text_ends(tokens: mx.array, hidden: mx.array):
    """Nothing shows how many axes there are; the place of a token is not one in the rows that are picked from."""
    end = mx.argmax(tokens, axis=-1)
    return hidden[mx.arange(len(hidden)), end]


def index_with_two_axes(x: mx.array, i: mx.array):
    """The index has two axes, and the rows are counted along the second."""
    n, _ = x.shape
    return x[mx.arange(n), i.reshape(-1, n).astype(mx.int32)]


def sorted_rows(scores: mx.array):
    """All elements of each row, in another order: on some devices the function is slower there."""
    batch, _ = scores.shape
    return scores[mx.arange(batch)[:, None], mx.argsort(scores, axis=-1)]


def columns_of_one_order(scores: mx.array):
    """The same columns of every row, in the order of the first one."""
    first = mx.argsort(scores[0], axis=-1)
    return scores[..., first]


def all_rows(x: mx.array, i: mx.array):
    """A slice takes every row with every index, as `mx.take` does."""
    return x[:, i.astype(mx.int32)]


def rows_in_full(x: mx.array):
    """The second subscript is a slice."""
    return x[mx.arange(x.shape[0]), 1:3]


def one_column(x: mx.array):
    """The second subscript is a number."""
    n, _ = x.shape
    return x[mx.arange(n), 0]


def written(x: mx.array, i: mx.array):
    """The elements are written, not read."""
    n, _ = x.shape
    x[mx.arange(n), i.reshape(n).astype(mx.int32)] = 0
    return x


def added_in_place(x: mx.array, i: mx.array):
    """A gradient of the cross entropy: `at` is no gather."""
    n, _ = x.shape
    return x.at[mx.arange(n), i.reshape(n).astype(mx.int32)].add(-1)


def rows_of_a_list(table: list, i: mx.array):
    """A Python list of arrays has no rows to gather from."""
    rows = [mx.exp(row) for row in table]
    return [rows[k][i[k]] for k in range(len(rows))]


def index_is_a_list(x: mx.array, labels: list):
    """The function takes no Python list for an index."""
    n, _ = x.shape
    return x[mx.arange(n), labels]


def index_is_listed_here(x: mx.array, text: str):
    """A list that the function makes is no array either, whatever happens to it later."""
    n, _ = x.shape
    labels = [int(c) for c in text]
    labels.reverse()
    return x[mx.arange(n), labels]


def index_is_listed_elsewhere(x: mx.array, i):
    """A list again, of Python numbers."""
    n, _ = x.shape
    i = i.tolist()
    return x[mx.arange(n), i]


def index_is_what_is_left(x: mx.array, *i: int):
    """All further arguments are a tuple."""
    n, _ = x.shape
    return x[mx.arange(n), i]


def in_numpy(x, i):
    """The same gather in NumPy."""
    x = np.asarray(x)
    return x[np.arange(x.shape[0]), np.asarray(i)]


def whole_rows_of_groups(x: mx.array):
    """The array has four axes, so that whole rows are picked."""
    y, best = mx.exp(x.reshape(2, 3, 4, 5)), mx.zeros((2, 3), dtype=mx.int32)
    return y[mx.arange(2)[:, None], mx.arange(3), best]


def sorted_groups(x: mx.array):
    """All elements of each row are picked, which is no faster one way or the other."""
    batch, groups, _ = x.shape
    y = mx.exp(x)
    return y[mx.arange(batch)[:, None, None], mx.arange(groups)[:, None], mx.argsort(y, axis=-1)]
