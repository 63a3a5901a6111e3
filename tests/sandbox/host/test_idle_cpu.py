"""Computing that goes on after a run, by processes none of which lives long."""

from __future__ import annotations

import pytest

from starchat_tui.sandbox.host import watchdog
from tests.sandbox.kernels import LEVELS, open_kernel
from tests.waiting import wait_until

CHAIN = """
import os, time
if not os.fork():
    os.setsid()
    while True:
        if os.fork():
            os._exit(0)
        end = time.process_time() + 0.3
        while time.process_time() < end: pass
"""
"""Each process computes for 0.3 s and hands over to the next, so that no one is seen to."""


@pytest.mark.bwrap
@pytest.mark.slow
@pytest.mark.parametrize("level", LEVELS)
async def test_a_chain_of_short_processes_is_ended(
    level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watchdog, "IDLE_CPU_LIMIT", 3.0)
    async with open_kernel(level) as kernel:
        outputs = [output async for output in kernel.run(CHAIN)]
        assert outputs[-1].status == "ok"  # type: ignore[union-attr]
        process = kernel._process
        assert process is not None
        await wait_until(lambda: not process.alive, what="the end of what was left behind")
        assert process.exit_reason is not None
        assert "computed for more than 3 s" in process.exit_reason.text
