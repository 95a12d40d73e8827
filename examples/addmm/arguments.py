"""Arguments for the examples beside this file."""


def matrix(mx, dtype, *shape):
    return mx.random.normal(shape).astype(dtype)


def three(mx, dtype):
    return matrix(mx, dtype, 5, 48), matrix(mx, dtype, 5, 64), matrix(mx, dtype, 64, 48)


ARGUMENTS = {
    "Linear": lambda mx, dtype: ((64, 48), (matrix(mx, dtype, 2, 5, 64),)),
    "merged_adapter": lambda mx, dtype: (matrix(mx, dtype, 48, 64), matrix(mx, dtype, 8, 64), matrix(mx, dtype, 48, 8)),
    "functions_instead_of_operators": lambda mx, dtype: (matrix(mx, dtype, 5, 64), matrix(mx, dtype, 64, 48), matrix(mx, dtype, 5, 1)),
    "residual": lambda mx, dtype: (matrix(mx, dtype, 2, 5, 48), matrix(mx, dtype, 2, 5, 64), matrix(mx, dtype, 48, 64)),
    "squared_distances": lambda mx, dtype: (matrix(mx, dtype, 5, 64), matrix(mx, dtype, 64, 48)),
    "adapters_in_float32": three,
    "scaled_update": lambda mx, dtype: (*three(mx, dtype), 0.5),
    "scaled_factor": lambda mx, dtype: (*three(mx, dtype), 0.5),
    "scaled_other_factor": lambda mx, dtype: (*three(mx, dtype), 0.5),
    "residual_of_a_fit": three,
    "minus_target": three,
    "Projection": lambda mx, dtype: ((64, 48), (matrix(mx, dtype, 2, 5, 64),)),
    "sum_of_three": lambda mx, dtype: (matrix(mx, dtype, 5, 64), matrix(mx, dtype, 64, 48), matrix(mx, dtype, 48), matrix(mx, dtype, 5, 48)),
    "bias_in_place": lambda mx, dtype: (matrix(mx, dtype, 5, 64), matrix(mx, dtype, 64, 48), matrix(mx, dtype, 48)),
    "step_of_an_iteration": lambda mx, dtype: (matrix(mx, dtype, 4096),),
    "bias_by_statement": lambda mx, dtype: (matrix(mx, dtype, 5, 64), matrix(mx, dtype, 64, 48), matrix(mx, dtype, 48)),
    "distances_to_codes": lambda mx, dtype: (matrix(mx, dtype, 5, 64), matrix(mx, dtype, 48, 64)),
    "NearestCode": lambda mx, dtype: ((48, 64), (matrix(mx, dtype, 2, 5, 64),)),
    "Codebook": lambda mx, dtype: ((48, 64), (matrix(mx, dtype, 5, 64),)),
    "PricedCodes": lambda mx, dtype: ((48, 64), (matrix(mx, dtype, 5, 64),)),
    "squared_sums": lambda mx, dtype: (matrix(mx, dtype, 5, 64), matrix(mx, dtype, 48, 64)),
    "column_in_float32": lambda mx, dtype: (matrix(mx, dtype, 5, 64), matrix(mx, dtype, 48, 64)),
    "Patches": lambda mx, dtype: ((64, 48), (matrix(mx, dtype, 2, 5, 64),)),
}
