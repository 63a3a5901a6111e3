"""Engine process (`starchat serve`): command line, listening socket, lifetime."""

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
from typing import NoReturn, get_args

import uvicorn

from starchat_tui.config.settings import QuantizationChoice, Settings, load_settings_and_paths
from starchat_tui.engine.serving.access import (
    BearerTokenMiddleware,
    bind_tcp_socket,
    bind_unix_socket,
    check_token,
    hold_engine_lock,
)
from starchat_tui.engine.serving.connections import (
    ACCEPT_BATCH,
    LimitedProtocol,
    LimitedServer,
    raise_descriptor_limit,
)
from starchat_tui.engine.serving.job import Event, Job
from starchat_tui.engine.serving.log_filter import configure_log
from starchat_tui.engine.serving.routes import Routes
from starchat_tui.engine.serving.worker import EngineOptions, Worker
from starchat_tui.errors import ConfigError, StarChatError, UsageError
from starchat_tui.models.registry import KNOWN_MODELS
from starchat_tui.sanitize import sanitize_text

FIRST_REQUEST_SECONDS = 60.0
"""Seconds that an engine waits for its first request, whatever its keep-alive."""
BUNDLED_MODELS = tuple(name for name, model in KNOWN_MODELS.items() if model.demo)
_UNIT_SECONDS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def parse_duration(duration: str) -> float:
    """Return the seconds of a duration such as 30s, 10m or 2h; a negative one means for ever.

    Raises `ConfigError`.
    """
    match = re.fullmatch(r"(-?\d+(?:\.\d+)?)([smhd]?)", duration.strip())
    if not match:
        raise ConfigError(
            f"`{duration}` is not a duration", "write 30s, 10m or 2h; 0 exits at once, -1 never"
        )
    return float(match[1]) * _UNIT_SECONDS[match[2]]


def create_parser() -> argparse.ArgumentParser:
    """Return the command line parser of `starchat serve`."""
    parser = argparse.ArgumentParser(
        prog="starchat serve", description="Hold models, and answer completions over HTTP."
    )
    parser.add_argument("--socket", type=Path, help="listen on this Unix socket (the default)")
    parser.add_argument("--host", help="listen on the network instead; needs a token")
    parser.add_argument("--port", type=int, help="port to listen on (default 8000)")
    parser.add_argument("--token", help="bearer token of the clients; better in STARCHAT_TOKEN")
    parser.add_argument("-m", "--model", help="load this model at once")
    parser.add_argument(
        "--allow-models",
        nargs="+",
        default=[],
        metavar="NAME",
        help="models that clients of the network may ask for, besides --model",
    )
    parser.add_argument("--device", help="auto, cuda:N, mps or cpu")
    parser.add_argument(
        "--quantize", choices=get_args(QuantizationChoice), help="size of the weights"
    )
    parser.add_argument(
        "--keep-alive",
        help="exit after being idle for: 30s, 10m, 2h; -1 is never, the default on the network",
    )
    # Used by the client that starts an engine, not by people.
    parser.add_argument("--cache", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--until-eof", action="store_true", help=argparse.SUPPRESS)
    return parser


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Serve until idle, stopped or interrupted; return the exit code.

    Raises `StarChatError` if it cannot start.
    """
    arguments = create_parser().parse_args(argv)
    signal.signal(signal.SIGTERM, _exit_on_signal)
    if "OMP_WAIT_POLICY" not in environ:
        # Set before torch is imported. By default the threads of OpenMP spin while they wait, and
        # on a busy machine a token then takes seconds.
        os.putenv("OMP_WAIT_POLICY", "PASSIVE")
    names = ("token", "device", "quantize", "keep_alive")
    flags = {name: getattr(arguments, name) for name in names}
    networked = arguments.host is not None or arguments.port is not None
    # Clients start a local engine on demand; one on the network they could not start again.
    defaults = {"keep_alive": "-1"} if networked else {}
    settings, paths = load_settings_and_paths(flags, environ, defaults)
    if networked and (arguments.socket or not settings.token):
        raise UsageError(
            "`--host` and `--port` need a token, and exclude `--socket`",
            "set STARCHAT_TOKEN to a long random text, for clients to send",
        )
    if networked:
        check_token(settings.token)
    configure_log()
    raise_descriptor_limit()
    with ExitStack() as stack:
        if networked:
            path = None
            listener = bind_tcp_socket(arguments.host or "127.0.0.1", arguments.port or 8000)
        else:
            path = arguments.socket or paths.socket
            if not arguments.until_eof:
                # Before the socket is bound, since binding replaces the one of a dead engine.
                stack.enter_context(hold_engine_lock(path))
            listener = bind_unix_socket(path)
            stack.callback(path.unlink, missing_ok=True)
        stack.enter_context(listener)
        cache = arguments.cache or paths.cache
        model = arguments.model or ""
        allowed = tuple(filter(None, (model, *arguments.allow_models)))
        engine = EngineServer(
            settings,
            listener,
            path=path,
            cache_dir=cache,
            model=model,
            # Without a choice, the models that come with the package: those harm nobody.
            allowed_models=allowed or BUNDLED_MODELS,
        )
        if arguments.until_eof:
            engine.stop_with_parent()
        if model:
            engine.preload_model(model)
        return engine.run()


class EngineServer:
    """HTTP server of an engine on a listening socket, with its worker."""

    def __init__(
        self,
        settings: Settings,
        listener: socket.socket,
        *,
        path: Path | None,
        cache_dir: Path,
        model: str = "",
        allowed_models: Sequence[str] = (),
    ) -> None:
        """Create the server and its worker; neither runs yet.

        Args:
            settings: Device, quantization, keep-alive and token.
            listener: Listening socket.
            path: Path of the Unix socket, or None on the network, where a token is required.
            cache_dir: Directory for prefixes and converted tokenizers.
            model: Model to list before it is loaded.
            allowed_models: Models that clients of the network may ask for.

        Raises `ConfigError` for a keep-alive that is not a duration.
        """
        self._keep_alive = parse_duration(settings.keep_alive)
        self._listener = listener
        self._path = path
        self.worker = Worker(EngineOptions(settings.device, settings.quantize, cache_dir))
        app = Routes(
            self.worker,
            keep_alive=self._keep_alive,
            model=model,
            allowed_models=None if path else allowed_models,
        ).create_app()
        self._server = LimitedServer(
            uvicorn.Config(
                app if path else BearerTokenMiddleware(app, settings.token),
                http=LimitedProtocol,
                ws="none",
                loop="asyncio",
                lifespan="off",
                log_level="warning",
                # Its messages go where all others go.
                log_config=None,
                access_log=False,
                server_header=False,
                # What a client says of its address is not believed.
                proxy_headers=False,
                backlog=ACCEPT_BATCH,
                # Seconds for the last events of answers that the shutdown has ended.
                timeout_graceful_shutdown=5,
            )
        )

    def preload_model(self, model: str) -> None:
        """Load a model as the first job."""
        self.worker.submit(Job(model, _print_error))

    def stop_with_parent(self) -> None:
        """Shut down when standard input ends, and not when idle."""
        self._keep_alive = -1.0

        def watch() -> None:
            # However the parent ends, even by SIGKILL, the system closes its end of the pipe.
            with suppress(OSError):
                while os.read(0, 1):
                    pass
            self.worker.shutdown()

        threading.Thread(target=watch, name="parent", daemon=True).start()

    def run(self) -> int:
        """Serve until shutdown.

        Returns:
            The exit code: 0, 130 or 143 after a signal, 70 if the worker thread died.
        """
        address = self._path or "{}:{}".format(*self._listener.getsockname()[:2])
        print(
            f"starchat serve: listening on {address} (pid {os.getpid()})",
            file=sys.stderr,
            flush=True,
        )
        # Signals wait until the `try` below can handle them: one between the start of the thread
        # and the `try` would leave it in the middle of importing torch, and the interpreter cannot
        # end beside it.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
        self.worker.start()
        code = 130
        try:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            code = asyncio.run(self._serve_requests())
        except SystemExit as ended:
            code = int(ended.code or 0)
        finally:
            self._remove_socket()
            self.worker.shutdown()
            self.worker.join(5)
            if self.worker.is_alive:
                # In the middle of an import or a load, which nothing interrupts, and the
                # interpreter cannot end beside a thread inside torch.
                os._exit(code)
        return code

    async def _serve_requests(self) -> int:
        """Serve until the worker stops; return the exit code."""
        serving = asyncio.create_task(self._server.serve(sockets=[self._listener]))
        # Polled, because the worker is a thread and its idle time is a clock's.
        while not serving.done() and self._should_continue():
            await asyncio.wait({serving}, timeout=0.1)
        code = 0 if serving.done() or self.worker.is_stopping else 70
        # In this order: no new client finds the engine, the running answers end, and the server
        # delivers their last events before it closes.
        self._remove_socket()
        self.worker.shutdown()
        self._server.should_exit = True
        await serving
        return code

    def _should_continue(self) -> bool:
        """Return whether to keep serving; shut the worker down if it was idle for too long."""
        worker = self.worker
        if worker.is_stopping or not worker.is_alive:
            return False
        limit = self._keep_alive
        if not worker.finished_jobs:
            # The client that started this engine is about to connect.
            limit = max(limit, FIRST_REQUEST_SECONDS)
        if self._keep_alive >= 0 and worker.idle_seconds > limit:
            worker.shutdown()
        return not worker.is_stopping

    def _remove_socket(self) -> None:
        """Remove the socket file, so that no client finds an engine that is shutting down."""
        if self._path:
            with suppress(FileNotFoundError):
                self._path.unlink()
            self._path = None


def _print_error(event: Event) -> None:
    if isinstance(event, StarChatError):
        # Paths and config values of a downloaded model may hold escape sequences.
        text = sanitize_text(f"{event.message}; {event.hint}")
        print(f"starchat serve: {text}", file=sys.stderr, flush=True)


def _exit_on_signal(number: int, frame: object) -> NoReturn:
    raise SystemExit(128 + number)
