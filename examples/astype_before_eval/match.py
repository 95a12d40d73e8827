"""Weights that are evaluated and then cast. Each is cast first."""

import mlx.core as mx
import mlx.nn as nn
from mlx.utils import tree_map


def comprehension(path: str):
    """The usual converter: a dictionary of weights, cast by a comprehension."""
    weights = mx.load(path)
    mx.eval(weights)
    weights = {k: v.astype(mx.float16) for k, v in weights.items()}
    return weights


def one_array(path: str, dtype):
    """A single array out of the file."""
    table = mx.load(path)["embedding"]
    mx.eval(table)
    table = table.astype(dtype)
    return table


def tree(path: str):
    """A nested tree, cast by `tree_map`."""
    parameters = mx.load(path)
    mx.eval(parameters)
    parameters = tree_map(lambda p: p.astype(mx.bfloat16), parameters)
    return parameters


def only_the_floats(path: str):
    """Integers keep their dtype."""
    weights = mx.load(path)
    mx.eval(weights)
    weights = {k: v.astype(mx.float16) if mx.issubdtype(v.dtype, mx.floating) else v for k, v in weights.items()}
    return weights


def in_place(path: str, dtype):
    """The dictionary stays, and each of its arrays is replaced."""
    weights = mx.load(path)
    mx.eval(weights)
    for name, array in weights.items():
        weights[name] = array.astype(dtype)
    return weights


def listed(path: str):
    """A list of arrays."""
    arrays = list(mx.load(path).values())
    mx.eval(arrays)
    arrays = [a.astype(mx.float16) for a in arrays]
    return arrays


def whole_model(dims: int):
    """A model that casts its own parameters."""
    model = nn.Linear(dims, dims)
    mx.eval(model.parameters())
    model.set_dtype(mx.float16)
    return model.parameters()
