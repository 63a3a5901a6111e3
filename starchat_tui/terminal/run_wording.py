"""Sentences about the end of a run, shared by all front ends."""

from __future__ import annotations

from collections.abc import Mapping

from starchat_tui.sandbox.outputs import IsolationLevel, RunEnded, RunStatus
from starchat_tui.sanitize import sanitize_text

VARIABLES_KEPT = "Variables are kept."
VARIABLES_LOST = "Variables are gone; the next run starts afresh."
RUN_END_TEXTS: Mapping[RunStatus, str] = {
    "ok": "ran",
    "error": "the code failed",
    "interrupted": "interrupted",
    "timeout": "stopped: its time ran out",
    "memory": "stopped: it took too much memory",
    "output": "stopped: it wrote too much",
    "died": "the kernel died",
    "no-sandbox": "not run",
    "no-environment": "not run",
}
SANDBOX_TEXTS: Mapping[IsolationLevel, str] = {
    "isolated": "isolated (bubblewrap)",
    "restricted": "restricted (Landlock)",
    "off": "no sandbox",
    "unsafe": "UNSAFE: no sandbox",
}


def summarize_end(ended: RunEnded) -> str:
    """Return one line about the end: how it ended, how long it took, in which sandbox and where."""
    parts = (
        RUN_END_TEXTS[ended.status],
        f"{ended.seconds:.1f} s",
        SANDBOX_TEXTS[ended.level],
        format_environment(ended.environment),
    )
    return " · ".join(part for part in parts if part)


def format_environment(name: str) -> str:
    """Return the name of an environment; of a path, the end that tells it from others."""
    if "/" not in name:
        return sanitize_text(name)
    return sanitize_text("/".join(name.rstrip("/").split("/")[-2:]))


def explain_end(ended: RunEnded) -> str:
    """Return why the run ended early and what became of its variables; empty if it ended well."""
    if ended.variables_kept is None:
        return ended.reason
    return f"{ended.reason}. {VARIABLES_KEPT if ended.variables_kept else VARIABLES_LOST}"
