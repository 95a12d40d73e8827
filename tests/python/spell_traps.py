"""Traps: whole functions that look like a computation of a rule, and are something else or happen in other circumstances.

Each begins with a line `# --- name: shapes`, one shape or value for each argument. `(class)` says that the arguments are those of a call
of an instance, `(hostile)` that they break what an unsafe edit may assume, so that only a safe edit has to stand them. `{core}` is the
computation of a rule for `x`, `{stat}` a statement that computes its first part as `s`, `{from_stat}` the rest; see `PARTS`.

The disturbances are statements after which the name X or the array that it holds is another. Y and Z are names of no one else, F is one, too,
or a function that changes its argument in place, and `CHANGE Y` is some statement that changes Y in place.
"""

import ast

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
class Other:
    @staticmethod
    def mean(*a, **k):
        return 1.0
    var = square = rsqrt = softmax = matmul = add = mean
    float32 = mx.float16


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
from mlx.core import mean, rsqrt, square, softmax, var


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
        y = {core} + x
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
    rows = [{core} for x in x]
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

OWN = {
    "rms-norm": """
# --- weight shadowed: (8, 8), (8,)
def subject(x, weight):
    y = {core}
    weight = weight[:, None]
    return y * weight

# --- weight per row: (8, 8), (8,)
def subject(x, weight):
    return {core} * weight.reshape(-1, 1)

# --- two axes of weight: (8, 8), (8, 8) (hostile)
def subject(x, weight: mx.array):
    return {core} * weight

# --- weight is a number: (8, 8), 0.5 (hostile)
def subject(x, weight):
    return {core} * weight

# --- scalar weight: (8, 8) (class)
class Subject(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = mx.array(1.0)

    def __call__(self, x):
        return {core} * self.weight

# --- weight with two axes: (8, 8) (class)
class Subject(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = mx.ones((1, 8))

    def __call__(self, x):
        return {core} * self.weight

# --- weight replaced: (8, 8) (class)
class Subject(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = mx.ones((8,))

    def widen(self):
        self.weight = mx.ones((8, 8)) * 2

    def __call__(self, x):
        self.widen()
        return {core} * self.weight

# --- weight changed in between: (8, 8) (class)
class Subject(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = mx.ones((8,))

    def __call__(self, x):
        y = {core}
        w = self.weight
        self.weight = w[:, None] * 3
        return y * w, y * self.weight

# --- eps is an array: (8, 8), ()
def subject(x, eps):
    return x * mx.rsqrt(mx.mean(x * x, axis=-1, keepdims=True) + abs(eps))

# --- eps per row: (8, 8), (8, 1)
def subject(x, eps: mx.array):
    return x * mx.rsqrt(mx.mean(x * x, axis=-1, keepdims=True) + abs(eps))

# --- L2 norm: (8, 8)
def subject(x):
    return x / (mx.linalg.norm(x, axis=-1, keepdims=True) + 1e-5)

# --- mean of two: (8, 8), (8, 8)
def subject(x, y):
    return x * mx.rsqrt(mx.mean(x * y, axis=-1, keepdims=True) ** 2 + 1e-5)

# --- other array: (8, 8), (8, 8)
def subject(x, y):
    return y * mx.rsqrt(mx.mean(x * x, axis=-1, keepdims=True) + 1e-5)

# --- broadcast: (8, 8), (8,)
def subject(x, y):
    return x * mx.rsqrt(mx.mean(mx.square(y), axis=-1, keepdims=True) + 1e-5)

# --- weight inside: (8, 8), (8,)
def subject(x, w):
    return x * (mx.rsqrt(mx.mean(x * x, axis=-1, keepdims=True) + 1e-5) * w) + x * w

# --- cast to another: (8, 8)
def subject(x):
    y = x.astype(mx.float32)
    return (y * mx.rsqrt(mx.mean(y * y, -1, keepdims=True) + 1e-5)).astype(mx.bfloat16)

# --- cast down first: (8, 8)
def subject(x):
    y = x.astype(mx.float16)
    return (y * mx.rsqrt(mx.mean(y * y, -1, keepdims=True) + 1e-5)).astype(x.dtype)
""",
    "layer-norm": """
# --- weight shadowed: (8, 8), (8,)
def subject(x, weight):
    y = {core}
    weight = weight[:, None]
    return y * weight + 1

# --- bias per row: (8, 8), (8,), (8,)
def subject(x, weight, bias):
    return {core} * weight + bias[:, None]

# --- bias alone: (8, 8), (8,)
def subject(x, bias):
    return {core} + bias

# --- bias alone in float32: (8, 8), (8,)
def subject(x, bias):
    return {core} + bias.astype(mx.float32)

# --- bias before weight: (8, 8), (8,), (8,)
def subject(x, w, b):
    return ({core} + b) * w

# --- moments: (8, 8)
def subject(x):
    m = x.mean(-1, keepdims=True)
    return (x - m) * mx.rsqrt((x * x).mean(-1, keepdims=True) - m * m + 1e-3)

# --- running: (8, 8), (8, 1), (8, 1)
def subject(x, mean, var):
    return (x - mean) * mx.rsqrt(abs(var) + 1e-5)

# --- instance: (2, 4, 4, 8)
def subject(x):
    return (x - x.mean((1, 2), keepdims=True)) * mx.rsqrt(x.var((1, 2), keepdims=True) + 1e-5)

# --- group: (2, 4, 8)
def subject(x):
    g = x.reshape(2, 4, 2, 4)
    g = (g - g.mean(-1, keepdims=True)) * mx.rsqrt(g.var(-1, keepdims=True) + 1e-5)
    return g.reshape(2, 4, 8)

# --- std plus eps: (8, 8)
def subject(x):
    return (x - x.mean(-1, keepdims=True)) / (x.std(-1, keepdims=True) + 1e-5)

# --- sign: (8, 8)
def subject(x):
    return (x.mean(-1, keepdims=True) - x) * mx.rsqrt(x.var(-1, keepdims=True) + 1e-5)

# --- other mean: (8, 8), (8, 8)
def subject(x, y):
    return (x - y.mean(-1, keepdims=True)) * mx.rsqrt(x.var(-1, keepdims=True) + 1e-5)

# --- median: (8, 8)
def subject(x):
    return (x - mx.median(x, axis=-1, keepdims=True)) * mx.rsqrt(x.var(-1, keepdims=True) + 1e-5)
""",
    "attention": """
# --- batch of keys broadcast: (2, 4, 7, 16), (2, 4, 7, 16), (2, 4, 7, 16) (hostile)
def subject(q: mx.array, k: mx.array, v: mx.array):
    k, v = k[:1], v[:1]
    return {attend}

# --- one query head: (2, 4, 7, 16), (2, 4, 7, 16), (2, 4, 7, 16) (hostile)
def subject(q: mx.array, k: mx.array, v: mx.array):
    q = q[:, :1]
    return {attend}

# --- one key head: (2, 4, 7, 16), (2, 4, 7, 16), (2, 4, 7, 16)
def subject(q: mx.array, k: mx.array, v: mx.array):
    k, v = k[:, :1], v[:, :1]
    return {attend}

# --- heads of keys differ: (2, 4, 7, 16), (2, 4, 7, 16), (2, 4, 7, 16) (hostile)
def subject(q: mx.array, k: mx.array, v: mx.array):
    v = v[:, :1]
    return {attend}

# --- tiled heads: (2, 4, 7, 16), (2, 2, 7, 16), (2, 2, 7, 16)
def subject(q: mx.array, k: mx.array, v: mx.array):
    k, v = mx.tile(k, (1, 2, 1, 1)), mx.tile(v, (1, 2, 1, 1))
    return {attend}

# --- rank 3: (4, 7, 16), (4, 7, 16), (4, 7, 16)
def subject(q, k, v):
    B, L, D = q.shape
    return mx.softmax((q * 0.25) @ k.transpose(0, 2, 1), axis=-1) @ v

# --- rank 3 by reshape: (2, 4, 7, 16), (2, 4, 7, 16), (2, 4, 7, 16) (hostile)
def subject(q, k, v):
    q, k, v = (a.reshape(-1, 7, 16) for a in (q, k, v))
    return mx.softmax((q * 0.25) @ k.swapaxes(-1, -2), axis=-1) @ v

# --- rank 5: (2, 4, 7, 16), (2, 4, 7, 16), (2, 4, 7, 16) (hostile)
def subject(q, k, v):
    q, k, v = q[:, None], k[:, None], v[:, None]
    return mx.softmax((q * 0.25) @ k.swapaxes(-1, -2), axis=-1) @ v

# --- rank 2: (7, 16), (7, 16), (7, 16)
def subject(q, k, v):
    q = q.reshape(-1, 16)
    return mx.softmax((q * 0.25) @ k.T, axis=-1) @ v

# --- scale per head: (2, 4, 7, 16), (2, 4, 7, 16), (2, 4, 7, 16), (4, 1, 1)
def subject(q: mx.array, k: mx.array, v: mx.array, t: mx.array):
    return mx.softmax((q @ k.transpose(0, 1, 3, 2)) * t, axis=-1) @ v

# --- scale is an array: (2, 4, 7, 16), (2, 4, 7, 16), (2, 4, 7, 16)
def subject(q: mx.array, k: mx.array, v: mx.array):
    return mx.softmax((q @ k.transpose(0, 1, 3, 2)) * mx.array(0.25), axis=-1) @ v

# --- integers: (2, 4, 7, 16), (2, 4, 7, 16), (2, 4, 7, 16)
def subject(q, k, v):
    v = v.astype(mx.int32)
    return {attend}

# --- bool mask added: (2, 4, 7, 16), (2, 4, 7, 16), (2, 4, 7, 16)
def subject(q: mx.array, k: mx.array, v: mx.array):
    m = mx.tri(7, 7, dtype=mx.bool_)
    return mx.softmax((q * 0.25) @ k.transpose(0, 1, 3, 2) + m, axis=-1) @ v

# --- float32 mask: (2, 4, 7, 16), (2, 4, 7, 16), (2, 4, 7, 16) (hostile)
def subject(q: mx.array, k: mx.array, v: mx.array):
    m = mx.where(mx.tri(7, 7) > 0, 0.0, -1e4)
    return mx.softmax((q * 0.25) @ k.transpose(0, 1, 3, 2) + m, axis=-1) @ v

# --- mask with five axes: (2, 4, 7, 16), (2, 4, 7, 16), (2, 4, 7, 16)
def subject(q: mx.array, k: mx.array, v: mx.array):
    m = mx.zeros((2, 1, 1, 7, 7), q.dtype)
    return mx.softmax((q * 0.25) @ k.transpose(0, 1, 3, 2) + m, axis=-1) @ v

# --- mask enlarges the batch: (2, 4, 7, 16), (2, 4, 7, 16), (2, 4, 7, 16) (hostile)
def subject(q: mx.array, k: mx.array, v: mx.array):
    q, k, v = q[:1], k[:1], v[:1]
    m = mx.zeros((3, 1, 7, 7), q.dtype)
    return mx.softmax((q * 0.25) @ k.transpose(0, 1, 3, 2) + m, axis=-1) @ v

# --- twice scaled: (2, 4, 7, 16), (2, 4, 7, 16), (2, 4, 7, 16)
def subject(q: mx.array, k: mx.array, v: mx.array):
    return mx.softmax((q * 0.25) @ (k * 0.5).transpose(0, 1, 3, 2) * 3.0, axis=-1) @ v

# --- two masks: (2, 4, 7, 16), (2, 4, 7, 16), (2, 4, 7, 16)
def subject(q: mx.array, k: mx.array, v: mx.array):
    m = mx.zeros((7, 7), q.dtype)
    return mx.softmax((q * 0.25) @ k.transpose(0, 1, 3, 2) + m + (m - 1.5) * m, axis=-1) @ v

# --- mask or else: (2, 4, 7, 16), (2, 4, 7, 16), (2, 4, 7, 16)
def subject(q: mx.array, k: mx.array, v: mx.array, mask=None):
    s = (q * 0.25) @ k.transpose(0, 1, 3, 2)
    if mask is not None:
        s = s + mask
    else:
        s = s - mx.tri(7, 7, dtype=q.dtype)
    return mx.softmax(s, axis=-1) @ v

# --- mask the wrong way: (2, 4, 7, 16), (2, 4, 7, 16), (2, 4, 7, 16)
def subject(q: mx.array, k: mx.array, v: mx.array, mask=None):
    s = (q * 0.25) @ k.transpose(0, 1, 3, 2)
    if mask is None:
        mask = mx.tri(7, 7, dtype=q.dtype)
    return mx.softmax(s + mask, axis=-1) @ v

# --- queries transposed: (2, 4, 7, 16), (2, 4, 7, 16), (2, 4, 7, 16)
def subject(q: mx.array, k: mx.array, v: mx.array):
    return mx.softmax((k * 0.25) @ q.transpose(0, 1, 3, 2), axis=-1) @ v

# --- values transposed: (2, 4, 16, 16), (2, 4, 16, 16), (2, 4, 16, 16)
def subject(q: mx.array, k: mx.array, v: mx.array):
    return {attend}.transpose(0, 1, 3, 2)

# --- weights transposed: (2, 4, 7, 16), (2, 4, 7, 16), (2, 4, 7, 16)
def subject(q: mx.array, k: mx.array, v: mx.array):
    return mx.softmax((q * 0.25) @ k.transpose(0, 1, 3, 2), axis=-1).swapaxes(2, 3) @ v

# --- keys of heads last: (2, 8, 8, 8), (2, 8, 8, 8), (2, 8, 8, 8)
def subject(q: mx.array, k: mx.array, v: mx.array):
    return mx.softmax((q * 0.25) @ k.transpose(0, 2, 3, 1), axis=-1) @ v

# --- heads first: (2, 4, 16, 16), (2, 4, 16, 16), (2, 4, 16, 16)
def subject(q: mx.array, k: mx.array, v: mx.array):
    return mx.softmax((q * 0.25) @ k, axis=-1) @ v

# --- values added: (2, 4, 7, 16), (2, 4, 7, 16), (2, 4, 7, 16)
def subject(q: mx.array, k: mx.array, v: mx.array):
    p = mx.softmax((q * 0.25) @ k.transpose(0, 1, 3, 2), axis=-1)
    return p @ v + p.sum(-1, keepdims=True)

# --- sinks: (2, 4, 7, 16), (2, 4, 7, 16), (2, 4, 7, 16)
def subject(q: mx.array, k: mx.array, v: mx.array):
    s = (q * 0.25) @ k.transpose(0, 1, 3, 2)
    s = mx.concatenate([s, s[..., :1]], axis=-1)
    return mx.softmax(s, axis=-1)[..., :-1] @ v

# --- log softmax: (2, 4, 7, 16), (2, 4, 7, 16), (2, 4, 7, 16)
def subject(q: mx.array, k: mx.array, v: mx.array):
    s = (q * 0.25) @ k.transpose(0, 1, 3, 2)
    return (s - mx.logsumexp(s, axis=-1, keepdims=True)) @ v

# --- float32 then half: (2, 4, 7, 16), (2, 4, 7, 16), (2, 4, 7, 16)
def subject(q: mx.array, k: mx.array, v: mx.array):
    s = (q.astype(mx.float32) * 0.25) @ k.astype(mx.float32).transpose(0, 1, 3, 2)
    return (mx.softmax(s, axis=-1) @ v.astype(mx.float32)).astype(q.dtype)

# --- probabilities in float32: (2, 4, 7, 16), (2, 4, 7, 16), (2, 4, 7, 16)
def subject(q: mx.array, k: mx.array, v: mx.array):
    s = (q * 0.25) @ k.transpose(0, 1, 3, 2)
    return mx.softmax(s.astype(mx.float32), axis=-1) @ v

# --- scores cached: (2, 4, 7, 16), (2, 4, 7, 16), (2, 4, 7, 16)
class Cache:
    scores = None


def subject(q: mx.array, k: mx.array, v: mx.array):
    Cache.scores = (q * 0.25) @ k.transpose(0, 1, 3, 2)
    out = mx.softmax(Cache.scores, axis=-1) @ v
    return out, Cache.scores
""",
    "precise-softmax": """
# --- half to the other: (8, 8)
def subject(x):
    x = x.astype(mx.bfloat16)
    return mx.softmax(x.astype(mx.float32), axis=-1).astype(mx.float16)

# --- wider parent: (8, 8), (8, 8) (hostile)
def subject(x, y):
    return mx.softmax(x.astype(mx.float16).astype(mx.float32), axis=-1).astype(y.dtype)

# --- no axis in nn: (8, 8)
def subject(x):
    return nn.softmax(x.astype(mx.float32)).astype(x.dtype)

# --- cast twice: (8, 8) (hostile)
def subject(x):
    return mx.softmax(x.astype(mx.float16).astype(mx.float32), axis=-1).astype(x.dtype)

# --- promoted by another: (8, 8), (8, 8)
def subject(x, y):
    return mx.softmax(x.astype(mx.float32) + y, axis=-1).astype(x.dtype)

# --- masked in float32: (8, 8)
def subject(x):
    return mx.softmax(x.astype(mx.float32) + mx.array(0.1), axis=-1).astype(x.dtype)

# --- counted: (8, 8)
def subject(x):
    n = mx.argmax(x, axis=-1)
    return mx.softmax(n.astype(mx.float32), axis=-1).astype(n.dtype)

# --- compared: (8, 8)
def subject(x):
    n = x > 0
    return mx.softmax(n.astype(mx.float32), axis=-1).astype(n.dtype)

# --- to int: (8, 8)
def subject(x):
    return (mx.softmax(x.astype(mx.float32), axis=-1) * 100).astype(mx.int32)

# --- straight to int: (8, 8)
def subject(x):
    return mx.softmax(x.astype(mx.float32), axis=-1).astype(mx.int32)

# --- keyword: (8, 8)
def subject(x):
    return mx.softmax(x.astype(mx.float32), axis=-1, precise=True).astype(x.dtype)
""",
    "addmm": """
# --- matrix times vector: (2, 5, 8), (8,), (5,)
def subject(a: mx.array, b: mx.array, c: mx.array):
    b, c = b.reshape(8), c.reshape(5)
    return a.reshape(2, 5, 8) @ b + c

# --- dot product: (8,), (8,), (1,)
def subject(a, b, c):
    a, b, c = a.reshape(8), b.reshape(8), c.reshape(1)
    return a @ b + c

# --- caller sees it: (5, 8), (8, 8), (5, 8)
def subject(a, b, c):
    c += a @ b
    return None

# --- caller sees and gets it: (5, 8), (8, 8), (5, 8)
def subject(a, b, c):
    c += a @ b
    return c

# --- alias sees it: (5, 8), (8, 8), (5, 8)
def subject(a, b, c):
    y = c
    y += mx.matmul(a, b)
    return c * 2

# --- product in place, seen: (5, 8), (8, 8), (8,)
def subject(a, b, c):
    y = a @ b
    z = y
    y += c
    return y * z

# --- product in place, in a list: (5, 8), (8, 8), (8,)
def subject(a, b, c):
    y = a @ b
    seen = [y]
    y += c
    return y * seen[0]

# --- sum of products: (5, 8), (8, 8), (8,)
def subject(a, b, c):
    return a @ b + a @ b

# --- enlarged by reshape: (5, 8), (8, 8), (5, 8)
def subject(a, b, c):
    return a.reshape(5, 8) @ b.reshape(8, 8) + c.reshape(1, 5, 8)

# --- row to matrix: (1, 8), (8, 8), (5, 8)
def subject(a, b, c):
    return a.reshape(1, 8) @ b.reshape(8, 8) + c.reshape(5, 8)

# --- float or array: (5, 8), (8, 8), (8,)
def subject(a, b, c):
    c = 0.5 if c.ndim < 7 else c
    return a @ b + c

# --- c may be None: (5, 8), (8, 8), None
def subject(a, b, c=None):
    y = a @ b
    if c is not None:
        y = y + c
    return y

# --- bias by default: (5, 8), (8, 8) (hostile)
def subject(a, b, c=0.0):
    return a @ b + c

# --- user class: (5, 8), (8, 8), (8,)
class M:
    def __init__(self, a):
        self.a = a

    def __matmul__(self, b):
        return self.a * 2


def subject(a, b, c):
    return M(a) @ b + c

# --- string of products: (5, 8), (8, 8), (8,)
def subject(a, b, c):
    return a @ b @ b + c

# --- added before: (5, 8), (8, 8), (8,)
def subject(a, b, c):
    return a @ (b + c)

# --- int c: (5, 8), (8, 8)
def subject(a, b):
    c = mx.arange(8)
    return a @ b + c

# --- bool c: (5, 8), (8, 8)
def subject(a, b):
    c = mx.arange(8) > 3
    return a @ b + c

# --- c from a mean: (5, 8), (8, 8)
def subject(a, b):
    c = a.mean().item()
    return a @ b + c

# --- accumulated: (5, 8), (8, 8)
def subject(a, b):
    acc = mx.zeros((5, 8), a.dtype)
    kept = acc
    for _ in range(3):
        acc += a @ b
    return acc + kept

# --- accumulated anew: (5, 8), (8, 8)
def subject(a, b):
    acc = 0
    for _ in range(3):
        acc = acc + a @ b
    return acc

# --- outer: (5, 1), (1, 8), (8,)
def subject(a, b, c):
    return a * b + c
""",
}

PARTS = {
    "rms-norm": {
        "core": "x * mx.rsqrt(mx.mean(mx.square(x), axis=-1, keepdims=True) + 1e-5)",
        "core_np": "x / np.sqrt(np.mean(np.square(x), axis=-1, keepdims=True) + 1e-5)",
        "core_bare": "x * rsqrt(mean(square(x), axis=-1, keepdims=True) + 1e-5)",
        "stat": "s = mx.mean(x * x, axis=-1, keepdims=True)",
        "stat_expr": "mx.rsqrt(mx.mean(x * x, axis=-1, keepdims=True) + 1e-5)",
        "from_stat": "x * mx.rsqrt(s + 1e-5)",
    },
    "layer-norm": {
        "core": "(x - mx.mean(x, axis=-1, keepdims=True)) * mx.rsqrt(mx.var(x, axis=-1, keepdims=True) + 1e-5)",
        "core_np": "(x - np.mean(x, axis=-1, keepdims=True)) / np.sqrt(np.var(x, axis=-1, keepdims=True) + 1e-5)",
        "core_bare": "(x - mean(x, axis=-1, keepdims=True)) * rsqrt(var(x, axis=-1, keepdims=True) + 1e-5)",
        "stat": "s = x - mx.mean(x, axis=-1, keepdims=True)",
        "stat_expr": "mx.rsqrt(mx.var(x, axis=-1, keepdims=True) + 1e-5)",
        "from_stat": "s * mx.rsqrt(mx.var(x, axis=-1, keepdims=True) + 1e-5)",
    },
    "precise-softmax": {
        "core": "mx.softmax(x.astype(mx.float32), axis=-1).astype(x.dtype)",
        "core_np": "np.exp(x.astype(mx.float32)) / np.exp(x.astype(mx.float32)).sum()",
        "core_bare": "softmax(x.astype(mx.float32), axis=-1).astype(x.dtype)",
        "stat": "s = x.astype(mx.float32)",
        "stat_expr": "mx.softmax(x.astype(mx.float32), axis=-1).astype(x.dtype)",
        "from_stat": "mx.softmax(s, axis=-1).astype(x.dtype) * x",
    },
    "attention": {
        "core": "mx.softmax((x[None, None] * 0.25) @ x[None, None].transpose(0, 1, 3, 2), axis=-1) @ x[None, None]",
        "core_np": "np.exp(x @ x.T) @ x",
        "core_bare": "softmax((x[None, None] * 0.25) @ x[None, None].transpose(0, 1, 3, 2), axis=-1) @ x[None, None]",
        "stat": "s = (x[None, None] * 0.25) @ x[None, None].transpose(0, 1, 3, 2)",
        "stat_expr": "mx.softmax(x[None, None] @ x[None, None].swapaxes(2, 3), axis=-1)",
        "from_stat": "(mx.softmax(s, axis=-1) @ x[None, None])[0, 0]",
        "attend": "mx.softmax((q * 0.25) @ k.transpose(0, 1, 3, 2), axis=-1) @ v",
    },
    "addmm": {
        "core": "x @ x.T + x",
        "core_np": "np.asarray(x) @ np.asarray(x) + np.ones(8)",
        "core_bare": "softmax(x) @ x + x",
        "stat": "s = x @ x.T",
        "stat_expr": "x @ x.T",
        "from_stat": "s + x",
    },
}  # fmt: skip


def traps(rule):
    """Each trap of a rule: its name, the shapes, the kind, and the text."""
    for entry in (GENERAL + OWN[rule]).split("# --- ")[1:]:
        heading, text = entry.split("\n", 1)
        name, rest = heading.split(": ", 1)
        kind = next((kind for kind in ("class", "hostile") if rest.endswith(f" ({kind})")), "")
        shapes = ast.literal_eval(f"[{rest.removesuffix(f'({kind})') if kind else rest}]")
        for part, written in PARTS[rule].items():
            text = text.replace("{" + part + "}", written)
        yield name, shapes, kind, f"import mlx.core as mx\nimport mlx.nn as nn\nimport numpy as np\n\n\n{text.strip()}\n"
