"""Who may talk to the engine: the socket's file, the peer's user, the bearer token."""

from __future__ import annotations

import asyncio
import fcntl
import hmac
import os
import socket
import stat
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from uvicorn.protocols.http.h11_impl import H11Protocol

from starchat_tui.client.protocol import error_json
from starchat_tui.errors import Busy, ConfigError, UsageError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

_LONGEST = 103
"""Bytes of a Unix socket's path, on the strictest system (macOS)."""
_LOCAL_PEERCRED = 1
"""Of macOS; Python has no name for it."""


def peer_uid(peer: socket.socket) -> int:
    """The user at the other end of a Unix socket."""
    if hasattr(socket, "SO_PEERCRED"):
        found = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        return int(struct.unpack("3i", found)[1])
    # macOS: struct xucred begins with a version and the user, both 32 bits.
    found = peer.getsockopt(0, _LOCAL_PEERCRED, 76)
    return int(struct.unpack("2I", found[:8])[1])


class OwnUserOnly(H11Protocol):
    """HTTP that hangs up on any other user of this machine."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Let the connection in where its peer is this user."""
        peer = transport.get_extra_info("socket")
        if peer.family == socket.AF_UNIX and peer_uid(peer) != os.getuid():
            transport.abort()
            return
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing, where the connection was never let in."""
        if hasattr(self, "transport") and self.transport is not None:
            super().connection_lost(exc)


class TokenRequired:
    """ASGI middleware: 401 without the bearer token."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._wanted = f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        given = dict(scope.get("headers", ())).get(b"authorization", b"")
        if scope["type"] != "http" or hmac.compare_digest(given, self._wanted):
            await self._app(scope, receive, send)
            return
        from starlette.responses import JSONResponse

        error = UsageError("The token is missing or wrong", "send `Authorization: Bearer TOKEN`")
        refusal = JSONResponse(
            error_json(error), status_code=401, headers={"www-authenticate": "Bearer"}
        )
        await refusal(scope, receive, send)


@contextmanager
def owned(path: Path, *, patience: float = 15.0) -> Iterator[None]:
    """Be the one engine of a socket path, for as long as this process lives.

    The kernel gives the lock back however the process ends. An engine that is leaving, its socket
    gone, is waited for; raises `Busy` where another one listens.
    """
    _check_private(path.parent)
    until = time.monotonic() + patience
    with _lock_file(path) as lock:
        while not _locked(lock):
            if answers(path) or time.monotonic() > until:
                raise Busy(
                    f"An engine listens on `{path}` already",
                    "`starchat ps` shows it, `starchat stop` ends it",
                )
            time.sleep(0.02)
        yield


def _lock_file(path: Path) -> IO[str]:
    try:
        return path.with_name(f"{path.name}.owner").open("a+")
    except OSError as error:
        raise _no_socket(path, error) from error


def _no_socket(path: Path, error: OSError) -> ConfigError:
    return ConfigError(
        f"No socket can be made at `{path}` ({error.strerror})", "name another with `--socket`"
    )


def _locked(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def answers(path: Path) -> bool:
    """Whether somebody listens on a Unix socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller:
        try:
            caller.connect(os.fspath(path))
        except OSError:
            return False
        return True


def _check_private(directory: Path) -> None:
    """Raise `ConfigError` where others could reach into the socket's directory."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = directory.stat()
    except OSError as error:
        raise ConfigError(
            f"`{directory}` cannot hold a socket ({error.strerror})", "name another with `--socket`"
        ) from error
    if found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise ConfigError(
            f"`{directory}` is not yours alone, so the socket in it would not be",
            "name a directory that has mode 0700",
        )


def unix_socket(path: Path) -> socket.socket:
    """A listening socket at `path`, of this user alone; one that a dead engine left is replaced."""
    if len(os.fsencode(path)) > _LONGEST:
        raise ConfigError(
            f"`{path}` is too long for a socket", "name a shorter one with `--socket`"
        )
    _forget_stale(path)
    found = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # uvicorn would widen a socket it makes itself to 0666.
    before = os.umask(0o177)
    try:
        found.bind(os.fspath(path))
    except OSError as error:
        found.close()
        raise _no_socket(path, error) from error
    finally:
        os.umask(before)
    path.chmod(0o600)
    found.listen(128)
    return found


def _forget_stale(path: Path) -> None:
    """Take away the socket of a dead engine; raises `ConfigError` where it is another file."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise ConfigError(
                f"`{path}` is there already, and is no socket", "name another with `--socket`"
            )
        path.unlink()
    except FileNotFoundError:
        pass
    except OSError as error:
        raise _no_socket(path, error) from error


def tcp_socket(host: str, port: int) -> socket.socket:
    """A listening socket of the network; raises `ConfigError` where the port cannot be had."""
    try:
        return socket.create_server((host, port), backlog=128, family=_family(host))
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(
            f"Nothing can listen on {host}:{port} ({reason})", "choose another `--port`"
        ) from error


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
