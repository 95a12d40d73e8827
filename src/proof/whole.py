"""Runs whole functions, for edits that change statements: the code around the edit before and after it, in the same made-up worlds.

All that can be seen is compared: what the function returns, yields, raises and prints, what it calls with what, in which order, and what it stores where.
Numbers must be the same to the last bit and of the same type; where an edit narrows on purpose, float32 may become half precision that is as near to float64.
What is compared is where the edit is: code that no run reached is not verified.
"""

import ast
import collections
import itertools
import tempfile
import time
import types

import mlx.core as mx
import oracle
import prove
import standin
import stress
import world
from harmless import CannotReplay
from rebuild import Rebuild

Setting = collections.namedtuple("Setting", "seed dtypes rank length special format")
DTYPES = ((mx.float32,), (mx.int32,), (mx.float16,), (mx.bfloat16,), (mx.float32, mx.int32, mx.bool_))
ENOUGH = 24  # runs that say something
LEAST = 40  # worlds
SECONDS = 12  # after which no more are tried
FEWEST = 3  # runs under an assumption
MOST_TIMES = 6  # each sort of world
PARTS = (None, 1000, 1, 0)  # all of a function, then so many statements behind those that are changed
MOST_ROUNDS = 8  # of finding out what stand-ins are


def settings():
    """Worlds: likely ones first."""
    shapes = ((1, 4), (2, 4), (3, 4), (4, 4), (None, 4), (1, 1), (2, 2), (3, 3), (2, 8), (None, 3))
    for seed, ((rank, length), dtypes) in enumerate(itertools.product(shapes * MOST_TIMES, DTYPES)):
        yield Setting(seed, dtypes, rank, length, seed % 3 == 2, ("safetensors", "npz")[seed // 2 % 2])


class Unsure(CannotReplay):
    """Something differs, and nothing tells whether that counts."""


class Folder:
    """Where the files are that the code may load, with arrays under the names that it speaks of; there is one once a file is asked for."""

    def __init__(self, names):
        self.names, self.made, self.folder = names, set(), None

    @property
    def path(self):
        self.folder = self.folder or tempfile.TemporaryDirectory()
        return self.folder.name

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.folder:
            self.folder.cleanup()


class Code:
    """The functions around some edits, or the statements of the module, so that they can be run."""

    def __init__(self, version, file):
        self.file = file
        spans = [trimmed(file, span) for span in version["places"]]
        self.scopes = collections.defaultdict(list)
        for span in spans:
            self.scopes[scope_of(file, span)].append(span)
        self.marks = version["marks"]

        self.functions = [n for n in ast.walk(file.tree) if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef))]

    def numbers(self):
        """The functions by their place among all, which no pass changes; `None` for the module, unless only its imports change with functions."""
        numbers = {None if isinstance(scope, ast.Module) else self.functions.index(scope) for scope in self.scopes}
        imports = [self.file.span(s) for s in self.file.tree.body if isinstance(s, (ast.Import, ast.ImportFrom))]
        spans = self.scopes.get(self.file.tree, [])
        if len(numbers) > 1 and all(any(start <= span[0] and span[1] <= end for start, end in imports) for span in spans):
            numbers.discard(None)  # What is imported shows where it is used.
        return numbers

    def scope(self, number):
        """The function with this number."""
        return self.file.tree if number is None else self.functions[number]

    def rebuild(self, number):
        scope = self.scope(number)
        return Rebuild(self.file, scope, self.scopes.get(scope, []), self.marks)

    def program(self, number, around):
        """The function with this number as a program, its text, and how many places of it are to be reached."""
        try:
            return (*self.rebuild(number).program(around), sum(start < end for start, end in self.scopes.get(self.scope(number), [])))
        except RecursionError:
            raise CannotReplay("the function is too deep") from None


def trimmed(file, span):
    """A range without white space around it."""
    start, end = span
    text = file.bytes[start:end]
    return start + len(text) - len(text.lstrip()), end - (len(text) - len(text.rstrip()))


def scope_of(file, span):
    """The innermost function around a range, or the module."""
    around = [n for n in file.statements.values() if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef)) and inside(file, span, n)]
    return max(around, key=lambda n: file.span(n)[0], default=file.tree)


def inside(file, span, function):
    """Whether a range is in the body of a function, or just before its first statement."""
    a = function.args
    header = [function.returns, *(p.annotation or p for p in (*a.posonlyargs, *a.args, *a.kwonlyargs, *filter(None, (a.vararg, a.kwarg)))), *a.defaults]
    header += a.kw_defaults
    end = max((file.span(node)[1] for node in header if node is not None), default=file.span(function)[0] + len("def"))
    return end <= span[0] and span[1] <= file.span(function)[1]


def outcome(code, run):
    """Runs a program: what can be seen of it, and the exception that it ends with."""
    mx.random.seed(0)
    error = None
    try:
        value = code(run)
        if isinstance(value, types.GeneratorType):
            for item in itertools.islice(value, 2 * standin.ITEMS):
                run.happens("yields", "", item)
            value = None
        run.happens("returns", "", run.settled(value))
    except standin.Halt as halt:
        raise CannotReplay(str(halt)) from None
    except standin.Endless:
        run.happens("goes on", "")
    except RecursionError:
        raise CannotReplay("the function calls itself without end") from None
    except Exception as raised:
        error = f"{type(raised).__name__}: {raised}".splitlines()[0][:200]
    return error


class Function:
    """One function before and after an edit."""

    def __init__(self, job, before, after, functions, folder):
        self.job, self.functions, self.folder = job, functions, folder
        (self.old, old_text, places), (self.new, new_text, new_places) = before, after
        self.places = places + new_places
        if old_text == new_text:
            raise CannotReplay("both texts do the same where they are compared")
        self.runs, self.failed = [], collections.Counter()

    def run(self, setting):
        """Both versions in one world; it does not count where the old one does not run."""
        kinds = {}
        for _ in range(MOST_ROUNDS):
            known = dict(kinds)
            old, new = (world.Run(setting, kinds, self.job["leaves"], self.functions, self.folder) for _ in range(2))
            try:
                old_error, new_error = outcome(self.old, old), outcome(self.new, new)
            except standin.Again:
                continue
            if kinds == known:
                break
        else:
            self.failed["nothing fits what is made up"] += 1
            return
        if old_error:
            self.failed[old_error] += 1
            return
        truth = old.events
        if self.job["narrows"] and any(dtype in stress.HALVES for dtype in setting.dtypes):
            with oracle.float64():
                wide = world.Run(setting, dict(kinds), self.job["leaves"], self.functions, self.folder, wide=True)
                truth = old.events if outcome(self.old, wide) else wide.events
        compared = Comparison(self.job["narrows"], truth)
        problem = compared.events(old.events, new.events)
        if problem is None and new_error:
            problem = f"raises {new_error}", "", f"raises {new_error}"
        problem = problem and {"problem": problem[0], "inputs": self.inputs(old), "before": problem[1], "after": problem[2]}
        self.runs.append(Seen(setting, old, new, problem, compared))

    def reaches_all(self):
        return len(set().union(*(run.reached for run in self.runs))) == self.places

    @staticmethod
    def inputs(run):
        return {key: prove.shown(value) for key, value in [*run.arrays.items()][:6]}


class Seen:
    """What one run has shown."""

    def __init__(self, setting, old, new, problem, compared):
        self.setting, self.problem, self.equal, self.largest = setting, problem, compared.equal and not problem, compared.largest
        self.reached = {("old", place) for place in old.reached} | {("new", place) for place in new.reached}
        self.shapes = ", ".join(str(list(a.shape)) for a in old.arrays.values())
        self.dtypes = {oracle.name_of(a.dtype) for a in old.arrays.values()}
        self.ranks = {key: a.ndim for key, a in old.arrays.items()}


class Comparison:
    """Of what was seen of two runs."""

    def __init__(self, narrows, truth):
        self.narrows, self.truth, self.equal, self.largest = narrows, truth, True, (0.0, 0.0)

    def events(self, old, new):
        """The first difference: what is wrong, and both sides of it."""
        for number, (before, after) in enumerate(itertools.zip_longest(old, new)):
            if before is None or after is None:
                return f"{words(before or after)} {'no more' if after is None else 'as well'}", words(before), words(after)
            truth = self.truth[number] if number < len(self.truth) else before
            problem = self.event(before, after, truth)
            if problem:
                return f"{words(before)}: {problem}", words(before), words(after)
        return None

    def event(self, old, new, truth):
        if old[0] == new[0] == "runs" and old[1:] != new[1:]:
            return moved(old, new)
        if old[:2] != new[:2]:
            return f"{words(new)} instead"
        return self.values(old[2], new[2], truth[2])

    def values(self, old, new, truth):
        """What is different in two values, seen as `standin.kept` keeps them."""
        if isinstance(old, mx.array) and isinstance(new, mx.array):
            return self.arrays(old, new, truth if isinstance(truth, mx.array) else old)
        if isinstance(old, (tuple, list)) and isinstance(new, (tuple, list)) and len(old) == len(new):
            if old[:1] == ("mlx",) == new[:1] and old != new:
                return moved(("runs", old[1].removeprefix("mlx.core.")), ("runs", new[1].removeprefix("mlx.core.")))
            truth = truth if isinstance(truth, (tuple, list)) and len(truth) == len(old) else old
            return next(filter(None, itertools.starmap(self.values, zip(old, new, truth))), None)
        return None if type(old) is type(new) and not isinstance(old, mx.array) and old == new else f"{shown(old)} became {shown(new)}"

    def arrays(self, old, new, truth):
        if not self.narrows:
            same = old.dtype == new.dtype and old.shape == new.shape and oracle.bits(oracle.numbers(old)) == oracle.bits(oracle.numbers(new))
            return None if same else f"{prove.shown(old)} became {prove.shown(new)}"
        narrowed = old.astype(new.dtype) if old.dtype == mx.float32 and new.dtype in stress.HALVES else old
        measure = oracle.Measure(narrowed, new, truth)
        self.equal &= bool(measure.equal)
        self.largest = tuple(max(pair) for pair in zip(self.largest, measure.largest))
        return measure.less_accurate(mean=False)  # In half precision each operation rounds.


def shown(kept):
    """A kept value as a person reads it."""
    if isinstance(kept, mx.array):
        return prove.shown(kept)
    if isinstance(kept, tuple) and len(kept) == 2 and isinstance(kept[1], list):
        return f"{kept[0]}({', '.join(map(shown, kept[1]))})"
    return f"{kept[0]} {kept[1]}" if isinstance(kept, tuple) and len(kept) == 2 else str(kept)


def words(event):
    """An event as a person reads it."""
    if event is None:
        return "nothing"
    what, key, values = event
    parts = values[1] if isinstance(values, tuple) else values
    return f"{what} {key} {', '.join(shown(part) for part in parts) if isinstance(parts, list) else shown(parts)}"[:300]


def moved(old, new):
    """What is different between a function of MLX and the one that takes its place: both are asked."""
    was, now = old[1].rpartition(".")[2], new[1].rpartition(".")[2]
    told = f"`mx.{old[1]}` became `mx.{new[1]}`"
    if was != now or was not in world.MEMORY:
        return told
    functions = []
    for path in (old[1], new[1]):
        function = mx
        for part in path.split("."):
            function = getattr(function, part, None)
        if function is None:
            raise CannotReplay(f"this MLX has no `mx.{path}`")
        functions.append(function)
    with_gpu = was == "device_info" and "gpu" in str(new[2:])
    if old[2:] != new[2:] and not with_gpu:
        return f"{told}, called with something else"
    if was.startswith("set_"):
        try:
            seen = [*answers(*functions)]
        except (RuntimeError, ValueError) as error:
            raise CannotReplay(f"`mx.{now}` cannot be tried here: {error}") from None
        return None if all(one == seen[0] for one in seen) else f"{told}, which has a limit of its own"
    seen = functions[0](), functions[1](mx.gpu) if with_gpu else functions[1]()
    return None if seen[0] == seen[1] else f"{told}, and answers {seen[1]!r:.100} instead of {seen[0]!r:.100}"


def answers(old, new):
    """What calls of the old function and the new one answer, each order of both from the same limit."""
    first = new(1 << 28)
    try:
        for order in itertools.product((old, new), repeat=2):
            new(1 << 28)
            yield [function(limit) for function, limit in zip(order, (1 << 29, 1 << 30))]
    finally:
        new(first)


def keys(scopes):
    """The texts in some functions that may name an array in a file."""
    found = [n.value for scope in scopes for n in ast.walk(scope) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
    names = [text for text in dict.fromkeys(found) if 0 < len(text) <= 40 and text.isprintable() and not set(text) & set("/\\ ")]
    return ["weight", "ids", *names][:24]


def verdict(job, files, functions):
    """What came of one edit."""
    before, after = (Code(job[side], files(job[side]["text"])) for side in ("before", "after"))
    place = {"mlx": mx.__version__, "device": str(mx.default_device())}
    total = {"runs": 0, "same_bits": 0, "shapes": [], "dtypes": [], "largest_ulp": (0.0, 0.0)}
    for number in sorted(before.numbers() | after.numbers(), key=str):
        seen = whole_or_part(job, before, after, number, functions)
        if seen["outcome"] != "verified":
            return seen | place if seen["outcome"] == "differs" else seen
        total = {
            "runs": total["runs"] + seen["runs"],
            "same_bits": total["same_bits"] + seen["same_bits"],
            "shapes": [*dict.fromkeys(total["shapes"] + seen["shapes"])][:6],
            "dtypes": sorted({*total["dtypes"], *seen["dtypes"]}),
            "largest_ulp": [max(pair) for pair in zip(total["largest_ulp"], seen["largest_ulp"])],
        }
    return {"outcome": "verified"} | total | place


def whole_or_part(job, before, after, number, functions):
    """What came of one function; where all of it cannot be run, of the statements that are changed and a few behind them."""
    first = None
    for part in PARTS if number is not None else PARTS[-1:]:
        try:
            seen = one(job, before, after, number, part, functions)
            if seen["outcome"] == "differs" and part is not None and number is not None:
                raise CannotReplay("the changed statements, run alone, differ on some of what can be made up")
            return seen
        except Unsure:
            raise
        except CannotReplay as reason:
            first = first or reason
    raise first


def one(job, before, after, number, part, functions):
    """What came of one function, or a part of it."""
    left_out = None
    if part is not None:
        (block, first, last), (new_block, new_first, new_last) = (code.rebuild(number).block_around() for code in (before, after))
        left_out = min(first, new_first), max(0, min(last, new_last) - part)
        if len(block) - last < first or len(new_block) - new_last < new_first:
            raise CannotReplay("the edit is between statements that are left out")
    old, new = before.program(number, left_out), after.program(number, left_out)
    with Folder(keys((before.scope(number), after.scope(number)))) as folder:
        function, end = Function(job, old, new, functions, folder), time.monotonic() + SECONDS
        for setting in settings():
            if time.monotonic() > end or setting.seed >= LEAST and len(function.runs) >= ENOUGH and function.reaches_all():
                break
            function.run(setting)
    if not function.runs:
        raise CannotReplay(f"it does not run on what can be made up for it: {function.failed.most_common(1)[0][0]}")
    runs, differs = function.runs, [run for run in function.runs if run.problem]
    if differs and job["assumes"]:
        runs = assumed(function.runs)
    elif differs:
        return {"outcome": "differs"} | differs[0].problem
    if len(set().union(*(run.reached for run in runs))) < function.places:
        raise CannotReplay("no run comes to the changed statements")
    shapes = [*dict.fromkeys(run.shapes for run in runs if run.shapes)][:6]
    largest = [max(pair) for pair in zip(*(run.largest for run in runs))]
    seen = {"runs": len(runs), "same_bits": sum(run.equal for run in runs), "shapes": shapes, "dtypes": sorted(set().union(*(run.dtypes for run in runs)))}
    return {"outcome": "verified"} | seen | {"largest_ulp": largest}


def assumed(runs):
    """Those runs in which something holds that may have been assumed, if they show no difference: that an array has so many axes, or no whole numbers."""
    keys = dict.fromkeys(key for run in runs for key in run.ranks)
    axes = [lambda run: True, *(lambda run, key=key, rank=rank: run.ranks.get(key) == rank for key in keys for rank in (1, 2, 3, 4))]
    for holds, floats in itertools.product(axes, (False, True)):
        alike = [run for run in runs if holds(run) and not (floats and mx.int32 in run.setting.dtypes)]
        if len(alike) >= FEWEST and not any(run.problem for run in alike):
            return alike
    raise Unsure("with some of what it may be given the results differ, and that may be what is assumed")
