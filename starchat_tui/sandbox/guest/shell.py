"""IPython shell without a terminal, a history file or the Jupyter protocol.

Built on the hooks that IPython documents for front ends: `DisplayHook` (the value of the last
expression), `DisplayPublisher` (`display()`), and the `show…` methods of `InteractiveShell`.
"""

# Only a part of IPython's functions is annotated.
# mypy: allow-untyped-calls

from __future__ import annotations

import linecache
import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from tokenize import TokenError
from typing import Any

from IPython.core.autocall import ExitAutocall
from IPython.core.compilerop import CachingCompiler
from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from starchat_tui.sandbox.guest import installs
from starchat_tui.sandbox.guest.display import RunDisplay
from starchat_tui.sandbox.guest.values import (
    IMAGE_FORMATS,
    TEXT_FORMATS,
    ValueDisplay,
    ValueFormatter,
    get_class_names,
)

SHELL_PATH = "/bin/bash" if os.path.exists("/bin/bash") else "/bin/sh"
MATPLOTLIB_FIGURE = "matplotlib.figure.Figure"
PLOT_HANDLE_CLASSES = {
    "matplotlib.artist.Artist",
    "matplotlib.container.Container",
    "matplotlib.colorbar.Colorbar",
    "matplotlib.animation.Animation",
    "seaborn.axisgrid._BaseGrid",
}
"""Base classes of the objects that plotting functions return."""


class FrameDisplayHook(DisplayHook):
    """Sends the value of the last expression as a frame instead of printing it."""

    shell: Any

    def write_output_prompt(self) -> None:
        """Do nothing: the front end numbers the outputs."""

    def write_format_data(self, format_dict: dict[str, Any], md_dict: Any = None) -> None:
        """Send the richest format that a terminal can show."""
        self.shell.values.show(format_dict)

    def finish_displayhook(self) -> None:
        """Do nothing: IPython would end the printed line here."""

    def quiet(self) -> bool:
        """Return whether the cell ends in a semicolon."""
        # IPython's own `quiet` reads the cell from the history, where it is not stored here.
        try:
            return bool(self.semicolon_at_end_of_expression(self.shell.current_code))
        except (SyntaxError, TokenError):
            return False

    def log_output(self, format_dict: dict[str, Any]) -> None:
        """Do nothing: the host keeps the outputs."""

    def compute_format_data(self, result: Any) -> Any:
        """Return the formats of a value; none for a plot handle, whose figure is shown later."""
        if MATPLOTLIB_FIGURE not in get_class_names(result) and self.shell.is_plot_handle(result):
            return {}, {}
        return super().compute_format_data(result)


class CellCompiler(CachingCompiler):
    """Keeps the lines of a cell as the user wrote them for tracebacks."""

    script_path = ""
    """Path of the script; empty for cells, which have names of IPython."""

    def get_code_name(self, raw_code: str, transformed_code: str, number: int) -> str:
        """Return the file name of some code."""
        return self.script_path or str(super().get_code_name(raw_code, transformed_code, number))

    def cache(self, transformed_code: str, number: int = 0, raw_code: str | None = None) -> str:
        """Register the source of a cell in `linecache`; return the file name it goes by."""
        name = super().cache(transformed_code, number, raw_code)
        raw_lines = [f"{line}\n" for line in (raw_code or "").splitlines()]
        # A cell magic turns the whole cell into one call. Then the line numbers of a traceback
        # are those of the transformed code, and its lines have to stay.
        if len(raw_lines) == len(linecache.getlines(name)):
            linecache.cache[name] = (len(transformed_code), None, raw_lines, name)
        return str(name)


class Exit(ExitAutocall):
    """`exit` and `quit`, with and without parentheses and a status."""

    def __call__(self, code: object = None) -> None:
        """End the code."""
        raise SystemExit(code)


class FrameDisplayPublisher(DisplayPublisher):
    """Sends what the code passes to `display()` as frames."""

    shell: Any

    def publish(self, data: Any, metadata: Any = None, source: Any = None, **how: Any) -> None:
        """Send the richest format that a terminal can show; it may replace an earlier output."""
        display_id = (how.get("transient") or {}).get("display_id", "")
        self.shell.values.show(data, self.shell.run_display.find_key(str(display_id)))

    def clear_output(self, wait: bool = False) -> None:
        """Remove the outputs of the cell; with `wait` once there is another one."""
        self.shell.run_display.clear(wait=wait)


class Shell(InteractiveShell):
    """IPython shell whose variables live on from cell to cell."""

    displayhook_class = FrameDisplayHook
    display_pub_class = FrameDisplayPublisher
    compiler_class = CellCompiler
    run_display: RunDisplay
    values: ValueDisplay
    current_code = ""
    """Code of the cell that runs."""
    caught_error: BaseException | None = None
    """Exception that IPython or a magic caught and would have printed."""

    def is_plot_handle(self, value: Any) -> bool:
        """Return whether a value is what a plotting call returns: its text is of no use."""
        if isinstance(value, list | tuple) and value:
            return all(map(_is_plot_handle, value))
        return _is_plot_handle(value)

    def system(self, cmd: str) -> None:
        """Run `!cmd` in a shell; its output is captured, its exit code is `_exit_code`."""
        # IPython would run it in a pseudo-terminal, which Landlock's rules do not let it open.
        command = self.var_expand(cmd, depth=1)
        self.user_ns["_exit_code"] = subprocess.call([SHELL_PATH, "-c", command])

    system_piped = system_raw = system

    def getoutput(self, cmd: str, split: bool = True, depth: int = 0) -> Any:
        """Return the output of `x = !cmd`, stderr included."""
        from IPython.utils.text import LSString, SList

        command = self.var_expand(cmd, depth=depth + 1)
        process = subprocess.run(
            [SHELL_PATH, "-c", command],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        output = process.stdout.decode("utf-8", "replace")
        return SList(output.splitlines()) if split else LSString(output)

    def showtraceback(self, *_: Any, **__: Any) -> None:
        """Keep the exception instead of printing it: the loop reports it once the cell ends."""
        self.caught_error = sys.exc_info()[1] or self.caught_error

    def showsyntaxerror(self, *_: Any, **__: Any) -> None:
        """Do nothing: the loop reports the error from the result of the cell."""

    def showindentationerror(self) -> None:
        """Do nothing: the loop reports the error from the result of the cell."""

    def init_display_formatter(self) -> None:
        """Create the object that computes the formats of values."""
        configurables: list[Any] = self.configurables  # its annotation expects shells
        self.display_formatter = ValueFormatter(parent=self)
        configurables.append(self.display_formatter)

    def enable_gui(self, gui: Any = None) -> None:
        """Do nothing: there are no windows and no GUI event loop."""

    def init_user_ns(self) -> None:
        """Fill the variables of a fresh shell; `exit` and `quit` take a status, as in Python."""
        super().init_user_ns()
        self.user_ns["exit"] = self.user_ns["quit"] = Exit(self)

    def ask_exit(self) -> None:
        """End the cell: `exit` and `quit` have no terminal session to end."""
        raise SystemExit(0)


def create_shell(run_display: RunDisplay) -> Shell:
    """Create the one shell of this process."""
    config = Config()
    # The history is an SQLite file with a writer thread; neither outlives the sandbox.
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "nocolor"
    config.InteractiveShell.cache_size = 100
    config.InteractiveShell.automagic = True
    folder = tempfile.mkdtemp(prefix="ipython-")
    # IPython would copy this file and its mode, and `chmod` is denied at the level `restricted`.
    os.makedirs(os.path.join(folder, "profile_default", "startup"))
    with open(os.path.join(folder, "profile_default", "startup", "README"), "w"):
        pass
    shell = Shell.instance(config=config, ipython_dir=folder)
    shell.run_display, shell.values = run_display, ValueDisplay(run_display)
    # IPython warns about every `SystemExit`: "To exit: use 'exit', 'quit', or Ctrl-D."
    warnings.filterwarnings("ignore", message="To exit: use")
    formatter: Any = shell.display_formatter
    formatter.figures = run_display.figures
    # Computing a format runs code of the value, so only those that can be shown are computed.
    formatter.active_types = [*IMAGE_FORMATS[:1], *TEXT_FORMATS]
    # For the shells that the code starts; the environment that it reads stays as it is.
    for name, definition in installs.define_functions().items():
        os.putenv(name, definition)
    register: Any = shell.register_magic_function  # its annotation expects a method
    for name in ("pip", "uv", "conda", "mamba", "micromamba"):
        register(_create_installer_magic(shell, name), "line", name)
    return shell


def _create_installer_magic(shell: Shell, name: str) -> Callable[[str], None]:
    """Return the magic that runs a package manager; IPython's advises to restart the kernel."""
    return lambda line: shell.system(f"{name} {line}")


def _is_plot_handle(value: Any) -> bool:
    if get_class_names(value) & PLOT_HANDLE_CLASSES:
        return True
    # `plt.subplots(2, 2)` returns its axes in an array of objects.
    return type(value).__name__ == "ndarray" and value.dtype == object and _is_handle_array(value)


def _is_handle_array(array: Any) -> bool:
    return bool(array.size) and all(map(_is_plot_handle, array.flat))
