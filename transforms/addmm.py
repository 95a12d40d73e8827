"""Use `mx.addmm` for a matrix product to which something is added.

`a @ b + c` writes the product to memory and reads it again for the sum. `mx.addmm(c, a, b)` adds while the product is still in
registers: one kernel and one temporary less, and for half precision one rounding less. A factor of the product is `alpha`. What
is added only if it is not None makes a choice between `mx.addmm` and the product.

`c` must be an `mx.array` that broadcasts into the product; the fast operation refuses numbers, and a `c` that would enlarge the
product. It must be no wider than one of the matrices: with a float32 `c`, matrices in half precision are copied to float32 first, which
is slower than the sum, so that a float32 accumulator of products is left alone. What a module holds may be cast later, so only
arrays whose dtypes show make the edit safe. A sum that goes into a softmax, or that `mx.compile` fuses with what surrounds it, is
left alone; so is one in `__init__` or `sanitize`, which run once, and one whose matrix has at most 4096 numbers by what `__init__`
says, outside of loops. Under `mx.vmap` over `c` alone the function raises.

On CUDA a product with a single row is slower this way (0.63 to 0.88 times the speed), because that backend has no matrix-vector
kernel for it: there the sum is left alone unless the file shows that there are more rows.
"""

import mlx.core as mx
from prelude import any_of, broadcasts_into, is_floating, is_number, promotes_into

group = "operations"
guide = "Operations: mx.addmm"
gain = "1.09 to 1.15 times faster from 2 to 2048 rows in bfloat16, but slower with a single row on CUDA (NVIDIA H200); no difference on a CPU"
slower = {"cuda unless has_rows(a, b)": "0.63 to 0.88 of the speed with a single row, against 1.09 to 1.15 with more (NVIDIA H200, MLX 0.32.4)"}
cautions = {"promotes_into(c.dtype, b.dtype) or promotes_into(c.dtype, a.dtype)": "the matrices would be copied to the dtype of `c`, which is slower than the sum"}
numerics = {"before": "rounding", "before_optional": "rounding", "before_minus": "rounding",
            "before_less": "rounding", "before_scaled": "rounding", "before_minus_scaled": "rounding"}  # fmt: skip


def before(a: mx.array, b: mx.array, c: mx.array):
    return a @ b + c


def after(a, b, c):
    return mx.addmm(c, a, b)


def before_optional(a: mx.array, b: mx.array, c: mx.array | None):
    return a @ b if c is None else a @ b + c


def after_optional(a, b, c):
    return mx.addmm(c, a, b) if c is not None else a @ b


def before_minus(a: mx.array, b: mx.array, c: mx.array):
    return c - a @ b


def after_minus(a, b, c):
    return mx.addmm(c, a, b, alpha=-1)


def before_less(a: mx.array, b: mx.array, c: mx.array):
    return a @ b - c


def after_less(a, b, c):
    return mx.addmm(c, a, b, beta=-1)


def before_scaled(a: mx.array, b: mx.array, c: mx.array, s: float):
    return any_of(s * (a @ b), (s * a) @ b, a @ (s * b)) + c


def after_scaled(a, b, c, s):
    return mx.addmm(c, a, b, alpha=s)


def before_minus_scaled(a: mx.array, b: mx.array, c: mx.array, s: float):
    return c - any_of(s * (a @ b), (s * a) @ b, a @ (s * b))


def after_minus_scaled(a, b, c, s):
    return mx.addmm(c, a, b, alpha=-s)


def guard_scaled(a, b, c, s):
    return is_number(s) and is_floating(a.dtype) and is_floating(b.dtype) and guard(a, b, c)


def guard_minus_scaled(a, b, c, s):
    return is_number(s) and is_floating(a.dtype) and is_floating(b.dtype) and guard(a, b, c)


def guard(a, b, c):
    return broadcasts_into(c, a, b) and (promotes_into(c.dtype, b.dtype) or promotes_into(c.dtype, a.dtype))


def inputs(dtype):
    matrices = [((3, 4), (4, 5), c) for c in [(5,), (3, 5), (3, 1), ()]]
    batches = [((2, 3, 64), (64, 5), (5,)), ((2, 3, 64), (2, 64, 5), (2, 1, 5)), ((64,), (64, 5), (5,)), ((3, 64), (64,), (3,)), ((0, 4), (4, 5), (5,))]
    for group in matrices + batches:
        a, b, c = (mx.random.normal(s, key=mx.random.key(n)).astype(dtype) for n, s in enumerate(group))
        yield {"a": a, "b": b, "c": c, "s": 0.3}
