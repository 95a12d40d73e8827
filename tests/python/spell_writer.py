"""How one computation is written down: a `Writer` draws, for each step, one of the ways in which people write it.

It knows nothing of any rule. Expressions are `Text`: what is written and how tightly it binds. Statements go to the scope that is open;
a value may get a name of its own, take over one that is dead, be bound by a walrus where it is first used, or be written out twice.
"""

import contextlib
import re
from typing import NamedTuple

import mlx.core as mx

LOW, COMPARE, PLUS, TIMES, UNARY, POWER, ATOM = range(7)
OPERATORS = {
    "+": ("add", PLUS), "-": ("subtract", PLUS), "*": ("multiply", TIMES), "/": ("divide", TIMES), "@": ("matmul", TIMES), "**": ("power", POWER),
}  # fmt: skip
# How `mlx.core` comes into the file, how often, and the name it has then; no name where each function is imported by its own.
IMPORTS = [
    (6, "import mlx.core as mx", "mx"),
    (1, "from mlx import core as mx", "mx"),
    (1, "from mlx import core", "core"),
    (1, "import mlx.core", "mlx.core"),
    (1, "import mlx.core as xp", "xp"),
    (2, "import mlx.core as mx", "mx"),  # and some of the functions by name
    (1, None, None),
]
COMMENTS = [
    "# see the paper",
    "# same as the reference",
    "# TODO: check the shape",
    "# noqa: E501",
    "# (batch, length, dims)",
    "# float32 on purpose?",
]


class Text(NamedTuple):
    """What is written for a value, and how tightly its outermost operator binds."""

    text: str
    rank: int = ATOM


def at(e, rank):
    """The expression as an operand of an operator that binds with `rank`."""
    return e.text if e.rank >= rank else f"({e.text})"


def is_name(e):
    return re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", e.text) is not None


def indented(lines):
    return ["    " + line if line else line for line in lines]


class Scope:
    """The body of a function that is being written."""

    def __init__(self, names, statements=True):
        self.lines = []
        self.names = set(names)  # taken
        self.own = set()  # hold an array that no one else sees
        self.arrays = []  # parameters that unrelated statements may look at
        self.statements = statements


class Writer:
    """Draws the text of one file."""

    def __init__(self, rng):
        self.rng = rng
        self.tags = set()  # the unusual choices, to find out what failures have in common
        kind = rng.choices(range(len(IMPORTS)), [weight for weight, _, _ in IMPORTS])[0]
        _, self.import_line, self.module = IMPORTS[kind]
        self.some_bare = kind == len(IMPORTS) - 2
        self.bare = {}  # functions that have a name of their own, or None for those that do not
        self.imports = set()  # further lines
        self.top = []  # constants and helper functions above the subject
        self.members = []  # methods of the class
        self.names = {"mx", "nn", "np", "math", "mlx", "core", "xp"}
        self.split = rng.choice([0.0, 0.25, 0.6, 0.9])
        self.noise = rng.choice([0.0, 0.0, 0.15, 0.3])
        self.pending = []
        self.scope = Scope(self.names)
        self.tag(f"import {kind}" if kind else "")

    # Choices

    def tag(self, name):
        if name:
            self.tags.add(name)

    def chance(self, p):
        return self.rng.random() < p

    def pick(self, *options):
        return self.rng.choice(options)

    def one_of(self, *options):
        """Calls one of the functions given; a pair is a weight and a function."""
        pairs = [option if isinstance(option, tuple) else (1, option) for option in options]
        return self.rng.choices([f for _, f in pairs], [weight for weight, _ in pairs])[0]()

    # Names

    def mx(self, name):
        """How this file names a function, class or dtype of `mlx.core`."""
        if name not in self.bare:
            bare = self.module is None or self.some_bare and name not in ("array", "float32") and self.chance(0.5)
            own = name if self.chance(0.8) or not bare else f"mx_{name}"
            self.bare[name] = own if bare else None
        own = self.bare[name]
        return own or f"{self.module}.{name}"

    def fresh(self, *hints):
        """A name that is not taken. Names of MLX are taken where functions are imported by name."""
        careful = self.module is None or self.some_bare
        hints = [h for h in hints if not (careful and hasattr(mx, h))] or ["value"]
        free = [h for h in hints if h not in self.scope.names and h not in self.names]
        name = self.rng.choice(free) if free else None
        while name is None or name in self.scope.names or name in self.names:
            name = f"{self.rng.choice(hints)}_{self.rng.randrange(100)}"
        self.scope.names.add(name)
        return name

    # Expressions

    def number(self, value):
        return Text(repr(value), ATOM if value >= 0 else UNARY)

    def call(self, name, *arguments):
        arguments = [a.text if isinstance(a, Text) else a for a in arguments]
        return Text(f"{self.mx(name)}({', '.join(arguments)})")

    def function(self, name, e, *arguments):
        """`mx.name(e, ...)` or, where there is one, `e.name(...)`."""
        if hasattr(mx.array, name) and self.chance(0.5):
            return Text(f"{at(e, ATOM)}.{name}({', '.join(arguments)})")
        return self.call(name, e, *arguments)

    def binary(self, op, a, b, swap=False, function=0.1):
        """`a op b`, in either order if `swap`, or as a function of MLX."""
        name, rank = OPERATORS[op]
        if swap and self.chance(0.4):
            a, b = b, a
        if self.chance(function):
            self.tag(f"mx.{name}")
            return self.call(name, a, b)
        left, right = (POWER + 1, UNARY) if op == "**" else (rank, rank + 1)
        text = f"{at(a, left)} {op} {at(b, right)}"
        if rank > PLUS and self.chance(0.05):
            return Text(f"({text})")
        return Text(text, rank)

    def update(self, op, a, b, swap=False):
        """`a op b` where `a` is dead afterwards: also by an augmented assignment if nobody else sees it."""
        if self.scope.statements and a.text in self.scope.own and self.chance(0.35):
            self.tag("augmented")
            self.emit(f"{a.text} {op}= {b.text}")
            return a
        return self.binary(op, a, b, swap)

    def math(self, text, rank=ATOM):
        """An expression with the module `math`."""
        self.imports.add("import math")
        return Text(text, rank)

    def own(self, e):
        """The name of a value that no one else sees, for `over`."""
        return [e.text] if e.text in self.scope.own else []

    def cast(self, e, dtype):
        return Text(f"{at(e, ATOM)}.astype({dtype})")

    def float32(self):
        """The dtype, or a name for it."""
        if self.scope.statements and self.chance(0.03):
            self.tag("f32 alias")
            name = self.fresh("f32", "compute_dtype")
            self.emit(f"{name} = {self.mx('float32')}")
            return name
        return self.mx("float32")

    # Statements

    def let(self, e, *hints, p=None, over=()):
        """Gives the value a name, perhaps; `over` are names of values that are dead."""
        if not self.scope.statements or is_name(e) or not self.chance(self.split if p is None else p):
            return e
        over = [name for name in over if "." not in name]
        if over and self.chance(0.5):
            self.tag("rebound")
            name = self.rng.choice(over)
        else:
            name = self.fresh(*hints)
        note = f": {self.mx('array')}" if name not in over and self.chance(0.03) else ""
        self.emit(f"{name}{note} = {e.text}")
        self.scope.own.add(name)
        return Text(name)

    def named(self, e, *hints, over=()):
        return self.let(e, *hints, p=1.0, over=over)

    def shared(self, e, *hints, over=()):
        """A value that is used more than once: named, bound by a walrus at its first use, or written out each time."""
        if is_name(e):
            return e
        roll = self.rng.random()
        if self.scope.statements and roll < 0.2 + 0.6 * self.split:
            return self.named(e, *hints, over=over)
        if self.scope.statements and roll > 0.85 or roll > 0.97:
            self.tag("walrus")
            self.pending.append((self.fresh(*hints), e.text))
            return Text(f"\0{len(self.pending) - 1}\0")
        self.tag("written twice")
        return Text(f"({e.text})") if e.rank < ATOM else e

    def resolve(self, text):
        """Replaces the placeholders of walrus names: the first use binds."""
        while (found := re.search("\0(\\d+)\0", text)) is not None:
            name, bound = self.pending[int(found[1])]
            text = text[: found.start()] + (f"({name} := {bound})" if bound else name) + text[found.end() :]
            self.pending[int(found[1])] = (name, None)
        return text

    def emit(self, line):
        """Writes a statement, perhaps with something unrelated before it, a comment behind it, or a break within."""
        line = self.resolve(line)
        if self.chance(self.noise):
            self.unrelated()
        opening = [i for i, c in enumerate(line) if c == "(" and line[i + 1] != ")"]
        if opening and self.chance(0.04) and "\n" not in line:
            self.tag("broken line")
            i = self.rng.choice(opening)
            comment = f"  {self.rng.choice(COMMENTS)}" if self.chance(0.2) else ""
            self.scope.lines += [line[: i + 1] + comment, "    " + line[i + 1 :]]
        else:
            self.scope.lines += line.split("\n")
        if self.chance(0.04):
            self.scope.lines[-1] += f"  {self.rng.choice(COMMENTS)}"

    def unrelated(self):
        """A comment, an empty line, or a statement that has nothing to do with the computation."""
        scope = self.scope
        if not scope.statements:
            return
        choices = ["# " + self.pick("normalise", "in the usual way", "x, not y"), "", f"{self.fresh('count', 'step', 'n_calls')} = 0"]
        if scope.arrays:
            array = self.rng.choice(scope.arrays)
            choices += [
                f"assert {array}.ndim >= 1",
                f"{self.fresh('size', 'first', 'dim0')} = {array}.shape[0]",
                f"*_, {self.fresh('last', 'width')} = {array}.shape",
                f"if {array}.ndim == 0:\n    raise ValueError('too few axes')",
                f"{self.fresh('other', 'unused')} = {array} + 1",
            ]
            self.tag("unrelated")
        scope.lines += self.rng.choice(choices).split("\n")

    @contextlib.contextmanager
    def inner(self, parameters, statements=True, names=None):
        """Within it, statements go to a new scope, which is given."""
        outer, noise = self.scope, self.noise
        self.scope = Scope((outer.names if names is None else names) | set(parameters), statements)
        self.noise = 0 if not statements else noise
        try:
            yield self.scope
        finally:
            self.scope, self.noise = outer, noise

    def definition(self, name, signature, parameters, body, nested=False, arrays=()):
        """The lines of `def name(signature)`; `body` writes the statements and gives the result."""
        with self.inner(parameters, names=None if nested else self.names) as scope:
            scope.arrays = [a for a in arrays if a in parameters]
            if self.chance(0.2):
                scope.lines.append('"""As in the paper."""')
            result = body()
            result = self.let(result, "out", "output", "result", "y", p=self.split / 3) if isinstance(result, Text) else result
            self.emit(f"return {result.text if isinstance(result, Text) else result}")
        return [f"def {name}({signature}):", *indented(scope.lines)]

    def helper(self, hints, arguments, body, in_class=False):
        """The value of `body`, called with `arguments`, perhaps in a function of its own.

        `arguments` are pairs of a name hint and a text. `body` takes texts for them, those of the parameters inside a function.
        """
        kinds = {"inline": 6, "module": 1, "module lambda": 0.4}
        if self.scope.statements:
            kinds |= {"nested": 1, "lambda": 1}
        if in_class:
            kinds |= {"method": 4, "static": 0.4}
        kind = self.rng.choices(list(kinds), list(kinds.values()))[0]
        if kind == "inline":
            return body(*[text for _, text in arguments])
        self.tag(kind)
        local = kind in ("nested", "lambda")
        passed, texts = [], {}
        for hint, text in arguments:
            reachable = local or kind == "method" and text.text.startswith("self.")
            constant = re.fullmatch(r"[-\d.e]+|[A-Z]+", text.text)
            if is_name(text) and reachable and hint not in ("x", "q", "k", "v", "s") and self.chance(0.6) or constant and self.chance(0.7):
                texts[hint] = text
            else:
                passed.append((hint, text))
        name = self.fresh(*hints)
        self.names.add(name)
        taken = {text.text for text in texts.values()}  # a parameter must not hide what is reached from inside
        for hint, _ in passed:
            own = hint if hint not in taken and self.chance(0.6) else self.pick("t", "u", "z") + str(len(taken))
            taken.add(own)
            texts[hint] = Text(own)
        parameters = [texts[hint].text for hint, _ in passed]
        inside = [texts[hint] for hint, _ in arguments]
        if "lambda" in kind:
            with self.inner(parameters, statements=False):
                value = self.resolve(body(*inside).text)
            lines = [f"{name} = lambda {', '.join(parameters)}: {value}"]
        else:
            self_ = ["self"] if kind == "method" else []
            arrays = [p for p in parameters if p == texts[arguments[0][0]].text]
            lines = self.definition(name, ", ".join(self_ + parameters), self_ + parameters, lambda: body(*inside), nested=local, arrays=arrays)
        if kind == "static":
            lines = ["@staticmethod", *lines]
        target = self.scope.lines if local else self.members if kind in ("method", "static") else self.top
        target += [*lines, ""] if len(lines) > 1 and not local else lines
        receiver = "self." if kind in ("method", "static") else ""
        keyword = self.chance(0.1)
        given = [f"{texts[h].text}={t.text}" if keyword and i else t.text for i, (h, t) in enumerate(passed)]
        return Text(f"{receiver}{name}({', '.join(given)})")

    def signature(self, parameters, notes, defaults):
        """A list of parameters with their annotations and defaults."""
        notes = {p: f": {note}" for p, note in notes.items()}
        equals = {p: (" = " if p in notes else "=") + value for p, value in defaults.items()}
        return ", ".join(p + notes.get(p, "") + equals.get(p, "") for p in parameters)

    # The whole file

    def nn(self):
        """How this file names `mlx.nn`."""
        if not hasattr(self, "nn_module"):
            line, self.nn_module = self.pick(("import mlx.nn as nn", "nn"), ("import mlx.nn as nn", "nn"), ("from mlx import nn", "nn"))
            self.imports.add(line)
        return self.nn_module

    def file(self, subject):
        """The text of the file whose last definition is `subject`."""
        lines = sorted(self.imports)
        if self.import_line:
            lines.append(self.import_line)
        bare = [name if own == name else f"{name} as {own}" for name, own in self.bare.items() if own]
        if bare:
            lines.append(f"from mlx.core import {', '.join(bare)}")
        self.rng.shuffle(lines)
        return "\n".join([*lines, "", *self.top, "", *subject]) + "\n"
