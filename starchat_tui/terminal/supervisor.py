"""Runs the chat in a child process and restores the terminal if a signal kills it.

Textual leaves the alternate screen, mouse reporting and raw mode on when it is killed (SIGKILL, a
crash in native code, the out-of-memory killer): only another process can restore them then.
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
"""Main screen, no mouse, no focus events, no bracketed paste, no key protocol, cursor, no style."""


def run_supervised(run: Callable[[], int]) -> int:
    """Run `run` in a child and return its exit code, or 128 plus the signal that killed it."""
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
            # Not `sys.exit`: the parent's exit handlers must not run in the child as well.
            os._exit(code)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda received, _: os.kill(child, received))
    # The child handles these itself; a parent that died of them could not restore the terminal.
    for number in (signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    status = _wait_for_exit(child)
    if os.WIFEXITED(status):
        return os.WEXITSTATUS(status)
    termios.tcsetattr(0, termios.TCSADRAIN, before)
    os.write(2, RESTORE.encode())
    fatal = signal.Signals(os.WTERMSIG(status))
    print(f"starchat: the chat was killed by {fatal.name}", file=sys.stderr)
    print("  hint: the conversation is saved: `starchat -c` continues it", file=sys.stderr)
    return 128 + fatal


def _wait_for_exit(child: int) -> int:
    """Wait for the child's exit status; suspend and resume together with it."""
    while True:
        _, status = os.waitpid(child, os.WUNTRACED)
        if not os.WIFSTOPPED(status):
            return status
        # The shell waits for the parent: it must stop as well, or the shell never returns.
        os.kill(os.getpid(), signal.SIGSTOP)
        os.kill(child, signal.SIGCONT)
