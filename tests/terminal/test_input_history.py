from __future__ import annotations

import stat
from pathlib import Path

from starchat_tui.terminal.input_history import MAX_ENTRIES, Draft, InputHistory


def test_prompts_are_browsed_back_and_forward_to_the_draft() -> None:
    history = InputHistory(None)
    for line in ("one", "two", "three"):
        history.add(line)
    assert history.find_older("dra") is None
    assert [history.find_older(""), history.find_older("three"), history.find_older("two")] == [
        None
    ] * 3
    history.stop_browsing()
    assert [history.find_older(""), history.find_older("three"), history.find_older("two")] == [
        "three",
        "two",
        "one",
    ]
    assert history.find_older("one") is None
    assert [history.find_newer("one"), history.find_newer("two"), history.find_newer("three")] == [
        "two",
        "three",
        "",
    ]
    assert history.find_newer("") is None


def test_only_prompts_that_start_with_the_draft_are_offered() -> None:
    history = InputHistory(None)
    for line in ("how to sort", "why", "how to read", "why", "how"):
        history.add(line)
    assert history.find_older("how ") == "how to read"
    assert history.find_older("how to read") == "how to sort"
    assert history.find_older("how to sort") is None
    assert history.find_newer("how to sort") == "how to read"
    assert history.find_newer("how to read") == "how "


def test_the_same_line_twice_running_counts_once() -> None:
    history = InputHistory(None)
    for line in ("a", "a", "b", "a", " "):
        history.add(line)
    assert [history.find_older(""), history.find_older("a"), history.find_older("b")] == [
        "a",
        "b",
        "a",
    ]


def test_the_file_is_private_and_read_the_next_time(tmp_path: Path) -> None:
    path = tmp_path / "state" / "history.jsonl"
    first = InputHistory(path)
    for number in range(MAX_ENTRIES + 5):
        first.add(f"line {number}\nwith \u2028 and \ud800")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    second = InputHistory(path)
    assert second.find_older("") == f"line {MAX_ENTRIES + 4}\nwith \u2028 and \ud800"
    kept = [second.find_older("")]
    while (line := second.find_older("")) is not None:
        kept.append(line)
    assert len(kept) == MAX_ENTRIES - 1


def test_damaged_lines_of_the_file_are_skipped(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    path.write_text('{"text": "good"}\n{"tex\n7\n{"text": 1}\n\xff\n{"text": "newer"}\n', "latin-1")
    history = InputHistory(path)
    assert [history.find_older(""), history.find_older("newer")] == ["newer", "good"]
    assert history.find_older("good") is None


def test_a_history_that_cannot_be_written_still_works(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    history = InputHistory(tmp_path / "file" / "history.jsonl")
    history.add("still here")
    assert history.find_older("") == "still here"


def test_a_draft_that_another_chat_sent_is_written_again(tmp_path: Path) -> None:
    path = tmp_path / "draft.md"
    Draft(path).save("shared")
    one, two = Draft(path), Draft(path)
    assert one.read() == two.read() == "shared"
    one.save("")
    assert not path.exists()
    two.save("shared")
    assert path.read_text() == "shared"


def test_an_empty_draft_removes_only_its_own_file(tmp_path: Path) -> None:
    path = tmp_path / "draft.md"
    one, two = Draft(path), Draft(path)
    one.save("mine \ud800")
    assert path.read_text() == "mine ?"
    two.save("yours")
    one.save("")
    assert path.read_text() == "yours"
    two.save(" ")
    assert not path.exists()
    two.save("")


def test_a_draft_that_is_not_text_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "draft.md"
    path.write_bytes(b"\xff")
    draft = Draft(path)
    assert draft.read() == ""
    assert Draft(tmp_path).read() == ""
    Draft(tmp_path).save("no file")
    assert path.exists()


def test_a_draft_is_replaced_and_never_empty(tmp_path: Path) -> None:
    path = tmp_path / "draft.md"
    draft = Draft(path)
    draft.save("first")
    with path.open() as before:
        draft.save("second")
        assert before.read() == "first"
    assert path.read_text() == "second"
    assert [one.name for one in tmp_path.iterdir()] == ["draft.md"]
