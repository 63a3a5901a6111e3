"""Installation of a lock file into a new virtual environment, with uv or with pip."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from starchat_tui.errors import Interrupted, StarChatError, Unavailable
from starchat_tui.sandbox.environments.known import EnvironmentRecipe

Report = Callable[[str], None]
"""Takes a text about the progress."""
IsCancelled = Callable[[], bool]
_POLL_SECONDS = 0.1
_LEFT_OUT = {
    *("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "CONDA_PREFIX", "UV_PROJECT_ENVIRONMENT"),
    *("PIP_TARGET", "PIP_PREFIX", "PIP_USER", "PIP_REQUIRE_VIRTUALENV", "PIP_CONSTRAINT"),
}
"""Variables that would install elsewhere, or something else; indexes and proxies stay."""


@dataclass(frozen=True, slots=True)
class _Failure:
    """Kind of a failed installation: how to recognize it, and what to say."""

    pattern: str
    message: str
    hint: str


_FAILURES = (
    _Failure(
        r"no space left|disk quota|os error 28|errno 28",
        "the disk is full",
        "make {megabytes} MB free in `{folder}`, or name another folder in STARCHAT_ENVIRONMENTS",
    ),
    _Failure(
        r"ensurepip is not|no module named ensurepip",
        "its Python has no `venv` module",
        "install it, for instance `sudo apt install python{python}-venv`, or install uv",
    ),
    _Failure(
        r"permission denied|read-only file system|os error 13|os error 30|errno 13|errno 30",
        "`{folder}` cannot be written",
        "set STARCHAT_ENVIRONMENTS to a folder of your own",
    ),
    _Failure(
        r"nameresolution|name resolution|dns error|newconnectionerror|connection refused|timed out"
        r"|connecttimeout|failed to fetch|failed to connect|network is unreachable|tcp connect"
        r"|connection (reset|aborted|broken)|could not connect|ssl|certificate|proxyerror",
        "the package index cannot be reached",
        "connect to the network, or set PIP_INDEX_URL or UV_INDEX_URL to an index that you can"
        " reach, then `starchat env create {name}`",
    ),
    _Failure(
        r"no matching distribution|could not find a version|no solution found|no wheels"
        r"|requires a different python",
        "the package index has no fitting version of a package",
        "the end of `{log}` says which; a mirror may lack it: set PIP_INDEX_URL or UV_INDEX_URL",
    ),
)
_OTHER = _Failure("", "the installation failed", "the end of `{log}` says why")


@dataclass(frozen=True, slots=True)
class Installation:
    """A new environment: what is installed where, and by whom."""

    recipe: EnvironmentRecipe
    python: Path
    version: tuple[int, int]
    folder: Path
    log: Path
    """File that receives the output of the programs."""
    variables: Mapping[str, str]
    """Environment variables of the programs."""
    report: Report
    is_cancelled: IsCancelled

    @property
    def uv(self) -> str | None:
        """Path of uv; None where only pip is there."""
        return shutil.which("uv", path=self.variables.get("PATH"))

    def run(self) -> str:
        """Create and fill the folder; return `uv` or `pip`.

        Raises `Interrupted` if it was cancelled, `Unavailable` if it failed.
        """
        self.report("creating the virtual environment")
        if uv := self.uv:
            self._run([uv, "venv", "--no-project", "--python", str(self.python), str(self.folder)])
            options = ["--compile-bytecode", "--python", f"{self.folder}/bin/python"]
            self._run([uv, "pip", "install", *options, *self._requirements()])
        else:
            self._run([str(self.python), "-I", "-m", "venv", str(self.folder)])
            program = [f"{self.folder}/bin/python", "-I", "-m", "pip", "install"]
            self._run([*program, "--disable-pip-version-check", *self._requirements()])
        return "uv" if uv else "pip"

    def _requirements(self) -> list[str]:
        # Wheels only: building a package would run its code here, and takes a compiler.
        lock = str(self.recipe.lock_file)
        return ["--no-deps", "--only-binary", ":all:", "--requirement", lock]

    def _run(self, command: Sequence[str]) -> None:
        variables = {name: value for name, value in self.variables.items() if name not in _LEFT_OUT}
        try:
            # Two descriptors: one that the program writes to has no position of its own to read at.
            with self.log.open("ab") as log, self.log.open("rb") as output:
                output.seek(0, os.SEEK_END)
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=variables,
                    cwd="/",
                    # The group is ended as a whole: pip and uv have children.
                    start_new_session=True,
                    # Where the host is root, the code runs as nobody and must read the files.
                    umask=0o022,
                )
                self._wait(process, output)
        except OSError as error:
            raise self._explain(str(error)) from error

    def _wait(self, process: subprocess.Popen[bytes], log: IO[bytes]) -> None:
        """Wait for a program and report its progress; end it if that is wished."""
        output, progress = "", InstallProgress(self.recipe.count_pins())
        try:
            while process.poll() is None:
                if self.is_cancelled():
                    raise Interrupted("The environment was not created", "it was cancelled")
                time.sleep(_POLL_SECONDS)
                new = log.read().decode("utf-8", "replace")
                output += new
                if text := progress.feed(new):
                    self.report(text)
        finally:
            if process.poll() is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if process.returncode:
            raise self._explain(output + log.read().decode("utf-8", "replace"))

    def _explain(self, output: str) -> StarChatError:
        """Return the error for the output of a failed program."""
        kind = next((one for one in _FAILURES if re.search(one.pattern, output.lower())), _OTHER)
        values = {
            "folder": self.folder.parent,
            "log": self.log,
            "megabytes": self.recipe.megabytes,
            "name": self.recipe.name,
            "python": f"{self.version[0]}.{self.version[1]}",
        }
        return Unavailable(
            f"The environment {self.recipe.name} could not be created:"
            f" {kind.message.format(**values)}",
            kind.hint.format(**values),
        )


class InstallProgress:
    """Progress of pip or uv, as far as their output tells it."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._seen: set[str] = set()

    def feed(self, text: str) -> str:
        """Return a text about the progress for new output; empty if it shows none."""
        found = ""
        for line in text.splitlines():
            words = line.split()
            if line.startswith("Collecting ") and len(words) > 1:
                self._seen.add(words[1])
                found = f"downloading package {len(self._seen)} of {self._total}"
            elif line.startswith("Downloading ") and "(" in line and ".whl" not in line:
                # uv names only the large ones.
                found = f"downloading {words[1]}"
            elif line.startswith(("Installing collected", "Prepared ")):
                found = "installing"
            elif line.startswith("Installed "):
                found = "compiling"
        return found
