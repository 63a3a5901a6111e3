"""The text that is dragged over with the mouse, compared with what the model wrote."""

from __future__ import annotations

import asyncio

import pytest
from textual import events
from textual.geometry import Offset
from textual.pilot import Pilot

from starchat_tui.execution.run_result import RunResult
from starchat_tui.sandbox.outputs import RunEnded, StreamText
from starchat_tui.ui.app import StarChatApp
from starchat_tui.ui.widgets.answer_view import AnswerView
from starchat_tui.ui.widgets.caption import Caption
from starchat_tui.ui.widgets.code_cell import CodeCell, CodeLines
from starchat_tui.ui.widgets.prose import Prose
from starchat_tui.ui.widgets.transcript import EarlierTurns
from tests.scripted import ScriptedEngine
from tests.ui.screen_helpers import read_screen, send_line, wait_for_text, wait_until_idle
from tests.waiting import wait_until

SIZE = (80, 60)
CODE = "def f(x):\n\tif x:\n\t\treturn '\tq'\n\n\n    # an indented comment\n    return 你好"
ANSWERS = {
    "paragraphs": (
        "one **bold** `code`\nsecond line\n\nnext",
        "one bold code\nsecond line\n\nnext",
    ),
    "code between": (
        f"Before.\n\n```python\n{CODE}\n```\n\nBetween.\n\n```\nplain  text\n\n\nend\n```\nAfter.",
        f"Before.\n\n{CODE}\n\nBetween.\n\nplain  text\n\n\nend\n\nAfter.",
    ),
    "two blocks": ("```bash\nls -l\n```\n```python\nx\n```", "ls -l\n\nx"),
    "list": (
        "# Title\n\n- one\n  - two\n    - deep\n- three\n\n3. third\n   1. inner\n4. fourth\n\nend",
        "Title\n\n- one\n  - two\n    - deep\n- three\n\n3. third\n   1. inner\n4. fourth\n\nend",
    ),
    "lines in items": (
        "* one\n  goes on\n\n  second paragraph\n* two\n\n+ plus\n\n10. ten\n    more\n",
        "- one\n  goes on\n\n  second paragraph\n- two\n\n+ plus\n\n10. ten\n    more",
    ),
    "table": (
        "Here:\n\n| a | b |\n|--:|:-:|\n| 1 | two words |\n|   | 你好 |\n\nend",
        "Here:\n\na\tb\n1\ttwo words\n\t你好\n\nend",
    ),
    "quotation": (
        "> a quote\n> of two lines\n>\n> - item\n\n> ```python\n> quoted\n> ```\n\n---\n\nend",
        "a quote\nof two lines\n\n- item\n\nquoted\n\nend",
    ),
}


async def send(pilot: Pilot[None], kind: type[events.MouseEvent], at: Offset) -> None:
    pilot.app.post_message(
        kind(None, *at, 0, 0, 1, False, False, False, screen_x=at.x, screen_y=at.y)
    )
    await pilot.pause()


async def drag(pilot: Pilot[None], start: Offset, end: Offset) -> str:
    """Drag from one position to another and return the selected text."""
    await send(pilot, events.MouseDown, start)
    middle = Offset((start.x + end.x) // 2, (start.y + end.y) // 2)
    for at in (start + Offset(1, 0), middle, end):
        await send(pilot, events.MouseMove, at)
    await send(pilot, events.MouseUp, end)
    return pilot.app.screen.get_selected_text() or ""


async def show_answer(pilot: Pilot[None], engine: ScriptedEngine, text: str) -> AnswerView:
    engine.enqueue(text)
    await send_line(pilot, "q")
    await wait_until_idle(pilot)
    return pilot.app.query_one(AnswerView)


@pytest.mark.parametrize("name", ANSWERS)
async def test_an_answer_is_selected_as_it_was_written(
    name: str, app: StarChatApp, engine: ScriptedEngine
) -> None:
    written, expected = ANSWERS[name]
    async with app.run_test(size=SIZE) as pilot:
        answer = await show_answer(pilot, engine, written)
        region = answer.region
        first, last = Offset(region.x, region.y), Offset(region.right - 1, region.bottom)
        assert await drag(pilot, first, last) == expected
        assert await drag(pilot, last, first) == expected


async def test_a_part_is_selected_from_letter_to_letter(
    app: StarChatApp, engine: ScriptedEngine
) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await show_answer(pilot, engine, f"Before it.\n\n```python\n{CODE}\n```\n\nAfter it.")
        before, after = (one.region for one in app.query("MarkdownParagraph"))
        code = app.query_one(CodeLines).content_region
        assert await drag(pilot, before.offset + Offset(7, 0), after.offset + Offset(4, 0)) == (
            f"it.\n\n{CODE}\n\nAfter"
        )
        # A tab is shown as four columns, and the second line begins with one.
        assert (
            await drag(pilot, code.offset + Offset(4, 0), code.offset + Offset(5, 1))
            == "f(x):\n\tif"
        )
        assert (
            await drag(pilot, code.offset + Offset(8, 2), code.offset + Offset(13, 2)) == "return"
        )
        assert await drag(pilot, code.offset + Offset(11, 6), code.offset + Offset(13, 6)) == "你好"


async def test_code_that_is_scrolled_sideways_is_selected_where_it_is(
    app: StarChatApp, engine: ScriptedEngine
) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await show_answer(pilot, engine, f"```python\n{'你' * 30}{'x' * 60}END\n```")
        lines = app.query_one(CodeLines)
        lines.scroll_to(x=40, animate=False)
        await pilot.pause()
        code = lines.content_region
        assert (
            await drag(pilot, code.offset + Offset(16, 0), code.offset + Offset(23, 0))
            == "你你xxxx"
        )


async def test_a_selection_goes_on_where_the_screen_has_scrolled(
    app: StarChatApp, engine: ScriptedEngine
) -> None:
    paragraphs = [f"paragraph {number}\n\n```\ncode {number}\n```" for number in range(30)]
    async with app.run_test(size=(60, 20)) as pilot:
        answer = await show_answer(pilot, engine, "\n\n".join(paragraphs))
        transcript = app.chat_view.transcript
        transcript.scroll_home(animate=False)
        await pilot.pause()
        await send(pilot, events.MouseDown, answer.region.offset)
        await send(pilot, events.MouseMove, answer.region.offset + Offset(9, 3))
        transcript.scroll_end(animate=False)
        await pilot.pause()
        end = Offset(50, transcript.region.bottom - 1)
        await send(pilot, events.MouseMove, end)
        await send(pilot, events.MouseUp, end)
        expected = "\n\n".join(f"paragraph {number}\n\ncode {number}" for number in range(30))
        assert app.screen.get_selected_text() == expected


async def test_a_whole_conversation_is_selected_without_titles_and_buttons(
    app: StarChatApp, engine: ScriptedEngine
) -> None:
    async with app.run_test(size=SIZE) as pilot:
        answer = await show_answer(pilot, engine, "Look:\n\n```python\nprint(1)\n```")
        ended = RunEnded("ok", "isolated", 0.4)
        result = RunResult((StreamText("stdout", "1\n\n2\n"),), ended)
        await answer.cells[0].show_result(result)
        await app.chat_view.transcript.mount(EarlierTurns(4), before=0)
        await pilot.pause()
        for furniture in ("load 4 earlier", "run 1", "copy 1", "python"):
            assert furniture in read_screen(app)
        region = app.chat_view.transcript.region
        selected = await drag(pilot, region.offset, Offset(region.right - 4, region.bottom - 1))
        assert selected.startswith("q\n\nLook:\n\nprint(1)\n\n1\n\n2\n\nran ")
        for furniture in ("load 4 earlier", "run 1", "copy 1", "python"):
            assert furniture not in selected
        assert not any(isinstance(one, Caption) for one in app.screen.selections)


async def test_a_button_is_clicked_and_not_selected(
    app: StarChatApp, engine: ScriptedEngine
) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await show_answer(pilot, engine, "```python\nprint(1)\n```")
        cell = app.query_one(CodeCell)
        button = cell.query_one(".cell--copy").region.offset
        assert await drag(pilot, button, cell.region.offset + Offset(5, 1)) == ""


async def test_what_was_copied_is_no_longer_selected(
    app: StarChatApp, engine: ScriptedEngine
) -> None:
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        answer = await show_answer(pilot, engine, "some text")
        region = answer.region
        await drag(pilot, region.offset, Offset(region.right - 1, region.bottom))
        await pilot.press("ctrl+c")
        await wait_until(lambda: "Copied" in read_screen(app) or "Sent" in read_screen(app))
        # The next Ctrl+C stops or quits: a forgotten selection must not keep it from that.
        assert app.screen.get_selected_text() is None
        await pilot.press("ctrl+c")
        await wait_until(lambda: "again to quit" in read_screen(app))


async def test_text_is_selected_while_it_streams(app: StarChatApp, engine: ScriptedEngine) -> None:
    engine.steps = asyncio.Semaphore(0)
    engine.enqueue("first\n\nsecond", " paragraph\n\n```python\nx = 1\n", "y = 2\n```\nend")
    async with app.run_test(size=SIZE) as pilot:
        await send_line(pilot, "q")
        for expected in ("first\n\nsecond", "first\n\nsecond paragraph\n\nx = 1"):
            for _ in range(2 if "x" in expected else 1):
                engine.steps.release()
            await wait_for_text(app, expected.split()[-1])
            await wait_until(lambda: bool(app.query(Prose)))
            await pilot.pause()
            region = app.query_one(AnswerView).region
            corner = Offset(region.right - 1, region.bottom)
            assert (await drag(pilot, region.offset, corner)).startswith(expected[:12])
        engine.steps.release()
        engine.steps.release()
        await wait_until_idle(pilot)
        assert app._exception is None
