"""The runner's loop: forks of the code take no part in it."""

from __future__ import annotations

import pytest

from starchat_tui.sandbox.host.kernel import SandboxKernel
from tests.sandbox.kernels import run_code

pytestmark = pytest.mark.bwrap


async def test_a_forked_child_takes_no_commands(kernel: SandboxKernel) -> None:
    """It returns from the cell a second time, into a loop that belongs to its parent."""
    assert (await run_code(kernel, "import os\npid = os.fork()")).end.status == "ok"
    assert (await run_code(kernel, "pid > 0")).results == ["True"]


async def test_a_task_of_an_interrupted_await_is_cancelled(kernel: SandboxKernel) -> None:
    code = """
import asyncio, os, signal
async def count():
    global ticks
    while True:
        ticks += 1
        await asyncio.sleep(0)
ticks = 0
async def interrupt():
    task = asyncio.create_task(count())
    await asyncio.sleep(0.01)
    os.kill(os.getpid(), signal.SIGINT)
    await task
await interrupt()
"""
    assert (await run_code(kernel, code)).end.status == "interrupted"
    after = "before = ticks\nawait asyncio.sleep(0.01)\nticks - before"
    assert (await run_code(kernel, after)).results == ["0"]


async def test_many_files_are_summed_up(kernel: SandboxKernel) -> None:
    run = await run_code(kernel, "for i in range(103): open(f'{i:03}.txt', 'w').close()")
    assert len(run.files) == 100
    assert run.notes == ["The code wrote 3 more files"]
