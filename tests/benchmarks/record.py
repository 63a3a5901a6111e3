"""Publication of a benchmark: one JSON document on stdout, one line of history."""

from __future__ import annotations

import datetime
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HISTORY = Path(__file__).parent / "history"


@dataclass(frozen=True, slots=True)
class Goal:
    """Limits of a figure, both inclusive."""

    least: float = float("-inf")
    most: float = float("inf")

    def is_met(self, value: float) -> bool:
        return self.least <= value <= self.most


def publish(
    name: str, measure: Callable[[], Mapping[str, Any]], goals: Mapping[str, Goal] | None = None
) -> int:
    """Measure, append the figures to the history and print them; return 1 if a goal was missed.

    A measurement that fails is recorded too, and its exception is raised.
    """
    document: dict[str, Any] = {"benchmark": name, **_describe_environment()}
    try:
        figures = measure()
    except BaseException as error:
        _append_line(name, {**document, "failed": f"{type(error).__name__}: {error}"})
        raise
    missed = [figure for figure, goal in (goals or {}).items() if not goal.is_met(figures[figure])]
    _append_line(name, {**document, **figures, "missed": missed})
    return 1 if missed else 0


def _describe_environment() -> dict[str, Any]:
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": _read_commit(),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
    }


def _read_commit() -> str:
    command = ["git", "describe", "--always", "--dirty", "--abbrev=10"]
    git = subprocess.run(command, cwd=HISTORY, capture_output=True, text=True, check=False)
    return git.stdout.strip() or "unknown"


def _append_line(name: str, document: Mapping[str, Any]) -> None:
    line = json.dumps(document)
    HISTORY.mkdir(exist_ok=True)
    with (HISTORY / f"{name}.jsonl").open("a", encoding="utf-8") as history:
        history.write(line + "\n")
    sys.stdout.write(line + "\n")
