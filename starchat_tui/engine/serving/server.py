"""`starchat serve`: the engine as a process, from its first line to its last."""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import signal
import socket
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import NoReturn

import uvicorn

from starchat_tui import settings as chosen
from starchat_tui.engine.serving.access import (
    OwnUserOnly,
    TokenRequired,
    owned,
    tcp_socket,
    unix_socket,
)
from starchat_tui.engine.serving.routes import Routes
from starchat_tui.engine.serving.worker import Choices, Event, Job, Worker
from starchat_tui.errors import ConfigError, StarChatError, UsageError
from starchat_tui.sanitize import clean
from starchat_tui.settings import Settings

GRACE = 60.0
"""Seconds an engine with a keep-alive of 0 waits for its first request."""
_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def seconds(duration: str) -> float:
    """A duration such as 30s, 10m or 2h; negative is for ever. Raises `ConfigError`."""
    found = re.fullmatch(r"(-?\d+(?:\.\d+)?)([smhd]?)", duration.strip())
    if not found:
        raise ConfigError(
            f"`{duration}` is not a duration", "write 30s, 10m or 2h; 0 leaves at once, -1 never"
        )
    return float(found[1]) * _UNITS[found[2]]


def parser() -> argparse.ArgumentParser:
    """The command line of `starchat serve`."""
    made = argparse.ArgumentParser(
        prog="starchat serve", description="Hold models, and answer completions over HTTP."
    )
    made.add_argument("--socket", type=Path, help="listen on this Unix socket (the default)")
    made.add_argument("--host", help="listen on the network instead; needs a token")
    made.add_argument("--port", type=int, help="the port to listen on (default 8000)")
    made.add_argument("--token", help="the bearer token clients send; better in STARCHAT_TOKEN")
    made.add_argument("--model", help="load this model at once")
    made.add_argument("--device", help="auto, cuda:N, mps or cpu")
    made.add_argument("--quantize", choices=("none", "int8", "int4"), help="size of the weights")
    made.add_argument(
        "--keep-alive",
        help="leave when idle for so long: 30s, 10m, 2h; -1 is never, the default on the network",
    )
    made.add_argument("--cache", type=Path, help=argparse.SUPPRESS)
    made.add_argument("--until-eof", action="store_true", help=argparse.SUPPRESS)
    return made


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Serve until idle, told to stop, or interrupted; returns the exit code.

    Raises `StarChatError` where it cannot begin.
    """
    given = parser().parse_args(argv)
    signal.signal(signal.SIGTERM, _terminated)
    if "OMP_WAIT_POLICY" not in environ:
        # OpenMP's threads else spin while they wait, and on a busy machine a token takes seconds.
        os.putenv("OMP_WAIT_POLICY", "PASSIVE")
    flags = {name: getattr(given, name) for name in ("token", "device", "quantize", "keep_alive")}
    networked = given.host is not None or given.port is not None
    # Others use it, and none of them could start it again.
    settings, paths = chosen.read(flags, environ, {"keep_alive": "-1"} if networked else {})
    if networked and (given.socket or not settings.token):
        raise UsageError(
            "`--host` and `--port` need a token, and exclude `--socket`",
            "set STARCHAT_TOKEN to a long random text, for clients to send",
        )
    with ExitStack() as stack:
        if networked:
            path, listener = None, tcp_socket(given.host or "127.0.0.1", given.port or 8000)
        else:
            path = given.socket or paths.socket
            if not given.until_eof:
                stack.enter_context(owned(path))
            listener = unix_socket(path)
            stack.callback(path.unlink, missing_ok=True)
        stack.enter_context(listener)
        cache = given.cache or paths.cache
        engine = Engine(settings, listener, path=path, cache=cache, model=given.model or "")
        if given.until_eof:
            engine.ends_with_parent()
        if given.model:
            engine.preload(given.model)
        return engine.run()


class Engine:
    """A listening engine."""

    def __init__(
        self,
        settings: Settings,
        listener: socket.socket,
        *,
        path: Path | None,
        cache: Path,
        model: str = "",
    ) -> None:
        self._keep_alive = seconds(settings.keep_alive)
        self._listener = listener
        self._path = path
        self.worker = Worker(Choices(settings.device, settings.quantize, cache))
        app = Routes(self.worker, keep_alive=self._keep_alive, model=model).app()
        self._server = uvicorn.Server(
            uvicorn.Config(
                app if path else TokenRequired(app, settings.token),
                http=OwnUserOnly,
                ws="none",
                loop="asyncio",
                lifespan="off",
                log_level="warning",
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=5,
            )
        )

    def preload(self, model: str) -> None:
        """Load a model as the first job."""
        self.worker.submit(Job(model, _print_errors))

    def ends_with_parent(self) -> None:
        """Leave when standard input ends: however the parent ends, its pipe closes."""
        self._keep_alive = -1.0

        def watch() -> None:
            with suppress(OSError):
                while os.read(0, 1):
                    pass
            self.worker.leave()

        threading.Thread(target=watch, name="parent", daemon=True).start()

    def run(self) -> int:
        """Serve; returns 0, or 70 where the thread of the device ended by an unforeseen error."""
        where = self._path or "{}:{}".format(*self._listener.getsockname()[:2])
        print(
            f"starchat serve: listening on {where} (pid {os.getpid()})", file=sys.stderr, flush=True
        )
        # A signal between the start of the thread and the `try` that ends it would leave it behind,
        # in the middle of importing torch, and the interpreter cannot end beside it.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
        self.worker.start()
        code = 130
        try:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            code = asyncio.run(self._serve())
        except SystemExit as ended:
            code = int(ended.code or 0)
        finally:
            self._forget_socket()
            self.worker.leave()
            self.worker.join(5)
            if self.worker.alive:
                # In the middle of a load; the interpreter cannot end beside a thread inside torch.
                os._exit(code)
        return code

    async def _serve(self) -> int:
        serving = asyncio.create_task(self._server.serve(sockets=[self._listener]))
        while not serving.done() and self._stays():
            await asyncio.wait({serving}, timeout=0.1)
        code = 0 if serving.done() or self.worker.leaving else 70
        self._forget_socket()
        self.worker.leave()
        self._server.should_exit = True
        await serving
        return code

    def _stays(self) -> bool:
        worker = self.worker
        if worker.leaving or not worker.alive:
            return False
        patience = self._keep_alive
        if not worker.finished_jobs:
            patience = max(patience, GRACE)
        if self._keep_alive >= 0 and worker.idle_seconds > patience:
            worker.leave()
        return not worker.leaving

    def _forget_socket(self) -> None:
        """Take the socket away first, so that no face finds an engine that is leaving."""
        if self._path:
            with suppress(FileNotFoundError):
                self._path.unlink()
            self._path = None


def _print_errors(event: Event) -> None:
    if isinstance(event, StarChatError):
        said = clean(f"{event.message}; {event.hint}")
        print(f"starchat serve: {said}", file=sys.stderr, flush=True)


def _terminated(number: int, frame: object) -> NoReturn:
    raise SystemExit(128 + number)
