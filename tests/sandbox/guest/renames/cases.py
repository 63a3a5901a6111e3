"""Cases of renames: code of 2023, what it prints, and the note on what has changed."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence

import pytest

from starchat_tui.sandbox.host.kernel import SandboxKernel
from tests.sandbox.kernels import run_code

Case = tuple[str, str, str]


async def check_cases(kernel: SandboxKernel, library: str, listed: Sequence[Case]) -> None:
    """Run each case in one kernel; fail with all that went wrong."""
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    wrong = await run_cases(kernel, listed)
    assert not wrong, "\n\n".join(wrong)


async def run_cases(kernel: SandboxKernel, listed: Sequence[Case]) -> list[str]:
    """Run each case; return what went wrong."""
    wrong = []
    for code, printed, note in listed:
        run = await run_code(kernel, code)
        notes = " ".join(run.notes)
        if run.end.status != "ok" or printed not in run.out or note not in notes:
            failure = run.failure.traceback if run.end.status != "ok" else ""
            wrong.append(f"{code}\n{run.out}{failure}\n{notes}")
    return wrong
