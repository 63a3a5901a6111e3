from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest

from starchat_tui.terminal.image_detection import guess_protocol, parse_answers
from tests.waiting import PATIENCE

XTERM = b"\x1b[?64;1;2;6;22c"
SIXEL = b"\x1b[?62;4;22c"
KITTY = b"\x1b_Gi=31;OK\x1b\\"


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        (b"", ("half", None, "")),
        (XTERM, ("half", None, "")),
        (SIXEL, ("sixel", None, "")),
        (KITTY + XTERM, ("kitty", None, "")),
        (KITTY + SIXEL, ("sixel", None, "")),
        (b"\x1b_Gi=31;ENOTSUPPORTED\x1b\\" + XTERM, ("half", None, "")),
        (b"\x1b[6;32;16t" + SIXEL, ("sixel", (16, 32), "")),
        (b"\x1b[6;0;0t" + XTERM, ("half", None, "")),
        (b"hel" + KITTY + b"lo\xc3\xbc\r" + XTERM, ("kitty", None, "helloü")),
        (b"\x1b[?4c", ("half", None, "")),
    ],
)
def test_the_terminals_answers_are_separated_from_keys(answers: bytes, expected: object) -> None:
    assert parse_answers(answers) == expected


DETECT = """
import json, os, sys
from starchat_tui.terminal import image_detection
if sys.argv[2:]: image_detection.ANSWER_TIMEOUT = float(sys.argv[2])
images, typed = image_detection.detect_images(sys.argv[1], os.environ)
print(json.dumps([images.protocol, typed]), "end")
"""


def detect_on_terminal(choice: str, answer: bytes = b"", **environ: str) -> tuple[str, bytes]:
    """Return what is detected on a terminal that sends `answer`, and what it was asked."""
    child = pexpect.spawn(
        sys.executable,
        # On a busy machine the answer may take longer than a terminal is given.
        ["-c", DETECT, choice, *([str(PATIENCE)] if answer else [])],
        env={**os.environ, **environ},
        cwd=str(Path(__file__).parents[2]),
        timeout=PATIENCE,
    )
    asked = b""
    if answer:
        child.expect_exact(b"\x1b[c")
        asked = child.before + b"\x1b[c"
        child.send(answer)
    child.expect(rb'(\["[a-z]+", "[^"]*"\]) end')
    found = child.match[1].decode()
    asked += child.before
    child.expect(pexpect.EOF)
    child.close()
    return found, asked


def test_a_terminal_is_asked_once_and_typed_keys_are_kept() -> None:
    found, asked = detect_on_terminal("auto", b"draft" + KITTY + XTERM)
    assert found == '["kitty", "draft"]'
    assert asked.count(b"\x1b[c") == 1


def test_a_mute_terminal_gets_half_blocks() -> None:
    assert detect_on_terminal("auto")[0] == '["half", ""]'


def test_a_terminal_without_pixels_gets_the_finest_characters_it_draws() -> None:
    assert detect_on_terminal("auto", XTERM, VTE_VERSION="7600")[0] == '["sextant", ""]'
    assert detect_on_terminal("auto", SIXEL, VTE_VERSION="7600")[0] == '["sixel", ""]'


@pytest.mark.parametrize(
    ("choice", "environ", "kind"),
    [
        ("sixel", {}, "sixel"),
        ("off", {}, "off"),
        ("octant", {"TMUX": "/tmp/tmux"}, "octant"),
        ("auto", {"TMUX": "/tmp/tmux"}, "half"),
        ("auto", {"TERM": "screen-256color"}, "half"),
        ("auto", {"TERM": "linux"}, "half"),
        ("auto", {"TERM": "dumb"}, "half"),
        ("auto", {"TERM": "xterm-kitty"}, "kitty"),
    ],
)
def test_a_known_protocol_is_not_asked_for(choice: str, environ: dict[str, str], kind: str) -> None:
    found, asked = detect_on_terminal(choice, **environ)
    assert found == f'["{kind}", ""]'
    assert b"\x1b" not in asked


def test_a_pipe_is_neither_asked_nor_read() -> None:
    done = subprocess.run(
        [sys.executable, "-c", DETECT, "auto"],
        cwd=Path(__file__).parents[2],
        input=KITTY + XTERM,
        capture_output=True,
        check=True,
    )
    assert done.stdout == b'["half", ""] end\n'


@pytest.mark.parametrize(
    ("environ", "guess"),
    [
        ({"TERM": "xterm-kitty"}, "kitty"),
        ({"TERM": "xterm-256color", "KITTY_WINDOW_ID": "1"}, "kitty"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "ghostty"}, "kitty"),
        ({"TERM": "foot-extra"}, "sixel"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "iTerm.app"}, "sixel"),
        ({"TERM": "xterm-kitty", "TMUX": "/tmp/x"}, "half"),
        ({"TERM": "xterm-256color", "STY": "1.pts", "KITTY_WINDOW_ID": "1"}, "half"),
        ({"TERM": "xterm-256color", "VTE_VERSION": "7803"}, "octant"),
        ({"TERM": "xterm-256color", "VTE_VERSION": "6800"}, "sextant"),
        ({"TERM": "xterm-256color", "VTE_VERSION": "5202"}, "half"),
        ({"TERM": "xterm-256color", "VTE_VERSION": "7803", "TMUX": "/tmp/x"}, "half"),
        ({"TERM": "xterm-256color", "VTE_VERSION": "٧٨٠٣"}, "half"),
        ({"TERM": "xterm-256color", "VTE_VERSION": "new"}, "half"),
        ({"TERM": "xterm-256color"}, "half"),
        ({}, "half"),
    ],
)
def test_a_protocol_is_guessed_from_the_name(environ: dict[str, str], guess: str) -> None:
    assert guess_protocol(environ) == guess
