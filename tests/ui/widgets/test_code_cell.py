from __future__ import annotations

import random

from textual.message import Message

from starchat_tui.ui.messages import CopyRequested
from tests.ui.screen_helpers import read_screen
from tests.ui.widgets.cell_bench import CODE, CellBench, read_rows


async def test_the_screen_does_not_depend_on_the_pieces() -> None:
    dice = random.Random(0)
    seen = []
    for pieces in range(4):
        bench = CellBench()
        async with bench.run_test(size=(60, 20)) as pilot:
            cuts = sorted(dice.sample(range(len(CODE)), pieces * 3))
            for start, end in zip([0, *cuts], [*cuts, len(CODE)], strict=True):
                bench.cell.feed(CODE[start:end])
                await pilot.pause()
            bench.cell.finish()
            await pilot.pause()
            seen.append(read_rows(bench))
            assert bench.cell.block.code == CODE.rstrip("\n")
            assert bench.lines.region.height == 8
    assert all(one == seen[0] for one in seen)


async def test_it_grows_with_its_lines_and_a_growing_line_is_shown() -> None:
    bench = CellBench()
    async with bench.run_test(size=(60, 20)) as pilot:
        bench.cell.feed("x = 1\ny = ")
        await pilot.pause()
        assert bench.lines.region.height == 2
        assert "y =" in read_screen(bench)
        bench.cell.feed("2\n")
        await pilot.pause()
        assert bench.lines.region.height == 2
        assert "y = 2" in read_screen(bench)


async def test_a_docstring_gets_one_color_once_the_block_ends() -> None:
    bench = CellBench()
    async with bench.run_test(size=(60, 20)) as pilot:
        bench.cell.feed(CODE)
        await pilot.pause()
        before = read_rows(bench)
        bench.cell.finish()
        await pilot.pause()
        doc = {color for row in read_rows(bench)[1:4] for text, color in row if text.strip()}
        assert len(doc) == 1, "one color from quote to quote"
        assert before[0] == read_rows(bench)[0]


async def test_copying_requests_the_code_as_it_was_written() -> None:
    bench = CellBench("make")
    async with bench.run_test(size=(60, 20)) as pilot:
        bench.cell.feed("all:\n\tls \u202e\n")
        bench.cell.finish()
        await pilot.pause()
        assert "    ls <U+202E>" in read_screen(bench)
        await pilot.click(".cell--copy")
        bench.lines.focus()
        await pilot.press("c")
        assert [one.text for one in bench.asked] == ["all:\n\tls \u202e"] * 2


def test_a_cell_only_posts_messages() -> None:
    assert issubclass(CopyRequested, Message)
