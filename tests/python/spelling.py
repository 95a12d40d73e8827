"""What is known of one function or class that was drawn."""

from dataclasses import dataclass, field
from typing import Callable


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
