"""Parser of code blocks: the same events however a stream is cut."""

from __future__ import annotations

import random

import pytest
from markdown_it import MarkdownIt

from starchat_tui.codeblocks import (
    BlockClosed,
    BlockOpened,
    Code,
    CodeBlock,
    CodeBlockParser,
    MarkdownEvent,
    Prose,
    coalesce_events,
    fence_code,
    parse_code_blocks,
    parse_events,
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
WHOLE = parse_events(ANSWER)


def parse_pieces(*pieces: str) -> list[MarkdownEvent]:
    """Return the events of a text that is fed in pieces."""
    parser = CodeBlockParser()
    found = [event for piece in pieces for event in parser.feed(piece)]
    return coalesce_events([*found, *parser.finish()])


def test_prose_and_code_are_separated() -> None:
    assert [
        Prose("Two ways:\n\n1. the first\n\n"),
        BlockOpened("python"),
        Code("def f():\n\treturn 1\n\n"),
        BlockClosed(),
        Prose("2. `x` and ```inline``` and\n-\n"),
        BlockOpened("sh"),
        Code("ls ``\n"),
        BlockClosed(),
        BlockOpened("markdown"),
        Code("```py\nx\n```\n"),
        BlockClosed(),
        BlockOpened(""),
        Code("tilde ``` ~~\n"),
        BlockClosed(),
        Prose("> ```\n> quoted\n> ```\n\n    ```\n    indented, so text\n    ```\n"),
        BlockOpened("python"),
        Code("last\n"),
        BlockClosed(),
    ] == WHOLE


def test_every_cut_of_an_answer_gives_the_same_events() -> None:
    for cut in range(len(ANSWER) + 1):
        assert parse_pieces(ANSWER[:cut], ANSWER[cut:]) == WHOLE, cut
    assert parse_pieces(*ANSWER) == WHOLE


def test_every_cut_of_random_text_gives_the_same_events() -> None:
    rng = random.Random(0)
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
        text = "".join(rng.choices(parts, k=rng.randrange(14)))
        cut = rng.randrange(len(text) + 1)
        assert parse_pieces(text[:cut], text[cut:]) == parse_pieces(*text) == parse_events(text), (
            ascii(text)
        )


def test_no_text_is_invented() -> None:
    for cut in range(len(ANSWER) + 1):
        parser = CodeBlockParser()
        texts = [one.text for one in parser.feed(ANSWER[:cut]) if isinstance(one, Prose | Code)]
        for text in texts:
            assert all(line.strip() in ANSWER for line in text.split("\n"))


def test_text_is_shown_before_its_line_ends() -> None:
    parser = CodeBlockParser()
    assert parser.feed("A long par") == [Prose("A long par")]
    assert parser.feed("agraph") == [Prose("agraph")]
    assert parser.feed("\n```py") == [Prose("\n")]
    assert parser.feed("thon\nx =") == [BlockOpened("python"), Code("x =")]
    assert parser.feed(" 1\n``") == [Code(" 1\n")]
    assert parser.feed("`") == []
    assert parser.feed("\n") == [BlockClosed()]


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
def test_code_blocks_of_a_text(text: str, expected: list[CodeBlock]) -> None:
    assert parse_code_blocks(text) == expected


def test_markdown_it_finds_the_same_blocks() -> None:
    rng = random.Random(1)
    parts = ("```", "````", "~~~", "\n", "\n", "\n", "text", "py", " ", "   ", "x = 1", "`", "  y")
    parser = MarkdownIt("commonmark")
    for _ in range(3000):
        text = "".join(rng.choices(parts, k=rng.randrange(20)))
        theirs = [
            ((token.info.split() or [""])[0], token.content.rstrip())
            for token in parser.parse(text)
            if token.type == "fence" and token.content.strip()
        ]
        ours = [
            (block.language, block.code.rstrip())
            for block in parse_code_blocks(text)
            if block.code.strip()
        ]
        assert ours == theirs, ascii(text)


@pytest.mark.parametrize("code", ["", "x", "x\n", "```\n", "````python\n```\n", "~~~", "``"])
def test_a_fenced_code_block_contains_its_code(code: str) -> None:
    (found,) = parse_code_blocks(fence_code(code, "python"))
    assert (found.language, found.complete) == ("python", True)
    assert found.code.rstrip("\n") == code.rstrip("\n")


def test_a_fence_is_no_longer_than_it_has_to_be() -> None:
    assert fence_code("print(1)", "python") == "```python\nprint(1)\n```"
    assert fence_code("a ``b``\n", "") == "```\na ``b``\n```"
    assert fence_code("```\n", "") == "````\n```\n````"
