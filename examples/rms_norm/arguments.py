"""Arguments for the examples beside this file."""


def rows(mx, dtype, *shape):
    return mx.random.normal(shape).astype(dtype)


ARGUMENTS = {
    "LlamaRMSNorm": lambda mx, dtype: ((64,), (rows(mx, dtype, 3, 5, 64),)),
    "T5LayerNorm": lambda mx, dtype: ((64,), (rows(mx, dtype, 3, 5, 64),)),
    "GemmaRMSNorm": lambda mx, dtype: ((64,), (rows(mx, dtype, 3, 5, 64),)),
    "Float32ThenCast": lambda mx, dtype: ((64,), (rows(mx, dtype, 3, 5, 64),)),
    "by_division": lambda mx, dtype: (rows(mx, dtype, 3, 5, 64), 1 + rows(mx, dtype, 64), 1e-5),
    "mean_as_a_sum": lambda mx, dtype: (rows(mx, dtype, 3, 5, 64),),
    "queries_and_keys": lambda mx, dtype: (rows(mx, dtype, 2, 4, 7, 32), rows(mx, dtype, 2, 2, 7, 32)),
    "new_axis_instead_of_keepdims": lambda mx, dtype: (rows(mx, dtype, 3, 5, 64),),
    "weight_per_row": lambda mx, dtype: (rows(mx, dtype, 3, 64), 1 + rows(mx, dtype, 3)),
    "StatisticsInFloat32": lambda mx, dtype: ((64,), (rows(mx, dtype, 3, 5, 64),)),
    "statistics_in_float32": lambda mx, dtype: (rows(mx, dtype, 3, 5, 64),),
    "weight_first": lambda mx, dtype: (rows(mx, dtype, 3, 5, 64), 1 + rows(mx, dtype, 64)),
    "compiled": lambda mx, dtype: (rows(mx, dtype, 3, 5, 64), rows(mx, dtype, 64)),
}
EXACT = {"LlamaRMSNorm", "weight_per_row"}
