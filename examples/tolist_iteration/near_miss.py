"""Loops that read elements and must stay as they are."""

import mlx.core as mx
import numpy as np


def list_of_arrays(steps: list):
    """A Python list of arrays has no `tolist`."""
    losses = [mx.mean(step) for step in steps]
    return [loss.item() for loss in losses]


def generator(prompt: mx.array, model):
    """Tokens come out of a generator one at a time."""

    def steps(y):
        while True:
            y = model(y)
            yield y

    for token in steps(prompt):
        if token.item() == 2:
            return token


def rows(matrix: mx.array):
    """The loop variable is a row, from which one element is read."""
    best = []
    for row in matrix.reshape(4, -1):
        best.append(row[0].item())
    return best


def stays_an_array(values: mx.array, half: mx.array):
    """The element also takes part in arithmetic, with the dtype of an array."""
    out = []
    for v in values.flatten():
        out.append((v.item(), half * v))
    return out


def changed_in_the_loop(values: mx.array):
    """The array changes while the loop reads it by index."""
    values = values.flatten()
    for i in range(1, len(values)):
        values[i] = values[i] + values[i - 1].item()
    return values


def pairs(weights: dict):
    """The values of a dictionary may be anything that has `item`."""
    return {name: value.item() for name, value in weights.items()}


def in_numpy(values):
    """NumPy arrays do not wait for a device."""
    return [v.item() for v in np.asarray(values).flatten()]


def already_a_list(values: mx.array):
    """Somebody has asked for everything at once."""
    return [float(v) for v in values.flatten().tolist()]


def seen_by_locals(values: mx.array, report):
    """Whoever gets the local names gets the element."""
    for v in values.flatten():
        report(v.item(), locals())


def lazily(values: mx.array):
    """No element is read: the loop builds a graph."""
    total = mx.array(0.0)
    for v in values.flatten():
        total = total + mx.abs(v)
    return total


def one_scalar(loss: mx.array, steps: int):
    """The same scalar is read again and again, and there is no array to ask at once."""
    history = []
    for _ in range(steps):
        loss = loss * 0.5
        history.append(loss.item())
    return history


def rows_and_elements(table: mx.array):
    """The same array is read by one index and by two."""
    out = []
    for i in range(len(table)):
        out.append(table[i, 0].item() + int(table[i]))
    return out


def a_list_of_its_own(rows: mx.array, times: int):
    """Each call of `tolist` makes another list, which its reader may change."""
    out = []
    for row in rows:
        for _ in range(times):
            out.append(row.tolist())
    return out


def few_of_a_row(logits: mx.array):
    """Three elements are read, of as many as there are tokens."""
    return [logits[0, i].item() for i in range(3)]


def from_the_round_before(grids: mx.array):
    """What is read may be from the round before, or from before the loop."""
    h, w = mx.zeros((2,)), 1
    areas = []
    for i in range(len(grids)):
        areas.append(h.sum().item() * w)
        h, w = grids[i]
    return areas


def asked_in_the_loop(ids: mx.array, crops: mx.array = None):
    """There is nothing to make a list of where no crops are given: the loop asks first."""
    out = []
    for i in range(ids.shape[0]):
        if crops is not None and i < crops.shape[0]:
            out.append(int(crops[i, 0].item()))
    return out


def read_under_another_name(ids: mx.array, crops: mx.array = None):
    """That there are crops is asked before the loop, and the answer is used in it."""
    has_crops = crops is not None
    out = []
    for i in range(ids.shape[0]):
        if has_crops:
            out.append(crops[i].item())
    return out


def of_either_form(ids: mx.array, sizes: mx.array):
    """The loop asks how many axes there are before it reads an element by two."""
    out = []
    for i in range(ids.shape[0]):
        if sizes.ndim == 2:
            out.append(sizes[i, 0].item())
    return out


def one_of_a_batch(tokens: mx.array, patches: mx.array, offsets: dict):
    """A step has few sequences, often one, and a round waits for another number in any case."""
    out = []
    for b in range(tokens.shape[0]):
        patch = patches[b, 0].item()
        if patch >= 0:
            out.append(patch + offsets["image"][b].item())
    return out


class Unused:
    """Nothing in this file runs the method, and others have no business to."""

    def _listed(self, scores: mx.array):
        found = []
        for score in scores.flatten():
            found.append(score.item())
        return found


def sequences(batch: mx.array, mask: mx.array, found: list):
    """A batch may be of one sequence, and the round waits for its mask as well."""
    for i, row in enumerate(batch):
        keep = mx.greater(mask[i], 0).tolist()
        found.append([token for token, kept in zip(row.tolist(), keep) if kept])
    return found
