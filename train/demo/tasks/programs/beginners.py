"""What beginners ask: what an error means, how two things differ, how to use a file."""

from __future__ import annotations

from typing import Any

from train.demo.tasks.family import Check, Draw, Drawer, Exchange, Family, answer
from train.demo.tasks.functions.followups import followed
from train.demo.tasks.functions.function_families import thanked
from train.demo.tasks.load_yaml import table
from train.demo.tasks.phrasing import NOUNS, SYLLABLES, ask, identifier

KINDS = "int str list NoneType float dict tuple".split()
ENDINGS = ".txt .csv .log .md .dat".split()
TRACEBACK = (
    'Traceback (most recent call last):\n  File "{file}.py", line {n}, in <module>\n    {call}\n'
)


def families() -> tuple[Family, ...]:
    """Errors, differences, files."""
    errors, differences = dict(table("errors")), dict(table("differences"))
    asks, pairs = tuple(errors.pop("asks")), tuple(differences.pop("asks"))
    return (
        *(Family(f"error_{n}", "concepts", _error(asks, **e), 1.5) for n, e in errors.items()),
        *(Family(f"or_{n}", "concepts", _or(pairs, e)) for n, e in differences.items()),
        *(Family(f"file_{n}", "files", _file(e), 4.0) for n, e in table("files").items()),
    )


def _error(asks: tuple[str, ...], *, message: str, means: str, says: str) -> Drawer:
    def draw(dice: Draw) -> tuple[Exchange, ...]:
        rng = dice.rng
        slots = {
            "word": rng.choice(NOUNS),
            "name": identifier(rng),
            "kind": rng.choice(KINDS),
            "number": rng.choice(("int", "float", "list", "NoneType")),
        }
        told = message.format(**slots)
        question = ask(dice, dice.phrase(asks), m=told)
        if dice.chance(0.25):
            call = f"{identifier(rng)}()"
            head = TRACEBACK.format(file=rng.choice(NOUNS), n=rng.randint(1, 99), call=call)
            question = ask(dice, dice.phrase(asks), m=f"\n\n{head}{told}\n\n").strip()
        check = Check(says=(says.format(**slots),))
        return thanked(dice, Exchange(question, means.format(**slots), check, "concepts"))

    return draw


def _or(asks: tuple[str, ...], entry: dict[str, Any]) -> Drawer:
    def draw(dice: Draw) -> tuple[Exchange, ...]:
        one, two = dice.rng.choice(entry["pairs"])
        if dice.chance(0.3):
            one, two = two, one
        question = ask(dice, dice.phrase(asks), a=one, b=two)
        check = Check(says=(entry["says"],))
        return thanked(dice, Exchange(question, entry["is"], check, "concepts"))

    return draw


def _file(entry: dict[str, Any]) -> Drawer:
    def draw(dice: Draw) -> tuple[Exchange, ...]:
        rng = dice.rng
        name = rng.choice((rng.choice(NOUNS), "".join(rng.choices(SYLLABLES, k=2)), "file", "test"))
        one, two = rng.sample(NOUNS, 2)
        if dice.chance(0.3):
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
        lies = () if given is None else ((str(slots["f"]), given),)
        check = Check(
            files=lies,
            after=entry.get("after", "").format(**slots),
            stdout=entry["prints"].format(**slots),
        )
        text = answer(
            entry["before"],
            entry["code"]
            .replace("{f}", str(slots["f"]))
            .replace("{w}", one)
            .replace("{n}", str(n)),
        )
        question = ask(dice, dice.phrase(tuple(entry["asks"])), **slots)
        return followed(dice, Exchange(question, text, check, "files"))

    return draw
