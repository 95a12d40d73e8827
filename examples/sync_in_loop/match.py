"""Loops that read numbers which only the code after them needs."""

from functools import partial

import mlx.core as mx
import mlx.nn as nn
import numpy as np


def mean_loss(model, batches):
    """The sum of the losses is all that is wanted."""
    total, count = 0.0, 0
    for x, y in batches:
        loss = nn.losses.cross_entropy(model(x), y, reduction="sum")
        total += loss.item()
        count += y.size
    return total / count


def weighted_by_tokens(model, loss, batches):
    """Two numbers a batch, one of them appended to a list."""
    losses, tokens = [], 0
    for batch in batches:
        value, n = loss(model, *batch)
        losses.append((value * n).item())
        tokens += n.item()
    return np.sum(losses) / tokens


def accuracy(model, batches):
    """`float` waits as well as `.item()`."""
    correct = 0.0
    for x, y in batches:
        correct = correct + float(mx.sum(mx.argmax(model(x), axis=-1) == y))
    return correct


class Evaluator:
    """Sums kept in attributes, over a compiled step."""

    def __init__(self, model):
        self.model = model
        self.total = 0.0

    def run(self, batches):
        """The step is compiled once."""

        @partial(mx.compile, inputs=self.model.state)
        def step(x, y):
            return mx.mean(mx.square(self.model(x) - y))

        for x, y in batches:
            self.total += step(x, y).item()
        return self.total


def embeddings(model, texts):
    """Each array goes to the host by itself."""
    rows = []
    for text in texts:
        hidden = mx.mean(model(text), axis=1)
        rows.append(np.array(hidden))
    return np.concatenate(rows)


def perplexities(model, windows):
    """A dictionary that is read when the loop is done."""
    results = {}
    for name, ids in windows:
        logits = model(ids[:, :-1])
        loss = nn.losses.cross_entropy(logits, ids[:, 1:]).mean()
        results[name] = mx.exp(loss).item()
    return results


def best_of(model, batches):
    """The larger of two is no more needed at once than a sum."""
    best = 0.0
    for x, y in batches:
        accuracy = mx.mean(mx.argmax(model(x), axis=-1) == y)
        best = max(best, accuracy.item())
    return best


def in_other_libraries(model, batches):
    """Functions of NumPy and of `math` read what they are given."""
    norms = []
    for x in batches:
        norms.append(np.linalg.norm(mx.tanh(model(x))))
    return norms


def lengths(masks):
    """Each element is computed and waited for."""
    return [int(mx.sum(mask).item()) for mask in masks]


def sampled(model, x: mx.array, steps: int):
    """The schedule is read number by number."""
    times = mx.linspace(1, 0, steps + 1)
    for i in range(steps):
        x = x + model(x, times[i]) * (float(times[i + 1]) - float(times[i]))
    return x


def embedded(labels: mx.array, tables: mx.array, kinds: int):
    """The test spares less than it costs."""
    out = mx.zeros((16, 64))
    for kind in range(kinds):
        mask = labels == kind
        if mx.any(mask):
            out = out + mask[..., None] * tables[kind]
    return out


def scored(model, y, limit: int):
    """A token is read often, and its score need not be."""
    total = 0.0
    for _ in range(limit):
        logits = model(y)
        y = mx.argmax(logits, axis=-1)
        total += mx.max(logits).item()
    return y, total


def tracked(layers, batches):
    """A loop in a loop: the number is read for each layer of each batch."""
    norms = []
    for x in batches:
        for layer in layers:
            x = layer(x)
            norms.append(mx.linalg.norm(x).item())
    return norms


def labelled(model, images):
    """An index into a tuple must be a number."""
    names, labels = ("cat", "dog", "bird"), []
    for image in images:
        best = mx.argmax(model(image))
        labels.append(names[best])
    return labels


def stacked(model, images):
    """NumPy reads what a list holds."""
    rows = []
    for image in images:
        hidden = model(image)
        rows.append(np.stack([mx.mean(hidden), mx.max(hidden)]))
    return rows


def written_out(model, images):
    """A text waits for what it shows."""
    lines = []
    for image in images:
        lines.append("%.3f" % mx.max(model(image)))
    return lines


def sizes(grids: mx.array):
    """The rows of one array are read one by one."""
    total = 0
    for grid in grids:
        total += mx.prod(grid).item()
    return total


def sum_over_processes(model, loss_fn, batches, size):
    """What is evaluated in the round is summed over processes afterwards, and waited for once more."""
    total, tokens = 0.0, 0
    for x, y in batches:
        loss, n = loss_fn(model, x, y)
        mx.eval(loss, n)
        loss = mx.distributed.all_sum(loss).item() / size
        n = mx.distributed.all_sum(n).item()
        tokens += n
        total += loss * n
    return total / tokens


def chosen(drafts: mx.array, answers: mx.array, lengths):
    """Slices of what the function was given are put together, and nothing is computed."""
    rows = []
    for n, length in enumerate(lengths):
        row = mx.concatenate([drafts[n : n + 1, :length], answers[n : n + 1, length:]], axis=1)
        rows.append(row.reshape(-1).tolist())
    return rows


def prepared_meanwhile(model, loss, windows):
    """While the number is waited for, nobody makes the next batch."""

    def batches():
        for window in windows:
            yield mx.array(window[:-1]), mx.array(window[1:])

    total = 0.0
    for x, y in batches():
        total += loss(model, x, y).item()
    return total


def lengths_of_rows(masks: mx.array):
    """The rows of one array: one operation computes all the numbers."""
    return [mx.sum(row).item() for row in masks]


def lengths_of_parts(lengths: mx.array, counts: list):
    """Parts of several lengths: there is no axis to add up over, and Python does it with a list."""
    totals, start = [], 0
    for count in counts:
        totals.append(int(lengths[start : start + count].sum().item()))
        start += count
    return totals
