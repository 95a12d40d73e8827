"""What looks like a root-mean-square norm over the last axis, and is something else."""

import mlx.core as mx
import numpy as np


def eps_outside_the_root(x: mx.array, weight: mx.array):
    """Adds eps to the root instead of the mean square: another function for small rows."""
    return x / (mx.sqrt(mx.mean(mx.square(x), axis=-1, keepdims=True)) + 1e-5) * weight


def over_all_axes(x: mx.array):
    """One scale for the whole array."""
    return x * mx.rsqrt(mx.mean(mx.square(x), keepdims=True) + 1e-5)


def over_channels_first(x: mx.array):
    """The channels are axis 1 of an image of rank 4."""
    return x * mx.rsqrt(mx.mean(mx.square(x), axis=1, keepdims=True) + 1e-5)


def clamped(x: mx.array):
    """The mean square is clamped from below, not shifted."""
    return x * mx.rsqrt(mx.maximum(mx.mean(mx.square(x), axis=-1, keepdims=True), 1e-5))


def unit_length(x: mx.array):
    """The sum of the squares, not their mean: the L2 norm of an embedding."""
    return x * mx.rsqrt(mx.sum(mx.square(x), axis=-1, keepdims=True) + 1e-12)


def one_degree_less(x: mx.array):
    """Divides the sum by n - 1."""
    return x * mx.rsqrt(mx.sum(mx.square(x), axis=-1, keepdims=True) / (x.shape[-1] - 1) + 1e-5)


def scale_of_another_array(x: mx.array, y: mx.array):
    """Scales `y` by the size of `x`."""
    return y * mx.rsqrt(mx.mean(mx.square(x), axis=-1, keepdims=True) + 1e-5)


def scale_is_returned(x: mx.array):
    """The scale is needed outside, so that the mean would be computed twice."""
    scale = mx.rsqrt(mx.mean(mx.square(x), axis=-1, keepdims=True) + 1e-5)
    return x * scale, scale


def eps_is_an_array(x: mx.array, eps: mx.array):
    """The fast operation takes a number; an array would be read back from the device."""
    return x * mx.rsqrt(mx.mean(mx.square(x), axis=-1, keepdims=True) + eps)


def variance_about_the_mean(x: mx.array):
    """The variance subtracts the mean, the numerator does not."""
    return x * mx.rsqrt(mx.var(x, axis=-1, keepdims=True) + 1e-5)


def in_numpy(x, weight):
    """The same formula in NumPy."""
    return x / np.sqrt(np.mean(np.square(x), axis=-1, keepdims=True) + 1e-5) * weight


def another_mx(x, mx):
    """`mx` is a parameter here, and may be any library."""
    return x * mx.rsqrt(mx.mean(mx.square(x), axis=-1, keepdims=True) + 1e-5)


def changed_by_a_call(x: mx.array, change):
    """The callee may change `x` between the two places that read it."""
    mean = mx.mean(x * x, axis=-1, keepdims=True)
    change(x)
    return x * mx.rsqrt(mean + 1e-5)


def changed_through_a_list(x: mx.array):
    """The list holds the same array, not a copy."""
    mean = mx.mean(x * x, axis=-1, keepdims=True)
    kept = [x]
    kept[0] += 1
    return x * mx.rsqrt(mean + 1e-5)


def changed_through_one_of_two(x: mx.array, copy: bool):
    """`y` may be `x` itself."""
    mean = mx.mean(x * x, axis=-1, keepdims=True)
    y = x + 0 if copy else x
    y += 1
    return x * mx.rsqrt(mean + 1e-5)


def changed_by_a_loop(x: mx.array):
    """The loop variable is `x`."""
    mean = mx.mean(x * x, axis=-1, keepdims=True)
    for each in (x,):
        each += 1
    return x * mx.rsqrt(mean + 1e-5)


def changed_after_a_try(x: mx.array):
    """What a `try` leaves in `y` is `x`."""
    mean = mx.mean(x * x, axis=-1, keepdims=True)
    try:
        y = x
    finally:
        pass
    y += 1
    return x * mx.rsqrt(mean + 1e-5)


def rebound_by_an_inner_function(x: mx.array):
    """The inner function gives `x` another value."""
    mean = mx.mean(x * x, axis=-1, keepdims=True)

    def double():
        nonlocal x
        x = x * 2

    double()
    return x * mx.rsqrt(mean + 1e-5)


def held_by_a_class(x: mx.array):
    """A class made on the spot holds the array."""
    mean = mx.mean(x * x, axis=-1, keepdims=True)

    class Holder:
        held = x

    Holder.held += 1
    return x * mx.rsqrt(mean + 1e-5)


def seen_by_locals(x: mx.array):
    """Every local name is read, the one of the mean too."""
    mean = mx.mean(x * x, axis=-1, keepdims=True)
    normed = x * mx.rsqrt(mean + 1e-5)
    return locals()


def bound_by_the_end_of_a_chain(x: mx.array, mean: mx.array, limit: int):
    """The mean is computed only if the first comparison holds."""
    computed = 0 < limit < len((mean := mx.mean(x * x, axis=-1, keepdims=True)).shape)
    return x * mx.rsqrt(mean + 1e-5)


def changed_by_an_operand(x: mx.array, measure):
    """`x` is multiplied after the call that may have changed it, and was squared before."""
    mean = mx.mean(x * x, axis=-1, keepdims=True)
    return x * mx.rsqrt(mean + float(measure(x)))


def fallback_in_a_handler(x: mx.array, eps: float):
    """Where the fast operation has just failed it must not be called again."""
    try:
        return mx.fast.rms_norm(x, None, eps)
    except Exception:
        return x * mx.rsqrt(mx.mean(x * x, axis=-1, keepdims=True) + eps)


def beside_the_fast_form(x: mx.array, eps: float):
    """A reference that the fast operation is compared with."""
    expected = x * mx.rsqrt(mx.mean(x * x, axis=-1, keepdims=True) + eps)
    return mx.allclose(mx.fast.rms_norm(x, None, eps), expected)


def whole_numbers(n: int):
    """The fast operation refuses integers."""
    x = mx.arange(n)
    return x * mx.rsqrt(mx.mean(x * x, axis=-1, keepdims=True) + 1e-5)


def passed_on_in_each_round(x: mx.array, update):
    """The second round finds an array that `update` may have changed, and a mean of what it was before."""
    mean_square = mx.mean(mx.square(x), axis=-1, keepdims=True)
    for _ in range(2):
        y = x * mx.rsqrt(mean_square + 1e-5)
        update(x)
    return y


def changed_by_another_name_in_each_round(x: mx.array):
    """The second name is given and changed inside the loop."""
    mean_square = mx.mean(mx.square(x), axis=-1, keepdims=True)
    for _ in range(2):
        y = x * mx.rsqrt(mean_square + 1e-5)
        alias = x
        alias += 1
    return y


def in_float64(x: mx.array):
    """The fast operation computes in float32, whatever it is given."""
    x = x.astype(mx.float64)
    return x * mx.rsqrt(mx.mean(mx.square(x), axis=-1, keepdims=True) + 1e-5)


HAS_FAST_NORM = tuple(int(part) for part in mx.__version__.split(".")[:2]) >= (0, 10)


def where_it_is_missing(x: mx.array, w: mx.array, norm):
    """An MLX that has no such norm, by a name of the module."""
    if HAS_FAST_NORM:
        return norm(x)
    else:
        return w * (x * mx.rsqrt(mx.mean(x * x, axis=-1, keepdims=True) + 1e-5))


def itself(x):
    """Gives back what it is given."""
    return x


def changed_in_the_round_before(x: mx.array):
    """What a helper gave back is the array itself, and is changed before the next round."""
    h = x * 2
    mean_square = mx.mean(h * h, axis=-1, keepdims=True)
    rounds = []
    for _ in range(2):
        rounds.append(h * mx.rsqrt(mean_square + 1e-5))
        same = itself(h)
        same[0] = 0.0
    return rounds


def given_back_by_a_lambda(x: mx.array):
    """A lambda gives the array another name, by which it is changed."""
    h = x * 2
    mean_square = mx.mean(h * h, axis=-1, keepdims=True)
    itself_again = lambda: h
    rounds = []
    for _ in range(2):
        rounds.append(h * mx.rsqrt(mean_square + 1e-5))
        same = itself_again()
        same += 1
    return rounds


def kept_by_a_function_inside(x: mx.array):
    """A function inside puts the array where others find it."""
    h = x * 2
    mean_square = mx.mean(h * h, axis=-1, keepdims=True)
    kept = []

    def keep():
        kept.append(h)

    keep()
    kept[0] += 1
    return h * mx.rsqrt(mean_square + 1e-5)
