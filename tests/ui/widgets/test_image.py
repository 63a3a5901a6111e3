from __future__ import annotations

import sys
from pathlib import Path

import pexpect
import pytest
from textual.app import App, ComposeResult

from starchat_tui.terminal.image_detection import ImageSettings
from starchat_tui.terminal.images import RENDERERS, decode_png
from starchat_tui.terminal.sixel import encode_sixels
from starchat_tui.ui.widgets.image import PIXEL_WIDGETS, create_image_widget
from tests.scripted import make_png
from tests.sixel_reader import decode_sixels
from tests.ui.screen_helpers import render_strips
from tests.waiting import PATIENCE, wait_until


def test_only_pixels_need_a_widget() -> None:
    in_pixels = {name for name, renderer in RENDERERS.items() if renderer.has_pixels}
    assert set(PIXEL_WIDGETS) <= in_pixels


@pytest.mark.parametrize("kind", PIXEL_WIDGETS)
def test_textual_image_writes_nothing_to_the_terminal(kind: str) -> None:
    """Imported in a process that sits on a terminal: no byte is written to it."""
    program = (
        "from starchat_tui.terminal.image_detection import ImageSettings\n"
        "from starchat_tui.ui.widgets.image import create_image_widget\n"
        "from starchat_tui.terminal.images import decode_png\n"
        "from tests.scripted import make_png\n"
        f"made = create_image_widget(decode_png(make_png()), ImageSettings('{kind}', (9, 18)))\n"
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
    def compose(self) -> ComposeResult:
        image = decode_png(make_png(40, 40))
        widget = create_image_widget(image, ImageSettings("sixel", (10, 20)))
        widget.styles.width, widget.styles.height = 4, 2
        yield widget


def find_sixels(app: App[None]) -> list[str]:
    """Return the sixel sequences among what is drawn on the screen."""
    texts = [part.text for strip in render_strips(app) for part in strip]
    return [text for text in texts if text.startswith("\x1bP")]


async def test_the_sixels_on_the_screen_are_those_of_our_encoder() -> None:
    """The encoder of textual-image has xterm draw the first rows in wrong colors."""
    bench = Bench()
    async with bench.run_test(size=(20, 10)):
        await wait_until(lambda: find_sixels(bench), what="the sixels")
        (sequence,) = find_sixels(bench)
    assert sequence == encode_sixels(decode_png(make_png(40, 40)))
    drawn = decode_sixels(sequence)
    assert drawn.size == (40, 40)
    for x, expected in ((5, (40, 60, 220)), (35, (220, 40, 40))):
        found = drawn.getpixel((x, 0))
        assert isinstance(found, tuple)
        assert all(abs(a - b) <= 3 for a, b in zip(found, expected, strict=True))
