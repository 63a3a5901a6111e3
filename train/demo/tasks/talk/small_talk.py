"""Small talk, what words of Python mean, what code does, and an honest "I do not know"."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from train.demo.tasks.family import Check, Draw, Drawer, Exchange, Family, answer
from train.demo.tasks.functions.specs import Function, Written, drawn_params
from train.demo.tasks.load_yaml import phrases, table
from train.demo.tasks.phrasing import PEOPLE, ask, identifier, sentence, third_person, with_code

FREQUENT = ("who", "hello", "can")
NEXT = ("who", "can", "how", "thanks", "maker", "human", "joke", "bye")
"""Small talk that follows small talk."""
UNKNOWN = "I do not know that. I am a small demo model for simple programming questions."
WHY_NOT = (
    "I am small and was only trained on programming questions. Ask me for a function or a plot."
)

PLACES = (
    "France Germany Italy Spain Japan China Peru Kenya Egypt India Brazil Canada London Paris "
    "Berlin Rome Tokyo Oslo Vienna Sydney Boston Cairo Mexico Norway Sweden Poland Greece Turkey "
    "Chile Cuba Nepal Vietnam Ghana Morocco Texas Hawaii Chicago Munich Hamburg Lisbon Dublin "
    "Moscow Seoul Delhi Lima Nairobi Toronto Prague Zurich Milan Madrid Havana"
).split()
PERSONS = (
    "Einstein",
    "Napoleon",
    "Mozart",
    "Ada Lovelace",
    "Alan Turing",
    "the queen",
    "the pope",
    "my neighbour",
    "Shakespeare",
    "Newton",
    "Picasso",
    "your boss",
    "Madonna",
    "Cleopatra",
    "Beethoven",
    "Marie Curie",
    "Gandhi",
    "Elvis",
    "my mother",
    "the king",
    "Steve Jobs",
    "Bill Gates",
    "Messi",
)
FRAMEWORKS = (
    "React Angular Vue Django Rails Spring Laravel Kubernetes Terraform Unity Qt Flutter Haskell "
    "Rust Kotlin Swift Scala Fortran Prolog Erlang Assembly nginx Kafka Hadoop Spark Ansible Godot"
).split()
WORDS = (
    "house love tree freedom winter bread river hope friend city sun Faust Hamlet Odyssey".split()
)
THINGS = (
    "movie book restaurant phone sky car song telephone soup rice pizza wine laptop hotel "
    "piano camera bicycle"
).split()


def families(functions: tuple[Function, ...]) -> tuple[Family, ...]:
    """Small talk, the unknown, the concepts, and explanations of the given functions."""
    return (
        *(
            Family(f"talk_{name}", "talk", _talker(**entry), 1.2 if name in FREQUENT else 0.6)
            for name, entry in table("talk").items()
        ),
        Family("unknown", "talk", _unknown, 9.0),
        Family("explain_code", "explain", _explainer(functions), 6.0),
        *(Family(f"concept_{c.name}", "concepts", _teller(c), 0.6) for c in _concepts()),
    )


def _talker(*, answer: str, says: str, asks: list[str]) -> Drawer:
    def draw(dice: Draw) -> tuple[Exchange, ...]:
        said = [Exchange(ask(dice, dice.phrase(tuple(asks))), answer, Check(says=(says,)), "talk")]
        while dice.chance(0.35) and len(said) < 4:
            more = table("talk")[dice.rng.choice(NEXT)]
            if more["answer"] not in {exchange.answer for exchange in said}:
                question = ask(dice, dice.phrase(tuple(more["asks"])))
                said.append(Exchange(question, more["answer"], Check(says=(more["says"],)), "talk"))
        return tuple(said)

    return draw


def _unknown(dice: Draw) -> tuple[Exchange, ...]:
    rng: Random = dice.rng
    question = ask(
        dice,
        dice.phrase(phrases("outside")),
        place=rng.choice(PLACES),
        person=rng.choice((rng.choice(PERSONS), rng.choice(PEOPLE))),
        framework=rng.choice(FRAMEWORKS),
        word=rng.choice(WORDS),
        thing=rng.choice(THINGS),
    )
    unknown = Exchange(question, UNKNOWN, Check(says=("do not know",)), "talk")
    if not dice.chance(0.15):
        return (unknown,)
    question = ask(dice, dice.phrase(phrases("why_not")))
    return unknown, Exchange(question, WHY_NOT, Check(says=("only trained on",)), "talk")


def _explainer(functions: tuple[Function, ...]) -> Drawer:
    def draw(dice: Draw) -> tuple[Exchange, ...]:
        spec = dice.rng.choice(functions)
        k = spec.drawn(dice.rng)
        name = dice.rng.choice(("f", "func", identifier(dice.rng), identifier(dice.rng)))
        written = Written(spec, name, drawn_params(dice.rng, spec, name), k, spec.body, spec.why)
        question = with_code(dice, ask(dice, dice.phrase(phrases("explain_code"))), written.code)
        text = f"The function `{name}` {third_person(written.does)}. {written.fill(written.why)}"
        check = Check(says=(name, third_person(written.does)))
        return (Exchange(question, text, check, "explain"),)

    return draw


@dataclass(frozen=True, slots=True)
class Concept:
    """A word of Python: how it is called, what it is, code that shows it, what that prints."""

    name: str
    called: tuple[str, ...]
    meaning: str
    code: str
    prints: str


def _teller(concept: Concept) -> Drawer:
    def draw(dice: Draw) -> tuple[Exchange, ...]:
        called = dice.rng.choice(concept.called)
        template = dice.phrase(phrases("concepts")).replace("{c}", called)
        text = answer(
            sentence(concept.meaning),
            concept.code,
            f"This prints `{concept.prints}`." if "\n" not in concept.prints else "",
        )
        check = Check(stdout=concept.prints)
        return (Exchange(ask(dice, template), text, check, "concepts"),)

    return draw


def _concepts() -> tuple[Concept, ...]:
    return tuple(Concept(**{**c, "called": tuple(c["called"])}) for c in table("concepts"))
