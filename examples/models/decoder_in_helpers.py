"""A decoder without modules: public helpers take tables, masks and flags, the rotation is a lambda, and the layers are plain objects."""

import mlx.core as mx

f32 = mx.float32


def norm(x, weight, eps=1e-5):
    dtype = x.dtype
    h = x.astype(f32)
    mean_square = mx.mean(mx.square(h), axis=-1, keepdims=True)
    h = h * mx.rsqrt(mean_square + eps)
    return weight * h.astype(dtype)


def turned(x):
    half = x.shape[-1] // 2
    return mx.concatenate([-x[..., half:], x[..., :half]], axis=-1)


def tables(length, width, dtype, offset=0, base=10000.0):
    frequencies = 1.0 / (base ** (mx.arange(0, width, 2).astype(f32) / width))
    angles = mx.arange(offset, offset + length).astype(f32)[:, None] * frequencies[None]
    angles = mx.concatenate([angles, angles], axis=-1)
    return mx.cos(angles).astype(dtype), mx.sin(angles).astype(dtype)


def attend(q, k, v, scale, mask=None, single=False):
    scores = (q * scale) @ k.swapaxes(-1, -2)
    if mask is not None:
        scores = scores + mask
    if single:
        scores = mx.softmax(scores.astype(f32), axis=-1).astype(q.dtype)
    else:
        scores = mx.softmax(scores, axis=-1)
    return scores @ v


def attend_in_groups(q, k, v, scale, mask=None, single=False):
    repeats = q.shape[1] // k.shape[1]
    return attend(q, mx.repeat(k, repeats, axis=1), mx.repeat(v, repeats, axis=1), scale, mask, single)


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
    _, dims, hidden, heads, kv_heads, width, vocabulary = sizes
    offset = cached if mask is None else 0
    n = x.shape[1]
    c, s = tables(n, width, dtype, offset)
    rotate = lambda x: x * c + turned(x) * s
    scale = width**-0.5
    for layer in layers:
        y = norm(x, layer.first)
        q = (y @ layer.q.T).reshape(1, n, heads, width).swapaxes(1, 2)
        k = (y @ layer.k.T).reshape(1, n, kv_heads, width).swapaxes(1, 2)
        v = (y @ layer.v.T).reshape(1, n, kv_heads, width).swapaxes(1, 2)
        q, k = rotate(q), rotate(k)
        if mask is None:
            k, v = mx.concatenate([layer.keys, k], axis=2), mx.concatenate([layer.values, v], axis=2)
        o = attend_in_groups(q, k, v, scale, mask, True)
        x = x + o.swapaxes(1, 2).reshape(1, n, heads * width) @ layer.o.T
        y = norm(x, layer.second)
        gate, up = y @ layer.gate.T, y @ layer.up.T
        z = gate * mx.sigmoid(gate) * up
        z = z * mx.array(1.0)
        x = x + z @ layer.down.T
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
