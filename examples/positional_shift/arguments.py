"""Arguments for the examples beside this file, and the MLX that they were written for."""

import contextlib

import mlx.core as mx
import mlx.nn as nn


def _volume(mx, dtype):
    config = {"stride": 1, "padding": 0, "groups": 1}
    return mx.random.normal((1, 3, 3, 3, 4)).astype(dtype), mx.random.normal((4, 2, 2, 2, 4)).astype(dtype), config


def _drawn(mx, dtype, *shape):
    return mx.random.normal(shape).astype(dtype)


ARGUMENTS = {
    "WeightNormConvTranspose": lambda mx, dtype: ((4,), (_drawn(mx, dtype, 1, 6, 4),)),
    "grouped": lambda mx, dtype: (_drawn(mx, dtype, 1, 5, 5, 4), _drawn(mx, dtype, 4, 3, 3, 2), 2),
    "volume": _volume,
    "without_bias": lambda mx, dtype: (_drawn(mx, dtype, 1, 5, 8),),
    "bias_by_name": lambda mx, dtype: (_drawn(mx, dtype, 1, 5, 5, 8), False),
    "in_half_precision": lambda mx, dtype: (_drawn(mx, dtype, 8, 64),),
    "bias_unless_normalised": lambda mx, dtype: (_drawn(mx, dtype, 1, 4, 4, 4, 8),),
}
EXACT = set(ARGUMENTS)


class _Older:
    """A module in which some names have the order of parameters of an older MLX."""

    def __init__(self, module, names):
        self._module, self._names = module, names

    def __getattr__(self, name):
        return self._names.get(name) or getattr(self._module, name)


def _function(name):
    def older(input, weight, stride=1, padding=0, dilation=1, groups=1):
        return getattr(mx, name)(input, weight, stride=stride, padding=padding, dilation=dilation, groups=groups)

    return older


def _dequantize(w, scales, biases=None, group_size=None, bits=None, mode="affine", dtype=None):
    return mx.dequantize(w, scales, biases, group_size, bits, mode, dtype=dtype)


def _layer(name, *order):
    def older(*arguments):
        return getattr(nn, name)(**dict(zip(["in_channels", "out_channels", "kernel_size", "stride", "padding", *order], arguments)))

    return older


@contextlib.contextmanager
def written_for(match):
    """Within it, the file of examples sees the MLX that it was written for."""
    functions = {name: _function(name) for name in ("conv_transpose1d", "conv_transpose2d", "conv_transpose3d")}
    functions["dequantize"] = _dequantize
    layers = {"ConvTranspose1d": ["dilation", "bias"], "Conv2d": ["dilation", "bias"], "Conv3d": ["bias"]}
    match.mx = _Older(mx, functions)
    match.nn = _Older(nn, {name: _layer(name, *order) for name, order in layers.items()})
    match.conv_transpose2d = functions["conv_transpose2d"]
    try:
        yield
    finally:
        match.mx, match.nn, match.conv_transpose2d = mx, nn, mx.conv_transpose2d
