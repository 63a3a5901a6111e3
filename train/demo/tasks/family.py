"""Task families: each draws conversations with checkable answers."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Literal

Stage = Literal["pretrain", "finetune"]
"""First stage of training that learns a family."""
HELD_OUT_SHARE = 10
"""One in so many phrasings is never trained."""
MIN_PHRASINGS = 4
"""Number of phrasings from which on at least one is held out."""
LANGUAGES: dict[str, str | None] = {
    "python": None,
    "sql": None,
    "shell": "bash",
    "javascript": "node",
    "c": "gcc",
}
"""Languages of answers, and the program that checks them."""


@dataclass(frozen=True, slots=True)
class Check:
    """Conditions of a right answer; all that are set must hold.

    The field names are part of the format of saved dialogues.
    """

    probes: tuple[tuple[str, str], ...] = ()
    """Expressions over `$f`, and the literal that each must equal after the code ran."""
    name: str = ""
    """Name for `$f`; if the code does not define it, another of its functions is taken."""
    named: bool = False
    """True if the question fixed `name`, so that no other function is accepted."""
    setup: str = ""
    """Code to run before the answer's: definitions from earlier turns."""
    stdout: str | None = None
    """Expected output, ignoring white space at both ends."""
    mutants: tuple[str, ...] = ()
    """Broken versions of `setup`; with each of them the probes must fail."""
    language: str = "python"
    """Language of the code: a key of `LANGUAGES`."""
    files: tuple[tuple[str, str], ...] = ()
    """Names and contents of files beside the code."""
    after: str = ""
    """Code of the same language to run after the answer's."""
    drawn: str = ""
    """Expected axes for `figure_match.compare_figures`, as JSON."""
    packages: bool = False
    """True if the code needs pandas or matplotlib."""
    says: tuple[str, ...] = ()
    """Texts that the answer must contain, ignoring case."""
    has: tuple[str, ...] = ()
    """Texts that the code must contain."""
    lacks: tuple[str, ...] = ()
    """Texts that the code must not contain."""

    @property
    def needs_execution(self) -> bool:
        """True if there is anything to execute."""
        return bool(self.probes) or self.stdout is not None or bool(self.drawn)


@dataclass(frozen=True, slots=True)
class Exchange:
    """Question with its reference answer and the check of any answer to it."""

    question: str
    answer: str
    check: Check
    group: str


@dataclass(frozen=True, slots=True)
class Sample:
    """Conversation drawn from one family."""

    family: str
    exchanges: tuple[Exchange, ...]


@dataclass(frozen=True, slots=True)
class TaskSampler:
    """Random source of one sample, restricted to one side of the phrasings' split."""

    rng: Random
    held_out: bool = False

    def choose_phrasing(self, phrasings: tuple[str, ...]) -> str:
        """Return a phrasing of this side, or any of them if this side has none."""
        held_back = select_held_out(phrasings)
        own_side = [text for text in phrasings if (text in held_back) == self.held_out]
        return self.rng.choice(own_side or phrasings)

    def chance(self, share: float) -> bool:
        """Return True with probability `share`."""
        return self.rng.random() < share


Drawer = Callable[[TaskSampler], tuple[Exchange, ...]]
"""Function that draws a conversation."""


@dataclass(frozen=True, slots=True)
class Family:
    """Named kind of conversation."""

    name: str
    group: str
    draw: Drawer
    weight: float = 1.0
    """Relative frequency among the families of its stage."""
    stage: Stage = "pretrain"

    def sample(self, sampler: TaskSampler) -> Sample:
        """Draw one conversation."""
        return Sample(self.name, self.draw(sampler))


@cache
def select_held_out(phrasings: tuple[str, ...]) -> frozenset[str]:
    """Return the phrasings that are never trained: a tenth, and at least one of four or more."""
    # By hash and not by chance: a phrasing keeps its side when others are added.
    held_back = frozenset(text for text in phrasings if is_held_out(text))
    if held_back or len(phrasings) < MIN_PHRASINGS:
        return held_back
    return frozenset((min(phrasings, key=lambda text: zlib.crc32(text.encode())),))


def is_held_out(phrasing: str) -> bool:
    """Return whether a phrasing is held out by its hash."""
    return zlib.crc32(phrasing.encode()) % HELD_OUT_SHARE == 0


def fence_code(code: str, language: str = "python") -> str:
    """Put code into a Markdown fence."""
    return f"```{language}\n{code.strip(chr(10))}\n```"


def format_answer(before: str, code: str, after: str = "", *, language: str = "python") -> str:
    """Format an answer with code: a sentence, the block, a line of explanation."""
    return "\n\n".join(part for part in (before, fence_code(code, language), after) if part)
