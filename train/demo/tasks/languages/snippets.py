"""Shell, SQL, JavaScript and C: short snippets, and translations between languages."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random
from typing import Any

from train.demo.tasks.family import Check, Drawer, Exchange, Family, TaskSampler, format_answer
from train.demo.tasks.functions.function_families import choose_template, end_with_thanks
from train.demo.tasks.functions.tiny_functions import LANGUAGE_TITLES, TinyFunction, draw_tiny
from train.demo.tasks.load_yaml import load_phrases, load_table
from train.demo.tasks.phrasing import (
    NOUNS,
    SYLLABLES,
    attach_code,
    phrase_question,
    to_third_person,
)

FENCES = {"python": "python", "javascript": "javascript", "c": "c"}
ENDINGS = ".txt .log .csv .md .dat".split()
RESERVED = frozenset("order table value query column index".split())
"""Nouns that are SQL keywords, themselves or in the plural."""
LANGUAGE_NAMES = {
    "javascript": ("JavaScript", "JavaScript", "javascript", "JS", "js"),
    "c": ("C", "C", "c"),
    "python": ("Python", "Python", "python"),
}


def families() -> tuple[Family, ...]:
    """Return the families of code in other languages, and of translations."""
    return (
        *(
            Family(f"shell_{n}", "shell", _make_shell_drawer(**entry))
            for n, entry in load_table("shell").items()
        ),
        *(
            Family(f"sql_{n}", "sql", _make_sql_drawer(entry))
            for n, entry in load_table("sql")["statements"].items()
        ),
        Family("javascript", "javascript", _make_function_drawer("javascript"), 9.0),
        Family("c", "c", _make_function_drawer("c"), 4.0),
        Family(
            "to_javascript", "translation", _make_translation_drawer("python", "javascript"), 6.0
        ),
        Family("to_python", "translation", _make_translation_drawer("javascript", "python"), 4.0),
        Family("to_c", "translation", _make_translation_drawer("python", "c"), 2.0),
    )


def _draw_file_name(rng: Random) -> str:
    return rng.choice((rng.choice(NOUNS), "".join(rng.choices(SYLLABLES, k=2))))


def _make_shell_drawer(
    *,
    asks: list[str],
    before: str,
    code: str,
    prints: str,
    files: dict[str, str] | None = None,
    after: str = "",
) -> Drawer:
    def draw(sampler: TaskSampler) -> tuple[Exchange, ...]:
        rng = sampler.rng
        n = rng.randint(2, 20)
        one, two = rng.sample(NOUNS, 2)
        slots = {
            "file": _draw_file_name(rng) + rng.choice(ENDINGS),
            "other": f"{_draw_file_name(rng)}_{rng.choice(('new', 'old', 'copy', 'backup'))}.txt",
            "dir": f"{_draw_file_name(rng)}{rng.choice(('s', '_data', '_files', ''))}",
            "word": one,
            "new": two,
            "name": rng.choice((*NOUNS, "n", "x")),
            "n": n,
            "many": "".join(f"{i}\n" for i in range(1, n + 3)),
            "upto": "\n".join(map(str, range(1, n + 1))),
            "count": "\n".join(map(str, range(1, n + 1))),
        }
        check = Check(
            language="shell",
            stdout=prints.format(**slots),
            after=after.format(**slots),
            files=tuple(
                (name.format(**slots), text.format(**slots)) for name, text in (files or {}).items()
            ),
        )
        filled = code.replace("${name}", f"${slots['name']}").format(**slots)
        text = format_answer(before, filled, language="bash")
        first = Exchange(
            phrase_question(sampler, sampler.choose_phrasing(tuple(asks)), **slots),
            text,
            check,
            "shell",
        )
        return end_with_thanks(sampler, first)

    return draw


def _make_sql_drawer(entry: dict[str, Any]) -> Drawer:
    def draw(sampler: TaskSampler) -> tuple[Exchange, ...]:
        rng = sampler.rng
        free = [noun for noun in NOUNS if noun not in RESERVED]
        table_name, column, new = rng.sample(free, 3)
        words = rng.sample(free, 4)
        numbers = rng.sample(range(1, 100), 5)
        rows = [*zip(words, numbers, strict=False), (words[0], numbers[4])]
        slots: dict[str, Any] = {
            "t": table_name + "s",
            "c": column,
            "v": rng.choice(("price", "age", "score", "amount", "size", "total_cost", "weight")),
            "k": numbers[1],
            "w": words[1],
            "new": new,
        }
        slots["v"] = slots["v"] if slots["v"] != column else "amount"
        given = eval(entry["gives"], {**slots, "rows": rows})  # our own table's expression
        check = make_sql_check(
            (slots["t"], column, slots["v"]), rows, given, entry.get("after", "").format(**slots)
        )
        text = format_answer(entry["before"], entry["code"].format(**slots), language="sql")
        first = Exchange(
            phrase_question(sampler, sampler.choose_phrasing(tuple(entry["asks"])), **slots),
            text,
            check,
            "sql",
        )
        return end_with_thanks(sampler, first)

    return draw


def make_sql_check(
    named: tuple[str, str, str],
    rows: Iterable[tuple[str, int]],
    given: Iterable[tuple[object, ...]],
    after: str,
) -> Check:
    """Return a check of the rows of a statement; `named` are a table and its two columns."""
    name, text, number = named
    values = ", ".join(f"('{word}', {count})" for word, count in rows)
    create = f"CREATE TABLE {name} ({text} TEXT, {number} INTEGER)"
    return Check(
        language="sql",
        setup=f"{create}; INSERT INTO {name} VALUES {values};",
        after=after,
        stdout="\n".join("|".join(map(str, row)) for row in given),
    )


def _make_function_drawer(language: str) -> Drawer:
    def draw(sampler: TaskSampler) -> tuple[Exchange, ...]:
        function = draw_tiny(sampler.rng, "python", language)
        does = to_third_person(function.purpose)
        template = choose_template(sampler, load_phrases("tiny"), (function.purpose,))
        question = phrase_question(
            sampler, template, f=function.name, lang=sampler.rng.choice(LANGUAGE_NAMES[language])
        )
        first = _build_exchange(
            question, f"This {LANGUAGE_TITLES[language]} function {does}:", function, language
        )
        if not sampler.chance(0.35):
            return end_with_thanks(sampler, first)
        other = "python"
        question = _ask_in_language(sampler, "translate_it", other)
        return first, _build_exchange(
            question, f"Here it is in {LANGUAGE_TITLES[other]}:", function, other, "translation"
        )

    return draw


def _make_translation_drawer(source: str, target: str) -> Drawer:
    def draw(sampler: TaskSampler) -> tuple[Exchange, ...]:
        function = draw_tiny(sampler.rng, source, target)
        question = _ask_in_language(sampler, "translate", target)
        question = attach_code(sampler, question, function.render(source), FENCES[source])
        first = _build_exchange(
            question, f"Here it is in {LANGUAGE_TITLES[target]}:", function, target, "translation"
        )
        return end_with_thanks(sampler, first)

    return draw


def _ask_in_language(sampler: TaskSampler, kind: str, language: str) -> str:
    return phrase_question(
        sampler,
        sampler.choose_phrasing(load_phrases(kind)),
        lang=sampler.rng.choice(LANGUAGE_NAMES[language]),
    )


def _build_exchange(
    question: str, before: str, function: TinyFunction, language: str, group: str = ""
) -> Exchange:
    text = format_answer(before, function.render(language), language=FENCES[language])
    return Exchange(question, text, function.make_check(language), group or language)
