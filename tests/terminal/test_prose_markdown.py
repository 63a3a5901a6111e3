"""The parser of prose: blocks, links, and what is no Markdown in a text about code."""

from __future__ import annotations

import pytest

from starchat_tui.terminal.prose_markdown import create_prose_parser, read_alignment
from tests.prose_samples import CODE_PARAGRAPHS
from tests.terminal.test_emphasis import parse_inline, read_text, tag


@pytest.mark.parametrize("paragraph", CODE_PARAGRAPHS)
def test_lines_of_code_stay_as_written(paragraph: str) -> None:
    assert read_text(paragraph) == paragraph
    assert tag(paragraph) == paragraph


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("[a](https://x.org/a_b)", "https://x.org/a_b"),
        ("[a](README.md)", "README.md"),
        ("[a](docs/x)", "docs/x"),
        ("[a](#b)", "#b"),
        ("[a](mailto:x@y.z)", "mailto:x@y.z"),
        ("![a](x.png)", "x.png"),
        ("<https://x.org>", "https://x.org"),
    ],
)
def test_a_link_has_an_address(text: str, address: str) -> None:
    found = [one.attrs for one in parse_inline(text) if one.attrs]
    assert [one.get("href", one.get("src")) for one in found] == [address]


@pytest.mark.parametrize(
    "text",
    [
        "[i](j)",
        "a[i](https://x.org)",
        "f(x)[0](/a)",
        "[](){}",
        "[x](C:\\new)",
        "[a][b] [c]",
        "<a@b.c>",
        "https://x.org/_a_/*b*",
        "[a](javascript:alert)",
    ],
)
def test_brackets_without_an_address_stay(text: str) -> None:
    assert read_text(text) == text


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("Title\n===", "<h1>Title</h1>"),
        ("Title\n---", "<h2>Title</h2>"),
        ("a\n\n---\n\nb", "a<hr>b"),
        ("***", "<hr>"),
        ("* * *", "<hr>"),
        ("> a\n> b", "<blockquote>a\nb</blockquote>"),
        ("> > a", "<blockquote><blockquote>a</blockquote></blockquote>"),
        ("- a\n  - b\n- c", "<ul><li>a<ul><li>b</li></ul></li><li>c</li></ul>"),
        ("1. a\n   - b", "<ol><li>a<ul><li>b</li></ul></li></ol>"),
        ("a\n- b", "a<ul><li>b</li></ul>"),
        ("a\n1. b", "a<ol><li>b</li></ol>"),
    ],
)
def test_blocks_of_markdown_are_parsed(text: str, meaning: str) -> None:
    assert tag(text) == meaning


@pytest.mark.parametrize(
    "text", ["a\n=", "a\nb\n===", "* * * * *", "a\n--", ">", ">\n", "#", "[x]: y"]
)
def test_lines_of_markers_that_are_no_markdown_stay(text: str) -> None:
    assert read_text(text) == text.strip()


def test_a_table_has_the_alignment_of_its_columns() -> None:
    tokens = create_prose_parser().parse("| a | b | c |\n|---|--:|:-:|\n| 1 | 2 | 3 |")
    assert [read_alignment(one) for one in tokens if one.type == "th_open"] == [
        "left",
        "right",
        "center",
    ]


def test_joiners_stay_in_prose_and_are_visible_in_code() -> None:
    word = "\u0645\u06cc\u200c\u062e"
    assert read_text(f"{word} **{word}**") == f"{word} {word}"
    assert "<U+200C>" in read_text(f"`{word}`")


def test_emphasis_is_tagged_in_a_list_item() -> None:
    assert tag("- **a**") == "<ul><li><strong>a</strong></li></ul>"
