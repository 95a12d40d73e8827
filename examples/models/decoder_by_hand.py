"""A decoder with grouped heads written out by hand: norms, rotary embedding, causal attention and the gated layer as the formulas have them."""

import math

import mlx.core as mx
import mlx.nn as nn


class Norm(nn.Module):
    def __init__(self, dims: int, eps: float = 1e-5):
        super().__init__()
        self.weight = mx.ones((dims,))
        self.eps = eps

    def __call__(self, x: mx.array):
        h = x.astype(mx.float32)
        variance = mx.mean(mx.square(h), axis=-1, keepdims=True)
        h = h * mx.rsqrt(variance + self.eps)
        return self.weight * h.astype(x.dtype)


def _rotary_tables(length: int, width: int, dtype, base: float = 10000.0):
    frequencies = mx.exp(mx.arange(0, width, 2) * (-math.log(base) / width))
    angles = mx.arange(length)[:, None] * frequencies[None]
    angles = mx.concatenate([angles, angles], axis=-1)
    return mx.cos(angles).astype(dtype), mx.sin(angles).astype(dtype)


def _rotate_half(x: mx.array):
    first, second = mx.split(x, 2, axis=-1)
    return mx.concatenate([-second, first], axis=-1)


class Attention(nn.Module):
    def __init__(self, dims: int, heads: int, kv_heads: int):
        super().__init__()
        self.heads, self.kv_heads, self.head_dim = heads, kv_heads, dims // heads
        self.scale = 1 / math.sqrt(self.head_dim)
        self.project = nn.Linear(dims, (heads + 2 * kv_heads) * self.head_dim, bias=False)
        self.output = nn.Linear(dims, dims, bias=False)

    def __call__(self, x: mx.array):
        B, L, D = x.shape
        q, k, v = mx.split(self.project(x), [self.heads * self.head_dim, (self.heads + self.kv_heads) * self.head_dim], axis=-1)
        q = q.reshape(B, L, self.heads, self.head_dim).swapaxes(1, 2)
        k = k.reshape(B, L, self.kv_heads, self.head_dim).swapaxes(1, 2)
        v = v.reshape(B, L, self.kv_heads, self.head_dim).swapaxes(1, 2)

        # The same tables for queries and keys.
        cos, sin = _rotary_tables(L, self.head_dim, q.dtype)
        q = q * cos + _rotate_half(q) * sin
        k = k * cos + _rotate_half(k) * sin

        groups = self.heads // self.kv_heads
        k, v = mx.repeat(k, groups, axis=1), mx.repeat(v, groups, axis=1)
        rows, columns = mx.arange(L)[:, None], mx.arange(L)[None]
        mask = mx.where(rows >= columns, mx.array(0, dtype=x.dtype), mx.array(-1e9, dtype=x.dtype))
        scores = (q * self.scale) @ k.swapaxes(-1, -2)
        scores = scores + mask
        scores = mx.softmax(scores.astype(mx.float32), axis=-1).astype(q.dtype)
        out = scores @ v
        return self.output(out.swapaxes(1, 2).reshape(B, L, D))


class Layer(nn.Module):
    def __init__(self, dims: int, hidden: int, heads: int, kv_heads: int):
        super().__init__()
        self.norm1, self.norm2 = Norm(dims), Norm(dims)
        self.attention = Attention(dims, heads, kv_heads)
        self.gate = nn.Linear(dims, hidden, bias=False)
        self.up = nn.Linear(dims, hidden, bias=False)
        self.down = nn.Linear(hidden, dims, bias=False)

    def __call__(self, x: mx.array):
        x = x + self.attention(self.norm1(x))
        y = self.norm2(x)
        gate, up = self.gate(y), self.up(y)
        z = gate * mx.sigmoid(gate) * up
        z = z * mx.array(0.5)
        return x + self.down(z)


class Decoder(nn.Module):
    def __init__(self, vocabulary: int, dims: int, hidden: int, heads: int, kv_heads: int, layers: int):
        super().__init__()
        self.embed = nn.Embedding(vocabulary, dims)
        self.layers = [Layer(dims, hidden, heads, kv_heads) for _ in range(layers)]
        self.norm = Norm(dims)

    def __call__(self, tokens: mx.array):
        x = self.embed(tokens)
        for layer in self.layers:
            x = layer(x)
        return self.embed.as_linear(self.norm(x))


def main():
    """The logits of two texts, in single precision and in both half precisions."""
    mx.random.seed(5)
    model = Decoder(64, 64, 96, 8, 2, 2)
    tokens = mx.random.randint(0, 64, (2, 9))
    logits = []
    for dtype in (mx.float32, mx.float16, mx.bfloat16):
        model.set_dtype(dtype)
        logits.append(model(tokens).astype(dtype))
    return logits


if __name__ == "__main__":
    print(main())
