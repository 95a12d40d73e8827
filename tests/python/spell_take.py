"""Elements of each row or column, picked with counted numbers, as a `Writer` draws them."""

from spell_writer import ATOM, Text, at
from spelling import Rule, Spelling

TWISTS = [
    "all but the last", "from one", "every other", "one row", "whole rows", "index with two axes", "sorted as a whole", "another's rows", "all rows",
    "order of one row", "backwards", "shifted", "columns in a slice", "given count",
]  # fmt: skip
FORMS = {"one": (4, 7), "one of batch": (2, 3, 7), "some": (4, 7), "some of batch": (2, 3, 7), "of columns": (4, 7), "sorted row": (1, 9)}


def written_take(w, twist=None, between=None):
    """A gather in a function."""
    return Take(w, twist, between).spelling()


class Take:
    """One gather: what was chosen for it, and how it is written from that."""

    def __init__(self, w, twist, between):
        self.w, self.twist, self.disturb = w, twist, between
        self.form = "one" if twist else w.pick("one", *FORMS)
        self.shape = (3, 4, 7) if twist == "whole rows" else FORMS[self.form]
        self.x = w.pick("x", "logits", "scores", "probs", "q_values")
        self.index = w.pick("i", "labels", "targets", "actions")
        self.is_given = self.form in ("one", "one of batch", "of columns") and twist is None and w.chance(0.4)
        w.tag(self.form)
        w.tag("given index" if self.is_given else "")

    def spelling(self):
        """The text and its arguments."""
        w, parameters = self.w, [self.x]
        parameters += [self.index] * self.is_given + ["count"] * (self.twist == "given count") + ["y"] * (self.twist == "another's rows")
        w.names |= {"count", "y"}
        notes = {self.x: w.mx("array"), self.index: w.mx("array"), "count": "int"}
        notes = {p: notes[p] for p in parameters if p in notes and (p != self.x or w.chance(0.7))}
        lines = w.definition("subject", w.signature(parameters, notes, {}), parameters, self.body, arrays=[self.x])
        picked = {"one of batch": (6,), "of columns": (7,)}.get(self.form, (4,))

        def given(shape, picked, count=3, values=lambda data, shape: data.rows(*shape)):
            known = {self.x: lambda data: values(data, shape), self.index: lambda data: data.integers(picked)}
            known |= {"count": lambda data: count, "y": lambda data: data.rows(3, 5)}
            return lambda data: tuple(known[p](data) for p in parameters)

        hostile = [given((2, *self.shape), picked), given(self.shape, (1,))]
        if self.form != "of columns":  # Its index would be out of range, which neither checks.
            hostile.append(given((1, *self.shape[1:]), (picked[0] // self.shape[0],)))
        if self.x not in notes:
            hostile.append(given(self.shape, picked, values=lambda data, shape: data.numpy(*shape)))
        return Spelling(w.file(lines), given(self.shape, picked), ("take_along_axis(",), ("arange",), True, hostile, w.tags, self.twist)

    def body(self):
        """Writes the statements and gives the result."""
        w = self.w
        w.scope.arrays = [self.x]
        x, lengths = self.array()
        i = self.twisted_index(x) if self.twist else self.places(x)
        if i is not None and self.form != "sorted row":
            i = w.let(i, "best", "chosen", "picked")
        if self.disturb:
            x = self.disturb(w, x)
        picked = self.twisted(x, i, lengths) if self.twist else self.gather(x, i, lengths)
        picked = w.let(picked, "picked", "values", "out")
        if w.chance(0.3):
            picked = w.function(w.pick("sum", "max"), picked)
        return picked

    def array(self):
        """What is picked from, with the names of its lengths where they have some: the number of axes shows."""
        w, rank = self.w, len(self.shape)
        x, lengths = Text(self.x), [None] * rank
        if w.chance(0.4):
            x = w.named(self.reshaped(x, -1, *self.shape[1:]), "rows", "flat", over=[self.x])
        if x.text == self.x or w.chance(0.5):
            lengths = [w.fresh(*hints) for hints in [("n", "batch", "B"), ("t", "length", "L"), ("width", "v", "vocab")][: rank - 1]]
            lengths.append("_" if w.chance(0.5) else w.fresh("width", "v", "V"))
            w.emit(f"{', '.join(lengths)} = {x.text}.shape")
            lengths = [None if name == "_" else name for name in lengths]
        if w.chance(0.5):
            x = w.named(w.one_of(lambda: w.call("softmax", x, "axis=-1"), lambda: w.function("exp", x), lambda: w.binary("*", x, Text("0.5"))), "p", "z")
        return x, lengths

    def reshaped(self, e, *shape):
        """The array in another shape, by a method or a function."""
        w, sizes = self.w, ", ".join(map(str, shape))
        several = f"({sizes},)" if len(shape) == 1 else f"({sizes})"
        return w.call("reshape", e, several) if w.chance(0.4) else Text(f"{at(e, ATOM)}.reshape({w.pick(sizes, several)})")

    def length(self, x, lengths, axis):
        """How long an axis is."""
        w = self.w
        ways = [lambda: f"{at(x, ATOM)}.shape[{axis}]", lambda: f"{at(x, ATOM)}.shape[{axis - len(self.shape)}]"]
        if axis == 0:
            ways.append(lambda: f"len({x.text})")
        if lengths[axis]:
            ways += [lambda: lengths[axis]] * 3
        return w.one_of(*ways)

    def places(self, x):
        """The index."""
        w = self.w
        last = w.pick("axis=-1", "-1", f"axis={len(self.shape) - 1}")
        if self.is_given:
            i = self.reshaped(Text(self.index), *((2, 3) if self.form == "one of batch" else (-1,)))
            return w.cast(i, w.mx("int32")) if w.chance(0.5) else i
        if self.form in ("one", "one of batch"):
            ways = [lambda: w.function("argmax", x, last), lambda: w.function("argmin", x, last)]
            if self.form == "one":
                ways.append(lambda: Text(f"{w.call('argsort', x, last).text}[:, {w.pick('-1', '0', '2')}]"))
            return w.one_of(*ways)
        if self.form == "of columns":
            return w.function(w.pick("argmax", "argmin"), x, w.pick("axis=0", "0"))
        order = w.one_of(lambda: w.call("argsort", x, last), lambda: w.call("argpartition", x, "kth=3", "axis=-1"))
        if self.form == "sorted row":
            return w.let(w.call("argsort", x, last), "order", "idx")
        return Text(f"{w.let(order, 'order', 'idx').text}[{w.pick(':, ' if len(self.shape) == 2 else ':, :, ', '..., ')}{w.pick(':2', '-2:', '1:3')}]")

    def counted(self, n):
        """The numbers up to `n`."""
        w = self.w
        return w.one_of(
            (4, lambda: w.call("arange", n)),
            lambda: w.call("arange", "0", n),
            lambda: w.call("arange", "0", n, "1"),
            lambda: w.call("arange", n, f"dtype={w.mx(w.pick('int32', 'uint32'))}"),
            lambda: w.cast(w.call("arange", n), w.mx("int32")),
        )

    def placed(self, n, place, rank):
        """The numbers up to `n`, at a place among so many axes."""
        w, r = self.w, self.counted(n)
        if rank == 1 or place == rank - 1 and w.chance(0.6):
            return w.let(r, "rows", "cols", "r")
        slices = [":" if axis == place else "None" for axis in range(rank)]
        new = tuple(axis for axis in range(rank) if axis != place)
        axes = str(new if len(new) > 1 else new[0])
        back = str(tuple(a - rank for a in new) if len(new) > 1 else new[0] - rank)
        shape = ", ".join("-1" if axis == place else "1" for axis in range(rank))
        ways = [
            (3, lambda: Text(f"{at(w.let(r, 'r'), ATOM)}[{', '.join(slices)}]")),
            lambda: w.call("expand_dims", r, w.pick(axes, f"axis={axes}", back, f"axis={back}")),
            lambda: Text(f"{at(r, ATOM)}.reshape({shape})"),
            lambda: w.call("reshape", r, f"({shape})"),
        ]
        return w.let(w.one_of(*ways), "rows", "cols", "r")

    def gather(self, x, i, lengths):
        """The subscript."""
        w = self.w
        if self.form == "sorted row":
            squeezed = w.function("squeeze", i, w.pick("0", "axis=0"))
            return Text(f"{x.text}[..., {w.let(squeezed, 'row', 'o').text}]")
        if self.form == "of columns":
            parts = [i, self.placed(self.length(x, lengths, 1), 0, 1)]
        else:
            rank = len(self.shape) if self.form.startswith("some") else len(self.shape) - 1
            parts = [self.placed(self.length(x, lengths, axis), axis, rank) for axis in range(len(self.shape) - 1)] + [i]
        subscript = ", ".join(p.text for p in parts)
        if w.scope.statements and w.chance(0.1):
            w.tag("subscript in a name")
            subscript = w.named(Text(f"({subscript})"), "where_", "at_").text
        return Text(f"{at(x, ATOM)}[{subscript}]")

    def twisted_index(self, x):
        """The index of a near miss."""
        w = self.w
        if self.twist == "whole rows":
            return w.call("argmax", f"{x.text}[:, :, 0]", "axis=-1")
        if self.twist == "index with two axes":
            return Text(f"{w.call('argmax', x, 'axis=-1').text}[None, :] * {w.mx('ones')}((2, 1), dtype={w.mx('int32')})")
        if self.twist == "sorted as a whole":
            return w.call("argsort", x, "axis=-1")
        if self.twist == "order of one row":
            return w.call("argsort", f"{x.text}[0]", "axis=-1")
        return w.call("argmax", x, "axis=-1")

    def twisted(self, x, i, lengths):
        """Another gather."""
        w, n = self.w, self.length(x, lengths, 0)
        i = w.named(i, "best", "chosen").text
        arange = w.mx("arange")
        subscripts = {
            "all but the last": f"{arange}({n} - 1), {i}[:-1]",
            "from one": f"{arange}(1, {n}), {i}[1:]",
            "every other": f"{arange}(0, {n}, 2), {i}[::2]",
            "one row": f"{arange}(1), {i}",
            "whole rows": f"{arange}({n}), {i}",
            "index with two axes": f"{arange}({n}), {i}",
            "sorted as a whole": f"{arange}({n})[:, None], {i}",
            "another's rows": f"{arange}(y.shape[0]), {i}[:3]",
            "all rows": f":, {i}",
            "order of one row": f"..., {i}",
            "backwards": f"{arange}({n})[::-1], {i}",
            "shifted": f"{arange}({n}) - 1, {i}",
            "columns in a slice": f"{arange}({n}), 1:3",
            "given count": f"{arange}(count), {i}[:count]",
        }
        return Text(f"{x.text}[{subscripts[self.twist]}]")


RULE = Rule(written_take, TWISTS)
