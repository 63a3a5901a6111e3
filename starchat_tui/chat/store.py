"""Conversations in SQLite: a tree of turns with full-text search.

Every turn has a parent; retrying adds a sibling. Only an answer that is being written is ever
overwritten. The journal is a WAL with one writer at a time (`BEGIN IMMEDIATE`), so committed text
survives even kill -9.
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
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, cast

from starchat_tui.chat.schema import MIGRATIONS
from starchat_tui.chat.store_errors import StoreError, suggest_remedy, translate_errors
from starchat_tui.config.paths import make_private_directory
from starchat_tui.dialogue import Mode, Role, Turn
from starchat_tui.errors import ConfigError, UsageError
from starchat_tui.sanitize import replace_surrogates

State = Literal["done", "partial", "stopped", "cut", "failed"]
"""State of a turn; `partial`: still being written, or its process died."""


@dataclass(frozen=True, slots=True)
class Summary:
    """A conversation in a list."""

    id: str
    title: str
    mode: Mode
    model: str
    questions: int
    updated: float
    """Seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """A stored conversation, without its turns."""

    id: str
    title: str
    mode: Mode
    model: str
    system: str
    head: int | None
    """Id of the turn from which it continues."""
    allowed: str
    """Standing permission to run code, as `consent.stored_permission` writes it."""
    environment: str
    """Environment of its code; empty if it was stored before there were any."""


@dataclass(frozen=True, slots=True)
class StoredRun:
    """Result of the last run of a code block."""

    block: int
    """Index of the block within its turn, from 0."""
    code: str
    document: str
    """Result as JSON, without its plots."""
    pictures: tuple[bytes, ...]
    """Plots as PNG, in order."""


@dataclass(frozen=True, slots=True)
class StoredTurn:
    """A turn and its position in the tree."""

    id: int
    parent: int | None
    turn: Turn
    state: State
    model: str
    stats: Mapping[str, Any]


class ConversationStore:
    """The conversation database of one user."""

    def __init__(self, connection: sqlite3.Connection, path: str = "") -> None:
        self._connection = connection
        self._path = path
        self._in_transaction = False
        """True within `transaction`; a nested one joins it."""
        connection.row_factory = sqlite3.Row
        connection.executescript("PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 10000;")
        self._migrate()

    @classmethod
    def open(cls, path: Path) -> ConversationStore:
        """Open or create the database, readable by its owner alone (0600)."""
        try:
            make_private_directory(path.parent)
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            connection = sqlite3.connect(path, isolation_level=None)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            return cls(connection, str(path))
        except ConfigError as error:
            raise ConfigError(
                f"Conversations cannot be stored: {error.message}",
                f"use `starchat -n` to do without, or {error.hint}",
            ) from error
        except (OSError, sqlite3.DatabaseError, StoreError) as error:
            cause = error.__cause__ or error
            raise ConfigError(
                f"The conversations in `{path}` cannot be opened "
                f"({getattr(cause, 'strerror', None) or cause})",
                suggest_remedy(cause, str(path)),
            ) from error

    @classmethod
    def in_memory(cls) -> ConversationStore:
        """Create a store that is lost with the process."""
        return cls(sqlite3.connect(":memory:", isolation_level=None))

    def close(self) -> None:
        """Close the database."""
        self._connection.close()

    def _migrate(self) -> None:
        if self._schema_version() == len(MIGRATIONS):
            return
        with self.transaction() as writer:
            # Read again under the lock: another process may have migrated meanwhile.
            version = self._schema_version()
            if version > len(MIGRATIONS):
                raise ConfigError(
                    "The conversations were written by a newer StarChat", "upgrade StarChat"
                )
            for statements in MIGRATIONS[version:]:
                for statement in statements:
                    writer.execute(statement)
            writer.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")

    def _schema_version(self) -> int:
        return int(self._connection.execute("PRAGMA user_version").fetchone()[0])

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Commit all writes of the block together, or none; raises `StoreError`."""
        if self._in_transaction:
            yield self._connection
            return
        with translate_errors(self._path):
            self._connection.execute("BEGIN IMMEDIATE")
            self._in_transaction = True
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                # After some errors, a full disk among them, SQLite has rolled back by itself.
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
            finally:
                self._in_transaction = False

    def _fetch_rows(self, query: str, values: Sequence[object] | Mapping[str, object]) -> list[Any]:
        with translate_errors(self._path):
            return self._connection.execute(query, values).fetchall()

    def create_conversation(
        self, title: str, *, mode: Mode, model: str, system: str, environment: str = ""
    ) -> str:
        """Store a new conversation and return its id, eight hex digits."""
        name, now = secrets.token_hex(4), time.time()
        texts = map(replace_surrogates, (title, mode, model, system, environment))
        with self.transaction() as writer:
            writer.execute(
                "INSERT INTO conversation (id, title, mode, model, system, environment, created,"
                " updated) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (name, *texts, now, now),
            )
        return name

    def add_turn(
        self, conversation: str, turn: Turn, *, parent: int | None, state: State, model: str
    ) -> int:
        """Store a turn below `parent`, make it the head and return its id."""
        now = time.time()
        with self.transaction() as writer:
            added = writer.execute(
                "INSERT INTO turn (conversation, parent, role, text, state, model, ids, vocabulary,"
                " stats, created) VALUES (?, ?, ?, ?, ?, ?, ?, ?, '{}', ?)",
                (
                    *(conversation, parent, turn.role, replace_surrogates(turn.text), state, model),
                    *(_pack_ids(turn.ids), turn.tokenizer_fingerprint, now),
                ),
            ).lastrowid
            writer.execute(
                "UPDATE conversation SET head = ?, updated = ? WHERE id = ?",
                (added, now, conversation),
            )
        return int(added or 0)

    def update_turn(
        self, turn_id: int, turn: Turn, *, state: State, stats: Mapping[str, Any] | None = None
    ) -> None:
        """Overwrite the answer of a turn."""
        with self.transaction() as writer:
            writer.execute(
                "UPDATE turn SET text = ?, ids = ?, vocabulary = ?, state = ?, stats = ?"
                " WHERE id = ?",
                (
                    *(
                        replace_surrogates(turn.text),
                        _pack_ids(turn.ids),
                        turn.tokenizer_fingerprint,
                        state,
                    ),
                    *(json.dumps(dict(stats or {})), turn_id),
                ),
            )

    def update_conversation(self, conversation: str, **columns: str | int | None) -> None:
        """Set columns of a conversation: any field of `Conversation` but its id."""
        assert set(columns) < {field.name for field in fields(Conversation)}, columns
        assignments = ", ".join(f"{name} = ?" for name in columns)
        with self.transaction() as writer:
            writer.execute(
                f"UPDATE conversation SET {assignments} WHERE id = ?",
                (*columns.values(), conversation),
            )

    def delete_conversation(self, conversation: str) -> None:
        """Delete a conversation with its turns and runs, so that no text stays in the files."""
        # Deleted content is overwritten, in the database and at the end in the WAL.
        self._fetch_rows("PRAGMA secure_delete = ON", ())
        with self.transaction() as writer:
            writer.execute("UPDATE conversation SET head = NULL WHERE id = ?", (conversation,))
            writer.execute("UPDATE turn SET parent = NULL WHERE conversation = ?", (conversation,))
            writer.execute("DELETE FROM turn WHERE conversation = ?", (conversation,))
            writer.execute("DELETE FROM conversation WHERE id = ?", (conversation,))
        # Full-text search only marks words as deleted. Its option `secure-delete` would remove
        # them, but SQLite before 3.42 cannot read a database that has used it.
        self._fetch_rows("INSERT INTO search(search) VALUES ('rebuild')", ())
        self._fetch_rows("PRAGMA wal_checkpoint(TRUNCATE)", ())

    def find_conversation(self, name: str) -> Conversation:
        """Return the conversation whose id begins with `name`, or the `last` one."""
        if name == "last":
            query = "SELECT * FROM conversation ORDER BY updated DESC LIMIT 1"
        else:
            query = "SELECT * FROM conversation WHERE substr(id, 1, length(:name)) = :name LIMIT 2"
        found = self._fetch_rows(query, {"name": name}) if name else []
        if len(found) != 1:
            problem = f"Several ids begin with `{name}`" if found else _not_found_message(name)
            raise UsageError(problem, "`starchat ls` lists them")
        row = found[0]
        return Conversation(*(row[field.name] for field in fields(Conversation)))

    def load_path(self, conversation: str, head: int | None = None) -> list[StoredTurn]:
        """Return the turns from the first to `head`, by default the head of the conversation."""
        rows = self._fetch_rows(
            "WITH RECURSIVE up(id, depth) AS ("
            " SELECT coalesce(:head, head), 0 FROM conversation WHERE id = :conversation"
            " UNION ALL SELECT turn.parent, depth + 1 FROM turn JOIN up ON turn.id = up.id"
            "  WHERE turn.parent IS NOT NULL)"
            " SELECT turn.* FROM turn JOIN up ON turn.id = up.id ORDER BY depth DESC",
            {"conversation": conversation, "head": head},
        )
        return [_turn_from_row(row) for row in rows]

    def list_siblings(self, turn_id: int) -> list[int]:
        """Return the turns with the same parent and role, that one included, oldest first."""
        rows = self._fetch_rows(
            "SELECT other.id FROM turn JOIN turn AS other ON other.conversation = turn.conversation"
            " AND other.parent IS turn.parent AND other.role = turn.role"
            " WHERE turn.id = :turn AND (other.text != '' OR other.id = :turn) ORDER BY other.id",
            {"turn": turn_id},
        )
        return [int(row["id"]) for row in rows]

    def find_newest_leaf(self, turn_id: int) -> int:
        """Return the newest turn of the branch that begins with a turn."""
        # Ids grow, so the largest one has no children.
        (row,) = self._fetch_rows(
            "WITH RECURSIVE down(id) AS (SELECT :turn UNION ALL"
            " SELECT turn.id FROM turn JOIN down ON turn.parent = down.id)"
            " SELECT max(id) AS id FROM down",
            {"turn": turn_id},
        )
        return int(row["id"])

    def add_run(
        self, turn_id: int, block: int, code: str, document: str, pictures: Sequence[bytes]
    ) -> None:
        """Store a run of a code block; earlier runs of the block stay."""
        with self.transaction() as writer:
            added = writer.execute(
                "INSERT INTO run (turn, block, code, document, created) VALUES (?, ?, ?, ?, ?)",
                (
                    turn_id,
                    block,
                    replace_surrogates(code),
                    replace_surrogates(document),
                    time.time(),
                ),
            ).lastrowid
            writer.executemany(
                "INSERT INTO picture VALUES (?, ?, ?)",
                [(added, place, png) for place, png in enumerate(pictures)],
            )

    def load_runs(self, turn_id: int) -> list[StoredRun]:
        """Return the last run of each code block of a turn, in the order of the blocks."""
        rows = self._fetch_rows(
            "SELECT * FROM run WHERE id IN (SELECT max(id) FROM run WHERE turn = ? GROUP BY block)"
            " ORDER BY block",
            (turn_id,),
        )
        return [
            StoredRun(row["block"], row["code"], row["document"], self._load_pictures(row["id"]))
            for row in rows
        ]

    def _load_pictures(self, run_id: int) -> tuple[bytes, ...]:
        query = "SELECT png FROM picture WHERE run = ? ORDER BY place"
        return tuple(row["png"] for row in self._fetch_rows(query, (run_id,)))

    def list_summaries(self, query: str = "", *, limit: int = 200) -> list[Summary]:
        """Return the newest conversations, or those with the words of `query`."""
        where, values = "", list[object]()
        if query.strip():
            where = (
                "WHERE c.id IN (SELECT turn.conversation FROM search JOIN turn"
                " ON turn.id = search.rowid WHERE search MATCH ?) OR c.title LIKE ? ESCAPE '\\'"
            )
            values = [_fts_query(query), f"%{_escape_like(query)}%"]
        rows = self._fetch_rows(
            "SELECT c.*, (SELECT count(*) FROM turn"
            " WHERE conversation = c.id AND role = 'user') AS questions"
            f" FROM conversation AS c {where} ORDER BY c.updated DESC LIMIT ?",
            (*values, limit),
        )
        keys = ("id", "title", "mode", "model", "questions", "updated")
        return [Summary(*(row[key] for key in keys)) for row in rows]


def _not_found_message(name: str) -> str:
    return "There is no conversation yet" if name == "last" else f"No conversation `{name}`"


def _turn_from_row(row: sqlite3.Row) -> StoredTurn:
    turn = Turn(cast(Role, row["role"]), row["text"], _unpack_ids(row["ids"]), row["vocabulary"])
    state, stats = cast(State, row["state"]), json.loads(row["stats"])
    return StoredTurn(row["id"], row["parent"], turn, state, row["model"], stats)


def _pack_ids(ids: tuple[int, ...]) -> bytes:
    return array.array("I", ids).tobytes()


def _unpack_ids(blob: bytes) -> tuple[int, ...]:
    return tuple(array.array("I", blob))


def _fts_query(query: str) -> str:
    """Return an FTS5 query for every word of `query` as a literal prefix."""
    words = (word.replace('"', '""') for word in query.split())
    return " ".join(f'"{word}"*' for word in words)


def _escape_like(query: str) -> str:
    return query.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
