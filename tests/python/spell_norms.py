"""Norms as a `Writer` draws them: the core, its casts, its weight and bias, the helpers it is in, and what is around them."""

from spell_writer import ATOM, LOW, PLUS, POWER, TIMES, Text, at, indented, is_name
from spelling import Rule, Spelling

D = 64  # the length of the last axis, and of weights
HELPERS = ("_norm", "normalize", "_rms", "norm")

RMS_TWISTS = [
    "other axis", "all axes", "no keepdims", "n - 1", "sum", "clamped", "eps outside", "eps subtracted", "quarter", "cubed", "absolute",
    "cast dropped", "other numerator", "statistic returned",
]  # fmt: skip
RMS_PARTS = {
    "core": "x * mx.rsqrt(mx.mean(mx.square(x), axis=-1, keepdims=True) + 1e-5)",
    "core_np": "x / np.sqrt(np.mean(np.square(x), axis=-1, keepdims=True) + 1e-5)",
    "core_bare": "x * rsqrt(mean(square(x), axis=-1, keepdims=True) + 1e-5)",
    "stat": "s = mx.mean(x * x, axis=-1, keepdims=True)",
    "stat_expr": "mx.rsqrt(mx.mean(x * x, axis=-1, keepdims=True) + 1e-5)",
    "from_stat": "x * mx.rsqrt(s + 1e-5)",
}
RMS_TRAPS = """
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
"""

LAYER_TWISTS = [
    "other axis", "mean axis", "all axes", "no keepdims", "ddof", "n - 1", "sum", "clamped", "eps outside", "eps subtracted", "quarter",
    "not centred", "mean squared", "other numerator", "statistic returned",
]  # fmt: skip
LAYER_PARTS = {
    "core": "(x - mx.mean(x, axis=-1, keepdims=True)) * mx.rsqrt(mx.var(x, axis=-1, keepdims=True) + 1e-5)",
    "core_np": "(x - np.mean(np.array(x), axis=-1, keepdims=True)) / np.sqrt(np.var(np.array(x), axis=-1, keepdims=True) + 1e-5)",
    "core_bare": "(x - mean(x, axis=-1, keepdims=True)) * rsqrt(var(x, axis=-1, keepdims=True) + 1e-5)",
    "stat": "s = x - mx.mean(x, axis=-1, keepdims=True)",
    "stat_expr": "mx.rsqrt(mx.var(x, axis=-1, keepdims=True) + 1e-5)",
    "from_stat": "s * mx.rsqrt(mx.var(x, axis=-1, keepdims=True) + 1e-5)",
}
LAYER_TRAPS = """
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
"""


def written_norm(w, rule, twist=None, between=None):
    """A norm in a function or a module."""
    return Norm(w, rule, twist, between).spelling()


# The parts of the formula


def axis_and_keepdims(w, x, twist, keep):
    """The arguments of a reduction over the last axis."""
    if twist == "all axes":
        return ["keepdims=True"] if keep else []
    axis = w.pick(*["axis=-1"] * 4, *["-1"] * 3, "axis=(-1,)", "(-1,)", "axis=[-1]", *[f"axis={x.text}.ndim - 1"] * is_name(x))
    if twist == "other axis":
        axis = w.pick("axis=-2", "0", "axis=1", "(0, 1)", "axis=(-2, -1)", "-2")
    elif axis.removeprefix("axis=") != "-1":
        w.tag(f"axis {axis.removeprefix('axis=')[:3]}")
    by_position = "True" if "=" not in axis else "keepdims=True"
    return [axis, w.pick("keepdims=True", "keepdims=True", by_position)] if keep else [axis]


def reduced(w, name, e, x, twist=None):
    """A mean or variance of `e` over the last axis of `x`, with that axis kept or put back."""
    keep = w.chance(0.75) or twist == "all axes"
    arguments = axis_and_keepdims(w, x, twist, keep and twist != "no keepdims")
    if twist == "ddof" and name == "var":
        arguments.append("ddof=1")
    by_sum = w.chance(0.15) and twist not in ("other axis", "all axes") or twist in ("n - 1", "sum")
    value = mean_by_sum(w, e, x, arguments, twist) if name == "mean" and by_sum else w.function(name, e, *arguments)
    if keep or twist == "no keepdims":
        return value
    w.tag("axis put back")
    value = w.let(value, "ms", "m", "stat")
    return w.one_of(
        (3, lambda: Text(f"{at(value, ATOM)}[..., None]")),
        (1, lambda: w.call("expand_dims", value, w.pick("-1", "axis=-1"))),
        (0.5, lambda: Text(f"{at(value, ATOM)}[..., {'mx.newaxis' if w.module == 'mx' else 'None'}]")),
    )


def mean_by_sum(w, e, x, arguments, twist):
    """The mean as a sum divided by the length of the axis."""
    w.tag("sum / n")
    n = Text(f"{at(x, ATOM)}.shape[-1]")
    if twist == "n - 1":
        n = Text(f"{n.text} - 1", PLUS)
    total = w.function("sum", e, *arguments)
    if twist == "sum":
        return total
    n = w.let(n, "n", "dims", "d", p=w.split / 2) if is_name(x) else n
    return w.binary("/", total, n, function=0.05)


def square(w, x):
    """The square of a value."""
    forms = [lambda: w.call("square", x), lambda: Text(f"{at(x, ATOM)}.square()"), lambda: w.call("power", x, "2")]
    forms += [lambda: Text(f"{at(x, ATOM)}**2", POWER), lambda: Text(f"{at(x, ATOM)}**2.0", POWER)]
    if is_name(x):
        forms += [lambda: Text(f"{x.text} * {x.text}", TIMES), lambda: w.call("multiply", x, x)]
    return w.one_of(*forms)


def over_root(w, x, v, twist):
    """`x / sqrt(v)`, where the root may get a name. Also whether it has the bits of `x * rsqrt(v)`."""
    if twist == "quarter":
        return w.binary("*", x, Text(f"{at(v, ATOM)} ** -0.25", POWER), swap=True), False
    over = w.own(v)
    form = w.pick(*["rsqrt"] * 5, *["over sqrt"] * 3, "power", "reciprocal", "one over", "over power", "mx.power")
    w.tag("" if form == "rsqrt" else form)
    if form in ("over sqrt", "over power"):
        root = w.function("sqrt", v) if form == "over sqrt" else Text(f"{at(v, ATOM)} ** 0.5", POWER)
        return w.update("/", x, w.let(root, "root", "rms", "std", "denom", over=over)), False
    inverse = {
        "rsqrt": lambda: w.function("rsqrt", v),
        "power": lambda: Text(f"{at(v, ATOM)} ** -0.5", POWER),
        "mx.power": lambda: w.call("power", v, "-0.5"),
        "reciprocal": lambda: w.call("reciprocal", w.function("sqrt", v)),
        "one over": lambda: w.binary("/", Text(w.pick("1", "1.0")), w.function("sqrt", v)),
    }[form]()
    inverse = w.let(inverse, "r", "inv", "rstd", "scale", "inv_rms", over=over)
    return w.update("*", x, inverse, swap=True), form in ("rsqrt", "one over", "reciprocal")


def scaled_by(w, x, v, eps, twist):
    """`x / sqrt(v + eps)`."""
    if twist == "eps outside":
        return w.binary("/", x, w.binary("+", w.function("sqrt", v), eps, swap=True)), False
    if twist == "clamped":
        return over_root(w, x, w.call("maximum", v, eps), twist)
    if twist == "eps subtracted":
        return over_root(w, x, w.binary("-", v, eps), twist)
    shifted = w.update("+", v, eps, swap=True)
    return over_root(w, x, w.let(shifted, "v", "shifted", "var_eps", p=w.split / 2, over=w.own(v)), twist)


def rms(w, x, eps, twist, between, base):
    """The core of an rms norm of the named value `x`; the statistics are those of `base`, which is `x` but for a near miss."""
    sq = square(w, base)
    if twist == "cubed":
        sq = Text(f"{base.text} ** {w.pick(3, 4, 1)}", POWER)
    if twist == "absolute":
        sq = w.call("abs", base)
    sq = w.let(sq, "sq", "x2", "squared", "xx")
    m = reduced(w, "mean", sq, x, twist)
    m = w.let(m, "variance", "ms", "mean_sq", "norm", "var", over=w.own(sq))
    return scaled_by(w, x, between(x, m), eps, twist)


def layer(w, x, eps, twist, between, base):
    """The core of a layer norm of the named value `x`."""
    mean = reduced(w, "mean", base, x, "other axis" if twist == "mean axis" else None)
    mean = between(x, w.shared(mean, "mean", "mu", "m"))
    d = w.binary("-", x, mean)
    if w.chance(0.35):
        d = w.shared(d, "d", "centered", "diff", "xc")
        var = reduced(w, "mean", square(w, d), d if is_name(d) else x, twist)
    else:
        d = w.let(d, "d", "centered", p=w.split / 3)
        var = reduced(w, "var", base, x, twist)
    if twist == "mean squared":
        var = reduced(w, "mean", square(w, x), x)
    var = w.let(var, "var", "variance", "sigma2", "v")
    return scaled_by(w, x if twist == "not centred" else d, var, eps, twist)


class Norm:
    """One norm: what was chosen for it, and how it is written from that."""

    def __init__(self, w, rule, twist, between):
        self.w, self.rule, self.twist, self.disturb = w, rule, twist, between
        self.in_class = w.chance(0.5)
        self.weighted = w.chance(0.75) or self.in_class
        self.biased = self.weighted and rule == "layer-norm" and w.chance(0.75)
        self.upcast = twist != "cast dropped" and w.chance(0.5)
        self.all_float32 = self.upcast and w.chance(0.15)  # the cast back comes after the weight
        self.final_cast = not self.upcast and w.chance(0.15)
        self.offset = self.weighted and rule == "rms-norm" and w.chance(0.2)
        self.optional = self.weighted and not self.offset and w.chance(0.08)
        self.shape = w.pick((D, D), (2, D, D)) if twist else w.pick((D,), (5, D), (2, 3, D), (2, 3, 5, D))
        self.x = w.pick("x", "x", "hidden_states", "h", "inputs")
        self.weight = w.pick("weight", "weight", "gamma", "scale_", "w")
        self.bias = w.pick("bias", "beta", "b")
        self.eps_value = w.pick(1e-5, 1e-6, 1e-5, 1e-3)
        self.eps_kind = w.pick("literal", "constant", *["attribute" if self.in_class else "parameter"] * 2)
        self.eps_name = w.pick("eps", "epsilon", "eps")
        attribute = f"self.{w.pick('eps', 'variance_epsilon')}"
        self.eps = Text({"literal": repr(self.eps_value), "constant": "EPS", "parameter": self.eps_name, "attribute": attribute}[self.eps_kind])
        if self.eps_kind == "constant":
            w.top.append(f"EPS = {self.eps_value}")
        self.same_bits = []  # of each core that was written

    def spelling(self):
        """The text and its arguments."""
        lines, arguments, hostile = self.module() if self.in_class else self.function()
        exact = self.upcast and not self.all_float32 and not self.offset and all(self.same_bits)
        name = "rms_norm(" if self.rule == "rms-norm" else "layer_norm("
        gone = ("sqrt", "** -0.5", "** 0.5", "-0.5)")
        return Spelling(self.w.file(lines), arguments, (name,), gone, exact, hostile, self.w.tags, self.twist)

    # The computation

    def core(self, x, eps, base=None):
        """The core of a value that has a name."""
        twist = self.twist
        if twist == "other numerator":
            base = Text(f"({x.text} + 1)")
        between = (lambda x, m: self.disturb(self.w, x, m)) if self.disturb else lambda x, m: m
        value, same = (rms if self.rule == "rms-norm" else layer)(self.w, x, eps, twist, between, base or x)
        self.same_bits.append(same)
        return value

    def core_of(self, given, eps):
        """The core of any value, which gets a name first."""
        w = self.w
        x = given if is_name(given) else w.shared(given, "h32", "xf", "x32", "y")
        # A walrus binds where it stands first in the text; the cores do not promise to begin with their operand.
        return self.core(x if is_name(x) else w.named(x, "y"), eps)

    def core_with_casts(self, x, eps):
        """Both casts and the core between them."""
        w = self.w
        y = w.named(w.cast(x, w.float32()), "y", "xf")
        return w.cast(self.core(y, eps), f"{x.text}.dtype")

    def body(self):
        """Writes the statements and gives the result."""
        w, x = self.w, Text(self.x)
        dtype, dead = f"{self.x}.dtype", []
        if (self.upcast or self.final_cast) and w.chance(0.35):
            dtype, dead = w.fresh("t", "dtype", "input_dtype", "orig_dtype"), [self.x]
            w.emit(f"{dtype} = {self.x}.dtype")
        inside = self.upcast and not self.all_float32 and w.chance(0.3)
        if self.twist == "cast dropped":  # the statistics are float32, what they scale is not
            value = self.core(x, self.eps, base=w.named(w.cast(x, w.float32()), "xf", "h32"))
        elif inside:
            value = w.helper(HELPERS, [("x", x), ("eps", self.eps)], self.core_with_casts, self.in_class)
        elif self.upcast:
            value = w.let(w.cast(x, w.float32()), "h32", "xf", "x32", "y", over=dead)
            value = w.helper(HELPERS, [("x", value), ("eps", self.eps)], self.core_of, self.in_class)
        else:
            value = w.helper(HELPERS, [("x", x), ("eps", self.eps)], self.core_of, self.in_class)
        if self.upcast and not self.all_float32 and not inside:
            value = w.cast(w.let(value, "n", "normed", over=dead), dtype)
            value = w.let(value, "n", "normed", over=dead + w.own(value))
        value = self.affine(value)
        if self.all_float32 or self.final_cast:
            value = w.cast(w.let(value, "n", "out", p=w.split / 2), dtype)
        if self.twist == "statistic returned":
            squared = square(w, x) if self.rule == "rms-norm" else x
            return f"{value.text}, {w.function('mean', squared, 'axis=-1', 'keepdims=True').text}"
        return value

    def affine(self, value):
        """The weight and the bias."""
        w, prefix = self.w, "self." if self.in_class else ""
        weight, bias = Text(prefix + self.weight), Text(prefix + self.bias)
        if self.optional:
            value = self.affine_if_any(value, weight)
        elif self.weighted:
            factor = w.binary("+", Text(w.pick("1", "1.0")), weight, swap=True) if self.offset else weight
            factor = w.cast(factor, w.float32()) if self.all_float32 and w.chance(0.6) else factor
            factor = w.let(factor, "factor", "gain", p=w.split / 3)
            value = w.update("*", w.let(value, "n", "normed"), factor, swap=True)
        if self.biased:
            value = w.let(value, "n", "scaled", over=w.own(value))
            addend = w.cast(bias, w.float32()) if self.all_float32 and w.chance(0.6) else bias
            value = w.update("+", value, addend, swap=True)
        return value

    def affine_if_any(self, value, weight):
        """The weight, if it is not None."""
        w = self.w
        w.tag("optional weight")
        value = w.named(value, "n", "normed", "y")
        change = w.binary("*", value, weight, swap=True)
        if w.chance(0.5):
            return Text(f"{value.text} if {weight.text} is None else {change.text}", LOW)
        w.emit(f"if {weight.text} is not None:\n    {value.text} = {change.text}")
        return value

    # What it stands in

    def module(self):
        """A class whose weights are made in `__init__`."""
        w = self.w
        w.tag("class")
        dims = w.pick("dims", "dim", "hidden_size")
        w.names.add(dims)
        shape = w.pick(f"({dims},)", f"({dims},)", dims, f"[{dims}]")
        note = ": " + w.mx("array") if w.chance(0.4) else ""
        call = w.definition("__call__", f"self, {self.x}{note}", ["self", self.x], self.body, arrays=[self.x])
        eps_parameter = self.eps_kind == "attribute" and w.chance(0.7)
        init = ["super().__init__()", f"self.{self.weight} = {w.mx('zeros' if self.offset else 'ones')}({shape})"]
        if self.biased:
            init.append(f"self.{self.bias} = {w.mx('zeros')}({shape})")
        if self.eps_kind == "attribute":
            init.append(f"{self.eps.text} = {'eps' if eps_parameter else self.eps_value}")
        signature = f"self, {dims}{w.pick(': int', ': int', '')}"
        if eps_parameter:
            signature += f", eps{w.pick(': float = ', ': float = ', '=')}{self.eps_value}"
        lines = [f"def __init__({signature}):", *indented(init), "", *w.members, *call]
        return [f"class Subject({w.nn()}.Module):", *indented(lines)], lambda data: ((D,), (data.rows(*self.shape),)), []

    def function(self):
        """A function whose parameters are the array and the weights."""
        w = self.w
        parameters = [self.x] + [self.weight] * self.weighted + [self.bias] * self.biased + [self.eps_name] * (self.eps_kind == "parameter")
        annotated = {p for p in parameters if w.chance(0.5)}
        if w.chance(0.15):
            w.rng.shuffle(parameters)
        default = {self.eps_name: repr(self.eps_value)} if self.eps_kind == "parameter" and w.chance(0.5) else {}
        parameters.sort(key=lambda p: p in default)
        notes = {p: "float" if p == self.eps_name else w.mx("array") for p in annotated}
        lines = w.definition("subject", w.signature(parameters, notes, default), parameters, self.body, arrays=[self.x])
        values = {self.x: lambda data: data.rows(*self.shape), self.eps_name: lambda data: self.eps_value}
        values |= {p: lambda data: data.vector(D) for p in (self.weight, self.bias)}
        passed = [p for p in parameters if p not in default]

        def given(**change):
            return lambda data: tuple((values | change)[p](data) for p in passed)

        shapes = [(), (1,), (1, D), (2, 1, D), (*self.shape[:-1], 1), (3, 1, 1, 1, 1, D)]
        hostile = [given(**{self.x: lambda data, n=n: data.others[n].rows(*self.shape)}) for n in (0, 1)]
        hostile += [given(**{self.x: lambda data, s=s: data.rows(*s)}) for s in [(1,), (3, 1), (0, D), (2, 0)]]
        if self.x not in annotated:
            hostile.append(given(**{self.x: lambda data: data.numpy(*self.shape)}))
        for p in [self.weight] * self.weighted + [self.bias] * self.biased:
            hostile += [given(**{p: lambda data, s=s: data.vector(*s)}) for s in shapes]
            hostile += [given(**{p: lambda data, n=n: data.others[n].vector(D)}) for n in (0, 1)]
            if p not in annotated:
                hostile += [given(**{p: lambda data: 0.5}), given(**{p: lambda data: data.numpy(D)})]
        return lines, given(), hostile


RMS = Rule(lambda w, **options: written_norm(w, "rms-norm", **options), RMS_TWISTS, RMS_TRAPS, parts=RMS_PARTS, mixed=True)
LAYER = Rule(lambda w, **options: written_norm(w, "layer-norm", **options), LAYER_TWISTS, LAYER_TRAPS, parts=LAYER_PARTS, mixed=True)
