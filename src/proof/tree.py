"""A parsed file of Python: where each node is, what is around it, and what its names mean. Nothing of it is run."""

import ast

from harmless import CannotReplay


class File:
    """A parsed file: where each node is, what is around it, and what its names mean."""

    def __init__(self, text):
        try:
            self.tree = ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise CannotReplay(f"this Python cannot parse the file: {error}") from None
        self.bytes = text.encode()
        self.starts = list(self._line_starts())
        self.parents, self.expressions, self.statements = {}, {}, {}
        for node in ast.walk(self.tree):
            for child in ast.iter_child_nodes(node):
                self.parents[child] = node
            if isinstance(node, ast.expr):
                self.expressions[self.span(node)] = node
            elif isinstance(node, ast.stmt):
                self.statements[self.span(node)] = node
        self.locals_of = {}

    def _line_starts(self):
        yield 0
        at, data = 0, self.bytes
        while at < len(data):
            if data[at] == 13:
                at += 1 + (data[at + 1 : at + 2] == b"\n")
                yield at
            else:
                at += 1
                if data[at - 1] == 10:
                    yield at

    def span(self, node):
        """Where a node is, in bytes."""
        return self.starts[node.lineno - 1] + node.col_offset, self.starts[node.end_lineno - 1] + node.end_col_offset

    def source(self, node):
        """A node as it is written, on one line."""
        start, end = self.span(node)
        text = " ".join(self.bytes[start:end].decode(errors="replace").split())
        return text if len(text) <= 60 else text[:57] + "..."

    def around(self, node, *kinds):
        """The closest node of these kinds around another."""
        node = self.parents.get(node)
        while node is not None and not isinstance(node, kinds):
            node = self.parents.get(node)
        return node

    def scope(self, node):
        """The function or the module around a node; lambdas, comprehensions and classes do not count."""
        return self.around(node, ast.FunctionDef, ast.AsyncFunctionDef, ast.Module)

    def locals(self, scope):
        """The names that a function or the module binds, each with the statements that bind it; parameters are bound by none."""
        if scope not in self.locals_of:
            found = {}
            if not isinstance(scope, ast.Module):
                for parameter in parameters_of(scope):
                    found.setdefault(parameter, [])
            for statement in statements_in(scope.body):
                for name in bound_by(statement):
                    found.setdefault(name, []).append(statement)
            self.locals_of[scope] = found
        return self.locals_of[scope]

    def static_of(self, cls, name, scope):
        """The static method with a name of the class that another name means in a scope: one that a single statement of the module makes, as it stands."""
        while scope is not self.tree:
            if cls in self.locals(scope):
                return None
            scope = self.scope(scope)
        made = self.locals(scope).get(cls, [])
        is_plain = len(made) == 1 and isinstance(made[0], ast.ClassDef) and not made[0].decorator_list and not made[0].keywords
        method = method_of(made[0], name) if is_plain else None
        return method if method and "staticmethod" in map(ast.unparse, method.decorator_list) else None


def method_of(cls, name):
    """The method of a class, if it has one by that name."""
    found = [m for m in cls.body if isinstance(m, ast.FunctionDef) and m.name == name]
    return found[0] if len(found) == 1 else None


def parameters_of(function):
    """The names of the parameters."""
    a = function.args
    rest = [p for p in (a.vararg, a.kwarg) if p]
    return [p.arg for p in (*a.posonlyargs, *a.args, *a.kwonlyargs, *rest)]


def blocks_of(statement):
    """The lists of statements inside a statement of the same scope."""
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return
    for name in ("body", "orelse", "finalbody"):
        yield getattr(statement, name, None) or []
    for part in (*getattr(statement, "handlers", ()), *getattr(statement, "cases", ())):
        yield part.body


def statements_in(block):
    """All statements of a scope."""
    for statement in block:
        yield statement
        for inner in blocks_of(statement):
            yield from statements_in(inner)


def leaves_early(block):
    """Whether a block ends by leaving what is around it."""
    return bool(block) and isinstance(block[-1], (ast.Return, ast.Raise, ast.Continue, ast.Break))


def names_in(target):
    """The plain names that a target binds."""
    if isinstance(target, ast.Name):
        yield target.id
    elif isinstance(target, (ast.Tuple, ast.List)):
        for part in target.elts:
            yield from names_in(part)
    elif isinstance(target, ast.Starred):
        yield from names_in(target.value)


def bound_by(statement):
    """The names that one statement binds, without those that statements inside it bind."""
    if isinstance(statement, ast.Assign):
        for target in statement.targets:
            yield from names_in(target)
    elif isinstance(statement, (ast.AnnAssign, ast.AugAssign, ast.For, ast.AsyncFor)):
        yield from names_in(statement.target)
    elif isinstance(statement, (ast.With, ast.AsyncWith)):
        for item in statement.items:
            yield from names_in(item.optional_vars) if item.optional_vars else ()
    elif isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        yield statement.name
    elif isinstance(statement, (ast.Import, ast.ImportFrom)):
        for alias in statement.names:
            yield alias.asname or alias.name.split(".")[0]
    expressions = [v for v in ast.iter_child_nodes(statement) if isinstance(v, ast.expr)]
    for expression in expressions:
        for node in ast.walk(expression):
            if isinstance(node, ast.NamedExpr):
                yield node.target.id


def imported_path(statement, name):
    """What an import statement brings in by a name."""
    if isinstance(statement, ast.Import):
        for alias in statement.names:
            if alias.asname == name:
                return alias.name
            if alias.asname is None and alias.name.split(".")[0] == name:
                return name
    if isinstance(statement, ast.ImportFrom) and not statement.level:
        for alias in statement.names:
            if (alias.asname or alias.name) == name:
                return f"{statement.module}.{alias.name}"
    return None
