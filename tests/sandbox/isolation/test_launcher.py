"""Command in a sandbox as its kernel sees it: found, interrupted, measured, killed."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from starchat_tui.config.byte_units import MIB
from starchat_tui.errors import StarChatError
from starchat_tui.sandbox.isolation.bubblewrap import SandboxSpec
from starchat_tui.sandbox.isolation.launcher import SandboxProcess, start_sandbox
from starchat_tui.sandbox.limits import Limits
from tests.waiting import wait_until

pytestmark = pytest.mark.bwrap
SLEEPING = """
import os, signal, sys, time
# Whoever started the tests may ignore it.
signal.signal(signal.SIGINT, signal.default_int_handler)
try:
    print("ready", file=sys.stderr, flush=True)
    time.sleep(300)
except KeyboardInterrupt: print("interrupted", file=sys.stderr, flush=True)
"""


def command(one: SandboxSpec, code: str) -> list[str]:
    return [str(one.interpreter.python), "-I", "-S", "-c", code]


@pytest.fixture(params=["isolated", "restricted", "unsafe"])
def spec(request: pytest.FixtureRequest) -> SandboxSpec:
    return SandboxSpec(
        request.param, drop_to_nobody=os.geteuid() == 0, limits=Limits(folder=4 * MIB)
    )


@pytest.fixture
def sleeping(spec: SandboxSpec) -> Iterator[SandboxProcess]:
    started = start_sandbox(spec, command(spec, SLEEPING))
    assert started.process.stderr
    assert started.process.stderr.readline() == b"ready\n"
    yield started
    started.close()


def test_the_command_is_found_by_its_host_pid(sleeping: SandboxProcess) -> None:
    runner = sleeping.find_runner_pid()
    assert runner
    assert runner in sleeping.list_pids()
    assert b"-S" in Path(f"/proc/{runner}/cmdline").read_bytes()


async def test_an_interrupt_reaches_only_the_command(sleeping: SandboxProcess) -> None:
    assert sleeping.interrupt()
    assert sleeping.process.communicate()[1] == b"interrupted\n"
    assert sleeping.process.returncode == 0
    assert not sleeping.interrupt()


def test_killing_and_closing_twice_is_harmless(sleeping: SandboxProcess) -> None:
    sleeping.kill()
    sleeping.kill()
    assert sleeping.process.wait() != 0
    sleeping.close()
    sleeping.close()
    assert sleeping.list_pids() == []
    assert not sleeping.interrupt()


def test_a_signal_in_this_terminal_does_not_reach_it(sleeping: SandboxProcess) -> None:
    assert os.getsid(sleeping.process.pid) != os.getsid(0)
    runner = sleeping.find_runner_pid()
    assert runner
    assert os.getsid(runner) not in (os.getsid(0), os.getsid(sleeping.process.pid))


async def test_folders_in_memory_can_be_measured_from_outside() -> None:
    one = SandboxSpec("isolated", drop_to_nobody=os.geteuid() == 0, limits=Limits(folder=4 * MIB))
    code = "open('big', 'wb').write(bytes(2**20))\n" + SLEEPING
    started = start_sandbox(one, command(one, code))
    assert started.process.stderr
    started.process.stderr.readline()
    sizes = {}
    for folder in started.list_writable_folders():
        state = os.statvfs(folder)
        total = state.f_blocks * state.f_frsize
        sizes[folder.name] = (total, total - state.f_bfree * state.f_frsize)
    assert sizes["cell"][0] == 4 * MIB
    assert sizes["cell"][1] >= MIB
    assert set(sizes) == {"cell", "tmp", "home", "shm"}
    started.close()
    assert started.scratch is None


def test_only_the_user_can_read_the_scratch_folder(sleeping: SandboxProcess) -> None:
    if sleeping.scratch:
        assert sleeping.list_writable_folders() == [sleeping.scratch]
        assert sleeping.scratch.stat().st_mode & 0o077 == 0


def test_passed_descriptors_reach_the_command(spec: SandboxSpec) -> None:
    read, write = os.pipe()
    started = start_sandbox(
        spec, command(spec, f"import os; os.write({write}, b'hello')"), pass_fds=[write]
    )
    os.close(write)
    assert os.read(read, 100) == b"hello"
    os.close(read)
    started.close()


def test_attached_files_are_copied_at_the_start(spec: SandboxSpec, tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_bytes(b"x" * 3 * MIB)
    one = SandboxSpec(spec.level, drop_to_nobody=spec.drop_to_nobody, attached=(path,))
    code = "import sys; print(len(open('data.csv').read()), file=sys.stderr)"
    for size in (3 * MIB, 10):
        path.write_bytes(b"x" * size)
        started = start_sandbox(one, command(one, code))
        said = started.process.communicate()[1].split()
        started.close()
        assert said[0] == str(size).encode()


def test_attached_files_together_have_a_limit(spec: SandboxSpec, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(b"x" * 600)
    one = SandboxSpec(
        spec.level, limits=Limits(attached=1000), attached=(tmp_path / "a", tmp_path / "b")
    )
    with pytest.raises(StarChatError, match="600 bytes; 400 are left"):
        start_sandbox(one, ["true"])


def test_without_a_sandbox_nothing_starts() -> None:
    with pytest.raises(StarChatError, match="Running code is off"):
        start_sandbox(SandboxSpec("off"), ["true"])


async def test_the_sandbox_ends_with_its_command(spec: SandboxSpec) -> None:
    started = start_sandbox(spec, command(spec, "raise SystemExit(3)"))
    await wait_until(lambda: started.process.poll() is not None)
    assert started.process.returncode == 3
    started.close()


def test_a_signal_that_ends_the_command_is_reported(spec: SandboxSpec) -> None:
    started = start_sandbox(spec, command(spec, "import os; os.abort()"))
    started.process.communicate()
    assert started.process.returncode == 128 + signal.SIGABRT
    started.close()
