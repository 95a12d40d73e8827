"""The computations that the rules recognise, written as a `Writer` draws them.

One function per rule gives a `Spelling`. Each takes a twist, too: the name of one change after which the computation is another one, for the
near misses. A spelling without a twist uses only what the rule file documents.
"""

from dataclasses import dataclass, field
from typing import Callable

from spell_writer import ATOM, PLUS, POWER, TIMES, Text, Writer, at, is_name

D = 64  # the length of the last axis, and of weights


@dataclass
class Spelling:
    """One function or class, and what it is called with."""

    rule: str
    text: str
    arguments: Callable  # from `Data` to the arguments of the function, or to those of the constructor and of the call
    done: tuple[str, ...]  # what the rewritten text holds
    gone: tuple[str, ...]  # and what it does not hold any more
    exact: bool = False  # whether the rewrite promises the same bits
    hostile: list[Callable] = field(default_factory=list)  # arguments that only a safe edit must stand
    tags: set[str] = field(default_factory=set)
    twist: str | None = None
    number: int = 0


# Norms


def axis_and_keepdims(w, x, twist=None, keep=True):
    """The arguments of a reduction over the last axis."""
    axes = ["axis=-1"] * 4 + ["-1"] * 3 + ["axis=(-1,)", "(-1,)", "axis=[-1]"]
    if is_name(x):
        axes.append(f"axis={x.text}.ndim - 1")
    axis = w.rng.choice(axes)
    if twist == "other axis":
        axis = w.pick("axis=-2", "0", "axis=1", "(0, 1)", "axis=(-2, -1)", "-2")
    if twist == "all axes":
        return ["keepdims=True"] if keep else []
    if "ndim" in axis or "(" in axis or "[" in axis:
        w.tag("axis form " + axis[:6])
    return [axis] + ([w.pick("keepdims=True", "keepdims=True", "True" if "=" not in axis else "keepdims=True")] if keep else [])


def reduced(w, name, e, x, twist=None):
    """A mean or variance of `e` over the last axis of `x`, with that axis kept or put back."""
    keep = w.chance(0.75) or twist == "all axes"
    arguments = axis_and_keepdims(w, x, twist, keep and twist != "no keepdims")
    if twist == "ddof" and name == "var":
        arguments.append("ddof=1")
    if name == "mean" and (w.chance(0.15) or twist in ("n - 1", "sum")) and twist not in ("other axis", "all axes"):
        w.tag("sum / n")
        n = Text(f"{at(x, ATOM)}.shape[-1]") if is_name(x) else Text(str(D))
        if twist == "n - 1":
            n = Text(f"{n.text} - 1", PLUS)
        total = w.function("sum", e, *arguments)
        if is_name(x):
            n = w.let(n, "n", "dims", "d", p=w.split / 2)
        value = total if twist == "sum" else w.binary("/", total, n, function=0.05)
    else:
        value = w.function(name, e, *arguments)
    if keep or twist == "no keepdims":
        return value
    w.tag("axis put back")
    value = w.let(value, "ms", "m", "stat")
    return w.one_of(
        (3, lambda: Text(f"{at(value, ATOM)}[..., None]")),
        lambda: w.call("expand_dims", value, w.pick("-1", "axis=-1")),
        (0.5, lambda: Text(f"{at(value, ATOM)}[..., {'mx' if w.module == 'mx' else w.module}.newaxis]") if w.module == "mx" else Text(f"{at(value, ATOM)}[..., None]")),
    )


def square(w, x):
    forms = [lambda: w.call("square", x), lambda: Text(f"{at(x, ATOM)}.square()"), lambda: w.call("power", x, "2")]
    forms += [lambda: Text(f"{at(x, ATOM)}**2", POWER), lambda: Text(f"{at(x, ATOM)}**2.0", POWER)]
    if is_name(x):
        forms += [lambda: Text(f"{x.text} * {x.text}", TIMES), lambda: w.call("multiply", x, x)]
    return w.one_of(*forms)


def over_root(w, x, v, twist=None, over=()):
    """`x / sqrt(v)`; the root may get a name. Also says whether it has the bits of `x * rsqrt(v)`."""
    if twist == "quarter":
        return w.binary("*", x, Text(f"{at(v, ATOM)} ** -0.25", POWER), swap=True), False
    form = w.rng.choice(["rsqrt"] * 5 + ["over sqrt"] * 3 + ["power", "reciprocal", "one over", "over power", "mx.power"])
    if form != "rsqrt":
        w.tag(form)
    if form in ("over sqrt", "over power"):
        root = w.function("sqrt", v) if form == "over sqrt" else Text(f"{at(v, ATOM)} ** 0.5", POWER)
        root = w.let(root, "root", "rms", "std", "denom", over=over)
        return w.update("/", x, root), False
    r = {
        "rsqrt": lambda: w.function("rsqrt", v),
        "power": lambda: Text(f"{at(v, ATOM)} ** -0.5", POWER),
        "mx.power": lambda: w.call("power", v, "-0.5"),
        "reciprocal": lambda: w.call("reciprocal", w.function("sqrt", v)),
        "one over": lambda: w.binary("/", Text(w.pick("1", "1.0")), w.function("sqrt", v)),
    }[form]()
    r = w.let(r, "r", "inv", "rstd", "scale", "inv_rms", over=over)
    return w.update("*", x, r, swap=True), form in ("rsqrt", "one over", "reciprocal")


def with_eps(w, v, eps, twist=None):
    """The variance with eps."""
    if twist == "clamped":
        return w.call("maximum", v, eps)
    if twist == "eps outside":
        return v
    if twist == "eps subtracted":
        return w.binary("-", v, eps)
    over = [v.text] if is_name(v) else []
    value = w.update("+", v, eps, swap=True)
    return w.let(value, "v", "shifted", "var_eps", p=w.split / 2, over=over)


def rms(w, x, eps, twist=None, dead=(), between=None, twisted=None):
    """The core of an rms norm of the named value `x`; also whether it has the bits of the canonical form."""
    base = twisted or x
    sq = square(w, base)
    if twist == "cubed":
        sq = Text(f"{base.text} ** {w.pick(3, 4, 1)}", POWER)
    if twist == "absolute":
        sq = w.call("abs", base)
    sq = w.let(sq, "sq", "x2", "squared", "xx")
    m = reduced(w, "mean", sq, x, twist)
    m = w.let(m, "variance", "ms", "mean_sq", "norm", "var", over=[sq.text] if sq.text in w.scope.own else [])
    m = between(m) if between else m
    if twist == "eps outside":
        root = w.binary("+", w.function("sqrt", m), eps, swap=True)
        return w.binary("/", x, root), False
    return over_root(w, x, with_eps(w, m, eps, twist), twist, over=[m.text] if m.text in w.scope.own else [])


def layer(w, x, eps, twist=None, dead=(), between=None, twisted=None):
    """The core of a layer norm of the named value `x`."""
    base = twisted or x
    mean = reduced(w, "mean", base, x, "other axis" if twist == "mean axis" else None)
    mean = w.shared(mean, "mean", "mu", "m")
    if between:
        mean = between(mean)
    d = w.binary("-", x, mean)
    centred = d if twist == "not centred" else None
    if w.chance(0.35):
        d = w.shared(d, "d", "centered", "diff", "xc", over=dead)
        var = reduced(w, "mean", square(w, d), d if is_name(d) else x, twist)
    else:
        d = w.let(d, "d", "centered", p=w.split / 3)
        var = reduced(w, "var", base, x, twist)
    if centred is not None:
        d = x
    if twist == "mean squared":
        var = reduced(w, "mean", square(w, x), x)
    var = w.let(var, "var", "variance", "sigma2", "v")
    if twist == "eps outside":
        root = w.binary("+", w.function("sqrt", var), eps, swap=True)
        return w.binary("/", d, root), False
    return over_root(w, d, with_eps(w, var, eps, twist), twist, over=[var.text] if var.text in w.scope.own else [])


def written_norm(w, rule, twist=None, between=None):
    """A norm with its casts, weight, bias, helper functions and surroundings."""
    core = rms if rule == "rms-norm" else layer
    in_class = w.chance(0.5)
    weighted = w.chance(0.75) or in_class
    biased = weighted and rule == "layer-norm" and w.chance(0.75)
    upcast = twist not in ("cast dropped", "stays in float32") and w.chance(0.5)
    all_float32 = upcast and w.chance(0.15)
    final_cast = not upcast and w.chance(0.15)
    offset = weighted and rule == "rms-norm" and w.chance(0.2)
    optional = weighted and not offset and w.chance(0.08)
    shape = w.pick((D,), (5, D), (2, 3, D), (2, 3, 5, D))
    if twist:
        shape = w.pick((D, D), (2, D, D))
    eps_value = w.pick(1e-5, 1e-6, 1e-5, 1e-3)
    eps_kind = w.pick("literal", "parameter", "parameter", "constant") if not in_class else w.pick("literal", "attribute", "attribute", "constant")
    if eps_kind == "constant":
        w.top.append(f"EPS = {eps_value}")
    eps_name = w.pick("eps", "epsilon", "eps")
    eps = Text({"literal": repr(eps_value), "parameter": eps_name, "constant": "EPS"}.get(eps_kind) or f"self.{w.pick('eps', 'variance_epsilon')}")
    x, wn, bn = w.pick("x", "x", "hidden_states", "h", "inputs"), w.pick("weight", "weight", "gamma", "scale_", "w"), w.pick("bias", "beta", "b")
    weight = Text(f"self.{wn}" if in_class else wn)
    bias = Text(f"self.{bn}" if in_class else bn)
    bits = []

    def body():
        value, dtype = Text(x), None
        w.scope.arrays = [x]
        dead = []
        if upcast or final_cast:
            dtype = f"{x}.dtype"
            if w.chance(0.35):
                name = w.fresh("t", "dtype", "input_dtype", "orig_dtype")
                w.emit(f"{name} = {dtype}")
                dtype, dead = name, [x]
        after_x = None

        def normalised(given, eps):
            """The core on a value that is made a name first."""
            inner_dead = dead if given.text != x else []
            y = given if is_name(given) else w.shared(given, "h32", "xf", "x32", "y", over=inner_dead)
            # A walrus is bound where it stands first in the text, and the cores mention their operand from left to right.
            if y.text.startswith("\0") or "(" in y.text:
                y = w.let(y, "y", p=1.0) if w.scope.statements else y
            kwargs = {}
            if twist == "other numerator":
                kwargs["twisted"] = Text(f"({y.text} + 1)")
            value, same = core(w, y, eps, twist, dead=[x] if y.text != x and dead else [], between=between and (lambda m: between(w, y, m)), **kwargs)
            bits.append(same)
            return value

        names = ("_norm", "normalize", "_rms", "norm")
        inside = upcast and not all_float32 and w.chance(0.3)
        if twist == "cast dropped":  # the statistics are float32, what they scale is not
            y = w.named(w.cast(Text(x), w.float32()), "xf", "h32")
            value, same = core(w, Text(x), eps, None, twisted=y)
            bits.append(same)
        elif inside:
            def cast_and_normalise(t, e):
                y = w.cast(t, w.float32())
                t_dtype = f"{t.text}.dtype"
                y = w.named(y, "y", "xf") if w.scope.statements else y
                v, same = core(w, y, e, twist, between=between and (lambda m: between(w, y, m)))
                bits.append(same)
                return w.cast(v, t_dtype)
            value = w.helper(names, [("x", Text(x)), ("eps", eps)], cast_and_normalise, in_class)
        elif upcast:
            value = w.cast(Text(x), w.float32())
            value = w.let(value, "h32", "xf", "x32", "y", over=dead)
            value = w.helper(names, [("x", value), ("eps", eps)], normalised, in_class)
        else:
            value = w.helper(names, [("x", value), ("eps", eps)], normalised, in_class)
        if twist == "value reused":
            value = w.named(value, "n")
        if upcast and not all_float32 and not inside:
            value = w.let(value, "n", "normed", over=dead)
            value = w.cast(value, dtype)
            value = w.let(value, "n", "normed", over=dead + ([value.text] if value.text in w.scope.own else []))
        if optional:
            w.tag("optional weight")
            value = w.named(value, "n", "normed", "y")
            stays = w.chance(0.5)
            change = w.binary("*", value, weight, swap=True)
            if stays:
                w.emit(f"if {weight.text} is not None:\n    {value.text} = {change.text}")
            else:
                value = Text(f"{value.text} if {weight.text} is None else {change.text}", 0)
        elif weighted:
            factor = w.binary("+", Text(w.pick("1", "1.0")), weight, swap=True) if offset else weight
            factor = w.cast(factor, w.float32()) if all_float32 and w.chance(0.6) else factor
            factor = w.let(factor, "factor", "gain", p=w.split / 3)
            value = w.let(value, "n", "normed", over=[])
            value = w.update("*", value, factor, swap=True)
        if biased:
            value = w.let(value, "n", "scaled", over=[value.text] if value.text in w.scope.own else [])
            addend = w.cast(bias, w.float32()) if all_float32 and w.chance(0.6) else bias
            value = w.update("+", value, addend, swap=True)
        if all_float32 or final_cast:
            value = w.let(value, "n", "out", p=w.split / 2)
            value = w.cast(value, dtype)
        if twist == "statistic returned":
            extra = w.function("mean", square(w, Text(x)), "axis=-1", "keepdims=True") if rule == "rms-norm" else w.function("mean", Text(x), "axis=-1", "keepdims=True")
            return f"{value.text}, {extra.text}"
        return value

    array = w.mx("array")
    if in_class:
        dims = w.pick("dims", "dim", "hidden_size")
        eps_parameter = eps_kind == "attribute" and w.chance(0.7)
        kind = w.pick(f"({dims},)", f"({dims},)", dims, f"[{dims}]")
        w.names |= {dims}
        call = w.definition("__call__", f"self, {x}{': ' + array if w.chance(0.4) else ''}", ["self", x], body, arrays=[x])
        base = f"{w.nn()}.Module"
        init = [f"super().__init__()", f"self.{wn} = {w.mx('zeros' if offset else 'ones')}({kind})"]
        if biased:
            init.append(f"self.{bn} = {w.mx('zeros')}({kind})")
        if eps_kind == "attribute":
            init.append(f"{eps.text} = {'eps' if eps_parameter else eps_value}")
        signature = f"self, {dims}{': int' if w.chance(0.7) else ''}" + (f", eps{': float = ' if w.chance(0.7) else '='}{eps_value}" if eps_parameter else "")
        lines = [f"class Subject({base}):", f"    def __init__({signature}):", *(f"        {line}" for line in init), ""]
        methods = ["    " + line if line else "" for line in [*w.members, *call]]
        lines += methods

        def arguments(data):
            return (D,), (data.rows(*shape),)

        hostile = []
    else:
        parameters = [x] + [wn] * weighted + [bn] * biased + [eps_name] * (eps_kind == "parameter")
        annotated = {p: w.chance(0.5) for p in parameters}
        if w.chance(0.15):
            w.rng.shuffle(parameters)
        default = eps_kind == "parameter" and w.chance(0.5)
        if default:
            parameters.remove(eps_name)
            parameters.append(eps_name)

        def declared(p):
            note = f": {'float' if p == eps_name else array}" if annotated[p] else ""
            value = (" = " if note else "=") + repr(eps_value) if default and p == eps_name else ""
            return p + note + value

        lines = w.definition("subject", ", ".join(map(declared, parameters)), parameters, body, arrays=[x])
        passed = [p for p in parameters if not (default and p == eps_name)]

        def given(change=None):
            def arguments(data):
                values = {x: lambda: data.rows(*shape), wn: lambda: data.vector(D), bn: lambda: data.vector(D), eps_name: lambda: eps_value}
                values |= {k: (lambda v=v: v(data)) for k, v in (change or {}).items()}
                return tuple(values[p]() for p in passed)
            return arguments

        arguments = given()
        hostile = []
        for p in [wn] * weighted + [bn] * biased:
            hostile += [given({p: lambda data, s=s: data.vector(*s)}) for s in [(), (1,), (1, D), (2, 1, D), (*shape[:-1], 1), (3, 1, 1, 1, 1, D)]]
            hostile.append(given({p: lambda data: data.other.vector(D)}))
            if not annotated[p]:
                hostile += [given({p: lambda data: 0.5}), given({p: lambda data: data.numpy(D)})]
        hostile.append(given({x: lambda data: data.other.rows(*shape)}))
        hostile += [given({x: lambda data, s=s: data.rows(*s)}) for s in [(1,), (3, 1), (0, D), (2, 0)]]
        if not annotated[x]:
            hostile.append(given({x: lambda data: data.numpy(*shape)}))
    name = "rms_norm" if rule == "rms-norm" else "layer_norm"
    w.tags |= {"class"} if in_class else set()
    exact = upcast and not all_float32 and all(bits) and not offset
    return Spelling(
        rule, w.file(lines), arguments, (name + "(",), ("sqrt", "** -0.5", "** 0.5", "-0.5)"), exact, hostile, w.tags, twist
    )


# Attention


def permuted(w, k, rank_order):
    """`k` with its last two axes exchanged."""
    order = ", ".join(map(str, rank_order))
    last = w.pick("-1, -2", "-2, -1", "2, 3", "3, 2", "-2, -1")
    return w.one_of(
        (4, lambda: Text(f"{at(k, ATOM)}.transpose({order})")),
        (1, lambda: Text(f"{at(k, ATOM)}.transpose({w.pick('({})', '[{}]').format(order)})")),
        (3, lambda: Text(f"{at(k, ATOM)}.swapaxes({last})")),
        (1, lambda: Text(f"{at(k, ATOM)}.moveaxis({w.pick('-1, -2', '-2, -1', '2, 3', '3, 2')})")),
        (1, lambda: w.call("transpose", k, w.pick("({})", "[{}]", "axes=({})").format(order))),
        (1, lambda: w.call("swapaxes", k, last)),
        (0.5, lambda: w.call("moveaxis", k, w.pick("-1, -2", "-2, -1", "2, 3", "3, 2"))),
    )


def scaled(w, e, scale, division):
    """`e * scale`, or the same by a division."""
    return w.update("/", e, division) if division else w.update("*", e, scale, swap=True)


def attend(w, q, k, v, scale, division, mask, mask_form, plan, twist=None, between=None):
    """The computation from q, k and v of rank 4; `k` is already permuted if the plan says so."""
    where = plan["scale"]
    if where == "q":
        q = w.let(scaled(w, q, scale, division), "q", "scaled_q", "qs", over=[q.text] if q.text in w.scope.own else [])
    if where == "k":
        k = w.let(scaled(w, k, scale, division), "ks", "scaled_k", over=[k.text] if k.text in w.scope.own else [])
    if plan["permuted"]:
        kt = k
    elif twist == "keys not permuted":
        kt = w.pick(k, Text(f"{at(k, ATOM)}.transpose({w.pick('0, 2, 3, 1', '0, 1, 2, 3', '1, 0, 3, 2')})"))
    else:
        kt = w.let(permuted(w, k, (0, 1, 3, 2)), "kt", "k_t", "keys_t", over=[k.text] if k.text in w.scope.own else [])
    s = w.binary("@", q, kt, function=0.3)
    if twist == "mask before scale":
        s = w.binary("+", s, mask, swap=True)
    if where == "scores":
        s = w.let(s, "scores", "s", "attn", "qk")
        s = scaled(w, s, scale, division)
    own = lambda e: [e.text] if e.text in w.scope.own else []
    s = w.let(s, "scores", "s", "attn", "qk", over=own(s))
    if between:
        s = between(w, s)
    if twist == "scores twice":
        s = w.named(s, "scores")
    if twist == "soft cap":
        s = w.let(Text(f"{w.mx('tanh')}({s.text} / 50.0) * 50.0", TIMES), "capped", over=own(s))
    if twist == "scores squared":
        s = Text(f"{w.named(s, 'scores').text} ** 2", POWER)
    if twist == "mask multiplied":
        s = w.binary("*", s, mask, swap=True)
    elif twist == "mask subtracted":
        s = w.binary("-", s, mask)
    elif twist == "mask by where":
        s = w.call("where", Text(f"{mask.text} > -1", 1), s, Text(w.pick("-1e4", "0.0")))
    elif twist in ("mask before scale", "mask after softmax"):
        pass
    elif mask_form == "added":
        s = w.let(w.update("+", s, mask, swap=True), "scores", "masked", "s", over=own(s))
    elif mask_form == "if":
        w.tag("mask under if")
        name = s.text if s.text in w.scope.own and w.chance(0.8) else None
        s = Text(name) if name else w.named(s, "scores", "s", "attn")
        if w.chance(0.4):
            w.tag("augmented")
            change = f"{s.text} += {mask.text}"
        else:
            change = f"{s.text} = {w.binary('+', s, mask, swap=True).text}"
        condition = f"{mask.text} is not None" if twist != "mask under flag" else w.pick(f"{s.text}.shape[-1] > 4", f"{s.text}.ndim > 4")
        if w.chance(0.15):
            w.tag("if else pass")
            w.emit(f"if {mask.text} is None:\n    pass\nelse:\n    {change}")
        elif w.chance(0.2) and twist is None:
            w.emit(f"if {condition}:\n    # additive mask\n    {change}")
        else:
            w.emit(f"if {condition}:\n    {change}")
    elif mask_form == "conditional":
        w.tag("mask conditional")
        s = w.named(s, "scores", "s")
        added = w.binary("+", s, mask, swap=True)
        s = w.pick(Text(f"{s.text} if {mask.text} is None else {added.text}", 0), Text(f"{added.text} if {mask.text} is not None else {s.text}", 0))
        s = w.let(s, "scores", "masked", over=[])
    axis = w.pick("axis=-1", "axis=-1", "axis=-1", "-1", "axis=(-1,)", "axis=[-1]")
    if twist == "softmax axis":
        axis = w.pick("axis=-2", "axis=1", "-2", "axis=(-2, -1)")
    if twist == "sigmoid":
        p = w.call("sigmoid", s)
    elif twist == "unnormalised":
        p = w.call("exp", s)
    elif plan["softmax"] == "plain":
        p = w.call("softmax", s, axis)
    elif plan["softmax"] == "precise":
        p = w.call("softmax", s, axis, "precise=True")
    else:
        if plan["softmax"] == "back to scores":
            s = s if is_name(s) else w.named(s, "scores", "s")
            to = f"{s.text}.dtype"
            if w.chance(0.3):
                name = w.fresh("t", "dtype", "score_dtype")
                w.emit(f"{name} = {to}")
                to = name
        else:
            to = f"{v.text}.dtype"
        s32 = w.let(w.cast(s, w.float32()), "s32", "upcast", p=w.split / 2)
        p = w.call("softmax", s32, axis)
        p = w.let(p, "p", "probs", "weights", p=w.split / 2)
        if twist != "stays in float32":
            p = w.cast(p, to)
    if twist in ("weights dropped", "weights changed", "weights returned", "mask after softmax"):
        p = w.named(p, "p", "probs", "weights")
    p = w.let(p, "p", "probs", "weights", "attn_weights", "scores_", over=own(s))
    if twist == "weights dropped":
        p = Text(f"{p.text} * ({w.mx('random')}.uniform(shape={p.text}.shape) > 0.1)", TIMES)
    elif twist == "weights changed":
        p = w.pick(Text(f"{p.text} / (1.0 + {p.text}.sum(axis=-2, keepdims=True))", TIMES), Text(f"{w.mx('round')}({p.text}, 2)"), Text(f"{p.text} ** 2", POWER))
    elif twist == "mask after softmax":
        p = w.binary("+", p, mask, swap=True)
    out = w.binary("@", p, v, function=0.3)
    if twist == "weights returned":
        out = w.named(out, "out")
        return Text(f"{out.text}, {p.text}")
    if twist == "scores twice":
        out = w.named(out, "out")
        return Text(f"{out.text}, {s.text if is_name(s) else q.text + ' @ ' + kt.text}")
    return out


def written_attention(w, twist=None, between=None):
    """Attention in a function of rank-4 arrays, with its reshapes, or in a module."""
    form = w.pick("arrays", "arrays", "reshaped", "module")
    heads, dim = w.pick((4, 16), (2, 32), (4, 64))
    batch, length = w.pick(1, 2), w.pick(7, 9, 16)
    grouped = form == "arrays" and w.chance(0.15)
    mask_form = w.pick("none", "added", "if", "if", "conditional")
    if twist in ("mask before scale", "mask multiplied", "mask subtracted", "mask by where", "mask after softmax"):
        mask_form = "added"
    if twist == "mask under flag":
        mask_form = "if"
    plan = {
        "scale": w.pick("q", "q", "k", "scores", "scores", "none"),
        "softmax": w.pick("plain", "plain", "precise", "back to scores", "back to scores", "back to values"),
        "permuted": False,
    }
    if twist == "stays in float32":
        plan["softmax"] = "back to scores"
    if twist == "mask before scale":
        plan["scale"] = "scores"
    names = w.pick(("q", "k", "v"), ("q", "k", "v"), ("queries", "keys", "values"), ("query", "key", "value"))
    mask_name = w.pick("mask", "mask", "attn_mask", "attention_mask")
    # The scale is a number, however it is come by. Scores of fourfold the usual size keep the softmax from being flat.
    value = dim**-0.5
    in_class = form == "module"
    scale_form = w.pick("literal", "parameter", "shape", "division", "division literal")
    if in_class:
        scale_form = w.pick("attribute", "attribute", "shape", "division")
    scale, division = Text("scale"), None
    if plan["scale"] != "none":
        w.tag(f"scale {plan['scale']} {scale_form}")
    if scale_form == "literal":
        scale = Text(repr(value))
    elif scale_form == "attribute":
        scale = Text("self.scale")
    elif scale_form == "shape":
        scale = None
    elif scale_form in ("division", "division literal"):
        scale = None
    if plan["scale"] == "none":
        scale, division, scale_form = Text("1.0"), None, "none"
    mask = Text(mask_name)
    masked = mask_form != "none"
    needs_math = []

    def scale_here(q):
        """The scale and the divisor, written where `q` has a name."""
        nonlocal scale, division
        if scale_form == "shape":
            expression = w.pick(Text(f"{q}.shape[-1] ** -0.5", POWER), Text(f"1 / math.sqrt({q}.shape[-1])", TIMES), Text(f"1.0 / {q}.shape[-1] ** 0.5", TIMES))
            if "math" in expression.text:
                w.imports.add("import math")
            scale = w.let(expression, "scale", "factor")
        elif scale_form == "division":
            expression = w.pick(Text(f"math.sqrt({q}.shape[-1])"), Text(f"{q}.shape[-1] ** 0.5", POWER))
            if "math" in expression.text:
                w.imports.add("import math")
            division = w.let(expression, "root", "denom")
            if division.text in w.scope.own:
                w.scope.own.discard(division.text)
        elif scale_form == "division literal":
            if w.chance(0.5):
                w.imports.add("import math")
                division = Text(f"math.sqrt({dim})")
            else:
                division = Text(repr(dim**0.5))
        if scale is not None:
            w.scope.own.discard(scale.text)

    def body_of_arrays():
        q, k, v = names
        w.scope.arrays = [q, v]
        scale_here(q)
        kk, vv = Text(k), Text(v)
        if grouped:
            w.tag("repeated heads")
            kk = w.named(w.call("repeat", kk, "2", "axis=1"), "kr", over=[k])
            vv = w.named(w.call("repeat", vv, "2", "axis=1"), "vr", over=[v])
        return attend(w, Text(q), kk, vv, scale, division, mask, mask_form, plan, twist, between)

    def split_heads(e, permuted_keys=False):
        shape = w.pick(f"B, L, {heads_text}, -1", f"B, -1, {heads_text}, {dim_text}", f"B, L, {heads_text}, {dim_text}")
        order = "0, 2, 3, 1" if permuted_keys else "0, 2, 1, 3"
        y = w.pick(Text(f"{at(e, ATOM)}.reshape({shape})"), Text(f"{at(e, ATOM)}.reshape(({shape}))"), w.call("reshape", e, f"({shape})"))
        if w.chance(0.3) and is_name(e):
            y = w.named(y, "split", over=[e.text])
        if not permuted_keys and w.chance(0.2):
            return Text(f"{at(y, ATOM)}.swapaxes(1, 2)")
        return w.pick(Text(f"{at(y, ATOM)}.transpose({order})"), w.call("transpose", y, f"({order})"))

    def body_of_reshaped(project=lambda e, n: Text(e)):
        q, k, v = names
        source = "x" if in_class else q
        w.scope.arrays = [source]
        w.emit(f"B, L = {source}.shape[0], {source}.shape[1]" if w.chance(0.5) else f"B, L, _ = {source}.shape")
        w.scope.names |= {"B", "L", "_"}
        plan["permuted"] = plan["scale"] != "k" and w.chance(0.2)
        w.tag("keys permuted by the reshape" if plan["permuted"] else "")
        values = []
        for n, name in enumerate(names):
            e = project("x" if in_class else name, n)
            e = split_heads(e, plan["permuted"] and n == 1)
            w.emit(f"{name} = {e.text}")
            w.scope.names.add(name)
            w.scope.own.add(name)
            values.append(Text(name))
        scale_here(q)
        texts = [("q", values[0]), ("k", values[1]), ("v", values[2])]
        closed = [("mask", mask)] * masked + [("scale", scale)] * (scale is not None and scale_form != "none") + [("division", division)] * (division is not None)
        if w.chance(0.25) and twist is None:
            def inner(q, k, v, *rest):
                rest = dict(zip([h for h, _ in closed], rest))
                return attend(w, q, k, v, rest.get("scale", scale), rest.get("division", division), rest.get("mask", mask), mask_form, plan, twist, between)
            out = w.helper(("_attend", "attention", "core"), texts + closed, inner, in_class) if safe_for_lambda() else attend(w, *values, scale, division, mask, mask_form, plan, twist, between)
        else:
            out = attend(w, *values, scale, division, mask, mask_form, plan, twist, between)
        if out.text.count(",") and twist in ("weights returned", "scores twice"):
            return out
        if w.chance(0.8):
            out = w.let(out, "o", "out", "context", over=[])
            out = w.pick(Text(f"{at(out, ATOM)}.transpose(0, 2, 1, 3).reshape(B, L, -1)"), Text(f"{at(out, ATOM)}.swapaxes(1, 2).reshape(B, L, {heads} * {dim})"))
        return out

    def safe_for_lambda():
        return mask_form in ("none", "added") and plan["softmax"] in ("plain", "precise", "back to values")

    array = w.mx("array")
    heads_text, dim_text = str(heads), str(dim)
    mask_default = masked and mask_form in ("if", "conditional")
    mask_shape = w.pick((length, length), (1, 1, length, length), (batch, 1, length, length), (batch, heads, length, length))
    mask_absent = mask_default and w.chance(0.25)
    if in_class:
        heads_text = "self.n_heads"
        dim_text = w.pick("self.head_dim", str(dim))
        linear = f"{w.nn()}.Linear"
        fused = w.chance(0.3)
        projections = ["qkv"] if fused else [f"{n[0]}_proj" for n in names]
        w.scope.names |= {"x"}
        w.names |= set(names) | {"B", "L"}

        def project(e, n):
            if fused:
                if n == 0:
                    w.emit(f"{names[0]}, {names[1]}, {names[2]} = {w.call('split', f'self.qkv({e})', '3', 'axis=-1').text}")
                    w.scope.names |= set(names)
                return Text(names[n])
            return Text(f"self.{projections[n]}({e})")

        note = w.chance(0.5)
        signature = f"self, x{': ' + array if note else ''}" + (f", {mask_name}{': ' + array if twist == 'mask multiplied' else ''}{'=None' if mask_default else ''}" if masked else "")
        call = w.definition("__call__", signature, ["self", "x"] + [mask_name] * masked, lambda: body_of_reshaped(project), arrays=["x"])
        init = ["super().__init__()", "self.n_heads = n_heads", "self.head_dim = dims // n_heads"]
        init.append("self.scale = " + w.pick("(dims // n_heads) ** -0.5", "self.head_dim**-0.5", repr(value)))
        init += [f"self.qkv = {linear}(dims, 3 * dims, bias=False)"] if fused else [f"self.{p} = {linear}(dims, dims, bias={w.pick(True, False)})" for p in projections]
        lines = [f"class Subject({w.nn()}.Module):", f"    def __init__(self, dims: int, n_heads: int):", *(f"        {line}" for line in init), ""]
        lines += ["    " + line if line else "" for line in [*w.members, *call]]
        w.tag("class")

        def given(change=None):
            def arguments(data):
                values = (data.rows(batch, length, heads * dim), *([data.mask(mask_shape, mask_absent) if change is None else change(data)] if masked else []))
                return (heads * dim, heads), values
            return arguments

        arguments = given()
        hostile = [given(lambda data, m=m: m(data)) for m in odd_masks(batch, heads, length)] if masked else []
    else:
        w.names |= set(names)
        parameters = [*names] + [mask_name] * masked
        if scale_form == "parameter":
            parameters.insert(3, "scale")
        annotated = {p: w.chance(0.6) for p in parameters}
        all_annotated = w.chance(0.5)

        def declared(p):
            plain = twist == "mask multiplied"  # or it might be a number
            note = f": {'float' if p == 'scale' else array}" if (annotated[p] or all_annotated) and p != mask_name or plain else ""
            return p + note + ("=None" if p == mask_name and mask_default else "")

        body = body_of_arrays if form == "arrays" else body_of_reshaped
        lines = w.definition("subject", ", ".join(map(declared, parameters)), parameters, body, arrays=[names[0]])
        kv = (batch, heads // 2 if grouped else heads, length, dim) if form == "arrays" else (batch, length, heads * dim)
        qs = (batch, heads, length, dim) if form == "arrays" else (batch, length, heads * dim)

        def given(change=None):
            def arguments(data):
                values = {names[0]: lambda: data.rows(*qs), names[1]: lambda: data.rows(*kv), names[2]: lambda: data.rows(*kv)}
                values |= {"scale": lambda: value, mask_name: lambda: data.mask(mask_shape, mask_absent)}
                values |= {k: (lambda v=v: v(data)) for k, v in (change or {}).items()}
                return tuple(values[p]() for p in parameters)
            return arguments

        arguments = given()
        hostile = [given({mask_name: m}) for m in odd_masks(batch, heads, length)] if masked else []
        hostile += [given({n: lambda data: data.other.rows(*kv)}) for n in names[1:]]
        hostile.append(given({n: lambda data: data.rows(1, *kv[1:]) for n in names[1:]}))
        hostile.append(given({n: lambda data: data.rows(2 * batch, *kv[1:]) for n in names[1:]}))
        if form == "arrays":
            hostile.append(given({names[0]: lambda data: data.rows(1, 1, length, dim)}))
            hostile.append(given({n: lambda data: data.rows(heads, length, dim) for n in names}))
        if scale_form == "parameter" and not (annotated["scale"] or all_annotated):
            hostile.append(given({"scale": lambda data: data.scalar(value)}))
    return Spelling("attention", w.file(lines), arguments, ("scaled_dot_product_attention(",), ("softmax(",), False, hostile, w.tags, twist)


def odd_masks(batch, heads, length):
    """Masks that the fast operation refuses, or takes for something else than a sum does."""
    square = (length, length)
    return [
        lambda data: data.mask(square, dead=True),
        lambda data: data.other.mask(square),
        lambda data: data.truth(square),
        lambda data: data.integers(square),
        lambda data: data.mask((1, batch, heads, *square)),
        lambda data: data.mask((batch * 2, 1, *square)),
        lambda data: data.mask(()),
        lambda data: data.mask((length,)),
        lambda data: 0.5,
    ]


# Precise softmax


def written_softmax(w, twist=None, between=None):
    """A softmax in float32 that is cast back."""
    in_class = w.chance(0.15)
    shape = w.pick((33,), (5, 33), (2, 3, 17), (2, 4, 9, 9), (0, 4))
    if twist:
        shape = w.pick((5, 33), (2, 3, 17))
    x = w.pick("x", "logits", "scores", "s", "gates")
    axes = ["axis=-1"] * 4 + ["-1"] * 2 + ["axis=0", "axis=(-1,)", "axis=[-1]", f"axis={tuple(range(len(shape)))}", "", "", "axis"]
    if len(shape) > 1:
        axes += ["axis=(0, -1)", "axis=1", "-2"]
    axis = w.rng.choice(axes)
    axis_parameter = axis == "axis"
    axis = w.pick("axis=axis", "axis") if axis_parameter else axis
    before = w.pick("nothing", "nothing", "divided", "taken", "added")
    temperature = w.pick("temperature", "0.7") if before == "divided" else None
    to = w.pick("own", "own", "own", "own", "parent") if before == "taken" else "own"
    if before != "taken" and w.chance(0.08):
        to = "parameter"
    w.tag(f"axis {axis}" if axis not in ("axis=-1", "-1") else "")
    w.tag(f"to {to}" if to != "own" else "")

    def body():
        w.scope.arrays = [x]
        value = Text(x)
        if before == "divided":
            value = w.let(w.binary("/", value, Text(temperature), function=0), "scaled", "z", over=[x])
        elif before == "added":
            value = w.let(w.binary("+", value, Text("1.5"), swap=True), "z", "shifted", over=[x])
        elif before == "taken":
            value = w.let(Text(f"{x}[..., :-1]"), "part", "z")

        def compute(v):
            if w.scope.statements or is_name(v):
                v = v if is_name(v) else w.shared(v, "z", "operand")
            dtype, dead = f"{at(v, ATOM)}.dtype", []
            if to == "parent":
                dtype = f"{x}.dtype"
            elif to == "parameter":
                dtype = "dtype"
            if twist == "dtype too late":
                v = w.named(w.cast(v, w.float32()), "v32")
                dtype = f"{v.text}.dtype"
            elif w.scope.statements and w.chance(0.4) and to != "parameter" and not v.text.startswith("\0"):
                name = w.fresh("t", "dtype_", "orig_dtype")
                w.emit(f"{name} = {dtype}")
                dtype, dead = name, [v.text] if is_name(v) and v.text in w.scope.own | {x} else []
            up = w.cast(v, w.float32() if twist != "down, not up" else w.mx(w.pick("float16", "bfloat16")))
            up = w.let(up, "up", "v32", "upcast", over=dead)
            if between:
                up = between(w, up)
            if twist == "scaled in float32":
                up = w.binary(w.pick("*", "/", "+"), up, Text("0.7"))
            if twist == "shifted in place":
                up = w.named(up, "up")
                w.emit(w.pick(f"{up.text} -= {up.text}.max()", f"{up.text} *= 0.7", f"{up.text}[..., 0] = 0"))
            function = {"logsumexp": "logsumexp", "sigmoid": "sigmoid"}.get(twist, "softmax")
            given = [] if function == "sigmoid" else [axis] if axis else []
            p = w.call(function, up, *given)
            if twist == "exponentials":
                up = w.named(up, "up")
                p = Text(f"{w.mx('exp')}({up.text}) / {w.mx('exp')}({up.text}).sum()", TIMES)
            if twist in ("nn.softmax", "nn.log_softmax"):
                p = Text(f"{w.nn()}.{twist[3:]}({up.text}{', axis=-1' if w.chance(0.7) else ''})")
            p = w.let(p, "p", "probs", "weights", over=[up.text] if up.text in w.scope.own else [])
            if twist == "chosen before the cast":
                p = Text(f"{at(p, ATOM)}{w.pick('[..., :2]', '.max(axis=-1)', ' * 2')}", TIMES)
            if twist == "float32 returned":
                p = w.named(p, "p")
                return Text(f"{w.cast(p, dtype).text}, {p.text}")
            if twist == "not cast back":
                return p
            if twist == "other dtype":
                dtype = w.mx(w.pick("float16", "bfloat16", "float32"))
            p = w.cast(p, dtype)
            return w.let(p, "p", "probs", p=w.split / 2, over=[p.text] if p.text in w.scope.own else [])

        if axis_parameter or before == "divided" or to != "own" or twist:
            return compute(value)
        return w.helper(("softmax32", "_softmax", "stable"), [("x", value)], compute, in_class)

    array = w.mx("array")
    annotated = w.chance(0.6)
    parameters = [x + (f": {array}" if annotated else "")] + ["axis"] * axis_parameter + ["temperature"] * (temperature == "temperature") + ["dtype"] * (to == "parameter")
    w.names |= {"axis", "temperature", "dtype"}
    taken = [x, "axis", "temperature", "dtype"]
    if in_class:
        call = w.definition("__call__", ", ".join(["self", *parameters]), ["self", *taken], body, arrays=[x])
        lines = [f"class Subject({w.nn()}.Module):", *("    " + line if line else "" for line in [*w.members, *call])]
    else:
        lines = w.definition("subject", ", ".join(parameters), taken, body, arrays=[x])

    def given(make):
        def arguments(data):
            values = (make(data),) + ((w_axis,) if axis_parameter else ()) + ((0.5,) if temperature == "temperature" else ()) + ((data.dtype,) if to == "parameter" else ())
            return ((), values) if in_class else values
        return arguments

    w_axis = w.pick(-1, 0)
    hostile = [given(lambda data: data.rows(4)), given(lambda data: data.rows(3, 0))]
    if to == "parameter":
        hostile.append(lambda data: tuple(data.other.dtype if a is data.dtype else a for a in given(lambda d: d.rows(*shape))(data)))
    return Spelling("precise-softmax", w.file(lines), given(lambda data: data.rows(*shape)), ("precise=True",), ("float32)",), True, hostile, w.tags, twist)


# Products and sums


def written_addmm(w, twist=None, between=None):
    """A matrix product to which something is added."""
    in_class = w.chance(0.25) and twist is None
    forms = [((5, D), (D, 8)), ((2, 5, D), (D, 8)), ((2, 5, D), (2, D, 8)), ((D,), (D, 8)), ((3, D), (D,))]
    sa, sb = w.rng.choice(forms[:2] if in_class or twist else forms)
    product = (5, 8) if sa == (5, D) else (2, 5, 8) if len(sa) == 3 else (8,) if sa == (D,) else (3,)
    options = [product, product[-1:], product[-1:]]
    if len(product) > 1:
        options += [(*product[:-1], 1), (1,) * (len(product) - 1) + product[-1:]]
    sc = product[-1:] if in_class else w.rng.choice(options)
    a, b, c = w.pick(("a", "b", "c"), ("x", "w", "b"), ("x", "weight", "bias"), ("lhs", "rhs", "addend"), ("h", "proj", "residual"))
    transposed = len(sb) == 2 and w.chance(0.3)

    def body():
        w.scope.arrays = [a]
        own = lambda e: [e.text] if e.text in w.scope.own else []
        left, right, addend = Text(a), Text(f"self.{b}" if in_class else b), Text(f"self.{c}" if in_class else c)

        def compute(left, right, addend):
            if transposed:
                right = w.one_of(
                    (3, lambda: Text(f"{at(right, ATOM)}.T")),
                    lambda: Text(f"{at(right, ATOM)}.transpose({w.pick('', '1, 0')})"),
                    lambda: Text(f"{at(right, ATOM)}.swapaxes(0, 1)"),
                    lambda: w.call("transpose", right, *w.pick([], ["(1, 0)"])),
                )
                right = w.let(right, "wt", "b_t", p=w.split / 2)
            if twist == "c reshaped larger":
                addend = w.pick(Text(f"{at(addend, ATOM)}[None, None, None]"), w.call("expand_dims", addend, "(0, 1, 2)"), Text(f"{w.mx('zeros')}((3, 1, 1, 1, 8))"))
            if twist == "number":
                addend = Text(w.pick("1.0", "1e-5", "3", "float(2)", f"{a}.shape[0]", "len('abc')", "1 / 3"), TIMES)
            if twist == "numpy":
                w.imports.add("import numpy as np")
                addend = Text(w.pick("np.float32(1.5)", "np.ones(8)", "np.zeros((1, 8), np.float32)"))
            if twist == "integers":
                left, right = w.cast(left, w.mx("int32")), w.cast(right, w.mx("int32"))
            if twist == "wider":
                addend = w.cast(addend, w.mx("float32"))
                left, right = w.cast(left, w.mx("float16")), w.cast(right, w.mx("float16"))
            if w.chance(0.15) and twist is None:
                left = w.let(w.binary("*", left, Text("2.0"), swap=True), "scaled", over=[])
            m = Text(f"{at(left, TIMES)} * {at(right, TIMES)}[:, 0]", TIMES) if twist == "elementwise" else w.binary("@", left, right, function=0.3)
            m = w.let(m, "y", "out", "product", "xw", over=own(left))
            if between:
                m = between(w, m)
            if twist == "cast between":
                m = w.cast(m, w.mx(w.pick("float32", "float16")))
            if twist == "activated":
                m = w.call(w.pick("tanh", "abs", "exp"), m)
            if twist in ("product returned", "product twice"):
                m = w.named(m, "y")
            if twist == "subtracted":
                return w.binary("-", m, addend)
            if twist == "multiplied":
                return w.binary("*", m, addend)
            s = w.update("+", m, addend, swap=True)
            if twist == "product returned":
                return Text(f"{w.named(s, 'z').text}, {m.text}")
            if twist == "product twice":
                return Text(f"({s.text}) * {m.text}", TIMES)
            return s

        s = w.helper(("linear", "_affine", "project"), [("a", left), ("b", right), ("c", addend)], compute, in_class) if twist is None else compute(left, right, addend)
        if w.chance(0.2) and "," not in s.text:
            s = w.let(s, "z", "y", over=own(s))
            s = w.call(w.pick("maximum", "minimum"), s, "0")
        return s

    array = w.mx("array")
    if in_class:
        w.tag("class")
        rows_columns = "outputs, inputs" if transposed else "inputs, outputs"
        parameters = f"self, {a}" + (f": {array}" if w.chance(0.5) else "")
        call = w.definition("__call__", parameters, ["self", a], body, arrays=[a])
        lines = [
            f"class Subject({w.nn()}.Module):",
            "    def __init__(self, inputs: int, outputs: int):",
            "        super().__init__()",
            f"        self.{b} = {w.mx('zeros')}(({rows_columns}))",
            f"        self.{c} = {w.mx('zeros')}({w.pick('(outputs,)', 'outputs')})",
            "",
            *("    " + line if line else "" for line in [*w.members, *call]),
        ]
        hostile = []

        def arguments(data):
            return (D, 8), (data.rows(*sa),)
    else:
        order = [a, b, c]
        if w.chance(0.3):
            w.rng.shuffle(order)
        annotated = {p: w.chance(0.5) for p in order}
        lines = w.definition("subject", ", ".join(p + (f": {array}" if annotated[p] else "") for p in order), order, body, arrays=[a])
        sb_given = sb[::-1] if transposed else sb

        def given(change=None):
            def arguments(data):
                values = {a: lambda: data.rows(*sa), b: lambda: data.rows(*sb_given, size=0.2), c: lambda: data.rows(*sc)}
                values |= {k: (lambda v=v: v(data)) for k, v in (change or {}).items()}
                return tuple(values[p]() for p in order)
            return arguments

        arguments = given()
        hostile = [given({c: lambda data, s=s: data.rows(*s)}) for s in [(), (1,), (3, *product), (1, *product), (1, 1, 1, 1)]]
        hostile += [given({c: lambda data: data.other.rows(*sc)}), given({c: lambda data: data.integers(sc)}), given({c: lambda data: data.truth(sc)})]
        if not annotated[c]:
            hostile += [given({c: lambda data: 0.5}), given({c: lambda data: data.numpy(*sc)})]
        if not annotated[a] and not annotated[b]:
            hostile.append(given({a: lambda data: data.numpy(*sa), b: lambda data: data.numpy(*sb_given)}))
    if twist == "c reshaped larger":  # an unsafe edit assumes that it is not
        hostile, arguments = [arguments], None
    return Spelling("addmm", w.file(lines), arguments, ("addmm(",), (" @ ", "matmul"), False, hostile, w.tags, twist)


RULES = {
    "rms-norm": lambda w, **k: written_norm(w, "rms-norm", **k),
    "layer-norm": lambda w, **k: written_norm(w, "layer-norm", **k),
    "attention": written_attention,
    "precise-softmax": written_softmax,
    "addmm": written_addmm,
}


def spell(rule, rng, **options):
    """Draws one spelling of a rule."""
    return RULES[rule](Writer(rng), **options)
