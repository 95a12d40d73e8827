"""Traps: whole functions that look like a computation of a rule, and are something else or happen in other circumstances.

Each begins with a line `# --- name: shapes`, one shape or value for each argument. `(class)` says that the arguments are those of a call
of an instance, `(hostile)` that they break what an unsafe edit may assume, so that only a safe edit has to stand them. `{core}` is the
computation of a rule for `x`, `{stat}` a statement that computes its first part as `s`, `{from_stat}` the rest: the parts of the rule. What
is here is for all rules; each has further traps of its own, beside its spellings.

The rounds are functions whose rest runs twice, or later, with a disturbance in between: what it does to the one round is seen by the next.

The disturbances are statements after which the name X or the array that it holds is another. Y and Z are names of no one else, F is one, too,
or a function that changes its argument in place, and `CHANGE Y` is some statement that changes Y in place.
"""

import ast

IMPORTS = "import math\n\nimport mlx.core as mx\nimport mlx.nn as nn\nimport numpy as np\n\n\n"

ROUNDS = """
# --- in rounds
def subject(x):
    x = x + 0
    {stat}
    out = []
    for _ in range(2):
        out.append({from_stat})
        DISTURBANCE
    return out
# --- in rounds, by a lambda
def subject(x):
    x = x + 0
    {stat}
    out = []
    rest = lambda: {from_stat}
    for _ in range(2):
        out.append(rest())
        DISTURBANCE
    return out
# --- in rounds, by a helper
def _rest(x, s):
    return {from_stat}


def subject(x):
    x = x + 0
    {stat}
    out, left = [], 2
    while left > 0:
        out.append(_rest(x, s))
        DISTURBANCE
        left -= 1
    return out
# --- in rounds, by two helpers
def _rest(x, s):
    return {from_stat}


def _first(x):
    {stat}
    return x, s


def subject(x):
    x = x + 0
    x, s = _first(x)
    out = []
    for _ in range(2):
        out.append(_rest(x, s))
        DISTURBANCE
    return out
# --- in rounds, out of a tuple
def _rest(x, s):
    return {from_stat}


def _first(x):
    {stat}
    return s, x + 1


def subject(x):
    x = x + 0
    s, more = _first(x)
    out = []
    for _ in range(2):
        out.append(_rest(x, s) + more)
        DISTURBANCE
    return out
# --- by a lambda, later
def subject(x):
    x = x + 0
    {stat}
    rest = lambda: {from_stat}
    DISTURBANCE
    return rest()
# --- in rounds, given back by a lambda
def subject(x):
    x = x + 0
    {stat}
    out = []
    give = lambda: x
    for _ in range(2):
        out.append({from_stat})
        same = give()
        same += 1
    return out
# --- in rounds, given back by a function inside
def subject(x):
    x = x + 0
    {stat}
    out = []

    def give():
        return s

    for _ in range(2):
        out.append({from_stat})
        same = give()
        same += 1
    return out
# --- in rounds, kept by a function inside
def subject(x):
    x = x + 0
    {stat}
    out, kept = [], []

    def keep():
        kept.append(x)

    for _ in range(2):
        out.append({from_stat})
        keep()
        kept[0] += 1
    return out
# --- in a comprehension, a method in place
def subject(x):
    x = x + 0
    {stat}
    return [({from_stat}, x.__iadd__(1))[0] for _ in range(2)]
# --- in a comprehension, given to a function
def bump(a):
    a += 1


def subject(x):
    x = x + 0
    {stat}
    return [({from_stat}, bump(s))[0] for _ in range(2)]
# --- in a comprehension, a walrus
def subject(x):
    x = x + 0
    {stat}
    return [({from_stat}, (x := x + 1))[0] for _ in range(2)]
# --- in a comprehension, an alias inside
def subject(x):
    x = x + 0
    {stat}
    return {n: ({from_stat}, [y.__iadd__(1) for y in [x]])[0] for n in range(2)}
# --- in a comprehension, its condition
def subject(x):
    x = x + 0
    {stat}
    return [{from_stat} for _ in range(2) if x.__iadd__(1) is not None]
# --- in rounds, kept by a method
class Holder:
    def keep(self, a):
        self.kept = a
        return a * 1

    def run(self, x):
        x = x + 0
        {stat}
        out = []
        for _ in range(2):
            out.append({from_stat})
            self.keep(x)
            self.kept += 1
        return out


def subject(x):
    return Holder().run(x)
# --- in rounds, a lambda given to a function
def bump(give):
    same = give()
    same += 1


def subject(x):
    x = x + 0
    {stat}
    out = []
    for _ in range(2):
        out.append({from_stat})
        bump(lambda: x)
    return out
# --- in rounds, a chain of functions
def subject(x):
    x = x + 0
    {stat}

    def give():
        return x

    again = lambda: give()
    out = []
    for _ in range(2):
        out.append({from_stat})
        same = again()
        same += 1
    return out
# --- by a shared default
def subject(x):
    x = x + 0
    {stat}

    def keep(kept=[]):
        kept.append(x)
        return kept

    keep()[0].__iadd__(1)
    return {from_stat}
"""

DISTURBANCES = """
# --- rebound
X = X + 1
# --- rebound by a swap
Y = X + 1
X, Y = Y, X
# --- rebound by a walrus
if (X := X + 1) is None:
    raise ValueError
# --- rebound in a loop
for Z in range(2):
    X = X + Z + 1
# --- rebound in a while
Z = 0
while Z < 2:
    Z += 1
    X = X * 2
# --- rebound after a while
while X.ndim > 9:
    pass
else:
    X = X * 2
# --- rebound in a branch
if X.shape[0] > 1:
    X = X * 2
# --- rebound in a try
try:
    X = X * 3
finally:
    pass
# --- rebound in an except
try:
    raise ValueError
except ValueError:
    X = X * 2
# --- rebound by nonlocal
def F():
    nonlocal X
    X = X * 2
F()
# --- rebound as the target of a loop
for X in [X + 1]:
    pass
# --- rebound in a comprehension
Z = [(X := X + 1) for Y in range(2)]
# --- rebound by a starred assignment
*Z, X = X - 1, X * 2
# --- rebound by match
match X + 1:
    case Y:
        X = Y
# --- rebound by with
import contextlib
with contextlib.nullcontext(X + 1) as X:
    pass
# --- deleted and bound again
Y = X * 2
del X
X = Y
# --- in place
CHANGE X
# --- in place, unpacked
X[0], Y = 0, 1
# --- in place in a branch
if X.shape[0] > 1:
    CHANGE X
# --- in place by name of the method
X.__iadd__(1)
# --- in place by setitem
X.__setitem__(0, 1)
# --- in place by operator
import operator
operator.iadd(X, 1)
# --- in place by operator, an item
import operator
operator.setitem(X, 0, 1)
# --- nested function in place
def F():
    X[...] = 2
F()
# --- alias
Y = X
CHANGE Y
# --- alias of an alias
Y = X
Z = Y
Y = 0
CHANGE Z
# --- alias in a chain
Y = Z = X
CHANGE Z
# --- alias out of a tuple
Y, Z = X, 1
CHANGE Y
# --- alias unpacked
Y, = X,
CHANGE Y
# --- alias unpacked with a star
Y, *Z = [X, 1]
CHANGE Y
# --- alias by a walrus
Z = (Y := X) is None
CHANGE Y
# --- alias by a condition
Y = X if X.ndim > 0 else X + 1
CHANGE Y
# --- alias in a branch
if X.ndim > 0:
    Y = X
else:
    Y = X + 1
CHANGE Y
# --- alias by or
Y = None or X
CHANGE Y
# --- alias in a while
while True:
    Y = X
    break
CHANGE Y
# --- alias in a try
try:
    Y = X
finally:
    pass
CHANGE Y
# --- alias by match
match X:
    case Y:
        CHANGE Y
# --- alias by with
import contextlib
with contextlib.nullcontext(X) as Y:
    CHANGE Y
# --- alias by index of a list
Y = [X][0]
CHANGE Y
# --- alias by index of a tuple
Y = (X, 1)[0]
CHANGE Y
# --- alias by key of a dict
Y = {"a": X}["a"]
CHANGE Y
# --- alias by iterator
Y = next(iter([X]))
CHANGE Y
# --- alias as a loop variable
for Y in (X,):
    CHANGE Y
# --- alias by enumerate
for Z, Y in enumerate([X]):
    CHANGE Y
# --- alias by zip
for Y, Z in zip([X], [1]):
    Y += Z
# --- alias by default argument
def F(a=X):
    CHANGE a
F()
# --- alias returned by a function
def F(a):
    return a
Y = F(X)
CHANGE Y
# --- alias returned by a default
def F(a=X):
    return a
Y = F()
CHANGE Y
# --- alias returned by a lambda
Z = lambda: X
Y = Z()
CHANGE Y
# --- alias returned by a function inside
def F():
    return X
Y = F()
CHANGE Y
# --- alias returned by a method inside
class Z:
    def F(self):
        return X
Y = Z().F()
CHANGE Y
# --- alias by default of a lambda
Y = (lambda a=X: a)()
CHANGE Y
# --- alias in a list of a function inside
def F():
    Z = [X, 1]
    return Z
Y = F()[0]
CHANGE Y
# --- alias in a comprehension
Z = [Y.__imul__(2) for Y in [X]]
# --- alias in a generator
Z = (Y.__iadd__(1) for Y in [X])
list(Z)
# --- held by a list
Z = [X]
Z[0] += 1
# --- held by a list, an item
Z = [0, X]
Z[1][...] = 1
# --- held by a dict
Z = dict(a=X)
Z["a"] *= 2
# --- held by a dict and popped
Z = {"a": X}
Z.pop("a")[...] = 1
# --- held deep inside
Z = dict(k=[(X,)])
Z["k"][0][0][...] = 1
# --- appended
Z = []
Z.append(X)
Z[-1] += 1
# --- held by a class
class Y:
    held = X
Y.held += 1
# --- held by a function
def F():
    pass
F.kept = X
F.kept *= 2
# --- given to a function
F(X)
# --- alias given to a function
Y = X
F(Y)
# --- given by keyword
F(a=X)
# --- given with a star
F(*[X])
# --- given with two stars
F(**{"a": X})
# --- given by a lambda
Y = lambda: F(X)
Y()
# --- given by a function inside
def Y():
    F(X)
Y()
# --- kept by a function inside
Y = []
def F():
    Y.append(X)
F()
Y[0] += 1
# --- given by map
list(map(F, [X]))
# --- given by partial
import functools
functools.partial(F, X)()
"""

GENERAL = """
# --- numpy: (8, 8)
def subject(x):
    return np.array({core_np})

# --- mx is a parameter: (8, 8)
import types
Other = types.SimpleNamespace(**{k: getattr(mx, k) for k in dir(mx) if not k.startswith('__')})
Other.mean = lambda a, **k: a[..., :1]
Other.var = Other.mean
Other.softmax = lambda a, **k: a * 2
Other.cos = lambda a: a + 1
Other.array = lambda a: mx.array(2 * a)
Other.fast = types.SimpleNamespace(rms_norm=lambda a, *more: a * 3)
Other.float32 = mx.float16


def subject(x, mx=Other):
    return {core}

# --- mx rebound: (8, 8)
import types
real = mx
mx = types.SimpleNamespace(**{k: getattr(real, k) for k in dir(real) if not k.startswith('__')})
mx.mean = lambda *a, **k: 2.0
mx.var = mx.mean
mx.softmax = lambda a, **k: a * 2


def subject(x):
    return {core}

# --- function patched: (8, 8)
from mlx.core import array, concatenate, cos, fast, mean, rsqrt, sin, softmax, square, var


def array(x):
    return 2 * x


def cos(x):
    return x + 1


class fast:
    rms_norm = staticmethod(lambda x, *more: x * 3)


def mean(x, **k):
    return x[..., :1]


def var(x, **k):
    return x[..., :1] ** 2


def softmax(x, **k):
    return x


def subject(x):
    return {core_bare}

# --- loop carries: (8, 8)
def subject(x):
    y = x
    for _ in range(3):
        x = y
        y = ({core} + x).reshape(8, 8)
    return y

# --- loop carries the statistic: (8, 8)
def subject(x):
    {stat}
    for _ in range(2):
        x = {from_stat} + 1
    return x

# --- loop, one late: (8, 8)
def subject(x):
    r = 1.0
    for _ in range(3):
        y = x * r
        r = {stat_expr}
        x = y + 1
    return x * r

# --- parameter in place: (8, 8)
def subject(x):
    t = x
    x *= 2
    y = {core}
    return y + t

# --- result in place: (8, 8)
def subject(x):
    y = {core}
    z = y
    y += 1
    return y * z

# --- result in place, aliased operand: (8, 8)
def subject(x):
    z = x
    x = {core}
    z += 1
    return x + z

# --- in a closure: (8, 8)
def subject(x):
    def f():
        return {core}
    a = f()
    x = x + 1
    return a + f()

# --- global: (8, 8)
x = None


def compute():
    return {core}


def subject(a):
    global x
    x = a
    b = compute()
    x = a * 2
    return b + compute()

# --- conditional parts: (8, 8)
def subject(x):
    if x.shape[0] > 4:
        y = x
    else:
        y = x + 1
    x, y = y, x * 2
    return {core} + y

# --- names seen by locals: (8, 8)
def subject(x):
    {stat}
    y = {from_stat}
    return sorted(locals()), y

# --- names in a text: (8, 8)
def subject(x):
    {stat}
    y = {from_stat}
    return eval("s + 0"), y

# --- helper found by its name: (8, 8)
def _scaled(x):
    return {core}


def subject(x):
    return _scaled(x), globals()["_scaled"](x + 1)

# --- try: (8, 8)
def subject(x):
    try:
        {stat}
        x = x.reshape(3, -1)
    except ValueError:
        x = x * 2
    return {from_stat}

# --- generator: (8, 8)
def steps(x):
    {stat}
    yield x
    yield {from_stat}


def subject(x):
    out = []
    for y in steps(x):
        out.append(y + 0)
        x += 1
    return out

# --- static changed: (8, 8)
class Box:
    x = None


def subject(x):
    Box.x = x
    {stat}
    Box.x += 1
    return {from_stat}

# --- list element: (8, 8)
def subject(x):
    xs = [x, x]
    {stat}
    xs[1] *= 3
    x = xs[0]
    return {from_stat}

# --- star arguments: (8, 8)
def scale(*args, **kwargs):
    x = args[0] + kwargs.get('shift', 0)
    return {core}


def subject(x):
    return scale(x, shift=1)

# --- decorated: (8, 8)
def twice(f):
    return lambda x: f(x * 2) + 1


def subject(x):
    @twice
    def core(x):
        return {core}
    return core(x)

# --- method replaced: (8, 8)
class Base:
    def part(self, x):
        return {stat_expr}

    def run(self, x):
        return x * self.part(x)


class Derived(Base):
    def part(self, x):
        return x + 1


def subject(x):
    return Derived().run(x), Base().run(x)

# --- attribute replaced: (8, 8)
class Part:
    def part(self, x):
        return {stat_expr}

    def run(self, x):
        return x * self.part(x)


def subject(x):
    p = Part()
    p.part = lambda x: x
    return p.run(x)

# --- helper redefined: (8, 8)
def part(x):
    return {stat_expr}


def subject(x):
    return x * part(x)


def part(x):
    return x + 3

# --- default is shared: (8, 8)
def part(x, seen=[]):
    seen.append(x)
    return {stat_expr} + len(seen)


def subject(x):
    return x * part(x), x * part(x)

# --- lambda late: (8, 8)
def subject(x):
    part = lambda: {stat_expr}
    x = x + 1
    return x * part()

# --- comprehension shadows: (8, 8)
def subject(x):
    rows = [{core} for x in x[None]]
    return rows, x

# --- integers: (8, 8)
def subject(x):
    x = (x * 10).astype(mx.int32)
    return {core}

# --- integers by constructor: (8, 8)
def subject(y):
    x = mx.arange(64).reshape(8, 8)
    return {core} + y

# --- complex: (8, 8)
def subject(y):
    x = y.astype(mx.complex64)
    return {core}

# --- truth: (8, 8)
def subject(y):
    x = y > 0
    return {core}

# --- walrus in condition: (8, 8)
def subject(x):
    {stat}
    if (x := x + 1).ndim > 5:
        return x
    return {from_stat}

# --- deleted item: (8, 8)
def subject(x):
    store = {'x': x}
    {stat}
    store.pop('x')[...] = 1
    return {from_stat}

# --- used as an index: (8, 8)
def subject(x):
    y = {core}
    x[0] = 1
    return y, x
"""


def traps(rule):
    """Each trap of a rule, the general ones first: its name, the shapes, the kind, and the text."""
    for entry in (GENERAL + rule.traps).split("# --- ")[1:]:
        heading, text = entry.split("\n", 1)
        name, rest = heading.split(": ", 1)
        if name in rule.inapt:
            continue
        kind = next((kind for kind in ("class", "hostile") if rest.endswith(f" ({kind})")), "")
        shapes = ast.literal_eval(f"[{rest.removesuffix(f'({kind})') if kind else rest}]")
        for part, written in rule.parts.items():
            text = text.replace("{" + part + "}", written)
        yield name, shapes, kind, f"{IMPORTS}{text.strip()}\n"
