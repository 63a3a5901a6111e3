"""Access to the engine: private Unix socket, user of the peer, bearer token.

On one machine the system says who connects, and no secret is needed: the socket lies in a directory
of mode 0700, and the user of each peer is compared as well. On the network a token is required.
"""

from __future__ import annotations

import asyncio
import hmac
import os
import re
import socket
import stat
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from uvicorn.protocols.http.h11_impl import H11Protocol

from starchat_tui.client.engine_process import get_lock_path, try_lock, write_owner
from starchat_tui.client.response_json import encode_error
from starchat_tui.errors import Busy, ConfigError, UsageError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

_MAX_PATH_BYTES = 103
"""Length limit of a Unix socket's path on the strictest system, macOS."""
_LOCAL_PEERCRED = 1
"""Socket option of macOS, which Python has no name for."""
MIN_TOKEN_CHARACTERS = 16
_OTHER_SOCKET_HINT = "name another with `--socket`"


def get_peer_uid(peer: socket.socket) -> int:
    """Return the user id of the process at the other end of a Unix socket."""
    # The kernel recorded it at `connect`; nothing that the peer sends can change it.
    if hasattr(socket, "SO_PEERCRED"):
        # Linux: struct ucred, of pid, uid and gid.
        raw = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        return int(struct.unpack("3i", raw)[1])
    # macOS: struct xucred begins with a version and the uid, both of 32 bits.
    raw = peer.getsockopt(0, _LOCAL_PEERCRED, 76)
    return int(struct.unpack("2I", raw[:8])[1])


class SameUserProtocol(H11Protocol):
    """HTTP protocol that hangs up on every other user of this machine."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept the connection if its peer is this user."""
        peer = transport.get_extra_info("socket")
        # Before a byte is parsed. The permissions of the socket file alone would not do: some
        # systems ignore them.
        if peer.family == socket.AF_UNIX and get_peer_uid(peer) != os.getuid():
            transport.abort()
            return
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Clean up, unless the connection was never accepted."""
        if hasattr(self, "transport") and self.transport is not None:
            super().connection_lost(exc)


class BearerTokenMiddleware:
    """ASGI middleware that answers 401 without the bearer token."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._expected = token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        # The name of the scheme may be written in any case (RFC 9110, section 11.1).
        sent = dict(scope.get("headers", ())).get(b"authorization", b"")
        scheme, _, received = sent.partition(b" ")
        received = received.strip() if scheme.lower() == b"bearer" else b""
        # Takes the same time wherever the first difference is; the time of `==` would tell a client
        # how much of its guess is right.
        if scope["type"] != "http" or hmac.compare_digest(received, self._expected):
            # Before the body is read: from here on the request may take its time.
            if connection := scope.get("state", {}).get("connection"):
                connection.accept_request()
            await self._app(scope, receive, send)
            return
        from starlette.responses import JSONResponse

        error = UsageError("The token is missing or wrong", "send `Authorization: Bearer TOKEN`")
        refusal = JSONResponse(
            encode_error(error), status_code=401, headers={"www-authenticate": "Bearer"}
        )
        await refusal(scope, receive, send)


def check_token(token: str) -> None:
    """Raise `UsageError` for a token that no client can send, or that can be guessed."""
    # The form of a bearer token (RFC 6750, section 2.1).
    if not re.fullmatch(r"[A-Za-z0-9._~+/-]+=*", token):
        raise UsageError(
            "The token has characters that no client can send in a header",
            "use letters, digits and . _ ~ + / - only, such as those of `openssl rand -hex 32`",
        )
    if len(token) < MIN_TOKEN_CHARACTERS:
        raise UsageError(
            f"The token has fewer than {MIN_TOKEN_CHARACTERS} characters, and can be guessed",
            "use a long random one: `openssl rand -hex 32`",
        )


@contextmanager
def hold_engine_lock(path: Path, *, timeout: float = 15.0) -> Iterator[None]:
    """Be the only engine of a socket path while the context lasts.

    Waits at most `timeout` seconds for an engine that is shutting down. Raises `Busy` if another
    one listens, and `ConfigError` if the directory is not private.
    """
    _require_private_directory(path.parent)
    deadline = time.monotonic() + timeout
    # A lock, because looking for the socket is a race between two engines that start at once; and
    # this kind, because the kernel releases it however the process ends. It has a file of its own,
    # which stays: the socket is replaced with each engine.
    with _open_lock_file(path) as lock:
        while not try_lock(lock):
            if is_listening(path) or time.monotonic() > deadline:
                raise Busy(
                    f"An engine listens on `{path}` already",
                    "`starchat ps` shows it, `starchat stop` ends it",
                )
            time.sleep(0.02)
        # For clients that want to know who does not answer.
        write_owner(lock)
        yield


def _open_lock_file(path: Path) -> IO[str]:
    try:
        return get_lock_path(path).open("a+")
    except OSError as error:
        raise _create_socket_error(path, error) from error


def _create_socket_error(path: Path, error: OSError) -> ConfigError:
    return ConfigError(f"No socket can be made at `{path}` ({error.strerror})", _OTHER_SOCKET_HINT)


def is_listening(path: Path) -> bool:
    """Return whether a process listens on a Unix socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller:
        try:
            caller.connect(os.fspath(path))
        except OSError:
            return False
        return True


def _require_private_directory(directory: Path) -> None:
    """Create the directory of the socket; raise `ConfigError` if others have access to it."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = directory.stat()
    except OSError as error:
        raise ConfigError(
            f"`{directory}` cannot hold a socket ({error.strerror})", _OTHER_SOCKET_HINT
        ) from error
    # Whoever may write to the directory can put a socket of their own in place of this one, and
    # read every prompt. Its mode is not changed: the user may share it for a reason.
    if status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise ConfigError(
            f"`{directory}` is accessible to other users, so the socket in it would be, too",
            "name a directory that has mode 0700",
        )


def bind_unix_socket(path: Path) -> socket.socket:
    """Return a listening socket at `path`, of mode 0600; replace that of a dead engine.

    Raises `ConfigError` if it cannot be made.
    """
    if len(os.fsencode(path)) > _MAX_PATH_BYTES:
        raise ConfigError(
            f"`{path}` is too long for a socket", "name a shorter one with `--socket`"
        )
    _remove_stale_socket(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # Bound here, because uvicorn gives the sockets that it binds mode 0666. The umask, because
    # `chmod` alone would leave a moment in which others can connect.
    previous = os.umask(0o177)
    try:
        listener.bind(os.fspath(path))
    except OSError as error:
        listener.close()
        raise _create_socket_error(path, error) from error
    finally:
        os.umask(previous)
    path.chmod(0o600)
    listener.listen(128)
    return listener


def _remove_stale_socket(path: Path) -> None:
    """Remove the socket of a dead engine; raise `ConfigError` if it is another kind of file."""
    try:
        # `lstat`: a symbolic link is not followed, whatever it points to.
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise ConfigError(f"`{path}` exists already, and is not a socket", _OTHER_SOCKET_HINT)
        path.unlink()
    except FileNotFoundError:
        pass
    except OSError as error:
        raise _create_socket_error(path, error) from error


def bind_tcp_socket(host: str, port: int) -> socket.socket:
    """Return a listening TCP socket; raise `ConfigError` if host or port is not available."""
    try:
        return socket.create_server((host, port), backlog=128, family=_choose_address_family(host))
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(
            f"Nothing can listen on {host}:{port} ({reason})", "choose another `--port`"
        ) from error


def _choose_address_family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
