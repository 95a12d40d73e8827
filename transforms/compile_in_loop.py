"""Compile a function once, and not in every round or call.

`mx.compile` returns a function that remembers what it has compiled. One that is made anew in each round, in each epoch or in each call of
the function around it has nothing to remember: it is traced and compiled again, and thrown away.

A function that is compiled where its module, its class or its caller is made once is as it should be; so is one that is stored for later
calls. Compiling for a single call costs more than that call saves. A training step that is compiled once an epoch pays one trace an epoch.

Random numbers are drawn anew by each compilation, unless `mx.random.state` is among `inputs` and `outputs`: list it before the function
is moved, or dropout uses one mask for ever.
"""

import mlx.core as mx

group = "compile"
guide = "Compilation: when functions are recompiled"
gain = "6.25 times faster for a small function in each call, where the kernels are built already (NVIDIA H200; 1.1 on a CPU)"


def before(f, inputs):
    outputs = []
    for x in inputs:
        outputs.append(mx.compile(f)(x))
    return outputs


def after(f, inputs):
    compiled = mx.compile(f)
    outputs = []
    for x in inputs:
        outputs.append(compiled(x))
    return outputs
