"""Two decoder blocks as language models were first ported to MLX: norms and attention written out, key and value heads repeated."""

import mlx.core as mx
import mlx.nn as nn


class RMSNorm(nn.Module):
    def __init__(self, dims: int, eps: float = 1e-5):
        super().__init__()
        self.weight = mx.ones((dims,))
        self.eps = eps

    def _norm(self, x):
        return x * mx.rsqrt(x.square().mean(-1, keepdims=True) + self.eps)

    def __call__(self, x):
        output = self._norm(x.astype(mx.float32)).astype(x.dtype)
        return self.weight * output


class Attention(nn.Module):
    def __init__(self, dim: int, n_heads: int, n_kv_heads: int):
        super().__init__()
        self.n_heads, self.n_kv_heads = n_heads, n_kv_heads
        self.repeats = n_heads // n_kv_heads
        head_dim = dim // n_heads
        self.scale = head_dim**-0.5
        self.q_proj = nn.Linear(dim, n_heads * head_dim, bias=False)
        self.k_proj = nn.Linear(dim, n_kv_heads * head_dim, bias=False)
        self.v_proj = nn.Linear(dim, n_kv_heads * head_dim, bias=False)
        self.o_proj = nn.Linear(n_heads * head_dim, dim, bias=False)
        self.rope = nn.RoPE(head_dim, traditional=False, base=10000)

    def __call__(self, x: mx.array, mask=None, cache=None):
        B, L, _ = x.shape
        queries, keys, values = self.q_proj(x), self.k_proj(x), self.v_proj(x)

        # Heads first, then the sequence.
        queries = queries.reshape(B, L, self.n_heads, -1).transpose(0, 2, 1, 3)
        keys = keys.reshape(B, L, self.n_kv_heads, -1).transpose(0, 2, 1, 3)
        values = values.reshape(B, L, self.n_kv_heads, -1).transpose(0, 2, 1, 3)

        def repeat(a):
            a = mx.concatenate([mx.expand_dims(a, 2)] * self.repeats, axis=2)
            return a.reshape([B, self.n_heads, L, -1])

        keys, values = map(repeat, (keys, values))

        if cache is not None:
            key_cache, value_cache = cache
            queries = self.rope(queries, offset=key_cache.shape[2])
            keys = self.rope(keys, offset=key_cache.shape[2])
            keys = mx.concatenate([key_cache, keys], axis=2)
            values = mx.concatenate([value_cache, values], axis=2)
        else:
            queries = self.rope(queries)
            keys = self.rope(keys)

        scores = (queries * self.scale) @ keys.transpose(0, 1, 3, 2)
        if mask is not None:
            scores += mask
        scores = mx.softmax(scores.astype(mx.float32), axis=-1).astype(scores.dtype)
        output = (scores @ values).transpose(0, 2, 1, 3).reshape(B, L, -1)
        return self.o_proj(output), (keys, values)


class Block(nn.Module):
    def __init__(self, dim: int, hidden: int):
        super().__init__()
        self.attention = Attention(dim, 4, 2)
        self.gate = nn.Linear(dim, hidden, bias=False)
        self.up = nn.Linear(dim, hidden, bias=False)
        self.down = nn.Linear(hidden, dim, bias=False)
        self.input_norm = RMSNorm(dim)
        self.post_norm = RMSNorm(dim)

    def __call__(self, x, mask=None, cache=None):
        r, cache = self.attention(self.input_norm(x), mask, cache)
        h = x + r
        y = self.post_norm(h)
        return h + self.down(nn.silu(self.gate(y)) * self.up(y)), cache


class Model(nn.Module):
    def __init__(self, vocabulary: int, dim: int):
        super().__init__()
        self.embed = nn.Embedding(vocabulary, dim)
        self.blocks = [Block(dim, 2 * dim) for _ in range(2)]
        self.norm = RMSNorm(dim)

    def __call__(self, tokens, cache=None):
        h = self.embed(tokens)
        mask = None
        if h.shape[1] > 1:
            mask = nn.MultiHeadAttention.create_additive_causal_mask(h.shape[1])
            mask = mask.astype(h.dtype)
        cache = cache or [None] * len(self.blocks)
        for i, block in enumerate(self.blocks):
            h, cache[i] = block(h, mask, cache[i])
        return self.embed.as_linear(self.norm(h)), cache


def generate(model, prompt: mx.array, steps: int):
    """Reads the prompt, then a token at a time; gives the logits of every step."""
    logits, cache = model(prompt)
    seen = [logits[:, -1]]
    for _ in range(steps):
        token = mx.argmax(seen[-1], axis=-1)
        logits, cache = model(token[:, None], cache)
        seen.append(logits[:, -1])
    return mx.stack(seen)


def main():
    """The logits in float32, and those of one reading in half precision."""
    mx.random.seed(0)
    model = Model(64, 32)
    prompt = mx.random.randint(0, 64, (1, 7))
    logits = generate(model, prompt, 3)
    model.set_dtype(mx.bfloat16)
    half, _ = model(prompt)
    return logits, half


if __name__ == "__main__":
    print(main())
