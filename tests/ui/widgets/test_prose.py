from __future__ import annotations

from starchat_tui.ui.widgets.prose import Prose
from tests.ui.widgets.answer_bench import ANSWER, AnswerBench, draw_answer


async def test_html_and_bare_links_are_text() -> None:
    screen = await draw_answer(ANSWER)
    assert "Use vector<int> and <b>not</b> main.py:" in screen
    assert "The end <here>." in screen
    assert "  2. second" in screen
    assert "• three" in screen or "three" in screen


async def test_an_entity_cannot_smuggle_in_control_characters() -> None:
    screen = await draw_answer(
        "a &#x202E; &#27;[2J &#x200b; [l](http://x/&#x202E;) b\n\n> ```\n> &#27;\n> ```\n"
    )
    assert all(one == "\n" or one.isprintable() for one in screen), ascii(screen)
    assert "<U+202E>" in screen


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
