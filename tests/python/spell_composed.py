"""Several computations in one function, each of some rule: one after another, their statements mixed, and where it fits one of another's result.

Pieces are spellings that are functions. Their names get a number, so that none knows of another, and their bodies are joined.
"""

import ast
import builtins
import random

import mlx.core as mx
from spell_run import Data, Raised, attempt
from spell_writer import Writer
from spelling import Rule, Spelling

PIECES = 2, 3, 3, 4


def composed(rules):
    """The rule of all rules: what it draws is of several of them."""

    def write(w):
        pieces = []
        for _ in range(w.pick(*PIECES)):
            pieces.append(Piece(w.rng, w.pick(*rules.values()), len(pieces)))
        for n, piece in enumerate(pieces):
            fitting = [other for other in pieces[:n] if other.fits(piece)]
            if fitting and w.chance(0.8):
                piece.given = w.rng.choice(fitting)
        return joined(w, pieces)

    # The error of one computation is the input of the next.
    return Rule(write, [], disturbed=False, large=4.0, rounding=2.0)


class Piece:
    """One spelling taken apart."""

    def __init__(self, rng, rule, n):
        body = None
        while body is None:
            self.spelling = rule.write(Writer(random.Random(rng.random())))
            tree = ast.parse(self.spelling.text)
            body = next((s for s in tree.body if isinstance(s, ast.FunctionDef) and s.name == "subject" and plain(s)), None)
        self.n, self.given = n, None
        self.results = [attempt(self.spelling.text, self.spelling.arguments(Data(d, 0, 1)), d, 1) for d in (mx.float32, mx.float16)]
        imported = {(a.asname or a.name).split(".")[0] for s in ast.walk(tree) if isinstance(s, (ast.Import, ast.ImportFrom)) for a in s.names}
        Renamed(n, imported | set(dir(builtins))).visit(tree)
        self.imports = [s for s in tree.body if isinstance(s, (ast.Import, ast.ImportFrom))]
        self.top = [s for s in tree.body if s not in self.imports and s is not body]
        passed = len(self.spelling.arguments(Data(mx.float32, 0, 1)))
        self.parameters = body.args.args[:passed]
        left_out = zip(reversed(body.args.args), reversed(body.args.defaults))
        defaults = [ast.Assign([ast.Name(p.arg, ast.Store())], value) for p, value in left_out if p not in self.parameters]
        self.statements = body.body[:-1]
        if ast.get_docstring(body):
            self.statements.pop(0)
        self.statements[:0] = defaults
        self.result = ast.Assign([ast.Name(f"result_{n}", ast.Store())], body.body[-1].value)

    def fits(self, other):
        """Whether the result may be the first argument of another."""
        single, half = self.results
        if isinstance(single, Raised) or isinstance(half, Raised) or not isinstance(single[0], mx.array):
            return False
        first = other.spelling.arguments(Data(mx.float16, 0, 1))[0]
        return isinstance(first, mx.array) and (half[0].shape, half[0].dtype) == (first.shape, first.dtype) and single[0].dtype == mx.float32

    def lines(self):
        """The statements; the first may take over a result."""
        first = [ast.Assign([ast.Name(self.parameters[0].arg, ast.Store())], ast.Name(f"result_{self.given.n}"))] if self.given else []
        return [*first, *self.statements, self.result]


def plain(function):
    """Whether a function ends with its only return, and takes each argument by position."""
    inner = [n for s in function.body for n in ast.walk(s) if isinstance(n, ast.FunctionDef)]
    returns = sum(isinstance(n, ast.Return) for n in ast.walk(function)) - sum(isinstance(n, ast.Return) for f in inner for n in ast.walk(f))
    return returns == 1 and isinstance(function.body[-1], ast.Return) and bool(function.args.args)


class Renamed(ast.NodeTransformer):
    """Gives all names of a piece a number, but those that it imports and those of Python."""

    def __init__(self, n, kept):
        self.n, self.kept = n, kept

    def of(self, name):
        return name if name in self.kept or name == "subject" else f"{name}_{self.n}"

    def visit_Name(self, node):
        node.id = self.of(node.id)
        return node

    def visit_arg(self, node):
        node.arg = self.of(node.arg)
        return self.generic_visit(node)

    def visit_keyword(self, node):
        return self.generic_visit(node)

    def visit_Call(self, node):
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id.endswith(f"_{self.n}"):
            for keyword in node.keywords:
                keyword.arg = self.of(keyword.arg)
        return node

    def visit_FunctionDef(self, node):
        node.name = self.of(node.name)
        return self.generic_visit(node)


def joined(w, pieces):
    """The spelling that does what all pieces do."""
    waiting = [(piece, piece.lines()) for piece in pieces]
    body = []
    while any(lines for _, lines in waiting):
        done = {piece.n for piece, lines in waiting if not lines}
        ready = [lines for piece, lines in waiting if lines and (not piece.given or piece.given.n in done)]
        lines = w.rng.choice(ready) if w.chance(0.5) else ready[0]
        body.append(lines.pop(0))
    body.append(ast.Return(ast.Tuple([ast.Name(f"result_{piece.n}") for piece in pieces])))
    passed = [p for piece in pieces for p in piece.parameters[bool(piece.given) :]]
    function = ast.FunctionDef("subject", ast.arguments([], passed, None, [], [], None, []), body, [])
    tree = ast.Module([*(i for piece in pieces for i in piece.imports), *(t for piece in pieces for t in piece.top), function], [])
    text = ast.unparse(ast.fix_missing_locations(tree)) + "\n"
    return Spelling(text, lambda data: arguments(pieces, data), (), (), False, [], {"composed"})


def arguments(pieces, data):
    """Those of all pieces, in order."""
    out = []
    for piece in pieces:
        out += piece.spelling.arguments(data)[bool(piece.given) :]
    return tuple(out)
