"""Evaluations that the next statement does not replace."""

import time

import mlx.core as mx
import numpy as np


def two_arrays(starts: mx.array, lengths: mx.array):
    """One wait for both is better than one for each."""
    mx.eval(starts, lengths)
    return starts.tolist(), lengths.tolist()


def list_of_arrays(tokens: list):
    """Each element would be evaluated by itself."""
    mx.eval(tokens)
    return [t.item() for t in tokens]


def dictionary(result: dict):
    """The other entries would be left for later."""
    mx.eval(result)
    return np.array(result["masks"][0])


def measured(step, x: mx.array):
    """The clock is read after the evaluation and before the number."""
    start = time.perf_counter()
    y = step(x).sum()
    mx.eval(y)
    return time.perf_counter() - start, y.item()


def measured_apart(step, x: mx.array):
    """A statement that tells the time stands between."""
    start = time.perf_counter()
    y = step(x).sum()
    mx.eval(y)
    seconds = time.perf_counter() - start
    return seconds, y.item()


def under_a_clock(timer, x: mx.array):
    """The block measures the evaluation."""
    y = x.sum()
    with timer:
        mx.eval(y)
    return y.item()


def perhaps(x: mx.array, verbose: bool):
    """The number may not be read at all."""
    y = x.sum()
    mx.eval(y)
    if verbose and y.item() > 0:
        print(y)
    return y


def only_the_shape(x: mx.array):
    """Neither the shape nor zeros of that shape need the values."""
    y = x @ x.T
    mx.eval(y)
    return mx.zeros_like(y).sum().item()


def another_array(state: list, loss: mx.array):
    """What is evaluated is more than what is read."""
    mx.eval(state)
    return loss.item()


def somebody_says_why(x: mx.array):
    """A comment gives a reason of its own."""
    y = x.sum()
    mx.eval(y)  # frees the graph before the callback runs
    return y.item()


def report(x: mx.array, log):
    """The logger runs before the number is read."""
    y = x.sum()
    mx.eval(y)
    return log("evaluated"), y.item()


def an_error_is_expected_here(x: mx.array):
    """A handler answers for the evaluation, and for nothing else."""
    y = mx.linalg.inv(x, stream=mx.cpu)
    try:
        mx.eval(y)
    except RuntimeError:
        return None
    return y.tolist()


def twice(x: mx.array):
    """The array that is read is another one, although it is equal."""
    kept, read = x.sum(), x.sum()
    mx.eval(kept)
    return read.item(), kept


def in_a_test(case, model, x):
    """Nobody waits for an assertion."""
    y = mx.tanh(model(x))
    mx.eval(y)
    case.assertTrue(mx.all(mx.isfinite(y)).item())


def once(step, token: mx.array):
    """What happens once in a call is over in no time, with or without."""
    token = mx.argmax(step(token))
    mx.eval(token)
    return token.item()


def once_in_a_part(model, x: mx.array):
    """One short wait after a whole model is nothing, too."""
    probs = mx.softmax(model(x), axis=-1)
    mx.eval(probs)
    return probs[0].tolist()
