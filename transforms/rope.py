"""Use `mx.fast.rope` for a rotary embedding that is written out.

One kernel instead of some fifteen: positions, frequencies, angles, their cosines and sines and the rotation are one; no table is written or read.

This is for code that holds all of it: the base, positions that count on from an offset along the axis before the last, and the rotation of the whole
last axis, by halves or by pairs; the rest of a longer axis may be joined to it. Tables from elsewhere, positions of each token and scaled frequencies
stay: what they hold does not show. The fast operation takes exponentials for frequencies. Where the code does so too, the CPU gives the same bits;
where it takes powers of the base, the mean error of a float32 result is 1.1 to 2.2 times as large afterwards, that of a half-precision one the same. With tables in half precision the GPU is more precise.
On a CPU the operation is slower than tables that are ready (0.37 to 0.71 of the speed), but not than tables that are made at each call, and others do not match.
"""

import mlx.core as mx
from prelude import angles, any_of, in_front, is_even, is_floating, is_half, is_integer, is_length, is_positive, is_width, keeps_shape, promotes_into, wave

group = "fast ops"
guide = "Fast operations: mx.fast.rope"
gain = "8.7 times faster at decode where tables are made at each call, 4.2 times in prefill by pairs (bfloat16, NVIDIA H200); 1.05 to 1.13 times on a CPU"
cautions = {"is_half(h, x)": "mlxfix knows frequencies that are counted by it, where those of `angles` are not"}
numerics = {"before": "rounding", "before_cast": "rounding", "before_pairs": "rounding", "before_pairs_cast": "rounding", "before_power": "less precise",
            "before_cast_power": "less precise", "before_pairs_power": "less precise", "before_pairs_cast_power": "less precise"}  # fmt: skip


def halves(x, k, a, lead, t):
    first, second = mx.split(x, 2, axis=-1)
    u, v, c, s = any_of(first, x[..., :k]), any_of(second, x[..., k:]), wave(mx.cos, a, 1, lead, t), wave(mx.sin, a, 1, lead, t)
    turned = x * wave(mx.cos, a, 2, lead, t) + mx.concatenate([-v, u], axis=-1) * wave(mx.sin, a, 2, lead, t)
    return any_of(mx.concatenate([u * c - v * s, v * c + u * s], axis=-1), turned)


def pairs(x, shape, a, lead, t):
    u, v, c, s = x[..., ::2], x[..., 1::2], wave(mx.cos, a, 1, lead, t), wave(mx.sin, a, 1, lead, t)
    rows = mx.stack([u * c - v * s, v * c + u * s], axis=-1)
    return any_of(mx.reshape(rows, shape), mx.flatten(rows, -2))


def before(x: mx.array, base: float, offset: int, scale: float, n: int, d: int, h: int, k: int, lead):
    return halves(x, k, angles(mx.exp, n, d, h, base, offset, scale), lead, mx.float32)


def before_cast(x: mx.array, base: float, offset: int, scale: float, n: int, d: int, h: int, k: int, lead, t: mx.Dtype):
    return halves(x, k, angles(mx.exp, n, d, h, base, offset, scale), lead, t)


def before_power(x: mx.array, base: float, offset: int, scale: float, n: int, d: int, h: int, k: int, lead):
    return halves(x, k, angles(mx.power, n, d, h, base, offset, scale), lead, mx.float32)


def before_cast_power(x: mx.array, base: float, offset: int, scale: float, n: int, d: int, h: int, k: int, lead, t: mx.Dtype):
    return halves(x, k, angles(mx.power, n, d, h, base, offset, scale), lead, t)


def before_pairs(x: mx.array, base: float, offset: int, scale: float, n: int, d: int, h: int, shape, lead):
    return pairs(x, shape, angles(mx.exp, n, d, h, base, offset, scale), lead, mx.float32)


def before_pairs_cast(x: mx.array, base: float, offset: int, scale: float, n: int, d: int, h: int, shape, lead, t: mx.Dtype):
    return pairs(x, shape, angles(mx.exp, n, d, h, base, offset, scale), lead, t)


def before_pairs_power(x: mx.array, base: float, offset: int, scale: float, n: int, d: int, h: int, shape, lead):
    return pairs(x, shape, angles(mx.power, n, d, h, base, offset, scale), lead, mx.float32)


def before_pairs_cast_power(x: mx.array, base: float, offset: int, scale: float, n: int, d: int, h: int, shape, lead, t: mx.Dtype):
    return pairs(x, shape, angles(mx.power, n, d, h, base, offset, scale), lead, t)


def after(x, base, offset=0, scale=1.0):
    return mx.fast.rope(x.astype(mx.float32), x.shape[-1], traditional=False, base=base, scale=scale, offset=offset)


def after_cast(x, base, offset=0, scale=1.0):
    return mx.fast.rope(x, x.shape[-1], traditional=False, base=base, scale=scale, offset=offset)


def after_pairs(x, base, offset=0, scale=1.0):
    return mx.fast.rope(x.astype(mx.float32), x.shape[-1], traditional=True, base=base, scale=scale, offset=offset)


def after_pairs_cast(x, base, offset=0, scale=1.0):
    return mx.fast.rope(x, x.shape[-1], traditional=True, base=base, scale=scale, offset=offset)


def guard(x, base, n, d=None, h=None, offset=None, lead=None, k=None, t=None):
    return (x.ndim >= 3 and is_floating(x.dtype) and is_length(n, x) and is_width(d, x) and is_half(h, x) and is_positive(base) and is_integer(offset)
            and in_front(lead, x) and (k is None or is_half(k, x) and is_even(x)) and (t is None or promotes_into(t, x.dtype)))  # fmt: skip


def guard_pairs(x, base, n, d=None, h=None, offset=None, lead=None, shape=None, t=None):
    return guard(x, base, n, d, h, offset, lead, None, t) and keeps_shape(shape, x)


def inputs(dtype):
    for shape in [(2, 3, 5, 8), (1, 2, 1, 64), (3, 4, 16)]:
        x, lead = mx.random.normal(shape, key=mx.random.key(1)).astype(dtype), tuple(range(len(shape) - 2))
        given = {"x": x, "base": 1e4, "offset": 3, "scale": 0.5, "n": shape[-2], "d": shape[-1], "h": shape[-1] // 2, "k": shape[-1] // 2}
        yield from (given | {"lead": lead, "shape": shape, "t": t} for t in (dtype, mx.float16))
