from __future__ import annotations

import pytest
from textual.app import App, ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.screen import Screen
from textual.widgets import Static

from starchat_tui.ui.widgets.column import Column, ScrolledColumn


class Bench(App[None]):
    CSS = "Vertical, Static { height: auto; } Screen > Vertical { height: 100%; }"

    def __init__(self, scroll: VerticalScroll, container: Vertical) -> None:
        super().__init__()
        self.scroll = scroll
        self.container = container
        self.text = Static("1")

    def compose(self) -> ComposeResult:
        with self.scroll, self.container:
            yield self.text


async def count_layouts(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> int:
    """Return how often the screen is laid out while a child grows line by line."""
    layouts = 0
    original = Screen._refresh_layout

    def count(self: Screen[object], *args: object, **options: object) -> None:
        nonlocal layouts
        layouts += 1
        original(self, *args, **options)  # type: ignore[arg-type]

    async with bench.run_test(size=(40, 4)) as pilot:
        monkeypatch.setattr(Screen, "_refresh_layout", count)
        for lines in range(2, 12):
            bench.text.update("\n".join("x" * lines))
            await pilot.pause()
        assert bench.text.size.height == 11
        assert bench.container.size.height == 11
    return layouts


async def test_a_growing_child_costs_fewer_layouts_than_in_textuals_container(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stock = await count_layouts(Bench(VerticalScroll(), Vertical()), monkeypatch)
    monkeypatch.undo()
    assert await count_layouts(Bench(ScrolledColumn(), Column()), monkeypatch) < stock


async def test_a_column_is_as_high_as_its_children() -> None:
    class Small(App[None]):
        CSS = "Column { height: auto; }"

        def compose(self) -> ComposeResult:
            with Column():
                yield Static("a\nb")
                yield Static("c")

    app = Small()
    async with app.run_test(size=(20, 10)):
        assert app.query_one(Column).size.height == 3
