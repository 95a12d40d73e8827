"""Draws spellings of the computations that the rules recognise, rewrites them, and runs them before and after under MLX.

usage: spellings.py --mlxfix PATH [--seed N] [--spellings N] [--near-misses M] [--recall R] [--rule ID]... [--all] [--fast]

For each rule N equivalent spellings and M near misses are drawn; the same seed draws the same ones. Each is a file of its own, and is
rewritten twice: with unsafe edits, and with safe ones only. What became of it is compared with what it was, in float32, float16 and
bfloat16, on random values and on zeros, large values, infinities and NaN; safe edits also on arguments that break what an unsafe one may
assume. Exits with 1 if a rewrite answers otherwise, if it raises where nothing was raised, if a second run would change more, or if fewer
than 0.97 of a rule's spellings are found.
"""

import argparse
import ast
import collections
import dataclasses
import io
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
from spell_near_misses import near_miss
from spell_rules import RULES
from spell_run import Data, Raised, answer, attempt, judged
from spell_writer import Writer

MODES = {"safe": ["--write"], "unsafe": ["--write", "--unsafe"]}


def drawn(rule, options):
    """The spellings and near misses of one rule. Near misses that raise are drawn again: they have nothing to preserve."""
    out = []
    for n in range(options.spellings + options.near_misses):
        rng = random.Random(f"{options.seed} {rule} {n}")
        raised = True
        while raised:
            spelling = RULES[rule](Writer(rng)) if n < options.spellings else near_miss(rule, rng)
            make = spelling.arguments or spelling.hostile[0]
            raised = isinstance(result := attempt(spelling.text, make(Data(mx.float32, 0, 1)), mx.float32, 1), Raised)
            if raised and (n < options.spellings or "SyntaxError" in result):
                raise SystemExit(f"what was drawn does not run: {result}\n{spelling.text}")
        spelling.number = n
        out.append(spelling)
    return out


class Rule:
    """The spellings of one rule and what became of them."""

    def __init__(self, rule, options, folder):
        self.rule, self.options, self.folder = rule, options, folder
        self.started = time.time()
        self.failures = collections.Counter()
        self.spellings = drawn(rule, options)
        self.texts = {mode: self.rewritten(mode) for mode in MODES}
        self.safe_edits = sum(a != s.text for s, a in zip(self.spellings, self.texts["safe"]) if s.number < options.spellings)
        self.changed = sum(a != s.text for s, a in zip(self.spellings, self.texts["unsafe"]) if s.number >= options.spellings)

    def flags(self, mode):
        # Of all transforms, redundant-upcast is less precise where it is unsafe, and says so.
        return [*MODES[mode], *(["--ignore", "redundant-upcast"] if self.options.all else ["--select", self.rule])]

    def run(self, path, *flags):
        """Runs the program on a file or folder and gives what it said. Findings may remain, so 1 is no failure."""
        result = subprocess.run([self.options.mlxfix, *flags, path], capture_output=True, text=True)
        if result.returncode not in (0, 1):
            raise SystemExit(f"mlxfix {flags} ended with {result.returncode}\n{result.stderr[-4000:]}")
        return result.stdout + result.stderr

    def rewritten(self, mode):
        """The texts after one run; a second one must leave them alone."""
        place = self.folder / self.rule / mode
        place.mkdir(parents=True)
        paths = [place / f"s{s.number:04}.py" for s in self.spellings]
        for path, s in zip(paths, self.spellings):
            path.write_text(s.text)
        self.run(place, *self.flags(mode))
        texts = [path.read_text() for path in paths]
        self.run(place, *self.flags(mode))
        for path, s, text in zip(paths, self.spellings, texts):
            if path.read_text() != text:
                self.fail(f"{mode} edit not settled by one run", s, [], text)
        return texts

    def rewritten_alone(self, text):
        """The text after a run with unsafe edits."""
        path = self.folder / "alone.py"
        path.write_text(text)
        self.run(path, *self.flags("unsafe"))
        return path.read_text()

    def check(self):
        """Judges all of them and reports; gives the number of failures."""
        for mode in ("safe", "unsafe"):
            for i, s in enumerate(self.spellings):
                after = self.texts[mode][i]
                if after == s.text or mode == "unsafe" and after == self.texts["safe"][i]:
                    continue
                problems = broken(s.text, after) or judged(s, after, mode == "safe")
                if problems:
                    self.fail(f"wrong {mode} edit", s, problems, after)
        wanted = self.spellings[: self.options.spellings]
        missed = [s for s in wanted if not found(s, self.texts["unsafe"][s.number])]
        for s in missed:
            shown = s if self.options.fast else self.shrunk(s)
            self.report("missed", shown, [self.reason(shown)], self.rewritten_alone(shown.text))
        recall = 1 - len(missed) / max(1, len(wanted))
        wrong = ", ".join(f"{kind} {count}" for kind, count in sorted(self.failures.items())) or "nothing wrong"
        counts = f"{len(wanted)} spellings, {self.safe_edits} with a safe edit; {self.options.near_misses} near misses, {self.changed} changed"
        print(f"{self.rule}: recall {recall:.3f}; {counts}; {wrong}; {time.time() - self.started:.0f} s", flush=True)
        in_common(wanted, missed)
        return self.failures.total() + (recall < self.options.recall)

    def fail(self, label, spelling, problems, after):
        self.failures[label] += 1
        self.report(label, spelling, problems, after)

    def report(self, label, spelling, problems, after):
        """Prints one failure with its text."""
        print(f"FAILED {label} {self.rule} {spelling.number} {spelling.twist or ''} {sorted(spelling.tags)}")
        parts = [*problems[:4], "---- before", spelling.text, *(["---- after", after] if after != spelling.text else [])]
        print("\n".join("  " + line for part in parts for line in part.splitlines()))

    def reason(self, spelling):
        """What the program says of a spelling that it missed."""
        path = self.folder / "why.py"
        path.write_text(spelling.text)
        result = subprocess.run([self.options.mlxfix, "why", path, "--select", self.rule], capture_output=True, text=True)
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


def in_common(spellings, missed):
    """Prints which unusual choices the missed spellings have in common."""
    seen, lost = (collections.Counter(tag for s in some for tag in s.tags) for some in (spellings, missed))
    worst = sorted(lost, key=lambda tag: (-lost[tag] / seen[tag], -lost[tag], tag))[:12]
    if worst:
        print("  missed most with: " + ", ".join(f"{tag} {lost[tag]}/{seen[tag]}" for tag in worst), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mlxfix", required=True, metavar="PATH")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    parser.add_argument("--spellings", type=int, default=200, metavar="N")
    parser.add_argument("--near-misses", type=int, default=100, metavar="M")
    parser.add_argument("--recall", type=float, default=0.97, help="the share of the spellings of each rule that must be found")
    parser.add_argument("--rule", action="append", choices=RULES)
    parser.add_argument("--all", action="store_true", help="run all transforms on each spelling, not only its own")
    parser.add_argument("--fast", action="store_true", help="show missed spellings as they were drawn")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    mx.set_default_device(mx.cpu)
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        failures = sum(Rule(rule, options, pathlib.Path(folder)).check() for rule in options.rule or RULES)
    print(f"{failures} failures, seed {options.seed}, MLX {mx.__version__}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
