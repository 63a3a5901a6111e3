from __future__ import annotations

import random

import pytest
from markdown_it import MarkdownIt

from starchat_tui.codeblocks import (
    Closed,
    Code,
    CodeBlock,
    Event,
    Fences,
    Opened,
    Prose,
    blocks,
    events,
    joined,
)

ANSWER = """Two ways:

1. the first

   ```python
   def f():
   \treturn 1

   ```
2. `x` and ```inline``` and
- ```sh
  ls ``
  ```
````markdown
```py
x
```
````
~~~
tilde ``` ~~
~~~~
> ```
> quoted
> ```

    ```
    indented, so text
    ```
```{.Python title="x"}
last
```"""
WHOLE = events(ANSWER)


def fed(*pieces: str) -> list[Event]:
    fences = Fences()
    found = [event for piece in pieces for event in fences.feed(piece)]
    return joined([*found, *fences.finish()])


def test_prose_and_code_are_told_apart() -> None:
    assert [
        Prose("Two ways:\n\n1. the first\n\n"),
        Opened("python"),
        Code("def f():\n\treturn 1\n\n"),
        Closed(),
        Prose("2. `x` and ```inline``` and\n-\n"),
        Opened("sh"),
        Code("ls ``\n"),
        Closed(),
        Opened("markdown"),
        Code("```py\nx\n```\n"),
        Closed(),
        Opened(""),
        Code("tilde ``` ~~\n"),
        Closed(),
        Prose("> ```\n> quoted\n> ```\n\n    ```\n    indented, so text\n    ```\n"),
        Opened("python"),
        Code("last\n"),
        Closed(),
    ] == WHOLE


def test_every_cut_gives_the_same() -> None:
    for cut in range(len(ANSWER) + 1):
        assert fed(ANSWER[:cut], ANSWER[cut:]) == WHOLE, cut
    assert fed(*ANSWER) == WHOLE


def test_every_cut_of_anything_gives_the_same() -> None:
    dice = random.Random(0)
    parts = (
        "```",
        "~~~",
        "`",
        "~",
        "\n",
        "\n",
        " ",
        "   ",
        "- ",
        "1. ",
        "1",
        "x",
        "py",
        "> ",
        "\t",
    )
    for _ in range(3000):
        text = "".join(dice.choices(parts, k=dice.randrange(14)))
        cut = dice.randrange(len(text) + 1)
        assert fed(text[:cut], text[cut:]) == fed(*text) == events(text), ascii(text)


def test_nothing_is_lost_or_made_up() -> None:
    for cut in range(len(ANSWER) + 1):
        fences = Fences()
        texts = [one.text for one in fences.feed(ANSWER[:cut]) if isinstance(one, Prose | Code)]
        for text in texts:
            assert all(line.strip() in ANSWER for line in text.split("\n"))


def test_text_is_shown_before_its_line_ends() -> None:
    fences = Fences()
    assert fences.feed("A long par") == [Prose("A long par")]
    assert fences.feed("agraph") == [Prose("agraph")]
    assert fences.feed("\n```py") == [Prose("\n")]
    assert fences.feed("thon\nx =") == [Opened("python"), Code("x =")]
    assert fences.feed(" 1\n``") == [Code(" 1\n")]
    assert fences.feed("`") == []
    assert fences.feed("\n") == [Closed()]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("```py\nx", [CodeBlock("py", "x")]),
        ("```py\nx\n``", [CodeBlock("py", "x\n``")]),
        ("```py\nx\n```", [CodeBlock("py", "x\n", True)]),
        ("```\n```", [CodeBlock("", "", True)]),
        ("text\n```py", []),
        ("no code", []),
        ("```a`b\nx\n```\ny", [CodeBlock("", "y")]),
        ("~~~a`b\nx\n~~~", [CodeBlock("a`b", "x\n", True)]),
        ("```py\r\nx\r\n```\r\n", [CodeBlock("py", "x\r\n", True)]),
        ("```py\nx\n    ```\n```", [CodeBlock("py", "x\n    ```\n", True)]),
        ("```py\nx\n``` no\n```", [CodeBlock("py", "x\n``` no\n", True)]),
    ],
)
def test_blocks(text: str, expected: list[CodeBlock]) -> None:
    assert blocks(text) == expected


def test_a_parser_nobody_here_wrote_finds_the_same_blocks() -> None:
    dice = random.Random(1)
    parts = ("```", "````", "~~~", "\n", "\n", "\n", "text", "py", " ", "   ", "x = 1", "`", "  y")
    parser = MarkdownIt("commonmark")
    for _ in range(3000):
        text = "".join(dice.choices(parts, k=dice.randrange(20)))
        theirs = [
            ((token.info.split() or [""])[0], token.content.rstrip())
            for token in parser.parse(text)
            if token.type == "fence" and token.content.strip()
        ]
        ours = [
            (block.language, block.code.rstrip()) for block in blocks(text) if block.code.strip()
        ]
        assert ours == theirs, ascii(text)
