"""Inputs made of the ones a rule gives: other values, dtypes and shapes, many of which its guard must refuse.

Each is a label and the arguments. Whether the code takes them is found out by running it.
"""

import mlx.core as mx

HALVES = (mx.float16, mx.bfloat16)


def is_floating(value):
    return isinstance(value, mx.array) and mx.issubdtype(value.dtype, mx.floating)


def changed(arguments, change, names=None):
    """The arguments with `change` applied to those of `names`; to every floating array without names."""
    chosen = [name for name, value in arguments.items() if is_floating(value)] if names is None else names
    return arguments | {name: change(arguments[name]) for name in chosen}


def cast(array, dtype):
    """The array in `dtype`; only the CPU has float64."""
    return array.astype(dtype, stream=mx.cpu if dtype == mx.float64 else None)


def with_first(array, number):
    """The array with its first element replaced."""
    if array.size == 0:
        return array
    flat = mx.array([number], array.dtype)
    return mx.concatenate([flat, array.reshape(-1)[1:]]).reshape(array.shape)


def values(arguments):
    """The same shapes and dtypes, other numbers."""
    yield "zeros", changed(arguments, mx.zeros_like)
    for label, factor, of_float16 in [("large", 300, 300), ("tiny", 1e-4, 1e-4), ("huge", 1e30, 1e4), ("minute", 1e-30, 1e-7)]:
        yield label, changed(arguments, lambda a: (a * (of_float16 if a.dtype == mx.float16 else factor)).astype(a.dtype))
    floating = [name for name, value in arguments.items() if is_floating(value)]
    for name in floating:
        for number in (float("inf"), float("-inf"), float("nan")):
            yield f"{number} in {name}", changed(arguments, lambda a: with_first(a, number), [name])
    # What counts indices out stays: beyond the array anything may be read.
    indices = any(isinstance(value, mx.array) and mx.issubdtype(value.dtype, mx.integer) for value in arguments.values())
    for name, value in arguments.items():
        others = (0.0, -1.5, 2) if isinstance(value, float) else (1, value + 1) if type(value) is int and not indices else ()
        for number in others:
            yield f"{name} = {number}", arguments | {name: number}


def dtypes(arguments):
    """The same numbers in other dtypes: all of them, and one array apart from the others."""
    floating = [name for name, value in arguments.items() if is_floating(value)]
    for dtype in (mx.int32, mx.uint8, mx.bool_):
        yield f"all {dtype}", changed(arguments, lambda a: mx.abs(4 * a).astype(dtype))
    yield "all complex64", changed(arguments, lambda a: a.astype(mx.complex64) * (1 + 2j))
    yield "all float64", changed(arguments, lambda a: cast(a, mx.float64))
    if len(floating) > 1:
        for name in floating:
            for dtype in (mx.float32, *HALVES, mx.int32, mx.float64):
                if arguments[name].dtype != dtype:
                    yield f"{name} {dtype}", changed(arguments, lambda a: cast(a, dtype), [name])
    for name, value in arguments.items():
        if isinstance(value, mx.array) and mx.issubdtype(value.dtype, mx.integer):
            yield f"{name} float32", changed(arguments, lambda a: a.astype(mx.float32), [name])


def shapes(arguments):
    """The same numbers in other shapes: each array alone, and all together. Indices and what counts them out stay within bounds: beyond them, anything
    may be read, and anything overwritten."""
    counts = [name for name, value in arguments.items() if type(value) is int]
    for label, changed in reshaped(arguments):
        floating = [value for value in changed.values() if is_floating(value)]
        shortest = min((n for value in floating for n in value.shape), default=1)
        indices = [name for name, value in changed.items() if isinstance(value, mx.array) and mx.issubdtype(value.dtype, mx.integer)]
        if shortest > 0:
            bounded = {name: min(changed[name], shortest) for name in counts} if indices else {}
            yield label, changed | bounded | {name: changed[name] % shortest for name in indices}
        elif all(changed[name].size == 0 for name in indices):
            yield label, changed


def reshaped(arguments):
    arrays = [name for name, value in arguments.items() if isinstance(value, mx.array)]
    for name in arrays:
        array = arguments[name]
        yield f"{name} with a new axis", arguments | {name: array[None]}
        yield f"{name} twice along a new axis", arguments | {name: mx.stack([array, array])}
        if array.ndim > 0 and array.size > 0:
            yield f"{name} without its first axis", arguments | {name: array[0]}
            yield f"{name} one long at the end", arguments | {name: array[..., :1]}
            yield f"{name} one long in front", arguments | {name: array[:1]}
            yield f"{name} as a scalar", arguments | {name: array.reshape(-1)[0]}
        # MLX never comes back from some functions of an array that is empty and turned.
        if array.ndim > 1 and array.size > 0:
            yield f"{name} turned", arguments | {name: array.swapaxes(0, 1)}
    if len(arrays) > 1:
        yield "all with a new axis", changed(arguments, lambda a: a[None], arrays)
        yield "all without their first axis", changed(arguments, lambda a: a[0] if a.ndim and a.shape[0] else a, arrays)
    for length in sorted({n for name in arrays for n in arguments[name].shape if n}):
        yield f"empty where {length} long", changed(arguments, lambda a: emptied(a, length), arrays)


def emptied(array, length):
    """The array with nothing left along each axis that is so long."""
    return array[tuple(slice(0) if n == length else slice(None) for n in array.shape)] if length in array.shape else array


def all_of(arguments):
    """Every change of one kind, each alone, and whether it makes the numbers extreme."""
    for kind in (values, dtypes, shapes):
        for label, changed in kind(arguments):
            yield label, changed, kind is values


def drawn(parameters, dtype):
    """Inputs for a rule that gives none: every array of one shape, numbers by their annotation."""
    for shape in [(5,), (4, 4), (2, 3), (2, 3, 8), (1, 2, 4, 4)]:
        arguments = {}
        for seed, (name, annotation) in enumerate(parameters.items()):
            if "array" in annotation:
                arguments[name] = mx.random.normal(shape, key=mx.random.key(seed)).astype(dtype)
            else:
                arguments[name] = {"float": 0.5, "int": 2, "bool": True}.get(annotation, -1)
        yield arguments
