"""Products whose layout is right, or does not matter."""

import mlx.core as mx
import mlx.nn as nn


class Linear(nn.Module):
    """Output by input, as it should be."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.weight = mx.zeros((outputs, inputs))

    def __call__(self, x: mx.array):
        return x.flatten() @ self.weight.T


class Projection(nn.Module):
    """How many rows there are is not known: with a whole prompt both layouts are as fast."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.weight = mx.zeros((inputs, outputs))

    def __call__(self, x: mx.array):
        return x @ self.weight


class Tied(nn.Module):
    """Rows of the matrix are looked up as well."""

    def __init__(self, vocabulary: int, dims: int):
        super().__init__()
        self.table = mx.zeros((vocabulary, dims))

    def embed(self, tokens: mx.array):
        return self.table[tokens]

    def __call__(self, weights: mx.array):
        return weights.flatten() @ self.table


class Rotation(nn.Module):
    """The launch takes longer than nine numbers."""

    def __init__(self):
        super().__init__()
        self.matrix = mx.zeros((3, 3))

    def __call__(self, point: mx.array):
        return self.matrix.T @ point.flatten()


class Autoencoder(nn.Module):
    """One of the two products goes across, whichever way it is stored."""

    def __init__(self, dims: int, hidden: int):
        super().__init__()
        self.weight = mx.zeros((dims, hidden))

    def __call__(self, x: mx.array):
        h = mx.tanh(self.weight.T @ x.flatten())
        return self.weight @ h


def computed(x: mx.array, y: mx.array):
    """The matrix is made for this product alone."""
    gram = mx.exp(x) + 1
    return gram.T @ y.flatten()


def inner(x: mx.array, y: mx.array):
    """Two vectors have no layout."""
    return x.flatten() @ y


def batch_of_rows(a: mx.array, x: mx.array):
    """A matrix times a matrix."""
    return a.T @ x.reshape(-1, 8)
