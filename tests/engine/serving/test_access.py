"""Access to the engine: private sockets, the lock, other users, the token."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from starchat_tui.engine.serving.access import (
    BearerTokenMiddleware,
    bind_tcp_socket,
    bind_unix_socket,
    check_token,
    get_peer_uid,
    hold_engine_lock,
    is_listening,
)
from starchat_tui.errors import Busy, ConfigError, UsageError
from tests.engine.engine_server import RunningEngine, run_serve


@pytest.fixture
def directory(empty_home: Path) -> Path:
    """A private directory whose path is short enough for a socket."""
    made = empty_home / "engine"
    made.mkdir(mode=0o700)
    return made


def test_the_socket_is_the_users_alone(engine: RunningEngine) -> None:
    assert stat.S_IMODE(engine.socket.stat().st_mode) == 0o600
    assert stat.S_IMODE(engine.socket.parent.stat().st_mode) == 0o700


def test_the_peer_of_a_socket_is_known() -> None:
    left, right = socket.socketpair(socket.AF_UNIX)
    with left, right:
        assert get_peer_uid(left) == os.getuid()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_another_user_is_hung_up_on(engine: RunningEngine) -> None:
    script = f"""
import os, socket
caller = socket.socket(socket.AF_UNIX)
os.setuid(65534)
caller.connect({str(engine.socket)!r})
try:
    caller.sendall(b"GET /health HTTP/1.1\\r\\nHost: e\\r\\n\\r\\n")
    print("read", len(caller.recv(100)))
except (BrokenPipeError, ConnectionResetError):
    print("read", 0)
"""
    parents = [engine.socket, *engine.socket.parents[:2]]
    modes = [stat.S_IMODE(path.stat().st_mode) for path in parents]
    try:
        for path in parents:
            path.chmod(0o777)
        ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    finally:
        for path, mode in zip(parents, modes, strict=True):
            path.chmod(mode)
    assert ran.stdout.strip() == "read 0", ran
    assert engine.fetch_health()["pid"] == engine.process.pid


def test_a_socket_is_private_whatever_the_umask(directory: Path) -> None:
    before = os.umask(0)
    try:
        with bind_unix_socket(directory / "engine.sock"):
            assert stat.S_IMODE((directory / "engine.sock").stat().st_mode) == 0o600
        assert os.umask(0) == 0, "the umask is restored"
    finally:
        os.umask(before)


def test_the_socket_of_a_dead_engine_is_replaced(directory: Path) -> None:
    path = directory / "engine.sock"
    bind_unix_socket(path).close()
    assert path.exists()
    assert not is_listening(path)
    with bind_unix_socket(path):
        assert is_listening(path)


def test_a_symbolic_link_is_not_followed(directory: Path) -> None:
    target, path = directory / "precious", directory / "engine.sock"
    target.write_text("precious")
    path.symlink_to(target)
    with pytest.raises(ConfigError, match="not a socket"):
        bind_unix_socket(path)
    assert target.read_text() == "precious"
    assert path.is_symlink()


def test_a_path_that_is_too_long_is_refused(directory: Path) -> None:
    with pytest.raises(ConfigError, match="too long"):
        bind_unix_socket(directory / ("x" * 120))


def test_the_lock_is_held_while_the_context_lasts(directory: Path) -> None:
    path = directory / "engine.sock"
    with (
        hold_engine_lock(path),
        pytest.raises(Busy, match="listens"),
        hold_engine_lock(path, timeout=0.05),
    ):
        pass
    with hold_engine_lock(path, timeout=0.05):
        pass


def test_a_second_engine_is_refused_at_once_where_the_first_listens(directory: Path) -> None:
    path = directory / "engine.sock"
    with (
        hold_engine_lock(path),
        bind_unix_socket(path),
        pytest.raises(Busy, match="listens"),
        hold_engine_lock(path, timeout=3600),
    ):
        pass


def test_the_directory_of_the_lock_is_created_private(empty_home: Path) -> None:
    with hold_engine_lock(empty_home / "new" / "engine.sock"):
        assert stat.S_IMODE((empty_home / "new").stat().st_mode) == 0o700


def test_a_second_engine_is_refused_and_names_the_first(engine: RunningEngine) -> None:
    ran = run_serve(home=engine.socket.parent.parent)
    assert ran.returncode == 75
    assert "listens" in ran.stderr


def test_a_socket_in_a_shared_directory_is_refused(empty_home: Path) -> None:
    shared = empty_home / "shared"
    shared.mkdir(mode=0o755)
    ran = run_serve("--socket", str(shared / "engine.sock"), home=empty_home)
    assert ran.returncode == 78
    assert "0700" in ran.stderr
    assert stat.S_IMODE(shared.stat().st_mode) == 0o755


def test_a_file_at_the_path_of_the_socket_is_kept(empty_home: Path) -> None:
    notes = empty_home / "mine" / "notes"
    notes.parent.mkdir(mode=0o700)
    notes.write_text("precious")
    ran = run_serve("--socket", str(notes), home=empty_home)
    assert ran.returncode == 78
    assert "is not a socket" in ran.stderr
    assert notes.read_text() == "precious"


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--socket", "{home}/file/engine.sock"), "cannot hold a socket"),
        (("--port", "70000", "--token", "t" * 16), "Nothing can listen on 127.0.0.1:70000"),
    ],
)
def test_an_address_that_is_not_available_is_named(
    empty_home: Path, flags: tuple[str, ...], message: str
) -> None:
    (empty_home / "file").write_text("")
    ran = run_serve(*(flag.format(home=empty_home) for flag in flags), home=empty_home)
    assert ran.returncode == 78
    assert message in ran.stderr
    assert "defect" not in ran.stderr


def test_a_port_in_use_is_named() -> None:
    with bind_tcp_socket("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(ConfigError, match=str(port)):
            bind_tcp_socket("127.0.0.1", port)


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("Bearer s3cret", 404),
        ("bearer s3cret", 404),
        ("BEARER  s3cret", 404),
        ("Basic s3cret", 401),
        ("Bearer s3cre", 401),
        ("Bearer s3crets", 401),
        ("s3cret", 401),
        ("", 401),
        (None, 401),
    ],
)
def test_only_the_bearer_token_passes(header: str | None, status: int) -> None:
    client = TestClient(BearerTokenMiddleware(Starlette(), "s3cret"))
    response = client.get("/", headers={} if header is None else {"authorization": header})
    assert response.status_code == status
    if status == 401:
        assert response.headers["www-authenticate"] == "Bearer"
        assert "token" in response.json()["error"]["message"]


@pytest.mark.parametrize(
    "token", ["short", "with blanks in between", "line\nbreak" * 3, "ä" * 20, ""]
)
def test_a_token_that_nobody_can_send_or_anybody_can_guess_is_refused(token: str) -> None:
    with pytest.raises(UsageError, match="token") as caught:
        check_token(token)
    assert "openssl" in caught.value.hint


def test_a_long_token_of_a_headers_characters_is_accepted() -> None:
    check_token("0123456789abcdef")
    check_token("aZ09._~+/-aZ09._~+/-==")
