"""How people ask: polite, terse, sloppy, with typing errors; what must be copied stays intact."""

from __future__ import annotations

from random import Random
from string import Formatter

from train.demo.tasks.family import Draw

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
"""Names that the syllables can make and that C does not allow."""


def identifier(rng: Random) -> str:
    """A snake_case name, usual or invented."""
    while (name := _name(rng)) in RESERVED:
        pass
    return name


def _name(rng: Random) -> str:
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


def third_person(do: str) -> str:
    """The third person of "add up a list", which is "adds up a list"."""
    verb, _, rest = do.partition(" ")
    if verb.endswith(("s", "sh", "ch", "x", "o")):
        verb += "es"
    elif verb.endswith("y") and verb[-2] not in "aeiou":
        verb = verb[:-1] + "ies"
    else:
        verb += "s"
    return f"{verb} {rest}".strip()


def with_article(name: str) -> str:
    """`a stack`, `an account`, `a user`."""
    return f"{'an' if name[:1].lower() in tuple('aeio') else 'a'} {name}"


def sentence(text: str) -> str:
    """With a capital letter at the start and a full stop at the end."""
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "?", "!")) else ".")


def ask(draw: Draw, template: str, /, **slots: object) -> str:
    """The question of a template: its words as people type them, its slots filled exactly."""
    rng = draw.rng
    pieces = list(Formatter().parse(template))
    lower, typos = draw.chance(0.2), draw.chance(0.12)
    words: list[str] = []
    for literal, field, _, _ in pieces:
        literal = literal.lower() if lower else literal
        words.append(_misspelt(rng, literal) if typos else literal)
        if field:
            words.append(str(slots[field]))
    question = "".join(words)
    if draw.chance(0.15) and question.endswith((".", "?")) and "\n" not in question:
        question = question[:-1]
    if draw.chance(0.12):
        question = rng.choice(GREETINGS) + question
    if draw.chance(0.1) and "\n" not in question:
        question += rng.choice(CLOSINGS)
    return question


def with_code(draw: Draw, question: str, code: str, language: str = "python") -> str:
    """The question with code beside it: fenced or bare, after or before."""
    kind = draw.rng.random()
    block = (
        code
        if kind < 0.25
        else f"```{language}\n{code}\n```"
        if kind < 0.65
        else f"```\n{code}\n```"
    )
    return f"{block}\n\n{question}" if draw.chance(0.2) else f"{question}\n\n{block}"


def _misspelt(rng: Random, literal: str) -> str:
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
