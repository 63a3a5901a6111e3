from __future__ import annotations

from typing import get_args

from starchat_tui.sandbox.outputs import IsolationLevel, RunEnded, RunStatus
from starchat_tui.terminal.run_wording import (
    RUN_END_TEXTS,
    SANDBOX_TEXTS,
    explain_end,
    summarize_end,
)


def test_the_summary_names_status_duration_and_sandbox() -> None:
    assert summarize_end(RunEnded("ok", "isolated", 0.5)) == "ran · 0.5 s · isolated (bubblewrap)"
    assert "UNSAFE" in summarize_end(RunEnded("ok", "unsafe", 1.0))
    assert set(RUN_END_TEXTS) == set(get_args(RunStatus))
    assert set(SANDBOX_TEXTS) == set(get_args(IsolationLevel))


def test_the_explanation_says_what_became_of_the_variables() -> None:
    stopped = RunEnded("timeout", "isolated", 60.0, "Stopped after 60 s", variables_kept=True)
    assert explain_end(stopped) == "Stopped after 60 s. Variables are kept."
    killed = RunEnded("died", "isolated", 1.0, "The kernel was closed", variables_kept=False)
    assert explain_end(killed) == (
        "The kernel was closed. Variables are gone; the next run starts afresh."
    )
    assert explain_end(RunEnded("ok", "isolated", 1.0)) == ""


def test_a_reason_that_was_stored_with_the_sentence_is_shown_as_it_is() -> None:
    stored = RunEnded("interrupted", "isolated", 1.0, "Interrupted. Variables are kept.")
    assert explain_end(stored) == "Interrupted. Variables are kept."
