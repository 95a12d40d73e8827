"""Iterate over `.tolist()` instead of asking the array for one element after the other.

Each `.item()`, `int(...)` or `float(...)` waits for the device and copies four bytes. `.tolist()` waits once and copies everything
at once; the loop then runs over Python numbers of the same value and type, for bfloat16 too. So it does for `h, w = a[i]` where both
are read as numbers, for `a[i, j]`, and for a loop that asks each row for its list.

The array must have exactly one axis, and the loop variable must be used only as a number: a row of a matrix has other elements,
and an array that takes part in arithmetic carries a dtype that a Python number does not. A loop over a list or a generator of
arrays stays as it is. A loop that usually leaves early after a few elements of a very long array would now pay for all of them.
"""

import mlx.core as mx

group = "evaluation"
guide = "Lazy evaluation: avoid .item() in a loop"
gain = "24 times faster than `x.item()` and 131 times faster than `a[i].item()` for 1024 elements, 1.7 times for 4 (NVIDIA H200; 54, 69 and 9 times on a CPU)"
applicability = "safe, unsafe"
numerics = {"before": "exact"}


def before(tokens: mx.array):
    text = []
    for token in tokens.flatten():
        text.append(chr(token.item()))
    return "".join(text)


def after(tokens: mx.array):
    text = []
    for token in tokens.flatten().tolist():
        text.append(chr(token))
    return "".join(text)


def inputs(dtype):
    yield {"tokens": mx.array([104, 101, 108, 108, 111])}
    yield {"tokens": mx.array([[104, 105], [33, 33]])}
    yield {"tokens": mx.array([], mx.int32)}
