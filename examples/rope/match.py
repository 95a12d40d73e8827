"""Rotary embeddings that are written out from the base to the rotation."""

import math

import mlx.core as mx
import mlx.nn as nn


def by_halves(x: mx.array, base: float = 10000.0, offset: int = 0):
    """Frequencies as exponentials; their float32 tables make the result float32, whatever is rotated."""
    B, H, T, D = x.shape
    freqs = mx.exp(-mx.arange(0.0, D // 2) * (math.log(base) / (D // 2)))
    angles = mx.arange(offset, offset + T)[:, None] * freqs
    cos, sin = mx.cos(angles), mx.sin(angles)
    x1, x2 = mx.split(x, 2, axis=-1)
    return mx.concatenate([x1 * cos - x2 * sin, x1 * sin + x2 * cos], axis=-1)


def back_to_its_dtype(x: mx.array, offset: int):
    """Rotated in float32 and cast back: the cast stays, and so does the precision."""
    B, H, T, D = x.shape
    inv_freq = mx.exp(mx.arange(0, D, 2).astype(mx.float32) * (-math.log(10000.0) / D))
    theta = mx.outer(mx.arange(T) + offset, inv_freq)
    y = x.astype(mx.float32)
    x1, x2 = mx.split(y, 2, axis=-1)
    first, second = x1 * mx.cos(theta) - x2 * mx.sin(theta), x2 * mx.cos(theta) + x1 * mx.sin(theta)
    return mx.concatenate([first, second], axis=-1).astype(x.dtype)


def by_pairs(x: mx.array, base: float, scale: float):
    """Neighbours are rotated, positions are scaled, and tables have the dtype of what is rotated."""
    B, H, T, D = x.shape
    freqs = mx.exp(-math.log(base) * mx.arange(D // 2) / (D // 2))
    angles = (mx.arange(T) * scale)[:, None] * freqs[None, :]
    cos, sin = mx.cos(angles).astype(x.dtype), mx.sin(angles).astype(x.dtype)
    x1, x2 = x[..., ::2], x[..., 1::2]
    return mx.stack([x1 * cos - x2 * sin, x1 * sin + x2 * cos], axis=-1).reshape(B, H, T, D)


def powers(x: mx.array, base: float = 10000.0):
    """The formula of the paper: powers of the base are more precise than what the fast operation computes."""
    B, H, T, D = x.shape
    freqs = 1.0 / (base ** (mx.arange(0, D, 2) / D))
    angles = mx.arange(T)[:, None] * freqs[None, :]
    cos, sin = mx.cos(angles), mx.sin(angles)
    x1, x2 = x[..., : D // 2], x[..., D // 2 :]
    return mx.concatenate([x1 * cos - x2 * sin, x1 * sin + x2 * cos], axis=-1)


def pairs_of_any_rank(x: mx.array, base: float):
    """Pairs, flattened at the end; how many axes there are shows nowhere."""
    freqs = base ** (-mx.arange(0, x.shape[-1], 2) / x.shape[-1])
    angles = mx.einsum("i,j->ij", mx.arange(x.shape[-2]).astype(mx.float32), freqs)
    even, odd = x[..., 0::2], x[..., 1::2]
    turned = mx.stack([even * mx.cos(angles) - odd * mx.sin(angles), even * mx.sin(angles) + odd * mx.cos(angles)], axis=-1)
    return turned.flatten(-2)


def pairs_in_float32(x: mx.array, offset: int):
    """Neighbours again, with a start."""
    B, H, T, D = x.shape
    freqs = mx.exp(-(mx.arange(0, D, 2) / D) * math.log(500000.0))
    angles = mx.outer(mx.arange(offset, offset + T), freqs)
    cos, sin = mx.cos(angles), mx.sin(angles)
    x1, x2 = x[..., ::2], x[..., 1::2]
    return mx.stack([x1 * cos - x2 * sin, x1 * sin + x2 * cos], axis=-1).reshape(x.shape)


def pairs_of_powers(x: mx.array):
    """The tables in the dtype of what is rotated, and new axes for batch and heads in front of them."""
    B, H, T, D = x.shape
    freqs = 1.0 / (10000.0 ** (mx.arange(0, D, 2)[: D // 2].astype(mx.float32) / D))
    angles = mx.arange(T).astype(mx.float32)[:, None] * freqs
    cos = mx.cos(angles).astype(x.dtype)[None, None, :, :]
    sin = mx.sin(angles).astype(x.dtype)[None, None, :, :]
    x1, x2 = x[..., ::2], x[..., 1::2]
    return mx.stack([x1 * cos - x2 * sin, x1 * sin + x2 * cos], axis=-1).flatten(-2)


class Heads(nn.Module):
    """The form of PyTorch models: tables for both halves at once, and a helper that turns the halves."""

    def __init__(self, dims: int, heads: int, base: float = 10000.0):
        super().__init__()
        self.heads, self.head_dim, self.base = heads, dims // heads, base
        self.wq = mx.zeros((dims, dims))
        self.wk = mx.zeros((dims, dims))

    def tables(self, length, dtype):
        inv_freq = mx.exp(mx.arange(0, self.head_dim, 2) * -(math.log(self.base) / self.head_dim))
        freqs = mx.outer(mx.arange(length), inv_freq)
        emb = mx.concatenate([freqs, freqs], axis=-1)
        return mx.cos(emb)[None, None].astype(dtype), mx.sin(emb)[None, None].astype(dtype)

    def turned(self, x):
        x1, x2 = mx.split(x, 2, axis=-1)
        return mx.concatenate([-x2, x1], axis=-1)

    def __call__(self, x: mx.array):
        B, L, _ = x.shape
        q = (x @ self.wq).reshape(B, L, self.heads, self.head_dim).transpose(0, 2, 1, 3)
        k = (x @ self.wk).reshape(B, L, self.heads, self.head_dim).transpose(0, 2, 1, 3)
        cos, sin = self.tables(L, q.dtype)
        q = q * cos + self.turned(q) * sin
        cos, sin = self.tables(L, k.dtype)
        k = k * cos + self.turned(k) * sin
        return q, k


def part_of_the_axis(x: mx.array, length: int, offset: int):
    """The first features are rotated, the others joined to them as they are."""
    x = x.reshape(-1, 4, length, 16)
    rotated, rest = x[..., :8], x[..., 8:]
    freqs = 10000.0 ** (-mx.arange(0, 8, 2) / 8)
    angles = mx.arange(offset, offset + length)[:, None] * freqs
    cos, sin = mx.cos(angles).astype(x.dtype), mx.sin(angles).astype(x.dtype)
    x1, x2 = mx.split(rotated, 2, axis=-1)
    return mx.concatenate([mx.concatenate([x1 * cos - x2 * sin, x1 * sin + x2 * cos], axis=-1), rest], axis=-1)


def as_many_frequencies_as_said(x: mx.array, count: int):
    """How many frequencies there are is said from outside: an assumption."""
    B, H, T, D = x.shape
    freqs = mx.exp(-mx.arange(0.0, count) * (math.log(10000.0) / count))
    angles = mx.arange(T)[:, None] * freqs
    cos, sin = mx.cos(angles), mx.sin(angles)
    x1, x2 = mx.split(x, 2, axis=-1)
    return mx.concatenate([x1 * cos - x2 * sin, x1 * sin + x2 * cos], axis=-1)


def keys_by_the_tables_of_queries(q: mx.array, k: mx.array):
    """The tables have the dtype of the queries, and nothing shows that the keys have it, too: an assumption."""
    B, H, L, D = k.shape
    angles = mx.arange(L)[:, None] * mx.exp(mx.arange(0, D, 2) * (-math.log(10000.0) / D))
    angles = mx.concatenate([angles, angles], axis=-1)
    cos, sin = mx.cos(angles).astype(q.dtype), mx.sin(angles).astype(q.dtype)
    k1, k2 = mx.split(k, 2, axis=-1)
    return k * cos + mx.concatenate([-k2, k1], axis=-1) * sin


def _tables(length, width, dtype):
    """Cosines and sines for callers who turn with them."""
    freqs = mx.exp(mx.arange(0, width, 2) * (-math.log(10000.0) / width))
    angles = mx.arange(length)[:, None] * freqs
    angles = mx.concatenate([angles, angles], axis=-1)
    return mx.cos(angles).astype(dtype), mx.sin(angles).astype(dtype)


def _turned(x):
    """The second half of the last axis before the first."""
    half = x.shape[-1] // 2
    return mx.concatenate([-x[..., half:], x[..., :half]], axis=-1)


def tables_in_a_lambda(q: mx.array, k: mx.array):
    """Tables of a helper, read by a lambda that is called for queries and for keys."""
    B, H, T, D = q.shape
    cos, sin = _tables(T, D, q.dtype)
    turn = lambda x: x * cos + _turned(x) * sin
    k = k.reshape(q.shape)
    return turn(q), turn(k)
