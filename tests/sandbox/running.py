"""A kernel for tests: behind the best wall of this machine, and what a run of it said."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from starchat_tui.sandbox.host.downloads import Download
from starchat_tui.sandbox.host.kernel import Kernel
from starchat_tui.sandbox.isolation import probe
from starchat_tui.sandbox.limits import Limits
from starchat_tui.sandbox.outputs import (
    Ended,
    Failure,
    Figure,
    Note,
    Output,
    Result,
    Text,
    Written,
)

PATIENT = Limits(timeout=300.0, grace=60.0)
"""What a run that is not about time has: a busy machine must not run into a limit."""


@dataclass(frozen=True)
class Said:
    """The outputs of a run, by kind."""

    outputs: list[Output]

    @property
    def ended(self) -> Ended:
        last = self.outputs[-1]
        assert isinstance(last, Ended)
        assert sum(isinstance(one, Ended) for one in self.outputs) == 1
        return last

    def stream(self, name: str) -> str:
        texts = [one for one in self.outputs if isinstance(one, Text)]
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
    def cards(self) -> list[str]:
        return [one.card for one in self.figures]

    @property
    def notes(self) -> list[str]:
        return [one.text for one in self.outputs if isinstance(one, Note)]

    @property
    def files(self) -> dict[str, int]:
        return {one.name: one.size for one in self.outputs if isinstance(one, Written)}

    @property
    def failure(self) -> Failure:
        failures = [one for one in self.outputs if isinstance(one, Failure)]
        assert len(failures) == 1, self.outputs
        return failures[0]


async def said(kernel: Kernel, code: str, downloads: Sequence[Download] = ()) -> Said:
    """Everything a run says."""
    return Said([output async for output in kernel.run(code, downloads=downloads)])


@asynccontextmanager
async def kernel_of(
    level: str = "isolated",
    *,
    limits: Limits = PATIENT,
    attached: Sequence[Path] = (),
    strict: bool = False,
) -> AsyncIterator[Kernel]:
    """A kernel behind the wall of a level, ended with the test."""
    verdict = probe.probe("restricted" if level == "restricted" else "isolated")
    assert verdict.level == level, verdict
    kernel = Kernel(verdict, limits=limits, attached=attached, strict=strict)
    try:
        yield kernel
    finally:
        await kernel.aclose()
