"""MLX's functions as exact as float64 allows, for the truth that results are compared with.

Of a float64 array, MLX 0.32.4 computes exponentials, sines and what is made of them in float32, on the CPU as well; its other functions are exact to
float64. Here the former are composed of the latter, so that they work inside `mx.grad`, too; only the error function has its values from Python's
`math`. And whole numbers that meet a fraction, or a function that gives fractions, become float64 instead of float32. What stays float32 are the arrays
that MLX makes of Python's fractions, as `mx.array(0.1)`; `mx.erfinv` and `mx.logcumsumexp` stay as MLX has them, to 3e-7 and 1e-8.
"""

import contextlib
import math

import mlx.core as mx
import numpy as np


def exp(x):
    return mx.power(mx.array(math.e, mx.float64), x)


def sin(x):
    t = mx.tan(x / 2)
    return 2 * t / (1 + t * t)


def cos(x):
    t = mx.tan(x / 2)
    return (1 - t * t) / (1 + t * t)


def sigmoid(x):
    return 1 / (1 + exp(-x))


def erf(x):
    slope, real = 2 / math.sqrt(math.pi), mx.stop_gradient(x)
    values = mx.array(np.array([math.erf(v) for v in np.array(real).reshape(-1)]).reshape(x.shape), mx.float64)
    # Nothing is added but the derivative; infinities have no difference.
    return values + slope * exp(-real * real) * mx.where(mx.isinf(real), 0.0, x - real)


def logaddexp(a, b):
    same = mx.array(a) == b  # Two infinities have no difference.
    apart = mx.where(same, 0.0, mx.abs(a - b))
    return mx.maximum(a, b) + mx.log1p(exp(-apart))


def logsumexp(x, axis=None, keepdims=False):
    largest = mx.max(x, axis=axis, keepdims=True)
    shift = mx.stop_gradient(mx.where(mx.isinf(largest), 0.0, largest))
    total = mx.log(mx.sum(exp(x - shift), axis=axis, keepdims=True)) + shift
    return total if keepdims else mx.squeeze(total, axis=axis)


def softmax(x, axis=None, *, precise=False):
    if x.size == 0:
        return x
    e = exp(x - mx.max(x, axis=axis, keepdims=True))
    return e / mx.sum(e, axis=axis, keepdims=True)


EXACT = {f.__name__: f for f in (exp, sin, cos, sigmoid, erf, logaddexp, logsumexp, softmax)}
# What gives float32 of whole numbers, or of one and a fraction.
FRACTIONAL = ("add", "subtract", "multiply", "divide", "power", "sqrt", "rsqrt", "log", "log2", "log10", "log1p", "expm1", "tan", "tanh", "sinh", "cosh")
FRACTIONAL += ("arcsin", "arccos", "arctan", "arctan2", "arcsinh", "arccosh", "arctanh", "reciprocal", "mean", "var", "std", "maximum", "minimum")
OPERATORS = [f"__{side}{name}__" for name in ("add", "sub", "mul", "truediv", "pow") for side in ("", "r")]
SINGLE = mx.float32  # Its name is given to float64 in the meantime.


def _replaced(real, exact):
    """A function that is `exact`, where there is such a one, of float64 arrays and of whole numbers that give fractions."""
    exact = exact or real

    def chosen(*arguments, stream=None, **options):
        dtypes = [a.dtype for a in arguments if isinstance(a, mx.array)]
        if mx.float64 in dtypes:
            return exact(*arguments, **options)
        result = real(*arguments, **options)
        fits = dtypes and all(mx.issubdtype(dtype, mx.integer) for dtype in dtypes) and getattr(result, "dtype", None) == SINGLE
        return exact(*(a.astype(mx.float64) if isinstance(a, mx.array) else a for a in arguments), **options) if fits else result

    return chosen


@contextlib.contextmanager
def functions():
    """Within it, MLX's functions are as exact as float64 allows where they get float64."""
    names = {**dict.fromkeys(FRACTIONAL), **EXACT}
    places = [(mx, name) for name in names] + [(mx.array, name) for name in (*names, *OPERATORS) if hasattr(mx.array, name)]
    real = [getattr(*place) for place in places]
    for (owner, name), function in zip(places, real):
        setattr(owner, name, _replaced(function, names.get(name)))
    # What MLX's layers compile for themselves was perhaps compiled with other functions.
    mx.disable_compile()
    try:
        yield
    finally:
        mx.enable_compile()
        for (owner, name), function in zip(places, real):
            setattr(owner, name, function)
