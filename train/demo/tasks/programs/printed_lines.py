"""A line that is printed, and then printed otherwise."""

from __future__ import annotations

from dataclasses import dataclass, replace

from train.demo.tasks.family import Draw, Exchange, Family
from train.demo.tasks.load_yaml import asked, phrases
from train.demo.tasks.phrasing import NOUNS, PEOPLE, ask
from train.demo.tasks.programs.given_values import printing

WORDS = (*NOUNS, *PEOPLE, "hello", "world", "good", "morning", "Hello")
CHANGES = ("again", "upper", "other", "numbered")


@dataclass(frozen=True, slots=True)
class Printed:
    """A text, how often it is printed, and how."""

    text: str
    times: int = 1
    upper: bool = False
    numbered: bool = False

    @property
    def code(self) -> str:
        """The program."""
        shown = f'"{self.text}"' + (".upper()" if self.upper else "")
        line = f"print({'i, ' if self.numbered else ''}{shown})"
        if self.times == 1:
            return line
        if self.numbered:
            return f"for i in range(1, {self.times} + 1):\n    {line}"
        return f"for _ in range({self.times}):\n    {line}"

    @property
    def prints(self) -> str:
        """What it prints."""
        text = self.text.upper() if self.upper else self.text
        lines = [f"{i} {text}" if self.numbered else text for i in range(1, self.times + 1)]
        return "\n".join(lines)


def families() -> tuple[Family, ...]:
    """One family: a text to print, and changes to that."""
    return (Family("later_print", "scripts", _print, 1.5),)


def _print(dice: Draw) -> tuple[Exchange, ...]:
    now = Printed(_text(dice))
    question = ask(dice, dice.phrase(phrases("print_text")), t=now.text)
    exchanges = [printing(question, "Use `print`:", now.code, now.prints)]
    while dice.chance(0.7) and len(exchanges) < 4:
        kind = dice.rng.choice(CHANGES)
        after, before = _changed(dice, kind, now)
        if after != now:
            asks = asked("later_programs", kind)
            question = ask(dice, dice.phrase(asks), n=after.times, t=after.text)
            said = printing(question, before, after.code, after.prints)
            exchanges.append(replace(said, group="follow-up scripts"))
            now = after
    return tuple(exchanges)


def _text(dice: Draw) -> str:
    if dice.chance(0.3):
        return dice.rng.choice(("Hello, world!", "Hello World", "hello world", "Hello, World!"))
    return " ".join(dice.rng.choices(WORDS, k=dice.rng.randint(1, 3)))


def _changed(dice: Draw, kind: str, now: Printed) -> tuple[Printed, str]:
    """What is printed after a change of this kind, and the sentence before the code."""
    match kind:
        case "again":
            after = replace(now, times=dice.rng.randint(2, 20))
            return after, f"The loop runs {after.times} times:"
        case "upper":
            return replace(now, upper=True), "`upper` makes the letters large:"
        case "numbered":
            return replace(now, numbered=now.times > 1), "The number stands before the text:"
    return replace(now, text=_text(dice)), "Here it is with that text:"
