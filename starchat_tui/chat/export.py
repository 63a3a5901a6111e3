"""A conversation as a document: Markdown, JSON, a Jupyter notebook, or a row to train on.

Formats: notebooks are nbformat 4.5, written by hand, their code cells the answers' Python blocks.
Rows are `messages`, as fine-tuning tools read them; an answer that did not come to its own end has
`weight` 0, which keeps it as context and does not teach it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from starchat_tui.chat.store import Conversation, StoredTurn
from starchat_tui.codeblocks import Closed, Code, Opened, Prose, events
from starchat_tui.dialogue import Turn
from starchat_tui.errors import UsageError

FORMATS = ("markdown", "json", "notebook", "messages")
_PYTHON = frozenset({"python", "py", "python3", "ipython"})
_BACKTICKS = re.compile(r"`{3,}")


def exported(conversation: Conversation, path: Sequence[StoredTurn], form: str) -> str:
    """The conversation along `path` in one of `FORMATS`; JSON and rows are one line.

    Raises `UsageError` where a row is asked for and no question has an answer.
    """
    if form == "markdown":
        return markdown(conversation, path)
    if form == "json":
        return _line(document(conversation, path))
    if form == "notebook":
        return json.dumps(notebook(conversation, path), ensure_ascii=False, indent=1)
    row = messages(conversation, path)
    if row is None:
        raise UsageError(
            f"No question of `{conversation.id}` has an answer", "there is nothing to train on"
        )
    return _line(row)


def _line(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def markdown(conversation: Conversation, path: Sequence[StoredTurn]) -> str:
    """Headings and texts; a code block that was cut off is closed."""
    parts = [f"# {_single(conversation.title)}"]
    if conversation.system:
        parts.append(f"## system\n\n{_closed(conversation.system)}")
    for stored in path:
        parts.append(f"## {_heading(stored)}\n\n{_closed(stored.turn.text)}")
    return "\n\n".join(parts)


def _heading(stored: StoredTurn) -> str:
    return stored.turn.role + ("" if stored.state == "done" else f" ({stored.state})")


def _single(text: str) -> str:
    return " ".join(text.split()) or "conversation"


def _closed(text: str) -> str:
    """`text` with a fence at its end where its last code block has none."""
    found = events(text)
    opened = sum(isinstance(event, Opened) for event in found)
    if opened == sum(isinstance(event, Closed) for event in found):
        return text
    return "".join(_blocks(text))


def _blocks(text: str) -> Iterator[str]:
    """Prose as it is, and every code block whole, in a fence of its own."""
    code, language, inside = "", "", False
    for event in (*events(text), Closed()):
        if isinstance(event, Prose):
            yield event.text
        elif isinstance(event, Opened):
            code, language, inside = "", event.language, True
        elif isinstance(event, Code):
            code = event.text
        elif inside:
            inside = False
            yield fenced(code, language)


def fenced(code: str, language: str) -> str:
    """A code block in a fence that nothing in it closes."""
    longest = max(map(len, _BACKTICKS.findall(code)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{language}\n{code}{'' if code.endswith(chr(10)) else chr(10)}{fence}\n"


def document(conversation: Conversation, path: Sequence[StoredTurn]) -> dict[str, Any]:
    """Everything that is kept of the conversation, but for token ids."""
    keys = ("id", "title", "mode", "model", "system")
    kept = {key: getattr(conversation, key) for key in keys}
    return {**kept, "turns": [_turn(stored) for stored in path]}


def _turn(stored: StoredTurn) -> dict[str, Any]:
    return {
        "role": stored.turn.role,
        "text": stored.turn.text,
        "state": stored.state,
        "model": stored.model,
        "stats": dict(stored.stats),
    }


def notebook(conversation: Conversation, path: Sequence[StoredTurn]) -> dict[str, Any]:
    """Questions and prose as Markdown cells, the answers' Python as code cells, none of it run."""
    sources = [("markdown", f"# {_single(conversation.title)}")]
    if conversation.system:
        sources.append(("markdown", f"**system:** {conversation.system}"))
    for stored in path:
        if stored.turn.role == "user":
            sources.append(("markdown", f"**{_heading(stored)}:** {_closed(stored.turn.text)}"))
        else:
            sources += _answer_cells(stored.turn.text)
    cells = [_cell(kind, text, number) for number, (kind, text) in enumerate(sources)]
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
    """Kind and source of the cells of one answer; code in other languages stays prose."""
    prose, code, language, inside = "", "", "", False
    for event in (*events(text), Closed()):
        if isinstance(event, Prose):
            prose += event.text
        elif isinstance(event, Opened):
            code, language, inside = "", event.language, True
        elif isinstance(event, Code):
            code = event.text
        elif inside and language in _PYTHON:
            inside = False
            yield from _prose_cell(prose)
            yield "code", code.rstrip("\n")
            prose = ""
        elif inside:
            inside = False
            prose += fenced(code, language)
    yield from _prose_cell(prose)


def _prose_cell(text: str) -> Iterator[tuple[str, str]]:
    if text.strip():
        yield "markdown", text.strip("\n")


def _cell(kind: str, text: str, number: int) -> dict[str, Any]:
    """A cell; its id has to be unique in the notebook alone."""
    cell: dict[str, Any] = {
        "cell_type": kind,
        "id": f"cell-{number}",
        "metadata": {},
        "source": text.splitlines(keepends=True),
    }
    return cell if kind == "markdown" else {**cell, "execution_count": None, "outputs": []}


def messages(conversation: Conversation, path: Sequence[StoredTurn]) -> dict[str, Any] | None:
    """A row of `messages`: each question that has an answer, with it; None where there is none."""
    said: list[dict[str, Any]] = []
    asked: Turn | None = None
    for stored in path:
        turn = stored.turn
        if turn.role == "user":
            asked = turn
        elif asked is not None and asked.text.strip() and turn.text.strip():
            said += [_message(asked), _message(turn)]
            if stored.state != "done":
                said[-1]["weight"] = 0
            asked = None
    if not said:
        return None
    if conversation.system.strip():
        said.insert(0, {"role": "system", "content": conversation.system})
    kept = {key: getattr(conversation, key) for key in ("id", "title", "mode", "model")}
    return {**kept, "messages": said}


def _message(turn: Turn) -> dict[str, Any]:
    return {"role": turn.role, "content": turn.text}
