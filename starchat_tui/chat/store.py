"""Conversations in SQLite: a tree of turns, full-text search, nothing lost on kill -9.

A turn has a parent; retry and edit make siblings; nothing is overwritten but an answer that grows.
WAL with one writer at a time (`BEGIN IMMEDIATE`): what was committed survives the process.
"""

from __future__ import annotations

import array
import json
import os
import secrets
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from starchat_tui.dialogue import Mode, Role, Turn
from starchat_tui.errors import ConfigError, StarChatError, UsageError
from starchat_tui.sanitize import whole

State = Literal["done", "partial", "stopped", "cut", "failed"]
"""How a turn ended; `partial` is one whose process died, or that still grows."""

_MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE conversation (
            id TEXT PRIMARY KEY, title TEXT NOT NULL, mode TEXT NOT NULL, model TEXT NOT NULL,
            system TEXT NOT NULL, head INTEGER, created REAL NOT NULL, updated REAL NOT NULL
        )""",
        """CREATE TABLE turn (
            id INTEGER PRIMARY KEY,
            conversation TEXT NOT NULL REFERENCES conversation(id) ON DELETE CASCADE,
            parent INTEGER REFERENCES turn(id), role TEXT NOT NULL, text TEXT NOT NULL,
            state TEXT NOT NULL, model TEXT NOT NULL, ids BLOB NOT NULL, vocabulary TEXT NOT NULL,
            stats TEXT NOT NULL, created REAL NOT NULL
        )""",
        "CREATE INDEX turn_parent ON turn(conversation, parent)",
        "CREATE INDEX conversation_updated ON conversation(updated)",
        "CREATE VIRTUAL TABLE search USING fts5(text, content='turn', content_rowid='id')",
        """CREATE TRIGGER turn_added AFTER INSERT ON turn BEGIN
            INSERT INTO search(rowid, text) VALUES (new.id, new.text);
        END""",
        """CREATE TRIGGER turn_removed AFTER DELETE ON turn BEGIN
            INSERT INTO search(search, rowid, text) VALUES ('delete', old.id, old.text);
        END""",
        """CREATE TRIGGER turn_grown AFTER UPDATE OF text ON turn BEGIN
            INSERT INTO search(search, rowid, text) VALUES ('delete', old.id, old.text);
            INSERT INTO search(rowid, text) VALUES (new.id, new.text);
        END""",
    ),
    (
        "ALTER TABLE conversation ADD COLUMN allowed TEXT NOT NULL DEFAULT ''",
        """CREATE TABLE run (
            id INTEGER PRIMARY KEY, turn INTEGER NOT NULL REFERENCES turn(id) ON DELETE CASCADE,
            block INTEGER NOT NULL, code TEXT NOT NULL, document TEXT NOT NULL,
            created REAL NOT NULL
        )""",
        "CREATE INDEX run_turn ON run(turn, block)",
        """CREATE TABLE picture (
            run INTEGER NOT NULL REFERENCES run(id) ON DELETE CASCADE, place INTEGER NOT NULL,
            png BLOB NOT NULL, PRIMARY KEY (run, place)
        )""",
    ),
)


class NotKept(StarChatError):
    """The database did not take something, or did not give it."""

    code = "not_kept"


@dataclass(frozen=True, slots=True)
class Summary:
    """A conversation as a list shows it."""

    id: str
    title: str
    mode: Mode
    model: str
    turns: int
    updated: float
    """Seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """What is kept of a conversation beside its turns."""

    id: str
    title: str
    mode: Mode
    model: str
    system: str
    head: int | None
    """The turn it continues from."""
    allowed: str
    """Whether its code may run without asking, as the session writes it."""


@dataclass(frozen=True, slots=True)
class StoredRun:
    """What a code block came to when it was last run."""

    block: int
    """Its place among the code blocks of its turn, from 0 on."""
    code: str
    document: str
    """What the run said, as JSON; its pictures lie beside it."""
    pictures: tuple[bytes, ...]
    """PNG, in order."""


@dataclass(frozen=True, slots=True)
class StoredTurn:
    """A turn with its place in the tree."""

    id: int
    parent: int | None
    turn: Turn
    state: State
    model: str
    stats: Mapping[str, Any]


class History:
    """The conversations of one user."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._within = False
        """Whether what is written now is part of a larger whole."""
        connection.row_factory = sqlite3.Row
        connection.executescript("PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 10000;")
        self._migrate()

    @classmethod
    def open(cls, path: Path) -> History:
        """Open or make the database, readable by its owner alone (0600)."""
        try:
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            connection = sqlite3.connect(path, isolation_level=None)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            return cls(connection)
        except (OSError, sqlite3.DatabaseError, NotKept) as error:
            raise ConfigError(
                f"The conversations in `{path}` cannot be opened ({error.__cause__ or error})",
                "move the file away to start anew, or ask once without it: `starchat -n`",
            ) from error

    @classmethod
    def in_memory(cls) -> History:
        """Conversations that leave with the process."""
        return cls(sqlite3.connect(":memory:", isolation_level=None))

    def close(self) -> None:
        """Close the database."""
        self._connection.close()

    def _migrate(self) -> None:
        if self._version() == len(_MIGRATIONS):
            return
        with self.at_once() as writer:
            # Asked again behind the lock: another process may have migrated meanwhile.
            version = self._version()
            if version > len(_MIGRATIONS):
                raise ConfigError(
                    "The conversations were written by a newer StarChat", "upgrade this one"
                )
            for statements in _MIGRATIONS[version:]:
                for statement in statements:
                    writer.execute(statement)
            writer.execute(f"PRAGMA user_version = {len(_MIGRATIONS)}")

    def _version(self) -> int:
        return int(self._connection.execute("PRAGMA user_version").fetchone()[0])

    @contextmanager
    def at_once(self) -> Iterator[sqlite3.Connection]:
        """What is written within is committed together, or not at all; raises `NotKept`."""
        if self._within:
            yield self._connection
            return
        with _told():
            self._connection.execute("BEGIN IMMEDIATE")
            self._within = True
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                # After some errors, a full disk among them, SQLite has rolled back by itself.
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
            finally:
                self._within = False

    def _rows(self, query: str, values: Sequence[object] | Mapping[str, object]) -> list[Any]:
        with _told():
            return self._connection.execute(query, values).fetchall()

    def start(self, title: str, *, mode: Mode, model: str, system: str) -> str:
        """A new conversation; its id is eight hex digits."""
        name, now = secrets.token_hex(4), time.time()
        with self.at_once() as writer:
            writer.execute(
                "INSERT INTO conversation (id, title, mode, model, system, created, updated)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (name, whole(title), mode, model, whole(system), now, now),
            )
        return name

    def add(
        self, conversation: str, turn: Turn, *, parent: int | None, state: State, model: str
    ) -> int:
        """Commit a turn below `parent` and make it the head; the turn's id."""
        now = time.time()
        with self.at_once() as writer:
            added = writer.execute(
                "INSERT INTO turn (conversation, parent, role, text, state, model, ids, vocabulary,"
                " stats, created) VALUES (?, ?, ?, ?, ?, ?, ?, ?, '{}', ?)",
                (
                    *(conversation, parent, turn.role, whole(turn.text), state, model),
                    *(_packed(turn.ids), turn.vocabulary, now),
                ),
            ).lastrowid
            writer.execute(
                "UPDATE conversation SET head = ?, updated = ? WHERE id = ?",
                (added, now, conversation),
            )
        return int(added or 0)

    def write(
        self, turn_id: int, turn: Turn, *, state: State, stats: Mapping[str, Any] | None = None
    ) -> None:
        """Commit what an answer has become."""
        with self.at_once() as writer:
            writer.execute(
                "UPDATE turn SET text = ?, ids = ?, vocabulary = ?, state = ?, stats = ?"
                " WHERE id = ?",
                (
                    *(whole(turn.text), _packed(turn.ids), turn.vocabulary, state),
                    *(json.dumps(dict(stats or {})), turn_id),
                ),
            )

    def change(self, conversation: str, **columns: str | int | None) -> None:
        """Set `mode`, `model`, `system`, `title`, `head` or `allowed` of a conversation."""
        assert set(columns) <= {"mode", "model", "system", "title", "head", "allowed"}, columns
        assignments = ", ".join(f"{name} = ?" for name in columns)
        with self.at_once() as writer:
            writer.execute(
                f"UPDATE conversation SET {assignments} WHERE id = ?",
                (*columns.values(), conversation),
            )

    def remove(self, conversation: str) -> None:
        """Delete a conversation, its turns, and what their code came to."""
        # What was deleted is overwritten, in the file and in the log beside it.
        self._rows("PRAGMA secure_delete = ON", ())
        with self.at_once() as writer:
            writer.execute("UPDATE conversation SET head = NULL WHERE id = ?", (conversation,))
            writer.execute("UPDATE turn SET parent = NULL WHERE conversation = ?", (conversation,))
            writer.execute("DELETE FROM turn WHERE conversation = ?", (conversation,))
            writer.execute("DELETE FROM conversation WHERE id = ?", (conversation,))
        # Full-text search has only marked the words as deleted. Its option `secure-delete` would
        # do, but SQLite before 3.42 cannot read a database that has used it.
        self._rows("INSERT INTO search(search) VALUES ('rebuild')", ())
        self._rows("PRAGMA wal_checkpoint(TRUNCATE)", ())

    def conversation(self, name: str) -> Conversation:
        """The conversation whose id begins with `name`, or `last`."""
        if name == "last":
            query = "SELECT * FROM conversation ORDER BY updated DESC LIMIT 1"
        else:
            query = "SELECT * FROM conversation WHERE substr(id, 1, length(:name)) = :name LIMIT 2"
        found = self._rows(query, {"name": name}) if name else []
        if len(found) != 1:
            problem = f"`{name}` is the beginning of several ids" if found else _absent(name)
            raise UsageError(problem, "`starchat ls` lists them")
        row = found[0]
        keys = ("id", "title", "mode", "model", "system", "head", "allowed")
        return Conversation(*(row[key] for key in keys))

    def path(self, conversation: str, head: int | None = None) -> list[StoredTurn]:
        """The turns from the first to `head`, by default the conversation's own."""
        rows = self._rows(
            "WITH RECURSIVE up(id, depth) AS ("
            " SELECT coalesce(:head, head), 0 FROM conversation WHERE id = :conversation"
            " UNION ALL SELECT turn.parent, depth + 1 FROM turn JOIN up ON turn.id = up.id"
            "  WHERE turn.parent IS NOT NULL)"
            " SELECT turn.* FROM turn JOIN up ON turn.id = up.id ORDER BY depth DESC",
            {"conversation": conversation, "head": head},
        )
        return [_stored(row) for row in rows]

    def add_run(
        self, turn_id: int, block: int, code: str, document: str, pictures: Sequence[bytes]
    ) -> None:
        """Commit what a code block of a turn came to; earlier runs of it stay."""
        with self.at_once() as writer:
            added = writer.execute(
                "INSERT INTO run (turn, block, code, document, created) VALUES (?, ?, ?, ?, ?)",
                (turn_id, block, whole(code), whole(document), time.time()),
            ).lastrowid
            writer.executemany(
                "INSERT INTO picture VALUES (?, ?, ?)",
                [(added, place, png) for place, png in enumerate(pictures)],
            )

    def runs(self, turn_id: int) -> list[StoredRun]:
        """The last run of each code block of a turn, in the order of the blocks."""
        rows = self._rows(
            "SELECT * FROM run WHERE id IN (SELECT max(id) FROM run WHERE turn = ? GROUP BY block)"
            " ORDER BY block",
            (turn_id,),
        )
        return [
            StoredRun(row["block"], row["code"], row["document"], self._pictures(row["id"]))
            for row in rows
        ]

    def _pictures(self, run_id: int) -> tuple[bytes, ...]:
        query = "SELECT png FROM picture WHERE run = ? ORDER BY place"
        return tuple(row["png"] for row in self._rows(query, (run_id,)))

    def siblings(self, turn_id: int) -> list[int]:
        """The ids of the turns that share a parent with `turn_id`, itself included."""
        rows = self._rows(
            "SELECT other.id FROM turn JOIN turn AS other"
            " ON other.conversation = turn.conversation AND other.parent IS turn.parent"
            " WHERE turn.id = ? ORDER BY other.id",
            (turn_id,),
        )
        return [int(row["id"]) for row in rows]

    def summaries(self, query: str = "", *, limit: int = 200) -> list[Summary]:
        """The newest conversations, or those whose turns or title hold the words of `query`."""
        where, values = "", list[object]()
        if query.strip():
            where = (
                "WHERE c.id IN (SELECT turn.conversation FROM search JOIN turn"
                " ON turn.id = search.rowid WHERE search MATCH ?) OR c.title LIKE ? ESCAPE '\\'"
            )
            values = [_match(query), f"%{_literal(query)}%"]
        rows = self._rows(
            "SELECT c.*, (SELECT count(*) FROM turn WHERE conversation = c.id) AS turns"
            f" FROM conversation AS c {where} ORDER BY c.updated DESC LIMIT ?",
            (*values, limit),
        )
        keys = ("id", "title", "mode", "model", "turns", "updated")
        return [Summary(*(row[key] for key in keys)) for row in rows]


@contextmanager
def _told() -> Iterator[None]:
    """Raise `NotKept` for what SQLite raises."""
    try:
        yield
    except sqlite3.IntegrityError as error:
        raise NotKept("This conversation is gone", "it was removed: `/new` begins one") from error
    except sqlite3.Error as error:
        raise NotKept(
            f"The conversations cannot be read or written ({error})",
            "another program may hold them, or the disk is full: see to that and try again",
        ) from error


def _absent(name: str) -> str:
    return "There is no conversation yet" if name == "last" else f"No conversation `{name}`"


def _stored(row: sqlite3.Row) -> StoredTurn:
    turn = Turn(cast(Role, row["role"]), row["text"], _unpacked(row["ids"]), row["vocabulary"])
    state, stats = cast(State, row["state"]), json.loads(row["stats"])
    return StoredTurn(row["id"], row["parent"], turn, state, row["model"], stats)


def _packed(ids: tuple[int, ...]) -> bytes:
    return array.array("I", ids).tobytes()


def _unpacked(blob: bytes) -> tuple[int, ...]:
    return tuple(array.array("I", blob))


def _match(query: str) -> str:
    """Every word of the query as a literal prefix, for FTS5."""
    words = (word.replace('"', '""') for word in query.split())
    return " ".join(f'"{word}"*' for word in words)


def _literal(query: str) -> str:
    return query.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
