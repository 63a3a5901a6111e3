"""Files of the working directory: changes, and transfers that leave it by no path."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from starchat_tui.sandbox.guest.workspace import FileRefused, Workspace


def read(workspace: Workspace, name: str, max_bytes: int = 1000) -> bytes:
    return b"".join(workspace.read_file(name, 4, max_bytes))


def test_new_and_changed_files_are_listed_once(tmp_path: Path) -> None:
    (tmp_path / "old").write_text("old")
    (tmp_path / "kept").write_text("kept")
    workspace = Workspace(str(tmp_path))
    (tmp_path / "old").write_text("longer")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "new").write_text("n")
    assert workspace.list_changed_files() == [("old", 6), ("sub/new", 1)]
    assert workspace.list_changed_files() == []


def test_a_snapshot_forgets_earlier_changes(tmp_path: Path) -> None:
    workspace = Workspace(str(tmp_path))
    (tmp_path / "new").write_text("n")
    workspace.take_snapshot()
    assert workspace.list_changed_files() == []


def test_only_regular_files_with_usable_names_are_listed(tmp_path: Path) -> None:
    workspace = Workspace(str(tmp_path))
    (tmp_path / "link").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "a.pyc").write_text("")
    deep = tmp_path / "1" / "2" / "3"
    (deep / "4").mkdir(parents=True)
    (deep / "listed").write_text("")
    (deep / "4" / "too deep").write_text("")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff")).write_text("")
    assert workspace.list_changed_files() == [("1/2/3/listed", 0)]


def test_a_file_is_read_in_chunks(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a").write_bytes(b"0123456789")
    workspace = Workspace(str(tmp_path))
    assert list(workspace.read_file("sub/a", 4, 10)) == [b"0123", b"4567", b"89"]


@pytest.mark.parametrize("name", ["", "/etc/passwd", "../x", "sub/../../x", "a\0b"])
def test_a_name_outside_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(FileRefused, match="not in the working directory"):
        read(Workspace(str(tmp_path)), name)


def test_links_and_special_files_are_refused(tmp_path: Path) -> None:
    outside, work = tmp_path / "outside", tmp_path / "work"
    outside.mkdir()
    work.mkdir()
    (outside / "secret").write_text("secret")
    (work / "link").symlink_to(outside / "secret")
    (work / "folder").symlink_to(outside)
    os.mkfifo(work / "fifo")
    workspace = Workspace(str(work))
    for name in ("link", "folder/secret", "missing"):
        with pytest.raises(FileRefused):
            read(workspace, name)
    for name in ("fifo", "."):
        with pytest.raises(FileRefused):
            read(workspace, name)


def test_a_large_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(2**20 + 1))
    with pytest.raises(FileRefused, match="larger than 1 MB"):
        read(Workspace(str(tmp_path)), "a", 2**20)


def test_a_file_for_the_code_replaces_a_link(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("victim")
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "data.csv").symlink_to("../victim")
    Workspace(str(tmp_path / "work")).write_file("elsewhere/data.csv", b"a,b")
    written = tmp_path / "work" / "data.csv"
    assert (written.read_bytes(), written.is_symlink()) == (b"a,b", False)
    assert written.stat().st_mode & 0o222 == 0
    assert (tmp_path / "victim").read_text() == "victim"
