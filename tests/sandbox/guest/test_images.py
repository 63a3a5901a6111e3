"""Images of a run: displayed ones, and files that the code wrote."""

from __future__ import annotations

import pytest

from starchat_tui.sandbox.host.kernel import SandboxKernel
from tests.sandbox.kernels import run_code

pytestmark = pytest.mark.bwrap

IMAGE = "from PIL import Image\nimage = Image.new('RGB', (6, 4), 'red')\n"
GIF = (
    IMAGE + "image.save('a.gif', save_all=True, append_images=[Image.new('RGB', (6, 4), 'blue')])\n"
)
SHOWN: dict[str, tuple[str, list[str]]] = {
    "saved": (IMAGE + "image.save('i.bmp')", ["BMP picture 6 × 4 in `i.bmp`"]),
    "shown": (IMAGE + "image.show()", ["<PIL.Image.Image image mode=RGB size=6x4>"]),
    "displayed": (IMAGE + "display(image)", ["<PIL.Image.Image image mode=RGB size=6x4>"]),
    "as a result": (IMAGE + "image", ["<PIL.Image.Image image mode=RGB size=6x4>"]),
    "a file, displayed": (
        IMAGE + "image.save('i.png')\nfrom IPython.display import Image as I\nI(filename='i.png')",
        ["picture 6 × 4"],
    ),
    "a JPEG, displayed": (
        IMAGE + "image.save('i.jpg')\nfrom IPython.display import Image as I\ndisplay(I('i.jpg'))",
        ["picture 6 × 4"],
    ),
    "animated": (
        GIF,
        [
            "GIF picture 6 × 4 in `a.gif`, frame 1 of 2",
            "GIF picture 6 × 4 in `a.gif`, frame 2 of 2",
        ],
    ),
    "twice": (
        IMAGE + "image.save('a.png'); image.save('b.png')",
        ["PNG picture 6 × 4 in `a.png`", "PNG picture 6 × 4 in `b.png`"],
    ),
    "pages": (
        GIF.replace("a.gif", "a.tif"),
        ["TIFF picture 6 × 4 in `a.tif`"],
    ),
}


@pytest.mark.parametrize("how", SHOWN)
async def test_images_are_shown_once(kernel: SandboxKernel, how: str) -> None:
    code, descriptions = SHOWN[how]
    run = await run_code(kernel, code)
    assert (run.end.status, run.err, run.results) == ("ok", "", []), run.outputs
    assert run.descriptions == descriptions


async def test_a_displayed_image_that_is_none_is_reported(kernel: SandboxKernel) -> None:
    run = await run_code(kernel, "display({'image/png': b'no picture'}, raw=True)")
    assert (run.end.status, run.figures) == ("ok", [])
    assert run.notes[0].startswith("A displayed picture cannot be shown: ")


async def test_a_decompression_bomb_is_refused(kernel: SandboxKernel) -> None:
    code = """
import struct, zlib
def chunk(kind, data):
    return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
head = struct.pack('>IIBBBBB', 50_000, 50_000, 1, 0, 0, 0, 0)
png = b'\\x89PNG\\r\\n\\x1a\\n' + chunk(b'IHDR', head) + chunk(b'IDAT', zlib.compress(b''))
open('bomb.png', 'wb').write(png);
"""
    run = await run_code(kernel, code)
    assert run.end.status == "ok"
    assert not run.figures
    assert run.notes[0].startswith("`bomb.png` cannot be shown")
