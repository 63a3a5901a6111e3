"""Snippets in the manner of 2023, each in a fresh kernel: how many run, and what the others say.

`python -m tests.benchmarks.snippets [FOLDER] [--env PATH]` runs every `.py` file of a folder;
without one, of `snippets-2023` in STARCHAT_DATA if that is set, else of `tests/snippets`. PATH is
the environment whose libraries the snippets use. Measured are the snippets that run to their end,
the figures, and the snippets that fail without a sentence for the user.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

from starchat_tui.sandbox.environments.inspection import inspect_environment
from starchat_tui.sandbox.environments.interpreter import Interpreter, find_own_interpreter
from starchat_tui.sandbox.host.kernel import SandboxKernel
from starchat_tui.sandbox.isolation import probe
from starchat_tui.sandbox.limits import Limits
from starchat_tui.sandbox.outputs import (
    Failure,
    Figure,
    Note,
    Output,
    OutputCleared,
    RunEnded,
)
from tests.benchmarks.record import Goal, publish

OWN_SNIPPETS = Path(__file__).parent.parent / "snippets"
GOALS = {"without_sentence": Goal(most=0)}


def find_folder() -> Path:
    """Return the folder of snippets to run if none is named."""
    data = os.environ.get("STARCHAT_DATA")
    given = Path(data) / "snippets-2023" if data else OWN_SNIPPETS
    return given if given.is_dir() else OWN_SNIPPETS


async def run_snippet(path: Path, interpreter: Interpreter) -> Sequence[Output]:
    """Run a file as `starchat run` does; one that asks for no `__file__` like a piped one."""
    code = path.read_text(encoding="utf-8")
    script = path.name if "__file__" in code else "-"
    kernel = SandboxKernel(
        probe.probe_sandbox(),
        limits=Limits(timeout=120.0),
        script=[script],
        interpreter=interpreter,
    )
    try:
        async with aclosing(kernel.run(code)) as outputs:
            return [one async for one in outputs]
    finally:
        await kernel.aclose()


def summarize(outputs: Sequence[Output]) -> dict[str, Any]:
    """Return what a user is told about a run: its end, its figures, its notes and its hint."""
    failure = next((one for one in outputs if isinstance(one, Failure)), None)
    notes = [one for one in outputs if isinstance(one, Note)]
    end = outputs[-1]
    assert isinstance(end, RunEnded)
    error = f"{failure.name}: {failure.message}"[:200] if failure else ""
    return {
        # A program that ends itself has run, whatever its exit code.
        "ran": end.status == "ok" or error.startswith("SystemExit"),
        "figures": count_figures(outputs),
        "notes": [one.text for one in notes if not one.is_hint],
        "hint": " ".join(one.text for one in notes if one.is_hint) or end.reason,
        "error": error,
    }


def count_figures(outputs: Sequence[Output]) -> int:
    """Return how many figures a user sees at the end: one replaces another of its key."""
    shown: dict[object, Figure] = {}
    for at, one in enumerate(outputs):
        if isinstance(one, OutputCleared):
            shown.clear()
        elif isinstance(one, Figure):
            shown[one.key or f"output {at}"] = one
    return len(shown)


def is_explained(found: Mapping[str, Any]) -> bool:
    """Return whether a failed run says why: in its hint, or in an error of the sandbox's own."""
    return bool(found["hint"]) or "sandbox" in found["error"]


def measure(files: Sequence[Path], interpreter: Interpreter) -> Mapping[str, Any]:
    """Run each snippet; return the counts, and what each one came to."""
    found: dict[str, Any] = {}
    # Messages name files of the environment; where it lies says nothing about the snippets.
    folder = str(interpreter.python.parent.parent)
    for path in files:
        text = json.dumps(summarize(asyncio.run(run_snippet(path, interpreter))))
        found[path.stem] = json.loads(text.replace(folder, "…"))
        sys.stderr.write(f"{path.stem}: {found[path.stem]}\n")
    failed = {name: one for name, one in found.items() if not one["ran"]}
    return {
        "environment": interpreter.python.parent.parent.name,
        "snippets": len(found),
        "ran": len(found) - len(failed),
        "figures": sum(one["figures"] for one in found.values()),
        "without_sentence": sum(not is_explained(one) for one in failed.values()),
        "results": found,
    }


def main() -> int:
    """Run the snippets of a folder and record the results."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", nargs="?", type=Path, default=find_folder())
    parser.add_argument("--env", type=Path)
    chosen = parser.parse_args()
    interpreter = inspect_environment(chosen.env) if chosen.env else find_own_interpreter()
    files = sorted(chosen.folder.glob("*.py"))
    return publish("snippets", lambda: measure(files, interpreter), GOALS)


if __name__ == "__main__":
    sys.exit(main())
