"""Measures one transform: what `before` and `after` take in time and memory, on sizes as models have them.

Both sides are run in turns, the first one another one each round, so that what else the machine does falls on both. What counts is the median
of the quotients of neighbours. Gives plain data.
"""

import datetime
import gc
import inspect
import statistics
import time

import mlx.core as mx
import oracle
import prove
import readings
import workloads

DTYPES = {"bfloat16": mx.bfloat16, "float32": mx.float32}
SHORTEST = 0.002  # seconds that one measurement takes at least, made of as many calls as that needs
FEWEST, MOST = 5, 101  # rounds


def work(function, arguments):
    """A call whose result is computed when it comes back."""
    given = {name: arguments[name] for name in inspect.signature(function).parameters if name in arguments}

    def once():
        result = function(**given)
        mx.eval([leaf for _, leaf in oracle.flatten(result) if isinstance(leaf, mx.array)])

    return once


def seconds(once, times):
    start = time.perf_counter()
    for _ in range(times):
        once()
    return (time.perf_counter() - start) / times


def peak(once):
    """How much memory a call takes at most, in bytes, beyond what is there."""
    mx.clear_cache()
    there = mx.get_active_memory()
    mx.reset_peak_memory()
    once()
    return max(mx.get_peak_memory() - there, 0)


def measured(before, after, budget):
    """Medians of both sides in microseconds, the quartiles of their quotient, and the memory of both."""
    sides = (before, after)
    memory = [peak(side) for side in sides]
    once = min(min(seconds(side, 1) for _ in range(3)) for side in sides)
    times = max(1, round(SHORTEST / max(once, 1e-7)))
    rounds, end = [], time.perf_counter() + budget
    gc.disable()
    while len(rounds) < MOST and (len(rounds) < FEWEST or time.perf_counter() < end):
        order = (0, 1) if len(rounds) % 2 == 0 else (1, 0)
        took = [0.0, 0.0]
        for which in order:
            took[which] = seconds(sides[which], times)
        rounds.append(took)
    gc.enable()
    low, middle, high = statistics.quantiles([was / now for was, now in rounds], n=4, method="inclusive")
    was, now = (statistics.median(column) * 1e6 for column in zip(*rounds))
    return {"before": was, "after": now, "quotient": [low, middle, high], "memory": memory, "rounds": len(rounds)}


def cases(rule, dtype):
    """What a transform is measured on: its own `workloads`, or ours, or what it is proved on."""
    name = rule.name.replace("-", "_")
    own = rule.namespace.get("workloads") or getattr(workloads, name, None)
    if own:
        yield from own(dtype)
    elif "inputs" in rule.namespace:
        variants = [v for v in rule.functions if v.split("_")[0] == "before"]
        for number, arguments in enumerate(rule.namespace["inputs"](dtype)):
            for variant in variants:
                yield f"{variant}, input {number + 1}", variant, arguments


def sides(rule, name):
    """Both sides of a pattern as its first reading has them, in the first use that it lists."""
    reading, after, _ = next(iter(prove.Variant(rule, name).ways()))
    return readings.compiled(reading, rule.namespace), after


def main(job):
    rule = prove.Rule(job["id"], job["text"])
    found, seen, error = [], set(), None
    for name, dtype in DTYPES.items():
        for label, variant, arguments in cases(rule, dtype):
            before, after = sides(rule, variant)
            has_dtype = any(isinstance(a, mx.array) and a.dtype == dtype for a in arguments.values())
            if (label, has_dtype) in seen and not has_dtype:
                continue  # The same again.
            seen.add((label, has_dtype))
            result, problem = prove.attempt(lambda: measured(work(before, arguments), work(after, arguments), job["budget"]), evaluate=False)
            if problem:  # Not every pattern takes every input.
                error = f"{label} in {name}: {problem}"
            else:
                found.append({"label": label, "dtype": name if has_dtype else ""} | result)
    if error and not found:
        raise RuntimeError(error)
    gpu = mx.default_device() == mx.gpu
    device = mx.device_info().get("device_name", "GPU") if gpu else "CPU"
    return {"mlx": mx.__version__, "device": str(device), "date": datetime.date.today().isoformat(), "cases": found}
