"""Take evaluations out of compiled functions.

A function is compiled from arrays that have a shape and a dtype and no values. `mx.eval`, `.item()`, `float(...)` and `np.array(...)` ask
for the values, and raise in the first call.

Return the array and evaluate it outside. What a value decides is chosen with `mx.where` on the device, or before the call. Shapes and
dtypes are known while the function is traced, and may be used in Python.
"""

import mlx.core as mx

group = "compile"
guide = "Compilation: no evaluation inside"
gain = "no time: the function raises as it is (every backend)"


def before(x, limit):
    @mx.compile
    def clipped(x):
        largest = mx.max(mx.abs(x)).item()
        return x if largest < limit else x * (limit / largest)

    return clipped(x)


def after(x, limit):
    @mx.compile
    def clipped(x):
        largest = mx.max(mx.abs(x))
        return mx.where(largest < limit, x, x * (limit / largest))

    return clipped(x)
