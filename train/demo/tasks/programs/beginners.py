"""Beginners' questions: error messages, differences between two things, files."""

from __future__ import annotations

from typing import Any

from train.demo.tasks.family import Check, Drawer, Exchange, Family, TaskSampler, format_answer
from train.demo.tasks.functions.followups import add_follow_ups
from train.demo.tasks.functions.function_families import end_with_thanks
from train.demo.tasks.load_yaml import load_table
from train.demo.tasks.phrasing import NOUNS, SYLLABLES, draw_identifier, phrase_question

TYPE_NAMES = "int str list NoneType float dict tuple".split()
ENDINGS = ".txt .csv .log .md .dat".split()
TRACEBACK = (
    'Traceback (most recent call last):\n  File "{file}.py", line {n}, in <module>\n    {call}\n'
)


def families() -> tuple[Family, ...]:
    """Return the families of errors, differences and files."""
    errors, differences = dict(load_table("errors")), dict(load_table("differences"))
    asks, pairs = tuple(errors.pop("asks")), tuple(differences.pop("asks"))
    return (
        *(
            Family(f"error_{n}", "concepts", _make_error_drawer(asks, **e), 1.5)
            for n, e in errors.items()
        ),
        *(
            Family(f"or_{n}", "concepts", _make_difference_drawer(pairs, e))
            for n, e in differences.items()
        ),
        *(
            Family(f"file_{n}", "files", _make_file_drawer(e), 4.0)
            for n, e in load_table("files").items()
        ),
    )


def _make_error_drawer(asks: tuple[str, ...], *, message: str, means: str, says: str) -> Drawer:
    def draw(sampler: TaskSampler) -> tuple[Exchange, ...]:
        rng = sampler.rng
        slots = {
            "word": rng.choice(NOUNS),
            "name": draw_identifier(rng),
            "kind": rng.choice(TYPE_NAMES),
            "number": rng.choice(("int", "float", "list", "NoneType")),
        }
        error_text = message.format(**slots)
        question = phrase_question(sampler, sampler.choose_phrasing(asks), m=error_text)
        # Many users paste the whole traceback.
        if sampler.chance(0.25):
            call = f"{draw_identifier(rng)}()"
            head = TRACEBACK.format(file=rng.choice(NOUNS), n=rng.randint(1, 99), call=call)
            question = phrase_question(
                sampler, sampler.choose_phrasing(asks), m=f"\n\n{head}{error_text}\n\n"
            ).strip()
        check = Check(says=(says.format(**slots),))
        return end_with_thanks(
            sampler, Exchange(question, means.format(**slots), check, "concepts")
        )

    return draw


def _make_difference_drawer(asks: tuple[str, ...], entry: dict[str, Any]) -> Drawer:
    def draw(sampler: TaskSampler) -> tuple[Exchange, ...]:
        one, two = sampler.rng.choice(entry["pairs"])
        if sampler.chance(0.3):
            one, two = two, one
        question = phrase_question(sampler, sampler.choose_phrasing(asks), a=one, b=two)
        check = Check(says=(entry["says"],))
        return end_with_thanks(sampler, Exchange(question, entry["is"], check, "concepts"))

    return draw


def _make_file_drawer(entry: dict[str, Any]) -> Drawer:
    def draw(sampler: TaskSampler) -> tuple[Exchange, ...]:
        rng = sampler.rng
        name = rng.choice((rng.choice(NOUNS), "".join(rng.choices(SYLLABLES, k=2)), "file", "test"))
        one, two = rng.sample(NOUNS, 2)
        if sampler.chance(0.3):
            one = f"{one} {rng.choice(NOUNS)}"
        n = rng.randint(2, 9)
        slots = {
            "f": name + rng.choice(ENDINGS),
            "w": one,
            "v": two,
            "n": n,
            "many": "".join(f"{i}\n" for i in range(n + 2)),
            "upto": "\n".join(map(str, range(n))),
        }
        given = str(entry["files"]).format(**slots) if "files" in entry else None
        files = () if given is None else ((str(slots["f"]), given),)
        check = Check(
            files=files,
            after=entry.get("after", "").format(**slots),
            stdout=entry["prints"].format(**slots),
        )
        text = format_answer(
            entry["before"],
            entry["code"]
            .replace("{f}", str(slots["f"]))
            .replace("{w}", one)
            .replace("{n}", str(n)),
        )
        question = phrase_question(sampler, sampler.choose_phrasing(tuple(entry["asks"])), **slots)
        return add_follow_ups(sampler, Exchange(question, text, check, "files"))

    return draw
