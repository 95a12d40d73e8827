"""Breaks each condition of the guards and each equation of the normal form in turn, and says which check notices.

    python scripts/mutation.py guards --mlxfix target/debug/mlxfix > snapshots/mutation/guards.txt
    python scripts/mutation.py sources src/graph/normalize.rs src/graph/normalize > snapshots/mutation/normalize.txt

`guards` leaves one condition of one rule file out at a time and runs the result as a rule of the user's own: the examples notice if they are found, or
trusted, otherwise than before; where they do not, `mlxfix prove` is asked (which needs MLX: see `--python`).
`sources` changes Rust: a condition is taken for granted, a function gives nothing, a comparison is off by one. All changes are built at once into a copy of the
tree in the build folder, each asleep behind a number; then the unit tests and the examples run once for each number.

What no check notices is a survivor. It needs a test, or its line in `REASONS`: why the program is the same without it.
Exit code 1: there is a survivor without a reason.
"""

import argparse
import ast
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
SECONDS = 120  # A change that makes a program run for ever is noticed.

# Survivors, by the line that the table has for them.
REASONS = {
    "attention guard_mask_cast: mask is None": "without a mask mlxfix asks nothing of it; the words are for the proof",
    "src/graph/normalize/ranges.rs repeated_element: without `seen.len() > MAX_NODES`": "it bounds the time",
    "src/graph/normalize.rs item_of_display: without `items.iter().any(|&v| graph.op(v) == Op::Star)`": "an assignment takes such a display apart itself",
    "src/graph/normalize/ranges.rs new_axes: without `axes.is_empty()`": "`x[:]` would be `mx.expand_dims(x, ())`, which is the same",
}


def run(command, folder=ROOT, **options):
    """The exit code and the output of a command; what takes too long has the code 124."""
    try:
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=SECONDS * 5, cwd=folder, **options)
    except subprocess.TimeoutExpired:
        return 124, ""
    return done.returncode, done.stdout


def told(mlxfix, arguments, paths, **options):
    """Everything that is found in the examples, and how far it is trusted."""
    return run([mlxfix, "--isolated", "--unsafe", "--output-format", "json-lines", *arguments, *paths], **options)


# Guards


def weakened(guard):
    """Each way to leave one condition of a guard out, as a text and the changed function."""
    expressions = [node for node in ast.walk(guard) if isinstance(node, ast.BoolOp)]
    for which, node in enumerate(expressions):
        for at, condition in enumerate(node.values):
            if isinstance(condition, ast.BoolOp):
                continue
            copy = ast.parse(ast.unparse(guard)).body[0]
            changed = [n for n in ast.walk(copy) if isinstance(n, ast.BoolOp)][which]
            changed.values[at] = ast.Constant(isinstance(node.op, ast.And))
            # `False` is no condition: what it is joined to stands alone.
            if isinstance(node.op, ast.Or):
                changed.values.pop(at)
                changed.values = changed.values * (2 if len(changed.values) == 1 else 1)
            yield ast.unparse(condition), copy
    returned = guard.body[-1].value
    if not isinstance(returned, (ast.BoolOp, ast.Constant)):
        copy = ast.parse(ast.unparse(guard)).body[0]
        copy.body[-1].value = ast.Constant(True)
        yield ast.unparse(returned), copy


def guards(arguments):
    """One line for each condition of each guard."""
    for path in sorted((ROOT / "transforms").glob("*.py")):
        if arguments.transforms and path.stem not in arguments.transforms:
            continue
        tree = ast.parse(path.read_text())
        for guard in [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name.split("_")[0] == "guard"]:
            for condition, copy in weakened(guard):
                what = f"{path.stem} {guard.name}: {condition}"
                yield what, None if arguments.list else noticed_guard(arguments, path, tree, guard, copy)


def noticed_guard(arguments, path, tree, guard, copy):
    """Who notices a rule file with `copy` in place of `guard`."""
    examples = [f"examples/{path.stem}", "examples/models", *((ROOT / "examples").glob(f"*/*{path.stem}*"))]
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / f"{path.stem}_mutant.py"
        name = file.stem.replace("_", "-")
        chosen = ["--rule", file, "--select", name]
        file.write_text(path.read_text())
        usual = told(arguments.mlxfix, chosen, examples)
        body = [copy if node is guard else node for node in tree.body]
        file.write_text(ast.unparse(ast.Module(body=body, type_ignores=[])))
        if told(arguments.mlxfix, chosen, examples) != usual:
            return "examples"
        reasons = [run([arguments.mlxfix, "why", "--isolated", *chosen, f"examples/{path.stem}/near_miss.py"])[1]]
        file.write_text(path.read_text())
        reasons.append(run([arguments.mlxfix, "why", "--isolated", *chosen, f"examples/{path.stem}/near_miss.py"])[1])
        if reasons[0] != reasons[1]:
            return "reasons"
        file.write_text(ast.unparse(ast.Module(body=body, type_ignores=[])))
        code, _ = run([arguments.mlxfix, "prove", "--isolated", "--python", arguments.python, "--rule", file, name])
        # MLX ends the process on some arrays that a guard refuses: then there is no proof.
        return {1: "proof", 2: "proof, which ends"}.get(code)


# Rust

WAKE = """//! Changes that wait for their number.
pub fn on(number: usize) -> bool {
    static CHOSEN: std::sync::LazyLock<usize> = std::sync::LazyLock::new(|| std::env::var("MLXFIX_MUTANT").ok().and_then(|n| n.parse().ok()).unwrap_or(0));
    *CHOSEN == number
}
"""
SIGNATURE = re.compile(r"^( *)(?:pub(?:\([a-z]+\))? )?fn (\w+)[^;{]*?(?:-> (bool|Option<[^{]*>|Truth) )?\{$", re.M)
OPENING, CLOSING = "([{", ")]}"


class Sleeper:
    """Puts sleeping changes into the text of a Rust file."""

    def __init__(self, path, first):
        self.path, self.text, self.next = path, path.read_text(), first
        self.code = self.blanked(self.text.split("#[cfg(test)]")[0])
        self.inserted, self.mutants = [], []

    @staticmethod
    def blanked(code):
        """The code with comments, strings and characters blank, so that what is left has a meaning."""
        pattern = r'//[^\n]*|"(?:\\.|[^"\\])*"|b?\'(?:\\.|[^\'\\])\''
        return re.sub(pattern, lambda m: re.sub(r"[^\n]", " ", m.group()), code)

    def add(self, what, at, before, after="", end=None):
        """A change: text to put in `at` a place and at the `end` of what stands there."""
        line = self.code.count("\n", 0, at) + 1
        function = [m.group(2) for m in SIGNATURE.finditer(self.code[: at + 1])]
        name = function[-1] if function else "?"
        self.mutants.append((self.next, f"{self.path.relative_to(ROOT)} {name}: {what}", line))
        self.inserted.append((at, 0, before.replace("@", f"crate::mutant::on({self.next})")))
        if end is not None:
            self.inserted.append((end, 1, after))
        self.next += 1

    def functions(self):
        """Functions that find nothing, or everything."""
        for match in SIGNATURE.finditer(self.code):
            kind = match.group(3) or ""
            results = {"bool": ["false", "true"], "Truth": ["Truth::True"]}.get(kind, ["None"] if kind.startswith("Option") else [])
            for result in results:
                self.add(f"is always {result}", match.end(), f" if @ {{ return {result}; }}")

    def conditions(self):
        """Conditions that are taken for granted."""
        for match in re.finditer(r"&&|\|\|", self.code):
            if match.group() == "||" and re.search(r"[(,=]\s*$", self.code[: match.start()]):
                continue  # a closure without parameters
            for start, end in (self.extent(match.start(), -1), self.extent(match.end(), 1)):
                self.condition(start, end)
        for match in re.finditer(r"\bif (?!let\b)", self.code):
            start, end = self.extent(match.end(), 1)
            self.condition(start, end)
        for match in re.finditer(r"\)\.then(?:_some)?\(", self.code):
            self.condition(*self.extent(match.start() + 1, -1))

    def condition(self, start, end):
        text = self.text[start:end]
        start, end = start + len(text) - len(text.lstrip()), end - len(text) + len(text.rstrip())
        text = self.code[start:end]
        if not text or text.startswith("let ") or "\n" in text or re.search(r"(&&|\|\|)", text) and self.is_chain(text) or (start, end) in self.seen:
            return
        self.seen.add((start, end))
        left, right = self.code[:start].rstrip()[-2:], self.code[end:].lstrip()[:2]
        shown = " ".join(self.text[start:end].split())
        within_or = "||" in (left, right) and "&&" not in (left, right)
        bails = re.match(r"\s*\{\s*(return|continue|break)\b", self.code[end:]) and not left.endswith("&&")
        if within_or or bails:
            self.add(f"without `{shown}`", start, "(!@ && (", "))", end)
        else:
            self.add(f"without `{shown}`", start, "(@ || (", "))", end)

    @staticmethod
    def is_chain(text):
        depth = 0
        for at, c in enumerate(text):
            depth += (c in OPENING) - (c in CLOSING)
            if depth == 0 and text[at : at + 2] in ("&&", "||"):
                return True
        return False

    def extent(self, at, step):
        """From `at` to where the operand there ends, forwards or backwards."""
        depth, place = 0, at if step > 0 else at - 1
        while 0 <= place < len(self.code):
            c, pair = self.code[place], self.code[place : place + 2]
            ahead = c in OPENING if step > 0 else c in CLOSING
            behind = c in CLOSING if step > 0 else c in OPENING
            if depth == 0 and (behind or c in ",;" or step > 0 and c == "{" or pair in ("&&", "||", "=>")):
                break
            if depth == 0 and step < 0 and (self.code[place - 1 : place + 1] in ("&&", "||", "=>") or c == "|" or self.is_assignment(place)):
                break
            if depth == 0 and step < 0 and re.search(r"\b(if|while|return)$", self.code[max(0, place - 6) : place + 1]):
                break
            depth += ahead - behind
            place += step
        return (at, place) if step > 0 else (place + 1, at)

    def is_assignment(self, place):
        return self.code[place] == "=" and self.code[place - 1] not in "=<>!" and self.code[place + 1] not in "=>"

    def asleep(self):
        """The text with all changes in it, asleep."""
        self.seen = set()
        self.functions()
        self.conditions()
        text = self.text
        for at, _, new in sorted(self.inserted, key=lambda i: (i[0], -i[1]), reverse=True):
            text = text[:at] + new + text[at:]
        return text


def sources(arguments):
    """One line for each change of the Rust files that are named."""
    mutants, texts = [], {}
    for path in arguments.paths:
        for file in sorted((ROOT / path).rglob("*.rs")) if (ROOT / path).is_dir() else [ROOT / path]:
            sleeper = Sleeper(file, len(mutants) + 1)
            texts[file.relative_to(ROOT)] = sleeper.asleep()
            mutants += sleeper.mutants
    if arguments.list:
        yield from ((what, None) for _, what, _ in mutants)
        return
    copy = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "mutants"
    for name in ["src", "examples", "tests"]:
        shutil.rmtree(copy / name, ignore_errors=True)
    ignored = shutil.ignore_patterns(".git", "target", "__pycache__")
    shutil.copytree(ROOT, copy, ignore=ignored, dirs_exist_ok=True)
    for path, text in texts.items():
        (copy / path).write_text(text)
    (copy / "src/mutant.rs").write_text(WAKE)
    (copy / "src/lib.rs").write_text((copy / "src/lib.rs").read_text() + "\npub mod mutant;\n")
    # In the build folder of the tree itself cargo would take one for the other.
    options = {"cwd": copy, "env": os.environ | {"CARGO_TARGET_DIR": str(copy / "target")}, "check": True}
    built = subprocess.run(["cargo", "test", "--no-run", "--lib", "--bins", "--message-format=json"], stdout=subprocess.PIPE, text=True, **options)
    binaries = [json.loads(line) for line in built.stdout.splitlines()]
    tests = next(b["executable"] for b in binaries if b.get("executable") and "lib" in b["target"]["kind"])
    subprocess.run(["cargo", "build", "--quiet"], **options)
    mlxfix = copy / "target/debug/mlxfix"
    usual = observed(mlxfix, 0)
    for number, what, _ in mutants:
        if number in arguments.numbers or not arguments.numbers:
            yield what, noticed_source(tests, mlxfix, number, usual)


def observed(mlxfix, number):
    return told(mlxfix, [], ["examples"], folder=mlxfix.parents[2], env=os.environ | {"MLXFIX_MUTANT": str(number)})


def noticed_source(tests, mlxfix, number, usual):
    code, _ = run(["timeout", SECONDS, tests, "--quiet"], env=os.environ | {"MLXFIX_MUTANT": str(number)})
    if code:
        return "unit tests"
    if observed(mlxfix, number) != usual:
        return "examples"
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    of_guards = commands.add_parser("guards")
    of_guards.add_argument("transforms", nargs="*", help="only those of these transform files, such as rms_norm")
    of_guards.add_argument("--mlxfix", default="target/debug/mlxfix")
    of_guards.add_argument("--python", default=sys.executable, help="a Python that has mlx and numpy")
    of_sources = commands.add_parser("sources")
    of_sources.add_argument("paths", nargs="+")
    of_sources.add_argument("--numbers", type=lambda text: {int(n) for n in text.split(",")}, default=set())
    for command in (of_guards, of_sources):
        command.add_argument("--list", action="store_true", help="name the changes and make none")
    arguments = parser.parse_args()
    if arguments.list:
        for what, _ in (guards if arguments.command == "guards" else sources)(arguments):
            print(what)
        return 0
    lines, survivors = [], 0
    for what, who in (guards if arguments.command == "guards" else sources)(arguments):
        reason = REASONS.get(what)
        survivors += who is None and reason is None
        lines.append((what, who or (f"nobody: {reason}" if reason else "NOBODY")))
        print(f"{len(lines)} {what}  {lines[-1][1]}", file=sys.stderr, flush=True)
    width = max(len(what) for what, _ in lines)
    for what, who in lines:
        print(f"{what:{width}}  {who}")
    print(f"{len(lines)} changes, {sum(not who.lower().startswith('nobody') for _, who in lines)} noticed, {survivors} survive without a reason")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
