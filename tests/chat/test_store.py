from __future__ import annotations

import signal
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from starchat_tui.chat.store import ConversationStore
from starchat_tui.chat.store_errors import StoreError
from starchat_tui.dialogue import Turn
from starchat_tui.errors import ConfigError, UsageError


@pytest.fixture
def store(tmp_path: Path) -> ConversationStore:
    return ConversationStore.open(tmp_path / "chats.db")


def store_conversation(
    store: ConversationStore, *texts: str, title: str = "t"
) -> tuple[str, list[int]]:
    name = store.create_conversation(title, mode="chat", model="m", system="")
    ids: list[int] = []
    for index, text in enumerate(texts):
        turn = Turn("assistant" if index % 2 else "user", text)
        parent = ids[-1] if ids else None
        ids.append(store.add_turn(name, turn, parent=parent, state="done", model="m"))
    return name, ids


def test_turn_round_trips(store: ConversationStore) -> None:
    name = store.create_conversation("t", mode="ta", model="m", system="be kind")
    turn = Turn("assistant", "tab\t\x1b[31m ünï ☃", (1, 49155, 7), "v1")
    store.add_turn(name, turn, parent=None, state="cut", model="m")
    (stored,) = store.load_path(name)
    assert stored.turn == turn
    assert (stored.state, stored.model, stored.parent) == ("cut", "m", None)
    found = store.find_conversation(name)
    assert (found.mode, found.system, found.head) == ("ta", "be kind", stored.id)


def test_lone_surrogate_is_replaced(store: ConversationStore) -> None:
    name, (asked, answer) = store_conversation(store, "a\udcffb", "", title="\ud800")
    store.update_turn(answer, Turn("assistant", "x\udfff"), state="done")
    assert [stored.turn.text for stored in store.load_path(name)] == ["a?b", "x?"]
    assert asked < answer


def test_update_turn_overwrites_text_and_stats(store: ConversationStore) -> None:
    name, (_, answer) = store_conversation(store, "q", "")
    store.update_turn(answer, Turn("assistant", "a", (1,), "v"), state="partial")
    store.update_turn(
        answer, Turn("assistant", "ab", (1, 2), "v"), state="done", stats={"seconds": 1}
    )
    last = store.load_path(name)[-1]
    assert (last.turn.text, last.turn.ids, last.stats) == ("ab", (1, 2), {"seconds": 1})


def test_siblings_share_a_parent_and_the_path_follows_the_head(store: ConversationStore) -> None:
    name, (asked, first) = store_conversation(store, "q", "one")
    second = store.add_turn(name, Turn("assistant", "two"), parent=asked, state="done", model="m")
    assert store.load_path(name, first)[-1].parent == store.load_path(name, second)[-1].parent
    assert [stored.turn.text for stored in store.load_path(name)] == ["q", "two"]
    store.update_conversation(name, head=first)
    assert [stored.turn.text for stored in store.load_path(name)] == ["q", "one"]


def test_files_are_private(tmp_path: Path) -> None:
    store = ConversationStore.open(tmp_path / "chats.db")
    store_conversation(store, "q")
    for file in tmp_path.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


def test_search_finds_words(store: ConversationStore) -> None:
    bubble, _ = store_conversation(store, "sort it", "use bubble sort", title="sorting")
    other, (_, answer) = store_conversation(store, "hello", "nothing", title="100% of_it")
    store.update_turn(answer, Turn("assistant", "binary search"), state="done")

    def search(query: str) -> list[str]:
        return [summary.id for summary in store.list_summaries(query)]

    assert search("bubble so") == [bubble]
    assert search("bin") == [other]
    assert search("nothing") == []
    assert search('"quote AND (') == []
    assert search("100%") == [other]
    assert search("f_i") == [other]
    assert set(search("")) == {bubble, other}


def test_conversation_is_found_by_the_beginning_of_its_id(store: ConversationStore) -> None:
    name, _ = store_conversation(store, "q")
    assert store.find_conversation(name[:5]).id == name
    assert store.find_conversation("last").id == name
    with pytest.raises(UsageError, match="No conversation"):
        store.find_conversation("zz%")
    with pytest.raises(UsageError, match="No conversation"):
        store.find_conversation("")


def test_ambiguous_beginning_is_an_error(store: ConversationStore) -> None:
    names = [store_conversation(store, "q")[0] for _ in range(17)]
    shared = next(a for a in "0123456789abcdef" if sum(name[0] == a for name in names) > 1)
    with pytest.raises(UsageError, match="Several ids"):
        store.find_conversation(shared)


def test_last_of_no_conversations(store: ConversationStore) -> None:
    with pytest.raises(UsageError, match="no conversation yet"):
        store.find_conversation("last")


def test_deleted_conversation_leaves_no_rows(store: ConversationStore) -> None:
    name, _ = store_conversation(store, "quokka", "answer")
    kept, _ = store_conversation(store, "other")
    store.delete_conversation(name)
    assert [summary.id for summary in store.list_summaries()] == [kept]
    assert store.list_summaries("quokka") == []


def test_deleted_words_are_not_in_the_files(tmp_path: Path) -> None:
    store = ConversationStore.open(tmp_path / "chats.db")
    kept, _ = store_conversation(store, "an other word")
    name, _ = store_conversation(store, "the xylophonequokka sleeps", "a xylophonequokka does")
    store.delete_conversation(name)
    for file in tmp_path.glob("chats.db*"):
        assert b"quokka" not in file.read_bytes(), file
    assert [summary.id for summary in store.list_summaries("other")] == [kept]


def test_transaction_commits_all_or_nothing(
    store: ConversationStore,
) -> None:
    def write_twice() -> None:
        with store.transaction():
            store.create_conversation("t", mode="chat", model="m", system="")
            store.add_turn("nowhere", Turn("user", "q"), parent=None, state="done", model="m")

    with pytest.raises(StoreError, match="was deleted"):
        write_twice()
    assert store.list_summaries() == []
    name, _ = store_conversation(store, "q")
    assert [summary.id for summary in store.list_summaries()] == [name]


def test_database_errors_become_store_errors(store: ConversationStore, tmp_path: Path) -> None:
    store._connection.execute("PRAGMA busy_timeout = 0")
    other = sqlite3.connect(tmp_path / "chats.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="locked") as caught:
        store_conversation(store, "q")
    assert caught.value.hint
    other.close()
    store_conversation(store, "q")


def test_path_of_another_head(store: ConversationStore) -> None:
    name, (asked, first) = store_conversation(store, "q", "one")
    store.add_turn(name, Turn("assistant", "two"), parent=asked, state="done", model="m")
    assert [stored.turn.text for stored in store.load_path(name, first)] == ["q", "one"]
    assert store.load_path("nowhere", first) == []


WRITER = """
import sys
from pathlib import Path
from starchat_tui.dialogue import Turn
from starchat_tui.chat.store import ConversationStore
store = ConversationStore.open(Path(sys.argv[1]))
name = store.create_conversation("t", mode="chat", model="m", system="")
parent = None
for index in range(100_000):
    turn = Turn("user", f"turn {index}")
    parent = store.add_turn(name, turn, parent=parent, state="done", model="m")
    print(index, flush=True)
"""


def test_committed_text_survives_kill_9(tmp_path: Path) -> None:
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
        store = ConversationStore.open(path)
        kept = [stored.turn.text for stored in store.load_path(store.find_conversation("last").id)]
        assert kept[: len(acknowledged)] == [f"turn {index}" for index in acknowledged]
        assert store._connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        store.close()


def test_processes_can_create_the_database_at_the_same_time(tmp_path: Path) -> None:
    code = "import pathlib, sys; from starchat_tui.chat.store import ConversationStore\n"
    code += "ConversationStore.open(pathlib.Path(sys.argv[1]))"
    command = [sys.executable, "-c", code, str(tmp_path / "chats.db")]
    running = [subprocess.Popen(command) for _ in range(6)]
    assert [one.wait() for one in running] == [0] * 6


def test_invalid_database_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "chats.db").write_text("not a database, but long enough to be looked at" * 50)
    with pytest.raises(ConfigError) as caught:
        ConversationStore.open(tmp_path / "chats.db")
    assert "starchat recover" in caught.value.hint


def test_database_of_a_newer_version_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "chats.db"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(ConfigError, match="newer"):
        ConversationStore.open(path)
