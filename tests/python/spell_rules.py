"""The computations that the rules recognise, written as a `Writer` draws them.

One function per rule gives a `Spelling`. Each takes a twist, too: the name of one change after which the computation is another one, for the
near misses. A spelling without a twist uses only what the rule file documents.
"""

from spell_attention import written_attention
from spell_norms import D, written_norm
from spell_writer import ATOM, TIMES, Text, Writer, at, is_name
from spelling import Spelling



# Precise softmax


def written_softmax(w, twist=None, between=None):
    """A softmax in float32 that is cast back."""
    in_class = w.chance(0.15)
    shape = w.pick((33,), (5, 33), (2, 3, 17), (2, 4, 9, 9), (0, 4))
    if twist:
        shape = w.pick((5, 33), (2, 3, 17))
    x = w.pick("x", "logits", "scores", "s", "gates")
    axes = ["axis=-1"] * 4 + ["-1"] * 2 + ["axis=0", "axis=(-1,)", "axis=[-1]", f"axis={tuple(range(len(shape)))}", "", "", "axis"]
    if len(shape) > 1:
        axes += ["axis=(0, -1)", "axis=1", "-2"]
    axis = w.rng.choice(axes)
    axis_parameter = axis == "axis"
    axis = w.pick("axis=axis", "axis") if axis_parameter else axis
    before = w.pick("nothing", "nothing", "divided", "taken", "added")
    temperature = w.pick("temperature", "0.7") if before == "divided" else None
    to = w.pick("own", "own", "own", "own", "parent") if before == "taken" else "own"
    if before != "taken" and w.chance(0.08):
        to = "parameter"
    w.tag(f"axis {axis}" if axis not in ("axis=-1", "-1") else "")
    w.tag(f"to {to}" if to != "own" else "")

    def body():
        w.scope.arrays = [x]
        value = Text(x)
        if before == "divided":
            value = w.let(w.binary("/", value, Text(temperature), function=0), "scaled", "z", over=[x])
        elif before == "added":
            value = w.let(w.binary("+", value, Text("1.5"), swap=True), "z", "shifted", over=[x])
        elif before == "taken":
            value = w.let(Text(f"{x}[..., :-1]"), "part", "z")

        def compute(v):
            if w.scope.statements or is_name(v):
                v = v if is_name(v) else w.shared(v, "z", "operand")
            dtype, dead = f"{at(v, ATOM)}.dtype", []
            if to == "parent":
                dtype = f"{x}.dtype"
            elif to == "parameter":
                dtype = "dtype"
            if twist == "dtype too late":
                v = w.named(w.cast(v, w.float32()), "v32")
                dtype = f"{v.text}.dtype"
            elif w.scope.statements and w.chance(0.4) and to != "parameter" and not v.text.startswith("\0"):
                name = w.fresh("t", "dtype_", "orig_dtype")
                w.emit(f"{name} = {dtype}")
                dtype, dead = name, [v.text] if is_name(v) and v.text in w.scope.own | {x} else []
            up = w.cast(v, w.float32() if twist != "down, not up" else w.mx(w.pick("float16", "bfloat16")))
            up = w.let(up, "up", "v32", "upcast", over=dead)
            if between:
                up = between(w, up)
            if twist == "scaled in float32":
                up = w.binary(w.pick("*", "/", "+"), up, Text("0.7"))
            if twist == "shifted in place":
                up = w.named(up, "up")
                w.emit(w.pick(f"{up.text} -= {up.text}.max()", f"{up.text} *= 0.7", f"{up.text}[..., 0] = 0"))
            function = {"logsumexp": "logsumexp", "sigmoid": "sigmoid"}.get(twist, "softmax")
            given = [] if function == "sigmoid" else [axis] if axis else []
            p = w.call(function, up, *given)
            if twist == "exponentials":
                up = w.named(up, "up")
                p = Text(f"{w.mx('exp')}({up.text}) / {w.mx('exp')}({up.text}).sum()", TIMES)
            if twist in ("nn.softmax", "nn.log_softmax"):
                p = Text(f"{w.nn()}.{twist[3:]}({up.text}{', axis=-1' if w.chance(0.7) else ''})")
            p = w.let(p, "p", "probs", "weights", over=[up.text] if up.text in w.scope.own else [])
            if twist == "chosen before the cast":
                p = Text(f"{at(p, ATOM)}{w.pick('[..., :2]', '.max(axis=-1)', ' * 2')}", TIMES)
            if twist == "float32 returned":
                p = w.named(p, "p")
                return Text(f"{w.cast(p, dtype).text}, {p.text}")
            if twist == "not cast back":
                return p
            if twist == "other dtype":
                dtype = w.mx(w.pick("float16", "bfloat16", "float32"))
            p = w.cast(p, dtype)
            return w.let(p, "p", "probs", p=w.split / 2, over=[p.text] if p.text in w.scope.own else [])

        if axis_parameter or before == "divided" or to != "own" or twist:
            return compute(value)
        return w.helper(("softmax32", "_softmax", "stable"), [("x", value)], compute, in_class)

    array = w.mx("array")
    annotated = w.chance(0.6)
    parameters = [x + (f": {array}" if annotated else "")] + ["axis"] * axis_parameter + ["temperature"] * (temperature == "temperature") + ["dtype"] * (to == "parameter")
    w.names |= {"axis", "temperature", "dtype"}
    taken = [x, "axis", "temperature", "dtype"]
    if in_class:
        call = w.definition("__call__", ", ".join(["self", *parameters]), ["self", *taken], body, arrays=[x])
        lines = [f"class Subject({w.nn()}.Module):", *("    " + line if line else "" for line in [*w.members, *call])]
    else:
        lines = w.definition("subject", ", ".join(parameters), taken, body, arrays=[x])

    def given(make):
        def arguments(data):
            values = (make(data),) + ((w_axis,) if axis_parameter else ()) + ((0.5,) if temperature == "temperature" else ()) + ((data.dtype,) if to == "parameter" else ())
            return ((), values) if in_class else values
        return arguments

    w_axis = w.pick(-1, 0)
    hostile = [given(lambda data: data.rows(4)), given(lambda data: data.rows(3, 0))]
    if to == "parameter":
        hostile.append(lambda data: tuple(data.other.dtype if a is data.dtype else a for a in given(lambda d: d.rows(*shape))(data)))
    return Spelling("precise-softmax", w.file(lines), given(lambda data: data.rows(*shape)), ("precise=True",), ("float32)",), True, hostile, w.tags, twist)


# Products and sums


def written_addmm(w, twist=None, between=None):
    """A matrix product to which something is added."""
    in_class = w.chance(0.25) and twist is None
    forms = [((5, D), (D, 8)), ((2, 5, D), (D, 8)), ((2, 5, D), (2, D, 8)), ((D,), (D, 8)), ((3, D), (D,))]
    sa, sb = w.rng.choice(forms[:2] if in_class or twist else forms)
    product = (5, 8) if sa == (5, D) else (2, 5, 8) if len(sa) == 3 else (8,) if sa == (D,) else (3,)
    options = [product, product[-1:], product[-1:]]
    if len(product) > 1:
        options += [(*product[:-1], 1), (1,) * (len(product) - 1) + product[-1:]]
    sc = product[-1:] if in_class else w.rng.choice(options)
    a, b, c = w.pick(("a", "b", "c"), ("x", "w", "b"), ("x", "weight", "bias"), ("lhs", "rhs", "addend"), ("h", "proj", "residual"))
    transposed = len(sb) == 2 and w.chance(0.3)

    def body():
        w.scope.arrays = [a]
        own = lambda e: [e.text] if e.text in w.scope.own else []
        left, right, addend = Text(a), Text(f"self.{b}" if in_class else b), Text(f"self.{c}" if in_class else c)

        def compute(left, right, addend):
            if transposed:
                right = w.one_of(
                    (3, lambda: Text(f"{at(right, ATOM)}.T")),
                    lambda: Text(f"{at(right, ATOM)}.transpose({w.pick('', '1, 0')})"),
                    lambda: Text(f"{at(right, ATOM)}.swapaxes(0, 1)"),
                    lambda: w.call("transpose", right, *w.pick([], ["(1, 0)"])),
                )
                right = w.let(right, "wt", "b_t", p=w.split / 2)
            if twist == "c reshaped larger":
                addend = w.pick(Text(f"{at(addend, ATOM)}[None, None, None]"), w.call("expand_dims", addend, "(0, 1, 2)"), Text(f"{w.mx('zeros')}((3, 1, 1, 1, 8))"))
            if twist == "number":
                addend = Text(w.pick("1.0", "1e-5", "3", "float(2)", f"{a}.shape[0]", "len('abc')", "1 / 3"), TIMES)
            if twist == "numpy":
                w.imports.add("import numpy as np")
                addend = Text(w.pick("np.float32(1.5)", "np.ones(8)", "np.zeros((1, 8), np.float32)"))
            if twist == "integers":
                left, right = w.cast(left, w.mx("int32")), w.cast(right, w.mx("int32"))
            if twist == "wider":
                addend = w.cast(addend, w.mx("float32"))
                left, right = w.cast(left, w.mx("float16")), w.cast(right, w.mx("float16"))
            if w.chance(0.15) and twist is None:
                left = w.let(w.binary("*", left, Text("2.0"), swap=True), "scaled", over=[])
            m = Text(f"{at(left, TIMES)} * {at(right, TIMES)}[:, 0]", TIMES) if twist == "elementwise" else w.binary("@", left, right, function=0.3)
            m = w.let(m, "y", "out", "product", "xw", over=own(left))
            if between:
                m = between(w, m)
            if twist == "cast between":
                m = w.cast(m, w.mx(w.pick("float32", "float16")))
            if twist == "activated":
                m = w.call(w.pick("tanh", "abs", "exp"), m)
            if twist in ("product returned", "product twice"):
                m = w.named(m, "y")
            if twist == "subtracted":
                return w.binary("-", m, addend)
            if twist == "multiplied":
                return w.binary("*", m, addend)
            s = w.update("+", m, addend, swap=True)
            if twist == "product returned":
                return Text(f"{w.named(s, 'z').text}, {m.text}")
            if twist == "product twice":
                return Text(f"({s.text}) * {m.text}", TIMES)
            return s

        s = w.helper(("linear", "_affine", "project"), [("a", left), ("b", right), ("c", addend)], compute, in_class) if twist is None else compute(left, right, addend)
        if w.chance(0.2) and "," not in s.text:
            s = w.let(s, "z", "y", over=own(s))
            s = w.call(w.pick("maximum", "minimum"), s, "0")
        return s

    array = w.mx("array")
    if in_class:
        w.tag("class")
        rows_columns = "outputs, inputs" if transposed else "inputs, outputs"
        parameters = f"self, {a}" + (f": {array}" if w.chance(0.5) else "")
        call = w.definition("__call__", parameters, ["self", a], body, arrays=[a])
        lines = [
            f"class Subject({w.nn()}.Module):",
            "    def __init__(self, inputs: int, outputs: int):",
            "        super().__init__()",
            f"        self.{b} = {w.mx('zeros')}(({rows_columns}))",
            f"        self.{c} = {w.mx('zeros')}({w.pick('(outputs,)', 'outputs')})",
            "",
            *("    " + line if line else "" for line in [*w.members, *call]),
        ]
        hostile = []

        def arguments(data):
            return (D, 8), (data.rows(*sa),)
    else:
        order = [a, b, c]
        if w.chance(0.3):
            w.rng.shuffle(order)
        annotated = {p: w.chance(0.5) for p in order}
        lines = w.definition("subject", ", ".join(p + (f": {array}" if annotated[p] else "") for p in order), order, body, arrays=[a])
        sb_given = sb[::-1] if transposed else sb

        def given(change=None):
            def arguments(data):
                values = {a: lambda: data.rows(*sa), b: lambda: data.rows(*sb_given, size=0.2), c: lambda: data.rows(*sc)}
                values |= {k: (lambda v=v: v(data)) for k, v in (change or {}).items()}
                return tuple(values[p]() for p in order)
            return arguments

        arguments = given()
        hostile = [given({c: lambda data, s=s: data.rows(*s)}) for s in [(), (1,), (3, *product), (1, *product), (1, 1, 1, 1)]]
        hostile += [given({c: lambda data: data.other.rows(*sc)}), given({c: lambda data: data.integers(sc)}), given({c: lambda data: data.truth(sc)})]
        if not annotated[c]:
            hostile += [given({c: lambda data: 0.5}), given({c: lambda data: data.numpy(*sc)})]
        if not annotated[a] and not annotated[b]:
            hostile.append(given({a: lambda data: data.numpy(*sa), b: lambda data: data.numpy(*sb_given)}))
    if twist == "c reshaped larger":  # an unsafe edit assumes that it is not
        hostile, arguments = [arguments], None
    return Spelling("addmm", w.file(lines), arguments, ("addmm(",), (" @ ", "matmul"), False, hostile, w.tags, twist)


RULES = {
    "rms-norm": lambda w, **k: written_norm(w, "rms-norm", **k),
    "layer-norm": lambda w, **k: written_norm(w, "layer-norm", **k),
    "attention": written_attention,
    "precise-softmax": written_softmax,
    "addmm": written_addmm,
}


def spell(rule, rng, **options):
    """Draws one spelling of a rule."""
    return RULES[rule](Writer(rng), **options)
