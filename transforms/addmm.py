"""Use `mx.addmm` for a matrix product to which something is added.

`a @ b + c` writes the product to memory and reads it again for the sum. `mx.addmm(c, a, b)` adds while the product is still in
registers: one kernel and one temporary less, and for half precision one rounding less. A factor of the product is `alpha`. Of two
summands a row goes first, for a column is copied to the shape of the product on some backends.

`c` must be an `mx.array` that broadcasts into the product, and no wider than one of the matrices: with a float32 `c`, matrices in half
precision are copied to float32 first, which is slower than the sum. What a module holds may be cast later, so only arrays whose dtypes
show make the edit safe. A sum that goes into a softmax, or that `mx.compile` fuses with what surrounds it, is left alone; so are float32
accumulators, sums in `__init__` or `sanitize`, and outside of loops those whose matrix has at most 4096 numbers by what `__init__` says.
Under `mx.vmap` over `c` alone the function raises. On CUDA a single row times a transposed matrix is slower this way: there MLX has a
kernel for vectors, and none that adds.
"""

import mlx.core as mx
from prelude import any_of, are_matrices, are_nonnegative, broadcasts_into, goes_first, is_floating, is_number, is_there, promotes_into

group = "operations"
guide = "Operations: mx.addmm"
gain = "1.05 to 1.16 times faster from 2 to 2048 rows; for a single row on CUDA 0.63 to 0.88 times the speed of `x @ W.T + b`, and 1.04 to 1.06 times that of `x @ W + b` (NVIDIA H200); no difference on a CPU"
slower = {"cuda unless are_matrices(a, b)": "0.63 to 0.88 of the speed with a single row and a transposed matrix, against 1.05 to 1.16 with more rows (NVIDIA H200, MLX 0.32.4)"}
cautions = {"promotes_into(c.dtype, b.dtype) or promotes_into(c.dtype, a.dtype)": "the matrices would be copied to the dtype of `c`, which is slower than the sum",
            "goes_first(c, d, b)": "of two rows or two columns one is as good as the other", "is_there(c)": "the choice would be written out",
            "are_nonnegative(c, d)": "in float16 a sum may overflow in one order and not in the other"}  # fmt: skip
numerics = {"before": "rounding", "before_there": "rounding", "before_optional": "rounding", "before_minus": "rounding",
            "before_less": "rounding", "before_scaled": "rounding", "before_row": "rounding", "before_row_minus": "rounding"}  # fmt: skip


def before(a: mx.array, b: mx.array, c: mx.array):
    return a @ b + c


def after(a, b, c):
    return mx.addmm(c, a, b)


def before_there(a: mx.array, b: mx.array, c: mx.array):
    return a @ b if c is None else a @ b + c


def guard_there(a, b, c):
    return is_there(c) and guard(a, b, c)


def before_optional(a: mx.array, b: mx.array, c: mx.array | None):
    return a @ b if c is None else a @ b + c


def after_optional(a, b, c):
    return mx.addmm(c, a, b) if c is not None else a @ b


def before_minus(a: mx.array, b: mx.array, c: mx.array, s: float):
    return c - any_of(a @ b, (a @ b) * s, (s * a) @ b, a @ (s * b))


def after_minus(a, b, c, s=1):
    return mx.addmm(c, a, b, alpha=-s)


def guard_minus(a, b, c, s=1):
    return is_number(s) and is_floating(a.dtype) and is_floating(b.dtype) and guard(a, b, c)


def before_less(a: mx.array, b: mx.array, c: mx.array):
    return a @ b - c


def after_less(a, b, c):
    return mx.addmm(c, a, b, beta=-1)


def before_scaled(a: mx.array, b: mx.array, c: mx.array, s: float):
    return any_of((a @ b) * s, (s * a) @ b, a @ (s * b)) + c


def after_scaled(a, b, c, s):
    return mx.addmm(c, a, b, alpha=s)


def guard_scaled(a, b, c, s):
    return is_number(s) and is_floating(a.dtype) and is_floating(b.dtype) and guard(a, b, c)


def before_row(a: mx.array, b: mx.array, c: mx.array, d: mx.array):
    return a @ b + d + c


def after_row(a, b, c, d):
    return mx.addmm(c, a, b) + d


def guard_row(a, b, c, d, s=1):
    return is_number(s) and is_floating(a.dtype) and is_floating(b.dtype) and guard(a, b, c) and goes_first(c, d, b) and are_nonnegative(c, d) and (promotes_into(d.dtype, b.dtype) or promotes_into(d.dtype, a.dtype))


def before_row_minus(a: mx.array, b: mx.array, c: mx.array, d: mx.array, s: float):
    product = any_of(a @ b, (a @ b) * s, (s * a) @ b, a @ (s * b))
    return any_of(d - product + c, d + c - product)


def after_row_minus(a, b, c, d, s=1):
    return mx.addmm(c, a, b, alpha=-s) + d


def guard(a, b, c):
    return broadcasts_into(c, a, b) and (promotes_into(c.dtype, b.dtype) or promotes_into(c.dtype, a.dtype))


def inputs(dtype):
    groups = [((3, 4), (4, 5), (5,)), ((3, 4), (4, 5), (3, 5)), ((3, 4), (4, 5), (3, 1)), ((3, 4), (4, 5), ()), ((2, 3, 64), (64, 5), (5,))]
    for group in groups + [((2, 3, 64), (2, 64, 5), (2, 1, 5)), ((64,), (64, 5), (5,)), ((3, 64), (64,), (3,)), ((0, 4), (4, 5), (5,))]:
        a, b, d, c = (mx.random.normal(s, key=mx.random.key(n)).astype(dtype) for n, s in enumerate([*group, group[1][-1:]]))
        for c, d in [(d, c), (mx.square(c), mx.square(d))]:
            yield {"a": a, "b": b, "c": c, "d": d, "s": 0.3}
