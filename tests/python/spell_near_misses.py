"""Computations that look like those of the rules and are not: a spelling with one change, one whose operand changes in its midst, or a trap.

Each must be left alone, or answer the same after its rewrite.
"""

import spell_rules
import spell_traps
from spell_writer import Writer

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
        "soft cap", "scores twice", "scores squared", "mask multiplied", "mask subtracted", "mask by where", "mask before scale", "mask after softmax",
        "mask under flag", "softmax axis", "sigmoid", "exponentials", "stays in float32", "weights dropped", "weights changed", "weights returned",
        "keys not permuted",
    ],
    "precise-softmax": [
        "dtype too late", "down, not up", "scaled in float32", "shifted in place", "logsumexp", "sigmoid", "exponentials", "nn.softmax", "nn.log_softmax",
        "chosen before the cast", "float32 returned", "not cast back", "other dtype",
    ],
    "addmm": [
        "c reshaped larger", "number", "numpy", "integers", "wider", "elementwise", "cast between", "activated", "product returned", "product twice",
        "subtracted", "multiplied",
    ],
}  # fmt: skip


def disturbances(w, x):
    """Statements after which the name or the array `x` holds something else."""
    alias, other = w.fresh("alias", "same"), w.fresh("others", "held")
    bump = w.fresh("bump", "touch_")
    w.names.add(bump)
    in_place = w.pick(f"{{}} += 1", "{} *= 2", "{}[0] = 0", "{}[..., 0] = 3", "{} -= {}", "{} /= 3")
    helper = [f"def {bump}(a):", f"    {in_place.replace('{}', 'a')}", ""]

    def with_helper(line):
        w.top += helper
        return line

    return {
        "rebound": lambda: f"{x} = {x} + 1",
        "in place": lambda: in_place.replace("{}", x),
        "alias": lambda: f"{alias} = {x}\n{in_place.replace('{}', alias)}",
        "through a list": lambda: f"{other} = [{x}]\n{other}[0] += 1",
        "through a dict": lambda: f"{other} = dict(a={x})\n{other}['a'] *= 2",
        "loop variable": lambda: f"for {alias} in ({x},):\n    {in_place.replace('{}', alias)}",
        "loop": lambda: f"for {other} in range(2):\n    {x} = {x} + {other} + 1",
        "while": lambda: f"{other} = 0\nwhile {other} < 2:\n    {other} += 1\n    {x} = {x} * 2",
        "branch": lambda: f"if {x}.shape[0] > 1:\n    {x} = {x} * 2",
        "branch in place": lambda: f"if {x}.shape[0] > 1:\n    {in_place.replace('{}', x)}",
        "called": lambda: with_helper(f"{bump}({x})"),
        "called with alias": lambda: with_helper(f"{alias} = {x}\n{bump}({alias})"),
        "walrus": lambda: f"print(end='' if ({x} := {x} + 1) is None else '')",
        "nonlocal": lambda: f"def {bump}():\n    nonlocal {x}\n    {x} = {x} * 2\n{bump}()",
        "nested in place": lambda: f"def {bump}():\n    {in_place.replace('{}', x + '[0:1]') if ' = ' in in_place else x + '[...] = 2'}\n{bump}()",
        "swapped": lambda: f"{alias} = {x} + 1\n{x}, {alias} = {alias}, {x}",
        "for target": lambda: f"for {x} in [{x} + 1]:\n    pass",
        "comprehension": lambda: f"{other} = [({x} := {x} + 1) for {alias} in range(2)]",
        "try": lambda: f"try:\n    {x} = {x} * 3\nfinally:\n    pass",
        "starred": lambda: f"*{other}, {x} = {x} - 1, {x} * 2",
        "match": lambda: f"match {x} + 1:\n    case {alias}:\n        {x} = {alias}",
        "attribute": lambda: f"class Holder:\n    held = {x}\nHolder.held += 1",
        "chained": lambda: f"{alias} = {other} = {x}\n{in_place.replace('{}', other)}",
        "conditional alias": lambda: f"{alias} = {x} if {x}.ndim > 0 else {x} + 1\n{in_place.replace('{}', alias)}",
        "out of a tuple": lambda: f"{alias}, {other} = {x}, 1\n{alias} += {other}",
        "default argument": lambda: f"def {bump}(a={x}):\n    {in_place.replace('{}', 'a')}\n{bump}()",
        "setattr": lambda: f"{other} = [0, {x}]\n{other}[1][...] = 1",
        "unpacked in place": lambda: f"{x}[0], {alias} = 0, 1",
        "del and again": lambda: f"{alias} = {x} * 2\ndel {x}\n{x} = {alias}",
        "with": lambda: with_import(w, "contextlib", f"with contextlib.nullcontext({x} + 1) as {x}:\n    pass"),
        "mapped": lambda: with_helper(f"list(map({bump}, [{x}]))"),
        "by keyword": lambda: with_helper(f"{bump}(a={x})"),
        "starred call": lambda: with_helper(w.pick(f"{bump}(*[{x}])", f"{bump}(**{{'a': {x}}})")),
        "lambda called": lambda: with_helper(f"{alias} = lambda: {bump}({x})\n{alias}()"),
        "partial": lambda: with_import(w, "functools", with_helper(f"functools.partial({bump}, {x})()")),
        "enumerate": lambda: f"for {other}, {alias} in enumerate([{x}]):\n    {in_place.replace('{}', alias)}",
        "zip": lambda: f"for {alias}, {other} in zip([{x}], [1]):\n    {alias} += {other}",
        "dunder": lambda: w.pick(f"{x}.__iadd__(1)", f"{x}.__setitem__(0, 1)", f"{x}.__imul__(3)"),
        "operator": lambda: with_import(w, "operator", w.pick(f"operator.iadd({x}, 1)", f"operator.setitem({x}, 0, 1)")),
        "identity helper": lambda: (w.top.extend([f"def {bump}(a):", "    return a", ""]), f"{alias} = {bump}({x})\n{in_place.replace('{}', alias)}")[1],
        "identity lambda": lambda: f"{other} = lambda: {x}\n{alias} = {other}()\n{in_place.replace('{}', alias)}",
        "alias by index": lambda: f"{alias} = {w.pick(f'[{x}][0]', f'({x}, 1)[0]', chr(123) + repr('a') + f': {x}' + chr(125) + '[' + repr('a') + ']')}\n{in_place.replace('{}', alias)}",
        "alias by unpacking": lambda: f"{w.pick(f'{alias}, = {x},', f'{alias}, *{other} = [{x}, 1]', f'[{alias}, {other}] = {x}, 2')}\n{in_place.replace('{}', alias)}",
        "alias by walrus": lambda: f"{other} = ({alias} := {x}) is None\n{in_place.replace('{}', alias)}",
        "alias by iterator": lambda: f"{alias} = next(iter([{x}]))\n{in_place.replace('{}', alias)}",
        "alias in a branch": lambda: f"if {x}.ndim > 0:\n    {alias} = {x}\nelse:\n    {alias} = {x} + 1\n{in_place.replace('{}', alias)}",
        "alias in a loop": lambda: f"while True:\n    {alias} = {x}\n    break\n{in_place.replace('{}', alias)}",
        "alias in a try": lambda: f"try:\n    {alias} = {x}\nfinally:\n    pass\n{in_place.replace('{}', alias)}",
        "alias by match": lambda: f"match {x}:\n    case {alias}:\n        {in_place.replace('{}', alias)}",
        "alias by boolean": lambda: f"{alias} = None or {x}\n{in_place.replace('{}', alias)}",
        "alias of an alias": lambda: f"{alias} = {x}\n{other} = {alias}\n{alias} = 0\n{in_place.replace('{}', other)}",
        "alias by with": lambda: with_import(w, "contextlib", f"with contextlib.nullcontext({x}) as {alias}:\n    {in_place.replace('{}', alias)}"),
        "comprehension in place": lambda: f"{other} = [{alias}.__imul__(2) for {alias} in [{x}]]",
        "appended": lambda: f"{other} = []\n{other}.append({x})\n{other}[-1] += 1",
        "set attribute": lambda: f"def {bump}():\n    pass\n{bump}.kept = {x}\n{bump}.kept *= 2",
        "function returns it": lambda: f"def {bump}(a={x}):\n    return a\n{alias} = {bump}()\n{in_place.replace('{}', alias)}",
        "generator holds it": lambda: f"{other} = ({alias}.__iadd__(1) for {alias} in [{x}])\nlist({other})",
        "rebound in an except": lambda: f"try:\n    raise ValueError\nexcept ValueError:\n    {x} = {x} * 2",
        "rebound in while else": lambda: f"while {x}.ndim > 9:\n    pass\nelse:\n    {x} = {x} * 2",
        "rebound by import": lambda: f"{other} = {x} + 1\nimport mlx.core as {alias}\n{x} = {alias}.array({other})",
        "deep": lambda: f"{other} = dict(k=[({x},)])\n{other}['k'][0][0][...] = 1",
    }


def with_import(w, name, line):
    w.imports.add(f"import {name}")
    return line


def disturbed(rule, rng):
    """A spelling whose operand is changed between its first use and its last."""
    w = Writer(rng)
    w.split = max(w.split, 0.25)
    kind = []

    def between(w, *values):
        value = values[-1]
        if not w.scope.statements or kind:
            return value
        target = values[0].text if len(values) > 1 else None
        if target is None or w.chance(0.2):
            value = w.named(value, "stat")
            target = target if target and w.chance(0.5) else value.text
        else:
            value = w.named(value, "stat")
        if not target.isidentifier():
            return value
        options = disturbances(w, target)
        kind.append(w.rng.choice(list(options)))
        w.emit(options[kind[0]]())
        w.scope.own.discard(target)
        return value

    spelling = spell_rules.RULES[rule](w, between=between)
    spelling.twist = f"disturbed: {kind[0]}" if kind else "disturbed: not at all"
    return spelling


def trapped(rule, rng):
    """One of the traps, as it stands."""
    name, shapes, kind, text = rng.choice(list(spell_traps.traps(rule)))

    def arguments(data):
        values = tuple(data.rows(*shape) if isinstance(shape, tuple) else shape for shape in shapes)
        return ((), values) if kind == "class" else values

    hostile = kind == "hostile"
    return spell_rules.Spelling(rule, text, None if hostile else arguments, (), (), False, [arguments] * hostile, {"trap"}, f"trap: {name}")


def near_miss(rule, rng):
    """Draws one near miss of a rule."""
    roll = rng.random()
    if roll < 0.3:
        return disturbed(rule, rng)
    if roll < 0.6:
        return trapped(rule, rng)
    return spell_rules.RULES[rule](Writer(rng), twist=rng.choice(TWISTS[rule]))
