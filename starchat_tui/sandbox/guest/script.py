"""Scripts: unlike a cell they have a name, arguments, and an end that waits for their threads."""

from __future__ import annotations

import atexit
import importlib.util
import os
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from starchat_tui.sandbox.guest.workspace import Workspace

STDIN = "-"
"""Name of a script that was read from standard input."""


class Script:
    """The script of this process; without arguments the process runs cells."""

    def __init__(self, argv: Sequence[str], shell: Any) -> None:
        """Take `sys.argv` as the script shall see it."""
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

    def write_file(self, code: str, workspace: Workspace) -> None:
        """Put the script where its `__file__` says it is, for code that reads or imports it."""
        if not self._name:
            return
        self._shell.user_ns["__file__"] = os.path.join(workspace.path, self._name)
        # Not in place of a library: `numpy.py` would be imported by everything that needs numpy.
        if not _is_module(os.path.splitext(self._name)[0]):
            with suppress(OSError):  # an attached file has this name
                workspace.write_file(self._name, code.encode("utf-8", "replace"))

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


def _is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False
