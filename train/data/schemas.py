"""Schemas of the rows that training reads: one table, from which detection and errors follow.

A row has one of these schemas; the first that detects it parses it. To add one, write how its turns
are read, and add an entry to `SCHEMAS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from starchat_tui.dialogue import Role
from train.data import oasst
from train.data.filters import Filters
from train.data.row_fields import (
    LocatedRow,
    RefusedRow,
    ReportRefusal,
    Row,
    check_order,
    parse_role,
    parse_text,
)
from train.data.trees import Message, Tree, chain_messages

RowTurn = tuple[Role | Literal["system"], str, bool]
"""Role, text, and whether the turn may be learned."""
ReadTurns = Callable[[Row], Sequence[RowTurn]]
"""Reads the turns of a row, a system prompt first if there is one; raises `RefusedRow`."""
ParseRows = Callable[[Iterable[LocatedRow], Filters, ReportRefusal], list[Tree]]
"""Returns the trees of rows, not trimmed yet, and reports each row or message that is refused."""


@dataclass(frozen=True, slots=True)
class Schema:
    """A form of rows, how it is detected and how it is parsed."""

    name: str
    """Name in the hints of errors: "each row is a JSON object: NAME, NAME, or NAME"."""
    detect: Callable[[Row], bool]
    """Returns whether a row has this schema, by its keys."""
    parse: ParseRows
    spans_rows: bool = False
    """True if one tree has several rows; `parse` then gets all rows of the source at once."""
    has_trees: bool = False
    """True if rows hold trees. Dialogues that begin alike are merged, but trees stay distinct."""


def parse_dialogues(read_turns: ReadTurns) -> ParseRows:
    """Return the parser of a schema with one dialogue a row, whose turns `read_turns` reads."""

    def parse(rows: Iterable[LocatedRow], filters: Filters, refuse: ReportRefusal) -> list[Tree]:
        trees = []
        for where, row in rows:
            try:
                trees.append(_parse_dialogue(row, read_turns, where, filters))
            except RefusedRow as reason:
                refuse(str(reason), where)
        return trees

    return parse


def _parse_dialogue(row: Row, read_turns: ReadTurns, where: str, filters: Filters) -> Tree:
    if not filters.accepts_language(row.get("lang", row.get("language"))):
        raise RefusedRow("another language")
    turns = read_turns(row)
    # The key of the row counts only if the turns have no system prompt of their own.
    system = row.get("system") or row.get("system_prompt") or ""
    if not isinstance(system, str):
        raise RefusedRow("a text is not a text")
    if turns and turns[0][0] == "system":
        system, turns = turns[0][1], turns[1:]
    return chain_messages(_build_messages(turns), system=system, where=where)


def _parse_turns(listed: object) -> list[RowTurn]:
    if not isinstance(listed, Sequence) or isinstance(listed, str):
        raise RefusedRow("the turns are not a list")
    return [_parse_turn(one) for one in listed]


def _parse_turn(one: object) -> RowTurn:
    if not isinstance(one, Mapping):
        raise RefusedRow("a turn is not an object")
    role = parse_role(one.get("role", one.get("from")))
    text = next((one[key] for key in ("content", "value", "text") if key in one), None)
    # `weight` 0 makes an answer context that is not learned (OpenAI's fine-tuning format).
    return role, parse_text(text), one.get("weight", 1) not in (0, False)


def _parse_side(text: object, role: Role) -> list[RowTurn]:
    """Return the turns of a prompt or a completion, a text or a list; prompts are never learned."""
    if isinstance(text, Sequence) and not isinstance(text, str):
        learned = role == "assistant"
        return [
            (speaker, text, may_learn and learned)
            for speaker, text, may_learn in _parse_turns(text)
        ]
    return [(role, parse_text(text), True)]


def _build_messages(turns: Sequence[RowTurn]) -> list[Message]:
    """Return the turns as messages; raises `RefusedRow` unless user and assistant alternate."""
    messages: list[Message] = []
    for role, text, learned in turns:
        if role == "system":
            raise RefusedRow("a system turn after the first turn")
        check_order(role, messages[-1].role if messages else None)
        if not text.strip():
            raise RefusedRow(f"an empty {role} turn")
        messages.append(Message(role, text, may_learn=learned))
    if not messages:
        raise RefusedRow("no turns")
    return messages


def _read_prompt_and_completion(row: Row) -> list[RowTurn]:
    return [*_parse_side(row["prompt"], "user"), *_parse_side(row["completion"], "assistant")]


SCHEMAS = (
    # Trees first: they have a `prompt` too, as an object.
    Schema("an OpenAssistant tree", oasst.is_tree, oasst.parse_trees, has_trees=True),
    Schema(
        "an OpenAssistant message",
        oasst.is_message,
        oasst.build_trees,
        spans_rows=True,
        has_trees=True,
    ),
    Schema(
        "`messages`",
        lambda row: "messages" in row,
        parse_dialogues(lambda row: _parse_turns(row["messages"])),
    ),
    Schema(
        "`conversations`",
        lambda row: "conversations" in row,
        parse_dialogues(lambda row: _parse_turns(row["conversations"])),
    ),
    Schema(
        "`prompt` and `completion`",
        lambda row: "prompt" in row and "completion" in row,
        parse_dialogues(_read_prompt_and_completion),
    ),
)
"""All schemas; the first one that detects a row parses it."""
EXPECTED_ROWS = (
    f"each row is a JSON object: {', '.join(one.name for one in SCHEMAS[:-1])}, "
    f"or {SCHEMAS[-1].name}"
)
"""Hint of errors about rows."""


def find_schema(row: Row) -> Schema | None:
    """Return the schema of a row by its keys, or None if it is unknown."""
    return next((one for one in SCHEMAS if one.detect(row)), None)
