"""Schema of the conversation database, as numbered migrations."""

from __future__ import annotations

MIGRATIONS: tuple[tuple[str, ...], ...] = (
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
        # An external-content index: the words stand in `turn` alone, and triggers keep it in step.
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
    ("ALTER TABLE conversation ADD COLUMN environment TEXT NOT NULL DEFAULT ''",),
)
"""Statements of each migration; the length is the `user_version` of an up-to-date database.

Migrations that were released are never edited: a change of the schema is a new one.
"""
