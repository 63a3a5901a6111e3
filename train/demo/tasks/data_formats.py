"""Data as people type it: JSON, Python, tables, CSV, prose; labels and numbers verbatim."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from train.demo.tasks.family import TaskSampler
from train.demo.tasks.phrasing import phrase_question

Texts = tuple[str, ...]
Pairs = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class FormattedData:
    """Data as written in a question."""

    text: str
    block: bool = False
    """True if it has lines of its own."""
    listed: bool = False
    """True if labels and numbers are separate lists."""


def format_strings(texts: Sequence[str], mark: str = '"') -> str:
    """Format a list of strings."""
    return "[" + ", ".join(f"{mark}{text}{mark}" for text in texts) + "]"


def format_numbers(texts: Sequence[str]) -> str:
    """Format a list of numbers, each as it was typed."""
    return "[" + ", ".join(texts) + "]"


def join_words(texts: Sequence[str]) -> str:
    """Join items as in a sentence: "a, b and c"."""
    return ", ".join(texts[:-1]) + f" and {texts[-1]}" if len(texts) > 1 else texts[0]


def _format_json(pairs: Pairs) -> str:
    return "{" + ", ".join(f'"{name}": {value}' for name, value in pairs) + "}"


def _format_dict(pairs: Pairs) -> str:
    return "{" + ", ".join(f"'{name}': {value}" for name, value in pairs) + "}"


def _format_multiline_dict(pairs: Pairs) -> str:
    return "{\n" + ",\n".join(f'  "{name}": {value}' for name, value in pairs) + "\n}"


def _format_tuples(pairs: Pairs) -> str:
    return "[" + ", ".join(f'("{name}", {value})' for name, value in pairs) + "]"


def _format_has(pairs: Pairs) -> str:
    return join_words([f"{name} has {value}" for name, value in pairs])


def _format_has_once(pairs: Pairs) -> str:
    (name, value), *rest = pairs
    return join_words([f"{name} has {value}", *(f"{name} {value}" for name, value in rest)])


INLINE_FORMATS: tuple[tuple[Callable[[Pairs], str], int], ...] = (
    (_format_json, 4),
    (_format_dict, 3),
    (_format_tuples, 1),
    (_format_has, 1),
    (_format_has_once, 2),
    (lambda pairs: ", ".join(f"{name}: {value}" for name, value in pairs), 4),
    (lambda pairs: ", ".join(f"{name} {value}" for name, value in pairs), 4),
    (lambda pairs: join_words([f"{name} {value}" for name, value in pairs]), 2),
    (lambda pairs: ", ".join(f"{name}={value}" for name, value in pairs), 1),
    (lambda pairs: ", ".join(f"{name} = {value}" for name, value in pairs), 1),
    (lambda pairs: ", ".join(f"{name} ({value})" for name, value in pairs), 1),
    (lambda pairs: join_words([f"{name} with {value}" for name, value in pairs]), 1),
    (lambda pairs: "; ".join(f"{name}: {value}" for name, value in pairs), 1),
    (lambda pairs: ", ".join(f"{name}: {value}%" for name, value in pairs), 1),
    (lambda pairs: join_words([f"{name} {value}%" for name, value in pairs]), 1),
    (lambda pairs: join_words([f"{name} got {value}" for name, value in pairs]), 1),
)
"""Formats of pairs within a sentence, with their weights."""
BLOCK_FORMATS: tuple[tuple[Callable[[Pairs], str], int], ...] = (
    (_format_multiline_dict, 2),
    (_format_json, 1),
    (lambda pairs: "\n".join(f"{name}: {value}" for name, value in pairs), 3),
    (lambda pairs: "\n".join(f"- {name}: {value}" for name, value in pairs), 1),
    (lambda pairs: "\n".join(f"{name} {value}" for name, value in pairs), 2),
    (lambda pairs: "\n".join(f"{name}, {value}" for name, value in pairs), 1),
    (lambda pairs: "\n".join(f"{name} - {value}" for name, value in pairs), 1),
)
"""Formats of pairs in lines, with their weights."""


def format_pairs(
    sampler: TaskSampler, names: Texts, values: Texts, columns: Texts = ("", "")
) -> FormattedData:
    """Format labels with a number each, under the names `columns` if it is a table."""
    found = list(zip(names, values, strict=True))
    numeric = any(name[:1].isdigit() for name in names)
    # Behind a numeric label, "2019 5" would read as two numbers: formats that join a label and its
    # number with a space alone are left out for such labels.
    kind = sampler.rng.random()
    if kind < 0.55:
        ways = [
            (w, n)
            for w, n in INLINE_FORMATS
            if not (numeric and w(found[:1]).startswith(_format_plain_pair(found)))
        ]
        way = sampler.rng.choices([w for w, _ in ways], [n for _, n in ways])[0]
        return FormattedData(way(found))
    if kind < 0.7:
        ways = [
            (w, n)
            for w, n in BLOCK_FORMATS
            if not (numeric and w(found[:1]).startswith(_format_plain_pair(found)))
        ]
        way = sampler.rng.choices([w for w, _ in ways], [n for _, n in ways])[0]
        return FormattedData(way(found), block=True)
    if kind < 0.85:
        heads = columns if all(columns) else ("name", "value")
        return FormattedData(
            format_table(sampler, heads, found, headed=all(columns) or sampler.chance(0.6)),
            block=True,
        )
    return format_lists(sampler, names, values)


def _format_plain_pair(found: Pairs) -> str:
    return f"{found[0][0]} {found[0][1]}"


def format_table(
    sampler: TaskSampler,
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    headed: bool = True,
) -> str:
    """Format a table as CSV, with bars, with tabs, or in Markdown."""
    lines = [tuple(heads), *map(tuple, rows)] if headed else [tuple(row) for row in rows]
    kind = sampler.rng.random()
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


def format_lists(sampler: TaskSampler, names: Texts, values: Texts) -> FormattedData:
    """Format labels and numbers separately."""
    ways = (
        f"{format_strings(names)} and {format_numbers(values)}",
        f"names = {format_strings(names)} and values = {format_numbers(values)}",
        f"the names {', '.join(names)} and the values {', '.join(values)}",
        f"labels {', '.join(names)}, values {', '.join(values)}",
        f"{join_words(names)} with {join_words(values)}",
    )
    blocks = (
        f"names = {format_strings(names)}\nvalues = {format_numbers(values)}",
        f"labels: {', '.join(names)}\nvalues: {', '.join(values)}",
        json.dumps({"names": ["@"], "values": ["#"]})
        .replace('["@"]', format_strings(names))
        .replace('["#"]', format_numbers(values)),
        f"{', '.join(names)}\n{', '.join(values)}",
    )
    if sampler.chance(0.5):
        return FormattedData(sampler.rng.choice(ways), listed=True)
    return FormattedData(sampler.rng.choice(blocks), block=True, listed=True)


def format_points(sampler: TaskSampler, xs: Texts, ys: Texts) -> FormattedData:
    """Format pairs of numbers as points or as two lists."""
    both = list(zip(xs, ys, strict=True))
    if sampler.chance(0.45):
        ways = (
            ", ".join(f"({x}, {y})" for x, y in both),
            "[" + ", ".join(f"({x}, {y})" for x, y in both) + "]",
            "the points " + join_words([f"({x}, {y})" for x, y in both]),
            "[" + ", ".join(f"[{x}, {y}]" for x, y in both) + "]",
        )
        if sampler.chance(0.7):
            return FormattedData(sampler.rng.choice(ways))
        return FormattedData(
            format_table(sampler, ("x", "y"), both, headed=sampler.chance(0.7)), block=True
        )
    ways = (
        f"x = {format_numbers(xs)} and y = {format_numbers(ys)}",
        f"x: {', '.join(xs)}, y: {', '.join(ys)}",
        f"{format_numbers(xs)} and {format_numbers(ys)}",
        f"x={format_numbers(xs)}, y={format_numbers(ys)}",
    )
    if sampler.chance(0.7):
        return FormattedData(sampler.rng.choice(ways), listed=True)
    return FormattedData(
        f"x = {format_numbers(xs)}\ny = {format_numbers(ys)}", block=True, listed=True
    )


def format_values(sampler: TaskSampler, texts: Texts) -> FormattedData:
    """Format numbers alone."""
    ways = (
        format_numbers(texts),
        ", ".join(texts),
        format_numbers(texts),
        join_words(texts),
        " ".join(texts),
    )
    if sampler.chance(0.75):
        return FormattedData(sampler.rng.choice(ways))
    return FormattedData(
        sampler.rng.choice((", ".join(texts), format_numbers(texts), "\n".join(texts))), block=True
    )


def format_groups(sampler: TaskSampler, names: Texts, rows: Sequence[Texts]) -> FormattedData:
    """Format several numbers under each name."""
    both = list(zip(names, rows, strict=True))
    ways = (
        "{" + ", ".join(f'"{name}": {format_numbers(row)}' for name, row in both) + "}",
        "{" + ", ".join(f"'{name}': {format_numbers(row)}" for name, row in both) + "}",
        ", ".join(f"{name}: {format_numbers(row)}" for name, row in both),
        "; ".join(f"{name}: {', '.join(row)}" for name, row in both),
        " and ".join(f"{name} {format_numbers(row)}" for name, row in both),
    )
    if sampler.chance(0.5):
        return FormattedData(sampler.rng.choice(ways))
    blocks = (
        "\n".join(f"{name}: {', '.join(row)}" for name, row in both),
        "\n".join(f"{name}: {' '.join(row)}" for name, row in both),
        "\n".join(f"{name} = {format_numbers(row)}" for name, row in both),
        "{\n" + ",\n".join(f'  "{name}": {format_numbers(row)}' for name, row in both) + "\n}",
        "\n".join(f"{name},{','.join(row)}" for name, row in both),
    )
    return FormattedData(sampler.rng.choice(blocks), block=True)


DATA_REFERENCES = ("this data", "this", "the data below", "these numbers", "the following data")
"""Phrases for data that come before or after the sentence."""


def build_question(
    sampler: TaskSampler, template: str, data: FormattedData, **slots: object
) -> str:
    """Build a question from a template with {data}, in the sentence or in lines beside it."""
    if not data.block:
        return phrase_question(sampler, template, data=data.text, **slots)
    text = phrase_question(sampler, template, data=sampler.rng.choice(DATA_REFERENCES), **slots)
    if sampler.chance(0.15):
        return f"{data.text}\n\n{text}"
    text = text.rstrip(".") if sampler.chance(0.6) else text
    mark = ":" if not text.endswith(("?", ".", "!", ":")) and sampler.chance(0.7) else ""
    body = f"```\n{data.text}\n```" if sampler.chance(0.12) else data.text
    return f"{text}{mark}{sampler.rng.choice((chr(10), chr(10) * 2))}{body}"
