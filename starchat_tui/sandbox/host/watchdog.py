"""Watchdog: measures what all processes of a sandbox use together, which no rlimit covers.

Covered: memory of all processes, of their page tables and of files in memory, processes, files, the
removed ones too, and computing that goes on after a run; and, of whatever kind, memory the machine
loses during a run. Not covered: what is taken and returned between two measurements; the
limits of a single process, which the runner sets itself, cover that. Nor sockets of a process whose
descriptors this one may not see, nor a removed file in a message that nobody has received.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from starchat_tui.sandbox.limits import Limits

RUN_INTERVAL = 0.25
"""Seconds between two measurements during a run."""
IDLE_INTERVAL = 1.0
"""Seconds between two measurements between runs."""
IDLE_CPU_LIMIT = 60.0
"""Seconds of CPU time that threads and processes of ended runs may use."""
TOTAL_FACTOR = 1.125
"""Memory of all processes together, as a multiple of the limit of one.

Above 1, so that a single process meets its own limit first: it gets a `MemoryError` and keeps its
variables, where the watchdog would end everything."""
_MAX_WALKED = 100_000
"""Entries of a folder on the disk after which counting stops: far above any limit."""
_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class ResourceUse:
    """Resources that the processes of one sandbox use."""

    processes: int
    """Processes and threads together."""
    memory: int
    """Bytes, including files in memory."""
    files: int
    cpu: float
    """CPU seconds of the processes that are alive."""
    sockets: int = 0
    """Descriptors of sockets in all processes."""


def measure_use(pids: Sequence[int], folders: Sequence[Path], memory_limit: int) -> ResourceUse:
    """Return what processes and the folders that they write to use.

    Memory is first counted roughly, a page that several processes share several times. Only if that
    exceeds `memory_limit` bytes, each page is counted once (PSS).
    """
    stats = {pid: state for pid in pids if (state := _read_stat(pid))}
    stored, files = _measure_folders(folders)
    sockets, removed = _measure_descriptors(stats, folders)
    # Page tables are nobody's resident memory: addresses that are touched once per 2 MB cost 4 KB.
    stored += removed + sum(map(_read_page_tables, stats))
    memory = sum(resident for _, resident, _ in stats.values())
    # PSS is the right figure: 20 forks of a process of 500 MB have an RSS of 11 GB and a PSS of
    # 0.5 GB. But the kernel walks every page for it, half a second for 11 GB; so it is read last.
    if memory + stored > memory_limit:
        memory = sum(_measure_own_memory(pid, resident) for pid, (_, resident, _) in stats.items())
    threads = sum(count for count, _, _ in stats.values())
    cpu = sum(cpu for _, _, cpu in stats.values())
    return ResourceUse(threads, memory + stored, files, cpu, sockets)


def _read_stat(pid: int) -> tuple[int, int, float] | None:
    """Return threads, resident bytes and CPU seconds of a process (proc_pid_stat(5))."""
    try:
        # The name of the program is in brackets and may hold any bytes: code that called itself
        # `) R 0` would shift the fields for a reader that splits at the first bracket.
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    # User and system time, its own and that of its children that were waited for.
    cpu = sum(map(int, fields[11:15])) / _TICKS
    return int(fields[17]), int(fields[21]) * _PAGE, cpu


def _read_page_tables(pid: int) -> int:
    """Return the bytes of a process's page tables (proc_pid_status(5))."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_bytes().splitlines():
            if line.startswith(b"VmPTE:"):
                return int(line.split()[1]) * 1024
    return 0


def read_cpu_with_ended(pid: int) -> float:
    """Return the CPU seconds of a process and of all its descendants that have ended; 0 if gone.

    The first process of a namespace inherits the time of every process that ended in it.
    """
    found = _read_stat(pid)
    return found[2] if found else 0.0


def _measure_own_memory(pid: int, resident: int) -> int:
    """Return a process's own bytes and its share of shared ones, without those of mapped files.

    All `resident` bytes if the system does not allow a closer look.
    """
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except PermissionError:
        return resident
    except OSError:  # the process has ended
        return 0
    # Pages of mapped files, such as libraries, belong to the page cache, not to the code.
    words = dict(line.split(":", 1) for line in lines if line.startswith("Pss_"))
    return (
        sum(int(words[name].split()[0]) for name in ("Pss_Anon", "Pss_Shmem") if name in words)
        * 1024
    )


def _measure_descriptors(pids: Iterable[int], folders: Sequence[Path]) -> tuple[int, int]:
    """Return the number of sockets, and the bytes of removed files that are still open."""
    disks = set[int]()
    for folder in filter(_is_on_disk, folders):
        with suppress(OSError):
            disks.add(os.stat(folder).st_dev)
    sockets, removed = 0, dict[tuple[int, int], int]()
    for pid in pids:
        for state in _stat_descriptors(pid):
            sockets += stat.S_ISSOCK(state.st_mode)
            # A removed file is in no folder, but takes space until it is closed. Keyed by inode, as
            # several processes may hold the same one.
            if stat.S_ISREG(state.st_mode) and not state.st_nlink and state.st_dev in disks:
                removed[state.st_dev, state.st_ino] = state.st_blocks * 512
        if disks:
            for device, inode, size in _list_removed_maps(pid):
                if device in disks:
                    removed[device, inode] = max(removed.get((device, inode), 0), size)
    return sockets, sum(removed.values())


def _stat_descriptors(pid: int) -> list[os.stat_result]:
    """Return the file states of a process's descriptors."""
    stats = []
    with suppress(OSError):
        for descriptor in os.scandir(f"/proc/{pid}/fd"):
            with suppress(OSError):
                stats.append(os.stat(descriptor.path))
    return stats


def _list_removed_maps(pid: int) -> list[tuple[int, int, int]]:
    """Return device, inode and last mapped byte of the removed files that a process has mapped.

    Such a file may be closed, and still takes space (proc_pid_maps(5)).
    """
    found = []
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/maps").read_bytes().splitlines():
            if line.endswith(b" (deleted)"):
                addresses, _, offset, device, inode = line.split()[:5]
                start, end = (int(address, 16) for address in addresses.split(b"-"))
                major, minor = (int(number, 16) for number in device.split(b":"))
                last = int(offset, 16) + end - start
                found.append((os.makedev(major, minor), int(inode), last))
    return found


def _is_on_disk(folder: Path) -> bool:
    """Return whether a folder is on the disk; those in memory are reached through /proc."""
    return folder.parts[1:2] != ("proc",)


def _measure_folders(folders: Sequence[Path]) -> tuple[int, int]:
    """Return the bytes and entries of folders in memory and on the disk."""
    size = entries = 0
    for folder in folders:
        if _is_on_disk(folder):
            on_disk = _walk_folder(folder)
            size, entries = size + on_disk[0], entries + on_disk[1]
            continue
        # Each folder is a tmpfs of its own, so the file system's own count is exact, and cheap
        # however many files there are. bubblewrap cannot limit their number (nr_inodes).
        try:
            state = os.statvfs(folder)
        except OSError:
            continue
        size += (state.f_blocks - state.f_bfree) * state.f_frsize
        entries += state.f_files - state.f_ffree
    return size, entries


def _walk_folder(folder: Path) -> tuple[int, int]:
    """Return the bytes and entries below a folder on the disk; no link is followed."""
    size = entries = 0
    for where, folders, files in os.walk(folder):
        entries += len(folders) + len(files)
        for name in files:
            with suppress(OSError):
                size += os.lstat(os.path.join(where, name)).st_blocks * 512
        if entries > _MAX_WALKED:
            break
    return size, entries


def describe_excess(use: ResourceUse, limits: Limits) -> str:
    """Return what exceeds the limits, as a sentence without its full stop; else an empty text."""
    if use.memory > limits.memory * TOTAL_FACTOR:
        return f"The code and its files held more than {limits.memory / 2**30:.3g} GB of memory"
    # The kernel enforces the limit itself, except for root. This catches what got past it, with a
    # tolerance, so that the exact limit is the kernel's.
    if use.processes > limits.processes * 2:
        return f"The code ran more than {limits.processes} processes and threads"
    if use.sockets > limits.sockets:
        return f"The code opened more than {limits.sockets} sockets"
    if use.files > limits.entries:
        return f"The code created more than {limits.entries:,} files"
    return ""


class MachineMemory:
    """Memory that the machine has lost since a moment, less what its other processes have taken.

    Whatever code pins in the kernel (pipes, sockets, tables) is missing there, also where no
    process, no folder and no list of this module shows it.
    """

    def __init__(self, pids: Sequence[int]) -> None:
        """Remember the state of now; `pids` are the processes of the sandbox."""
        self._available = _read_available_memory()
        self._used_by_others = _measure_others(pids)

    def find_loss(self, pids: Sequence[int], limit: int) -> int:
        """Return the bytes lost, as far as they exceed `limit`; else 0."""
        lost = self._available - _read_available_memory()
        if lost <= limit:
            return 0
        # Only now, as it reads a file of each process on the machine.
        lost -= max(0, _measure_others(pids) - self._used_by_others)
        return lost if lost > limit else 0


def _read_available_memory() -> int:
    """Return the bytes that can be allocated without swapping; 0 where the system does not tell."""
    with suppress(OSError):
        for line in Path("/proc/meminfo").read_bytes().splitlines():
            if line.startswith(b"MemAvailable:"):
                return int(line.split()[1]) * 1024
    return 0


def _measure_others(pids: Sequence[int]) -> int:
    """Return the resident bytes of all processes but these; shared pages count several times."""
    own, total = set(pids), 0
    for name in os.listdir("/proc") if os.path.isdir("/proc") else ():
        if name.isdigit() and int(name) not in own:
            with suppress(OSError):
                total += int(Path(f"/proc/{name}/statm").read_bytes().split()[1]) * _PAGE
    return total
