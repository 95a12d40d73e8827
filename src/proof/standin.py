"""The world around a function that is run alone: whatever it gets from outside is stood in for.

A stand-in has a name, made of how the code came by it, and nothing else. Calling one, or changing something in it, is an event; what it answers
is another stand-in. Where the code asks for more, as a truth value, a number, an array for a function of MLX, the name decides, so that both versions of the
code meet the same world.
"""

import itertools
import types
import zlib

import mlx.core as mx
import numpy as np
import oracle

ITEMS = 3  # in a stand-in that is iterated over


class Halt(BaseException):
    """Why the code cannot be run on; no handler of the code sees it."""


class Again(BaseException):
    """A stand-in was something else than it was taken for."""


class Endless(BaseException):
    """The code has run for long enough."""


class Term:
    """A stand-in."""

    __slots__ = ("run", "key")

    def __init__(self, run, key):
        self.run, self.key = run, key

    def __bool__(self):
        return self.run.decide(self.key)

    def __iter__(self):
        number = 0
        while number < max(ITEMS, self.run.wanted):
            yield self.run.make(f"{self.key}[{number}]")
            number += 1

    def __next__(self):
        return self.run.make(f"next({self.key}){self.run.nth(self.key)}")

    def __len__(self):
        return ITEMS

    def __index__(self):
        return 1 + self.run.chance(self.key, 3)

    __int__ = __index__

    def __float__(self):
        return 0.25 + self.run.chance(self.key, 7)

    def __call__(self, *args, **kwargs):
        return self.run.called(self, args, kwargs)

    def __getitem__(self, index):
        place = f"{self.key}[{told(index)}]"
        return self.run.stored[place] if place in self.run.stored else self.run.make(place)

    def __setitem__(self, index, value):
        self.run.happens("stores", f"{self.key}[{told(index)}]", value)
        self.run.stored[f"{self.key}[{told(index)}]"] = value

    def __delitem__(self, index):
        self.run.happens("deletes", f"{self.key}[{told(index)}]")

    def __contains__(self, item):
        return self.run.decide(f"{told(item)} in {self.key}")

    def __enter__(self):
        self.run.happens("enters", self.key)
        return self.run.make(f"{self.key} entered")

    def __exit__(self, *_):
        self.run.happens("leaves", self.key)

    def __hash__(self):
        return zlib.crc32(self.key.encode())

    def __eq__(self, other):
        return type(other) is Term and other.key == self.key

    def __repr__(self):
        return f"<{self.key}>"

    def __format__(self, spec):
        return f"<{self.key}:{spec}>"

    def keys(self):
        return ["a", "b"]


def _operation(name, turned):
    def method(self, *others):
        return self.run.symbol(name, *((*others, self) if turned else (self, *others)))

    return method


for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and", "or", "xor", "lshift", "rshift"):
    setattr(Term, f"__{_name}__", _operation(_name, False))
    setattr(Term, f"__r{_name}__", _operation(_name, True))
for _name in ("lt", "le", "gt", "ge", "neg", "pos", "abs", "invert", "round"):
    setattr(Term, f"__{_name}__", _operation(_name, False))


class Known:
    """Something of MLX, or of ours, that the code may call."""

    __slots__ = ("run", "path", "function")

    def __init__(self, run, path, function):
        self.run, self.path, self.function = run, path, function

    def __call__(self, *args, **kwargs):
        return self.run.calls(self, args, kwargs)

    def __format__(self, _):
        return self.path


def told(value):
    """A value as a part of a name."""
    if isinstance(value, Term):
        return value.key
    if isinstance(value, mx.array):
        return f"{oracle.name_of(value.dtype)}{list(value.shape)}:{zlib.crc32(oracle.numbers(value).tobytes()):x}"
    if isinstance(value, (list, tuple)):
        return f"{type(value).__name__}({', '.join(map(told, value))})"
    if isinstance(value, slice):
        return ":".join("" if part is None else told(part) for part in (value.start, value.stop, value.step))
    return value.path if isinstance(value, Known) else "function" if isinstance(value, types.FunctionType) else f"{value!r:.200}"


def kept(value):
    """A value as it is now, for a comparison later; what the code does to it afterwards does not show."""
    if isinstance(value, mx.array):
        copy = mx.array(value)
        mx.eval(copy)
        return copy
    if isinstance(value, (list, tuple, set)):
        return type(value).__name__, [kept(item) for item in (sorted(value, key=told) if isinstance(value, set) else value)]
    if isinstance(value, dict):
        return "dict", [(told(key), kept(item)) for key, item in value.items()]
    if isinstance(value, types.GeneratorType) or type(value).__name__ in ("map", "zip", "enumerate", "filter", "list_iterator", "reversed"):
        return "items", [kept(item) for item in itertools.islice(value, 2 * ITEMS)]
    if isinstance(value, np.ndarray):
        return "numpy", str(value.dtype), value.shape, repr(value.tolist())  # as text, for a NaN is not equal to itself
    if isinstance(value, Known):
        return "mlx", value.path
    return type(value).__name__, told(value)


def terms_in(value):
    """The stand-ins in a value."""
    if type(value) is Term:
        yield value
    elif isinstance(value, slice):
        yield from terms_in([value.start, value.stop, value.step])
    elif isinstance(value, (list, tuple, dict)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from terms_in(item)
