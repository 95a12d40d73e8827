"""Computations that look like those of the rules and are not: a spelling with one change, one whose operand changes in its midst, or a trap.

Each must be left alone, or answer the same after its rewrite.
"""

import spell_rules
from spell_writer import Text, Writer

TWISTS = {
    "rms-norm": [
        "other axis", "all axes", "no keepdims", "n - 1", "sum", "clamped", "eps outside", "eps subtracted", "quarter", "cubed", "absolute",
        "cast dropped", "other numerator", "statistic returned",
    ],
    "layer-norm": [
        "other axis", "mean axis", "all axes", "no keepdims", "ddof", "n - 1", "sum", "clamped", "eps outside", "eps subtracted", "quarter",
        "not centred", "mean squared", "other numerator", "statistic returned",
    ],
    "attention": [
        "soft cap", "scores twice", "scores squared", "mask multiplied", "mask subtracted", "mask by where", "mask before scale", "mask after softmax",
        "mask under flag", "softmax axis", "sigmoid", "unnormalised", "stays in float32", "weights dropped", "weights changed", "weights returned",
        "keys not permuted",
    ],
    "precise-softmax": [
        "dtype too late", "down, not up", "scaled in float32", "shifted in place", "logsumexp", "sigmoid", "exponentials", "nn.softmax", "nn.log_softmax",
        "chosen before the cast", "float32 returned", "not cast back", "other dtype",
    ],
    "addmm": [
        "c reshaped larger", "number", "numpy", "integers", "wider", "elementwise", "cast between", "activated", "product returned", "product twice",
        "subtracted", "multiplied",
    ],
}  # fmt: skip


def disturbances(w, x):
    """Statements after which the name or the array `x` holds something else."""
    alias, other = w.fresh("alias", "same"), w.fresh("others", "held")
    bump = w.fresh("bump", "touch_")
    w.names.add(bump)
    in_place = w.pick(f"{{}} += 1", "{} *= 2", "{}[0] = 0", "{}[..., 0] = 3", "{} -= {}", "{} /= 3")
    helper = [f"def {bump}(a):", f"    {in_place.replace('{}', 'a')}", ""]

    def with_helper(line):
        w.top += helper
        return line

    return {
        "rebound": lambda: f"{x} = {x} + 1",
        "in place": lambda: in_place.replace("{}", x),
        "alias": lambda: f"{alias} = {x}\n{in_place.replace('{}', alias)}",
        "through a list": lambda: f"{other} = [{x}]\n{other}[0] += 1",
        "through a dict": lambda: f"{other} = dict(a={x})\n{other}['a'] *= 2",
        "loop variable": lambda: f"for {alias} in ({x},):\n    {in_place.replace('{}', alias)}",
        "loop": lambda: f"for {other} in range(2):\n    {x} = {x} + {other} + 1",
        "while": lambda: f"{other} = 0\nwhile {other} < 2:\n    {other} += 1\n    {x} = {x} * 2",
        "branch": lambda: f"if {x}.shape[0] > 1:\n    {x} = {x} * 2",
        "branch in place": lambda: f"if {x}.shape[0] > 1:\n    {in_place.replace('{}', x)}",
        "called": lambda: with_helper(f"{bump}({x})"),
        "called with alias": lambda: with_helper(f"{alias} = {x}\n{bump}({alias})"),
        "walrus": lambda: f"print(end='' if ({x} := {x} + 1) is None else '')",
        "nonlocal": lambda: f"def {bump}():\n    nonlocal {x}\n    {x} = {x} * 2\n{bump}()",
        "nested in place": lambda: f"def {bump}():\n    {in_place.replace('{}', x + '[0:1]') if ' = ' in in_place else x + '[...] = 2'}\n{bump}()",
        "swapped": lambda: f"{alias} = {x} + 1\n{x}, {alias} = {alias}, {x}",
        "for target": lambda: f"for {x} in [{x} + 1]:\n    pass",
        "comprehension": lambda: f"{other} = [({x} := {x} + 1) for {alias} in range(2)]",
        "try": lambda: f"try:\n    {x} = {x} * 3\nfinally:\n    pass",
        "starred": lambda: f"*{other}, {x} = {x} - 1, {x} * 2",
        "match": lambda: f"match {x} + 1:\n    case {alias}:\n        {x} = {alias}",
        "attribute": lambda: f"class Holder:\n    held = {x}\nHolder.held += 1",
        "chained": lambda: f"{alias} = {other} = {x}\n{in_place.replace('{}', other)}",
        "conditional alias": lambda: f"{alias} = {x} if {x}.ndim > 0 else {x} + 1\n{in_place.replace('{}', alias)}",
        "out of a tuple": lambda: f"{alias}, {other} = {x}, 1\n{alias} += {other}",
        "default argument": lambda: f"def {bump}(a={x}):\n    {in_place.replace('{}', 'a')}\n{bump}()",
        "setattr": lambda: f"{other} = [0, {x}]\n{other}[1][...] = 1",
        "unpacked in place": lambda: f"{x}[0], {alias} = 0, 1",
        "del and again": lambda: f"{alias} = {x} * 2\ndel {x}\n{x} = {alias}",
        "with": lambda: with_import(w, "contextlib", f"with contextlib.nullcontext({x} + 1) as {x}:\n    pass"),
        "mapped": lambda: with_helper(f"list(map({bump}, [{x}]))"),
        "by keyword": lambda: with_helper(f"{bump}(a={x})"),
        "starred call": lambda: with_helper(w.pick(f"{bump}(*[{x}])", f"{bump}(**{{'a': {x}}})")),
        "lambda called": lambda: with_helper(f"{alias} = lambda: {bump}({x})\n{alias}()"),
        "partial": lambda: with_import(w, "functools", with_helper(f"functools.partial({bump}, {x})()")),
        "enumerate": lambda: f"for {other}, {alias} in enumerate([{x}]):\n    {in_place.replace('{}', alias)}",
        "zip": lambda: f"for {alias}, {other} in zip([{x}], [1]):\n    {alias} += {other}",
        "dunder": lambda: w.pick(f"{x}.__iadd__(1)", f"{x}.__setitem__(0, 1)", f"{x}.__imul__(3)"),
        "operator": lambda: with_import(w, "operator", w.pick(f"operator.iadd({x}, 1)", f"operator.setitem({x}, 0, 1)")),
        "identity helper": lambda: (w.top.extend([f"def {bump}(a):", "    return a", ""]), f"{alias} = {bump}({x})\n{in_place.replace('{}', alias)}")[1],
        "identity lambda": lambda: f"{other} = lambda: {x}\n{alias} = {other}()\n{in_place.replace('{}', alias)}",
        "alias by index": lambda: f"{alias} = {w.pick(f'[{x}][0]', f'({x}, 1)[0]', chr(123) + repr('a') + f': {x}' + chr(125) + '[' + repr('a') + ']')}\n{in_place.replace('{}', alias)}",
        "alias by unpacking": lambda: f"{w.pick(f'{alias}, = {x},', f'{alias}, *{other} = [{x}, 1]', f'[{alias}, {other}] = {x}, 2')}\n{in_place.replace('{}', alias)}",
        "alias by walrus": lambda: f"{other} = ({alias} := {x}) is None\n{in_place.replace('{}', alias)}",
        "alias by iterator": lambda: f"{alias} = next(iter([{x}]))\n{in_place.replace('{}', alias)}",
        "alias in a branch": lambda: f"if {x}.ndim > 0:\n    {alias} = {x}\nelse:\n    {alias} = {x} + 1\n{in_place.replace('{}', alias)}",
        "alias in a loop": lambda: f"while True:\n    {alias} = {x}\n    break\n{in_place.replace('{}', alias)}",
        "alias in a try": lambda: f"try:\n    {alias} = {x}\nfinally:\n    pass\n{in_place.replace('{}', alias)}",
        "alias by match": lambda: f"match {x}:\n    case {alias}:\n        {in_place.replace('{}', alias)}",
        "alias by boolean": lambda: f"{alias} = None or {x}\n{in_place.replace('{}', alias)}",
        "alias of an alias": lambda: f"{alias} = {x}\n{other} = {alias}\n{alias} = 0\n{in_place.replace('{}', other)}",
        "alias by with": lambda: with_import(w, "contextlib", f"with contextlib.nullcontext({x}) as {alias}:\n    {in_place.replace('{}', alias)}"),
        "comprehension in place": lambda: f"{other} = [{alias}.__imul__(2) for {alias} in [{x}]]",
        "appended": lambda: f"{other} = []\n{other}.append({x})\n{other}[-1] += 1",
        "set attribute": lambda: f"def {bump}():\n    pass\n{bump}.kept = {x}\n{bump}.kept *= 2",
        "function returns it": lambda: f"def {bump}(a={x}):\n    return a\n{alias} = {bump}()\n{in_place.replace('{}', alias)}",
        "generator holds it": lambda: f"{other} = ({alias}.__iadd__(1) for {alias} in [{x}])\nlist({other})",
        "rebound in an except": lambda: f"try:\n    raise ValueError\nexcept ValueError:\n    {x} = {x} * 2",
        "rebound in while else": lambda: f"while {x}.ndim > 9:\n    pass\nelse:\n    {x} = {x} * 2",
        "rebound by import": lambda: f"{other} = {x} + 1\nimport mlx.core as {alias}\n{x} = {alias}.array({other})",
        "deep": lambda: f"{other} = dict(k=[({x},)])\n{other}['k'][0][0][...] = 1",
    }


def with_import(w, name, line):
    w.imports.add(f"import {name}")
    return line


def disturbed(rule, rng):
    """A spelling whose operand is changed between its first use and its last."""
    w = Writer(rng)
    w.split = max(w.split, 0.25)
    kind = []

    def between(w, *values):
        value = values[-1]
        if not w.scope.statements or kind:
            return value
        target = values[0].text if len(values) > 1 else None
        if target is None or w.chance(0.2):
            value = w.named(value, "stat")
            target = target if target and w.chance(0.5) else value.text
        else:
            value = w.named(value, "stat")
        if not target.isidentifier():
            return value
        options = disturbances(w, target)
        kind.append(w.rng.choice(list(options)))
        w.emit(options[kind[0]]())
        w.scope.own.discard(target)
        return value

    spelling = spell_rules.RULES[rule](w, between=between)
    spelling.twist = f"disturbed: {kind[0]}" if kind else "disturbed: not at all"
    return spelling


# Traps: whole functions. `X` is the rank of the trap's arrays; all take what `arguments` makes of a shape or another value.

NORM = "x * mx.rsqrt(mx.mean(mx.square(x), axis=-1, keepdims=True) + 1e-5)"
LAYER = "(x - mx.mean(x, axis=-1, keepdims=True)) * mx.rsqrt(mx.var(x, axis=-1, keepdims=True) + 1e-5)"
ATTEND = "mx.softmax((q * 0.25) @ k.transpose(0, 1, 3, 2), axis=-1) @ v"
SOFT = "mx.softmax(x.astype(mx.float32), axis=-1).astype(x.dtype)"
HEAD = "import mlx.core as mx\nimport mlx.nn as nn\nimport numpy as np\n\n\n"
ROWS, QKV, ABC = ((8, 8),), ((2, 4, 7, 16),) * 3, ((5, 8), (8, 8), (8,))

TRAPS = {
    "numpy": (ROWS, "def subject(x):\n    return np.array({core_np})\n"),
    "mx is a parameter": (ROWS, "class Other:\n    @staticmethod\n    def mean(*a, **k):\n        return 1.0\n    var = square = rsqrt = softmax = matmul = add = mean\n    float32 = mx.float16\n\n\ndef subject(x, mx=Other):\n    return {core}\n"),
    "mx rebound": (ROWS, "import types\nreal = mx\nmx = types.SimpleNamespace(**{{k: getattr(real, k) for k in dir(real) if not k.startswith('__')}})\nmx.mean = lambda *a, **k: 2.0\nmx.var = mx.mean\nmx.softmax = lambda a, **k: a * 2\n\n\ndef subject(x):\n    return {core}\n"),
    "function patched": (ROWS, "from mlx.core import mean, rsqrt, square, softmax, var\n\n\ndef mean(x, **k):\n    return x[..., :1]\n\n\ndef var(x, **k):\n    return x[..., :1] ** 2\n\n\ndef softmax(x, **k):\n    return x\n\n\ndef subject(x):\n    return {core_bare}\n"),
    "loop carries": (ROWS, "def subject(x):\n    y = x\n    for _ in range(3):\n        x = y\n        y = {core} + x\n    return y\n"),
    "loop carries the statistic": (ROWS, "def subject(x):\n    {stat}\n    for _ in range(2):\n        x = {from_stat} + 1\n    return x\n"),
    "loop, one late": (ROWS, "def subject(x):\n    r = 1.0\n    for _ in range(3):\n        y = x * r\n        r = {stat_expr}\n        x = y + 1\n    return x * r\n"),
    "parameter in place": (ROWS, "def subject(x):\n    t = x\n    x *= 2\n    y = {core}\n    return y + t\n"),
    "result in place": (ROWS, "def subject(x):\n    y = {core}\n    z = y\n    y += 1\n    return y * z\n"),
    "result in place, aliased operand": (ROWS, "def subject(x):\n    z = x\n    x = {core}\n    z += 1\n    return x + z\n"),
    "in a closure": (ROWS, "def subject(x):\n    def f():\n        return {core}\n    a = f()\n    x = x + 1\n    return a + f()\n"),
    "global": (ROWS, "x = None\n\n\ndef compute():\n    return {core}\n\n\ndef subject(a):\n    global x\n    x = a\n    b = compute()\n    x = a * 2\n    return b + compute()\n"),
    "conditional parts": (ROWS, "def subject(x):\n    if x.shape[0] > 4:\n        y = x\n    else:\n        y = x + 1\n    x, y = y, x * 2\n    return {core} + y\n"),
    "try": (ROWS, "def subject(x):\n    try:\n        {stat}\n        x = x.reshape(3, -1)\n    except ValueError:\n        x = x * 2\n    return {from_stat}\n"),
    "generator": (ROWS, "def steps(x):\n    {stat}\n    yield x\n    yield {from_stat}\n\n\ndef subject(x):\n    out = []\n    for y in steps(x):\n        out.append(y + 0)\n        x += 1\n    return out\n"),
    "static changed": (ROWS, "class Box:\n    x = None\n\n\ndef subject(x):\n    Box.x = x\n    {stat}\n    Box.x += 1\n    return {from_stat}\n"),
    "list element": (ROWS, "def subject(x):\n    xs = [x, x]\n    {stat}\n    xs[1] *= 3\n    x = xs[0]\n    return {from_stat}\n"),
    "star arguments": (ROWS, "def scale(*args, **kwargs):\n    x = args[0] + kwargs.get('shift', 0)\n    return {core}\n\n\ndef subject(x):\n    return scale(x, shift=1)\n"),
    "decorated": (ROWS, "def twice(f):\n    return lambda x: f(x * 2) + 1\n\n\ndef subject(x):\n    @twice\n    def core(x):\n        return {core}\n    return core(x)\n"),
    "method replaced": (ROWS, "class Base:\n    def part(self, x):\n        return {stat_expr}\n\n    def run(self, x):\n        return x * self.part(x)\n\n\nclass Derived(Base):\n    def part(self, x):\n        return x + 1\n\n\ndef subject(x):\n    return Derived().run(x), Base().run(x)\n"),
    "attribute replaced": (ROWS, "class Part:\n    def part(self, x):\n        return {stat_expr}\n\n    def run(self, x):\n        return x * self.part(x)\n\n\ndef subject(x):\n    p = Part()\n    p.part = lambda x: x\n    return p.run(x)\n"),
    "helper redefined": (ROWS, "def part(x):\n    return {stat_expr}\n\n\ndef subject(x):\n    return x * part(x)\n\n\ndef part(x):\n    return x + 3\n"),
    "default is shared": (ROWS, "def part(x, seen=[]):\n    seen.append(x)\n    return {stat_expr} + len(seen)\n\n\ndef subject(x):\n    return x * part(x), x * part(x)\n"),
    "lambda late": (ROWS, "def subject(x):\n    part = lambda: {stat_expr}\n    x = x + 1\n    return x * part()\n"),
    "comprehension shadows": (ROWS, "def subject(x):\n    rows = [{core} for x in x]\n    return rows, x\n"),
    "integers": (ROWS, "def subject(x):\n    x = (x * 10).astype(mx.int32)\n    return {core}\n"),
    "integers by constructor": (ROWS, "def subject(y):\n    x = mx.arange(64).reshape(8, 8)\n    return {core} + y\n"),
    "complex": (ROWS, "def subject(y):\n    x = y.astype(mx.complex64)\n    return {core}\n"),
    "truth": (ROWS, "def subject(y):\n    x = y > 0\n    return {core}\n"),
    "walrus in condition": (ROWS, "def subject(x):\n    {stat}\n    if (x := x + 1).ndim > 5:\n        return x\n    return {from_stat}\n"),
    "deleted item": (ROWS, "def subject(x):\n    store = {{'x': x}}\n    {stat}\n    store.pop('x')[...] = 1\n    return {from_stat}\n"),
    "used as an index": (ROWS, "def subject(x):\n    y = {core}\n    x[0] = 1\n    return y, x\n"),
}  # fmt: skip

PARTS = {
    "rms-norm": {
        "core": NORM,
        "core_np": "x / np.sqrt(np.mean(np.square(x), axis=-1, keepdims=True) + 1e-5)",
        "core_bare": "x * rsqrt(mean(square(x), axis=-1, keepdims=True) + 1e-5)",
        "stat": "s = mx.mean(x * x, axis=-1, keepdims=True)",
        "stat_expr": "mx.rsqrt(mx.mean(x * x, axis=-1, keepdims=True) + 1e-5)",
        "from_stat": "x * mx.rsqrt(s + 1e-5)",
    },
    "layer-norm": {
        "core": LAYER,
        "core_np": "(x - np.mean(x, axis=-1, keepdims=True)) / np.sqrt(np.var(x, axis=-1, keepdims=True) + 1e-5)",
        "core_bare": "(x - mean(x, axis=-1, keepdims=True)) * rsqrt(var(x, axis=-1, keepdims=True) + 1e-5)",
        "stat": "s = x - mx.mean(x, axis=-1, keepdims=True)",
        "stat_expr": "mx.rsqrt(mx.var(x, axis=-1, keepdims=True) + 1e-5)",
        "from_stat": "s * mx.rsqrt(mx.var(x, axis=-1, keepdims=True) + 1e-5)",
    },
    "precise-softmax": {
        "core": SOFT,
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
    },
    "addmm": {
        "core": "x @ x.T + x",
        "core_np": "np.asarray(x) @ np.asarray(x) + np.ones(8)",
        "core_bare": "(softmax(x) @ x + x)",
        "stat": "s = x @ x.T",
        "stat_expr": "x @ x.T",
        "from_stat": "s + x",
    },
}

OWN_TRAPS = {
    "rms-norm": {
        "weight shadowed": (((8, 8), (8,)), f"def subject(x, weight):\n    y = {NORM}\n    weight = weight[:, None]\n    return y * weight\n"),
        "weight per row": (((8, 8), (8,)), f"def subject(x, weight):\n    return {NORM} * weight.reshape(-1, 1)\n"),
        "two axes of weight": (((8, 8), (8, 8)), f"def subject(x, weight: mx.array):\n    return {NORM} * weight\n", "hostile"),
        "weight is a number": (((8, 8), 0.5), f"def subject(x, weight):\n    return {NORM} * weight\n", "hostile"),
        "scalar weight": ((((8, 8),),), "class Subject(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.weight = mx.array(1.0)\n\n    def __call__(self, x):\n        return " + NORM + " * self.weight\n", "class"),
        "weight with two axes": ((((8, 8),),), "class Subject(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.weight = mx.ones((1, 8))\n\n    def __call__(self, x):\n        return " + NORM + " * self.weight\n", "class"),
        "weight replaced": ((((8, 8),),), "class Subject(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.weight = mx.ones((8,))\n\n    def widen(self):\n        self.weight = mx.ones((8, 8)) * 2\n\n    def __call__(self, x):\n        self.widen()\n        return " + NORM + " * self.weight\n", "class"),
        "weight changed in between": ((((8, 8),),), "class Subject(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.weight = mx.ones((8,))\n\n    def __call__(self, x):\n        y = " + NORM + "\n        w = self.weight\n        self.weight = w[:, None] * 3\n        return y * w, y * self.weight\n", "class"),
        "eps is an array": (((8, 8), ()), "def subject(x, eps):\n    return x * mx.rsqrt(mx.mean(x * x, axis=-1, keepdims=True) + abs(eps))\n"),
        "eps per row": (((8, 8), (8, 1)), "def subject(x, eps: mx.array):\n    return x * mx.rsqrt(mx.mean(x * x, axis=-1, keepdims=True) + abs(eps))\n"),
        "L2 norm": (ROWS, "def subject(x):\n    return x / (mx.linalg.norm(x, axis=-1, keepdims=True) + 1e-5)\n"),
        "mean of two": (ROWS * 2, "def subject(x, y):\n    return x * mx.rsqrt(mx.mean(x * y, axis=-1, keepdims=True) ** 2 + 1e-5)\n"),
        "other array": (ROWS * 2, "def subject(x, y):\n    return y * mx.rsqrt(mx.mean(x * x, axis=-1, keepdims=True) + 1e-5)\n"),
        "broadcast": (((8, 8), (8,)), "def subject(x, y):\n    return x * mx.rsqrt(mx.mean(mx.square(y), axis=-1, keepdims=True) + 1e-5)\n"),
        "weight inside": (((8, 8), (8,)), "def subject(x, w):\n    return x * (mx.rsqrt(mx.mean(x * x, axis=-1, keepdims=True) + 1e-5) * w) + x * w\n"),
        "cast to another": (ROWS, "def subject(x):\n    y = x.astype(mx.float32)\n    return (y * mx.rsqrt(mx.mean(y * y, -1, keepdims=True) + 1e-5)).astype(mx.bfloat16)\n"),
        "cast down first": (ROWS, "def subject(x):\n    y = x.astype(mx.float16)\n    return (y * mx.rsqrt(mx.mean(y * y, -1, keepdims=True) + 1e-5)).astype(x.dtype)\n"),
    },
    "layer-norm": {
        "weight shadowed": (((8, 8), (8,)), f"def subject(x, weight):\n    y = {LAYER}\n    weight = weight[:, None]\n    return y * weight + 1\n"),
        "bias per row": (((8, 8), (8,), (8,)), f"def subject(x, weight, bias):\n    return {LAYER} * weight + bias[:, None]\n"),
        "bias alone": (((8, 8), (8,)), f"def subject(x, bias):\n    return {LAYER} + bias\n"),
        "bias alone in float32": (((8, 8), (8,)), f"def subject(x, bias):\n    return {LAYER} + bias.astype(mx.float32)\n"),
        "bias before weight": (((8, 8), (8,), (8,)), f"def subject(x, w, b):\n    return ({LAYER} + b) * w\n"),
        "moments": (ROWS, "def subject(x):\n    m = x.mean(-1, keepdims=True)\n    return (x - m) * mx.rsqrt((x * x).mean(-1, keepdims=True) - m * m + 1e-3)\n"),
        "running": (((8, 8), (8, 1), (8, 1)), "def subject(x, mean, var):\n    return (x - mean) * mx.rsqrt(abs(var) + 1e-5)\n"),
        "instance": (((2, 4, 4, 8),), "def subject(x):\n    return (x - x.mean((1, 2), keepdims=True)) * mx.rsqrt(x.var((1, 2), keepdims=True) + 1e-5)\n"),
        "group": (((2, 4, 8),), "def subject(x):\n    g = x.reshape(2, 4, 2, 4)\n    g = (g - g.mean(-1, keepdims=True)) * mx.rsqrt(g.var(-1, keepdims=True) + 1e-5)\n    return g.reshape(2, 4, 8)\n"),
        "std plus eps": (ROWS, "def subject(x):\n    return (x - x.mean(-1, keepdims=True)) / (x.std(-1, keepdims=True) + 1e-5)\n"),
        "sign": (ROWS, "def subject(x):\n    return (x.mean(-1, keepdims=True) - x) * mx.rsqrt(x.var(-1, keepdims=True) + 1e-5)\n"),
        "other mean": (ROWS * 2, "def subject(x, y):\n    return (x - y.mean(-1, keepdims=True)) * mx.rsqrt(x.var(-1, keepdims=True) + 1e-5)\n"),
        "median": (ROWS, "def subject(x):\n    return (x - mx.median(x, axis=-1, keepdims=True)) * mx.rsqrt(x.var(-1, keepdims=True) + 1e-5)\n"),
    },
    "attention": {
        "batch of keys broadcast": (((2, 4, 7, 16), (2, 4, 7, 16), (2, 4, 7, 16)), "def subject(q: mx.array, k: mx.array, v: mx.array):\n    k, v = k[:1], v[:1]\n    return " + ATTEND + "\n", "hostile"),
        "one query head": (QKV, "def subject(q: mx.array, k: mx.array, v: mx.array):\n    q = q[:, :1]\n    return " + ATTEND + "\n", "hostile"),
        "one key head": (QKV, "def subject(q: mx.array, k: mx.array, v: mx.array):\n    k, v = k[:, :1], v[:, :1]\n    return " + ATTEND + "\n"),
        "heads of keys differ": (QKV, "def subject(q: mx.array, k: mx.array, v: mx.array):\n    v = v[:, :1]\n    return " + ATTEND + "\n", "hostile"),
        "tiled heads": (((2, 4, 7, 16), (2, 2, 7, 16), (2, 2, 7, 16)), "def subject(q: mx.array, k: mx.array, v: mx.array):\n    k, v = mx.tile(k, (1, 2, 1, 1)), mx.tile(v, (1, 2, 1, 1))\n    return " + ATTEND + "\n"),
        "rank 3": (((4, 7, 16),) * 3, "def subject(q, k, v):\n    B, L, D = q.shape\n    return mx.softmax((q * 0.25) @ k.transpose(0, 2, 1), axis=-1) @ v\n"),
        "rank 3 by reshape": (QKV, "def subject(q, k, v):\n    q, k, v = (a.reshape(-1, 7, 16) for a in (q, k, v))\n    return mx.softmax((q * 0.25) @ k.swapaxes(-1, -2), axis=-1) @ v\n", "hostile"),
        "rank 5": (QKV, "def subject(q, k, v):\n    q, k, v = q[:, None], k[:, None], v[:, None]\n    return mx.softmax((q * 0.25) @ k.swapaxes(-1, -2), axis=-1) @ v\n", "hostile"),
        "rank 2": (((7, 16),) * 3, "def subject(q, k, v):\n    q = q.reshape(-1, 16)\n    return mx.softmax((q * 0.25) @ k.T, axis=-1) @ v\n"),
        "scale per head": ((*QKV, (4, 1, 1)), "def subject(q: mx.array, k: mx.array, v: mx.array, t: mx.array):\n    return mx.softmax((q @ k.transpose(0, 1, 3, 2)) * t, axis=-1) @ v\n"),
        "scale is an array": (QKV, "def subject(q: mx.array, k: mx.array, v: mx.array):\n    return mx.softmax((q @ k.transpose(0, 1, 3, 2)) * mx.array(0.25), axis=-1) @ v\n"),
        "integers": (QKV, "def subject(q, k, v):\n    v = v.astype(mx.int32)\n    return " + ATTEND + "\n"),
        "bool mask added": (QKV, "def subject(q: mx.array, k: mx.array, v: mx.array):\n    m = mx.tri(7, 7, dtype=mx.bool_)\n    return mx.softmax((q * 0.25) @ k.transpose(0, 1, 3, 2) + m, axis=-1) @ v\n"),
        "float32 mask": (QKV, "def subject(q: mx.array, k: mx.array, v: mx.array):\n    m = mx.where(mx.tri(7, 7) > 0, 0.0, -1e4)\n    return mx.softmax((q * 0.25) @ k.transpose(0, 1, 3, 2) + m, axis=-1) @ v\n", "hostile"),
        "mask with five axes": (QKV, "def subject(q: mx.array, k: mx.array, v: mx.array):\n    m = mx.zeros((2, 1, 1, 7, 7), q.dtype)\n    return mx.softmax((q * 0.25) @ k.transpose(0, 1, 3, 2) + m, axis=-1) @ v\n"),
        "mask enlarges the batch": (QKV, "def subject(q: mx.array, k: mx.array, v: mx.array):\n    q, k, v = q[:1], k[:1], v[:1]\n    m = mx.zeros((3, 1, 7, 7), q.dtype)\n    return mx.softmax((q * 0.25) @ k.transpose(0, 1, 3, 2) + m, axis=-1) @ v\n", "hostile"),
        "twice scaled": (QKV, "def subject(q: mx.array, k: mx.array, v: mx.array):\n    return mx.softmax((q * 0.25) @ (k * 0.5).transpose(0, 1, 3, 2) * 3.0, axis=-1) @ v\n"),
        "two masks": (QKV, "def subject(q: mx.array, k: mx.array, v: mx.array):\n    m = mx.zeros((7, 7), q.dtype)\n    return mx.softmax((q * 0.25) @ k.transpose(0, 1, 3, 2) + m + (m - 1.5) * m, axis=-1) @ v\n"),
        "mask or else": (QKV, "def subject(q: mx.array, k: mx.array, v: mx.array, mask=None):\n    s = (q * 0.25) @ k.transpose(0, 1, 3, 2)\n    if mask is not None:\n        s = s + mask\n    else:\n        s = s - mx.tri(7, 7, dtype=q.dtype)\n    return mx.softmax(s, axis=-1) @ v\n"),
        "mask the wrong way": (QKV, "def subject(q: mx.array, k: mx.array, v: mx.array, mask=None):\n    s = (q * 0.25) @ k.transpose(0, 1, 3, 2)\n    if mask is None:\n        mask = mx.tri(7, 7, dtype=q.dtype)\n    return mx.softmax(s + mask, axis=-1) @ v\n"),
        "queries transposed": (QKV, "def subject(q: mx.array, k: mx.array, v: mx.array):\n    return mx.softmax((k * 0.25) @ q.transpose(0, 1, 3, 2), axis=-1) @ v\n"),
        "values transposed": (((2, 4, 16, 16),) * 3, "def subject(q: mx.array, k: mx.array, v: mx.array):\n    return mx.softmax((q * 0.25) @ k.transpose(0, 1, 3, 2), axis=-1) @ v.transpose(0, 1, 3, 2)\n"),
        "weights transposed": (QKV, "def subject(q: mx.array, k: mx.array, v: mx.array):\n    return mx.softmax((q * 0.25) @ k.transpose(0, 1, 3, 2), axis=-1).swapaxes(2, 3) @ v\n"),
        "keys of heads last": (((2, 8, 8, 8),) * 3, "def subject(q: mx.array, k: mx.array, v: mx.array):\n    return mx.softmax((q * 0.25) @ k.transpose(0, 2, 3, 1), axis=-1) @ v\n"),
        "heads first": (((2, 4, 16, 16),) * 3, "def subject(q: mx.array, k: mx.array, v: mx.array):\n    return mx.softmax((q * 0.25) @ k.T, axis=-1) @ v\n" if False else "def subject(q: mx.array, k: mx.array, v: mx.array):\n    return mx.softmax((q * 0.25) @ k, axis=-1) @ v\n"),
        "values added": (QKV, "def subject(q: mx.array, k: mx.array, v: mx.array):\n    p = mx.softmax((q * 0.25) @ k.transpose(0, 1, 3, 2), axis=-1)\n    return p @ v + p.sum(-1, keepdims=True)\n"),
        "sinks": (QKV, "def subject(q: mx.array, k: mx.array, v: mx.array):\n    s = (q * 0.25) @ k.transpose(0, 1, 3, 2)\n    s = mx.concatenate([s, s[..., :1]], axis=-1)\n    return mx.softmax(s, axis=-1)[..., :-1] @ v\n"),
        "log softmax": (QKV, "def subject(q: mx.array, k: mx.array, v: mx.array):\n    s = (q * 0.25) @ k.transpose(0, 1, 3, 2)\n    return (s - mx.logsumexp(s, axis=-1, keepdims=True)) @ v\n"),
        "float32 then half": (QKV, "def subject(q: mx.array, k: mx.array, v: mx.array):\n    s = (q.astype(mx.float32) * 0.25) @ k.astype(mx.float32).transpose(0, 1, 3, 2)\n    return (mx.softmax(s, axis=-1) @ v.astype(mx.float32)).astype(q.dtype)\n"),
        "probabilities in float32": (QKV, "def subject(q: mx.array, k: mx.array, v: mx.array):\n    s = (q * 0.25) @ k.transpose(0, 1, 3, 2)\n    return mx.softmax(s.astype(mx.float32), axis=-1) @ v\n"),
        "scores cached": (QKV, "class Cache:\n    scores = None\n\n\ndef subject(q: mx.array, k: mx.array, v: mx.array):\n    Cache.scores = (q * 0.25) @ k.transpose(0, 1, 3, 2)\n    out = mx.softmax(Cache.scores, axis=-1) @ v\n    return out, Cache.scores\n"),
    },
    "precise-softmax": {
        "half to the other": (ROWS, "def subject(x):\n    x = x.astype(mx.bfloat16)\n    return mx.softmax(x.astype(mx.float32), axis=-1).astype(mx.float16)\n"),
        "wider parent": (ROWS * 2, "def subject(x, y):\n    return mx.softmax(x.astype(mx.float16).astype(mx.float32), axis=-1).astype(y.dtype)\n", "hostile"),
        "no axis in nn": (ROWS, "def subject(x):\n    return nn.softmax(x.astype(mx.float32)).astype(x.dtype)\n"),
        "cast twice": (ROWS, "def subject(x):\n    return mx.softmax(x.astype(mx.float16).astype(mx.float32), axis=-1).astype(x.dtype)\n", "hostile"),
        "promoted by another": (ROWS * 2, "def subject(x, y):\n    return mx.softmax(x.astype(mx.float32) + y, axis=-1).astype(x.dtype)\n"),
        "masked in float32": (ROWS, "def subject(x):\n    return mx.softmax(x.astype(mx.float32) + mx.array(0.1), axis=-1).astype(x.dtype)\n"),
        "counted": (ROWS, "def subject(x):\n    n = mx.argmax(x, axis=-1)\n    return mx.softmax(n.astype(mx.float32), axis=-1).astype(n.dtype)\n"),
        "compared": (ROWS, "def subject(x):\n    n = x > 0\n    return mx.softmax(n.astype(mx.float32), axis=-1).astype(n.dtype)\n"),
        "to int": (ROWS, "def subject(x):\n    return (mx.softmax(x.astype(mx.float32), axis=-1) * 100).astype(mx.int32)\n"),
        "straight to int": (ROWS, "def subject(x):\n    return mx.softmax(x.astype(mx.float32), axis=-1).astype(mx.int32)\n"),
        "keyword": (ROWS, "def subject(x):\n    return mx.softmax(x.astype(mx.float32), axis=-1, precise=True).astype(x.dtype)\n"),
    },
    "addmm": {
        "matrix times vector": (((2, 5, 8), (8,), (5,)), "def subject(a: mx.array, b: mx.array, c: mx.array):\n    b, c = b.reshape(8), c.reshape(5)\n    return a.reshape(2, 5, 8) @ b + c\n"),
        "dot product": (((8,), (8,), (1,)), "def subject(a, b, c):\n    a, b, c = a.reshape(8), b.reshape(8), c.reshape(1)\n    return a @ b + c\n"),
        "caller sees it": (((5, 8), (8, 8), (5, 8)), "def subject(a, b, c):\n    c += a @ b\n    return None\n"),
        "caller sees and gets it": (((5, 8), (8, 8), (5, 8)), "def subject(a, b, c):\n    c += a @ b\n    return c\n"),
        "alias sees it": (((5, 8), (8, 8), (5, 8)), "def subject(a, b, c):\n    y = c\n    y += mx.matmul(a, b)\n    return c * 2\n"),
        "product in place, seen": (ABC, "def subject(a, b, c):\n    y = a @ b\n    z = y\n    y += c\n    return y * z\n"),
        "product in place, in a list": (ABC, "def subject(a, b, c):\n    y = a @ b\n    seen = [y]\n    y += c\n    return y * seen[0]\n"),
        "sum of products": (ABC, "def subject(a, b, c):\n    return a @ b + a @ b\n"),
        "enlarged by reshape": (((5, 8), (8, 8), (5, 8)), "def subject(a, b, c):\n    return a.reshape(5, 8) @ b.reshape(8, 8) + c.reshape(1, 5, 8)\n"),
        "row to matrix": (((1, 8), (8, 8), (5, 8)), "def subject(a, b, c):\n    return a.reshape(1, 8) @ b.reshape(8, 8) + c.reshape(5, 8)\n"),
        "float or array": (ABC, "def subject(a, b, c):\n    c = 0.5 if c.ndim < 7 else c\n    return a @ b + c\n"),
        "c may be None": (((5, 8), (8, 8), None), "def subject(a, b, c=None):\n    y = a @ b\n    if c is not None:\n        y = y + c\n    return y\n"),
        "bias by default": (ABC[:2], "def subject(a, b, c=0.0):\n    return a @ b + c\n", "hostile"),
        "user class": (ABC, "class M:\n    def __init__(self, a):\n        self.a = a\n\n    def __matmul__(self, b):\n        return self.a * 2\n\n\ndef subject(a, b, c):\n    return M(a) @ b + c\n"),
        "string of products": (ABC, "def subject(a, b, c):\n    return a @ b @ b + c\n"),
        "added before": (ABC, "def subject(a, b, c):\n    return a @ (b + c)\n"),
        "int c": (ABC[:2], "def subject(a, b):\n    c = mx.arange(8)\n    return a @ b + c\n"),
        "bool c": (ABC[:2], "def subject(a, b):\n    c = mx.arange(8) > 3\n    return a @ b + c\n"),
        "c from a mean": (ABC[:2], "def subject(a, b):\n    c = a.mean().item()\n    return a @ b + c\n"),
        "accumulated": (ABC[:2], "def subject(a, b):\n    acc = mx.zeros((5, 8), a.dtype)\n    kept = acc\n    for _ in range(3):\n        acc += a @ b\n    return acc + kept\n"),
        "accumulated anew": (ABC[:2], "def subject(a, b):\n    acc = 0\n    for _ in range(3):\n        acc = acc + a @ b\n    return acc\n"),
        "outer": (((5, 1), (1, 8), (8,)), "def subject(a, b, c):\n    return a * b + c\n"),
    },
}  # fmt: skip


def trapped(rule, rng):
    """One of the traps, as it stands."""
    general = {name: (shapes, HEAD + text.format(**PARTS[rule])) for name, (shapes, text) in TRAPS.items()}
    own = {name: (entry[0], HEAD + entry[1], *entry[2:]) for name, entry in OWN_TRAPS[rule].items()}
    name, (shapes, text, *kind) = rng.choice(sorted((general | own).items()))

    def made(data, shape):
        return data.rows(*shape) if isinstance(shape, tuple) else shape

    def arguments(data):
        if "class" in kind:
            return (), tuple(made(data, s) for s in shapes[0])
        return tuple(made(data, s) for s in shapes)

    # What rests on an assumption that these arguments do not meet must only hold for safe edits.
    nominal = (lambda data: arguments(data)) if "hostile" not in kind else None
    spelling = spell_rules.Spelling(rule, text, nominal, (), (), False, [arguments] if "hostile" in kind else [], {"trap"}, f"trap: {name}")
    return spelling


def near_miss(rule, rng):
    """Draws one near miss of a rule."""
    roll = rng.random()
    if roll < 0.3:
        return disturbed(rule, rng)
    if roll < 0.6:
        return trapped(rule, rng)
    return spell_rules.RULES[rule](Writer(rng), twist=rng.choice(TWISTS[rule]))
