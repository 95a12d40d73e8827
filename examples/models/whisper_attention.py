"""Attention as in the first speech models: keys transposed early, scores returned for the timestamps of words."""

import math

import mlx.core as mx
import mlx.nn as nn


class MultiHeadAttention(nn.Module):
    """The scores are returned, so that they cannot disappear into a fused kernel."""

    def __init__(self, n_state: int, n_head: int):
        super().__init__()
        self.n_head = n_head
        self.query = nn.Linear(n_state, n_state)
        self.key = nn.Linear(n_state, n_state, bias=False)
        self.value = nn.Linear(n_state, n_state)
        self.out = nn.Linear(n_state, n_state)

    def __call__(self, x, xa=None, mask=None):
        q = self.query(x)
        k = self.key(x if xa is None else xa)
        v = self.value(x if xa is None else xa)
        wv, qk = self.qkv_attention(q, k, v, mask)
        return self.out(wv), qk

    def qkv_attention(self, q, k, v, mask=None):
        n_batch, n_ctx, n_state = q.shape
        scale = (n_state // self.n_head) ** -0.25
        q = q.reshape(*q.shape[:2], self.n_head, -1).transpose(0, 2, 1, 3) * scale
        k = k.reshape(*k.shape[:2], self.n_head, -1).transpose(0, 2, 3, 1) * scale
        v = v.reshape(*v.shape[:2], self.n_head, -1).transpose(0, 2, 1, 3)
        qk = q @ k
        if mask is not None:
            qk = qk + mask[:n_ctx, :n_ctx]
        w = mx.softmax(qk.astype(mx.float32), axis=-1).astype(qk.dtype)
        out = (w @ v).transpose(0, 2, 1, 3)
        return out.reshape(n_batch, n_ctx, n_state), qk


class EncoderLayer(nn.Module):
    """Attention without a mask whose scores nobody asks for, and a residual that is a product plus an array."""

    def __init__(self, n_state: int, n_head: int):
        super().__init__()
        self.n_head = n_head
        self.qkv = nn.Linear(n_state, 3 * n_state)
        self.proj = mx.random.normal((n_state, n_state)) * n_state**-0.5
        self.proj_bias = mx.zeros((n_state,))
        self.norm = nn.LayerNorm(n_state)

    def __call__(self, x: mx.array):
        B, L, D = x.shape
        q, k, v = mx.split(self.qkv(self.norm(x)), 3, axis=-1)
        q = q.reshape(B, L, self.n_head, -1).transpose(0, 2, 1, 3)
        k = k.reshape(B, L, self.n_head, -1).transpose(0, 2, 1, 3)
        v = v.reshape(B, L, self.n_head, -1).transpose(0, 2, 1, 3)
        attn = mx.softmax(q @ k.transpose(0, 1, 3, 2) / math.sqrt(q.shape[-1]), axis=-1)
        y = mx.matmul(attn, v).swapaxes(1, 2).reshape(B, L, D)
        return x + (y @ self.proj + self.proj_bias)


def sinusoids(length: int, channels: int):
    """The positions of the encoder."""
    step = math.log(10000) / (channels // 2 - 1)
    inverse = mx.exp(-step * mx.arange(channels // 2))
    time = mx.arange(length)[:, None] * inverse[None, :]
    return mx.concatenate([mx.sin(time), mx.cos(time)], axis=1)


def main():
    """What the decoder hears, the scores of its cross attention, and the frame that each token looks at."""
    mx.random.seed(2)
    encoder = [EncoderLayer(32, 4) for _ in range(2)]
    own, cross = MultiHeadAttention(32, 4), MultiHeadAttention(32, 4)
    audio = mx.random.normal((1, 12, 32)) + sinusoids(12, 32)
    for layer in encoder:
        audio = layer(audio)
    tokens = mx.random.normal((1, 5, 32))
    mask = nn.MultiHeadAttention.create_additive_causal_mask(5)
    h, _ = own(tokens, mask=mask)
    h, qk = cross(h, xa=audio)
    frames = [int(frame) for frame in mx.argmax(qk.mean(axis=(0, 1)), axis=-1).flatten()]
    return h, qk, frames


if __name__ == "__main__":
    print(main())
