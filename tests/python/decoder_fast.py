"""The decoder of `examples/models/decoder_by_hand.py` with the fast operations of MLX, written apart from it: local names are others."""

import math

import mlx.core as mx
import mlx.nn as nn


class Norm(nn.Module):
    def __init__(self, dims: int, eps: float = 1e-5):
        super().__init__()
        self.weight = mx.ones((dims,))
        self.eps = eps

    def __call__(self, x: mx.array):
        return mx.fast.rms_norm(x, self.weight, self.eps)


class Attention(nn.Module):
    def __init__(self, dims: int, heads: int, kv_heads: int):
        super().__init__()
        self.heads, self.kv_heads, self.head_dim = heads, kv_heads, dims // heads
        self.scale = 1 / math.sqrt(self.head_dim)
        self.project = nn.Linear(dims, (heads + 2 * kv_heads) * self.head_dim, bias=False)
        self.output = nn.Linear(dims, dims, bias=False)

    def __call__(self, x: mx.array):
        batch, length, dims = x.shape
        projected = self.project(x)
        queries, keys, values = mx.split(projected, [self.heads * self.head_dim, (self.heads + self.kv_heads) * self.head_dim], axis=-1)
        queries = queries.reshape(batch, length, self.heads, self.head_dim).swapaxes(1, 2)
        keys = keys.reshape(batch, length, self.kv_heads, self.head_dim).swapaxes(1, 2)
        values = values.reshape(batch, length, self.kv_heads, self.head_dim).swapaxes(1, 2)
        queries = mx.fast.rope(queries, queries.shape[-1], traditional=False, base=10000.0, scale=1.0, offset=0)
        keys = mx.fast.rope(keys, keys.shape[-1], traditional=False, base=10000.0, scale=1.0, offset=0)
        here, there = mx.arange(length)[:, None], mx.arange(length)[None]
        causal = mx.where(here >= there, mx.array(0, dtype=x.dtype), mx.array(-1e9, dtype=x.dtype))
        found = mx.fast.scaled_dot_product_attention(queries, keys, values, scale=self.scale, mask=causal)
        return self.output(found.swapaxes(1, 2).reshape(batch, length, dims))


class Layer(nn.Module):
    def __init__(self, dims: int, hidden: int, heads: int, kv_heads: int):
        super().__init__()
        self.norm1, self.norm2 = Norm(dims), Norm(dims)
        self.attention = Attention(dims, heads, kv_heads)
        self.gate = nn.Linear(dims, hidden, bias=False)
        self.up = nn.Linear(dims, hidden, bias=False)
        self.down = nn.Linear(hidden, dims, bias=False)

    def __call__(self, x: mx.array):
        h = x + self.attention(self.norm1(x))
        normed = self.norm2(h)
        gated = self.gate(normed)
        hidden = gated * mx.sigmoid(gated) * self.up(normed)
        return h + self.down(hidden * 0.5)


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
