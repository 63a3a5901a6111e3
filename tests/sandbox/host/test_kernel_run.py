"""One run: its limits with their messages, forged frames, and outputs that nobody reads."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing, suppress
from dataclasses import replace

import pytest

from starchat_tui.config.byte_units import MIB
from starchat_tui.sandbox.host.kernel import FileUnavailable, SandboxKernel
from starchat_tui.sandbox.host.kernel_run import MAX_NOTES
from starchat_tui.sandbox.limits import Limits
from tests.sandbox.kernels import (
    RELAXED_LIMITS,
    RUN_AFTERWARDS,
    open_kernel,
    run_code,
    summarize,
)
from tests.waiting import PATIENCE

pytestmark = pytest.mark.bwrap

SMALL = replace(RELAXED_LIMITS, memory=700 * MIB, entries=20_000)


LIMITS = {
    "time": (
        replace(SMALL, timeout=0.5),
        "while True: pass",
        ("timeout", "Stopped after 0.5 s", True),
    ),
    "memory of a process": (
        SMALL,
        "x = bytearray(10**10)",
        ("memory", "The code asked for more than 0.684 GB of memory", True),
    ),
    "memory of an array": (
        SMALL,
        "import numpy\nx = numpy.ones(10**9)",
        ("memory", "The code asked for more than 0.684 GB of memory", True),
    ),
    "memory of a family": (
        SMALL,
        "import os, time\nfor _ in range(6):\n"
        "    if os.fork() == 0:\n        x = bytearray(b'x') * 300_000_000; time.sleep(200)\n"
        "time.sleep(200)",
        ("memory", "The code and its files held more than 0.684 GB of memory", False),
    ),
    "files": (
        SMALL,
        "for i in range(10**6): open(f'/tmp/{i}', 'w').close()",
        ("memory", "The code created more than 20,000 files", False),
    ),
    "output": (
        replace(SMALL, output=2 * MIB),
        "while True: print('x' * 1000)",
        ("output", "Stopped after 2 MB of output", True),
    ),
    "output past Python": (
        replace(SMALL, output=2 * MIB),
        "import os\nwhile True: os.write(1, b'x' * 10_000)",
        ("output", "Stopped after 2 MB of output", True),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", LIMITS)
async def test_each_limit_has_its_message(name: str) -> None:
    limits, code, expected = LIMITS[name]
    async with open_kernel(limits=limits) as kernel:
        ended = (await run_code(kernel, code)).end
        assert summarize(ended) == expected
        assert kernel.alive is ended.variables_kept
        assert (await run_code(kernel, "6 * 7")).results == ["42"]


async def test_a_file_that_grows_too_large_says_so() -> None:
    async with open_kernel(limits=replace(SMALL, file_size=MIB)) as kernel:
        run = await run_code(kernel, "open('big', 'wb').write(bytes(2**21))")
        assert run.failure.name == "OSError"
        assert "The sandbox limits the size of a file: write less to it" in run.notes


async def test_more_pictures_than_the_limit_are_left_out() -> None:
    code = "import matplotlib.pyplot as plt\nfor i in range(5):\n    plt.figure(); plt.plot([i])"
    async with open_kernel(limits=Limits(figures=2)) as kernel:
        run = await run_code(kernel, code)
    assert len(run.figures) == 2
    assert run.notes == ["A run shows at most 2 pictures; 3 more were left out"]
    assert run.end.status == "ok"


async def test_more_notes_than_the_limit_are_left_out() -> None:
    code = (
        "display = get_ipython().run_display\n"
        "for i in range(999): display.send_note(str(i)), i % 99 or display.send_hint('forged')\n"
        "open('a')"
    )
    async with open_kernel() as kernel:
        run = await run_code(kernel, code)
    assert sorted(run.notes) == sorted(["forged", *map(str, range(MAX_NOTES))])
    assert run.end.status == "error"


FIND_FRAMES_FD = """
import os, stat
pipes = [fd for fd in range(3, 64) if os.path.exists(f'/dev/fd') or True]
def is_out(fd):
    try:
        import fcntl
        return stat.S_ISFIFO(os.fstat(fd).st_mode) and fcntl.fcntl(fd, fcntl.F_GETFL) & 3 == 1
    except OSError: return False
out = min(fd for fd in pipes if is_out(fd))
"""
"""Code that finds the pipe of its frames: the first descriptor that can be written."""


FORGERIES = {
    "garbage": "b'garbage'",
    "JSON": 'b\'{"status": "ok"}\'',
    "half a frame of another": "b'N' + (9).to_bytes(4, 'big') + b'abc'",
    "four gigabytes": "b'F' + b'\\xff' * 4",
    "a second beginning": "b'B' + (5).to_bytes(4, 'big') + (1).to_bytes(4, 'big') + b'1'",
    "being ready again": "b'R' + bytes(4)",
    "a file nobody asked for": "b'C' + (5).to_bytes(4, 'big') + (1).to_bytes(4, 'big') + b'x'",
    "a picture bomb": "b'F' + (4).to_bytes(4, 'big') + bytes(4)",
}


@pytest.mark.parametrize("name", FORGERIES)
async def test_a_forged_frame_ends_the_kernel(name: str) -> None:
    async with open_kernel() as kernel:
        run = await run_code(
            kernel, f"{FIND_FRAMES_FD}\nos.write(out, {FORGERIES[name]})\nprint('x' * 100)"
        )
        assert run.end.status == "died"
        assert run.end.reason.startswith("Protocol violation: ")
        assert run.end.variables_kept is False
        assert (await run_code(kernel, "1")).results == ["1"]


SEND_PICTURES = """
import io
from PIL import Image
file = io.BytesIO(); Image.new('L', (3, 2)).save(file, 'PNG')
send = get_ipython().run_display._pipe.send
def picture(key): send('figure', file.getvalue(), 3, 2, 'forged', key)
"""


async def test_pictures_of_one_key_count_once() -> None:
    async with open_kernel() as kernel:
        run = await run_code(kernel, f"{SEND_PICTURES}\nfor _ in range(99): picture(7)")
    assert run.end.status == "ok"
    assert len(run.figures) == 99


@pytest.mark.parametrize("key", ["0", "at + 1"])
async def test_more_pictures_than_a_run_may_show_are_forged(key: str) -> None:
    async with open_kernel() as kernel:
        run = await run_code(kernel, f"{SEND_PICTURES}\nfor at in range(99): picture({key})")
    assert run.end.status == "died"
    assert len(run.figures) == kernel.limits.figures


async def test_cleared_and_replaced_pictures_count_for_the_size_of_the_output() -> None:
    limits = replace(SMALL, output=20_000)
    code = f"{SEND_PICTURES}\nfor at in range(999): picture(1); send('clear')"
    async with open_kernel(limits=limits) as kernel:
        run = await run_code(kernel, code)
    assert run.end.status == "output"
    assert sum(len(one.png) for one in run.figures) < 20_000


async def test_a_forged_end_only_ends_its_own_run() -> None:
    forged = "b'D' + (6).to_bytes(4, 'big') + (2).to_bytes(4, 'big') + b'ok'"
    async with open_kernel() as kernel:
        run = await run_code(kernel, f"{FIND_FRAMES_FD}\nos.write(out, {forged})\nprint('later')")
        assert run.end.status == "ok"
        # What follows belongs to no run; the next one begins with its own beginning.
        following = await run_code(kernel, "1")
        assert following.end.status in ("ok", "died")
        assert "later" not in following.out


async def test_output_after_the_end_of_a_run_is_dropped() -> None:
    late = "run_afterwards(lambda: (print('late!', flush=True), open('said', 'w').close()))"
    async with open_kernel() as kernel:
        run = await run_code(kernel, f"{RUN_AFTERWARDS}\n{late}; print('begun')")
        assert run.out == "begun\n"
        await wait_for_file(kernel, "said")
        run = await run_code(kernel, "print('mine')")
    assert run.out == "mine\n"
    assert run.notes == ["Lost 6 characters printed after an earlier run ended"]


async def wait_for_file(kernel: SandboxKernel, name: str) -> None:
    """Wait until the code has written a file, without another run."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        with suppress(FileUnavailable):
            await kernel.fetch_file(name)
            return
        await asyncio.sleep(0.01)
    pytest.fail(f"no `{name}` within {PATIENCE:g} s")


async def test_closing_the_outputs_ends_the_kernel() -> None:
    async with open_kernel() as kernel:
        async with aclosing(kernel.run("while True: print('x')")) as outputs:
            await anext(outputs)
        assert not kernel.alive
        assert (await run_code(kernel, "1")).results == ["1"]
