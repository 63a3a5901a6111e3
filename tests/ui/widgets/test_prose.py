from __future__ import annotations

import pytest
from textual.widgets.markdown import MarkdownBlock, MarkdownFence

from starchat_tui.ui.widgets.prose import Prose
from tests.fuzz_size import choose_size
from tests.prose_samples import CODE_PARAGRAPHS, CODE_SENTENCES, MARKDOWN_SENTENCES
from tests.terminal.test_emphasis import read_text
from tests.ui.screen_helpers import render_strips
from tests.ui.widgets.answer_bench import ANSWER, AnswerBench, draw_answer

WIDTH = 124
"""Columns of the widest answer."""
MOST_HELD_BACK = 12
"""Characters whose meaning the next one decides: the stars of a crontab are the most."""


async def draw_lines(text: str, *, height: int, width: int = WIDTH + 10) -> list[str]:
    """Return the lines of an answer on the screen, without its margin and empty lines."""
    bench = AnswerBench()
    async with bench.run_test(size=(width, height)) as pilot:
        bench.answer.feed(text)
        await bench.answer.finish(text)
        await pilot.pause()
        rows = [strip.text.rstrip() for strip in render_strips(bench)]
    return [row.removeprefix(" " * 3) for row in rows if row]


def read_blocks(prose: Prose) -> list[str]:
    """Return the text of each block."""
    return [
        block.code if isinstance(block, MarkdownFence) else block.render().plain  # type: ignore[union-attr]
        for block in prose.query(MarkdownBlock)
    ]


async def test_html_and_bare_links_are_text() -> None:
    screen = await draw_answer(ANSWER)
    assert "Use vector<int> and <b>not</b> main.py:" in screen
    assert "The end &lt;here&gt;." in screen
    assert "2. second" in screen
    assert "• three" in screen or "▪ three" in screen


async def test_an_entity_cannot_smuggle_in_control_characters() -> None:
    screen = await draw_answer(
        "a &#x202E; &#27;[2J \u202e [l](http://x/&#x202E;) b\n\n> ```\n> &#27;\n> ```\n"
    )
    assert all(one == "\n" or one.isprintable() for one in screen), ascii(screen)
    assert "&#x202E; &#27;[2J <U+202E> l b" in screen


async def test_a_clicked_link_is_reported_and_not_opened() -> None:
    bench = AnswerBench()
    opened: list[str] = []
    bench.open_url = lambda url, *, new_tab=True: opened.append(url)  # type: ignore[method-assign]
    async with bench.run_test(size=(70, 20)) as pilot:
        bench.answer.feed("[here](vscode://x/%1b)")
        await bench.answer.finish(bench.answer.text)
        await pilot.pause()
        await pilot.click(Prose, offset=(3, 0))
        await pilot.pause()
    assert bench.links == ["vscode://x/\x1b"]
    assert opened == []


async def test_sentences_of_code_are_on_the_screen_letter_for_letter() -> None:
    text = "\n\n".join(CODE_SENTENCES)
    assert await draw_lines(text, height=3 * len(CODE_SENTENCES)) == CODE_SENTENCES


async def test_paragraphs_of_code_are_on_the_screen_line_for_line() -> None:
    for paragraph in CODE_PARAGRAPHS:
        expected = [line.rstrip().expandtabs(4) for line in paragraph.split("\n")]
        assert await draw_lines(paragraph, height=20) == expected


async def test_markdown_on_the_screen_has_no_delimiters() -> None:
    sentences = [
        one for one, _ in MARKDOWN_SENTENCES if one[0] not in "#-+>|1![7" and one[:2] != "* "
    ]
    sentences = [one for one in sentences if one[:2] != "3)"]
    shown = await draw_lines("\n\n".join(sentences), height=3 * len(sentences))
    assert shown == [read_text(one) for one in sentences]


@pytest.mark.fuzz
async def test_what_is_shown_of_a_stream_is_never_taken_back() -> None:
    bench = AnswerBench()
    async with bench.run_test(size=(WIDTH, 40)):
        for sentence in CODE_SENTENCES[:: choose_size(12, 1)]:
            prose = Prose()
            await bench.answer.mount(prose)
            for length, character in enumerate(sentence, 1):
                await prose.append(character)
                (shown,) = read_blocks(prose) or [""]
                assert sentence.startswith(shown)
                assert length - len(shown) <= MOST_HELD_BACK
            await prose.finish()
            assert read_blocks(prose) == [sentence]
            await prose.remove()


@pytest.mark.parametrize("cut", [1, 2, 7])
async def test_an_answer_in_pieces_looks_like_the_whole(cut: int) -> None:
    text = "\n\n".join(one for one, _ in MARKDOWN_SENTENCES[-20:]) + "\n\n" + ANSWER
    pieces = [text[start : start + cut] for start in range(0, len(text), cut)]
    assert await draw_answer(*pieces, height=140) == await draw_answer(text, height=140)


async def test_finished_blocks_do_not_change_while_a_stream_goes_on() -> None:
    bench = AnswerBench()
    text = "One **bold**.\n\n- a\n- b\n\n1. x\n2. y\n\nEnd *it*.\n"
    async with bench.run_test(size=(80, 40)):
        prose = Prose()
        await bench.answer.mount(prose)
        seen: list[str] = []
        for character in text:
            await prose.append(character)
            blocks = [one for one in read_blocks(prose) if one]
            assert blocks[: len(seen) - 1] == seen[:-1], (seen, blocks)
            seen = blocks
        await prose.finish()
        assert [one for one in read_blocks(prose) if one] == seen


async def test_joiners_are_kept_in_prose_and_shown_in_code() -> None:
    family, word = "\U0001f469\u200d\U0001f469\u200d\U0001f467", "\u0645\u06cc\u200c\u062e"
    text = f"{family} {word} `{word}` a\u200db \u202e\n\n> ```\n> {word}\n> ```\n"
    screen = await draw_answer(*text)
    assert f"{family} {word}" in screen
    assert screen.count("<U+200C>") == 2
    assert "a<U+200D>b <U+202E>" in screen


async def test_a_family_takes_the_columns_that_textual_counts() -> None:
    bench = AnswerBench()
    async with bench.run_test(size=(40, 10)) as pilot:
        bench.answer.feed("\U0001f469\u200d\U0001f469\u200d\U0001f467|\n\nab|")
        await bench.answer.finish(bench.answer.text)
        await pilot.pause()
        rows = [strip for strip in render_strips(bench) if "|" in strip.text]
        assert {strip.cell_length for strip in rows} == {40}
