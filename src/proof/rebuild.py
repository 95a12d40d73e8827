"""Makes the code of a function, or a few statements of a module, anew, node by node, so that it may be run alone.

What comes out reads no attribute, calls nothing and knows no name but through the run (`world.py`), which decides what is harmless; operators, tests,
loops and the rest of Python stay what they are. What is not understood is named, and not run.
"""

import ast
import builtins

from copies import Copy, load
from harmless import CannotReplay, namespace
from tree import blocks_of, bound_by, imported_path, names_in, parameters_of, statements_in
from world import BUILTINS

RUN = "_run"  # The one name that the code has besides its own, which begin otherwise.
OURS = ("print", "isinstance", "open", "getattr", "hasattr")


def on_run(method, *args):
    """A call of a method of the run."""
    return ast.Call(ast.Attribute(load(RUN), method, ast.Load()), list(args), [])


class Rebuild(Copy):
    """The program for the function around some edits, or for the statements of the module that they are in."""

    def __init__(self, file, scope, spans, marks):
        self.file, self.scope, self.spans = file, scope, spans
        self.marks = {(start, end): leaf for start, end, leaf in marks}
        self.inside = []  # the names that functions, lambdas and comprehensions bind, the innermost last
        self.scopes = [scope]

    # Names

    def locals(self, function):
        """The names that a function binds of its own."""
        bound = {name for name, bindings in self.file.locals(function).items()}
        for node in self.own(function):
            if isinstance(node, ast.Global) or isinstance(node, ast.Nonlocal) and function is self.scope:
                self.cannot(node, "changes a name from outside")
            if isinstance(node, ast.Nonlocal):
                bound -= set(node.names)
            if isinstance(node, ast.ExceptHandler) and node.name:
                bound.add(node.name)
        return bound

    def own(self, function):
        """The nodes of a function without those of functions inside."""
        stack = list(function.body)
        while stack:
            node = stack.pop()
            yield node
            if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                stack.extend(child for child in ast.iter_child_nodes(node) if isinstance(child, (ast.stmt, ast.ExceptHandler)))

    def path(self, node):
        """The dotted path of what an import brought in."""
        if isinstance(node, ast.Attribute):
            base = self.path(node.value)
            return base and f"{base}.{node.attr}"
        if not isinstance(node, ast.Name):
            return None
        for scope, names in zip(reversed(self.scopes), reversed(self.inside)):
            if node.id in names:
                return self.path_in(scope, node.id) if scope is not None else None
        scope = self.file.scope(self.scope) if not isinstance(self.scope, ast.Module) else self.scope
        while scope is not None:
            if node.id in self.file.locals(scope):
                return self.path_in(scope, node.id)
            scope = self.file.scope(scope)
        return None

    def path_in(self, scope, name):
        paths = {imported_path(binding, name) for binding in self.file.locals(scope).get(name, [None])}
        return paths.pop() if len(paths) == 1 else None

    def cannot(self, node, why="is not followed"):
        super().cannot(node, why)

    # Expressions

    def expr(self, node):
        """The same expression, made anew."""
        made = getattr(self, "on_" + type(node).__name__, self.cannot)(node)
        mark = self.marks.get(self.file.span(node)) if isinstance(node, (ast.Attribute, ast.Call, ast.Name, ast.Subscript)) else None
        return made if mark is None else on_run("known", made, ast.Constant(mark))

    def on_Constant(self, node):
        return ast.Constant(node.value)

    def on_Set(self, node):
        return ast.Set(self.all(node.elts))

    def on_Dict(self, node):
        return ast.Dict(self.all(node.keys), self.all(node.values))

    def on_BinOp(self, node):
        return self.op(node.op, self.expr(node.left), self.expr(node.right))

    def op(self, operator, *operands):
        return on_run("op", ast.Constant(type(operator).__name__), *operands)

    def on_Compare(self, node):
        """Each comparison for itself; what stands between two is computed twice, which no value shows."""
        sides = [node.left, *node.comparators]
        parts = []
        for left, operator, right in zip(sides, node.ops, sides[1:]):
            left, right = self.expr(left), self.expr(right)
            if isinstance(operator, (ast.Is, ast.IsNot)):
                same = on_run("same", left, right)
                parts.append(same if isinstance(operator, ast.Is) else ast.UnaryOp(ast.Not(), same))
            elif isinstance(operator, (ast.In, ast.NotIn)):
                parts.append(ast.Compare(left, [operator], [right]))
            else:
                parts.append(self.op(operator, left, right))
        if len(parts) > 1 and any(isinstance(n, ast.Call) for side in node.comparators[:-1] for n in ast.walk(side)):
            self.cannot(node)
        return parts[0] if len(parts) == 1 else ast.BoolOp(ast.And(), parts)

    def on_Subscript(self, node):
        return on_run("item", self.expr(node.value), self.index(node.slice))

    def index(self, node):
        """An index as a value: slices are made by name."""
        if isinstance(node, ast.Slice):
            return ast.Call(load("slice"), [self.maybe(part) or ast.Constant(None) for part in (node.lower, node.upper, node.step)], [])
        if isinstance(node, ast.Tuple):
            return ast.Tuple([self.index(part) for part in node.elts], ast.Load())
        return self.expr(node)

    def on_NamedExpr(self, node):
        return ast.NamedExpr(ast.Name("v_" + node.target.id, ast.Store()), self.expr(node.value))

    def on_JoinedStr(self, node):
        return ast.JoinedStr(self.all(node.values))

    def on_FormattedValue(self, node):
        value = self.expr(node.value)
        return ast.FormattedValue(on_run("formatted", value) if node.format_spec else value, node.conversion, self.maybe(node.format_spec))

    def on_Yield(self, node):
        return ast.Yield(self.maybe(node.value))

    def on_YieldFrom(self, node):
        return ast.YieldFrom(self.expr(node.value))

    def on_Lambda(self, node):
        self.enter(None, set(parameters_of(node)))
        made = ast.Lambda(self.arguments(node.args), self.expr(node.body))
        self.leave()
        return made

    def on_ListComp(self, node):
        self.enter(None, set())
        generators = [self.generator(part) for part in node.generators]
        made = type(node)(self.expr(node.elt), generators)
        self.leave()
        return made

    on_SetComp = on_GeneratorExp = on_ListComp

    def on_DictComp(self, node):
        self.enter(None, set())
        generators = [self.generator(part) for part in node.generators]
        made = ast.DictComp(self.expr(node.key), self.expr(node.value), generators)
        self.leave()
        return made

    def generator(self, part):
        if part.is_async:
            self.cannot(part.iter)
        source = self.expr(part.iter)
        self.inside[-1].update(names_in(part.target))
        return ast.comprehension(self.target(part.target), on_run("each", source, self.pattern(part.target)), self.all(part.ifs), 0)

    def on_Name(self, node):
        name = node.id
        if any(name in names for names in self.inside):
            return load("v_" + name)
        path = self.path(node)
        if path:
            return on_run("imported", ast.Constant(path))
        bindings = self.file.locals(self.file.tree).get(name)
        if bindings is None and not self.is_closed_over(name):
            if name in OURS:
                return on_run("builtin", ast.Constant(name))
            if name in BUILTINS:
                return load(name)
        if bindings and len(bindings) == 1 and isinstance(bindings[0], ast.Assign) and not self.is_closed_over(name):
            value = bindings[0].value
            if isinstance(value, ast.Constant) and len(bindings[0].targets) == 1 and isinstance(bindings[0].targets[0], ast.Name):
                return ast.Constant(value.value)
        return on_run("make", ast.Constant(name))

    def is_closed_over(self, name):
        """Whether a function around has a local of that name."""
        scope = self.file.scope(self.scope) if not isinstance(self.scope, ast.Module) else None
        while scope is not None and not isinstance(scope, ast.Module):
            if name in self.file.locals(scope):
                return True
            scope = self.file.scope(scope)
        return False

    def on_Attribute(self, node):
        path = self.path(node)
        return on_run("imported", ast.Constant(path)) if path else on_run("attr", self.expr(node.value), ast.Constant(node.attr))

    def on_Call(self, node):
        keywords = [ast.keyword(k.arg, self.expr(k.value)) for k in node.keywords]
        return ast.Call(ast.Attribute(load(RUN), "call", ast.Load()), [self.expr(node.func), *self.all(node.args)], keywords)

    # Where values go

    def enter(self, scope, names):
        self.scopes.append(scope)
        self.inside.append(names)

    def leave(self):
        self.scopes.pop()
        self.inside.pop()

    def target(self, node):
        """What is assigned to, where all of it is plain names."""
        if isinstance(node, ast.Name):
            return ast.Name("v_" + node.id, ast.Store())
        if isinstance(node, ast.Starred):
            return ast.Starred(self.target(node.value), ast.Store())
        if isinstance(node, (ast.Tuple, ast.List)):
            return ast.Tuple([self.target(part) for part in node.elts], ast.Store())
        return self.cannot(node, "is assigned to together with others")

    def pattern(self, node):
        """How a target takes a value apart, as data."""
        if not isinstance(node, (ast.Tuple, ast.List)):
            return ast.Constant("*" if isinstance(node, ast.Starred) else None)
        return ast.Tuple([self.pattern(part) for part in node.elts], ast.Load())

    def assigned(self, target, value):
        """The statement that gives `value` to `target`."""
        if isinstance(target, ast.Attribute):
            return ast.Expr(on_run("set_attr", self.expr(target.value), ast.Constant(target.attr), value))
        if isinstance(target, ast.Subscript):
            return ast.Expr(on_run("put", self.expr(target.value), self.index(target.slice), value))
        return ast.Assign([self.target(target)], on_run("shaped", value, self.pattern(target)))

    def assignments(self, targets, value):
        """An assignment; parts of several targets that are no plain names get their part after all of it is computed."""
        parts = [t for target in targets for t in (target.elts if isinstance(target, (ast.Tuple, ast.List)) else [target])]
        if len(targets) == 1 and not (isinstance(targets[0], (ast.Tuple, ast.List)) and any(isinstance(p, (ast.Attribute, ast.Subscript)) for p in parts)):
            return [self.assigned(targets[0], value)]
        made = [ast.Assign([ast.Name("_value", ast.Store())], value)]
        for target in targets:
            if isinstance(target, (ast.Tuple, ast.List)):
                made.append(ast.Assign([ast.Name("_parts", ast.Store())], on_run("shaped", load("_value"), ast.Tuple([ast.Constant(None)] * len(target.elts), ast.Load()))))
                for place, part in enumerate(target.elts):
                    made.append(self.assigned(part, ast.Subscript(load("_parts"), ast.Constant(place), ast.Load())))
            else:
                made.append(self.assigned(target, load("_value")))
        return made

    # Statements

    def block(self, statements):
        return [made for statement in statements for made in self.statement(statement)] or [ast.Pass()]

    def statement(self, s):
        """A statement made anew; where an edit is, with a note that it is reached."""
        made = getattr(self, "do_" + type(s).__name__, self.cannot)(s)
        notes = [ast.Expr(on_run("reach", ast.Constant(place))) for place, span in enumerate(self.spans) if self.holds(s, span)]
        return notes + made

    def holds(self, s, span):
        """Whether an edit is in a statement itself, and not in one inside it."""
        def meets(node):
            start, end = self.file.span(node)
            return start < span[1] and span[0] < end

        return span[0] < span[1] and meets(s) and not any(meets(inner) for block in blocks_of(s) for inner in block) and not isinstance(s, ast.FunctionDef)

    def do_Expr(self, s):
        return [ast.Expr(self.expr(s.value))]

    def do_Return(self, s):
        return [ast.Return(self.maybe(s.value))]

    def do_Pass(self, s):
        return [type(s)()]

    do_Break = do_Continue = do_Pass

    def do_Assign(self, s):
        # What is taken apart is no array, whatever facts say of it.
        is_call = isinstance(s.targets[0], (ast.Tuple, ast.List)) and isinstance(s.value, ast.Call)
        return self.assignments(s.targets, self.on_Call(s.value) if is_call else self.expr(s.value))

    def do_AnnAssign(self, s):
        return self.assignments([s.target], self.expr(s.value)) if s.value is not None else []

    def do_AugAssign(self, s):
        target = s.target
        now = ast.Attribute(target.value, target.attr, ast.Load()) if isinstance(target, ast.Attribute) else target
        now = ast.Subscript(target.value, target.slice, ast.Load()) if isinstance(target, ast.Subscript) else now
        now = on_run("attr", self.expr(target.value), ast.Constant(target.attr)) if isinstance(target, ast.Attribute) else self.expr(ast.copy_location(now, target))
        made = self.op(s.op, now, self.expr(s.value))
        made.keywords.append(ast.keyword("inplace", ast.Constant(True)))
        return [self.assigned(target, made)]

    def do_Delete(self, s):
        made = []
        for target in s.targets:
            if isinstance(target, ast.Name):
                made.append(ast.Delete([ast.Name("v_" + target.id, ast.Del())]))
            elif isinstance(target, ast.Subscript):
                made.append(ast.Expr(on_run("drop", self.expr(target.value), self.index(target.slice))))
            elif isinstance(target, ast.Attribute):
                made.append(ast.Expr(on_run("drop_attr", self.expr(target.value), ast.Constant(target.attr))))
            else:
                self.cannot(s)
        return made

    def do_If(self, s):
        return [ast.If(self.expr(s.test), self.block(s.body), self.block(s.orelse) if s.orelse else [])]

    def do_While(self, s):
        return [ast.While(on_run("more", self.expr(s.test)), self.block(s.body), self.block(s.orelse) if s.orelse else [])]

    def do_For(self, s):
        values = on_run("each", self.expr(s.iter), self.pattern(s.target))
        return [ast.For(self.target(s.target), values, self.block(s.body), self.block(s.orelse) if s.orelse else [])]

    def do_With(self, s):
        items = [ast.withitem(self.expr(item.context_expr), None if item.optional_vars is None else self.target(item.optional_vars)) for item in s.items]
        return [ast.With(items, self.block(s.body))]

    def do_Raise(self, s):
        return [ast.Raise(on_run("raised", self.expr(s.exc)) if s.exc else None, None)]

    def do_Assert(self, s):
        return [ast.Assert(self.expr(s.test), self.maybe(s.msg))]

    def do_Try(self, s):
        handlers = []
        for handler in s.handlers:
            kinds = on_run("caught", self.expr(handler.type)) if handler.type else load("Exception")
            handlers.append(ast.ExceptHandler(kinds, handler.name and "v_" + handler.name, self.block(handler.body)))
        return [ast.Try(self.block(s.body), handlers, self.block(s.orelse) if s.orelse else [], self.block(s.finalbody) if s.finalbody else [])]

    def do_Import(self, s):
        names = sorted(set(bound_by(s)))
        if any(imported_path(s, name) is None for name in names):
            self.cannot(s)
        return [ast.Assign([ast.Name("v_" + name, ast.Store())], on_run("imported", ast.Constant(imported_path(s, name)))) for name in names]

    do_ImportFrom = do_Import

    def do_Nonlocal(self, s):
        return [ast.Nonlocal(["v_" + name for name in s.names])]

    def do_FunctionDef(self, s):
        if any("compile" not in ast.unparse(d) for d in s.decorator_list) or isinstance(self.scopes[-1], ast.Module):
            return [ast.Assign([ast.Name("v_" + s.name, ast.Store())], on_run("make", ast.Constant(f"function {s.name}")))]
        args = self.arguments(s.args)
        self.enter(s, self.locals(s))
        body = self.block(s.body)
        self.leave()
        return [ast.FunctionDef(name="v_" + s.name, args=args, body=body, decorator_list=[], returns=None, type_params=[])]

    def do_ClassDef(self, s):
        if isinstance(self.scopes[-1], ast.Module):
            return [ast.Assign([ast.Name("v_" + s.name, ast.Store())], on_run("make", ast.Constant(f"class {s.name}")))]
        return self.cannot(s, "is a class")

    def arguments(self, a):
        def plain(parameters):
            return [ast.arg("v_" + p.arg) for p in parameters]

        rest = [ast.arg("v_" + p.arg) if p else None for p in (a.vararg, a.kwarg)]
        defaults, named = self.all(a.defaults), self.all(a.kw_defaults)
        return ast.arguments(posonlyargs=[], args=plain((*a.posonlyargs, *a.args)), vararg=rest[0], kwonlyargs=plain(a.kwonlyargs), kw_defaults=named, kwarg=rest[1], defaults=defaults)

    # All of it

    def program(self, around=None):
        """A function of a run that does what the code does, and gives what it returns or leaves. `around` says how many statements of the innermost block
        are left out, before the edits and behind them."""
        if isinstance(self.scope, ast.AsyncFunctionDef):
            self.cannot(self.scope, "waits for others")
        self.inside.append(set(self.file.locals(self.scope)) if isinstance(self.scope, ast.Module) else self.locals(self.scope))
        if around:
            block = self.block_around()[0]
            body = self.statements(block[around[0] : len(block) - around[1]])
        else:
            body = self.parameters() + self.block(self.scope.body)
        args = ast.arguments(posonlyargs=[], args=[ast.arg(RUN)], vararg=None, kwonlyargs=[], kw_defaults=[], kwarg=None, defaults=[])
        main = ast.FunctionDef(name="code", args=args, body=body, decorator_list=[], returns=None, type_params=[])
        for node in ast.walk(main):
            if isinstance(node, (ast.Assign, ast.For, ast.With)):
                node.lineno = 1
        tree = ast.fix_missing_locations(ast.Module([main], []))
        names = namespace(slice=slice, **{name: value for name, value in vars(builtins).items() if name in BUILTINS})
        try:
            exec(compile(tree, "<code>", "exec"), names)
        except SyntaxError as error:
            raise CannotReplay(f"some statements cannot be run alone: {error.msg}") from None
        return names["code"], ast.unparse(tree)

    def statements(self, part):
        """Some statements that are run alone: the names around are given, and those that they bind are what is left."""
        bound = {name for s in statements_in(part) for name in bound_by(s)}
        deleted = {name for s in statements_in(part) if isinstance(s, ast.Delete) for target in s.targets for name in names_in(target)}
        if not isinstance(self.scope, ast.Module):  # The names of a module are for all to read.
            inside = {node for s in part for node in ast.walk(s)}
            read = {node.id for node in ast.walk(self.scope) if isinstance(node, ast.Name) and node not in inside and not isinstance(node.ctx, ast.Store)}
            bound, deleted = bound & read, deleted & read
        if deleted:
            self.cannot(part[0], "deletes a name, and what reads it cannot be run")
        given = [ast.Assign([ast.Name("v_" + name, ast.Store())], on_run("make", ast.Constant(name))) for name in sorted(self.inside[0])]
        left = ast.Dict([ast.Constant(name) for name in sorted(bound)], [load("v_" + name) for name in sorted(bound)])
        return [*given, *self.block(part), ast.Return(left)]

    def block_around(self):
        """The innermost block that holds all edits, and how many of its statements are before and behind them."""
        block = inner = self.scope.body
        while inner is not None:
            block, inner = inner, next((b for s in inner for b in blocks_of(s) if b and all(self.lies_in(span, b) for span in self.spans)), None)
        start, end = min(span[0] for span in self.spans), max(span[1] for span in self.spans)
        before = sum(self.file.span(s)[1] <= start for s in block)
        return block, before, sum(self.file.span(s)[0] >= end for s in block)

    def lies_in(self, span, block):
        return self.file.span(block[0])[0] <= span[0] and span[1] <= self.file.span(block[-1])[1]

    def parameters(self):
        """What the function is given: one value for each parameter."""
        a = self.scope.args
        positional = [*a.posonlyargs, *a.args]
        defaults = dict(zip([p.arg for p in positional][len(positional) - len(a.defaults) :], a.defaults))
        defaults |= {p.arg: d for p, d in zip(a.kwonlyargs, a.kw_defaults) if d is not None}
        made = []
        for name in parameters_of(self.scope):
            default = [ast.Constant(d.value) for d in [defaults.get(name)] if isinstance(d, ast.Constant)]
            value = on_run("given", ast.Constant(name), ast.Tuple(default, ast.Load()))
            value = ast.Dict([], []) if a.kwarg and a.kwarg.arg == name else value
            made.append(ast.Assign([ast.Name("v_" + name, ast.Store())], value))
        return made
