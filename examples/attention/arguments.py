"""Arguments for the examples beside this file."""


def heads(mx, dtype, *shape):
    return mx.random.normal(shape).astype(dtype)


def causal(mx, dtype, length):
    return mx.where(mx.tri(length, length) > 0, 0.0, -1e4).astype(dtype)


def three(mx, dtype, *shape):
    return tuple(heads(mx, dtype, *shape) for _ in range(3))


ARGUMENTS = {
    "Attention": lambda mx, dtype: ((64, 4), (heads(mx, dtype, 2, 9, 64), causal(mx, dtype, 9))),
    "scores_divided": lambda mx, dtype: (*three(mx, dtype, 2, 9, 128), 2, 64),
    "mask_always_there": lambda mx, dtype: (*three(mx, dtype, 2, 4, 9, 64), causal(mx, dtype, 9)),
    "no_scale": lambda mx, dtype: three(mx, dtype, 2, 4, 9, 16),
    "scores_in_float32": lambda mx, dtype: (*three(mx, dtype, 2, 4, 9, 32), causal(mx, dtype, 9)),
    "repeated_heads": lambda mx, dtype: (heads(mx, dtype, 2, 4, 9, 16), *three(mx, dtype, 2, 2, 9, 16)[:2], 2),
    "keys_stored_transposed": lambda mx, dtype: (heads(mx, dtype, 2, 9, 64), 4, causal(mx, dtype, 9)),
}
EXACT = {"mask_always_there", "no_scale"}
