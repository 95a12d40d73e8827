"""Arrays concatenated with themselves along an axis of one element, or stacked, as a `Writer` draws them."""

from spell_writer import ATOM, TIMES, Text, at
from spelling import Rule, Spelling

TWISTS = [
    "two elements", "another axis", "flattened", "two arrays", "a sum in each round", "one more", "cut to two", "tiled", "replaced in the list",
    "unknown axis", "halves", "new axis in front", "outer product",
]  # fmt: skip


def written_repeat(w, twist=None, between=None):
    """A concatenation in a function."""
    return Repeat(w, twist, between).spelling()


class Repeat:
    """One concatenation: what was chosen for it, and how it is written from that."""

    def __init__(self, w, twist, between):
        self.w, self.twist, self.disturb = w, twist, between
        self.stacked = w.chance(0.25) and not twist
        self.shape = w.pick((4, 6), (2, 3, 4), (5,))
        if twist:
            self.shape = (4, 6)
        self.x = w.pick("x", "keys", "image", "prompt")
        self.count = w.pick("n", "n", "n", "2", "3", w.pick("n // 2", "n + 1", "int(n)"), f"{self.x}.shape[0]")
        self.count_given = "shape" not in self.count and not self.count.isdigit()
        w.tag("stack" if self.stacked else "")

    def spelling(self):
        """The text and its arguments."""
        w = self.w
        parameters = [self.x] + ["n"] * self.count_given
        if self.twist == "unknown axis":
            parameters.append("axis")
        w.names |= {"n", "axis"}
        notes = {self.x: w.mx("array"), "n": "int"}
        notes = {p: notes[p] for p in parameters if p in notes and w.chance(0.7)}
        lines = w.definition("subject", w.signature(parameters, notes, {}), parameters, self.body, arrays=[self.x])

        def given(shape, n=4, values=lambda data, shape: data.rows(*shape)):
            known = {self.x: lambda data: values(data, shape), "n": lambda data: n, "axis": lambda data: 0}
            return lambda data: tuple(known[p](data) for p in parameters)

        hostile = [given((1, 1)), given((2, 3, 4, 5)), given(self.shape, 2), given((0, 3))]
        if self.x not in notes:
            hostile.append(given(self.shape, values=lambda data, shape: data.numpy(*shape)))
        return Spelling(w.file(lines), given(self.shape), ("repeat(",), ("concat", "stack("), True, hostile, w.tags, self.twist)

    def body(self):
        """Writes the statements and gives the result."""
        w = self.w
        w.scope.arrays = [self.x]
        x = Text(self.x)
        if self.twist:
            return self.twisted(x)
        if w.chance(0.4):
            x = w.let(w.one_of(lambda: w.function("exp", x), lambda: w.binary("*", x, Text("0.5"))), "h", "z")
        if self.stacked:
            x = w.named(x, "h") if self.disturb else x
            x = self.disturb(w, x) if self.disturb else x
            axis = w.pick("0", "1" if len(self.shape) > 1 else "0", "-1")
            return self.joined("stack", x, axis, axis == "0")
        a, axis = self.single(x)
        if self.disturb:
            a = self.disturb(w, a)
        a = w.let(a, "a", "part", "one")
        out = self.joined(w.pick("concatenate", "concatenate", "concatenate", "concat"), a, str(axis), axis == 0)
        out = w.let(out, "out", "tiled", "heads")
        return w.binary("*", out, Text("2")) if w.chance(0.2) else out

    def single(self, x):
        """An array with an axis of one element, and which that is."""
        w, rank = self.w, len(self.shape)
        new = w.rng.randrange(rank + 1)
        ways = [
            lambda: self.expanded(x, new), lambda: self.expanded(x, new), lambda: self.expanded(x, new), lambda: self.reduced(x), lambda: self.sliced(x),
            lambda: self.reshaped(x), lambda: self.reshaped(x),
        ]  # fmt: skip
        return w.one_of(*ways)

    def expanded(self, x, new):
        """A new axis."""
        w, rank = self.w, len(self.shape)
        w.tag("new axis")
        back = new - rank - 1
        axis = w.pick(new, back)
        subscript = ", ".join([":"] * new + [w.pick("None", "None", w.mx("newaxis"))])
        if axis < 0:
            subscript = ", ".join(["...", "None"] + [":"] * (rank - new))
        ways = [lambda: w.call("expand_dims", x, w.pick(str(axis), f"axis={axis}")), lambda: Text(f"{at(x, ATOM)}[{subscript}]")]
        return w.one_of(*ways), axis

    def reduced(self, x):
        """A reduction that keeps its axis."""
        w, rank = self.w, len(self.shape)
        w.tag("reduced")
        axis = w.pick(-1, 0, rank - 1)
        name = w.pick("mean", "sum", "max", "min")
        return w.function(name, x, f"axis={axis}", "keepdims=True"), axis

    def sliced(self, x):
        """A slice of one element."""
        w, rank = self.w, len(self.shape)
        w.tag("sliced")
        axis = w.rng.randrange(rank)
        cut = w.pick("-1:", ":1", "0:1", "2:3" if self.shape[axis] > 2 else "1:2")
        if w.chance(0.3):
            return Text(f"{at(x, ATOM)}[..., {cut}]"), -1
        return Text(f"{at(x, ATOM)}[{', '.join([':'] * axis + [cut])}]"), axis

    def reshaped(self, x):
        """A reshape with a one in it, perhaps with its axes turned."""
        w, rank = self.w, len(self.shape)
        w.tag("reshaped")
        axis = w.rng.randrange(rank + 1)
        sizes = [str(n) for n in self.shape]
        sizes[w.rng.randrange(rank)] = "-1"
        sizes.insert(axis, "1")
        shape = ", ".join(sizes)
        a = w.one_of(lambda: Text(f"{at(x, ATOM)}.reshape({shape})"), lambda: w.call("reshape", x, f"({shape})"))
        if w.chance(0.4):
            w.tag("turned")
            order = list(range(rank + 1))
            w.rng.shuffle(order)
            a = w.one_of(
                lambda: Text(f"{at(a, ATOM)}.transpose({', '.join(map(str, order))})"), lambda: w.call("transpose", a, f"({', '.join(map(str, order))})")
            )
            axis = order.index(axis)
        return a, w.pick(axis, axis - rank - 1)

    def joined(self, name, a, axis, is_first):
        """The concatenation."""
        w, count = self.w, at(Text(self.count, TIMES if " " in self.count else ATOM), ATOM)
        ways = [
            (4, lambda: f"[{a.text}] * {count}"), lambda: f"{count} * [{a.text}]", lambda: f"[{a.text} for _ in range({self.count})]",
        ]  # fmt: skip
        if self.count in ("2", "3") and (self.count == "3" or name != "stack"):
            parts = w.shared(a, "a", "part")
            text = ", ".join([parts.text] * int(self.count))
            ways = [lambda: f"[{text}]"]
            w.tag("written out")
        arguments = [w.one_of(*ways)]
        if not is_first or w.chance(0.7):
            arguments.append(w.pick(axis, f"axis={axis}", f"axis={axis}"))
        return w.call(name, *arguments)

    def twisted(self, x):
        """Another concatenation."""
        w, twist = self.w, self.twist
        a, t, concatenate = w.mx("expand_dims") + f"({x.text}, 1)", x.text, w.mx("concatenate")
        lines = {
            "two elements": f"{concatenate}([{t}[:, :2]] * ({self.count}), axis=1)",
            "another axis": f"{concatenate}([{a}] * 3, axis=0)",
            "flattened": f"{concatenate}([{a}] * 3, axis=None)",
            "two arrays": f"{concatenate}([{a}, {a} + 1] * 2, axis=1)",
            "a sum in each round": f"{concatenate}([{a} + k for k in range(3)], axis=1)",
            "one more": f"{concatenate}([{a}] * 2 + [{a} * 0], axis=1)",
            "cut to two": f"{concatenate}([{t}[:, -2:]] * 3, axis=1)",
            "tiled": f"{concatenate}([{t}] * 2, axis=0)",
            "unknown axis": f"{concatenate}([{t}[:, None]] * 2, axis=axis)",
            "new axis in front": f"{concatenate}([{t}[None]] * 2, axis={w.pick('-1', '1', '2')})",
            "outer product": f"{concatenate}([{t}[:, :1] * {t}[0][None]] * 2, axis={w.pick('-1', '0', '1')})",
            "halves": f"{concatenate}([{w.mx('split')}({t}, 2, axis=-1)[0]] * 2, axis=-1)",
        }
        if twist == "replaced in the list":
            parts = w.fresh("parts", "copies")
            w.emit(f"{parts} = [{a}] * 3")
            w.emit(f"{parts}[0] = {a} + 1")
            return Text(f"{concatenate}({parts}, axis=1)")
        return Text(lines[twist])


RULE = Rule(written_repeat, TWISTS)
