"""Arguments by position that mean what they say, or of which nobody can tell."""

import mlx.core as mx
import mlx.nn as nn


def new_meaning(x: mx.array, weight: mx.array, output_padding: int):
    """The argument is named like the parameter that is there now."""
    return mx.conv_transpose1d(x, weight, 2, 1, 1, output_padding)


def all_of_them(x: mx.array, weight: mx.array, groups: int):
    """Who passes both knows the new order."""
    return mx.conv_transpose1d(x, weight, 2, 1, 1, 0, groups)


def by_keyword(x: mx.array, weight: mx.array, groups: int):
    """The keyword says what it is."""
    return mx.conv_transpose1d(x, weight, 2, 1, 1, groups=groups)


def keyword_beside_it(x: mx.array, weight: mx.array, groups: int):
    """With the groups by keyword, the sixth argument is not them."""
    return mx.conv_transpose1d(x, weight, 2, 1, 1, groups - 1, groups=groups)


def a_number(x: mx.array, weight: mx.array):
    """A number could be either."""
    return mx.conv_transpose1d(x, weight, 2, 1, 1, 1)


def a_scale(weight: mx.array, packed: mx.array, scales: mx.array, scale: mx.array):
    """The seventh argument is what it is called."""
    return mx.dequantize(packed, scales, None, 16, 4, "nvfp4", scale)


def another_function(x: mx.array, weight: mx.array, groups: int):
    """The plain convolution has not changed."""
    return mx.conv1d(x, weight, 1, 1, 1, groups)


def a_subscript(x: mx.array, weight: mx.array, settings: list):
    """Nothing says what the sixth setting is."""
    return mx.conv_transpose1d(x, weight, *settings[:3], settings[3])


def in_its_place(x: mx.array, groups: int, bias: bool):
    """Both are where they belong now."""
    return nn.Conv2d(8, 8, 3, 1, 1, 1, groups, bias)(x)


class ConvTranspose1d(nn.Module):
    """A layer of one's own by the same name."""

    def __init__(self, dims: int, kernel: int, stride: int, padding: int, dilation: int, groups: int, bias: bool):
        super().__init__()
        self.args = (stride, padding, dilation, 0, groups)


def own_layer(groups: int):
    """It keeps its own order."""
    return ConvTranspose1d(8, 3, 1, 1, 1, groups, False)
