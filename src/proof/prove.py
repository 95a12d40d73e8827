"""Proves one rule: runs what it finds and what it makes of it under MLX, and holds both against a float64 computation.

Where the guard admits an input, `after` has the shape and dtype of `before`, raises nothing new, and is as accurate as its class in
`numerics` says: `exact` means the same bits where all arrays share a dtype, and all classes but `less precise` mean no further from
float64 than `before`. Where the guard refuses, the two must differ on some input, or it refuses too much. Gives plain data.
"""

import ast
import inspect

import mlx.core as mx
import oracle
import readings
import stress

CLASSES = {"exact", "rounding", "more precise", "less precise"}
ERRORS = (TypeError, ValueError, RuntimeError, IndexError, AttributeError, ZeroDivisionError, NotImplementedError)
GRADIENT = {"float32": 1e-3, "float16": 5e-2, "bfloat16": 2e-1}  # largest error, as a share of the largest gradient


def call(function, arguments):
    """Calls a function with those of the arguments that it has parameters for."""
    names = inspect.signature(function).parameters
    return function(**{k: v for k, v in arguments.items() if k in names})


def named(error):
    """An exception in one line."""
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"


def attempt(work, evaluate=True):
    """What some work gives, and what it raises instead."""
    try:
        value = work()
        if evaluate:
            mx.eval(value)
        return value, None
    except ERRORS as error:
        return None, named(error)


def wide(arguments):
    """The arguments in float64, dtypes too: the oracle must not round where the rule casts back."""
    dtypes = {name: mx.float64 for name, value in arguments.items() if isinstance(value, mx.Dtype)}
    return oracle.map_arrays(oracle.upcast, arguments | dtypes)


def uniform(arguments):
    """Whether all floating arrays share a dtype, and none is an integer that takes part as a number."""
    return len({oracle.name_of(a.dtype) for a in arguments.values() if isinstance(a, mx.array) and not is_index(a)}) <= 1


def is_index(array):
    return mx.issubdtype(array.dtype, mx.integer)


def has_float64(arguments):
    return any(isinstance(a, mx.array) and a.dtype == mx.float64 for a in arguments.values())


def shown(value):
    """An argument or a result as a person reads it."""
    if not isinstance(value, mx.array):
        return str(value).rsplit(".", 1)[-1] if isinstance(value, mx.Dtype) else repr(value)
    flat = oracle.numbers(value).reshape(-1)
    numbers = ", ".join(f"{n:.6g}" for n in flat[:6]) + (", ..." if flat.size > 6 else "")
    return f"{oracle.name_of(value.dtype)}{list(value.shape)} [{numbers}]"


class Row:
    """What was seen of one pattern in one dtype."""

    def __init__(self):
        self.ran = self.same_bits = self.raised = self.refused = self.needed = self.other_dtype = 0
        self.mean, self.largest = (0.0, 0.0), (0.0, 0.0)

    def add(self, measure):
        self.ran += 1
        if measure is None:
            return
        self.same_bits += bool(measure.equal)
        self.mean = tuple(max(p) for p in zip(self.mean, measure.mean))
        self.largest = tuple(max(p) for p in zip(self.largest, measure.largest))


class Variant:
    """One pattern of a rule, its replacement and its guard."""

    def __init__(self, rule, name):
        self.rule, self.name = rule, name
        self.numerics = rule.namespace["numerics"][name]
        self.after = rule.family(name, "after")
        self.guard = rule.family(name, "guard")
        definition = rule.functions.get(name.replace("before", "guard", 1)) or rule.functions.get("guard")
        parts = readings.conjuncts(definition) if definition else []
        self.conditions = [(text, readings.compiled(part, rule.namespace)) for text, part in parts]
        self.rows, self.failures, self.reasons = {}, {}, {text: [0, 0] for text, _ in self.conditions}
        self.contexts = {context: [0, 0] for context in CONTEXTS}

    def admits(self, arguments):
        """Whether the guard admits the arguments, and the one condition that alone refuses them, if there is one."""
        failing = []
        for text, condition in self.conditions:
            try:
                holds = bool(call(condition, arguments))
            except ERRORS:
                holds = False
            if not holds:
                failing.append(text)
        return not failing, failing[0] if len(failing) == 1 else None

    def fail(self, kind, reading, label, arguments, outcome):
        """Keeps the smallest counterexample of its kind."""
        size = sum(a.size for a in arguments.values() if isinstance(a, mx.array))
        if kind not in self.failures or size < self.failures[kind][0]:
            told = {name: shown(value) for name, value in arguments.items()}
            text = ast.unparse(reading)
            self.failures[kind] = (size, {"kind": kind, "inputs": label, "arguments": told, "reading": text} | outcome)

    def check(self, row, reading, before, label, arguments):
        """Runs both sides once; says whether both could."""
        old, error = attempt(lambda: call(before, oracle.copied(arguments)), evaluate=False)
        if error:  # Not every reading of a pattern takes every input: no sum with a mask of None.
            row.raised += 1
            return False
        admitted, alone = self.admits(arguments)
        new, error = attempt(lambda: call(self.after, oracle.copied(arguments)), evaluate=False)
        try:
            problem, measure = judged(before, arguments, self.numerics, old, new, error)
        except ERRORS:
            # Some mistakes show only when something is computed.
            if attempt(lambda: old)[1]:
                row.raised += 1
                return False
            error = attempt(lambda: new)[1]
            problem, measure = f"raises {error}" if error else None, None
        if not admitted:
            row.refused += 1
            row.needed += bool(problem)
            if alone:
                self.reasons[alone][0] += 1
                self.reasons[alone][1] += bool(problem)
            return False
        if problem and measure and measure.dtype_changed and not uniform(arguments):
            row.other_dtype += 1  # The comparison of dtypes refuses it, for every rule alike.
            return False
        row.add(measure)
        if problem:
            kind = problem.split(" ")[0]
            self.fail(kind, reading, label, arguments, {"problem": problem, "before": shown(old), "after": error or shown(new)})
        return not problem

    def prove_reading(self, reading, number, step):
        """Proves one reading of the pattern; the first takes every input of `stress`, the others take turns."""
        before = readings.compiled(reading, self.rule.namespace)
        parameters = [a.arg for a in reading.args.args]
        reached = False
        for name, dtype in oracle.DTYPES.items():
            row = self.rows.setdefault(name, Row())
            for which, given in enumerate(self.rule.inputs(dtype, reading)):
                missing = [p for p in parameters if p not in given]
                if missing:
                    raise LookupError(f"`inputs` gives no `{missing[0]}`")
                arguments = {p: given[p] for p in parameters}
                held = self.check(row, reading, before, "as given", arguments)
                reached |= held
                if held and which < 2:
                    self.check_contexts(reading, before, arguments)
                for turn, (label, changed) in enumerate(stress.all_of(arguments)):
                    # The first reading takes every change of the first inputs; the others take turns.
                    if turn % max(step if number else 1, 1 + which // 4) != (number + which) % max(step if number else 1, 1 + which // 4):
                        continue
                    special = any(label.endswith(d) for d in ("int32", "bool", "float64")) or not uniform(changed)
                    target = self.rows.setdefault("other", Row()) if special else row
                    if has_float64(changed):
                        mx.set_default_device(mx.cpu)
                    reached |= self.check(target, reading, before, label, changed)
                    mx.set_default_device(self.rule.device)
        if not reached:
            problem = "nothing ran: either `before` raises or the guard refuses whatever `inputs` gives"
            self.fail("nothing", reading, "all", {}, {"problem": problem, "before": "", "after": ""})

    def check_contexts(self, reading, before, arguments):
        """The same inside what transforms functions."""
        for name, run in CONTEXTS.items():
            problem = run(before, self.after, arguments, self.numerics)
            if problem is None:
                continue
            self.contexts[name][0] += 1
            if problem:
                self.contexts[name][1] += 1
                outcome = {"problem": problem, "before": "", "after": ""}
                self.fail(name, reading, f"as given, under mx.{name}", arguments, outcome)

    def record(self):
        """What was seen, as plain data."""
        too_much = [text for text, (times, needed) in self.reasons.items() if times and not needed]
        return {
            "name": self.name,
            "numerics": self.numerics,
            "rows": [{"dtype": dtype} | vars(row) for dtype, row in self.rows.items()],
            "contexts": {name: {"ran": n, "failed": bad} for name, (n, bad) in self.contexts.items()},
            "refusals": [{"condition": text, "alone": n, "needed": needed} for text, (n, needed) in self.reasons.items()],
            "too_strict": too_much,
            "failures": [failure for _, failure in self.failures.values()],
        }


def judged(before, arguments, numerics, old, new, error):
    """What is wrong with `new` in place of `old`, if anything, and how they compare."""
    if error:
        return f"raises {error}", None
    if not isinstance(old, mx.array) or not isinstance(new, mx.array):
        same = type(old) is type(new) and old == new
        return (None if same else f"value {old!r} became {new!r}"), None
    with oracle.float64():
        try:
            truth = call(before, wide(arguments))
        except ERRORS:  # Some functions have no float64 form; what they answer now is then the measure.
            truth = old
    measure = oracle.Measure(old, new, truth)
    if numerics == "exact" and uniform(arguments):
        return measure.not_the_same_bits(), measure
    return (measure.reason if numerics == "less precise" else measure.less_accurate()), measure


def split(arguments):
    """The names of the arrays, and the rest."""
    arrays = [name for name, value in arguments.items() if isinstance(value, mx.array)]
    return arrays, {name: value for name, value in arguments.items() if name not in arrays}


def of_arrays(function, arrays, rest):
    """A function of arrays alone, as transformations of functions want it."""
    return lambda *values: call(function, rest | dict(zip(arrays, values)))


def under(transform, before, after, arguments, numerics, truth_of):
    """What is wrong with `after` under a transformation of functions: None where `before` does not run there, and '' for nothing."""
    old, error = attempt(lambda: transform(before))
    if error or not isinstance(old, mx.array):
        return None
    new, error = attempt(lambda: transform(after))
    if error:
        return f"raises {error}"
    with oracle.float64():
        truth = truth_of()
    measure = oracle.Measure(old, new, truth)
    return (measure.reason if numerics == "less precise" else measure.less_accurate()) or ""


def compiled(before, after, arguments, numerics):
    arrays, rest = split(arguments)

    def transform(function):
        return mx.compile(of_arrays(function, arrays, rest))(*(arguments[name] for name in arrays))

    return under(transform, before, after, arguments, numerics, lambda: call(before, wide(arguments)))


def mapped(before, after, arguments, numerics):
    arrays, rest = split(arguments)
    others = {name: arguments[name][::-1] if arguments[name].ndim else arguments[name] for name in arrays}
    stacks = [mx.stack([arguments[name], others[name]]) for name in arrays]

    def transform(function):
        return mx.vmap(of_arrays(function, arrays, rest))(*stacks)

    def truth():
        return mx.stack([call(before, wide(rest | arguments)), call(before, wide(rest | others))])

    return under(transform, before, after, arguments, numerics, truth)


def differentiated(before, after, arguments, _numerics):
    arrays, rest = split(arguments)
    names = [name for name in arrays if stress.is_floating(arguments[name])]
    rest = rest | {name: arguments[name] for name in arrays if name not in names}
    if not names:
        return None

    def gradients(function, rest, values):
        def loss(*values):
            out = call(function, rest | dict(zip(names, values))).astype(mx.float32)
            weights = mx.cos(mx.arange(out.size)).reshape(out.shape)
            return (out * weights).sum()

        return mx.grad(loss, argnums=list(range(len(names))))(*values)

    values = [arguments[name] for name in names]
    old, error = attempt(lambda: gradients(before, rest, values))
    if error:
        return None
    new, error = attempt(lambda: gradients(after, rest, values))
    if error:
        return f"raises {error}"
    with oracle.float64():
        truth, error = attempt(lambda: gradients(before, wide(rest), [oracle.upcast(v) for v in values]))
    if error:
        return None
    for name, b, a, t in zip(names, old, new, truth):
        if a.shape != b.shape or a.dtype != b.dtype:
            return f"the gradient of `{name}` was {oracle.name_of(b.dtype)}{list(b.shape)} and became {oracle.name_of(a.dtype)}{list(a.shape)}"
        b, a, t = oracle.numbers(b), oracle.numbers(a), oracle.numbers(t)
        size = abs(t).max(initial=0) or 1.0
        was, now = abs(b - t).max(initial=0) / size, abs(a - t).max(initial=0) / size
        if now > max(4 * was, GRADIENT[oracle.name_of(values[0].dtype)]):
            return f"the gradient of `{name}` was wrong by {was:.2g} of its size and became wrong by {now:.2g}"
    return ""


CONTEXTS = {"compile": compiled, "vmap": mapped, "grad": differentiated}


class Rule:
    """A rule file, executed, and its text."""

    def __init__(self, name, text):
        self.name, self.device = name, mx.default_device()
        self.namespace = {"__name__": name.replace("-", "_")}
        tree = ast.parse(text, name)
        exec(compile(tree, name, "exec"), self.namespace)
        self.functions = {n.name: n for n in tree.body if isinstance(n, ast.FunctionDef)}
        parts = ("before", "after", "guard", "inputs")
        self.helpers = {key: n for key, n in self.functions.items() if key.split("_")[0] not in parts}

    def family(self, before, part):
        return self.namespace.get(before.replace("before", part, 1), self.namespace.get(part))

    def inputs(self, dtype, reading):
        if "inputs" in self.namespace:
            return self.namespace["inputs"](dtype)
        return stress.drawn({a.arg: ast.unparse(a.annotation) if a.annotation else "" for a in reading.args.args}, dtype)

    def prove(self):
        """Everything there is to say of the rule."""
        variants = []
        for name in (n for n in self.functions if n == "before" or n.startswith("before_")):
            variant = Variant(self, name)
            ways = [reading for _, reading in readings.branches(self.functions[name], self.helpers)]
            for number, reading in enumerate(ways):
                variant.prove_reading(reading, number, len(ways))
            variants.append(variant.record())
        return {"id": self.name, "variants": variants}


def main(job):
    record = Rule(job["id"], job["text"]).prove()
    return record | {"mlx": mx.__version__, "device": str(mx.default_device())}
