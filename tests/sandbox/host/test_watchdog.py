"""Measurements of real processes and folders, and the sentence about what is too much."""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from starchat_tui.config.byte_units import MIB
from starchat_tui.sandbox.host import watchdog
from starchat_tui.sandbox.host.watchdog import ResourceUse, describe_excess, measure_use
from starchat_tui.sandbox.limits import Limits

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
UNLIMITED = 2**62


@contextmanager
def process(code: str) -> Iterator[int]:
    """Run code that prints a line when it is ready, and then waits."""
    command = [sys.executable, "-I", "-S", "-c", f"{code}\nprint('ready', flush=True)\ninput()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout
        assert child.stdout.readline() == b"ready\n"
        yield child.pid
        child.kill()


def test_memory_and_threads_of_a_process_are_measured() -> None:
    with process("") as pid:
        small = measure_use([pid], [], UNLIMITED)
    code = """
import threading
held = bytearray(b"x") * 50_000_000
for _ in range(3): threading.Thread(target=threading.Event().wait, daemon=True).start()
"""
    with process(code) as pid:
        large = measure_use([pid], [], UNLIMITED)
    assert small.processes == 1
    assert large.processes == 4
    assert 45 * MIB < large.memory - small.memory < 70 * MIB


def test_pages_that_forks_share_are_counted_once_above_the_limit() -> None:
    code = """
import os
held = bytearray(b"x") * 60_000_000
children = []
for _ in range(3):
    pid = os.fork()
    if not pid: os.read(0, 1); os._exit(0)
    children.append(pid)
open(PATH, "w").write(" ".join(map(str, children)))
"""
    path = Path(f"/tmp/starchat-watchdog-{os.getpid()}")
    try:
        with process(code.replace("PATH", repr(str(path)))) as pid:
            pids = [pid, *map(int, path.read_text().split())]
            rough = measure_use(pids, [], UNLIMITED)
            exact = measure_use(pids, [], 100 * MIB)
    finally:
        path.unlink(missing_ok=True)
    assert rough.memory > 220 * MIB, "RSS counts the shared pages four times"
    assert 50 * MIB < exact.memory < 120 * MIB


def test_cpu_time_is_measured() -> None:
    with process("x = sum(i * i for i in range(5_000_000))") as pid:
        assert measure_use([pid], [], UNLIMITED).cpu > 0.1


def test_a_process_name_cannot_shift_the_fields(tmp_path: Path) -> None:
    rename = "import ctypes; ctypes.CDLL(None).prctl(15, b') R 0 0 0 0', 0, 0, 0)"
    with process(rename) as pid:
        assert ") R 0" in Path(f"/proc/{pid}/stat").read_text()
        use = measure_use([pid], [], UNLIMITED)
    assert use.processes == 1
    assert 1 * MIB < use.memory < 100 * MIB


def test_sockets_are_counted() -> None:
    before = measure_use([os.getpid()], [], UNLIMITED).sockets
    first, second = socket.socketpair()
    with first, second:
        assert measure_use([os.getpid()], [], UNLIMITED).sockets == before + 2


def test_files_on_the_disk_are_counted_without_following_links(tmp_path: Path) -> None:
    outside, folder = tmp_path / "outside", tmp_path / "cell"
    outside.mkdir()
    (outside / "large").write_bytes(b"x" * 4 * MIB)
    folder.mkdir()
    (folder / "data").write_bytes(b"x" * MIB)
    (folder / "link").symlink_to(outside)
    with (folder / "sparse").open("wb") as sparse:
        sparse.truncate(2**40)
    use = measure_use([], [folder], UNLIMITED)
    assert use.files == 3
    assert MIB <= use.memory < 2 * MIB, "the blocks count, not the apparent size"


def test_a_removed_file_counts_as_long_as_it_is_open(tmp_path: Path) -> None:
    code = f"""
import os
held = open({str(tmp_path / "x")!r}, "wb")
held.write(b"x" * 30_000_000); held.flush()
os.unlink(held.name)
"""
    with process(code) as pid:
        with_folder = measure_use([pid], [tmp_path], UNLIMITED)
        without = measure_use([pid], [], UNLIMITED)
    assert 25 * MIB < with_folder.memory - without.memory < 40 * MIB
    assert with_folder.files == 0


def test_a_process_that_is_gone_uses_nothing() -> None:
    with process("") as pid:
        pass
    assert measure_use([pid], [Path("/proc/0/root/cell")], 0) == ResourceUse(0, 0, 0, 0)


def test_without_permission_all_resident_memory_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, *_: object) -> str:
        raise PermissionError(path)

    monkeypatch.setattr(Path, "read_text", refuse)
    assert watchdog._measure_own_memory(os.getpid(), 12345) == 12345


LIMITS = Limits(memory=100 * MIB, processes=10, sockets=5, entries=1000)


@pytest.mark.parametrize(
    ("use", "text"),
    [
        (ResourceUse(1, 100 * MIB, 0, 0), ""),
        (ResourceUse(20, 110 * MIB, 1000, 9e9, 5), ""),
        (ResourceUse(1, 113 * MIB, 0, 0), "held more than 0.0977 GB of memory"),
        (ResourceUse(21, 0, 0, 0), "ran more than 10 processes and threads"),
        (ResourceUse(1, 0, 0, 0, 6), "opened more than 5 sockets"),
        (ResourceUse(1, 0, 1001, 0), "created more than 1,000 files"),
    ],
)
def test_the_excess_is_described(use: ResourceUse, text: str) -> None:
    found = describe_excess(use, LIMITS)
    assert text in found
    assert bool(found) == bool(text)
    assert not found.endswith(".")


def test_the_kernel_shows_the_fields_that_are_read() -> None:
    rollup = Path("/proc/self/smaps_rollup")
    if not rollup.exists():
        pytest.skip("this kernel has no smaps_rollup (before 4.14)")
    libc = ctypes.CDLL(None)
    assert libc.getpid() == os.getpid()
    text = rollup.read_text()
    assert "Pss_Anon:" in text
    assert "Pss_Shmem:" in text
