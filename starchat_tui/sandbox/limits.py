"""What code behind the wall may use up; every bound has a unit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

MIB = 2**20
GIB = 2**30


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds of one kernel and of each run in it."""

    timeout: float = 60.0
    """Seconds a run may take before it is interrupted."""
    grace: float = 2.0
    """Seconds between the interrupt and the end of a kernel that does not heed it."""
    memory: int = 2 * GIB
    """Bytes a process may hold as data, and all processes and files of the kernel together."""
    processes: int = 64
    """Processes and threads, all told."""
    open_files: int = 256
    """Files a process may hold open."""
    sockets: int = 256
    """Ends of socket pairs, all told: what waits in them is memory that no process owns."""
    file_size: int = 256 * MIB
    """Bytes of the largest file that may be written."""
    folder: int = 256 * MIB
    """Bytes in the folder of the code."""
    temporary: int = 256 * MIB
    """Bytes in /tmp."""
    shared: int = 64 * MIB
    """Bytes in /dev/shm, and the same again in the home folder."""
    entries: int = 50_000
    """Files and folders, all told: a file that holds nothing costs the kernel memory too."""
    attached: int = 512 * MIB
    """Bytes of all attached files, which are copied into memory."""
    fetched: int = 64 * MIB
    """Bytes of a file that is handed out."""
    output: int = 64 * MIB
    """Bytes a run may send: text, figures and the rest."""
    frame: int = 16 * MIB
    """Bytes of one message from inside."""
    figures: int = 20
    """Pictures a run may show."""

    def resources(self) -> Mapping[str, int]:
        """The limits of a single process, by the names of the `resource` module.

        The process that runs code sets them itself, hard and soft alike, before it reads any.
        """
        return {
            "RLIMIT_DATA": self.memory,
            "RLIMIT_NPROC": self.processes,
            "RLIMIT_FSIZE": self.file_size,
            "RLIMIT_NOFILE": self.open_files,
            "RLIMIT_CORE": 0,
        }
