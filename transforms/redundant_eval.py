"""Leave out an evaluation that the next statement makes anyway.

`.item()`, `.tolist()`, `int(...)` and `np.array(...)` evaluate what they read and wait for it. Where they read something that is computed
from an array, an `mx.eval` of the array directly before makes two evaluations of one, each with a wait of its own.

Where the array itself is read, as by `x.item()` after `mx.eval(x)`, there is one wait with or without the evaluation; to leave it out saves
0.2 microseconds, so that it stays. An evaluation of several arrays stays, too, since one wait for all is better than one for each; so does one
that a clock is read after, that is the whole of a `with` block, that has a comment beside it, or of a list of arrays. The read must come
first of all in the next statement, whatever happens.
"""

import mlx.core as mx

group = "evaluation"
guide = "Lazy evaluation: what evaluates implicitly"
gain = "1.2 to 1.4 times faster where an element of 8 is read (CPU, mlx 0.32.4)"
applicability = "safe, unsafe"
numerics = {"before": "exact"}


def before(step, token: mx.array):
    tokens = []
    while len(tokens) < 4:
        token = mx.argmax(step(token), axis=-1)
        mx.eval(token)
        tokens.append(token[0].item())
    return tokens


def after(step, token: mx.array):
    tokens = []
    while len(tokens) < 4:
        token = mx.argmax(step(token), axis=-1)
        tokens.append(token[0].item())
    return tokens
