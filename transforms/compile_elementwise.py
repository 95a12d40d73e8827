"""Compile functions that compute element by element.

Each operation on elements is a kernel that reads and writes the whole array. `mx.compile` makes one kernel of a whole function, without
the arrays in between; what such a function costs is moving memory, so that it gets faster by nearly as much as there are operations.

`shapeless=True` compiles once for all shapes of a dtype and a number of axes, where nothing depends on a length. One kernel fuses 11
operations in a row at most, and for all shapes a broadcast counts as one: the tanh form of gelu is two kernels then, and 3.28 times faster
where it is compiled for one shape. `nn.gelu`, `nn.gelu_approx`, `nn.silu` are compiled already. Numbers that change from call to call belong into arrays. Inside of a larger compiled function nothing is gained, nor with few
operations, and on the CPU backend it is often slower.
"""

from functools import partial

import mlx.core as mx

group = "compile"
guide = "Compilation: fusing elementwise operations"
gain = "2.43 times faster for 9 kernels, a tanh form of gelu, at 2048 tokens, and less for fewer (NVIDIA H200; 1.00 on a CPU)"
slower = {"cpu": "no faster for the tanh form of gelu, and 0.65 to 0.81 of the speed for one shape (2 cores of an x86-64, MLX 0.32.4)"}


def before(x: mx.array):
    inner = 0.7978845608 * (x + 0.044715 * x * x * x)
    return 0.5 * x * (1 + mx.tanh(inner))


@partial(mx.compile, shapeless=True)
def after(x: mx.array):
    inner = 0.7978845608 * (x + 0.044715 * x * x * x)
    return 0.5 * x * (1 + mx.tanh(inner))
