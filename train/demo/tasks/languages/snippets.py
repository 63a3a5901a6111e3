"""Shell, SQL, JavaScript and C: short code in them, and the same function in two languages."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random
from typing import Any

from train.demo.tasks.family import Check, Draw, Drawer, Exchange, Family, answer
from train.demo.tasks.functions.function_families import asked_in, thanked
from train.demo.tasks.functions.tiny import TITLES, Tiny, tiny
from train.demo.tasks.load_yaml import phrases, table
from train.demo.tasks.phrasing import NOUNS, SYLLABLES, ask, third_person, with_code

FENCES = {"python": "python", "javascript": "javascript", "c": "c"}
ENDINGS = ".txt .log .csv .md .dat".split()
RESERVED = frozenset("order table value query column index".split())
"""Nouns that mean something in SQL, they or their plural."""
SPOKEN = {
    "javascript": ("JavaScript", "JavaScript", "javascript", "JS", "js"),
    "c": ("C", "C", "c"),
    "python": ("Python", "Python", "python"),
}


def families() -> tuple[Family, ...]:
    """Every kind of code that is not Python, and translations."""
    return (
        *(Family(f"shell_{n}", "shell", _shell(**entry)) for n, entry in table("shell").items()),
        *(Family(f"sql_{n}", "sql", _sql(entry)) for n, entry in table("sql").items()),
        Family("javascript", "javascript", _function("javascript"), 9.0),
        Family("c", "c", _function("c"), 4.0),
        Family("to_javascript", "translation", _translation("python", "javascript"), 6.0),
        Family("to_python", "translation", _translation("javascript", "python"), 4.0),
        Family("to_c", "translation", _translation("python", "c"), 2.0),
    )


def _file(rng: Random) -> str:
    return rng.choice((rng.choice(NOUNS), "".join(rng.choices(SYLLABLES, k=2))))


def _shell(
    *,
    asks: list[str],
    before: str,
    code: str,
    prints: str,
    files: dict[str, str] | None = None,
    after: str = "",
) -> Drawer:
    def draw(dice: Draw) -> tuple[Exchange, ...]:
        rng = dice.rng
        n = rng.randint(2, 20)
        one, two = rng.sample(NOUNS, 2)
        slots = {
            "file": _file(rng) + rng.choice(ENDINGS),
            "other": f"{_file(rng)}_{rng.choice(('new', 'old', 'copy', 'backup'))}.txt",
            "dir": f"{_file(rng)}{rng.choice(('s', '_data', '_files', ''))}",
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
        text = answer(before, filled, language="bash")
        first = Exchange(ask(dice, dice.phrase(tuple(asks)), **slots), text, check, "shell")
        return thanked(dice, first)

    return draw


def _sql(entry: dict[str, Any]) -> Drawer:
    def draw(dice: Draw) -> tuple[Exchange, ...]:
        rng = dice.rng
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
        check = sql_check(
            (slots["t"], column, slots["v"]), rows, given, entry.get("after", "").format(**slots)
        )
        text = answer(entry["before"], entry["code"].format(**slots), language="sql")
        first = Exchange(ask(dice, dice.phrase(tuple(entry["asks"])), **slots), text, check, "sql")
        return thanked(dice, first)

    return draw


def sql_check(
    named: tuple[str, str, str],
    rows: Iterable[tuple[str, int]],
    given: Iterable[tuple[object, ...]],
    after: str,
) -> Check:
    """That a statement gives these rows: `named` are a table, its text and its number column."""
    name, text, number = named
    values = ", ".join(f"('{word}', {count})" for word, count in rows)
    create = f"CREATE TABLE {name} ({text} TEXT, {number} INTEGER)"
    return Check(
        language="sql",
        setup=f"{create}; INSERT INTO {name} VALUES {values};",
        after=after,
        stdout="\n".join("|".join(map(str, row)) for row in given),
    )


def _function(language: str) -> Drawer:
    def draw(dice: Draw) -> tuple[Exchange, ...]:
        made = tiny(dice.rng, "python", language)
        does = third_person(made.does)
        template = asked_in(dice, phrases("tiny"), (made.does,))
        question = ask(dice, template, f=made.name, lang=dice.rng.choice(SPOKEN[language]))
        first = _said(question, f"This {TITLES[language]} function {does}:", made, language)
        if not dice.chance(0.35):
            return thanked(dice, first)
        other = "python"
        question = _asked_in(dice, "translate_it", other)
        return first, _said(question, f"Here it is in {TITLES[other]}:", made, other, "translation")

    return draw


def _translation(source: str, target: str) -> Drawer:
    def draw(dice: Draw) -> tuple[Exchange, ...]:
        made = tiny(dice.rng, source, target)
        question = _asked_in(dice, "translate", target)
        question = with_code(dice, question, made.code(source), FENCES[source])
        first = _said(question, f"Here it is in {TITLES[target]}:", made, target, "translation")
        return thanked(dice, first)

    return draw


def _asked_in(dice: Draw, kind: str, language: str) -> str:
    return ask(dice, dice.phrase(phrases(kind)), lang=dice.rng.choice(SPOKEN[language]))


def _said(question: str, before: str, made: Tiny, language: str, group: str = "") -> Exchange:
    text = answer(before, made.code(language), language=FENCES[language])
    return Exchange(question, text, made.check(language), group or language)
