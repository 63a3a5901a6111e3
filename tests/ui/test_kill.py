"""The real chat is killed at any moment: nothing that it has shown as stored is lost."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest

from tests.fuzz_size import choose_size
from tests.scripted_server import PAUSE, WORDS, serve_answers
from tests.ui.chat_process import ROOT, ChatProcess, open_chat
from tests.waiting import block_until

ANSWER = "".join(WORDS)
STARCHAT = (sys.executable, "-m", "starchat_tui")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serve_answers() as address:
        yield address


@dataclass
class Expected:
    """What the database has to hold."""

    questions: list[str] = field(default_factory=list)
    """Questions that were on the screen with the beginning of an answer."""
    answered: list[str] = field(default_factory=list)
    """Those whose answer was on the screen with its statistics."""
    removed: list[str] = field(default_factory=list)
    """Those whose removal was complete."""
    perhaps_removed: list[str] = field(default_factory=list)
    """Those whose removal was killed."""


def ask(chat: ChatProcess, question: str) -> None:
    """Ask, and wait until an answer streams: the question is stored before that."""
    before = chat.shown.count(WORDS[0].encode())
    chat.send(f"{question}\r")
    block_until(lambda: chat.shown.count(WORDS[0].encode()) > before, what=question)


def pause_at_random(longest: float) -> None:
    time.sleep(random.random() * longest)


def kill_while_streaming(chat: ChatProcess, name: str, expected: Expected) -> None:
    ask(chat, name)
    expected.questions.append(name)
    # Up to 1.5 times the answer, so that the end of the answer is hit, too.
    end = time.monotonic() + random.random() * 1.5 * len(WORDS) * PAUSE
    while time.monotonic() < end and b"first token" not in chat.shown:
        time.sleep(0.01)
    if b"first token" in chat.shown:
        expected.answered.append(name)
    chat.kill()


def kill_while_editing(chat: ChatProcess, name: str, url: str) -> None:
    chat.send(name)
    block_until(lambda: chat.read_draft() == name, what="the draft")
    for letter in " and more that may be lost":
        chat.send(letter)
        pause_at_random(0.06)
        if random.random() < 0.05:
            break
    chat.kill()
    assert chat.read_draft().startswith(name)
    with open_chat(chat.home, url=url) as again:
        again.wait_for(name)
        # Ctrl+C clears it for the next round.
        again.send("\x03")
        block_until(lambda: again.read_draft() == "", what="no draft")


def kill_while_removing(home: Path, expected: Expected) -> None:
    """Remove the newest conversation; the command is killed at any moment."""
    with closing(sqlite3.connect(home / "data" / "chats.db")) as database:
        query = "SELECT id, title FROM conversation WHERE title LIKE 'streaming%' ORDER BY updated"
        rows = database.execute(query).fetchall()
    if not rows:
        return
    name, title = rows[-1]
    process = subprocess.Popen(
        [*STARCHAT, "rm", name, "--yes"],
        cwd=ROOT,
        env={**os.environ, "STARCHAT_HOME": str(home)},
        stdout=subprocess.DEVNULL,
    )
    time.sleep(0.05 + random.random() * 0.3)
    process.send_signal(signal.SIGKILL)
    is_complete = process.wait() == 0
    (expected.removed if is_complete else expected.perhaps_removed).append(title)


def check_database(path: Path, expected: Expected) -> None:
    """Assert that the database is whole, and holds all that was acknowledged."""
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []
        rows = database.execute("SELECT role, text, state FROM turn ORDER BY id").fetchall()
    stored = [text for role, text, _ in rows if role == "user"]
    assert len(stored) == len(set(stored))
    gone = {*expected.removed, *expected.perhaps_removed}
    assert [name for name in expected.questions if name not in (*gone, *stored)] == []
    assert [name for name in expected.removed if name in stored] == []
    answers = {}
    for (_, question, _), (role, text, state) in pairwise(rows):
        if role == "assistant":
            answers[question] = (text, state)
            assert ANSWER.startswith(text)
    for name in set(expected.answered) - gone:
        assert answers[name] == (ANSWER, "done")


@pytest.mark.slow
@pytest.mark.fuzz
def test_nothing_acknowledged_is_lost_to_kill_9(url: str, empty_home: Path) -> None:
    random.seed(6)
    home, expected = empty_home / "starchat", Expected()
    with open_chat(home, url=url) as other:
        other.wait_for("Enter send")
        for number in range(choose_size(6, 200)):
            kind = ("streaming", "editing", "removing")[number % 3]
            if kind == "removing":
                kill_while_removing(home, expected)
            else:
                with open_chat(home, url=url) as chat:
                    chat.wait_for("Enter send")
                    if kind == "streaming":
                        kill_while_streaming(chat, f"streaming {number}", expected)
                    else:
                        kill_while_editing(chat, f"editing {number}", url)
            if number % 5 == 0:
                other.shown = b""
                ask(other, f"other {number}")
                expected.questions.append(f"other {number}")
                other.wait_for("first token")
                expected.answered.append(f"other {number}")
            check_database(home / "data" / "chats.db", expected)
    print(f"{len(expected.questions)} questions acknowledged, {len(expected.removed)} removed")
