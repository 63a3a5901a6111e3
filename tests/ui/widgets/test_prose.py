from __future__ import annotations

from textual.app import App, ComposeResult
from textual.containers import VerticalScroll

from starchat_tui.ui import app as app_module
from starchat_tui.ui.messages import LinkClicked
from starchat_tui.ui.widgets.answer_view import AnswerView
from starchat_tui.ui.widgets.prose import Prose
from tests.ui.screen_helpers import read_screen

ANSWER = """Use `vector<int>` and <b>not</b> main.py:

- one
- two
  - three

```python
x = 1
```

1. first:

   ```sh
   ls
   ```

2. second

> quoted
> ```
> code
> ```

| a | b |
|---|---|
| 1 | 2 |

# Title
The *end* &lt;here&gt;."""


class Bench(App[None]):
    CSS_PATH = app_module.__file__.replace("app.py", "starchat.tcss")

    def __init__(self) -> None:
        super().__init__()
        self.answer = AnswerView(number=1)
        self.links: list[str] = []

    def compose(self) -> ComposeResult:
        with VerticalScroll():
            yield self.answer

    def on_link_clicked(self, message: LinkClicked) -> None:
        self.links.append(message.url)


async def draw_answer(*pieces: str, final: str | None = None, height: int = 50) -> str:
    """The screen after an answer that came in these pieces."""
    bench = Bench()
    async with bench.run_test(size=(100, height)) as pilot:
        for number, piece in enumerate(pieces):
            bench.answer.feed(piece)
            if number % 50 == 0 or len(pieces) < 50:
                await bench.answer.draw()
        await bench.answer.finish("".join(pieces) if final is None else final)
        await pilot.pause()
        return read_screen(bench)


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
    bench = Bench()
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
