"""Rotary embeddings that are written out, as a `Writer` draws them."""

from spell_writer import ATOM, POWER, TIMES, UNARY, Text, at, indented
from spelling import Rule, Spelling

TWISTS = [
    "growing", "signs exchanged", "sine for cosine", "tables given", "frequencies scaled", "tables scaled", "positions given", "another axis",
    "pairs into halves", "every other position", "half as fast", "angles in half precision", "one table cast", "broken offset", "halves exchanged",
    "other width",
]  # fmt: skip
PARTS = {
    "core": "mx.concatenate([x[None][..., :4] * mx.cos({a}) - x[None][..., 4:] * mx.sin({a}), x[None][..., 4:] * mx.cos({a}) + x[None][..., :4] * mx.sin({a})], axis=-1)".replace(
        "{a}", "mx.outer(mx.arange(x.shape[-2]), mx.exp(-mx.arange(4) * (math.log(1e4) / 4)))"
    ),
    "core_np": "np.concatenate([x[..., :4] * np.cos(x[..., 4:]), x[..., 4:] * np.sin(x[..., :4])], axis=-1)",
    "core_bare": "concatenate([x[..., :4] * cos(x[..., 4:]), x[..., 4:] * sin(x[..., :4])], axis=-1)",
    "stat": "s = mx.outer(mx.arange(x.shape[-2]), mx.exp(-mx.arange(4) * (math.log(1e4) / 4)))",
    "stat_expr": "mx.cos(mx.outer(mx.arange(x.shape[-2]), mx.exp(-mx.arange(8) * (math.log(1e4) / 8))))",
    "from_stat": "mx.concatenate([x[None][..., :4] * mx.cos(s) - x[None][..., 4:] * mx.sin(s), x[None][..., 4:] * mx.cos(s) + x[None][..., :4] * mx.sin(s)], axis=-1)",
}


def written_rope(w, twist=None, between=None):
    """A rotary embedding in a function or a method."""
    return Rope(w, twist, between).spelling()


class Rope:
    """One embedding: what was chosen for it, and how it is written from that."""

    def __init__(self, w, twist, between):
        self.w, self.twist, self.disturb = w, twist, between
        self.x = w.pick("x", "q", "queries", "t")
        self.shape = w.pick((2, 3, 9, 16), (1, 2, 7, 8), (1, 4, 1, 32), (2, 2, 5, 64))
        self.form = "halves" if twist == "halves exchanged" else w.pick("halves", "halves", "turned", "pairs")
        if twist == "pairs into halves":
            self.form = "pairs"
        self.powers = w.chance(0.4)
        self.cast = twist == "one table cast" or w.chance(0.35)
        self.starts = twist == "broken offset" or w.chance(0.5)
        self.scaled = w.chance(0.2)
        self.in_class = w.chance(0.25)
        self.base = Text(w.pick("base", "base", "10000.0", "10000", "500000.0", "theta"))
        self.base_given = self.base.text.isidentifier()
        self.upcast = not self.cast and w.chance(0.25)
        for name, chosen in [("powers", self.powers), ("cast", self.cast), ("scaled", self.scaled), (self.form, True), ("class", self.in_class)]:
            w.tag(name if chosen else "")

    def spelling(self):
        """The text and its arguments."""
        w = self.w
        parameters = [self.x]
        if self.base_given and not self.in_class:
            parameters.append(self.base.text)
        parameters += ["offset"] * self.starts + ["scale"] * self.scaled
        given = {"tables given": ["cos", "sin"], "positions given": ["positions"], "frequencies scaled": ["factor"], "tables scaled": ["factor"]}
        parameters += given.get(self.twist, [])
        w.names |= {"offset", "scale", "base", "theta", "factor", "positions", "cos", "sin", "T", "D", "B", "H", "L"} - {"cos", "sin"}
        notes = {self.x: w.mx("array"), "offset": "float" if self.twist == "broken offset" else "int", "scale": "float", "base": "float", "theta": "float"}
        notes = {p: notes[p] for p in parameters if p in notes and (w.chance(0.7) or p == "offset" and self.twist == "broken offset")}
        receiver = ["self"] if self.in_class else []
        lines = w.definition(
            "__call__" if self.in_class else "subject", ", ".join([*receiver, w.signature(parameters, notes, {})]), receiver + parameters, self.body,
            arrays=[self.x],
        )  # fmt: skip
        if self.in_class:
            lines = self.wrapped(lines)

        def make(shape, values=lambda data, shape: data.rows(*shape)):
            half = (shape[-2] if len(shape) > 1 else 1, shape[-1] // 2)

            def arguments(data):
                known = {
                    self.x: lambda: values(data, shape), "base": lambda: 10000.0, "theta": lambda: 500000.0, "scale": lambda: 0.25, "factor": lambda: 0.5,
                    "offset": lambda: 2.5 if self.twist == "broken offset" else 3, "positions": lambda: data.integers((half[0],)),
                    "cos": lambda: data.vector(*half), "sin": lambda: data.vector(*half),
                }  # fmt: skip
                values_ = tuple(known[p]() for p in parameters)
                return ((), values_) if self.in_class else values_

            return arguments

        b, h, t, d = self.shape
        hostile = [make((h, t, d)), make((t, d)), make((b, 1, h, t, d)), make((b, h, t + 2, d)), make((b, h, t, d + 1)), make((b, h, t, 2)), make((0, h, t, d))]
        if self.x not in notes:
            hostile.append(make(self.shape, lambda data, shape: data.numpy(*shape)))
        return Spelling(w.file(lines), make(self.shape), ("rope(",), ("cos(", "sin("), False, hostile, w.tags, self.twist)

    def wrapped(self, lines):
        """The method in a class that holds the base."""
        w = self.w
        init = ["def __init__(self):", "    super().__init__()"]
        if self.base_given:
            init.append(f"    {self.base.text} = 10000.0")
        return [f"class Subject({w.nn()}.Module):", *indented([*init, "", *w.members, *lines])]

    def body(self):
        """Writes the statements and gives the result."""
        w = self.w
        w.scope.arrays = [self.x]
        x = Text(self.x)
        if self.in_class and self.base_given:
            self.base = Text(f"self.{self.base.text}")
        self.lengths(x)
        if self.upcast:
            x = w.named(w.cast(x, w.float32()), "h", "x32")
        c, s = self.tables(x)
        if self.disturb:
            x = self.disturb(w, x, x) or x
        out = self.rotated(x, c, s)
        return w.cast(out, f"{self.x}.dtype") if self.upcast and w.chance(0.7) else out

    def lengths(self, x):
        """How the lengths of the last two axes are called: unpacked, or read where they are needed."""
        w = self.w
        shape = f"{x.text}.shape"
        kind = w.pick("unpacked", "unpacked", "unpacked", "rest", "read")
        w.tag(kind)
        if kind == "unpacked":
            batch, heads = w.pick(("B", "H"), ("_", "_"), ("b", "n_heads"))
            w.scope.names |= {batch, heads}
            self.n, self.d = Text(w.fresh("T", "L", "length")), Text(w.fresh("D", "dims", "head_dim"))
            w.emit(f"{batch}, {heads}, {self.n.text}, {self.d.text} = {shape}")
        elif kind == "rest":
            w.emit(f"assert {x.text}.ndim == 4")
            self.n, self.d = Text(w.fresh("T", "L", "length")), Text(w.fresh("D", "dims", "head_dim"))
            w.emit(f"{self.n.text}, {self.d.text} = {shape}{w.pick('[-2:]', '[2:]')}")
        else:
            self.n, self.d = Text(f"{shape}[{w.pick('-2', '2')}]"), Text(f"{shape}[-1]")
        if self.twist == "other width":
            self.d = Text(f"({self.d.text} + 2)")

    def half(self, named=True):
        half = Text(f"{at(self.d, TIMES)} // 2", TIMES)
        return self.w.let(half, "half", "h", "d2") if named else half

    def counted(self, *bounds):
        """A range, perhaps in float32."""
        w, bounds = self.w, [b.text if isinstance(b, Text) else b for b in bounds]
        if len(bounds) == 1 and w.chance(0.3):
            bounds = ["0", *bounds]
        if bounds[0] == "0" and w.chance(0.2):
            bounds[0] = "0.0"
        roll = w.rng.random()
        if roll < 0.2:
            return w.call("arange", *bounds, f"dtype={w.mx('float32')}")
        out = w.call("arange", *bounds)
        return w.cast(out, w.mx("float32")) if roll < 0.4 else out

    def frequencies(self):
        """One for each pair."""
        w = self.w
        if w.chance(0.5):
            h = self.half()
            a, n = self.counted(h), h
        else:
            a, n = self.counted("0", self.d, "2"), self.d
        if self.twist == "half as fast":
            n = Text(f"2 * {at(n, TIMES)}", TIMES) if n is not self.d else Text(f"({n.text} // 2)")
        a = w.let(a, "i", "steps", "exponents")
        negative = Text(f"-{at(a, UNARY)}", UNARY)
        share = w.binary("/", a, n, function=0)
        if self.powers:
            base = self.base
            ways = [
                lambda: w.binary("**", base, Text(f"-({share.text})", UNARY)), lambda: w.binary("**", base, Text(f"({w.binary('/', negative, n, function=0).text})")),
                lambda: Text(f"1.0 / ({base.text} ** ({share.text}))", TIMES), lambda: Text(f"1 / {base.text} ** ({share.text})", TIMES),
                lambda: w.call("reciprocal", Text(f"{base.text} ** ({share.text})", POWER)),
            ]  # fmt: skip
            out = Text(f"{self.base.text} ** ({share.text})", POWER) if self.twist == "growing" else w.one_of(*ways)
        else:
            log = w.math(f"math.log({self.base.text})")
            if w.scope.statements and w.chance(0.2):
                log = w.named(log, "log_base", "decay")
            minus, ratio = Text(f"-{log.text}", UNARY), w.binary("/", log, n, function=0)
            if self.twist == "growing":
                minus, negative = log, a
            sign = "" if self.twist == "growing" else "-"
            ways = [
                lambda: f"{negative.text} * ({ratio.text})", lambda: f"{a.text} * ({minus.text} / {at(n, TIMES + 1)})", lambda: f"{minus.text} * {a.text} / {at(n, TIMES + 1)}",
                lambda: f"{negative.text} * {log.text} / {at(n, TIMES + 1)}", lambda: f"{minus.text} * ({share.text})", lambda: f"{sign}({share.text}) * {log.text}",
                lambda: f"{sign}({a.text} * {log.text} / {at(n, TIMES + 1)})",
            ]  # fmt: skip
            out = w.call("exp", Text(w.one_of(*ways), TIMES))
        if self.twist == "frequencies scaled":
            out = Text(f"{at(out, TIMES)} {w.pick('*', '/')} factor", TIMES)
        return w.let(out, "freqs", "inv_freq", "rates")

    def positions(self):
        """Those of the rows, one after the other."""
        w = self.w
        if self.twist == "positions given":
            return Text("positions")
        if self.twist == "every other position":
            p = w.call("arange", "0", f"2 * {self.n.text}", "2")
        elif not self.starts:
            p = self.counted(self.n)
        else:
            end = w.pick(f"offset + {self.n.text}", f"{self.n.text} + offset")
            ways = [lambda: w.binary("+", self.counted(self.n), Text("offset"), swap=True)]
            if self.twist != "broken offset":
                ways += [lambda: self.counted("offset", end)] * 2
            p = w.one_of(*ways)
        if self.twist == "angles in half precision":
            p = w.cast(p, w.mx("float16"))
        if self.scaled:
            p = w.binary("*", p, Text("scale"), swap=True)
        return w.let(p, "positions", "pos", "idx")

    def angles(self):
        """The outer product."""
        w = self.w
        first, second = (self.positions, self.frequencies)[:: w.pick(1, -1)]
        values = {first: first()}
        values[second] = second()
        p, f = values[self.positions], values[self.frequencies]
        column = Text(f"{at(p, ATOM)}[{w.pick(':, None', ':, None', '..., None')}]")
        if w.chance(0.15):
            column = w.one_of(lambda: w.call("expand_dims", p, w.pick("1", "-1", "axis=1")), lambda: Text(f"{at(p, ATOM)}.reshape(-1, 1)"))
        row = w.one_of((2, lambda: f), lambda: Text(f"{at(f, ATOM)}[{w.pick('None', 'None, :')}]"), (0.3, lambda: w.call("reshape", f, "(1, -1)")))
        floats = self.scaled or "float32" in p.text
        ways = [(4, lambda: w.binary("*", column, row, swap=True)), lambda: w.call("outer", p, f)]
        if floats or self.twist is None:
            ways.append((0.4, lambda: w.call("einsum", f'"i{w.pick(",", ", ")}j->ij"', p, f)))
        return w.let(w.one_of(*ways), "angles", "emb", "theta_", "args")

    def tables(self, x):
        """The cosines and the sines."""
        w = self.w
        if self.twist == "tables given":
            return (Text("cos"), Text("sin")) if self.form != "turned" else tuple(w.call("concatenate", f"[{n}, {n}]", "axis=-1") for n in ("cos", "sin"))
        a = w.shared(self.angles(), "angles", "freqs_", "m")
        twice = self.form == "turned"
        if twice and w.chance(0.6):
            a = w.named(w.call("concatenate", f"[{a.text}, {a.text}]", w.pick("axis=-1", "-1")), "emb", "both")
            twice = False
        if self.twist == "another axis":
            a = Text(f"{at(a, ATOM)}[:, None]")
        lead = w.pick("", "", "", "[None, None]", "[None, None, :, :]", "[None]")
        if lead and w.chance(0.3):
            a, lead = w.named(Text(f"{at(a, ATOM)}{lead}"), "angles4", "wide"), ""
        both = []
        for name in ("cos", "sin"):
            t = w.function(name, a)
            if twice:
                t = w.shared(t, f"{name}_half", name)
                t = w.call("concatenate", f"[{t.text}, {t.text}]", "-1")
            cast = self.cast and not (self.twist == "one table cast" and name == "sin")
            if cast and w.chance(0.7):
                t, cast = w.cast(t, f"{x.text}.dtype"), False
            t = Text(f"{at(t, ATOM)}{lead}")
            t = w.cast(t, f"{x.text}.dtype") if cast else t
            if self.twist == "tables scaled":
                t = Text(f"{at(t, TIMES)} * factor", TIMES)
            both.append(w.shared(t, name, f"{name}_t"))
        c, s = both
        return (s, c) if self.twist == "sine for cosine" else (c, s)

    def parts(self, x):
        """What is turned against each other."""
        w = self.w
        if self.form == "pairs" and self.twist != "pairs into halves" or self.twist == "pairs into halves":
            first, second = Text(f"{at(x, ATOM)}[..., {w.pick('::2', '0::2')}]"), Text(f"{at(x, ATOM)}[..., 1::2]")
        elif w.scope.statements and w.chance(0.5):
            names = w.fresh("x1", "a", "left"), w.fresh("x2", "b", "right")
            w.emit(f"{names[0]}, {names[1]} = {w.call('split', x, '2', w.pick('axis=-1', '-1')).text}")
            return tuple(Text(n) for n in names)
        else:
            h = self.half()
            first, second = Text(f"{at(x, ATOM)}[..., :{h.text}]"), Text(f"{at(x, ATOM)}[..., {h.text}:]")
        if not w.scope.statements:
            return first, second
        return w.shared(first, "x1", "even"), w.shared(second, "x2", "odd")

    def rotated(self, x, c, s):
        """The rotation."""
        w = self.w
        if self.form == "turned":
            turned = self.turned(x)
            left, right = w.binary("*", x, c, swap=True), w.binary("*", turned, s, swap=True)
            return w.binary("-" if self.twist == "signs exchanged" else "+", left, right, swap=self.twist != "signs exchanged")
        u, v = self.parts(x)
        if self.twist == "halves exchanged":
            u, v = v, u
        minus, plus = ("+", "-") if self.twist == "signs exchanged" else ("-", "+")
        first = w.binary(minus, w.binary("*", u, c, swap=True), w.binary("*", v, s, swap=True))
        first = w.let(first, "r1", "out1")
        second = w.binary(plus, w.binary("*", v, c, swap=True), w.binary("*", u, s, swap=True), swap=plus == "+")
        second = w.let(second, "r2", "out2")
        if self.form == "halves" or self.twist == "pairs into halves":
            return w.call("concatenate", f"[{first.text}, {second.text}]", w.pick("axis=-1", "-1"))
        rows = w.let(w.call("stack", f"[{first.text}, {second.text}]", w.pick("axis=-1", "-1")), "rows", "pairs")
        return w.one_of(
            lambda: Text(f"{at(rows, ATOM)}.reshape({x.text}.shape)"), lambda: w.call("reshape", rows, f"{x.text}.shape"),
            lambda: Text(f"{at(rows, ATOM)}.flatten(-2)"), lambda: w.call("flatten", rows, "-2"), lambda: w.call("flatten", rows, "start_axis=-2"),
        )  # fmt: skip

    def turned(self, x):
        """The second half in front with the other sign, perhaps by a helper."""
        w = self.w

        def body(x):
            outer, self.d = self.d, Text(f"{x.text}.shape[-1]")
            u, v = self.parts(x)
            self.d = outer
            return w.call("concatenate", f"[-{at(v, UNARY)}, {u.text}]", w.pick("axis=-1", "-1"))

        return w.helper(("rotate_half", "_turn"), [("x", x)], body, self.in_class)


RULE = Rule(written_rope, TWISTS, parts=PARTS, rounding=3.0)
