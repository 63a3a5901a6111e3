"""An app that holds one answer, and the screen that it draws."""

from __future__ import annotations

from textual.app import App, ComposeResult
from textual.containers import VerticalScroll

from starchat_tui.ui import app as app_module
from starchat_tui.ui.messages import LinkClicked
from starchat_tui.ui.widgets.answer_view import AnswerView
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


class AnswerBench(App[None]):
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
    """Return the screen after an answer that came in these pieces."""
    bench = AnswerBench()
    async with bench.run_test(size=(100, height)) as pilot:
        for number, piece in enumerate(pieces):
            bench.answer.feed(piece)
            if number % 50 == 0 or len(pieces) < 50:
                await bench.answer.draw()
        await bench.answer.finish("".join(pieces) if final is None else final)
        await pilot.pause()
        return read_screen(bench)
