from __future__ import annotations

from collections.abc import Callable

import pytest
from textual.app import App, ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.geometry import Size
from textual.widget import Widget
from textual.widgets import Static

from starchat_tui.ui.widgets.column import Column, ScrolledColumn


class Bench(App[None]):
    CSS = "Vertical { height: auto; }"

    def __init__(self, container: Widget) -> None:
        super().__init__()
        self.container = container

    def compose(self) -> ComposeResult:
        with self.container:
            yield Static("a\nb")
            yield Static("c")


@pytest.mark.parametrize(
    ("create", "requests_layout"),
    [(Vertical, True), (Column, False), (VerticalScroll, True), (ScrolledColumn, False)],
)
async def test_a_new_virtual_size_requests_a_layout_in_textuals_containers_alone(
    create: Callable[[], Widget], requests_layout: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(create())
    requests: list[bool] = []

    def record(*args: object, layout: bool = False, **options: object) -> Widget:
        requests.append(layout)
        return bench.container

    async with bench.run_test(size=(20, 10)):
        monkeypatch.setattr(bench.container, "refresh", record)
        bench.container.virtual_size = Size(20, 500)
        assert any(requests) == requests_layout


async def test_a_column_is_as_high_as_its_children() -> None:
    bench = Bench(Column())
    async with bench.run_test(size=(20, 10)):
        assert bench.container.size.height == 3
