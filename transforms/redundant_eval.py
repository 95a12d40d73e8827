"""Leave out an evaluation that the next statement makes anyway.

`.item()`, `.tolist()`, `int(...)` and `np.array(...)` evaluate what they read and wait for it. An `mx.eval` directly before makes the
same evaluation; where something computed from the array is read, it even makes two of one, each with a wait of its own.

Only what a program does many times is worth the edit: a loop, or a function that the file calls in one. An evaluation of several arrays stays, since one wait for all is better than one for each;
so does one that a clock is read after, that is the whole of a `with` block, that has a comment beside it, or of a list of arrays. The
array must be read first of all in the next statement, whatever happens.
"""

import mlx.core as mx

group = "evaluation"
guide = "Lazy evaluation: what evaluates implicitly"
gain = "1.2 to 1.4 times faster where an element of 8 is read, 0.2 microseconds a round where the array itself is (CPU, mlx 0.32.4)"
applicability = "safe, unsafe"
numerics = {"before": "exact"}


def before(step, token: mx.array):
    tokens = []
    while len(tokens) < 4:
        token = mx.argmax(step(token))
        mx.eval(token)
        tokens.append(token.item())
    return tokens


def after(step, token: mx.array):
    tokens = []
    while len(tokens) < 4:
        token = mx.argmax(step(token))
        tokens.append(token.item())
    return tokens
