"""Standard input of a script: a copy of a pipe or file, and nothing of a terminal."""

from __future__ import annotations

import os
from pathlib import Path

from starchat_tui.cli.script_input import open_script_input


def read_all(descriptor: int) -> bytes:
    with os.fdopen(descriptor, "rb") as file:
        return file.read()


def test_pipe_and_file_are_copied(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    copy = open_script_input(reader)
    os.write(writer, b"one\n")
    assert os.read(copy, 100) == b"one\n"
    os.close(writer)
    assert read_all(copy) == b""
    os.close(reader)
    path = tmp_path / "large"
    path.write_bytes(bytes(range(256)) * 4096)
    with path.open("rb") as file:
        copy = open_script_input(file.fileno())
        assert read_all(copy) == path.read_bytes()


def test_copy_of_a_file_is_no_file(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_bytes(b"x")
    with path.open("rb") as file:
        copy = open_script_input(file.fileno())
        assert os.readlink(f"/proc/self/fd/{copy}").startswith("pipe:")
        assert read_all(copy) == b"x"


def test_terminal_device_and_closed_descriptor_are_not_read() -> None:
    leader, terminal = os.openpty()
    assert open_script_input(terminal) == -1
    for descriptor in (leader, terminal):
        os.close(descriptor)
    assert open_script_input(terminal) == -1
    with open("/dev/zero", "rb") as file:
        assert open_script_input(file.fileno()) == -1
