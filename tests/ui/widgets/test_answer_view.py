from __future__ import annotations

import asyncio
import random

import pytest

from starchat_tui.codeblocks import MarkdownEvent
from tests.scripted import split_text
from tests.test_sanitize import PAYLOADS
from tests.ui.screen_helpers import read_screen
from tests.ui.widgets.answer_bench import ANSWER, AnswerBench, draw_answer


async def test_every_cut_of_the_stream_ends_on_the_same_screen() -> None:
    whole = await draw_answer(ANSWER)
    dice = random.Random(0)
    for _ in range(4):
        cuts = sorted(dice.sample(range(len(ANSWER)), 12))
        pieces = [
            ANSWER[start:end] for start, end in zip([0, *cuts], [*cuts, len(ANSWER)], strict=True)
        ]
        assert await draw_answer(*pieces) == whole


async def test_a_trimmed_overrun_is_removed_from_the_screen() -> None:
    kept = "Answer.\n\n```\nx\n```"
    screen = await draw_answer(kept, "\n\nHuman: more", final=kept)
    assert "Human" not in screen
    assert screen == await draw_answer(kept)


async def test_blocks_of_a_redrawn_answer_keep_their_numbers() -> None:
    screen = await draw_answer("```\na\n```\n```\nb\n```\nrest", final="```\na\n```\n```\nb\n```\n")
    assert "copy 1" in screen
    assert "copy 2" in screen
    assert "copy 3" not in screen


@pytest.mark.parametrize("size", [1, 7, 10_000])
async def test_control_characters_never_reach_the_screen(size: int) -> None:
    prose = "".join(f"- {name} {payload}x\n" for name, payload in PAYLOADS.items())
    code = "".join(f"# {name} {payload}\n'{payload}'\n" for name, payload in PAYLOADS.items())
    screen = await draw_answer(*split_text(f"{prose}\n```python\n{code}```\n", size), height=120)
    assert [one for one in screen if one != "\n" and not one.isprintable()] == []
    for name in PAYLOADS:
        assert screen.count(f" {name} ") == 2, name


async def test_the_answer_replaces_the_progress() -> None:
    bench = AnswerBench()
    async with bench.run_test(size=(70, 20)) as pilot:
        bench.answer.show_waiting("loading the model … 10 %")
        await pilot.pause()
        assert "10 %" in read_screen(bench)
        bench.answer.show_waiting("loading the model … 20 %")
        await pilot.pause()
        assert "20 %" in read_screen(bench)
        assert "10 %" not in read_screen(bench)
        bench.answer.feed("Hi")
        await bench.answer.draw()
        await pilot.pause()
        assert "loading" not in read_screen(bench)


async def test_an_answer_that_ends_while_it_is_drawn_loses_nothing() -> None:
    bench = AnswerBench()
    async with bench.run_test(size=(70, 20)) as pilot:
        answer, show = bench.answer, bench.answer._handle_events
        drawing, go_on = asyncio.Event(), asyncio.Event()

        async def slowly(events: list[MarkdownEvent]) -> None:
            drawing.set()
            await go_on.wait()
            await show(events)

        answer._handle_events = slowly  # type: ignore[method-assign]
        answer.feed("```\nsome code\n```")
        await drawing.wait()
        ending = asyncio.create_task(answer.finish(answer.text))
        await pilot.pause()
        go_on.set()
        await ending
        await pilot.pause()
        assert "some code" in read_screen(bench)
