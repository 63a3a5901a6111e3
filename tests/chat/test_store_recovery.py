"""Recovery of databases that are damaged in all kinds of places."""

from __future__ import annotations

import os
import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from starchat_tui.chat.store import ConversationStore
from starchat_tui.chat.store_errors import StoreError
from starchat_tui.chat.store_recovery import recover_database
from starchat_tui.dialogue import Turn

PAGE = 4096
TITLES = [f"conversation {number}" for number in range(40)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Database of conversations on many pages, with a run and plots in each."""
    path = tmp_path / "what a folder?#%20" / "chats.db"
    path.parent.mkdir(mode=0o700)
    store = ConversationStore.open(path)
    for title in TITLES:
        name = store.create_conversation(title, mode="chat", model="m", system="")
        asked = store.add_turn(
            name, Turn("user", f"q {title}"), parent=None, state="done", model=""
        )
        answer = Turn("assistant", random.randbytes(1500).hex(), (1, 2, 3))
        answered = store.add_turn(name, answer, parent=asked, state="done", model="m")
        store.add_run(answered, 0, "plot()", "{}", [random.randbytes(3000)])
    store.close()
    return path


def overwrite(path: Path, page: int, count: int = 1) -> None:
    with path.open("r+b") as file:
        file.seek(page * PAGE)
        file.write(random.randbytes(count * PAGE))


def load_all(path: Path) -> int:
    """Load all of a database; return the number of turns."""
    with closing(ConversationStore.open(path)) as store:
        turns = [
            stored for one in store.list_summaries(limit=-1) for stored in store.load_path(one.id)
        ]
        for stored in turns:
            store.load_runs(stored.id)
        return len(turns)


def check_loads(path: Path) -> int:
    """Check a database as SQLite and the store do; return the number of turns."""
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []
    turns = load_all(path)
    store = ConversationStore.open(path)
    # It can be searched and written, too.
    assert store.list_summaries("conversation")
    store.create_conversation("new", mode="chat", model="m", system="")
    store.close()
    return turns


def test_an_intact_database_stays_as_it_is(path: Path) -> None:
    found = recover_database(path)
    assert (found.conversations, found.turns, found.lost_rows) == (40, 80, 0)
    assert found.damaged_file.exists()
    assert check_loads(path) == 80
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("seed", range(12))
def test_what_can_be_read_is_saved(path: Path, seed: int) -> None:
    random.seed(seed)
    pages = path.stat().st_size // PAGE
    for _ in range(1 + seed % 3):
        # The first page is the schema, without which no page has a meaning.
        overwrite(path, random.randrange(1, pages))
    found = recover_database(path)
    turns = check_loads(path)
    assert turns == found.turns
    # A page near the root of a table may hold the way to all of its rows.
    assert turns + found.conversations > 30


def test_damage_is_found_and_ended(path: Path) -> None:
    overwrite(path, path.stat().st_size // PAGE // 2, 8)
    with pytest.raises(StoreError) as caught:
        load_all(path)
    assert "starchat recover" in (caught.value.hint or "")
    recover_database(path)
    check_loads(path)


def break_stats(database: sqlite3.Connection) -> None:
    database.execute("UPDATE turn SET stats = 'no JSON', ids = x'010203' WHERE role = 'assistant'")


def lose_conversations(database: sqlite3.Connection) -> None:
    database.execute("DELETE FROM conversation")


def lose_questions(database: sqlite3.Connection) -> None:
    database.execute("DELETE FROM turn WHERE role = 'user'")


def confuse_roles(database: sqlite3.Connection) -> None:
    database.execute("UPDATE turn SET role = 'x' WHERE role = 'user'")


@pytest.mark.parametrize(
    ("damage", "turns"),
    [(break_stats, 80), (lose_conversations, 80), (lose_questions, 40), (confuse_roles, 40)],
)
def test_rows_that_make_no_sense_are_mended_or_left_out(
    path: Path, damage: Callable[[sqlite3.Connection], None], turns: int
) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        damage(database)
    recover_database(path)
    assert check_loads(path) == turns


@pytest.mark.parametrize("content", [b"", b"no database " * 1000])
def test_where_nothing_can_be_read_nothing_is_moved(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "chats.db"
    path.write_bytes(content)
    with pytest.raises(StoreError, match="Nothing can be read"):
        recover_database(path)
    assert os.listdir(tmp_path) == ["chats.db"]
    assert path.read_bytes() == content


def test_a_second_recovery_keeps_what_the_first_kept(path: Path) -> None:
    first = recover_database(path).damaged_file
    assert recover_database(path).damaged_file != first
    assert first.exists()
