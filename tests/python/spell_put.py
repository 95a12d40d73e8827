"""Values stored into elements of each row, picked with counted numbers, as a `Writer` draws them."""

from spell_take import Take
from spell_writer import Text
from spelling import Rule, Spelling

TWISTS = [
    "the caller's", "alias", "held by a list", "in a loop", "read by a function", "added", "all but the last", "whole rows", "all rows", "twice in a row",
    "given count", "returned before", "an attribute", "chained",
]  # fmt: skip
FORMS = {"one": (4, 7), "some": (4, 7), "groups": (2, 3, 5, 4)}


def written_put(w, twist=None, between=None):
    """A store in a function."""
    return Put(w, twist, between).spelling()


class Put(Take):
    """One store: what was chosen for it, and how it is written from that."""

    def __init__(self, w, twist, between):
        super().__init__(w, None, between)
        self.twist = twist
        self.form = "one" if twist else w.pick("one", *FORMS)
        self.shape = (4, 7, 3) if twist == "whole rows" else FORMS[self.form]
        self.is_given = False
        self.arrays = self.form != "groups" and not twist and w.chance(0.3)
        self.y = w.pick("y", "mask", "out", "hot")
        w.tags = {tag for tag in w.tags if tag not in ("given index", "sorted row", "of columns", "one of batch", "some of batch", "one", "some")}
        w.tag(self.form + (" arrays" if self.arrays else ""))

    def spelling(self):
        """The text and its arguments."""
        w = self.w
        parameters = [self.x] + ["values"] * self.arrays + ["held"] * (self.twist in ("held by a list", "an attribute")) + ["count"] * (self.twist == "given count")
        w.names |= {"values", "held", "count"}
        notes = {self.x: w.mx("array"), "count": "int", "values": w.mx("array")}
        lines = w.definition("subject", w.signature(parameters, {p: n for p, n in notes.items() if p in parameters}, {}), parameters, self.body, arrays=[self.x])
        stored = (4,) if self.form == "one" else (4, 2)

        def given(shape, values=None):
            known = {self.x: lambda data: data.rows(*shape), "values": values or (lambda data: data.rows(*stored))}
            known |= {"held": lambda data: [], "count": lambda data: 3}
            return lambda data: tuple(known[p](data) for p in parameters)

        hostile = [given((1, *self.shape[1:])), given((2, *self.shape)), given(self.shape, lambda data: data.rows(1)), given(self.shape, lambda data: 0.5)]
        hostile += [given(self.shape, lambda data: data.others[0].rows(*stored)), given(self.shape, lambda data: data.integers(stored))]
        done, gone = ("put_along_axis(",), ("arange",)
        return Spelling(w.file(lines), given(self.shape), done, gone, True, hostile, w.tags, self.twist)

    def body(self):
        """Writes the statements and gives the result."""
        w = self.w
        w.scope.arrays = [self.x]
        x, lengths = self.array()
        if self.form == "groups":
            best = w.function("max", x, w.pick("axis=-1", "-1"))
            i = Text(f"{w.call('argpartition', w.let(best, 'best', 'top'), 'kth=1', 'axis=-1').text}[..., :2]")
        elif self.form == "some":
            i = self.some(x)
        else:
            i = w.call(w.pick("argmax", "argmin"), x, w.pick("axis=-1", "axis=1"))
        i = w.named(i, "best", "chosen", "picked")
        y = self.fresh(x)
        if self.disturb:
            y = self.disturb(w, y)
        return self.twisted_store(y, i, lengths) if self.twist else self.store(x, y, i, lengths)

    def some(self, x):
        """Two places of each row, each once."""
        w = self.w
        order = w.one_of(lambda: w.call("argsort", x, "axis=-1"), lambda: w.call("argpartition", x, "kth=3", "axis=-1"))
        return Text(f"{w.let(order, 'order', 'idx').text}[{w.pick(':, ', '..., ')}{w.pick(':2', '-2:')}]")

    def fresh(self, x):
        """An array that was just made, of the shape of the one that is read."""
        w = self.w
        zeros = [lambda: w.call("zeros_like", x), lambda: w.call("zeros", f"{x.text}.shape"), lambda: w.call("ones", f"{x.text}.shape", f"dtype={x.text}.dtype")]
        ways = [*zeros, lambda: w.call("softmax", x, "axis=-1"), lambda: w.function("exp", x), lambda: w.binary("*", x, Text("2"))]
        return w.named(w.one_of(*ways), self.y)

    def stored(self, y):
        """What is stored."""
        w = self.w
        if not self.arrays:
            return w.pick("0", "1", "0.0", "-1.5", 'float("inf")', "-float('inf')", "True", f"{y.text}.shape[0]")
        if w.chance(0.2):
            return f"{w.mx('zeros')}((4, 1))" if self.form == "some" else f"{w.mx('ones')}((4,))"
        return "values"

    def subscript(self, y, i, lengths):
        """What stands between the brackets."""
        w = self.w
        self.form, form = "some of batch" if self.form == "groups" else self.form, self.form
        rank = {"one": 1, "some": 2}.get(self.form, 3)
        parts = [self.placed(self.length(y, lengths, axis), axis, rank).text for axis in range(max(1, rank - 1))]
        self.form = form
        return ", ".join([*parts, i.text])

    def store(self, x, y, i, lengths):
        """The store, perhaps in a branch."""
        w = self.w
        if self.arrays and self.form == "one":
            w.emit("values = values.reshape(-1)")
        if self.arrays and self.form == "some":
            w.emit("values = values.reshape(-1, 2)")
        line = f"{y.text}[{self.subscript(y, i, lengths)}] = {self.stored(y)}"
        if w.chance(0.2):
            w.tag("in a branch")
            w.emit(f"if {x.text}.ndim > 1:\n    {line}")
        else:
            w.emit(line)
        return w.function(w.pick("sum", "max"), y, "axis=0") if w.chance(0.3) else y

    def twisted_store(self, y, i, lengths):
        """Another store, or one that something else sees."""
        w, twist = self.w, self.twist
        n, arange, result = self.length(y, lengths, 0), w.mx("arange"), y.text
        target = f"{y.text}[{arange}({n}), {i.text}]"
        before = {
            "alias": "before = {y}", "held by a list": "held.append({y})", "read by a function": "def total():\n    return {y}.sum()", "returned before": "kept = [{y}]",
            "an attribute": "class Holder:\n    kept = {y}", "chained": "before = {y}",
        }  # fmt: skip
        if twist == "the caller's":
            w.emit(f"{self.x}[{arange}({self.x}.shape[0]), {i.text}] = 0")
            return Text(self.x)
        if twist in before:
            w.emit(before[twist].replace("{y}", y.text))
        line = f"{target} = 0"
        if twist == "added":
            line = f"{target} += 1"
        elif twist == "in a loop":
            line = f"for _ in range(2):\n    {y.text}[{arange}({n}), {w.mx('argmax')}({y.text}, axis=-1)] = -1"
        elif twist == "all but the last":
            line = f"{y.text}[{arange}({n} - 1), {i.text}[:-1]] = 0"
        elif twist == "whole rows":
            line = f"{y.text}[{arange}({n}), {i.text}[:, 0]] = 0"
        elif twist == "all rows":
            line = f"{y.text}[:, {i.text}] = 0"
        elif twist == "given count":
            line = f"{y.text}[{arange}(count), {i.text}[:count]] = 0"
        elif twist == "twice in a row":
            line = f"{y.text}[{arange}({n})[:, None], {i.text}[:, None] * {w.mx('ones')}((1, 2), dtype={w.mx('int32')})] = {w.mx('array')}([1.0, 1.0])"
        w.emit(line)
        result += {"alias": ", before", "read by a function": ", total()", "returned before": ", kept", "an attribute": ", Holder.kept", "chained": ", before"}.get(twist, "")
        return Text(result)


RULE = Rule(written_put, TWISTS)
