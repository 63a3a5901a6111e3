"""The engine process of this user: started on demand, shared by all front ends."""

from __future__ import annotations

import asyncio
import math
import os
import secrets
import subprocess
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from typing import IO, TypeVar

from starchat_tui import __version__
from starchat_tui.client.engine_launcher import LaunchedEngine, count_memory_kills, launch_engine
from starchat_tui.client.engine_log import read_log_tail
from starchat_tui.client.engine_process import (
    EngineProcess,
    WorkWatch,
    end_process,
    find_engine_process,
    read_owner,
    try_lock,
    wait_for_exit,
    write_owner,
)
from starchat_tui.client.http_client import HEALTH_TIMEOUT, EngineClient, create_silent_error
from starchat_tui.client.protocol import (
    HEARTBEAT_SECONDS,
    Delta,
    Health,
    ModelCard,
    Progress,
    Request,
)
from starchat_tui.client.silence import MISSED_HEARTBEATS
from starchat_tui.config.extras import require_extra
from starchat_tui.config.paths import Paths, expand_user_path
from starchat_tui.errors import (
    Busy,
    ConfigError,
    EngineGone,
    EngineSilent,
    OutOfMemory,
    StarChatError,
    Unavailable,
)

START_TIMEOUT = 120.0
"""Seconds an engine may take until its socket answers; it imports torch only after that."""
SILENCE_SECONDS = MISSED_HEARTBEATS * HEARTBEAT_SECONDS
"""Seconds without any sign of life after which an engine counts as stopped or hung."""
_POLL_SECONDS = 0.03
"""Seconds between two polls of an engine that is starting or exiting."""
_HEALTH_ATTEMPTS = math.ceil(SILENCE_SECONDS / HEALTH_TIMEOUT)
_EXIT_SECONDS = 15.0
"""Seconds from the request to exit until an engine is ended by signals."""
_LOADING_STAGES = ("importing", "loading", "warming")
"""Stages of progress in which memory runs out."""
_ATTEMPTS = 3
"""Attempts per request: an engine may exit between the health check and the request."""
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class StoppedEngine:
    """An engine that has been ended."""

    pid: int
    answered: bool
    """False if it did not answer, so that signals ended it."""


class LocalEngine:
    """The engine of this user, started with the first question and shared by all front ends.

    With `daemon=False` the engine is private and exits with this process.
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
        self._client = EngineClient(self.socket, is_starchat_engine=True)
        self._launched: LaunchedEngine | None = None
        self._flags = ["--socket", str(self.socket), "--cache", str(paths.cache)]
        self._flags += ["--device", device, "--quantize", quantize]
        self._flags += ["--keep-alive", keep_alive] if daemon else ["--until-eof"]

    async def stream(self, request: Request) -> AsyncGenerator[Delta | Progress, None]:
        """Yield the answer in pieces, after starting the engine if none runs.

        Raises `Unavailable` if it cannot start, and `EngineGone` with the end of its log if it
        exits before the answer is complete; the next request starts a new one.
        """
        request = replace(request, model=_make_absolute(request.model))
        async with aclosing(
            self._stream_with_restarts(lambda: self._client.stream(request))
        ) as events:
            async for event in events:
                if request.progress or isinstance(event, Delta):
                    yield event

    async def list_models(self) -> list[ModelCard]:
        """Return the models that the engine offers; starts it if none runs."""
        async with aclosing(self._ensure_running()) as waiting:
            async for _ in waiting:
                pass
        return await self._client.list_models()

    async def load_model(self, model: str) -> AsyncGenerator[Progress | ModelCard, None]:
        """Start the engine and load a model; yields progress and finally the model's card."""
        name = _make_absolute(model)
        async with aclosing(
            self._stream_with_restarts(lambda: self._client.load_model(name))
        ) as events:
            async for event in events:
                yield event

    async def fetch_health(self) -> Health | None:
        """Return the state of the engine; None if none runs.

        Raises `EngineSilent` if one runs that does not answer.
        """
        try:
            return await self._client.fetch_health()
        except EngineSilent:
            raise
        except Unavailable:
            return None

    async def inspect_engine(self) -> Health | None:
        """Do what `fetch_health` does, and wait a moment for an engine that starts or exits.

        Raises `EngineSilent` if it is still there without a socket.
        """
        end = time.monotonic() + HEALTH_TIMEOUT
        while True:
            found = await self.fetch_health()
            process = None if found else find_engine_process(self.socket)
            if process is None:
                return found
            if time.monotonic() > end:
                raise create_silent_error(process.pid)
            await asyncio.sleep(_POLL_SECONDS)

    async def stop_engine(self) -> StoppedEngine | None:
        """End the engine, also one that does not answer, and wait for that; None if none runs.

        Raises `Unavailable` if it survives even SIGKILL.
        """
        process = find_engine_process(self.socket)
        try:
            found = await self.inspect_engine()
            if found is None:
                return None
            process = process or EngineProcess(found.pid)
            await self._request_stop()
        except EngineSilent:
            process = process or find_engine_process(self.socket)
            if process is None:
                raise
            await end_process(process)
            return StoppedEngine(process.pid, answered=False)
        if not await wait_for_exit(process, _EXIT_SECONDS):
            await end_process(process)
        return StoppedEngine(process.pid, answered=True)

    async def _request_stop(self) -> None:
        """Tell the engine to exit; it may have begun to already."""
        try:
            await self._client.stop_engine()
        except EngineSilent:
            raise
        except Unavailable:
            pass

    def close(self) -> None:
        """Stop a private engine; a shared one keeps running for other front ends."""
        if self._launched:
            self._launched.close()

    async def _stream_with_restarts(
        self, begin: Callable[[], AsyncGenerator[Item, None]]
    ) -> AsyncGenerator[Item | Progress, None]:
        """Yield from `begin` once an engine answers; begins again if the engine had just exited."""
        for attempt in range(_ATTEMPTS):
            async with aclosing(self._ensure_running()) as waiting:
                async for progress in waiting:
                    yield progress
            last: Item | None = None
            kills = count_memory_kills()
            try:
                async with aclosing(begin()) as events:
                    async for last in events:
                        yield last
                return
            except EngineSilent:
                if self._launched and not self._daemon:
                    # Nobody else uses it, and it could not be found again.
                    self._launched.process.kill()
                raise
            except (Unavailable, EngineGone) as error:
                await self._require_memory(error, last, kills)
                has_exited = type(error) in (Unavailable, EngineGone) and last is None
                if not has_exited or attempt == _ATTEMPTS - 1:
                    raise self._add_log_tail(error) from error

    async def _ensure_running(self) -> AsyncGenerator[Progress, None]:
        """Yield progress until an engine of this version answers, started here or elsewhere.

        Raises `EngineSilent` if one runs that does not answer.
        """
        if await self._is_usable():
            return
        yield Progress("starting")
        watch = WorkWatch()
        with self._open_start_lock() as lock:
            # One process at a time starts the shared engine; the others wait for the result. An
            # engine without a socket is starting or exiting, and two cannot hold one socket.
            while self._daemon:
                engine = find_engine_process(self.socket)
                if engine is None and try_lock(lock):
                    write_owner(lock)
                    break
                self._check_progress(watch, engine, read_owner(lock))
                await asyncio.sleep(_POLL_SECONDS)
                if await self._is_usable():
                    return
            if not await self._is_usable():
                await self._start_process(watch)

    def _open_start_lock(self) -> IO[str]:
        path = self._paths.engine_lock
        try:
            return path.open("a+")
        except OSError as error:
            raise ConfigError(
                f"The lock file `{path}` cannot be opened ({error.strerror})",
                "remove what is there in its place, or set STARCHAT_HOME to another folder",
            ) from error

    def _check_progress(
        self, watch: WorkWatch, engine: EngineProcess | None, starter: EngineProcess | None
    ) -> None:
        """Raise `EngineSilent` if the process that is waited for has not worked for too long.

        Args:
            watch: What was seen of it so far.
            engine: The engine that has no socket yet, or none any more.
            starter: The process that holds the lock for starting one.
        """
        process = engine or starter
        if watch.measure_idle_seconds(process.pid if process else 0) < SILENCE_SECONDS:
            return
        if engine is not None:
            raise create_silent_error(engine.pid)
        if starter is not None:
            raise EngineSilent(
                f"Another StarChat (pid {starter.pid}) is starting the engine and is stopped",
                f"continue it with `kill -CONT {starter.pid}`, or end it with `kill {starter.pid}`",
            )
        lock = self._paths.engine_lock
        raise EngineSilent(
            f"Another process holds `{lock}` and starts no engine", f"`fuser {lock}` tells which"
        )

    async def _is_usable(self) -> bool:
        """Return whether an engine answers that fits; one that does not is told to exit.

        An engine of another version is waited for. Raises `Busy` if one with other flags is
        answering a request, and `EngineSilent` if one does not answer for `SILENCE_SECONDS`.
        """
        while (found := await self._await_health()) and not self._matches_flags(found):
            try:
                await self._client.stop_engine(if_idle=True)
            except Busy as error:
                if found.version == __version__:
                    raise self._other_flags_error(found) from error
            except Unavailable:
                pass
            await asyncio.sleep(_POLL_SECONDS)
        return found is not None and found.state != "stopping"

    async def _await_health(self) -> Health | None:
        """Return the state of the engine, however busy the machine is; None if none runs."""
        # Attempts are counted, not seconds: those pass also while this process is stopped.
        for _ in range(_HEALTH_ATTEMPTS - 1):
            with suppress(EngineSilent):
                return await self.fetch_health()
        return await self.fetch_health()

    def _matches_flags(self, found: Health) -> bool:
        """Return whether version, device and quantization fit; our default flags fit any engine."""
        return (
            found.version == __version__
            and self._device in ("auto", found.device)
            and self._quantize in ("none", found.quantize)
        )

    def _other_flags_error(self, found: Health) -> Busy:
        return Busy(
            f"The engine is busy, with `--device {found.device} --quantize {found.quantize}`",
            "wait until it is idle, end it with `starchat stop`, or leave out your flags",
        )

    async def _start_process(self, watch: WorkWatch) -> None:
        """Start a process and wait until it answers; `Unavailable` has the end of its log."""
        require_extra("local")
        launched = launch_engine(self._paths, self._flags, is_private=not self._daemon)
        self._launched, process = launched, launched.process
        end = time.monotonic() + START_TIMEOUT
        while time.monotonic() < end:
            with suppress(EngineSilent):
                if await self.fetch_health():
                    return
            if process.returncode is not None:
                # It exits if the socket belongs to another engine, started by hand just now.
                if await self._is_usable():
                    return
                message = f"The engine exited while starting (exit code {process.returncode})"
                raise Unavailable(message, read_log_tail(launched.log))
            if watch.measure_idle_seconds(process.pid) >= SILENCE_SECONDS:
                raise self._end_silent_start(process)
            await asyncio.sleep(_POLL_SECONDS)
        raise Unavailable(
            f"The engine does not answer after {START_TIMEOUT:g} s", read_log_tail(launched.log)
        )

    def _end_silent_start(self, process: subprocess.Popen[bytes]) -> EngineSilent:
        """Return the error of an engine that stopped while it started."""
        if find_engine_process(self.socket) is not None:
            return create_silent_error(process.pid)
        # Without the lock, `starchat stop` would not find it.
        process.kill()
        return EngineSilent(
            f"The engine (pid {process.pid}) did not answer while it started, and was ended",
            "ask again to start a new one",
        )

    async def _require_memory(self, error: StarChatError, last: Item | None, kills: int) -> None:
        """Raise `OutOfMemory` if the engine went because memory ran out.

        Args:
            error: Error that ended the request.
            last: Last event before it.
            kills: Processes that the kernel had ended for lack of memory when the request began.
        """
        if type(error) is not EngineGone:
            return
        hint = "choose a smaller model, or close other programs; `starchat doctor` says what fits"
        if count_memory_kills() > kills:
            raise OutOfMemory("The engine was killed because memory ran out", hint) from error
        is_loading = isinstance(last, Progress) and last.stage in _LOADING_STAGES
        if is_loading and self._launched and await self._launched.was_killed():
            # Some containers do not tell.
            raise OutOfMemory(
                "The engine was killed while it loaded the model, as it happens if memory runs out",
                hint,
            ) from error

    def _add_log_tail(self, error: StarChatError) -> StarChatError:
        """Return the error, with the end of the engine's log if the engine is gone."""
        if type(error) is EngineGone:
            log = self._launched.log if self._launched else self._paths.engine_log
            return EngineGone(error.message, f"{error.hint}; {read_log_tail(log)}")
        return error


def _make_absolute(model: str) -> str:
    """Return the absolute path if `model` is a folder: the engine runs in another directory."""
    if "/" not in model and not model.startswith("~"):
        return model
    folder = expand_user_path(model)
    return str(folder.absolute()) if os.path.isdir(folder) else model
