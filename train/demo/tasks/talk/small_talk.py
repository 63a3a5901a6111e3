"""Small talk, Python terms, explanations of code, and an honest "I do not know"."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from train.demo.tasks.family import Check, Drawer, Exchange, Family, TaskSampler, format_answer
from train.demo.tasks.functions.specs import FunctionSpec, WrittenFunction, draw_params
from train.demo.tasks.load_yaml import load_phrases, load_table
from train.demo.tasks.phrasing import (
    PEOPLE,
    attach_code,
    draw_identifier,
    phrase_question,
    to_sentence,
    to_third_person,
)

FREQUENT_TALK = ("who", "hello", "can")
NEXT_TALK = ("who", "can", "how", "thanks", "maker", "human", "joke", "bye")
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


def families(functions: tuple[FunctionSpec, ...]) -> tuple[Family, ...]:
    """Return the families of small talk, refusals, Python terms and explanations."""
    return (
        *(
            Family(
                f"talk_{name}",
                "talk",
                _make_talk_drawer(**entry),
                1.2 if name in FREQUENT_TALK else 0.6,
            )
            for name, entry in load_table("talk")["small_talk"].items()
        ),
        Family("unknown", "talk", _draw_unknown, 9.0),
        Family("explain_code", "explain", _make_explanation_drawer(functions), 6.0),
        *(
            Family(f"concept_{c.name}", "concepts", _make_concept_drawer(c), 0.6)
            for c in _load_concepts()
        ),
    )


def _make_talk_drawer(*, answer: str, says: str, asks: list[str]) -> Drawer:
    def draw(sampler: TaskSampler) -> tuple[Exchange, ...]:
        exchanges = [
            Exchange(
                phrase_question(sampler, sampler.choose_phrasing(tuple(asks))),
                answer,
                Check(says=(says,)),
                "talk",
            )
        ]
        # No answer twice in a conversation: the user would notice.
        while sampler.chance(0.35) and len(exchanges) < 4:
            more = load_table("talk")["small_talk"][sampler.rng.choice(NEXT_TALK)]
            if more["answer"] not in {exchange.answer for exchange in exchanges}:
                question = phrase_question(sampler, sampler.choose_phrasing(tuple(more["asks"])))
                exchanges.append(
                    Exchange(question, more["answer"], Check(says=(more["says"],)), "talk")
                )
        return tuple(exchanges)

    return draw


def _draw_unknown(sampler: TaskSampler) -> tuple[Exchange, ...]:
    rng: Random = sampler.rng
    question = phrase_question(
        sampler,
        sampler.choose_phrasing(load_phrases("outside")),
        place=rng.choice(PLACES),
        person=rng.choice((rng.choice(PERSONS), rng.choice(PEOPLE))),
        framework=rng.choice(FRAMEWORKS),
        word=rng.choice(WORDS),
        thing=rng.choice(THINGS),
    )
    unknown = Exchange(question, UNKNOWN, Check(says=("do not know",)), "talk")
    if not sampler.chance(0.15):
        return (unknown,)
    question = phrase_question(sampler, sampler.choose_phrasing(load_phrases("why_not")))
    return unknown, Exchange(question, WHY_NOT, Check(says=("only trained on",)), "talk")


def _make_explanation_drawer(functions: tuple[FunctionSpec, ...]) -> Drawer:
    def draw(sampler: TaskSampler) -> tuple[Exchange, ...]:
        spec = sampler.rng.choice(functions)
        k = spec.draw_value(sampler.rng)
        name = sampler.rng.choice(
            ("f", "func", draw_identifier(sampler.rng), draw_identifier(sampler.rng))
        )
        written = WrittenFunction(
            spec, name, draw_params(sampler.rng, spec, name), k, spec.body, spec.why
        )
        question = attach_code(
            sampler,
            phrase_question(sampler, sampler.choose_phrasing(load_phrases("explain_code"))),
            written.code,
        )
        purpose = to_third_person(written.purpose)
        text = f"The function `{name}` {purpose}. {written.fill_template(written.why)}"
        check = Check(says=(name, purpose))
        return (Exchange(question, text, check, "explain"),)

    return draw


@dataclass(frozen=True, slots=True)
class Concept:
    """Python term with its names, its meaning, an example and the example's output."""

    name: str
    called: tuple[str, ...]
    meaning: str
    code: str
    prints: str


def _make_concept_drawer(concept: Concept) -> Drawer:
    def draw(sampler: TaskSampler) -> tuple[Exchange, ...]:
        called = sampler.rng.choice(concept.called)
        template = sampler.choose_phrasing(load_phrases("concepts")).replace("{c}", called)
        text = format_answer(
            to_sentence(concept.meaning),
            concept.code,
            f"This prints `{concept.prints}`." if "\n" not in concept.prints else "",
        )
        check = Check(stdout=concept.prints)
        return (Exchange(phrase_question(sampler, template), text, check, "concepts"),)

    return draw


def _load_concepts() -> tuple[Concept, ...]:
    return tuple(Concept(**{**c, "called": tuple(c["called"])}) for c in load_table("concepts"))
