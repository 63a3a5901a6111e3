from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from starchat_tui.errors import UsageError
from starchat_tui.execution.plot_files import (
    find_viewer,
    open_in_viewer,
    sanitize_file_name,
    save_plot,
    save_run_file,
)
from tests.waiting import block_until


def test_only_the_user_can_read_a_saved_plot(tmp_path: Path) -> None:
    folder = tmp_path / "plots"
    for number in (1, 2):
        path = save_plot(folder, "ab12", "../../Draw: \x1b]0;x\x07 *Größe*?!", b"png")
        assert path == folder / "ab12" / f"{number}-draw-0-x-gr-e.png"
        assert path.read_bytes() == b"png"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert save_plot(folder, "ab12", "…", b"x").name == "3-plot.png"


def test_an_existing_link_is_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("mine")
    place = tmp_path / "plots" / "ab"
    place.mkdir(parents=True)
    (place / "1-t.png").symlink_to(secret)
    assert save_plot(tmp_path / "plots", "ab", "t", b"png").name == "2-t.png"
    assert secret.read_text() == "mine"


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("data.csv", "data.csv"),
        ("../../.bashrc", "bashrc"),
        ("/etc/passwd", "passwd"),
        ("a\\..\\b.txt", "b.txt"),
        ("-rf", "rf"),
        ("\x1b]0;x\x07.csv", "0_x_.csv"),
        ("\u202egnp.exe", "gnp.exe"),
        ("...", "file"),
        ("", "file"),
        ("a b;c.csv", "a_b_c.csv"),
        ("x" * 300, "x" * 120),
    ],
)
def test_a_file_name_of_the_code_is_sanitized(name: str, plain: str) -> None:
    assert sanitize_file_name(name) == plain


def test_a_file_is_saved_where_the_user_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert save_run_file("../a.csv", b"1", "") == tmp_path / "a.csv"
    folder = tmp_path / "d"
    folder.mkdir()
    assert save_run_file("../a.csv", b"2", str(folder)) == folder / "a.csv"
    assert save_run_file("a.csv", b"3", str(tmp_path / "b.csv")).read_bytes() == b"3"
    with pytest.raises(UsageError, match="exists"):
        save_run_file("a.csv", b"4", "")
    assert (tmp_path / "a.csv").read_bytes() == b"1"
    with pytest.raises(UsageError, match="cannot be written"):
        save_run_file("a.csv", b"4", str(tmp_path / "no" / "such"))


@pytest.mark.parametrize(
    "name",
    ["~nobody-of-that-name/a.csv", "x" * 5000, "a\0b"],
    ids=["nobody", "long", "null"],
)
def test_an_invalid_file_name_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="cannot be written"):
        save_run_file("a.csv", b"1", name)


def test_a_file_is_opened_if_there_is_a_desktop(tmp_path: Path) -> None:
    assert find_viewer({}) is None
    assert find_viewer({"DISPLAY": ":0"}, lambda name: f"/usr/bin/{name}") == "/usr/bin/xdg-open"
    assert find_viewer({"DISPLAY": ":0"}, lambda name: None) is None
    assert not open_in_viewer(tmp_path / "x.png", {"SSH_TTY": "/dev/pts/1"})


def test_the_viewer_gets_the_path_as_one_argument(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "xdg-open"
    program.write_text(
        f'#!/bin/sh\nprintf "%s|%s" "$#" "$1" > {tmp_path}/seen.part\n'
        f"mv {tmp_path}/seen.part {tmp_path}/seen\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    path = tmp_path / "a b; touch x.png"
    assert open_in_viewer(path, {"WAYLAND_DISPLAY": "w"})
    block_until((tmp_path / "seen").exists)
    assert (tmp_path / "seen").read_text() == f"1|{path}"
