"""Arguments for the examples beside this file."""


def rows(mx, dtype, *shape):
    return mx.random.normal(shape).astype(dtype)


ARGUMENTS = {
    "doubled": lambda mx, dtype: (rows(mx, dtype, 3, 64),),
    "squared_relu": lambda mx, dtype: (rows(mx, dtype, 3, 64),),
    "named": lambda mx, dtype: (rows(mx, dtype, 3, 64), rows(mx, dtype, 3, 64)),
    "masked": lambda mx, dtype: (rows(mx, dtype, 5, 5), mx.tri(5, 5) > 0),
    "hard_swish": lambda mx, dtype: (rows(mx, dtype, 3, 64),),
    "Attention": lambda mx, dtype: ((16,), (rows(mx, dtype, 5, 16),)),
    "gelu": lambda mx, dtype: (rows(mx, dtype, 3, 64),),
    "by_parameter": lambda mx, dtype: (rows(mx, dtype, 3, 64), 3.0),
    "root_of_a_number": lambda mx, dtype: (rows(mx, dtype, 3, 64), rows(mx, dtype, 64, 4)),
    "scores": lambda mx, dtype: (rows(mx, dtype, 2, 5, 64), rows(mx, dtype, 2, 7, 64)),
    "fused": lambda mx, dtype: [rows(mx, dtype, 1, 2, 5, 64) for _ in range(3)],
    "fused_in_eight": lambda mx, dtype: [rows(mx, dtype, 1, 2, 5, 64) for _ in range(3)],
    "fused_after_another": lambda mx, dtype: [rows(mx, dtype, 1, 2, 5, 16) for _ in range(3)],
    "Attention2d": lambda mx, dtype: ((16,), (rows(mx, dtype, 1, 3, 4, 16),)),
    "weighted": lambda mx, dtype: [rows(mx, dtype, 1, 2, 5, 64) for _ in range(3)],
    "weighted_precisely": lambda mx, dtype: [rows(mx, dtype, 1, 2, 5, 64) for _ in range(3)],
    "masked_twice": lambda mx, dtype: (rows(mx, dtype, 5, 5), mx.tri(5, 5) > 0, mx.ones((5, 5)) > 0),
    "counted": lambda mx, dtype: (rows(mx, dtype, 5, 5), mx.tri(5, 5) > 0),
    "least_of_its_dtype": lambda mx, dtype: (rows(mx, dtype, 5, 5), mx.tri(5, 5) > 0),
}
NARROWED = set(ARGUMENTS)
