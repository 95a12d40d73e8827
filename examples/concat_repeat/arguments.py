"""Arguments for the examples beside this file."""


def rows(mx, dtype, *shape):
    return mx.random.normal(shape).astype(dtype)


ARGUMENTS = {
    "Attention": lambda mx, dtype: ((8, 2), (rows(mx, dtype, 2, 2, 5, 16), rows(mx, dtype, 2, 2, 5, 16))),
    "shared_heads": lambda mx, dtype: (rows(mx, dtype, 2, 2, 5, 16), 4, 8),
    "grouped_queries": lambda mx, dtype: (rows(mx, dtype, 2, 2, 5, 16), 8, 2),
    "batch_of_one_prompt": lambda mx, dtype: (rows(mx, dtype, 5, 8), rows(mx, dtype, 3, 4, 4)),
    "two_new_axes": lambda mx, dtype: (rows(mx, dtype, 4, 6), 3),
    "number_first": lambda mx, dtype: (rows(mx, dtype, 4, 4, 3), 2),
    "gray_to_colors": lambda mx, dtype: (rows(mx, dtype, 4, 6),),
    "any_axis": lambda mx, dtype: (rows(mx, dtype, 2, 3, 4), 3, -2),
    "shared_positions": lambda mx, dtype: (rows(mx, dtype, 2, 5, 6), 4, 6),
    "padded_with_the_last": lambda mx, dtype: (rows(mx, dtype, 2, 3, 4), 2),
    "means_of_rows": lambda mx, dtype: (rows(mx, dtype, 4, 6),),
    "rgb": lambda mx, dtype: (rows(mx, dtype, 4, 6),),
    "both_eyes": lambda mx, dtype: (rows(mx, dtype, 4, 6),),
    "one_for_each_sample": lambda mx, dtype: (rows(mx, dtype, 4, 6), 3),
    "three_channels": lambda mx, dtype: (rows(mx, dtype, 4, 6),),
}
EXACT = set(ARGUMENTS)
