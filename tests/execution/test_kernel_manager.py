from __future__ import annotations

import asyncio
import os
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from starchat_tui.errors import Busy, UsageError
from starchat_tui.execution.kernel_manager import (
    KernelManager,
    create_no_sandbox_error,
    end_before_begin,
)
from starchat_tui.sandbox.host.downloads import Download
from starchat_tui.sandbox.isolation.probe import Capability
from starchat_tui.sandbox.outputs import (
    Output,
    OutputCleared,
    RunEnded,
    StreamText,
    WrittenFile,
)
from starchat_tui.sandbox.run_state import RunControl, RunState
from tests.scripted import DRAWN, ScriptedKernelFactory
from tests.waiting import PATIENCE, wait_until


@pytest.fixture
def factory() -> ScriptedKernelFactory:
    return ScriptedKernelFactory()


async def run_code(manager: KernelManager, code: str = "1") -> list[Output]:
    return [output async for output in manager.run(code)]


async def test_a_kernel_is_created_by_the_first_run_and_kept(
    factory: ScriptedKernelFactory,
) -> None:
    manager = factory.create_manager()
    assert not factory.kernels
    for _ in range(2):
        factory.enqueue("hello")
        assert await run_code(manager) == [
            StreamText("stdout", "hello"),
            RunEnded("ok", "isolated", 0.4),
        ]
    assert len(factory.kernels) == 1
    assert factory.kernel.starts == 1


async def test_prewarming_starts_the_kernel_once_for_the_first_run(
    factory: ScriptedKernelFactory,
) -> None:
    manager = factory.create_manager()
    for _ in range(3):
        manager.prewarm()
    await wait_until(lambda: factory.kernels and factory.kernel.alive)
    factory.enqueue("x")
    await run_code(manager)
    assert len(factory.kernels) == 1
    assert factory.kernel.starts == 1


async def test_without_a_sandbox_no_kernel_is_created(factory: ScriptedKernelFactory) -> None:
    factory.capability = Capability("off", "no bubblewrap", ("sudo apt install bubblewrap",))
    manager = factory.create_manager()
    manager.prewarm()
    (ended,) = await run_code(manager)
    assert isinstance(ended, RunEnded)
    assert (ended.status, ended.level) == ("no-sandbox", "off")
    await manager.aclose()
    assert not factory.kernels
    error = create_no_sandbox_error(factory.capability)
    assert "no bubblewrap" in error.message
    assert "sudo apt install bubblewrap" in error.hint
    assert error.exit_code == 77


async def test_the_sandbox_is_probed_once_and_never_weakened(
    factory: ScriptedKernelFactory,
) -> None:
    manager = factory.create_manager()
    await manager.probe_sandbox()
    factory.capability = Capability("restricted", "bubblewrap went away")
    factory.enqueue("x")
    await run_code(manager)
    manager.reset()
    factory.enqueue("y")
    await run_code(manager)
    assert [kernel.capability.level for kernel in factory.kernels] == ["isolated", "isolated"]


async def test_one_block_runs_at_a_time(factory: ScriptedKernelFactory) -> None:
    manager = factory.create_manager()
    factory.enqueue(asyncio.Event())
    first = asyncio.ensure_future(run_code(manager))
    await wait_until(lambda: factory.kernels and factory.kernel.codes)
    with pytest.raises(Busy):
        await run_code(manager)
    assert manager.is_busy
    manager.interrupt()
    ended = (await first)[-1]
    assert isinstance(ended, RunEnded)
    assert ended.status == "interrupted"
    assert not manager.is_busy


async def test_written_files_and_plots_can_be_fetched(factory: ScriptedKernelFactory) -> None:
    manager = factory.create_manager()
    factory.enqueue(DRAWN, WrittenFile("a.csv", 3))
    await run_code(manager)
    factory.kernel.files["a.csv"] = b"1,2"
    assert manager.file_sizes == {"figure-1.png": len(DRAWN.png), "a.csv": 3}
    assert await manager.fetch_file("a.csv") == b"1,2"
    assert await manager.fetch_file("figure-1.png") == DRAWN.png
    for name in ("figure-2.png", "figure-0.png", "/etc/passwd", "../a.csv", ""):
        with pytest.raises(UsageError, match="wrote no file"):
            await manager.fetch_file(name)
    await manager.restart()
    assert "a.csv" not in manager.file_sizes


async def test_of_replaced_and_cleared_plots_the_last_can_be_fetched(
    factory: ScriptedKernelFactory,
) -> None:
    manager = factory.create_manager()
    states = [replace(DRAWN, png=DRAWN.png + bytes([state]), key=1) for state in range(3)]
    factory.enqueue(DRAWN)
    factory.enqueue(DRAWN, OutputCleared(), *states)
    for _ in range(2):
        await run_code(manager)
    assert list(manager.file_sizes) == ["figure-1.png", "figure-2.png"]
    assert await manager.fetch_file("figure-1.png") == DRAWN.png, "of the run before"
    assert await manager.fetch_file("figure-2.png") == states[-1].png


async def test_an_interrupt_during_the_probe_stops_the_run_before_it_begins(
    factory: ScriptedKernelFactory,
) -> None:
    manager, looked = factory.create_manager(), threading.Event()

    def probe() -> Capability:
        looked.wait(PATIENCE)
        return factory.capability

    manager._factory = replace(manager._factory, probe=probe)
    first = asyncio.ensure_future(run_code(manager))
    await wait_until(lambda: manager.is_busy)
    manager.interrupt()
    looked.set()
    assert await first == [end_before_begin("isolated")]
    assert not factory.kernels
    factory.enqueue("x")
    assert (await run_code(manager))[0] == StreamText("stdout", "x")


async def test_a_stop_request_ends_a_download(factory: ScriptedKernelFactory) -> None:
    async def never_end(url: str) -> Download:
        await asyncio.Event().wait()
        raise AssertionError(url)

    urls = ["https://data.example/a.csv"]
    manager = factory.create_manager()
    got = await manager.download_all(urls, RunControl())
    assert got is not None
    assert [one.name for one in got] == ["a.csv"]
    manager._factory = replace(manager._factory, download=never_end)
    control = RunControl()
    downloading = asyncio.ensure_future(manager.download_all(urls, control))
    await asyncio.sleep(0)
    control.request_stop()
    assert await downloading is None
    assert await manager.download_all(urls, control) is None, "stopped before it was asked for"
    assert await manager.download_all([], RunControl()) == []


async def test_a_run_that_was_stopped_before_never_reaches_the_kernel(
    factory: ScriptedKernelFactory,
) -> None:
    manager, control = factory.create_manager(), RunControl()
    control.request_stop()
    outputs = [output async for output in manager.run("1", control=control)]
    assert outputs == [end_before_begin("isolated")]
    assert not factory.kernels
    assert control.state is RunState.IDLE
    assert not manager.is_busy


async def test_files_are_attached_before_and_after_the_kernel_starts(
    factory: ScriptedKernelFactory, tmp_path: Path
) -> None:
    first, second = tmp_path / "1.csv", tmp_path / "2.csv"
    for path in (first, second):
        path.write_text("x")
    manager = factory.create_manager()
    await manager.attach_file(first)
    factory.enqueue("x")
    await run_code(manager)
    await manager.attach_file(second)
    assert factory.kernel.attached == [first, second]
    assert manager.attached_files == (first, second)
    (tmp_path / "link.csv").symlink_to(first)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "1.csv").write_text("y")
    os.mkfifo(tmp_path / "fifo")
    for bad in ("", "none", "link.csv", "other/1.csv", "fifo"):
        with pytest.raises(UsageError):
            await manager.attach_file(tmp_path / bad)
    with pytest.raises(UsageError):
        await manager.attach_file(Path("~nobody-of-that-name/1.csv"))
    assert manager.attached_files == (first, second)


async def test_another_conversation_gets_its_own_kernel(factory: ScriptedKernelFactory) -> None:
    manager = factory.create_manager()
    factory.enqueue(WrittenFile("a", 1))
    await run_code(manager)
    manager.reset()
    assert not manager.file_sizes
    factory.enqueue("y")
    await run_code(manager)
    await wait_until(lambda: factory.kernels[0].closed)
    assert len(factory.kernels) == 2
    await manager.aclose()
    assert factory.kernel.closed == 1
