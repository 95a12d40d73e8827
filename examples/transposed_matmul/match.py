"""Products of one row with a matrix that is stored the slow way round."""

import mlx.core as mx
import mlx.nn as nn

BASIS = mx.load("basis.safetensors")["basis"]


def pulled_back(a: mx.array, start: mx.array):
    """A transposed matrix times a vector."""
    v = mx.tanh(start.flatten())
    return a.T @ v


def projected(basis: mx.array, sample: mx.array):
    """The transpose names its axes."""
    return mx.matmul(basis.transpose(1, 0), sample.reshape(-1))


class Readout(nn.Module):
    """A matrix input by output meets one state."""

    def __init__(self, dims: int, classes: int):
        super().__init__()
        self.weight = mx.zeros((dims, classes))

    def __call__(self, states: mx.array):
        state = mx.mean(states.reshape(-1, states.shape[-1]), axis=0)
        return state @ self.weight


class Head(nn.Module):
    """One row that is a matrix of its own."""

    def __init__(self, vocabulary: int):
        super().__init__()
        self.projection = mx.random.normal((4096, vocabulary))

    def __call__(self, x: mx.array):
        return mx.softmax(x.reshape(1, -1) @ self.projection, axis=-1)


def coefficients(sample: mx.array):
    """A matrix of the module."""
    return BASIS.T @ sample.flatten()


class Memory(nn.Module):
    """A vector gets a row's axis first."""

    def __init__(self, slots: int, dims: int):
        super().__init__()
        self.values = mx.zeros((slots, dims))

    def __call__(self, scores: mx.array):
        weights = mx.softmax(scores.flatten(), axis=-1)
        return weights[None] @ self.values
