"""Attention as a `Writer` draws it: of arrays with four axes, with the reshapes before it, or in a module with its projections."""

import mlx.core as mx
import spell_heads
from spell_writer import ATOM, COMPARE, LOW, POWER, TIMES, Text, at, indented, is_name
from spelling import Rule, Spelling

MASKED = ("mask before scale", "mask multiplied", "mask subtracted", "mask by where", "mask after softmax")

TWISTS = [
    "soft cap", "scores twice", "scores squared", "mask multiplied", "mask subtracted", "mask by where", "mask before scale",
    "mask after softmax", "mask under flag", "softmax axis", "sigmoid", "exponentials", "stays in float32", "weights dropped",
    "weights changed", "weights returned", "keys not permuted",
]  # fmt: skip
PARTS = {
    "core": "mx.softmax((x[None, None] * 0.25) @ x[None, None].transpose(0, 1, 3, 2), axis=-1) @ x[None, None]",
    "core_np": "np.exp(x @ x.T) @ x",
    "core_bare": "softmax((x[None, None] * 0.25) @ x[None, None].transpose(0, 1, 3, 2), axis=-1) @ x[None, None]",
    "stat": "s = (x[None, None] * 0.25) @ x[None, None].transpose(0, 1, 3, 2)",
    "stat_expr": "mx.softmax(x[None, None] @ x[None, None].swapaxes(2, 3), axis=-1)",
    "from_stat": "(mx.softmax(s, axis=-1) @ x[None, None])[0, 0]",
    "attend": "mx.softmax((q * 0.25) @ k.transpose(0, 1, 3, 2), axis=-1) @ v",
}
TRAPS = """
# --- batch of keys broadcast: (2, 4, 7, 16), (2, 4, 7, 16), (2, 4, 7, 16) (hostile)
def subject(q: mx.array, k: mx.array, v: mx.array):
    k, v = k[:1], v[:1]
    return {attend}

# --- one query head: (2, 4, 7, 16), (2, 4, 7, 16), (2, 4, 7, 16) (hostile)
def subject(q: mx.array, k: mx.array, v: mx.array):
    q = q[:, :1]
    return {attend}

# --- one key head: (2, 4, 7, 16), (2, 4, 7, 16), (2, 4, 7, 16)
def subject(q: mx.array, k: mx.array, v: mx.array):
    k, v = k[:, :1], v[:, :1]
    return {attend}

# --- heads of keys differ: (2, 4, 7, 16), (2, 4, 7, 16), (2, 4, 7, 16) (hostile)
def subject(q: mx.array, k: mx.array, v: mx.array):
    v = v[:, :1]
    return {attend}

# --- tiled heads: (2, 4, 7, 16), (2, 2, 7, 16), (2, 2, 7, 16)
def subject(q: mx.array, k: mx.array, v: mx.array):
    k, v = mx.tile(k, (1, 2, 1, 1)), mx.tile(v, (1, 2, 1, 1))
    return {attend}

# --- rank 3: (4, 7, 16), (4, 7, 16), (4, 7, 16)
def subject(q, k, v):
    B, L, D = q.shape
    return mx.softmax((q * 0.25) @ k.transpose(0, 2, 1), axis=-1) @ v

# --- rank 3 by reshape: (2, 4, 7, 16), (2, 4, 7, 16), (2, 4, 7, 16) (hostile)
def subject(q, k, v):
    q, k, v = (a.reshape(-1, 7, 16) for a in (q, k, v))
    return mx.softmax((q * 0.25) @ k.swapaxes(-1, -2), axis=-1) @ v

# --- rank 5: (2, 4, 7, 16), (2, 4, 7, 16), (2, 4, 7, 16) (hostile)
def subject(q, k, v):
    q, k, v = q[:, None], k[:, None], v[:, None]
    return mx.softmax((q * 0.25) @ k.swapaxes(-1, -2), axis=-1) @ v

# --- rank 2: (7, 16), (7, 16), (7, 16)
def subject(q, k, v):
    q = q.reshape(-1, 16)
    return mx.softmax((q * 0.25) @ k.T, axis=-1) @ v

# --- scale per head: (2, 4, 7, 16), (2, 4, 7, 16), (2, 4, 7, 16), (4, 1, 1)
def subject(q: mx.array, k: mx.array, v: mx.array, t: mx.array):
    return mx.softmax((q @ k.transpose(0, 1, 3, 2)) * t, axis=-1) @ v

# --- scale is an array: (2, 4, 7, 16), (2, 4, 7, 16), (2, 4, 7, 16)
def subject(q: mx.array, k: mx.array, v: mx.array):
    return mx.softmax((q @ k.transpose(0, 1, 3, 2)) * mx.array(0.25), axis=-1) @ v

# --- integers: (2, 4, 7, 16), (2, 4, 7, 16), (2, 4, 7, 16)
def subject(q, k, v):
    v = v.astype(mx.int32)
    return {attend}

# --- bool mask added: (2, 4, 7, 16), (2, 4, 7, 16), (2, 4, 7, 16)
def subject(q: mx.array, k: mx.array, v: mx.array):
    m = mx.tri(7, 7, dtype=mx.bool_)
    return mx.softmax((q * 0.25) @ k.transpose(0, 1, 3, 2) + m, axis=-1) @ v

# --- float32 mask: (2, 4, 7, 16), (2, 4, 7, 16), (2, 4, 7, 16) (hostile)
def subject(q: mx.array, k: mx.array, v: mx.array):
    m = mx.where(mx.tri(7, 7) > 0, 0.0, -1e4)
    return mx.softmax((q * 0.25) @ k.transpose(0, 1, 3, 2) + m, axis=-1) @ v

# --- mask with five axes: (2, 4, 7, 16), (2, 4, 7, 16), (2, 4, 7, 16)
def subject(q: mx.array, k: mx.array, v: mx.array):
    m = mx.zeros((2, 1, 1, 7, 7), q.dtype)
    return mx.softmax((q * 0.25) @ k.transpose(0, 1, 3, 2) + m, axis=-1) @ v

# --- mask enlarges the batch: (2, 4, 7, 16), (2, 4, 7, 16), (2, 4, 7, 16) (hostile)
def subject(q: mx.array, k: mx.array, v: mx.array):
    q, k, v = q[:1], k[:1], v[:1]
    m = mx.zeros((3, 1, 7, 7), q.dtype)
    return mx.softmax((q * 0.25) @ k.transpose(0, 1, 3, 2) + m, axis=-1) @ v

# --- twice scaled: (2, 4, 7, 16), (2, 4, 7, 16), (2, 4, 7, 16)
def subject(q: mx.array, k: mx.array, v: mx.array):
    return mx.softmax((q * 0.25) @ (k * 0.5).transpose(0, 1, 3, 2) * 3.0, axis=-1) @ v

# --- two masks: (2, 4, 7, 16), (2, 4, 7, 16), (2, 4, 7, 16)
def subject(q: mx.array, k: mx.array, v: mx.array):
    m = mx.zeros((7, 7), q.dtype)
    return mx.softmax((q * 0.25) @ k.transpose(0, 1, 3, 2) + m + (m - 1.5) * m, axis=-1) @ v

# --- mask or else: (2, 4, 7, 16), (2, 4, 7, 16), (2, 4, 7, 16)
def subject(q: mx.array, k: mx.array, v: mx.array, mask=None):
    s = (q * 0.25) @ k.transpose(0, 1, 3, 2)
    if mask is not None:
        s = s + mask
    else:
        s = s - mx.tri(7, 7, dtype=q.dtype)
    return mx.softmax(s, axis=-1) @ v

# --- mask the wrong way: (2, 4, 7, 16), (2, 4, 7, 16), (2, 4, 7, 16)
def subject(q: mx.array, k: mx.array, v: mx.array, mask=None):
    s = (q * 0.25) @ k.transpose(0, 1, 3, 2)
    if mask is None:
        mask = mx.tri(7, 7, dtype=q.dtype)
    return mx.softmax(s + mask, axis=-1) @ v

# --- queries transposed: (2, 4, 7, 16), (2, 4, 7, 16), (2, 4, 7, 16)
def subject(q: mx.array, k: mx.array, v: mx.array):
    return mx.softmax((k * 0.25) @ q.transpose(0, 1, 3, 2), axis=-1) @ v

# --- values transposed: (2, 4, 16, 16), (2, 4, 16, 16), (2, 4, 16, 16)
def subject(q: mx.array, k: mx.array, v: mx.array):
    return {attend}.transpose(0, 1, 3, 2)

# --- weights transposed: (2, 4, 7, 16), (2, 4, 7, 16), (2, 4, 7, 16)
def subject(q: mx.array, k: mx.array, v: mx.array):
    return mx.softmax((q * 0.25) @ k.transpose(0, 1, 3, 2), axis=-1).swapaxes(2, 3) @ v

# --- keys of heads last: (2, 8, 8, 8), (2, 8, 8, 8), (2, 8, 8, 8)
def subject(q: mx.array, k: mx.array, v: mx.array):
    return mx.softmax((q * 0.25) @ k.transpose(0, 2, 3, 1), axis=-1) @ v

# --- heads first: (2, 4, 16, 16), (2, 4, 16, 16), (2, 4, 16, 16)
def subject(q: mx.array, k: mx.array, v: mx.array):
    return mx.softmax((q * 0.25) @ k, axis=-1) @ v

# --- values added: (2, 4, 7, 16), (2, 4, 7, 16), (2, 4, 7, 16)
def subject(q: mx.array, k: mx.array, v: mx.array):
    p = mx.softmax((q * 0.25) @ k.transpose(0, 1, 3, 2), axis=-1)
    return p @ v + p.sum(-1, keepdims=True)

# --- sinks: (2, 4, 7, 16), (2, 4, 7, 16), (2, 4, 7, 16)
def subject(q: mx.array, k: mx.array, v: mx.array):
    s = (q * 0.25) @ k.transpose(0, 1, 3, 2)
    s = mx.concatenate([s, s[..., :1]], axis=-1)
    return mx.softmax(s, axis=-1)[..., :-1] @ v

# --- log softmax: (2, 4, 7, 16), (2, 4, 7, 16), (2, 4, 7, 16)
def subject(q: mx.array, k: mx.array, v: mx.array):
    s = (q * 0.25) @ k.transpose(0, 1, 3, 2)
    return (s - mx.logsumexp(s, axis=-1, keepdims=True)) @ v

# --- float32 then half: (2, 4, 7, 16), (2, 4, 7, 16), (2, 4, 7, 16)
def subject(q: mx.array, k: mx.array, v: mx.array):
    s = (q.astype(mx.float32) * 0.25) @ k.astype(mx.float32).transpose(0, 1, 3, 2)
    return (mx.softmax(s, axis=-1) @ v.astype(mx.float32)).astype(q.dtype)

# --- probabilities in float32: (2, 4, 7, 16), (2, 4, 7, 16), (2, 4, 7, 16)
def subject(q: mx.array, k: mx.array, v: mx.array):
    s = (q * 0.25) @ k.transpose(0, 1, 3, 2)
    return mx.softmax(s.astype(mx.float32), axis=-1) @ v

# --- scores cached: (2, 4, 7, 16), (2, 4, 7, 16), (2, 4, 7, 16)
class Cache:
    scores = None


def subject(q: mx.array, k: mx.array, v: mx.array):
    Cache.scores = (q * 0.25) @ k.transpose(0, 1, 3, 2)
    out = mx.softmax(Cache.scores, axis=-1) @ v
    return out, Cache.scores
"""


def written_attention(w, twist=None, between=None):
    """Attention in a function or a module."""
    return Attention(w, twist, between).spelling()


def permuted(w, k):
    """`k` with its last two axes exchanged."""
    order = "0, 1, 3, 2"
    last = w.pick("-1, -2", "-2, -1", "2, 3", "3, 2", "-2, -1")
    return w.one_of(
        (4, lambda: Text(f"{at(k, ATOM)}.transpose({order})")),
        (1, lambda: Text(f"{at(k, ATOM)}.transpose({w.pick('({})', '[{}]').format(order)})")),
        (3, lambda: Text(f"{at(k, ATOM)}.swapaxes({last})")),
        (1, lambda: Text(f"{at(k, ATOM)}.moveaxis({last})")),
        (1, lambda: w.call("transpose", k, w.pick("({})", "[{}]", "axes=({})").format(order))),
        (1, lambda: w.call("swapaxes", k, last)),
        (0.5, lambda: w.call("moveaxis", k, last)),
    )


class Attention:
    """One attention: what was chosen for it, and how it is written from that."""

    def __init__(self, w, twist, between):
        self.w, self.twist, self.disturb = w, twist, between
        self.form = w.pick("arrays", "arrays", "reshaped", "module")
        self.in_class = self.form == "module"
        self.heads, self.dim = w.pick((4, 16), (2, 32), (4, 64))
        self.batch, self.length = w.pick(1, 2), w.pick(7, 9, 16)
        self.grouped = self.form == "arrays" and w.chance(0.15)
        self.names = w.pick(("q", "k", "v"), ("q", "k", "v"), ("queries", "keys", "values"), ("query", "key", "value"))
        self.scaled = w.pick("q", "q", "k", "scores", "scores", "none") if twist != "mask before scale" else "scores"
        self.scale_form = (
            w.pick(*["attribute"] * 2, "shape", "division") if self.in_class else w.pick("literal", "parameter", "shape", "division", "by root")
        )
        if self.scaled == "none":
            self.scale_form = "none"
        else:
            w.tag(f"scale {self.scaled} {self.scale_form}")
        self.softmax = w.pick("plain", "plain", "precise", "back to scores", "back to scores", "back to values")
        if twist == "stays in float32":
            self.softmax = "back to scores"
        self.mask = w.pick("mask", "mask", "attn_mask", "attention_mask")
        self.mask_form = w.pick("none", "added", "if", "if", "conditional", "where", "where under if")
        if twist in MASKED:
            self.mask_form = "added"
        if twist == "mask under flag":
            self.mask_form = "if"
        self.masked = self.mask_form != "none"
        self.by_truth = self.mask_form.startswith("where")
        self.second = self.masked and not self.by_truth and not twist and w.chance(0.15)
        self.einsum = not twist and w.chance(0.15)
        w.tag("two masks" if self.second else "")
        self.mask_default = self.mask_form in ("if", "conditional", "where under if")
        self.mask_absent = self.mask_default and w.chance(0.25)
        square = (self.length, self.length)
        self.mask_shape = w.pick(square, (1, 1, *square), (self.batch, 1, *square), (self.batch, self.heads, *square))
        self.keys_permuted = self.form != "arrays" and self.scaled != "k" and w.chance(0.2)
        w.tag("keys permuted by the reshape" if self.keys_permuted else "")

    def spelling(self):
        """The text and its arguments."""
        lines, arguments, hostile = self.module() if self.in_class else self.function()
        done, gone = ("scaled_dot_product_attention(",), ("softmax(",)
        return Spelling(self.w.file(lines), arguments, done, gone, False, hostile, self.w.tags, self.twist)

    # The computation

    def factor(self, q):
        """The operator that scales and its right side, written where `q` has a name."""
        w = self.w
        length = f"{q}.shape[-1]"
        if self.scale_form == "literal":
            return "*", Text(repr(self.dim**-0.5))
        if self.scale_form == "by root":
            return "/", w.pick(Text(repr(self.dim**0.5)), w.math(f"math.sqrt({self.dim})"))
        if self.scale_form == "shape":
            e = w.pick(Text(f"{length} ** -0.5", POWER), w.math(f"1 / math.sqrt({length})", TIMES), Text(f"1.0 / {length} ** 0.5", TIMES))
            e = w.let(e, "scale", "factor")
        elif self.scale_form == "division":
            e = w.let(w.pick(w.math(f"math.sqrt({length})"), Text(f"{length} ** 0.5", POWER)), "root", "denom")
        else:
            e = Text("self.scale" if self.in_class else "scale")
        w.scope.own.discard(e.text)  # a number, which an augmented assignment would rebind
        return "/" if self.scale_form == "division" else "*", e

    def scaling(self, e, factor):
        op, by = factor
        return self.w.update(op, e, by, swap=op == "*")

    def attend(self, q, k, v, factor, mask):
        """The computation from q, k and v with four axes; the keys may be permuted already."""
        w, twist = self.w, self.twist
        if self.scaled == "q":
            q = w.let(self.scaling(q, factor), "q", "scaled_q", "qs", over=w.own(q))
        if self.scaled == "k":
            k = w.let(self.scaling(k, factor), "ks", "scaled_k", over=w.own(k))
        if self.einsum and not self.keys_permuted:
            return self.attend_by_einsum(q, k, v, factor, mask)
        if twist == "keys not permuted":
            k = w.pick(k, Text(f"{at(k, ATOM)}.transpose({w.pick('0, 2, 3, 1', '0, 1, 2, 3', '1, 0, 3, 2')})"))
        elif not self.keys_permuted:
            k = w.let(permuted(w, k), "kt", "k_t", "keys_t", over=w.own(k))
        s = w.binary("@", q, k, function=0.3)
        if twist == "mask before scale":
            s = w.binary("+", s, mask, swap=True)
        if self.scaled == "scores":
            s = self.scaling(w.let(s, "scores", "s", "attn", "qk"), factor)
        s = w.let(s, "scores", "s", "attn", "qk", over=w.own(s))
        s = self.disturb(w, s) if self.disturb else s
        if twist == "scores twice":
            s = w.named(s, "scores")
        scores = s
        s = self.with_mask(self.capped(s), mask)
        p = self.probabilities(s, v)
        out = w.binary("@", p, v, function=0.3)
        if twist == "weights returned":
            return Text(f"{w.named(out, 'out').text}, {p.text}")
        if twist == "scores twice":
            return Text(f"{w.named(out, 'out').text}, {scores.text}")
        return out

    def attend_by_einsum(self, q, k, v, factor, mask):
        """The same with the axes spelt out; the result may have its own order."""
        w = self.w
        w.tag("einsum")
        comma = w.pick(",", ", ")
        s = w.call("einsum", f'"bhqd{comma}bhkd->bhqk"', q, k)
        if self.scaled == "scores":
            s = self.scaling(w.let(s, "scores", "s", "attn", "qk"), factor)
        s = w.let(s, "scores", "s", "attn", "qk")
        s = self.disturb(w, s) if self.disturb else s
        p = self.probabilities(self.with_mask(s, mask), v)
        w.tag("permuted output" if (turned := w.chance(0.3)) else "")
        out = w.call("einsum", f'"bhqk{comma}bhkd->{"bqhd" if turned else "bhqd"}"', p, v)
        return Text(f"{at(out, ATOM)}.transpose(0, 2, 1, 3)") if turned else out

    def capped(self, s):
        """What a near miss does to the scores."""
        if self.twist == "soft cap":
            return self.w.let(Text(f"{self.w.mx('tanh')}({s.text} / 50.0) * 50.0", TIMES), "capped", over=self.w.own(s))
        if self.twist == "scores squared":
            return Text(f"{self.w.named(s, 'scores').text} ** 2", POWER)
        return s

    def with_mask(self, s, mask):
        """The scores with the mask."""
        w, twist = self.w, self.twist
        if twist == "mask multiplied":
            return w.binary("*", s, mask, swap=True)
        if twist == "mask subtracted":
            return w.binary("-", s, mask)
        if twist == "mask by where":
            return w.call("where", Text(f"{mask.text} > -1", COMPARE), s, Text(w.pick("-1e4", "0.0")))
        if twist in ("mask before scale", "mask after softmax") or not self.masked:
            return s
        if self.by_truth:
            return self.replaced(s, mask)
        if self.second:
            s = w.let(w.update("+", s, Text("bias"), swap=True), "scores", "biased", "s", over=w.own(s))
        if self.mask_form == "added":
            return w.let(w.update("+", s, mask, swap=True), "scores", "masked", "s", over=w.own(s))
        w.tag(f"mask {self.mask_form}")
        if self.mask_form == "if":
            return self.with_mask_under_if(s, mask)
        s = w.named(s, "scores", "s")
        added = w.binary("+", s, mask, swap=True).text
        either = w.pick(f"{s.text} if {mask.text} is None else {added}", f"{added} if {mask.text} is not None else {s.text}")
        return w.let(Text(either, LOW), "scores", "masked")

    def replaced(self, s, mask):
        """The scores where the mask holds, and next to nothing elsewhere."""
        w = self.w
        w.tag(self.mask_form)
        s = w.named(s, "scores", "s", "attn")
        fill = w.pick("-1e9", 'float("-inf")', f"-{w.mx('inf')}", f"{w.mx('finfo')}({s.text}.dtype).min")
        turned = w.pick(f"~{mask.text}", w.call("logical_not", mask).text)
        chosen = w.pick(w.call("where", mask, s, fill), w.call("where", mask, s, fill), w.call("where", turned, fill, s))
        if self.mask_form == "where":
            return w.let(chosen, "scores", "masked", over=w.own(s))
        w.emit(f"if {mask.text} is not None:\n    {s.text} = {chosen.text}")
        return s

    def with_mask_under_if(self, s, mask):
        w = self.w
        s = w.named(s, "scores", "s", "attn")
        change = w.pick(f"{s.text} += {mask.text}", f"{s.text} = {w.binary('+', s, mask, swap=True).text}")
        w.tag("augmented" if "+=" in change else "")
        if self.twist == "mask under flag":
            condition = w.pick(f"{s.text}.shape[-1] > 4", f"{s.text}.ndim > 4")
        else:
            condition = f"{mask.text} is not None"
        if w.chance(0.15) and self.twist is None:
            w.tag("if else pass")
            w.emit(f"if {mask.text} is None:\n    pass\nelse:\n    {change}")
        else:
            comment = "    # additive mask\n" if w.chance(0.2) else ""
            w.emit(f"if {condition}:\n{comment}    {change}")
        return s

    def probabilities(self, s, v):
        """The softmax of the scores."""
        w, twist = self.w, self.twist
        axis = w.pick("axis=-1", "axis=-1", "axis=-1", "-1", "axis=(-1,)", "axis=[-1]")
        if twist == "softmax axis":
            axis = w.pick("axis=-2", "axis=1", "-2", "axis=(-2, -1)")
        if twist in ("sigmoid", "exponentials"):
            p = w.call("sigmoid" if twist == "sigmoid" else "exp", s)
        elif self.softmax in ("plain", "precise"):
            p = w.call("softmax", s, axis, *["precise=True"] * (self.softmax == "precise"))
        else:
            p = self.softmax_in_float32(s, v, axis)
        if twist in ("weights dropped", "weights changed", "weights returned", "mask after softmax"):
            p = w.named(p, "p", "probs", "weights")
        p = w.let(p, "p", "probs", "weights", "attn_weights", "scores_", over=w.own(s))
        if twist == "weights dropped":
            return Text(f"{p.text} * ({w.mx('random')}.uniform(shape={p.text}.shape) > 0.1)", TIMES)
        if twist == "weights changed":
            total = f"(1.0 + {p.text}.sum(axis=-2, keepdims=True))"
            return w.pick(Text(f"{p.text} / {total}", TIMES), Text(f"{w.mx('round')}({p.text}, 2)"), Text(f"{p.text} ** 2", POWER))
        return w.binary("+", p, Text(self.mask), swap=True) if twist == "mask after softmax" else p

    def softmax_in_float32(self, s, v, axis):
        w = self.w
        to = f"{v.text}.dtype"
        if self.softmax == "back to scores":
            s = w.named(s, "scores", "s") if not is_name(s) else s
            to = f"{s.text}.dtype"
            if w.chance(0.3):
                to = w.fresh("t", "dtype", "score_dtype")
                w.emit(f"{to} = {s.text}.dtype")
        p = w.call("softmax", w.let(w.cast(s, w.float32()), "s32", "upcast", p=w.split / 2), axis)
        p = w.let(p, "p", "probs", "weights", p=w.split / 2)
        return p if self.twist == "stays in float32" else w.cast(p, to)

    # Before and after it

    def of_arrays(self):
        """Writes attention of three parameters with four axes each."""
        w = self.w
        q, k, v = map(Text, self.names)
        w.scope.arrays = [q.text, v.text]
        factor = self.factor(q.text)
        if self.grouped:
            k, v = spell_heads.repeated(w, k, v)
        return self.attend(q, k, v, factor, Text(self.mask))

    def split_heads(self, e, keys, batch="B", length="L"):
        """The reshape to four axes and the transpose of heads and length."""
        w = self.w
        batch, length = batch.format(x=e.text), length.format(x=e.text)
        heads = "self.n_heads" if self.in_class else str(self.heads)
        dim = w.pick("self.head_dim", str(self.dim)) if self.in_class else str(self.dim)
        shape = w.pick(f"{batch}, {length}, {heads}, -1", f"{batch}, -1, {heads}, {dim}", f"{batch}, {length}, {heads}, {dim}")
        y = w.pick(Text(f"{at(e, ATOM)}.reshape({shape})"), Text(f"{at(e, ATOM)}.reshape(({shape}))"), w.call("reshape", e, f"({shape})"))
        if w.chance(0.3) and is_name(e):
            y = w.named(y, "split", over=[e.text])
        if not keys and w.chance(0.2):
            return Text(f"{at(y, ATOM)}.swapaxes(1, 2)")
        order = "0, 2, 3, 1" if keys else "0, 2, 1, 3"
        return w.pick(Text(f"{at(y, ATOM)}.transpose({order})"), w.call("transpose", y, f"({order})"))

    def of_rows(self, sources):
        """Writes attention of arrays of (batch, length, heads times dim); `sources` are functions that give them in turn."""
        w = self.w
        rows = "x" if self.in_class else self.names[0]
        w.scope.arrays = [rows]
        w.emit(w.pick(f"B, L = {rows}.shape[0], {rows}.shape[1]", f"B, L, _ = {rows}.shape"))
        w.scope.names |= {"B", "L", "_"}
        for n, (name, source) in enumerate(zip(self.names, sources)):
            keys = self.keys_permuted and n == 1
            if keys and not self.in_class and w.chance(0.4):
                value = w.helper(("_keys", "heads_t"), [("x", source())], lambda x: self.split_heads(x, True, "{x}.shape[0]", "{x}.shape[1]"))
            else:
                value = self.split_heads(source(), keys)
            w.emit(f"{name} = {value.text}")
            w.scope.names.add(name)
            w.scope.own.add(name)
        out = self.core(*map(Text, self.names))
        if self.twist in ("weights returned", "scores twice"):
            return out
        if w.chance(0.8):
            out = w.let(out, "o", "out", "context")
            dims = f"{self.heads} * {self.dim}"
            out = Text(at(out, ATOM) + w.pick(".transpose(0, 2, 1, 3).reshape(B, L, -1)", f".swapaxes(1, 2).reshape(B, L, {dims})"))
        return out

    def core(self, q, k, v):
        """The computation, perhaps in a function of its own."""
        op, factor = self.factor(q.text)
        mask = Text(self.mask)
        needs_statements = self.mask_default or self.by_truth or self.second or self.softmax == "back to scores"
        if self.twist or self.disturb or needs_statements or self.w.chance(0.5):
            return self.attend(q, k, v, (op, factor), mask)
        # A constant may not be passed on; what is not used must not be.
        extra = [("factor", factor)] * (self.scaled != "none") + [("mask", mask)] * self.masked

        def inner(q, k, v, *rest):
            given = {"factor": factor, "mask": mask} | dict(zip([hint for hint, _ in extra], rest))
            return self.attend(q, k, v, (op, given["factor"]), given["mask"])

        return self.w.helper(("_attend", "attention", "core"), [("q", q), ("k", k), ("v", v), *extra], inner, self.in_class)

    # What it stands in

    def module(self):
        """A class with projections."""
        w, names = self.w, self.names
        w.tag("class")
        w.names |= {*names, "B", "L"}
        linear = f"{w.nn()}.Linear"
        if w.chance(0.3):
            projections = [f"self.qkv = {linear}(dims, 3 * dims, bias=False)"]

            def first():
                w.emit(f"{', '.join(names)} = {w.call('split', 'self.qkv(x)', '3', 'axis=-1').text}")
                w.scope.names |= set(names)
                return Text(names[0])

            sources = [first, lambda: Text(names[1]), lambda: Text(names[2])]
        else:
            projections = [f"self.{n[0]}_proj = {linear}(dims, dims, bias={w.pick(True, False)})" for n in names]
            sources = [lambda n=n: Text(f"self.{n[0]}_proj(x)") for n in names]
        parameters = ["self", "x"] + ["bias"] * self.second + [self.mask] * self.masked
        lines = w.definition("__call__", self.signature(parameters, ["x"]), parameters, lambda: self.of_rows(sources), arrays=["x"])
        scale = w.pick("(dims // n_heads) ** -0.5", "self.head_dim**-0.5", repr(self.dim**-0.5))
        init = ["super().__init__()", "self.n_heads = n_heads", "self.head_dim = dims // n_heads", f"self.scale = {scale}", *projections]
        lines = ["def __init__(self, dims: int, n_heads: int):", *indented(init), "", *w.members, *lines]

        def given(mask=self.usual_mask):
            dims = self.heads * self.dim

            def arguments(data):
                bias = [data.mask((1, 1, self.length, self.length))] * self.second
                return (dims, self.heads), (data.rows(self.batch, self.length, dims), *bias, *([mask(data)] if self.masked else []))

            return arguments

        hostile = [given(mask) for mask in self.odd_masks()] if self.masked else []
        return [f"class Subject({w.nn()}.Module):", *indented(lines)], given(), hostile

    def function(self):
        """A function of three arrays."""
        w, names = self.w, self.names
        w.names |= set(names)
        parameters = [*names] + ["scale"] * (self.scale_form == "parameter") + ["bias"] * self.second + [self.mask] * self.masked
        annotated = [p for p in parameters if p != self.mask and w.chance(0.7)]
        body = self.of_arrays if self.form == "arrays" else lambda: self.of_rows([lambda n=n: Text(n) for n in names])
        lines = w.definition("subject", self.signature(parameters, annotated), parameters, body, arrays=[names[0]])
        four = self.form == "arrays"
        kv_heads = self.heads // 2 if self.grouped else self.heads
        rows = (self.batch, self.length, self.heads * self.dim)
        qs, kv = ((self.batch, heads, self.length, self.dim) if four else rows for heads in (self.heads, kv_heads))
        values = {names[0]: lambda data: data.rows(*qs), names[1]: lambda data: data.rows(*kv), names[2]: lambda data: data.rows(*kv)}
        values |= {"scale": lambda data: self.dim**-0.5, self.mask: self.usual_mask, "bias": lambda data: data.mask((1, 1, self.length, self.length))}

        def given(**change):
            return lambda data: tuple((values | change)[p](data) for p in parameters)

        hostile = [given(**{self.mask: mask}) for mask in self.odd_masks()] if self.masked else []
        hostile += [given(**{name: lambda data, n=n: data.others[n].rows(*kv)}) for name in names[1:] for n in (0, 1)]
        hostile += [given(**{n: lambda data, b=b: data.rows(b, *kv[1:]) for n in names[1:]}) for b in (1, 2 * self.batch)]
        if four:
            hostile.append(given(**{names[0]: lambda data: data.rows(1, 1, self.length, self.dim)}))
            hostile.append(given(**{n: lambda data: data.rows(self.heads, self.length, self.dim) for n in names}))
        if "scale" in parameters and "scale" not in annotated:
            hostile.append(given(scale=lambda data: data.scalar(self.dim**-0.5)))
        return lines, given(), hostile

    def signature(self, parameters, annotated):
        notes = {p: "float" if p == "scale" else self.w.mx("array") for p in annotated}
        if self.twist == "mask multiplied":  # or it might be a number
            notes[self.mask] = self.w.mx("array")
        return self.w.signature(parameters, notes, {self.mask: "None"} if self.mask_default else {})

    def usual_mask(self, data):
        """One that leaves every query a key: numbers to be added, or truth values."""
        if self.by_truth and not self.mask_absent:
            return mx.broadcast_to(mx.tri(self.length, self.length) > 0, self.mask_shape)
        return data.mask(self.mask_shape, self.mask_absent)

    def odd_masks(self):
        """Masks that the fast operation refuses, or takes for something else than a sum does."""
        square = (self.length, self.length)
        return [
            lambda data: data.mask(square, dead=True),
            lambda data: data.others[0].mask(square),
            lambda data: data.others[1].mask(square),
            lambda data: data.truth(square),
            lambda data: data.integers(square),
            lambda data: data.mask((1, self.batch, self.heads, *square)),
            lambda data: data.mask((self.batch * 2, 1, *square)),
            lambda data: data.mask(()),
            lambda data: data.mask((self.length,)),
            lambda data: 0.5,
        ]


# The scores are scaled before they are rounded or after, so that a rewrite rounds elsewhere, not less.
RULE = Rule(written_attention, TWISTS, TRAPS, parts=PARTS, large=4.0, rounding=1.5)
