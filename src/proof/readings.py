"""The ways to read a pattern: each choice of alternatives as a function of its own, cut to the parameters that it binds.

Reads the text of a rule; runs nothing of it but what `compiled` is asked for.
"""

import ast
import itertools


class Choose(ast.NodeTransformer):
    """Replaces the n-th call of `any_of` by the alternative chosen for it."""

    def __init__(self, choice):
        self.choice = list(choice)

    def visit_Call(self, node):
        if isinstance(node.func, ast.Name) and node.func.id == "any_of":
            node = node.args[self.choice.pop(0)]
            return self.visit(node)
        return self.generic_visit(node)


def calls_of(tree, name):
    """Every call of `name` in `tree`, in the order of the text."""
    calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id == name]
    return sorted(calls, key=lambda n: (n.lineno, n.col_offset))


def with_helpers(function, helpers):
    """The pattern with the helpers of its file that it calls as inner functions, so that their alternatives are chosen with its own."""
    used = [h for name, h in helpers.items() if calls_of(function, name)]
    used += [h for name, h in helpers.items() if h not in used and any(calls_of(u, name) for u in used)]
    copy = ast.parse(ast.unparse(function)).body[0]
    copy.body = used + copy.body
    return ast.parse(ast.unparse(copy)).body[0]


def drop_unused_parameters(function):
    """Takes parameters that an inner function does not read in this reading, and their arguments, away: those wildcards are not bound."""
    for helper in [n for n in function.body if isinstance(n, ast.FunctionDef)]:
        read = {n.id for statement in helper.body for n in ast.walk(statement) if isinstance(n, ast.Name)}
        kept = [i for i, a in enumerate(helper.args.args) if a.arg in read]
        helper.args.args = [helper.args.args[i] for i in kept]
        for call in calls_of(function, helper.name):
            call.args = [call.args[i] for i in kept]


def branches(function, helpers):
    """Each way to read a pattern: the choice of alternatives, and the function with them in place of `any_of`.

    Its parameters are cut to the wildcards that this reading binds. Readings that come to the same text are given once.
    """
    function = with_helpers(function, helpers)
    seen = set()
    for choice in itertools.product(*(range(len(call.args)) for call in calls_of(function, "any_of"))):
        copy = Choose(choice).visit(ast.parse(ast.unparse(function)).body[0])
        drop_unused_parameters(copy)
        own = [statement for statement in copy.body if not isinstance(statement, ast.FunctionDef)]
        used = {n.id for statement in own for n in ast.walk(statement) if isinstance(n, ast.Name)}
        copy.args.args = [a for a in copy.args.args if a.arg in used]
        if ast.unparse(copy) not in seen:
            seen.add(ast.unparse(copy))
            yield choice, ast.fix_missing_locations(copy)


def compiled(function, namespace):
    module = ast.Module(body=[function], type_ignores=[])
    local = dict(namespace)
    exec(compile(module, function.name, "exec"), local)
    return local[function.name]


def conjuncts(function):
    """The conditions that a guard joins with `and`, each as a function of its own with its text."""
    returned = [statement for statement in function.body if isinstance(statement, ast.Return)]
    pending, parts = [returned[0].value], []
    while pending:
        value = pending.pop(0)
        if isinstance(value, ast.BoolOp) and isinstance(value.op, ast.And):
            pending = value.values + pending
            continue
        copy = ast.parse(ast.unparse(function)).body[0]
        copy.body = [ast.Return(value)]
        parts.append((ast.unparse(value), ast.fix_missing_locations(copy)))
    return parts


def live(statements):
    """The statements without the assignments that the last one does not need."""
    kept, needed = [statements[-1]], {n.id for n in ast.walk(statements[-1]) if isinstance(n, ast.Name)}
    for statement in reversed(statements[:-1]):
        if isinstance(statement, ast.Assign) and statement.targets[0].id in needed:
            kept.insert(0, statement)
            needed |= {n.id for n in ast.walk(statement.value) if isinstance(n, ast.Name)}
    return kept


def in_uses(reading, after, uses, helpers):
    """A reading put into each use that a rule lists of its value: as `before` has it, and as `after` has it, by its parameters' names."""
    subject = uses.args.args[0].arg
    for element in uses.body[-1].value.elts:
        use = ast.parse(ast.unparse(uses)).body[0]
        use.body[-1].value = element
        use.body = live(use.body)
        for _, way in branches(use, helpers):
            others = [a for a in way.args.args if a.arg != subject]
            sides = []
            for side in (reading, after):
                given = ", ".join(a.arg for a in side.args.args)
                names = ", ".join(ast.unparse(a) for a in [*reading.args.args, *others])
                lines = [ast.unparse(side), f"{subject} = {side.name}({given})", *map(ast.unparse, way.body)]
                body = "\n".join(lines).replace("\n", "\n    ")
                sides.append(ast.parse(f"def {side.name}_in_use({names}):\n    {body}").body[0])
            yield subject, sides
