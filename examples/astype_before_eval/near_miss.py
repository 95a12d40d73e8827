"""Evaluations and casts whose order must stay."""

import time

import mlx.core as mx


def never_evaluated(path: str):
    """Everything is lazy already."""
    weights = mx.load(path)
    weights = {k: v.astype(mx.float16) for k, v in weights.items()}
    return weights


def cast_first(path: str):
    """The right order."""
    weights = mx.load(path)
    weights = {k: v.astype(mx.float16) for k, v in weights.items()}
    mx.eval(weights)
    return weights


def used_in_between(path: str):
    """A check reads the uncast weights."""
    weights = mx.load(path)
    mx.eval(weights)
    if any(mx.isnan(v).any() for v in weights.values()):
        raise ValueError(path)
    weights = {k: v.astype(mx.float16) for k, v in weights.items()}
    return weights


def both_are_kept(path: str):
    """The float32 weights are needed as well."""
    weights = mx.load(path)
    mx.eval(weights)
    half = {k: v.astype(mx.float16) for k, v in weights.items()}
    return weights, half


def something_else_is_evaluated(path: str, other: mx.array):
    """The evaluation is of another array."""
    weights = mx.load(path)
    mx.eval(other)
    weights = {k: v.astype(mx.float16) for k, v in weights.items()}
    return weights


def held_by_the_caller(weights: dict):
    """The caller keeps the uncast weights alive, so that nothing would be saved."""
    mx.eval(weights)
    return {k: v.astype(mx.float16) for k, v in weights.items()}


def timed(path: str):
    """The evaluation ends what the clock measures."""
    start = time.perf_counter()
    weights = mx.load(path)
    mx.eval(weights)
    seconds = time.perf_counter() - start
    weights = {k: v.astype(mx.float16) for k, v in weights.items()}
    return weights, seconds


def not_a_cast(path: str):
    """The statement after the evaluation transposes."""
    weights = mx.load(path)
    mx.eval(weights)
    weights = {k: v.T for k, v in weights.items()}
    return weights


def second_name(path: str):
    """Another name holds the uncast weights."""
    weights = mx.load(path)
    original = weights
    mx.eval(weights)
    weights = {k: v.astype(mx.float16) for k, v in weights.items()}
    return weights, original["embedding"]


def result_named_anew(path: str):
    """The first name holds the uncast weights until the function returns; cast first, they take no less memory."""
    loaded = mx.load(path)
    mx.eval(loaded)
    half = {name: array.astype(mx.float16) for name, array in loaded.items()}
    return half
