"""Programs that print a line, and changes of what they print."""

from __future__ import annotations

from dataclasses import dataclass, replace

from train.demo.tasks.family import Exchange, Family, TaskSampler
from train.demo.tasks.load_yaml import load_phrases, load_phrasings
from train.demo.tasks.phrasing import NOUNS, PEOPLE, phrase_question
from train.demo.tasks.programs.given_values import build_printing_exchange

WORDS = (*NOUNS, *PEOPLE, "hello", "world", "good", "morning", "Hello")
GREETINGS = ("Hello, world!", "Hello World", "hello world", "Hello, World!")
CHANGES = ("again", "upper", "other", "numbered")


@dataclass(frozen=True, slots=True)
class PrintProgram:
    """Program that prints a text once or several times."""

    text: str
    times: int = 1
    upper: bool = False
    numbered: bool = False

    @property
    def code(self) -> str:
        """Source of the program."""
        shown = f'"{self.text}"' + (".upper()" if self.upper else "")
        line = f"print({'i, ' if self.numbered else ''}{shown})"
        if self.times == 1:
            return line
        if self.numbered:
            return f"for i in range(1, {self.times} + 1):\n    {line}"
        return f"for _ in range({self.times}):\n    {line}"

    @property
    def output(self) -> str:
        """Output of the program."""
        text = self.text.upper() if self.upper else self.text
        lines = [f"{i} {text}" if self.numbered else text for i in range(1, self.times + 1)]
        return "\n".join(lines)


def families() -> tuple[Family, ...]:
    """Return the family of printed texts."""
    return (Family("later_print", "scripts", _draw_conversation, 1.5, stage="finetune"),)


def _draw_conversation(sampler: TaskSampler) -> tuple[Exchange, ...]:
    now = PrintProgram(_draw_text(sampler))
    question = phrase_question(
        sampler, sampler.choose_phrasing(load_phrases("print_text")), t=now.text
    )
    exchanges = [build_printing_exchange(question, "Use `print`:", now.code, now.output)]
    while sampler.chance(0.7) and len(exchanges) < 4:
        kind = sampler.rng.choice(CHANGES)
        after, before = _change_program(sampler, kind, now)
        if after != now:
            asks = load_phrasings("programs", kind)
            question = phrase_question(
                sampler, sampler.choose_phrasing(asks), n=after.times, t=after.text
            )
            exchange = build_printing_exchange(question, before, after.code, after.output)
            exchanges.append(replace(exchange, group="follow-up scripts"))
            now = after
    return tuple(exchanges)


def _draw_text(sampler: TaskSampler) -> str:
    if sampler.chance(0.3):
        return sampler.rng.choice(GREETINGS)
    return " ".join(sampler.rng.choices(WORDS, k=sampler.rng.randint(1, 3)))


def _change_program(sampler: TaskSampler, kind: str, now: PrintProgram) -> tuple[PrintProgram, str]:
    """Return the program after a change of this kind, and the answer's sentence."""
    match kind:
        case "again":
            after = replace(now, times=sampler.rng.randint(2, 20))
            return after, f"The loop runs {after.times} times:"
        case "upper":
            return replace(now, upper=True), "`upper` makes the letters large:"
        case "numbered":
            return replace(now, numbered=now.times > 1), "The number stands before the text:"
    return replace(now, text=_draw_text(sampler)), "Here it is with that text:"
