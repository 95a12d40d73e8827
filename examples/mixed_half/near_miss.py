"""Half precisions that do not meet."""

import mlx.core as mx


def one_of_them(x: mx.array, w: mx.array):
    """Both are the same."""
    return x.astype(mx.bfloat16) @ w.astype(mx.bfloat16)


def beside_single(x: mx.array, w: mx.array):
    """Float32 is meant."""
    return x.astype(mx.float32) @ w.astype(mx.float16)


def unknown(x: mx.array, w: mx.array):
    """What `w` is nobody says here."""
    return x.astype(mx.float16) @ w


def cast_between(x: mx.array, w: mx.array):
    """It is cast before they meet."""
    h = x.astype(mx.float16)
    return h.astype(mx.bfloat16) @ w.astype(mx.bfloat16)


def apart(x: mx.array):
    """Two results, each in its own."""
    return x.astype(mx.float16), x.astype(mx.bfloat16)


def with_number(x: mx.array):
    """A Python number has no dtype, and a whole number promotes nothing."""
    return x.astype(mx.bfloat16) * 2.0 + mx.array(3)


def compared(x: mx.array, y: mx.array):
    """A comparison gives truth values."""
    return x.astype(mx.bfloat16) > y.astype(mx.float16)
