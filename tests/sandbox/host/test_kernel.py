"""Kernel of a conversation: its variables, files, restarts and the runs that wait for it."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest

from starchat_tui.config.byte_units import MIB
from starchat_tui.errors import UsageError
from starchat_tui.sandbox.host.downloads import Download
from starchat_tui.sandbox.host.kernel import FileUnavailable, SandboxKernel
from starchat_tui.sandbox.isolation.probe import Capability
from starchat_tui.sandbox.outputs import Note, RunEnded, StreamText
from starchat_tui.sandbox.run_state import RunControl, RunState, StopReason
from tests.sandbox.kernels import (
    LEVELS,
    RELAXED_LIMITS,
    RUN_AFTERWARDS,
    open_kernel,
    run_code,
    summarize,
    wait_until_running,
)
from tests.waiting import wait_until

pytestmark = pytest.mark.bwrap


@pytest.mark.parametrize("level", LEVELS)
async def test_variables_live_on_until_a_restart(level: str) -> None:
    async with open_kernel(level) as kernel:
        assert not kernel.alive
        await kernel.start()
        await kernel.start()
        assert kernel.alive
        first = await run_code(kernel, "x = 41; print('set')")
        assert (first.end.status, first.end.level, first.out) == ("ok", level, "set\n")
        assert (await run_code(kernel, "x + 1")).results == ["42"]
        await kernel.restart()
        assert kernel.alive
        assert (await run_code(kernel, "x")).failure.name == "NameError"


async def test_without_a_sandbox_nothing_runs(tmp_path: Path) -> None:
    kernel = SandboxKernel(Capability("off", "bubblewrap is not installed"))
    await kernel.start()
    run = await run_code(kernel, f"open({str(tmp_path / 'x')!r}, 'w')")
    assert run.outputs == [RunEnded("no-sandbox", "off", 0.0, "bubblewrap is not installed")]
    assert not kernel.alive
    assert not list(tmp_path.iterdir())
    await kernel.aclose()


async def test_output_arrives_while_the_code_runs() -> None:
    code = "import time\nprint('now')\nfor _ in range(1000): time.sleep(0.1)"
    async with open_kernel() as kernel:
        got = []
        async with aclosing(kernel.run(code)) as outputs:
            async for output in outputs:
                got.append(output)
                if output == StreamText("stdout", "now\n"):
                    kernel.interrupt()
    assert got[0] == StreamText("stdout", "now\n")
    assert isinstance(got[-1], RunEnded)
    assert summarize(got[-1]) == ("interrupted", "Interrupted", True)


async def test_a_run_can_be_interrupted_before_its_kernel_exists() -> None:
    async with open_kernel() as kernel:
        running = asyncio.ensure_future(run_code(kernel, "while True: pass"))
        await asyncio.sleep(0)
        kernel.interrupt()
        ended = (await running).end
        assert summarize(ended) == ("interrupted", "Interrupted", True)


async def test_a_run_that_waits_for_a_prewarmed_kernel_can_be_interrupted() -> None:
    async with open_kernel() as kernel:
        ahead = asyncio.ensure_future(kernel.start())
        await asyncio.sleep(0)
        running = asyncio.ensure_future(run_code(kernel, "while True: pass"))
        await asyncio.sleep(0)
        kernel.interrupt()
        assert summarize((await running).end) == ("interrupted", "Interrupted", True)
        await ahead
        assert kernel.alive


async def test_an_interrupt_without_a_run_does_nothing() -> None:
    async with open_kernel() as kernel:
        kernel.interrupt()
        await run_code(kernel, "x = 1")
        kernel.interrupt()
        assert (await run_code(kernel, "x")).results == ["1"]


async def test_the_next_run_reports_a_death_between_two_runs() -> None:
    code = f"{RUN_AFTERWARDS}\nimport os; run_afterwards(lambda: os._exit(7))"
    async with open_kernel() as kernel:
        assert (await run_code(kernel, code)).end.status == "ok"
        await wait_until(lambda: not kernel.alive)
        run = await run_code(kernel, "2")
        assert run.outputs[0] == Note(
            "The kernel ended: exit code 7: the variables of earlier runs are gone."
        )
        assert run.results == ["2"]


async def test_files_are_reported_and_fetched_by_name() -> None:
    code = """
import os
open('a.csv', 'w').write('a,b')
os.makedirs('sub/deep', exist_ok=True)
open('sub/deep/b.bin', 'wb').write(bytes(range(256)) * 8192)
os.symlink('/etc/passwd', 'link')
os.mkfifo('fifo')
open(os.fsencode('x') + b'\\xff', 'w').close();
"""
    async with open_kernel() as kernel:
        run = await run_code(kernel, code)
        assert run.files == {"a.csv": 3, "sub/deep/b.bin": 2**21}
        assert await kernel.fetch_file("a.csv") == b"a,b"
        assert await kernel.fetch_file("sub/deep/b.bin") == bytes(range(256)) * 8192
        for name in (
            "nothing",
            "link",
            "fifo",
            "sub",
            "",
            ".",
            "/etc/passwd",
            "../etc/passwd",
            "sub/../a.csv",
            "sub/../../usr/bin/python3",
            "/cell/a.csv",
            "a.csv\0",
        ):
            with pytest.raises(FileUnavailable, match="is not available"):
                await kernel.fetch_file(name)
        assert (await run_code(kernel, "1")).files == {}
        assert (await run_code(kernel, "open('a.csv', 'a').write('c')")).files == {"a.csv": 4}
    with pytest.raises(FileUnavailable, match="gone"):
        await kernel.fetch_file("a.csv")


async def test_a_file_that_is_too_large_to_fetch_costs_nothing_else() -> None:
    async with open_kernel(limits=replace(RELAXED_LIMITS, fetched=MIB)) as kernel:
        await run_code(kernel, "x = 1; open('big', 'wb').write(bytes(2**22))")
        with pytest.raises(FileUnavailable, match="it is larger than 1 MB"):
            await kernel.fetch_file("big")
        assert (await run_code(kernel, "x")).results == ["1"]


async def test_a_kernel_that_sends_more_than_it_may_is_ended() -> None:
    async with open_kernel() as kernel:
        await run_code(kernel, "open('big', 'wb').write(bytes(2**22));")
        kernel.limits = replace(RELAXED_LIMITS, fetched=MIB)  # which the runner does not know
        with pytest.raises(FileUnavailable, match="more of a file than it may"):
            await kernel.fetch_file("big")
        assert (await run_code(kernel, "1")).results == ["1"]


@pytest.mark.parametrize("level", LEVELS)
async def test_the_code_reads_downloads_from_its_folder(level: str) -> None:
    url = "https://data.example/table.csv"
    got = Download(url, "table.csv", b"a,b\n1,2\n" + b"3,4\n" * 500_000)
    async with open_kernel(level) as kernel:
        await run_code(kernel, "x = 5")
        code = f"import os\ntext = open('{url}').read()\nmode = os.stat('table.csv').st_mode\n"
        code += "len(text), text[:7], oct(mode), x"
        run = await run_code(kernel, code, downloads=[got])
        assert run.results == ["(2000008, 'a,b\\n1,2', '0o100444', 5)"]
        assert run.files == {}


@pytest.mark.parametrize("level", LEVELS)
async def test_attached_files_can_be_read_and_not_written(level: str, tmp_path: Path) -> None:
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"
    first.write_text("1")
    second.write_text("2")
    async with open_kernel(level, attached=[first]) as kernel:
        assert (await run_code(kernel, "x = open('first.csv').read(); x")).results == ["'1'"]
        written = await run_code(kernel, "open('first.csv', 'w').write('no')")
        assert written.end.status == "error"
        await kernel.attach_file(second)
        run = await run_code(kernel, "open('first.csv').read() + open('second.csv').read()")
        assert run.results == ["'12'"]
        assert "attach" in run.notes[0]
        with pytest.raises(UsageError):
            await kernel.attach_file(tmp_path / "missing")
        assert (await run_code(kernel, "1")).results == ["1"]
    assert first.read_text() == "1"


async def test_closing_ends_a_run_that_is_running() -> None:
    async with open_kernel() as kernel:
        await kernel.start()
        running = asyncio.ensure_future(run_code(kernel, "while True: pass"))
        await wait_until_running(kernel)
        await kernel.aclose()
        ended = (await running).end
        assert summarize(ended) == ("died", "The kernel was closed", False)


async def test_restarting_ends_a_run_that_is_running() -> None:
    async with open_kernel() as kernel:
        await kernel.start()
        running = asyncio.ensure_future(run_code(kernel, "while True: pass"))
        await wait_until_running(kernel)
        await kernel.restart()
        ended = (await running).end
        assert summarize(ended) == ("interrupted", "The kernel was restarted", False)
        assert (await run_code(kernel, "1")).results == ["1"]


async def test_two_runs_at_once_take_turns() -> None:
    async with open_kernel() as kernel:
        first, second = await asyncio.gather(
            run_code(kernel, "import time; time.sleep(0.2); print('a')"),
            run_code(kernel, "print('b')"),
        )
    assert (first.out, second.out) == ("a\n", "b\n")


async def test_a_control_follows_its_run_and_stops_it() -> None:
    control, states = RunControl(), []
    async with open_kernel() as kernel:
        await kernel.start()
        states.append(control.state)
        code = "print('begun', flush=True)\nwhile True: pass"
        async for output in kernel.run(code, control=control):
            if output == StreamText("stdout", "begun\n"):
                states.append(control.state)
                control.request_stop(StopReason("timeout", "Stopped by hand"))
                states.append(control.state)
        assert summarize(output) == ("timeout", "Stopped by hand", True)
    assert states == [RunState.STARTING, RunState.RUNNING, RunState.ENDING]


async def test_a_run_that_is_stopped_while_it_waits_for_its_turn_never_begins() -> None:
    control = RunControl()
    async with open_kernel() as kernel:
        await kernel.start()
        first = asyncio.ensure_future(run_code(kernel, "import time; time.sleep(0.5); x = 1"))
        await wait_until_running(kernel)
        waiting = asyncio.ensure_future(run_code(kernel, "x = 2", control=control))
        await asyncio.sleep(0)
        control.request_stop()
        assert (await first).end.status == "ok", "the other run goes on"
        assert summarize((await waiting).end) == ("interrupted", "Interrupted", True)
        assert (await run_code(kernel, "x")).results == ["1"]


async def test_closing_ends_a_run_that_waits_for_its_process() -> None:
    async with open_kernel() as kernel:
        waiting = asyncio.ensure_future(run_code(kernel, "1"))
        await asyncio.sleep(0.05)
        await kernel.aclose()
        assert summarize((await waiting).end) == ("died", "The kernel was closed", False)
        assert not kernel.alive
