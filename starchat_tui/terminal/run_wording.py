"""Sentences about the end of a run, shared by all front ends."""

from __future__ import annotations

from collections.abc import Mapping

from starchat_tui.sandbox.outputs import IsolationLevel, RunEnded, RunStatus

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
}
SANDBOX_TEXTS: Mapping[IsolationLevel, str] = {
    "isolated": "isolated (bubblewrap)",
    "restricted": "restricted (Landlock)",
    "off": "no sandbox",
    "unsafe": "UNSAFE: no sandbox",
}


def summarize_end(ended: RunEnded) -> str:
    """Return one line about the end: how it ended, how long it took, in which sandbox."""
    return f"{RUN_END_TEXTS[ended.status]} · {ended.seconds:.1f} s · {SANDBOX_TEXTS[ended.level]}"


def explain_end(ended: RunEnded) -> str:
    """Return why the run ended early and what became of its variables; empty if it ended well."""
    if ended.variables_kept is None:
        return ended.reason
    return f"{ended.reason}. {VARIABLES_KEPT if ended.variables_kept else VARIABLES_LOST}"
