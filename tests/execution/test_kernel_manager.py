from __future__ import annotations

import asyncio
import os
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from starchat_tui.codeblocks import CodeBlock
from starchat_tui.errors import Busy, UsageError
from starchat_tui.execution.kernel_manager import (
    Running,
    cell_of,
    is_python,
    plots,
    refusal,
    runnable,
)
from starchat_tui.sandbox.host.downloads import Download
from starchat_tui.sandbox.isolation.probe import Verdict
from starchat_tui.sandbox.outputs import Ended, Output, Text, Written
from tests.scripted import DRAWN, ScriptedWorkshop
from tests.waiting import PATIENCE, wait_until


@pytest.fixture
def workshop() -> ScriptedWorkshop:
    return ScriptedWorkshop()


async def ran(running: Running, code: str = "1") -> list[Output]:
    return [output async for output in running.run(code)]


async def test_a_kernel_is_made_with_the_first_run_and_kept(workshop: ScriptedWorkshop) -> None:
    running = workshop.running()
    assert not workshop.kernels
    for _ in range(2):
        workshop.enqueue("hello")
        assert await ran(running) == [Text("stdout", "hello"), Ended("ok", "isolated", 0.4)]
    assert len(workshop.kernels) == 1
    assert workshop.kernel.starts == 1


async def test_prewarming_starts_it_once_and_the_run_finds_it(workshop: ScriptedWorkshop) -> None:
    running = workshop.running()
    for _ in range(3):
        running.prewarm()
    await wait_until(lambda: workshop.kernels and workshop.kernel.alive)
    workshop.enqueue("x")
    await ran(running)
    assert len(workshop.kernels) == 1
    assert workshop.kernel.starts == 1


async def test_without_a_wall_nothing_is_made(workshop: ScriptedWorkshop) -> None:
    workshop.verdict = Verdict("off", "no bubblewrap", ("sudo apt install bubblewrap",))
    running = workshop.running()
    running.prewarm()
    (ended,) = await ran(running)
    assert isinstance(ended, Ended)
    assert (ended.status, ended.level) == ("no-sandbox", "off")
    await running.aclose()
    assert not workshop.kernels
    error = refusal(workshop.verdict)
    assert "no bubblewrap" in error.message
    assert "sudo apt install bubblewrap" in error.hint
    assert error.exit_code == 77


async def test_the_wall_is_looked_for_once_and_never_lowered(workshop: ScriptedWorkshop) -> None:
    running = workshop.running()
    await running.wall()
    workshop.verdict = Verdict("restricted", "bubblewrap went away")
    workshop.enqueue("x")
    await ran(running)
    running.leave()
    workshop.enqueue("y")
    await ran(running)
    assert [kernel.verdict.level for kernel in workshop.kernels] == ["isolated", "isolated"]


async def test_one_block_runs_at_a_time(workshop: ScriptedWorkshop) -> None:
    running = workshop.running()
    workshop.enqueue(asyncio.Event())
    first = asyncio.ensure_future(ran(running))
    await wait_until(lambda: workshop.kernels and workshop.kernel.codes)
    with pytest.raises(Busy):
        await ran(running)
    assert running.busy
    running.interrupt()
    ended = (await first)[-1]
    assert isinstance(ended, Ended)
    assert ended.status == "interrupted"
    assert not running.busy


async def test_what_it_wrote_and_drew_can_be_fetched(workshop: ScriptedWorkshop) -> None:
    running = workshop.running()
    workshop.enqueue(DRAWN, Written("a.csv", 3))
    await ran(running)
    workshop.kernel.files["a.csv"] = b"1,2"
    assert running.files == {"figure-1.png": len(DRAWN.png), "a.csv": 3}
    assert await running.fetch("a.csv") == b"1,2"
    assert await running.fetch("figure-1.png") == DRAWN.png
    for name in ("figure-2.png", "figure-0.png", "/etc/passwd", "../a.csv", ""):
        with pytest.raises(UsageError, match="wrote no file"):
            await running.fetch(name)
    await running.restart()
    assert "a.csv" not in running.files


async def test_an_interrupt_before_there_is_a_kernel_is_remembered(
    workshop: ScriptedWorkshop,
) -> None:
    running, looked = workshop.running(), threading.Event()

    def probe() -> Verdict:
        looked.wait(PATIENCE)
        return workshop.verdict

    running._workshop = replace(running._workshop, probe=probe)
    first = asyncio.ensure_future(ran(running))
    await wait_until(lambda: running.busy)
    running.interrupt()
    looked.set()
    assert await first == [Ended("interrupted", "isolated", 0.0, "Interrupted before it began")]
    assert not workshop.kernels
    workshop.enqueue("x")
    assert (await ran(running))[0] == Text("stdout", "x")


async def test_an_interrupt_ends_a_download(workshop: ScriptedWorkshop) -> None:
    async def endless(url: str) -> Download:
        await asyncio.Event().wait()
        raise AssertionError(url)

    running = workshop.running()
    got = await running.downloads(["https://data.example/a.csv"])
    assert got is not None
    assert [one.name for one in got] == ["a.csv"]
    running._workshop = replace(running._workshop, download=endless)
    fetching = asyncio.ensure_future(running.downloads(["https://data.example/a.csv"]))
    await wait_until(lambda: running._fetching)
    running.interrupt()
    assert await fetching is None
    assert await running.downloads([]) == []


async def test_files_are_attached_before_and_after_the_start(
    workshop: ScriptedWorkshop, tmp_path: Path
) -> None:
    first, second = tmp_path / "1.csv", tmp_path / "2.csv"
    for path in (first, second):
        path.write_text("x")
    running = workshop.running()
    await running.attach(first)
    workshop.enqueue("x")
    await ran(running)
    await running.attach(second)
    assert workshop.kernel.attached == [first, second]
    assert running.attached == (first, second)
    (tmp_path / "link.csv").symlink_to(first)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "1.csv").write_text("y")
    os.mkfifo(tmp_path / "fifo")
    for bad in ("", "none", "link.csv", "other/1.csv", "fifo"):
        with pytest.raises(UsageError):
            await running.attach(tmp_path / bad)
    with pytest.raises(UsageError):
        await running.attach(Path("~nobody-of-that-name/1.csv"))
    assert running.attached == (first, second)


async def test_another_conversation_has_a_kernel_of_its_own(workshop: ScriptedWorkshop) -> None:
    running = workshop.running()
    workshop.enqueue(Written("a", 1))
    await ran(running)
    running.leave()
    assert not running.files
    workshop.enqueue("y")
    await ran(running)
    await wait_until(lambda: workshop.kernels[0].closed)
    assert len(workshop.kernels) == 2
    await running.aclose()
    assert workshop.kernel.closed == 1


@pytest.mark.parametrize(
    "text",
    ["import matplotlib.pyplot as plt", "sns.barplot(", "%matplotlib inline", "Draw a histogram"],
)
def test_plots_are_foreseen(text: str) -> None:
    assert plots(text)


@pytest.mark.parametrize("text", ["What is a list?", "drawing room", "explore", "import json"])
def test_other_things_are_not(text: str) -> None:
    assert not plots(text)


def test_languages() -> None:
    assert cell_of(CodeBlock("python", "x = 1")) == "x = 1"
    assert cell_of(CodeBlock("", "x = 1")) == "x = 1"
    assert cell_of(CodeBlock("bash", "ls")) == "%%bash\nls"
    assert not runnable("rust")
    with pytest.raises(UsageError, match="rust"):
        cell_of(CodeBlock("rust", "fn main() {}"))


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        (CodeBlock("python", "what ever"), True),
        (CodeBlock("", "%matplotlib inline\n!ls\nx = 1"), True),
        (CodeBlock("", "some words here"), False),
        (CodeBlock("", ""), False),
        (CodeBlock("bash", "ls"), False),
        (CodeBlock("", "(" * 5000), False),
    ],
)
def test_what_is_run_unasked_reads_as_python(block: CodeBlock, expected: bool) -> None:
    assert is_python(block) is expected
