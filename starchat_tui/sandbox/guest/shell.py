"""IPython without a terminal, a history, a network or a kernel's protocol around it."""

# IPython says the types of a part of its functions.
# mypy: allow-untyped-calls

from __future__ import annotations

import linecache
import os
import subprocess
import sys
import tempfile
import warnings
from tokenize import TokenError
from typing import Any

from IPython.core.compilerop import CachingCompiler
from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from starchat_tui.sandbox.guest.display import Screen

SHELL = "/bin/bash" if os.path.exists("/bin/bash") else "/bin/sh"
TEXTS = ("text/plain", "text/markdown", "text/latex")
HANDLES = {
    "matplotlib.artist.Artist",
    "matplotlib.container.Container",
    "matplotlib.colorbar.Colorbar",
    "seaborn.axisgrid._BaseGrid",
}
LONGEST_RESULT = 100_000
"""Characters of a result in words."""


class Hook(DisplayHook):
    """Sends what the last expression came to, in place of printing it."""

    shell: Any

    def write_output_prompt(self) -> None:
        """Nothing: the face numbers what it shows."""

    def write_format_data(self, format_dict: dict[str, Any], md_dict: Any = None) -> None:
        """Send the richest form that a terminal can show."""
        self.shell.show(format_dict)

    def finish_displayhook(self) -> None:
        """Nothing is open."""

    def quiet(self) -> bool:
        """Whether the cell ends in a semicolon."""
        try:
            return bool(self.semicolon_at_end_of_expression(self.shell.cell))
        except (SyntaxError, TokenError):
            return False

    def log_output(self, format_dict: dict[str, Any]) -> None:
        """Nothing: the host keeps what was shown."""

    def compute_format_data(self, result: Any) -> Any:
        """The forms of a value; none for the handle of a plot, which is shown itself."""
        return ({}, {}) if self.shell.is_handle(result) else super().compute_format_data(result)


class Compiler(CachingCompiler):
    """Keeps the lines of a cell as they were written, for tracebacks, where they still match."""

    def cache(self, transformed_code: str, number: int = 0, raw_code: str | None = None) -> str:
        """The name of the code; its lines are kept under it."""
        name = super().cache(transformed_code, number, raw_code)
        written = [f"{line}\n" for line in (raw_code or "").splitlines()]
        if len(written) == len(linecache.getlines(name)):
            linecache.cache[name] = (len(transformed_code), None, written, name)
        return str(name)


class Publisher(DisplayPublisher):
    """Sends what `display` is given."""

    shell: Any

    def publish(self, data: Any, metadata: Any = None, source: Any = None, **how: Any) -> None:
        """Send the richest form that a terminal can show."""
        self.shell.show(data)

    def clear_output(self, wait: bool = False) -> None:
        """Nothing: what was sent is kept."""


class Shell(InteractiveShell):
    """The state that lives on from cell to cell."""

    displayhook_class = Hook
    display_pub_class = Publisher
    compiler_class = Compiler
    screen: Screen
    cell = ""
    """The code that runs."""
    shown: BaseException | None = None
    """What a magic caught and would have printed."""

    def is_handle(self, value: Any) -> bool:
        """Whether a value is what a plotting call returns, worth nothing in words."""
        several = isinstance(value, list | tuple) and bool(value)
        return all(map(_is_handle, value)) if several else _is_handle(value)

    def show(self, data: dict[str, Any]) -> None:
        """Show a value by the forms IPython found for it: a picture, else text."""
        png = data.get("image/png")
        words = next((data[form] for form in TEXTS[::-1] if data.get(form)), "")
        if isinstance(png, bytes):
            self.screen.picture(png, str(data.get("text/plain", "")))
        elif words:
            self.screen.result(_shortened(str(words)))

    def system(self, cmd: str) -> None:
        """`!cmd`: a shell whose output is gathered; its exit code is `_exit_code`."""
        command = self.var_expand(cmd, depth=1)
        self.user_ns["_exit_code"] = subprocess.call([SHELL, "-c", command])

    system_piped = system_raw = system

    def getoutput(self, cmd: str, split: bool = True, depth: int = 0) -> Any:
        """`x = !cmd`: its output, stderr included."""
        from IPython.utils.text import LSString, SList

        command = self.var_expand(cmd, depth=depth + 1)
        ran = subprocess.run(
            [SHELL, "-c", command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
        )
        said = ran.stdout.decode("utf-8", "replace")
        return SList(said.splitlines()) if split else LSString(said)

    def showtraceback(self, *_: Any, **__: Any) -> None:
        """Remember the exception: the runner reports what the cell came to, once."""
        self.shown = sys.exc_info()[1] or self.shown

    def showsyntaxerror(self, *_: Any, **__: Any) -> None:
        """Nothing yet, the same."""

    def showindentationerror(self) -> None:
        """Nothing yet, the same."""

    def enable_gui(self, gui: Any = None) -> None:
        """Nothing: there is no window to open."""

    def ask_exit(self) -> None:
        """`exit` and `quit` end a terminal's session; there is none to end."""
        raise SystemExit(0)


def make_shell(screen: Screen) -> Shell:
    """The one shell of this process."""
    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "nocolor"
    config.InteractiveShell.cache_size = 100
    config.InteractiveShell.automagic = True
    folder = tempfile.mkdtemp(prefix="ipython-")
    # IPython would copy this file with its mode, which not every wall lets it set.
    os.makedirs(os.path.join(folder, "profile_default", "startup"))
    with open(os.path.join(folder, "profile_default", "startup", "README"), "w"):
        pass
    shell = Shell.instance(config=config, ipython_dir=folder)
    shell.screen = screen
    warnings.filterwarnings("ignore", message="To exit: use")
    formatter: Any = shell.display_formatter
    formatter.active_types = ["image/png", *TEXTS]
    return shell


def _is_handle(value: Any) -> bool:
    """By the module a class is from: nothing is imported to find out."""
    kinds = [f"{kind.__module__}.{kind.__qualname__}" for kind in type(value).__mro__]
    if any(one in HANDLES for one in kinds):
        return True
    return type(value).__name__ == "ndarray" and value.dtype == object and _all_handles(value)


def _all_handles(array: Any) -> bool:
    return bool(array.size) and all(map(_is_handle, array.flat))


def _shortened(text: str) -> str:
    if len(text) <= LONGEST_RESULT:
        return text
    return f"{text[:LONGEST_RESULT]}\n… {len(text) - LONGEST_RESULT:,} more characters"
