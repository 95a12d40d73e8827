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
    "cast_to_the_queries": lambda mx, dtype: (heads(mx, dtype, 2, 4, 9, 16), *three(mx, dtype, 2, 2, 9, 16)[:2], 2, causal(mx, dtype, 9)),
    "hidden_by_where": lambda mx, dtype: (*three(mx, dtype, 2, 4, 9, 16), mx.array([[False] * 7 + [True] * 2, [False] * 9])),
    "causal_mask": lambda mx, dtype: (heads(mx, dtype, 2, 9, 64), 4),
    "position_bias": lambda mx, dtype: (*three(mx, dtype, 2, 4, 9, 16), heads(mx, dtype, 4, 9, 9), causal(mx, dtype, 9)),
    "bias_before_scale": lambda mx, dtype: (*three(mx, dtype, 2, 4, 9, 16), heads(mx, dtype, 4, 9, 9)),
    "mask_cast_to_the_scores": lambda mx, dtype: (*three(mx, dtype, 2, 4, 9, 16), causal(mx, dtype, 9)),
    "flag_for_a_helper": lambda mx, dtype: (*three(mx, dtype, 2, 4, 9, 16), causal(mx, dtype, 9)),
    "mask_cut_to_the_keys": lambda mx, dtype: (*three(mx, dtype, 2, 4, 9, 16), mx.zeros((1, 1, 9, 12), dtype)),
    "mask_cast_without_scale": lambda mx, dtype: (*three(mx, dtype, 2, 4, 9, 16), causal(mx, dtype, 9)),
    "causal": lambda mx, dtype: three(mx, dtype, 2, 4, 9, 16),
    "PackedHeads": lambda mx, dtype: ((32, 4), (heads(mx, dtype, 2, 7, 32),)),
}
EXACT = {"mask_always_there", "no_scale"}
