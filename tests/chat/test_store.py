from __future__ import annotations

import signal
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from starchat_tui.chat.store import ConversationStore, StoreError
from starchat_tui.dialogue import Turn
from starchat_tui.errors import ConfigError, UsageError


@pytest.fixture
def history(tmp_path: Path) -> ConversationStore:
    return ConversationStore.open(tmp_path / "chats.db")


def conversation(
    history: ConversationStore, *texts: str, title: str = "t"
) -> tuple[str, list[int]]:
    name = history.create_conversation(title, mode="chat", model="m", system="")
    ids: list[int] = []
    for index, text in enumerate(texts):
        turn = Turn("assistant" if index % 2 else "user", text)
        parent = ids[-1] if ids else None
        ids.append(history.add_turn(name, turn, parent=parent, state="done", model="m"))
    return name, ids


def test_a_turn_comes_back_as_it_was_written(history: ConversationStore) -> None:
    name = history.create_conversation("t", mode="ta", model="m", system="be kind")
    turn = Turn("assistant", "tab\t\x1b[31m ünï ☃", (1, 49155, 7), "v1")
    history.add_turn(name, turn, parent=None, state="cut", model="m")
    (stored,) = history.load_path(name)
    assert stored.turn == turn
    assert (stored.state, stored.model, stored.parent) == ("cut", "m", None)
    found = history.find_conversation(name)
    assert (found.mode, found.system, found.head) == ("ta", "be kind", stored.id)


def test_a_lone_surrogate_costs_one_character(history: ConversationStore) -> None:
    name, (asked, answer) = conversation(history, "a\udcffb", "", title="\ud800")
    history.update_turn(answer, Turn("assistant", "x\udfff"), state="done")
    assert [stored.turn.text for stored in history.load_path(name)] == ["a?b", "x?"]
    assert asked < answer


def test_an_answer_grows_in_place_and_keeps_its_statistics(history: ConversationStore) -> None:
    name, (_, answer) = conversation(history, "q", "")
    history.update_turn(answer, Turn("assistant", "a", (1,), "v"), state="partial")
    history.update_turn(
        answer, Turn("assistant", "ab", (1, 2), "v"), state="done", stats={"seconds": 1}
    )
    last = history.load_path(name)[-1]
    assert (last.turn.text, last.turn.ids, last.stats) == ("ab", (1, 2), {"seconds": 1})


def test_siblings_share_a_parent_and_the_path_follows_the_head(history: ConversationStore) -> None:
    name, (asked, first) = conversation(history, "q", "one")
    second = history.add_turn(name, Turn("assistant", "two"), parent=asked, state="done", model="m")
    assert history.load_path(name, first)[-1].parent == history.load_path(name, second)[-1].parent
    assert [stored.turn.text for stored in history.load_path(name)] == ["q", "two"]
    history.update_conversation(name, head=first)
    assert [stored.turn.text for stored in history.load_path(name)] == ["q", "one"]


def test_only_the_owner_can_read_it(tmp_path: Path) -> None:
    history = ConversationStore.open(tmp_path / "chats.db")
    conversation(history, "q")
    for file in tmp_path.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


def test_words_find_the_conversations_that_hold_them(history: ConversationStore) -> None:
    bubble, _ = conversation(history, "sort it", "use bubble sort", title="sorting")
    other, (_, answer) = conversation(history, "hello", "nothing", title="100% of_it")
    history.update_turn(answer, Turn("assistant", "binary search"), state="done")

    def found(query: str) -> list[str]:
        return [summary.id for summary in history.list_summaries(query)]

    assert found("bubble so") == [bubble]
    assert found("bin") == [other]
    assert found("nothing") == []
    assert found('"quote AND (') == []
    assert found("100%") == [other]
    assert found("f_i") == [other]
    assert set(found("")) == {bubble, other}


def test_an_id_is_found_by_its_beginning(history: ConversationStore) -> None:
    name, _ = conversation(history, "q")
    assert history.find_conversation(name[:5]).id == name
    assert history.find_conversation("last").id == name
    with pytest.raises(UsageError, match="No conversation"):
        history.find_conversation("zz%")
    with pytest.raises(UsageError, match="No conversation"):
        history.find_conversation("")


def test_an_ambiguous_beginning_is_refused(history: ConversationStore) -> None:
    names = [conversation(history, "q")[0] for _ in range(17)]
    shared = next(a for a in "0123456789abcdef" if sum(name[0] == a for name in names) > 1)
    with pytest.raises(UsageError, match="several"):
        history.find_conversation(shared)


def test_no_conversation_yet(history: ConversationStore) -> None:
    with pytest.raises(UsageError, match="no conversation yet"):
        history.find_conversation("last")


def test_a_removed_conversation_leaves_nothing(history: ConversationStore) -> None:
    name, _ = conversation(history, "quokka", "answer")
    kept, _ = conversation(history, "other")
    history.delete_conversation(name)
    assert [summary.id for summary in history.list_summaries()] == [kept]
    assert history.list_summaries("quokka") == []


def test_the_words_of_a_removed_conversation_are_nowhere_in_the_files(tmp_path: Path) -> None:
    history = ConversationStore.open(tmp_path / "chats.db")
    kept, _ = conversation(history, "an other word")
    name, _ = conversation(history, "the xylophonequokka sleeps", "a xylophonequokka does")
    history.delete_conversation(name)
    for file in tmp_path.glob("chats.db*"):
        assert b"quokka" not in file.read_bytes(), file
    assert [summary.id for summary in history.list_summaries("other")] == [kept]


def test_what_belongs_together_is_committed_together_or_not_at_all(
    history: ConversationStore,
) -> None:
    def both() -> None:
        with history.transaction():
            history.create_conversation("t", mode="chat", model="m", system="")
            history.add_turn("nowhere", Turn("user", "q"), parent=None, state="done", model="m")

    with pytest.raises(StoreError, match="gone"):
        both()
    assert history.list_summaries() == []
    name, _ = conversation(history, "q")
    assert [summary.id for summary in history.list_summaries()] == [name]


def test_what_the_database_refuses_is_told(history: ConversationStore, tmp_path: Path) -> None:
    history._connection.execute("PRAGMA busy_timeout = 0")
    other = sqlite3.connect(tmp_path / "chats.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="locked") as caught:
        conversation(history, "q")
    assert caught.value.hint
    other.close()
    conversation(history, "q")


def test_the_path_of_another_head_can_be_had(history: ConversationStore) -> None:
    name, (asked, first) = conversation(history, "q", "one")
    history.add_turn(name, Turn("assistant", "two"), parent=asked, state="done", model="m")
    assert [stored.turn.text for stored in history.load_path(name, first)] == ["q", "one"]
    assert history.load_path("nowhere", first) == []


WRITER = """
import sys
from pathlib import Path
from starchat_tui.dialogue import Turn
from starchat_tui.chat.store import History
history = History.open(Path(sys.argv[1]))
name = history.start("t", mode="chat", model="m", system="")
parent = None
for index in range(100_000):
    turn = Turn("user", f"turn {index}")
    parent = history.add(name, turn, parent=parent, state="done", model="m")
    print(index, flush=True)
"""


def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "chats.db"
    for round_number in range(3):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        acknowledged = [int(writer.stdout.readline()) for _ in range(50 * (round_number + 1))]
        writer.send_signal(signal.SIGKILL)
        acknowledged += [int(line) for line in writer.stdout.read().split("\n") if line.isdigit()]
        writer.wait()
        writer.stdout.close()
        history = ConversationStore.open(path)
        kept = [
            stored.turn.text for stored in history.load_path(history.find_conversation("last").id)
        ]
        assert kept[: len(acknowledged)] == [f"turn {index}" for index in acknowledged]
        assert history._connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        history.close()


def test_two_processes_may_open_a_new_database_at_once(tmp_path: Path) -> None:
    code = "import pathlib, sys; from starchat_tui.chat.store import History\n"
    code += "History.open(pathlib.Path(sys.argv[1]))"
    command = [sys.executable, "-c", code, str(tmp_path / "chats.db")]
    running = [subprocess.Popen(command) for _ in range(6)]
    assert [one.wait() for one in running] == [0] * 6


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "chats.db").write_text("not a database, but long enough to be looked at" * 50)
    with pytest.raises(ConfigError) as caught:
        ConversationStore.open(tmp_path / "chats.db")
    assert "starchat -n" in caught.value.hint


def test_a_newer_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "chats.db"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(ConfigError, match="newer"):
        ConversationStore.open(path)
