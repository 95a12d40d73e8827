"""A matrix product to which something is added, as a `Writer` draws it."""

from spell_writer import ATOM, TIMES, Text, at, indented, is_name
from spelling import Rule, Spelling

D = 64  # the length of the axis that is summed over

TWISTS = [
    "c reshaped larger", "number", "numpy", "integers", "wider", "elementwise", "cast between", "activated", "product returned",
    "product twice", "subtracted", "multiplied",
]  # fmt: skip
PARTS = {
    "core": "x @ x.T + x",
    "core_np": "np.asarray(x) @ np.asarray(x) + np.ones(8)",
    "core_bare": "softmax(x) @ x + x",
    "stat": "s = x @ x.T",
    "stat_expr": "x @ x.T",
    "from_stat": "s + x",
}
TRAPS = """
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
"""


def written_addmm(w, twist=None, between=None):
    """A product and a sum in a function or a module."""
    return Sum(w, twist, between).spelling()


class Sum:
    """One sum: what was chosen for it, and how it is written from that."""

    def __init__(self, w, twist, between):
        self.w, self.twist, self.disturb = w, twist, between
        self.in_class = w.chance(0.25) and twist is None
        self.optional = w.chance(0.2) and twist is None and between is None
        self.chained = w.chance(0.1) and twist is None and between is None
        w.tag("optional" if self.optional else "")
        w.tag("chained" if self.chained else "")
        forms = [((5, D), (D, 8), (5, 8)), ((2, 5, D), (D, 8), (2, 5, 8))]
        if not self.in_class and not twist:
            forms += [((2, 5, D), (2, D, 8), (2, 5, 8)), ((D,), (D, 8), (8,)), ((3, D), (D,), (3,))]
        self.a_shape, self.b_shape, product = w.pick(*forms)
        shapes = [product, product[-1:], product[-1:]]
        if len(product) > 1:
            shapes += [(*product[:-1], 1), (1,) * (len(product) - 1) + product[-1:]]
        self.c_shape = product[-1:] if self.in_class else w.pick(*shapes)
        self.larger = [(), (1,), (3, *product), (1, *product), (1, 1, 1, 1)]
        self.names = w.pick(("a", "b", "c"), ("x", "w", "b"), ("x", "weight", "bias"), ("lhs", "rhs", "addend"), ("h", "proj", "residual"))
        self.transposed = len(self.b_shape) == 2 and w.chance(0.3)
        if self.transposed:
            self.b_shape = self.b_shape[::-1]

    def spelling(self):
        """The text and its arguments."""
        lines, arguments, hostile = self.module() if self.in_class else self.function()
        if self.twist == "c reshaped larger":  # an unsafe edit assumes that it is not
            hostile, arguments = [arguments], None
        gone = () if self.optional else (" @ ", "matmul")  # without a bias the product alone is left
        return Spelling(self.w.file(lines), arguments, ("addmm(",), gone, False, hostile, self.w.tags, self.twist)

    def body(self):
        """Writes the statements and gives the result."""
        w = self.w
        a, b, c = self.names
        w.scope.arrays = [a]
        prefix = "self." if self.in_class else ""
        parts = [("a", Text(a)), ("b", Text(prefix + b)), ("c", Text(prefix + c))]
        if self.twist:
            return self.compute(*[part for _, part in parts])
        s = w.helper(("linear", "_affine", "project"), parts, self.compute, self.in_class)
        if w.chance(0.2):
            s = w.call(w.pick("maximum", "minimum"), w.let(s, "z", "y", over=w.own(s)), "0")
        return s

    def compute(self, left, right, addend):
        """The product and the sum."""
        w, twist = self.w, self.twist
        right = w.let(self.turned(right), "wt", "b_t", p=w.split / 2) if self.transposed else right
        left, right, addend = self.twisted(left, right, addend)
        if w.chance(0.15) and twist is None:
            left = w.let(w.binary("*", left, Text("2.0"), swap=True), "scaled", p=1.0 if self.optional and w.scope.statements else None)
        if twist == "elementwise":
            m = Text(f"{at(left, TIMES)} * {at(right, TIMES)}[:, 0]", TIMES)
        else:
            m = w.binary("@", left, right, function=0.3)
        m = w.let(m, "y", "out", "product", "xw", over=w.own(left))
        m = self.disturb(w, m) if self.disturb else m
        if twist == "cast between":
            m = w.cast(m, w.mx(w.pick("float32", "float16")))
        if twist == "activated":
            m = w.call(w.pick("tanh", "abs", "exp"), m)
        if twist in ("product returned", "product twice"):
            m = w.named(m, "y")
        if twist in ("subtracted", "multiplied"):
            return w.binary("-" if twist == "subtracted" else "*", m, addend)
        if self.optional and is_name(addend):
            return self.perhaps(m, addend)
        s = w.update("+", m, addend, swap=True)
        if self.chained:
            s = w.binary("+", s, addend)
        if twist == "product returned":
            return Text(f"{w.named(s, 'z').text}, {m.text}")
        return Text(f"({s.text}) * {m.text}", TIMES) if twist == "product twice" else s

    def perhaps(self, m, addend):
        """The sum, where there is something to add."""
        w = self.w
        if not w.scope.statements or w.chance(0.4):
            m = w.named(m, "y", "out") if w.scope.statements else m
            added = w.binary("+", m, addend, swap=True).text
            either = w.pick(f"{m.text} if {addend.text} is None else {added}", f"{added} if {addend.text} is not None else {m.text}")
            return Text(f"({either})")
        m = w.named(m, "y", "out")
        added = w.pick(f"{m.text} = {w.binary('+', m, addend, swap=True).text}", f"{m.text} += {addend.text}")
        w.emit(f"if {addend.text} is not None:\n    {added}")
        return m

    def turned(self, b):
        """The transpose of a matrix."""
        w = self.w
        return w.one_of(
            (3, lambda: Text(f"{at(b, ATOM)}.T")),
            (1, lambda: Text(f"{at(b, ATOM)}.transpose({w.pick('', '1, 0')})")),
            (1, lambda: Text(f"{at(b, ATOM)}.swapaxes(0, 1)")),
            (1, lambda: w.call("transpose", b, *w.pick([], ["(1, 0)"]))),
        )

    def twisted(self, left, right, addend):
        """What a near miss does to the operands."""
        w, twist = self.w, self.twist
        if twist == "c reshaped larger":
            addend = w.pick(Text(f"{at(addend, ATOM)}[None, None, None]"), w.call("expand_dims", addend, "(0, 1, 2)"))
        if twist == "number":
            addend = Text(w.pick("1.0", "1e-5", "3", "float(2)", f"{self.names[0]}.shape[0]", "len('abc')", "1 / 3"), TIMES)
        if twist == "numpy":
            w.imports.add("import numpy as np")
            addend = Text(w.pick("np.float32(1.5)", "np.ones(8)", "np.zeros((1, 8), np.float32)"))
        if twist == "integers":
            left, right = w.cast(left, w.mx("int32")), w.cast(right, w.mx("int32"))
        if twist == "wider":
            left, right, addend = w.cast(left, w.mx("float16")), w.cast(right, w.mx("float16")), w.cast(addend, w.mx("float32"))
        return left, right, addend

    def module(self):
        """A layer with a weight and a bias."""
        w = self.w
        a, b, c = self.names
        w.tag("class")
        shape = "outputs, inputs" if self.transposed else "inputs, outputs"
        signature = w.signature(["self", a], {a: w.mx("array")} if w.chance(0.5) else {}, {})
        call = w.definition("__call__", signature, ["self", a], self.body, arrays=[a])
        init = ["super().__init__()", f"self.{b} = {w.mx('zeros')}(({shape}))", f"self.{c} = {w.mx('zeros')}({w.pick('(outputs,)', 'outputs')})"]
        lines = ["def __init__(self, inputs: int, outputs: int):", *indented(init), "", *w.members, *call]
        return [f"class Subject({w.nn()}.Module):", *indented(lines)], lambda data: ((D, 8), (data.rows(*self.a_shape),)), []

    def function(self):
        """A function of three arrays."""
        w = self.w
        a, b, c = self.names
        order = [a, b, c]
        if w.chance(0.3):
            w.rng.shuffle(order)
        annotated = {p: w.mx("array") for p in order if w.chance(0.5)}
        lines = w.definition("subject", w.signature(order, annotated, {}), order, self.body, arrays=[a])
        values = {
            a: lambda data: data.rows(*self.a_shape),
            b: lambda data: data.rows(*self.b_shape, size=0.2),
            c: lambda data: data.rows(*self.c_shape),
        }

        def given(**change):
            return lambda data: tuple((values | change)[p](data) for p in order)

        hostile = [given(**{c: lambda data, s=s: data.rows(*s)}) for s in self.larger]
        hostile += [given(**{c: lambda data, n=n: data.others[n].rows(*self.c_shape)}) for n in (0, 1)]
        hostile += [given(**{c: lambda data: data.integers(self.c_shape)}), given(**{c: lambda data: data.truth(self.c_shape)})]
        if c not in annotated:
            hostile += [given(**{c: lambda data: 0.5}), given(**{c: lambda data: data.numpy(*self.c_shape)})]
        if a not in annotated and b not in annotated:
            hostile.append(given(**{a: lambda data: data.numpy(*self.a_shape), b: lambda data: data.numpy(*self.b_shape)}))
        return lines, given(), hostile


INAPT = ("integers", "integers by constructor", "truth")  # no matrix product takes integers

RULE = Rule(written_addmm, TWISTS, TRAPS, inapt=INAPT, parts=PARTS, large=20.0)
