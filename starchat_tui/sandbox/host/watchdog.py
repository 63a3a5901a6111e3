"""Counts what all processes behind the wall use together, which no limit of one process bounds.

Covered: memory of all processes and of the files in memory, processes, files, and computing that
goes on after a run. Not covered: what is taken and given back between two looks; the limits of a
single process, which the runner sets itself, bound that. Nor, on a disk, a removed file that is
mapped and no longer open; nor sockets of a process whose descriptors this one may not see.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from starchat_tui.sandbox.limits import Limits

EVERY = 0.25
"""Seconds between two looks while a run lasts."""
IDLE = 1.0
"""Seconds between two looks while none does."""
LEFT_BEHIND = 60.0
"""Seconds of computing that threads and processes of ended runs are given."""
SLACK = 1.125
"""What all together may hold, as a multiple of what one process may: so that the process hears
`MemoryError`, and keeps its variables, before everything is ended."""
_MOST_WALKED = 100_000
"""Entries of a folder on the disk after which there is no need to go on."""
_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Use:
    """What the processes under one use."""

    processes: int
    """Processes and threads, all told."""
    memory: int
    """Bytes, those of files in memory included."""
    files: int
    cpu: float
    """Seconds of computing of those that live."""
    sockets: int = 0
    """Descriptors of sockets, all told."""


def look(pids: Sequence[int], folders: Sequence[Path], enough: int) -> Use:
    """What processes use, with the folders that lie in memory.

    Memory is first counted roughly, pages that several share several times; only where that is
    more than `enough` bytes is each page counted once, which takes the system longer.
    """
    found = {pid: state for pid in pids if (state := _stat(pid))}
    kept, files = _kept(folders)
    sockets, removed = _held(found, folders)
    kept += removed
    memory = sum(resident for _, resident, _ in found.values())
    if memory + kept > enough:
        memory = sum(_own(pid, resident) for pid, (_, resident, _) in found.items())
    threads = sum(count for count, _, _ in found.values())
    cpu = sum(cpu for _, _, cpu in found.values())
    return Use(threads, memory + kept, files, cpu, sockets)


def _stat(pid: int) -> tuple[int, int, float] | None:
    """Threads, resident bytes, and seconds of computing of a process (proc_pid_stat(5))."""
    try:
        # The name of the program stands in brackets, and may hold any bytes.
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    cpu = sum(map(int, fields[11:15])) / _TICKS
    return int(fields[17]), int(fields[21]) * _PAGE, cpu


def _own(pid: int, resident: int) -> int:
    """The bytes that are a process's alone, and its share of others; not those of mapped files.

    All that are resident where the system does not let this process look closer.
    """
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except PermissionError:
        return resident
    except OSError:  # it has ended
        return 0
    words = dict(line.split(":", 1) for line in lines if line.startswith("Pss_"))
    return (
        sum(int(words[name].split()[0]) for name in ("Pss_Anon", "Pss_Shmem") if name in words)
        * 1024
    )


def _held(pids: Iterable[int], folders: Sequence[Path]) -> tuple[int, int]:
    """How many descriptors are sockets; bytes of removed files on the disk that are still open."""
    disks = set[int]()
    for folder in filter(_on_disk, folders):
        with suppress(OSError):
            disks.add(os.stat(folder).st_dev)
    sockets, removed = 0, dict[tuple[int, int], int]()
    for pid in pids:
        for state in _open_files(pid):
            sockets += stat.S_ISSOCK(state.st_mode)
            if stat.S_ISREG(state.st_mode) and not state.st_nlink and state.st_dev in disks:
                removed[state.st_dev, state.st_ino] = state.st_blocks * 512
    return sockets, sum(removed.values())


def _open_files(pid: int) -> list[os.stat_result]:
    """What lies behind the descriptors of a process."""
    found = []
    with suppress(OSError):
        for descriptor in os.scandir(f"/proc/{pid}/fd"):
            with suppress(OSError):
                found.append(os.stat(descriptor.path))
    return found


def _on_disk(folder: Path) -> bool:
    """Whether a folder is none in memory, which is seen through /proc."""
    return folder.parts[1:2] != ("proc",)


def _kept(folders: Sequence[Path]) -> tuple[int, int]:
    """Bytes and entries in file systems that lie in memory, and in folders on the disk."""
    size = entries = 0
    for folder in folders:
        if _on_disk(folder):
            on_disk = _walked(folder)
            size, entries = size + on_disk[0], entries + on_disk[1]
            continue
        try:
            state = os.statvfs(folder)
        except OSError:
            continue
        size += (state.f_blocks - state.f_bfree) * state.f_frsize
        entries += state.f_files - state.f_ffree
    return size, entries


def _walked(folder: Path) -> tuple[int, int]:
    """Bytes and entries in a folder on the disk; no link is followed."""
    size = entries = 0
    for where, folders, files in os.walk(folder):
        entries += len(folders) + len(files)
        for name in files:
            with suppress(OSError):
                size += os.lstat(os.path.join(where, name)).st_blocks * 512
        if entries > _MOST_WALKED:
            break
    return size, entries


def excess(use: Use, limits: Limits) -> str:
    """What is too much, as a sentence without its full stop; empty where nothing is."""
    if use.memory > limits.memory * SLACK:
        return f"The code and its files held more than {limits.memory / 2**30:.3g} GB of memory"
    if use.processes > limits.processes * 2:
        return f"The code ran more than {limits.processes} processes and threads"
    if use.sockets > limits.sockets:
        return f"The code opened more than {limits.sockets} sockets"
    if use.files > limits.entries:
        return f"The code made more than {limits.entries:,} files"
    return ""
