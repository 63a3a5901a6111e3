from __future__ import annotations

import io
import re

import pytest
from PIL import Image

from starchat_tui.config.settings import ImageProtocol
from starchat_tui.sandbox.outputs import Figure, GridLabel, GridPicture
from starchat_tui.terminal.cell_images import MOSAICS, Row
from starchat_tui.terminal.grid_plots import (
    choose_grid,
    list_grid_sizes,
    overlay_labels,
    render_figure,
    render_grid,
)
from starchat_tui.terminal.images import decode_png
from tests.scripted import make_png

WHITE, BLACK, NAVY = (255, 255, 255), (0, 0, 0), (0, 0, 90)


def make_grid(columns: int, rows: int, *labels: GridLabel, color: str = "white") -> GridPicture:
    file = io.BytesIO()
    Image.new("RGB", (4 * columns, 8 * rows), color).save(file, "PNG")
    return GridPicture(columns, rows, file.getvalue(), labels)


def make_figure(*grids: GridPicture) -> Figure:
    return Figure(make_png(400, 300), 400, 300, "card", grids=grids)


def render(grid: GridPicture, protocol: ImageProtocol = "half") -> list[Row]:
    return render_grid(grid, decode_png(grid.png), MOSAICS[protocol])


def read(rows: list[Row]) -> list[str]:
    return ["".join(character for character, _, _ in row) for row in rows]


@pytest.mark.parametrize("protocol", list(MOSAICS))
def test_texts_are_written_over_the_picture(protocol: ImageProtocol) -> None:
    grid = make_grid(8, 2, GridLabel(0, 1, "000000", "title"), GridLabel(1, 6, "000000", "xy"))
    assert read(render(grid, protocol)) == [" title  ", "      xy"]


def test_a_text_that_could_not_be_read_on_its_background_is_black_or_white() -> None:
    grids = {
        "white": ("ffffff", BLACK),
        "#000050": ("000000", WHITE),
        "#fafafa": ("00005a", NAVY),
    }
    for background, (color, expected) in grids.items():
        (row,) = render(make_grid(3, 1, GridLabel(0, 1, color, "x"), color=background))
        assert row[1][:2] == ("x", expected)


def test_each_character_is_drawn_on_the_mean_of_its_cell() -> None:
    file = io.BytesIO()
    picture = Image.new("RGB", (8, 8), "white")
    picture.paste((0, 0, 100), (4, 0, 8, 4))
    picture.save(file, "PNG")
    (row,) = render(GridPicture(2, 1, file.getvalue(), (GridLabel(0, 0, "000000", "ab"),)))
    assert [background for _, _, background in row] == [WHITE, (128, 128, 178)]


def test_hostile_labels_neither_leave_the_grid_nor_reach_the_terminal() -> None:
    labels = [
        GridLabel(0, 0, "000000", "a\x1b[2Jb"),
        GridLabel(1, 5, "000000", "outside"),
        GridLabel(9, 0, "000000", "below"),
        GridLabel(1, 9999, "000000", "x" * 100_000),
        GridLabel(2, 0, "000000", "\u202e\n\t\r"),
    ]
    rows = render(make_grid(8, 3, *labels))
    assert [len(row) for row in rows] == [8] * 3
    text = "".join(read(rows))
    assert text.isprintable()
    assert "outside" not in text
    assert "out" in text
    lines = overlay_labels(["." * 8] * 3, labels)
    assert [len(line) for line in lines] == [8] * 3
    assert "".join(lines).isprintable()


def test_a_wide_character_takes_two_cells() -> None:
    rows = render(
        make_grid(5, 1, GridLabel(0, 1, "000000", "果a"), GridLabel(0, 4, "000000", "物"))
    )
    assert [character for character, _, _ in rows[0]] == [" ", "果", "", "a", " "]
    assert overlay_labels(["....."], [GridLabel(0, 1, "000000", "果a")]) == [".果a."]


def test_the_largest_picture_that_fits_is_chosen() -> None:
    small, large = make_grid(40, 12), make_grid(80, 24)
    figure = make_figure(small, large)
    assert choose_grid(figure, "half", 90, 30) is large
    assert choose_grid(figure, "octant", 79, 30) is small
    assert choose_grid(figure, "half", 90, 20) is small
    assert choose_grid(figure, "half", 39, 30) is None
    assert choose_grid(figure, "kitty", 90, 30) is None
    assert choose_grid(make_figure(), "half", 90, 30) is None


def test_sizes_are_asked_for_where_characters_are_drawn_and_texts_have_room() -> None:
    places = ((80, 24), (1000, 1000), (10, 24), (80, 3))
    assert list_grid_sizes("half", *places) == [(80, 24, 2), (200, 80, 2)]
    assert list_grid_sizes("octant", (80, 24)) == [(80, 24, 4)]
    assert list_grid_sizes("unicode", (80, 24)) == [(80, 24, 1)]
    for protocol in ("kitty", "sixel", "off"):
        assert list_grid_sizes(protocol, *places) == []


@pytest.mark.parametrize("protocol", ["half", "sextant", "octant", "unicode"])
def test_a_figure_is_printed_with_its_texts_or_scaled_down(protocol: ImageProtocol) -> None:
    figure = make_figure(make_grid(20, 3, GridLabel(0, 2, "000000", "title")))
    plain = re.sub(r"\x1b\[[\d;]*m", "", render_figure(figure, protocol, 60, 24))
    assert plain.splitlines()[0] == "  title             "
    assert plain.count("\n") == 3
    assert "title" not in render_figure(figure, protocol, 19, 24)
    assert render_figure(figure, protocol, 1, 1).count("\n") == 1


def test_pixels_show_the_png() -> None:
    figure = make_figure(make_grid(20, 3, GridLabel(0, 2, "000000", "title")))
    assert render_figure(figure, "kitty", 60, 24) == render_figure(make_figure(), "kitty", 60, 24)
