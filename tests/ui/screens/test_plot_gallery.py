from __future__ import annotations

import pytest
from textual.pilot import Pilot

from starchat_tui.sandbox.outputs import Figure
from starchat_tui.terminal.image_detection import ImageSettings
from starchat_tui.ui.app import StarChatApp
from starchat_tui.ui.screens.figure_screen import FigureScreen
from starchat_tui.ui.screens.plot_gallery import MAX_PLOTS, PlotGallery, Thumbnail
from starchat_tui.ui.widgets.figure import CellImage
from tests.scripted import ScriptedEngine, ScriptedKernelFactory, make_png
from tests.ui.conftest import CreateApp
from tests.ui.run_steps import ask_for_code, wait_for_dialog
from tests.ui.screen_helpers import read_screen, send_line, wait_for_text, wait_until_idle
from tests.waiting import wait_until


def make_figures(count: int) -> list[Figure]:
    return [
        Figure(make_png(60, 40), 60, 40, f'axes: "Plot {at}\x1b[2J"') for at in range(1, count + 1)
    ]


async def run_figures(
    pilot: Pilot[None], engine: ScriptedEngine, factory: ScriptedKernelFactory, count: int
) -> None:
    app = pilot.app
    assert isinstance(app, StarChatApp)
    await ask_for_code(pilot, engine)
    factory.enqueue(*make_figures(count))
    await pilot.press("alt+r")
    await wait_for_dialog(app)
    await pilot.press("enter")
    await wait_until_idle(pilot)


async def test_plots_are_chosen_with_the_arrow_keys_and_enlarged(
    app: StarChatApp, engine: ScriptedEngine, kernel_factory: ScriptedKernelFactory
) -> None:
    async with app.run_test(size=(100, 44)) as pilot:
        await run_figures(pilot, engine, kernel_factory, 5)
        await send_line(pilot, "/plots")
        await wait_until(lambda: isinstance(app.screen, PlotGallery))
        await wait_until(lambda: len(app.screen.query(CellImage)) == 5)
        await wait_for_text(app, "5 · Plot 5␛[2J · block 2")
        assert "5 plots" in read_screen(app)
        await pilot.press("up", "left", "left")
        assert app.screen.query_one(".gallery").query(Thumbnail).first().has_focus
        await pilot.press("left", "up", "right", "enter")
        await wait_until(lambda: isinstance(app.screen, FigureScreen))
        await wait_for_text(app, "Plot 2")
        await pilot.press("escape")
        assert isinstance(app.screen, PlotGallery)
        await pilot.press("escape")
        await send_line(pilot, "/plots 3")
        await wait_until(lambda: isinstance(app.screen, FigureScreen))
        await wait_for_text(app, "Plot 3")


async def test_without_plots_the_command_says_so(app: StarChatApp, engine: ScriptedEngine) -> None:
    async with app.run_test(size=(100, 44)) as pilot:
        await ask_for_code(pilot, engine)
        await send_line(pilot, "/plots")
        await wait_for_text(app, "This conversation has no plots")
        assert not isinstance(app.screen, PlotGallery)


@pytest.mark.parametrize("size", [(1, 1), (6, 2), (20, 8), (40, 24), (200, 60)])
async def test_the_gallery_fits_every_window(
    app: StarChatApp,
    engine: ScriptedEngine,
    kernel_factory: ScriptedKernelFactory,
    size: tuple[int, int],
) -> None:
    async with app.run_test(size=(100, 44)) as pilot:
        await run_figures(pilot, engine, kernel_factory, 3)
        await send_line(pilot, "/plots")
        await wait_until(lambda: isinstance(app.screen, PlotGallery))
        await pilot.resize_terminal(*size)
        await pilot.press("up", "down", "left", "right", "enter")
        await wait_until(lambda: isinstance(app.screen, FigureScreen))
        await pilot.press("escape", "escape")
        assert not isinstance(app.screen, PlotGallery)


async def test_of_many_plots_the_newest_are_shown(
    create_app: CreateApp, engine: ScriptedEngine, kernel_factory: ScriptedKernelFactory
) -> None:
    app = create_app(images=ImageSettings("off"))
    async with app.run_test(size=(100, 44)) as pilot:
        await run_figures(pilot, engine, kernel_factory, MAX_PLOTS + 2)
        await send_line(pilot, "/plots")
        await wait_for_text(app, f"{MAX_PLOTS + 2} plots · the first 2 are not shown")
        assert len(app.screen.query(Thumbnail)) == MAX_PLOTS
        await wait_for_text(app, f"{MAX_PLOTS + 2} · Plot {MAX_PLOTS + 2}")
