"""Give constants the dtype of the array that they meet, where none makes them float32.

`mx.zeros(shape)`, `mx.ones`, `mx.full` with a float, `mx.array` of a list with one, `mx.eye`, `mx.identity` and `mx.tri` make float32. Joined with an array in half
precision, added to it or chosen beside it, they turn the result into float32, and all that follows: matrix products run in float32, at
twice the memory. With `dtype=x.dtype` they leave half precision as it is.

Many models have nothing in half precision: what comes in is float32, and no one casts it. So there must be a sign of half precision in the file, on the
way of the arrays or beside it: a cast to the dtype of weights, a cast back from float32, or embedded tokens.

The dtype changes on purpose, for half-precision models alone; that is what `--narrow` admits. Padding, masks of zeros and infinities,
empty and initial parts of caches and buffers for parts of an array lose nothing. What is summed, kept from one step to the next, a
position or a number that half precision does not hold is left alone, or is an assumption. So is noise: another dtype draws other
numbers. A float32 buffer that only takes in half-precision values holds the same values at half the memory.
"""

import mlx.core as mx

group = "precision"
guide = "Type promotion and precision"
gain = "1.65 times faster where a matrix product follows, at a quarter of the memory; 1.06 for a cache (NVIDIA H200). On a CPU 3.5 times before a product, but 0.37 to 0.74 of the speed for caches and elementwise operations"
applicability = "narrowing, unsafe"
narrows = "Where the array that it meets is in half precision the result stays in it, instead of becoming float32."
numerics = {"before": "rounding"}


def before(x: mx.array, w: mx.array):
    h = mx.exp(x)
    first = mx.ones((h.shape[0], 1, h.shape[2]), dtype=h.dtype)
    padding = mx.zeros((h.shape[0], 2, h.shape[2]))
    return mx.concatenate([first, padding, h], axis=1) @ w


def after(x: mx.array, w: mx.array):
    h = mx.exp(x)
    first = mx.ones((h.shape[0], 1, h.shape[2]), dtype=h.dtype)
    padding = mx.zeros((h.shape[0], 2, h.shape[2]), dtype=h.dtype)
    return mx.concatenate([first, padding, h], axis=1) @ w
