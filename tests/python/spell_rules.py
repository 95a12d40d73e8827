"""What writes the spellings of each rule.

Each takes a `Writer`, and for a near miss a twist: the name of one change after which the computation is another one; or a function that
writes a statement into its midst. A spelling without either uses only what the rule file documents.
"""

from spell_addmm import written_addmm
from spell_attention import written_attention
from spell_norms import written_norm
from spell_softmax import written_softmax

RULES = {
    "rms-norm": lambda w, **options: written_norm(w, "rms-norm", **options),
    "layer-norm": lambda w, **options: written_norm(w, "layer-norm", **options),
    "attention": written_attention,
    "precise-softmax": written_softmax,
    "addmm": written_addmm,
}
