from __future__ import annotations

import random

from textual.app import App, ComposeResult
from textual.containers import VerticalScroll
from textual.geometry import Offset
from textual.message import Message
from textual.selection import SELECT_ALL, Selection

from starchat_tui.ui import app as app_module
from starchat_tui.ui.messages import CopyRequested
from starchat_tui.ui.widgets.code_cell import CodeCell, CodeLines
from tests.ui.looking import shown, strips

CODE = 'def f(x):\n    """Doc\n\n    string."""\n    return x + 1  # one\n\n\nprint(f(1))\n'


class Bench(App[None]):
    CSS_PATH = app_module.__file__.replace("app.py", "starchat.tcss")

    def __init__(self, language: str = "python") -> None:
        super().__init__()
        self.cell = CodeCell(language, 3)
        self.asked: list[CopyRequested] = []

    def compose(self) -> ComposeResult:
        with VerticalScroll():
            yield self.cell

    @property
    def lines(self) -> CodeLines:
        return self.query_one(CodeLines)

    def on_copy_requested(self, message: CopyRequested) -> None:
        self.asked.append(message)


def rows(bench: Bench) -> list[list[tuple[str, str]]]:
    """Each visible row of code, as texts and colours."""
    region = bench.lines.region
    return [
        [(part.text, str(part.style and part.style.color)) for part in strip]
        for strip in strips(bench)[region.y : region.bottom]
    ]


async def test_every_way_of_feeding_shows_the_same() -> None:
    dice = random.Random(0)
    seen = []
    for pieces in range(4):
        bench = Bench()
        async with bench.run_test(size=(60, 20)) as pilot:
            cuts = sorted(dice.sample(range(len(CODE)), pieces * 3))
            for start, end in zip([0, *cuts], [*cuts, len(CODE)], strict=True):
                bench.cell.feed(CODE[start:end])
                await pilot.pause()
            bench.cell.finish()
            await pilot.pause()
            seen.append(rows(bench))
            assert bench.cell.block.code == CODE.rstrip("\n")
            assert bench.lines.region.height == 8
    assert all(one == seen[0] for one in seen)


async def test_it_grows_with_its_lines_and_a_growing_line_is_shown() -> None:
    bench = Bench()
    async with bench.run_test(size=(60, 20)) as pilot:
        bench.cell.feed("x = 1\ny = ")
        await pilot.pause()
        assert bench.lines.region.height == 2
        assert "y =" in shown(bench)
        bench.cell.feed("2\n")
        await pilot.pause()
        assert bench.lines.region.height == 2
        assert "y = 2" in shown(bench)


async def test_a_docstring_is_coloured_whole_once_the_block_ends() -> None:
    bench = Bench()
    async with bench.run_test(size=(60, 20)) as pilot:
        bench.cell.feed(CODE)
        await pilot.pause()
        before = rows(bench)
        bench.cell.finish()
        await pilot.pause()
        doc = {colour for row in rows(bench)[1:4] for text, colour in row if text.strip()}
        assert len(doc) == 1, "one colour from quote to quote"
        assert before[0] == rows(bench)[0]


async def test_a_long_line_scrolls_sideways_with_the_keys() -> None:
    bench = Bench()
    async with bench.run_test(size=(40, 20)) as pilot:
        bench.cell.feed("x = '" + "a" * 80 + "END'\n")
        bench.cell.finish()
        await pilot.pause()
        assert "END" not in shown(bench)
        bench.lines.focus()
        await pilot.press("end")
        await pilot.pause()
        assert "END" in shown(bench)
        await pilot.press("home", "right")
        await pilot.pause()
        assert bench.lines.scroll_x == 1


async def test_only_visible_rows_are_drawn() -> None:
    bench = Bench()
    async with bench.run_test(size=(60, 20)) as pilot:
        drawn: list[int] = []
        render = bench.lines.render_line
        bench.lines.render_line = lambda y: drawn.append(y) or render(y)  # type: ignore[method-assign, func-returns-value]
        bench.cell.feed("\n".join(f"line({number})" for number in range(1000)))
        await pilot.pause()
        assert drawn
        assert max(drawn) < 20


async def test_selected_text_has_no_padding() -> None:
    bench = Bench()
    async with bench.run_test(size=(60, 20)) as pilot:
        bench.cell.feed(CODE)
        bench.cell.finish()
        await pilot.pause()
        assert bench.lines.get_selection(SELECT_ALL) == (CODE.rstrip("\n"), "\n")
        part = Selection(Offset(4, 0), Offset(7, 1))
        assert bench.lines.get_selection(part) == ('f(x):\n    """', "\n")


async def test_a_selection_is_made_with_the_mouse_and_marked() -> None:
    bench = Bench()
    async with bench.run_test(size=(60, 20)) as pilot:
        bench.cell.feed(CODE)
        bench.cell.finish()
        await pilot.pause()
        at = bench.lines.content_region.offset
        before = rows(bench)
        await pilot.mouse_down(offset=at + Offset(4, 0))
        await pilot.hover(offset=at + Offset(7, 4))
        await pilot.mouse_up(offset=at + Offset(7, 4))
        await pilot.pause()
        assert bench.screen.get_selected_text() == 'f(x):\n    """Doc\n\n    string."""\n    retu'
        region = bench.lines.region
        marked = [
            "".join(part.text for part in strip if part.style and part.style.bgcolor != ground)
            for strip in strips(bench)[region.y : region.bottom]
            for ground in [bench.lines.rich_style.bgcolor]
        ]
        assert marked[0].strip() == "f(x):"
        assert [("".join(text for text, _ in row)) for row in rows(bench)] == [
            "".join(text for text, _ in row) for row in before
        ]


async def test_copy_asks_for_the_code_as_it_was_written() -> None:
    bench = Bench("make")
    async with bench.run_test(size=(60, 20)) as pilot:
        bench.cell.feed("all:\n\tls \u202e\n")
        bench.cell.finish()
        await pilot.pause()
        assert "    ls <U+202E>" in shown(bench)
        await pilot.click(".cell--copy")
        bench.lines.focus()
        await pilot.press("c")
        assert [one.code for one in bench.asked] == ["all:\n\tls \u202e"] * 2


async def test_a_theme_changes_the_colours_at_once() -> None:
    bench = Bench()
    async with bench.run_test(size=(60, 20)) as pilot:
        bench.cell.feed(CODE)
        await pilot.pause()
        dark = rows(bench)
        bench.theme = "textual-light"
        await pilot.pause()
        assert rows(bench) != dark


def test_a_cell_says_what_happened_and_no_more() -> None:
    assert issubclass(CopyRequested, Message)
