"""What looks like a rotary embedding of consecutive positions, and is something else or does not show."""

import math

import mlx.core as mx
import mlx.nn as nn


def given_tables(x: mx.array, cos: mx.array, sin: mx.array):
    """What the tables hold is known to the caller."""
    x1, x2 = mx.split(x, 2, axis=-1)
    return mx.concatenate([x1 * cos - x2 * sin, x1 * sin + x2 * cos], axis=-1)


def positions_of_each_token(x: mx.array, position_ids: mx.array):
    """Padding on the left gives each sequence positions of its own."""
    B, H, T, D = x.shape
    freqs = mx.exp(-mx.arange(0.0, D // 2) * (math.log(10000.0) / (D // 2)))
    angles = position_ids[:, None] * freqs
    cos, sin = mx.cos(angles), mx.sin(angles)
    x1, x2 = mx.split(x, 2, axis=-1)
    return mx.concatenate([x1 * cos - x2 * sin, x1 * sin + x2 * cos], axis=-1)


def scaled_frequencies(x: mx.array, factor: float):
    """Interpolated for a longer context: the frequencies are divided, not the positions."""
    B, H, T, D = x.shape
    freqs = 10000.0 ** (-mx.arange(0, D, 2) / D) / factor
    angles = mx.arange(T)[:, None] * freqs
    cos, sin = mx.cos(angles), mx.sin(angles)
    x1, x2 = mx.split(x, 2, axis=-1)
    return mx.concatenate([x1 * cos - x2 * sin, x1 * sin + x2 * cos], axis=-1)


def scaled_tables(x: mx.array, mscale: float):
    """Longer contexts with an attention factor in the tables."""
    B, H, T, D = x.shape
    freqs = mx.exp(-mx.arange(0.0, D // 2) * (math.log(10000.0) / (D // 2)))
    angles = mx.arange(T)[:, None] * freqs
    cos, sin = mx.cos(angles) * mscale, mx.sin(angles) * mscale
    x1, x2 = mx.split(x, 2, axis=-1)
    return mx.concatenate([x1 * cos - x2 * sin, x1 * sin + x2 * cos], axis=-1)


def heads_after_length(x: mx.array):
    """(batch, length, heads, features): positions count along another axis than the fast operation's."""
    B, T, H, D = x.shape
    freqs = mx.exp(-mx.arange(0.0, D // 2) * (math.log(10000.0) / (D // 2)))
    angles = (mx.arange(T)[:, None] * freqs)[:, None]
    cos, sin = mx.cos(angles), mx.sin(angles)
    x1, x2 = mx.split(x, 2, axis=-1)
    return mx.concatenate([x1 * cos - x2 * sin, x1 * sin + x2 * cos], axis=-1)


def the_other_way_round(x: mx.array):
    """The inverse rotation: the signs are exchanged."""
    B, H, T, D = x.shape
    freqs = mx.exp(-mx.arange(0.0, D // 2) * (math.log(10000.0) / (D // 2)))
    angles = mx.arange(T)[:, None] * freqs
    cos, sin = mx.cos(angles), mx.sin(angles)
    x1, x2 = mx.split(x, 2, axis=-1)
    return mx.concatenate([x1 * cos + x2 * sin, x2 * cos - x1 * sin], axis=-1)


def pairs_put_into_halves(x: mx.array):
    """Takes neighbours and puts them half an axis apart, as some checkpoints want it; no flag of the fast operation does that."""
    B, H, T, D = x.shape
    freqs = mx.exp(-mx.arange(0.0, D // 2) * (math.log(10000.0) / (D // 2)))
    angles = mx.arange(T)[:, None] * freqs
    cos, sin = mx.cos(angles), mx.sin(angles)
    x1, x2 = x[..., ::2], x[..., 1::2]
    return mx.concatenate([x1 * cos - x2 * sin, x1 * sin + x2 * cos], axis=-1)


def two_axes(x: mx.array):
    """One sequence of one head: the fast operation takes at least three axes."""
    T, D = x.shape
    freqs = mx.exp(-mx.arange(0.0, D // 2) * (math.log(10000.0) / (D // 2)))
    angles = mx.arange(T)[:, None] * freqs
    cos, sin = mx.cos(angles), mx.sin(angles)
    x1, x2 = mx.split(x, 2, axis=-1)
    return mx.concatenate([x1 * cos - x2 * sin, x1 * sin + x2 * cos], axis=-1)


def base_in_an_array(x: mx.array, base: mx.array):
    """The fast operation takes the base as a Python number."""
    B, H, T, D = x.shape
    freqs = base ** (-mx.arange(0, D, 2) / D)
    angles = mx.arange(T)[:, None] * freqs
    cos, sin = mx.cos(angles), mx.sin(angles)
    x1, x2 = mx.split(x, 2, axis=-1)
    return mx.concatenate([x1 * cos - x2 * sin, x1 * sin + x2 * cos], axis=-1)


def broken_offset(x: mx.array, offset: float):
    """Between two positions: the fast operation starts at whole ones."""
    B, H, T, D = x.shape
    freqs = mx.exp(-mx.arange(0.0, D // 2) * (math.log(10000.0) / (D // 2)))
    angles = (mx.arange(T) + offset)[:, None] * freqs
    cos, sin = mx.cos(angles), mx.sin(angles)
    x1, x2 = mx.split(x, 2, axis=-1)
    return mx.concatenate([x1 * cos - x2 * sin, x1 * sin + x2 * cos], axis=-1)


def offset_of_each_sequence(x: mx.array, offset: mx.array):
    """Sequences of several lengths, whose offsets stand in an array."""
    B, H, T, D = x.shape
    freqs = mx.exp(-mx.arange(0.0, D // 2) * (math.log(10000.0) / (D // 2)))
    angles = (mx.arange(T) + offset)[:, None] * freqs
    cos, sin = mx.cos(angles), mx.sin(angles)
    x1, x2 = mx.split(x, 2, axis=-1)
    return mx.concatenate([x1 * cos - x2 * sin, x1 * sin + x2 * cos], axis=-1)


def rows_and_columns(x: mx.array, width: int):
    """Two axes of an image: half of the features turn with the row, half with the column."""
    B, H, T, D = x.shape
    freqs = mx.exp(-mx.arange(0.0, D // 4) * (math.log(10000.0) / (D // 4)))
    places = mx.arange(T)
    angles = mx.concatenate([(places // width)[:, None] * freqs, (places % width)[:, None] * freqs], axis=-1)
    cos, sin = mx.cos(angles), mx.sin(angles)
    x1, x2 = mx.split(x, 2, axis=-1)
    return mx.concatenate([x1 * cos - x2 * sin, x1 * sin + x2 * cos], axis=-1)


class KeptFrequencies(nn.Module):
    """A table in an attribute that is no constant of the class: it may be loaded or cast after `__init__`."""

    def __init__(self, dims: int, base: float = 10000.0):
        super().__init__()
        self.inv_freq = mx.exp(-mx.arange(0.0, dims // 2) * (math.log(base) / (dims // 2)))

    def __call__(self, x: mx.array):
        B, H, T, D = x.shape
        angles = mx.arange(T)[:, None] * self.inv_freq
        cos, sin = mx.cos(angles), mx.sin(angles)
        x1, x2 = mx.split(x, 2, axis=-1)
        return mx.concatenate([x1 * cos - x2 * sin, x1 * sin + x2 * cos], axis=-1)


def table_changed_after_the_lambda(x: mx.array):
    """By the time that the lambda reads it the table has changed."""
    B, H, T, D = x.shape
    angles = mx.arange(T)[:, None] * mx.exp(-mx.arange(0.0, D // 2) * (math.log(10000.0) / (D // 2)))
    angles = mx.concatenate([angles, angles], axis=-1)
    cos, sin = mx.cos(angles), mx.sin(angles)
    turn = lambda t: t * cos + mx.concatenate([-t[..., D // 2 :], t[..., : D // 2]], axis=-1) * sin
    cos[0] = 0.5
    return turn(x)


def table_changed_in_the_round_before(x: mx.array):
    """The first round turns by the table, and changes it for the second."""
    B, H, T, D = x.shape
    angles = mx.arange(T)[:, None] * mx.exp(-mx.arange(0.0, D // 2) * (math.log(10000.0) / (D // 2)))
    angles = mx.concatenate([angles, angles], axis=-1)
    cos, sin = mx.cos(angles), mx.sin(angles)
    turn = lambda t: t * cos + mx.concatenate([-t[..., D // 2 :], t[..., : D // 2]], axis=-1) * sin
    rounds = []
    for _ in range(2):
        rounds.append(turn(x))
        cos *= 0.5
    return rounds
