"""The world that code runs in alone: what its operators, calls, attributes and names do, with stand-ins (`standin.py`) for all that comes from outside.

Functions of MLX that only compute run as they are, on arrays that the name of a stand-in decides; ones that tell of memory or limit it are noted and not run,
and files are ones that are made here. No attribute of a Python object is read but those listed here, so nothing leads out of the program.
"""

import collections
import itertools
import math
import operator
import os
import types
import zlib

import mlx.core as mx
import mlx.nn as nn
import mlx.utils
import numpy as np
import oracle
from harmless import ACTIVATIONS, AT, CONSTANTS, DTYPES, PROPERTIES, PURE_BUILTINS
from standin import Again, Endless, Halt, ITEMS, Known, Term, kept, terms_in, told

ERRORS = (TypeError, ValueError, RuntimeError, IndexError, OverflowError, AttributeError)
MOST_STEPS = 400  # rounds of loops
USUAL = ("float32", "float16", "bfloat16", "int32", "bool_")
MOST_TRIED = 200  # what stand-ins may be that one function of MLX is given
OPERATORS = {"Add": "add", "Sub": "sub", "Mult": "mul", "Div": "truediv", "FloorDiv": "floordiv", "Mod": "mod", "Pow": "pow", "MatMult": "matmul"}
OPERATORS |= {"BitAnd": "and_", "BitOr": "or_", "BitXor": "xor", "LShift": "lshift", "RShift": "rshift"}
OPERATORS |= {"Lt": "lt", "LtE": "le", "Gt": "gt", "GtE": "ge", "Eq": "eq", "NotEq": "ne"}
METHODS = {
    dict: ("copy", "get", "items", "keys", "pop", "setdefault", "update", "values"),
    list: ("append", "clear", "copy", "count", "extend", "index", "insert", "pop", "remove", "reverse", "sort"),
    set: ("add", "copy", "discard", "remove", "union", "update"),
    str: ("endswith", "find", "join", "lower", "lstrip", "replace", "rstrip", "split", "splitlines", "startswith", "strip", "upper"),
    tuple: ("count", "index"),
}
OF_ARRAYS = {"astype", "dtype", "flatten", "item", "ndim", "reshape", "shape", "squeeze", "swapaxes", "tolist", "transpose"}  # and of nothing else
OF_MODULES = ("eval", "freeze", "parameters", "set_dtype", "state", "train", "trainable_parameters", "unfreeze", "update")
RAISED = ("AssertionError", "AttributeError", "Exception", "FileNotFoundError", "ImportError", "IndexError", "KeyError", "OSError")
RAISED += ("NotImplementedError", "RuntimeError", "StopIteration", "TypeError", "ValueError", "ZeroDivisionError")
INDEXING = ("take", "take_along_axis", "put_along_axis", "gather_mm", "gather_qmm", "block_masked_mm", "slice_update", "slice")
BUILTINS = (*PURE_BUILTINS, *RAISED, "all", "any", "bytes", "chr", "dict", "filter", "iter", "next", "ord", "repr", "set", "str")
MEMORY = ("clear_cache", "device_info", "get_active_memory", "get_cache_memory", "get_peak_memory", "reset_peak_memory", "set_cache_limit")
MEMORY += ("set_memory_limit", "set_wired_limit", "is_available")
OF_NUMPY = ("abs", "all", "any", "arange", "argmax", "argsort", "array", "asarray", "concatenate", "cumsum", "exp", "log", "max", "mean", "min", "ones", "prod", "sqrt")
OF_NUMPY += ("stack", "sum", "unique", "where", "zeros")
OF_NUMPY_ARRAYS = ("T", "astype", "dtype", "flatten", "item", "max", "mean", "min", "ndim", "reshape", "shape", "size", "sum", "tobytes", "tolist")
LIKELY = ("array", "length", "index", "number", "dtype", "bool", ("array", 2), ("array", 1), "none", "list")  # what a function of MLX is given
TREES = ("tree_flatten", "tree_map", "tree_map_with_path", "tree_reduce", "tree_unflatten")


class Run:
    """One version of the code in one world: `setting` says how its arrays are, `kinds` what stand-ins turned out to be."""

    def __init__(self, setting, kinds, leaves, functions, folder, wide=False):
        self.setting, self.kinds, self.leaves, self.functions, self.folder, self.wide = setting, kinds, leaves, functions, folder, wide
        self.events, self.values, self.stored, self.asked = [], {}, {}, collections.Counter()
        self.names, self.numbers = {}, {}  # of the stand-ins that became arrays, and numbers
        self.wanted = 0  # items that are to be unpacked
        self.steps, self.calls_made, self.reached, self.arrays = 0, 0, set(), {}

    # The world

    def chance(self, key, among):
        """A number below `among`, the same wherever the same is asked."""
        return zlib.crc32(f"{self.setting.seed}|{key}".encode()) % among

    def nth(self, key):
        self.asked[key] += 1
        return f"#{self.asked[key]}"

    def decide(self, key):
        """A truth value; no loop that asks again and again gets the same answer for ever."""
        self.asked[f"?{key}"] += 1
        return self.chance(f"{key}?{self.asked[f'?{key}'] // ITEMS}", 2) == 1

    def make(self, key):
        """What has this name."""
        if key not in self.values:
            self.values[key] = self.of_kind(key, self.kinds[key]) if key in self.kinds else Term(self, key)
        return self.values[key]

    def become(self, term, kind):
        """A stand-in turns out to be of some kind."""
        self.kinds.setdefault(term.key, kind)
        self.values[term.key] = self.of_kind(term.key, self.kinds[term.key])
        return self.values[term.key]

    def settled(self, value):
        """A value with what its stand-ins have turned out to be."""
        if type(value) is Term:
            return self.values.get(value.key, value)
        if isinstance(value, slice):
            return slice(*map(self.settled, (value.start, value.stop, value.step)))
        if type(value) in (list, tuple):
            made = [self.settled(item) for item in value]
            return value if all(new is old for new, old in zip(made, value)) else type(value)(made)
        return value

    def of_kind(self, key, kind):
        """A value of a kind."""
        kind, *rest = kind if isinstance(kind, tuple) else (kind,)
        if kind == "array":
            return self.array(key, *rest)
        length, number = self.setting.length, 0.25 + self.chance(f"{key} as a number", 2**32) / 2**31
        if kind == "number":
            self.numbers[number] = key
        given = {"index": self.chance(key, min(length, 2)), "length": length, "number": number, "bool": self.chance(key, 2) == 1}
        given |= {"int": (length, 1, 2, length, 2 * length)[self.chance(key, 5)]}
        given |= {"dtype": self.setting.dtypes[0], "none": None, "list": list(range(2))}
        return given[kind]

    def array(self, key, rank=None, lengths=(), dtypes=()):
        """An array that fits what is known of it; each name has its own numbers."""
        rank = self.setting.rank if rank is None else rank
        rank = 1 + self.chance(f"axes of {key}", 4) if rank is None else rank
        shape = [self.setting.length] * rank
        for axis, length in enumerate(lengths[:rank]):
            shape[axis] = length if length is not None and length <= 4096 else shape[axis]
        usual = [d for d in self.setting.dtypes if not dtypes or oracle.name_of(d) in dtypes] or [getattr(mx, name) for name in dtypes if name in USUAL]
        usual = usual or [getattr(mx, dtypes[0])]
        dtype = usual[self.chance(key, len(usual))]
        drawn = np.random.default_rng(zlib.crc32(f"{self.setting.seed}|{key}".encode()))
        if mx.issubdtype(dtype, mx.floating):
            values = drawn.standard_normal(shape)
            if self.setting.special and values.size > 2:
                values.reshape(-1)[:3] = (math.inf, math.nan, -0.0)
        else:
            values = drawn.integers(0, 2 if dtype == mx.bool_ else max(2, self.setting.length - 1), shape)
        made = mx.array(values.astype(np.float32)).astype(dtype)
        self.arrays[key] = made
        self.names[id(made)] = key
        return oracle.upcast(made) if self.wide else made

    def given(self, name, default):
        """A parameter of the function: what facts say that it is, else its default or a stand-in."""
        if default and self.chance(f"default of {name}", 2):
            return default[0]
        same = [leaf for leaf in self.leaves if leaf["name"] == name]
        return self.fitted(self.make(name), same[0]) if same else self.make(name)

    def known(self, value, number):
        """A value of which facts say something."""
        return self.fitted(value, self.leaves[number])

    def fitted(self, value, leaf):
        value = self.settled(value)
        if type(value) is not Term:
            return value
        number = "int" if self.chance(f"{value.key} is whole", 2) else "number"
        kinds = {"array": "array", "array or None": "array", "int": "int", "number": number, "bool": "bool", "dtype": "dtype", "None": "none"}
        kind = kinds.get(leaf["kind"])
        if kind is None or leaf["kind"] == "array or None" and self.chance(f"{value.key} is None", 2):
            return value if kind is None else self.become(value, "none")
        return self.become(value, (kind, leaf["rank"], tuple(leaf["lengths"]), tuple(leaf["dtypes"])) if kind == "array" else kind)

    # What happens

    def happens(self, what, key, *values):
        """Something that others can see."""
        self.events.append((what, key, kept(values)))

    def tick(self):
        self.steps += 1
        if self.steps > MOST_STEPS:
            raise Endless

    def reach(self, place):
        self.reached.add(place)

    def called(self, term, args, kwargs):
        """A stand-in is called."""
        if term.key.endswith(".open") and (args or tuple(kwargs.values())) == ("rb",):
            return self.opened(term.key[: -len(".open")])
        self.happens("calls", term.key, self.settled(args), {key: self.settled(value) for key, value in kwargs.items()})
        self.calls_made += 1
        return self.make(f"{term.key}()#{self.calls_made}")

    def call(self, function, *args, **kwargs):
        """Any call of the code; functions made anew have parameters of another name."""
        function = self.settled(function)
        if isinstance(function, types.FunctionType):
            return function(*args, **{f"v_{name}": value for name, value in kwargs.items()})
        if isinstance(function, nn.Module):
            function = Known(self, f"mlx.nn.{type(function).__name__}", function)
        return function(*args, **kwargs)

    # Values

    def symbol(self, name, *operands):
        return self.make(f"{name}({', '.join(map(told, operands))})")

    def op(self, name, *operands, inplace=False):
        """An operator."""
        operands = [self.settled(operand) for operand in operands]
        if any(isinstance(operand, mx.array) for operand in operands):
            operands = [self.become(o, "array" if name == "MatMult" else "number") if type(o) is Term else o for o in operands]
        elif any(type(operand) is Term for operand in operands) and not isinstance(operands[0], (str, list)):
            return self.symbol(name, *operands)
        function = getattr(operator, f"i{OPERATORS[name].rstrip('_')}" if inplace else OPERATORS[name])
        return function(*operands)

    def formatted(self, value):
        """A value that is written in a format: no array."""
        value = self.settled(value)
        if isinstance(value, mx.array) and id(value) in self.names:
            self.kinds[self.names[id(value)]] = "number"
            raise Again
        return value

    def same(self, left, right):
        """`left is right`."""
        left, right = self.settled(left), self.settled(right)
        terms = [value for value in (left, right) if type(value) is Term]
        return left == right if len(terms) == 2 else self.decide(f"{told(left)} is {told(right)}") if terms else left is right

    def item(self, value, index):
        value, index = self.settled(value), self.settled(index)
        if isinstance(value, mx.array):
            index = self.whole(index)
            beyond(value, index)
        return value[index]

    def put(self, value, index, new):
        value, index, new = self.settled(value), self.settled(index), self.settled(new)
        if isinstance(value, mx.array):
            index, new = self.whole(index), self.become(new, "number") if type(new) is Term else new
            beyond(value, index)
        value[index] = new

    def drop(self, value, index):
        del self.settled(value)[self.settled(index)]

    def whole(self, index):
        """An index of an array, its stand-ins as whole numbers."""
        if type(index) is Term:
            return self.become(index, "index")
        if isinstance(index, slice):
            return slice(*map(self.whole, (index.start, index.stop, index.step)))
        return type(index)(map(self.whole, index)) if type(index) in (tuple, list) else index

    def shaped(self, value, pattern):
        """A value that is unpacked: a stand-in has as many parts as are asked for."""
        if pattern is None or pattern == "*":
            return value
        value = self.settled(value)
        if type(value) is Term:
            return [self.shaped(value[n], part) for n, part in enumerate(pattern)]
        if isinstance(value, (map, zip, types.GeneratorType)) and "*" not in pattern:
            self.wanted = len(pattern)
            value, self.wanted = [*itertools.islice(value, len(pattern))], 0
        parts = list(value)
        if "*" in pattern:
            return parts
        return [self.shaped(part, inner) for part, inner in zip(parts, pattern)] if len(parts) == len(pattern) else parts

    def each(self, values, pattern):
        """What is iterated over, with each item as it is unpacked."""
        for value in self.settled(values):
            self.tick()
            yield self.shaped(value, pattern)

    def more(self, truth):
        """The test of a `while`."""
        self.tick()
        return truth

    def attr(self, value, name):
        value = self.settled(value)
        if type(value) is Term and name in OF_ARRAYS and f"{value.key}.{name}" not in self.stored:
            value = self.become(value, ("array", 0) if name == "item" else "array")
        if type(value) is float and value in self.numbers and name in OF_ARRAYS:
            self.kinds[self.numbers[value]] = ("array", 0)
            raise Again
        if type(value) is Term:
            place = f"{value.key}.{name}"
            return self.stored[place] if place in self.stored else self.make(place)
        if isinstance(value, mx.array) and (name in PROPERTIES or name in ("nbytes", "itemsize")):
            return getattr(value, name)
        if isinstance(value, mx.array) and f"array.{name}" in self.functions or type(value).__name__ == "ArrayAt" and name in AT:
            return Known(self, f"array.{name}", getattr(value, name))
        if isinstance(value, nn.Module) and (name in OF_MODULES or isinstance(value.get(name), (mx.array, nn.Module))):
            made = getattr(value, name)
            return Known(self, f"mlx.core.{name}", made) if callable(made) and not isinstance(made, nn.Module) else made
        if isinstance(value, (np.ndarray, np.generic)) and name in OF_NUMPY_ARRAYS:
            made = getattr(value, name)
            return Known(self, f"numpy.{name}", made) if callable(made) else made
        if isinstance(value, mx.Dtype) and name == "size":
            return value.size
        for kind, methods in METHODS.items():
            if type(value) is kind and name in methods:
                return Known(self, f"{kind.__name__}.{name}", getattr(value, name))
        if value is None:
            raise AttributeError(name)
        raise Halt(f"`.{name}` of a value of the type `{type(value).__name__}` is not known to be harmless")

    def set_attr(self, value, name, new):
        value = self.settled(value)
        if type(value) is not Term:
            raise Halt(f"`.{name}` of a value of the type `{type(value).__name__}` is assigned to")
        self.happens("stores", f"{value.key}.{name}", new)
        self.stored[f"{value.key}.{name}"] = new

    def drop_attr(self, value, name):
        self.happens("deletes", f"{told(self.settled(value))}.{name}")

    # Names

    def imported(self, path):
        """What an import brings in."""
        module, _, name = path.rpartition(".")
        if module == "mlx.core" and name in (*CONSTANTS, *DTYPES):
            return getattr(mx, name)
        if module in ("math", "numpy") and name in CONSTANTS:
            return None if name == "newaxis" else getattr(math, name)
        if module == "mlx.core" and name in ("cpu", "gpu", "floating", "integer", "inexact", "number", "generic"):
            return getattr(mx, name)
        if path.startswith("mlx.core."):
            inner = path[len("mlx.core.") :]
            special = {"eval": self.evaluated, "async_eval": self.evaluated, "load": self.load, "compile": lambda function, *_, **__: function}
            if inner in special:
                return Known(self, path, special[inner])
            if inner.rpartition(".")[2] in MEMORY and inner.rpartition(".")[0] in ("", "metal"):
                return Known(self, path, lambda *args, **kwargs: self.memory(inner, args, kwargs))
            if inner in self.functions or inner == "array":
                return Known(self, path, operator.attrgetter(inner)(mx))
        if module == "math" and not name.startswith("_") and hasattr(math, name):
            return Known(self, path, getattr(math, name))
        if module == "mlx.nn" and (name in ACTIVATIONS or name != "Module" and isinstance(getattr(nn, name, None), type)):
            return Known(self, path, getattr(nn, name))
        if module == "numpy" and name in OF_NUMPY:
            return Known(self, path, getattr(np, name))
        if module == "mlx.utils" and name in TREES:
            return Known(self, path, getattr(mlx.utils, name))
        return self.make(path)

    def builtin(self, name):
        ours = {"print": self.printed, "isinstance": self.isinstance, "open": self.open, "getattr": self.getattr, "hasattr": self.hasattr}
        return Known(self, name, ours[name])

    def printed(self, *args, **kwargs):
        self.happens("prints", "print", args, kwargs)

    def isinstance(self, value, kinds):
        value, kinds = self.settled(value), kinds if isinstance(kinds, tuple) else (kinds,)
        plain = [k.function if isinstance(k, Known) else k for k in kinds]
        if type(value) is not Term and all(isinstance(k, type) for k in plain):
            return isinstance(value, tuple(plain))
        if type(value) is Term and plain == [mx.array] and self.decide(f"{value.key} is an array"):
            return self.become(value, "array") is not None
        return type(value) is Term and self.decide(f"isinstance({value.key}, {told(kinds)})")

    def getattr(self, value, name, *default):
        missing = default and type(self.settled(value)) is Term and self.decide(f"{told(value)} has {name}")
        return default[0] if missing else self.attr(value, name)

    def hasattr(self, value, name):
        value = self.settled(value)
        return self.decide(f"{told(value)} has {name}") if type(value) is Term else isinstance(value, mx.array) and f"array.{name}" in self.functions

    def caught(self, kinds):
        """What a handler catches: an exception that is not known is never raised."""
        kinds = tuple(kinds) if isinstance(kinds, (tuple, list)) else (kinds,)
        return tuple(k for k in kinds if isinstance(k, type) and issubclass(k, Exception))

    def raised(self, error):
        error = self.settled(error)
        return RuntimeError(error.key) if type(error) is Term else error

    # Functions of MLX and of ours

    def calls(self, known, args, kwargs):
        """Calls a function; each stand-in that it is given becomes something that it takes."""
        args, kwargs = self.settled(args), {name: self.settled(value) for name, value in kwargs.items()}
        terms = {term.key: term for term in terms_in([args, kwargs])}
        if not terms or takes_standins(known):
            return self.computes(known, args, kwargs)
        if known.path.startswith("str."):
            return known.function(*self.texts(args), **kwargs)
        if isinstance(getattr(known.function, "__self__", None), nn.Module):
            return self.happens("calls", known.path, args, kwargs)
        if known.path.startswith(("mlx.utils.", "numpy.")):
            return self.make(known.path)(*args, **kwargs)
        if not known.path.startswith(("mlx.", "array.", "math.")):
            return known.function(*args, **kwargs)
        numbers = ("number",) if known.path == "mlx.core.array" and args and type(args[0]) in (list, tuple) else ()
        return self.fits(known, args, kwargs, terms, (*numbers, *LIKELY))

    def fits(self, known, args, kwargs, terms, kinds):
        """Calls a function of MLX with what its stand-ins may be; the first that it takes, they are from then on."""
        failed = TypeError("no arguments fit")
        values, before = dict(self.values), dict(self.kinds)
        for way in itertools.islice(itertools.product(kinds, repeat=len(terms)), MOST_TRIED):
            for term, kind in zip(terms.values(), way):
                self.become(term, kind)
            try:
                made = self.computes(known, self.settled(args), {name: self.settled(value) for name, value in kwargs.items()})
                mx.eval(made if isinstance(made, (mx.array, list, tuple)) else [])
                return made
            except ERRORS as error:
                failed = error
                self.values = dict(values)
                self.kinds.clear()
                self.kinds.update(before)
        raise failed

    @staticmethod
    def computes(known, args, kwargs):
        """Calls a function, if it stays within its arrays."""
        if known.path.rpartition(".")[2] in INDEXING and args and isinstance(args[0], mx.array):
            beyond_any(args[0], [*args[1:], *kwargs.values()])
        return known.function(*args, **{name: value for name, value in kwargs.items() if name != "stream"})

    def texts(self, value):
        """What a method of a text is given."""
        if type(value) is Term:
            return repr(value)
        if isinstance(value, types.GeneratorType):
            value = list(value)
        return type(value)(map(self.texts, value)) if type(value) in (list, tuple) else value

    def evaluated(self, *values):
        """Evaluates what is there to evaluate; no value shows whether that was done."""
        for value in values:
            value = self.settled(value)
            if isinstance(value, mx.array):
                mx.eval(value)
            elif isinstance(value, (list, tuple, dict)):
                self.evaluated(*(value.values() if isinstance(value, dict) else value))

    def memory(self, name, args, kwargs):
        """A function that tells of memory or limits it: what it answers is made up, and that it was called is seen."""
        self.happens("runs", name, args, kwargs)
        bare = name.rpartition(".")[2]
        if bare.startswith(("clear", "reset")):
            return None
        self.calls_made += 1
        key = f"{bare}#{self.calls_made}"
        return self.make(key) if bare == "device_info" else self.chance(key, 2) == 1 if bare == "is_available" else 1000 + self.chance(key, 1000)

    # Files: only ones that are made here

    def open(self, path, mode="r", *rest, **kwargs):
        return self.opened(told(path)) if mode == "rb" else self.make("open")(path, mode, *rest, **kwargs)

    def opened(self, path):
        return open(self.file(path), "rb")

    def file(self, path):
        """The file that stands for a path: arrays under the names that the code speaks of."""
        name = os.path.join(self.folder.path, f"{zlib.crc32(f'{self.setting.seed}|{path}'.encode()):x}.{self.setting.format}")
        if name not in self.folder.made:
            self.folder.made.add(name)
            arrays = {key: self.array(f"{path}:{key}") for key in self.folder.names}
            if self.setting.format == "safetensors":
                mx.save_safetensors(name, arrays, {"format": "mlx"})
            else:
                mx.savez(name, **arrays)
        return name

    def load(self, source, *args, **kwargs):
        """`mx.load` of such a file."""
        source = self.settled(source)
        return mx.load(source if hasattr(source, "read") else self.file(told(source)), *args, **kwargs)


def beyond(array, index):
    """Complains where an index may lie beyond an array: MLX would read there, or write."""
    parts = list(index) if isinstance(index, tuple) else [index]
    taken = [part.ndim if isinstance(part, mx.array) and part.dtype == mx.bool_ else int(part is not None and part is not Ellipsis) for part in parts]
    axis = 0
    for place, part in enumerate(parts):
        if part is Ellipsis:
            axis = array.ndim - sum(taken[place:])
        elif isinstance(part, mx.array) and part.dtype != mx.bool_ or isinstance(part, list) or type(part) is int:
            length = array.shape[axis] if axis < array.ndim else 0
            numbers = part.reshape(-1).tolist() if isinstance(part, mx.array) else part if isinstance(part, list) else [part]
            if any(isinstance(number, (int, float)) and not -length <= number < length for number in numbers):
                raise IndexError("an index is beyond the array")
        axis += taken[place]


def beyond_any(array, indices):
    """Complains where one of some arrays of indices may lie beyond any axis of an array."""
    for index in indices:
        if isinstance(index, (tuple, list)):
            beyond_any(array, index)
        elif isinstance(index, mx.array) and index.size and mx.issubdtype(index.dtype, mx.integer):
            if max(abs(number) for number in index.reshape(-1).tolist()) >= min(array.shape, default=1):
                raise IndexError("an index is beyond the array")


def takes_standins(known):
    """Whether a function is one of ours, which knows stand-ins."""
    function = known.function
    return isinstance(getattr(function, "__self__", None), Run) or getattr(function, "__module__", None) == __name__
