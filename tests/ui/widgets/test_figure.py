from __future__ import annotations

from dataclasses import replace

import pytest
from textual.app import App, ComposeResult

from starchat_tui.config.settings import ImageProtocol
from starchat_tui.sandbox.outputs import Figure, GridLabel, GridPicture
from starchat_tui.terminal.image_detection import ImageSettings
from starchat_tui.ui.widgets import image
from starchat_tui.ui.widgets.figure import CELL_IMAGE_SCALE, MAX_ROWS, CellImage, Plot
from tests.scripted import make_png
from tests.ui.screen_helpers import read_screen, render_strips
from tests.waiting import wait_until


class Bench(App[None]):
    CSS = "Plot { height: auto; width: 1fr; }"

    def __init__(self, images: ImageSettings, width: int = 400, height: int = 300) -> None:
        super().__init__()
        self.plot = Plot(Figure(make_png(width, height), width, height, ""), images)

    def compose(self) -> ComposeResult:
        yield self.plot


async def test_half_blocks_keep_the_aspect_and_follow_the_width() -> None:
    bench = Bench(ImageSettings("half"))
    async with bench.run_test(size=(60, 40)) as pilot:
        await wait_until(lambda: bench.query(CellImage))
        await pilot.pause()
        blocks = bench.query_one(CellImage)
        assert (blocks.size.width, blocks.size.height) == (60, 22)
        row = render_strips(bench)[5]
        blue, red = (str(row.crop(at, at + 1)._segments[0].style) for at in (10, 50))
        assert blue == "#283cdc on #283cdc"
        assert red == "#dc2828 on #dc2828"
        await pilot.resize_terminal(30, 40)
        await wait_until(lambda: bench.query_one(CellImage).size.width == 30)
        assert bench.query_one(CellImage).size.height == 11


async def test_a_small_picture_stays_small_and_a_tall_one_fits() -> None:
    for size, most in (((20, 20), 2 * CELL_IMAGE_SCALE), ((300, 3000), MAX_ROWS)):
        bench = Bench(ImageSettings("half"), *size)
        async with bench.run_test(size=(100, 50)):
            await wait_until(lambda bench=bench: bench.query(CellImage))
            await wait_until(lambda bench=bench: bench.query_one(CellImage).size.height)
            assert bench.query_one(CellImage).size.height <= most


async def test_shades_are_drawn_and_off_draws_nothing() -> None:
    bench = Bench(ImageSettings("unicode"))
    async with bench.run_test(size=(60, 40)):
        await wait_until(lambda: "▒" in read_screen(bench) or "▓" in read_screen(bench))
    bench = Bench(ImageSettings("off"))
    async with bench.run_test(size=(60, 40)) as pilot:
        await pilot.pause(0.2)
        assert not bench.plot.children


async def test_a_pixel_protocol_without_a_widget_is_drawn_in_half_blocks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(image.PIXEL_WIDGETS, "sixel")
    bench = Bench(ImageSettings("sixel"))
    async with bench.run_test(size=(60, 40)) as pilot:
        await wait_until(lambda: bench.query(CellImage))
        await pilot.pause()
        assert bench.query_one(CellImage).size.width == 60


async def test_an_invalid_image_is_reported() -> None:
    bench = Bench(ImageSettings("half"))
    bench.plot._figure = Figure(b"no picture", 400, 300, "")
    async with bench.run_test(size=(60, 40)):
        await wait_until(lambda: "cannot be read" in read_screen(bench))
        assert not bench.query(CellImage)


def add_grids(bench: Bench, *sizes: tuple[int, int]) -> None:
    """Give the plot pictures for grids of cells."""
    figure = bench.plot._figure
    label = GridLabel(1, 2, "000000", "a readable title")
    grids = tuple(GridPicture(*one, make_png(4 * one[0], 8 * one[1]), (label,)) for one in sizes)
    bench.plot._figure = replace(figure, grids=grids)


@pytest.mark.parametrize("protocol", ["half", "sextant", "octant", "unicode"])
async def test_a_picture_for_cells_is_shown_while_it_fits(protocol: ImageProtocol) -> None:
    bench = Bench(ImageSettings(protocol))
    add_grids(bench, (50, 20), (30, 10))
    async with bench.run_test(size=(60, 40)) as pilot:
        await wait_until(lambda: "a readable title" in read_screen(bench))
        assert bench.plot.children[0].size.height == 20
        await pilot.resize_terminal(40, 40)
        await wait_until(lambda: bench.plot.children[0].size.height == 10)
        assert "a readable title" in read_screen(bench)
        await pilot.resize_terminal(29, 40)
        await wait_until(lambda: "a readable title" not in read_screen(bench))
        await wait_until(lambda: bench.plot.children[0].size.height == 11)
        await pilot.resize_terminal(1, 1)
        await pilot.resize_terminal(90, 40)
        await wait_until(lambda: "a readable title" in read_screen(bench))


async def test_pixels_ignore_the_picture_for_cells() -> None:
    bench = Bench(ImageSettings("kitty"))
    add_grids(bench, (50, 20))
    async with bench.run_test(size=(60, 40)):
        await wait_until(lambda: bench.plot.children)
        assert not bench.query(CellImage)
