"""Starts the engine when it is needed, waits until it answers, and keeps its last words."""

from __future__ import annotations

import asyncio
import fcntl
import os
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from dataclasses import replace
from pathlib import Path
from typing import IO, TypeVar

from starchat_tui import __version__
from starchat_tui.client.http_client import EngineClient
from starchat_tui.client.protocol import Delta, Health, ModelCard, Progress, Request
from starchat_tui.errors import Busy, EngineGone, StarChatError, Unavailable
from starchat_tui.paths import typed
from starchat_tui.settings import Paths

PATIENCE = 60.0
"""Seconds a living engine may take until its socket answers; torch is imported after that."""
_POLL = 0.03
"""Seconds between two looks at an engine that starts or leaves."""
_ATTEMPTS = 3
"""An engine may leave between the look at it and the question."""
_LARGEST_LOG = 2**20
"""Bytes after which the log is put aside."""
_LAST_LINES = 5
_PARENT = str(Path(__file__).absolute().parents[2])
_BEGIN = """\
import os, runpy, sys
for name in ("STARCHAT_HOME", "STARCHAT_CONFIG", "HF_HOME", "HF_HUB_CACHE", "HF_TOKEN_PATH"):
    if os.environ.get(name):
        os.environ[name] = os.path.abspath(os.path.expanduser(os.environ[name]))
os.chdir(sys.argv[1])
sys.path.insert(0, sys.argv.pop(1))
runpy.run_module("starchat_tui", run_name="__main__", alter_sys=True)"""
"""The same package as this face's, wherever that was imported from. What a variable means in the
face's directory it goes on to mean; but the engine outlives the face, and is not to hold that
directory. With `-P`, no module that lies there is taken for a library."""

Piece = TypeVar("Piece")


class LocalEngine:
    """The engine of this user: started with the first question, shared by every face.

    Where `daemon` is false it is a private one, and ends with this process.
    """

    def __init__(
        self,
        paths: Paths,
        *,
        keep_alive: str = "10m",
        device: str = "auto",
        quantize: str = "none",
        daemon: bool = True,
    ) -> None:
        self._paths = paths
        self._daemon = daemon
        self._device, self._quantize = device, quantize
        self.socket = paths.socket
        if not daemon:
            self.socket = paths.runtime / f"engine-{secrets.token_hex(4)}.sock"
        self._client = EngineClient(self.socket)
        self._process: subprocess.Popen[bytes] | None = None
        self._flags = ["--socket", str(self.socket), "--cache", str(paths.cache)]
        self._flags += ["--device", device, "--quantize", quantize]
        self._flags += ["--keep-alive", keep_alive] if daemon else ["--until-eof"]

    async def stream(self, request: Request) -> AsyncGenerator[Delta | Progress, None]:
        """The answer in pieces, after the engine was started where none runs.

        Raises `Unavailable` where it cannot start, and `EngineGone` with its last words where it
        ends in mid-answer; the next question starts a new one.
        """
        request = replace(request, model=_absolute(request.model))
        async with aclosing(self._asked(lambda: self._client.stream(request))) as events:
            async for event in events:
                if request.progress or isinstance(event, Delta):
                    yield event

    async def models(self) -> list[ModelCard]:
        """The models the engine offers; it is started where none runs."""
        async with aclosing(self._ready()) as waiting:
            async for _ in waiting:
                pass
        return await self._client.models()

    async def load(self, model: str) -> AsyncGenerator[Progress | ModelCard, None]:
        """Start the engine and have it load a model; ends with its card."""
        name = _absolute(model)
        async with aclosing(self._asked(lambda: self._client.load(name))) as events:
            async for event in events:
                yield event

    async def health(self) -> Health | None:
        """What the engine is doing; None where none runs."""
        try:
            return await self._client.health()
        except Unavailable:
            return None

    async def stop(self) -> Health | None:
        """End the engine, and wait until it is gone; what it was, or None where none ran.

        Raises `Unavailable` where it does not leave.
        """
        found = await self.health()
        with suppress(Unavailable):
            await self._client.stop_engine()
        end = time.monotonic() + PATIENCE
        while left := await self.health():
            if time.monotonic() > end:
                raise Unavailable("The engine does not leave", f"end it with `kill {left.pid}`")
            await asyncio.sleep(_POLL)
        return found

    def close(self) -> None:
        """End a private engine; a shared one stays for the next face."""
        if self._process and self._process.stdin:
            self._process.stdin.close()
            self._process.wait()

    async def _asked(
        self, begin: Callable[[], AsyncGenerator[Piece, None]]
    ) -> AsyncGenerator[Piece | Progress, None]:
        """What `begin` yields once an engine answers; begun anew where it had left just then."""
        for attempt in range(_ATTEMPTS):
            async with aclosing(self._ready()) as waiting:
                async for progress in waiting:
                    yield progress
            begun = False
            try:
                async with aclosing(begin()) as events:
                    async for event in events:
                        begun = True
                        yield event
                return
            except (Unavailable, EngineGone) as error:
                left = type(error) in (Unavailable, EngineGone) and not begun
                if not left or attempt == _ATTEMPTS - 1:
                    raise self._explained(error) from error

    async def _ready(self) -> AsyncGenerator[Progress, None]:
        """Progress until an engine of this version answers, started here or by another face."""
        if await self._usable():
            return
        yield Progress("starting")
        with self._paths.engine_lock.open("a") as lock:
            while self._daemon and not _locked(lock):
                await asyncio.sleep(_POLL)
                if await self._usable():
                    return
            if not await self._usable():
                await self._start()

    async def _usable(self) -> bool:
        """Whether an engine answers that this face can use; another is asked to leave.

        One of another version is waited for; raises `Busy` where one that computes otherwise than
        was asked for answers somebody.
        """
        while (found := await self.health()) and not self._fits(found):
            try:
                await self._client.stop_engine(if_idle=True)
            except Busy as error:
                if found.version == __version__:
                    raise self._otherwise(found) from error
            except Unavailable:
                pass
            await asyncio.sleep(_POLL)
        return found is not None and found.state != "leaving"

    def _fits(self, found: Health) -> bool:
        """Whether it is of this version, and computes as was asked for; the defaults take any."""
        return (
            found.version == __version__
            and self._device in ("auto", found.device)
            and self._quantize in ("none", found.quantize)
        )

    def _otherwise(self, found: Health) -> Busy:
        return Busy(
            f"The engine is answering, with `--device {found.device} --quantize {found.quantize}`",
            "wait until it is idle, end it with `starchat stop`, or leave your flags out",
        )

    async def _start(self) -> None:
        """Start a process and wait until it answers; raises `Unavailable` with its last words."""
        process = self._process = self._spawn()
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if await self.health():
                return
            if process.returncode is not None:
                # Another one may own the socket: started by hand at this very moment.
                if await self._usable():
                    return
                said = f"The engine ended while it started (exit code {process.returncode})"
                raise Unavailable(said, self._last_words())
            await asyncio.sleep(_POLL)
        raise Unavailable(f"The engine does not answer after {PATIENCE:g} s", self._last_words())

    def _spawn(self) -> subprocess.Popen[bytes]:
        log = self._paths.engine_log
        log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if log.exists() and log.stat().st_size > _LARGEST_LOG:
            log.replace(log.with_suffix(".log.1"))
        with log.open("ab") as words:
            process = subprocess.Popen(
                [sys.executable, "-P", "-c", _BEGIN, _PARENT, "serve", *self._flags],
                stdin=subprocess.DEVNULL if self._daemon else subprocess.PIPE,
                stdout=words,
                stderr=words,
                # ^C in this terminal is the face's to handle.
                start_new_session=True,
            )
        # Reaps it, should it end before this process does.
        threading.Thread(target=process.wait, name="engine", daemon=True).start()
        return process

    def _explained(self, error: StarChatError) -> StarChatError:
        """The error with the engine's last words, where it is gone."""
        if isinstance(error, EngineGone):
            return EngineGone(error.message, f"{error.hint}; {self._last_words()}")
        return error

    def _last_words(self) -> str:
        log = self._paths.engine_log
        try:
            lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            lines = []
        last = [line for line in lines if line.strip()][-_LAST_LINES:]
        return "\n  ".join([f"the end of its log, `{log}`:", *(last or ["(empty)"])])


def _locked(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _absolute(model: str) -> str:
    """A folder's path as the engine, which runs elsewhere, understands it."""
    if "/" not in model and not model.startswith("~"):
        return model
    folder = typed(model)
    return str(folder.absolute()) if os.path.isdir(folder) else model
