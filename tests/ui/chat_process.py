"""The real program on a pseudoterminal, with a home of its own and a scripted server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.fakes import byte_tokenizer
from tests.waiting import block_until

ROOT = Path(__file__).parents[2]
RESTORED = (b"\x1b[?1049l", b"\x1b[?25h", b"\x1b[?1000l", b"\x1b[?1003l", b"\x1b[?2004l")
"""What a terminal gets at the end: main screen, cursor, no mouse, no bracketed paste."""


class ChatProcess:
    """A chat that controls its terminal, as in a terminal window; everything it writes is read."""

    def __init__(self, home: Path, *arguments: str, url: str, program: str = "", **more: str):
        """Start the chat.

        Args:
            home: Folder of its conversations, its draft and its logs.
            arguments: Arguments of `starchat`.
            url: Server that answers.
            program: Python code that runs before the chat in its process.
            more: Environment variables.
        """
        home.mkdir(exist_ok=True)
        tokenizer = home / "tokenizer.json"
        tokenizer.write_text(json.dumps(byte_tokenizer()))
        options = ("--url", url, "-m", "scripted", "--tokenizer", str(tokenizer))
        self.home = home
        self._ours, theirs = os.openpty()
        termios.tcsetwinsize(theirs, (30, 100))
        self._modes = termios.tcgetattr(theirs)
        # Kept open, so that the modes can be read when the program has ended.
        self._theirs = theirs
        start = f"import os, runpy\nos.open({os.ttyname(theirs)!r}, os.O_RDWR)\n{program}\n"
        start += "runpy.run_module('starchat_tui', run_name='__main__')"
        self.process = subprocess.Popen(
            # A session of its own, whose controlling terminal is the first one that it opens.
            [sys.executable, "-c", start, *options, "--window", "9000", *arguments],
            cwd=ROOT,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**os.environ, "STARCHAT_HOME": str(home), **more},
            start_new_session=True,
        )
        self.shown = b""
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        with suppress(OSError):
            while part := os.read(self._ours, 65536):
                self.shown += part

    def wait_for(self, text: str) -> None:
        """Wait until the program has written a text."""
        block_until(lambda: text.encode() in self.shown, what=text)

    def send(self, text: str) -> None:
        """Type."""
        os.write(self._ours, text.encode())

    def read_draft(self) -> str:
        """Return the draft that is saved."""
        with suppress(FileNotFoundError):
            return (self.home / "state" / "draft.md").read_text()
        return ""

    def read_log(self) -> str:
        """Return the log of errors."""
        with suppress(FileNotFoundError):
            return (self.home / "state" / "errors.log").read_text()
        return ""

    def wait_for_exit(self) -> int:
        """Return the exit code, once everything that was written has been read."""
        from tests.waiting import PATIENCE

        code = self.process.wait(PATIENCE)
        marker = b"\x00end\x00"
        os.write(self._theirs, marker)
        block_until(lambda: marker in self.shown, what="the end of the output")
        self.shown = self.shown.replace(marker, b"")
        return code

    @property
    def is_restored(self) -> bool:
        """True if the terminal is as it was before."""
        is_same = termios.tcgetattr(self._theirs) == self._modes
        return is_same and all(mode in self.shown for mode in RESTORED)

    def find_child(self) -> int:
        """Return the process id of the screen, which its parent supervises."""
        pid = self.process.pid
        return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])

    def kill(self) -> None:
        """End all its processes at once."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def close(self) -> None:
        """End it, and close its terminal."""
        self.kill()
        os.close(self._theirs)
        os.close(self._ours)


@contextmanager
def open_chat(
    home: Path, *arguments: str, url: str, program: str = "", **more: str
) -> Iterator[ChatProcess]:
    """Run a chat as long as the block."""
    chat = ChatProcess(home, *arguments, url=url, program=program, **more)
    try:
        yield chat
    finally:
        chat.close()
