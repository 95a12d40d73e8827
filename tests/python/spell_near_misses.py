"""Computations that look like those of the rules and are not: a spelling with one change, one whose operand changes in its midst, or a trap.

Each must be left alone, or answer the same after its rewrite.
"""

import re

import spell_traps
from spell_rules import RULES
from spell_writer import Writer
from spelling import Spelling

TWISTS = {
    "rms-norm": [
        "other axis", "all axes", "no keepdims", "n - 1", "sum", "clamped", "eps outside", "eps subtracted", "quarter", "cubed", "absolute",
        "cast dropped", "other numerator", "statistic returned",
    ],
    "layer-norm": [
        "other axis", "mean axis", "all axes", "no keepdims", "ddof", "n - 1", "sum", "clamped", "eps outside", "eps subtracted", "quarter",
        "not centred", "mean squared", "other numerator", "statistic returned",
    ],
    "attention": [
        "soft cap", "scores twice", "scores squared", "mask multiplied", "mask subtracted", "mask by where", "mask before scale",
        "mask after softmax", "mask under flag", "softmax axis", "sigmoid", "exponentials", "stays in float32", "weights dropped",
        "weights changed", "weights returned", "keys not permuted",
    ],
    "precise-softmax": [
        "dtype too late", "down, not up", "scaled in float32", "shifted in place", "logsumexp", "sigmoid", "exponentials", "nn.softmax",
        "nn.log_softmax", "chosen before the cast", "float32 returned", "not cast back", "other dtype",
    ],
    "addmm": [
        "c reshaped larger", "number", "numpy", "integers", "wider", "elementwise", "cast between", "activated", "product returned",
        "product twice", "subtracted", "multiplied",
    ],
}  # fmt: skip


def near_miss(rule, rng):
    """Draws one near miss of a rule."""
    roll = rng.random()
    if roll < 0.3:
        return disturbed(rule, rng)
    if roll < 0.6:
        return trapped(rule, rng)
    return RULES[rule](Writer(rng), twist=rng.choice(TWISTS[rule]))


def disturbed(rule, rng):
    """A spelling whose operand is changed between its first use and its last."""
    w = Writer(rng)
    w.split = max(w.split, 0.25)
    kinds = []

    def between(w, *values):
        """Writes the change; the last of the values is the one just computed, the one before it the operand."""
        if not w.scope.statements or kinds:
            return values[-1]
        value = w.named(values[-1], "stat")
        target = value.text if len(values) == 1 or w.chance(0.3) else values[0].text
        if target.isidentifier():
            kind, text = rng.choice(disturbances())
            kinds.append(kind)
            w.emit(disturbance(w, text, target))
            w.scope.own.discard(target)
        return value

    spelling = RULES[rule](w, between=between)
    spelling.twist = f"disturbed: {kinds[0]}" if kinds else "disturbed: not at all"
    return spelling


def disturbances():
    """The names and texts of all changes."""
    entries = (entry.split("\n", 1) for entry in spell_traps.DISTURBANCES.split("# --- ")[1:])
    return [(name, text.strip("\n")) for name, text in entries]


def disturbance(w, text, x):
    """The text of a change with the names of its place."""
    names = {"X": x, "Y": w.fresh("alias", "same"), "Z": w.fresh("others", "held"), "F": w.fresh("bump", "touch_")}
    change = w.pick("{} += 1", "{} *= 2", "{}[0] = 0", "{}[..., 0] = 3", "{} -= {}", "{} /= 3")
    if "F(" in text and "def F" not in text or "F," in text:
        w.names.add(names["F"])
        w.top += [f"def {names['F']}(a):", "    " + change.replace("{}", "a"), ""]
    text = re.sub(r"CHANGE (\w+)", lambda found: change.replace("{}", found[1]), text)
    return re.sub(r"\b[XYZF]\b", lambda found: names[found[0]], text)


def trapped(rule, rng):
    """One of the traps, as it stands."""
    name, shapes, kind, text = rng.choice(list(spell_traps.traps(rule)))

    def arguments(data):
        values = tuple(data.rows(*shape) if isinstance(shape, tuple) else shape for shape in shapes)
        return ((), values) if kind == "class" else values

    hostile = kind == "hostile"
    return Spelling(rule, text, None if hostile else arguments, (), (), False, [arguments] * hostile, {"trap"}, f"trap: {name}")
