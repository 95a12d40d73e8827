"""Repeated heads of keys and values in grouped attention, as a `Writer` draws them."""

from spell_writer import ATOM, Text, at


def repeated(w, k, v):
    """Both with each head twice, one after the other."""
    form = w.pick("repeat", "repeat", "broadcast", "concatenate", "tile")
    w.tag(f"heads by {form}")
    times = Text(w.pick("2", "2", "n_rep"))
    if times.text == "n_rep":
        w.scope.names.add("n_rep")
        w.emit(f"n_rep = {w.pick('2', 'len((1, 2))')}")
    if w.chance(0.3):
        w.tag("heads by a helper")
        w.names.add(name := w.fresh("repeat_kv", "expand_heads"))
        lines = w.definition(name, "x, n", ["x", "n"], lambda: one(w, form, Text("x"), Text("n")), arrays=["x"])
        if w.chance(0.4):
            lines.insert(1, "    if n == 1:\n        return x")
        w.top += [*lines, ""]
        return tuple(w.named(Text(f"{name}({x.text}, {times.text})"), f"{x.text}_r", over=[x.text]) for x in (k, v))
    if times.text == "n_rep" and form == "repeat" and w.chance(0.5):
        w.tag("heads under if")
        both = "\n".join(f"    {x.text} = {w.call('repeat', x, 'n_rep', 'axis=1').text}" for x in (k, v))
        w.emit(f"if n_rep > 1:\n{both}")
        return k, v
    return tuple(w.named(one(w, form, x, times), f"{x.text}_r", over=[x.text]) for x in (k, v))


def one(w, form, x, times):
    """An array with each head so many times."""
    if form == "repeat":
        return w.call("repeat", x, times, "axis=1")
    names = [w.fresh(hint) for hint in ("b", "h", "l", "d")]
    w.emit(f"{', '.join(names)} = {x.text}.shape")
    b, h, l, d = names
    wide = w.pick(w.call("expand_dims", x, "2"), Text(f"{at(x, ATOM)}[:, :, None]"), Text(f"{at(x, ATOM)}[:, :, None, :, :]"))
    if form == "broadcast":
        wide = w.call("broadcast_to", wide, f"({b}, {h}, {times.text}, {l}, {d})")
    elif form == "concatenate":
        wide = w.call("concatenate", f"[{wide.text}] * {times.text}", "axis=2")
    else:
        wide = w.call("tile", wide, f"(1, 1, {times.text}, 1, 1)")
    wide = w.let(wide, "grouped", "wide")
    shape = w.pick(f"{b}, {h} * {times.text}, {l}, {d}", f"{b}, -1, {l}, {d}")
    return w.pick(Text(f"{at(wide, ATOM)}.reshape({shape})"), w.call("reshape", wide, f"({shape})"))
