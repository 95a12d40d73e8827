"""What is known of a rule whose spellings are drawn, and of one function or class that was."""

from dataclasses import dataclass, field
from typing import Callable

# The runs of the program whose results are judged: what they are called, and their flags. All but the last must be safe; the last one counts.
SAFE_OR_NOT = {"safe": [], "unsafe": ["--unsafe"]}
NARROWING = {"safe": [], "narrow": ["--narrow"], "unsafe": ["--narrow", "--unsafe"]}


@dataclass
class Rule:
    """How the spellings of a rule are drawn, rewritten and judged."""

    write: Callable  # from a `Writer` to a `Spelling`; also takes `twist`, one of those below, and `between` if `disturbed`
    twists: list[str]  # each a change after which the computation is another one
    traps: str = ""  # functions that look like it, in the form of `spell_traps`
    inapt: tuple[str, ...] = ()  # the traps for all rules that raise with its parts
    parts: dict[str, str] = field(default_factory=dict)  # what `{core}` and the like are in the traps; without them none is drawn
    disturbed: bool = True  # whether `write` calls `between(writer, operand, ..., value)` where an operand may change, and uses what it gives
    modes: dict[str, list[str]] = field(default_factory=lambda: SAFE_OR_NOT)
    dtypes: tuple[str, ...] = ("float32", "float16", "bfloat16")
    large: float = 300.0  # how large the large ones among the special values are
    rounding: float = 1.0  # how much larger the mean error may be where a rewrite rounds elsewhere, not less
    mixed: bool = False  # whether unsafe edits too stand weights of a module that are wider than its activations
    narrowing: bool = False  # whether a float32 result may become one in half precision, as precise as that allows


@dataclass
class Spelling:
    """One function or class, and what it is called with."""

    text: str
    arguments: Callable  # from `Data` to the arguments of the function, or to those of the constructor and of the call
    done: tuple[str, ...]  # what the rewritten text holds
    gone: tuple[str, ...]  # and what it does not hold any more
    exact: bool = False  # whether the rewrite promises the same bits
    hostile: list[Callable] = field(default_factory=list)  # arguments that only a safe edit must stand
    tags: set[str] = field(default_factory=set)
    twist: str | None = None
    number: int = 0
