"""Recovery of a damaged conversation database: what can be read is copied into a new one.

The `.recover` of the sqlite3 program refuses databases with a full-text index in the releases that
current distributions have.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from starchat_tui.chat.store import ConversationStore
from starchat_tui.chat.store_errors import StoreError

_TABLES = ("conversation", "turn", "run", "picture")
_MAX_GAP = 100_000
"""Consecutive row ids that are tried in vain before a table counts as read."""
_ROLES = ("system", "user", "assistant")
_REPAIRS = (
    """INSERT INTO conversation (id, title, mode, model, system, created, updated)
        SELECT conversation, '(recovered)', 'chat', min(model), '', min(created), max(created)
        FROM turn WHERE conversation NOT IN (SELECT id FROM conversation) GROUP BY conversation""",
    # A turn whose predecessor is lost follows the one before it, so that the rest is still shown.
    """UPDATE turn SET parent = (SELECT max(id) FROM turn AS other
        WHERE other.conversation = turn.conversation AND other.id < turn.id)
        WHERE parent NOT IN (SELECT id FROM turn) OR parent >= id""",
    """UPDATE conversation SET head = (SELECT max(id) FROM turn
        WHERE conversation = conversation.id)
        WHERE head IS NULL OR head NOT IN
        (SELECT id FROM turn WHERE conversation = conversation.id)""",
    "DELETE FROM run WHERE turn NOT IN (SELECT id FROM turn)",
    "DELETE FROM picture WHERE run NOT IN (SELECT id FROM run)",
)


@dataclass(frozen=True, slots=True)
class Recovery:
    """Result of a recovery."""

    conversations: int
    turns: int
    lost_rows: int
    """Rows that could not be read; 0 also where nothing says how many there were."""
    damaged_file: Path
    """New place of the damaged database."""


def recover_database(path: Path) -> Recovery:
    """Replace a database by one with what can be read of it, and keep the damaged one beside it.

    Raises `StoreError` if nothing can be read.
    """
    fresh = path.with_name(f"{path.name}.recovered")
    for leftover in _list_files(fresh):
        leftover.unlink(missing_ok=True)
    ConversationStore.open(fresh).close()
    lost = 0
    # Read-only: a damaged file would be damaged further by the checkpoint when it is closed.
    source = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)
    target = sqlite3.connect(fresh)
    with closing(source), closing(target):
        source.row_factory = sqlite3.Row
        source.text_factory = lambda raw: raw.decode(errors="replace")
        with target:
            for table in _TABLES:
                lost += _copy_table(source, target, table)
            for statement in _REPAIRS:
                target.execute(statement)
        conversations, turns = (_count_rows(target, table) for table in _TABLES[:2])
    if not conversations:
        for leftover in _list_files(fresh):
            leftover.unlink(missing_ok=True)
        raise StoreError(f"Nothing can be read of `{path}`", "move it away to start a new one")
    return Recovery(conversations, turns, lost, _exchange_files(path, fresh))


def _copy_table(source: sqlite3.Connection, target: sqlite3.Connection, table: str) -> int:
    """Copy the rows of a table that can be read; return how many others there are."""
    columns = [row[1] for row in target.execute(f"PRAGMA table_info({table})")]
    names, marks = ", ".join(columns), ", ".join("?" * len(columns))
    copied = 0
    for row in _read_rows(source, table):
        values = _mend_row(table, dict(zip(row.keys(), row, strict=True)))
        if values is None:
            continue
        with suppress(sqlite3.Error):
            target.execute(
                f"INSERT INTO {table} ({names}) VALUES ({marks})",
                [values.get(column, "") for column in columns],
            )
            copied += 1
    with suppress(sqlite3.Error):
        return max(0, _count_rows(source, table) - copied)
    return 0


def _read_rows(source: sqlite3.Connection, table: str) -> Iterator[sqlite3.Row]:
    """Yield the rows that can be read, by their ids."""
    query = f"SELECT rowid AS rowid_, * FROM {table} WHERE rowid > ? ORDER BY rowid LIMIT 1"
    rowid = gap = 0
    while gap < _MAX_GAP:
        try:
            row = source.execute(query, (rowid,)).fetchone()
        except sqlite3.Error:
            # The page of this row or of the next one is damaged.
            rowid, gap = rowid + 1, gap + 1
            continue
        if row is None:
            return
        rowid, gap = row["rowid_"], 0
        yield row


def _mend_row(table: str, row: dict[str, Any]) -> dict[str, Any] | None:
    """Return a row that the store can load; None if it makes no sense."""
    if table != "turn":
        return row
    if row["role"] not in _ROLES:
        return None
    if not isinstance(row["ids"], bytes) or len(row["ids"]) % 4:
        row["ids"] = b""
    try:
        is_object = isinstance(json.loads(row["stats"]), dict)
    except (TypeError, ValueError):
        is_object = False
    return row if is_object else row | {"stats": "{}"}


def _count_rows(connection: sqlite3.Connection, table: str) -> int:
    return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def _exchange_files(path: Path, fresh: Path) -> Path:
    """Put `fresh` into the place of `path`; return where that is now."""
    number = 1
    while (damaged := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    # The write-ahead log goes along: it would be applied to the new file.
    for old, new in zip(_list_files(path), _list_files(damaged), strict=True):
        with suppress(FileNotFoundError):
            os.replace(old, new)
    os.replace(fresh, path)
    return damaged


def _list_files(path: Path) -> list[Path]:
    return [path.with_name(f"{path.name}{suffix}") for suffix in ("", "-wal", "-shm")]
