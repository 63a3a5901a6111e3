from __future__ import annotations

from starchat_tui.sandbox.outputs import RunEnded, StreamText
from starchat_tui.ui.app import StarChatApp
from starchat_tui.ui.widgets.output import FixButton, OutputLines
from tests.scripted import ScriptedEngine, ScriptedKernelFactory
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
