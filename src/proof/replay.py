"""Runs sites: what the user's own text computes before an edit and after it, on inputs that fit what is known of the site.

Both texts become functions of the same leaves (`slice.py`); the inputs are those of the rule, fitted to the ranks, lengths, dtypes and numbers that the
site shows; what the guard refuses is left out. The results are judged as `prove.py` judges them: against float64.
"""

import ast
import itertools
import math

import harmless
import mlx.core as mx
import mlx.nn as nn
import oracle
import prove
import slice as slicing
import stress
import tree
import whole

MODULES = {"_mx": mx, "_nn": nn, "_math": math}
MOST_RUNS = 48  # of one site
MOST_TRIED = 400  # inputs that may turn out not to fit
MOST_FAILED = 12  # inputs that fit, but on which the code raises
MOST_GUESSES = 64
DTYPES = {"float32": mx.float32, "float16": mx.float16, "bfloat16": mx.bfloat16}

NORMS = {
    "LayerNorm": [nn.LayerNorm, lambda n: nn.LayerNorm(n, affine=False)],
    "RMSNorm": [nn.RMSNorm],
    "InstanceNorm": [nn.InstanceNorm],
    "GroupNorm": [lambda n: nn.GroupNorm(8, n, pytorch_compatible=True)],
}


class Misfit(Exception):
    """Why an input does not fit a site."""


class Unmet(Exception):
    """Why a run says nothing of an edit: what that assumes does not hold there, or cannot be seen to."""


def formed(form, value):
    """What the program has for a parameter of the pattern."""
    if form == "reciprocal":
        return 1 / value
    if form == "swapped":
        return value.swapaxes(-1, -2)
    if form == "root":
        return value * value
    if form == "inverseroot":
        return 1 / (value * value)
    if form == "opposite":
        return mx.logical_not(value) if isinstance(value, mx.array) else not value
    return value


def is_array(value):
    return isinstance(value, mx.array)


def resized(array, lengths):
    """The array with its axes as long as `lengths` says: repeated or cut."""
    for axis, (was, length) in enumerate(zip(array.shape, lengths)):
        if was != length and was:
            array = mx.take(array, mx.arange(length) % was, axis=axis)
    return array


class Harmless(prove.Rule):
    """A rule file of which only the functions are run, and only those that are seen to be harmless."""

    def __init__(self, name, text, functions):
        self.name = name
        parsed = ast.parse(text, name)
        settings = [n for n in parsed.body if isinstance(n, ast.Assign) and isinstance(n.targets[0], ast.Name)]
        self.namespace = harmless.functions_of(parsed, functions) | {n.targets[0].id: ast.literal_eval(n.value) for n in settings}
        self.read(parsed)


class Rule:
    """What a rule file says of inputs: functions of it that may be run."""

    def __init__(self, site, text, functions):
        self.rule = prove.Rule(site["id"], text) if site["ships"] else Harmless(site["id"], text, functions)
        self.variants = {}

    def variant(self, name):
        if name not in self.variants:
            self.variants[name] = prove.Variant(self.rule, name)
        return self.variants[name]

    def inputs(self, dtype, name):
        return self.rule.inputs(dtype, self.rule.functions[name])


class Site:
    """One finding: both programs, and what is known of the values they are given."""

    def __init__(self, job, rule, files, functions, follows):
        self.job, self.rule, self.leaves = job, rule, job["leaves"]
        self.variant = rule.variant(job["variant"])
        self.pairs = []
        before, after = ({**job[side], "file": files(job[side]["text"])} for side in ("before", "after"))
        for old, new in zip(job["before"]["places"], job["after"]["places"]):
            programs = [slicing.program(version, place, self.leaves, functions, follows) for version, place in ((before, old), (after, new))]
            if programs[0].text != programs[1].text:
                self.pairs.append(programs)
        if not self.pairs:
            raise slicing.CannotReplay("both texts compute the same where they are compared")
        self.used, self.texts = {}, {}
        for program in itertools.chain(*self.pairs):
            self.used.update({n: t for n, t in program.leaves.items() if n not in self.used})
            self.texts.update(program.extra)
        self.functions = [[program.function(MODULES | {"_axes": self.with_axes}) for program in pair] for pair in self.pairs]
        self.names = job["parameters"]
        self.runs = self.same = 0
        self.right = []  # the guesses that the code took
        self.shapes, self.dtypes, self.guessed = {}, {}, False
        self.reached, self.unmet = set(), {}  # the places that ran, and why others did not
        self.largest, self.difference, self.misfits = (0.0, 0.0), None, {}

    def with_axes(self, value, number):
        """A value of the program, if it has as many axes as the edit assumes."""
        least, most = self.job["axes"][number]
        if is_array(value) and not least <= value.ndim <= (value.ndim if most is None else most):
            raise Unmet("no input meets what the edit assumes of how many axes there are")
        self.shown.add(number)
        return value

    @staticmethod
    def parameters_of(definition):
        return [a.arg for a in definition.args.args]

    # Inputs

    def inputs(self):
        """Inputs of the rule, fitted: the ones it gives in each dtype, then ones made of them."""
        given = {dtype: list(self.rule.inputs(DTYPES[dtype], self.job["variant"])) for dtype in DTYPES}
        for dtype, inputs in given.items():
            for arguments in inputs:
                for known in self.with_modules(arguments):
                    yield from self.fitted(known, dtype)
        if not self.runs:
            for arguments in given["float32"]:
                for changed in self.reshaped({n: v for n, v in arguments.items() if n in self.names}):
                    yield from self.fitted(changed, "float32")

    def with_modules(self, arguments):
        """The arguments with modules of the class that the site has, if the rule gives others."""
        wanted = {name: leaf["module"] for leaf in self.leaves if leaf["module"] in NORMS for name, _ in leaf["bound"]}
        other = [n for n, m in wanted.items() if isinstance(arguments.get(n), nn.Module) and type(arguments[n]).__name__ != m]
        arrays = [a for a in arguments.values() if is_array(a) and a.ndim]
        if not other or not arrays:
            yield arguments
            return
        for make in NORMS[wanted[other[0]]]:
            norm = make(arrays[0].shape[-1])
            norm.set_dtype(arrays[0].dtype)
            yield arguments | {other[0]: norm}

    def reshaped(self, arguments):
        arrays = [name for name, value in arguments.items() if is_array(value)]
        for name in arrays:
            for axis, length in enumerate(arguments[name].shape):
                if length > 1:
                    yield arguments | {name: mx.take(arguments[name], mx.array([0]), axis=axis)}
        for _, changed in stress.shapes(arguments):
            yield changed
            for _, again in stress.shapes(changed):
                yield again

    def fitted(self, arguments, dtype):
        """The arguments as the site has them: its numbers, its lengths, then each combination of dtypes that it can have."""
        arguments = given = {n: v for n, v in arguments.items() if n in self.names}
        arguments |= {n: self.constant(arguments.get(n), c) for n, c in self.job["constants"].items()}
        arguments = self.derived(arguments)
        for leaf in self.leaves:  # What is one value here is one value.
            same = [name for name, form in leaf["bound"] if form == "same" and name in arguments]
            arguments |= {name: arguments[same[0]] for name in same[1:]}
        try:
            arguments = self.with_lengths(arguments)
            self.check(arguments)
        except Misfit as misfit:
            self.misfits[str(misfit)] = True
            return
        self.as_given = all(arguments[n] is given[n] for n in given)
        if not self.job["dtypes"]:
            yield arguments
            return
        bound = [[name for name, form in self.leaves[n]["bound"] if is_array(arguments.get(name))] for n in self.job["arrays"]]
        seen = []
        for combination in self.job["dtypes"]:
            cast = {name: d for names, d in zip(bound, combination) for name in names if d not in DTYPES or stress.is_floating(arguments[name])}
            # One dtype for all is reached from the inputs of that dtype; others from those of the first that occurs.
            home = next((d for d in cast.values() if d in DTYPES), "float32")
            if cast in seen or home != dtype:
                continue
            seen.append(cast)
            self.as_given &= len(set(cast.values())) <= 1
            yield self.derived(arguments | {name: self.cast(arguments[name], d) for name, d in cast.items()})

    @staticmethod
    def cast(array, dtype):
        """The array in another dtype. An index from the back is none without a sign."""
        if dtype.startswith("uint") and not dtype.endswith("8"):
            array = mx.maximum(array, 0)
        return array.astype(getattr(mx, dtype))

    def derived(self, arguments):
        """The arguments, those that follow from others made anew."""
        follows = {n: c["dtypeof"] for n, c in self.job["constants"].items() if isinstance(c, dict) and "dtypeof" in c}
        return arguments | {n: arguments[of].dtype for n, of in follows.items() if is_array(arguments.get(of))}

    @staticmethod
    def constant(given, constant):
        """What a parameter is at the site, given what the rule has for it."""
        if constant == "none":
            return None
        (kind, number), = constant.items()
        if kind == "dtype":
            return getattr(mx, number)
        if kind in ("bool", "dtypeof"):
            return number if kind == "bool" else given
        number = float(number)
        if isinstance(given, mx.array):
            return mx.array(number, given.dtype)
        whole = math.isfinite(number) and number == int(number) and (given is None or isinstance(given, int))
        return int(number) if whole else number

    def with_lengths(self, arguments):
        """Axes that are known to be so long are made so; the same length everywhere, for it is the same for a reason."""
        wanted = {}
        for leaf in self.bound_leaves():
            for name, form in leaf["bound"]:
                value = arguments.get(name)
                if not is_array(value) or form == "swapped" or leaf["rank"] != value.ndim:
                    continue
                for axis, length in enumerate(leaf["lengths"]):
                    if length is not None and value.shape[axis] != length:
                        wanted[value.shape[axis]] = length
        if not wanted or max(wanted.values()) > 65536:
            return arguments
        change = {n: resized(v, [wanted.get(m, m) for m in v.shape]) for n, v in arguments.items() if is_array(v)}
        shortest = min((n for a in change.values() if stress.is_floating(a) for n in a.shape), default=0)
        if shortest:  # Beyond an array anything may be read, and anything overwritten.
            change |= {n: a % shortest for n, a in change.items() if mx.issubdtype(a.dtype, mx.integer)}
        numbers = {n: wanted.get(v, v) for n, v in arguments.items() if type(v) is int and n not in self.job["constants"]}
        return arguments | change | numbers

    def bound_leaves(self):
        return [self.leaves[n] for n in self.used if self.leaves[n]["bound"]]

    def check(self, arguments):
        """Complains of what is known to be otherwise at the site."""
        for leaf in self.bound_leaves():
            for name, form in leaf["bound"]:
                if name not in arguments:
                    raise Misfit(f"the rule gives no `{name}`")
                value = arguments[name]
                if leaf["kind"] == "array" and not is_array(value):
                    raise Misfit(f"`{name}` is an array here")
                if leaf["kind"] in ("int", "number") and is_array(value):
                    raise Misfit(f"`{name}` is a number here")
                if is_array(value) and leaf["rank"] is not None and leaf["rank"] != value.ndim:
                    raise Misfit(f"`{name}` has {leaf['rank']} axes here")
                if leaf["module"] and isinstance(value, nn.Module) and type(value).__name__ != leaf["module"]:
                    raise Misfit(f"`{name}` is an `nn.{leaf['module']}` here")

    def values(self, arguments):
        """What each leaf is given: what the pattern's parameters say; then what counts axes of those; then guesses."""
        values, open_ = {}, {}
        for number in self.used:
            leaf = self.leaves[number]
            if leaf["bound"]:
                (name, form) = leaf["bound"][0]
                if isinstance(arguments[name], bool) and leaf["kind"] not in ("bool", "None"):
                    open_[f"_leaf{number}"] = [arguments[name], int(arguments[name])]
                else:
                    values[number] = formed(form, arguments[name])
        for number in self.used:
            leaf = self.leaves[number]
            if leaf["bound"]:
                continue
            lengths = [values[n].shape[axis] for n, axis in leaf["counts"] if is_array(values.get(n)) and -values[n].ndim <= axis < values[n].ndim]
            part_of = [name for name in leaf["feeds"] if name in arguments]
            if lengths:
                values[number] = lengths[0]
            elif part_of and leaf["kind"] != "array" and all(arguments[name] is None for name in part_of):
                values[number] = None  # Nothing else is there where it is not.
            elif self.is_part(leaf) and is_array(arguments.get(leaf["feeds"][0])):
                values[number] = arguments[leaf["feeds"][0]]
            else:
                open_[f"_leaf{number}"] = self.candidates(leaf, arguments)
        for name in self.texts:
            open_[name] = self.candidates({"kind": "unknown", "feeds": []}, arguments)
        return {f"_leaf{n}": v for n, v in values.items()}, open_

    @staticmethod
    def is_part(leaf):
        """Whether something is the one thing of its sort in one parameter of the pattern."""
        return len(leaf["feeds"]) == 1 and leaf["kind"] in ("array", "array or None") and leaf["rank"] is None

    @staticmethod
    def candidates(leaf, arguments):
        """What something may be of which little is known."""
        fed = [arguments[name] for name in leaf["feeds"] if name in arguments and arguments[name] is not None]
        lengths = sorted({n for a in arguments.values() if is_array(a) for n in a.shape if n}, reverse=True)
        wider = [mx.array(a)[None] for a in fed if is_array(a)] + [a.swapaxes(-1, -2) for a in fed if is_array(a) and a.ndim > 1]
        by_kind = {
            "array": [a for a in fed if is_array(a)] + wider,
            "array or None": [*fed, *wider, None],
            "int": [*[a for a in fed if type(a) is int], *lengths, 1, 2],
            "number": [*[a for a in fed if isinstance(a, (int, float))], 0.5, *lengths, 1],
            "bool": [False, True],
            "dtype": [a for a in fed if isinstance(a, mx.Dtype)] or [mx.float32],
            "None": [None],
        }
        return by_kind.get(leaf["kind"], [*fed, *lengths, 0.5, 1, False, True, None, *wider])

    # Runs

    def run(self):
        """Runs everything that fits."""
        failed = 0
        for tried, arguments in enumerate(self.inputs()):
            if self.runs >= MOST_RUNS or tried >= MOST_TRIED or failed >= MOST_FAILED and not self.runs or self.difference:
                break
            try:
                admitted, _ = self.admits(arguments)
            except prove.ERRORS:
                admitted = False
            if not admitted:
                self.misfits["the guard refuses all inputs that fit"] = True
                continue
            try:
                values, open_ = self.values(arguments)
            except ZeroDivisionError:
                self.misfits["what the site divides by is zero"] = True
                continue
            self.guessed, self.skipped = bool(open_), False
            guesses = [*itertools.islice(itertools.product(*open_.values()), MOST_GUESSES)]
            # What was right once is tried first.
            guesses[:0] = [guesses[n] for n in self.right if n < len(guesses)]
            for number, guess in enumerate(guesses):
                if self.compare(arguments, values | dict(zip(open_, guess))):
                    self.right = [number - len(self.right)] if number >= len(self.right) else self.right
                    break
            else:
                failed += not self.skipped

    def guesses(self):
        """How many of the values that the programs take would be guessed."""
        return len(self.texts) + sum(not (leaf["bound"] or leaf["counts"] or self.is_part(leaf)) for leaf in map(self.leaves.__getitem__, self.used))

    def admits(self, arguments):
        variant = self.variant
        if not variant.conditions:
            return True, None
        needed = set().union(*(prove.inspect.signature(c).parameters for _, c in variant.conditions))
        uses = self.rule.rule.functions.get(self.job["variant"].replace("before", "uses", 1))
        subject = self.parameters_of(uses)[0] if uses else None
        if subject in needed:
            before = self.rule.rule.namespace[self.job["variant"]]
            arguments = arguments | {subject: prove.call(before, oracle.copied(arguments))}
        return variant.admits(arguments)

    def compare(self, arguments, values):
        """Runs both sides of each place; False where the old side does not run, so that the values were guessed wrong."""
        ran = set()
        for number, (functions, programs) in enumerate(zip(self.functions, self.pairs)):
            try:
                ran |= {number} if self.compare_at(*functions, *programs, values) else set()
            except Unmet as why:
                self.unmet[number], self.skipped = str(why), True
        self.reached |= ran
        return bool(ran)

    def compare_at(self, before, after, old_program, new_program, values):
        taken = [{n: values[n] for n in inputs_of(program)} for program in (old_program, new_program)]
        if not prove.fits_device(taken[0] | taken[1]):
            self.misfits["the device takes no arrays without elements"] = True
            return False
        self.shown = set()
        old, error = prove.attempt(lambda: before(**oracle.copied(taken[0])))
        if error:
            self.misfits[f"the code raises {error} on what the rule gives"] = True
            return False
        if len(self.shown) < len(self.job["axes"]):
            raise Unmet("what the edit assumes of how many axes there are does not show in what is run")
        new, error = prove.attempt(lambda: after(**oracle.copied(taken[1])))
        if error and not taken[1].keys() <= taken[0].keys():
            self.misfits[f"the new code raises {error} on what the old one does not take"] = True
            return False
        given = taken[0] | taken[1]
        problem, measure = f"raises {error}" if error else None, None
        if not error:
            problem, measure = self.judge(before, taken[0], old, new, given)
        if problem and any(n not in old_program.leaves and not self.leaves[n]["opaque"] for n in new_program.leaves):
            self.misfits["the new code takes what the old one computes, and what is given for both need not agree"] = True
            return False
        if problem and measure and measure.dtype_changed and self.job["assumes"] and not prove.uniform(given):
            return True  # What is assumed of dtypes does not hold here.
        self.runs += 1
        for value in given.values():
            if is_array(value):
                self.dtypes[oracle.name_of(value.dtype)] = True
        self.shapes[", ".join(str(list(v.shape)) for v in given.values() if is_array(v))] = True
        if measure:
            self.same += bool(measure.equal)
            self.largest = tuple(max(p) for p in zip(self.largest, measure.largest))
        elif not problem:
            self.same += 1
        if problem:
            texts = {f"_leaf{n}": text for n, text in self.used.items()} | self.texts
            told = {texts[name]: prove.shown(value) for name, value in given.items()}
            self.difference = {"problem": problem, "inputs": told, "before": prove.shown(old), "after": error or prove.shown(new)}
        return True

    def judge(self, before, taken, old, new, given):
        """What is wrong with the new result, if anything, and how both compare with float64."""
        if not (is_array(old) and is_array(new)):
            same = type(old) is type(new) and old == new
            return None if same else f"{prove.shown(old)} became {prove.shown(new)}", None
        with oracle.float64():
            truth, error = prove.attempt(lambda: before(**prove.wide(taken)))
        truth = old if error or not is_array(truth) else truth
        measure = oracle.Measure(prove.narrowed(old, new, given) if self.job["narrows"] else old, new, truth)
        if self.job["numerics"] == "exact":
            return measure.not_the_same_bits(), measure
        return (measure.reason if self.job["numerics"] == "less precise" else measure.less_accurate(mean=self.as_given)), measure

    def verdict(self):
        """What came of it, as plain data."""
        self.run()
        place = {"mlx": mx.__version__, "device": str(mx.default_device())}
        if self.difference and self.guessed:
            what = sorted({self.used.get(n, "") for n in self.used if not self.leaves[n]["bound"]} | set(self.texts.values()))
            return not_replayed(f"nothing is known of {', '.join(f'`{t}`' for t in what if t)}, and with some values the results differ")
        if self.difference:
            return {"outcome": "differs"} | self.difference | place
        unmet = [why for place, why in self.unmet.items() if place not in self.reached]
        if unmet or not self.runs:
            reasons = [f"no input fits: {misfit}" for misfit in self.misfits or ["the rule gives no inputs"]]
            return not_replayed((unmet or reasons)[-1])
        shapes, dtypes = list(self.shapes)[:6], sorted(self.dtypes)
        seen = {"runs": self.runs, "same_bits": self.same, "shapes": shapes, "dtypes": dtypes, "largest_ulp": list(self.largest)}
        return {"outcome": "verified"} | seen | place


def inputs_of(program):
    return [f"_leaf{n}" for n in program.leaves] + list(program.extra)


def not_replayed(reason):
    return {"outcome": "not-replayed", "reason": reason}


def main(job):
    """The verdict of each site of a job."""
    yield "ready"
    prove.multiply_exactly()
    functions = set(job["functions"])
    files, rules = {}, {}

    def file(text):
        if text not in files:
            files[text] = tree.File(job["texts"][text])
        return files[text]

    for site in job["sites"]:
        try:
            if "variant" not in site:
                yield whole.verdict(site, file, functions)
                continue
            if site["rule"] not in rules:
                rules[site["rule"]] = Rule(site, job["texts"][site["rule"]], functions)
            yield verdict(site, rules[site["rule"]], file, functions)
        except slicing.CannotReplay as reason:
            yield not_replayed(str(reason))
        except Exception as error:  # One site that goes wrong must not take the others with it.
            yield not_replayed(f"the replay failed: {prove.named(error)}")


def verdict(job, rule, files, functions):
    """What came of a site. Its code is followed back as far as possible first; where that needs what nothing is known of, no further than to the names
    that hold what the pattern takes."""
    sites, reasons = [], []
    for follows in (True, False):
        try:
            sites.append(Site(job, rule, files, functions, follows))
        except slicing.CannotReplay as reason:
            reasons.append(not_replayed(str(reason)))
    verdicts = []
    for site in sorted(sites, key=lambda site: site.guesses()):
        verdicts.append(site.verdict())
        if verdicts[-1]["outcome"] != "not-replayed":
            return verdicts[-1]
    return (verdicts + reasons[::-1])[0]
