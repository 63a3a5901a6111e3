"""Snippets in the manner of 2023, each in a fresh kernel: how many run, and what the others say.

`python -m tests.benchmarks.snippets [FOLDER]` runs every `.py` file of a folder; without one, of
`snippets-2023` in STARCHAT_DATA if that is set, else of `tests/snippets`. Measured are the snippets
that run to their end, the figures, and those that fail without a sentence for the user.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

from starchat_tui.sandbox.host.kernel import SandboxKernel
from starchat_tui.sandbox.isolation import probe
from starchat_tui.sandbox.limits import Limits
from starchat_tui.sandbox.outputs import Failure, Figure, Note, Output, RunEnded
from tests.benchmarks.record import Goal, publish

OWN_SNIPPETS = Path(__file__).parent.parent / "snippets"
GOALS = {"without_sentence": Goal(most=0)}


def find_folder() -> Path:
    """Return the folder of snippets to run if none is named."""
    data = os.environ.get("STARCHAT_DATA")
    given = Path(data) / "snippets-2023" if data else OWN_SNIPPETS
    return given if given.is_dir() else OWN_SNIPPETS


async def run_snippet(path: Path) -> Sequence[Output]:
    """Run a file as `starchat run` does; one that asks for no `__file__` like a piped one."""
    code = path.read_text(encoding="utf-8")
    script = path.name if "__file__" in code else "-"
    kernel = SandboxKernel(probe.probe_sandbox(), limits=Limits(timeout=120.0), script=[script])
    try:
        async with aclosing(kernel.run(code)) as outputs:
            return [one async for one in outputs]
    finally:
        await kernel.aclose()


def summarize(outputs: Sequence[Output]) -> dict[str, Any]:
    """Return what a user is told about a run: its end, its figures, its notes and its hint."""
    failed = next((at for at, one in enumerate(outputs) if isinstance(one, Failure)), len(outputs))
    failure = outputs[failed] if failed < len(outputs) else None
    notes = [(at, one.text) for at, one in enumerate(outputs) if isinstance(one, Note)]
    end = outputs[-1]
    assert isinstance(end, RunEnded)
    error = f"{failure.name}: {failure.message}"[:200] if isinstance(failure, Failure) else ""
    return {
        # A program that ends itself has run, whatever its exit code.
        "ran": end.status == "ok" or error.startswith("SystemExit"),
        "figures": sum(isinstance(one, Figure) for one in outputs),
        "notes": [text for at, text in notes if at < failed],
        "hint": " ".join(text for at, text in notes if at > failed) or end.reason,
        "error": error,
    }


def measure(files: Sequence[Path]) -> Mapping[str, Any]:
    """Run each snippet; return the counts, and what each one came to."""
    found = {}
    for path in files:
        found[path.stem] = summarize(asyncio.run(run_snippet(path)))
        sys.stderr.write(f"{path.stem}: {found[path.stem]}\n")
    failed = {name: one for name, one in found.items() if not one["ran"]}
    return {
        "snippets": len(found),
        "ran": len(found) - len(failed),
        "figures": sum(one["figures"] for one in found.values()),
        "without_sentence": sum(not one["hint"] for one in failed.values()),
        "results": found,
    }


def main() -> int:
    """Run the snippets of a folder and record the results."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", nargs="?", type=Path, default=find_folder())
    files = sorted(parser.parse_args().folder.glob("*.py"))
    return publish("snippets", lambda: measure(files), GOALS)


if __name__ == "__main__":
    sys.exit(main())
