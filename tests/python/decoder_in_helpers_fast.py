"""The decoder of `examples/models/decoder_in_helpers.py` with the fast operations of MLX, written apart from it: local names are others."""

import mlx.core as mx


def norm(x, weight, eps=1e-5):
    return weight * mx.fast.rms_norm(x, None, eps)


def causal(length, dtype):
    rows, columns = mx.arange(length)[:, None], mx.arange(length)[None]
    lowest = -1e4 if dtype == mx.float16 else -1e9
    return mx.where(rows >= columns, mx.array(0, dtype=dtype), mx.array(lowest, dtype=dtype))


class Layer:
    pass


def drawn(sizes, dtype, cached):
    layers, dims, hidden, heads, kv_heads, width, vocabulary = sizes
    made = []
    for _ in range(layers):
        layer = Layer()
        layer.first, layer.second = mx.ones((dims,), dtype=dtype), mx.ones((dims,), dtype=dtype)
        shapes = [(heads * width, dims), (kv_heads * width, dims), (kv_heads * width, dims), (dims, heads * width)]
        layer.q, layer.k, layer.v, layer.o = ((mx.random.normal(s) * s[1] ** -0.5).astype(dtype) for s in shapes)
        shapes = [(hidden, dims), (hidden, dims), (dims, hidden)]
        layer.gate, layer.up, layer.down = ((mx.random.normal(s) * s[1] ** -0.5).astype(dtype) for s in shapes)
        layer.keys, layer.values = (mx.random.normal((1, kv_heads, cached, width)).astype(dtype) for _ in range(2))
        made.append(layer)
    return made, mx.random.normal((vocabulary, dims)).astype(dtype), mx.ones((dims,), dtype=dtype)


def forward(model, x, sizes, dtype, cached, mask=None):
    layers, embedding, last = model
    _, _, _, heads, kv_heads, width, _ = sizes
    start = cached if mask is None else 0
    length = x.shape[1]
    scale = width**-0.5
    for layer in layers:
        normed = norm(x, layer.first)
        queries = (normed @ layer.q.T).reshape(1, length, heads, width).swapaxes(1, 2)
        keys = (normed @ layer.k.T).reshape(1, length, kv_heads, width).swapaxes(1, 2)
        values = (normed @ layer.v.T).reshape(1, length, kv_heads, width).swapaxes(1, 2)
        queries = mx.fast.rope(queries, queries.shape[-1], traditional=False, base=10000.0, scale=1.0, offset=start)
        keys = mx.fast.rope(keys, keys.shape[-1], traditional=False, base=10000.0, scale=1.0, offset=start)
        if mask is None:
            keys = mx.concatenate([layer.keys, keys], axis=2)
            values = mx.concatenate([layer.values, values], axis=2)
        found = mx.fast.scaled_dot_product_attention(queries, keys, values, scale=scale, mask=mask)
        x = mx.addmm(x, found.swapaxes(1, 2).reshape(1, length, heads * width), layer.o.T)
        normed = norm(x, layer.second)
        gated = normed @ layer.gate.T
        x = mx.addmm(x, gated * mx.sigmoid(gated) * (normed @ layer.up.T), layer.down.T)
    return norm(x[:, -1:], last) @ embedding.T


def main():
    """The logits after a text, and after one more token whose predecessors are cached, in single precision and in both half precisions."""
    mx.random.seed(7)
    sizes = (2, 64, 96, 8, 2, 8, 50)
    logits = []
    for dtype in (mx.float32, mx.float16, mx.bfloat16):
        model = drawn(sizes, dtype, 9)
        text = mx.random.normal((1, 7, 64)).astype(dtype)
        logits.append(forward(model, text, sizes, dtype, 9, causal(7, dtype)).astype(dtype))
        logits.append(forward(model, text[:, :1], sizes, dtype, 9).astype(dtype))
    return logits


if __name__ == "__main__":
    print(main())
