"""Reads in loops that are needed there, or cost nothing more."""

import time

import mlx.core as mx
import numpy as np


def until_the_end(model, token, end):
    """The token decides whether there is another round."""
    tokens = []
    while len(tokens) < 100:
        token = mx.argmax(model(token), axis=-1)
        number = token.item()
        if number == end:
            break
        tokens.append(number)
    return tokens


def best_scale(layer, x, target):
    """The loss decides what the round keeps."""
    best, scale = float("inf"), None
    for ratio in range(20):
        loss = mx.mean(mx.square(layer(x * ratio) - target))
        value = loss.item()
        if value < best:
            best, scale = value, ratio
    return scale


def evaluated_with_the_step(model, optimizer, step, batches):
    """The training step evaluates the loss with everything else."""
    losses = []
    for x, y in batches:
        loss = step(x, y)
        mx.eval(model.parameters(), optimizer.state, loss)
        losses.append(loss.item())
    return np.mean(losses)


def now_and_then(step, batches):
    """Once in a hundred steps is cheap."""
    losses = []
    for n, (x, y) in enumerate(batches):
        loss = mx.mean(step(x, y))
        mx.async_eval(loss)
        if n % 100 == 0:
            losses.append(loss.item())
    return losses


def numbers_of_numpy(scores, tables):
    """NumPy has no device to wait for."""
    total = 0.0
    for table in tables:
        total += np.mean(np.array(scores)[table]).item()
    return mx.array(total)


def computed_before(model, x):
    """Only the first round can wait."""
    widths = mx.max(model(x), axis=0)
    total = 0
    for n in range(4):
        total += widths[n].item()
    return total


def shown(step, batches, bar):
    """Each number is shown when it is there."""
    for x, y in batches:
        loss = mx.mean(step(x, y))
        bar.set_postfix(loss=loss.item())


def streamed(step, token):
    """The reader of the generator wants the number."""
    while True:
        token = mx.argmax(step(token), axis=-1)
        yield token.item()


def timed(model, batches):
    """What is measured must be done."""
    losses, seconds = [], []
    for x, y in batches:
        start = time.perf_counter()
        loss = mx.mean((model(x) - y) ** 2)
        losses.append(loss.item())
        seconds.append(time.perf_counter() - start)
    return losses, seconds


def beside_a_number_in_use(step, batches, bar):
    """The round waits for the loss that it shows, and the other number is there by then."""
    tokens = 0
    for x in batches:
        loss, count = step(x)
        bar.set_description(f"{loss.item():.3f}")
        tokens += count.item()
    return tokens


def spares_a_model(mask: mx.array, model, x, rounds: int):
    """What the test spares takes longer than the wait."""
    for n in range(rounds):
        if mx.any(mask == n):
            x = model(x)
    return x


def one_of_many(logits: mx.array, sequences):
    """One number of many is read, and not by going through them."""
    scores = []
    for sequence in sequences:
        scores.append((sequence, logits[0, sequence[0]].item()))
        print(scores[-1])
    return scores


def whole_model(model, data: mx.array, size: int):
    """Next to a run of the whole model, on a slice of what is there already, the wait is short."""
    total = 0.0
    for start in range(0, len(data), size):
        logits = model(data[start : start + size])
        total += mx.sum(logits).item()
    return total


def lengths_of_a_batch(mask: mx.array):
    """A step has few sequences, often one."""
    return [mx.sum(mask[i]).item() for i in range(mask.shape[0])]


def offset_of_a_batch(tokens: mx.array, positions: mx.array, model, cache):
    """A round over the sequences of a batch waits for something else as well."""
    found = []
    for b in range(tokens.shape[0]):
        if positions[b, 0].item() > 0:
            found.append(model(tokens[b], cache.offsets[b].item()))
    return found


def reported(step, batches, metrics: dict):
    """What is reported every so many rounds costs little."""
    for n, x in enumerate(batches):
        metrics["loss"] = metrics["loss"] + step(x)
        mx.eval(metrics)
        if n % 100 == 0:
            print({k: mx.sum(v).item() for k, v in metrics.items()})


def told_to_numpy(logprobs: mx.array, mask: np.ndarray, begin: int):
    """The branch writes into an array of NumPy: nothing of MLX is spared that `mx.where` could do."""
    for k in range(8):
        if mx.max(logprobs[k, begin:]) > mx.max(logprobs[k, :begin]):
            mask[k, :begin] = -np.inf
    return mask


class Scorer:
    """The step itself waits, whatever becomes of the number."""

    def __init__(self, model):
        self.model = model

    def _score(self, ids):
        scores = self.model(ids)
        mx.eval(scores)
        return scores.sum()

    def run(self, batches):
        """The sums are needed at the end alone."""
        total = 0.0
        for ids in batches:
            total += self._score(ids).item()
        return total
