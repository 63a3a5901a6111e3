"""Wording of questions: polite, terse, sloppy, with typing errors; copied parts stay intact."""

from __future__ import annotations

from random import Random
from string import Formatter

from train.demo.tasks.family import TaskSampler

GREETINGS = (
    "Hi! ",
    "Hello, ",
    "Hey, ",
    "hi, ",
    "Hello! ",
    "Please help: ",
    "Quick question: ",
    "ok, ",
)
CLOSINGS = (
    " Thanks!",
    " Thank you.",
    " please",
    " thanks",
    " Please.",
    " pls",
    " Thank you very much!",
)

NOUNS = (
    "price apple score word user item value data record order file line point name count total "
    "city book song team game car tree stone river cloud light paper letter number color shape "
    "ticket window garden market bridge signal sensor packet token query field table column row "
    "student teacher animal flower planet rocket engine wheel bottle coffee sugar temperature"
).split()
CLASS_NAMES = (
    "Person Car Book Dog Cat Player Robot Student Product Account House Ticket Song Planet Lamp"
).split()
ATTRIBUTES = "name age price title color speed size weight score level power year".split()
VERBS = (
    "get find make build compute calc do run take check count pick handle process solve parse "
    "my the new fast simple try use show give load fetch scan walk read"
).split()
SYLLABLES = (
    "ba be bi bo da de di do fa fi ga go ka ko la le lo ma mi mo na ne pa po ra re ri sa "
    "so ta to va vo xi zu"
).split()
PEOPLE = (
    "Anna Ben Clara David Emma Felix Greta Hugo Ida Jonas Kim Lena Max Nina Oscar Paula Quinn Rosa "
    "Sam Tara Uma Victor Wanda Xena Yara Zoe Ali Bilal Chen Dana Elif Farid Hana Igor Joao Kofi"
).split()


RESERVED = frozenset(("goto",))
"""Names that the syllables can form and that C reserves."""


def draw_identifier(rng: Random) -> str:
    """Draw a snake_case name, common or invented."""
    # Redrawn rather than left out of the syllables, which would change every other draw.
    while (name := _draw_name(rng)) in RESERVED:
        pass
    return name


def _draw_name(rng: Random) -> str:
    kind = rng.random()
    if kind < 0.35:
        return f"{rng.choice(VERBS)}_{rng.choice(NOUNS)}"
    if kind < 0.55:
        return f"{rng.choice(NOUNS)}_{rng.choice(NOUNS)}"
    if kind < 0.7:
        return rng.choice(NOUNS) + "s"
    if kind < 0.85:
        return "".join(rng.choices(SYLLABLES, k=rng.randint(2, 3)))
    return f"{''.join(rng.choices(SYLLABLES, k=2))}_{rng.choice(NOUNS)}"


def to_third_person(do: str) -> str:
    """Return "adds up a list" for "add up a list"."""
    verb, _, rest = do.partition(" ")
    if verb.endswith(("s", "sh", "ch", "x", "o")):
        verb += "es"
    elif verb.endswith("y") and verb[-2] not in "aeiou":
        verb = verb[:-1] + "ies"
    else:
        verb += "s"
    return f"{verb} {rest}".strip()


def with_article(name: str) -> str:
    """Return `a stack`, `an account`, `a user`."""
    return f"{'an' if name[:1].lower() in tuple('aeio') else 'a'} {name}"


def to_sentence(text: str) -> str:
    """Add a capital letter at the start and a full stop at the end."""
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "?", "!")) else ".")


def phrase_question(sampler: TaskSampler, template: str, /, **slots: object) -> str:
    """Fill a template: its words as people type them, its slots verbatim."""
    rng = sampler.rng
    pieces = list(Formatter().parse(template))
    lower, typos = sampler.chance(0.2), sampler.chance(0.12)
    words: list[str] = []
    for literal, field, _, _ in pieces:
        literal = literal.lower() if lower else literal
        words.append(_misspell(rng, literal) if typos else literal)
        if field:
            words.append(str(slots[field]))
    question = "".join(words)
    # After a line break a question ends with data or code, where a change would not be idle.
    if sampler.chance(0.15) and question.endswith((".", "?")) and "\n" not in question:
        question = question[:-1]
    if sampler.chance(0.12):
        question = rng.choice(GREETINGS) + question
    if sampler.chance(0.1) and "\n" not in question:
        question += rng.choice(CLOSINGS)
    return question


def attach_code(sampler: TaskSampler, question: str, code: str, language: str = "python") -> str:
    """Attach code to a question: fenced or plain, before or after it."""
    kind = sampler.rng.random()
    block = (
        code
        if kind < 0.25
        else f"```{language}\n{code}\n```"
        if kind < 0.65
        else f"```\n{code}\n```"
    )
    return f"{block}\n\n{question}" if sampler.chance(0.2) else f"{question}\n\n{block}"


def _misspell(rng: Random, literal: str) -> str:
    words = literal.split(" ")
    long = [index for index, word in enumerate(words) if len(word) > 4 and word.isalpha()]
    if not long:
        return literal
    index = rng.choice(long)
    word = words[index]
    at = rng.randrange(1, len(word) - 2)
    words[index] = rng.choice(
        (word[:at] + word[at + 1] + word[at] + word[at + 2 :], word[:at] + word[at + 1 :])
    )
    return " ".join(words)
