"""stdout and stderr of a cell: complete, live and in order, whoever writes."""

from __future__ import annotations

import pytest

from starchat_tui.sandbox.host.kernel import SandboxKernel
from starchat_tui.sandbox.outputs import Result, StreamText
from tests.sandbox.kernels import run_code

pytestmark = pytest.mark.bwrap


WRITTEN = {
    "print(1)\nprint(2)": "1\n2\n",
    "import os, sys, subprocess\nprint('a')\nsys.stdout.flush()\nos.write(1, b'b\\n')\n"
    "subprocess.run(['echo', 'c'], check=True)\nsys.stdout.buffer.write(b'd\\n');": "a\nb\nc\nd\n",
    "import os\nif os.fork() == 0: print('child'); os._exit(0)\n_ = os.wait()": "child\n",
    "print('no newline', end='')": "no newline",
    "print('\\ud800\\x1b[2J\\x00ż')": "?\x1b[2J\x00ż\n",
}


@pytest.mark.parametrize("code", WRITTEN)
async def test_everything_written_to_stdout_arrives(kernel: SandboxKernel, code: str) -> None:
    run = await run_code(kernel, code)
    assert (run.out, run.err, run.end.status) == (WRITTEN[code], "", "ok")


async def test_output_of_pool_workers_arrives(kernel: SandboxKernel) -> None:
    code = """
import multiprocessing
def work(i):
    print(f'<{i}>', flush=True)
    return i * i
with multiprocessing.get_context('fork').Pool(2) as pool:
    print(pool.map(work, range(5)))
"""
    run = await run_code(kernel, code)
    assert run.out.endswith("[0, 1, 4, 9, 16]\n")
    assert all(f"<{i}>" in run.out for i in range(5))


EARLIER = {
    "os.write(1, b'first\\n')": "stdout",
    "sys.stdout.buffer.write(b'first\\n')": "stdout",
    "subprocess.run(['echo', 'first'])": "stdout",
    "subprocess.run('echo first >&2', shell=True)": "stderr",
    "get_ipython().system('echo first')": "stdout",
    "if os.fork() == 0: print('first'); os._exit(0)\n    os.wait()": "stdout",
}


@pytest.mark.parametrize("code", EARLIER)
async def test_output_that_bypasses_python_keeps_its_place(
    kernel: SandboxKernel, code: str
) -> None:
    """Even if the thread that reads the pipes comes late: here it waits for the lock."""
    held = f"import os, subprocess, sys\nwith sys.stdout._capture._lock:\n    {code}\n"
    run = await run_code(kernel, f"{held}    print('then')")
    texts = [(one.stream, one.text) for one in run.outputs if isinstance(one, StreamText)]
    assert run.end.status == "ok"
    assert "".join(text for _, text in texts) == "first\nthen\n"
    assert texts[0][0] == EARLIER[code]


async def test_a_signal_handler_may_print_during_a_print(kernel: SandboxKernel) -> None:
    # Each alarm sets the next one: an interval timer would fire within its own handler on a slow
    # machine.
    code = """
import signal
def ring(*_):
    print('rung')
    signal.setitimer(signal.ITIMER_REAL, 0.0002)
signal.signal(signal.SIGALRM, ring)
ring()
for i in range(50_000): print(i)
signal.signal(signal.SIGALRM, signal.SIG_IGN)
"""
    run = await run_code(kernel, code)
    assert run.end.status == "ok", run.outputs[-2:]
    assert "rung" in run.out
    assert "49999\n" in run.out


async def test_a_failing_child_leaves_the_output_of_its_parent(kernel: SandboxKernel) -> None:
    """It inherits the pipes of its parent, and reports its own exception."""
    code = """
import os, sys
with sys.stdout._capture._lock:
    os.write(1, b'first\\n')
    if os.fork() == 0:
        1 / 0
    os.wait()
    print('then')
"""
    run = await run_code(kernel, code)
    assert (run.out, run.end.status) == ("first\nthen\n", "ok")


async def test_stdout_and_stderr_keep_their_order(kernel: SandboxKernel) -> None:
    code = "import sys\nfor i in range(3): print(i); print(-i, file=sys.stderr)\n'end'"
    run = await run_code(kernel, code)
    kinds = [one.stream for one in run.outputs if isinstance(one, StreamText)]
    assert kinds == ["stdout", "stderr"] * 3
    assert isinstance(run.outputs[-2], Result), "earlier text comes first"
