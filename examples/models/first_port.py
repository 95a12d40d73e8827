"""A small mixture of experts as it might have been ported in the first weeks of MLX: it holds what every transform looks for, several of them in one function."""

import math
import pathlib
import tempfile

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Norms(nn.Module):
    """The norm before attention, and the one before the experts: an rms norm and a layer norm of the same rows."""

    def __init__(self, dims: int, eps: float = 1e-5):
        super().__init__()
        self.weight = mx.ones((dims,))
        self.scale = mx.ones((dims,))
        self.shift = mx.zeros((dims,))
        self.eps = eps

    def before_attention(self, x):
        h = x.astype(mx.float32)
        h = h * mx.rsqrt(mx.mean(h * h, axis=-1, keepdims=True) + self.eps)
        return h.astype(x.dtype) * self.weight

    def __call__(self, x):
        # Both at once, with the mean written out in one of them.
        centered = x - x.mean(-1, keepdims=True)
        variance = mx.mean(centered.square(), axis=-1, keepdims=True)
        return self.before_attention(x), centered / mx.sqrt(variance + self.eps) * self.scale + self.shift


class Attention(nn.Module):
    def __init__(self, dims: int, n_heads: int, n_kv_heads: int):
        super().__init__()
        self.n_heads, self.n_kv_heads, self.head_dim = n_heads, n_kv_heads, dims // n_heads
        self.wq = 0.3 * mx.random.normal((dims, dims))
        self.wkv = 0.3 * mx.random.normal((dims, 2 * n_kv_heads * self.head_dim))
        self.bq = mx.zeros((dims,))

    def heads(self, x, n):
        return x.reshape(x.shape[0], x.shape[1], n, self.head_dim).transpose(0, 2, 1, 3)

    def rotated(self, x: mx.array, offset: int = 0):
        B, H, T, D = x.shape
        angles = mx.arange(offset, offset + T)[:, None] * mx.exp(-mx.arange(0.0, D // 2) * (math.log(10000.0) / (D // 2)))
        cos, sin = mx.cos(angles).astype(x.dtype), mx.sin(angles).astype(x.dtype)
        first, second = mx.split(x, 2, axis=-1)
        return mx.concatenate([first * cos - second * sin, first * sin + second * cos], axis=-1)

    def __call__(self, x: mx.array, mask=None):
        B, L, _ = x.shape
        q = self.heads(x @ self.wq + self.bq, self.n_heads)
        k, v = (self.heads(a, self.n_kv_heads) for a in mx.split(x @ self.wkv, 2, axis=-1))
        # The norms of queries and keys have no weights, so their casts do nothing.
        q = mx.fast.rms_norm(q.astype(mx.float32), None, 1e-6).astype(q.dtype)
        k32 = k.astype(mx.float32)
        k = (k32 * mx.rsqrt(k32.square().mean(-1, keepdims=True) + 1e-6)).astype(k.dtype)
        q, k = self.rotated(q), self.rotated(k)
        repeats = self.n_heads // self.n_kv_heads
        k = mx.concatenate([mx.expand_dims(k, 2)] * repeats, axis=2).reshape(B, self.n_heads, L, self.head_dim)
        v = mx.concatenate([mx.expand_dims(v, 2)] * repeats, axis=2).reshape(B, self.n_heads, L, self.head_dim)
        scores = (q * self.head_dim**-0.5) @ k.transpose(0, 1, 3, 2)
        if mask is not None:
            scores = scores + mask
        weights = mx.softmax(scores.astype(mx.float32), axis=-1).astype(scores.dtype)
        return (weights @ v).transpose(0, 2, 1, 3).reshape(B, L, -1)


class Experts(nn.Module):
    def __init__(self, dims: int, hidden: int, n_experts: int):
        super().__init__()
        self.router = 0.3 * mx.random.normal((dims, n_experts))
        self.up = 0.3 * mx.random.normal((dims, hidden))
        self.up_bias = mx.zeros((hidden,))
        self.down = 0.3 * mx.random.normal((hidden, dims))

    def __call__(self, x: mx.array, residual: mx.array):
        rows = x.reshape(-1, x.shape[-1])
        logits = rows @ self.router
        best = mx.argmax(logits, axis=-1)
        gates = mx.softmax(logits.astype(mx.float32), axis=-1).astype(logits.dtype)
        gate = gates[mx.arange(gates.shape[0]), best]
        chosen = mx.zeros_like(gates)
        chosen[mx.arange(gates.shape[0]), best] = 1
        hidden = mx.maximum(rows @ self.up + self.up_bias, mx.zeros(self.up.shape[-1:]))
        hidden = hidden * mx.rsqrt(mx.mean(mx.square(hidden), axis=-1, keepdims=True) + 1e-6)
        out = residual.reshape(-1, residual.shape[-1]) + hidden @ self.down
        return (out * gate[:, None]).astype(x.dtype).reshape(residual.shape), chosen.reshape(*x.shape[:-1], -1)


class Model(nn.Module):
    def __init__(self, vocabulary: int = 29, dims: int = 16):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, dims)
        self.norms = Norms(dims)
        self.attention = Attention(dims, 4, 2)
        self.experts = Experts(dims, 32, 3)
        self.head = nn.Linear(dims, vocabulary, bias=False)

    def __call__(self, tokens: mx.array, mask=None):
        x = self.embedding(tokens)
        normed, _ = self.norms(x)
        x = x + (self.attention(normed, mask) * mx.array(0.5)).astype(x.dtype)
        _, normed = self.norms(x)
        out, routed = self.experts(normed, x)
        return self.head(out), routed


def load_weights(model, path: pathlib.Path, dtype):
    with open(path, "rb") as file:
        weights = mx.load(file)
    mx.eval(weights)
    weights = {k: v.astype(dtype) for k, v in weights.items()}
    model.load_weights(list(weights.items()))
    return model


def text_of(logits: mx.array):
    """The most likely character at each place."""
    out = []
    for row in mx.argmax(logits, axis=-1):
        tokens = row.flatten()
        mx.eval(tokens)
        for token in tokens:
            out.append(chr(97 + token.item()))
    return "".join(out)


def smoothed(logits: mx.array, use_bias: bool = True):
    """Logits that take something of those beside them."""
    layer = nn.Conv2d(1, 1, 3, 1, 1, 1, use_bias)
    return layer(logits[..., None])[..., 0]


def tune(head: nn.Linear, features: mx.array, tokens: mx.array, steps: int):
    """A few steps of the last layer alone."""

    def loss_fn(head, features, tokens):
        return nn.losses.cross_entropy(head(features), tokens, reduction="mean")

    optimizer = optim.SGD(learning_rate=0.1)
    loss_and_grad = nn.value_and_grad(head, loss_fn)
    for _ in range(steps):
        loss, grads = loss_and_grad(head, features, tokens)
        optimizer.update(head, grads)
        mx.eval(head.parameters(), optimizer.state)
    return loss


def main():
    """Logits, routes and text of the model in single and in half precision."""
    mx.random.seed(3)
    tokens = mx.random.randint(0, 29, (2, 7))
    mask = mx.where(mx.tri(7, 7) > 0, 0.0, -1e4)
    answers = []
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "weights.safetensors"
        Model().save_weights(str(path))
        for dtype in (mx.float32, mx.float16):
            model = load_weights(Model(), path, dtype)
            logits, routed = model(tokens, mask.astype(dtype))
            answers += [logits, routed, model(tokens)[0]]
    answers.append(smoothed(answers[0]))
    answers.append(tune(Model().head, mx.random.normal((2, 7, 16)), tokens, 3))
    mx.metal.clear_cache()
    return [*answers, text_of(answers[0])]


if __name__ == "__main__":
    print(main())
