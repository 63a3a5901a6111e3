from __future__ import annotations

import re

import pytest

from starchat_tui.terminal.ansi_markdown import Painter

ANSWER = (
    "Here:\n\n```python\ndef f(x):\n    '''a\n    b'''\n    return x  # done\n```\n\nThat is `f`.\n"
)


def painted(parts: list[str], *, color: bool = True) -> str:
    painter = Painter(color=color)
    return "".join(map(painter.feed, parts)) + painter.finish()


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


@pytest.mark.parametrize("cut", range(len(ANSWER)))
def test_the_same_is_printed_however_the_answer_is_cut(cut: int) -> None:
    assert painted([ANSWER[:cut], ANSWER[cut:]]) == painted([ANSWER])


def test_colours_change_no_letter() -> None:
    assert plain(painted([*ANSWER])) == ANSWER
    assert "\x1b[" in painted([ANSWER])


def test_without_colour_nothing_is_added() -> None:
    assert painted([*ANSWER], color=False) == ANSWER


def test_a_keyword_is_highlighted_and_prose_is_not() -> None:
    lines = painted([ANSWER]).split("\n")
    assert next(line for line in lines if plain(line) == "def f(x):") != "def f(x):"
    assert lines[0] == "Here:"


@pytest.mark.parametrize("color", [True, False])
def test_what_a_model_wrote_cannot_command_the_terminal(color: bool) -> None:
    evil = "\x1b]52;c;aGk=\x07 \x9b2J ```py\x1b[2J\n"
    text = painted([evil, "```\x1b[2J\nx = '\x1b[31m'\n```\n"], color=color)
    assert "\x1b" not in plain(text)
    assert "\x07" not in text
    assert "\x9b" not in text


def test_an_unknown_language_is_printed_plain() -> None:
    assert "fn x" in painted(["```klingon\nfn x\n```\n"])


def test_an_open_block_is_printed_to_its_last_letter() -> None:
    assert plain(painted(["```python\nx = 1"])) == "```python\nx = 1"
