"""Start of an engine process, and what became of it."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from starchat_tui.client.engine_log import open_log
from starchat_tui.client.engine_process import TERMINATION_SECONDS
from starchat_tui.config.paths import Paths, find_temporary_folder

_PACKAGE_PARENT = str(Path(__file__).absolute().parents[2])
_BOOTSTRAP = """\
import os, runpy, sys
for name in ("STARCHAT_HOME", "STARCHAT_CONFIG", "HF_HOME", "HF_HUB_CACHE", "HF_TOKEN_PATH"):
    if os.environ.get(name):
        os.environ[name] = os.path.abspath(os.path.expanduser(os.environ[name]))
os.chdir(sys.argv[1])
sys.path.insert(0, sys.argv.pop(1))
if temporary := sys.argv.pop(1):
    os.environ["TMPDIR"] = temporary
runpy.run_module("starchat_tui", run_name="__main__", alter_sys=True)"""
"""Program of the engine process.

Its arguments are the folder of our package, a folder for temporary files if the system has none,
and our flags.

It runs the same package as this process, wherever that was imported from. Relative paths in the
environment are resolved first, because the engine outlives this process and must not keep its
working directory busy. `-P` keeps modules in that directory from shadowing libraries.
"""
_VMSTAT = Path("/proc/vmstat")
"""Counters of the Linux kernel."""
_REAP_SECONDS = 2.0
"""Seconds from the end of a connection until the exit status of its process is known."""


@dataclass(frozen=True, slots=True)
class LaunchedEngine:
    """An engine process that was started here."""

    process: subprocess.Popen[bytes]
    log: Path

    async def was_killed(self) -> bool:
        """Return whether the process, whose connection has just ended, was ended by SIGKILL."""
        with suppress(subprocess.TimeoutExpired):
            await asyncio.to_thread(self.process.wait, _REAP_SECONDS)
        return self.process.returncode == -signal.SIGKILL

    def close(self) -> None:
        """Let a private engine exit, and end it if it does not."""
        if self.process.stdin is None:
            return
        self.process.stdin.close()
        try:
            self.process.wait(TERMINATION_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def launch_engine(paths: Paths, flags: Sequence[str], *, is_private: bool) -> LaunchedEngine:
    """Start `starchat serve`; raises `ConfigError` if something is in the place of its log.

    Args:
        paths: Folders of the log, and of temporary files if there is none for those.
        flags: Flags of `serve`.
        is_private: Whether it exits with this process.
    """
    with open_log(paths.engine_log, paths.runtime / paths.engine_log.name) as file:
        # torch cannot be imported without a folder for temporary files.
        temporary = "" if find_temporary_folder() else str(paths.runtime)
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", _BOOTSTRAP, _PACKAGE_PARENT, temporary, "serve", *flags],
            # A private engine exits at the end of its stdin, also if this process is killed.
            stdin=subprocess.PIPE if is_private else subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            # Ctrl+C in this terminal is for the front end; it must not end the engine.
            start_new_session=True,
        )
    # Reaps the engine if it exits before this process does.
    threading.Thread(target=process.wait, name="engine", daemon=True).start()
    return LaunchedEngine(process, Path(file.name))


def count_memory_kills() -> int:
    """Return how many processes the kernel has ended for lack of memory; 0 if it does not tell."""
    try:
        lines = _VMSTAT.read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))
    except (OSError, StopIteration, ValueError):
        return 0
