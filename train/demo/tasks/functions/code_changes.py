"""Code given by the user: changes to it, tests for it, explanations line by line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from train.demo.tasks.family import Check, Exchange, Family, TaskSampler, format_answer
from train.demo.tasks.functions.function_families import (
    add_docstring,
    add_hints,
    choose_template,
    draw_follow_up,
    explain_cost,
    rename_function,
    rename_parameter,
    rewrite_function,
    show_example,
    write_test,
)
from train.demo.tasks.functions.line_comments import explain_lines
from train.demo.tasks.functions.specs import FunctionSpec, WrittenFunction, draw_params
from train.demo.tasks.functions.tiny_functions import draw_tiny
from train.demo.tasks.load_yaml import load_phrases, load_table
from train.demo.tasks.phrasing import attach_code, draw_identifier, phrase_question, to_third_person

Change = Callable[..., tuple[WrittenFunction, Exchange] | None]
MAX_LINES = 7
"""Function bodies that a user gives are shorter than this."""


def families(functions: tuple[FunctionSpec, ...]) -> tuple[Family, ...]:
    """Return a family for each kind of change to given code."""
    short = tuple(spec for spec in functions if len(spec.body.splitlines()) < MAX_LINES)
    kinds: dict[str, tuple[Change, str, float]] = {
        "hints": (add_hints, "changes", 1.5),
        "docs": (add_docstring, "changes", 1.0),
        "rename": (rename_function, "changes", 1.5),
        "param": (rename_parameter, "changes", 1.5),
        "other": (rewrite_function, "changes", 1.5),
        "test": (write_test, "tests", 2.0),
        "example": (show_example, "explain", 0.7),
        "cost": (explain_cost, "explain", 1.0),
    }
    return (
        *(
            Family(
                f"given_{name}", group, _make_change_drawer(change, f"given_{name}", short), weight
            )
            for name, (change, group, weight) in kinds.items()
        ),
        Family("given_lines", "explain", _make_lines_drawer(short), 2.0),
        *(Family(f"extend_{each.name}", "changes", each.draw, 0.4) for each in _load_extensions()),
    )


def draw_function(sampler: TaskSampler, functions: tuple[FunctionSpec, ...]) -> WrittenFunction:
    """Draw a function that a user may have: a known one, or a small one with drawn numbers."""
    if sampler.chance(0.5):
        return draw_tiny(sampler.rng, "python").to_written()
    spec = sampler.rng.choice(functions)
    name = draw_identifier(sampler.rng) if sampler.chance(0.7) else spec.name
    params = draw_params(sampler.rng, spec, name)
    return WrittenFunction(
        spec, name, params, spec.draw_value(sampler.rng), spec.body, spec.why, named=True
    )


def _make_change_drawer(change: Change, asks: str, functions: tuple[FunctionSpec, ...]) -> Any:
    def draw(sampler: TaskSampler) -> tuple[Exchange, ...]:
        while True:
            now = draw_function(sampler, functions)
            changed = change(sampler, now, load_phrases(asks))
            if changed is not None:
                break
        after, first = changed
        exchanges = [replace(first, question=attach_code(sampler, first.question, now.code))]
        while sampler.chance(0.35) and len(exchanges) < 4:
            after, exchange = draw_follow_up(sampler, after)
            exchanges.append(exchange)
        return tuple(exchanges)

    return draw


def _make_lines_drawer(functions: tuple[FunctionSpec, ...]) -> Any:
    def draw(sampler: TaskSampler) -> tuple[Exchange, ...]:
        lines = None
        while lines is None:
            now = draw_function(sampler, functions)
            lines = explain_lines(now.code)
        question = attach_code(
            sampler,
            phrase_question(sampler, sampler.choose_phrasing(load_phrases("given_lines"))),
            now.code,
        )
        return (Exchange(question, "\n".join(lines), Check(says=tuple(lines)), "explain"),)

    return draw


@dataclass(frozen=True, slots=True)
class FunctionExtension:
    """Function, and a change of its behaviour."""

    name: str
    purpose: str
    manners: tuple[str, ...]
    before: FunctionSpec
    after: FunctionSpec
    signature: str

    def draw(self, sampler: TaskSampler) -> tuple[Exchange, ...]:
        """Draw the function, asked for or given, then its change, then perhaps more."""
        name = (
            draw_identifier(sampler.rng)
            if sampler.chance(0.7)
            else sampler.rng.choice(("f", "func"))
        )
        params = draw_params(sampler.rng, self.before, name)
        now = WrittenFunction(self.before, name, params, 0, self.before.body, "", named=True)
        after = replace(now, spec=self.after, body=self.after.body, why=self.after.why)
        after = replace(after, signature=after.fill_template(self.signature))
        manner = sampler.rng.choice(self.manners)
        text = format_answer(
            f"Now it can {manner}:", after.code, after.fill_template(self.after.why)
        )
        exchanges: list[Exchange] = []
        if sampler.chance(0.5):
            template = choose_template(sampler, load_phrases("named"), (self.purpose,))
            reply = format_answer(f"This function {to_third_person(self.purpose)}:", now.code)
            question = phrase_question(sampler, template, f=name)
            exchanges.append(Exchange(question, reply, now.make_check(), "lists"))
            question = phrase_question(
                sampler, sampler.choose_phrasing(load_phrases("extend")), manner=manner
            )
        else:
            question = phrase_question(
                sampler, sampler.choose_phrasing(load_phrases("given_extend")), manner=manner
            )
            question = attach_code(sampler, question, now.code)
        exchanges.append(Exchange(question, text, after.make_check(), "changes"))
        while sampler.chance(0.3) and len(exchanges) < 4:
            after, exchange = draw_follow_up(sampler, after)
            exchanges.append(exchange)
        return tuple(exchanges)


def _load_extensions() -> tuple[FunctionExtension, ...]:
    return tuple(_parse_extension(entry) for entry in load_table("extends"))


def _parse_extension(entry: dict[str, Any]) -> FunctionExtension:
    old, new = (tuple((args, result) for args, result in entry[key]) for key in ("calls", "new"))
    params = tuple(entry["params"].items())
    before = FunctionSpec(
        name=entry["name"],
        group="lists",
        asks=(entry["do"],),
        params=params,
        returns=entry["returns"],
        body=entry["body"],
        why="",
        calls=old,
    )
    # Keeping the order changes the results of the old calls, all other extensions keep them.
    still = () if entry["name"] == "keep_order" else old
    after = replace(
        before,
        body=entry["after"],
        why=entry["why"],
        calls=(*new, *still),
        imports=entry.get("imports", ""),
    )
    manners = (entry["manner"], *entry["also"])
    return FunctionExtension(
        entry["name"], entry["do"], manners, before, after, entry.get("signature", "")
    )
