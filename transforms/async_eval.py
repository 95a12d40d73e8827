"""Ask for the next token before this one is read.

A loop that reads each token before it asks for the next leaves the device idle while Python decodes, prints and builds the next graph.
The next step needs only the array, not the number: it can be queued first, and the device then always has work.

`mx.async_eval` returns None, so it stands on a line of its own. The loop computes one step that nobody reads where it ends on a token;
a model that needs the number itself to build the next step, as speculative decoding does, cannot be pipelined like this. On the CPU
backend it makes no difference.
"""

import mlx.core as mx

group = "evaluation"
guide = "Lazy evaluation: asynchronous evaluation"
gain = "2.04 times faster a token, 1.56 times with 300 microseconds of Python work a token (NVIDIA H200; no difference on a CPU)"


def before(model, y, end, limit):
    for _ in range(limit):
        y = mx.argmax(model(y), axis=-1)
        token = y.item()
        if token == end:
            break
        yield token


def after(model, y, end, limit):
    y = mx.argmax(model(y), axis=-1)
    mx.async_eval(y)
    for _ in range(limit):
        next_y = mx.argmax(model(y), axis=-1)
        mx.async_eval(next_y)
        token = y.item()
        if token == end:
            break
        yield token
        y = next_y
