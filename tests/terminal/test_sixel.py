from __future__ import annotations

import io
import re

import pytest
from PIL import Image

from starchat_tui.terminal.sixel import encode_sixels
from tests.scripted import make_png


def undone(text: str) -> Image.Image:
    """Draw the sequence as a terminal would, by an independent reading of the format."""
    found = re.fullmatch(r'\x1bP0;1q"1;1;(\d+);(\d+)(.*)\x1b\\', text, re.DOTALL)
    assert found is not None
    image = Image.new("RGB", (int(found[1]), int(found[2])))
    colours: dict[int, tuple[int, ...]] = {}
    x = top = colour = 0
    token = r"#(\d+);2;(\d+);(\d+);(\d+)|#(\d+)|!(\d+)([?-~])|([?-~])|(\$)|(-)"
    for part in re.finditer(token, found[3]):
        if part[1]:
            colours[int(part[1])] = tuple(round(int(part[n]) * 255 / 100) for n in (2, 3, 4))
        elif part[5]:
            colour = int(part[5])
        elif part[9]:
            x = 0
        elif part[10]:
            x, top = 0, top + 6
        else:
            count, bits = int(part[6] or 1), ord(part[7] or part[8]) - 63
            for column in range(x, x + count):
                for row in range(6):
                    if bits >> row & 1:
                        image.putpixel((column, top + row), colours[colour])
            x += count
    return image


@pytest.mark.parametrize("size", [(1, 1), (12, 8), (40, 6), (7, 13)])
def test_a_terminal_draws_the_same_picture(size: tuple[int, int]) -> None:
    image = Image.open(io.BytesIO(make_png(*size))).convert("RGB")
    shown = undone(encode_sixels(image))
    assert shown.size == image.size
    for x in range(size[0]):
        for y in range(size[1]):
            one, other = shown.getpixel((x, y)), image.getpixel((x, y))
            assert isinstance(one, tuple)
            assert isinstance(other, tuple)
            assert all(abs(a - b) <= 3 for a, b in zip(one, other, strict=True))


def test_equal_columns_are_said_once() -> None:
    assert len(encode_sixels(Image.new("RGB", (1000, 6), "red"))) < 1500
