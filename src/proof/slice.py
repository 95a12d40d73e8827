"""Cuts out of a file the statements that one expression depends on, and makes a function of them that may be run.

The file is parsed and never run. What comes out is made anew, node by node, from what is known to be harmless: names that the slice binds
itself, numbers and strings, operators, functions of `mlx.core` that compute, methods of arrays, functions of the same file made of these.
Where a value stands that is given from outside (a leaf), the slice has a parameter. Anything else cannot be replayed, and is named.
"""

import ast
import math

from copies import Copy, load
from harmless import ACTIVATIONS, AT, CONSTANTS, DTYPES, LISTS, PROPERTIES, PURE_BUILTINS, CannotReplay, namespace
from tree import bound_by, imported_path, leaves_early, method_of, names_in, parameters_of, statements_in

MODULES = {"mlx.core": "_mx", "mlx.nn": "_nn", "math": "_math"}
DEEPEST = 40  # Helpers within helpers.

ARITHMETIC = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.MatMult, ast.BitAnd, ast.BitOr, ast.BitXor, ast.LShift, ast.RShift)


class Slice(Copy):
    """The program for one expression of a file."""

    def __init__(self, version, leaves, functions, follows):
        self.file = version["file"]
        self.leaves, self.functions, self.follows = leaves, functions, follows
        self.marks = {(start, end): leaf for start, end, leaf in version["marks"]}
        self.axes = {(start, end): number for start, end, number in version["axes"]}
        self.used, self.extra, self.demands, self.helpers, self.depth = {}, {}, set(), {}, 0
        self.bound = []  # names that helpers, lambdas and comprehensions around the present expression bind

    # What is given from outside

    def leaf(self, number, node):
        """The parameter of the slice for a leaf."""
        self.used.setdefault(number, self.file.source(node))
        return load(f"_leaf{number}")

    def unknown(self, node):
        """The parameter of the slice for something of which only the text is known."""
        text = ast.unparse(node)
        same = [number for number, leaf in enumerate(self.leaves) if leaf["name"] == text]
        if len(same) == 1:
            self.used.setdefault(same[0], text)
            return load(f"_leaf{same[0]}")
        self.extra.setdefault(text, f"_text{len(self.extra)}")
        return load(self.extra[text])

    def mark(self, node):
        return self.marks.get(self.file.span(node))

    def cannot(self, node, why="cannot be given a value"):
        super().cannot(node, why)

    # Expressions

    def expr(self, node):
        """A harmless expression that computes the same as `node`, and asks whether that has as many axes as is assumed."""
        made, number = self.computed(node), self.axes.get(self.file.span(node))
        asked = number is not None and not self.is_bound(node)
        return ast.copy_location(ast.Call(load("_axes"), [made, ast.Constant(number)], []), node) if asked else made

    def is_bound(self, node):
        """Whether it is a name that something around the present expression binds."""
        return isinstance(node, ast.Name) and any(node.id in names for names in self.bound)

    def computed(self, node):
        number = self.mark(node)
        if number is not None:
            leaf = self.leaves[number]
            is_local = isinstance(node, ast.Name) and node.id in self.file.locals(self.scope) and bool(self.file.locals(self.scope)[node.id])
            if not self.is_bound(node) and not (self.follows and is_local and not leaf["opaque"]):
                return self.leaf(number, node)
        handler = getattr(self, "on_" + type(node).__name__, None)
        if handler is None:
            self.cannot(node, "is no computation")
        return ast.copy_location(handler(node), node)

    def on_Constant(self, node):
        if not (node.value is None or node.value is Ellipsis or isinstance(node.value, (bool, int, float, complex, str))):
            self.cannot(node)
        return ast.Constant(node.value)

    def on_BinOp(self, node):
        if not isinstance(node.op, ARITHMETIC):
            self.cannot(node)
        return ast.BinOp(self.expr(node.left), node.op, self.expr(node.right))

    def on_Compare(self, node):
        return ast.Compare(self.expr(node.left), node.ops, self.all(node.comparators))

    def on_Subscript(self, node):
        return ast.Subscript(self.expr(node.value), self.expr(node.slice), ast.Load())

    def on_NamedExpr(self, node):
        value = self.expr(node.value)
        self.demands.discard(node.target.id)
        return ast.NamedExpr(ast.Name("v_" + node.target.id, ast.Store()), value)

    def on_Lambda(self, node):
        self.bound.append(set(parameters_of(node)))
        made = ast.Lambda(self.arguments(node.args), self.expr(node.body))
        self.bound.pop()
        return made

    def on_ListComp(self, node):
        self.bound.append(set())
        generators = []
        for part in node.generators:
            if part.is_async:
                self.cannot(node)
            source = self.expr(part.iter)
            self.bound[-1].update(names_in(part.target))
            generators.append(ast.comprehension(self.target(part.target), source, self.all(part.ifs), 0))
        made = type(node)(self.expr(node.elt), generators)
        self.bound.pop()
        return made

    on_GeneratorExp = on_ListComp

    def target(self, node):
        """What is assigned to, where all of it is plain names."""
        if isinstance(node, ast.Name):
            return ast.Name("v_" + node.id, ast.Store())
        if isinstance(node, (ast.Tuple, ast.List)):
            return ast.Tuple([self.target(part) for part in node.elts], ast.Store())
        return self.cannot(node, "is assigned to")

    def on_Name(self, node):
        name = node.id
        if self.is_bound(node):
            return load("v_" + name)
        if name in self.file.locals(self.scope) and not isinstance(self.scope, ast.Module):
            return self.local(node) if self.scope is self.main else self.cannot(node)
        path = self.path(node)
        if path:
            return self.imported(path, node)
        module = self.file.locals(self.file.tree)
        outer = self.file.scope(self.scope) if not isinstance(self.scope, ast.Module) else None
        while outer is not None:
            if name in self.file.locals(outer) and not isinstance(outer, ast.Module):
                return self.unknown(node)
            outer = self.file.scope(outer)
        if name in module:
            return self.global_(node, module[name])
        if name in PURE_BUILTINS:
            return load(name)
        return self.unknown(node)

    def local(self, node):
        """A local of the scope that is sliced: the statements that assign it are needed."""
        bindings = self.file.locals(self.scope)[node.id]
        imports = [b for b in bindings if isinstance(b, (ast.Import, ast.ImportFrom))]
        if imports:
            path = self.path(node)
            return self.imported(path, node) if path and len(bindings) == 1 else self.cannot(node)
        self.demands.add(node.id)
        return load("v_" + node.id)

    def global_(self, node, bindings):
        """A name of the module: a function, or a value that one statement computes."""
        if len(bindings) != 1:
            return self.unknown(node)
        (binding,) = bindings
        if isinstance(binding, ast.FunctionDef):
            return load(self.helper(binding))
        if isinstance(binding, ast.Assign) and len(binding.targets) == 1 and isinstance(binding.targets[0], ast.Name) and self.scope is not self.file.tree:
            return self.elsewhere(self.file.tree, lambda: self.expr(binding.value))
        if self.scope is self.file.tree:
            return self.local(node)
        return self.unknown(node)

    def elsewhere(self, scope, work):
        """Does some work in another scope."""
        state = self.scope, self.bound
        self.scope, self.bound = scope, []
        self.depth += 1
        try:
            if self.depth > DEEPEST:
                raise CannotReplay("the functions call each other without end")
            return work()
        finally:
            self.scope, self.bound = state
            self.depth -= 1

    def path(self, node):
        """The dotted path of what an import brought in."""
        if isinstance(node, ast.Attribute):
            base = self.path(node.value)
            return base and f"{base}.{node.attr}"
        if not isinstance(node, ast.Name) or any(node.id in names for names in self.bound):
            return None
        scope = self.scope
        while scope is not None:
            if node.id in self.file.locals(scope):
                paths = {imported_path(binding, node.id) for binding in self.file.locals(scope)[node.id]}
                return paths.pop() if len(paths) == 1 else None
            scope = self.file.scope(scope)
        return None

    def imported(self, path, node):
        """A constant, a dtype or a function of a module that is known."""
        if path in MODULES:
            return load(MODULES[path])
        module, _, name = path.rpartition(".")
        if module == "mlx.core" and name in (*CONSTANTS, *DTYPES):
            return ast.Attribute(load("_mx"), name, ast.Load())
        if module in ("math", "numpy") and name in CONSTANTS:
            return load("None") if name == "newaxis" else ast.Attribute(load("_math"), name, ast.Load())
        if path.startswith("mlx.core.") and path[9:] in self.functions:
            made = load("_mx")
            for part in path[9:].split("."):
                made = ast.Attribute(made, part, ast.Load())
            return made
        if module == "mlx.nn" and (name in ACTIVATIONS or name[:1].isupper()):
            return ast.Attribute(load("_nn"), name, ast.Load())
        if path == "mlx.nn.MultiHeadAttention.create_additive_causal_mask":
            return ast.Attribute(ast.Attribute(load("_nn"), "MultiHeadAttention", ast.Load()), name, ast.Load())
        if module == "math" and not name.startswith("_") and hasattr(math, name) or path in ("numpy.sqrt", "numpy.log", "numpy.exp"):
            return ast.Attribute(load("_math"), name, ast.Load())
        return self.cannot(node, "is not known to be harmless")

    def on_Attribute(self, node):
        path = self.path(node)
        if path:
            return self.imported(path, node)
        if node.attr in PROPERTIES:
            return ast.Attribute(self.expr(node.value), node.attr, ast.Load())
        root = node.value
        while isinstance(root, ast.Attribute):
            root = root.value
        if isinstance(root, ast.Name) and not node.attr.startswith("__"):
            return self.unknown(node)
        return self.cannot(node)

    def on_Call(self, node):
        func = node.func
        if any(k.arg is None for k in node.keywords):
            self.cannot(node, "passes on a dictionary")
        method = self.method(func)
        if method is not None:
            callee = load(method)
        elif isinstance(func, ast.Attribute) and self.mark(func) is None and not self.path(func):
            at = isinstance(func.value, ast.Subscript) and isinstance(func.value.value, ast.Attribute) and func.value.value.attr == "at"
            if f"array.{func.attr}" not in self.functions and not (at and func.attr in AT) and func.attr not in LISTS:
                self.cannot(node)
            callee = ast.Attribute(self.expr(func.value), func.attr, ast.Load())
        else:
            callee = self.expr(func)
            if not isinstance(callee, (ast.Name, ast.Attribute)):
                self.cannot(node)
            if isinstance(callee, ast.Name) and callee.id.startswith("_text"):
                self.extra.pop(ast.unparse(func), None)
                self.cannot(node)
            if isinstance(callee, ast.Attribute) and ast.unparse(callee.value) == "_nn" and callee.attr not in ACTIVATIONS:
                self.cannot(node, "makes a module")
        prefix = "" if isinstance(callee, ast.Attribute) or callee.id.startswith("_") or callee.id in PURE_BUILTINS else "v_"
        keywords = [ast.keyword(prefix + k.arg, self.expr(k.value)) for k in node.keywords if k.arg != "stream"]
        return ast.Call(callee, self.all(node.args), keywords)

    def method(self, func):
        """The function made of a method of the class around, or a static one of another, where `func` is one of them and not a value that is given."""
        if not (isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name)) or self.mark(func) is not None:
            return None
        own, name = self.file.around(self.scope, ast.ClassDef) if not isinstance(self.scope, ast.Module) else None, func.value.id
        receives = own is not None and name in parameters_of(self.scope)[:1]
        if receives or own is not None and name == own.name:
            found = method_of(own, func.attr)
        else:
            found = None if self.is_bound(func.value) else self.file.static_of(name, func.attr, self.scope)
        return found and self.helper(found, receives)

    # Functions of the file

    def helper(self, function, receives=False):
        """The name of the function that is made of a function of the file."""
        decorators = [ast.unparse(d) for d in function.decorator_list]
        if any(d != "staticmethod" and "compile" not in d for d in decorators):
            self.cannot(function, "is decorated")
        if function not in self.helpers:
            name = f"h{len(self.helpers)}_{function.name}"
            self.helpers[function] = name, None
            skip = 1 if receives and "staticmethod" not in decorators else 0
            body = self.elsewhere(function, lambda: self.function(function, name, skip))
            self.helpers[function] = name, body
        return self.helpers[function][0]

    def function(self, function, name, skip):
        """A function of the file made anew."""
        self.bound.append(set(self.file.locals(function)) - set(parameters_of(function)[:skip]))
        args = self.arguments(function.args, skip)
        body = [made for statement in function.body for made in self.statement(statement)]
        self.bound.pop()
        return ast.FunctionDef(name=name, args=args, body=body or [ast.Pass()], decorator_list=[], returns=None, type_params=[])

    def arguments(self, a, skip=0):
        if a.vararg or a.kwarg:
            raise CannotReplay("a function takes any number of arguments")
        plain = [ast.arg("v_" + p.arg) for p in (*a.posonlyargs, *a.args)][skip:]
        # Called by name, too.
        defaults = self.all(a.defaults)
        only = [ast.arg("v_" + p.arg) for p in a.kwonlyargs]
        return ast.arguments(posonlyargs=[], args=plain, vararg=None, kwonlyargs=only, kw_defaults=[self.maybe(d) for d in a.kw_defaults], kwarg=None, defaults=defaults)

    def statement(self, s):
        """The statements of a function made anew: all of them, in order."""
        if isinstance(s, ast.Return):
            return [ast.Return(self.maybe(s.value))]
        if isinstance(s, ast.Assign) and not any(isinstance(t, (ast.Attribute, ast.Subscript)) for t in s.targets):
            return [ast.Assign([self.target(t) for t in s.targets], self.expr(s.value), lineno=1)]
        if isinstance(s, ast.AnnAssign) and s.value is not None and isinstance(s.target, ast.Name):
            return [ast.Assign([self.target(s.target)], self.expr(s.value), lineno=1)]
        if isinstance(s, ast.AugAssign) and isinstance(s.target, ast.Name):
            return [ast.AugAssign(self.target(s.target), s.op, self.expr(s.value))]
        if isinstance(s, (ast.Assign, ast.AugAssign)) and isinstance(getattr(s, "target", None) or s.targets[0], ast.Subscript):
            return [self.store(s)]
        if isinstance(s, ast.If):
            body, orelse = ([made for inner in block for made in self.statement(inner)] for block in (s.body, s.orelse))
            return [ast.If(self.expr(s.test), body or [ast.Pass()], orelse)]
        if isinstance(s, ast.For) and not s.orelse:
            body = [made for inner in s.body for made in self.statement(inner)]
            return [ast.For(self.target(s.target), self.expr(s.iter), body or [ast.Pass()], [], lineno=1)]
        if isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant) or isinstance(s, (ast.Pass, ast.Assert, ast.Delete)):
            return []
        if isinstance(s, ast.Raise):
            return [ast.Raise(ast.Call(load("ValueError"), [], []), None)]
        return self.cannot(s, "is no computation")

    def store(self, s):
        """`x[i] = v` and `x[i] += v`."""
        target = s.target if isinstance(s, ast.AugAssign) else s.targets[0]
        made = ast.Subscript(self.expr(target.value), self.expr(target.slice), ast.Store())
        return ast.AugAssign(made, s.op, self.expr(s.value)) if isinstance(s, ast.AugAssign) else ast.Assign([made], self.expr(s.value), lineno=1)

    # From the expression back to what it needs

    def program(self, start, end, name):
        """A function of the leaves that computes what stands there."""
        node = self.file.expressions.get((start, end)) or self.file.statements.get((start, end))
        if node is None:
            raise CannotReplay("what is computed is not found in the text")
        self.scope = self.main = self.file.scope(node)
        if isinstance(node, ast.stmt):
            statement, result = node, self.stored(node)
        else:
            statement, result = self.file.around(node, ast.stmt), self.expr(node)
        made = [] if statement is not node else [self.statement(node)[0]]
        while statement is not None:
            outer = self.file.parents[statement]
            block = next((b for b in self.lists(outer) if any(s is statement for s in b)), [])
            place = next((n for n, s in enumerate(block) if s is statement), 0)
            for earlier in reversed(block[:place]):
                made = self.before(earlier) + made
            statement = outer if isinstance(outer, ast.stmt) and outer is not self.scope else None
            if isinstance(outer, (ast.ExceptHandler, *([ast.match_case] if hasattr(ast, "match_case") else []))):
                statement = self.file.around(outer, ast.stmt)
        made = self.parameters() + made
        return self.wrapped(name, made + [ast.Return(result)])

    def stored(self, node):
        """What a statement that changes a name leaves in it, under a condition or none."""
        while isinstance(node, ast.If) and len(node.body) == 1 and not node.orelse:
            (node,) = node.body
        target = node.target if isinstance(node, ast.AugAssign) else node.targets[0] if isinstance(node, ast.Assign) else None
        while isinstance(target, ast.Subscript):
            target = target.value
        if not isinstance(target, ast.Name):
            self.cannot(node, "changes more than a name")
        self.demands.add(target.id)
        return load("v_" + target.id)

    @staticmethod
    def lists(node):
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None)
            if isinstance(block, list):
                yield block

    def parameters(self):
        """What is still needed at the top of the scope: its parameters."""
        return [ast.Assign([ast.Name("v_" + name, ast.Store())], self.unknown(load(name)), lineno=1) for name in sorted(self.demands)]

    def before(self, s):
        """What of an earlier statement is needed, made anew."""
        needed = set(bound_by(s)) & self.demands
        if isinstance(s, ast.Assign):
            if isinstance(s.targets[0], ast.Subscript) and self.base(s.targets[0]) in self.demands:
                return self.statement(s)
            return self.assignment(s.targets, s.value) if needed else []
        if isinstance(s, ast.AnnAssign):
            return self.assignment([s.target], s.value) if needed and s.value is not None else []
        if isinstance(s, ast.AugAssign):
            return self.statement(s) if self.base(s.target) in self.demands else []
        if isinstance(s, ast.FunctionDef) and needed:
            self.demands.discard(s.name)
            return [self.local_function(s)]
        if isinstance(s, ast.If):
            return self.choice(s)
        if isinstance(s, (ast.With, ast.AsyncWith)) and not needed:
            made = []
            for inner in reversed(s.body):
                made = self.before(inner) + made
            return made
        inside = {name for inner in statements_in([s]) for name in bound_by(inner)} if not isinstance(s, (ast.FunctionDef, ast.ClassDef)) else needed
        if inside & self.demands:
            name = sorted(inside & self.demands)[0]
            raise CannotReplay(f"`{name}` is assigned in {'a loop' if isinstance(s, (ast.For, ast.While)) else f'a statement that is not followed'}")
        if isinstance(s, ast.Expr) and isinstance(s.value, ast.Call) and isinstance(s.value.func, ast.Attribute):
            if self.base(s.value.func.value) in self.demands and s.value.func.attr in LISTS:
                return [ast.Expr(self.expr(s.value))]
        return []

    @staticmethod
    def base(target):
        while isinstance(target, ast.Subscript):
            target = target.value
        return target.id if isinstance(target, ast.Name) else None

    def assignment(self, targets, value):
        """An assignment, without the parts of a tuple that nothing needs."""
        names = [set(names_in(target)) for target in targets]
        needed = [(target, bound) for target, bound in zip(targets, names) if bound & self.demands]
        wanted = set(self.demands)
        for _, bound in needed:
            self.demands -= bound
        if isinstance(value, ast.Tuple) and all(isinstance(t, ast.Tuple) and len(t.elts) == len(value.elts) for t, _ in needed):
            parts = []
            for place, part in enumerate(value.elts):
                read = any(set(names_in(t.elts[place])) & wanted for t, _ in needed)
                parts.append(self.expr(part) if read else ast.Constant(None))
            made = ast.Tuple(parts, ast.Load())
        else:
            made = self.expr(value)
        return [ast.Assign([self.target(t) for t, _ in needed], made, lineno=1)]

    def choice(self, s):
        """An `if`: what either branch assigns of what is needed."""
        start, blocks, demands = set(self.demands), [], set()
        for block in (s.body, s.orelse):
            self.demands = set(start)
            made = []
            if leaves_early(block):
                blocks.append(None)
                continue
            for inner in reversed(block):
                made = self.before(inner) + made
            blocks.append(made)
            demands |= self.demands
        self.demands = demands if any(b is not None for b in blocks) else start
        body, orelse = blocks
        if not body and not orelse:
            self.demands = start
            return []
        if body is None or orelse is None:
            return body or orelse or []
        return [ast.If(self.expr(s.test), body or [ast.Pass()], orelse)]

    def local_function(self, s):
        if s.decorator_list:
            self.cannot(s, "is decorated")
        names = set(self.file.locals(s))
        self.bound.append(names)
        body = [made for statement in s.body for made in self.statement(statement)]
        args = self.arguments(s.args)
        self.bound.pop()
        return ast.FunctionDef(name="v_" + s.name, args=args, body=body or [ast.Pass()], decorator_list=[], returns=None, type_params=[])

    def wrapped(self, name, body):
        """The module that defines the program."""
        helpers = [body for _, body in self.helpers.values() if body is not None]
        names = [f"_leaf{n}" for n in self.used] + list(self.extra.values())
        args = ast.arguments(posonlyargs=[], args=[], vararg=None, kwonlyargs=[ast.arg(n) for n in names], kw_defaults=[None] * len(names), kwarg=None, defaults=[])
        main = ast.FunctionDef(name=name, args=args, body=helpers + body, decorator_list=[], returns=None, type_params=[])
        return ast.fix_missing_locations(ast.Module([main], []))


def program(version, place, leaves, functions, follows):
    """The program for one place of a file: what computes it, and the leaves it takes. `follows` says to start as early as possible."""
    made = Slice(version, leaves, functions, follows)
    try:
        return Program(made.program(*place, "site"), made)
    except RecursionError:
        raise CannotReplay("the expression is too deep") from None


class Program:
    """A function of leaves that may be run."""

    def __init__(self, tree, made):
        self.text = ast.unparse(tree)
        self.leaves = dict(made.used)  # the number of each leaf, and how the text calls it
        self.extra = {parameter: text for text, parameter in made.extra.items()}
        self.tree = tree

    def function(self, modules):
        """The function, which sees nothing but what a program may use."""
        names = namespace(**modules)
        exec(compile(self.tree, "<site>", "exec"), names)
        return names["site"]
