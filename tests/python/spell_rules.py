"""The rules whose spellings are drawn. To add one, write `spell_<what>.py` with a `RULE`, and name it here; nothing else knows of it.

`RULE.write(w)` makes a `Spelling` that uses only what the rule's file documents. `w` is a `Writer`: draw each choice with it (`w.pick`,
`w.chance`), so that a seed draws the same spelling again; name MLX by `w.mx("softmax")`; give values names by `w.let` and `w.named`; put
parts into helpers by `w.helper`; begin `w.scope.arrays` with the parameters that are arrays; and end with `w.file(lines)`. The function is
named `subject` or the class `Subject`. `write(w, twist="no keepdims")` makes one change, after which the rewrite would be wrong, and
`write(w, between=f)` calls `f(w, operand, value)` once, in the midst of the computation, and goes on with the value that it gives.
`spell_softmax.py` is a short one to begin with; `spelling.py` says what else a rule may state: its flags, dtypes and numerics.

    spellings.py --mlxfix PATH --rule ID --spellings 40 --near-misses 40

runs them while they are written. `arguments` make those that the function is meant for, `hostile` those on which an unsafe edit may fail.
"""

import spell_addmm
import spell_attention
import spell_composed
import spell_norms
import spell_put
import spell_repeat
import spell_rope
import spell_scalar
import spell_softmax
import spell_take
import spell_upcast

RULES = {
    "rms-norm": spell_norms.RMS,
    "layer-norm": spell_norms.LAYER,
    "rope": spell_rope.RULE,
    "attention": spell_attention.RULE,
    "redundant-upcast": spell_upcast.RULE,
    "precise-softmax": spell_softmax.RULE,
    "scalar-promotion": spell_scalar.RULE,
    "addmm": spell_addmm.RULE,
    "take-along-axis": spell_take.RULE,
    "put-along-axis": spell_put.RULE,
    "concat-repeat": spell_repeat.RULE,
}

# Not a rule, but several of those above in one function, run with all transforms. What narrows changes dtypes on purpose, and in all that follows.
COMPOSED = "composed"
RULES[COMPOSED] = spell_composed.composed({name: rule for name, rule in RULES.items() if not rule.narrowing})

# The share of the spellings of each rule that must be found.
RECALL = 0.97
