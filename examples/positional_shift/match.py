"""Calls that were written for an older MLX, and mean something else since a parameter was put in."""

import mlx.core as mx
import mlx.nn as nn
from mlx.core import conv_transpose2d


class WeightNormConvTranspose(nn.Module):
    """A weight-normalised upsampling layer of an audio codec hands on its own settings."""

    def __init__(self, channels: int):
        super().__init__()
        self.weight = mx.ones((channels, 4, channels))
        self.stride = 2
        self.padding = 1
        self.dilation = 1
        self.output_padding = 0
        self.groups = 1

    def __call__(self, x: mx.array):
        return mx.conv_transpose1d(x, self.weight, self.stride, self.padding, self.dilation, self.groups)


def grouped(x: mx.array, weight: mx.array, num_groups: int):
    """A number of groups by another name, in an imported function."""
    return conv_transpose2d(x, weight, (2, 2), (1, 1), (1, 1), num_groups)


def volume(x: mx.array, weight: mx.array, config: dict):
    """The setting of a configuration, over several lines."""
    return mx.conv_transpose3d(
        x,
        weight,
        config["stride"],
        config["padding"],
        1,
        config["groups"],  # one for each kind of voxel
    )


def without_bias(x: mx.array):
    """A truth value is no output padding."""
    layer = nn.ConvTranspose1d(8, 8, 4, 2, 1, 1, False)
    return layer(x).shape, "bias" in layer


def bias_by_name(x: mx.array, use_bias: bool):
    """What was the bias of a convolution is its number of groups now."""
    layer = nn.Conv2d(8, 8, 3, 1, 1, 1, use_bias)
    return layer(x).shape, "bias" in layer


def in_half_precision(weight: mx.array):
    """A dtype is no scale."""
    packed, scales, biases = mx.quantize(weight, 64, 4)
    return mx.dequantize(packed, scales, biases, 64, 4, "affine", mx.float16)


def bias_unless_normalised(x: mx.array, norm: bool = True):
    """A comparison or a `not` is a truth value as well."""
    layer = nn.Conv3d(8, 8, 3, 1, 1, not norm)
    return layer(x).shape, "bias" in layer
