"""Arguments for the examples beside this file."""

import mlx.nn as nn


def rows(mx, dtype, *shape):
    return (mx.random.normal(shape) + 0.5).astype(dtype)


ARGUMENTS = {
    "Cohere": lambda mx, dtype: ((64,), (rows(mx, dtype, 3, 5, 64),)),
    "queries_and_keys": lambda mx, dtype: (rows(mx, dtype, 2, 4, 7, 32), rows(mx, dtype, 2, 2, 7, 32), 1e-6),
    "step_by_step": lambda mx, dtype: (rows(mx, dtype, 3, 5, 64),),
    "by_keyword": lambda mx, dtype: (rows(mx, dtype, 3, 5, 64), rows(mx, dtype, 3, 5, 64)),
    "one_dtype": lambda mx, dtype: (rows(mx, dtype, 3, 64),),
    "LayerNorm": lambda mx, dtype: ((64,), (rows(mx, dtype, 3, 5, 64),)),
    "ResnetBlock": lambda mx, dtype: ((64,), (rows(mx, dtype, 2, 4, 4, 64),)),
    "Modulated": lambda mx, dtype: ((64,), (rows(mx, dtype, 2, 5, 64), rows(mx, dtype, 64), rows(mx, dtype, 64))),
    "Encoder": lambda mx, dtype: ((64, dtype), (rows(mx, dtype, 3, 5, 64),)),
    "ChannelNorm": lambda mx, dtype: ((8, 64), (rows(mx, dtype, 2, 64, 4, 4),)),
    "PlainLayerNorm": lambda mx, dtype: ((64,), (rows(mx, dtype, 3, 5, 64),)),
    "any_norm": lambda mx, dtype: (nn.LayerNorm(64), rows(mx, dtype, 3, 64)),
}
EXACT = {"Cohere", "queries_and_keys", "step_by_step", "by_keyword", "one_dtype", "Modulated"}
LESS_PRECISE = {"LayerNorm", "ResnetBlock", "Encoder", "ChannelNorm", "PlainLayerNorm", "any_norm"}
