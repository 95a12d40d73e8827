"""Draws spellings of norms between a cast to float32 and one back."""

from spell_writer import ATOM, PLUS, Text, at, is_name
from spelling import Rule, Spelling

D = 16
TWISTS = [
    "not cast back", "down, not up", "other dtype", "scaled in float32", "group norm", "float32 returned", "rope", "dtype too late",
    "batch norm", "shifted in float32", "softmax",
]  # fmt: skip
# How a norm is made, how it may be annotated as a parameter, and whether it has parameters.
MODULES = [
    ("LayerNorm", f"{D}, affine=False", False),
    ("LayerNorm", f"{D}, 1e-6, False", False),
    ("LayerNorm", f"dims={D}, affine=False", False),
    ("InstanceNorm", f"{D}", False),
    ("InstanceNorm", f"{D}, affine=False", False),
    ("GroupNorm", f"4, {D}, affine=False, pytorch_compatible=True", False),
    ("LayerNorm", f"{D}", True),
    ("LayerNorm", f"{D}, bias=False", True),
    ("RMSNorm", f"{D}, eps=1e-6", True),
    ("GroupNorm", f"4, {D}, pytorch_compatible=True", True),
    ("InstanceNorm", f"{D}, affine=True", True),
]
PARTS = {
    "core": "mx.fast.rms_norm(x.astype(mx.float32), None, 1e-5).astype(x.dtype)",
    "core_np": "np.tanh(x.astype(mx.float32))",
    "core_bare": "fast.rms_norm(x.astype(mx.float32), None, 1e-5).astype(x.dtype)",
    "stat": "s = x.astype(mx.float32)",
    "stat_expr": "mx.fast.rms_norm(x.astype(mx.float32), None, 1e-5).astype(x.dtype)",
    "from_stat": "mx.fast.rms_norm(s, None, 1e-5).astype(x.dtype) * x",
}
TRAPS = """
# --- another float32 product: (8, 16)
def subject(x):
    y = mx.fast.rms_norm(x.astype(mx.float32), None, 1e-5) * x.astype(mx.float32)
    return y.astype(x.dtype)

# --- half of another kind: (8, 16)
def subject(x):
    x = x.astype(mx.bfloat16)
    return mx.fast.layer_norm(x.astype(mx.float32), None, None, 1e-5).astype(mx.float16)

# --- a norm that is chosen: (2, 8, 16) (class)
class Subject(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.GroupNorm(4, 16)
        self.norm = nn.GroupNorm(4, 16, pytorch_compatible=bool(self.norm.dims > 99))

    def __call__(self, x):
        return self.norm(x.astype(mx.float32)).astype(x.dtype)

# --- a norm made again: (2, 8, 16) (class)
class Subject(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(16, affine=False)

    def __call__(self, x):
        self.norm = nn.GroupNorm(4, 16)
        return self.norm(x.astype(mx.float32)).astype(x.dtype)

# --- a subclass that does more: (2, 8, 16) (class)
class Norm(nn.LayerNorm):
    def __call__(self, x):
        return super().__call__(x) * x + 0.01

class Subject(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = Norm(16, affine=False)

    def __call__(self, x):
        return self.norm(x.astype(mx.float32)).astype(x.dtype)

# --- two superclasses: (2, 8, 16) (class)
class Twice:
    def __call__(self, x):
        return x * x + 0.01

class Subject(Twice, nn.LayerNorm):
    def __init__(self):
        nn.LayerNorm.__init__(self, 16, affine=False)

    def __call__(self, x):
        return super().__call__(x.astype(mx.float32)).astype(x.dtype)

# --- rope of a superclass: (2, 8, 16) (class)
class Subject(nn.RoPE):
    def __init__(self):
        super().__init__(16)

    def __call__(self, x):
        return super().__call__(x.astype(mx.float32)).astype(x.dtype)
"""


def written_upcast(w, twist=None, between=None):
    """A norm in a function, a method, or a subclass of it."""
    return Upcast(w, twist, between).spelling()


class Upcast:
    """What was chosen for one norm, and how it is written from that."""

    def __init__(self, w, twist, between):
        self.w, self.twist, self.disturb = w, twist, between
        self.form = w.pick("fast", "fast", "attribute", "attribute", "superclass", "parameter")
        if twist in ("group norm", "batch norm"):
            self.form = "attribute"
        elif twist:
            self.form = w.pick("fast", "attribute")
        self.kind, self.made, self.has_parameters = w.pick(*MODULES)
        if twist == "group norm":
            self.kind, self.made = "GroupNorm", f"4, {D}, affine=False"
        elif twist == "batch norm":
            self.kind, self.made = "BatchNorm", f"{D}, affine=False"
        self.fast = w.pick("rms_norm", "layer_norm")
        self.shape = w.pick((5, D), (2, 3, D)) if self.form == "fast" else (2, 6, D)
        self.x, self.norm = w.pick("x", "h", "hidden"), w.pick("norm", "ln", "input_norm")
        self.own_dtype = w.chance(0.85)
        w.tag(self.form)
        w.tag(self.kind if self.form != "fast" else "")

    def spelling(self):
        """The text and its arguments."""
        w = self.w
        w.names |= {"y", "norm", "ln", "input_norm"}
        # A parameter of the function is made by its caller, who may make it without parameters.
        parameters = ([self.norm] if self.form == "parameter" else []) + [self.x]
        if self.form == "parameter":
            self.kind, self.made, self.has_parameters = w.pick(("LayerNorm", f"{D}", True), ("RMSNorm", f"{D}", True))
        notes = {self.x: w.mx("array")} if w.chance(0.6) else {}
        if self.form == "parameter":
            notes[self.norm] = f"{w.nn()}.{self.kind}"
        signature = w.signature(parameters, notes, {})
        in_class = self.form in ("attribute", "superclass")
        if in_class:
            call = w.definition("__call__", f"self, {signature}", ["self", *parameters], self.body, arrays=[self.x])
            init = [f"super().__init__({self.made if self.form == 'superclass' else ''})"]
            init += [f"self.{self.norm} = {w.nn()}.{self.kind}({self.made})"] if self.form == "attribute" else []
            base = f"{w.nn()}.{self.kind if self.form == 'superclass' else 'Module'}"
            lines = ["def __init__(self):", *["    " + line for line in init], "", *w.members, *call]
            lines = [f"class Subject({base}):", *["    " + line if line else line for line in lines]]
            w.tag("class")
        else:
            lines = w.definition("subject", signature, parameters, self.body, arrays=[self.x])

        def arguments(data):
            import mlx.nn as nn  # Only here a module is made, and not written.

            modules = [getattr(nn, self.kind)(D)] if self.form == "parameter" else []
            for module in modules:
                module.set_dtype(data.dtype)
            values = (*modules, data.rows(*self.shape))
            return ((), values) if in_class else values

        exact = self.form == "fast" or self.form == "attribute" and not self.has_parameters and self.own_dtype
        return Spelling(w.file(lines), arguments, (), ("float32)",), exact and not self.twist, [], w.tags, self.twist)

    def body(self):
        """Writes the statements and gives the result."""
        w, value = self.w, Text(self.x)
        w.scope.arrays = [self.x]
        if self.form != "parameter" and w.chance(0.25):
            value = w.let(w.binary("+", value, Text("1.5"), swap=True), "z", "shifted", over=[self.x])
        if self.twist or self.disturb or self.form != "fast":
            return self.compute(value)
        return w.helper(("norm32", "_norm", "normed"), [("x", value)], self.compute)

    def compute(self, value):
        """The two casts and the norm between them."""
        w, twist = self.w, self.twist
        value = w.shared(value, "z", "operand")
        dtype = f"{at(value, ATOM)}.dtype"
        if twist == "dtype too late":
            value = w.named(w.cast(value, w.mx("float32")), "v32")
            dtype = f"{value.text}.dtype"
        elif w.scope.statements and w.chance(0.4) and not value.text.startswith("\0"):
            dtype = w.fresh("t", "dtype_", "orig_dtype")
            w.emit(f"{dtype} = {at(value, ATOM)}.dtype")
        wide = w.mx(w.pick("float16", "bfloat16")) if twist == "down, not up" else w.float32()
        up = w.let(w.cast(value, wide), "up", "v32", "upcast")
        if twist == "shifted in float32":
            up = w.let(Text(f"{at(up, PLUS)} - 0.3", PLUS), "up", "v32")
        y = self.normed(self.disturb(w, up) if self.disturb else up)
        if twist == "float32 returned":
            y = w.named(y, "y32")
            return Text(f"{w.cast(y, dtype).text}, {y.text}")
        if twist == "not cast back":
            return y
        if twist == "scaled in float32":
            y = w.binary("*", y, Text("0.7"))
        if twist == "other dtype":
            dtype = w.mx(w.pick("float16", "bfloat16", "float32", "int32"))
        y = w.cast(y, dtype)
        return w.let(y, "y", "out_", p=w.split / 2)

    def normed(self, up):
        """The norm, or what a near miss has in its place."""
        w, twist = self.w, self.twist
        if twist == "softmax":
            y = w.call("softmax", up, "axis=-1")
        elif twist == "rope":
            y = Text(f"{self.fast_module()}.rope({up.text}[None], {D}, traditional=False, base=1e4, scale=1.0, offset=3)[0]")
        elif self.form == "fast":
            one = self.fast == "rms_norm"
            rest = w.pick("None, 1e-5", "weight=None, eps=1e-5") if one else w.pick("None, None, 1e-5", "weight=None, bias=None, eps=1e-5")
            y = Text(f"{self.fast_module()}.{self.fast}({up.text}, {rest})")
        elif self.form == "superclass":
            y = Text(f"super().__call__({up.text})")
        else:
            receiver = "self." if self.form == "attribute" else ""
            y = Text(f"{receiver}{self.norm}({up.text})")
        return w.let(y, "y", "normed", over=w.own(up) if is_name(up) else [])

    def fast_module(self):
        """How this file names `mlx.core.fast`."""
        if not self.w.module:
            self.w.imports.add("import mlx.core as mx")
        return f"{self.w.module or 'mx'}.fast"


RULE = Rule(written_upcast, TWISTS, TRAPS, parts=PARTS, rounding=2.5, mixed=True)
