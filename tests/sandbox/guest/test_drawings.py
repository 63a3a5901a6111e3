"""Drawings that were saved: which files show them, and when they count as shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from matplotlib.figure import Figure

from starchat_tui.sandbox.guest.drawings import Drawing, SavedDrawings, has_data, is_empty


@pytest.mark.parametrize(
    ("path", "is_shown"),
    [("a.png", True), ("sub/a.JPG", True), ("a.pdf", False), ("a.svg", False), ("../a.png", False)],
)
def test_pictures_in_the_folder_are_shown_as_files(
    tmp_path: Path, path: str, is_shown: bool
) -> None:
    folder = tmp_path / "cell"
    folder.mkdir()
    assert SavedDrawings(str(folder)).covers(str(folder / path)) == is_shown


def test_a_folder_whose_name_begins_the_same_is_another_one(tmp_path: Path) -> None:
    assert not SavedDrawings(str(tmp_path / "cell")).covers(str(tmp_path / "cell2" / "a.png"))


def test_a_displayed_file_shows_its_drawing(tmp_path: Path) -> None:
    saved, drawing, other = SavedDrawings(str(tmp_path)), Drawing(), Drawing()
    for name, one in (("a.png", drawing), ("b.png", other)):
        (tmp_path / name).write_bytes(name.encode())
        saved.add(str(tmp_path / name), one, f"description of {name}")
    (tmp_path / "gone.png").touch()
    saved.add(str(tmp_path / "gone.png"), Drawing(), "gone")
    (tmp_path / "gone.png").unlink()
    assert saved.claim_content(b"a.png") == ("description of a.png", False)
    assert (drawing.is_shown, other.is_shown) == (True, False)
    assert saved.claim_content(b"a.png") == ("description of a.png", True), "seen already"
    saved.forget_shown()
    assert saved.claim_content(b"a.png") == ("description of a.png", False), "cleared"
    assert saved.claim_content(b"other") == ("", False)
    assert saved.find(str(tmp_path / "b.png")) == (other, "description of b.png")
    saved.reset()
    assert saved.find(str(tmp_path / "b.png")) == (None, "")


def test_a_displayed_buffer_shows_its_drawing(tmp_path: Path) -> None:
    saved, drawing = SavedDrawings(str(tmp_path)), Drawing(needs_picture=True)
    saved.add_content(b"png", drawing, "description")
    assert saved.claim_content(b"png") == ("description", False)
    assert drawing.is_displayed
    assert not drawing.needs_picture
    saved.reset()
    assert saved.claim_content(b"png") == ("", False)


def test_axes_alone_are_no_data() -> None:
    figure = Figure()
    assert is_empty(figure)
    assert not has_data(figure)
    axes = figure.add_subplot()
    assert not is_empty(figure)
    assert not has_data(figure)
    axes.plot([1, 2])
    assert has_data(figure)


def test_a_text_is_content() -> None:
    figure = Figure()
    figure.text(0.5, 0.5, "hello")
    assert not is_empty(figure)
    assert has_data(figure)
