"""Use `precise=True` for a softmax that is cast up to float32 and back down.

The two casts are kernels of their own, and the float32 copy between them takes twice the memory of the half-precision operand.
`mx.softmax(x, axis=axis, precise=True)` accumulates in float32 inside one kernel and gives the same bits.

The result must be cast back: a softmax that stays in float32 on purpose has another dtype and is left alone, and so is an integer
operand. It may be cast back later, after elements were picked; where elements are ranked before, ties in half precision may be broken
another way, and the edit is not safe. For training code: on the last axis the gradient of `precise=True` is computed in half precision. On the CPU backend
this is up to twice as slow, because the softmax kernel itself is slower there; the gain is the GPU's.
"""

import mlx.core as mx
from prelude import any_of, breaks_no_tie, is_floating, promotes_into

group = "precision"
guide = "Type promotion and precision: mx.softmax with precise=True"
gain = "2.2 to 2.7 times faster on attention scores and 1.3 times on logits, with 0.33 of the memory (NVIDIA H200); 0.51 to 0.59 of the speed on a CPU"
slower = {"cpu": "0.51 to 0.59 of the speed of the upcast (2 cores of an x86-64, MLX 0.32.4)"}
cautions = {"mx.grad": "on the last axis MLX computes the gradient of `precise=True` in the dtype of the operand"}
numerics = {"before": "exact", "before_other_dtype": "exact", "before_later": "exact", "before_ranked": "rounding"}


def before(x: mx.array, axis):
    return mx.softmax(x.astype(mx.float32), axis=axis).astype(x.dtype)


def after(x, axis):
    return mx.softmax(x, axis=axis, precise=True)


def before_other_dtype(x: mx.array, axis, dtype):
    return mx.softmax(x.astype(mx.float32), axis=axis).astype(dtype)


def after_other_dtype(x, axis, dtype):
    return mx.softmax(x, axis=axis, precise=True).astype(dtype)


def before_later(x: mx.array, axis):
    return mx.softmax(x.astype(mx.float32), axis=axis)


def uses_later(p, i, a, k, dtype):
    return [any_of(p, p[i], mx.take_along_axis(p, i, axis=a), mx.max(p, axis=a, keepdims=k)).astype(dtype)]


def before_ranked(x: mx.array, axis):
    return mx.softmax(x.astype(mx.float32), axis=axis)


def uses_ranked(p, i, a, k, dtype):
    picked = any_of(p, p[i], mx.take_along_axis(p, i, axis=a), mx.max(p, axis=a, keepdims=k))
    ordered = any_of(p, -p)
    return [picked.astype(dtype), mx.argmax(p, axis=a, keepdims=k), mx.argsort(ordered, axis=a), mx.argpartition(ordered, kth=k, axis=a)]


def guard_ranked(x, p, dtype=None):
    return is_floating(x.dtype) and (dtype is None or promotes_into(dtype, x.dtype)) and breaks_no_tie(p)


def guard(x, dtype=None):
    return is_floating(x.dtype) and (dtype is None or promotes_into(dtype, x.dtype))


def inputs(dtype):
    for shape in [(32,), (5, 32), (2, 3), (2, 3, 17), (0, 4)]:
        x = 4 * mx.random.normal(shape, key=mx.random.key(1)).astype(dtype)
        for axis in [-1, None, tuple(range(len(shape)))]:
            picked = {"i": mx.zeros(shape, mx.int32), "a": -1, "k": True}
            yield {"x": x, "axis": axis, "dtype": dtype, **picked}
