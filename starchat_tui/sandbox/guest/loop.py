"""The runner's life: warm up while nothing is asked, run cells, hand out files."""

# IPython says the types of a part of its functions.
# mypy: allow-untyped-calls

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from contextlib import suppress
from types import FrameType
from typing import Any

from IPython.core.async_helpers import get_asyncio_loop
from IPython.core.interactiveshell import ExecutionResult

from starchat_tui.sandbox.guest import tracebacks
from starchat_tui.sandbox.guest.compat import Compat
from starchat_tui.sandbox.guest.display import Screen
from starchat_tui.sandbox.guest.figures import BACKEND
from starchat_tui.sandbox.guest.frame_protocol import CHUNK
from starchat_tui.sandbox.guest.hints import hint
from starchat_tui.sandbox.guest.pipe import Closed, Pipe
from starchat_tui.sandbox.guest.shell import make_shell
from starchat_tui.sandbox.guest.streams import Outlet
from starchat_tui.sandbox.guest.workspace import MOST_FILES, Folder, Refused

WARM = ("numpy", "matplotlib", "matplotlib.pyplot", "pandas", "seaborn", "geopandas")
"""What nearly every plot needs, imported while nobody waits."""
PLOTTING = ("plt", "matplotlib", "pylab", "seaborn", "sns", "plot", "geopandas")
"""Words of code that may draw."""


class Session:
    """One kernel's runner."""

    def __init__(self, setup: dict[str, Any]) -> None:
        self._pipe = Pipe(setup["commands"], setup["frames"])
        self._screen = Screen(self._pipe, setup["figures"])
        self._outlet = Outlet(self._screen.text)
        self._screen.flush = self._outlet.drain
        self._pipe.after_frame = self._deliver
        os.register_at_fork(after_in_child=self._pipe.after_fork)
        self._shell = make_shell(self._screen)
        self._compat = Compat(self._shell, self._screen.note, strict=setup["strict"])
        self._folder = Folder(os.getcwd())
        self._fetched_most = setup["fetched"]
        self._owner = os.getpid()
        self._interruptible = False
        self._held = False
        self._plain = True
        """Whether matplotlib has not been told where its figures go."""
        self._cold = list(WARM) if setup["warm"] else []

    def serve(self) -> None:
        """Take commands until the kernel hangs up."""
        signal.signal(signal.SIGINT, self._interrupted)
        # From here on nothing reaches the real stderr, where the host looks for what went wrong.
        self._outlet.open()
        self._pipe.send("ready")
        with suppress(Closed):
            while os.getpid() == self._owner:
                while self._cold and not self._pipe.pending():
                    self._warm(self._cold.pop(0))
                self._obey(*self._pipe.receive())
        # Threads, atexit handlers and children of forks have nothing left to do here.
        os._exit(0)

    def _obey(self, name: str, values: list[Any]) -> None:
        if name == "run":
            self._run(values[0], values[1])
        elif name == "fetch":
            self._pipe.send("served", self._fetched(values[0]))
        elif name == "open":
            self._pipe.send("served", self._stored(values[0]))

    def _interrupted(self, number: int, frame: FrameType | None) -> None:
        """SIGINT: only while code runs, and never within a frame."""
        self._held = self._interruptible
        if not self._pipe.torn:
            self._deliver()

    def _deliver(self) -> None:
        """Raise the interrupt that came, if one did."""
        if self._held and threading.current_thread() is threading.main_thread():
            self._held = False
            raise KeyboardInterrupt

    def _run(self, number: int, code: str) -> None:
        signal.signal(signal.SIGINT, self._interrupted)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        self._folder.look()
        self._held, self._interruptible = False, True
        self._screen.begin(number)
        status = "interrupted"
        try:
            status = self._cell(code)
        except KeyboardInterrupt:
            self._interruptible = False
            self._cancel_tasks()
        self._interruptible = False
        if os.getpid() != self._owner:
            return
        self._outlet.drain()
        self._screen.end(status)

    def _cell(self, code: str) -> str:
        if any(word in code for word in PLOTTING):
            self._warm("matplotlib")
        code = self._compat.prepare(code)
        self._shell.cell = code
        result = self._shell.run_cell(code)
        self._shell.execution_count += 1
        status = self._told(result, code)
        if os.getpid() != self._owner:
            return status
        try:
            self._screen.figures()
            self._files()
        except Exception as error:  # noqa: BLE001
            self._failure(error, code)
            return "error" if status == "ok" else status
        return status

    def _told(self, result: ExecutionResult, code: str) -> str:
        """Report what the cell raised; how it ended."""
        error = result.error_before_exec or result.error_in_exec or self._shell.shown
        self._shell.shown = None
        if error is None or (isinstance(error, SystemExit) and error.code in (None, 0)):
            return "ok"
        if isinstance(error, KeyboardInterrupt):
            self._cancel_tasks()
            return "interrupted"
        self._failure(error, code)
        return "memory" if isinstance(error, MemoryError) else "error"

    def _failure(self, error: BaseException, code: str) -> None:
        name, words = type(error).__name__, tracebacks.message(error)
        self._screen.failure(name, words, tracebacks.text_of(error))
        if said := hint(name, words):
            self._screen.note(said)

    def _files(self) -> None:
        fresh = self._folder.fresh()
        for name, size in fresh[:MOST_FILES]:
            self._screen.file(os.path.join(self._folder.path, name))
            self._screen.written(name, size)
        if len(fresh) > MOST_FILES:
            self._screen.note(f"{len(fresh) - MOST_FILES} more files were written.")

    def _cancel_tasks(self) -> None:
        """End what an interrupted `await` left behind; the next one would go on with it."""
        loop = get_asyncio_loop()
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))

    def _warm(self, name: str) -> None:
        """Import a library ahead of its use; what cannot be imported fails where it is used."""
        try:
            exec(f"import {name}", {})
            if name == "matplotlib" and self._plain:
                sys.modules[name].use(BACKEND)
                self._plain = False
        except Exception:  # noqa: BLE001
            self._cold.clear()

    def _fetched(self, name: str) -> str:
        """Send a file; why it could not be, or nothing."""
        try:
            for piece in self._folder.read(name, CHUNK.most, self._fetched_most):
                self._pipe.send("chunk", piece)
        except (Refused, OSError) as error:
            return str(error)
        return ""

    def _stored(self, name: str) -> str:
        """Take a file for the code to read; why it could not be, or nothing."""
        data = bytearray()
        while (command := self._pipe.receive())[0] == "put":
            data += command[1][0]  # type: ignore[arg-type]
        try:
            self._folder.write(name, bytes(data))
        except OSError as error:
            return str(error)
        return ""


def serve(setup: dict[str, Any]) -> None:
    """Serve the kernel at the other ends of the pipes.

    `setup` holds `commands` and `frames` (descriptors), `figures` (how many),
    `strict` (no names but the code's own) and `warm` (import ahead).
    """
    Session(setup).serve()
