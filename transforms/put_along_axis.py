"""Use `mx.put_along_axis` where rows are counted out to store into elements of each.

`y[mx.arange(n), i] = v` makes an array of row numbers and scatters with two index arrays. `mx.put_along_axis` needs neither the row
numbers nor the general scatter, and keeps working for other shapes under `mx.compile(shapeless=True)`, where the assignment raises.

The function makes an array instead of changing one: nothing but the name that is assigned may hold it. A number is wrapped in an array
of the same dtype, since the function takes no other. Where an index occurs twice in a row it is not documented which value stays.
"""

import mlx.core as mx
from prelude import any_of, as_long, counts, has_axes, is_distinct, is_scalar, stored

group = "operations"
guide = "Operations: mx.take_along_axis and mx.put_along_axis"
gain = "1.5 times faster for the top 8 of a router with 64 experts, 1.04 times for one element of each row of 32000 (NVIDIA H200); 7 to 9 and 1.05 times on a CPU"
cautions = {"is_distinct(i)": "which of two values is stored in one place is not documented"}
numerics = {"before": "exact", "before_arrays": "exact", "before_some": "exact", "before_some_arrays": "exact", "before_groups": "exact"}


def before(y: mx.array, n: int, i: mx.array, v, d):
    return stored(y, (mx.arange(n, dtype=d), i), v)


def after(y, i, v):
    return mx.put_along_axis(y, mx.expand_dims(i, -1), mx.array(v, y.dtype), axis=-1)


def guard(y, n, i, v):
    return is_scalar(v) and counts(n, y, i, 0) and as_long(i, y, 0) and has_axes(y, i, 2) and i.ndim == 1


def before_arrays(y: mx.array, n: int, i: mx.array, a: mx.array, d):
    return stored(y, (mx.arange(n, dtype=d), i), a)


def after_arrays(y, i, a):
    return mx.put_along_axis(y, mx.expand_dims(i, -1), mx.expand_dims(a, -1), axis=-1)


def guard_arrays(y, n, i, a):
    return counts(n, y, i, 0) and as_long(i, y, 0) and has_axes(y, i, 2) and i.ndim == 1


def before_some(y: mx.array, n: int, i: mx.array, v, d):
    return stored(y, (mx.expand_dims(mx.arange(n, dtype=d), -1), i), v)


def after_some(y, i, v):
    return mx.put_along_axis(y, i, mx.array(v, y.dtype), axis=-1)


def guard_some(y, n, i, v):
    return is_scalar(v) and counts(n, y, i, 0) and as_long(i, y, 0) and has_axes(y, i, 2) and i.ndim == 2


def before_some_arrays(y: mx.array, n: int, i: mx.array, a: mx.array, d):
    return stored(y, (mx.expand_dims(mx.arange(n, dtype=d), -1), i), a)


def after_some_arrays(y, i, a):
    return mx.put_along_axis(y, i, a, axis=-1)


def guard_some_arrays(y, n, i, a):
    return counts(n, y, i, 0) and as_long(i, y, 0) and has_axes(y, i, 2) and i.ndim == 2 and is_distinct(i)


def before_groups(y: mx.array, n: int, m: int, i: mx.array, v, d, e):
    columns = any_of(mx.expand_dims(mx.arange(m, dtype=e), -1), mx.expand_dims(mx.arange(m, dtype=e), (-3, -1)))
    return stored(y, (mx.expand_dims(mx.arange(n, dtype=d), (-2, -1)), columns, i), v)


def after_groups(y, i, v):
    return mx.put_along_axis(y, mx.expand_dims(i, -1), mx.array(v, y.dtype), axis=-2)


def guard_groups(y, n, m, i, v):
    return is_scalar(v) and counts(n, y, i, 0) and counts(m, y, i, 1) and as_long(i, y, 0) and as_long(i, y, 1) and has_axes(y, i, 4) and i.ndim == 3


def inputs(dtype):
    for n, m, columns in [(4, 5, 7), (1, 4, 5)]:  # no index is beyond any axis that a pattern may put it on
        y, some = mx.random.normal((n, columns)).astype(dtype), mx.argsort(mx.random.normal((n, columns)))[:, :3]
        yield {"y": y, "n": n, "m": m, "d": None, "e": None, "i": mx.random.randint(0, columns, (n,)), "v": 0.5, "a": mx.random.normal((n,)).astype(dtype)}
        yield {"y": y, "n": n, "m": m, "d": None, "e": None, "i": some, "v": -2, "a": mx.random.normal((n, 3)).astype(dtype)}
        groups = mx.random.normal((n, m, 4, columns)).astype(dtype)
        yield {"y": groups, "n": n, "m": m, "d": None, "e": None, "i": mx.argsort(groups.sum(axis=-1))[..., :2], "v": 0.0, "a": mx.zeros((1,), dtype)}
