from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from pygments import highlight
from pygments.formatters import TerminalFormatter
from pygments.lexer import ExtendedRegexLexer, RegexLexer
from pygments.lexers import get_lexer_by_name
from pygments.lexers.data import JsonLexer
from pygments.lexers.special import TextLexer

from starchat_tui.terminal import ansi_markdown
from starchat_tui.terminal.ansi_markdown import AnsiMarkdownRenderer
from tests.prose_samples import CODE_PARAGRAPHS, CODE_SENTENCES, MARKDOWN_SENTENCES

ANSWER = (
    "Here:\n\n```python\ndef f(x):\n    '''a\n    b'''\n    return x  # done\n```\n\nThat is `f`.\n"
)


SOURCES = sorted(Path(ansi_markdown.__file__).parent.glob("*.py"))
RESET = "39;49;00"
"""Pygments' code for the terminal's own colors."""


def render(parts: Iterable[str], *, color: bool = True) -> str:
    renderer = AnsiMarkdownRenderer(color=color)
    return "".join(map(renderer.feed, parts)) + renderer.finish()


def strip_colors(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def colored_characters(text: str) -> list[tuple[str, str]]:
    """Each visible character with the color it is printed in, however the codes are split."""
    found, color = [], RESET
    for code, run in re.findall(r"\x1b\[([0-9;]*)m|([^\x1b]+)", text):
        color = code or color
        found += [(one, "" if one.isspace() else color) for one in run]
    return found


def highlight_whole(code: str, language: str) -> str:
    """The block as Pygments colors it when it sees all of it at once."""
    lexer = get_lexer_by_name(language, stripnl=False, ensurenl=False)
    text: str = highlight(code, lexer, TerminalFormatter())
    return text


def body(rendered: str) -> str:
    """The lines between the fences."""
    return "".join(rendered.splitlines(keepends=True)[1:-1])


@pytest.mark.parametrize("cut", range(len(ANSWER)))
def test_the_same_is_printed_however_the_answer_is_cut(cut: int) -> None:
    assert render([ANSWER[:cut], ANSWER[cut:]]) == render([ANSWER])


def test_colors_change_no_letter() -> None:
    assert strip_colors(render([*ANSWER])) == ANSWER
    assert "\x1b[" in render([ANSWER])


def test_without_color_nothing_is_added() -> None:
    assert render([*ANSWER], color=False) == ANSWER


@pytest.mark.parametrize("color", [True, False])
def test_prose_is_printed_letter_for_letter(color: bool) -> None:
    sentences = [*CODE_SENTENCES, *CODE_PARAGRAPHS, *(one for one, _ in MARKDOWN_SENTENCES)]
    text = "\n\n".join(sentences)
    assert render([*text], color=color) == text
    assert render([text], color=color) == text


@pytest.mark.parametrize("color", [True, False])
def test_joiners_are_kept_in_prose_and_shown_in_code(color: bool) -> None:
    word = "\u0645\u06cc\u200c\u062e"
    shown = word.replace("\u200c", "<U+200C>")
    text = f"{word} `{word}`\n```python\n# {word}\n```\n{word}\n"
    expected = f"{word} `{shown}`\n```python\n# {shown}\n```\n{word}\n"
    assert strip_colors(render([*text], color=color)) == expected


def test_a_keyword_is_highlighted_and_prose_is_not() -> None:
    lines = render([ANSWER]).split("\n")
    assert next(line for line in lines if strip_colors(line) == "def f(x):") != "def f(x):"
    assert lines[0] == "Here:"


@pytest.mark.parametrize("color", [True, False])
def test_text_of_a_model_cannot_command_the_terminal(color: bool) -> None:
    evil = "\x1b]52;c;aGk=\x07 \x9b2J ```py\x1b[2J\n"
    text = render([evil, "```\x1b[2J\nx = '\x1b[31m'\n```\n"], color=color)
    assert "\x1b" not in strip_colors(text)
    assert "\x07" not in text
    assert "\x9b" not in text


def test_an_unknown_language_is_printed_strip_colors() -> None:
    assert "fn x" in render(["```klingon\nfn x\n```\n"])


def test_an_open_block_is_printed_to_its_last_letter() -> None:
    assert strip_colors(render(["```python\nx = 1"])) == "```python\nx = 1"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_a_block_is_colored_as_if_it_were_lexed_at_once(path: Path) -> None:
    code = path.read_text(encoding="utf-8")
    rendered = body(render(f"```python\n{code}```\n".splitlines(keepends=True)))
    assert colored_characters(rendered) == colored_characters(highlight_whole(code, "python"))


@pytest.mark.parametrize(
    ("language", "code"),
    [
        ("python", "x = {'a': 1}\n@wraps\ndef f(*a: int) -> str:\n    return f'{x!r}'  # no\n"),
        ("json", '{\n  "name": "x",\n  "values": [1, 2.5, true, null]\n}\n'),
        ("yaml", "a: 1\nb:\n  - x  # note\n  - 'y'\n"),
        ("bash", 'for f in *.py; do\n  echo "$f" | wc -l\ndone\n'),
        ("c", '#include <stdio.h>\nint main(void) {\n  puts("x"); /* note */\n  return 0;\n}\n'),
        ("sql", "SELECT a, count(*)\nFROM t -- note\nWHERE b = 'x';\n"),
        ("go", 'package main\n\nfunc main() {\n\tprintln("x")\n}\n'),
        ("console", "$ ls -l\ntotal 0\n$ echo x\n"),
    ],
)
def test_every_kind_of_lexer_is_colored_line_by_line(language: str, code: str) -> None:
    rendered = body(render([f"```{language}\n", *code.splitlines(keepends=True), "```\n"]))
    assert colored_characters(rendered) == colored_characters(highlight_whole(code, language))


@pytest.mark.parametrize("cut", range(0, 400, 7))
def test_colors_do_not_depend_on_the_pieces_of_a_long_block(cut: int) -> None:
    text = "```python\n" + '    x = f("""one\ntwo""", 3)  # three\n' * 12 + "```\nend\n"
    assert render([text[:cut], text[cut:]]) == render([text])


@pytest.mark.parametrize("language", ["python", "json", "no-such-language"])
def test_a_line_costs_the_same_however_long_its_block_is(
    language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lexed = count_lexed_characters(monkeypatch)
    line = '{"a": [1, 2], "b": "c"}\n'
    renderer = AnsiMarkdownRenderer(color=True)
    renderer.feed(f"```{language}\n")

    def cost_of(lines: int) -> int:
        before = lexed[0]
        for _ in range(lines):
            renderer.feed(line)
        return lexed[0] - before

    cost_of(100)
    assert cost_of(100) == cost_of(100) > 0


def count_lexed_characters(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count, in the one item of the list, the characters that any lexer is given from now on."""
    count = [0]

    def counting(kind: type[Any]) -> None:
        original = kind.get_tokens_unprocessed

        def lex(self: Any, text: Any = None, *args: Any, **options: Any) -> Any:
            given = text if text is not None else options["context"].text
            count[0] += len(given)
            if text is None:
                return original(self, **options)
            return original(self, text, *args, **options)

        monkeypatch.setattr(kind, "get_tokens_unprocessed", lex)

    for kind in (RegexLexer, ExtendedRegexLexer, JsonLexer, TextLexer):
        counting(kind)
    return count
