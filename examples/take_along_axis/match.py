"""One element of each row, picked with counted rows. Each is `mx.take_along_axis`."""

import mlx.core as mx


def negative_log_likelihood(logits: mx.array, targets: mx.array, classes: int):
    """The loss of a classifier: both are flattened first, which shows how many axes they have."""
    logits = logits.reshape(-1, classes)
    targets = targets.reshape(-1).astype(mx.int32)
    log_probs = logits - mx.logsumexp(logits, axis=-1, keepdims=True)
    return -mx.mean(log_probs[mx.arange(log_probs.shape[0]), targets])


def greedy(logits: mx.array):
    """Whisper reads the log-probability of each token that it chose; only the use shows that the logits are a matrix."""
    next_tokens = logits.argmax(axis=-1)
    logprobs = logits - mx.logsumexp(logits, axis=-1, keepdims=True)
    return next_tokens, logprobs[mx.arange(logprobs.shape[0]), next_tokens]


def taken_actions(q_values: mx.array, actions: mx.array):
    """The value of each action that was taken, with the row numbers in a variable."""
    batch, _ = q_values.shape
    rows = mx.arange(batch)
    actions = actions.reshape(batch).astype(mx.int32)
    return q_values[rows, actions]


def margin(scores: mx.array):
    """One array of row numbers serves two gathers."""
    batch, _ = scores.shape
    rows = mx.arange(batch)
    return scores[rows, mx.argmax(scores, axis=1)] - scores[rows, mx.argmin(scores, axis=1)]


def switch_router(x: mx.array, experts: int):
    """A router sends each token to one expert and weighs the answer."""
    gates = mx.softmax(x.reshape(-1, experts), axis=-1)
    chosen = mx.argmax(gates, axis=-1)
    picked = (mx.arange(gates.shape[0]), chosen)
    return chosen, gates[picked]


def last_token(hidden: mx.array):
    """The logits of the last position."""
    B, L, V = hidden.shape
    logits = hidden[:, -1, :]
    best = mx.argmax(logits, axis=-1)
    return logits[mx.arange(logits.shape[0]), best]


def labels_from_a_list(logits: mx.array, labels: list):
    """The labels are a Python list, whose depth nothing shows."""
    batch, _ = logits.shape
    return logits[mx.arange(batch), mx.array(labels, dtype=mx.int32)]


def second_best(logits: mx.array):
    """A column of the sorted order."""
    order = mx.argsort(logits, axis=-1)
    second = order[:, -2]
    return logits[mx.arange(logits.shape[0]), second]


def worst_of_each_column(costs: mx.array):
    """The columns are counted, and a row is picked for each."""
    costs = costs.reshape(-1, costs.shape[-1])
    return costs[mx.argmax(costs, axis=0), mx.arange(costs.shape[1])]


def sequence_log_probs(logits: mx.array, targets: mx.array):
    """A language model: one token of each position of each sequence."""
    log_probs = logits - mx.logsumexp(logits, axis=-1, keepdims=True)
    batch, length, _ = log_probs.shape
    targets = targets.reshape(batch, length).astype(mx.int32)
    return log_probs[mx.arange(batch)[:, None], mx.arange(length), targets].sum(axis=-1)


def confidence(probabilities: mx.array):
    """Rows and columns are made two axes by `None`."""
    batch, length, _ = probabilities.shape
    rows, columns = mx.arange(batch)[:, None], mx.arange(length)[None, :]
    return mx.min(probabilities[rows, columns, mx.argmax(probabilities, axis=-1)], axis=1)


def routed(x: mx.array, experts: int):
    """The gates of the chosen experts; the row numbers stand in a column of their own."""
    gates = mx.softmax(x.reshape(-1, experts), axis=-1)
    chosen = mx.argpartition(-gates, kth=1, axis=-1)[:, :2]
    rows = mx.expand_dims(mx.arange(0, len(gates)), axis=1)
    return gates[rows, chosen]


def best_of_each_position(logits: mx.array, k: int):
    """Several of each position of each sequence: rows and columns have axes of their own."""
    batch, length = logits.shape[:-1]
    top = mx.argpartition(-logits, kth=k - 1, axis=-1)[..., :k]
    rows = mx.arange(batch)[:, None, None]
    return logits[rows, mx.arange(length)[:, None], top], logits[rows, mx.arange(length).reshape(1, -1, 1), top + 0]


def top_p(logits: mx.array, p: float):
    """A sampler sorts the only row of its batch; the order of that row would be the columns of any other row, too."""
    probs = mx.softmax(logits, axis=-1)
    order = mx.argsort(probs, axis=-1)
    sorted_probs = probs[..., order.squeeze(0)]
    kept = mx.where(mx.cumsum(sorted_probs, axis=-1) > 1 - p, sorted_probs, 0)
    return order, kept


def min_p(logits: mx.array, p: float):
    """Only the order of the row has a name."""
    order = mx.argsort(-logits).squeeze(0)
    sorted_logits = logits[..., order]
    return order, mx.where(sorted_logits < sorted_logits[..., :1] + p, 0, sorted_logits)
