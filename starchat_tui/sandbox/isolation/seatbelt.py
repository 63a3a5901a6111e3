"""Apple's sandbox as the wall of level `restricted`: a profile that denies what it does not name.

Written after Apple's own profiles in /System/Library/Sandbox/Profiles, and NOT TESTED: no Mac ran
it. Covered, as far as it holds: network, files but those named, other processes' memory. Not
covered: memory, the number of processes, names and sizes of files, signals to one's own processes.
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
"""What every program on a Mac needs; no mach services, no network, no home."""


def profile(*, seen: Sequence[str], changed: Sequence[str]) -> str:
    """The profile in which `seen` can be read and run, and `changed` be written as well."""
    lines = [f"(allow file-read* process-exec file-map-executable {_below(path)})" for path in seen]
    for path in changed:
        lines.append(f"(allow file-read* file-write* process-exec {_below(path)})")
        # Later rules win: links and special files cannot be made.
        lines.append(f"(deny file-link file-mknod {_below(path)})")
    return _PROFILE + "\n".join(lines) + "\n"


def argv(command: Sequence[str], *, seen: Sequence[str], changed: Sequence[str]) -> list[str]:
    """The command line that runs `command` behind the profile."""
    return [str(PROGRAM), "-p", profile(seen=seen, changed=changed), *command]


def _below(path: str) -> str:
    """A path and what lies below it; a quote in its name ends nothing."""
    escaped = path.replace("\\", "\\\\").replace('"', '\\"')
    return f'(subpath "{escaped}")'
