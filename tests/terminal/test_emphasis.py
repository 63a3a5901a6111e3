"""Emphasis: what is code stays as written, what is Markdown is parsed."""

from __future__ import annotations

import random
import time

import pytest
from markdown_it.token import Token

from starchat_tui.terminal.prose_markdown import create_prose_parser
from tests.fuzz_size import choose_size
from tests.prose_samples import CODE_SENTENCES, MARKDOWN_SENTENCES

MAX_SECONDS = 5


def parse_inline(text: str) -> list[Token]:
    tokens = create_prose_parser().parse(text)
    return [child for one in tokens if one.type == "inline" for child in one.children or ()]


def read_text(text: str) -> str:
    """Return the letters that are shown."""
    return "".join("\n" if one.type == "softbreak" else one.content for one in parse_inline(text))


def tag(text: str) -> str:
    """Return the meaning of one line of Markdown, in tags."""
    tagged = ""
    for token in create_prose_parser().parse(text):
        for one in token.children or [token]:
            if one.type in ("paragraph_open", "paragraph_close"):
                continue
            if one.nesting:
                tagged += f"<{'/' if one.nesting < 0 else ''}{one.tag}>"
            elif one.type in ("code_inline", "image"):
                tagged += f"<{one.tag}>{one.content}</{one.tag}>"
            else:
                tagged += {"softbreak": "\n", "hr": "<hr>"}.get(one.type, one.content)
    return tagged


@pytest.mark.parametrize("sentence", CODE_SENTENCES)
def test_code_in_a_sentence_stays_as_written(sentence: str) -> None:
    assert read_text(sentence) == sentence


@pytest.mark.parametrize(("sentence", "meaning"), MARKDOWN_SENTENCES)
def test_markdown_in_a_sentence_is_parsed(sentence: str, meaning: str) -> None:
    assert tag(sentence) == meaning


@pytest.mark.fuzz
def test_two_sentences_of_code_make_no_emphasis() -> None:
    choose = random.Random(1)
    for _ in range(choose_size(500, 20_000)):
        text = " ".join(choose.sample(CODE_SENTENCES, 2))
        assert read_text(text) == text


def test_code_and_emphasis_share_a_sentence() -> None:
    choose = random.Random(2)
    for code in choose.sample([one for one in CODE_SENTENCES if "`" not in one], 60):
        assert tag(f"**Note:** {code} It is *so*.") == (
            f"<strong>Note:</strong> {code} It is <em>so</em>."
        )


@pytest.mark.parametrize(
    "text",
    [
        "_value_ and _missing_ are names of Enum",
        "*b; c* and *x < y* and *a\nb*",
        "*foo*.py and *a*,b and _a_.b and foo*bar*baz and un*frigging*believable",
        "\\*no emphasis\\* and \\_none\\_",
        "**kw, x**2 and **a (b** c) and *p (q* r)",
        "__word__ and ____ and **** and ** a ** and * a *",
        "*" + "a " * 600 + "b*",
    ],
)
def test_what_may_be_code_is_no_emphasis(text: str) -> None:
    assert read_text(text) == text.strip()


@pytest.mark.parametrize(
    "text",
    [
        "*_" * 5000,
        "**a " * 4000,
        "*a " * 3000 + "b* " * 3000,
        "[a](" * 3000,
        "![" * 4000,
        "`*a `` " * 1000,
        "~~a " * 2000 + "b~~ " * 2000,
    ],
    ids=["alternating", "open", "nested", "links", "images", "backticks", "tildes"],
)
def test_hostile_text_is_parsed_in_linear_time(text: str) -> None:
    started = time.process_time()
    create_prose_parser().parse(text)
    assert time.process_time() - started < MAX_SECONDS
