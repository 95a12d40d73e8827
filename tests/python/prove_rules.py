"""Runs the `before` and `after` of every rule file under MLX, over dtypes and over every branch of `any_of`.

usage: prove_rules.py [TRANSFORMS_DIR] [ID...]

A rule holds when `after` has the shape and dtype of `before` on every input that its guard admits, and is as accurate as the
class in `numerics` says: `exact` means the same bits, and all classes but `less precise` mean no further from a float64 computation
than `before`. Where the rule lists the `uses` of its value, each of them is compared; where it says what it `narrows`, a float32 result
may become one in the half precision of the inputs. Exits with 1 if a rule does not hold, or if nothing ran.
"""

import ast
import inspect
import itertools
import pathlib
import sys

import mlx.core as mx
import oracle

CLASSES = {"exact", "exact in one dtype", "rounding", "more precise", "less precise"}


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


def call(function, arguments):
    """Calls a function with those of the arguments that it has parameters for."""
    names = inspect.signature(function).parameters
    return function(**{k: v for k, v in arguments.items() if k in names})


def same_dtype(arguments):
    kinds = {oracle.name_of(a.dtype) for a in arguments.values() if isinstance(a, mx.array) and mx.issubdtype(a.dtype, mx.floating)}
    return len(kinds) <= 1


class Row:
    """What was seen of one variant in one dtype."""

    def __init__(self):
        self.ran = self.refused = self.raised = self.equal = 0
        self.mean, self.largest = (0.0, 0.0), (0.0, 0.0)
        self.error = ""

    def add(self, measure):
        self.ran += 1
        self.equal += measure.equal
        self.mean = tuple(max(p) for p in zip(self.mean, measure.mean))
        self.largest = tuple(max(p) for p in zip(self.largest, measure.largest))

    def merge(self, other):
        self.ran, self.equal = self.ran + other.ran, self.equal + other.equal
        self.refused, self.raised = self.refused + other.refused, self.raised + other.raised
        self.mean = tuple(max(p) for p in zip(self.mean, other.mean))
        self.largest = tuple(max(p) for p in zip(self.largest, other.largest))

    def __str__(self):
        return (
            f"{self.ran:4} ran {self.equal:4} same bits {self.refused:3} refused {self.raised:3} raised   "
            f"mean ulp {self.mean[0]:6.3f} -> {self.mean[1]:6.3f}   largest {self.largest[0]:7.2f} -> {self.largest[1]:7.2f}"
        )


def wide(arguments):
    """The arguments in float64, dtypes too: the oracle must not round where the rule casts back."""
    dtypes = {name: mx.float64 for name, value in arguments.items() if isinstance(value, mx.Dtype)}
    return oracle.map_arrays(oracle.upcast, arguments | dtypes)


def readings(before, after, uses, helpers, namespace):
    """Each way to read a rule: what was chosen, the names of the arguments, and the two sides as functions of a dictionary of these.

    Where the rule lists uses, what both sides compute is put into each of them.
    """
    for choice, branch in branches(before, helpers):
        pattern, names = compiled(branch, namespace), [a.arg for a in branch.args.args]
        sides = [lambda given, side=side: call(side, given) for side in (pattern, after)]
        if uses is None:
            yield choice, names, None, sides
            continue
        subject = uses.args.args[0].arg
        for n, element in enumerate(uses.body[-1].value.elts):
            use = ast.parse(ast.unparse(uses)).body[0]
            use.body[-1].value = element
            for more, reading in branches(use, helpers):
                used, others = compiled(reading, namespace), [a.arg for a in reading.args.args if a.arg != subject]
                put = [lambda given, side=side, used=used: call(used, {**given, subject: side(given)}) for side in sides]
                yield (*choice, n, *more), [*names, *others], (subject, sides[0]), put


def narrowed(old, new, arguments):
    """The old result in the dtype of the new one, where that is the half precision of an argument."""
    halves = {a.dtype for a in arguments.values() if isinstance(a, mx.array)} & {mx.float16, mx.bfloat16}
    return old.astype(new.dtype) if old.dtype == mx.float32 and new.dtype in halves else old


def compare(row, before, after, guard, arguments, numerics, narrows=False):
    """Runs both sides once and says what is wrong, or None."""
    if guard is not None and not guard(arguments):
        row.refused += 1
        return None
    try:
        old = before(oracle.copied(arguments))
        mx.eval(old)
    except (TypeError, ValueError) as error:  # Not every reading of a pattern takes every input: no sum with a mask of None.
        row.raised += 1
        row.error = str(error)
        return None
    try:
        new = after(oracle.copied(arguments))
        mx.eval(new)
    except (TypeError, ValueError, RuntimeError) as error:
        return f"after raised {type(error).__name__}: {error}"
    if not isinstance(old, mx.array):
        row.ran += 1
        row.equal += old == new and type(old) is type(new)
        return None if old == new and type(old) is type(new) else f"{old!r} became {new!r}"
    with oracle.float64():
        truth = before(wide(arguments))
        mx.eval(truth)
    measure = oracle.Measure(narrowed(old, new, arguments) if narrows else old, new, truth)
    row.add(measure)
    if numerics == "exact" or numerics == "exact in one dtype" and same_dtype(arguments):
        return measure.not_the_same_bits()
    return measure.reason if numerics == "less precise" else measure.less_accurate()


def prove_variant(label, functions, helpers, namespace, numerics):
    """Prints one line per dtype; returns how many runs there were and how many failures."""
    before, after, guard, uses = functions
    runs = failures = 0
    for dtype_name, dtype in oracle.DTYPES.items():
        total = Row()
        for choice, names, subject, (old, new) in readings(before, after, uses, helpers, namespace):
            row = Row()

            def admits(arguments, subject=subject):
                value = {subject[0]: subject[1](arguments)} if subject else {}
                return call(guard, {**arguments, **value})

            for given in namespace["inputs"](dtype):
                arguments = {name: given[name] for name in names}
                problem = compare(row, old, new, guard and admits, arguments, numerics, "narrows" in namespace)
                if problem:
                    failures += 1
                    shapes = {k: getattr(v, "shape", v) for k, v in arguments.items()}
                    print(f"FAILED {label} {dtype_name}, branch {choice} on {shapes}: {problem}")
            if row.ran == 0:
                failures += 1
                print(f"FAILED {label} {dtype_name}, branch {choice}: nothing ran, {row.refused} refused by the guard; {row.error}")
            total.merge(row)
        runs += total.ran
        print(f"{label:40} {numerics:18} {dtype_name:9} {total}")
    return runs, failures


def nearest(namespace, variant, kind):
    """The function for a variant: `after_cast_mask`, or else `after_cast`, or else `after`."""
    name = variant.replace("before", kind, 1)
    while name not in namespace and "_" in name:
        name = name.rpartition("_")[0]
    return namespace.get(name)


def prove(path):
    """Proves one rule file; returns how many runs there were and how many failures."""
    tree = ast.parse(path.read_text(), str(path))
    namespace = {}
    exec(compile(tree, str(path), "exec"), namespace)
    functions = {n.name: n for n in tree.body if isinstance(n, ast.FunctionDef)}
    if "inputs" not in functions:
        print(f"{path.stem}: no inputs, so a specification only")
        return 0, 0
    runs = failures = 0
    for variant in (n for n in functions if n == "before" or n.startswith("before_")):
        numerics = namespace["numerics"].get(variant)
        if numerics not in CLASSES:
            print(f"FAILED {path.stem} {variant}: numerics names no class for it")
            failures += 1
            continue
        after, guard = nearest(namespace, variant, "after"), nearest(namespace, variant, "guard")
        uses = functions.get(variant.replace("before", "uses", 1))
        parts = ("before", "after", "guard", "inputs", "uses")
        helpers = {name: n for name, n in functions.items() if name.split("_")[0] not in parts}
        counts = prove_variant(f"{path.stem} {variant}", (functions[variant], after, guard, uses), helpers, namespace, numerics)
        runs, failures = runs + counts[0], failures + counts[1]
    return runs, failures


def main(arguments):
    root = pathlib.Path(arguments[0] if arguments else "transforms")
    wanted = {name.replace("-", "_") for name in arguments[1:]}
    sys.path.insert(0, str(root))
    mx.set_default_device(mx.cpu)
    runs = failures = 0
    for path in sorted(root.glob("*.py")):
        if path.stem == "prelude" or (wanted and path.stem not in wanted):
            continue
        counts = prove(path)
        runs, failures = runs + counts[0], failures + counts[1]
    print(f"{runs} runs, {failures} failures, MLX {mx.__version__}")
    return 1 if failures or runs == 0 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
