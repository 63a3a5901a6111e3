"""Standard input of a script: copied into a pipe, since the script must not get the file itself."""

from __future__ import annotations

import os
import stat
import threading
from contextlib import suppress

_COPY_SIZE = 2**16


def open_script_input(source: int = 0) -> int:
    """Return a descriptor that delivers what `source` does; -1 for a terminal or nothing.

    A file that the code inherited could be opened again for writing, through `/proc/self/fd`.
    """
    try:
        mode = os.fstat(source).st_mode
    except OSError:
        return -1
    if not (stat.S_ISFIFO(mode) or stat.S_ISREG(mode) or stat.S_ISSOCK(mode)):
        return -1
    reader, writer = os.pipe()
    # Not waited for: it may be blocked in a read when the script has ended.
    threading.Thread(target=_copy_input, args=(source, writer), daemon=True).start()
    return reader


def _copy_input(source: int, target: int) -> None:
    with suppress(OSError):
        while data := os.read(source, _COPY_SIZE):
            view = memoryview(data)
            while view:
                view = view[os.write(target, view) :]
    os.close(target)
