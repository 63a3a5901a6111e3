from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from starchat_tui.terminal import highlight
from starchat_tui.terminal.highlight import STYLES, Highlighter, Line, choose_language

SOURCES = sorted(Path(highlight.__file__).parents[1].rglob("*.py"))


def text(line: Line) -> str:
    return "".join(part for _, part in line)


def style(line: Line, word: str) -> str:
    return next(name for name, part in line if word in part)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_line_by_line_equals_the_whole_file_except_in_docstrings(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").split("\n")
    highlighter = Highlighter("python")
    fed = [highlighter.feed(line) for line in lines]
    whole = highlighter.highlight_whole(lines)
    assert list(map(text, fed)) == list(map(text, whole)) == lines
    differing = [
        number for number, pair in enumerate(zip(fed, whole, strict=True)) if pair[0] != pair[1]
    ]
    assert len(differing) <= len(lines) // 10, [lines[number] for number in differing]


def test_a_state_that_spans_lines_is_resumed() -> None:
    highlighter = Highlighter("python")
    assert style(highlighter.feed('x = f("""one'), "one") == "string"
    assert style(highlighter.feed("return two"), "return") == "string"
    assert style(highlighter.feed('three""")'), "three") == "string"
    assert style(highlighter.feed("return x"), "return") == "keyword"


def test_a_line_that_ends_in_the_middle_of_a_string_ends_it() -> None:
    highlighter = Highlighter("python")
    assert style(highlighter.feed("x = 'unfinished"), "unfinished") == "string"
    assert style(highlighter.feed("def f(): pass"), "def") == "keyword"


def test_a_growing_line_does_not_move_the_state() -> None:
    highlighter = Highlighter("python")
    whole = 'x = """doc'
    for end in range(len(whole) + 1):
        assert text(highlighter.peek(whole[:end])) == whole[:end]
    assert style(highlighter.feed("return 1"), "return") == "keyword"


def test_an_error_token_does_not_change_the_state() -> None:
    highlighter = Highlighter("python")
    highlighter.feed('x = """doc')
    highlighter.feed('""" $ ?')
    assert style(highlighter.feed("def f(): pass"), "def") == "string"
    assert style(highlighter.feed('""" # note'), "note") == "comment"


@pytest.mark.parametrize(
    "language", ["json", "yaml", "c", "makefile", "console", "html+jinja", "php"]
)
def test_a_lexer_that_cannot_resume_changes_no_text(language: str) -> None:
    highlighter = Highlighter(language)
    lines = ['{"a": 1, "b": true}', "int main() { return 0; }", "$ ls -l  # x", "key: value"]
    for line in lines:
        assert text(highlighter.feed(line)) == line
    whole = highlighter.highlight_whole(lines)
    assert list(map(text, whole)) == lines


def test_styles_come_from_a_closed_list() -> None:
    lines = Path(highlight.__file__).read_text(encoding="utf-8").split("\n")
    used = {name for line in Highlighter("python").highlight_whole(lines) for name, _ in line}
    assert used <= {*STYLES, ""}
    assert {"keyword", "string", "number", "comment", "function", "builtin"} <= used


def test_tabs_are_expanded_and_colors_stay_with_their_words() -> None:
    line = Highlighter("go").feed("\treturn\tx // 漢\ty")
    assert text(line) == "    return  x // 漢  y"
    assert style(line, "return") == "keyword"
    assert style(line, "//") == "comment"


def test_control_characters_are_made_visible() -> None:
    for kind in ("python", "text", "json"):
        line = Highlighter(kind).feed("x = '\x1b]52;c;aGk=\x07\u202e'  # \x9b2J")
        assert text(line) == "x = '␛]52;c;aGk=␇<U+202E>'  # �2J"


@pytest.mark.parametrize(
    ("named", "first", "expected"),
    [
        ("rust", "def f():", "rust"),
        ("", "def f():", "python"),
        ("", "import os", "python"),
        ("", "x = 1", "python"),
        ("", "print(1)", "python"),
        ("", "numbers.sort()", "python"),
        ("", "$ pip install x", "text"),
        ("", "Hello there, this is output", "text"),
        ("", "", "text"),
    ],
)
def test_a_language_is_never_guessed_among_all_lexers(
    named: str, first: str, expected: str
) -> None:
    assert choose_language(named, first) == expected


def test_an_unknown_language_is_plain() -> None:
    assert Highlighter("no-such").feed("def f(): pass") == (("", "def f(): pass"),)


@pytest.mark.parametrize("language", ["json", "yaml", "c", "console"])
def test_a_lexer_that_cannot_resume_is_given_the_lines_before(language: str) -> None:
    lines = {
        "json": ["{", '  "name": 1,', '  "other": true', "}"],
        "yaml": ["a: 1", "b:", "  - 'x'  # note"],
        "c": ["/* a", "comment */ int x = 1;", 'puts("x");'],
        "console": ["$ ls -l", "total 0", "$ echo x"],
    }[language]
    highlighter = Highlighter(language)
    fed = [highlighter.feed(line) for line in lines]
    assert fed[1:] == highlighter.highlight_whole(lines)[1:]
    assert any(name for line in fed for name, _ in line)


def test_pygments_is_imported_with_the_first_block() -> None:
    program = """
import sys
from starchat_tui.terminal.ansi_markdown import AnsiMarkdownRenderer
renderer = AnsiMarkdownRenderer(color=True)
renderer.feed("prose\\n\\n")
print("pygments" in sys.modules)
renderer.feed("```python\\nx = 1\\n")
print("pygments" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.split() == ["False", "True"], done.stderr
