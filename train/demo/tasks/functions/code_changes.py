"""Code that the user gives: changes to it, tests for it, what it does line by line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from train.demo.tasks.family import Check, Draw, Exchange, Family, answer
from train.demo.tasks.functions.function_families import (
    asked_in,
    documented,
    exampled,
    follow_up,
    hinted,
    otherwise,
    parametered,
    priced,
    renamed,
    tried,
)
from train.demo.tasks.functions.line_comments import explained
from train.demo.tasks.functions.specs import Function, Written, drawn_params
from train.demo.tasks.functions.tiny import tiny
from train.demo.tasks.load_yaml import phrases, table
from train.demo.tasks.phrasing import ask, identifier, third_person, with_code

Change = Callable[..., tuple[Written, Exchange] | None]
LONGEST = 7
"""Lines of a function that a user gives."""


def families(functions: tuple[Function, ...]) -> tuple[Family, ...]:
    """Every kind of change to given code."""
    short = tuple(spec for spec in functions if len(spec.body.splitlines()) < LONGEST)
    kinds: dict[str, tuple[Change, str, float]] = {
        "hints": (hinted, "changes", 1.5),
        "docs": (documented, "changes", 1.0),
        "rename": (renamed, "changes", 1.5),
        "param": (parametered, "changes", 1.5),
        "other": (otherwise, "changes", 1.5),
        "test": (tried, "tests", 2.0),
        "example": (exampled, "explain", 0.7),
        "cost": (priced, "explain", 1.0),
    }
    return (
        *(
            Family(f"given_{name}", group, _given(change, f"given_{name}", short), weight)
            for name, (change, group, weight) in kinds.items()
        ),
        Family("given_lines", "explain", _lines(short), 2.0),
        *(Family(f"extend_{each.name}", "changes", each.draw, 0.4) for each in _extended()),
    )


def written(dice: Draw, functions: tuple[Function, ...]) -> Written:
    """A function as a user may have it: a known one, or a small one with drawn numbers."""
    if dice.chance(0.5):
        return tiny(dice.rng, "python").written()
    spec = dice.rng.choice(functions)
    name = identifier(dice.rng) if dice.chance(0.7) else spec.name
    params = drawn_params(dice.rng, spec, name)
    return Written(spec, name, params, spec.drawn(dice.rng), spec.body, spec.why, named=True)


def _given(change: Change, asks: str, functions: tuple[Function, ...]) -> Any:
    def draw(dice: Draw) -> tuple[Exchange, ...]:
        while True:
            now = written(dice, functions)
            changed = change(dice, now, phrases(asks))
            if changed is not None:
                break
        after, first = changed
        exchanges = [replace(first, question=with_code(dice, first.question, now.code))]
        while dice.chance(0.35) and len(exchanges) < 4:
            after, exchange = follow_up(dice, after)
            exchanges.append(exchange)
        return tuple(exchanges)

    return draw


def _lines(functions: tuple[Function, ...]) -> Any:
    def draw(dice: Draw) -> tuple[Exchange, ...]:
        lines = None
        while lines is None:
            now = written(dice, functions)
            lines = explained(now.code)
        question = with_code(dice, ask(dice, dice.phrase(phrases("given_lines"))), now.code)
        return (Exchange(question, "\n".join(lines), Check(says=tuple(lines)), "explain"),)

    return draw


@dataclass(frozen=True, slots=True)
class Extended:
    """A function, and a change to what it does."""

    name: str
    does: str
    manners: tuple[str, ...]
    before: Function
    after: Function
    signature: str

    def draw(self, dice: Draw) -> tuple[Exchange, ...]:
        """The function asked for or given, then the change, then perhaps more."""
        name = identifier(dice.rng) if dice.chance(0.7) else dice.rng.choice(("f", "func"))
        params = drawn_params(dice.rng, self.before, name)
        now = Written(self.before, name, params, 0, self.before.body, "", named=True)
        after = replace(now, spec=self.after, body=self.after.body, why=self.after.why)
        after = replace(after, signature=after.fill(self.signature))
        manner = dice.rng.choice(self.manners)
        text = answer(f"Now it can {manner}:", after.code, after.fill(self.after.why))
        exchanges: list[Exchange] = []
        if dice.chance(0.5):
            template = asked_in(dice, phrases("named"), (self.does,))
            told = answer(f"This function {third_person(self.does)}:", now.code)
            question = ask(dice, template, f=name)
            exchanges.append(Exchange(question, told, now.check(), "lists"))
            question = ask(dice, dice.phrase(phrases("extend")), manner=manner)
        else:
            question = ask(dice, dice.phrase(phrases("given_extend")), manner=manner)
            question = with_code(dice, question, now.code)
        exchanges.append(Exchange(question, text, after.check(), "changes"))
        while dice.chance(0.3) and len(exchanges) < 4:
            after, exchange = follow_up(dice, after)
            exchanges.append(exchange)
        return tuple(exchanges)


def _extended() -> tuple[Extended, ...]:
    return tuple(_extension(entry) for entry in table("extends"))


def _extension(entry: dict[str, Any]) -> Extended:
    old, new = (tuple((args, result) for args, result in entry[key]) for key in ("calls", "new"))
    params = tuple(entry["params"].items())
    before = Function(
        name=entry["name"],
        group="lists",
        asks=(entry["do"],),
        params=params,
        returns=entry["returns"],
        body=entry["body"],
        why="",
        calls=old,
    )
    still = () if entry["name"] == "keep_order" else old
    after = replace(
        before,
        body=entry["after"],
        why=entry["why"],
        calls=(*new, *still),
        imports=entry.get("imports", ""),
    )
    manners = (entry["manner"], *entry["also"])
    return Extended(entry["name"], entry["do"], manners, before, after, entry.get("signature", ""))
