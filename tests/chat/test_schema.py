"""Migrations of the database."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from starchat_tui.chat.schema import MIGRATIONS
from starchat_tui.chat.store import ConversationStore


def test_first_version_is_migrated(tmp_path: Path) -> None:
    file = tmp_path / "chats.db"
    old = sqlite3.connect(file)
    for statement in MIGRATIONS[0]:
        old.execute(statement)
    old.execute("INSERT INTO conversation VALUES ('ab', 't', 'chat', 'm', '', NULL, 1, 1)")
    old.execute("PRAGMA user_version = 1")
    old.commit()
    old.close()
    store = ConversationStore.open(file)
    assert store.find_conversation("ab").allowed == ""


def test_new_database_has_the_last_version() -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    ConversationStore(connection)
    assert connection.execute("PRAGMA user_version").fetchone()[0] == len(MIGRATIONS)
