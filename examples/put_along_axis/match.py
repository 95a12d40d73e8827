"""Elements of each row, stored with counted rows into an array that nobody else holds. Each is `mx.put_along_axis`."""

import mlx.core as mx
import mlx.nn as nn


class Gate(nn.Module):
    """DeepSeek leaves out groups of experts: all scores of a group are set to nought."""

    def __init__(self, groups: int, kept: int, experts: int, dims: int):
        super().__init__()
        self.groups = groups
        self.kept = kept
        self.weight = mx.random.normal((experts, dims))

    def __call__(self, x):
        scores = mx.softmax(x @ self.weight.T, axis=-1, precise=True)
        if self.groups > self.kept:
            batch, length = x.shape[:2]
            scores = scores.reshape(batch, length, self.groups, -1)
            dropped = self.groups - self.kept
            group = mx.argpartition(scores.max(axis=-1), kth=dropped - 1, axis=-1)[..., :dropped]
            batches = mx.expand_dims(mx.arange(batch), (1, 2))
            positions = mx.expand_dims(mx.arange(length), (0, 2))
            scores[batches, positions, group] = 0.0
            scores = scores.reshape(batch, length, -1)
        return scores


def left_out(scores: mx.array, group: mx.array):
    """The same store, with slices that make the axes."""
    scores = mx.sigmoid(scores).reshape(2, 5, 4, 2)
    group = group.reshape(2, 5, 1).astype(mx.int32)
    scores[mx.arange(2)[:, None, None], mx.arange(5)[:, None], group] = 0
    return scores


def left_out_and_flat(scores: mx.array, group: mx.array):
    """The name holds something else after the store."""
    scores = mx.sigmoid(scores).reshape(2, 5, 4, 2)
    group = group.reshape(2, 5, 1).astype(mx.int32)
    scores[mx.arange(2)[:, None, None], mx.arange(5)[:, None], group] = 0
    scores = scores.reshape(2, 5, -1)
    return scores


def one_hot(labels: mx.array, classes: int):
    """A one in each row of an array that was just made."""
    labels = labels.reshape(-1).astype(mx.int32)
    n = labels.shape[0]
    hot = mx.zeros((n, classes))
    hot[mx.arange(n), labels] = 1
    return hot


def without_the_best(logits: mx.array):
    """The largest logit of each row is ruled out."""
    logits = mx.log(mx.softmax(logits, axis=-1))
    batch, _ = logits.shape
    best = mx.argmax(logits, axis=-1)
    logits[mx.arange(batch), best] = -float("inf")
    return logits


def top_k_only(scores: mx.array, k: int):
    """A mask that holds for some columns of each row."""
    scores = scores.reshape(-1, scores.shape[-1])
    top = mx.argpartition(-scores, kth=k - 1, axis=-1)[:, :k]
    rows = mx.arange(scores.shape[0])[:, None]
    mask = mx.zeros(scores.shape, dtype=mx.bool_)
    mask[rows, top] = True
    return mx.where(mask, scores, -1e4)


def unsorted(values: mx.array):
    """Each place is stored into once, so that the order does not matter."""
    batch, width = values.shape
    order = mx.argsort(values, axis=-1)
    ranks = mx.zeros((batch, width), dtype=mx.int32)
    ranks[mx.arange(batch)[:, None], order] = mx.arange(width)
    return ranks


def replaced(q_values: mx.array, actions: mx.array, targets: mx.array):
    """One value for each row."""
    batch, _ = q_values.shape
    updated = mx.stop_gradient(q_values)
    updated[mx.arange(batch), actions.reshape(batch).astype(mx.int32)] = targets.reshape(batch)
    return mx.mean((q_values - updated) ** 2)


def restored(values: mx.array, places: mx.array):
    """Where places come from elsewhere, one of them may occur twice."""
    batch, width = values.shape
    restored = mx.zeros((batch, width))
    restored[mx.arange(batch)[:, None], places.reshape(batch, width).astype(mx.int32)] = values
    return restored
