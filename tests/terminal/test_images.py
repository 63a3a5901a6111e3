from __future__ import annotations

import base64
import io
import re
import struct
import sys
import zlib
from typing import get_args

import pytest
from PIL import Image

from starchat_tui.config.settings import ImageProtocol
from starchat_tui.terminal.images import (
    MAX_PIXELS,
    RENDERERS,
    InvalidImage,
    decode_png,
    fit_to_cells,
    render_image,
    render_shades,
)
from tests.scripted import make_png


def chunk(kind: bytes, data: bytes) -> bytes:
    checked = kind + data
    return struct.pack(">I", len(data)) + checked + struct.pack(">I", zlib.crc32(checked))


def bomb(width: int, height: int) -> bytes:
    """A small PNG that says it is very large."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(b"\0" * 1000)
    start = b"\x89PNG\r\n\x1a\n"
    return start + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def test_transparency_is_shown_on_white() -> None:
    file = io.BytesIO()
    Image.new("RGBA", (2, 2), (0, 0, 0, 0)).save(file, "PNG")
    assert decode_png(file.getvalue()).getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no picture",
        make_png()[:40],
        bomb(30_000, 30_000),
        bomb(5001, 5000),
        b"GIF89a" + b"\0" * 40,
        b'<svg xmlns="http://www.w3.org/2000/svg"><script>1</script></svg>',
        make_png().replace(b"IDAT", b"IDOT"),
    ],
    ids=["empty", "text", "cut", "bomb", "just too large", "gif", "svg", "broken"],
)
def test_invalid_images_are_rejected(data: bytes) -> None:
    with pytest.raises(InvalidImage):
        decode_png(data)


def test_other_formats_are_not_even_tried() -> None:
    file = io.BytesIO()
    Image.new("RGB", (2, 2)).save(file, "JPEG")
    with pytest.raises(InvalidImage):
        decode_png(file.getvalue())


def test_the_limit_is_below_what_memory_allows() -> None:
    assert MAX_PIXELS * 4 < 200_000_000


def test_the_aspect_ratio_is_kept_and_nothing_is_enlarged() -> None:
    assert fit_to_cells(640, 480, 80, 40) == (64, 24)
    assert fit_to_cells(640, 480, 32, 40) == (32, 12)
    assert fit_to_cells(640, 480, 80, 12) == (32, 12)
    assert fit_to_cells(20, 20, 80, 40) == (2, 1)
    assert fit_to_cells(20, 20, 80, 40, max_scale=100) == (80, 40)
    assert fit_to_cells(0, 0, 80, 40) == (1, 1)
    assert fit_to_cells(100_000, 1, 80, 40) == (80, 1)


def test_darker_cells_have_fuller_shades() -> None:
    image = Image.new("RGB", (2, 1), "white")
    image.putpixel((0, 0), (0, 0, 0))
    assert render_shades(image, 2, 1) == ["█ "]


def test_half_blocks_as_text_begin_and_end_in_the_terminals_colors() -> None:
    text = render_image(make_png(40, 40), "half", 80, 24)
    assert text.endswith("\x1b[0m\n")
    assert set(re.sub(r"\x1b\[[\d;]*m", "", text)) <= {"▀", " ", "\n"}
    assert 0 < text.count("\x1b[38") <= 6 * text.count("\n"), "a color is said where it changes"


def test_kitty_gets_the_picture_itself_in_chunks() -> None:
    png = make_png(400, 300)
    text = render_image(png, "kitty", 80, 24)
    parts = re.findall(r"\x1b_G([^;]*);([^\x1b]*)\x1b\\", text)
    assert base64.b64decode("".join(data for _, data in parts)) == png
    assert "a=T,f=100" in parts[0][0]
    assert [head[-1] for head, _ in parts] == ["1"] * (len(parts) - 1) + ["0"]


def test_unicode_has_no_color() -> None:
    assert "\x1b" not in render_image(make_png(40, 40), "unicode", 80, 24)


def test_without_pillow_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(InvalidImage, match="Pillow"):
        decode_png(b"")


def test_every_protocol_has_a_renderer() -> None:
    assert list(RENDERERS) == list(get_args(ImageProtocol))


@pytest.mark.parametrize("protocol", get_args(ImageProtocol))
def test_text_protocols_draw_characters_and_pixel_protocols_draw_none(
    protocol: ImageProtocol,
) -> None:
    text = render_image(make_png(40, 40), protocol, 8, 4)
    # Pixels are in device control, application program and operating system strings.
    drawn = re.sub(r"\x1b\[[\d;]*m|\x1b[]P_][^\x1b\a]*(\x1b\\|\a)", "", text).strip("\n")
    assert bool(drawn) is (not RENDERERS[protocol].has_pixels and protocol != "off")
    assert bool(text) is (protocol != "off")
