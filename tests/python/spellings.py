"""Draws spellings of the computations that the rules recognise, rewrites them, and runs them before and after under MLX.

usage: spellings.py --mlxfix PATH [--seed N] [--spellings N] [--near-misses M] [--recall R] [--rule ID]... [--all] [--fast]

For each rule N equivalent spellings and M near misses are drawn; the same seed draws the same ones; and N functions that hold spellings of
several rules. The traps of a rule, near misses that are written down, are all among them, besides the M. Each is a file of its own, and is rewritten once with safe edits only and once with all. What became of it is compared with what it was, in float32, float16 and bfloat16,
on random values and on zeros, large values, infinities and NaN; safe edits also on arguments that break what an unsafe one may assume.
Exits with 1 if a rewrite answers otherwise, if it raises where nothing was raised, if a second run would change more, or if too few of a
rule's spellings are found; for several rules in one function also if the transforms one by one end in another text than together.

Too few is less than 0.97 of the N, and also of N and MORE further ones, which are drawn for that alone. So chance decides little: with 200
and 800, a rule that finds 98.5 % of all spellings fails once in 12,000 runs, one that finds 98 % once in 160, one that finds 95 % in 7 of 8.
"""

import argparse
import ast
import collections
import concurrent.futures
import dataclasses
import io
import multiprocessing
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time
import tokenize
import warnings

import mlx.core as mx
import run_examples
from spell_near_misses import near_miss, traps
from spell_rules import COMPOSED, RECALL, RULES
from spell_run import Data, Raised, answer, attempt, judged
from spell_writer import Writer

MORE = 800  # how many spellings are drawn of a rule that seems to find too few
SHARE = 25  # how many are judged by one process before it asks for others


def drawn(rule, numbers, near, options, run=True):
    """Spellings or near misses of one rule. Drawn near misses that raise are drawn again: they have nothing to preserve."""
    out = []
    written_down = len(traps(RULES[rule])) if near else 0
    for n in numbers:
        rng = random.Random(f"{options.seed} {rule} {'near miss' if near else 'spelling'} {n}")
        raised = True
        while raised:
            spelling = near_miss(RULES[rule], n, rng) if near else RULES[rule].write(Writer(rng))
            make = spelling.arguments or spelling.hostile[0]
            raised = isinstance(result := attempt(spelling.text, make(Data(mx.float32, 0, 1)), mx.float32, 1), Raised) if run else False
            if raised and (not near or n < written_down or "SyntaxError" in result):
                raise SystemExit(f"what was drawn does not run: {result}\n{spelling.text}")
        spelling.number = n
        out.append(spelling)
    return out


@dataclasses.dataclass
class Result:
    """What became of a share of the spellings or near misses of a rule."""

    wrong: list[str] = dataclasses.field(default_factory=list)  # lines on what is wrong, to be printed
    missing: list[str] = dataclasses.field(default_factory=list)  # and on what was not found
    failures: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    seen: list[set[str]] = dataclasses.field(default_factory=list)  # the unusual choices of each spelling
    missed: list[set[str]] = dataclasses.field(default_factory=list)  # and of those that were not found
    changed: collections.Counter = dataclasses.field(default_factory=collections.Counter)  # how many by each of the runs
    seconds: float = 0.0

    def add(self, other):
        self.wrong += other.wrong
        self.missing += other.missing
        self.failures += other.failures
        self.seen += other.seen
        self.missed += other.missed
        self.changed += other.changed
        self.seconds += other.seconds

    def recall(self):
        return 1 - len(self.missed) / max(1, len(self.seen))


class Share:
    """Some spellings or near misses of one rule; `judge` says what became of them."""

    def __init__(self, rule, numbers, near, options, folder):
        self.id, self.rule, self.near, self.options, self.folder = rule, RULES[rule], near, options, folder
        self.spellings = drawn(rule, numbers, near, options)
        self.result = Result()

    def flags(self, mode):
        # Of all transforms, redundant-upcast is less precise where it is unsafe, and says so.
        all_but = ["--ignore", "redundant-upcast"] if self.options.all or self.id == COMPOSED else ["--select", self.id]
        return ["--write", *self.rule.modes[mode], *all_but]

    def run(self, path, *flags):
        """Runs the program on a file or folder and gives what it said. Findings may remain, so 1 is no failure."""
        result = subprocess.run([self.options.mlxfix, *flags, path], capture_output=True, text=True)
        if result.returncode not in (0, 1):
            raise SystemExit(f"mlxfix {flags} ended with {result.returncode}\n{result.stderr[-4000:]}")
        return result.stdout + result.stderr

    def all_modes(self):
        """The last of the runs, which applies all edits."""
        return list(self.rule.modes)[-1]

    def written(self, name):
        """A folder with the spellings as they were drawn, and their paths."""
        place = self.folder / name
        place.mkdir()
        paths = [place / f"s{s.number:04}.py" for s in self.spellings]
        for path, s in zip(paths, self.spellings):
            path.write_text(s.text)
        return place, paths

    def rewritten(self, mode):
        """The texts after one run; a second one must leave them alone."""
        place, paths = self.written(mode)
        self.run(place, *self.flags(mode))
        texts = [path.read_text() for path in paths]
        self.run(place, *self.flags(mode))
        for path, s, text in zip(paths, self.spellings, texts):
            if path.read_text() != text:
                self.fail(f"{mode} edit not settled by one run", s, [], text)
        return texts

    def compare_one_by_one(self, mode, texts):
        """Notes where the transforms of the catalog, run in turn, end in another text than together."""
        place, paths = self.written(f"{mode} one by one")
        catalog = subprocess.run([self.options.mlxfix, "list"], capture_output=True, text=True, check=True).stdout
        for line in catalog.splitlines():
            if line.split()[0] != "redundant-upcast":
                self.run(place, "--write", *self.rule.modes[mode], "--select", line.split()[0])
        for path, s, text in zip(paths, self.spellings, texts):
            if path.read_text() != text:
                self.fail(f"{mode} edits differ one by one", s, [path.read_text(), "---- together", text], text)

    def rewritten_alone(self, text):
        """The text after a run with all edits."""
        path = self.folder / "alone.py"
        path.write_text(text)
        self.run(path, *self.flags(self.all_modes()))
        return path.read_text()

    def judge(self):
        """Judges all of them; gives the result."""
        started = time.time()
        done = [{s.text} for s in self.spellings]
        for mode in self.rule.modes:
            texts = self.rewritten(mode)
            if self.id == COMPOSED:
                self.compare_one_by_one(mode, texts)
            for s, after, seen in zip(self.spellings, texts, done):
                self.result.changed[mode] += after != s.text
                if after not in seen:
                    seen.add(after)
                    problems = broken(s.text, after) or judged(s, after, mode != self.all_modes(), self.rule)
                    if problems:
                        self.fail(f"wrong {mode} edit", s, problems, after)
                if mode == self.all_modes() and not self.near and s.done:
                    self.look_for(s, after)
        self.result.seconds = time.time() - started
        return self.result

    def look_for(self, s, after):
        """Notes whether a spelling was found."""
        self.result.seen.append(s.tags)
        if not found(s, after):
            self.result.missed.append(s.tags)
            shown = s if self.options.fast else self.shrunk(s)
            self.report("missed", shown, [self.reason(shown)], self.rewritten_alone(shown.text))

    def fail(self, label, spelling, problems, after):
        self.result.failures[label] += 1
        self.report(label, spelling, problems, after)

    def report(self, label, spelling, problems, after):
        """Notes one failure with its text."""
        kind = spelling.twist or "near miss" if self.near else "spelling"
        parts = [*problems[:4], "---- before", spelling.text, *(["---- after", after] if after != spelling.text else [])]
        lines = self.result.missing if label == "missed" else self.result.wrong
        lines.append(f"FAILED {label} {self.id} {spelling.number} {kind} {sorted(spelling.tags)}")
        lines += ["  " + line for part in parts for line in part.splitlines()]

    def reason(self, spelling):
        """What the program says of a spelling that it missed."""
        path = self.folder / "why.py"
        path.write_text(spelling.text)
        result = subprocess.run([self.options.mlxfix, "why", path, "--select", self.id], capture_output=True, text=True)
        return result.stdout.replace(str(path), "why.py")

    def shrunk(self, spelling):
        """A missed spelling without the lines that have no part in it. It answers what it answered, in half precision so that casts count."""

        def given():
            return spelling.arguments(Data(mx.float16, 0, 3)), mx.float16, 3

        wanted = answer(spelling.text, *given())
        text, line = spelling.text, 0
        while line < len(lines := text.splitlines(keepends=True)):
            shorter = "".join(lines[:line] + lines[line + 1 :])
            same = lines[line].strip() and "super()" not in lines[line] and not isinstance(result := attempt(shorter, *given()), Raised)
            if same and run_examples.compare(wanted, result, wanted, False)[0] is None and not found(spelling, self.rewritten_alone(shorter)):
                text = shorter
            else:
                line += 1
        return dataclasses.replace(spelling, text=text)


def broken(before, after):
    """What is wrong with a text before it is run."""
    try:
        compile(after, "after", "exec")
        lost = comments(before) - comments(after)
    except (SyntaxError, tokenize.TokenError) as error:
        return [f"does not parse: {error}"]
    return [f"comments lost: {dict(lost)}"] if lost else []


def comments(text):
    return collections.Counter(t.string for t in tokenize.generate_tokens(io.StringIO(text).readline) if t.type == tokenize.COMMENT)


def found(spelling, after):
    """Whether the fast operation is there and the slow one is gone from what the subject runs."""
    text = ast.unparse(without_unused(ast.parse(after)))
    return all(part in text for part in spelling.done) and not any(part in text for part in spelling.gone)


def without_unused(tree):
    """The tree without imports and without helpers at the top that nothing calls any more; other files might."""
    tree.body = [s for s in tree.body if not isinstance(s, (ast.Import, ast.ImportFrom))]
    used = {n.id for s in tree.body for n in ast.walk(s) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}

    def defined(statement):
        return statement.targets[0].id if isinstance(statement, ast.Assign) else getattr(statement, "name", None)

    tree.body = [s for s in tree.body if defined(s) in used | {"subject", "Subject"}]
    return tree


def in_common(result):
    """Which unusual choices the missed spellings have in common."""
    seen, lost = (collections.Counter(tag for tags in some for tag in tags) for some in (result.seen, result.missed))
    worst = sorted(lost, key=lambda tag: (-lost[tag] / seen[tag], -lost[tag], tag))[:12]
    return "missed most with: " + ", ".join(f"{tag} {lost[tag]}/{seen[tag]}" for tag in worst)


def judged_share(rule, numbers, near, options):
    """The work of one process."""
    mx.set_default_device(mx.cpu)
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        return Share(rule, numbers, near, options, pathlib.Path(folder)).judge()


def sought(rule, numbers, options):
    """Spellings drawn for the recall alone."""
    with tempfile.TemporaryDirectory() as folder:
        share = Share(rule, [], False, options, pathlib.Path(folder))
        share.spellings = drawn(rule, numbers, False, options, run=False)
        for s, after in zip(share.spellings, share.rewritten(share.all_modes())):
            share.result.seen.append(s.tags)
            share.result.missed += [] if found(s, after) else [s.tags]
        return share.result


def shares(count):
    """The numbers below `count` in shares of equal size."""
    return [range(start, min(start + SHARE, count)) for start in range(0, count, SHARE)]


def near_misses(rule, options):
    """How many near misses of a rule are judged."""
    return 0 if rule == COMPOSED else len(traps(RULES[rule])) + options.near_misses


def submitted(rule, options, pool):
    """All that is to be judged of a rule: whether it is near misses, and what will become of it."""
    work = [(False, numbers) for numbers in shares(options.spellings)] + [(True, numbers) for numbers in shares(near_misses(rule, options))]
    return [(near, pool.submit(judged_share, rule, numbers, near, options)) for near, numbers in work]


def judged_rule(rule, results, options, pool):
    """Prints what became of a rule; gives the number of failures."""
    total, near = Result(), Result()
    for is_near, future in results:
        (near if is_near else total).add(future.result())
    for line in [*total.wrong, *near.wrong, *(total.missing if total.recall() < options.recall or not options.fast else [])]:
        print(line)
    modes = list(RULES[rule].modes)
    failures = total.failures + near.failures
    facts = [f"recall {total.recall():.3f}"] if total.seen else [f"{total.changed[modes[-1]]} changed"]
    facts += [
        f"{options.spellings} spellings, {total.changed[modes[0]]} with a safe edit",
        *[f"{near_misses(rule, options)} near misses, {near.changed[modes[-1]]} changed"] * (rule != COMPOSED),
        ", ".join(f"{kind} {count}" for kind, count in sorted(failures.items())) or "nothing wrong",
        f"{total.seconds + near.seconds:.0f} s",
    ]
    print(f"{rule}: {'; '.join(facts)}")
    if total.missed:
        print("  " + in_common(total))
    if total.recall() < options.recall and options.more:
        further = [pool.submit(sought, rule, range(n, n + 100), options) for n in range(options.spellings, options.spellings + options.more, 100)]
        for future in further:
            total.add(future.result())
        print(f"  recall {total.recall():.3f} of {len(total.seen)} spellings, {options.recall} wanted")
    sys.stdout.flush()
    return failures.total() + (total.recall() < options.recall)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mlxfix", required=True, metavar="PATH")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    parser.add_argument("--spellings", type=int, default=200, metavar="N")
    parser.add_argument("--near-misses", type=int, default=100, metavar="M")
    parser.add_argument("--recall", type=float, default=RECALL, help="the share of the spellings of each rule that must be found")
    parser.add_argument("--more", type=int, default=MORE, help="how many further spellings are drawn of a rule that seems to find too few")
    parser.add_argument("--rule", action="append", choices=RULES)
    parser.add_argument("--all", action="store_true", help="run all transforms on each spelling, not only its own")
    parser.add_argument("--fast", action="store_true", help="show missed spellings as they were drawn, and only if they are too many")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), metavar="N", help="how many processes work")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    failures = 0
    with concurrent.futures.ProcessPoolExecutor(options.jobs, multiprocessing.get_context("spawn")) as pool:
        work = {rule: submitted(rule, options, pool) for rule in options.rule or RULES}
        failures = sum(judged_rule(rule, results, options, pool) for rule, results in work.items())
    print(f"{failures} failures, seed {options.seed}, MLX {mx.__version__}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
