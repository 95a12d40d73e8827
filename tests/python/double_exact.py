"""Holds the functions of `src/proof/double.py` against Python's `math`, which computes in float64, and shows that MLX's own do not.

usage: double_exact.py
"""

import math
import pathlib
import sys

import mlx.core as mx

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "src/proof"))
import oracle  # noqa: E402

EXACT = 1e-12  # Rounding in float64, over some steps and exponents up to 700.
VALUES = [0.0, 1e-9, -0.3, 0.7, 1.5, -2.25, 3.0, -7.5, 20.0, 100.5, -650.0, 2047.125]
SPECIAL = [math.inf, -math.inf, math.nan]
ROW = [-3.0, 0.25, 2.0, 1.75]


def sigmoid(x):
    return 1 / (1 + math.exp(-x)) if x > -700 else math.exp(x)


def exp(x):
    return math.exp(x) if x < 709 else math.inf


def logsumexp(row):
    return max(row) + math.log(math.fsum(math.exp(v - max(row)) for v in row))


TRUTHS = {"exp": exp, "sin": math.sin, "cos": math.cos, "sigmoid": sigmoid, "erf": math.erf}


def far(value, truth):
    """How far a number is from the true one, of which it should be a float64."""
    if truth == value or (math.isnan(truth) and math.isnan(value)):
        return 0.0
    return abs(value - truth) / max(abs(truth), sys.float_info.min)


def worst(name, values):
    """The largest error of `mx.<name>` for `values`, one array of float64."""
    got = getattr(mx, name)(mx.array(values, mx.float64)).tolist()
    return max(far(g, TRUTHS[name](v)) for g, v in zip(got, values))


def check():
    """What is wrong within `oracle.float64()`."""
    for name in TRUTHS:
        # A sine near nought is known to as many digits behind the point as the angle.
        values = [v for v in VALUES if name not in ("sin", "cos") or abs(v) < 10] + SPECIAL * (name not in ("sin", "cos"))
        if not worst(name, values) < EXACT:
            yield f"mx.{name} is off by {worst(name, values)}"
    for angle in (100.5, -650.0, 2047.125):
        errors = [abs(getattr(mx, name)(mx.array(angle, mx.float64)).item() - TRUTHS[name](angle)) for name in ("sin", "cos")]
        if not max(errors) < EXACT:
            yield f"the sine or cosine of {angle} is off by {max(errors)}"
    row = mx.array(ROW, mx.float64)
    pairs = [(mx.logsumexp(row).item(), logsumexp(ROW)), (mx.logaddexp(row[0], row[1]).item(), logsumexp(ROW[:2]))]
    pairs += [(mx.logaddexp(mx.array(-math.inf, mx.float64), mx.array(-math.inf, mx.float64)).item(), -math.inf)]
    pairs += [(v, math.exp(r - logsumexp(ROW))) for v, r in zip(mx.softmax(row).tolist(), ROW)]
    pairs += [(v, math.exp(r)) for v, r in zip(row.exp().tolist(), ROW)]
    pairs += [(v, math.exp(r)) for v, r in zip(mx.grad(lambda x: mx.exp(x).sum())(row).tolist(), ROW)]
    pairs += [(v, 2 / math.sqrt(math.pi) * math.exp(-r * r)) for v, r in zip(mx.grad(lambda x: mx.erf(x).sum())(row).tolist(), ROW)]
    # Whole numbers that become fractions.
    counts = mx.arange(1, 4)
    pairs += [(v, n * 0.1) for v, n in zip((counts * 0.1).tolist(), (1, 2, 3))] + [(v, 1e4 ** (n / 7)) for v, n in zip((1e4 ** (counts / 7)).tolist(), (1, 2, 3))]
    yield from (f"{got} should be {truth}" for got, truth in pairs if not far(got, truth) < EXACT)


def main():
    with oracle.float64():
        problems = list(check())
    # What MLX computes itself: were it exact, the replacement would not be needed, and this file would show nothing.
    problems += [f"mx.{name} of MLX is exact by itself" for name in TRUTHS if worst(name, VALUES[1:8]) < EXACT]
    if (mx.arange(3) * 0.1).dtype != mx.float32:
        problems.append("the functions of MLX are not its own again")
    if problems:
        sys.exit("\n".join(problems))


mx.set_default_device(mx.cpu)
main()
