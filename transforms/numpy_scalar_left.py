"""Make Python numbers of NumPy scalars that stand to the left of an array.

To the left of an operator NumPy's scalar decides: `np.sqrt(d) * x` waits for `x`, copies it to the host and is a NumPy array, in float64
even. What follows copies it back. With bfloat16 it raises, and so it does under `mx.compile`. To the right, as in `x * np.sqrt(d)`, MLX
decides and takes the scalar for a Python number; so does it with `math.sqrt(d)` and `float(...)` on either side.

The result is another sort of thing then, so this is advice. `np.pi`, `np.e` and `np.inf` are Python numbers already.
"""

import math

import mlx.core as mx
import numpy as np

group = "precision"
guide = "Type promotion and precision: Python scalars are weakly typed"
gain = "1.0 to 1.4 times faster around a product of a million elements (CPU); a wait and two copies on a GPU were not measured"


def before(x: mx.array):
    return np.sqrt(2.0) * mx.tanh(x)


def after(x: mx.array):
    return math.sqrt(2.0) * mx.tanh(x)
