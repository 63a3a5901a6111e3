"""Data as people type it: JSON, Python, tables, CSV, prose; labels and numbers verbatim."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from train.demo.tasks.family import Draw
from train.demo.tasks.phrasing import ask

Texts = tuple[str, ...]
Pairs = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Told:
    """Data in the words of a question."""

    text: str
    block: bool = False
    """Whether it stands in lines of its own."""
    listed: bool = False
    """Whether labels and numbers stand apart, each in a list."""


def quoted(texts: Sequence[str], mark: str = '"') -> str:
    """A list of strings."""
    return "[" + ", ".join(f"{mark}{text}{mark}" for text in texts) + "]"


def bare(texts: Sequence[str]) -> str:
    """A list of numbers, each as it was typed."""
    return "[" + ", ".join(texts) + "]"


def spoken(texts: Sequence[str]) -> str:
    """Items as in a sentence: "a, b and c"."""
    return ", ".join(texts[:-1]) + f" and {texts[-1]}" if len(texts) > 1 else texts[0]


def _json(pairs: Pairs) -> str:
    return "{" + ", ".join(f'"{name}": {value}' for name, value in pairs) + "}"


def _dict(pairs: Pairs) -> str:
    return "{" + ", ".join(f"'{name}': {value}" for name, value in pairs) + "}"


def _spread(pairs: Pairs) -> str:
    return "{\n" + ",\n".join(f'  "{name}": {value}' for name, value in pairs) + "\n}"


def _tuples(pairs: Pairs) -> str:
    return "[" + ", ".join(f'("{name}", {value})' for name, value in pairs) + "]"


def _has(pairs: Pairs) -> str:
    return spoken([f"{name} has {value}" for name, value in pairs])


def _has_once(pairs: Pairs) -> str:
    (name, value), *rest = pairs
    return spoken([f"{name} has {value}", *(f"{name} {value}" for name, value in rest)])


INLINE: tuple[tuple[Callable[[Pairs], str], int], ...] = (
    (_json, 4),
    (_dict, 3),
    (_tuples, 1),
    (_has, 1),
    (_has_once, 2),
    (lambda pairs: ", ".join(f"{name}: {value}" for name, value in pairs), 4),
    (lambda pairs: ", ".join(f"{name} {value}" for name, value in pairs), 4),
    (lambda pairs: spoken([f"{name} {value}" for name, value in pairs]), 2),
    (lambda pairs: ", ".join(f"{name}={value}" for name, value in pairs), 1),
    (lambda pairs: ", ".join(f"{name} = {value}" for name, value in pairs), 1),
    (lambda pairs: ", ".join(f"{name} ({value})" for name, value in pairs), 1),
    (lambda pairs: spoken([f"{name} with {value}" for name, value in pairs]), 1),
    (lambda pairs: "; ".join(f"{name}: {value}" for name, value in pairs), 1),
    (lambda pairs: ", ".join(f"{name}: {value}%" for name, value in pairs), 1),
    (lambda pairs: spoken([f"{name} {value}%" for name, value in pairs]), 1),
    (lambda pairs: spoken([f"{name} got {value}" for name, value in pairs]), 1),
)
"""Ways to say pairs in a sentence, and how often."""
BLOCKS: tuple[tuple[Callable[[Pairs], str], int], ...] = (
    (_spread, 2),
    (_json, 1),
    (lambda pairs: "\n".join(f"{name}: {value}" for name, value in pairs), 3),
    (lambda pairs: "\n".join(f"- {name}: {value}" for name, value in pairs), 1),
    (lambda pairs: "\n".join(f"{name} {value}" for name, value in pairs), 2),
    (lambda pairs: "\n".join(f"{name}, {value}" for name, value in pairs), 1),
    (lambda pairs: "\n".join(f"{name} - {value}" for name, value in pairs), 1),
)
"""Ways to write pairs in lines, and how often."""
SPACED = tuple(way for ways in (INLINE, BLOCKS) for way, _ in ways if way([("8", "9")]) == "8 9")


def pairs(dice: Draw, names: Texts, values: Texts, columns: Texts = ("", "")) -> Told:
    """Labels with a number each; with `columns`, a table has their names over it."""
    found = list(zip(names, values, strict=True))
    numeric = any(name[:1].isdigit() for name in names)
    kind = dice.rng.random()
    if kind < 0.55:
        ways = [
            (w, n) for w, n in INLINE if not (numeric and w(found[:1]).startswith(_naked(found)))
        ]
        way = dice.rng.choices([w for w, _ in ways], [n for _, n in ways])[0]
        return Told(way(found))
    if kind < 0.7:
        ways = [
            (w, n) for w, n in BLOCKS if not (numeric and w(found[:1]).startswith(_naked(found)))
        ]
        way = dice.rng.choices([w for w, _ in ways], [n for _, n in ways])[0]
        return Told(way(found), block=True)
    if kind < 0.85:
        heads = columns if all(columns) else ("name", "value")
        return Told(table(dice, heads, found, headed=all(columns) or dice.chance(0.6)), block=True)
    return lists(dice, names, values)


def _naked(found: Pairs) -> str:
    return f"{found[0][0]} {found[0][1]}"


def table(
    dice: Draw, heads: Sequence[str], rows: Sequence[Sequence[str]], *, headed: bool = True
) -> str:
    """A table: CSV, with bars, with tabs, or as wide columns."""
    lines = [tuple(heads), *map(tuple, rows)] if headed else [tuple(row) for row in rows]
    kind = dice.rng.random()
    if kind < 0.3:
        return "\n".join(",".join(line) for line in lines)
    if kind < 0.4:
        return "\n".join(";".join(line) for line in lines)
    if kind < 0.55:
        return "\n".join("\t".join(line) for line in lines)
    if kind < 0.7:
        return "\n".join(" | ".join(line) for line in lines)
    if headed:
        lines.insert(1, tuple("---" for _ in heads))
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def lists(dice: Draw, names: Texts, values: Texts) -> Told:
    """Labels and numbers apart."""
    ways = (
        f"{quoted(names)} and {bare(values)}",
        f"names = {quoted(names)} and values = {bare(values)}",
        f"the names {', '.join(names)} and the values {', '.join(values)}",
        f"labels {', '.join(names)}, values {', '.join(values)}",
        f"{spoken(names)} with {spoken(values)}",
    )
    blocks = (
        f"names = {quoted(names)}\nvalues = {bare(values)}",
        f"labels: {', '.join(names)}\nvalues: {', '.join(values)}",
        json.dumps({"names": ["@"], "values": ["#"]})
        .replace('["@"]', quoted(names))
        .replace('["#"]', bare(values)),
        f"{', '.join(names)}\n{', '.join(values)}",
    )
    if dice.chance(0.5):
        return Told(dice.rng.choice(ways), listed=True)
    return Told(dice.rng.choice(blocks), block=True, listed=True)


def points(dice: Draw, xs: Texts, ys: Texts) -> Told:
    """Numbers in pairs: as points, or as two lists."""
    both = list(zip(xs, ys, strict=True))
    if dice.chance(0.45):
        ways = (
            ", ".join(f"({x}, {y})" for x, y in both),
            "[" + ", ".join(f"({x}, {y})" for x, y in both) + "]",
            "the points " + spoken([f"({x}, {y})" for x, y in both]),
            "[" + ", ".join(f"[{x}, {y}]" for x, y in both) + "]",
        )
        if dice.chance(0.7):
            return Told(dice.rng.choice(ways))
        return Told(table(dice, ("x", "y"), both, headed=dice.chance(0.7)), block=True)
    ways = (
        f"x = {bare(xs)} and y = {bare(ys)}",
        f"x: {', '.join(xs)}, y: {', '.join(ys)}",
        f"{bare(xs)} and {bare(ys)}",
        f"x={bare(xs)}, y={bare(ys)}",
    )
    if dice.chance(0.7):
        return Told(dice.rng.choice(ways), listed=True)
    return Told(f"x = {bare(xs)}\ny = {bare(ys)}", block=True, listed=True)


def values(dice: Draw, texts: Texts) -> Told:
    """Numbers alone."""
    ways = (bare(texts), ", ".join(texts), bare(texts), spoken(texts), " ".join(texts))
    if dice.chance(0.75):
        return Told(dice.rng.choice(ways))
    return Told(dice.rng.choice((", ".join(texts), bare(texts), "\n".join(texts))), block=True)


def groups(dice: Draw, names: Texts, rows: Sequence[Texts]) -> Told:
    """Several numbers under each name."""
    both = list(zip(names, rows, strict=True))
    ways = (
        "{" + ", ".join(f'"{name}": {bare(row)}' for name, row in both) + "}",
        "{" + ", ".join(f"'{name}': {bare(row)}" for name, row in both) + "}",
        ", ".join(f"{name}: {bare(row)}" for name, row in both),
        "; ".join(f"{name}: {', '.join(row)}" for name, row in both),
        " and ".join(f"{name} {bare(row)}" for name, row in both),
    )
    if dice.chance(0.5):
        return Told(dice.rng.choice(ways))
    blocks = (
        "\n".join(f"{name}: {', '.join(row)}" for name, row in both),
        "\n".join(f"{name}: {' '.join(row)}" for name, row in both),
        "\n".join(f"{name} = {bare(row)}" for name, row in both),
        "{\n" + ",\n".join(f'  "{name}": {bare(row)}' for name, row in both) + "\n}",
        "\n".join(f"{name},{','.join(row)}" for name, row in both),
    )
    return Told(dice.rng.choice(blocks), block=True)


HERE = ("this data", "this", "the data below", "these numbers", "the following data")
"""What stands in a sentence for data that stand under it."""


def question(dice: Draw, template: str, told: Told, **slots: object) -> str:
    """The question of a template with {data}: in the sentence, or in lines after or before it."""
    if not told.block:
        return ask(dice, template, data=told.text, **slots)
    text = ask(dice, template, data=dice.rng.choice(HERE), **slots)
    if dice.chance(0.15):
        return f"{told.text}\n\n{text}"
    text = text.rstrip(".") if dice.chance(0.6) else text
    mark = ":" if not text.endswith(("?", ".", "!", ":")) and dice.chance(0.7) else ""
    body = f"```\n{told.text}\n```" if dice.chance(0.12) else told.text
    return f"{text}{mark}{dice.rng.choice((chr(10), chr(10) * 2))}{body}"
