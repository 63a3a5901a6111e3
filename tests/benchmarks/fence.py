"""CPU time of one update of a code block that is being written, as the block grows.

Our widget and Textual's get the same line, one after the other in one process, so that other
load of the machine cancels out. `python -m tests.benchmarks.fence`.
"""

from __future__ import annotations

import asyncio
import gc
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.widget import Widget
from textual.widgets import Markdown

from starchat_tui.ui import app as app_module
from starchat_tui.ui.widgets.answer_view import AnswerView
from starchat_tui.ui.widgets.column import ScrolledColumn
from tests.benchmarks.record import Goal, publish

SIZES = (25, 100, 400, 800)
UPDATES = 12
"""Lines added at each size; the median counts."""
SCREEN = (100, 40)
OPENING = "Here it is:\n\n```python\n"
GOALS = {"growth": Goal(most=4.0), "faster_at_800": Goal(least=5.0)}

Update = Callable[[str], Awaitable[object]]


class AnswerApp(App[None]):
    """App with a single answer in a scrolled column."""

    def __init__(self, answer: Widget) -> None:
        super().__init__(css_path=Path(app_module.__file__).with_name("starchat.tcss"))
        self.answer = answer

    def compose(self) -> ComposeResult:
        with ScrolledColumn() as column:
            yield self.answer
        column.anchor()


def build_line(number: int) -> str:
    """Build a line of Python; consecutive lines differ in the tokens they have."""
    return (
        f'    total_{number} = compute(items[{number}], name="line {number}")  # note {number}\n',
        f"    if total_{number} > {number * 7} and not finished:\n",
        f"        return [value ** 2 for value in range({number})]\n",
    )[number % 3]


async def measure_cpu(update: Awaitable[object], pilot: Pilot[None]) -> float:
    """Return the CPU milliseconds until an update is on the screen."""
    began = time.process_time()
    await update
    await pilot.pause()
    return (time.process_time() - began) * 1000


async def measure_ours(size: int) -> float:
    """Return the CPU milliseconds per update of our widget at `size` lines, fed as in the app."""
    answer = AnswerView(number=1)

    async def update(text: str) -> None:
        answer.feed(text)
        await answer.draw()

    median = await measure_updates(AnswerApp(answer), update, size)
    assert len(answer.cells[0].block.code.splitlines()) == size + UPDATES
    return median


async def measure_stock(size: int) -> float:
    """Return the same of Textual's `Markdown`, fed as its own stream feeds it."""
    markdown = Markdown()
    return await measure_updates(AnswerApp(markdown), markdown.append, size)


async def measure_updates(app: AnswerApp, update: Update, size: int) -> float:
    """Return the median over `UPDATES` lines that follow a block of `size` lines."""
    async with app.run_test(size=SCREEN) as pilot:
        await measure_cpu(update(OPENING + "".join(map(build_line, range(size)))), pilot)
        gc.collect()
        numbers = range(size, size + UPDATES)
        return statistics.median(
            [await measure_cpu(update(build_line(number)), pilot) for number in numbers]
        )


async def measure() -> dict[str, object]:
    """Measure both widgets at each size."""
    figures: dict[str, object] = {}
    own: dict[int, float] = {}
    other: dict[int, float] = {}
    for size in SIZES:
        own[size], other[size] = await measure_ours(size), await measure_stock(size)
        figures[f"ours_ms_{size}"] = round(own[size], 1)
        figures[f"stock_ms_{size}"] = round(other[size], 1)
        figures[f"faster_at_{size}"] = round(other[size] / own[size], 1)
    figures["growth"] = round(own[SIZES[-1]] / own[SIZES[0]], 2)
    return figures


if __name__ == "__main__":
    sys.exit(publish("fence", lambda: asyncio.run(measure()), GOALS))
