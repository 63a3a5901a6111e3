"""Attached files: links, endless devices and files that change are refused."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from starchat_tui.errors import UsageError
from starchat_tui.sandbox.attachments import copy_bytes, map_names, open_attachment

SIZE_LIMIT = 1000


def read_attachment(path: Path, limit: int = SIZE_LIMIT) -> bytes:
    file, size = open_attachment(path, limit)
    try:
        return os.read(file, size)
    finally:
        os.close(file)


def test_a_file_is_opened_with_its_size(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_bytes(b"a,b\n")
    assert read_attachment(tmp_path / "data.csv") == b"a,b\n"


def test_a_symbolic_link_is_refused_and_its_target_is_named(tmp_path: Path) -> None:
    (tmp_path / "id_rsa").write_text("secret")
    (tmp_path / "data.csv").symlink_to(tmp_path / "id_rsa")
    with pytest.raises(UsageError, match=r"symbolic link to .*id_rsa"):
        open_attachment(tmp_path / "data.csv", SIZE_LIMIT)


def test_a_pipe_does_not_wait_for_a_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="device, pipe or socket"):
        open_attachment(tmp_path / "pipe", SIZE_LIMIT)


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/null", "/dev/tty"])
def test_a_device_is_refused(path: str) -> None:
    with pytest.raises(UsageError, match="device"):
        open_attachment(Path(path), SIZE_LIMIT)


def test_a_socket_and_a_folder_are_refused(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        with pytest.raises(UsageError, match="socket"):
            open_attachment(tmp_path / "s", SIZE_LIMIT)
    with pytest.raises(UsageError, match="is a folder"):
        open_attachment(tmp_path, SIZE_LIMIT)


def test_a_large_file_is_refused_before_a_byte_is_read(tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(200 * 2**30)
    with pytest.raises(UsageError, match=r"214,748,364,800 bytes; 1,000 are left"):
        open_attachment(tmp_path / "sparse", SIZE_LIMIT)


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        open_attachment(tmp_path / "none", SIZE_LIMIT)


def test_a_link_that_replaces_a_checked_file_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, secret = tmp_path / "data.csv", tmp_path / "secret"
    secret.write_text("secret")
    path.write_text("innocent")
    lstat = os.lstat

    def replace_by_link(name: Path) -> os.stat_result:
        found = lstat(name)
        path.unlink()
        path.symlink_to(secret)
        return found

    monkeypatch.setattr(os, "lstat", replace_by_link)
    with pytest.raises(UsageError, match="cannot be attached"):
        open_attachment(path, SIZE_LIMIT)


def test_no_descriptor_is_left_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "grows"
    path.write_bytes(b"x" * 2000)
    small = tmp_path / "small"
    small.write_bytes(b"x")
    # `lstat` reports a small file; it is larger by the time it is opened.
    monkeypatch.setattr(os, "lstat", lambda _name: small.stat())
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(UsageError, match="2,000 bytes"):
        open_attachment(path, SIZE_LIMIT)
    assert len(os.listdir("/proc/self/fd")) == before


def test_no_more_is_copied_than_the_announced_size(tmp_path: Path) -> None:
    (tmp_path / "grows").write_bytes(b"abcdef")
    with (tmp_path / "grows").open("rb") as file, (tmp_path / "copy").open("wb") as target:
        copy_bytes(file.fileno(), 4, target.fileno())
    assert (tmp_path / "copy").read_bytes() == b"abcd"


def test_a_file_that_shrank_ends_the_copy(tmp_path: Path) -> None:
    (tmp_path / "shrank").write_bytes(b"ab")
    with (tmp_path / "shrank").open("rb") as file, (tmp_path / "copy").open("wb") as target:
        copy_bytes(file.fileno(), 4, target.fileno())
    assert (tmp_path / "copy").read_bytes() == b"ab"


def test_two_files_with_the_same_name_are_refused() -> None:
    assert map_names([Path("a/x"), Path("a/x"), Path("y")]) == {"x": Path("a/x"), "y": Path("y")}
    with pytest.raises(UsageError, match="called `x`"):
        map_names([Path("a/x"), Path("b/x")])
