"""Use `mx.take_along_axis` where rows or columns are counted out to pick elements of each.

`x[mx.arange(n), i]` makes an array of row numbers and gathers with two index arrays. `mx.take_along_axis` needs neither them nor the
general gather, and keeps working for other shapes under `mx.compile(shapeless=True)`, where `mx.arange(n)` freezes the length.

The numbers must span their axes, and the array have no more axes than there are indices: whole rows are another gather. On CUDA the
gather of all of a large matrix is slower, so that rows that are sorted as a whole are left alone.
"""

import mlx.core as mx
from prelude import any_of, counts, has_axes, is_order, is_part

group = "operations"
guide = "Operations: mx.take_along_axis and mx.put_along_axis"
gain = "1.1 to 1.9 times faster for labels, top-k and routers; 0.46 times the speed where all of an 8192 by 4096 matrix is gathered (NVIDIA H200); 1.3 to 7.3 times on a CPU"
cautions = {"is_order(i)": "where rows are picked from alike, `x[..., i]` is what the array was made for; the order of one sorted row is measured"}
numerics = {"before": "exact", "before_batch": "exact", "before_some": "exact", "before_some_of_batch": "exact", "before_columns": "exact", "before_sorted": "exact", "before_order": "exact"}


def before(x: mx.array, n: int, i: mx.array, d):
    return x[mx.arange(n, dtype=d), i]


def after(x, i):
    return mx.take_along_axis(x, mx.expand_dims(i, -1), axis=-1).squeeze(-1)


def guard(x, n, i):
    return counts(n, x, i, 0) and has_axes(x, i, 2) and i.ndim == 1


def before_batch(x: mx.array, n: int, m: int, i: mx.array, d, e):
    return x[mx.expand_dims(mx.arange(n, dtype=d), -1), any_of(mx.arange(m, dtype=e), mx.expand_dims(mx.arange(m, dtype=e), -2)), i]


def guard_batch(x, n, m, i):
    return counts(n, x, i, 0) and counts(m, x, i, 1) and has_axes(x, i, 3) and i.ndim == 2


def before_some(x: mx.array, n: int, i: mx.array, d):
    return x[mx.expand_dims(mx.arange(n, dtype=d), -1), i]


def after_some(x, i):
    return mx.take_along_axis(x, i, axis=-1)


def guard_some(x, n, i):
    return counts(n, x, i, 0) and has_axes(x, i, 2) and i.ndim == 2 and is_part(i)


def before_some_of_batch(x: mx.array, n: int, m: int, i: mx.array, d, e):
    columns = any_of(mx.expand_dims(mx.arange(m, dtype=e), -1), mx.expand_dims(mx.arange(m, dtype=e), (-3, -1)))
    return x[mx.expand_dims(mx.arange(n, dtype=d), (-2, -1)), columns, i]


def after_some_of_batch(x, i):
    return mx.take_along_axis(x, i, axis=-1)


def guard_some_of_batch(x, n, m, i):
    return counts(n, x, i, 0) and counts(m, x, i, 1) and has_axes(x, i, 3) and i.ndim == 3 and is_part(i)


def before_columns(x: mx.array, n: int, i: mx.array, d):
    return x[i, mx.arange(n, dtype=d)]


def after_columns(x, i):
    return mx.take_along_axis(x, mx.expand_dims(i, 0), axis=0).squeeze(0)


def guard_columns(x, n, i):
    return counts(n, x, i, 1) and has_axes(x, i, 2) and i.ndim == 1


def before_sorted(x: mx.array, i: mx.array):
    return x[..., mx.squeeze(i, 0)]


def after_sorted(x, i):
    return mx.take_along_axis(x, i, axis=-1)


def guard_sorted(x, i):
    return has_axes(x, i, 2) and i.ndim == 2


def before_order(x: mx.array, i: mx.array):
    return x[..., i]


def after_order(x, i):
    return mx.take_along_axis(x, i[None], axis=-1)


def guard_order(x, i):
    return is_order(i) and has_axes(x, i, 2) and i.ndim == 1


def inputs(dtype):
    for a, b, c in [(4, 3, 7), (1, 2, 5), (3, 1, 1)]:
        rows, batch, order = mx.random.normal((a, c)), mx.random.normal((a, b, c)), mx.argsort(mx.random.normal((1, c)))
        picked = [mx.random.randint(0, c, (a,)), mx.random.randint(-c, c, (a, 2)), mx.random.randint(0, a, (c,)), order, order.squeeze(0)]
        for x, n, i in [*zip([rows] * 5, [a, a, c, 0, 0], picked), *((batch, a, mx.random.randint(0, c, s)) for s in [(a, b), (a, b, 4)])]:
            yield {"x": x.astype(dtype), "n": n, "m": b, "d": None, "e": None, "i": i}
