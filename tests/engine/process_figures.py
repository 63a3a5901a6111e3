"""Memory, processor time and open files of a process, as Linux reports them."""

from __future__ import annotations

import os
from pathlib import Path


def read_memory(pid: int, field: str = "VmRSS") -> int:
    """Return a line of the memory status of a process, in MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith(f"{field}:"))
    return int(line.split()[1]) // 1024


def reset_peak_memory(pid: int) -> None:
    """Make `VmHWM` count from now on."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def read_cpu_seconds(pid: int) -> float:
    """Return the processor time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def count_descriptors(pid: int) -> int:
    """Return the number of open files of a process."""
    return len(os.listdir(f"/proc/{pid}/fd"))
