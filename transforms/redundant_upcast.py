"""Drop a cast to float32 around an operation that accumulates in float32 anyway.

The fast norms, and the norms of `mlx.nn` that are made of them, take mean and variance in float32 whatever they are given: the casts
around them are kernels of their own, and make a float32 copy of the array. Without parameters the bits are the same without the casts.

A weight is multiplied and a bias added after the norm is rounded, so that without the cast each adds a rounding in half precision: up
to 1.7 times the mean error, and 4.1 times the largest. A module keeps the cast down, for its parameters may be float32. `nn.GroupNorm` and `nn.InstanceNorm` multiply and add theirs in
operations of their own. `nn.GroupNorm` computes in half precision unless it is `pytorch_compatible`, and then needs the cast. On the CPU backend the casts are cheaper in float16 than what they save.
"""

import mlx.core as mx
import mlx.nn as nn
from prelude import accumulates_in_float32, has_no_parameters, is_floating, promotes_into

group = "precision"
guide = "Type promotion and precision: avoid upcasting around fast operations"
gain = "RMS and layer norms 1.8 to 2.6 times faster, with 0.20 to 0.33 of the memory (NVIDIA H200); on a CPU 0.84 to 1.25 times in bfloat16, 0.45 to 0.55 in float16"
gain_of = {
    "GroupNorm": "with `nn.GroupNorm` 1.2 to 1.5 times faster, with 0.29 to 0.31 of the memory (NVIDIA H200, MLX 0.32.4); 0.85 of the memory on a CPU",
    "InstanceNorm": "with `nn.InstanceNorm` 1.04 to 2.1 times faster, with 0.20 to 0.33 of the memory (NVIDIA H200, MLX 0.32.4); 0.91 of the memory on a CPU",
}
slower = {"cpu": "0.45 to 0.55 of the speed in float16 (2 cores of an x86-64, MLX 0.32.4)"}
pays_in = "half precision"
numerics = {"before_rms": "exact", "before_layer": "exact", "before_bare": "exact", "before_module": "less precise"}


def before_rms(x: mx.array, eps: float):
    return mx.fast.rms_norm(x.astype(mx.float32), None, eps).astype(x.dtype)


def after_rms(x, eps):
    return mx.fast.rms_norm(x, None, eps)


def before_layer(x: mx.array, eps: float):
    return mx.fast.layer_norm(x.astype(mx.float32), None, None, eps).astype(x.dtype)


def after_layer(x, eps):
    return mx.fast.layer_norm(x, None, None, eps)


def before_bare(norm: nn.LayerNorm | nn.GroupNorm | nn.InstanceNorm, x: mx.array):
    return norm(x.astype(mx.float32)).astype(x.dtype)


def after_bare(norm: nn.LayerNorm | nn.GroupNorm | nn.InstanceNorm, x):
    return norm(x)


def guard_bare(norm, x):
    return accumulates_in_float32(norm) and has_no_parameters(norm) and is_floating(x.dtype)


def before_module(norm: nn.LayerNorm | nn.RMSNorm | nn.GroupNorm | nn.InstanceNorm, x: mx.array, dtype):
    return norm(x.astype(mx.float32)).astype(dtype)


def after_module(norm: nn.LayerNorm | nn.RMSNorm | nn.GroupNorm | nn.InstanceNorm, x, dtype):
    return norm(x).astype(dtype)


def guard_module(norm, x, dtype):
    return accumulates_in_float32(norm) and is_floating(x.dtype) and promotes_into(dtype, x.dtype)


def guard(x):
    return is_floating(x.dtype)


def inputs(dtype):
    for shape in [(3, 64), (5, 8, 64), (2, 3, 4, 64)]:
        x = mx.random.normal(shape, key=mx.random.key(1)).astype(dtype)
        norms = [nn.LayerNorm(64, affine=False), nn.RMSNorm(64), nn.GroupNorm(8, 64, pytorch_compatible=True), nn.GroupNorm(8, 64)]
        for norm in norms[: 4 if len(shape) > 2 else 2]:
            norm.apply(lambda p: mx.random.uniform(0.5, 1.5, p.shape, dtype))
            yield {"x": x + 20, "eps": 1e-5, "norm": norm, "dtype": dtype}
