"""A softmax in float32 that is cast back, as a `Writer` draws it."""

import mlx.core as mx
from spell_writer import ATOM, TIMES, Text, at, indented, is_name
from spelling import Rule, Spelling

TWISTS = [
    "dtype too late", "down, not up", "scaled in float32", "shifted in place", "logsumexp", "sigmoid", "exponentials",
    "nn.log_softmax", "chosen before the cast", "float32 returned", "not cast back", "other dtype",
]  # fmt: skip
PARTS = {
    "core": "mx.softmax(x.astype(mx.float32), axis=-1).astype(x.dtype)",
    "core_np": "np.exp(x.astype(mx.float32)) / np.exp(x.astype(mx.float32)).sum()",
    "core_bare": "softmax(x.astype(mx.float32), axis=-1).astype(x.dtype)",
    "stat": "s = x.astype(mx.float32)",
    "stat_expr": "mx.softmax(x.astype(mx.float32), axis=-1).astype(x.dtype)",
    "from_stat": "mx.softmax(s, axis=-1).astype(x.dtype) * x",
}
TRAPS = """
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
"""


def written_softmax(w, twist=None, between=None):
    """A softmax in a function or a method."""
    return Softmax(w, twist, between).spelling()


class Softmax:
    """One softmax: what was chosen for it, and how it is written from that."""

    def __init__(self, w, twist, between):
        self.w, self.twist, self.disturb = w, twist, between
        self.in_class = w.chance(0.15)
        self.shape = w.pick((5, 33), (2, 3, 17)) if twist else w.pick((33,), (5, 33), (2, 3, 17), (2, 4, 9, 9), (0, 4))
        self.x = w.pick("x", "logits", "scores", "s", "gates")
        several = ["axis=(0, -1)", "axis=1", "-2"] if len(self.shape) > 1 else []
        every = f"axis={tuple(range(len(self.shape)))}"
        self.axis = w.pick(*["axis=-1"] * 4, *["-1"] * 2, "axis=0", "axis=(-1,)", "axis=[-1]", every, "", "", "axis=axis", "axis", *several)
        self.axis_value = w.pick(-1, 0) if self.axis in ("axis=axis", "axis") else None
        w.tag(f"axis {self.axis.removeprefix('axis=')}" if self.axis not in ("axis=-1", "-1") else "")
        self.before = w.pick("nothing", "nothing", "divided", "taken", "added")
        self.temperature = w.pick("temperature", "0.7") if self.before == "divided" else None
        self.to = "own"
        if self.before == "taken":
            self.to = w.pick("own", "own", "own", "own", "parent")
        elif w.chance(0.08):
            self.to = "parameter"
        w.tag(f"to {self.to}" if self.to != "own" else "")

    def spelling(self):
        """The text and its arguments."""
        w = self.w
        annotated = w.chance(0.6)
        parameters = [self.x] + ["axis"] * (self.axis_value is not None) + ["temperature"] * (self.temperature == "temperature")
        parameters += ["dtype"] * (self.to == "parameter")
        w.names |= {"axis", "temperature", "dtype"}
        signature = w.signature(parameters, {self.x: w.mx("array")} if annotated else {}, {})
        if self.in_class:
            call = w.definition("__call__", f"self, {signature}", ["self", *parameters], self.body, arrays=[self.x])
            lines = [f"class Subject({w.nn()}.Module):", *indented([*w.members, *call])]
        else:
            lines = w.definition("subject", signature, parameters, self.body, arrays=[self.x])

        def given(*shape, dtype=lambda data: data.dtype):
            values = {self.x: lambda data: data.rows(*shape), "axis": lambda data: self.axis_value, "temperature": lambda data: 0.5, "dtype": dtype}

            def arguments(data):
                passed = tuple(values[p](data) for p in parameters)
                return ((), passed) if self.in_class else passed

            return arguments

        hostile = [given(4), given(3, 0)]
        if self.to == "parameter":
            hostile += [given(*self.shape, dtype=lambda data, n=n: data.others[n].dtype) for n in (0, 1)]
            hostile.append(given(*self.shape, dtype=lambda data: mx.int32))
        text = w.file(lines)
        return Spelling(text, given(*self.shape), ("precise=True",), ("float32)",), True, hostile, w.tags, self.twist)

    def body(self):
        """Writes the statements and gives the result."""
        w, value = self.w, Text(self.x)
        w.scope.arrays = [self.x]
        if self.before == "divided":
            value = w.let(w.binary("/", value, Text(self.temperature), function=0), "scaled", "z", over=[self.x])
        elif self.before == "added":
            value = w.let(w.binary("+", value, Text("1.5"), swap=True), "z", "shifted", over=[self.x])
        elif self.before == "taken":
            value = w.let(Text(f"{self.x}[..., :-1]"), "part", "z")
        if self.axis_value is not None or self.before == "divided" or self.to != "own" or self.twist:
            return self.compute(value)
        return w.helper(("softmax32", "_softmax", "stable"), [("x", value)], self.compute, self.in_class)

    def compute(self, value):
        """The two casts and the softmax between them."""
        w, twist = self.w, self.twist
        value = w.shared(value, "z", "operand")
        dtype, dead = f"{at(value, ATOM)}.dtype", []
        if self.to != "own":
            dtype = f"{self.x}.dtype" if self.to == "parent" else "dtype"
        elif twist == "dtype too late":
            value = w.named(w.cast(value, w.float32()), "v32")
            dtype = f"{value.text}.dtype"
        elif w.scope.statements and w.chance(0.4) and not value.text.startswith("\0"):
            dtype = w.fresh("t", "dtype_", "orig_dtype")
            w.emit(f"{dtype} = {at(value, ATOM)}.dtype")
            dead = [value.text] if value.text in w.scope.own | {self.x} else []
        wide = w.mx(w.pick("float16", "bfloat16")) if twist == "down, not up" else w.float32()
        up = w.let(w.cast(value, wide), "up", "v32", "upcast", over=dead)
        p = self.softmax(self.disturb(w, up) if self.disturb else up)
        if twist == "float32 returned":
            p = w.named(p, "p")
            return Text(f"{w.cast(p, dtype).text}, {p.text}")
        if twist == "not cast back":
            return p
        if twist == "other dtype":
            dtype = w.mx(w.pick("float16", "bfloat16", "float32", "int32"))
        p = w.cast(p, dtype)
        return w.let(p, "p", "probs", p=w.split / 2, over=w.own(p))

    def softmax(self, up):
        """The softmax, or what a near miss has in its place."""
        w, twist = self.w, self.twist
        if twist == "scaled in float32":
            up = w.binary(w.pick("*", "/", "+"), up, Text("0.7"))
        if twist == "shifted in place":
            up = w.named(up, "up")
            w.emit(w.pick(f"{up.text} -= {up.text}.max()", f"{up.text} *= 0.7", f"{up.text}[..., 0] = 0"))
        if twist == "exponentials":
            up = w.named(up, "up")
            p = Text(f"{w.mx('exp')}({up.text}) / {w.mx('exp')}({up.text}).sum()", TIMES)
        elif twist == "nn.log_softmax":
            p = Text(f"{w.nn()}.log_softmax({up.text}{w.pick(', axis=-1', '')})")
        elif twist is None and self.axis in ("axis=-1", "-1") and w.module and w.chance(0.15):
            w.tag("nn.softmax")
            p = Text(f"{w.nn()}.softmax({up.text}{w.pick(', axis=-1', ', -1', '')})")
        elif twist == "sigmoid":
            p = w.call("sigmoid", up)
        else:
            p = w.call("logsumexp" if twist == "logsumexp" else "softmax", up, *[self.axis] * bool(self.axis))
        p = w.let(p, "p", "probs", "weights", over=w.own(up) if is_name(up) else [])
        if twist == "chosen before the cast":
            p = Text(f"{at(p, ATOM)}{w.pick('[..., :2]', '.max(axis=-1)', ' * 2')}", TIMES)
        return p


RULE = Rule(written_softmax, TWISTS, TRAPS, parts=PARTS)
