"""Arguments for the examples beside this file."""


def matrix(mx, dtype, *shape):
    return mx.random.normal(shape).astype(dtype)


ARGUMENTS = {
    "Linear": lambda mx, dtype: ((64, 48), (matrix(mx, dtype, 2, 5, 64),)),
    "merged_adapter": lambda mx, dtype: (matrix(mx, dtype, 48, 64), matrix(mx, dtype, 8, 64), matrix(mx, dtype, 48, 8)),
    "functions_instead_of_operators": lambda mx, dtype: (matrix(mx, dtype, 5, 64), matrix(mx, dtype, 64, 48), matrix(mx, dtype, 5, 1)),
    "residual": lambda mx, dtype: (matrix(mx, dtype, 2, 5, 48), matrix(mx, dtype, 2, 5, 64), matrix(mx, dtype, 48, 64)),
    "bias_by_statement": lambda mx, dtype: (matrix(mx, dtype, 5, 64), matrix(mx, dtype, 64, 48), matrix(mx, dtype, 48)),
}
