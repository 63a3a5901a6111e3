"""The chat under a parent that mends the terminal where the chat dies by a signal.

Textual leaves the alternate screen, mouse reporting and raw mode on when it is killed (SIGKILL, a
crash in native code, the out-of-memory killer): only another process can then restore them.
"""

from __future__ import annotations

import os
import signal
import sys
import termios
from collections.abc import Callable
from contextlib import suppress

RESTORE = (
    "\x1b[?1049l\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1015l\x1b[?1004l\x1b[?2004l"
    "\x1b[<u\x1b[?25h\x1b[0m"
)
"""Main screen, no mouse, no focus events, no bracketed paste, no key protocol, a cursor, plain."""


def watched(run: Callable[[], int]) -> int:
    """Run `run` in a child; its exit code, or 128 plus the signal it died by."""
    before = termios.tcgetattr(0)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = run()
        finally:
            for stream in (sys.stdout, sys.stderr):
                with suppress(OSError):  # the terminal may be gone
                    stream.flush()
            # Not `sys.exit`: the parent's clean-up must not run twice.
            os._exit(code)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda received, _: os.kill(child, received))
    for number in (signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    status = _waited(child)
    if os.WIFEXITED(status):
        return os.WEXITSTATUS(status)
    termios.tcsetattr(0, termios.TCSADRAIN, before)
    os.write(2, RESTORE.encode())
    fatal = signal.Signals(os.WTERMSIG(status))
    print(f"starchat: the chat was ended by {fatal.name}", file=sys.stderr)
    print("  nothing said is lost: `starchat -c` goes on", file=sys.stderr)
    return 128 + fatal


def _waited(child: int) -> int:
    """The status the child ended with; where it is suspended, so are we, and back."""
    while True:
        _, status = os.waitpid(child, os.WUNTRACED)
        if not os.WIFSTOPPED(status):
            return status
        os.kill(os.getpid(), signal.SIGSTOP)
        os.kill(child, signal.SIGCONT)
