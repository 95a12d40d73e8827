"""Keep lengths out of functions that are compiled for all shapes.

With `shapeless=True` a function is traced once, and Python sees the shape of the first call only. A length that it reads then is a
constant of the program: with another shape a mean is divided by the wrong number, without a word, or a reshape raises.

Operations that take the shape from the array go on working: means, reductions, `flatten`, `zeros_like`, `-1` in a reshape. The last axis
is left out here, for it is that of the features, which stays. Where lengths are needed, compile without `shapeless`: each new shape is
then compiled by itself.
"""

from functools import partial

import mlx.core as mx

group = "compile"
guide = "Compilation: shapeless compilation"
gain = "no time: the results are wrong for the second shape (every backend)"


def before(batches):
    @partial(mx.compile, shapeless=True)
    def average(x):
        return mx.sum(x, axis=0) / x.shape[0]

    return [average(x) for x in batches]


def after(batches):
    @partial(mx.compile, shapeless=True)
    def average(x):
        return mx.mean(x, axis=0)

    return [average(x) for x in batches]
