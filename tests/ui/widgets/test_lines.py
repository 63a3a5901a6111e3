from __future__ import annotations

from textual.geometry import Offset
from textual.selection import SELECT_ALL, Selection

from tests.ui.screen_helpers import read_screen, render_strips
from tests.ui.widgets.cell_bench import CODE, CellBench, read_rows


async def test_a_long_line_scrolls_sideways_with_the_keys() -> None:
    bench = CellBench()
    async with bench.run_test(size=(40, 20)) as pilot:
        bench.cell.feed("x = '" + "a" * 80 + "END'\n")
        bench.cell.finish()
        await pilot.pause()
        assert "END" not in read_screen(bench)
        bench.lines.focus()
        await pilot.press("end")
        await pilot.pause()
        assert "END" in read_screen(bench)
        await pilot.press("home", "right")
        await pilot.pause()
        assert bench.lines.scroll_x == 1


async def test_only_visible_rows_are_drawn() -> None:
    bench = CellBench()
    async with bench.run_test(size=(60, 20)) as pilot:
        drawn: list[int] = []
        render = bench.lines.render_line
        bench.lines.render_line = lambda y: drawn.append(y) or render(y)  # type: ignore[method-assign, func-returns-value]
        bench.cell.feed("\n".join(f"line({number})" for number in range(1000)))
        await pilot.pause()
        assert drawn
        assert max(drawn) < 20


async def test_selected_text_has_no_padding() -> None:
    bench = CellBench()
    async with bench.run_test(size=(60, 20)) as pilot:
        bench.cell.feed(CODE)
        bench.cell.finish()
        await pilot.pause()
        assert bench.lines.get_selection(SELECT_ALL) == (CODE.rstrip("\n"), "\n")
        part = Selection(Offset(4, 0), Offset(7, 1))
        assert bench.lines.get_selection(part) == ('f(x):\n    """', "\n")


async def test_a_selection_is_made_with_the_mouse_and_marked() -> None:
    bench = CellBench()
    async with bench.run_test(size=(60, 20)) as pilot:
        bench.cell.feed(CODE)
        bench.cell.finish()
        await pilot.pause()
        at = bench.lines.content_region.offset
        before = read_rows(bench)
        await pilot.mouse_down(offset=at + Offset(4, 0))
        await pilot.hover(offset=at + Offset(7, 4))
        await pilot.mouse_up(offset=at + Offset(7, 4))
        await pilot.pause()
        assert bench.screen.get_selected_text() == 'f(x):\n    """Doc\n\n    string."""\n    retu'
        region = bench.lines.region
        marked = [
            "".join(part.text for part in strip if part.style and part.style.bgcolor != ground)
            for strip in render_strips(bench)[region.y : region.bottom]
            for ground in [bench.lines.rich_style.bgcolor]
        ]
        assert marked[0].strip() == "f(x):"
        assert [("".join(text for text, _ in row)) for row in read_rows(bench)] == [
            "".join(text for text, _ in row) for row in before
        ]


async def test_a_new_theme_changes_the_colors_at_once() -> None:
    bench = CellBench()
    async with bench.run_test(size=(60, 20)) as pilot:
        bench.cell.feed(CODE)
        await pilot.pause()
        dark = read_rows(bench)
        bench.theme = "textual-light"
        await pilot.pause()
        assert read_rows(bench) != dark
