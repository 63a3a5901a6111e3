from __future__ import annotations

import asyncio

from textual.widgets import Static

from starchat_tui.sandbox.outputs import (
    Figure,
    Note,
    OutputCleared,
    Result,
    RunEnded,
    StreamText,
)
from starchat_tui.ui.app import StarChatApp
from starchat_tui.ui.widgets.figure import FigureView
from starchat_tui.ui.widgets.output import FixButton, OutputLines, drop_replaced
from tests.scripted import ScriptedEngine, ScriptedKernelFactory, make_png
from tests.ui.run_steps import SIZE, ask_for_code, wait_for_dialog
from tests.ui.screen_helpers import wait_for_text, wait_until_idle


async def test_a_carriage_return_overwrites_its_line(
    app: StarChatApp, engine: ScriptedEngine, kernel_factory: ScriptedKernelFactory
) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await ask_for_code(pilot, engine)
        bar = [StreamText("stderr", f"\r{share} %") for share in (10, 50, 100)]
        kernel_factory.enqueue(*bar, StreamText("stderr", "\n"), "done\r\n", "x\ry\rz\n")
        await pilot.press("alt+r")
        await wait_for_dialog(app)
        await pilot.press("enter")
        await wait_until_idle(pilot)
        lines = ["".join(text for _, text in line) for line in app.query_one(OutputLines)._lines]
        assert lines == ["100 %", "done", "z"]


async def test_a_flood_shows_its_end_and_counts_the_rest(
    app: StarChatApp, engine: ScriptedEngine, kernel_factory: ScriptedKernelFactory
) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await ask_for_code(pilot, engine)
        pieces = [
            "".join(f"line {n}\n" for n in range(at, at + 1000)) for at in range(0, 50000, 1000)
        ]
        kernel_factory.enqueue(*pieces)
        await pilot.press("alt+r")
        await wait_for_dialog(app)
        await pilot.press("enter")
        await wait_until_idle(pilot)
        await wait_for_text(app, "line 49999")
        kept = app.query_one(OutputLines)._lines
        assert len(kept) <= 1000
        assert kept[0][0][1] == f"… {50_001 - len(kept):,} earlier lines are not shown"


async def test_a_run_that_hit_a_limit_names_it(
    app: StarChatApp, engine: ScriptedEngine, kernel_factory: ScriptedKernelFactory
) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await ask_for_code(pilot, engine)
        reason = "Stopped after 60 s. Variables are gone."
        kernel_factory.enqueue("x", RunEnded("timeout", "isolated", 60.0, reason))
        await pilot.press("alt+r")
        await wait_for_dialog(app)
        await pilot.press("enter")
        await wait_until_idle(pilot)
        await wait_for_text(app, reason)
        assert not app.query(FixButton)


def draw(card: str, key: int = 0) -> Figure:
    return Figure(make_png(8, 8), 8, 8, card, key)


def read_cards(app: StarChatApp) -> list[str]:
    """Return the descriptions of the plots on the screen, in order."""
    return [str(one.render()) for one in app.query(".figure--card").results(Static)]


async def test_plots_and_results_are_replaced_in_their_places(
    app: StarChatApp, engine: ScriptedEngine, kernel_factory: ScriptedKernelFactory
) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await ask_for_code(pilot, engine)
        seen = asyncio.Event()
        kernel_factory.enqueue(
            draw("first", 1),
            Result("wait", 2),
            draw("other"),
            seen,
            draw("last", 1),
            Result("42", 2),
        )
        await pilot.press("alt+r")
        await wait_for_dialog(app)
        await pilot.press("enter")
        await wait_for_text(app, "other")
        before = list(app.query(FigureView))
        assert read_cards(app) == ["first", "other"]
        seen.set()
        await wait_until_idle(pilot)
        assert read_cards(app) == ["last", "other"]
        assert list(app.query(FigureView)) == before, "the widget, and so its focus, stays"
        texts = [one._lines[0][0][1] for one in app.query(OutputLines)]
        assert texts == ["42"]


async def test_cleared_output_leaves_the_screen(
    app: StarChatApp, engine: ScriptedEngine, kernel_factory: ScriptedKernelFactory
) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await ask_for_code(pilot, engine)
        seen = asyncio.Event()
        kernel_factory.enqueue(
            "epoch 1\n",
            draw("plot 1"),
            Note("a note"),
            seen,
            OutputCleared(),
            "epoch 2\n",
            draw("plot 2"),
        )
        await pilot.press("alt+r")
        await wait_for_dialog(app)
        await pilot.press("enter")
        await wait_for_text(app, "plot 1")
        seen.set()
        await wait_until_idle(pilot)
        await wait_for_text(app, "a note")
        assert read_cards(app) == ["plot 2"]
        assert [one._lines[0][0][1] for one in app.query(OutputLines)] == ["epoch 2"]


def test_what_is_replaced_before_it_is_drawn_is_left_out() -> None:
    outputs = [draw("a", 1), StreamText("stdout", "x"), draw("b", 1), draw("c")]
    assert drop_replaced(outputs) == [draw("b", 1), StreamText("stdout", "x"), draw("c")]
    cleared = OutputCleared()
    assert drop_replaced([*outputs, cleared, draw("d")]) == [cleared, draw("d")]
