"""Computations that look like those of the rules and are not: a spelling with one change, one whose operand changes in its midst, or a trap.

Each must be left alone, or answer the same after its rewrite.
"""

import re
import textwrap

import spell_traps
from spell_writer import Writer
from spelling import Spelling


def near_miss(rule, number, rng):
    """One near miss of a rule: its traps come first, each of them once, and the further ones are drawn."""
    if number < len(known := traps(rule)):
        return trapped(*known[number])
    kind = rng.random()
    if kind < 0.2 and rule.parts:
        return in_rounds(rule, rng)
    if kind < 0.5 and rule.disturbed:
        return disturbed(rule, rng)
    return rule.write(Writer(rng), twist=rng.choice(rule.twists))


def traps(rule):
    """The traps of a rule."""
    return list(spell_traps.traps(rule)) if rule.parts else []


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
            kind, text = rng.choice(entries(spell_traps.DISTURBANCES))
            kinds.append(kind)
            w.emit(disturbance(w, text, target))
            w.scope.own.discard(target)
        return value

    spelling = rule.write(w, between=between)
    spelling.twist = f"disturbed: {kinds[0]}" if kinds else "disturbed: not at all"
    return spelling


def in_rounds(rule, rng):
    """A computation of which a part runs again after something has been done to its operand."""
    w = Writer(rng)
    w.scope.names |= {"x", "s", "out", "left", "more", "rest", "give", "keep", "kept", "same", "_rest", "_first"}
    (form, text), (kind, change) = rng.choice(entries(spell_traps.ROUNDS)), rng.choice(entries(spell_traps.DISTURBANCES))
    change = disturbance(w, change, rng.choice("xs"))
    text = re.sub(r"^( *)DISTURBANCE$", lambda found: textwrap.indent(change, found[1]), text, flags=re.M)
    for part in ("stat", "from_stat"):
        text = text.replace("{" + part + "}", rule.parts[part])
    return trapped(f"{form}, {kind}", [(8, 8)], "", "\n".join([spell_traps.IMPORTS, *w.top, text, ""]))


def entries(texts):
    """The names and texts of what is written down."""
    named = (entry.split("\n", 1) for entry in texts.split("# --- ")[1:])
    return [(name, text.strip("\n")) for name, text in named]


def disturbance(w, text, x):
    """The text of a change with the names of its place."""
    names = {"X": x, "Y": w.fresh("alias", "same"), "Z": w.fresh("others", "held"), "F": w.fresh("bump", "touch_")}
    change = w.pick("{} += 1", "{} *= 2", "{}[0] = 0", "{}[..., 0] = 3", "{} -= {}", "{} /= 3")
    if "F(" in text and "def F" not in text or "F," in text:
        w.names.add(names["F"])
        w.top += [f"def {names['F']}(a):", "    " + change.replace("{}", "a"), ""]
    text = re.sub(r"CHANGE (\w+)", lambda found: change.replace("{}", found[1]), text)
    return re.sub(r"\b[XYZF]\b", lambda found: names[found[0]], text)


def trapped(name, shapes, kind, text):
    """One of the traps, as it stands."""

    def arguments(data):
        values = tuple(data.rows(*shape) if isinstance(shape, tuple) else shape for shape in shapes)
        return ((), values) if kind == "class" else values

    hostile = kind == "hostile"
    return Spelling(text, None if hostile else arguments, (), (), False, [arguments] * hostile, {"trap"}, f"trap: {name}")
