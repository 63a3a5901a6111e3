"""Log of the engine: no client can fill it, and no traceback hides what matters."""

from __future__ import annotations

import logging
import sys

import pytest

from starchat_tui.engine.serving.log_filter import RepetitionFilter, configure_log


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr("starchat_tui.engine.serving.log_filter.time.monotonic", lambda: now[0])
    return now


def log(repetition: RepetitionFilter, text: str, *values: object, name: str = "asyncio") -> str:
    """Return the message that is logged; empty if none is."""
    record = logging.LogRecord(name, logging.ERROR, "", 0, text, values, None)
    return record.getMessage() if repetition.filter(record) else ""


def test_a_message_is_logged_once_in_a_while(clock: list[float]) -> None:
    repetition = RepetitionFilter()
    assert log(repetition, "bad %s", 1) == "bad 1"
    assert [log(repetition, "bad %s", number) for number in range(1000)] == [""] * 1000
    assert log(repetition, "other") == "other"
    clock[0] += 61
    assert log(repetition, "bad %s", 2) == "bad 2 (1000 more since the last time)"


def test_what_follows_the_first_line_makes_no_other_message(clock: list[float]) -> None:
    repetition = RepetitionFilter()
    assert log(repetition, "accept failed\nsocket: 1") == "accept failed"
    assert not log(repetition, "accept failed\nsocket: 2")


def test_different_messages_are_bounded_as_well(clock: list[float]) -> None:
    repetition = RepetitionFilter()
    assert sum(bool(log(repetition, f"bad {number}")) for number in range(10_000)) == 64
    clock[0] += 61
    assert log(repetition, "new") == "new"


@pytest.mark.parametrize(
    ("name", "is_shown"), [("asyncio", False), ("starchat_tui.x", True), ("uvicorn.error", True)]
)
def test_only_defects_of_ours_show_a_traceback(name: str, is_shown: bool) -> None:
    try:
        raise OSError(24, "Too many open files")
    except OSError:
        record = logging.LogRecord(name, logging.ERROR, "", 0, "failed", (), sys.exc_info())
    assert RepetitionFilter().filter(record)
    assert bool(record.exc_info) == is_shown
    assert is_shown or record.getMessage() == "failed (OSError: [Errno 24] Too many open files)"


def test_a_message_is_safe_for_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before = list(root.handlers)
    try:
        configure_log()
        logging.getLogger("starchat_tui.test").warning("path \x1b[31m%s", "x\x07")
    finally:
        root.handlers[:] = before
    shown = capsys.readouterr().err
    assert shown.startswith("starchat serve: path ")
    assert "\x1b" not in shown
    assert "\x07" not in shown
