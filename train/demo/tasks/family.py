"""What a task family is: a way to draw a conversation whose every answer can be checked."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from random import Random

HELD_OUT_SHARE = 10
"""One phrasing in this many is never trained."""
FEWEST = 4
"""Phrasings of one thing, of which one at least is held out."""
LANGUAGES: dict[str, str | None] = {
    "python": None,
    "sql": None,
    "shell": "bash",
    "javascript": "node",
    "c": "gcc",
}
"""What answers are written in, and the program on the machine that checks them."""


@dataclass(frozen=True, slots=True)
class Check:
    """How to tell a right answer: every condition that is set must hold."""

    probes: tuple[tuple[str, str], ...] = ()
    """Expressions over `$f`, and the literal each must equal after the code ran."""
    name: str = ""
    """What `$f` stands for; another function of the code is taken when it is missing."""
    named: bool = False
    """Whether the question fixed `name`, so that no other function will do."""
    setup: str = ""
    """Code that runs before the answer's code: what earlier turns defined."""
    stdout: str | None = None
    """What the code must print, white space at the ends aside."""
    mutants: tuple[str, ...] = ()
    """Broken versions of `setup`: under each of them the probes must fail."""
    language: str = "python"
    """What the code is written in: a key of `LANGUAGES`."""
    files: tuple[tuple[str, str], ...] = ()
    """Names and contents of files that lie beside the code when it runs."""
    after: str = ""
    """Code of the same language that runs after the answer's code."""
    drawn: str = ""
    """What the code must draw: the axes that `pictures.verdict` wants, as JSON."""
    packages: bool = False
    """Whether the code needs pandas or matplotlib to run."""
    says: tuple[str, ...] = ()
    """Texts that the answer must contain, letter case aside."""
    has: tuple[str, ...] = ()
    """Texts that the code must contain."""
    lacks: tuple[str, ...] = ()
    """Texts that the code must not contain."""

    @property
    def runs(self) -> bool:
        """Whether there is anything to execute."""
        return bool(self.probes) or self.stdout is not None or bool(self.drawn)


@dataclass(frozen=True, slots=True)
class Exchange:
    """One question with its reference answer, and how any answer to it is checked."""

    question: str
    answer: str
    check: Check
    group: str


@dataclass(frozen=True, slots=True)
class Sample:
    """A conversation drawn from one family."""

    family: str
    exchanges: tuple[Exchange, ...]


@dataclass(frozen=True, slots=True)
class Draw:
    """The dice of one sample, and which side of the split its phrasings come from."""

    rng: Random
    held_out: bool = False

    def phrase(self, phrasings: tuple[str, ...]) -> str:
        """One phrasing of this side of the split; any of them where the other side has all."""
        held = held_out(phrasings)
        mine = [text for text in phrasings if (text in held) == self.held_out]
        return self.rng.choice(mine or phrasings)

    def chance(self, share: float) -> bool:
        """True in `share` of the draws."""
        return self.rng.random() < share


Drawer = Callable[[Draw], tuple[Exchange, ...]]
"""What draws a conversation."""


@dataclass(frozen=True, slots=True)
class Family:
    """A named kind of conversation."""

    name: str
    group: str
    draw: Drawer
    weight: float = 1.0
    """How often it is drawn, against the others."""

    def sample(self, draw: Draw) -> Sample:
        """One conversation of this family."""
        return Sample(self.name, self.draw(draw))


@cache
def held_out(phrasings: tuple[str, ...]) -> frozenset[str]:
    """The phrasings of one thing that are never trained: a tenth, and one of any four at least."""
    held = frozenset(text for text in phrasings if is_held_out(text))
    if held or len(phrasings) < FEWEST:
        return held
    return frozenset((min(phrasings, key=lambda text: zlib.crc32(text.encode())),))


def is_held_out(phrasing: str) -> bool:
    """Whether a phrasing belongs to the side that is never trained."""
    return zlib.crc32(phrasing.encode()) % HELD_OUT_SHARE == 0


def fenced(code: str, language: str = "python") -> str:
    """Code in a Markdown fence."""
    return f"```{language}\n{code.strip(chr(10))}\n```"


def answer(before: str, code: str, after: str = "", *, language: str = "python") -> str:
    """The one form of every answer with code: a sentence, the block, a line of explanation."""
    return "\n\n".join(part for part in (before, fenced(code, language), after) if part)
