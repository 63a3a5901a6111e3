"""Scripts: unlike a cell they have a name, arguments, and an end that waits for their threads."""

from __future__ import annotations

import ast
import atexit
import importlib.util
import io
import os
import sys
import threading
import tokenize
import warnings
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from starchat_tui.sandbox.guest.workspace import Workspace

STDIN = "-"
"""Name of a script that was read from standard input."""


class Script:
    """The script of this process; without arguments the process runs cells."""

    def __init__(self, argv: Sequence[str], shell: Any, *, stdin: int = -1) -> None:
        """Create the script.

        Args:
            argv: `sys.argv` as the script shall see it; empty for cells.
            shell: The IPython shell that runs it.
            stdin: Descriptor of its standard input; -1 for none.
        """
        if stdin >= 0:
            os.dup2(stdin, 0)
            os.close(stdin)
        self._shell = shell
        self._name = os.path.basename(argv[0]) if argv and argv[0] != STDIN else ""
        self.exists = bool(argv)
        if argv:
            sys.argv[:] = argv
            # It would forget the variables before the functions that the code registers.
            atexit.unregister(shell.atexit_operations)
        if self._name:
            # A file prints no value of its last expression.
            shell.ast_node_interactivity = "none"
            shell.compile.script_path = os.path.join(os.getcwd(), self._name)

    def write_file(self, code: str, workspace: Workspace) -> None:
        """Put the script where its `__file__` says it is, for code that reads or imports it."""
        if not self._name:
            return
        self._shell.user_ns["__file__"] = os.path.join(workspace.path, self._name)
        self._shell.user_ns["__doc__"] = _read_docstring(code)
        # Not in place of a library: `numpy.py` would be imported by everything that needs numpy.
        if not _is_module(os.path.splitext(self._name)[0]):
            with suppress(OSError):  # an attached file has this name
                workspace.write_file(self._name, _encode(code))

    def convert_exit(self, error: SystemExit) -> int:
        """Return the status of the process that Python would end; print a reason as it does."""
        if error.code is None or isinstance(error.code, int):
            return error.code or 0
        print(error.code, file=sys.stderr)
        return 1

    def wait_for_threads(self) -> None:
        """Wait for the threads that are no daemons, as the interpreter does at its end."""
        if self.exists:
            # Not `join` for each: executors wait until they are told to end, which this does.
            threading._shutdown()  # type: ignore[attr-defined]

    def call_exit_functions(self) -> None:
        """Call what the code registered with `atexit`."""
        if self.exists:
            if manager := sys.modules.get("matplotlib._pylab_helpers"):
                atexit.unregister(manager.Gcf.destroy_all)
            atexit._run_exitfuncs()
            # The code may have put streams of its own in their place.
            for stream in (sys.stdout, sys.stderr):
                with suppress(AttributeError, OSError, ValueError):
                    stream.flush()


def _read_docstring(code: str) -> str | None:
    try:
        with warnings.catch_warnings():
            # The run itself warns about the code.
            warnings.simplefilter("ignore")
            return ast.get_docstring(ast.parse(code), clean=False)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        # Not Python: a magic, or a mistake that the run reports.
        return None


def _encode(code: str) -> bytes:
    """Return the bytes of a file in the encoding that it declares (PEP 263)."""
    raw = code.encode("utf-8", "replace")
    try:
        return code.encode(tokenize.detect_encoding(io.BytesIO(raw).readline)[0])
    except (SyntaxError, UnicodeError):
        return raw


def _is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False
