"""Pass by keyword what a newer MLX would read as another parameter.

MLX has put parameters in front of ones that were passed by position, so the same call means something else now, and mostly without an
error: the sixth argument of `mx.conv_transpose1d` was `groups` and has been `output_padding` since MLX 0.25.1.

By keyword the call means the same to every version. It is proposed where the argument is named like the parameter that it used to be
(`self.groups`) or is a truth value where a size is expected. That is no proof, so it is never safe.
"""

import mlx.core as mx

group = "upkeep"
guide = "MLX documentation: Operations, mx.conv_transpose1d"
gain = "no time: the result that was meant (every backend)"
applicability = "unsafe"
numerics = {"before": "exact"}


def before(x: mx.array, weight: mx.array, groups):
    return mx.conv_transpose1d(x, weight, 2, 1, 1, groups)


def after(x: mx.array, weight: mx.array, groups):
    return mx.conv_transpose1d(x, weight, 2, 1, 1, groups=groups)
