"""What rule files may name besides MLX: alternatives inside a pattern, and facts for guards.

mlxfix knows these names when it reads a rule. They also run, so that every rule can be executed under MLX as it stands.
"""

import math

import mlx.core as mx
import mlx.nn as nn


def any_of(*alternatives):
    """Matches any one of its arguments. When a rule is executed as it stands, the first one."""
    return alternatives[0]


def is_number(value):
    """Whether the value is a Python number, which never changes the dtype of a floating array."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def is_floating(dtype):
    """Whether the dtype is a floating one of at most four bytes; float64 is left alone, for fast operations and factors are float32 inside.

    mlxfix takes that for granted of an array whose dtype it cannot tell.
    """
    return mx.issubdtype(dtype, mx.floating) and dtype != mx.float64


def broadcasts_into(c, a, b):
    """Whether `c` broadcasts into the shape of `a @ b` without making it larger and without having more axes.

    mlxfix takes for granted that what is summed over is not empty.
    """
    product = mx.matmul(a, b)
    if a.shape[-1] == 0 or c.ndim > product.ndim or (a.ndim >= 3 and b.ndim == 1 and c.ndim == 1 and c.size > 1):
        return False
    return all(m in (1, n) for m, n in zip(reversed(c.shape), reversed(product.shape)))


def are_matrices(a, b):
    """Whether `a` holds matrices of two rows or more and `b` of several columns, so that no kernel for vectors computes their product.

    mlxfix takes columns that it cannot count for several, and a single row for a matrix where `b` is plainly not transposed: there is no such kernel.
    """
    return a.ndim >= 2 and b.ndim >= 2 and a.shape[-2] >= 2 and b.shape[-1] >= 2


def goes_first(r, c, b):
    """Whether `r` is one row of numbers for the columns of `b`, and `c` is none, so that `r` is better added first. mlxfix never takes that for granted."""
    rows = [b.ndim >= 2 and x.ndim >= 1 and x.size == x.shape[-1] == b.shape[-1] > 1 for x in map(mx.array, (r, c))]
    return rows == [True, False]


def are_nonnegative(r, c):
    """Whether neither `r` nor `c` has a negative element, so that no sum of one of them overflows where that of both does not."""
    return mx.all(mx.array(r) >= 0).item() and mx.all(mx.array(c) >= 0).item()


def is_there(c):
    """Whether `c` is an array and no `None`. mlxfix never takes that for granted."""
    return c is not None


def promotes_into(narrow, wide):
    """Whether arithmetic between the dtypes `narrow` and `wide` stays in `wide`. A bool never does: it means something else."""
    return narrow != mx.bool_ and (mx.zeros((1,), narrow) + mx.zeros((1,), wide)).dtype == wide


def adds_to_scores(mask, q, k):
    """Whether `mask` holds numbers to be added, not truth values, and broadcasts to the scores of `q` and `k` without enlarging them."""
    scores = (*q.shape[:-1], k.shape[-2])
    fits = all(m in (1, n) for m, n in zip(reversed(mask.shape), reversed(scores)))
    return mask.dtype != mx.bool_ and mask.ndim <= 4 and fits


def masks_scores(mask, q, k, fill=None):
    """Whether `mask` is added and narrow enough or, where scores are replaced by `fill`, holds truth values that leave every query a key."""
    if fill is None:
        return promotes_into(mask.dtype, q.dtype) and adds_to_scores(mask, q, k)
    return mask.dtype == mx.bool_ and fill <= -1e4 and mx.all(mx.any(mask, axis=-1)).item()


def same_batch_and_heads(q, k, v, n=None):
    """Whether queries, keys and values have one batch size, and as many query heads as key heads or a multiple, of which `n` speaks."""
    return q.shape[0] == k.shape[0] == v.shape[0] and k.shape[1] == v.shape[1] and q.shape[1] % k.shape[1] == 0


def spans(w, x):
    """Whether the one axis of `w` is as long as the last axis of `x`."""
    return w.shape[0] == x.shape[-1]


def accumulates_in_float32(norm):
    """Whether the module takes mean and variance in float32 whatever it is given. A group norm does so only in PyTorch's order."""
    return isinstance(norm, (nn.LayerNorm, nn.RMSNorm, nn.InstanceNorm)) or isinstance(norm, nn.GroupNorm) and norm.pytorch_compatible


def has_no_parameters(norm):
    """Whether the module has neither weight nor bias."""
    return not norm.parameters()


def fits_half(c, x):
    """Whether the number is the same in float16 and bfloat16, and no tiny one; or an end of the range of `x`, to which nothing is added."""
    halves = [mx.array(c).astype(dtype).astype(mx.float32).item() for dtype in (mx.float16, mx.bfloat16)]
    return all(h == c for h in halves) and (c == 0 or abs(c) >= 2.0**-14)


def breaks_no_tie(p):
    """Whether no two elements of `p` become one number in half precision. mlxfix never takes that for granted."""
    halves = [p.astype(dtype).flatten().tolist() for dtype in (mx.float16, mx.bfloat16)]
    return all(len(set(half)) == p.size for half in halves)


def has_axes(x, i, axes):
    """Whether `x` has so many axes, from the last of which `i` picks elements."""
    return x.ndim == axes


def counts(n, x, i, axis):
    """Whether `n` is the length of that axis of `x`, from which `i` picks elements."""
    return x.shape[axis] == n


def is_part(i):
    """Whether `i` picks some elements of each row, not all of them in another order. mlxfix refuses what is plainly all."""
    return True


def is_order(i):
    """Whether `i` is the order of one sorted row, without the axis that counts rows."""
    return i.ndim == 1 and sorted(i.tolist()) == list(range(i.size))


def is_distinct(i):
    """Whether no row of `i` holds an index twice."""
    return all(len(set(row)) == len(row) for row in i.reshape(-1, i.shape[-1]).tolist())


def as_long(i, y, axis):
    """Whether `i` is as long as `y` along that axis, or has one element there, which is broadcast."""
    return i.shape[axis] in (1, y.shape[axis])


def is_single(a, axis):
    """Whether that axis of `a` has one element, or none."""
    return a.shape[axis] <= 1


def is_scalar(value):
    """Whether the value is a number or a truth value of Python."""
    return isinstance(value, (bool, int, float))


def stored(y, index, value):
    """What `y` is after `y[index] = value`, where nothing else holds it."""
    y = mx.array(y)
    y[index] = value
    return y


def wave(function, angles, times, lead, dtype):
    """The table of `mx.cos` or `mx.sin` of `angles`, so often side by side, with new axes `lead` in front. mlxfix knows it in any order."""
    table = function(mx.concatenate([angles] * times, axis=-1)).astype(dtype)
    return table if lead is None else mx.expand_dims(table, lead)


def angles(function, n, d, h, base, offset, scale):
    """The angles of rotary embeddings for `n` positions and `d` features, of which `h` is half, their frequencies made by `mx.exp` or `mx.power`.

    mlxfix knows many spellings of them; where one counts from 0 on, or has no scale, that is not bound."""
    share = mx.arange(0, d, 2) / d
    frequencies = mx.exp(share * -math.log(base)) if function is mx.exp else base**-share
    return ((mx.arange(n) + (offset or 0)) * (1.0 if scale is None else scale))[:, None] * frequencies


def is_length(n, x):
    """Whether `n` is the length of the axis of `x` before the last."""
    return n is None or n == x.shape[-2]


def is_width(d, x):
    """Whether `d` is the length of the last axis of `x`."""
    return d is None or d == x.shape[-1]


def is_half(h, x):
    """Whether `h` is half the length of the last axis of `x`, rounded down."""
    return h is None or h == x.shape[-1] // 2


def is_even(x):
    """Whether the last axis of `x` has an even length."""
    return x.shape[-1] % 2 == 0


def keeps_shape(shape, x):
    """Whether pairs put side by side have the shape of `x` again: by a reshape to `shape`, or because the last axis has an even length."""
    return is_even(x) if shape is None else tuple(shape) == tuple(x.shape)


def in_front(lead, x):
    """Whether a table of two axes with new axes `lead` in front has no more axes than `x`."""
    return x.ndim >= 2 + (0 if lead is None else len(lead) if isinstance(lead, tuple) else 1)


def is_integer(n):
    """Whether `n` is a Python int."""
    return n is None or type(n) is int


def is_positive(n):
    """Whether the number `n` is positive."""
    return n is None or n > 0
