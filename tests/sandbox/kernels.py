"""Kernels for tests, opened in a sandbox of this machine; outputs of their runs by kind."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from starchat_tui.sandbox.environments.inspection import inspect_environment
from starchat_tui.sandbox.guest.grid_rendering import GridSize
from starchat_tui.sandbox.host.downloads import Download
from starchat_tui.sandbox.host.kernel import SandboxKernel
from starchat_tui.sandbox.isolation import probe
from starchat_tui.sandbox.limits import Limits
from starchat_tui.sandbox.outputs import (
    Failure,
    Figure,
    Note,
    Output,
    Result,
    RunEnded,
    StreamText,
    WrittenFile,
)
from starchat_tui.sandbox.run_state import RunControl
from tests.waiting import wait_until

RELAXED_LIMITS = Limits(timeout=300.0, grace=60.0)
"""Limits for runs that do not test time limits: a busy machine must not run into one."""

LEVELS = ("isolated", "restricted")
ENVIRONMENTS = [
    None,
    *map(Path, filter(None, os.environ.get("STARCHAT_TEST_ENVIRONMENTS", "").split(os.pathsep))),
]
"""Folders of environments in which libraries are tested; None is the one of this interpreter."""
RUN_AFTERWARDS = """
import sys, threading, time, traceback
def run_afterwards(act):
    def wait():
        while '_run_cell' in [frame.f_code.co_name for frame, _ in traceback.walk_stack(main())]:
            time.sleep(0.01)
        act()
    main = lambda: sys._current_frames()[threading.main_thread().ident]
    threading.Thread(target=wait).start()
"""
"""Code that defines `run_afterwards`: it calls a function once the run is over for the host too."""


@dataclass(frozen=True)
class RunOutputs:
    """Outputs of a run, by kind."""

    outputs: list[Output]

    @property
    def end(self) -> RunEnded:
        last = self.outputs[-1]
        assert isinstance(last, RunEnded)
        assert sum(isinstance(one, RunEnded) for one in self.outputs) == 1
        return last

    def stream(self, name: str) -> str:
        texts = [one for one in self.outputs if isinstance(one, StreamText)]
        return "".join(one.text for one in texts if one.stream == name)

    @property
    def out(self) -> str:
        return self.stream("stdout")

    @property
    def err(self) -> str:
        return self.stream("stderr")

    @property
    def results(self) -> list[str]:
        return [one.text for one in self.outputs if isinstance(one, Result)]

    @property
    def figures(self) -> list[Figure]:
        return [one for one in self.outputs if isinstance(one, Figure)]

    @property
    def descriptions(self) -> list[str]:
        return [one.card for one in self.figures]

    @property
    def notes(self) -> list[str]:
        return [one.text for one in self.outputs if isinstance(one, Note)]

    @property
    def files(self) -> dict[str, int]:
        return {one.name: one.size for one in self.outputs if isinstance(one, WrittenFile)}

    @property
    def failure(self) -> Failure:
        failures = [one for one in self.outputs if isinstance(one, Failure)]
        assert len(failures) == 1, self.outputs
        return failures[0]


async def run_code(
    kernel: SandboxKernel,
    code: str,
    downloads: Sequence[Download] = (),
    control: RunControl | None = None,
    grids: Sequence[GridSize] = (),
) -> RunOutputs:
    """Run code and collect its outputs."""
    outputs = kernel.run(code, downloads=downloads, control=control, grids=grids)
    return RunOutputs([output async for output in outputs])


@asynccontextmanager
async def open_kernel(
    level: str = "isolated",
    *,
    limits: Limits = RELAXED_LIMITS,
    attached: Sequence[Path] = (),
    strict: bool = False,
    script: Sequence[str] = (),
    environment: Path | None = None,
) -> AsyncIterator[SandboxKernel]:
    """Open a kernel at an isolation level; close it when the context ends.

    The code runs in the libraries of `environment`, or of this interpreter without one.
    """
    capability = probe.probe_sandbox("restricted" if level == "restricted" else "isolated")
    assert capability.level == level, capability
    kernel = SandboxKernel(
        capability,
        limits=limits,
        attached=attached,
        strict=strict,
        script=script,
        interpreter=inspect_environment(environment) if environment else None,
    )
    try:
        yield kernel
    finally:
        await kernel.aclose()


def summarize(ended: object) -> tuple[str, str, bool | None]:
    """Return how a run ended: its status, its reason and whether its variables were kept."""
    assert isinstance(ended, RunEnded)
    return ended.status, ended.reason, ended.variables_kept


async def wait_until_running(kernel: SandboxKernel) -> None:
    """Wait until the code of a run has begun that prints nothing."""
    await wait_until(
        lambda: any(control.has_begun for control in kernel._controls), what="the run has begun"
    )
