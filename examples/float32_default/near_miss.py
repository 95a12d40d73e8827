"""Constants in float32 that must stay as they are."""

import mlx.core as mx
import mlx.nn as nn


def _normed(x: mx.array):
    """The cast back says that arrays may be in half precision."""
    return mx.fast.rms_norm(x.astype(mx.float32), None, 1e-5).astype(x.dtype)


def given(x: mx.array, w: mx.array):
    """The dtype was meant."""
    return mx.concatenate([mx.zeros((1, 4), dtype=mx.float32), _normed(x) @ w], axis=0)


def alike(x: mx.array, w: mx.array):
    """This has the dtype of the array already."""
    h = _normed(x) @ w
    return h + mx.zeros_like(h)


def whole_numbers(x: mx.array, w: mx.array, pad: int):
    """A whole number makes an array of whole numbers, which promotes nothing."""
    h = _normed(x) @ w
    return mx.concatenate([mx.full((1, h.shape[1]), 0), h], axis=0)


def too_large(x: mx.array, w: mx.array, keep: mx.array):
    """In float16 this number is an infinity, and rows of nothing else become NaN."""
    scores = _normed(x) @ w
    return mx.softmax(scores + mx.where(keep, mx.zeros(scores.shape), mx.full(scores.shape, -1e9)), axis=-1)


def inverted(x: mx.array, w: mx.array, length: int):
    """The constant itself fits, but not what it is multiplied by: zero times infinity."""
    scores = _normed(x) @ w
    mask = mx.tri(length)
    return scores + (1.0 - mask) * -1e9


def returned(n: int):
    """Its caller may want float32."""
    return mx.zeros((n, 4))


def accumulated(rows: list, width: int):
    """A sum over many rounds needs its digits."""
    total = mx.zeros((width,))
    for row in rows:
        total = total + _normed(row) * 0.5
    return total


def accumulated_in_place(rows: list, width: int):
    """So does one that is changed in place."""
    total = mx.zeros((width,))
    for row in rows:
        total += _normed(row)
    return total


class Layer(nn.Module):
    """Parameters are cast with the model."""

    def __init__(self, dims: int):
        super().__init__()
        self.scale = mx.ones((dims,))

    def __call__(self, x):
        return x * self.scale


def noise(x: mx.array, w: mx.array):
    """Another dtype draws other numbers."""
    h = _normed(x) @ w
    return h + mx.random.normal(h.shape)


def positions(x: mx.array, w: mx.array):
    """Positions need their digits."""
    h = _normed(x) @ w
    return h + mx.linspace(0, 1, h.shape[-1])


def float32_anyway(x: mx.array, w: mx.array):
    """What it meets is float32 already."""
    h = (_normed(x) @ w).astype(mx.float32)
    return mx.concatenate([mx.zeros((1, h.shape[1])), h], axis=0)


def cast_afterwards(x: mx.array, w: mx.array):
    """The sum was meant to be taken in float32: it is cast back."""
    h = _normed(x) @ w
    return (h + mx.ones(h.shape)).astype(h.dtype)


def compared(x: mx.array, w: mx.array):
    """A comparison has no dtype to keep."""
    h = _normed(x) @ w
    return h > mx.zeros(h.shape)


def stored(x: mx.array, w: mx.array, cache):
    """Whoever the cache belongs to decides."""
    h = _normed(x) @ w
    return cache.update_and_fetch(h, mx.zeros((h.shape[0], 0)))


def nameless(model, tokens: mx.array):
    """Nothing whose dtype is known to be that of the result has a name."""
    return model.head(tokens) + mx.zeros((4,))


def whole_numbers_in_a_list(x: mx.array):
    """Whole numbers promote nothing."""
    return mx.tanh(_normed(x)) * mx.array([1, -1, 1, -1])


def too_large_in_a_list(x: mx.array):
    """float16 holds none of this size."""
    return mx.tanh(_normed(x)) + mx.array([0.0, -1e9, 0.0, 0.0])


def normalized(image: mx.array, weight: mx.array):
    """Both constants would be given a dtype, but the result is cast."""
    x = (mx.tanh(_normed(image)) - mx.array([0.485, 0.456, 0.406])) / mx.array([0.229, 0.224, 0.225])
    return x.astype(weight.dtype) @ weight


def beside_random_numbers(x: mx.array):
    """What is drawn is float32, and makes the result float32 all the same."""
    h = mx.tanh(_normed(x)) + mx.ones((4,))
    return h * mx.random.normal((4,))


class Recurrent(nn.Module):
    """A state that begins as zeros is float32, and with it all that is made of it."""

    def __init__(self, dims: int):
        super().__init__()
        self.weight = mx.zeros((dims, dims))

    def __call__(self, x):
        state = mx.zeros((x.shape[0], x.shape[2]))
        states = []
        for i in range(x.shape[1]):
            state = mx.tanh(x[:, i] + state @ self.weight)
            states.append(state)
        return mx.stack(states, axis=1)


class AfterRecurrent(nn.Module):
    """So padding beside what it gives loses digits for nothing: what is to be mended is the state."""

    def __init__(self, dims: int):
        super().__init__()
        self.recurrent = Recurrent(dims)

    def __call__(self, x: mx.array, w: mx.array):
        h = self.recurrent(_normed(x))
        return mx.concatenate([h, mx.zeros((h.shape[0], 1, h.shape[2]))], axis=1) @ w


def of_any_dtype(x: mx.array, w: mx.array):
    """Nothing says that this is ever in half precision: a float32 model has nothing to gain."""
    h = mx.tanh(x @ w)
    return mx.concatenate([h, mx.zeros((h.shape[0], 1, h.shape[2]))], axis=1) @ w


def masked(x: mx.array, w: mx.array, mask: mx.array):
    """A mask that is made a factor does not say so either."""
    h = (x * mask.astype(x.dtype)) @ w
    return mx.concatenate([h, mx.zeros((h.shape[0], 1, h.shape[2]))], axis=1) @ w


def written(x: mx.array, w: mx.array):
    """Where a loop fills a buffer part by part, the loop is what costs."""
    h = mx.tanh(_normed(x) @ w)
    repeated = mx.zeros((2 * h.shape[0], h.shape[1], h.shape[2]))
    for i in range(h.shape[0]):
        for j in range(2):
            repeated[2 * i + j] = h[i]
    return repeated @ w


def decayed(x: mx.array, w: mx.array):
    """So it does where each part is made of the one before."""
    h = mx.tanh(_normed(x) @ w)
    states = mx.zeros(h.shape)
    for i in range(1, h.shape[0]):
        states[i] = states[i - 1] * 0.5 + h[i]
    return states @ w


def decided(x: mx.array, w: mx.array, n: int):
    """A choice has no digits to lose, and no dtype to gain."""
    h = _normed(x) @ w
    padded = mx.concatenate([h, mx.zeros((h.shape[0], n, h.shape[2]))], axis=1)
    return mx.argmax(padded.reshape(h.shape[0], -1), axis=-1), padded > 0.5


def reflected(verts: mx.array, w: mx.array):
    """Coordinates need their digits."""
    return (_normed(verts) * mx.array([1.0, -1.0, -1.0])) @ w


def added_up_by_a_layer_function(x: mx.array, w: mx.array):
    """In half precision the softmax of `mlx.nn` adds up in that, and it cannot be told not to."""
    scores = _normed(x) @ w
    return nn.softmax(scores + mx.full(scores.shape, -mx.inf), axis=-1)
