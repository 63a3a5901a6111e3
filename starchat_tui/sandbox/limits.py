"""Limits on what code in the sandbox may use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from starchat_tui.config.byte_units import GIB, MIB


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one kernel and of each run in it."""

    timeout: float = 60.0
    """Seconds a run may take before it is interrupted."""
    grace: float = 2.0
    """Seconds between an interrupt and the end of a kernel that ignores it."""
    memory: int = 2 * GIB
    """Bytes of data of one process; also of all processes and files in memory together."""
    processes: int = 64
    """Processes and threads together."""
    open_files: int = 256
    """Descriptors that a process may hold open."""
    address_space: int = 64 * GIB
    """Bytes of addresses of one process: the tables for them are memory that is not its own."""
    sockets: int = 64
    """Ends of socket pairs in all processes: data in them is memory that no process owns."""
    file_size: int = 256 * MIB
    """Bytes of the largest file that the code may write."""
    folder: int = 256 * MIB
    """Bytes in the code's working folder."""
    temporary: int = 256 * MIB
    """Bytes in /tmp."""
    shared: int = 64 * MIB
    """Bytes in /dev/shm, and the same again in the home folder."""
    entries: int = 50_000
    """Files and folders together: an empty file takes kernel memory too."""
    attached: int = 512 * MIB
    """Bytes of all attached files together, which are copied into memory."""
    fetched: int = 64 * MIB
    """Bytes of a file that is fetched from the sandbox."""
    output: int = 64 * MIB
    """Bytes that a run may send: text, figures and everything else."""
    frame: int = 16 * MIB
    """Bytes of one message from the sandbox."""
    figures: int = 20
    """Figures that a run may show."""

    def process_rlimits(self) -> Mapping[str, int]:
        """Return the limits of a single process by the names of the `resource` module.

        The runner sets them itself, hard and soft, before it reads any code: what is given up
        cannot be raised again.
        """
        return {
            "RLIMIT_DATA": self.memory,
            # Far above the memory: numpy and the allocator reserve much more than they use.
            "RLIMIT_AS": self.address_space,
            "RLIMIT_NPROC": self.processes,
            "RLIMIT_FSIZE": self.file_size,
            "RLIMIT_NOFILE": self.open_files,
            # A core file would hold everything the code has in memory.
            "RLIMIT_CORE": 0,
        }
