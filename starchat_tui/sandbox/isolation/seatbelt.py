"""Apple's sandbox for the level `restricted`: a profile that denies what it does not name.

Written after Apple's own profiles in /System/Library/Sandbox/Profiles, and NOT TESTED: it has never
run on a Mac. Covered, as far as it works: network, files but those named, memory of other
processes. Not covered: memory use, the number of processes, names and sizes of files, signals
between processes of the sandbox.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

PROGRAM = Path("/usr/bin/sandbox-exec")
_PROFILE = """\
(version 1)
(deny default)
(allow process-fork)
(allow signal (target same-sandbox))
(allow sysctl-read)
(allow file-read-metadata)
(allow file-read* file-write-data (literal "/dev/null") (literal "/dev/zero"))
(allow file-read* (literal "/") (literal "/dev/random") (literal "/dev/urandom"))
(allow file-read* process-exec file-map-executable
  (subpath "/usr/lib") (subpath "/usr/share") (subpath "/usr/bin") (subpath "/bin")
  (subpath "/System/Library") (subpath "/Library/Apple") (subpath "/private/var/db/dyld"))
"""
"""Rules that every program on a Mac needs; no Mach services, no network, no home folder."""


def build_profile(*, readable: Sequence[str], writable: Sequence[str]) -> str:
    """Return a profile in which `readable` may be read and run, and `writable` changed as well."""
    lines = [
        f"(allow file-read* process-exec file-map-executable {_subpath(path)})" for path in readable
    ]
    for path in writable:
        lines.append(f"(allow file-read* file-write* process-exec {_subpath(path)})")
        # The last matching rule wins, so this has to follow. A link or device in the folder could
        # trick a host program that opens it later.
        lines.append(f"(deny file-link file-mknod {_subpath(path)})")
    return _PROFILE + "\n".join(lines) + "\n"


def build_argv(
    command: Sequence[str], *, readable: Sequence[str], writable: Sequence[str]
) -> list[str]:
    """Return the command line that runs `command` under the profile."""
    return [str(PROGRAM), "-p", build_profile(readable=readable, writable=writable), *command]


def _subpath(path: str) -> str:
    """Return the filter for a path and everything below it, quoted for the profile."""
    escaped = path.replace("\\", "\\\\").replace('"', '\\"')
    return f'(subpath "{escaped}")'
