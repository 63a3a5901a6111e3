"""Texts about the engine, an answer and the mode, shared by all front ends."""

from __future__ import annotations

from starchat_tui.client.answer_stats import AnswerStats
from starchat_tui.client.protocol import Progress
from starchat_tui.dialogue import Mode

_STAGES = {
    "starting": "starting the engine",
    "queued": "waiting for the engine",
    "downloading": "downloading the model",
    "importing": "loading libraries",
    "loading": "loading the model",
    "warming": "warming up",
    "prefill": "reading the conversation",
}
_MODES: dict[Mode, str] = {
    "chat": "fine-tuned on dialogues",
    "ta": "base model + few-shot prompt",
}
ANSWER_END_TEXTS = {
    "stopped": "stopped",
    "cut": "cut: the answer reached its length limit",
    "failed": "incomplete answer",
    "partial": "interrupted: StarChat exited during this answer",
}
"""The note under an answer that is not complete, by its state."""
UNSAFE_WARNING = "UNSAFE: code runs without a sandbox, with your files and your network"


def format_progress(progress: Progress) -> str:
    """Return the engine's current stage and how far it is."""
    stage = _STAGES.get(progress.stage, progress.stage)
    if progress.stage == "queued":
        return f"{stage}, {progress.done} ahead of you" if progress.done else stage
    if not progress.total:
        return f"{stage} …"
    return f"{stage} … {100 * progress.done // progress.total} %"


def format_speed(tokens_per_second: float, first_token: float) -> str:
    """Return the rate and the seconds to the first token; empty if no token came."""
    if not first_token:
        return ""
    rate = f"{tokens_per_second:.0f} tok/s · " if tokens_per_second else ""
    return f"{rate}first token {first_token:.1f} s"


def format_stats(stats: AnswerStats) -> str:
    """Return the statistics of an answer in one line."""
    cached = "" if stats.cached_tokens is None else f", {stats.cached_tokens:,} cached"
    parts = (
        stats.model,
        stats.mode,
        f"{stats.prompt_tokens:,} prompt tokens{cached}",
        f"{stats.completion_tokens:,} answer tokens" if stats.completion_tokens else "",
        f"{stats.tokens_per_second:.1f} tok/s" if stats.tokens_per_second else "",
        f"first token {stats.first_token:.2f} s" if stats.first_token else "",
    )
    return " · ".join(part for part in parts if part)


def format_mode_change(mode: Mode, model: str) -> str:
    """Return the note about a change of mode."""
    return f"{mode} mode: {model} ({_MODES[mode]}). Same conversation."


def format_model_change(former: str, model: str) -> str:
    """Return the note about a conversation that another model continues."""
    return f"Another model continues this conversation. Was: {former}, now: {model}"


def format_destination(server: str) -> str:
    """Return where questions go, as a sentence."""
    return f"Your questions go to {server}." if server else "Everything stays on this machine."


def format_quoted_lines(count: int) -> str:
    """Return the note about lines that could be mistaken for the prompt's own markers."""
    if count == 1:
        return "1 line looked like a prompt marker, so it was sent quoted (“> ”)"
    return f"{count} lines looked like prompt markers, so they were sent quoted (“> ”)"
