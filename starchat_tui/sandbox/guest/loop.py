"""Main loop of the runner: preloads libraries while idle, runs cells, transfers files."""

# Only a part of IPython's functions is annotated.
# mypy: allow-untyped-calls

from __future__ import annotations

import asyncio
import importlib
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
from starchat_tui.sandbox.guest.compat import CompatLayer
from starchat_tui.sandbox.guest.display import RunDisplay
from starchat_tui.sandbox.guest.figures import BACKEND
from starchat_tui.sandbox.guest.frame_protocol import CHUNK
from starchat_tui.sandbox.guest.grid_rendering import GridSize, parse_sizes
from starchat_tui.sandbox.guest.pipe import Pipe, PipeClosed
from starchat_tui.sandbox.guest.script import Script
from starchat_tui.sandbox.guest.shell import create_shell
from starchat_tui.sandbox.guest.streams import OutputCapture
from starchat_tui.sandbox.guest.workspace import MAX_REPORTED_FILES, FileRefused, Workspace

PRELOADED_MODULES = ("numpy", "matplotlib", "matplotlib.pyplot", "pandas", "seaborn", "geopandas")
"""Imports of nearly every plot, done while no command waits; dependencies come first."""
PLOTTING_WORDS = ("plt", "matplotlib", "pylab", "seaborn", "sns", "plot", "geopandas")
"""Words of code that may draw a plot."""


class CommandLoop:
    """The runner of one kernel: takes commands from the pipe, one at a time."""

    def __init__(self, setup: dict[str, Any]) -> None:
        self._pipe = Pipe(setup["commands"], setup["frames"])
        self._display = RunDisplay(self._pipe, setup["figures"])
        self._output = OutputCapture(self._display.send_text)
        self._display.flush_streams = self._output.drain
        self._display.figures.adds_axes = not setup["strict"]
        self._pipe.on_frame_written = self._raise_pending_interrupt
        os.register_at_fork(after_in_child=self._pipe.reset_after_fork)
        self._shell = create_shell(self._display)
        self._compat = CompatLayer(self._shell, self._display.send_note, strict=setup["strict"])
        self._workspace = Workspace(os.getcwd())
        self._script = Script(setup["script"], self._shell, stdin=setup["stdin"])
        # As in Jupyter, and for a script: `-I` leaves the folder out.
        sys.path.insert(0, self._workspace.path)
        self._max_fetch_bytes = setup["fetched"]
        self._owner_pid = os.getpid()
        """This process; a child that the code forks has another one and takes no commands."""
        self._interruptible = False
        self._interrupt_pending = False
        self._backend_unset = True
        """True until matplotlib is imported and its backend is set to ours."""
        self._modules_to_preload = list(PRELOADED_MODULES) if setup["warm"] else []

    def serve(self) -> None:
        """Take commands until the kernel closes the pipe; does not return."""
        signal.signal(signal.SIGINT, self._on_sigint)
        # From here on nothing reaches the real stderr. It is for the failures of a start, which
        # the host shows; the output of a cell belongs in frames, where its size is limited.
        self._output.install()
        self._pipe.send("ready")
        with suppress(PipeClosed):
            while os.getpid() == self._owner_pid:
                # One import at a time, so that a command waits for one library at most.
                while self._modules_to_preload and not self._pipe.has_pending_command():
                    self._preload_module(self._modules_to_preload.pop(0))
                self._handle_command(*self._pipe.receive())
        # Not `sys.exit`: threads and atexit handlers of the code could keep the process alive.
        # The same goes for a child of a fork, which would run the parent's handlers.
        os._exit(0)

    def _handle_command(self, name: str, values: list[Any]) -> None:
        if name == "run":
            self._run_cell(values[0], values[1], parse_sizes(values[2]))
        elif name == "fetch":
            self._pipe.send("served", self._send_file(values[0]))
        elif name == "open":
            self._pipe.send("served", self._receive_file(values[0]))

    def _on_sigint(self, number: int, frame: FrameType | None) -> None:
        """Interrupt the code that runs; outside a run, ignore the signal.

        While this thread writes a frame, the interrupt waits for the frame's end: an exception in
        the middle would leave half a frame in the pipe, and the host ends a kernel for that.
        """
        self._interrupt_pending = self._interruptible
        if not self._pipe.is_writing_frame:
            self._raise_pending_interrupt()

    def _raise_pending_interrupt(self) -> None:
        """Raise `KeyboardInterrupt` if an interrupt waits and this is the main thread."""
        if self._interrupt_pending and threading.current_thread() is threading.main_thread():
            self._interrupt_pending = False
            raise KeyboardInterrupt

    def _run_cell(self, number: int, code: str, sizes: list[GridSize]) -> None:
        # The code of an earlier cell may have replaced the handler, or blocked the signal.
        signal.signal(signal.SIGINT, self._on_sigint)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        self._script.write_file(code, self._workspace)
        # A module that an earlier cell wrote may be younger than what the import system remembers.
        importlib.invalidate_caches()
        self._workspace.take_snapshot()
        self._interrupt_pending, self._interruptible = False, True
        self._display.begin_run(number, sizes)
        status = "interrupted"
        try:
            status = self._execute_code(code)
        except KeyboardInterrupt:
            # Before the tasks are cancelled: a second interrupt must not stop that half way.
            self._interruptible = False
            self._cancel_tasks()
        self._interruptible = False
        if os.getpid() != self._owner_pid:
            return
        self._output.drain()
        self._display.end_run(status)

    def _execute_code(self, code: str) -> str:
        """Run a cell and report everything it made; return its status."""
        # The backend has to be set before pyplot is imported, which would choose one by itself.
        if any(word in code for word in PLOTTING_WORDS):
            self._preload_module("matplotlib")
        if "plotly" in code:
            self._replace_plotly_show()
        code = self._compat.prepare_code(code)
        self._shell.current_code = code
        result = self._shell.run_cell(code)
        self._shell.execution_count += 1
        status = self._report_result(result)
        if os.getpid() != self._owner_pid:
            return status
        try:
            if status != "interrupted":
                self._script.wait_for_threads()
            self._display.figures.publish_open_figures()
            self._compat.end_run()
            if status != "interrupted":
                self._script.call_exit_functions()
            self._report_files()
            if status == "ok":
                self._display.explain_missing_pictures(code)
        except Exception as error:  # noqa: BLE001
            # Drawing runs code of the cell's own artists, which may raise anything.
            self._report_exception(error)
            return "error" if status == "ok" else status
        return status

    def _replace_plotly_show(self) -> None:
        """Let `fig.show()` of plotly show the figure here; it would open a browser."""
        with suppress(ImportError):
            plotly_io: Any = importlib.import_module("plotly.io")
            plotly_io.show = lambda figure, *_, **__: self._shell.values.show_figure(figure)

    def _report_result(self, result: ExecutionResult) -> str:
        """Report the exception that ended the cell, if one did; return the cell's status."""
        error = result.error_before_exec or result.error_in_exec or self._shell.caught_error
        self._shell.caught_error = None
        if error is None or (isinstance(error, SystemExit) and error.code in (None, 0)):
            return "ok"
        if isinstance(error, KeyboardInterrupt):
            self._cancel_tasks()
            return "interrupted"
        self._report_exception(error)
        return "memory" if isinstance(error, MemoryError) else "error"

    def _report_exception(self, error: BaseException) -> None:
        name, message = type(error).__name__, tracebacks.get_message(error)
        if isinstance(error, SystemExit):
            # The code ended itself: no traceback leads to a mistake.
            summary = tracebacks.format_summary(error)
            if self._script.exists:
                message, summary = str(self._script.convert_exit(error)), ""
            self._display.send_failure(name, message, summary)
            return
        self._display.send_failure(name, message, tracebacks.format_traceback(error))
        # Imported late: its tables would slow down the start of every kernel.
        from starchat_tui.sandbox.guest.hints.finder import find_hint

        if hint := find_hint(error):
            self._display.send_hint(hint)

    def _report_files(self) -> None:
        changed = self._workspace.list_changed_files()
        for name, size in changed[:MAX_REPORTED_FILES]:
            self._display.images.publish_file(os.path.join(self._workspace.path, name))
            self._display.send_written_file(name, size)
        if len(changed) > MAX_REPORTED_FILES:
            more = len(changed) - MAX_REPORTED_FILES
            self._display.send_note(f"The code wrote {more} more files")

    def _cancel_tasks(self) -> None:
        """Cancel the tasks that an interrupted `await` left in IPython's event loop.

        IPython keeps one loop for all cells: the next `await` would resume them.
        """
        loop = get_asyncio_loop()
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        if tasks:
            loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))

    def _preload_module(self, name: str) -> None:
        """Import a library ahead of its use; ignore an import that fails."""
        try:
            exec(f"import {name}", {})
            if name == "matplotlib" and self._backend_unset:
                sys.modules[name].use(BACKEND)
                # At once: matplotlib would load it with the first figure of pyplot, and figures
                # can be drawn and saved without pyplot.
                exec(f"import {BACKEND.removeprefix('module://')}", {})
                self._backend_unset = False
        except Exception:  # noqa: BLE001
            # Not an error yet: the cell that needs the library raises the same exception. The
            # others are left out as well, since most of them import the one that failed.
            self._modules_to_preload.clear()

    def _send_file(self, name: str) -> str:
        """Send a file in chunks; return the reason if that failed, else an empty text."""
        try:
            for chunk in self._workspace.read_file(name, CHUNK.max_size, self._max_fetch_bytes):
                self._pipe.send("chunk", chunk)
        except (FileRefused, OSError) as error:
            return str(error)
        return ""

    def _receive_file(self, name: str) -> str:
        """Store a file for the code to read; return as `_send_file` does."""
        data = bytearray()
        while (command := self._pipe.receive())[0] == "put":
            data += command[1][0]  # type: ignore[arg-type]
        try:
            self._workspace.write_file(name, bytes(data))
        except OSError as error:
            return str(error)
        return ""


def serve(setup: dict[str, Any]) -> None:
    """Serve the kernel at the other ends of the pipes; does not return.

    Args:
        setup: `commands` and `frames` (file descriptors to read from and to write to), `figures`
            (pictures shown per run), `fetched` (bytes of a file sent to the host), `strict`
            (define no names that the code did not), `script` (`sys.argv` of a script; empty for
            cells), `stdin` (descriptor of its standard input; -1 for none) and `warm` (import
            libraries ahead).
    """
    CommandLoop(setup).serve()
