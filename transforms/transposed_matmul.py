"""Store a matrix that meets single rows output by input, as `nn.Linear` does.

A product with one row reads the whole matrix once, and how fast it does that depends on the layout: `x @ w.T` goes along the rows of
what is stored, and `x @ w` across them. `w @ v` and `w.T @ v` differ in the same way. A transpose is a view and costs nothing; the layout
in memory counts, so the matrix has to be made, or laid out once where it is loaded, with `mx.contiguous(w.T)`. `.T` alone changes nothing.

It pays with one row alone, as in the decoding of one token: from 4 rows on both take the same time. On the CPU backend `x @ w.T` is slower
in float32, by as much as `x @ w` is in the other direction. A matrix that is also used in its present layout, or of which rows are looked
up, stays as it is; so does a small one, the time of which is that of the launch.
"""

import mlx.core as mx

group = "operations"
guide = "Operations: transposed matrix products"
gain = "1.63 times faster with one row in bfloat16, 1.3 in float32, nothing from 4 rows on; 1.5 to 1.8 for `w @ v` over `w.T @ v` (NVIDIA H200). On a CPU 3.4 times in bfloat16 but 0.71 in float32; 3.2 for `w @ v`"


def before(w: mx.array, tokens: mx.array):
    v = mx.mean(tokens.reshape(-1, 4096), axis=0)
    return w.T @ v


def after(w: mx.array, tokens: mx.array):
    v = mx.mean(tokens.reshape(-1, 4096), axis=0)
    return w @ v
