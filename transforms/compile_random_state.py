"""List the random state of a compiled function that draws numbers.

A compiled function runs its Python while it is traced, once for each shape, dtype and Python number, and the random state it finds then
becomes part of the program: every call of that program draws the same numbers, and `mx.random.seed` has no effect on it.

With `mx.random.state` among `inputs` and `outputs` each call draws anew and leaves the state as a plain call would. A `key` that is
passed as an argument needs neither. A function that draws nothing need not list it.

While a function is traced the state that it lists is not the program's own, and an exception leaves it so, without data: every later draw
raises, until `mx.random.seed` is called. Check arguments before the call. Nothing is said of what an object keeps, which is refused in
its first call, and of what nobody in the package asks for.
"""

from functools import partial

import mlx.core as mx

group = "compile"
guide = "Compilation: pure functions and captured state"
gain = "no time: without it calls alike give the same numbers (every backend)"


def before(logits):
    @mx.compile
    def sample(logits):
        return mx.random.categorical(logits)

    return [sample(logits) for _ in range(4)]


def after(logits):
    @partial(mx.compile, inputs=mx.random.state, outputs=mx.random.state)
    def sample(logits):
        return mx.random.categorical(logits)

    return [sample(logits) for _ in range(4)]
