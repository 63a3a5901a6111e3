from __future__ import annotations

import pytest
from textual.app import App, ComposeResult

from starchat_tui.ui.widgets.status import Status, StatusLine, render_meter
from tests.ui.screen_helpers import read_screen

FULL = Status("nano-chat", "chat", True, 512, 2048, "41 tok/s · first token 0.3 s")


class Bench(App[None]):
    CSS = "StatusLine { height: 1; }"

    def __init__(self, status: Status) -> None:
        super().__init__()
        self._status = status

    def compose(self) -> ComposeResult:
        line = StatusLine()
        line.status = self._status
        yield line


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (
            100,
            "nano-chat   chat   demo model   ██       512/2,048   41 tok/s · first token 0.3 s"
            "            F1 keys",
        ),
        (66, "nano-chat   chat   demo model   512/2,048                  F1 keys"),
        (40, "nano-chat   chat   demo   512/2,048"),
        (30, "nano-chat   chat   512/2,048"),
        (18, "nano-chat   chat"),
        (9, "nano-chat"),
    ],
)
async def test_a_narrow_line_drops_the_least_important_part_first(
    width: int, expected: str
) -> None:
    async with Bench(FULL).run_test(size=(width, 2)) as pilot:
        assert read_screen(pilot.app).split("\n")[0] == expected


async def test_unknown_values_are_not_shown() -> None:
    async with Bench(Status("m", "ta")).run_test(size=(60, 2)) as pilot:
        assert read_screen(pilot.app).split("\n")[0].split() == ["m", "ta", "F1", "keys"]


@pytest.mark.parametrize(
    ("share", "bar"),
    [
        (0, "    "),
        (0.001, "▏   "),
        (0.25, "█   "),
        (0.5, "██  "),
        (0.6, "██▍ "),
        (1, "████"),
        (9, "████"),
    ],
)
def test_the_meter_fills_by_eighths(share: float, bar: str) -> None:
    assert render_meter(share, 4) == bar
