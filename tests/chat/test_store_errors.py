"""Errors of the conversation database, as SQLite raises them."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from starchat_tui.chat.store import ConversationStore
from starchat_tui.chat.store_errors import StoreError, suggest_remedy, translate_errors
from starchat_tui.dialogue import Turn
from starchat_tui.errors import ConfigError


def test_a_file_that_is_no_database_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "chats.db"
    path.write_bytes(b"no database " * 1000)
    with pytest.raises(ConfigError, match="not a database") as caught:
        ConversationStore.open(path)
    assert "starchat recover" in (caught.value.hint or "")


def test_a_locked_file_is_not_damaged(tmp_path: Path) -> None:
    store = ConversationStore.open(tmp_path / "chats.db")
    store._connection.execute("PRAGMA busy_timeout = 0")
    other = sqlite3.connect(tmp_path / "chats.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="locked") as caught:
        store.create_conversation("t", mode="chat", model="m", system="")
    assert caught.value.hint == (
        f"another program holds the file: `fuser {tmp_path}/chats.db` tells which"
    )
    other.close()


def test_a_full_disk_is_no_damage(tmp_path: Path) -> None:
    """The limit on pages raises what a full disk raises."""
    store = ConversationStore.open(tmp_path / "chats.db")
    store._connection.execute("PRAGMA max_page_count = 1")
    name = store.create_conversation("t", mode="chat", model="m", system="")
    with pytest.raises(StoreError, match="full") as caught:
        store.add_turn(name, Turn("user", "x" * 10**6), parent=None, state="done", model="m")
    assert caught.value.hint == "free some disk space, then ask again"


@pytest.mark.parametrize(
    ("code", "word"),
    [
        (sqlite3.SQLITE_IOERR_WRITE, "disk"),
        (sqlite3.SQLITE_READONLY_DIRECTORY, "writable"),
        (sqlite3.SQLITE_CANTOPEN, "writable"),
        (sqlite3.SQLITE_CORRUPT_VTAB, "starchat recover"),
        (sqlite3.SQLITE_ERROR, "move the file away"),
    ],
)
def test_each_kind_of_error_has_its_remedy(code: int, word: str) -> None:
    """Codes have a kind in their low byte and a reason above it."""
    error = sqlite3.OperationalError("words of SQLite")
    error.sqlite_errorcode = code
    assert word in suggest_remedy(error, "chats.db")
    with pytest.raises(StoreError, match="words of SQLite"), translate_errors("chats.db"):
        raise error
