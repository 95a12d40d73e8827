"""One denoising loop of a small diffusion transformer with classifier-free guidance, in half precision."""

import mlx.core as mx
import mlx.nn as nn


def norm(x: mx.array):
    """A layer norm without parameters: scale and shift come from the time step."""
    y = x.astype(mx.float32)
    y = (y - y.mean(-1, keepdims=True)) * mx.rsqrt(y.var(-1, keepdims=True) + 1e-6)
    return y.astype(x.dtype)


class RMSNorm(nn.Module):
    """The norm of queries and keys."""

    def __init__(self, dims: int):
        super().__init__()
        self.scale = mx.ones((dims,))

    def __call__(self, x):
        return x * mx.rsqrt(mx.mean(mx.square(x), axis=-1, keepdims=True) + 1e-6) * self.scale


class Block(nn.Module):
    def __init__(self, dim: int, heads: int):
        super().__init__()
        self.heads = heads
        self.modulation = nn.Linear(dim, 2 * dim)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.query_norm = RMSNorm(dim // heads)
        self.key_norm = RMSNorm(dim // heads)
        self.out = nn.Linear(dim, dim)

    def __call__(self, x: mx.array, t: mx.array):
        B, L, D = x.shape
        shift, scale = mx.split(self.modulation(nn.silu(t))[:, None], 2, axis=-1)
        y = norm(x) * (1 + scale) + shift
        q, k, v = mx.split(self.qkv(y), 3, axis=-1)
        q = q.reshape(B, L, self.heads, -1).transpose(0, 2, 1, 3)
        k = k.reshape(B, L, self.heads, -1).transpose(0, 2, 1, 3)
        v = v.reshape(B, L, self.heads, -1).transpose(0, 2, 1, 3)
        q, k = self.query_norm(q), self.key_norm(k)
        scores = (q @ k.swapaxes(-1, -2)) * (D // self.heads) ** -0.5
        y = mx.softmax(scores, axis=-1) @ v
        return x + self.out(y.transpose(0, 2, 1, 3).reshape(B, L, D))


class Denoiser(nn.Module):
    def __init__(self, dim: int):
        super().__init__()
        self.patch = mx.random.normal((12, dim)) * 12**-0.5
        self.patch_bias = mx.zeros((dim,))
        self.blocks = [Block(dim, 2) for _ in range(2)]
        self.final = nn.Linear(dim, 12)

    def __call__(self, patches: mx.array, t: mx.array):
        x = patches @ self.patch + self.patch_bias
        for block in self.blocks:
            x = block(x, t)
        return self.final(norm(x))


def timestep_embedding(t: mx.array, dim: int, dtype):
    """Sines and cosines of the time, computed in float32 on purpose."""
    frequencies = mx.exp(-9.0 * mx.arange(dim // 2) / (dim // 2))
    angles = t[:, None].astype(mx.float32) * frequencies
    return mx.concatenate([mx.cos(angles), mx.sin(angles)], axis=-1).astype(dtype)


def denoise(model, latents: mx.array, steps: int, guidance: float):
    """Both halves of a batch see the same latents; their difference is the guidance."""
    for step in range(steps, 0, -1):
        t = mx.full((2,), step / steps)
        both = mx.concatenate([latents] * 2, axis=0)
        prediction = model(both, timestep_embedding(t * mx.array([1.0, 0.5]), 32, latents.dtype))
        conditional, unconditional = prediction[:1], prediction[1:]
        latents = latents - (unconditional + guidance * (conditional - unconditional)) / steps
    return latents


def main():
    """The latents in float32 and in bfloat16."""
    mx.random.seed(3)
    model = Denoiser(32)
    latents = mx.random.normal((1, 16, 12))
    full = denoise(model, latents, 3, 2.0)
    model.set_dtype(mx.bfloat16)
    half = denoise(model, latents.astype(mx.bfloat16), 3, 2.0)
    return full, half


if __name__ == "__main__":
    print(main())
