"""Arguments for the examples beside this file."""


def rows(mx, dtype, *shape):
    return (0.5 + mx.random.normal(shape)).astype(dtype)


ARGUMENTS = {
    "LayerNorm": lambda mx, dtype: ((64,), (rows(mx, dtype, 3, 5, 64),)),
    "UpcastLayerNorm": lambda mx, dtype: ((64,), (rows(mx, dtype, 3, 5, 64),)),
    "NoBias": lambda mx, dtype: ((64,), (rows(mx, dtype, 3, 5, 64),)),
    "axis_for_a_helper": lambda mx, dtype: (rows(mx, dtype, 3, 5, 64),),
    "without_affine": lambda mx, dtype: (rows(mx, dtype, 3, 5, 64),),
    "variance_by_hand": lambda mx, dtype: (rows(mx, dtype, 5, 64), rows(mx, dtype, 64), rows(mx, dtype, 64), 1e-5),
    "modulated": lambda mx, dtype: (rows(mx, dtype, 2, 9, 64), rows(mx, dtype, 2, 64), rows(mx, dtype, 2, 64)),
    "WeightFirst": lambda mx, dtype: ((64,), (rows(mx, dtype, 3, 5, 64),)),
    "WeightByTheRoot": lambda mx, dtype: ((64,), (rows(mx, dtype, 3, 5, 64),)),
    "weight_first_alone": lambda mx, dtype: (rows(mx, dtype, 5, 64), rows(mx, dtype, 64)),
    "weight_by_the_root_alone": lambda mx, dtype: (rows(mx, dtype, 5, 64), rows(mx, dtype, 64)),
}
EXACT = {"UpcastLayerNorm"}
