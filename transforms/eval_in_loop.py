"""Evaluate less often where no round of the loop looks at the result.

`mx.eval` in each round ends the work that is queued: the device waits until Python has built the graph of the next round. Where the next
round only computes with the array, the evaluation is not needed there, and one for many rounds, or one after the loop, does the same.

It is a trade for memory: arrays that a graph still needs stay until it is evaluated. An evaluation a training step or a denoising step
is right, and so is one that frees the weights of a layer, or bounds a prefill or an encoder. `mx.async_eval` in place of `mx.eval` keeps
the graph short and waits for nothing.
"""

import mlx.core as mx

group = "evaluation"
guide = "Lazy evaluation: when to evaluate"
gain = "3.98 times faster for 32 small layers of one token, 2.23 times for 2048, which then peak at 4.6 times the memory (NVIDIA H200; none on a CPU)"


def before(x, steps):
    for _ in range(steps):
        x = mx.tanh(x * 0.9) + 0.1
        mx.eval(x)
    return x


def after(x, steps):
    for n in range(steps):
        x = mx.tanh(x * 0.9) + 0.1
        if n % 50 == 0:
            mx.eval(x)
    return x
