"""Process of a kernel: interrupts, deaths, and a runner or host that no longer answers."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest

from starchat_tui.sandbox.host.kernel import SandboxKernel
from starchat_tui.sandbox.limits import Limits
from starchat_tui.sandbox.outputs import RunEnded, StreamText
from tests.sandbox.kernels import (
    LEVELS,
    RELAXED_LIMITS,
    RUN_AFTERWARDS,
    open_kernel,
    run_code,
    summarize,
)
from tests.waiting import block_until, wait_until

pytestmark = pytest.mark.bwrap
ROOT = Path(__file__).parents[3]

LOOPS = {
    "Python": "while True: pass",
    "sleep": "import time; time.sleep(1000)",
    "a regular expression in C": "import re; re.match(r'(a+)+$', 'a' * 60 + 'b')",
    "integers in C": "x = 3**30_000_000; x = x * x * x * x",
    "await": "import asyncio; await asyncio.sleep(1000)",
    "a shell": "!sleep 1000",
    "a cell of the shell": "%%bash\nsleep 1000",
    "prints": "while True: print('x' * 100)",
    "threads that print": "import threading\n"
    "def talk():\n    while True: print('y' * 50)\n"
    "for _ in range(3): threading.Thread(target=talk, daemon=True).start()\n"
    "while True: print('x' * 70)",
}


async def interrupt_run(kernel: SandboxKernel, code: str) -> RunEnded:
    """Interrupt a run as soon as it has announced that it begins; return its end."""
    last = None
    async for last in kernel.run(code):
        if isinstance(last, StreamText) and "begun" in last.text:
            kernel.interrupt()
    assert isinstance(last, RunEnded)
    return last


def announce_begin(code: str) -> str:
    if code.startswith("%%bash"):
        return code.replace("sleep", "echo begun; sleep")
    return f"print('begun', flush=True)\n{code}"


@pytest.mark.parametrize("name", LOOPS)
async def test_an_interrupt_reaches_the_code_and_keeps_variables(name: str) -> None:
    async with open_kernel() as kernel:
        await run_code(kernel, "kept = 'kept'")
        ended = await interrupt_run(kernel, announce_begin(LOOPS[name]))
        assert summarize(ended) == ("interrupted", "Interrupted", True)
        assert (await run_code(kernel, "kept")).results == ["'kept'"]


async def test_interrupts_never_tear_a_frame() -> None:
    async with open_kernel() as kernel:
        for _ in range(10):
            ended = await interrupt_run(kernel, announce_begin(LOOPS["threads that print"]))
            assert summarize(ended) == ("interrupted", "Interrupted", True)


async def test_code_that_ignores_an_interrupt_is_ended() -> None:
    stubborn = "import time\nwhile True: time.sleep(9)"
    deaf = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    async with open_kernel(limits=Limits(grace=0.3)) as kernel:
        ended = await interrupt_run(kernel, deaf + announce_begin(stubborn))
        assert summarize(ended) == ("interrupted", "Interrupted", False)
        assert not kernel.alive
        assert (await run_code(kernel, "1")).results == ["1"]


STOP_AFTER_RUN = f"""{RUN_AFTERWARDS}
import os, signal
run_afterwards(lambda: os.kill(os.getpid(), signal.SIGSTOP))
"""


async def stop_runner(kernel: SandboxKernel) -> None:
    """Have the runner stop itself with SIGSTOP once its run has ended."""
    await run_code(kernel, STOP_AFTER_RUN)
    assert kernel._process
    runner = kernel._process._sandbox.find_runner_pid()
    state = Path(f"/proc/{runner}/stat")
    await wait_until(lambda: state.read_bytes().rpartition(b")")[2].split()[0] == b"T")


@pytest.mark.parametrize("level", LEVELS)
async def test_a_kernel_that_never_begins_is_ended(
    level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_kernel(level) as kernel:
        await stop_runner(kernel)
        with monkeypatch.context() as impatient:
            impatient.setattr("starchat_tui.sandbox.host.kernel_run.BEGIN_TIMEOUT", 1.0)
            ended = (await run_code(kernel, "1")).end
        assert summarize(ended) == ("died", "The kernel did not begin the run within 1 s", False)
        assert (await run_code(kernel, "2")).results == ["2"]


async def test_a_run_that_never_begins_can_be_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("starchat_tui.sandbox.host.kernel_process.BEGIN_TIMEOUT", 0.3)
    async with open_kernel(limits=replace(RELAXED_LIMITS, grace=0.3)) as kernel:
        await stop_runner(kernel)
        running = asyncio.ensure_future(run_code(kernel, "1"))
        await wait_until(lambda: kernel._process and kernel._process._control)
        kernel.interrupt()
        ended = (await running).end
        assert summarize(ended) == ("interrupted", "Interrupted", False)


DEATHS = {
    "import os; os._exit(3)": "The kernel ended: exit code 3",
    "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)": "The kernel ended: signal SIGSEGV",
    "import os, signal; os.kill(os.getpid(), signal.SIGKILL)": "The kernel ended: signal SIGKILL",
    "import ctypes; ctypes.string_at(0)": "The kernel ended: signal SIGSEGV",
}


@pytest.mark.parametrize("code", DEATHS)
async def test_a_kernel_that_dies_is_reported_and_replaced(code: str) -> None:
    async with open_kernel() as kernel:
        run = await run_code(kernel, f"print('last words', flush=True)\n{code}")
        assert run.out == "last words\n"
        assert summarize(run.end) == ("died", DEATHS[code], False)
        assert (await run_code(kernel, "1")).results == ["1"]


HOST = """
import asyncio, sys
from starchat_tui.sandbox.host.kernel import SandboxKernel
from starchat_tui.sandbox.isolation.probe import probe_sandbox

CODE = '''
import os, signal, time
for _ in range(5):
    if os.fork() == 0:
        os.setsid()
        for one in signal.SIGTERM, signal.SIGHUP: signal.signal(one, signal.SIG_IGN)
        while True: time.sleep(1)
print("running", flush=True)
while True: time.sleep(1)
'''

async def main():
    kernel = SandboxKernel(probe_sandbox(sys.argv[1]))
    async for output in kernel.run(CODE):
        print(*kernel._process._sandbox.list_pids(), flush=True)

asyncio.run(main())
"""


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_everything_is_gone_when_the_host_is_killed(level: str, end: signal.Signals) -> None:
    host = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(HOST), level],
        stdout=subprocess.PIPE,
        cwd=ROOT,
        text=True,
    )
    assert host.stdout is not None
    with host, host.stdout:
        pids = [int(word) for word in re.findall(r"\d+", host.stdout.readline())]
        assert len(pids) > 5, "the code and its five children"
        assert all(map(is_running, pids)), "they are there, to begin with"
        host.send_signal(end)
        host.wait()
    block_until(lambda: not any(map(is_running, pids)), what=f"still there: {pids}")


def is_running(pid: int) -> bool:
    """Return whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_this_process_counts_as_running() -> None:
    assert is_running(os.getpid())
