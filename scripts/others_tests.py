"""Runs the tests of real projects before and after mlxfix has rewritten them, and demands the same outcome of each test.

    python3 scripts/others_tests.py --mlxfix target/debug/mlxfix --work FOLDER [--mlx-source CHECKOUT]

FOLDER keeps what is downloaded and installed (about 1 GB): a virtual environment with the pinned packages, mlx-lm's source distribution, and MLX's source,
which `--mlx-source` names where there is a checkout already. MLX's tests run against a copy of its own Python layers, `mlx.nn`, `mlx.optimizers` and
`mlx.utils`; only those are rewritten, for the rest of MLX is compiled. Exits with 1 where a test ends otherwise than before, where nothing ran, or where
nothing was rewritten at all.
"""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import xml.etree.ElementTree as ElementTree

MLX_LM = "0.32.2"
REQUIREMENTS = ["mlx[cpu]==0.32.4", f"mlx-lm=={MLX_LM}", "pytest==9.2.0"]
MLX_SOURCE = ["--branch", "v0.32.1", "https://github.com/ml-explore/mlx"]
MLX_LM_TESTS = ["test_models.py", "test_losses.py", "test_sample_utils.py"]
MLX_TESTS = ["test_nn.py", "test_losses.py", "test_optimizers.py"]
SIDES = ("before", "after")
TIME_LIMIT = 3600


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mlxfix", required=True, type=pathlib.Path, help="the program")
    parser.add_argument("--work", required=True, type=pathlib.Path, help="a folder for everything that is made")
    parser.add_argument("--mlx-source", type=pathlib.Path, help="a checkout of MLX, in place of a fresh clone")
    parser.add_argument("--only", choices=["mlx-lm", "mlx"], help="one project alone")
    arguments = parser.parse_args()
    work, mlxfix = arguments.work.resolve(), arguments.mlxfix.resolve()
    work.mkdir(parents=True, exist_ok=True)
    python = environment(work)
    projects = []
    if arguments.only != "mlx":
        projects.append(("mlx-lm", mlx_lm(work, python), MLX_LM_TESTS))
    if arguments.only != "mlx-lm":
        projects.append(("mlx", mlx(work, python, arguments.mlx_source), MLX_TESTS))
    rewritten, differences = 0, []
    for name, folder, tests in projects:
        rewritten += rewrite(name, mlxfix, folder)
        for test in tests:
            differences += compared(name, python, folder, test)
    print(f"{rewritten} files rewritten, {len(differences)} tests with another outcome")
    for difference in differences:
        print(difference)
    sys.exit(1 if differences or not rewritten else 0)


def environment(work):
    """The interpreter of a virtual environment with the pinned packages."""
    folder = work / "venv"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    stamp = folder / "requirements.txt"
    if not stamp.exists() or stamp.read_text().split() != REQUIREMENTS:
        run([sys.executable, "-m", "venv", folder])
        run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *REQUIREMENTS])
        stamp.write_text("\n".join(REQUIREMENTS))
    return python


def fresh(folder):
    """Two empty folders, for the project as it is and for the rewritten one."""
    shutil.rmtree(folder, ignore_errors=True)
    for side in SIDES:
        (folder / side).mkdir(parents=True)
    return folder


def mlx_lm(work, python):
    """mlx-lm's package and tests out of its source distribution, twice."""
    name = f"mlx_lm-{MLX_LM}"
    archive = work / f"{name}.tar.gz"
    if not archive.exists():
        run([python, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:", f"mlx-lm=={MLX_LM}", "--dest", work])
    folder = fresh(work / "mlx-lm")
    for side in SIDES:
        with tarfile.open(archive) as tar:
            tar.extractall(folder / side, filter="data")
        for part in ("mlx_lm", "tests"):
            (folder / side / name / part).rename(folder / side / part)
        shutil.rmtree(folder / side / name)
    return folder


def mlx(work, python, checkout):
    """The Python layers of the installed MLX, and the tests of its source, twice."""
    if checkout is None:
        checkout = work / "mlx-source"
        if not checkout.exists():
            run(["git", "clone", "--quiet", "--depth", "1", *MLX_SOURCE, checkout])
    where = run([python, "-c", "import mlx.nn; print(mlx.nn.__path__[0])"], stdout=subprocess.PIPE).stdout.decode().strip()
    installed = pathlib.Path(where).parent
    folder = fresh(work / "mlx")
    for side in SIDES:
        # `mlx` is a namespace: what is not here, above all `mlx.core`, is found where it is installed.
        for package in ("nn", "optimizers"):
            shutil.copytree(installed / package, folder / side / "mlx" / package, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(installed / "utils.py", folder / side / "mlx")
        shutil.copytree(checkout / "python" / "tests", folder / side / "tests")
    return folder


def rewrite(name, mlxfix, folder):
    """Rewrite the package, not its tests. The result is the number of files that changed."""
    package = next(path for path in (folder / "after").iterdir() if path.name != "tests")
    command = [mlxfix, "--write", "--unsafe", "--isolated", "--no-respect-gitignore", package]
    ran = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=TIME_LIMIT)
    if ran.returncode not in (0, 1):
        sys.exit(f"mlxfix failed on {name}:\n{ran.stderr.decode()}")
    old = {path.relative_to(folder / "before"): path.read_bytes() for path in (folder / "before" / package.name).rglob("*.py")}
    changed = sum((folder / "after" / path).read_bytes() != text for path, text in old.items())
    print(f"{name}: {changed} of {len(old)} files rewritten; {ran.stderr.decode().strip().splitlines()[-1:]}")
    return changed


def compared(name, python, folder, test):
    """Run one file of tests on both sides and print a line of the table. The result names the tests that end otherwise."""
    before, after = (outcomes(python, folder / side, test) for side in SIDES)
    if not before:
        return [f"{name} {test}: no test ran"]
    print(f"{name:8} {test:22} {len(before):4} tests   before: {counted(before):36} after: {counted(after)}", flush=True)
    tests = sorted(before.keys() | after.keys())
    return [f"{name} {t}: {before.get(t, 'missing')} -> {after.get(t, 'missing')}" for t in tests if before.get(t) != after.get(t)]


def outcomes(python, side, test):
    """How each test of one file ends."""
    report = side / "report.xml"
    report.unlink(missing_ok=True)
    # Only what lies here is tested, without network, and each time with the same hashes.
    settings = {"PYTHONPATH": str(side), "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1", "HF_HUB_OFFLINE": "1"}
    command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", side / "tests" / test]
    with open(side / f"{test}.log", "wb") as log:
        subprocess.run(command, cwd=side / "tests", env={**os.environ, **settings}, stdout=log, stderr=log, timeout=TIME_LIMIT)
    found = {}
    if not report.exists():
        return found
    for case in ElementTree.parse(report).iter("testcase"):
        ends = [child.tag for child in case if child.tag in ("failure", "error", "skipped")]
        key, number = f"{case.get('classname')}.{case.get('name')}", 1
        # Subtests share the name of their test.
        while (unique := f"{key} ({number})" if number > 1 else key) in found:
            number += 1
        found[unique] = "+".join(ends) or "passed"
    return found


def counted(found):
    kinds = sorted(set(found.values()))
    return ", ".join(f"{list(found.values()).count(kind)} {kind}" for kind in kinds)


def run(command, **settings):
    return subprocess.run([str(part) for part in command], check=True, **settings)


if __name__ == "__main__":
    main()
