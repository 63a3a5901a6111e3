from __future__ import annotations

import pytest

from starchat_tui.client.answer_stats import AnswerStats
from starchat_tui.client.protocol import Progress
from starchat_tui.terminal.status_text import (
    format_destination,
    format_mode_change,
    format_progress,
    format_quoted_lines,
    format_speed,
    format_stats,
)


@pytest.mark.parametrize(
    ("progress", "expected"),
    [
        (Progress("queued", 0, 0), "waiting for the engine"),
        (Progress("queued", 2, 0), "waiting for the engine, 2 ahead of you"),
        (Progress("loading", 0, 0), "loading the model …"),
        (Progress("loading", 3, 4), "loading the model … 75 %"),
        (Progress("prefill", 100, 300), "reading the conversation … 33 %"),
    ],
)
def test_progress_names_the_stage_and_its_share(progress: Progress, expected: str) -> None:
    assert format_progress(progress) == expected


def test_an_unknown_stage_of_a_newer_engine_is_shown_as_it_is() -> None:
    assert format_progress(Progress("dreaming", 1, 2)) == "dreaming … 50 %"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rate", "first", "expected"),
    [
        (147.2, 0.41, "147 tok/s · first token 0.4 s"),
        (0.0, 4.6, "first token 4.6 s"),
        (12.0, 0.0, ""),
    ],
)
def test_a_speed_without_a_token_is_not_shown(rate: float, first: float, expected: str) -> None:
    assert format_speed(rate, first) == expected


def test_a_mode_change_names_the_model_and_keeps_the_conversation() -> None:
    expected = "ta mode: nano-base (base model + few-shot prompt). Same conversation."
    assert format_mode_change("ta", "nano-base") == expected
    assert "fine-tuned" in format_mode_change("chat", "nano-chat")


def test_quoted_lines_are_counted_in_english() -> None:
    assert format_quoted_lines(1).startswith("1 line looked like a prompt marker, so it was")
    assert format_quoted_lines(3).startswith("3 lines looked like prompt markers, so they were")


def test_what_is_not_known_is_not_invented() -> None:
    stats = AnswerStats("m", "chat", 7, None, 2, 100, 1.0, 0.0, 0.0, "stopped")
    assert format_stats(stats) == "m · chat · 7 prompt tokens · 2 answer tokens"
    nothing = AnswerStats("m", "chat", 7, None, 0, 100, 1.0, 0.0, 0.0, "stopped")
    assert format_stats(nothing) == "m · chat · 7 prompt tokens"


@pytest.mark.parametrize(
    ("server", "text"),
    [
        ("", "Everything stays on this machine."),
        ("http://host:8000", "Your questions go to http://host:8000."),
    ],
)
def test_where_questions_go(server: str, text: str) -> None:
    assert format_destination(server) == text
