"""Arguments for the examples beside this file."""


def rows(mx, dtype, *shape):
    return mx.random.normal(shape).astype(dtype)


ARGUMENTS = {
    "Attention": lambda mx, dtype: ((8, 2), (rows(mx, dtype, 2, 2, 5, 16), rows(mx, dtype, 2, 2, 5, 16))),
    "shared_heads": lambda mx, dtype: (rows(mx, dtype, 2, 2, 5, 16), 4, 8),
    "grouped_queries": lambda mx, dtype: (rows(mx, dtype, 2, 2, 5, 16), 8, 2),
    "batch_of_one_prompt": lambda mx, dtype: (rows(mx, dtype, 5, 8), rows(mx, dtype, 3, 4, 4)),
    "number_first": lambda mx, dtype: (rows(mx, dtype, 4, 4, 3), 2),
    "gray_to_colors": lambda mx, dtype: (rows(mx, dtype, 4, 6),),
    "any_axis": lambda mx, dtype: (rows(mx, dtype, 2, 3, 4), 3, -2),
}
EXACT = set(ARGUMENTS)
