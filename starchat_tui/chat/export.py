"""Export of a conversation: Markdown, JSON, a Jupyter notebook, or a training row.

Notebooks are nbformat 4.5; the Python blocks of the answers become code cells. Training rows are
the `messages` of common fine-tuning tools. An incomplete answer has `weight` 0: it stays as
context, but is not learned.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from starchat_tui.chat.store import Conversation, StoredTurn
from starchat_tui.codeblocks import (
    PYTHON_LANGUAGES,
    BlockClosed,
    BlockOpened,
    Code,
    Prose,
    fence_code,
    parse_events,
)
from starchat_tui.dialogue import Turn
from starchat_tui.errors import UsageError


def export_conversation(conversation: Conversation, path: Sequence[StoredTurn], form: str) -> str:
    """Return the turns of `path` in one of `FORMATS`; JSON and training rows are one line.

    Raises `UsageError` if a training row is wanted and no question has an answer.
    """
    return FORMATS[form](conversation, path)


def _to_json_line(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def to_markdown(conversation: Conversation, path: Sequence[StoredTurn]) -> str:
    """Return headings and texts; an unfinished code block is closed."""
    parts = [f"# {_to_single_line(conversation.title)}"]
    if conversation.system:
        parts.append(f"## system\n\n{_close_open_block(conversation.system)}")
    for stored in path:
        parts.append(f"## {_heading(stored)}\n\n{_close_open_block(stored.turn.text)}")
    return "\n\n".join(parts)


def _heading(stored: StoredTurn) -> str:
    return stored.turn.role + ("" if stored.state == "done" else f" ({stored.state})")


def _to_single_line(text: str) -> str:
    return " ".join(text.split()) or "conversation"


def _close_open_block(text: str) -> str:
    """Return `text`, with every block fenced anew if the last one has no end."""
    found = parse_events(text)
    opened = sum(isinstance(event, BlockOpened) for event in found)
    if opened == sum(isinstance(event, BlockClosed) for event in found):
        return text
    return "".join(_fence_blocks(text))


def _fence_blocks(text: str) -> Iterator[str]:
    """Yield prose unchanged and every code block in a fence of its own."""
    code, language, inside = "", "", False
    # A block that was cut off has no end of its own; the extra event closes it.
    for event in (*parse_events(text), BlockClosed()):
        if isinstance(event, Prose):
            yield event.text
        elif isinstance(event, BlockOpened):
            code, language, inside = "", event.language, True
        elif isinstance(event, Code):
            code = event.text
        elif inside:
            inside = False
            yield fence_code(code, language) + "\n"


def to_document(conversation: Conversation, path: Sequence[StoredTurn]) -> dict[str, Any]:
    """Return everything stored about the conversation, except token ids."""
    keys = ("id", "title", "mode", "model", "system")
    columns = {key: getattr(conversation, key) for key in keys}
    return {**columns, "turns": [_turn_to_dict(stored) for stored in path]}


def _turn_to_dict(stored: StoredTurn) -> dict[str, Any]:
    return {
        "role": stored.turn.role,
        "text": stored.turn.text,
        "state": stored.state,
        "model": stored.model,
        "stats": dict(stored.stats),
    }


def to_notebook(conversation: Conversation, path: Sequence[StoredTurn]) -> dict[str, Any]:
    """Return a notebook: prose in Markdown cells, Python in code cells without outputs."""
    sources = [("markdown", f"# {_to_single_line(conversation.title)}")]
    if conversation.system:
        sources.append(("markdown", f"**system:** {conversation.system}"))
    for stored in path:
        if stored.turn.role == "user":
            sources.append(
                ("markdown", f"**{_heading(stored)}:** {_close_open_block(stored.turn.text)}")
            )
        else:
            sources += _answer_cells(stored.turn.text)
    cells = [_make_cell(kind, text, number) for number, (kind, text) in enumerate(sources)]
    return {
        "cells": cells,
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def _answer_cells(text: str) -> Iterator[tuple[str, str]]:
    """Yield type and source of the cells of one answer; other languages stay in Markdown."""
    prose, code, language, inside = "", "", "", False
    # A block that was cut off has no end of its own; the extra event closes it.
    for event in (*parse_events(text), BlockClosed()):
        if isinstance(event, Prose):
            prose += event.text
        elif isinstance(event, BlockOpened):
            code, language, inside = "", event.language, True
        elif isinstance(event, Code):
            code = event.text
        elif inside and language in PYTHON_LANGUAGES:
            inside = False
            yield from _prose_cell(prose)
            yield "code", code.rstrip("\n")
            prose = ""
        elif inside:
            inside = False
            prose += fence_code(code, language) + "\n"
    yield from _prose_cell(prose)


def _prose_cell(text: str) -> Iterator[tuple[str, str]]:
    if text.strip():
        yield "markdown", text.strip("\n")


def _make_cell(kind: str, text: str, number: int) -> dict[str, Any]:
    """Return a cell; its id has to be unique only within the notebook."""
    cell: dict[str, Any] = {
        "cell_type": kind,
        "id": f"cell-{number}",
        "metadata": {},
        "source": text.splitlines(keepends=True),
    }
    return cell if kind == "markdown" else {**cell, "execution_count": None, "outputs": []}


def to_messages(conversation: Conversation, path: Sequence[StoredTurn]) -> dict[str, Any] | None:
    """Return a training row of all answered questions; None if there is no answer."""
    found: list[dict[str, Any]] = []
    question: Turn | None = None
    for stored in path:
        turn = stored.turn
        if turn.role == "user":
            # A question that stays unanswered is replaced by the next one.
            question = turn
        elif question is not None and question.text.strip() and turn.text.strip():
            found += [_turn_to_message(question), _turn_to_message(turn)]
            if stored.state != "done":
                found[-1]["weight"] = 0
            question = None
    if not found:
        return None
    if conversation.system.strip():
        found.insert(0, {"role": "system", "content": conversation.system})
    columns = {key: getattr(conversation, key) for key in ("id", "title", "mode", "model")}
    return {**columns, "messages": found}


def _turn_to_message(turn: Turn) -> dict[str, Any]:
    return {"role": turn.role, "content": turn.text}


def _to_document_line(conversation: Conversation, path: Sequence[StoredTurn]) -> str:
    return _to_json_line(to_document(conversation, path))


def _to_notebook_file(conversation: Conversation, path: Sequence[StoredTurn]) -> str:
    return json.dumps(to_notebook(conversation, path), ensure_ascii=False, indent=1)


def _to_training_row(conversation: Conversation, path: Sequence[StoredTurn]) -> str:
    row = to_messages(conversation, path)
    if row is None:
        raise UsageError(
            f"No question of `{conversation.id}` has an answer", "there is nothing to train on"
        )
    return _to_json_line(row)


FORMATS: Mapping[str, Callable[[Conversation, Sequence[StoredTurn]], str]] = {
    "markdown": to_markdown,
    "json": _to_document_line,
    "notebook": _to_notebook_file,
    "messages": _to_training_row,
}
"""The function of every format, by its name."""
