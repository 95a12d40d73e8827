"""Arguments for the examples beside this file."""


def rows(mx, dtype, *shape):
    return mx.random.normal(shape).astype(dtype)


def pair(mx, dtype):
    return rows(mx, dtype, 2, 5, 8), rows(mx, dtype, 8, 8)


ARGUMENTS = {
    "CausalConv": lambda mx, dtype: ((8, 3), (rows(mx, dtype, 2, 5, 8),)),
    "causal": lambda mx, dtype: (rows(mx, dtype, 2, 5, 8), rows(mx, dtype, 2, 5, 8)),
    "framed": pair,
    "clipped": lambda mx, dtype: (*pair(mx, dtype), rows(mx, mx.float32, 2, 5, 8) > 0),
    "gathered": lambda mx, dtype: (*pair(mx, dtype), 9),
    "whitened": lambda mx, dtype: (rows(mx, dtype, 8, 8), rows(mx, dtype, 8, 8)),
    "plain": pair,
    "continued": pair,
    "mirrored": lambda mx, dtype: (rows(mx, dtype, 3, 4), rows(mx, dtype, 4, 5)),
    "Stack": lambda mx, dtype: ((8,), (mx.arange(10).reshape(2, 5),)),
    "Experts": lambda mx, dtype: ((8,), (rows(mx, dtype, 5, 8), mx.array([0, 2]))),
    "preceded": lambda mx, dtype: (*pair(mx, dtype), 3),
    "centred": lambda mx, dtype: (rows(mx, dtype, 3, 4), rows(mx, dtype, 4, 5)),
}
NARROWED = set(ARGUMENTS)
