"""What every benchmark ends with: one JSON document on stdout, one line of history."""

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
    """What a figure is to be: at least, or at most."""

    least: float = float("-inf")
    most: float = float("inf")

    def met(self, value: float) -> bool:
        return self.least <= value <= self.most


def publish(
    name: str, measure: Callable[[], Mapping[str, Any]], goals: Mapping[str, Goal] | None = None
) -> int:
    """Measure, keep a line of history, print it; 1 where a goal is missed or measuring failed."""
    document: dict[str, Any] = {"benchmark": name, **_circumstances()}
    try:
        figures = measure()
    except BaseException as error:
        _keep(name, {**document, "failed": f"{type(error).__name__}: {error}"})
        raise
    missed = [figure for figure, goal in (goals or {}).items() if not goal.met(figures[figure])]
    _keep(name, {**document, **figures, "missed": missed})
    return 1 if missed else 0


def _circumstances() -> dict[str, Any]:
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
    }


def _commit() -> str:
    described = ["git", "describe", "--always", "--dirty", "--abbrev=10"]
    ran = subprocess.run(described, cwd=HISTORY, capture_output=True, text=True, check=False)
    return ran.stdout.strip() or "unknown"


def _keep(name: str, document: Mapping[str, Any]) -> None:
    line = json.dumps(document)
    HISTORY.mkdir(exist_ok=True)
    with (HISTORY / f"{name}.jsonl").open("a", encoding="utf-8") as history:
        history.write(line + "\n")
    sys.stdout.write(line + "\n")
