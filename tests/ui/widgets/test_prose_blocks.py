from __future__ import annotations

import pytest

from starchat_tui.terminal.prose_markdown import create_prose_parser
from starchat_tui.ui.widgets.prose_blocks import convert_inline, number_items
from tests.ui.screen_helpers import render_strips
from tests.ui.widgets.answer_bench import AnswerBench
from tests.ui.widgets.test_prose import draw_lines


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("1 2 3", "1 2 3"),
        ("1 1 1", "1 2 3"),
        ("3 5 9", "3 5 9"),
        ("0 1", "0 1"),
        ("2 1 7 7", "2 3 7 8"),
        ("01 02", "01 02"),
    ],
)
def test_numbers_that_rise_are_shown_as_written(written: str, shown: str) -> None:
    numbers = number_items((number, ".") for number in written.split())
    assert list(numbers) == [f"{number}." for number in shown.split()]


def test_styles_cover_their_words() -> None:
    (token,) = [
        one
        for one in create_prose_parser().parse("a **b *c*** `d` [e](http://f) ~~g~~")
        if one.type == "inline"
    ]
    content = convert_inline(token)
    assert content.plain == "a b c d e g"
    styles = {content.plain[span.start : span.end]: str(span.style) for span in content.spans}
    assert styles["b c"] == ".strong"
    assert (styles["c"], styles["d"], styles["g"]) == (".em", ".code_inline", ".s")
    assert "e" in styles


async def test_numbers_of_a_list_are_those_that_were_written() -> None:
    lines = await draw_lines("3. a\n5. b\n5. c\n10. d\n\ntext\n\n1) x\n1) y", height=20)
    assert [line.strip() for line in lines] == [
        "3. a",
        "5. b",
        "6. c",
        "10. d",
        "text",
        "1) x",
        "2) y",
    ]


async def test_a_plus_sign_stays_and_other_bullets_are_dots() -> None:
    assert await draw_lines("+ a\n\n- b\n\n* c", height=12) == ["+ a", "• b", "• c"]


TABLE = "| name | n | mid |\n|:--|---:|:-:|\n| a | 1 | x |\n| bc | 1000 | yyyyy |\n"
DRAWN_TABLE = """┌──────┬──────┬───────┐
│ name │    n │  mid  │
├──────┼──────┼───────┤
│ a    │    1 │   x   │
├──────┼──────┼───────┤
│ bc   │ 1000 │ yyyyy │
└──────┴──────┴───────┘"""


async def test_a_table_is_aligned_and_as_wide_as_its_cells() -> None:
    assert await draw_lines(TABLE, height=20) == DRAWN_TABLE.split("\n")


async def test_a_table_that_grows_is_aligned() -> None:
    bench = AnswerBench()
    async with bench.run_test(size=(80, 20)) as pilot:
        for character in TABLE:
            bench.answer.feed(character)
            await bench.answer.draw()
        await pilot.pause()
        rows = [strip.text.strip() for strip in render_strips(bench)]
    assert [row for row in rows if row] == DRAWN_TABLE.split("\n")


async def test_a_wide_table_fits_the_screen() -> None:
    cell = "word " * 30
    lines = await draw_lines(f"| a | b |\n|---|--:|\n| {cell} | {cell} |\n", height=40, width=60)
    assert max(map(len, lines)) <= 60
    assert " ".join(lines).count("word") == 60


async def test_a_quotation_has_no_empty_line_at_its_end() -> None:
    lines = await draw_lines("> a\n>\n> b\n\nc", height=12)
    assert [line.strip() for line in lines] == ["▌ a", "▌", "▌ b", "c"]
