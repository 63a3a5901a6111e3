from __future__ import annotations

import os
import sys
from pathlib import Path

import pexpect
import pytest
from textual.app import App, ComposeResult

from starchat_tui.sandbox.outputs import Figure
from starchat_tui.ui.widgets.figure import COARSE, MOST_ROWS, HalfBlocks, Plot
from starchat_tui.ui.widgets.image import Images, read_answers
from tests.scripted import drawn_png
from tests.ui.looking import shown, strips
from tests.waiting import PATIENCE, wait_until

XTERM = b"\x1b[?64;1;2;6;22c"
SIXEL = b"\x1b[?62;4;22c"
KITTY = b"\x1b_Gi=31;OK\x1b\\"


@pytest.mark.parametrize(
    ("said", "expected"),
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
def test_the_terminals_answers_are_told_from_keys(said: bytes, expected: object) -> None:
    assert read_answers(said) == expected


ASK = """
import json, os, sys
from starchat_tui.ui.widgets import image as images
if sys.argv[2:]: images.PATIENCE = float(sys.argv[2])
images, typed = images.detect(sys.argv[1], os.environ)
print(json.dumps([images.kind, typed]), "end")
"""


def detected(choice: str, answer: bytes = b"", **environ: str) -> tuple[str, bytes]:
    """What is detected on a terminal that says `answer`; and what the terminal was asked."""
    child = pexpect.spawn(
        sys.executable,
        # Who answers may be kept waiting by a busy machine, and is waited for.
        ["-c", ASK, choice, *([str(PATIENCE)] if answer else [])],
        env={**os.environ, **environ},
        cwd=str(Path(__file__).parents[3]),
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
    found, asked = detected("auto", b"draft" + KITTY + XTERM)
    assert found == '["kitty", "draft"]'
    assert asked.count(b"\x1b[c") == 1


def test_a_mute_terminal_gets_half_blocks() -> None:
    assert detected("auto")[0] == '["half", ""]'


@pytest.mark.parametrize(
    ("choice", "environ", "kind"),
    [
        ("sixel", {}, "sixel"),
        ("off", {}, "off"),
        ("auto", {"TMUX": "/tmp/tmux"}, "half"),
        ("auto", {"TERM": "screen-256color"}, "half"),
        ("auto", {"TERM": "linux"}, "half"),
        ("auto", {"TERM": "xterm-kitty"}, "kitty"),
    ],
)
def test_what_is_known_is_not_asked(choice: str, environ: dict[str, str], kind: str) -> None:
    found, asked = detected(choice, **environ)
    assert found == f'["{kind}", ""]'
    assert b"\x1b" not in asked


@pytest.mark.parametrize("kind", ["kitty", "sixel"])
def test_the_library_asks_the_terminal_nothing(kind: str) -> None:
    """Imported in a process that sits on a terminal: no byte is written to it."""
    program = (
        "from starchat_tui.ui.widgets.image import Images, picture_widget\n"
        "from starchat_tui.terminal.images import decoded\n"
        "from tests.scripted import drawn_png\n"
        f"made = picture_widget(decoded(drawn_png()), Images('{kind}', (9, 18)))\n"
        "from textual_image._terminal import get_cell_size\n"
        "assert tuple(get_cell_size()) == (9, 18)\n"
        "import sys\n"
        "assert sys.__stdout__.isatty()\n"
        "print(type(made).__name__, 'made')\n"
    )
    child = pexpect.spawn(
        sys.executable,
        ["-c", program],
        cwd=str(Path(__file__).parents[3]),
        timeout=PATIENCE,
    )
    child.expect(" made")
    assert child.before in (b"TGPImage", b"Image", b"SixelImage")
    child.expect(pexpect.EOF)
    child.close()


class Bench(App[None]):
    CSS = "Plot { height: auto; width: 1fr; }"

    def __init__(self, images: Images, width: int = 400, height: int = 300) -> None:
        super().__init__()
        self.plot = Plot(Figure(drawn_png(width, height), width, height, ""), images)

    def compose(self) -> ComposeResult:
        yield self.plot


async def test_half_blocks_keep_the_aspect_and_follow_the_width() -> None:
    bench = Bench(Images("half"))
    async with bench.run_test(size=(60, 40)) as pilot:
        await wait_until(lambda: bench.query(HalfBlocks))
        await pilot.pause()
        blocks = bench.query_one(HalfBlocks)
        assert (blocks.size.width, blocks.size.height) == (60, 22)
        row = strips(bench)[5]
        blue, red = (str(row.crop(at, at + 1)._segments[0].style) for at in (10, 50))
        assert blue == "#283cdc on #283cdc"
        assert red == "#dc2828 on #dc2828"
        await pilot.resize_terminal(30, 40)
        await wait_until(lambda: bench.query_one(HalfBlocks).size.width == 30)
        assert bench.query_one(HalfBlocks).size.height == 11


async def test_a_small_picture_stays_small_and_a_tall_one_fits() -> None:
    for size, most in (((20, 20), 2 * COARSE), ((300, 3000), MOST_ROWS)):
        bench = Bench(Images("half"), *size)
        async with bench.run_test(size=(100, 50)):
            await wait_until(lambda bench=bench: bench.query(HalfBlocks))
            await wait_until(lambda bench=bench: bench.query_one(HalfBlocks).size.height)
            assert bench.query_one(HalfBlocks).size.height <= most


async def test_shades_and_nothing_at_all() -> None:
    bench = Bench(Images("unicode"))
    async with bench.run_test(size=(60, 40)):
        await wait_until(lambda: "▒" in shown(bench) or "▓" in shown(bench))
    bench = Bench(Images("off"))
    async with bench.run_test(size=(60, 40)) as pilot:
        await pilot.pause(0.2)
        assert not bench.plot.children


async def test_what_is_no_picture_is_said() -> None:
    bench = Bench(Images("half"))
    bench.plot._figure = Figure(b"no picture", 400, 300, "")
    async with bench.run_test(size=(60, 40)):
        await wait_until(lambda: "cannot be read" in shown(bench))
        assert not bench.query(HalfBlocks)
