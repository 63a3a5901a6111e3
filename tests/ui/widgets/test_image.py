from __future__ import annotations

import sys
from pathlib import Path

import pexpect
import pytest

from tests.waiting import PATIENCE


@pytest.mark.parametrize("kind", ["kitty", "sixel"])
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
