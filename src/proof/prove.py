"""Proves one rule: runs what it finds and what it makes of it under MLX, and holds both against a float64 computation.

Where the guard admits an input, `after` has the shape and dtype of `before`, raises nothing new, and is as accurate as its class in
`numerics` says: `exact` means the same bits, and all classes but `less precise` mean no further from
float64 than `before`; a mean error may be larger where the class is `less precise`. Where a rule lists the `uses` of its value, it is run in each of them; where it says what it `narrows`, a
float32 result may become one in the half precision of the inputs. Where the guard refuses, the two must differ on some input, or it refuses too much,
unless the rule's `cautions` say why the condition is asked all the same. They may also say why `after` is less accurate inside `mx.grad`. Gives plain data.
"""

import ast
import contextlib
import inspect
import itertools
import os

import mlx.core as mx
import numpy as np
import oracle
import readings
import stress

ERRORS = (TypeError, ValueError, RuntimeError, IndexError, AttributeError, ZeroDivisionError, NotImplementedError)
GRADIENT = {"float32": 1e-3, "float16": 5e-2, "bfloat16": 2e-1, "float64": 1e-3, "complex64": 1e-3}  # largest error, as a share of the largest gradient


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


def usual(label, arguments):
    """Whether an input belongs to the row of its dtype: all floating arrays have it."""
    return uniform(arguments) and not label.endswith(("int32", "uint8", "bool", "complex64", "float64"))


def is_empty(value):
    return isinstance(value, mx.array) and value.size == 0


def fits_device(arguments):
    """Whether the device takes the arguments: kernels of MLX's CUDA backend raise, or end the process, on arrays without elements (MLX 0.32.4)."""
    return mx.default_device() == mx.cpu or not any(map(is_empty, arguments.values()))


@contextlib.contextmanager
def device_of(arguments):
    """Within it, what is computed is computed where the arguments can be: only the CPU has float64."""
    device = mx.default_device()
    if any(isinstance(a, mx.array) and a.dtype == mx.float64 for a in arguments.values()):
        mx.set_default_device(mx.cpu)
    try:
        yield
    finally:
        mx.set_default_device(device)


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
        self.mean = self.largest = self.extreme = (0.0, 0.0)

    def add(self, measure, problem, extreme):
        self.ran += 1
        self.same_bits += bool(measure.equal) if measure else not problem
        if measure is None:
            return
        if extreme:
            self.extreme = tuple(max(p) for p in zip(self.extreme, measure.largest))
            return
        self.mean = tuple(max(p) for p in zip(self.mean, measure.mean))
        self.largest = tuple(max(p) for p in zip(self.largest, measure.largest))


class Variant:
    """One pattern of a rule, its replacement and its guard."""

    def __init__(self, rule, name):
        self.rule, self.name = rule, name
        self.numerics = rule.namespace.get("numerics", {}).get(name, "")  # Advice claims nothing of numbers.
        self.after = rule.family(name, "after")
        self.guard = rule.family(name, "guard")
        self.definition = rule.family(name, "guard", rule.functions)
        parts = readings.conjuncts(self.definition) if self.definition else []
        self.conditions = [(text, readings.compiled(part, rule.namespace)) for text, part in parts]
        self.held, self.subject = [], None
        self.rows, self.failures, self.reasons = {}, {}, {text: [0, 0] for text, _ in self.conditions}
        self.contexts = {context: [0, 0] for context in CONTEXTS}

    def admits(self, arguments):
        """Whether the guard admits the arguments, and the one condition that alone refuses them, if there is one."""
        failing = []
        if self.subject:
            name, pattern = self.subject
            arguments = arguments | {name: call(pattern, oracle.copied(arguments))}
        for text, condition in self.conditions:
            try:
                holds = bool(call(condition, arguments))
            except ERRORS:
                holds = False
            if not holds:
                failing.append(text)
        return not failing, failing[0] if len(failing) == 1 else None

    def fail(self, kind, reading, label, arguments, outcome):
        """Keeps the smallest counterexample of its kind; one that shows no numbers only where there is no other."""
        size = sum(a.size for a in arguments.values() if isinstance(a, mx.array)) or float("inf")
        if kind not in self.failures or size < self.failures[kind][0]:
            told = {name: shown(value) for name, value in arguments.items()}
            text = ast.unparse(reading)
            self.failures[kind] = (size, {"kind": kind, "inputs": label, "arguments": told, "reading": text} | outcome)

    def settle(self, trials):
        """Runs `trials`; gives those that the guard admits and that hold."""
        return [trial for trial in trials if trial.build(self) and trial.survives() and self.judge(trial)]

    def judge(self, trial):
        """Enters what came of a trial; says whether it holds."""
        row, arguments = trial.row, trial.arguments
        problem, measure = trial.outcome(self.numerics)
        if not trial.admitted:
            row.refused += 1
            row.needed += bool(problem)
            if trial.alone:
                self.reasons[trial.alone][0] += 1
                self.reasons[trial.alone][1] += bool(problem)
            return False
        if problem and measure and measure.dtype_changed and not uniform(arguments):
            row.other_dtype += 1  # The comparison of dtypes refuses it, for every rule alike.
            return False
        row.add(measure, problem, trial.extreme)
        if problem:
            results = {"problem": problem, "before": shown(trial.old), "after": trial.error or shown(trial.new)}
            self.fail(problem.split(" ")[0], trial.reading, trial.label, arguments, results)
        return not problem

    def ways(self):
        """Each way to read the pattern, in each use that the rule lists, with what it becomes."""
        rule = self.rule
        uses = rule.functions.get(self.name.replace("before", "uses", 1))
        for _, reading in readings.branches(rule.functions[self.name], rule.helpers):
            if uses is None:
                yield reading, self.after, None
                continue
            definition = rule.family(self.name, "after", rule.functions)
            for subject, (before, after) in readings.in_uses(reading, definition, uses, rule.helpers):
                pattern = readings.compiled(reading, rule.namespace)
                yield before, readings.compiled(after, rule.namespace), (subject, pattern)

    def prove_reading(self, reading, number, step):
        """Proves one reading of the pattern; the first takes every input of `stress`, the others take turns."""
        before = readings.compiled(reading, self.rule.namespace)
        parameters = [a.arg for a in reading.args.args]
        reached = 0
        for name, dtype in oracle.DTYPES.items():
            row = self.rows.setdefault(name, Row())
            inputs = self.rule.inputs(dtype, reading)
            for which, given in enumerate(inputs):
                missing = [p for p in parameters if p not in given]
                if missing:
                    raise LookupError(f"`inputs` gives no `{missing[0]}`")
                arguments = {p: given[p] for p in parameters}
                period, trials = max(step if number else 1, 1 + which // 4), []
                for turn, (label, changed, extreme) in enumerate([("as given", arguments, False), *stress.all_of(arguments)]):
                    if (turn == 0 or turn % period == (number + which) % period) and fits_device(changed):
                        target = row if usual(label, changed) else self.rows.setdefault("other", Row())
                        trials.append(Trial(target, reading, before, label, changed, extreme))
                holds = self.settle(trials)
                reached += len(holds)
                # Inside transformations of functions the first reading is run on all that the rule gives and on some of the rest, the others take turns.
                due = number == 0 or which % len(inputs) == number % len(inputs)
                others = [trial for trial in holds if trial.label != "as given"] if number == 0 else []
                self.held += [(self.after, trial) for trial in [*trials[:1], *others[which % 8 :: 8]] if due and trial in holds]
        if not reached:
            problem = "nothing ran: either `before` raises or the guard refuses whatever `inputs` gives"
            self.fail("nothing", reading, "all", {}, {"problem": problem, "before": "", "after": ""})

    def check_contexts(self):
        """The same inside what transforms functions. Comes last: MLX is slow to compute once it has transformed something."""
        for (after, trial), (name, run) in itertools.product(self.held, CONTEXTS.items()):
            if run is compiled and not trial.extreme and trial.label != "as given":
                continue  # On the CPU other shapes and dtypes are other programs for a C++ compiler.
            if run is differentiated and trial.extreme:
                continue  # Gradients of them cancel: what is left is rounding.
            with device_of(trial.arguments):
                problems = [*run(trial.before, after, trial.arguments, lambda *results: trial.measure(self.numerics, *results))]
            self.contexts[name][0] += len(problems)
            for problem in filter(None, problems):
                self.contexts[name][1] += 1
                if f"mx.{name}" in self.rule.cautions:
                    continue
                outcome = {"problem": problem, "before": "", "after": ""}
                self.fail(name, trial.reading, f"{trial.label}, under mx.{name}", trial.arguments, outcome)

    def record(self):
        """What was seen, as plain data."""
        alike = [v for v in self.rule.variants if v.definition is self.definition]  # Of one guard each condition must be good for something once.
        too_much = [text for text, (times, _) in self.reasons.items() if times and not any(v.reasons[text][1] for v in alike)]
        return {
            "name": self.name,
            "numerics": self.numerics,
            "rows": [{"dtype": dtype} | vars(row) for dtype, row in self.rows.items()],
            "contexts": {name: {"ran": n, "failed": bad, "why": self.rule.cautions.get(f"mx.{name}", "")} for name, (n, bad) in self.contexts.items()},
            "refusals": [{"condition": text, "alone": n, "needed": needed, "why": self.rule.cautions.get(text, "")} for text, (n, needed) in self.reasons.items()],
            "too_strict": too_much,
            "failures": [failure for _, failure in self.failures.values()],
        }


def narrowed(old, new, arguments):
    """The old result in the dtype of the new one, where that is the half precision of an argument."""
    halves = {a.dtype for a in arguments.values() if isinstance(a, mx.array)} & set(stress.HALVES)
    return old.astype(new.dtype) if old.dtype == mx.float32 and new.dtype in halves else old


class Trial:
    """One input, and what both sides make of it."""

    def __init__(self, row, reading, before, label, arguments, extreme=False):
        self.row, self.reading, self.before, self.label, self.arguments, self.extreme = row, reading, before, label, arguments, extreme
        self.old = self.new = self.truth = self.error = None
        self.admitted = self.alone = self.narrows = None

    def build(self, variant):
        """Says what is to be computed. False where `before` raises."""
        with device_of(self.arguments):
            if any(map(is_empty, self.arguments.values())):
                judged, error = attempt(lambda: variant.admits(self.arguments), evaluate=False)
                if not error and not judged[0]:
                    self.row.refused += 1  # With nothing in them, what a guard refuses can end the process.
                    return False
            self.old, error = attempt(lambda: call(self.before, oracle.copied(self.arguments)), evaluate=False)
            if error:  # Not every reading of a pattern takes every input: no sum with a mask of None.
                self.row.raised += 1
                return False
            self.narrows = "narrows" in variant.rule.namespace
            self.admitted, self.alone = variant.admits(self.arguments)
            self.new, self.error = attempt(lambda: call(variant.after, oracle.copied(self.arguments)), evaluate=False)
        if isinstance(self.old, mx.array) and isinstance(self.new, mx.array):
            with oracle.float64():
                truth, error = attempt(lambda: call(self.before, wide(self.arguments)), evaluate=False)
            # Some functions have no float64 form; what they answer now is then the measure.
            self.truth = self.old if error else truth
        return True

    def survives(self):
        """Computes one side after the other; MLX takes longer for many small arrays at once. False where `before` raises only now."""
        if attempt(lambda: self.old)[1]:
            self.row.raised += 1
            return False
        self.error = self.error or attempt(lambda: self.new)[1]
        if self.truth is not None and not self.error and attempt(lambda: self.truth)[1]:
            self.truth = self.old
        return True

    def measure(self, numerics, old, new, truth):
        """How two results for this input compare with the truth."""
        old = narrowed(old, new, self.arguments) if self.narrows else old
        # What overflows on its way to the result does so in float64 as well, only later: to be spared that is to be more precise.
        return oracle.Measure(old, new, truth, reaches_further=self.extreme and numerics == "more precise")

    def outcome(self, numerics):
        """What is wrong with `after` in place of `before`, if anything, and how they compare."""
        if self.error:
            return f"raises {self.error}", None
        if self.truth is None:
            same = type(self.old) is type(self.new) and self.old == self.new
            return (None if same else f"value {self.old!r} became {self.new!r}"), None
        measure = self.measure(numerics, self.old, self.new, self.truth)
        if numerics == "exact":
            return measure.not_the_same_bits(), measure
        # Extreme values make the same rounding weigh more or less: on them the mean says nothing of a rule.
        return measure.less_accurate(mean=self.label == "as given" and numerics != "less precise"), measure


def split(arguments):
    """The names of the arrays, and the rest."""
    arrays = [name for name, value in arguments.items() if isinstance(value, mx.array)]
    return arrays, {name: value for name, value in arguments.items() if name not in arrays}


def of_arrays(function, arrays, rest):
    """A function of arrays alone, as transformations of functions want it."""
    return lambda *values: call(function, rest | dict(zip(arrays, values)))


def under(transform, before, after, measure, truth_of):
    """What is wrong with `after` under a transformation of functions, if anything; nothing is yielded where `before` does not run there."""
    old, error = attempt(lambda: transform(before))
    if error or not isinstance(old, mx.array):
        return
    new, error = attempt(lambda: transform(after))
    if error:
        yield f"raises {error}"
        return
    with oracle.float64():
        truth, error = attempt(truth_of)
    yield measure(old, new, old if error else truth).less_accurate(mean=False)


def compiled(before, after, arguments, measure):
    """Inside `mx.compile`."""
    arrays, rest = split(arguments)

    def transform(function):
        return mx.compile(of_arrays(function, arrays, rest))(*(arguments[name] for name in arrays))

    yield from under(transform, before, after, measure, lambda: call(before, wide(arguments)))


def mapped(before, after, arguments, measure):
    """Inside `mx.vmap`, over all arrays and over all but one."""
    arrays, rest = split(arguments)
    for chosen in [arrays, *([n for n in arrays if n != name] for name in arrays if len(arrays) > 1)]:
        others = arguments | {name: arguments[name][::-1] for name in chosen if arguments[name].ndim}
        given = [mx.stack([arguments[name], others[name]]) if name in chosen else arguments[name] for name in arrays]
        axes = tuple(0 if name in chosen else None for name in arrays)

        def transform(function):
            return mx.vmap(of_arrays(function, arrays, rest), in_axes=axes)(*given)

        def truth():
            return mx.stack([call(before, wide(arguments)), call(before, wide(others))])

        yield from under(transform, before, after, measure, truth)


def differentiated(before, after, arguments, _measure):
    """Inside `mx.grad`, for all floating arrays at once."""
    arrays, rest = split(arguments)
    names = [name for name in arrays if stress.is_floating(arguments[name])]
    rest = rest | {name: arguments[name] for name in arrays if name not in names}
    if not names:
        return

    def gradients(function, rest, values):
        def loss(*values):
            out = call(function, rest | dict(zip(names, values))).astype(mx.float32)
            weights = mx.cos(mx.arange(out.size)).reshape(out.shape)
            return (out * weights).sum()

        return [*mx.grad(loss, argnums=tuple(range(len(names))))(*values)] if len(names) > 1 else [mx.grad(loss)(*values)]

    values = [arguments[name] for name in names]
    old, error = attempt(lambda: gradients(before, rest, values))
    if error:
        return
    new, error = attempt(lambda: gradients(after, rest, values))
    if error:
        yield f"raises {error}"
        return
    with oracle.float64():
        truth, error = attempt(lambda: gradients(before, wide(rest), [oracle.upcast(v) for v in values]))
    if not error:
        yield worse_gradient(names, old, new, truth)


def worse_gradient(names, old, new, truth):
    """What is wrong with the gradients of `after`, if anything."""
    for name, b, a, t in zip(names, old, new, truth):
        if a.shape != b.shape or a.dtype != b.dtype:
            return f"the gradient of `{name}` was {oracle.name_of(b.dtype)}{list(b.shape)} and became {oracle.name_of(a.dtype)}{list(a.shape)}"
        dtype = oracle.name_of(b.dtype)
        b, a, t = oracle.numbers(b), oracle.numbers(a), oracle.numbers(t)
        finite = np.isfinite(t) & np.isfinite(b)
        if not np.isfinite(a[finite]).all():
            return f"the gradient of `{name}` was finite and is not any more"
        size = abs(t[finite]).max(initial=0) or 1.0
        was, now = (abs(v[finite] - t[finite]).max(initial=0) / size for v in (b, a))
        if now > max(4 * was, GRADIENT[dtype]):
            return f"the gradient of `{name}` was wrong by {was:.2g} of its size and became wrong by {now:.2g}"
    return None


CONTEXTS = {"compile": compiled, "vmap": mapped, "grad": differentiated}


class Rule:
    """A rule file, executed, and its text."""

    def __init__(self, name, text):
        self.name = name
        self.namespace = {"__name__": name.replace("-", "_")}
        tree = ast.parse(text, name)
        exec(compile(tree, name, "exec"), self.namespace)
        self.read(tree)

    def read(self, tree):
        """Notes which functions there are."""
        self.functions = {n.name: n for n in tree.body if isinstance(n, ast.FunctionDef)}
        self.cautions = {ast.unparse(ast.parse(text)): why for text, why in self.namespace.get("cautions", {}).items()}
        parts = ("before", "after", "guard", "inputs", "uses")
        self.helpers = {key: n for key, n in self.functions.items() if key.split("_")[0] not in parts}

    def family(self, before, part, among=None):
        """What belongs to a pattern: `after_cast_mask`, or else `after_cast`, or else `after`."""
        among, name = self.namespace if among is None else among, before.replace("before", part, 1)
        while name not in among and "_" in name:
            name = name.rpartition("_")[0]
        return among.get(name)

    def inputs(self, dtype, reading):
        """What the rule is tried on, the same in every run."""
        if "inputs" in self.namespace:
            mx.random.seed(0)
            return list(self.namespace["inputs"](dtype))
        return list(stress.drawn({a.arg: ast.unparse(a.annotation) if a.annotation else "" for a in reading.args.args}, dtype))

    def prove(self):
        """Everything there is to say of the rule."""
        variants = self.variants = []
        for name in (n for n in self.functions if n == "before" or n.startswith("before_")):
            variant = Variant(self, name)
            ways = list(variant.ways())
            for number, (reading, variant.after, variant.subject) in enumerate(ways):
                variant.prove_reading(reading, number, len(ways))
            variants.append(variant)
        unknown = set(self.cautions) - {text for variant in variants for text in variant.reasons} - {f"mx.{name}" for name in CONTEXTS}
        if unknown:
            raise LookupError(f"`cautions` speaks of `{min(unknown)}`, which is no condition of a guard")
        for variant in variants:
            variant.check_contexts()
        return {"id": self.name, "variants": [variant.record() for variant in variants]}


def multiply_exactly():
    """Has a GPU multiply float32 matrices as they are: with 10 bits of each number, what a rewrite does to the last of 24 would not be seen."""
    os.environ["MLX_ENABLE_TF32"] = "0"


def main(job):
    multiply_exactly()
    record = Rule(job["id"], job["text"]).prove()
    return record | {"mlx": mx.__version__, "device": str(mx.default_device())}
