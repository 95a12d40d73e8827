"""Draws spellings of operations between an array and an array that holds one number."""

from spell_writer import ATOM, Text, at
from spelling import NARROWING, Rule, Spelling

SHAPE = (5, 8)
TWISTS = [
    "whole number", "explicit dtype", "own dtype", "a list", "returned", "compared", "cast", "its shape", "too small", "too large", "number",
    "float32 beside it", "in a list", "aliased",
]  # fmt: skip
# Numbers that half precision holds, as people write them.
CONSTANTS = ["2.0", "0.5", "1.0", "0.25", "3.0", "-1.0", "1.5", "2.", "1 / 8", "2**-3", ".5", "4 * 0.5"]
OPERATORS = ["*", "*", "*", "+", "+", "-", "/", "swapped -", "maximum", "minimum", "where", "where not"]
TRAPS = """
# --- parameter of a module: (5, 8) (class)
class Subject(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = mx.array(0.5)

    def __call__(self, x):
        return x * self.scale

# --- read by an inner function: (5, 8)
def subject(x: mx.array):
    scale = mx.array(0.5)
    def shape():
        return scale.shape
    return x * scale, shape()

# --- one path only: (5, 8)
def subject(x: mx.array):
    scale = mx.array(0.5)
    if x.shape[0] > 3:
        scale = scale + x.mean()
    return x * scale

# --- changed in place: (5, 8)
def subject(x: mx.array):
    scale = mx.array(0.5)
    scale += 1
    return x * scale, scale

# --- in a loop: (5, 8)
def subject(x: mx.array):
    total = mx.array(0.0)
    for row in x:
        total = total + row
    return total

# --- of two numbers: 3.0 (hostile)
def subject(n):
    return mx.array(2.0) * n

# --- another one, returned: (5, 8)
def subject(x: mx.array):
    return x * mx.array(0.5), mx.array(0.5)

# --- indices: (5, 8)
def subject(x: mx.array):
    indices = mx.argmax(x, axis=-1)
    return mx.where(indices > 3, indices, mx.array(-1))

# --- shape by broadcasting: (5, 8)
def subject(x: mx.array):
    ones = mx.broadcast_to(mx.array(1.0), x.shape)
    return ones * 2

# --- in a dictionary: (5, 8)
def subject(x: mx.array):
    kept = {"scale": mx.array(0.5)}
    return x * kept["scale"], kept["scale"].dtype == mx.float32

# --- by name of a method: (5, 8)
def subject(x: mx.array):
    scale = mx.array(0.5)
    return (x * scale).astype(scale.dtype)

# --- both: (5, 8)
def subject(x: mx.array):
    return mx.where(x > 0, mx.array(1.0), mx.array(0.0))

# --- as a power: (5, 8)
def subject(x: mx.array):
    return mx.power(mx.array(2.0), mx.array(3.0)) + x.shape[0]
"""


def written_scalar(w, twist=None, between=None):
    """A few operations with numbers in a function or a method."""
    return Scalar(w, twist, between).spelling()


class Scalar:
    """What was chosen, and how it is written from that."""

    def __init__(self, w, twist, between):
        self.w, self.twist, self.disturb = w, twist, between
        self.in_class = w.chance(0.25)
        self.steps = w.pick(1, 1, 2, 3)
        self.x = w.pick("x", "h", "hidden", "scores")
        self.twisted = w.rng.randrange(self.steps) if twist else None
        self.extra = []

    def spelling(self):
        """The text and its arguments."""
        w = self.w
        parameters = [self.x, *["n"] * (self.twist == "number")]
        w.names |= {"mask", "n"}
        notes = {self.x: w.mx("array")} if w.chance(0.7) else {}
        notes |= {"n": "float"} if self.twist == "number" else {}
        signature = w.signature(parameters, notes, {})
        if self.in_class:
            call = w.definition("__call__", f"self, {signature}", ["self", *parameters], self.body, arrays=[self.x])
            lines = [f"class Subject({w.nn()}.Module):", *["    " + line for line in [*w.members, *call]]]
        else:
            lines = w.definition("subject", signature, parameters, self.body, arrays=[self.x])

        def arguments(data, shape=SHAPE):
            values = (data.rows(*shape), *[3.0] * (self.twist == "number"))
            return ((), values) if self.in_class else values

        hostile = [lambda data, shape=shape: arguments(data, shape) for shape in [(), (0, 8), (8,)]]
        text = w.file(lines)
        return Spelling(text, arguments, (), ("array(",), False, hostile, w.tags, self.twist)

    def body(self):
        """Writes the statements and gives the result."""
        w = self.w
        w.scope.arrays = [self.x]
        if self.twist or self.disturb:
            value = self.compute(Text(self.x))
        else:
            value = w.helper(("scaled", "_scale", "act"), [("x", Text(self.x))], self.compute, self.in_class)
        return Text(", ".join([value.text, *self.extra])) if self.extra else value

    def compute(self, value):
        """The operations, one after the other."""
        w = self.w
        if self.twist == "float32 beside it":
            value = w.named(w.cast(value, w.mx("float32")), "wide")
        if self.twist == "aliased":
            w.emit(f"same = {self.x}")
            value = Text("same")
        for step in range(self.steps):
            number = self.number(w.pick(*CONSTANTS), step)
            value = w.let(self.step(value, number, step), "h", "scaled", "z", over=w.own(value))
            if step == 0 and self.disturb:
                value = self.disturb(w, Text(self.x), value)
        return value

    def number(self, constant, step):
        """The array that holds the number, or what a near miss has in its place."""
        w, twist = self.w, self.twist if step == self.twisted else None
        more = {"explicit dtype": f", {w.mx('float32')}", "own dtype": f", {self.x}.dtype"}.get(twist, "")
        constant = {"whole number": "2", "a list": f"[{constant}]", "too small": "1e-8", "too large": "-1e9"}.get(twist, constant)
        number = Text(f"{w.mx('array')}({constant}{more})")
        if twist == "cast":
            number = Text(f"{number.text}.astype({self.x}.dtype)")
        if twist in ("returned", "its shape", "in a list"):
            number = w.named(number, "c", "scale")
            self.extra.append({"returned": number.text, "its shape": f"{number.text}.shape", "in a list": f"[{number.text}]"}[twist])
            return number
        return w.let(number, "c", "scale", "half", p=w.split / 2)

    def step(self, value, number, step):
        """One operation between the two."""
        w, twist = self.w, self.twist if step == self.twisted else None
        if twist == "compared":
            return Text(f"({at(value, ATOM)} > {number.text}).astype({self.x}.dtype)")
        if twist == "number":
            return w.binary("*", number, Text("n"))
        if twist == "aliased":
            value = w.named(value, "same")
            w.emit(f"{value.text} *= {number.text}")
            self.extra.append(self.x)
            return value
        op = w.pick(*OPERATORS)
        w.tag(f"op {op}" if op not in "*+" else "")
        if op in ("maximum", "minimum"):
            return w.call(op, *(w.pick((value, number), (number, value))))
        if op.startswith("where"):
            value = w.shared(value, "h", "z")
            condition = f"{at(value, ATOM)} > 0"
            return w.call("where", condition, *((value, number) if op == "where" else (number, value)))
        if op == "swapped -":
            return w.binary("-", number, value)
        return w.binary(op, value, number, swap=op in "*+")


PARTS = {
    "core": "x * mx.array(0.5)",
    "core_np": "x * np.float32(0.5)",
    "core_bare": "x * array(0.5)",
    "stat": "s = mx.array(0.5)",
    "stat_expr": "x * mx.array(0.5)",
    "from_stat": "x * s",
}
RULE = Rule(written_scalar, TWISTS, TRAPS, parts=PARTS, modes=NARROWING, large=30.0, narrowing=True)
