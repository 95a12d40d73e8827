"""Measures what a function of MLX does with its arguments, by calling it with made-up ones. Used by `api_table.py`.

Five things are measured: which arguments go by name and which by position, which of them must really be an `mx.array`
and which must be an axis of the first, what kind of result comes back, and how its dtype follows from the arguments.
Calls are lazy, so nothing is computed.
"""

import itertools
from typing import NamedTuple

import mlx.core as mx

FEW = (mx.int32, mx.float16, mx.bfloat16, mx.float32)
SEVEN = (mx.bool_, mx.uint8, mx.int64) + FEW
DTYPES = SEVEN + (mx.int8, mx.uint32, mx.complex64)
ARRAYS = ("array", "scalar", "array?", "arrays")
# Made-up values by parameter name; for parameters that take arrays, the shape where it is not (4, 4).
VALUES = {
    "axis": 0, "axis1": 0, "axis2": 1, "axes": (0,), "shape": (4, 4), "k": 2, "kth": 1, "size": 2, "n": 4, "M": 4, "num": 3, "repeats": 2,
    "reps": (2, 2), "shift": 1, "source": 0, "destination": 1, "decimals": 1, "dims": 4, "seed": 0, "pad_width": 1, "eps": 1e-5, "scale": 1.0,
    "traditional": False, "base": 1e4, "indices_or_sections": 2, "start": 0.0, "stop": 1.0, "dtype": mx.float16, "key": (2,), "s": (4, 4),
    "a_min": (), "a_max": (), "fill_value": (), "low": (), "high": (), "constant_values": (), "subscripts": "ij,jk->ik", "offset": 0,
}  # fmt: skip
# The same for one function. An optional parameter is passed if it takes arrays or stands here; `LEAVE` leaves it out.
LEAVE = "leave"
CONV1 = {"input": (1, 8, 4), "weight": (4, 3, 4)}
CONV2 = {"input": (1, 8, 8, 4), "weight": (4, 3, 3, 4)}
CONV3 = {"input": (1, 8, 8, 8, 4), "weight": (4, 3, 3, 3, 4)}
EXAMPLES = {
    "arange": {"stop": 1.0},
    "array.reshape": {"shape": (2, 8)},
    "array.transpose": {"axes": (1, 0)},
    "block_masked_mm": dict.fromkeys("ab", (64, 64)) | dict.fromkeys(("mask_out", "mask_lhs", "mask_rhs"), (1, 1)),
    "conv1d": CONV1, "conv2d": CONV2, "conv3d": CONV3, "conv_general": CONV1,
    "conv_transpose1d": CONV1, "conv_transpose2d": CONV2, "conv_transpose3d": CONV3,
    "convolve": {"a": (8,), "v": (3,)},
    "dequantize": {"w": (64, 8), "scales": (64, 1), "biases": (64, 1), "global_scale": LEAVE},
    "fast.cross_entropy": {"targets": (4,)},
    "fast.gated_delta_update": dict.fromkeys("qkv", (1, 4, 2, 32)) | dict.fromkeys(("gamma", "beta"), (1, 4, 2))
    | dict.fromkeys(("initial_state", "mask"), LEAVE),
    "fast.layer_norm": {"weight": (4,), "bias": (4,)},
    "fast.rms_norm": {"weight": (4,)},
    "fast.rope": {"a": (1, 4, 4), "offset": (), "freqs": LEAVE},
    "fast.scaled_dot_product_attention": dict.fromkeys("qkv", (1, 2, 4, 8)) | {"sinks": (2,)},
    "fft.istft": {"stft_matrix": (9, 9), "n_fft": 16, "window": (16,)},
    "fft.stft": {"x": (64,), "n_fft": 16, "window": (16,)},
    "gather_mm": dict.fromkeys("ab", (4, 4, 4)) | dict.fromkeys(("lhs_indices", "rhs_indices"), (4,)),
    "gather_qmm": {"x": (4, 64), "w": (4, 64, 8), "rhs_indices": (4,)} | dict.fromkeys(("scales", "biases"), (4, 64, 1))
    | dict.fromkeys(("lhs_indices", "global_scale"), LEAVE),
    "linalg.cross": {"a": (4, 3), "b": (4, 3), "axis": -1},
    "meshgrid": {"arrays": (4,)},
    "put_along_axis": {"axis": 0},
    "quantize": {"w": (64, 64), "global_scale": LEAVE},
    "quantized_matmul": {"x": (4, 64), "w": (64, 8), "scales": (64, 1), "biases": (64, 1)},
    "random.multivariate_normal": {"mean": (4,)},
    "searchsorted": {"sorted_sequence": (4,)},
    "segmented_mm": {"segments": (1, 2)},
    "slice": {"start_indices": (1,), "slice_size": (2, 4)},
    "slice_update": {"update": (2, 4), "start_indices": (1,)},
    "unflatten": {"shape": (2, 2)},
    "unique": {"a": (4,)},
}  # fmt: skip
# Parameters whose array is not of the dtype under test, unless they are varied themselves.
FIXED = (
    dict.fromkeys(("indices", "lhs_indices", "rhs_indices", "start_indices", "targets", "offset"), mx.int32)
    | dict.fromkeys(("mask_out", "mask_lhs", "mask_rhs", "condition"), mx.bool_)
    | dict.fromkeys(("segments", "key"), mx.uint32)
)
RAISED = object()
BUFFER = object()
SECOND = "+"  # `arrays+` is the second array of the list `arrays`


def resolve(dotted):
    """The object with this dotted name below `mlx.core`."""
    value = mx
    for part in dotted.split("."):
        value = getattr(value, part)
    return value


def made_up(function, parameter, dtype, second=None):
    """A value for the parameter: an array of this dtype (lists and `*arrays` get two), or the value of the tables above."""
    value = EXAMPLES.get(function.name, {}).get(parameter.name, VALUES.get(parameter.name))
    if parameter.accepts not in ARRAYS or value is LEAVE:
        return value
    shape = value if isinstance(value, tuple) else (4, 4)
    if not is_list(parameter):
        return filled(shape, dtype)
    return [filled(shape, dtype), filled(shape, second or dtype)]


def filled(shape, dtype):
    """An array of 1, 2 and 3: not all equal, and indices within the made-up arrays."""
    count = mx.zeros(shape).size
    return (mx.arange(count) * 7 % 3 + 1).reshape(shape).astype(dtype)


def is_list(parameter):
    return parameter.accepts == "arrays" or parameter.accepts == "array" and parameter.kind == "star"


def base(function, dtype, dtypes=None):
    """Values by parameter name: what is required, all arrays, and what the examples say; `dtypes` overrides `dtype`."""
    values, dtypes = {}, dtypes or {}
    for parameter in function.params:
        optional = parameter.default != "-" and parameter.name not in EXAMPLES.get(function.name, {})
        if optional and (parameter.accepts not in ARRAYS or parameter.name == "key"):
            continue
        of = FIXED.get(parameter.name, dtype)
        if parameter.name == "w" and function.name in ("quantized_matmul", "gather_qmm", "dequantize"):
            of = mx.uint32
        value = made_up(function, parameter, dtypes.get(parameter.name, of), dtypes.get(parameter.name + SECOND))
        if value is not LEAVE:
            values[parameter.name] = value
    return values


def call(function, values, owner=mx.float32, named=None):
    """The result of calling with `values`, by position as far as possible, and `named` by name; `RAISED` if that raises.

    A method is called on an array of dtype `owner`.
    """
    positional, rest, gap = [], dict(named or {}), False
    for parameter in function.params:
        value = values.get(parameter.name)
        if parameter.name not in values:
            gap = True
        elif parameter.kind == "star":
            positional += value or ()
        elif gap or parameter.kind == "kw":
            rest[parameter.name] = value
        else:
            positional.append(value)
    try:
        if not function.name.startswith("array."):
            return resolve(function.name)(*positional, **rest)
        member = getattr(filled((4, 4), owner), function.name.removeprefix("array."))
        return member(*positional, **rest) if callable(member) else member
    except (TypeError, ValueError, RuntimeError, OverflowError, IndexError) as error:
        function.error = error
        return RAISED


def dtype_of(result):
    """The dtype of an array, or that of all arrays of a list or tuple; `None` if they differ."""
    if isinstance(result, (list, tuple)):
        found = {dtype_of(part) for part in result}
        return found.pop() if len(found) == 1 else None
    return getattr(result, "dtype", None)


def works_with(function):
    """A dtype for which the made-up call succeeds, or `None`."""
    for dtype in (mx.float32, mx.int32, mx.complex64, mx.uint8):
        if call(function, base(function, dtype), dtype) is not RAISED:
            return dtype
    return None


def measure_result(function, dtype):
    """Asserts the result kind that the table has from the stub."""
    result = call(function, base(function, dtype), dtype)
    kind = "array" if isinstance(result, mx.array) else "arrays" if isinstance(result, (list, tuple)) else type(result).__name__
    assert function.result in (kind, "other"), (function.name, function.result, kind)


def default_of(parameter):
    """The default as a Python value."""
    return eval(parameter.default, {"float32": mx.float32, "int32": mx.int32, "bfloat16": mx.bfloat16})


def measure_kinds(function, dtype):
    """Which arguments may be passed by name and which by position: the stub's text is hand-written and often wrong."""
    values = base(function, dtype)
    star = any(parameter.kind == "star" for parameter in function.params)
    plain = [parameter for parameter in function.params if parameter.kind in ("pos", "any") and not star]
    required = [parameter for parameter in plain if parameter.default == "-"]
    for parameter in required:
        parameter.kind = "pos"
    for index in range(len(required), -1, -1):
        early = {parameter.name: values[parameter.name] for parameter in required[:index]}
        late = {parameter.name: values[parameter.name] for parameter in required[index:]}
        optional = {name: value for name, value in values.items() if name not in early and name not in late}
        if call(function, early, dtype, late | optional) is RAISED and call(function, early | optional, dtype, late) is RAISED:
            break
        for parameter in required[index:]:
            parameter.kind = "any"
    for parameter in function.params:
        if parameter.default != "-":
            parameter.kind = optional_kind(function, parameter, dtype)


def optional_kind(function, parameter, dtype):
    """How an optional argument may be passed."""
    values = base(function, dtype)
    value = values.pop(parameter.name, default_of(parameter))
    named = call(function, values, dtype, {parameter.name: value}) is not RAISED
    before = function.params[: function.params.index(parameter)]
    placed = False
    if parameter.kind != "kw" and not any(p.kind == "star" for p in before):
        earlier = {p.name: values[p.name] if p.name in values else default_of(p) for p in before}
        placed = call(function, earlier | {parameter.name: value}, dtype) is not RAISED
    assert named or placed, (function.name, parameter.name, function.error)
    return "any" if named and placed else "kw" if named else "pos"


def measure_accepts(function, dtype):
    """What survives in place of an array: the stub says `array` for many parameters that take Python numbers and buffers."""
    values = base(function, dtype)
    for parameter in function.params:
        if parameter.name not in values or parameter.accepts not in ("array", "array?", "arrays", "scalar"):
            continue
        numbers = any(survives(function, values, dtype, parameter.name, value) for value in (2.0, 2, True))
        buffers = survives(function, values, dtype, parameter.name, BUFFER)
        if parameter.accepts == "scalar":
            assert numbers, (function.name, parameter.name)
        elif parameter.accepts == "array" and survives(function, values, dtype, parameter.name, None):
            parameter.accepts = "array?"
        elif numbers or buffers:
            parameter.accepts = "scalar" if numbers and parameter.accepts == "array" else "other"


def measure_axes(function, dtype):
    """Which numbers must be those of axes that the first array has: any other raises when the function is called."""
    values = base(function, dtype)
    first = filled((4, 4), dtype) if function.name.startswith("array.") else values.get(function.params[0].name)
    arrays = first if isinstance(first, list) else [first]
    for parameter in function.params:
        if not parameter.name.startswith("axis") or parameter.accepts not in ("int", "ints") or not isinstance(arrays[0], mx.array):
            continue
        rank = arrays[0].ndim
        # Where arrays broadcast, another may have the axis.
        deeper = {name: value[None] for name, value in values.items() if isinstance(value, mx.array) and value is not first}
        raised = {at: call(function, values | {parameter.name: at}, dtype) is RAISED for at in (rank, -rank - 1, rank - 1, -rank)}
        others = [call(function, values | deeper | {parameter.name: at}, dtype) is RAISED for at in (rank, -rank - 1)]
        if list(raised.values()) != [True, True, False, False] or not all(others):
            continue
        if parameter.accepts == "ints":
            assert all(call(function, values | {parameter.name: (0, at)}, dtype) is RAISED for at in (rank, -rank - 1)), function.name
        parameter.accepts = {"int": "axis", "ints": "axes"}[parameter.accepts]


def survives(function, values, dtype, name, value):
    """Whether the call gets past the type check with this value; a complaint about its shape or range comes after that check."""
    known = values[name]
    if value is BUFFER:  # what a NumPy array is to MLX
        shape = (known[0] if isinstance(known, list) else known).shape or (1,)
        value = memoryview(bytearray(4 * mx.zeros(shape).size)).cast("f", shape)
    if call(function, values | {name: [value, value] if isinstance(known, list) else value}, dtype) is not RAISED:
        return True
    refusals = ("incompatible function arguments", "bad_cast", "Invalid type")
    return not any(refusal in str(function.error) for refusal in refusals)


def promotion(dtypes, scalars=()):
    """MLX promotion: arrays among themselves, then Python scalars, which only ever raise the kind."""
    kinds = {bool: mx.bool_, int: mx.int32, float: mx.float32}
    if not dtypes:
        return mx.result_type(*(kinds[type(scalar)] for scalar in scalars)) if scalars else None
    found = mx.result_type(*dtypes)
    for scalar in scalars:
        if type(scalar) is float and not mx.issubdtype(found, mx.inexact) or type(scalar) is int and found == mx.bool_:
            found = kinds[type(scalar)]
    return found


def as_float(dtype):
    return dtype if dtype is None or mx.issubdtype(dtype, mx.inexact) else mx.float32


def as_sum(dtype):
    """Narrow integers widen in `sum` and stay in `cumsum`: the rule says nothing of them."""
    return None if dtype is None or dtype in (mx.int8, mx.uint8) else mx.int32 if dtype == mx.bool_ else dtype


def as_real(dtype):
    """Integers stay in `abs` and become float32 in `var`: the rule says nothing of them."""
    if dtype is None or not mx.issubdtype(dtype, mx.inexact):
        return None
    return mx.float32 if dtype == mx.complex64 else dtype


# What each rule says of a result, given the promotion of the arguments that take part; `None` says nothing.
RULES = {
    "bool": lambda dtype: mx.bool_,
    "uint32": lambda dtype: mx.uint32,
    "float32": lambda dtype: mx.float32,
    "keep": lambda dtype: dtype,
    "float": as_float,
    "sum": as_sum,
    "real": as_real,
}
# Functions whose rule does not hold for these calls. The Rust side states them beside the rules.
EXCEPTIONS = {
    # Over any axis but the last, integers stay integers.
    "softmax": ("float", lambda row: not mx.issubdtype(row.arrays[0], mx.inexact)),
    # A bias without a weight does not promote.
    "fast.layer_norm": ("keep", lambda row: row.variant == "weight"),
    # Integers between a half and a Python float: the float is applied first.
    "clip": ("keep", lambda row: row.variant == "scalar" and row.result == mx.float32),
}


class Row(NamedTuple):
    """One successful call: the dtypes of the arrays that take part, the Python scalars in place of others, the result's dtype."""

    arrays: tuple
    scalars: tuple
    result: object
    variant: str


def agree(said, result):
    """Whether the rule allows the result; a `Dtype` cannot be compared with `None`."""
    return said is None or result is not None and said == result


def observe(function, owner, dtypes, values=None, leave=()):
    """The result's dtype for arrays of these dtypes; `RAISED` if the call raises."""
    chosen = base(function, owner, dtypes) | (values or {})
    chosen = {name: value for name, value in chosen.items() if name not in leave}
    result = call(function, chosen, owner)
    return result if result is RAISED else dtype_of(result)


def taking_part(function, works):
    """The array parameters whose dtype the result's dtype depends on; `self` is the array of a method."""
    parameters = [parameter for parameter in function.params if parameter.accepts in ARRAYS and parameter.name in base(function, works)]
    names = [name for p in parameters for name in ([p.name, p.name + SECOND] if is_list(p) else [p.name])]
    found = []
    for name in ["self"] * function.name.startswith("array.") + names:
        for dtype in (mx.bool_, mx.int32, mx.float16, mx.float32, works):
            dtypes = [(other, {}) if name == "self" else (dtype, {name: other}) for other in DTYPES]
            seen = {observe(function, *pair) for pair in dtypes} - {RAISED}
            if len(seen) > 1 and name not in found:
                found.append(name)
    return found


def variants(function):
    """Ways of calling that must not change the rule: (name, values, names left out)."""
    yield "", {}, ()
    numbers = {p.name: 2 for p in function.params if p.accepts == "float"}
    yield "int", numbers, ()
    for parameter in function.params:
        if parameter.default == "-":
            continue
        if parameter.accepts == "bool":
            yield parameter.name, {parameter.name: not default_of(parameter)}, ()
        if parameter.name == "axis":
            for axis in (None, 0, -1, (0, 1)):
                yield "axis", {"axis": axis}, ()
        if parameter.accepts in ARRAYS:
            yield parameter.name, {}, (parameter.name,)


def observations(function, joins, works):
    """(dtypes of the arrays that take part, Python scalars, result, variant) of every call that succeeds."""
    dtypes = {0: DTYPES, 1: DTYPES, 2: DTYPES, 3: SEVEN}.get(len(joins), FEW)
    for variant, values, leave in variants(function):
        present = [name for name in joins if name not in leave]
        for combination in itertools.product(dtypes if not variant else FEW, repeat=len(present)):
            chosen = dict(zip(present, combination))
            for rest in {works, mx.float16} if joins else DTYPES:
                result = observe(function, chosen.get("self", rest), chosen, values, leave)
                if result is not RAISED:
                    yield Row(combination, (), result, variant)
    scalars = [p.name for p in function.params if p.accepts == "scalar" and p.name in joins]
    for number, count in itertools.product((True, 2, 2.0), range(1, len(scalars) + 1)):
        for places in itertools.combinations(scalars, count):
            rest = [name for name in joins if name not in places]
            for combination in itertools.product(FEW, repeat=len(rest)):
                result = observe(function, works, dict(zip(rest, combination)), dict.fromkeys(places, number))
                if result is not RAISED:
                    yield Row(combination, (number,) * count, result, "scalar")


def measure_dtype(function, works):
    """Fills the dtype rule and the parameters that take part in it; no rule if none fits every call."""
    parameter = next((p for p in function.params if p.accepts == "dtype"), None)
    if parameter:
        given = [(of, observe(function, works, {}, {parameter.name: of})) for of in FEW + (mx.int64,)]
        given = [of == result for of, result in given if result is not RAISED]
        # `mx.full` ignores its dtype if the value is an array; whatever ignores it has no rule.
        if not all(given) or not given or parameter.default != "None":
            function.dtype = "arg" if given and all(given) else "?"
            return
    joins = taking_part(function, works)
    rows = list(observations(function, joins, works))
    for rule in RULES if joins else ("bool", "uint32", "float32"):
        if not fits(function.name, rule, rows):
            continue
        function.joins = [name for name in joins if name != "self" and not name.endswith(SECOND)]
        several = len(joins) > 1 and rule in ("keep", "float")
        function.dtype = {"keep": "promote", "float": "promote-float"}[rule] if several else rule
        return


def fits(name, rule, rows):
    """Whether the rule is right about all calls that it says something about, and says something about one at least."""
    excepted, excuse = EXCEPTIONS.get(name, (None, None))
    said = [(RULES[rule](promotion(row.arrays, row.scalars)), row) for row in rows]
    wrong = [row for expected, row in said if not agree(expected, row.result)]
    if rule == excepted:
        wrong = [row for row in wrong if not excuse(row)]
    return not wrong and any(expected is not None for expected, _ in said)


def measure(function):
    """Corrects the function's kinds and accepted arguments, and fills its dtype rule; leaves alone what cannot be called."""
    works = works_with(function)
    if works is None or function.name == "gather_qqmm":  # which has no kernel on the CPU and checks nothing
        return
    measure_result(function, works)
    measure_kinds(function, works)
    measure_accepts(function, works)
    measure_axes(function, works)
    measure_dtype(function, works)


def same(first, second):
    """Whether two functions give equal results for the same made-up arguments; of a method, its array is the first."""
    works = works_with(first)
    values = base(first, works)
    other = dict(values)
    if first.name.startswith("array."):
        rest = {p.name: values[q.name] for p, q in zip(second.params[1:], first.params) if q.name in values}
        other = {second.params[0].name: filled((4, 4), works)} | rest
    one, two = call(first, values, works), call(second, other, works)
    if not isinstance(one, (list, tuple)):
        one, two = [one], [two]
    equal = (a.dtype == b.dtype and mx.array_equal(a, b, equal_nan=True).item() for a, b in zip(one, two))
    return len(one) == len(two) and all(equal)
